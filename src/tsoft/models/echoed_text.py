"""The tokens of a text that a server repeats with their log-probabilities, which OpenAI's completions call `echo`.

vLLM, SGLang, llama-cpp-python and text-generation-webui support it. A request also generates a token, because
llama-cpp-python takes a limit of 0 for no limit.

The number of tokens of the prompt and their names show where each token is. `text_offset` does not: vLLM and
text-generation-webui add up the lengths of the names, and SGLang writes -1. The list may begin with the token that
begins every text (vLLM), or leave it out (llama-cpp-python). A name may lack a part of the token's text:

- the blank at its start, which SentencePiece's decoder removes;
- its bytes of a character that consists of several tokens. They are U+FFFD or missing, or the name of the last of these
  tokens is the whole character (vLLM).

So the names must make up the text, except for a blank or a character outside ASCII between two names, or more of these
with nameless tokens between them. If this allows several places for a token, its place is unknown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from tsoft.core.block import Block
from tsoft.errors import shortened
from tsoft.input.api_tokens import REPLACEMENT
from tsoft.models.server_errors import value_at
from tsoft.models.server_tokens import is_partial
from tsoft.models.tokens import NextDistribution

NO_ECHO = "the server does not return the log-probabilities of a prompt (echo with logprobs), as vLLM does"
# The maximum number of tokens that begin every text. ChatGLM has two.
_MAX_BEGINNING = 2
# The maximum number of characters of names in an error message.
_MAX_SHOWN = 100
# The log-probabilities of two requests differ by less than this, even if a server computes them in another order.
_CLOSE = 0.5


@dataclass(frozen=True, eq=False)
class EchoedToken:
    """A token of a text, by its number, and the distribution before it with its index in that; None for the first
    token of all, which nothing precedes. The text before it has `start` bytes."""

    token: int
    start: int
    distribution: NextDistribution | None = None
    index: int = 0


@dataclass(frozen=True)
class TokenPlace:
    """The place of a token in a text, in bytes. `is_certain` is whether it certainly starts there."""

    start: int
    stop: int
    is_certain: bool


@dataclass(frozen=True)
class Echo:
    """The tokens of an echo that belong to a text after a prompt: their places, and the index of the first one in the
    list of tokens. The server counts `unlisted` more tokens before those of the list."""

    first: int
    places: Sequence[TokenPlace]
    unlisted: int


class EchoError(ValueError):
    """An echo that does not show which tokens are those of the text."""


def listed_names(answer: Any, text: str) -> list[str]:
    """Return the names of the tokens in the echo of a text. Raise EchoError if a response has no echo."""
    choice = value_at(answer, "choices", 0)
    names, numbers = (value_at(choice, "logprobs", name) for name in ("tokens", "token_logprobs"))
    is_echo = str(value_at(choice, "text")).startswith(text) and isinstance(names, list) and isinstance(numbers, list)
    if not is_echo or len(names) != len(numbers) or not all(isinstance(name, str) for name in names):
        raise EchoError(NO_ECHO)
    return list(names)


def echo_of(names: Sequence[str], usage: object, prompt: str, text: str) -> Echo:
    """Return the tokens of a text after a prompt, from the names of all tokens and the numbers of those of both and of
    the generated ones, which are the `usage`.

    A token that spans the end of the prompt belongs to the text. Raise EchoError if the names do not make up the text,
    or do not show which of them begin it.

    >>> [place.start for place in echo_of(["<s>", "The", " cat", "."], {"prompt_tokens": 3}, "", "The cat").places]
    [0, 3]
    """
    prompt_tokens, generated = (value_at(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    if type(prompt_tokens) is not int or prompt_tokens < 1:
        raise EchoError("the response does not contain the number of tokens of the prompt (usage.prompt_tokens)")
    # The token that begins every text may be counted, but not listed.
    readings = [
        (left_out, *reading)
        for left_out, most in ((0, _MAX_BEGINNING), (1, 0))
        if prompt_tokens - left_out <= len(names)
        if (reading := _reading(names[: prompt_tokens - left_out], prompt + text, most))
    ]
    if len(readings) > 1:
        # The last tokens of the prompt and the generated ones are nameless.
        readings = [reading for reading in readings if prompt_tokens - reading[0] == len(names) - (generated or 0)]
    if len(readings) != 1:
        shown = shortened(", ".join(map(repr, names[:prompt_tokens])), _MAX_SHOWN)
        raise EchoError(f"the names of the tokens in the echo do not make up the text in one way: {shown}")
    [(left_out, beginning, ends)] = readings
    boundary = len(prompt.encode())
    first = next(i for i, (low, _) in enumerate(ends) if low > boundary)
    # Without a prompt, the size of the first token must be known, because it is not scored.
    is_known = all(high <= boundary for _, high in ends[:first]) if prompt else ends[0][0] == ends[0][1]
    if not is_known:
        problem = f"the server does not show which bytes of {text[:1]!r} are those of the first token"
        raise EchoError(f"{problem}; start the text with an ASCII letter or a space")
    places = _places(ends, prompt + text)
    return Echo(beginning + first, places[first:], left_out)


def _reading(names: Sequence[str], text: str, most: int) -> tuple[int, list[tuple[int, int]]] | None:
    """Return the number of tokens that begin every text, at most this many, and where the other tokens may end; None if
    the names do not make up the text."""
    for beginning in range(min(most + 1, len(names))):
        if all(name.strip(REPLACEMENT) for name in names[:beginning]) and (ends := token_ends(names[beginning:], text)):
            return beginning, ends
    return None


def _places(ends: Sequence[tuple[int, int]], text: str) -> list[TokenPlace]:
    """Return the places of tokens. If the end of one is unknown, it is taken to be that of a character, so that a
    character of several tokens belongs to the last one."""
    boundaries = {0, *accumulate(len(character.encode()) for character in text)}
    places, start, is_certain = [], 0, True
    for low, high in ends:
        stop = low if low == high else next(end for end in range(high, -1, -1) if end in boundaries)
        places.append(TokenPlace(start, stop, is_certain))
        start, is_certain = stop, low == high
    return places


@dataclass(frozen=True)
class _Step:
    """A way from one name to the next in a text: between them are `nameless` tokens. The first name ends, and the
    second one starts and ends, after these numbers of characters."""

    before: int
    start: int
    stop: int


def token_ends(names: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """Return where each token of a text may end: the smallest and the largest number of bytes; None if the names do
    not make up the text.

    >>> token_ends(["The", "cat", "", " sat"], "The cat日 sat"), token_ends(["The", " dog"], "The cat")
    ([(3, 3), (7, 9), (8, 10), (14, 14)], None)
    >>> token_ends(["", "", "日", "!"], "日!")
    [(1, 1), (2, 2), (3, 3), (4, 4)]
    """
    sizes = [0, *accumulate(len(character.encode()) for character in text)]
    cores = [name.strip(REPLACEMENT) for name in names]
    named = [i for i, core in enumerate(cores) if core]
    # The ways to each name, and to the end of the text.
    layers: list[list[_Step]] = []
    stops = {0}
    for previous, i in zip([-1, *named], [*named, len(names)], strict=True):
        core, nameless = cores[i] if i < len(names) else None, i - previous - 1
        layers.append([step for stop in stops for step in _steps(text, sizes, stop, core, nameless)])
        stops = {step.stop for step in layers[-1]}
    if not stops:
        return None
    ends = [(len(text.encode()), 0)] * len(names)
    for previous, i, layer in reversed([*zip([-1, *named], [*named, len(names)], layers, strict=True)]):
        for step in (step for step in layer if step.stop in stops):
            core = cores[i] if i < len(names) else ""
            for token, (low, high) in enumerate(_ends(step, sizes, text, core, i - previous - 1), previous):
                if token >= 0:
                    ends[token] = min(ends[token][0], low), max(ends[token][1], high)
        stops = {step.before for step in layer if step.stop in stops}
    return ends


def _steps(text: str, sizes: Sequence[int], before: int, core: str | None, nameless: int) -> Iterator[_Step]:
    """Yield the ways to the next name, None for the end of the text."""
    # Two names share a character between them. Only a blank may be missing at the start of the text.
    most = nameless + (core is not None and (before > 0 or text.startswith(" ")))
    for start in range(before, min(before + most, len(text)) + 1):
        # A visible character of ASCII is a token or a part of a name.
        if start > before and "!" <= text[start - 1] <= "~":
            break
        if start == len(text) if core is None else text.startswith(core, start):
            step = _Step(before, start, start + len(core or ""))
            if _last_end(step, sizes, core or "", nameless) - sizes[before] >= nameless:
                yield step


def _last_end(step: _Step, sizes: Sequence[int], core: str, nameless: int) -> int:
    """Return where the last nameless token before a name ends at the latest.

    Each token has at least one byte. If what is skipped has too few, the others are a part of the next name, up to its
    last character outside ASCII.
    """
    skipped = sizes[step.start] - sizes[step.before]
    if nameless <= skipped or core.isascii():
        return sizes[step.start]
    last = max(i for i, character in enumerate(core) if not character.isascii())
    return sizes[step.start + last + 1] - 1


def _ends(step: _Step, sizes: Sequence[int], text: str, core: str, nameless: int) -> Iterator[tuple[int, int]]:
    """Yield the smallest and the largest end of the name before a step, and of each nameless token after it."""
    low, high = sizes[step.before], _last_end(step, sizes, core, nameless)
    is_split = high == sizes[step.start] and not text[step.before : step.start].isascii()
    yield low, high - nameless if is_split else low
    for k in range(1, nameless + 1):
        # What is skipped ends with the last nameless token if no name follows.
        yield (low + k if core or k < nameless else high), high - (nameless - k)


def agree(first: Block, second: Block) -> bool:
    """Return whether two lists of the same distribution agree on the most probable token and its log-probability.

    A list that is keyed by text has only one of several tokens with the same name: the drawn one, or else always the
    same one. So the drawn tokens are left out, and also the names of parts of a character.
    """
    blocks = (first, second)
    drawn = {block.labels[block.partial.index] for block in blocks if block.labels and block.partial}
    lists = [_logprobs(block) for block in blocks]
    others = [{name: number for name, number in names.items() if name not in drawn} for names in lists]
    one, other = others if all(others) else lists
    best = {max(names, key=lambda name: names[name]) for names in (one, other) if names}
    return all(name in one and name in other and abs(one[name] - other[name]) <= _CLOSE for name in best)


def _logprobs(block: Block) -> dict[str, float]:
    """Return the log-probabilities of the listed tokens by their names: the highest one of equal names."""
    assert block.labels
    assert block.partial
    pairs = sorted(zip(block.partial.logprobs.tolist(), block.labels, strict=True))
    return {label: logprob for logprob, label in pairs if label and not is_partial(label)}
