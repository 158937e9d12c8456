"""The Boltzmann distribution and its thermodynamics: against 400 digits, closed forms and each other."""

from decimal import Decimal, localcontext
from math import comb, e, exp, inf, log, sinh, tanh
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.constants
from hypothesis import given
from hypothesis import strategies as st

import tsoft
from tsoft.core.block import Block
from tsoft.core.softmax import LogitsError
from tsoft.core.thermodynamics import Ensemble, Thermodynamics, level_logits, level_probs, thermodynamics
from tsoft.core.units import UNITS
from tsoft.sampling import apply_chains
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.boltzmann import BoltzmannDistributions

U = 2.0**-53
NAMES = ("log_z", "free_energy", "mean_energy", "entropy", "heat_capacity")


class Exact(NamedTuple):
    """The measures of levels with 400 digits, and `reach`, the mean of |x| + x^2, which scales the rounding errors."""

    probs: list[float]
    log_z: float
    free_energy: float
    mean_energy: float
    entropy: float
    heat_capacity: float
    reach: float


def exact(energies: list[float], kt: float, degeneracy: list[int]) -> Exact:
    """Compute by the definitions, at a temperature that is neither 0 nor inf."""
    with localcontext(prec=400, Emin=-(10**9), Emax=10**9):
        levels, t = list(map(Decimal, energies)), Decimal(kt)
        lowest = min(levels)
        # Below this limit, exp is 0 with 400 digits, and its argument may be too large for Decimal.
        x = [max(-(energy - lowest) / t, Decimal(-(10**6))) for energy in levels]
        terms = [g * a.exp() for g, a in zip(degeneracy, x, strict=True)]
        total = sum(terms, Decimal(0))
        p = [term / total for term in terms]
        excitations = [energy - lowest for energy in levels]
        mean = sum(share * excitation for share, excitation in zip(p, excitations, strict=True))
        log_s = total.ln()
        entropy = -sum(q * (q / g).ln() for q, g in zip(p, degeneracy, strict=True))
        heat = sum(q * ((excitation - mean) / t) ** 2 for q, excitation in zip(p, excitations, strict=True))
        reach = sum(q * (abs(a) + a * a) for q, a in zip(p, x, strict=True))
        return Exact(
            [float(q) for q in p],
            float(-lowest / t + log_s),
            float(lowest - t * log_s),
            float(lowest + mean),
            float(entropy),
            float(heat),
            float(reach),
        )


LEVELS = st.lists(st.tuples(st.integers(-60, 60), st.integers(1, 10**15)), min_size=1, max_size=12)
SINGLES = st.lists(st.tuples(st.integers(-60, 60), st.just(1)), min_size=1, max_size=12)
SCALE = st.integers(-280, 280).map(lambda d: 10.0**d)
# In units of the scale: from temperatures that leave only the lowest level to temperatures that make all equal.
HEAT = st.floats(-3, 6).map(lambda d: 10.0**d)


@given(st.one_of(LEVELS, SINGLES), SCALE, HEAT)
def test_the_definitions_with_400_digits(levels: list[tuple[int, int]], scale: float, heat: float) -> None:
    energies, degeneracy = [energy * scale for energy, _ in levels], [g for _, g in levels]
    kt = heat * scale
    expected, actual = exact(energies, kt, degeneracy), thermodynamics(energies, kt, degeneracy)
    probs = level_probs(-np.array([energies]), np.array([kt]), degeneracy)[0, 0]
    tolerance = 32 * (1 + expected.reach + log(sum(degeneracy))) * U
    x = (np.array(energies) - min(energies)) / kt
    assert (abs(probs - expected.probs) <= 4 * (1 + x + log(sum(degeneracy))) * U * expected.probs + 1e-300).all()
    assert actual.log_z == pytest.approx(expected.log_z, rel=0, abs=tolerance + 4 * U * abs(min(energies) / kt))
    largest = max(abs(min(energies)), kt * log(sum(degeneracy)))
    assert actual.free_energy == pytest.approx(expected.free_energy, rel=0, abs=tolerance * kt + 4 * U * largest)
    assert actual.mean_energy == pytest.approx(
        expected.mean_energy, rel=0, abs=tolerance * kt + 4 * U * abs(min(energies))
    )
    # The relative error of exp is the absolute error of its argument.
    assert actual.entropy == pytest.approx(expected.entropy, rel=tolerance + 4 * U * min(x.max(), 745), abs=1e-300)
    # If the levels are much closer to each other than to the lowest one, the heat capacity loses some digits.
    assert actual.heat_capacity == pytest.approx(expected.heat_capacity, rel=1e-11, abs=1e-300)


