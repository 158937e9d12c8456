"""Vector scaling: the derivatives against finite differences, and the optimum against scipy."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import check_grad, minimize
from scipy.special import log_softmax, logsumexp

from labeled import digits, once, random_rows
from tsoft.core.fit import fit_rows
from tsoft.core.labeled_rows import CalibrationError, LabeledRows
from tsoft.core.vector_scaling import VectorObjective, fit_vector

TAU = 1.7


def skewed_rows(seed: int, rows: int, classes: int) -> LabeledRows:
    """Return rows whose targets are drawn from other weights and biases than 1 and 0."""
    random = np.random.default_rng(seed)
    z = random.normal(0, 3, (rows, classes))
    true = z * random.uniform(0.3, 1.2, classes) + random.normal(0, 1, classes)
    return LabeledRows(z, (true + random.gumbel(size=z.shape)).argmax(1))


def masked_rows() -> LabeledRows:
    rows = skewed_rows(3, 80, 4)
    z = rows.logits.copy()
    is_masked = np.random.default_rng(4).random(z.shape) < 0.2
    is_masked[np.arange(len(z)), rows.targets] = False
    z[is_masked] = -np.inf
    return LabeledRows(z, rows.targets)


ROWS = {"skewed": skewed_rows(1, 60, 3), "masked": masked_rows(), "two classes": skewed_rows(2, 40, 2)}


def written_out(rows: LabeledRows, parameters: Any, l2: float) -> float:
    """Return f, written as in the manual."""
    u, b = np.split(parameters, 2)
    with np.errstate(invalid="ignore"):
        logits = np.where(np.isneginf(rows.logits), -np.inf, u * rows.logits / TAU + b)
    nll = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), rows.targets]
    return float(nll.mean() + l2 / (2 * len(nll)) * (((u - 1) ** 2).sum() + (b**2).sum()))


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
def test_the_derivatives_are_those_of_finite_differences(rows: LabeledRows) -> None:
    objective = VectorObjective([rows], TAU, 0.7)
    point = objective.start + np.random.default_rng(5).normal(0, 0.3, len(objective.start))
    expansion = objective.expansion(point)
    assert expansion.value == pytest.approx(written_out(rows, point, 0.7), rel=1e-13)
    assert objective.value(point) == pytest.approx(expansion.value, rel=1e-13)
    assert check_grad(objective.value, lambda p: objective.expansion(p).gradient, point) < 1e-6
    steps = 1e-5 * np.eye(len(point))
    columns = [
        (objective.expansion(point + h).gradient - objective.expansion(point - h).gradient) / 2e-5 for h in steps
    ]
    assert_allclose(expansion.hessian, np.array(columns), atol=1e-7)
    assert_allclose(expansion.hessian, expansion.hessian.T, atol=1e-15)


@pytest.mark.parametrize(("kind", "l2"), [("skewed", 1e-3), ("skewed", 30.0), ("masked", 1e-3), ("two classes", 1.0)])
def test_the_optimum_is_that_of_scipy(kind: str, l2: float) -> None:
    rows = ROWS[kind]
    n = rows.logits.shape[1]
    start = np.concatenate([np.ones(n), np.zeros(n)])
    found = minimize(lambda p: written_out(rows, p, l2), start, tol=1e-12, options={"gtol": 1e-9})
    scaling = fit_vector([rows], TAU, l2)
    parameters = np.concatenate([scaling.weights * TAU, scaling.biases])
    assert_allclose(parameters, found.x, atol=1e-4)
    assert written_out(rows, parameters, l2) <= found.fun + 1e-12
    assert scaling.biases.sum() == pytest.approx(0, abs=1e-12)
    assert_allclose(VectorObjective([rows], TAU, l2).expansion(parameters).gradient, 0, atol=1e-9)


def test_blocks_do_not_matter() -> None:
    rows = ROWS["masked"]
    parts = [LabeledRows(rows.logits[i::3], rows.targets[i::3]) for i in range(3)]
    together, apart = fit_vector([rows], TAU), fit_vector(parts, TAU)
    assert_allclose(together.weights, apart.weights, rtol=1e-10)
    assert_allclose(together.biases, apart.biases, atol=1e-12)


def test_a_strong_penalty_gives_the_single_temperature() -> None:
    rows = digits("val")
    tau = fit_rows(once(rows)).tau
    scaling = fit_vector([rows], tau, 1e9)
    assert_allclose(scaling.weights, 1 / tau, rtol=1e-5)
    assert_allclose(scaling.biases, 0, atol=1e-5)


def test_the_weights_of_many_rows_are_found() -> None:
    """30000 rows determine the weights and biases to about 0.05."""
    random = np.random.default_rng(6)
    z = random.normal(0, 3, (30000, 3))
    weights, biases = np.array([0.5, 0.8, 1.1]), np.array([0.7, -0.9, 0.2])
    rows = LabeledRows(z, (z * weights + biases + random.gumbel(size=z.shape)).argmax(1))
    scaling = fit_vector([rows], 1.0)
    assert_allclose(scaling.weights, weights, atol=0.05)
    assert_allclose(scaling.biases, biases, atol=0.1)
    nll = -log_softmax(scaling.logits(z), axis=1)[np.arange(30000), rows.targets].mean()
    assert nll < -log_softmax(z, axis=1)[np.arange(30000), rows.targets].mean()


def test_separable_rows_have_a_finite_optimum() -> None:
    z = np.array([[5.0, 0], [0, 5]] * 10)
    scaling = fit_vector([LabeledRows(z, z.argmax(1))], 1.0)
    assert np.isfinite(scaling.weights).all()
    assert (scaling.weights > 1).all()


def test_the_weakest_penalty_finds_the_optimum_of_separable_rows() -> None:
    z = np.random.default_rng(8).normal(size=(30, 3))
    rows = LabeledRows(z, z.argmax(1))
    scaling = fit_vector([rows], 1.0, 1e-6)
    parameters = np.concatenate([scaling.weights, scaling.biases])
    assert_allclose(VectorObjective([rows], 1.0, 1e-6).expansion(parameters).gradient, 0, atol=1e-9)
    assert scaling.biases.sum() == pytest.approx(0, abs=1e-9)


def test_huge_logits_are_refused() -> None:
    rows = random_rows(7, 20, 3)
    with pytest.raises(CalibrationError, match="too large for vector scaling"):
        fit_vector([LabeledRows(rows.logits * 1e200, rows.targets)], 1.0)
