"""Curves over temperature and heat maps, read back from their text cell by cell."""

import itertools
import os
import re
import subprocess
import sys
from math import floor, log10

import numpy as np
import pytest
from pyte.graphics import FG_BG_256
from rich.cells import cell_len

import tsoft
from pictures import (
    CLASSES,
    LOGITS,
    PROBS,
    TAUS,
    UNUSUAL_NAMES,
    bar_example,
    curve_example,
    curve_text,
    heatmap_example,
    on_screen,
    plain,
)
from tool import TESTS
from tsoft.charts.axis import round_ticks
from tsoft.charts.curves import CLASS_COLORS, class_colors
from tsoft.charts.heatmap import RAMP, SHADES, heatmap
from tsoft.charts.style import COLD_TO_HOT
from tsoft.core.softmax import Array

WIDTHS = [1, 5, 9, 15, 33, 41, 80, 237]


def canvas(text: str) -> list[str]:
    """Return the lines of the canvas from the top, all as wide as the axis."""
    lines = plain(text)
    axis = next(line for line in lines if "└" in line)
    start, stop = axis.index("└") + 1, axis.index(" τ")
    return [line.ljust(stop)[start:stop] for line in lines if line[start - 1 : start] in ("│", "┤")]


def dots(text: str) -> set[tuple[int, int]]:
    """Return the braille dots of a canvas: column and row, counted from the left and from the bottom."""
    bits = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    lines = canvas(text)
    return {
        (2 * x + across, 4 * (len(lines) - y) - 1 - down)
        for y, line in enumerate(lines)
        for x, cell in enumerate(line)
        for bit, (across, down) in enumerate(bits)
        if 0x2800 <= ord(cell) < 0x2900 and (ord(cell) - 0x2800) >> bit & 1
    }


def scale(text: str) -> list[str]:
    """Return the numbers of the scale of values, from the bottom."""
    return [number for line in plain(text)[::-1] for number in re.findall(r"^ *([\d.e-]+)┤", line)]


def labels(text: str, mark: str) -> list[str]:
    return [matches[-1] for line in plain(text) if (matches := re.findall(rf" ({mark}(?: \w+)?)$", line))]


def numbers(text: str) -> list[tuple[int, str]]:
    """Return the numbers of the axis of temperatures, each with the column of its mark."""
    lines = plain(text)
    axis = next(i for i, line in enumerate(lines) if "└" in line)
    marks = [match.start() for match in re.finditer("[┬┼]", lines[axis])]
    texts = list(re.finditer(r"\S+", lines[axis + 1]))
    assert len(marks) == len(texts)
    for mark, number in zip(marks, texts, strict=True):
        centered = number.start() == mark - len(number.group()) // 2
        assert centered or number.start() == 0 or number.end() >= len(lines[axis])
    return [(mark - lines[axis].index("└") - 1, number.group()) for mark, number in zip(marks, texts, strict=True)]


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_width(width: int, count: int, color: bool) -> None:
    values = tsoft.softmax(np.linspace(3, 0, count), TAUS[::4])
    for height, title in (14, ""), (5, "題" * 200):
        text = curve_text(values, names=UNUSUAL_NAMES[:count], width=width, height=height, color=color, title=title)
        assert text.endswith("\n")
        assert max(map(cell_len, plain(text))) <= width
    text = heatmap(UNUSUAL_NAMES[:count], TAUS[::4], values, width=width, color=color, log=True)
    assert text.endswith("\n")
    assert max(map(cell_len, plain(text))) <= width


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_of_this_width_wraps_no_line(width: int) -> None:
    names = ["日本語の名前", "ab", "ﾊﾝｶｸ", "한국어한국어한국어한국어"]
    for text in (
        curve_text(PROBS, names=names, width=width, color=True),
        heatmap(names, TAUS, PROBS, width=width, color=True, log=True),
    ):
        screen = on_screen(text, width)
        assert screen.cursor.y == text.count("\n")
        assert {cell.bg for row in screen.buffer.values() for cell in row.values()} == {"default"}


