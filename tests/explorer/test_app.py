"""`tsoft explore` driven by keys and by the mouse: the real command, on a screen without a terminal."""

import itertools
import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.color import Color
from textual.binding import Binding

from driven import Drive, Page, Size, explore
from tool import TESTS, here
from tsoft import cli
from tsoft.charts.curves import class_colors
from tsoft.explorer import curve_chart
from tsoft.explorer.app import Explorer
from tsoft.explorer.class_table import ClassTable
from tsoft.explorer.curve_chart import CurveChart, draw_chart
from tsoft.explorer.keys import explanation, help_text
from tsoft.explorer.measure_panel import MeasureDisplay
from tsoft.explorer.slider_ranges import slider_range
from tsoft.explorer.sliders import Sliders
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.sampler_table import SAMPLERS, TAU

DATA = TESTS / "data"
FOUR = ("A=2", "B=1", "C=0.5", "D=0.1")
TOP_2 = (*FOUR, "--top-k", "2")
ANIMALS = ("bird=0.1", "cat=2", "dog=1", "Catfish=0.5")
HUNDRED = tuple(f"c{i}={-i}" for i in range(100))
RESPONSE = ("-i", str(DATA / "llama-server.json"))
SIZES = [(60, 20), (100, 30), (160, 50)]

Capture = pytest.CaptureFixture[str]


def computed(page: Page, tmp_path: Path) -> list[dict[str, Any]]:
    """Return the records that the command line prints."""
    file = tmp_path / "computed.json"
    words = shlex.split(page.app.command_line)
    assert words[:2] == ["tsoft", "compute"]
    assert cli.run([*words[1:], "-o", str(file)]) == 0
    records: list[dict[str, Any]] = json.loads(file.read_bytes())
    return records


def probs(page: Page) -> list[float]:
    assert page.app.session.snapshot
    probs: list[float] = page.app.session.snapshot.probs.tolist()
    return probs


def listed(page: Page) -> dict[str, str]:
    """Return the classes on a broad screen with their probabilities as text; removed ones have brackets."""
    lines = [line for line in page.lines("#distribution") if line.startswith("│")]
    # The first line is the header. A mark precedes each class; its rank and logit follow. Lines without a rank have
    # only a part of a bar or of the legend.
    rows = [line.strip("│")[2:].split() for line in lines[1:]]
    return {words[0]: words[3] for words in rows if len(words) > 3 and words[1].isdigit()}


def kept(page: Page) -> dict[str, float]:
    """Return the probabilities of the kept classes as numbers."""
    return {name: float(text) for name, text in listed(page).items() if text[0] != "("}


# Every key, and other checks of one explorer: the keys, the arguments that open the explorer, and the check.

CHECKS: list[tuple[tuple[str, ...], tuple[str, ...], Drive]] = []


def key(*names: str, arguments: tuple[str, ...] = FOUR) -> Callable[[Drive], Drive]:
    """Add a check of some keys."""

    def add(check: Drive) -> Drive:
        CHECKS.append((names, arguments, check))
        return check

    return add


@key("left", "right", "shift+left", "shift+right")
async def turning(page: Page) -> None:
    for name, tau in [("right", 1.1), ("right", 1.2), ("left", 1.1), ("shift+right", 2), ("shift+left", 1)]:
        await page.press(name)
        assert page.tau == tau
        assert re.search(rf"τ +{tau:g} ", page.text("#sliders"))
    await page.press("left", "shift+left")
    assert page.tau == 0.9


@key("0", "1", "8")
async def limits(page: Page) -> None:
    await page.press("0")
    assert page.tau == 0
    assert listed(page) == {"A": "1.0000", "B": "0", "C": "0", "D": "0"}
    await page.press("left", "shift+left")
    assert page.tau == 0
    await page.press("8")
    assert page.option("--tau") == "inf"
    assert set(listed(page).values()) == {"0.2500"}
    await page.press("right", "shift+right")
    assert page.option("--tau") == "inf"
    await page.press("1")
    assert page.tau == 1
    assert listed(page) == {"A": "0.5745", "B": "0.2114", "C": "0.1282", "D": "0.0859"}


@key("enter")
async def typing(page: Page) -> None:
    await page.press("enter", "0", ".", "5", "enter")
    assert page.tau == 0.5
    assert listed(page)["A"] == "0.8282"


@key("space")
async def switching(page: Page) -> None:
    await page.press("space")
    assert page.option("--tau") == "1"
    assert "The temperature is always on" in page.notices
    await page.press("down", "space")
    assert page.option("--top-k") == "40"
    await page.press("space")
    assert page.option("--top-k") is None


@key("left_square_bracket", "right_square_bracket", arguments=(*FOUR, "--top-k", "3", "--top-p", "0.9"))
async def moving(page: Page) -> None:
    await page.press("down", "right_square_bracket")
    assert page.option("--samplers") == "temperature;top_p;top_k"
    assert page.text("#sliders").index("top_p") < page.text("#sliders").index("top_k")
    # The moved slider stays the current one.
    await page.press("left_square_bracket", "left_square_bracket")
    assert page.option("--samplers") == "top_k;temperature;top_p"
    await page.press("left_square_bracket", "right_square_bracket")
    assert page.option("--samplers") is None


@key("a")
async def adding(page: Page) -> None:
    await page.press("a", *["down"] * 5, "enter")
    assert page.option("--top-n-sigma") == "1"
    assert re.search("› top_n_\\S+ +1 ", page.text("#sliders"))
    await page.press("right")
    assert page.option("--top-n-sigma") == "1.1"
    await page.press("a", "escape")
    assert page.option("--top-n-sigma") == "1.1"
    await page.press("a", *["down"] * 5, "enter")
    assert page.option("--top-n-sigma") is None


@key("l")
async def liking(page: Page) -> None:
    await page.press("l", "down", "enter")
    assert page.option("--like") == "transformers"
    assert "transformers" in page.text("#parameters")
    await page.press("l", "q")
    assert page.option("--like") == "transformers"
    await page.press("l", "home", "enter")
    assert page.option("--like") is None


@key("e", arguments=TOP_2)
async def explaining(page: Page) -> None:
    await page.press("e")
    # The arithmetic of the current class comes first: 1 + e^-1 + e^-1.5 + e^-1.9 = 1.7406.
    assert "0.3679 + 0.2231 + 0.1496 = 1.7406" in page.text("#box")
    assert "temperature 1 → top_k 2" in page.text("#box")
    assert re.search(r"top_k 2 +2 +0\.2141 ", page.text("#box"))
    await page.press("e")
    assert "temperature 1 → top_k 2" not in page.text()


@key("s", "S", "shift+s", "r")
async def drawing(page: Page) -> None:
    assert "s draws one, S draws 100" in page.text("#draws")
    for name, size in [("s", 1), ("s", 2), ("S", 102), ("shift+s", 202)]:
        await page.press(name)
        assert f"{size} draw{'s' * (size > 1)} " in page.text("#draws")
        assert sum(counts(page).values()) == size
    await page.press("r")
    assert "s draws one, S draws 100" in page.text("#draws")
    assert "count" not in page.text("#distribution")


def counts(page: Page) -> dict[str, int]:
    matches = (re.match(r"[│›● ]+(\w) .* (\d+)│?$", line) for line in page.lines("#distribution")[2:])
    return {match[1]: int(match[2]) for match in matches if match}


