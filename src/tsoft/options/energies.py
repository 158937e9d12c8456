"""The options for energies: units and degeneracies."""

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

# Floats represent whole numbers exactly up to 9e15, so the sum of several degeneracies is exact, too.
MAX_STATES = 10**15


def chosen_ensemble(
    input: LogitsOptions, options: EnergyOptions, plan: "Plan", *, has_taus: bool, example: str = "--tau 300"
) -> "Ensemble | None":
    """Return the ensemble of the energies; None for logits, or with a chain: its result is not a Boltzmann
    distribution.

    With units, temperatures must be typed. `has_taus` is true if they are; the error message shows the `example`.
    """
    typed = [f"--{name}" for name, value in vars(options).items() if value is not None]
    if typed and not input.energies:
        raise UsageError(f"{typed[0]} needs energies; add --energies if the numbers are energies")
    if typed and plan.has_chain:
        raise UsageError(f"{typed[0]} works only without samplers and --explain; remove them")
    if not input.energies or plan.has_chain:
        return None
    if options.units and not has_taus:
        raise UsageError(f"--units {options.units} needs temperatures in kelvin; pass {example}")
    from tsoft.core.thermodynamics import Ensemble

    return Ensemble(_unit(options.units), _degeneracy(options.degeneracy))


def _unit(name: str | None) -> "Unit | None":
    if name is None:
        return None
    from tsoft.core.units import UNITS

    return UNITS[name]


def _degeneracy(text: str | None) -> "Array | None":
    """Return the number of states of each level, as typed."""
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
        raise UsageError(f"--degeneracy: expected whole numbers from 1 to 1e15, got {shortened(text)!r}")
    return int(number)


def with_ensemble(blocks: "Iterator[Block]", ensemble: "Ensemble | None") -> "Iterator[Block]":
    """Yield the blocks with the ensemble of their energies. Raise UsageError if the degeneracies do not fit."""
    if ensemble is None:
        return blocks
    if ensemble.degeneracy is None:
        return (replace(block, ensemble=ensemble) for block in blocks)
    return (_with_levels(part, ensemble) for block in blocks for part in block.split_by_width())


def _with_levels(block: "Block", ensemble: "Ensemble") -> "Block":
    assert ensemble.degeneracy is not None
    levels, degeneracies = block.logits.shape[1], len(ensemble.degeneracy)
    if levels != degeneracies:
        energies = "1 energy" if levels == 1 else f"{levels} energies"
        numbers = "1 number" if degeneracies == 1 else f"{degeneracies} numbers"
        raise UsageError(f"--degeneracy has {numbers}, but {block.location} has {energies}; pass one number per energy")
    return replace(block, ensemble=ensemble)