def test_escape_codes_are_only_the_colors_of_classes() -> None:
    for text in (curve_example(80), heatmap_example(80), curve_text(PROBS[:, :1])):
        assert "\x1b" not in text
    codes = set(re.findall(r"\x1b([^m]*)m", curve_example(80, True)))
    assert codes == {"[0", "[38;5;244", *(f"[38;5;{color}" for color in class_colors(4))}
    codes = set(re.findall(r"\x1b([^m]*)m", heatmap_example(80, True)))
    assert codes == {"[0", *(f"[38;5;{color}" for color in RAMP)}


@pytest.mark.parametrize("log", [False, True])
def test_letters_are_at_the_values(log: bool) -> None:
    text = curve_text(PROBS[:, :2], TAUS, height=22, log=log, limits=(0, 1))
    lines = canvas(text)[::-1]
    ends = [log10(0.1), log10(10)] if log else [0.1, 10]
    for tau in (0.1, TAUS[6], TAUS[11], 1.7, 5):
        place = ((log10(tau) if log else tau) - ends[0]) / (ends[1] - ends[0])
        column = min(len(lines[0]) - 1, floor(place * len(lines[0]) + 1e-9))
        for letter, prob in zip("ab", tsoft.softmax(LOGITS, tau)[:2], strict=True):
            rows = [row for row, line in enumerate(lines) if line[column] == letter]
            assert rows
            # From one column of a linear axis to the next the curve falls by up to 2 lines.
            assert min(abs(row + 0.5 - prob * len(lines)) for row in rows) <= (1 if log else 2.6)


def test_dots_are_at_the_values() -> None:
    text = curve_text(PROBS[:, 1:2], TAUS, height=22, limits=(0, 0.4))
    columns, rows = 2 * len(canvas(text)[0]), 4 * len(canvas(text))
    drawn = dots(text)
    assert {column for column, _ in drawn} == set(range(columns))
    for column in range(columns):
        tau = 10 ** (-1 + 2 * (column + 0.5) / columns)
        value = float(tsoft.softmax(LOGITS, tau)[1]) / 0.4 * rows
        levels = [row for x, row in drawn if x == column]
        assert min(levels) - 1 <= value <= max(levels) + 2
        assert max(levels) - min(levels) <= 3


def test_a_steep_curve_has_no_gap() -> None:
    for color in (False, True):
        text = curve_text([[0, 0], [0, 1], [1, 0], [0, 1]], width=30, height=30, limits=(0, 1), color=color)
        has_marks = [bool(re.sub("[ ┊]", "", line)) for line in canvas(text)]
        assert has_marks[2:] == [True] * (len(has_marks) - 2)
    text = curve_text([[0], [1], [0], [1]], width=30, height=30, limits=(0, 1))
    points = dots(text)
    for column in range(2 * len(canvas(text)[0]) - 1):
        levels, next_levels = ([row for x, row in points if x == column + i] for i in (0, 1))
        assert min(abs(a - b) for a in levels for b in next_levels) <= 1


def test_a_number_of_the_scale_is_level_with_its_value() -> None:
    for number in ("0", "0.25", "0.5", "0.75", "1"):
        line = next(
            line
            for line in plain(curve_text(np.full((3, 1), float(number)), limits=(0, 1), height=16))
            if "⣿" in line or re.search("[⠁-⣿]", line)
        )
        assert line.startswith(f"{number:>4}┤")


@pytest.mark.parametrize("color", [False, True])
def test_curves_that_meet_alternate(color: bool) -> None:
    text = curve_text(np.full((5, 4), 0.3), limits=(0, 1), color=color)
    row = next(i for i, line in enumerate(plain(text)) if re.search(r"[a-d⠁-⣿]{9}", line))
    screen = on_screen(text, 80)
    cells = [screen.buffer[row][column] for column in range(4, 70)]
    shown = [cell.fg if color else cell.data for cell in cells]
    for mark in [FG_BG_256[code] for code in CLASS_COLORS[:4]] if color else "abcd":
        assert shown.count(mark) >= 14


