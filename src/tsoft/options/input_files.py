"""The files that --input lists, and reading several of them as one input."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from tsoft.core.block import Block
from tsoft.errors import InputError, UsageError, shortened
from tsoft.notes import note


def listed_files(inputs: list[str], option: str = "--input") -> list[str]:
    """Return the files that an option lists: a file as typed, the files of a folder or of a pattern by name.

    Raise UsageError for an empty name and for a file that is listed twice; InputError for a folder or a pattern without
    files.
    """
    files = [file for name in inputs for file in _files_of(name, option)]
    seen: dict[str, str] = {}
    for file in files:
        place = file if file == "-" else os.path.realpath(file)
        if place in seen:
            if file == "-":
                raise UsageError(f"{option} lists stdin twice; remove one")
            names = file if file == seen[place] else f"{seen[place]} and {file}"
            raise UsageError(f"{option} lists a file twice: {names}; each row would count twice")
        seen[place] = file
    return files


def _files_of(name: str, option: str) -> list[str]:
    if not name:
        raise UsageError(f"{option} needs a file name")
    if os.path.isdir(name):
        return _files_in(name)
    is_pattern = "*" in name or "?" in name or ("[" in name and "]" in name)
    if not is_pattern or os.path.lexists(name):
        return [name]
    import glob

    # Like a shell, do not match hidden files. A file that is called - is not stdin.
    found = sorted(file for file in glob.iglob(name, recursive=True) if not os.path.isdir(file))
    files = [os.path.join(os.curdir, file) if file == "-" else file for file in found]
    if not files:
        raise InputError(f"{name}: no file matches this pattern")
    return files


def _files_in(folder: str) -> list[str]:
    """Return the files of a folder, by name. Print a note on its folders, whose files are not read."""
    try:
        entries = sorted((entry for entry in os.scandir(folder) if entry.name[0] != "."), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    if folders := [entry.name for entry in entries if entry.is_dir()]:
        pattern = os.path.join(folder, "**", "*")
        note(f"{folder}: tsoft does not read the folders in it, such as {folders[0]}; to read them, pass '{pattern}'")
    files = [entry.path for entry in entries if not entry.is_dir()]
    # Reading a pipe by mistake would wait forever.
    if special := next((file for file in files if os.path.exists(file) and not os.path.isfile(file)), None):
        raise InputError(f"{special}: a pipe or a device, which tsoft reads only with -i {special}")
    if not files:
        raise InputError(f"{folder}: the folder has no files")
    return files


def in_sequence(files: list[str], read: Callable[[str], Iterator[Block]]) -> Iterator[Block]:
    """Yield the blocks of all files as one input, whose rows are counted across the files.

    Raise InputError for a file whose classes are not those of the first one, or if only some files have keys.
    """
    if len(files) == 1:
        yield from read(files[0])
        return
    first: Block | None = None
    first_row = 0
    for file in files:
        rows = 0
        for block in read(file):
            first = first or block
            _check_classes(block, file, first, files[0])
            _check_keys(block, file, first, files[0])
            rows = block.rows.stop
            origin = replace(block.origin, axes=None)
            if origin.lines is None and not origin.source:
                origin = replace(origin, source=f"{file}: row {block.first_row}")
            yield replace(block, first_row=first_row + block.first_row, origin=origin)
        first_row += rows


def _check_classes(block: Block, file: str, first: Block, first_file: str) -> None:
    """Raise InputError if the classes of a block are not those of the first one. The rows of a text may differ in
    length, and responses list different classes."""
    if block.origin.labels_vary or first.origin.labels_vary:
        return
    sizes = block.logits.shape[1], first.logits.shape[1]
    is_array = block.origin.axes is not None and first.origin.axes is not None
    if (is_array or first.labels is not None) and sizes[0] != sizes[1]:
        raise InputError(
            f"{file}: {sizes[0]} classes, but {first_file} has {sizes[1]}; all files need the same classes"
        )
    if block.labels == first.labels:
        return
    if block.labels is None or first.labels is None:
        named, unnamed = (first_file, file) if block.labels is None else (file, first_file)
        problem = f"{unnamed} does not name the classes, and {named} does"
        raise InputError(f"{problem}; all files need the same classes, which --labels can name")
    pairs = zip(block.labels, first.labels, strict=True)
    index, (label, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
    problem = f"class {index} is {shortened(label)!r}, but {shortened(other)!r} in {first_file}"
    raise InputError(f"{file}: {problem}; all files need the same classes in the same order")


def _check_keys(block: Block, file: str, first: Block, first_file: str) -> None:
    """Raise InputError if a block has keys and the first one has none, or the other way round."""
    if (block.keys is None) == (first.keys is None):
        return
    named, unnamed = (first_file, file) if block.keys is None else (file, first_file)
    raise InputError(f"{unnamed} has no keys of the rows, and {named} does; all files need keys, or none of them")
