"""The state of the samplers: which are on, in which order, with which values, and by which engine's rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from tsoft.explorer.slider_ranges import COMMON_SAMPLERS, slider_range
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

# Pairs of a class index and the number to add to its logit.
LogitBiases = tuple[tuple[int, float], ...]

TEMPERATURE = next(sampler for sampler in SAMPLERS.values() if sampler.parameters[0] is TAU)


@dataclass(frozen=True)
class SamplerSetting:
    """A sampler, the values of its parameters by name, and whether it is on. The biases have no adjustable value."""

    sampler: Sampler
    values: Mapping[str, float]
    on: bool = False

    @classmethod
    def default(cls, sampler: Sampler) -> "SamplerSetting":
        """Return a sampler that is off, with the initial values of its sliders.

        The temperature is on. Its other parameters have no effect initially.
        """
        is_temperature = sampler.parameters[0] is TAU
        values = {
            parameter.name: float(parameter.off or 0)
            if is_temperature and parameter is not TAU
            else slider_range(parameter).initial
            for parameter in sampler.parameters
            if parameter is not BIAS
        }
        return cls(sampler, values, on=is_temperature)

    @property
    def visible_parameters(self) -> list[SamplerParameter]:
        """The parameters that have a slider.

        A parameter that modifies another one has a slider while the other one is on. The range of the dynamic
        temperature always has one; its exponent has one while the range has an effect.
        """
        first, *_ = self.sampler.parameters
        pairs = pairwise(self.sampler.parameters) if self.on else ()
        visible = (second for before, second in pairs if self.has_effect(second if before is TAU else before))
        return [first, *visible]

    def has_effect(self, parameter: SamplerParameter) -> bool:
        """Return whether the value of a parameter changes anything."""
        return parameter is BIAS or self.values[parameter.name] != parameter.off


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
        steps = {step.sampler.name: step for step in chain.steps} if chain else {}
        samplers = [SAMPLERS[name] for name in dict.fromkeys([*steps, *COMMON_SAMPLERS])]
        state = cls(tuple(map(SamplerSetting.default, samplers)), chain.engine if chain else None)
        for name, step in steps.items():
            values = {parameter.name: float(value) for parameter, value in step.settings if parameter is not BIAS}
            state = state._updated(name, values, on=True)
        return state._updated(TEMPERATURE.name, {TAU.name: tau}, on=True)._ordered(tuple(steps))

    def _updated(self, name: str, values: Mapping[str, float], *, on: bool) -> "SamplerState":
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
        return setting.values[parameter.name]

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

        These are the first parameter of each sampler, and the range of the dynamic temperature.
        """
        pairs = [pair for sampler in SAMPLERS.values() for pair in pairwise((TAU, *sampler.parameters))]
        return [
            parameter
            for before, parameter in pairs
            if before is TAU and parameter not in (TAU, BIAS) and self.supports(parameter)
        ]

    def supports(self, parameter: SamplerParameter) -> bool:
        """Return whether the engine has a parameter."""
        return self.engine is None or self.engine.has(parameter.name)

    @property
    def unsupported(self) -> list[SamplerParameter]:
        """The parameters that are set, but have no effect because the engine lacks them.

        A parameter that modifies another one of them is not listed.
        """
        active = [
            setting for setting in self.settings if setting.on and setting.has_effect(setting.sampler.parameters[0])
        ]
        missing = (
            [parameter for parameter in setting.visible_parameters if not self.supports(parameter)]
            for setting in active
        )
        return [parameter for parameters in missing for parameter in parameters[:1]]

    def has_effect(self, setting: SamplerSetting) -> bool:
        first = setting.sampler.parameters[0]
        return setting.on and self.supports(first) and setting.has_effect(first)

    def with_value(self, parameter: SamplerParameter, value: float) -> "SamplerState":
        """Return the state with a parameter set to a value, which switches its sampler on."""
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
        before = dict(pairwise(reversed(setting.sampler.parameters))).get(parameter)
        initial = slider_range(parameter).initial
        if before is TAU:
            return self.with_value(parameter, float(parameter.off or 0) if setting.has_effect(parameter) else initial)
        if before is not None:
            # The parameter modifies another one, which switches both.
            return self.toggled(before)
        # A sampler with a value that has no effect counts as off.
        values = {} if setting.has_effect(parameter) else {parameter.name: initial}
        return self._updated(setting.sampler.name, values, on=bool(values) or not setting.on)

    def _added(self, parameter: SamplerParameter) -> "SamplerState":
        """Return the state with a parameter's sampler added and switched on."""
        sampler = next(sampler for sampler in SAMPLERS.values() if parameter in sampler.parameters)
        order = tuple(setting.sampler.name for setting in self.settings)
        state = replace(self, settings=(*self.settings, SamplerSetting.default(sampler)))
        return state._ordered(order)._updated(sampler.name, {}, on=True)

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
        return replace(self, settings=tuple(settings))

    def with_engine(self, engine: Engine | None) -> "SamplerState":
        """Return the state with an engine's rules and order."""
        return self if engine is self.engine else replace(self, engine=engine)._ordered()

    def chain(self, biases: LogitBiases = ()) -> Chain | None:
        """Return the chain of samplers; None if only the temperature has an effect."""
        values = {name: value for setting in self.effective for name, value in setting.values.items()}
        if self.engine is None and all(setting.visible_parameters == [TAU] for setting in self.effective):
            return None
        order = tuple(setting.sampler for setting in self.settings if self.supports(setting.sampler.parameters[0]))
        return chain_of(self.engine, order, [setting.sampler for setting in self.effective], values).biased(biases)

    @property
    def options(self) -> list[str]:
        """The options with which `tsoft compute` has the same effect, without the biases."""
        words = ["--tau", exact_text(self.tau)]
        for setting in self.effective:
            for parameter in setting.visible_parameters:
                if parameter not in (TAU, BIAS) and self.supports(parameter):
                    value = [] if parameter.is_flag else [exact_text(setting.values[parameter.name])]
                    words += [parameter.option, *value]
        if self.engine:
            words += ["--like", self.engine.name]
        order = [setting.sampler.name for setting in self.effective]
        if order != [setting.sampler.name for setting in self._ordered().effective]:
            words += ["--samplers", ";".join(order)]
        return words


def exact_text(value: float) -> str:
    """Return a number as text with the fewest digits that read back exactly.

    >>> exact_text(0.1), exact_text(40.0), exact_text(float("-inf"))
    ('0.1', '40', '-inf')
    """
    return repr(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)
