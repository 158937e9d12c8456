"""What a sweep reads: the options that select its blocks and their samplers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tsoft.core.block import Block
from tsoft.core.thermodynamics import Ensemble
from tsoft.options import logits
from tsoft.options.energies import chosen_ensemble, with_ensemble
from tsoft.options.history_options import HistoryOptions, TextSource
from tsoft.options.input import BoundsOptions, EnergyOptions, LogitsOptions
from tsoft.options.plan import Plan, make_plan
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.saved_calibration import CalibrationOptions, saved_calibration


@dataclass(frozen=True, eq=False)
class SweepInput:
    """The options that select the blocks and the samplers. `typed_taus` are the values of --tau."""

    logits: LogitsOptions
    energies: EnergyOptions
    bounds: BoundsOptions
    calibration: CalibrationOptions
    parameters: ParameterOptions
    samplers: SamplerOptions
    history: HistoryOptions
    typed_taus: list[str] | None

    def plan(self) -> Plan:
        """Return the samplers. A grid overrides a file's temperature, as --tau does."""
        text = TextSource(self.history, self.logits, self.typed_taus)
        return make_plan(self.samplers, self.parameters, self.typed_taus or [], text=text)

    def ensemble(self, plan: Plan, *, has_taus: bool) -> Ensemble | None:
        """Return the ensemble of energies. `has_taus` is true if the user chose the temperatures."""
        if self.calibration.calibration is not None:
            return None
        example = "--tau 100,300, or --from 10 --to 1000"
        return chosen_ensemble(self.logits, self.energies, plan, has_taus=has_taus, example=example)

    def blocks(self, ensemble: Ensemble | None) -> Iterator[Block]:
        """Return the blocks of all files."""
        saved = saved_calibration(self.calibration, self.energies)
        read = logits.blocks(self.logits, self.typed_taus, bounds=self.bounds, targets=saved.targets)
        return with_ensemble(saved.calibrated(read), ensemble)

    def of_file(self, file: str) -> "SweepInput":
        """Return the same options for one file."""
        return replace(self, logits=replace(self.logits, inputs=[file]))
