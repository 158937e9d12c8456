"""Ctrl-C as a wish to end, which loses nothing."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Interrupts:
    """While it stands, the first Ctrl-C ends what is worked on, at once where that waits for something, else
    before the next time. A second one ends the program."""

    def __init__(self) -> None:
        self._waiting = self._came = False

    @contextmanager
    def standing(self) -> Iterator[None]:
        try:
            before = signal.signal(signal.SIGINT, self._come)
        except ValueError:
            # Only the main thread is told.
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self._waiting or self._came:
            raise KeyboardInterrupt
        self._came = True

    def waiting(self, work: Callable[[], T]) -> T:
        """The work's result. Raises KeyboardInterrupt where Ctrl-C came before or comes while it lasts."""
        self._waiting = True
        try:
            if self._came:
                raise KeyboardInterrupt
            return work()
        except KeyboardInterrupt:
            self._came = True
            raise
        finally:
            self._waiting = False
