"""The driver of the explorer: Textual's for Linux and macOS, which survives SIGSTOP and SIGCONT."""

import asyncio
import contextlib
import termios
from typing import Any

from textual.drivers.linux_driver import LinuxDriver


class ExplorerDriver(LinuxDriver):
    """Textual's driver, which starts once more after SIGCONT without a second thread that reads keys.

    No program sees a SIGSTOP. After it, Textual would start on a terminal that it still has: two threads would read
    keys, the first would never end, and the terminal would stay in raw mode after the end.
    """

    def _sigcont_application(self, *_: Any) -> None:
        if self._must_signal_resume or not self._auto_restart:
            # Ctrl-Z stopped the application in order.
            super()._sigcont_application()
        else:
            # The signal may have interrupted a write, whose locks the handler must not wait for.
            asyncio.get_running_loop().call_soon_threadsafe(self._restart)

    def _restart(self) -> None:
        """Take the terminal again. Unlike Textual's suspension, keep the keys that were typed in the meantime."""
        if self._key_thread is None or not self._key_thread.is_alive():
            return
        self.exit_event.set()
        self._key_thread.join()
        self.exit_event.clear()
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        self.close()
        # The resumed app paints its whole screen.
        self._must_signal_resume = True
        self.resume_application_mode()
