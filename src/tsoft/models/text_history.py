"""The tokens before a model's distribution, for the samplers that depend on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tsoft.models.model import Model
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.sampling.history import History, sequence_breaks


@dataclass(frozen=True, eq=False)
class TextHistory:
    """The texts of a model after a prompt of `prompt_length` tokens. `breakers` are the sequence breakers of DRY.

    A server does not return the tokens of a prompt, so its texts have only the generated tokens.
    """

    model: Model
    prompt_length: int
    breakers: Sequence[bytes] = ()

    def before(self, next_: NextDistribution, text: Tokens) -> History:
        """Return the tokens of a text, with its prompt, as classes of the distribution after it."""
        if not self.model.has_prompt_tokens:
            text = text[self.prompt_length :]
        prompt_length = self.prompt_length if self.model.has_prompt_tokens else 0
        breaks = sequence_breaks([self.model.piece(token) for token in text], self.breakers)
        return History(_classes(next_, text), prompt_length, *breaks)


def _classes(next_: NextDistribution, text: Tokens) -> np.ndarray:
    """Return the index of the class of each token. Tokens that are not listed have indices after the classes."""
    if next_.tokens is None:
        return np.array(text, np.int64)
    indices = {token: index for index, token in enumerate(next_.tokens.tolist())}
    return np.array([indices.setdefault(token, len(indices)) for token in text], np.int64)