@given(st.one_of(LEVELS, SINGLES), st.floats(-1, 3).map(lambda d: 10.0**d))
def test_the_relations_of_thermodynamics(levels: list[tuple[int, int]], kt: float) -> None:
    """F = U - TS, S = -dF/dT, C = dU/dT, with the derivatives as differences over a ten-thousandth of T."""
    energies, degeneracy = [float(energy) for energy, _ in levels], [g for _, g in levels]
    step = kt * 1e-4
    result = thermodynamics(energies, [kt - step, kt, kt + step], degeneracy)
    free, mean, entropy, heat = result.free_energy, result.mean_energy, result.entropy, result.heat_capacity
    scale = abs(np.array(energies)).max() + kt * log(sum(degeneracy)) + kt
    assert free[1] == pytest.approx(mean[1] - kt * entropy[1], abs=1e-13 * scale)
    # The error of a central difference is proportional to the third derivative.
    spread = 1 + (np.ptp(energies) / kt) ** 4
    assert -(free[2] - free[0]) / (2 * step) == pytest.approx(entropy[1], abs=1e-7 * spread)
    assert (mean[2] - mean[0]) / (2 * step) == pytest.approx(heat[1], abs=1e-7 * spread)
    assert -1e-15 * scale <= mean[1] - min(energies) <= np.ptp(energies) * (1 + 8 * U) + 1e-15 * scale
    assert 0 <= entropy[1] <= log(sum(degeneracy)) * (1 + 64 * U)
    assert 0 <= heat[1] <= (np.ptp(energies) / kt) ** 2 / 4 * (1 + 64 * U)


@given(
    st.lists(st.tuples(st.one_of(st.integers(-9, 9), st.just(inf)), st.integers(1, 40)), min_size=1, max_size=9).filter(
        lambda levels: min(energy for energy, _ in levels) < inf
    ),
    st.one_of(st.sampled_from([0.0, 5e-324, 1e-300, 1e300, inf]), HEAT),
)
def test_degeneracy_g_equals_g_equal_classes(levels: list[tuple[float, int]], kt: float) -> None:
    """Compare with the softmax of one class per state, summed over each level."""
    energies, degeneracy = np.array([float(energy) for energy, _ in levels]), [g for _, g in levels]
    starts = np.cumsum([0, *degeneracy[:-1]])
    states = -np.repeat(energies, degeneracy)
    z, taus = -energies[np.newaxis], np.array([kt])
    summed = np.add.reduceat(tsoft.softmax(states, kt), starts)
    np.testing.assert_allclose(level_probs(z, taus, degeneracy)[0, 0], summed, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(tsoft.softmax(level_logits(z, taus, degeneracy))[0, 0], summed, rtol=1e-11, atol=1e-300)
    of_levels, of_states = thermodynamics(energies, kt, degeneracy), thermodynamics(-states, kt)
    assert of_levels.entropy == pytest.approx(tsoft.entropy(states, kt), rel=1e-12, abs=1e-300)
    assert of_levels.log_z == pytest.approx(tsoft.log_sum_exp(states, kt), rel=1e-12, abs=1e-12)
    for name in NAMES:
        assert getattr(of_levels, name) == pytest.approx(getattr(of_states, name), rel=1e-11, abs=1e-11)


@given(
    st.lists(
        st.tuples(st.one_of(st.integers(-9, 9), st.just(inf)), st.integers(1, 10**15)), min_size=1, max_size=9
    ).filter(lambda levels: min(energy for energy, _ in levels) < inf)
)
def test_the_limits_are_exact(levels: list[tuple[float, int]]) -> None:
    energies, degeneracy = np.array([float(energy) for energy, _ in levels]), np.array([g for _, g in levels])
    finite, lowest = np.isfinite(energies), energies.min()
    ties, states = degeneracy[energies == lowest].sum(), degeneracy[finite].sum()
    cold, hot = level_probs(-energies[np.newaxis], np.array([0.0, inf]), degeneracy)[:, 0]
    np.testing.assert_array_equal(cold, np.where(energies == lowest, degeneracy / ties, 0))
    np.testing.assert_array_equal(hot, np.where(finite, degeneracy / states, 0))
    result = thermodynamics(energies, [0, inf], degeneracy)
    assert result.free_energy.tolist() == [lowest, lowest if states == 1 else -inf]
    mean = (degeneracy[finite] / states * energies[finite]).sum()
    assert result.mean_energy == pytest.approx([lowest, mean], rel=1e-14, abs=1e-14)
    assert result.mean_energy[0] == lowest
    assert result.entropy == pytest.approx(np.log([ties, states]), rel=4 * U)
    assert result.heat_capacity.tolist() == [0, 0]
    at_zero = log(ties) if lowest == 0 else -np.sign(lowest) * inf
    assert result.log_z == pytest.approx([at_zero, log(states)], rel=4 * U)


ANY = st.lists(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.just(inf)), min_size=1, max_size=20
).filter(lambda row: min(row) < inf)


