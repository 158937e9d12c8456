"""The terminal that the explorer draws on, and that its keys come from."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

from tsoft.errors import UsageError

INSTEAD = "tsoft compute prints a table, and tsoft sweep one over τ"


def check() -> None:
    """A usage error where there is no terminal to draw on, which is stderr, or none that gives keys."""
    if sys.__stderr__ is None or not sys.__stderr__.isatty():
        raise UsageError(f"explore draws on a terminal, and stderr is none; {INSTEAD}")
    if os.environ.get("TERM") == "dumb":
        raise UsageError(f"explore needs a terminal that can move its cursor, and TERM is dumb; {INSTEAD}")
    if not _gives_keys():
        try:
            os.close(_controlling())
        except OSError:
            raise UsageError(f"explore reads keys from a terminal, and there is none; {INSTEAD}") from None


def take_keys() -> None:
    """Puts the controlling terminal in the place of stdin, from which logits have been read."""
    if _gives_keys():
        return
    terminal = _controlling()
    os.dup2(terminal, 0)
    if terminal != 0:
        os.close(terminal)
    if sys.__stdin__ is None:
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]  # noqa: SIM115


@contextlib.contextmanager
def in_its_size() -> Iterator[None]:
    """For what is drawn on stderr, in its size whatever stdout and the environment say of one, and in its
    letters whatever the locale is."""
    before, sys.__stdout__ = sys.__stdout__, sys.__stderr__  # type: ignore[misc]
    said = {name: os.environ.pop(name) for name in ("COLUMNS", "LINES") if name in os.environ}
    if isinstance(sys.__stderr__, io.TextIOWrapper):
        sys.__stderr__.reconfigure(encoding="utf-8")
    try:
        yield
    finally:
        sys.__stdout__ = before  # type: ignore[misc]
        os.environ.update(said)


def _gives_keys() -> bool:
    return sys.__stdin__ is not None and sys.__stdin__.isatty()


def _controlling() -> int:
    return os.open("/dev/tty" if os.name == "posix" else "CONIN$", os.O_RDWR)
