"""Reading NumPy's .npy: one array, whose last axis is the classes (see numpy.lib.format).

An array in C order is read one block at a time, so memory does not grow with it. An array in Fortran order is stored
column by column: a file is mapped into memory, and a pipe is read into memory as a whole.
"""

import io
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.cores import available_cores
from tsoft.core.softmax import Array, LogitsError, validate_logits
from tsoft.errors import InputError
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions
from tsoft.input.utf8 import kind_of

# Returns the problem with a data type; None if there is no problem.
DtypeCheck = Callable[[np.dtype[Any]], str | None]

# The start of the problem with an array of objects.
PICKLED = "pickled objects, which tsoft never loads since they can run any code"

MAGIC = b"\x93NUMPY"
# numpy's limit: a longer header may crash Python's parser.
LONGEST_HEADER = 10_000
# Python's parser counts its depth for all threads together: two that parse at the same time may raise SystemError, as
# seen in Python 3.11.7.
_PARSING = Lock()
# The approximate size of a block in bytes.
BLOCK = 1 << 22
# For an array of fewer bytes, a thread that reads it costs more time than it saves.
AHEAD = 1 << 24
# Keeping more bytes than this in memory is worth a note.
NOTE_BYTES = 1 << 24


@dataclass(frozen=True)
class NpyHeader:
    """The data type, shape and order of an array. Its last axis is the classes."""

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

    def with_rows(self, options: ReadOptions) -> "NpyHeader":
        """Return the header of an array of one axis with one class per row, if the options say that it is so."""
        is_column = not self.axes and options.reads_column(self.classes)
        return replace(self, shape=(self.classes, 1)) if is_column else self

    def check(self, size: int, source: str) -> None:
        """Raise InputError if the bytes after the header, `size` of them, are not exactly the array."""
        if size > self.size:
            raise InputError(f"{source}: more bytes than the header declares; save several arrays as an .npz")
        if size < self.size:
            rows = size // self.row_bytes
            got = f"{size} of {self.size} bytes" if self.fortran else f"{rows} whole row{'s' * (rows != 1)}"
            classes = f"{self.classes} class{'es' * (self.classes != 1)}"
            expected = f"{self.rows} row{'s' * (self.rows != 1)} of {classes}"
            raise InputError(f"{source}: cut off: the header declares {expected}, but the file has {got}")


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of an array. Raise InputError if the stream is not a complete array of real numbers."""
    header = read_header(stream, options.source).with_rows(options)
    yield from blocks(stream, header, options, _remaining_bytes(stream))


def read_header(stream: BinaryIO, source: str, check: DtypeCheck | None = None) -> NpyHeader:
    """Read a header of any version.

    Raise InputError for a data type in which `check` finds a problem, by default any except real numbers. This refuses
    an array of pickled objects, too, so tsoft never unpickles one.
    """
    start = stream.read(len(MAGIC) + 2)
    if not start:
        raise InputError(f"{source}: no array: the input is empty")
    if start[: len(MAGIC)] != MAGIC[: len(start)]:
        kind = kind_of(start + stream.read(256))
        other = f"this is {kind}" if kind else "not an .npy file; if it is text, pass --input-format text"
        raise InputError(f"{source}: {other}")
    if len(start) == len(MAGIC) + 2 and start[-2] not in (1, 2, 3):
        raise InputError(f"{source}: an .npy file of version {start[-2]}.{start[-1]}; tsoft reads versions 1 to 3")
    width = 2 if start[-2:-1] == b"\1" else 4
    length = stream.read(width)
    size = int.from_bytes(length, "little")
    text = stream.read(min(size, LONGEST_HEADER + 1)) if len(length) == width else b""
    if size > LONGEST_HEADER:
        raise InputError(f"{source}: the header has {size} bytes; the limit is {LONGEST_HEADER}")
    if len(text) < max(size, 1):
        raise InputError(f"{source}: cut off inside the header")
    with warnings.catch_warnings():
        # An invalid header may cause a warning in addition to the exception.
        warnings.simplefilter("ignore")
        header = _parsed_header(text.decode("utf-8" if start[-2] == 3 else "latin-1", "replace"), source)
    check_header(header, source, check)
    return header


def check_header(header: NpyHeader, source: str, check: DtypeCheck | None = None) -> None:
    """Raise InputError for an array without rows or classes, and for a data type in which `check` finds a problem, by
    default any except real numbers."""
    if not header.shape:
        raise InputError(f"{source}: a single number; expected an array whose last axis is the classes")
    if 0 in header.shape:
        raise InputError(
            f"{source}: an array of shape {header.shape} has no {'classes' if header.classes == 0 else 'rows'}"
        )
    if problem := (check or check_real)(header.dtype):
        raise InputError(f"{source}: {problem}")


def _parsed_header(text: str, source: str) -> NpyHeader:
    """Parse the text of a header, a Python dict literal."""
    import ast

    try:
        with _PARSING:
            entries = ast.literal_eval(text.strip())
        shape, fortran, descr = entries["shape"], entries["fortran_order"], entries["descr"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise InputError(f"{source}: invalid .npy header: {text.strip()[:60]!r}") from None
    if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape) and type(fortran) is bool):
        raise InputError(f"{source}: invalid shape or fortran_order in the header: {text.strip()[:60]!r}")
    # Both orders store one row, or one class, in the same way.
    has_order = sum(n > 1 for n in shape) > 1
    return NpyHeader(_dtype(descr, source), shape, fortran and has_order)


def _dtype(descr: Any, source: str) -> np.dtype[Any]:
    try:
        return np.dtype(descr if isinstance(descr, str) else [tuple(field) for field in descr])
    except (TypeError, ValueError, SyntaxError, OverflowError, MemoryError, RecursionError):
        raise InputError(f"{source}: unknown data type in the header: {str(descr)[:40]!r}") from None


def check_real(dtype: np.dtype[Any]) -> str | None:
    """Return the problem with a data type that is not a real number; None if there is no problem."""
    if dtype.hasobject:
        return f"{PICKLED}; save an array of numbers"
    if dtype.names is not None:
        return f"an array of records ({', '.join(dtype.names[:5])}); save one array of numbers"
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        hint = "; if this is bfloat16, save it as float32" if dtype.kind == "V" and dtype.itemsize == 2 else ""
        return f"expected real numbers of at most 64 bits, got {dtype}{hint}"
    return None


def check_text(dtype: np.dtype[Any]) -> str | None:
    """Return the problem with a data type that is not a string; None if there is no problem."""
    if dtype.hasobject:
        return f"{PICKLED}; save numpy.array(labels, dtype=str)"
    return None if dtype.kind in "US" and dtype.itemsize else f"expected strings, got {dtype}"


def blocks(stream: BinaryIO, header: NpyHeader, options: ReadOptions, remaining: int | None) -> Iterator[Block]:
    """Yield the blocks of an array, whose header has been read.

    The array is the rest of the stream. If the number of `remaining` bytes is known, a wrong size raises InputError
    before the first block.
    """
    if remaining is not None:
        header.check(remaining, options.source)
    quantity = options.quantity or "logit"
    first_row = 0
    arrays = _row_arrays(stream, header, options, remaining)
    if remaining is not None and header.size > AHEAD and available_cores() > 1:
        arrays = _ahead(arrays)
    for rows in arrays:
        try:
            numbers = validate_logits(rows)
            logits, labels = options.logits(numbers, QUANTITIES[quantity], None, options.source)
        except LogitsError as error:
            where = f"{options.source}: row {first_row + error.row}"
            column = error.column if header.classes > 1 else 0
            place = "" if error.column is None else f", class #{column}"
            raise InputError(f"{where}{place}: {error.problem}") from None
        is_binary = logits.shape != numbers.shape
        yield Block(logits, labels, first_row, Origin(quantity, header.axes, is_binary=is_binary))
        first_row += len(rows)


def _ahead(arrays: Iterator[Array]) -> Iterator[Array]:
    """Yield the same arrays, each of which a thread reads while the one before it is in use."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, arrays, None)
        while (array := following.result()) is not None:
            following = pool.submit(next, arrays, None)
            yield array


