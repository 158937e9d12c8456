"""Reading delimited text: CSV, TSV, or fields separated by blanks, commas or semicolons.

The first line that is neither blank nor a comment decides the layout (see `_layout`): rows of numbers, a table
with a header, one vector with one class per line, or the long form. Lines are read in batches, as they arrive, so
memory does not grow with the input. A batch of plain numbers is parsed at once. Any other batch is parsed line by
line, which finds the line and field of an error.

Python's csv module does not fit: it supports neither runs of blanks as separators nor comments nor escapes, and it is
several times slower than parsing a batch of numbers at once.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, shortened
from tsoft.input import fast_numbers, fields
from tsoft.input.columns import KEY_COLUMNS, TARGET
from tsoft.input.labels import CLASSES_IN_A_LINE, first_repeated, repeats
from tsoft.input.lines import Line, LineBatch, Skipped, line_batches
from tsoft.input.number_workers import several_processes
from tsoft.input.quantity import QUANTITIES, quantity_in
from tsoft.input.read_options import ReadOptions
from tsoft.input.row_groups import (
    BlankLines,
    ParsedRow,
    RowGroup,
    blocks,
    check_labeled_comments,
    padded,
    parsed_groups,
    runs,
)
from tsoft.input.utf8 import decode_text


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a text. Raise InputError, which names the line and the field."""
    with several_processes():
        yield from _read(line_batches(stream, options), options)