@pytest.mark.parametrize("count", [1, 2, 9])
def test_every_curve_has_a_different_mark(count: int) -> None:
    values = np.tile(np.linspace(0.9, 0.1, count), (4, 1))
    text = curve_text(values, height=24)
    if count > 1:
        assert labels(text, "[a-z]") == [f"{letter} n{i}" for i, letter in enumerate("abcdefghi"[:count])]
        assert set(re.sub("[ ┊]", "", "".join(canvas(text)))) == set("abcdefghi"[:count])
    screen = on_screen(curve_text(values, height=24, color=True), 80)
    named_lines = [i for i, line in enumerate(screen.display) if "━ n" in line]
    assert len(named_lines) == count
    for i, line in enumerate(named_lines):
        colors = {
            screen.buffer[line][x].fg
            for x in (10, 20, screen.display[line].index("━"), screen.display[line].index("n"))
        }
        assert colors == {FG_BG_256[CLASS_COLORS[i]]}


def test_names_are_at_the_ends_in_order_and_do_not_overlap() -> None:
    apart = curve_text([[0, 0, 0], [0.1, 0.9, 0.5]], limits=(0, 1), height=12)
    assert labels(apart, "[a-z]") == ["b n1", "c n2", "a n0"]
    for line, end in (0, "b n1"), (4, "c n2"), (8, "a n0"):
        assert plain(apart)[line + 0].endswith(end) or plain(apart)[line + 1].endswith(end)
    close = curve_text(np.tile([0.5, 0.501, 0.502, 0.1], (3, 1)), limits=(0, 1), height=14)
    assert labels(close, "[a-z]") == ["c n2", "b n1", "a n0", "d n3"]
    assert [i for i, line in enumerate(plain(close)) if re.search(" [a-c] n", line)] == [4, 5, 6]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_names_stay_in_the_chart(value: float) -> None:
    text = curve_text(np.full((3, 9), value), limits=(0, 1), height=11)
    assert labels(text, "[a-i]") == [f"{letter} n{i}" for i, letter in enumerate("abcdefghi")]
    assert plain(text)[0].endswith("a n0")


def test_names_that_do_not_fit_are_a_legend() -> None:
    low = plain(curve_text(np.full((3, 9), 0.5), height=8))
    assert low[0] == "   ".join(f"{letter} n{i}" for i, letter in enumerate("abcdefghi"))
    assert len(low) == 8
    narrow = plain(curve_text(PROBS, names=CLASSES, width=15))
    assert narrow[:4] == ["a positive", "b neutral", "c negative", "d other"]
    assert len(narrow) == 17


def test_long_names_are_cut_to_a_third() -> None:
    assert any(line.endswith(" ━ 日本語日本語") for line in plain(curve_text(PROBS[:, :1], names=["日本語日本語"])))
    for name in ("x" * 60, "日" * 60):
        line = next(line for line in plain(curve_text(PROBS[:, :1], names=[name], width=60)) if "━" in line)
        assert line.endswith("…")
        assert 19 <= cell_len(line[line.index("━") :]) + 1 <= 20


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("width", [20, 80])
def test_a_temperature_of_1_is_marked(width: int, log: bool) -> None:
    for taus in (TAUS, np.array([0.3, 1.1]), np.array([0.98, 30]), np.array([0.5, 1, 2])):
        for text in (
            curve_text(np.full((len(taus), 1), 0.0), taus, width=width, log=log),
            heatmap(["n"], taus, np.full((len(taus), 1), 0.5), width=width, color=False, log=log),
        ):
            axis = plain(text)[-2] if "┼" in plain(text)[-2] else plain(text)[-3]
            column = axis.index("┼") - axis.index("└") - 1
            low, high, one = (log10(taus[0]), log10(taus[-1]), 0) if log else (taus[0], taus[-1], 1)
            cells = axis.index(" τ") - axis.index("└") - 1
            assert column == min(cells - 1, floor((one - low) / (high - low) * cells + 1e-9))
            assert (column, "1") in numbers(text)
            if "┊" in text:
                assert {line.index("┊") for line in canvas(text) if "┊" in line} == {column}
                assert sum("┊" in line for line in canvas(text)) == len(canvas(text)) - 1


