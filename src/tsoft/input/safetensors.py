"""Reading safetensors: a header in JSON with the place of each array, then the bytes of the arrays.

The layout is that of https://github.com/huggingface/safetensors#format. The library of that name reads neither from a
pipe nor bfloat16 without torch, so tsoft reads the arrays itself, one block at a time.
"""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.errors import InputError
from tsoft.input import npy
from tsoft.input.named_arrays import IDS, LABELS, read_arrays
from tsoft.input.read_options import ReadOptions
from tsoft.input.streams import seekable
from tsoft.input.utf8 import kind_of

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BOOL": "?",
    **{f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
}
_BFLOAT16 = "BF16"
_METADATA = "__metadata__"
# The limit of the library.
LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Tensor:
    """The place of an array: its data type in the words of the format, its shape, and its bytes in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True)
class Safetensors:
    """The arrays of a file by their names, and those of strings in the metadata."""

    stream: BinaryIO
    tensors: Mapping[str, Tensor]
    texts: Mapping[str, list[str]]

    @property
    def names(self) -> list[str]:
        return [*self.tensors, *self.texts]

    @contextmanager
    def open(
        self, name: str, source: str, check: npy.DtypeCheck | None = None
    ) -> Iterator[tuple[npy.NpyHeader, BinaryIO]]:
        tensor = self.tensors[name]
        is_bfloat = tensor.dtype == _BFLOAT16
        dtype = "<f4" if is_bfloat else _DTYPES.get(tensor.dtype)
        if dtype is None:
            raise InputError(f"{source}: expected real numbers of 8 to 64 bits, got {tensor.dtype}; save it as float32")
        header = npy.NpyHeader(np.dtype(dtype), tensor.shape, fortran=False)
        npy.check_header(header, source, check)
        header.check(tensor.size * 2 if is_bfloat else tensor.size, source)
        part = _Part(self.stream, tensor.start, tensor.size)
        yield header, io.BufferedReader(_Widened(part) if is_bfloat else part)


class _Part(io.RawIOBase):
    """Some of the bytes of a stream."""

    def __init__(self, stream: BinaryIO, start: int, size: int):
        self._stream, self._next, self._stop = stream, start, start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # Other parts of the stream may be read in between.
        self._stream.seek(self._next)
        data = self._stream.read(min(len(buffer), self._stop - self._next))
        self._next += len(data)
        buffer[: len(data)] = data
        return len(data)


class _Widened(io.RawIOBase):
    """A stream of bfloat16 numbers as float32, which has the same bits and 16 zeros."""

    def __init__(self, stream: io.RawIOBase):
        self._stream = io.BufferedReader(stream)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            halves = np.frombuffer(self._stream.read(2 * max(1, len(buffer) // 4)), "<u2")
            self._rest = (halves.astype("<u4") << 16).tobytes()
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of one of the arrays, with the labels in the metadata. Raise InputError."""
    yield from read_arrays(opened(stream, options), options)


def opened(stream: BinaryIO, options: ReadOptions) -> Safetensors:
    """Return the arrays in a stream. Raise InputError if it is not a complete safetensors file."""
    source = options.source
    file = seekable(stream, source, "a piped safetensors file", options.note)
    start = file.read(8)
    size = int.from_bytes(start, "little")
    if not start:
        raise InputError(f"{source}: no array: the input is empty")
    if len(start) < 8 or size > LONGEST_HEADER:
        head = start + file.read(256)
        if head[4:9] == b"\0\0\0\0{":
            raise InputError(f"{source}: the header has {size} bytes; the limit is {LONGEST_HEADER}")
        kind = kind_of(head)
        raise InputError(f"{source}: {f'this is {kind}' if kind else 'not a safetensors file'}")
    text = file.read(size)
    if len(text) < size:
        raise InputError(f"{source}: cut off inside the header")
    try:
        header = json.loads(text)
        metadata = header.pop(_METADATA, None) or {}
        tensors = {name: _tensor(entry, 8 + size) for name, entry in header.items()}
        texts = {name: values for name in (LABELS, *IDS) if (values := _texts(metadata.get(name))) is not None}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError(f"{source}: not a safetensors file: invalid header {text[:60]!r}") from None
    end = max((tensor.start + tensor.size for tensor in tensors.values()), default=8 + size)
    length = file.seek(0, io.SEEK_END)
    if length != end:
        problem = "cut off" if length < end else "more bytes than the header declares"
        raise InputError(f"{source}: {problem}: the header declares {end} bytes, but the file has {length}")
    return Safetensors(file, tensors, {name: values for name, values in texts.items() if name not in tensors})


def _tensor(entry: Any, data: int) -> Tensor:
    """Return the place of an array, from its entry in the header of a file whose data starts at that byte."""
    (first, stop), shape, dtype = entry["data_offsets"], tuple(entry["shape"]), entry["dtype"]
    if not all(type(n) is int and n >= 0 for n in (first, stop, *shape)) or first > stop or type(dtype) is not str:
        raise ValueError
    return Tensor(dtype, shape, data + first, stop - first)


def _texts(text: str | None) -> list[str] | None:
    """Return the list of strings that a text in the metadata contains as JSON; None for any other text.

    >>> _texts('["cat", "dog"]')
    ['cat', 'dog']
    """
    try:
        values = json.loads(text or "")
    except ValueError:
        return None
    is_list = isinstance(values, list) and bool(values)
    return values if is_list and {str} == {*map(type, values)} else None
