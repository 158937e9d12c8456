"""Typer's errors about the command line, in the words of tsoft's other errors."""

import ast
import re
from typing import Any

import typer

from tsoft.core.units import unit_hint
from tsoft.errors import joined, unknown
from tsoft.options.numbers import range_in_words
from tsoft.options.option_hints import option_hint


def usage_message(error: typer.TyperException) -> str:
    """Return the message for an error that Typer raised."""
    context, message = getattr(error, "ctx", None), error.message
    if (name := getattr(error, "option_name", None)) is not None:
        return _option_message(name, message, context)
    if (parameter := getattr(error, "param", None)) is not None:
        return _value_message(parameter, message)
    if match := re.match(r"Got unexpected extra argument\(?s?\)? \((.*)\)$", message):
        return _argument_message(match[1], context)
    return error.format_message()


def _option_message(name: str, message: str, context: Any) -> str:
    """Return the message for an unknown option, or for one with a missing or needless value."""
    if "requires an argument" in message:
        return f"{name} needs a value"
    if "does not take a value" in message:
        return f"{name} takes no value"
    return f"unknown option {name}" + ("" if context is None else option_hint(name, context))


def _value_message(parameter: Any, message: str) -> str:
    """Return the message for a value that its option does not accept."""
    kind = parameter.type
    option = next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0])
    if kind.name == "share":
        # Typer has escaped the control characters of the value already.
        value = repr(message).replace(r"\\", "\\")
        return f"{option}: expected a number or a percentage from 0% to 100%, got {value}{_point(message)}"
    # Typer quotes the value as Python does. The value may contain the same words.
    quoted, separator, _ = message.rpartition(" is not ")
    if not separator:
        return f"{option}: {message}"
    value = _unquoted(quoted)
    if choices := getattr(kind, "choices", None):
        if option == "--units" and (hint := unit_hint(value)):
            return f"--units: unknown unit {value!r}; {hint}"
        return f"{option}: {unknown('value', value, map(str, choices))}"
    return f"{option}: expected {_numbers(kind)}, got {quoted}{_point(value)}"


def _unquoted(text: str) -> str:
    """Return the string whose representation a text is; any other text is returned unchanged."""
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def _point(value: str) -> str:
    """Return a hint at the number if the value has commas."""
    from tsoft.input.fields import meant_number

    number, percent = value.removesuffix("%"), "%" * value.endswith("%")
    hint = meant_number(number, number) if "," in number else ""
    return hint.replace("?", f"{percent}?")


def _numbers(kind: Any) -> str:
    """Return the numbers that a type accepts, in words."""
    number = "a whole number" if "int" in kind.name else "a number"
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if low is None:
        return number
    return f"{number} {'of' if high is None else 'from'} {range_in_words(low, high)}"


def _argument_message(arguments: str, context: Any) -> str:
    """Return the message for arguments that a command does not take, with those that it takes."""
    params = [param for param in context.command.params if param.param_type_name == "argument"]
    taken = joined([param.metavar or param.name.upper() for param in params]) or "no arguments"
    unexpected = f"arguments: {arguments}" if " " in arguments else f"argument {arguments!r}"
    return f"unexpected {unexpected}; {context.command.name} takes {taken}"
