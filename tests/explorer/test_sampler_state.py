"""What the explorer knows without a screen: its sliders' scales, the board of its knobs, the rows, what is
seen of them, and the tally of the draws."""

import json
import tempfile
from collections.abc import Sequence
from math import inf, log10
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tsoft import cli
from tsoft.core.block import Block
from tsoft.core.chi_square import goodness_of_fit
from tsoft.explorer.draw_counts import LAST, Tally
from tsoft.explorer.rows import Rows
from tsoft.explorer.sampler_state import Board, exact
from tsoft.explorer.scale import Scale, value_text
from tsoft.explorer.slider_ranges import slider_range
from tsoft.explorer.snapshot import MEASURES, TAUS, Seen, course, seen
from tsoft.sampling.chain import Chain
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.errors import AllRemovedError
from tsoft.sampling.explanation import explain
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, SamplerParameter

PARAMETERS = [parameter for sampler in SAMPLERS.values() for parameter in sampler.parameters if parameter is not BIAS]
every_knob = pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
E31 = "\x1b[31m"
few = settings(deadline=None, max_examples=15)


def allowed(parameter: SamplerParameter, value: float) -> bool:
    return value >= 0 if parameter is TAU else parameter.allows(value)


@st.composite
def values(draw: st.DrawFn, parameter: SamplerParameter) -> float:
    """What a knob may be set to, far beyond its slider too."""
    if parameter.whole:
        return float(draw(st.integers(int(parameter.low), 10**9)))
    high = 1e300 if parameter.high == inf else parameter.high
    ends = [parameter.high] if parameter is TAU or parameter.high < inf else []
    found = draw(st.floats(parameter.low, high, exclude_min=parameter.exclusive_low) | st.sampled_from([high, *ends]))
    return (
        draw(st.sampled_from([found, slider_range(parameter).low, slider_range(parameter).high]))
        if allowed(parameter, slider_range(parameter).low)
        else found
    )


# Scales.


@every_knob
@few
@given(data=st.data())
def test_a_turned_knob_has_a_value_that_it_may_have_on_the_side_it_was_turned_to(
    parameter: SamplerParameter, data: st.DataObject
) -> None:
    value, coarse = data.draw(values(parameter)), data.draw(st.booleans())
    up, down = (Scale(parameter).turned(value, by, coarse=coarse) for by in (1, -1))
    assert allowed(parameter, up)
    assert allowed(parameter, down)
    assert down <= value <= up


@every_knob
@pytest.mark.parametrize("coarse", [False, True])
def test_a_slider_is_walked_from_end_to_end_and_back(parameter: SamplerParameter, coarse: bool) -> None:
    """Over the same values, which are those of the slider."""
    scale = Scale(parameter)
    up = [scale.first]
    while up[-1] != scale.last:
        up.append(scale.turned(up[-1], 1, coarse=coarse))
        assert len(up) < 1000
    down = [scale.last]
    while down[-1] != scale.first:
        down.append(scale.turned(down[-1], -1, coarse=coarse))
        assert len(down) < 1000
    assert up == down[::-1] == sorted(set(up))
    assert all(allowed(parameter, value) for value in up)
    assert scale.turned(scale.last, 1, coarse=coarse) == scale.last
    assert scale.turned(scale.first, -1, coarse=coarse) == scale.first


@every_knob
@few
@given(data=st.data())
def test_turned_up_and_down_again_is_as_before(parameter: SamplerParameter, data: st.DataObject) -> None:
    scale, by = Scale(parameter), data.draw(st.integers(1, 20))
    value = scale.turned(slider_range(parameter).usual, data.draw(st.integers(-60, 60)))
    there = scale.turned(value, by)
    assume(there != scale.last)
    assert scale.turned(there, -by) == value


