"""Rows with their true classes, in several passes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from tsoft.core.labeled_rows import LabeledRows
from tsoft.core.ordered_map import ordered_map
from tsoft.errors import InputError, joined
from tsoft.features.calibrate.labeled_file import LabeledFacts, LabeledFile, LabeledSource, class_name
from tsoft.features.calibrate.labeled_groups import RowGroups
from tsoft.features.calibrate.spool import Spool
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ArrayKey, TargetSource
from tsoft.input.source import STDIN
from tsoft.notes import note
from tsoft.options import logits
from tsoft.options.input import SourceOptions
from tsoft.options.input_files import listed_files, paired_files

if TYPE_CHECKING:
    from tsoft.input.labels import Labels

T = TypeVar("T")

# The largest size of the logits to keep in memory, in bytes.
MAX_IN_MEMORY = 1 << 28
# A message names at most this many inputs.
_NAMED = 3


class LabeledInput:
    """The rows of an input with their true classes. Each iteration and each `map` is a pass over all rows.

    The first pass reads the source and keeps up to 256 MB in memory. Larger files are read again in each pass; a
    larger pipe is stored in a temporary file. After the first pass, `in_memory` contains all rows, or is None if
    they are not in memory. If `by` names a column of groups, `groups` then has the group of each row.
    """

    def __init__(
        self,
        source: SourceOptions,
        targets_file: str | None,
        option: str,
        labels: "Labels | None" = None,
        targets: TargetSource | None = None,
        by: str | None = None,
        key: ArrayKey | None = None,
    ):
        self.name = _name(source.inputs or ["-"])
        self.in_memory: list[LabeledRows] | None = []
        self.groups = None if by is None else RowGroups(by)
        self.sources = _sources(source, targets_file, option, labels, targets, by, key)
        # If the targets are in a pipe, they can be read only once.
        self._first_file = self._opened(self.sources[0])
        # What the first pass found in each file.
        self._facts: list[LabeledFacts] = []
        self._spool: Spool | None = None
        self._size = 0
        self._is_read = False

    @property
    def rows(self) -> int:
        return sum(facts.rows for facts in self._facts)

    @property
    def ignored(self) -> int:
        return sum(facts.ignored for facts in self._facts)

    @property
    def classes(self) -> int:
        return self._facts[0].classes.count

    @property
    def labels(self) -> tuple[str, ...] | None:
        return self._facts[0].classes.labels

    @property
    def quantity(self) -> str:
        return self._facts[0].quantity

    @property
    def has_answers(self) -> bool:
        """Whether the classes are the answers to each question of an evaluation."""
        return any(facts.has_answers for facts in self._facts)

    @property
    def are_binary(self) -> bool:
        """Whether each row is the one number of a binary classifier."""
        return all(facts.is_binary for facts in self._facts)

    @property
    def are_from_0_to_1(self) -> bool:
        """Whether all numbers are logits from 0 to 1."""
        return all(facts.are_from_0_to_1 for facts in self._facts)

    @property
    def leaves_out(self) -> bool:
        """Whether rows with a target are to be left out."""
        return self.sources[0].targets.ignored is not None

    @property
    def fits_in_memory(self) -> bool:
        """Whether the rows are few enough to keep in memory, which need not be where they are."""
        return sum(facts.size for facts in self._facts) <= MAX_IN_MEMORY

    def class_name(self, index: int) -> str:
        """Return the name of a class for a message."""
        return class_name(self.labels, index)

    def __iter__(self) -> Iterator[LabeledRows]:
        if not self._is_read:
            return self._first_pass()
        if self.in_memory is not None:
            return iter(self.in_memory)
        return iter(self._spool) if self._spool else self._further_pass()

    def map(self, function: Callable[[LabeledRows], T]) -> Iterator[T]:
        """Yield the results of a function of each block, which runs in threads."""
        return ordered_map(function, self)

    def _opened(self, source: LabeledSource) -> LabeledFile:
        return LabeledFile(source)

    def _files(self) -> Iterator[LabeledFile]:
        """Yield the files as a pass reaches them, with their targets."""
        return chain([self._first_file], map(self._opened, self.sources[1:]))

    def _first_pass(self) -> Iterator[LabeledRows]:
        for file in self._files():
            for i, examples in enumerate(self._read(file, None)):
                if i == 0:
                    self._check(file.facts)
                self._keep(examples)
                yield examples
            self._add(file.facts)
        self._end_first_pass()

    def _further_pass(self) -> Iterator[LabeledRows]:
        for file, facts in zip(self._files(), self._facts, strict=True):
            yield from self._read(file, facts)

    def _read(self, file: LabeledFile, earlier: LabeledFacts | None) -> Iterator[LabeledRows]:
        """Read a file. If it is one of several, messages name it."""
        if len(self.sources) == 1:
            return file.read(earlier, note, self.groups)
        return file.read_as_one_of_several(earlier, self.groups)

    def _check(self, facts: LabeledFacts) -> None:
        """Raise InputError for a file whose classes are not those of the first one."""
        if self._facts:
            first = self._facts[0]
            facts.classes.require_those_of(first.classes)
            if facts.quantity != first.quantity:
                nouns = [QUANTITIES[each.quantity].noun for each in (facts, first)]
                problem = f"each number is {nouns[0]}, but {nouns[1]} in {first.classes.file}"
                raise InputError(f"{facts.classes.file}: {problem}; all files need numbers of one kind")

    def _add(self, facts: LabeledFacts) -> None:
        """Add what the first pass found in a file."""
        self._check(facts)
        # The files share the memory of the labels.
        classes = replace(facts.classes, labels=self.labels) if self._facts else facts.classes
        self._facts.append(replace(facts, classes=classes))

    def _end_first_pass(self) -> None:
        self._is_read = True
        if self.ignored:
            rows = f"{self.ignored} of {self.rows + self.ignored} rows"
            note(f"{self.name}: tsoft leaves out {rows}, whose target is {self.sources[0].targets.ignored}")

    def _keep(self, examples: LabeledRows) -> None:
        """Store rows for further passes, in memory or in a temporary file."""
        if self._spool:
            self._spool.add(examples)
        if self.in_memory is None:
            return
        self.in_memory.append(examples)
        self._size += examples.logits.nbytes
        if self._size <= MAX_IN_MEMORY:
            return
        if any(source.state is None for source in self.sources):
            note(f"{self.name}: the fit needs the rows several times, so tsoft stores them in a temporary file")
            self._spool = Spool()
            for block in self.in_memory:
                self._spool.add(block)
        self.in_memory = None


def _name(inputs: list[str]) -> str:
    """Return the name of the inputs in messages.

    >>> _name(["-"]), _name(["a", "b", "c", "d", "e"])
    ('stdin', 'a, b, c and 2 others')
    """
    names = [STDIN if name == "-" else name for name in inputs]
    return joined(names if len(names) <= _NAMED + 1 else [*names[:_NAMED], f"{len(names) - _NAMED} others"])


def _sources(
    source: SourceOptions,
    targets_file: str | None,
    option: str,
    labels: "Labels | None",
    targets: TargetSource | None,
    by: str | None,
    key: ArrayKey | None,
) -> list[LabeledSource]:
    """Return the files of the input, each with its file of targets."""
    files = listed_files(source.inputs or ["-"], _INPUT_OPTIONS[option])
    pairs: list[tuple[str, str | None]] = [(file, None) for file in files]
    if targets_file is not None:
        pairs = [*paired_files(files, listed_files([targets_file], option), (_INPUT_OPTIONS[option], option))]
    key_option = "--id-column" if by is None else "--by"
    source = source if by is None else replace(source, id_column=by)
    labels = labels or logits.parsed_labels(source.labels)
    read = labels, targets or TargetSource(), key or ArrayKey(source.key), key_option
    return [LabeledSource(replace(source, inputs=[file]), other, option, *read) for file, other in pairs]


# The option for the logits that belong to the targets of each option.
_INPUT_OPTIONS = {"--targets": "--input", "--test-targets": "--test"}
