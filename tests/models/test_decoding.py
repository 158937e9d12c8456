"""Decoding, with models that are small enough to write down."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest

from cases import each_case
from tsoft.core.block import Block
from tsoft.core.draw import generator
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.features.generate.diversity import distinct, repeated, summary
from tsoft.models.decoding import BeamSearch, SequenceDecoder, greedy_token, run_decoders, token_sampler
from tsoft.models.generated_text import END, INTERRUPTED, LENGTH, STOP, ChosenClass, GeneratedText, TextLimits
from tsoft.models.ngram import Ngram
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.sampling.chain import chain_of
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.step import PartialDistributionError

WORDS = (b"a", b"b", b"\xe2\x82", b"\xac", b"")
LAST = len(WORDS) - 1


def test_rank_in_a_server_s_list() -> None:
    """The last token, which the server drew, is not one of its most probable: unlisted ones may precede it."""
    logprobs = np.log([0.3, 0.5, 0.01])
    partial = PartialDistribution(logprobs, 2, float(logprobs[0]))
    distribution = NextDistribution(Block(logprobs[np.newaxis], partial=partial))
    assert [distribution.rank(index) for index in range(3)] == [2, 1, ">2"]


@dataclass
class Markov:
    """A model whose next token depends on the last token only.

    `logits` has a row per token, and one for an empty text. The last token ends a text.
    """

    logits: Array
    requested: list[list[Tokens]] = field(default_factory=list)

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        self.requested.append(list(texts))
        return [NextDistribution(Block(self.logits[np.newaxis, text[-1] if text else -1])) for text in texts]

    def logprob(self, tokens: Sequence[int]) -> float:
        """Return the log-probability of a sequence, in plain Python."""
        total = 0.0
        for before, token in itertools.pairwise([-1, *tokens]):
            row = self.logits[before].tolist()
            total += row[token] - math.log(sum(map(math.exp, row)))
        return total


def limits(most: int, stops: tuple[bytes, ...] = (), alternatives: int = 0) -> TextLimits:
    return TextLimits(WORDS.__getitem__, lambda token: token == LAST, most, stops, alternatives)


def markov(seed: int, spread: float = 1.0) -> Markov:
    return Markov(np.random.default_rng(seed).normal(0, spread, (len(WORDS) + 1, len(WORDS))))


def ended(most: int) -> list[Tokens]:
    """Return every sequence with which a search may end: with the end token, or of the maximum length."""
    others = range(LAST)
    sequences = [(*body, LAST) for length in range(most) for body in itertools.product(others, repeat=length)]
    return sequences + list(itertools.product(others, repeat=most))


def text_of(search: SequenceDecoder | BeamSearch) -> Tokens:
    return search.texts[0].all_tokens


@pytest.mark.parametrize("seed", range(6))
def test_wide_beam_finds_the_best_of_all_sequences(seed: int) -> None:
    model, most = markov(seed, 2.0), 4
    best = max(ended(most), key=model.logprob)
    beam = BeamSearch(GeneratedText(()), 5**most, 0.0, limits(most))
    for _ in run_decoders(model.next, [beam]):
        pass
    assert text_of(beam) == best
    assert beam.texts[0].logprob == pytest.approx(model.logprob(best), abs=1e-12)


@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0, 2.0])
def test_wide_beam_orders_all_sequences_by_score(penalty: float) -> None:
    model, most = markov(3, 1.5), 3
    expected = sorted(ended(most), key=lambda tokens: model.logprob(tokens) / len(tokens) ** penalty, reverse=True)
    beam = BeamSearch(GeneratedText(()), 200, penalty, limits(most))
    for _ in run_decoders(model.next, [beam]):
        pass
    assert [text.all_tokens for text in beam.texts] == expected
    scores = [model.logprob(tokens) / len(tokens) ** penalty for tokens in expected]
    assert [beam.score(text) for text in beam.texts] == pytest.approx(scores, abs=1e-12)


def test_beam_of_two_beats_greedy() -> None:
    """Greedy takes the token with 0.6 rather than 0.4, but all tokens after it are unlikely."""
    rows = np.log([[0.3, 0.3, 0.2, 0.2], [0.01, 0.97, 0.01, 0.01], [0.25] * 4, [0.25] * 4, [0.6, 0.4, 1e-9, 1e-9]])
    model = Markov(np.column_stack([rows, np.full(5, -40.0)])[[0, 1, 2, 3, 3, 4]])
    greedy, beam = (
        SequenceDecoder(GeneratedText(()), greedy_token, limits(2)),
        BeamSearch(GeneratedText(()), 2, 0.0, limits(2)),
    )
    for _ in run_decoders(model.next, [greedy, beam]):
        pass
    assert text_of(greedy) == (0, 0)
    assert text_of(beam) == (1, 1)
    assert beam.texts[0].logprob - greedy.texts[0].logprob == pytest.approx(
        math.log(0.4 * 0.97 / (0.6 * 0.3)), abs=1e-6
    )


@each_case("width", [1, 2, 3, 6])
@each_case("penalty", [0.0, 0.7, 2.0])
def test_beam_keeps_its_width_and_order(width: int, penalty: float) -> None:
    model, most = markov(width, 1.5), 5
    greedy = SequenceDecoder(GeneratedText((0,)), greedy_token, limits(most))
    beam = BeamSearch(GeneratedText((0,)), width, penalty, limits(most))
    for _ in run_decoders(model.next, [greedy, beam]):
        assert len(beam.requested) <= width
    assert len(beam.texts) == len({text.all_tokens for text in beam.texts}) <= width
    assert all(text.finish in (END, LENGTH) for text in beam.texts)
    scores = [beam.score(text) for text in beam.texts]
    assert scores == sorted(scores, reverse=True)
    # Ended texts do not displace unfinished ones, so the beam may find a better text than greedy.
    if width == 1 and penalty == 0:
        assert beam.texts[0].logprob >= greedy.text.logprob - 1e-12


def test_round_limits_texts_but_has_at_least_one_decoder() -> None:
    """Each decoder gets the same texts as if it ran alone."""
    model = markov(2)
    widths = (1, 60, 3, 64)
    beams = [BeamSearch(GeneratedText((i,)), width, 0.0, limits(4)) for i, width in enumerate(widths)]
    for _ in run_decoders(model.next, beams):
        pass
    assert max(map(len, model.requested)) == 64
    mixed = [texts for texts in model.requested if len({text[0] for text in texts}) > 1]
    assert len(mixed) > 1
    assert max(map(len, mixed)) <= 63
    for i, beam in enumerate(beams):
        alone = BeamSearch(GeneratedText((i,)), widths[i], 0.0, limits(4))
        for _ in run_decoders(model.next, [alone]):
            pass
        assert [text.all_tokens for text in beam.texts] == [text.all_tokens for text in alone.texts]


@pytest.mark.parametrize(("penalty", "best"), [(0.0, (LAST,)), (1.0, (0, 0, 0))])
def test_ended_text_does_not_displace_an_unfinished_one(penalty: float, best: Tokens) -> None:
    """The end is most probable at first. Other texts almost certainly continue, so their mean per token is higher."""
    rows = np.full((len(WORDS) + 1, len(WORDS)), -30.0)
    rows[-1, [LAST, 0]] = np.log([0.6, 0.4])
    rows[0, 0] = 0.0
    model = Markov(rows)
    beam = BeamSearch(GeneratedText(()), 1, penalty, limits(3))
    for _ in run_decoders(model.next, [beam]):
        pass
    assert text_of(beam) == best
    scores = {tokens: model.logprob(tokens) / len(tokens) ** penalty for tokens in ((LAST,), (0, 0, 0))}
    assert max(scores, key=scores.__getitem__) == best


def test_round_calls_the_model_once() -> None:
    model = markov(1)
    decoders = [
        SequenceDecoder(GeneratedText((0,)), token_sampler(1.0, lambda *_: None, generator(1, n, 2)), limits(4))
        for n in range(3)
    ]
    count = sum(1 for _ in run_decoders(model.next, decoders))
    assert len(model.requested) == count <= 4
    assert model.requested[0] == [(0,)] * 3
    assert all(decoder.text.finish in (END, LENGTH) for decoder in decoders)


@each_case("seed", range(3))
@each_case("tau", [0.0, 0.3, 1.0, 2.0, math.inf])
def test_generated_token_has_its_probability_and_alternatives(seed: int, tau: float) -> None:
    model = markov(seed)
    decoder = SequenceDecoder(
        GeneratedText(()), token_sampler(tau, lambda *_: None, generator(seed, 0, 2)), limits(6, alternatives=2)
    )
    for _ in run_decoders(model.next, [decoder]):
        pass
    before = -1
    for step in decoder.text.generated:
        row = model.logits[before]
        weights = np.exp((row - row.max()) / tau) if tau else (row == row.max()).astype(float)
        assert step.prob == pytest.approx(weights[step.token] / weights.sum(), rel=1e-12)
        logprobs = row - np.log(np.exp(row).sum())
        assert step.logprob == pytest.approx(logprobs[step.token], abs=1e-12)
        assert [token for token, _ in step.alternatives] == np.argsort(-row)[:2].tolist()
        assert [logprob for _, logprob in step.alternatives] == pytest.approx(
            np.sort(logprobs)[:-3:-1].tolist(), abs=1e-12
        )
        before = step.token
    assert decoder.text.logprob == pytest.approx(model.logprob(decoder.text.all_tokens), abs=1e-12)


def test_sampled_frequencies_match_the_model() -> None:
    """The chi-square test of 1000 first tokens fails once in a million runs."""
    from scipy.special import chdtrc

    model, most = markov(5), limits(1)
    [first] = model.next([()])
    counts = np.zeros(len(WORDS))
    for n in range(1000):
        decoder = SequenceDecoder(GeneratedText(()), token_sampler(0.7, lambda *_: None, generator(9, n, 2)), most)
        decoder.advance([first])
        counts[decoder.text.generated[0].token] += 1
    weights = np.exp(model.logits[-1] / 0.7)
    expected = 1000 * weights / weights.sum()
    assert chdtrc(len(WORDS) - 1, ((counts - expected) ** 2 / expected).sum()) > 1e-6


def scripted(tokens: Sequence[int], most: int = 99, stops: tuple[bytes, ...] = ()) -> GeneratedText:
    """Return a text of these tokens, up to its end."""
    rules, text = limits(most, stops), GeneratedText((0,))
    for token in tokens:
        if text.finish is not None:
            break
        text = rules.extended(text, NextDistribution(Block(np.zeros((1, len(WORDS))))), ChosenClass(token, 0.2))
    return text


@each_case(
    ("tokens", "most", "stops", "data", "steps", "finish"),
    [
        ((0, 1, LAST, 0), 9, (), b"ab", 3, END),
        ((0, 1, 0, 0), 3, (), b"aba", 3, LENGTH),
        ((0, LAST), 2, (), b"a", 2, END),
        ((0, 1, 0, 1), 9, (b"ba",), b"a", 1, STOP),
        ((0, 1, 0, 1), 9, (b"a",), b"", 0, STOP),
        ((0, 1, 0, 1), 2, (b"b",), b"a", 1, STOP),
        ((1, 0, 1), 9, (b"zz", b"ab", b"b"), b"", 0, STOP),
        # A token that remains in part is a token of the text.
        ((0, 2, 3, 1), 9, (b"\x82\xac",), b"a\xe2", 2, STOP),
        ((2, 3, 0), 9, ("€".encode(),), b"", 0, STOP),
        ((0, 1), 9, (b"c",), b"ab", 2, None),
    ],
)
def test_text_ends_at_its_limits(
    tokens: Tokens, most: int, stops: tuple[bytes, ...], data: bytes, steps: int, finish: str | None
) -> None:
    text = scripted(tokens, most, stops)
    assert (text.data, len(text.generated), text.finish) == (data, steps, finish)
    assert text.tokens == tuple(token for token in tokens[:steps] if token != LAST)


def test_stopped_decoder_keeps_its_texts() -> None:
    model = markov(2)
    decoder = SequenceDecoder(GeneratedText(()), greedy_token, limits(50))
    beam = BeamSearch(GeneratedText(()), 3, 0.0, limits(50))
    model.logits[:, LAST] = -30
    for _ in itertools.islice(run_decoders(model.next, [decoder, beam]), 4):
        pass
    best = beam.texts[0].all_tokens
    for search in (decoder, beam):
        search.stop(INTERRUPTED)
        assert search.requested == []
        assert {text.finish for text in search.texts} == {INTERRUPTED}
    assert len(decoder.text.generated) == 4
    assert beam.texts[0].all_tokens == best


def test_partial_distribution_with_token_numbers() -> None:
    """A class without a known probability is never chosen."""
    logprobs = np.log([0.5, 0.3, 0.1])
    given_ = PartialDistribution(np.array([*logprobs, np.nan]), 0, logprobs[2])
    block = Block(np.array([[*logprobs, -np.inf]]), ("x", "y", "z", "?"), partial=given_)
    next_ = NextDistribution(block, np.array([7, 5, 3, 9]))
    assert [next_.token(index) for index, _ in next_.best(9)] == [7, 5, 3]
    assert next_.logprob(1) == np.log(0.3)
    choice = greedy_token(next_, GeneratedText(()))
    index, prob = choice.index, choice.prob
    assert next_.token(index) == 7
    assert prob == pytest.approx(0.5)


def test_samplers_draw_from_a_partial_distribution_only_if_it_is_exact() -> None:
    logprobs = np.log([0.5, 0.3, 0.1])
    block = Block(logprobs[np.newaxis], ("x", "y", "z"), partial=PartialDistribution(logprobs, 0, logprobs[2]))
    top_p = chain_of(None, None, [SAMPLERS["temperature"], SAMPLERS["top_p"]], {"top_p": 0.7})
    exact = token_sampler(1.0, lambda *_: top_p, np.random.default_rng(1))
    choices = [exact(NextDistribution(block), GeneratedText(())) for _ in range(50)]
    drawn = {choice.index: choice.prob for choice in choices}
    assert drawn.keys() == {0, 1}
    assert drawn[0] == pytest.approx(0.5 / 0.8, rel=1e-6)
    undecided = token_sampler(2.0, lambda *_: top_p, np.random.default_rng(1))
    with pytest.raises(PartialDistributionError, match="do not determine the distribution after the samplers"):
        undecided(NextDistribution(block), GeneratedText(()))


def test_best_classes_equal_those_of_a_sort() -> None:
    row = np.random.default_rng(1).integers(0, 50, 1000).astype(np.float32)
    row[::7] = -np.inf
    best = NextDistribution(Block(row[np.newaxis])).best(30)
    assert [index for index, _ in best] == np.argsort(-row, kind="stable")[:30].tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_diversity_equals_its_definition(n: int) -> None:
    random = Random(n)
    for length in range(n, 13):
        tokens = random.choices(range(4), k=length)
        grams = [tuple(tokens[i : i + n]) for i in range(length - n + 1)]
        assert distinct(tokens, n) == len({*grams}) / len(grams)
        assert repeated(tokens, n) == pytest.approx(sum(gram in grams[:i] for i, gram in enumerate(grams)) / len(grams))
    assert math.isnan(distinct(tokens[: n - 1], n))
    assert math.isnan(repeated(tokens[: n - 1], n))


def test_summary_is_a_mean_over_texts() -> None:
    one, two = scripted((0, 1, LAST)), scripted((0, 0, 0, 0, 0, 1), 6)
    result = summary([one, two])
    logprob = math.log(1 / len(WORDS))
    assert result.tokens == (3 + 6) / 2
    assert result.logprob == pytest.approx(9 * logprob / 2)
    assert result.mean_logprob == pytest.approx(logprob)
    assert result.sequence_perplexity == pytest.approx(len(WORDS))
    # "ab" has two distinct tokens of two, and one pair. "aaaaab" has two distinct tokens of six, and two distinct
    # pairs of five; aaaa occurs twice among three 4-grams.
    assert (result.distinct_1, result.distinct_2) == pytest.approx(((1 + 2 / 6) / 2, (1 + 2 / 5) / 2))
    assert result.repeated_4 == pytest.approx(1 / 3)
    empty = summary([GeneratedText(())])
    assert (empty.tokens, empty.logprob) == (0, 0)
    assert math.isnan(empty.mean_logprob)


# A text with four different characters, so that all sequences can be tried.
SMALL = "bacaddddbadaddadcbacaaaadbdabddbcbbdcadabcacdbccdd"


def test_wide_beam_on_an_ngram_model() -> None:
    """The reference tries all 4^5 sequences after a prompt."""
    model, most = Ngram(SMALL, "char", 3, "small"), 5
    prompt = model.prompt("a")
    rules = TextLimits(model.piece, model.ends, most)
    greedy, beam = (
        SequenceDecoder(GeneratedText(prompt), greedy_token, rules),
        BeamSearch(GeneratedText(prompt), 4**4, 0.0, rules),
    )
    narrow = BeamSearch(GeneratedText(prompt), 1, 0.0, rules)
    for _ in run_decoders(model.next, [greedy, beam, narrow]):
        pass

    firsts = [tokens for length in range(most) for tokens in itertools.product(range(4), repeat=length)]
    rows = dict(zip(firsts, model.next([prompt + first for first in firsts]), strict=True))

    def logprob(tokens: Tokens) -> float:
        return float(sum(rows[tokens[:i]].block.logits[0, token] for i, token in enumerate(tokens)))

    every = {tokens: logprob(tokens) for tokens in itertools.product(range(4), repeat=most)}
    best = max(every, key=every.__getitem__)
    assert beam.texts[0].tokens == best
    assert greedy.text.tokens == narrow.texts[0].tokens != best
    assert beam.texts[0].logprob == pytest.approx(every[best], abs=1e-12)
    assert greedy.text.logprob == pytest.approx(every[greedy.text.tokens], abs=1e-12)
    assert every[best] > every[greedy.text.tokens] + 0.1
