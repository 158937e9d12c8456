"""Blocks of logits: readers return them, and results are computed from them."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.softmax import Array
from tsoft.frozen import frozen

if TYPE_CHECKING:
    from tsoft.core.partial_distribution import PartialDistribution
    from tsoft.core.thermodynamics import Ensemble


@frozen(eq=False)
class Origin:
    """The origin of a block's numbers.

    `quantity` is their kind before they became logits. For an array, `axes` is its shape without the classes:
    (2, 3) for the shape (2, 3, classes). With `labels_vary`, other blocks may have other labels. For messages,
    `source` is the file, and `lines` are the line numbers of the rows if it has lines. With `is_binary`, the rows had
    one number each, that of the second of two classes. `model` is the name of the language model if the input has it.
    `target` is the right answer to a question, as the input names it, if the rows are the answer of a language model.
    `doubtful` are the labels of the classes that may not be logits, as a note has said.
    """

    quantity: str = "logit"
    axes: tuple[int, ...] | None = None
    labels_vary: bool = False
    source: str = ""
    lines: Sequence[int] | None = None
    is_binary: bool = False
    model: str = ""
    target: str | None = None
    doubtful: frozenset[str] = frozenset()

    def part(self, first: int, stop: int) -> "Origin":
        """Return the origin of some of the rows. Without lines, `source` describes only the first row."""
        if self.lines is not None:
            return replace(self, lines=self.lines[first:stop])
        return self if first == 0 or not self.source else replace(self, source="")


@frozen(eq=False)
class Block:
    """Rows of logits that share their labels.

    `logits` are (rows, n). `labels`, if any, are n strings that may repeat or be empty. `first_row` is the index of
    the first row in the whole input, from 0. Rows of different lengths are padded with masked classes, and
    `widths` are their numbers of classes; readers return such rows only if ragged blocks are requested.
    `targets`, (rows,), are the indices of the rows' true classes if requested; -1 marks a row to leave out. `keys` name
    the rows in the output if the input names them. A block of one row may be a `partial` distribution. A block of
    energies has an `ensemble` if the thermodynamics are requested.
    """

    logits: Array
    labels: tuple[str, ...] | None = None
    first_row: int = 0
    origin: Origin = Origin()
    widths: Array | None = None
    targets: Array | None = None
    partial: "PartialDistribution | None" = None
    ensemble: "Ensemble | None" = None
    keys: Sequence[str | int] | None = None

    @property
    def names(self) -> list[str]:
        """A unique name for each class. Tokens are quoted, which shows their spaces."""
        return class_names(self.labels, self.logits.shape[1], quoted=self.partial is not None)

    @property
    def location(self) -> str:
        """The location of the first row, for messages."""
        if self.origin.lines is not None:
            return f"{self.origin.source}:{self.origin.lines[0]}"
        return self.origin.source or f"row {self.first_row}"

    @property
    def quantity_without_constant(self) -> str | None:
        """The quantity, in the plural, of a block whose logits are known only up to a constant; None if its numbers are
        the logits of a model, or energies."""
        if self.partial is not None:
            return "the probabilities of an API response"
        return {"prob": "probabilities", "logprob": "log-probabilities"}.get(self.origin.quantity)

    @property
    def rows(self) -> range:
        return range(self.first_row, self.first_row + len(self.logits))

    def part(self, first: int, stop: int) -> "Block":
        """Return some of the rows, counted from the first row of the block."""
        part = replace(
            self,
            logits=self.logits[first:stop],
            first_row=self.first_row + first,
            origin=self.origin.part(first, stop),
            targets=None if self.targets is None else self.targets[first:stop],
            keys=None if self.keys is None else self.keys[first:stop],
        )
        if self.widths is None:
            return part
        widths = self.widths[first:stop]
        width = int(widths.max())
        return replace(part, logits=part.logits[:, :width], widths=widths if widths.min() < width else None)

    def split_by_width(self) -> "Iterator[Block]":
        """Yield the same rows in blocks of one width each."""
        if self.widths is None:
            yield self
            return
        bounds = [0, *(np.flatnonzero(np.diff(self.widths)) + 1).tolist(), len(self.widths)]
        yield from (self.part(first, stop) for first, stop in itertools.pairwise(bounds))


def class_names(labels: tuple[str, ...] | None, count: int, *, quoted: bool = False) -> list[str]:
    """Return a unique name for each class: its label if that is unique, else the label with the index. With
    `quoted`, labels are quoted and escaped as in Python.

    >>> class_names(("cat", "?", "?", ""), 4)
    ['cat', '?#1', '?#2', '#3']
    >>> class_names(None, 2)
    ['#0', '#1']
    >>> print(*class_names((" cat", "", "\\n", "cat", "cat"), 5, quoted=True))
    ' cat' '' '\\n' 'cat'#3 'cat'#4
    """
    if labels is None:
        return [f"#{i}" for i in range(count)]
    label_counts = Counter(labels)
    if quoted:
        return [repr(label) if label_counts[label] == 1 else f"{label!r}#{i}" for i, label in enumerate(labels)]
    return [
        label if label_counts[label] == 1 and label.strip() and not _is_index(label) else f"{label}#{i}"
        for i, label in enumerate(labels)
    ]


def _is_index(label: str) -> bool:
    return label[:1] == "#" and label[1:].isdigit()
