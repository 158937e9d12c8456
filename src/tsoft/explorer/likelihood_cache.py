"""The likelihood of written texts, whose tokens are computed once."""

from collections.abc import Callable, Iterable

from tsoft.core.sequence_likelihood import Likelihood
from tsoft.errors import UsageError
from tsoft.explorer.live_text import TextChoice, TextStep, WrittenText
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
        # By choice, because a step would keep its whole text in memory.
        self._known: dict[TextChoice, Likelihood] = {}

    def limit(self, steps: Iterable[TextStep]) -> None:
        """Forget all steps but these. A known step keeps its distribution in memory."""
        needed = {step.choice for step in steps}
        for choice in [choice for choice in list(self._known) if choice not in needed]:
            del self._known[choice]

    def missing(self, steps: Iterable[TextStep]) -> list[TextStep]:
        """Return the steps that are not computed yet."""
        return [step for step in steps if step.choice not in self._known]

    def compute(self, step: TextStep) -> None:
        _, index = step.choice
        try:
            self._known[step.choice] = token_likelihood(self._distributions(step.text, step.number), index)
        except (ChainError, UsageError):
            self._known[step.choice] = UNKNOWN

    def text(self, steps: Iterable[TextStep]) -> Likelihood | None:
        """Return the likelihood of the tokens together; None if some are not computed yet."""
        likelihoods = [self._known.get(step.choice) for step in steps]
        known = [likelihood for likelihood in likelihoods if likelihood is not None]
        return product(known) if len(known) == len(likelihoods) else None
