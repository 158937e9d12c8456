"""`tsoft solve`: the temperature that reaches a target, in a pipe and on a terminal."""

import csv
import io
import json
import math
import os

import pytest
from rich.cells import cell_len

import tsoft
from cases import each_case
from tool import TESTS, here, in_terminal, out

LOGITS = [2, 1, 0.5, 0.1]
TYPED = [str(z) for z in LOGITS]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


@pytest.mark.parametrize(
    ("option", "value", "measure"),
    [
        ("--top-prob", 0.73, tsoft.top_prob),
        ("--entropy", 1.0, tsoft.entropy),
        ("--perplexity", 3, tsoft.perplexity),
        ("--margin", 0.2, tsoft.margin),
    ],
)
def test_solve_then_compute(option: str, value: float, measure: object) -> None:
    tau = float(out("solve", *TYPED, option, str(value)))
    assert measure(LOGITS, tau) == pytest.approx(value, rel=1e-12)  # type: ignore[operator]


@posix
def test_its_output_is_an_argument_of_another_command() -> None:
    command = "tsoft compute 2 1 0.5 0.1 --tau $(tsoft solve 2 1 0.5 0.1 --top-prob 0.73) | cut -f 1"
    assert float(in_terminal(command)) == pytest.approx(0.73, rel=1e-12)


def test_entropy_in_bits() -> None:
    tau = float(out("solve", *TYPED, "--entropy", "1", "--bits"))
    assert tsoft.entropy(LOGITS, tau) == pytest.approx(math.log(2), rel=1e-12)
    [record] = map(json.loads, out("solve", *TYPED, "--entropy", "1", "--bits", "-f", "jsonl").splitlines())
    assert (record["target"], record["reached"]) == (1, pytest.approx([1], rel=1e-12))


def test_a_class_may_reach_its_probability_twice() -> None:
    cold, hot = map(float, out("solve", "a=2", "b=1", "c=0", "d=0", "--prob", "b=0.25").split("\t"))
    assert cold < hot
    for tau in (cold, hot):
        assert tsoft.softmax([2, 1, 0, 0], tau)[1] == pytest.approx(0.25, rel=1e-12)
    assert out("solve", "a=2", "b=1", "c=0", "d=0", "--prob", "#1=0.25") == f"{cold!r}\t{hot!r}\n"


def test_a_row_without_a_solution_is_nan() -> None:
    done = here("solve", "--top-prob", "0.3", stdin="2 1 0 0\n1 1 0\n5 1 0 0\n")
    assert done.returncode == 3
    first, second, third = done.stdout.splitlines()
    assert second == "nan"
    assert tsoft.top_prob([2, 1, 0, 0], float(first)) == pytest.approx(0.3, rel=1e-12)
    assert float(third) > float(first)
    assert done.stderr.startswith("tsoft: note: row 1: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("logits", "target", "message"),
    [
        (["2", "1", "0", "0"], ["--top-prob", "0.2"], "0.25"),
        (["2", "2", "0"], ["--top-prob", "0.9"], "0.5"),
        (["1", "1", "1"], ["--entropy", "0.5"], "equal"),
        (["1"], ["--top-prob", "0.5"], "one class"),
    ],
)
def test_a_note_gives_the_range_that_can_be_reached(logits: list[str], target: list[str], message: str) -> None:
    done = here("solve", *logits, *target)
    assert (done.returncode, done.stdout) == (3, "nan\n")
    assert done.stderr.startswith("tsoft: note: row 0: ")
    assert message in done.stderr


def test_limits() -> None:
    assert out("solve", "2", "1", "0", "0", "--top-prob", "0.25") == "inf\n"
    assert out("solve", "2", "1", "0", "0", "--top-prob", "1") == "0.0\n"


def test_forms() -> None:
    tau = float(out("solve", *TYPED, "--margin", "0.2"))
    header, line = out("solve", *TYPED, "--margin", "0.2", "-f", "csv").splitlines()
    assert header == "row,measure,target,tau,reached"
    row, measure, target, solution, reached = line.split(",")
    assert (row, measure, target, float(solution)) == ("0", "margin", "0.2", tau)
    assert float(reached) == pytest.approx(0.2, rel=1e-12)
    [record] = json.loads(out("solve", *TYPED, "--margin", "0.2", "-f", "json"))
    assert record == {
        "row": 0, "measure": "margin", "target": 0.2, "taus": [tau], "reached": [float(reached)], "reason": None,
    }  # fmt: skip
    assert out("solve", *TYPED, "--margin", "0.2", "--digits", "3") == f"{tau:.3g}\n"


@pytest.mark.parametrize("source", [["2", "1", "0.5"], ["-i", str(TESTS / "data/openai-chat.json")]])
def test_records_name_the_measure_as_the_column_of_compute(source: list[str]) -> None:
    line = here("solve", *source, "--top-prob", "0.7", "-f", "csv").stdout.splitlines()[1]
    [record, *_] = json.loads(here("solve", *source, "--top-prob", "0.7", "-f", "json").stdout)
    assert (line.split(",")[1], record["measure"]) == ("top_prob", "top_prob")
    assert "top_prob" in json.loads(out("compute", "2", "1", "-f", "jsonl"))


