"""vLLM 0.33.0, v1/sample/ops/topk_topp_triton.py: the searches of the two Triton kernels, for a row of one tile.

Both look for a threshold between the smallest and the largest value and never below the smallest. What follows for
a row of few classes:

- if all logits are equal, nothing is removed;
- the monolithic kernel, which runs where there is a top-k, loses classes tied with the smallest logit if k or p needs
  one of them;
- it compares ties in logits that went through exp and log, so that most ties at the boundary of top-p all stay;
- the split kernel, which runs where there is only a top-p and at most 64 rows, keeps the whole row if no threshold
  above the smallest probability has mass p, and gives ties at the boundary a budget in index order.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sampling.transcriptions.common import FLOAT, Row, masked, total

ROUNDS = 18
FANOUT = 8
SPLIT_ROUNDS = 5
TIE = FLOAT(1e-9)
# Where a normal distribution has the share k / V above it, in steps of half a percent. The kernel has a table of these
# that was measured, within 0.03 of the quantiles; it decides only where the search starts.
QUANTILES = [*(NormalDist().inv_cdf(1 - step / 200) for step in range(1, 200)), -3.813]


@dataclass(frozen=True)
class Boundary:
    """The threshold that a search returns: keep what is above, but only `budget` of the `ties` with `value`."""

    pivot: np.float32
    value: np.float32
    ties: int
    budget: int


def smallest_above(values: Row, pivot: np.float32, none: float) -> tuple[np.float32, int]:
    """The smallest value above the pivot and how often it occurs; `none` and 0 if there is none."""
    above = values[values > pivot]
    if len(above) == 0:
        return FLOAT(none), 0
    return above.min(), int((np.abs(above - above.min()) < TIE).sum())


def monolithic(z: Row, k: int, p: float) -> Row:
    """_topk_topp_kernel with a top-k below the number of classes, and top-p on what it leaves if p < 1."""
    finite = z[z > -np.inf]
    if len(finite) <= k:
        # Top-k keeps everything, and the kernel then runs its own top-p, which this does not transcribe.
        if p < 1:
            raise NotImplementedError("the monolithic kernel's top-p without an active top-k")
        return z
    mean = total(finite) / FLOAT(len(finite))
    deviation = np.sqrt(max(total(finite * finite) / FLOAT(len(finite)) - mean * mean, FLOAT(0)))
    quantile = FLOAT(QUANTILES[min(int(FLOAT(k / len(z)) * FLOAT(200)), 199)])
    outlier = FLOAT(mean + deviation * (quantile - FLOAT(0.15) * abs(quantile)))
    outliers = z[z > outlier]
    gathered = len(outliers) > k
    boundary = find_top_k(outliers if gathered else z, k, outlier if gathered else finite.min(), z.max())
    if p < 1:
        boundary = find_top_p(z, outliers if gathered else None, boundary, p)
    return cut(z, boundary)


def find_top_k(values: Row, k: int, low: np.float32, high: np.float32) -> Boundary:
    """A ternary search for a pivot with at least k values above it, and fewer without the ties of the smallest."""
    count = 0
    for iteration in range(1, ROUNDS + 1):
        pivots = [FLOAT((high - low) * FLOAT(step) / FLOAT(3) + low) for step in (1, 2)]
        numbers = [int((values > pivot).sum()) for pivot in pivots]
        smallest = [smallest_above(values, pivot, np.inf) for pivot in pivots]
        chosen = [i for i in (0, 1) if numbers[i] >= k and numbers[i] - smallest[i][1] < k]
        if numbers[1] > k:
            low = pivots[1]
        elif numbers[0] > k:
            low = pivots[0]
        if numbers[0] < k:
            high = pivots[0]
        elif numbers[1] < k:
            high = pivots[1]
        if chosen:
            count = numbers[chosen[-1]]
        if iteration == ROUNDS or abs(low - high) < TIE:
            return Boundary(FLOAT((high + low) / FLOAT(2)), *smallest[0], unsigned(smallest[0][1] - (count - k)))
        if chosen:
            value, ties = smallest[chosen[-1]]
            return Boundary(pivots[chosen[-1]], value, ties, unsigned(ties - (count - k)))
    raise AssertionError


def unsigned(number: int) -> int:
    """The number as an unsigned one of 32 bits."""
    return number % 2**32


def find_top_p(z: Row, outliers: Row | None, top_k: Boundary, p: float) -> Boundary:
    """A bisection, between the top-k pivot and the maximum, for a probability with mass p above it."""
    top = z.max()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if outliers is None:
            chosen = cut(z, top_k, always=True)
            sum_exp = total(np.exp(chosen - top))
            values = np.exp(chosen[chosen > -np.inf] - top) / sum_exp
        else:
            sum_exp = total(np.exp(cut(outliers, top_k) - top))
            values = np.exp(outliers - top) / sum_exp
        high, low = FLOAT(1) / sum_exp, np.exp(top_k.pivot - top) / sum_exp
        boundary = bisect_mass(values, low, high, FLOAT(p))
        return Boundary(
            np.log(boundary.pivot * sum_exp) + top,
            np.log(boundary.value * sum_exp) + top,
            boundary.ties,
            boundary.budget,
        )


def bisect_mass(values: Row, low: np.float32, high: np.float32, p: np.float32) -> Boundary:
    """The pivot whose mass above it is at least p, and less without the ties of the smallest value above it."""
    for iteration in range(1, ROUNDS + 1):
        pivot = FLOAT((high - low) * FLOAT(0.5) + low)
        above = np.where(values > pivot, values, FLOAT(0))
        mass = total(above) if len(above) else FLOAT(0)
        value, ties = smallest_above(values, pivot, 1)
        found = bool(mass >= p and mass - value * FLOAT(ties) < p)
        if mass > p:
            low = pivot
        elif mass < p:
            high = pivot
        if (high - low) < TIE or iteration == ROUNDS:
            pivot, found = FLOAT((high + low) / FLOAT(2)), True
        if found:
            return Boundary(pivot, value, ties, unsigned(ties - int(max((mass - p) / value, FLOAT(0)))))
    raise AssertionError


def cut(z: Row, boundary: Boundary, always: bool = False) -> Row:
    """Masks what is not above the pivot and the ties over their budget; nothing if the pivot is not below the maximum.

    The kernel's own pass between top-k and top-p has no such guard, which is `always`.
    """
    if not always and not boundary.pivot < z.max():
        return z
    keep = z > boundary.pivot
    if boundary.budget < boundary.ties:
        with np.errstate(invalid="ignore"):
            tied = np.abs(z - boundary.value) < TIE
        keep &= ~(tied & (np.cumsum(tied) > boundary.budget))
    return masked(z, ~keep)


def split_top_p(z: Row, p: float) -> Row:
    """_topp_sb_step_kernel and _topp_sb_mask_kernel: five rounds with ladders of eight pivots each."""
    top = z.max()
    norm = total(np.exp(z - top))
    probabilities = np.exp(z - top) / norm
    high = FLOAT(1) / norm
    low = max(np.exp(z[z > -np.inf].min() - top) / norm, FLOAT(1e-30))
    if high <= low * FLOAT(1 + 1e-6):
        return z
    boundary = find_on_ladders(probabilities, low, high, FLOAT(p))
    if boundary is None or boundary.pivot * norm >= 1:
        return z
    keep = (probabilities > boundary.pivot) | (z == top)
    if boundary.budget < boundary.ties:
        tied = probabilities == boundary.value
        keep &= ~(tied & (np.cumsum(tied) > boundary.budget))
    return masked(z, ~keep)


def find_on_ladders(values: Row, low: np.float32, high: np.float32, p: np.float32) -> Boundary | None:
    """The largest pivot that separates mass p, else the largest with at least that above it; None if no pivot has."""
    best: Boundary | None = None
    for _ in range(SPLIT_ROUNDS):
        pivots = [FLOAT(low * np.exp(np.log(high / low) * FLOAT(i + 1) / FLOAT(FANOUT + 1))) for i in range(FANOUT)]
        masses = [total(np.where(values > pivot, values, FLOAT(0))) for pivot in pivots]
        found = None
        for pivot, mass in zip(pivots, masses, strict=True):
            value, ties = smallest_above(values, pivot, 1)
            if mass >= p:
                budget = min(max(ties - int(max(mass - p, FLOAT(0)) / value), 1), ties)
                boundary = Boundary(pivot, value, ties, budget)
                best = boundary if best is None or pivot > best.pivot else best
                found = boundary if mass - value * FLOAT(ties) < p else found
        if found is not None:
            return found
        low = max([low, *(pivot for pivot, mass in zip(pivots, masses, strict=True) if mass >= p)])
        high = min([high, *(pivot for pivot, mass in zip(pivots, masses, strict=True) if mass < p)])
        if not high > low * FLOAT(1 + 1e-7):
            return best
    return best