def _read(batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    skipped = Skipped(options)
    for source_batch in batches:
        batch = source_batch.with_hash_column() if source_batch.number == 1 else source_batch
        first = None if batch.is_blank() else batch.first()
        if first:
            if first.number == 1 and re.fullmatch("sep=[,;|]?", first.text):
                raise options.error(1, f"{first.text!r} is a line for Excel, which names the separator; remove it")
            _note_commented_header(batch, first, options)
            if batch.starts_with_tab(first.number):
                first = _with_unnamed_column(first)
            if options.delimiter and options.delimiter not in fields.without_quoted(first.text):
                options = replace(options, delimiter=None)
            try:
                layout = _layout(first.text, options)
            except fields.FieldError as error:
                raise options.field_error(first.number, error) from None
            if (layout == _read_vector and not fields.is_number(first.text)) or batch is not source_batch:
                _check_comments_before(source_batch, first, options)
            rest = batch.since(first.number)
            yield from layout(first, itertools.chain([rest] if rest else [], batches), options)
            return
        skipped.add(batch.data)
    raise InputError(f"{options.source}: no logits: the input is empty")


def _note_commented_header(batch: LineBatch, first: Line, options: ReadOptions) -> None:
    """Print a note if the line before the first one is a comment that may be its header, or names another quantity."""
    comment = batch.comment_before(first.number)
    if comment is None:
        return
    # PLUMED starts its headers in this way.
    mark = "! FIELDS" if comment.startswith("! FIELDS") else ""
    comment = comment.removeprefix(mark).strip()
    try:
        names, texts = (fields.split_labels(text, options.delimiter) for text in (comment, first.text))
    except fields.FieldError:
        return
    columns = re.split(r"\s{2,}|\t", comment)
    counts = {len(names), len(columns)} if len(texts) > 1 else set()
    if any(map(fields.looks_like_number, names)) or not fields.is_number(texts[-1]):
        return
    # JSON in a comment shows where the numbers are from.
    where, quantity = f"{options.source}:{first.number - 1}", None if "{" in comment else quantity_in(comment)
    if len(texts) in counts:
        options.note(f"{where}: tsoft ignores this comment; if it is the header of the columns, remove the #{mark}")
    elif quantity not in (None, "logit") and options.quantity is None:
        other = QUANTITIES[quantity]
        problem = f"tsoft reads logits, but this comment mentions {other.plural}"
        options.note(f"{where}: {problem}; if the numbers are these, pass {other.option}")


def _check_comments_before(batch: LineBatch, first: Line, options: ReadOptions) -> None:
    """Raise InputError for a comment before the first line of a vector that looks like the line of a class."""
    data = b"\n".join(batch.data.split(b"\n")[: first.number - batch.number + 1])
    check_labeled_comments(replace(batch, data=data), options.delimiter, 2, [1], "class", options)


def _with_unnamed_column(first: Line) -> Line:
    """Return a first line that starts with a tab, with that tab if the line may be a header without its first name."""
    names = first.text.split("\t")
    numbers = list(filter(fields.looks_like_number, names))
    is_header = numbers == list(map(str, range(len(numbers))))
    return replace(first, text=f"\t{first.text}") if is_header and len(names) > 1 else first


# Reads the blocks of one layout, from the first line and the batches, which start with that line.
Layout = Callable[[Line, Iterator[LineBatch], ReadOptions], Iterator[Block]]


def _layout(first: str, options: ReadOptions) -> Layout:
    """Return the reader of the layout that the first line decides."""
    if not options.names_columns and _is_long_row(first, options):
        return _read_rows
    names = fields.split_labels(first, options.delimiter)
    numeric = [fields.looks_like_number(name) for name in names]
    if "label" in map(str.lower, names) and _is_long_form(names, options):
        return _read_long_form
    if options.names_columns:
        return _read_named_table
    if options.targets and TARGET in names:
        return _read_table
    if len(names) > 1 and names[-1] == "" and all(numeric[:-1]):
        raise fields.FieldError(
            "the line ends with a separator; remove it from each line, or write the number after it"
        )
    tight = fields.with_tight_pairs(first)
    pairs = [fields.is_pair(name) for name in names]
    if tight != first and all(map(fields.is_pair, words := fields.split_labels(tight, options.delimiter))):
        names, numeric, pairs = words, [False] * len(words), [True] * len(words)
    has_delimiter = any(separator in first for separator in ",;\t")
    if _names_columns(names, numeric, has_delimiter, options):
        return _read_table
    if (numeric[-1] and not any(numeric[:-1] + pairs)) or pairs == [True]:
        if len(names) > 2 and has_delimiter:
            problem = f"{len(names) - 1} texts and a number; expected a label and a number, or a header"
            raise fields.FieldError(f"{problem}; if each line is a class, write a header such as id,label,logit above")
        return _read_vector
    if all(name.lower() in fields.MISSING for name in names):
        return _read_numbered_table
    if options.delimiter is None:
        return _read_rows if any(numeric + pairs) else _read_table
    if not any(numeric):
        return _read_table
    return _read_rows if all(numeric) else _read_numbered_table


def _names_columns(names: list[str], numeric: list[bool], has_delimiter: bool, options: ReadOptions) -> bool:
    """Return whether a line is a header although it contains numbers: tsoft wrote it, or its other fields name no
    classes. Raise FieldError if it may also be a class.

    `id,2` may be a class and its number, and `id 1` is. pandas writes `,0` above a single column, or the number of a
    class.
    """
    others = [name for name, is_numeric in zip(names, numeric, strict=True) if not is_numeric]
    if len(names) == 2 and numeric[1] and not has_delimiter:
        if names[1] == "0" and _names_keys(names[0]):
            fix = f"separate the fields with commas if it is a header, or write {names[0]}=0 if it is a class"
            raise fields.FieldError(f"ambiguous: the line may be a header or a class; {fix}")
        return False
    if len(names) == 2 and numeric[1]:
        is_unnamed = re.fullmatch(r"|unnamed: ?\d+", names[0], re.IGNORECASE) is not None
        return names[1].isdecimal() if is_unnamed else names[1] in ("0", "1") and _names_keys(names[0])
    if names[0] in KEY_COLUMNS[:2] and len(names) > 1:
        return True
    if not others or len(names) == 1 or any(map(fields.is_pair, others)):
        return False
    from tsoft.input.table_columns import TAU, is_key_name, is_target_name

    others = others[names[0] == "" :]
    return (bool(others) or _are_indices(names[1:])) and all(
        name == TAU or is_key_name(name) or is_target_name(name, options) for name in others
    )


def _names_keys(name: str) -> bool:
    """Return whether a name is more likely that of a column of keys or classes than that of a class."""
    from tsoft.input.table_columns import is_key_name

    return is_key_name(name) or name.lower() in ("class", "label", TARGET, "token")


def _are_indices(names: list[str]) -> bool:
    """Return whether numbers may be the names of classes: whole numbers from 0, all different."""
    return len(set(names)) == len(names) and all(map(str.isdecimal, names))


def _read_named_table(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read a table whose columns the user names. Raise InputError, or print a note, if the first line may be a row, in
    which the name of a column, such as 0, may be its place."""
    names = fields.split_labels(first.text, options.delimiter)
    numeric = [fields.looks_like_number(name) for name in names]
    numbers = [name for name, is_numeric in zip(names, numeric, strict=True) if is_numeric]
    if _may_be_row(names, numeric, options):
        fix = "add a header above it, such as a,b,target"
        if not _are_indices(numbers):
            number = next(number for number in numbers if not number.isdecimal() or numbers.count(number) > 1)
            problem = f"no header, since this line has the number {shortened(number)}, but an option names a column"
            raise options.error(first.number, f"{problem}; {fix}")
        if fields.count_start(numbers) is None:
            note = f"tsoft reads this line as a header, since an option names a column; if it is a row, {fix}"
            options.note(f"{options.source}:{first.number}: {note}")
    yield from _read_table(first, batches, options)


def _may_be_row(names: list[str], numeric: list[bool], options: ReadOptions) -> bool:
    """Return whether a line may be a row, although an option names a column: by no other name than a whole number."""
    named = options.named_columns
    are_names = "*" in named or any(fnmatchcase(name, each) for name in names for each in named if not each.isdecimal())
    has_places = any(numeric) and any(map(str.isdecimal, named))
    may_be = not are_names and (all(numeric) or has_places)
    return may_be and not _names_columns(names, numeric, has_delimiter=True, options=options)


def _is_name(text: str) -> bool:
    """Return whether a text is a name, and neither a missing number nor one with a typo."""
    return any(map(str.isalpha, text)) and text.lower() not in fields.MISSING


def _read_numbered_table(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read a table whose first line contains numbers and other texts, with a note. Raise InputError if that line may be
    a row in which a number, or every number, is missing or wrong."""
    names = fields.split_labels(first.text, options.delimiter)
    others = [(i, name) for i, name in enumerate(names, 1) if not fields.looks_like_number(name)]
    field, other = min(others, key=lambda other: _is_name(other[1]))
    if _is_name(other) and _are_indices([name for name in names if fields.looks_like_number(name)]):
        problem = f"tsoft reads this line as a header, since {shortened(other)!r} is not a number"
        options.note(f"{options.source}:{first.number}: {problem}; if the line is a row, correct that field")
        return _read_table(first, batches, options)
    hint = "" if other.lower() in fields.MISSING else "; if this line is a header, pass --columns '*'"
    raise options.field_error(first.number, fields.number_error(other, field, hint))


def _read_table(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    # Most inputs of a short run have no header, so they need no reader of tables.
    from tsoft.input.table_reader import read_table

    return read_table(first, batches, options)


def _is_long_form(names: list[str], options: ReadOptions) -> bool:
    from tsoft.input.long_form import is_long_form

    return is_long_form(names, options)


def _read_long_form(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    from tsoft.input.long_form import read_long_form

    return read_long_form(first, batches, options)


def _is_long_row(first: str, options: ReadOptions) -> bool:
    """Return whether a line contains only numbers, many of them, with the same separator throughout."""
    separator = next((d for d in ",;\t" if d in first), None)
    is_mixed = separator == "\t" and (" " in first or "\t\t" in first)
    if len(first) < fast_numbers.MIN_BYTES or is_mixed or options.delimiter not in (None, separator):
        return False
    numbers = fast_numbers.parse(first.encode())
    return numbers is not None and len(numbers.values) > 1


# One row per line

# If at least this many numbers below a line of whole numbers are fractions, it may be a header.
_MIN_FRACTIONS = 4


class PlainRows:
    """The layout without a header: each line is a row of numbers or of `label=number`."""

    class_fields: Sequence[int] | None = None

    def __init__(self, options: ReadOptions):
        self._options = options
        self._pads = options.labels is None
        self._mask = float(QUANTITIES[options.quantity or "logit"].mask)

    def row(self, line: Line) -> ParsedRow:
        text = fields.with_tight_pairs(line.text)
        texts = fields.split_labels(text) if '"' in text else fields.split(text)
        if "=" in text and (pairs := fields.split_pairs(texts)):
            labels, values = pairs
            return ParsedRow(line.number, values, labels)
        return ParsedRow(line.number, fields.numbers(texts))

    def check_comments(self, batch: LineBatch) -> None:
        """A row has no key that could start with #."""

    def groups(self, batch: LineBatch) -> list[RowGroup] | None:
        numbers = batch.numbers()
        if numbers is None:
            return None
        values, widths = numbers
        lines = range(batch.number, batch.number + len(widths))
        if self._pads and (group := padded(values, widths, lines, self._mask)):
            return [group]
        return list(runs(values, widths, lines))


class TabSeparatedRows(PlainRows):
    """The same layout in the format tsv: two tabs in a row are an empty field, which is an error."""

    def row(self, line: Line) -> ParsedRow:
        if "\t\t" in line.text:
            raise fields.FieldError("empty", line.text.split("\t").index("") + 1, is_missing=True)
        return super().row(line)

    def groups(self, batch: LineBatch) -> list[RowGroup] | None:
        return None if b"\t\t" in batch.data else super().groups(batch)


class PairRows(PlainRows):
    """The same layout with the labels of the classes, one of which may start with #."""

    def check_comments(self, batch: LineBatch) -> None:
        _check_pair_comments(batch, self._options)


def _check_pair_comments(batch: LineBatch, options: ReadOptions) -> None:
    """Raise InputError for a comment of `label=number`, such as `#=1`."""
    for number, data in enumerate(batch.data.split(b"\n"), batch.number) if b"#" in batch.data else ():
        line = decode_text(data, options.source, number)
        comment = re.split(r"[\s,;]+", line[len(fields.without_comment(line)) :].strip())
        if all(map(fields.is_pair, comment)):
            problem = f"{shortened(comment[0])!r} starts a comment"
            fix = "if it is a class, write one class per line, with its label in quotes and a space before the number"
            raise options.error(number, f"{problem}; {fix}")


# An empty field of a line with tabs: in it, or at one of its ends. To search for the pattern takes ten times as long as
# for the bytes.
_EMPTY_FIELD_BYTES = (b"\t\t", b"\n\t", b"\t\n", b"\t\r")
_EMPTY_FIELD = re.compile(rb"\S\t\t+\S|^\t+\S|\S\t+\r?$", re.MULTILINE)


def _with_empty_fields_noted(batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[LineBatch]:
    """Yield the batches, with a note on the first empty field between tabs."""
    is_noted = False
    for batch in batches:
        ends = b"\n" + batch.data[:1] + batch.data[-1:] + b"\n"
        may_have = not is_noted and any(two in part for part in (ends, batch.data) for two in _EMPTY_FIELD_BYTES)
        if may_have and (field := _EMPTY_FIELD.search(batch.data)):
            is_noted = True
            line = batch.number + batch.data.count(b"\n", 0, field.start())
            fix = "if a number is missing there, write it, or -inf to mask the class"
            options.note(f"{options.source}:{line}: tsoft ignores an empty field between tabs; {fix}")
        yield batch


def _read_rows(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    texts = fields.split_labels(first.text, options.delimiter)
    has_separators = any(separator in first.text for separator in ",;\t")
    start = fields.count_start(texts)
    is_noted = not has_separators or (start is None and not _are_different_whole_numbers(texts))
    is_labeled = any(map(fields.is_pair, texts))
    parser = (TabSeparatedRows if options.delimiter == "\t" else PairRows if is_labeled else PlainRows)(options)
    if "\t" in (options.delimiter, fields.found_delimiter(first.text)):
        batches = _with_empty_fields_noted(batches, options)
    for block in blocks(parsed_groups(parser, batches, options), options):
        further = block.logits[block.first_row == 0 :]
        is_wider = len(further) > 0 and _width(block, int(block.first_row == 0)) == len(texts) + 1
        if start is not None and has_separators and is_wider and further[0, 0] in (0, 1):
            # pandas writes such a header, with an empty first field for the column of the keys, which count, too.
            problem = f"this line counts the columns from {start}, and the next one has one more number"
            raise options.error(first.number, f"{problem}; write id before the first number if this is a header")
        if not is_noted and _may_have_header(start, further):
            is_noted = True
            reading = "of whole numbers" if start is None else f"which counts the columns from {start}"
            options.note(
                f"{options.source}:{first.number}: tsoft reads this line, {reading}, as a row; if it is a header,"
                " remove it"
            )
        yield block


def _are_different_whole_numbers(texts: Sequence[str]) -> bool:
    """Return whether the fields of a line may be classes such as 3 and 8, -1 and 1, or 0.0 and 1.0."""
    numbers = {fields.number(text) for text in texts if fields.is_number(text)}
    return len(numbers) == len(texts) > 1 and all(number % 1 == 0 for number in numbers)


def _may_have_header(start: int | None, further: Array) -> bool:
    """Return whether rows below a line of whole numbers show that it may be a header. `start` is the first one of a
    line that counts its fields. Whole numbers from 1, and others, are common as logits, too."""
    is_fraction = further[np.isfinite(further)] % 1 != 0
    if start is None:
        return bool(is_fraction.all()) and len(is_fraction) >= _MIN_FRACTIONS
    return len(further) > 0 and (start == 0 or bool(is_fraction.any()))


def _width(block: Block, row: int) -> int:
    """Return the number of classes of a row of a block."""
    return int(block.logits.shape[1] if block.widths is None else block.widths[row])


# One vector, one class per line


def _read_vector(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read one vector with one class per line: a number, a label and a number, or `label=number`."""
    has_labels = not fields.is_number(first.text)
    if has_labels:
        _check_numbered_fields(first, options)
    labels: list[str] = []
    values: list[Array] = []
    lines: list[int] = []
    blanks = BlankLines("classes", "remove it, or write one row per line", options)
    for batch in batches:
        numbers = None if has_labels or blanks.seen else batch.numbers()
        if numbers is not None and (numbers.widths == 1).all():
            values.append(numbers.values)
            lines += range(batch.number, batch.number + len(numbers.values))
            continue
        if has_labels:
            check_labeled_comments(batch, options.delimiter, 2, [1], "class", options)
        if fields.is_pair(first.text):
            _check_pair_comments(batch, options)
        classes = [(_labeled_number(line, has_labels, options), line.number) for line in blanks.without(batch.lines())]
        labels += [label for (label, _), _ in classes]
        values.append(np.array([value for (_, value), _ in classes]))
        lines += [number for _, number in classes]
    names = tuple(labels) if has_labels else None
    if (repeated := first_repeated(labels)) is not None:
        raise options.error(lines[repeated], f"{repeats(labels[repeated])}; {CLASSES_IN_A_LINE}")
    if len(labels) > 1 and all(map(fields.looks_like_number, labels[1:])) and not fields.is_pair(first.text):
        problem = f"tsoft reads each line as a label and a number, since {shortened(labels[0])!r} is not a number"
        options.note(f"{options.source}:{first.number}: {problem}; if the lines are rows, correct that field")
    numbers_of_lines = np.concatenate(values)
    if not has_labels and options.reads_column(len(numbers_of_lines)):
        group = RowGroup(numbers_of_lines[:, np.newaxis], lines)
    else:
        group = RowGroup(numbers_of_lines[np.newaxis], lines[:1], names, class_lines=[lines])
    yield from blocks([group], options)


def _check_numbered_fields(first: Line, options: ReadOptions) -> None:
    """Raise InputError for fields such as `1:4.5 2:-0.5`, which would be a label."""
    texts = fields.split_labels(first.text, options.delimiter)
    numbered = [text for text in texts if all(map(fields.is_number, text.split(":"))) and text.count(":") == 1]
    if len(numbered) > 1:
        name, number = numbered[0].split(":")
        fix = f"write {name}={number}, and nothing but the classes in the line"
        raise options.error(first.number, f"{shortened(numbered[0])!r} is not a number; {fix}")


def _labeled_number(line: Line, has_label: bool, options: ReadOptions) -> tuple[str, float]:
    """Return the label and number of a line. The label is empty if the vector has no labels."""
    try:
        is_pair = has_label and fields.is_pair(line.text)
        *label, value = (
            fields.with_tight_pairs(line.text).rsplit("=", 1)
            if is_pair
            else fields.split_labels(line.text, options.delimiter)
        )
        if label and not has_label:
            raise fields.FieldError(f"expected one number per line, as in the first line, got {len(label) + 1} fields")
        if len(label) > 1 and all(map(fields.looks_like_number, label)):
            raise fields.FieldError(
                f"expected a label and a number, as in the first line, got {len(label) + 1} numbers"
            )
        if has_label and not label:
            raise fields.FieldError(f"expected a label and a number, as in the first line, got {shortened(value)!r}")
        return " ".join(label), fields.numbers([*"0" * len(label), value])[-1]
    except fields.FieldError as error:
        raise options.field_error(line.number, error) from None
