"""`tsoft explore`: the interactive app."""

import dataclasses
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsoft.options.command import bundled
from tsoft.options.groups import LogitsOptions, ParameterOptions, SamplerOptions, Seed
from tsoft.options.models import ModelOptions
from tsoft.output.file import open_output

if TYPE_CHECKING:
    from tsoft.explorer.app import Explorer
    from tsoft.explorer.rows import Rows


@dataclass(frozen=True)
class Exploring:
    """What the explorer has besides."""

    tau: Annotated[
        str | None,
        typer.Option("--tau", "-t", "--temperature", metavar="τ", help="The temperature to begin with, by default 1."),
    ] = None
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            metavar="TEXT",
            help="Explore what a language model says comes next, and go on from there; - reads stdin.",
            rich_help_panel="Model",
        ),
    ] = None
    seed: Seed = None
    bits: Annotated[bool, typer.Option("--bits", help="Entropy in bits, not nats.")] = False


@bundled
def explore(
    input: LogitsOptions, exploring: Exploring, parameters: ParameterOptions, rules: SamplerOptions, model: ModelOptions
) -> None:
    """Turn the temperature and the samplers' knobs, and watch the distribution.

    Without logits it opens on a few examples. Logits may be piped in: keys
    are read from the terminal all the same. ? shows every key; c copies the
    command line that shows the same, which is printed at the end. With
    --prompt a language model writes: s draws the next token, Backspace takes
    it back, Enter on a class goes on with that one.

    tsoft explore 2 1 0.5 0.1
    tsoft explore -i next-token-logits.npy --labels @vocab.json --top-p 0.9
    curl … | tsoft explore
    tsoft explore --prompt "The capital of France is"
    """
    from tsoft.explorer import terminal

    terminal.check()
    app = _explorer(input, exploring, parameters, rules, model)
    terminal.take_keys()
    with terminal.in_its_size():
        app.run()
    app.release()
    if app.copied:
        with open_output(None) as out:
            out("".join(line + "\n" for line in app.copied))
    if app.failure is not None:
        raise app.failure
    if app.return_code:
        raise typer.Exit(app.return_code)


def _explorer(
    input: LogitsOptions, exploring: Exploring, parameters: ParameterOptions, rules: SamplerOptions, model: ModelOptions
) -> "Explorer":
    """The app. Everything is read, and a model has said its first word, before it opens."""
    import numpy as np

    from tsoft.errors import UsageError
    from tsoft.explorer.app import Explorer, Start
    from tsoft.explorer.sampler_state import Board
    from tsoft.options import logits, seeds
    from tsoft.options.plan import plan as planned
    from tsoft.options.plan import refuse_partial

    plan = planned(rules, parameters, None if exploring.tau is None else [exploring.tau])
    taus = logits.temperatures(plan.taus)
    if len(taus) > 1:
        raise UsageError(f"--tau: explore begins at one temperature, and not at {len(taus)}")
    if len(plan.chains) > 1:
        raise UsageError("explore takes the rules of one engine at a time: --like one of them")
    board = Board.of(plan.chains[0], float(taus[0]))
    generator = np.random.default_rng(seeds.chosen(exploring.seed))
    _check_model(input, exploring, model)
    if exploring.prompt is None:
        rows, typed = _rows(input, plan.taus)
        if rows.block(0).partial is not None:
            refuse_partial(plan.chains, "explore")
        return Explorer(Start(rows, board, plan.biases_of, typed, generator, exploring.bits))
    from tsoft.explorer.live import Live
    from tsoft.explorer.live_app import LiveExplorer
    from tsoft.options.models import open_model, read_prompt

    # What is read from stdin is read before a model is opened.
    prompt = read_prompt([exploring.prompt], model)
    live = Live(open_model(model), prompt, answers=model.chat)
    if live.rows.block(0).partial is not None:
        refuse_partial(plan.chains, "explore")
    start = Start(live.rows, board, plan.biases_of, tuple(as_typed(model)), generator, exploring.bits)
    return LiveExplorer(start, live)


def _check_model(input: LogitsOptions, exploring: Exploring, model: ModelOptions) -> None:
    """A usage error where logits are given besides a prompt, or what a model has use for without one."""
    from tsoft.errors import UsageError

    words = as_typed(model if exploring.prompt is None else input)
    if exploring.prompt is None and words:
        raise UsageError(f"{words[0]} is for a model, which is asked with --prompt TEXT")
    if input.logits and exploring.prompt is not None:
        raise UsageError("--prompt asks a model and logits are typed; which is it?")
    if exploring.prompt is not None and words:
        raise UsageError(f"--prompt asks a model and {words[0]} is of logits that are read; which is it?")


def _rows(input: LogitsOptions, taus: list[str] | None) -> "tuple[Rows, tuple[str, ...] | None]":
    """The rows that are read, and what was typed for them, where it has not to be their numbers."""
    from tsoft.explorer.examples import examples
    from tsoft.explorer.rows import Rows
    from tsoft.options import logits

    if not _is_given(input):
        return examples(), None
    rows = Rows(list(logits.blocks(input, taus)))
    piped = not input.logits and input.file in (None, "-")
    return rows, None if piped and len(rows) == 1 and rows.row(0).is_short else tuple(as_typed(input))


def _is_given(input: LogitsOptions) -> bool:
    """Whether there are logits: typed, in a file, or piped in."""
    return bool(input.logits) or input.file is not None or (sys.stdin is not None and not sys.stdin.isatty())


def as_typed(bundle: Any) -> list[str]:
    """The words of a command line that give a bundle of options its values."""
    from tsoft.explorer.command_line import apart

    words: list[str] = []
    arguments: list[str] = []
    for field in dataclasses.fields(bundle):
        value, info = getattr(bundle, field.name), field.type.__metadata__[0]  # type: ignore[union-attr]
        if value is None or value == field.default:
            continue
        values = value if isinstance(value, list) else [value]
        if isinstance(info, typer.models.ArgumentInfo):
            arguments += values
            continue
        # In Annotated, the first of an option's names is in the place of its default.
        names = [name for name in (info.default, *(info.param_decls or ())) if str(name).startswith("--")]
        option = names[0] if names else "--" + field.name.replace("_", "-")
        words += [option] if value is True else [word for item in values for word in (option, str(item))]
    return [*words, *apart(arguments)]
