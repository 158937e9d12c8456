"""The first rows of an input, whose numbers show which columns may not be classes."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array
from tsoft.errors import listed
from tsoft.frozen import frozen
from tsoft.input.counting_columns import MANY_ROWS, column_fix, column_names
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions

_MAX_LISTED = 8


@frozen(eq=False)
class FirstRows:
    """The logits of the first rows, (rows, n), the names of their columns if the input has them, and their origin."""

    logits: Array
    names: tuple[str, ...] | None
    origin: Origin

    def note_columns(self, columns: Sequence[int], but: str, but_several: str, options: ReadOptions) -> None:
        """Print a note on columns that may not be classes, except those that another note has named."""
        if self.names:
            columns = [i for i in columns if self.names[i] not in self.origin.doubtful]
        if not columns:
            return
        quantity = QUANTITIES[self.origin.quantity]
        kind, reason = (quantity.noun, but) if len(columns) == 1 else (quantity.plural, but_several)
        reading = f"tsoft reads {listed(column_names(columns, self.names), _MAX_LISTED)} as {kind}, but {reason}"
        fix = f"{column_fix(self.names is not None)} if that is wrong"
        options.note(f"{options.source}: {reading} in the first rows; {fix}")


# Prints a note if the first rows show that some columns may not be classes.
Check = Callable[[FirstRows, ReadOptions], None]


def checking_first_rows(blocks: Iterator[Block], options: ReadOptions, checks: Sequence[Check]) -> Iterator[Block]:
    """Yield the blocks of an input. Run the checks on its first rows if each logit is in the column of its class."""
    first: list[Block] = []
    is_open, rows = options.columns.logits is None, 0
    for block in blocks:
        if is_open:
            first.append(block.part(0, min(len(block.logits), MANY_ROWS - rows)))
            rows += len(first[-1].logits)
            is_open = _has_same_columns(block, first[0]) and rows < MANY_ROWS
            if rows == MANY_ROWS:
                _check(first, options, checks)
        yield block
    if is_open and first:
        _check(first, options, checks)


def _has_same_columns(block: Block, first: Block) -> bool:
    """Return whether each logit of a block is in the column of the same class in the first one."""
    has_columns = not (block.origin.is_binary or block.partial)
    return has_columns and block.labels == first.labels and block.logits.shape[1] == first.logits.shape[1]


def _check(blocks: list[Block], options: ReadOptions, checks: Sequence[Check]) -> None:
    if all(_has_same_columns(block, blocks[0]) for block in blocks):
        names = blocks[0].labels if options.labels is None else None
        rows = FirstRows(np.concatenate([block.logits for block in blocks]), names, blocks[0].origin)
        for check in checks:
            check(rows, options)
