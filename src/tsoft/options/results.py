"""From results to a terminal, a pipe or a file."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import UsageError, shortened
from tsoft.input.formats import FORMATS, OUTPUTS, by_name
from tsoft.notes import note
from tsoft.options.groups import DisplayOptions, DistributionOptions, OutputOptions
from tsoft.output.file import OutputStream, open_output
from tsoft.output.number_format import NumberFormat
from tsoft.sampling.apply_chains import by_chain, distributions
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.errors import NothingLeftError

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.features.compute.texts import Texts
    from tsoft.options.plan import Plan
    from tsoft.output.progress import ProgressBar

# What takes longer, in seconds, is work to watch.
MOMENT = 1.0


# Draws a row, as each chain leaves it: the table of what is shown, and what comes under it piece by
# piece.
Draw = Callable[[list[Distributions], "View"], Iterator[str]]


def write(
    blocks: Iterable[Block],
    taus: Array,
    plan: "Plan",
    output: DistributionOptions,
    look: DisplayOptions,
    draw: Draw,
    *,
    before: bool = False,
    explain: bool = False,
    chosen: bool = False,
) -> None:
    """Writes the distributions, each as soon as it is there, in the format that was asked for. A
    sweep has its temperatures `before` its numbers; `explain` adds the chain's steps to json, `chosen`
    what becomes of the tokens that a server drew. Blocks whose rows differ in length are taken."""
    name = checked_format(output, arrays=True)
    _check_extras(name, len(plan.chains), explain=explain, chosen=chosen)
    texts = _texts() if chosen else None
    if name != "tsv" or output.long or plan.chains != (None,):
        blocks = (part for block in blocks for part in block.even())
    with followed(blocks, taus, plan) as blocks:
        if name == "table":
            _draw(blocks, taus, plan, output, look, draw, texts)
        else:
            extras = frozenset(["logits"] * output.with_logits + ["steps"] * explain)
            with open_output(output.output) as out, _watched(blocks, output) as blocks:
                writing = _writing(output, look, extras, before, taus, out)
                results = (piece for block in blocks for piece in distributions(block, taus, plan.of(block)))
                if texts:
                    results = (replace(result, chosen=texts.add(_of_response(result))) for result in results)
                for text in FORMATS[name].writer()(results, writing):
                    out(text)


def _check_extras(name: str, chains: int, **asked: bool) -> None:
    """Whether a format has what was asked for besides the distributions."""
    if name in FORMATS and FORMATS[name].binary and chains > 1:
        raise UsageError(f"{name} holds one distribution for each row and τ: --like one engine")
    for option, on in asked.items():
        if on and name not in ("table", "json", "jsonl"):
            raise UsageError(f"--{option} is for a table and for json and jsonl records, not for {name}")


def _writing(
    output: DistributionOptions,
    look: DisplayOptions,
    extras: frozenset[str],
    before: bool,
    taus: Array,
    out: OutputStream,
) -> NumberFormat:
    return NumberFormat(
        log=output.log,
        digits=output.digits,
        long=output.long,
        show=look.show,
        extras=extras,
        bits=output.bits,
        before=before,
        taus=taus,
        over=out.over if out.is_file else None,
        note=note,
    )


def _draw(
    blocks: Iterable[Block],
    taus: Array,
    plan: "Plan",
    output: DistributionOptions,
    look: DisplayOptions,
    draw: Draw,
    texts: "Texts | None",
) -> None:
    """Draws the first rows, and under them what becomes of the texts that are followed."""
    looking = view(output, look)

    def drawn(block: Block) -> Iterator[str]:
        results = by_plan(block, taus, plan)
        if texts:
            results = [replace(result, chosen=texts.last(result)) for result in results]
        return draw(results, looking)

    with open_output(output.output, screen_encoding(output)) as out:
        each_row(_text_followed(blocks, texts, taus, plan) if texts else blocks, look, out, drawn)
        if texts:
            from tsoft.features.compute import chosen_chart as summary

            out("".join("\n" + part for part in summary.draw(texts, looking)))


def by_plan(block: Block, taus: Array, plan: "Plan") -> list[Distributions]:
    """A row as each chain leaves it. Where nothing is left, that is an error before anything is drawn."""
    results = by_chain(block, taus, plan.of(block))
    for result in results:
        replace(result, taus=taus[:1]).kept  # noqa: B018
    return results


def _texts() -> "Texts":
    from tsoft.features.compute.texts import Texts

    return Texts()


def _text_followed(blocks: Iterable[Block], texts: "Texts", taus: Array, plan: "Plan") -> Iterator[Block]:
    """The blocks, with the texts followed, also through those rows that are not drawn."""
    for block in blocks:
        for result in by_chain(block, taus, plan.of(block)):
            texts.add(_of_response(result))
        yield block


def _of_response(result: Distributions) -> Distributions:
    if result.block.partial is None:
        raise UsageError("--chosen is about a server's response, which this is not")
    return result


@contextlib.contextmanager
def _watched(blocks: Iterable[Block], output: DistributionOptions) -> Iterator[Iterable[Block]]:
    """The blocks, with how far they are, once that takes longer than a moment."""
    bar: ProgressBar | None = None

    def shown() -> Iterator[Block]:
        nonlocal bar
        start = time.monotonic()
        for block in blocks:
            yield block
            took, done = time.monotonic() - start, block.rows.stop
            if took > MOMENT:
                from tsoft.output import progress

                total = None if block.axes is None else math.prod(block.axes)
                bar = bar or progress.ProgressBar(total)
                bar.show(progress.rows_text(done, took), done, total)

    try:
        yield shown() if is_watched(output) else blocks
    finally:
        if bar:
            bar.stop()


def is_watched(output: OutputOptions) -> bool:
    """Whether someone sees what is on stderr, and not the result among it."""
    to_terminal = output.output is None and sys.stdout is not None and sys.stdout.isatty()
    return not to_terminal and sys.stderr is not None and sys.stderr.isatty()


@contextlib.contextmanager
def followed(blocks: Iterable[Block], taus: Array, plan: "Plan") -> Iterator[Iterable[Block]]:
    """The blocks, with a note where an engine does something of its own with one. Where nothing is left
    of a row, the samplers that were typed are to blame."""
    try:
        yield blocks if plan.chains == (None,) else _noted(blocks, taus, plan)
    except NothingLeftError as error:
        raise UsageError(str(error)) from None


def _noted(blocks: Iterable[Block], taus: Array, plan: "Plan") -> Iterator[Block]:
    from tsoft.options.chain_notes import say

    said: set[str] = set()
    for block in blocks:
        say(plan, block, taus, said)
        yield block


def refuse(command: str, **options: bool) -> None:
    """A usage error for the first option that is on, since the command has no use for it."""
    for name, on in options.items():
        if on:
            raise UsageError(f"--{name.replace('_', '-')} means nothing to {command}")


def screen_encoding(output: OutputOptions) -> str:
    """What a table is written in: a terminal may not take UTF-8."""
    return sys.stdout.encoding if output.output is None and sys.stdout is not None else "utf-8"


def put(texts: Iterable[str | bytes], name: str, output: OutputOptions) -> None:
    """Writes a result in the format of that name, piece by piece as it comes."""
    with open_output(output.output, screen_encoding(output) if name == "table" else "utf-8") as out:
        for text in texts:
            out(text)


def checked_format(output: DistributionOptions, *, arrays: bool = False) -> str:
    """The format of distributions, which takes the options that were given. Not each command has `arrays`."""
    name = checked_destination(output, arrays=arrays)
    if output.long and name not in ("tsv", "csv"):
        raise UsageError(f"--long is a form of tsv and csv, not of {name}")
    if output.with_logits and name not in ("json", "jsonl"):
        raise UsageError(f"--with-logits adds to json and jsonl records, not to {name}")
    return name


def checked_destination(output: OutputOptions, *, arrays: bool = False) -> str:
    """The format of any result."""
    name = _format(output)
    binary = name in FORMATS and FORMATS[name].binary
    if binary and not arrays:
        raise UsageError(f"{name} holds distributions, as compute and sweep give them, and not this result")
    if binary and output.digits is not None:
        raise UsageError(f"--digits is for text; {name} holds each number whole")
    if binary and output.output is None and sys.stdout and sys.stdout.isatty():
        raise UsageError(f"{name} is not for a terminal: name a file with -o, or pipe it on")
    return name


def _format(output: OutputOptions) -> str:
    """The result's format: as asked for, by the file's name, or by who will read it."""
    if output.output == "":
        raise UsageError("--output needs a file's name")
    if output.format is not None:
        return output.format
    if output.output is None:
        return "table" if sys.stdout is not None and sys.stdout.isatty() else "tsv"
    told = by_name(output.output)
    ending = os.path.splitext(output.output)[1]
    if told is None and ending and not os.path.exists(output.output):
        names = ", ".join(("table", *OUTPUTS))
        raise UsageError(f"{output.output}: its ending {ending} tells no format; --format names one of {names}")
    return told.name if told and told.writes else "tsv"


def view(output: DistributionOptions, look: DisplayOptions) -> "View":
    """How a person wants to look at a result."""
    from tsoft.charts.view import Screen, View

    return View(Screen.of_stdout(), look.show or 20, look.sort, output.bits, output.digits, output.log)


def plain_view(output: OutputOptions) -> "View":
    """The same for a result that is no distribution."""
    from tsoft.charts.view import Screen, View

    return View(Screen.of_stdout(), digits=output.digits)


def _token(block: Block) -> str:
    """The token that a server drew in a block, and of which of its choices it is, for a heading."""
    if block.partial is None or block.labels is None:
        return ""
    label = block.labels[block.partial.index]
    return f" {shortened(label)!r}" + f" of choice {block.partial.choice}" * block.partial.several


def each_row(
    blocks: Iterable[Block], look: DisplayOptions, out: OutputStream, draw: Callable[[Block], Iterable[str]]
) -> None:
    """Draws the first rows, a block of one row at a time, each part on the screen before the next
    is begun; then says how many rows there are besides."""
    shown = total = 0
    for block in blocks:
        total += len(block.logits)
        for row in range(min(len(block.logits), look.rows - shown)):
            if len(block.logits) > 1 or shown > 0 or block.partial:
                out(("\n" if shown else "") + f"row {block.rows[row]}{_token(block)}\n")
            shown += 1
            for text in draw(block.part(row, row + 1)):
                out(text)
    if total > shown:
        rows = "row" if total - shown == 1 else "rows"
        out(f"\n… {total - shown} more {rows} (--rows N shows more)\n")
