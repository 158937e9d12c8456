"""Runs the real `tsoft`, in a process of its own or in a pseudo-terminal."""

import contextlib
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import forking

TESTS = Path(__file__).parent
SCRIPTS = sysconfig.get_path("scripts")
TSOFT = str(Path(SCRIPTS) / "tsoft")
# What tsoft reads of its environment when it draws.
LOOK = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "TERM")


def environment(**changes: str) -> dict[str, str]:
    """This environment without what changes the look, with this Python's `tsoft` first, and with
    every warning an error. A thousand processes take half as long where the first may compile for all."""
    plain = {name: value for name, value in os.environ.items() if name not in (*LOOK, "PYTHONDONTWRITEBYTECODE")}
    path = os.pathsep.join([SCRIPTS, os.environ.get("PATH", "")])
    return plain | {"PATH": path, "PYTHONWARNINGS": "error", "TERM": "xterm-256color"} | changes


@functools.cache
def _server() -> str:
    return forking.start(environment(OPENBLAS_NUM_THREADS="1"))


def forked(**changes: str) -> dict[str, str]:
    """The same environment, with a `tsoft` first that is quick to start (`forking`) where only the look
    changes. Whatever else does may be read at the start, which is then the real one."""
    changed = environment(**changes)
    if hasattr(os, "fork") and changes.keys() <= {*LOOK, "TSOFT_TRACEBACK"}:
        changed["PATH"] = os.pathsep.join([_server(), changed["PATH"]])
    return changed


def run(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    """`tsoft` in a pipe. Without `stdin` it has none to read."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    environ = forked(**changes)
    command = [shutil.which("tsoft", path=environ["PATH"]) or TSOFT, *arguments]
    done = subprocess.run(command, input=data or b"", capture_output=True, env=environ, timeout=60)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def here(*arguments: str, stdin: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
    """The same in this process, which is much quicker: for what many inputs are answered with."""
    from tsoft import cli

    data = stdin.encode() if isinstance(stdin, str) else stdin or b""
    with contextlib.ExitStack() as stack:
        written = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(2)]
        stack.enter_context(_standing_in(1, written[0].fileno()))
        stack.enter_context(_standing_in(2, written[1].fileno()))
        stack.enter_context(_standing_in(0, stack.enter_context(_pipe(data))))
        status = cli.run(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
        for file in written:
            file.seek(0)
        outputs = [file.read().decode() for file in written]
    return subprocess.CompletedProcess(["tsoft", *arguments], status, *outputs)


@contextlib.contextmanager
def _standing_in(number: int, descriptor: int) -> Iterator[None]:
    """Another file in the place of a standard stream."""
    name = ("stdin", "stdout", "stderr")[number]
    before, stream = os.dup(number), getattr(sys, name)
    os.dup2(descriptor, number)
    try:
        with open(number, "w" if number else "r", encoding="utf-8", closefd=False) as replacement:
            setattr(sys, name, replacement)
            yield
    finally:
        setattr(sys, name, stream)
        os.dup2(before, number)
        os.close(before)


@contextlib.contextmanager
def _pipe(data: bytes) -> Iterator[int]:
    """The end of a pipe that the data comes out of, as far as they are read."""
    end, start = os.pipe()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), open(start, "wb") as stream:
            stream.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield end
    finally:
        os.close(end)
        writer.join()


def here_on_terminal(
    *arguments: str, stdin: str | bytes | None = None, width: int = 80, notes: bool = True, **changes: str
) -> str:
    """What a run in this process prints on a pseudo-terminal of that width, when all is well: as `in_terminal`, but
    much quicker. Without `stdin` that is the terminal too. Without `notes` stderr is discarded."""
    import fcntl
    import pty
    import struct
    import termios

    from tsoft import cli

    reader, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    printed: list[bytes] = []

    def read() -> None:
        # The terminal's other end being closed is an error on Linux, and no more bytes elsewhere.
        with contextlib.suppress(OSError):
            while data := os.read(reader, 1 << 16):
                printed.append(data)

    thread = threading.Thread(target=read)
    thread.start()
    before = dict(os.environ)
    try:
        with contextlib.ExitStack() as stack:
            os.environ.clear()
            os.environ.update(environment(**changes))
            data = stdin.encode() if isinstance(stdin, str) else stdin
            stack.enter_context(_standing_in(1, terminal))
            stderr = terminal if notes else stack.enter_context(open(os.devnull, "wb")).fileno()
            stack.enter_context(_standing_in(2, stderr))
            stack.enter_context(_standing_in(0, terminal if data is None else stack.enter_context(_pipe(data))))
            status = cli.run(list(arguments))
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.close(terminal)
        thread.join()
        os.close(reader)
    text = b"".join(printed).decode().replace("\r\n", "\n")
    assert status == 0, text
    return text


def out(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> str:
    """What `tsoft` prints when all is well: nothing on stderr, exit code 0."""
    done = run(*arguments, stdin=stdin, **changes) if changes else here(*arguments, stdin=stdin)
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
    """What a shell command prints on a terminal of that width, when all is well: in this process, which is much
    quicker, if it is one run of tsoft that the shell does nothing to."""
    if command.startswith("tsoft ") and not re.search(r"[|&;<>$*?~#`\\]", command) and changes.keys() <= {*LOOK}:
        with contextlib.chdir(cwd or "."):
            return here_on_terminal(*shlex.split(command)[1:], width=width, notes=True, **changes)
    return on_terminal(command, width, forked(**changes), cwd)


def on_terminal(command: str, width: int, environ: dict[str, str], cwd: str | None = None) -> str:
    """The same in an environment."""
    import pexpect

    child = pexpect.spawn(
        "/bin/sh", ["-c", command], env=environ, cwd=cwd, dimensions=(50, width), encoding="utf-8", timeout=60
    )
    output = str(child.read()).replace("\r\n", "\n")
    # Else pexpect would close the terminal, sleep, and then look whether it has ended.
    child.wait()
    child.ptyproc.delayafterclose = 0
    child.close()
    assert child.exitstatus == 0, output
    return output