@given(ANY, st.one_of(st.floats(0, inf), HEAT), st.data())
def test_nothing_overflows(energies: list[float], kt: float, data: st.DataObject) -> None:
    degeneracy = data.draw(st.lists(st.integers(1, 10**15), min_size=len(energies), max_size=len(energies)))
    result = thermodynamics(energies, kt, degeneracy)
    finite = [energy for energy in energies if energy < inf]
    assert not any(np.isnan(getattr(result, name)) for name in NAMES)
    slack = 8 * U * max(map(abs, finite))
    assert min(finite) - slack <= result.mean_energy <= max(finite) + slack
    assert 0 <= result.heat_capacity < 1e8
    assert result.free_energy <= min(finite)
    assert 0 <= result.entropy <= log(sum(degeneracy)) * (1 + 64 * U)


def test_huge_and_tiny_energies() -> None:
    """Two levels with a gap of kT, at any scale."""
    for scale in (5e-324, 1e-300, 1.0, 1e300, 8e307):
        result = thermodynamics([0.0, scale], scale)
        assert result.heat_capacity == pytest.approx(e / (1 + e) ** 2, rel=1e-15)
        assert result.entropy == pytest.approx(log(1 + 1 / e) + 1 / (1 + e), rel=1e-15)
    # The difference of the energies overflows.
    result = thermodynamics([-1.5e308, 1.5e308, 0.0], inf)
    assert result.mean_energy == pytest.approx(0, abs=1e293)
    result = thermodynamics([-1.5e308, 1.5e308], 1.5e308)
    assert result.mean_energy == pytest.approx(-1.5e308 * tanh(1), rel=1e-15)
    assert result.heat_capacity == pytest.approx(1 - tanh(1) ** 2, rel=1e-14)
    # kT ln g overflows, and the free energy does not.
    result = thermodynamics([1.5e308], 1.5e308, [8])
    assert result.free_energy == pytest.approx(1.5e308 * (1 - log(8)), rel=1e-14)
    # A free energy that overflows is an infinity, without a warning.
    assert thermodynamics([-1.7976931348623157e308], 1e293, [3]).free_energy == -inf


