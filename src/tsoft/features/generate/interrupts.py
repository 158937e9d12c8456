"""Ctrl-C as a request to end, which keeps the texts so far."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Interrupts:
    """A handler of Ctrl-C.

    The first Ctrl-C ends the work: immediately during `call`, and otherwise at the next `call`. A second one ends the
    program.
    """

    def __init__(self) -> None:
        self._calling = self._interrupted = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        try:
            previous = signal.signal(signal.SIGINT, self._handle)
        except ValueError:
            # Only the main thread receives signals.
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._calling or self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True

    def call(self, work: Callable[[], T]) -> T:
        """Return the result of the work.

        Raise KeyboardInterrupt if the user pressed Ctrl-C before, or presses it during the work.
        """
        self._calling = True
        try:
            if self._interrupted:
                raise KeyboardInterrupt
            return work()
        except KeyboardInterrupt:
            self._interrupted = True
            raise
        finally:
            self._calling = False