@each_case(
    ("typed", "message"),
    [
        ([], "no target; pass one of --top-prob, --entropy, --perplexity, --margin and --prob"),
        (["--margin", "0.1", "--entropy", "1"], "--entropy and --margin are mutually exclusive; pass only one"),
        (["--entropy", "-1"], "--entropy: expected a finite number of at least 0, got -1"),
        (["--entropy", "nan"], "--entropy: expected a finite number of at least 0, got nan"),
        (["--top-prob", "x"], "--top-prob: expected a "),
        (["--prob", "a"], "--prob: expected LABEL=NUMBER, such as dog=0.25, got 'a'"),
        (["--prob", "-1"], "--prob: expected LABEL=NUMBER, such as dog=0.25, got '-1'"),
        (["--prob", "a=0_2"], "--prob: expected LABEL=NUMBER, such as dog=0.25, got 'a=0_2'"),
        (["--prob", "#" + "9" * 5000 + "=0.2"], "--prob: unknown class '#9999"),
        (["--margin", "0.1", "--log"], "unknown option --log"),
        (["--margin", "0.1", "--bits", "-f", "csv"], "--bits has no effect on csv; use --format table, json or jsonl"),
        (["--margin", "0.1", "--with-logits", "-f", "jsonl"], "unknown option --with-logits"),
        (["--prob", "c=0.5"], "--prob: unknown class 'c'; choose from a, b"),
        (["--prob", "#7=0.5"], "--prob: unknown class '#7'"),
        (["--prob", "b=0.5"], "--prob: 2 classes have the label 'b'; choose one by its index: #1, #2"),
    ],
)
def test_usage_errors(typed: list[str], message: str) -> None:
    done = here("solve", "a=2", "b=1", "b=0", *typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


def test_a_number_sign_always_names_the_index() -> None:
    typed = ["#1=2", "a=1", "a=0"]
    assert out("solve", *typed, "--prob", "#1=0.2") == out("solve", "2", "1", "0", "--prob", "#1=0.2")
    assert out("solve", *typed, "--prob", "a#2=0.2") == out("solve", "2", "1", "0", "--prob", "#2=0.2")


def test_every_row_is_solved_in_every_form() -> None:
    text = "2 1 0\n3 1 0\n3 2 1\n1 1 1\n"
    for form in ("tsv", "csv", "json", "jsonl", "table"):
        done = here("solve", "--top-prob", "0.7", "-f", form, stdin=text)
        assert (done.returncode, done.stderr.count("note: row 3: ")) == (3, 1)


def test_a_row_without_the_class_has_no_solution() -> None:
    done = here("solve", "--prob", "#2=0.1", stdin="3 2 1\n1 2\n4 4 1\n")
    assert done.returncode == 3
    assert [line.split("\t")[0] == "nan" for line in done.stdout.splitlines()] == [False, True, False]
    assert done.stderr == "tsoft: note: row 1: this row has no class '#2'\n"


def test_labels_are_quoted_in_csv() -> None:
    printed = out("solve", 'a,"b=2', "b=1", "--prob", 'a,"b=0.6', "-f", "csv")
    [_, row] = csv.reader(io.StringIO(printed))
    assert row[:3] == ["0", 'prob a,"b', "0.6"]


def test_a_reason_in_bits_has_the_unit() -> None:
    done = here("solve", "2", "1", "--entropy", "1.05", "--bits")
    assert "(in nats; 1 bit is 0.6931 nats)" in done.stderr


@posix
def test_a_terminal_at_the_ends_of_the_range() -> None:
    for typed in ("1e308 -1e308 0 --prob '#2=0.2'", "1e-300 0 --top-prob 0.7"):
        shown = in_terminal(f"tsoft solve {typed}", NO_COLOR="1")
        assert "Warning" not in shown
        assert "perplexity" in shown
    shown = in_terminal(f"tsoft solve 日本{'x' * 100}=2 b=1 --prob 日本{'x' * 100}=0.6", width=40, NO_COLOR="1")
    assert max(map(cell_len, shown.splitlines())) <= 40


def test_input_errors() -> None:
    done = here("solve", "--entropy", "0.1", stdin="1 2\n1 x\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "tsoft: error: stdin:2: field 2: 'x' is not a number\n"


@posix
def test_a_terminal_shows_the_temperature_the_distribution_and_the_curve() -> None:
    shown = in_terminal("tsoft solve 2 1 0.5 0.1 --top-prob 0.73", NO_COLOR="1")
    tau = float(out("solve", *TYPED, "--top-prob", "0.73"))
    assert shown.startswith(f"top-prob 0.73: τ = {tau:.6g}\n")
    assert "0.7300" in shown
    assert "perplexity" in shown
    assert "┴" in shown or "└" in shown
