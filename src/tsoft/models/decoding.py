"""Decoding: from next-token distributions to texts, by sampling, greedily or with a beam search.

A decoder requests the distributions after its texts, and extends the texts by them. `run_decoders` combines the
requests of several decoders, so that a model works on all their texts at once.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tsoft.core.draw import draws
from tsoft.models.generated_text import ChosenClass, GeneratedText, TextLimits
from tsoft.models.model import TEXTS_AT_ONCE
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.chain import Chain
from tsoft.sampling.step import PartialDistributionError


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
        if chain and chain.has_state:
            # The new states depend on the effect of each step.
            result = result.with_stages()
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
