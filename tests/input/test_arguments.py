"""Logits as JSON on the command line, whole or in the pieces that a shell makes of it."""

import json
import shlex
from math import exp

import pytest

from cases import each_case
from tool import here, out


def probs(*arguments: str) -> list[list[float]]:
    return [json.loads(line)["probs"] for line in out("compute", *arguments, "-f", "jsonl").splitlines()]


def softmax(*logits: float) -> list[float]:
    total = sum(map(exp, logits))
    return [exp(logit) / total for logit in logits]


@pytest.mark.parametrize(
    "line", ["[2.0,-1.0,0.5]", "'[2, -1, 0.5]'", "[2, -1, 0.5]", "[ 2 , -1 , 5e-1 ]", "'{\"logits\": [2, -1, 0.5]}'"]
)
def test_an_array_is_one_row(line: str) -> None:
    assert probs(*shlex.split(line)) == [pytest.approx(softmax(2, -1, 0.5), rel=1e-14)]


@pytest.mark.parametrize("line", ["[-1, 2]", "[-1,2]", "[2, 1, -1]", "[2, -1e-1, 0]"])
def test_negative_numbers_in_any_place(line: str) -> None:
    numbers = json.loads(line)
    assert probs(*line.split()) == [pytest.approx(softmax(*numbers), rel=1e-14)]


def test_options_may_stand_anywhere() -> None:
    assert probs("--tau", "0.5", "[2,", "-1]") == probs("[2,", "-1]", "--tau", "0.5") == probs("2", "-1", "-t", "0.5")


def test_nested_arrays_are_rows() -> None:
    assert probs("[[1,", "2],", "[3,", "-4]]") == [*probs("1", "2"), *probs("3", "-4")]


@pytest.mark.parametrize(
    "command", ["compute", "sweep --tau 1", "solve --entropy 0.5", "sample -n 5 --seed 1", "distill"]
)
def test_nested_arrays_may_differ_in_length(command: str) -> None:
    rows = "[[1, 2, 3], [3, -4], [5, 4, 6]]"
    for form in ("tsv", "jsonl"):
        line = (*command.split(), "-f", form, "--energies")
        assert out(*line, *rows.split()) == out(*line, stdin=rows)


def test_an_object_has_labels() -> None:
    assert (
        out("compute", '{"cat": 2, "dog": -1}', "-f", "csv", "--digits", "4") == "row,tau,cat,dog\n0,1,0.9526,0.04743\n"
    )


def test_the_other_quantities() -> None:
    assert probs("--energies", "[0,", "1]") == probs("0", "-1")
    assert probs('{"probs": [0.25, 0.75]}') == [pytest.approx([0.25, 0.75])]
    assert probs("[2,", "-Infinity]") == [[1, 0]]


@pytest.mark.parametrize("command", ["sweep --tau 1", "sample --seed 1", "solve --top-prob 0.6", "distill --tau 1"])
def test_every_command_that_takes_logits(command: str) -> None:
    assert out(*command.split(), "[1.5,", "-1]") == out(*command.split(), "1.5", "-1")


@pytest.mark.parametrize("typed", ['["a", "b,c"]', '{"b,c": 1, "a": 0}'])
def test_the_labels_may_be_json(typed: str) -> None:
    assert out("compute", "2", "1", "--labels", typed, "-f", "csv").startswith('row,tau,a,"b,c"\n')


def test_labels_that_are_almost_json_are_refused() -> None:
    assert out("compute", "2", "1", "--labels", "[PAD],[a]", "-f", "csv").startswith("row,tau,[PAD],[a]\n")
    for typed, problem in (
        ("[a,b]", "'[a,b]' is not JSON; write"),
        ('["a",2]', "label 1 of the array is not a string"),
    ):
        done = here("compute", "2", "1", "--labels", typed)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"tsoft: error: --labels: {problem}")


def test_labels_in_brackets_are_no_json() -> None:
    assert out("compute", "[PAD]=2", "[1]=1", "-f", "csv").startswith("row,tau,[PAD],[1]\n")


@each_case(
    ("line", "message"),
    [
        ("[2, 1, x]", "argument 3: not JSON at 'x]': "),
        ("[2 1]", "argument 2: not JSON at '1]': "),
        ("[2, 1", "argument 2: incomplete JSON: a closing ] or } is missing"),
        ("[2,1] 3", "argument 2: not JSON at '3': "),
        ("{cat: 2}", "argument 1: not JSON at 'cat:': "),
        ("[.5, 1]", "argument 1: not JSON at '.5,': "),
        ("[2, NaN]", "the JSON: field 2: NaN is not a logit; "),
        ("[Infinity, 2]", "the JSON: field 1: +inf is not a logit; "),
        ("[1, null]", "the JSON: field 2: expected a number, got null; "),
        ("[]", "the JSON: empty row; "),
        ('[{"a":1},{"b":3}]', "the JSON has several rows with different labels; pipe it in"),
        ("[1,2] --labels a", "the JSON: 2 classes, but --labels has 1 name"),
        ("[2,1] -i x.npy", "logits as arguments and --input are mutually exclusive"),
    ],
)
def test_an_error_names_its_place(line: str, message: str) -> None:
    done = here("compute", *line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


@pytest.mark.parametrize("line", ["2, -1, 0.5", "2,-1,0.5", "a=2, b=-1, c=0.5"])
def test_a_pasted_list(line: str) -> None:
    assert probs(*line.split()) == probs("2", "-1", "0.5")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2, , 1", "argument 2: empty; "),
        ("2, 1,", "argument 2: '1,' is not a number"),
        ("2, 1 3", "argument 1: '2,' is not a number"),
        ("0,5, 1,5", "argument 1: '0,5' is not a number; did you mean 0.5?"),
        ("2, 1, [3]", "argument 3: '[3]' is not a number"),
        ("2 1 --tau 1, 2, 3", "argument 3: '2,' is not a number"),
    ],
)
def test_a_pasted_list_with_an_error(line: str, message: str) -> None:
    done = here("compute", *line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


def test_bandit_has_no_rows() -> None:
    assert "write the numbers without brackets" in here("bandit", "[1,0.5]").stderr
