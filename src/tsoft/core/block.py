"""What flows from a reader through the core to a writer."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.softmax import Array

if TYPE_CHECKING:
    from tsoft.core.partial_distribution import PartialDistribution
    from tsoft.core.thermodynamics import Ensemble


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that share their labels. `logits` is (rows, n); `labels`, where there are any, are n
    strings that may repeat or be empty; `first_row` counts from 0 over the whole input.
    `labels_vary` says that another block may have other labels; `quantity` is what the numbers
    were before they became logits. Where the input is an array, `axes` are those of all its rows, as
    (2, 3) of an array of shape (2, 3, classes), and `by_columns` says that it is in Fortran order. Rows
    that differ in length have `widths`, how many classes each has, and what is beyond is masked: only who
    asks for such a block gets one (see `even`). `targets`, (rows,), are the indices of the rows' true classes,
    where these were asked for and came with the rows. A block of one row may be what was `given` of a
    distribution; one of energies has an `ensemble` where their thermodynamics are asked for. For messages
    there are the `source`, and where it has lines those of the rows."""

    logits: Array
    labels: tuple[str, ...] | None = None
    first_row: int = 0
    labels_vary: bool = False
    quantity: str = "logit"
    axes: tuple[int, ...] | None = None
    by_columns: bool = False
    widths: Array | None = None
    targets: Array | None = None
    source: str = ""
    lines: Sequence[int] | None = None
    partial: "PartialDistribution | None" = None
    ensemble: "Ensemble | None" = None

    @property
    def names(self) -> list[str]:
        """What the classes are called, each by a name that no other has. Tokens stand in quotes, in which
        their blanks are seen."""
        return class_names(self.labels, self.logits.shape[1], quoted=self.partial is not None)

    @property
    def place(self) -> str:
        """Where the first row stands, for messages."""
        if self.lines is not None:
            return f"{self.source}:{self.lines[0]}"
        return self.source or f"row {self.first_row}"

    @property
    def rows(self) -> range:
        return range(self.first_row, self.first_row + len(self.logits))

    def part(self, first: int, stop: int) -> "Block":
        """Some of the block's rows, counted from its first."""
        lines = None if self.lines is None else self.lines[first:stop]
        source = self.source if lines is not None or first == 0 else ""
        part = replace(
            self,
            logits=self.logits[first:stop],
            first_row=self.first_row + first,
            targets=None if self.targets is None else self.targets[first:stop],
            lines=lines,
            source=source,
        )
        if self.widths is None:
            return part
        widths = self.widths[first:stop]
        most = int(widths.max())
        return replace(part, logits=part.logits[:, :most], widths=widths if widths.min() < most else None)

    def even(self) -> "Iterator[Block]":
        """The same in blocks whose rows have the same length."""
        if self.widths is None:
            yield self
            return
        bounds = [0, *(np.flatnonzero(np.diff(self.widths)) + 1).tolist(), len(self.widths)]
        yield from (self.part(first, stop) for first, stop in itertools.pairwise(bounds))


def class_names(labels: tuple[str, ...] | None, count: int, *, quoted: bool = False) -> list[str]:
    """A name for each class that no other has: its label where that is its own, else with its
    index, which always names a class. With `quoted`, labels stand in quotes, escaped as in Python.

    >>> class_names(("cat", "?", "?", ""), 4)
    ['cat', '?#1', '?#2', '#3']
    >>> class_names(None, 2)
    ['#0', '#1']
    >>> print(*class_names((" cat", "", "\\n", "cat", "cat"), 5, quoted=True))
    ' cat' '' '\\n' 'cat'#3 'cat'#4
    """
    if labels is None:
        return [f"#{i}" for i in range(count)]
    seen: dict[str, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    if quoted:
        return [repr(label) if seen[label] == 1 else f"{label!r}#{i}" for i, label in enumerate(labels)]
    own = [seen[label] == 1 and bool(label.strip()) and not _is_index(label) for label in labels]
    return [label if its_own else f"{label}#{i}" for i, (label, its_own) in enumerate(zip(labels, own, strict=True))]


def _is_index(label: str) -> bool:
    return label[:1] == "#" and label[1:].isdigit()
