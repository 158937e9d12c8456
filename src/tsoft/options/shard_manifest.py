"""The manifest of a folder: the settings of the run that wrote it, and the files that are complete."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import IO, Any

from tsoft.errors import OutputError, UsageError
from tsoft.notes import note
from tsoft.options.seeds import chosen_seed
from tsoft.options.shards import Shard

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

NAME = ".tsoft-run.jsonl"


@dataclass(frozen=True, eq=False)
class ManifestSettings:
    """What a manifest records of a run: the `command` and the `values` of its options. `folder` is for the results, and
    with `is_random` the run has a seed. With `resume`, it continues an earlier run."""

    command: str
    values: dict[str, Any]
    folder: str
    is_random: bool
    resume: bool


@dataclass(frozen=True, eq=False)
class Manifest:
    """The open manifest of a run: `done` has the exit code of each complete file, by the name of its result."""

    folder: str
    file: IO[str]
    seed: int | None
    done: dict[str, int]

    def add(self, shard: Shard, exit_code: int) -> None:
        """Record that the result of a file is complete. Raise OutputError if the result is not there."""
        place = os.path.join(self.folder, shard.output)
        if not os.path.isfile(place):
            problem = "a worker wrote the file, but it is not on this machine"
            raise OutputError(f"{place}: {problem}; use a folder that all machines share")
        record = {"output": shard.output, "exit_code": exit_code, "bytes": os.path.getsize(place)}
        _write(self.file, record | {"file": _state(shard.file)})
        self.done[shard.output] = exit_code


@contextlib.contextmanager
def opened_manifest(run: ManifestSettings, shards: Sequence[Shard]) -> Iterator[Manifest]:
    """Open the manifest of the folder of a run.

    A run that completes no file leaves neither a manifest nor a new folder behind.

    Raise UsageError for a folder with the results of another run, or with those of this run unless it resumes.
    """
    path, is_new = os.path.join(run.folder, NAME), not os.path.exists(run.folder)
    try:
        os.makedirs(run.folder, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (the next line closes it)
    except OSError as error:
        raise OutputError(f"{run.folder}: {error.strerror or error}") from None
    with file:
        _lock(file, run.folder)
        lines = _lines(file, path)
        try:
            manifest = _resumed(run, shards, file, lines) if lines else _new(run, shards, file)
            yield manifest
        finally:
            file.seek(0)
            if len(_lines(file, path)) < 2:
                os.unlink(path)
            if is_new:
                # A folder that is not empty remains.
                with contextlib.suppress(OSError):
                    os.rmdir(run.folder)


def _new(run: ManifestSettings, shards: Sequence[Shard], file: IO[str]) -> Manifest:
    """Return the manifest of a new run. Raise UsageError if a file would be overwritten."""
    existing = [shard.output for shard in shards if os.path.lexists(os.path.join(run.folder, shard.output))]
    if existing:
        place = os.path.join(run.folder, existing[0])
        raise UsageError(f"{place} exists, and tsoft does not overwrite files in a folder; pass another folder")
    seed = chosen_seed(run.values["seed"]) if run.is_random else None
    _write(file, {**_header(run), "seed": seed})
    return Manifest(run.folder, file, seed, {})


def _resumed(run: ManifestSettings, shards: Sequence[Shard], file: IO[str], lines: list[Any]) -> Manifest:
    """Return the manifest of an earlier run with the same settings."""
    header, *records = lines
    _check_settings(run, header)
    if not run.resume:
        fix = "pass --resume to compute only what it lacks, or another folder"
        raise UsageError(f"{run.folder} has the results of an earlier run; {fix}")
    seed = header.get("seed")
    if run.is_random and run.values["seed"] not in (None, seed):
        raise UsageError(
            f"{run.folder} has the results of a run with --seed {seed}; remove --seed, or pass another folder"
        )
    known = {record["output"]: record for record in records}
    done, changed = {}, []
    for shard in shards:
        record, place = known.get(shard.output), os.path.join(run.folder, shard.output)
        if record is None or not os.path.isfile(place) or os.path.getsize(place) != record["bytes"]:
            continue
        if record["file"] == _state(shard.file):
            done[shard.output] = record["exit_code"]
        else:
            changed.append(shard.file)
    if changed:
        note(f"{changed[0]} has changed since the earlier run" + f", and {len(changed) - 1} more" * (len(changed) > 1))
    if others := known.keys() - {shard.output for shard in shards}:
        count = f"{len(others)} results, such as {min(others)}," if len(others) > 1 else f"the result {min(others)}"
        note(f"{run.folder} has {count} of files that are not in the input")
    note(f"{run.folder}: {len(done)} of {len(shards)} files are complete")
    return Manifest(run.folder, file, seed, done)


def _check_settings(run: ManifestSettings, header: dict[str, Any]) -> None:
    """Raise UsageError if an earlier run had other settings."""
    current = _header(run)
    if all(header.get(name) == value for name, value in current.items()):
        return
    # A typed option first, since files and versions may differ because of it.
    options, before = current["settings"], header.get("settings", {})
    changed = [(_option(name), before.get(name), value) for name, value in options.items() if before.get(name) != value]
    changed += [(name, header.get(name), value) for name, value in current.items() if header.get(name) != value]
    name, earlier, now = changed[0]
    if name == "files":
        file = next((file for file in now if header["files"].get(file) != now[file]), "")
        raise UsageError(f"{file} has changed since the run that wrote {run.folder}; pass another folder")
    raise UsageError(
        f"{run.folder} has the results of a run with {name} {_shown(earlier)}, not {_shown(now)}; pass another folder"
    )


def _header(run: ManifestSettings) -> dict[str, Any]:
    """Return what determines the results of a run: the version of tsoft, the command, its settings, and the state of
    the files that these name."""
    values = [value for value in run.values.values() if value is not None]
    names = [
        str(item).removeprefix("@") for value in values for item in (value if isinstance(value, list) else [value])
    ]
    settings = {name: value for name, value in run.values.items() if not (run.is_random and name == "seed")}
    return {
        "tsoft": version("tsoft"),
        "command": run.command,
        "settings": settings,
        "files": {name: _state(name) for name in names if os.path.isfile(name)},
    }


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _state(file: str) -> list[int]:
    """Return the size of a file and the time of its last change, in ns."""
    status = os.stat(file)
    return [status.st_size, status.st_mtime_ns]


def _lines(file: IO[str], path: str) -> list[Any]:
    """Return the records of a manifest. A line that a killed run did not finish is removed."""
    file.seek(0)
    text = file.read()
    whole, _, torn = text.rpartition("\n")
    if torn:
        file.truncate(len(text.encode()) - len(torn.encode()))
    if not whole:
        return []
    with contextlib.suppress(ValueError, AttributeError):
        header, *records = map(json.loads, whole.splitlines())
        is_header = header.keys() >= {"settings", "files"}
        if is_header and all(record.keys() >= {"output", "exit_code", "bytes", "file"} for record in records):
            return [header, *records]
    raise UsageError(f"{path}: not a manifest of tsoft; pass another folder")


def _write(file: IO[str], record: dict[str, Any]) -> None:
    """Append a record. Raise OutputError if the disk is full."""
    try:
        file.write(json.dumps(record) + "\n")
        file.flush()
    except OSError as error:
        raise OutputError(f"{file.name}: {error.strerror or error}") from None


def _lock(file: IO[str], folder: str) -> None:
    """Raise UsageError if another run writes to the folder."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"another run of tsoft writes to {folder}; wait until it ends, or pass another folder"
        ) from None
    except OSError:
        # Some network drives have no locks.
        return
