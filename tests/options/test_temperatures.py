"""The values of --tau: lists, ranges, kelvin, and what looks like a decimal comma."""

import json

import numpy as np
import pytest

from tool import here, out


def taus(*options: str, stdin: str | None = None) -> list[float]:
    printed = out("compute", "2", "1", *options, "-f", "jsonl", stdin=stdin)
    return [float(json.loads(line)["tau"]) for line in printed.splitlines()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1:0.5:0.1", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("0.05:0.25:0.1", [0.05, 0.15, 0.25]),
        ("2:1:-0.5", [2, 1.5, 1]),
        ("0,0.5:2:0.5,inf", [0, 0.5, 1, 1.5, 2, np.inf]),
        ("1:1:3", [1]),
        ("1e-3:3e-3:1e-3", [0.001, 0.002, 0.003]),
        ("0.10:0.30:0.1 7", [0.1, 0.2, 0.3, 7]),
    ],
)
def test_ranges_include_both_ends_and_are_exact(text: str, expected: list[float]) -> None:
    assert taus("--tau", text) == expected


def test_a_long_range_has_the_numbers_that_one_would_type() -> None:
    assert taus("--tau", "0.9:1.3:0.001") == [float(f"{k / 1000:.3f}") for k in range(900, 1301)]


def test_ranges_can_be_repeated_and_piped() -> None:
    assert taus("-t", "1:2:1", "-t", "4:3:-1") == taus("-t", "-", stdin="1:2:1\n4:3:-1 # down\n") == [1, 2, 4, 3]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0.1:2", "a range has three numbers, START:STOP:STEP; write, for example, 0.1:2:0.1"),
        (":2:1", "a range has three numbers"),
        ("1:2:3:4", "a range has three numbers"),
        ("0.1:2:0.3", "the steps do not end at 2; write 0.1:1.9:0.3 or 0.1:2.2:0.3"),
        ("1:2:0", "the step is 0"),
        ("1:2:-0.1", "the step leads away from the stop; write 1:2:0.1"),
        ("2:1:0.1", "the step leads away from the stop; write 2:1:-0.1"),
        ("1:inf:1", "the numbers of a range must be finite"),
        ("0:1:1e-300", "more than 1000000 temperatures"),
    ],
)
def test_a_wrong_range_is_refused(text: str, problem: str) -> None:
    done = here("compute", "2", "1", "--tau", text)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: --tau {text}: {problem}")


@pytest.mark.parametrize("text", ["70%", "-1:1:1", "1:x:1", "1_0", "٣", "300k", "--", "1:2:1_0"])
def test_what_is_no_temperature_is_refused(text: str) -> None:
    done = here("compute", "2", "1", f"--tau={text}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a temperature; pass a number from 0 to inf" in done.stderr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no temperature; pass a number from 0 to inf"),
        ("1,,2", "no temperature between the commas of '1,,2'; remove the extra comma"),
        ("0.5,", "no temperature after the comma of '0.5,'; write a list without spaces, such as 0.5,1,2"),
    ],
)
def test_a_temperature_that_is_missing(text: str, problem: str) -> None:
    done = here("compute", "2", "1", f"--tau={text}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tsoft: error: --tau: {problem}\n")


