"""JSON values: parsing, their location in a source, and checks of their kind."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeGuard

from tsoft.errors import InputError, shortened
from tsoft.input.json_problems import (
    SURROGATE,
    TOO_DEEP,
    JsonError,
    documents_fix,
    json_fix,
    json_problem,
    lone_surrogate,
    names_rest,
)
from tsoft.input.read_options import ReadOptions
from tsoft.input.utf8 import decode_text

Object = dict[str, Any]
# The infinities, which are strings because JSON has no numbers for them.
INFINITIES = {
    f"{sign}{name}": float(f"{sign}inf")
    for sign in ("", "-", "+")
    for name in ("inf", "Inf", "INF", "Infinity", "INFINITY")
}


@dataclass(frozen=True)
class Location:
    """A location in a source, for messages: the source, and the parts of the path in it."""

    source: str
    parts: tuple[str, ...] = ()

    def at(self, *parts: str) -> "Location":
        """Return a location inside this one."""
        return Location(self.source, self.parts + parts)

    def outside(self, part: str) -> "Location":
        """Return the location without its last part, if this is `part`."""
        return Location(self.source, self.parts[:-1]) if self.parts[-1:] == (part,) else self

    def error(self, problem: str) -> InputError:
        """Return an error at this location."""
        return InputError(self.message(problem))

    def message(self, text: str) -> str:
        """Return a message about this location.

        >>> Location("FILE").at("choice 0").at("token 2", "logprob").message("missing")
        'FILE: choice 0, token 2, logprob: missing'
        """
        return f"{self.place}: {text}"

    @property
    def place(self) -> str:
        """The location as text.

        >>> Location("FILE").at("choice 0", "token 2").place
        'FILE: choice 0, token 2'
        """
        return f"{self.source}: {', '.join(self.parts)}" if self.parts else self.source


def json_path(parts: Iterable[str | int]) -> str:
    """Return a path of names and indices as text.

    >>> json_path(("choices", 0, "logprobs"))
    'choices[0].logprobs'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


@dataclass(frozen=True)
class RepeatedNames:
    """A JSON object with repeated names."""

    pairs: list[tuple[str, Any]]

    def problem(self) -> str:
        """Return the problem with an object that must not repeat a name."""
        counts = Counter(name for name, _ in self.pairs)
        return f"an object has the name {shortened(counts.most_common(1)[0][0])!r} twice; write each name once"


def parsed_json(data: bytes, options: ReadOptions, line: int) -> Any:
    """Parse a JSON text that starts on that line. NaN and the infinities of Python and JavaScript are allowed. Raise
    InputError, also for an object with repeated names."""
    value, repeated = _parsed(data, options, line)
    if repeated:
        raise options.error(line, repeated[0].problem())
    return value


def parsed_rows(data: bytes, options: ReadOptions, line: int) -> Any:
    """Parse a JSON text as `parsed_json` does, except that labels may repeat: the value, or an element of an array, may
    be RepeatedNames without arrays and objects in it."""
    try:
        value, repeated = _parsed(data, options, line)
    except JsonError as error:
        fix = documents_fix(data, has_rest=error.has_rest)
        raise JsonError(f"{error}{fix}", has_rest=error.has_rest, has_fix=error.has_fix or bool(fix)) from None
    if repeated:
        elements = value if isinstance(value, list) else [value]
        rows = {id(element) for element in elements if isinstance(element, RepeatedNames)}
        for names in repeated:
            if id(names) not in rows or any(isinstance(v, list | dict | RepeatedNames) for _, v in names.pairs):
                raise options.error(line, names.problem())
    return value


def _parsed(data: bytes, options: ReadOptions, line: int) -> tuple[Any, list[RepeatedNames]]:
    """Return the value of a JSON text, and its objects with repeated names."""
    import orjson

    try:
        value = orjson.loads(data)
        if not _may_repeat_names(data, value):
            return value, []
    except RecursionError:
        raise options.error(line, TOO_DEEP) from None
    except orjson.JSONDecodeError as error:
        if "UTF-8" in error.msg or b"\0" in data:
            decode_text(data, options.source, line)
        if json_problem(error.msg) == TOO_DEEP or (b"Infinity" not in data and b"NaN" not in data):
            raise _json_error(error, data, options, line) from None
    return _parsed_slowly(data, options, line)


def _json_error(error: json.JSONDecodeError, data: bytes, options: ReadOptions, line: int) -> JsonError:
    """Return a parser's error in a text that starts on that line, with its fix."""
    fix = json_fix(data)
    located = options.error(line + error.lineno - 1, json_problem(error.msg) + fix)
    return JsonError(str(located), has_rest=names_rest(error.msg), has_fix=bool(fix))


def _may_repeat_names(data: bytes, value: Any) -> bool:
    """Return whether objects of a JSON text may have lost repeated names in its value, of which orjson keeps the last.

    Each lost name takes at least its colon with it, and an escape may hide a colon.
    """
    import orjson

    if b":" not in data:
        return False
    if b"\\u003a" in data or b"\\u003A" in data:
        return True
    try:
        return data.count(b":") != orjson.dumps(value).count(b":")
    except orjson.JSONEncodeError:
        # orjson reads deeper values than it writes.
        return True


def _parsed_slowly(data: bytes, options: ReadOptions, line: int) -> tuple[Any, list[RepeatedNames]]:
    """Return the same with a parser that keeps repeated names, and reads NaN and the infinities."""
    repeated: list[RepeatedNames] = []

    def from_pairs(pairs: list[tuple[str, Any]]) -> Any:
        names = dict(pairs)
        if len(names) == len(pairs):
            return names
        repeated.append(RepeatedNames(pairs))
        return repeated[-1]

    error_line = 1
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=from_pairs, parse_float=_finite)
        # orjson refuses a lone surrogate, too.
        if (position := lone_surrogate(data)) is None:
            return value, repeated
        problem, error_line = SURROGATE, 1 + data.count(b"\n", 0, position)
    except json.JSONDecodeError as error:
        raise _json_error(error, data, options, line) from None
    except RecursionError:
        problem = TOO_DEEP
    except OverflowError:
        problem = json_problem("number is infinity")
    except ValueError:
        problem = json_problem("a number that is too long")
    raise options.error(line + error_line - 1, problem)


def _finite(text: str) -> float:
    """Parse a number. Raise OverflowError if it is too large for a float, which orjson refuses, too."""
    value = float(text)
    if math.isinf(value):
        raise OverflowError
    return value


def described(value: object) -> str:
    """Return a JSON value in words for a message: its kind if it is an array or object, else the value itself.

    >>> described([1]), described(None), described("x")
    ('an array', 'null', '"x"')
    """
    if isinstance(value, list):
        return "an array"
    if value is None or isinstance(value, str | int | float):
        return shortened(json.dumps(value, ensure_ascii=False))
    return "an object"


def as_object(value: object, location: Location) -> Object:
    if not isinstance(value, dict):
        raise location.error(f"expected an object, got {described(value)}")
    return value


def as_list(value: object, location: Location) -> list[Any]:
    if not isinstance(value, list):
        raise location.error(
            "missing; expected an array" if value is None else f"expected an array, got {described(value)}"
        )
    return value


def is_index(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
