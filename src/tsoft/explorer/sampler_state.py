"""The state of the samplers: which are on, in which order, with which values, and by which engine's rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tsoft.explorer.slider_ranges import COMMON_SAMPLERS, slider_range
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

# Pairs of a class index and the number to add to its logit.
LogitBiases = tuple[tuple[int, float], ...]

TEMPERATURE = next(sampler for sampler in SAMPLERS.values() if sampler.parameters[0] is TAU)


@dataclass(frozen=True)
class SamplerSetting:
    """A sampler, the values of its parameters by name, and whether it is on. The biases have no adjustable value. The
    value None of a state is that before the first token."""

    sampler: Sampler
    values: Mapping[str, float | None]
    on: bool = False

    @classmethod
    def default(cls, sampler: Sampler) -> "SamplerSetting":
        """Return a sampler that is off. The temperature is on.

        A parameter that switches the sampler on alone has the initial value of its slider. The others have no effect.
        """
        [first, *others] = sampler.parameters
        is_only_switch = sampler.switch_parameters == (first,)
        values = {} if first is BIAS else {first.name: slider_range(first).initial if is_only_switch else first.off}
        values |= {parameter.name: parameter.off for parameter in others}
        return cls(sampler, values, on=first is TAU)

    @property
    def visible_parameters(self) -> list[SamplerParameter]:
        """The parameters that have a slider.

        These are the ones that switch the sampler on, and while it is on, those that have an effect with the present
        values. The range of the dynamic temperature has a slider while it has an effect.
        """
        switches = self.sampler.switch_parameters
        return [parameter for parameter in self.sampler.parameters if parameter in switches or self._is_used(parameter)]

    def _is_used(self, companion: SamplerParameter) -> bool:
        needed = self.sampler.needed_by(companion) or (companion,)
        return self.on and any(map(self.has_effect, needed))

    def has_effect(self, parameter: SamplerParameter) -> bool:
        """Return whether the value of a parameter changes anything."""
        return parameter is BIAS or self.values[parameter.name] != parameter.off

    def value(self, parameter: SamplerParameter) -> float:
        """Return the value of a parameter. That of a state is the one before the first token."""
        value = self.values[parameter.name]
        if parameter is self.sampler.state_parameter:
            first = self.values[self.sampler.parameters[0].name]
            assert first is not None
            return self.sampler.initial(first, value)
        assert value is not None
        return value


@dataclass(frozen=True)
class SamplerState:
    """The settings of the samplers in the order in which they apply, and the engine whose rules they follow.

    Without an engine, tsoft's rules apply. Samplers that the engine lacks keep their place and have no effect.
    """

    settings: tuple[SamplerSetting, ...]
    engine: Engine | None = None

    @classmethod
    def from_chain(cls, chain: Chain | None, tau: float) -> "SamplerState":
        """Return the state with a chain's effect. The common samplers are added, switched off."""
        # A sampler without parameters belongs to the engine, and is always on.
        steps = {step.sampler.name: step for step in chain.steps if step.sampler.parameters} if chain else {}
        samplers = [SAMPLERS[name] for name in dict.fromkeys([*steps, *COMMON_SAMPLERS])]
        state = cls(tuple(map(SamplerSetting.default, samplers)), chain.engine if chain else None)
        for name, step in steps.items():
            values = {
                parameter.name: None if value is None else float(value)
                for parameter, value in step.settings
                if parameter is not BIAS
            }
            state = state._updated(name, values, on=True)
        state = state._updated(TEMPERATURE.name, {TAU.name: tau}, on=True)
        # The samplers of an engine with a fixed order may have another one in the chain, which depends on their values.
        return state._ordered(tuple(steps) if state.is_reorderable else ())

    def _updated(self, name: str, values: Mapping[str, float | None], *, on: bool) -> "SamplerState":
        """Return the state with some of a sampler's values changed, and the sampler on or off."""
        settings = tuple(
            replace(setting, values={**setting.values, **values}, on=on) if setting.sampler.name == name else setting
            for setting in self.settings
        )
        return replace(self, settings=settings)

    def _ordered(self, chain_order: tuple[str, ...] = ()) -> "SamplerState":
        """Return the state in the order of the engine, or of tsoft.

        The samplers in `chain_order` have that order instead. Samplers that the engine lacks are at the end.
        """
        names = [sampler.name for sampler in self.engine.samplers] if self.engine else list(SAMPLERS)
        default_ranks = {name: names.index(name) if name in names else len(names) for name in SAMPLERS}
        chain_ranks = sorted(default_ranks[name] for name in chain_order)
        ranks = default_ranks | dict(zip(chain_order, chain_ranks, strict=True))
        return replace(self, settings=tuple(sorted(self.settings, key=lambda setting: ranks[setting.sampler.name])))

    @property
    def tau(self) -> float:
        return self.value(TAU)

    def setting(self, parameter: SamplerParameter) -> SamplerSetting | None:
        """Return the setting that a parameter belongs to; None if the state lacks its sampler."""
        return next((setting for setting in self.settings if parameter in setting.sampler.parameters), None)

    def value(self, parameter: SamplerParameter) -> float:
        setting = self.setting(parameter)
        assert setting
        return setting.value(parameter)

    @property
    def visible_parameters(self) -> list[SamplerParameter]:
        """The parameters that have a slider, in order."""
        return [parameter for setting in self.settings for parameter in setting.visible_parameters]

    @property
    def effective(self) -> list[SamplerSetting]:
        """The settings that have an effect."""
        return [setting for setting in self.settings if self.has_effect(setting)]

    @property
    def switches(self) -> list[SamplerParameter]:
        """The parameters that switch something on or off, for all samplers that the engine has.

        These are the parameters that switch a sampler on, and the range of the dynamic temperature.
        """
        return [
            parameter
            for sampler in SAMPLERS.values()
            for parameter in sampler.parameters
            if parameter not in (TAU, BIAS) and _is_switch(sampler, parameter) and self.supports(parameter)
        ]

    def supports(self, parameter: SamplerParameter) -> bool:
        """Return whether the engine has a parameter."""
        return self.engine is None or self.engine.has(parameter.name)

    @property
    def unsupported(self) -> list[SamplerParameter]:
        """The parameters that are set, but have no effect because the engine lacks them.

        A parameter that modifies another one of them is not listed.
        """
        unsupported = []
        for setting in self.settings:
            if setting.on and any(map(setting.has_effect, setting.sampler.switch_parameters)):
                set_ones = filter(setting.has_effect, setting.visible_parameters)
                missing = [parameter for parameter in set_ones if not self.supports(parameter)]
                switches = [parameter for parameter in missing if parameter in setting.sampler.switch_parameters]
                unsupported += switches or missing[:1]
        return unsupported

    @property
    def needs_history(self) -> bool:
        """Whether a sampler with an effect depends on the tokens before the distribution."""
        return any(setting.sampler.needs_history for setting in self.effective)

    @property
    def has_state(self) -> bool:
        """Whether draws change a sampler with an effect."""
        return any(setting.sampler.state for setting in self.effective)

    def has_effect(self, setting: SamplerSetting) -> bool:
        return setting.on and any(
            self.supports(switch) and setting.has_effect(switch) for switch in setting.sampler.switch_parameters
        )

    def with_value(self, parameter: SamplerParameter, value: float | None) -> "SamplerState":
        """Return the state with a parameter set to a value, which switches its sampler on. None stands for the state
        before the first token."""
        setting = self.setting(parameter)
        assert setting
        return self._updated(setting.sampler.name, {parameter.name: value}, on=True)

    def toggled(self, parameter: SamplerParameter) -> "SamplerState":
        """Return the state with a parameter's sampler switched off, or on at a value that has an effect.

        The sampler is added if the state lacks it. The temperature stays on.
        """
        if parameter is TAU:
            return self
        setting = self.setting(parameter)
        if setting is None:
            return self._added(parameter)
        if not _is_switch(setting.sampler, parameter):
            # The parameter modifies others, which are switched with it.
            needed = setting.sampler.needed_by(parameter)
            if needed == setting.sampler.switch_parameters and any(map(setting.has_effect, needed)):
                return self._updated(setting.sampler.name, {}, on=not setting.on)
            return self.toggled(needed[0])
        initial = slider_range(parameter).initial
        is_on = setting.on and setting.has_effect(parameter)
        others = [switch for switch in setting.sampler.switch_parameters if switch is not parameter]
        if setting.on and any(map(setting.has_effect, others)):
            # The sampler stays on.
            return self.with_value(parameter, parameter.off if is_on else initial)
        # A sampler with a value that has no effect counts as off.
        values = {} if setting.has_effect(parameter) else {parameter.name: initial}
        return self._updated(setting.sampler.name, values, on=bool(values) or not setting.on)

    def _added(self, parameter: SamplerParameter) -> "SamplerState":
        """Return the state with a parameter's sampler added and switched on."""
        sampler = next(sampler for sampler in SAMPLERS.values() if parameter in sampler.parameters)
        switch = parameter if _is_switch(sampler, parameter) else sampler.parameters[0]
        values = {} if switch is BIAS else {switch.name: slider_range(switch).initial}
        order = tuple(setting.sampler.name for setting in self.settings)
        state = replace(self, settings=(*self.settings, SamplerSetting.default(sampler)))
        return state._ordered(order)._updated(sampler.name, values, on=True)

    @property
    def biases_come_first(self) -> bool:
        """Whether no sampler with an effect precedes the logit biases, so that they can express edits of logits."""
        return all(setting.sampler.parameters[0] is not BIAS for setting in self.effective[1:])

    @property
    def is_reorderable(self) -> bool:
        """Whether the engine lets the user choose the order."""
        return self.engine is None or self.engine.reorders

    def moved(self, parameter: SamplerParameter, by: int) -> "SamplerState":
        """Return the state with a parameter's sampler later in the chain, or earlier if `by` is negative."""
        setting = self.setting(parameter)
        if setting is None or not self.is_reorderable:
            return self
        settings = list(self.settings)
        position = settings.index(setting)
        settings.insert(max(position + by, 0), settings.pop(position))
        names = [each.sampler.name for each in settings]
        order = self.engine.ordered(names) if self.engine else names
        return replace(self, settings=tuple(sorted(settings, key=lambda each: order.index(each.sampler.name))))

    def with_engine(self, engine: Engine | None) -> "SamplerState":
        """Return the state with an engine's rules and order."""
        return self if engine is self.engine else replace(self, engine=engine)._ordered()

    def chain(self, biases: LogitBiases = ()) -> Chain | None:
        """Return the chain of samplers; None if only the temperature has an effect."""
        values = {name: value for setting in self.effective for name, value in setting.values.items()}
        if self.engine is None and all(setting.visible_parameters == [TAU] for setting in self.effective):
            return None
        order = tuple(
            setting.sampler for setting in self.settings if any(map(self.supports, setting.sampler.switch_parameters))
        )
        return chain_of(self.engine, order, [setting.sampler for setting in self.effective], values).biased(biases)

    def with_states(self, chain: Chain | None) -> "SamplerState":
        """Return the same samplers with the states of their chain."""
        state = self
        for step in chain.steps if chain else ():
            if parameter := step.sampler.state_parameter:
                state = state._updated(step.sampler.name, {parameter.name: step.values[-1]}, on=True)
        return state

    @property
    def options(self) -> list[str]:
        """The options with which `tsoft compute` has the same effect, without the biases."""
        words = ["--tau", exact_text(self.tau)]
        for setting in self.effective:
            for parameter in setting.visible_parameters:
                switches, state = setting.sampler.switch_parameters, setting.sampler.state_parameter
                if parameter in (*switches, state) and not setting.has_effect(parameter):
                    continue
                if parameter not in (TAU, BIAS) and self.supports(parameter):
                    value = [] if parameter.is_flag else [exact_text(setting.value(parameter))]
                    words += [parameter.option, *value]
        if self.engine:
            words += ["--like", self.engine.name]
        order = [setting.sampler.name for setting in self.effective]
        if order != [setting.sampler.name for setting in self._ordered().effective]:
            words += ["--samplers", ";".join(order)]
        return words


