"""The n-gram model: its numbers against the equations in Fractions, and its tokens against the text."""

import itertools
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import each_case
from characters import CHARACTERS
from tool import TESTS
from tsoft.errors import InputError, UsageError
from tsoft.models import ngram
from tsoft.models.kneser_ney import discounts, ngrams
from tsoft.models.model import Model
from tsoft.models.ngram import ORDERS, By, Ngram, pieces

# Few characters, so that histories repeat, and longer histories distinguish them.
TEXTS = st.text("ab .\nAé", min_size=1, max_size=60).filter(lambda text: bool(text.strip()))
BEGIN = ("begin",)

Gram = tuple[object, ...]


class Oracle:
    """The equations of Chen & Goodman 1999 for a sequence of pairs (word in a history, token)."""

    def __init__(self, text: Sequence[tuple[str, str]], order: int):
        self.vocabulary = sorted({token for _, token in text})
        self.order = order
        words = [word for word, _ in text]
        grams = [[(*words[i - k + 1 : i], text[i][1]) for i in range(k - 1, len(text))] for k in range(1, order + 1)]
        self.counts: list[dict[Gram, int]] = [dict(Counter(grams[order - 1]))]
        for k in range(order - 1, 0, -1):
            before: dict[Gram, set[object]] = defaultdict(set)
            for i, gram in enumerate(grams[k - 1]):
                before[gram].add(words[i - 1] if i else BEGIN)
            self.counts.insert(0, {gram: len(words) for gram, words in before.items()})
        self.taken = [self.discounts(counts) for counts in self.counts]

    @staticmethod
    def discounts(counts: dict[Gram, int]) -> tuple[Fraction, Fraction, Fraction]:
        n1, n2, n3, n4 = (sum(count == times for count in counts.values()) for times in (1, 2, 3, 4))
        if n1 == 0 or n2 == 0:
            return (Fraction(1, 2),) * 3
        y = Fraction(n1, n1 + 2 * n2)
        if n3 and n4:
            three = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
            if min(three) > 0:
                return three
        return (y, y, y)

    def prob(self, history: Sequence[str], token: str) -> Fraction:
        return self._prob(tuple(history[max(0, len(history) - self.order + 1) :]), token)

    def _prob(self, history: Gram, token: str) -> Fraction:
        lower = self._prob(history[1:], token) if history else Fraction(1, len(self.vocabulary))
        counts, taken = self.counts[len(history)], self.taken[len(history)]
        after = {other: counts[*history, other] for other in self.vocabulary if (*history, other) in counts}
        if not after:
            return lower
        backoff_mass = sum((taken[min(count, 3) - 1] for count in after.values()), Fraction(0))
        discounted = after[token] - taken[min(after[token], 3) - 1] if token in after else Fraction(0)
        return (discounted + backoff_mass * lower) / sum(after.values())


def logprobs(model: Ngram, prompt: str) -> dict[str, float]:
    """Return a model's log-probability of each token after a prompt."""
    distribution = model.next([model.prompt(prompt)])[0]
    assert distribution.block.labels is not None
    assert distribution.tokens is None
    return dict(zip(distribution.block.labels, distribution.block.logits[0].tolist(), strict=True))


def word(piece: str, by: By) -> str:
    return piece if by == "char" else piece.strip()


# The numbers.


