"""`tsoft compute`: the distribution at each temperature."""

from tsoft.commands.command import bundled
from tsoft.commands.options import Input, Look, Output, Temperatures


@bundled
def compute(input: Input, temperatures: Temperatures, output: Output, look: Look) -> None:
    """Show or print the probabilities of each class at each temperature.

    On a terminal a table with bars; in a pipe a line of tab-separated numbers for each row and τ.
    """
    from tsoft.commands import inputs, outputs
    from tsoft.core.block import Distributions

    blocks = inputs.blocks(input, temperatures.tau)
    taus = inputs.temperatures(temperatures.tau)
    outputs.write((Distributions(block, taus) for block in blocks), output, look)
