"""The chart of grouped bars, read back from its text cell by cell."""

import re

import numpy as np
import pytest
from pyte.graphics import FG_BG_256
from rich.cells import cell_len

import tsoft
from cases import each_case
from pictures import LOGITS, SERIES, bar_example, on_screen, plain
from tool import here
from tsoft.charts.bars import FILLS, grouped_bars
from tsoft.charts.style import tau_colors
from tsoft.core.softmax import Array

ROWS = 12

HOSTILE = ["日本語のとても長い名前", "", "x" * 60, "[red]\\x1b[31m\\n", "né́", "👩‍🚀🇫🇷", "…", " "]


def colors(series: int, color: bool) -> list[int] | None:
    return tau_colors(range(series)) if color else None


def chart(probs: object, *, classes: list[str] | None = None, width: int = 80, color: bool = False) -> str:
    """Return the chart of probabilities, (series, classes), with arbitrary names."""
    array = np.array(probs, float)
    series, count = array.shape
    names = classes or [f"c{i}" for i in range(count)]
    return grouped_bars(names, [f"s{i}" for i in range(series)], array, width=width, colors=colors(series, color))


def heights(text: str) -> list[int]:
    """Return the height, in eighths of a line, of each column of bars in a chart without color, without the gaps."""
    rows = [line[line.index(axis) + 1 :] for line in plain(text) for axis in "┤│" if axis in line]
    width = max(map(len, rows))
    columns = zip(*(row.ljust(width) for row in rows), strict=True)
    caps = " ▁▂▃▄▅▆▇"
    values = [sum(8 if cell in FILLS else caps.index(cell) for cell in column) for column in columns]
    return [height for height in values if height]


def eighths(probs: Array, top: float = 1.0) -> list[int]:
    """Return the expected heights of bars that are one column wide, class by class."""
    return [max(1, round(float(p) / top * ROWS * 8)) for p in probs.T.ravel() if p > 0]


@pytest.mark.parametrize("width", [40, 80])
def test_color_changes_nothing_but_the_fills(width: int) -> None:
    expected = re.sub("[▒░]", "█", bar_example(width))
    assert plain(bar_example(width, color=True)) == expected.splitlines()


def test_each_bar_has_the_color_of_its_legend_and_no_background() -> None:
    screen = on_screen(bar_example(80, color=True), 80)
    blue, second, red = (FG_BG_256[code] for code in tau_colors([0.5, 1, 2]))
    legend = [screen.buffer[0][column].fg for column in (6, 19, 30)]
    foot = [screen.buffer[ROWS][column].fg for column in range(7, 22)]
    assert legend == [blue, second, red]
    assert foot == [blue] * 5 + [second] * 5 + [red] * 5
    assert {cell.bg for row in screen.buffer.values() for cell in row.values()} == {"default"}


@pytest.mark.parametrize("count", [1, 2, 8])
def test_escape_codes_are_only_colors_of_temperatures(count: int) -> None:
    codes = re.findall(r"\x1b([^m]*)m", chart(np.full((count, 3), 1 / 3), color=True))
    assert set(codes) == {"[0", *(f"[38;5;{code}" for code in colors(count, True) or [])}


@pytest.mark.parametrize("count", range(1, 9))
def test_without_color_the_series_have_different_fills(count: int) -> None:
    text = chart(np.full((count, 2), 0.5), width=60)
    fills = [fill for fill, _ in re.findall(r"((\S)\2) s\d", text)]
    lowest = plain(text)[-3].split("│")[1].split()
    assert len(set(fills)) == count
    assert [re.sub(r"(.)\1*", r"\1\1", group) for group in lowest] == ["".join(fills)] * 2
    assert "\x1b" not in text


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("width", [1, 5, 12, 33, 41, 80, 237])
def test_no_line_is_wider_than_the_width(width: int, count: int, color: bool) -> None:
    probs = tsoft.softmax(np.linspace(3, 0, len(HOSTILE)), np.linspace(0.2, 3, count))
    text = grouped_bars(HOSTILE, ["τ = 0.123456789"] * count, probs, width=width, colors=colors(count, color))
    assert text.endswith("\n")
    assert max(cell_len(line) for line in plain(text)) <= width


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_of_this_width_wraps_no_line(width: int) -> None:
    classes = ["日本語の名前", "ab", "ﾊﾝｶｸ", "한국어한국어한국어"]
    text = grouped_bars(classes, SERIES, tsoft.softmax(LOGITS, [0.5, 1, 2]), width=width, colors=colors(3, True))
    screen = on_screen(text, width)
    assert screen.cursor.y == text.count("\n") == ROWS + 3
    assert "ab" in screen.display[ROWS + 2]


def test_wide_names_do_not_shift_other_names() -> None:
    narrow = plain(chart([[0.5, 0.5]], classes=["xxxx", "here"]))[-1]
    for name in ("日本", "", "日本語" * 20, "x" * 60):
        wide = plain(chart([[0.5, 0.5]], classes=[name, "here"]))[-1]
        assert cell_len(wide[: wide.index("here")]) == narrow.index("here")


def test_wide_names_are_centered_and_cut_by_their_columns() -> None:
    as_wide = plain(chart([[0.5, 0.5]], classes=["x" * 20, ""]))[-1]
    assert plain(chart([[0.5, 0.5]], classes=["日" * 10, ""]))[-1] == as_wide.replace("xx", "日")
    assert plain(chart([[0.5, 0.5]], classes=["日" * 20, ""]))[-1].strip() == "日" * 17 + "…"


