"""`tsoft audit`: whether draws match the requested temperature and samplers."""

from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError, exclusive
from tsoft.features.audit.server.probe_options import ProbeOptions
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, in_panel
from tsoft.options.input import BoundsOptions, LogitsOptions, logits_argument
from tsoft.options.output import (
    FIGURE_FORMATS,
    TEXT_FORMATS,
    ClassDisplayOptions,
    Displayed,
    FigureOptions,
    OnlyIn,
    RecordOutputOptions,
)
from tsoft.options.sampler_options import OneEngineOptions, ParameterOptions, SamplerOptions
from tsoft.options.seeds import Seed

if TYPE_CHECKING:
    from tsoft.features.audit.evidence import Evidence
    from tsoft.features.audit.pair_result import PairResult
    from tsoft.features.audit.requested import Requested
    from tsoft.features.audit.result import AuditResult
    from tsoft.options.plan import Plan
    from tsoft.options.result import Result

_draws = in_panel("Draws")


@bundle
class AuditedOptions(LogitsOptions):
    """The logits of the draws, or two responses."""

    logits: Annotated[
        list[str] | None,
        logits_argument(
            "Or two files, A and B: responses to one prompt. Without any, tsoft reads the logits from stdin."
        ),
    ] = None

    @property
    def pair(self) -> tuple[str, str] | None:
        """The files of two responses; None if the arguments are logits. Raise UsageError unless there are two files."""
        from tsoft.input.fields import is_number

        words = self.logits or []
        are_files = words and not any(is_number(word) or "=" in word or word[:1] in "[{" for word in words)
        if not are_files:
            return None
        if len(words) != 2:
            raise UsageError(
                f"audit takes two responses, got {len(words)} file{'s' * (len(words) != 1)}; for logits, pass -i FILE"
            )
        return words[0], words[1]


@bundle
class RequestedOptions:
    """The requested temperature."""

    tau: Annotated[
        list[str] | None,
        typer.Option(
            "--tau",
            "-t",
            "--temperature",
            metavar="τ",
            show_default="unknown",
            help="Requested temperature, from 0 to inf. For two responses: those of A and B, such as 0.5,1.",
        ),
    ] = None


@bundle
class DrawsOptions:
    """What was drawn."""

    draws: Annotated[
        str | None,
        _draws(
            "--draws",
            metavar="FILE",
            help="File of draws: a label or #INDEX per line, a table with the columns row and index or label, JSON, or"
            " indices in a .npy file; - is stdin.",
        ),
    ] = None
    counts: Annotated[
        bool, _draws("--counts", help="Each line of --draws has a class, a tab, and how often it was drawn.")
    ] = False
    chosen: Annotated[
        bool, _draws("--chosen", help="For an API response: take the tokens that the server drew as the draws.")
    ] = False


@bundle
class VerdictOptions:
    """When a setting is confirmed, and when it is contradicted."""

    level: Annotated[
        float,
        typer.Option(
            metavar="P",
            help="Probability of a false contradiction over all tests together, if the server applies the requested"
            " settings.",
        ),
    ] = 0.01
    tolerance: Annotated[
        float,
        typer.Option(
            metavar="R",
            help="The temperature is confirmed if its 95 % interval is within this relative error of --tau.",
        ),
    ] = 0.1


@bundle
class SeedOptions:
    """The seed of the requests to a server."""

    seed: Seed = None


@bundle
class PairOptions:
    """The output of the audit of two responses."""

    per_position: Annotated[
        bool,
        typer.Option("--per-position", help="For two responses: print one record per position."),
        OnlyIn("table", *TEXT_FORMATS),
    ] = False


@bundle
class AuditDisplayOptions(ClassDisplayOptions):
    """The selection and the order of the classes, and the number of rows."""

    rows: Annotated[
        int | None,
        in_panel("Table and chart")(
            "--rows",
            min=1,
            metavar="N",
            show_default="3, or 20 positions of two responses",
            help="Maximum number of rows, or of positions, to show.",
        ),
        Displayed(*FIGURE_FORMATS),
    ] = None