def _row_arrays(stream: BinaryIO, header: NpyHeader, options: ReadOptions, remaining: int | None) -> Iterator[Array]:
    """Yield the rows in pieces of about BLOCK bytes, (rows, classes)."""
    step = max(1, BLOCK // header.row_bytes)
    if header.fortran:
        array = _fortran_array(stream, header, options, remaining)
        for first in range(0, header.rows, step):
            # A copy does not change if the file does. The order of sums depends on that of the memory.
            yield np.array(array[first : first + step], order="C")
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
    """Return all rows of an array in Fortran order, (rows, classes). A file with a 2-D array is mapped into memory; any
    other array is read into memory."""
    if remaining is not None and len(header.shape) == 2:
        start = stream.tell()
        try:
            return np.memmap(stream, header.dtype, "r", start, header.shape, "F")
        except (OSError, ValueError):
            # The stream is not a file that can be mapped.
            stream.seek(start)
    if header.size > NOTE_BYTES:
        fix = "" if len(header.shape) > 2 else "; -i FILE avoids this"
        problem = f"the array is in Fortran order, so tsoft keeps all {header.size / 1e6:.0f} MB in memory"
        options.note(f"{options.source}: {problem}{fix}")
    flat = _empty((header.size // header.dtype.itemsize,), header, options.source)
    read_bytes = _read_into(stream, flat)
    if read_bytes < flat.nbytes or (remaining is None and stream.read(1)):
        header.check(read_bytes if read_bytes < flat.nbytes else read_bytes + 1, options.source)
    return flat.reshape(header.shape, order="F").reshape(-1, header.classes)


def _empty(shape: tuple[int, ...], header: NpyHeader, source: str) -> Array:
    try:
        return np.empty(shape, header.dtype)
    except (MemoryError, ValueError, OverflowError):
        raise InputError(f"{source}: the array of shape {header.shape} does not fit in memory") from None


def _read_into(stream: BinaryIO, array: Array) -> int:
    """Fill a C-ordered array from the stream, and return the number of bytes read."""
    view = array.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < len(view) and (more := stream.readinto(view[filled:])):  # type: ignore[attr-defined]
        filled += more
    return filled


def _remaining_bytes(stream: BinaryIO) -> int | None:
    """Return the number of bytes that remain in the stream; None if it is not a file."""
    if not stream.seekable():
        return None
    position = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(position)
    return end - position
