"""The result of `tsoft generate`: texts and their statistics.

A JSON text can be read back as an API response, with one row per token.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tsoft.features.generate.diversity import summary
from tsoft.features.generate.numbered_texts import NumberedText
from tsoft.models.generated_text import GeneratedToken
from tsoft.models.model import Model
from tsoft.models.token_fields import token_fields
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas
    from tsoft.output.text_page import TextPage

COLUMNS = (
    "strategy", "tau", "engine", "continuation", "finish", "tokens", "logprob", "mean_logprob", "sequence_perplexity",
    "distinct_1", "distinct_2", "repeated_4", "score", "seed", "text",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class GenerateResult(Result):
    """The texts of a model after a prompt.

    Each text is written as soon as it and all texts before it have ended. For a terminal, `drawn` draws the texts.
    """

    texts: Iterable[NumberedText]
    prompt: str
    model: Model
    drawn: "Callable[[View], Iterator[str]]"

    def records(self) -> Iterator[Records]:
        """Yield records of the texts.

        tsv has only the texts, and for a beam search only the best one; csv has all texts with their statistics.
        """
        for numbered in self.texts:
            values = _statistics(numbered) | {"text": numbered.text.data.decode(errors="replace")}
            best = In.TSV if numbered.text in numbered.strategy.best else In(0)
            yield Records(
                [Column(name, [values[name]], In.CSV | best if name == "text" else In.CSV) for name in COLUMNS]
            )

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        return ([_object(numbered, self.prompt, self.model)] for numbered in self.texts)

    def render(self, view: "View") -> Iterator[str]:
        return self.drawn(view)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.generate.figure import draw

        texts = list(self.texts)
        strategies = {id(numbered.strategy): numbered.strategy for numbered in texts}
        seed = next((numbered.seed for numbered in texts if numbered.seed is not None), None)
        draw(page, list(strategies.values()), seed)

    def page(self, view: "View") -> "TextPage":
        from tsoft.features.generate.generated_page import page_text
        from tsoft.options.page_parts import new_page

        colors = "by the probability with which each token was chosen"
        facts = {"model": self.model.name, "prompt": self.prompt, "colors": colors}
        texts = (page_text(numbered, self.model, view) for numbered in self.texts)
        return new_page("Generated text", facts, texts)


def _statistics(numbered: NumberedText) -> dict[str, Any]:
    """Return the strategy and the statistics of a text, keyed by column name."""
    text_summary = summary([numbered.text])
    strategy = numbered.strategy
    return {
        "strategy": strategy.name,
        "tau": strategy.tau,
        "engine": strategy.engine,
        "continuation": numbered.number,
        "finish": numbered.text.finish,
        **asdict(text_summary) | {"tokens": len(numbered.text.generated)},
        "sequence_perplexity": text_summary.sequence_perplexity,
        "score": numbered.score,
        "seed": numbered.seed,
    }


def _object(numbered: NumberedText, prompt: str, model: Model) -> dict[str, Any]:
    """Return a text with its tokens and their alternatives, without the fields that are None."""
    strategy, chain = numbered.strategy, numbered.strategy.chain
    fields = {
        "prompt": prompt,
        "model": model.name,
        "vocab_size": model.vocab_size,
        **_statistics(numbered),
        "samplers": [str(step) for step in chain.at(strategy.tau)] if chain and strategy.tau is not None else None,
        "text": numbered.text.data.decode(errors="replace"),
        "logprobs": [_token_object(token, model) for token in numbered.text.generated],
    }
    return {name: value for name, value in fields.items() if value is not None}


def _token_object(token: GeneratedToken, model: Model) -> dict[str, Any]:
    return {
        **token_fields(token.token, token.logprob, model),
        "chosen_prob": token.prob,
        **token.states,
        "top_logprobs": [token_fields(number, logprob, model) for number, logprob in token.alternatives],
    }
