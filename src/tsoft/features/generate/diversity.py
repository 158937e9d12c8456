"""What texts cost and how much they repeat themselves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, isnan, nan
from statistics import fmean

from tsoft.models.decoding import GeneratedText

# Of so many tokens are the n-grams that count as repeated.
LONG = 4


def ngrams(tokens: Sequence[int], n: int) -> list[tuple[int, ...]]:
    """The n-grams of a text, one for each place that has one.

    >>> ngrams([1, 2, 3], 2)
    [(1, 2), (2, 3)]
    """
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))


def distinct(tokens: Sequence[int], n: int) -> float:
    """The share of different ones among a text's n-grams; NaN where it has none. Source: Li, Galley, Brockett, Gao
    & Dolan 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", section 5.2.

    >>> distinct([1, 2, 1, 3], 1)
    0.75
    """
    found = ngrams(tokens, n)
    return len(set(found)) / len(found) if found else nan


def repeated(tokens: Sequence[int], n: int = LONG) -> float:
    """The share of a text's n-grams that were there before; NaN where it has none. Source: Welleck, Kulikov, Roller,
    Dinan, Cho & Weston 2020, "Neural Text Generation With Unlikelihood Training", section 6.1, "seq-rep-n".

    >>> repeated([1, 1, 1, 2], 1)
    0.5
    """
    return 1 - distinct(tokens, n)


@dataclass(frozen=True)
class Summary:
    """Of texts that were made in one way, each a mean over the texts: how many tokens they have, signs that end
    them among them; their log-probability under the model at τ = 1; and how much each repeats itself. The mean
    log-probability is one a token."""

    tokens: float
    logprob: float
    mean_logprob: float
    distinct_1: float
    distinct_2: float
    repeated_4: float

    @property
    def sequence_perplexity(self) -> float:
        """exp of the negative mean a token, NaN where there is none. Source: Jelinek, Mercer, Bahl & Baker 1977,
        "Perplexity: a measure of the difficulty of speech recognition tasks"."""
        return inf if self.mean_logprob < -700 else exp(-self.mean_logprob)


def summary(texts: Sequence[GeneratedText]) -> Summary:
    """Of one or more texts."""
    tokens = fmean(len(text.generated) for text in texts)
    logprob = fmean(text.logprob for text in texts)
    own = [text.tokens for text in texts]
    return Summary(
        tokens,
        logprob,
        logprob / tokens if tokens else nan,
        _mean(distinct(text, 1) for text in own),
        _mean(distinct(text, 2) for text in own),
        _mean(map(repeated, own)),
    )


def _mean(values: Iterable[float]) -> float:
    """Over those that there are."""
    found = [value for value in values if not isnan(value)]
    return fmean(found) if found else nan
