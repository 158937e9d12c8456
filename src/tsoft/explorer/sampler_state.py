"""The state of the samplers: which are on, in which order, with which values, and by which engine's rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from tsoft.explorer.slider_ranges import COMMON_SAMPLERS, slider_range
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

# Pairs of a class's index and the number that is added to its logit.
LogitBiases = tuple[tuple[int, float], ...]

TEMPERATURE = next(sampler for sampler in SAMPLERS.values() if sampler.parameters[0] is TAU)


@dataclass(frozen=True)
class SamplerSetting:
    """A sampler, its parameters' values by name, and whether it is on. The biases have no value that can be set."""

    sampler: Sampler
    values: Mapping[str, float]
    on: bool = False

    @classmethod
    def default(cls, sampler: Sampler) -> "SamplerSetting":
        """A sampler that is off, with the values at which its sliders start. The temperature is on, and its
        further parameters have no effect."""
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
        """The parameters that have a slider. One that modifies another has one while that one is on; the range
        of the dynamic temperature always, and its exponent while the range has an effect."""
        first, *_ = self.sampler.parameters
        pairs = pairwise(self.sampler.parameters) if self.on else ()
        visible = (second for before, second in pairs if self.has_effect(second if before is TAU else before))
        return [first, *visible]

    def has_effect(self, parameter: SamplerParameter) -> bool:
        """Whether a parameter has a value that changes anything."""
        return parameter is BIAS or self.values[parameter.name] != parameter.off


