"""What was asked for: the temperatures, and the chains of samplers that a block goes through."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tsoft.commands.options import Knobs, Rules
from tsoft.core.samplers import BIAS
from tsoft.errors import UsageError

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.chain import Chain


Biases = tuple[tuple[int, float], ...]


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
        """The chains for a block, whose labels say which classes are biased. Raises UsageError for samplers on
        an API response: its list is a part of the distribution, and a sampler's cutoff depends on all of it."""
        if block.given is not None:
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


def remembered(find: "Callable[[Block], Biases]") -> "Callable[[Block], Biases]":
    """The same, which looks at a block's classes alone, with what it found last. A vocabulary's labels are one
    object in all its blocks, and to go through them takes as long as all else that a token needs. The first row
    is another case: it has to have the classes.

    >>> import numpy as np
    >>> from tsoft.core.block import Block
    >>> looked = []
    >>> find = remembered(lambda block: looked.append(block) or ((0, 1.0),))
    >>> labels = ("a", "b")
    >>> [find(Block(np.zeros((1, 2)), labels, row)) for row in (0, 1, 2)][-1], len(looked)
    (((0, 1.0),), 2)
    """
    labels: tuple[str, ...] | None = None
    others: tuple[int, bool] | None = None
    biases: Biases = ()

    def found(block: "Block") -> Biases:
        nonlocal labels, others, biases
        told = (block.logits.shape[1], block.first_row == 0)
        if block.labels is not labels or told != others:
            biases = find(block)
            labels, others = block.labels, told
        return biases

    return found


def plan(rules: Rules, knobs: Knobs, taus: list[str] | None, *, always: bool = False) -> Plan:
    """What was typed. Where there is no sampler, their modules are not imported, unless there is `always`
    to be a chain, if only of the temperature."""
    if rules == Rules() and knobs == Knobs() and not always:
        return Plan(taus)
    from tsoft.commands.chains import planned

    return planned(rules, knobs, taus)
