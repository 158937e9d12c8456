"""The line with the likelihood of the text that a model continues."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import work
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from tsoft.core.sequence_likelihood import Likelihood
from tsoft.explorer.likelihood_cache import LikelihoodCache
from tsoft.explorer.live_text import TextStep, WrittenText
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.token_likelihood import measures_line
from tsoft.sampling.distributions import Distributions

# The maximum number of probabilities to compute before the next key, and of tokens. A thread computes more of them.
MAX_PROBS, MAX_STEPS = 1 << 17, 256
# Seconds to wait before the thread computes: the next key may change the settings again.
DELAY = 0.06


class LikelihoodLine(Static):
    """The line: p, the sequence perplexity and ln p of the tokens after the prompt, with the current samplers."""

    @dataclass
    class Computed(Message):
        """A thread has computed the likelihoods of tokens."""

        likelihoods: LikelihoodCache

    def __init__(self) -> None:
        super().__init__(id="likelihood", markup=False)
        self._samplers: SamplerState | None = None
        self._likelihoods: LikelihoodCache | None = None
        self._text = WrittenText((), ())
        self._settings = ""

    def show(
        self,
        texts: Sequence[WrittenText],
        samplers: SamplerState,
        settings: str,
        distributions: Callable[[WrittenText, int], Distributions],
    ) -> None:
        """Show the likelihood of the first of some texts, and compute those of the others.

        `settings` describes the samplers. `distributions` returns the distributions of a row with them, as for
        LikelihoodCache.
        """
        self._text, self._settings = texts[0], settings
        if self._likelihoods is None or samplers != self._samplers:
            self._samplers, self._likelihoods = samplers, LikelihoodCache(distributions)
        steps = [step for text in texts for step in text.steps]
        self._likelihoods.limit(steps)
        missing = self._likelihoods.missing(steps)
        probs = sum(step.text.nexts[step.number].block.logits.size for step in missing)
        if probs <= MAX_PROBS and len(missing) <= MAX_STEPS:
            for step in missing:
                self._likelihoods.compute(step)
        else:
            self._compute(self._likelihoods, missing)
        self._show()

    def likelihood(self, text: WrittenText) -> Likelihood | None:
        """Return the likelihood of one of the texts; None while a thread computes it."""
        return self._likelihoods.text(text.steps) if self._likelihoods else None

    # Without a description, Textual writes one with all labels and logits, which takes long.
    @work(thread=True, exclusive=True, group="likelihood", description="likelihood")
    def _compute(self, likelihoods: LikelihoodCache, missing: list[TextStep]) -> None:
        worker = get_current_worker()
        time.sleep(DELAY)
        for step in missing:
            if worker.is_cancelled:
                return
            likelihoods.compute(step)
        self.post_message(self.Computed(likelihoods))

    def on_likelihood_line_computed(self, message: "LikelihoodLine.Computed") -> None:
        if message.likelihoods is self._likelihoods:
            self._show()

    def on_resize(self) -> None:
        self._show()

    def _show(self) -> None:
        count, likelihood = len(self._text.tokens), self.likelihood(self._text)
        if self.display != bool(count):
            self.display = bool(count)
        if count:
            start = f"text {self._settings}:"
            line = measures_line(start, likelihood, count, self.size.width) if likelihood else f"{start} computing…"
            self.update(line, layout=False)
