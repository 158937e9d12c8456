"""N-gram models: the time to build one from a text, and to predict the next token."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pairs import Measure, Pair, call

from tsoft.models.ngram import By, Ngram, pieces

SIZE, WORDS = 1_000_000, 50_000


def text(size: int) -> str:
    """Return random text of `size` characters. The words follow Zipf's law with exponent 1, as in real language."""
    random = np.random.default_rng(1)
    letters = random.integers(ord("a"), ord("z") + 1, (WORDS, 12))
    names = [bytes(row[:length].tolist()).decode() for row, length in zip(letters, 2 + letters[:, 0] % 9, strict=True)]
    weights = 1 / np.arange(1, WORDS + 1)
    drawn = random.choice(WORDS, size // 4, p=weights / weights.sum())
    return " ".join(names[word] for word in drawn.tolist())[:size]


def build(by: By, order: int) -> tuple[Measure, Measure]:
    """Compare with a program that only counts the same n-grams."""
    whole = text(SIZE)

    def theirs() -> object:
        tokens = pieces(whole, by)
        return [Counter(zip(*(tokens[i:] for i in range(length)), strict=False)) for length in range(1, order + 1)]

    return call(lambda: Ngram(whole, by, order, "text")), call(theirs)


def query(_: Path) -> tuple[Measure, Measure]:
    """Compare with a log-softmax of the same number of logits, which other models need for each token."""
    from scipy.special import log_softmax

    model = Ngram(text(8 * SIZE), "word", 3, "text")
    tokens = model.prompt(text(SIZE))
    texts = [tokens[:stop] for stop in range(50, 150)]
    logits = model.next([()])[0].block.logits

    def theirs() -> object:
        return [log_softmax(logits, -1) for _ in texts]

    return call(lambda: [model.next([text]) for text in texts]), call(theirs)


PAIRS: Sequence[Pair] = (
    Pair(
        "3-gram model of 1 MB of words",
        "collections.Counter alone",
        lambda _: build("word", 3),
        1,
        repeat=7,
        typical=min,
    ),
    Pair(
        "8-gram model of 1 MB of characters",
        "collections.Counter alone",
        lambda _: build("char", 8),
        0.3,
        repeat=5,
        typical=min,
    ),
    Pair("next word of 100 texts, ~50000 words", "100 × scipy's log_softmax", query, 3, "scipy", 7, min),
)