@bundled
def audit(
    input: AuditedOptions,
    bounds: BoundsOptions,
    drawn: DrawsOptions,
    pair: PairOptions,
    server: ProbeOptions,
    seed: SeedOptions,
    requested: RequestedOptions,
    parameters: ParameterOptions,
    samplers: OneEngineOptions,
    verdicts: VerdictOptions,
    output: RecordOutputOptions,
    display: AuditDisplayOptions,
    figure: FigureOptions,
) -> None:
    """Test whether a server applies the requested sampling settings.

    Reads logits and the classes that were drawn from them. Estimates the
    temperature, finds which top-k, top-p and min-p agree with the draws, and
    gives a verdict on each requested setting. With --endpoint, sends requests to
    a server and audits its answers. From two responses, finds whether their
    log-probabilities come before or after the temperature. The exit code is 0 if
    every setting is confirmed or none was requested, 3 if one is contradicted,
    and 4 if none is contradicted but one is inconclusive.

    Examples:
      tsoft audit --endpoint http://localhost:8080/v1 --tau 0.7 --top-p 0.9
      tsoft audit -i logits.npy --draws draws.txt --tau 0.7 --top-p 0.9
      tsoft audit -i logits.csv --draws counts.txt --counts
      tsoft audit -i response.json --chosen --tau 0.7 --like vllm --top-k 40
      tsoft audit A.json B.json --tau 0.5,1
    """
    from tsoft.options.chosen_formats import chosen_formats, refuse
    from tsoft.options.writing import view, write
    from tsoft.sampling.step import ChainError

    result: Result

    _check_fraction("--level", verdicts.level)
    _check_fraction("--tolerance", verdicts.tolerance)
    chosen = chosen_formats(output, pair, display, figure)
    try:
        if server.endpoint is not None:
            refuse("the audit of a server", input, bounds, drawn, pair)
            audited = _audit_server(server, seed, requested, parameters, samplers, verdicts, display.rows or 3)
            result, exit_code = audited, audited.exit_code
        elif (files := input.pair) is not None:
            refuse("two responses", bounds, drawn, server, seed, parameters, samplers, verdicts)
            audited_pair = _audit_pair(files, input, requested, display.rows or 20)
            result, exit_code = audited_pair.by_position if pair.per_position else audited_pair, audited_pair.exit_code
        elif drawn == DrawsOptions() and not input.logits:
            refuse("the probes of a server", bounds, server, seed, requested, parameters, samplers, pair)
            audited = _audit_probes(input.file or "-", verdicts, display.rows or 3)
            result, exit_code = audited, audited.exit_code
        else:
            refuse("draws from files", server, seed)
            refuse("draws; it is for two responses", pair)
            audited = _audit_draws(input, bounds, drawn, requested, parameters, samplers, verdicts, display.rows or 3)
            result, exit_code = audited, audited.exit_code
    except ChainError as error:
        raise UsageError(error.with_fix) from None
    for file, format in chosen:
        write(result, format, file, lambda: view(output, display), figure)
    if exit_code:
        raise typer.Exit(exit_code)


def _check_fraction(option: str, value: float) -> None:
    """Raise UsageError unless the value is between 0 and 1."""
    if not 0 < value < 1:
        raise UsageError(f"{option}: expected a number between 0 and 1, got {value:g}")


def _audit_server(
    server: ProbeOptions,
    seed: SeedOptions,
    requested: RequestedOptions,
    parameters: ParameterOptions,
    samplers: SamplerOptions,
    verdicts: VerdictOptions,
    rows: int,
) -> "AuditResult":
    from tsoft.features.audit.server.live_audit import probe_server
    from tsoft.features.audit.server.server_findings import ServerAudit
    from tsoft.features.audit.server.server_result import server_result
    from tsoft.options.chosen_formats import typed_fields
    from tsoft.options.seeds import chosen_seed

    _, settings = _planned(requested, parameters, samplers)
    values = {field.name: getattr(parameters, field.name) for field in typed_fields(parameters)}
    typed = {name: value for name, value in values.items() if isinstance(value, int | float)}
    limits = verdicts.level, verdicts.tolerance
    probes = probe_server(
        server, settings, typed, chosen_seed(seed.seed), lambda probes: ServerAudit(probes, settings, *limits).is_clear
    )
    return server_result(probes, settings, *limits, rows)


def _audit_probes(file: str, verdicts: VerdictOptions, rows: int) -> "AuditResult":
    import sys

    from tsoft.features.audit.draws_file import NO_DRAWS
    from tsoft.features.audit.server.request_settings import requested_settings
    from tsoft.features.audit.server.server_result import read_probes_file, server_result

    if file == "-" and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError(NO_DRAWS)
    probes = read_probes_file(file)
    return server_result(probes, requested_settings(probes.settings, file), verdicts.level, verdicts.tolerance, rows)


