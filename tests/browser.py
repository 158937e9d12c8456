"""Headless Chromium, driven through its DevTools protocol, which needs no package.

Source: https://chromedevtools.github.io/devtools-protocol/. With --remote-debugging-pipe, Chromium reads commands from
descriptor 3 and writes answers to descriptor 4: JSON texts that end with a zero byte.
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CHROMIUM = shutil.which("chromium")
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
# A browser that does not answer is killed after this time, in seconds.
_PATIENCE = 120


@dataclass
class Browser:
    """A tab of a browser, and its commands and answers."""

    commands: IO[bytes]
    answers: IO[bytes]
    session: str | None = None
    count: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, and return the result."""
        self.count += 1
        command = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        self.commands.write(json.dumps(command).encode() + b"\0")
        self.commands.flush()
        while (answer := self._next()).get("id") != self.count:
            pass
        assert "error" not in answer, answer["error"]
        return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        """Return the next answer or event."""
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser has ended"
            data += byte
        return dict(json.loads(data))

    def open(self, file: Path) -> None:
        """Open a file, and wait until it is loaded."""
        self.call("Page.navigate", url=file.as_uri())
        self.value(
            'new Promise((done) => document.readyState === "complete" ? done() : addEventListener("load", done))'
        )

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression or promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme: str) -> None:
        """Prefer a color scheme: light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def tab(self, *, back: bool = False) -> None:
        """Press Tab, or Shift+Tab to go back."""
        key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9, "modifiers": 8 if back else 0}
        self.call("Input.dispatchKeyEvent", type="rawKeyDown", **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def point(self, x: float, y: float) -> None:
        """Move the mouse to a point."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


@contextmanager
def started_browser(profile: Path) -> Iterator[Browser]:
    """Start a browser with an empty tab, and end it."""
    # Only a shell can move the pipes to the descriptors 3 and 4 in the new process.
    redirect = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null'
    command = ["/bin/sh", "-c", redirect, "sh", str(CHROMIUM), *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing) as process:
        watchdog = threading.Timer(_PATIENCE, process.kill)
        watchdog.start()
        try:
            assert process.stdin
            assert process.stdout
            browser = Browser(process.stdin, process.stdout)
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            # A tab without this has no focus while another window has it.
            browser.call("Emulation.setFocusEmulationEnabled", enabled=True)
            yield browser
        finally:
            watchdog.cancel()
            process.kill()