def test_a_temperature_of_1_outside_the_axis_is_not_marked() -> None:
    for taus in ([0.1, 0.9], [1.1, 3], [0.7]):
        text = curve_text(np.full((len(taus), 1), 0.5), taus)
        assert "┊" not in text
        assert "┼" not in text


@pytest.mark.parametrize(
    ("taus", "log", "width", "expected"),
    [
        ([0.1, 10], True, 80, "0.1 0.2 0.5 1 2 5 10"),
        ([0.1, 10], True, 40, "0.1 0.3 1 3 10"),
        ([0.1, 10], True, 20, "0.1 1 10"),
        ([1e-3, 1e3], True, 40, "0.01 1 100"),
        ([0.62, 0.9], True, 60, "0.65 0.7 0.75 0.8 0.85 0.9"),
        ([0, 10], False, 80, "0 1 2 4 6 8 10"),
        ([0, 10], False, 40, "0 1 5 10"),
        ([0.5, 3], False, 40, "1 2 3"),
        ([0, 1000], False, 80, "1 200 400 600 800 1000"),
        ([0.7], False, 40, "0.7"),
    ],
)
def test_temperatures_are_round_numbers(taus: list[float], log: bool, width: int, expected: str) -> None:
    text = curve_text(np.full((len(taus), 1), 0.5), taus, width=width, log=log)
    assert " ".join(number for _, number in numbers(text)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1], "0 0.5 1"),
        ([0.2, 1.386], "0 0.5 1 1.5"),
        ([0, 0], "0 0.5 1"),
        ([3, 3], "0 1 2 3"),
        ([-12.3, -3.1], "-15 -10 -5 0"),
        ([-1, 4], "-2 0 2 4"),
        ([-1000.0001, -1000], "-1000.0001 -1000.00005 -1000"),
        ([-1000, -1000], "-1000 -500 0"),
        ([2e7, 3e7], "0 1e7 2e7 3e7"),
        ([1e-8, 3e-8], "0 1e-8 2e-8 3e-8"),
    ],
)
def test_the_scale_has_few_round_numbers(values: list[float], expected: str) -> None:
    assert " ".join(scale(curve_text([[value] for value in values], height=12))) == expected


def test_temperatures_without_a_place_are_omitted() -> None:
    taus, values = np.array([0, 0.5, 1, 2, np.inf]), np.array([[9, 1, 3, 2, 9]]).T
    assert curve_text(values, taus, log=True) == curve_text(values[1:4], taus[1:4], log=True)
    assert curve_text(values, taus, log=False) == curve_text(values[:4], taus[:4], log=False)
    assert heatmap(["n"], taus, values / 9, width=60, color=False, log=True) == heatmap(
        ["n"], taus[1:4], values[1:4] / 9, width=60, color=False, log=True
    )
    gaps = dots(curve_text([[1], [np.nan], [1], [np.inf], [1], [1]], np.arange(1, 7), log=False, limits=(0, 2)))
    columns = sorted({column for column, _ in gaps})
    assert np.diff(columns).max() > 20
    assert len(columns) > 20
    beyond = dots(curve_text([[-1], [3]], limits=(0, 2)))
    assert 50 < len({column for column, _ in beyond}) < 90


def test_a_chart_without_data_has_a_message() -> None:
    for taus in ([0.0], [np.inf], [0, np.inf]):
        values = np.ones((len(taus), 1))
        assert curve_text(values, taus, title="t") == "t\n… no temperature to chart\n"
        assert heatmap(["n"], np.array(taus), values, width=80, color=False, log=True) == "… no temperature to chart\n"
    assert curve_text(PROBS, width=6) == "… no…\n"
    assert canvas(curve_text([[np.nan], [np.inf]]))[0].strip() == "┊"


