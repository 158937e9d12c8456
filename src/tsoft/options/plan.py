"""What was asked for: the temperatures, and the chains of samplers that a block goes through."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tsoft.errors import UsageError
from tsoft.options.biases import Bias, Biases, remembered
from tsoft.options.groups import ParameterOptions, SamplerOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.sampling.chain import Chain


@dataclass(frozen=True)
class Plan:
    """The temperatures, as they are typed or in the file of settings, and the chains: one an engine, or
    None where there is no sampler. `biases` are added to the classes of those names."""

    taus: list[str] | None
    chains: "tuple[Chain | None, ...]" = (None,)
    biases: tuple[Bias, ...] = ()

    def of(self, block: "Block") -> "tuple[Chain | None, ...]":
        """The chains for a block, whose labels say which classes are biased. Raises UsageError for samplers on
        an API response: its list is a part of the distribution, and a sampler's cutoff depends on all of it."""
        if block.partial is not None:
            refuse_partial(self.chains, f"row {block.first_row}")
        if not self.biases:
            return self.chains
        biases = self.biases_of(block)
        return tuple(chain and chain.biased(biases) for chain in self.chains)

    @cached_property
    def biases_of(self) -> "Callable[[Block], Biases]":
        """What is added to a block's classes, by their indices."""
        return remembered(self._biases_of)

    def _biases_of(self, block: "Block") -> Biases:
        # Of two for one class the later holds: what is typed comes after what is in a file.
        found = {bias.index(block): bias.value for bias in self.biases}
        return tuple((index, value) for index, value in found.items() if index is not None)


def refuse_partial(chains: "tuple[Chain | None, ...]", where: str) -> None:
    """Raises UsageError where there is a chain, for a partial distribution."""
    names = [step.sampler.name for chain in chains if chain for step in chain.steps]
    if chains != (None,) and chains:
        samplers = [name for name in dict.fromkeys(names) if name != "temperature"]
        what = f"samplers ({', '.join(samplers)}) need" if samplers else "--like and --explain need"
        raise UsageError(f"{where}: an API response lists only part of the distribution; {what} every logit")


def plan(rules: SamplerOptions, parameters: ParameterOptions, taus: list[str] | None, *, always: bool = False) -> Plan:
    """What was typed. Where there is no sampler, their modules are not imported, unless there is `always`
    to be a chain, if only of the temperature."""
    if rules == SamplerOptions() and parameters == ParameterOptions() and not always:
        return Plan(taus)
    from tsoft.options.chains import planned

    return planned(rules, parameters, taus)
