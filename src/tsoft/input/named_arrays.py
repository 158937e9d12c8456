"""Reading a file of several named arrays: one of numbers, and optionally others of labels, targets and keys.

Such a file is an .npz, a safetensors file or a PyTorch file.
"""

import io
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, Protocol

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, joined, shortened, unknown
from tsoft.input import npy
from tsoft.input.class_lookup import are_binary
from tsoft.input.columns import FURTHER_TARGET_NAMES, TARGET_NAMES
from tsoft.input.labels import Labels
from tsoft.input.quantity import (
    ARRAY_QUANTITIES,
    array_name,
    contradiction,
    stated_quantity,
    suggested_quantity,
    suggestion,
)
from tsoft.input.read_options import ReadOptions, TargetSource
from tsoft.input.streams import Pieces
from tsoft.input.targets import Targets, check_dtype, read_array

LABELS, TAUS, TARGETS = "labels", "taus", "targets"
# An error lists at most this many arrays.
MAX_LISTED = 20
# The names of the array of the rows' keys.
IDS = ("id", "ids")


class ArrayFile(Protocol):
    """A file of arrays with the `names`. Those in `texts` are lists of strings, which `open` does not open."""

    @property
    def names(self) -> list[str]: ...

    @property
    def texts(self) -> Mapping[str, list[str]]: ...

    def open(
        self, name: str, source: str, check: npy.DtypeCheck | None = None
    ) -> AbstractContextManager[tuple[npy.NpyHeader, BinaryIO]]:
        """Open an array: its header, and the stream of its bytes. Raise InputError if its data type has the problem
        that `check` finds, by default any except real numbers, or its size is wrong."""


@contextmanager
def open_memory(
    array: Array, source: str, check: npy.DtypeCheck | None = None
) -> Iterator[tuple[npy.NpyHeader, BinaryIO]]:
    """Open an array in memory as `ArrayFile.open` does."""
    header = npy.NpyHeader(array.dtype, array.shape, fortran=False)
    npy.check_header(header, source, check)
    yield header, io.BufferedReader(Pieces([np.ascontiguousarray(array).reshape(-1).view(np.uint8).data]))


