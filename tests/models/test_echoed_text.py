"""Which tokens of an echo are those of the text, from the names that servers write for them."""

import itertools
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pytest

from cases import each_case
from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.models.echoed_text import EchoError, agree, echo_of, token_ends

Names = Callable[[Sequence[bytes]], list[str]]


def replaced(tokens: Sequence[bytes]) -> list[str]:
    """SGLang, text-generation-webui, vLLM before 2025."""
    return [token.decode(errors="replace") for token in tokens]


def ignored(tokens: Sequence[bytes]) -> list[str]:
    """llama-cpp-python."""
    return [token.decode(errors="ignore") for token in tokens]


def stripped(tokens: Sequence[bytes]) -> list[str]:
    """Servers of SentencePiece's models."""
    return [name.removeprefix(" ") for name in replaced(tokens)]


def completed(tokens: Sequence[bytes]) -> list[str]:
    """vLLM since 2025: the last part of a character has the name of the whole text of the parts."""
    names, parts = [], b""
    for token in tokens:
        parts += token
        try:
            names.append(parts.decode())
            parts = b""
        except UnicodeDecodeError:
            names.append("")
    return names


CONVENTIONS = (replaced, ignored, stripped, completed)


def split(text: str, random: Random, *, whole: bool) -> list[bytes]:
    """Return random tokens of a text: words with the blank before them, of which some characters outside ASCII are
    single bytes if `whole`, and are split anywhere otherwise."""
    tokens = []
    for word in text.replace(" ", "\0 ").split("\0"):
        data = word.encode()
        cuts = {0, len(data)}
        for i, byte in enumerate(data):
            if byte >= 0x80 and (whole or random.random() < 0.5):
                cuts |= {i, i + 1} if whole else {i + random.randrange(2)}
        places = sorted(cuts)
        tokens += [data[a:b] for a, b in itertools.pairwise(places) if a < b]
    return tokens


@each_case("names", [replaced, ignored, completed])
@each_case("begins", [[], ["<s>"], ["[gMASK]", "<sop>"], None])
def test_tokens_of_single_bytes_are_found(names: Names, begins: list[str] | None) -> None:
    """The token that begins every text may be listed or not; without a name in the list, it still counts."""
    random = Random(1)
    for text in ("the cat sat", "a café 🙂 there", "日本 is far", "so 🙂🙂", "日日本本日"):
        tokens = split(text, random, whole=True)
        listed = [*(begins or []), *names([*tokens, b" end"])]
        usage = {"prompt_tokens": len(tokens) + (1 if begins is None else len(begins)), "completion_tokens": 1}
        starts = [len(b"".join(tokens[:i])) for i in range(len(tokens))]
        for cut in range(len(text)):
            boundary = len(text[:cut].encode())
            first = next(i for i, token in enumerate(tokens) if starts[i] + len(token) > boundary)
            echo = echo_of(listed, usage, text[:cut], text[cut:])
            assert (echo.first - len(begins or []), echo.unlisted) == (first, int(begins is None))
            assert [place.start for place in echo.places] == starts[first:]


@pytest.mark.parametrize("text", ["日日本", "🙂🙂 a", "éé"])
def test_characters_that_are_tokens_begin_no_other_text(text: str) -> None:
    """Only a name that is not in the text is that of a token which begins every text."""
    echo = echo_of([*text, "!"], {"prompt_tokens": len(text)}, text[:1], text[1:])
    assert (echo.first, len(echo.places)) == (1, len(text) - 1)


@pytest.mark.parametrize("names", CONVENTIONS)
def test_places_are_right_or_unknown(names: Names) -> None:
    random, known = Random(2), 0
    alphabet = ["a", "b", " ", " ", "é", "日", "🙂"]
    for _ in range(300):
        text = "".join(random.choices(alphabet, k=random.randrange(2, 9)))
        tokens = split(text, random, whole=False)
        ends = np.cumsum([len(token) for token in tokens]).tolist()
        limits = token_ends(names(tokens), text)
        # Names may hide more than a character, which is then an error.
        for end, (low, high) in zip(ends, limits or [], strict=False):
            assert low <= end <= high
        cut = random.randrange(len(text))
        try:
            echo = echo_of([*names(tokens), "!"], {"prompt_tokens": len(tokens)}, text[:cut], text[cut:])
        except EchoError:
            continue
        known += 1
        boundary = len(text[:cut].encode())
        assert echo.first == next(i for i, end in enumerate(ends) if end > boundary)
        starts = [0, *ends][echo.first :]
        assert all(place.start == start for place, start in zip(echo.places, starts, strict=False) if place.is_certain)
    assert known > 100


@each_case(
    ("names", "usage", "problem"),
    [
        (["the", " cat"], {"prompt_tokens": 2}, "do not make up the text in one way: 'the', ' cat'"),
        (["the", " cat", " sit"], {"prompt_tokens": 3}, "do not make up the text"),
        (["the", " cat", "", " sat"], {"prompt_tokens": 4}, "do not make up the text"),
        ([], {"prompt_tokens": 3}, "do not make up the text"),
        (["the", " cat", " sat", "!"], {"prompt_tokens": 0}, "the number of tokens of the prompt"),
        (["the", " cat", " sat"], {"prompt_tokens": 5}, "do not make up the text"),
        (["the", " cat", " sat"], {}, "the number of tokens of the prompt"),
        (["the", " cat", " sat"], None, "the number of tokens of the prompt"),
        (["the", " cat", " sat"], {"prompt_tokens": True}, "the number of tokens of the prompt"),
        (["the", " cat", " sat"], {"prompt_tokens": 9}, "do not make up the text"),
    ],
)
def test_names_that_do_not_show_the_text(names: list[str], usage: object, problem: str) -> None:
    with pytest.raises(EchoError, match=problem):
        echo_of(names, usage, "the", " cat sat")


def test_unknown_size_of_the_first_token() -> None:
    """The bytes of a character may be those of two tokens in several ways."""
    for prompt, text in (("", "🙂 so"), ("the", "🙂 so")):
        names = [*["the"] * bool(prompt), "", "", " so", "!"]
        with pytest.raises(EchoError, match="which bytes of '🙂' are those of the first token; start the text with"):
            echo_of(names, {"prompt_tokens": len(names) - 1}, prompt, text)


def test_nameless_tokens_at_the_end_of_the_prompt_are_counted() -> None:
    """The first generated token may be a part of a character, too."""
    names = ["so", " ", "", "", "", "", ""]
    assert len(echo_of(names, {"prompt_tokens": 6, "completion_tokens": 1}, "", "so 🙂").places) == 6
    assert len(echo_of(names, {"prompt_tokens": 6, "completion_tokens": 2}, "", "so 🙂").places) == 5
    with pytest.raises(EchoError, match="do not make up the text in one way"):
        echo_of(names, {"prompt_tokens": 6}, "", "so 🙂")


def block(drawn: str, **numbers: float) -> Block:
    logprobs = np.array(list(numbers.values()))
    partial = PartialDistribution(logprobs, list(numbers).index(drawn), -9.0)
    return Block(logprobs[np.newaxis], tuple(numbers), partial=partial)


def test_lists_of_one_distribution_agree_whatever_was_drawn() -> None:
    """A list that is keyed by text has the number of the drawn one of two tokens with the name dog."""
    listed = block("dog", a=-1.0, b=-2.0, dog=-7.0)
    assert agree(listed, block("dog", a=-1.1, b=-2.0, dog=-0.5))
    assert not agree(listed, block("dog", a=-2.0, b=-2.0, dog=-7.0))
    assert not agree(block("a", a=-1.0), block("a", a=-2.0))
