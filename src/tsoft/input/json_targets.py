"""The true classes of rows in JSON."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input import fields
from tsoft.input.class_lookup import TargetLookup, ordered_pair
from tsoft.input.json_rows import JsonItem, JsonRow, as_text
from tsoft.input.json_values import described
from tsoft.input.labels import Labels
from tsoft.input.read_options import ReadOptions


class TargetReader:
    """Finds the true classes of rows. With one number per row, the first two labels that targets name are those of the
    two classes, unless --labels names them."""

    def __init__(self, options: ReadOptions):
        self._options = options
        self._has_targets: bool | None = None

    def complete(self, batches: Iterable[Iterable[JsonItem]]) -> Iterator[Iterable[JsonItem]]:
        """Yield the batches, of which the first ones are joined until both classes of a binary classifier are known."""
        if not self._options.reads_targets:
            yield from batches
            return
        pending: list[JsonItem] = []
        for batch in batches:
            pending += batch
            if pending and not self._needs_more(pending):
                yield pending
                pending = []
        if pending:
            yield pending

    def _needs_more(self, items: list[JsonItem]) -> bool:
        rows = [item for item in items if isinstance(item, JsonRow) and item.target and len(item.values) == 1]
        if self._options.labels or len(rows) < len(items) or (rows[0].labels is not None and len(rows[0].labels) == 2):
            return False
        names = self._names(rows)
        return len(names) < 2 and not any(map(fields.is_number, names))

    def _names(self, rows: list[JsonRow]) -> set[str]:
        """Return the distinct targets of rows, except that of the rows to leave out."""
        ignored = self._options.targets and self._options.targets.ignored
        return {as_text(row.target[1]) for row in rows if row.target} - {str(ignored)}

    def options_for(self, rows: list[JsonRow]) -> ReadOptions:
        """Return the options for a block of rows, with the labels of a binary classifier."""
        options, first = self._options, rows[0]
        if not options.reads_targets:
            options = options if first.target is None else options.next_to_targets()
            is_single = len(first.values) == 1 and not isinstance(first.values[0], list | dict)
            return options.of_single_scores((first.labels or ("",))[0]) if is_single else options
        if self._has_targets is None:
            self._has_targets = first.target is not None
        if self._has_targets != (first.target is not None):
            problem = (
                "no target, although the first row has one" if self._has_targets else "a target, unlike the first row"
            )
            raise InputError(f"{first.where}: {problem}; write one for each row")
        if first.target is None or len(first.values) != 1 or options.labels:
            return options
        if (first.labels is not None and len(first.labels) == 2) or isinstance(first.values[0], list | dict):
            return options
        names = self._names(rows)
        if any(map(fields.is_number, names)) or names <= {"true", "false"}:
            return options
        if len(names) != 2:
            problem = f"the targets name {len(names)} class{'es' * (len(names) != 1)}, but a binary classifier has two"
            raise InputError(f"{first.where}: {problem}; name both with --labels NEGATIVE,POSITIVE")
        score_column = first.labels[0] if first.labels else None
        self._options = replace(options, labels=Labels(ordered_pair(names, score_column)))
        return self._options

    def indices(self, rows: list[JsonRow], labels: tuple[str, ...] | None, classes: int) -> Array:
        """Return the indices of the rows' true classes, (rows,). Raise InputError."""
        assert self._options.targets
        lookup = TargetLookup(labels, classes, self._options.targets.ignored)
        indices = np.empty(len(rows), np.int64)
        for i, row in enumerate(rows):
            assert row.target
            name, value = row.target
            try:
                if value is None or isinstance(value, list | dict):
                    raise ValueError(f"expected a class's label or index, got {described(value)}")
                indices[i] = lookup.index(as_text(value))
            except ValueError as error:
                raise InputError(f"{row.where}: {name}: {error}") from None
        return indices