def short_name(sampler: Sampler, parameter: str) -> str:
    """Return the name of a parameter that is not the only switch of its sampler, without what the sampler's name says.

    >>> [short_name(SAMPLERS["penalties"], name) for name in ("repetition_penalty", "penalty_last_n")]
    ['repetition', 'last_n']
    >>> short_name(SAMPLERS["mirostat"], "mirostat_mu"), short_name(SAMPLERS["dry"], "dry_penalty_last_n")
    ('mu', 'last_n')
    """
    prefix = sampler.name.partition("_")[0] + "_"
    return parameter.removeprefix(prefix).removeprefix("penalty_").removesuffix("_penalty")


def shown_name(parameter: SamplerParameter) -> str:
    """Return the name of a parameter as the screen shows it."""
    return "τ" if parameter is TAU else parameter.name


def _is_switch(sampler: Sampler, parameter: SamplerParameter) -> bool:
    """Return whether a parameter switches something on or off: the sampler, or the dynamic temperature."""
    return parameter in sampler.switch_parameters or not sampler.needed_by(parameter)


def exact_text(value: float) -> str:
    """Return a number as text with the fewest digits that read back exactly.

    >>> exact_text(0.1), exact_text(40.0), exact_text(float("-inf"))
    ('0.1', '40', '-inf')
    """
    return repr(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)
