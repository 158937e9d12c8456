"""The reliability of probabilities, against independent computations."""

import itertools
from math import inf, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from cases import each_case
from labeled import digits, once, random_rows, reference
from tsoft.core.fit import fit_rows
from tsoft.core.labeled_rows import LabeledRows
from tsoft.features.calibrate.chance import Chance
from tsoft.features.calibrate.confidence_bins import Bins, equal_masses
from tsoft.features.calibrate.confidence_cells import cell_size, confidence_cells
from tsoft.features.calibrate.confidence_statistics import CONFIDENCE_MEASURES, simulated_levels
from tsoft.features.calibrate.reliability import Report, report
from tsoft.features.calibrate.row_scores import score_rows

REFERENCE = reference()


def measured(rows: LabeledRows, tau: float, bins: int = 15, samples: int = 1, seed: int = 1) -> Report:
    scores = score_rows(once(rows), np.array([tau]), 1)
    return report(scores, 0, bins, samples, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ["val", "test"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_measures_of_the_reference(name: str, when: str) -> None:
    calibration = measured(digits(name), 1.0 if when == "before" else REFERENCE["tau"])
    assert calibration.nll == pytest.approx(REFERENCE[f"nll_{name}_{when}"], rel=0, abs=1e-13)
    assert calibration.equal_width.ece == pytest.approx(REFERENCE[f"ece15_{name}_{when}"], rel=0, abs=1e-13)


def naive_ece(confidences: list[float], right: list[bool], edges: list[float]) -> tuple[float, float]:
    """Return ECE and MCE, row by row. A bin extends from above its lower edge up to its upper edge."""
    gaps, worst = 0.0, 0.0
    for low, high in itertools.pairwise(edges):
        inside = [i for i, c in enumerate(confidences) if low < c <= high]
        if inside:
            gap = abs(sum(right[i] for i in inside) - sum(confidences[i] for i in inside))
            gaps, worst = gaps + gap, max(worst, gap / len(inside))
    return gaps / len(confidences), worst


@given(st.integers(0, 10**6), st.integers(1, 200), st.integers(2, 6), st.integers(1, 20), st.sampled_from([0.3, 1, 4]))
def test_measures_row_by_row(seed: int, count: int, classes: int, bins: int, tau: float) -> None:
    rows = random_rows(seed, count, classes)
    calibration = measured(rows, tau, bins)
    log_probs = special.log_softmax(rows.logits / tau, axis=1)
    probs = np.exp(log_probs)
    one_hot = np.eye(classes)[rows.targets]
    assert calibration.nll == pytest.approx(-(log_probs * one_hot).sum(1).mean(), abs=1e-12)
    assert calibration.brier == pytest.approx(((probs - one_hot) ** 2).sum(1).mean(), abs=1e-12)
    right = probs.argmax(1) == rows.targets
    assert calibration.accuracy == right.mean()
    assert calibration.confidence == pytest.approx(probs.max(1).mean(), abs=1e-12)
    edges = [b / bins for b in range(bins + 1)]
    ece, mce = naive_ece(probs.max(1).tolist(), right.tolist(), edges)
    assert (calibration.equal_width.ece, calibration.equal_width.mce) == pytest.approx((ece, mce), abs=1e-12)
    assert calibration.equal_mass.counts.sum() == calibration.equal_width.counts.sum() == count
    # The numbers of rows in the bins are as equal as possible.
    assert np.ptp(calibration.equal_mass.counts) <= 1
    assert len(calibration.equal_mass.counts) == min(bins, count)
    order, first, total = probs.max(1).argsort(), 0, 0.0
    for inside in calibration.equal_mass.counts.tolist():
        part = order[first : first + inside]
        total += abs(right[part].sum() - probs[part].max(1).sum())
        first += inside
    assert calibration.equal_mass.ece == pytest.approx(total / count, abs=1e-12)


def of_confidences(confidences: list[float], bins: int) -> Report:
    """Return the report on two classes. The first has these probabilities and is the target."""
    p = np.array(confidences)
    with np.errstate(divide="ignore"):
        z = np.log(np.column_stack([p, 1 - p]))
    return measured(LabeledRows(z, np.zeros(len(p), int)), 1.0, bins)


def test_a_confidence_of_1_is_in_the_last_bin() -> None:
    calibration = of_confidences([1.0, 1.0, 0.55], 10)
    assert calibration.equal_width.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert calibration.equal_width.ece == pytest.approx(0.45 / 3)
    assert np.isnan(calibration.equal_width.accuracy[0])


@pytest.mark.parametrize("tau", [0.0, inf])
def test_the_limits_are_measured(tau: float) -> None:
    rows = LabeledRows(np.array([[3.0, 0.0, 0.0], [1.0, 2.0, -inf]]), np.array([0, 1]))
    calibration = measured(rows, tau)
    assert calibration.nll == pytest.approx(0.0 if tau == 0 else (log(3) + log(2)) / 2)
    chance = (1 / 3 + 1 / 2) / 2
    assert calibration.accuracy == pytest.approx(1.0 if tau == 0 else chance)
    assert calibration.confidence == pytest.approx(1.0 if tau == 0 else chance)


def test_confidences_that_tie_share_a_bin_of_equal_mass() -> None:
    binned = of_confidences([0.6] * 5 + [0.7] + [0.9] * 6, 4).equal_mass
    assert binned.counts.tolist() == [5, 1, 6]
    assert binned.is_merged
    assert binned.requested == 4
    assert of_confidences([0.8] * 9, 4).equal_mass.counts.tolist() == [9]
    assert equal_masses(np.array([0.5, 0.6]), 5).tolist() == [0, 0.5, 1]


@each_case("classes", range(2, 41))
def test_a_confidence_on_an_edge_is_in_the_bin_below(classes: int) -> None:
    """Each class has the probability 1 / classes, which is an edge of a bin of equal width. A third of the rows have a
    higher confidence."""
    random = np.random.default_rng(classes)
    offsets = np.tile(random.normal(size=(30, 1)) * 10, (1, classes))
    offsets[20:, 0] += 0.05
    calibration = measured(LabeledRows(offsets, np.zeros(30, int)), 1.3, classes)
    assert calibration.equal_width.counts[:2].tolist() == [20, 10]
    assert calibration.equal_mass.counts.tolist() == [20, 10] if classes < 4 else calibration.equal_mass.is_merged


def test_confidences_that_differ_only_by_rounding_share_a_bin_of_equal_mass() -> None:
    random = np.random.default_rng(1)
    # The same probabilities of five classes in another order. Their sum is rounded differently.
    z = np.array([random.permutation([2.0, 0.3, 0.1, -0.7, 1.1]) + shift for shift in random.normal(size=60)])
    binned = measured(LabeledRows(z, z.argmax(1)), 1.7, 6).equal_mass
    assert binned.counts.tolist() == [60]


@given(st.lists(st.sampled_from([0.52, 0.55, 0.6, 0.75, 0.9, 1.0]), min_size=1, max_size=60), st.integers(1, 12))
def test_no_bin_of_equal_mass_is_empty(confidences: list[float], bins: int) -> None:
    binned = of_confidences(confidences, bins).equal_mass
    assert binned.counts.min() > 0
    assert len(binned.counts) <= min(bins, len(set(confidences)))
    assert (np.diff(binned.edges) > 0).all()
    assert binned.accuracy.tolist() == [1] * len(binned.counts)


def enumerated(confidences: list[float], counts: list[int]) -> float:
    """Return the mean ECE of a calibrated model over all outcomes."""
    mean, bounds = 0.0, [0, *itertools.accumulate(counts)]
    for outcome in itertools.product([0, 1], repeat=len(confidences)):
        likely = np.prod([c if o else 1 - c for c, o in zip(confidences, outcome, strict=True)])
        deviations = [abs(sum(outcome[a:b]) - sum(confidences[a:b])) for a, b in itertools.pairwise(bounds)]
        mean += float(likely) * sum(deviations) / len(confidences)
    return mean


def ece_by_chance(confidences: Any, counts: Any, samples: int, seed: int) -> Chance:
    cells = confidence_cells(confidences, counts, counts, cell_size(len(confidences)))
    return simulated_levels(cells, CONFIDENCE_MEASURES["ece"], samples, np.random.default_rng(seed))["ece"]


def test_chance_is_the_mean_over_all_outcomes() -> None:
    confidences, counts = [0.3, 0.5, 0.55, 0.6, 0.8, 0.9, 0.95, 0.99], [3, 0, 5]
    samples = 20_000
    chance = ece_by_chance(np.array(confidences), np.array(counts), samples, 1)
    # The standard deviation of a sample is below 0.15.
    assert chance.mean == pytest.approx(enumerated(confidences, [3, 5]), abs=5 * 0.15 / sqrt(samples))
    assert chance.high > chance.mean


def test_many_rows_are_drawn_together() -> None:
    """With a single bin, the ECE is |normal| / √rows, whose mean and 95 % quantile are known."""
    confidences = np.sort(np.random.default_rng(2).uniform(0.4, 1, 10_000))
    deviation = sqrt((confidences * (1 - confidences)).sum()) / len(confidences)
    chance = ece_by_chance(confidences, np.array([len(confidences)]), 2500, 3)
    assert chance.mean == pytest.approx(deviation * sqrt(2 / np.pi), rel=0.05)
    assert chance.high == pytest.approx(deviation * 1.96, rel=0.05)


def test_a_calibrated_model_is_within_chance() -> None:
    """The targets are drawn from the probabilities, so 5 % of the models are above the 95 % value."""
    beyond = 0
    for seed in range(100):
        calibration = measured(random_rows(1000 + seed, 100, 3), 1.0, 10, 100, seed)
        beyond += calibration.equal_width.ece > calibration.equal_width.chance.high
    assert 1 <= beyond <= 15


@pytest.mark.oracle
def test_scikit_learn_agrees() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    base = pytest.importorskip("sklearn.base")
    frozen = pytest.importorskip("sklearn.frozen")

    class Logits(base.ClassifierMixin, base.BaseEstimator):  # type: ignore[misc, name-defined]
        """A classifier whose features are its logits."""

        def fit(self, z: Any, y: Any) -> Any:
            self.classes_ = np.arange(z.shape[1])
            return self

        def decision_function(self, z: Any) -> Any:
            return z

        def predict(self, z: Any) -> Any:
            return z.argmax(1)

    val, test = digits("val"), digits("test")
    z = val.logits.astype(float)
    model = Logits().fit(z, val.targets)
    try:
        wrapped = calibration.CalibratedClassifierCV(frozen.FrozenEstimator(model), method="temperature")
        wrapped.fit(z, val.targets)
    except ValueError as error:
        pytest.skip(f"no temperature calibration: {error}")
    probs = wrapped.predict_proba(test.logits.astype(float))
    tau = fit_rows(once(val)).tau
    assert probs == pytest.approx(special.softmax(test.logits.astype(float) / tau, axis=1), abs=1e-7)
    [fitted] = wrapped.calibrated_classifiers_
    assert 1 / fitted.calibrators[0].beta_ == pytest.approx(tau, rel=1e-7)


def test_ece_and_mce_of_bins() -> None:
    bins = Bins(np.array([0.0, 0.5, 1.0]), np.array([0, 4]), np.array([np.nan, 0.8]), np.array([np.nan, 0.5]), 2)
    assert bins.ece == bins.mce == pytest.approx(0.3)


def test_a_tie_at_the_top_counts_in_part() -> None:
    """The target is one of two classes at the top, the only one, or below; the last class of each row is masked."""
    rows = LabeledRows(np.array([[1.0, 1, 0, -inf], [2, 0, 0, -inf], [2, 0, 0, -inf]]), np.array([0, 0, 1]))
    for tau in (0.0, 1e-300, 1.0, 1e300):
        assert measured(rows, tau).accuracy == (0.5 + 1 + 0) / 3
    # At inf, three classes of each row tie, so the model is calibrated.
    uniform = measured(rows, inf)
    assert uniform.accuracy == pytest.approx(1 / 3, rel=1e-15)
    assert uniform.equal_width.ece == pytest.approx(0, abs=1e-15)
