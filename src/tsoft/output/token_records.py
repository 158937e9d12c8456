"""The records of the tokens of an API response in csv: each with bounds, and with its probability if that is exact."""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tsoft.output.distribution_records import Content
from tsoft.output.records import Column, Records
from tsoft.sampling.distributions import Distributions, descending_order

if TYPE_CHECKING:
    from tsoft.sampling.partial_distributions import PartialDistributions


def drawn_tokens(result: Distributions, content: Content) -> Records:
    """Return one record per temperature, of the token that the server drew."""
    partial = result.block.partial
    assert partial
    places = [(t, partial.index) for t in range(len(result.taus))]
    return Records(_columns(result, content, places), result.block.location, headed=True)


def alternatives(result: Distributions, content: Content, most: int | None) -> Records:
    """Return one record per temperature and listed token, the most probable first, at most `most` per temperature."""
    partial = result.block.partial
    assert partial
    order = descending_order(result.block.logits[0], result.block.logits[0])[:most].tolist()
    places = list(product(range(len(result.taus)), order))
    chosen = Column("chosen", [_boolean(i == partial.index) for _, i in places])
    return Records([*_columns(result, content, places), chosen], result.block.location, headed=True)


def _columns(result: Distributions, content: Content, places: Sequence[tuple[int, int]]) -> list[Column]:
    """Return the columns for some temperatures and listed tokens, (t, i) by their indices. They are the same for
    every response."""
    block, partial = result.block, result.block.partial
    assert partial
    assert block.labels
    taus, indices = map(list, zip(*places, strict=True))
    low, high = result.log_bounds if content.log else result.bounds
    name = "logprob" if content.log else "prob"
    listed, exact = content.cells(result), result.exact[taus]
    measures = {measure: content.measure(result, measure)[taus, 0] for measure in result.measure_names}
    of_listed = {f"{measure}_listed": content.listed(result, measure)[taus, 0] for measure in ("entropy", "perplexity")}
    return [
        Column("row", [block.first_row] * len(places)),
        Column("tau", result.taus[taus]),
        *([] if result.engine is None else [Column("engine", [result.engine] * len(places))]),
        Column("token", [block.labels[i] for i in indices]),
        Column("rank", [cast("PartialDistributions", result).rank(t, i) for t, i in places]),
        Column(name, _known(np.where(exact, listed[taus, 0, indices], np.nan))),
        Column(f"{name}_low", _known(low[taus, 0, indices])),
        Column(f"{name}_high", _known(high[taus, 0, indices])),
        Column(f"{name}_listed", _known(listed[taus, 0, indices])),
        Column("exact", list(map(_boolean, exact))),
        *(Column(measure, _known(values)) for measure, values in {**measures, **of_listed}.items()),
    ]


def _known(values: Any) -> list[float | None]:
    """Return numbers, None for one that is unknown."""
    return [None if value != value else value for value in np.asarray(values, np.float64).tolist()]


def _boolean(value: Any) -> str:
    return "true" if value else "false"
