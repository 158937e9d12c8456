"""The classes that a chain of samplers keeps, and the draws of classes that it removes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.features.audit.evidence import MANY_CLASSES, UNLISTED, DrawnRow, Evidence
from tsoft.sampling.apply_chains import PIECE_SIZE, compute_distributions
from tsoft.sampling.chain import Chain
from tsoft.sampling.step import Step


@dataclass(frozen=True, eq=False)
class Support:
    """The classes of a row that a chain keeps. `certain` and `possible` are masks, (n,): a class of a partial
    distribution may be only possible. With `lists_all`, every class that remains is listed."""

    certain: Array
    possible: Array
    lists_all: bool


class Supports:
    """The classes that chains keep of each row of the evidence, computed once for each chain and temperature."""

    def __init__(self, evidence: Evidence):
        self.evidence = evidence
        # A chain's samplers are the same objects throughout an audit.
        self._known: dict[tuple[tuple[Step, ...], float], list[Support]] = {}

    def at(self, chain: Chain, tau: float) -> list[Support]:
        """Return the classes that a chain keeps of each row at a temperature."""
        key = chain.steps, tau
        if key not in self._known:
            rows = self.evidence.rows
            if tau > 0 and all(step.sampler.is_temperature for step in chain.steps):
                self._known[key] = [_everything(row) for row in rows]
            else:
                self._known[key] = [each for piece in _pieces(rows) for each in _of_block(piece, chain, tau)]
        return self._known[key]


def _everything(row: DrawnRow) -> Support:
    """Return the support without a cutoff."""
    return Support(row.logits > -np.inf, np.ones(len(row.logits), bool), lists_all=False)


def _pieces(rows: Sequence[DrawnRow]) -> Iterator[Block]:
    """Yield the rows in blocks. Whole distributions of the same width share a block, in which a chain is faster."""
    start = 0
    while start < len(rows):
        first = rows[start].block
        classes = first.logits.shape[1]
        stop = start + 1
        while (
            stop < len(rows)
            and first.partial is None
            and rows[stop].block.partial is None
            and rows[stop].block.logits.shape[1] == classes
            and (stop - start) * classes < PIECE_SIZE
        ):
            stop += 1
        logits = first.logits if stop == start + 1 else np.concatenate([row.block.logits for row in rows[start:stop]])
        yield replace(first, logits=logits.astype(np.float64, copy=False), targets=None, keys=None, widths=None)
        start = stop


def _of_block(block: Block, chain: Chain, tau: float) -> Iterator[Support]:
    if block.partial is not None and block.partial.classes is None:
        # Above temperature 1, the rarest unlisted classes of an unlimited number could have any share.
        block = replace(block, partial=replace(block.partial, classes=MANY_CLASSES))
    result = compute_distributions(block, np.array([tau]), chain)
    possible, undecided = result.kept[0], result.undecided[0]
    for r in range(len(possible)):
        yield Support(possible[r] & ~undecided[r], possible[r], bool(result.exact[0]))


@dataclass(frozen=True)
class OutsideDraws:
    """Draws of classes that the requested samplers remove: their number, and an `example`, the index of a row and that
    of a class, UNLISTED for one that the row does not list."""

    count: int
    example: tuple[int, int]


def outside_draws(supports: Supports, chain: Chain, taus: Sequence[float]) -> OutsideDraws | None:
    """Return the draws of classes that a chain removes at every one of the temperatures, even within the noise; None if
    there are none."""
    rows, noise = supports.evidence.rows, supports.evidence.noise
    kept = [supports.at(chain, tau) for tau in taus]
    count, example = 0, None
    for r, row in enumerate(rows):
        draws = row.draws
        is_kept = np.zeros(len(draws), bool)
        for each in kept:
            listed = each[r].possible[draws] if len(each[r].possible) else np.zeros(len(draws), bool)
            is_kept |= np.where(draws == UNLISTED, not each[r].lists_all, listed)
        outside = draws[~is_kept]
        if not len(outside):
            continue
        # The least probable one is the farthest from the cutoff.
        worst = UNLISTED if UNLISTED in outside else int(outside[row.block.logits[0][outside].argmin()])
        if not any(_is_kept_with_noise(row, worst, noise, chain, tau) for tau in taus):
            count += len(outside)
            example = example or (r, worst)
    return OutsideDraws(count, example) if example else None


def _is_kept_with_noise(row: DrawnRow, index: int, noise: float, chain: Chain, tau: float) -> bool:
    """Return whether the chain may keep a class if the logits of all more probable ones are lower by the noise."""
    logits, partial = row.block.logits.astype(np.float64), row.block.partial
    if index == UNLISTED:
        # It is at most as probable as the least probable listed class.
        if partial is None or not row.unlisted:
            return False
        logits = np.append(logits, partial.ceiling)[np.newaxis]
    higher = logits > logits[0, index]
    if index == UNLISTED:
        higher[0, :-1] = True
    logits[higher] -= noise
    labels = row.block.labels
    if partial is not None:
        # The probabilities still sum to 1 with those that are not listed.
        removed = -np.expm1(-noise) * float(np.exp(row.logits[higher[0, : len(row.logits)]]).sum())
        logits -= np.log1p(-removed)
        partial = replace(partial, logprobs=logits[0], cap=partial.cap - np.log1p(-removed))
        labels = (*labels, "") if labels is not None and index == UNLISTED else labels
    block = replace(row.block, logits=logits, labels=labels, partial=partial, targets=None, keys=None)
    [support] = _of_block(block, chain, tau)
    return bool(support.possible[index])
