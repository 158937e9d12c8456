"""The audit of draws, for Python users."""

# Signatures in help() show the names of the types.
from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.block import Block
from tsoft.core.draw_temperature import validated_draws
from tsoft.core.library_arguments import require_number
from tsoft.core.softmax import require_softmax, validate_logits
from tsoft.errors import unknown
from tsoft.features.audit.audit import LEVEL, TOLERANCE, Audit
from tsoft.features.audit.evidence import DrawnRow, Evidence
from tsoft.features.audit.findings import AuditReport
from tsoft.features.audit.requested import Requested
from tsoft.sampling.chain import chain_of
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.sampler_table import SAMPLERS


def audit_draws(
    z: ArrayLike,
    draws: ArrayLike,
    tau: float | None = None,
    *,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    like: str | None = None,
    level: float = LEVEL,
    tolerance: float = TOLERANCE,
) -> AuditReport:
    """Test whether draws match the requested temperature and cutoffs.

    Parameters
    ----------
    z : array_like, shape (..., n)
        The logits at temperature 1; -inf masks a class.
    draws : array_like of int, shape (..., m)
        The draws of each row, as indices of classes, from 0.
    tau : float, optional
        The requested temperature. None if it is unknown; then it cannot be contradicted.
    top_k : int, optional
        The requested top-k.
    top_p : float, optional
        The requested top-p.
    min_p : float, optional
        The requested min-p.
    like : str, optional
        The engine whose order and rules apply, such as "vllm"; those of transformers by default.
    level : float, default 0.01
        The probability of a false contradiction over all tests together, if the server applies the requested
        settings.
    tolerance : float, default 0.1
        The relative error up to which the temperature is confirmed.

    Returns
    -------
    AuditReport
        Its ``findings``, its ``verdict`` on all of them together, and the interval ``tau`` of the temperature.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the draws do not match the rows, are not whole numbers, or include a masked class, or if a setting is out of
        range.
    IndexError
        If a draw is not a class.

    See Also
    --------
    estimate_temperature : The temperature alone.

    Notes
    -----
    `estimate_temperature` names the sources of the estimate. The tests of the cutoffs are maximized over an interval of
    temperatures [1]_. A related test is that of whether two APIs have the same distribution [2]_. It needs no logits,
    and names no cause.

    References
    ----------
    .. [1] R. L. Berger and D. D. Boos, "P Values Maximized Over a Confidence Set for the Nuisance Parameter", Journal
       of the American Statistical Association 89, 1994.
    .. [2] I. Gao, P. Liang and C. Guestrin, "Model Equality Testing: Which Model Is This API Serving?", 2024,
       arXiv:2410.20247.

    Examples
    --------
    A server applies a top-k of 40, although only a temperature of 1.4 was requested:

    >>> import numpy as np
    >>> import tsoft
    >>> z = np.random.default_rng(1).normal(0, 2, 1000)
    >>> draws = tsoft.sample(tsoft.top_k(z, 40), tau=1.4, size=2000, rng=2)
    >>> report = tsoft.audit_draws(z, draws, 1.4)
    >>> [finding.name for finding in report.findings if finding.verdict == "contradicted"]
    ['other_cutoffs']
    >>> str(tsoft.audit_draws(z, draws, 1.4, top_k=40).verdict)
    'confirmed'
    """
    for name, value in (("level", level), ("tolerance", tolerance)):
        require_number(name, value)
        if not 0 < value < 1:
            raise ValueError(f"{name} must be between 0 and 1, got {value}")
    if tau is not None:
        require_number("tau", tau)
        if not tau >= 0:
            raise ValueError(f"tau must be at least 0, got {tau}")
    logits = validate_logits(z)
    require_softmax(logits)
    indices = validated_draws(draws, logits)
    rows = logits.reshape(-1, logits.shape[-1]).astype(np.float64, copy=False)
    drawn = indices.reshape(len(rows), indices.shape[-1])
    evidence = Evidence(
        tuple(DrawnRow(Block(row[np.newaxis], first_row=r), drawn[r]) for r, row in enumerate(rows) if drawn.shape[1])
    )
    return Audit(
        evidence, _requested(tau, {"top_k": top_k, "top_p": top_p, "min_p": min_p}, like), level, tolerance
    ).report


def _requested(tau: float | None, cutoffs: dict[str, float | None], like: str | None) -> Requested:
    if like is not None and like not in ENGINES:
        raise ValueError(unknown("engine", like, ENGINES))
    values = {name: value for name, value in cutoffs.items() if value is not None}
    for name, value in values.items():
        [parameter] = SAMPLERS[name].parameters
        if not parameter.allows(value):
            raise ValueError(f"{name} must be {parameter.range}, got {value}")
    active = [SAMPLERS["temperature"], *(SAMPLERS[name] for name in values)]
    chain = chain_of(ENGINES[like] if like else None, None, active, values)
    return Requested(tau, chain, states_cutoffs=tau is not None or bool(values))
