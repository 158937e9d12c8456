"""The distributions of a block at each temperature, after a chain of samplers if there is one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tsoft.core import measures
from tsoft.core.block import Block
from tsoft.core.measures import MEASURES
from tsoft.core.softmax import Array, log_softmax, log_sum_exp, softmax
from tsoft.frozen import frozen
from tsoft.sampling.step import AllRemovedError

if TYPE_CHECKING:
    from tsoft.core.sequence_likelihood import ChosenToken
    from tsoft.sampling.chain import Chain
    from tsoft.sampling.explanation import Stage


@frozen(eq=False)
class Distributions:
    """The distributions of a block at k temperatures, after a chain of samplers if there is one.

    Probabilities are (k, rows, n), measures (k, rows), each computed on first use. If several chains are
    compared, `compared_with` are the results of all of them, including this one. `chosen_token` is the
    likelihood of the token that a server drew, if requested.
    """

    block: Block
    taus: Array
    chain: "Chain | None" = None
    compared_with: "tuple[Distributions, ...]" = ()
    chosen_token: "ChosenToken | None" = None

    measure_names: ClassVar[tuple[str, ...]] = MEASURES

    @property
    def engine(self) -> str | None:
        """The name of the engine whose rules the chain applies, None for tsoft's rules."""
        return self.chain.engine.name if self.chain and self.chain.engine else None

    @cached_property
    def _tempered(self) -> tuple[Array, Array | float]:
        """Logits and the temperatures at which their softmax is the distribution."""
        if self.chain is None:
            return self.block.logits, self.taus
        return self.chain.logits(self.block.logits, self.taus, self.block.first_row), 1.0

    @cached_property
    def _measured(self) -> tuple[Array, Array | float]:
        """Logits and temperatures for the measures: those of `_tempered`, perhaps without masked classes."""
        return self._tempered

    def row(self, r: int) -> "Distributions":
        """Return the distributions of one row. The chain, which is applied to all rows at once, is not applied
        again."""
        result = replace(self, block=self.block.part(r, r + 1))
        if self.chain:
            result.__dict__.update(_tempered=(self._tempered[0][:, r : r + 1], 1.0), probs=self.probs[:, r : r + 1])
        return result

    def with_comparison(self, results: "tuple[Distributions, ...]") -> "Distributions":
        """Return the same distributions with other results for comparison."""
        result = replace(self, compared_with=results)
        known = ("_tempered", "probs")
        result.__dict__.update({name: self.__dict__[name] for name in known if name in self.__dict__})
        return result

    def with_stages(self) -> "Distributions":
        """Return the same distributions, of one row at one temperature, with the effect of each step. The chain is
        applied once for both."""
        if self.chain is None:
            return self
        result = replace(self)
        try:
            stages = result.stages(0, 0)
        except AllRemovedError as error:
            raise self.chain.located(error, self.block.first_row) from None
        logits = stages[-1].merged_logits if stages else self.block.logits[0].astype(np.float64)
        result.__dict__.update(_tempered=(logits[np.newaxis, np.newaxis], 1.0))
        kept = np.flatnonzero(logits > -np.inf)
        if 2 <= len(kept) < len(logits) / 2:
            # Masked classes take time, and only the margin of a single class depends on them.
            result.__dict__.update(_measured=(logits[np.newaxis, np.newaxis, kept], 1.0))
        return result

    @cached_property
    def probs(self) -> Array:
        return self._by_width(softmax)

    @property
    def exact(self) -> Array:
        """Whether the probabilities are known exactly, and not only among the classes that a response lists: (k,)."""
        return np.ones(len(self.taus), bool)

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Bounds on each probability among all classes, (k, rows, n) each, NaN if unknown."""
        return self.probs, self.probs

    @property
    def log_bounds(self) -> tuple[Array, Array]:
        """The logarithms of the bounds, which do not underflow."""
        return self.log_probs, self.log_probs

    @property
    def undecided(self) -> Array:
        """The classes of which it is not known whether a chain keeps them: (k, rows, n) booleans."""
        return np.broadcast_to(False, (len(self.taus), *self.block.logits.shape))

    @cached_property
    def log_probs(self) -> Array:
        return self._by_width(log_softmax)

    def log_probs_among(self, indices: Array | slice) -> Array:
        """Return the logarithms of the probabilities among some of the classes: (k, rows, len(indices))."""
        logits, taus = self._tempered
        return log_softmax(logits[..., indices], taus)

    def _by_width(self, function: Callable[[Array, Array | float], Array]) -> Array:
        """Apply a function to each row without its padding. The sum with the masked padding would be rounded
        differently."""
        logits, taus = self._tempered
        widths = self.block.widths
        if widths is None:
            return function(logits, taus)
        result = np.zeros((len(self.taus), *logits.shape), logits.dtype)
        for width in np.unique(widths).tolist():
            same_width = widths == width
            result[:, same_width, :width] = function(logits[same_width, :width], taus)
        return result

    @cached_property
    def kept(self) -> Array:
        """The classes that are neither masked nor removed: (k, rows, n) booleans."""
        kept = self._tempered[0] > -np.inf
        return np.broadcast_to(kept, (len(self.taus), *self.block.logits.shape))

    @cached_property
    def without_chain(self) -> "Distributions":
        """The distributions at the same temperatures without samplers."""
        return replace(self, chain=None)

    def stages(self, t: int, r: int) -> "list[Stage]":
        """Return the effect of each step of the chain on a row at a temperature; empty without a chain."""
        if self.chain is None:
            return []
        if (t, r) not in self._stages:
            from tsoft.sampling.explanation import explain

            self._stages[t, r] = explain(self.chain.at(float(self.taus[t])), self.block.logits[r])
        return self._stages[t, r]

    @cached_property
    def _stages(self) -> "dict[tuple[int, int], list[Stage]]":
        """A cache, because a table, an explanation and a comparison use the same stages."""
        return {}

    @cached_property
    def entropy(self) -> Array:
        return measures.entropy(*self._measured)

    @cached_property
    def perplexity(self) -> Array:
        return np.exp(self.entropy)

    @cached_property
    def top(self) -> Array:
        """The index of each row's most probable class: (k, rows). If classes tie, it is the one with the highest
        logit, which is the most probable at any other temperature."""
        logits, _ = self._tempered
        if self.chain is None:
            return np.broadcast_to(measures.top(logits), (len(self.taus), len(logits)))
        return measures.most_probable(logits, self.block.logits)

    @cached_property
    def top_prob(self) -> Array:
        return measures.top_prob(*self._measured)

    @cached_property
    def margin(self) -> Array:
        return measures.margin(*self._measured)

    @cached_property
    def varentropy(self) -> Array:
        return measures.varentropy(*self._measured)

    @cached_property
    def log_sum_exp(self) -> Array:
        """The logarithm of the partition function over all classes, including those that a chain removes."""
        return log_sum_exp(self.block.logits, self.taus)


def descending_order(logits: Array, probs: Array) -> Array:
    """Return the indices of a row's classes, the most probable first; ties by logit, then by index.

    >>> descending_order(np.array([1.0, 3.0, 2.0]), np.array([0.0, 0.0, 1.0]))
    array([2, 1, 0])
    """
    order = (-logits).argsort(kind="stable")
    return np.asarray(order[(-probs[order]).argsort(kind="stable")])


def max_probs(results: "Sequence[Distributions]") -> Array:
    """Return the highest probability of each class of the first row over all results and temperatures: (n,)."""
    return np.asarray(np.max([result.probs[:, 0].max(0) for result in results], axis=0))


def ranked_classes(results: "Sequence[Distributions]") -> tuple[Array, Array]:
    """Return the classes of the first row, the most probable first, by their highest probability in any result or
    without a chain, and whether any result keeps each class: (n,) each."""
    without_chain = [result.without_chain for result in results[:1] if result.chain]
    order = descending_order(results[0].block.logits[0], max_probs([*results, *without_chain]))
    return order, np.logical_or.reduce([result.kept[:, 0].any(0) for result in results])


def measure_unit(measure: str, bits: bool) -> float:
    """Return the unit in which a measure is shown: ln 2 nats for an entropy in bits, its square for a varentropy,
    else 1.

    >>> [round(measure_unit(measure, bits=True), 4) for measure in ("entropy", "varentropy", "margin")]
    [0.6931, 0.4805, 1.0]
    """
    powers = {"entropy": 1, "varentropy": 2}
    return float(np.log(2) ** powers.get(measure, 0)) if bits else 1.0
