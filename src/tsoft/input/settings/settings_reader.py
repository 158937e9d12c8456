"""Reading the sampling settings in a file of an engine, a server or a client."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace

from tsoft.errors import InputError, joined
from tsoft.input.settings.field_values import boolean, described, number, shown
from tsoft.input.settings.file_kinds import (
    BARE,
    GENERATION_CONFIG,
    NO_SETTINGS,
    NOVEL_AI,
    OLLAMA_REQUEST,
    REQUEST,
    TEXT_GENERATION_WEBUI,
    TGI_REQUEST,
    VLLM,
    VLLM_DEFAULTS,
    FileKind,
    filtered_by,
    kind_of,
)
from tsoft.input.settings.file_numbers import Numbers
from tsoft.input.settings.parameter_numbers import numbers_of
from tsoft.input.settings.sampler_orders import SamplerOrder, order_of
from tsoft.input.settings.sampling_fields import (
    BANS_END,
    NEUTRAL,
    NOT_AVAILABLE,
    NOVEL_AI_ORDER,
    NOVEL_AI_SAMPLERS,
    OFF_AT_ZERO,
    PARAMETERS,
    PENALTIES_OFF,
    canonical,
    is_setting,
)
from tsoft.input.settings.sequence_breakers import sequence_breakers
from tsoft.input.settings.settings import Settings, SettingsSource
from tsoft.input.settings.settings_choice import settings_choice, shown_paths
from tsoft.input.settings.settings_formats import load
from tsoft.input.settings.settings_search import Place, places
from tsoft.input.settings.text_numbers import lone_companions, mirostat_version
from tsoft.input.settings.token_biases import biases
from tsoft.input.settings.unused_fields import (
    fields_elsewhere,
    foreign_fields,
    known_fields,
    similar_fields,
    texts_elsewhere,
    unused_fields,
)
from tsoft.sampling.sampler_table import SAMPLERS, TAU

# The sampler of each parameter.
_SAMPLER_OF = {parameter.name: sampler.name for sampler in SAMPLERS.values() for parameter in sampler.parameters}
# The parameters of the samplers that also apply if the program takes the most probable token.
_WHEN_GREEDY = frozenset(
    parameter.name for sampler in SAMPLERS.values() if sampler.needs_history for parameter in sampler.parameters
)
# The parameters of the samplers that apply last, without an order that lists them.
_ADAPTIVE = frozenset(("adaptive_target", "adaptive_decay"))


def read(name: str) -> Settings:
    """Read the settings in a file.

    The file is JSON, YAML, a Modelfile of Ollama, a GGUF model, a command, or SamplingParams as Python prints them. The
    object with the settings is found wherever it is. Raise InputError if the file cannot be read, has no settings or
    several objects with settings, or has a field of the wrong type.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    ...     print('{"do_sample": true, "temperature": 0.6, "transformers_version": "5.23.0"}', file=file, flush=True)
    ...     settings = read(file.name)
    >>> settings.values
    (('tau', 0.6), ('top_k', 50.0))
    >>> settings.hidden
    ('transformers applies top_k 50, which the file does not set',)
    """
    return readings(name, [""])[""]


def readings(name: str, engines: Iterable[str]) -> dict[str, Settings]:
    """Return the settings that each engine takes from a file, as `read` does. Engines that do not read such files take
    the settings that the file's own program applies."""
    found = places(name, load(name))
    chosen = settings_choice(found)
    main = chosen.place or _without_settings(found)
    kind = kind_of(main)
    reason = next((NO_SETTINGS[mark] for mark in NO_SETTINGS if mark in main.fields), None)
    if reason and not main.sets_parameters:
        raise InputError(f"{name}: {reason}")
    if chosen.place is None and kind is BARE:
        unknown = similar_fields(found)
        problem = f"no sampling settings; tsoft does not know {joined(unknown)}" if unknown else "no sampling settings"
        raise InputError(f"{name}: {problem}; expected fields such as temperature, top_k, top_p, min_p or logit_bias")
    others = [place for place in found if place not in chosen.copies]
    elsewhere = [*fields_elsewhere(others, main), *texts_elsewhere(found, main, chosen.copies)]
    elsewhere += [f"the same settings are also in {shown_paths(chosen.copies)}"] if chosen.copies else []
    results = {}
    for engine in engines:
        settings = _taken(kind, main, engine) if engine in kind.readers else _settings(kind, main)
        unused = (*settings.unused, *_doubts(found, main, settings), *elsewhere)
        hidden = settings.hidden or _model_defaults(found, main)
        results[engine] = replace(settings, unused=unused, hidden=hidden)
    return results


