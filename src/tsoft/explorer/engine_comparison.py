"""The comparison of two engines on the same row, with the same settings."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.charts.style import prob_text
from tsoft.core.measures import total_variation
from tsoft.errors import joined, shortened
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.snapshot import Snapshot
from tsoft.sampling.engines import Engine
from tsoft.sampling.first_difference import first_difference
from tsoft.sampling.step import Step

# The columns of a label in a sentence.
_LABEL = 16


@dataclass(frozen=True)
class EngineDifference:
    """The first class at which two engines differ: its `index`, and its probabilities `probs` in the two engines.

    If one engine keeps the class and the other removes it, `step` removes it, in the first engine if `by_first`. If
    both keep it, `step` is None, and only the probabilities differ.
    """

    index: int
    probs: tuple[float, float]
    step: Step | None = None
    by_first: bool = False


@dataclass(frozen=True, eq=False)
class EngineComparison:
    """A row after the chains of two engines."""

    first: Snapshot
    second: Snapshot

    @property
    def is_exact(self) -> bool:
        """Whether both distributions are known exactly, and not only among the alternatives that a response lists."""
        return self.first.is_exact and self.second.is_exact

    @property
    def total_variation(self) -> float:
        """Half the sum of |p - q|."""
        return float(total_variation(self.first.probs, self.second.probs))

    @cached_property
    def difference(self) -> EngineDifference | None:
        """The first difference; None if the engines do not differ, as far as a response decides it.

        It is the most probable class that one engine keeps and the other removes, as `tsoft compute --like` names it.
        If both engines keep the same classes, it is the most probable class whose probability differs.
        """
        snapshots = self.first, self.second
        undecided = np.logical_or(*(snapshot.distributions.undecided[0, 0] for snapshot in snapshots))
        removal = first_difference(self.first.stages, self.second.stages, self.first.row.logits, undecided)
        if removal is not None:
            stages = snapshots[0 if removal.by_first else 1].stages
            return EngineDifference(
                removal.index, self._probs(removal.index), stages[removal.step].step, removal.by_first
            )
        if not self.is_exact:
            return None
        is_same = np.isclose(self.first.probs, self.second.probs, rtol=1e-9, atol=0)
        differing = self.first.row.order[~is_same[self.first.row.order]]
        return EngineDifference(int(differing[0]), self._probs(int(differing[0]))) if len(differing) else None

    def _probs(self, index: int) -> tuple[float, float]:
        return float(self.first.probs[index]), float(self.second.probs[index])

    @property
    def words(self) -> str:
        """The first difference in words."""
        names = [str(snapshot.distributions.engine) for snapshot in (self.first, self.second)]
        difference = self.difference
        if difference is None and not self.is_exact:
            return f"{names[0]} and {names[1]} may keep the same tokens, as far as the response decides it"
        if difference is None:
            return f"{names[0]} and {names[1]} give the same distribution"
        row = self.first.row
        name = shortened(row.name(difference.index), _LABEL)
        # The labels of a response already have quotes.
        label = name if row.block.partial else f"'{name}'"
        if difference.step is None:
            first, second = map(prob_text, difference.probs)
            return f"{label} has {first} in {names[0]}, {second} in {names[1]}"
        remover, keeper = names if difference.by_first else reversed(names)
        return f"{difference.step} removes {label} in {remover}, {keeper} keeps it"


def missing_samplers(samplers: SamplerState) -> list[str]:
    """Return in words what the engine of some samplers lacks.

    >>> from tsoft.sampling.engines import ENGINES
    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> [typical_p] = SAMPLERS["typ_p"].parameters
    >>> missing_samplers(SamplerState.from_chain(None, 1.0).toggled(typical_p).with_engine(ENGINES["vllm"]))
    ['vllm has no typical_p']
    """
    return [f"{samplers.engine.name} has no {parameter.name}" for parameter in samplers.unsupported if samplers.engine]


def new_omissions(before: SamplerState | None, after: SamplerState | None) -> str:
    """Return what the comparison with a second engine newly leaves out; empty if nothing.

    The samplers are those of the second engine before a change and after it; None without a second engine.
    """
    lacked = missing_samplers(before) if before else []
    missing = [words for words in missing_samplers(after) if words not in lacked] if after else []
    return f"{joined(missing)}. The comparison leaves {'it' if len(missing) == 1 else 'them'} out." if missing else ""


def comparison_obstacle(samplers: SamplerState, compared: Engine) -> str:
    """Return why no `tsoft compute` command compares the engine of some samplers with another one; empty if one does.

    A command has the same options and the same order for both engines.
    """
    other = samplers.with_engine(compared)
    assert samplers.engine
    for state, opposite in ((samplers, other), (other, samplers)):
        missing = [parameter for parameter in state.unsupported if parameter not in opposite.unsupported]
        if missing and state.engine:
            return f"{state.engine.name} has no {missing[0].name}"
    if "--samplers" in samplers.options:
        return f"you changed the order of the samplers, and {compared.name} keeps its default order"
    return ""