@pytest.mark.parametrize("n", [10, 100, 1000, 3000])
def test_the_unit_of_energy_rounds_nothing(n: int) -> None:
    """With another power of two as the unit, every digit is the same."""
    rng = np.random.default_rng(n)
    energies, degeneracy = rng.exponential(2, (3, n)), rng.integers(1, 50, n)
    for row in energies:
        expected = thermodynamics(row, 0.7, degeneracy)
        for unit in (2.0**-70, 2.0**70):
            result = thermodynamics(row * unit, 0.7 * unit, degeneracy)
            assert result.mean_energy == expected.mean_energy * unit
            for name in ("log_z", "entropy", "heat_capacity"):
                assert getattr(result, name) == getattr(expected, name)


@pytest.mark.parametrize("n", [9, 100, 700])
def test_the_order_of_the_memory_changes_no_digit(n: int) -> None:
    energies = np.random.default_rng(n).normal(size=(20, n))
    quantities = vars(tsoft.thermodynamics(energies, 0.7))
    for name, each in vars(tsoft.thermodynamics(np.asfortranarray(energies), 0.7)).items():
        np.testing.assert_array_equal(each, quantities[name])


def test_the_free_energy_of_one_state_is_its_energy() -> None:
    result = thermodynamics([3.5], [0, 1, 1e308, inf])
    assert result.free_energy.tolist() == result.mean_energy.tolist() == [3.5] * 4
    assert result.entropy.tolist() == result.heat_capacity.tolist() == [0] * 4
    assert thermodynamics([3.5, inf], inf).free_energy == 3.5
    # No result is -0.
    for energy in (0.0, -0.0):
        result = thermodynamics([energy], [0, 1, inf])
        assert not any(np.signbit(getattr(result, name)).any() for name in NAMES)
    assert thermodynamics([3.5], inf, [2]).free_energy == -inf


def schottky_peak() -> float:
    """Return the x = gap / kT at which x^2 / cosh^2(x / 2) is highest: x tanh(x / 2) = 2, by bisection."""
    low, high = 1.0, 4.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * tanh(middle / 2) < 2 else (low, middle)
    return low


def test_the_schottky_peak_agrees_with_the_closed_form() -> None:
    x = schottky_peak()
    assert x == pytest.approx(2.39935728, abs=1e-8)
    taus = np.linspace(0.999, 1.001, 201) / x
    heat = thermodynamics([0.0, 1.0], taus).heat_capacity
    assert abs(int(heat.argmax()) - 100) <= 1
    assert heat.max() == pytest.approx(x**2 * exp(x) / (1 + exp(x)) ** 2, rel=1e-12)
    assert heat.max() == pytest.approx(0.43922884, abs=1e-8)
    # Neither the gap nor the zero of the energy changes the peak.
    moved = thermodynamics([-40.0, -37.0], 3 * taus).heat_capacity
    np.testing.assert_allclose(moved, heat, rtol=1e-12)


@pytest.mark.parametrize("kt", [0.05, 0.3, 1, 4, 20])
def test_the_harmonic_oscillator(kt: float) -> None:
    """Levels n + 1/2: coth, and Einstein's heat capacity."""
    result = thermodynamics(np.arange(2000) + 0.5, kt)
    assert result.log_z == pytest.approx(-log(2 * sinh(1 / (2 * kt))), rel=1e-13)
    assert result.mean_energy == pytest.approx(1 / (2 * tanh(1 / (2 * kt))), rel=1e-13)
    assert result.heat_capacity == pytest.approx((1 / (2 * kt) / sinh(1 / (2 * kt))) ** 2, rel=1e-12)


@pytest.mark.parametrize("kt", [0.3, 1, 4])
def test_the_harmonic_oscillator_in_three_dimensions(kt: float) -> None:
    """Level n has (n + 1)(n + 2) / 2 states, and each mean is three times that of one dimension."""
    n = np.arange(400)
    result = thermodynamics(n + 1.5, kt, [comb(k + 2, 2) for k in n.tolist()])
    assert result.log_z == pytest.approx(-3 * log(2 * sinh(1 / (2 * kt))), rel=1e-12)
    assert result.mean_energy == pytest.approx(3 / (2 * tanh(1 / (2 * kt))), rel=1e-12)
    assert result.heat_capacity == pytest.approx(3 * (1 / (2 * kt) / sinh(1 / (2 * kt))) ** 2, rel=1e-11)


