"""The records of distributions: rows of probabilities, one class per line, and JSON objects."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tsoft.core.block import Block
from tsoft.core.measures import total_variation
from tsoft.core.softmax import Array
from tsoft.frozen import frozen
from tsoft.output.records import Column, In, Recorded, Records
from tsoft.output.row_keys import ID, id_column, id_field
from tsoft.sampling.distributions import Distributions, descending_order, measure_unit

if TYPE_CHECKING:
    from tsoft.sampling.explanation import Stage
    from tsoft.sampling.partial_distributions import PartialDistributions
    from tsoft.sampling.partial_explanation import PartialStage
    from tsoft.sampling.sampler_table import SamplerParameter


@frozen
class Content:
    """The contents of records of distributions: logarithms of the probabilities (`log`), entropies in `bits`, and in
    addition the `logits` and each of the chain's `steps`."""

    log: bool = False
    bits: bool = False
    logits: bool = False
    steps: bool = False

    def cells(self, result: Distributions) -> Array:
        """Return the probabilities or their logarithms, (k, rows, n); NaN if the server marks one as unknown."""
        values = result.log_probs if self.log else result.probs
        partial = result.block.partial
        if partial is None or not partial.unknown.any():
            return values
        return np.where(partial.unknown & ~result.exact[:, np.newaxis, np.newaxis], np.nan, values)

    def measure(self, result: Distributions, name: str) -> Array:
        """Return a measure in the unit of the output, (k, rows); NaN if it is not exact."""
        return np.where(result.exact[:, np.newaxis], self.listed(result, name), np.nan)

    def listed(self, result: Distributions, name: str) -> Array:
        """Return a measure of the listed classes alone, as if there were no others, (k, rows); NaN if a response
        contains no known probability."""
        values = np.asarray(getattr(result, name) / measure_unit(name, self.bits))
        is_known = result.block.partial is None or not result.block.partial.unknown.all()
        return values if is_known else np.full_like(values, np.nan)


def labels_differ(results: Iterator[Distributions]) -> tuple[bool, Iterator[Distributions]]:
    """Return whether the results of the first row have different labels, and an iterator over all results."""
    head = list(itertools.islice(results, 1))
    while head and head[0].block.origin.labels_vary and head[-1].block.first_row == head[0].block.first_row:
        following = next(results, None)
        if following is None:
            break
        head.append(following)
    return len({result.block.labels for result in head}) > 1, itertools.chain(head, results)


def keys(result: Distributions, tau: In = In.CSV | In.JSON) -> list[Column]:
    """Return the columns that identify a distribution: its row, its temperature (in the formats `tau`), and its engine
    if the chain follows an engine's rules."""
    rows, taus = result.block.rows, result.taus
    columns = [
        Column("row", np.repeat(np.arange(rows.start, rows.stop), len(taus)), In.CSV | In.JSON),
        *id_column(result.block, len(taus), In.CSV | In.JSON),
        Column("tau", np.tile(taus, len(rows)), tau),
    ]
    if result.engine is not None:
        columns.append(Column("engine", [result.engine] * (len(rows) * len(taus)), In.CSV | In.JSON))
    return columns


def measures(
    result: Distributions, names: Iterable[str], content: Content, shown: In = In.CSV | In.JSON
) -> list[Column]:
    """Return one column per measure, ordered by row and then by temperature."""
    return [Column(name, content.measure(result, name).T.reshape(-1), shown) for name in names]


def classes(result: Distributions, content: Content) -> Column:
    """Return the probabilities, one class per column in tsv and csv."""
    block = result.block
    values = content.cells(result).swapaxes(0, 1)
    labels = block.labels or [str(i) for i in range(block.logits.shape[1])]
    widths = None if block.widths is None else block.widths.repeat(len(result.taus))
    return Column("probs", values.reshape(-1, values.shape[2]), In.TSV | In.CSV, labels, widths)


