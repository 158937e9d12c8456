"""A test of whether the temperatures of several groups of rows differ.

With the sums N of the NLL, at the best temperature of all rows and at those of the G groups, the likelihood ratio is

    L = 2 (N(all) - sum_g N_g)

If one temperature fits every group and the probabilities at this temperature are the true ones, L is chi-square with
G - 1 degrees of freedom (Wilks 1938). For other probabilities, it is on average larger or smaller by the factor

    c = 1 / (G - 1)  sum_g (J_g / H_g) (1 - H_g / sum H)

with J_g the sum of the squared derivatives of the NLL with respect to log tau, and H_g that of the second derivatives,
at the temperature of the group; J_g / H_g is 1 for the true probabilities. So the statistic is L / c (Rao & Scott 1984,
"On chi-squared tests for multiway contingency tables", Annals of Statistics 12, section 3; White 1982). The rows need
to be independent, and each group needs many of them.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.chi_square import chi_square_tail
from tsoft.core.fit import TemperatureFit, fit_rows
from tsoft.core.labeled_rows import GapSums, LabeledRows, RowPasses, StoredRows, evaluate, validate_examples
from tsoft.core.library_arguments import plain_array
from tsoft.core.softmax import log_softmax


@dataclass(frozen=True)
class GroupDifference:
    """Whether the temperatures of groups differ. The result of `tsoft.temperature_difference`.

    Attributes
    ----------
    statistic : float
        The likelihood ratio, corrected for probabilities that are not the true ones.
    degrees : int
        Its degrees of freedom.
    p_value : float
        The probability that groups of one temperature differ at least as much.
    """

    statistic: float
    degrees: int
    p_value: float


def temperature_difference(z: ArrayLike, targets: ArrayLike, groups: ArrayLike) -> GroupDifference | None:
    """Test whether the temperatures that calibrate a classifier differ between groups of rows.

    A small p-value means that one temperature does not calibrate all groups. This is the likelihood ratio of one
    temperature and one per group, with a correction that makes it valid even if no temperature makes the probabilities
    the true ones [1]_.

    Parameters
    ----------
    z : array_like, shape (..., n)
        The logits of rows that the classifier was not trained on; -inf masks a class. The rows should be independent.
    targets : array_like of int, shape (...)
        The index, from 0, of each row's true class.
    groups : array_like, shape (...)
        The group of each row: numbers or strings. Each group should have many rows.

    Returns
    -------
    GroupDifference or None
        ``statistic``, ``degrees`` and ``p_value``. None if there is only one group, or if the best temperature of all
        rows is 0 or inf.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the targets or the groups do not match the rows or a target is masked; if there are no rows; or if all
        logits of each row of a group are equal.
    TypeError
        If the groups are neither only numbers nor only strings.

    See Also
    --------
    fit_temperature : The temperature of some rows.

    References
    ----------
    .. [1] J. N. K. Rao and A. J. Scott, "On Chi-Squared Tests for Multiway Contingency Tables with Cell Proportions
       Estimated from Survey Data", Annals of Statistics 12, 1984.

    Examples
    --------
    >>> import tsoft
    >>> z, targets = [[1, 0]] * 200, [0] * 90 + [1] * 10 + [0] * 60 + [1] * 40
    >>> difference = tsoft.temperature_difference(z, targets, ["cat"] * 100 + ["dog"] * 100)
    >>> round(difference.statistic, 3), difference.degrees, difference.p_value < 0.001
    (25.315, 1, True)
    """
    rows, groups = validate_examples(z, targets), plain_array("groups", groups)
    if groups.size != len(rows.targets) or groups.shape != np.shape(targets):
        raise ValueError(f"groups must have shape {np.shape(targets)}, one per row of logits; got {groups.shape}")
    try:
        names, indices = np.unique(groups.reshape(-1), return_inverse=True)
    except TypeError:
        raise TypeError("groups must be only numbers or only strings") from None
    fit = fit_rows(StoredRows([rows]))
    if fit.is_limit:
        return None
    group_nlls, sums = [], []
    for index in range(len(names)):
        part = LabeledRows(rows.logits[indices == index], rows.targets[indices == index])
        group_fit = fit_rows(StoredRows([part]))
        group_nlls.append(_nll(part, group_fit.tau))
        sums.append(curvature(StoredRows([part]), group_fit, fit))
    return likelihood_ratio_test(_nll(rows, fit.tau), group_nlls, sums)


def _nll(rows: LabeledRows, tau: float) -> float:
    """Return the sum of the NLL over the rows."""
    log_probs = log_softmax(rows.logits.astype(np.float64), tau)
    return -float(log_probs[np.arange(len(rows.targets)), rows.targets].sum())


def curvature(rows: RowPasses, fit: TemperatureFit, together: TemperatureFit) -> GapSums:
    """Return the sums of a group at its fit or, if this is a limit, at the fit of all rows."""
    best = together if fit.is_limit else fit
    return evaluate(rows, [best.tau / best.unit], best.unit)[0]


def likelihood_ratio_test(nll: float, group_nlls: Sequence[float], sums: Sequence[GapSums]) -> GroupDifference | None:
    """Test whether groups differ. Return None for fewer than two groups.

    nll: the sum of the NLL over all rows at their best temperature. group_nlls: that over each group's rows at the
    group's best temperature. sums: those of `curvature`.

    >>> sums = [GapSums(0.0, 10.0, 0.0, 10.0), GapSums(0.0, 10.0, 0.0, 10.0)]
    >>> likelihood_ratio_test(20.0, [8.0, 11.0], sums)  # doctest: +ELLIPSIS
    GroupDifference(statistic=2.0, degrees=1, p_value=0.157299...)
    """
    degrees = len(sums) - 1
    if degrees < 1:
        return None
    squares, curvatures = (np.array([getattr(each, name) for each in sums]) for name in ("squares", "variance"))
    # A group without curvature, whose probabilities are 0 and 1, does not change the correction.
    is_curved = curvatures > 0
    ratios = np.divide(squares, curvatures, out=np.ones(len(sums)), where=is_curved)
    shares = curvatures / max(curvatures.sum(), np.finfo(float).tiny)
    correction = float((ratios * (1 - shares)).sum() / degrees)
    statistic = max(0.0, 2 * (nll - sum(group_nlls))) / correction
    return GroupDifference(statistic, degrees, chi_square_tail(statistic, degrees))
