"""Rows with the same classes in different orders."""

import csv
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax

from cases import each_case
from tool import here
from tsoft.core.softmax import Array

NAMES = ("cat", "dog", "owl")
ORDERS = (NAMES, ("owl", "cat", "dog"), ("dog", "owl", "cat"))
Z = np.array([[2.0, 1.0, 0.5], [0.25, 3.0, 1.0], [1.5, 0.0, 1.25]])
PROBS = softmax(Z, 1)


def rows(values: Array) -> list[dict[str, float]]:
    """Return the numbers of each row by class, in the order of that row."""
    return [{name: float(row[NAMES.index(name)]) for name in order} for order, row in zip(ORDERS, values, strict=True)]


FORMS = {
    "objects": "\n".join(map(json.dumps, rows(Z))),
    "an array of objects": json.dumps(rows(Z)),
    "records": "\n".join(json.dumps({"labels": [*row], "logits": [*row.values()]}) for row in rows(Z)),
    "records of objects": "\n".join(json.dumps({"logits": row}) for row in rows(Z)),
    "a pipeline": json.dumps([[{"label": name, "score": p} for name, p in row.items()] for row in rows(PROBS)]),
    "the long form": "row,label,logit\n"
    + "".join(f"{i},{name},{z}\n" for i, row in enumerate(rows(Z)) for name, z in row.items()),
}


@each_case(("form", "text"), FORMS.items())
def test_classes_are_in_the_order_of_the_first_row(form: str, text: str) -> None:
    done = here("compute", stdin=text)
    assert_allclose(np.loadtxt(done.stdout.splitlines()), PROBS, rtol=1e-12)
    assert (
        done.stderr.count("the classes are in another order than in the first row; tsoft matches them by name\n") == 1
    )
    records = [*csv.DictReader(here("compute", "-f", "csv", stdin=text).stdout.splitlines())]
    assert_allclose([[float(record[name]) for name in NAMES] for record in records], PROBS, rtol=1e-12)
    for record, expected in zip(json.loads(here("compute", "-f", "json", stdin=text).stdout), PROBS, strict=True):
        assert dict(zip(record["labels"], record["probs"], strict=True)) == pytest.approx(
            dict(zip(NAMES, expected, strict=True))
        )


def test_rows_with_other_or_repeated_labels_keep_their_order() -> None:
    for text in ('{"a": 1, "b": 2}\n{"b": 1, "c": 2}', '{"a": 1, "a": 2, "b": 3}\n{"b": 1, "a": 2, "a": 3}'):
        done = here("compute", stdin=text)
        numbers = [list(map(float, line.split())) for line in done.stdout.splitlines()]
        assert all(row == sorted(row) for row in numbers)
        assert "another order" not in done.stderr
