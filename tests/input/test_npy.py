"""Reading .npy files that numpy writes, and errors."""

import io
import pickle
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import tsoft
from array_files import SHAPES, Pipe, complaint, numbers, read, rows, saved, zipped
from cases import each_case
from tsoft.core.softmax import validate_logits
from tsoft.errors import InputError
from tsoft.input.formats import FORMATS
from tsoft.input.labels import Labels
from tsoft.input.read_options import ReadOptions

DTYPES = ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "i1", "u1", "<i2", ">i2", "<u4", "<i8", ">i8", "?")


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("small_blocks")
def test_arrays_saved_by_numpy_are_read(dtype: str, order: str, piped: bool) -> None:
    for shape in SHAPES:
        array = numbers(shape, dtype, order)
        logits = validate_logits(array).reshape(-1, shape[-1])
        for version in ((1, 0), (2, 0), (3, 0)):
            blocks = read(saved(array, version), piped=piped)
            read_rows = rows(blocks)
            assert read_rows.dtype == logits.dtype
            assert np.array_equal(read_rows, logits)
            assert {block.origin.axes for block in blocks} == {shape[:-1]}


def test_quantities_and_labels() -> None:
    probs = tsoft.softmax(numbers((3, 2), "f4"))
    [block] = read(saved(probs), quantity="prob", labels=Labels(("a", "b")))
    assert (block.origin.quantity, block.labels, block.logits.dtype.name) == ("prob", ("a", "b"), "float32")
    assert np.array_equal(block.logits, np.log(probs))


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_truncation_is_an_error(order: str, piped: bool) -> None:
    """The message has the expected and the actual number of rows."""
    for count, classes in ((1, 1), (1, 12), (40, 1), (7, 5)):
        array = numbers((count, classes), "f4", order)
        whole = saved(array)
        start = len(whole) - array.nbytes
        for cut in (0, 5, start - 1, start, start + 1, start + 4 * classes, len(whole) - 1):
            message = complaint(whole[: min(cut, len(whole) - 1)], piped=piped)
            if cut >= start:
                rows_text = "1 row" if count == 1 else f"{count} rows"
                classes_text = "1 class" if classes == 1 else f"{classes} classes"
                expected = f"cut off: the header declares {rows_text} of {classes_text}, but the file has "
                assert message.startswith(expected)
                if array.flags.c_contiguous:
                    whole_rows = (min(cut, len(whole) - 1) - start) // (4 * classes)
                    assert message.endswith(" 1 whole row" if whole_rows == 1 else f" {whole_rows} whole rows")


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_truncation_is_an_error(order: str, piped: bool) -> None:
    whole = saved(numbers((3, 2), "f2", order))
    for cut in range(len(whole)):
        assert "cut off" in complaint(whole[:cut], piped=piped) or cut == 0
    assert "more bytes" in complaint(whole + b"\0", piped=piped)
    assert rows(read(whole, piped=piped)).shape == (3, 2)


@pytest.mark.usefixtures("small_blocks")
def test_whole_rows_before_a_truncation_are_read_from_a_pipe() -> None:
    array = numbers((30, 4), "f8")
    blocks = FORMATS["npy"].reader()(io.BufferedReader(Pipe(saved(array)[:-1])), ReadOptions("f"))
    assert np.array_equal(np.concatenate([next(blocks).logits for _ in range(9)]), array[:27])
    with pytest.raises(InputError, match="the header declares 30 rows of 4 classes, but the file has 29 whole rows"):
        next(blocks)


