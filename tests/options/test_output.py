"""The rule for options that have an effect on some formats only, which is the same for every command."""

import dataclasses
import importlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases import each_case
from tool import TESTS, here, here_in_bytes, here_on_terminal, status_on_terminal
from tsoft import cli
from tsoft.cli import COMMANDS
from tsoft.errors import UsageError
from tsoft.options.chosen_formats import chosen_formats, refuse
from tsoft.options.command import option_name
from tsoft.options.output import (
    ARRAY_FORMATS,
    FIGURE_FORMATS,
    PAGE_FORMAT,
    TEXT_FORMATS,
    ContentOptions,
    DiagramOptions,
    Displayed,
    DisplayOptions,
    FigureOptions,
    LongDisplayOptions,
    OnlyIn,
    OutputOptions,
)

FORMATS = ("table", *TEXT_FORMATS, *ARRAY_FORMATS, PAGE_FORMAT)


@pytest.fixture(autouse=True)
def _pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result goes to a pipe."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())


def formats(*options: Any, **settings: Any) -> list[str]:
    return [format for _, format in chosen_formats(*options, **settings)]


@pytest.mark.parametrize(
    ("display", "format"),
    [
        (DisplayOptions(), "tsv"),
        (DisplayOptions(rows=2), "table"),
        (DisplayOptions(sort=True), "table"),
        (DisplayOptions(show=1), "table"),
    ],
)
def test_a_display_option_implies_the_table_in_a_pipe(display: DisplayOptions, format: str) -> None:
    assert formats(OutputOptions(), display) == [format]
    assert formats(OutputOptions(output=["x"]), display) == [format]


@pytest.mark.parametrize("format", [*TEXT_FORMATS, "npy"])
def test_a_display_option_with_another_format_is_an_error(format: Any, tmp_path: Path) -> None:
    for output in (OutputOptions(format=format), OutputOptions(output=[str(tmp_path / f"x.{format}")])):
        with pytest.raises(UsageError, match=f"--rows has no effect on {format}; use --format table, svg, png or pdf"):
            chosen_formats(output, DisplayOptions(rows=2), arrays=True)
        assert formats(output, DisplayOptions(), arrays=True) == [format]


@pytest.mark.parametrize(("chart", "option"), [(True, "--chart"), (False, "--no-chart")])
def test_an_on_off_option_without_effect_is_named_as_typed(chart: bool, option: str) -> None:
    with pytest.raises(UsageError, match=f"^{option} has no effect on csv; use --format table$"):
        chosen_formats(OutputOptions(format="csv"), DiagramOptions(chart=chart))
    with pytest.raises(UsageError, match=f"^{option} has no effect on sweep --mean; remove {option}$"):
        refuse("sweep --mean", DiagramOptions(chart=chart))
    assert here("anneal", option, "-f", "csv").stderr.startswith(f"tsoft: error: {option} has no effect on csv")


def test_further_forms_of_a_format() -> None:
    long = ContentOptions(long=True)
    with pytest.raises(UsageError, match="--show has no effect on csv; use --long, or --format table, svg, png or pdf"):
        chosen_formats(OutputOptions(format="csv"), LongDisplayOptions(show=3))
    chosen = chosen_formats(OutputOptions(format="csv"), long, LongDisplayOptions(show=3), forms=lambda _: ["long"])
    assert [format for _, format in chosen] == ["csv"]
    with pytest.raises(UsageError, match="--long has no effect on json; use --format tsv or csv"):
        chosen_formats(OutputOptions(format="json"), long)


def test_other_options_do_not_imply_the_table() -> None:
    with pytest.raises(UsageError, match="--with-logits has no effect on tsv; use --format json or jsonl"):
        chosen_formats(OutputOptions(), ContentOptions(with_logits=True))
    with pytest.raises(UsageError, match="--digits has no effect on npy"):
        chosen_formats(OutputOptions(format="npy", digits=3), arrays=True)


def limited_options() -> list[tuple[str, str, OnlyIn]]:
    """Return the options of each command that have an effect on some formats only."""
    options = []
    for command in COMMANDS:
        module = importlib.import_module(f"tsoft.features.{command}.command")
        bundles = [
            value for value in vars(module).values() if isinstance(value, type) and dataclasses.is_dataclass(value)
        ]
        known = {name for parameter in cli.command(command).params for name in parameter.opts}
        for bundle in bundles:
            for field in dataclasses.fields(bundle):
                for marker in getattr(field.type, "__metadata__", ()):
                    if isinstance(marker, OnlyIn) and option_name(field) in known:
                        options.append((command, option_name(field), marker))
    return options


