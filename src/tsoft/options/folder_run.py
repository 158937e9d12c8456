"""A run of a command on many files, each of which it computes by itself into a file of a folder."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer

from tsoft.errors import InputError, TsoftError, UsageError, counted, joined
from tsoft.options.file_notes import FileErrors, FileNotes, with_file
from tsoft.options.folder_options import FolderOptions, RandomFolderOptions
from tsoft.options.job_values import absolute
from tsoft.options.jobs import JobOutcome, in_jobs
from tsoft.options.shards import Shard

if TYPE_CHECKING:
    from tsoft.options.shard_manifest import Manifest

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
    options, of which `file_options` name files. `folder` is for the results."""

    module: str
    name: str
    options: FolderOptions
    values: dict[str, Any]
    file_options: frozenset[str]
    folder: str

    @property
    def settings(self) -> dict[str, Any]:
        """The values of the options that determine the results."""
        others = {*vars(self.options), "output", self.options.shards_field}
        return {name: value for name, value in self.values.items() if name not in others}

    @property
    def option_files(self) -> list[str]:
        """The files that options other than the input name."""
        values = [value for name, value in self.settings.items() if name in self.file_options and value is not None]
        names = [item for value in values for item in (value if isinstance(value, list) else [value])]
        return list(filter(os.path.exists, (name.removeprefix("@") for name in names)))

    def __call__(self) -> None:
        """Compute each file. Print the notes and, with --keep-going, the errors as they come.

        Raise TsoftError after an error, and typer.Exit if the answer of a file has an exit code.
        """
        from tsoft.options.shard_manifest import ManifestSettings, opened_manifest
        from tsoft.output.file import ended_by_signals

        refused = FileErrors()
        shards = self._shards(refused.print if self.options.keep_going else None)
        is_random = isinstance(self.options, RandomFolderOptions)
        settings = ManifestSettings(
            self.name, self.settings, self.option_files, self.folder, is_random, self.options.resume
        )
        with ended_by_signals(), opened_manifest(settings, shards) as manifest:
            pending = [shard for shard in shards if shard.output not in manifest.done]
            failed = [*refused.failed, *self._compute(manifest, pending)]
            codes = {manifest.done[shard.output] for shard in shards if shard.output in manifest.done}
        if failed:
            others = [counted(len(failed) - _NAMED, "other")] if len(failed) > _NAMED else []
            named = joined([*failed[:_NAMED], *others])
            raise TsoftError(f"{len(failed)} of {len(refused.failed) + len(shards)} files failed: {named}")
        if answers := [code for code in _ANSWERS if code in codes]:
            raise typer.Exit(answers[0])

    def _compute(self, manifest: "Manifest", pending: list[Shard]) -> list[str]:
        """Compute the results of files, and return the names of those that failed."""
        notes, errors = FileNotes(), FileErrors()
        jobs = in_jobs(self._work(manifest.seed), pending, self.options, ordered=False)
        with closing(jobs), closing(_watched(jobs, len(pending))) as outcomes:
            for outcome in outcomes:
                notes.print(outcome.item.file, outcome.notes)
                if outcome.error is None:
                    assert outcome.result is not None
                    manifest.add(outcome.item, outcome.result)
                elif self.options.keep_going:
                    errors.print(outcome.item.file, outcome.error)
                else:
                    raise outcome.error
        notes.print_rest()
        errors.print_rest(len(pending))
        return errors.failed

    def _shards(self, refuse: Callable[[str, InputError], None] | None) -> list[Shard]:
        """Return the files with the names of their results. Raise UsageError if two of these are equal.

        `refuse` is that of `listed_files`.

        If the folder is also one of the inputs, the results of an earlier run are not.
        """
        from tsoft.options.input_files import listed_files, place_of, stem
        from tsoft.options.shard_manifest import planned_results

        self._check()
        results = {place_of(os.path.join(self.folder, name)) for name in planned_results(self.folder)}
        listed = listed_files(self.values[self.options.shards_field], refuse=refuse)
        if not listed:
            raise InputError("the input has only pipes and devices; pass files")
        files = [file for file in listed if place_of(file) not in results]
        if not files:
            raise UsageError(f"all files of the input are results in {self.folder}; pass the files of their logits")
        format = self.values.get("format") or "tsv"
        shards = [Shard(file, f"{stem(file)}.{_ENDINGS.get(format, format)}") for file in files]
        sources: dict[str, str] = {}
        for shard in shards:
            if (other := sources.setdefault(shard.output, shard.file)) != shard.file:
                place = os.path.join(self.folder, shard.output)
                raise UsageError(f"the results of {other} and {shard.file} would both be {place}; write to two folders")
        return shards

    def _check(self) -> None:
        """Raise UsageError for options that do not go with a folder."""
        from tsoft.options.logits import typed_and_read

        self.options.check()
        if len(self.values["output"]) > 1:
            raise UsageError(f"--output {self.folder} is a folder for all results; remove the other --output")
        typed, files = self.values.get("logits"), self.values[self.options.shards_field]
        if typed and files:
            raise UsageError(typed_and_read(typed))
        if not files:
            raise UsageError(
                f"--output {self.folder} is a folder, so the input must be files; pass -i FILE or -i FOLDER"
            )
        if "-" in files:
            raise UsageError(f"--output {self.folder} is a folder, so the input must be files, not stdin")
        for name in (*self.file_options, "tau"):
            value = self.values.get(name)
            if "-" in (value if isinstance(value, list) else [value]):
                problem = "stdin can be read only once, not for each input; pass the values or a file"
                raise UsageError(f"--{name.replace('_', '-')}: {problem}")
        for file in self.option_files:
            if not os.path.isfile(file) and not os.path.isdir(file):
                raise UsageError(f"{file}: a pipe can be read only once, not for each input; pass a regular file")

    def _work(self, seed: int | None) -> "_Work":
        """Return the work on one file. On a cluster, a process has another current folder, so names are absolute."""
        values, folder = self.values | dict.fromkeys(vars(self.options)), self.folder
        values |= {"resume": False, "keep_going": False}
        root = ""
        if self.options.cluster is not None:
            values |= {name: absolute(values[name]) for name in self.file_options}
            root, folder = os.getcwd(), os.path.abspath(folder)
        return _Work(self.module, self.name, values, self.options.shards_field, folder, root, seed)


