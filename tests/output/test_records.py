"""The writer of records, whose output the standard library's csv and json read back."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, nan
from random import Random
from typing import Any

import numpy as np
import pytest

from cases import each_case
from tsoft.errors import InputError
from tsoft.output import records
from tsoft.output.number_format import NumberFormat
from tsoft.output.records import PIECE_LENGTH, Column, Fields, In, Recorded, Records, write


@dataclass
class FixedRecords(Recorded):
    """A result with these records."""

    chunks: list[Records]

    def records(self) -> Iterator[Records]:
        return iter(self.chunks)


@dataclass
class FixedObjects(FixedRecords):
    """A result with these batches of JSON objects."""

    batches: list[list[Mapping[str, Any] | Fields]]

    def objects(self) -> Iterator[Iterable[Mapping[str, Any] | Fields]]:
        return iter(self.batches)


def text(recorded: Recorded, format: str, digits: int | None = None) -> str:
    pieces = write(recorded, format, NumberFormat(digits))
    return "".join(piece if isinstance(piece, str) else piece.decode() for piece in pieces)


NUMBERS = np.array([[0.1, -inf, 1e-300], [2.0, 3.0, 1e22]])
TABLE = Records(
    [
        Column("row", range(2), In.CSV | In.JSON),
        Column("label", ['say "x", y', ""]),
        Column("probs", NUMBERS, labels=["a", "b,c", "d"]),
        Column("count", np.array([7, 10**18]), In.JSON),
        Column("seed", [None, 1], In.CSV | In.JSON),
    ]
)


@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_many_records_are_written_in_parts_of_the_same_text(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = Column("probs", np.arange(60.0).reshape(20, 3) / 7, labels=["a", "b", "c"], widths=np.arange(20) % 3 + 1)
    keys = Column("row", np.arange(20), In.CSV)
    table = FixedRecords([Records([keys, numbers]), Records([keys, numbers])])
    expected = text(table, format)
    monkeypatch.setattr(records, "MANY_CELLS", 12)
    monkeypatch.setattr(records, "WRITE_BYTES", 50)
    assert text(table, format) == expected
    assert max(map(len, write(table, format, NumberFormat()))) <= 50


def test_a_format_may_show_no_column() -> None:
    assert text(FixedRecords([Records([Column("row", range(2), In.CSV)])]), "tsv") == ""


def test_csv_has_a_header_and_reads_back() -> None:
    header, *rows = csv.reader(io.StringIO(text(FixedRecords([TABLE]), "csv")))
    assert header == ["row", "label", "a", "b,c", "d", "seed"]
    assert [row[:2] for row in rows] == [["0", 'say "x", y'], ["1", ""]]
    assert [[float(number) for number in row[2:5]] for row in rows] == NUMBERS.tolist()
    assert [row[5] for row in rows] == ["", "1"]


def test_tsv_has_no_header_and_escapes_line_breaks_and_tabs() -> None:
    records = Records([Column("label", ["a\tb\n", 'q"'], In.TSV), Column("n", [1, 2])])
    assert text(FixedRecords([records]), "tsv") == 'a\\tb\\n\t1\nq"\t2\n'


def test_tsv_with_a_header_has_it_once() -> None:
    records = Records([Column("n", [1]), Column("label", ["x,y"]), Column("p", np.array([0.5]))], headed=True)
    assert text(FixedRecords([records, records]), "tsv") == 'n\tlabel\tp\n1\t"x,y"\t0.5\n1\t"x,y"\t0.5\n'


# DEL, C1, the separators and the bidirectional controls, as ranges.
CONTROLS = [(0x7F, 0x9F), (0x61C, 0x61C), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069)]


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_json_escapes_what_a_terminal_obeys_and_reads_back(format: str) -> None:
    controls = "".join(chr(code) for first, last in CONTROLS for code in range(first, last + 1))
    labels = [f"a{controls}é", "\x1b]0;x\x07\n\\u009b", "\x7f", "中\u200d👩"]
    fields: Fields = [("labels", labels), ("draws", iter([np.array([1]), np.array([2])])), (controls, "é")]
    written = text(FixedObjects([], [[fields, {controls: labels}]]), format)
    assert not set(written) & {*controls, "\x1b", "\x07"}
    assert all(character in written for character in "é中\u200d👩"), "other characters stay"
    first, second = json.loads(written) if format == "json" else map(json.loads, written.splitlines())
    assert first == {"labels": labels, "draws": [1, 2], controls: "é"}
    assert second == {controls: labels}


def test_json_is_an_array_and_jsonl_has_one_object_per_line() -> None:
    objects = json.loads(text(FixedRecords([TABLE, TABLE]), "json"))
    assert objects == [json.loads(line) for line in text(FixedRecords([TABLE, TABLE]), "jsonl").splitlines()]
    first = {"row": 0, "label": 'say "x", y', "probs": [0.1, "-inf", 1e-300], "count": 7, "seed": None}
    assert objects[0] == objects[2] == first
    assert objects[1]["count"] == 10**18


def test_infinity_and_nan_in_json() -> None:
    values = {"a": inf, "b": nan, "c": np.array([-inf, nan]), "d": [inf], "e": {"f": (nan, 1.5)}, "g": np.float32(0.1)}
    [record] = json.loads(text(FixedObjects([], [[values]]), "json"))
    assert record == {"a": "inf", "b": None, "c": ["-inf", None], "d": ["inf"], "e": {"f": [None, 1.5]}, "g": 0.1} | {
        "g": float(np.float32(0.1))
    }


@pytest.mark.parametrize("digits", [1, 3, 17])
def test_digits_round_every_number(digits: int) -> None:
    records = FixedRecords(
        [Records([Column("x", np.array([1 / 3, 2e-9])), Column("m", np.array([[1 / 7], [1e9]]), labels=["m"])])]
    )
    rounded = [[float(f"{x:.{digits}g}") for x in row] for row in ((1 / 3, 1 / 7), (2e-9, 1e9))]
    for line, row in zip(text(records, "tsv", digits).splitlines(), rounded, strict=True):
        assert [float(cell) for cell in line.split("\t")] == row
    assert [[o["x"], *o["m"]] for o in json.loads(text(records, "json", digits))] == rounded


def test_rows_of_different_lengths() -> None:
    column = Column("x", np.array([[1.0, 2.0], [3.0, nan]]), labels=[], widths=np.array([2, 1]))
    assert text(FixedRecords([Records([column])]), "tsv") == "1.0\t2.0\n3.0\n"


@pytest.mark.parametrize("sizes", [[1, 1], [5, 2], [0, 3]])
def test_picks_are_the_records_at_these_indices(sizes: list[int]) -> None:
    rng = np.random.default_rng(1)
    picks = [rng.integers(0, 4, size) for size in sizes]
    columns = [Column("row", [7] * 4, In.CSV), Column("label", list("abcd")), Column("p", np.arange(4) / 8, In.CSV)]
    records = [Records(columns, picks=iter(picks)) for _ in range(2)]
    assert text(FixedRecords(records[:1]), "tsv") == "".join("abcd"[i] + "\n" for pick in picks for i in pick)
    rows = [f"7,{'abcd'[i]},{i / 8!r}\n" for pick in picks for i in pick.tolist()]
    assert text(FixedRecords(records[1:]), "csv") == "row,label,p\n" + "".join(rows)


def test_an_iterator_as_a_column_is_one_array_and_is_read_before_the_next_field() -> None:
    pulled: list[int] = []

    def pieces() -> Iterator[Any]:
        for piece in ([1, 2], [3]):
            pulled.extend(piece)
            yield np.array(piece)

    def fields() -> Fields:
        yield "n", 3
        yield "draws", pieces()
        yield "sum", sum(pulled)

    assert json.loads(text(FixedObjects([], [[fields()]]), "jsonl")) == {"n": 3, "draws": [1, 2, 3], "sum": 6}


def test_an_object_may_begin_with_an_array_or_have_none() -> None:
    assert json.loads(text(FixedObjects([], [[[("draws", iter(())), ("n", 0)]]]), "jsonl")) == {"draws": [], "n": 0}


@pytest.mark.parametrize("batches", [[[], [{"a": 1}], [], [{"a": 2}, {"a": 3}]], [[{"a": 1}]], [[]]])
def test_empty_batches_do_not_break_the_array(batches: list[list[Any]]) -> None:
    flat = [element for batch in batches for element in batch]
    if flat:
        assert json.loads(text(FixedObjects([], batches), "json")) == flat
    assert [json.loads(line) for line in text(FixedObjects([], batches), "jsonl").splitlines()] == flat


def test_an_error_does_not_close_the_array() -> None:
    def batches() -> Iterator[Any]:
        yield {"a": 1}
        raise InputError("f:2: wrong")

    pieces: list[str] = []
    with pytest.raises(InputError):
        pieces += [str(piece) for piece in write(FixedObjects([], [batches()]), "json", NumberFormat())]  # type: ignore[list-item]
    with pytest.raises(json.JSONDecodeError):
        json.loads("".join(pieces))


def test_columns_that_differ_from_the_header_are_an_error_with_the_location() -> None:
    chunks = [
        Records([Column("x", np.array([[1.0, 2.0]]), labels=labels)], place)
        for labels, place in ((["a", "b"], "f:1"), (["a", "c"], "f:2"))
    ]
    with pytest.raises(InputError, match=r"^f:2: the classes differ from those in the header"):
        text(FixedRecords(chunks), "csv")
    assert text(FixedRecords(chunks), "tsv") == "1.0\t2.0\n" * 2


def test_long_texts_are_written_in_pieces() -> None:
    batch: list[Any] = [{"x": "y" * 1000}] * 200
    pieces = list(write(FixedObjects([], [batch]), "jsonl", NumberFormat()))
    assert 2 <= len(pieces) <= 1 + 200 * 1010 // PIECE_LENGTH
    assert "".join(map(str, pieces)).count("\n") == 200


def test_json_has_every_text_and_number_unchanged() -> None:
    texts = [*map(chr, range(256)), '\\"\n', "\u2028😀", "\ufeff\uffff", ""]
    random = Random(1)
    floats = [random.gauss(0, 1) * 10.0 ** random.randint(-320, 300) for _ in texts]
    rows = list(zip(texts, [*floats[:-3], inf, -inf, 5e-324], range(-(10**18), 10**18, 7 * 10**15), strict=False))
    columns = [Column(name, list(values)) for name, values in zip("abc", zip(*rows, strict=True), strict=True)]
    objects = json.loads(text(FixedRecords([Records(columns)]), "json"))
    assert [(o["a"], float(o["b"]), o["c"]) for o in objects] == rows


@each_case("format", ["tsv", "csv", "json", "jsonl"])
@each_case(
    "column",
    [
        Column("label", ["é", "\ud800b"]),
        Column("probs", np.zeros((2, 2)), labels=["é", "\ud800b"]),
    ],
)
def test_text_that_is_not_unicode_is_an_error(format: str, column: Column) -> None:
    columns = [column, *([] if column.labels is None else [Column("labels", [column.labels] * 2, In.JSON)])]
    result = FixedRecords([Records(columns, headed=True)])
    with pytest.raises(InputError, match=r"^the text '\\ud800b' has a lone surrogate"):
        list(write(result, format, NumberFormat()))
