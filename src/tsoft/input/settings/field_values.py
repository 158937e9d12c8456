"""The values of fields: numbers and booleans, also as strings, and their description in messages."""

import math
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from tsoft.errors import InputError, joined, shortened

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False, "1": True, "0": False}


def number(value: object, where: str) -> float:
    """Return a number, which may be written as a string. Raise InputError for other values.

    >>> number("0.7", "settings.json: temp")
    0.7
    """
    result = number_or_none(value)
    if result is None:
        raise InputError(f"{where}: expected a number, got {type_of(value)}")
    if not math.isfinite(result):
        raise InputError(f"{where}: expected a finite number, got {result:g}")
    return result


def number_or_none(value: object) -> float | None:
    """Return a number, which may be written as a string; None for other values.

    >>> number_or_none("1e-3"), number_or_none(True), number_or_none("x")
    (0.001, None, None)
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer of more than 1024 bits
        return math.inf


def boolean(value: object, where: str) -> bool:
    """Return a boolean, which may be written as a string or as 0 or 1. Raise InputError for other values.

    >>> boolean("false", "settings.json: do_sample")
    False
    """
    text = value.strip().lower() if isinstance(value, str) else str(value).lower()
    if isinstance(value, list | dict) or text not in _BOOLEANS:
        raise InputError(f"{where}: expected true or false, got {type_of(value)}")
    return _BOOLEANS[text]


def type_of(value: object) -> str:
    """Return a value with its type, in words for a message.

    >>> type_of("0.9"), type_of([0.9])
    ('the string "0.9"', 'an array')
    """
    if value is None or isinstance(value, list | dict):
        return "null" if value is None else "an array" if isinstance(value, list) else "an object"
    kinds = {str: "string", bool: "boolean", int: "number", float: "number"}
    return f"the {kinds.get(type(value), 'value')} {shown(value)}"


def shown(value: object) -> str:
    """Return a string, number, boolean or array as JSON, shortened if it is long."""
    import json

    return shortened(json.dumps(value, ensure_ascii=False, default=str))


def described(numbers: Mapping[str, Any]) -> str:
    """Return names and their numbers as a list in words.

    >>> described({"tau": 0.8, "top_k": 40, "min_p": 0.05})
    'temperature 0.8, top_k 40 and min_p 0.05'
    """
    return joined([f"{'temperature' if name == 'tau' else name} {value:g}" for name, value in numbers.items()])


def unique(pairs: Iterable[tuple[Hashable, Any]], where: str) -> dict[str, Any]:
    """Return a dict of the pairs. Raise InputError if a key has two different values."""
    result: dict[str, Any] = {}
    for key, value in pairs:
        name = key if isinstance(key, str) else str(key)
        if name in result and repr(result[name]) != repr(value):
            both = f"{shown(result[name])} and {shown(value)}"
            raise InputError(f"{where}: {shortened(name)!r} is set twice, to {both}; remove one of them")
        result[name] = value
    return result
