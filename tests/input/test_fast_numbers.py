"""Numbers parsed and written in bulk, compared with numbers one by one."""

import io
from collections.abc import Callable, Iterable, Iterator
from random import Random

import numpy as np
import pytest

from tool import in_turns, out
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
ODD = """
    1. .5 +1 -0 -0.0 00.1 01 1e400 -1e400 -inf inf Infinity -infinity nan 1_0 1e5 1E+05 1e -e 1-2 - 0x1 5e-324 1e-0
    −1 123456789012345678901234567890 2.2250738585072011e-308 9007199254740993 1.7976931348623159e308 -inf1 1-inf
"""
SEPARATORS = [" ", " ", "  ", "\t", ",", ", ", " ,", ";", " \t", ",,"]
ENDS = ["\n", "\n", "\n", "\n", "\r\n", " \n", "\n ", "\n\n", " # said\n", "\r", "\n#\n", "\n\ufeff"]
HEADS = ["# head\n", "a b\n", "a,b,c\n", "row,a,b\n", "\ufeff", "row\ttau\tx\n"]


def plain_number(random: Random) -> str:
    """Return a number of any size, a decimal one or a whole one."""
    sizes = [random.gauss(0, 1) * 10.0 ** random.randint(-300, 300), round(random.gauss(0, 9), 3), 5e-324]
    return repr(random.choice([*sizes, random.randint(-(10**20), 10**20)]))


def odd_number(random: Random) -> str:
    return random.choice([plain_number(random), random.choice(ODD.split())])


def text_of_odd_numbers(random: Random) -> str:
    """Return lines of numbers in every notation, valid or not."""
    width = random.choice([None, 1, 2, 3])
    text = random.choice(["", *HEADS])
    for _ in range(random.randint(1, 12)):
        count = width or random.randint(1, 3)
        parts = [*random.choices(SEPARATORS, k=count - 1), random.choice(ENDS)]
        text += "".join(odd_number(random) + part for part in parts)
    return text


def text_of_numbers(random: Random) -> str:
    """Return lines of numbers, at most one of them wrong."""
    separator = random.choice([" ", "  ", "\t", ",", ", ", " ; ", ";"])
    width = random.choice([None, 1, 2, 3])
    head = random.choice(["", "", "# head\n", separator.join("abc"[:width]) + "\n", "\ufeff"])
    count = random.randint(1, 30)
    numbers = ["1", "0", "1.", "+.5", "01", "-0", "1e-300", "2e-7", *(repr(random.random()) for _ in range(8))]
    lines = [separator.join(random.choices(numbers, k=width or random.randint(1, 3))) for _ in range(count)]
    lines = [line + random.choice(["\n", "\n", "\r\n", " \n"]) for line in lines]
    wrong = random.randint(0, 3 * count)
    if wrong < count:
        lines[wrong] = odd_number(random) + random.choice(SEPARATORS) + odd_number(random) + random.choice(ENDS)
    return head + "".join(lines)


def long_form_text(random: Random) -> str:
    """Return lines of the long form."""
    names = random.choice(["row label logit", "row tau index label prob", "label energy", "index label logit"]).split()
    delimiter = random.choice([",", ",", "\t", ";", " "])
    is_valid = random.random() < 0.5
    odd = [] if is_valid else ['"x,y"', '""', "\\t", "#1"]
    numbers = ["0.5"] if is_valid else ["0.25", "1", "0", "-1", "-inf", "nan", "x", "1e400"]
    cells = {
        "label": ["a", "b", "b", "c d", " e ", "", "é", *odd],
        "index": ["0", "1", "2", "3", "01", "x", ""],
        "row": ["0", "0", "0", "1"],
        "tau": ["1", "1", "2"],
    }
    lines = [delimiter.join(names)]
    for i in range(random.randint(1, 12)):
        fields = [random.choice(cells.get(name, numbers)) for name in names]
        if is_valid and "index" in names:
            fields[names.index("index")] = str(i)
        ending = random.choice([""] * (15 if is_valid else 5) + [" ", "\t", "\r", "\n", delimiter])
        lines.append(delimiter.join(fields) + ending)
    return "\n".join(lines) + "\n"


