"""Arrays in .npy and .npz files, in and out, with numpy as the other side."""

import contextlib
import io
import itertools
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsoft
from tool import TSOFT, environment, here, peak
from tsoft.core.block import Block
from tsoft.core.softmax import Array, validate_logits
from tsoft.errors import InputError, OutputError
from tsoft.input import npy, npz
from tsoft.input.formats import FORMATS
from tsoft.input.labels import Labels
from tsoft.input.read_options import ReadOptions
from tsoft.options.output import OutputOptions, is_watched
from tsoft.output import arrays, watching
from tsoft.output.distribution_records import Content
from tsoft.output.file import OutputStream
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.distributions import Distributions

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

TAUS = ([0.7], [0.5, 1.0, 2.0])


class Pipe(io.RawIOBase):
    """Bytes that cannot be sought, and that come a few at a time."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        return self.data.readinto(into[:1000])


@contextlib.contextmanager
def opened(data: bytes, piped: bool) -> Iterator[BinaryIO]:
    if piped:
        yield io.BufferedReader(Pipe(data))
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file


def read(data: bytes, format: str = "npy", *, piped: bool = False, **reading: Any) -> list[Block]:
    with opened(data, piped) as stream:
        return list(FORMATS[format].reader()(stream, ReadOptions("f", **reading)))


def rows(blocks: list[Block]) -> Array:
    """All rows of blocks that follow each other."""
    firsts = [0, *itertools.accumulate(len(block.logits) for block in blocks)]
    assert [block.first_row for block in blocks] == firsts[:-1]
    return np.concatenate([block.logits for block in blocks])


def complaint(data: bytes, format: str = "npy", *, piped: bool = False, **reading: Any) -> str:
    """What is wrong with an input, of which nothing has come out."""
    with pytest.raises(InputError) as caught, opened(data, piped) as stream:
        next(FORMATS[format].reader()(stream, ReadOptions("f", **reading)))
    return str(caught.value).removeprefix("f: ")


def saved(array: Array, version: tuple[int, int] | None = None) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version, allow_pickle=True)
    return buffer.getvalue()


def zipped(pack: bool = False, **arrays: Array) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if pack else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def numbers(shape: tuple[int, ...], dtype: str = "f8", order: Any = "C", seed: int = 0) -> Array:
    normal = np.random.default_rng(seed).standard_normal(shape) * 5
    return np.asarray(abs(normal) if np.dtype(dtype).kind == "u" else normal).astype(dtype, order=order)


def pieces(array: Array, taus: list[float]) -> Iterator[Any]:
    """What a writer is given of an array."""
    for block in read(saved(array)):
        yield from distribution_pieces(block, np.array(taus))


def array_of(
    results: Iterable[Distributions],
    taus: list[float],
    log: bool = False,
    format: str = "npy",
    note: Callable[[str], None] = lambda _: None,
) -> bytes:
    """What is written of distributions where the output is no file."""
    buffer = io.BytesIO()
    distributions_ = arrays.DistributionArray(iter(results), np.array(taus), Content(log), note)
    arrays.write(format, distributions_, OutputStream(buffer, "buffer"))
    return buffer.getvalue()


def expected(array: Array, taus: list[float], log: bool = False) -> Array:
    function = tsoft.log_softmax if log else tsoft.softmax
    return function(array, taus[0]) if len(taus) == 1 else np.moveaxis(function(array, taus), 0, -2).copy("C")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that a few rows are several."""
    monkeypatch.setattr(npy, "BLOCK", 100)
    monkeypatch.setattr("tsoft.sampling.apply_chains.PIECE", 16)


# In

DTYPES = ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "i1", "u1", "<i2", ">i2", "<u4", "<i8", ">i8", "?")
SHAPES = ((4,), (7, 4), (1, 4), (7, 1), (2, 3, 4), (2, 1, 3, 2))


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("small")
def test_what_numpy_saves_is_read(dtype: str, order: str, piped: bool) -> None:
    for shape in SHAPES:
        array = numbers(shape, dtype, order)
        logits = validate_logits(array).reshape(-1, shape[-1])
        for version in ((1, 0), (2, 0), (3, 0)):
            blocks = read(saved(array, version), piped=piped)
            found = rows(blocks)
            assert found.dtype == logits.dtype
            assert np.array_equal(found, logits)
            assert {block.axes for block in blocks} == {shape[:-1]}


