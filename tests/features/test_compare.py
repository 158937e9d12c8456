"""`tsoft compare`: measures against scipy and simulated speculative decoding, bounds against hidden parts of whole
distributions, and the command with its files."""

import itertools
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax
from scipy.stats import entropy

import tsoft
from cases import each_case
from figure_charts import drawn
from tool import TESTS, here, here_on_terminal
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.features.compare.bounds import Bounds, Match, Side, bounds, partial_side
from tsoft.features.compare.model_comparison import CHOSEN, MEASURES

INF = math.inf
TEACHER, STUDENT = str(TESTS / "data/teacher.csv"), str(TESTS / "data/student.csv")

logits = st.lists(st.floats(-20, 20), min_size=4, max_size=4)


def saved(path: Path, values: Any) -> str:
    np.save(path, np.array(values))
    return str(path)


def records(*arguments: str, stdin: str | None = None) -> list[dict[str, Any]]:
    done = here("compare", *arguments, "-f", "json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def complaint(*arguments: str, stdin: str = "", code: int = 1) -> str:
    done = here("compare", *arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()[-1].removeprefix("tsoft: error: ")


# The measures of whole distributions


@given(target=logits, draft=logits, tau=st.floats(0.2, 50), draft_tau=st.floats(0.2, 50))
def test_scipy_agrees(target: list[float], draft: list[float], tau: float, draft_tau: float) -> None:
    p, q = softmax(np.array(target) / tau), softmax(np.array(draft) / draft_tau)
    result = tsoft.compare(target, draft, tau, draft_tau=draft_tau)
    assert result.kl == pytest.approx(entropy(p, q), rel=1e-9, abs=1e-12)
    assert result.kl_reverse == pytest.approx(rel_entr(q, p).sum(), rel=1e-9, abs=1e-12)
    assert result.total_variation == pytest.approx(abs(p - q).sum() / 2, abs=1e-14)
    assert result.acceptance == pytest.approx(1 - abs(p - q).sum() / 2, abs=1e-14)
    assert result.exact_match_acceptance == pytest.approx(p @ q, rel=1e-12)
    assert result.greedy_acceptance == pytest.approx(p[np.argmax(draft)], rel=1e-12)
    assert result.same_top == (np.argmax(target) == np.argmax(draft))
    assert result.top_change == pytest.approx((q - p)[np.argmax(target)], abs=1e-14)


@pytest.mark.parametrize(("difference", "tau"), [(1e-8, 1.0), (1e-16, 1.0), (1e-16, 3.0), (0.5, 1e9), (0.5, 1e16)])
def test_small_differences_keep_their_digits(difference: float, tau: float) -> None:
    """A change d of one logit changes its probability p by p (1 - p) d / tau, the others by -p p_i d / tau, and KL is
    p (1 - p) (d / tau)^2 / 2, up to a relative error of the order of d / tau."""
    target, draft = [2.0, 1.0, 0.0], [2.0, 1.0, difference]
    p, change = softmax(np.array(target) / tau), difference / tau
    spread = p[2] * (1 - p[2])
    expected = {
        "kl": spread * change**2 / 2,
        "kl_reverse": spread * change**2 / 2,
        "total_variation": spread * change,
        "top_change": -p[0] * p[2] * change,
    }
    result = tsoft.compare(target, draft, tau)
    assert {name: getattr(result, name) for name in expected} == pytest.approx(expected, rel=1e-7, abs=0)


@pytest.mark.parametrize(
    ("tau", "expected"),
    [
        # At 0, the target draws a or b, the draft b; at inf, both are uniform over their classes.
        (0.0, {"kl": INF, "kl_reverse": math.log(2), "total_variation": 0.5, "acceptance": 0.5}),
        (INF, {"kl": INF, "kl_reverse": INF, "total_variation": 1 / 3, "acceptance": 2 / 3}),
    ],
)
def test_the_limits_of_tau(tau: float, expected: dict[str, float]) -> None:
    result = tsoft.compare([3, 3, 1, -INF], [2, 5, -INF, 0], tau)
    assert {name: getattr(result, name) for name in expected} == pytest.approx(expected)


@each_case("mask", [-INF, -1.7976931348623157e308, -1e308])
@each_case("taus", [(1.0, 0.3), (0.5, 1.0), (0.25, 0.25)])
def test_a_class_with_a_very_low_logit_counts_as_masked(mask: float, taus: tuple[float, float]) -> None:
    target, draft = [2.0, 1.0, mask], [1.0, 2.0, mask]
    p, q = softmax(np.array([2.0, 1.0]) / taus[0]), softmax(np.array([1.0, 2.0]) / taus[1])
    result = tsoft.compare(target, draft, taus[0], draft_tau=taus[1])
    assert (result.kl, result.kl_reverse) == pytest.approx((entropy(p, q), entropy(q, p)), rel=1e-14)


def test_float32_logits_at_two_temperatures_keep_their_digits(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    target = (rng.normal(size=(3, 50)) * 3).astype(np.float32)
    draft = (target + rng.normal(size=target.shape) * 1e-3).astype(np.float32)
    files = saved(tmp_path / "a.npy", target), saved(tmp_path / "b.npy", draft)
    found = records(*files, "--tau", "1", "--draft-tau", "0.999", "--per-row")
    p, q = softmax(target.astype(float), axis=-1), softmax(draft.astype(float) / 0.999, axis=-1)
    assert [record["kl"] for record in found] == pytest.approx(rel_entr(p, q).sum(-1), rel=1e-9)


def test_shapes_follow_those_of_the_logits() -> None:
    rng = np.random.default_rng(1)
    target, draft = rng.normal(size=(2, 2, 3, 5))
    result = tsoft.compare(target, draft, [0.5, 1, 2])
    assert {getattr(result, name).shape for name in MEASURES} == {(3, 2, 3)}
    assert result.kl[1, 0, 2] == pytest.approx(tsoft.compare(target[0, 2], draft[0, 2]).kl)
    with pytest.raises(ValueError, match=r"draft must have the target's shape \(2,\), got \(3,\)"):
        tsoft.compare([1, 2], [1, 2, 3])
    with pytest.raises(tsoft.LogitsError):
        tsoft.compare([1, 2], [1, math.nan])


# Speculative decoding

DRAWS = 200_000


def speculative_tokens(p: Array, q: Array, generator: np.random.Generator) -> tuple[Array, Array]:
    """Return the tokens of Leviathan et al. 2023, algorithm 1 with one draft, and whether the drafts were accepted."""
    drafts = generator.choice(len(q), DRAWS, p=q)
    accepted = generator.random(DRAWS) < np.minimum(1.0, p[drafts] / q[drafts])
    rest = np.maximum(p - q, 0.0)
    replacements = generator.choice(len(p), DRAWS, p=rest / rest.sum())
    return np.where(accepted, drafts, replacements), accepted


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_a_simulation_accepts_as_often(tau: float) -> None:
    """Within five standard errors."""
    generator = np.random.default_rng(7)
    target, draft = generator.normal(size=(2, 8)) * 2
    p, q = softmax(target / tau), softmax(draft / tau)
    result = tsoft.compare(target, draft, tau)
    tokens, accepted = speculative_tokens(p, q, generator)
    samples = generator.choice(8, DRAWS, p=p)
    frequencies = {
        "acceptance": accepted,
        "exact_match_acceptance": samples == generator.choice(8, DRAWS, p=q),
        "greedy_acceptance": generator.random(DRAWS) < min(1.0, p[q.argmax()]),
    }
    # The method itself is right only if its tokens have the distribution p.
    assert np.bincount(tokens, minlength=8) / DRAWS == pytest.approx(p, abs=5 * math.sqrt(0.25 / DRAWS))
    for name, happened in frequencies.items():
        rate = float(getattr(result, name))
        assert happened.mean() == pytest.approx(rate, abs=5 * math.sqrt(rate * (1 - rate) / DRAWS)), name


@pytest.mark.parametrize(("alpha", "gamma"), [(0.0, 4), (0.3, 1), (0.8, 4), (0.95, 16), (1.0, 7), (0.5, 0)])
def test_tokens_per_step_of_a_simulation(alpha: float, gamma: int) -> None:
    """A step has the accepted drafts and one more token. Within five standard errors."""
    accepted = np.random.default_rng(3).random((20_000, gamma)) < alpha
    tokens = 1 + np.cumprod(accepted, axis=1).sum(1)
    error = 5 * tokens.std() / math.sqrt(len(tokens))
    assert tsoft.tokens_per_step(alpha, gamma) == pytest.approx(tokens.mean(), abs=error + 1e-12)


def test_tokens_per_step_does_not_cancel_near_one() -> None:
    assert tsoft.tokens_per_step(1 - 1e-12, 3) == pytest.approx(4 - 6e-12, rel=1e-15)
    for wrong, tokens in ((1.5, 4), (-0.1, 4), (math.nan, 4), (0.5, -1)):
        with pytest.raises(ValueError, match="must be"):
            tsoft.tokens_per_step(wrong, tokens)


# Bounds


def listed(logprobs: Array, count: int, classes: int | None) -> tuple[PartialDistribution, Array]:
    """Return what a server shows of a distribution, its most probable classes, and their indices."""
    order = np.argsort(-logprobs, kind="stable")[:count]
    return PartialDistribution(logprobs[order], 0, float(logprobs[order].min()), classes=classes), order


def match_of(first: Array, second: Array, classes: int | None) -> Match:
    both = np.intersect1d(first, second)
    places = [np.array([np.flatnonzero(some == i)[0] for i in both], int) for some in (first, second)]
    only = [np.delete(np.arange(len(some)), place) for some, place in zip((first, second), places, strict=True)]
    neither = None if classes is None else classes - len(np.union1d(first, second))
    return Match(places[0], places[1], only[0], only[1], neither)


def shown(z: Array, count: int, tau: float, classes: int | None, applied_tau: float = 1.0) -> tuple[Side, Array]:
    """Return a side that shows the most probable classes after a server's temperature, or all of them."""
    if count == len(z):
        return Side(tsoft.log_softmax(z, tau), tied=np.flatnonzero(z == z.max())), np.arange(len(z))
    partial, order = listed(tsoft.log_softmax(z, applied_tau), count, classes)
    return partial_side(replace(partial, tau=applied_tau), tau), order


def bounds_of(
    z: Array, v: Array, counts: tuple[int, int], tau: float, knows_classes: bool, applied_tau: float = 1.0
) -> dict[str, Bounds]:
    knows_classes |= max(counts) == len(z)
    classes = len(z) if knows_classes else None
    first, indices = shown(z, counts[0], tau, classes, applied_tau)
    second, others = shown(v, counts[1], tau, classes)
    place = np.flatnonzero(others == indices[0])
    chosen = (0, int(place[0]) if len(place) else None)
    return bounds(first, second, match_of(indices, others, classes), chosen)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    classes=st.integers(3, 9),
    scale=st.sampled_from([0.3, 1.0, 4.0]),
    distance=st.sampled_from([0.0, 0.1, 1.0, 3.0]),
    counts=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    tau=st.sampled_from([0.0, 0.3, 0.7, 1.0, 1.5, 4.0, INF]),
    knows_classes=st.booleans(),
    applied_tau=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_true_values_are_within_the_bounds_if_a_part_is_hidden(
    seed: int,
    classes: int,
    scale: float,
    distance: float,
    counts: tuple[int, int],
    tau: float,
    knows_classes: bool,
    applied_tau: float,
) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=classes) * scale
    v = z + rng.normal(size=classes) * distance
    counts = min(counts[0], classes), min(counts[1], classes)
    found = bounds_of(z, v, counts, tau, knows_classes, applied_tau)
    result = tsoft.compare(z, v, tau)
    # The drawn class is the first listed one: the most probable one, or class 0 of a whole distribution.
    index = 0 if counts[0] == classes else int(z.argmax())
    change = float(tsoft.softmax(v, tau)[index] - tsoft.softmax(z, tau)[index])
    for name in (*MEASURES, CHOSEN):
        value = change if name == CHOSEN else float(getattr(result, name))
        low, high = found[name]
        assert low - 1e-9 <= value <= high + 1e-9 or value == high == INF, name


def test_bounds_of_whole_distributions_are_their_values() -> None:
    rng = np.random.default_rng(5)
    z, v = rng.normal(size=(2, 6)) * 2
    found = bounds_of(z, v, (6, 6), 0.7, knows_classes=True)
    result = tsoft.compare(z, v, 0.7)
    for name in MEASURES:
        assert found[name] == pytest.approx((getattr(result, name),) * 2, rel=1e-12), name


def test_bounds_are_reached() -> None:
    """A lists 0.5 and 0.2 of four classes. B is whole: 0.4, 0.3, 0.2, 0.1. A's rest of 0.3 is at most 0.2 in one
    class, so A's last two classes have from 0.1 to 0.2."""
    partial = PartialDistribution(np.log([0.5, 0.2]), 0, math.log(0.2), classes=4)
    q = np.array([0.4, 0.3, 0.2, 0.1])
    match = Match(np.array([0, 1]), np.array([0, 1]), np.array([], int), np.array([2, 3]), 0)
    found = bounds(partial_side(partial, 1.0), Side(np.log(q), tied=np.array([0])), match, (0, 0))
    possible = [np.array([0.5, 0.2, 0.1 + x, 0.2 - x]) for x in np.linspace(0, 0.1, 101)]
    for name, values in {
        "total_variation": [abs(p - q).sum() / 2 for p in possible],
        "exact_match_acceptance": [float(p @ q) for p in possible],
        "kl": [float(entropy(p, q)) for p in possible],
    }.items():
        low, high = found[name]
        assert high == pytest.approx(max(values), abs=1e-6), name
        # The lower bound on KL adds up the classes that A does not list.
        assert low == pytest.approx(min(values), abs=1e-6 if name != "kl" else 0.06), name
    # A may have no probability at all where B has some.
    assert found["kl_reverse"][1] == INF
    assert found["kl"][0] == pytest.approx(entropy([0.5, 0.2, 0.3], [0.4, 0.3, 0.3]), abs=1e-6)


def test_a_token_that_only_one_side_lists_is_bounded_by_the_cap_of_the_other() -> None:
    first = PartialDistribution(np.log([0.9, 0.05]), 0, math.log(0.05))
    second = PartialDistribution(np.log([0.9, 0.01]), 0, math.log(0.01))
    nothing, both = np.array([], int), np.array([0, 1])
    match = Match(nothing, nothing, both, both, None)
    found = bounds(partial_side(first, 1.0), partial_side(second, 1.0), match, (0, None))
    # min(p, q) is at most 0.01 for each token of A. All other tokens have 0.05 under A.
    assert found["acceptance"] == pytest.approx((0.0, 0.07), abs=1e-6)
    assert found["kl"][0] > 0.9 * math.log(0.9 / 0.01) - 0.5
    assert found["chosen_change"] == pytest.approx((-0.9, -0.89), abs=1e-6)
    assert found["same_top"] == (0.0, 0.0)


def test_unlisted_probability_may_be_where_no_side_lists_any() -> None:
    with np.errstate(divide="ignore"):
        z, v = np.log([0.7, 0.0, 0.3, 0.0]), np.log([0.0, 0.6, 0.0, 0.4])
    assert bounds_of(z, v, (1, 1), 1.0, knows_classes=True)["acceptance"][0] == 0


def test_bounds_are_narrow_although_the_unlisted_probability_is_not() -> None:
    """At τ = 1.5, twenty unlisted classes have from 0.15 to 0.34. Of the lower bounds on KL for each of these
    probabilities, the least is nearly the result."""
    z = np.log([0.7, 0.2, *[0.005] * 20])
    v = np.log([0.1, 0.8, *[0.005] * 20])
    side, order = shown(z, 2, 1.5, 22)
    low, high = side.mass
    assert (low, high) == pytest.approx((0.15, 0.34), abs=0.1)
    assert high - low > 0.1
    q = tsoft.softmax(v, 1.5)
    among = np.exp(side.log_among)
    lumped = [
        entropy([*among * (1 - mass), mass], [*q[order], 1 - q[order].sum()]) for mass in np.linspace(low, high, 200)
    ]
    found = bounds_of(z, v, (2, 22), 1.5, knows_classes=True)["kl"][0]
    assert 0.85 * min(lumped) < found <= min(lumped) + 1e-9


# The command


def test_a_summary_has_means_and_quantiles_over_the_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    target, draft = rng.normal(size=(2, 101, 6))
    files = saved(tmp_path / "a.npy", target), saved(tmp_path / "b.npy", draft)
    for t, record in enumerate(records(*files, "--tau", "0.5,1", "--draft-tokens", "3")):
        result = tsoft.compare(target, draft, [0.5, 1])
        assert (record["tau"], record["rows"], record["draft_tokens"]) == ([0.5, 1][t], 101, 3)
        for name in MEASURES:
            values = np.sort(getattr(result, name)[t])
            assert record[name] == pytest.approx(values.mean())
            if name != "same_top":
                quantiles = [record[f"{name}_{end}"] for end in ("q05", "q50", "q95")]
                assert quantiles == pytest.approx(values[[5, 50, 95]])
        alpha = record["acceptance"]
        assert record["tokens_per_step"] == pytest.approx(1 + alpha + alpha**2 + alpha**3)
        alpha = record["greedy_acceptance"]
        assert record["greedy_tokens_per_step"] == pytest.approx(1 + alpha + alpha**2 + alpha**3)


def test_rows_are_those_of_the_library(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    target, draft = rng.normal(size=(2, 5, 6))
    files = saved(tmp_path / "a.npy", target), saved(tmp_path / "b.npy", draft.astype(np.float32))
    found = records(*files, "--tau", "0.5,2", "--draft-tau", "1.5", "--per-row")
    result = tsoft.compare(target, draft.astype(np.float32).astype(float), [0.5, 2], draft_tau=1.5)
    assert [(record["row"], record["tau"]) for record in found] == list(itertools.product(range(5), [0.5, 2]))
    assert {record["draft_tau"] for record in found} == {1.5}
    for record in found:
        place = [0.5, 2].index(record["tau"]), record["row"]
        assert [record[name] for name in MEASURES] == pytest.approx([getattr(result, name)[place] for name in MEASURES])
        assert (record["top"], record["draft_top"]) == (target[place[1]].argmax(), draft[place[1]].argmax())


def test_classes_are_matched_by_their_labels(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("truck,car,dog,cat\n-1,1,1,4\n1,3,3,0\n")
    for options in ([], ["--per-row"]):
        assert records(TEACHER, str(tmp_path / "b.csv"), *options) == records(TEACHER, STUDENT, *options)
    draft = saved(tmp_path / "b.npy", [[4.0, 1, 1, -1], [0, 3, 3, 1]])
    done = here("compare", TEACHER, draft, "-f", "json")
    assert json.loads(done.stdout) == records(TEACHER, STUDENT)
    assert "only A names its classes, so tsoft takes those of both in their order" in done.stderr
    assert records(TEACHER, draft, "--labels", "cat,dog,car,truck") == records(TEACHER, STUDENT)


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ("cat,dog,bus,truck\n4,1,1,-1\n", "the classes differ: only A has 'car' and only B has 'bus'; both need"),
        ("cat,dog,car\n4,1,1\n", "the classes differ: only A has 'truck'; both need the same classes"),
        ("4,1,1\n", "B has 3 classes, but A has 4 in row 0; both need the same classes"),
        ("cat,dog,car,truck\n4,1,1,-1\n", "B has 1 row, but A has more; both need the same rows"),
        ("cat,dog,car,truck\n4,1,1,-1\n0,3,3,1\n1,1,1,1\n", "A has 2 rows, but B has more; both need the same rows"),
        ("cat,dog,car,truck\n4,1,nan,-1\n", "NaN"),
        ("", "no logits: the input is empty"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--per-row"]], ids=["summary", "rows"])
def test_inputs_that_cannot_be_compared(other: str, problem: str, options: list[str], tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text(other)
    done = here("compare", TEACHER, str(path), *options)
    assert done.returncode == 1
    assert problem in done.stderr


def test_repeated_labels_are_matched_only_in_the_same_order(tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("a,a,b\n1,2,3\n")
    other.write_text("a,a,b\n3,2,1\n")
    assert records(str(one), str(other))[0]["kl"] == pytest.approx(float(tsoft.compare([1, 2, 3], [3, 2, 1]).kl))
    other.write_text("a,b,a\n3,2,1\n")
    assert "2 classes have the label 'a', and the orders differ, so tsoft cannot" in complaint(str(one), str(other))


def test_numbered_classes_out_of_order_are_not_matched_with_classes_without_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("p2,p0,p1\n1,3,0\n")
    problem = "A has numbered classes that are not in order ('p2', 'p0', 'p1', …), and B has classes without names"
    message = complaint(str(tmp_path / "a.csv"), saved(tmp_path / "b.npy", [[3.0, 0, 1]]))
    assert message.endswith(f"{problem}; name the classes of both")


def test_keys_of_the_rows(tmp_path: Path) -> None:
    for name, keys in (("a", "xy"), ("b", "xy"), ("c", "yx")):
        (tmp_path / f"{name}.csv").write_text("id,cat,dog\n" + "".join(f"{key},1,{i}\n" for i, key in enumerate(keys)))
    a, b, c = (str(tmp_path / f"{name}.csv") for name in "abc")
    assert [record["id"] for record in records(a, b, "--per-row")] == ["x", "y"]
    message = "row 0: the row id is 'x' in A and 'y' in B; put the rows of both in the same order"
    assert complaint(a, c) == message


def test_a_mask_on_one_side_makes_kl_infinite() -> None:
    masked = "cat,dog,car,truck\n6,4,-inf,-1\n1,1,5,4\n"
    record = records("-", STUDENT, "--per-row", stdin=masked)[0]
    assert (record["kl_reverse"], record["total_variation"] < 1) == ("inf", True)
    table = here_on_terminal("compare", "-", STUDENT, stdin=masked, NO_COLOR="1")
    other = f"{entropy(softmax([0, 3, 3, 1]), softmax([1, 1, 5, 4])):.5g}"
    assert re.search(rf"KL\(B‖A\) +inf +{other} +{other} +inf\n", table)


@each_case(
    ("arguments", "message"),
    [
        (["-", "-"], "only one of FILE_A and FILE_B can read stdin; pass files or arguments for the others"),
        (["-", STUDENT, "--tau", "-"], "only one of FILE_A and --tau can read stdin; pass files or arguments"),
        ([], "compare needs two files, such as tsoft compare target.npy draft.npy"),
        ([TEACHER], "compare needs two files"),
        (["2", "1"], "compare takes two files, and '2' is not a file; write each distribution to a file"),
        ([TEACHER, ""], "FILE_B needs a file name"),
        ([TEACHER, STUDENT, "--draft-tau", "-1"], "--draft-tau: -1 is not a temperature; pass a number from 0 to inf"),
        ([TEACHER, STUDENT, "--rows", "5"], "--rows has no effect without --per-row; add --per-row"),
        ([TEACHER, STUDENT, "--vocab-size", "9"], "--vocab-size works only with an API response, and no input is one"),
        ([TEACHER, STUDENT, "--all-positions"], "--all-positions works only with an API response"),
        ([TEACHER, STUDENT, "--top-k", "2", "--like", "all"], "--like: compare applies the rules of one engine"),
        ([TEACHER, STUDENT, "--labels", "a,b,c,d"], "--labels has no effect, because both inputs name their classes"),
        ([TEACHER, STUDENT, "--per-row", "-f", "svg"], "--per-row has no effect on svg"),
        ([TEACHER, STUDENT, "--per-row", "--no-chart"], "--no-chart has no effect on compare --per-row"),
        ([TEACHER, STUDENT, "--per-row", "--draft-tokens", "4"], "--draft-tokens has no effect on compare --per-row"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    assert complaint(*arguments, code=2).startswith(message)


def test_samplers_apply_to_both(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    target, draft = rng.normal(size=(2, 7, 20)) * 2
    files = saved(tmp_path / "a.npy", target), saved(tmp_path / "b.npy", draft)
    cases: list[tuple[list[str], Callable[[Any], Any]]] = [
        (["--top-k", "3"], lambda z: tsoft.top_k(z, 3)),
        (["--top-p", "0.8"], lambda z: tsoft.top_p(z, 0.8)),
    ]
    for options, sampler in cases:
        record = records(*files, "--tau", "0.7", "--samplers", f"temperature;{options[0][2:]}", *options)[0]
        p, q = (tsoft.softmax(sampler(z / 0.7)) for z in (target, draft))
        assert record["acceptance"] == pytest.approx(np.minimum(p, q).sum(-1).mean())
        assert record["exact_match_acceptance"] == pytest.approx((p * q).sum(-1).mean())
        expected = [entropy(*pair) for pair in zip(p, q, strict=True)]
        assert record["kl"] == ("inf" if math.inf in expected else pytest.approx(np.mean(expected)))


def test_true_classes_are_the_chosen_ones(tmp_path: Path) -> None:
    target, draft = tmp_path / "a.csv", tmp_path / "b.csv"
    target.write_text("cat,dog,target\n2,0,dog\n1,3,cat\n")
    draft.write_text("cat,dog\n1,0\n1,1\n")
    p, q = softmax([[2, 0], [1, 3]], axis=1), softmax([[1, 0], [1, 1]], axis=1)
    found = records(str(target), str(draft), "--per-row")
    assert [record["chosen"] for record in found] == ["dog", "cat"]
    assert [record[CHOSEN] for record in found] == pytest.approx([(q - p)[0, 1], (q - p)[1, 0]])
    draft.write_text("dog,cat,target\n0,1,dog\n1,1,dog\n")
    message = "row 1: the true class, or the next token, is 'cat' in A and 'dog' in B; both need the same rows"
    assert complaint(str(target), str(draft)) == message


def test_true_classes_of_one_named_file_are_compared_by_their_indices(tmp_path: Path) -> None:
    named, unnamed = tmp_path / "a.csv", tmp_path / "b.npz"
    named.write_text("cat,dog,target\n2,0,dog\n1,3,cat\n")
    for files, chosen in (((named, unnamed), ["dog", "cat"]), ((unnamed, named), [1, 0])):
        paths = [str(file) for file in files]
        np.savez(unnamed, logits=np.array([[1.0, 0.0], [1.0, 1.0]]), targets=np.array([1, 0]))
        done = here("compare", *paths, "--per-row", "--format", "json")
        assert [record["chosen"] for record in json.loads(done.stdout)] == chosen
        np.savez(unnamed, logits=np.array([[1.0, 0.0], [1.0, 1.0]]), targets=np.array([1, 1]))
        assert "row 1: the true class, or the next token, is" in complaint(*paths)


def test_rows_to_leave_out(tmp_path: Path) -> None:
    target, draft = tmp_path / "a.csv", saved(tmp_path / "b.npy", [[1.0, 0], [0, 1], [2, 0]])
    target.write_text("cat,dog,target\n2,0,1\n1,3,-100\n0,0,0\n")
    done = here("compare", str(target), draft, "--per-row", "--ignore-index", "-100", "-f", "json")
    assert [record["row"] for record in json.loads(done.stdout)] == [0, 2]
    assert "tsoft leaves out 1 of 3 rows" in done.stderr
    target.write_text("cat,dog,target\n2,0,-100\n1,3,-100\n0,0,-100\n")
    assert "no row remains; remove --ignore-index" in complaint(str(target), draft, "--ignore-index", "-100")


# Responses


def response(*tokens: tuple[str, dict[str, float]]) -> str:
    """Return a response of OpenAI: each token with its alternatives and their probabilities."""
    content = [
        {
            "token": drawn,
            "logprob": math.log(probs[drawn]),
            "top_logprobs": [{"token": token, "logprob": math.log(prob)} for token, prob in probs.items()],
        }
        for drawn, probs in tokens
    ]
    return json.dumps({"choices": [{"index": 0, "logprobs": {"content": content}}]})


def response_file(path: Path, *tokens: tuple[str, dict[str, float]]) -> str:
    path.write_text(response(*tokens))
    return str(path)


FIRST = ("a", {"a": 0.53, "b": 0.31})
SECOND = ("a", {"b": 0.51, "a": 0.37})


def test_responses_are_compared_by_their_tokens_up_to_a_difference(tmp_path: Path) -> None:
    one = response_file(tmp_path / "a.json", FIRST, FIRST, FIRST, FIRST)
    other = response_file(tmp_path / "b.json", SECOND, ("b", SECOND[1]), SECOND)
    done = here("compare", one, other, "--per-row", "-f", "json")
    found = json.loads(done.stdout)
    # The second tokens still follow the same text.
    assert [record["row"] for record in found] == [0, 1]
    note = "row 1: the texts differ after 1 token: A and B drew 'a' and 'b'; tsoft leaves out the 2 tokens after them"
    assert note in done.stderr
    assert (found[0]["top"], found[0]["draft_top"], found[0]["chosen"]) == ("a", "b", "a")
    # Σ min(p, q) over a and b, and at most the rest of B, 0.12, in common.
    assert found[0]["acceptance_low"] == pytest.approx(0.68, abs=1e-5)
    assert found[0]["acceptance_high"] == pytest.approx(0.8, abs=1e-5)
    assert found[0]["chosen_change_low"] == pytest.approx(-0.16, abs=1e-5)
    assert found[0]["kl_low"] == pytest.approx(entropy([0.53, 0.31, 0.16], [0.37, 0.51, 0.12]), abs=1e-4)
    assert found[0]["kl_high"] == "inf"
    assert len(records(one, other, "--per-row", "--all-positions")) == 3
    shorter = response_file(tmp_path / "c.json", FIRST, FIRST, FIRST)
    assert "tsoft leaves out the token after them" in here("compare", shorter, other).stderr


def test_a_response_is_compared_with_a_whole_distribution(tmp_path: Path) -> None:
    one = response_file(tmp_path / "a.json", FIRST)
    q = np.array([0.4, 0.3, 0.2, 0.1])
    whole = saved(tmp_path / "b.npy", np.log(q)[np.newaxis])
    found = records(one, whole, "--labels", "a,b,c,d", "--per-row")[0]
    p = np.array([[0.53, 0.31, x, 0.16 - x] for x in np.linspace(0, 0.16, 1001)])
    kl = rel_entr(p, q).sum(1)
    assert found["kl_high"] == pytest.approx(kl.max(), abs=1e-5)
    assert found["kl_low"] == pytest.approx(kl.min(), abs=1e-5)
    distances = abs(p - q).sum(1) / 2
    assert found["total_variation_high"] == pytest.approx(distances.max(), abs=1e-5)
    assert found["total_variation_low"] == pytest.approx(distances.min(), abs=1e-5)
    assert "B has no class 'a', which A lists" in complaint(one, whole, "--labels", "w,b,c,d")
    assert "B does not name its classes; pass --labels @FILE" in complaint(one, whole)
    for labels, problem in (
        ("a,b", "A lists all 2 classes, but not all of the probability; A and B have different classes"),
        ("a,b,c", "the class that A does not list cannot have the rest of the probability"),
    ):
        small = saved(tmp_path / "small.npy", np.zeros((1, labels.count(",") + 1)))
        first = response_file(tmp_path / "small.json", ("a", {"a": 0.5, "b": 0.01}))
        assert problem in complaint(first, small, "--labels", labels)
    options = ["--labels", "a,b,c,d", "--vocab-size", "4"]
    assert "--vocab-size has no effect, because one input has every class" in complaint(one, whole, *options, code=2)
    assert "vocab-size" not in here("compare", one, whole, *options[:2]).stderr


def test_samplers_make_responses_exact(tmp_path: Path) -> None:
    one, other = response_file(tmp_path / "a.json", FIRST), response_file(tmp_path / "b.json", SECOND)
    found = records(one, other, "--top-k", "2", "--per-row")[0]
    p, q = np.array([0.53, 0.31]) / 0.84, np.array([0.37, 0.51]) / 0.88
    assert found["acceptance"] == pytest.approx(np.minimum(p, q).sum())
    assert found["kl"] == pytest.approx(entropy(p, q))
    only = records(one, other, "--listed-only", "--per-row")[0]
    assert only["kl"] == pytest.approx(entropy(p, q))
    assert "the distribution depends on tokens that the response does not list" in complaint(
        one, other, "--top-k", "3", code=2
    )


TIED = {"a": 0.4, "b": 0.4, "c": 0.1}
TIED_BACKWARD = {name: TIED[name] for name in "cba"}


@pytest.mark.parametrize("options", [[], ["--listed-only"], ["--top-k", "3"], ["--listed-only", "--tau", "inf"]])
def test_the_first_of_tied_classes_counts_in_the_order_of_the_first_response(
    options: list[str], tmp_path: Path
) -> None:
    one = response_file(tmp_path / "a.json", ("a", TIED))
    other = response_file(tmp_path / "b.json", ("a", TIED_BACKWARD))
    for pair, top in (((one, other), "a"), ((other, one), "b")):
        found = records(*pair, "--per-row", *options)[0]
        assert (found["top"], found["draft_top"]) == (top, top)
        assert found.get("same_top", found.get("same_top_low")) == 1


def test_an_unlisted_class_that_may_tie_at_the_top_leaves_the_same_top_open(tmp_path: Path) -> None:
    """B lists b alone, with 0.4. Its rest of 0.6 may contain a with 0.4, which is the first one in A."""
    one = response_file(tmp_path / "a.json", ("a", TIED))
    for probs, expected in (({"b": 0.4}, (None, 0, 1)), ({"b": 0.6}, ("b", 0, 0))):
        other = response_file(tmp_path / "b.json", ("b", probs))
        found = records(one, other, "--per-row")[0]
        assert (found["draft_top"], found["same_top_low"], found["same_top_high"]) == expected


def test_tokens_that_share_their_text_count_as_unlisted(tmp_path: Path) -> None:
    one = tmp_path / "a.json"
    listed = [{"token": token, "logprob": math.log(prob)} for token, prob in (("x", 0.5), ("x", 0.3), ("a", 0.12))]
    drawn = {"token": "a", "logprob": math.log(0.12), "top_logprobs": listed}
    one.write_text(json.dumps({"choices": [{"index": 0, "logprobs": {"content": [drawn]}}]}))
    other = response_file(tmp_path / "b.json", ("x", {"x": 0.5, "a": 0.3}))
    done = here("compare", str(one), other, "--per-row", "-f", "json")
    assert "row 0: several tokens have the text 'x'; tsoft treats such tokens as unlisted" in done.stderr
    found = json.loads(done.stdout)[0]
    # The most probable token may be any of them.
    assert (found["top"], found["draft_top"], found["same_top_low"], found["same_top_high"]) == (None, "x", 0, 1)
    assert found["chosen_change_low"] == pytest.approx(0.18, abs=1e-5)
    # 0.12 of a, and of the rest of A all that B has: 0.5 of x, which is not above A's 0.5, and 0.2.
    assert found["acceptance_high"] == pytest.approx(0.82, abs=1e-5)


def test_responses_with_different_numbers_of_texts(tmp_path: Path) -> None:
    one = response_file(tmp_path / "a.json", FIRST)
    two = tmp_path / "b.jsonl"
    two.write_text(response(FIRST) + "\n" + response(FIRST) + "\n")
    assert complaint(one, str(two)) == "the numbers of texts differ: A has 1 and B has 2; both need the same texts"


@pytest.mark.parametrize(("columns", "tables"), [(80, 1), (60, 2), (40, 3)])
def test_on_a_narrow_terminal_tokens_stay_beside_their_acceptance(columns: int, tables: int) -> None:
    table = here("compare", TEACHER, STUDENT, "--format", "table", COLUMNS=str(columns)).stdout
    headers = [line.split("  ") for line in table.splitlines() if line.endswith("  tokens")]
    assert len(headers) == tables
    names = [name.strip() for header in headers for name in header if name.strip()]
    assert names == ["acceptance", "tokens", "exact match", "tokens", "greedy", "tokens"]


def test_temperatures_without_a_table_are_counted() -> None:
    taus = ",".join(map(str, range(1, 15)))
    table = here("compare", TEACHER, STUDENT, "--tau", taus, "--no-chart", "-f", "table").stdout
    assert re.findall("… (.*) [(]", table) == ["11 more temperatures", "2 more temperatures"]
    assert "…" not in here("compare", TEACHER, STUDENT, "--tau", "1,2,3", "--no-chart", "-f", "table").stdout


def test_a_figure_and_a_table_are_drawn(tmp_path: Path) -> None:
    one, other = response_file(tmp_path / "a.json", FIRST), response_file(tmp_path / "b.json", SECOND)
    exact = ["acceptance", "exact_match_acceptance", "greedy_acceptance"]
    for files, names in (((TEACHER, STUDENT), exact), ((one, other), ["acceptance_low", "acceptance_high"])):
        numbers = tmp_path / "x.json"
        drawing = drawn("compare", *files, "--tau", "0.5,1,2", "-o", str(tmp_path / "x.svg"), "-o", str(numbers))
        rates, _ = drawing.charts
        records = json.loads(numbers.read_text())
        for name, curve in zip(names, rates.curves, strict=True):
            np.testing.assert_allclose(curve, [(record["tau"], record[name]) for record in records], rtol=1e-9)
        assert len(rates.bands) == ("acceptance_low" in names)
    table = here_on_terminal("compare", TEACHER, STUDENT, "--tau", "0.5,1", NO_COLOR="1")
    for text in ("KL(A‖B)", "total variation", "same top class   50.0 %", "mean acceptance", "tokens: the expected"):
        assert text in table
    rows = here_on_terminal("compare", one, other, "--per-row", NO_COLOR="1", notes=False)
    assert "0.6800 to 0.8000" in rows
    assert "≥ 0.08" in rows


@pytest.mark.parametrize(
    ("equal", "digits", "shown"),
    [(4999, (), "99.98 %"), (5000, (), "100.0 %"), (1, (), "0.02 %"), (1250, ("--digits", "4"), "25.00 %")],
)
def test_only_all_rows_are_100_percent(tmp_path: Path, equal: int, digits: tuple[str, ...], shown: str) -> None:
    z = np.tile([[2.0, 1.0]], (5000, 1))
    other = np.where(np.arange(5000)[:, np.newaxis] < equal, z, z[:, ::-1])
    files = saved(tmp_path / "a.npy", z), saved(tmp_path / "b.npy", other)
    table = here("compare", *files, "-f", "table", "--no-chart", *digits).stdout
    assert re.search(rf"same top class +{re.escape(shown)} *\n", table)


def test_the_top_class_at_infinity_is_that_of_other_temperatures() -> None:
    z, v = [[2, 1, 0], [2, 1, 0]], [[3, 0, 0], [0, 3, 0]]
    assert tsoft.compare(z, v, np.inf).same_top.tolist() == tsoft.compare(z, v, 5).same_top.tolist() == [1, 0]


def test_the_true_classes_may_be_in_either_file(tmp_path: Path) -> None:
    (tmp_path / "with.csv").write_text("a,b,target\n2,1,a\n1,2,b\n")
    (tmp_path / "without.csv").write_text("b,a\n0,2\n1,1\n")
    files = str(tmp_path / "with.csv"), str(tmp_path / "without.csv")
    [record], [reverse] = records(*files), records(*reversed(files))
    p, q = (tsoft.softmax(z) for z in ([[2, 1], [1, 2]], [[2, 0], [1, 1]]))
    expected = float(np.mean([q[0, 0] - p[0, 0], q[1, 1] - p[1, 1]]))
    assert record["chosen_change"] == pytest.approx(expected)
    assert reverse["chosen_change"] == pytest.approx(-expected)