def table(random: Random) -> str:
    """Return a table with keys and targets, which is valid in most cases."""
    names = random.sample(["id", "label", "y", "cat", "dog", "0", "row", ""], random.randint(2, 8))
    delimiter = random.choice([",", ",", "\t", ";", " "])
    texts, start = random.random() < 0.5, random.randint(0, 3)
    wrong = random.choice([None, None, None, "x", "0.5", "7", "", "#1", '"a b"', "-100", "1,5"])
    lines = [delimiter.join(names)]
    for i in range(random.randint(1, 12)):
        target = random.choice(["cat", "dog"] if texts else ["0", "1", "1.0"])
        cells = {"id": f"img_{i}" if texts else str(start + i), "label": target, "y": target, "row": f"{i}", "": f"{i}"}
        fields = [cells.get(name) or random.choice(["2", "-1.5", "-inf", "0"]) for name in names]
        if wrong is not None and random.random() < 0.1:
            fields[random.randrange(len(names))] = wrong
        lines.append(delimiter.join(fields))
    return "\n".join(lines) + "\n"


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


TARGETS = [None, TargetSource(), TargetSource(ignored=-100), TargetSource(separate=True), TargetSource("label")]


def random_options(random: Random) -> ReadOptions:
    return ReadOptions(
        "f",
        random.choice([None, None, "prob", "energy", "logprob"]),
        random.choice([None, None, None, Labels(("x", "y"))]),
        random.choice([None, None, ",", "\t"]),
        targets=random.choice([None, *TARGETS]),
        columns=random.choice(
            [ColumnOptions(), ColumnOptions(), ColumnOptions(key="id"), ColumnOptions(("cat", "dog"))]
        ),
    )


@pytest.mark.parametrize("text", [text_of_odd_numbers, text_of_numbers, long_form_text, table])
def test_the_fast_and_the_slow_parser_agree(text: Callable[[Random], str], monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(1)
    for _ in range(100):
        data, options, step = text(random).encode(), random_options(random), random.choice([7, 40, 1 << 18])
        monkeypatch.setattr(fast_numbers, "MIN_BYTES", NEVER)
        expected = read(data, options, step)
        monkeypatch.setattr(fast_numbers, "MIN_BYTES", 1)
        assert read(data, options, step) == expected, (data, options, step)


def test_plain_numbers_are_read_exactly() -> None:
    random = Random(2)
    for separator in (" ", ",", "\t", "\n"):
        texts = [plain_number(random) for _ in range(500)] + ["-inf"]
        parsed = fast_numbers.parse(separator.join(texts).encode())
        assert parsed is not None
        assert [*map(float.hex, parsed[0].tolist())] == [float(each).hex() for each in texts]
        assert parsed[1].tolist() == ([1] * len(texts) if separator == "\n" else [len(texts)])


def bits(kind: type, seed: int) -> Array:
    """Return numbers of all sizes: random bit patterns except NaN, and common numbers."""
    rng, size = np.random.default_rng(seed), np.dtype(kind).itemsize
    patterns: Array = np.frombuffer(rng.bytes(2000 * size), kind)
    sizes: Array = (10 ** rng.uniform(-12, 18, 2000)).astype(kind)
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


@pytest.mark.parametrize("digits", [None, 1, 6, 17])
def test_lines_written_in_bulk_are_the_same(digits: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(3)
    numbers = [*(random.uniform(-50, 0) for _ in range(40)), -np.inf, 0.0, -0.0, -1e-5, -1e-300]
    rows = [random.choices(numbers, k=random.randint(1, 5)) for _ in range(60)]
    widths = np.array([len(row) for row in rows])
    full = np.full((len(rows), widths.max()), -np.inf)
    for values, row in zip(full, rows, strict=True):
        values[: len(row)] = row
    writing = NumberFormat(digits=digits)
    monkeypatch.setattr(fast_numbers, "MIN_NUMBERS", NEVER)
    expected = ["\t".join(writing.texts(np.array(row))) for row in rows]
    monkeypatch.setattr(fast_numbers, "MIN_NUMBERS", 1)
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
    rows = [out("compute", stdin=row).encode() for row in ("1 2\n", "1 2 3\n")]
    assert in_turns("compute", turns=[(b"1 2\n1 2 3\n" * 1000, b"".join(rows) * 1000)]) == (0, b"")


def test_a_batch_returns_its_lines_by_number() -> None:
    batch = lines.LineBatch(b"# said\n\n1 2\n3 4", 5, ReadOptions("f"))
    first = batch.first()
    assert first == lines.Line(7, "1 2")
    assert batch.since(8) == lines.LineBatch(b"3 4", 8, ReadOptions("f"))
    assert batch.since(9) is None
