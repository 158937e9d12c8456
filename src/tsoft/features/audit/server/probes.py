"""The probes of a server: requests for one token, and the answers."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from tsoft.errors import InputError
from tsoft.features.audit.server.first_tokens import FirstToken, first_token
from tsoft.features.audit.server.request_settings import RequestSettings
from tsoft.input.json_values import Object

# The HTTP statuses with which servers refuse a field or its value. llama-cpp-python answers 422, and others 500 or 501.
REFUSALS = (400, 422, 500, 501)


class Purpose(StrEnum):
    """What a probe is for.

    LIST requests the log-probabilities at temperature 1, without cutoffs. REPEAT is the same request again, and HOTTER
    and COLDER are the same at other temperatures. CUT has a low top_p. CHOICES requests several choices. SEED,
    GREEDY (at temperature 0), LOGIT_BIAS, MIN_P and TOP_K try one field each. SETTINGS tries all settings of the user,
    and SETTING one of them. DRAW draws with the settings of the user.
    """

    LIST = "list"
    REPEAT = "repeat"
    HOTTER = "hotter"
    COLDER = "colder"
    CUT = "cut"
    CHOICES = "choices"
    SEED = "seed"
    GREEDY = "greedy"
    LOGIT_BIAS = "logit_bias"
    MIN_P = "min_p"
    TOP_K = "top_k"
    SETTINGS = "settings"
    SETTING = "setting"
    DRAW = "draw"


@dataclass(frozen=True, eq=False)
class ProbeAnswer:
    """The answer to a request: the HTTP status, the choices as the server writes them, and the text of an error."""

    status: int
    choices: tuple[Object, ...] = ()
    error: str = ""

    @property
    def is_refusal(self) -> bool:
        return not 200 <= self.status < 300


@dataclass(frozen=True, eq=False)
class Probe:
    """A request, without the key, and its answer. `prompt` is an index. `place` is its location in messages.

    Raise InputError from `tokens` for log-probabilities in an unknown format or out of range.
    """

    purpose: Purpose
    prompt: int
    request: Object
    answer: ProbeAnswer
    place: str = ""

    @cached_property
    def tokens(self) -> tuple[FirstToken, ...]:
        """The first token of each choice; empty for a refusal."""
        return tuple(first_token(choice, self.place) for choice in self.answer.choices)

    @property
    def token(self) -> FirstToken:
        """The first token of the first choice."""
        if not self.tokens:
            raise InputError(f"{self.place}: the response has no choices")
        return self.tokens[0]


@dataclass(frozen=True, eq=False)
class ServerProbes:
    """The probes of a server, in the order of the requests.

    `server` is its host, and `model` the name of the model; empty if the server chose it. `settings` are those that the
    user requested. `looks` is the maximum number of times that the run examined its draws. `ended` explains why the
    run ended early; empty if it did not.
    """

    server: str
    model: str
    chat: bool
    prompts: tuple[str, ...]
    settings: RequestSettings
    probes: tuple[Probe, ...]
    looks: int = 1
    ended: str = ""

    def answered(self, *purposes: Purpose) -> list[Probe]:
        """Return the probes with these purposes that the server did not refuse."""
        return [probe for probe in self.probes if probe.purpose in purposes and not probe.answer.is_refusal]

    def refusal(self, purpose: Purpose) -> Probe | None:
        """Return the first probe with this purpose, if the server refused all of them."""
        found = [probe for probe in self.probes if probe.purpose == purpose]
        return found[0] if found and all(probe.answer.is_refusal for probe in found) else None

    @property
    def refused_settings(self) -> dict[str, str]:
        """The settings of the user that the server refuses, with its messages."""
        refused = [probe for probe in self.probes if probe.purpose == Purpose.SETTING and probe.answer.is_refusal]
        return {name: probe.answer.error for probe in refused for name in self.settings.values if name in probe.request}

    @property
    def least_certain_prompt(self) -> int:
        """The prompt whose most probable token is least probable; the first one if that is unknown."""
        tops = {probe.prompt: max(probe.token.logprobs.values(), default=0.0) for probe in self.answered(Purpose.LIST)}
        return min(tops, key=lambda prompt: tops[prompt], default=0)
