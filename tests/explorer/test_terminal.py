"""`tsoft explore` in a real pseudo-terminal.

Keys are read from the terminal while logits are piped in, and the terminal is restored at the end.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tool import TSOFT, environment, here, status_on_terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")

WIDTH, HEIGHT = 100, 30
# Modes that a full-screen program switches on: the alternate screen, the mouse, bracketed paste, the focus.
MODES = ("1049", "1000", "1003", "1006", "2004", "1004")


class Terminal:
    """A program in a terminal, with its screen."""

    def __init__(self, command: str, arguments: Sequence[str], cwd: Path | None = None):
        import pexpect
        import pyte

        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.child: Any = pexpect.spawn(
            command, list(arguments), env=environment(), cwd=cwd, dimensions=(HEIGHT, WIDTH), timeout=30
        )
        # The settings of the terminal before and after the program.
        self.before, self.after = self.attributes, list[Any]()

    @property
    def attributes(self) -> list[Any]:
        import termios

        return termios.tcgetattr(self.child.child_fd)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def _read(self, timeout: float) -> bool:
        """Read the available output. Return False at the end."""
        import pexpect

        try:
            data = self.child.read_nonblocking(65536, timeout)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.output += data
        self._stream.feed(data)
        return True

    def until(self, pattern: str) -> None:
        """Wait for a text on the screen."""
        deadline = time.monotonic() + 30
        while not re.search(pattern, self.text):
            assert self._read(1), f"it ended:\n{self.text}"
            assert time.monotonic() < deadline, f"{pattern!r} is not in\n{self.text}"

    def end(self) -> int:
        """Wait for the end. Return the exit code, or the negative number of a signal."""
        deadline = time.monotonic() + 30
        while self._read(1):
            assert time.monotonic() < deadline, f"it does not end:\n{self.text}"
        self.after = self.attributes
        self.child.close()
        return int(self.child.exitstatus if self.child.signalstatus is None else -self.child.signalstatus)

    @property
    def last(self) -> str:
        """The output after the program left the screen."""
        return self.output.rsplit(b"\x1b[?1049l", 1)[-1].decode()

    def is_restored(self) -> bool:
        """Return whether the terminal has its initial settings, all modes are off again, and the cursor is visible."""
        text = self.output.decode(errors="replace")
        modes = {number: text.rfind(f"\x1b[?{number}l") > text.rfind(f"\x1b[?{number}h") >= 0 for number in MODES}
        kitty = text.count("\x1b[>") == text.count("\x1b[<u")
        return (
            self.after == self.before
            and all(modes.values())
            and kitty
            and text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") > 0
        )


def test_piped_logits_and_keys_from_the_terminal(tmp_path: Path) -> None:
    terminal = Terminal("/bin/sh", ["-c", f"echo 2 1 0.5 0.1 | {TSOFT} explore --seed 1 > out"], tmp_path)
    terminal.until("0.5745")
    assert "4 classes" in terminal.text
    terminal.child.send("\x1b[D")
    terminal.until(r"τ +0\.99 ")
    terminal.child.send("\x1b[1;2D")
    terminal.until(r"τ +0\.9 ")
    terminal.child.send("0")
    terminal.until(r"#0 .* 1\.0000 ")
    terminal.child.send("\r")
    terminal.until("a number from 0 to inf")
    terminal.child.send("0.57\x7f\r")
    terminal.until("0.8282")
    # A click of the mouse, as a terminal sends it: on the second class.
    x, y = position(terminal, "#1 ")
    terminal.child.send(f"\x1b[<0;{x + 1};{y + 1}M\x1b[<0;{x + 1};{y + 1}m")
    terminal.until("› #1")
    terminal.child.send("S")
    terminal.until("100 draws")
    terminal.child.send("c")
    terminal.until("copied")
    terminal.child.send("q")
    assert terminal.end() == 0
    # The output goes to the pipe.
    assert (tmp_path / "out").read_text() == "tsoft compute 2 1 0.5 0.1 --tau 0.5\n"
    assert terminal.last.count("\n") == 0
    assert terminal.is_restored()


def position(terminal: Terminal, text: str) -> tuple[int, int]:
    return next((line.index(text), y) for y, line in enumerate(terminal.screen.display) if text in line)


def test_sigterm_restores_the_terminal() -> None:
    terminal = Terminal(TSOFT, ["explore", "2", "1"])
    terminal.until("2 classes")
    assert terminal.attributes != terminal.before
    terminal.child.kill(signal.SIGTERM)
    assert terminal.end() in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert terminal.is_restored()
    assert "Traceback" not in terminal.last


CRASH = """
import sys
from tsoft import cli
from tsoft.explorer.class_table import ClassTable

def broken(*_, **__):
    raise ValueError("it is broken")

ClassTable._line = broken
sys.exit(cli.run(["explore", "2", "1"]))
"""


def test_defect_is_reported_in_one_line() -> None:
    """The defect is in the first drawing of the screen."""
    terminal = Terminal(sys.executable, ["-c", CRASH])
    assert terminal.end() == 1
    assert terminal.is_restored()
    lines = re.sub(r"\x1b\[[<>?\d;]*[a-zA-Z]", "", terminal.last).replace("\x07", "").strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("tsoft: error: internal error: ")
    assert "it is broken" in lines[0]
    assert lines[1] == "Please report it, with the traceback that TSOFT_TRACEBACK=1 shows."
    assert b"Traceback" not in terminal.output


@pytest.mark.parametrize("stdin", ["2 1\n", ""])
def test_error_without_a_terminal(stdin: str) -> None:
    done = here("explore", "2", "1", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "stderr" in done.stderr
    assert "tsoft compute" in done.stderr


def test_error_without_a_terminal_for_keys() -> None:
    """stderr is a terminal, but not the controlling one."""
    controller, terminal = os.openpty()
    done = subprocess.run(
        [TSOFT, "explore"],
        input=b"2 1\n",
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=environment(),
        start_new_session=True,
        timeout=60,
    )
    os.close(terminal)
    message = os.read(controller, 65536).decode()
    os.close(controller)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "needs a terminal to read keys from" in message
    assert "tsoft compute" in message
    assert message.count("\n") == 1


def test_error_on_a_dumb_terminal() -> None:
    status, message = status_on_terminal("explore", "2", "1", TERM="dumb")
    assert status == 2
    assert "TERM is dumb" in message
    assert "tsoft compute" in message
