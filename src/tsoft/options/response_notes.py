"""What the options say of a server's response, and what is to be said of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import log_sum_exp
from tsoft.errors import UsageError
from tsoft.notes import note
from tsoft.options.input import LogitsOptions

if TYPE_CHECKING:
    from tsoft.core.partial_distribution import PartialDistribution


def completed(found: Iterator[Block], options: LogitsOptions) -> Iterator[Block]:
    """The blocks, those of a server's response with what the options say of them, and with notes on what
    they leave out."""
    tau, classes = options.applied_tau, options.vocab_size
    if tau is not None and not 0 < tau < np.inf:
        raise UsageError(f"--applied-tau: {tau:g} is not a temperature that can be undone, which is above 0")
    if tau is None and classes is None:
        return noted(found)
    return noted(_with_options(block, tau or 1.0, classes) for block in found)


def _with_options(block: Block, tau: float, classes: int | None) -> Block:
    if block.partial is None:
        raise UsageError("--vocab-size and --applied-tau are about a server's response, which this is not")
    given = replace(block.partial, tau=tau, classes=block.partial.classes if classes is None else classes)
    where = f"--vocab-size {classes}: row {block.first_row}"
    if classes is not None and classes < block.logits.shape[1]:
        raise UsageError(f"{where} alone names {block.logits.shape[1]}")
    if not given.is_consistent:
        raise UsageError(
            f"{where} leaves out {1 - given.mass:.3g}, more than {given.unlisted} classes below its last hold"
        )
    if tau == 1.0:
        return replace(block, partial=given)
    logits = block.logits * tau
    return replace(block, logits=logits - log_sum_exp(logits)[:, np.newaxis], partial=given)


def noted(found: Iterator[Block]) -> Iterator[Block]:
    """The blocks, with notes on those of a server's response: what samplers have done to them, and at the
    end how much of the probability they hold."""
    rows, total, least = 0, 0.0, (np.inf, 0)
    said: set[str] = set()
    given: PartialDistribution | None = None
    for block in found:
        if block.partial:
            given = block.partial
            rows, total, least = rows + 1, total + given.mass, min(least, (given.mass, block.first_row))
            for kind, sentence in sentences(given):
                if kind not in said:
                    said.add(kind)
                    note(f"row {block.first_row}: {sentence}")
        yield block
    if given:
        shares = [f"{np.floor(share * 1e4) / 1e2:.4g} %" for share in (least[0], total / rows)]
        many = f"at least {shares[0]} (row {least[1]}) and on average {shares[1]}" if rows > 1 else shares[0]
        bounded = "" if given.classes else "; --vocab-size bounds what the rest can be"
        note(f"at τ = {given.tau:g} the listed alternatives hold {many} of the probability{bounded}")


def sentences(given: "PartialDistribution") -> Iterator[tuple[str, str]]:
    """What is to be said of what was given of a token, each by its kind, of which one is enough."""
    if given.is_sampled:
        already = "tempered and cut already; --applied-tau undoes the temperature"
        yield "tempered", f"top_probs are what the server's samplers left, {already}"
    if given.is_truncated:
        least = f"its {len(given.logprobs)} alternatives sum to 1, the least of them {np.exp(given.cap):.2g}"
        yield "cut", f"{least}: a sampler has removed the other classes"
    if len(given.logprobs) == 1:
        asked = 'ask the server for alternatives too, with "top_logprobs": 20 or what it calls them'
        yield "alone", f"only the token that was drawn is given; {asked}"
    if given.mass > 1 + 1e-3:
        yield "over", f"the probabilities sum to {given.mass:.4g}, more than 1"
