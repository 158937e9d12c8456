"""The legend: each measure and mark in an output has a line, once, at the end."""

import re
import sys

import pytest
from rich.cells import cell_len

from tool import TESTS, here_on_terminal, out
from tsoft.charts.legend import LINES, Legend
from tsoft.charts.view import Screen, View
from tsoft.core.measures import MEASURES
from tsoft.core.thermodynamics import THERMODYNAMICS

posix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
OPENAI = str(TESTS / "data" / "openai-chat.json")
RESPONSE = str(TESTS / "data" / "llama-server-post-sampling.json")
DISTILLED = [
    *("-i", str(TESTS / "data" / "teacher.csv")),
    *("--student", str(TESTS / "data" / "student.csv")),
    *("--targets", str(TESTS / "data" / "targets.txt")),
]
LABELED = ["the=4.2", "a=3.9", "Paris=3.5", "one=2.2", "of=0.1"]
ENERGIES = ["J=0=0", "J=1=4", "--energies", "--degeneracy", "1,3", "--units", "cm-1"]
ROWS = "2 1\n0 5\n1 1\n"

# How each line of the legend begins, and the text by which its measure or mark is recognized in an output. A name of a
# measure is the first cell of a line or the title of a chart.
MARKS = {
    "┊": "┊",
    "shades": r"\+ 0\.5 \*",
    "more": r"\d+ more",
    "ln p": r" -\d[\d.]* [█▏▎▍▌▋▊▉]",
    "listed": r"τ = [\d.]+ listed",
    "low–high": "low–high",
    "exact": r"τ = [\d.]+ exact",
    "*": r"\d\*",
    "(–) NAME": r"\(–\) [a-z]+_[a-z]",
    "undecided": "^ step .* undecided",
    "unlisted": "^ step .* unlisted",
    "removes": "^ step .* removes",
    "›": "^ › ",
    "?": r" \?( |$)",
    "×": r"×\d",
    "(p) NAME": r"\([\d.]+\) [a-z]+_[a-z]",
    "kept": r"^ kept|^ step .* kept",
    "removed": "^ removed",
    "entropy": r"^ entropy|^entropy|^ step .* entropy",
    "perplexity": "^ perplexity|^perplexity",
    "top-prob": r"^ top-prob|^top-prob( \(|$)",
    "margin": "^ margin|^margin",
    "varentropy": "^ varentropy|^varentropy",
    "log-sum-exp": "^ log-sum-exp|^log-sum-exp",
    "chosen": "^ chosen",
    "count": "expected +count",
    "rank": "^ rank",
    "rank >N": r"^ rank .*>\d",
    "log-probability": "^ log-probability",
    "sequence perplexity": "^ sequence perplexity",
    "log Z": "^ log Z",
    "log-z": "^ log-z|^log-z",
    "F": "^ F ",
    "free-energy": "^ free-energy|^free-energy",
    "U": "^ U ",
    "mean-energy": "^ mean-energy|^mean-energy",
    "S/k": "^ S/k",
    "C/k": "^ C/k",
    "heat-capacity": "^ heat-capacity|^heat-capacity",
    "±": "±",
    "cut": "^ step .* cut",
    "xtc": "^ xtc ",
    "top": "^ step .* top",
    "keeps": "^ step .* keeps",
    "H": r"- H\|",
    "total variation": "^total variation",
    "expected": "^ class .* expected",
    "seed": "^ seed",
    "chi-square": "^ chi-square",
    "p-value": "^ p-value",
    "–": r"^ (margin|p-value) .*–|^ .*– ±",
    "rest-prob": "^ rest-prob",
    "rest-entropy": "^ rest-entropy",
    "information": "^ information",
    "kl": "^ kl ",
    "kl-tau2": "^ kl-tau2",
    "gradient": "^ gradient ",
    "gradient-tau2": "^ gradient-tau2",
    "cross-entropy": "^ cross-entropy",
    "loss": "^ loss",
}

