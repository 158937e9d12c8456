"""NumPy's .npz: a zip file of .npy files, one for the numbers, and maybe others for labels and targets."""

import contextlib
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
from tsoft.errors import InputError
from tsoft.input import npy
from tsoft.input.class_lookup import ClassLookup
from tsoft.input.labels import Labels
from tsoft.input.quantity import ARRAY_QUANTITIES
from tsoft.input.read_options import ReadOptions
from tsoft.input.targets import Targets, check_dtype, parse_array

LABELS, TAUS, TARGETS = "labels", "taus", "targets"
# An array that unpacks to more bytes than this, and to more than this many times its packed size, is a zip bomb.
SMALL_ARRAY, LARGEST_RATIO = 1 << 28, 64
# A zip file's list of members is at its end, so one from a pipe is held in memory, up to this many bytes.
LONGEST_PIPED = 1 << 32
# What zipfile raises for anything but a zip file of a kind that it knows.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """The blocks of one of the arrays, with the file's labels."""
    source = options.source
    with _opened(stream, options) as archive:
        members = _members(archive)
        key = _array_key(list(members), options)
        options = replace(options, quantity=_quantity(key, options))
        targets_key = _targets_key(archive, members, source)
        if targets_key == LABELS != key and not options.targets:
            options.note(f"{source}: {LABELS} are numbers: the rows' true classes, and no class's name")
        has_labels = LABELS in members and LABELS not in (key, targets_key)
        labels = _labels(archive, members[LABELS], source) if has_labels else None
        if labels and options.labels:
            raise InputError(f"{source}: the classes are named here; leave out --labels")
        blocks = _blocks(archive, members[key], replace(options, source=f"{source}: {key}"), labels)
        if targets_key and options.targets:
            blocks = _with_targets(blocks, archive, members[targets_key], f"{source}: {targets_key}")
        yield from blocks


def read_targets(stream: BinaryIO, source: str) -> Targets:
    """The true classes in a file. Raises InputError if it has none."""
    with _opened(stream, ReadOptions(source)) as archive:
        members = _members(archive)
        key = _targets_key(archive, members, source)
        if key is None:
            raise InputError(f"{source}: no array is called {TARGETS}; there are {', '.join(members) or 'none'}")
        return _targets(archive, members[key], f"{source}: {key}")


@contextlib.contextmanager
def _opened(stream: BinaryIO, options: ReadOptions) -> Iterator[zipfile.ZipFile]:
    """The archive in a stream. Raises InputError, also later, if it is not whole."""
    try:
        with zipfile.ZipFile(stream if stream.seekable() else _held(stream, options)) as archive:
            yield archive
    except BROKEN as error:
        raise InputError(f"{options.source}: not a whole .npz file: {error or type(error).__name__}") from None


def _held(stream: BinaryIO, options: ReadOptions) -> BinaryIO:
    data = stream.read(LONGEST_PIPED + 1)
    if len(data) > LONGEST_PIPED:
        raise InputError(f"{options.source}: an .npz of over {LONGEST_PIPED >> 30} GB comes from a file: -i FILE")
    if len(data) > npy.MUCH:
        options.note(f"{options.source}: an .npz in a pipe is held in memory, {len(data) / 1e6:.0f} MB")
    return io.BytesIO(data)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def _array_key(names: list[str], options: ReadOptions) -> str:
    """The array to read: the one that --key names, or the first with the name of a quantity, or the only one."""
    listed = ", ".join(names) or "none"
    if options.key is not None:
        if options.key not in names:
            raise InputError(f"{options.source}: no array is called {options.key!r}; there are {listed}")
        return options.key
    requested = (key for key, quantity in ARRAY_QUANTITIES.items() if quantity == options.quantity)
    others = [name for name in names if name not in (LABELS, TAUS)]
    default = others[0] if len(others) == 1 else None
    key = next((key for key in (*requested, *ARRAY_QUANTITIES) if key in names), default)
    if key is None:
        raise InputError(f"{options.source}: no array is called logits or probs; --key takes one of {listed}")
    return key


def _quantity(key: str, options: ReadOptions) -> str | None:
    """What the array's numbers are, by its name. Raises InputError if the options say otherwise."""
    quantity = ARRAY_QUANTITIES.get(key)
    if quantity and options.quantity not in (None, quantity):
        name = next(key for key, quantity in ARRAY_QUANTITIES.items() if quantity == options.quantity)
        problem = f"{key!r} holds {quantity!r}, not {options.quantity!r}"
        raise InputError(f"{options.source}: {problem}; to be read as such, the array is saved under the name {name}")
    return quantity or options.quantity


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> BinaryIO:
    """The bytes of a member. Raises InputError if they are far more than the file's."""
    if info.file_size > max(SMALL_ARRAY, LARGEST_RATIO * info.compress_size):
        size = f"{info.compress_size} bytes that unpack to {info.file_size / 1e9:.1f} GB"
        raise InputError(f"{source}: {size}, as a zip bomb does; if it is none, unzip it and take the .npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{source}: it is packed in a way that numpy does not use")
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
        # The size in the zip file is only checked; the bytes are counted as they are read.
        header.check(info.file_size - member.tell(), options.source)
        if labels and len(labels) == header.classes:
            options = replace(options, labels=Labels(labels))
        elif labels and options.key is None:
            raise InputError(f"{options.source}: {header.classes} classes, but {len(labels)} {LABELS}")
        yield from npy.blocks(member, header, options, None)


def _labels(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> tuple[str, ...]:
    """The labels in an array of texts."""
    source = f"{source}: {LABELS}"
    header, data = _header_and_data(archive, info, source, npy.check_text)
    header.check(len(data), source)
    texts = np.frombuffer(data, header.dtype).tolist()
    try:
        return tuple(text.decode() if isinstance(text, bytes) else text for text in texts)
    except UnicodeDecodeError:
        raise InputError(f"{source}: they are not UTF-8 text") from None


def _targets_key(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], source: str) -> str | None:
    """The array of the true classes: `targets`, or `labels` if these are numbers and not names; None if there is
    neither."""
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
    """The blocks with their rows' true classes, which are read once there is a row."""
    indices: Array | None = None
    for block in blocks:
        if indices is None:
            targets = _targets(archive, info, source)
            targets.check_shape(block.origin.axes)
            indices = targets.indices(ClassLookup(block.labels, block.logits.shape[1]))
            targets.check_count(math.prod(block.origin.axes or ()))
        yield replace(block, targets=indices[block.rows.start : block.rows.stop])
