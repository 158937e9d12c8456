"""The dialog that switches a sampler on or off."""

from tsoft.explorer.dialogs import ListDialog
from tsoft.explorer.sampler_state import SamplerState
from tsoft.sampling.sampler_table import SAMPLERS

# The parameters of the samplers that depend on the tokens before a distribution.
_TEXT_PARAMETERS = {
    parameter for sampler in SAMPLERS.values() for parameter in sampler.parameters if sampler.needs_history
}


class SamplerDialog(ListDialog):
    """The list of the parameters that switch a sampler. `has_history` adds those that need the tokens before the row.

    The result is the name of one of the `parameters`.
    """

    def __init__(self, samplers: SamplerState, *, has_history: bool):
        effective = {
            parameter
            for setting in samplers.effective
            for parameter in filter(setting.has_effect, setting.visible_parameters)
        }
        self.parameters = {
            parameter.name: parameter
            for parameter in samplers.switches
            if has_history or parameter not in _TEXT_PARAMETERS
        }
        options = [
            (name, "on  " if parameter in effective else "    ", parameter.help)
            for name, parameter in self.parameters.items()
        ]
        super().__init__("switch a sampler on or off", options)