@key("slash", "escape", arguments=ANIMALS)
async def finding(page: Page) -> None:
    await page.press("slash", "c", "a", "t")
    assert list(listed(page)) == ["cat", "Catfish"]
    assert "2 with 'cat'" in page.text("#distribution")
    # Keys that arrive together stay in their order, and so does the one after them.
    await page.rush("f", "i", "s")
    await page.press("h")
    assert "1 with 'catfish'" in page.text("#distribution")
    await page.press(*["backspace"] * 4, "enter", "down")
    assert "› Catfish" in page.text("#distribution")
    await page.press("slash", "backspace", "backspace", "backspace", "enter")
    assert list(listed(page)) == ["cat", "dog", "Catfish", "bird"]
    for ends in (["d", "escape"], ["d", "enter", "escape"], ["enter"], ["escape"]):
        await page.press("slash", *ends)
        assert list(listed(page)) == ["cat", "dog", "Catfish", "bird"]
        # Keys are commands again, so no field is open.
        assert page.app.query_one("#filter").display is False
    await page.press("slash")
    await page.click(*page.find("dog", "#distribution"))
    assert page.app.query_one("#filter").display is False


@key("o", arguments=ANIMALS)
async def ordering(page: Page) -> None:
    assert list(listed(page)) == ["cat", "dog", "Catfish", "bird"]
    await page.press("o")
    assert list(listed(page)) == ["bird", "cat", "dog", "Catfish"]
    assert "in input order" in page.text("#distribution")
    await page.press("o")
    assert list(listed(page)) == ["cat", "dog", "Catfish", "bird"]


@key("n", "full_stop", "p", "comma", arguments=RESPONSE)
async def walking(page: Page) -> None:
    steps = [("n", 1), ("full_stop", 2), ("p", 1), ("comma", 0), ("p", 0), *[("n", i) for i in (1, 2, 3, 4, 4)]]
    for name, row in steps:
        await page.press(name)
        assert f"row {row} (0 to 4)" in page.text("#head")


@key("N", "shift+n", "P", "shift+p", arguments=RESPONSE)
async def walking_far(page: Page) -> None:
    for name, row in [("N", 4), ("P", 0), ("shift+n", 4), ("shift+p", 0)]:
        await page.press(name)
        assert f"row {row} (0 to 4)" in page.text("#head")


@key(arguments=RESPONSE)
async def a_small_bound_is_separated_from_the_logit(page: Page) -> None:
    await page.press("n", "n", "n", "enter", "0", ".", "2", "enter")
    assert listed(page)["'b'"] == "≤1.0e-04"


@key("pageup", "pagedown", arguments=HUNDRED)
async def paging(page: Page) -> None:
    await page.press("pagedown")
    first = chosen(page)
    await page.press("pagedown")
    assert 0 < first < chosen(page)
    assert "c0 " not in page.text("#distribution")
    await page.press("pageup")
    assert chosen(page) == first
    await page.press("pageup")
    assert chosen(page) == 0
    await page.press(*["pagedown"] * 9)
    assert chosen(page) == 99


def chosen(page: Page) -> int:
    match = re.search(r"› c(\d+)", page.text("#distribution"))
    assert match
    return int(match[1])


@key("up", "down", "home", "end", arguments=HUNDRED)
async def choosing(page: Page) -> None:
    await page.press("down", "down", "up", "up", "up", "down")
    assert "› top_k" in page.text("#sliders")
    await page.press("tab", "tab", "tab")
    assert chosen(page) == 0
    for name, place in [("down", 1), ("down", 2), ("up", 1), ("end", 99), ("down", 99), ("home", 0), ("up", 0)]:
        await page.press(name)
        assert chosen(page) == place
        assert f"c{place} " in page.text("#distribution")
    # The current slider has not changed.
    await page.press("right")
    assert page.option("--min-p") == "0.05"


@key("tab", "shift+tab")
async def tabbing(page: Page) -> None:
    for name in ("top_k", "top_p", "min_p"):
        await page.press("tab")
        assert f"› {name}" in page.text("#sliders")
    await page.press("shift+tab")
    assert "› top_p" in page.text("#sliders")
    await page.press("tab", "tab")
    assert isinstance(page.app.focused, ClassTable)
    await page.press("shift+tab")
    assert isinstance(page.app.focused, Sliders)


@key("c", arguments=TOP_2)
async def copying(page: Page) -> None:
    await page.press("c")
    assert page.app.clipboard == "tsoft compute A=2 B=1 C=0.5 D=0.1 --tau 1 --top-k 2"
    assert page.app.copied[-1] == page.app.clipboard
    assert "copied" in page.notices


@key("u", "U", "shift+u", arguments=())
async def undoing(page: Page) -> None:
    # Arrow presses on one slider are one change, and so are a drag, moves between rows, and a typed filter.
    first, _, y = slider(page, "top_p")
    await page.press("right", "right", "right")
    await page.drag((first + 3, y), (first + 4, y), (first + 5, y))
    await page.press("right", "n", "n", "slash", "l", "a", "enter", "o")
    states = [page.app.state]
    for _ in range(6):
        await page.press("u")
        states.append(page.app.state)
    seen = [(state.samplers.tau, state.number, state.filter, state.input_order) for state in states]
    assert seen[:3] == [(1.3, 2, "la", True), (1.3, 2, "la", False), (1.3, 2, "", False)]
    assert [row[:2] for row in seen[3:]] == [(1.3, 0), (1.3, 0), (1.3, 0), (1, 0)]
    options = [state.samplers.options for state in states[3:]]
    assert options[0] != options[1] != options[2] == ["--tau", "1.3"]
    assert page.app.query_one("#filter").display is False
    for state in states[-2::-1]:
        await page.press("U" if state.number else "shift+u")
        assert page.app.state == state
    assert "6 with 'la'" in page.text("#distribution")
    assert "la" in page.text("#filter")
    # A new change drops the undone ones.
    await page.press("u", "1", "U")
    assert not page.app.state.input_order
    assert "There is no undone change to redo." in page.notices
    await page.press(*["u"] * 9)
    # A repeated message has one box.
    assert page.text().count("There is no change to undo.") == 1


@key("plus", "minus")
async def editing(page: Page) -> None:
    await page.press("shift+tab", "down", "enter")
    assert "logit of B: a number, or -inf to mask it" in page.text("#entry")
    for text, problem in [
        ("[red]", "[red] is neither a number nor -inf"),
        ("inf", "inf is neither a number nor -inf"),
        ("", "type a number"),
    ]:
        await page.press("ctrl+u")
        await page.paste(text)
        await page.press("enter")
        assert problem in page.text("#entry")
        assert "edited" not in page.text("#head")
    await page.press("ctrl+u")
    # 1, e^-1, e^-2.5 and e^-2.9 over their sum, 1.5050. B moves to the top and stays the current class.
    await page.press("3", "enter")
    assert listed(page) == {"B": "0.6645", "A": "0.2444", "C": "0.0545", "D": "0.0366"}
    assert "edited" in page.text("#head")
    assert "› B" in page.text("#distribution")
    assert isinstance(page.app.focused, ClassTable)
    assert page.app.command_line == "tsoft compute A=2 B=3 C=0.5 D=0.1 --tau 1"
    await page.press("plus")
    await page.paste("a new=")
    await page.press("enter")
    assert "type a number" in page.text("#entry")
    await page.press("3", "enter")
    assert page.app.command_line == "tsoft compute A=2 B=3 C=0.5 D=0.1 'a new=3' --tau 1"
    assert "› a new" in page.text("#distribution")
    await page.press("minus", "S")
    assert "'a new=-inf'" in page.app.command_line
    await page.press("minus")
    assert "'a new=3'" in page.app.command_line
    # The draws end with the row of five classes.
    await page.press("u", "u", "u")
    assert "draws one" in page.text("#draws")
    assert listed(page)["B"] == "0.6645"
    await page.press("home", "minus", "home", "minus", "home", "minus", "home", "minus")
    assert "one class at least must not be masked" in page.notices
    assert listed(page)["D"] == "1.0000"
    await page.press("u", "u", "u", "u")
    assert "edited" not in page.text("#head")
    assert listed(page)["B"] == "0.2114"


