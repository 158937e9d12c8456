"""Samplers on a partial distribution: the truth is inside the bounds, and exact results are right."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np
import pytest

import tsoft
from cases import each_case
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.history import History
from tsoft.sampling.mixture import apply_step
from tsoft.sampling.partial_chain import PartialMixture, mixtures
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.step import AllRemovedError, PartialDistributionError, Step

Random = np.random.Generator
# Random values of each sampler's parameters.
VALUES: dict[str, Callable[[Random], tuple[float, ...]]] = {
    "smoothing": lambda random: (random.uniform(0.05, 1), float(random.choice([1.0, 1.0, random.uniform(0, 5)]))),
    "edt": lambda random: (10 ** random.uniform(-2, 0.5),),
    "adaptive_temperature": lambda random: (1.0,),
    "p_less": lambda random: (1.0,),
    "top_k": lambda random: (int(random.integers(1, 12)),),
    "top_p": lambda random: (random.uniform(0.05, 0.99),),
    "min_p": lambda random: (random.uniform(0.01, 0.5),),
    "epsilon_cutoff": lambda random: (10 ** random.uniform(-4, -0.5),),
    "top_a": lambda random: (random.uniform(0.01, 0.8),),
    "xtc": lambda random: (float(random.choice([1.0, 0.5])), random.uniform(0.02, 0.4)),
    "top_n_sigma": lambda random: (random.uniform(0.3, 2),),
    "typ_p": lambda random: (random.uniform(0.1, 0.95),),
    "tfs": lambda random: (random.uniform(0.3, 0.95),),
    "top_h": lambda random: (random.uniform(0.3, 0.9),),
    "eta_cutoff": lambda random: (10 ** random.uniform(-4, -1),),
    "penalties": lambda random: (1.0, random.uniform(-1, 2), random.uniform(-0.5, 1), int(random.integers(1, 12))),
    "dry": lambda random: (random.uniform(0.1, 2), 1.5, int(random.integers(0, 3)), inf),
    "mirostat": lambda random: (1.0, 0.1, random.uniform(0.2, 8)),
}
# How the logits of a whole distribution are drawn.
KINDS: tuple[Callable[[Random, int], Array], ...] = (
    lambda random, n: random.normal(0, 0.3, n),
    lambda random, n: random.normal(0, 1, n) + np.eye(n)[random.integers(n)] * random.uniform(3, 12),
    lambda random, n: -random.uniform(1, 3) * np.log(np.arange(1, n + 1)) + random.normal(0, 0.1, n),
    # Ties, also at the cap.
    lambda random, n: np.round(random.normal(0, 2, n)),
)
# How a server prints log-probabilities, and the error of an exact probability that its rounding causes.
PRINTED: tuple[tuple[Callable[[Array], Array], float], ...] = (
    (lambda logs: logs, 1e-9),
    (lambda logs: logs.astype(np.float32).astype(np.float64), 2e-5),
    (lambda logs: np.round(logs, 4), 3e-3),
)


@dataclass(frozen=True)
class Case:
    """A whole distribution, as logarithms, and what a server lists of it: the classes `tokens`, as `partial`."""

    logs: Array
    tokens: list[int]
    partial: PartialDistribution
    rounding: float


def random_case(random: Random) -> Case:
    """The server lists the k most probable classes, and half the time a drawn class behind them."""
    n = int(random.integers(2, 60))
    logs = tsoft.log_softmax(KINDS[random.integers(len(KINDS))](random, n))
    printing, rounding = PRINTED[random.integers(len(PRINTED))]
    listed = (-logs).argsort(kind="stable")[: int(random.integers(1, min(n, 20) + 1))].tolist()
    draw = int(random.integers(n)) if random.random() < 0.5 else listed[0]
    tokens = listed + [draw] * (draw not in listed)
    printed = printing(logs)
    classes = n if random.random() < 0.5 else None
    partial = PartialDistribution(
        printed[tokens], tokens.index(draw), float(printed[listed].min()), classes=classes, tau=1.0
    )
    return Case(logs, tokens, partial, rounding)


def random_chains(random: Random, tokens: list[int]) -> tuple[Chain, Chain]:
    """The chain for the whole distribution and the one for the listed classes: up to three samplers in any order, with
    tsoft's rules or an engine's, sometimes with biases."""
    engine = [None, *ENGINES.values()][random.integers(len(ENGINES) + 1)]
    names = sorted({sampler.name for sampler in (engine.samplers if engine else SAMPLERS.values())} & set(VALUES))
    on = random.choice(names, min(len(names), int(random.integers(0, 4))), replace=False).tolist()
    values = {
        parameter.name: value
        for name in on
        for parameter, value in zip(SAMPLERS[name].parameters, VALUES[name](random), strict=True)
    }
    order = None
    if engine is None or engine.reorders:
        order = tuple(SAMPLERS[name] for name in random.permutation([*on, "temperature"]).tolist())
    histories = random_histories(random, tokens)
    has_biases = random.random() < 0.15
    active = [SAMPLERS[name] for name in (*on, "temperature", *["logit_bias"] * has_biases)]
    chain = chain_of(engine, order, active, values)
    whole, listed = (chain.with_history(history) for history in histories)
    if not has_biases:
        return whole, listed
    places = random.choice(len(tokens), min(2, len(tokens)), replace=False).tolist()
    biases = [(place, float(random.choice([-3, -1, 2, 5]))) for place in places]
    return whole.biased(tuple((tokens[place], bias) for place, bias in biases)), listed.biased(tuple(biases))


def random_histories(random: Random, tokens: list[int]) -> tuple[History, History]:
    """The same tokens as classes of the whole distribution and as listed classes. One in four texts has a token that
    the server does not list: the first class that is not among `tokens`."""
    unlisted = next(index for index in range(len(tokens) + 1) if index not in tokens)
    count = len(tokens) + (random.random() < 0.25)
    places = random.integers(0, count, int(random.integers(0, 20)))
    classes = np.array([*tokens, unlisted])
    return History(classes[places]), History(places)


def check(case: Case, truth: Array, after: PartialMixture) -> None:
    low, high = np.exp(after.log_bounds)
    listed = truth[case.tokens]
    assert (low <= listed + 1e-9).all()
    assert (listed <= high + 1e-9).all()
    if after.is_exact:
        probs = tsoft.softmax(after.merged_logits)
        np.testing.assert_allclose(probs, listed, rtol=0, atol=case.rounding)
        np.testing.assert_array_equal(probs > 0, listed > 0)
        assert truth.sum() - listed.sum() < 1e-12


def check_cases(count: int, seed: int) -> Counter[str]:
    """Check random cases. Return how many are exact, have bounds, and are refused."""
    random, counts = np.random.default_rng(seed), Counter[str]()
    for number in range(count):
        case = random_case(random)
        # Zeros and single decimals look like numbers that nothing has rounded.
        if case.rounding > 1e-3 and (np.round(case.partial.logprobs, 1) == case.partial.logprobs).all():
            continue
        whole, listed = random_chains(random, case.tokens)
        tau = float(random.choice([0, 0.3, 0.7, 1, 1, 1, 1.5, 3, np.inf]))
        try:
            truth = tsoft.softmax(whole.logits(case.logs[np.newaxis], np.array([tau]))[0, 0])
            *_, after = mixtures(case.partial, listed.at(tau))
        except AllRemovedError:
            continue
        except PartialDistributionError:
            counts["refused"] += 1
            continue
        try:
            check(case, truth, after)
        except AssertionError as error:
            error.add_note(f"case {number}: {[*map(str, whole.at(tau))]}, {case.partial}")
            raise
        counts["exact" if after.is_exact else "bounds"] += 1
        counts["exact after a cutoff"] += after.is_exact and any(step.sampler.has_cutoff for step in whole.at(tau))
    return counts


def test_the_truth_is_inside_the_bounds_and_exact_results_are_right() -> None:
    """Refusing everything, or bounds of 0 and 1, would not pass: three eighths of the chains are exact."""
    counts = check_cases(400, 16)
    total = sum(counts[key] for key in ("exact", "bounds", "refused"))
    assert counts["exact after a cutoff"] > 0.35 * total
    assert counts["refused"] < 0.25 * total


def steps(*named: tuple[str, float]) -> list[Step]:
    return [
        Step(SAMPLERS[name], (value, *(0.0, 1.0) * (name == "temperature"), *[1.0] * (name == "smoothing")))
        for name, value in named
    ]


def after(partial: PartialDistribution, *named: tuple[str, float]) -> PartialMixture:
    *_, mixture = mixtures(partial, steps(*named))
    return mixture


# The true probabilities 0.4, 0.3, 0.1, and 0.2 in classes with at most 0.1 each.
LISTED = PartialDistribution(np.log([0.4, 0.3, 0.1]), 0, np.log(0.1))


@pytest.mark.parametrize(
    ("named", "kept", "undecided"),
    [
        # The list alone decides top-p at the temperature of the server: 0.4 < 0.65 <= 0.7.
        ([("top_p", 0.65)], [True, True, False], [False, False, False]),
        ([("top_k", 2)], [True, True, False], [False, False, False]),
        # 0.1 is below 0.3 of 0.4, and so are all unlisted classes.
        ([("min_p", 0.3)], [True, True, False], [False, False, False]),
        ([("epsilon_cutoff", 0.2)], [True, True, False], [False, False, False]),
        # 0.3 >= 1.5 · 0.16 > 0.1.
        ([("top_a", 0.9)], [True, True, False], [False, False, False]),
        ([("temperature", 0.5), ("min_p", 0.3)], [True, True, False], [False, False, False]),
    ],
)
def test_a_cutoff_above_the_cap_is_exact(
    named: list[tuple[str, float]], kept: list[bool], undecided: list[bool]
) -> None:
    mixture = after(LISTED, *named)
    assert mixture.is_exact
    np.testing.assert_array_equal(mixture.kept, kept)
    np.testing.assert_array_equal(mixture.undecided, undecided)


def test_at_another_temperature_the_normalizer_is_an_interval() -> None:
    """At τ = 0.5 the weights are 0.16, 0.09, 0.01 and at most 0.02 in total, so the first class has between
    0.16 / 0.28 and 0.16 / 0.26: top-p 0.6 removes the second class if it is the latter."""
    mixture = after(LISTED, ("temperature", 0.5), ("top_p", 0.6))
    np.testing.assert_array_equal(mixture.undecided, [False, True, False])
    assert not mixture.may_have_unlisted
    low, high = np.exp(mixture.log_bounds)
    np.testing.assert_allclose([low[0], high[0], low[1], high[1]], [0.16 / 0.25, 1, 0, 0.09 / 0.25], rtol=1e-5)
    assert after(LISTED, ("temperature", 0.5), ("top_p", 0.57)).is_exact
    assert after(LISTED, ("temperature", 0.5), ("top_p", 0.63)).is_exact


def test_the_last_alternative_may_tie_with_an_unlisted_class() -> None:
    """Exactly three classes stay with tsoft's top-k, and the server lists three; transformers keeps ties, too."""
    assert after(LISTED, ("top_k", 3)).is_exact
    sampler = next(sampler for sampler in ENGINES["transformers"].samplers if sampler.name == "top_k")
    *_, with_ties = mixtures(LISTED, [Step(sampler, (3,))])
    assert not with_ties.is_exact
    *_, above_cap = mixtures(LISTED, [Step(sampler, (2,))])
    assert above_cap.is_exact


