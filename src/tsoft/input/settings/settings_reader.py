"""Reading the sampling settings in a file of an engine, a server or a client."""

from collections.abc import Container, Mapping
from dataclasses import replace

from tsoft.errors import InputError, joined
from tsoft.input.settings.field_values import boolean, described, number, number_or_none
from tsoft.input.settings.file_kinds import BARE, GENERATION_CONFIG, NO_SETTINGS, TGI_REQUEST, VLLM, FileKind, kind_of
from tsoft.input.settings.parameter_numbers import Numbers, numbers_of
from tsoft.input.settings.sampler_orders import SamplerOrder, order_of
from tsoft.input.settings.sampling_fields import (
    BANS_END,
    DEPENDS_ON_TEXT,
    GGUF_ORDER,
    NEUTRAL,
    NOT_AVAILABLE,
    OFF_AT_ZERO,
)
from tsoft.input.settings.settings import Settings, SettingsSource
from tsoft.input.settings.settings_formats import load
from tsoft.input.settings.settings_search import Place, places, settings_place
from tsoft.input.settings.token_biases import biases
from tsoft.input.settings.unused_fields import fields_elsewhere, unused_fields
from tsoft.sampling.sampler_table import SAMPLERS, TAU

# The sampler of each parameter.
_SAMPLER_OF = {parameter.name: sampler.name for sampler in SAMPLERS.values() for parameter in sampler.parameters}


def read(name: str) -> Settings:
    """Read the settings in a file.

    The file is JSON, YAML, a Modelfile of Ollama, a GGUF model, or SamplingParams as Python prints them. The object
    with the settings is found wherever it is. Raise InputError if the file cannot be read, has no settings or several
    objects with settings, or has a field of the wrong type.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    ...     print('{"do_sample": true, "temperature": 0.6, "transformers_version": "5.23.0"}', file=file, flush=True)
    ...     settings = read(file.name)
    >>> settings.values
    (('tau', 0.6), ('top_k', 50.0))
    >>> settings.hidden
    ('transformers applies top_k 50, which the file does not set',)
    """
    found = places(name, load(name))
    place = settings_place(found)
    # A request without settings has the defaults of its server.
    main = place or found[0]
    kind = kind_of(main)
    reason = next((NO_SETTINGS[mark] for mark in NO_SETTINGS if mark in main.fields), None)
    if reason and not main.sets_parameters:
        raise InputError(f"{name}: {reason}")
    if place is None and kind is BARE:
        expected = "expected fields such as temperature, top_k, top_p, min_p or logit_bias"
        raise InputError(f"{name}: no sampling settings; {expected}")
    settings = _settings(kind, main)
    return replace(settings, unused=(*settings.unused, *fields_elsewhere(found, main)))


def _settings(kind: FileKind, place: Place) -> Settings:
    numbers = numbers_of(kind, place)
    active = {_SAMPLER_OF[parameter] for parameter in _effective(numbers.values)}
    order, sentences = order_of(kind, place, active)
    settings = _applied(kind, place, numbers, order)
    settings = replace(settings, unused=(*numbers.sentences, *sentences, *settings.unused))
    return _greedy(kind, place, numbers, settings)


def _applied(kind: FileKind, place: Place, numbers: Numbers, order: SamplerOrder) -> Settings:
    """Return the settings that the program applies, with its defaults, and sentences about the others."""
    applied, samplers, reason = _applied_parameters(kind, place, order)
    defaults = {
        name: value for name, value in kind.rules.defaults.items() if name in applied and name not in numbers.values
    }
    values = _without_off({**_only(numbers.values, applied), **defaults})
    # A default has no effect if the parameter that needs it is off.
    for parameter, partner in OFF_AT_ZERO.items():
        if partner in defaults and parameter not in values:
            values.pop(partner, None)
    hidden = described(_only(values, defaults))
    effective = _effective(numbers.values)
    unknown = described(_only(effective, effective.keys() - kind.rules.parameters))
    ignored = described(_only(effective, kind.rules.parameters - applied))
    unused = [f"{kind.program} does not know {unknown}"] if unknown else []
    unused += [f"{kind.program} does not apply {ignored}, since {reason}"] if ignored else []
    sentences = (f"{kind.program} applies {hidden}, which the file does not set{kind.rules.unless}",) if hidden else ()
    return Settings(
        SettingsSource(place.file, kind.title, kind.engine, ".".join(place.path)),
        tuple(values.items()),
        tuple(numbers.fields.items()),
        tuple(parameter for parameter in values if parameter in defaults),
        tuple(biases(place)),
        samplers,
        (*_unused_samplers(kind, place, order), *unused, *unused_fields(place, _idle(kind, place, numbers, order))),
        sentences or _model_defaults(kind, place),
    )


def _applied_parameters(
    kind: FileKind, place: Place, order: SamplerOrder
) -> tuple[frozenset[str], tuple[str, ...] | None, str]:
    """Return the parameters that the program applies, its samplers in order, and why it does not apply the others."""
    rules = kind.rules
    if version := _mirostat(kind, place):
        # The plain temperature remains, without a range.
        kept = frozenset(
            name for name in ("tau", "smoothing_factor", "smoothing_curve") if _SAMPLER_OF[name] in rules.mirostat_keeps
        )
        return kept, rules.mirostat_keeps, f"mirostat {version:g} replaces the other samplers"
    samplers = order.applicable
    # Only the file's samplers apply. Without a program, the caller names the parameters that have no sampler.
    if samplers is None or order.field != rules.order or order.field == "sampler_priority":
        return rules.parameters, samplers, ""
    applied = frozenset(name for name in rules.parameters if _SAMPLER_OF[name] in samplers)
    return applied, samplers, "it applies only the file's samplers"


