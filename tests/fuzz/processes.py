"""Real processes with streams that come in pieces, are closed, full or a terminal, and with signals.

The same command also runs in this process without any of this, and the output of the two is compared.
"""

import contextlib
import os
import pty
import random
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import command_lines
import tool
from outcomes import EXIT_CODES, NOISE, Outcome

SECONDS = 15
SIGNALS = [signal.SIGINT, signal.SIGTERM]
WHOLE_INPUTS = ["whole", "pieces", "non-blocking", "file"]
INPUTS = [*WHOLE_INPUTS * 2, "terminal", "closed", "none"]
WHOLE_OUTPUTS = ["pipe", "file"]
OUTPUTS = [*WHOLE_OUTPUTS * 4, "head", "terminal", "full", "closed"]


@dataclass(frozen=True)
class Surroundings:
    """The streams of a process, the signal that it receives, if any, and the seconds before it."""

    stdin: str
    stdout: str
    signal: signal.Signals | None
    delay: float
    # The bytes that the reader of stdout reads before it closes the pipe.
    read: int

    @property
    def is_calm(self) -> bool:
        """Whether the process gets its whole input, can write its whole output, and no signal ends it."""
        return self.stdin in WHOLE_INPUTS and self.stdout in WHOLE_OUTPUTS and not self.signal


def run(rng: random.Random) -> Outcome:
    """Run one command twice, each time in its own folder inside the current one."""
    parameters = command_lines.parameters()
    case = command_lines.draw(rng, parameters)
    if any("--seed" in option.opts for option in parameters[case.arguments[0]]):
        # The two runs draw the same random numbers.
        case = replace(case, arguments=[*case.arguments, "--seed", "1"])
    with_signal = rng.random() < 0.15
    around = Surroundings(
        rng.choice(INPUTS),
        rng.choice(OUTPUTS),
        rng.choice(SIGNALS) if with_signal else None,
        rng.uniform(0, 0.4),
        rng.choice([0, 1, 100, 5000]),
    )
    for folder in ("plain", "around", "temporary"):
        os.mkdir(folder)
    for folder, (name, data) in ((folder, item) for folder in ("plain", "around") for item in case.files.items()):
        Path(folder, name).write_bytes(data)
    with contextlib.chdir("plain"):
        plain = tool.here_in_bytes(*case.arguments, stdin=case.stdin)
    status, stdout, stderr = _run_around(case, around, rng.random())
    problem = _problem(around, plain, status, stdout, stderr) or _file_problem(case, around, status)
    if problem:
        problem += f"\n    {around}\n    tsoft {shlex.join(case.arguments)[:1000]}\n    stdin {case.stdin[:300]!r}"
    return Outcome(case.arguments[0], status, problem)


def _problem(
    around: Surroundings, plain: subprocess.CompletedProcess[bytes], status: int, stdout: bytes, stderr: str
) -> str:
    if status == -signal.SIGKILL:
        return f"no end within {SECONDS} s"
    ends = {-around.signal, 128 + around.signal} if around.signal else set()
    if status not in EXIT_CODES | ends:
        return f"exit code {status}: {stderr[:300]}"
    # Python itself reports an interrupt before `main` of tsoft, and a file that it was importing.
    is_of_python = not re.search(r'__main__\.py", line \d+, in main', stderr) or "_bootstrap_external" in stderr
    is_expected = around.signal == signal.SIGINT and is_of_python and re.search("KeyboardInterrupt|unclosed", stderr)
    if (noise := NOISE.search(stderr)) and not is_expected:
        return stderr[max(0, noise.start() - 300) : noise.start() + 600]
    if around.is_calm and (status, _untitled(stdout)) != (plain.returncode, _untitled(plain.stdout)):
        changes = f"exit code {plain.returncode} became {status}; stdout {plain.stdout[:200]!r} became {stdout[:200]!r}"
        return f"{changes}; stderr is {stderr[:300]!r}"
    if around.stdout == "head" and around.stdin in WHOLE_INPUTS and not _is_start(stdout, plain.stdout):
        return f"{stdout[:200]!r} is not the start of {plain.stdout[:200]!r}"
    return ""


def _untitled(stdout: bytes) -> bytes:
    """Return an output without what depends on how the rows arrive: the title of a table's first row, which it lacks
    if that row arrived alone, and the last digits of sums, which are added up in blocks."""
    rounded = re.sub(rb"\d+\.\d{9,}(?:e-?\d+)?", lambda number: b"%.8g" % float(number[0]), stdout)
    return rounded.removeprefix(b"row 0\n")


