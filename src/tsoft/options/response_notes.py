"""The options for an API response, and notes on its limits."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import log_sum_exp
from tsoft.errors import InputError, UsageError, exclusive
from tsoft.notes import note
from tsoft.options.input import BoundsOptions, ListedOptions, LogitsOptions

if TYPE_CHECKING:
    from tsoft.core.partial_distribution import PartialDistribution
    from tsoft.sampling.distributions import Distributions


# A list is suspicious if more unlisted tokens than this, and this many times the listed ones, must be as probable as
# the least probable listed token, while the most probable one is this many times as probable.
_MANY_TIED, _MANY_TIMES = 1000, 100


def apply_options(
    blocks: Iterator[Block],
    options: LogitsOptions,
    bounds: ListedOptions | None = None,
    *,
    unknown_rows: bool = False,
    note: Callable[[str], None] = note,
) -> Iterator[Block]:
    """Yield the blocks, with --applied-tau and --vocab-size applied to those of an API response. Print notes on these.

    bounds: None for a command without these options. unknown_rows: whether to yield rows without any known probability,
    whose logits mean nothing. note: prints a note to the user.
    """
    tau, classes, hint = options.applied_tau, None, ""
    if isinstance(bounds, BoundsOptions):
        classes = bounds.vocab_size
        hint = "" if classes is not None else "; pass --vocab-size for tighter bounds"
    listed_only = bounds is not None and bounds.listed_only
    if tau is not None and not 0 < tau < np.inf:
        raise UsageError(f"--applied-tau: expected a finite number above 0, got {tau:.15g}")
    if classes is not None:
        _check_vocabulary(classes)
    if listed_only and classes is not None:
        raise UsageError(exclusive("--listed-only", "--vocab-size"))
    if tau is not None or classes is not None:
        blocks = (_with_options(block, tau, classes) for block in blocks)
    if listed_only:
        hint = "; --listed-only treats the listed tokens as the whole distribution"
    blocks = with_notes(blocks, hint, note)
    if listed_only:
        blocks = map(_of_listed, blocks)
    return blocks if unknown_rows else _without_unknown_rows(blocks, note)


def _check_vocabulary(classes: int) -> None:
    """Raise UsageError if no vocabulary has this many tokens."""
    from tsoft.core.partial_distribution import LARGEST_VOCABULARY

    if classes > LARGEST_VOCABULARY:
        raise UsageError(f"--vocab-size: expected a whole number from 1 to {LARGEST_VOCABULARY:.0e}, got {classes}")


def _without_unknown_rows(blocks: Iterator[Block], note: Callable[[str], None]) -> Iterator[Block]:
    """Yield the blocks except the rows without any known probability. Print a note on the first of these.

    Raise InputError if no row remains.
    """
    skipped, remaining = "", False
    for block in blocks:
        if block.partial is None or not block.partial.unknown.all():
            remaining = True
            yield block
        elif not skipped:
            skipped = f"row {block.first_row}"
            note(f"{skipped}: tsoft skips the rows without any known probability; compute shows them")
    if skipped and not remaining:
        raise InputError("the response does not contain the probability of any token")


_NOT_WHOLE = "the distribution depends on tokens that the response does not list; pass --listed-only to ignore them"


def require_exact(result: "Distributions") -> None:
    """Raise UsageError unless the distributions of a response are exact, for a result that needs whole ones."""
    if not result.exact.all():
        place = f"row {result.block.first_row}, τ = {result.taus[result.exact.argmin()]:g}"
        raise UsageError(f"{place}: {_NOT_WHOLE}, or samplers that remove them (such as --top-k 5)")


def require_whole(block: Block) -> None:
    """Raise UsageError for a partial distribution, for a result that has no samplers."""
    if block.partial is not None and block.partial.unlisted != 0:
        raise UsageError(f"row {block.first_row}: {_NOT_WHOLE}")


def whole_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield the blocks. Raise UsageError for a partial distribution."""
    for block in blocks:
        require_whole(block)
        yield block


def _of_listed(block: Block) -> Block:
    if block.partial is None:
        raise UsageError("--listed-only works only with an API response, and the input is not one; remove it")
    return replace(block, partial=block.partial.of_listed())


