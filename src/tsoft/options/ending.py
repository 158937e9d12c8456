"""How a run of tsoft ended: its exit code, and the error in one line."""

import os
import sys
from collections.abc import Callable

import typer

from tsoft.errors import OutputError, ReaderGoneError, TsoftError, visible
from tsoft.frozen import frozen


@frozen
class Ending:
    """The exit code of a run, and for an error its message and a hint on a line of its own."""

    exit_code: int
    message: str = ""
    hint: str = ""

    def report(self) -> None:
        """Print the error, if there is one, on stderr."""
        if not self.message or sys.stderr is None:
            return
        try:
            hint = f"\n{self.hint}" if self.hint else ""
            print(f"tsoft: error: {visible(self.message)}{hint}", file=sys.stderr, flush=True)
        except OSError:
            sys.stderr = None


def ending_of(run: Callable[[], int | None]) -> Ending:
    """Run a function that returns its exit code, and return how it ended. Ctrl-C and a signal's exit pass through."""
    try:
        return Ending(run() or 0)
    except TsoftError as error:
        return Ending(error.exit_code, "" if isinstance(error, ReaderGoneError) else str(error))
    except typer.TyperException as error:
        from tsoft.options.usage_messages import usage_message

        context = getattr(error, "ctx", None)
        hint = f"Try '{context.command_path if context else 'tsoft'} --help'."
        return Ending(error.exit_code, usage_message(error), hint)
    except typer.Abort:
        return Ending(130)
    except typer.Exit as error:
        return Ending(error.exit_code)
    except MemoryError:
        return Ending(TsoftError.exit_code, "not enough memory")
    except SystemExit as error:
        # Typer exits if the reader closed the pipe while it printed help.
        if isinstance(error.__context__, BrokenPipeError):
            return Ending(ReaderGoneError.exit_code)
        raise
    except OSError as error:
        # typer.echo failed. Without this, Python would try to flush stdout again at exit.
        sys.stdout = None
        return Ending(OutputError.exit_code, f"stdout: {error.strerror}")
    except Exception as error:
        if os.environ.get("TSOFT_TRACEBACK"):
            raise
        return Ending(
            TsoftError.exit_code,
            f"internal error: {type(error).__name__}: {error}",
            "Please report it, with the traceback that TSOFT_TRACEBACK=1 shows.",
        )