def test_quantities_and_labels() -> None:
    probs = tsoft.softmax(numbers((3, 2), "f4"))
    [block] = read(saved(probs), quantity="prob", labels=Labels(("a", "b")))
    assert (block.quantity, block.labels, block.logits.dtype.name) == ("prob", ("a", "b"), "float32")
    assert np.array_equal(block.logits, np.log(probs))


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**32), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_cut_is_missed(count: int, classes: int, seed: int, fortran: bool, piped: bool) -> None:
    """Wherever it is, and with what is there and what should be."""
    array = numbers((count, classes), "f4", "F" if fortran else "C", seed)
    whole = saved(array)
    cut = seed % len(whole)
    said = complaint(whole[:cut], piped=piped)
    if cut >= len(whole) - array.nbytes:
        assert "it is cut off: " in said
        assert said.endswith(f"the header promises {count} rows of {classes} classes")
        if array.flags.c_contiguous:
            there = (cut - (len(whole) - array.nbytes)) // (4 * classes)
            assert f": {there} whole rows are there" in said


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_cut_is_missed(order: str, piped: bool) -> None:
    whole = saved(numbers((3, 2), "f2", order))
    for cut in range(len(whole)):
        assert "cut off" in complaint(whole[:cut], piped=piped) or cut == 0
    assert "more follows" in complaint(whole + b"\0", piped=piped)
    assert rows(read(whole, piped=piped)).shape == (3, 2)


@pytest.mark.usefixtures("small")
def test_a_cut_in_a_pipe_comes_after_whole_rows() -> None:
    array = numbers((30, 4), "f8")
    found = FORMATS["npy"].reader()(io.BufferedReader(Pipe(saved(array)[:-1])), ReadOptions("f"))
    assert np.array_equal(np.concatenate([next(found).logits for _ in range(9)]), array[:27])
    with pytest.raises(InputError, match="29 whole rows are there, the header promises 30 rows of 4 classes"):
        next(found)


