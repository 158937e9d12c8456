"""The groups of the rows, which a column of the input names."""

from dataclasses import dataclass

import numpy as np

from tsoft.core.block import Block
from tsoft.core.labeled_rows import LabeledRows, RowPasses, StoredRows
from tsoft.core.softmax import Array
from tsoft.errors import InputError, shortened
from tsoft.features.calibrate.spool import Spool

# A column with more different values is no column of groups.
MAX_GROUPS = 200


class RowGroups:
    """The group of each row, block by block, and the names of the groups in the order of their first rows.

    `column` is the name of the column that has them.
    """

    def __init__(self, column: str):
        self.column = column
        self.names: list[str] = []
        self._indices: dict[str, int] = {}
        # The groups of the rows of each block that has any, as indices.
        self._blocks: list[Array] = []

    def add(self, block: Block, kept: Array, source: str) -> None:
        """Add those rows of a block that are `kept`. `source` is the name of the file.

        Raise InputError for a row without a group, and for too many groups.
        """
        keys = block.keys
        if keys is None:
            problem = f"{shortened(self.column)!r} is missing or null, so the row has no group"
            raise InputError(f"{_where(block, 0, source)}: {problem}; write a group, or remove the row")
        indices = [self._index(str(keys[i]), block, i, source) for i in np.flatnonzero(kept).tolist()]
        if indices:
            self._blocks.append(np.array(indices, np.uint8))

    def _index(self, name: str, block: Block, row: int, source: str) -> int:
        if name in self._indices:
            return self._indices[name]
        where = _where(block, row, source)
        if not name.strip():
            problem = f"{shortened(self.column)!r} is empty, so the row has no group"
            raise InputError(f"{where}: {problem}; write a group, or remove the row")
        if len(self.names) == MAX_GROUPS:
            problem = f"{shortened(self.column)!r} has more than {MAX_GROUPS} different values"
            raise InputError(f"{where}: {problem}; pass a column of groups with --by")
        self._indices[name] = len(self.names)
        self.names.append(name)
        return self._indices[name]

    def split(self, rows: RowPasses, *, in_memory: bool) -> "list[GroupRows]":
        """Return the rows of each group, in memory or in temporary files, after one pass over all rows."""
        stores: list[list[LabeledRows] | Spool] = [[] if in_memory else Spool() for _ in self.names]
        counts = np.zeros(len(self.names), np.int64)
        all_groups, first = np.concatenate(self._blocks), 0
        for examples in rows:
            groups = all_groups[first : first + len(examples.targets)]
            first += len(groups)
            for group in np.unique(groups).tolist():
                chosen = groups == group
                part, store = LabeledRows(examples.logits[chosen], examples.targets[chosen]), stores[group]
                if isinstance(store, Spool):
                    store.add(part)
                else:
                    store.append(part)
                counts[group] += len(part.targets)
        groups_of_rows = zip(self.names, counts.tolist(), stores, strict=True)
        return [GroupRows(store, name, count, in_memory) for name, count, store in groups_of_rows]


@dataclass(frozen=True, eq=False)
class GroupRows(StoredRows):
    """The rows of a group, and their number."""

    name: str
    rows: int
    in_memory: bool


def _where(block: Block, row: int, source: str) -> str:
    """Return the location of a row of a block of a file."""
    part = block.part(row, row + 1)
    is_located = part.origin.lines is not None or part.origin.source
    return part.location if is_located else f"{source}: {part.location}"
