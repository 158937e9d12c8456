"""The terminal that the explorer draws on, and that its keys come from."""

import os
import sys

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


def _gives_keys() -> bool:
    return sys.__stdin__ is not None and sys.__stdin__.isatty()


def _controlling() -> int:
    return os.open("/dev/tty" if os.name == "posix" else "CONIN$", os.O_RDWR)
