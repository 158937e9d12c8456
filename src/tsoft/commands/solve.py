"""`tsoft solve`: the temperature at which a distribution has what is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.commands.command import bundled
from tsoft.commands.options import Input, Look, Output

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.formats.solutions import Solved


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
def solve(input: Input, target: Target, output: Output, look: Look) -> None:
    """Find the temperature that gives a distribution what is asked.

    A terminal gets the temperature, the distribution there and where it lies
    on the curve; a pipe gets a line a row, with two numbers where two
    temperatures give a class its probability, and nan where none does.

    tsoft solve 2 1 0.5 0.1 --top-prob 0.73
    tsoft solve cat=2 dog=1 bird=0 --prob dog=0.25
    some-program | tsoft solve --perplexity 5
    """
    from tsoft.commands import inputs, outputs
    from tsoft.formats import solutions, stream
    from tsoft.formats.write import Writing

    measure, asked, name = _asked(target)
    blocks = inputs.blocks(input, None)
    form = outputs.checked_format(output)
    missed = False

    def solved(block: "Block") -> "list[Solved]":
        nonlocal missed
        rows = _solved(block, measure, asked, name, output.bits)
        for row in rows:
            if row.solution.reason:
                missed = True
                inputs.note(f"row {row.row}: {row.solution.reason}")
        return rows

    if form == "table":
        from tsoft.render import solve as drawing

        looking = outputs.view(output, look)

        def draw(block: "Block") -> Iterator[str]:
            index = _index(block, name) if measure == "prob" else None
            return drawing.draw(block, solved(block)[0], looking, measure, index)

        with stream.writing(output.output, outputs.screen_encoding(output)) as out:
            outputs.each_row(blocks, look, out, draw)
    else:
        with stream.writing(output.output) as out:
            for text in solutions.write(map(solved, blocks), form, Writing(digits=output.digits)):
                out(text)
    if missed:
        raise typer.Exit(1)


def _asked(target: Target) -> tuple[str, float, str]:
    """The measure, what is asked of it, and for a class's probability the class's name."""
    from tsoft.errors import UsageError

    given = {name: value for name, value in vars(target).items() if value is not None}
    if len(given) != 1:
        raise UsageError("ask for one of --top-prob, --entropy, --perplexity, --margin and --prob")
    [(measure, value)] = given.items()
    name = ""
    if measure == "prob":
        name, _, text = str(value).rpartition("=")
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"--prob: {text!r} is not a number; it takes LABEL=P") from None
    if not 0 <= value < float("inf"):
        raise UsageError(f"--{measure.replace('_', '-')}: {value:g} is not a number from 0")
    return measure, value, name


def _solved(block: "Block", measure: str, asked: float, name: str, bits: bool) -> "list[Solved]":
    """The solutions of a block's rows."""
    from math import log

    from tsoft.core import solve as core
    from tsoft.formats.solutions import Solved

    unit = log(2) if measure == "entropy" and bits else 1.0
    if measure == "prob":
        found = core.solve_prob(block.logits, _index(block, name), asked)
    else:
        found = getattr(core, f"solve_{measure}")(block.logits, asked * unit)
    label = measure.replace("_", "-") if measure != "prob" else f"prob {name}"
    return [Solved(row, label, asked, solution, unit) for row, solution in zip(block.rows, found, strict=True)]


def _index(block: "Block", name: str) -> int:
    """The index of the class that a label, or # and the index itself, names."""
    from tsoft.errors import UsageError

    classes = block.logits.shape[1]
    found = [i for i, label in enumerate(block.labels or ()) if label == name]
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(f"#{i}" for i in found[:10])
        raise UsageError(f"--prob: {name!r} is the label of {len(found)} classes: name one by its index, {named}")
    index = name.removeprefix("#")
    if name.startswith("#") and index.isdecimal() and int(index) < classes:
        return int(index)
    raise UsageError(f"--prob: no class is called {name!r}; #0 to #{classes - 1} name them by their index")
