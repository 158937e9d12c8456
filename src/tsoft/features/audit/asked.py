"""The settings that were asked of a server."""

from collections.abc import Callable
from dataclasses import dataclass

from tsoft.sampling.chain import Chain
from tsoft.sampling.engine import Engine
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.step import Step

# The cutoffs that an audit looks for whether they were asked or not. Each compares one number of a class.
CUTOFFS = ("top_k", "top_p", "min_p")
# Samplers that remove some of the most probable classes, or that change from one token to the next.
_OTHERS = ("typ_p", "xtc", "mirostat")


@dataclass(frozen=True)
class Asked:
    """The temperature that was asked, None if it is unknown, and the samplers. If `states_cutoffs` is false, nothing is
    known about these, so that none can contradict."""

    tau: float | None
    chain: Chain
    states_cutoffs: bool = True

    @property
    def engine(self) -> Engine | None:
        return self.chain.engine

    @property
    def cutoffs(self) -> tuple[Step, ...]:
        """The samplers other than the temperature."""
        return tuple(step for step in self.chain.steps if not step.sampler.is_temperature)

    @property
    def unsupported(self) -> list[str]:
        """The names of the samplers that an audit cannot test: those that do more than to keep the most probable
        classes."""
        changed = [
            step.sampler.name
            for step in self.chain.steps
            if step.sampler.is_temperature and step.values and step.values[0]
        ]
        names = (step.sampler for step in self.cutoffs)
        return changed + [each.name for each in names if not each.has_cutoff or each.name in _OTHERS]

    def alone(self, step: Step) -> Chain:
        """Return the chain of the temperature and one sampler."""
        return self._with(lambda other: other is step)

    def without(self, step: Step) -> Chain:
        """Return the chain of all samplers but one."""
        return self._with(lambda other: other is not step)

    @property
    def plain(self) -> Chain:
        """The chain of the temperature alone."""
        return self._with(lambda _: False)

    def is_tempered(self, name: str) -> bool:
        """Return whether a sampler follows the temperature: in the chain, or in the order of the engine."""
        names = [step.sampler.name for step in self.chain.steps]
        if name not in names or "temperature" not in names:
            names = [sampler.name for sampler in (self.engine.samplers if self.engine else SAMPLERS.values())]
        return name not in names or names.index("temperature") < names.index(name)

    def _with(self, is_in: Callable[[Step], bool]) -> Chain:
        steps = tuple(step for step in self.chain.steps if step.sampler.is_temperature or is_in(step))
        return Chain(steps, self.chain.engine)
