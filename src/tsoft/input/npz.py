"""Reading NumPy's .npz: a zip file of .npy arrays, one of numbers, and optionally others of labels and targets."""

import contextlib
import errno
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, unknown
from tsoft.input import npy
from tsoft.input.class_lookup import ClassLookup
from tsoft.input.labels import Labels
from tsoft.input.quantity import ARRAY_QUANTITIES, contradiction
from tsoft.input.read_options import ReadOptions
from tsoft.input.targets import Targets, check_dtype, parse_array
from tsoft.input.utf8 import kind_of

LABELS, TAUS, TARGETS = "labels", "taus", "targets"
# An array that unpacks to more than SMALL_ARRAY bytes, and to more than LARGEST_RATIO times its packed size, may be a
# zip bomb.
SMALL_ARRAY, LARGEST_RATIO = 1 << 28, 64
# A zip file lists its members at the end, so a piped one is kept in memory, up to this many bytes.
LONGEST_PIPED = 1 << 32
# The first bytes of a zip file.
_ZIP = b"PK"
# Other programs' zip files, by a part of a member's name.
_ZIP_KINDS = {
    "data.pkl": "a PyTorch file, which tsoft never loads; save the array with numpy.save(FILE, tensor.numpy())",
    "xl/": "an Excel workbook; save the sheet as CSV",
}
_OTHER_ZIP = "a zip file without .npy arrays; save the arrays with numpy.savez"
# The exceptions of zipfile for a damaged or unsupported file.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of one of the arrays, with the file's labels. Raise InputError."""
    source = options.source
    with _opened(stream, options) as archive:
        members = _members(archive, source)
        key = _array_key(list(members), options)
        options = replace(options, quantity=_quantity(key, options))
        targets_key = _targets_key(archive, members, source)
        if targets_key == LABELS != key and not options.targets:
            reason = "it contains numbers, which are the true classes of the rows, not class names"
            options.note(f"{source}: tsoft ignores the array {LABELS}: {reason}")
        has_labels = LABELS in members and LABELS not in (key, targets_key)
        labels = _labels(archive, members[LABELS], source) if has_labels else None
        if labels and options.labels:
            raise InputError(f"{source}: the input already names the classes; remove --labels")
        blocks = _blocks(archive, members[key], replace(options, source=f"{source}: {key}"), labels)
        if targets_key and options.targets:
            blocks = _with_targets(blocks, archive, members[targets_key], f"{source}: {targets_key}")
        yield from blocks


def read_targets(stream: BinaryIO, source: str) -> Targets:
    """Return the true classes in a file. Raise InputError if it has none."""
    with _opened(stream, ReadOptions(source)) as archive:
        members = _members(archive, source)
        key = _targets_key(archive, members, source)
        if key is None:
            raise InputError(f"{source}: no array is called {TARGETS!r}; {_listed(list(members))}")
        return _targets(archive, members[key], f"{source}: {key}")


@contextlib.contextmanager
def _opened(stream: BinaryIO, options: ReadOptions) -> Iterator[zipfile.ZipFile]:
    """Open the archive in a stream. Turns an error of zipfile inside the context into an InputError."""
    file = stream if stream.seekable() else _in_memory(stream, options)
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (*BROKEN, OSError) as error:
        # A wrong offset in the zip file makes zipfile seek to before the start of the file.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise InputError(f"{options.source}: {_broken(file, error)}") from None


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


def _in_memory(stream: BinaryIO, options: ReadOptions) -> BinaryIO:
    """Read a stream that cannot seek into memory, with a note if it is large."""
    data = stream.read(LONGEST_PIPED + 1)
    if len(data) > LONGEST_PIPED:
        problem = f"tsoft reads at most {LONGEST_PIPED >> 30} GB of an .npz from a pipe; pass -i FILE"
        raise InputError(f"{options.source}: {problem}")
    if len(data) > npy.NOTE_BYTES:
        problem = f"tsoft keeps all {len(data) / 1e6:.0f} MB of a piped .npz in memory; -i FILE avoids this"
        options.note(f"{options.source}: {problem}")
    return io.BytesIO(data)


def _members(archive: zipfile.ZipFile, source: str) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays of the archive by their names. Raise InputError if all members are something else."""
    names = archive.namelist()
    if names and not any(name.endswith(".npy") for name in names):
        problem = next((kind for part, kind in _ZIP_KINDS.items() if any(part in name for name in names)), _OTHER_ZIP)
        raise InputError(f"{source}: this is {problem}")
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def _listed(names: list[str]) -> str:
    """Return the names of the file's arrays for a message."""
    return f"the file has {', '.join(map(repr, names)) or 'no arrays'}"