@key("equals_sign", arguments=("A=2", "B=1", "C=0", "D=-3"))
async def solving(page: Page) -> None:
    async def reach(text: str) -> str:
        await page.press("equals_sign")
        await page.paste(text)
        await page.press("enter")
        problem = " ".join(page.text("#entry").split())
        await page.press("escape")
        return problem

    assert await reach("top-prob 73%") == ""
    found = page.tau
    exp = np.exp(np.array([2, 1, 0, -3]) / found)
    assert exp[0] / exp.sum() == pytest.approx(0.73, abs=1e-12)
    assert listed(page)["A"] == "0.7300"
    assert "no τ: the top class's probability is at least" in await reach("top-prob 10%")
    assert page.tau == found
    # The probability of B has a peak, so two temperatures reach this one.
    await page.press("8")
    await reach("B 0.27")
    assert page.tau == pytest.approx(11.013499, abs=1e-6)
    assert "2 temperatures reach the target" in page.notices
    await page.press("0")
    await reach("B 27 %")
    assert page.tau == pytest.approx(1.261753, abs=1e-6)
    await page.press("down", "space", "left", "enter", "2", "enter")
    await reach("entropy 1")
    assert "without samplers" in page.notices


@key("m")
async def marking(page: Page) -> None:
    await page.press("0", "m", "8")
    # The distance of (1/4, 1/4, 1/4, 1/4) from (1, 0, 0, 0).
    assert "mark: TV 0.7500, KL ∞ nats" in page.text("#head")
    assert "░ ▏ the marked" in page.text("#distribution")
    bar = next(line for line in page.lines("#distribution") if "A " in line)
    await page.press("m", "0")
    # KL = ln 4 from the uniform distribution.
    assert "mark: TV 0.7500, KL 1.3863 nats" in page.text("#head")
    assert "░" in bar
    assert "░" not in next(line for line in page.lines("#distribution") if "A " in line)
    assert "▏" in page.text("#distribution")
    # The marked probabilities of B and D are equal, unlike those at τ = 1.
    bars = [line.count("░") for line in page.lines("#distribution") if re.search("[BD] ", line)]
    assert bars[0] == bars[1] > 0
    await page.press("u")
    assert "mark: TV 0, KL 0 nats" in page.text("#head")
    await page.press("m")
    assert "mark" not in page.text("#head")
    assert "at τ = 1" in page.text("#distribution")
    await page.press("u", "n")
    assert "mark: TV 0" in page.text("#head")


@key("x")
async def exporting(page: Page) -> None:
    await page.press("x")
    assert "export: .json" in page.text("#box")
    # The cursor is before the ending.
    await page.press("2")
    assert "tsoft2.json" in page.text("#box")
    await page.press("escape")
    assert len(page.app.screen_stack) == 1


@key("question_mark")
async def helping(page: Page) -> None:
    await page.press("question_mark")
    assert "lower the current slider" in page.text("#box")
    # Typed words filter the entries, with the lines that continue them.
    await page.press("K", "L")
    assert "p ln(p / q)" in page.text("#box")
    assert "0 to ∞: p now, q marked" in page.text("#box")
    assert "lower the current slider" not in page.text("#box")
    await page.press("x")
    assert "nothing found" in page.text("#box")
    await page.press("ctrl+u", *"DRAWS", "down")
    assert "clear the draws" in page.text("#box")
    await page.press("ctrl+u", "pagedown")
    assert "lower the current slider" not in page.text("#box")
    await page.press("pageup")
    assert "lower the current slider" in page.text("#box")
    tooltips = {display.id: display.tooltip for display in page.app.query(MeasureDisplay)}
    assert tooltips["perplexity"] == "perplexity: effective number of classes"
    assert all(str(tooltip).partition(": ")[2] for tooltip in tooltips.values())
    await page.press("question_mark")
    assert "lower the current slider" not in page.text()


@key("i", arguments=TOP_2)
async def describing(page: Page) -> None:
    explained = []
    for _ in range(9):
        await page.press("i")
        explained.append(page.text("#keys").partition(":")[0])
    assert explained == ["entropy", "perplexity", "top", "margin", "removed", "(0.1)", "░ ▏", "●", "τ"]
    await page.press("i")
    assert page.text("#keys").startswith("? help")
    # The mark has two distances, and another meaning of the bars.
    await page.press("m", "right", *["i"] * 6)
    assert page.text("#keys").startswith("TV: half the sum of |p - q|, from 0 to 1: p now")
    await page.press("i", "i", "i")
    assert page.text("#keys") == "░ ▏: now lower, higher than in the marked distribution"
    # A long explanation takes several lines.
    await page.resize(60, 20)
    await page.press(*["i"] * 10)
    assert " ".join(page.text("#keys").split()) == f"KL: {explanation('KL')}"
    await page.press("i", "i")
    await page.resize(*SIZES[1])
    await page.press("left", "m")
    assert page.text("#keys") == "░ ▏: now lower, higher than at τ = 1 without samplers"
    await page.press("escape")
    assert page.text("#keys").startswith("? help")


def test_help_shows_every_key() -> None:
    shown = help_text(Explorer.key_groups, "").plain
    for binding in Explorer.BINDINGS:
        assert isinstance(binding, Binding)
        if binding.show:
            assert f"  {binding.description}\n" in shown


def test_defect_of_a_key_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("it is broken")

    monkeypatch.setattr(Explorer, "action_draw", broken)

    async def drive(page: Page) -> None:
        del os.environ["TSOFT_TRACEBACK"]
        await page.rush("s")
        await page.until(lambda: page.app.failure is not None)

    assert explore(drive, *FOUR) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("tsoft: error: internal error: ")
    assert "it is broken" in first
    assert second == "Please report it, with the traceback that TSOFT_TRACEBACK=1 shows."


# Typed values.

BAD = [
    ("top_p", "[red]", "[red] is not a number from 0 to 1"),
    ("top_p", "1.01", "1.01 is not a number from 0 to 1"),
    ("top_k", "2.5", "2.5 is not a whole number of at least 0"),
    ("tau", "", "type a number from 0 to inf"),
    ("tau", "nan", "nan is not a number from 0 to inf"),
]


def test_bad_value_shows_an_error_and_changes_nothing() -> None:
    async def drive(page: Page) -> None:
        await page.press("down", "down", "down")
        before = page.app.command_line
        for parameter, text, words in BAD:
            narrow = text == "nan"
            if narrow:
                await page.resize(*SIZES[0])
            while f"› {parameter.replace('tau', 'τ')}" not in page.text("#sliders"):
                await page.press("up")
            await page.press("enter")
            assert words.partition(" is not ")[2].removeprefix("type ") in " ".join(page.text("#hint").split())
            await page.paste(text)
            await page.press("enter")
            assert words in " ".join(page.text("#hint").split())
            # The field stays open, to correct or to leave.
            await page.press("0")
            assert "is not" not in page.text("#parameters")
            await page.press("escape")
            assert page.app.command_line == before
            assert "like vllm" in page.text("#parameters")
        await page.press("right")
        assert page.tau == 1.1

    assert explore(drive, *FOUR, "--top-p", "0.5", "--top-k", "3", "--like", "vllm") == 0


@key()
async def keys_in_a_field_type_text(page: Page) -> None:
    await page.press("enter", "1", "8", "0", "enter")
    assert page.tau == 180
    await page.press("enter", "q", "s", "escape")
    assert page.tau == 180
    await page.press("slash", "1", "8", "q", "s", "x")
    assert "0 with '18qsx'" in page.text("#distribution")
    assert page.tau == 180
    assert "draws one" in page.text("#draws")
    assert page.app.is_running


