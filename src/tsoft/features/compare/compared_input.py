"""The rows of pairs of files with their measures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from tsoft.errors import InputError, UsageError
from tsoft.features.compare.inputs import PairReading
from tsoft.features.compare.rows import ComparedRows, ComparisonSettings, compared_rows
from tsoft.features.compare.summary import ComparisonSummary, MeasureBounds, measure_bounds, summarize
from tsoft.options.history_options import HistoryOptions, TextSource
from tsoft.options.input_files import FileClasses
from tsoft.options.job_options import JobOptions
from tsoft.options.job_values import absolute, absolute_names, require_no_stdin
from tsoft.options.jobs import in_jobs, results
from tsoft.options.plan import make_plan
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.temperatures import parsed_temperatures
from tsoft.sampling.step import ChainError

# The files of A and of B.
Names = tuple[str, str]


@dataclass(frozen=True, eq=False)
class ComparedInput:
    """The options that select the rows of both files, the samplers and the temperatures. `typed_taus` are the values of
    --tau."""

    pairing: PairReading
    parameters: ParameterOptions
    samplers: SamplerOptions
    typed_taus: list[str] | None
    draft_tau: float | None

    def settings(self) -> ComparisonSettings:
        """Return the temperatures and the samplers."""
        text = TextSource(HistoryOptions(), fix="use compute, sweep or sample, one model at a time")
        plan = make_plan(self.samplers, self.parameters, self.typed_taus, text=text)
        return ComparisonSettings(parsed_temperatures(plan.taus), self.draft_tau, plan)

    def compared(self, names: Names, settings: ComparisonSettings) -> "ComparedPair | None":
        """Return the rows of two files with their measures; None if --ignore-index leaves out all of them."""
        pairs = self.pairing.pairs(names)
        first = next(pairs, None)
        if first is None:
            return None
        plan = settings.plan
        # Samplers and --listed-only make a response exact.
        is_partial = first.match is not None and not (plan.has_chain or self.pairing.bounds.listed_only)

        def rows() -> Iterator[ComparedRows]:
            for each in chain([first], pairs):
                if (each.match is None) != (first.match is None):
                    raise InputError(f"row {each.first.first_row}: only part of the input is an API response; split it")
                if plan.has_chain:
                    plan.note(each.first, plan.chains_for(each.first), settings.taus)
                yield from compared_rows(each, settings)

        kind = PairKind(FileClasses.of_block(first.first, names[0]), is_partial)
        return ComparedPair(kind, rows())

    def no_rows(self) -> InputError:
        """Return the error if no row remains."""
        ignored = self.pairing.fields.ignore_index
        return InputError(f"every row has the target {ignored}, so no row remains; remove --ignore-index")


@dataclass(frozen=True)
class PairKind:
    """What the rows of all pairs of files need to share: their classes and, with `is_partial`, that the bounds on the
    measures of a row may differ."""

    classes: FileClasses
    is_partial: bool

    def require(self, first: "PairKind") -> None:
        """Raise InputError if the rows are not of the kind of those of the first pair."""
        self.classes.require_those_of(first.classes)
        if self.is_partial != first.is_partial:
            partial, whole = (self, first) if self.is_partial else (first, self)
            problem = f"{partial.classes.file} is an API response, and {whole.classes.file} is not"
            raise InputError(f"{problem}; compare them with two commands")


@dataclass(frozen=True, eq=False)
class ComparedPair:
    """The rows of two files with their measures, computed when they are iterated."""

    kind: PairKind
    rows: Iterator[ComparedRows]


@dataclass(frozen=True, eq=False)
class _PairMeasures:
    """The kind of a pair of files, and the bounds on the measures of its rows; None if all rows are left out."""

    input: ComparedInput

    def __call__(self, names: Names) -> "tuple[PairKind, MeasureBounds] | Literal[False]":
        settings = self.input.settings()
        try:
            pair = self.input.compared(names, settings)
            # A job returns something.
            return pair is not None and (pair.kind, measure_bounds(pair.rows, is_partial=pair.kind.is_partial))
        except ChainError as error:
            raise UsageError(error.with_fix) from None


def summarize_files(input: ComparedInput, files: Sequence[Names], jobs: JobOptions) -> ComparisonSummary:
    """Return the summary of the rows of all pairs of files, with the bits of one process."""
    require_no_stdin(input)
    if jobs.cluster is not None:
        input, files = absolute_names(input), absolute(files)
    first: PairKind | None = None
    parts: list[MeasureBounds] = []
    for result in results(in_jobs(_PairMeasures(input), files, jobs), lambda names: names[0]):
        if not result:
            continue
        kind, bounds = result
        first = first or kind
        kind.require(first)
        if parts and bounds.keys() != parts[0].keys():
            named, unnamed = (kind, first) if len(bounds) > len(parts[0]) else (first, kind)
            problem = f"{named.classes.file} has true classes, and {unnamed.classes.file} does not"
            raise InputError(f"{problem}; all files need the same measures")
        parts.append(bounds)
    if first is None:
        raise input.no_rows()
    return summarize(parts, is_partial=first.is_partial)
