"""The sequence breakers of DRY in a file."""

from typing import Any

from tsoft.errors import InputError
from tsoft.input.settings.field_values import type_of
from tsoft.input.settings.sampling_fields import BREAKER_FIELD
from tsoft.input.settings.settings_search import Place


def sequence_breakers(place: Place) -> tuple[str, ...] | None:
    """Return the texts at which a repeated sequence ends; None if the file does not set them. Raise InputError.

    The field is an array, or a string with an array as JSON, with or without its brackets: text-generation-webui and
    SillyTavern have a string. Empty texts have no effect.
    """
    value = place.get(BREAKER_FIELD)
    if value is None:
        return None
    texts = _parsed(value) if isinstance(value, str) else value
    where = f"{place.where}: {BREAKER_FIELD}"
    if not isinstance(texts, list):
        raise InputError(f"{where}: expected an array of texts, got {type_of(value)}")
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"{where}: expected an array of texts, got {type_of(text)} in it")
    return tuple(text for text in texts if text)


def _parsed(text: str) -> Any:
    """Return the array in a string; None if it has none."""
    import json

    text = text.strip()
    try:
        return json.loads(text if text.startswith("[") else f"[{text}]")
    except (ValueError, RecursionError):
        return None
