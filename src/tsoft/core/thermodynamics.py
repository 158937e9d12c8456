"""The Boltzmann distribution of energies, and the thermodynamics of the canonical ensemble.

    p_i = g_i exp(-E_i / kT) / Z        Z = sum_i g_i exp(-E_i / kT)

with g_i the degeneracy of level i, the number of states of its energy. It is the softmax of g_i equal classes
per level with logits -E_i at temperature kT, summed over each level (Landau & Lifshitz 1980, "Statistical Physics,
Part 1", sections 28 and 31). With x_i = (E_min - E_i) / kT as in `softmax`, at its limits too,

    S = sum_i g_i exp(x_i)              p_i = g_i exp(x_i) / S

so that the number of terms is that of the levels, not of the states.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.softmax import (
    Array,
    Sums,
    Taus,
    add_up,
    divide_by_tau,
    row_error,
    subtract_maximum,
    validate_logits,
    validate_taus,
)

if TYPE_CHECKING:
    from tsoft.core.units import Unit


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The attributes of energies: their `unit`, with temperatures in kelvin, or None if temperatures are kT;
    and the `degeneracy` of each level, (n,) whole numbers from 1, or None if each is one state."""

    unit: "Unit | None" = None
    degeneracy: Array | None = None

    @property
    def k(self) -> float:
        """Boltzmann's constant in the energies' unit."""
        return 1.0 if self.unit is None else self.unit.k

    @property
    def units(self) -> tuple[str, str]:
        """The units to print after an energy and after a temperature, empty without a unit."""
        return ("", "") if self.unit is None else (self.unit.name, "K")


@dataclass(frozen=True, eq=False)
class Thermodynamics:
    """Thermodynamic quantities at one or at each of k temperatures, in float64, of the energies' shape without
    its last axis: the logarithm of the partition function Z; the free energy F and the mean energy U in the
    energies' unit; the entropy S/k of the states in nats; and the heat capacity C/k."""

    log_z: Array
    free_energy: Array
    mean_energy: Array
    entropy: Array
    heat_capacity: Array


def thermodynamics(energies: ArrayLike, kt: Taus = 1.0, degeneracy: ArrayLike | None = None) -> Thermodynamics:
    """The thermodynamics of levels at a temperature kT in the energies' unit.

    energies: (..., n), where +inf masks a level. kt: from 0 to inf, both exact limits; one, or a list of k
    for a leading axis. degeneracy: (n,) whole numbers from 1, by default 1 each. Errors as for `softmax`,
    and ValueError for other degeneracies.

    With d_i = E_i - E_min and m(y) the mean of y, sum_i p_i y_i, these forms neither cancel nor overflow:
    F = E_min - kT log S, U = E_min + m(d), S/k = log S - m(x), and the heat capacity
    by the variance, C/k = m((x - m(x))^2). At kT = 0 the states tied at E_min share the probability, at inf
    all do; there F is -inf, but of a single state its energy. Source: Landau & Lifshitz 1980, sections 31
    and 112.

    >>> result = thermodynamics([0.0, 1.0], [0, 1, float("inf")])
    >>> result.mean_energy.round(4), result.heat_capacity.round(4)
    (array([0.    , 0.2689, 0.5   ]), array([0.    , 0.1966, 0.    ]))
    >>> thermodynamics([0.0, 2.0], 1.0, degeneracy=[1, 3]).log_z.round(4), np.log(1 + 3 * np.exp(-2)).round(4)
    (np.float64(0.3408), np.float64(0.3408))
    """
    z = -validate_logits(energies).astype(np.float64)
    temperatures = validate_taus(kt)
    levels = _Levels(z.reshape(-1, z.shape[-1]), np.ones(z.shape[-1]) if degeneracy is None else degeneracy)
    quantities = np.empty((5, temperatures.size, len(levels.z)))
    for t, temperature in enumerate(temperatures.flat):
        quantities[:, t] = _quantities(levels, float(temperature))
    return Thermodynamics(*quantities.reshape(5, *temperatures.shape, *z.shape[:-1]))