@dataclass(frozen=True)
class SamplerState:
    """The samplers' settings in the order in which they apply, and the engine whose rules they follow, None for
    tsoft's own. Samplers that the engine lacks keep their place and have no effect."""

    settings: tuple[SamplerSetting, ...]
    engine: Engine | None = None

    @classmethod
    def from_chain(cls, chain: Chain | None, tau: float) -> "SamplerState":
        """The state that has a chain's effect, with the common samplers added, switched off."""
        steps = {step.sampler.name: step for step in chain.steps} if chain else {}
        samplers = [SAMPLERS[name] for name in dict.fromkeys([*steps, *COMMON_SAMPLERS])]
        state = cls(tuple(map(SamplerSetting.default, samplers)), chain.engine if chain else None)
        for name, step in steps.items():
            values = {parameter.name: float(value) for parameter, value in step.settings if parameter is not BIAS}
            state = state._updated(name, values, on=True)
        return state._updated(TEMPERATURE.name, {TAU.name: tau}, on=True)._ordered(tuple(steps))

    def _updated(self, name: str, values: Mapping[str, float], *, on: bool) -> "SamplerState":
        """The state with some of a sampler's values changed, and the sampler on or off."""
        settings = tuple(
            replace(setting, values={**setting.values, **values}, on=on) if setting.sampler.name == name else setting
            for setting in self.settings
        )
        return replace(self, settings=settings)

    def _ordered(self, chain_order: tuple[str, ...] = ()) -> "SamplerState":
        """The state in the engine's order, or in tsoft's, except that the samplers in `chain_order` have that
        order. Samplers that the engine lacks come last."""
        names = [sampler.name for sampler in self.engine.samplers] if self.engine else list(SAMPLERS)
        default_ranks = {name: names.index(name) if name in names else len(names) for name in SAMPLERS}
        chain_ranks = sorted(default_ranks[name] for name in chain_order)
        ranks = default_ranks | dict(zip(chain_order, chain_ranks, strict=True))
        return replace(self, settings=tuple(sorted(self.settings, key=lambda setting: ranks[setting.sampler.name])))

    @property
    def tau(self) -> float:
        return self.value(TAU)

    def setting(self, parameter: SamplerParameter) -> SamplerSetting | None:
        """The setting that a parameter belongs to, None if its sampler is not in the state."""
        return next((setting for setting in self.settings if parameter in setting.sampler.parameters), None)

    def value(self, parameter: SamplerParameter) -> float:
        setting = self.setting(parameter)
        assert setting
        return setting.values[parameter.name]

    @property
    def visible_parameters(self) -> list[SamplerParameter]:
        """The parameters that have a slider, in their order."""
        return [parameter for setting in self.settings for parameter in setting.visible_parameters]

    @property
    def effective(self) -> list[SamplerSetting]:
        """The settings that have an effect."""
        return [setting for setting in self.settings if self.has_effect(setting)]

    @property
    def switches(self) -> list[SamplerParameter]:
        """The parameters that switch something on or off, of all samplers that the engine has: each sampler's first
        one, and the range of the dynamic temperature."""
        pairs = [pair for sampler in SAMPLERS.values() for pair in pairwise((TAU, *sampler.parameters))]
        return [
            parameter
            for before, parameter in pairs
            if before is TAU and parameter not in (TAU, BIAS) and self.supports(parameter)
        ]

    def supports(self, parameter: SamplerParameter) -> bool:
        """Whether the engine has a parameter."""
        return self.engine is None or self.engine.has(parameter.name)

    def has_effect(self, setting: SamplerSetting) -> bool:
        first = setting.sampler.parameters[0]
        return setting.on and self.supports(first) and setting.has_effect(first)

    def with_value(self, parameter: SamplerParameter, value: float) -> "SamplerState":
        """The state with a parameter at a value, which switches its sampler on."""
        setting = self.setting(parameter)
        assert setting
        return self._updated(setting.sampler.name, {parameter.name: value}, on=True)

    def toggled(self, parameter: SamplerParameter) -> "SamplerState":
        """The state with a parameter's sampler switched off, or on at a value that has an effect; it is added if
        the state lacks it. The temperature stays on."""
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
            # It modifies another parameter, which switches both.
            return self.toggled(before)
        # A sampler whose value has no effect counts as off.
        values = {} if setting.has_effect(parameter) else {parameter.name: initial}
        return self._updated(setting.sampler.name, values, on=bool(values) or not setting.on)

    def _added(self, parameter: SamplerParameter) -> "SamplerState":
        """The state with a parameter's sampler as well, switched on."""
        sampler = next(sampler for sampler in SAMPLERS.values() if parameter in sampler.parameters)
        order = tuple(setting.sampler.name for setting in self.settings)
        state = replace(self, settings=(*self.settings, SamplerSetting.default(sampler)))
        return state._ordered(order)._updated(sampler.name, {}, on=True)

    @property
    def is_reorderable(self) -> bool:
        """Whether the engine lets its user choose the order."""
        return self.engine is None or self.engine.reorders

    def moved(self, parameter: SamplerParameter, by: int) -> "SamplerState":
        """The state with a parameter's sampler later in the chain, or earlier if `by` is negative."""
        setting = self.setting(parameter)
        if setting is None or not self.is_reorderable:
            return self
        settings = list(self.settings)
        position = settings.index(setting)
        settings.insert(max(position + by, 0), settings.pop(position))
        return replace(self, settings=tuple(settings))

    def with_engine(self, engine: Engine | None) -> "SamplerState":
        """The state by an engine's rules and in its order."""
        return self if engine is self.engine else replace(self, engine=engine)._ordered()

    def chain(self, biases: LogitBiases = ()) -> Chain | None:
        """The chain of samplers, None if there is only the temperature."""
        values = {name: value for setting in self.effective for name, value in setting.values.items()}
        if self.engine is None and all(setting.visible_parameters == [TAU] for setting in self.effective):
            return None
        order = tuple(setting.sampler for setting in self.settings if self.supports(setting.sampler.parameters[0]))
        return chain_of(self.engine, order, [setting.sampler for setting in self.effective], values).biased(biases)

    @property
    def options(self) -> list[str]:
        """The options with which `tsoft compute` has the same effect, except for the biases."""
        words = ["--tau", exact_text(self.tau)]
        for setting in self.effective:
            for parameter in setting.visible_parameters:
                if parameter not in (TAU, BIAS) and self.supports(parameter):
                    words += [parameter.option, exact_text(setting.values[parameter.name])]
        if self.engine:
            words += ["--like", self.engine.name]
        order = [setting.sampler.name for setting in self.effective]
        if order != [setting.sampler.name for setting in self._ordered().effective]:
            words += ["--samplers", ";".join(order)]
        return words


def exact_text(value: float) -> str:
    """A number with the fewest digits that read back exactly.

    >>> exact_text(0.1), exact_text(40.0), exact_text(float("-inf"))
    ('0.1', '40', '-inf')
    """
    return repr(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)
