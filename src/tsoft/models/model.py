"""The interface that all language models share."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from tsoft.errors import UsageError
from tsoft.models.tokens import NextDistribution, Tokens

# The number of texts that a model works on at once, and caches: the largest batch of tokens for llama.cpp.
TEXTS_AT_ONCE = 63


def encoded_prompt(text: str) -> bytes:
    """Return a prompt in UTF-8. Raise UsageError if it is not Unicode."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError("the prompt is not UTF-8 text") from None


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """The name for headings and records."""

    @property
    def vocab_size(self) -> int | None:
        """The number of tokens in the vocabulary; None if unknown."""

    @property
    def has_prompt_tokens(self) -> bool:
        """Whether the tokens of a prompt are those of the model, rather than one that stands for the whole prompt."""

    @property
    def context_length(self) -> int | None:
        """The maximum number of tokens of a text; None if only memory limits it."""

    def prompt(self, text: str) -> Tokens:
        """Return the tokens of a prompt.

        Raise UsageError if the model cannot continue the prompt: it is empty, not Unicode, or longer than
        `context_length`.
        """

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token adds to a text; empty for a control token."""

    def label(self, token: int) -> str:
        """Return the name of a token."""

    def ends(self, token: int) -> bool:
        """Return whether a token ends a text."""

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """Return the distribution of the token after each text.

        Texts may repeat or be prefixes of one another. A model may cache its work on a text, so that a longer text
        costs only its additional tokens.
        """

    def close(self) -> None:
        """Release the model's resources."""


@runtime_checkable
class ReadingModel(Model, Protocol):
    """A language model that also reads a whole text and returns the distribution after each of its tokens."""

    def prompted(self, prompt: str | None, text: str) -> tuple[Tokens, Tokens]:
        """Return the tokens of a prompt, and those of a text after it.

        Without a prompt, the first are only the tokens with which the model begins every text: one, or none. Raise
        UsageError if either is not Unicode.
        """

    def after_each(self, text: Tokens, first: int) -> Iterator[NextDistribution]:
        """Yield the distribution after the first `first` tokens of a text, at least 1, and after each further token.

        Until the last one, the model cannot do anything else.
        """
