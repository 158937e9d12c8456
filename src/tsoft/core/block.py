"""What flows from a reader through the core to a writer."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tsoft.core import measures
from tsoft.core.temperature import Array, log_softmax, log_sum_exp, softmax

if TYPE_CHECKING:
    from tsoft.core.boltzmann import Ensemble
    from tsoft.core.chain import Chain, Stage
    from tsoft.core.given import Given
    from tsoft.core.text import Chosen


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that share their labels. `logits` is (rows, n); `labels`, where there are any, are n
    strings that may repeat or be empty; `first_row` counts from 0 over the whole input.
    `labels_vary` says that another block may have other labels; `quantity` is what the numbers
    were before they became logits. Where the input is an array, `axes` are those of all its rows, as
    (2, 3) of an array of shape (2, 3, classes), and `by_columns` says that it is in Fortran order. Rows
    that differ in length have `widths`, how many classes each has, and what is beyond is masked: only who
    asks for such a block gets one (see `even`). `targets`, (rows,), are the indices of the rows' true classes,
    where these were asked for and came with the rows. A block of one row may be what was `given` of a
    distribution; one of energies has an `ensemble` where their thermodynamics are asked for. For messages
    there are the `source`, and where it has lines those of the rows."""

    logits: Array
    labels: tuple[str, ...] | None = None
    first_row: int = 0
    labels_vary: bool = False
    quantity: str = "logit"
    axes: tuple[int, ...] | None = None
    by_columns: bool = False
    widths: Array | None = None
    targets: Array | None = None
    source: str = ""
    lines: Sequence[int] | None = None
    given: "Given | None" = None
    ensemble: "Ensemble | None" = None

    @property
    def names(self) -> list[str]:
        """What the classes are called, each by a name that no other has. Tokens stand in quotes, in which
        their blanks are seen."""
        return class_names(self.labels, self.logits.shape[1], quoted=self.given is not None)

    @property
    def place(self) -> str:
        """Where the first row stands, for messages."""
        if self.lines is not None:
            return f"{self.source}:{self.lines[0]}"
        return self.source or f"row {self.first_row}"

    @property
    def rows(self) -> range:
        return range(self.first_row, self.first_row + len(self.logits))

    def part(self, first: int, stop: int) -> "Block":
        """Some of the block's rows, counted from its first."""
        lines = None if self.lines is None else self.lines[first:stop]
        source = self.source if lines is not None or first == 0 else ""
        part = replace(
            self,
            logits=self.logits[first:stop],
            first_row=self.first_row + first,
            targets=None if self.targets is None else self.targets[first:stop],
            lines=lines,
            source=source,
        )
        if self.widths is None:
            return part
        widths = self.widths[first:stop]
        most = int(widths.max())
        return replace(part, logits=part.logits[:, :most], widths=widths if widths.min() < most else None)

    def even(self) -> "Iterator[Block]":
        """The same in blocks whose rows have the same length."""
        if self.widths is None:
            yield self
            return
        bounds = [0, *(np.flatnonzero(np.diff(self.widths)) + 1).tolist(), len(self.widths)]
        yield from (self.part(first, stop) for first, stop in itertools.pairwise(bounds))


# The measures by the names that records and headers give them, and those that energies have besides.
MEASURES = ("entropy", "perplexity", "top_prob", "margin", "log_sum_exp")
THERMODYNAMICS = ("log_z", "free_energy", "mean_energy", "heat_capacity")


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
    chosen: "Chosen | None" = None

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
        given of them and no chain stands between: (k, 1, n) each. None is more than among the given."""
        if self.log_bounds is None:
            return None
        low, high = map(np.exp, self.log_bounds)
        return np.minimum(low, self.probs), np.minimum(high, self.probs)

    @cached_property
    def log_bounds(self) -> tuple[Array, Array] | None:
        """The logarithms of the bounds, also where these are too small for a number."""
        if self.block.given is None or self.chain is not None:
            return None
        low, high = (bound[:, np.newaxis] for bound in self.block.given.log_bounds(self.taus))
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
            from tsoft.core.chain import explained

            self._stages[t, r] = explained(self.chain.at(float(self.taus[t])), self.block.logits[r])
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
        from tsoft.core.chain import most_probable

        return most_probable(logits, self.block.logits)

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


def distributions_of(block: Block, taus: Array, chain: "Chain | None" = None) -> Distributions:
    """A block's distributions, with their thermodynamics where it has an ensemble."""
    if block.ensemble is None:
        return Distributions(block, taus, chain)
    from tsoft.core.boltzmann import BoltzmannDistributions

    return BoltzmannDistributions(block, taus, chain)


# A piece holds about so many probabilities.
PIECE = 1 << 21


def distributions(block: Block, taus: Array, chains: "Sequence[Chain | None]" = (None,)) -> Iterator[Distributions]:
    """The distributions of a block, row by row and each at every temperature of every chain, in pieces
    that fit in memory however many rows, classes and temperatures there are."""
    classes = block.logits.shape[1]
    step = max(1, PIECE // (classes * len(taus) * len(chains)))
    for first in range(0, len(block.logits), step):
        rows = block.part(first, first + step)
        at_once = len(taus) if classes * len(taus) <= PIECE else max(1, PIECE // classes)
        if at_once == len(taus):
            found = [distributions_of(rows, taus, chain) for chain in chains]
            yield from found if len(found) == 1 else _by_row(found)
        else:
            # A chain after the other, as in a piece that holds all temperatures.
            for i in range(len(chains)):
                for t in range(0, len(taus), at_once):
                    yield by_chain(rows, taus[t : t + at_once], chains)[i]


def _by_row(found: Sequence[Distributions]) -> Iterator[Distributions]:
    """What several chains leave, each row beside itself. The chains run on all rows at once."""
    for r in range(len(found[0].block.logits)):
        yield from beside([result.row(r) for result in found])


def beside(found: Sequence[Distributions]) -> list[Distributions]:
    """The results of several chains, each of which knows all."""
    return list(found) if len(found) == 1 else [result.compared(tuple(found)) for result in found]


def by_chain(block: Block, taus: Array, chains: "Sequence[Chain | None]") -> list[Distributions]:
    """A block's distributions as each of the chains leaves them, beside each other."""
    return beside([distributions_of(block, taus, chain) for chain in chains])


def class_names(labels: tuple[str, ...] | None, count: int, *, quoted: bool = False) -> list[str]:
    """A name for each class that no other has: its label where that is its own, else with its
    index, which always names a class. With `quoted`, labels stand in quotes, escaped as in Python.

    >>> class_names(("cat", "?", "?", ""), 4)
    ['cat', '?#1', '?#2', '#3']
    >>> class_names(None, 2)
    ['#0', '#1']
    >>> print(*class_names((" cat", "", "\\n", "cat", "cat"), 5, quoted=True))
    ' cat' '' '\\n' 'cat'#3 'cat'#4
    """
    if labels is None:
        return [f"#{i}" for i in range(count)]
    seen: dict[str, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    if quoted:
        return [repr(label) if seen[label] == 1 else f"{label!r}#{i}" for i, label in enumerate(labels)]
    own = [seen[label] == 1 and bool(label.strip()) and not _is_index(label) for label in labels]
    return [label if its_own else f"{label}#{i}" for i, (label, its_own) in enumerate(zip(labels, own, strict=True))]


def _is_index(label: str) -> bool:
    return label[:1] == "#" and label[1:].isdigit()
