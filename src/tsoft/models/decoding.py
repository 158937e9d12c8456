"""Decoding: from next-token distributions to texts, by sampling, greedily or with a beam search.

A decoder requests the distributions after its texts, and extends the texts by them. `run_decoders` combines the
requests of several decoders, so that a model works on all their texts at once.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from tsoft.core.draw import draws
from tsoft.models.model import TEXTS_AT_ONCE
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.chain import Chain
from tsoft.sampling.step import PartialDistributionError

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
class TextLimits:
    """The limits of a text: it ends after `max_tokens`, at a token that `ends` it, or before one of the `stops`.

    `piece` returns the bytes of a token. `alternatives` is the number of alternatives that each generated token keeps.
    """

    piece: Callable[[int], bytes]
    ends: Callable[[int], bool]
    max_tokens: int
    stops: tuple[bytes, ...] = ()
    alternatives: int = 0

    def extended(self, text: GeneratedText, following: NextDistribution, choice: "ChosenClass") -> GeneratedText:
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


class Decoder(Protocol):
    """A generator of one text or several."""

    @property
    def requested(self) -> list[Tokens]:
        """The texts after which the decoder needs the distribution; empty when it is done."""

    def advance(self, distributions: Sequence[NextDistribution]) -> None:
        """Add a token to each text, by the distributions after the requested texts."""

    def stop(self, finish: str) -> None:
        """End all unfinished texts for this reason."""

    @property
    def texts(self) -> list[GeneratedText]:
        """The texts so far, the best one first."""


def run_decoders(
    next_: Callable[[Sequence[Tokens]], list[NextDistribution]], decoders: Sequence[Decoder]
) -> Iterator[None]:
    """Advance all decoders until they are done. Yield after each round, which calls the model once.

    If the decoders have more than `TEXTS_AT_ONCE` texts, the first decoders run first.
    """
    while batch := _batch(decoders):
        distributions = iter(next_([text for _, requested in batch for text in requested]))
        for decoder, requested in batch:
            decoder.advance(list(itertools.islice(distributions, len(requested))))
        yield


def _batch(decoders: Sequence[Decoder]) -> list[tuple[Decoder, list[Tokens]]]:
    """Return the first unfinished decoders, each with its requested texts.

    These are as many decoders as the model can work on at once, but at least one.
    """
    batch: list[tuple[Decoder, list[Tokens]]] = []
    count = 0
    for decoder in decoders:
        requested = decoder.requested
        count += len(requested)
        if batch and count > TEXTS_AT_ONCE:
            break
        if requested:
            batch.append((decoder, requested))
    return batch


@dataclass(frozen=True)
class ChosenClass:
    """The class at `index` of a distribution, the probability with which it was chosen, and the states of the samplers
    before the choice, by the names of their parameters."""

    index: int
    prob: float
    states: Mapping[str, float] = field(default_factory=dict)


# Chooses a class of the distribution after a text.
TokenChooser = Callable[[NextDistribution, GeneratedText], ChosenClass]


def token_sampler(
    tau: float, chain_after: Callable[[NextDistribution, GeneratedText], Chain | None], generator: np.random.Generator
) -> TokenChooser:
    """Return a function that draws the tokens of a text at a temperature, after a chain of samplers.

    Each token takes one number from the generator. The function keeps the states of the samplers.

    >>> from tsoft.core.block import Block
    >>> distribution = NextDistribution(Block(np.array([[0.0, 9.0, -np.inf]])))
    >>> token_sampler(0.0, lambda *_: None, np.random.default_rng(1))(distribution, GeneratedText(()))
    ChosenClass(index=1, prob=1.0, states={})
    """
    taus = np.array([tau])
    states: tuple[object, ...] | None = None

    def choose(distribution: NextDistribution, text: GeneratedText) -> ChosenClass:
        nonlocal states
        chain = chain_after(distribution, text)
        if chain and states is not None:
            chain = chain.with_states(states)
        result = compute_distributions(distribution.block, taus, chain)
        if chain and not result.exact[0]:
            problem = "the alternatives that the server lists do not determine the distribution after the samplers"
            raise PartialDistributionError(0, problem)
        probs = result.probs[0, 0]
        [[index]] = draws(probs, 1, generator)
        if chain and chain.has_state:
            states = chain.after_draw(result.stages(0, 0), int(index)).states
        return ChosenClass(int(index), float(probs[index]), chain.named_states if chain else {})

    return choose


def greedy_token(distribution: NextDistribution, text: GeneratedText) -> ChosenClass:
    """Return the first of the most probable classes, and its probability under the model."""
    index = int(distribution.block.logits[0].argmax())
    return ChosenClass(index, float(np.exp(distribution.logprob(index))))


@dataclass(eq=False)
class SequenceDecoder:
    """A decoder that generates one text by choosing one token after another."""

    text: GeneratedText
    choose: TokenChooser
    limits: TextLimits

    @property
    def requested(self) -> list[Tokens]:
        return [self.text.all_tokens] if self.text.finish is None else []

    def advance(self, distributions: Sequence[NextDistribution]) -> None:
        [distribution] = distributions
        self.text = self.limits.extended(self.text, distribution, self.choose(distribution, self.text))

    def stop(self, finish: str) -> None:
        self.text = self.text.ended(finish)

    @property
    def texts(self) -> list[GeneratedText]:
        return [self.text]


@dataclass(eq=False)
class BeamSearch:
    """A decoder that repeatedly extends the `width` best texts by their best tokens.

    Source: Lowerre 1976, "The Harpy speech recognition system".

    The score of a text is its log-probability divided by its number of tokens to the power of `penalty`: 0 compares
    log-probabilities, and 1 compares means per token. The search ends when no unfinished text can reach a higher score
    than the finished ones.
    """

    start: GeneratedText
    width: int
    penalty: float
    limits: TextLimits
    unfinished: list[GeneratedText] = field(default_factory=list)
    finished: list[GeneratedText] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unfinished = [self.start]

    def score(self, text: GeneratedText) -> float:
        return text.logprob / math.pow(max(1, len(text.generated)), self.penalty)

    @property
    def requested(self) -> list[Tokens]:
        return [text.all_tokens for text in self.unfinished]

    def advance(self, distributions: Sequence[NextDistribution]) -> None:
        candidates = sorted(
            (-(text.logprob + logprob), t, index)
            for t, (text, distribution) in enumerate(zip(self.unfinished, distributions, strict=True))
            for index, logprob in distribution.best(2 * self.width)
        )
        previous, self.unfinished = self.unfinished, []
        # Twice the width, so that texts that end here do not take the place of unfinished ones.
        for _, t, index in candidates[: 2 * self.width]:
            choice = ChosenClass(index, float(np.exp(distributions[t].logprob(index))))
            text = self.limits.extended(previous[t], distributions[t], choice)
            if text.finish is not None:
                self.finished.append(text)
            elif len(self.unfinished) < self.width:
                self.unfinished.append(text)
        self.finished = sorted(self.finished, key=self.score, reverse=True)[: self.width]
        if len(self.finished) == self.width:
            lowest_score = self.score(self.finished[-1])
            self.unfinished = [text for text in self.unfinished if self._highest_score(text) > lowest_score]

    def stop(self, finish: str) -> None:
        self.finished, self.unfinished = [*self.finished, *(text.ended(finish) for text in self.unfinished)], []

    def _highest_score(self, text: GeneratedText) -> float:
        """Return an upper bound on the score of all continuations of a text.

        The log-probability can only fall, and the largest number of tokens divides it most.
        """
        return text.logprob / math.pow(self.limits.max_tokens, self.penalty)

    @property
    def texts(self) -> list[GeneratedText]:
        return sorted([*self.finished, *self.unfinished], key=self.score, reverse=True)[: self.width]


# The kinds of strategies.
SAMPLE, GREEDY, BEAM = "sample", "greedy", "beam"


@dataclass(frozen=True, eq=False)
class Strategy:
    """A decoding strategy and its decoders.

    Sampling has a temperature, and a chain if samplers are on. A beam search has a width.
    """

    kind: str
    decoders: Sequence[Decoder]
    tau: float | None = None
    chain: Chain | None = None
    width: int | None = None

    @property
    def name(self) -> str:
        """The kind, with the width of a beam search."""
        return self.kind if self.width is None else f"{self.kind} {self.width}"

    @property
    def texts(self) -> list[GeneratedText]:
        """All texts so far. For a beam search, the best text is the first."""
        return [text for decoder in self.decoders for text in decoder.texts]

    @property
    def best(self) -> list[GeneratedText]:
        """The texts to show: all of them, but only the best one of a beam search."""
        return self.texts[:1] if self.kind == BEAM else self.texts

    @property
    def engine(self) -> str | None:
        return self.chain.engine.name if self.chain and self.chain.engine else None
