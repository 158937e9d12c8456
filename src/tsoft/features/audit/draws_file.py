"""Reading a file of draws: which class was drawn, from which row, and how often."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.errors import InputError, UsageError, shortened
from tsoft.input.fields import unescape
from tsoft.input.json_values import Location, as_list, described, is_index, parsed_json
from tsoft.input.limits import read_limited
from tsoft.input.named_records import delimited_rows
from tsoft.input.read_options import ReadOptions
from tsoft.input.source import STDIN, open_input
from tsoft.input.utf8 import decode_text

NO_DRAWS = "no draws; pass --draws FILE, or --chosen for the tokens of an API response"
_MAX_BYTES = 1 << 28
# Every count and row number with at most this many digits fits in 64 bits.
_MAX_DIGITS = 18
_NPY = b"\x93NUMPY"
# The columns of the tables that `tsoft sample` writes, of which these are read.
_COLUMNS = {"row", "id", "tau", "engine", "index", "label", "count", "expected"}
_COUNTS_FIX = "pass --counts for lines with a class and its count"


@dataclass(frozen=True)
class NamedDraws:
    """The draws of a class: its `name`, a label or an index as text, and their number. `row` is the number of the row
    from 0, None if the file does not say it. `place` is where the file names them.

    The file may also say the `label` of a class that it names by its index, and the number of `classes` of the row.
    """

    place: str
    row: int | None
    name: str
    count: int = 1
    label: str | None = None
    classes: int | None = None


def read_draws(file: str, *, counts: bool) -> list[NamedDraws]:
    """Return the draws of a file, or of stdin for -.

    The file has a label or #INDEX per line, with `counts` followed by a tab and a number. It may also be a table with
    the columns of `tsoft sample`, JSON (an array of draws, an array of such arrays, one per row, or what `tsoft sample`
    writes), or an array of indices in a .npy file. Raise InputError.
    """
    source = STDIN if file == "-" else file
    with open_input(file) as stream:
        data = read_limited(stream, _MAX_BYTES, source, "list of draws")
    if data.startswith(_NPY):
        _refuse_counts("an .npy file", counts=counts)
        draws = _from_array(data, source)
    elif data.lstrip()[:1] in (b"[", b"{") and _is_json(data):
        _refuse_counts("JSON", counts=counts)
        draws = list(_from_json(data, source))
    else:
        text = decode_text(data, source, allows_nul=True)
        lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
        delimiter = next((mark for mark in ",\t" if lines and _is_header(lines[0].split(mark))), None)
        if delimiter:
            _refuse_counts("a table", counts=counts)
        draws = list(_from_table(text, source, delimiter) if delimiter else _from_lines(lines, source, counts=counts))
    if not draws:
        raise InputError(f"{source}: no draws; write one label, or # and an index, per line")
    return draws


def _refuse_counts(kind: str, *, counts: bool) -> None:
    """Raise UsageError for --counts with a file that is not lines of text."""
    if counts:
        raise UsageError(f"--counts has no effect on draws in {kind}; remove --counts")


def _is_json(data: bytes) -> bool:
    """Return whether a text is JSON rather than a label that starts with a bracket."""
    return data.rstrip()[-1:] in (b"]", b"}")


def _is_header(fields: Sequence[str]) -> bool:
    names = {field.strip().lower() for field in fields}
    return len(fields) > 1 and names <= _COLUMNS and bool(names & {"index", "label"})


def _from_lines(lines: Sequence[str], source: str, *, counts: bool) -> Iterator[NamedDraws]:
    for number, line in enumerate(lines, 1):
        place = f"{source}:{number}"
        name, tab, count = line.rpartition("\t")
        if not counts and tab:
            raise InputError(f"{place}: a line has two fields, but a draw has one; {_COUNTS_FIX}")
        if counts and not tab:
            has_comma = line.rpartition(",")[2].strip().isdigit()
            fix = "write a tab in place of the comma" if has_comma else "remove --counts"
            raise InputError(f"{place}: expected a class, a tab and a count, got {shortened(line)!r}; {fix}")
        yield NamedDraws(place, None, unescape(name if counts else line), _count(count, place) if counts else 1)


def _from_table(text: str, source: str, delimiter: str) -> Iterator[NamedDraws]:
    lines = delimited_rows(text, delimiter, ReadOptions(source))
    number, header = next(lines)
    names = [name.strip().lower() for name in header]
    if len(set(names)) < len(names):
        raise InputError(f"{source}:{number}: two columns have the same name; write each name once")
    taus: set[str] = set()
    for number, fields in lines:
        place = f"{source}:{number}"
        if not fields:
            continue
        if len(fields) != len(names):
            raise InputError(f"{place}: expected {len(names)} fields, as in the header, got {len(fields)}")
        record = dict(zip(names, fields, strict=True))
        taus.add(record.get("tau", "") + record.get("engine", ""))
        if len(taus) > 1:
            raise InputError(f"{place}: the draws have several temperatures or engines; pass those of one")
        label = unescape(record["label"]) if "label" in record else None
        name = f"#{record['index']}" if record.get("index") else label or ""
        row = _count(record["row"], place) if "row" in record else None
        count = _count(record["count"], place) if "count" in record else 1
        yield NamedDraws(place, row, name, count, label)


def _count(text: str, place: str) -> int:
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit():
        raise InputError(f"{place}: expected a whole number, got {shortened(text)!r}")
    if len(digits) > _MAX_DIGITS:
        raise InputError(f"{place}: {shortened(text)} is too large; write at most {_MAX_DIGITS} digits")
    return int(digits)


def _from_json(data: bytes, source: str) -> Iterator[NamedDraws]:
    lines = [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    is_lines = len(lines) > 1 and all(line.strip()[:1] == b"{" and line.strip()[-1:] == b"}" for _, line in lines)
    options = ReadOptions(source)
    if is_lines:
        value: Any = [parsed_json(line, options, number) for number, line in lines]
    else:
        value = parsed_json(data, options, 1)
    values = as_list([value] if isinstance(value, dict) else value, Location(source))
    taus: set[Any] = set()
    for i, element in enumerate(values):
        location = Location(source, (f"element {i}",))
        if isinstance(element, dict):
            taus.add(_setting(element, location))
            if len(taus) > 1:
                raise location.error("the draws have several temperatures or engines; pass those of one")
            yield from _from_record(element, location, i)
        elif isinstance(element, list):
            yield from (NamedDraws(location.place, i, _name(each, location)) for each in element)
        else:
            yield NamedDraws(location.place, None, _name(element, location))


def _setting(record: dict[str, Any], location: Location) -> tuple[Any, Any]:
    """Return the temperature and the engine of a record."""
    for name in ("tau", "engine"):
        if isinstance(record.get(name), list | dict):
            raise location.at(name).error(f"expected one per record, got {described(record[name])}")
    return record.get("tau"), record.get("engine")


def _from_record(record: dict[str, Any], location: Location, position: int) -> Iterator[NamedDraws]:
    """Yield the draws of a record of `tsoft sample`, or its counts if it has no draws."""
    row = record.get("row", position)
    if not is_index(row):
        raise location.error(f"row: expected a whole number, got {described(row)}")
    key = next((key for key in ("draws", "counts") if key in record), None)
    if key is None:
        raise location.error("expected draws or counts, as tsoft sample writes them")
    values = as_list(record[key], location.at(key))
    place = location.place
    if key == "draws":
        yield from (NamedDraws(place, row, _name(value, location.at(key))) for value in values)
        return
    labels = record.get("labels")
    if not isinstance(labels, list) or len(labels) != len(values):
        labels = [None] * len(values)
    for index, (count, label) in enumerate(zip(values, labels, strict=True)):
        if not is_index(count):
            raise location.at(key).error(f"expected a whole number, got {described(count)}")
        yield NamedDraws(place, row, f"#{index}", count, label if isinstance(label, str) else None, len(values))


def _name(value: Any, location: Location) -> str:
    if isinstance(value, str):
        return value
    if is_index(value):
        return f"#{value}"
    raise location.error(f"expected a label or an index, got {described(value)}")


def _from_array(data: bytes, source: str) -> list[NamedDraws]:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise InputError(f"{source}: not a readable .npy file: {shortened(str(error), 80)}") from None
    if array.dtype.kind not in "iu" or array.ndim not in (1, 2):
        problem = f"expected whole numbers in one axis, or two for several rows, got {array.dtype} {array.shape}"
        raise InputError(f"{source}: {problem}")
    if not array.size:
        return []
    rows: Iterable[int | None] = [None] if array.ndim == 1 else range(len(array))
    pairs = zip(rows, array.reshape(-1, array.shape[-1]).tolist(), strict=True)
    return [NamedDraws(source, row, f"#{index}") for row, indices in pairs for index in indices]
