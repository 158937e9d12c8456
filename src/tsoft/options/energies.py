"""The options for energies: their unit, and how many states each has."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tsoft.errors import UsageError, shortened
from tsoft.options.input import EnergyOptions, LogitsOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.softmax import Array
    from tsoft.core.thermodynamics import Ensemble
    from tsoft.core.units import Unit
    from tsoft.options.plan import Plan

# A float holds each whole number up to here, and beyond it the sum of several.
MAX_STATES = 10**15


def ensemble(
    input: LogitsOptions, options: EnergyOptions, plan: "Plan", *, has_taus: bool, how: str = "--tau 300"
) -> "Ensemble | None":
    """The ensemble of energies; None for logits, and where samplers leave another distribution than Boltzmann's. With
    units, temperatures must be typed (`has_taus`), as in the example `how`."""
    typed = [f"--{name}" for name, value in vars(options).items() if value is not None]
    if typed and not input.energies:
        raise UsageError(f"{typed[0]} is about energies, which --energies says that the numbers are")
    if typed and plan.has_chain:
        raise UsageError(f"{typed[0]} is about Boltzmann's distribution, which samplers and --explain go beyond")
    if not input.energies or plan.has_chain:
        return None
    if options.units and not has_taus:
        raise UsageError(f"--units {options.units}: temperatures are in kelvin then, so say which: {how}")
    from tsoft.core.thermodynamics import Ensemble

    return Ensemble(_unit(options.units), _degeneracy(options.degeneracy))


def _unit(name: str | None) -> "Unit | None":
    if name is None:
        return None
    from tsoft.core.units import UNITS

    return UNITS[name]


def _degeneracy(text: str | None) -> "Array | None":
    """How many states each level has, as typed."""
    if text is None:
        return None
    import numpy as np

    return np.array([_states(piece) for piece in re.split(r"\s*[,;]\s*|\s+", text.strip())])


def _states(text: str) -> int:
    from tsoft.input import fields

    try:
        number = fields.number(text)
    except ValueError:
        number = 0.0
    if not (1 <= number <= MAX_STATES and number == int(number)):
        raise UsageError(f"--degeneracy: {shortened(text)!r} is not a number of states, a whole one from 1 to 1e15")
    return int(number)


def with_ensemble(blocks: "Iterator[Block]", ensemble: "Ensemble | None") -> "Iterator[Block]":
    """The blocks with the ensemble of their energies."""
    if ensemble is None:
        return blocks
    if ensemble.degeneracy is None:
        return (replace(block, ensemble=ensemble) for block in blocks)
    return (_with_levels(part, ensemble) for block in blocks for part in block.split_by_width())


def _with_levels(block: "Block", ensemble: "Ensemble") -> "Block":
    assert ensemble.degeneracy is not None
    levels, listed = block.logits.shape[1], len(ensemble.degeneracy)
    if levels != listed:
        energies = "energy" if levels == 1 else "energies"
        raise UsageError(f"--degeneracy lists {listed}, and {block.location} has {levels} {energies}")
    return replace(block, ensemble=ensemble)
