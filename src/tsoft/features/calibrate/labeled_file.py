"""A file of rows with their true classes."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.fixed_blocks import fixed_blocks
from tsoft.core.labeled_rows import LabeledRows
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.features.calibrate.evaluated_answers import joined_answers
from tsoft.input.class_lookup import IGNORED
from tsoft.input.formats import by_name
from tsoft.input.named_arrays import LABELS, TARGETS
from tsoft.input.read_options import ArrayKey, TargetSource
from tsoft.input.source import STDIN
from tsoft.input.targets import difference_note
from tsoft.input.targets_file import read as read_targets
from tsoft.notes import note
from tsoft.options import logits
from tsoft.options.input import LogitsOptions, SourceOptions
from tsoft.options.input_files import FileClasses

if TYPE_CHECKING:
    from tsoft.features.calibrate.labeled_groups import RowGroups
    from tsoft.input.labels import Labels

CHANGED = "the file changed while tsoft read it; run the command again"


@dataclass(frozen=True, eq=False)
class LabeledSource:
    """How to read a file of rows with their true classes.

    `logits` are the options for one file, and `labels` those of --labels. The true classes are in `targets_file`, the
    value of the option `option`. Without it, they are in the file of the logits. `targets` is how to read them.
    `array_key` is the array of the logits, and `key_option` the option that names the column of the keys.
    """

    logits: SourceOptions
    targets_file: str | None
    option: str
    labels: "Labels | None"
    targets: TargetSource
    array_key: ArrayKey
    key_option: str = "--id-column"

    @property
    def name(self) -> str:
        """The name of the file in messages."""
        return STDIN if self.logits.file in (None, "-") else str(self.logits.file)

    @property
    def state(self) -> tuple[int, int] | None:
        """Values that change when the file is replaced or written to; None if the source is not a file."""
        name = self.logits.file or "-"
        if not os.path.isfile(name):
            return None
        status = os.stat(name)
        # The other fields may differ between machines with the same network drive.
        return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, eq=False)
class LabeledFacts:
    """What a pass over a file found: its classes, its `quantity`, whether the classes are the answers to each question
    of an evaluation, whether each row is the one number of a binary classifier, and whether all numbers are logits from
    0 to 1. `ignored` rows are left out of the `rows`, whose logits have `size` bytes. `state` is that of the file at
    the start of the pass."""

    classes: FileClasses
    quantity: str
    has_answers: bool
    is_binary: bool
    are_from_0_to_1: bool
    rows: int
    ignored: int
    size: int
    state: tuple[int, int] | None


class LabeledFile:
    """A file of rows with their true classes. Its file of targets is read only once."""

    def __init__(self, source: LabeledSource):
        self.name = source.name
        self._source, self._option = source, source.option
        self._target_options = replace(source.targets, separate=source.targets_file is not None)
        self._targets = None
        if source.targets_file is not None:
            self._targets = read_targets(source.targets_file, self._target_options)
            self._target_options = replace(self._target_options, count=len(self._targets))
        # The targets from the file, as indices. The first block determines the classes.
        self._indices: Array | None = None
        self._classes = FileClasses(self.name, 0, None)
        self._facts: LabeledFacts | None = None

    @property
    def facts(self) -> LabeledFacts:
        """What the last pass found until now. Raise InputError for a file without rows."""
        if self._facts is None:
            raise InputError(f"{self.name}: there are no rows")
        return self._facts

    def read(
        self, earlier: LabeledFacts | None, note: Callable[[str], None], groups: "RowGroups | None" = None
    ) -> Iterator[LabeledRows]:
        """Yield the rows in blocks of a fixed size. Before a block is yielded, the facts include it.

        earlier: what an earlier pass found; None for the first pass, which prints notes, and adds the rows to the
        `groups`. Raise InputError for a file that changed since the earlier pass.
        """
        for examples in fixed_blocks((rows.logits, rows.targets) for rows in self._read(earlier, note, groups)):
            yield LabeledRows(*examples)

    def _read(
        self, earlier: LabeledFacts | None, note: Callable[[str], None], groups: "RowGroups | None"
    ) -> Iterator[LabeledRows]:
        is_first, self._facts = earlier is None, None
        state, rows, differs = self._source.state, 0, False
        if earlier and state != earlier.state:
            raise InputError(f"{self.name}: {CHANGED}")
        first_note = note if is_first else lambda _: None
        for source_block in self._blocks(first_note):
            block = self._targets.naming_classes(source_block, first_note) if self._targets else source_block
            if rows == 0:
                self._set_classes(block, earlier)
            self._check_classes(block)
            rows += len(block.logits)
            targets = self._targets_of(block)
            if is_first and self._targets and not differs and (difference := difference_note(block, targets)):
                differs = True
                note(difference)
            kept = targets != IGNORED
            if kept.all():
                examples = LabeledRows(block.logits, targets)
            else:
                examples = LabeledRows(block.logits[kept], targets[kept])
            self._check_targets(block, examples, kept)
            self._facts = self._with_block(block, examples, state)
            if is_first and groups:
                groups.add(block, kept, self.name)
            if len(examples.targets):
                yield examples
        if self._targets:
            self._targets.check_count(rows)
        if earlier and (self.facts.rows, self._source.state) != (earlier.rows, earlier.state):
            raise InputError(f"{self.name}: {CHANGED}")

    def read_as_one_of_several(
        self, earlier: LabeledFacts | None, groups: "RowGroups | None" = None
    ) -> Iterator[LabeledRows]:
        """Yield the rows as `read` does. Notes and errors name the file."""
        try:
            yield from self.read(earlier, lambda message: note(self._named(message)), groups)
        except InputError as error:
            raise InputError(self._named(str(error))) from None

    def _named(self, message: str) -> str:
        return message if self.name in message else f"{self.name}: {message}"

    def _with_block(self, block: Block, examples: LabeledRows, state: tuple[int, int] | None) -> LabeledFacts:
        """Return the facts after a block with these examples."""
        is_logit = block.origin.quantity == "logit"
        are_from_0_to_1 = is_logit and bool(((block.logits >= 0) & (block.logits <= 1)).all())
        count, size = len(examples.targets), examples.logits.nbytes
        ignored = len(block.logits) - count
        if self._facts is None:
            return LabeledFacts(
                self._classes,
                block.origin.quantity,
                block.origin.target is not None,
                block.origin.is_binary,
                are_from_0_to_1,
                count,
                ignored,
                size,
                state,
            )
        return replace(
            self._facts,
            are_from_0_to_1=self._facts.are_from_0_to_1 and are_from_0_to_1,
            rows=self._facts.rows + count,
            ignored=self._facts.ignored + ignored,
            size=self._facts.size + size,
        )

    def _blocks(self, note: Callable[[str], None]) -> Iterator[Block]:
        """Return the blocks of the source. `note` prints a note to the user."""
        targets, source = self._target_options, self._source
        options = LogitsOptions(**vars(source.logits))
        blocks = logits.blocks(
            options,
            None,
            targets=targets,
            labels=source.labels,
            note=note,
            key_option=source.key_option,
            key=self._array_key,
        )
        return joined_answers(blocks, self.name, note, per_character=targets.per_character)

    @property
    def _array_key(self) -> ArrayKey:
        """Which array to read, and, if the targets are in the same file, which others the command reads."""
        key, files = self._source.array_key, (self._source.targets_file or "-", self._source.logits.file or "-")
        if not all(map(os.path.isfile, files)) or not os.path.samefile(*files):
            return key
        return replace(key, others=(*key.others, self._target_options.key.name, TARGETS, LABELS))

    def _set_classes(self, block: Block, earlier: LabeledFacts | None) -> None:
        """Set the classes to those of the first block, and look up the targets among them.

        Raise InputError for an API response, and for other classes than those of an earlier pass.
        """
        if block.partial is not None:
            problem = "an API response lists only some of the classes, but calibrate needs all of them"
            fix = "pass --choices A,B if the answer is one of a few tokens"
            drawn = "tsoft audit --chosen estimates the temperature at which the tokens were drawn"
            raise InputError(f"{block.location}: {problem}; {fix}; {drawn}")
        self._classes = FileClasses(self.name, block.logits.shape[1], block.labels, is_array=True)
        now, then = self._classes, earlier and earlier.classes
        if then and (now.count, now.labels) != (then.count, then.labels):
            raise InputError(f"{self.name}: {CHANGED}")
        if self._targets:
            self._targets.check_shape(block.origin.axes)
            indices = self._targets.indices(self._targets.lookup(block.labels, self._classes.count))
            # All targets stay in memory, so they should be small.
            self._indices = indices.astype(np.min_scalar_type(-self._classes.count))

    def _check_classes(self, block: Block) -> None:
        """Raise InputError for classes other than those of the first block."""
        if block.logits.shape[1] != self._classes.count:
            classes = f"{block.logits.shape[1]} classes, but the first row has {self._classes.count}"
            raise InputError(f"{block.location}: the row has {classes}; all rows need the same classes")
        if block.labels != self._classes.labels:
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
            target = class_name(self._classes.labels, int(examples.targets[index]))
            problem = f"the target, class {target}, is masked, so its probability is 0 at every temperature"
            raise InputError(f"{where}: {problem}")

    def _targets_of(self, block: Block) -> Array:
        """Return the indices of the rows' true classes, from the targets file or from the block: (rows,)."""
        if self._indices is None:
            if block.targets is None:
                raise InputError(f"{self.name}: the rows have no targets (true classes); {self._target_fix}")
            return block.targets
        assert self._targets
        if block.rows.stop > len(self._indices):
            problem = f"{len(self._indices)} targets, but {self.name} has more rows"
            raise InputError(f"{self._targets.source}: {problem}; expected one target per row")
        return self._indices[block.rows.start : block.rows.stop]

    @property
    def _target_fix(self) -> str:
        """What to do about rows without targets."""
        format, key = by_name(self.name), self._target_options.key
        if format is not None and not format.columns:
            option = f"{key.option} NAME or " * (key.name is None)
            added = f"add an array targets or labels, or pass {option}" if format.keys else "pass "
        else:
            option = "--target-column NAME or " * (self._target_options.column is None)
            added = f"add a column target, or pass {option}"
        return f"{added}{self._option} FILE"


def class_name(labels: tuple[str, ...] | None, index: int) -> str:
    """Return the name of a class for a message."""
    return f"#{index}" if labels is None else repr(labels[index])
