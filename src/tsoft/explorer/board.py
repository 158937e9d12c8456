"""The knobs as they are set: which samplers, in which order, by whose rules, with which values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from tsoft.core.chain import Chain
from tsoft.core.engines import Engine, chain_of
from tsoft.core.samplers import BIAS, SAMPLERS, TAU, Knob, Sampler

Biases = tuple[tuple[int, float], ...]

TEMPERATURE = next(sampler for sampler in SAMPLERS.values() if sampler.knobs[0] is TAU)


@dataclass(frozen=True)
class Dial:
    """A sampler with its knobs' values. That of the biases has none: what they are is not turned."""

    sampler: Sampler
    values: tuple[float, ...]
    on: bool = False

    @classmethod
    def of(cls, sampler: Sampler) -> "Dial":
        """One that is off, at the usual values. The temperature's companions are at those that do nothing."""
        if sampler.knobs[0] is BIAS:
            return cls(sampler, ())
        if sampler.knobs[0] is TAU:
            return cls(sampler, (TAU.usual, *(float(knob.off or 0) for knob in sampler.knobs[1:])), on=True)
        return cls(sampler, tuple(knob.usual for knob in sampler.knobs))

    @property
    def settings(self) -> dict[str, float]:
        """The values by their knobs' names."""
        return dict(zip((knob.name for knob in self.sampler.knobs), self.values, strict=False))

    @property
    def shown(self) -> list[Knob]:
        """The knobs that can be turned. One that says how another works is there while that is on, and the
        temperature's own companion while it does something itself."""
        first = self.sampler.knobs[0]
        pairs = pairwise(self.sampler.knobs) if self.on else ()
        return [first, *(knob for other, knob in pairs if self.does(knob if other is TAU else other))]

    def does(self, knob: Knob) -> bool:
        """Whether a knob is not where it changes nothing."""
        return knob is BIAS or self.settings[knob.name] != knob.off


class Place(NamedTuple):
    """A knob on the board: the number of its dial, and itself."""

    dial: int
    knob: Knob


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
        common = [sampler.name for sampler in SAMPLERS.values() if sampler.common]
        dials = tuple(Dial.of(SAMPLERS[name]) for name in dict.fromkeys([*set_, *common]))
        board = cls(dials, chain.engine if chain else None)
        for name, step in set_.items():
            values = {knob.name: float(value) for knob, value in step.settings if knob is not BIAS}
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

    def value(self, knob: Knob) -> float:
        return next(dial.settings[knob.name] for dial in self.dials if knob.name in dial.settings)

    @property
    def places(self) -> list[Place]:
        """The knobs that are shown, in their order."""
        return [Place(i, knob) for i, dial in enumerate(self.dials) for knob in dial.shown]

    def has(self, knob: Knob) -> bool:
        """Whether the engine has such a knob."""
        return self.engine is None or self.engine.has(knob.name)

    def does(self, dial: Dial) -> bool:
        """Whether a dial has an effect."""
        first = dial.sampler.knobs[0]
        return dial.on and self.has(first) and dial.does(first)

    def turned(self, knob: Knob, value: float) -> "Board":
        """The same with a knob at a value, which turns its sampler on."""
        name = next(dial.sampler.name for dial in self.dials if knob in dial.sampler.knobs)
        return self._with(name, {knob.name: value}, on=True)

    def switched(self, knob: Knob) -> "Board":
        """The same with a knob on, at its usual value, that was off or was not there, or off that was on.
        The temperature stays."""
        if knob is TAU:
            return self
        dial = next((dial for dial in self.dials if knob in dial.sampler.knobs), None)
        if dial is None:
            sampler = next(sampler for sampler in SAMPLERS.values() if knob in sampler.knobs)
            board = replace(self, dials=(*self.dials, Dial.of(sampler)))._ordered(self._order)
            return board._with(sampler.name, {}, on=True)
        before = dict(pairwise(reversed(dial.sampler.knobs))).get(knob)
        if before is TAU:
            return self.turned(knob, float(knob.off or 0) if dial.does(knob) else knob.usual)
        if before is not None:
            # It says how another works.
            return self.switched(before)
        # One that was turned to where it does nothing is as good as off.
        on = not (dial.on and dial.does(knob))
        return self._with(dial.sampler.name, {} if dial.does(knob) else {knob.name: knob.usual}, on=on)

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
        order = tuple(dial.sampler for dial in self.dials if self.has(dial.sampler.knobs[0]))
        return chain_of(self.engine, order, [dial.sampler for dial in doing], values).biased(biases)

    @property
    def options(self) -> list[str]:
        """The options that make `tsoft compute` do the same, but for the biases."""
        doing = [dial for dial in self.dials if self.does(dial)]
        words = ["--tau", exact(self.tau)]
        for dial in doing:
            for knob in dial.shown:
                if knob not in (TAU, BIAS) and self.has(knob):
                    words += [knob.option, exact(dial.settings[knob.name])]
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
