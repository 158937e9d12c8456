"""The results of `tsoft compute`: distributions, and the likelihoods of the texts that a server drew."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import UsageError
from tsoft.options.distribution_result import DistributionsResult, Form
from tsoft.options.plan import Plan
from tsoft.output.distribution_records import classes, keys
from tsoft.output.records import Column
from tsoft.sampling.apply_chains import distributions_by_chain
from tsoft.sampling.distributions import Distributions

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.features.compute.text_likelihoods import TextLikelihoods
    from tsoft.figures.canvas import Canvas
    from tsoft.output.text_page import TextPage
    from tsoft.sampling.partial_distributions import PartialDistributions


class ComputeResult(DistributionsResult):
    """Distributions. A table shows `rows` rows, with a `chart`, by default if there are several temperatures."""

    def __init__(
        self, blocks: Iterable[Block], taus: Array, plan: Plan, form: Form, *, rows: int = 3, chart: bool | None = None
    ):
        super().__init__(blocks, taus, plan, form)
        self._rows, self._chart = rows, len(taus) > 1 if chart is None else chart

    def columns(self, result: Distributions) -> list[Column]:
        return [*keys(result), classes(result, self.form.content)]

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.row_report import draw_row, each_row

        def draw(row: Block, _: int) -> Iterator[str]:
            return draw_row(self._by_chain(row), view, chart=self._chart, explain=self.form.content.steps)

        return each_row(((block, draw) for block in self.blocks), self._rows)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.options.distribution_figure import draw_distributions
        from tsoft.options.distribution_result import first_rows

        rows = first_rows(self.blocks, self._rows, page.note)
        draw_distributions(page, [self._by_chain(row) for row in rows], view)

    def page(self, view: "View") -> "TextPage":
        from tsoft.features.compute.response_page import require_one, response_page

        require_one(self.taus, len(self.plan.chains))
        return response_page(map(self._of_token, self.blocks), view)

    def _of_token(self, block: Block) -> "PartialDistributions":
        """Return the distribution of a token of a response. Raise UsageError for any other input."""
        if block.partial is None:
            problem = "html shows the text of an API response, and the input is not one"
            raise UsageError(f"{problem}; pass --format with another format, such as table or svg")
        [result] = self._by_chain(block)
        return cast("PartialDistributions", result)

    def _by_chain(self, block: Block) -> list[Distributions]:
        return self.plan.results(block, self.taus)


class ChosenResult(ComputeResult):
    """The distributions of a server's response, with the drawn tokens and their texts."""

    @cached_property
    def _texts(self) -> "TextLikelihoods":
        from tsoft.features.compute.text_likelihoods import TextLikelihoods

        return TextLikelihoods()

    def results(self) -> Iterator[Distributions]:
        return (replace(result, chosen_token=self._texts.add(_of_response(result))) for result in super().results())

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.compute.chosen_chart import draw

        self.blocks = self._with_likelihoods(self.blocks)
        yield from super().render(view)
        yield from ("\n" + part for part in draw(self._texts, view))

    def _by_chain(self, block: Block) -> list[Distributions]:
        return [replace(result, chosen_token=self._texts.last(result)) for result in super()._by_chain(block)]

    def _with_likelihoods(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield the blocks, and add all of their tokens to the texts, since a table may not show every row."""
        for block in blocks:
            for result in distributions_by_chain(block, self.taus, self.plan.chains_for(block)):
                self._texts.add(_of_response(result))
            yield block


def _of_response(result: Distributions) -> Distributions:
    if result.block.partial is None:
        raise UsageError("--chosen works only with an API response, and the input is not one; remove --chosen")
    return result
