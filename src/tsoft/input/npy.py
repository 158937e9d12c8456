"""NumPy's .npy, in and out: one array, whose last axis is the classes (see numpy.lib.format).

It goes through a block at a time, so that memory does not grow with it. An array in Fortran order
lies there column by column: its rows are gathered from a file, and put into one, a strip of each
column at a time.
"""

import io
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array, LogitsError, as_logits
from tsoft.errors import InputError
from tsoft.input.quantity import QUANTITIES, to_logits
from tsoft.input.reading import Reading

# What is wrong with a type of numbers, if something is.
Check = Callable[[np.dtype[Any]], str | None]

MAGIC = b"\x93NUMPY"
# numpy's own bound: a longer header may take Python's parser down.
LONGEST = 10_000
# A block has about so many bytes; one in Fortran order more, since each of its columns is a read.
BLOCK, STRIPS = 1 << 22, 1 << 25
# To hold this much in memory is worth a word.
MUCH = 1 << 24


@dataclass(frozen=True)
class Header:
    """What an .npy says of its array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of the rows."""
        return self.shape[:-1]

    @property
    def classes(self) -> int:
        return self.shape[-1]

    @property
    def rows(self) -> int:
        return math.prod(self.axes)

    @property
    def row_bytes(self) -> int:
        return self.classes * self.dtype.itemsize

    @property
    def size(self) -> int:
        return self.rows * self.row_bytes

    def check(self, size: int, source: str) -> None:
        """Raises InputError where not as many bytes follow the header as it promises."""
        if size > self.size:
            more = "more follows the array that the header promises; several arrays go in an .npz"
            raise InputError(f"{source}: {more}")
        if size < self.size:
            there = 0 if self.fortran else size // self.row_bytes
            rows = f"{size} of {self.size} bytes are" if self.fortran else f"{there} whole rows are"
            promise = f"the header promises {self.rows} rows of {self.classes} classes"
            raise InputError(f"{source}: it is cut off: {rows} there, {promise}")


