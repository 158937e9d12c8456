"""What the options say about an API response, and notes on what a response leaves out."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import log_sum_exp
from tsoft.errors import UsageError
from tsoft.notes import note
from tsoft.options.input import BoundsOptions, LogitsOptions

if TYPE_CHECKING:
    from tsoft.core.partial_distribution import PartialDistribution


def apply_options(
    blocks: Iterator[Block], options: LogitsOptions, bounds: BoundsOptions | None = None
) -> Iterator[Block]:
    """The blocks, those of a response with --applied-tau and --vocab-size, and with notes. A command that shows no
    bounds has no `bounds`."""
    tau, classes = options.applied_tau, bounds.vocab_size if bounds else None
    if tau is not None and not 0 < tau < np.inf:
        raise UsageError(f"--applied-tau: {tau:g} is not a temperature that can be undone, which is above 0")
    if tau is None and classes is None:
        return with_notes(blocks, shows_bounds=bounds is not None)
    return with_notes((_with_options(block, tau or 1.0, classes) for block in blocks), shows_bounds=bounds is not None)


def _with_options(block: Block, tau: float, classes: int | None) -> Block:
    if block.partial is None:
        raise UsageError("--vocab-size and --applied-tau are about a server's response, which this is not")
    partial = replace(block.partial, tau=tau, classes=block.partial.classes if classes is None else classes)
    where = f"--vocab-size {classes}: row {block.first_row}"
    if classes is not None and classes < block.logits.shape[1]:
        raise UsageError(f"{where} alone names {block.logits.shape[1]}")
    if not partial.is_consistent:
        mass = f"{1 - partial.mass:.3g}, more than {partial.unlisted} classes below its last hold"
        raise UsageError(f"{where} leaves out {mass}")
    if tau == 1.0:
        return replace(block, partial=partial)
    logits = block.logits * tau
    return replace(block, logits=logits - log_sum_exp(logits)[:, np.newaxis], partial=partial)


def with_notes(blocks: Iterator[Block], *, shows_bounds: bool = False) -> Iterator[Block]:
    """The blocks, with notes on those of a response: what samplers have done to them, and at the end how much of the
    probability they list."""
    rows, total, least = 0, 0.0, (np.inf, 0)
    noted: set[str] = set()
    partial: PartialDistribution | None = None
    for block in blocks:
        if block.partial:
            partial = block.partial
            rows, total, least = rows + 1, total + partial.mass, min(least, (partial.mass, block.first_row))
            for kind, sentence in response_notes(partial):
                if kind not in noted:
                    noted.add(kind)
                    note(f"row {block.first_row}: {sentence}")
        yield block
    if partial:
        shares = [f"{np.floor(share * 1e4) / 1e2:.4g} %" for share in (least[0], total / rows)]
        mass = f"at least {shares[0]} (row {least[1]}) and on average {shares[1]}" if rows > 1 else shares[0]
        hint = "" if partial.classes or not shows_bounds else "; --vocab-size bounds what the rest can be"
        note(f"at τ = {partial.tau:g} the listed alternatives hold {mass} of the probability{hint}")


def response_notes(partial: "PartialDistribution") -> Iterator[tuple[str, str]]:
    """The notes on a token's alternatives, each by its kind, of which one is enough."""
    if partial.is_sampled:
        already = "tempered and cut already; --applied-tau undoes the temperature"
        yield "tempered", f"top_probs are what the server's samplers left, {already}"
    if partial.is_truncated:
        least = f"its {len(partial.logprobs)} alternatives sum to 1, the least of them {np.exp(partial.cap):.2g}"
        yield "cut", f"{least}: a sampler has removed the other classes"
    if len(partial.logprobs) == 1:
        hint = 'ask the server for alternatives too, with "top_logprobs": 20 or what it calls them'
        yield "alone", f"only the token that was drawn is given; {hint}"
    if partial.mass > 1 + 1e-3:
        yield "over", f"the probabilities sum to {partial.mass:.4g}, more than 1"
