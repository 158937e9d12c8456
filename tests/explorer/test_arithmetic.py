"""The arithmetic of a class's probability: a reader with a calculator gets the printed numbers."""

import re
from math import exp, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.states import many
from tool import TESTS
from tsoft.core.block import Block, Origin
from tsoft.explorer.arithmetic import arithmetic, rounded
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.snapshot import Snapshot
from tsoft.input.api_responses import read
from tsoft.input.read_options import ReadOptions


def shown(z: list[float], tau: float, index: int, *, quantity: str = "logit") -> dict[str, str]:
    """Return the lines of the arithmetic by their names."""
    block = Block(np.array([z]), origin=Origin(quantity))
    return named(arithmetic(Snapshot(ExplorerRows([block]).row(0), tau, None), index, 200))


def named(text: str) -> dict[str, str]:
    return {line[:9].strip(): line[9:].strip() for line in text.splitlines()[2:]}


def test_the_arithmetic_of_four_classes() -> None:
    assert shown([2, 1, 0.5, 0.1], 1, 1) == {
        "z": "1",
        "z - max": "1 - 2 = -1",
        "/ τ": "-1 / 1 = -1",
        "exp": "exp(-1) = 0.3679",
        "Σ exp": "1 + 0.3679 + 0.2231 + 0.1496 = 1.7406",
        "p": "0.3679 / 1.7406 = 0.2114",
    }
    # With four decimals, 0.1353 / 1.2075 would be 0.1120.
    assert shown([2, 1, 0.5, 0.1], 0.5, 1)["p"] == "0.135335 / 1.207493 = 0.1121"
    energies = shown([-1, -2], 0.5, 1, quantity="energy")
    assert (energies["E"], energies["z = -E"], energies["z - max"]) == ("2", "-2", "-2 - (-1) = -1")
    assert energies["/ kT"] == "-1 / 0.5 = -2"


@many
@given(
    st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=9),
    st.integers(0, 6),
    st.floats(0.05, 20),
)
def test_a_calculator_gets_the_printed_numbers(digits: list[int], decimals: int, tau: float) -> None:
    z = [digit / 10.0**decimals for digit in digits]
    lines = shown(z, tau, 1)
    if any("rounded" in text for text in lines.values()):
        return
    for name, text in lines.items():
        calculation, equals, result = text.partition(" = ")
        if not equals or "…" in text or (name == "/ τ" and "∞" in text):
            continue
        value = eval(calculation, {"exp": exp})  # the lines are Python
        places = len(re.sub(r"e.*", "", result).partition(".")[2])
        unit = 10.0 ** ((int(result.partition("e")[2]) if "e" in result else 0) - places)
        assert abs(value - float(result)) <= 0.5 * max(unit, abs(value) * 1e-9) * 1.001, text


def test_the_limits_are_explained() -> None:
    cold = shown([3, 3, 1], 0, 2)
    assert cold["/ τ"] == "-2 / τ → -∞ as τ → 0"
    assert cold["p"] == "0 / 2 = 0"
    assert shown([3, 3, 1], 0, 0)["p"] == "1 / 2 = 0.5000"
    hot = shown([3, -inf, 1, 0], inf, 2)
    assert hot["/ τ"] == "-2 / τ → 0 as τ → ∞"
    assert hot["p"] == "1 / 3 = 0.3333"
    assert shown([3, -inf], 1, 1)["p"] == "0, at every temperature"


def test_a_large_sum_is_shortened() -> None:
    text = shown([0.0] * 3 + [-1.0] * 97, 1, 5)["Σ exp"]
    assert re.fullmatch(r"1 \+ 1 \+ 1 \+ … = 38\.6843\d*, 100 terms", text)


def test_a_response_gives_bounds() -> None:
    with (TESTS / "data" / "llama-server.json").open("rb") as file:
        block = next(iter(read(file, ReadOptions("f"))))
    row = ExplorerRows([block]).row(0)
    assert block.partial
    logprob = float(block.partial.logprobs[0])
    text = arithmetic(Snapshot(row, 1.0, None), 0, 200)
    assert f"exp({logprob:.6f}".rstrip("0") in text
    assert f"= {exp(logprob):.4f} at τ = 1" in text
    snapshot = Snapshot(row, 2.0, None)
    # Without the size of the vocabulary, the unlisted tokens may take nearly everything.
    high = float(snapshot.bounds[1][0])
    assert f"p is from 0 to {high:.4f}" in arithmetic(snapshot, 0, 200)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.5, "1.5"), (-0.00001, "-1.0e-05"), (1234567.0, "1.23457e+06"), (-inf, "-inf")]
)
def test_rounded_numbers(value: float, text: str) -> None:
    assert rounded(value, 4) == text
