"""The choice of the object whose sampling settings apply, among those that have some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tsoft.errors import InputError, shortened
from tsoft.input.settings.field_values import number_or_none, shown
from tsoft.input.settings.file_kinds import OLLAMA_REQUEST, RISU_AI, ProgramRules, kind_of
from tsoft.input.settings.sampling_fields import NEUTRAL, PARAMETERS, canonical, is_setting, may_be_setting
from tsoft.input.settings.settings_search import Place

# The objects in SillyTavern's settings.json, by its main_api.
_SILLY_TAVERN_OBJECTS = {
    "textgenerationwebui": "textgenerationwebui_settings",
    "kobold": "kai_settings",
    "koboldhorde": "kai_settings",
    "novel": "nai_settings",
    "openai": "oai_settings",
}


@dataclass(frozen=True)
class SettingsChoice:
    """The object whose settings apply, None if no object has any, and the other objects with the same settings."""

    place: Place | None
    copies: tuple[Place, ...] = ()


def settings_choice(places: list[Place]) -> SettingsChoice:
    """Return the object with the settings. Raise InputError if several objects have different ones, or if that of
    SillyTavern's main_api has none."""
    candidates = _candidates(places)
    if not candidates:
        has_setting = (place for place in places if any(is_setting(canonical(name)) for name in place.fields))
        return SettingsChoice(next(has_setting, None))
    first, *others = candidates
    settings = _effective_settings(first)
    if any(_effective_settings(place) != settings for place in others):
        problem = f"several objects have sampling settings: {_shown_with_settings(candidates)}"
        raise InputError(f"{first.file}: {problem}; save one of them as a separate file")
    return SettingsChoice(first, tuple(others))


def _candidates(places: list[Place]) -> list[Place]:
    """Return the objects whose settings a program may apply, outermost first."""
    by_path = {place.path: place for place in places}
    candidates = [_options_of_ollama(by_path, place) or place for place in places if place.sets_parameters]
    # A preset of RisuAI also has objects for single servers.
    presets = [place for place in candidates if kind_of(place) is RISU_AI]
    candidates = [place for place in candidates if not any(_is_inside(place, preset) for preset in presets)]
    return list({place.path: place for place in _of_main_api(places, candidates)}.values())


def _of_main_api(places: list[Place], candidates: list[Place]) -> list[Place]:
    """Return the candidates to which SillyTavern's main_api applies; all, if there is no such field. Raise InputError
    if it applies to an object without settings."""
    outer = next((place for place in places if str(place.fields.get("main_api")) in _SILLY_TAVERN_OBJECTS), None)
    # In older versions, the settings are next to main_api.
    if outer is None or not candidates or outer in candidates:
        return candidates
    api = str(outer.fields["main_api"])
    name = _SILLY_TAVERN_OBJECTS[api]
    if chosen := [place for place in candidates if name in place.path]:
        return chosen
    problem = f"main_api is {api!r}, but {name} has no sampling settings that tsoft knows"
    raise InputError(f"{outer.file}: {problem}; save the object with the settings as a separate file")


def _is_inside(place: Place, outer: Place) -> bool:
    return len(place.path) > len(outer.path) and place.path[: len(outer.path)] == outer.path


def _options_of_ollama(by_path: Mapping[tuple[str, ...], Place], place: Place) -> Place | None:
    """Return the options of a request to Ollama's own API, which reads no settings outside of them; None for other
    objects."""
    options = by_path.get((*place.path, "options"))
    if options is None or not place.names & {"prompt", "messages"}:
        return None
    has_field = OLLAMA_REQUEST.matches(place.names | options.names)
    # Without such a field, only options with settings show that the request is one to Ollama.
    return options if has_field or (options.sets_parameters and kind_of(options) is OLLAMA_REQUEST) else None


def _effective_settings(place: Place) -> tuple[ProgramRules, dict[str, Any]]:
    """Return the rules of the program and the settings of an object, without those that have no effect."""
    rules = kind_of(place).rules
    fields = _setting_fields(place).items()
    return rules, {name: value for name, value in fields if not _is_idle(name, value, rules)}


def _is_idle(name: str, value: Any, rules: ProgramRules) -> bool:
    """Whether a field sets a parameter to a number without effect. In place of the default of a program, every number
    has an effect."""
    neutral = NEUTRAL.get(PARAMETERS.get(name, ""))
    return neutral is not None and number_or_none(value) == neutral and not rules.defaults


def _setting_fields(place: Place) -> dict[str, Any]:
    return {canonical(name): value for name, value in place.fields.items() if may_be_setting(canonical(name), value)}


def shown_paths(places: Sequence[Place]) -> str:
    """Return the paths of objects, as a list."""
    return _listed([_shown_path(place) for place in places], 5)


def _shown_with_settings(places: list[Place]) -> str:
    """Return the paths of objects, each with those of its settings that not all of the objects have."""
    shown_places = []
    settings = [_setting_fields(place) for place in places]
    for place, fields in zip(places, settings, strict=True):
        differing = [
            _shown_setting(name, value)
            for name, value in fields.items()
            if any(name not in other or other[name] != value for other in settings)
        ]
        shown_places.append(_shown_path(place) + f" ({_listed(differing, 3)})" * bool(differing))
    return _listed(shown_places, 5)


def _shown_setting(name: str, value: Any) -> str:
    result = number_or_none(value)
    return f"{shortened(name)} {shown(value) if result is None else f'{result:g}'}"


def _shown_path(place: Place) -> str:
    return ".".join(place.path) or "the outermost one"


def _listed(texts: list[str], most: int) -> str:
    return ", ".join(texts[:most]) + ", …" * (len(texts) > most)