def long(result: Distributions, content: Content, most: int | None) -> Records:
    """Return one record per class, the most probable first, at most `most` per distribution. The label is empty if the
    classes have no labels."""
    block, values = result.block, content.cells(result)
    places = [(r, t) for r in range(len(block.logits)) for t in range(len(result.taus))]
    orders = [descending_order(block.logits[r], result.probs[t, r])[:most] for r, t in places]
    counts = [len(order) for order in orders]
    indices = np.concatenate(orders)
    columns = [
        Column("row", np.repeat([block.rows[r] for r, _ in places], counts)),
        *_long_id(block, [r for r, _ in places], counts),
        Column("tau", np.repeat([result.taus[t] for _, t in places], counts)),
        *([] if result.engine is None else [Column("engine", [result.engine] * len(indices))]),
        Column("index", indices),
        Column("label", [block.labels[i] for i in indices.tolist()] if block.labels else [""] * len(indices)),
        Column(
            "logprob" if content.log else "prob",
            np.concatenate([values[t, r, order] for (r, t), order in zip(places, orders, strict=True)]),
        ),
    ]
    return Records(columns, block.location, headed=True)


def _long_id(block: Block, rows: Sequence[int], counts: Sequence[int]) -> list[Column]:
    """Return the column of the keys of these rows, each repeated for its classes; no column without keys."""
    if block.keys is None:
        return []
    return [Column(ID, [block.keys[r] for r, count in zip(rows, counts, strict=True) for _ in range(count)])]


@frozen(eq=False)
class DistributionRecords(Recorded):
    """Distributions as records, one per distribution."""

    results: Sequence[Distributions]
    content: Content

    def records(self) -> Iterator[Records]:
        return (
            Records([*keys(result), classes(result, self.content)], result.block.location) for result in self.results
        )

    def objects(self) -> Iterator[Iterator[dict[str, Any]]]:
        return (objects(result, self.content) for result in self.results)


def objects(result: Distributions, content: Content) -> Iterator[dict[str, Any]]:
    """Yield one JSON object per row and temperature."""
    for r in range(len(result.block.logits)):
        for t in range(len(result.taus)):
            yield _object(result, content, t, r)


def _object(result: Distributions, content: Content, t: int, r: int) -> dict[str, Any]:
    block, labels = result.block, result.block.labels
    entropy, perplexity, *others = (float(content.measure(result, name)[t, r]) for name in result.measure_names)
    fields = {
        "row": block.rows[r],
        **id_field(block, r),
        "tau": float(result.taus[t]),
        **(
            {"labels": labels, "probs": result.probs[t, r]}
            if block.partial is None
            else _token_fields(result, content, t)
        ),
        "entropy": entropy,
        "perplexity": perplexity,
        "top": _top(result, t, r),
        **dict(zip(result.measure_names[2:], others, strict=True)),
    }
    if block.ensemble and block.ensemble.unit is not None:
        fields["units"] = block.ensemble.unit.name
    if block.ensemble and block.ensemble.degeneracy is not None:
        fields["degeneracy"] = block.ensemble.degeneracy
    if result.chain:
        fields |= _chain_fields(result, content, t, r)
    if content.log:
        fields |= _log_fields(result, content, t, r)
    if content.logits:
        unknown = False if block.partial is None else block.partial.unknown
        fields["logits"] = np.where(unknown, np.nan, block.logits[r]) if np.any(unknown) else block.logits[r]
    return fields


def _log_fields(result: Distributions, content: Content, t: int, r: int) -> dict[str, Any]:
    """Return the logarithms of the probabilities; for a server's token, also of the bounds and of the probabilities
    among the listed alternatives."""
    values = content.cells(result)[t, r]
    if result.block.partial is None:
        return {"log_probs": values}
    low, high = (bound[t, r] for bound in result.log_bounds)
    return {
        "log_probs": values if result.exact[t] else None,
        "log_probs_low": low,
        "log_probs_high": high,
        "log_probs_listed": values,
    }


def _top(result: Distributions, t: int, r: int) -> int | str | None:
    """Return the most probable class; None if an unlisted one may be more probable."""
    top, labels, partial = int(result.top[t, r]), result.block.labels, result.block.partial
    if partial is not None and not result.exact[t] and cast("PartialDistributions", result).rank(t, top) != 1:
        return None
    return top if labels is None else labels[top]