def level_probs(z: Array, kt: Array, degeneracy: ArrayLike) -> Array:
    """The probability of each level at each temperature, g exp(x) / S. z: (rows, n) logits, -E; kt: (k,);
    degeneracy: (n,); the result is (k, rows, n), of z's width.

    >>> level_probs(np.array([[0.0, 0.0, -1.0]]), np.array([0.0, np.inf]), [1, 3, 4])
    array([[[0.25 , 0.75 , 0.   ]],
    <BLANKLINE>
           [[0.125, 0.375, 0.5  ]]])
    """
    levels = _Levels(z.astype(np.float64, copy=False), degeneracy)
    return np.stack([levels.shares(levels.x(t))[0] for t in kt.tolist()]).astype(z.dtype, copy=False)


def level_logits(z: Array, kt: Array, degeneracy: ArrayLike) -> Array:
    """Logits whose softmax at temperature 1 gives these probabilities: x + log g, with the limits of x at 0
    and inf. Arguments and shape as for `level_probs`.

    >>> level_logits(np.array([[0.0, 0.0, -1.0]]), np.array([0.0]), [1, 3, 4]).round(3)
    array([[[0.   , 1.099,  -inf]]])
    """
    levels = _Levels(z.astype(np.float64, copy=False), degeneracy)
    logits = np.stack([levels.x(t) + np.log(levels.degeneracy) for t in kt.tolist()])
    with np.errstate(over="ignore"):
        return logits.astype(z.dtype, copy=False)


class _Levels:
    """Rows of levels, (rows, n) logits, with the quantities that do not depend on temperature. Raises
    LogitsError for a row that has no softmax."""

    def __init__(self, z: Array, degeneracy: ArrayLike):
        self.z, self.degeneracy = z, np.asarray(degeneracy, np.float64)
        if self.degeneracy.shape != z.shape[-1:] or not (self.degeneracy >= 1).all():
            raise ValueError(f"degeneracies are {z.shape[-1]} whole numbers from 1, one a level")
        self.maximum = z.max(-1, keepdims=True)
        finite = np.isfinite(self.maximum)
        if not finite.all():
            raise row_error(z, int(finite.argmin()))
        self.gaps = np.empty_like(z)
        with np.errstate(all="ignore"):
            # Halved where they would overflow.
            self.scale = subtract_maximum(z, self.maximum, self.gaps)

    def x(self, kt: float) -> Array:
        """(E_min - E) / kT, (rows, n), with its limits."""
        x = np.empty_like(self.gaps)
        with np.errstate(all="ignore"):
            divide_by_tau(self.gaps, self.scale, kt, x)
        return x

    def shares(self, x: Array) -> tuple[Array, Sums]:
        """The probabilities, (rows, n), and their sum S before they are divided by it."""
        terms = self.degeneracy * np.exp(x)
        lowest = x == 0
        sums = Sums(_sum(np.where(lowest, terms, 0.0)), _sum(np.where(lowest, 0.0, terms)))
        return terms / sums.total, sums


def _quantities(levels: _Levels, kt: float) -> list[Array]:
    """The quantities of each row at one temperature, in the order of `Thermodynamics`: (rows,) each."""
    x = levels.x(kt)
    probs, sums = levels.shares(x)
    # exp(x) is 0 long before the clip; a masked level would be inf * 0.
    x = np.maximum(x, -1e4)
    mean = _sum(probs * x)
    lowest, scale = -levels.maximum, 1.0 if levels.scale is None else levels.scale
    mean_gap = -_sum(probs * np.where(np.isneginf(levels.gaps), 0.0, levels.gaps))
    with np.errstate(all="ignore"):
        # 0 / 0 occurs at kT = 0 for a lowest energy of 0, where only the number of ties counts.
        highest = np.where(lowest == 0, 0.0, levels.maximum / np.float64(kt))
        kt_log_sum = np.where(sums.log == 0, 0.0, kt * sums.log)
        # The term subtracted may overflow although the difference does not.
        scaled_difference = 1024 * (lowest / 1024 - kt / 1024 * sums.log)
        free_energy = np.where(np.isinf(kt_log_sum), scaled_difference, lowest - kt_log_sum)
    mean_energy = (lowest * scale + mean_gap) / scale
    heat_capacity = _sum(probs * (x - mean) ** 2)
    # -0 is 0.
    return [
        value[:, 0] + 0.0 for value in (highest + sums.log, free_energy, mean_energy, sums.log - mean, heat_capacity)
    ]


def _sum(terms: Array) -> Array:
    return add_up(terms, 1, np.empty_like(terms))


THERMODYNAMICS = ("log_z", "free_energy", "mean_energy", "heat_capacity")