def _taken(kind: FileKind, place: Place, engine: str) -> Settings:
    """Return the settings that an engine takes from another program's file."""
    taken = {name: value for name, value in place.fields.items() if name in kind.readers[engine]}
    settings = _settings(kind.read_by(engine), replace(place, fields=taken))
    others = [name for name in place.fields if name not in taken and is_setting(canonical(name))]
    sentences = [f"{engine} does not take {joined(others)} from this file"] if others else []
    return replace(settings, unused=(*settings.unused, *sentences))


def _without_settings(found: list[Place]) -> Place:
    """Return the object that shows the kind of a file without settings. A request has the defaults of its server."""
    inner = (place for place in found if kind_of(place) not in (BARE, REQUEST))
    return next(inner, found[0]) if kind_of(found[0]) is REQUEST else found[0]


def _doubts(found: list[Place], main: Place, settings: Settings) -> list[str]:
    """Return sentences about settings that an unknown server may take from elsewhere, or read in another way."""
    kind = kind_of(main)
    if server := filtered_by(main):
        return [f"SillyTavern may not send all of these settings to {server}"]
    if kind is OLLAMA_REQUEST and main.sets_parameters and main.names & {"prompt", "messages"}:
        return ["Ollama's native API reads only options, so it would ignore these settings; tsoft applies them"]
    if kind not in (BARE, REQUEST):
        return []
    sentences = [
        f"{settings.name(name)} 0 keeps only the most probable class; in some programs, 0 is off"
        for name, value in settings.values
        if name in ("top_p", "tfs") and value == 0
    ]
    preset = main.get("preset")
    if kind is REQUEST and isinstance(preset, str) and preset:
        sentences.append(f"preset {shown(preset)} is not applied, since tsoft does not know the server's presets")
    if main.sets_parameters and any(kind_of(place) is OLLAMA_REQUEST for place in found):
        problem = "the request has options; Ollama's native API reads only these, so it would ignore the other settings"
        sentences.append(f"{problem}; tsoft applies them")
    return sentences


def _settings(kind: FileKind, place: Place) -> Settings:
    settings = _of_known_fields(kind, replace(place, fields=known_fields(kind, place)))
    return replace(settings, unused=(*foreign_fields(kind, place), *settings.unused))


def _of_known_fields(kind: FileKind, place: Place) -> Settings:
    numbers = numbers_of(kind, place)
    effective = _effective(numbers.values)
    active = {_SAMPLER_OF[parameter] for parameter in effective} | (effective.keys() & PENALTIES_OFF.keys())
    order, sentences = order_of(kind, place, active)
    settings = _applied(kind, place, numbers, order)
    unused = (*numbers.sentences, *numbers.about_text, *sentences, *settings.unused)
    return _greedy(kind, place, numbers, replace(settings, unused=unused))


