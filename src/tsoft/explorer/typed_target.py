"""A target that the user types, such as `top-prob 73%`, and the temperatures that reach it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isclose, log

import numpy as np

from tsoft.core.solve import SOLVERS, UNBOUNDED, Solution, solve_prob
from tsoft.errors import UsageError, shortened, unknown, visible
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.snapshot import Snapshot
from tsoft.explorer.typed_class import EntryError
from tsoft.options.class_names import class_index
from tsoft.options.numbers import number, share
from tsoft.sampling.distributions import measure_unit

EXAMPLES = "top-prob 73%, entropy 1 or dog 20%"

# The screen's name of a measure.
_ALIASES = {"top": "top_prob"}


@dataclass(frozen=True)
class TypedTarget:
    """The `value` of a measure, or of the probability of the class at `index`. An entropy is in nats.

    `name` is the measure's name in the table of solvers, or the class's name.
    """

    name: str
    value: float
    index: int | None = None

    def temperatures(self, row: ExplorerRow, *, bits: bool) -> tuple[tuple[float, ...], str]:
        """Return the temperatures at which a row, with its biases, reaches the target, or else the reason."""
        solution = self._solution(row)
        unit = measure_unit(self.name, bits)
        units = "" if unit == 1 else f" (in nats; 1 bit is {unit:.4f} nats)"
        return solution.taus, (solution.reason or "") + units

    def _solution(self, row: ExplorerRow) -> Solution:
        if self.index is not None:
            [solution] = solve_prob(row.logits[np.newaxis], self.index, self.value)
        else:
            [solution] = SOLVERS[self.name](row.logits[np.newaxis], self.value)
        return solution

    def is_reached(self, snapshot: Snapshot) -> bool:
        """Return whether a snapshot has the value after its samplers."""
        if self.index is not None:
            value = float(snapshot.probs[self.index])
        else:
            value = float(getattr(snapshot.distributions, self.name)[0, 0])
        return isclose(value, self.value, rel_tol=1e-6, abs_tol=1e-12)


def typed_target(text: str, row: ExplorerRow, *, bits: bool) -> TypedTarget:
    """Return the target that the user typed: a measure or a class, and a value. An entropy is typed in `bits` or nats.

    Raise EntryError for a text without a meaning.
    """
    match = re.fullmatch(r"(.+?)(?:\s*=\s*|\s+)([^\s=%]+\s*%?)", text.strip())
    if not match:
        raise EntryError(f"type a measure or a class, and its value: {EXAMPLES}")
    name, value_text = match.groups()
    measure = name.lower().replace("-", "_").replace(" ", "_")
    measure = _ALIASES.get(measure, measure)
    index = None if measure in SOLVERS else _class(name, row)
    if measure in UNBOUNDED:
        value = _value(number, value_text, inf, "a finite number of at least 0")
        return TypedTarget(measure, value * measure_unit(measure, bits))
    value = _value(share, value_text, 1.0, "a number from 0 to 1, or from 0% to 100%")
    return TypedTarget(measure if index is None else name, value, index)


def _value(parse: Callable[[str], float], text: str, high: float, allowed: str) -> float:
    try:
        value = parse(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= high or value == inf:
        raise EntryError(f"{shortened(visible(text), 12)} is not {allowed}")
    return value


def _class(name: str, row: ExplorerRow) -> int:
    """Return the index of a class that the user typed by its label, as it is or as the screen shows it, or by # and its
    index.
    """
    try:
        index = class_index(row.block, name, "")
    except UsageError as error:
        matches = [i for i, label in enumerate(row.names) if name in (label.strip(), visible(label).strip())]
        if len(matches) == 1:
            return matches[0]
        raise EntryError(shortened(visible(str(error).removeprefix(": ")), 200)) from None
    if index is None:
        raise EntryError(shortened(visible(unknown("class or measure", name, [*row.names[:5], *SOLVERS])), 200))
    return index


def nearest_tau(taus: tuple[float, ...], tau: float) -> float:
    """Return the temperature with the smallest ratio to the present one.

    >>> nearest_tau((0.5, 40.0), 2.0), nearest_tau((0.0, 3.0), 0.0), nearest_tau((2.0, float("inf")), float("inf"))
    (0.5, 0.0, inf)
    """

    def position(tau: float) -> float:
        # The limits are beyond all other floats.
        return -1e3 if tau == 0 else 1e3 if tau == inf else log(tau)

    return min(taus, key=lambda candidate: abs(position(candidate) - position(tau)))
