"""NumPy's .npz, in and out: a zip file of .npy files, one the numbers and one their labels."""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input import npy
from tsoft.input.labels import Labels
from tsoft.input.quantity import KEYS
from tsoft.input.reading import Reading

if TYPE_CHECKING:
    from tsoft.input.targets import Targets

LABELS, TAUS, TARGETS = "labels", "taus", "targets"
# What unpacks to more than this, and to more than so many times its size, is a bomb.
SMALL, TIMES = 1 << 28, 64
# A zip's list of files is at its end: one from a pipe is held, if it is no longer than this.
LONGEST = 1 << 32
# What zipfile raises for what is no zip file, or one of a kind that it does not know.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


def read(stream: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The blocks of one of the arrays, with the file's labels."""
    source = reading.source
    stream = stream if stream.seekable() else _held(stream, reading)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            key = _key(list(members), reading)
            reading = _told(key, reading)
            of = _targets_key(archive, members, source)
            if of == LABELS != key and not reading.targets:
                reading.note(f"{source}: {LABELS} are numbers: the rows' true classes, and no class's name")
            own = _labels(archive, members[LABELS], source) if LABELS in members and LABELS not in (key, of) else None
            if own and reading.labels:
                raise InputError(f"{source}: the classes are named here; leave out --labels")
            found = _blocks(archive, members[key], replace(reading, source=f"{source}: {key}"), own)
            asked = of if reading.targets else None
            if asked:
                found = _targeted(found, lambda: _targets(archive, members[asked], f"{source}: {asked}"))
            yield from found
    except BROKEN as error:
        raise InputError(f"{source}: not a whole .npz file: {error or type(error).__name__}") from None


def _held(stream: BinaryIO, reading: Reading) -> BinaryIO:
    data = stream.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise InputError(f"{reading.source}: an .npz of over {LONGEST >> 30} GB comes from a file: -i FILE")
    if len(data) > npy.MUCH:
        reading.note(f"{reading.source}: an .npz in a pipe is held in memory, {len(data) / 1e6:.0f} MB")
    return io.BytesIO(data)


def _key(names: list[str], reading: Reading) -> str:
    """The array to read: the one that is asked for, else the first that says what it is, else the only one."""
    asked = (key for key, quantity in KEYS.items() if quantity == reading.quantity)
    others = [name for name in names if name not in (LABELS, TAUS)]
    listed = ", ".join(names) or "none"
    if reading.key is not None:
        if reading.key not in names:
            raise InputError(f"{reading.source}: no array is called {reading.key!r}; there are {listed}")
        return reading.key
    found = next((key for key in (*asked, *KEYS) if key in names), others[0] if len(others) == 1 else None)
    if found is None:
        raise InputError(f"{reading.source}: no array is called logits or probs; --key takes one of {listed}")
    return found


def _told(key: str, reading: Reading) -> Reading:
    """What the array's numbers are, as its name tells."""
    quantity = KEYS.get(key)
    if quantity and reading.quantity not in (None, quantity):
        name = next(key for key, of in KEYS.items() if of == reading.quantity)
        problem = f"{key!r} holds {quantity!r}, not {reading.quantity!r}"
        raise InputError(f"{reading.source}: {problem}; to be read as such, the array is saved under the name {name}")
    return replace(reading, quantity=quantity or reading.quantity)


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> BinaryIO:
    """An array's bytes. Raises InputError where they would be far more than the file has."""
    if info.file_size > max(SMALL, TIMES * info.compress_size):
        size = f"{info.compress_size} bytes that unpack to {info.file_size / 1e9:.1f} GB"
        raise InputError(f"{source}: {size}, as a zip bomb does; if it is none, unzip it and take the .npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{source}: it is packed in a way that numpy does not use")
    return archive.open(info)  # type: ignore[return-value]


def _blocks(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, reading: Reading, labels: tuple[str, ...] | None
) -> Iterator[Block]:
    with _open(archive, info, reading.source) as member:
        header = npy.read_header(member, reading.source)
        # What the zip says of the size is for the check alone; the bytes are counted as they come.
        header.check(info.file_size - member.tell(), reading.source)
        if labels and len(labels) == header.classes:
            reading = replace(reading, labels=Labels(labels))
        elif labels and reading.key is None:
            raise InputError(f"{reading.source}: {header.classes} classes, but {len(labels)} {LABELS}")
        yield from npy.blocks(member, header, reading, None)


def _labels(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> tuple[str, ...]:
    """The labels, an array of texts."""
    source = f"{source}: {LABELS}"
    with _open(archive, info, source) as member:
        header = npy.read_header(member, source, npy.texts)
        header.check(info.file_size - member.tell(), source)
        found = np.frombuffer(member.read(), header.dtype).tolist()
    try:
        return tuple(label.decode() if isinstance(label, bytes) else label for label in found)
    except UnicodeDecodeError:
        raise InputError(f"{source}: they are not UTF-8 text") from None


def read_targets(stream: BinaryIO, source: str) -> "Targets":
    """The true classes that a file holds. Raises InputError where it has none."""
    stream = stream if stream.seekable() else _held(stream, Reading(source))
    try:
        with zipfile.ZipFile(stream) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            key = _targets_key(archive, members, source)
            if key is None:
                raise InputError(f"{source}: no array is called {TARGETS}; there are {', '.join(members) or 'none'}")
            return _targets(archive, members[key], f"{source}: {key}")
    except BROKEN as error:
        raise InputError(f"{source}: not a whole .npz file: {error or type(error).__name__}") from None


def _targets_key(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], source: str) -> str | None:
    """The array of the true classes: `targets`, else `labels` where these are numbers and so not the classes'
    names; None where there is neither."""
    if TARGETS in members or LABELS not in members:
        return TARGETS if TARGETS in members else None
    with _open(archive, members[LABELS], f"{source}: {LABELS}") as member:
        header = npy.read_header(member, f"{source}: {LABELS}", lambda dtype: npy.texts(dtype) and npy.real(dtype))
    return None if npy.texts(header.dtype) is None else LABELS


def _targets(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> "Targets":
    from tsoft.input import targets

    with _open(archive, info, source) as member:
        header = npy.read_header(member, source, targets.wrong)
        return targets.array(header, member.read(), source)


def _targeted(found: Iterable[Block], read: "Callable[[], Targets]") -> Iterator[Block]:
    """The blocks with their rows' true classes, which are read once there is a row."""
    from tsoft.input.class_lookup import ClassLookup

    indices: Array | None = None
    for block in found:
        if indices is None:
            targets = read()
            targets.check_shape(block.axes)
            indices = targets.indices(ClassLookup(block.labels, block.logits.shape[1]))
            targets.check(math.prod(block.axes or ()))
        yield replace(block, targets=indices[block.rows.start : block.rows.stop])