def _mirostat(kind: FileKind, place: Place) -> float:
    """Return the version of mirostat that replaces the other samplers; 0 without one."""
    version = place.get("mirostat")
    if version is None or not kind.rules.mirostat_keeps:
        return 0.0
    return max(0.0, number(version, f"{place.where}: mirostat"))


def _unused_samplers(kind: FileKind, place: Place, order: SamplerOrder) -> list[str]:
    """Return sentences about names of samplers that do not exist, and about samplers that need more than the logits."""
    sentences = []
    if order.unknown:
        program = kind.program or "tsoft"
        sentences.append(f"{program} has no sampler called {' or '.join(order.unknown)}, so it skips the name")
    if "infill" in (order.samplers or ()):
        sentences.append(f"the sampler infill {BANS_END}")
    target = place.get("adaptive_target")
    if kind.engine == "llama.cpp" and target is not None and "adaptive_p" in (order.samplers or ()):
        level = number(target, f"{place.where}: adaptive_target")
        sentences += [f"adaptive_target {level:g} {DEPENDS_ON_TEXT}"] if level >= 0 else []
    least = place.get("min_keep")
    if least is not None and (count := number(least, f"{place.where}: min_keep")) > 1:
        sentences.append(f"min_keep {count:g} {NOT_AVAILABLE}")
    return sentences


def _idle(kind: FileKind, place: Place, numbers: Numbers, order: SamplerOrder) -> frozenset[str]:
    """Return the fields that have no effect because of another field, whatever their numbers."""
    idle: set[str] = set()
    listed = order.samplers if order.field in ("samplers", GGUF_ORDER) else None
    if kind.engine == "llama.cpp" and _mirostat(kind, place):
        listed = ()
    missing = [name for name in ("penalties", "dry") if listed is not None and name not in listed]
    if number_or_none(place.get("repeat_last_n")) == 0 or "penalties" in missing:
        idle |= {"repeat_penalty", "penalty_repeat", "presence_penalty", "frequency_penalty"}
    if number_or_none(place.get("dry_penalty_last_n")) == 0 or "dry" in missing:
        idle |= {"dry_multiplier"}
    if kind.engine == "llama.cpp" and order.samplers is not None:
        # Without the sampler adaptive_p it has no effect; `_unused_samplers` names it otherwise.
        idle |= {"adaptive_target"}
    return frozenset(idle)


def _model_defaults(kind: FileKind, place: Place) -> tuple[str, ...]:
    """Return a sentence about the settings that a server takes from the model because the request does not set them."""
    if kind is not VLLM or not {"model", "messages", "prompt"} & (place.names | place.around):
        return ()
    missing = [field for field in ("temperature", "top_k", "top_p", "min_p") if place.get(field) is None]
    return (f"vLLM takes {joined(missing)} from the model's generation_config.json if it sets them",) if missing else ()


def _greedy(kind: FileKind, place: Place, numbers: Numbers, settings: Settings) -> Settings:
    """Return the settings of a program that takes the most probable token unless do_sample is true."""
    value = place.get("do_sample")
    samples = None if value is None else boolean(value, f"{place.where}: do_sample")
    if not kind.rules.reads_do_sample:
        sentences = [f"{kind.program} does not know do_sample"] * (samples is False)
        return replace(settings, unused=(*sentences, *settings.unused))
    effective = _effective(numbers.values)
    if samples or (samples is None and kind not in (GENERATION_CONFIG, TGI_REQUEST)):
        return settings
    if kind is TGI_REQUEST and effective:
        sentence = f"{kind.program} samples although do_sample is not true, because of {described(effective)}"
        return replace(settings, unused=(sentence, *settings.unused))
    owner = kind.program or "the program"
    greedy = f"do_sample is not true, so {owner} takes the most probable token"
    ignored = described(effective)
    unused = (f"{greedy} and ignores {ignored}" if ignored else greedy, *unused_fields(place))
    return replace(settings, values=((TAU.name, 0.0),), defaults=(), samplers=None, unused=unused, hidden=())


def _only(parameters: Mapping[str, float], names: Container[str]) -> dict[str, float]:
    return {parameter: value for parameter, value in parameters.items() if parameter in names}


def _without_off(parameters: Mapping[str, float]) -> dict[str, float]:
    """Return the parameters without those that are off.

    >>> _without_off({"tau": 0.8, "top_k": -1, "min_p": 0, "xtc_probability": 0, "xtc_threshold": 0.1})
    {'tau': 0.8, 'min_p': 0}
    """
    off = {parameter for parameter in parameters if parameter in OFF_AT_ZERO and parameters[parameter] <= 0}
    off |= {partner for parameter in off if (partner := OFF_AT_ZERO[parameter])}
    return _only(parameters, parameters.keys() - off)


def _effective(parameters: Mapping[str, float]) -> dict[str, float]:
    """Return the parameters that have an effect."""
    return {
        parameter: value for parameter, value in _without_off(parameters).items() if NEUTRAL.get(parameter) != value
    }
