"""Reading stdin from a pipe in non-blocking mode, as some programs leave it, and a piped file of a few bytes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tool import TSOFT, environment, here, run

if sys.platform == "win32":
    pytest.skip("Windows has no such mode", allow_module_level=True)


@contextmanager
def waiting(*arguments: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Start tsoft with an empty pipe in non-blocking mode as stdin, and yield its other end."""
    end, other_end = os.pipe()
    os.set_blocking(end, False)
    with subprocess.Popen(
        [TSOFT, *arguments], stdin=end, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            yield other_end, process
        finally:
            os.close(end)


def test_a_pause_in_the_input_is_not_its_end() -> None:
    with waiting("compute") as (pipe, process):
        os.write(pipe, b"1 2\n3 ")
        assert process.stdout
        # tsoft has read all of that, and waits.
        first = process.stdout.readline()
        os.write(pipe, b"4\n5 ")
        second = process.stdout.readline()
        os.write(pipe, b"7\n")
        os.close(pipe)
        third, messages = process.communicate()
    assert (process.returncode, messages) == (0, b"")
    assert (first + second + third).decode() == here("compute", stdin="1 2\n3 4\n5 7\n").stdout


def test_memory_for_a_piped_file_grows_with_the_file() -> None:
    words = ["bash", "-c", f"ulimit -v 3000000; printf 'PK\\003\\004' | {TSOFT} sample"]
    environ = environment(OPENBLAS_NUM_THREADS="1")
    done = subprocess.run(words, capture_output=True, env=environ, check=False)
    assert done.returncode == 1
    assert b"not enough memory" not in done.stderr


def test_numbers_whose_sum_overflows_are_compared_with_probabilities_in_silence() -> None:
    done = run("compute", stdin='[{"a": 1e308, "b": 1e308, "c": 1}]')
    assert (done.returncode, done.stderr) == (0, "")