def test_a_name_is_under_the_middle_of_its_group() -> None:
    text = plain(chart(np.full((3, 4), 0.25), classes=["aaa", "bbb", "ccc", "ddd"], width=81))
    groups = [match.span() for match in re.finditer(r"\S+", text[-3].replace("│", " "))]
    names = [match.span() for match in re.finditer(r"\S+", text[-1])]
    for (bar_start, bar_end), (start, end) in zip(groups, names, strict=True):
        assert abs((bar_start + bar_end) - (start + end)) <= 2


def test_a_long_name_is_cut() -> None:
    assert plain(chart([[0.5, 0.5]], classes=["x" * 60, "y"], width=25))[-1] == "      xxxxxxxx…     y"


def test_heights_are_the_probabilities() -> None:
    probs = tsoft.softmax(np.linspace(2, -5, 9), [0.5, 1, 3])
    text = chart(probs, width=5 + 9 * 4)
    assert heights(text) == eighths(probs)


def test_widths_of_the_bars_are_equal() -> None:
    for width in range(20, 130):
        lowest = plain(chart(np.full((3, 2), 0.5), width=width))[-3].split("│")[1]
        assert len({lowest.count(fill) for fill in FILLS[:3]}) == 1
        assert lowest.count("█") % 2 == 0 < lowest.count("█")


def test_zero_has_no_bar_and_tiny_probabilities_the_lowest() -> None:
    assert heights(chart([[1, 0, 1e-300]], width=17)) == [96, 96, 96, 1, 1, 1]
    assert heights(chart([[0, 0]])) == []


def test_rounding_above_one_stays_in_the_chart() -> None:
    assert set(heights(chart([[1 + 1e-15]]))) == {96}


def test_one_class_of_one_series_and_equal_values() -> None:
    assert set(heights(chart([[1]]))) == {96}
    assert heights(chart(np.full((2, 3), 1 / 3), width=5 + 12)) == [80] * 6


@each_case(
    ("highest", "labels"),
    [
        (1, ["1", "0.75", "0.5", "0.25", "0"]),
        (0.41, ["1", "0.75", "0.5", "0.25", "0"]),
        (0.4, ["0.4", "0.3", "0.2", "0.1", "0"]),
        (0.2, ["0.2", "0.15", "0.1", "0.05", "0"]),
        (0.1, ["0.1", "0.075", "0.05", "0.025", "0"]),
        (0.003, ["0.004", "0.003", "0.002", "0.001", "0"]),
        (0, ["1", "0.75", "0.5", "0.25", "0"]),
    ],
)
def test_the_scale_ends_at_a_round_number(highest: float, labels: list[str]) -> None:
    text = chart([[highest, highest / 2]])
    assert re.findall(r"^ *([\d.e-]+)[┤┴]", text, re.MULTILINE) == labels


def test_a_tick_is_level_with_the_bar_of_its_value() -> None:
    for line, prob in enumerate([1, 0.75, 0.5, 0.25]):
        tick = plain(chart([[prob, 1]]))[1 + line * 3]
        assert f"{prob:g}┤" in tick
        assert tick.count("█") == plain(chart([[1, 1]]))[1].count("█")


def test_smallest_numbers_have_a_scale() -> None:
    assert heights(chart([[5e-324]])) == [1] * 12


@pytest.mark.parametrize(
    ("count", "width", "last"),
    [
        (8, 37, None),
        (9, 37, "… 1 more class not charted"),
        (20, 37, "… 12 more classes not charted"),
        (20, 20, "… 16 more classes n…"),
    ],
)
def test_classes_that_do_not_fit_are_counted(count: int, width: int, last: str | None) -> None:
    text = plain(chart(np.full((3, count), 0.3), width=width))
    under = next(i for i, line in enumerate(text) if "┴" in line)
    charted = min(count, (width - 4) // 4)
    assert len(text[under - 1].split("│")[1].split()) == charted
    assert text[under + 1].split() == [f"c{i}" for i in range(charted)]
    assert text[under + 2 :] == ([last] if last else [])


def test_classes_without_a_line_in_the_table_are_counted_as_well() -> None:
    text = here("compute", *map(str, range(45)), "--chart", "-f", "table", COLUMNS="80").stdout
    names = next(line for line in text.splitlines()[::-1] if "#44" in line)
    assert f"… {45 - len(names.split())} more classes not charted" in text.splitlines()


def test_a_long_legend_has_several_lines() -> None:
    text = grouped_bars(["a", "b"], SERIES * 2, np.full((6, 2), 0.5), width=40)
    assert plain(text)[:2] == [
        "      ██ τ = 0.5   ▒▒ τ = 1   ░░ τ = 2",
        "      @@ τ = 0.5   xx τ = 1   ++ τ = 2",
    ]
    assert len(plain(text)) == 16


@pytest.mark.parametrize("height", [15, 10, 4, 24])
def test_height_is_the_number_of_lines(height: int) -> None:
    text = grouped_bars(["a"], ["s"], np.ones((1, 1)), width=40, height=height)
    assert len(plain(text)) == max(7, height)


def test_a_chart_does_not_change_the_next() -> None:
    before = bar_example(80, color=True)
    chart(np.full((8, 30), 0.1), width=120)
    assert bar_example(80, color=True) == before
