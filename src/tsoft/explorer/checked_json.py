"""Strict access to the values of a JSON text that is not trusted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NoReturn

from tsoft.errors import shortened, unknown, visible
from tsoft.input.json_values import Location

# JSON has no numbers for the infinities.
_INFINITIES = {"inf": inf, "-inf": -inf}


@dataclass(frozen=True)
class CheckedJson:
    """A JSON value, and its location for messages. Each method raises InputError for a value of another kind."""

    where: Location
    value: Any

    @classmethod
    def parsed(cls, data: bytes, source: str) -> "CheckedJson":
        """Return the value of a text. Raise InputError if it is not strict JSON in UTF-8, without repeated names."""
        where = Location(source)
        try:
            value = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
        except UnicodeDecodeError:
            raise where.error("not UTF-8 text") from None
        except RecursionError:
            raise where.error("not a saved state: nested too deeply") from None
        except ValueError as error:
            raise where.error(f"not valid JSON: {visible(str(error))}") from None
        return cls(where, value)

    def fields(self, *names: str) -> "list[CheckedJson]":
        """Return the values of an object that has exactly these names."""
        if not isinstance(self.value, dict):
            self.refuse("expected an object")
        for name in self.value:
            if name not in names:
                self.refuse(unknown("field", shortened(visible(name)), names))
        for name in names:
            if name not in self.value:
                self.refuse(f"the field {name!r} is missing")
        return [CheckedJson(self.where.at(name), self.value[name]) for name in names]

    def items(self, count: int | None = None) -> "list[CheckedJson]":
        """Return the values of an array, of `count` values unless that is None."""
        if not isinstance(self.value, list) or count not in (None, len(self.value)):
            self.refuse("expected an array" if count is None else f"expected an array of {count} values")
        return [CheckedJson(self.where.at(f"item {i}"), value) for i, value in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.refuse("expected a text")
        # JSON can escape half of a pair of surrogates, which no terminal and no file can show.
        if any("\ud800" <= character <= "\udfff" for character in self.value):
            self.refuse("the text contains a lone surrogate")
        return self.value

    def choice(self, names: Sequence[str]) -> str:
        if self.text() not in names:
            self.refuse(f"expected one of {', '.join(names)}, got {shortened(visible(self.value))!r}")
        return self.text()

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.refuse("expected true or false")
        return self.value

    def whole(self, stop: int) -> int:
        """Return a whole number from 0 and below `stop`."""
        if type(self.value) is not int or not 0 <= self.value < stop:
            self.refuse(f"expected a whole number from 0 to {stop - 1}")
        return self.value

    def number(self) -> float:
        """Return a number, or an infinity from its text."""
        if isinstance(self.value, str) and self.value in _INFINITIES:
            return _INFINITIES[self.value]
        if type(self.value) not in (int, float):
            self.refuse('expected a number, "inf" or "-inf"')
        try:
            number = float(self.value)
        except OverflowError:
            number = inf
        # Python reads 1e999 as inf.
        if abs(number) == inf:
            self.refuse("the number is too large")
        return number

    def refuse(self, problem: str) -> NoReturn:
        raise self.where.error(problem)


def number_value(number: float) -> float | str:
    """Return a number as a value for JSON: an infinity is a text."""
    return number if abs(number) < inf else "inf" if number > 0 else "-inf"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object repeats a name")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
