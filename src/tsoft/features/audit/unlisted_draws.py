"""Draws of unlisted classes: whether they are rarer than they would be without a cutoff.

A list of log-probabilities determines the total probability of the unlisted classes at temperature 1, and bounds it at
other temperatures (see `core.partial_distribution`). A cutoff that removes such classes makes draws of them rarer.
"""

from math import log, log1p

import numpy as np

from tsoft.features.audit.evidence import UNLISTED, Evidence


def log_probability_of_fewer(evidence: Evidence, tau: float) -> float | None:
    """Return the logarithm of an upper bound on the probability of at most the observed number of unlisted draws, if no
    sampler removes a class; None without lists that show it.

    With a mean probability of at least q, and a share s < q of n draws, it is exp(-n KL(s, q)), also if the
    probabilities differ (Hoeffding 1963, "Probability inequalities for sums of bounded random variables", theorem 1).
    """
    total, expected, drawn = 0, 0.0, 0
    for row in evidence.rows:
        # Which classes count must not depend on the draw.
        if row.block.partial is not None and not row.has_chosen:
            total += len(row.draws)
            expected += len(row.draws) * row.unlisted_bounds(tau, evidence.noise)[0]
            drawn += int(np.count_nonzero(row.counted_draws == UNLISTED))
    if not expected:
        return None
    q, s = expected / total, drawn / total
    if s >= q:
        return 0.0
    return -total * ((s * log(s / q) if s else 0.0) + (1.0 - s) * (log1p(-s) - log1p(-q)))