def test_the_rigid_rotor() -> None:
    """Levels J (J + 1) with 2J + 1 states: Mulholland's series for Z, and the peak of the heat capacity."""
    j = np.arange(400)
    energies, degeneracy = j * (j + 1.0), 2 * j + 1
    kt = 100.0
    result = thermodynamics(energies, kt, degeneracy)
    s = 1 / kt
    # Mulholland 1928, "The statistics of the diatomic molecule": kT + 1/3 + 1/(15 kT) + 4/(315 kT^2) + …
    z = kt + 1 / 3 + s / 15 + 4 * s**2 / 315 + s**3 / 315
    assert result.log_z == pytest.approx(log(z), rel=1e-12)
    slope = 1 - s**2 / 15 - 8 * s**3 / 315 - 3 * s**4 / 315
    assert result.mean_energy == pytest.approx(kt**2 * slope / z, rel=1e-11)
    assert result.heat_capacity == pytest.approx(1 + s**2 / 45 + 16 * s**3 / 945, abs=1e-9)
    # The heat capacity passes its classical value, 1, and is highest near kT = 0.81 at 1.10.
    taus = np.linspace(0.5, 1.5, 101)
    heat = thermodynamics(energies, taus, degeneracy).heat_capacity
    assert taus[heat.argmax()] == pytest.approx(0.81, abs=0.005)
    assert heat.max() == pytest.approx(1.10, abs=0.005)


def test_units_are_the_exact_constants() -> None:
    constants = scipy.constants
    expected = {
        "eV": constants.k / constants.e,
        "kJ/mol": constants.R / 1e3,
        "kcal/mol": constants.R / (1e3 * constants.calorie),
        "cm-1": constants.k / (constants.h * constants.c * 100),
        "K": 1.0,
    }
    assert {name: unit.k for name, unit in UNITS.items()} == pytest.approx(expected, rel=1e-15)
    # The values in published tables.
    assert UNITS["eV"].k == pytest.approx(8.617333262e-5, rel=1e-10)
    assert UNITS["cm-1"].k == pytest.approx(0.6950348004, rel=1e-9)
    assert UNITS["kJ/mol"].k == pytest.approx(8.31446261815324e-3, rel=1e-15)
    assert UNITS["kcal/mol"].k == pytest.approx(1.987204258640832e-3, rel=1e-15)


@pytest.mark.parametrize("degeneracy", [None, np.array([2, 3])])
def test_one_energy_in_every_unit(degeneracy: Any) -> None:
    """A level 0.1 eV above another, with the conversion factors of published tables."""
    factors = {"eV": 1.0, "kJ/mol": 96.48533212, "kcal/mol": 23.06054783, "cm-1": 8065.543937, "K": 11604.51812}
    taus = np.array([0, 77, 300, 5000, inf])
    results = [
        BoltzmannDistributions(Block(-np.array([[0, 0.1 * factor]]), ensemble=Ensemble(UNITS[name], degeneracy)), taus)
        for name, factor in factors.items()
    ]
    kt = 1.380649 / 1.602176634e4 * 300
    [expected] = level_probs(-np.array([[0, 0.1]]), np.array([kt]), [1, 1] if degeneracy is None else degeneracy)
    np.testing.assert_allclose(results[0].probs[2], expected, rtol=1e-13)
    for result, factor in zip(results, factors.values(), strict=True):
        np.testing.assert_allclose(result.probs, results[0].probs, rtol=1e-7)
        np.testing.assert_allclose(result.mean_energy, results[0].mean_energy * factor, rtol=1e-7)
        np.testing.assert_allclose(result.heat_capacity, results[0].heat_capacity, rtol=1e-7)


