"""An n-gram model of a text, by words or by characters."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Literal

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.errors import InputError, UsageError, without_surrogates
from tsoft.input.limits import read_limited
from tsoft.input.source import STDIN, open_input
from tsoft.input.utf8 import decode_text
from tsoft.models.kneser_ney import ngrams
from tsoft.models.model import encoded_prompt
from tsoft.models.tokens import NextDistribution, Tokens

By = Literal["word", "char"]

# The default number of tokens of an n-gram. In most texts of 50 kB to 10 MB, longer n-grams reduce the held-out
# perplexity by only a tenth, and increasingly repeat the text.
ORDERS: dict[By, int] = {"word": 3, "char": 8}

# The largest text, and the largest number of tokens times the order. The model then takes up to about 4 GB.
MAX_BYTES, MAX_NGRAMS = 1 << 26, 1 << 27

# Scripts without blanks between words: Thai and Lao, Myanmar, Khmer, Chinese characters, kana.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)


def pieces(text: str, by: By) -> Sequence[str]:
    r"""Return the tokens of a text. Joined, they are the text.

    By char, a token is a character. By word, a token is a word, or a run of the same symbol, with the blanks before it;
    blanks at the end of the text are a token. An apostrophe or a hyphen between letters belongs to the word, and an
    accent belongs to its letter. In a script without blanks between words, each letter is a word.

    >>> pieces("It's  well-known...\n", "word")
    ["It's", '  well-known', '...', '\n']
    >>> pieces("天气 ok", "word")
    ['天', '气', ' ok']
    """
    return text if by == "char" else list(map(itemgetter(0), _words_of(text).finditer(text)))


def _words_of(text: str) -> re.Pattern[str]:
    # `re` does not treat accents and vowel signs as parts of a word, so add those that the text contains.
    marks = "".join(c for c in set(text) if unicodedata.category(c) in ("Mn", "Mc", "Me"))
    marked = f"[{marks}]*" if marks else ""
    letters = rf"(?:[^\W{_UNSPACED}]{marked})+"
    return re.compile(rf"\s*(?:{letters}(?:['’-]{letters})*|[{_UNSPACED}]{marked}|([^\w\s])\1*)|\s+")


class Ngram:
    """A Model of a text, by its n-grams: see `models.kneser_ney`.

    A token is one of the text's `pieces`. Tokens are numbered in the order of their first occurrence, and new ones in a
    prompt from `vocab_size` on. By word, histories ignore the blanks before words, so that line breaks and blanks at
    the end of a prompt make no difference. Neither the beginning nor the end of the text is a token: the distribution
    after an empty prompt is that after unknown words, and a generated text does not end.
    """

    context_length: int | None = None
    has_prompt_tokens = True

    def __init__(self, text: str, by: By, order: int | None, name: str):
        """Raise InputError if the text has no token, and UsageError for an order below 1."""
        self._by = by
        order = ORDERS[by] if order is None else order
        if order < 1:
            raise UsageError(f"--order {order}: an n-gram has at least 1 token; pass --order 1 or more")
        if not text.strip():
            raise InputError(f"{name}: cannot build a model from {'whitespace' if text else 'an empty text'}")
        text_pieces = pieces(text, by)
        if len(text_pieces) * order > MAX_NGRAMS:
            problem = (
                f"{order}-grams of {len(text_pieces)} tokens are too many; the tokens times --order are limited to"
            )
            raise InputError(f"{name}: {problem} {MAX_NGRAMS}; pass a lower --order or a shorter text")
        self._pieces = list(dict.fromkeys(text_pieces))
        self._labels = tuple(self._pieces)
        self.vocab_size = len(self._labels)
        self.name = f"{order}-grams of {without_surrogates(name)} by {by}"
        self._numbers = {piece: number for number, piece in enumerate(self._labels)}
        words = [self._word(piece) for piece in self._labels]
        self._words = {word: number for number, word in enumerate(dict.fromkeys(words))}
        tokens = np.fromiter(map(self._numbers.__getitem__, text_pieces), np.int32, len(text_pieces))
        self._model = ngrams(tokens, np.array([self._words[word] for word in words], np.int32), order)

    @classmethod
    def of_file(cls, file: str, by: By, order: int | None) -> "Ngram":
        """Return the model of a file of UTF-8 text, or of stdin for `-`. Raise InputError for anything else."""
        name = STDIN if file == "-" else file
        with open_input(file) as stream:
            data = read_limited(stream, MAX_BYTES, name, "text")
        text = decode_text(data, name).replace("\r\n", "\n")
        return cls(text, by, order, name)

    def prompt(self, text: str) -> Tokens:
        """Return the tokens of a text, which may be empty. Raise UsageError if it is not Unicode."""
        encoded_prompt(text)
        return tuple(map(self._number, pieces(text, self._by)))

    def prompted(self, prompt: str | None, text: str) -> tuple[Tokens, Tokens]:
        """Return the tokens of a prompt, and those of a text after it, in which every line break is a line feed."""
        given, scored = (self.prompt((part or "").replace("\r\n", "\n")) for part in (prompt, text))
        return given, scored

    def after_each(self, text: Tokens, first: int) -> Iterator[NextDistribution]:
        """Yield the log-probabilities of all tokens after the first `first` tokens, and after each further token."""
        origin = Origin("logprob")
        words = list(self._history(text[:first]))
        for end in range(first, len(text) + 1):
            if end > first and (word := self._word(self._pieces[text[end - 1]])):
                words.append(self._words.get(word, self._model.words))
            logprobs = self._model.logprobs(words[max(0, len(words) - self._model.order + 1) :])
            yield NextDistribution(Block(logprobs[np.newaxis], self._labels, origin=origin))

    def _number(self, piece: str) -> int:
        number = self._numbers.setdefault(piece, len(self._pieces))
        if number == len(self._pieces):
            self._pieces.append(piece)
        return number

    def _word(self, piece: str) -> str:
        """Return the word of a token in a history; empty for blanks, which histories ignore."""
        return piece if self._by == "char" else piece.lstrip()

    def piece(self, token: int) -> bytes:
        return self._pieces[token].encode()

    def label(self, token: int) -> str:
        return self._pieces[token]

    def ends(self, token: int) -> bool:
        return False

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """Return the log-probabilities of all tokens after each text."""
        histories = [self._history(text) for text in texts]
        logprobs = {history: self._model.logprobs(history)[np.newaxis] for history in set(histories)}
        origin = Origin("logprob")
        return [NextDistribution(Block(logprobs[history], self._labels, origin=origin)) for history in histories]

    def _history(self, text: Tokens) -> Tokens:
        """Return the last words of a text, as many as the order uses."""
        words: list[int] = []
        for token in reversed(text):
            if len(words) == self._model.order - 1:
                break
            if word := self._word(self._pieces[token]):
                words.append(self._words.get(word, self._model.words))
        return tuple(reversed(words))

    def close(self) -> None:
        pass
