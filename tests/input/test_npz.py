"""Reading .npz files that numpy writes, and errors."""

import io
import struct
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest

import tsoft
from array_files import complaint, numbers, read, rows, saved, zipped
from cases import each_case
from tsoft.input import npz
from tsoft.input.labels import Labels
from tsoft.input.read_options import ArrayKey, TargetSource


@each_case("pack", [False, True])
@each_case("piped", [False, True])
@each_case("labels", [["a", "é"], [b"a", "é".encode()]])
def test_files_saved_by_numpy_are_read(pack: bool, piped: bool, labels: list[Any]) -> None:
    logits = numbers((5, 2), "f4")
    [block] = read(zipped(pack, logits=logits, labels=np.array(labels)), "npz", piped=piped)
    assert np.array_equal(block.logits, logits)
    assert (block.labels, block.origin.quantity, block.logits.dtype.name) == (("a", "é"), "logit", "float32")


def test_the_array_that_is_read() -> None:
    a, probs = numbers((2, 2)), tsoft.softmax(numbers((3, 2)))
    [block] = read(zipped(logits=a, probs=probs), "npz")
    assert np.array_equal(block.logits, a)
    both = zipped(logits=a, probs=probs)
    for [block] in (read(both, "npz", key=ArrayKey("probs")), read(both, "npz", quantity="prob")):
        assert np.array_equal(block.logits, np.log(probs))
        assert block.origin.quantity == "prob"
    [block] = read(zipped(x=a, labels=np.array(["b", "c"])), "npz")
    assert block.labels == ("b", "c")
    [block] = read(zipped(logits=probs, x=a.T.reshape(1, 4), labels=np.array(["b", "c"])), "npz", key=ArrayKey("x"))
    assert (block.labels, block.logits.shape) == (None, (1, 4))


LABELLED = zipped(logits=np.zeros((2, 3)), labels=np.array(["a", "b"]))

NAN = "NaN is not a logit; write -inf to mask a class"
MASKED = "every class is masked (0); at least one needs a probability above 0"
BROKEN = {
    "no zip": (b"PK\3\4 and no more", {}, "not a complete .npz file: its end is missing"),
    "none": (zipped(), {}, "no array is called logits or probs; the file has no arrays"),
    "several": (
        zipped(a=np.zeros(2), b=np.zeros(2)),
        {},
        "no array is called logits or probs; pass --key NAME to choose one: a, b",
    ),
    "no such": (zipped(a=np.zeros(2)), {"key": ArrayKey("b")}, "unknown array 'b'; choose from a"),
    "another kind": (
        zipped(probs=np.ones(1)),
        {"quantity": "logprob"},
        "the array 'probs' contains probabilities, not log-probabilities; remove --logprobs, "
        "or save the array as 'log_probs'",
    ),
    "too few labels": (LABELLED, {}, "logits: 3 classes, but 2 labels; save one label per class"),
    "labels twice": (LABELLED, {"labels": Labels(("x",))}, "the input already names the classes; remove --labels"),
    "labels of complex numbers": (
        zipped(logits=np.zeros(2), labels=np.zeros(2, complex)),
        {},
        "labels: expected real numbers of at most 64 bits, got complex128",
    ),
    "labels of bytes": (
        zipped(logits=np.zeros(1), labels=np.array([b"\xff"])),
        {},
        "labels: not UTF-8 text; save the labels as UTF-8",
    ),
    "labels of half a character": (
        zipped(logits=np.zeros(1), labels=np.array(["\ud800"])),
        {},
        "labels: not UTF-8 text; save the labels as UTF-8",
    ),
    "keys of bytes": (
        zipped(logits=np.zeros(1), id=np.array([b"\xff"])),
        {},
        "id: not UTF-8 text; save the row ids as UTF-8",
    ),
    "ends of labels inside a character": (
        zipped(logits=np.zeros(2), labels_utf8=np.array([0xC3, 0xA9], np.uint8), labels_ends=np.array([1, 2])),
        {},
        "labels_utf8: not UTF-8 text, or an end inside a character",
    ),
    "ends of labels that decrease": (
        zipped(logits=np.zeros(2), labels_utf8=np.zeros(2, np.uint8), labels_ends=np.array([3, 2])),
        {},
        "labels_ends: expected ends that do not decrease and stop at 2, the size of labels_utf8",
    ),
    "ends of labels before the end": (
        zipped(logits=np.zeros(2), labels_utf8=np.zeros(3, np.uint8), labels_ends=np.array([1, 2])),
        {},
        "labels_ends: expected ends that do not decrease and stop at 3, the size of labels_utf8",
    ),
    "ends of labels of another type": (
        zipped(logits=np.zeros(2), labels_utf8=np.zeros(2, np.uint8), labels_ends=np.array([1.0, 2.0])),
        {},
        "labels_ends: expected int64, got float64",
    ),
    "packed labels as logits": (
        zipped(x=np.zeros(2), labels_utf8=np.zeros(2, np.uint8), labels_ends=np.array([1, 2])),
        {"key": ArrayKey("labels")},
        "labels: expected real numbers of at most 64 bits, got strings",
    ),
    "NaN": (zipped(logits=np.array([[0, np.nan]])), {}, f"logits: row 0, class #1: {NAN}"),
    "all masked": (zipped(probs=np.zeros((1, 2))), {}, f"probs: row 0: {MASKED}"),
}  # fmt: skip


