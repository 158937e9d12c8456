"""A run of a command on many files, each of which it computes by itself into a file of a folder."""

import functools
import os
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

import typer

from tsoft.errors import TsoftError, UsageError, joined
from tsoft.notes import note
from tsoft.options.jobs import JobOutcome, in_jobs
from tsoft.options.shards import FolderOptions, RandomFolderOptions, Shard

# The endings of the files in a folder, for formats that are not their own ending.
_ENDINGS = {"table": "txt"}
# Exit codes of a file that was computed: the answer is no, or inconclusive.
_ANSWERS = (3, 4)
# A message names at most this many files.
_NAMED = 3

Outcomes = Generator[JobOutcome[Shard, int]]


@dataclass(frozen=True, eq=False)
class FolderRun:
    """A run of a command on many files. `module` and `name` are those of its function, and `values` those of its
    options. `folder` is for the results."""

    module: str
    name: str
    options: FolderOptions
    values: dict[str, Any]
    folder: str

    @property
    def settings(self) -> dict[str, Any]:
        """The values of the options that determine the results."""
        others = {*vars(self.options), "output", self.options.shards_field}
        return {name: value for name, value in self.values.items() if name not in others}

    def __call__(self) -> None:
        """Compute each file. Print the notes and, with --keep-going, the errors as they come.

        Raise TsoftError after an error, and typer.Exit if the answer of a file has an exit code.
        """
        from tsoft.options.shard_manifest import ManifestSettings, opened_manifest

        shards = self._shards()
        is_random = isinstance(self.options, RandomFolderOptions)
        settings = ManifestSettings(self.name, self.settings, self.folder, is_random, self.options.resume)
        with opened_manifest(settings, shards) as manifest:
            pending = [shard for shard in shards if shard.output not in manifest.done]
            failed = []
            jobs = in_jobs(self._work(manifest.seed), pending, self.options, ordered=False)
            with closing(jobs), closing(_watched(jobs, len(pending))) as outcomes:
                printed: set[str] = set()
                for outcome in outcomes:
                    for message in outcome.notes:
                        if message not in printed:
                            printed.add(message)
                            note(message)
                    if outcome.error is None:
                        assert outcome.result is not None
                        manifest.add(outcome.item, outcome.result)
                    else:
                        self._fail(outcome.error)
                        failed.append(outcome.item.file)
            codes = {manifest.done[shard.output] for shard in shards if shard.output in manifest.done}
        if failed:
            named = joined([*failed[:_NAMED], *[f"{len(failed) - _NAMED} others"] * (len(failed) > _NAMED)])
            raise TsoftError(f"{len(failed)} of {len(shards)} files failed: {named}")
        if answers := [code for code in _ANSWERS if code in codes]:
            raise typer.Exit(answers[0])

    def _fail(self, error: TsoftError) -> None:
        """Report the error of a file with --keep-going, else raise it. An error of usage is that of all files."""
        from tsoft.options.ending import Ending

        if isinstance(error, UsageError) or error.exit_code == UsageError.exit_code or not self.options.keep_going:
            raise error
        Ending(error.exit_code, str(error)).report()

    def _shards(self) -> list[Shard]:
        """Return the files with the names of their results. Raise UsageError if two of these are equal."""
        from tsoft.options.input_files import listed_files

        self._check()
        files = listed_files(self.values[self.options.shards_field])
        format = self.values.get("format") or "tsv"
        shards = [Shard(file, f"{_stem(file)}.{_ENDINGS.get(format, format)}") for file in files]
        sources: dict[str, str] = {}
        for shard in shards:
            if (other := sources.setdefault(shard.output, shard.file)) != shard.file:
                place = os.path.join(self.folder, shard.output)
                raise UsageError(f"the results of {other} and {shard.file} would both be {place}; write to two folders")
        return shards

    def _check(self) -> None:
        """Raise UsageError for options that do not go with a folder."""
        self.options.check()
        if len(self.values["output"]) > 1:
            raise UsageError(f"--output {self.folder} is a folder for all results; remove the other --output")
        if self.values.get("logits") or not self.values[self.options.shards_field]:
            raise UsageError(
                f"--output {self.folder} is a folder, so the input must be files; pass -i FILE or -i FOLDER"
            )
        if "-" in self.values[self.options.shards_field]:
            raise UsageError(f"--output {self.folder} is a folder, so the input must be files, not stdin")
        for name, value in self.values.items():
            if "-" in (value if isinstance(value, list) else [value]):
                raise UsageError(
                    f"--{name.replace('_', '-')}: stdin cannot be read for each file; pass the values or a file"
                )

    def _work(self, seed: int | None) -> "_Work":
        """Return the work on one file. On a cluster, the folder of a process is another one, so names are absolute."""
        values, folder = self.values | dict.fromkeys(vars(self.options)), self.folder
        values |= {"resume": False, "keep_going": False}
        if self.options.cluster is not None:
            values, folder = {name: _absolute(value) for name, value in values.items()}, os.path.abspath(folder)
        is_remote = self.options.cluster is not None
        return _Work(self.module, self.name, values, self.options.shards_field, folder, seed, is_remote)