def test_too_many_temperatures_in_several_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsoft.options.ranges.MAX_TEMPERATURES", 1000)
    done = here("compute", "2", "1", "--tau", "1:999:1,1:9:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "more than 1000 temperatures" in done.stderr


@pytest.mark.parametrize("text", ["300K", "300 K", "200K,300 K", "100K:300K:100K", "100:300:100K"])
def test_kelvin_needs_a_unit_of_the_energies(text: str) -> None:
    command = ("compute", "0", "1", "--energies", "--digits", "6")
    plain = text.replace(" K", "").replace("K", "")
    assert out(*command, "--units", "K", "--tau", text) == out(*command, "--units", "K", "--tau", plain)
    done = here(*command, "--tau", text)
    assert (done.returncode, done.stdout) == (2, "")
    assert "add --energies and --units, such as --units kJ/mol (compute and sweep), or write " in done.stderr


@pytest.mark.parametrize("command", ["sweep 2 1", "sample 2 1", "distill 2 1", "next x --ngram README.md"])
def test_kelvin_in_a_command_without_units(command: str) -> None:
    done = here(*command.split(), "--tau", "300K", "-f", "table")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'300K' has a unit" in done.stderr


@pytest.mark.parametrize(
    ("unit", "hint"),
    [
        ("kJ", "did you mean kJ/mol?"),
        ("kcal", "did you mean kcal/mol?"),
        ("MeV", "convert the energies: 1 meV is 0.001 eV, and 1 MeV is 1e6 eV"),
        ("kT", "leave --units out if the energies and tau are multiples of one kT"),
    ],
)
def test_an_unknown_unit(unit: str, hint: str) -> None:
    done = here("compute", "0", "1", "--energies", "--units", unit, "--tau", "300")
    assert done.stderr.startswith(f"tsoft: error: --units: unknown unit '{unit}'; {hint}\n")


@pytest.mark.parametrize("option", [["--tau", "0.5"], ["--tau=0.5"], ["-t", "0.5"]])
def test_numbers_after_tau_among_the_logits_are_noted(option: list[str]) -> None:
    done = here("compute", "2", "1", *option, "1", "2")
    assert done.stdout == out("compute", "2", "1", "1", "2", "--tau", "0.5")
    name = option[0].removesuffix("=0.5")
    fix = f"for several temperatures, write {name} 0.5,1,2"
    assert done.stderr == f"tsoft: note: 1 and 2 after {name} 0.5 are logits; {fix}\n"


@pytest.mark.parametrize("line", ["--tau 0.5 2 1", "2 -t 0.5 -1", "--top-k 5 --tau 0.5 2 1", "a=2 --tau 0.5 b=1"])
def test_other_logits_after_tau_are_not_noted(line: str) -> None:
    assert here("compute", *line.split()).stderr == ""


def test_numbers_after_a_flag_among_the_logits_are_noted() -> None:
    done = here("sample", "2", "1", "--draws", "10", "5", "--seed", "1")
    assert done.stderr == "tsoft: note: 10 and 5 after --draws are logits, because --draws takes no value\n"
    assert done.stdout == out("sample", "2", "1", "10", "5", "--draws", "--seed", "1")
    note = "tsoft: note: 5 after --no-chart is a logit, because --no-chart takes no value\n"
    assert here("compute", "2", "--no-chart", "5", "-f", "table").stderr == note
    for line in (
        "sample --draws 2 1",
        "compute --probs 0.2 --tau 2 -f csv 0.8",
        "sample 2 1 --draws --seed 1",
        "sample a=2 --draws b=1",
    ):
        assert here(*line.split()).stderr == ""


def test_several_columns_of_temperatures_are_noted() -> None:
    note = "stdin: each line has several numbers; tsoft reads all as temperatures (cut -f 1 selects a column)"
    assert here("compute", "2", "1", "--tau", "-", stdin="0.5\t1\n2\t4\n").stderr == f"tsoft: note: {note}\n"
    for text in ("0.5 1 2\n\n", "0.5\n1\n2\n", "# two\n1,2\n"):
        assert here("compute", "2", "1", "--tau", "-", stdin=text).stderr == ""


def test_a_decimal_comma_is_noted() -> None:
    done = here("compute", "2", "1", "--tau", "0,5")
    assert done.stdout == out("compute", "2", "1", "--tau", "0", "--tau", "5")
    assert done.stderr == "tsoft: note: --tau 0,5 is a list of 0 and 5; for decimal numbers, write 0.5\n"
    ranged = here("compute", "2", "1", "--tau", "0,1:2:1,5").stderr
    assert ranged == "tsoft: note: --tau 0,1:2:1,5 is a list of 0, 1:2:1 and 5; for decimal numbers, write 0.1:2:1.5\n"
    for arguments in (["0,7;1,5"], ["0,7 1,5"], ["1", "--tau", "0,7"]):
        assert " is a list of 0" in here("compute", "2", "1", "--tau", *arguments).stderr
    for text in ("0,5,7", "1,5", "0,0.5", "0,0.5:2:0.5,5", "5,0", "0, 5"):
        assert here("compute", "2", "1", "--tau", text).stderr == ""
