"""The values of a cutoff that agree with the draws if the other cutoffs that were asked are applied, too.

One cutoff may change what another one keeps: after a top-k, a top-p adds up the probabilities of fewer classes. So each
value is tested in the whole chain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tsoft.features.audit.asked import Asked
from tsoft.features.audit.evidence import DrawnRow
from tsoft.features.audit.supports import Support, Supports
from tsoft.features.audit.tails import CutoffRange, Tails
from tsoft.sampling.step import Step

# The number of bisections, after which a share is known to three digits.
_STEPS = 12
# With more rows than this, the chain would take too long.
MOST_ROWS = 64
# The strictest value of each cutoff, and the loosest one; None for the number of classes.
_ENDS = {"top_k": (1.0, None), "top_p": (0.0, 1.0), "min_p": (1.0, 0.0)}


@dataclass(frozen=True, eq=False)
class AskedRange:
    """The range of the values of one `step` of the asked cutoffs. `level` is the p-value below which a value is
    rejected."""

    supports: Supports
    asked: Asked
    step: Step
    taus: Sequence[float]
    level: float

    @property
    def values(self) -> CutoffRange | None:
        """The range around the asked value; None if that does not agree."""
        name, value = self.step.sampler.name, float(self.step.values[0])
        strictest, loosest = _ENDS[name]
        if loosest is None:
            loosest = float(max(len(row.logits) for row in self.supports.evidence.rows))
        if not self._agrees(value):
            return None
        most = _furthest(self._keeps_all, value, strictest, whole=name == "top_k")
        least = None if self._agrees(loosest) else _furthest(self._agrees, value, loosest, whole=name == "top_k")
        return CutoffRange(name, least, most) if name == "min_p" else CutoffRange(name, most, least)

    def _with_value(self, value: float) -> Asked:
        changed = replace(self.step, values=(value, *self.step.values[1:]))
        steps = tuple(changed if step is self.step else step for step in self.asked.chain.steps)
        return replace(self.asked, chain=replace(self.asked.chain, steps=steps))

    def _keeps_all(self, value: float) -> bool:
        chain, rows = self._with_value(value).chain, self.supports.evidence.rows
        return any(_keep_draws(rows, self.supports.at(chain, tau)) for tau in self.taus)

    def _agrees(self, value: float) -> bool:
        asked = self._with_value(value)
        return self._keeps_all(value) and Tails(self.supports, asked, self.taus).p_value() >= self.level


def _keep_draws(rows: Sequence[DrawnRow], supports: Sequence[Support]) -> bool:
    """Return whether all listed draws may be kept."""
    pairs = zip(rows, supports, strict=True)
    return all(support.possible[row.draws[row.draws >= 0]].all() for row, support in pairs)


def _furthest(holds: Callable[[float], bool], start: float, end: float, *, whole: bool) -> float:
    """Return the value nearest to the end for which a condition holds, by bisection, if it holds at the start."""
    for _ in range(_STEPS if not whole else 64):
        if whole and abs(end - start) <= 1:
            break
        middle = float(round((start + end) / 2)) if whole else (start + end) / 2
        start, end = (middle, end) if holds(middle) else (start, middle)
    return start
