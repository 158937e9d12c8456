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
    """What a manifest records of a run: the `command`, the `values` of its options, and the `files` that these name.
    `folder` is for the results, and with `is_random` the run has a seed. With `resume`, it continues an earlier run."""

    command: str
    values: dict[str, Any]
    files: list[str]
    folder: str
    is_random: bool
    resume: bool


@dataclass(frozen=True, eq=False)
class Manifest:
    """The open manifest of a run: `done` has the exit code of each complete file, by the name of its result, and
    `states` has what each file was before the run read it."""

    folder: str
    file: IO[str]
    seed: int | None
    done: dict[str, int]
    states: dict[str, list[int] | None]

    def add(self, shard: Shard, exit_code: int) -> None:
        """Record that the result of a file is complete. Raise OutputError if the result is not there."""
        place = os.path.join(self.folder, shard.output)
        if not os.path.isfile(place):
            problem = "a worker wrote the file, but it is not on this machine"
            raise OutputError(f"{place}: {problem}; use a folder that all machines share")
        record = {"output": shard.output, "exit_code": exit_code, "bytes": os.path.getsize(place)}
        _write(self.file, record | {"file": self.states[shard.output]})
        self.done[shard.output] = exit_code


@contextlib.contextmanager
def opened_manifest(run: ManifestSettings, shards: Sequence[Shard]) -> Iterator[Manifest]:
    """Open the manifest of the folder of a run.

    A new run that computes no file leaves neither a manifest nor a new folder behind. If a run ends early, results may
    exist that the manifest lists only as planned. The manifest then remains, so that the run can be resumed.

    Raise UsageError for a folder with the results of another run, or with those of this run unless it resumes.
    """
    from tsoft.output.temporary_file import remove_all_abandoned

    path, is_new = os.path.join(run.folder, NAME), not os.path.exists(run.folder)
    try:
        os.makedirs(run.folder, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (the next line closes it)
    except FileExistsError:
        raise OutputError(f"{run.folder}: not a folder but a file; remove it, or pass another folder") from None
    except OSError as error:
        raise OutputError(f"{run.folder}: {error.strerror or error}") from None
    with file:
        _lock(file, run.folder)
        lines, length = _lines(path)
        # A killed run may not have finished its last line.
        file.truncate(length)
        manifest = None
        try:
            manifest = _resumed(run, shards, file, lines) if lines else _new(run, shards, file)
            remove_all_abandoned(run.folder)
            yield manifest
        finally:
            # Processes of this run that were ended by force leave files, too.
            remove_all_abandoned(run.folder)
            has_results = manifest is not None and any(
                os.path.lexists(os.path.join(run.folder, shard.output)) for shard in shards
            )
            if not lines and not has_results:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            if is_new:
                # A folder that is not empty remains.
                with contextlib.suppress(OSError):
                    os.rmdir(run.folder)


def _new(run: ManifestSettings, shards: Sequence[Shard], file: IO[str]) -> Manifest:
    """Return the manifest of a new run. Raise UsageError if a file would be overwritten."""
    names = [shard.output for shard in shards]
    _refuse_to_overwrite(run.folder, names)
    seed = chosen_seed(run.values["seed"]) if run.is_random else None
    _write(file, {**_header(run), "seed": seed})
    _write(file, {"planned": names})
    return Manifest(run.folder, file, seed, {}, {shard.output: _state(shard.file) for shard in shards})


def _refuse_to_overwrite(folder: str, names: Sequence[str]) -> None:
    """Raise UsageError if one of the results of a run exists before the run."""
    places = (os.path.join(folder, name) for name in names)
    if (place := next(filter(os.path.lexists, places), None)) is not None:
        raise UsageError(f"{place} exists, and tsoft does not overwrite files in a folder; pass another folder")


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
    known = {record["output"]: record for record in records if "output" in record}
    # A run that ended early may have written results that its manifest does not list as complete, but as planned.
    planned = set(_planned(records))
    new = [shard.output for shard in shards if shard.output not in planned]
    folders = [shard.output for shard in shards if os.path.isdir(os.path.join(run.folder, shard.output))]
    _refuse_to_overwrite(run.folder, new + folders)
    states = {shard.output: _state(shard.file) for shard in shards}
    done, changed = {}, []
    for shard in shards:
        record, place = known.get(shard.output), os.path.join(run.folder, shard.output)
        if record is None or not os.path.isfile(place) or os.path.getsize(place) != record["bytes"]:
            continue
        state = states[shard.output]
        if record["file"] == state:
            done[shard.output] = record["exit_code"]
        elif state is not None:
            changed.append(shard.file)
            # If the changed file cannot be computed, its earlier result must not look like its result.
            with contextlib.suppress(OSError):
                os.unlink(place)
    if changed:
        note(f"{changed[0]} has changed since the earlier run" + f", and {len(changed) - 1} more" * (len(changed) > 1))
    if others := known.keys() - {shard.output for shard in shards}:
        count = f"{len(others)} results, such as {min(others)}," if len(others) > 1 else f"the result {min(others)}"
        note(f"{run.folder} has {count} of files that are not in the input")
    note(f"{run.folder}: {len(done)} of {len(shards)} files are complete")
    if new:
        _write(file, {"planned": new})
    return Manifest(run.folder, file, seed, done, states)


def _check_settings(run: ManifestSettings, header: dict[str, Any]) -> None:
    """Raise UsageError if an earlier run had other settings."""
    current = _header(run)
    if all(header.get(name) == value for name, value in current.items()):
        return
    # A typed option first, since files and versions may differ because of it.
    names = current["settings"] | header["settings"]
    before, now = (
        {name: _typed(name, settings.get(name)) for name in names}
        for settings in (header["settings"], current["settings"])
    )
    if (option := _first_difference(before, now)) is not None:
        problem = f"the results of a run {before[option]}, and this run is {now[option]}"
        raise UsageError(f"{run.folder} has {problem}; use the same options, or pass another folder")
    if (file := _first_difference(header["files"], current["files"])) is not None:
        problem = "has changed since" if os.path.exists(file) else "does not exist, and was an input of"
        raise UsageError(f"{file} {problem} the run that wrote {run.folder}; pass another folder")
    name = _first_difference(header, current) or ""
    problem = f"a run with {name} {header.get(name)}, not {current.get(name)}"
    raise UsageError(f"{run.folder} has the results of {problem}; pass another folder")


def _first_difference(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """Return the first key with different values in two mappings, or None if the mappings are equal."""
    return next((key for key in now | before if before.get(key) != now.get(key)), None)


def _header(run: ManifestSettings) -> dict[str, Any]:
    """Return what determines the results of a run: the version of tsoft, the command, its settings, and the state of
    the files that these name."""
    settings = {name: value for name, value in run.values.items() if not (run.is_random and name == "seed")}
    return {
        "tsoft": version("tsoft"),
        "command": run.command,
        "settings": settings,
        "files": {name: _state(name) for name in run.files},
    }


def _typed(name: str, value: Any) -> str:
    """Return an option as it was typed, after `with` or `without`."""
    option = "--" + name.replace("_", "-")
    match value:
        case None | False:
            return f"without {option}"
        case True:
            return f"with {option}"
        case [*items]:
            return f"with {option} {','.join(map(str, items))}"
        case float():
            return f"with {option} {value:g}"
    return f"with {option} {value}"


def _state(file: str) -> list[int] | None:
    """Return what changes when a file is changed, replaced, or restored with its old time: its size, the times of its
    last change in ns, and its inode. Return None for a file that cannot be read, which the work on it reports."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def planned_results(folder: str) -> list[str]:
    """Return the names of the results that the manifest of a folder lists, if it has one."""
    path = os.path.join(folder, NAME)
    return _planned(_lines(path)[0]) if os.path.isfile(path) else []


def _planned(records: list[Any]) -> list[str]:
    return [name for record in records for name in record.get("planned", [])]


def _lines(path: str) -> tuple[list[Any], int]:
    """Return the records of a manifest, and the length of its complete lines in bytes. Raise UsageError for a file that
    is not a manifest, and OutputError for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from None
    whole, _, torn = data.rpartition(b"\n")
    # UnicodeDecodeError is a ValueError.
    with contextlib.suppress(ValueError, RecursionError):
        header, *records = [json.loads(line) for line in whole.decode().splitlines()] or [None]
        if (_is_header(header) and all(map(_is_record, records))) or (not whole and torn[:1] in (b"", b"{")):
            return [header, *records] if whole else [], len(data) - len(torn)
    raise UsageError(f"{path}: not a manifest of tsoft; pass another folder")


def _is_header(header: Any) -> bool:
    return isinstance(header, dict) and all(isinstance(header.get(name), dict) for name in ("settings", "files"))


def _is_record(record: Any) -> bool:
    match record:
        case {"planned": [*names], **others}:
            return not others and all(isinstance(name, str) for name in names)
        case {"output": str(), "exit_code": int(), "bytes": int(), "file": list() | None, **others}:
            return not others
    return False


def _write(file: IO[str], record: dict[str, Any]) -> None:
    """Append a record. Raise OutputError if the disk is full."""
    data = (json.dumps(record) + "\n").encode()
    try:
        # Without a buffer, whose rest would be written again when the file is closed.
        while data:
            data = data[os.write(file.fileno(), data) :]
    except OSError as error:
        raise OutputError(f"{file.name}: {error.strerror or error}") from None


def _lock(file: IO[str], folder: str) -> None:
    """Raise UsageError if another run writes to the folder."""
    if fcntl is None:
        return
    # Some network drives have no locks.
    with contextlib.suppress(OSError):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Without results, another run removes its manifest when it ends, perhaps just before the lock.
            is_locked = os.fstat(file.fileno()).st_nlink == 0
        except BlockingIOError:
            is_locked = True
        if is_locked:
            raise UsageError(f"another run of tsoft writes to {folder}; wait until it ends, or pass another folder")
