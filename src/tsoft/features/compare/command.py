"""`tsoft compare`: two distributions over the same classes."""

from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, in_panel
from tsoft.options.input import (
    BoundsOptions,
    ReadingOptions,
    ServerOptions,
    TargetFieldOptions,
    array_key_option,
)
from tsoft.options.job_options import JobOptions
from tsoft.options.output import (
    FIGURE_FORMATS,
    TEXT_FORMATS,
    DiagramOptions,
    Displayed,
    FigureOptions,
    OnlyIn,
    RecordOutputOptions,
)
from tsoft.options.sampler_options import OneEngineOptions, ParameterOptions
from tsoft.options.temperatures import TemperatureOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tsoft.features.compare.rows import ComparedRows
    from tsoft.options.plan import Plan

DRAFT_TOKENS = 4


@bundle
class ComparedFiles:
    """The files of both distributions."""

    first: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE_A",
            show_default=False,
            help="Logits of A, the target model; - is stdin. A folder or a pattern in quotes is several files.",
        ),
    ] = None
    second: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE_B",
            show_default=False,
            help="Logits of B, the draft or another model, for the same rows and classes; - is stdin. Several files are"
            " paired with those of A by name.",
        ),
    ] = None

    @property
    def names(self) -> tuple[str, str]:
        """The names of both files. Raise UsageError for a missing one, and for a number that is no file."""
        from os.path import exists

        from tsoft.input.fields import is_number

        if self.first is None or self.second is None:
            raise UsageError("compare needs two files, such as tsoft compare target.npy draft.npy")
        if "" in (self.first, self.second):
            raise UsageError(f"{'FILE_B' if self.first else 'FILE_A'} needs a file name")
        for name in (self.first, self.second):
            if is_number(name) and not exists(name):
                raise UsageError(
                    f"compare takes two files, and {name!r} is not a file; write each distribution to a file"
                )
        return self.first, self.second

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The names of both files or, for folders and patterns, of all pairs of files."""
        from tsoft.options.input_files import listed_files, paired_files

        first, second = self.names
        return paired_files(listed_files([first], "FILE_A"), listed_files([second], "FILE_B"), (first, second))


@bundle
class ComparisonOptions:
    """The draft, and the rows to compare."""

    draft_key: Annotated[str | None, array_key_option("--draft-key", "FILE_B")] = None
    draft_tau: Annotated[
        float | None,
        typer.Option("--draft-tau", metavar="τ", show_default="that of --tau", help="Temperature of B."),
    ] = None
    draft_tokens: Annotated[
        int | None,
        typer.Option(
            "--draft-tokens",
            min=0,
            max=1_000_000,
            metavar="γ",
            show_default="4",
            help="Number of tokens that the draft proposes per step of the target.",
        ),
    ] = None
    all_positions: Annotated[
        bool,
        typer.Option(
            "--all-positions",
            help="For API responses: also compare the positions after the first difference between the texts.",
        ),
    ] = False
    per_row: Annotated[
        bool,
        typer.Option("--per-row", help="Print the measures of each row instead of their means and quantiles."),
        OnlyIn("table", *TEXT_FORMATS),
    ] = False


@bundle
class RowDisplayOptions:
    """The number of rows in a table."""

    rows: Annotated[
        int | None,
        in_panel("Table and chart")(
            "--rows",
            min=1,
            metavar="N",
            show_default="20",
            help="With --per-row: maximum number of rows to show.",
        ),
        Displayed(),
    ] = None


@bundled
def compare(
    files: ComparedFiles,
    reading: ReadingOptions,
    server: ServerOptions,
    bounds: BoundsOptions,
    fields: TargetFieldOptions,
    temperatures: TemperatureOptions,
    comparison: ComparisonOptions,
    parameters: ParameterOptions,
    samplers: OneEngineOptions,
    output: RecordOutputOptions,
    display: RowDisplayOptions,
    charts: DiagramOptions,
    figure: FigureOptions,
    jobs: JobOptions,
) -> None:
    """Compare the distributions of two models over the same classes.

    Measures how far B is from A (KL, total variation, how often both have the
    same top class) and, for speculative decoding, the share of B's drafts that
    A accepts. On a terminal, prints means and quantiles over the rows. In a
    pipe, prints one line per temperature or, with --per-row, one line per row
    and temperature. csv has a header.

    Examples:
      tsoft compare target.npy draft.npy --tau 0:1.5:0.1
      tsoft compare base.kld quantized.kld
      tsoft compare z.npz z.npz --key large --draft-key small
      tsoft compare target.npy draft.npy --draft-tokens 8 --top-p 0.9
      tsoft compare server-a.json server-b.json --per-row --vocab-size 151936
      tsoft compare target.npy draft.npy --tau 0:2:0.1 -o acceptance.svg
      tsoft compare target/ draft/ --jobs 8
    """
    from functools import cache

    from tsoft.features.compare.compared_input import ComparedInput, summarize_files
    from tsoft.features.compare.inputs import DraftReading, PairReading
    from tsoft.features.compare.result import RowsResult, SummaryResult
    from tsoft.features.compare.summary import measure_bounds, summarize
    from tsoft.options.chosen_formats import chosen_formats, kept_for
    from tsoft.options.writing import view, write

    names = files.names
    chosen = chosen_formats(output, comparison, display, charts, figure)
    _check(names, comparison, temperatures, display, charts)
    jobs.check()
    pairs = files.pairs
    _check_pairs(pairs, comparison, jobs)
    draft = DraftReading(comparison.draft_key, notes_copies=comparison.draft_tau is None)
    pairing = PairReading(reading, server, bounds, fields, draft, comparison.all_positions)
    input = ComparedInput(pairing, parameters, samplers, temperatures.tau, comparison.draft_tau)
    settings = input.settings()
    _check_plan(settings.plan, comparison)
    by_row = None
    if len(pairs) > 1:
        summary = cache(lambda: summarize_files(input, pairs, jobs))
    else:
        pair = input.compared(pairs[0], settings)
        if pair is None:
            raise input.no_rows()
        is_partial = pair.kind.is_partial
        rows: Iterable[ComparedRows] = pair.rows
        if comparison.per_row:
            rows = kept_for(chosen, rows)
            by_row = RowsResult(rows, settings, display.rows or 20, is_partial)
        summary = cache(lambda: summarize([measure_bounds(rows, is_partial=is_partial)], is_partial=is_partial))
    draft_tokens = DRAFT_TOKENS if comparison.draft_tokens is None else comparison.draft_tokens
    of_all_rows = SummaryResult(summary, settings, draft_tokens, charts.chart is not False)
    for file, format in chosen:
        result = by_row if by_row and format not in FIGURE_FORMATS else of_all_rows
        write(result, format, file, lambda: view(output), figure)


def _check_pairs(pairs: list[tuple[str, str]], comparison: ComparisonOptions, jobs: JobOptions) -> None:
    """Raise UsageError for options that go with only one pair of files, or only with several."""
    if len(pairs) > 1 and comparison.per_row:
        raise UsageError(f"--per-row works on two files, but these are {len(pairs)} pairs; pass two files")
    if len(pairs) == 1 and jobs.are_typed:
        raise UsageError(f"{jobs.typed} has no effect on two files; pass two folders, or two patterns in quotes")


def _check(
    files: tuple[str, str],
    comparison: ComparisonOptions,
    temperatures: TemperatureOptions,
    display: RowDisplayOptions,
    charts: DiagramOptions,
) -> None:
    """Raise UsageError if several options read stdin, or for an option without effect or out of range."""
    from tsoft.input.source import stdin_conflict
    from tsoft.options.chosen_formats import refuse
    from tsoft.options.temperatures import pieces

    sources = {
        "FILE_A": files[0],
        "FILE_B": files[1],
        "--tau": "-" if "-" in pieces(temperatures.tau) else None,
    }
    readers = [name for name, file in sources.items() if file == "-"]
    if len(readers) > 1:
        raise UsageError(stdin_conflict(readers))
    if comparison.draft_tau is not None and not comparison.draft_tau >= 0:
        raise UsageError(f"--draft-tau: {comparison.draft_tau:g} is not a temperature; pass a number from 0 to inf")
    if display.rows is not None and not comparison.per_row:
        raise UsageError("--rows has no effect without --per-row; add --per-row")
    if comparison.per_row:
        refuse("compare --per-row", charts)
        if comparison.draft_tokens is not None:
            raise UsageError("--draft-tokens has no effect on compare --per-row; remove --draft-tokens")


def _check_plan(plan: "Plan", comparison: ComparisonOptions) -> None:
    if len(plan.chains) > 1:
        raise UsageError("--like: compare applies the rules of one engine to both; pass one of them")
    if plan.chains[0] and not plan.chains[0].has_temperature and comparison.draft_tau is not None:
        raise UsageError("--draft-tau has no effect, because the samplers include no temperature")
