"""What a chain of samplers leaves of a block at each temperature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tsoft.core import measures
from tsoft.core.block import Block
from tsoft.core.measures import MEASURES
from tsoft.core.softmax import Array, log_softmax, log_sum_exp, softmax

if TYPE_CHECKING:
    from tsoft.core.sequence_likelihood import ChosenToken
    from tsoft.sampling.chain import Chain
    from tsoft.sampling.explanation import Stage


@dataclass(frozen=True, eq=False)
class Distributions:
    """A block's distributions over a list of k temperatures, as a chain of samplers leaves them where
    there is one. Probabilities are (k, rows, n), measures (k, rows), each worked out when it is first
    asked for. `beside` is what several chains leave, this one's too, where they are compared; `chosen` is
    what becomes of the token that a server drew, where that is asked for."""

    block: Block
    taus: Array
    chain: "Chain | None" = None
    beside: "tuple[Distributions, ...]" = ()
    chosen: "ChosenToken | None" = None

    # The names of its measures.
    measured: ClassVar[tuple[str, ...]] = MEASURES

    @property
    def engine(self) -> str | None:
        """The name of the engine whose rules the chain has, where it is one's."""
        return self.chain.engine.name if self.chain and self.chain.engine else None

    @cached_property
    def _tempered(self) -> tuple[Array, Array | float]:
        """Logits and the temperatures at which their softmax is the distribution."""
        if self.chain is None:
            return self.block.logits, self.taus
        return self.chain.logits(self.block.logits, self.taus, self.block.first_row), 1.0

    def row(self, r: int) -> "Distributions":
        """One of the rows, with what has been worked out for all of them."""
        part = replace(self, block=self.block.part(r, r + 1))
        if self.chain:
            part.__dict__.update(_tempered=(self._tempered[0][:, r : r + 1], 1.0), probs=self.probs[:, r : r + 1])
        return part

    def compared(self, beside: "tuple[Distributions, ...]") -> "Distributions":
        """The same with what it is compared with."""
        result = replace(self, beside=beside)
        known = ("_tempered", "probs")
        result.__dict__.update({name: self.__dict__[name] for name in known if name in self.__dict__})
        return result

    @cached_property
    def probs(self) -> Array:
        return self._evenly(softmax)

    @cached_property
    def bounds(self) -> tuple[Array, Array] | None:
        """The least and the most that each probability can be of all classes, where the block is what was
        given of them and no chain stands between: (k, 1, n) each. None is more than among the listed."""
        if self.log_bounds is None:
            return None
        low, high = map(np.exp, self.log_bounds)
        return np.minimum(low, self.probs), np.minimum(high, self.probs)

    @cached_property
    def log_bounds(self) -> tuple[Array, Array] | None:
        """The logarithms of the bounds, also where these are too small for a number."""
        if self.block.partial is None or self.chain is not None:
            return None
        low, high = (bound[:, np.newaxis] for bound in self.block.partial.log_bounds(self.taus))
        return np.minimum(low, self.log_probs), np.minimum(high, self.log_probs)

    @cached_property
    def log_probs(self) -> Array:
        return self._evenly(log_softmax)

    def _evenly(self, function: Callable[[Array, Array | float], Array]) -> Array:
        """A function of each row, of its own classes alone where the rows differ in length: to sum what is
        masked, too, would round another way."""
        logits, taus = self._tempered
        widths = self.block.widths
        if widths is None:
            return function(logits, taus)
        result = np.zeros((len(self.taus), *logits.shape), logits.dtype)
        for width in np.unique(widths).tolist():
            alike = widths == width
            result[:, alike, :width] = function(logits[alike, :width], taus)
        return result

    @cached_property
    def kept(self) -> Array:
        """Which classes are not masked and not removed: (k, rows, n) booleans."""
        kept = self._tempered[0] > -np.inf
        return np.broadcast_to(kept, (len(self.taus), *self.block.logits.shape))

    @cached_property
    def without_chain(self) -> "Distributions":
        """What the temperatures alone make of the block."""
        return replace(self, chain=None)

    def stages(self, t: int, r: int) -> "list[Stage]":
        """What each step of the chain does to a row at a temperature; none without a chain."""
        if self.chain is None:
            return []
        if (t, r) not in self._stages:
            from tsoft.sampling.explanation import explain

            self._stages[t, r] = explain(self.chain.at(float(self.taus[t])), self.block.logits[r])
        return self._stages[t, r]

    @cached_property
    def _stages(self) -> "dict[tuple[int, int], list[Stage]]":
        """Those that have been worked out: a table, an explanation and a comparison all ask for them."""
        return {}

    @cached_property
    def entropy(self) -> Array:
        return measures.entropy(*self._tempered)

    @cached_property
    def perplexity(self) -> Array:
        return np.exp(self.entropy)

    @cached_property
    def top(self) -> Array:
        """The index of each row's most probable class: (k, rows). Of classes that tie it is the one
        with the highest logit, which is most probable at any other temperature."""
        logits, _ = self._tempered
        if self.chain is None:
            return np.broadcast_to(measures.top(logits), (len(self.taus), len(logits)))
        return measures.most_probable(logits, self.block.logits)

    @cached_property
    def top_prob(self) -> Array:
        return measures.top_prob(*self._tempered)

    @cached_property
    def margin(self) -> Array:
        return measures.margin(*self._tempered)

    @cached_property
    def log_sum_exp(self) -> Array:
        """Over every class at the temperature, whatever a chain removes: the partition function's."""
        return log_sum_exp(self.block.logits, self.taus)


def falling(logits: Array, probs: Array) -> Array:
    """The indices of a row's classes, the most probable first; those that are alike by logit, and then
    as given.

    >>> falling(np.array([1.0, 3.0, 2.0]), np.array([0.0, 0.0, 1.0]))
    array([2, 1, 0])
    """
    order = (-logits).argsort(kind="stable")
    return np.asarray(order[(-probs[order]).argsort(kind="stable")])


def highest(results: "Sequence[Distributions]", row: int) -> Array:
    """The highest probability of each class of a row in any result at any temperature: (n,)."""
    return np.asarray(np.max([result.probs[:, row].max(0) for result in results], axis=0))


def ranked(results: "Sequence[Distributions]", row: int) -> tuple[Array, Array]:
    """A row's classes, the most probable first, by what the results give them or would without a chain;
    and which of them any result keeps: each (n,)."""
    alone = [result.without_chain for result in results[:1] if result.chain]
    order = falling(results[0].block.logits[row], highest([*results, *alone], row))
    return order, np.logical_or.reduce([result.kept[:, row].any(0) for result in results])


def unit(measure: str, bits: bool) -> float:
    """What a measure's numbers are divided by to be written: entropies are in nats, or in bits.

    >>> round(unit("entropy", bits=True), 4), unit("margin", bits=True)
    (0.6931, 1.0)
    """
    return float(np.log(2)) if measure == "entropy" and bits else 1.0