def header(text: str, version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text.encode()


OBJECTS = "an array of pickled objects, which are never read: they could run anything"
RECORDS = np.zeros(2, [("a", "f4"), ("b", "f4")])
WRONG = {
    "empty": (b"", "not an .npy file: it does not begin as one"),
    "text": (b"1 2 3\n", "not an .npy file: it does not begin as one"),
    "a version": (b"\x93NUMPY\x09\0", "an .npy file of version 9.0; 1 to 3 are known"),
    "objects": (saved(np.array([1, None])), OBJECTS),
    "records": (saved(RECORDS), "an array of records (a, b), not of numbers"),
    "complex": (saved(np.array([1j])), "an array of complex128, not of real numbers of up to 64 bits"),
    "texts": (saved(np.array(["a"])), "an array of <U1, not of real numbers of up to 64 bits"),
    "dates": (saved(np.array(["2020"], "M8[D]")), "an array of datetime64[D], not of real numbers of up to 64 bits"),
    "bfloat16": (
        header("{'descr': '|V2', 'fortran_order': False, 'shape': (2,)}"),
        "an array of |V2, not of real numbers of up to 64 bits; bfloat16 is saved so: save it as float32",
    ),
    "a number": (saved(np.array(1.0)), "a single number; logits need an axis of classes"),
    "no row": (saved(np.zeros((0, 3))), "an array of shape (0, 3) has no rows"),
    "no class": (saved(np.zeros((3, 0))), "an array of shape (3, 0) has no classes"),
    "NaN": (saved(np.array([[1, 2], [3, np.nan]])), "row 1, class #1: NaN is not a logit"),
    "all masked": (saved(np.full((2, 2), -np.inf, "f4")), "row 0: every class is masked (-inf)"),
    "no header": (header("hello"), "the header is not an array's: 'hello'"),
    "a part of one": (header("{'shape': (2,)}"), "the header is not an array's: \"{'shape': (2,)}\""),
    "a shape": (
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
        "the header gives no shape and order: \"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}\"",
    ),
    "a type": (
        header("{'descr': 'what', 'fortran_order': False, 'shape': (1,)}"),
        "the header names no type of numbers: 'what'",
    ),
    "a nest": (header("(" * 9000), "the header is not an array's: '" + "(" * 60 + "'"),
    "a long header": (header(" " * 20_000), "the header is 20000 bytes long, more than 10000"),
    "more than there can be": (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 10000000000000000)}"),
        "it is cut off: 0 whole rows are there, the header promises 2 rows of 10000000000000000 classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong(data: bytes, message: str) -> None:
    assert complaint(data) == message


def test_what_is_said_too_large_in_a_pipe() -> None:
    shape = f"(2, {10**18})"
    said = complaint(header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"), piped=True)
    assert said == f"an array of shape {shape} does not fit in memory"


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


def test_no_pickle_is_run(tmp_path: Path) -> None:
    path = tmp_path / "made"
    objects = np.array([Trap(path), 1], object)
    pickle.loads(pickle.dumps(objects))[0].close()
    path.unlink()  # so it works
    for data in (saved(objects), pickle.dumps(objects)):
        complaint(data)
        complaint(data, "npz")
    complaint(zipped(logits=objects), "npz")
    complaint(zipped(logits=np.zeros(2), labels=objects), "npz")
    assert not path.exists()


CHANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3)
WHOLE = {
    "npy": saved(numbers((3, 2), "f4")),
    "npz": zipped(logits=numbers((2, 2)), labels=np.array(["a", "b"])),
}


@pytest.mark.parametrize("format", WHOLE)
@given(changes=CHANGES, cut=st.integers(0, 900), noise=st.binary(max_size=40), piped=st.booleans())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_bytes_are_read_or_refused(
    format: str, changes: list[tuple[int, int]], cut: int, noise: bytes, piped: bool
) -> None:
    """Whatever is changed, rows that have a softmax come out, or one message."""
    data = bytearray(WHOLE[format])
    for place, byte in changes:
        data[place % len(data)] = byte
    if cut < len(data):
        data[cut:] = noise
    try:
        blocks = read(bytes(data), format, piped=piped)
    except InputError as error:
        blocks, said = [], str(error)
    else:
        said = "f: "
    assert said.startswith("f: ")
    assert all(np.isfinite(block.logits.max(1)).all() for block in blocks)


# Out


@pytest.mark.parametrize("log", [False, True], ids=["probs", "log"])
@pytest.mark.parametrize("taus", TAUS, ids=["one", "several"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "f8", "i4"])
@pytest.mark.usefixtures("small")
def test_what_is_written_is_what_numpy_saves(dtype: str, taus: list[float], log: bool) -> None:
    for shape in SHAPES:
        array = numbers(shape, dtype)
        assert array_of(pieces(array, taus), taus, log) == saved(expected(array, taus, log))


@pytest.mark.parametrize("taus", TAUS, ids=["one", "several"])
@pytest.mark.usefixtures("small")
def test_fortran_order_is_written_in_c_order(taus: list[float]) -> None:
    for shape, dtype in itertools.product(((7, 4), (50, 3), (2, 40)), ("f4", "f8")):
        array = numbers(shape, dtype, "F")
        assert array_of(pieces(array, taus), taus) == saved(expected(array, taus))


@pytest.mark.parametrize("taus", TAUS, ids=["one", "several"])
def test_an_unknown_number_of_rows(tmp_path: Path, taus: list[float]) -> None:
    """A file's header is filled in at the end; a pipe waits for the last row. Both are as numpy's."""
    array = numbers((40, 3))
    (tmp_path / "in.txt").write_text("\n".join(" ".join(map(repr, row)) for row in array.tolist()))
    command = f"{TSOFT} compute -i in.txt --tau {','.join(map(str, taus))}"
    script = f"{command} -o file.npy && {command} -f npy | cat > pipe.npy"
    done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "file.npy").read_bytes() == saved(expected(array, taus))
    assert (tmp_path / "pipe.npy").read_bytes() == saved(expected(array, taus))


def test_fortran_order_is_read_from_a_stream_that_cannot_be_mapped() -> None:
    array = numbers((7, 4), "f4", "F")
    blocks = list(FORMATS["npy"].reader()(io.BytesIO(saved(array)), ReadOptions("f")))
    assert np.array_equal(rows(blocks), array)


def test_targets_are_read_only_when_requested() -> None:
    data = io.BytesIO()
    np.savez(data, logits=np.zeros((2, 3)), targets=np.array([0, 7]))
    [block] = read(data.getvalue(), "npz")
    assert block.targets is None
    assert "targets: row 1: target 7 is out of range" in complaint(data.getvalue(), "npz", targets=True)