def _is_start(start: bytes, whole: bytes) -> bool:
    return whole.startswith(start) or _untitled(whole).startswith(_untitled(start))


def _file_problem(case: command_lines.Case, around: Surroundings, status: int) -> str:
    created = set(os.listdir("around")) - set(case.files)
    outputs = {word for word in case.arguments if word.startswith("out.")}
    if left := (created - outputs) | set(os.listdir("temporary")):
        return f"unexpected files: {sorted(left)}"
    if status in (1, 2) and created:
        return f"a file of a run with exit code {status}: {sorted(created)}"
    for name in created if around.stdin in WHOLE_INPUTS else ():
        whole = Path("plain", name)
        if not whole.exists() or _untitled(whole.read_bytes()) != _untitled(Path("around", name).read_bytes()):
            return f"{name} is not whole"
    return ""


def _run_around(case: command_lines.Case, around: Surroundings, seed: float) -> tuple[int, bytes, str]:
    """Run the command in the folder "around" and return its exit code, stdout and stderr."""
    # A signal and a closed stream need a process of its own from the start.
    is_real = bool(around.signal) or "closed" in (around.stdin, around.stdout)
    environ = (tool.environment() if is_real else tool.forked()) | {"TMPDIR": os.path.abspath("temporary")}
    program = shutil.which("tsoft", path=environ["PATH"]) or tool.TSOFT
    closed = "".join(f" {sign}&-" for sign, kind in (("<", around.stdin), (">", around.stdout)) if kind == "closed")
    command = ["/bin/sh", "-c", f'exec "$0" "$@"{closed}', program, *case.arguments]
    with contextlib.ExitStack() as stack:
        stdin = stack.enter_context(_input(case.stdin, around.stdin, random.Random(seed)))
        stdout, output = stack.enter_context(_output(around))
        stderr = stack.enter_context(open("stderr", "w+b"))
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=environ, cwd="around")
        os.close(stdout)
        if around.signal:
            time.sleep(around.delay)
            process.send_signal(around.signal)
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        stderr.seek(0)
        text = stderr.read().decode(errors="replace")
    return status, b"".join(output), text


@contextlib.contextmanager
def _input(data: bytes, kind: str, rng: random.Random) -> Iterator[int]:
    """Yield a descriptor that provides the data."""
    if kind in ("file", "none", "closed"):
        Path("stdin").write_bytes(data if kind == "file" else b"")
        with open("stdin", "rb") as file:
            yield file.fileno()
        return
    reader, writer = os.pipe() if kind != "terminal" else pty.openpty()[::-1]
    if kind == "non-blocking":
        os.set_blocking(reader, False)

    def write() -> None:
        # The process may end before it has read everything.
        with contextlib.suppress(OSError):
            for piece in [data] if kind == "whole" else _pieces(data, rng):
                # A longer pause lets the process start, and read before the piece is there.
                time.sleep(0 if kind == "whole" else rng.choice([0, 0.002, 0.1]))
                os.write(writer, piece)
            if kind == "terminal":
                # Ctrl-D ends a line, and a second one the input.
                os.write(writer, b"\x04\x04")
                return
        if kind != "terminal":
            os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield reader
    finally:
        os.close(reader)
        thread.join()
        if kind == "terminal":
            os.close(writer)


def _pieces(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Cut the data into at most a few pieces, so that a run takes milliseconds."""
    places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randint(1, 4)))
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        yield data[start:end]


@contextlib.contextmanager
def _output(around: Surroundings) -> Iterator[tuple[int, list[bytes]]]:
    """Yield a descriptor to write to, and the list that has what was read from it at the end of the context."""
    output: list[bytes] = []
    if around.stdout in ("file", "full", "closed"):
        name = "/dev/full" if around.stdout == "full" else "stdout"
        yield os.open(name, os.O_WRONLY | os.O_CREAT, 0o600), output
        output.append(b"" if around.stdout == "full" else Path("stdout").read_bytes())
        return
    reader, writer = os.pipe() if around.stdout != "terminal" else pty.openpty()

    def read() -> None:
        limit = around.read if around.stdout == "head" else 1 << 40
        # Reading from a terminal without a process is an error.
        with contextlib.suppress(OSError):
            while limit and (data := os.read(reader, min(limit, 1 << 16))):
                output.append(data)
                limit -= len(data)
        os.close(reader)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield writer, output
    finally:
        thread.join()
