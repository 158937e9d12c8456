"""Tables that JSON has as the names of the columns and an array of rows, as pandas and Weights & Biases write them, and
the long form: an array with one object per class, as pipelines of Hugging Face write it."""

from dataclasses import dataclass
from typing import Any

from tsoft.errors import counted, shortened
from tsoft.input.json_values import INFINITIES, Location, as_list
from tsoft.input.quantity import ARRAY_QUANTITIES, QUANTITIES

# The fields with properties of a table: those of pandas' orient="table" and of Weights & Biases.
_PROPERTIES = {"schema", "ncols", "nrows", "column_types", "_type"}
# Deeper values are not searched.
_DEEPEST = 40
# The name of a class in the long form, and of a token that fills a mask.
_LABELS = ("label", "token_str")
# The fields that may differ between the classes of a distribution. Others, such as a text, show that each object is the
# most probable class of another row.
_OF_CLASSES = {"index", "rank", "token", "token_id", "token_str", "sequence"}
# The sum of rounded probabilities.
_HIGHEST_SUM = 1.01
# A probability in the long form, and the arrays of the labels and their probabilities of zero-shot classification.
SCORE = "score"
_SCORES = {"labels", "scores", "sequence"}


@dataclass(frozen=True)
class LabeledNumbers:
    """The labels and the numbers of one distribution, the name of the numbers, a quantity or SCORE, and the other
    fields."""

    labels: list[str]
    numbers: list[Any]
    name: str
    others: dict[str, Any]


def long_form(value: object) -> LabeledNumbers | None:
    """Return the distribution that a JSON value has in the long form; None for any other value.

    >>> long_form([{"label": "cat", "score": 0.75}, {"label": "dog", "score": 0.25}])
    LabeledNumbers(labels=['cat', 'dog'], numbers=[0.75, 0.25], name='score', others={})
    """
    if isinstance(value, dict) and {"labels", "scores"} <= value.keys() <= _SCORES:
        others = {key: other for key, other in value.items() if key == "sequence"}
        return _distinct(LabeledNumbers(value["labels"], value["scores"], SCORE, others))
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return None
    label = next((name for name in _LABELS if isinstance(value[0].get(name), str)), None)
    name = next((name for name in (SCORE, *QUANTITIES) if is_number(value[0].get(name))), None)
    if label is None or name is None:
        return None
    entries = [entry for entry in value if isinstance(entry, dict) and {label, name} <= entry.keys()]
    labels, numbers = ([entry[key] for entry in entries] for key in (label, name))
    others = {key: other for entry in entries for key, other in entry.items() if key not in (label, name)}
    shared = others.keys() - _OF_CLASSES
    is_one = len(entries) == len(value) and all(entry.get(key) == others[key] for entry in entries for key in shared)
    return _distinct(LabeledNumbers(labels, numbers, name, others)) if is_one else None


def _distinct(form: LabeledNumbers) -> LabeledNumbers | None:
    """Return the distribution if it has several classes with different names, and a number for each. The probabilities
    of several rows sum to more than 1."""
    if not isinstance(form.labels, list) or not isinstance(form.numbers, list) or len(form.labels) != len(form.numbers):
        return None
    if not all(isinstance(label, str) for label in form.labels) or not all(map(is_number, form.numbers)):
        return None
    if form.name in (SCORE, "prob") and sum(map(float, form.numbers)) > _HIGHEST_SUM:
        return None
    return form if 1 < len(set(form.labels)) == len(form.labels) else None


def is_number(value: object) -> bool:
    """Return whether a JSON value is a number, perhaps an infinite one as a string."""
    is_infinite = isinstance(value, str) and value in INFINITIES
    return is_infinite or (isinstance(value, int | float) and not isinstance(value, bool))


def scores_fix(record: dict[str, Any]) -> str:
    """Return the fix for an object with the labels and scores of a pipeline next to other fields, or with scores that
    are not those of one distribution; empty for any other object.

    >>> scores_fix({"text": "a", "labels": ["cat", "dog"], "scores": [0.75, 0.25]})
    "pass the labels and the scores alone: jq -c '{labels, scores}' FILE"
    """
    if not {"labels", "scores"} <= record.keys():
        return ""
    if long_form({name: record[name] for name in ("labels", "scores")}) is not None:
        return "pass the labels and the scores alone: jq -c '{labels, scores}' FILE"
    scores = record["scores"]
    if isinstance(scores, list) and all(map(is_number, scores)) and sum(map(float, scores)) > _HIGHEST_SUM:
        return "the scores sum to more than 1, so they are not one distribution; in a pipeline, pass multi_label=False"
    return ""


def path_of_rows(value: object, depth: int = 0) -> str:
    """Return the path of the rows of numbers in a value, as jq writes it; empty if there are none.

    >>> path_of_rows({"object": "list", "data": [{"index": 0, "data": [0.5, 0.5]}]})
    '.data[].data'
    """
    # The numbers of a tensor with a shape are not a row.
    fields = value if isinstance(value, dict) and "shape" not in value and depth < _DEEPEST else {}
    for name, inner in fields.items():
        first = inner[0] if isinstance(inner, list) and inner else None
        numbers = first if isinstance(first, list) else inner
        if not name.isidentifier():
            continue
        # Whole numbers are ids or an order.
        if isinstance(numbers, list) and any(isinstance(number, float) for number in numbers):
            return f".{name}"
        if isinstance(first, dict) and any(isinstance(first.get(key), list) for key in ARRAY_QUANTITIES):
            return f".{name}[]"
        path = path_of_rows(inner if first is None else first, depth + 1)
        if path:
            return f".{name}{path}" if first is None else f".{name}[]{path}"
    return ""


def records(value: Any, location: Location) -> list[Any] | None:
    """Return the rows of a table as objects, or whatever stands in their place; None if a value is no such table. Raise
    InputError for a row with another number of values than columns.

    >>> records({"columns": ["cat", "dog"], "index": ["a"], "data": [[2, 1]]}, Location("FILE"))
    [{'index': 'a', 'cat': 2, 'dog': 1}]
    """
    if not isinstance(value, dict) or not isinstance(data := value.get("data"), list):
        return None
    fields = value.keys() - _PROPERTIES
    if "schema" in value and fields == {"data"}:
        return data
    if not isinstance(columns := value.get("columns"), list) or not fields <= {"columns", "index", "data"}:
        return None
    if not all(isinstance(name, str | int) for name in columns):
        raise location.error("columns: expected names, one per column")
    index = as_list(value.get("index", []), location.at("index"))
    if index and len(index) != len(data):
        raise location.error(f"{counted(len(index), 'value')} in index, but {counted(len(data), 'row')} in data")
    names = [*["index"] * bool(index), *map(str, columns)]
    repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if repeated is not None:
        raise location.error(f"two columns have the name {shortened(repeated)!r}; write each name once")
    rows = [as_list(row, location.at(f"row {i}")) for i, row in enumerate(data)]
    for i, row in enumerate(rows):
        if len(row) != len(columns):
            raise location.error(f"row {i}: {counted(len(row), 'value')}, but {counted(len(columns), 'column')}")
    return [dict(zip(names, [*index[i : i + 1], *row], strict=True)) for i, row in enumerate(rows)]