def test_rows_of_a_mapped_file_do_not_change_with_it(tmp_path: Path) -> None:
    array = numbers((7, 4), "f4", "F")
    (tmp_path / "z.npy").write_bytes(saved(array))
    with (tmp_path / "z.npy").open("r+b") as file:
        [block] = FORMATS["npy"].reader()(file, ReadOptions("f"))
        file.seek(-array.nbytes, io.SEEK_END)
        file.write(bytes(array.nbytes))
        file.flush()
        assert np.array_equal(block.logits, array)


def test_rows_that_are_held_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(npy, "MUCH", 100)
    monkeypatch.setattr(arrays, "MUCH", 100)
    results = [next(distribution_pieces(Block(np.zeros((2, 4)), first_row=i), np.ones(1))) for i in (0, 2, 4)]
    assert array_of(results, [1.0], note=notes.append) == saved(np.full((6, 4), 0.25))
    assert [note.split(",")[0] for note in notes] == ["how many rows come is not known"]
    big = saved(numbers((9, 4), order="F"))
    assert rows(read(big, piped=True, note=notes.append)).shape == (9, 4)
    assert notes[1:] == ["f: an array in Fortran order is held in memory, 0 MB; from a file (-i) it is not"]
    read(big, note=notes.append)
    assert len(notes) == 2


@pytest.mark.parametrize("form", ["npy", "npz"])
def test_rows_that_differ_are_no_array(form: str, tmp_path: Path) -> None:
    for text in ("1 2\n1 2 3\n", "a=1 b=2\na=1 c=2\n"):
        done = here("compute", "-f", form, stdin=text)
        assert (done.returncode, done.stdout) == (1, "")
        said = "stdin:2: its classes are not those of the first row; --format jsonl takes rows that differ"
        assert done.stderr == f"tsoft: error: {said}\n"
        assert here("compute", "-o", str(tmp_path / f"out.{form}"), stdin=text).returncode == 1
        assert os.listdir(tmp_path) == []


# Of several arrays


@pytest.mark.parametrize("pack", [False, True], ids=["stored", "deflated"])
@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("labels", [["a", "é"], [b"a", "é".encode()]], ids=["texts", "bytes"])
def test_what_numpy_zips_is_read(pack: bool, piped: bool, labels: list[Any]) -> None:
    logits = numbers((5, 2), "f4")
    [block] = read(zipped(pack, logits=logits, labels=np.array(labels)), "npz", piped=piped)
    assert np.array_equal(block.logits, logits)
    assert (block.labels, block.quantity, block.logits.dtype.name) == (("a", "é"), "logit", "float32")


def test_which_array() -> None:
    a, probs = numbers((2, 2)), tsoft.softmax(numbers((3, 2)))
    [block] = read(zipped(logits=a, probs=probs), "npz")
    assert np.array_equal(block.logits, a)
    both = zipped(logits=a, probs=probs)
    for [block] in (read(both, "npz", key="probs"), read(both, "npz", quantity="prob")):
        assert np.array_equal(block.logits, np.log(probs))
        assert block.quantity == "prob"
    [block] = read(zipped(x=a, labels=np.array(["b", "c"])), "npz")
    assert block.labels == ("b", "c")
    [block] = read(zipped(logits=probs, x=a.T.reshape(1, 4), labels=np.array(["b", "c"])), "npz", key="x")
    assert (block.labels, block.logits.shape) == (None, (1, 4))


