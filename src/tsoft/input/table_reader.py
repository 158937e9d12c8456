"""Reading a table: delimited text with a header, and one row per line below it."""

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tsoft.core.block import Block
from tsoft.core.measures import MEASURES
from tsoft.core.softmax import Array
from tsoft.core.thermodynamics import THERMODYNAMICS
from tsoft.errors import InputError, shortened
from tsoft.input import fields
from tsoft.input.class_lookup import BOOLEANS, IGNORED, TargetIndexError, TargetLookup, ordered_pair
from tsoft.input.column_fixes import text_column_fix
from tsoft.input.columns import ID, KEY_COLUMNS, LABEL, STUDENT_MEASURES, TARGET, TARGET_MEASURES, TEACHER_MEASURES
from tsoft.input.labels import CLASSES_IN_A_LINE, Labels, first_repeated, key_labels, repeats
from tsoft.input.lines import Line, LineBatch
from tsoft.input.quantity import QUANTITIES, quantity_in
from tsoft.input.read_options import ReadOptions
from tsoft.input.row_groups import (
    ParsedRow,
    RowGroup,
    blocks,
    check_labeled_comments,
    header_delimiter,
    numbers_of,
    parsed_groups,
    plain_columns,
    without_header,
)
from tsoft.input.table_columns import (
    ROW,
    TAU,
    ColumnError,
    TableColumns,
    decide,
    whole_number,
    with_named_classes,
    with_stated_quantity,
)

# The text of a list, a dictionary, or an object that Python printed.
_STRUCTURE = re.compile(r"\[.*\]\Z|\{.*\}\Z|[A-Z]\w*\(\w+=.*\)\Z", re.DOTALL)


