"""`tsoft explore`: the interactive app."""

import dataclasses
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsoft.errors import UsageError, exclusive
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, option_name
from tsoft.options.history_options import HistoryOptions, TextSource
from tsoft.options.input import BoundsOptions, LogitsOptions, logits_argument
from tsoft.options.models import ModelOptions
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions, like_option
from tsoft.options.seeds import Seed
from tsoft.sampling.history import DEFAULT_BREAKERS

if TYPE_CHECKING:
    from tsoft.explorer.app import Explorer
    from tsoft.explorer.explorer_input import ExplorerInput
    from tsoft.explorer.explorer_rows import ExplorerRows
    from tsoft.explorer.explorer_state import ExplorerState
    from tsoft.options.plan import Plan
    from tsoft.options.token_names import TokenNames


@bundle
class StartOptions:
    """The initial state of the explorer."""

    tau: Annotated[
        str | None,
        typer.Option("--tau", "-t", "--temperature", metavar="τ", show_default="1", help="Initial temperature."),
    ] = None
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            metavar="TEXT",
            help="Explore the next token of a language model after TEXT, and continue the text; - reads stdin.",
            rich_help_panel="Model",
        ),
    ] = None
    seed: Seed = None
    bits: Annotated[bool, typer.Option("--bits", help="Show the entropy in bits instead of nats.")] = False


@bundle
class ExploredLogits(LogitsOptions):
    logits: Annotated[
        list[str] | None,
        logits_argument("Without logits, tsoft reads stdin if it is a pipe; otherwise, it opens examples."),
    ] = None


@bundle
class EngineOptions(SamplerOptions):
    like: Annotated[list[str] | None, like_option("ENGINE,…", " With two, compare them.")] = None


@bundled
def explore(
    input: ExploredLogits,
    bounds: BoundsOptions,
    start: StartOptions,
    parameters: ParameterOptions,
    rules: EngineOptions,
    history: HistoryOptions,
    model: ModelOptions,
) -> None:
    """Change the temperature in an app, and watch the distribution.

    Without logits, the app opens with examples. Logits can be piped in; the
    keys still come from the terminal. Press ? for a list of all keys, x to
    export numbers, a picture or the whole state, and c to copy the tsoft
    compute command that shows the same distribution. tsoft explore FILE.tsoft
    reopens a state that x saved. With --prompt, you write a text with a
    language model: s draws the next token, Backspace removes the last one,
    Enter adds the selected token, and t opens a tree of the most probable
    continuations.

    Examples:
      tsoft explore
      tsoft explore 2 1 0.5 0.1
      tsoft explore -i next-token-logits.npy --labels @vocab.json --top-p 0.9
      curl … | tsoft explore
      tsoft explore lesson.tsoft
      tsoft explore --prompt "The capital of France is"
    """
    from tsoft.explorer import terminal

    terminal.check("explore", "use tsoft compute to print a table, or tsoft sweep for a table over τ")
    app = _explorer(input, bounds, start, parameters, rules, history, model)
    terminal.read_keys()
    if code := terminal.run(app):
        raise typer.Exit(code)


def _explorer(
    input: LogitsOptions,
    bounds: BoundsOptions,
    start: StartOptions,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    history: HistoryOptions,
    model: ModelOptions,
) -> "Explorer":
    """Return the app. Before the app opens, all input is read, and a model has returned its first distribution."""
    import numpy as np

    from tsoft.explorer.app import Explorer
    from tsoft.explorer.explorer_input import ExplorerInput
    from tsoft.options.biases import missing_names, remembered
    from tsoft.options.plan import make_plan
    from tsoft.options.seeds import chosen_seed

    if file := _saved_file(input):
        settings = dataclasses.replace(start, seed=None, bits=False)
        others = dataclasses.replace(input, logits=None, inputs=None)
        bundles = (settings, parameters, rules, history, others, bounds, model)
        words = [word for bundle in bundles for word in as_typed(bundle)]
        if words:
            raise UsageError(f"{words[0]} has no effect on a saved state; change the setting in the app")
        return _saved_explorer(file, start)
    has_tokens = history.history is not None or start.prompt is not None
    text = TextSource(history, input, None)
    plan = make_plan(rules, parameters, None if start.tau is None else [start.tau], text=None if has_tokens else text)
    breakers = plan.breakers if plan.has_chain else DEFAULT_BREAKERS
    state = _initial_state(plan)
    generator = np.random.default_rng(chosen_seed(start.seed))
    missing = remembered(partial(missing_names, plan.biases))
    _check_model(input, bounds, start, history, model)
    if start.prompt is None:
        tokens = text.read(breakers)
        if tokens and plan.has_chain:
            from tsoft.options.engine_chains import note_prompt

            note_prompt(plan.chains, tokens, history.prompt_tokens)
        rows, arguments = _rows(input, bounds, plan.taus)
        is_piped = not input.logits and input.has_stdin and arguments is not None
        data = ExplorerInput(rows, state, plan.biases_for, arguments, generator, start.bits, reads_stdin=is_piped)
        data = dataclasses.replace(data, missing_biases=missing)
        return Explorer(data if tokens is None else _with_history(data, tokens, history))
    from tsoft.explorer.live_app import LiveExplorer
    from tsoft.explorer.live_text import LiveText
    from tsoft.options.models import open_model, read_prompt

    # Read a prompt from stdin before opening a model.
    prompt = read_prompt([start.prompt], model)
    live = LiveText(open_model(model), prompt, is_answer=model.chat)
    arguments = tuple(as_typed(model))
    data = ExplorerInput(live.rows, state, plan.biases_for, arguments, generator, start.bits, missing_biases=missing)
    return LiveExplorer(data, live, breakers)