def read_arrays(file: ArrayFile, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of one of the arrays, with the file's labels. Raise InputError."""
    source, names = options.source, file.names
    options = replace(options, key=options.key.among(names))
    targets_key = _targets_key(file, options)
    key = _array_key(names, targets_key, options)
    options = replace(options, quantity=quantity_of(key, options))
    targets_key = None if targets_key == key else targets_key
    id_key = _id_key(file, {key, targets_key}, source)
    has_labels = LABELS in names and LABELS not in (key, targets_key)
    labels = _labels(file, source) if has_labels else None
    if labels and options.labels:
        raise InputError(f"{source}: the input already names the classes; remove --labels")
    used = {key, id_key, LABELS if has_labels else None, targets_key if options.reads_targets else None}
    used |= {*options.key.others}
    _note_unused([name for name in names if name not in used], targets_key, options)
    if key in file.texts:
        raise InputError(f"{source}: {key}: expected real numbers of at most 64 bits, got strings")
    blocks = _blocks(file, key, replace(options, source=f"{source}: {key}"), labels, targets_key)
    if id_key:
        blocks = _with_keys(blocks, file, id_key, replace(options, source=f"{source}: {id_key}"))
    if targets_key and options.targets and options.reads_targets:
        blocks = _with_targets(blocks, file, targets_key, f"{source}: {targets_key}", options)
    yield from blocks


def _note_unused(names: list[str], targets_key: str | None, options: ReadOptions) -> None:
    """Print a note that names the arrays that tsoft does not read."""
    if names:
        shown = joined([f"{name!r} (true classes)" if name == targets_key else repr(name) for name in names])
        options.note(f"{options.source}: tsoft ignores the array{'s' * (len(names) > 1)} {shown}")


def read_file_targets(file: ArrayFile, source: str, options: TargetSource) -> Targets:
    """Return the true classes in a file of arrays. Raise InputError if it has none."""
    names = file.names
    key = _targets_key(file, ReadOptions(source, targets=replace(options, separate=False)))
    if key is None:
        fix = f"pass {options.key.option} NAME to choose an array: {', '.join(names)}" if names else _listed([])
        raise InputError(f"{source}: no array is called {TARGETS!r}; {fix}")
    return _targets(file, key, f"{source}: {key}", options.ignored)


def _listed(names: list[str]) -> str:
    """Return the names of the file's arrays for a message."""
    return f"the file has {', '.join(map(repr, names)) or 'no arrays'}"


def _array_key(names: list[str], targets_key: str | None, options: ReadOptions) -> str:
    """Return the array to read: the one that --key names, or the first with the name of a quantity, or the only one
    except those of labels, temperatures, targets and keys."""
    chosen = options.key.name
    if chosen is not None:
        if chosen not in names:
            raise InputError(f"{options.source}: {unknown('array', chosen, names) if names else _listed(names)}")
        return chosen
    requested = (key for key, quantity in ARRAY_QUANTITIES.items() if quantity == options.quantity)
    others = [name for name in names if name not in (LABELS, TAUS, targets_key, *IDS)]
    default = others[0] if len(others) == 1 else None
    key = next((key for key in (*requested, *ARRAY_QUANTITIES) if key in names), default)
    if key is None:
        listed = ", ".join(names[:MAX_LISTED]) + ", …" * (len(names) > MAX_LISTED)
        fix = f"; pass {options.key.option} NAME to choose one: {listed}" if names else f"; {_listed(names)}"
        raise InputError(f"{options.source}: no array is called logits or probs{fix}")
    return key


def quantity_of(key: str, options: ReadOptions) -> str | None:
    """Return the quantity of the array, by its name or the options, with a note on a name that only suggests one. Raise
    InputError if they contradict each other."""
    quantity = stated_quantity(key)
    if quantity and options.quantity not in (None, quantity):
        problem = contradiction(f"the array {key!r}", quantity, options.quantity)
        raise InputError(f"{options.source}: {problem}, or save the array as {array_name(options.quantity)!r}")
    if options.quantity is None and (suggested := suggested_quantity(key)):
        options.note(f"{options.source}: {suggestion(repr(shortened(key)), suggested, [key])}")
    return quantity or options.quantity


def _blocks(
    file: ArrayFile, key: str, options: ReadOptions, labels: tuple[str, ...] | None, targets_key: str | None
) -> Iterator[Block]:
    with file.open(key, options.source) as (stored, stream):
        if targets_key:
            count = None if stored.axes else _count_of_scores(file, targets_key, options)
            options = options.next_to_targets(count)
        header = stored.with_rows(replace(options, labels=Labels(labels)) if labels else options)
        if (labels and len(labels) == header.classes) or (
            labels and options.targets and (header.classes, len(labels)) == (1, 2)
        ):
            options = replace(options, labels=Labels(labels))
        elif labels and options.key.name is None:
            raise InputError(
                f"{options.source}: {header.classes} classes, but {len(labels)} {LABELS}; save one label per class"
            )
        yield from npy.blocks(stream, header, options, None)


def _labels(file: ArrayFile, source: str) -> tuple[str, ...]:
    """Return the labels in an array of strings."""
    return tuple(_values(file, LABELS, f"{source}: {LABELS}", npy.check_text, "labels"))


def _values(file: ArrayFile, name: str, source: str, check: npy.DtypeCheck, kind: str) -> list[Any]:
    """Return the strings or numbers in an array. Raise InputError if the strings are not valid Unicode."""
    try:
        values = file.texts[name] if name in file.texts else _array_values(file, name, source, check)
        # Python's strings may contain halves of surrogate pairs, which are not text.
        "".join(value for value in values if isinstance(value, str)).encode()
    except ValueError:
        raise InputError(f"{source}: not UTF-8 text; save the {kind} as UTF-8") from None
    return values


def _array_values(file: ArrayFile, name: str, source: str, check: npy.DtypeCheck) -> list[Any]:
    """Return the strings or numbers in an array. Each string fills the width of the longest, so that only some of them
    are read at a time. Raise ValueError if the strings are not valid Unicode."""
    values: list[Any] = []
    size = 0
    with file.open(name, source, check) as (header, stream):
        width = header.dtype.itemsize
        while data := stream.read(width * max(1, npy.BLOCK // width)):
            size += len(data)
            some = np.frombuffer(data[: len(data) // width * width], header.dtype).tolist()
            values += [value.decode() if isinstance(value, bytes) else value for value in some]
        header.check(size, source)
    return values


def _targets_key(file: ArrayFile, options: ReadOptions) -> str | None:
    """Return the name of the array of true classes: that of --targets-key, or `targets`, or `labels` if it contains
    numbers, or `label`, `target` or, if targets are requested, `y`; None if there is no such array."""
    source, requested, arrays = options.source, options.targets, file.names
    chosen = requested.key.among(arrays).name if requested and not requested.separate else None
    if chosen is not None:
        if chosen not in arrays:
            raise InputError(f"{source}: {unknown('array', chosen, arrays) if arrays else _listed([])}")
        return chosen
    if TARGETS in arrays:
        return TARGETS
    if LABELS in arrays and LABELS not in file.texts:
        with file.open(LABELS, f"{source}: {LABELS}", check_dtype) as (header, _):
            if npy.check_text(header.dtype) is not None:
                return LABELS
    names = (*TARGET_NAMES, *(FURTHER_TARGET_NAMES if requested else ()))
    read = options.key.name, *options.key.others
    return next((name for name in names if name in arrays and name not in read), None)


def _count_of_scores(file: ArrayFile, key: str, options: ReadOptions) -> int | None:
    """Return the number of true classes in an array, if they may be those of as many scores of a binary classifier;
    None if those in another file count. A command that does not use them may be unable to read them."""
    if options.targets and options.targets.count is not None:
        return None
    try:
        targets = _targets(file, key, f"{options.source}: {key}", None)
    except InputError:
        return None
    is_binary = options.reads_targets or are_binary({*map(str, np.unique(targets.values))}, len(targets))
    return len(targets) if is_binary else None


def _targets(file: ArrayFile, key: str, source: str, ignored: int | None) -> Targets:
    if key in file.texts:
        return Targets(file.texts[key], source, shape=(len(file.texts[key]),), ignored=ignored)
    with file.open(key, source, check_dtype) as (header, stream):
        return read_array(header, stream, source, ignored)


def _with_targets(
    blocks: Iterable[Block], file: ArrayFile, key: str, source: str, options: ReadOptions
) -> Iterator[Block]:
    """Yield the blocks with the true classes of their rows, which are read at the first block."""
    indices: Array | None = None
    targets: Targets | None = None
    for block in blocks:
        targets = targets or _targets(file, key, source, options.targets.ignored if options.targets else None)
        named = targets.naming_classes(block, options.note)
        if indices is None:
            targets.check_shape(named.origin.axes)
            indices = targets.indices(targets.lookup(named.labels, named.logits.shape[1]))
            targets.check_count(math.prod(named.origin.axes or ()))
        yield replace(named, targets=indices[named.rows.start : named.rows.stop])


def _id_key(file: ArrayFile, used: set[str | None], source: str) -> str | None:
    """Return the name of the array of the rows' keys; None if there is no such array of numbers or strings."""
    key = next((name for name in IDS if name in file.names and name not in used), None)
    if key is None or key in file.texts:
        return key
    try:
        with file.open(key, source, check_dtype):
            return key
    except InputError:
        return None


def _with_keys(blocks: Iterable[Block], file: ArrayFile, key: str, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks with the keys of their rows. If there is not one key per row, they are ignored, with a note."""
    keys = _values(file, key, options.source, check_dtype, "row ids")
    for block in blocks:
        rows = math.prod(block.origin.axes or ())
        if len(keys) == rows:
            yield replace(block, keys=keys[block.rows.start : block.rows.stop])
            continue
        options.note(f"{options.source}: {len(keys)} row ids, but {rows} row{'s' * (rows != 1)}; tsoft ignores the ids")
        yield block
