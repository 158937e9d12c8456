"""The result of `tsoft generate`: texts and their statistics.

A text in JSON is read back as an API response, with a row per token.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tsoft.features.generate.diversity import summary
from tsoft.models.decoding import SAMPLE, BeamSearch, Decoder, GeneratedText, GeneratedToken, Strategy
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View

COLUMNS = (
    "strategy", "tau", "engine", "continuation", "finish", "tokens", "logprob", "mean_logprob", "sequence_perplexity",
    "distinct_1", "distinct_2", "repeated_4", "score", "seed", "text",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class NumberedText:
    """A text, its strategy, and its number among the texts of that, from 0. A text of a beam search has a score."""

    strategy: Strategy
    number: int
    text: GeneratedText
    seed: int | None = None
    score: float | None = None


def numbered_texts(strategy: Strategy, decoder: Decoder, seed: int | None) -> Iterator[NumberedText]:
    """The texts of a decoder of a strategy."""
    first = list(strategy.decoders).index(decoder)
    for number, text in enumerate(decoder.texts, first):
        score = decoder.score(text) if isinstance(decoder, BeamSearch) else None
        yield NumberedText(strategy, number, text, seed if strategy.kind == SAMPLE else None, score)


@dataclass(frozen=True, eq=False)
class TextSource:
    """The prompt of texts, the name of their model, its vocabulary size, and the bytes and the label of a token."""

    prompt: str
    model: str
    vocab_size: int | None
    piece: Callable[[int], bytes]
    label: Callable[[int], str]


@dataclass(frozen=True, eq=False)
class GenerateResult(Result):
    """Texts, each as soon as it and those before it have ended; or what `drawn` draws of them."""

    texts: Iterable[NumberedText]
    source: TextSource
    drawn: "Callable[[View], Iterator[str]]"

    def records(self) -> Iterator[Records]:
        """In tsv the texts alone, of a beam the best; in csv what each costs, too."""
        for numbered in self.texts:
            values = _statistics(numbered) | {"text": numbered.text.data.decode(errors="replace")}
            best = In.TSV if numbered.text in numbered.strategy.best else In(0)
            yield Records(
                [Column(name, [values[name]], In.CSV | best if name == "text" else In.CSV) for name in COLUMNS]
            )

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        return ([_object(numbered, self.source)] for numbered in self.texts)

    def render(self, view: "View") -> Iterator[str]:
        return self.drawn(view)


def _statistics(numbered: NumberedText) -> dict[str, Any]:
    """A text's strategy and statistics, by the names of the columns."""
    text_summary = summary([numbered.text])
    strategy = numbered.strategy
    return {
        "strategy": strategy.kind if strategy.width is None else f"{strategy.kind} {strategy.width}",
        "tau": strategy.tau,
        "engine": strategy.engine,
        "continuation": numbered.number,
        "finish": numbered.text.finish,
        **asdict(text_summary) | {"tokens": len(numbered.text.generated)},
        "sequence_perplexity": text_summary.sequence_perplexity,
        "score": numbered.score,
        "seed": numbered.seed,
    }


def _object(numbered: NumberedText, source: TextSource) -> dict[str, Any]:
    """A text with its tokens and their alternatives."""
    strategy = numbered.strategy
    chain = strategy.chain
    return {
        "prompt": source.prompt,
        "model": source.model,
        **({} if source.vocab_size is None else {"vocab_size": source.vocab_size}),
        **{name: value for name, value in _statistics(numbered).items() if value is not None},
        **(
            {}
            if chain is None or strategy.tau is None
            else {"samplers": [str(step) for step in chain.at(strategy.tau)]}
        ),
        "text": numbered.text.data.decode(errors="replace"),
        "logprobs": [_token_object(token, source) for token in numbered.text.generated],
    }


def _token_object(token: GeneratedToken, source: TextSource) -> dict[str, Any]:
    return {
        **_token_fields(token.token, token.logprob, source),
        "chosen_prob": token.prob,
        "top_logprobs": [_token_fields(number, logprob, source) for number, logprob in token.alternatives],
    }


def _token_fields(token: int, logprob: float, source: TextSource) -> dict[str, Any]:
    """A token as servers write one, with its bytes where they are a part of a character."""
    piece, label = source.piece(token), source.label(token)
    fields: dict[str, Any] = {"token": label, "id": token, "logprob": logprob}
    return fields if not piece or label.encode() == piece else fields | {"bytes": list(piece)}
