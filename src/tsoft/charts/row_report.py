"""The first rows of an input, and the parts of a row's report: its chains, its table and its chart."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tsoft.charts import bars, chain_report, distribution_table
from tsoft.charts.view import View
from tsoft.core.block import Block
from tsoft.errors import shortened
from tsoft.sampling.distributions import Distributions

# Draws a row, which is given as a block of one row and by its index in the block that it is from.
DrawRow = Callable[[Block, int], Iterable[str]]


def draw_row(results: Sequence[Distributions], view: View, *, chart: bool, explain: bool) -> Iterator[str]:
    """The parts of a row's report, after each chain if there are several; `chart` and `explain` add the bars
    and the steps of the chains."""
    if results[0].chain is not None:
        yield chain_report.sampler_order(results, view) + "\n"
    yield distribution_table.draw(results, view)
    if explain:
        yield from ("\n" + part for part in chain_report.step_tables(results, view))
    if len(results) > 1:
        yield "\n" + chain_report.comparison(results, view)
    if chart:
        yield "\n" + bars.draw(results, view)


def each_row(blocks: Iterable[tuple[Block, DrawRow]], most: int) -> Iterator[str]:
    """Draws the first `most` rows under their headings, each part as soon as it is drawn; then the number of the
    other rows. Each block comes with the function that draws one of its rows."""
    shown = total = 0
    for block, draw in blocks:
        total += len(block.logits)
        for row in range(min(len(block.logits), most - shown)):
            if len(block.logits) > 1 or shown > 0 or block.partial:
                yield ("\n" if shown else "") + f"row {block.rows[row]}{_token(block)}\n"
            shown += 1
            yield from draw(block.part(row, row + 1), row)
    if total > shown:
        rows = "row" if total - shown == 1 else "rows"
        yield f"\n… {total - shown} more {rows} (--rows N shows more)\n"


def _token(block: Block) -> str:
    """The token that a server drew in a block, and of which of its choices it is."""
    if block.partial is None or block.labels is None:
        return ""
    label = block.labels[block.partial.index]
    return f" {shortened(label)!r}" + f" of choice {block.partial.choice}" * block.partial.has_choices
