"""What an app owes to its terminal and to its process: colors, signals, defects, and notices."""

import asyncio
import contextlib
import io
import signal
import time
from typing import Any

from rich.console import Console
from textual.app import App
from textual.driver import Driver

from tsoft.errors import visible
from tsoft.explorer.theme import THEME


class TerminalApp(App[None]):
    """An app with the colors of the terminal. After it has ended, `failure` is the error that ended it, if any."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__(ansi_color=True)
        self.register_theme(THEME)
        self.theme = THEME.name
        # The messages on the screen, with the times at which they appeared.
        self._notified: dict[str, float] = {}
        self.failure: Exception | None = None
        # Textual prints errors here. The command reports a failure itself, in one line.
        self.error_console = Console(file=io.StringIO())

    def get_driver_class(self) -> type[Driver]:
        """Return the driver that survives SIGSTOP, on systems that have this signal."""
        driver = super().get_driver_class()
        # Windows has a driver of another name, and no such signal.
        if driver.__name__ != "LinuxDriver":
            return driver
        from tsoft.explorer.driver import ExplorerDriver

        return ExplorerDriver

    def handle_signals(self) -> None:
        """Repaint the screen after SIGCONT, and end after other signals."""
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            # If the event loop cannot handle a signal, the signal ends the program at once.
            with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
                number = getattr(signal, name)
                asyncio.get_running_loop().add_signal_handler(number, self._end, 128 + number)

    def notify(self, message: str, **options: Any) -> None:
        """Show a message for some seconds, unless it is on the screen: equal boxes would cover the rest."""
        now = time.monotonic()
        self._notified = {
            other: start for other, start in self._notified.items() if now - start < self.NOTIFICATION_TIMEOUT
        }
        if message not in self._notified:
            self._notified[message] = now
            super().notify(message, **options)

    def notify_literally(self, message: str, **options: Any) -> None:
        """Show a message that may contain control characters and markup, such as a label or the name of a file."""
        self.notify(visible(message), markup=False, **options)

    def clear_notifications(self) -> None:
        self._notified.clear()
        super().clear_notifications()

    def _handle_exception(self, error: Exception) -> None:
        self.failure = self.failure or error
        super()._handle_exception(error)

    def action_interrupt(self) -> None:
        self._end(130)

    def _end(self, code: int) -> None:
        self.exit(return_code=code)
