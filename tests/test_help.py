"""Help for new users: `tsoft` alone, logits without a command, --help, and the examples of the commands."""

import functools
import importlib
import re
import shlex

import pytest

from cases import each_case
from tool import here, here_on_terminal, out
from tsoft.cli import COMMANDS, GROUPS, SUMMARIES
from tsoft.sampling.engines import DEFAULT_ENGINES
from tsoft.sampling.sampler_table import SAMPLERS, TAU

# Commands that read logits, or rows of them.
READERS = ("compute", "sweep", "solve", "sample", "explore", "calibrate", "distill")


@functools.cache
def help_of(command: str) -> str:
    """Return the help of a command on a wide terminal, without frames, and with single blanks."""
    return re.sub(r"[│─╭╮╰╯\s]+", " ", out(command, "--help", COLUMNS="400"))


@functools.cache
def examples(command: str) -> list[str]:
    """Return the lines below "Examples:" in the help of a command."""
    lines = [line.strip() for line in out(command, "--help", COLUMNS="200").splitlines()]
    start = lines.index("Examples:") + 1
    return lines[start : lines.index("", start)]


def test_tsoft_alone_shows_its_purpose_and_three_examples() -> None:
    text = here_on_terminal()
    assert text == out()
    introduction, *groups = text.split("\n\nOne distribution:")
    assert len([line for line in introduction.splitlines() if line]) <= 8
    tried = re.findall(r"^  (tsoft .*?)(?:   .*)?$", introduction, re.MULTILINE)
    assert len(tried) == 3
    assert all(shlex.split(line)[1] in COMMANDS for line in tried)
    assert len(groups) == 1
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [40, 60])
def test_a_bare_tsoft_wraps_between_words(width: int) -> None:
    text = here_on_terminal(width=width)
    assert max(map(len, text.splitlines())) <= width
    assert text.split() == out(COLUMNS="200").split()


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_commands_are_listed_in_groups(arguments: tuple[str, ...]) -> None:
    headings = "|".join(GROUPS)
    lines = out(*arguments, COLUMNS="100").splitlines()
    listed = [
        match[1] for line in lines if (match := re.match(rf"(?:│ |  |╭─ |)({headings}|[a-z]+)(?:  +|:| ─)", line))
    ]
    assert listed == [name for group, names in GROUPS.items() for name in (group, *names)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("2", "1", "0.5"),
        ("-1", "2"),
        ("cat=2", "dog=1"),
        ("--tau", "0.5", "2", "1"),
        (".5",),
        ("-inf", "0"),
    ],
)
def test_the_error_for_logits_without_a_command_names_compute(arguments: tuple[str, ...]) -> None:
    done = here(*arguments)
    assert done.returncode == 2
    suggested = done.stderr.strip().removeprefix("tsoft: error: ").partition("type: ")[2]
    assert shlex.split(suggested) == ["tsoft", "compute", *arguments]
    assert here(*shlex.split(suggested)[1:]).returncode == 0


def test_a_mistyped_command_names_the_nearest() -> None:
    done = here("comptue", "2", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'compute'" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_of_the_command(command: str) -> None:
    shown = examples(command)
    assert len(shown) >= 3
    for line in shown:
        assert f"tsoft {command}" in line
        # Each command of a pipeline has the options of the example.
        for called, typed in re.findall(r"tsoft ([a-z]+)([^|)]*)", line):
            known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_of(called)))
            assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", typed)) <= known


@pytest.mark.parametrize("command", ["compute", "sweep", "solve", "sample", "distill", "anneal", "bandit"])
def test_examples_with_typed_logits_run(command: str) -> None:
    lines = [line for line in examples(command) if not re.search(r"…|some-program|-i |\|", line)]
    assert lines
    # The default of a thousand steps takes long.
    more = ["--steps", "20"] if command == "bandit" else []
    for line in lines:
        done = here(*shlex.split(line)[1:], *more)
        assert done.returncode == 0, line


