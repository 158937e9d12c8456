"""The Typer app: the list of commands, and what becomes of an error."""

import importlib
import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tsoft.errors import OutputError, ReaderGoneError, TsoftError, visible
from tsoft.options.command import LogitsCommand

# Each is the function of that name in the module of that name, in the order of `tsoft --help`.
COMMANDS = (
    "compute",
    "sweep",
    "solve",
    "sample",
    "explore",
    "next",
    "generate",
    "calibrate",
    "distill",
    "anneal",
    "bandit",
)

SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(name="tsoft", context_settings=SETTINGS)


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
        function = getattr(importlib.import_module(f"tsoft.features.{name}.command"), name)
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
    if os.environ.get("COLUMNS", "").isdecimal():
        # rich would make room for as many.
        os.environ["COLUMNS"] = os.environ["COLUMNS"][:4]
    try:
        return group().main(arguments, prog_name="tsoft", standalone_mode=False) or 0
    except TsoftError as error:
        if not isinstance(error, ReaderGoneError):
            _complain(str(error))
        return error.exit_code
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        _complain(error.format_message(), f"Try '{context.command_path if context else 'tsoft'} --help'.")
        return error.exit_code
    except typer.Abort:
        return 130
    except MemoryError:
        _complain("not enough memory")
        return 1
    except SystemExit as error:
        # Typer's answer to a reader that went away while it printed help.
        if isinstance(error.__context__, BrokenPipeError):
            return ReaderGoneError.exit_code
        raise
    except OSError as error:
        # What typer.echo could not write; Python would try again at the end.
        sys.stdout = None
        _complain(f"stdout: {error.strerror}")
        return OutputError.exit_code
    except Exception as error:
        if os.environ.get("TSOFT_TRACEBACK"):
            raise
        _complain(f"a defect of tsoft: {type(error).__name__}: {error}", "TSOFT_TRACEBACK=1 shows where.")
        return TsoftError.exit_code


def _complain(message: str, hint: str = "") -> None:
    if sys.stderr is None:
        return
    try:
        print(f"tsoft: error: {visible(message)}" + (f"\n{hint}" if hint else ""), file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None
