"""A chain of samplers, and its result for rows of logits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, Protocol

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array, softmax
from tsoft.sampling.engine import Engine
from tsoft.sampling.history import History
from tsoft.sampling.mixture import Mixture, is_wide
from tsoft.sampling.sampler_table import SAMPLERS, Sampler
from tsoft.sampling.step import AllRemovedError, RawLogitsError, Step


class MergedMixture(Protocol):
    """A whole or a partial distribution within a chain."""

    @property
    def merged_logits(self) -> Array:
        """Logits whose softmax is the distribution."""


class DrawnStage(Protocol):
    """The distribution before a step and after it."""

    @property
    def before(self) -> MergedMixture: ...

    @property
    def after(self) -> MergedMixture: ...


@dataclass(frozen=True)
class Chain:
    """A sequence of samplers. The temperature's step has the values (range, exponent), to which `at` adds
    the temperature. `engine` is the engine whose rules apply, None for tsoft's rules."""

    steps: tuple[Step, ...]
    engine: Engine | None = None

    def at(self, tau: float) -> tuple[Step, ...]:
        """Return the steps at a temperature. At a low temperature, an engine may decode greedily."""
        if self.engine and self.engine.is_greedy(tau):
            return self.engine.greedy_steps(self.steps)
        if self.engine:
            tau = max(tau, self.engine.min_tau)
        return tuple(
            self._tempered(step, i, tau) if step.sampler.is_temperature else step for i, step in enumerate(self.steps)
        )

    def _tempered(self, step: Step, place: int, tau: float) -> Step:
        """Return the temperature's step, at a place in the chain, with a temperature."""
        needs_constant = any(later.raw_settings for later in self.steps[place + 1 :])
        sampler = step.sampler.unshifted if needs_constant else step.sampler
        return replace(step, sampler=sampler, values=(tau, *step.values))

    def biased(self, biases: tuple[tuple[int, float], ...]) -> "Chain":
        """Return the same chain with biases, pairs (index, bias), in its bias step. An engine may limit them."""
        if self.engine:
            biases = tuple((index, self.engine.applied_bias(bias)) for index, bias in biases)
        steps = (replace(step, values=(biases,)) if step.sampler.is_bias else step for step in self.steps)
        return replace(self, steps=tuple(steps))

    def with_history(self, history: History) -> "Chain":
        """Return the same chain with the history, in the steps that need it."""
        steps = (replace(step, history=history) if step.sampler.needs_history else step for step in self.steps)
        return replace(self, steps=tuple(steps))

    @property
    def needs_history(self) -> bool:
        return any(step.sampler.needs_history for step in self.steps)

    @property
    def has_state(self) -> bool:
        """Whether a draw changes a step."""
        return any(step.sampler.state for step in self.steps)

    @property
    def states(self) -> tuple[Any, ...]:
        """The values that draws change, one per step with a state."""
        return tuple(step.values[-1] for step in self.steps if step.sampler.state)

    @property
    def named_states(self) -> dict[str, float]:
        """The values that draws change, by the names of the parameters."""
        return {
            parameter.name: step.sampler.initial(step.values[0], step.values[-1])
            for step in self.steps
            if (parameter := step.sampler.state_parameter)
        }

    def with_states(self, states: Sequence[Any]) -> "Chain":
        """Return the same chain with other values of its `states`."""
        remaining = iter(states)
        steps = (
            replace(step, values=(*step.values[:-1], next(remaining))) if step.sampler.state else step
            for step in self.steps
        )
        return replace(self, steps=tuple(steps))

    def after_draw(self, stages: "Sequence[DrawnStage]", index: int) -> "Chain":
        """Return the chain after a draw of the class `index`, by the effect of each step on the distribution that it
        was drawn from.

        If a step or one before it removes the class, it was chosen without that step, whose state stays.

        >>> from tsoft.sampling.explanation import explain
        >>> chain = Chain((Step(SAMPLERS["mirostat"], (1.0, 0.5, None)),))
        >>> str(chain.after_draw(explain(chain.steps, np.log([0.5, 0.5])), 0).steps[0])
        'mirostat 1 mirostat_eta 0.5 mirostat_mu 2'
        """
        # Greedy decoding has other steps, which change no state.
        if not self.has_state or len(stages) != len(self.steps):
            return self
        states = []
        for step, stage in zip(self.steps, stages, strict=True):
            if update := step.sampler.next_state:
                mixtures = (stage.before, stage.after)
                before, after = (float(softmax(mixture.merged_logits)[index]) for mixture in mixtures)
                states.append(update(step.values, before, after) if after else step.values[-1])
        return self.with_states(states)

    def require_raw_logits(self, block: Block) -> None:
        """Raise RawLogitsError if a step needs the raw logits, and the block or the steps before it do not have them.

        >>> from tsoft.core.block import Origin
        >>> chain = Chain((Step(SAMPLERS["soft_cap"], (30,)),))
        >>> chain.require_raw_logits(Block(np.zeros((1, 2)), origin=Origin("prob")))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tsoft.sampling.step.RawLogitsError: row 0: soft_cap 30 needs the raw logits, but probabilities determine ...
        """
        for i, step in enumerate(self.steps):
            if not step.raw_settings:
                continue
            row, name = block.first_row, step.sampler.name
            if quantity := block.quantity_without_constant:
                reason = f"{quantity} determine them only up to a constant"
                names = " and ".join(parameter.name for parameter in step.raw_settings)
                raise RawLogitsError(row, step, reason, f"remove {names}, or pass the model's logits")
            shifting = (before.sampler for before in self.steps[:i] if before.sampler.shifts_logits)
            if shift := next((sampler.name for sampler in shifting if not sampler.is_temperature), None):
                fix = f"list {name} before {shift} in the order of the samplers"
                raise RawLogitsError(row, step, f"{shift}, which precedes it, subtracts the highest logit", fix)

    @property
    def has_temperature(self) -> bool:
        return self._prefix_length < len(self.steps)

    @cached_property
    def _prefix_length(self) -> int:
        """The number of steps before the temperature, which are the same at every temperature."""
        return next((i for i, step in enumerate(self.steps) if step.sampler.is_temperature), len(self.steps))

    def logits(self, z: Array, taus: Array, first_row: int = 0) -> Array:
        """Return the result for z, (rows, n), at each of k temperatures: (k, rows, n) float64 logits whose softmax
        at temperature 1 is the distribution to draw from.

        Raise AllRemovedError if a step removes every class of a row; rows are counted from `first_row`.
        """
        z = np.asarray(z, np.float64)
        result = np.full((len(taus), *z.shape), -np.inf)
        one_by_one = is_wide(z)
        for row in range(len(z)) if one_by_one else [0]:
            rows = row if one_by_one else slice(None)
            try:
                for t, mixture in enumerate(self._mixtures(z[rows], taus.tolist())):
                    mixture.write(result[t, rows])
            except AllRemovedError as error:
                raise self.located(error, first_row + row) from None
        return result

    def located(self, error: AllRemovedError, first_row: int) -> AllRemovedError:
        """Return an error of rows that start at `first_row`, with the number of its row and the engine of its step."""
        step = f"{error.step} of {self.engine.name}" if self.engine else error.step
        return AllRemovedError(error.row + first_row, step)

    def _mixtures(self, z: Array, taus: list[float]) -> Iterator[Mixture]:
        """Yield the mixture after all steps at each temperature. The steps before the temperature are applied once."""
        prefix = self.steps[: self._prefix_length]
        after_prefix: Mixture | None = None
        for tau in taus:
            steps = self.at(tau)
            if steps[: len(prefix)] != prefix:
                yield reduce(Mixture.apply, steps, Mixture(z[np.newaxis]))
                continue
            after_prefix = after_prefix or reduce(Mixture.apply, prefix, Mixture(z[np.newaxis]))
            yield reduce(Mixture.apply, steps[len(prefix) :], after_prefix)


