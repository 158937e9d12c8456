"""The evidence of files: rows of logits, or the tokens of a response, and the draws from them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, shortened
from tsoft.features.audit.draws_file import NamedDraws
from tsoft.features.audit.evidence import UNLISTED, DrawnRow, Evidence
from tsoft.input.class_lookup import ClassLookup, TargetIndexError, unknown_class
from tsoft.notes import note

# More draws than this would not fit in memory.
MAX_DRAWS = 50_000_000


def chosen_evidence(blocks: Iterable[Block], *, is_raw: bool) -> Evidence:
    """Return the evidence of a response: each token's distribution, and the token that was drawn.

    is_raw: whether the log-probabilities are known to be those at temperature 1.
    """
    rows, skipped = [], 0
    for block in blocks:
        if block.partial is None:
            problem = f"{block.location}: --chosen needs an API response, which contains what was drawn"
            raise InputError(f"{problem}; pass --draws FILE")
        if block.partial.unknown[block.partial.index]:
            skipped += 1
            continue
        rows.append(DrawnRow(block, np.array([block.partial.index]), has_chosen=True))
    if skipped:
        note(f"tsoft skips {skipped} token{'s' * (skipped != 1)} without a known probability")
    if not rows:
        raise InputError("the response has no token with a known probability")
    return Evidence(tuple(rows), may_be_tempered=not is_raw)


def drawn_evidence(blocks: Iterable[Block], draws: Sequence[NamedDraws], source: str, *, is_raw: bool) -> Evidence:
    """Return the evidence of rows and of the draws in a file. Rows without draws are left out, with a note."""
    rows = [block.part(r, r + 1) for block in blocks for r in range(len(block.logits))]
    if (total := sum(each.count for each in draws)) > MAX_DRAWS:
        raise InputError(f"{source}: {total} draws, and tsoft reads at most {MAX_DRAWS}; pass fewer")
    if len(rows) > 1 and len(draws) == len(rows) and all(each.row is None for each in draws):
        note(f"{source}: the draws name no rows, so tsoft takes them for one draw of each of the {len(rows)} rows")
    by_row: dict[int, list[NamedDraws]] = defaultdict(list)
    for i, each in enumerate(draws):
        by_row[_row(each, i, len(draws), rows)].append(each)
    drawn = [DrawnRow(row, _indices(row, by_row[r])) for r, row in enumerate(rows) if by_row[r]]
    drawn = [row for row in drawn if len(row.draws)]
    if missing := len(rows) - len(drawn):
        note(f"{missing} of {len(rows)} rows ha{'s' if missing == 1 else 've'} no draws; tsoft ignores them")
    if not drawn:
        raise InputError(f"{source}: all counts are 0, so there are no draws")
    return Evidence(tuple(drawn), may_be_tempered=not is_raw and any(row.partial is not None for row in rows))


def _row(draws: NamedDraws, position: int, number: int, rows: Sequence[Block]) -> int:
    """Return the index of the row of some draws. Without a row, all are of the only row, or each is of its own."""
    if draws.row is None:
        if len(rows) == 1:
            return 0
        if number == len(rows):
            return position
        problem = f"{number} draws without a row for {len(rows)} rows"
        raise InputError(f"{draws.place}: {problem}; pass one draw per row, or a table with the columns row and index")
    first = rows[0].first_row
    if not 0 <= draws.row - first < len(rows):
        raise InputError(f"{draws.place}: there is no row {draws.row}; the rows are 0 to {len(rows) - 1}")
    return draws.row - first


def _indices(row: Block, draws: Sequence[NamedDraws]) -> Array:
    """Return the indices of a row's draws."""
    lookup = ClassLookup(row.labels, row.logits.shape[1])
    found: dict[str, int] = {}
    for each in draws:
        if each.name not in found:
            found[each.name] = _index(row, lookup, each)
        _check_class(row, found[each.name], each)
    return np.repeat([found[each.name] for each in draws], [each.count for each in draws]).astype(np.int64)


def _index(row: Block, lookup: ClassLookup, draws: NamedDraws) -> int:
    try:
        index = lookup.index(draws.name)
    except ValueError as error:
        # The hints of an index that is no class are for targets.
        is_index = isinstance(error, TargetIndexError)
        problem = unknown_class(draws.name, row.labels, row.logits.shape[1]) if is_index else str(error)
        if row.partial is not None and draws.name not in (row.labels or ()):
            # A server may draw a token that it does not list.
            return UNLISTED
        raise InputError(f"{draws.place}: {problem}") from None
    if draws.count and row.partial is None and np.isneginf(row.logits[0, index]):
        name = shortened(row.names[index])
        raise InputError(f"{draws.place}: class {name} of row {row.first_row} is masked, so it cannot be drawn")
    return index


def _check_class(row: Block, index: int, draws: NamedDraws) -> None:
    """Raise InputError if the file has another number of classes than the row, or another label of a class: these are
    draws from other rows."""
    classes, labels = row.logits.shape[1], row.labels
    if draws.classes not in (None, classes):
        problem = f"expected a count for each of the {classes} classes of row {row.first_row}, got {draws.classes}"
        raise InputError(f"{draws.place}: {problem}; pass the logits from which these are the draws")
    if labels is None or not draws.label or index == UNLISTED or draws.label in (labels[index], row.names[index]):
        return
    names = f"class #{index} is {shortened(row.names[index])!r} in the logits, but {shortened(draws.label)!r} here"
    raise InputError(f"{draws.place}: {names}; pass the logits from which these are the draws")
