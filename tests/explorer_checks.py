"""What is true of the explorer after each event, whatever its user does."""

import contextlib
import json
import re
import subprocess
from dataclasses import dataclass, replace
from math import exp, inf, isclose, log

import numpy as np
from numpy.testing import assert_allclose

import tool
from driven import Page
from markov import Markov
from tsoft.core.softmax import Array
from tsoft.explorer.app import Explorer
from tsoft.explorer.continuation_tree import BranchLine, ContinuationTree, MoreLine
from tsoft.explorer.live_app import LiveExplorer
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.saved_state import SavedState, UnsavableError, read_state
from tsoft.explorer.snapshot import Snapshot
from tsoft.explorer.step_effects import StepEffect, step_effects
from tsoft.explorer.tree_screen import TreeScreen


@dataclass(frozen=True, eq=False)
class Shown:
    """The numbers on the screen: the distribution of each engine, its measures and steps, and the distances.

    `limit` is the limit on the relative difference of equal probabilities, which depends on the precision.
    """

    probs: list[Array]
    measures: list[tuple[float, ...]]
    effects: list[list[StepEffect]]
    distances: list[float]
    limit: float


def shown(app: Explorer) -> Shown:
    snapshots, comparison = app.session.snapshots, app.session.comparison
    distances = [app.session.engine_comparison.total_variation] if app.session.engine_comparison else []
    if comparison and comparison.is_possible:
        distances += [comparison.total_variation, comparison.divergence]
    compared = [*snapshots, comparison.marked] if comparison else snapshots
    single = any(snapshot.row.block.logits.dtype == np.float32 for snapshot in compared)
    return Shown(
        [snapshot.probs for snapshot in snapshots],
        [snapshot.measures for snapshot in snapshots],
        [step_effects(snapshot) for snapshot in snapshots],
        distances,
        1e-4 if single else 1e-9,
    )


def check_same(first: Shown, second: Shown) -> None:
    """Check that two screens show the same numbers."""
    limit = max(first.limit, second.limit)
    assert len(first.probs) == len(second.probs)
    for left, right in zip(first.probs, second.probs, strict=True):
        assert_allclose(left, right, rtol=limit, atol=limit)
    assert_allclose(first.measures, second.measures, rtol=limit, atol=limit)
    assert_allclose(first.distances, second.distances, rtol=limit, atol=limit)
    if limit < 1e-6:
        counts = [
            [[(effect.name, effect.kept, effect.cut) for effect in effects] for effects in screen.effects]
            for screen in (first, second)
        ]
        assert counts[0] == counts[1]


def check(page: Page) -> None:
    """Check the distributions, the text of the screen, the tree, the likelihood, and the state as a file."""
    app = page.app
    if app.failure or not app.is_running:
        return
    for snapshot in app.session.snapshots:
        _check_snapshot(snapshot)
    if app.session.engine_comparison:
        assert 0 <= app.session.engine_comparison.total_variation <= 1 + 1e-6
        assert app.session.engine_comparison.words
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", page.text()), page.text()
    assert app.command_line is not None
    if isinstance(app, LiveExplorer):
        _check_likelihood(app)
    if isinstance(app.screen, TreeScreen):
        _check_tree(app.screen._tree)
    with contextlib.suppress(UnsavableError):
        saved = app.session.saved_state()
        check_saved(saved, read_state(saved.text().encode(), "state"))


def _without_history(samplers: SamplerState) -> SamplerState:
    return replace(samplers, settings=tuple(each for each in samplers.settings if not each.sampler.needs_history))


def check_saved(saved: SavedState, read: SavedState) -> None:
    """Check that a state is the same after it was written and read, except penalties that are off: a saved state has no
    text before its rows."""
    state = replace(saved.state, samplers=_without_history(saved.state.samplers))
    if state.mark:
        state = replace(state, mark=replace(state.mark, samplers=_without_history(state.mark.samplers)))
    assert read.state == state, (state, read.state)
    left, right = ((state.titles, state.biases, state.bits) for state in (read, saved))
    assert left == right, (left, right)
    for block, other in zip(read.blocks, saved.blocks, strict=True):
        np.testing.assert_array_equal(block.logits, other.logits)
        assert block.labels == other.labels, (block.labels, other.labels)
        assert (block.origin.quantity == "energy") == (other.origin.quantity == "energy")


def _check_snapshot(snapshot: Snapshot) -> None:
    low, high = snapshot.bounds
    if snapshot.is_exact:
        probs = snapshot.probs
        # Each probability is rounded in the precision of the logits.
        tolerance = len(probs) * np.finfo(probs.dtype).eps
        assert isclose(probs.sum(dtype=float), 1, rel_tol=tolerance), probs
        assert (probs >= 0).all(), probs
        assert not probs[~snapshot.kept].any(), probs
        # Each step keeps or cuts what may remain after the step before, and the last one keeps what has a probability.
        kept = int((snapshot.row.block.logits > -inf).sum())
        for effect in step_effects(snapshot) if snapshot.chain else ():
            possible = effect.kept + effect.undecided
            assert possible + effect.cut == kept, (effect, kept)
            assert effect.cut_prob is None or -1e-6 <= effect.cut_prob <= 1 + 1e-6, effect
            kept = possible
        assert kept == int(snapshot.kept.sum()), snapshot.kept
    known = ~(np.isnan(low) | np.isnan(high))
    assert (low[known] <= high[known] * (1 + 1e-6) + 1e-300).all(), (low, high)


