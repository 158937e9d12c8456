"""Environment variables, in the ways in which a file sets them for a command."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from tsoft.input.settings.sampling_fields import canonical, names

# The names of fields with variables, as `canonical` writes them.
_FIELDS = names("env environment")
_ASSIGNMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)
# A command that sets one variable, in PowerShell, Windows, fish and csh.
_COMMAND = re.compile(r"(?:\$env:|@?set(?:env)?(?: -\S+)* )(\w+)(?: ?= ?| )(.*)", re.IGNORECASE | re.DOTALL)
# A word that stands for others: a variable, a macro of llama-swap, the arguments of a script, or another command.
_NAME = re.compile(r"\$(\w+)|\$[{(](\w+)[})]|%(\w+)%")
_UNEXPANDED = re.compile(rf"{_NAME.pattern}|\$([@*]|\(.*\)|\{{.*\}})", re.DOTALL)


def set_by(words: Sequence[str]) -> dict[str, str] | None:
    """Return the variables that a command only sets; None for other commands.

    >>> set_by(["export", "A=1", "B=2"]), set_by(["$env:A", "=", "1"]), set_by(["set", "-gx", "A", "1"])
    ({'A': '1', 'B': '2'}, {'A': '1'}, {'A': '1'})
    >>> set_by(["set", "-e"]), set_by(["A=1", "llama-server"])
    (None, None)
    """
    if (found := assigned(words[words[:1] == ["export"] :])) is not None:
        return found
    command = _COMMAND.fullmatch(" ".join(words))
    return {command[1]: command[2]} if command else None


def assigned(words: Sequence[str]) -> dict[str, str] | None:
    """Return the variables in words such as A=1; None if there are none, or other words."""
    matches = [_ASSIGNMENT.fullmatch(word) for word in words]
    return {match[1]: match[2] for match in matches if match} if matches and all(matches) else None


def expanded(word: str, variables: Mapping[str, str]) -> list[str]:
    """Return the words for which the name of a variable stands; other words as they are.

    >>> expanded("$TOP", {"TOP": "--top-k 3"}), expanded("${T}", {"T": '{"top_k": 3}'}), expanded("$A", {})
    (['--top-k', '3'], ['{"top_k": 3}'], ['$A'])
    """
    match = _NAME.fullmatch(word)
    if not match or (value := variables.get(match[match.lastindex or 0])) is None:
        return [word]
    try:
        return shlex.split(value) if value.startswith("-") else [value]
    except ValueError:
        return [word]


def is_unexpanded(word: str) -> bool:
    """Whether a word stands for others that `expanded` cannot find: the file does not show them, or it is not only a
    name.

    >>> is_unexpanded("${args}"), is_unexpanded("$HOME/bin/x")
    (True, False)
    """
    return bool(_UNEXPANDED.fullmatch(word))


def is_environment(name: str) -> bool:
    """Whether a field has the name of one with variables."""
    return canonical(name) in _FIELDS


def environment(value: Any) -> Any:
    """Return the variables in the value of a field as an object; other values as they are. Docker Compose and
    Kubernetes have lists, systemd and Dockerfiles have a text.

    >>> environment(["A=1", "B"]), environment([{"name": "A", "value": "1"}]), environment('"A=1 2" B=3')
    ({'A': '1', 'B': ''}, {'A': '1'}, {'A': '1 2', 'B': '3'})
    """
    if isinstance(value, str):
        try:
            return assigned(shlex.split(value)) or value
        except ValueError:
            return value
    if not isinstance(value, list) or not value:
        return value
    if all(isinstance(item, str) for item in value):
        return dict(item.partition("=")[::2] for item in value)
    if all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in value):
        # Kubernetes takes some values from another object. This text in their place is an error for a setting.
        elsewhere = "valueFrom"
        return {item["name"]: item.get("value", elsewhere if elsewhere in item else None) for item in value}
    return value


def variables_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that an object sets for its commands.

    >>> variables_of({"command": "x", "env": {"A": 1}})
    {'A': '1'}
    """
    objects = [value for name, value in fields.items() if is_environment(name) and isinstance(value, dict)]
    return {name: str(value) for variables in objects for name, value in variables.items() if value is not None}
