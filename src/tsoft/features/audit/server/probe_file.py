"""The probes file: all probes of a server as JSON, from which the same audit can be made again without the server."""

import math
from typing import Any

from tsoft.features.audit.server.probes import Probe, ProbeAnswer, Purpose, ServerProbes
from tsoft.features.audit.server.request_settings import RequestSettings, requested_settings
from tsoft.input.json_values import Location, Object, as_list, as_object, described, is_index

# The name whose presence marks a probes file, and the version that this module writes.
MARK, VERSION = "tsoft_audit", 1


def is_probes(value: object) -> bool:
    """Return whether a JSON value is a probes file, of any version."""
    return isinstance(value, dict) and MARK in value


def probes_json(probes: ServerProbes) -> Object:
    """Return the probes as a JSON value."""
    return {
        MARK: VERSION,
        "server": probes.server,
        "model": probes.model,
        "chat": probes.chat,
        "prompts": list(probes.prompts),
        "settings": dict(probes.settings.values),
        "samplers": list(probes.settings.order),
        "engine": probes.settings.engine,
        "looks": probes.looks,
        "ended": probes.ended,
        "probes": [_probe_json(probe) for probe in probes.probes],
    }


def _probe_json(probe: Probe) -> Object:
    answer = {"status": probe.answer.status, "error": probe.answer.error, "choices": _finite_json(probe.answer.choices)}
    return {"purpose": str(probe.purpose), "prompt": probe.prompt, "request": probe.request, "answer": answer}


def _finite_json(value: Any) -> Any:
    """Return a JSON value with the infinities as texts, as in all JSON that tsoft writes.

    >>> _finite_json(({"logprob": -math.inf},))
    [{'logprob': '-inf'}]
    """
    if isinstance(value, dict):
        return {name: _finite_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_json(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read_probes(value: object, source: str) -> ServerProbes:
    """Return the probes of a JSON value. Raise InputError, with the place, for a value that is no probes file."""
    place = Location(source)
    file = as_object(value, place)
    if file.get(MARK) != VERSION:
        raise place.at(MARK).error(f"expected {VERSION}, the version of this tsoft, got {described(file.get(MARK))}")
    prompts = tuple(_text(prompt, place.at(f"prompt {i}")) for i, prompt in _items(file, "prompts", place))
    probes = [_probe(item, len(prompts), place.at(f"probe {i}")) for i, item in _items(file, "probes", place)]
    if not probes:
        raise place.error("the file has no probes; audit the server again")
    looks = file.get("looks")
    if not is_index(looks) or looks == 0:
        raise place.at("looks").error(f"expected a whole number above 0, got {described(looks)}")
    return ServerProbes(
        server=_text(file.get("server"), place.at("server")),
        model=_text(file.get("model"), place.at("model")),
        chat=file.get("chat") is True,
        prompts=prompts,
        settings=_settings(file, place),
        probes=tuple(probes),
        looks=looks,
        ended=_text(file.get("ended"), place.at("ended")),
    )


def _settings(file: Object, place: Location) -> RequestSettings:
    values = as_object(file.get("settings"), place.at("settings"))
    settings = RequestSettings(
        {name: _number(number, place.at("settings", name)) for name, number in values.items()},
        tuple(_text(name, place.at(f"sampler {i}")) for i, name in _items(file, "samplers", place)),
        _text(file.get("engine"), place.at("engine")),
    )
    # The names and the values are checked here, where the place is known.
    requested_settings(settings, place.source)
    return settings


def _items(file: Object, name: str, place: Location) -> Any:
    return enumerate(as_list(file.get(name), place.at(name)))


def _probe(value: object, prompts: int, place: Location) -> Probe:
    probe = as_object(value, place)
    prompt, answer = probe.get("prompt"), as_object(probe.get("answer"), place.at("answer"))
    if not is_index(prompt) or prompt >= prompts:
        raise place.at("prompt").error(f"expected the index of one of {prompts} prompts, got {described(prompt)}")
    status = answer.get("status")
    if not is_index(status):
        raise place.at("answer", "status").error(f"expected an HTTP status, got {described(status)}")
    listed = as_list(answer.get("choices"), place.at("answer", "choices"))
    choices = tuple(as_object(choice, place.at("answer", f"choice {i}")) for i, choice in enumerate(listed))
    purpose = _purpose(probe.get("purpose"), place.at("purpose"))
    request = as_object(probe.get("request"), place.at("request"))
    error = _text(answer.get("error"), place.at("answer", "error"))
    read = Probe(purpose, prompt, request, ProbeAnswer(status, choices, error), place.place)
    if not read.answer.is_refusal and not read.tokens:
        raise place.at("answer").error("the response has no choices")
    return read


def _purpose(value: object, place: Location) -> Purpose:
    try:
        return Purpose(value)  # type: ignore[arg-type]
    except ValueError:
        raise place.error(f"unknown purpose {described(value)}") from None


def _text(value: object, place: Location) -> str:
    if not isinstance(value, str):
        raise place.error(f"expected a text, got {described(value)}")
    return value


def _number(value: object, place: Location) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise place.error(f"expected a number, got {described(value)}")
    return float(value)
