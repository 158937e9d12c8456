"""`tsoft solve`: the temperature at which a distribution has what is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.groups import DisplayOptions, DistributionOptions, LogitsOptions
from tsoft.output.file import open_output

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.features.solve.records import Solved


@dataclass(frozen=True)
class Target:
    """What is asked; one of these."""

    top_prob: Annotated[
        float | None, typer.Option("--top-prob", metavar="P", help="The most probable class's probability.")
    ] = None
    entropy: Annotated[
        float | None, typer.Option("--entropy", metavar="H", help="The entropy, in nats or with --bits in bits.")
    ] = None
    perplexity: Annotated[
        float | None, typer.Option("--perplexity", metavar="N", help="The effective number of class_names.")
    ] = None
    margin: Annotated[
        float | None, typer.Option("--margin", metavar="P", help="The first probability minus the second.")
    ] = None
    prob: Annotated[
        str | None,
        typer.Option("--prob", metavar="LABEL=P", help="One class's probability; #2 names a class by its index."),
    ] = None


@bundled
def solve(input: LogitsOptions, target: Target, output: DistributionOptions, look: DisplayOptions) -> None:
    """Find the temperature that gives a distribution what is asked.

    A terminal gets the temperature, the distribution there and where it lies
    on the curve; a pipe gets a line a row, with two numbers where two
    temperatures give a class its probability, and nan where none does.

    tsoft solve 2 1 0.5 0.1 --top-prob 0.73
    tsoft solve cat=2 dog=1 bird=0 --prob dog=0.25
    some-program | tsoft solve --perplexity 5
    """
    from tsoft.features.solve import records
    from tsoft.notes import note
    from tsoft.options import class_names, logits, results
    from tsoft.output.number_format import NumberFormat

    measure, asked, name = _asked(target)
    results.refuse("solve", log=output.log, long=output.long, with_logits=output.with_logits)
    form = results.checked_format(output)
    missed = False

    def solved(block: "Block") -> "list[Solved]":
        nonlocal missed
        rows = _solved(block, measure, asked, name, output.bits)
        for row in rows:
            if row.reason:
                missed = True
                note(f"row {row.row}: {row.reason}")
        return rows

    blocks = logits.blocks(input, None)
    if form == "table":
        from tsoft.features.solve import chart as drawing

        found: list[Solved] = []
        looking = results.view(output, look)

        def solving() -> "Iterator[Block]":
            for block in blocks:
                found[:] = solved(block)
                yield block

        def draw(block: "Block") -> Iterator[str]:
            row = next(row for row in found if row.row == block.first_row)
            index = class_names.index_of(block, name, "--prob") if measure == "prob" else None
            return drawing.draw(block, row, looking, measure, index)

        with open_output(output.output, results.screen_encoding(output)) as out:
            results.each_row(solving(), look, out, draw)
    else:
        with open_output(output.output) as out:
            for text in records.write(map(solved, blocks), form, NumberFormat(digits=output.digits)):
                out(text)
    if missed:
        raise typer.Exit(1)


def _asked(target: Target) -> tuple[str, float, str]:
    """The measure, what is asked of it, and for a class's probability the class's name."""
    from tsoft.errors import UsageError
    from tsoft.options import class_names

    given = {name: value for name, value in vars(target).items() if value is not None}
    if len(given) != 1:
        raise UsageError("ask for one of --top-prob, --entropy, --perplexity, --margin and --prob")
    [(measure, value)] = given.items()
    name = ""
    if measure == "prob":
        name, value = class_names.named_number(str(value), "--prob", "LABEL=P")
    if not 0 <= value < float("inf"):
        raise UsageError(f"--{measure.replace('_', '-')}: {value:g} is not a number from 0")
    return measure, value, name


def _solved(block: "Block", measure: str, asked: float, name: str, bits: bool) -> "list[Solved]":
    """The solutions of a block's rows."""
    from tsoft.core import solve as core
    from tsoft.features.solve.records import Solved
    from tsoft.options import class_names
    from tsoft.sampling.distributions import measure_unit

    scale = measure_unit(measure, bits)
    label = measure.replace("_", "-") if measure != "prob" else f"prob {name}"
    if measure != "prob":
        found = getattr(core, f"solve_{measure}")(block.logits, asked * scale)
    elif (index := class_names.index_of(block, name, "--prob")) is not None:
        found = core.solve_prob(block.logits, index, asked)
    else:
        found = [core.Solution((), (), f"no class of this row is called {name!r}")] * len(block.logits)
    return [Solved(row, label, asked, solution, scale) for row, solution in zip(block.rows, found, strict=True)]
