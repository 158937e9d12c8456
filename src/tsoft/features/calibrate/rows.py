"""Rows with their true classes, to be gone through as often as a fit needs."""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.labelled_rows import LabelledRows
from tsoft.core.softmax import Array
from tsoft.errors import InputError, UsageError
from tsoft.features.calibrate.spool import Spool
from tsoft.input.class_lookup import ClassLookup
from tsoft.input.source import STDIN
from tsoft.input.targets_file import read as read_targets
from tsoft.notes import note
from tsoft.options import logits
from tsoft.options.input import LogitsOptions, SourceOptions

if TYPE_CHECKING:
    from tsoft.input.labels import Labels

# So many bytes of logits are held in memory.
HELD = 1 << 28


class Rows:
    """The rows of a source. Each call goes through all of them, the first by reading the source. Up to 256 MB
    are then held. Of more a file is read again each time; what comes only once, from a pipe, goes through a
    temporary file."""

    def __init__(self, source: SourceOptions, targets_file: str | None, option: str, names: "Labels | None" = None):
        self.name = STDIN if source.file in (None, "-") else str(source.file)
        self.labels: tuple[str, ...] | None = None
        self.rows = self.classes = 0
        self._source, self._option = source, option
        self._names = names or logits.parsed_labels(source.labels)
        self._state: tuple[int, ...] | None = None
        self._targets = None if targets_file is None else read_targets(targets_file)
        self._indices: Array | None = None
        self._held: list[LabelledRows] | None = []
        self._spool: Spool | None = None
        self._size = 0
        self._is_read = False

    @property
    def held(self) -> list[LabelledRows] | None:
        """All rows, where they are in memory; after the first pass."""
        return self._held

    def class_name(self, index: int) -> str:
        """What a class is called in a message."""
        return f"#{index}" if self.labels is None else repr(self.labels[index])

    def __call__(self) -> Iterator[LabelledRows]:
        if not self._is_read:
            return self._first()
        if self._held is not None:
            return iter(self._held)
        return iter(self._spool) if self._spool else self._again()

    def _first(self) -> Iterator[LabelledRows]:
        self._state = self._now()
        for examples in self._reading(note):
            self.rows += len(examples.targets)
            self._keep(examples)
            yield examples
        self._is_read = True

    def _again(self) -> Iterator[LabelledRows]:
        self._check_state()
        rows = 0
        for examples in self._reading(lambda _: None):
            rows += len(examples.targets)
            yield examples
        if rows != self.rows:
            raise InputError(f"{self.name}: it had {self.rows} rows, and now has {rows}")
        self._check_state()

    def _now(self) -> tuple[int, ...] | None:
        """What tells the file from what it was before; None for what is no file."""
        name = self._source.file or "-"
        if not os.path.isfile(name):
            return None
        found = os.stat(name)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _check_state(self) -> None:
        """Raises InputError for another file than that of the first pass."""
        if self._now() != self._state:
            raise InputError(f"{self.name}: it changed while it was read")

    def _keep(self, examples: LabelledRows) -> None:
        if self._spool:
            self._spool.add(examples)
        if self._held is None:
            return
        self._held.append(examples)
        self._size += examples.logits.nbytes
        if self._size > HELD:
            if not os.path.isfile(self._source.file or "-"):
                note(f"{self.name}: a fit goes over its rows several times, so they are kept in a temporary file")
                self._spool = Spool()
                for before in self._held:
                    self._spool.add(before)
            self._held = None

    def _reading(self, say: Callable[[str], None]) -> Iterator[LabelledRows]:
        first: Block | None = None
        rows = 0
        for block in logits.blocks(
            LogitsOptions(**vars(self._source)), None, targets=True, labels=self._names, note=say
        ):
            if first is None:
                first = block
                self._begin(block)
            self._check(block)
            rows += len(block.logits)
            examples = LabelledRows(block.logits, self._own(block) if self._targets is None else self._beside(block))
            self._check_targets(block, examples)
            yield examples
        if self._targets:
            self._targets.check_count(rows)

    def _begin(self, block: Block) -> None:
        """What the first block tells of all."""
        classes = block.logits.shape[1]
        if self._is_read and (block.labels, classes) != (self.labels, self.classes):
            raise InputError(f"{self.name}: its classes changed while it was read")
        self.labels, self.classes = block.labels, classes
        if self._targets:
            if block.targets is not None:
                raise UsageError(f"{self._option}: {self.name} has targets of its own")
            self._targets.check_shape(block.axes)
            found = self._targets.indices(ClassLookup(block.labels, self.classes))
            # A number of them stays in memory, whatever the logits take.
            self._indices = found.astype(np.min_scalar_type(self.classes - 1))

    def _check(self, block: Block) -> None:
        if block.logits.shape[1] != self.classes:
            has = f"{block.logits.shape[1]} classes, and the first row has {self.classes}"
            raise InputError(f"{block.location}: the row has {has}")
        if block.labels != self.labels:
            raise InputError(f"{block.location}: its classes are not those of the first row")

    def _check_targets(self, block: Block, examples: LabelledRows) -> None:
        """Raises InputError for a target that is masked."""
        masked = np.isneginf(examples.logits[np.arange(len(examples.targets)), examples.targets])
        if masked.any():
            row = int(masked.argmax())
            part = block.part(row, row + 1)
            where = part.location if part.lines is not None else f"{self.name}: row {part.first_row}"
            target = self.class_name(int(examples.targets[row]))
            problem = f"the target, class {target}, is masked: its probability is 0, which no temperature changes"
            raise InputError(f"{where}: {problem}")

    def _own(self, block: Block) -> Array:
        if block.targets is None:
            where = "a column called target, an array called targets or labels"
            raise InputError(f"{self.name}: it has no targets: it takes {where}, or {self._option} FILE")
        return block.targets

    def _beside(self, block: Block) -> Array:
        assert self._targets
        assert self._indices is not None
        if block.rows.stop > len(self._indices):
            raise InputError(f"{self._targets.source}: {len(self._indices)} targets, but {self.name} has more rows")
        return self._indices[block.rows.start : block.rows.stop]