def test_a_drawn_token_behind_the_list_is_no_cap() -> None:
    """The server appends the drawn token, with 0.001, to two alternatives: other classes may have up to 0.3."""
    appended = PartialDistribution(np.log([0.4, 0.3, 0.001]), 2, np.log(0.3))
    mixture = after(appended, ("top_k", 3))
    np.testing.assert_array_equal(mixture.undecided, [False, False, True])
    assert mixture.may_have_unlisted


def test_a_drawn_token_that_ties_with_the_cap_may_be_behind_the_list() -> None:
    tied = PartialDistribution(np.log([0.3, 0.2, 0.2]), 2, np.log(0.2))
    np.testing.assert_array_equal(after(tied, ("top_k", 3)).undecided, [False, False, True])


def test_unlisted_classes_may_be_above_a_drawn_token_behind_the_list() -> None:
    """Between 0.7 and 0.999 are above it."""
    appended = PartialDistribution(np.log([0.4, 0.3, 0.001]), 2, np.log(0.3))
    np.testing.assert_array_equal(after(appended, ("top_p", 0.9)).undecided, [False, False, True])
    np.testing.assert_array_equal(after(appended, ("top_p", 0.65)).kept, [True, True, False])


def test_a_class_that_is_more_probable_than_all_unlisted_ones_together_is_the_top() -> None:
    """The response lists only the drawn token."""
    assert after(PartialDistribution(np.log([0.9]), 0, np.inf), ("top_p", 0.5)).is_exact
    alone = after(PartialDistribution(np.log([0.1]), 0, np.inf), ("top_p", 0.5))
    assert (alone.undecided.tolist(), alone.may_have_unlisted) == ([True], True)


