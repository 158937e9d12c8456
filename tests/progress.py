"""What progress needs to be shown: a terminal for stderr, and a clock that does not wait."""

import io
import itertools
import sys
from types import SimpleNamespace

import pytest

from tsoft.output import watching


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress_screen(monkeypatch: pytest.MonkeyPatch, seconds: int) -> Screen:
    """A terminal in place of stderr. The clock moves on by `seconds` each time that it is read."""
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    # The bar has a clock of its own.
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=itertools.count(0, seconds).__next__))
    return screen
