"""Reading rows of numbers from JSON: one document, or one value per line.

A row is an array of numbers, an object {label: number}, or a record: an object with an array under the name of a
quantity, such as `logits`, and optionally `labels`, the true class, and a key. A value is a row, an array of arrays, an
array of objects, or the response of an LLM server.
"""

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError, shortened
from tsoft.input.api_responses import ResponseReader
from tsoft.input.column_fixes import text_column_fix
from tsoft.input.json_lines import NumberedLine, joined_lines, numbered_lines
from tsoft.input.json_problems import JsonError
from tsoft.input.json_rows import Description, JsonItem, JsonRow, JsonValue, RowReader
from tsoft.input.json_tables import path_of_rows, scores_fix
from tsoft.input.json_targets import TargetReader
from tsoft.input.json_values import INFINITIES, Location, described, parsed_rows
from tsoft.input.quantity import QUANTITIES, array_name, suggested_quantity
from tsoft.input.read_options import ReadOptions
from tsoft.input.response_kinds import probabilities_problem

# JSON writes a mask that is infinite as a string.
JSON_QUANTITIES = {
    name: replace(quantity, mask=f'"{quantity.mask}"') if quantity.mask in INFINITIES else quantity
    for name, quantity in QUANTITIES.items()
}

_MIXED = "rows of logits and API responses in one source; write them into separate files"
# A source that starts with more objects that are neither rows nor responses is taken for one of wrong rows.
_MOST_OTHERS = 100


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a document or, if the first line is a complete value, of each line as it arrives."""
    batches = numbered_lines(stream, options)
    for batch in batches:
        start = next((i for i, (_, line) in enumerate(batch) if line.strip()), None)
        if start is None:
            continue
        try:
            first = list(_values(batch[start : start + 1], options))
        except InputError as error:
            if not may_continue(batch[start][1]):
                # A text may start with a label in brackets.
                is_text = isinstance(error, JsonError) and error.has_rest and not error.has_fix
                fix = "; if it is not JSON, pass --input-format text" if is_text else ""
                raise InputError(f"{error}{fix}") from None
            document = joined_lines(itertools.chain([batch], batches), options)
            yield from _blocks([[JsonValue(options.source, parsed_rows(document, options, batch[0][0]))]], options)
        else:
            further = (_values(lines, options) for lines in itertools.chain([batch[start + 1 :]], batches))
            yield from _blocks(itertools.chain([first], further), options)
        return
    raise InputError(f"{options.source}: no logits: the input is empty")


def read_lines(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of JSON lines, as the lines arrive."""
    yield from _blocks((_values(batch, options) for batch in numbered_lines(stream, options)), options)


def _values(lines: Iterable[NumberedLine], options: ReadOptions) -> Iterator[JsonValue]:
    """Yield the values of the lines that are not blank."""
    for number, line in lines:
        if line.strip():
            yield JsonValue(f"{options.source}:{number}", parsed_rows(line, options, number))


def may_continue(line: bytes) -> bool:
    """Return whether a line that is not JSON may be the start of a document.

    >>> may_continue(b'{"a":'), may_continue(b"[1,]")
    (True, False)
    """
    import orjson

    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        # orjson stops at NaN and Infinity, which may be anywhere in the line.
        return error.pos >= len(line.rstrip().decode("utf-8", "replace")) or b"NaN" in line or b"Infinity" in line
    return False


def _blocks(batches: Iterable[Iterable[JsonValue]], options: ReadOptions) -> Iterator[Block]:
    """Yield blocks of consecutive rows that arrived together and have the same length, quantity and labels."""
    first_row, first_width = 0, 0
    reader: ResponseReader | None = None
    row_reader, targets = RowReader(options), TargetReader(options)
    others: list[tuple[JsonRow, InputError]] = []
    has_rows = has_responses = False
    all_items = ((item for value in batch for item in row_reader.items(value)) for batch in batches)
    for items in targets.complete(all_items):
        for _, group in itertools.groupby(items, _block_key):
            members = list(group)
            rows = [item for item in members if isinstance(item, JsonRow)]
            if rows:
                try:
                    blocks = iter([_block(rows, first_row, targets, first_width or len(rows[0].values))])
                except InputError as error:
                    if has_rows or len(others) > _MOST_OTHERS or not all(map(_may_describe, rows)):
                        raise
                    others += [(row, error) for row in rows]
                    blocks = iter(())
                else:
                    if has_responses:
                        raise InputError(f"{rows[0].where}: {_MIXED}")
                    _refuse(others)
                    has_rows, first_width = True, first_width or len(rows[0].values)
            else:
                reader = reader or ResponseReader(options, first_row)
                reader.row = first_row
                responses = (item for item in members if isinstance(item, JsonValue))
                blocks = (block for item in responses for block in reader.blocks(Location(item.where), item.value))
            for block in blocks:
                if has_rows and not rows:
                    raise InputError(f"{members[0].where}: {_MIXED}")
                yield block
                first_row += len(block.logits)
                has_responses |= not rows
            if reader:
                skipped = [Description(row.where, {}) for row, _ in others]
                for other in [*skipped, *(item for item in members if isinstance(item, Description))]:
                    options.note(_skipping(other))
                others.clear()
    _refuse(others)
    if reader:
        reader.finish(Location(options.source))
    if first_row == 0:
        raise InputError(f"{options.source}: no logits: the input is empty")


