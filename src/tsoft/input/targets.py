"""The true classes of rows, from a file of targets: an array, a JSON array, or a text with one target per line."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block, class_names
from tsoft.core.softmax import Array
from tsoft.errors import InputError, shortened
from tsoft.input.class_lookup import BOOLEANS, IGNORED, TargetIndexError, TargetLookup
from tsoft.input.columns import FURTHER_TARGET_NAMES, TARGET_NAMES
from tsoft.input.fields import is_number, number
from tsoft.input.json_values import described, parsed_json
from tsoft.input.limits import check_size, read_at_most, read_limited
from tsoft.input.npy import PICKLED, NpyHeader, check_real, check_text
from tsoft.input.read_options import ReadOptions
from tsoft.input.utf8 import decode_text

# A list of 100 million targets of 10 bytes.
MAX_BYTES = 1 << 30
_ONE_EACH = "expected one target per row"
_ORDER = "; pass the logits first, then one integer per row"


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as they were read, one per row: numbers or strings.

    `source` is their file in messages. `first_row` is the number of the first target's row, and `first_line` the number
    of its line if the source is a text. `shape` is the shape of an array of targets. Rows with the target `ignored` are
    to be left out.
    """

    values: Array | list[str]
    source: str
    first_line: int | None = None
    first_row: int = 0
    shape: tuple[int, ...] | None = None
    ignored: int | None = None

    def __len__(self) -> int:
        return len(self.values)

    def _count(self) -> str:
        return f"{len(self)} target{'s' * (len(self) != 1)}"

    def check_count(self, rows: int) -> None:
        """Raise InputError if the number of targets is not the number of rows."""
        if len(self) != rows:
            fix = "; if the first line is a header, remove it" if self.first_line and len(self) == rows + 1 else ""
            problem = f"{self._count()}, but the logits have {rows} row{'s' * (rows != 1)}; {_ONE_EACH}{fix}"
            raise InputError(f"{self.source}: {problem}")

    def check_shape(self, axes: tuple[int, ...] | None) -> None:
        """Raise InputError if the array's shape is not the shape of the rows, unless it has one axis."""
        shape, rows = (tuple(size for size in sizes or () if size != 1) for sizes in (self.shape, axes))
        if len(shape) > 1 and shape != rows:
            sizes = " × ".join(map(str, self.shape or ()))
            raise InputError(f"{self.source}: an array of {sizes}; {_ONE_EACH}{_ORDER}")

    def indices(self, lookup: TargetLookup) -> Array:
        """Return the indices of the classes, (rows,).

        A number is an index, unless some class's label is a number; then it is a label, as in a text. Raise InputError
        for the first target that names no class.
        """
        try:
            if isinstance(self.values, np.ndarray) and lookup.by_index:
                return lookup.indices(self.values)
            return self._indices_of_texts(lookup)
        except TargetIndexError as error:
            place = f" row {self.first_row + error.position}"
            if self.first_line is not None:
                place = f"{self.first_line + error.position}"
            raise InputError(f"{self.source}:{place}: {error.problem}") from None

    def lookup(self, labels: tuple[str, ...] | None, classes: int) -> TargetLookup:
        """Return the lookup of these targets among the classes."""
        return TargetLookup(labels, classes, self.ignored)

    def block_indices(self, block: Block) -> Array:
        """Return the indices of the true classes of a block's rows, (rows,). Raise InputError if there are fewer
        targets than rows."""
        first, stop = block.rows.start, block.rows.stop
        if first == 0:
            self.check_shape(block.origin.axes)
        if stop > len(self):
            raise InputError(f"{self.source}: {self._count()}, but the logits have more rows; {_ONE_EACH}")
        line = None if self.first_line is None else self.first_line + first
        targets = Targets(self.values[first:stop], self.source, line, first)
        return targets.indices(self.lookup(block.labels, block.logits.shape[1]))

    def naming_classes(self, block: Block, note: Callable[[str], None]) -> Block:
        """Return a block whose two classes, those of a binary classifier without labels, have the labels in the
        targets, in alphabetical order. `note` is called with a note on that guess."""
        labels = self._two_labels() if block.origin.is_binary and block.labels is None else None
        if labels is None:
            return block
        if block.first_row == 0:
            first, second = map(shortened, labels)
            note(f"{self.source}: the targets name class #0 {first!r} and class #1 {second!r}; pass --labels to choose")
        return replace(block, labels=labels)

    def _two_labels(self) -> tuple[str, ...] | None:
        """Return the two labels that the targets contain, which may be -1 and 1; None if they are other numbers or
        booleans, or not two labels."""
        values = np.unique(self.values).tolist() if isinstance(self.values, np.ndarray) else set(self.values)
        texts = {value if isinstance(value, str) else _number_text(value) for value in values}
        # Of several ways to write a number, such as 1 and +1.0, the shortest is its label.
        written = sorted(filter(is_number, texts), key=lambda text: (-len(text), text))
        numbers = {number(text): text for text in written}
        if len(written) == len(texts) and self.ignored is None and sorted(numbers) == [-1, 1]:
            return numbers[-1], numbers[1]
        names = sorted(texts - {*written})
        return None if len(names) != 2 or {name.lower() for name in names} == set(BOOLEANS) else tuple(names)

    def _column_fix(self, text: str) -> str:
        """Return how to keep only the column of the targets, for a line that may have several columns."""
        delimiter = next((each for each in ",;\t" if each in text), None)
        if self.first_line is None or delimiter is None:
            return ""
        if not text.partition(delimiter)[2].strip():
            return "; remove the separator at the end of each line"
        option = "" if delimiter == "\t" else f" -d'{delimiter}'"
        expected = f"one target per line, such as those of cut{option} -f2 without their header"
        return f"; expected {expected}, in the order of the rows"

    def _indices_of_texts(self, lookup: TargetLookup) -> Array:
        indices = np.empty(len(self), np.int64)
        known: dict[str, int] = {}
        for position, value in enumerate(self.values):
            text = value if isinstance(value, str) else _number_text(value.item())
            try:
                indices[position] = known[text] if text in known else known.setdefault(text, lookup.index(text))
            except ValueError as error:
                raise TargetIndexError(f"{error}{self._column_fix(text)}", position) from None
        return indices


