"""Tokens that spell the same choice, such as "A", " A" and "(A"."""

from collections.abc import Sequence

from tsoft.errors import UsageError

# What may precede or follow a choice in its token. The last two are blanks as some tokenizers print them.
_BLANKS = " \t\n\r▁Ġ"
_BEFORE, _AFTER = _BLANKS + "([\"'*`", _BLANKS + ")].:,\"'*`"


class Choices:
    """The choices, and the tokens that spell each of them: those that differ from it only by blanks, punctuation and,
    if the choice has more than one letter, capitals."""

    def __init__(self, labels: Sequence[str]):
        """Raise UsageError for fewer than two choices, and for two with the same spellings."""
        self.labels = tuple(labels)
        self._indices: dict[str, int] = {}
        if len(labels) < 2 or not all(map(_stripped, labels)):
            raise UsageError("--choices: expected two or more answers, such as A,B,C,D")
        for index, label in enumerate(labels):
            key = _key(label)
            if key in self._indices:
                other = labels[self._indices[key]]
                raise UsageError(f"--choices: {other!r} and {label!r} have the same spellings; remove one of them")
            self._indices[key] = index

    def index(self, token: str) -> int | None:
        """Return the index of the choice that a token spells; None if it spells none of them.

        >>> choices = Choices(["A", "Yes"])
        >>> [choices.index(token) for token in ("A", " A", "(A)", "a", " yes.", "Yesterday")]
        [0, 0, 0, None, 1, None]
        """
        return self._indices.get(_key(token))


def _stripped(text: str) -> str:
    return text.lstrip(_BEFORE).rstrip(_AFTER)


def _key(text: str) -> str:
    """Return what all spellings of a choice have in common. A single letter keeps its case: "a" may be a word."""
    stripped = _stripped(text)
    return stripped.casefold() if len(stripped) > 1 else stripped