COMMANDS: dict[str, tuple[list[str], str | None]] = {
    "compute": (["compute", "2", "1", "--tau", "0.5,1"], None),
    "rows": (["compute"], ROWS),
    "logarithms": (["compute", "2", "1", "--log"], None),
    "one class": (["compute", "a=2"], None),
    "many classes": (["compute", *map(str, range(30)), "--show", "3"], None),
    "samplers": (["compute", *LABELED, "--top-k", "4", "--min-p", "0.3", "--explain"], None),
    "typical": (["compute", *LABELED, "--typical-p", "0.5", "--explain"], None),
    "samplers on a response": (
        ["compute", "-i", OPENAI, "--tau", "0.7,1", "--rows", "9", "--top-p", "0.9", "--explain"],
        None,
    ),
    "xtc": (["compute", *LABELED, "--xtc-probability", "0.5", "--explain"], None),
    "engines": (["compute", *LABELED, "--top-p", "0.9", "--min-p", "0.12", "--like", "vllm,llama.cpp"], None),
    "response": (["compute", "-i", RESPONSE, "--rows", "4"], None),
    "chosen": (["compute", "-i", RESPONSE, "--rows", "4", "--chosen", "--tau", "0.5,2"], None),
    "energies": (["compute", *ENERGIES, "--tau", "5"], None),
    "sweep": (["sweep", "2", "1", "--measure", "top-prob"], None),
    "sweep of energies": (["sweep", *ENERGIES, "--from", "1", "--to", "9", "--measure", "heat-capacity"], None),
    "no chart": (["sweep", "2", "1", "--no-chart"], None),
    "heat map": (["sweep", *map(str, range(30)), "--heatmap"], None),
    "mean": (["sweep", "--mean"], ROWS),
    "mean of one class": (["sweep", "--mean"], "1\n\n"),
    "mean of energies": (["sweep", "--mean", "--energies"], ROWS),
    "mean of a distillation": (["distill", "--mean", *DISTILLED], None),
    "solve": (["solve", "2", "1", "--margin", "0.2"], None),
    "sample": (["sample", "2", "1", "--tau", "0.5,1"], None),
    "certain sample": (["sample", "2", "1", "--tau", "0"], None),
}


def parts(text: str) -> tuple[str, list[str]]:
    """The output without its last paragraph, and the lines of that paragraph, which is the legend."""
    body, _, legend = text.removesuffix("\n").rpartition("\n\n")
    return body, legend.splitlines()


def shown(name: str, width: int) -> str:
    arguments, stdin = COMMANDS[name]
    return here_on_terminal(*arguments, stdin=stdin, width=width, notes=False, NO_COLOR="1")


@posix
@pytest.mark.parametrize("name", COMMANDS)
def test_each_measure_and_mark_has_one_line(name: str) -> None:
    body, legend = parts(shown(name, 160))
    labels = [line.partition(": ")[0] for line in legend]
    expected = {label for label, mark in MARKS.items() if re.search(mark, body, re.MULTILINE)}
    assert expected
    assert sorted(labels) == sorted(expected)


@posix
def test_the_cut_of_a_step_at_random_is_an_average() -> None:
    """XTC with the probability 0.25 removes 0.5, so on average 0.125."""
    typed = ["compute", "0.5", "0.3", "0.2", "--probs", "--explain", "--xtc-threshold", "0.25", "--xtc-probability"]
    screen = here_on_terminal(*typed, "0.25", width=160, NO_COLOR="1")
    assert re.search(r"^ xtc 0.25 .* 3  0\.1250 ", screen, re.MULTILINE)
    assert "xtc: applied at random, so what it cuts is an average\n" in screen


@posix
def test_a_narrow_screen_wraps_the_lines() -> None:
    wide, narrow = (parts(shown("samplers", width))[1] for width in (160, 40))
    legend = Legend()
    legend.add(*LINES)
    assert len(wide) > 5
    wide, narrow = (
        [*lines, *legend.draw(width, color=False).split("\n")[1:-1]] for lines, width in ((wide, 160), (narrow, 40))
    )
    assert max(map(cell_len, narrow)) <= 40
    assert "\n".join(narrow).replace("\n  ", " ").splitlines() == wide


def test_a_line_fits_a_screen_of_80_columns() -> None:
    assert max(map(cell_len, LINES.values())) <= 78
    # The name of a step that is applied at random has a line of its own.
    assert {line.partition(": ")[0] for line in LINES.values()} == MARKS.keys() - {"xtc"}


def test_each_measure_of_a_chart_has_a_line() -> None:
    names = {name.replace("_", "-") for name in (*MEASURES, *THERMODYNAMICS)}
    assert names <= LINES.keys()


@pytest.mark.parametrize("form", ["tsv", "csv", "json", "jsonl"])
def test_records_have_no_legend(form: str) -> None:
    assert "margin: " not in out("compute", "2", "1", "--format", form)


def test_the_legend_is_dim_if_the_output_has_colors() -> None:
    legend = Legend()
    assert legend.draw(80, color=True) == ""
    legend.add("margin", "top-prob")
    lines = [LINES["top-prob"], LINES["margin"]]
    assert legend.draw(80, color=True) == "\n" + "".join(f"\x1b[2m{line}\x1b[0m\n" for line in lines)
    assert legend.draw(80, color=False) == "\n" + "".join(f"{line}\n" for line in lines)


def test_views_do_not_share_a_legend() -> None:
    first, second = (View(Screen(80, False)) for _ in range(2))
    first.legend.add("margin")
    assert second.draw_legend() == ""
    assert first == second
