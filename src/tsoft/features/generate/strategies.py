"""The decoding strategies that the options select, for a model and a prompt."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tsoft.core.draw import generator
from tsoft.models.decoding import (
    BEAM,
    GREEDY,
    SAMPLE,
    BeamSearch,
    SequenceDecoder,
    Strategy,
    greedy_token,
    token_sampler,
)
from tsoft.models.generated_text import GeneratedText, TextLimits
from tsoft.models.model import Model
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.notes import note
from tsoft.options.models import text_history
from tsoft.options.plan import Plan
from tsoft.options.response_notes import response_notes
from tsoft.options.temperatures import parsed_temperatures
from tsoft.sampling.chain import Chain

# The random stream of a text. Other streams are for draws and counts of a row.
STREAM = 2


class PromptedModel:
    """A model and a prompt.

    The model is called once, because only a distribution shows whether the plan fits the model.
    """

    def __init__(self, model: Model, prompt: str, plan: Plan):
        self.model, self.prompt = model, prompt
        self._taus = parsed_temperatures(plan.taus)
        self._listed_masses: list[float] = []
        self._noted: set[str] = set()
        self._start = GeneratedText(model.prompt(prompt))
        [self.first] = self.next([self._start.all_tokens])
        if self.first.block.partial is not None:
            # A server lists only some tokens, and different ones at each step.
            plan = replace(plan, biases=tuple(replace(bias, in_file=True) for bias in plan.biases))
        self._plan = plan
        self._history = text_history(model, len(self._start.all_tokens), plan)

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """Return the distributions after the texts."""
        distributions = self.model.next(texts)
        for caveat in filter(None, (distribution.caveat for distribution in distributions)):
            if caveat not in self._noted:
                self._noted.add(caveat)
                note(caveat)
        for partial in (distribution.block.partial for distribution in distributions):
            if partial is not None:
                self._listed_masses.append(min(1.0, partial.mass))
                for kind, sentence in response_notes(partial):
                    if kind not in self._noted:
                        self._noted.add(kind)
                        note(f"token alternatives: {sentence}")
        return distributions

    def limits(self, max_tokens: int, stops: tuple[bytes, ...], alternatives: int) -> TextLimits:
        """Return the limits of a text: at most `max_tokens`, and no more than the context has room for."""
        model = self.model
        if model.context_length is not None:
            room = model.context_length - len(self._start.all_tokens) + 1
            if room < max_tokens:
                note(f"the model's context of {model.context_length} tokens has room for only {room} after the prompt")
            max_tokens = min(max_tokens, room)
        return TextLimits(model.piece, model.ends, max_tokens, stops, alternatives)

    def sampling(self, limits: TextLimits, count: int, seed: int) -> list[Strategy]:
        """Return the strategies that sample with each chain at each temperature.

        All use the same random numbers. A larger count only adds texts.
        """
        if not self._plan.chains:
            return []
        chains = self._chains(self.first, self._start)
        if self._plan.has_chain:
            self._plan.note(self.first.block, chains, self._taus)
        return [
            Strategy(
                SAMPLE, [self._sampled(limits, tau, i, generator(seed, n, STREAM)) for n in range(count)], tau, chain
            )
            for i, chain in enumerate(chains)
            for tau in self._taus.tolist()
        ]

    def _chains(self, next_: NextDistribution, text: GeneratedText) -> tuple[Chain | None, ...]:
        """Return the chains for the distribution after a text."""
        history = self._history.before(next_, text.all_tokens) if self._plan.needs_history else None
        return self._plan.chains_for(next_.block, history)

    def _sampled(self, limits: TextLimits, tau: float, i: int, random: np.random.Generator) -> SequenceDecoder:
        return SequenceDecoder(
            self._start, token_sampler(tau, lambda next_, text: self._chains(next_, text)[i], random), limits
        )

    def searches(self, limits: TextLimits, greedy: bool, beams: int | None, length_penalty: float) -> list[Strategy]:
        """Return the strategies that search for the most probable text."""
        strategies = [Strategy(GREEDY, [SequenceDecoder(self._start, greedy_token, limits)])] if greedy else []
        if beams is not None:
            beam_search = BeamSearch(self._start, beams, length_penalty, limits)
            strategies.append(Strategy(BEAM, [beam_search], width=beams))
        return strategies

    def note_listed_mass(self) -> None:
        """Print a note on how much of the probability the server listed."""
        if self._listed_masses:
            smallest, mean = (
                f"{np.floor(mass * 1e4) / 1e2:.4g} %"
                for mass in (min(self._listed_masses), np.mean(self._listed_masses))
            )
            listed = f"at least {smallest} and on average {mean} of the probability at τ = 1"
            note(f"tsoft chooses each token among the alternatives that the server lists: {listed}")
