"""The settings that were requested of a server."""

from collections.abc import Callable
from dataclasses import dataclass

from tsoft.errors import joined
from tsoft.sampling import partial_chain
from tsoft.sampling.chain import Chain
from tsoft.sampling.engine import Engine
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.step import Step

# The cutoffs that an audit looks for even if they were not requested. Each compares one number of a class.
CUTOFFS = ("top_k", "top_p", "min_p")
# Samplers with a cutoff that may remove some of the most probable classes, or that changes from one token to the next.
_UNTESTABLE = ("typ_p", "xtc", "mirostat")


@dataclass(frozen=True)
class Requested:
    """The requested temperature, None if it is unknown, and the requested samplers. If `states_cutoffs` is false, it is
    unknown which cutoffs were requested, so none can be contradicted."""

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
    def problem(self) -> str | None:
        """Why an audit cannot test these settings; None if it can. It cannot test samplers that do more than keep the
        most probable classes."""
        # The value of a temperature step is the range of a dynamic temperature.
        dynamic = [
            step.sampler.name
            for step in self.chain.steps
            if step.sampler.is_temperature and step.values and step.values[0]
        ]
        samplers = (step.sampler for step in self.cutoffs)
        names = dynamic + [each.name for each in samplers if not each.has_cutoff or each.name in _UNTESTABLE]
        if not names:
            return None
        return f"an audit cannot test {joined(names)}: it tests cutoffs that keep the most probable classes"

    @property
    def problem_with_lists(self) -> str | None:
        """The same for a server, which lists only some of the tokens."""
        functions = {step.sampler.name: step.sampler.path.rpartition(".")[2] for step in self.cutoffs}
        names = [name for name, function in functions.items() if function not in partial_chain.CUTOFFS]
        if self.problem or not names:
            return self.problem
        return f"an audit of a server cannot test {joined(names)}: that needs every logit, and a server lists only some"

    def alone(self, step: Step) -> Chain:
        """Return the chain of the temperature and one sampler."""
        return self._with(lambda other: other is step)

    def without(self, step: Step) -> Chain:
        """Return the chain of all samplers but one."""
        return self._with(lambda other: other is not step)

    def is_tempered(self, name: str) -> bool:
        """Return whether a sampler follows the temperature: in the chain or, if it is not there, in the order of the
        engine."""
        names = [step.sampler.name for step in self.chain.steps]
        if name not in names or "temperature" not in names:
            names = [sampler.name for sampler in (self.engine.samplers if self.engine else SAMPLERS.values())]
        return name not in names or names.index("temperature") < names.index(name)

    def _with(self, is_in: Callable[[Step], bool]) -> Chain:
        steps = tuple(step for step in self.chain.steps if step.sampler.is_temperature or is_in(step))
        return Chain(steps, self.chain.engine)
