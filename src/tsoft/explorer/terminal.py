"""The terminal on which the explorer draws, and from which it reads keys."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

from tsoft.errors import UsageError
from tsoft.explorer.app import Explorer
from tsoft.output.file import open_output


def run(app: Explorer) -> int:
    """Run the app, print the commands that the user has copied, and return the exit code."""
    with _drawing_on_stderr():
        app.run()
    app.release()
    if app.copied:
        with open_output(None) as out:
            out.lines(line + "\n" for line in app.copied)
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


def check(command: str, alternative: str) -> None:
    """Raise UsageError if stderr is not a terminal, or if no terminal is available to read keys from.

    The error names the `command` and an `alternative` that needs no terminal.
    """
    if sys.__stderr__ is None or not sys.__stderr__.isatty():
        raise UsageError(f"{command} needs a terminal on stderr; {alternative}")
    if os.environ.get("TERM") == "dumb":
        raise UsageError(f"{command} needs a terminal that can move the cursor, but TERM is dumb; {alternative}")
    if not _stdin_is_terminal():
        try:
            os.close(_open_controlling_terminal())
        except OSError:
            raise UsageError(f"{command} needs a terminal to read keys from; {alternative}") from None


def read_keys() -> None:
    """Make the controlling terminal stdin, if stdin was a file or a pipe with logits."""
    if _stdin_is_terminal():
        return
    terminal = _open_controlling_terminal()
    os.dup2(terminal, 0)
    if terminal != 0:
        os.close(terminal)
    if sys.__stdin__ is None:
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]  # noqa: SIM115


@contextlib.contextmanager
def _drawing_on_stderr() -> Iterator[None]:
    """Have Textual draw on stderr, in UTF-8 in every locale.

    The size is that of the terminal on stderr; the size of stdout and the environment variables have no
    effect.
    """
    before, sys.__stdout__ = sys.__stdout__, sys.__stderr__  # type: ignore[misc]
    sizes = {name: os.environ.pop(name) for name in ("COLUMNS", "LINES") if name in os.environ}
    if isinstance(sys.__stderr__, io.TextIOWrapper):
        sys.__stderr__.reconfigure(encoding="utf-8")
    try:
        yield
    finally:
        sys.__stdout__ = before  # type: ignore[misc]
        os.environ.update(sizes)


def _stdin_is_terminal() -> bool:
    return sys.__stdin__ is not None and sys.__stdin__.isatty()


def _open_controlling_terminal() -> int:
    return os.open("/dev/tty" if os.name == "posix" else "CONIN$", os.O_RDWR)