def test_an_undecided_class_stays_undecided_or_is_removed() -> None:
    """The second class has 0.36 beside the first one, if it remains."""
    undecided = [("temperature", 0.5), ("top_p", 0.6)]
    np.testing.assert_array_equal(after(LISTED, *undecided, ("top_p", 0.7)).undecided, [False, True, False])
    np.testing.assert_array_equal(after(LISTED, *undecided, ("top_p", 0.5)).kept, [True, False, False])
    *_, mixture = mixtures(LISTED, [*steps(*undecided), Step(SAMPLERS["xtc"], (1.0, 0.3))])
    # The first class is removed if the second one remains.
    np.testing.assert_array_equal(mixture.undecided, [True, True, False])


def test_xtc_removes_the_top_choices_except_the_last() -> None:
    *_, mixture = mixtures(LISTED, [Step(SAMPLERS["xtc"], (1.0, 0.2))])
    np.testing.assert_array_equal(mixture.kept, [False, True, True])
    assert not mixture.undecided.any()
    assert mixture.may_have_unlisted
    low, high = np.exp(mixture.log_bounds)
    np.testing.assert_allclose([low[1], high[1]], [0.3 / 0.6, 0.3 / 0.6], rtol=1e-5)


def test_several_unlisted_classes_may_be_top_choices() -> None:
    """With 0.37 in two unlisted classes, XTC removes one of them; with 0.37 in one, it does not."""
    appended = PartialDistribution(np.log([0.627, 0.003]), 1, np.log(0.627), classes=52)
    *_, mixture = mixtures(appended, [Step(SAMPLERS["xtc"], (1.0, 0.1))])
    low, high = np.exp(mixture.log_bounds)
    assert low[1] < 0.003 / 0.373
    assert high[1] > 0.003 / (0.003 + 0.17)


