"""How a row's distributions are drawn."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.sampling.distributions import Distributions


def drawn(results: "list[Distributions]", view: "View", *, chart: bool, explain: bool) -> "Iterator[str]":
    """The table of a row as each chain leaves it, and under it what is asked for besides."""
    from tsoft.charts import table

    chained = results[0].chain is not None
    if chained:
        from tsoft.charts import chain

        yield chain.orders(results, view) + "\n"
    yield table.draw(results, 0, view)
    if chained and explain:
        yield from ("\n" + part for part in chain.explanations(results, view))
    if len(results) > 1:
        yield "\n" + chain.comparison(results, view)
    if chart:
        from tsoft.charts import bars

        yield "\n" + bars.draw(results, 0, view)
