"""The tree of continuations, compared with all texts of a small model."""

import itertools
from math import inf, log

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax, logsumexp, softmax

from markov import PIECES, THE, Markov, Remote
from tsoft.core.block import Block
from tsoft.explorer.continuation_tree import LISTED, BranchLine, ContinuationTree, MoreLine, NextTokens, Path
from tsoft.explorer.sampler_state import SamplerState
from tsoft.models.tokens import NextDistribution
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.sampler_table import SAMPLERS

V = len(PIECES)


def next_tokens(next_: NextDistribution, tau: float = 1.0, top_k: int = 0) -> NextTokens:
    state = SamplerState.from_chain(None, tau)
    if top_k:
        state = state.with_value(SAMPLERS["top_k"].parameters[0], top_k)
    return NextTokens(next_, compute_distributions(next_.block, np.array([tau]), state.chain()))


def grown(model: Markov, depth: int, tau: float = 1.0, top_k: int = 0) -> ContinuationTree:
    """Return the tree with all branches of up to `depth` tokens open, and all tokens listed."""
    tree = ContinuationTree()
    paths: list[Path] = [()]
    for _ in range(depth):
        for path in paths:
            last = [THE, *tree.tokens(path)][-1]
            tree = tree.opened(path).with_next(path, next_tokens(model.after(last), tau, top_k)).with_more(path)
        paths = [(*path, rank) for path in paths for rank in range(len(tree.known[path]))]
    return tree


def branches(tree: ContinuationTree) -> list[BranchLine]:
    return [line for line in tree.lines if isinstance(line, BranchLine)]


@pytest.mark.parametrize(("tau", "top_k"), [(1.0, V), (0.5, 4), (3.0, 2), (inf, 3)])
def test_joint_probability_is_that_of_all_enumerated_texts(tau: float, top_k: int) -> None:
    """Each text of two or three tokens has the product of scipy's probabilities. The others are not offered."""
    model = Markov()
    z = model.table.copy()
    z[z < np.sort(z)[:, [-top_k]]] = -inf
    step = softmax(np.where(z > -inf, 0 if tau == inf else z / tau, -inf), axis=1)
    depth = 2 if top_k == V else 3
    expected = {}
    for text in itertools.product(range(V), repeat=depth):
        prob = np.prod([step[before, token] for before, token in itertools.pairwise((THE, *text))])
        if prob > 0:
            expected[text] = prob
    tree = grown(model, depth, tau, top_k)
    lines = [line for line in branches(tree) if len(line.path) == depth]
    found = {tree.tokens(line.path): line.likelihood for line in lines}
    assert found.keys() == expected.keys()
    for text, likelihood in found.items():
        assert likelihood.low == likelihood.high
        assert_allclose(np.exp(likelihood.high[0]), expected[text], rtol=1e-12)
    assert_allclose(sum(np.exp(likelihood.high[0]) for likelihood in found.values()), 1, rtol=1e-12)


def test_the_most_probable_token_comes_first_at_each_place() -> None:
    tree = grown(Markov(), 2)
    for path in [(), (0,), (5,)]:
        probs = [line.likelihood.high[0] for line in branches(tree) if line.path[:-1] == path]
        assert len(probs) == V
        assert probs == sorted(probs, reverse=True)


def test_equal_probabilities_are_in_the_order_of_the_logits() -> None:
    tokens = next_tokens(NextDistribution(Block(np.array([[1.0, 3.0, -inf, 2.0]]))), inf)
    assert [tokens.token(rank).index for rank in range(len(tokens))] == [1, 3, 0]


def test_at_tau_0_only_possible_tokens_are_offered() -> None:
    tokens = next_tokens(NextDistribution(Block(np.array([[1.0, 3.0, 3.0]]))), 0.0)
    assert [(tokens.token(rank).index, tokens.token(rank).likelihood.high[0]) for rank in range(2)] == [
        (1, -log(2)),
        (2, -log(2)),
    ]
    assert len(tokens) == 2


