"""Results that are distributions, and their form: format, records or array."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import UsageError
from tsoft.frozen import frozen
from tsoft.notes import note
from tsoft.options.chosen_formats import chosen_formats
from tsoft.options.output import (
    ARRAY_FORMATS,
    BitsOptions,
    ContentOptions,
    DisplayOptions,
    FigureOptions,
    OutputOptions,
)
from tsoft.options.plan import Plan
from tsoft.options.result import Result
from tsoft.options.writing import is_watched
from tsoft.options.writing import write as write_result
from tsoft.output.distribution_records import Content, labels_differ, long, objects
from tsoft.output.records import Column, Fields, Records
from tsoft.output.watching import rows, watched
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.distributions import Distributions

if TYPE_CHECKING:
    from tsoft.charts.view import View


@frozen(eq=False)
class Form:
    """The form of written distributions: a `format`; with `is_long`, one class per line and at most `max_classes`
    classes of each distribution; with `is_watched`, with a progress bar."""

    format: str
    content: Content
    is_long: bool = False
    max_classes: int | None = None
    is_watched: bool = False


def chosen_forms(
    output: OutputOptions,
    content: ContentOptions,
    bits: BitsOptions,
    display: DisplayOptions,
    *bundles: Any,
    measured: Callable[[str], Any] = lambda _: False,
    steps: bool = False,
) -> list[tuple[OutputOptions, Form]]:
    """Return the options and the form for each file, or for stdout.

    measured: returns whether a format contains measures. steps: whether JSON contains the steps of the chain.
    """

    def forms(format: str) -> list[str]:
        is_long = content.long and format in ("tsv", "csv")
        return ["long"] * is_long + ["measures"] * bool(measured(format))

    records = Content(content.log, bits.bits, content.with_logits, steps)
    chosen = chosen_formats(output, content, bits, display, *bundles, arrays=True, forms=forms)
    return [(file, Form(format, records, content.long, display.show, is_watched(file))) for file, format in chosen]


class DistributionsResult(Result):
    """The distributions of blocks at the temperatures, after the chains of a plan."""

    def __init__(self, blocks: Iterable[Block], taus: Array, plan: Plan, form: Form):
        self.taus, self.plan, self.form = taus, plan, form
        # Lines of different lengths are possible only for tsv without samplers.
        if form.format != "tsv" or form.is_long or plan.has_chain:
            blocks = (part for block in blocks for part in block.split_by_width())
        self.blocks = plan.noted(blocks, taus)

    # Whether records contain all measures, and not only a requested one.
    has_all_measures = True

    @abstractmethod
    def columns(self, result: Distributions) -> list[Column]:
        """Return the columns of tsv and csv, with one distribution per record."""

    def results(self) -> Iterator[Distributions]:
        """Yield the distributions in pieces that fit in memory."""
        blocks = self.blocks
        if self.form.is_watched:
            blocks = watched(
                blocks,
                lambda block, seconds: (rows(block.rows.stop, seconds), block.rows.stop),
                lambda block: None if block.origin.axes is None else math.prod(block.origin.axes),
            )
        results = (
            result for block in blocks for result in distribution_pieces(block, self.taus, self.plan.chains_for(block))
        )
        has_bounds = self.form.is_long or self.form.format not in ("tsv", *ARRAY_FORMATS)
        return results if has_bounds else self._noting_listed(results)

    def _noting_listed(self, results: Iterator[Distributions]) -> Iterator[Distributions]:
        """Yield the results. Print a note before the first one that is not exact, because the format has no bounds."""
        is_noted = False
        for result in results:
            if not is_noted and not result.exact.all():
                is_noted = True
                kind = "the probabilities among the listed tokens alone; csv and json contain bounds, too"
                note(f"{self.form.format} contains {kind}")
            yield result

    def records(self) -> Iterator[Records]:
        results, is_long = self.results(), self.form.is_long
        has_class_columns = self.form.format == "csv" and self.has_all_measures
        if has_class_columns and not is_long:
            is_long, results = labels_differ(results)
        for result in results:
            if result.block.partial is not None and (self.form.is_long or has_class_columns):
                yield self.token_records(result)
            elif is_long:
                yield long(result, self.form.content, self.form.max_classes)
            else:
                yield Records(self.columns(result), result.block.location)

    def token_records(self, result: Distributions) -> Records:
        """Return the records of a token of an API response, whose columns are the same for every token."""
        from tsoft.output.token_records import alternatives, drawn_tokens

        if self.form.is_long:
            return alternatives(result, self.form.content, self.form.max_classes)
        return drawn_tokens(result, self.form.content)

    def objects(self) -> Iterator[Iterable[Mapping[str, Any] | Fields]]:
        return (objects(result, self.form.content) for result in self.results())


def first_rows(blocks: Iterable[Block], count: int, note: Callable[[str], None]) -> list[Block]:
    """Return the first rows, each as a block. `note` is called with the number of the other rows."""
    from tsoft.options.figure_rows import first_of

    return first_of(((len(block.logits), _row_of(block)) for block in blocks), count, note)


def _row_of(block: Block) -> Callable[[int], Block]:
    return lambda row: block.part(row, row + 1)


def write(
    result: DistributionsResult,
    output: OutputOptions,
    view: "Callable[[], View]",
    figure: FigureOptions = FigureOptions(),  # noqa: B008
) -> None:
    """Write the result in its form: an array, records, a table or a figure."""
    if result.form.format not in ARRAY_FORMATS:
        write_result(result, result.form.format, output, view, figure)
        return
    from tsoft.output import arrays
    from tsoft.output.distribution_array import DistributionArray
    from tsoft.output.file import open_output
    from tsoft.sampling.step import ChainError

    if len(result.plan.chains) > 1:
        raise UsageError(f"{result.form.format} has one distribution per row and τ; pass --like with one engine")
    with open_output(output.file) as out:
        try:
            array = DistributionArray(result.results(), result.taus, result.form.content, note)
            arrays.write(result.form.format, array, out)
        except ChainError as error:
            raise UsageError(error.with_fix) from None
