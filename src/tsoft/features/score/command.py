"""`tsoft score`: how probable texts are under a language model."""

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from tsoft.errors import UsageError, exclusive
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, in_panel
from tsoft.options.folder_options import FolderOptions
from tsoft.options.into_folder import into_folder
from tsoft.options.models import ModelOptions, top_logprobs_option
from tsoft.options.output import (
    FIGURE_FORMATS,
    PAGE_FORMAT,
    DiagramOptions,
    Displayed,
    OnlyIn,
    PageFigureOptions,
    TextOutputOptions,
)
from tsoft.options.temperatures import TemperatureOptions

if TYPE_CHECKING:
    from tsoft.features.score.reading import Progress, Step
    from tsoft.features.score.scored_text import ScoredText

_model = in_panel("Model")
# The number of alternatives per token if --top-logprobs is not typed.
ALTERNATIVES = 20
# The exit code if a text is less probable than --fail-above allows.
ABOVE = 3


@bundle
class ScoredFiles:
    """The files of texts."""

    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            show_default=False,
            help="Texts to score: files, folders, or patterns in quotes; - is stdin. Without files, tsoft reads stdin.",
        ),
    ] = None


@bundle
class ScoringOptions:
    """The text before the scored one, and what to show of the scores."""

    prompt: Annotated[
        str | None,
        typer.Option("--prompt", metavar="TEXT", help="Text that precedes each text. It is not scored."),
    ] = None
    per_token: Annotated[
        bool,
        typer.Option("--per-token", help="Print one line per token: its log-probability, rank and entropy."),
        OnlyIn("table", "tsv", "csv"),
    ] = False
    spans: Annotated[
        bool,
        typer.Option(
            "--spans", help="List the least probable spans: those whose surprise exceeds the mean by the most."
        ),
        Displayed("json", "jsonl", PAGE_FORMAT),
    ] = False
    fail_above: Annotated[
        float | None,
        typer.Option(
            "--fail-above",
            min=1.0,
            metavar="PPL",
            help="Exit with code 3 if the sequence perplexity of a text exceeds PPL.",
        ),
    ] = None


@bundle
class ScoringModelOptions(ModelOptions):
    """The model that scores, and how it reads a long text."""

    chat: Annotated[
        bool, _model("--chat", help="Send the prompt as the message of a user. The scored text is the answer.")
    ] = False
    top_logprobs: Annotated[
        int,
        top_logprobs_option("Number of alternatives per token: in json and html, and in requests to --endpoint."),
    ] = ALTERNATIVES
    window: Annotated[
        int | None,
        _model(
            "--window",
            min=2,
            metavar="N",
            show_default="the model's context",
            help="With a model file: number of tokens of a long text that the model reads at once.",
        ),
    ] = None
    stride: Annotated[
        int | None,
        _model(
            "--stride",
            min=1,
            metavar="N",
            show_default="half a window",
            help="With a model file: number of tokens from one window to the next.",
        ),
    ] = None


@bundle
class TextFolderOptions(FolderOptions):
    shards_field: ClassVar[str] = "files"


