"""The files that --input lists, and reading several of them as one input."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tsoft.core.block import Block
from tsoft.errors import InputError, UsageError, shortened
from tsoft.frozen import frozen
from tsoft.notes import note


def listed_files(
    inputs: list[str], option: str = "--input", refuse: Callable[[str, InputError], None] | None = None
) -> list[str]:
    """Return the files that an option lists: a file as typed, the files of a folder or of a pattern by name.

    Raise UsageError for an empty name and for a file that is listed twice; InputError for a folder or a pattern without
    files, and for a pipe or a device in one. With `refuse`, such a pipe is left out, and `refuse` gets its error.
    """
    files = [file for name in inputs for file in _regular(name, _files_of(name, option), refuse)]
    seen: dict[str, str] = {}
    for file in files:
        place = place_of(file)
        if place in seen:
            if file == "-":
                raise UsageError(f"{option} lists stdin twice; remove one")
            names = file if file == seen[place] else f"{seen[place]} and {file}"
            raise UsageError(f"{option} lists a file twice: {names}; each row would count twice")
        seen[place] = file
    return files


def place_of(file: str) -> str:
    """Return the same text for all names of a file, and `-` for stdin."""
    return file if file == "-" else os.path.realpath(file)


def _files_of(name: str, option: str) -> list[str]:
    if not name:
        raise UsageError(f"{option} needs a file name")
    if os.path.isdir(name):
        return _files_in(name)
    is_pattern = "*" in name or "?" in name or ("[" in name and "]" in name)
    if not is_pattern or os.path.lexists(name):
        return [name]
    # Like a shell, do not match hidden files. A file that is called - is not stdin.
    found = sorted({file for file in _matches(name) if not os.path.isdir(file)})
    files = [os.path.join(os.curdir, file) if file == "-" else file for file in found]
    if not files:
        raise InputError(f"{name}: no file matches this pattern")
    return files


def _regular(name: str, files: list[str], refuse: Callable[[str, InputError], None] | None) -> Iterator[str]:
    """Yield the files that a name lists, except pipes and devices: reading one by mistake would wait forever."""
    for file in files:
        if file == name or not os.path.exists(file) or os.path.isfile(file):
            yield file
            continue
        error = InputError(f"{file}: a pipe or a device, which tsoft reads only with -i {file}")
        if refuse is None:
            raise error
        refuse(file, error)


def _matches(pattern: str) -> Iterator[str]:
    """Yield the paths that match a pattern, perhaps more than once. Unlike in the module glob, `**` does not follow
    links to folders, which may be loops."""
    import glob

    parts = pattern.split(os.sep)
    if "**" not in parts:
        yield from glob.iglob(pattern)
        return
    place = parts.index("**")
    start, rest = "".join(part + os.sep for part in parts[:place]), parts[place + 1 :] or ["*"]
    for root in glob.iglob(start or os.path.join(os.curdir, "")):
        for folder, folders, _ in os.walk(root):
            folders[:] = [name for name in folders if name[0] != "."]
            # A pattern that starts with ** matches names in the current folder.
            base = folder if start else folder.removeprefix(root)
            yield from _matches(os.path.join(glob.escape(base), *rest))


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
    if not files:
        raise InputError(f"{folder}: the folder has no files")
    return files


def stem(file: str) -> str:
    """Return the name of a file without its ending, and without that of a compressed file.

    >>> stem("logits/a.b.npy"), stem("a.jsonl.gz"), stem("a")
    ('a.b', 'a', 'a')
    """
    name, ending = os.path.splitext(os.path.basename(file))
    return os.path.splitext(name)[0] if ending.lower() == ".gz" else name


def paired_files(first: Sequence[str], second: Sequence[str], names: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the files of two lists in pairs with the same names without endings, in the order of the first list. Two
    single files are a pair whatever their names are.

    names: those of the lists, for messages. Raise UsageError for files that are not in pairs.

    >>> paired_files(["z/a.npy", "z/b.npy"], ["y/b.txt", "y/a.txt"], ("--input", "--targets"))
    [('z/a.npy', 'y/a.txt'), ('z/b.npy', 'y/b.txt')]
    """
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    stems = [_by_stem(files, name) for files, name in zip((first, second), names, strict=True)]
    for i, j in ((0, 1), (1, 0)):
        if missing := [file for name, file in stems[i].items() if name not in stems[j]]:
            counts = f"{_counted(first)} in {names[0]} and {_counted(second)} in {names[1]}"
            problem = f"{names[j]} has no file with the same name as {missing[0]} ({counts})"
            fix = "pass two files, or two folders whose files have the same names without endings"
            raise UsageError(f"{problem}; {fix}")
    return [(file, stems[1][name]) for name, file in stems[0].items()]


def _by_stem(files: Sequence[str], name: str) -> dict[str, str]:
    """Return the files by their names without endings. Raise UsageError if two of these are equal."""
    by_stem: dict[str, str] = {}
    for file in files:
        if (other := by_stem.setdefault(stem(file), file)) != file:
            raise UsageError(f"{name}: {other} and {file} have the same name without endings, by which they are paired")
    return by_stem


def _counted(files: Sequence[str]) -> str:
    return "1 file" if len(files) == 1 else f"{len(files)} files"


@frozen
class FileClasses:
    """The classes of a file: their `count`, and their `labels` if it names them. In an array, every row has as many;
    the labels may vary between the rows of other files."""

    file: str
    count: int
    labels: tuple[str, ...] | None
    is_array: bool = False
    labels_vary: bool = False

    @classmethod
    def of_block(cls, block: Block, file: str) -> "FileClasses":
        """Return the classes of a block of a file."""
        origin = block.origin
        return cls(file, block.logits.shape[1], block.labels, origin.axes is not None, origin.labels_vary)

    def require_those_of(self, first: "FileClasses") -> None:
        """Raise InputError if the classes are not those of the first file. The rows of a text may differ in length, and
        responses list different classes."""
        if self.labels_vary or first.labels_vary:
            return
        is_array = self.is_array and first.is_array
        if (is_array or first.labels is not None) and self.count != first.count:
            problem = f"{self.count} classes, but {first.file} has {first.count}"
            raise InputError(f"{self.file}: {problem}; all files need the same classes")
        if self.labels == first.labels:
            return
        if self.labels is None or first.labels is None:
            named, unnamed = (first.file, self.file) if self.labels is None else (self.file, first.file)
            problem = f"{unnamed} does not name the classes, and {named} does"
            raise InputError(f"{problem}; all files need the same classes, which --labels can name")
        pairs = zip(self.labels, first.labels, strict=True)
        index, (label, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        problem = f"class {index} is {shortened(label)!r}, but {shortened(other)!r} in {first.file}"
        raise InputError(f"{self.file}: {problem}; all files need the same classes in the same order")


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
            FileClasses.of_block(block, file).require_those_of(FileClasses.of_block(first, files[0]))
            _check_keys(block, file, first, files[0])
            rows = block.rows.stop
            origin = replace(block.origin, axes=None)
            if origin.lines is None and not origin.source:
                origin = replace(origin, source=f"{file}: row {block.first_row}")
            yield replace(block, first_row=first_row + block.first_row, origin=origin)
        first_row += rows


def _check_keys(block: Block, file: str, first: Block, first_file: str) -> None:
    """Raise InputError if a block has keys and the first one has none, or the other way round."""
    if (block.keys is None) == (first.keys is None):
        return
    named, unnamed = (first_file, file) if block.keys is None else (file, first_file)
    raise InputError(f"{unnamed} has no row ids, and {named} does; all files need row ids, or none of them")
