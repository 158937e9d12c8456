"""Sentences about the settings in a file that tsoft cannot apply."""

from collections.abc import Iterator, Sequence
from typing import Any

from tsoft.errors import InputError, joined, shortened
from tsoft.input.settings.field_values import number_or_none, type_of
from tsoft.input.settings.file_kinds import COHERE, SILLY_TAVERN, FileKind, kind_of
from tsoft.input.settings.sampling_fields import (
    APPLIED,
    BIAS_FIELDS,
    COHERE_PARAMETERS,
    PARAMETER_NAMES,
    PARAMETERS,
    UNUSED,
    UnusedFields,
    canonical,
    is_setting,
    resembles_setting,
    similar_parameter,
    without_prefix,
)
from tsoft.input.settings.settings_search import Place
from tsoft.input.settings.text_numbers import has_effect
from tsoft.input.settings.texts import UNEXPANDED, mentions_settings
from tsoft.sampling.sampler_table import SAMPLERS

# The parameters that no program has in its files, and their options.
_OPTIONS = {
    parameter.name: parameter.option
    for sampler in SAMPLERS.values()
    for parameter in sampler.parameters
    if parameter.name not in PARAMETER_NAMES.keys() | BIAS_FIELDS
}


def unused_fields(place: Place, idle: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield sentences about fields that tsoft cannot apply, or does not know, without those that have no effect. The
    fields in `idle` have none, whatever their values."""
    kind = kind_of(place)
    for row in UNUSED:
        companions = _companions(place, row)
        for field in row.fields:
            for name in place.named(field) if field not in idle else ():
                value = _value(place, name, row)
                # SillyTavern has {} for no schema.
                if not (row.is_neutral(value) or (kind is SILLY_TAVERN and value == {})):
                    yield f"{_with_value(name, value, row)}{companions} {row.reason}"
                    companions = ""
    for name in place.fields if place.sets_parameters and kind is not COHERE else ():
        if name in COHERE_PARAMETERS and number_or_none(place.fields[name]) is not None:
            yield f"{_unknown(name, place.fields[name])}; did you mean {COHERE_PARAMETERS[name]}?"
    if isinstance(words := place.fields.get(UNEXPANDED), list):
        yield f"tsoft does not expand {joined(list(map(str, words)))}, which may contain other settings"
    for name, value in place.fields.items():
        field = canonical(name)
        if field in _OPTIONS:
            if value is not False:
                reason = "is not applied, since tsoft takes it only as an option"
                yield f"{_with_value(name, value)} {reason}; pass {_OPTIONS[field]}"
        elif resembles_setting(field, value) and value not in ("", []) and not _has_settings(name, value):
            similar = similar_parameter(field)
            hint = f"; did you mean {similar}?" if similar else ""
            yield f"{_unknown(name, value)}{hint}"


def similar_fields(places: list[Place]) -> list[str]:
    """Return the fields with a number whose names, which tsoft does not know, resemble those of settings."""
    pairs = [(name, value) for place in places for name, value in place.fields.items()]
    found = [
        name for name, value in pairs if number_or_none(value) is not None and resembles_setting(canonical(name), value)
    ]
    return list(dict.fromkeys(found))[:5]


def known_fields(kind: FileKind, place: Place) -> dict[str, Any]:
    """Return the fields without those that tsoft applies only for other programs. Fields of parameters that the program
    lacks under any name remain: sentences about them need the effect of their numbers."""
    fields, lacking = kind.rules.fields, PARAMETER_NAMES.keys() - kind.rules.parameters
    return {
        name: value
        for name, value in place.fields.items()
        if (field := canonical(name)) not in APPLIED - fields or PARAMETERS.get(field) in lacking
    }


def foreign_fields(kind: FileKind, place: Place) -> Iterator[str]:
    """Yield a sentence about the fields that are not among the `known_fields`, without those that have no effect."""
    known = known_fields(kind, place)
    numbers = [
        (PARAMETERS.get(canonical(name)), number_or_none(value))
        for name, value in known.items()
        if canonical(name) in PARAMETERS
    ]
    found = [
        _with_value(name, value)
        for name, value in place.fields.items()
        if name not in known
        and not _is_idle(canonical(name), value)
        # A request to any of several programs has the same number under the names of each.
        and (PARAMETERS.get(canonical(name)), number_or_none(value)) not in numbers
    ]
    if found:
        yield f"{kind.program} does not know {joined(found)}"


def texts_elsewhere(places: list[Place], settings: Place, copies: Sequence[Place]) -> Iterator[str]:
    """Yield sentences about texts with settings, which are not read if an object has some. The copies have the same
    settings, perhaps in other texts."""
    where = ".".join(settings.path) or "the outermost object"
    for place in places:
        for name, value in place.fields.items():
            path = (*place.path, name)
            is_read = any(read.path[: len(path)] == path for read in (settings, *copies))
            if not is_read and mentions_settings(name, value):
                yield f"the settings in {'.'.join(path)} are not applied, since {where} has settings"


def fields_elsewhere(places: list[Place], settings: Place) -> Iterator[str]:
    """Yield sentences about settings in other objects than the one whose settings apply."""
    where = ".".join(settings.path) or "the outermost object"
    for place in places:
        if place is settings:
            continue
        path = f"{'.'.join(place.path)}: " if place.path else ""
        yield from (f"{path}{sentence}" for sentence in unused_fields(place))
        for name, value in place.fields.items():
            field = canonical(name)
            is_unused = any(field in row.fields for row in UNUSED)
            # An object may have the name of a setting.
            is_object = isinstance(value, dict) and field not in BIAS_FIELDS
            if is_setting(field) and not is_unused and not is_object and not _is_idle(field, value):
                yield f"{path}{_with_value(name, value)} is not applied, since it is not in {where}"


def _is_idle(field: str, value: Any) -> bool:
    return value in ("", [], {}, False) or not has_effect(field, value)


def _has_settings(name: str, value: Any) -> bool:
    """Whether a value is an object that may have settings, which are found elsewhere, or is empty, or a text with
    settings."""
    if not isinstance(value, dict):
        return mentions_settings(name, value)
    fields = value.items()
    return not value or any(isinstance(item, dict | list) or is_setting(canonical(str(key))) for key, item in fields)


def _unknown(name: str, value: Any) -> str:
    return f"{_with_value(name, value)} is not applied, since tsoft does not know this field"


def _companions(place: Place, row: UnusedFields) -> str:
    """Return the fields that go with those of a row, in parentheses."""
    found = [_with_value(name, value) for name, value in place.fields.items() if canonical(name) in row.companions]
    return f" (with {', '.join(found)})" if found else ""


def _value(place: Place, name: str, row: UnusedFields) -> Any:
    """Return the value of a field; a number, if the neutral values are numbers. Raise InputError for other values."""
    value = place.fields[name]
    if not any(isinstance(neutral, float) for neutral in row.neutrals) or isinstance(value, bool | dict):
        return value
    result = number_or_none(value)
    if result is None:
        raise InputError(f"{place.where}: {name}: expected a number, got {type_of(value)}")
    return result


def _with_value(name: str, value: Any, row: UnusedFields | None = None) -> str:
    """Return a field with its value if that is a number or a boolean; texts and arrays may be long."""
    result = number_or_none(value)
    # A token's id and a flag are no quantities.
    is_quantity = row is None or any(isinstance(neutral, float) for neutral in row.neutrals)
    shown = shortened(without_prefix(name))
    if row is None and isinstance(value, bool):
        return f"{shown} {str(value).lower()}"
    return f"{shown} {result:g}" if result is not None and is_quantity else shown