@given(TEXTS, st.sampled_from(["word", "char"]), st.integers(1, 5), st.data())
def test_probabilities_equal_the_equations(text: str, by: By, order: int, data: st.DataObject) -> None:
    model = Ngram(text, by, order, "text")
    parts = pieces(text, by)
    oracle = Oracle([(word(piece, by), piece) for piece in parts], order)
    start = data.draw(st.integers(0, len(parts) - 1))
    stop = data.draw(st.integers(start, len(parts)))
    prompt = "".join(parts[start:stop])
    history = [text_ for piece in pieces(prompt, by) if (text_ := word(piece, by))]
    actual = logprobs(model, prompt)
    assert sorted(actual) == oracle.vocabulary
    for token, logprob in actual.items():
        assert logprob == pytest.approx(math.log(oracle.prob(history, token)), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize(("by", "order"), [("word", 2), ("char", 1), ("char", 3)])
def test_probabilities_after_a_text_with_all_discounts_equal_the_equations(by: By, order: int) -> None:
    text = (TESTS / "data/barn.txt").read_text()[:1000]
    model, parts = Ngram(text, by, order, "text"), pieces(text, by)
    oracle = Oracle([(word(piece, by), piece) for piece in parts], order)
    for stop in (0, 7, 50):
        history = [word(piece, by) for piece in parts[:stop]]
        for token, logprob in logprobs(model, "".join(parts[:stop])).items():
            assert logprob == pytest.approx(math.log(oracle.prob(history, token)), rel=1e-12)


@given(TEXTS, st.sampled_from(["word", "char"]), st.integers(1, 20), st.text("ab .\nAéx", max_size=30))
def test_probabilities_are_positive_and_sum_to_one(text: str, by: By, order: int, prompt: str) -> None:
    probs = np.exp(list(logprobs(Ngram(text, by, order, "text"), prompt).values()))
    assert (probs > 0).all()
    assert math.fsum(probs) == pytest.approx(1, rel=0, abs=1e-12)


def test_example_calculated_by_hand() -> None:
    """The pairs of "a b a c a b" are ab 2, ba 1, ac 1, ca 1.

    n_1 = 3 and n_2 = 1, so the discount is 3/5. After "a", "b" and "c" occur three times; the backoff is 2/5. "a"
    follows three tokens (the beginning, b, c), and b and c follow one each. n_2 = 0, so the discount is 1/2 of 5 each,
    and 3/10 goes to the three tokens equally.
    """
    single = {"a": 2.5 / 5 + 0.1, "b": 0.5 / 5 + 0.1, "c": 0.5 / 5 + 0.1}
    model = Ngram("abacab", "char", 2, "text")
    expected = {"a": 0.4 * 0.6, "b": 1.4 / 3 + 0.4 * 0.2, "c": 0.4 / 3 + 0.4 * 0.2}
    for prompt, probs in (("", single), ("a", expected), ("ca", expected), ("x", single), ("ax", single)):
        assert {token: math.exp(logprob) for token, logprob in logprobs(model, prompt).items()} == pytest.approx(probs)


@given(TEXTS, st.text("ab .x", max_size=5))
def test_order_one_counts_tokens(text: str, prompt: str) -> None:
    counts = Counter(text)
    taken = (0.0, *map(float, Oracle.discounts({(token,): count for token, count in counts.items()})))
    backoff_mass = sum(taken[min(count, 3)] for count in counts.values()) / len(text)
    for token, logprob in logprobs(Ngram(text, "char", 1, "text"), prompt).items():
        discounted = (counts[token] - taken[min(counts[token], 3)]) / len(text)
        assert math.exp(logprob) == pytest.approx(discounted + backoff_mass / len(counts))


@pytest.mark.parametrize("by", ["word", "char"])
def test_unknown_history_uses_its_longest_known_end(by: By) -> None:
    model = Ngram("the cat sat on the mat; the cat ate", by, 3, "text")
    after = [logprobs(model, prompt) for prompt in ("the cat", "xyz the cat", "xyz cat", "cat", "xyz", "")]
    assert after[0] == after[1]
    assert after[4] == after[5] != after[0]
    if by == "word":
        assert after[2] == after[3] != after[0]


def test_unknown_word_matches_no_history() -> None:
    model = ngrams(np.array([0, 1, 2, 0, 2, 1, 1, 0]), np.arange(3), 4)
    for history in ([3], [0, 3], [1, 0, 7], [3, 3, 3]):
        assert np.array_equal(model.logprobs(history), model.logprobs([]))
    for unknown, known in itertools.product(range(3, 14), range(3)):
        assert np.array_equal(model.logprobs([unknown, known]), model.logprobs([known]))
        assert np.array_equal(model.logprobs([0, unknown, known]), model.logprobs([known]))
    assert not np.array_equal(model.logprobs([0]), model.logprobs([]))


def test_columns_that_exceed_64_bits() -> None:
    """A row has at least 19 tokens, but 64 bits have room for only eleven."""
    random = np.random.default_rng(1)
    text = np.concatenate([random.integers(0, 40, 200)] * 3 + [random.integers(0, 40, 200)])
    text = np.unique(text, return_inverse=True)[1]
    order = 20
    model = ngrams(text, np.arange(text.max() + 1), order)
    oracle = Oracle([(str(token), str(token)) for token in text.tolist()], order)
    for stop in (20, 150, 399, 650):
        actual = np.exp(model.logprobs(text[:stop].tolist()))
        expected = [float(oracle.prob(list(map(str, text[:stop])), str(token))) for token in range(len(actual))]
        assert actual == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.integers(1, 6), max_size=60))
def test_discount_is_between_zero_and_the_count(counts: list[int]) -> None:
    actual = discounts(np.array(counts, int))
    assert actual[0] == 0
    assert (actual[1:] > 0).all()
    assert (actual[1:] < [1, 2, 3]).all()
    assert actual[1:] == pytest.approx(
        [float(discount) for discount in Oracle.discounts({(i,): c for i, c in enumerate(counts)})]
    )


