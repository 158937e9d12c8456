"""The measures of the rows of a pair of inputs, at each temperature."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.divergence import difference
from tsoft.core.softmax import Array
from tsoft.features.compare.bounds import Side, bounds, partial_side, top_places
from tsoft.features.compare.classes import Pair
from tsoft.features.compare.model_comparison import CHOSEN, MEASURES, difference_at, measures
from tsoft.options.plan import Plan
from tsoft.options.response_notes import require_exact
from tsoft.sampling.apply_chains import PIECE_SIZE, compute_distributions
from tsoft.sampling.distributions import Distributions

if TYPE_CHECKING:
    from tsoft.sampling.chain import Chain


@dataclass(frozen=True, eq=False)
class ComparisonSettings:
    """The temperatures, (k,), that of the draft if it differs, and the samplers that apply to both distributions."""

    taus: Array
    draft_tau: float | None
    plan: Plan

    @property
    def draft_taus(self) -> Array:
        """The draft's temperatures: (k,)."""
        return self.taus if self.draft_tau is None else np.full(len(self.taus), self.draft_tau)

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """The temperature of the target and that of the draft, k times."""
        return list(zip(self.taus.tolist(), self.draft_taus.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class ComparedRows:
    """Rows with their measures at k temperatures.

    `bounds` are a lower and an upper bound on each measure by its name, (2, k, rows) each, which are equal unless a
    distribution is partial. `tops` are the indices of the most probable classes in the target's block and in the
    draft's, (2, k, rows), -1 if unknown. `chosen` are the names of the drawn tokens or the true classes, None without.
    """

    first: Block
    second: Block
    bounds: dict[str, Array]
    tops: Array
    chosen: Sequence[str | int | None] | None = None


def compared_rows(pair: Pair, settings: ComparisonSettings) -> Iterator[ComparedRows]:
    """Yield the measures of a pair in pieces that fit in memory."""
    if pair.match is not None:
        yield _partial_row(pair, settings)
        return
    step = max(1, PIECE_SIZE // pair.first.logits.shape[1])
    for start in range(0, len(pair.first.logits), step):
        yield _whole_rows(pair.first.part(start, start + step), pair.second.part(start, start + step), settings)


def _whole_rows(first: Block, second: Block, settings: ComparisonSettings) -> ComparedRows:
    results = [_measures_at(first, second, taus, settings.plan) for taus in settings.pairs]
    values = {name: np.array([result[name] for result, _ in results]) for name in results[0][0]}
    tops = np.stack([np.array(tops) for _, tops in results], axis=1)
    chosen = None if first.targets is None else [_name(first, target) for target in first.targets.tolist()]
    return ComparedRows(
        first, second, {name: np.broadcast_to(each, (2, *each.shape)) for name, each in values.items()}, tops, chosen
    )


def _measures_at(
    first: Block, second: Block, taus: tuple[float, float], plan: Plan
) -> tuple[dict[str, Array], tuple[Array, Array]]:
    """Return the measures of whole distributions at one temperature, and the most probable classes of both."""
    p, q = (_distributions(block, tau, plan) for block, tau in zip((first, second), taus, strict=True))
    log_p, log_q, tops = p.log_probs[0], q.log_probs[0], (p.top[0], q.top[0])
    if plan.has_chain:
        differing = difference(log_p, log_q, 1.0)
    else:
        differing = difference_at(first.logits, second.logits, *taus, log_p, log_q)
    result = measures(log_p, log_q, *tops, differing)
    if first.targets is not None:
        chosen = differing.change[np.arange(len(log_p)), first.targets]
        result[CHOSEN] = np.where(first.targets < 0, np.nan, chosen)
    return result, tops


def _partial_row(pair: Pair, settings: ComparisonSettings) -> ComparedRows:
    assert pair.match
    results, tops = [], []
    for tau, draft_tau in settings.pairs:
        first, second = _side(pair.first, tau, settings.plan), _side(pair.second, draft_tau, settings.plan)
        results.append(bounds(first, second, pair.match, pair.chosen))
        tops.append([-1 if top is None else top for top in top_places(first, second, pair.match)])
    names = (*MEASURES, CHOSEN) if pair.drawn is not None else MEASURES
    ends = {name: np.array([result[name] for result in results]).T[:, :, np.newaxis] for name in names}
    chosen = None if pair.drawn is None else [pair.drawn]
    return ComparedRows(pair.first, pair.second, ends, np.array(tops).T[:, :, np.newaxis], chosen)


def _distributions(block: Block, tau: float, plan: Plan) -> Distributions:
    """Return the distributions of a block at one temperature, after the samplers."""
    if block.partial is None:
        block = replace(block, logits=block.logits.astype(np.float64, copy=False))
    chain: Chain | None = plan.chains_for(block)[0]
    return compute_distributions(block, np.array([tau]), chain)


def _side(block: Block, tau: float, plan: Plan) -> Side:
    """Return what is known of a distribution of one row, after the samplers.

    Raise UsageError if samplers apply to a response and do not remove all unlisted classes.
    """
    if block.partial is not None and not plan.has_chain:
        return partial_side(block.partial, tau)
    result = _distributions(block, tau, plan)
    require_exact(result)
    log_probs, logits, top = result.log_probs[0, 0], result.block.logits[0], result.top[0, 0]
    return Side(log_probs, tied=np.flatnonzero((log_probs == log_probs[top]) & (logits == logits[top])))


def _name(block: Block, index: int) -> str | int | None:
    """Return the label of a class, or its index if the block has no labels; None for no class."""
    if index < 0:
        return None
    return index if block.labels is None else block.labels[index]


def top_names(block: Block, tops: Array) -> list[str | int | None]:
    """Return the names of classes, by their indices."""
    return [_name(block, index) for index in tops.tolist()]