@pytest.mark.parametrize(
    ("engine", "name", "off"),
    [("mlx-lm", "top_p", 0.0), ("transformers", "epsilon_cutoff", 1.0), ("exllamav2", "min_p", 1.0)],
)
def test_a_value_that_switches_a_sampler_off_keeps_all_classes(engine: str, name: str, off: float) -> None:
    sampler = next(sampler for sampler in ENGINES[engine].samplers if sampler.name == name)
    *_, mixture = mixtures(LISTED, [Step(sampler, (off,))])
    assert mixture.kept.all()
    assert not mixture.undecided.any()


def test_classes_that_only_rounding_separates_tie_for_min_p() -> None:
    """At τ = inf, and at 1e13, all classes are equal, so min-p 1 removes none: the listed ones have 3 of 40 parts."""
    listed = PartialDistribution(np.array([-0.9651, -1.9651, -2.9651]), 0, -2.9651, classes=40)
    for tau in (np.inf, 1e16):
        *_, mixture = mixtures(
            listed, [Step(SAMPLERS["temperature"], (tau, 0.0, 1.0)), Step(SAMPLERS["min_p"], (1.0,))]
        )
        low, high = np.exp(mixture.log_bounds)
        assert (low <= 1 / 40 + 1e-12).all()
        assert (high >= 1 / 40 - 1e-12).all()


def test_smoothing_needs_the_highest_logit() -> None:
    with pytest.raises(PartialDistributionError, match="smoothing 1 needs every logit"):
        after(PartialDistribution(np.log([0.1]), 0, np.inf), ("smoothing", 1.0))


def test_an_unknown_alternative_is_removed_with_the_unlisted_classes() -> None:
    unknown = PartialDistribution(np.array([*np.log([0.4, 0.3]), np.nan]), 0, float(np.log(0.3)))
    low, _ = after(unknown, ("top_k", 2)).log_bounds
    np.testing.assert_allclose(low, [np.log(0.4 / 0.7), np.log(0.3 / 0.7), -np.inf], rtol=1e-5)
    assert np.isnan(after(unknown, ("temperature", 2.0)).log_bounds[0][2])


def test_a_decision_within_the_rounding_of_the_printed_numbers_is_undecided() -> None:
    """The sum 0.7 of the first two is exact only to the digits that the server prints."""
    rounded = PartialDistribution(np.round(np.log([0.4, 0.3, 0.1]), 3), 0, round(float(np.log(0.1)), 3))
    assert after(rounded, ("top_p", 0.65)).is_exact
    assert after(LISTED, ("top_p", 0.6999)).is_exact
    np.testing.assert_array_equal(after(rounded, ("top_p", 0.6999)).undecided, [False, False, True])


@pytest.mark.parametrize("name", ["top_n_sigma", "typ_p", "tfs", "top_h", "eta_cutoff"])
def test_a_sampler_that_needs_every_logit_is_refused_unless_the_distribution_is_exact(name: str) -> None:
    with pytest.raises(PartialDistributionError, match="needs every logit"):
        after(LISTED, (name, 0.5))
    mixture = after(LISTED, ("top_k", 2), (name, 0.5))
    expected = getattr(tsoft, SAMPLERS[name].function.__name__)(np.log([0.4, 0.3]), 0.5)
    np.testing.assert_array_equal(mixture.kept[:2], expected > -np.inf)
    assert mixture.is_exact


