"""`tsoft solve`: the temperature at which a distribution reaches a target."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError
from tsoft.options.command import bundled
from tsoft.options.input import LogitsOptions
from tsoft.options.output import BitsOptions, DisplayOptions, OutputOptions

if TYPE_CHECKING:
    from tsoft.features.solve.target import Target

NO_SOLUTION = 3


@dataclass(frozen=True)
class TargetOptions:
    """The target: exactly one of these."""

    top_prob: Annotated[
        float | None, typer.Option("--top-prob", metavar="P", help="The most probable class's probability.")
    ] = None
    entropy: Annotated[
        float | None, typer.Option("--entropy", metavar="H", help="The entropy, in nats or with --bits in bits.")
    ] = None
    perplexity: Annotated[
        float | None, typer.Option("--perplexity", metavar="N", help="The effective number of classes.")
    ] = None
    margin: Annotated[
        float | None, typer.Option("--margin", metavar="P", help="The first probability minus the second.")
    ] = None
    prob: Annotated[
        str | None,
        typer.Option("--prob", metavar="LABEL=P", help="One class's probability; #2 names a class by its index."),
    ] = None


@bundled
def solve(
    input: LogitsOptions, targets: TargetOptions, output: OutputOptions, bits: BitsOptions, display: DisplayOptions
) -> None:
    """Find the temperature at which a distribution reaches a target.

    A terminal gets the temperature, the distribution there and where it lies
    on the curve; a pipe gets a line a row, with two numbers where two
    temperatures give a class its probability, and nan where none does. The
    exit code is 3 where a row has no solution.

    tsoft solve 2 1 0.5 0.1 --top-prob 0.73
    tsoft solve cat=2 dog=1 bird=0 --prob dog=0.25
    some-program | tsoft solve --perplexity 5
    """
    from tsoft.features.solve.result import SolveResult
    from tsoft.options import logits
    from tsoft.options.output import chosen_format, view, write

    target = _target(targets, bits.bits)
    format = chosen_format(output, bits, display, forms=lambda _: ["measures"])
    result = SolveResult(logits.blocks(input, None), target, format, display.rows)
    write(result, format, output, lambda: view(output, display, bits=bits.bits))
    if result.has_unsolved:
        raise typer.Exit(NO_SOLUTION)


def _target(options: TargetOptions, bits: bool) -> "Target":
    from tsoft.features.solve.target import Target
    from tsoft.options.class_names import named_number

    typed = {name: value for name, value in vars(options).items() if value is not None}
    if len(typed) != 1:
        raise UsageError("pass exactly one of --top-prob, --entropy, --perplexity, --margin and --prob")
    [(measure, value)] = typed.items()
    label = ""
    if measure == "prob":
        label, value = named_number(str(value), "--prob", "LABEL=P")
    if not 0 <= value < float("inf"):
        raise UsageError(f"--{measure.replace('_', '-')}: {value:g} is not a finite number of at least 0")
    return Target(measure, value, label, bits)
