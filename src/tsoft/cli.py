"""The Typer app: the list of commands, and what becomes of an error."""

import importlib
import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tsoft.commands.command import LogitsCommand
from tsoft.errors import ReaderGoneError, TsoftError, visible

# Each is the function of that name in the module of that name, in the order of `tsoft --help`.
COMMANDS = ("compute",)

SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(name="tsoft", context_settings=SETTINGS)


def _version(asked: bool) -> None:
    if asked:
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

    softmax(z / τ): τ → 0 is argmax, τ = 1 is what the model learned, τ → ∞ is uniform.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


class Commands(dict[str, Any]):
    """The commands by name. Each is imported when it is asked for, so that none costs the others."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(COMMANDS))

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        function = getattr(importlib.import_module(f"tsoft.commands.{name}"), name)
        single = typer.Typer(add_completion=False)
        single.command(name, cls=LogitsCommand, context_settings=SETTINGS)(function)
        return typer.main.get_command(single)


def group() -> TyperGroup:
    """The app with its commands."""
    commands = typer.main.get_command(app)
    assert isinstance(commands, TyperGroup)
    commands.commands = Commands()
    return commands


def run(arguments: list[str] | None = None) -> int:
    """Runs the program and gives its exit code. Every error is one line on stderr."""
    if os.environ.get("_TSOFT_COMPLETE"):
        # For a TAB, Typer would have rich lay out the help of each option, which takes longer than
        # all the rest.
        sys.modules["rich"] = None  # type: ignore[assignment]
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Help has a τ, which not every encoding has.
        sys.stdout.reconfigure(errors="replace")
    try:
        return group().main(arguments, prog_name="tsoft", standalone_mode=False) or 0
    except ReaderGoneError as error:
        # Python would complain of what it cannot flush when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return error.exit_code
    except TsoftError as error:
        _complain(str(error))
        return error.exit_code
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "tsoft"
        _complain(f"{error.format_message()}\nTry '{path} --help'.")
        return error.exit_code
    except typer.Abort:
        return 130
    except MemoryError:
        _complain("not enough memory")
        return 1


def _complain(message: str) -> None:
    first, *rest = message.split("\n")
    lines = [f"tsoft: error: {visible(first)}", *map(visible, rest)]
    if sys.stderr is not None:
        print("\n".join(lines), file=sys.stderr)
