"""A chain of samplers: what it leaves of logits, and how, step by step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tsoft.core.softmax import Array, log_softmax
from tsoft.sampling.engines import Engine
from tsoft.sampling.errors import NothingLeftError
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler
from tsoft.sampling.step import Step

# Rows of more classes than this go through a chain one by one, so that what is removed early costs
# nothing later.
WIDE = 4096


@dataclass(frozen=True, eq=False)
class Branch:
    """Logits as they are with this probability: a sampler that is applied by chance makes two of one.
    They are (rows, n), or of one row, (n,), those of the `columns` alone, which hold all that is left."""

    weight: float
    logits: Array
    columns: Array | None = None
    classes: int = 0

    @property
    def whole(self) -> Array:
        """The logits of all classes."""
        if self.columns is None:
            return self.logits
        whole = np.full(self.classes, -np.inf, self.logits.dtype)
        whole[self.columns] = self.logits
        return whole

    @property
    def left(self) -> "Branch":
        """The same without the columns that are removed, where they are most of a wide row."""
        if self.logits.ndim > 1 or len(self.logits) <= WIDE:
            return self
        left = np.flatnonzero(self.logits > -np.inf)
        if 2 * len(left) > len(self.logits):
            return self
        columns = left if self.columns is None else self.columns[left]
        return replace(self, logits=self.logits[left], columns=columns, classes=self.classes or len(self.logits))


def start(z: Array) -> tuple[Branch, ...]:
    """Logits, (rows, n) or (n,), before any step."""
    return (Branch(1.0, z),)


@dataclass(frozen=True)
class Chain:
    """Samplers in their order. `steps` hold the temperature's as (range, exponent), to which each
    temperature is added. `engine` is the one whose rules these are, None for tsoft's own."""

    steps: tuple[Step, ...]
    engine: Engine | None = None

    def at(self, tau: float) -> tuple[Step, ...]:
        """The steps at a temperature, which an engine may take for greedy decoding."""
        if self.engine and self.engine.is_greedy(tau):
            return self.engine.greedy_steps(self.steps)
        if self.engine:
            tau = max(tau, self.engine.coldest)
        return tuple(
            replace(step, values=(tau, *step.values)) if step.sampler.parameters[0] is TAU else step
            for step in self.steps
        )

    def biased(self, biases: tuple[tuple[int, float], ...]) -> "Chain":
        """The same with what is added to some classes' logits, each an (index, bias)."""
        steps = (replace(step, values=(biases,)) if step.sampler.parameters[0] is BIAS else step for step in self.steps)
        return replace(self, steps=tuple(steps))

    @property
    def has_temperature(self) -> bool:
        return self._shared < len(self.steps)

    @cached_property
    def _shared(self) -> int:
        """How many steps come before the temperature, the same at every one."""
        return next((i for i, step in enumerate(self.steps) if step.sampler.parameters[0] is TAU), len(self.steps))

    def logits(self, z: Array, taus: Array, first_row: int = 0) -> Array:
        """What is left of z, (rows, n), at each of k temperatures: (k, rows, n) float64 logits whose
        softmax at temperature 1 is the distribution that is drawn from.

        Raises NothingLeftError where a row, counted from `first_row`, has no class left.
        """
        z = np.asarray(z, np.float64)
        found = np.empty((len(taus), *z.shape))
        wide = z.shape[1] > WIDE
        for row in range(len(z)) if wide else [0]:
            at = row if wide else slice(None)
            try:
                self._fill(start(z[at]), taus.tolist(), [out[at] for out in found])
            except NothingLeftError as error:
                what = f"{error.what} of {self.engine.name}" if self.engine else error.what
                raise NothingLeftError(error.row + row + first_row, what) from None
        return found

    def _fill(self, branches: tuple[Branch, ...], taus: list[float], found: list[Array]) -> None:
        """Each temperature's logits in its place; the steps before the temperature are taken once."""
        first = self.steps[: self._shared]
        shared: tuple[Branch, ...] | None = None
        for tau, out in zip(taus, found, strict=True):
            steps = self.at(tau)
            if steps[: len(first)] != first:
                out[...] = merged(applied(steps, branches))
                continue
            shared = applied(first, branches) if shared is None else shared
            out[...] = merged(applied(steps[len(first) :], shared))


def applied(steps: Sequence[Step], branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
    """The branches after all steps."""
    for step in steps:
        branches = apply(step, step.sampler.function, branches)
    return branches


def apply(step: Step, function: Callable[..., Array], branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
    """The branches after one step, by that function."""
    return tuple(after for branch in branches for after in _apply(step, function, branch))


def _apply(step: Step, function: Callable[..., Array], branch: Branch) -> tuple[Branch, ...]:
    chance, values = (step.values[0], step.values[1:]) if step.sampler.by_chance else (1.0, step.values)
    if step.sampler.parameters[:1] == (BIAS,):
        # It names classes by their indices.
        branch = replace(branch, logits=branch.whole, columns=None)
    z = function(branch.logits, *values)
    empty = np.atleast_1d(np.isneginf(z.max(-1)))
    if empty.any():
        raise NothingLeftError(int(empty.argmax()), str(step))
    with_it = replace(branch, weight=branch.weight * chance, logits=z).left
    return (with_it,) if chance == 1 else (replace(branch, weight=branch.weight * (1 - chance)), with_it)


def merged(branches: tuple[Branch, ...]) -> Array:
    """Logits of all classes, whose softmax is the mixture of the branches'."""
    if len(branches) == 1:
        return branches[0].whole
    with np.errstate(divide="ignore"):
        logs = [np.log(branch.weight) + log_softmax(branch.whole) for branch in branches]
    return np.asarray(np.logaddexp.reduce(logs))


def left(branches: tuple[Branch, ...]) -> Array:
    """Which classes any branch has left."""
    return np.asarray(np.logical_or.reduce([branch.whole > -np.inf for branch in branches]))


def chain_of(
    engine: Engine | None, order: tuple[Sampler, ...] | None, on: Sequence[Sampler], values: Mapping[str, float]
) -> "Chain":
    """The chain of the samplers that are `on`, by an engine's rules or by tsoft's own, where `order` is None
    in their order too; biases come first where no place is given to them. `values` are the knobs' by name, off
    where there is none: the biases and the temperature itself come later.

    >>> str(chain_of(None, None, [SAMPLERS["top_k"]], {"top_k": 40}).steps[0])
    'top_k 40'
    """
    rules = {sampler.name: sampler for sampler in (engine.samplers if engine else SAMPLERS.values())}
    order = tuple(SAMPLERS[name] for name in rules) if order is None else order
    biased = [sampler for sampler in on if sampler.parameters[0] is BIAS and sampler not in order]
    names = {sampler.name for sampler in on}

    def step(sampler: Sampler) -> Step:
        parameters = [parameter for parameter in sampler.parameters if parameter is not TAU and parameter is not BIAS]
        return Step(sampler, tuple(values.get(parameter.name, parameter.off) for parameter in parameters))

    steps = (step(rules[sampler.name]) for sampler in (*biased, *order) if sampler.name in names)
    return Chain(tuple(steps), engine)
