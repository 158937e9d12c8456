"""Run `tsoft` in this process, in a separate process, or on a pseudo-terminal."""

import contextlib
import functools
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forking

TESTS = Path(__file__).parent
SCRIPTS = sysconfig.get_path("scripts")
TSOFT = str(Path(SCRIPTS) / "tsoft")
# The environment variables that change how the output looks.
LOOK = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "TERM")


def environment(**changes: str) -> dict[str, str]:
    """Return the environment for a run of tsoft, with these changes.

    The `tsoft` of this Python comes first on the PATH, no variable changes the look of the output, and every warning
    is an error. Python may write bytecode, so that only the first process compiles the modules: a thousand processes
    then take half as long.
    """
    plain = {name: value for name, value in os.environ.items() if name not in (*LOOK, "PYTHONDONTWRITEBYTECODE")}
    path = os.pathsep.join([SCRIPTS, os.environ.get("PATH", "")])
    return plain | {"PATH": path, "PYTHONWARNINGS": "error", "TERM": "xterm-256color"} | changes


@functools.cache
def _server() -> str:
    return forking.start(environment(OPENBLAS_NUM_THREADS="1"))


def forked(**changes: str) -> dict[str, str]:
    """Return the same environment with the `tsoft` of `forking` first on the PATH, which starts faster.

    Other changes than those of the look may matter when Python starts. With such changes, and on a system without
    fork, the PATH keeps the real `tsoft`.
    """
    changed = environment(**changes)
    if hasattr(os, "fork") and changes.keys() <= {*LOOK, "TSOFT_TRACEBACK"}:
        changed["PATH"] = os.pathsep.join([_server(), changed["PATH"]])
    return changed


