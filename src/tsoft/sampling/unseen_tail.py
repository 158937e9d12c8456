"""A test of whether draws avoid the least probable classes of a distribution, as after a hidden sampler.

Each class has a tail: the probability of the classes that are less probable. Let u be the shortest tail of all draws,
over all rows. If the draws are from the distributions, the probability that no draw has a tail below u is

    product over rows of (1 - A(u)) ^ N        with A(u) the probability of the classes with a tail below u

A sampler that removes the least probable classes, such as top-k, top-p and min-p, makes it small. It is a p-value: it is
below a with a probability of at most a.
"""

from dataclasses import dataclass
from math import exp

import numpy as np

from tsoft.core.softmax import Array


@dataclass(frozen=True)
class TailTest:
    """The `p_value`, whether a draw is `outside` the classes of the distribution, with the probability 0, and the
    `unseen` probability: the mean over draws of A(u)."""

    p_value: float
    outside: bool
    unseen: float


def check_tail(probs: Array, order: Array, counts: Array) -> TailTest:
    """Test counts of draws, (rows, n), from probabilities, (rows, n). `order`, (rows, n), has the classes of each row,
    the most probable first.

    Of 20 draws from the first class and none from the second:

    >>> test = check_tail(np.array([[0.75, 0.25]]), np.array([[0, 1]]), np.array([[20, 0]]))
    >>> round(test.p_value, 6), test.outside, test.unseen
    (0.003171, False, 0.25)
    """
    sorted_probs = np.take_along_axis(probs, order, -1)
    sorted_counts = np.take_along_axis(counts, order, -1)
    is_drawn = sorted_counts > 0
    # Summed from the least probable class up, so that a tail is exact although it may be small.
    from_here = sorted_probs[:, ::-1].cumsum(-1)[:, ::-1]
    tails = np.append(from_here[:, 1:], np.zeros((len(probs), 1)), axis=-1)
    shortest = tails[is_drawn].min(initial=1.0)
    below = np.where(tails < shortest, sorted_probs, 0.0).sum(-1)
    sizes = counts.sum(-1)
    with np.errstate(divide="ignore"):
        log_p = float((sizes * np.log1p(-np.minimum(below, 1.0))).sum())
    unseen = float((sizes * below).sum() / max(1, sizes.sum()))
    return TailTest(exp(log_p), bool((is_drawn & (sorted_probs == 0)).any()), unseen)