def header(text: str, version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text.encode()


MASKED = "every class is masked (-inf); at least one needs a finite logit"
OBJECTS = "pickled objects, which tsoft never loads since they can run any code; save an array of numbers"

RECORDS = np.zeros(2, [("a", "f4"), ("b", "f4")])

WRONG = {
    "empty": (b"", "no array: the input is empty"),
    "text": (b"1 2 3\n", "not an .npy file; if it is text, pass --input-format text"),
    "a version": (b"\x93NUMPY\x09\0", "an .npy file of version 9.0; tsoft reads versions 1 to 3"),
    "objects": (saved(np.array([1, None])), OBJECTS),
    "records": (saved(RECORDS), "an array of records (a, b); save one array of numbers"),
    "complex": (saved(np.array([1j])), "expected real numbers of at most 64 bits, got complex128"),
    "texts": (saved(np.array(["a"])), "expected real numbers of at most 64 bits, got <U1"),
    "dates": (saved(np.array(["2020"], "M8[D]")), "expected real numbers of at most 64 bits, got datetime64[D]"),
    "bfloat16": (
        header("{'descr': '|V2', 'fortran_order': False, 'shape': (2,)}"),
        "expected real numbers of at most 64 bits, got |V2; if this is bfloat16, save it as float32",
    ),
    "a number": (saved(np.array(1.0)), "a single number; expected an array whose last axis is the classes"),
    "no row": (saved(np.zeros((0, 3))), "an array of shape (0, 3) has no rows"),
    "no class": (saved(np.zeros((3, 0))), "an array of shape (3, 0) has no classes"),
    "NaN": (saved(np.array([[1, 2], [3, np.nan]])), "row 1, class #1: NaN is not a logit; write -inf to mask a class"),
    "all masked": (saved(np.full((2, 2), -np.inf, "f4")), f"row 0: {MASKED}"),
    "no header": (header("hello"), "invalid .npy header: 'hello'"),
    "a part of one": (header("{'shape': (2,)}"), "invalid .npy header: \"{'shape': (2,)}\""),
    "a shape": (
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
        "invalid shape or fortran_order in the header: \"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}\"",
    ),
    "a type": (
        header("{'descr': 'what', 'fortran_order': False, 'shape': (1,)}"),
        "unknown data type in the header: 'what'",
    ),
    "a shape of True": (
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}"),
        "invalid shape or fortran_order in the header: \"{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}\"",
    ),
    "an order": (
        header("{'descr': '<f4', 'fortran_order': 2, 'shape': (2, 2)}"),
        "invalid shape or fortran_order in the header: \"{'descr': '<f4', 'fortran_order': 2, 'shape': (2, 2)}\"",
    ),
    "a type that opens brackets": (
        header("{'descr': 'O,(O,(', 'fortran_order': False, 'shape': (1,)}"),
        "unknown data type in the header: 'O,(O,('",
    ),
    "a type with an escape of which Python warns": (
        header(r"{'descr': '\d', 'fortran_order': False, 'shape': (1,)}"),
        r"unknown data type in the header: '\\d'",
    ),
    "a sum": (header("1+" * 4000 + "1"), "invalid .npy header: '" + "1+" * 30 + "'"),
    "a nest": (header("(" * 9000), "invalid .npy header: '" + "(" * 60 + "'"),
    "a long header": (header(" " * 20_000), "the header has 20000 bytes; the limit is 10000"),
    "more bytes than any file has": (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 10000000000000000)}"),
        "cut off: the header declares 2 rows of 10000000000000000 classes, but the file has 0 whole rows",
    ),
}  # fmt: skip


@each_case(("data", "message"), WRONG.values())
def test_errors(data: bytes, message: str) -> None:
    assert complaint(data) == message


def test_an_array_in_a_pipe_that_does_not_fit_in_memory() -> None:
    shape = f"(2, {10**18})"
    message = complaint(header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"), piped=True)
    assert message == f"the array of shape {shape} does not fit in memory"


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


def test_no_pickle_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "made"
    objects = np.array([Trap(path), 1], object)
    pickle.loads(pickle.dumps(objects))[0].close()
    path.unlink()  # unpickling does make the file
    for data in (saved(objects), pickle.dumps(objects)):
        complaint(data)
        complaint(data, "npz")
    complaint(zipped(logits=objects), "npz")
    complaint(zipped(logits=np.zeros(2), labels=objects), "npz")
    assert not path.exists()


PLACE = b'{"x":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}'
WHOLE = {
    "npy": saved(numbers((3, 2), "f4")),
    "npz": zipped(logits=numbers((2, 2)), labels=np.array(["a", "b"])),
    "safetensors": struct.pack("<Q", len(PLACE)) + PLACE + numbers((6,), "f2").tobytes(),
    "kld": b"_logits_"
    + struct.pack("<9i", 3, 3, 2, 0, 1, 2, 0, 1, 2)
    + struct.pack("<2f4H", 1e-4, -6, 0, 9, 65535, 0) * 2,
    "printed": b"tensor([[1.5, 2., -inf],\n [3., 4e-1, 7]], device='cuda:0')\n",
}


@pytest.mark.parametrize("format", WHOLE)
def test_any_bytes_are_read_or_refused(format: str) -> None:
    """Any change results in rows that have a softmax, or in one message."""
    random, whole = Random(1), WHOLE[format]
    # zipfile seeks to before the start of the file.
    texts = [whole[:544] + b"\0\0\0\1\0\0"]
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(random.randint(1, 3)):
            data[random.randrange(min(len(data), 400))] = random.randrange(256)
        if random.random() < 0.5:
            data[random.randrange(len(data)) :] = random.randbytes(random.randint(0, 40))
        texts.append(bytes(data))
    for text in texts:
        try:
            blocks = read(text, format, piped=random.random() < 0.5)
        except InputError as error:
            blocks, message = [], str(error)
        else:
            message = "f: "
        assert message.startswith("f:")
        assert all(np.isfinite(block.logits.max(1)).all() for block in blocks)


def test_fortran_order_is_read_from_a_stream_that_cannot_be_mapped() -> None:
    array = numbers((7, 4), "f4", "F")
    blocks = list(FORMATS["npy"].reader()(io.BytesIO(saved(array)), ReadOptions("f")))
    assert np.array_equal(rows(blocks), array)


def test_rows_of_a_mapped_file_do_not_change_with_it(tmp_path: Path) -> None:
    array = numbers((7, 4), "f4", "F")
    (tmp_path / "z.npy").write_bytes(saved(array))
    with (tmp_path / "z.npy").open("r+b") as file:
        [block] = FORMATS["npy"].reader()(file, ReadOptions("f"))
        file.seek(-array.nbytes, io.SEEK_END)
        file.write(bytes(array.nbytes))
        file.flush()
        assert np.array_equal(block.logits, array)