def read(stream: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The blocks of an array. Raises InputError for what is no array of real numbers, or not whole."""
    header = read_header(stream, reading.source)
    yield from blocks(stream, header, reading, _bytes_left(stream))


def read_header(stream: BinaryIO, source: str, check: Check | None = None) -> Header:
    """The header, of any version. A pickle is refused by it, and so never read. `check` says what is
    wrong with a type, None for nothing; by default it takes real numbers."""
    start = stream.read(len(MAGIC) + 2)
    if start[: len(MAGIC)] != MAGIC[: len(start)] or not start:
        raise InputError(f"{source}: not an .npy file: it does not begin as one")
    if len(start) == len(MAGIC) + 2 and start[-2] not in (1, 2, 3):
        raise InputError(f"{source}: an .npy file of version {start[-2]}.{start[-1]}; 1 to 3 are known")
    width = 2 if start[-2:-1] == b"\1" else 4
    length = stream.read(width)
    size = int.from_bytes(length, "little")
    text = stream.read(min(size, LONGEST + 1)) if len(length) == width else b""
    if size > LONGEST:
        raise InputError(f"{source}: the header is {size} bytes long, more than {LONGEST}")
    if len(text) < max(size, 1):
        raise InputError(f"{source}: it is cut off in its header")
    header = _parsed(text.decode("utf-8" if start[-2] == 3 else "latin-1", "replace"), source)
    if problem := (check or real)(header.dtype):
        raise InputError(f"{source}: {problem}")
    return header


def _parsed(text: str, source: str) -> Header:
    """The header that is written so, as a dict in Python."""
    import ast

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = ast.literal_eval(text.strip())
        shape, fortran, descr = said["shape"], said["fortran_order"], said["descr"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise InputError(f"{source}: the header is not an array's: {text.strip()[:60]!r}") from None
    if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape) and type(fortran) is bool):
        raise InputError(f"{source}: the header gives no shape and order: {text.strip()[:60]!r}")
    if not shape:
        raise InputError(f"{source}: a single number; logits need an axis of classes")
    if 0 in shape:
        raise InputError(f"{source}: an array of shape {shape} has no {'classes' if shape[-1] == 0 else 'rows'}")
    # What has one row or one class lies the same in either order.
    either = sum(n > 1 for n in shape) < 2
    return Header(_dtype(descr, source), shape, fortran and not either)


def _dtype(descr: Any, source: str) -> np.dtype[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.dtype(descr if isinstance(descr, str) else [tuple(field) for field in descr])
    except (TypeError, ValueError, SyntaxError, OverflowError, MemoryError, RecursionError):
        raise InputError(f"{source}: the header names no type of numbers: {str(descr)[:40]!r}") from None


def real(dtype: np.dtype[Any]) -> str | None:
    """What is wrong with a type, unless it is of real numbers."""
    if dtype.hasobject:
        return "an array of pickled objects, which are never read: they could run anything"
    if dtype.names is not None:
        return f"an array of records ({', '.join(dtype.names[:5])}), not of numbers"
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        hint = "; bfloat16 is saved so: save it as float32" if dtype.kind == "V" and dtype.itemsize == 2 else ""
        return f"an array of {dtype}, not of real numbers of up to 64 bits{hint}"
    return None


def texts(dtype: np.dtype[Any]) -> str | None:
    """What is wrong with a type, unless it is of texts."""
    if dtype.hasobject:
        return "an array of pickled objects, which are never read; save it as numpy.array(labels, dtype=str)"
    return None if dtype.kind in "US" and dtype.itemsize else f"an array of {dtype}, not of texts"


def blocks(stream: BinaryIO, header: Header, reading: Reading, left: int | None) -> Iterator[Block]:
    """The blocks of the array that follows its header in the stream, with its last byte last. `left` is
    how many bytes follow, where that is known: then what is missing is missed before the first block."""
    if left is not None:
        header.check(left, reading.source)
    try:
        labels = reading.labels.matching(header.classes) if reading.labels else None
    except ValueError as error:
        raise InputError(f"{reading.source}: {error}") from None
    quantity = reading.quantity or "logit"
    first = 0
    for rows in _arrays(stream, header, reading, left):
        try:
            logits = to_logits(as_logits(rows), QUANTITIES[quantity])
        except LogitsError as error:
            where = f"{reading.source}: row {first + error.row}"
            at = "" if error.column is None else f", class #{error.column}"
            raise InputError(f"{where}{at}: {error.problem}") from None
        by_columns = header.fortran and len(header.shape) == 2
        yield Block(logits, labels, first, quantity=quantity, axes=header.axes, by_columns=by_columns)
        first += len(rows)


def _arrays(stream: BinaryIO, header: Header, reading: Reading, left: int | None) -> Iterator[Array]:
    """The rows, so many at a time."""
    if not header.fortran:
        return _rows(stream, header, reading.source, left)
    if left is not None and len(header.shape) == 2 and stream.seekable():
        return _from_strips(stream, header, reading.source)
    return _held(stream, header, reading, left)


def _rows(stream: BinaryIO, header: Header, source: str, left: int | None) -> Iterator[Array]:
    step = max(1, BLOCK // header.row_bytes)
    for first in range(0, header.rows, step):
        rows = _empty((min(step, header.rows - first), header.classes), header, source)
        got = _read_into(stream, _bytes(rows))
        if got < rows.nbytes:
            header.check(first * header.row_bytes + got, source)
        if left is None and first + step >= header.rows and stream.read(1):
            header.check(header.size + 1, source)
        yield rows


def _held(stream: BinaryIO, header: Header, reading: Reading, left: int | None) -> Iterator[Array]:
    """Rows of what lies column by column and comes in that order: all of it is held."""
    if header.size > MUCH:
        mend = "" if len(header.shape) > 2 else "; from a file (-i) it is not"
        reading.note(f"{reading.source}: an array in Fortran order is held in memory, {header.size / 1e6:.0f} MB{mend}")
    flat = _empty((header.size // header.dtype.itemsize,), header, reading.source)
    got = _read_into(stream, _bytes(flat))
    if got < flat.nbytes or (left is None and stream.read(1)):
        header.check(got if got < flat.nbytes else got + 1, reading.source)
    array = flat.reshape(header.shape, order="F").reshape(-1, header.classes)
    step = max(1, BLOCK // header.row_bytes)
    for first in range(0, header.rows, step):
        yield array[first : first + step]


def _from_strips(stream: BinaryIO, header: Header, source: str) -> Iterator[Array]:
    """Rows of a file that lies column by column: a strip of each column makes some rows."""
    start, item, total = stream.tell(), header.dtype.itemsize, header.rows
    raw = getattr(stream, "raw", stream)
    step = max(1, STRIPS // header.row_bytes)
    for first in range(0, total, step):
        strips = _empty((header.classes, min(step, total - first)), header, source)
        view, width = _bytes(strips), strips.shape[1] * item
        for column in range(header.classes):
            place = (column * total + first) * item
            raw.seek(start + place)
            if (got := _read_into(raw, view[column * width : (column + 1) * width])) < width:
                header.check(place + got, source)
        yield strips.T


def _empty(shape: tuple[int, ...], header: Header, source: str) -> Array:
    try:
        return np.empty(shape, header.dtype)
    except (MemoryError, ValueError, OverflowError):
        raise InputError(f"{source}: an array of shape {header.shape} does not fit in memory") from None


def _read_into(stream: BinaryIO, view: memoryview) -> int:
    """Fills the memory; how many bytes there were for it."""
    got = 0
    while got < len(view) and (more := stream.readinto(view[got:])):  # type: ignore[attr-defined]
        got += more
    return got


def _bytes_left(stream: BinaryIO) -> int | None:
    """How many bytes follow, where the stream is a file."""
    if not stream.seekable():
        return None
    here = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(here)
    return end - here


def _bytes(array: Array) -> memoryview:
    """The memory of an array in C order."""
    return array.reshape(-1).view(np.uint8).data
