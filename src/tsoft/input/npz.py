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
from tsoft.errors import InputError, joined, unknown
from tsoft.input import npy
from tsoft.input.columns import FURTHER_TARGET_NAMES, TARGET_NAMES
from tsoft.input.labels import Labels
from tsoft.input.quantity import ARRAY_QUANTITIES, contradiction
from tsoft.input.read_options import ReadOptions, TargetSource
from tsoft.input.targets import Targets, check_dtype, parse_array
from tsoft.input.utf8 import kind_of

LABELS, TAUS, TARGETS = "labels", "taus", "targets"
# The names of the array of the rows' keys.
IDS = ("id", "ids")
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
        targets_key = _targets_key(archive, members, options)
        key = _array_key(list(members), targets_key, options)
        options = replace(options, quantity=_quantity(key, options))
        targets_key = None if targets_key == key else targets_key
        id_key = _id_key(archive, members, {key, targets_key}, source)
        has_labels = LABELS in members and LABELS not in (key, targets_key)
        labels = _labels(archive, members[LABELS], source) if has_labels else None
        if labels and options.labels:
            raise InputError(f"{source}: the input already names the classes; remove --labels")
        used = {key, id_key, LABELS if has_labels else None, targets_key if options.reads_targets else None}
        _note_unused([name for name in members if name not in used], targets_key, options)
        blocks = _blocks(archive, members[key], replace(options, source=f"{source}: {key}"), labels)
        if id_key:
            blocks = _with_keys(blocks, archive, members[id_key], replace(options, source=f"{source}: {id_key}"))
        if targets_key and options.targets and options.reads_targets:
            blocks = _with_targets(blocks, archive, members[targets_key], f"{source}: {targets_key}", options)
        yield from blocks


def _note_unused(names: list[str], targets_key: str | None, options: ReadOptions) -> None:
    """Print a note that names the arrays that tsoft does not read."""
    if names:
        shown = joined([f"{name!r} (true classes)" if name == targets_key else repr(name) for name in names])
        options.note(f"{options.source}: tsoft ignores the array{'s' * (len(names) > 1)} {shown}")


def read_targets(stream: BinaryIO, source: str, options: TargetSource) -> Targets:
    """Return the true classes in a file. Raise InputError if it has none."""
    with _opened(stream, ReadOptions(source)) as archive:
        members = _members(archive, source)
        key = _targets_key(archive, members, ReadOptions(source, targets=replace(options, separate=False)))
        if key is None:
            fix = f"pass --targets-key NAME to choose an array: {', '.join(members)}" if members else _listed([])
            raise InputError(f"{source}: no array is called {TARGETS!r}; {fix}")
        return _targets(archive, members[key], f"{source}: {key}", options.ignored)


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


def _array_key(names: list[str], targets_key: str | None, options: ReadOptions) -> str:
    """Return the array to read: the one that --key names, or the first with the name of a quantity, or the only one
    except those of labels, temperatures, targets and keys."""
    if options.key is not None:
        if options.key not in names:
            raise InputError(f"{options.source}: {unknown('array', options.key, names) if names else _listed(names)}")
        return options.key
    requested = (key for key, quantity in ARRAY_QUANTITIES.items() if quantity == options.quantity)
    others = [name for name in names if name not in (LABELS, TAUS, targets_key, *IDS)]
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
        if (labels and len(labels) == header.classes) or (
            labels and options.targets and (header.classes, len(labels)) == (1, 2)
        ):
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


def _targets_key(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], options: ReadOptions) -> str | None:
    """Return the name of the array of true classes: that of --targets-key, or `targets`, or `labels` if it contains
    numbers, or `label`, `target` or, if targets are requested, `y`; None if there is no such array."""
    source, requested = options.source, options.targets
    if requested and requested.key is not None and not requested.separate:
        if requested.key not in members:
            raise InputError(f"{source}: {unknown('array', requested.key, members) if members else _listed([])}")
        return requested.key
    if TARGETS in members:
        return TARGETS
    if LABELS in members:
        with _open(archive, members[LABELS], f"{source}: {LABELS}") as member:
            header = npy.read_header(member, f"{source}: {LABELS}", check_dtype)
        if npy.check_text(header.dtype) is not None:
            return LABELS
    names = (*TARGET_NAMES, *(FURTHER_TARGET_NAMES if requested else ()))
    return next((name for name in names if name in members and name != options.key), None)


def _targets(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str, ignored: int | None) -> Targets:
    return parse_array(*_header_and_data(archive, info, source, check_dtype), source, ignored)


def _with_targets(
    blocks: Iterable[Block], archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str, options: ReadOptions
) -> Iterator[Block]:
    """Yield the blocks with the true classes of their rows, which are read at the first block."""
    indices: Array | None = None
    targets: Targets | None = None
    for block in blocks:
        targets = targets or _targets(archive, info, source, options.targets.ignored if options.targets else None)
        fitting = targets.fitting(block, options.source, options.note)
        if indices is None:
            targets.check_shape(fitting.origin.axes)
            indices = targets.indices(targets.lookup(fitting.labels, fitting.logits.shape[1]))
            rows = block.origin.axes if fitting.origin.axes is not None else (len(fitting.logits),)
            targets.check_count(math.prod(rows or ()))
        yield replace(fitting, targets=indices[fitting.rows.start : fitting.rows.stop])


def _id_key(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], used: set[str | None], source: str
) -> str | None:
    """Return the name of the array of the rows' keys; None if there is no such array of numbers or strings."""
    key = next((name for name in IDS if name in members and name not in used), None)
    if key is None:
        return None
    try:
        with _open(archive, members[key], source) as member:
            npy.read_header(member, source, check_dtype)
    except InputError:
        return None
    return key


def _with_keys(
    blocks: Iterable[Block], archive: zipfile.ZipFile, info: zipfile.ZipInfo, options: ReadOptions
) -> Iterator[Block]:
    """Yield the blocks with the keys of their rows. If there is not one key per row, they are ignored, with a note."""
    header, data = _header_and_data(archive, info, options.source, check_dtype)
    header.check(len(data), options.source)
    texts = np.frombuffer(data, header.dtype).tolist()
    keys = [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in texts]
    for block in blocks:
        rows = math.prod(block.origin.axes or ())
        if len(keys) == rows:
            yield replace(block, keys=keys[block.rows.start : block.rows.stop])
            continue
        options.note(f"{options.source}: {len(keys)} keys, but {rows} row{'s' * (rows != 1)}; tsoft ignores the keys")
        yield block
