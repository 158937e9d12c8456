"""`--energies`: thermodynamics, units and degeneracies of compute and sweep, in a pipe and on a terminal."""

import csv
import io
import json
import os
import re
from math import exp, inf, log, tanh
from typing import Any

import numpy as np
import pytest

import tsoft
from cases import each_case
from tool import here, in_terminal, out

THERMODYNAMICS = ["log_z", "free_energy", "mean_energy", "heat_capacity"]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def records(*arguments: str, stdin: str | None = None) -> list[dict[str, Any]]:
    done = here(*arguments, "-f", "jsonl", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_two_levels_by_their_closed_forms() -> None:
    for record in records("compute", "--energies", "0", "1", "--tau", "0.25,0.5,1,8"):
        tau = record["tau"]
        above = 1 / (exp(1 / tau) + 1)
        z = 1 + exp(-1 / tau)
        assert record["probs"] == pytest.approx([1 - above, above], rel=1e-14)
        assert record["log_z"] == record["log_sum_exp"] == pytest.approx(log(z), rel=1e-14)
        assert record["free_energy"] == pytest.approx(-tau * log(z), rel=1e-14)
        assert record["mean_energy"] == pytest.approx(above, rel=1e-14)
        assert record["entropy"] == pytest.approx(log(z) + above / tau, rel=1e-14)
        assert record["heat_capacity"] == pytest.approx(above * (1 - above) / tau**2, rel=1e-13)
        assert "units" not in record
        assert "degeneracy" not in record


def test_limits_in_json() -> None:
    cold, hot = records("compute", "--energies", "3", "5", "3", "inf", "--tau", "0,inf")
    assert [cold[name] for name in THERMODYNAMICS] == ["-inf", 3, 3, 0]
    assert cold["entropy"] == pytest.approx(log(2), rel=1e-15)
    assert [hot[name] for name in THERMODYNAMICS] == [
        pytest.approx(log(3), rel=1e-15),
        "-inf",
        pytest.approx(11 / 3),
        0,
    ]
    [alone] = records("compute", "--energies", "3", "--tau", "inf")
    assert (alone["free_energy"], alone["mean_energy"], alone["entropy"]) == (3, 3, 0)


def test_kelvins() -> None:
    """Room temperature is about 1/40 eV, 2.5 kJ/mol and 207 cm⁻¹."""
    typed = {"eV": 0.025852, "kJ/mol": 2.49434, "kcal/mol": 0.596161, "cm-1": 208.5104, "K": 300}
    for unit, kt in typed.items():
        [record] = records("compute", "--energies", "0", str(kt), "--units", unit, "--tau", "300")
        assert (record["tau"], record["units"]) == (300, unit)
        assert record["probs"][1] / record["probs"][0] == pytest.approx(exp(-1), rel=1e-5)
        assert record["mean_energy"] == pytest.approx(kt * record["probs"][1], rel=1e-12)
        assert record["free_energy"] == pytest.approx(-kt * record["log_z"], rel=1e-5)
        assert record["heat_capacity"] == pytest.approx(exp(1) / (1 + exp(1)) ** 2, rel=1e-5)


def test_a_degeneracy_equals_that_number_of_equal_classes() -> None:
    levels = records("compute", "a=0", "b=1", "c=3", "--energies", "--degeneracy", "1,3,5", "--tau", "0,0.5,2,inf")
    states = records("compute", "--energies", "0", *"1" * 3, *"3" * 5, "--tau", "0,0.5,2,inf")
    for level, state in zip(levels, states, strict=True):
        assert level["degeneracy"] == [1, 3, 5]
        assert level["probs"] == pytest.approx(np.add.reduceat(state["probs"], [0, 1, 4]), rel=1e-13, abs=1e-300)
        for name in ("entropy", "perplexity", "log_sum_exp", *THERMODYNAMICS):
            assert float(level[name]) == pytest.approx(float(state[name]), rel=1e-13, abs=1e-13)
        assert level["top_prob"] == pytest.approx(max(level["probs"]), rel=1e-15)
        assert level["top"] == level["labels"][int(np.argmax(level["probs"]))]
    assert [level["top"] for level in levels] == ["a", "a", "b", "c"]


def test_two_hundred_levels_of_many_states() -> None:
    j = np.arange(200)
    text = " ".join(f"{value}" for value in (j * (j + 1)).tolist())
    [record] = records(
        "compute", "--energies", text, "--degeneracy", ",".join(map(str, (2 * j + 1).tolist())), "-t", "50"
    )
    assert record["log_z"] == pytest.approx(log(50 + 1 / 3 + 1 / 750 + 4 / (315 * 2500)), rel=1e-8)
    [record] = records("compute", "--energies", "0", "1", "--degeneracy", "1 1e15", "--tau", "inf", "--log")
    assert record["probs"] == [1 / (1e15 + 1), 1e15 / (1e15 + 1)]
    assert record["log_probs"] == pytest.approx([-log(1e15 + 1), -1 / (1e15 + 1)], rel=1e-14)


def test_bits_apply_to_the_entropy() -> None:
    [nats] = records("compute", "--energies", "0", "1")
    [bits] = records("compute", "--energies", "0", "1", "--bits")
    assert bits["entropy"] == pytest.approx(nats["entropy"] / log(2), rel=1e-15)
    assert [bits[name] for name in THERMODYNAMICS] == [nats[name] for name in THERMODYNAMICS]


def test_probabilities_are_those_of_the_negative_logits() -> None:
    typed = ["--tau", "0,0.5,inf"]
    assert out("compute", "--energies", "-2", "1", "inf", *typed) == out("compute", "2", "-1", "-inf", *typed)
    assert out("sweep", "--energies", "-2", "1", *typed) == out("sweep", "2", "-1", *typed)
    [record] = records("compute", "--energies", "2", "-1", "--with-logits")
    assert record["logits"] == [-2, 1]
    text = "0 1\n0 1 2\n5 6\n"
    shown = out("compute", "--energies", "--tau", "0.5", stdin=text)
    assert shown == out("compute", "--tau", "0.5", stdin="0 -1\n0 -1 -2\n-5 -6\n")


def test_sweep_csv_has_the_thermodynamics_and_is_read_back() -> None:
    typed = ["a=0", "b=1.5", "--energies", "--degeneracy", "2,3", "--units", "kJ/mol", "--tau", "50,300"]
    printed = out("sweep", *typed, "-f", "csv")
    header, *lines = csv.reader(io.StringIO(printed))
    measures = ["entropy", "perplexity", "top_prob", "margin", "varentropy", "log_sum_exp", *THERMODYNAMICS]
    assert header == ["row", "tau", *measures, "a", "b"]
    written = records("sweep", *typed)
    for line, record in zip(lines, written, strict=True):
        assert list(map(float, line)) == [0, *(record[name] for name in ("tau", *measures)), *record["probs"]]
    again = records("compute", "--probs", stdin=printed)
    assert [record["labels"] for record in again] == [["a", "b"]] * 2
    for record, first in zip(again, written, strict=True):
        assert record["probs"] == pytest.approx(first["probs"], rel=1e-14)


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv", "npy", "npz"])
def test_output_is_read_back(form: str, tmp_path: Any) -> None:
    path = str(tmp_path / f"levels.{form}")
    typed = ["a=0", "b=1.5", "--energies", "--degeneracy", "2,3", "--units", "kJ/mol", "--tau", "300"]
    assert out("compute", *typed, "-o", path) == ""
    [first] = records("compute", *typed)
    [again] = records("compute", "-i", path, *([] if form.startswith("json") else ["--probs"]))
    assert again["probs"] == pytest.approx(first["probs"], rel=1e-14)


def test_a_class_named_like_a_quantity_remains_a_class() -> None:
    printed = out("sweep", "log_z=2", "free_energy=1", "--tau", "1", "-f", "csv")
    [record] = records("compute", "--probs", stdin=printed)
    assert record["labels"] == ["log_z", "free_energy"]


def test_means_have_the_thermodynamics() -> None:
    text = "0 1\n0 2\n"
    [record] = records("sweep", "--energies", "--mean", "--tau", "0.5", stdin=text)
    means = [1 / (exp(2) + 1), 2 / (exp(4) + 1)]
    assert record["mean_energy"] == pytest.approx(np.mean(means), rel=1e-14)
    assert record["mean_energy_sd"] == pytest.approx(np.std(means), rel=1e-13)
    [logits] = records("sweep", "--mean", "--tau", "0.5", stdin=text)
    assert "mean_energy" not in logits


def test_the_schottky_peak_of_a_sweep() -> None:
    """x tanh(x / 2) = 2 with x = gap / kT, for a gap of 1 eV and kelvin."""
    low, high = 1.0, 4.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * tanh(middle / 2) < 2 else (low, middle)
    peak = 1 / (low * 8.617333262e-5)
    typed = ["--units", "eV", "--from", "4700", "--to", "4900", "--steps", "201", "--scale", "linear"]
    sweep = records("sweep", "--energies", "0", "1", *typed)
    highest = max(sweep, key=lambda record: float(record["heat_capacity"]))
    assert highest["tau"] == pytest.approx(peak, abs=1)
    assert highest["heat_capacity"] == pytest.approx(low**2 * exp(low) / (1 + exp(low)) ** 2, rel=1e-6)


def test_an_ensemble_needs_energies_and_no_samplers() -> None:
    [logits] = records("compute", "0", "1")
    [cut] = records("compute", "--energies", "0", "1", "--top-k", "1")
    for record in (logits, cut):
        assert not set(THERMODYNAMICS) & set(record)
    assert cut["probs"] == [1, 0]


KELVIN = "--units eV needs temperatures in kelvin; pass "
NOT_ENERGIES = "needs energies; add --energies if the numbers are energies"
WITH_SAMPLERS = "works only without samplers and --explain; remove them"
STATES = "--degeneracy: expected whole numbers from 1 to 1e15, got"


@each_case(
    ("typed", "message"),
    [
        (["compute", "--units", "eV", "--tau", "300"], f"--units {NOT_ENERGIES}"),
        (["sweep", "--degeneracy", "1,2"], f"--degeneracy {NOT_ENERGIES}"),
        (["compute", "--probs", "--degeneracy", "1,2"], f"--degeneracy {NOT_ENERGIES}"),
        (["compute", "--energies", "--units", "eV"], f"{KELVIN}--tau 300"),
        (["sweep", "--energies", "--units", "eV"], f"{KELVIN}--tau 100,300, or --from 10 --to 1000"),
        (["sweep", "--energies", "--units", "eV", "--from", "9"], f"{KELVIN}--tau 100,300, or --from 10"),
        (["compute", "--energies", "--units", "J", "--tau", "1"], "--units: unknown unit 'J'; convert the energies"),
        (["compute", "--energies", "--units", "K", "--tau", "1", "--top-k", "1"], f"--units {WITH_SAMPLERS}"),
        (["compute", "--energies", "--degeneracy", "1,2", "--explain"], f"--degeneracy {WITH_SAMPLERS}"),
        (["sweep", "--energies", "--degeneracy", "1,2", "--like", "vllm"], f"--degeneracy {WITH_SAMPLERS}"),
        (["compute", "--energies", "--degeneracy", "1"], "--degeneracy has 1 number, but row 0 has 2 energies"),
        (["compute", "--energies", "--degeneracy", "1,2,3"], "--degeneracy has 3 numbers, but row 0 has 2 energies"),
        (["compute", "--energies", "--degeneracy", "1,0"], f"{STATES} '0'"),
        (["compute", "--energies", "--degeneracy", "-1,2"], f"{STATES} '-1'"),
        (["compute", "--energies", "--degeneracy", "1,2.5"], f"{STATES} '2.5'"),
        (["compute", "--energies", "--degeneracy", "1,x"], f"{STATES} 'x'"),
        (["compute", "--energies", "--degeneracy", "1,1e16"], f"{STATES} '1e16'"),
        (["compute", "--energies", "--degeneracy", "1,nan"], f"{STATES} 'nan'"),
        (["compute", "--energies", "--degeneracy", "inf,1"], f"{STATES} 'inf'"),
        (["compute", "--energies", "--degeneracy", "1,,3"], f"{STATES} ''"),
        (["compute", "--energies", "--degeneracy", ""], f"{STATES} ''"),
        (["sweep", "--measure", "heat-capacity"], "--measure heat-capacity needs energies; add --energies"),
        (
            ["sweep", "--energies", "--top-p", "0.9", "--measure", "log-z"],
            "--measure log-z works only without samplers; remove them",
        ),
        (["solve", "--energies", "--units", "K", "--margin", "0.1"], "unknown option --units"),
        (["sample", "--energies", "--degeneracy", "1,2"], "unknown option --degeneracy"),
    ],
)
def test_errors_in_the_options(typed: list[str], message: str) -> None:
    done = here(*typed, "0", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


def test_a_row_with_other_levels_names_its_line() -> None:
    done = here("compute", "--energies", "--degeneracy", "1,2", "--tau", "1", stdin="0 1\n# more\n0 1 2\n")
    assert done.returncode == 2
    assert done.stdout == f"{1 / (1 + 2 * exp(-1))!r}\t{2 * exp(-1) / (1 + 2 * exp(-1))!r}\n"
    assert (
        done.stderr
        == "tsoft: error: --degeneracy has 2 numbers, but stdin:3 has 3 energies; pass one number per energy\n"
    )
    # Many rows come in one block, with the shorter ones padded by masked classes.
    done = here("compute", "--energies", "--degeneracy", "1,2", stdin="0.25 1.25\n0.5\n" * 5000)
    assert (done.returncode, done.stdout.count("\n")) == (2, 1)
    assert (
        done.stderr
        == "tsoft: error: --degeneracy has 2 numbers, but stdin:2 has 1 energy; pass one number per energy\n"
    )


@posix
def test_a_terminal_shows_energies_and_thermodynamics() -> None:
    shown = in_terminal("tsoft compute a=0 b=1 --energies --degeneracy 1,3 --units eV --tau 9000,inf", NO_COLOR="1")
    assert re.search(r"class +energy +τ = 9000 K +τ = ∞ K", shown)
    assert re.search(r"^ b ×3 +1 ", shown, re.MULTILINE)
    under = dict(re.findall(r"^ (log Z|F|U|S/k|C/k) +(\S.*)$", shown, re.MULTILINE))
    assert list(under) == ["log Z", "F", "U", "S/k", "C/k"]
    cold, hot = records("compute", "0", "1", "--energies", "--degeneracy", "1,3", "--units", "eV", "-t", "9000,inf")
    for line, name in (("log Z", "log_z"), ("F", "free_energy"), ("U", "mean_energy"), ("C/k", "heat_capacity")):
        numbers = [float(text) for text in under[line].replace("eV", "").split()]
        assert numbers == [pytest.approx(float(record[name]), rel=1e-4) for record in (cold, hot)]
    assert under["F"].count("eV") == under["U"].count("eV") == 2
    assert "log Z" not in in_terminal("tsoft compute 0 1", NO_COLOR="1")


@posix
def test_a_terminal_draws_the_measures_of_energies() -> None:
    for measure, title in (("heat-capacity", "heat-capacity"), ("mean-energy", "mean-energy (eV)"), ("log-z", "log-z")):
        typed = f"--energies 0 1 --units eV --from 1000 --to 1e5 --measure {measure}"
        shown = in_terminal(f"tsoft sweep {typed}", NO_COLOR="1")
        assert f"\n{title}\n" in shown
        assert "τ = 1000 K" in shown


def test_energies_of_any_size() -> None:
    [record] = records("compute", "--energies", "-1.7e308", "1.7e308", "--tau", "inf")
    assert (record["probs"], record["mean_energy"], record["free_energy"]) == ([0.5, 0.5], 0, "-inf")
    [record] = records("compute", "--energies", "0", "5e-324", "--tau", "5e-324")
    assert record["probs"] == pytest.approx(tsoft.softmax([1, 0]).tolist(), rel=1e-15)
    assert record["heat_capacity"] == pytest.approx(exp(1) / (1 + exp(1)) ** 2, rel=1e-14)
    assert float(record["log_z"]) < inf


@posix
def test_a_label_shows_a_degeneracy_of_at_least_two() -> None:
    shown = in_terminal("tsoft compute a=0 b=1 --energies --degeneracy 2,1", NO_COLOR="1")
    assert re.search(r"^ a ×2 +0 ", shown, re.MULTILINE)
    assert re.search(r"^ b +1 ", shown, re.MULTILINE)
