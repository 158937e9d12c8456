"""Saved calibrations: `calibrate --save`, `compute --calibration` and `tsoft.Calibration`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, softmax

import tsoft
from tool import TESTS, here

VALIDATION = str(TESTS / "data" / "digits-val.npz")
TABLE = "cat,dog,target\n2,0,cat\n1,0,dog\n3,1,cat\n0,1,dog\n"
TEMPERATURE = {"format": "tsoft calibration", "version": 1, "method": "temperature", "tau": 2.0, "classes": 2}
TEMPERATURE |= {"labels": ["cat", "dog"], "quantity": "logit", "fit": {}}
VECTOR = {**TEMPERATURE, "method": "vector", "weights": [0.5, 1.5], "biases": [0.25, -0.25]}
Z = np.array([[2.0, -1], [0.5, 3]])
TYPED = ("cat=2", "dog=-1")


def printed(*arguments: str, stdin: str = "") -> str:
    done = here(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def saved(path: Path, fields: Any) -> str:
    path.write_text(json.dumps(fields))
    return str(path)


def test_a_saved_temperature_gives_the_same_as_tau(tmp_path: Path) -> None:
    file = str(tmp_path / "model.json")
    tau = float(printed("calibrate", VALIDATION, "--save", file))
    document = json.loads((tmp_path / "model.json").read_text())
    assert (document["tau"], document["classes"], document["method"]) == (tau, 10, "temperature")
    assert (document["fit"]["source"], document["fit"]["rows"]) == (VALIDATION, 674)
    z = np.random.default_rng(1).normal(0, 3, (4, 10))
    assert_allclose(tsoft.Calibration.load(file)(z), softmax(z / tau, axis=1), rtol=1e-12)
    text = "".join(" ".join(map(str, row)) + "\n" for row in z.tolist())
    done = here("compute", "--calibration", file, stdin=text)
    assert_allclose(np.loadtxt(done.stdout.splitlines()), softmax(z / tau, axis=1), rtol=1e-12)
    assert f"tsoft calibrates the logits (τ = {tau:.6g}, fitted to 674 rows of " in done.stderr


def test_a_vector_calibration_scales_each_class(tmp_path: Path) -> None:
    file = saved(tmp_path / "v.json", VECTOR)
    expected = softmax(Z * [0.5, 1.5] + [0.25, -0.25], axis=1)
    assert_allclose(tsoft.Calibration.load(tmp_path / "v.json")(Z), expected, rtol=1e-12)
    text = "cat,dog\n2,-1\n0.5,3\n"
    assert_allclose(
        np.loadtxt(printed("compute", "--calibration", file, stdin=text).splitlines()), expected, rtol=1e-12
    )
    masked = tsoft.Calibration.load(file)([-np.inf, 1])
    assert masked.tolist() == [0, 1]
    assert "vector scaling" in here("compute", *TYPED, "--calibration", file).stderr


def test_other_temperatures_follow_the_calibration(tmp_path: Path) -> None:
    file = saved(tmp_path / "t.json", TEMPERATURE)
    scaled = ("cat=1", "dog=-0.5")
    for command in (("compute", "--tau", "0.5,3"), ("sweep", "--tau", "0.5,3"), ("sample", "-n", "20", "--seed", "1")):
        assert printed(*command, *TYPED, "--calibration", file) == printed(*command, *scaled)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"classes": 3, "labels": None}, "the calibration has 3 classes, but the row has 2"),
        (
            {"labels": ["dog", "cat"]},
            "class 0 is 'cat' in the row, but 'dog' in the calibration; both need the same classes",
        ),
        ({"format": "other"}, "this is not a calibration; pass a file that tsoft calibrate --save wrote"),
        ({"version": 2}, "version 2 of the file is unknown; this tsoft reads version 1"),
        ({"tau": 0}, "tau: expected a finite number above 0, got 0"),
        ({"tau": True}, "tau: expected a finite number above 0, got True"),
        ({"labels": ["cat"]}, "labels: expected 2 names, or null"),
        ({"classes": 1}, "classes: expected a whole number above 1, got 1"),
        ({"method": "isotonic"}, "method: 'isotonic' is unknown; expected temperature or vector"),
        ({"method": "vector", "weights": [1], "biases": [0, 0]}, "weights: expected 2 numbers"),
        ({"quantity": "x"}, "quantity: 'x' is unknown"),
    ],
)
def test_what_is_not_a_calibration_of_these_classes(change: Any, problem: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "t.json", TEMPERATURE | change)
    done = here("compute", *TYPED, "--calibration", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert problem in done.stderr
    if "the row" not in problem:
        with pytest.raises(ValueError, match=r"t\.json: "):
            tsoft.Calibration.load(file)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("new.csv", "score\n2\n-1\n0.5\n"),
        ("new.csv", "id,score\na,2\nb,-1\nc,0.5\n"),
        ("new.csv", "score,target\n2,no\n-1,yes\n0.5,no\n"),
        ("new.csv", "score,class\n2,1\n-1,0\n0.5,1\n"),
        ("new.txt", "0 2\n0 -1\n0 0.5\n"),
        ("new.jsonl", "[2]\n[-1]\n[0.5]\n"),
    ],
)
@pytest.mark.parametrize("command", ["compute", "sweep"])
def test_a_calibration_of_single_scores_is_applied_to_single_scores(
    name: str, text: str, command: str, tmp_path: Path
) -> None:
    (tmp_path / "old.csv").write_text("score,target\n2,yes\n-1,no\n0.5,no\n1,yes\n0.3,yes\n-0.2,yes\n")
    (tmp_path / name).write_text(text)
    tau = float(printed("calibrate", str(tmp_path / "old.csv"), "--save", str(tmp_path / "m.json")))
    typed = ("-i", str(tmp_path / name), "--calibration", str(tmp_path / "m.json"), "--tau", "1")
    done = here(command, *typed, "-f", "tsv")
    probs = np.loadtxt(done.stdout.splitlines())[:, -2:]
    assert_allclose(probs[:, 1], expit(np.array([2, -1, 0.5]) / tau), rtol=1e-12)
    assert ("one number per row, so tsoft reads a binary classifier" in done.stderr) == (name != "new.txt")
    assert "two numbers per row" not in done.stderr


@pytest.mark.parametrize(("quantity", "scores"), [("logit", [2.0, -1, 0.5]), ("prob", np.log([0.9, 0.2, 0.6]))])
def test_a_calibration_of_single_scores_takes_single_scores_in_python(
    quantity: str, scores: Any, tmp_path: Path
) -> None:
    fields = {**TEMPERATURE, "quantity": quantity, "fit": {"is_binary": True}}
    calibration = tsoft.Calibration.load(saved(tmp_path / "m.json", fields))
    z = np.array(scores)[:, np.newaxis]
    margin = z if quantity == "logit" else z - np.log(-np.expm1(z))
    assert_allclose(calibration(z), np.hstack([expit(-margin / 2), expit(margin / 2)]), rtol=1e-12)
    assert calibration(z.reshape(3, 1, 1)).shape == (3, 1, 2)
    with pytest.raises(ValueError, match=r"but the logits have 3; pass single scores as an array of shape \(rows, 1\)"):
        calibration(z[:, 0])


def test_a_calibration_of_single_scores_is_applied_to_typed_json(tmp_path: Path) -> None:
    file = saved(tmp_path / "m.json", {**TEMPERATURE, "fit": {"is_binary": True}})
    probs = np.loadtxt(printed("compute", "[[2], [-1]]", "--calibration", file).splitlines())
    assert_allclose(probs[:, -1], expit(np.array([2, -1]) / TEMPERATURE["tau"]), rtol=1e-12)


def test_a_column_of_two_scores_without_a_header_has_a_note(tmp_path: Path) -> None:
    file = saved(tmp_path / "m.json", {**TEMPERATURE, "fit": {"is_binary": True}})
    done = here("compute", "--calibration", file, stdin="2\n-1\n")
    note = "stdin:1: tsoft reads two numbers per row, but the calibration was fitted to one score per row; "
    assert note in done.stderr
    assert note in here("compute", "--probs", "--calibration", file, stdin="0.3\n0.7\n").stderr
    done = here("compute", "--calibration", file, stdin="2\n-1\n3\n")
    problem = "the calibration has 2 classes, but the row has 3; give a column of single scores a header, save an array"
    fix = "of scores with shape (rows, 1), or write each score z as the two logits 0,z"
    assert f"stdin:1: {problem} {fix}" in done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [("new.csv", "{}\n2\n-1\n"), ("new.jsonl", '{{"{0}": 2}}\n{{"{0}": -1}}\n'), ("new.parquet", "{}")],
)
def test_a_column_of_single_scores_may_have_the_name_of_a_class(name: str, text: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "m.json", {**TEMPERATURE, "fit": {"is_binary": True}})
    for column in ("P(dog)", "score", "cat"):
        (tmp_path / name).write_text(text.format(column))
        if name.endswith("parquet"):
            table = pytest.importorskip("pyarrow").table({column: [2.0, -1.0]})
            pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / name)
        done = here("compute", "-i", str(tmp_path / name), "--calibration", file, "-f", "csv")
        if column != "cat":
            assert done.stdout.startswith(f"row,tau,cat,dog\n0,1.0,{expit(-1.0):.6}")
            assert "no names" not in done.stderr
        else:
            assert (done.returncode, done.stdout) == (1, "")
            assert "class 0 is 'dog' in the row, but 'cat' in the calibration" in done.stderr


def test_names_that_cannot_be_compared_are_noted(tmp_path: Path) -> None:
    file = saved(tmp_path / "t.json", TEMPERATURE)
    note = "the classes have no names, so tsoft assumes the order of "
    assert note in here("compute", "2", "-1", "--calibration", file).stderr
    assert note not in here("compute", *TYPED, "--calibration", file).stderr


def test_probabilities_need_a_vector_calibration_of_probabilities(tmp_path: Path) -> None:
    """A constant added to all logits changes what vector scaling gives, but not what a temperature gives."""
    arguments = ("compute", "cat=0.5", "dog=0.5", "--probs", "--calibration")
    done = here(*arguments, saved(tmp_path / "v.json", VECTOR))
    assert "the calibration was fitted to the quantity logit, but the row has prob" in done.stderr
    assert here(*arguments, saved(tmp_path / "p.json", {**VECTOR, "quantity": "logprob"})).returncode == 0
    assert printed(*arguments, saved(tmp_path / "t.json", TEMPERATURE)) == "0.5\t0.5\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "problem"),
    [
        (("compute", "2", "1", "--calibration", "-"), "", 2, "--calibration needs a file name"),
        (("compute", "2", "1", "--calibration", "missing.json"), "", 1, "missing.json: No such file"),
        (("calibrate", "--save", "-"), TABLE, 2, "--save needs a file name"),
        (("calibrate", "--save", "{}", "-o", "{}"), TABLE, 2, "--save and --output both write "),
        (
            ("calibrate", "--save", "{}", "--by", "x"),
            TABLE,
            2,
            "--save stores one temperature, but --by fits one per group",
        ),
        (("calibrate", "--save", "{}", "--choices", "A,B"), TABLE, 2, "--choices gives only bounds; add --listed-only"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], stdin: str, code: int, problem: str, tmp_path: Path) -> None:
    file = str(tmp_path / "m.json")
    done = here(*(argument.format(file) for argument in arguments), stdin=stdin)
    assert done.returncode == code, done.stderr
    assert problem in done.stderr
    assert not (tmp_path / "m.json").exists()


def test_what_cannot_be_calibrated(tmp_path: Path) -> None:
    file = saved(tmp_path / "t.json", TEMPERATURE)
    response = here("compute", "-i", str(TESTS / "data" / "openai-chat.json"), "--calibration", file)
    assert "an API response lists only some of the classes, so it cannot be calibrated" in response.stderr
    energies = here("compute", *TYPED, "--energies", "--units", "eV", "--tau", "300", "--calibration", file)
    assert "--units has no effect with --calibration" in energies.stderr
    ragged = here("compute", "--calibration", file, stdin="1 2\n1 2 3\n")
    assert "the calibration has 2 classes, but the row has 3" in ragged.stderr


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    """A limit is no calibration, and the answers of an evaluation are no classes."""
    file = str(tmp_path / "m.json")
    limit = here("calibrate", "--save", file, stdin="cat,dog,target\n2,0,cat\n0,1,dog\n")
    assert limit.returncode == 3
    assert f"{file}: not saved, because τ is 0" in limit.stderr
    numbers = [[["-1", "False"]], [["-2", "False"]]]
    sample = {"doc_id": 0, "doc": {}, "arguments": [], "resps": numbers}
    samples = "".join(json.dumps({**sample, "target": target}) + "\n" for target in "001")
    answers = here("calibrate", "--save", file, stdin=samples)
    assert "--save: the classes are the answers to each question" in answers.stderr
    assert answers.returncode == 2
    assert not (tmp_path / "m.json").exists()


def test_python_errors_name_the_classes() -> None:
    calibration = tsoft.Calibration("temperature", 2, tau=2.0)
    with pytest.raises(ValueError, match="the calibration has 2 classes, but the logits have 3"):
        calibration([1, 2, 3])
    with pytest.raises(tsoft.LogitsError):
        calibration([np.nan, 1])


def test_calibrated_logits_out_of_range_are_refused(tmp_path: Path) -> None:
    done = here(
        "compute", "cat=1", "dog=-1e308", "--calibration", saved(tmp_path / "v.json", {**VECTOR, "weights": [1, 9]})
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the calibrated logits are out of the range of float64" in done.stderr


def test_a_temperature_beyond_float32(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", np.array([[2, -1]], np.float32))
    for tau, expected in ((1e-300, "1.0\t0.0\n"), (1e300, "0.5\t0.5\n")):
        file = saved(tmp_path / "t.json", {**TEMPERATURE, "tau": tau})
        assert printed("compute", "-i", str(tmp_path / "z.npy"), "--calibration", file) == expected


def test_a_tiny_temperature_masks_no_class(tmp_path: Path) -> None:
    calibration = tsoft.Calibration("temperature", 3, tau=1e-308)
    assert calibration([1e10, 0, -np.inf]).tolist() == [1, 0, 0]
    file = saved(tmp_path / "t.json", {**TEMPERATURE, "tau": 1e-308})
    assert printed("compute", "cat=1e10", "dog=0", "--calibration", file, "--tau", "inf") == "0.5\t0.5\n"
