"""Killing the workers of a Dask cluster while they work."""

import contextlib
import os
import select
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def kill_reader(client: Any, pipe: Path, text: str) -> None:
    """Kill the worker that reads a pipe, which it opens when its task starts. The next reader gets the text."""
    descriptor = os.open(pipe, os.O_WRONLY)
    reader = next(pid for pid in client.run(os.getpid).values() if _has_open(pid, pipe))
    ended = os.pidfd_open(reader)
    os.kill(reader, signal.SIGKILL)
    os.close(descriptor)
    select.select([ended], [], [])
    # Another worker opens the pipe.
    pipe.write_text(text)


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