def test_any_temperature_can_be_typed() -> None:
    """No screen contains NaN, and keys continue from the typed temperature."""

    async def drive(page: Page) -> None:
        for typed, up, down in [
            ("1e-320", "0.01", "0"),
            ("1e300", "inf", "100"),
            ("∞", "inf", "100"),
            (" 0.5 ", "0.51", "0.49"),
        ]:
            for name, turned in [("right", up), ("left", down)]:
                await page.press("enter")
                await page.paste(typed)
                await page.press("enter")
                assert page.tau == float(typed.replace("∞", "inf"))
                assert sum(kept(page).values()) == pytest.approx(1, abs=3e-4)
                assert "nan" not in page.text().lower()
                await page.press(name)
                assert page.option("--tau") == turned

    assert explore(drive, *FOUR, "--top-p", "0.99") == 0


@key()
async def filter_without_matches_can_be_corrected(page: Page) -> None:
    await page.press("slash", "z", "z", "enter")
    assert listed(page) == {}
    for name in ("up", "down", "home", "end", "pageup", "pagedown", "s", "o", "right", "0"):
        await page.press(name)
    await page.press("slash", "backspace", "backspace")
    assert len(listed(page)) == 4


# The mouse.


def slider(page: Page, name: str) -> tuple[int, int, int]:
    """Return the first and last column of a slider, and its line."""
    _, y = page.find(f"{name} ", "#sliders")
    match = re.search(r"[━●○─]{5,}", page.lines("#sliders")[y - page.app.query_one("#sliders").region.y])
    assert match
    left = page.app.query_one("#sliders").region.x
    return left + match.start(), left + match.end() - 1, y


