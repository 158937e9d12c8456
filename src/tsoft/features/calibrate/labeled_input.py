"""Rows with their true classes, in several passes."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tsoft.core.block import Block
from tsoft.core.labeled_rows import LabeledRows
from tsoft.core.ordered_map import ordered_map
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.features.calibrate.evaluated_answers import joined_answers
from tsoft.features.calibrate.labeled_groups import RowGroups
from tsoft.features.calibrate.spool import Spool
from tsoft.input.class_lookup import IGNORED
from tsoft.input.read_options import TargetSource
from tsoft.input.source import STDIN
from tsoft.input.targets import difference_note
from tsoft.input.targets_file import read as read_targets
from tsoft.notes import note
from tsoft.options import logits
from tsoft.options.input import LogitsOptions, SourceOptions

if TYPE_CHECKING:
    from tsoft.input.labels import Labels

T = TypeVar("T")

_CHANGED = "the file changed while tsoft read it; run the command again"
# The largest size of the logits to keep in memory, in bytes.
MAX_IN_MEMORY = 1 << 28


class LabeledInput:
    """The rows of an input with their true classes. Each iteration and each `map` is a pass over all rows.

    The first pass reads the source and keeps up to 256 MB in memory. A larger file is read again in each pass; a
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
    ):
        self.name = STDIN if source.file in (None, "-") else str(source.file)
        self.labels: tuple[str, ...] | None = None
        self.rows = self.ignored = self.classes = 0
        self.quantity = "logit"
        # Whether the classes are the answers to each question of an evaluation.
        self.has_answers = False
        # Whether each row is one logit, and all of them are from 0 to 1.
        self.are_like_binary_probabilities = False
        self.in_memory: list[LabeledRows] | None = []
        self.groups = None if by is None else RowGroups(by, self.name)
        self._source = source if by is None else replace(source, id_column=by)
        self._option = option
        self._parsed_labels = labels or logits.parsed_labels(source.labels)
        self._target_options = replace(targets or TargetSource(), separate=targets_file is not None)
        self._targets = None if targets_file is None else read_targets(targets_file, self._target_options)
        # The targets from the file, as indices. The first block determines the classes.
        self._indices: Array | None = None
        self._file_state: tuple[int, ...] | None = None
        self._spool: Spool | None = None
        self._size = 0
        self._is_read = False

    @property
    def leaves_out(self) -> bool:
        """Whether rows with a target are to be left out."""
        return self._target_options.ignored is not None

    def class_name(self, index: int) -> str:
        """Return the name of a class for a message."""
        return f"#{index}" if self.labels is None else repr(self.labels[index])

    def __iter__(self) -> Iterator[LabeledRows]:
        if not self._is_read:
            return self._first_pass()
        if self.in_memory is not None:
            return iter(self.in_memory)
        return iter(self._spool) if self._spool else self._further_pass()

    def map(self, function: Callable[[LabeledRows], T]) -> Iterator[T]:
        """Yield the results of a function of each block, which runs in threads."""
        return ordered_map(function, self)

    def _first_pass(self) -> Iterator[LabeledRows]:
        self._file_state = self._current_file_state()
        for examples in self._read(note):
            self.rows += len(examples.targets)
            self._keep(examples)
            yield examples
        self._is_read = True
        if self.ignored:
            rows = f"{self.ignored} of {self.rows + self.ignored} rows"
            note(f"{self.name}: tsoft leaves out {rows}, whose target is {self._target_options.ignored}")

    def _further_pass(self) -> Iterator[LabeledRows]:
        self._check_file_state()
        rows = 0
        for examples in self._read(lambda _: None):
            rows += len(examples.targets)
            yield examples
        if rows != self.rows:
            raise InputError(f"{self.name}: {_CHANGED}")
        self._check_file_state()

    def _current_file_state(self) -> tuple[int, ...] | None:
        """Return values that change when the file is replaced or written to; None if the source is not a file."""
        name = self._source.file or "-"
        if not os.path.isfile(name):
            return None
        status = os.stat(name)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def _check_file_state(self) -> None:
        """Raise InputError if the file has changed since the first pass."""
        if self._current_file_state() != self._file_state:
            raise InputError(f"{self.name}: {_CHANGED}")

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
        if self._file_state is None:
            note(f"{self.name}: the fit needs the rows several times, so tsoft stores them in a temporary file")
            self._spool = Spool()
            for block in self.in_memory:
                self._spool.add(block)
        self.in_memory = None

    def _blocks(self, options: LogitsOptions, note: Callable[[str], None]) -> Iterator[Block]:
        """Return the blocks of the source. `note` prints a note to the user."""
        targets, key_option = self._target_options, "--id-column" if self.groups is None else "--by"
        blocks = logits.blocks(
            options, None, targets=targets, labels=self._parsed_labels, note=note, key_option=key_option
        )
        return joined_answers(blocks, self.name, note, per_character=targets.per_character)

    def _read(self, note: Callable[[str], None]) -> Iterator[LabeledRows]:
        """Read the source. `note` prints a note to the user."""
        options = LogitsOptions(**vars(self._source))
        rows, first, differs = 0, not self._is_read, False
        for source_block in self._blocks(options, note):
            block = source_block
            if self._targets:
                block = self._targets.fitting(block, self.name, note)
            if rows == 0:
                self._set_classes(block)
                self.are_like_binary_probabilities = block.origin.is_binary and block.origin.quantity == "logit"
            self.are_like_binary_probabilities &= bool(((block.logits >= 0) & (block.logits <= 1)).all())
            self._check_classes(block)
            rows += len(block.logits)
            targets = self._targets_of(block)
            if first and self._targets and not differs and (difference := difference_note(block, targets)):
                differs = True
                note(difference)
            kept = targets != IGNORED
            if first:
                self.ignored += int((~kept).sum())
            examples = (
                LabeledRows(block.logits, targets) if kept.all() else LabeledRows(block.logits[kept], targets[kept])
            )
            self._check_targets(block, examples, kept)
            if first and self.groups:
                self.groups.add(block, kept)
            if len(examples.targets):
                yield examples
        if self._targets:
            self._targets.check_count(rows)

    def _set_classes(self, block: Block) -> None:
        """Set the classes to those of the first block, and look up the targets among them.

        Raise InputError for an API response.
        """
        if block.partial is not None:
            problem = "an API response lists only some of the classes, but calibrate needs all of them"
            fix = "pass --choices A,B if the answer is one of a few tokens"
            drawn = "tsoft audit --chosen estimates the temperature at which the tokens were drawn"
            raise InputError(f"{block.location}: {problem}; {fix}; {drawn}")
        classes = block.logits.shape[1]
        if self._is_read and (block.labels, classes) != (self.labels, self.classes):
            raise InputError(f"{self.name}: {_CHANGED}")
        self.labels, self.classes, self.quantity = block.labels, classes, block.origin.quantity
        self.has_answers = block.origin.target is not None
        if self._targets:
            self._targets.check_shape(block.origin.axes)
            indices = self._targets.indices(self._targets.lookup(block.labels, self.classes))
            # All targets stay in memory, so they should be small.
            self._indices = indices.astype(np.min_scalar_type(-self.classes))

    def _check_classes(self, block: Block) -> None:
        """Raise InputError for classes other than those of the first block."""
        if block.logits.shape[1] != self.classes:
            classes = f"{block.logits.shape[1]} classes, but the first row has {self.classes}"
            raise InputError(f"{block.location}: the row has {classes}; all rows need the same classes")
        if block.labels != self.labels:
            problem = "the classes of this row are not those of the first row"
            raise InputError(f"{block.location}: {problem}; all rows need the same classes in the same order")

    def _check_targets(self, block: Block, examples: LabeledRows, kept: Array) -> None:
        """Raise InputError for a masked target. `kept` marks the rows of the block that are in the examples."""
        masked = np.isneginf(examples.logits[np.arange(len(examples.targets)), examples.targets])
        if masked.any():
            index = int(masked.argmax())
            row = int(np.flatnonzero(kept)[index])
            part = block.part(row, row + 1)
            where = part.location if part.origin.lines is not None else f"{self.name}: row {part.first_row}"
            target = self.class_name(int(examples.targets[index]))
            problem = f"the target, class {target}, is masked, so its probability is 0 at every temperature"
            raise InputError(f"{where}: {problem}")

    def _targets_of(self, block: Block) -> Array:
        """Return the indices of the rows' true classes, from the targets file or from the block: (rows,)."""
        if self._indices is None:
            if block.targets is None:
                fix = "add a column target (in an .npz file, an array targets or labels)"
                if self._target_options.column is None:
                    fix += f", or pass --target-column NAME or {self._option} FILE"
                raise InputError(f"{self.name}: the rows have no targets; {fix}")
            return block.targets
        assert self._targets
        if block.rows.stop > len(self._indices):
            problem = f"{len(self._indices)} targets, but {self.name} has more rows"
            raise InputError(f"{self._targets.source}: {problem}; expected one target per row")
        return self._indices[block.rows.start : block.rows.stop]
