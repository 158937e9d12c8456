"""`tsoft sample`: draws from the distribution at each temperature."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.groups import (
    DisplayOptions,
    DistributionOptions,
    LogitsOptions,
    ParameterOptions,
    SamplerOptions,
    Seed,
    TemperatureOptions,
)
from tsoft.output.file import open_output

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.softmax import Array
    from tsoft.features.sample.records import Draws
    from tsoft.features.sample.samples import Sample
    from tsoft.options.plan import Plan
    from tsoft.output.progress import ProgressBar

# A float holds it, and no count of it overflows.
MOST = 10**18
# A stream of more draws than this takes long enough to watch.
LONG = 1_000_000


@dataclass(frozen=True)
class Drawing:
    """How many draws, of which stream, and what is told of them."""

    n: Annotated[
        str | None,
        typer.Option(
            "-n", metavar="N", help="How many for each row and τ, as 50 or 1e9; by default 1000 in a table, else 1."
        ),
    ] = None
    seed: Seed = None
    counts: Annotated[
        bool, typer.Option("--counts", help="How often each class was drawn; json has it without asking.")
    ] = False
    draws: Annotated[
        bool, typer.Option("--draws", help="Each draw, which tsv and csv have without asking; json has the counts too.")
    ] = False
    index: Annotated[bool, typer.Option("--index", help="tsv: a class's index, from 0, not its label.")] = False


@bundled
def sample(
    input: LogitsOptions,
    temperatures: TemperatureOptions,
    drawing: Drawing,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    output: DistributionOptions,
    look: DisplayOptions,
) -> None:
    """Draw classes at random, with the probabilities at each temperature.

    A terminal gets the counts beside those expected, and a test of whether
    they agree; a pipe gets a draw a line, streamed, or with --counts a class
    and its count a line, which takes no longer for a billion draws.

    tsoft sample 2 1 0.5 0.1 --tau 0.5 -n 10000
    tsoft sample cat=2 dog=1 --seed 1 | cat
    some-program | tsoft sample --tau 0.7 --counts -n 1e9
    some-program | tsoft sample --tau 1.5 --min-p 0.05 -n 20
    """
    from tsoft.options import logits, results, seeds
    from tsoft.options.plan import plan as planned

    form = results.checked_format(output)
    _refuse(form, drawing, input, output, look)
    size, seed = _size(drawing.n, form), seeds.chosen(drawing.seed)
    plan = planned(rules, parameters, temperatures.tau)
    blocks = logits.blocks(input, plan.taus)
    taus = logits.temperatures(plan.taus)
    if form == "table":
        from tsoft.features.sample import chart as rendering

        looking = results.view(output, look)

        def draw(block: "Block") -> Iterator[str]:
            return rendering.draw(results.by_plan(block, taus, plan), size, seed, looking)

        with (
            open_output(output.output, results.screen_encoding(output)) as out,
            results.followed(blocks, taus, plan) as followed,
        ):
            results.each_row(followed, look, out, draw)
    else:
        from tsoft.features.sample import records as forms
        from tsoft.output.number_format import NumberFormat

        each = drawing.draws if form in ("json", "jsonl") else not drawing.counts
        engine = any(chain and chain.engine for chain in plan.chains)
        with (
            open_output(output.output) as out,
            results.followed(blocks, taus, plan) as followed,
            _watched(output) as draws,
        ):
            telling = forms.Telling(each, drawing.index, engine, NumberFormat(digits=output.digits), draws)
            for text in forms.write(_groups(followed, taus, plan, size, seed), form, telling):
                out(text)


def _refuse(
    form: str, drawing: Drawing, input: LogitsOptions, output: DistributionOptions, look: DisplayOptions
) -> None:
    """A usage error for options that the sample, or its format, has no use for."""
    from tsoft.errors import UsageError
    from tsoft.options import results

    results.refuse("sample", log=output.log, long=output.long, with_logits=output.with_logits, bits=output.bits)
    results.refuse("sample", chart=bool(look.chart), vocab_size=input.vocab_size is not None)
    results.refuse(f"sample in {form}", digits=form == "tsv" and output.digits is not None)
    results.refuse(f"sample in {form}", index=form != "tsv" and drawing.index)
    results.refuse("a table, which has the counts", draws=form == "table" and drawing.draws)
    if drawing.counts and drawing.draws:
        raise UsageError("--counts and --draws are two kinds of sample; which is it?")


def _size(text: str | None, form: str) -> int:
    """How many draws were asked for."""
    from tsoft.errors import UsageError, shortened
    from tsoft.input import fields

    if text is None:
        return 1000 if form == "table" else 1
    try:
        # A float would round an integer of many digits.
        number = int(text) if text.isdecimal() and text.isascii() and len(text) < 20 else fields.number(text)
    except ValueError:
        number = 0
    if not (1 <= number <= MOST and number == int(number)):
        raise UsageError(f"-n: {shortened(text)!r} is not a whole number from 1 to 1e18")
    return int(number)


def _groups(
    blocks: "Iterable[Block]", taus: "Array", plan: "Plan", size: int, seed: int
) -> "Iterator[Iterator[Sample]]":
    """The samples of the rows that come together."""
    from tsoft.features.sample.samples import samples
    from tsoft.sampling.apply_chains import distributions

    return (samples(piece, size, seed) for block in blocks for piece in distributions(block, taus, plan.of(block)))


@contextlib.contextmanager
def _watched(output: DistributionOptions) -> "Iterator[Draws]":
    """The way to draw that shows its progress on stderr, once there are many draws, where they go
    elsewhere than to the terminal."""
    from tsoft.options import results

    bar: ProgressBar | None = None
    seen = 0
    watching = results.is_watched(output)
    if watching:
        from tsoft.features.sample.chart import progress_text
        from tsoft.output import progress

    def draws(sample: "Sample") -> "Iterator[Array]":
        nonlocal bar, seen
        if watching and bar is None and seen + sample.size > LONG:
            bar = progress.ProgressBar(sample.size, progress_text(sample))
        done = 0
        for piece in sample.draws():
            yield piece
            seen, done = seen + len(piece), done + len(piece)
            if bar:
                bar.show(progress_text(sample), done, sample.size)

    try:
        yield draws
    finally:
        if bar:
            bar.stop()
