"""How a row's distributions are drawn."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsoft.core.block import Distributions
    from tsoft.render.view import View


def drawn(results: "list[Distributions]", view: "View", *, chart: bool, explain: bool) -> "Iterator[str]":
    """The table of a row as each chain leaves it, and under it what is asked for besides."""
    from tsoft.render import table

    chained = results[0].chain is not None
    if chained:
        from tsoft.render import chain

        yield chain.orders(results, view) + "\n"
    yield table.draw(results, 0, view)
    if chained and explain:
        yield from ("\n" + part for part in chain.explanations(results, view))
    if len(results) > 1:
        yield "\n" + chain.comparison(results, view)
    if chart:
        from tsoft.render import chart as bars

        yield "\n" + bars.draw(results, 0, view)
