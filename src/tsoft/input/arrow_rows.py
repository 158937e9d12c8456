"""The rows of Arrow's tables as blocks of logits."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError, validate_logits
from tsoft.errors import InputError, counted, shortened
from tsoft.input import fields
from tsoft.input.arrow_columns import (
    NULL,
    ColumnPlace,
    Leaf,
    classes_of,
    is_number_type,
    numbers_of_column,
    plain,
    plain_numbers,
    text_of,
)
from tsoft.input.class_lookup import BOOLEANS, TargetLookup, ordered_pair
from tsoft.input.labels import Labels
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions
from tsoft.input.table_columns import TableColumns


@dataclass(frozen=True, eq=False)
class TableRows:
    """The parts of a row: which of the `leaves` are the logits, the key and the target, or the column of `lists` that
    contains the logits; the labels of the classes, or the column of lists with those of each row; and the key of the
    first row if the keys count."""

    columns: TableColumns
    leaves: Sequence[Leaf]
    lists: Leaf | None
    labels: tuple[str, ...] | None
    first_key: int
    options: ReadOptions
    label_lists: Leaf | None = None

    def numbers(self, batch: pa.RecordBatch, first_row: int) -> Iterator[tuple[Array, int, int]]:
        """Yield the numbers of consecutive rows of one width, (rows, n), and the first and the last row, exclusive."""
        for i in self.columns.unused_targets:
            self._check_classes(self.leaves[i], batch, first_row)
        if self.lists is None:
            leaves = [self.leaves[i] for i in self.columns.logits]
            if (numbers := plain_numbers(leaves, batch)) is not None:
                yield numbers, 0, batch.num_rows
                return
            columns = [numbers_of_column(leaf.values(batch), self._where(leaf, first_row)) for leaf in leaves]
            yield np.column_stack(columns), 0, batch.num_rows
            return
        # It takes as long to import as the rest of pyarrow.
        import pyarrow.compute as pc

        column, where = self.lists.values(batch), self._where(self.lists, first_row)
        if column.null_count:
            row = first_row + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise InputError(f"{self.options.source}: row {row}: {self.lists.name}: null; expected a list of numbers")
        widths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        flat = plain(column.flatten())
        if flat.null_count:
            position = int(np.argmax(flat.is_null().to_numpy(zero_copy_only=False)))
            row = int(np.searchsorted(np.cumsum(widths), position, "right"))
            raise InputError(f"{self.options.source}: row {first_row + row}: {self.lists.name}: {NULL}")
        if not widths.all():
            row = first_row + int(np.argmin(widths))
            raise InputError(f"{self.options.source}: row {row}: {self.lists.name}: the list is empty")
        values, start = numbers_of_column(flat, where), 0
        bounds = [0, *(np.flatnonzero(np.diff(widths)) + 1).tolist(), len(widths)]
        for first, stop in itertools.pairwise(bounds):
            size = int(widths[first]) * (stop - first)
            yield values[start : start + size].reshape(stop - first, -1), first, stop
            start += size

    def with_one_list_of_labels(
        self, batch: pa.RecordBatch, first_row: int, width: int
    ) -> Iterator[tuple["TableRows", int, int]]:
        """Yield consecutive rows with the same labels, all of `width` classes: the parts of such a row, and the first
        and the last row of the batch, exclusive."""
        if self.label_lists is None:
            yield self, 0, batch.num_rows
            return
        start = 0
        for labels, group in itertools.groupby(self.label_lists.values(batch).to_pylist()):
            stop = start + sum(1 for _ in group)
            where, name = f"{self.options.source}: row {first_row + start}", shortened(self.label_lists.name)
            if labels is None or None in labels:
                raise InputError(f"{where}: {name}: null; expected a list of strings")
            if len(labels) != width:
                raise InputError(f"{where}: {width} numbers, but {counted(len(labels), 'label')}; save one per class")
            yield replace(self, labels=tuple(labels)), start, stop
            start = stop

    def _where(self, leaf: Leaf, first_row: int) -> "ColumnPlace":
        return ColumnPlace(self.options.source, leaf.name, first_row)

    def block(self, values: Array, batch: pa.RecordBatch, first_row: int, width: int, rows: int | None) -> Block:
        """Return rows as a block. `width` is the number of classes of the first row, and `rows` that of all rows."""
        options = self.options
        quantity, labels = options.quantity or "logit", self.labels
        if labels is not None and len(labels) != values.shape[1]:
            labels = None
        try:
            options = options.for_width(values.shape[1], width)
            logits, labels = options.logits(validate_logits(values), QUANTITIES[quantity], labels, options.source)
        except LogitsError as error:
            place = ""
            if error.column is not None:
                column = error.column if values.shape[1] > 1 else 0
                name = self.columns.names[self.columns.logits[column]] if self.lists is None else self.lists.name
                place = f": {shortened(name)!r}" + (f": class #{column}" if self.lists else "")
            raise InputError(f"{options.source}: row {first_row + error.row}{place}: {error.problem}") from None
        labels_vary, is_binary = self.label_lists is not None, logits.shape != values.shape
        axes = None if rows is None or labels_vary else (rows,)
        source = f"{options.source}: row {first_row}" if labels_vary else ""
        origin = Origin(quantity, axes, labels_vary, source, is_binary=is_binary, doubtful=self.columns.doubtful)
        targets = self._targets(batch, first_row, labels, logits.shape[1])
        return Block(logits, labels, first_row, origin, targets=targets, keys=self.keys(batch, first_row))

    @property
    def _ignored(self) -> int | None:
        return self.options.targets.ignored if self.options.targets else None

    def _targets(
        self, batch: pa.RecordBatch, first_row: int, labels: tuple[str, ...] | None, classes: int
    ) -> Array | None:
        """Return the indices of the true classes of the rows, (rows,)."""
        if self.columns.target is None:
            return None
        lookup = TargetLookup(labels, classes, self._ignored)
        leaf = self.leaves[self.columns.target]
        codes, texts = classes_of(leaf, batch, self.options.source)
        indices = np.empty(len(texts), np.int64)
        for code, text in enumerate(texts):
            try:
                indices[code] = lookup.index(text)
            except ValueError as error:
                row = first_row + int(np.argmax(codes == code))
                raise InputError(f"{self.options.source}: row {row}: {leaf.name!r}: {error}") from None
        return indices[codes]

    def with_two_labels(self, batches: Iterable[pa.RecordBatch]) -> tuple[Iterator[pa.RecordBatch], ReadOptions]:
        """Return the options with the labels of the two classes of a binary classifier, if the targets name them and
        --labels does not. For that, batches are read until both names are known."""
        assert self.columns.target is not None
        leaf, batches = self.leaves[self.columns.target], iter(batches)
        if self.options.labels or is_number_type(leaf.type) or pa.types.is_boolean(leaf.type):
            return batches, self.options
        seen: list[pa.RecordBatch] = []
        names: dict[str, None] = {}
        for batch in batches:
            seen.append(batch)
            texts = classes_of(leaf, batch, self.options.source)[1]
            names |= dict.fromkeys(text for text in texts if text and text != str(self._ignored))
            if len(names) > 1 or any(map(fields.is_number, names)):
                break
        batches = itertools.chain(seen, batches)
        if any(map(fields.is_number, names)) or {name.lower() for name in names} <= set(BOOLEANS):
            return batches, self.options
        if len(names) == 1:
            problem = f"every target is {shortened(next(iter(names)))!r}"
            raise InputError(f"{self.options.source}: {problem}; name both classes with --labels NEGATIVE,POSITIVE")
        score_column = None if self.lists else self.columns.names[self.columns.logits[0]]
        return batches, replace(self.options, labels=Labels(ordered_pair(list(names)[:2], score_column)))

    def keys(self, batch: pa.RecordBatch, first_row: int) -> list[str | int] | None:
        """Return the keys of the rows. Raise InputError if keys that count stop counting."""
        if self.columns.key is None:
            return None
        leaf = self.leaves[self.columns.key]
        values = leaf.values(batch).to_pylist()
        if not self.columns.counts:
            return [value if type(value) is int else text_of(value) for value in values]
        # The keys count from that of the first row.
        for row, value in enumerate(values, first_row):
            expected = self.first_key + row
            if value != expected:
                problem = (
                    f"expected {expected}, as the column {leaf.name!r} counts the rows, got {text_of(value) or 'null'}"
                )
                fix = f"pass --id-column {leaf.name!r} if it names the rows, or list the columns of the logits"
                raise InputError(f"{self.options.source}: row {row}: {problem}; {fix} with --columns")
        return [int(value) for value in values]

    def _check_classes(self, leaf: Leaf, batch: pa.RecordBatch, first_row: int) -> None:
        """Raise InputError for a fraction in a column of classes that is not used."""
        if pa.types.is_floating(leaf.type):
            values = leaf.values(batch).to_numpy(zero_copy_only=False)
            is_fraction = np.nan_to_num(values) % 1 != 0
            if is_fraction.any():
                row = int(is_fraction.argmax())
                problem = (
                    f"{values[row]} is not a class, but tsoft ignores the column {leaf.name!r} as one of true classes"
                )
                fix = "list the columns of the logits with --columns"
                raise InputError(f"{self.options.source}: row {first_row + row}: {problem}; {fix}")
