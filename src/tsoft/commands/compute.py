"""`tsoft compute`: the distribution at each temperature."""

from tsoft.commands.command import bundled
from tsoft.commands.options import Input, Look, Output, Temperatures


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
    from tsoft.core.block import Distributions

    blocks = inputs.blocks(input, temperatures.tau)
    taus = inputs.temperatures(temperatures.tau)
    outputs.write((Distributions(block, taus) for block in blocks), output, look)
