"""The settings of the user as fields of a request, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType

from tsoft.errors import InputError, UsageError, unknown
from tsoft.features.audit.requested import Requested
from tsoft.sampling.chain import chain_of
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU

# The field of the temperature. Those of the other settings are called like their parameters, as in llama.cpp.
_TEMPERATURE = "temperature"
_PARAMETERS = {
    _TEMPERATURE if parameter is TAU else parameter.name: parameter
    for sampler in SAMPLERS.values()
    for parameter in sampler.parameters
    if parameter is not BIAS
}


@dataclass(frozen=True)
class RequestSettings:
    """The settings of the requests to a server: the `values` of the fields of a request, and, since a request does not
    contain them, the order of the samplers and the name of the engine; empty for tsoft's rules."""

    values: Mapping[str, float]
    order: tuple[str, ...] = ("temperature",)
    engine: str = ""

    @property
    def tau(self) -> float | None:
        """The temperature, None if no request sets it."""
        return self.values.get(_TEMPERATURE)


def request_settings(requested: Requested, typed: Mapping[str, float] = MappingProxyType({})) -> RequestSettings:
    """Return the settings as fields of a request.

    `typed` are parameters that the user has set, also to a value that switches a sampler off: a request without them
    has the defaults of the server. Raise UsageError for settings that an audit of a server cannot test.

    >>> request_settings(Requested(0.5, chain_of(None, None, [SAMPLERS["top_k"]], {"top_k": 40.0}))).values
    {'temperature': 0.5, 'top_k': 40}
    """
    if problem := requested.problem_with_lists:
        raise UsageError(problem)
    values = {} if requested.tau is None else {_TEMPERATURE: _whole(requested.tau)}
    for step in requested.chain.steps:
        settings = {parameter.name: value for parameter, value in step.settings if value not in (None, parameter.off)}
        values |= {name: _whole(value) for name, value in settings.items() if name in _PARAMETERS}
    values |= {name: _whole(value) for name, value in typed.items() if name in _PARAMETERS and isfinite(value)}
    order = tuple(step.sampler.name for step in requested.chain.steps)
    return RequestSettings(values, order, requested.engine.name if requested.engine else "")


def _whole(value: float) -> float:
    """Return a whole number as an int, which a field such as top_k needs."""
    return int(value) if value == value // 1 and abs(value) < 2**53 else value


def requested_settings(settings: RequestSettings, source: str, refused: Sequence[str] = ()) -> Requested:
    """Return the requested settings, without the refused ones. Raise InputError, with the source, for a
    setting, a sampler or an engine that does not exist."""
    for name, value in settings.values.items():
        if name not in _PARAMETERS:
            raise InputError(f"{source}: settings: {unknown('setting', name, _PARAMETERS)}")
        if not _PARAMETERS[name].allows(value):
            raise InputError(f"{source}: settings, {name}: expected {_PARAMETERS[name].range}, got {value:.15g}")
    for name in settings.order:
        if name not in SAMPLERS:
            raise InputError(f"{source}: samplers: {unknown('sampler', name, SAMPLERS)}")
    if settings.engine and settings.engine not in ENGINES:
        raise InputError(f"{source}: engine: {unknown('engine', settings.engine, ENGINES)}")
    values = {name: value for name, value in settings.values.items() if name not in refused}
    tau = values.pop(_TEMPERATURE, None)
    samplers = [SAMPLERS[name] for name in settings.order]
    engine = ENGINES[settings.engine] if settings.engine else None
    is_stated = settings != RequestSettings({})
    requested = Requested(tau, chain_of(engine, tuple(samplers), samplers, values), states_cutoffs=is_stated)
    if problem := requested.problem_with_lists:
        raise InputError(f"{source}: settings: {problem}")
    return requested
