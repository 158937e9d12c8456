"""A chain of samplers on a partial distribution, such as a token of an API response."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tsoft.core.measures import entropy
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array, log_softmax
from tsoft.sampling import partial_cutoffs
from tsoft.sampling.explanation import step_cutoff
from tsoft.sampling.mixture import apply_step
from tsoft.sampling.partial_row import PartialRow
from tsoft.sampling.samplers import adaptive_beta, edt_factor
from tsoft.sampling.step import AllRemovedError, PartialDistributionError, Step
from tsoft.sampling.three_valued import Decision, Range

# The rule on a partial distribution for each function of a cutoff. Other samplers need every logit.
CUTOFFS: dict[str, Callable[..., Decision]] = {
    "greedy": partial_cutoffs.greedy,
    "top_k": partial_cutoffs.top_k,
    "top_k_and_ties": partial_cutoffs.top_k_and_ties,
    "top_p": partial_cutoffs.top_p,
    "top_p_from_above": partial_cutoffs.top_p,
    "top_p_and_equal": partial_cutoffs.top_p,
    "top_k_and_ties_above_1": partial_cutoffs.top_k_and_ties_above_1,
    "top_p_and_ties": partial_cutoffs.top_p_and_ties,
    "top_p_and_ties_or_all": partial_cutoffs.top_p_and_ties_or_all,
    "top_p_or_all": partial_cutoffs.top_p_or_all,
    "top_p_sharing": partial_cutoffs.top_p_sharing,
    "top_p_within": partial_cutoffs.top_p_within,
    "top_p_below": partial_cutoffs.top_p_below,
    "top_3000": partial_cutoffs.top_3000,
    "top_p_unguarded": partial_cutoffs.top_p_unguarded,
    "top_p_fitting": partial_cutoffs.top_p_fitting,
    "top_p_fitting_descending": partial_cutoffs.top_p_fitting,
    "min_p": partial_cutoffs.min_p,
    "min_p_of_logits": partial_cutoffs.min_p,
    "min_p_below_1": partial_cutoffs.min_p_below_1,
    "p_less": partial_cutoffs.p_less,
    "epsilon_cutoff": partial_cutoffs.epsilon_cutoff,
    "epsilon_cutoff_below_1": partial_cutoffs.epsilon_cutoff_below_1,
    "top_a": partial_cutoffs.top_a,
    "xtc": partial_cutoffs.xtc,
    "xtc_above": partial_cutoffs.xtc,
    "mirostat": partial_cutoffs.mirostat,
}


@dataclass(frozen=True, eq=False)
class PartialMixture:
    """A partial distribution within a chain: a mixture of `rows` with their `weights`. A sampler that is applied by
    chance splits each row into two: without the sampler and with it."""

    rows: tuple[PartialRow, ...]
    weights: tuple[float, ...] = (1.0,)

    @property
    def is_exact(self) -> bool:
        """Whether the remaining classes are known, and so their probabilities."""
        return all(row.is_exact for row in self.rows)

    @property
    def may_have_unlisted(self) -> bool:
        """Whether an unlisted class may remain."""
        return any(row.unlisted is not None for row in self.rows)

    @property
    def kept(self) -> Array:
        """The listed classes that remain or are undecided: (k,) booleans."""
        return np.asarray(np.logical_or.reduce([row.is_possible for row in self.rows]))

    @property
    def undecided(self) -> Array:
        """The listed classes of which it is not known whether they remain: (k,) booleans."""
        return np.asarray(self.kept & ~np.logical_or.reduce([row.is_certain for row in self.rows]))

    @property
    def merged_logits(self) -> Array:
        """Logits whose softmax is the distribution among the kept listed classes alone: (k,)."""
        if len(self.rows) == 1:
            return self.rows[0].z
        return self._mixed([log_softmax(row.z) for row in self.rows])

    @cached_property
    def log_bounds(self) -> tuple[Array, Array]:
        """The logarithms of bounds on the probability of each listed class: (k,) each, NaN if unknown."""
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = zip(*(row.log_bounds() for row in self.rows), strict=True)
            return self._mixed(low), self._mixed(high)

    def _mixed(self, logs: Sequence[Array]) -> Array:
        with np.errstate(divide="ignore"):
            weights = np.log(self.weights)[:, np.newaxis]
        return np.asarray(np.logaddexp.reduce(weights + np.array(logs)))

    def apply(self, step: Step) -> "PartialMixture":
        """Return the mixture after a step.

        Raise PartialDistributionError if the step needs the logits of classes that may remain without being listed,
        and AllRemovedError if it removes every listed class.
        """
        chance = step.values[0] if step.sampler.at_random else 1.0
        # Logits may overflow at a temperature near 0, and differences of infinities stand for unknown ones.
        with np.errstate(over="ignore", invalid="ignore"):
            after = tuple(_apply(step, row) for row in self.rows)
        if any(not row.is_possible.any() for row in after):
            raise AllRemovedError(0, str(step), "listed class")
        if chance == 1:
            return replace(self, rows=after)
        weights = tuple(weight * share for share in (1 - chance, chance) for weight in self.weights)
        return PartialMixture((*self.rows, *after), weights)


def mixtures(partial: PartialDistribution, steps: Sequence[Step]) -> Iterator[PartialMixture]:
    """Yield the mixture before the first step and after each step.

    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> partial = PartialDistribution(np.log([0.5, 0.3, 0.1]), 0, np.log(0.1))
    >>> *_, after = mixtures(partial, [Step(SAMPLERS["top_p"], (0.7,))])
    >>> after.is_exact, after.kept
    (True, array([ True,  True, False]))
    """
    mixture = PartialMixture((PartialRow.of(partial),))
    yield mixture
    for step in steps:
        mixture = mixture.apply(step)
        yield mixture


def _apply(step: Step, row: PartialRow) -> PartialRow:
    """Return a row after a step that is applied with certainty."""
    sampler, values = step.sampler, step.arguments
    function = sampler.path.rpartition(".")[2]
    if cutoff := CUTOFFS.get(function):
        return row.keeping(cutoff(row.ranks(), *values))
    if function == "logit_bias":
        return row.biased(*values)
    if sampler.needs_history:
        return row.biased(_history_biases(step, len(row.z)))
    if function in ("temperature", "temperature_or_top"):
        tau, dynatemp_range, _ = (*values, 0.0, 0.0)[:3]
        if not dynatemp_range:
            is_first_only = function == "temperature_or_top" and tau == 0.0
            return (row.keeping(partial_cutoffs.greedy(row.ranks())) if is_first_only else row).divided(tau)
    if function == "smoothing" and (smoothed := _smoothed(row, *values)):
        return smoothed
    if not row.is_exact or sampler.counts_masked:
        raise PartialDistributionError(0, f"{step} needs every logit, but the response lists only some of them")
    if function in _TEMPERATURES:
        return _divided_by_entropy(step, row)
    return _apply_to_whole(step, row)


def _history_biases(step: Step, classes: int) -> tuple[tuple[int, float], ...]:
    """Return what a step adds to the logit of each listed class by its history."""
    assert step.history
    tokens = step.history.tokens
    biases = apply_step(step, np.zeros(int(tokens.max(initial=0)) + classes))
    if biases[classes:].any():
        raise PartialDistributionError(0, f"{step} changes a token that the response does not list")
    return tuple((int(index), float(biases[index])) for index in np.flatnonzero(biases))


def _smoothed(row: PartialRow, factor: float, curve: float = 1.0) -> PartialRow | None:
    return row.smoothed(factor) if curve == 1.0 or factor == 0.0 else row.bent(factor, curve)


def _adaptive_range(entropy: float, error: float) -> Range:
    """Return the adaptive temperature for an entropy with an error. The polynomial's slope is below 2.6 where it is
    above 1."""
    beta, change = adaptive_beta(np.array(entropy)), 2.6 * error
    return Range(1.0 / (beta + change), 1.0 / np.maximum(beta - change, 1.0))


def _edt_range(entropy: float, error: float, theta: float) -> Range:
    low, high = edt_factor(np.array([max(entropy - error, 0.0), entropy + error]), theta)
    return Range(low, high)


# The range of the temperature for an entropy with an error, for each function that derives it from the entropy.
_TEMPERATURES: dict[str, Callable[..., Range]] = {"adaptive_temperature": _adaptive_range, "edt": _edt_range}


def _divided_by_entropy(step: Step, row: PartialRow) -> PartialRow:
    """Return a row of which all remaining classes are listed at a temperature that its entropy determines."""
    possible = row.is_possible
    error = _difference_error(row)
    with np.errstate(divide="ignore"):
        taus = _TEMPERATURES[step.sampler.path.rpartition(".")[2]](
            float(entropy(row.z)), error * (1.0 + np.log(possible.sum())), *step.arguments
        )
    if taus.high == 0.0:
        return row.divided(0.0)
    if taus.low == 0.0:
        raise PartialDistributionError(0, f"{step} depends on the rounding of the response's log-probabilities")
    return row.divided_between(apply_step(step, row.z), taus)


def _difference_error(row: PartialRow) -> float:
    """Return the error of a difference of two logits: twice that of a logit. It changes the entropy of n classes by at
    most 1 + ln n times as much."""
    possible = row.is_possible
    return 2.0 * float((row.logit.high[possible] - row.z[possible]).max())


def _apply_to_whole(step: Step, row: PartialRow) -> PartialRow:
    """Return a row of which all remaining classes are listed after a step."""
    z = apply_step(step, row.z)
    possible, error = row.is_possible, _difference_error(row)
    if cutoff := step_cutoff(step, row.z):
        is_kept, is_removed = z > -np.inf, possible & np.isneginf(z)
        separation = cutoff.score[is_kept].min() - cutoff.score[is_removed].max(initial=-np.inf)
        # An error e in the logits changes an entropy of n classes by at most 2 e (1 + ln n), and a surprise by e.
        if min(float(cutoff.slack), float(separation)) <= 4.0 * error * (1.0 + np.log(len(z))):
            raise PartialDistributionError(0, f"{step} depends on the rounding of the response's log-probabilities")
        kept = np.append(is_kept, False)
        return row.keeping(Decision(kept, kept))
    margin = np.where(z > -np.inf, error * (1.0 + abs(z)), 0.0)
    return replace(row, z=z, logit=Range(z - margin, z + margin))
