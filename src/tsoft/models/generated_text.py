"""Texts that a model generates: their tokens, and where they end."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tsoft.models.tokens import NextDistribution, Tokens

# Why a text ends: the model ended it, it reached a stop text or the maximum number of tokens, the user interrupted it,
# or the model failed.
END, STOP, LENGTH, INTERRUPTED, FAILED = "end", "stop", "length", "interrupted", "error"


@dataclass(frozen=True, eq=False)
class GeneratedToken:
    """A token of a text.

    `prob` is the probability with which it was chosen, and `logprob` its log-probability under the model at τ = 1.
    `alternatives` are the most probable tokens at this position, each with its log-probability. `rank` is the token's
    rank by its log-probability, ">N" if it is only known to be above N; None without alternatives. `states` are the
    states of the samplers with which it was drawn, by the names of their parameters.
    """

    token: int
    prob: float
    logprob: float
    alternatives: tuple[tuple[int, float], ...] = ()
    rank: int | str | None = None
    states: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class GeneratedText:
    """A prompt and its continuation.

    `all_tokens` are the tokens of both. For the continuation, `generated` are the tokens, including one that ends it,
    `data` their bytes, `logprob` their log-probability under the model at τ = 1, and `finish` why it ends; None for an
    unfinished text.
    """

    all_tokens: Tokens
    generated: tuple[GeneratedToken, ...] = ()
    data: bytes = b""
    logprob: float = 0.0
    finish: str | None = None

    def ended(self, finish: str) -> "GeneratedText":
        """Return the text, ended for this reason unless it has already ended."""
        return self if self.finish else replace(self, finish=finish)

    @property
    def tokens(self) -> Tokens:
        """The tokens of the continuation, without a token that ends it."""
        return tuple(token.token for token in (self.generated[:-1] if self.finish == END else self.generated))


@dataclass(frozen=True)
class ChosenClass:
    """The class at `index` of a distribution, the probability with which it was chosen, and the states of the samplers
    before the choice, by the names of their parameters."""

    index: int
    prob: float
    states: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TextLimits:
    """The limits of a text: it ends after `max_tokens`, at a token that `ends` it, or before one of the `stops`.

    `piece` returns the bytes of a token. `alternatives` is the number of alternatives that each generated token keeps.
    """

    piece: Callable[[int], bytes]
    ends: Callable[[int], bool]
    max_tokens: int
    stops: tuple[bytes, ...] = ()
    alternatives: int = 0

    def extended(self, text: GeneratedText, following: NextDistribution, choice: ChosenClass) -> GeneratedText:
        """Return the text with one more token: a class of the distribution after the text."""
        index = choice.index
        token, logprob = following.token(index), following.logprob(index)
        alternatives = tuple((following.token(i), logprob) for i, logprob in following.best(self.alternatives))
        rank = following.rank(index) if self.alternatives else None
        generated = (*text.generated, GeneratedToken(token, choice.prob, logprob, alternatives, rank, choice.states))
        piece = self.piece(token)
        text = GeneratedText((*text.all_tokens, token), generated, text.data + piece, text.logprob + logprob)
        if self.ends(token):
            return text.ended(END)
        # Earlier stop texts have ended the text already, so search only where this token can complete one.
        starts = [max(0, len(text.data) - len(piece) - len(stop) + 1) for stop in self.stops]
        places = [text.data.find(stop, start) for stop, start in zip(self.stops, starts, strict=True)]
        if max(places, default=-1) >= 0:
            return self._cut(text, min(place for place in places if place >= 0))
        return text.ended(LENGTH) if len(generated) >= self.max_tokens else text

    def _cut(self, text: GeneratedText, end: int) -> GeneratedText:
        """Return the first `end` bytes of the text, with the tokens that begin before that position."""
        starts = itertools.accumulate((len(self.piece(token.token)) for token in text.generated), initial=0)
        kept = tuple(token for token, start in zip(text.generated, starts, strict=False) if start < end)
        all_tokens = text.all_tokens[: len(text.all_tokens) - len(text.generated) + len(kept)]
        return GeneratedText(all_tokens, kept, text.data[:end], sum(token.logprob for token in kept), STOP)
