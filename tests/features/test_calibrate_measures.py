"""The measures of a calibration, against their definitions in plain Python and against other packages."""

import functools
import itertools
import json
import warnings
from collections.abc import Callable, Sequence
from math import exp, inf, isnan, log, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, special

import tsoft
from cases import each_case
from labeled import DATA, digits, random_rows
from tool import here, out
from tsoft.core.labeled_rows import LabeledRows
from tsoft.features.calibrate import class_bins, confidence_cells
from tsoft.features.calibrate.class_bins import TooManyBinsError, class_draws
from tsoft.features.calibrate.measure_names import ALL

VAL = str(DATA / "digits-val.npz")
FEW_RESAMPLES = ("--resamples", "40")
# The probabilities of three classes in each row of a small data set.
PROBS = [[0.7, 0.2, 0.1], [0.15, 0.5, 0.35], [0.6, 0.3, 0.1], [0.05, 0.05, 0.9]]


def measured(rows: LabeledRows, tau: float = 1.0, measures: Any = "all", **options: Any) -> dict[str, float]:
    return tsoft.reliability(rows.logits, rows.targets, tau, measures=measures, **{"resamples": 0, **options}).measures


def binned(values: Sequence[float], edges: Sequence[float]) -> list[list[int]]:
    """Return the rows of each bin that has rows. A bin extends from above its lower edge up to its upper edge."""
    bins = [[i for i, v in enumerate(values) if low < v <= high] for low, high in itertools.pairwise(edges)]
    return [rows for rows in bins if rows]


def equal_numbers(confidence: Sequence[float], bins: int) -> list[list[int]]:
    """Return the rows of each bin of equal mass, for confidences that do not tie."""
    order = sorted(range(len(confidence)), key=lambda i: confidence[i])
    bounds = [b * len(order) // bins for b in range(bins + 1)]
    return [order[low:high] for low, high in itertools.pairwise(bounds) if high > low]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def in_plain_python(probs: list[list[float]], targets: list[int], bins: int) -> dict[str, float]:
    """Return the measures, from their definitions."""
    confidence = [max(p) for p in probs]
    right = [float(p.index(max(p)) == y) for p, y in zip(probs, targets, strict=True)]
    count, classes = len(probs), len(probs[0])
    edges = [b / bins for b in range(bins + 1)]
    wide = binned(confidence, edges)
    gaps = [mean([right[i] for i in rows]) - mean([confidence[i] for i in rows]) for rows in wide]
    classwise = 0.0
    for k in range(classes):
        for rows in binned([p[k] for p in probs], edges):
            classwise += abs(sum((targets[i] == k) - probs[i][k] for i in rows)) / count / classes
    pairs = [(confidence[i], confidence[j]) for i in range(count) for j in range(count) if right[i] > right[j]]
    return {
        "rms_ce": sqrt(sum(len(rows) * gap**2 for rows, gap in zip(wide, gaps, strict=True)) / count),
        "mce": max(map(abs, gaps)),
        "classwise_ece": classwise,
        "auroc": mean([(a > b) + (a == b) / 2 for a, b in pairs]) if pairs else float("nan"),
        **decomposed(confidence, right, equal_numbers(confidence, bins)),
    }


def decomposed(confidence: list[float], right: list[float], bins: list[list[int]]) -> dict[str, float]:
    """Return the Brier score of the top class and its five parts (Stephenson et al. 2008, eqs. 5 to 9)."""
    count, accuracy = len(right), mean(right)
    means = [(mean([confidence[i] for i in rows]), mean([right[i] for i in rows]), len(rows)) for rows in bins]
    variance, covariance = 0.0, 0.0
    for rows, (c, a, _) in zip(bins, means, strict=True):
        variance += sum((confidence[i] - c) ** 2 for i in rows) / count
        covariance += 2 * sum((confidence[i] - c) * (right[i] - a) for i in rows) / count
    return {
        "brier_top": mean([(c - r) ** 2 for c, r in zip(confidence, right, strict=True)]),
        "brier_top_reliability": sum(n * (c - a) ** 2 for c, a, n in means) / count,
        "brier_top_resolution": sum(n * (a - accuracy) ** 2 for _, a, n in means) / count,
        "brier_top_uncertainty": accuracy * (1 - accuracy),
        "brier_top_within": variance - covariance,
    }


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(2, 6), st.integers(1, 20), st.sampled_from([0.3, 1, 4]))
def test_measures_by_their_definitions(seed: int, count: int, classes: int, bins: int, tau: float) -> None:
    rows = random_rows(seed, count, classes)
    values = measured(rows, tau, bins=bins)
    expected = in_plain_python(special.softmax(rows.logits / tau, axis=1).tolist(), rows.targets.tolist(), bins)
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-12, nan_ok=True)
    parts = {name: values[f"brier_top_{name}"] for name in ("reliability", "resolution", "uncertainty", "within")}
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    assert total == pytest.approx(values["brier_top"], abs=1e-14)