def test_every_mark_names_known_forms() -> None:
    assert len(limited_options()) > 30
    for _, _, marker in limited_options():
        assert marker.forms <= {*FORMATS, *FIGURE_FORMATS, "long", "measures"}
        assert "table" in marker.forms or not isinstance(marker, Displayed)


VALUES = {"--digits": "3", "--show": "2", "--rows": "2", "--measure": "entropy", "--resamples": "5", "--seed": "1"}
VALUES |= {"--size": "5x3", "--dpi": "100", "--theme": "dark", "--title": "T", "--measures": "nll"}
INPUT = {
    "calibrate": ["-i", str(TESTS / "data/digits-val.npz")],
    "compare": [str(TESTS / "data/teacher.csv"), str(TESTS / "data/student.csv")],
    "choose": [str(TESTS / "data/sums.jsonl")],
    "audit": ["cat=2", "car=1", "--draws", str(TESTS / "data/targets.txt")],
    "score": [str(TESTS / "data/targets.txt"), "--ngram", str(TESTS / "data/barn.txt")],
    "anneal": [],
    "bandit": ["1", "0.5", "--steps", "2", "--runs", "2"],
}


@each_case(("command", "option", "marker"), [case for case in limited_options() if case[0] not in ("next", "generate")])
def test_an_option_without_effect_is_an_error_in_every_command(command: str, option: str, marker: OnlyIn) -> None:
    """Test the formats that are not in the mark. sweep and solve have measures in every format."""
    if "measures" in marker.forms and command in ("sweep", "solve"):
        return
    typed = [command, *INPUT.get(command, ["2", "1", "0"]), *["--top-prob", "0.7"] * (command == "solve")]
    for format in [format for format in TEXT_FORMATS if format not in marker.forms][-1:]:
        done = here(*typed, option, *([VALUES[option]] if option in VALUES else []), "-f", format)
        assert (done.returncode, done.stdout) == (2, ""), format
        assert f"{option} has no effect on {format}; use --" in done.stderr


def test_a_terminal_and_a_pipe_have_different_defaults() -> None:
    assert "entropy" in here_on_terminal("compute", "2", "1")
    assert here("compute", "2", "1").stdout.count("\n") == 1
    assert "entropy" in here("compute", "2", "1", "--sort").stdout


@pytest.mark.parametrize("format", ["npy", "npz", "png", "pdf"])
@pytest.mark.parametrize(
    ("output", "place"), [([], "stdout"), (["-o", "-"], "stdout"), (["-o", "/dev/stdout"], "/dev/stdout")]
)
def test_a_binary_format_is_not_for_a_terminal(format: str, output: list[str], place: str) -> None:
    status, shown = status_on_terminal("compute", "2", "1", "-f", format, *output)
    problem = f"{format} is binary, and {place} is a terminal"
    assert status == 2
    assert f"tsoft: error: {problem}; write to a file, -o FILE.{format}, or to a pipe" in " ".join(shown.split())


def test_a_binary_format_is_not_for_the_name_of_a_terminal() -> None:
    import pty

    reader, terminal = pty.openpty()
    name = os.ttyname(terminal)
    done = here("compute", "2", "1", "-f", "npy", "-o", name)
    os.close(terminal)
    os.close(reader)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"npy is binary, and {name} is a terminal" in done.stderr


@pytest.mark.parametrize("output", [[], ["-o", "-"], ["-o", "/dev/stdout"]])
def test_a_binary_format_is_written_to_a_pipe(output: list[str]) -> None:
    done = here_in_bytes("compute", "2", "1", "-f", "npy", *output)
    assert done.returncode == 0
    assert np.load(io.BytesIO(done.stdout)).shape == (1, 2)


# Several files, and figures.


def test_each_file_has_the_format_of_its_ending() -> None:
    output = OutputOptions(output=["a.json", "b.svg", "c.npy"])
    chosen = chosen_formats(output, DisplayOptions(rows=2), FigureOptions(theme="dark"), arrays=True)
    assert {(file.file, format) for file, format in chosen} == {("a.json", "json"), ("b.svg", "svg"), ("c.npy", "npy")}


