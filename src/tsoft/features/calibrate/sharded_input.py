"""Rows with their true classes in many files, which jobs read."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from tsoft.core.labeled_rows import LabeledRows
from tsoft.core.ordered_map import ordered_map
from tsoft.errors import UsageError
from tsoft.features.calibrate import labeled_input
from tsoft.features.calibrate.labeled_file import LabeledFacts, LabeledFile, LabeledSource
from tsoft.features.calibrate.labeled_input import LabeledInput
from tsoft.options.jobs import JobPool, results

T = TypeVar("T")

# A job returns the rows of a file up to this multiple of its share of the memory for all files.
_SHARE = 2


class ShardedInput(LabeledInput):
    """Rows of several files. In each `map`, a job reads a file and applies the function to its blocks.

    The results are those of one process, in the order of the files. If all rows fit in memory, the jobs of the first
    pass return them, so that further passes need no job.
    """

    _pool: JobPool | None = None

    def start(self, pool: JobPool) -> None:
        """Set the jobs, which must run as long as the rows are read. Raise UsageError for a file that can be read only
        once."""
        if len(self.sources) == 1:
            return
        self._pool = pool
        for source in self.sources:
            file = source.logits.file or "-"
            if file == "-" or (os.path.exists(file) and not os.path.isfile(file)):
                problem = f"{pool.options.typed} reads each file several times, which {source.name} does not allow"
                raise UsageError(f"{problem}; write it to a file")

    def map(self, function: Callable[[LabeledRows], T]) -> Iterator[T]:
        """Yield the results of a function of each block, in the order of the files."""
        if self._pool is None or (self._is_read and self.in_memory is not None):
            return super().map(function)
        return self._map_in_jobs(function, self._pool)

    def _map_in_jobs(self, function: Callable[[LabeledRows], T], pool: JobPool) -> Iterator[T]:
        is_first = not self._is_read
        share = _SHARE * labeled_input.MAX_IN_MEMORY // len(self.sources)
        work = _ShardPass(function, share if is_first else 0)
        earlier = [None] * len(self.sources) if is_first else self._facts
        is_remote = pool.options.cluster is not None
        items = [
            (_absolute(source) if is_remote else source, facts)
            for source, facts in zip(self.sources, earlier, strict=True)
        ]
        with closing(results(pool.run(work, items), lambda item: item[0].name)) as passes:
            for result in passes:
                if is_first:
                    self._add(result.facts)
                    self._keep_all(result.blocks)
                yield from result.values
        if is_first:
            self._end_first_pass()

    def _keep_all(self, blocks: list[LabeledRows] | None) -> None:
        if blocks is None:
            self.in_memory = None
        for examples in blocks or ():
            self._keep(examples)


@dataclass(frozen=True, eq=False)
class _ShardResult(Generic[T]):
    """The result of each block of a file, and what the pass found. `blocks` are the rows, None if they are too many."""

    facts: LabeledFacts
    values: list[T]
    blocks: list[LabeledRows] | None


@dataclass(frozen=True, eq=False)
class _ShardPass(Generic[T]):
    """A pass over a file, with a function of each block. Rows of up to `most` bytes are returned."""

    function: Callable[[LabeledRows], T]
    most: int

    def __call__(self, item: tuple[LabeledSource, LabeledFacts | None]) -> _ShardResult[T]:
        source, earlier = item
        file, blocks = LabeledFile(source), list[LabeledRows]()

        def read() -> Iterator[LabeledRows]:
            for examples in file.read_as_one_of_several(earlier):
                if file.facts.size <= self.most:
                    blocks.append(examples)
                else:
                    blocks.clear()
                yield examples

        values = list(ordered_map(self.function, read()))
        return _ShardResult(file.facts, values, blocks if file.facts.size <= self.most else None)


def _absolute(source: LabeledSource) -> LabeledSource:
    """Return a source with absolute names, since the processes of a cluster run in other folders."""
    file, targets_file = source.logits.file, source.targets_file
    return replace(
        source,
        logits=replace(source.logits, inputs=[os.path.abspath(file or "-")]),
        targets_file=targets_file and os.path.abspath(targets_file),
    )
