"""The Boltzmann distribution of energies, and the thermodynamics of the canonical ensemble.

    p_i = g_i exp(-E_i / kT) / Z        Z = sum_i g_i exp(-E_i / kT)

with g_i the degeneracy of level i: the number of states with its energy. This is the softmax of g_i equal classes
per level with logits -E_i at temperature kT, summed over each level (Landau & Lifshitz 1980, "Statistical Physics,
Part 1", sections 28 and 31). With x_i = (E_min - E_i) / kT and the limits of x as in `softmax`,

    S = sum_i g_i exp(x_i)              p_i = g_i exp(x_i) / S

so the number of terms is that of the levels, not of the states.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.library_arguments import plain_array, real_array
from tsoft.core.softmax import (
    Array,
    LogitsError,
    Taus,
    divide_by_tau,
    subtract_maximum,
    validate_logits,
    validate_taus,
)
from tsoft.core.sums import add_up

if TYPE_CHECKING:
    from tsoft.core.units import Unit


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The unit and the degeneracies of energies. With a `unit`, temperatures are in kelvin; without one, they are
    kT. `degeneracy` is the number of states of each level, (n,) whole numbers from 1, or None if each level is one
    state."""

    unit: Unit | None = None
    degeneracy: Array | None = None

    @property
    def k(self) -> float:
        """Boltzmann's constant in the unit of the energies, per kelvin; 1 without a unit."""
        return 1.0 if self.unit is None else self.unit.k

    @property
    def units(self) -> tuple[str, str]:
        """The units to print after an energy and after a temperature; empty without a unit."""
        return ("", "") if self.unit is None else (self.unit.name, "K")


@dataclass(frozen=True, eq=False)
class Thermodynamics:
    """Thermodynamic quantities at one temperature or at each of k. The result of `tsoft.thermodynamics`.

    Attributes
    ----------
    log_z : ndarray of float64, shape (...) or (k, ...)
        The logarithm of the partition function Z.
    free_energy : ndarray of float64, shape (...) or (k, ...)
        The free energy F = -kT ln Z, in the unit of the energies.
    mean_energy : ndarray of float64, shape (...) or (k, ...)
        The mean energy U, in the unit of the energies.
    entropy : ndarray of float64, shape (...) or (k, ...)
        The entropy S/k of the states, in nats.
    heat_capacity : ndarray of float64, shape (...) or (k, ...)
        The heat capacity C/k.
    """

    log_z: Array
    free_energy: Array
    mean_energy: Array
    entropy: Array
    heat_capacity: Array


