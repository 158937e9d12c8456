"""Jobs: the same work on many items, in processes of this machine or on a cluster, through joblib."""

import contextlib
import functools
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tsoft.core.cores import VARIABLE
from tsoft.errors import InputError, TsoftError, UsageError, shortened, unknown
from tsoft.notes import collected_notes
from tsoft.options.file_notes import FileNotes
from tsoft.options.job_options import JobOptions

T = TypeVar("T")
R = TypeVar("R")

# How often a process of --jobs checks whether tsoft still runs.
_WATCH_SECONDS = 0.5
_ENDED = "a worker ended without a result, perhaps because memory ran out"
# The functions with which other packages register their backends.
_REGISTRARS = {"ray": ("ray.util.joblib", "register_ray"), "spark": ("joblibspark", "register_spark")}


@dataclass(frozen=True, eq=False)
class JobOutcome(Generic[T, R]):
    """What a job made of its item: the result, or how it failed, and its notes."""

    item: T
    result: R | None
    error: TsoftError | None
    notes: list[str]

    def unwrapped(self) -> R:
        """Return the result. Raise the error of a job that failed."""
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result


def results(outcomes: Generator[JobOutcome[T, R]], file: Callable[[T], str]) -> Generator[R]:
    """Yield the results of jobs. Print the notes of each file, and raise the error of a job that failed.

    file: returns the file of an item, which messages name.
    """
    notes = FileNotes()
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            notes.print(file(outcome.item), outcome.notes)
            if isinstance(outcome.error, InputError) and str(outcome.error).startswith("row "):
                raise InputError(f"{file(outcome.item)}: {outcome.error}")
            yield outcome.unwrapped()
    notes.print_rest()


@dataclass(frozen=True, eq=False)
class _Job(Generic[T, R]):
    """The work on one item."""

    work: Callable[[T], R]

    def __call__(self, item: T) -> JobOutcome[T, R]:
        with collected_notes() as notes:
            try:
                return JobOutcome(item, self.work(item), None, notes)
            except TsoftError as error:
                return JobOutcome(item, None, error, notes)


@dataclass(frozen=True, eq=False)
class _RemoteJob(_Job[T, R]):
    """The work on one item in another process, perhaps on another machine, with its share of the cores. `parent` is the
    process that started the jobs if the other process must not outlive it."""

    cores: int
    version: str
    parent: int | None

    def __call__(self, item: T) -> JobOutcome[T, R]:
        os.environ.setdefault(VARIABLE, str(self.cores))
        if self.parent is not None:
            _end_with(self.parent)
        if (version := _version()) != self.version:
            return JobOutcome(item, None, _other_version(version, self.version), [])
        try:
            return super().__call__(item)
        except SystemExit:
            # The signal that ended this job would else end the whole run, and without a message.
            return JobOutcome(item, None, TsoftError(_ENDED), [])


@functools.cache
def _end_with(parent: int) -> None:
    """Start a thread that ends this process soon after its parent."""

    def watch() -> None:
        never = threading.Event()
        while os.getppid() == parent:
            never.wait(_WATCH_SECONDS)
        os._exit(1)

    if os.getpid() != parent:
        threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True, eq=False)
