"""Numbers parsed and written by several processes, compared with one process."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from tool import here, started
from tsoft.core.softmax import Array
from tsoft.input import fast_numbers, number_workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")

LINE = b"0.25 -1.5 3.125 1e-3 -inf 2\n"
# A text that is large enough for several processes.
LINES = number_workers.START // len(LINE) * 5 // 4


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three processes work on any numbers."""
    monkeypatch.setenv("TSOFT_CORES", "3")
    monkeypatch.setattr(number_workers, "START", 0)
    monkeypatch.setattr(number_workers, "LEAST", 16)


@pytest.mark.usefixtures("eager")
def test_parts_are_parsed_as_a_whole_text() -> None:
    random = np.random.default_rng(1)
    texts = [b"\n".join(b" ".join(b"%.3g" % x for x in random.standard_normal(w)) for w in (5, 1, 9, 1, 1))]
    texts += [
        b"1 2\n" * 50 + b"1 x\n" + b"1 2\n" * 50,
        b"1,2\r\n" * 50 + b"3,-0",
        b"1 " * 100 + b"2",
        LINE * 9 + b"\n\n",
    ]
    with number_workers.several_processes():
        for text in texts:
            parsed, expected = number_workers.parse(text), fast_numbers.parse(text)
            assert (parsed is None) == (expected is None)
            assert parsed is None or [*map(np.ndarray.tolist, parsed)] == [*map(np.ndarray.tolist, expected or ())]
        assert number_workers.processes() == 3
    assert number_workers.processes() == 1


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_parts_are_written_as_a_whole_array(dtype: type) -> None:
    values: Array = np.random.default_rng(1).standard_normal((200, 8)).astype(dtype)
    widths = np.arange(200) % 8 + 1
    large: Array = np.where(np.arange(8) == 3, 1e17, values).astype(dtype)
    with number_workers.several_processes():
        for arguments in ((values, None), (values, widths), (values, None, 3), (values[:1], None), (large, None)):
            assert number_workers.lines(*arguments) == fast_numbers.lines(*arguments)
        assert number_workers.processes() == 3


@pytest.mark.usefixtures("eager")
def test_several_processes_print_what_one_prints_also_before_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsoft.input.lines.CHUNK", 1 << 14)
    text = "".join(f"{i % 97 + 0.5} {i / 7} -1\n" for i in range(5000)) + "1 2 x\n"
    three = here("compute", "--tau", "0.7", stdin=text)
    monkeypatch.setenv("TSOFT_CORES", "1")
    one = here("compute", "--tau", "0.7", stdin=text)
    assert three.stderr == one.stderr == "tsoft: error: stdin:5001: field 3: 'x' is not a number\n"
    assert three.returncode == 1
    # The lines that arrive together with the wrong one are not printed. How many these are depends on the reads.
    printed, expected = three.stdout.splitlines(), one.stdout.splitlines()
    count = min(len(printed), len(expected))
    assert count > 1000
    assert printed[:count] == expected[:count]


def children(process: "subprocess.Popen[bytes]") -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def write(stream: IO[bytes], data: bytes) -> None:
    """Write to a command that may have ended."""
    with contextlib.suppress(BrokenPipeError):
        stream.write(data)
        stream.flush()


def kill_worker(process: "subprocess.Popen[bytes]") -> None:
    os.kill(children(process)[0], signal.SIGKILL)


def interrupt(process: "subprocess.Popen[bytes]") -> None:
    """Press Ctrl-C, which reaches all processes of a terminal."""
    for pid in (*children(process), process.pid):
        os.kill(pid, signal.SIGINT)


def go_away(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout
    process.stdout.close()


KILLED = (
    "tsoft: error: a process that tsoft had started was killed by SIGKILL, perhaps because memory was short; to use a"
    " single process, set TSOFT_CORES=1\n"
)


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [(kill_worker, 1, KILLED), (interrupt, 130, ""), (go_away, 141, ""), (subprocess.Popen.kill, -9, "")],
)
def test_no_process_outlives_the_command(
    end: Callable[["subprocess.Popen[bytes]"], None], status: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows that have arrived are printed before the rest of the next one arrives."""
    monkeypatch.setenv("TSOFT_CORES", "3")
    with started("compute", "--tau", "0.7") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        write(process.stdin, LINE)
        printed = {process.stdout.readline()}
        writer = threading.Thread(target=write, args=(process.stdin, LINE * LINES + LINE[:3]))
        writer.start()
        printed |= {process.stdout.readline() for _ in range(LINES)}
        writer.join()
        assert len(printed) == 1
        workers = [os.pidfd_open(pid) for pid in children(process)]
        assert len(workers) == 2
        end(process)
        # The command notices that a worker or its reader is gone when there is more to do.
        write(process.stdin, LINE[3:] + LINE * (LINES // 4))
        assert (process.wait(), process.stderr.read().decode()) == (status, error)
        for worker in workers:
            assert select.select([worker], [], [], 30)[0]
            os.close(worker)


@pytest.mark.usefixtures("eager")
def test_a_wrong_number_of_cores_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSOFT_CORES", "two")
    done = here("compute", stdin="2 1\n" * 1000)
    assert done.returncode == 2
    assert done.stderr == "tsoft: error: TSOFT_CORES: expected a whole number from 1, got 'two'\n"