def _array_key(names: list[str], options: ReadOptions) -> str:
    """Return the array to read: the one that --key names, or the first with the name of a quantity, or the only one."""
    if options.key is not None:
        if options.key not in names:
            raise InputError(f"{options.source}: {unknown('array', options.key, names) if names else _listed(names)}")
        return options.key
    requested = (key for key, quantity in ARRAY_QUANTITIES.items() if quantity == options.quantity)
    others = [name for name in names if name not in (LABELS, TAUS)]
    default = others[0] if len(others) == 1 else None
    key = next((key for key in (*requested, *ARRAY_QUANTITIES) if key in names), default)
    if key is None:
        fix = f"; pass --key NAME to choose one: {', '.join(names)}" if names else f"; {_listed(names)}"
        raise InputError(f"{options.source}: no array is called logits or probs{fix}")
    return key


def _quantity(key: str, options: ReadOptions) -> str | None:
    """Return the quantity of the array, by its name or the options. Raise InputError if they contradict each other."""
    quantity = ARRAY_QUANTITIES.get(key)
    if quantity and options.quantity not in (None, quantity):
        name = next(key for key, quantity in ARRAY_QUANTITIES.items() if quantity == options.quantity)
        problem = contradiction(f"the array {key!r}", quantity, options.quantity)
        raise InputError(f"{options.source}: {problem}, or save the array as {name!r}")
    return quantity or options.quantity


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> BinaryIO:
    """Open a member. Raise InputError if it unpacks to suspiciously many bytes."""
    if info.file_size > max(SMALL_ARRAY, LARGEST_RATIO * info.compress_size):
        size = f"{info.compress_size} bytes unpack to {info.file_size / 1e9:.1f} GB"
        raise InputError(f"{source}: {size}, like a zip bomb; if you trust the file, unzip it and read the .npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{source}: unsupported compression; save the file with numpy.savez_compressed")
    return archive.open(info)  # type: ignore[return-value]


def _header_and_data(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str, check: npy.DtypeCheck
) -> tuple[npy.NpyHeader, bytes]:
    with _open(archive, info, source) as member:
        return npy.read_header(member, source, check), member.read()


def _blocks(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, options: ReadOptions, labels: tuple[str, ...] | None
) -> Iterator[Block]:
    with _open(archive, info, options.source) as member:
        header = npy.read_header(member, options.source)
        # This only checks the zip file's entry; the bytes themselves are counted while they are read.
        header.check(info.file_size - member.tell(), options.source)
        if labels and len(labels) == header.classes:
            options = replace(options, labels=Labels(labels))
        elif labels and options.key is None:
            raise InputError(
                f"{options.source}: {header.classes} classes, but {len(labels)} {LABELS}; save one label per class"
            )
        yield from npy.blocks(member, header, options, None)


def _labels(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> tuple[str, ...]:
    """Return the labels in an array of strings."""
    source = f"{source}: {LABELS}"
    header, data = _header_and_data(archive, info, source, npy.check_text)
    header.check(len(data), source)
    texts = np.frombuffer(data, header.dtype).tolist()
    try:
        return tuple(text.decode() if isinstance(text, bytes) else text for text in texts)
    except UnicodeDecodeError:
        raise InputError(f"{source}: not UTF-8 text; save the labels as UTF-8") from None


def _targets_key(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], source: str) -> str | None:
    """Return the name of the array of true classes: `targets`, or `labels` if it contains numbers; None if there is no
    such array."""
    if TARGETS in members or LABELS not in members:
        return TARGETS if TARGETS in members else None
    with _open(archive, members[LABELS], f"{source}: {LABELS}") as member:
        header = npy.read_header(member, f"{source}: {LABELS}", check_dtype)
    return None if npy.check_text(header.dtype) is None else LABELS


def _targets(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> Targets:
    return parse_array(*_header_and_data(archive, info, source, check_dtype), source)


def _with_targets(
    blocks: Iterable[Block], archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str
) -> Iterator[Block]:
    """Yield the blocks with the true classes of their rows, which are read at the first block."""
    indices: Array | None = None
    for block in blocks:
        if indices is None:
            targets = _targets(archive, info, source)
            targets.check_shape(block.origin.axes)
            indices = targets.indices(ClassLookup(block.labels, block.logits.shape[1]))
            targets.check_count(math.prod(block.origin.axes or ()))
        yield replace(block, targets=indices[block.rows.start : block.rows.stop])
