"""Language models: text in, next-token logits out. One module a kind, each with a class that is a Model."""

from collections.abc import Sequence
from typing import Protocol

from tsoft.models.tokens import Next, Tokens


class Model(Protocol):
    """What tsoft asks of a language model."""

    @property
    def name(self) -> str:
        """What a heading calls it."""
        ...

    @property
    def size(self) -> int | None:
        """How many tokens it knows, None where that is not known."""
        ...

    @property
    def longest(self) -> int | None:
        """How many tokens a text may have, None where nothing but memory bounds it."""
        ...

    def prompt(self, text: str) -> Tokens:
        """The tokens of a text that was typed. Raises UsageError where there is none to go on from, or where
        they are more than `longest`."""
        ...

    def piece(self, token: int) -> bytes:
        """What a token adds to a text: nothing, where it is a sign for the model alone."""
        ...

    def label(self, token: int) -> str:
        """What a token is called."""
        ...

    def ends(self, token: int) -> bool:
        """Whether a token ends a text."""
        ...

    def next(self, texts: Sequence[Tokens]) -> list[Next]:
        """What comes after each of the texts, which may be equal or go on each other. What a model has
        worked out of a text it may keep: those that go on it cost what they have besides."""
        ...

    def close(self) -> None:
        """Gives back what the model holds."""
        ...
