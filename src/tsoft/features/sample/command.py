"""`tsoft sample`: draws from the distribution at each temperature."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError, exclusive, shortened
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled
from tsoft.options.folder_options import RandomFolderOptions
from tsoft.options.history_options import HistoryOptions, TextSource
from tsoft.options.input import BoundsOptions, LogitsOptions
from tsoft.options.into_folder import into_folder
from tsoft.options.output import FIGURE_FORMATS, DisplayOptions, FigureOptions, OnlyIn, RecordOutputOptions
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.saved_calibration import CalibrationOptions
from tsoft.options.seeds import seed_option
from tsoft.options.temperatures import TemperatureOptions

if TYPE_CHECKING:
    from tsoft.core.softmax import Array
    from tsoft.features.sample.samples import Sample

# A float represents this number exactly, and no count overflows an int64.
MAX_DRAWS = 10**18


@bundle
class DrawOptions:
    """The number of draws, their seed, and the form in which they are written."""

    n: Annotated[
        str | None,
        typer.Option(
            "-n",
            metavar="N",
            show_default="1000 in a table, otherwise 1",
            help="Number of draws per row and temperature, such as 50 or 1e9.",
        ),
    ] = None
    seed: Annotated[int | None, seed_option("the same draws or, if no output contains the draws, the same counts.")] = (
        None
    )
    counts: Annotated[
        bool,
        typer.Option("--counts", help="Print the number of draws of each class. json always has these counts."),
    ] = False
    draws: Annotated[
        bool,
        typer.Option(
            "--draws",
            help="Print each draw. This is the default in tsv and csv; json then has the counts and the draws.",
        ),
        OnlyIn("tsv", "csv", "json", "jsonl"),
    ] = False
    index: Annotated[
        bool,
        typer.Option("--index", help="tsv: print the index of a class, from 0, instead of its label."),
        OnlyIn("tsv"),
    ] = False


@bundled
@into_folder
def sample(
    input: LogitsOptions,
    bounds: BoundsOptions,
    calibration: CalibrationOptions,
    temperatures: TemperatureOptions,
    drawing: DrawOptions,
    parameters: ParameterOptions,
    samplers: SamplerOptions,
    history: HistoryOptions,
    output: RecordOutputOptions,
    display: DisplayOptions,
    figure: FigureOptions,
    folder: RandomFolderOptions,
) -> None:
    """Draw random classes from the distribution at each temperature.

    On a terminal, compares the counts of the classes with the expected counts,
    and tests whether they agree. In a pipe, prints one draw per line, or with
    --counts one class and its count per line. With --counts, a billion draws
    take no longer than ten.

    Examples:
      tsoft sample 2 1 0.5 0.1 --tau 0.5 -n 10000
      tsoft sample cat=2 dog=1 --seed 1 | cat
      some-program | tsoft sample --tau 0.7 -n 1e9 --counts
      some-program | tsoft sample --tau 1.5 --min-p 0.05 -n 20
    """
    from tsoft.features.sample.result import SampleForm, SampleResult
    from tsoft.features.sample.samples import DrawnSample, Sample
    from tsoft.options import logits
    from tsoft.options.chosen_formats import chosen_formats, kept_for
    from tsoft.options.plan import make_plan
    from tsoft.options.saved_calibration import saved_calibration
    from tsoft.options.seeds import chosen_seed
    from tsoft.options.temperatures import parsed_temperatures
    from tsoft.options.writing import is_watched, view, write

    folder.refuse()
    chosen = chosen_formats(output, drawing, display, figure)
    if output.digits is not None and all(format == "tsv" for _, format in chosen):
        raise UsageError("--digits has no effect on tsv, which contains whole numbers and labels; remove --digits")
    if drawing.counts and drawing.draws:
        raise UsageError(exclusive("--counts", "--draws"))
    # One draw is the default only where each draw is a line.
    is_shown = any(format in ("table", *FIGURE_FORMATS) for _, format in chosen)
    size, seed = _size(drawing.n, 1000 if is_shown else 1), chosen_seed(drawing.seed)
    text = TextSource(history, input, temperatures.tau)
    plan = make_plan(samplers, parameters, temperatures.tau, text=text)
    saved = saved_calibration(calibration)
    blocks = kept_for(chosen, saved.calibrated(logits.blocks(input, plan.taus, bounds=bounds, targets=saved.targets)))
    taus = parsed_temperatures(plan.taus)
    each_draw = {format: _has_draws(format, drawing) for _, format in chosen}
    # The files of one run show the same sample.
    kind = DrawnSample if len(chosen) > 1 and any(each_draw.values()) else Sample
    for file, format in chosen:
        form = SampleForm(each_draw[format], drawing.index, watched_draws if is_watched(file) else Sample.draws, kind)
        result = SampleResult(blocks, taus, plan, form, size=size, seed=seed, rows=display.rows)
        write(result, format, file, lambda: view(output, display), figure)


def _has_draws(format: str, drawing: DrawOptions) -> bool:
    """Return whether a format contains each draw."""
    return drawing.draws if format in ("json", "jsonl") else format in ("tsv", "csv") and not drawing.counts


def watched_draws(sample: "Sample") -> "Iterator[Array]":
    """Yield a sample's draws, with a progress bar if they take longer than a moment."""
    from tsoft.charts.style import tau_text
    from tsoft.output.watching import watched

    title, count = f"drawing row {sample.row}, {tau_text(sample.tau)}", 0

    def describe(piece: "Array", _: float) -> tuple[str, int]:
        nonlocal count
        count += len(piece)
        return title, count

    return watched(sample.draws(), describe, lambda _: sample.size)


def _size(text: str | None, default: int) -> int:
    """Return the number of draws."""
    from tsoft.options.numbers import whole_number

    if text is None:
        return default
    try:
        number = whole_number(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MAX_DRAWS:
        raise UsageError(f"-n: expected a whole number from 1 to 1e18, got {shortened(text)!r}")
    return number
