"""The bounds of a partial distribution contain the true probabilities, and extreme distributions reach them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tsoft
from cases import each_case
from tool import TESTS
from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.features.compute.text_likelihoods import TextLikelihoods
from tsoft.sampling.apply_chains import compute_distributions

TAUS = np.array([0.0, 1e-300, 0.01, 0.3, 0.7, 0.999, 1.0, 1.001, 1.5, 3.0, 100.0, 1e300, np.inf])


def hidden(logs: Array, k: int, draw: int, *, classes: bool, tau: float = 1.0) -> tuple[PartialDistribution, list[int]]:
    """Return what a server lists of a distribution, and the indices of the listed classes.

    The server lists the k most probable classes, and then the drawn class if it is not one of them.
    """
    tokens = (-logs).argsort(kind="stable")[:k].tolist()
    tokens += [] if draw in tokens else [draw]
    cap = float(logs[tokens[:k]].min())
    return PartialDistribution(
        logs[tokens], tokens.index(draw), cap, classes=len(logs) if classes else None, tau=tau
    ), tokens


LOGITS = st.lists(st.floats(-30, 30), min_size=2, max_size=30).map(np.array)


@given(LOGITS, st.integers(1, 30), st.integers(0, 29), st.booleans(), st.sampled_from([1.0, 0.5, 2.0]))
def test_the_bounds_contain_the_true_probabilities(
    logits: Array, k: int, draw: int, classes: bool, applied: float
) -> None:
    """At any temperature, also if the server has applied one, and if the drawn token follows the list."""
    logs = tsoft.log_softmax(logits)
    partial, tokens = hidden(logs, min(k, len(logs)), draw % len(logs), classes=classes, tau=applied)
    low, high = partial.log_bounds(TAUS)
    truth = tsoft.log_softmax(logs, TAUS / applied)[:, tokens]
    listed_only = tsoft.log_softmax(logs[tokens], TAUS / applied)
    rounding = 1e-14 * (1 + np.where(np.isfinite(truth), abs(truth), 0))
    assert (low <= truth + rounding).all()
    assert (truth <= high + rounding).all()
    assert (high <= listed_only + rounding).all()


@given(LOGITS, st.integers(1, 30), st.integers(0, 29), st.booleans())
def test_the_bounds_contain_the_true_probabilities_of_a_float32_server(
    logits: Array, k: int, draw: int, classes: bool
) -> None:
    logs = tsoft.log_softmax(logits)
    rounded = logs.astype(np.float32).astype(np.float64)
    partial, tokens = hidden(rounded, min(k, len(logs)), draw % len(logs), classes=classes)
    taus = np.array([0.3, 0.7, 1.0, 1.5, 3.0, 100.0])
    low, high = partial.log_bounds(taus)
    truth = tsoft.log_softmax(logs, taus)[:, tokens]
    rounding = 2.0**-22 * (1 + abs(truth))
    assert (low <= truth + rounding).all()
    assert (truth <= high + rounding).all()


@given(
    st.lists(st.floats(0.01, 1), min_size=1, max_size=6),
    st.floats(0.01, 0.9),
    st.integers(0, 60),
    st.sampled_from([0.3, 0.7, 1.5, 3.0, np.inf]),
)
def test_the_extreme_distributions_reach_the_bounds(
    weights: list[float], missing: float, more: int, tau: float
) -> None:
    """One extreme spreads the unlisted probability evenly. The other puts it into as few classes as possible: none of
    them is more probable than the least probable listed class.
    """
    top = np.sort(weights)[::-1] / sum(weights) * (1 - missing)
    cap = top[-1]
    full = math.floor(missing / cap * (1 + 1e-12))
    rest = max(0.0, missing - full * cap)
    n = full + 1 + more
    ends = [
        np.concatenate([top, np.full(n, missing / n)]),
        np.concatenate([top, np.full(full, cap), [rest] if rest > 1e-9 else [], np.zeros(more + (rest <= 1e-9))]),
    ]
    low, high = np.exp(
        PartialDistribution(np.log(top), 0, math.log(cap), classes=len(top) + n).log_bounds(np.array([tau]))
    )
    with np.errstate(divide="ignore"):
        probs = [tsoft.softmax(np.log(end), tau)[: len(top)] for end in ends]
    # tsoft widens the unlisted probability for the rounding of float32, which moves the bounds a little.
    np.testing.assert_allclose(np.min(probs, 0), low[0], rtol=2e-3 if tau > 1 else 1e-5)
    np.testing.assert_allclose(np.max(probs, 0), high[0], rtol=2e-3 if tau > 1 else 1e-5)


def test_bounds_of_a_real_vocabulary() -> None:
    """A server lists the most probable tokens in float32."""
    path = TESTS.parents[1] / "shared/data/llm/next-token-logits.npy"
    if not path.exists():
        pytest.skip("the real logits are not here")
    taus = np.array([0, 0.1, 0.5, 0.7, 1, 1.3, 2, 5, np.inf])
    for logits in np.load(path).astype(np.float64):
        logs = tsoft.log_softmax(logits)
        truth = tsoft.log_softmax(logits, taus)
        for k, classes in itertools.product((1, 5, 20), (True, False)):
            partial, tokens = hidden(logs.astype(np.float32).astype(np.float64), k, 1234, classes=classes)
            low, high = partial.log_bounds(taus)
            assert (low <= truth[:, tokens] + 1e-5 * (1 - np.maximum(truth[:, tokens], -1e9))).all()
            assert (truth[:, tokens] <= high + 1e-5 * (1 - np.maximum(truth[:, tokens], -1e9))).all()


def test_at_the_temperature_of_the_server_the_bounds_are_its_logprobs() -> None:
    partial = PartialDistribution(np.log([0.5, 0.25]), 0, math.log(0.25))
    for bound in partial.log_bounds(np.array([1.0])):
        np.testing.assert_array_equal(bound, [partial.logprobs])


def test_without_the_number_of_classes_the_rest_may_be_any_number_of_classes() -> None:
    partial = PartialDistribution(np.log([0.5, 0.25]), 0, math.log(0.25))
    low, high = np.exp(partial.log_bounds(np.array([0.5, 2.0])))
    np.testing.assert_allclose(high[0], tsoft.softmax(partial.logprobs, 0.5))
    assert low[0, 0] == pytest.approx(0.25 / (0.25 + 2 * 0.0625), rel=1e-6)
    assert (low[1] == 0).all()
    assert high[1, 0] == pytest.approx(math.sqrt(0.5) / (math.sqrt(0.5) + 2 * 0.5), rel=1e-5)


@pytest.mark.parametrize("tau", [0.0, 0.5, 2.0, np.inf])
def test_the_bounds_meet_if_every_class_is_listed(tau: float) -> None:
    partial = PartialDistribution(np.log([0.75, 0.25]), 0, math.log(0.25), classes=2)
    low, high = np.exp(partial.log_bounds(np.array([tau])))
    np.testing.assert_allclose(low, [tsoft.softmax(partial.logprobs, tau)])
    np.testing.assert_array_equal(low, high)


@each_case("logprobs", [[-0.1, -800.0], [-0.1, -np.inf], [-1e-9, np.nan], [5e-8, -17.0], [-3000.0]])
@each_case("classes", [None, 3, 10**12])
def test_extreme_logprobs_have_bounds_that_are_not_nan(logprobs: list[float], classes: int | None) -> None:
    """Only tokens without a logprob have bounds of NaN. The cap may underflow or be 0, and the sum may round to more
    than 1.
    """
    cap = min(p for p in logprobs if p == p)
    partial = PartialDistribution(np.array(logprobs), 0, cap, classes=classes)
    low, high = np.exp(partial.log_bounds(TAUS))
    known = ~partial.unknown
    assert not np.isnan(low[:, known] + high[:, known]).any()
    assert np.isnan(low[:, ~known]).all()
    assert (low[:, known] <= high[:, known]).all()
    assert (high[:, known] <= 1 + 1e-7).all()


def test_without_a_cap_an_unlisted_class_may_be_more_probable_than_the_drawn_one() -> None:
    """The response lists only the drawn token, so at tau = 0 its probability is between 0 and 1."""
    low, high = np.exp(PartialDistribution(np.log([0.1]), 0, np.inf).log_bounds(np.array([0.0])))
    assert (low[0, 0], high[0, 0]) == (0, 1)
    assert PartialDistribution(np.log([0.1]), 0, np.inf).rank is None
    assert PartialDistribution(np.log([0.6]), 0, np.inf).rank == 1


def test_rank() -> None:
    logs = np.log([0.3, 0.2, 0.1, 0.05])
    assert [PartialDistribution(logs, i, logs[2]).rank for i in range(4)] == [1, 2, 3, None]
    assert PartialDistribution(logs, 3, logs[2]).more_probable == 3
    assert PartialDistribution(np.array([-0.1, np.nan]), 1, -0.1).rank is None
    # A listed token without a number may be more probable than the others.
    unknown = np.array([-0.1, -3.0, np.nan])
    partials = [
        PartialDistribution(unknown, 2, cap, is_listed=is_listed)
        for cap in (-3.0, np.inf)
        for is_listed in (False, True)
    ]
    assert [partial.more_probable for partial in partials] == [2, 0, 0, 0]


def test_a_vocabulary_that_is_too_small_for_the_unlisted_probability_is_inconsistent() -> None:
    logs = np.log([0.3, 0.2])
    assert not PartialDistribution(logs, 0, logs[1], classes=4).is_consistent
    assert PartialDistribution(logs, 0, logs[1], classes=5).is_consistent


def test_listed_probabilities_that_sum_to_1_are_truncated_by_a_sampler() -> None:
    assert PartialDistribution(np.log([0.75, 0.25]), 0, math.log(0.25)).is_truncated
    assert not PartialDistribution(np.log([0.75, 0.25]), 0, math.log(0.25), classes=2).is_truncated
    assert not PartialDistribution(np.log([0.75, 0.2]), 0, math.log(0.2)).is_truncated
    assert not PartialDistribution(np.log([1 - 1e-9, 1e-9]), 0, math.log(1e-9)).is_truncated
    # The drawn token may be the least likely, and the cap is that of the others.
    drawn = PartialDistribution(np.log([0.75, 0.2, 0.05]), 2, math.log(0.2))
    assert drawn.is_truncated
    assert math.exp(drawn.lowest_logprob) == pytest.approx(0.05)
    assert not PartialDistribution(np.log([0.75, 0.25 - 1e-6, 1e-6]), 2, math.log(0.25)).is_truncated


@each_case("logprobs", [[-0.02, -4.02], [-0.29, -1.39], [-0.0101, -4.6104, -8.9012]])
def test_rounded_probabilities_that_sum_to_1_may_leave_room_for_another_class(logprobs: list[float]) -> None:
    assert not PartialDistribution(np.array(logprobs), 0, logprobs[-1]).is_truncated
    assert PartialDistribution(np.log([0.75, 0.25]).round(4), 0, math.log(0.25)).is_truncated


def test_the_upper_bound_is_at_most_the_listed_only_probability() -> None:
    logs = np.log([0.5, 0.3, 0.1])
    result = compute_distributions(
        Block(logs[np.newaxis], tuple("abc"), partial=PartialDistribution(logs, 0, logs[2], classes=9)), TAUS
    )
    low, high = result.bounds
    assert (low <= high).all()
    assert (high <= result.probs).all()


def test_a_text_is_as_likely_as_its_tokens() -> None:
    logs = np.log([[0.5, 0.3], [0.2, 0.1]])
    texts = TextLikelihoods()
    for row in logs:
        chosen = texts.add(
            compute_distributions(Block(row[np.newaxis], ("a", "b"), partial=PartialDistribution(row, 1, row[1])), TAUS)
        )
    assert chosen.tokens == 2
    index = int(np.argmax(TAUS == 1))
    assert chosen.text.low[index] == chosen.text.high[index] == pytest.approx(math.log(0.3 * 0.1))
    assert chosen.text.perplexity(2).low[index] == pytest.approx((0.3 * 0.1) ** -0.5)
    assert (chosen.text.low <= chosen.text.high).all()
    assert (chosen.text.high <= chosen.text.listed).all()


def test_bounds_that_meet_do_not_cross() -> None:
    """Fifty equal classes, of which fifteen are listed, have probability 1/50 at any temperature, up to rounding."""
    partial = PartialDistribution(np.log(np.full(15, 0.02)), 0, np.log(0.02), classes=50)
    low, high = partial.log_bounds(np.array([0.0, 0.5, 2.0, np.inf]))
    assert (low <= high).all()
