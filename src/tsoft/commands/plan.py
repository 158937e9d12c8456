"""What was asked for: the temperatures, and the chains of samplers that a block goes through."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsoft.commands.options import Knobs, Rules
from tsoft.core.samplers import BIAS
from tsoft.errors import UsageError

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.chain import Chain


@dataclass(frozen=True)
class Bias:
    """What is added to the logit of the class of that name. One that stands in a file may name a class
    that the input does not have."""

    name: str
    value: float
    in_file: bool = False

    def index(self, block: "Block") -> int | None:
        from tsoft.commands.classes import index_of

        try:
            return index_of(block, self.name, BIAS.option)
        except UsageError:
            if not self.in_file:
                raise
            return None


@dataclass(frozen=True)
class Plan:
    """The temperatures, as they are typed or in the file of settings, and the chains: one an engine, or
    None where there is no sampler. `biases` are added to the classes of those names."""

    taus: list[str] | None
    chains: "tuple[Chain | None, ...]" = (None,)
    biases: tuple[Bias, ...] = ()

    def of(self, block: "Block") -> "tuple[Chain | None, ...]":
        """The chains for a block, whose labels say which classes are biased."""
        if not self.biases:
            return self.chains
        biases = self.biases_of(block)
        return tuple(chain and chain.biased(biases) for chain in self.chains)

    def biases_of(self, block: "Block") -> tuple[tuple[int, float], ...]:
        """What is added to a block's classes, by their indices."""
        # Of two for one class the later holds: what is typed comes after what is in a file.
        found = {bias.index(block): bias.value for bias in self.biases}
        return tuple((index, value) for index, value in found.items() if index is not None)


def plan(rules: Rules, knobs: Knobs, taus: list[str] | None, *, always: bool = False) -> Plan:
    """What was typed. Where there is no sampler, their modules are not imported, unless there is `always`
    to be a chain, if only of the temperature."""
    if rules == Rules() and knobs == Knobs() and not always:
        return Plan(taus)
    from tsoft.commands.chains import planned

    return planned(rules, knobs, taus)
