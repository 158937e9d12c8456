"""Logits within a chain of samplers, and the effect of one step on them."""

from dataclasses import dataclass, replace

import numpy as np

from tsoft.core.softmax import Array, log_softmax
from tsoft.sampling.step import AllRemovedError, Step

# The number of classes above which a row passes through a chain alone.
WIDE_ROW = 4096


def is_wide(z: Array) -> bool:
    """Return whether the rows of z, (..., n), should pass through a chain one by one, so that removed classes cost
    nothing in the steps that follow."""
    return bool(z.shape[-1] > WIDE_ROW)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Logits within a chain: the components of a mixture distribution, with their `weights`.

    A sampler that is applied at random splits each component into two: without the sampler and with it.
    `logits` are (components, ..., n). For a single row they may be only those of its `columns`, which include
    every remaining class; the row has `classes` classes.
    """

    logits: Array
    weights: tuple[float, ...] = (1.0,)
    columns: Array | None = None
    classes: int = 0

    @property
    def full_logits(self) -> Array:
        """The logits of all classes: (components, ..., n)."""
        if self.columns is None:
            return self.logits
        full = np.full((*self.logits.shape[:-1], self.classes), -np.inf, self.logits.dtype)
        full[..., self.columns] = self.logits
        return full

    @property
    def merged_logits(self) -> Array:
        """Logits whose softmax is the mixture distribution: (..., n)."""
        if len(self.weights) == 1:
            return np.asarray(self.full_logits[0])
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights).reshape(-1, *[1] * (self.logits.ndim - 1))
        return np.asarray(np.logaddexp.reduce(log_weights + log_softmax(self.full_logits)))

    def write(self, out: Array) -> None:
        """Write the logits of the remaining classes into `out`, (..., n), whose numbers are -inf."""
        if self.columns is not None and len(self.weights) == 1:
            out[..., self.columns] = self.logits[0]
        else:
            out[...] = self.merged_logits

    @property
    def kept(self) -> Array:
        """The classes that remain in any component: (..., n) booleans."""
        return np.asarray((self.full_logits > -np.inf).any(0))

    @property
    def kept_count(self) -> int:
        """The number of classes that remain in any component, over all rows."""
        return int(np.count_nonzero((self.logits > -np.inf).any(0)))

    def apply(self, step: Step) -> "Mixture":
        """Return the mixture after a step. Raise AllRemovedError if the step removes every class of a row."""
        needs_all = step.sampler.uses_indices or step.sampler.counts_masked
        before = replace(self, logits=self.full_logits, columns=None) if needs_all else self
        if not step.sampler.can_remove:
            return replace(before, logits=apply_step(step, before.logits))
        chance = step.values[0] if step.sampler.at_random else 1.0
        if chance == 1 and step.sampler.has_cutoff:
            after = before._without(~step.sampler.function(before.logits, *step.arguments).kept)
        else:
            after = replace(before, logits=apply_step(step, before.logits))
        is_empty = np.atleast_1d(np.isneginf(after.logits.max(-1)).any(0))
        if is_empty.any():
            raise AllRemovedError(int(is_empty.argmax()), str(step))
        if chance == 1:
            return after
        weights = tuple(weight * share for share in (1 - chance, chance) for weight in self.weights)
        return replace(before, logits=np.concatenate([before.logits, after.logits]), weights=weights)

    def _without(self, removed: Array) -> "Mixture":
        """Return the mixture without the removed classes, (components, ..., n) booleans. If most of a wide row are
        removed in each component, only the columns of the others remain."""
        is_one_row = self.logits.ndim == 2
        remaining = np.flatnonzero(~removed.all(0)) if is_one_row and is_wide(self.logits) else None
        if remaining is None or 2 * len(remaining) > self.logits.shape[-1]:
            return replace(self, logits=np.where(removed, -np.inf, self.logits).astype(self.logits.dtype, copy=False))
        columns = remaining if self.columns is None else self.columns[remaining]
        narrow = replace(
            self, logits=self.logits[:, remaining], columns=columns, classes=self.classes or self.logits.shape[-1]
        )
        return narrow._without(removed[:, remaining])


def apply_step(step: Step, z: Array) -> Array:
    """Return the logits, (..., n), after a step that is applied with certainty. The arithmetic is in the dtype of z.

    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> apply_step(Step(SAMPLERS["top_k"], (1,)), np.array([2.0, 1.0]))
    array([  2., -inf])
    """
    result = step.sampler.function(z, *step.arguments)
    return np.asarray(result.apply(z) if step.sampler.has_cutoff else result)
