"""Reading the metadata of a GGUF file, the format of llama.cpp's models. The tensors are never read."""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tsoft.errors import InputError, shortened

MAGIC = b"GGUF"
# The value types that have a fixed size, by their number in the file, as characters of struct.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def read_metadata(name: str, prefix: str = "") -> dict[str, Any]:
    """Return the metadata of a file whose keys start with `prefix`. Other values are skipped, and no tensor is read.

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
    try:
        with open(name, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _metadata(name, content, prefix)
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}") from None
    except ValueError:  # an empty file cannot be mapped
        raise InputError(f"{name}: not a GGUF file: the file is empty") from None


def _metadata(name: str, content: mmap.mmap, prefix: str) -> dict[str, Any]:
    if content[:4] != MAGIC:
        raise InputError(f"{name}: not a GGUF file: it starts with {content[:4]!r}")
    # The low bytes of a version are 0 only in the other byte order.
    order = ">" if content[4:6] == b"\0\0" else "<"
    cursor = _Cursor(name, content, order, 4)
    version = cursor.scalar("I")
    if version not in (2, 3):
        raise InputError(f"{name}: GGUF version {version}; tsoft reads versions 2 and 3")
    cursor.scalar("Q")  # the number of tensors
    metadata: dict[str, Any] = {}
    for key, value in cursor.pairs(prefix):
        if key in metadata:
            raise InputError(f"{name}: the key {shortened(key)!r} is in the metadata twice")
        metadata[key] = value
    return metadata


@dataclass
class _Cursor:
    """A position in the file, which moves over each value that is read or skipped."""

    name: str
    content: mmap.mmap
    order: str
    position: int

    def pairs(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Yield the keys that start with `prefix`, and their values."""
        for _ in range(self.scalar("Q")):
            key = self.string()
            kind = self.scalar("I")
            if key.startswith(prefix):
                yield key, self.value(kind)
            else:
                self.skip(kind)

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.scalar(self.format(kind))
        kind, count = self.array_head()
        if kind == _STRING:
            return [self.string() for _ in range(count)]
        return list(self.unpack(f"{count}{self.format(kind)}"))

    def skip(self, kind: int) -> None:
        count = 1
        if kind == _ARRAY:
            kind, count = self.array_head()
        if kind != _STRING:
            self.advance(count * struct.calcsize(self.format(kind)))
            return
        for _ in range(count):
            self.advance(self.scalar("Q"))

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
