"""`tsoft solve`: the temperature at which a distribution reaches a target."""

from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError, exclusive
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled
from tsoft.options.input import BoundsOptions, LogitsOptions
from tsoft.options.numbers import percentage_hint, share
from tsoft.options.output import BitsOptions, FigureOptions, RecordOutputOptions, TableDisplayOptions

if TYPE_CHECKING:
    from tsoft.features.solve.target import Target

NO_SOLUTION = 3


@bundle
class TargetOptions:
    """The target: exactly one of these."""

    top_prob: Annotated[
        float | None,
        typer.Option(
            "--top-prob",
            metavar="P",
            parser=share,
            help="Reach this probability of the most probable class, such as 0.73 or 73%.",
        ),
    ] = None
    entropy: Annotated[
        float | None, typer.Option("--entropy", metavar="H", help="Reach this entropy, in nats (with --bits, in bits).")
    ] = None
    perplexity: Annotated[
        float | None,
        typer.Option(
            "--perplexity", metavar="N", help="Reach this perplexity: the effective number of classes, exp(entropy)."
        ),
    ] = None
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            metavar="P",
            parser=share,
            help="Reach this margin: the highest probability minus the second highest.",
        ),
    ] = None
    prob: Annotated[
        str | None,
        typer.Option(
            "--prob", metavar="LABEL=P", help="Reach this probability of one class, such as dog=0.25 or #2=0.25."
        ),
    ] = None


@bundled
def solve(
    input: LogitsOptions,
    bounds: BoundsOptions,
    targets: TargetOptions,
    output: RecordOutputOptions,
    bits: BitsOptions,
    display: TableDisplayOptions,
    figure: FigureOptions,
) -> None:
    """Find the temperature at which the distribution reaches a target.

    On a terminal, shows the temperature, the distribution there, and the curve.
    In a pipe, prints one line per row: the temperature, both temperatures if
    two reach the target, or nan if no temperature does. The exit code is 3 if
    a row has no solution.

    Examples:
      tsoft solve 2 1 0.5 0.1 --top-prob 0.73
      tsoft solve cat=2 dog=1 bird=0 --prob dog=0.25
      some-program | tsoft solve --perplexity 5
    """
    from tsoft.features.solve.result import SolveResult, solved_blocks
    from tsoft.options import logits
    from tsoft.options.chosen_formats import chosen_formats, kept_for
    from tsoft.options.writing import view, write

    target = _target(targets, bits.bits)
    # Tsv and csv have no entropy but that of the target.
    unitless = ("tsv", "csv") if targets.entropy is None else ()
    chosen = chosen_formats(
        output, bits, display, figure, forms=lambda name: ["measures"] if name not in unitless else []
    )
    solved = kept_for(chosen, solved_blocks(logits.blocks(input, None, bounds=bounds), target))
    has_unsolved = False
    for file, format in chosen:
        result = SolveResult(solved, format, display.rows)
        write(result, format, file, lambda: view(output, display, bits=bits.bits), figure)
        has_unsolved = result.has_unsolved
    if has_unsolved:
        raise typer.Exit(NO_SOLUTION)


def _target(options: TargetOptions, bits: bool) -> "Target":
    from tsoft.core.solve import UNBOUNDED
    from tsoft.features.solve.target import Target
    from tsoft.options.class_names import named_number

    typed = {name: value for name, value in vars(options).items() if value is not None}
    if not typed:
        raise UsageError("no target; pass one of --top-prob, --entropy, --perplexity, --margin and --prob")
    if len(typed) > 1:
        raise UsageError(exclusive(*(f"--{name.replace('_', '-')}" for name in typed)))
    [(measure, value)] = typed.items()
    label = ""
    if measure == "prob":
        label, value = named_number(str(value), "--prob", "dog=0.25", share)
    option = f"--{measure.replace('_', '-')}"
    if measure not in UNBOUNDED and not 0 <= value <= 1:
        raise UsageError(f"{option}: expected a number from 0 to 1, got {value:.15g}{percentage_hint(value)}")
    if not 0 <= value < float("inf"):
        raise UsageError(f"{option}: expected a finite number of at least 0, got {value:.15g}")
    return Target(measure, value, label, bits)
