"""The names of the tokens before a distribution, and the classes that they name."""

import re
from collections import Counter
from dataclasses import field

import numpy as np

from tsoft.core.block import Block
from tsoft.errors import UsageError
from tsoft.frozen import frozen
from tsoft.notes import note
from tsoft.options.class_names import class_index
from tsoft.sampling.history import History, sequence_breaks


@frozen(eq=False)
class TokenNames:
    """The names of the tokens before a distribution, oldest first, of which the first `prompt_tokens` are the prompt.
    `breakers` are the sequence breakers of DRY, and `source` is the file of the names, one per line. `noted` are the
    names of which a note said that no class has them."""

    names: tuple[str, ...]
    prompt_tokens: int
    breakers: tuple[bytes, ...]
    source: str
    noted: set[str] = field(default_factory=set)

    def history(self, block: Block) -> History:
        """Return the tokens as classes of a block.

        A token that is not among the classes, since the input has only some tokens of the vocabulary, has an index from
        the number of classes up. Raise UsageError for a name that several classes have, for an index that is too high,
        and if no name is a class.
        """
        indices = self._indices(block)
        tokens = np.array([indices[name] for name in self.names], np.int64)
        pieces = [self._text(block, index, name) for name, index in zip(self.names, tokens.tolist(), strict=True)]
        return History(tokens, self.prompt_tokens, *sequence_breaks(pieces, self.breakers))

    def _indices(self, block: Block) -> dict[str, int]:
        """Return the index of each name. Print a note on those that are not among the classes."""
        labels = block.labels or ()
        counts = Counter(labels)
        positions = {label: i for i, label in enumerate(labels)}
        # The first line of each name.
        lines = {name: line for line, name in reversed(list(enumerate(self.names, 1)))}
        indices: dict[str, int] = {}
        missing: list[str] = []
        for name in dict.fromkeys(self.names):
            if counts[name] == 1:
                indices[name] = positions[name]
            elif counts[name] > 1 or block.labels is None or ("#" in name and _is_index(name, block)):
                number = f"#{name}" if block.labels is None and name.isdecimal() else name
                indices[name] = self._index(block, number, lines[name])
            else:
                missing.append(name)
        if missing and block.partial is None:
            if not indices:
                self._index(block, missing[0], lines[missing[0]])
            self._note_missing(missing)
        return indices | {name: block.logits.shape[1] + i for i, name in enumerate(missing)}

    def _index(self, block: Block, name: str, line: int) -> int:
        """Return the index of a class. Raise UsageError, with the line of its name, if no class or several classes have
        that name."""
        place = f"{self.source}:{line}"
        try:
            index = class_index(block, name, place)
        except UsageError as error:
            raise UsageError(f"{error}; --history has one token per line") from None
        if index is None:
            raise UsageError(f"{place}: row {block.first_row} has no class {name!r}")
        return index

    def _note_missing(self, names: list[str]) -> None:
        new = [name for name in names if name not in self.noted]
        self.noted.update(new)
        if new:
            shown = ", ".join(map(repr, new[:5])) + ", …" * (len(new) > 5)
            note(f"{self.source}: these tokens are not among the classes, so no penalty applies to them: {shown}")

    def _text(self, block: Block, index: int, name: str) -> bytes:
        """Return the text of a token: its label, if the file has its index."""
        labels = block.labels or ()
        return (labels[index] if index < len(labels) else name).encode(errors="replace")


def _is_index(name: str, block: Block) -> bool:
    """Return whether a name is # and an index, or a label that several classes have with the index of one of them."""
    return re.fullmatch(r"#[0-9]+", name) is not None or name in block.names