class JobPool:
    """Jobs, of which `count` run at the same time. Without a count, the work is done in this process."""

    options: JobOptions
    count: int | None

    def run(self, work: Callable[[T], R], items: Sequence[T], *, ordered: bool = True) -> Generator[JobOutcome[T, R]]:
        """Yield the outcome of the work on each item, in the order of the items or, unless `ordered`, as they end.

        work: a function that pickle can send to another process. Raise TsoftError if a worker ends without a result.
        """
        if self.count is None:
            yield from map(_Job(work), items)
            return
        import warnings

        import joblib

        from tsoft.core.cores import available_cores

        cores = max(1, available_cores() // self.count) if self.options.is_local else 1
        job = _RemoteJob(work, cores, _version(), os.getpid() if self.options.are_children else None)
        returned = "generator" if ordered else "generator_unordered"
        with _named_errors(self.options):
            # Each item is a file, so batches of several items would only delay results.
            try:
                parallel = joblib.Parallel(n_jobs=self.count, return_as=returned, batch_size=1)
            except ValueError:
                problem = "returns no result before all files are complete"
                raise UsageError(f"--backend {self.options.backend} {problem}; use loky or dask") from None
            outcomes = parallel(joblib.delayed(job)(item) for item in items)
            try:
                for outcome in outcomes:  # noqa: UP028  (`yield from` would close the outcomes with a warning)
                    yield outcome
            finally:
                # joblib warns about the jobs that this cancels, perhaps after the context of `job_pool` has ended.
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    outcomes.close()


@contextlib.contextmanager
def job_pool(options: JobOptions, most: int) -> Iterator[JobPool]:
    """Start jobs for the context, at most `most` at the same time.

    Raise UsageError for a backend that is not known or not installed, and TsoftError if the cluster cannot be reached.
    """
    if not options.are_used:
        yield JobPool(options, None)
        return
    _require_packages(options)
    import warnings

    if sys.stderr is None:
        # joblib flushes it before it starts a process.
        sys.stderr = io.StringIO()
    _register(options.backend)
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        # The warnings of joblib and Dask are for programmers.
        warnings.simplefilter("ignore")
        with _named_errors(options):
            count = stack.enter_context(_backend(options, most))
        yield JobPool(options, count)


def in_jobs(
    work: Callable[[T], R], items: Sequence[T], options: JobOptions, *, ordered: bool = True
) -> Generator[JobOutcome[T, R]]:
    """Yield the outcome of the work on each item from jobs of its own. Parameters and errors are those of `job_pool`
    and of `JobPool.run`."""
    with job_pool(options, len(items)) as pool:
        yield from pool.run(work, items, ordered=ordered)


def _require_packages(options: JobOptions) -> None:
    from importlib.util import find_spec

    needs_dask = options.cluster is not None or options.backend == "dask"
    missing = [name for name in ("joblib", *["distributed"] * needs_dask) if find_spec(name) is None]
    if missing:
        raise UsageError(f"{options.typed} needs {missing[0]}; run pip install 'tsoft[cluster]'")


def _register(backend: str | None) -> None:
    """Register the backend of another package. Raise UsageError for an unknown one."""
    from importlib import import_module

    from joblib.parallel import BACKENDS, EXTERNAL_BACKENDS

    if backend in _REGISTRARS:
        module, function = _REGISTRARS[backend]
        try:
            getattr(import_module(module), function)()
        except ImportError as error:
            raise UsageError(f"--backend {backend} needs {error.name}; install it with pip") from None
    elif backend is not None and backend not in {*BACKENDS, *EXTERNAL_BACKENDS}:
        # This one returns no result before all files are complete.
        known = [name for name in (*BACKENDS, *EXTERNAL_BACKENDS, *_REGISTRARS) if name != "multiprocessing"]
        raise UsageError(unknown("backend", backend, known))


@contextlib.contextmanager
def _backend(options: JobOptions, items: int) -> Iterator[int]:
    """Select joblib's backend for the context, and yield the number of jobs at the same time."""
    import joblib

    from tsoft.core.cores import available_cores

    if options.cluster is None and options.backend != "dask":
        count = min(options.jobs or available_cores(), max(1, items))
        with joblib.parallel_config(options.backend or "loky", n_jobs=count):
            yield count
        return
    import logging

    from distributed import Client, LocalCluster
    from distributed.comm import get_address_host_port

    with contextlib.ExitStack() as stack:
        # Dask logs tracebacks of connections that end with an error of a job.
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        if options.cluster is None:
            count = min(options.jobs or available_cores(), max(1, items))
            # Ctrl-C is sent to all processes of a terminal. The workers leave it to this one, which ends them.
            with _interrupts_ignored():
                local = LocalCluster(
                    n_workers=count, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
                )
            client = Client(stack.enter_context(local))
        else:
            try:
                # A client finds this out too late: if it fails before it is connected, closing it blocks for 20 s.
                get_address_host_port(options.cluster)
            except ValueError:
                fix = "pass the address of a Dask scheduler, such as tcp://host:8786"
                raise UsageError(f"--cluster: {shortened(options.cluster)!r} is not an address; {fix}") from None
            client = Client(options.cluster, set_as_default=False, timeout=10)
        stack.callback(_close, client)
        _check_versions(client)
        # A new cluster may take a moment to start its workers, and an adaptive one starts them on demand.
        with joblib.parallel_config("dask", client=client, n_jobs=-1):
            yield max(1, sum(client.ncores().values()))


def _close(client: Any) -> None:
    """Close a client of Dask. An error in closing it must not replace the error of a job."""
    with contextlib.suppress(Exception):
        client.close()


def _check_versions(client: Any) -> None:
    """Raise TsoftError if a worker of a cluster has another version of tsoft, or none. Such a worker may fail to load a
    job, and Dask would then wait forever."""
    from importlib import metadata

    for version in client.run(metadata.version, "tsoft", on_error="return").values():
        if version != _version():
            # A worker without tsoft returns an error.
            raise _other_version(version if isinstance(version, str) else "not installed", _version())


def _other_version(version: str, expected: str) -> TsoftError:
    problem = f"tsoft on a worker is {version}, and here {expected}"
    return TsoftError(f"{problem}; install the same version on all machines")


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C in the context, and in the processes that it starts."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _named_errors(options: JobOptions) -> Iterator[None]:
    """Turn the errors of joblib and of its backends inside the context into errors that tsoft reports."""
    try:
        yield
    except TsoftError:
        raise
    except TimeoutError as error:
        # joblib waits for workers, and Dask for the scheduler.
        if "has no worker" in str(error):
            problem = f"no worker after 10 s; start some with dask worker {options.cluster}"
        else:
            problem = f"{error}; check that the scheduler is running"
        raise TsoftError(f"{options.typed}: {problem}") from None
    except OSError as error:
        raise TsoftError(f"{options.typed}: {error}; check that the scheduler is running") from None
    except Exception as error:
        if type(error).__name__ in ("FutureCancelledError", "CancelledError"):
            raise TsoftError(f"{options.typed}: the scheduler ended, or the connection to it") from None
        if type(error).__name__ in ("TerminatedWorkerError", "KilledWorker", "BrokenProcessPool"):
            raise TsoftError(f"{options.typed}: {_ENDED}; use fewer jobs") from None
        raise


def _version() -> str:
    from importlib.metadata import version

    return version("tsoft")
