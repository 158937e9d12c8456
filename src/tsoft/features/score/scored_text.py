"""The tokens of a text with their probabilities under a model, at several temperatures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from tsoft.core.softmax import Array, log_softmax
from tsoft.features.score.spans import Span, least_probable
from tsoft.features.score.tau_curve import BestTau, TauCurve, perplexity, token_costs
from tsoft.models.tokens import NextDistribution


@dataclass(frozen=True, eq=False)
class ScoredToken:
    """A token of a text: its number in the vocabulary, its log-probability at τ = 1, its rank, ">N" if it is only known
    to be above N, and the most probable tokens at its position, with their log-probabilities."""

    token: int
    logprob: float
    rank: int | str
    alternatives: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Totals:
    """The log-probability of the tokens of a text at a temperature, and their number and the number of their bytes."""

    tau: float
    tokens: int
    size: int
    logprob: float

    @property
    def mean_logprob(self) -> float:
        return self.logprob / self.tokens if self.tokens else np.nan

    @property
    def sequence_perplexity(self) -> float:
        return perplexity(self.logprob, self.tokens)

    @property
    def bits_per_byte(self) -> float:
        return -self.logprob / np.log(2) / self.size if self.size else np.nan


@dataclass(frozen=True, eq=False)
class Measurements:
    """The measures of scored tokens: their log-probabilities and the entropies of their distributions at k
    temperatures, (tokens, k) each, and the curve over τ, without the tokens of probability 0. An entropy is NaN if the
    distribution is not known as a whole, and the curve is then None."""

    logprobs: Array
    entropies: Array
    curve: TauCurve | None


class TokenMeter:
    """Measures the tokens of a text, one after the other, at temperatures of which the last is 1. It keeps
    `alternatives` of each distribution."""

    def __init__(self, taus: Array, alternatives: int, *, has_curve: bool):
        self._taus, self._alternatives, self._has_curve = taus, alternatives, has_curve
        self.tokens: list[ScoredToken] = []
        self._logprobs: list[Array] = []
        self._entropies: list[Array] = []
        self._costs: list[tuple[Array, Array, Array, float, float]] = []

    def add(self, following: NextDistribution, index: int | None, token: int) -> None:
        """Add the token at an index of a distribution. It is None if the model has no such token: its probability is 0,
        and it ranks below all others."""
        best = tuple((following.token(i), logprob) for i, logprob in following.best(self._alternatives))
        rank = following.block.logits.shape[1] + 1 if index is None else following.rank(index)
        if following.block.partial is None:
            logprobs, entropies = self._measured(following.block.logits[0], index)
        else:
            assert index is not None
            logprobs = np.where(self._taus == 1, following.logprob(index), np.nan)
            entropies = np.full(len(self._taus), np.nan)
            self._has_curve = False
        self._logprobs.append(logprobs)
        self._entropies.append(entropies)
        self.tokens.append(ScoredToken(token, float(logprobs[-1]), rank, best))

    def _measured(self, row: Array, index: int | None) -> tuple[Array, Array]:
        """Return the log-probabilities of a class of a row, and the entropies, (k,) each. Add the costs to the
        curve."""
        log_probs = log_softmax(row.astype(np.float64), self._taus)
        with np.errstate(invalid="ignore"):
            entropies = -np.where(log_probs > -np.inf, np.exp(log_probs) * log_probs, 0.0).sum(-1) + 0.0
        if index is None:
            return np.full(len(self._taus), -np.inf), entropies
        if self._has_curve and row[index] > -np.inf:
            self._costs.append(token_costs(row, index))
        return log_probs[:, index], entropies

    def measurements(self) -> Measurements:
        """Return the measures of all tokens so far."""
        columns = [np.array(column) for column in zip(*self._costs, strict=True)]
        curve = TauCurve(*columns) if self._has_curve and columns else None
        return Measurements(np.array(self._logprobs), np.array(self._entropies), curve)


@dataclass(frozen=True, eq=False)
class ScoredText:
    """A text after a prompt, and its tokens.

    `pieces` are the bytes that the tokens add to the text and `labels` their names. `first` is the label of its first
    token if it is not scored. The measures are at `taus`, (k,); those at τ = 1 are the last ones.
    """

    name: str
    tokens: Sequence[ScoredToken]
    pieces: Sequence[bytes]
    labels: Sequence[str]
    taus: Array
    measurements: Measurements
    best: BestTau | None
    first: str | None = None
    windows: int = 1

    @cached_property
    def impossible(self) -> Array:
        """A mask of the tokens of probability 0 under the model, which the totals leave out: (tokens,)."""
        return np.array([token.logprob == -np.inf for token in self.tokens])

    def totals(self, k: int) -> Totals:
        """Return the totals at a temperature, without the tokens of probability 0 at τ = 1. They are NaN if there is no
        other token."""
        known = ~self.impossible
        size = sum(len(self.pieces[i]) for i in np.flatnonzero(known).tolist())
        logprob = float(self.measurements.logprobs[known, k].sum()) if known.any() else np.nan
        return Totals(float(self.taus[k]), int(known.sum()), size, logprob)

    @cached_property
    def spans(self) -> list[Span]:
        """The least probable spans at τ = 1, the largest excess first. They contain no token of probability 0."""
        surprises = [-token.logprob for token in self.tokens]
        known = [surprise for surprise in surprises if surprise < np.inf]
        if not known:
            return []
        mean = sum(known) / len(known)
        ends = [-1, *np.flatnonzero(self.impossible).tolist(), len(surprises)]
        spans = [
            Span(span.start + before + 1, span.stop + before + 1, span.excess)
            for before, after in pairwise(ends)
            for span in least_probable(surprises[before + 1 : after], mean)
        ]
        return sorted(spans, key=lambda span: -span.excess)
