"""What became of a bandit's runs, out: a line or a record for each schedule and step."""

from collections.abc import Iterable, Iterator

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.bandit.simulation import Exploration
from tsoft.input import json_document
from tsoft.input.fields import join_labels
from tsoft.input.json_lines import json_number
from tsoft.output.number_format import NumberFormat

# What stands before the arms' probabilities.
COLUMNS = ("schedule", "step", "tau", "regret", "regret_se", "best_share")


def write(found: Iterable[Exploration], name: str, writing: NumberFormat) -> Iterator[str]:
    """The explorations in a format by its name: tsv, csv with a header, json or jsonl."""
    if name in ("json", "jsonl"):
        records = (record for one in found for record in _records(one, writing))
        yield from json_document.array(records) if name == "json" else (record + "\n" for record in records)
        return
    delimiter = "," if name == "csv" else "\t"
    header = name == "csv"
    for one in found:
        if header:
            yield join_labels([*COLUMNS, *(one.labels or map(str, range(len(one.means))))], ",") + "\n"
            header = False
        lines = writing.lines(_numbers(one)).decode().replace("\t", delimiter).splitlines()
        yield "".join(delimiter.join((one.schedule, str(step), line)) + "\n" for step, line in enumerate(lines))


def _numbers(one: Exploration) -> Array:
    history = one.history
    return np.column_stack([history.taus, history.regret, history.error, history.best, history.probs])


def _records(one: Exploration, writing: NumberFormat) -> Iterator[str]:
    import orjson

    for step, (tau, regret, error, best, *probs) in enumerate(_numbers(one)):
        record = {
            "schedule": one.schedule,
            "step": step,
            "tau": json_number(tau, writing),
            "labels": one.labels,
            "probs": json_number(probs, writing),
            "regret": json_number(regret, writing),
            "regret_se": json_number(error, writing),
            "best_share": json_number(best, writing),
            "runs": one.history.runs,
            "seed": one.seed,
        }
        yield orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY).decode()
