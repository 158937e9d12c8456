"""The first rows of an input, whose numbers show which columns may not be classes."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array
from tsoft.errors import listed, shortened
from tsoft.frozen import frozen
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions

# In fewer rows, a column may look special by chance. Whole numbers in columns without names often do.
MIN_ROWS, MANY_ROWS = 3, 10
_MAX_LISTED = 8
_TO_NUMBERS = {"logit": np.positive, "logprob": np.positive, "energy": np.negative, "prob": np.exp}


@frozen(eq=False)
class FirstRows:
    """The logits of the first rows, (rows, n), the names of their columns if the input has them, and their origin."""

    logits: Array
    names: tuple[str, ...] | None
    origin: Origin

    @cached_property
    def numbers(self) -> Array:
        """The numbers as the input has them, (rows, n)."""
        return np.asarray(_TO_NUMBERS[self.origin.quantity](self.logits))

    @property
    def may_be_whole(self) -> bool:
        """Whether the numbers are of a quantity that may be whole, unlike probabilities."""
        return self.origin.quantity in ("logit", "energy")

    def unnoted(self, columns: Sequence[int] | Array) -> list[int]:
        """Return the columns without those that another note has named."""
        return [int(i) for i in columns if self.names is None or self.names[i] not in self.origin.doubtful]

    def note_columns(self, columns: Sequence[int], reason: str, options: ReadOptions, fix: str = "") -> None:
        """Print a note on columns that may not be classes, if there are any."""
        if not columns:
            return
        quantity = QUANTITIES[self.origin.quantity]
        kind = quantity.noun if len(columns) == 1 else quantity.plural
        names = [f"class #{i}" if self.names is None else repr(shortened(self.names[i])) for i in columns]
        fix = fix or f"{'remove the column' if self.names is None else 'pass --columns'} if that is wrong"
        options.note(f"{options.source}: tsoft reads {listed(names, _MAX_LISTED)} as {kind}, but {reason}; {fix}")


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
