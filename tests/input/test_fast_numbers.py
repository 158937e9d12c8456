"""Numbers parsed and written in bulk, compared with numbers one by one."""

import io
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tool import started
from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input import delimited, fast_numbers, lines
from tsoft.input.labels import Labels
from tsoft.input.read_options import ColumnOptions, ReadOptions, TargetSource
from tsoft.output import records
from tsoft.output.distribution_records import Content, DistributionRecords
from tsoft.output.number_format import NumberFormat
from tsoft.output.records import write
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.distributions import Distributions

NEVER = 1 << 60
FLOATS = st.floats(allow_nan=False) | st.integers(-(10**20), 10**20)
ODD = (
    "1. .5 +1 -0 -0.0 00.1 01 1e400 -1e400 -inf inf Infinity -infinity nan 1_0 1e5 1E+05 1e -e 1-2 - 0x1 5e-324 1e-0",
    "−1 123456789012345678901234567890 2.2250738585072011e-308 9007199254740993 1.7976931348623159e308 -inf1 1-inf",
)
NUMBERS = FLOATS.map(repr) | st.sampled_from(" ".join(ODD).split())
SEPARATORS = st.sampled_from([" ", " ", "  ", "\t", ",", ", ", " ,", ";", " \t", ",,"])
ENDS = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", " \n", "\n ", "\n\n", " # said\n", "\r", "\n#\n", "\n\ufeff"])


HEADS = ["# head\n", "a b\n", "a,b,c\n", "row,a,b\n", "\ufeff", "row\ttau\tx\n"]


@st.composite
def texts_of_odd_numbers(draw: st.DrawFn) -> bytes:
    """Lines of numbers in every notation, valid or not."""
    width = draw(st.sampled_from([None, 1, 2, 3]))
    text = draw(st.sampled_from(["", *HEADS]))
    for _ in range(draw(st.integers(1, 12))):
        count = width or draw(st.integers(1, 3))
        parts = [*(draw(SEPARATORS) for _ in range(count - 1)), draw(ENDS)]
        text += "".join(draw(NUMBERS) + part for part in parts)
    return text.encode()


@st.composite
def texts_of_numbers(draw: st.DrawFn) -> bytes:
    """Lines of numbers, at most one of them wrong."""
    separator = draw(st.sampled_from([" ", "  ", "\t", ",", ", ", " ; ", ";"]))
    width = draw(st.sampled_from([None, 1, 2, 3]))
    head = draw(st.sampled_from(["", "", "# head\n", separator.join("abc"[:width]) + "\n", "\ufeff"]))
    count = draw(st.integers(1, 30))
    number = st.floats(0, 1).map(repr) | st.sampled_from(["1", "0", "1.", "+.5", "01", "-0", "1e-300", "2e-7"])
    lines = [separator.join(draw(number) for _ in range(width or draw(st.integers(1, 3)))) for _ in range(count)]
    lines = [line + draw(st.sampled_from(["\n", "\n", "\r\n", " \n"])) for line in lines]
    wrong = draw(st.integers(0, 3 * count))
    if wrong < count:
        lines[wrong] = draw(NUMBERS) + draw(SEPARATORS) + draw(NUMBERS) + draw(ENDS)
    return (head + "".join(lines)).encode()


