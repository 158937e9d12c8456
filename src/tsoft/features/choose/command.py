"""`tsoft choose`: the best temperature for k answers."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tsoft.errors import InputError, UsageError
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, in_panel
from tsoft.options.output import DiagramOptions, FigureOptions, RecordOutputOptions

if TYPE_CHECKING:
    from tsoft.features.choose.measured_choices import MeasuredChoices, Resampling
    from tsoft.features.choose.result import TurningResult
    from tsoft.features.choose.trials import TrialReader, Trials

_input = in_panel("Input")

# The exit codes for entropies without a turning point, and for bounds that leave it open.
NO_TURNING_POINT, OPEN = 3, 4
# With fewer problems, a bootstrap interval contains the true mean in less than about 90 % of cases.
FEW_PROBLEMS = 20
# More values of k would need too much memory.
MAX_KS = 100


@bundle
class ResultFiles:
    """The files of records, and how to read them."""

    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            show_default=False,
            help="Results or answers for each problem and temperature; - is stdin. Without files, tsoft reads stdin.",
        ),
    ] = None
    tau: Annotated[
        list[str] | None,
        _input(
            "--tau",
            "-t",
            "--temperature",
            metavar="τ,…",
            show_default="tau in each record",
            help="Temperature of each file, in the order of the files, such as 0.2,0.6,1 for three files.",
        ),
    ] = None
    filter: Annotated[
        str | None,
        _input(
            "--filter",
            metavar="NAME",
            show_default="the only one",
            help="For samples of lm-evaluation-harness: the filter whose answers count.",
        ),
    ] = None
    input_format: Annotated[
        Literal["text", "tsv", "csv", "json", "jsonl", "parquet", "arrow"] | None,
        _input(
            metavar="FORMAT",
            show_default="detected from the file name or the content",
            help="Format of the input: text, tsv, csv, json, jsonl, parquet or arrow.",
        ),
    ] = None


@bundle
class ChoiceOptions:
    """What to choose for, and the bootstrap."""

    k: Annotated[
        list[str] | None,
        typer.Option(
            "--k",
            "-k",
            metavar="K,…",
            show_default="1, 10, 100, … and the smallest number of answers",
            help="Numbers of answers, such as 1,10,100. Can be repeated.",
        ),
    ] = None
    measure: Annotated[
        Literal["pass", "majority", "entropy"] | None,
        typer.Option(
            "--measure",
            metavar="MEASURE",
            show_default="pass in tsv; otherwise pass, and majority if the answers are known",
            help="What to maximize: pass (one of k answers is correct) or majority (the most frequent of k answers is"
            " correct). entropy finds the turning point of the entropy instead.",
        ),
    ] = None
    resamples: Annotated[
        int,
        typer.Option(
            min=0,
            max=1_000_000,
            metavar="N",
            help="Number of bootstrap samples of the problems for the intervals; with 0, there are none.",
        ),
    ] = 1000
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the random numbers of the bootstrap.")] = 0


@bundled
def choose(
    input: ResultFiles,
    choice: ChoiceOptions,
    output: RecordOutputOptions,
    charts: DiagramOptions,
    figure: FigureOptions,
) -> None:
    """Choose the best temperature for pass@k or a majority vote.

    Reads how many answers to each problem are correct at each temperature:
    records with problem, tau, n and correct, or with answers and their target.
    On a terminal, shows pass@k and the majority vote over τ. In a pipe, prints
    one line per k: k, the best τ, pass@k at this τ, and its 95 % interval. From
    the entropies of generated texts, finds their turning point.

    Examples:
      tsoft choose results.csv
      tsoft choose answers.jsonl --measure majority --k 1,8,64
      tsoft choose cold.jsonl warm.jsonl --tau 0.2,0.8 -o choose.svg
      tsoft generate "The cat" --tau 0.2:1.4:0.2 -f json | tsoft choose
    """
    from tsoft.features.choose.measured_choices import Resampling
    from tsoft.features.choose.result import ChooseResult
    from tsoft.features.choose.turning_point import turning_text
    from tsoft.notes import note
    from tsoft.options.chosen_formats import chosen_formats
    from tsoft.options.seeds import chosen_seed
    from tsoft.options.writing import view, write

    chosen = chosen_formats(output, charts, figure)
    resampling = Resampling(choice.resamples, chosen_seed(choice.seed))
    ks = _ks(choice.k)
    read = _read(input)
    if _measures_entropy(read, choice.measure, ks):
        turning = _turning_result(read, resampling, chart=charts.chart is not False)
        for file, format in chosen:
            write(turning, format, file, lambda: view(output), figure)
        if turning.point.tau is None:
            if any(format != "table" for _, format in chosen):
                note(turning_text(turning.point))
            raise typer.Exit(OPEN if turning.point.is_open else NO_TURNING_POINT)
        return
    trials = _trials(read, resampling)
    resampling = resampling.of_problems(len(trials.problems))
    measures = _measures(trials, choice.measure, {format for _, format in chosen})
    measured = [_measured(trials, each, ks, resampling) for each in measures]
    for file, format in chosen:
        # tsv does not name the measure.
        shown = measured[:1] if format == "tsv" else measured
        result = ChooseResult(shown, trials, resampling, charts.chart is not False)
        write(result, format, file, lambda: view(output), figure)


def _ks(texts: list[str] | None) -> list[int] | None:
    """Return the typed numbers of answers, ascending; None without any."""
    from tsoft.options.numbers import whole_number

    if texts is None:
        return None
    numbers = set()
    for piece in [piece.strip() for text in texts for piece in text.split(",")]:
        try:
            number = whole_number(piece)
        except ValueError:
            number = 0
        if not 1 <= number <= 10**9:
            raise UsageError(
                f"--k: {piece!r} is not a number of answers; pass whole numbers of at least 1, such as 1,10"
            )
        numbers.add(number)
    if len(numbers) > MAX_KS:
        raise UsageError(f"--k: {len(numbers)} numbers; pass at most {MAX_KS}")
    return sorted(numbers)


def _read(input: ResultFiles) -> "TrialReader":
    """Return the records of all files."""
    import os
    import sys

    from tsoft.features.choose.trials import TrialReader
    from tsoft.input.named_records import read_records
    from tsoft.input.read_options import ReadOptions
    from tsoft.input.source import STDIN
    from tsoft.notes import note
    from tsoft.options.temperatures import parsed_temperatures, pieces

    if not input.files and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no results; pass a file, or pipe one in")
    files = input.files or ["-"]
    if "" in files:
        raise UsageError("a file needs a name")
    # The same file may have several names.
    places = ["-" if name == "-" else os.path.abspath(name) for name in files]
    if repeated := [name for i, name in enumerate(files) if places[i] in places[:i]]:
        raise UsageError(f"{repeated[0]} is repeated; pass each file once")
    if "-" in files and input.tau is not None and "-" in pieces(input.tau):
        raise UsageError("only one of --tau and the records can read stdin; pass the temperatures as arguments")
    taus = None if input.tau is None else parsed_temperatures(input.tau).tolist()
    if taus is not None and len(taus) != len(files):
        fix = "pass one per file, in the order of the files"
        raise UsageError(f"--tau: {len(taus)} temperatures for {len(files)} file{'s' * (len(files) != 1)}; {fix}")
    reader = TrialReader(input.filter, note)
    for i, name in enumerate(files):
        options = ReadOptions(STDIN if name == "-" else name, note=note)
        reader.add(read_records(name, options, input.input_format), taus and taus[i])
    if input.filter is not None and not reader.has_samples:
        raise UsageError("--filter works only with samples of lm-evaluation-harness; remove --filter")
    if not reader.answers and not reader.entropies:
        if input.filter is not None:
            raise InputError(f"no sample has the filter {input.filter!r}; pass another --filter")
        raise InputError("the input has no records; write one per problem and temperature")
    return reader


def _measures_entropy(reader: "TrialReader", measure: str | None, ks: list[int] | None) -> bool:
    """Return whether to find the turning point of the entropy. Raise an error for a measure without records."""
    from tsoft.notes import note

    if measure == "entropy" and not reader.entropies:
        raise InputError("no record has an entropy; write entropy into the records, or remove --measure entropy")
    if measure == "entropy" or not reader.answers:
        if measure not in (None, "entropy"):
            raise InputError(f"the records have only entropies; remove --measure {measure}")
        if ks is not None:
            raise UsageError("--k has no effect on the turning point of the entropy; remove --k")
        return True
    if reader.entropies:
        note("the records have entropies, too; --measure entropy finds their turning point")
    return False


def _turning_result(reader: "TrialReader", resampling: "Resampling", *, chart: bool) -> "TurningResult":
    """Return the turning point of the entropies. Raise InputError for too few temperatures, or an entropy of 0."""
    import numpy as np

    from tsoft.features.choose.result import TurningResult
    from tsoft.features.choose.trials import paired
    from tsoft.features.choose.turning_point import FEWEST_TAUS, turning_point_within
    from tsoft.notes import note
    from tsoft.options.few_resamples import note_few_resamples

    inside = {key: texts for key, texts in reader.entropies.items() if 0 < key[0] < np.inf}
    if limits := sorted({key[0] for key in reader.entropies.keys() - inside.keys()}):
        note(f"the turning point does not use τ = {' and '.join(f'{tau:g}' for tau in limits)}")
    if len({tau for tau, _ in inside}) < FEWEST_TAUS:
        raise InputError(f"a turning point needs at least {FEWEST_TAUS} temperatures between 0 and inf; add more")
    taus, problems, texts = paired(inside, note)
    # A problem counts once, however many texts it has.
    entropies = np.array([[np.mean(each, axis=0) for each in row] for row in texts]).transpose(2, 0, 1)
    zeros = (entropies[0].mean(1) <= 0).nonzero()[0]
    if len(zeros):
        raise InputError(
            f"the mean entropy at τ = {taus[zeros[0]]:g} may be 0, which has no logarithm; leave out this τ"
        )
    resampling = resampling.of_problems(len(problems))
    generator = np.random.default_rng(resampling.seed)
    try:
        point = turning_point_within(np.array(taus), entropies, resampling.resamples, generator)
    except ValueError as error:
        raise InputError(f"{error}; leave out some of them") from None
    note_few_resamples(resampling.resamples)
    return TurningResult(point, len(problems), resampling, chart)


def _trials(reader: "TrialReader", resampling: "Resampling") -> "Trials":
    """Return the answers, with notes on what limits the choice."""
    from tsoft.features.choose.trials import trials
    from tsoft.notes import note
    from tsoft.options.few_resamples import note_few_resamples

    result = trials(reader.answers, note)
    if len(result.taus) == 1:
        note(f"all answers have τ = {result.taus[0]:g}, so there is nothing to choose from; add other temperatures")
    if resampling.resamples and 1 < len(result.problems) < FEW_PROBLEMS:
        note(f"the 95 % intervals are too narrow, because there are only {len(result.problems)} problems")
    if len(result.problems) > 1:
        note_few_resamples(resampling.resamples)
    return result


def _measures(trials: "Trials", measure: str | None, formats: set[str]) -> list[str]:
    """Return the measures to compute. Raise InputError for a majority vote without answers."""
    if measure == "majority" and not trials.has_votes:
        raise InputError("a majority vote needs the answers; write answers and target, or remove --measure majority")
    if measure is not None:
        return [measure]
    return ["pass", "majority"] if trials.has_votes and formats != {"tsv"} else ["pass"]


def _measured(trials: "Trials", measure: str, ks: list[int] | None, resampling: "Resampling") -> "MeasuredChoices":
    """Return the best temperatures by a measure."""
    import numpy as np

    from tsoft.features.choose.measured_choices import MeasuredChoices
    from tsoft.features.choose.pass_at_k import SUBSETS
    from tsoft.features.choose.temperature_choice import TIE, best_temperature
    from tsoft.notes import note

    least = trials.least_k if measure == "pass" else 1
    chosen = _default_ks(least, int(trials.n.min())) if ks is None else ks
    _check_ks(trials, chosen, least)
    if measure == "pass":
        values = trials.pass_values(chosen)
    else:
        values, sampled = trials.majority_values(chosen, resampling.seed)
        if sampled:
            note(f"{sampled} of {values.size} majority votes are estimated from {SUBSETS} random subsets each")
    # The same seed draws the same problems for each k.
    choices = [
        best_temperature(trials.taus, each, resamples=resampling.resamples, rng=resampling.seed) for each in values
    ]
    measured = MeasuredChoices(measure, chosen, choices)
    has_width = [bool(np.ptp(each[choice.best]) > TIE) for each, choice in zip(values, choices, strict=True)]
    _note_no_width(measured, has_width)
    return measured


def _note_no_width(measured: "MeasuredChoices", has_width: list[bool]) -> None:
    """Print a note if the bootstrap gives an interval without a width, because all problems have the same estimate."""
    from math import isnan

    from tsoft.notes import note

    intervals = zip(measured.ks, measured.choices, has_width, strict=True)
    ks = [str(k) for k, choice, is_wide in intervals if not is_wide and not isnan(choice.low[choice.best])]
    if ks:
        problem = f"the interval of {measured.measure}@{','.join(ks)} has no width, because all problems have the same"
        note(f"{problem} estimate at the best τ; new problems may differ")


def _default_ks(least: int, most: int) -> list[int]:
    """Return the powers of 10 between both numbers, and both numbers.

    >>> _default_ks(1, 200), _default_ks(2, 64)
    ([1, 10, 100, 200], [2, 10, 64])
    """
    powers = {10**i for i in range(len(str(most)))}
    return sorted({least, most, *(k for k in powers if least < k < most)})


def _check_ks(trials: "Trials", ks: list[int], least: int) -> None:
    """Raise UsageError for a k above the number of answers to a problem, or below the lowest known one."""
    from tsoft.errors import shortened

    for t, p in zip(*(trials.n < ks[-1]).nonzero(), strict=True):
        where = f"problem {shortened(repr(trials.problems[p]))} at τ = {trials.taus[t]:g}"
        fix = f"pass numbers up to {trials.n.min()}"
        raise UsageError(f"--k {ks[-1]}: {where} has only {trials.n[t, p]} answers; {fix}")
    if ks[0] < least:
        raise UsageError(f"--k {ks[0]}: the samples have pass@k only from k = {least}; pass higher numbers")