def difference_note(block: Block, indices: Array) -> str | None:
    """Return a note on the first row of a block whose target in the input is not the one in `indices`; None if there is
    no such row."""
    if block.targets is None:
        return None
    differs = (block.targets != indices) & (block.targets != IGNORED)
    if not differs.any():
        return None
    row = int(differs.argmax())
    names = class_names(block.labels, block.logits.shape[1])
    own, other = (shortened(names[i]) if i >= 0 else "none" for i in (block.targets[row], indices[row]))
    where = block.part(row, row + 1).location
    return f"{where}: the true class in the input is {own}, but in the file of targets {other}, which tsoft uses"


def _number_text(value: float) -> str:
    """Return a number as the label that it stands for, which has no decimals if it is whole.

    >>> _number_text(3), _number_text(3.0), _number_text(0.5)
    ('3', '3', '0.5')
    """
    return f"{value:.0f}" if value % 1 == 0 else str(value)


def check_dtype(dtype: np.dtype[Any]) -> str | None:
    """Return the problem with a data type that is neither numbers nor strings; None if there is no problem."""
    if dtype.hasobject:
        return f"{PICKLED}; save an array of numbers or strings"
    return None if check_text(dtype) is None else check_real(dtype)


def read_array(header: NpyHeader, stream: BinaryIO, source: str, ignored: int | None = None) -> Targets:
    """Return the targets in the array after a header, one per row. Raise InputError for a one-hot or too large one."""
    check_size(header.size, MAX_BYTES, source, "list of targets")
    data = read_at_most(stream, header.size + 1)
    header.check(len(data), source)
    array = np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
    is_table = array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "biuf"
    if is_table and ((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all():
        shape = " × ".join(map(str, array.shape))
        raise InputError(f"{source}: an array of {shape} that looks one-hot; save array.argmax(1), one index per row")
    values: Array | list[str] = array.reshape(-1)
    try:
        if array.dtype.kind == "b":
            # As texts, they are classes only of a binary classifier.
            values = [BOOLEANS[value] for value in array.reshape(-1).tolist()]
        elif array.dtype.kind in "SU":
            values = [text.decode() if isinstance(text, bytes) else text for text in array.reshape(-1).tolist()]
        return Targets(values, source, shape=header.shape, ignored=ignored)
    except UnicodeDecodeError:
        raise InputError(f"{source}: not UTF-8 text; save the targets as UTF-8") from None


def read_text(stream: BinaryIO, source: str, ignored: int | None = None) -> Targets:
    """Return the targets in a text, one per line, with or without a header such as `target`. Raise InputError."""
    data = read_limited(stream, MAX_BYTES, source, "list of targets")
    lines = [_unquoted(line.strip()) for line in decode_text(data, source).rstrip().split("\n")]
    has_header = lines[0].lower() in (*TARGET_NAMES, *FURTHER_TARGET_NAMES) and lines[0] not in lines[1:]
    if not any(lines[has_header:]):
        raise InputError(f"{source}: no targets: the input is empty")
    return Targets(lines[has_header:], source, 1 + has_header, ignored=ignored)


def read_json(stream: BinaryIO, source: str, ignored: int | None = None) -> Targets:
    """Return the targets in a JSON array of labels or indices. Raise InputError."""
    data = read_limited(stream, MAX_BYTES, source, "list of targets")
    try:
        values = parsed_json(data, ReadOptions(source), 1)
    except InputError as error:
        raise InputError(f"{error}; expected one JSON array of targets, or a text with one target per line") from None
    if not isinstance(values, list):
        raise InputError(f"{source}: expected an array of targets, got {described(values)}")
    if not values:
        raise InputError(f"{source}: no targets: the array is empty")
    for i, value in enumerate(values):
        if not isinstance(value, str | int | float):
            raise InputError(f"{source}: row {i}: expected a label or an index, got {described(value)}")
    return Targets(
        [value if isinstance(value, str) else _json_text(value) for value in values], source, ignored=ignored
    )


def _json_text(value: float) -> str:
    return BOOLEANS[value] if isinstance(value, bool) else _number_text(value)


def _unquoted(line: str) -> str:
    """Return a line without its surrounding quotes, inside which a quote is doubled.

    >>> _unquoted('"the ""best"" cat"'), _unquoted('a "cat"')
    ('the "best" cat', 'a "cat"')
    """
    inside = line[1:-1].replace('""', "")
    is_quoted = len(line) > 1 and line[0] == line[-1] == '"' and '"' not in inside
    return line[1:-1].replace('""', '"') if is_quoted else line
