"""What the log-probabilities of a server are: before or after the temperature, and before or after a cutoff.

Two responses to one prompt, requested at different temperatures, show it. Their differences within a position have
the slope 1 if the temperature does not enter the log-probabilities, and tau_A / tau_B if it does (see
`pair_slope`). A sampler that removes classes and renormalizes leaves the slope as it is. It shows as a class that has
no probability in one response although the other response predicts one, or as a constant shift of the numbers of a
position: at the slope 1, any shift; at another slope, numbers of the flatter response that are higher than they can be
with the classes that the other response does not list (see `core.partial_distribution`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import exp, expm1, inf, log, sqrt

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import joined
from tsoft.features.audit.pair_slope import SlopeFit, fit_slope

# The largest deviation of a log-probability that a server's arithmetic explains. Repeated requests to servers that
# compute in bfloat16 differ by this much.
NOISE = 0.1
# The line must explain at least this share of the variance, and more of it if the slope is not an expected one.
MIN_EXPLAINED, MIN_EXPLAINED_OTHER = 0.99, 0.999
# The relative error of a slope that noise in both responses may cause.
SLOPE_ERROR = 0.02
# The ends of an interval that determines the slope have at most this ratio.
MAX_RATIO = 1.2
# At most this share of the numbers may deviate by more than the noise.
MAX_OUTLIERS = 0.1
# A smaller removed probability is not reported.
SMALLEST_CUTOFF = 1e-3
# The lowest slope that numbers can show.
FLATTEST = 1e-6
# A token with a higher log-probability has all of the probability, within the rounding of float32.
CERTAIN = -1e-5
# A class with a lower predicted log-probability may have been rounded to 0.
LOWEST_PREDICTED = -9.0
# With an error of the slope, the numbers shift by at most this many times as much, because the derivative of log Z is
# an entropy, and that is at most the logarithm of the number of classes.
SHIFT_PER_SLOPE = 12.0
# A shift of up to this number of standard deviations of the residuals, or a mean shift of up to this number of its
# standard errors, is noise.
SMALL_SHIFT, SMALL_MEAN = 3.0, 4.0
_UNDETERMINED = "the numbers do not determine a slope; both responses must list more common tokens"


class LogprobsForm(StrEnum):
    """What log-probabilities are: those of the model; after the temperature; after a sampler removed classes, with or
    without the temperature; or unknown."""

    RAW = "raw"
    TEMPERED = "tempered"
    TRUNCATED = "truncated"
    UNKNOWN = "unknown"


def _no_numbers() -> Array:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class LogprobPair:
    """The log-probabilities of one position in the responses A and B.

    `first` and `second` are those of the tokens that both list, (n,) each; -inf is a probability of 0. `errors` are
    the largest rounding error of a number in A and in B. `first_only` and `second_only` are the log-probabilities of
    the tokens that only one response lists. `ceilings` are log-probabilities that no other token exceeds in A and in B,
    inf if unknown, and `unlisted` are the lowest total probabilities of the other tokens.
    """

    first: Array
    second: Array
    errors: tuple[float, float] = (0.0, 0.0)
    first_only: Array = field(default_factory=_no_numbers)
    second_only: Array = field(default_factory=_no_numbers)
    ceilings: tuple[float, float] = (inf, inf)
    unlisted: tuple[float, float] = (0.0, 0.0)

    @property
    def is_finite(self) -> Array:
        """A mask of the tokens with a probability above 0 in both responses: (n,) booleans."""
        return np.isfinite(self.first) & np.isfinite(self.second)

    @property
    def finite(self) -> tuple[Array, Array]:
        """The numbers of these tokens in A and in B."""
        return self.first[self.is_finite], self.second[self.is_finite]

    @property
    def is_usable(self) -> bool:
        """Whether both responses have a probability for two tokens, so that there is a difference."""
        return int(self.is_finite.sum()) >= 2

    @property
    def is_certain(self) -> bool:
        """Whether one response has a single token with a probability above 0, which has all of it."""
        sides = np.append(self.first, self.first_only), np.append(self.second, self.second_only)
        return any(np.isfinite(side).sum() == 1 and side.max() > CERTAIN for side in sides)

    @property
    def are_complete(self) -> tuple[bool, bool]:
        """Whether the listed tokens have all of the probability in A and in B, although none of them is improbable."""
        sides = (self.first, self.first_only), (self.second, self.second_only)
        lowest = [min(part[part > -inf].min(initial=0.0) for part in parts) for parts in sides]
        first, second = (ceiling < LOWEST_PREDICTED < low for ceiling, low in zip(self.ceilings, lowest, strict=True))
        return bool(first), bool(second)

    @property
    def swapped(self) -> "LogprobPair":
        """The same with A and B exchanged."""
        return LogprobPair(
            self.second,
            self.first,
            self.errors[::-1],
            self.second_only,
            self.first_only,
            self.ceilings[::-1],
            self.unlisted[::-1],
        )


@dataclass(frozen=True)
class Removal:
    """What a sampler removed: the number of classes in A and in B that the other response predicts, and the largest
    shift of a position's numbers, from A to B, that no temperature explains. `is_shifted` is None if either noise or a
    cutoff may explain the shift."""

    classes: tuple[int, int] = (0, 0)
    shift: float = 0.0
    is_shifted: bool | None = False

    @property
    def is_certain(self) -> bool:
        return self.is_shifted is True or self.classes != (0, 0)


@dataclass(frozen=True)
class LogprobsKind:
    """What two responses show of a server's log-probabilities.

    With the form TRUNCATED, `is_tempered` says whether the temperature is in the numbers, too; None is unknown.
    `expected` is the slope tau_A / tau_B of tempered numbers. `fit` is None if the numbers determine no slope.
    `reason` explains the form in a sentence.
    """

    form: LogprobsForm
    reason: str
    expected: float
    is_tempered: bool | None = None
    fit: SlopeFit | None = None
    removal: Removal = Removal()

    @property
    def contradicts(self) -> bool:
        """Whether the temperature is in the numbers, but not the requested one."""
        return self.is_tempered is True and self.fit is not None and not _agrees(self.fit, self.expected)


def logprobs_kind(pairs: Sequence[LogprobPair], taus: tuple[float, float], noise: float = NOISE) -> LogprobsKind:
    """Return what the log-probabilities of two responses to one text are, from the positions of the same text.

    taus: the requested temperatures of A and B. noise: the largest deviation of a log-probability that the
    server's arithmetic explains.

    >>> logits = np.array([[3.0, 2.0, 0.5, 0.0, -1.0, -2.5], [1.0, 0.8, 0.1, -0.3, -2.0, -2.2]])
    >>> logprobs = [z - np.logaddexp.reduce(z) for z in logits]
    >>> str(logprobs_kind([LogprobPair(p, p) for p in logprobs], (0.5, 1.0)).form)
    'raw'
    >>> kind = logprobs_kind([LogprobPair(2 * z - np.logaddexp.reduce(2 * z), z) for z in logprobs], (0.5, 1.0))
    >>> str(kind.form), round(kind.fit.slope, 6), kind.expected
    ('tempered', 0.5, 0.5)
    """
    expected = _expected_slope(taus)
    usable = [pair for pair in pairs if pair.is_usable]
    problem = _problem(pairs, usable, taus)
    if problem:
        return LogprobsKind(LogprobsForm.UNKNOWN, problem, expected)
    first, second = zip(*(pair.finite for pair in usable), strict=True)
    errors = (max(pair.errors[0] for pair in usable), max(pair.errors[1] for pair in usable))
    fit = fit_slope(first, second, errors, noise)
    if fit is None:
        return LogprobsKind(LogprobsForm.UNKNOWN, _UNDETERMINED, expected)
    if fit.explained < MIN_EXPLAINED or fit.outliers > MAX_OUTLIERS * fit.numbers:
        reason = f"the distributions differ by more than a temperature and a cutoff, by up to {fit.residual:.2g}"
        return LogprobsKind(LogprobsForm.UNKNOWN, reason, expected, fit=fit)
    if fit.high > MAX_RATIO * fit.low:
        reason = f"the slope is only known to be between {fit.low:.3g} and {fit.high:.3g}; request more alternatives"
        return LogprobsKind(LogprobsForm.UNKNOWN, f"{reason} or tokens", expected, fit=fit)
    kind = _kind(usable, taus, fit)
    return kind if kind.form == LogprobsForm.TRUNCATED else replace(kind, reason=kind.reason + _completeness(usable))


def _completeness(pairs: Sequence[LogprobPair]) -> str:
    """Return a clause for the reason if a sampler may have removed tokens without any other sign of it: the same ones
    from both responses, or those that the other response does not list either. Empty without such a hint."""
    complete = zip(*(pair.are_complete for pair in pairs), strict=True)
    names = [name for name, are_complete in zip("AB", complete, strict=True) if all(are_complete)]
    if not names:
        return ""
    return f"; the listed tokens have all of the probability in {joined(names)}, so a sampler may have removed others"


def _expected_slope(taus: tuple[float, float]) -> float:
    """Return the slope of tempered log-probabilities. At temperature 0, servers draw the most probable token, and
    their log-probabilities are those at temperature 1."""
    first, second = (float(tau) if tau > 0 else 1.0 for tau in taus)
    return 1.0 if first == second else first / second


def _problem(pairs: Sequence[LogprobPair], usable: Sequence[LogprobPair], taus: tuple[float, float]) -> str | None:
    """Return why the pairs show nothing, None if they may show something."""
    if not pairs:
        return "the responses have no position in common"
    if not usable and all(pair.is_certain for pair in pairs):
        return "one token has all of the probability, which a temperature near 0 and a cutoff explain alike"
    if not usable:
        return "no position has two tokens that both responses list; request more alternatives"
    if inf in taus:
        return "at τ = ∞ all tokens are equally probable; use finite temperatures"
    if not FLATTEST < _expected_slope(taus) < 1 / FLATTEST:
        return "the temperatures differ too much; use more similar ones"
    return None


def _agrees(fit: SlopeFit, slope: float) -> bool:
    return bool(fit.low * (1 - SLOPE_ERROR) <= slope <= fit.high * (1 + SLOPE_ERROR))


def _kind(pairs: Sequence[LogprobPair], taus: tuple[float, float], fit: SlopeFit) -> LogprobsKind:
    """Return the form that a well-fitted slope shows."""
    expected = _expected_slope(taus)
    is_raw, is_tempered = _agrees(fit, 1.0), _agrees(fit, expected)
    removal = _removal(pairs, fit, 1.0 if is_raw else expected if is_tempered else fit.slope)
    if is_raw and is_tempered:
        return _undecided(taus, fit, removal)
    if is_raw:
        form, reason = _untempered(removal, fit)
        return LogprobsKind(form, reason, expected, None if form == LogprobsForm.UNKNOWN else False, fit, removal)
    slope = f"differences have the slope {fit.slope:.4g}"
    other = _one_sided(fit, taus)
    if is_tempered:
        reason = f"{slope}, and the temperatures give {expected:.4g}"
    elif 0.0 in taus or fit.explained < MIN_EXPLAINED_OTHER or other:
        reason = f"{slope}, which is neither 1 nor {expected:.4g}{other}"
        return LogprobsKind(LogprobsForm.UNKNOWN, reason, expected, None, fit, removal)
    else:
        swapped = "; it fits the temperatures in the other order" * _agrees(fit, 1 / expected)
        reason = f"{slope}, but the temperatures give {expected:.4g}{swapped}"
    if removal.is_certain:
        reason = f"{reason}; {_removed(removal)}"
        return LogprobsKind(LogprobsForm.TRUNCATED, reason, expected, True, fit, removal)
    return LogprobsKind(LogprobsForm.TEMPERED, reason, expected, True, fit, removal)


def _one_sided(fit: SlopeFit, taus: tuple[float, float]) -> str:
    """Return which response alone seems to be tempered; an empty text if none does."""
    for name, other, slope in (("A", "B", taus[0]), ("B", "A", 1 / taus[1] if taus[1] else inf)):
        if _agrees(fit, slope):
            return f"; it fits tempered numbers in {name} and raw ones in {other}"
    return ""


def _undecided(taus: tuple[float, float], fit: SlopeFit, removal: Removal) -> LogprobsKind:
    """Return the form if the slope is both that of raw and that of tempered numbers."""
    expected = _expected_slope(taus)
    if taus[0] == taus[1]:
        reason = f"the temperatures are equal (τ = {taus[0]:g}), so raw and tempered numbers look alike"
    elif expected == 1.0:
        reason = "servers may compute the numbers of τ = 0 at τ = 1, so raw and tempered numbers look alike"
    else:
        reason = f"the slope {fit.slope:.3g} fits both 1 and {expected:.4g}; use temperatures that differ more"
    # A shift shows a cutoff only if the slope is known to be 1.
    if removal.classes != (0, 0) or (removal.is_certain and expected == 1.0):
        reason = f"{_removed(removal)}; {reason}"
        return LogprobsKind(LogprobsForm.TRUNCATED, reason, expected, None, fit, removal)
    return LogprobsKind(LogprobsForm.UNKNOWN, reason, expected, None, fit, removal)


def _untempered(removal: Removal, fit: SlopeFit) -> tuple[LogprobsForm, str]:
    """Return the form at the slope 1, and the reason."""
    if removal.is_certain:
        return LogprobsForm.TRUNCATED, f"differences are the same at both temperatures; {_removed(removal)}"
    if removal.is_shifted is None:
        reason = f"differences are the same, and the numbers shift by up to {abs(removal.shift):.2g}"
        return LogprobsForm.UNKNOWN, f"{reason}, which noise or a cutoff may explain; use more tokens"
    extent = f", up to {fit.residual:.2g}" if fit.residual else ""
    reason = f"the numbers are the same at both temperatures{extent}"
    hidden = -expm1(-SMALL_SHIFT * fit.scatter)
    if hidden >= SMALLEST_CUTOFF:
        reason += f", which would hide a cutoff of less than {100 * hidden:.2g} %"
    return LogprobsForm.RAW, f"{reason}; they do not show whether the temperature is applied"


def _removed(removal: Removal) -> str:
    """Return the evidence of a removal in words."""
    parts = [
        f"{name} lacks {count} token{'s' * (count != 1)} that {other} predicts"
        for name, other, count in zip("AB", "BA", removal.classes, strict=True)
        if count
    ]
    if removal.is_shifted:
        parts.append(f"the numbers of a position shift by up to {abs(removal.shift):.2g}")
    return f"a sampler removed tokens ({joined(parts)})"


def _removal(pairs: Sequence[LogprobPair], fit: SlopeFit, slope: float) -> Removal:
    """Return what a sampler removed, if the numbers have this slope."""
    # The margin is in the units of the flatter response.
    missing = (
        sum(_missing(pair.swapped, 1 / slope, fit.margin * max(1.0, 1 / slope)) for pair in pairs),
        sum(_missing(pair, slope, fit.margin * max(1.0, slope)) for pair in pairs),
    )
    reach = max(abs(slope - fit.low), abs(fit.high - slope))
    if slope > 1.0:
        inverse_reach = max(abs(1 / slope - 1 / fit.high), abs(1 / fit.low - 1 / slope))
        excess = max(_excess(pair.swapped, 1 / slope) for pair in pairs) - SHIFT_PER_SLOPE * inverse_reach
        return Removal(missing, -max(0.0, excess), is_shifted=excess > fit.margin)
    if slope < 1.0:
        excess = max(_excess(pair, slope) for pair in pairs) - SHIFT_PER_SLOPE * reach
        return Removal(missing, max(0.0, excess), is_shifted=excess > fit.margin)
    shifts = np.array([float(np.median(second - first)) for first, second in (pair.finite for pair in pairs)])
    shift = float(shifts[np.abs(shifts).argmax()])
    if abs(shift) > fit.margin + SHIFT_PER_SLOPE * reach:
        return Removal(missing, shift, is_shifted=True)
    rounding = max(pair.errors[0] + pair.errors[1] for pair in pairs)
    # Noise has either sign, and a cutoff in one response has the same sign at all positions.
    is_small = abs(shift) <= SMALL_SHIFT * fit.scatter + rounding
    is_centered = abs(shifts.mean()) <= SMALL_MEAN * fit.scatter / sqrt(len(shifts)) + rounding
    return Removal(missing, shift, is_shifted=False if is_small and is_centered else None)


def _missing(pair: LogprobPair, slope: float, margin: float) -> int:
    """Return the number of tokens with a probability in A that have none in B although they should."""
    removed = pair.first[np.isfinite(pair.first) & np.isneginf(pair.second)]
    unlisted = pair.first_only[np.isfinite(pair.first_only)]
    if not len(removed) and not len(unlisted):
        return 0
    first, second = pair.finite
    center, constant = float(np.median(first)), float(np.median(second - slope * first))

    def lowest(numbers: Array) -> Array:
        """Return the lowest log-probabilities in B that A predicts."""
        error = margin + SLOPE_ERROR * slope * np.abs(numbers - center)
        return np.asarray(constant + slope * numbers - error)

    count = int((lowest(removed) > LOWEST_PREDICTED).sum())
    return count + int((lowest(unlisted) > max(pair.ceilings[1], LOWEST_PREDICTED)).sum())


def _excess(pair: LogprobPair, slope: float) -> float:
    """Return by how much B's numbers are higher than they can be if B, at the higher temperature, has all classes that
    A has. The unlisted classes of A count least if as few as possible have all of their probability."""
    first, second = pair.finite
    constant = float(np.median(second - slope * first))
    listed = np.concatenate([pair.first, pair.first_only])
    log_sum = float(np.logaddexp.reduce(slope * listed[listed > -inf]))
    rest, ceiling = pair.unlisted[0], pair.ceilings[0]
    if rest > 0.0 and LOWEST_PREDICTED < ceiling < inf:
        full, part = divmod(rest, exp(ceiling))
        log_sum = log(exp(log_sum) + full * exp(slope * ceiling) + part**slope)
    return constant + log_sum