RESPONSE = str(TESTS / "data/openai-chat.json")
BARN = str(TESTS / "data/barn.txt")
OUTPUTS: list[tuple[list[str], list[str]]] = [
    (["compute", "2", "1", "0.5", "--tau", "1,2"], ["json", "npy"]),
    (["compute", "-i", RESPONSE, "--chosen"], ["json", "html"]),
    (["compute", "2", "1", "0.5", "--tau", "1,2", "--top-k", "2", "--explain"], ["json", "svg", "jsonl"]),
    (["sweep", "-i", str(TESTS / "data/teacher.csv"), "--mean"], ["csv", "json"]),
    (["solve", "2", "1", "0.5", "--top-prob", "0.6"], ["json", "csv"]),
    (["sample", "2", "1", "0.5", "-n", "20", "--seed", "1", "--counts"], ["json", "tsv"]),
    (["compare", *INPUT["compare"], "--per-row"], ["json", "csv"]),
    (["calibrate", *INPUT["calibrate"], "--resamples", "5"], ["json", "csv"]),
    (["distill", "-i", str(TESTS / "data/teacher.csv")], ["csv", "json"]),
    (["generate", "the", "-n", "2", "--max-tokens", "9", "--ngram", BARN, "--seed", "1"], ["json", "html"]),
    (["score", *INPUT["score"]], ["html", "json"]),
    (["choose", *INPUT["choose"]], ["json", "csv"]),
    (["bandit", "1", "0.5", "--steps", "20", "--runs", "2", "--seed", "1"], ["csv", "json"]),
]
# Options that have no effect on a figure, which is an error if no other file is written.
ONLY_RECORDS = ("--chosen", "--explain")


@pytest.mark.parametrize(("command", "endings"), [pytest.param(*case, id=" ".join(case[0][:3])) for case in OUTPUTS])
def test_several_files_are_those_of_single_runs(command: list[str], endings: list[str], tmp_path: Path) -> None:
    together = [tmp_path / f"together.{ending}" for ending in endings]
    done = here(*command, *(word for file in together for word in ("-o", str(file))))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    for file in together:
        alone = tmp_path / f"alone{file.suffix}"
        options = [option for option in command if not (option in ONLY_RECORDS and file.suffix in (".svg", ".html"))]
        assert here(*options, "-o", str(alone)).returncode == 0
        assert file.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", "2", "1", "-o", "old.json", "-o", "nowhere/x.csv"],
        ["sweep", "2", "1", "--tau", "0", "-o", "old.json", "-o", "new.svg"],
        ["compute", "2", "1", "-o", "old.json", "-o", "/dev/full"],
        ["calibrate", *INPUT["calibrate"], "--resamples", "5", "--save", "old.json", "-o", "nowhere/x.csv"],
    ],
)
def test_an_error_in_one_file_leaves_the_others_unchanged(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.json").write_text("old")
    assert here(*arguments).returncode in (1, 2)
    assert Path("old.json").read_text() == "old"
    assert os.listdir() == ["old.json"]


def test_files_are_written_if_the_exit_code_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert here("solve", "2", "1", "--top-prob", "0.1", "-o", "a.json", "-o", "b.csv").returncode == 3
    assert sorted(os.listdir()) == ["a.json", "b.csv"]
    assert Path("a.json").stat().st_size
    assert Path("b.csv").stat().st_size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.json", "-o", "b.csv", "-f", "csv"], "--format has no effect with several files"),
        (["-o", "a.json", "-o", "a.json"], "--output a.json is repeated"),
        (["-o", "a.json", "-o", "./a.json"], "--output ./a.json is repeated"),
        (["-o", "a.json", "-o", "b.csv", "--title", "T"], "--title has no effect on json or csv; use --format svg"),
        (["-o", "a.svg", "--dpi", "100"], "--dpi has no effect on svg; use --format png"),
        (["-o", "a.svg", "--size", "4"], "--size 4: expected width and height from 1 to 40 inches, such as 6.4x4"),
        (["-o", "a.svg", "--size", "4x50"], "--size 4x50: expected width and height"),
        (["-o", "a.csv", "-o", "a.svg", "--size", "0.8"], "--size 0.8: expected width and height"),
        (["-o", "a.csv", "-o", "a.npy", "-o", "a.html"], "html shows the text of an API response"),
        (["-o", "a.svg", "--explain"], "--explain has no effect on svg"),
        (["-o", "a.svg", "--digits", "3"], "--digits has no effect on svg"),
    ],
)
def test_errors_of_several_files_and_figures(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = here("compute", "2", "1", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    done = here("compute", "2", "1", "-o", "a.svg")
    assert (done.returncode, done.stderr.split("\n")[0]) == (
        2,
        "tsoft: error: svg needs matplotlib; run pip install 'tsoft[figures]'",
    )