def smoothed(confidence: Any, right: Any, width: float) -> float:
    """Return the mean smoothed gap. Each row has a Gaussian and its reflections at 0 and at 1."""
    images = np.concatenate([2 * k + sign * confidence for k in range(-2, 3) for sign in (-1, 1)])
    masses = np.tile((right - confidence) / len(right), 10)

    def gap(t: float) -> float:
        return abs(float((masses * np.exp(-(((t - images) / width) ** 2) / 2)).sum())) / width / sqrt(2 * pi)

    points = np.linspace(0, 1, 1001)
    return float(integrate.simpson([gap(t) for t in points], x=points))


@pytest.mark.parametrize("tau", [0.4, 1.0, 3.0])
def test_the_smooth_ece_is_the_width_that_equals_its_error(tau: float) -> None:
    rows = random_rows(3, 40, 3)
    probs = special.softmax(rows.logits / tau, axis=1)
    confidence, right = probs.max(1), probs.argmax(1) == rows.targets
    width = measured(rows, tau)["smooth_ece"]
    assert smoothed(confidence, right, width) == pytest.approx(width, rel=2e-5)


def test_the_smooth_ece_of_rows_with_equal_confidences_is_their_gap() -> None:
    """The smoothed gap keeps its sign, so its integral is the gap of all rows at every width."""
    for confidence, right in ((0.8, [1, 0, 0, 0]), (0.6, [1, 1, 1, 0]), (1.0, [1, 0]), (0.0, [1, 0])):
        value = tsoft.confidence_measures([confidence] * len(right), right, resamples=0)["smooth_ece"]
        assert value == pytest.approx(abs(np.mean(right) - confidence), rel=1e-9)
    assert tsoft.confidence_measures([1.0, 1.0], [1, 1], resamples=0)["smooth_ece"] == 0