def test_tokens_of_a_large_vocabulary_are_listed_in_tokens() -> None:
    z = np.arange(25.0)
    tree = ContinuationTree().with_next((), next_tokens(NextDistribution(Block(z[np.newaxis])), 20.0))
    probs = softmax(z / 20)[::-1]
    for listed in (LISTED, 2 * LISTED, 25):
        *lines, more = tree.lines if listed < 25 else (*tree.lines, None)
        assert [line.token.index for line in lines if isinstance(line, BranchLine)] == list(range(24, 24 - listed, -1))
        if more is not None:
            assert isinstance(more, MoreLine)
            assert more.count == 25 - listed
            assert_allclose(more.prob, probs[listed:].sum())
        tree = tree.with_more(())


def test_closed_branch_keeps_what_is_known_and_an_open_unknown_one_waits() -> None:
    tree = grown(Markov(), 2)
    count = len(tree.lines)
    closed = tree.closed((3,))
    assert len(closed.lines) == count - V
    assert [line.path for line in closed.opened((3,)).lines] == [line.path for line in tree.lines]
    waiting = tree.opened((3, 1))
    assert waiting.is_waiting((3, 1))
    assert len(waiting.lines) == count
    assert not closed.is_waiting((3,))


def test_joint_probability_below_the_smallest_float_stays_exact() -> None:
    """A chain of 1200 improbable tokens, deeper than nested calls: the sum of the logarithms does not underflow."""
    z = np.array([[5.0, 0.0]])
    tree = ContinuationTree()
    path: Path = ()
    for _ in range(1200):
        tree = tree.opened(path).with_next(path, next_tokens(NextDistribution(Block(z))))
        path = (*path, 1)
    assert_allclose(tree.likelihood(path).high, 1200 * log_softmax(z[0])[1])
    deepest = branches(tree)[-1]
    assert deepest.path == path
    assert deepest.likelihood.low == tree.likelihood(path).low


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_server_that_lists_some_tokens_gives_bounds(tau: float) -> None:
    """The true joint probability, which the server does not show, is between the bounds. At its τ, they are equal."""
    model = Remote()
    z = model.table / tau
    tree = grown(model, 2, tau)
    assert len(branches(tree)) == 5 + 5 * 5
    for line in branches(tree):
        texts = (THE, *tree.tokens(line.path))
        truth = sum(z[before, token] - logsumexp(z[before]) for before, token in itertools.pairwise(texts))
        low, high = float(line.likelihood.low[0]), float(line.likelihood.high[0])
        assert low - 1e-6 <= truth <= high + 1e-6
        assert (low == high) == (tau == 1)
    more = [line for line in tree.lines if isinstance(line, MoreLine)]
    # After each branch, a line says that other tokens may follow.
    assert [(line.count, np.isnan(line.prob)) for line in more] == [(0, True)] * 6


def test_server_with_a_sampler_that_keeps_only_listed_tokens_is_exact() -> None:
    model = Remote()
    tree = grown(model, 2, 0.7, 2)
    assert not any(isinstance(line, MoreLine) for line in tree.lines)
    for before, tokens in [(THE, tree.known[()]), (tree.tokens((1,))[0], tree.known[(1,)])]:
        top = np.sort(model.table[before])[:-3:-1] / 0.7
        assert_allclose(
            [tokens.token(rank).likelihood.low[0] for rank in range(len(tokens))], log_softmax(top), rtol=1e-6
        )


def test_choices_of_a_branch_have_the_known_distributions() -> None:
    model = Markov()
    tree = grown(model, 2)
    choices = tree.choices((2, 4))
    first, second = tree.branch((2, 4))
    assert [choice.index for choice in choices] == [first.index, second.index]
    assert_allclose(
        [choice.prob for choice in choices],
        [softmax(model.table[THE])[first.index], softmax(model.table[first.index])[second.index]],
    )
    assert choices[0].following is tree.known[(2,)].next_
    assert choices[1].following is None
