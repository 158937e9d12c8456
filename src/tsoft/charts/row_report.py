"""The reports of the first rows of an input: chains, tables and charts."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tsoft.charts import bars, chain_report, distribution_table
from tsoft.charts.view import View
from tsoft.core.block import Block
from tsoft.errors import shortened, visible
from tsoft.sampling.distributions import Distributions

# Draws a row from a block that contains only this row, and from its index in the original block.
DrawRow = Callable[[Block, int], Iterable[str]]


def draw_row(results: Sequence[Distributions], view: View, *, chart: bool, explain: bool) -> Iterator[str]:
    """Yield the parts of a row's report on one distribution, or on several if chains are compared. `chart` adds the
    bars, `explain` the steps of the chains."""
    if results[0].chain is not None:
        yield chain_report.sampler_order(results, view) + "\n"
    yield distribution_table.draw(results, view)
    if explain:
        yield from ("\n" + part for part in chain_report.step_tables(results, view))
    if len(results) > 1:
        yield "\n" + chain_report.comparison(results, view)
    if chart:
        yield "\n" + bars.draw(results, view)


def each_row(blocks: Iterable[tuple[Block, DrawRow]], max_rows: int) -> Iterator[str]:
    """Yield the first `max_rows` rows under their headings, each part as soon as it is drawn; then the number of the
    other rows. Each block is paired with the function that draws one of its rows."""
    shown = total = 0
    for block, draw in blocks:
        total += len(block.logits)
        for row in range(min(len(block.logits), max_rows - shown)):
            if len(block.logits) > 1 or shown > 0 or block.partial or block.keys is not None:
                yield ("\n" if shown else "") + f"row {block.rows[row]}{_key(block, row)}{_token(block)}\n"
            shown += 1
            yield from draw(block.part(row, row + 1), row)
    if total > shown:
        rows = "row" if total - shown == 1 else "rows"
        yield f"\n… {total - shown} more {rows} (--rows N shows more)\n"


def _key(block: Block, row: int) -> str:
    """Return the key of a row, for its heading; empty if the rows have no keys."""
    return "" if block.keys is None else f": {visible(shortened(str(block.keys[row])))}"


def _token(block: Block) -> str:
    """Return the token that the server drew, with the number of its choice; empty if the block is not a response."""
    if block.partial is None or block.labels is None:
        return ""
    label = block.labels[block.partial.index]
    return f" {shortened(label)!r}" + f" of choice {block.partial.choice}" * block.partial.has_choices
