"""Runs the real `tsoft`, in a process of its own or in a pseudo-terminal."""

import contextlib
import io
import os
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

SCRIPTS = sysconfig.get_path("scripts")
TSOFT = str(Path(SCRIPTS) / "tsoft")


def environment(**changes: str) -> dict[str, str]:
    """This environment without what changes the look, with this Python's `tsoft` first, and with
    every warning an error. A thousand processes take half as long where the first may compile for all."""
    look = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "TERM")
    plain = {name: value for name, value in os.environ.items() if name not in (*look, "PYTHONDONTWRITEBYTECODE")}
    path = os.pathsep.join([SCRIPTS, os.environ.get("PATH", "")])
    return plain | {"PATH": path, "PYTHONWARNINGS": "error", "TERM": "xterm-256color"} | changes


def run(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    """`tsoft` in a pipe. Without `stdin` it has none to read."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [TSOFT, *arguments], input=data or b"", capture_output=True, env=environment(**changes), timeout=60
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def here(*arguments: str, stdin: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
    """The same in this process, which is much quicker: for what many inputs are answered with."""
    from tsoft import cli

    data = stdin.encode() if isinstance(stdin, str) else stdin or b""
    with contextlib.ExitStack() as stack:
        streams = {1: "stdout", 2: "stderr"}
        files = {number: stack.enter_context(tempfile.TemporaryFile()) for number in streams}
        for number, name in streams.items():
            getattr(sys, name).flush()
            before = os.dup(number)
            stack.callback(os.close, before)
            stack.callback(os.dup2, before, number)
            os.dup2(files[number].fileno(), number)
            text = stack.enter_context(open(number, "w", encoding="utf-8", closefd=False))
            stack.callback(setattr, sys, name, getattr(sys, name))
            setattr(sys, name, text)
        stack.callback(setattr, sys, "stdin", sys.stdin)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)), encoding="utf-8")
        status = cli.run(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
        found = []
        for file in files.values():
            file.seek(0)
            found.append(file.read().decode())
    return subprocess.CompletedProcess(["tsoft", *arguments], status, *found)


def out(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> str:
    """What `tsoft` prints when all is well: nothing on stderr, exit code 0."""
    done = run(*arguments, stdin=stdin, **changes)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


PEAK = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(*arguments: str) -> int:
    """The most memory that a run of tsoft has resident, in the system's unit."""
    command = [sys.executable, "-c", PEAK, TSOFT, *arguments]
    done = subprocess.run(command, capture_output=True, env=environment(), timeout=100, check=True)
    status, most = map(int, done.stdout.split())
    assert status == 0
    return most


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `tsoft` to talk to, which does not outlive a minute, so that a test waits for no more."""
    process = subprocess.Popen(
        [TSOFT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        with process:
            yield process
    finally:
        watchdog.cancel()


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
