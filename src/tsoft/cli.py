"""The Typer app: the list of commands, and how errors are reported."""

import functools
import importlib
import inspect
import itertools
import os
import re
import shutil
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from tsoft.errors import UsageError, nearest
from tsoft.options.command import LogitsCommand, PlainHelp, shield, write_sections
from tsoft.options.ending import ending_of
from tsoft.output.encodings import adapt_standard_streams

# The commands and their summaries, in the order of `tsoft --help`. Each command is the function of that name in
# `tsoft.features.NAME.command`. A summary repeats the first line of its docstring, because the list of all commands
# would otherwise import them all.
GROUPS = {
    "One distribution": {
        "compute": "Compute the probability of each class at each temperature.",
        "sweep": "Compute and chart a distribution over many temperatures.",
        "solve": "Find the temperature at which the distribution reaches a target.",
        "sample": "Draw random classes from the distribution at each temperature.",
        "explore": "Change the temperature in an app, and watch the distribution.",
        "learn": "Learn what temperature does, in thirteen short lessons.",
    },
    "Two distributions": {
        "compare": "Compare the distributions of two models over the same classes.",
    },
    "Language models": {
        "next": "Get the logits of the next token from a language model.",
        "generate": "Generate text from a prompt at several temperatures.",
        "score": "Score how probable texts are under a language model.",
        "choose": "Choose the best temperature for pass@k or a majority vote.",
        "audit": "Test whether a server applies the requested sampling settings.",
    },
    "Calibration and distillation": {
        "calibrate": "Fit the temperature that calibrates a classifier.",
        "distill": "Measure the information in a teacher's soft targets.",
    },
    "Exploration and physics": {
        "anneal": "Compute a temperature schedule, from hot to cold.",
        "bandit": "Simulate softmax exploration of a multi-armed bandit.",
    },
    "Manual": {
        "help": "Read the manual: a page for each command and topic.",
    },
}
COMMANDS = {name: group for group, names in GROUPS.items() for name in names}
SUMMARIES = {name: summary for summaries in GROUPS.values() for name, summary in summaries.items()}

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def with_hyphens(name: str) -> str:
    """Return the name of an option or a choice, in which an underscore means a hyphen: --top_p is --top-p."""
    return name.replace("_", "-")


# What commands are called in other tools.
_OTHER_NAMES = {"man": "help", "manual": "help", "softmax": "compute", "version": "--version"}
# A number, perhaps with a label, or the start of JSON.
_LOGIT = r"(?i)\s*(?:[\[{]|(?:[^=]+=)?[-+]?(?:\d|\.\d|inf\b|nan\b))"


class CommandGroup(PlainHelp, TyperGroup):
    """The group of all commands. It recognizes logits that were typed without a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        if COMMANDS.keys().isdisjoint(args) and own.isdisjoint(map(_normalized, args[:1])) and _are_for_compute(args):
            if (option := _option_unknown_to_compute(args)) is not None:
                raise UsageError(
                    f"no command, and tsoft compute has no option {option}; run 'tsoft' to list the commands"
                )
            from shlex import join

            raise UsageError(f"no command; to compute probabilities, type: tsoft compute {join(args)}")
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, *rest = args
        if name in COMMANDS:
            return name, command(name), rest
        if ctx.resilient_parsing:
            # Completion looks up unfinished names.
            return None, None, rest
        raise UsageError(_unknown_command(name))

    def commands_with(self, option: str) -> list[str]:
        """Return the commands that have an option."""
        return [name for name in COMMANDS if _normalized(option) in _options_of(name)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        super().format_options(ctx, formatter)
        write_sections({group: list(summaries.items()) for group, summaries in GROUPS.items()}, formatter)


def _are_for_compute(args: list[str]) -> bool:
    """Return whether the arguments are logits, perhaps with options before them, or start with an option of compute."""
    are_logits = [re.match(_LOGIT, arg) is not None for arg in args]
    if any(are_logits) and (are_logits[0] or args[0].startswith("-")):
        return True
    return bool(args) and args[0].startswith("-") and _normalized(args[0].partition("=")[0]) in _options_of("compute")


def _option_unknown_to_compute(args: list[str]) -> str | None:
    """Return the first option among the arguments that `tsoft compute` does not have, if there is one."""
    known = _options_of("compute")
    typed = itertools.takewhile(lambda arg: arg != "--", args)
    options = (arg.partition("=")[0] for arg in typed if arg.startswith("-") and shield(arg) == arg)
    return next((option for option in options if _normalized(option) not in known), None)


def _options_of(name: str) -> set[str]:
    """Return the names of a command's options."""
    parameters = command(name).params
    names = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    return names | {*CONTEXT_SETTINGS["help_option_names"]}


