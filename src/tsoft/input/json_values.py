"""JSON values: parsing, their location in a source, and checks of their kind."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeGuard

from tsoft.errors import InputError, shortened
from tsoft.input.json_problems import SURROGATE, TOO_DEEP, json_problem, lone_surrogate
from tsoft.input.read_options import ReadOptions
from tsoft.input.utf8 import decode_text

Object = dict[str, Any]


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
        parts = f"{', '.join(self.parts)}: " if self.parts else ""
        return f"{self.source}: {parts}{text}"


def json_path(parts: Iterable[str | int]) -> str:
    """Return a path of names and indices as text.

    >>> json_path(("choices", 0, "logprobs"))
    'choices[0].logprobs'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


def parsed_json(data: bytes, options: ReadOptions, line: int) -> Any:
    """Parse a JSON text that starts on that line. NaN and the infinities of Python and JavaScript are allowed. Raise
    InputError."""
    import orjson

    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "UTF-8" in error.msg:
            decode_text(data, options.source, line)
        problem, error_line = json_problem(error.msg), error.lineno
    if problem != TOO_DEEP and (b"Infinity" in data or b"NaN" in data):
        try:
            value = json.loads(data)
            if (position := lone_surrogate(data)) is None:
                return value
            problem, error_line = SURROGATE, 1 + data.count(b"\n", 0, position)
        except json.JSONDecodeError as error:
            problem, error_line = json_problem(error.msg), error.lineno
        except RecursionError:
            problem = TOO_DEEP
        except ValueError:
            problem = json_problem("a number that is too long")
    raise options.error(line + error_line - 1, problem)


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
