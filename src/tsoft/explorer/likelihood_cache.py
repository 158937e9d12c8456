"""The likelihood of written texts, whose tokens are computed once."""

from collections.abc import Callable, Iterable

from tsoft.core.sequence_likelihood import Likelihood
from tsoft.errors import UsageError
from tsoft.explorer.live_text import TextStep, WrittenText
from tsoft.explorer.token_likelihood import UNKNOWN, product, token_likelihood
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.step import ChainError


class LikelihoodCache:
    """The likelihood of texts at one temperature after some samplers.

    `distributions` returns the distributions of a row of a text with these. It raises ChainError or UsageError if the
    samplers cannot be applied to it. The likelihood is unknown then.
    """

    def __init__(self, distributions: Callable[[WrittenText, int], Distributions]):
        self._distributions = distributions
        self._known: dict[TextStep, Likelihood] = {}

    def limit(self, steps: Iterable[TextStep]) -> None:
        """Forget all steps but these. A known step keeps its distribution in memory."""
        needed = set(steps)
        for step in [step for step in list(self._known) if step not in needed]:
            del self._known[step]

    def missing(self, steps: Iterable[TextStep]) -> list[TextStep]:
        """Return the steps that are not computed yet."""
        return [step for step in steps if step not in self._known]

    def compute(self, step: TextStep) -> None:
        try:
            self._known[step] = token_likelihood(self._distributions(step.text, step.number), step.index)
        except (ChainError, UsageError):
            self._known[step] = UNKNOWN

    def text(self, steps: Iterable[TextStep]) -> Likelihood | None:
        """Return the likelihood of the tokens together; None if some are not computed yet."""
        likelihoods = list(map(self._known.get, steps))
        known = [likelihood for likelihood in likelihoods if likelihood is not None]
        return product(known) if len(known) == len(likelihoods) else None
