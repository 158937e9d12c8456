"""The tree of the continuations of a text: which tokens can follow, with the likelihood of each branch.

A branch is the path to it: for each of its tokens, the rank among the tokens that can follow, from 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import nan

import numpy as np

from tsoft.core.sequence_likelihood import Likelihood
from tsoft.core.softmax import Array
from tsoft.explorer.live_text import Choice
from tsoft.explorer.token_likelihood import CERTAIN, product, token_likelihood
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.sampling.distributions import Distributions, descending_order

Path = tuple[int, ...]

# The number of tokens that are listed at first, and that are added at once.
LISTED = 10


@dataclass(frozen=True, eq=False)
class BranchToken:
    """The token of a branch after the tokens before it: its number, the index of its class, and its likelihood."""

    number: int
    index: int
    likelihood: Likelihood


@dataclass(frozen=True, eq=False)
class NextTokens:
    """The tokens that can follow a text, the most probable first.

    `next_` is the model's distribution, `distributions` the same one at one temperature after the samplers. A token
    that is masked, that a sampler removes, or whose probability is 0 or unknown, is not among them.
    """

    next_: NextDistribution
    distributions: Distributions

    @cached_property
    def _order(self) -> Array:
        """The indices of the classes. Ties are in the order of the logits."""
        high = self.distributions.log_bounds[1][0, 0]
        possible = np.flatnonzero(high > -np.inf)
        return np.asarray(possible[descending_order(self.next_.block.logits[0, possible], high[possible])])

    def __len__(self) -> int:
        return len(self._order)

    def token(self, rank: int) -> BranchToken:
        if rank not in self._tokens:
            index = int(self._order[rank])
            self._tokens[rank] = BranchToken(
                self.next_.token(index), index, token_likelihood(self.distributions, index)
            )
        return self._tokens[rank]

    @cached_property
    def _tokens(self) -> dict[int, BranchToken]:
        """Tokens by rank, which every change of the tree needs again."""
        return {}

    @property
    def is_complete(self) -> bool:
        """Whether no token can follow that a server does not list."""
        return bool(self.distributions.exact[0])

    def rest_prob(self, count: int) -> float:
        """Return the total probability of the tokens after the first `count`; NaN if a server does not list them."""
        return float(self.distributions.probs[0, 0, self._order[count:]].sum()) if self.is_complete else nan


@dataclass(frozen=True, eq=False)
class BranchLine:
    """A branch on a line. `token` is its last one, `likelihood` that of all its tokens together."""

    path: Path
    token: BranchToken
    likelihood: Likelihood


@dataclass(frozen=True, eq=False)
class MoreLine:
    """The `count` tokens that can follow a branch but are not listed yet, with their total probability.

    The probability is NaN if a server does not list all tokens that can follow.
    """

    path: Path
    count: int
    prob: float


TreeLine = BranchLine | MoreLine


@dataclass(frozen=True, eq=False)
class ContinuationTree:
    """The tree. Its root, the empty path, is the end of a text.

    `known` has the tokens that can follow some branches. An open branch that is not known is waiting for the model.
    `listed` is the number of listed tokens after a branch; LISTED if it is missing.
    """

    known: Mapping[Path, NextTokens] = field(default_factory=dict)
    open: frozenset[Path] = frozenset([()])
    listed: Mapping[Path, int] = field(default_factory=dict)

    def with_next(self, path: Path, next_tokens: NextTokens) -> "ContinuationTree":
        """Return the tree with the tokens that can follow a branch."""
        return replace(self, known={**self.known, path: next_tokens})

    def opened(self, path: Path) -> "ContinuationTree":
        return replace(self, open=self.open | {path})

    def closed(self, path: Path) -> "ContinuationTree":
        return replace(self, open=self.open - {path})

    def with_more(self, path: Path) -> "ContinuationTree":
        """Return the tree with more listed tokens after a branch."""
        return replace(self, listed={**self.listed, path: self._listed(path) + LISTED})

    def _listed(self, path: Path) -> int:
        return min(self.listed.get(path, LISTED), len(self.known[path]))

    def is_waiting(self, path: Path) -> bool:
        return path in self.open and path not in self.known

    def branch(self, path: Path) -> list[BranchToken]:
        """Return the tokens of a branch."""
        return [self.known[path[:depth]].token(rank) for depth, rank in enumerate(path)]

    def tokens(self, path: Path) -> Tokens:
        return tuple(token.number for token in self.branch(path))

    def likelihood(self, path: Path) -> Likelihood:
        """Return the likelihood of the tokens of a branch together."""
        return product(token.likelihood for token in self.branch(path))

    def choices(self, path: Path) -> list[Choice]:
        """Return the tokens of a branch as choices, with the distributions that are known."""
        return [
            Choice(token.index, float(np.exp(token.likelihood.listed[0])), self._next(path[:depth]))
            for depth, token in enumerate(self.branch(path), 1)
        ]

    def _next(self, path: Path) -> NextDistribution | None:
        return self.known[path].next_ if path in self.known else None

    @cached_property
    def lines(self) -> tuple[TreeLine, ...]:
        """The listed tokens after the open branches, each followed by those after it."""
        lines: list[TreeLine] = []
        # Not recursive, because a branch may have more tokens than Python allows nested calls.
        unfinished = [self._lines_after((), CERTAIN)]
        while unfinished:
            line = next(unfinished[-1], None)
            if line is None:
                unfinished.pop()
                continue
            lines.append(line)
            if isinstance(line, BranchLine):
                unfinished.append(self._lines_after(line.path, line.likelihood))
        return tuple(lines)

    def _lines_after(self, path: Path, likelihood: Likelihood) -> Iterator[TreeLine]:
        """Yield the lines of the tokens after a branch with this likelihood."""
        if path not in self.open or path not in self.known:
            return
        next_tokens, listed = self.known[path], self._listed(path)
        for rank in range(listed):
            token = next_tokens.token(rank)
            yield BranchLine((*path, rank), token, likelihood + token.likelihood)
        count = len(next_tokens) - listed
        if count or not next_tokens.is_complete:
            yield MoreLine(path, count, next_tokens.rest_prob(listed))