def test_discount_that_would_be_zero_or_negative() -> None:
    """n_1 = 18, n_2 = 6 and n_3 = 4 make Y = 3/5 and D(2) = 4/5.

    With n_4 = 5, D(3+) would be 0, and with n_4 = 4 it is 3/5. With n_1 = 3 and n_2 = 1, D(2) would be negative.
    """
    for times in ((3, 1, 4, 5), (18, 6, 4, 5)):
        assert discounts(np.repeat([1, 2, 3, 4], times)).tolist() == [0, 0.6, 0.6, 0.6]
    assert discounts(np.repeat([1, 2, 3, 4], (18, 6, 4, 4))) == pytest.approx([0, 0.6, 0.8, 0.6])


# The text.


@given(st.text(CHARACTERS), st.sampled_from(["word", "char"]))
def test_joined_tokens_are_the_text(text: str, by: By) -> None:
    parts = pieces(text, by)
    assert "".join(parts) == text
    assert all(parts)
    if text.strip():
        model = Ngram(text, by, 2, "text")
        assert model.vocab_size == len(set(parts))
        assert b"".join(map(model.piece, model.prompt(text))).decode() == text


@given(TEXTS, st.text(CHARACTERS), st.sampled_from(["word", "char"]))
def test_prompt_may_be_any_text(text: str, prompt: str, by: By) -> None:
    model = Ngram(text, by, 3, "text")
    tokens = model.prompt(prompt)
    assert b"".join(map(model.piece, tokens)).decode() == prompt
    assert "".join(map(model.label, tokens)) == prompt
    assert model.prompt(prompt) == tokens
    assert not any(map(model.ends, tokens))
    assert len(model.next([tokens])[0].block.logits[0]) == model.vocab_size


WORDS = {
    "It's a well-known, old e-mail -- isn't it?": [
        "It's", " a", " well-known", ",", " old", " e-mail", " --", " isn't", " it", "?"
    ],
    "It’s l’été ‘here’": ["It’s", " l’été", " ‘", "here", "’"],
    "the dogs' 'bark’ in ’89": ["the", " dogs", "'", " '", "bark", "’", " in", " ’", "89"],
    "a\n\n  b\t\tc \n": ["a", "\n\n  b", "\t\tc", " \n"],
    "Wait... what?!": ["Wait", "...", " what", "?", "!"],
    "x_1 = 3.14": ["x_1", " =", " 3", ".", "14"],
    "café cafe\u0301s na\u0308ive": ["café", " cafe\u0301s", " na\u0308ive"],
    "हिन्दी भाषा": ["हिन्दी", " भाषा"],
    "我们 去LLM吧。": ["我", "们", " 去", "LLM", "吧", "。"],
    "カタカナです": list("カタカナです"),
    "한국어 단어": ["한국어", " 단어"],
    "ที่นี่": ["ที่", "นี่"],
    "🙂🙂 ok": ["🙂🙂", " ok"],
}  # fmt: skip


@each_case(("text", "words"), WORDS.items())
def test_tokens_by_word(text: str, words: list[str]) -> None:
    assert pieces(text, "word") == words


def test_history_ignores_blanks_by_word() -> None:
    model = Ngram("one two three.\none\ntwo four.\n  One two", "word", 3, "text")
    after = logprobs(model, "one two")
    for prompt in (" one two", "\n\none\ntwo", "one   two", "one two ", "\none two \n", "five one two"):
        assert logprobs(model, prompt) == after
    assert logprobs(model, "One two") != after
    assert sorted(after, key=after.__getitem__)[-2:] in ([" three", " four"], [" four", " three"])


def test_history_has_blanks_by_char() -> None:
    model = Ngram("ab a b a\nb", "char", 2, "text")
    assert logprobs(model, "a") != logprobs(model, "a ") != logprobs(model, "a\n")


# The model.


def test_ngram_is_a_model() -> None:
    model: Model = Ngram("the cat sat on the mat", "word", None, "cats.txt")
    assert model.name == "3-grams of cats.txt by word"
    assert (model.vocab_size, model.context_length) == (6, None)
    assert [model.label(token) for token in range(6)] == ["the", " cat", " sat", " on", " the", " mat"]
    assert model.prompt("") == ()
    assert model.prompt("the mat the") == (0, 5, 4)
    model.close()


def test_equal_texts_share_a_block() -> None:
    model = Ngram("the cat sat on the mat", "word", 2, "text")
    the, other = model.prompt("the"), model.prompt("on the")
    first, second, third = model.next([the, model.prompt("cat"), other])
    assert first.block.labels is second.block.labels is third.block.labels is model.next([()])[0].block.labels
    assert first.block.logits is third.block.logits
    assert (first.block.logits.shape, first.block.origin.quantity) == ((1, 6), "logprob")
    assert first.logprob(1) == pytest.approx(first.block.logits[0, 1])
    assert model.next([]) == []


def test_results_are_copies() -> None:
    model = Ngram("the cat sat", "word", 2, "text")
    for prompt in ("", "the", "xyz"):
        before = logprobs(model, prompt)
        model.next([model.prompt(prompt)])[0].block.logits[...] = 0
        assert logprobs(model, prompt) == before


