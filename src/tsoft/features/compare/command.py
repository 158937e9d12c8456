"""`tsoft compare`: two distributions over the same classes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import InputError, UsageError
from tsoft.options.command import bundled, in_panel
from tsoft.options.input import (
    BoundsOptions,
    ListedOptions,
    LogitsOptions,
    ReadingOptions,
    ServerOptions,
    TargetFieldOptions,
)
from tsoft.options.output import (
    TEXT_FORMATS,
    DiagramOptions,
    Displayed,
    FigureOptions,
    OnlyIn,
    RecordOutputOptions,
)
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.temperatures import TemperatureOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.features.compare.classes import Pair
    from tsoft.input.labels import Labels
    from tsoft.input.read_options import TargetSource
    from tsoft.options.plan import Plan

DRAFT_TOKENS = 4


@dataclass(frozen=True)
class ComparedFiles:
    """The files of both distributions."""

    first: Annotated[
        str | None,
        typer.Argument(metavar="FILE_A", show_default=False, help="Logits of A, the target model; - is stdin."),
    ] = None
    second: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE_B",
            show_default=False,
            help="Logits of B, the draft or another model, for the same rows and classes; - is stdin.",
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


@dataclass(frozen=True)
class ComparisonOptions:
    """The draft, and the rows to compare."""

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
            help="For API responses: compare the positions after the texts differ, too.",
        ),
    ] = False
    per_row: Annotated[
        bool,
        typer.Option("--per-row", help="Print the measures of each row instead of their means and quantiles."),
        OnlyIn("table", *TEXT_FORMATS),
    ] = False


@dataclass(frozen=True)
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
    samplers: SamplerOptions,
    output: RecordOutputOptions,
    display: RowDisplayOptions,
    charts: DiagramOptions,
    figure: FigureOptions,
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
      tsoft compare target.npy draft.npy --draft-tokens 8 --top-p 0.9
      tsoft compare server-a.json server-b.json --per-row --vocab-size 151936
      tsoft compare target.npy draft.npy --tau 0:2:0.1 -o acceptance.svg
    """
    from functools import cache
    from itertools import chain

    from tsoft.features.compare.result import RowsResult, SummaryResult
    from tsoft.features.compare.rows import ComparedRows, ComparisonSettings, compared_rows
    from tsoft.features.compare.summary import summarize
    from tsoft.options.output import chosen_formats, kept_for, view, write
    from tsoft.options.plan import make_plan
    from tsoft.options.temperatures import parsed_temperatures

    names = files.names
    chosen = chosen_formats(output, comparison, display, charts, figure)
    _check(names, comparison, temperatures, display, charts)
    plan = make_plan(samplers, parameters, temperatures.tau)
    _check_plan(plan, comparison)
    pairs = _pairs(names, reading, server, bounds, fields, comparison)
    settings = ComparisonSettings(parsed_temperatures(plan.taus), comparison.draft_tau, plan)
    first = next(pairs, None)
    if first is None:
        raise InputError(f"every row has the target {fields.ignore_index}, so no row remains; remove --ignore-index")
    # Samplers and --listed-only make a response exact.
    is_partial = first.match is not None and not (plan.has_chain or bounds.listed_only)

    def rows() -> Iterator[ComparedRows]:
        for each in chain([first], pairs):
            if (each.match is None) != (first.match is None):
                raise InputError(f"row {each.first.first_row}: an input is only in part an API response; split it")
            if plan.has_chain:
                plan.note(each.first, settings.taus)
            yield from compared_rows(each, settings)

    if comparison.per_row:
        by_row = RowsResult(kept_for(chosen, rows()), settings, display.rows or 20, is_partial)
        for file, format in chosen:
            write(by_row, format, file, lambda: view(output), figure)
        return
    summary = cache(lambda: summarize(rows(), is_partial=is_partial))
    draft_tokens = DRAFT_TOKENS if comparison.draft_tokens is None else comparison.draft_tokens
    for file, format in chosen:
        result = SummaryResult(summary, settings, draft_tokens, charts.chart is not False)
        write(result, format, file, lambda: view(output), figure)


