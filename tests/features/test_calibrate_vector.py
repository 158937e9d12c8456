"""`tsoft calibrate --method vector`: vector scaling, compared with one temperature on held-out rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax

from cases import each_case
from labeled import digits, once
from tool import TESTS, here
from tsoft.core.fit import fit_rows

VALIDATION, TEST = (str(TESTS / "data" / f"digits-{name}.npz") for name in ("val", "test"))
VECTOR = ("--method", "vector")


def calibrated(*arguments: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
    done = here("calibrate", *VECTOR, *arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def biased(path: Path, rows: int = 600) -> str:
    """Write rows of a classifier that overrates its first class and is certain of its second one."""
    random = np.random.default_rng(1)
    z = random.normal(0, 2, (rows, 3))
    targets = (z * [1, 0.3, 1] - [2, 0, 0] + random.gumbel(size=z.shape)).argmax(1)
    np.savez(path, logits=z, targets=targets)
    return str(path)


def test_a_biased_classifier_needs_more_than_one_temperature(tmp_path: Path) -> None:
    file = biased(tmp_path / "a.npz")
    [result] = json.loads(calibrated(file, "-f", "json", "--resamples", "100")[0])
    assert 0 < result["nll_difference_low"] < result["nll_difference"] < result["nll_difference_high"]
    assert (result["l2"], result["folds"], result["interval"]) == (1, 5, "paired bootstrap")
    none, temperature, vector = result["reports"]
    assert temperature["nll"] - vector["nll"] == pytest.approx(result["nll_difference"])
    assert none["accuracy"] == temperature["accuracy"] < vector["accuracy"]
    assert result["weights"][1] < result["weights"][0]
    assert result["biases"][0] < -1
    stdout, stderr = calibrated(file, "-f", "table", "--resamples", "100")
    assert "vector scaling is better than one τ by more than" in " ".join(stdout.split())
    assert "Vector scaling can change predictions. Accuracy: 0." in " ".join(stdout.split())
    assert "not better" not in stderr


def test_one_temperature_may_be_as_good() -> None:
    stdout, stderr = calibrated(VALIDATION, "-f", "json")
    [result] = json.loads(stdout)
    assert result["nll_difference_low"] < 0 < result["nll_difference_high"]
    assert f"{VALIDATION}: on held-out rows, vector scaling is not better than one τ by more than chance" in stderr


def test_held_out_rows_are_not_in_their_fit() -> None:
    """With as many folds as rows, each row is measured with the fit to all others."""
    random = np.random.default_rng(2)
    z = random.normal(0, 2, (12, 3))
    targets = (z / 2 + random.gumbel(size=z.shape)).argmax(1)
    table = "a,b,c,target\n" + "".join(f"{x},{y},{w},{t}\n" for (x, y, w), t in zip(z, targets, strict=True))
    [result] = json.loads(calibrated("--folds", "12", "-f", "json", stdin=table)[0])
    nlls = []
    for row in range(12):
        others = np.delete(z, row, 0), np.delete(targets, row)
        lines = [",".join(map(str, [*x, t])) + "\n" for x, t in zip(*others, strict=True)]
        tau = float(here("calibrate", stdin="a,b,c,target\n" + "".join(lines)).stdout)
        nlls.append(-log_softmax(z[row] / tau)[targets[row]])
    assert result["reports"][1]["nll"] == pytest.approx(np.mean(nlls), rel=1e-9)


def test_the_rows_of_test_are_calibrated_by_the_fit_to_all_rows() -> None:
    [result] = json.loads(calibrated(VALIDATION, "--test", TEST, "-f", "json", "--resamples", "0")[0])
    rows, val = digits("test"), digits("val")
    tau = fit_rows(once(val)).tau
    assert result["tau"] == tau
    z = rows.logits.astype(np.float64)
    calibrations = {"none": z, "temperature": z / tau, "vector": z * result["weights"] + result["biases"]}
    for report in result["reports"][3:]:
        logits = calibrations[report["method"]]
        nll = -log_softmax(logits, axis=1)[np.arange(len(z)), rows.targets].mean()
        assert (report["data"], report["nll"]) == ("test", pytest.approx(nll, rel=1e-9))
        assert report["accuracy"] == pytest.approx((logits.argmax(1) == rows.targets).mean())


def test_a_saved_vector_calibration_gives_the_same(tmp_path: Path) -> None:
    file = str(tmp_path / "model.json")
    stdout, _ = calibrated(VALIDATION, "--save", file)
    columns = [line.split("\t") for line in stdout.splitlines()]
    saved = json.loads((tmp_path / "model.json").read_text())
    assert [name for name, _, _ in columns] == [f"#{i}" for i in range(10)]
    assert [float(weight) for _, weight, _ in columns] == saved["weights"]
    assert [float(bias) for _, _, bias in columns] == saved["biases"]
    assert sum(saved["biases"]) == pytest.approx(0, abs=1e-9)
    done = here("compute", "-i", TEST, "--calibration", file, "--log")
    expected = log_softmax(digits("test").logits.astype(np.float64) * saved["weights"] + saved["biases"], axis=1)
    assert_allclose(np.loadtxt(done.stdout.splitlines()), expected, atol=1e-4)
    assert "vector scaling, fitted to 674 rows" in done.stderr


def test_a_penalty_keeps_the_weights_near_one_temperature() -> None:
    [result] = json.loads(calibrated(VALIDATION, "--l2", "1e9", "--resamples", "0", "-f", "json")[0])
    assert_allclose(np.array(result["weights"]) * result["tau"], 1, rtol=1e-4)
    assert result["interval"] == "normal"


def test_records_have_a_line_per_method() -> None:
    stdout, _ = calibrated(VALIDATION, "--test", TEST, "-f", "csv", "--measures", "nll", "--resamples", "0")
    assert [line.split(",")[:3] for line in stdout.splitlines()] == [
        ["data", "method", "rows"],
        *(["held out", method, "674"] for method in ("none", "temperature", "vector")),
        *(["test", method, "674"] for method in ("none", "temperature", "vector")),
    ]


TABLE = "a,b,target\n2,0,a\n1,0,b\n3,1,a\n0,1,b\n"


@each_case(
    ("arguments", "stdin", "code", "problem"),
    [
        (("--l2", "0"), TABLE, 2, "--l2: expected a number from 1e-06 to 1e+12, got 0"),
        (("--by", "x"), TABLE, 2, "--by has no effect with --method vector"),
        (("--chart",), TABLE, 2, "--chart has no effect with --method vector"),
        (("-o", "a.svg"), TABLE, 2, "--method vector has no effect on svg"),
        (("--choices", "A,B"), "", 2, "--method vector needs probabilities instead of bounds"),
        ((), TABLE, 1, "4 rows cannot be split into 5 folds; pass --folds 2"),
        ((), "a,b,target\n2,0,a\n0,1,b\n", 1, "from which vector scaling cannot start; pass --method temperature"),
    ],
)
def test_what_vector_scaling_cannot_do(arguments: Any, stdin: str, code: int, problem: str) -> None:
    assert problem in calibrated(*arguments, stdin=stdin, code=code)[1]


def test_options_of_vector_scaling_need_it() -> None:
    for option in ("--l2", "--folds"):
        done = here("calibrate", option, "3", stdin=TABLE)
        assert (done.returncode, f"{option} has no effect without --method vector" in done.stderr) == (2, True)


def test_a_class_that_never_occurs_is_noted() -> None:
    rows = "a,b,c,target\n" + "2,0,-9,a\n1,0,-9,b\n3,1,-9,a\n0,1,-9,b\n" * 5
    assert "1 class is never the target, and only the penalty limits" in calibrated("--folds", "2", stdin=rows)[1]
