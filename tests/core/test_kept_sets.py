"""Sets of classes that no sampler can have removed: by draws of the same row, and by those of other rows."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tsoft.core.draw_likelihood import ConditionalDraws
from tsoft.core.kept_sets import DrawnClasses, draws_from_kept_sets


def counted_set(before: list[DrawnClasses], z: Any, taus: tuple[float, ...]) -> tuple[set[int], int]:
    """Return the classes that count if one is drawn from a row after others, and the size of the set that they have."""
    counted, found = set(), set()
    for index in np.flatnonzero(z > -np.inf).tolist():
        sizes = draws_from_kept_sets([*before, DrawnClasses(z, np.array([index]))], taus).sizes[-1]
        if sizes.any():
            counted.add(index)
            found.add(int(sizes.argmax()) + 1)
    assert len(found) <= 1, "the set depends on the draw itself"
    return counted, found.pop() if found else 0


@dataclass(frozen=True)
class Cutoffs:
    """The cutoffs of a server, in an order with the temperature. With `keeps_ties`, top-k and top-p keep all classes
    that tie with the last one, as some engines do; otherwise the first ones in a random order."""

    order: tuple[str, ...]
    tau: float
    k: int
    p: float
    ratio: float
    keeps_ties: bool

    def kept(self, z: Any, random: np.random.Generator) -> Any:
        """Return the logits with -inf for the removed classes."""
        z, tie_break = np.array(z, float), random.random(len(z))
        for name in self.order:
            order = np.lexsort((tie_break, -z))
            probs = np.exp(z[order] - z.max())
            probs /= probs.sum()
            if name == "tau":
                z = z / self.tau
                continue
            if name == "top_k":
                is_kept = np.arange(len(z)) < self.k
            elif name == "top_p":
                is_kept = probs.cumsum() - probs < self.p
            else:
                is_kept = probs >= self.ratio * probs[0]
            is_kept[0] = True
            last = z[order][is_kept].min()
            kept = z >= last if self.keeps_ties else np.isin(np.arange(len(z)), order[is_kept])
            z = np.where(kept, z, -np.inf)
        return z


def random_cutoffs(random: np.random.Generator) -> Cutoffs:
    names = random.permutation(["tau", "top_k", "top_p", "min_p"])[: random.integers(2, 5)]
    return Cutoffs(
        tuple(names.tolist()),
        float(random.choice([0.5, 1.0, 2.0])),
        int(random.integers(2, 7)),
        float(random.uniform(0.5, 1)),
        float(random.uniform(0, 0.5)),
        bool(random.integers(2)),
    )


def random_logits(random: np.random.Generator, classes: int, *, ties: bool) -> Any:
    z = random.normal(0, 1.5, classes)
    z = z.round() if ties and random.integers(2) else z
    z[1:][random.random(classes - 1) < 0.1] = -np.inf
    return z


@pytest.mark.parametrize("ties", [True, False])
def test_a_set_has_only_classes_that_the_samplers_kept(ties: bool) -> None:
    random = np.random.default_rng(ties)
    largest = 0
    for _ in range(20):
        cutoffs = random_cutoffs(random)
        rows: list[DrawnClasses] = []
        for _ in range(random.integers(1, 5)):
            z = random_logits(random, 6, ties=ties)
            kept = cutoffs.kept(z, random)
            counted, size = counted_set(rows, z, (1.0, cutoffs.tau))
            assert (kept[sorted(counted)] > -np.inf).all(), cutoffs
            assert size == len(counted)
            largest = max(largest, size)
            draws = random.choice(np.flatnonzero(kept > -np.inf), random.integers(0, 4))
            rows.append(DrawnClasses(z, draws))
    assert largest >= 3


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize(("rows", "draws"), [(1, 4), (2, 2), (4, 1)])
def test_draws_deviate_from_what_is_expected_in_their_sets_by_0_in_the_mean(rows: int, draws: int, ties: bool) -> None:
    """The mean over all outcomes, each with its probability, of the slope of the likelihood at the true temperature."""
    random = np.random.default_rng([rows, ties])
    informative = 0
    for _ in range(3):
        cutoffs = random_cutoffs(random)
        z = [random_logits(random, 4, ties=ties) for _ in range(rows)]
        kept = [cutoffs.kept(row, random) for row in z]
        tau = cutoffs.tau if "tau" in cutoffs.order else 1.0
        probs = [np.exp((row - row.max()) / tau) * (left > -np.inf) for row, left in zip(z, kept, strict=True)]
        each = [itertools.product(np.flatnonzero(row).tolist(), repeat=draws) for row in probs]
        mean = 0.0
        for outcome in itertools.product(*each):
            chance = np.prod([(p / p.sum())[list(one)] for p, one in zip(probs, outcome, strict=True)])
            given = [DrawnClasses(row, np.array(one)) for row, one in zip(z, outcome, strict=True)]
            found = draws_from_kept_sets(given, (1.0, tau))
            mean += float(chance) * slope(found, tau)
            informative += found.informative
        assert mean == pytest.approx(0, abs=1e-12)
    assert informative


def slope(draws: ConditionalDraws, tau: float) -> float:
    """Return the sum of the gaps of the draws without that of the expected ones."""
    gaps = np.where(draws.gaps < np.inf, draws.gaps, 0.0)
    weights = np.where(draws.gaps < np.inf, np.exp(-gaps / tau), 0.0)
    means = (weights * gaps).cumsum(-1) / weights.cumsum(-1)
    return float((draws.counts * gaps).sum() - (draws.sizes * means).sum())


def test_a_class_that_ties_shows_only_that_those_before_it_are_kept() -> None:
    """A top-k of 2 that keeps ties keeps all classes of the first row, and two of the second one."""
    first = DrawnClasses(np.array([1.0, 0.0, 0.0, 0.0]), np.array([0, 1, 2, 3]))
    counted, _ = counted_set([first], np.array([0.5, 0.4, 0.3, 0.2]), (1.0,))
    assert counted <= {0, 1}