@bundled
@into_folder
def score(
    files: ScoredFiles,
    scoring: ScoringOptions,
    temperatures: TemperatureOptions,
    model: ScoringModelOptions,
    output: TextOutputOptions,
    charts: DiagramOptions,
    figure: PageFigureOptions,
    folder: TextFolderOptions,
) -> None:
    """Score how probable texts are under a language model.

    On a terminal, shows each token in the color of its probability, the
    log-probability, sequence perplexity and bits per byte, and the perplexity
    over τ with the τ that minimizes it. With several files, prints one line per
    file. In a pipe, prints the sequence perplexity of each text. json has every
    token with its alternatives, as an API response that explore,
    compute --chosen and audit --chosen read.

    Examples:
      tsoft score letter.txt
      tsoft score answer.txt --chat --prompt "What is a barn?" --spans
      tsoft score chapter1.txt chapter2.txt --ngram book.txt
      tsoft score letter.txt --per-token --format csv
      tsoft score generated.txt --tau 0.7 --fail-above 50
      tsoft score letter.txt -o letter.json -o letter.html -o letter.svg
    """
    from functools import cache

    import numpy as np

    from tsoft.features.score.reading import Scorer, ScoreSettings, read_text
    from tsoft.features.score.result import ScoreResult, TokensResult
    from tsoft.features.score.windows import WindowSizes
    from tsoft.options import models
    from tsoft.options.chosen_formats import chosen_formats
    from tsoft.options.temperatures import parsed_temperatures
    from tsoft.options.writing import view, write

    folder.refuse()
    chosen = chosen_formats(output, scoring, charts, figure)
    formats = {format for _, format in chosen}
    names = _checked(files, scoring, temperatures, model)
    if scoring.per_token and (other := formats - {"table", "tsv", "csv"}):
        raise UsageError(f"--per-token has no effect on {min(other)}; remove --per-token")
    if model.endpoint is not None and formats & {*FIGURE_FORMATS}:
        raise UsageError("a figure shows the perplexity over τ, which a server does not return; pass another format")
    if model.endpoint is None and model.top_logprobs != ALTERNATIVES and not formats & {"json", "jsonl", PAGE_FORMAT}:
        raise UsageError(f"--top-logprobs has no effect on {min(formats)}; use --format json, jsonl or html")
    taus = parsed_temperatures(temperatures.tau)
    if model.endpoint is not None and set(taus.tolist()) != {1.0}:
        problem = "--tau: a server lists only some tokens, so only bounds are known at other temperatures"
        raise UsageError(f"{problem}; write the scores with -o scores.json, and pass them to compute --chosen --tau")
    if scoring.fail_above is not None and len(taus) > 1:
        raise UsageError(f"--fail-above compares one perplexity, and --tau has {len(taus)} temperatures; pass only one")
    sources = [read_text(name) for name in names]
    with closing(models.open_model(model, shared=["top_logprobs"])) as opened_model:
        settings = ScoreSettings(
            # The measures at τ = 1 are those of json.
            taus if taus[-1] == 1 else np.append(taus, 1.0),
            model.top_logprobs if formats & {"json", "jsonl", PAGE_FORMAT} or model.endpoint else 0,
            WindowSizes(model.window, model.stride),
            has_curve=formats != {"tsv"} and not scoring.per_token,
        )
        scorer = Scorer(opened_model, scoring.prompt, settings)

        @cache
        def texts() -> "list[ScoredText]":
            return [scorer.scored(source, _progress(output, source.name)) for source in sources]

        for file, format in chosen:
            kind = TokensResult if scoring.per_token else ScoreResult
            result = kind(texts, scorer, len(taus), spans=scoring.spans, chart=charts.chart is not False)
            write(result, format, file, lambda: view(output), figure)
        if scoring.fail_above is not None and any(_is_above(text, scoring.fail_above) for text in texts()):
            raise typer.Exit(ABOVE)


def _checked(
    files: ScoredFiles,
    scoring: ScoringOptions,
    temperatures: TemperatureOptions,
    model: ScoringModelOptions,
) -> list[str]:
    """Return the names of the files. Raise UsageError for options that exclude each other, or that all read stdin."""
    import sys

    from tsoft.input.source import stdin_conflict
    from tsoft.options.input_files import listed_files
    from tsoft.options.temperatures import pieces

    names = listed_files(files.files or ["-"], "FILE")
    if not files.files and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no text; pass a file, or pipe a text in")
    readers = ["the text"] * names.count("-")
    readers += ["--tau -"] * ("-" in pieces(temperatures.tau)) + ["--ngram -"] * (model.ngram == "-")
    if len(readers) > 1:
        raise UsageError(stdin_conflict(readers))
    if scoring.per_token and scoring.spans:
        raise UsageError(exclusive("--per-token", "--spans"))
    if scoring.prompt == "":
        raise UsageError("--prompt: the text is empty; remove --prompt")
    if model.chat and scoring.prompt is None:
        raise UsageError("--chat needs the user message that the text answers; add --prompt TEXT")
    if model.chat and model.endpoint is not None:
        raise UsageError("--chat has no effect with --endpoint, because servers echo only completions; remove --chat")
    return names


def _progress(output: TextOutputOptions, name: str) -> "Progress":
    """Return a function that shows a progress bar while the tokens of a text are scored, if a user is watching."""
    from tsoft.errors import visible
    from tsoft.options.writing import is_watched
    from tsoft.output.watching import watched

    def progress(steps: "Iterable[Step]", count: int) -> "Iterable[Step]":
        if not is_watched(output):
            return steps
        done = iter(range(1, count + 1))
        return watched(steps, lambda _, __: (f"{visible(name)}: tokens", next(done)), lambda _: count)

    return progress


def _is_above(text: "ScoredText", limit: float) -> bool:
    """Return whether the perplexity of a text exceeds a limit. A token of probability 0 makes it infinite."""
    return bool(text.impossible.any()) or text.totals(0).sequence_perplexity > limit
