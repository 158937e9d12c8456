"""The knobs as they are set: which samplers, in which order, by whose rules, with which values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from tsoft.explorer.slider_ranges import COMMON, slider_range
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

Biases = tuple[tuple[int, float], ...]

TEMPERATURE = next(sampler for sampler in SAMPLERS.values() if sampler.parameters[0] is TAU)


@dataclass(frozen=True)
class Dial:
    """A sampler with its knobs' values. That of the biases has none: what they are is not turned."""

    sampler: Sampler
    values: tuple[float, ...]
    on: bool = False

    @classmethod
    def of(cls, sampler: Sampler) -> "Dial":
        """One that is off, at the usual values. The temperature's companions are at those that do nothing."""
        if sampler.parameters[0] is BIAS:
            return cls(sampler, ())
        if sampler.parameters[0] is TAU:
            return cls(
                sampler,
                (slider_range(TAU).usual, *(float(parameter.off or 0) for parameter in sampler.parameters[1:])),
                on=True,
            )
        return cls(sampler, tuple(slider_range(parameter).usual for parameter in sampler.parameters))

    @property
    def settings(self) -> dict[str, float]:
        """The values by their knobs' names."""
        return dict(zip((parameter.name for parameter in self.sampler.parameters), self.values, strict=False))

    @property
    def shown(self) -> list[SamplerParameter]:
        """The knobs that can be turned. One that says how another works is there while that is on, and the
        temperature's own companion while it does something itself."""
        first = self.sampler.parameters[0]
        pairs = pairwise(self.sampler.parameters) if self.on else ()
        return [first, *(parameter for other, parameter in pairs if self.does(parameter if other is TAU else other))]

    def does(self, parameter: SamplerParameter) -> bool:
        """Whether a knob is not where it changes nothing."""
        return parameter is BIAS or self.settings[parameter.name] != parameter.off


class Place(NamedTuple):
    """A knob on the board: the number of its dial, and itself."""

    dial: int
    parameter: SamplerParameter


