"""NumPy's .npy: one array, whose last axis is the classes (see numpy.lib.format).

An array in C order is read a block at a time, so that memory does not grow with it. An array in Fortran order is
stored column by column: a file is mapped into memory, and input from a pipe is held in memory.
"""

import io
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError, validate_logits
from tsoft.errors import InputError
from tsoft.input.quantity import QUANTITIES, to_logits
from tsoft.input.read_options import ReadOptions

# Returns the problem with a data type; None if it has no problem.
DtypeCheck = Callable[[np.dtype[Any]], str | None]

MAGIC = b"\x93NUMPY"
# numpy's own limit: a longer header may crash Python's parser.
LONGEST_HEADER = 10_000
# The approximate bytes of a block.
BLOCK = 1 << 22
# Holding more bytes than this in memory is worth a note.
MUCH = 1 << 24


@dataclass(frozen=True)
class NpyHeader:
    """The data type, shape and order of an array, whose last axis is the classes."""

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
        """The bytes of the array."""
        return self.rows * self.row_bytes

    def check(self, size: int, source: str) -> None:
        """Raises InputError if the `size` of the bytes after the header is not that of the array."""
        if size > self.size:
            more = "more follows the array that the header promises; several arrays go in an .npz"
            raise InputError(f"{source}: {more}")
        if size < self.size:
            rows = f"{size} of {self.size} bytes are" if self.fortran else f"{size // self.row_bytes} whole rows are"
            promise = f"the header promises {self.rows} rows of {self.classes} classes"
            raise InputError(f"{source}: it is cut off: {rows} there, {promise}")


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """The blocks of an array. Raises InputError for what is not a whole array of real numbers."""
    header = read_header(stream, options.source)
    yield from blocks(stream, header, options, _remaining_bytes(stream))


def read_header(stream: BinaryIO, source: str, check: DtypeCheck | None = None) -> NpyHeader:
    """The header, of any version. Raises InputError for a data type that `check` has a problem with, by default one
    that is not of real numbers. An array of pickled objects, too, is refused here, and so never unpickled."""
    start = stream.read(len(MAGIC) + 2)
    if start[: len(MAGIC)] != MAGIC[: len(start)] or not start:
        raise InputError(f"{source}: not an .npy file: it does not begin as one")
    if len(start) == len(MAGIC) + 2 and start[-2] not in (1, 2, 3):
        raise InputError(f"{source}: an .npy file of version {start[-2]}.{start[-1]}; 1 to 3 are known")
    width = 2 if start[-2:-1] == b"\1" else 4
    length = stream.read(width)
    size = int.from_bytes(length, "little")
    text = stream.read(min(size, LONGEST_HEADER + 1)) if len(length) == width else b""
    if size > LONGEST_HEADER:
        raise InputError(f"{source}: the header is {size} bytes long, more than {LONGEST_HEADER}")
    if len(text) < max(size, 1):
        raise InputError(f"{source}: it is cut off in its header")
    with warnings.catch_warnings():
        # A header that is no literal, or no data type, may also cause a warning.
        warnings.simplefilter("ignore")
        header = _parsed_header(text.decode("utf-8" if start[-2] == 3 else "latin-1", "replace"), source)
    if problem := (check or check_real)(header.dtype):
        raise InputError(f"{source}: {problem}")
    return header


def _parsed_header(text: str, source: str) -> NpyHeader:
    """The header in this text, a Python dict literal."""
    import ast

    try:
        entries = ast.literal_eval(text.strip())
        shape, fortran, descr = entries["shape"], entries["fortran_order"], entries["descr"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise InputError(f"{source}: the header is not an array's: {text.strip()[:60]!r}") from None
    if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape) and type(fortran) is bool):
        raise InputError(f"{source}: the header gives no shape and order: {text.strip()[:60]!r}")
    if not shape:
        raise InputError(f"{source}: a single number; logits need an axis of classes")
    if 0 in shape:
        raise InputError(f"{source}: an array of shape {shape} has no {'classes' if shape[-1] == 0 else 'rows'}")
    # One row or one class is stored in the same way in either order.
    has_order = sum(n > 1 for n in shape) > 1
    return NpyHeader(_dtype(descr, source), shape, fortran and has_order)


def _dtype(descr: Any, source: str) -> np.dtype[Any]:
    try:
        return np.dtype(descr if isinstance(descr, str) else [tuple(field) for field in descr])
    except (TypeError, ValueError, SyntaxError, OverflowError, MemoryError, RecursionError):
        raise InputError(f"{source}: the header names no type of numbers: {str(descr)[:40]!r}") from None