def _audit_pair(files: tuple[str, str], input: AuditedOptions, requested: RequestedOptions, rows: int) -> "PairResult":
    from dataclasses import replace
    from os.path import abspath

    from tsoft.features.audit.pair_result import audit_pair
    from tsoft.input.source import stdin_conflict
    from tsoft.options import logits
    from tsoft.options.temperatures import parsed_temperatures, pieces

    if input.inputs is not None:
        raise UsageError("--input has no effect on two responses; remove --input")
    if input.applied_tau is not None:
        raise UsageError("--applied-tau has no effect on two responses; pass the temperatures with --tau")
    if abspath(files[0]) == abspath(files[1]) and files[0] != "-":
        raise UsageError(f"{files[1]} is repeated; pass two responses")
    if files.count("-") + pieces(requested.tau).count("-") > 1:
        raise UsageError(stdin_conflict(["A", "B", "--tau"]))
    if requested.tau is None:
        raise UsageError("--tau is missing; pass the temperatures that were requested in A and B, such as --tau 0.5,1")
    taus = parsed_temperatures(requested.tau).tolist()
    if len(taus) > 2:
        raise UsageError(f"--tau: {len(taus)} temperatures for two responses; pass one, or one for each")
    first, second = (logits.read_blocks(replace(input, logits=None, inputs=[file]), requested.tau) for file in files)
    return audit_pair(first, second, (taus[0], taus[-1]), shown=rows)


def _audit_draws(
    input: AuditedOptions,
    bounds: BoundsOptions,
    drawn: DrawsOptions,
    requested: RequestedOptions,
    parameters: ParameterOptions,
    samplers: SamplerOptions,
    verdicts: VerdictOptions,
    rows: int,
) -> "AuditResult":
    from tsoft.features.audit.audit import Audit
    from tsoft.features.audit.drawn_counts import drawn_counts
    from tsoft.features.audit.result import AuditResult

    plan, settings = _planned(requested, parameters, samplers)
    evidence = _evidence(input, bounds, drawn, plan)
    _note_chain(plan, evidence)
    audit = Audit(evidence, settings, verdicts.level, verdicts.tolerance)
    return AuditResult(audit.report, list(drawn_counts(audit)), rows)


def _planned(
    requested: RequestedOptions, parameters: ParameterOptions, samplers: SamplerOptions
) -> "tuple[Plan, Requested]":
    """Return the plan for the options, and the requested settings. Raise UsageError for those that an audit
    cannot test."""
    from tsoft.features.audit.requested import Requested
    from tsoft.options.chosen_formats import typed_fields
    from tsoft.options.plan import make_plan
    from tsoft.options.temperatures import parsed_temperatures
    from tsoft.sampling.chain import chain_of
    from tsoft.sampling.sampler_table import SAMPLERS

    plan = make_plan(samplers, parameters, requested.tau)
    if len(plan.chains) > 1:
        raise UsageError("--like: an audit tests one engine; pass one")
    taus = parsed_temperatures(plan.taus)
    if len(taus) > 1:
        raise UsageError(f"--tau: an audit tests one temperature, got {len(taus)}; pass one")
    chain = plan.chains[0] or chain_of(None, None, [SAMPLERS["temperature"]], {})
    if not chain.has_temperature:
        raise UsageError("the samplers include no temperature; add temperature to --samplers")
    is_known = plan.taus is not None
    # A value that switches a sampler off is a request, too.
    is_stated = is_known or plan.has_chain or bool(typed_fields(parameters))
    settings = Requested(float(taus[0]) if is_known else None, chain, states_cutoffs=is_stated)
    if settings.problem:
        raise UsageError(settings.problem)
    return plan, settings


def _evidence(input: LogitsOptions, bounds: BoundsOptions, drawn: DrawsOptions, plan: "Plan") -> "Evidence":
    from tsoft.features.audit.drawn_inputs import chosen_evidence, drawn_evidence
    from tsoft.features.audit.draws_file import NO_DRAWS, read_draws
    from tsoft.input.source import STDIN
    from tsoft.options import logits

    if drawn.draws is None:
        if drawn.counts:
            raise UsageError("--counts has no effect without --draws; add --draws FILE")
        if not drawn.chosen:
            raise UsageError(NO_DRAWS)
    elif drawn.chosen:
        raise UsageError(exclusive("--draws", "--chosen"))
    elif not drawn.draws:
        raise UsageError("--draws needs a file name")
    if drawn.draws == "-" and not input.logits and input.has_stdin:
        raise UsageError("--draws - and the logits both read stdin; pass the logits with -i FILE")
    is_raw = input.applied_tau is not None
    blocks = logits.blocks(input, plan.taus, bounds=bounds)
    if drawn.draws is None:
        return chosen_evidence(blocks, is_raw=is_raw)
    draws = read_draws(drawn.draws, counts=drawn.counts)
    return drawn_evidence(blocks, draws, STDIN if drawn.draws == "-" else drawn.draws, is_raw=is_raw)


def _note_chain(plan: "Plan", evidence: "Evidence") -> None:
    """Print the notes on the samplers for the first row."""
    from tsoft.options.temperatures import parsed_temperatures

    if plan.has_chain:
        block = evidence.rows[0].block
        plan.note(block, plan.chains_for(block), parsed_temperatures(plan.taus))