def chain_of(
    engine: Engine | None,
    order: tuple[Sampler, ...] | None,
    active: Sequence[Sampler],
    values: Mapping[str, float | None],
) -> Chain:
    """Return the chain of the `active` samplers by the rules of an engine, or by tsoft's if `engine` is None.

    If `order` is None, or the engine's order is fixed, the engine's order applies. In other engines, some samplers keep
    their place. Biases are first unless the order
    includes them, and samplers without parameters, which are always on, follow those that they follow in the engine.
    `values` are the parameters' values by name; other parameters are off, and an engine may have other values that
    switch a sampler off. The biases and the temperature are set later.

    >>> str(chain_of(None, None, [SAMPLERS["top_k"]], {"top_k": 40}).steps[0])
    'top_k 40'
    """
    rules = _rules(engine, active, values)
    names = [*rules] if order is None or (engine and not engine.reorders) else _completed(order, rules, engine)
    is_active = {sampler.name for sampler in active}
    samplers = (rules[name] for name in names if name in rules)
    steps = (
        Step(sampler, _values(sampler, values))
        for sampler in samplers
        if not sampler.parameters or (sampler.name in is_active and is_on(sampler, values))
    )
    return Chain(tuple(steps), engine)


def is_on(sampler: Sampler, values: Mapping[str, float | None]) -> bool:
    """Return whether the values of the parameters switch a sampler on. Biases and the temperature are always on."""
    if sampler.is_bias or sampler.is_temperature:
        return True
    return any(values.get(switch.name, switch.off) != switch.off for switch in sampler.switch_parameters)


def _rules(engine: Engine | None, active: Sequence[Sampler], values: Mapping[str, float | None]) -> dict[str, Sampler]:
    """Return the samplers by name in the order of the engine, which may depend on the active ones."""
    if engine is None:
        return dict(SAMPLERS)
    names = {sampler.name for sampler in active}
    on = [sampler.name for sampler in engine.samplers if sampler.name in names and is_on(sampler, values)]
    return {sampler.name: sampler for sampler in engine.applied(on)}


def _completed(order: tuple[Sampler, ...], rules: Mapping[str, Sampler], engine: Engine | None) -> list[str]:
    """Return the names in an order, as far as the engine allows it, with the biases and the samplers without
    parameters."""
    names = [sampler.name for sampler in order]
    names = engine.ordered(names) if engine else names
    names = ["logit_bias"] * ("logit_bias" not in names) + names
    ranks = {name: rank for rank, name in enumerate(rules)}
    for name in (sampler.name for sampler in rules.values() if not sampler.parameters):
        places = (i for i, other in enumerate(names) if ranks.get(other, 0) > ranks[name])
        names.insert(next(places, len(names)), name)
    return names


def _values(sampler: Sampler, values: Mapping[str, float | None]) -> tuple[float | None, ...]:
    """Return the values of a step, to which the biases and the temperature are added later."""
    parameters = sampler.parameters[sampler.is_bias or sampler.is_temperature :]
    return tuple(values.get(parameter.name, parameter.off) for parameter in parameters)