def check_real(dtype: np.dtype[Any]) -> str | None:
    """The problem with a data type that is not of real numbers."""
    if dtype.hasobject:
        return "an array of pickled objects, which are never read: they could run anything"
    if dtype.names is not None:
        return f"an array of records ({', '.join(dtype.names[:5])}), not of numbers"
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        hint = "; bfloat16 is saved so: save it as float32" if dtype.kind == "V" and dtype.itemsize == 2 else ""
        return f"an array of {dtype}, not of real numbers of up to 64 bits{hint}"
    return None


def check_text(dtype: np.dtype[Any]) -> str | None:
    """The problem with a data type that is not of texts."""
    if dtype.hasobject:
        return "an array of pickled objects, which are never read; save it as numpy.array(labels, dtype=str)"
    return None if dtype.kind in "US" and dtype.itemsize else f"an array of {dtype}, not of texts"


def blocks(stream: BinaryIO, header: NpyHeader, options: ReadOptions, remaining: int | None) -> Iterator[Block]:
    """The blocks of the array that follows its header, at the end of the stream. If the number of `remaining` bytes is
    known, a size that does not match is an error before the first block."""
    if remaining is not None:
        header.check(remaining, options.source)
    labels = options.class_labels(None, header.classes, options.source)
    quantity = options.quantity or "logit"
    first_row = 0
    for rows in _row_arrays(stream, header, options, remaining):
        try:
            logits = to_logits(validate_logits(rows), QUANTITIES[quantity])
        except LogitsError as error:
            where = f"{options.source}: row {first_row + error.row}"
            place = "" if error.column is None else f", class #{error.column}"
            raise InputError(f"{where}{place}: {error.problem}") from None
        yield Block(logits, labels, first_row, Origin(quantity, header.axes))
        first_row += len(rows)


def _row_arrays(stream: BinaryIO, header: NpyHeader, options: ReadOptions, remaining: int | None) -> Iterator[Array]:
    """The rows in pieces of about BLOCK bytes: (rows, classes)."""
    step = max(1, BLOCK // header.row_bytes)
    if header.fortran:
        array = _fortran_array(stream, header, options, remaining)
        for first in range(0, header.rows, step):
            # A copy in the same order, which does not change where the file does.
            yield np.array(array[first : first + step])
        return
    for first in range(0, header.rows, step):
        rows = _empty((min(step, header.rows - first), header.classes), header, options.source)
        read_bytes = _read_into(stream, rows)
        if read_bytes < rows.nbytes:
            header.check(first * header.row_bytes + read_bytes, options.source)
        if remaining is None and first + step >= header.rows and stream.read(1):
            header.check(header.size + 1, options.source)
        yield rows


def _fortran_array(stream: BinaryIO, header: NpyHeader, options: ReadOptions, remaining: int | None) -> Array:
    """All rows of an array in Fortran order: (rows, classes). Two axes of a file are mapped into memory; other
    arrays are held in it."""
    if remaining is not None and len(header.shape) == 2:
        start = stream.tell()
        try:
            return np.memmap(stream, header.dtype, "r", start, header.shape, "F")
        except (OSError, ValueError):
            # The stream is no file that can be mapped.
            stream.seek(start)
    if header.size > MUCH:
        hint = "" if len(header.shape) > 2 else "; from a file (-i) it is not"
        options.note(f"{options.source}: an array in Fortran order is held in memory, {header.size / 1e6:.0f} MB{hint}")
    flat = _empty((header.size // header.dtype.itemsize,), header, options.source)
    read_bytes = _read_into(stream, flat)
    if read_bytes < flat.nbytes or (remaining is None and stream.read(1)):
        header.check(read_bytes if read_bytes < flat.nbytes else read_bytes + 1, options.source)
    return flat.reshape(header.shape, order="F").reshape(-1, header.classes)


def _empty(shape: tuple[int, ...], header: NpyHeader, source: str) -> Array:
    try:
        return np.empty(shape, header.dtype)
    except (MemoryError, ValueError, OverflowError):
        raise InputError(f"{source}: an array of shape {header.shape} does not fit in memory") from None


def _read_into(stream: BinaryIO, array: Array) -> int:
    """Fills a C-ordered array from the stream. Returns the number of bytes that were read."""
    view = array.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < len(view) and (more := stream.readinto(view[filled:])):  # type: ignore[attr-defined]
        filled += more
    return filled


def _remaining_bytes(stream: BinaryIO) -> int | None:
    """How many bytes follow in the stream; None if it is not a file."""
    if not stream.seekable():
        return None
    position = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(position)
    return end - position