@every_knob
@few
@given(data=st.data())
def test_a_slider_s_places_are_its_values_in_order(parameter: SamplerParameter, data: st.DataObject) -> None:
    scale = Scale(parameter)
    low, high = sorted(data.draw(st.tuples(*[st.floats(0, 1)] * 2)))
    assert scale.at(low) <= scale.at(high)
    assert allowed(parameter, scale.at(low))
    first, second = sorted([data.draw(values(parameter)), data.draw(values(parameter))])
    assert 0 <= scale.fraction(first) <= scale.fraction(second) <= 1


@every_knob
@few
@given(at=st.floats(0.001, 0.999))
def test_a_place_has_the_nearest_value_of_few_digits(parameter: SamplerParameter, at: float) -> None:
    """Worked out once more, from the ends of the span. What counts is rounded twice."""
    low, high = slider_range(parameter).low, slider_range(parameter).high
    value = Scale(parameter).at(at)
    if low > 0:
        there = low ** (1 - at) * high**at
        unit = max(10 ** (np.floor(log10(there) + 1e-12) - 1), 1.0 if parameter.whole else 0.0)
    else:
        there, unit = low + at * (high - low), (high - low) / 100
    if parameter.exclusive_low and value == Scale(parameter).first:
        return
    assert abs(value - there) <= unit * (0.55 if parameter.whole else 0.5 + 1e-9)
    assert f"{value:.12g}" == f"{value:.{2 if low > 0 and not parameter.whole else 4}g}"


def test_the_ends_of_the_temperature_s_slider_are_the_limits() -> None:
    tau = Scale(TAU)
    assert (tau.at(0), tau.at(1), tau.fraction(0), tau.fraction(inf)) == (0, inf, 0, 1)
    assert (tau.turned(0, 1), tau.turned(inf, -1)) == (0.01, 100)
    assert (tau.turned(0, 1, coarse=True), tau.turned(inf, -1, coarse=True)) == (0.01, 100)
    assert (tau.turned(1e-320, 1), tau.turned(1e300, -1)) == (0.01, 100)
    assert (tau.turned(1e-320, -1), tau.turned(1e300, 1)) == (0, inf)


@given(st.floats(0, inf, allow_nan=False))
def test_an_option_s_number_is_read_back_exactly(value: float) -> None:
    assert float(exact(value)) == value
    assert value > 1e308 or value < 1e-308 or float(value_text(value)) == pytest.approx(value, rel=5e-5)


# The board.

Z = np.array([3.0, 2.6, 1.5, 1.5, 0.2, -1.0, -np.inf])
ROW = Rows([Block(Z[np.newaxis])]).row(0)


@st.composite
def boards(draw: st.DrawFn) -> Board:
    """What a user may have made of the knobs."""
    board = Board.of(None, draw(st.sampled_from([0.0, 0.3, 1.0, 2.5, inf, 1e-320, 1e300])))
    for _ in range(draw(st.integers(0, 8))):
        parameter = draw(st.sampled_from(PARAMETERS))
        known = any(parameter in dial.sampler.parameters for dial in board.dials)
        what = draw(st.sampled_from(["switch", "turn", "turn", "move", "like"]))
        if what == "switch":
            board = board.switched(parameter if known else _first(parameter))
        elif what == "turn" and known:
            board = board.turned(parameter, draw(values(parameter)))
        elif what == "move":
            board = board.moved(draw(st.integers(0, len(board.dials) - 1)), draw(st.integers(-3, 3)))
        elif what == "like":
            board = board.like(draw(st.sampled_from([None, *ENGINES.values()])))
    return board


def _first(parameter: SamplerParameter) -> SamplerParameter:
    return next(sampler.parameters[0] for sampler in SAMPLERS.values() if parameter in sampler.parameters)


def steps(chain: Chain | None) -> Any:
    return chain and (chain.engine, [(step.sampler, step.values) for step in chain.steps])


def effect(board: Board) -> Any:
    return board.tau, steps(board.chain())