def thermodynamics(
    energies: ArrayLike, tau: Taus = 1.0, degeneracy: ArrayLike | None = None, *, units: str | None = None
) -> Thermodynamics:
    """Return the thermodynamics of energy levels at a temperature.

    The levels have the Boltzmann distribution: the softmax of the negative energies at the temperature kT.

    Parameters
    ----------
    energies : array_like, shape (..., n)
        Energies of the levels; inf masks a level.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf: in kelvin with `units`, else kT in the unit of the energies. A list of k
        temperatures adds a leading axis of k to the results.
    degeneracy : array_like of int, shape (n,), optional
        The number of states of each level, by default 1.
    units : {"eV", "kJ/mol", "kcal/mol", "cm-1", "K"}, optional
        The unit of the energies.

    Returns
    -------
    Thermodynamics
        The arrays ``log_z``, ``free_energy``, ``mean_energy``, ``entropy`` and ``heat_capacity``, with the
        shape of the energies without the last axis.

    Raises
    ------
    LogitsError
        If a row contains NaN or -inf, or only masked levels.
    ValueError
        If a temperature is negative or NaN, if the degeneracies are not n whole numbers from 1, or if there
        is no such unit.

    Notes
    -----
    With d = E - E_min, x = -d / kT, S = sum(g exp(x)) and m(y) the mean of y over the distribution, these
    forms neither cancel nor overflow: F = E_min - kT log S, U = E_min + m(d), S/k = log S - m(x) and
    C/k = m((x - m(x))^2), the variance. At kT = 0 the states tied at E_min share the probability, at inf all
    states do. At inf, F is -inf, but for a single state it is the energy.

    The probabilities of levels with degeneracies are ``softmax(log(degeneracy) - energies / kT)``.

    References
    ----------
    .. [1] L. D. Landau and E. M. Lifshitz, "Statistical Physics, Part 1", 3rd edition, 1980, sections 31 and 112.

    Examples
    --------
    >>> import tsoft
    >>> result = tsoft.thermodynamics([0.0, 1.0], tau=[0, 1, float("inf")])
    >>> result.mean_energy.round(4)
    array([0.    , 0.2689, 0.5   ])
    >>> result.heat_capacity.round(4)
    array([0.    , 0.1966, 0.    ])

    A level of 3 states 0.05 eV above a single state, at room temperature:

    >>> tsoft.thermodynamics([0, 0.05], tau=300, degeneracy=[1, 3], units="eV").mean_energy.round(5)
    np.float64(0.01512)
    """
    z = -validate_logits(plain_array("energies", energies)).astype(np.float64)
    kt = validate_taus(tau) * _boltzmann_constant(units)
    levels = _Levels(z.reshape(-1, z.shape[-1]), np.ones(z.shape[-1]) if degeneracy is None else degeneracy)
    quantities = np.empty((5, kt.size, len(levels.z)))
    for t, each in enumerate(kt.flat):
        quantities[:, t] = _quantities(levels, float(each))
    return Thermodynamics(*quantities.reshape(5, *kt.shape, *z.shape[:-1]))


def _boltzmann_constant(units: str | None) -> float:
    """Return Boltzmann's constant in a unit of energy, per kelvin; 1 without a unit."""
    if units is None:
        return 1.0
    from tsoft.core.units import UNITS

    if not isinstance(units, str) or units not in UNITS:
        raise ValueError(f"units must be one of {', '.join(UNITS)}; got {units!r}")
    return UNITS[units].k


def level_probs(z: Array, kt: Array, degeneracy: ArrayLike) -> Array:
    """Return the probability of each level at each temperature, g exp(x) / S. z: (rows, n) logits, -E; kt: (k,);
    degeneracy: (n,). The result is (k, rows, n), with the dtype of z.

    >>> level_probs(np.array([[0.0, 0.0, -1.0]]), np.array([0.0, np.inf]), [1, 3, 4])
    array([[[0.25 , 0.75 , 0.   ]],
    <BLANKLINE>
           [[0.125, 0.375, 0.5  ]]])
    """
    levels = _Levels(z.astype(np.float64, copy=False), degeneracy)
    return np.stack([levels.shares(levels.x(t))[0] for t in kt.tolist()]).astype(z.dtype, copy=False)


def level_logits(z: Array, kt: Array, degeneracy: ArrayLike) -> Array:
    """Return logits whose softmax at temperature 1 gives these probabilities: x + log g, with the limits of x at 0
    and inf. Arguments and shape are those of `level_probs`.

    >>> level_logits(np.array([[0.0, 0.0, -1.0]]), np.array([0.0]), [1, 3, 4]).round(3)
    array([[[0.   , 1.099,  -inf]]])
    """
    levels = _Levels(z.astype(np.float64, copy=False), degeneracy)
    logits = np.stack([levels.x(t) + np.log(levels.degeneracy) for t in kt.tolist()])
    with np.errstate(over="ignore"):
        return logits.astype(z.dtype, copy=False)


def _row_error(z: Array, row: int) -> LogitsError:
    """Return the error for a row of z = -E whose maximum is not finite."""
    for problem, is_wrong in (
        ("NaN is not an energy; write inf to mask a level", np.isnan(z[row])),
        ("-inf is not an energy; energies are finite, or inf for a masked level", np.isposinf(z[row])),
    ):
        if is_wrong.any():
            return LogitsError(problem, row, int(is_wrong.argmax()))
    return LogitsError("every level is masked (inf); at least one needs a finite energy", row)


