"""What soft targets say, out: a line or a record for each row and temperature."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tsoft.errors import InputError
from tsoft.features.distill.soft_targets import Distillation
from tsoft.input import json_document
from tsoft.input.fields import join_labels
from tsoft.input.json_lines import json_number
from tsoft.output.number_format import NumberFormat


def write(found: Iterable[Distillation], name: str, writing: NumberFormat) -> Iterator[str]:
    """The distillations in a format by its name. tsv: the row, τ, the class's index, the measures and the soft
    targets; csv: the same with a header; json and jsonl: records."""
    if name in ("json", "jsonl"):
        records = (record for one in found for record in _records(one, writing))
        yield from json_document.array(records) if name == "json" else (record + "\n" for record in records)
        return
    columns: list[str] | None = None
    for one in found:
        names = list(one.block.labels or map(str, range(one.block.logits.shape[1])))
        if name == "csv" and columns is None:
            columns = names
            yield join_labels(["row", "tau", "target", *one.measures, *names], ",") + "\n"
        elif name == "csv" and names != columns:
            problem = f"{one.block.location}: its classes are not those of the header"
            raise InputError(f"{problem}; --format jsonl takes rows that differ")
        yield _lines(one, "," if name == "csv" else "\t", writing)


def _lines(one: Distillation, delimiter: str, writing: NumberFormat) -> str:
    """A line for each row and temperature: temperatures within rows."""
    # Probabilities may be narrower numbers than measures.
    measures, probs = (
        writing.lines(numbers.swapaxes(0, 1).reshape(-1, numbers.shape[-1])).decode().replace("\t", delimiter)
        for numbers in (np.stack([getattr(one, name) for name in one.measures], -1), one.probs)
    )
    lines = map(delimiter.join, zip(measures.splitlines(), probs.splitlines(), strict=True))
    taus = writing.texts(one.taus)
    keys = ((row, tau, target) for row, target in zip(one.block.rows, one.main_classes, strict=True) for tau in taus)
    return "".join(delimiter.join((str(row), tau, str(target), next(lines))) + "\n" for row, tau, target in keys)


def _records(one: Distillation, writing: NumberFormat) -> Iterator[str]:
    import orjson

    for r in range(len(one.block.logits)):
        for t in range(len(one.taus)):
            yield orjson.dumps(_record(one, t, r, writing), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _record(one: Distillation, t: int, r: int, writing: NumberFormat) -> dict[str, Any]:
    labels, target = one.block.labels, int(one.main_classes[r])
    return {
        "row": one.block.rows[r],
        "tau": json_number(one.taus[t], writing),
        "labels": labels,
        "probs": json_number(one.probs[t, r], writing),
        "target": target if labels is None else labels[target],
        **{name: json_number(getattr(one, name)[t, r], writing) for name in one.measures},
        **({"alpha": one.alpha} if "loss" in one.measures else {}),
    }