@key(arguments=ANIMALS)
async def slider_with_click_drag_and_wheel(page: Page) -> None:
    for size in SIZES[::2]:
        await page.resize(*size)
        first, last, y = slider(page, "τ")
        for x, tau in [(first, "0"), (last, "inf"), ((first + last) // 2, None)]:
            await page.click(x, y)
            assert tau is None or page.option("--tau") == tau
            assert page.lines()[y][x] == "●"
        assert 0.1 < page.tau < 10
        await page.drag(((first + last) // 2, y), (first + 2, y), (first + 1, y))
        assert 0 < page.tau < 0.1
        await page.drag((first + 1, y), (last - 1, y), (last - 1, y + 1), (first - 2, y))
        assert page.tau == 0
        await page.press("1")
        await page.wheel(first, y, up=True)
        assert page.tau == 1.1
        await page.wheel(first, y, up=False)
        await page.wheel(first, y, up=False, shift=True)
        assert page.tau == 0.9
        # A slider that is off is switched on.
        first, last, y = slider(page, "min_p")
        await page.click((first + last) // 2, y)
        assert 0.4 < float(page.option("--min-p") or 0) < 0.6
        assert "› min_p" in page.text("#sliders")
        # A click on the name sets no value.
        await page.click(*page.find("top_p"))
        assert page.option("--top-p") is None
        assert "› top_p" in page.text("#sliders")


@key(arguments=ANIMALS)
async def click_on_the_chart_sets_the_temperature(page: Page) -> None:
    for size in SIZES[::2]:
        await page.resize(*size)
        axis = next(line for line in page.lines("#curve") if "└" in line)
        left, top = page.app.query_one("#curve").region.offset
        ticks = [left + i for i, char in enumerate(axis) if char in "┬┼"]
        # The ends are 0.01 and 100.
        decades = 4 / (ticks[-1] - ticks[0])
        for tick in ticks:
            await page.click(tick, top + 3)
            expected = 10 ** (-2 + decades * (tick - ticks[0]))
            assert abs(np.log10(page.tau) - np.log10(expected)) < decades
        # A click beside the chart has no effect, but a drag reaches the limits.
        before = page.tau
        await page.click(left + axis.index("└"), top + 3)
        await page.click(ticks[1], top)
        assert page.tau == before
        await page.drag((ticks[1], top + 3), (left, top + 3))
        assert page.tau == 0
        await page.drag((ticks[1], top + 3), (ticks[-1] + 3, top + 3))
        assert page.tau == np.inf
        await page.drag((ticks[0], top + 3), (ticks[-1], top + 3), (ticks[1], top + 4))
        assert abs(np.log10(page.tau) - (-2 + decades * (ticks[1] - ticks[0]))) < decades


def test_click_selects_a_row() -> None:
    async def drive(page: Page) -> None:
        await page.click(*page.find("two levels"))
        assert "row 4 (0 to 4)" in page.text("#head")
        assert list(listed(page)) == ["ground", "excited"]
        await page.click(*page.find("four classes", "#rows"))
        assert "row 0 (0 to 4)" in page.text("#head")

    assert explore(drive, size=(160, 50)) == 0


@key(arguments=())
async def typed_logit_is_not_for_the_row_that_a_click_shows_meanwhile(page: Page) -> None:
    await page.press("tab", "tab", "tab", "tab", "enter")
    await page.click(*page.find("peaked"))
    await page.paste("5")
    await page.press("enter")
    assert "another row is shown now" in page.text("#entry")
    assert "edited" not in page.text("#head")


@key(arguments=HUNDRED)
async def click_selects_a_class(page: Page) -> None:
    await page.click(*page.find("c7 ", "#distribution"))
    assert chosen(page) == 7
    # The class now has a curve.
    assert "c7" in page.text("#curve")
    x, y = page.find("class ", "#distribution")
    await page.click(x, y)
    assert chosen(page) == 7


@key(arguments=TOP_2)
async def mouse_over_a_mark_shows_its_meaning(page: Page) -> None:
    for text, meaning in [
        ("0.7311", "░ ▏: now lower, higher than at τ = 1 without samplers"),
        ("●", "●: the color of the curve of the class"),
        ("top_k 2", "(0.1): p without samplers, and what removed the class"),
        ("A ", None),
    ]:
        await page.hover(*page.find(text, "#distribution"))
        assert page.app.query_one(ClassTable).tooltip == meaning
    await page.hover(*page.find("top_p", "#sliders"))
    assert "total probability of P" in str(page.app.query_one(Sliders).tooltip)


# The size of the screen.


@pytest.mark.parametrize("size", SIZES[::2])
def test_few_classes_have_high_bars(size: Size) -> None:
    """Every line of a bar has the same end and the same ghost, and selects the class. Its numbers are there once."""

    async def drive(page: Page) -> None:
        await page.press("S")
        x, _ = page.find("0 ", "#distribution")
        lines = [line[x:] for line in page.lines()]
        top = page.find("A ", "#distribution")[1]
        bar = re.match(r"█+[█-▏]?░+", lines[top])
        assert bar
        high = [i for i, line in enumerate(lines) if line.startswith(bar[0])]
        assert len(high) == (2 if size == SIZES[0] else 3)
        for line in high:
            await page.press("tab", "end")
            assert "› D" in page.text("#distribution")
            await page.click(x, line)
            assert "› A" in page.text("#distribution")
        await page.resize(size[0], 14)
        assert all(f"{name} " in page.text("#distribution") for name in "ABCD")

    assert explore(drive, *FOUR, "--tau", "2", "--seed", "1", size=size) == 0


@key()
async def legend_has_the_colors_of_the_curves(page: Page) -> None:
    for size, keys in itertools.product([SIZES[1], (80, 24), (100, 20), SIZES[0]], ["r", "S"]):
        await page.resize(*size)
        await page.press(*keys)
        for name, expected in zip("ABCD", class_colors(4), strict=True):
            color = page.style(*page.find(name, "#curve")).color
            assert color
            assert color.get_truecolor() == Color.from_ansi(expected).get_truecolor()


def test_letters_draw_the_curves_without_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def drive(page: Page) -> None:
        assert "a A b B c C d D" in page.text("#curve")
        assert re.search(r"┤a+", page.text("#curve"))
        assert "━" not in page.text("#curve")
        assert re.search("^b B .*^d D ", page.text("#distribution"), re.MULTILINE | re.DOTALL)

    assert explore(drive, *FOUR, size=(80, 24)) == 0


def test_draws_have_counts_on_a_small_screen() -> None:
    async def drive(page: Page) -> None:
        await page.press("S")
        counts = dict(re.findall(r"^([ABCD]) +(\d+) █", page.text("#draws"), re.MULTILINE))
        assert sum(map(int, counts.values())) == 100
        assert list(counts) == list("ABCD")

    assert explore(drive, *FOUR, "--seed", "1", size=(80, 24)) == 0


def test_layout_after_a_resize() -> None:
    async def drive(page: Page) -> None:
        await page.press("S")
        before = page.text()
        for width, height in [(160, 50), (40, 12), (3, 2), (200, 20)]:
            await page.resize(width, height)
            lines = page.lines()
            assert len(lines) == height
            assert {cell_len(line) for line in lines} == {width}
            # A table that has no room for a whole probability has none.
            if width == 40:
                assert re.search("^[│› ●]+A *$", page.text("#distribution"), re.MULTILINE)
        for width, height in SIZES[:2]:
            await page.resize(width, height)
            for widget in ("#measures", "#distribution", "#sliders", "#curve", "#draws", "#keys"):
                assert page.text(widget).strip()
            assert len(listed(page)) == 4 if width >= 100 else "A " in page.text("#distribution")
        assert page.text() == before

    assert explore(drive, *FOUR, "--seed", "1") == 0


def test_only_one_chart_is_drawn_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced worker keeps running, but plotext supports only one thread."""
    lock = Lock()
    charts = 0

    def draw_alone(*arguments: Any) -> Any:
        nonlocal charts
        assert lock.acquire(blocking=False)
        try:
            charts += 1
            return draw_chart(*arguments)
        finally:
            lock.release()

    monkeypatch.setattr(curve_chart, "draw_chart", draw_alone)

    async def drive(page: Page) -> None:
        for _ in range(5):
            before = charts
            page.app.query_one(CurveChart).redraw()
            await page.until(lambda before=before: charts > before)  # type: ignore[misc]
        await page.settled()
        assert "┬ τ" in page.text("#curve")

    assert explore(drive, *FOUR, has_threads=True) == 0


def test_curves_that_arrive_when_the_app_ends_do_not_fail() -> None:
    """The widgets are removed first, and the app then handles the messages that remain."""

    async def drive(page: Page) -> None:
        chart = page.app.query_one(CurveChart)
        await chart.remove()
        chart.redraw()
        await page.settled()

    assert explore(drive, *FOUR, has_threads=True) == 0


def test_field_refuses_a_pasted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def drive(page: Page) -> None:
        await page.press("slash")
        await page.paste("9" * 10_001)
        assert page.app.state.filter == ""
        assert "A field takes at most 10000 characters" in page.text()
        await page.paste("A" * 10_000)
        assert page.app.state.filter == "A" * 10_000
        await page.press("escape", "x")
        await page.paste("日" * 9_000)
        await page.press("enter")
        [message] = [notification.message for notification in page.app._notifications if "日" in notification.message]
        assert len(message) <= 400

    assert explore(drive, *FOUR) == 0


@key(arguments=ANIMALS)
async def current_line_stays_when_the_order_changes(page: Page) -> None:
    await page.press(*["tab"] * 4, "end")
    assert "› bird" in page.text("#distribution")
    await page.press("o")
    assert "› Catfish" in page.text("#distribution")


@key(arguments=())
async def first_line_is_current_in_another_row(page: Page) -> None:
    await page.press("end", "n", "p")
    assert "› A" in page.text("#distribution")


@key()
async def curves_change_with_a_sampler_but_not_with_the_temperature(page: Page) -> None:
    async def curves() -> str:
        """Return the chart without its cursor."""
        await page.press("0")
        return page.text("#curve")

    before = await curves()
    await page.press("8", "1")
    assert await curves() == before
    await page.press("down", "enter", "1", "enter")
    assert page.option("--top-k") == "1"
    assert await curves() != before


# Dialogs.


@key()
async def open_dialog_receives_all_keys(page: Page) -> None:
    before = page.app.command_line
    for name in ("question_mark", "e", "l", "x"):
        await page.press(name)
        assert len(page.app.screen_stack) == 2
        await page.press("0", "right", "S", "c", "o")
        assert len(page.app.screen_stack) == 2
        await page.press("escape")
        assert (page.app.command_line, page.app.copied) == (before, [])
        assert "draws one" in page.text("#draws")


@key()
async def keys_after_the_one_that_closes_a_dialog_do_not_end_the_program(page: Page) -> None:
    """They arrive in one burst, before the dialog has closed."""
    for keys in (("l", "enter", "enter", "enter"), ("a", "escape", "escape", "enter")):
        await page.rush(*keys)
        await page.settled()
        assert page.app.failure is None


def test_two_enters_write_a_file_once(tmp_path: Path) -> None:
    file = tmp_path / "x.json"

    async def drive(page: Page) -> None:
        await page.press("x", "ctrl+u")
        await page.paste(str(file))
        await page.rush("enter", "enter")
        await page.settled()
        assert len(page.app.screen_stack) <= 2
        await page.press("escape")

    assert explore(drive, *FOUR) == 0
    assert file.exists()


def test_pages_of_a_list_on_a_small_screen() -> None:
    async def drive(page: Page) -> None:
        await page.press("l", "pagedown", "pageup", "end", "pageup", "escape", "a")
        await page.resize(20, 5)
        await page.press("pageup", "pagedown", "escape")

    assert explore(drive, *FOUR, size=(10, 3)) == 0


def test_explanation_equals_that_of_compute(capfd: Capture) -> None:
    arguments = [*FOUR, "--tau", "0.7", "--top-k", "3", "--min-p", "0.2", "--bits"]
    assert cli.run(["compute", *arguments, "--explain", "--format", "table"]) == 0
    table = [line.split() for line in capfd.readouterr().out.splitlines()]
    first = next(i for i, words in enumerate(table) if words[:2] == ["step", "kept"])
    shown: list[list[str]] = []

    async def drive(page: Page) -> None:
        await page.press("e")
        shown.extend(line.strip("│ ").split() for line in page.lines("#box"))

    assert explore(drive, *arguments) == 0
    assert [words[:2] for words in table[first + 2 : first + 5]] == [
        ["temperature", "0.7"],
        ["top_k", "3"],
        ["min_p", "0.2"],
    ]
    assert [words for words in shown if words in table[first : first + 5] and len(words) > 1] == [
        table[first],
        *table[first + 2 : first + 5],
    ]


@key()
async def explanation_without_samplers(page: Page) -> None:
    await page.press("end", "e")
    assert "D at τ = 1" in page.text("#box")
    assert "0.1496 / 1.7406 = 0.0859" in page.text("#box")
    assert "samplers" not in page.text("#box")


# Copies and exports.


def test_command_line_of_an_example_reproduces_the_numbers(tmp_path: Path, capfd: Capture) -> None:
    async def drive(page: Page) -> None:
        await page.press("down", "space", "down", "space", "l", "down", "down", "enter")
        for _ in range(5):
            await page.press("c")
            [record] = computed(page, tmp_path)
            assert record["probs"] == probs(page)
            assert (record["engine"], page.tau) == ("llama.cpp", 1)
            await page.press("n")

    assert explore(drive) == 0
    printed = capfd.readouterr().out.splitlines()
    assert len(printed) == 5
    assert all(line.startswith("tsoft compute ") for line in printed)


@pytest.mark.parametrize(("classes", "title"), [(256, "copied; also printed"), (257, "copied; the command reads")])
def test_command_line_of_a_piped_row(classes: int, title: str, tmp_path: Path) -> None:
    """The command lists the logits, or the notice says that it reads them."""

    async def drive(page: Page) -> None:
        await page.press("right", "c")
        [notification] = page.app._notifications
        assert notification.title.startswith(title)
        if classes == 256:
            # The listed logits are the edited ones.
            await page.press("shift+tab", "minus")
            [record] = computed(page, tmp_path)
            assert record["probs"] == probs(page)
        else:
            assert page.app.copied == ["tsoft compute --tau 1.1"]

    file = tmp_path / "z.txt"
    file.write_text(" ".join(str(i / 8) for i in range(classes)))
    with file.open() as stdin:
        assert explore(drive, stdin=stdin) == 0


def test_command_line_repeats_the_input_options(tmp_path: Path) -> None:
    """These are files, options of the input, and biases."""
    file = tmp_path / "its logits.txt"
    file.write_text("3 1 2\n1 1 0\n")
    arguments = ["-i", str(file), "--labels", "a b,$c,'d", "--energies", "--logit-bias", "a b=-1.5", "--tau", "0.5"]

    async def drive(page: Page) -> None:
        await page.press("n", "c")
        records = computed(page, tmp_path)
        assert records[0]["probs"] == probs(page)
        exp = np.exp(np.array([-1 - 1.5, -1, 0]) / 0.5)
        np.testing.assert_allclose(records[0]["probs"], exp / exp.sum())

    assert explore(drive, *arguments) == 0


def test_command_line_has_masked_and_banned_classes(tmp_path: Path) -> None:
    file = tmp_path / "z.txt"
    file.write_text("3 -inf 1\n1 2 -inf\n")

    async def drive(page: Page) -> None:
        for _ in range(2):
            await page.press("c")
            [record] = computed(page, tmp_path)
            assert record["probs"] == probs(page)
            await page.press("n")

    assert explore(drive, "-i", str(file), "--logit-bias", "#0=-inf") == 0


def test_head_names_a_bias_whose_class_the_row_lacks(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"logits": [2, 1], "labels": ["cat", "dog"]}\n{"logits": [2, 1], "labels": ["cat", "fox"]}\n')

    async def drive(page: Page) -> None:
        assert "no class" not in page.text("#head")
        await page.press("n")
        assert "no class for the logit_bias of 'dog'" in page.text("#head")
        await page.press("shift+tab", "shift+tab", *["up"] * 9, "space")
        assert "no class" not in page.text("#head")

    assert explore(drive, "-i", str(file), "--logit-bias", "dog=1") == 0


def test_export_equals_the_output_of_compute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def drive(page: Page) -> None:
        await page.press("right", "down", "space")
        for ending in ("json", "csv"):
            await page.press("x", "ctrl+u")
            await page.paste(f"seen.{ending}")
            await page.press("enter")
            assert f"wrote seen.{ending}" in page.notices
            words = shlex.split(page.app.command_line)[1:]
            assert cli.run([*words, "-o", f"computed.{ending}"]) == 0
            assert Path(f"seen.{ending}").read_bytes() == Path(f"computed.{ending}").read_bytes()

    assert explore(drive, *FOUR) == 0
    assert len(list(tmp_path.iterdir())) == 4


def test_export_of_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def drive(page: Page) -> None:
        await page.press("x", "ctrl+u")
        await page.paste("seen.SVG")
        await page.press("enter")

    assert explore(drive, "cat=2", "[red]=1", "<&>=0") == 0
    from xml.etree import ElementTree

    picture = ElementTree.parse("seen.SVG")
    words = "".join(picture.getroot().itertext()).replace("\xa0", " ")
    assert all(text in words for text in ("cat", "[red]", "<&>", "perplexity", "top_k"))
    assert "export: .json" not in words


def test_failed_export_shows_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    ending = "use a name that ends in .json, .csv, .svg or .tsoft"
    problems = {"nowhere/seen.json": "the folder nowhere does not exist", "folder.json": "not a regular file"}

    async def drive(page: Page) -> None:
        for name, problem in problems.items():
            await page.press("x", "ctrl+u")
            await page.paste(name)
            await page.press("enter")
            shown = page.notices
            assert "wrote" not in shown
            assert f"{name}: {problem}" in shown
        # A wrong ending keeps the dialog open.
        await page.press("x", "end")
        for name in ["seen", "[red].svgz", ".json"]:
            await page.press("ctrl+u")
            await page.paste(name)
            await page.press("enter")
            assert ending in page.text("#box")
        await page.press("escape")
        await page.press("right")
        assert page.tau == 1.1

    assert explore(drive, *FOUR, size=(160, 50)) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["folder.json"]


def test_saved_state_opens_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[tuple[str, Any]] = []

    async def save(page: Page) -> None:
        await page.press(
            "n", "m", "down", "space", "shift+tab", "shift+tab", "end", "minus", "slash", "a", "enter", "o"
        )
        await page.press("x", "a", "delete", "delete", "delete", "delete", "delete")
        await page.paste(".tsoft")
        await page.press("enter")
        assert "wrote tsofta.tsoft" in page.notices
        seen.append((page.text("#head"), page.app.state))

    async def reopen(page: Page) -> None:
        assert page.text("#head") == seen[0][0]
        assert "mark: TV" in seen[0][0]
        assert page.app.state == seen[0][1]
        assert "with 'a'" in page.text("#distribution")
        assert "--bits" in page.app.command_line

    assert explore(save, "--bits") == 0

    async def hostile(page: Page) -> None:
        assert "\\x1b[31mred" in page.text("#rows")
        assert "a[32m" in page.text("#filter")
        assert all(char.isprintable() for line in page.lines() for char in line)

    assert explore(reopen, "tsofta.tsoft") == 0
    data = json.loads(Path("tsofta.tsoft").read_bytes())
    data["titles"][0], data["state"]["filter"] = "\x1b[31mred", "a\x1b[32m"
    Path("tsofta.tsoft").write_text(json.dumps(data))
    assert explore(hostile, "tsofta.tsoft") == 0
    Path("tsofta.tsoft").write_text('{"format": "tsoft explore", "version": 1}')
    assert explore(reopen, "tsofta.tsoft") == 1
    assert explore(reopen, "-i", "tsofta.tsoft", "--top-p", "0.9") == 2
    errors = capsys.readouterr().err
    assert "tsofta.tsoft: the field 'bits' is missing" in errors
    assert "--top-p has no effect on a saved state" in errors


def test_edits_of_a_long_row_are_biases_in_the_command(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", np.arange(100, dtype=np.float32)[np.newaxis] / 8)

    async def drive(page: Page) -> None:
        await page.press("shift+tab", "minus", "enter", "1", "enter", "down", "minus")
        words = shlex.split(page.app.command_line)
        assert [words[i + 1] for i, word in enumerate(words) if word == "--logit-bias"] == ["#7=-inf", "#99=-11.375"]
        [record] = computed(page, tmp_path)
        assert record["probs"] == probs(page)
        await page.press("o", "home", "enter")
        await page.paste("=1")
        await page.press("escape", "plus")
        await page.paste("1")
        await page.press("enter", "c")
        assert "No command can show this row" in page.notices
        assert (page.app.copied, page.app.state.edit(0).added) == ([], (("", 1.0),))

    assert explore(drive, "-i", str(tmp_path / "z.npy"), "--top-p", "0.9") == 0


@key(arguments=RESPONSE)
async def response_is_not_edited(page: Page) -> None:
    await page.press("shift+tab", "enter", "plus", "minus")
    assert "tsoft does not edit it" in page.notices
    assert page.app.state.edits == ()
    assert isinstance(page.app.focused, ClassTable)


# Samplers and engines.


def test_selecting_an_engine(tmp_path: Path) -> None:
    """One engine has a fixed order; for the other one, the user chooses the order."""

    async def drive(page: Page) -> None:
        for name in ("vllm", "llama.cpp"):
            engine = ENGINES[name]
            await page.press("l", "home", *["down"] * (1 + list(ENGINES).index(name)), "enter", *["up"] * 9)
            assert page.option("--like") == engine.name
            [record] = computed(page, tmp_path)
            assert record["probs"] == probs(page)
            assert (f"not in {engine.name}" in page.text("#sliders")) is not engine.has("epsilon_cutoff")
            order = page.option("--samplers")
            await page.press(*["right_square_bracket"] * 5)
            fixed = f"{engine.name} applies its samplers in a fixed order." in page.notices
            assert fixed is not engine.reorders
            assert (page.option("--samplers") == order) is fixed

    options = ["--top-k", "3", "--top-p", "0.8", "--tau", "0.7", "--epsilon-cutoff", "0.01"]
    assert explore(drive, *FOUR, *options, size=(160, 50)) == 0


def test_every_sampler_has_a_slider(tmp_path: Path) -> None:
    parameters = [
        switch
        for sampler in SAMPLERS.values()
        if sampler.name not in ("logit_bias", "temperature")
        for switch in sampler.switch_parameters
    ]
    history = tmp_path / "history.txt"
    history.write_text("A\nB\n")

    async def drive(page: Page) -> None:
        [record] = computed(page, tmp_path)
        assert record["probs"] == probs(page)
        for parameter in parameters:
            value = "on" if parameter.is_flag else f"{slider_range(parameter).initial:g}"
            assert re.search(rf"{parameter.name} +{value}( |$)", page.text("#sliders"), re.MULTILINE)
        # All samplers in the list are on, except the range of the dynamic temperature.
        await page.press("a")
        assert len(re.findall(r"^│ \w+ +on ", page.text("#box"), re.MULTILINE)) == len(parameters)
        await page.press("home", "down", "down", "enter")
        assert page.option(parameters[1].option) == "1.1"
        assert page.option(parameters[2].option) is None

    options = [parameter.option for parameter in parameters if parameter.is_flag]
    for parameter in parameters:
        options += [] if parameter.is_flag else [parameter.option, f"{slider_range(parameter).initial:g}"]
    assert explore(drive, *FOUR, *options, "--history", str(history), size=(160, 130)) == 0


def test_a_sampler_without_a_number_is_only_switched() -> None:
    async def drive(page: Page) -> None:
        while "› p_less" not in page.text("#sliders"):
            await page.press("shift+tab")
        assert listed(page)["C"].startswith("(")
        # Neither a key nor a typed number changes it.
        await page.press("right", "left", "enter")
        assert re.search(r"› p_less +on$", page.text("#sliders"))
        await page.press("space")
        assert re.search(r"› p_less +off$", page.text("#sliders"))
        assert page.option("--p-less") is None

    assert explore(drive, "A=3", "B=2.9", "C=1.5", "--p-less") == 0


def test_head_reports_the_whole_problem_of_a_sampler_that_needs_raw_logits() -> None:
    async def drive(page: Page) -> None:
        problem = "row 0: soft_cap 30 needs the raw logits, but probabilities determine them only up to a constant"
        assert page.text("#head").split() == problem.split()
        # No key that needs the distribution is silent.
        for name in ("e", "s", "m"):
            await page.press(name)
            [notification] = page.app._notifications
            assert (notification.title, notification.message) == ("There is no distribution.", problem)
            page.app.clear_notifications()
        await page.press("x", "enter")
        [notification] = page.app._notifications
        assert notification.message == f"there are no numbers to export: {problem}"
        page.app.clear_notifications()
        while "› soft_cap" not in page.text("#sliders"):
            await page.press("shift+tab")
        await page.press("space")
        assert len(page.text("#head").splitlines()) == 1

    assert explore(drive, "A=0.5", "B=0.5", "--probs", "--soft-cap", "30", size=(80, 24)) == 0


@key()
async def typed_letters_move_to_a_name_in_a_list(page: Page) -> None:
    # The first letters of a name.
    await page.press("a", "m", "i", "r", "enter")
    assert page.option("--mirostat-tau") is not None
    # With - for _. No name has "n-st", so that "t" begins anew.
    await page.press("a", "n", "-", "s", "t", "o", "p", "_", "a", "enter")
    assert page.option("--top-a") is not None
    await page.press("l", "v", "l", "l", "m", "@", "p", "enter")
    assert page.option("--like") == "vllm@pytorch"


def test_texts_on_a_small_screen_are_not_cut() -> None:
    async def drive(page: Page) -> None:
        # The field is below the sliders, however many they are. The current one stays in sight.
        await page.press("tab", "shift+tab", "shift+tab", "shift+tab", "enter", "7")
        lines = page.text("#parameters").splitlines()
        assert lines[-2].strip() == "7"
        assert lines[-1] == "a number from 0 to 1"
        assert any(line.startswith("› ") for line in lines)
        await page.press("escape", "tab", "tab")
        # The name of a parameter that modifies another one is the part that differs.
        assert re.search(r"^  +dynatemp… +0\.5 .*\n +exponent +1 ", page.text("#sliders"), re.MULTILINE)
        await page.press("equals_sign")
        assert "target: top-prob 73%, entropy 1 or dog 20%" in " ".join(page.text("#entry").split())
        await page.press("escape", "a")
        lines = page.lines("#box")
        first = next(i for i, line in enumerate(lines) if "Soft cap: replace" in line)
        assert lines[first + 1][: lines[first].index("Soft cap")].strip("│ ") == ""
        assert lines[first + 1][lines[first].index("Soft cap")] != " "

    names = ("top-h", "tfs", "top-a", "typical-p", "min-p", "dynatemp-range")
    options = [word for name in names for word in (f"--{name}", "0.5")]
    assert explore(drive, *FOUR, *options, size=(80, 24)) == 0


def test_head_reports_a_chain_that_removes_every_class() -> None:
    async def drive(page: Page) -> None:
        assert "row 0: top_p 1e-17 of mlx-lm@0.32.0 removes every class" in page.text("#head")
        for name in ("s", "S", "r", "e", "escape", "x", "escape", "c", "o", "pagedown", "slash", "enter"):
            await page.press(name)
        while "› top_p" not in page.text("#sliders"):
            await page.press("shift+tab")
        await page.press("right")
        assert "removes every class" not in page.text("#head")
        assert listed(page)["A"] == "1.0000"
        await page.press("enter")
        await page.paste("1e-17")
        await page.press("enter")
        assert "removes every class" in page.text("#head")

    assert explore(drive, "A=3", "B=2.6", "C=1.5", "--top-p", "1e-17", "--like", "mlx-lm@0.32.0") == 0


# Input.


def test_response_is_shown_as_colored_text() -> None:
    async def drive(page: Page) -> None:
        styles = []
        for tau in ("1", "8", "0"):
            await page.press(tau)
            strip = page.app.query_one("#rows").render_line(0)
            styles.append([str(segment.style) for segment in strip if segment.text.strip()])
        assert styles[0] != styles[1]
        assert "of the probability" in page.text("#head")
        text = page.text("#rows")
        rows = int(page.text("#head").split(" to ")[1].split(")")[0]) + 1
        for row in range(rows):
            assert f"row {row} (" in page.text("#head")
            await page.press("n")
        assert page.text("#rows") == text

    assert explore(drive, *RESPONSE) == 0


def test_each_of_several_texts_starts_a_line(tmp_path: Path) -> None:
    file = str(tmp_path / "texts.json")
    arguments = ("--ngram", str(DATA / "barn.txt"), "-n", "2", "--seed", "1", "--max-tokens", "3", "-o", file)
    assert here("generate", "In the evening the", *arguments).returncode == 0
    texts = [record["text"].rstrip() for record in json.loads(Path(file).read_text("utf-8"))]

    async def drive(page: Page) -> None:
        assert [line.rstrip() for line in page.text("#rows").splitlines()] == texts

    assert explore(drive, "-i", file) == 0


def test_many_rows_are_shown_as_a_strip_of_cells(tmp_path: Path) -> None:
    file = tmp_path / "rows.npy"
    np.save(file, np.random.default_rng(1).normal(size=(250, 7)) * 3)

    async def drive(page: Page) -> None:
        await page.press("N", "N", "n")
        assert "row 21 (0 to 249)" in page.text("#head")
        x, y = page.app.query_one("#rows").region.offset
        await page.click(x + 50, y)
        assert "row 50 (0 to 249)" in page.text("#head")
        await page.press(*["N"] * 6)
        assert "row 110 (0 to 249)" in page.text("#head")
        await page.click(x + 3, y)
        assert "row 103 (0 to 249)" in page.text("#head")
        await page.press("p", "p", "p", "p", "P")
        assert "row 89 (0 to 249)" in page.text("#head")

    assert explore(drive, "-i", str(file)) == 0


def test_explorer_with_a_vocabulary(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((1, 131072)).astype(np.float32) * 4
    np.save(tmp_path / "z.npy", logits)
    (tmp_path / "labels.txt").write_text("".join(f"t{i}\n" for i in range(131072)))
    order = np.argsort(-logits[0], kind="stable")

    async def drive(page: Page) -> None:
        assert "131072 classes" in page.text("#head")
        assert [int(name[1:]) for name in listed(page)] == order[: len(listed(page))].tolist()
        await page.press("tab", "tab", "tab", "tab", "end")
        assert f"› t{order[-1]}" in page.text("#distribution")
        assert " 131072 " in page.text("#distribution")
        # The names at the end are longer than the first ones.
        await page.press("o", "end")
        assert "› t131071 " in page.text("#distribution")
        await page.press("o")
        await page.press("slash")
        await page.paste("t13107")
        assert set(listed(page)) == {"t13107", "t131070", "t131071"}
        await page.press("enter", "1", "0", "S")
        assert page.tau == 0
        assert "100 draws" in page.text("#draws")

    assert (
        explore(
            drive, "-i", str(tmp_path / "z.npy"), "--labels", f"@{tmp_path}/labels.txt", "--top-k", "5", "--seed", "1"
        )
        == 0
    )


HOSTILE = [
    "[red]a=3",
    "[/INST]=2.5",
    "\x1b[31mx=2",
    "a\nb=1.5",
    "日本語=1",
    "\u202eab=0.5",
    "=0",
    "\x07=-1",
    "é" * 200 + "=-2",
]


def test_hostile_labels_are_shown_as_text() -> None:
    async def drive(page: Page) -> None:
        for size in SIZES[1::-1]:
            await page.resize(*size)
            for keys in (["S"], ["e"], ["escape", "c"], ["x", "escape", "tab", "tab", "tab", "tab"], ["down"] * 5):
                await page.press(*keys)
                lines = page.lines()
                assert {cell_len(line) for line in lines} == {size[0]}
                assert all(char.isprintable() or char == " " for line in lines for char in line)
            await page.press("home")
            shown = page.text("#distribution")
            wanted = ("[red", "[/IN", "\\x1b", "a\\nb", "日")
            assert all(text in shown for text in wanted)
            assert "\u202e" not in page.text()
            await page.press("slash", "left_square_bracket")
            await page.paste("[red]")
            assert "distribution, 1 with '[red]'" in page.text("#distribution")
            assert "[red]a" in page.text("#measures") or size == (60, 20)
            await page.press("escape")

    assert explore(drive, *HOSTILE, "--seed", "1", "--top-k", "8") == 0


@key()
async def pasted_control_characters_do_not_reach_the_terminal(page: Page) -> None:
    for opened in ("slash", "plus", "enter", "x", "question_mark"):
        await page.press(opened)
        assert "0 1[31m" not in page.text()
        await page.paste("0\t1\x1b[31m\x07")
        assert "0 1[31m" in page.text(), opened
        assert all(char.isprintable() for line in page.lines() for char in line)
        await page.press("escape")


def test_no_screen_contains_nan(tmp_path: Path) -> None:
    (tmp_path / "z.txt").write_text("5 -inf -inf\n0 0 -inf\n1e308 -1e308 0\n-1e308 -1e-320 -1\n")

    async def drive(page: Page) -> None:
        for _ in range(4):
            for keys in ("0", "8", "1S", "e"):
                await page.press(*keys)
                assert not re.search(r"\bnan\b", page.text().lower())
            await page.press("escape")
            # A blank precedes each number, however small it is.
            assert len(listed(page)) == 3
            await page.press("n")

    assert explore(drive, "-i", str(tmp_path / "z.txt"), "--seed", "1") == 0


# Arguments.


def test_sliders_start_at_the_options() -> None:
    async def drive(page: Page) -> None:
        for name, value in [("τ", "0.7"), ("top_k", "3"), ("min_p", "0.1")]:
            assert re.search(rf"{name} +{value} ", page.text("#sliders"))
        assert re.search("top_p +off ", page.text("#sliders"))
        assert page.option("--samplers") == "min_p;top_k;temperature"
        assert "entropy (bits)" in page.text("#measures")

    arguments = ["--tau", "0.7", "--top-k", "3", "--min-p", "0.1", "--samplers", "min_p;top_k;temperature", "--bits"]
    assert explore(drive, *FOUR, *arguments) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tau", "0.5,1"], "--tau: explore starts at one temperature, got 2"),
        (["--like", "vllm,sglang,mlx-lm"], "--like: explore compares two engines at most"),
        (["--tau", "-1"], "--tau"),
        (["--top-p", "2"], "--top-p: expected a number from 0 to 1, got 2"),
    ],
)
def test_wrong_arguments_are_reported_before_the_app_opens(arguments: list[str], message: str, capsys: Capture) -> None:
    async def drive(_: Page) -> None:
        raise AssertionError("it opened")

    assert explore(drive, *FOUR, *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", dict.fromkeys(arguments for _, arguments, _ in CHECKS))
def test_keys_have_their_effects(arguments: tuple[str, ...]) -> None:
    """All checks with these arguments use one explorer. Between them, the state is the initial one again."""

    async def drive(page: Page) -> None:
        initial = page.app.state
        for _, wanted, check in CHECKS:
            if wanted == arguments:
                await check(page)
                if page.app.size != SIZES[1]:
                    await page.resize(*SIZES[1])
                await page.press("escape", "r", "home")
                while page.app.state != initial:
                    await page.press("u")
                page.app.clear_notifications()
                page.app.screen.set_focus(sliders := page.app.query_one(Sliders))
                sliders.choose(TAU)
                await page.settled()

    assert explore(drive, *arguments) == 0


def test_every_key_has_a_check() -> None:
    bound = {key for binding in Explorer.BINDINGS if isinstance(binding, Binding) for key in binding.key.split(",")}
    assert bound - {"q", "ctrl+c", "ctrl+z"} == {name for names, *_ in CHECKS for name in names}
