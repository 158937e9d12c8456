"""What the log-probabilities of a server show: a row for each prompt, the noise, and the kind of the numbers."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.features.audit.evidence import ROUNDING
from tsoft.features.audit.server.first_tokens import FirstToken, known_row
from tsoft.features.audit.server.probes import Probe, Purpose, ServerProbes
from tsoft.input.json_values import is_index

# Two numbers differ if their distance exceeds this many times the noise. The noise is the largest difference among only
# a few repetitions, so larger ones are possible.
_FACTOR = 3.0
# Tokens with the same text have log-probabilities that differ by more than this.
_SAME = 0.02
# A larger change of a log-probability between requests is no noise: the server has computed another distribution.
_MOVED = 0.1


@dataclass(frozen=True)
class ListKind:
    """Whether log-probabilities come after the temperature, and after the cutoffs; None if unknown.

    They may not change with the temperature because they come before it, or because the server ignores it.
    """

    is_tempered: bool | None
    is_cut: bool | None

    @property
    def text(self) -> str:
        """The kind in words.

        >>> ListKind(False, False).text, ListKind(True, None).text
        ('raw', 'tempered')
        """
        if self.is_tempered is None:
            return "unknown"
        cut = ["tempered"] * self.is_tempered + ["truncated"] * bool(self.is_cut)
        return " and ".join(cut) or "raw"


class ListedRows:
    """The lists of log-probabilities among the probes of a server."""

    def __init__(self, probes: ServerProbes):
        self._probes = probes

    @cached_property
    def lists(self) -> dict[int, FirstToken]:
        """The list of each prompt, by its index: the longest one, if possible one that no sampler has cut, and among
        equals the one to which most draws belong."""
        lists: dict[int, FirstToken] = {}
        for prompt, tokens in self._all_lists.items():
            draws = self._draws(prompt)
            lists[prompt] = max(tokens, key=lambda token: self._rank(token, draws))
        return lists

    @cached_property
    def _all_lists(self) -> dict[int, list[FirstToken]]:
        lists = defaultdict[int, list[FirstToken]](list)
        for probe in self._probes.answered(Purpose.LIST):
            if probe.token.block is not None:
                lists[probe.prompt].append(probe.token)
        return dict(sorted(lists.items()))

    def _rank(self, token: FirstToken, draws: list[FirstToken]) -> tuple[bool, int, int]:
        return not token.is_cut, token.size, sum(self.is_same_state(token, draw) for draw in draws)

    @property
    def moved_prompts(self) -> list[int]:
        """The prompts most of whose draws come from another distribution than the listed one."""
        shares = {
            prompt: np.mean([self.is_same_state(token, draw) for draw in self._draws(prompt)] or [True])
            for prompt, token in self.lists.items()
        }
        return [prompt for prompt, share in shares.items() if share < 0.5]

    def is_same_state(self, token: FirstToken, draw: FirstToken) -> bool:
        """Return whether a draw comes from a listed distribution: whether the most probable tokens have the same
        log-probabilities. The drawn token does not count, so that the answer does not depend on the draw. True unless
        the log-probabilities are raw, because it is then unknown.
        """
        if self.kind.text != "raw" or draw.block is None:
            return True
        listed = token.comparable
        differences = [
            listed[label] - number
            for label, number in draw.logprobs.items()
            if label != draw.label and label in listed and isfinite(number) and isfinite(listed[label])
        ]
        if token.is_keyed:
            # A longer list may have a less probable token with the same text.
            differences = [max(0.0, difference) for difference in differences]
        differences = [abs(difference) for difference in differences]
        return max(differences, default=0.0) <= max(_MOVED, _FACTOR * self.noise)

    @cached_property
    def rows(self) -> dict[int, Block]:
        """The distribution of each prompt over the labels that can be recognized in a draw, by the prompt's index."""
        rows = {
            prompt: known_row(token.block, self._other_numbers(prompt), with_parts=self._shows_parts)
            for prompt, token in self.lists.items()
            if token.block is not None
        }
        return {prompt: row for prompt, row in rows.items() if row is not None}

    def _other_numbers(self, prompt: int) -> dict[str, float]:
        """Return the log-probabilities, by label, of tokens that draws show and that share a listed label. Only lists
        that are keyed by text lack such tokens."""
        listed = self.lists[prompt]
        numbers: dict[str, float] = {}
        for token in self._draws(prompt) if listed.is_keyed else ():
            number = listed.logprobs.get(token.label, np.nan)
            drawn = listed.top - self.untempered(token)
            if abs(number - drawn) > _FACTOR * self.noise + _SAME and self.is_same_state(listed, token):
                numbers[token.label] = max(drawn, numbers.get(token.label, -np.inf))
        return numbers

    @cached_property
    def _shows_parts(self) -> bool:
        """Whether draws show which part of a character they are: the lists mark them, since the text is U+FFFD."""
        return all(token.is_marked for draw in self._probes.answered(Purpose.DRAW) for token in draw.tokens)

    def untempered(self, draw: FirstToken) -> float:
        """Return how far a token that was drawn with the settings of the user is below the most probable one, at
        temperature 1; NaN if that is unknown."""
        if not self.kind.is_tempered:
            return draw.gap
        return np.nan if self._probes.settings.tau is None else draw.gap * self._probes.settings.tau

    def _draws(self, prompt: int) -> list[FirstToken]:
        draws = [probe for probe in self._probes.answered(Purpose.DRAW) if probe.prompt == prompt]
        return [token for draw in draws for token in draw.tokens]

    @property
    def size(self) -> int:
        """The number of log-probabilities in the shortest list: others may have the drawn token in addition."""
        lists = [
            token
            for prompt, tokens in self._all_lists.items()
            for token in tokens
            if token.is_cut == self.lists[prompt].is_cut
        ]
        return min((token.size for token in lists), default=0)

    @property
    def requested(self) -> int:
        """The highest number of log-probabilities that were requested."""
        return max((_requested(probe) for probe in self._probes.probes if probe.purpose == Purpose.LIST), default=0)

    @property
    def cut(self) -> dict[int, FirstToken]:
        """The lists that a sampler has cut, by prompt."""
        return {prompt: token for prompt, token in self.lists.items() if token.is_cut}

    @cached_property
    def noise(self) -> float:
        """The largest difference of a log-probability between a repetition of one request and the most similar other
        one, at least ROUNDING. Repetitions of another distribution do not count, if there are others."""
        near = [distance for distance in self._nearest if distance <= _MOVED]
        return max(ROUNDING, *(near if len(near) > 1 else self._nearest), 0.0)

    @property
    def moved(self) -> int:
        """The number of repetitions that have another distribution."""
        near = sum(distance <= _MOVED for distance in self._nearest)
        return len(self._nearest) - near if near > 1 else 0

    @cached_property
    def _nearest(self) -> list[float]:
        """The difference of each repetition from the most similar other one."""
        tokens = self._repetitions
        return [
            min((_largest(_shared(token, other)) for other in tokens if other is not token), default=0.0)
            for token in tokens
        ]

    @cached_property
    def _repetitions(self) -> list[FirstToken]:
        return [probe.token for probe in self._probes.answered(Purpose.REPEAT) if probe.token.block is not None]

    @property
    def repetitions(self) -> int:
        """The number of repetitions from which the noise is known."""
        return len(self._repetitions)

    @cached_property
    def kind(self) -> ListKind:
        """Whether the log-probabilities come after the temperature and after the cutoffs."""
        first = self._all_lists.get(0, [])
        bases = self._repetitions and [*self._repetitions, *first]
        others = [probe for probe in self._probes.answered(Purpose.COLDER, Purpose.HOTTER) if probe.token.block]
        cuts = [probe.token for probe in self._probes.answered(Purpose.CUT) if probe.token.block]
        if not bases or not others:
            return ListKind(None, None)
        answers = {self._is_tempered(bases, probe) for probe in others}
        return ListKind(answers.pop() if len(answers) == 1 else None, self._is_cut(bases, cuts[0]) if cuts else None)

    def _is_tempered(self, bases: list[FirstToken], probe: Probe) -> bool | None:
        """Return whether the differences of log-probabilities scale by 1 / τ (True) or stay the same (False).

        None if they do neither, or if they are too small to tell.
        """
        tau = float(probe.request["temperature"])
        tolerance = _FACTOR * self.noise * max(1.0, tau)
        pairs = [tuple(map(_gaps, _shared(base, probe.token))) for base in bases]
        if max(np.abs(gaps).max(initial=0.0) for gaps, _ in pairs) * abs(1 - 1 / tau) <= 2 * tolerance:
            return None
        if min(_largest((gaps, other)) for gaps, other in pairs) <= tolerance:
            return False
        return True if min(_largest((gaps, other * tau)) for gaps, other in pairs) <= 2 * tolerance else None

    @property
    def unknown_reason(self) -> str:
        """Why it is unknown whether the log-probabilities come after the temperature."""
        bases = [*self._repetitions, *self._all_lists.get(0, [])]
        others = [probe.token for probe in self._probes.answered(Purpose.COLDER, Purpose.HOTTER)]
        if min((len(_shared(base, other)[0]) for base in bases for other in others), default=0) < 2:
            return "too few tokens are listed in all answers, so the lists cannot be compared"
        if self.noise > _MOVED:
            return f"equal requests differ by ± {self.noise:.2g}, which hides the effect of the temperature"
        return "they change with the temperature, but not by 1 / τ, or too few are listed"

    def _is_cut(self, bases: list[FirstToken], cut: FirstToken) -> bool:
        """Return whether a low top_p changes the list."""
        count = sum(np.isfinite(list(cut.logprobs.values())))
        is_shorter = all(sum(np.isfinite(list(base.logprobs.values()))) > count for base in bases)
        return bool(is_shorter or min(_largest(_shared(base, cut)) for base in bases) > _FACTOR * self.noise)

    def is_top(self, prompt: int, token: FirstToken, slack: float = 0.0) -> bool | None:
        """Return whether a drawn token is the most probable one, within the noise and the slack.

        Without a list of its own, its text is compared with the list of the prompt; None if that lacks the text.
        """
        if prompt not in self.lists:
            return None
        gap = token.gap
        if token.block is None:
            listed, label = self.lists[prompt], self.label_of(prompt, token)
            if not label or label not in listed.logprobs:
                return None
            gap = listed.top - listed.logprobs[label]
        return gap <= 2 * self.noise + slack

    def label_of(self, prompt: int, token: FirstToken) -> str:
        """Return the label of a drawn token: if only its text is known, the one in the list of the prompt."""
        is_listed = prompt in self.lists and bool(token.label)
        return token.label_in(self.lists[prompt].logprobs) if is_listed else token.label

    def top_probability(self, prompt: int) -> float:
        """Return the probability at temperature 1 that a draw from a prompt is the most probable token."""
        logprobs = np.array(list(self.lists[prompt].logprobs.values()))
        return float(min(1.0, np.exp(logprobs[logprobs >= logprobs.max() - 2 * self.noise]).sum()))


def _requested(probe: Probe) -> int:
    number = probe.request.get("top_logprobs", probe.request.get("logprobs"))
    return number if is_index(number) else 0


def _shared(first: FirstToken, second: FirstToken) -> tuple[Array, Array]:
    """Return the log-probabilities of the tokens that two lists share, if they are finite in both, from the most
    probable one down."""
    shared = [label for label in first.comparable if label in second.comparable]
    pairs = np.array([[first.comparable[label], second.comparable[label]] for label in shared]).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(1)]
    pairs = pairs[np.argsort(-pairs[:, 0], kind="stable")]
    return pairs[:, 0], pairs[:, 1]


def _gaps(logprobs: Array) -> Array:
    """Return the distances of log-probabilities from the first one."""
    return logprobs[:1] - logprobs if len(logprobs) else logprobs


def _largest(pair: tuple[Array, Array]) -> float:
    """Return the largest difference between two arrays, 0 if they are empty."""
    return float(np.abs(pair[0] - pair[1]).max(initial=0.0))
