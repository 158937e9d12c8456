"""The terminal of the explorer after SIGSTOP and SIGCONT."""

import os
import signal
import sys
import termios

import pytest

import tool

pexpect = pytest.importorskip("pexpect")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_the_explorer_ends_on_a_key_after_sigstop_and_sigcont() -> None:
    command = [tool.TSOFT, "explore", "2", "1", "0.5"]
    child = pexpect.spawn(command[0], command[1:], env=tool.environment(), dimensions=(30, 90), timeout=30)
    cooked = termios.tcgetattr(child.child_fd)[3]
    child.expect_exact("\x1b[?1006h")
    # Textual starts the thread that reads keys, and then enables the mouse again.
    child.expect_exact("\x1b[?1006h")
    os.kill(child.pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
    os.kill(child.pid, signal.SIGCONT)
    child.expect_exact("\x1b[?1049h")
    child.expect_exact("\x1b[?1006h")
    child.expect_exact("\x1b[?1006h")
    child.send("q")
    child.expect(pexpect.EOF)
    assert termios.tcgetattr(child.child_fd)[3] == cooked
    child.wait()
    child.ptyproc.delayafterclose = 0
    child.close()
    assert child.exitstatus == 0
