"""The Typer app: the list of commands, and how errors are reported."""

import functools
import importlib
import inspect
import itertools
import os
import re
import shlex
import shutil
import sys
import textwrap
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tsoft.errors import UsageError, nearest
from tsoft.options.command import LogitsCommand, shield
from tsoft.options.ending import ending_of
from tsoft.output.encodings import adapt_standard_streams

# In the order of `tsoft --help`. Each command is the function of that name in `tsoft.features.NAME.command`.
GROUPS = {
    "One distribution": ("compute", "sweep", "solve", "sample", "explore", "learn"),
    "Two distributions": ("compare",),
    "Language models": ("next", "generate", "score", "choose", "audit"),
    "Calibration and distillation": ("calibrate", "distill"),
    "Exploration and physics": ("anneal", "bandit"),
    "Manual": ("help",),
}
COMMANDS = {name: group for group, names in GROUPS.items() for name in names}

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def with_hyphens(name: str) -> str:
    """Return the name of an option or a choice, in which an underscore means a hyphen: --top_p is --top-p."""
    return name.replace("_", "-")


# A number, perhaps with a label, or the start of JSON.
_LOGIT = re.compile(r"\s*(?:[\[{]|(?:[^=]+=)?[-+]?(?:\d|\.\d|inf\b|nan\b))", re.IGNORECASE)


class CommandGroup(TyperGroup):
    """The group of all commands. It recognizes logits that were typed without a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_command_missing = args and (args[0].startswith("-") or _LOGIT.match(args[0]))
        if is_command_missing and any(map(_LOGIT.match, args)) and COMMANDS.keys().isdisjoint(args):
            if (option := _option_unknown_to_compute(args)) is not None:
                raise UsageError(f"no command, and tsoft compute has no option {option}; tsoft lists all commands")
            raise UsageError(f"no command; to compute probabilities, type: tsoft compute {shlex.join(args)}")
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # Completion looks up unfinished names.
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise UsageError(_unknown_command(args[0]))
        return super().resolve_command(ctx, args)


def _option_unknown_to_compute(args: list[str]) -> str | None:
    """Return the first option among the arguments that `tsoft compute` does not have, if there is one."""
    parameters = Commands().get("compute").params
    known = {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
    known.update(CONTEXT_SETTINGS["help_option_names"])
    typed = itertools.takewhile(lambda arg: arg != "--", args)
    options = (arg.partition("=")[0] for arg in typed if arg.startswith("-") and shield(arg) == arg)
    # A letter may be followed by its value, as in -t0.5.
    names = {option: with_hyphens(option) if option.startswith("--") else option[:2] for option in options}
    return next((option for option, name in names.items() if name not in known), None)


def _unknown_command(name: str) -> str:
    from tsoft.features.help.pages import pages

    if name.lower() in [page.name for page in pages()]:
        return f"unknown command {name!r}; to read this page of the manual, type: tsoft help {name.lower()}"
    suggestion = nearest(name, COMMANDS)
    return f"unknown command {name!r}; " + (
        f"did you mean {suggestion!r}?" if suggestion else "tsoft lists all commands"
    )


app = typer.Typer(name="tsoft", cls=CommandGroup, context_settings=CONTEXT_SETTINGS)


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
    commands, width = Commands(), max(map(len, COMMANDS))
    parts = [inspect.cleandoc(str(tsoft.__doc__))]
    for group, names in GROUPS.items():
        summaries = ((name, commands.get(name).get_short_help_str()) for name in names)
        parts.append("\n".join([f"{group}:", *(f"  {name:{width}}  {summary}" for name, summary in summaries)]))
    text = "\n\n".join([*parts, "Options of a command: tsoft COMMAND --help"])
    wrapper = textwrap.TextWrapper(shutil.get_terminal_size().columns, break_on_hyphens=False)
    lines = []
    for line in text.split("\n"):
        wrapper.subsequent_indent = " " * (width + 4) if line.startswith(" ") else ""
        lines.append(wrapper.fill(line))
    return "\n".join(lines)


class Commands(dict[str, Any]):
    """The commands by name. A command is imported when it is looked up, so that it does not slow down the
    others."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(COMMANDS))

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        return _command(name)


@functools.cache
def _command(name: str) -> Any:
    """Return a command as Typer's parser. Typer takes several milliseconds to read its options, so it does that once
    in a process, which may run many commands."""
    function = getattr(importlib.import_module(f"tsoft.features.{name}.command"), name)
    # Without a short help, Typer cuts the summary at 45 characters.
    summary = inspect.cleandoc(function.__doc__).split("\n")[0]
    single = typer.Typer(add_completion=False)
    single.command(
        name,
        cls=LogitsCommand,
        context_settings={**CONTEXT_SETTINGS, "token_normalize_func": with_hyphens},
        short_help=summary,
        rich_help_panel=COMMANDS[name],
    )(function)
    return typer.main.get_command(single)


@functools.cache
def group() -> TyperGroup:
    """Return the app with its commands."""
    commands = typer.main.get_command(app)
    assert isinstance(commands, TyperGroup)
    commands.commands = Commands()
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
