"""A chain of samplers: what it leaves of logits, and how, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.measures import entropy
from tsoft.core.samplers import BIAS, TAU, Knob, Limit, NothingLeftError, Sampler, Truncation
from tsoft.core.temperature import Array, log_softmax, log_sum_exp, softmax

if TYPE_CHECKING:
    from tsoft.core.engines import Engine

# Rows of more classes than this go through a chain one by one, so that what is removed early costs
# nothing later.
WIDE = 4096


@dataclass(frozen=True)
class Step:
    """A sampler and what its function is given besides logits."""

    sampler: Sampler
    values: tuple[Any, ...]

    @property
    def settings(self) -> list[tuple[Knob, Any]]:
        """The knobs with what they are set to: not the temperature's, where that is still to come."""
        knobs = self.sampler.knobs
        return list(zip(knobs[len(knobs) - len(self.values) :], self.values, strict=True))

    def __str__(self) -> str:
        """As a person writes it: the knobs after the first are said where they are not off.

        >>> from tsoft.core.samplers import SAMPLERS
        >>> str(Step(SAMPLERS["top_k"], (40,))), str(Step(SAMPLERS["temperature"], (1.0, 0.5, 1.0)))
        ('top_k 40', 'temperature 1 dynatemp_range 0.5')
        """
        words = [self.sampler.name]
        for knob, value in self.settings:
            if knob is BIAS:
                words.append(f"of {len(value)} class{'es' * (len(value) != 1)}")
            elif knob is self.sampler.knobs[0]:
                words.append(f"{value:g}")
            elif value != knob.off or self.sampler.by_chance:
                words.append(f"{knob.name} {value:g}")
        return " ".join(words)


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
    engine: "Engine | None" = None

    def at(self, tau: float) -> tuple[Step, ...]:
        """The steps at a temperature, which an engine may take for greedy decoding."""
        if self.engine and self.engine.is_greedy(tau):
            return self.engine.greedy_steps(self.steps)
        if self.engine:
            tau = max(tau, self.engine.coldest)
        return tuple(
            replace(step, values=(tau, *step.values)) if step.sampler.knobs[0] is TAU else step for step in self.steps
        )

    def biased(self, biases: tuple[tuple[int, float], ...]) -> "Chain":
        """The same with what is added to some classes' logits, each an (index, bias)."""
        steps = (replace(step, values=(biases,)) if step.sampler.knobs[0] is BIAS else step for step in self.steps)
        return replace(self, steps=tuple(steps))

    @property
    def has_temperature(self) -> bool:
        return self._shared < len(self.steps)

    @cached_property
    def _shared(self) -> int:
        """How many steps come before the temperature, the same at every one."""
        return next((i for i, step in enumerate(self.steps) if step.sampler.knobs[0] is TAU), len(self.steps))

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
        branches = tuple(after for branch in branches for after in _apply(step, branch))
    return branches


def _apply(step: Step, branch: Branch) -> tuple[Branch, ...]:
    chance, values = (step.values[0], step.values[1:]) if step.sampler.by_chance else (1.0, step.values)
    if step.sampler.knobs[:1] == (BIAS,):
        # It names classes by their indices.
        branch = replace(branch, logits=branch.whole, columns=None)
    z = step.sampler.function(branch.logits, *values)
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


