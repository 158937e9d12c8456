"""Runs the real `tsoft`, in a process of its own or in a pseudo-terminal."""

import os
import subprocess
import sysconfig
from pathlib import Path

SCRIPTS = sysconfig.get_path("scripts")
TSOFT = str(Path(SCRIPTS) / "tsoft")


def environment(**changes: str) -> dict[str, str]:
    """This environment without what changes the look, with this Python's `tsoft` first, and with
    every warning an error."""
    look = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "TERM")
    plain = {name: value for name, value in os.environ.items() if name not in look}
    path = os.pathsep.join([SCRIPTS, os.environ.get("PATH", "")])
    return plain | {"PATH": path, "PYTHONWARNINGS": "error", "TERM": "xterm-256color"} | changes


def run(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    """`tsoft` in a pipe. Without `stdin` it has none to read."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [TSOFT, *arguments], input=data or b"", capture_output=True, env=environment(**changes), timeout=60
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def out(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> str:
    """What `tsoft` prints when all is well: nothing on stderr, exit code 0."""
    done = run(*arguments, stdin=stdin, **changes)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def in_terminal(command: str, width: int = 80, cwd: str | None = None, **changes: str) -> str:
    """What a shell command prints on a terminal of that width, when all is well."""
    import pexpect

    environ = environment(**changes)
    child = pexpect.spawn(
        "/bin/sh", ["-c", command], env=environ, cwd=cwd, dimensions=(50, width), encoding="utf-8", timeout=60
    )
    output = str(child.read()).replace("\r\n", "\n")
    child.close()
    assert child.exitstatus == 0, output
    return output
