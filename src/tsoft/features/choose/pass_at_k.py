"""The probability that k of n answers solve a problem: pass@k, and the majority vote.

The k answers are drawn from the n without replacement, each subset with the same probability, so that the mean over
problems is an unbiased estimate for k new answers.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

import operator
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.library_arguments import are_whole, plain_array, require_index
from tsoft.core.softmax import Array

# With more answers, their number of subsets may exceed the largest float.
MAX_EXACT_ANSWERS = 1000
# The limit on n·k² for the exact majority vote, about 0.1 s.
MAX_EXACT_WORK = 10_000_000
# The number of random subsets beyond these limits.
SUBSETS = 1000


def pass_at_k(n: ArrayLike, correct: ArrayLike, k: ArrayLike) -> Array:
    """Estimate the probability that at least one of k answers to a problem is correct.

    Parameters
    ----------
    n : array_like of int
        The number of answers to each problem.
    correct : array_like of int
        The number of correct answers, from 0 to `n`.
    k : array_like of int
        The number of answers of which one must be correct, from 1 to `n`. All three broadcast.

    Returns
    -------
    ndarray
        1 - C(n - correct, k) / C(n, k), the share of subsets of k answers that contain a correct one.

    Raises
    ------
    ValueError
        If a number is not whole or out of range.

    See Also
    --------
    majority_at_k : the same for the majority vote

    Notes
    -----
    The mean over problems is an unbiased estimate for k new answers. The estimate 1 - (1 - correct / n)**k is biased.

    References
    ----------
    .. [1] M. Chen et al., "Evaluating Large Language Models Trained on Code", 2021, eq. 1.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.pass_at_k(n=10, correct=[0, 3, 8], k=3).round(4)
    array([0.    , 0.7083, 1.    ])
    """
    n, correct, k = (_whole_numbers(values, name) for values, name in ((n, "n"), (correct, "correct"), (k, "k")))
    n, correct, k = np.broadcast_arrays(n, correct, k)
    if not ((correct >= 0) & (correct <= n)).all():
        raise ValueError("correct must be from 0 to n")
    if not ((k >= 1) & (k <= n)).all():
        raise ValueError("k must be from 1 to n")
    # Problems with the same numbers have the same estimate.
    cases, places = np.unique(np.stack([n.ravel(), correct.ravel(), k.ravel()]), axis=1, return_inverse=True)
    estimates = np.array([_pass_at_k(*case) for case in cases.T.tolist()])
    return np.asarray(estimates[places.ravel()].reshape(n.shape))


def _whole_numbers(values: ArrayLike, name: str) -> Array:
    numbers = plain_array(name, values)
    if not are_whole(numbers):
        raise ValueError(f"{name} must be whole numbers")
    return numbers.astype(np.int64)


def _pass_at_k(n: int, correct: int, k: int) -> float:
    if n - correct < k:
        return 1.0
    # C(n - c, k) / C(n, k) is symmetric in c and k, and a product of min(c, k) factors. The logarithms keep the
    # relative accuracy of an estimate near 0.
    fewer, more = sorted((correct, k))
    if fewer == 1:
        return more / n
    # Without the 0, an estimate of 0 would be -0.
    return 0.0 - float(np.expm1(np.log1p(-more / np.arange(n - fewer + 1, n + 1)).sum()))


def majority_at_k(counts: ArrayLike, target: int | None, k: int, *, blank: int = 0) -> float:
    """Compute the probability that the majority of k answers to a problem is right.

    Parameters
    ----------
    counts : array_like of int, shape (m,)
        How often each of m different answers occurs.
    target : int or None
        The index of the right answer; None if it does not occur.
    k : int
        The number of answers that vote, from 1 to the number of all answers.
    blank : int, default 0
        The number of responses without an answer. They can be among the k, but do not vote.

    Returns
    -------
    float
        The share of subsets of k answers in which the target has the most votes. If m answers tie at the top, each
        counts 1 / m.

    Raises
    ------
    ValueError
        If a number is out of range, or if there are too many answers for the exact computation: more than 1000, or
        n k**2 above 10**7.
    TypeError
        If `target`, `k` or `blank` is not an integer.

    See Also
    --------
    pass_at_k : the probability that at least one answer is right

    References
    ----------
    .. [1] X. Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", 2023.

    Examples
    --------
    >>> import tsoft
    >>> round(tsoft.majority_at_k([5, 3, 2], target=0, k=3), 4)
    0.5833
    """
    for name, value in (("target", 0 if target is None else target), ("k", k), ("blank", blank)):
        require_index(name, value)
    votes, number = _whole_numbers(counts, "counts").ravel().tolist(), operator.index(k)
    if min([*votes, operator.index(blank)]) < 0:
        raise ValueError("counts and blank must be at least 0")
    if target is not None and not 0 <= target < len(votes):
        raise ValueError("target must be an index of counts")
    n = sum(votes) + blank
    if not 1 <= number <= n:
        raise ValueError("k must be from 1 to the number of answers")
    if not is_exact(n, number):
        raise ValueError("too many answers for the exact computation: more than 1000, or n k**2 above 10**7")
    if target is None or votes[target] == 0:
        return 0.0
    others = tuple(sorted(votes[:target] + votes[target + 1 :]))
    return _majority(votes[target], others, blank, number)


def is_exact(n: int, k: int) -> bool:
    """Return whether the majority vote of k of n answers can be computed exactly in a short time."""
    return n <= MAX_EXACT_ANSWERS and (k == n or n * k * k <= MAX_EXACT_WORK)


# Many problems have the same counts.
@lru_cache(1 << 16)
def _majority(target: int, others: tuple[int, ...], blank: int, k: int) -> float:
    """Return the probability that the target wins, or its part of a tie, from the numbers of its answers, of those of
    each other answer, ascending, and of blank ones."""
    n = target + sum(others) + blank
    if k == n:
        highest = max(others, default=0)
        return 0.0 if highest > target else 1 / (1 + others.count(target))
    ways = sum(
        comb(target, votes) * _shared_wins(votes, others, blank, k - votes)
        for votes in range(1, min(target, k) + 1)
        if k - votes <= blank + sum(min(count, votes) for count in others)
    )
    return float(min(ways / comb(n, k), 1.0))


def _shared_wins(votes: int, others: tuple[int, ...], blank: int, rest: int) -> float:
    """Return the number of ways to draw the `rest` of a subset so that no other answer has more than `votes`, each
    divided by the number of answers that have the most votes.

    ways[t, s] counts the ways to draw s answers, where t of the answers have as many votes as the target. It is a
    polynomial in two variables, the product of one polynomial per answer.
    """
    rivals = [count for count in others if count >= votes]
    free = blank + sum(count for count in others if count < votes)
    # A gap between the rows, so that one convolution of all rows does not mix them.
    ties, width = min(len(rivals), rest // votes), rest + 1 + votes
    ways = np.zeros((ties + 1, width))
    ways[0, : rest + 1] = _binomials(free, rest)
    for count in rivals:
        binomials = _binomials(count, votes)
        below = np.convolve(ways.ravel(), binomials[:votes])[: ways.size].reshape(ways.shape)
        below[1:, votes:] += binomials[votes] * ways[:-1, : width - votes]
        ways = below
        ways[:, rest + 1 :] = 0.0
    return float((ways[:, rest] / np.arange(1, ties + 2)).sum())


@lru_cache(1 << 12)
def _binomials(n: int, highest: int) -> Array:
    """Return C(n, 0), …, C(n, highest)."""
    return np.array([float(comb(n, x)) for x in range(highest + 1)])


def sampled_majority_at_k(counts: Array, target: int | None, k: int, generator: np.random.Generator) -> float:
    """Estimate `majority_at_k` from SUBSETS random subsets. The last of the counts, (m + 1,), is that of blank ones."""
    if target is None:
        return 0.0
    drawn = generator.multivariate_hypergeometric(counts, k, SUBSETS, method="marginals")[:, :-1]
    highest = drawn.max(1)
    is_won = (drawn[:, target] == highest) & (highest > 0)
    return float((is_won / np.maximum((drawn == highest[:, np.newaxis]).sum(1), 1)).mean())