def test_default_orders() -> None:
    for by, order in ORDERS.items():
        text = "".join(chr(ord("a") + i % 23) + " " * (i % 3 == 0) for i in range(300))
        prompt = text[:40]
        assert logprobs(Ngram(text, by, None, "text"), prompt) == logprobs(Ngram(text, by, order, "text"), prompt)


# Input.


def test_model_of_a_file(tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.txt", tmp_path / "marked.txt"
    plain.write_bytes("Où est\nle chat\n".encode())
    marked.write_bytes(b"\xef\xbb\xbf" + "Où est\r\nle chat\r\n".encode())
    models = [Ngram.of_file(str(file), "word", None) for file in (plain, marked)]
    assert models[0].name == f"3-grams of {plain} by word"
    assert logprobs(models[0], "est") == logprobs(models[1], "est")
    assert set(logprobs(models[0], "")) == {"Où", " est", "\nle", " chat", "\n"}


def test_model_of_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "stdin"
    for data, blank in (("one deux trois é".encode(), False), (b"", True)):
        file.write_bytes(data)
        with file.open(encoding="ascii") as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            if blank:
                with pytest.raises(InputError, match="stdin: cannot build a model from"):
                    Ngram.of_file("-", "char", 2)
            else:
                model = Ngram.of_file("-", "char", 2)
                assert model.name == "2-grams of stdin by char"
                assert model.label(model.prompt("é")[0]) == "é"


READ = {
    "empty": (b"", ": cannot build a model from an empty text"),
    "a mark alone": (b"\xef\xbb\xbf", ": cannot build a model from an empty text"),
    "blank": (b" \n\r\n\t", ": cannot build a model from whitespace"),
    "bytes": (b"\xef\xbb\xbfone\ntwo \xff\n", ":2: not UTF-8 text (byte 0xff); convert it to UTF-8"),
    "cut": (b"one\n\ntw" + "ö".encode()[:1], ":3: not UTF-8 text (byte 0xc3); convert it to UTF-8"),
    "NUL": (b"one\ntwo\0", ":2: not UTF-8 text (a NUL byte); convert it to UTF-8"),
    "half of UTF-16": ("one".encode("utf-16")[:-1], ": not UTF-16 text (truncated data); save it as UTF-8"),
}


@pytest.mark.parametrize("by", ["word", "char"])
@pytest.mark.parametrize(("data", "message"), READ.values(), ids=READ.keys())
def test_invalid_text(tmp_path: Path, data: bytes, message: str, by: By) -> None:
    file = tmp_path / "text"
    file.write_bytes(data)
    with pytest.raises(InputError) as caught:
        Ngram.of_file(str(file), by, None)
    assert str(caught.value) == f"{file}{message}"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: No such file or directory"):
        Ngram.of_file(str(tmp_path / "none"), "word", None)
    with pytest.raises(InputError, match=r"directory|denied"):
        Ngram.of_file(str(tmp_path), "word", None)


def test_invalid_order_and_prompt() -> None:
    with pytest.raises(UsageError, match="--order 0: an n-gram has at least 1 token"):
        Ngram("text", "word", 0, "text")
    with pytest.raises(UsageError, match="the prompt is not UTF-8 text"):
        Ngram("text", "word", 2, "text").prompt("caf\udce9")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_text_without_an_end_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^/dev/zero: the text is larger than 64 MB; pass a shorter one$"):
        Ngram.of_file("/dev/zero", "char", None)


def test_too_many_ngrams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram, "MAX_NGRAMS", 20)
    assert Ngram("abcde", "char", 4, "text").vocab_size == 5
    with pytest.raises(InputError, match=r"^text: 5-grams of 5 tokens are too many; .* limited to 20; pass a lower"):
        Ngram("abcde", "char", 5, "text")


@given(TEXTS, TEXTS, st.integers(1, 4), st.sampled_from(["word", "char"]))
def test_after_each_is_next_after_each_beginning(text: str, read: str, order: int, by: By) -> None:
    model = Ngram(text, by, order, "a text")
    tokens = model.prompt(read)
    for first in {1, len(tokens)}:
        following = [distribution.block.logits[0] for distribution in model.after_each(tokens, first)]
        expected = model.next([tokens[:end] for end in range(first, len(tokens) + 1)])
        assert np.array_equal(following, [distribution.block.logits[0] for distribution in expected])


def test_line_breaks_of_a_scored_text() -> None:
    model = Ngram("a b\nc", "word", None, "a text")
    assert model.prompted("a\r\n", "b\r\nc") == (model.prompt("a\n"), model.prompt("b\nc"))
    assert model.prompted(None, "a b") == ((), model.prompt("a b"))
