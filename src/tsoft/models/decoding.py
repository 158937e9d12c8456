"""From next-token distributions to texts: drawn token by token, greedy, or searched for by a beam.

A search asks for what comes after some texts and goes on by the answer. `rounds` puts what several searches ask
for into one question, so that a model answers for all of them at once.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tsoft.core.block import Block
from tsoft.core.draw import draws
from tsoft.models.tokens import Next, Tokens
from tsoft.sampling.distributions import Distributions

if TYPE_CHECKING:
    from tsoft.sampling.chain import Chain

# Why a text ends: its model ends it, it has a text to stop at, or as many tokens as it may have; or before, since
# its user ends it, or its model fails.
END, STOP, LENGTH, INTERRUPTED, FAILED = "end", "stop", "length", "interrupted", "error"


@dataclass(frozen=True, eq=False)
class Step:
    """A token of a text: the probability with which it was drawn, its log-probability under the model at τ = 1,
    and the tokens most probable there, with theirs, as many as are kept."""

    token: int
    prob: float
    logprob: float
    alternatives: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Continuation:
    """A prompt and what goes on it: the tokens of both, the steps, the bytes that they add, the log-probability of
    the sequence under the model at τ = 1, and why it ends, None while it does not. A sign that ends it is one of
    the steps."""

    whole: Tokens
    steps: tuple[Step, ...] = ()
    data: bytes = b""
    logprob: float = 0.0
    finish: str | None = None

    def ended(self, finish: str) -> "Continuation":
        """The text that goes no further, for this reason where it has none."""
        return self if self.finish else replace(self, finish=finish)

    @property
    def tokens(self) -> Tokens:
        """Those of the text itself, without the sign that ends it."""
        return tuple(step.token for step in (self.steps[:-1] if self.finish == END else self.steps))


@dataclass(frozen=True)
class TextLimits:
    """How a text's tokens are read and where it ends: after `most` tokens, at a token that `ends` it, or where it
    has one of the `stops`, which is cut off. So many `alternatives` are kept of each step."""

    piece: Callable[[int], bytes]
    ends: Callable[[int], bool]
    most: int
    stops: tuple[bytes, ...] = ()
    alternatives: int = 0

    def extended(self, text: Continuation, next_: Next, index: int, prob: float) -> Continuation:
        """The text with a further token, a class of what was said of it."""
        token = next_.token(index)
        alternatives = tuple((next_.token(i), logprob) for i, logprob in next_.best(self.alternatives))
        step = Step(token, prob, next_.logprob(index), alternatives)
        piece = self.piece(token)
        text = Continuation((*text.whole, token), (*text.steps, step), text.data + piece, text.logprob + step.logprob)
        if self.ends(token):
            return text.ended(END)
        # A stop that was there before has ended the text before.
        starts = [max(0, len(text.data) - len(piece) - len(stop) + 1) for stop in self.stops]
        places = [text.data.find(stop, start) for stop, start in zip(self.stops, starts, strict=True)]
        if max(places, default=-1) >= 0:
            return self._cut(text, min(place for place in places if place >= 0))
        return text.ended(LENGTH) if len(text.steps) >= self.most else text

    def _cut(self, text: Continuation, place: int) -> Continuation:
        """The text up to a byte, with the tokens that begin before it."""
        starts = itertools.accumulate((len(self.piece(step.token)) for step in text.steps), initial=0)
        kept = tuple(step for step, start in zip(text.steps, starts, strict=False) if start < place)
        whole = text.whole[: len(text.whole) - len(text.steps) + len(kept)]
        return Continuation(whole, kept, text.data[:place], sum(step.logprob for step in kept), STOP)


class Search(Protocol):
    """A way to texts."""

    @property
    def asked(self) -> list[Tokens]:
        """The texts of which it asks what comes next; none once it is done."""
        ...

    def answer(self, found: Sequence[Next]) -> None:
        """Goes on by what comes next."""
        ...

    def stop(self, finish: str) -> None:
        """Ends what is not ended, and says why."""
        ...

    @property
    def texts(self) -> list[Continuation]:
        """What it has so far, the best first."""
        ...


def rounds(ask: Callable[[Sequence[Tokens]], list[Next]], searches: Sequence[Search]) -> Iterator[None]:
    """Brings all searches to their end, a round of one question at a time."""
    while wanted := [(search, asked) for search in searches if (asked := search.asked)]:
        found = iter(ask([text for _, asked in wanted for text in asked]))
        for search, asked in wanted:
            search.answer(list(itertools.islice(found, len(asked))))
        yield


# Chooses a class of what comes next, and says with which probability.
Choice = Callable[[Next], tuple[int, float]]


def drawing(tau: float, chain_of: "Callable[[Block], Chain | None]", generator: np.random.Generator) -> Choice:
    """Draws from what a chain leaves at a temperature: a number of the generator's stream for each token.

    >>> next_ = Next(Block(np.array([[0.0, 9.0, -np.inf]])))
    >>> drawing(0.0, lambda _: None, np.random.default_rng(1))(next_)
    (1, 1.0)
    """
    taus = np.array([tau])

    def choose(next_: Next) -> tuple[int, float]:
        probs = Distributions(next_.block, taus, chain_of(next_.block)).probs[0, 0]
        [[index]] = draws(probs, 1, generator)
        return int(index), float(probs[index])

    return choose


def most_probable(next_: Next) -> tuple[int, float]:
    """The first of the classes that are most probable, with its probability under the model."""
    index = int(next_.block.logits[0].argmax())
    return index, float(np.exp(next_.logprob(index)))


@dataclass(eq=False)
class Walk:
    """One text, a chosen token after the other."""

    text: Continuation
    choose: Choice
    limits: TextLimits

    @property
    def asked(self) -> list[Tokens]:
        return [self.text.whole] if self.text.finish is None else []

    def answer(self, found: Sequence[Next]) -> None:
        [next_] = found
        self.text = self.limits.extended(self.text, next_, *self.choose(next_))

    def stop(self, finish: str) -> None:
        self.text = self.text.ended(finish)

    @property
    def texts(self) -> list[Continuation]:
        return [self.text]


@dataclass(eq=False)
class Beam:
    """The `width` texts that are best so far, each with its best tokens, again and again (Lowerre 1976, "The Harpy
    speech recognition system"). A text's score is its log-probability over its number of tokens to the power of
    `penalty`: 0 compares log-probabilities, 1 their means a token. The search ends when no text that is not
    ended can come before those that are."""

    start: Continuation
    width: int
    penalty: float
    limits: TextLimits
    alive: list[Continuation] = field(default_factory=list)
    ended: list[Continuation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.alive = [self.start]

    def score(self, text: Continuation) -> float:
        return text.logprob / math.pow(max(1, len(text.steps)), self.penalty)

    @property
    def asked(self) -> list[Tokens]:
        return [text.whole for text in self.alive]

    def answer(self, found: Sequence[Next]) -> None:
        further = sorted(
            (
                (text.logprob + logprob, t, index)
                for t, (text, next_) in enumerate(zip(self.alive, found, strict=True))
                for index, logprob in next_.best(2 * self.width)
            ),
            key=lambda one: (-one[0], *one[1:]),
        )
        before, self.alive = self.alive, []
        # A text that ends takes no other's place: twice as many are looked at.
        for _, t, index in further[: 2 * self.width]:
            text = self.limits.extended(before[t], found[t], index, float(np.exp(found[t].logprob(index))))
            if text.finish is not None:
                self.ended.append(text)
            elif len(self.alive) < self.width:
                self.alive.append(text)
        self.ended = sorted(self.ended, key=self.score, reverse=True)[: self.width]
        if len(self.ended) == self.width:
            least = self.score(self.ended[-1])
            self.alive = [text for text in self.alive if self._at_best(text) > least]

    def stop(self, finish: str) -> None:
        self.ended, self.alive = [*self.ended, *(text.ended(finish) for text in self.alive)], []

    def _at_best(self, text: Continuation) -> float:
        """No score of what goes on a text is above this: a log-probability only falls, and most tokens divide it
        the most."""
        return text.logprob / math.pow(self.limits.most, self.penalty)

    @property
    def texts(self) -> list[Continuation]:
        return sorted([*self.ended, *self.alive], key=self.score, reverse=True)[: self.width]


# The ways to a text.
SAMPLE, GREEDY, BEAM = "sample", "greedy", "beam"


@dataclass(frozen=True, eq=False)
class Strategy:
    """A way from a prompt to texts, and the searches that go it. One that samples has a temperature, and a chain
    where there are samplers; a beam has a width."""

    kind: str
    searches: Sequence[Search]
    tau: float | None = None
    chain: "Chain | None" = None
    width: int | None = None

    @property
    def texts(self) -> list[Continuation]:
        """What it has so far; a beam's best is the first."""
        return [text for search in self.searches for text in search.texts]

    @property
    def best(self) -> list[Continuation]:
        """Those that stand for it: of a beam one alone."""
        return self.texts[:1] if self.kind == BEAM else self.texts

    @property
    def engine(self) -> str | None:
        return self.chain.engine.name if self.chain and self.chain.engine else None