def _normalized(option: str) -> str:
    """Return the name of an option: a letter may be followed by its value, as in -t0.5."""
    return with_hyphens(option) if option.startswith("--") else option[:2]


def _unknown_command(name: str) -> str:
    from tsoft.features.help.pages import pages

    if name.lower() in COMMANDS:
        return f"unknown command {name!r}; did you mean {name.lower()!r}?"
    if name.lower() in [page.name for page in pages()]:
        return f"unknown command {name!r}; to read this page of the manual, type: tsoft help {name.lower()}"
    if os.path.exists(name):
        from shlex import join

        opened = ["explore", name] if name.lower().endswith(".tsoft") else ["compute", "-i", name]
        return f"no command; to read {name!r}, type: tsoft {join(opened)}"
    longer = (command for command in COMMANDS if command.startswith(name.lower()) and len(name) > 1)
    suggestion = _OTHER_NAMES.get(name.lower()) or next(longer, None) or nearest(name, COMMANDS, 0.7)
    return f"unknown command {name!r}; " + (
        f"did you mean {suggestion!r}?" if suggestion else "run 'tsoft' to list the commands"
    )


app = typer.Typer(name="tsoft", cls=CommandGroup, context_settings=CONTEXT_SETTINGS, rich_markup_mode=None)


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"tsoft {version('tsoft')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def tsoft(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """See what softmax temperature does to a distribution.

    softmax(z / τ): τ → 0 is argmax, τ = 1 is the distribution that the model
    learned, τ → ∞ is uniform.

    Try:
      tsoft learn                               learn what temperature does
      tsoft compute 2 1 0.5 0.1 --tau 0.5,1,2   three temperatures side by side
      tsoft help                                read the manual
    """
    if context.invoked_subcommand is None:
        # Without `file`, Typer would write UTF-8 to a stream in ASCII.
        typer.echo(_welcome(), file=sys.stdout)


def _welcome() -> str:
    """Return the text that `tsoft` without a command prints: its purpose, three examples, and all commands
    in groups."""
    from textwrap import TextWrapper

    width = max(map(len, COMMANDS))
    parts = [inspect.cleandoc(str(tsoft.__doc__))]
    for group, summaries in GROUPS.items():
        lines = [f"  {name:{width}}  {summary}" for name, summary in summaries.items()]
        parts.append("\n".join([f"{group}:", *lines]))
    text = "\n\n".join([*parts, "Options of a command: tsoft COMMAND --help"])
    wrapper = TextWrapper(shutil.get_terminal_size().columns, break_on_hyphens=False)
    lines = []
    for line in text.split("\n"):
        wrapper.subsequent_indent = " " * (width + 4) if line.startswith(" ") else ""
        lines.append(wrapper.fill(line))
    return "\n".join(lines)


@functools.cache
def command(name: str) -> Any:
    """Return a command as Typer's parser. It is imported when it is looked up, so that it does not slow down the
    others, and only once in a process, which may run many commands."""
    function = getattr(importlib.import_module(f"tsoft.features.{name}.command"), name)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(
        name, cls=LogitsCommand, context_settings={**CONTEXT_SETTINGS, "token_normalize_func": with_hyphens}
    )(function)
    return typer.main.get_command(single)


@functools.cache
def group() -> TyperGroup:
    """Return the app with the names and the summaries of its commands, which help and completion list."""
    commands = typer.main.get_command(app)
    assert isinstance(commands, TyperGroup)
    for name, summary in SUMMARIES.items():
        commands.add_command(TyperCommand(name, short_help=summary, rich_help_panel=COMMANDS[name]))
    return commands


def _check_screen_size() -> None:
    """Remove the environment's screen size if it is no number, and bound it."""
    for name in ("COLUMNS", "LINES"):
        size = os.environ.get(name, "")
        if size.isdecimal() and size.isascii():
            # rich allocates memory for every column.
            os.environ[name] = size[:4]
        elif size:
            # rich would take ² for a number.
            del os.environ[name]


def run(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code. Report an error in one line on stderr."""
    if os.environ.get("_TSOFT_COMPLETE"):
        # Typer would lay out the help of each option with rich, which takes most of the time of a completion.
        sys.modules["rich"] = None  # type: ignore[assignment]
    adapt_standard_streams()
    _check_screen_size()
    ending = ending_of(lambda: group().main(arguments, prog_name="tsoft", standalone_mode=False))
    ending.report()
    return ending.exit_code