@dataclass(frozen=True)
class Board:
    """The dials in the order of their samplers, and the engine whose rules are taken, None for tsoft's own.
    Those that the engine lacks stay where they are, without effect."""

    dials: tuple[Dial, ...]
    engine: Engine | None = None

    @classmethod
    def of(cls, chain: Chain | None, tau: float) -> "Board":
        """The board of a chain, with what is usually wanted besides."""
        steps = chain.steps if chain else ()
        set_ = {step.sampler.name: step for step in steps}
        common = COMMON
        dials = tuple(Dial.of(SAMPLERS[name]) for name in dict.fromkeys([*set_, *common]))
        board = cls(dials, chain.engine if chain else None)
        for name, step in set_.items():
            values = {parameter.name: float(value) for parameter, value in step.settings if parameter is not BIAS}
            board = board._with(name, values, on=True)
        return board._with(TEMPERATURE.name, {TAU.name: tau}, on=True)._ordered(tuple(set_))

    def _with(self, name: str, values: Mapping[str, float], *, on: bool) -> "Board":
        """The same with some of a sampler's values, and it on or off."""
        dials = tuple(
            replace(dial, values=tuple((dial.settings | dict(values)).values()), on=on)
            if dial.sampler.name == name
            else dial
            for dial in self.dials
        )
        return replace(self, dials=dials)

    def _ordered(self, first: tuple[str, ...] = ()) -> "Board":
        """The same in the order of the engine, or in tsoft's own; of those in `first` in that one. What the
        engine lacks comes last."""
        rules = [sampler.name for sampler in self.engine.samplers] if self.engine else list(SAMPLERS)
        own = {name: rules.index(name) if name in rules else len(rules) for name in SAMPLERS}
        ranks = sorted(own[name] for name in first)
        placed = own | dict(zip(first, ranks, strict=True))
        return replace(self, dials=tuple(sorted(self.dials, key=lambda dial: placed[dial.sampler.name])))

    @property
    def tau(self) -> float:
        return self.value(TAU)

    def value(self, parameter: SamplerParameter) -> float:
        return next(dial.settings[parameter.name] for dial in self.dials if parameter.name in dial.settings)

    @property
    def places(self) -> list[Place]:
        """The knobs that are shown, in their order."""
        return [Place(i, parameter) for i, dial in enumerate(self.dials) for parameter in dial.shown]

    def has(self, parameter: SamplerParameter) -> bool:
        """Whether the engine has such a knob."""
        return self.engine is None or self.engine.has(parameter.name)

    def does(self, dial: Dial) -> bool:
        """Whether a dial has an effect."""
        first = dial.sampler.parameters[0]
        return dial.on and self.has(first) and dial.does(first)

    def turned(self, parameter: SamplerParameter, value: float) -> "Board":
        """The same with a knob at a value, which turns its sampler on."""
        name = next(dial.sampler.name for dial in self.dials if parameter in dial.sampler.parameters)
        return self._with(name, {parameter.name: value}, on=True)

    def switched(self, parameter: SamplerParameter) -> "Board":
        """The same with a knob on, at its usual value, that was off or was not there, or off that was on.
        The temperature stays."""
        if parameter is TAU:
            return self
        dial = next((dial for dial in self.dials if parameter in dial.sampler.parameters), None)
        if dial is None:
            sampler = next(sampler for sampler in SAMPLERS.values() if parameter in sampler.parameters)
            board = replace(self, dials=(*self.dials, Dial.of(sampler)))._ordered(self._order)
            return board._with(sampler.name, {}, on=True)
        before = dict(pairwise(reversed(dial.sampler.parameters))).get(parameter)
        if before is TAU:
            return self.turned(
                parameter, float(parameter.off or 0) if dial.does(parameter) else slider_range(parameter).usual
            )
        if before is not None:
            # It says how another works.
            return self.switched(before)
        # One that was turned to where it does nothing is as good as off.
        on = not (dial.on and dial.does(parameter))
        return self._with(
            dial.sampler.name, {} if dial.does(parameter) else {parameter.name: slider_range(parameter).usual}, on=on
        )

    @property
    def _order(self) -> tuple[str, ...]:
        return tuple(dial.sampler.name for dial in self.dials)

    @property
    def is_movable(self) -> bool:
        """Whether the order is for its user to choose."""
        return self.engine is None or self.engine.reorders

    def moved(self, dial: int, by: int) -> "Board":
        """The same with a dial further on in the chain, or with a negative number further back."""
        dials = list(self.dials)
        to = min(max(dial + by, 0), len(dials) - 1)
        dials.insert(to, dials.pop(dial))
        return replace(self, dials=tuple(dials)) if self.is_movable else self

    def like(self, engine: Engine | None) -> "Board":
        """The same by an engine's rules and in its order."""
        return self if engine is self.engine else replace(self, engine=engine)._ordered()

    def chain(self, biases: Biases = ()) -> Chain | None:
        """The chain; None where the temperature is all there is."""
        doing = [dial for dial in self.dials if self.does(dial)]
        values = {name: value for dial in doing for name, value in dial.settings.items()}
        if self.engine is None and all(dial.shown == [TAU] for dial in doing):
            return None
        order = tuple(dial.sampler for dial in self.dials if self.has(dial.sampler.parameters[0]))
        return chain_of(self.engine, order, [dial.sampler for dial in doing], values).biased(biases)

    @property
    def options(self) -> list[str]:
        """The options that make `tsoft compute` do the same, but for the biases."""
        doing = [dial for dial in self.dials if self.does(dial)]
        words = ["--tau", exact(self.tau)]
        for dial in doing:
            for parameter in dial.shown:
                if parameter not in (TAU, BIAS) and self.has(parameter):
                    words += [parameter.option, exact(dial.settings[parameter.name])]
        if self.engine:
            words += ["--like", self.engine.name]
        order = [dial.sampler.name for dial in doing]
        if order != [dial.sampler.name for dial in self._ordered().dials if self.does(dial)]:
            words += ["--samplers", ";".join(order)]
        return words


def exact(value: float) -> str:
    """A number with every digit that it needs, and no more.

    >>> exact(0.1), exact(40.0), exact(float("-inf"))
    ('0.1', '40', '-inf')
    """
    return repr(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)