def test_pieces_have_the_results_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the size of a piece nor the other rows change a result."""
    taus = np.array([0.0, 0.5, 2.0, inf])
    for classes in (1, 3, 40, 300):
        z = np.random.default_rng(classes).normal(0, 2, (7, classes))
        degeneracy = np.random.default_rng(1).integers(1, 9, classes)
        for ensemble in (Ensemble(), Ensemble(UNITS["kJ/mol"], degeneracy)):
            block = Block(z, ensemble=ensemble)
            whole = BoltzmannDistributions(block, taus)
            monkeypatch.setattr(apply_chains, "PIECE_SIZE", 5 * classes)
            pieces = list(distribution_pieces(block, taus))
            monkeypatch.undo()
            assert len(pieces) > 1
            for piece in pieces:
                first, stop = piece.block.first_row, piece.block.first_row + len(piece.block.logits)
                indices = np.isin(taus, piece.taus)
                for name in ("probs", "log_probs", "top", "kept", *piece.measure_names):
                    np.testing.assert_array_equal(getattr(piece, name), getattr(whole, name)[indices, first:stop])


def test_measures_of_levels_and_of_states() -> None:
    """The top level, its probability and the margin are those of levels; entropy and perplexity are those of states."""
    block = Block(-np.array([[0.0, 1.0, 3.0]]), ensemble=Ensemble(degeneracy=np.array([1, 3, 5])))
    result = BoltzmannDistributions(block, np.array([0.0, 0.5, 2.0, inf]))
    assert result.top[:, 0].tolist() == [0, 0, 1, 2]
    ranked = np.sort(result.probs[:, 0])
    assert result.top_prob[:, 0] == pytest.approx(ranked[:, -1], rel=1e-15)
    assert result.margin[:, 0] == pytest.approx(ranked[:, -1] - ranked[:, -2], rel=1e-12)
    assert result.log_probs[1:] == pytest.approx(np.log(result.probs[1:]), rel=1e-14)
    assert result.perplexity[-1, 0] == pytest.approx(9, rel=1e-15)
    assert result.kept.all()
    assert (result.entropy > tsoft.entropy(-np.array([[0.0, 1, 3]]), [0, 0.5, 2, inf]))[1:].all()


def test_float32_stays_float32_at_temperatures_outside_its_range() -> None:
    z = -np.array([[0, 1, 2.5]], np.float32)
    for ensemble in (Ensemble(), Ensemble(degeneracy=np.array([1, 3, 5]))):
        result = BoltzmannDistributions(Block(z, ensemble=ensemble), np.array([0.5, 1e-60, 1e60]))
        wide = BoltzmannDistributions(Block(z.astype(np.float64), ensemble=ensemble), result.taus)
        assert result.probs.dtype == np.float32
        np.testing.assert_allclose(result.probs, wide.probs, rtol=1e-6)
        np.testing.assert_allclose(result.log_probs[::2], wide.log_probs[::2], rtol=1e-6)
        assert np.isneginf(result.log_probs[1, 0, 1:]).all()
        np.testing.assert_array_equal(result.mean_energy, wide.mean_energy)


def test_shapes_and_invalid_levels() -> None:
    result = thermodynamics(np.zeros((2, 3, 4)), [1, 2])
    assert result.log_z.shape == (2, 2, 3)
    assert isinstance(thermodynamics([1, 2]), Thermodynamics)
    assert thermodynamics([1, 2]).log_z.shape == ()
    with pytest.raises(LogitsError, match=r"row 0: every level is masked \(inf\)"):
        thermodynamics([inf, inf])
    with pytest.raises(LogitsError, match=r"row 0, class 1: -inf is not an energy; .* inf for a masked level"):
        thermodynamics([1, -inf])
    with pytest.raises(LogitsError, match="row 1, class 0: NaN is not an energy; write inf to mask a level"):
        thermodynamics([[1.0, 2.0], [np.nan, 1.0]])
    for degeneracy in ([1], [1, 0], [1, -2], [[1, 2]], [1, np.nan], [1, 1.5], [1, inf]):
        with pytest.raises(ValueError, match="degeneracy must be 2 whole numbers from 1"):
            thermodynamics([1, 2], 1, degeneracy)
    with pytest.raises(ValueError, match="tau must be from 0 to inf, got -1"):
        thermodynamics([1, 2], -1)
