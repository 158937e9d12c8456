"""Reading the header of a GGUF file, the format of llama.cpp's models: its metadata and the list of its tensors.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The numbers of the tensors are never
read.
"""

import contextlib
import mmap
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from tsoft.errors import InputError, shortened

MAGIC = b"GGUF"
# The value types that have a fixed size, by their number in the file, as characters of struct.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, _ARRAY = 8, 9
_MAX_DIMENSIONS = 4
# An array of settings has a number per layer; longer arrays belong to the vocabulary.
_FEW = 1024


def read_metadata(name: str, prefix: str | tuple[str, ...] = "") -> dict[str, Any]:
    """Return the metadata of a file whose keys start with `prefix`, or with one of several. Other values are skipped,
    and no tensor is read.

    Numbers and booleans are of Python's types, arrays are lists. Raise InputError if the file is not GGUF, or if its
    metadata is incomplete or invalid.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
    ...     key, value = b"general.sampling.top_k", struct.pack("<Ii", 5, 20)
    ...     _ = file.write(MAGIC + struct.pack("<IQQQ", 3, 0, 1, len(key)) + key + value)
    ...     file.flush()
    ...     read_metadata(file.name)
    {'general.sampling.top_k': 20}
    """
    with _opened(name) as (cursor, _):
        return _metadata(cursor.pairs(prefix), name)


@dataclass(frozen=True)
class GgufTensor:
    """A tensor in the list: its dimensions, the fastest-changing one first, and the place of its numbers.

    `kind` is the number of its data type. `offset` is the number of bytes from the start of the tensors' data.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class GgufHeader:
    """The metadata, in which each array is an `GgufArray`, and the tensors. `data_size` is the number of bytes after
    the list of tensors."""

    metadata: dict[str, Any]
    tensors: tuple[GgufTensor, ...]
    data_size: int


@dataclass(frozen=True)
class GgufArray:
    """An array in the metadata: the number of its data type, its length, and its values if these are a few numbers.

    A vocabulary has up to a million strings, which a check does not need to decode.
    """

    kind: int
    length: int
    numbers: tuple[Any, ...] | None


def read_header(name: str) -> GgufHeader:
    """Return the header of a file. Raise InputError if the file is not GGUF, or if its header is not valid."""
    with _opened(name) as (cursor, tensor_count):
        metadata = _metadata(cursor.pairs("", cursor.header_value), name)
        # An entry has at least the lengths of its name and shape, its type and its offset.
        if tensor_count > (len(cursor.content) - cursor.position) // 24:
            raise cursor.truncated()
        tensors = tuple(_tensor(cursor) for _ in range(tensor_count))
        return GgufHeader(metadata, tensors, len(cursor.content) - cursor.position)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[tuple["_Cursor", int]]:
    """Yield a cursor at the metadata of a file, and the number of its tensors."""
    try:
        with open(name, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:4] != MAGIC:
                raise InputError(f"{name}: not a GGUF file: it starts with {content[:4]!r}")
            # The low bytes of a version are 0 only in the other byte order.
            cursor = _Cursor(name, content, ">" if content[4:6] == b"\0\0" else "<", 4)
            version = cursor.scalar("I")
            if version not in (2, 3):
                raise InputError(f"{name}: GGUF version {version}; tsoft reads versions 2 and 3")
            yield cursor, cursor.scalar("Q")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}") from None
    except ValueError:  # an empty file cannot be mapped
        raise InputError(f"{name}: not a GGUF file: the file is empty") from None


def _metadata(pairs: Iterable[tuple[str, Any]], name: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for key, value in pairs:
        if key in metadata:
            raise InputError(f"{name}: the key {shortened(key)!r} is in the metadata twice")
        metadata[key] = value
    return metadata


def _tensor(cursor: "_Cursor") -> GgufTensor:
    name = cursor.string()
    dimensions = cursor.scalar("I")
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise InputError(f"{cursor.name}: the tensor {shortened(name)!r} has {dimensions} dimensions")
    shape = cursor.unpack(f"{dimensions}Q")
    if not 0 < prod(shape) < 1 << 63:
        raise InputError(f"{cursor.name}: the tensor {shortened(name)!r} has the shape {shape}, which is out of range")
    return GgufTensor(name, shape, cursor.scalar("I"), cursor.scalar("Q"))


@dataclass
class _Cursor:
    """A position in the file, which moves over each value that is read or skipped."""

    name: str
    content: mmap.mmap
    order: str
    position: int

    def pairs(
        self, prefix: str | tuple[str, ...], read: Callable[[int], Any] | None = None
    ) -> Iterator[tuple[str, Any]]:
        """Yield the keys that start with `prefix`, and their values, which `read` reads, by default `value`."""
        read = read or self.value
        for _ in range(self.scalar("Q")):
            key = self.string()
            kind = self.scalar("I")
            if key.startswith(prefix):
                yield key, read(kind)
            else:
                self.skip(kind)

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind != _ARRAY:
            return self.scalar(self.format(kind))
        kind, count = self.array_head()
        if kind == STRING:
            return [self.string() for _ in range(count)]
        return list(self.unpack(f"{count}{self.format(kind)}"))

    def header_value(self, kind: int) -> Any:
        """Return a value, or an `GgufArray`."""
        if kind != _ARRAY:
            return self.value(kind)
        start = self.position
        element, length = self.array_head()
        self.position = start
        if element != STRING and length <= _FEW:
            return GgufArray(element, length, tuple(self.value(_ARRAY)))
        self.skip(_ARRAY)
        return GgufArray(element, length, None)

    def skip(self, kind: int) -> None:
        count = 1
        if kind == _ARRAY:
            kind, count = self.array_head()
        if kind == STRING:
            self.skip_strings(count)
        else:
            self.advance(count * struct.calcsize(self.format(kind)))

    def skip_strings(self, count: int) -> None:
        content, position, unpack = self.content, self.position, struct.Struct(self.order + "Q").unpack_from
        for _ in range(count):
            # A position beyond the end fails at the next string, or at the end of the loop.
            if position > len(content) - 8:
                raise self.truncated()
            [size] = unpack(content, position)
            position += 8 + size
        self.advance(position - self.position)

    def array_head(self) -> tuple[int, int]:
        """Return the type and the number of an array's values."""
        kind, count = self.scalar("I"), self.scalar("Q")
        # Each value has at least one byte, so a larger number is wrong.
        if count > len(self.content) - self.position:
            raise self.truncated()
        return kind, count

    def format(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise InputError(f"{self.name}: byte {self.position}: unknown value type {kind} in the GGUF metadata")
        return _SCALARS[kind]

    def string(self) -> str:
        start = self.position + 8
        self.advance(self.scalar("Q"))
        return self.content[start : self.position].decode(errors="replace")

    def scalar(self, format: str) -> Any:
        [value] = self.unpack(format)
        return value

    def unpack(self, format: str) -> tuple[Any, ...]:
        format = self.order + format
        start = self.position
        self.advance(struct.calcsize(format))
        return struct.unpack_from(format, self.content, start)

    def advance(self, size: int) -> None:
        if size > len(self.content) - self.position:
            raise self.truncated()
        self.position += size

    def truncated(self) -> InputError:
        return InputError(
            f"{self.name}: byte {self.position}: the file ends within its GGUF metadata; it is incomplete"
        )