def test_one_temperature_is_in_the_middle() -> None:
    lines = canvas(curve_text([[0.6, 0.2]], [0.7], limits=(0, 1)))
    assert {line.index(letter) - len(line) // 2 for letter in "ab" for line in lines if letter in line} == {0}
    assert numbers(curve_text([[0.6]], [1.0])) == [(numbers(curve_text([[0.6]], [0.7]))[0][0], "1")]


@pytest.mark.parametrize("extreme", [5e-324, 1.7e308])
def test_extreme_values_are_drawn_without_errors(extreme: float) -> None:
    for log, taus in itertools.product(
        [False, True], [[extreme], [extreme, 2.0], [5e-324, extreme], [extreme, 1.79e308]]
    ):
        for sign in (1, -1):
            values = np.array([[sign * extreme], [sign * 1e307]])[: len(taus)]
            assert max(map(cell_len, plain(curve_text(values, sorted(taus), log=log)))) <= 80
        assert heatmap(["n"], np.sort(taus), np.full((len(taus), 1), 0.5), width=80, color=False, log=log)


@pytest.mark.parametrize("height", [30, 18, 8, 6, 3])
def test_height_is_the_number_of_lines(height: int) -> None:
    assert curve_text(PROBS, height=height).count("\n") == max(6, height)
    assert curve_text(PROBS, height=height, title="t").count("\n") == max(7, height)


def linear(code: int) -> Array:
    """Return the linear light of each primary of a color of the 256-color cube."""
    steps = np.array([0, 95, 135, 175, 215, 255]) / 255
    part = steps[[(code - 16) // 36, (code - 16) // 6 % 6, (code - 16) % 6]]
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def oklab(light: Array) -> Array:
    """Source: Ottosson 2020, "A perceptual color space for image processing"."""
    cones = [
        [0.41222147, 0.53633254, 0.05144599],
        [0.21190350, 0.68069955, 0.10739696],
        [0.08830246, 0.28171884, 0.62997870],
    ]
    lab = [
        [0.21045426, 0.79361779, -0.00407205],
        [1.97799850, -2.42859221, 0.45059371],
        [0.02590404, 0.78277177, -0.80867577],
    ]
    coordinates: Array = np.array(lab) @ np.cbrt(np.clip(np.array(cones) @ light, 0, None))
    return coordinates


# Source: Machado, Oliveira & Fernandes 2009, "A physiologically-based model for simulation of color
# vision deficiency", severity 1.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)


def contrasts(code: int) -> tuple[float, float]:
    """Return the contrasts to black and to white, as WCAG 2 defines them."""
    light = float(linear(code) @ [0.2126, 0.7152, 0.0722])
    return (light + 0.05) / 0.05, 1.05 / (light + 0.05)


def test_colors_of_classes_are_visible_and_distinct() -> None:
    assert len(set(CLASS_COLORS)) == 9
    assert not set(CLASS_COLORS) & {*range(16), *range(232, 256), 16, 59, 102, 145, 188, 231, *COLD_TO_HOT}
    assert min(min(contrasts(code)) for code in CLASS_COLORS) >= 2.8
    for eye, least in (np.eye(3), 0.15), (DEUTERANOPIA, 0.07), (PROTANOPIA, 0.07):
        perceived = [oklab(np.clip(eye @ linear(code), 0, 1)) for code in CLASS_COLORS]
        assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(perceived, 2)) >= least


def test_the_last_color_is_for_the_rest() -> None:
    assert class_colors(9) == class_colors(9, rest=True) == list(CLASS_COLORS)
    assert class_colors(5, rest=True) == [*CLASS_COLORS[:4], CLASS_COLORS[8]]
    assert class_colors(11)[9:] == list(CLASS_COLORS[:2])
    assert class_colors(0, rest=True) == []


def test_the_curve_of_the_rest_has_its_color() -> None:
    text = curve_text(PROBS, TAUS, names=CLASSES, color=True, rest=True)
    codes = [int(code) for code in re.findall(r"\x1b\[38;5;(\d+)m━", text)]
    assert sorted(codes) == sorted(class_colors(4, rest=True))


def test_the_ramp_gets_lighter_and_is_visible() -> None:
    perceived = [oklab(linear(code)) for code in RAMP]
    assert (np.diff([lightness for lightness, *_ in perceived]) > 0.03).all()
    assert min(min(contrasts(code)) for code in RAMP) >= 1.35
    assert len(RAMP) == len(SHADES) == len(set(SHADES)) == 10


def cells(text: str) -> list[str]:
    return [line[line.index("│") + 1 :] for line in plain(text) if "│" in line]


def test_a_shade_is_a_tenth_of_the_scale() -> None:
    probs = [[0, 1e-300, 0.1, 0.1001, 0.5, 0.5001, 0.9, 0.91, 1]]
    names = [f"n{i}" for i in range(9)]
    text = heatmap(names, np.array([1.0]), np.array(probs), width=60, color=False, log=True)
    assert [line[:1] for line in cells(text)] == ["", ".", ".", ":", "+", "*", "%", "@", "@"]
    assert plain(text)[-1] == "probability 0 ..::--==++ 0.5 **xx##%%@@ 1   blank is 0"
    narrow = heatmap(names, np.array([1.0]), np.array(probs) * 0.4, width=24, color=False, log=True)
    assert plain(narrow)[-1] == "0 .:-=+ 0.2 *x#%@ 0.4"
    small = heatmap(names, np.array([1.0]), np.array(probs) * 0.04, width=20, color=False, log=True)
    assert [line[:1] for line in cells(small)] == ["", ".", ".", ":", "+", "*", "%", "@", "@"]
    assert plain(small)[-1] == "0 .:-=+*x#%@ 0.04"


def test_a_cell_has_the_nearest_temperature() -> None:
    probs = np.array([[0.05], [0.35], [0.95]])
    linear_cells = cells(heatmap(["n"], np.array([0, 2, 10]), probs, width=34, color=False, log=False))
    assert linear_cells == ["." * 3 + "=" * 15 + "@" * 12]
    log_cells = cells(heatmap(["n"], np.array([0.1, 1, 10]), probs, width=34, color=False, log=True))
    assert re.fullmatch(r"\.{7,8}={15}@{7,8}", log_cells[0])


@pytest.mark.parametrize("width", [40, 80])
def test_color_changes_nothing_but_the_cells(width: int) -> None:
    plainly, colored = heatmap_example(width), heatmap_example(width, color=True)
    assert plain(colored)[:-1] == [
        line[: line.index("│") + 1] + "█" * len(line[line.index("│") + 1 :]) if "│" in line else line
        for line in plain(plainly)[:-1]
    ]
    screen = on_screen(colored, width)
    for y, line in enumerate(plainly.splitlines()[:4]):
        for x, shade in enumerate(line[line.index("│") + 1 :], line.index("│") + 1):
            assert screen.buffer[y][x].fg == FG_BG_256[RAMP[SHADES.index(shade)]]


def test_a_chart_does_not_change_the_next() -> None:
    before = curve_example(80, color=True)
    curve_text(np.full((8, 9), 0.1), width=120, color=True)
    assert curve_example(80, color=True) == before


def test_the_terminal_size_and_the_first_import_have_no_effect() -> None:
    """plotext, which is slow to import, is imported with the first bars or curves."""
    code = """
import os, sys
from pictures import bar_example, curve_example, heatmap_example
print(heatmap_example(80), end="")
assert "plotext" not in sys.modules
for size in {"COLUMNS": "3", "LINES": "2"}, {"COLUMNS": "500", "LINES": "2"}, {}:
    os.environ.pop("COLUMNS", None)
    os.environ.pop("LINES", None)
    os.environ.update(size)
    print(bar_example(80, True) + curve_example(80, True), end="")
assert "plotext" in sys.modules
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", timeout=60)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == heatmap_example(80) + 3 * (bar_example(80, True) + curve_example(80, True))


def test_round_ticks_are_within_the_limits_and_few() -> None:
    for low, high in (0, 1), (-3.7, 12), (1e-9, 3e-9), (999.5, 1000.5):
        for most in (1, 3, 10):
            ticks = round_ticks(low, high, most)
            assert len(ticks) <= most + 1
            assert len({text for _, text in ticks}) == len(ticks)
            assert all(low - 1e-9 * (high - low) <= value <= high + 1e-9 * (high - low) for value, _ in ticks[1:-1])
