"""A row at one temperature, and its curves over all temperatures."""

import numpy as np
import pytest
from hypothesis import assume, given, settings

from explorer.states import ROW, Z, states
from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.snapshot import CURVE_TAUS, SHOWN_MEASURES, Snapshot, temperature_curves
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.chain import Chain
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.explanation import explain
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.step import AllRemovedError, ChainError


def snapshot_of(state: SamplerState) -> Snapshot:
    try:
        return Snapshot(ROW, state.tau, state.chain())
    except ChainError:
        assume(False)
        raise


@given(states())
def test_a_class_is_removed_by_the_first_step_that_masks_it(state: SamplerState) -> None:
    chain, snapshot = state.chain(), snapshot_of(state)
    stages = explain(chain.at(state.tau), Z) if chain else []
    before, expected = np.isfinite(Z), np.full(len(Z), -1)
    for i, stage in enumerate(stages):
        expected[before & ~stage.kept] = i
        before = stage.kept
    assert snapshot.removing_steps.tolist() == expected.tolist()
    assert (snapshot.probs[expected >= 0] == 0).all()
    assert snapshot.kept.tolist() == (np.isfinite(Z) & (expected < 0)).tolist()


@given(states())
def test_the_measures_are_those_of_the_kept_classes(state: SamplerState) -> None:
    snapshot = snapshot_of(state)
    measures = dict(zip(SHOWN_MEASURES, snapshot.measures, strict=True))
    positive = snapshot.probs[snapshot.probs > 0]
    highest = [*sorted(snapshot.probs.tolist(), reverse=True), 0.0]
    assert measures["entropy"] == pytest.approx(-(positive * np.log(positive)).sum(), abs=1e-12)
    assert measures["perplexity"] == pytest.approx(np.exp(measures["entropy"]), rel=1e-12)
    assert measures["top"] == pytest.approx(highest[0], rel=1e-14)
    assert measures["margin"] == pytest.approx(highest[0] - highest[1], abs=1e-14)
    assert snapshot.probs[snapshot.top] == pytest.approx(highest[0], rel=1e-14)
    tempered = Distributions(ROW.block, np.array([state.tau])).probs[0, 0]
    assert snapshot.tempered_probs.tolist() == tempered.tolist()
    assert measures["removed"] == pytest.approx(tempered[snapshot.removing_steps >= 0].sum(), abs=1e-15)


@settings(max_examples=25)
@given(states())
def test_the_curves_are_the_snapshots_at_each_temperature(state: SamplerState) -> None:
    chain = state.chain()
    curves = temperature_curves(ROW, chain, (0, 3), lambda: False)
    assert curves
    assert curves.probs.shape == (len(CURVE_TAUS), 2)
    # Each eighth temperature, with the first and the last.
    for t, tau in list(enumerate(CURVE_TAUS.tolist()))[::8]:
        try:
            snapshot = Snapshot(ROW, tau, chain)
        except ChainError:
            assert np.isnan(curves.measures[t]).all()
            assert np.isnan(curves.probs[t]).all()
        else:
            assert curves.measures[t].tolist() == list(snapshot.measures)
            probs = Distributions(ROW.block, CURVE_TAUS[[t]], chain).probs[0, 0, [0, 3]]
            assert curves.probs[t].tolist() == probs.tolist()


@pytest.mark.parametrize("piece", [1, 10, 1000])
def test_the_curves_of_listed_alternatives_are_the_snapshots_in_pieces_of_any_size(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tsoft.explorer.snapshot.CURVE_PIECE", piece)
    logits = np.log([[0.5, 0.2, 0.1]])
    partial = PartialDistribution(logits[0], index=0, cap=logits[0, -1], classes=10)
    row = ExplorerRows([Block(logits, partial=partial)]).row(0)
    chain = SamplerState.from_chain(None, 1.0).with_value(SAMPLERS["top_p"].parameters[0], 0.6).chain()
    curves = temperature_curves(row, chain, (0, 2), lambda: False)
    assert curves
    for t, tau in enumerate(CURVE_TAUS.tolist()):
        snapshot = Snapshot(row, tau, chain)
        np.testing.assert_array_equal(curves.measures[t], snapshot.measures)
        np.testing.assert_array_equal(curves.probs[t], snapshot.probs[[0, 2]])
    # The unlisted classes may be among the removed ones.
    assert np.isnan(curves.measures[:, SHOWN_MEASURES.index("removed")]).all()


def test_the_curves_can_be_canceled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsoft.explorer.snapshot.CURVE_PIECE", 10 * len(Z))
    answers = iter([False, False, False, True])
    assert temperature_curves(ROW, None, (0,), lambda: next(answers)) is None
    assert next(answers, None) is None


def test_a_chain_may_remove_every_class() -> None:
    """mlx-lm's top-p keeps the classes beyond 1 - p of the sum. For a small p, no class remains."""
    state = SamplerState.from_chain(None, 1.0).with_value(SAMPLERS["top_p"].parameters[0], 1e-17)
    chain = state.with_engine(ENGINES["mlx-lm@0.32.0"]).chain()
    with pytest.raises(ChainError, match=r"^row 0: top_p 1e-17 of mlx-lm@0.32.0 removes every class$"):
        Snapshot(ROW, 1.0, chain)
    curves = temperature_curves(ROW, chain, (0,), lambda: False)
    assert curves
    assert np.isnan(curves.probs).all()


def test_a_chain_may_remove_every_class_at_some_temperatures(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(block: Block, taus: Array, chain: Chain | None) -> Distributions:
        if ((taus > 1) & (taus < 10)).any():
            raise AllRemovedError(0, "a sampler")
        return compute_distributions(block, taus, chain)

    monkeypatch.setattr("tsoft.explorer.snapshot.compute_distributions", compute)
    curves = temperature_curves(ROW, None, (0,), lambda: False)
    assert curves
    removed = (CURVE_TAUS > 1) & (CURVE_TAUS < 10)
    expected = np.where(removed, np.nan, Distributions(ROW.block, CURVE_TAUS).probs[:, 0, 0])
    assert curves.probs[:, 0].tolist() == pytest.approx(expected.tolist(), abs=0, nan_ok=True)
    assert (np.isnan(curves.measures).all(1) == removed).all()