def _with_history(data: "ExplorerInput", tokens: "TokenNames", history: HistoryOptions) -> "ExplorerInput":
    """Return the input with the tokens before the distributions. Raise UsageError if the first row lacks one."""
    from tsoft.explorer.explorer_input import KnownHistory
    from tsoft.input.fields import escape
    from tsoft.options.biases import remembered

    tokens.history(data.rows.block(0))
    # The defaults of engines differ, and the user can change the engine.
    breakers = [escape(text.decode()) for text in tokens.breakers]
    # A command cannot read stdin again.
    arguments = None if history.history == "-" else tuple(as_typed(history))
    option = dataclasses.replace(SamplerOptions(), dry_sequence_breaker=breakers or ["none"])
    known = KnownHistory(remembered(tokens.history), arguments, tuple(as_typed(option)))
    return dataclasses.replace(data, history=known)


def _initial_state(plan: "Plan") -> "ExplorerState":
    """Return the state with one temperature, and with one engine or two. Raise UsageError for more."""
    from tsoft.explorer.explorer_state import ExplorerState
    from tsoft.explorer.sampler_state import SamplerState
    from tsoft.options.temperatures import parsed_temperatures

    taus = parsed_temperatures(plan.taus)
    if len(taus) > 1:
        raise UsageError(f"--tau: explore starts at one temperature, got {len(taus)}; pass one of them")
    if len(plan.chains) > 2:
        raise UsageError("--like: explore compares two engines at most; pass two of them, and press l to switch")
    engines = [chain.engine for chain in plan.chains if chain]
    samplers = SamplerState.from_chain(plan.chains[0], float(taus[0]))
    return ExplorerState(samplers, compared=engines[1] if len(engines) > 1 else None)


def _saved_file(input: LogitsOptions) -> str | None:
    """Return the name of the saved state that is the input; None for another input."""
    names = [*(input.logits or []), *(input.inputs or [])]
    return names[0] if len(names) == 1 and names[0].lower().endswith(".tsoft") else None


def _saved_explorer(file: str, start: StartOptions) -> "Explorer":
    """Return the app with a saved state."""
    import numpy as np

    from tsoft.explorer.app import Explorer
    from tsoft.explorer.explorer_input import ExplorerInput
    from tsoft.explorer.explorer_rows import ExplorerRows
    from tsoft.explorer.saved_state import open_state
    from tsoft.options.seeds import chosen_seed

    saved = open_state(file)
    return Explorer(
        ExplorerInput(
            ExplorerRows(saved.blocks, saved.titles),
            saved.state,
            lambda block: saved.biases[block.first_row],
            generator=np.random.default_rng(chosen_seed(start.seed)),
            bits=start.bits or saved.bits,
        )
    )


def _check_model(
    input: LogitsOptions, bounds: BoundsOptions, start: StartOptions, history: HistoryOptions, model: ModelOptions
) -> None:
    """Raise UsageError for logits or tokens together with a prompt, and for model options without a prompt."""
    if start.prompt is not None and (words := as_typed(history)):
        raise UsageError(exclusive("--prompt", words[0], reason="the text is known"))
    words = as_typed(model) if start.prompt is None else [*as_typed(bounds), *as_typed(input)]
    if start.prompt is None and words:
        raise UsageError(f"{words[0]} has no effect without a language model; pass --prompt TEXT, too")
    if input.logits and start.prompt is not None:
        raise UsageError(exclusive("--prompt", "logits as arguments"))
    if start.prompt is not None and words:
        raise UsageError(exclusive("--prompt", words[0], reason="a model computes the logits"))


def _rows(
    input: LogitsOptions, bounds: BoundsOptions, taus: list[str] | None
) -> "tuple[ExplorerRows, tuple[str, ...] | None]":
    """Return the rows and their command-line arguments.

    The arguments are None if a command line has to list the logits of a row.
    """
    from tsoft.explorer.examples import examples
    from tsoft.explorer.explorer_rows import ExplorerRows
    from tsoft.options import logits

    has_stdin = sys.stdin is not None and not sys.stdin.isatty()
    if not (input.logits or input.inputs is not None or has_stdin):
        if words := as_typed(bounds):
            raise UsageError(f"{words[0]} works only with an API response; pipe one in, or pass -i FILE")
        return examples(), None
    rows = ExplorerRows(list(logits.blocks(input, taus, bounds=bounds)))
    return rows, (*as_typed(bounds), *as_typed(input))


def as_typed(bundle: Any) -> list[str]:
    """Return the command-line arguments that set the options of a bundle to these values."""
    from tsoft.explorer.command_line import protected

    words: list[str] = []
    arguments: list[str] = []
    for field in dataclasses.fields(bundle):
        value = getattr(bundle, field.name)
        if value is None or value == field.default:
            continue
        values = value if isinstance(value, list) else [value]
        if isinstance(field.type.__metadata__[0], typer.models.ArgumentInfo):  # type: ignore[union-attr]
            arguments += values
        elif value is True:
            words.append(option_name(field))
        else:
            words += [word for item in values for word in (option_name(field), str(item))]
    return [*words, *protected(arguments)]
