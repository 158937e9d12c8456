"""The values of a cutoff that agree with the draws if the other requested cutoffs are applied, too.

One cutoff may change what another one keeps: after a top-k, a top-p adds up the probabilities of fewer classes. So each
value is tested in the whole chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tsoft.features.audit.evidence import DrawnRow
from tsoft.features.audit.requested import Requested
from tsoft.features.audit.supports import Support, Supports
from tsoft.features.audit.tails import STEPS, CutoffRange, Tails, furthest
from tsoft.sampling.step import Step

# The number of bisections of a share, after which it is known to three digits.
_SHARE_STEPS = 12
# With more rows than this, the chain would take too long.
MOST_ROWS = 64
# The strictest value of each cutoff, and the loosest one; None for the number of classes.
_ENDS = {"top_k": (1.0, None), "top_p": (0.0, 1.0), "min_p": (1.0, 0.0)}


@dataclass(frozen=True, eq=False)
class RequestedRange:
    """The range of the values of one `step` of the requested cutoffs. `level` is the p-value below which a value is
    rejected."""

    supports: Supports
    requested: Requested
    step: Step
    taus: Sequence[float]
    level: float

    @property
    def values(self) -> CutoffRange | None:
        """The range around the requested value; None if that does not agree with the draws."""
        name, value = self.step.sampler.name, float(self.step.values[0])
        strictest, loosest = _ENDS[name]
        if loosest is None:
            loosest = float(max(len(row.logits) for row in self.supports.evidence.rows))
        if not self._agrees(value):
            return None
        is_whole = name == "top_k"
        steps = STEPS if is_whole else _SHARE_STEPS
        most = furthest(self._keeps_all, value, strictest, whole=is_whole, steps=steps)
        least = None
        if not self._agrees(loosest):
            least = furthest(self._agrees, value, loosest, whole=is_whole, steps=steps)
        return CutoffRange(name, least, most) if name == "min_p" else CutoffRange(name, most, least)

    def _with_value(self, value: float) -> Requested:
        changed = replace(self.step, values=(value, *self.step.values[1:]))
        steps = tuple(changed if step is self.step else step for step in self.requested.chain.steps)
        return replace(self.requested, chain=replace(self.requested.chain, steps=steps))

    def _keeps_all(self, value: float) -> bool:
        chain, rows = self._with_value(value).chain, self.supports.evidence.rows
        return any(_keep_draws(rows, self.supports.at(chain, tau)) for tau in self.taus)

    def _agrees(self, value: float) -> bool:
        requested = self._with_value(value)
        return self._keeps_all(value) and Tails(self.supports, requested, self.taus).p_value() >= self.level


def _keep_draws(rows: Sequence[DrawnRow], supports: Sequence[Support]) -> bool:
    """Return whether all listed draws may be kept."""
    pairs = zip(rows, supports, strict=True)
    return all(support.possible[row.draws[row.draws >= 0]].all() for row, support in pairs)