def _check_likelihood(app: LiveExplorer) -> None:
    """Check the likelihood of the text against the distributions of its rows."""
    likelihood, total = app.likelihood, 0.0
    if likelihood is None:
        return
    for number, token in enumerate(app.live.written):
        row, _ = app.session.sampled_rows.row(replace(app.state.picture, number=number))
        try:
            chain = app.session.sampled_rows.chain(row.number, row.block, row.biases, app.samplers)
            snapshot = Snapshot(row, app.samplers.tau, chain)
        except ValueError:
            return
        if not snapshot.is_exact:
            assert not likelihood.low[0] > likelihood.high[0]
            return
        total += float(snapshot.distributions.log_probs[0, 0, token.index])
    assert_allclose([likelihood.low[0], likelihood.high[0]], total, rtol=1e-9, atol=1e-12)


def _check_tree(tree: ContinuationTree) -> None:
    """Check the joint probabilities, and that those after an open branch add up to that of the branch."""
    shares: dict[tuple[int, ...], float] = {}
    for line in tree.lines:
        if isinstance(line, MoreLine):
            shares[line.path] = shares.get(line.path, 0) + line.prob
            continue
        assert isinstance(line, BranchLine)
        low, high = (float(np.exp(end[0])) for end in (line.token.likelihood.low, line.token.likelihood.high))
        assert not low > high * (1 + 1e-9), line
        shares[line.path[:-1]] = shares.get(line.path[:-1], 0) + high
        nexts = [tree.known[line.path[:depth]] for depth in range(len(line.path))]
        if all(next_.is_complete for next_ in nexts):
            tokens = [next_.token(rank).index for next_, rank in zip(nexts, line.path, strict=True)]
            probs = [float(next_.distributions.probs[0, 0, i]) for next_, i in zip(nexts, tokens, strict=True)]
            if min(probs) > 1e-300:
                assert_allclose(float(line.likelihood.high[0]), sum(map(log, probs)), rtol=1e-6, atol=1e-6)
    for path, share in shares.items():
        if tree.known[path].is_complete:
            assert_allclose(share, 1, rtol=1e-6)
            assert exp(float(tree.likelihood(path).low[0])) <= 1 + 1e-9


def check_command(app: Explorer) -> None:
    """Check that the command that `c` copies computes the distribution on the screen."""
    from tsoft.explorer.engine_comparison import comparison_obstacle

    if isinstance(app, LiveExplorer) and isinstance(app.live.model, Markov):
        # No command opens a fake model.
        return
    if isinstance(app, LiveExplorer) and app.session.input.arguments is not None:
        tokens = app.live.all_tokens(app.live.continuation.first(app.session.row.number))
        if app.live.model.prompt(app.live.text(app.session.row.number)) != tokens:
            # The model splits the text into other tokens, which the manual explains.
            return
    compared, line = app.state.compared, app.command_line
    if (
        not line
        or app.session.engine_problem
        or app.session.bias_problem
        or (compared and comparison_obstacle(app.samplers, compared))
    ):
        return
    before, name, after = (
        line.rpartition("| tsoft compute") if "| tsoft compute" in line else line.partition("tsoft compute")
    )
    command = f"{before}{name} --format json{after}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, env=tool.forked(), stdin=subprocess.DEVNULL)
    message = f"{line}\n{done.stderr.decode()}"
    if app.session.snapshot is None:
        # The JSON of `tsoft next` does not tell that the logits of an n-gram model are log-probabilities.
        assert done.returncode in (1, 2) or b"needs the raw logits" in done.stderr, message
        return
    assert done.returncode == 0, message
    number = app.session.row.number if '"row"' in done.stdout.decode(errors="replace") and not before else 0
    records = json.loads(done.stdout)
    if len(records) > len(app.session.snapshots):
        records = [record for record in records if record["row"] == number]
    assert len(records) == len(app.session.snapshots), message
    limit = shown(app).limit
    for snapshot, record in zip(app.session.snapshots, records, strict=True):
        names = ["probs"] if snapshot.is_exact else ["probs_low", "probs_high"]
        expected = [snapshot.probs] if snapshot.is_exact else snapshot.bounds
        for name, values in zip(names, expected, strict=True):
            assert_allclose(np.array(record[name], float), values, rtol=limit, atol=limit / 1e3, err_msg=message)


async def check_history(page: Page) -> None:
    """Undo all changes, redo them, and check that the state and the numbers are the same as before."""
    app = page.app
    while app.is_running and not app.failure and len(app.screen_stack) > 1:
        await page.press("escape")
    await page.press("escape")
    if not app.is_running or app.failure:
        return
    before, numbers, changes = app.state, shown(app), min(len(app.session.history.past), 20)
    await page.press(*["u"] * changes)
    await page.press(*["U"] * changes)
    assert app.state == before, (before, app.state)
    check_same(numbers, shown(app))
    check_command(app)
