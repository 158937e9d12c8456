"""Fake language models with a few tokens, for tests of code that works with any model."""

import threading
from collections.abc import Sequence

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.input.labels import token_label
from tsoft.models.tokens import NextDistribution, Tokens

END, PARIS, LYON, COMMA, THE, CITY, OF, LIGHT, FIRST_HALF, SECOND_HALF, RED, BREAK, STOP = range(13)
PIECES = [b"", b" Paris", b" Lyon", b",", b" the", b" city", b" of", b" light", b"\xc3", b"\xa9"]
PIECES += [b"\x1b[31mred", b"\n", b"."]
# The most probable next token, by far.
CHAIN = {THE: PARIS, PARIS: COMMA, COMMA: LIGHT, LIGHT: FIRST_HALF, FIRST_HALF: SECOND_HALF, SECOND_HALF: RED}
CHAIN |= {RED: BREAK, BREAK: CITY, CITY: OF, OF: LYON, LYON: STOP, STOP: END, END: END}


class Markov:
    """A model whose next token depends only on the last token. It looks up the logits in a table."""

    name: str = "a fake"
    vocab_size: int | None = len(PIECES)
    context_length: int | None = None
    has_prompt_tokens = True

    def __init__(self) -> None:
        self.labels = ("<end>", *map(token_label, PIECES[1:]))
        self.table = np.random.default_rng(8).normal(size=(len(PIECES),) * 2)
        for token, following in CHAIN.items():
            self.table[token, following] = self.table[token].max() + 1
        self.requested: list[Tokens] = []
        self.closed = 0
        # A test sets an exception to raise, or a semaphore that `next` waits for.
        self.fails: Exception | None = None
        self.gate = threading.Semaphore(10**6)

    def prompt(self, text: str) -> Tokens:
        return (THE,)

    def piece(self, token: int) -> bytes:
        return PIECES[token]

    def label(self, token: int) -> str:
        return self.labels[token]

    def ends(self, token: int) -> bool:
        return token == END

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        self.requested += texts
        assert self.gate.acquire(timeout=30)
        if self.fails:
            raise self.fails
        return [self.after(text[-1]) for text in texts]

    def after(self, token: int) -> NextDistribution:
        return NextDistribution(Block(self.table[token : token + 1], self.labels))

    def close(self) -> None:
        self.closed += 1


class Remote(Markov):
    """A model that lists only the five most probable tokens, as an API does."""

    def after(self, token: int) -> NextDistribution:
        # A process of a test that needs only the other model starts faster without scipy.
        from scipy.special import log_softmax

        logprobs = log_softmax(self.table[token])
        tokens = np.argsort(-logprobs)[:5]
        listed = logprobs[tokens]
        partial = PartialDistribution(listed, 0, float(listed[-1]))
        return NextDistribution(
            Block(listed[np.newaxis], tuple(self.labels[i] for i in tokens), partial=partial), tokens
        )
