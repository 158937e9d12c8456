"""A JSON record a line for each row and temperature, out."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tsoft.core.block import MEASURES, Distributions
from tsoft.core.temperature import Array
from tsoft.formats.write import Writing


def write(results: Iterable[Distributions], writing: Writing) -> Iterator[str]:
    for result in results:
        yield "".join(record + "\n" for record in records(result, writing))


def records(result: Distributions, writing: Writing) -> Iterator[str]:
    """The records of a block's rows, each at every temperature, as JSON without line breaks."""
    import orjson

    for r in range(len(result.block.logits)):
        for t in range(len(result.taus)):
            yield orjson.dumps(_record(result, writing, t, r), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _record(result: Distributions, writing: Writing, t: int, r: int) -> dict[str, Any]:
    def number(value: Any) -> Any:
        return json_number(np.asarray(value), writing)

    labels, top = result.block.labels, int(result.top[r])
    entropy, perplexity, *others = map(number, writing.measures(result, t, r))
    record = {
        "row": result.block.rows[r],
        "tau": number(result.taus[t]),
        "labels": labels,
        "probs": number(result.probs[t, r]),
        "entropy": entropy,
        "perplexity": perplexity,
        "top": top if labels is None else labels[top],
        **dict(zip(MEASURES[2:], others, strict=True)),
    }
    if writing.log:
        record["log_probs"] = number(result.log_probs[t, r])
    if writing.with_logits:
        record["logits"] = number(result.block.logits[r])
    return record


def json_number(value: Array, writing: Writing) -> Any:
    """A number or an array as orjson takes it: it would write null for what JSON cannot hold."""
    if writing.digits is None and np.isfinite(value).all():
        return np.ascontiguousarray(value) if value.ndim else value.item()
    if value.ndim:
        return [json_number(element, writing) for element in value]
    if not np.isfinite(value):
        # The margin of one class is none.
        return None if np.isnan(value) else repr(float(value))
    return float(writing.text(float(value)))
