"""The session of the explorer, without a screen."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tsoft.core.block import Block
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.row_command import RowCommand
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.sampled_rows import SampledRows
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.session import Effects, Session
from tsoft.sampling.sampler_table import SAMPLERS, TAU, SamplerParameter

Z = np.array([[2.0, 1.0, 0.5], [0.0, 3.0, 1.0]])
STATE = ExplorerState(SamplerState.from_chain(None, 1.0))
[TOP_K] = SAMPLERS["top_k"].parameters
ROW, LIST, CURVES = Effects(True, True, True), Effects(classes=True), Effects(curves=True)


def session(z: object = Z, labels: tuple[str, ...] | None = ("a", "b", "c")) -> Session:
    explorer_input = ExplorerInput(ExplorerRows([Block(np.array(z), labels)]), STATE)
    return Session(explorer_input, SampledRows(explorer_input))


def change(opened: Session, state: ExplorerState) -> Effects:
    effects = opened.show(opened.history.changed(state))
    opened.compute()
    return effects


def with_value(parameter: SamplerParameter, value: float) -> Callable[[ExplorerState], ExplorerState]:
    return lambda state: replace(state, samplers=state.samplers.with_value(parameter, value))


@pytest.mark.parametrize(
    ("changed", "effects"),
    [
        (with_value(TAU, 0.5), Effects()),
        (with_value(TOP_K, 2), CURVES),
        (lambda state: replace(state, filter="b"), LIST),
        (lambda state: replace(state, input_order=True), LIST),
        (lambda state: replace(state, number=1), ROW),
        (lambda state: state.with_edit(RowEdit().with_logit(0, 5.0)), Effects(classes=True, curves=True)),
        (lambda state: replace(state, mark=state.picture), Effects()),
    ],
)
def test_effects_of_a_change(changed: Callable[[ExplorerState], ExplorerState], effects: Effects) -> None:
    opened = session()
    assert change(opened, changed(opened.state)) == effects
    assert opened.show(opened.history.undone()) == effects
    assert opened.state == STATE


def test_the_distribution_and_the_distance_from_the_mark() -> None:
    opened = session()
    change(opened, replace(STATE, mark=STATE.picture, samplers=STATE.samplers.with_value(TAU, 0.5)))
    exp_1, exp_half = np.exp(Z[0]), np.exp(Z[0] / 0.5)
    marked, present = exp_1 / exp_1.sum(), exp_half / exp_half.sum()
    assert opened.snapshot
    assert opened.comparison
    assert_allclose(opened.snapshot.probs, present, rtol=1e-12)
    assert_allclose(opened.comparison.total_variation, abs(present - marked).sum() / 2, rtol=1e-12)


def test_draws_belong_to_the_classes_of_a_row() -> None:
    opened = session()
    opened.compute()
    assert opened.snapshot
    opened.counts.draw(opened.snapshot.probs, 10)
    change(opened, opened.state.with_edit(RowEdit().with_logit(0, 5.0)))
    assert opened.counts.total == 10
    change(opened, opened.state.with_edit(RowEdit().with_class("new", 1.0)))
    assert opened.counts.counts.tolist() == [0, 0, 0, 0]
    assert opened.move_to(1) == ROW
    assert len(opened.counts.counts) == 3
    # The move is no change that can be undone.
    assert len(opened.history.past) == 2


def test_no_command_lists_the_logits_of_a_long_row() -> None:
    opened = session(np.zeros((1, 257)), None)
    assert RowCommand(opened).line == ""
    assert RowCommand(opened).obstacle.startswith("No command can show this row.")
    opened = session(np.zeros((1, 256)), None)
    assert RowCommand(opened).line == f"tsoft compute {'0 ' * 256}--tau 1"
    assert RowCommand(opened).obstacle == ""
