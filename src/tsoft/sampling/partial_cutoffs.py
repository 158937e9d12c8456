"""The rules by which samplers remove classes of a partial distribution.

Each function takes what is known about the classes, and the sampler's value. It returns a `Decision` about which
classes stay; about the unlisted ones, whether all of them certainly do, and whether any may. No rule has a case for an
undecided class or for the rounding of printed numbers, because the intervals account for both. So an engine's rule that
differs from tsoft's only at equality needs no function here.
"""

import sys
from dataclasses import dataclass
from math import inf, log

import numpy as np

from tsoft.core.softmax import Array
from tsoft.sampling.states import initial_mu
from tsoft.sampling.three_valued import Decision, Range

# Logits this close may have the same probability in float64.
EQUAL_GAP = 1e-15


@dataclass(frozen=True, eq=False)
class KnownRanks:
    """What is known about each of the k listed classes, and at the end about the most probable unlisted one: (k + 1,).

    `present` is whether the class remains; all else is for the case that it does. `rank` counts from 1; an unlisted
    class follows the listed alternatives that tie with it. `strict_rank` is 1 plus the number of more probable classes.
    `above` is the probability of the classes before this one, and `strict_above` that of the more probable ones. `gap`
    is the logit minus the highest one, and `log_top` the logarithm of the highest probability. `log_excess` is the
    logarithm of the probability divided by the sum of all squared probabilities.
    """

    present: Decision
    logit: Range
    rank: Range
    strict_rank: Range
    above: Range
    strict_above: Range
    log_prob: Range
    gap: Range
    log_top: Range
    log_excess: Range

    @property
    def prob(self) -> Range:
        """The probability of each class."""
        return Range(np.exp(self.log_prob.low), np.exp(self.log_prob.high))


def greedy(classes: KnownRanks) -> Decision:
    return classes.rank <= 1


def top_k(classes: KnownRanks, k: float) -> Decision:
    return classes.rank <= k


def top_k_and_ties(classes: KnownRanks, k: float) -> Decision:
    """Classes that tie with the k-th stay, too."""
    return classes.strict_rank <= k


def top_k_and_ties_above_1(classes: KnownRanks, k: float) -> Decision:
    """As in ExLlamaV3, K = 1 is greedy."""
    return greedy(classes) if k == 1 else top_k_and_ties(classes, k)


def top_3000(classes: KnownRanks) -> Decision:
    """As in KoboldCpp."""
    return top_k(classes, 3000)


def top_p(classes: KnownRanks, p: float) -> Decision:
    return (classes.above < p) | greedy(classes)


def top_p_unguarded(classes: KnownRanks, p: float) -> Decision:
    """As in mlx-lm, all classes stay at p = 0."""
    return classes.above < (p or inf)


def top_p_or_all(classes: KnownRanks, p: float) -> Decision:
    """As in Ollama's MLX runner, all classes stay at p = 0."""
    return top_p(classes, p or inf)


def top_p_and_ties(classes: KnownRanks, p: float) -> Decision:
    """As in FlashInfer, classes that tie with the last one stay, too."""
    return (classes.strict_above < p) | (classes.strict_rank <= 1)


def top_p_and_ties_or_all(classes: KnownRanks, p: float) -> Decision:
    """As in mlx-lm 0.32.2, all classes stay at p = 0."""
    return top_p_and_ties(classes, p or inf)


def top_p_sharing(classes: KnownRanks, p: float) -> Decision:
    """As in ExLlamaV3 1.6.5, classes that tie with the last one stay with a smaller weight. As
    for an undecided class, only its bounds are known: 0 and the full weight."""
    if not p:
        return greedy(classes)
    decision = top_p_and_ties(classes, p)
    return Decision(decision.certain & _is_untied(classes), decision.possible)


def top_p_within(classes: KnownRanks, p: float) -> Decision:
    """As in ExLlamaV3 1.4.1, classes stay while they and those before them sum to at most p."""
    return (classes.above + classes.prob <= p) | greedy(classes)


