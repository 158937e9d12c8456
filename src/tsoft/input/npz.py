"""Reading NumPy's .npz: a zip file of .npy arrays, one of numbers, and optionally others of labels and targets."""

import contextlib
import errno
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input import npy
from tsoft.input.limits import read_at_most
from tsoft.input.named_arrays import IDS, LABELS, read_arrays
from tsoft.input.read_options import ReadOptions
from tsoft.input.streams import seekable
from tsoft.input.utf8 import kind_of

# An array that unpacks to more than SMALL_ARRAY bytes, and to more than LARGEST_RATIO times its packed size, may be a
# zip bomb.
SMALL_ARRAY, LARGEST_RATIO = 1 << 28, 64
# The first bytes of a zip file.
_ZIP = b"PK"
# Other programs' zip files, by a part of a member's name.
_ZIP_KINDS = {
    "data.pkl": "a PyTorch file; pass --input-format torch",
    "xl/": "an Excel workbook; save the sheet as CSV",
}
_OTHER_ZIP = "a zip file without .npy arrays; save the arrays with numpy.savez"
# The endings of the names of two arrays that contain strings.
UTF8, ENDS = "_utf8", "_ends"
# The exceptions of zipfile for a damaged or unsupported file.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of one of the arrays, with the file's labels. Raise InputError."""
    with opened(stream, options) as file:
        yield from read_arrays(file, options)


@contextlib.contextmanager
def opened(stream: BinaryIO, options: ReadOptions) -> Iterator["Npz"]:
    """Open the archive in a stream. Turns an error of zipfile inside the context into an InputError."""
    file = seekable(stream, options.source, "a piped .npz", options.note)
    try:
        with zipfile.ZipFile(file) as archive:
            yield Npz(archive, _members(archive, options.source), options.source)
    except (*BROKEN, OSError) as error:
        # A wrong offset in the zip file makes zipfile seek to before the start of the file.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise InputError(f"{options.source}: {_broken(file, error)}") from None


@dataclass(frozen=True)
class Npz:
    """The arrays of an .npz, by their names."""

    archive: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]
    source: str

    @property
    def names(self) -> list[str]:
        packed = {name + suffix for name in self._packed for suffix in (UTF8, ENDS)}
        return [*(name for name in self.members if name not in packed), *self._packed]

    @property
    def _packed(self) -> list[str]:
        """The names of lists of strings that are stored as two arrays, of their UTF-8 bytes and of their ends."""
        return [
            name
            for name in (LABELS, *IDS)
            if name not in self.members and {name + UTF8, name + ENDS} <= self.members.keys()
        ]

    @cached_property
    def texts(self) -> Mapping[str, list[str]]:
        return {name: self._unpacked(name) for name in self._packed}

    def _unpacked(self, name: str) -> list[str]:
        """Return the strings that two arrays contain. Raise InputError if the arrays do not fit each other."""
        data, ends = (self._vector(name + suffix, dtype) for suffix, dtype in ((UTF8, np.uint8), (ENDS, np.int64)))
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
        if (starts > ends).any() or ends[-1] != len(data):
            problem = f"expected ends that do not decrease and stop at {len(data)}, the size of {name}{UTF8}"
            raise InputError(f"{self.source}: {name}{ENDS}: {problem}")
        try:
            return [data[start:end].tobytes().decode() for start, end in zip(starts, ends, strict=True)]
        except UnicodeDecodeError:
            raise InputError(f"{self.source}: {name}{UTF8}: not UTF-8 text, or an end inside a character") from None

    def _vector(self, name: str, dtype: type[np.generic]) -> Array:
        """Return an array with one axis. Raise InputError if it has another data type."""

        def check(got: np.dtype[Any]) -> str | None:
            return None if got == dtype else f"expected {dtype.__name__}, got {got}"

        with self.open(name, f"{self.source}: {name}", check) as (header, stream):
            data = read_at_most(stream, header.size + 1)
        header.check(len(data), f"{self.source}: {name}")
        return np.frombuffer(data, header.dtype)

    @contextlib.contextmanager
    def open(
        self, name: str, source: str, check: npy.DtypeCheck | None = None
    ) -> Iterator[tuple[npy.NpyHeader, BinaryIO]]:
        info = self.members[name]
        with _open(self.archive, info, source) as member:
            header = npy.read_header(member, source, check)
            # This only checks the zip file's entry; the bytes themselves are counted while they are read.
            header.check(info.file_size - member.tell(), source)
            yield header, member


def _broken(file: BinaryIO, error: Exception) -> str:
    """Return the problem with a file that zipfile cannot read."""
    file.seek(0)
    head = file.read(16)
    if not head:
        return "no array: the input is empty"
    if _ZIP.startswith(head[: len(_ZIP)]):
        reason = "its end is missing" if "not a zip file" in str(error) else error or type(error).__name__
        return f"not a complete .npz file: {reason}"
    kind = kind_of(head)
    return f"this is {kind}" if kind else "not an .npz file; if it is text, pass --input-format text"


def _members(archive: zipfile.ZipFile, source: str) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays of the archive by their names. Raise InputError if all members are something else."""
    names = archive.namelist()
    if names and not any(name.endswith(".npy") for name in names):
        problem = next((kind for part, kind in _ZIP_KINDS.items() if any(part in name for name in names)), _OTHER_ZIP)
        raise InputError(f"{source}: this is {problem}")
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> BinaryIO:
    """Open a member. Raise InputError if it unpacks to suspiciously many bytes."""
    if info.file_size > max(SMALL_ARRAY, LARGEST_RATIO * info.compress_size):
        size = f"{info.compress_size} bytes unpack to {info.file_size / 1e9:.1f} GB"
        raise InputError(f"{source}: {size}, like a zip bomb; if you trust the file, unzip it and read the .npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{source}: unsupported compression; save the file with numpy.savez_compressed")
    return archive.open(info)  # type: ignore[return-value]