def _applied(kind: FileKind, place: Place, numbers: Numbers, order: SamplerOrder) -> Settings:
    """Return the settings that the program applies, with its defaults, and sentences about the others."""
    applied, samplers, reason = _applied_parameters(kind, place, order)
    values = _without_off(_only(numbers.values, applied))
    defaults = {
        name: value for name, value in kind.rules.defaults.items() if name in applied and name not in numbers.values
    }
    # A default has no effect if the parameter that needs it is off.
    for name in lone_companions({**values, **defaults}):
        defaults.pop(name, None)
    values = _without_off({**values, **defaults})
    for parameter, partner in OFF_AT_ZERO.items():
        if partner in defaults and parameter not in values:
            values.pop(partner, None)
    hidden = described(_only(values, defaults))
    effective = _effective(numbers.values)
    unknown = _only(effective, effective.keys() - kind.rules.parameters)
    ignored = _described(_only(effective, kind.rules.parameters - applied), numbers)
    unused = [*_unknown(kind, unknown, numbers)]
    unused += [f"{kind.program} does not apply {ignored}, since {reason}"] if ignored else []
    sentences = (f"{kind.program} applies {hidden}, which the file does not set{kind.rules.unless}",) if hidden else ()
    return Settings(
        SettingsSource(place.file, kind.title, kind.engine, ".".join(place.path)),
        tuple(values.items()),
        tuple(numbers.fields.items()),
        tuple(parameter for parameter in values if parameter in defaults),
        tuple(biases(place)),
        tuple(_only(numbers.idle, applied).items()),
        sequence_breakers(place),
        samplers,
        (*_guesses(kind, place, order, effective), *unused, *unused_fields(place, _idle(numbers, order))),
        sentences,
    )


def _unknown(kind: FileKind, parameters: Mapping[str, float], numbers: Numbers) -> Iterator[str]:
    """Yield sentences about parameters that the program does not know."""
    ends = {name: kind.unlike_older(name) for name in parameters}
    for end in sorted(set(ends.values())):
        found = _only(parameters, [name for name in parameters if ends[name] == end])
        yield f"{kind.program} does not know {_described(found, numbers)}{end}"


def _described(parameters: Mapping[str, float], numbers: Numbers) -> str:
    """Return parameters and their numbers as a list in words, with the file's names of those that depend on the text,
    which differ from program to program."""
    names = {name: numbers.fields.get(name, name) if name in _WHEN_GREEDY else name for name in parameters}
    return described({names[name]: value for name, value in parameters.items()})


def _applied_parameters(
    kind: FileKind, place: Place, order: SamplerOrder
) -> tuple[frozenset[str], tuple[str, ...] | None, str]:
    """Return the parameters that the program applies, its samplers in order, and why it does not apply the others."""
    rules = kind.rules
    version = mirostat_version(place) if rules.mirostat_keeps else 0
    if version:
        kept = (*rules.mirostat_keeps, *["mirostat"] * (version == 2))
        # The plain temperature remains, without a range.
        parameters = frozenset(name for name in rules.parameters if _SAMPLER_OF[name] in kept)
        reason = f"mirostat {version} replaces the other samplers"
        return parameters - {"dynatemp_range", "dynatemp_exponent"}, kept, reason
    samplers = order.applicable
    if samplers is None and kind.engine == "llama.cpp":
        return rules.parameters - _ADAPTIVE, samplers, "its default order does not list adaptive_p"
    # Only the file's samplers apply. Without a program, the caller names the parameters that have no sampler.
    if samplers is None or order.field != rules.order or order.field == "sampler_priority":
        return rules.parameters, samplers, ""
    applied = frozenset(name for name in rules.parameters if _SAMPLER_OF[name] in samplers)
    if kind is NOVEL_AI:
        return applied, samplers, "order switches on only other samplers"
    return applied, samplers, "it applies only the file's samplers"


def _guesses(kind: FileKind, place: Place, order: SamplerOrder, effective: Mapping[str, float]) -> list[str]:
    """Return sentences about names of samplers that do not exist, about samplers that tsoft does not have, and about
    the samplers next to mirostat if the program is unknown."""
    sentences = []
    if order.unknown:
        program = kind.program or "tsoft"
        sentences.append(f"{program} has no sampler called {' or '.join(order.unknown)}, so it skips the name")
    if "infill" in (order.samplers or ()):
        sentences.append(f"the sampler infill {BANS_END}")
    target = place.get("mirostat_tau") if kind is NOVEL_AI and "mirostat" in (order.samplers or ()) else None
    if target is not None and (goal := number(target, f"{place.where}: mirostat_tau")) > 0:
        sentences.append(f"mirostat_tau {goal:g} is not applied, since tsoft does not know NovelAI's mirostat")
    least = place.get("min_keep")
    if least is not None and (count := number(least, f"{place.where}: min_keep")) > 1:
        sentences.append(f"min_keep {count:g} {NOT_AVAILABLE}")
    others = {_SAMPLER_OF[name] for name in effective} - {"temperature", "mirostat"}
    if "mirostat_tau" in effective and others and not kind.rules.mirostat_keeps and kind is not TEXT_GENERATION_WEBUI:
        other = "llama.cpp applies no other sampler but the temperature with it"
        sentences.append(f"tsoft applies mirostat 2 together with the other samplers; {other}")
    return sentences