def top_p_below(classes: KnownRanks, p: float) -> Decision:
    """As in the kernel of ExLlamaV3 1.4.1, classes that tie stay or go together."""
    within = top_p_within(classes, p)
    return Decision(within.certain & _is_untied(classes), within.possible | (classes.strict_rank <= 1).possible)


def _is_untied(classes: KnownRanks) -> Array:
    """Return for which classes it is certain that they tie with no other: (k + 1,) booleans."""
    order = classes.logit.low.argsort()
    overlaps = classes.logit.low[order][1:] <= np.maximum.accumulate(classes.logit.high[order])[:-1] + EQUAL_GAP
    is_untied = np.ones(len(order), bool)
    is_untied[order[1:]] &= ~overlaps
    is_untied[order[:-1]] &= ~overlaps
    # The last one stands for all unlisted classes, whose lowest logit is unknown.
    return np.asarray(is_untied & (classes.logit.low > classes.logit.high[-1] + EQUAL_GAP))


def top_p_fitting(classes: KnownRanks, p: float) -> Decision:
    """As in ExLlamaV2, classes stay while their probabilities sum to at most p. After one that does not fit, a less
    probable one may. Of equally probable classes, the index decides, which is unknown."""
    if not p:
        return classes.above <= inf
    fits = top_p_within(classes, p)
    lows = np.sort(classes.logit.low[classes.logit.low > -inf])
    has_ties = bool((lows[1:] <= lows[:-1] + EQUAL_GAP).any())
    certain = fits.certain & (classes.logit.low > classes.logit.high[-1] + EQUAL_GAP) & (not has_ties)
    return Decision(certain, np.ones_like(certain)) & (classes.prob >= 1e-6)


def min_p(classes: KnownRanks, p: float) -> Decision:
    return (classes.gap >= _log(p)) | (classes.gap >= -EQUAL_GAP)


def min_p_below_1(classes: KnownRanks, p: float) -> Decision:
    """As in ExLlamaV2, all classes stay at p = 1."""
    return min_p(classes, p if p < 1 else 0.0)


def p_less(classes: KnownRanks) -> Decision:
    """The highest probability is at least the sum of the squares."""
    return (classes.log_excess >= 0.0) | (classes.gap >= -EQUAL_GAP)


def epsilon_cutoff(classes: KnownRanks, epsilon: float) -> Decision:
    return (classes.log_prob >= _log(epsilon)) | (classes.gap >= -EQUAL_GAP)


def epsilon_cutoff_below_1(classes: KnownRanks, epsilon: float) -> Decision:
    """As in transformers, all classes stay at epsilon = 1."""
    return epsilon_cutoff(classes, epsilon if epsilon < 1 else 0.0)


def mirostat(classes: KnownRanks, target: float, eta: float, mu: float | None) -> Decision:
    return (classes.log_prob >= -initial_mu(target, mu) * log(2)) | greedy(classes)


def top_a(classes: KnownRanks, a: float) -> Decision:
    """The condition p ≥ a·p_top², divided by p_top."""
    return classes.gap - classes.log_top >= _log(a)


def xtc(classes: KnownRanks, threshold: float) -> Decision:
    """Remove the classes that are at least as probable as the threshold, except the least probable of them."""
    is_top = (classes.log_prob >= _log(threshold)) & classes.present
    highest_of_last = np.where(is_top.certain, classes.logit.high, inf).min()
    # The last of the possible top choices, and the last of the others.
    lowest = np.where(is_top.possible, classes.logit.low, inf)
    last = int(lowest.argmin())
    lowest_of_others = np.full_like(lowest, lowest[last])
    lowest_of_others[last] = np.delete(lowest, last).min()
    # There may be several unlisted classes.
    lowest_of_others[-1] = lowest[-1]
    return Decision(
        certain=~is_top.possible | (lowest_of_others > classes.logit.high),
        possible=~is_top.certain | (highest_of_last >= classes.logit.low),
    )


def _log(threshold: float) -> float:
    """Return the logarithm of a threshold; of 0, a number that no class is below."""
    return log(threshold) if threshold > 0 else -sys.float_info.max