def test_the_smooth_ece_of_two_opposite_gaps() -> None:
    """Rows at 0 and at 1 with gaps of 1/2: the smoothed gap is a sum of odd cosines, which is 0 in the middle only."""

    def error(width: float) -> float:
        # Twice the integral from 0 to 1/2 of the sum of exp(-(pi k width)^2 / 2) cos(pi k t).
        return sum(2 * exp(-((pi * k * width) ** 2) / 2) * (-1.0) ** (k // 2) / (pi * k) for k in range(1, 200, 2))

    width = optimize.brentq(lambda w: error(w) - w, 0.05, 1.0)
    value = tsoft.confidence_measures([0.0, 1.0], [0.5, 0.5], resamples=0)["smooth_ece"]
    assert value == pytest.approx(width, rel=1e-7)


# The levels by chance


def enumerated(statistic: Callable[[list[int]], float]) -> tuple[float, float]:
    """Return the mean and the variance of a statistic of the targets, which have the probabilities of their rows."""
    outcomes = [
        (float(np.prod([p[y] for p, y in zip(PROBS, targets, strict=True)])), statistic(list(targets)))
        for targets in itertools.product(range(3), repeat=len(PROBS))
    ]
    center = sum(p * value for p, value in outcomes)
    return center, sum(p * (value - center) ** 2 for p, value in outcomes)


def test_the_levels_of_the_nll_and_of_the_brier_score_are_exact() -> None:
    values = measured(LabeledRows(np.log(PROBS), np.array([0, 1, 1, 2])))
    scores: dict[str, Callable[[list[int]], float]] = {
        "nll": lambda targets: mean([-log(p[y]) for p, y in zip(PROBS, targets, strict=True)]),
        "brier": lambda targets: mean(
            [sum((q - (k == y)) ** 2 for k, q in enumerate(p)) for p, y in zip(PROBS, targets, strict=True)]
        ),
    }
    for name, score in scores.items():
        center, variance = enumerated(score)
        assert values[name] == pytest.approx(score([0, 1, 1, 2]), rel=1e-12)
        assert values[f"{name}_chance_mean"] == pytest.approx(center, rel=1e-12)
        assert values[f"{name}_chance_high"] == pytest.approx(center + 1.959963985 * sqrt(variance), rel=1e-8)
        assert values[f"{name}_chance_low"] == pytest.approx(max(center - 1.959963985 * sqrt(variance), 0), rel=1e-8)


def test_the_levels_of_the_other_measures_are_means_over_all_outcomes() -> None:
    """The simulated mean is within five standard errors of the enumerated one."""
    samples, bins = 2000, 3
    plain_measures = functools.cache(lambda targets: in_plain_python(PROBS, list(targets), bins))
    rows = LabeledRows(np.log(PROBS), np.array([0, 1, 1, 2]))
    measures = ["rms_ce", "mce", "classwise_ece", "auroc", "brier_top"]
    values = measured(rows, 1.0, measures, bins=bins, resamples=samples, rng=1)
    names = [name for name in values if f"{name}_chance_mean" in values]
    plain = {name for name in names if name in in_plain_python(PROBS, [0, 1, 1, 2], bins)}
    assert len(plain) == 8
    for name in plain - {"auroc"}:
        center, variance = enumerated(lambda targets, name=name: plain_measures(tuple(targets))[name])  # type: ignore[misc]
        tolerance = 5 * sqrt(variance / samples) + 1e-12
        assert values[f"{name}_chance_mean"] == pytest.approx(center, abs=tolerance), name
    # The AUROC is undefined if all are right or all are wrong.
    weights = enumerated(lambda targets: float(isnan(plain_measures(tuple(targets))["auroc"])))[0]
    known = enumerated(lambda targets: np.nan_to_num(plain_measures(tuple(targets))["auroc"]))[0]
    assert values["auroc_chance_mean"] == pytest.approx(known / (1 - weights), abs=5 * 0.5 / sqrt(samples))


@pytest.mark.parametrize(
    ("classes", "measures", "models", "resamples", "most"),
    [
        (2, [name for name in ALL if name != "smooth_ece"], 50, 50, 11),
        (3, ["classwise_ece"], 50, 50, 11),
        (3, ["smooth_ece"], 25, 25, 8),
    ],
)
def test_a_calibrated_model_is_within_its_levels(
    classes: int, measures: list[str], models: int, resamples: int, most: int
) -> None:
    """The targets are drawn from the probabilities, so 5 % of the models are beyond each level."""
    beyond: dict[str, int] = {}
    for seed in range(models):
        values = measured(random_rows(seed, 80, classes), measures=measures, resamples=resamples, bins=8, rng=seed)
        for name in [name for name in values if f"{name}_chance_mean" in values]:
            high = values.get(f"{name}_chance_95", values.get(f"{name}_chance_high", inf))
            low = values.get(f"{name}_chance_low", -inf)
            beyond[name] = beyond.get(name, 0) + (not low <= values[name] <= high)
    # With 50 resamples, about 6 % of the models are beyond, and with 25 about 7.5 %. More than `most` have a
    # probability of 3e-4 or less.
    assert all(count <= most for count in beyond.values()), beyond
    assert all(count >= 1 for count in beyond.values()), beyond


def test_rows_that_are_drawn_together_have_the_same_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """In cells of one row, and of ten rows of similar confidence."""
    rows = random_rows(5, 1000, 4)
    names = [name for name in ALL if name not in ("nll", "brier", "classwise_ece")]
    single = measured(rows, measures=names, resamples=300, rng=1)
    monkeypatch.setattr(confidence_cells, "CELLS", 100)
    together = measured(rows, measures=names, resamples=300, rng=2)
    for name in [name for name in single if "_chance" in name]:
        # The mean of 300 simulations has a standard error of about 4 % of the mean, or less.
        assert together[name] == pytest.approx(single[name], rel=0.2 if name.startswith("mce") else 0.12), name


def test_a_resolution_without_noise_is_the_same_in_cells() -> None:
    """Confidences of 0 and 1 leave nothing to chance, however many rows a cell has."""
    for copies in (2, 3000):
        values = tsoft.confidence_measures([0.0, 1.0] * copies, [0, 1] * copies, bins=2, resamples=5, rng=1)
        assert (values["brier_top_resolution_chance_mean"], values["auroc_chance_mean"]) == (0.25, 1.0)
        assert (values["brier_top_chance_high"], values["smooth_ece_chance_mean"]) == (0, 0)


# Ties


def test_equal_confidences_count_half_in_the_auroc() -> None:
    values = tsoft.confidence_measures([0.5, 0.5, 0.9], [0, 1, 1], resamples=0)
    assert values["auroc"] == 0.75
    ties = tsoft.confidence_measures([0.7] * 5000, [0, 1] * 2500, resamples=20, rng=1)
    assert (ties["auroc"], ties["auroc_chance_mean"], ties["auroc_chance_high"]) == (0.5, 0.5, 0.5)


def test_a_row_that_is_right_in_part_is_the_mean_of_both_outcomes() -> None:
    """As if one of the classes that tie were drawn."""
    confidence, part = [0.5, 0.7, 0.6, 0.9], [0.5, 0.0, 1.0, 1.0]
    both = [tsoft.confidence_measures(confidence, [x, *part[1:]], bins=2, resamples=0) for x in (0, 1)]
    values = tsoft.confidence_measures(confidence, part, bins=2, resamples=0)
    assert values["brier_top"] == pytest.approx((both[0]["brier_top"] + both[1]["brier_top"]) / 2, rel=1e-12)
    # If the first is wrong, 3 of 4 pairs are in order; if it is right, 1 of 3.
    assert values["auroc"] == pytest.approx((3 + 1) / (4 + 3), rel=1e-12)
    total = values["brier_top_reliability"] - values["brier_top_resolution"] + values["brier_top_uncertainty"]
    assert total + values["brier_top_within"] == pytest.approx(values["brier_top"], rel=1e-12)


@pytest.mark.parametrize("tau", [0.0, 1e-300, 1e300, inf])
def test_the_limits_are_measured(tau: float) -> None:
    rows = LabeledRows(
        np.array([[3.0, 0.0, 0.0, 1.0], [1.0, 2.0, -inf, 0.0], [5.0, 1.0, 4.0, 2.0]]), np.array([0, 1, 3])
    )
    values = measured(rows, tau, resamples=5, rng=1)
    assert all(value == value or name.startswith("auroc") for name, value in values.items())
    if tau == 0:
        assert values["rms_ce"] == pytest.approx(1 / 3)
        assert values["nll_chance_mean"] == values["brier_chance_high"] == 0
    if tau == inf:
        assert values["nll_chance_mean"] == pytest.approx((2 * log(4) + log(3)) / 3)
        assert values["nll_chance_high"] == pytest.approx(values["nll_chance_mean"])
        assert values["smooth_ece"] == pytest.approx(0, abs=1e-15)


# Streams


def test_blocks_of_any_size_have_the_same_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    from tsoft.features.calibrate import row_scores

    rows = random_rows(8, 60, 5)
    whole = measured(rows, 1.7)
    monkeypatch.setattr(row_scores, "PIECE_SIZE", 35)
    assert measured(rows, 1.7) == pytest.approx(whole, rel=1e-12, nan_ok=True)


def test_the_draws_of_targets_have_the_probabilities() -> None:
    """Also in small pieces, and for classes of probability 0."""
    probs = np.array([[0.5, 0.0, 0.2, 0.3], [0.0, 1.0, 0.0, 0.0]])
    draws = class_bins.ClassDraws(1, 3000, np.random.default_rng(1))
    bins = class_bins.ClassBins(4, draws)
    for row, target in zip(probs, (0, 1), strict=True):
        bins.add(row[np.newaxis], np.array([target]))
    drawn = bins._simulated.sum(0)
    assert drawn[1] == 3000
    np.testing.assert_allclose(drawn[[0, 2, 3]], np.array([0.5, 0.2, 0.3]) * 3000, atol=5 * sqrt(3000) / 2)


def test_many_rows_or_classes_have_fewer_simulations() -> None:
    generator = np.random.default_rng(1)
    assert class_draws(10**6, 1000, 15, 1000, generator).samples == 40
    assert class_draws(10**6, 1000, 15, 10, generator).samples == 10
    assert class_draws(100, 10**5, 15, 1000, generator).samples == 0
    with pytest.raises(TooManyBinsError, match=r"100 bins for each of 100000 classes are too many.* at most 83 bins"):
        class_draws(100, 10**5, 100, 1000, generator)


# The command


def test_the_requested_measures_are_the_columns() -> None:
    measures = ("--measures", "auroc,MCE", "--measures", "mce")
    header, *lines = out("calibrate", "-i", VAL, "-f", "csv", *measures, *FEW_RESAMPLES).splitlines()
    names = "mce,mce_chance_mean,mce_chance_95,auroc,auroc_chance_mean,auroc_chance_low,auroc_chance_high"
    assert header == f"data,tau,rows,{names}"
    assert len(lines) == 2
    [record] = json.loads(out("calibrate", "-i", VAL, "-f", "json", "--measures", "all", *FEW_RESAMPLES))
    library = measured(digits("val"), measures="all", resamples=40)
    for report in record["reports"]:
        assert set(library) <= set(report)
    for name in ALL:
        assert record["reports"][0][name] == pytest.approx(library[name], rel=1e-9)


def test_the_table_has_the_lines_of_each_measure() -> None:
    options = ("-f", "table", "--no-chart", "--measures", "brier-top,rms_ce", "--digits", "2")
    shown = out("calibrate", "-i", VAL, *options, *FEW_RESAMPLES)
    lines = [line[1:18].rstrip() for line in shown.split("\n\n")[1].splitlines()]
    assert lines[2:] == [
        "rows",
        "Brier, top class", "  by chance", "  95 % within",
        "  reliability", "    by chance", "    95 % below",
        "  − resolution", "    by chance", "    95 % within",
        "  + uncertainty", "    by chance", "    95 % within",
        "  + within bins",
        "RMS error", "  by chance", "  95 % below",
    ]  # fmt: skip
    assert "NLL:" not in shown
    assert "\nRMS error: " in shown


def test_measures_choose_the_table() -> None:
    assert "AUROC" in out("calibrate", "-i", VAL, "--measures", "auroc", *FEW_RESAMPLES)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--measures", "nll,eec"], "--measures: unknown measure 'eec'; did you mean 'ece'? choose from nll, brier"),
        (["--measures", ""], "--measures: unknown measure ''; choose from nll, brier"),
        (["--measures", "nll", "-f", "tsv"], "--measures has no effect on tsv; use --format table, csv, json or jsonl"),
        (["--measures", "nll", "-f", "svg"], "--measures has no effect on svg; use --format table, csv, json or jsonl"),
    ],
)
def test_errors_in_the_measures(typed: list[str], message: str) -> None:
    done = here("calibrate", "-i", VAL, *typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


def test_classwise_ece_of_targets_in_a_file(tmp_path: Path) -> None:
    """In a file, targets are read as integers of 8 bits, of which there are fewer than bins of all classes."""
    rows = digits("val")
    np.save(tmp_path / "z.npy", rows.logits)
    np.save(tmp_path / "y.npy", rows.targets)
    files = str(tmp_path / "z.npy"), str(tmp_path / "y.npy")
    [record] = json.loads(out("calibrate", *files, "--measures", "classwise_ece", "--resamples", "0", "-f", "json"))
    assert record["reports"][0]["classwise_ece"] == pytest.approx(measured(rows)["classwise_ece"], rel=1e-12)


def test_notes_on_measures_that_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "a,b,target\n2,0,a\n0,1,b\n1,1.5,b\n"
    done = here("calibrate", "-f", "json", "--measures", "auroc", stdin=rows)
    assert "stdin: every prediction is right, so the AUROC is undefined\n" in done.stderr
    assert json.loads(done.stdout)[0]["reports"][0]["auroc"] is None
    monkeypatch.setattr(class_bins, "MAX_COUNTS", 300)
    done = here("calibrate", "-f", "json", "--measures", "classwise_ece", stdin=rows)
    simulations = "no simulation instead of 1000 for the classwise ECE, because of 3 rows of 2 classes"
    assert f"stdin: {simulations}\n" in done.stderr
    assert json.loads(done.stdout)[0]["reports"][0]["classwise_ece_chance_mean"] is None
    monkeypatch.setattr(class_bins, "MAX_BINS", 29)
    done = here("calibrate", "-f", "json", "--measures", "classwise_ece", stdin=rows)
    assert done.returncode == 1
    problem = "stdin: 15 bins for each of 2 classes are too many for the classwise ECE; use at most 14 bins, --bins N"
    assert done.stderr.endswith(f"tsoft: error: {problem}\n")


# The library


def test_confidences_have_the_measures_of_their_logits() -> None:
    rows = digits("test")
    probs = special.softmax(rows.logits.astype(float), axis=1)
    expected = measured(rows, measures="all")
    names = ["brier_top", "ece", "ece_mass", "rms_ce", "smooth_ece", "mce", "auroc", "accuracy", "mean_confidence"]
    values = tsoft.confidence_measures(probs.max(1), probs.argmax(1) == rows.targets, resamples=0)
    assert {name: values[name] for name in names} == pytest.approx({name: expected[name] for name in names}, rel=1e-9)


@each_case(
    ("confidence", "right", "options", "problem"),
    [
        ([0.5], [1, 0], {}, r"right must have shape \(1,\), as confidence has; got \(2,\)"),
        ([0.5, 1.5], [1, 0], {}, "confidence must be numbers from 0 to 1, got 1.5"),
        ([0.5, np.nan], [1, 0], {}, "confidence must be numbers from 0 to 1, got nan"),
        ([0.5, 0.6], ["a", "b"], {}, "right must be numbers from 0 to 1, got an array of <U1"),
        ([[0.5]], [[1]], {}, r"confidence must have one axis, got shape \(1, 1\)"),
        ([], [], {}, "confidence is empty"),
        ([0.5], [1], {"measures": "nll"}, "nll needs the probabilities of all classes; use reliability"),
        ([0.5], [1], {"measures": ["ecee"]}, "unknown measure 'ecee'; did you mean 'ece'"),
        ([0.5], [1], {"bins": 0}, "bins must be a whole number of at least 1, got 0"),
    ],
)
def test_confidences_that_cannot_be_measured(confidence: Any, right: Any, options: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        tsoft.confidence_measures(confidence, right, **options)


# Other packages


def oracle_rows() -> list[tuple[Any, Any, dict[str, float]]]:
    """Return probabilities, targets and measures of the digits at several temperatures."""
    cases = []
    for name, tau in itertools.product(("val", "test"), (1.0, 1.34, 3.0)):
        rows = digits(name)
        probs = special.softmax(rows.logits.astype(float) / tau, axis=1)
        cases.append((probs, rows.targets.astype(int), measured(rows, tau)))
    return cases


@pytest.mark.oracle
def test_scikit_learn_has_the_same_scores() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    for probs, targets, values in oracle_rows():
        confidence, right = probs.max(1), probs.argmax(1) == targets
        labels = range(probs.shape[1])
        assert values["nll"] == pytest.approx(metrics.log_loss(targets, probs, labels=labels), rel=1e-12)
        assert values["auroc"] == pytest.approx(metrics.roc_auc_score(right, confidence), rel=1e-12)
        assert values["brier_top"] == pytest.approx(metrics.brier_score_loss(right, confidence), rel=1e-12)
        brier = metrics.brier_score_loss(targets, probs, labels=labels, scale_by_half=False)
        assert values["brier"] == pytest.approx(brier, rel=1e-12)


@pytest.mark.oracle
def test_netcal_has_the_same_calibration_errors() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        netcal = pytest.importorskip("netcal.metrics")
        for probs, targets, values in oracle_rows():
            classes = [netcal.ECE(15).measure(p, (targets == k).astype(int)) for k, p in enumerate(probs.T)]
            assert values["ece"] == pytest.approx(netcal.ECE(15).measure(probs, targets), rel=1e-10)
            assert values["mce"] == pytest.approx(netcal.MCE(15).measure(probs, targets), rel=1e-10)
            assert values["classwise_ece"] == pytest.approx(np.mean(classes), rel=1e-10)


@pytest.mark.oracle
def test_torchmetrics_has_the_same_calibration_errors() -> None:
    """It computes in float32, and counts confidences that are then exactly 1 as a further bin."""
    functions = pytest.importorskip("torchmetrics.functional.classification")
    torch = pytest.importorskip("torch")
    for probs, targets, values in oracle_rows():
        if (probs.astype(np.float32) == 1).any():
            continue
        for name, norm in (("ece", "l1"), ("rms_ce", "l2"), ("mce", "max")):
            arguments = torch.tensor(probs), torch.tensor(targets), probs.shape[1]
            error = functions.multiclass_calibration_error(*arguments, n_bins=15, norm=norm)
            assert values[name] == pytest.approx(float(error), abs=1e-6), name


@pytest.mark.oracle
def test_relplot_has_nearly_the_same_smooth_ece() -> None:
    """Its grid has 200 points, and its width the precision 0.001. It counts confidences within half a point of a
    finer grid from 1 only half, so these rows have a limit on their confidence."""
    relplot = pytest.importorskip("relplot")
    random = np.random.default_rng(4)
    for shift in (-0.2, 0.0, 0.15):
        confidence = random.uniform(0.3, 0.95, 3000)
        right = random.random(3000) < np.clip(confidence + shift * (confidence - 0.6), 0, 1)
        value = tsoft.confidence_measures(confidence, right, measures="smooth_ece", resamples=0)["smooth_ece"]
        assert value == pytest.approx(relplot.smECE(confidence, right.astype(float)), abs=1.5e-3)
