"""A text under way: a prompt, the tokens that were drawn or chosen since, and what a model says of the next."""

import codecs
from dataclasses import dataclass, replace

from tsoft.errors import visible
from tsoft.explorer.rows import Rows
from tsoft.models.model import Model
from tsoft.models.tokens import NextDistribution, Tokens

# So many tokens at the most: each keeps a distribution, of a vocabulary some 200 kB.
MOST = 4000
# What a token is shown as that is a part of a character, and not its last one.
PART = "·"


@dataclass(frozen=True)
class Step:
    """A token of the text: which class it was, the probability that it had when it was drawn or chosen, how it
    is shown, and the bytes after it that are no character yet."""

    token: int
    index: int
    prob: float
    text: str
    rest: bytes


class Live:
    """The text. Row i of `rows` is what comes after its first i tokens, so that the last one's is missing
    while it is waited for, and where it ends the text. `answers` says that the tokens are an answer to the prompt.

    Raises what the model raises for a prompt that it cannot go on from.
    """

    def __init__(self, model: Model, prompt: str, *, answers: bool = False):
        self.model, self.prompt, self.answers = model, prompt, answers
        self._before = model.prompt(prompt)
        self._nexts = model.next([self._before])
        self.rows = Rows([found.block for found in self._nexts])
        self.steps: list[Step] = []

    @property
    def tokens(self) -> Tokens:
        """The whole text, as the model takes it."""
        return (*self._before, *(step.token for step in self.steps))

    @property
    def ended(self) -> bool:
        return bool(self.steps) and self.model.ends(self.steps[-1].token)

    @property
    def waits(self) -> bool:
        """Whether the last token's row is missing though the text goes on."""
        return len(self.rows) == len(self.steps) and not self.ended

    @property
    def full(self) -> bool:
        return len(self.steps) >= MOST

    def choose(self, number: int, index: int, prob: float) -> None:
        """Goes on with a class of a row, whose probability is `prob` now. What came after the row is cut off."""
        token = self._nexts[number].token(index)
        self._cut(number)
        text, rest = self._shown(token, self.steps[-1].rest if self.steps else b"")
        self.steps.append(Step(token, index, prob, text, rest))

    def _shown(self, token: int, before: bytes) -> tuple[str, bytes]:
        """What a token adds to a text that ends in a part of a character, and the part that is left."""
        piece = self.model.piece(token)
        if not piece:
            return visible(self.model.label(token)) or PART, before
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(before + piece)
        return visible(text) or PART, decoder.getstate()[0]

    def answer(self, found: NextDistribution) -> None:
        """What comes after the whole text."""
        number = len(self.steps)
        self._nexts.append(found)
        self.rows.append(replace(found.block, first_row=number))

    def take_back(self) -> None:
        """The text without its last token."""
        self._cut(len(self.steps) - 1)

    def _cut(self, number: int) -> None:
        """Only so many tokens, and what comes after them."""
        del self.steps[number:], self._nexts[number + 1 :]
        self.rows.cut(number + 1)

    def text(self, number: int) -> str:
        """The prompt and so many tokens, as one text; bytes that are no character are escaped as in a command's
        arguments."""
        pieces = b"".join(self.model.piece(step.token) for step in self.steps[:number])
        return (self.prompt.encode("utf-8", "surrogateescape") + pieces).decode("utf-8", "surrogateescape")