@pytest.mark.parametrize(
    ("command", "default"),
    [
        ("compute", "[default: 1]"),
        ("sample", "[default: 1]"),
        ("sweep", "[default: a grid from 0.1 to 10]"),
        ("distill", "[default: 1,2,4,8,16]"),
        ("explore", "[default: 1]"),
    ],
)
def test_help_gives_the_command_s_default_temperature(command: str, default: str) -> None:
    option = " ".join(help_of(command).partition("--tau, --temperature")[2].split())
    assert re.findall(r"\[default:[^]]*\]", option)[0] == default


@each_case("command", COMMANDS)
def test_help_shows_the_range_of_a_number_in_words(command: str) -> None:
    text = " ".join(help_of(command).split())
    assert not re.search(r"\bx[<>]|[<>]=?x", text)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("compute", "Number of significant digits. [default: all digits; about 4 in a table] [1 to 17]"),
        ("sweep", "Dots per inch of a png. [default: 150; 30 to 1200]"),
        ("next", "[default: 60] [at least 0.1]"),
    ],
)
def test_help_shows_the_default_before_the_range(command: str, expected: str) -> None:
    assert expected in " ".join(help_of(command).split())


def test_default_temperatures_are_those_of_the_help() -> None:
    assert out("compute", "2", "1") == out("compute", "2", "1", "--tau", "1")
    assert out("distill", "2", "1") == out("distill", "2", "1", "--tau", "1,2,4,8,16")
    assert out("sweep", "2", "1") == out("sweep", "2", "1", "--from", "0.1", "--to", "10", "--steps", "25")


@each_case("command", COMMANDS)
def test_help_names_no_other_command_s_defaults(command: str) -> None:
    text = help_of(command)
    assert "in a sweep" not in text
    assert "in distill" not in text
    if command not in ("compute", "sweep", "next"):
        assert "npz" not in text.partition("--format -f")[2]


@pytest.mark.parametrize("command", ["distill", "next", "generate", "calibrate"])
def test_help_lists_no_option_without_effect(command: str) -> None:
    """These commands show no bounds, so --vocab-size has no effect."""
    assert "--vocab-size" not in help_of(command)


def test_help_fits_80_columns_and_has_its_sections_in_the_same_order_in_all_commands() -> None:
    last = ["Output", "Table and chart", "Samplers", "Figure", "Many files"]
    for command in COMMANDS:
        text = out(command, "--help")
        assert max(map(len, text.splitlines())) <= 80, command
        sections = re.findall(r"^([A-Z][\w τ]*):$", text, re.MULTILINE)
        places = [last.index(section) if section in last else -1 for section in sections]
        assert places == sorted(places), command


def test_help_lists_all_samplers_and_engines() -> None:
    text = help_of("compute")
    parameters = [
        parameter for sampler in SAMPLERS.values() for parameter in sampler.parameters if parameter is not TAU
    ]
    assert all(f"{parameter.option} " in text for parameter in parameters)
    like = text.partition("--like")[2].partition("--settings")[0]
    assert all(name in like for name in DEFAULT_ENGINES)


@pytest.mark.parametrize(("command", "takes_several"), [("compute", True), ("compare", False), ("audit", False)])
def test_help_offers_several_engines_only_where_they_are_compared(command: str, takes_several: bool) -> None:
    assert ("--like ENGINE,…" in help_of(command)) is takes_several
    assert ("Several engines" in help_of(command)) is takes_several


@each_case("command", COMMANDS)
def test_summaries_are_sentences(command: str) -> None:
    function = getattr(importlib.import_module(f"tsoft.features.{command}.command"), command)
    summary = function.__doc__.split("\n")[0]
    assert summary == SUMMARIES[command]
    assert re.fullmatch(r"[A-Z].*\.", summary)
    assert len(summary) + len("  calibrate  ") <= 90