class Table:
    """The layout with a header: each line below it is a row. `lookup` finds the true classes if they are to be read.

    If the targets are in a separate file, those in the table only serve for a comparison, so a target that is no class
    is IGNORED.
    """

    def __init__(self, columns: TableColumns, options: ReadOptions, lookup: TargetLookup | None):
        self.columns, self.options, self.lookup = columns, options, lookup
        self.class_fields: Sequence[int] | None = [i + 1 for i in columns.logits]
        self.labels = columns.labels
        # The key of the next row, if the keys count.
        self._next_key: int | None = None
        self._other_lookup = None
        if options.targets and options.targets.separate and columns.unused_targets and len(columns.logits) > 1:
            names = options.labels.names if options.labels else self.labels
            self._other_lookup = TargetLookup(names, len(columns.logits), options.targets.ignored)

    def check_comments(self, batch: LineBatch) -> None:
        """Raise InputError for a comment that looks like a row with a key, such as `#1,2,0`."""
        columns = self.columns
        if 0 in (columns.key, columns.target, *columns.unused_targets) and not columns.counts:
            width, delimiter = len(columns.names), self.options.delimiter
            check_labeled_comments(batch, delimiter, width, columns.logits, "row", self.options)

    def row(self, line: Line) -> ParsedRow:
        columns, names = self.columns, self.columns.names
        # A key or target may have blanks.
        has_labels = len(columns.logits) < len(names) or '"' in line.text
        texts = _split_row(line.text, self.options.delimiter, len(names)) if has_labels else self._numbers(line.text)
        if len(texts) < len(names) and self.options.delimiter == "\t":
            # A field between two tabs may be empty.
            texts = _split_row(line.text, self.options.delimiter, len(names))
        if len(texts) != len(names):
            raise fields.FieldError(fields.wrong_field_count(len(texts), len(names)))
        try:
            values = fields.numbers([texts[i] for i in columns.logits])
        except fields.FieldError as error:
            index = columns.logits[(error.field or 1) - 1]
            raise self._not_a_logit(error, index, texts) from None
        for i in columns.unused_targets:
            self._check_class(texts[i], i)
        key = None if columns.key is None else self._key(texts[columns.key], columns.key)
        return ParsedRow(line.number, values, self.labels, self._target(texts), key)

    def _numbers(self, text: str) -> list[str]:
        """Split a line of numbers. A line with an empty field may have more fields than the header."""
        try:
            return fields.split(text)
        except fields.FieldError as error:
            count = len(fields.split_labels(text)) if error.is_missing else len(self.columns.names)
            if count == len(self.columns.names):
                raise
            raise fields.FieldError(fields.wrong_field_count(count, len(self.columns.names))) from None

    def _not_a_logit(self, error: fields.FieldError, index: int, texts: list[str]) -> fields.FieldError:
        """Return an error in a column of logits, with what to do if the column is something else."""
        text = texts[index]
        if (structure := next((i for i in self.columns.logits if _STRUCTURE.match(texts[i])), None)) is not None:
            # pandas writes lists and objects as text.
            kind = "a list" if texts[structure].startswith("[") else "an object"
            save = f"save {kind.split()[1]}s as Parquet or JSON Lines"
            fix = f"{save}, in pandas with df.to_json(FILE, orient='records', lines=True)"
            return fields.FieldError(f"{shortened(texts[structure])!r} is {kind}; {fix}", structure + 1)
        name, colon, number = text.partition(":")
        if "|" in text or (colon and fields.is_number(name) and fields.is_number(number)):
            fix = "separate the fields with commas" if "|" in text else f"write {shortened(f'{name}={number}')!r}"
            return fields.FieldError(f"{error.problem}; {fix}", index + 1)
        is_explained = error.is_missing or "; did you mean" in error.problem
        fix = "" if is_explained else self._column_fix(texts)
        return fields.FieldError(error.problem + fix, index + 1, is_missing=error.is_missing)

    def _column_fix(self, texts: list[str]) -> str:
        """Return what to do about the columns of logits that contain other texts in a row."""
        columns = self.columns
        others = {i: texts[i] for i in columns.logits if not fields.is_number(texts[i])}
        return text_column_fix(
            columns.names,
            others,
            {i: texts[i] for i in columns.logits if i not in others},
            has_key=columns.key is not None,
            needs_target=self.options.reads_targets and columns.target is None,
        )

    def _target(self, texts: list[str]) -> int | None:
        index = self.columns.target
        if self._other_lookup is not None:
            return self._index(texts[self.columns.unused_targets[0]])
        if self.lookup is None or index is None:
            return None
        try:
            return self._index(texts[index])
        except ValueError as error:
            raise fields.FieldError(str(error) + self._target_fix(texts[index], index), index + 1) from None

    def _index(self, text: str) -> int:
        """Return the index of a true class. Raise ValueError if the text names no class, and the class is needed."""
        if self.lookup is not None:
            return self.lookup.index(text)
        assert self._other_lookup
        try:
            return self._other_lookup.index(text)
        except ValueError:
            return IGNORED

    def _target_fix(self, text: str, index: int) -> str:
        """Return how to say what a column is that was taken as the targets, if it may be something else."""
        is_chosen = self.options.targets is not None and self.options.targets.column is not None
        is_other = text and (not fields.is_number(text) or whole_number(text) is None)
        if is_chosen or not is_other:
            return ""
        name = shortened(self.columns.names[index])
        return f"; tsoft reads the column {name!r} as the true classes; pass --target-column or --columns if it is not"

    def _check_class(self, text: str, index: int) -> None:
        """Raise FieldError for a fraction in a column of classes that is not used."""
        if fields.is_number(text) and whole_number(text) is None and not text.isdigit():
            name = shortened(self.columns.names[index])
            problem = (
                f"{shortened(text)!r} is not a class, but tsoft ignores the column {name!r} as one of true classes"
            )
            raise fields.FieldError(f"{problem}; list the columns of the logits with --columns", index + 1)

    def _key(self, text: str, index: int) -> str | int:
        """Return the key of the next row. Raise FieldError if the keys stop counting."""
        if not self.columns.counts:
            return text
        key = whole_number(text)
        if key is None or key != (key if self._next_key is None else self._next_key):
            name = shortened(self.columns.names[index])
            column = f"the column {name!r}" if name else "the unnamed column"
            problem = f"expected {self._next_key}, as {column} counts the rows, got {shortened(text)!r}"
            fix = f"pass --id-column {name!r} if it names the rows, or list the columns of the logits with --columns"
            raise fields.FieldError(f"{problem}; {fix}", index + 1)
        self._next_key = key + 1
        return key

    def groups(self, batch: LineBatch) -> list[RowGroup] | None:
        columns, width = self.columns, len(self.columns.names)
        has_texts = columns.key is not None and not columns.counts
        numbers = None if has_texts else batch.numbers()
        if numbers is None or (numbers.widths != width).any():
            return self._groups_of_texts(batch)
        values = numbers.values.reshape(-1, width)
        if (values[:, columns.unused_targets] % 1 != 0).any():
            return None
        keys = None
        if columns.key is not None:
            keys = self._counted_keys(values[:, columns.key])
            if keys is None:
                return None
        targets = None
        if self.lookup and columns.target is not None:
            if not self.lookup.by_index:
                return None
            try:
                targets = self.lookup.indices(values[:, columns.target])
            except TargetIndexError:
                return None
        elif self._other_lookup and self._other_lookup.by_index:
            with contextlib.suppress(TargetIndexError):
                targets = self._other_lookup.indices(values[:, columns.unused_targets[0]])
        if keys is not None:
            self._next_key = keys.stop
        lines = range(batch.number, batch.number + len(values))
        logits = values if columns.logits == tuple(range(width)) else values[:, columns.logits]
        return [RowGroup(logits, lines, self.labels, self.class_fields, targets=targets, keys=keys)]

    def _groups_of_texts(self, batch: LineBatch) -> list[RowGroup] | None:
        """Return the rows of a batch whose key or targets are texts; None if the batch is not plain."""
        columns = self.columns
        texts = plain_columns(batch, len(columns.names), self.options.delimiter)
        if texts is None:
            return None
        values = [numbers_of(texts[i]) for i in columns.logits]
        if any(column is None for column in values):
            return None
        keys: Sequence[str | int] | None = None if columns.key is None else texts[columns.key]
        if columns.key is not None and columns.counts:
            counts = numbers_of(texts[columns.key])
            keys = None if counts is None else self._counted_keys(counts)
            if keys is None:
                return None
        try:
            for i in columns.unused_targets:
                for text in set(texts[i]):
                    self._check_class(text, i)
            targets = None
            if (self.lookup and columns.target is not None) or self._other_lookup:
                column = columns.unused_targets[0] if columns.target is None else columns.target
                indices = {text: self._index(text) for text in set(texts[column])}
                targets = np.array([indices[text] for text in texts[column]])
        except ValueError:
            return None
        if isinstance(keys, range):
            self._next_key = keys.stop
        lines = range(batch.number, batch.number + len(texts[0]))
        logits = np.column_stack([column for column in values if column is not None])
        return [RowGroup(logits, lines, self.labels, self.class_fields, targets=targets, keys=keys)]

    def _counted_keys(self, values: Array) -> range | None:
        """Return the keys of consecutive rows; None if they do not count."""
        first = values[0] if self._next_key is None else self._next_key
        if not (values == np.arange(len(values)) + first).all() or first % 1 != 0:
            return None
        return range(int(first), int(first) + len(values))