def _with_options(block: Block, applied_tau: float | None, classes: int | None) -> Block:
    if block.partial is None:
        option = "--vocab-size" if applied_tau is None else "--applied-tau"
        raise UsageError(f"{option} works only with an API response, and the input is not one; remove {option}")
    tau = 1.0 if applied_tau is None else applied_tau
    partial = replace(block.partial, tau=tau, classes=block.partial.classes if classes is None else classes)
    too_small, fix = f"--vocab-size {classes} is too small", "pass the size of the model's vocabulary"
    if classes is not None and classes < block.logits.shape[1]:
        raise UsageError(f"{too_small}: row {block.first_row} lists {block.logits.shape[1]} tokens; {fix}")
    if not partial.is_consistent:
        unlisted = f"{partial.unlisted} unlisted token{'s' * (partial.unlisted != 1)}"
        most = f"at most {np.exp(min(partial.cap, 0.0)):.3g} each"
        remaining = f"{1 - partial.mass:.3g} of the probability"
        problem = f"in row {block.first_row}, {unlisted} with {most} cannot have {remaining}"
        raise UsageError(f"{too_small}: {problem}; {fix}")
    if tau == 1.0:
        return replace(block, partial=partial)
    logits = block.logits * tau
    return replace(block, logits=logits - log_sum_exp(logits)[:, np.newaxis], partial=partial)


def with_notes(blocks: Iterator[Block], hint: str = "", note: Callable[[str], None] = note) -> Iterator[Block]:
    """Yield the blocks. Print notes on those of an API response and, at the end, how much of the probability it lists.

    hint: the end of that note if the size of the vocabulary is unknown.
    """
    rows, total, smallest = 0, 0.0, (np.inf, 0)
    noted: set[str] = set()
    partial: PartialDistribution | None = None
    for block in blocks:
        if block.partial:
            partial = block.partial
            if not partial.unknown.all():
                rows, total, smallest = rows + 1, total + partial.mass, min(smallest, (partial.mass, block.first_row))
            for kind, message in response_notes(partial):
                if kind not in noted:
                    noted.add(kind)
                    note(f"row {block.first_row}: {message}")
        yield block
    if partial and rows:
        shares = [f"{np.floor(share * 1e4) / 1e2:.4g} %" for share in (smallest[0], total / rows)]
        mass = f"at least {shares[0]} (row {smallest[1]}), on average {shares[1]}," if rows > 1 else shares[0]
        note(f"the response lists {mass} of the probability at τ = {partial.tau:g}" + hint * (partial.classes is None))


def response_notes(partial: "PartialDistribution") -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each note on a token's alternatives. One note of each kind is enough."""
    if partial.unknown.all():
        yield "unknown", "the response does not contain the probability of the drawn token, nor of any alternative"
        return
    if partial.is_sampled:
        hint = "; pass --applied-tau to undo the temperature" if partial.tau == 1.0 else ""
        yield "sampled", f"the prob fields are probabilities after the server's temperature and samplers{hint}"
    if partial.is_truncated:
        lowest = f"the least likely has {np.exp(partial.lowest_logprob):.2g}"
        problem = f"the {len(partial.logprobs)} alternatives sum to 1, and {lowest}"
        yield "truncated", f"{problem}, so the server's samplers removed the other tokens"
    if len(partial.logprobs) == 1:
        fix = 'request alternatives with "top_logprobs": 20, or with the server\'s name for it'
        yield "alone", f"the response lists only the drawn token; {fix}"
    if partial.mass > 1 + 1e-3:
        yield "over", f"the listed probabilities sum to {partial.mass:.4g}, more than 1"
    tied = _tied_tokens(partial)
    if tied > max(_MANY_TIED, _MANY_TIMES * len(partial.logprobs)) and _is_steep(partial):
        least = f"as probable as the least probable alternative, {np.exp(partial.cap):.2g}"
        problem = (
            f"the listed probabilities sum to {partial.mass:.4g}, so at least {tied:.0f} other tokens must be {least}"
        )
        yield "tied", f"{problem}; the alternatives are probably not the most probable tokens"


def _tied_tokens(partial: "PartialDistribution") -> float:
    """Return how many unlisted tokens at the cap would have the probability that is certainly missing."""
    missing = partial.min_unlisted_mass
    return float(np.floor(np.exp(np.log(missing) - partial.cap))) if missing and partial.cap > -np.inf else 0.0


def _is_steep(partial: "PartialDistribution") -> bool:
    return bool(np.nanmax(partial.logprobs) - partial.cap > np.log(_MANY_TIMES))