class _Levels:
    """Rows of levels, (rows, n) logits, with the quantities that do not depend on temperature. Raises
    LogitsError for a row that has no softmax."""

    def __init__(self, z: Array, degeneracy: ArrayLike):
        # The order of sums depends on that of the memory.
        z = np.ascontiguousarray(z)
        self.z, self.degeneracy = z, real_array("degeneracy", degeneracy)
        g = self.degeneracy
        if g.shape != z.shape[-1:] or not ((g >= 1) & np.isfinite(g) & (np.floor(g) == g)).all():
            raise ValueError(f"degeneracy must be {z.shape[-1]} whole numbers from 1, one per level")
        self.maximum = z.max(-1, keepdims=True)
        finite = np.isfinite(self.maximum)
        if not finite.all():
            raise _row_error(z, int(finite.argmin()))
        self.gaps = np.empty_like(z)
        with np.errstate(all="ignore"):
            # Differences that might overflow are halved.
            self.scale = subtract_maximum(z, self.maximum, self.gaps)

    def x(self, kt: float) -> Array:
        """Return (E_min - E) / kT, (rows, n), with its limits."""
        x = np.empty_like(self.gaps)
        with np.errstate(all="ignore"):
            divide_by_tau(self.gaps, self.scale, kt, x)
        return x

    def shares(self, x: Array) -> tuple[Array, Array]:
        """Return the probabilities, (rows, n), and S - 1, (rows, 1), with the normalizer S."""
        terms = self.degeneracy * np.exp(x)
        lowest = x == 0
        rest = (_sum(np.where(lowest, terms, 0.0)) - 1.0) + _sum(np.where(lowest, 0.0, terms))
        return terms / (1.0 + rest), rest


def _quantities(levels: _Levels, kt: float) -> list[Array]:
    """Return the quantities of each row at one temperature, in the order of `Thermodynamics`: (rows,) each."""
    x = levels.x(kt)
    probs, rest = levels.shares(x)
    log_sum = np.log1p(rest)
    # exp(x) is 0 well above -1e4. The clip prevents inf * 0 for a masked level.
    x = np.maximum(x, -1e4)
    mean = _sum(probs * x)
    lowest, scale = -levels.maximum, 1.0 if levels.scale is None else levels.scale
    mean_gap = -_sum(probs * np.where(np.isneginf(levels.gaps), 0.0, levels.gaps))
    with np.errstate(all="ignore"):
        # 0 / 0 occurs at kT = 0 for a lowest energy of 0, where only the number of ties counts.
        highest = np.where(lowest == 0, 0.0, levels.maximum / np.float64(kt))
        kt_log_sum = np.where(log_sum == 0, 0.0, kt * log_sum)
        # The subtracted term may overflow although the difference does not.
        scaled_difference = 1024 * (lowest / 1024 - kt / 1024 * log_sum)
        free_energy = np.where(np.isinf(kt_log_sum), scaled_difference, lowest - kt_log_sum)
    mean_energy = (lowest * scale + mean_gap) / scale
    heat_capacity = _sum(probs * (x - mean) ** 2)
    # Adding 0 turns -0 into 0.
    return [value[:, 0] + 0.0 for value in (highest + log_sum, free_energy, mean_energy, log_sum - mean, heat_capacity)]


def _sum(terms: Array) -> Array:
    """Sum terms of one sign, (rows, n), and of any size: (rows, 1)."""
    # add_up is precise for terms near 1. A power of two as a factor rounds nothing.
    _, exponents = np.frexp(np.abs(terms).max(-1))
    return np.ldexp(add_up(np.ldexp(terms, -exponents[:, np.newaxis])), exponents)[:, np.newaxis]


THERMODYNAMICS = ("log_z", "free_energy", "mean_energy", "heat_capacity")
