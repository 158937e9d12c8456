"""The texts of strategies, with their numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

from tsoft.models.decoding import SAMPLE, BeamSearch, Decoder, Strategy
from tsoft.models.generated_text import GeneratedText


@dataclass(frozen=True, eq=False)
class NumberedText:
    """A text, its strategy, and its number among the texts of the strategy, from 0.

    A text of a beam search has a score.
    """

    strategy: Strategy
    number: int
    text: GeneratedText
    seed: int | None = None
    score: float | None = None


def numbered_texts(strategy: Strategy, decoder: Decoder, seed: int | None) -> Iterator[NumberedText]:
    """Yield the texts of one decoder of a strategy."""
    first = list(strategy.decoders).index(decoder)
    for number, text in enumerate(decoder.texts, first):
        score = decoder.score(text) if isinstance(decoder, BeamSearch) else None
        yield NumberedText(strategy, number, text, seed if strategy.kind == SAMPLE else None, score)
