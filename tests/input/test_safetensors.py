"""Reading safetensors, compared with the library of that name."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from array_files import complaint, numbers, read, rows
from cases import each_case
from tsoft.core.softmax import Array
from tsoft.input.read_options import ArrayKey, TargetSource

BITS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}


def stored(metadata: dict[str, str] | None = None, **tensors: tuple[str, tuple[int, ...], bytes]) -> bytes:
    """Return the bytes of a file of tensors: each a data type, a shape, and the bytes."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(array: Array) -> tuple[str, tuple[int, ...], bytes]:
    dtype = next(name for name, dtype in BITS.items() if np.dtype(dtype) == array.dtype)
    return dtype, array.shape, array.tobytes()


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "u1"])
@pytest.mark.parametrize("shape", [(4,), (7, 3), (2, 3, 4)])
@pytest.mark.usefixtures("small_blocks")
def test_files_of_the_library_are_read(shape: tuple[int, ...], dtype: str, piped: bool) -> None:
    save = pytest.importorskip("safetensors.numpy").save
    array = numbers(shape, dtype)
    blocks = read(save({"logits": array, "x": numbers((3,))}), "safetensors", piped=piped)
    assert np.array_equal(rows(blocks), array.reshape(-1, shape[-1]))
    assert blocks[0].origin.axes == shape[:-1]
    assert blocks[0].logits.dtype == (np.float32 if dtype in ("f2", "f4") else np.float64)


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.usefixtures("small_blocks")
def test_bfloat16_is_exact(piped: bool) -> None:
    """A bfloat16 is the upper half of a float32: the sign, 8 bits of the exponent, and 7 of the fraction."""
    halves = np.array([[0x3F80, 0xBF80, 0x4049, 0x0001], [0xFF80, 0x7F7F, 0x8000, 0x3EAB]], "<u2")
    expected = [[1.0, -1.0, 3.140625, 2.0**-133], [-np.inf, (2 - 2.0**-7) * 2.0**127, -0.0, (1 + 43 / 128) / 4]]
    data = stored(logits=("BF16", (2, 4), halves.tobytes()))
    assert rows(read(data, "safetensors", piped=piped)).tolist() == expected


def test_labels_targets_and_keys() -> None:
    logits, targets = numbers((2, 2)), np.array([1, 0])
    labels = {"labels": '["cat", "dog"]', "id": '["a", "b"]', "other": "x"}
    data = stored(labels, logits=tensor(logits), targets=tensor(targets))
    [block] = read(data, "safetensors", targets=TargetSource())
    assert (block.labels, block.keys) == (("cat", "dog"), ["a", "b"])
    assert block.targets is not None
    assert block.targets.tolist() == [1, 0]
    # Labels in a form other than that of tsoft are not labels.
    [block] = read(stored({"labels": "cat, dog"}, logits=tensor(logits)), "safetensors")
    assert block.labels is None


def test_the_tensor_that_is_read() -> None:
    a, b = numbers((2, 2)), numbers((3, 2), seed=1)
    data = stored(a=tensor(a), b=tensor(b))
    assert np.array_equal(rows(read(data, "safetensors", key=ArrayKey("b"))), b)
    message = "no array is called logits or probs; pass --key NAME to choose one: a, b"
    assert complaint(data, "safetensors") == message


def with_header(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + bytes(8)


WHOLE = stored(logits=tensor(np.ones((2, 2))))
BROKEN = {
    "empty": (b"", "no array: the input is empty"),
    "text": (b"2 1\n", "not a safetensors file"),
    "no JSON": (struct.pack("<Q", 2) + b"{a", "not a safetensors file: invalid header b'{a'"),
    "a list": (struct.pack("<Q", 2) + b"[]", "not a safetensors file: invalid header b'[]'"),
    "no place": (
        struct.pack("<Q", 9) + b'{"a": {}}',
        "not a safetensors file: invalid header b'{\"a\": {}}'",
    ),
    "a long header": (
        struct.pack("<Q", 100_000_001) + b'{"a": {}}',
        "the header has 100000001 bytes; the limit is 100000000",
    ),
    "a nest": (with_header("[" * 100_000), "not a safetensors file: invalid header b'[["),
    **{
        f"a place such as {place}": (with_header(f'{{"a": {{{place}}}}}'), "not a safetensors file: invalid header")
        for place in (
            '"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]',
            '"dtype": "F32", "shape": [0], "data_offsets": [8, 0]',
            '"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]',
            '"dtype": "F32", "shape": [true, 2], "data_offsets": [0, 8]',
        )
    },
    "more": (WHOLE + b"x", "more bytes than the header declares: the header declares"),
    "a wrong shape": (stored(x=("F32", (2, 2), bytes(12))), "x: cut off: the header declares 2 rows of 2 classes"),
    "8 bits": (stored(x=("F8_E4M3", (2,), bytes(2))), "x: expected real numbers of 8 to 64 bits, got F8_E4M3; save it"),
    "a number": (
        stored(x=("F32", (), bytes(4))),
        "x: a single number; expected an array whose last axis is the classes",
    ),
    "none": (stored(x=("F32", (0, 2), b"")), "x: an array of shape (0, 2) has no rows"),
    "NaN": (stored(x=tensor(np.array([[0, np.nan]]))), "x: row 0, class #1: NaN is not a logit; write -inf"),
}


@each_case(("data", "message"), BROKEN.values())
def test_errors(data: bytes, message: str) -> None:
    assert complaint(data, "safetensors").startswith(message)


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_every_truncation_is_an_error(piped: bool) -> None:
    for cut in range(1, len(WHOLE)):
        message = complaint(WHOLE[:cut], "safetensors", piped=piped)
        assert message.startswith(("cut off", "not a safetensors file"))
