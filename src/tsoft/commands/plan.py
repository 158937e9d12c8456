"""What was asked for: the temperatures, and the chains of samplers that a block goes through."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tsoft.commands.options import Knobs, Rules
from tsoft.core.samplers import BIAS

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.chain import Chain, Step


@dataclass(frozen=True)
class Plan:
    """The temperatures, as they are typed or in the file of settings, and the chains: one an engine, or
    None where there is no sampler. `biases` are added to the classes of those names."""

    taus: list[str] | None
    chains: "tuple[Chain | None, ...]" = (None,)
    biases: tuple[tuple[str, float], ...] = ()

    def of(self, block: "Block") -> "tuple[Chain | None, ...]":
        """The chains for a block, whose labels say which classes are biased."""
        if not self.biases:
            return self.chains
        from tsoft.commands.classes import index_of

        found = [(index_of(block, name, BIAS.option), bias) for name, bias in self.biases]
        biases = tuple((index, bias) for index, bias in found if index is not None)

        def filled(step: "Step") -> "Step":
            return replace(step, values=(biases,)) if step.sampler.knobs[0] is BIAS else step

        return tuple(chain and replace(chain, steps=tuple(map(filled, chain.steps))) for chain in self.chains)


def plan(rules: Rules, knobs: Knobs, taus: list[str] | None) -> Plan:
    """What was typed. The samplers' modules are imported only where there is one."""
    if rules == Rules() and knobs == Knobs():
        return Plan(taus)
    from tsoft.commands.chains import planned

    return planned(rules, knobs, taus)
