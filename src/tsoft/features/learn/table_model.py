"""A language model that is a table: the next tokens of each token, with their probabilities."""

from collections.abc import Mapping, Sequence

import numpy as np

from tsoft.core.block import Block
from tsoft.models.tokens import NextDistribution, Tokens

END = "(end)"


class TableModel:
    """A Model whose next token depends only on the last one.

    `table` has the probabilities of the next tokens after each token, and under `""` those after the prompt. A token
    that is missing in the table ends the text.
    """

    context_length: int | None = None
    has_prompt_tokens = True

    def __init__(self, name: str, table: Mapping[str, Mapping[str, float]]):
        self.name = name
        self._table = table
        tokens = [END, *(token for following in table.values() for token in following)]
        self._labels = tuple(dict.fromkeys(tokens))
        self.vocab_size: int | None = len(self._labels)

    def prompt(self, text: str) -> Tokens:
        return ()

    def piece(self, token: int) -> bytes:
        return b"" if self.ends(token) else self._labels[token].encode()

    def label(self, token: int) -> str:
        return self._labels[token]

    def ends(self, token: int) -> bool:
        return self._labels[token] == END

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        return [self._after(self._labels[text[-1]] if text else "") for text in texts]

    def _after(self, token: str) -> NextDistribution:
        following = self._table.get(token, {END: 1.0})
        probs = np.array([list(following.values())])
        numbers = np.array([self._labels.index(label) for label in following])
        return NextDistribution(Block(np.log(probs), tuple(following)), numbers)

    def close(self) -> None:
        pass