def _token_fields(result: Distributions, content: Content, t: int) -> dict[str, Any]:
    """Return the fields of a server's token: the token, its choice, the probabilities if they are exact, their bounds,
    and the probabilities among the listed alternatives. Unknown values become null."""
    block, partial = result.block, result.block.partial
    assert partial
    assert block.labels
    low, high = (bound[t, 0] for bound in result.bounds)
    is_exact = bool(result.exact[t])
    fields = {
        "token": block.labels[partial.index],
        "choice": partial.choice,
        "labels": block.labels,
        "exact": is_exact,
        "probs": result.probs[t, 0] if is_exact else None,
        "probs_low": low,
        "probs_high": high,
        "probs_listed": Content().cells(result)[t, 0],
        **{f"{name}_listed": float(content.listed(result, name)[t, 0]) for name in ("entropy", "perplexity")},
    }
    if result.chosen_token:
        chosen = result.chosen_token
        fields["rank"] = cast("PartialDistributions", result).rank(t, partial.index)
        likelihoods = {
            "chosen": chosen.token.probs(),
            "text_logprob": chosen.text,
            "sequence_perplexity": chosen.text.perplexity(chosen.tokens),
        }
        for name, likelihood in likelihoods.items():
            fields |= {f"{name}_{end}": float(getattr(likelihood, end)[t]) for end in ("low", "high", "listed")}
    return fields


def _chain_fields(result: Distributions, content: Content, t: int, r: int) -> dict[str, Any]:
    """Return the fields of a chain: its engine, the number of kept classes, the total variation distances from the
    other chains' distributions, and its steps."""
    assert result.chain
    fields: dict[str, Any] = {} if result.engine is None else {"engine": result.engine}
    fields["samplers"] = [str(step) for step in result.chain.at(float(result.taus[t]))]
    undecided = result.undecided[t, r]
    fields["kept"] = int((result.kept[t, r] & ~undecided).sum())
    if result.block.partial is not None:
        fields["undecided"] = int(undecided.sum())
    if result.compared_with:
        fields["total_variation"] = {
            str(other.engine): float(total_variation(result.probs[t, r], other.probs[t, r]))
            if result.exact[t] and other.exact[t]
            else None
            for other in result.compared_with
            if other.chain is not result.chain
        }
    if content.steps:
        from tsoft.sampling.explanation import removed_by

        stages = result.stages(t, r)
        steps = removed_by(stages, len(result.block.logits[r])).tolist()
        fields["steps"] = [_step_fields(stage, result.block, content) for stage in stages]
        fields["removed_by"] = [None if step < 0 else step for step in steps]
    return fields


def _step_fields(stage: "Stage | PartialStage", block: Block, content: Content) -> dict[str, Any]:
    fields = {
        "sampler": stage.step.sampler.name,
        "parameters": {parameter.name: _setting(value, parameter) for parameter, value in stage.step.settings},
    }
    if block.partial is not None:
        stage = cast("PartialStage", stage)
        undecided = stage.undecided
        kept = int((stage.kept & ~undecided).sum())
        may_have_unlisted = stage.may_have_unlisted
        return fields | {"kept": kept, "undecided": int(undecided.sum()), "unlisted_may_remain": may_have_unlisted}
    stage = cast("Stage", stage)
    return fields | {
        "kept": int(stage.kept.sum()),
        "cut": float(stage.cut),
        "entropy": float(stage.entropy / measure_unit("entropy", content.bits)),
        "top": stage.top if block.labels is None else block.labels[stage.top],
        "threshold": None if stage.threshold is None else float(stage.threshold),
        "keeps": stage.keeps,
    }


def _setting(value: Any, parameter: "SamplerParameter") -> Any:
    """Return a parameter's value: a number, true or false for a flag, [index, bias] for each biased class, or None for
    a state before a draw."""
    if value is None:
        return None
    if parameter.is_flag:
        return bool(value)
    if isinstance(value, tuple):
        return [[index, float(bias)] for index, bias in value]
    return int(value) if parameter.whole and value < inf else float(value)
