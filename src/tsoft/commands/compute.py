"""`tsoft compute`: the distribution at each temperature."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tsoft.commands.command import bundled
from tsoft.commands.options import Input, Look, Output, Temperatures

if TYPE_CHECKING:
    from tsoft.core.block import Distributions
    from tsoft.render.view import View


@bundled
def compute(input: Input, temperatures: Temperatures, output: Output, look: Look) -> None:
    """Show or print the probabilities of each class at each temperature.

    A terminal gets a table with bars and under it the entropy, the
    perplexity (the effective number of classes) and the margin (first minus
    second probability); a pipe gets a line of numbers for each row and τ.

    tsoft compute 2 1 0.5 0.1 --tau 0.5,1,2
    tsoft compute cat=2 dog=1 bird=0.5 --tau 0.7
    some-program | tsoft compute --tau 0.7 --format csv
    """
    from tsoft.commands import inputs, outputs

    blocks = inputs.blocks(input, temperatures.tau)
    taus = inputs.temperatures(temperatures.tau)
    chart = len(taus) > 1 if look.chart is None else look.chart
    outputs.write(blocks, taus, output, look, _charted if chart else _tabled)


def _tabled(result: "Distributions", view: "View") -> "Iterator[str]":
    from tsoft.render import table

    yield table.draw(result, 0, view)


def _charted(result: "Distributions", view: "View") -> "Iterator[str]":
    yield from _tabled(result, view)
    from tsoft.render import chart

    yield "\n" + chart.draw(result, 0, view)