def run(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `tsoft` in a pipe. Without `stdin`, its stdin is empty."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    environ = forked(**changes)
    command = [shutil.which("tsoft", path=environ["PATH"]) or TSOFT, *arguments]
    done = subprocess.run(command, input=data or b"", capture_output=True, env=environ, timeout=60)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def here(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `tsoft` as `run` does, but in this process, which is much faster. Only changes of the look have an effect."""
    with look(**changes) if changes else contextlib.nullcontext():
        done = here_in_bytes(*arguments, stdin=stdin)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def here_in_bytes(*arguments: str, stdin: str | bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run `tsoft` as `here` does, and return its output in bytes, as arrays have no text."""
    from tsoft import cli

    data = stdin.encode() if isinstance(stdin, str) else stdin or b""
    with contextlib.ExitStack() as stack:
        stdout, stderr = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        stack.enter_context(redirected(1, stdout.fileno()))
        stack.enter_context(redirected(2, stderr.fileno()))
        stack.enter_context(redirected(0, stack.enter_context(_pipe(data))))
        status = cli.run(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
        for file in (stdout, stderr):
            file.seek(0)
        outputs = [file.read() for file in (stdout, stderr)]
    return subprocess.CompletedProcess(["tsoft", *arguments], status, *outputs)


def in_turns(
    *arguments: str, turns: Iterable[tuple[bytes, bytes]], notes: bool = True, blocking: bool = True
) -> tuple[int, bytes]:
    """Run `tsoft` in this process, and send each input only after the output of the previous one has arrived.

    turns: each input, and the start of the output that must arrive before the next input. Returns the exit code, and
    the output after the end of the input. stdout and stderr are one pipe; with `notes=False`, stderr is discarded. With
    `blocking=False`, stdin does not block.
    """
    from tsoft import cli

    (stdin, sent), (received, stdout) = os.pipe(), os.pipe()
    os.set_blocking(stdin, blocking)

    def talk() -> bytes:
        with open(received, "rb", 0) as output, open(sent, "wb", 0) as inputs:
            for text, expected in turns:
                inputs.write(text)
                shown = b""
                while len(shown) < len(expected):
                    assert select.select([output], [], [], 30)[0], f"no output after {text!r}"
                    part = output.read(len(expected) - len(shown))
                    assert part, f"{shown!r} after {text!r}"
                    shown += part
                assert shown == expected
            inputs.close()
            return output.read()

    with ThreadPoolExecutor(1) as pool:
        talked = pool.submit(talk)
        with (
            open(os.devnull, "wb") as nowhere,
            redirected(0, stdin),
            redirected(1, stdout),
            redirected(2, stdout if notes else nowhere.fileno()),
        ):
            os.close(stdin)
            os.close(stdout)
            status = cli.run(list(arguments))
            sys.stdout.flush()
        return status, talked.result()


@contextlib.contextmanager
def look(**changes: str) -> Iterator[None]:
    """Give this process the environment for a run of tsoft, with these changes."""
    original, changed = dict(os.environ), environment(**changes)
    os.environ.clear()
    os.environ.update(changed)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(original)


@contextlib.contextmanager
def redirected(number: int, descriptor: int, encoding: str = "utf-8") -> Iterator[None]:
    """Redirect standard stream `number` to the file of `descriptor`."""
    name = ("stdin", "stdout", "stderr")[number]
    original, stream = os.dup(number), getattr(sys, name)
    os.dup2(descriptor, number)
    try:
        with open(number, "w" if number else "r", encoding=encoding, closefd=False) as replacement:
            setattr(sys, name, replacement)
            yield
    finally:
        setattr(sys, name, stream)
        os.dup2(original, number)
        os.close(original)


@contextlib.contextmanager
def _pipe(data: bytes) -> Iterator[int]:
    """Yield the read end of a pipe that provides the data. The reader may close it early."""
    read_end, write_end = os.pipe()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), open(write_end, "wb") as stream:
            stream.write(data)

    writer = threading.Thread(target=write)
    # Each pipe has room for a few bytes. To write those, no thread is needed.
    (write if len(data) <= select.PIPE_BUF else writer.start)()
    try:
        yield read_end
    finally:
        os.close(read_end)
        if writer.ident:
            writer.join()


def here_on_terminal(
    *arguments: str,
    stdin: str | bytes | None = None,
    width: int = 80,
    notes: bool = True,
    encoding: str = "utf-8",
    **changes: str,
) -> str:
    """Run `tsoft` in this process on a pseudo-terminal, check its exit code and return its output, as
    `status_on_terminal` does."""
    status, text = status_on_terminal(*arguments, stdin=stdin, width=width, notes=notes, encoding=encoding, **changes)
    assert status == 0, text
    return text


def status_on_terminal(
    *arguments: str,
    stdin: str | bytes | None = None,
    width: int = 80,
    notes: bool = True,
    encoding: str = "utf-8",
    **changes: str,
) -> tuple[int, str]:
    """Run `tsoft` in this process on a pseudo-terminal of `width` columns, and return its exit code and its output.

    Without `stdin`, stdin is the terminal, too. With `notes=False`, stderr is discarded. `encoding` is that of the
    terminal.
    """
    import fcntl
    import pty
    import struct
    import termios

    from tsoft import cli

    reader, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    printed: list[bytes] = []

    def read() -> None:
        # When the terminal is closed, os.read raises OSError on Linux; on other systems it returns no bytes.
        with contextlib.suppress(OSError):
            while data := os.read(reader, 1 << 16):
                printed.append(data)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(look(**changes))
            data = stdin.encode() if isinstance(stdin, str) else stdin
            stack.enter_context(redirected(1, terminal, encoding))
            stderr = terminal if notes else stack.enter_context(open(os.devnull, "wb")).fileno()
            stack.enter_context(redirected(2, stderr, encoding))
            stack.enter_context(redirected(0, terminal if data is None else stack.enter_context(_pipe(data))))
            status = cli.run(list(arguments))
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os.close(terminal)
        thread.join()
        os.close(reader)
    return status, b"".join(printed).decode(encoding).replace("\r\n", "\n")


def out(*arguments: str, stdin: str | bytes | None = None, **changes: str) -> str:
    """Run `tsoft`, check that its exit code is 0 and its stderr empty, and return its stdout."""
    done = (here if changes.keys() <= {*LOOK} else run)(*arguments, stdin=stdin, **changes)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


PEAK = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(*arguments: str) -> int:
    """Return the peak resident memory of a run of tsoft, in the unit of `ru_maxrss`."""
    command = [sys.executable, "-c", PEAK, TSOFT, *arguments]
    done = subprocess.run(command, capture_output=True, env=environment(), timeout=100, check=True)
    status, memory = map(int, done.stdout.split())
    assert status == 0
    return memory


def traced_peak(*arguments: str, stdin: bytes | None = None) -> int:
    """Return the most bytes that Python and numpy allocate in a run of tsoft in this process, and discard the output.

    `peak` measures a whole process, which needs far larger data to be precise. The first run of a command includes its
    imports.
    """
    import tracemalloc

    tracemalloc.start()
    try:
        done = here_in_bytes(*arguments, "-o", os.devnull, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@contextlib.contextmanager
def started(*arguments: str, is_forked: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Start `tsoft` with pipes as its streams. It is killed after a minute, so that no test hangs. A forked one starts
    faster and does not receive signals."""
    environ = forked() if is_forked else environment()
    process = subprocess.Popen(
        [shutil.which("tsoft", path=environ["PATH"]) or TSOFT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        with process:
            yield process
    finally:
        watchdog.cancel()


def in_terminal(command: str, width: int = 80, cwd: str | None = None, **changes: str) -> str:
    """Run a shell command on a terminal of `width` columns, check its exit code and return its output.

    A single run of tsoft without shell syntax runs in this process, which is much faster.
    """
    if command.startswith("tsoft ") and not re.search(r"[|&;<>$*?~#`\\]", command) and changes.keys() <= {*LOOK}:
        with contextlib.chdir(cwd or "."):
            return here_on_terminal(*shlex.split(command)[1:], width=width, notes=True, **changes)
    return on_terminal(command, width, forked(**changes), cwd)


def on_terminal(command: str, width: int, environ: dict[str, str], cwd: str | None = None) -> str:
    """Run a shell command on a terminal as `in_terminal` does, always in a shell, in this environment."""
    import pexpect

    child = pexpect.spawn(
        "/bin/sh", ["-c", command], env=environ, cwd=cwd, dimensions=(50, width), encoding="utf-8", timeout=60
    )
    output = str(child.read()).replace("\r\n", "\n")
    # Without this, pexpect would close the terminal and sleep before it checks whether the process has ended.
    child.wait()
    child.ptyproc.delayafterclose = 0
    child.close()
    assert child.exitstatus == 0, output
    return output