LABELLED = zipped(logits=np.zeros((2, 3)), labels=np.array(["a", "b"]))
BROKEN = {
    "no zip": (b"PK\3\4 and no more", {}, "not a whole .npz file: File is not a zip file"),
    "none": (zipped(), {}, "no array is called logits or probs; --key takes one of none"),
    "several": (
        zipped(a=np.zeros(2), b=np.zeros(2)), {}, "no array is called logits or probs; --key takes one of a, b"
    ),
    "no such": (zipped(a=np.zeros(2)), {"key": "b"}, "no array is called 'b'; there are a"),
    "another kind": (
        zipped(probs=np.ones(1)),
        {"quantity": "logprob"},
        "'probs' holds 'prob', not 'logprob'; to be read as such, the array is saved under the name log_probs",
    ),
    "too few labels": (LABELLED, {}, "logits: 3 classes, but 2 labels"),
    "labels twice": (LABELLED, {"labels": Labels(("x",))}, "the classes are named here; leave out --labels"),
    "labels of complex numbers": (
        zipped(logits=np.zeros(2), labels=np.zeros(2, complex)),
        {},
        "labels: an array of complex128, not of real numbers of up to 64 bits",
    ),
    "labels of bytes": (zipped(logits=np.zeros(1), labels=np.array([b"\xff"])), {}, "labels: they are not UTF-8 text"),
    "NaN": (zipped(logits=np.array([[0, np.nan]])), {}, "logits: row 0, class #1: NaN is not a logit"),
    "all masked": (zipped(probs=np.zeros((1, 2))), {}, "probs: row 0: every class is masked (0)"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reading", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_with_an_npz(data: bytes, reading: dict[str, Any], message: str) -> None:
    assert complaint(data, "npz", **reading) == message


@pytest.mark.parametrize("pack", [False, True], ids=["stored", "deflated"])
def test_every_cut_of_an_npz_is_missed(pack: bool) -> None:
    whole = zipped(pack, logits=numbers((2, 2)))
    for cut in range(len(whole)):
        assert complaint(whole[:cut], "npz").startswith("not a whole .npz file: ")
    assert rows(read(whole, "npz")).shape == (2, 2)


def test_a_bomb_is_refused_by_the_size_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped(True, logits=np.zeros((1000, 1000)))
    monkeypatch.setattr(npz, "SMALL_ARRAY", 1_000_000)
    # It is not unpacked, neither as numbers nor as labels.
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    said = complaint(bomb, "npz")
    assert said.startswith("logits: ")
    assert said.endswith("bytes that unpack to 0.0 GB, as a zip bomb does; if it is none, unzip it and take the .npy")


def test_a_size_that_is_a_lie_is_an_error() -> None:
    """Whether the zip or the header says too much."""
    whole = zipped(logits=np.zeros((4, 4)))
    size = struct.pack("<I", len(saved(np.zeros((4, 4)))))
    assert whole.count(size) >= 2
    for lie in (1 << 27, 100):
        message = complaint(whole.replace(size, struct.pack("<I", lie)), "npz")
        assert "cut off" in message or "more follows" in message or "not a whole" in message


@pytest.mark.parametrize("log", [False, True], ids=["probs", "log"])
@pytest.mark.parametrize("taus", TAUS, ids=["one", "several"])
@pytest.mark.usefixtures("small")
def test_what_is_zipped_numpy_reads_and_so_does_tsoft(taus: list[float], log: bool) -> None:
    array = numbers((2, 5, 3), "f4")
    results: list[Distributions] = []
    for block in read(saved(array), labels=Labels(("a", "", "a"))):
        results += distribution_pieces(block, np.array(taus))
    data = array_of(results, taus, log, "npz")
    with np.load(io.BytesIO(data)) as found:
        assert sorted(found) == sorted(["log_probs" if log else "probs", "taus", "labels"])
        written = found["log_probs" if log else "probs"]
        assert written.dtype == np.float32
        assert np.array_equal(written, expected(array, taus, log))
        assert found["taus"].tolist() == taus
        assert found["labels"].tolist() == ["a", "", "a"]
    blocks = read(data, "npz")
    assert blocks[0].labels == ("a", "", "a")
    assert np.array_equal(rows(blocks), (written if log else np.log(written)).reshape(-1, 3))


# The whole program


def test_a_pipe_is_a_file(tmp_path: Path) -> None:
    """Told by the content, by the name or outright."""
    array = numbers((50, 3), "f4")
    (tmp_path / "x.npy").write_bytes(saved(array))
    (tmp_path / "x.bin").write_bytes(saved(array))
    script = (
        "tsoft compute -i x.npy --tau 0.7 -o a.npy; cat x.npy | tsoft compute --tau 0.7 -f npy > b.npy;"
        "tsoft compute -i x.bin --tau 0.7 -f npy | cat > c.npy; tsoft compute --tau 0.7 < x.npy > d.tsv;"
        "cat a.npy | tsoft compute --probs -o e.npz; cat e.npz | tsoft compute --input-format npz -o f.npz"
    )
    done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")
    result = saved(tsoft.softmax(array, 0.7))
    assert [(tmp_path / f"{name}.npy").read_bytes() == result for name in "abc"] == [True] * 3
    text = [[float(field) for field in line.split("\t")] for line in (tmp_path / "d.tsv").read_text().splitlines()]
    assert np.array_equal(np.array(text, np.float32), tsoft.softmax(array, 0.7))
    with np.load(tmp_path / "f.npz") as found:
        assert found["probs"] == pytest.approx(tsoft.softmax(array, 0.7), rel=1e-5)


def test_an_array_is_of_one_engine_and_whole(tmp_path: Path) -> None:
    typed = ["compute", "1", "2", "-o", str(tmp_path / "x.npy")]
    for options, message in {
        ("--like", "all", "--top-k", "1"): "npy holds one distribution for each row and τ: --like one engine",
        ("--digits", "3"): "--digits has no effect on npy; it is for table, tsv, csv, json and jsonl",
        ("--long",): "--long has no effect on npy; it is for tsv and csv",
        ("--with-logits",): "--with-logits has no effect on npy; it is for json and jsonl",
        ("--key", "x"): "--key names an array of an .npz file, and this input is none",
    }.items():
        done = here(*typed, *options)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"tsoft: error: {message}")
    for command in (["sample", "1"], ["solve", "1", "2", "--top-prob", "0.6"], ["sweep", "1", "--mean"]):
        done = here(*command, "-f", "npz")
        assert done.stderr.startswith("tsoft: error: npz holds distributions, as compute and sweep give them")
    assert os.listdir(tmp_path) == []
    done = here("compute", "--key", "x", stdin="1 2")
    assert done.returncode == 2


def test_a_chain_and_a_sweep(tmp_path: Path) -> None:
    out = str(tmp_path / "x.npy")
    assert here("compute", "3", "2", "1", "--top-k", "1", "-o", out).returncode == 0
    assert np.load(out).tolist() == [[1, 0, 0]]
    assert here("sweep", "3", "2", "--steps", "5", "-o", out).returncode == 0
    assert np.load(out).shape == (1, 5, 2)


@posix
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_error_leaves_the_output_as_it_was(tmp_path: Path, order: str) -> None:
    array = numbers((100_000, 8), "f8", order)
    array[-1, 0] = np.nan
    (tmp_path / "in.npy").write_bytes(saved(array))
    (tmp_path / "out.npy").write_text("before")
    done = here("compute", "-i", str(tmp_path / "in.npy"), "-o", str(tmp_path / "out.npy"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("in.npy: row 99999, class #0: NaN is not a logit\n")
    assert (sorted(os.listdir(tmp_path)), (tmp_path / "out.npy").read_text()) == (["in.npy", "out.npy"], "before")


def test_what_cannot_be_written_over(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        write = OutputStream(file, "x", is_file=True)
    with pytest.raises((OutputError, ValueError)):
        write.over([(0, b"x")])


@posix
def test_memory_does_not_grow_with_the_array(tmp_path: Path) -> None:
    def peak_of(rows: int) -> int:
        path = tmp_path / f"{rows}.npy"
        # Zeros that take no room on the disk.
        np.lib.format.open_memmap(path, "w+", np.float32, (rows, 32_768)).flush()
        return peak("compute", "-i", str(path), "--tau", "0.7", "-o", str(tmp_path / "out.npy"))

    # 200 MB against 13.
    assert peak_of(1_600) < 1.2 * peak_of(100)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("axes", "seconds", "left"), [((9,), 2, True), (None, 2, False), ((9,), 0, None)])
def test_long_work_is_watched(
    monkeypatch: pytest.MonkeyPatch, axes: tuple[int, ...] | None, seconds: int, left: bool | None
) -> None:
    """Rows and their rate, and where their number is known the time that is left; nothing of short work."""
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    # The bar has a clock of its own.
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=itertools.count(0, seconds).__next__))
    blocks = [Block(np.zeros((3, 2)), first_row=first, axes=axes) for first in (0, 3, 6)]
    total = None if axes is None else 9
    shown = watching.watched(
        blocks, lambda block, took: (watching.rows(block.rows.stop, took), block.rows.stop), lambda _: total
    )
    assert list(shown) == blocks
    assert ("9 rows, 2 a second" in screen.getvalue()) == (left is not None)
    assert ("100%" in screen.getvalue()) == bool(left)
    assert (screen.getvalue() == "") == (left is None)
    assert left is None or screen.getvalue().endswith("\x1b[2K")


def test_progress_is_watched_where_stderr_is_a_terminal_and_the_result_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert is_watched(OutputOptions())
    assert is_watched(OutputOptions(output="x"))
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert is_watched(OutputOptions(output="x"))
    assert not is_watched(OutputOptions())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not is_watched(OutputOptions(output="x"))