@each_case(("data", "reading", "message"), BROKEN.values())
def test_errors(data: bytes, reading: dict[str, Any], message: str) -> None:
    assert complaint(data, "npz", **reading) == message


@pytest.mark.parametrize("pack", [False, True], ids=["stored", "deflated"])
def test_every_truncation_is_an_error(pack: bool) -> None:
    whole = zipped(pack, logits=numbers((2, 2)))
    assert complaint(b"", "npz") == "no array: the input is empty"
    for cut in range(1, len(whole)):
        assert complaint(whole[:cut], "npz").startswith("not a complete .npz file: ")
    assert rows(read(whole, "npz")).shape == (2, 2)


def test_a_zip_bomb_is_refused_by_its_declared_size(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped(True, logits=np.zeros((1000, 1000)))
    monkeypatch.setattr(npz, "SMALL_ARRAY", 1_000_000)
    # The reader does not unpack it, neither as numbers nor as labels.
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    message = complaint(bomb, "npz")
    assert message.startswith("logits: ")
    assert message.endswith(
        "bytes unpack to 0.0 GB, like a zip bomb; if you trust the file, unzip it and read the .npy"
    )


def test_a_header_of_huge_strings_is_an_error_without_memory() -> None:
    """The header declares 4 TB."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<U1000000", "fortran_order": False, "shape": (1_000_000,)})
    buffer = io.BytesIO(zipped(logits=np.zeros(2)))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("labels.npy", header.getvalue() + bytes(1000))
    data = buffer.getvalue()
    tracemalloc.start()
    message = complaint(data, "npz")
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "cut off" in message
    assert size < 10_000_000


def test_a_wrong_declared_size_is_an_error() -> None:
    """Both in the zip entry and in the .npy header."""
    whole = zipped(logits=np.zeros((4, 4)))
    size = struct.pack("<I", len(saved(np.zeros((4, 4)))))
    assert whole.count(size) >= 2
    for lie in (1 << 27, 100):
        message = complaint(whole.replace(size, struct.pack("<I", lie)), "npz")
        assert "cut off" in message or "more bytes" in message or "not a complete" in message


def test_an_array_of_labels_takes_precedence_over_packed_ones() -> None:
    packed: dict[str, Any] = {"labels_utf8": np.array([97, 0xC3, 0xA9], np.uint8), "labels_ends": np.array([1, 3])}
    [block] = read(zipped(logits=np.zeros(2), **packed), "npz")
    assert block.labels == ("a", "é")
    [block] = read(zipped(logits=np.zeros(2), labels=np.array(["x", "y"]), **packed), "npz")
    assert block.labels == ("x", "y")


def test_targets_are_read_only_when_requested() -> None:
    data = io.BytesIO()
    np.savez(data, logits=np.zeros((2, 3)), targets=np.array([0, 7]))
    [block] = read(data.getvalue(), "npz")
    assert block.targets is None
    assert "targets: row 1: unknown class '7'; use an index from 0 to 2" in complaint(
        data.getvalue(), "npz", targets=TargetSource()
    )