def _idle(numbers: Numbers, order: SamplerOrder) -> frozenset[str]:
    """Return the fields that have no effect because of another field, whatever their numbers."""
    idle = set(() if numbers.values.get("smoothing_factor", 0.0) > 0 else ("smoothing_curve",))
    if order.field == NOVEL_AI_ORDER:
        idle.update(*(fields for sampler, fields in NOVEL_AI_SAMPLERS.items() if sampler not in (order.samplers or ())))
    return frozenset(idle)


def _model_defaults(found: list[Place], main: Place) -> tuple[str, ...]:
    """Return a sentence about the settings that vLLM takes from the model because the request, or the command that
    starts it, does not set them."""
    is_of_server = "vllm" in main.path or {"model", "messages", "prompt"} & (main.names | main.around)
    # With this generation_config, vLLM has only its own defaults, which have no effect.
    if (
        kind_of(main) is not VLLM
        or not is_of_server
        or any(place.get("generation_config") == "vllm" for place in found)
    ):
        return ()
    missing = [field for field in PARAMETERS if field in VLLM_DEFAULTS and main.get(field) is None]
    # A request does not show how the server was started.
    unless = "" if "vllm" in main.path else ", unless it runs with --generation-config vllm"
    source = f"the model's generation_config.json if it sets them{unless}"
    return (f"vLLM takes {joined(missing)} from {source}",) if missing else ()


def _greedy(kind: FileKind, place: Place, numbers: Numbers, settings: Settings) -> Settings:
    """Return the settings of a program that takes the most probable token unless do_sample is true, or decoding_method
    is not greedy."""
    value = place.get("do_sample")
    samples = None if value is None else boolean(value, f"{place.where}: do_sample")
    field, reason = "do_sample", "do_sample is not true"
    if place.get("decoding_method") == "greedy":
        samples, field, reason = False, "decoding_method", "decoding_method is greedy"
    if not kind.rules.reads_do_sample:
        sentences = [f"{kind.program} does not know {field}"] * (samples is False)
        return replace(settings, unused=(*sentences, *settings.unused))
    effective = _effective(numbers.values)
    penalties = _only(effective, _WHEN_GREEDY)
    effective = _only(effective, effective.keys() - _WHEN_GREEDY)
    samplers = _only(effective, kind.rules.parameters)
    if samples or (samples is None and kind not in (GENERATION_CONFIG, TGI_REQUEST)):
        return settings
    if kind is TGI_REQUEST and samplers:
        sentence = f"{kind.program} samples although do_sample is not true, because of {described(samplers)}"
        return replace(settings, unused=(sentence, *settings.unused))
    owner = kind.program or "the program"
    greedy = f"{reason}, so {owner} takes the most probable token"
    ignored = described(effective)
    unknown = _described(_only(penalties, penalties.keys() - kind.rules.parameters), numbers)
    sentences = [f"{greedy} and ignores {ignored}" if ignored else greedy]
    sentences += [f"{owner} does not know {unknown}"] if unknown else []
    values = {TAU.name: 0.0, **_only(dict(settings.values), _WHEN_GREEDY)}
    unused = (*sentences, *numbers.about_text, *unused_fields(place))
    return replace(settings, values=tuple(values.items()), defaults=(), samplers=None, unused=unused, hidden=())


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
    lone = lone_companions(parameters)
    return {
        parameter: value
        for parameter, value in _without_off(parameters).items()
        if NEUTRAL.get(parameter) != value and parameter not in lone
    }