def _skipping(other: Description) -> str:
    """Return the note on a value among responses that is not one, such as the errors of a failed request."""
    shown = "this object" if isinstance(other.value, dict) else shortened(json.dumps(other.value, ensure_ascii=False))
    return f"{other.where}: no log-probabilities; tsoft skips {shown} among responses"


def _may_describe(row: JsonRow) -> bool:
    """Return whether a row is an object with other values than numbers, such as the summary in a file of responses."""
    return row.is_object and any(isinstance(value, str | list | dict) for value in row.values)


def _refuse(others: list[tuple[JsonRow, InputError]]) -> None:
    """Raise the error of the first object that is neither a row nor a response, in a source without responses."""
    for _, error in others:
        raise error


def _block_key(item: JsonItem) -> tuple[Any, ...] | None:
    """Return the properties that the rows of one block share; None for a response, and what describes one."""
    if not isinstance(item, JsonRow):
        return None
    return len(item.values), item.quantity, item.labels, item.target is None, item.id is None


def _block(rows: list[JsonRow], first_row: int, targets: TargetReader, first_width: int) -> Block:
    """Return the block of rows that share their length, quantity and labels. Raise InputError."""
    first = rows[0]
    options = targets.options_for(rows)
    try:
        options = options.for_width(len(first.values), first_width)
        numbers = _numbers(rows, options)
        logits, labels = options.logits(numbers, JSON_QUANTITIES[first.quantity], first.labels, first.where)
    except LogitsError as error:
        column = error.column if error.column is None or len(first.values) > 1 else 0
        raise rows[error.row].error(error.problem, column) from None
    is_binary = logits.shape != numbers.shape
    origin = Origin(
        first.quantity, None, first.labels is not None, first.where, is_binary=is_binary, doubtful=first.doubtful
    )
    indices = targets.indices(rows, labels, logits.shape[1]) if first.target and options.reads_targets else None
    keys = None if first.id is None else [row.id for row in rows if row.id is not None]
    return Block(logits, labels, first_row, origin, targets=indices, keys=keys)


def _numbers(rows: list[JsonRow], options: ReadOptions) -> Array:
    """Return the numbers of rows of the same length, (rows, n). Raise InputError."""
    values = [row.values for row in rows]
    types = set(map(type, itertools.chain.from_iterable(values)))
    if str in types:
        values = [[INFINITIES.get(v, v) if type(v) is str else v for v in row] for row in values]
        types = set(map(type, itertools.chain.from_iterable(values)))
    if types <= {int, float}:
        with contextlib.suppress(OverflowError):
            return np.array(values, np.float64)
    for row in rows:
        for column, value in enumerate(row.values):
            if (problem := _problem(value, row.quantity)) is not None:
                raise row.error(problem + _fix(row, column, options), column)
    raise AssertionError


def _fix(row: JsonRow, column: int, options: ReadOptions) -> str:
    """Return the fix for a value that is not a number, to be added to its problem."""
    if not row.is_object or row.labels is None:
        return ""
    value, record = row.values[column], dict(zip(row.labels, row.values, strict=True))
    if fix := scores_fix(record):
        return f"; {fix}"
    if problem := probabilities_problem(record):
        return f"; {problem}"
    path = path_of_rows(record)
    if isinstance(value, list | dict) and "[]" not in path:
        return f"; {_array_fix(row, row.labels[column])}"
    if path:
        return f"; if the rows are in {path}, pass them alone: jq -c '{path}' FILE"
    return _text_fix(row, options) if isinstance(value, str) else ""


def _array_fix(row: JsonRow, label: str) -> str:
    """Return the fix for an array or an object in the place of a number in {label: number}."""
    suggested = suggested_quantity(label)
    name = array_name(suggested) if suggested else "logits, probs, logprobs or energies"
    fix = f"if it has the numbers of all classes, rename it to {name}"
    if sum(isinstance(value, list | dict) for value in row.values) == 1:
        return fix
    return f"{fix}; write a table as an array with one object per row, as pandas does with orient='records'"


def _text_fix(row: JsonRow, options: ReadOptions) -> str:
    """Return the fix for texts in the place of numbers in {label: number}."""
    texts = {i: value for i, value in enumerate(row.values) if isinstance(value, str) and value not in INFINITIES}
    classes = {i: str(value) for i, value in enumerate(row.values) if _problem(value, row.quantity) is None}
    needs_target = options.reads_targets and row.target is None
    return text_column_fix(row.labels or (), texts, classes, has_key=row.id is not None, needs_target=needs_target)


def _problem(value: Any, quantity: str) -> str | None:
    """Return the problem with a value of a quantity that is not a number; None if it is a number."""
    if type(value) is int:
        return f"{str(value)[:8]}… is too large; the largest number is 1.8e308" if abs(value) >> 1024 else None
    if type(value) is float or (isinstance(value, str) and value in INFINITIES):
        return None
    fix = f"; {JSON_QUANTITIES[quantity].mask_fix}" if value is None else ""
    return f"expected a number, got {described(value)}{fix}"