@dataclass(frozen=True, eq=False)
class Stage:
    """A step on a row z, (n,) logits, between the branches `before` and `after` it. What is told of it is
    worked out when it is asked for. After a sampler that is applied by chance the distribution is the
    mixture, and a class is gone when it is gone from every branch."""

    step: Step
    before: tuple[Branch, ...]
    after: tuple[Branch, ...]
    z: Array

    @cached_property
    def kept(self) -> Array:
        """The classes that are left: (n,) booleans."""
        return left(self.after)

    @cached_property
    def mixture(self) -> Array:
        """Logits of all classes whose softmax is the distribution after it: (n,)."""
        return merged(self.after)

    @property
    def gone(self) -> Array:
        """The indices of the classes that it removes, as given."""
        return np.flatnonzero(left(self.before) & ~self.kept)

    @cached_property
    def removed(self) -> Array:
        """The same, the most probable first."""
        gone = self.gone
        return np.asarray(gone[(-merged(self.before)[gone]).argsort(kind="stable")])

    @cached_property
    def cut(self) -> float:
        """The mass that it takes away."""
        # Each branch has become the one or two that its place in the list says.
        grown = len(self.after) // len(self.before)
        return sum(
            branch.weight * float(softmax(self.before[i // grown].whole)[np.isneginf(branch.whole)].sum())
            for i, branch in enumerate(self.after)
        )

    @cached_property
    def entropy(self) -> float:
        """The distribution's after it, in nats."""
        return float(entropy(self.mixture))

    @cached_property
    def top(self) -> int:
        """The index of the class that is most probable after it."""
        return int(most_probable(self.mixture, self.z))

    @property
    def threshold(self) -> float | None:
        """The number in `keeps`; None where it compares nothing."""
        return self._compared[0]

    @property
    def keeps(self) -> str | None:
        """What a class must be to stay, in words; None where it compares nothing."""
        return self._compared[1]

    @cached_property
    def _compared(self) -> tuple[float | None, str | None]:
        before = self.before[-1].whole
        limit = limit_of(self.step, before)
        threshold, keeps = _threshold(limit, before)
        return threshold, keeps and keeps + ", of ties the first" * bool(limit and limit.splits_tie.any())


# What a score is compared as, where it is a person who reads it.
_KEEPS = {
    "logit": "p ≥ threshold",
    "-logit": "p ≤ threshold",
    "probability": "p ≥ threshold",
    "-|surprise - entropy|": "|-ln p - H| ≤ threshold",
}


def explained(steps: Sequence[Step], z: Array) -> list[Stage]:
    """Each step on a row, (n,) logits.

    >>> from tsoft.core.samplers import SAMPLERS
    >>> [stage] = explained([Step(SAMPLERS["top_k"], (1,))], np.log([0.5, 0.25, 0.25]))
    >>> stage.removed, stage.cut, stage.threshold
    (array([1, 2]), 0.5, 0.5)
    """
    branches = start(np.asarray(z, np.float64))
    stages = []
    for step in steps:
        after = applied([step], branches)
        stages.append(Stage(step, branches, after, z))
        branches = after
    return stages


def most_probable(logits: Array, z: Array) -> Array:
    """The index of the class with the highest of the logits that a chain leaves, (..., n): (...). Of those
    that tie it is the one that is highest in z, most probable at any other temperature."""
    tied = logits == logits.max(-1, keepdims=True)
    return np.asarray(np.where(tied, z, -np.inf).argmax(-1))


def left(branches: tuple[Branch, ...]) -> Array:
    """Which classes any branch has left."""
    return np.asarray(np.logical_or.reduce([branch.whole > -np.inf for branch in branches]))


def limit_of(step: Step, z: Array) -> Limit | None:
    """What a step compares, where it does."""
    function = step.sampler.function
    return function.limit(z, *step.values[step.sampler.by_chance :]) if isinstance(function, Truncation) else None


def _threshold(limit: Limit | None, z: Array) -> tuple[float | None, str | None]:
    """What is compared, as a probability where the score is a logit."""
    if limit is None or np.isinf(limit.least).any():
        return None, None
    least = float(limit.least.item())
    if limit.of == "probability":
        return least, _KEEPS[limit.of]
    value = abs(least)
    if limit.of.endswith("logit"):
        value = float(np.exp((-least if limit.of.startswith("-") else least) - log_sum_exp(z)))
    return value, _KEEPS[limit.of]


def removed_by(stages: Sequence[Stage], classes: int) -> Array:
    """The step that removed each of the n classes, counted from 0, and -1 for those that are left: (n,)."""
    found = np.full(classes, -1)
    for i, stage in enumerate(stages):
        found[stage.gone] = i
    return found
