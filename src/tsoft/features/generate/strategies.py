"""From what was asked for to the ways that a model's texts are made in."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.draw import generator
from tsoft.models.decoding import (
    BEAM,
    GREEDY,
    SAMPLE,
    BeamSearch,
    GeneratedText,
    SequenceDecoder,
    Strategy,
    TextLimits,
    greedy_token,
    token_sampler,
)
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.notes import note
from tsoft.options import logits
from tsoft.options.plan import Plan
from tsoft.options.responses import sentences

if TYPE_CHECKING:
    from tsoft.models.model import Model

# The stream of what is drawn of a text: beside those of a row's draws and counts.
TEXT = 2


class Asked:
    """A model, and the prompt that it is asked to go on from. Whether what was asked for can be done is known
    once it has been asked the first time."""

    def __init__(self, model: "Model", prompt: str, plan: Plan):
        self.model, self.prompt = model, prompt
        self._taus = logits.temperatures(plan.taus)
        self._masses: list[float] = []
        self._said: set[str] = set()
        self.start = GeneratedText(model.prompt(prompt))
        [self.first] = self.next([self.start.all_tokens])
        if self.first.block.partial is not None:
            # A server gives few of its tokens, and others at each step.
            plan = replace(plan, biases=tuple(replace(bias, in_file=True) for bias in plan.biases))
        self._plan = plan

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """What comes after each text."""
        found = self.model.next(texts)
        for given in (next_.block.partial for next_ in found):
            if given is not None:
                self._masses.append(min(1.0, given.mass))
                for kind, sentence in sentences(given):
                    if kind not in self._said:
                        self._said.add(kind)
                        note(f"of a token: {sentence}")
        return found

    def limits(self, most: int, stops: tuple[bytes, ...], alternatives: int) -> TextLimits:
        """How long a text may be: as many tokens as are asked for, if the model has room for them."""
        model = self.model
        if model.context_length is not None:
            room = model.context_length - len(self.start.all_tokens) + 1
            if room < most:
                note(f"the model's context of {model.context_length} tokens has room for {room} after the prompt")
            most = min(most, room)
        return TextLimits(model.piece, model.ends, most, stops, alternatives)

    def samples(self, limits: TextLimits, count: int, seed: int) -> list[Strategy]:
        """The ways that draw: by each chain at each temperature. Each temperature has the same random
        numbers, and the first texts of many are those of few."""
        if not self._plan.chains:
            return []
        if self._plan.chains != (None,):
            from tsoft.options.chain_notes import say

            say(self._plan, self.first.block, self._taus, set())
        return [
            Strategy(SAMPLE, [self._walk(limits, tau, i, generator(seed, n, TEXT)) for n in range(count)], tau, chain)
            for i, chain in enumerate(self._plan.of(self.first.block))
            for tau in self._taus.tolist()
        ]

    def _walk(self, limits: TextLimits, tau: float, i: int, random: np.random.Generator) -> SequenceDecoder:
        return SequenceDecoder(self.start, token_sampler(tau, lambda block: self._plan.of(block)[i], random), limits)

    def decoders(self, limits: TextLimits, greedy: bool, width: int | None, penalty: float) -> list[Strategy]:
        """The ways that look for the most probable text."""
        strategies = [Strategy(GREEDY, [SequenceDecoder(self.start, greedy_token, limits)])] if greedy else []
        if width is not None:
            strategies.append(Strategy(BEAM, [BeamSearch(self.start, width, penalty, limits)], width=width))
        return strategies

    def say(self) -> None:
        """Notes how much of the probability a server's alternatives hold, among which all was chosen."""
        if self._masses:
            least, mean = (
                f"{np.floor(share * 1e4) / 1e2:.4g} %" for share in (min(self._masses), np.mean(self._masses))
            )
            among = "each token is chosen among the alternatives that the server gives"
            note(f"{among}, which hold at least {least} and on average {mean} of the probability at τ = 1")