@dataclass(frozen=True, eq=False)
class _Work:
    """The work on one file, whose name is relative to `root`: a run of the command with the file as its input. It
    returns the exit code."""

    module: str
    name: str
    values: dict[str, Any]
    shards_field: str
    folder: str
    root: str
    seed: int | None

    def __call__(self, shard: Shard) -> int:
        from tsoft.options.ending import ending_of
        from tsoft.output.temporary_file import abandoned_files_kept

        file = os.path.normpath(os.path.join(self.root, shard.file)) if self.root else shard.file
        values = self.values | {self.shards_field: [file], "output": [os.path.join(self.folder, shard.output)]}
        if self.seed is not None:
            values["seed"] = seed_of(shard, self.seed)
        command = getattr(import_module(self.module), self.name)
        with abandoned_files_kept():
            ending = ending_of(lambda: command(**values))
        if ending.exit_code == UsageError.exit_code:
            raise UsageError(ending.message)
        if ending.message:
            raise TsoftError(with_file(ending.message, file))
        return ending.exit_code


def seed_of(shard: Shard, seed: int) -> int:
    """Return the seed of a file, which depends on the seed of the run and on the name of the file without its ending.

    >>> seed_of(Shard("a.npy", "a.tsv"), 1) == seed_of(Shard("b.npy", "b.tsv"), 1)
    False
    """
    from hashlib import sha256

    name, _ = os.path.splitext(shard.output)
    return int.from_bytes(sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()[:8])


def _watched(outcomes: Outcomes, count: int) -> Outcomes:
    """Return the outcomes, with a progress bar if stderr is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return outcomes
    from tsoft.output.watching import watched

    done = 0

    def counted() -> Outcomes:
        nonlocal done
        for done, outcome in enumerate(outcomes, 1):  # noqa: B007  (describes the progress)
            yield outcome

    return watched(counted(), lambda _, __: ("files", done), lambda _: count)
