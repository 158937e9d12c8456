"""The edits of a copy of a row: typed logits, added classes and masked classes."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array


@dataclass(frozen=True)
class RowEdit:
    """The differences between an edited copy of a row and the row.

    `logits` are pairs of a class index and its new logit, and `added` are pairs of a label and a logit. `masked` are
    the indices of the masked classes. Added classes have the indices after those of the row.

    >>> edit = RowEdit().with_logit(0, 5.0).with_class("new", 1.0).with_mask(1, True)
    >>> edit.applied(Block(np.array([[2.0, 3.0]]))).logits.tolist()
    [[5.0, -inf, 1.0]]
    """

    logits: tuple[tuple[int, float], ...] = ()
    added: tuple[tuple[str, float], ...] = ()
    masked: tuple[int, ...] = ()

    def with_logit(self, index: int, logit: float) -> "RowEdit":
        """Return the edit with another logit of a class, which is no longer masked."""
        return replace(self, logits=tuple(sorted({**dict(self.logits), index: logit}.items()))).with_mask(index, False)

    def with_class(self, label: str, logit: float) -> "RowEdit":
        """Return the edit with another added class."""
        return replace(self, added=(*self.added, (label, logit)))

    def with_mask(self, index: int, is_masked: bool) -> "RowEdit":
        """Return the edit with a class masked, or with its logit restored."""
        others = {i for i in self.masked if i != index}
        return replace(self, masked=tuple(sorted(others | {index} if is_masked else others)))

    def applied(self, block: Block) -> Block:
        """Return the edited copy of a block of one row. Its logits are float64."""
        if self == RowEdit():
            return block
        z: Array = np.append(block.logits[0].astype(np.float64), [logit for _, logit in self.added])
        for index, logit in self.logits:
            z[index] = logit
        z[list(self.masked)] = -inf
        labels = block.labels
        added = tuple(label for label, _ in self.added)
        if labels is not None or any(added):
            labels = (*(labels or ("",) * block.logits.shape[1]), *added)
        return replace(block, logits=z[np.newaxis], labels=labels)