@dataclass(frozen=True, eq=False)
class _Work:
    """The work on one file: a run of the command with the file as its input. It returns the exit code."""

    module: str
    name: str
    values: dict[str, Any]
    shards_field: str
    folder: str
    seed: int | None
    is_remote: bool

    def __call__(self, shard: Shard) -> int:
        from tsoft.options.ending import ending_of

        file = os.path.abspath(shard.file) if self.is_remote else shard.file
        values = self.values | {self.shards_field: [file], "output": [os.path.join(self.folder, shard.output)]}
        if self.seed is not None:
            values["seed"] = seed_of(shard, self.seed)
        command = getattr(import_module(self.module), self.name)
        ending = ending_of(lambda: command(**values))
        if ending.message:
            is_usage = ending.exit_code == UsageError.exit_code
            named = file in ending.message or is_usage
            raise (UsageError if is_usage else TsoftError)(ending.message if named else f"{file}: {ending.message}")
        return ending.exit_code


def seed_of(shard: Shard, seed: int) -> int:
    """Return the seed of a file, which depends on the seed of the run and on the name of the result.

    >>> seed_of(Shard("a.npy", "a.tsv"), 1) == seed_of(Shard("b.npy", "b.tsv"), 1)
    False
    """
    from hashlib import sha256

    return int.from_bytes(sha256(f"{seed} {shard.output}".encode(errors="surrogateescape")).digest()[:8])


def into_folder(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command that computes each input file by itself if the output is a folder, and calls `function` if not.

    The parameters of `function` are bundles of options, one of which is FolderOptions.
    """

    @functools.wraps(function)
    def command(**bundles: Any) -> None:
        values = {field.name: getattr(bundle, field.name) for bundle in bundles.values() for field in fields(bundle)}
        folder = next(filter(_is_folder, values["output"] or []), None)
        if folder is None:
            function(**bundles)
        else:
            options = next(bundle for bundle in bundles.values() if isinstance(bundle, FolderOptions))
            FolderRun(function.__module__, function.__name__, options, values, folder)()

    return command


def _is_folder(name: str) -> bool:
    return name.endswith(("/", os.sep)) or os.path.isdir(name)


def _stem(file: str) -> str:
    """Return the name of a file without its ending, and without that of a compressed file.

    >>> _stem("logits/a.b.npy"), _stem("a.jsonl.gz"), _stem("a")
    ('a.b', 'a', 'a')
    """
    stem, ending = os.path.splitext(os.path.basename(file))
    return os.path.splitext(stem)[0] if ending.lower() == ".gz" else stem


def _absolute(value: Any) -> Any:
    """Return the value of an option with an absolute name if it names a file."""
    if isinstance(value, list):
        return [_absolute(item) for item in value]
    if not isinstance(value, str):
        return value
    mark = "@" * value.startswith("@")
    return mark + os.path.abspath(value[len(mark) :]) if os.path.isfile(value[len(mark) :]) else value


def _watched(outcomes: Outcomes, count: int) -> Outcomes:
    """Return the outcomes, with a progress bar if stderr is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return outcomes
    from tsoft.output.watching import watched

    done = iter(range(1, count + 1))
    return watched(outcomes, lambda _, __: ("files", next(done)), lambda _: count)
