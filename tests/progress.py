"""A terminal and a clock for the tests of progress bars."""

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
    """Replace stderr by a terminal, and the clock by one that advances by `seconds` each time it is read."""
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    # Only the clock that decides when to show progress; rich has its own.
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=itertools.count(0, seconds).__next__))
    return screen
