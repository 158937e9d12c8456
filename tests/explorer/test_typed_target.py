"""Targets that the user types."""

from math import inf, log

import numpy as np
import pytest

from cases import each_case
from tsoft.core.block import Block
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.typed_class import EntryError
from tsoft.explorer.typed_target import TypedTarget, nearest_tau, typed_target

ROW = ExplorerRows([Block(np.array([[2.0, 1, 0.5, 0.1]]), ("cat", " dog", "a=b\n", "cat"))]).row(0)


@each_case(
    ("text", "target"),
    [
        ("top-prob 73%", TypedTarget("top_prob", 0.73)),
        ("Top_Prob = 0.73", TypedTarget("top_prob", 0.73)),
        ("top 7.3 %", TypedTarget("top_prob", 0.073)),
        ("entropy 1.0", TypedTarget("entropy", 1.0)),
        ("perplexity 3", TypedTarget("perplexity", 3.0)),
        ("margin 0.2", TypedTarget("margin", 0.2)),
        ("dog 20%", TypedTarget("dog", 0.2, 1)),
        ("#3 .2", TypedTarget("#3", 0.2, 3)),
        ("a=b=0.2", TypedTarget("a=b", 0.2, 2)),
        # A line break as the screen shows it.
        ("a=b\\n 0.2", TypedTarget("a=b\\n", 0.2, 2)),
    ],
)
def test_targets(text: str, target: TypedTarget) -> None:
    assert typed_target(text, ROW, bits=False) == target


def test_an_entropy_in_bits() -> None:
    target = typed_target("entropy 1", ROW, bits=True)
    assert target == TypedTarget("entropy", log(2))
    taus, _ = target.temperatures(ROW, bits=True)
    assert taus == target.temperatures(ROW, bits=False)[0]
    _, reason = typed_target("entropy 3", ROW, bits=True).temperatures(ROW, bits=True)
    assert "at most ln 4" in reason
    assert reason.endswith("(in nats; 1 bit is 0.6931 nats)")


@each_case(
    ("text", "problem"),
    [
        ("", "type a measure or a class, and its value: top-prob 73%"),
        ("0.5", "type a measure or a class, and its value: top-prob 73%"),
        ("top-prob", "type a measure or a class, and its value: top-prob 73%"),
        ("top-prob 2", "2 is not a number from 0 to 1"),
        ("top-prob 101%", "101% is not a number from 0 to 1, or from 0% to 100%"),
        ("entropy inf", "inf is not a finite number"),
        ("entropy nan", "nan is not a finite number"),
        ("entropy 50%", "50% is not"),
        ("cat 0.2", "2 classes have the label 'cat'"),
        ("cow 0.2", "unknown class 'cow'"),
        ("#9 0.2", "unknown class '#9'"),
    ],
)
def test_bad_targets(text: str, problem: str) -> None:
    with pytest.raises(EntryError) as error:
        typed_target(text, ROW, bits=False)
    assert str(error.value).startswith(problem)


def test_the_nearest_temperature_has_the_smallest_ratio() -> None:
    assert nearest_tau((1.0, 100.0), 9.0) == 1.0
    assert nearest_tau((1.0, 100.0), 11.0) == 100.0
    assert nearest_tau((0.0, 5.0), 0.1) == 5.0
    assert nearest_tau((5.0, inf), inf) == inf
    assert nearest_tau((5.0, 6.0), inf) == 6.0
    assert nearest_tau((5.0, 6.0), 0.0) == 5.0
