"""The sequence of an audit's requests to a live server.

Later requests depend on the answers to earlier ones: how many log-probabilities and choices a request may have, and
whether it may have a seed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from random import Random

from tsoft.errors import InputError
from tsoft.features.audit.server.listed_rows import ListedRows
from tsoft.features.audit.server.probe_client import PlannedProbe, ProbeClient
from tsoft.features.audit.server.probe_plan import (
    BIAS,
    BIASED,
    CHOICE_COUNTS,
    HIGH,
    HIGH_MIN_P,
    LIST_SIZES,
    LOW,
    LOW_TOP_P,
    PER_BIAS,
    PER_CUTOFF,
    PER_PROMPT,
    REPEATS,
    SEEDS,
    SHOWN,
    probe_budget,
    stage_ends,
)
from tsoft.features.audit.server.probes import Probe, Purpose, ServerProbes
from tsoft.features.audit.server.request_settings import RequestSettings
from tsoft.input.json_values import Object
from tsoft.models.http import UnansweredError
from tsoft.output.watching import watched

INTERRUPTED = "interrupted"
# Some servers store a seed in 32 bits.
_MAX_SEED = 1 << 30


@dataclass(frozen=True)
class ProbePlan:
    """What to audit: the prompts, the settings of the user, the number of draws, the number of log-probabilities to
    request (None for as many as the server has), and the seed from which those of the requests come."""

    prompts: tuple[str, ...]
    settings: RequestSettings
    draws: int
    top_logprobs: int | None = None
    seed: int = 0


class Prober:
    """Sends the probes of a plan, and keeps the answers."""

    def __init__(self, client: ProbeClient, plan: ProbePlan, model: str | None = None):
        self._client, self._plan = client, plan
        self._ends = stage_ends(plan.draws)
        self._known = ServerProbes(
            client.host, model or "", client.chat, plan.prompts, plan.settings, (), looks=len(self._ends)
        )
        # Some servers give the choices of a request the seeds after that of the request, so the seeds are far apart.
        self._seeds = _distinct(Random(plan.seed))
        self._takes_seeds = True
        self._choices, self._sent, self._size = 1, 0, 0
        self._high = HIGH

    def run(self, is_clear: Callable[[ServerProbes], bool]) -> ServerProbes:
        """Return the probes. Draw until `is_clear`, which is called after each stage.

        Ctrl-C and a failing server end the run; `ended` then explains why. Raise either if there is no answer yet.
        """
        self._size = size = self._find_size()
        try:
            self._examine(size)
            if size:
                self._list_again(list(range(len(self._plan.prompts))), size)
                self._draw(size, is_clear)
        except KeyboardInterrupt:
            return replace(self._known, ended=INTERRUPTED)
        except InputError as error:
            return replace(self._known, ended=str(error))
        return self._known

    def _find_size(self) -> int:
        """Return how many log-probabilities to request: those of the first prompt have the longest list.

        0 if the server returns no list. Raise InputError if it refuses the request without log-probabilities, too.
        """
        wanted = self._plan.top_logprobs
        sizes = LIST_SIZES if wanted is None else (wanted, *(size for size in LIST_SIZES if size < wanted))
        best = length = 0
        for size in sizes:
            if length > 1 and length >= size:
                break
            try:
                [probe] = self._send([self._list(0, size)])
            except UnansweredError:
                # mlx-lm refuses a number above 11 in this way.
                continue
            if not probe.answer.is_refusal and probe.token.size > length:
                best, length = size, probe.token.size
        if best == 0:
            [probe] = self._send([PlannedProbe(Purpose.LIST, 0, {"temperature": 1})])
            if probe.answer.is_refusal:
                raise self._client.refusal(probe)
        return best

    def _list(self, prompt: int, size: int, purpose: Purpose = Purpose.LIST, /, **fields: float) -> PlannedProbe:
        shown = self._client.alternatives(size) if size else {}
        return PlannedProbe(purpose, prompt, {"temperature": 1, **fields, **shown})

    def _examine(self, size: int) -> None:
        """Send the probes that need no stages."""
        prompts = range(len(self._plan.prompts))
        if size:
            self._send([self._list(prompt, size) for prompt in prompts[1:]])
            if any(probe.token.is_cut for probe in self._known.answered(Purpose.LIST)):
                # The server's defaults may have cut the lists. These are the values without a cutoff.
                self._send([self._list(prompt, size, top_p=1, top_k=0, min_p=0) for prompt in prompts])
            # All at once: many servers compute simultaneous requests in one batch, which changes the rounding.
            self._send([self._list(0, size, Purpose.REPEAT)] * REPEATS)
            self._send([self._list(0, size, Purpose.COLDER, temperature=LOW)])
            self._send([self._list(0, size, Purpose.CUT, top_p=LOW_TOP_P)])
        hotter = self._send([self._list(0, size, Purpose.HOTTER, temperature=HIGH)])
        self._high = 1.0 if hotter[0].answer.is_refusal else HIGH
        self._try_seeds()
        self._find_choices()
        greedy = {"temperature": 0}
        self._send([self._try(Purpose.GREEDY, prompt, greedy) for _ in range(PER_PROMPT) for prompt in prompts])
        biases = [{"logit_bias": {str(token): BIAS}} for token in BIASED]
        tries = [(i, bias) for i in range(PER_BIAS) for bias in biases]
        self._send([self._try(Purpose.LOGIT_BIAS, i % len(prompts), {"temperature": 1} | bias) for i, bias in tries])
        for purpose, cutoff in ((Purpose.MIN_P, {"min_p": HIGH_MIN_P}), (Purpose.TOP_K, {"top_k": 1})):
            fields = {"temperature": self._high} | cutoff
            prompt = self._known.least_certain_prompt
            self._send([self._try(purpose, prompt, fields) for _ in range(PER_CUTOFF)])

    def _try_seeds(self) -> None:
        """Send each of some seeds twice, with the least certain prompt."""
        seeds = [{"seed": next(self._seeds)} for _ in range(SEEDS)]
        hot = self._drawn({"temperature": self._high})
        prompt = self._known.least_certain_prompt
        self._send([PlannedProbe(Purpose.SEED, prompt, hot | seed) for seed in seeds * 2])
        self._takes_seeds = self._known.refusal(Purpose.SEED) is None

    def _find_choices(self) -> None:
        """Find how many choices a request may have. Choices that are always the same are not draws."""
        prompt = self._known.least_certain_prompt
        for number in CHOICE_COUNTS:
            fields = {"temperature": self._high, "n": number}
            probes = self._send([self._try(Purpose.CHOICES, prompt, fields) for _ in range(2)])
            counts = {len(probe.tokens) for probe in probes}
            if all(len({token.label for token in probe.tokens}) > 1 for probe in probes) and len(counts) == 1:
                self._choices = counts.pop()
                return
            if counts == {1}:
                # The server ignores the field.
                return

    def _list_again(self, prompts: Sequence[int], size: int) -> None:
        """Request the lists of some prompts as the draws are requested: a cache of prompts and several choices may
        change the distribution."""
        several = {"n": self._choices} if self._choices > 1 else {}
        self._send([self._list(prompt, size, **several) for prompt in prompts])

    def _draw(self, size: int, is_clear: Callable[[ServerProbes], bool]) -> None:
        """Draw in stages with the settings of the user, except those that the server refuses."""
        settings = self._accepted_settings()
        prompts = len(self._plan.prompts)
        fields = settings if self._choices == 1 else settings | {"n": self._choices}
        done = sent = 0
        for end in self._ends:
            planned = []
            while done < end:
                planned.append(self._try(Purpose.DRAW, sent % prompts, fields))
                done, sent = done + self._choices, sent + 1
            if any(probe.answer.is_refusal for probe in self._send(planned)):
                refused = next(probe for probe in reversed(self._known.probes) if probe.answer.is_refusal)
                raise self._client.refusal(refused)
            if moved := ListedRows(self._known).moved_prompts:
                self._list_again(moved, size)
            if is_clear(self._known):
                return

    def _accepted_settings(self) -> Object:
        """Return the settings of the user that the server accepts. Try each of them if it refuses all together."""
        settings: Object = dict(self._plan.settings.values)
        [probe] = self._send([self._try(Purpose.SETTINGS, 0, settings)])
        if not probe.answer.is_refusal:
            return settings
        self._send([self._try(Purpose.SETTING, 0, {name: value}) for name, value in settings.items()])
        return {name: value for name, value in settings.items() if name not in self._known.refused_settings}

    def _try(self, purpose: Purpose, prompt: int, fields: Object) -> PlannedProbe:
        """Return a probe that draws, with a new seed if the server takes seeds."""
        seed = {"seed": next(self._seeds)} if self._takes_seeds else {}
        return PlannedProbe(purpose, prompt, self._drawn(fields) | seed)

    def _drawn(self, fields: Object) -> Object:
        """Return the fields of a probe that draws. The name of the token is in its log-probabilities, if the server
        returns them: the text of an answer may lack blanks. A few others show whether the distribution is the same."""
        return fields | (self._client.alternatives(min(SHOWN, self._size)) if self._size else {})

    def _send(self, planned: Sequence[PlannedProbe]) -> list[Probe]:
        """Send probes and add them to the known ones, in this order, even if Ctrl-C or an error ends it."""
        arrived: dict[int, Probe] = {}
        try:
            for i, probe in watched(self._client.send(self._plan.prompts, planned), self._describe, self._total):
                arrived[i] = probe
                self._sent += 1
        finally:
            probes = [arrived[i] for i in sorted(arrived)]
            self._known = replace(self._known, probes=(*self._known.probes, *probes))
        return probes

    def _describe(self, _: tuple[int, Probe], __: float) -> tuple[str, int]:
        return f"auditing {self._client.host}", self._sent

    def _total(self, _: tuple[int, Probe]) -> int:
        draws = ceil(self._plan.draws / self._choices)
        settings = len(self._plan.settings.values)
        return probe_budget(self._plan.prompts, draws, settings, chat=self._client.chat).requests


def _distinct(rng: Random) -> Iterator[int]:
    """Yield different seeds."""
    seen = set[int]()
    while True:
        seed = rng.randrange(_MAX_SEED)
        if seed not in seen:
            seen.add(seed)
            yield seed