@st.composite
def long_form_texts(draw: st.DrawFn) -> bytes:
    """Lines of the long form."""
    names = draw(st.sampled_from(["row label logit", "row tau index label prob", "label energy", "index label logit"]))
    delimiter = draw(st.sampled_from([",", ",", "\t", ";", " "]))
    is_valid = draw(st.booleans())
    odd = () if is_valid else ('"x,y"', '""', "\\t", "#1")
    cells = {
        "label": st.sampled_from(["a", "b", "b", "c d", " e ", "", "é", *odd]),
        "index": st.sampled_from(["0", "1", "2", "3", "01", "x", ""]),
        "row": st.sampled_from(["0", "0", "0", "1"]),
        "tau": st.sampled_from(["1", "1", "2"]),
    }
    number = st.just("0.5") if is_valid else st.sampled_from(["0.25", "1", "0", "-1", "-inf", "nan", "x", "1e400"])
    lines = [delimiter.join(names.split())]
    for i in range(draw(st.integers(1, 12))):
        fields = [draw(cells.get(name, number)) for name in names.split()]
        if is_valid and "index" in names:
            fields[names.split().index("index")] = str(i)
        lines.append(
            delimiter.join(fields)
            + draw(st.sampled_from([""] * (15 if is_valid else 5) + [" ", "\t", "\r", "\n", delimiter]))
        )
    return ("\n".join(lines) + "\n").encode()


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Tables with keys and targets, most of them valid."""
    names = draw(st.lists(st.sampled_from(["id", "label", "y", "cat", "dog", "0", "row", ""]), min_size=2, unique=True))
    delimiter = draw(st.sampled_from([",", ",", "\t", ";", " "]))
    texts, start = draw(st.booleans()), draw(st.integers(0, 3))
    wrong = draw(st.sampled_from([None, None, None, "x", "0.5", "7", "", "#1", '"a b"', "-100", "1,5"]))
    lines = [delimiter.join(names)]
    for i in range(draw(st.integers(1, 12))):
        target = draw(st.sampled_from(["cat", "dog"] if texts else ["0", "1", "1.0"]))
        cells = {"id": f"img_{i}" if texts else str(start + i), "label": target, "y": target, "row": f"{i}", "": f"{i}"}
        fields = [cells.get(name) or draw(st.sampled_from(["2", "-1.5", "-inf", "0"])) for name in names]
        if wrong is not None and draw(st.integers(0, 9)) == 0:
            fields[draw(st.integers(0, len(names) - 1))] = wrong
        lines.append(delimiter.join(fields))
    return ("\n".join(lines) + "\n").encode()


class SlowStream(io.BytesIO):
    """A stream that returns a few bytes per read."""

    def __init__(self, data: bytes, step: int):
        super().__init__(data)
        self.step = step

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self.step)


Row = tuple[int, tuple[str, ...] | None, str, list[str], int | None, str | int | None]


def read(data: bytes, options: ReadOptions, step: int) -> tuple[list[Row], str]:
    """Return the rows that are read, and the message of the error that ends them."""
    rows: list[Row] = []
    try:
        for block in unpadded(delimited.read(SlowStream(data, step), options)):
            targets = [None] * len(block.logits) if block.targets is None else block.targets.tolist()
            keys = [None] * len(block.logits) if block.keys is None else block.keys
            for row, values, target, key in zip(block.rows, block.logits.tolist(), targets, keys, strict=True):
                numbers = [*map(float.hex, values)]
                rows.append((row, block.labels, block.origin.quantity, numbers, target, key))
    except InputError as error:
        return rows, str(error)
    return rows, ""


def unpadded(blocks: Iterator[Block]) -> Iterator[Block]:
    return (part for block in blocks for part in block.split_by_width())


OPTIONS = st.builds(
    ReadOptions,
    st.just("f"),
    st.sampled_from([None, None, "prob", "energy", "logprob"]),
    st.sampled_from([None, None, None, Labels(("x", "y"))]),
    st.sampled_from([None, None, ",", "\t"]),
    st.none(),
    st.sampled_from(
        [None, None, TargetSource(), TargetSource(ignored=-100), TargetSource(separate=True), TargetSource("label")]
    ),
    columns=st.sampled_from([ColumnOptions(), ColumnOptions(), ColumnOptions(key="id"), ColumnOptions(("cat", "dog"))]),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    texts_of_odd_numbers() | texts_of_numbers() | long_form_texts() | tables(),
    OPTIONS,
    st.sampled_from([7, 40, 1 << 18]),
)
def test_the_fast_and_the_slow_parser_agree(data: bytes, options: ReadOptions, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_numbers, "MIN_BYTES", NEVER)
        expected = read(data, options, step)
        patch.setattr(fast_numbers, "MIN_BYTES", 1)
        assert read(data, options, step) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(FLOATS.map(repr) | st.just("-inf"), min_size=1, max_size=40), st.sampled_from([" ", ",", "\t", "\n"]))
def test_plain_numbers_are_read_exactly(texts: list[str], separator: str) -> None:
    parsed = fast_numbers.parse(separator.join(texts).encode())
    assert parsed is not None
    assert [*map(float.hex, parsed[0].tolist())] == [float(each).hex() for each in texts]
    assert parsed[1].tolist() == ([1] * len(texts) if separator == "\n" else [len(texts)])


def bits(kind: type, seed: int) -> Array:
    """Return numbers of all sizes: random bit patterns except NaN, and common numbers."""
    rng, size = np.random.default_rng(seed), np.dtype(kind).itemsize
    patterns: Array = np.frombuffer(rng.bytes(20_000 * size), kind)
    sizes: Array = (10 ** rng.uniform(-12, 18, 20_000)).astype(kind)
    others: Array = np.array([*10.0 ** np.arange(-30, 30), 0, -0.0, -np.inf]).astype(kind)
    values = np.concatenate([patterns, sizes, -sizes.round(6), others])
    return np.asarray(values[~np.isnan(values)])


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("small", [False, True])
def test_printed_numbers_read_back(kind: type, small: bool) -> None:
    values = bits(kind, 1)
    values = values[~(abs(values) >= fast_numbers.LARGE) | np.isneginf(values)] if small else values
    texts = NumberFormat().texts(values)
    assert np.array(texts, kind).tobytes() == values.tobytes()
    # The text is the shortest, and the same for few and for many numbers.
    assert max(map(len, texts)) <= 32
    assert texts == [each for value in values for each in NumberFormat().texts(np.array([value]))]
    assert NumberFormat().lines(values.reshape(1, -1)).decode() == "\t".join(texts) + "\n"


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.lists(st.lists(st.floats(-50, 0) | st.just(-np.inf), min_size=1, max_size=5), min_size=1, max_size=20),
    st.sampled_from([None, 1, 6, 17]),
)
def test_lines_written_in_bulk_are_the_same(rows: list[list[float]], digits: int | None) -> None:
    widths = np.array([len(row) for row in rows])
    full = np.full((len(rows), widths.max()), -np.inf)
    for values, row in zip(full, rows, strict=True):
        values[: len(row)] = row
    writing = NumberFormat(digits=digits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_numbers, "MIN_NUMBERS", NEVER)
        expected = ["\t".join(writing.texts(np.array(row))) for row in rows]
        patch.setattr(fast_numbers, "MIN_NUMBERS", 1)
        assert writing.lines(full, widths).decode().splitlines() == expected
        same = full[widths == widths.max()]
        assert writing.lines(same).decode().splitlines() == ["\t".join(writing.texts(row)) for row in same]


def written(results: Iterable[Distributions], writing: NumberFormat, log: bool = False) -> bytes:
    parts = write(DistributionRecords(list(results), Content(log)), "tsv", writing)
    return b"".join(part.encode() if isinstance(part, str) else part for part in parts)


@pytest.mark.parametrize(
    ("writing", "log"), [(NumberFormat(), False), (NumberFormat(), True), (NumberFormat(4), False)]
)
def test_padded_rows_are_written_as_separate_rows_are(writing: NumberFormat, log: bool) -> None:
    rng, taus = np.random.default_rng(1), np.array([0.5, 2])
    data = "".join(" ".join(map(repr, rng.standard_normal(2 + i % 13).tolist())) + "\n" for i in range(300)).encode()
    [block] = delimited.read(io.BufferedReader(io.BytesIO(data)), ReadOptions("f"))
    assert block.widths is not None
    together = written(distribution_pieces(block, taus), writing, log)
    separate = [Distributions(block.part(r, r + 1), taus) for r in range(len(block.logits))]
    assert together == written(separate, writing, log)


def test_a_long_line_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    result = Distributions(Block(np.random.default_rng(1).standard_normal((1, 1000))), np.array([1.0]))
    whole = written([result], NumberFormat())
    monkeypatch.setattr(records, "LONG_LINE", 300)
    assert written([result], NumberFormat()) == whole
    assert (whole.count(b"\n"), whole.count(b"\t")) == (1, 999)


def test_rows_of_several_lengths_are_written_at_once() -> None:
    """The rows of one chunk do not wait for the next chunk."""
    with started("compute") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"1 2\n1 2 3\n" * 1000)
        process.stdin.flush()
        for _ in range(1000):
            assert len(process.stdout.readline().split()) == 2
            assert len(process.stdout.readline().split()) == 3
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def test_a_batch_returns_its_lines_by_number() -> None:
    batch = lines.LineBatch(b"# said\n\n1 2\n3 4", 5, ReadOptions("f"))
    first = batch.first()
    assert first == lines.Line(7, "1 2")
    assert batch.since(8) == lines.LineBatch(b"3 4", 8, ReadOptions("f"))
    assert batch.since(9) is None