def computed(options: Sequence[str], logits: Sequence[float] = Z.tolist()) -> tuple[int, list[float] | None]:
    """What `tsoft compute` exits with, and the probabilities that it writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "out.json"
        status = cli.run(["compute", *map(str, logits), *options, "-o", str(file)])
        return status, json.loads(file.read_bytes())[0]["probs"] if file.exists() else None


@settings(deadline=None, max_examples=80)
@given(boards())
def test_the_options_make_tsoft_compute_show_the_same(board: Board) -> None:
    found = seen(ROW, board.tau, board.chain())
    status, probs = computed(board.options)
    if isinstance(found, AllRemovedError):
        assert (status, probs) == (1, None)
    else:
        assert (status, probs) == (0, found.probs.tolist())


@settings(deadline=None, max_examples=40)
@given(boards())
def test_a_chain_s_board_has_the_same_chain(board: Board) -> None:
    """What the command line sets is what the knobs show."""
    assert effect(Board.of(board.chain(), board.tau)) == effect(board)


@settings(deadline=None, max_examples=40)
@given(boards(), st.sampled_from([sampler.parameters[0] for sampler in SAMPLERS.values()]))
def test_switched_twice_does_what_it_did(board: Board, parameter: SamplerParameter) -> None:
    assume(parameter is not BIAS)
    once = board.switched(parameter)
    again = once.switched(parameter)
    assert effect(again) == effect(board)
    if parameter is TAU:
        assert once == board
    elif board.has(parameter):
        assert effect(once) != effect(board)


@settings(deadline=None, max_examples=40)
@given(boards(), st.sampled_from(PARAMETERS), st.data())
def test_a_turned_knob_is_on_and_the_others_stay(
    board: Board, parameter: SamplerParameter, data: st.DataObject
) -> None:
    assume(any(parameter in dial.sampler.parameters for dial in board.dials))
    value = data.draw(values(parameter))
    turned = board.turned(parameter, value)
    assert turned.value(parameter) == value
    others = [
        other
        for other in PARAMETERS
        if other is not parameter and any(other in d.sampler.parameters for d in board.dials)
    ]
    assert [turned.value(other) for other in others] == [board.value(other) for other in others]
    assert [dial.sampler for dial in turned.dials] == [dial.sampler for dial in board.dials]


@given(boards(), st.data())
def test_a_dial_is_moved_where_the_order_is_free(board: Board, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(board.dials) - 1))
    to = data.draw(st.integers(0, len(board.dials) - 1))
    moved = board.moved(at, to - at)
    if board.engine and not board.engine.reorders:
        assert moved is board
        return
    assert moved.dials[to] == board.dials[at]
    assert moved.moved(to, at - to) == board
    assert board.moved(at, 99).dials[-1] == board.moved(at, len(board.dials)).dials[-1] == board.dials[at]
    assert board.moved(at, -99).dials[0] == board.dials[at]


@settings(deadline=None, max_examples=40)
@given(boards(), st.sampled_from([None, *ENGINES.values()]))
def test_an_engine_s_rules_and_order_are_taken(board: Board, engine: Any) -> None:
    like = board.like(engine)
    assert sorted(like.dials, key=str) == sorted(board.dials, key=str)
    assert like.like(engine) == like
    names = [step.sampler.name for step in (like.chain() or Chain(())).steps]
    order = [sampler.name for sampler in engine.samplers] if engine else list(SAMPLERS)
    assert engine is board.engine or names == [name for name in order if name in names]
    assert engine is None or steps(like.chain())[0] is engine


def test_the_biases_are_a_switch_and_are_given_to_the_chain() -> None:
    board = Board.of(None, 1.0).switched(BIAS)
    chain = board.chain(((0, -5.0),))
    assert chain
    assert chain.steps[0].values == (((0, -5.0),),)
    assert board.switched(BIAS).chain(((0, -5.0),)) is None
    assert Board.of(chain, 1.0).chain(((0, -5.0),)) == chain


# Rows.

LABELS = ("cat", "Dog", "", "dog", "[red]", f"{E31}x", "日本")


def test_a_row_is_ordered_ranked_and_named() -> None:
    rows = Rows([Block(np.stack([Z, Z[::-1]]), LABELS), Block(Z[np.newaxis], LABELS, first_row=2)])
    assert len(rows) == 3
    row = rows.row(1)
    assert row.logits.tolist() == Z[::-1].tolist()
    assert row.order.tolist() == sorted(range(7), key=lambda i: (-row.logits[i], i))
    assert row.ranks[row.order].tolist() == [1, 2, 3, 4, 5, 6, 7]
    exp = np.exp(Z[::-1] - 3)
    np.testing.assert_allclose(row.at_one, exp / exp.sum(), rtol=1e-14)
    assert [row.name(i) for i in range(7)] == ["cat", "Dog", "#2", "dog", "[red]", "\\x1b[31mx", "日本"]
    assert rows.block(2).first_row == 2
    assert rows.row(2).number == 2


def test_a_row_s_order_is_that_with_its_biases() -> None:
    rows = Rows([Block(Z[np.newaxis])])
    row = rows.row(0, ((5, 10.0), (0, -np.inf)))
    assert row.order[0] == 5
    assert row.ranks[0] >= 6
    assert row.logits[5] == 9
    assert rows.row(0).logits[5] == -1


@given(st.text(max_size=3))
def test_names_match_in_any_case(text: str) -> None:
    row = Rows([Block(Z[np.newaxis], LABELS)]).row(0)
    assert row.matching(text).tolist() == [i for i, n in enumerate(row.names) if text.casefold() in n.casefold()]
    assert row.matching("DOG").tolist() == [1, 3]


@pytest.mark.parametrize("sizes", [[1], [3], [1, 1, 1], [2, 1, 4]])
def test_every_row_of_every_block_is_found(sizes: list[int]) -> None:
    whole = np.arange(sum(sizes) * 2.0).reshape(-1, 2)
    ends = np.cumsum(sizes)
    blocks = [Block(whole[end - size : end], first_row=int(end - size)) for size, end in zip(sizes, ends, strict=True)]
    rows = Rows(blocks)
    assert len(rows) == sum(sizes)
    for number in range(len(rows)):
        assert rows.block(number).logits.tolist() == [whole[number].tolist()]
        assert rows.block(number).first_row == number


def test_a_row_s_likelihood_is_of_its_most_probable_class() -> None:
    rows = Rows([Block(Z[np.newaxis])])
    chain = Board.of(None, 0.5).turned(SAMPLERS["top_k"].parameters[0], 2).chain()
    exp = np.exp(Z[:2] / 0.5)
    assert rows.likelihood(0, 0.5, chain) == pytest.approx(exp[0] / exp.sum(), rel=1e-14)
    assert rows.tokens is None


# What is seen.


@settings(deadline=None, max_examples=40)
@given(boards())
def test_a_class_is_removed_by_the_first_step_that_masks_it(board: Board) -> None:
    chain = board.chain()
    found = seen(ROW, board.tau, chain)
    assume(isinstance(found, Seen))
    assert isinstance(found, Seen)
    stages = explain(chain.at(board.tau), Z) if chain else []
    before, expected = np.isfinite(Z), np.full(len(Z), -1)
    for i, stage in enumerate(stages):
        expected[before & ~stage.kept] = i
        before = stage.kept
    assert found.removers.tolist() == expected.tolist()
    assert (found.probs[expected >= 0] == 0).all()
    assert found.result.kept[0, 0].tolist() == (np.isfinite(Z) & (expected < 0)).tolist()


@settings(deadline=None, max_examples=40)
@given(boards())
def test_the_measures_are_of_what_is_left(board: Board) -> None:
    found = seen(ROW, board.tau, board.chain())
    assume(isinstance(found, Seen))
    assert isinstance(found, Seen)
    by_name = dict(zip(MEASURES, found.measures, strict=True))
    left = found.probs[found.probs > 0]
    highest = [*sorted(found.probs.tolist(), reverse=True), 0.0]
    assert by_name["entropy"] == pytest.approx(-(left * np.log(left)).sum(), abs=1e-12)
    assert by_name["perplexity"] == pytest.approx(np.exp(by_name["entropy"]), rel=1e-12)
    assert by_name["top"] == pytest.approx(highest[0], rel=1e-14)
    assert by_name["margin"] == pytest.approx(highest[0] - highest[1], abs=1e-14)
    assert found.probs[found.top] == pytest.approx(highest[0], rel=1e-14)
    alone = Distributions(ROW.block, np.array([board.tau])).probs[0, 0]
    assert found.alone.tolist() == alone.tolist()
    assert by_name["cut"] == pytest.approx(alone[found.removers >= 0].sum(), abs=1e-15)


@settings(deadline=None, max_examples=25)
@given(boards())
def test_a_course_is_what_is_seen_at_each_temperature(board: Board) -> None:
    chain = board.chain()
    found = course(ROW, chain, (0, 3), lambda: False)
    assert found
    assert found.probs.shape == (len(TAUS), 2)
    for t, tau in enumerate(TAUS.tolist()):
        one = seen(ROW, tau, chain)
        if isinstance(one, AllRemovedError):
            assert np.isnan(found.measures[t]).all()
            assert np.isnan(found.probs[t]).all()
        else:
            assert found.measures[t].tolist() == list(one.measures)
            assert found.probs[t].tolist() == Distributions(ROW.block, TAUS[[t]], chain).probs[0, 0, [0, 3]].tolist()


def test_a_course_is_given_up_on_the_way() -> None:
    answers = iter([False, False, False, True])
    assert course(ROW, None, (0,), lambda: next(answers)) is None
    assert next(answers, None) is None


def test_a_chain_may_leave_nothing() -> None:
    """mlx-lm's top-p keeps what is over 1 - p of the sum, which for a small p is nothing."""
    board = Board.of(None, 1.0).turned(SAMPLERS["top_p"].parameters[0], 1e-17).like(ENGINES["mlx-lm"])
    error = seen(ROW, 1.0, board.chain())
    assert isinstance(error, AllRemovedError)
    assert str(error) == "row 0: top_p 1e-17 of mlx-lm removes every class"
    found = course(ROW, board.chain(), (0,), lambda: False)
    assert found
    assert np.isnan(found.probs).all()


