"""A text that a model continues: a prompt, the tokens after it, and the distributions of the next token."""

import codecs
from dataclasses import dataclass, replace

from tsoft.errors import visible
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.models.model import Model
from tsoft.models.tokens import NextDistribution, Tokens

# The maximum number of tokens after the prompt. Each keeps a distribution, about 200 kB for a large vocabulary.
MAX_TOKENS = 4000
# Shown for a token that is a part of a character, but not its last part.
PARTIAL_CHARACTER = "·"


@dataclass(frozen=True)
class LiveToken:
    """A token of the text.

    `prob` is the probability with which it was drawn or chosen, `text` how it is shown, and `incomplete` the bytes at
    its end that do not form a character yet.
    """

    token: int
    prob: float
    text: str
    incomplete: bytes


class LiveText:
    """The text.

    Row i of `rows` is the distribution after the first i tokens. The row after the last token is missing until the
    model has answered, and if the text has ended. With `is_answer`, the tokens answer the prompt.

    Raise the errors of the model for a prompt that it cannot continue.
    """

    def __init__(self, model: Model, prompt: str, *, is_answer: bool = False):
        self.model, self.prompt, self.is_answer = model, prompt, is_answer
        self._prompt_tokens = model.prompt(prompt)
        self._nexts = model.next([self._prompt_tokens])
        self.rows = ExplorerRows([next_.block for next_ in self._nexts])
        self.written: list[LiveToken] = []

    @property
    def tokens(self) -> Tokens:
        """The tokens of the prompt and those after it."""
        return (*self._prompt_tokens, *(token.token for token in self.written))

    @property
    def has_ended(self) -> bool:
        return bool(self.written) and self.model.ends(self.written[-1].token)

    @property
    def is_waiting(self) -> bool:
        """Whether the model has not returned the distribution after the last token yet."""
        return len(self.rows) == len(self.written) and not self.has_ended

    def choose(self, number: int, index: int, prob: float) -> None:
        """Continue the first `number` tokens with a class of the row after them.

        `prob` is the probability of the class.
        """
        token = self._nexts[number].token(index)
        self._truncate(number)
        text, incomplete = self._shown(token, self.written[-1].incomplete if self.written else b"")
        self.written.append(LiveToken(token, prob, text, incomplete))

    def _shown(self, token: int, incomplete: bytes) -> tuple[str, bytes]:
        """Return the text that a token adds, and the bytes that are incomplete after it.

        `incomplete` are the bytes of an incomplete character before the token.
        """
        piece = self.model.piece(token)
        if not piece:
            return visible(self.model.label(token)) or PARTIAL_CHARACTER, incomplete
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(incomplete + piece)
        return visible(text) or PARTIAL_CHARACTER, decoder.getstate()[0]

    def add_next(self, next_: NextDistribution) -> None:
        """Add the distribution after the last token."""
        self._nexts.append(next_)
        self.rows.append(replace(next_.block, first_row=len(self.written)))

    def remove_last(self) -> None:
        """Remove the last token."""
        self._truncate(len(self.written) - 1)

    def _truncate(self, count: int) -> None:
        """Keep only the first `count` tokens and the distribution after them."""
        del self.written[count:], self._nexts[count + 1 :]
        self.rows.truncate(count + 1)

    def text(self, count: int) -> str:
        """Return the prompt and the first `count` tokens.

        Bytes that are not UTF-8 are escaped as in a command's arguments.
        """
        pieces = b"".join(self.model.piece(token.token) for token in self.written[:count])
        return (self.prompt.encode("utf-8", "surrogateescape") + pieces).decode("utf-8", "surrogateescape")
