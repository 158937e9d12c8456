"""A text that a model continues: a prompt, the tokens after it, and the distributions of the next token."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tsoft.errors import InputError, visible
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.models.model import Model
from tsoft.models.tokens import NextDistribution, Tokens

# The maximum number of tokens after the prompt. Each keeps a distribution, about 200 kB for a large vocabulary.
MAX_TOKENS = 4000
# Shown for a token that is a part of a character, but not its last part.
PARTIAL_CHARACTER = "·"

# The distribution before a token, and the index of the token's class. Both together determine the text up to the token.
TextChoice = tuple[NextDistribution, int]


@dataclass(frozen=True)
class LiveToken:
    """A token of the text.

    It is the class at `index` of the distribution before it. `prob` is the probability with which it was drawn or
    chosen, `text` how it is shown, and `incomplete` the bytes at its end that do not form a character yet.
    """

    token: int
    index: int
    prob: float
    text: str
    incomplete: bytes


@dataclass(frozen=True, eq=False)
class Choice:
    """The class at `index` of a distribution, with its probability when it was drawn or chosen.

    `following` is the distribution after the token; None if the model has not returned it yet.
    """

    index: int
    prob: float
    following: NextDistribution | None = None


@dataclass(frozen=True, eq=False)
class WrittenText:
    """The tokens after the prompt.

    `nexts` are the distributions of the next token after the prompt and after each token. The last one is missing until
    the model has answered, and if the text has ended.
    """

    tokens: tuple[LiveToken, ...]
    nexts: tuple[NextDistribution, ...]

    @property
    def steps(self) -> list["TextStep"]:
        return [TextStep(self, number) for number in range(len(self.tokens))]

    def first(self, count: int) -> "WrittenText":
        """Return the first `count` tokens and the distribution after them."""
        return WrittenText(self.tokens[:count], self.nexts[: count + 1])

    def common_tokens(self, other: "WrittenText") -> int:
        """Return the number of tokens at the start that are the same in another text."""
        pairs = zip(self.tokens, other.tokens, strict=False)
        differing = (i for i, (token, other_token) in enumerate(pairs) if token.token != other_token.token)
        return next(differing, min(len(self.tokens), len(other.tokens)))


@dataclass(frozen=True, eq=False)
class TextStep:
    """The token with this `number` of a text, from 0."""

    text: WrittenText
    number: int

    @property
    def choice(self) -> TextChoice:
        return self.text.nexts[self.number], self.text.tokens[self.number].index


class LiveText:
    """The text.

    Row i of `rows` is the distribution after the first i tokens. The row after the last token is missing until the
    model has answered, and if the text has ended. With `is_answer`, the tokens answer the prompt. `kept` are texts that
    the user may come back to.

    Raise the errors of the model for a prompt that it cannot continue.
    """

    def __init__(self, model: Model, prompt: str, *, is_answer: bool = False):
        self.model, self.prompt, self.is_answer = model, prompt, is_answer
        self._prompt_tokens = model.prompt(prompt)
        self.continuation = WrittenText((), tuple(model.next([self._prompt_tokens])))
        self.rows = ExplorerRows([next_.block for next_ in self.continuation.nexts])
        self.kept: tuple[WrittenText, ...] = ()

    @property
    def written(self) -> tuple[LiveToken, ...]:
        """The tokens after the prompt."""
        return self.continuation.tokens

    @property
    def tokens(self) -> Tokens:
        """The tokens of the prompt and those after it."""
        return self.all_tokens(self.continuation)

    def all_tokens(self, written: WrittenText) -> Tokens:
        """Return the tokens of the prompt and of a text after it."""
        return (*self._prompt_tokens, *(token.token for token in written.tokens))

    @property
    def prompt_length(self) -> int:
        """The number of tokens of the prompt."""
        return len(self._prompt_tokens)

    @property
    def has_ended(self) -> bool:
        tokens = self.written
        return bool(tokens) and self.model.ends(tokens[-1].token)

    @property
    def is_waiting(self) -> bool:
        """Whether the model has not returned the distribution after the last token yet."""
        return len(self.rows) == len(self.written) and not self.has_ended

    def choose(self, number: int, index: int, prob: float) -> None:
        """Continue the first `number` tokens with a class of the row after them.

        `prob` is the probability of the class.
        """
        self.show(self.continued(self.continuation.first(number), [Choice(index, prob)]))

    def continued(self, text: WrittenText, choices: Sequence[Choice]) -> WrittenText:
        """Return a text with some choices after it. The distribution before each choice must be known."""
        tokens, nexts = list(text.tokens), list(text.nexts)
        for choice in choices:
            token = nexts[-1].token(choice.index)
            shown, incomplete = self._shown(token, tokens[-1].incomplete if tokens else b"")
            tokens.append(LiveToken(token, choice.index, choice.prob, shown, incomplete))
            nexts += [choice.following] if choice.following else []
        return WrittenText(tuple(tokens), tuple(nexts))

    def show(self, written: WrittenText) -> None:
        """Replace the tokens after the prompt."""
        same = self.continuation.common_tokens(written)
        self.continuation = written
        self.rows.truncate(min(same + 1, len(written.nexts)))
        for number in range(len(self.rows), len(written.nexts)):
            self.rows.append(replace(written.nexts[number].block, first_row=number))

    def _shown(self, token: int, incomplete: bytes) -> tuple[str, bytes]:
        """Return the text that a token adds, and the bytes that are incomplete after it.

        `incomplete` are the bytes of an incomplete character before the token.
        """
        try:
            piece = self.model.piece(token)
        except InputError:
            # The request for the distribution after the token has the same error, which the app shows.
            piece = b""
        if not piece:
            return visible(self.model.label(token)) or PARTIAL_CHARACTER, incomplete
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(incomplete + piece)
        return visible(text) or PARTIAL_CHARACTER, decoder.getstate()[0]

    def add_next(self, next_: NextDistribution) -> None:
        """Add the distribution after the last token."""
        self.show(replace(self.continuation, nexts=(*self.continuation.nexts, next_)))

    def remove_last(self) -> None:
        """Remove the last token."""
        self.show(self.continuation.first(len(self.written) - 1))

    def text(self, count: int) -> str:
        """Return the prompt and the first `count` tokens.

        Bytes that are not UTF-8 are escaped as in a command's arguments.
        """
        pieces = b"".join(self.model.piece(token.token) for token in self.written[:count])
        return (self.prompt.encode("utf-8", "surrogateescape") + pieces).decode("utf-8", "surrogateescape")

    def shown_text(self, written: WrittenText) -> str:
        """Return the prompt and a text after it, as the screen shows them."""
        return visible(self.prompt) + "".join(token.text for token in written.tokens)