def _check(
    files: tuple[str, str],
    comparison: ComparisonOptions,
    temperatures: TemperatureOptions,
    display: RowDisplayOptions,
    charts: DiagramOptions,
) -> None:
    """Raise UsageError if several options read stdin, or for an option without effect or out of range."""
    from tsoft.input.source import stdin_conflict
    from tsoft.options.output import refuse
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


def _pairs(
    files: tuple[str, str],
    reading: ReadingOptions,
    server: ServerOptions,
    bounds: BoundsOptions,
    fields: TargetFieldOptions,
    comparison: ComparisonOptions,
) -> "Iterator[Pair]":
    """Return the rows of both files in pairs."""
    from dataclasses import fields as fields_of

    from tsoft.features.compare.classes import NAMES
    from tsoft.features.compare.pairing import pairs
    from tsoft.input.read_options import TargetSource
    from tsoft.options.logits import parsed_labels

    # --labels applies to an input that does not name its classes.
    values = {field.name: getattr(reading, field.name) for field in fields_of(reading)} | {"labels": None}
    options = LogitsOptions(**values, applied_tau=server.applied_tau)
    labels = parsed_labels(reading.labels)
    targets = TargetSource(fields.target_column, fields.targets_key, fields.ignore_index)
    # Named targets may be in A's file only.
    is_named = fields.target_column is not None or fields.targets_key is not None
    sources = targets, TargetSource(ignored=fields.ignore_index, separate=is_named)
    inputs = [
        _Input(replace(options, file=file), source, name)
        for file, source, name in zip(files, sources, NAMES, strict=True)
    ]
    _check_responses(inputs, server, bounds, comparison)
    # The other input of a single response has every class, so that no size of the vocabulary is needed.
    are_both = all(each.first.partial is not None for each in inputs)
    listed = bounds if are_both else ListedOptions(bounds.listed_only)
    first, second = (each.blocks(listed, labels) for each in inputs)
    if labels is not None and all(each.first.labels is not None for each in inputs):
        raise UsageError("--labels has no effect, because both inputs name their classes; remove --labels")
    return pairs(first, second, files[1], all_positions=comparison.all_positions)


class _Input:
    """One of both inputs, whose `first` block has been read."""

    def __init__(self, options: LogitsOptions, targets: "TargetSource", name: str) -> None:
        from tsoft.notes import note
        from tsoft.options import logits

        self.options, self.note = options, lambda message: note(f"{name}: {message}")
        read = logits.read_blocks(options, None, targets=targets, note=self.note)
        self.first = next(read)
        self._rest = read

    def blocks(self, bounds: ListedOptions, labels: "Labels | None") -> "Iterator[Block]":
        """Return all blocks, with the options for an API response if it is one."""
        from itertools import chain

        from tsoft.options import logits

        is_response = self.first.partial is not None
        options = self.options if is_response else replace(self.options, applied_tau=None)
        parts = (part for block in chain([self.first], self._rest) for part in block.split_by_width())
        checked = logits.checked(
            parts, options, bounds if is_response else None, has_targets=True, note=self.note, unknown_rows=True
        )
        noted = logits.noting_probabilities(checked, self.note)
        return noted if labels is None else (_labeled(block, labels) for block in noted)


def _labeled(block: "Block", labels: "Labels") -> "Block":
    """Return the block with these labels if it has none. Raise InputError if their number differs."""
    if block.labels is not None:
        return block
    try:
        return replace(block, labels=labels.matching(block.logits.shape[1]))
    except ValueError as error:
        raise InputError(f"{block.location}: {error}") from None


def _check_responses(
    inputs: "list[_Input]", server: ServerOptions, bounds: BoundsOptions, comparison: ComparisonOptions
) -> None:
    """Raise UsageError for an option that needs an API response if no input is one."""
    responses = sum(each.first.partial is not None for each in inputs)
    for option, is_typed in {
        "--applied-tau": server.applied_tau is not None,
        "--vocab-size": bounds.vocab_size is not None,
        "--listed-only": bounds.listed_only,
        "--all-positions": comparison.all_positions,
    }.items():
        if is_typed and not responses:
            raise UsageError(f"{option} works only with an API response, and no input is one; remove {option}")
    if comparison.all_positions and responses == 1:
        raise UsageError("--all-positions works only with two API responses; remove --all-positions")
    if bounds.vocab_size is not None and responses == 1:
        raise UsageError("--vocab-size has no effect, because one input has every class; remove --vocab-size")