def read_table(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read a table: the first line names the columns, and each further line is a row with one number per class."""
    names = fields.split_labels(first.text, options.delimiter)
    # A key or a target may contain another delimiter than that of the header.
    options = replace(options, delimiter=options.delimiter or header_delimiter(first))
    seen: list[LineBatch] = []
    second: Line | None = None
    batches = without_header(first, batches)
    while second is None and (batch := next(batches, None)):
        seen.append(batch)
        second = batch.first()
    if second is None:
        text = next((i for i, name in enumerate(names) if not fields.is_number(name)), None)
        if text is None:
            raise options.error(first.number, "the header has no rows below it")
        problem = f"{fields.not_a_number(names[text])}; if this line is a header, add a row below it"
        raise options.error(first.number, problem, text + 1)
    batches = itertools.chain(seen, batches)
    try:
        names, texts = _first_row(names, first, second, options)
    except fields.FieldError as error:
        raise options.field_error(second.number, error) from None
    options = with_named_classes(names, texts, options)
    try:
        columns = decide(names, texts, options, sorted(written_columns(names, texts, options)))
        if len(columns.logits) == 1:
            options = with_stated_quantity(names[columns.logits[0]], options)
    except ColumnError as error:
        raise options.error(first.number, str(error)) from None
    _check_names(columns, texts, first, options)
    if len(columns.logits) == 1:
        if options.columns.logits is None and options.targets is None:
            _check_labels(columns, first, seen[-1], options)
        if columns.unused_targets:
            options = options.next_to_targets()
    if len(columns.logits) == 1 and options.targets is None and not {ROW, TAU} <= set(names):
        yield from _read_column(columns, batches, options)
        return
    lookup = None
    if columns.target is not None:
        lookup, batches, options = _class_lookup(columns, batches, options)
    elif len(columns.logits) == 1:
        options = options.of_single_scores(names[columns.logits[0]])
    for block in blocks(parsed_groups(Table(columns, options, lookup), batches, options), options):
        yield replace(block, origin=replace(block.origin, doubtful=columns.doubtful))


def _first_row(names: list[str], header: Line, second: Line, options: ReadOptions) -> tuple[list[str], list[str]]:
    """Return the names of the columns, and the fields of the first row. Raise FieldError if they cannot belong
    together."""
    texts = _split_row(second.text, options.delimiter, len(names))
    if not names[0] and len(texts) == len(names) - 1 and header.text.startswith("\t"):
        # The lines are indented.
        names = names[1:]
        if all(map(fields.is_number, names)):
            raise fields.FieldError("this line and the header start with a tab; remove it if the header is a row")
    if len(texts) == len(names) + 1 and '"' in second.text:
        # As R's write.table writes them.
        problem = f"{fields.wrong_field_count(len(texts), len(names))}; if the first field names the row"
        raise fields.FieldError(f"{problem}, write id before the first name of the header")
    return names, texts if len(texts) == len(names) else fields.split(second.text)


def _check_names(columns: TableColumns, texts: list[str], header: Line, options: ReadOptions) -> None:
    """Raise InputError for a header without classes, or with a class without a name."""
    if not columns.logits:
        raise options.error(header.number, "the header names no class; add one column per class")
    unnamed = next((i for i in columns.logits if not columns.names[i]), None)
    if unnamed is not None and not {ROW, TAU} <= set(columns.names):
        fix = "name it" if "".join(texts[unnamed : unnamed + 1]) else "remove the separator at the end of each line"
        problem = f"the column has no name; {fix}, or list the columns of the logits with --columns"
        raise options.error(header.number, problem, unnamed + 1)


def _check_labels(columns: TableColumns, header: Line, batch: LineBatch, options: ReadOptions) -> None:
    """Raise InputError if each line may be a class, because the labels next to single numbers all differ."""
    label = next((i for i in columns.unused_targets if columns.names[i].lower() == LABEL), None)
    if label is None:
        return
    width, lines = len(columns.names), [line for line in batch.lines() if line.text]
    try:
        rows = [_split_row(line.text, options.delimiter, width) for line in lines]
    except fields.FieldError:
        return
    labels = [row[label] for row in rows if len(row) == width]
    if len({*labels}) == len(labels) > 1 + all(map(fields.is_number, labels)):
        name = shortened(columns.names[columns.logits[0]])
        quantity = quantity_in(columns.names[columns.logits[0]])
        *others, last = QUANTITIES
        choice = f"{', '.join(others)} or {last}"
        problem = "ambiguous: each line may be one class, since no label repeats, or one row"
        fix = f"for one class per line, rename {name!r} to {quantity or choice}"
        raise options.error(header.number, f"{problem}; {fix}; for one row per line, pass --columns {name!r}")


def _class_lookup(
    columns: TableColumns, batches: Iterator[LineBatch], options: ReadOptions
) -> tuple[TargetLookup, Iterator[LineBatch], ReadOptions]:
    """Return the lookup of the true classes, and the batches and options for the rows.

    With one logit per row, there are two classes. If the targets name them, but --labels does not, the batches are read
    until both names are known.
    """
    assert options.targets
    assert columns.target is not None
    labels = options.labels.names if options.labels else columns.labels
    ignored = options.targets.ignored
    if len(columns.logits) > 1 or options.labels:
        return TargetLookup(labels, len(columns.logits) if len(columns.logits) > 1 else 2, ignored), batches, options
    seen: list[LineBatch] = []
    names: list[str] = []
    for batch in batches:
        seen.append(batch)
        names = _distinct(names, columns, batch, options)
        if len(names) > 1 or (names and fields.is_number(names[0])):
            break
    batches = itertools.chain(seen, batches)
    if not names or fields.is_number(names[0]) or {name.lower() for name in names} <= set(BOOLEANS):
        return TargetLookup(None, 2, ignored), batches, options
    if len(names) == 1:
        problem = f"every target is {shortened(names[0])!r}; name both classes with --labels NEGATIVE,POSITIVE"
        raise InputError(f"{options.source}: {problem}")
    pair = ordered_pair(names[:2], columns.names[columns.logits[0]])
    return TargetLookup(pair, 2, ignored), batches, replace(options, labels=Labels(pair))


def _distinct(names: list[str], columns: TableColumns, batch: LineBatch, options: ReadOptions) -> list[str]:
    """Return the first two distinct targets, some of which are known, except that of the rows to leave out."""
    assert options.targets
    names, ignored, width = list(names), options.targets.ignored, len(columns.names)
    for line in batch.lines():
        try:
            text = next(itertools.islice(_split_row(line.text, options.delimiter, width), columns.target, None), "")
        except fields.FieldError:
            return names
        is_ignored = fields.is_number(text) and ignored is not None and fields.number(text) == ignored
        if text and text not in names and not is_ignored:
            names.append(text)
        if len(names) > 1:
            break
    return names


def _read_column(columns: TableColumns, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read a table with a single column of logits as one vector, whose classes have the keys as labels."""
    numbers, name = QUANTITIES[options.quantity or "logit"].plural, columns.names[columns.logits[0]]
    reading = f"the header has one column of {numbers}, {name!r}"
    options.note(f"{options.source}: {reading}, which is read as one distribution with one class per line")
    # Labels need not count.
    groups = list(parsed_groups(Table(replace(columns, counts=False), options, None), batches, options))
    values = np.concatenate([group.values for group in groups]).T
    lines = [line for group in groups for line in group.lines]
    labels = key_labels([key for group in groups for key in group.keys or ()])
    if labels and (repeated := first_repeated(labels)) is not None:
        raise options.error(lines[repeated], f"{repeats(labels[repeated])}; {CLASSES_IN_A_LINE}")
    group = RowGroup(values, lines[:1], labels, class_lines=[lines], class_fields=[columns.logits[0] + 1] * len(lines))
    yield from blocks([group], options)


def _split_row(text: str, delimiter: str | None, width: int) -> list[str]:
    """Split a row below a header of `width` fields, whose delimiter also separates the fields of the row if it occurs
    there. Blanks may separate numbers."""
    texts = fields.split_labels(text, delimiter if delimiter and delimiter in text else None)
    if len(texts) == width:
        return texts
    numbers = text.replace(delimiter or " ", " ").split()
    return numbers if len(numbers) == width and all(map(fields.is_number, numbers)) else texts


def written_columns(names: list[str], first: list[str], options: ReadOptions) -> set[int]:
    """Return the indices of the columns that tsoft writes next to the classes and does not read.

    These are tau, and row if there is tau; an engine after both, unless the `first` row has a number there; and, after
    all keys, the measures.
    """
    if TAU not in names:
        return set()
    written = {names.index(name) for name in (ROW, TAU) if name in names}
    keys = len(written) + (names[:3] == [ROW, ID, TAU])
    is_number = fields.is_number("".join(first[keys : keys + 1]))
    if names[keys : keys + 1] == [KEY_COLUMNS[2]] and len(written) > 1 and not is_number:
        written.add(keys)
        keys += 1
    if len(written) > 1 and max(written) == keys - 1:
        for measures in WRITTEN_MEASURES:
            if tuple(names[keys : keys + len(measures)]) == measures:
                written |= set(range(keys, keys + len(measures)))
                break
    return written - ({names.index(TARGET)} if options.targets and TARGET in names else set())


_FIRST_MEASURES = tuple(name for name in MEASURES if name != "varentropy")
# The columns that tsoft writes between the keys and the classes. If two start alike, the longer one is first.
WRITTEN_MEASURES = (
    (TARGET, *TEACHER_MEASURES, *STUDENT_MEASURES, *TARGET_MEASURES),
    (TARGET, *TEACHER_MEASURES, *STUDENT_MEASURES),
    (TARGET, *TEACHER_MEASURES),
    (*MEASURES, *THERMODYNAMICS),
    MEASURES,
    # Without the varentropy, as tsoft wrote them before it had this measure.
    (*_FIRST_MEASURES, *THERMODYNAMICS),
    _FIRST_MEASURES,
)
