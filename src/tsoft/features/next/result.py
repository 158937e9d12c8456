"""The result of `tsoft next`: a model's logits for the token after a prompt."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from tsoft.core.block import Block
from tsoft.core.softmax import softmax
from tsoft.input.api_tokens import UNKNOWN
from tsoft.models.tokens import NextDistribution
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records
from tsoft.sampling.distributions import Distributions, descending_order

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class NextResult(Result):
    """The logits of a model after a prompt.

    A table and a figure show its `distributions` at the temperatures, after each chain; a table with or without a
    `chart`. Other formats contain the logits. `model` is the name of the model, and `format` the output format.
    """

    prompt: str
    model: str
    next: NextDistribution
    format: str
    distributions: Callable[[], list[Distributions]]
    chart: bool | None = None

    def records(self) -> Iterator[Records]:
        """Yield the logits alone for tsv, or for csv one record per class, the most probable class first."""
        block = self.next.block
        row, labels = block.logits[0], block.labels or ()
        if self.format == "tsv":
            yield Records([Column("logits", block.logits, labels=labels)])
            return
        order = descending_order(row, softmax(row))
        names = Column("label", [labels[i] for i in order.tolist()], In.CSV)
        yield Records([Column("index", order, In.CSV), names, Column("logit", row[order], In.CSV)])

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        """Yield one object. For a server's response, it has the fields of an API response."""
        block = self.next.block
        prompt = {"prompt": self.prompt, "model": self.model}
        if block.partial is None:
            yield [{**prompt, "labels": block.labels, "logits": block.logits[0]}]
        else:
            tokens = _alternatives(block)
            yield [{**prompt, "logprobs": [{**tokens[block.partial.index], "top_logprobs": tokens}]}]

    def array(self) -> bytes:
        """Return the logits as a file of arrays, with their labels unless it is an .npy."""
        from tsoft.output.arrays import logits_file

        block = self.next.block
        return logits_file(self.format, block.logits[0], block.labels or ())

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.row_report import draw_row

        results = self.distributions()
        chart = len(results[0].taus) > 1 if self.chart is None else self.chart
        yield from draw_row(results, view, chart=chart, explain=False)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.options.distribution_figure import draw_distributions

        draw_distributions(page, [self.distributions()], view)


def _alternatives(block: Block) -> list[dict[str, Any]]:
    """Return the alternatives that the server listed."""
    assert block.partial
    pairs = zip(block.labels or (), block.partial.logprobs.tolist(), strict=True)
    return [{"token": label, "logprob": UNKNOWN if isnan(logprob) else logprob} for label, logprob in pairs]