# Draws.


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5), st.integers(0, 99))
def test_a_tally_counts_every_draw(sizes: list[int], seed: int) -> None:
    tally = Tally(np.random.default_rng(seed), len(Z))
    for i, size in enumerate(sizes):
        found = seen(ROW, [0.1, 1.0, inf][i % 3], None)
        assert isinstance(found, Seen)
        tally.draw(found.probs, size)
    assert tally.size == tally.counts.sum() == sum(sizes)
    assert tally.expected.sum() == pytest.approx(sum(sizes), rel=1e-12)
    assert tally.counts[-1] == tally.expected[-1] == 0
    assert len(tally.last) == min(LAST, sum(sizes))
    if sum(sizes) <= LAST:
        assert np.bincount(tally.last, minlength=len(Z)).tolist() == tally.counts.tolist()
    shown = tally.most(99)
    either = np.maximum(tally.counts, tally.expected)
    assert [either[i] for i in shown] == sorted((e for e in either.tolist() if e > 0), reverse=True)


def test_draws_are_from_the_distribution_of_their_moment() -> None:
    """Half of them at one temperature and half at another: neither alone would give the counts."""
    tally = Tally(np.random.default_rng(1), len(Z))
    cold, hot = Seen(ROW, 0.3, None).probs, Seen(ROW, 3.0, None).probs
    for probs in (cold, hot):
        tally.draw(probs, 20000)
    fits = [goodness_of_fit(tally.counts, probs) for probs in (tally.expected, cold, hot)]
    p_values = [fit.p_value for fit in fits if fit]
    assert p_values[0] > 0.01
    assert max(p_values[1:]) < 1e-9
