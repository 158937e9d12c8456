"""What texts cost and how much they repeat themselves."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, nan

from tsoft.core.decoding import Continuation

# Of so many tokens are the n-grams that count as repeated.
LONG = 4


def ngrams(tokens: Sequence[int], n: int) -> list[tuple[int, ...]]:
    """The n-grams of a text, one for each place that has one.

    >>> ngrams([1, 2, 3], 2)
    [(1, 2), (2, 3)]
    """
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))


def distinct(texts: Iterable[Sequence[int]], n: int) -> float:
    """The share of different ones among the n-grams of all texts; NaN where there is none. Source: Li, Galley,
    Brockett, Gao & Dolan 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models",
    section 5.2.

    >>> distinct([[1, 2, 1], [1, 3]], 1)
    0.6
    """
    found = [ngram for tokens in texts for ngram in ngrams(tokens, n)]
    return len(set(found)) / len(found) if found else nan


def repeated(texts: Iterable[Sequence[int]], n: int = LONG) -> float:
    """The share of n-grams that were there before in their own text; NaN where there is none. Source: Welleck,
    Kulikov, Roller, Dinan, Cho & Weston 2020, "Neural Text Generation With Unlikelihood Training", section 6.1,
    "seq-rep-n", here over all texts.

    >>> repeated([[1, 1, 1], [2, 1]], 1)
    0.4
    """
    counts = [Counter(ngrams(tokens, n)) for tokens in texts]
    total = sum(count.total() for count in counts)
    return 1 - sum(map(len, counts)) / total if total else nan


@dataclass(frozen=True)
class Summary:
    """Of texts that were made in one way: how many tokens they have, signs that end them among them; their mean
    log-probability, under the model at τ = 1, a text and a token; and how much they repeat themselves."""

    texts: int
    tokens: int
    logprob: float
    mean_logprob: float
    distinct_1: float
    distinct_2: float
    repeated_4: float

    @property
    def sequence_perplexity(self) -> float:
        """exp of the negative mean a token. Source: Jelinek, Mercer, Bahl & Baker 1977, "Perplexity: a measure of
        the difficulty of speech recognition tasks"."""
        return exp(-self.mean_logprob) if self.mean_logprob > -700 else inf


def summary(texts: Sequence[Continuation]) -> Summary:
    """Of one or more texts."""
    tokens = sum(len(text.steps) for text in texts)
    logprob = sum(text.logprob for text in texts)
    own = [text.tokens for text in texts]
    return Summary(
        len(texts),
        tokens,
        logprob / len(texts),
        logprob / tokens if tokens else nan,
        distinct(own, 1),
        distinct(own, 2),
        repeated(own),
    )
