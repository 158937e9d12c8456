"""Changes of the samplers, as the user asks for them with keys, sliders, the chart, or a typed target."""

from collections.abc import Hashable
from dataclasses import replace

from tsoft.charts.style import tau_text
from tsoft.errors import joined
from tsoft.explorer.entry import Entry
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.session import Session, SessionApp
from tsoft.explorer.slider_scale import SliderScale
from tsoft.explorer.sliders import Sliders
from tsoft.explorer.typed_class import EntryError
from tsoft.explorer.typed_target import EXAMPLES, nearest_tau, typed_target
from tsoft.sampling.sampler_table import TAU, SamplerParameter


class SamplerControl:
    """Changes the samplers of a session. The keys change the current slider."""

    def __init__(self, session: Session, app: SessionApp, sliders: Sliders, entry: Entry):
        self._session, self._app, self._sliders, self._entry = session, app, sliders, entry

    def _change(self, samplers: SamplerState, run: Hashable = None) -> None:
        self._app.change(replace(self._session.state, samplers=samplers), run)

    def set(self, parameter: SamplerParameter, value: float | None, run: Hashable = None) -> None:
        """Set a parameter to a value, which switches its sampler on. None resets a state."""
        self._change(self._session.samplers.with_value(parameter, value), run)

    def toggle(self, parameter: SamplerParameter) -> None:
        self._change(self._session.samplers.toggled(parameter))

    def step(self, parameter: SamplerParameter, by: int, *, coarse: bool) -> None:
        """Move a parameter by some steps, or switch it on if it is off.

        The steps start from the current value, which may be newer than the value at the time of the key press.
        """
        samplers = self._session.samplers
        setting = samplers.setting(parameter)
        if setting is None or not setting.on:
            self.toggle(parameter)
            return
        value = SliderScale(parameter).stepped(samplers.value(parameter), by, coarse=coarse)
        self.set(parameter, value, ("steps", parameter.name))

    def turn(self, by: int, *, coarse: bool) -> None:
        if self._sliders.is_settable:
            self.step(self._sliders.current, by, coarse=coarse)

    def switch(self) -> None:
        """Switch the sampler of the current slider on or off."""
        if self._sliders.current is TAU:
            self._app.notify("The temperature is always on. At τ = 1 it changes nothing.")
        self.toggle(self._sliders.current)

    def move(self, by: int) -> None:
        """Move the sampler of the current slider in the chain."""
        samplers = self._session.samplers
        moved, engine = samplers.moved(self._sliders.current, by), samplers.engine
        if engine and moved == samplers:
            subject = "this sampler in a fixed place" if engine.reorders else "its samplers in a fixed order"
            self._app.notify(f"{engine.name} applies {subject}.")
        self._change(moved)

    def type_target(self) -> None:
        """Let the user type a target, and move τ to where the distribution reaches it."""
        partial = self._session.row.block.partial
        if partial and partial.unlisted != 0:
            self._app.notify("The response lists only some tokens. tsoft solve computes bounds on τ for it.")
            return
        self._entry.request(f"target: {EXAMPLES}", self._reach)

    def _reach(self, text: str) -> str:
        """Move τ to the nearest temperature that reaches a typed target. Return a problem, or an empty string."""
        row, bits = self._session.row, self._session.input.bits
        try:
            target = typed_target(text, row, bits=bits)
        except EntryError as error:
            return str(error)
        taus, reason = target.temperatures(row, bits=bits)
        if not taus:
            return f"no τ: {reason}"
        self.set(TAU, nearest_tau(taus, self._session.samplers.tau))
        if len(taus) > 1:
            self._app.notify(f"{len(taus)} temperatures reach the target: {joined(list(map(tau_text, taus)))}.")
        if self._session.snapshot and not target.is_reached(self._session.snapshot):
            self._app.notify("This τ reaches the target without samplers. The samplers that are on change the value.")
        return ""
