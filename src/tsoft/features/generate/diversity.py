"""How probable texts are, and how much they repeat themselves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, isnan, nan
from statistics import fmean

from tsoft.models.generated_text import GeneratedText


def ngrams(tokens: Sequence[int], n: int) -> list[tuple[int, ...]]:
    """Return the n-grams of a text, in order.

    >>> ngrams([1, 2, 3], 2)
    [(1, 2), (2, 3)]
    """
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))


def distinct(tokens: Sequence[int], n: int) -> float:
    """Return the number of distinct n-grams divided by the number of n-grams; NaN without n-grams.

    Source: Li, Galley, Brockett, Gao & Dolan 2016, "A Diversity-Promoting Objective Function for Neural Conversation
    Models", section 5.2.

    >>> distinct([1, 2, 1, 3], 1)
    0.75
    """
    text_ngrams = ngrams(tokens, n)
    return len(set(text_ngrams)) / len(text_ngrams) if text_ngrams else nan


def repeated(tokens: Sequence[int], n: int = 4) -> float:
    """Return the share of a text's n-grams that occurred earlier in it; NaN without n-grams.

    Source: Welleck, Kulikov, Roller, Dinan, Cho & Weston 2020, "Neural Text Generation With Unlikelihood Training",
    section 6.1, "seq-rep-n".

    >>> repeated([1, 1, 1, 2], 1)
    0.5
    """
    return 1 - distinct(tokens, n)


@dataclass(frozen=True)
class Summary:
    """Means over the texts of a strategy.

    `tokens` counts a token that ends a text, too. `logprob` is the log-probability under the model at τ = 1, and
    `mean_logprob` the same per token. The others measure how much a text repeats itself.
    """

    tokens: float
    logprob: float
    mean_logprob: float
    distinct_1: float
    distinct_2: float
    repeated_4: float

    @property
    def sequence_perplexity(self) -> float:
        """exp of the negative mean log-probability; NaN without tokens.

        Source: Jelinek, Mercer, Bahl & Baker 1977, "Perplexity: a measure of the difficulty of speech recognition
        tasks".
        """
        return inf if self.mean_logprob < -700 else exp(-self.mean_logprob)


def summary(texts: Sequence[GeneratedText]) -> Summary:
    """Return the summary of one or more texts."""
    tokens = fmean(len(text.generated) for text in texts)
    logprob = fmean(text.logprob for text in texts)
    contents = [text.tokens for text in texts]
    return Summary(
        tokens,
        logprob,
        logprob / tokens if tokens else nan,
        _mean(distinct(content, 1) for content in contents),
        _mean(distinct(content, 2) for content in contents),
        _mean(map(repeated, contents)),
    )


def _mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are not NaN."""
    known = [value for value in values if not isnan(value)]
    return fmean(known) if known else nan
