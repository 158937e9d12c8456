"""An engine: its samplers in its order, and what it does at low temperatures, by default, and in its API."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf

from tsoft.errors import joined
from tsoft.sampling.history import SEQUENCE_BREAKERS
from tsoft.sampling.sampler_table import Sampler
from tsoft.sampling.step import Step


@dataclass(frozen=True)
class EngineSource:
    """The source that defines an engine's rules: a `version`, its `date` (year, with month if known), and the `files`.

    `check` is how tsoft's rules were compared with it, and `path` says when the engine takes this path through its
    code, if it has several.
    """

    version: str
    date: str
    files: str
    check: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.version}, {self.files}"


@dataclass(frozen=True)
class LowTemperature:
    """What an engine does at a temperature near 0.

    At temperature 0, and below `greedy_below`, it decodes greedily, which `message` describes. With None, its
    temperature sampler handles these temperatures. It raises other temperatures below `min_tau` to `min_tau`.
    """

    greedy_below: float | None = None
    message: str = ""
    min_tau: float = 0.0


@dataclass(frozen=True)
class Variant:
    """The samplers, in order, that an engine applies if all samplers named in `condition` are on. Samplers that the
    variant lacks have no effect then."""

    condition: tuple[str, ...]
    samplers: tuple[Sampler, ...]


@dataclass(frozen=True)
class Limit:
    """The values of a parameter that an engine accepts: up to `high`, and from `low` or, if exclusive, above it."""

    parameter: str
    low: float
    high: float
    exclusive_low: bool = False

    def accepts(self, value: float) -> bool:
        return value <= self.high and (value > self.low if self.exclusive_low else value >= self.low)

    def __str__(self) -> str:
        if self.exclusive_low:
            return f"above {self.low:g} and at most {self.high:g}"
        if self.high < sys.float_info.max:
            return f"{self.low:g} to {self.high:g}"
        return f"at least {self.low:g}" + " and finite" * (self.high < inf)


@dataclass(frozen=True)
class EngineApi:
    """What an engine's API returns and assumes: what its `logprobs` are, and the `defaults`, pairs of a parameter and
    its value, which apply if a request sets nothing. `defaults_note` says when other defaults apply. The API refuses
    values beyond the `limits`, and clamps biases to the `bias_range`. `breakers` are the sequence breakers
    of DRY if a request has none."""

    logprobs: str
    defaults: tuple[tuple[str, float], ...]
    defaults_note: str = ""
    limits: tuple[Limit, ...] = ()
    breakers: tuple[str, ...] = SEQUENCE_BREAKERS
    bias_range: tuple[float, float] = (-inf, inf)


@dataclass(frozen=True)
class Caveat:
    """A `sentence` about what an engine does that tsoft does not compute, if the samplers or parameters `names` are on.

    With a `max_log_prob`, it only holds if the sampler counts a class with at most this log-probability: a masked one,
    or one whose probability is 0 in float32.
    """

    names: tuple[str, ...]
    sentence: str
    max_log_prob: float | None = None

    def message(self, engine: str) -> str:
        """Return the text of a note on this caveat of the engine with this name.

        >>> Caveat(("xtc", "dry"), "tsoft computes the intended rule").message("llama.cpp")
        'llama.cpp: with xtc and dry, tsoft computes the intended rule'
        """
        return f"{engine}: with {joined(list(self.names))}, {self.sentence}"


@dataclass(frozen=True)
class Engine:
    """The rules of an engine, or of one of its paths.

    `samplers` are in the engine's order, and the first of the `variants` whose condition is met replaces them. A
    sampler without parameters is always on. Users of the engine can choose the order of the `movable` groups of
    samplers; those before the groups and after them keep their places. `caveats` are what the engine does that tsoft
    does not compute. The samplers named in `masking` mask the classes that they remove; other samplers of an engine
    with a list of candidates take them from it.
    """

    name: str
    source: EngineSource
    samplers: tuple[Sampler, ...]
    low_tau: LowTemperature
    api: EngineApi
    variants: tuple[Variant, ...] = ()
    movable: tuple[tuple[str, ...], ...] = ()
    caveats: tuple[Caveat, ...] = ()
    masking: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The engine's name without a path.

        >>> from tsoft.sampling.engines import ENGINES
        >>> ENGINES["vllm@pytorch"].family
        'vllm'
        """
        return self.name.partition("@")[0]

    @property
    def reorders(self) -> bool:
        """Whether users of the engine can choose the order of its samplers."""
        return bool(self.movable)

    def ordered(self, names: Sequence[str]) -> list[str]:
        """Return names of samplers in an order that users of the engine can choose: its groups in the order in which
        they first occur, and names that it does not have at the end.

        >>> from tsoft.sampling.engines import ENGINES
        >>> ENGINES["koboldcpp"].ordered(["xtc", "top_n_sigma", "top_k", "temperature"])
        ['temperature', 'top_n_sigma', 'top_k', 'xtc']
        """
        places = {sampler.name: i for i, sampler in enumerate(self.samplers)}
        groups = {name: group for group in self.movable for name in group}
        ranks = {group: i for i, group in reversed([*enumerate(map(groups.get, names))])}
        start = min((places[name] for name in groups), default=0)

        def key(name: str) -> tuple[int, int, int]:
            place = places.get(name, len(places))
            return (1, ranks[groups[name]], place) if name in groups else (0 if place < start else 2, 0, place)

        return sorted(names, key=key)

    @property
    def min_tau(self) -> float:
        return self.low_tau.min_tau

    def is_greedy(self, tau: float) -> bool:
        limit = self.low_tau.greedy_below
        return limit is not None and (tau == 0 or tau < limit)

    def has(self, name: str) -> bool:
        return any(parameter.name == name for sampler in self.samplers for parameter in sampler.parameters)

    def applied(self, active: Collection[str]) -> tuple[Sampler, ...]:
        """Return the samplers, in order, that the engine has if those whose names are `active` are on.

        >>> from tsoft.sampling.engines import ENGINES
        >>> [sampler.name for sampler in ENGINES["llama.cpp"].applied(["mirostat", "top_k"])]
        ['logit_bias', 'temperature', 'mirostat']
        """
        variant = self._variant(active)
        return variant.samplers if variant else self.samplers

    def condition(self, active: Collection[str]) -> tuple[str, ...]:
        """Return the names of the samplers that make the engine apply a variant; empty if it applies none."""
        variant = self._variant(active)
        return variant.condition if variant else ()

    def _variant(self, active: Collection[str]) -> Variant | None:
        """Return the first variant whose condition the active samplers meet."""
        return next((each for each in self.variants if all(name in active for name in each.condition)), None)

    def omits(self, name: str, active: Collection[str]) -> bool:
        """Return whether the engine has a sampler that it does not apply together with the active ones."""
        applied = {sampler.name for sampler in self.applied(active)}
        return name not in applied and any(sampler.name == name for sampler in self.samplers)

    def low_tau_message(self, tau: float) -> str | None:
        """Return what the engine does differently at a temperature near 0; None if it does nothing special."""
        if self.is_greedy(tau):
            return self.low_tau.message
        return f"raises a temperature below {self.min_tau:g} to {self.min_tau:g}" if tau < self.min_tau else None

    def refusal(self, parameter: str, value: float) -> str | None:
        """Return a sentence without its subject if the engine refuses a value of a parameter; None if not.

        >>> from tsoft.sampling.engines import ENGINES
        >>> ENGINES["vllm"].refusal("tau", 3.0)
        'would reject temperature 3 (its range: 0 to 2); tsoft applies it'
        """
        for limit in self.api.limits:
            if limit.parameter == parameter and not limit.accepts(value):
                name = "temperature" if parameter == "tau" else parameter
                return f"would reject {name} {value:g} (its range: {limit}); tsoft applies it"
        return None

    def applied_bias(self, bias: float) -> float:
        """Return the number that the engine adds to a logit for a bias.

        >>> from tsoft.sampling.engines import ENGINES
        >>> ENGINES["vllm"].applied_bias(-500.0)
        -100.0
        """
        low, high = self.api.bias_range
        return min(max(bias, low), high)

    def greedy_steps(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Return the steps of a chain when decoding is greedy: the biases and penalties, then the most probable
        class."""
        return (*(step for step in steps if step.sampler.uses_indices), Step(GREEDY, ()))


GREEDY = Sampler("greedy", "engine_cutoffs.greedy", ())