def test_dynamic_temperature_is_refused_unless_the_distribution_is_exact() -> None:
    dynamic = Step(SAMPLERS["temperature"], (1.0, 0.5, 1.0))
    with pytest.raises(PartialDistributionError, match=r"temperature 1 dynatemp_range 0\.5 needs every logit"):
        list(mixtures(LISTED, [dynamic]))
    *_, mixture = mixtures(LISTED, [*steps(("top_k", 2)), dynamic])
    expected = tsoft.softmax(tsoft.temperature(np.log([0.4, 0.3]), 1.0, 0.5))
    np.testing.assert_allclose(tsoft.softmax(mixture.merged_logits)[:2], expected, rtol=1e-12)


@pytest.mark.parametrize(("name", "value"), [("edt", 0.5), ("adaptive_temperature", 1.0), ("smoothing", 0.5)])
def test_a_function_of_every_logit_is_refused_unless_the_distribution_is_exact(name: str, value: float) -> None:
    step = Step(SAMPLERS[name], (value, 2.0) if name == "smoothing" else (value,))
    with pytest.raises(PartialDistributionError, match="needs every logit"):
        list(mixtures(LISTED, [step]))
    *_, mixture = mixtures(LISTED, [*steps(("top_k", 2)), step])
    expected = tsoft.softmax(apply_step(step, np.log([0.4, 0.3])))
    np.testing.assert_allclose(tsoft.softmax(mixture.merged_logits)[:2], expected, rtol=1e-12)


def test_p_less_on_listed_classes() -> None:
    """The squares sum to 0.26 and up to 0.1 · 0.2 for unlisted classes: between 0.26 and 0.28."""
    mixture = after(LISTED, ("p_less", 1))
    assert mixture.is_exact
    np.testing.assert_array_equal(mixture.kept, [True, True, False])
    # Here to 0.195 and up to 0.2 · 0.3, so to 0.195 to 0.255.
    undecided = PartialDistribution(np.log([0.35, 0.25, 0.1]), 2, np.log(0.2))
    mixture = after(undecided, ("p_less", 1))
    np.testing.assert_array_equal(mixture.kept, [True, True, False])
    np.testing.assert_array_equal(mixture.undecided, [False, True, False])


@each_case(("name", "values"), [("edt", (0.5,)), ("adaptive_temperature", (1.0,)), ("smoothing", (2, 3))])
@each_case("printed", [[-0.91, -1.23], [-0.11, -3.23], [-1.03, -1.24, -1.52, -2.81]])
def test_a_rounded_response_has_an_interval_after_a_function_of_every_logit(
    name: str, values: tuple[float, ...], printed: list[float]
) -> None:
    """The true log-probabilities are anywhere in the rounding of the printed ones. At the corners of that region the
    distribution is farthest from that of the printed numbers."""
    partial = PartialDistribution(np.array([*printed, -5.04]), 0, -5.04)
    step, count = Step(SAMPLERS[name], values), len(printed)
    *_, mixture = mixtures(partial, [*steps(("top_k", count)), step])
    low, high = (bound[:count] for bound in mixture.log_bounds)
    assert (np.exp(high) - np.exp(low) < 0.1).all()
    for signs in itertools.product([-1, 0, 1], repeat=count):
        truth = tsoft.log_softmax(apply_step(step, np.array(printed) + 0.00499 * np.array(signs)))
        assert (low <= truth).all()
        assert (truth <= high).all()


def test_a_step_that_removes_every_listed_class_is_an_error() -> None:
    step = Step(SAMPLERS["logit_bias"], (tuple((i, -np.inf) for i in range(3)),))
    with pytest.raises(AllRemovedError, match="removes every listed class"):
        list(mixtures(LISTED, [step]))


def test_extreme_numbers_have_no_warnings_and_no_nan() -> None:
    for logprobs in ([-0.1, -800.0], [-0.1, -np.inf], [-1e-9, np.nan], [5e-8, -17.0], [-3000.0]):
        cap = min(p for p in logprobs if p == p)
        for classes in (None, 10**12):
            partial = PartialDistribution(np.array(logprobs), 0, cap, classes=classes)
            for tau in (0.0, 5e-324, 0.5, np.inf):
                for named in ([("top_k", 1.0)], [("top_p", 0.5)], [("min_p", 0.5)], [("epsilon_cutoff", 0.1)]):
                    for chain in ([("temperature", tau), *named], [*named, ("temperature", tau)]):
                        mixture = after(partial, *chain)
                        low, high = np.exp(mixture.log_bounds)
                        known = ~partial.unknown
                        assert (low[known] <= high[known]).all()
                        assert (high[known] <= 1).all()
