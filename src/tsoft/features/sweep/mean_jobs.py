"""`sweep --mean` of many files: a job averages over the blocks of each, and the averages are merged in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tsoft.core.averages import Averages, PartialAverages, merge_averages
from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import UsageError
from tsoft.features.sweep.result import average_blocks
from tsoft.features.sweep.sweep_input import SweepInput
from tsoft.options.input_files import FileClasses
from tsoft.options.job_options import JobOptions
from tsoft.options.job_values import absolute_names, require_no_stdin
from tsoft.options.jobs import in_jobs, results
from tsoft.sampling.step import ChainError


def average_files(input: SweepInput, taus: Array, names: Sequence[str], jobs: JobOptions) -> Averages:
    """Return these measures of the distributions, averaged over the rows of all files, with the bits of one process."""
    require_no_stdin(input)
    if jobs.cluster is not None:
        input = absolute_names(input)
    files, work = input.logits.inputs or [], _FileAverages(input, taus, names)

    def parts() -> Iterator[PartialAverages]:
        first: FileClasses | None = None
        for classes, averages in results(in_jobs(work, files, jobs), str):
            first = first or classes
            classes.require_those_of(first)
            yield from averages

    return merge_averages(parts(), taus, names)


@dataclass(frozen=True, eq=False)
class _FileAverages:
    """The averages over each block of a file, and the classes of the file."""

    input: SweepInput
    taus: Array
    names: Sequence[str]

    def __call__(self, file: str) -> tuple[FileClasses, list[PartialAverages]]:
        input = self.input.of_file(file)
        plan = input.plan()
        blocks = input.blocks(input.ensemble(plan, has_taus=True))
        first = next(blocks)
        classes = FileClasses.of_block(first, file)
        try:
            averages = list(average_blocks(_checked(blocks, first, classes), self.taus, plan, self.names))
        except ChainError as error:
            raise UsageError(error.with_fix) from None
        return classes, averages


def _checked(blocks: Iterator[Block], first: Block, classes: FileClasses) -> Iterator[Block]:
    """Yield the blocks. Raise InputError for a block with other classes than those of the first one."""
    for block in chain([first], blocks):
        FileClasses.of_block(block, classes.file).require_those_of(classes)
        yield block
