"""A row's distributions as they are shown: the chain, the table, its explanation, a comparison and a chart."""

from collections.abc import Iterator, Sequence

from tsoft.charts import bars, chain_report, distribution_table
from tsoft.charts.view import View
from tsoft.sampling.distributions import Distributions


def draw_row(results: Sequence[Distributions], view: View, *, chart: bool, explain: bool) -> Iterator[str]:
    """The parts of a row's report, after each chain if there are several; `chart` and `explain` add the bars
    and the steps of the chains."""
    if results[0].chain is not None:
        yield chain_report.sampler_order(results, view) + "\n"
    yield distribution_table.draw(results, 0, view)
    if results[0].chain is not None and explain:
        yield from ("\n" + part for part in chain_report.step_tables(results, view))
    if len(results) > 1:
        yield "\n" + chain_report.comparison(results, view)
    if chart:
        yield "\n" + bars.draw(results, 0, view)
