"""Killing the workers of a Dask cluster while they work."""

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@contextlib.contextmanager
def dask_cluster() -> Iterator[Any]:
    """Start a cluster of two processes, each with one thread, and yield a client. The workers are forks of a process
    that has imported Dask, which is faster."""
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        local = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
        with local as cluster, distributed.Client(cluster) as client:
            yield client


def opened_for(process: "subprocess.Popen[Any]", pipe: Path) -> int:
    """Return a descriptor for writing to a pipe once the process, or one that it started, reads it."""
    while process.poll() is None:
        # Without a reader, the pipe cannot be opened.
        with contextlib.suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    raise AssertionError(f"the process ended with {process.returncode}")


@contextlib.contextmanager
def killed_reader(client: Any, pipe: Path, text: str) -> Iterator[None]:
    """Kill the worker that reads a pipe in the context, which it opens when its task starts. The next reader gets the
    text."""

    def kill() -> None:
        # The pipe opens when there is a reader.
        with pipe.open("w"):
            reader = next(pid for pid in pids.values() if _has_open(pid, pipe))
            ended = os.pidfd_open(reader)
            os.kill(reader, signal.SIGKILL)
        select.select([ended], [], [])
        os.close(ended)
        # Another worker opens the pipe.
        pipe.write_text(text)

    pids = client.run(os.getpid)
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()


def _has_open(pid: int, path: Path) -> bool:
    """Return whether a process has a file open."""
    with contextlib.suppress(OSError):
        return any(link.readlink() == path for link in Path(f"/proc/{pid}/fd").iterdir())
    return False


@contextlib.contextmanager
def killed_worker(client: Any) -> Iterator[None]:
    """Kill the first worker that has a task in the context."""

    def kill() -> None:
        while not ended.is_set():
            if busy := [worker for worker, tasks in client.processing().items() if tasks]:
                os.kill(pids[busy[0]], signal.SIGKILL)
                killed.append(busy[0])
                return

    pids, ended, killed = client.run(os.getpid), threading.Event(), list[str]()
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert killed
