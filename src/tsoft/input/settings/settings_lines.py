"""Settings in lines: TOML, INI, a .env file, and the output of `ollama show --parameters`."""

import re
from collections.abc import Iterable
from itertools import count
from typing import Any

from tsoft.errors import InputError
from tsoft.input.settings.field_values import unique
from tsoft.input.settings.sampling_fields import PARAMETERS, canonical, is_setting, sets_number
from tsoft.input.settings.texts import mentions_settings
from tsoft.input.settings.variables import environment, is_environment, variables_of

# The limits of an INI file. Larger files are something else.
_MAX_CHARACTERS = 1 << 20
_MAX_LINE = 1000
# The section of the lines before the first one.
_TOP = " "
# Ollama shows texts in quotation marks.
_SHOWN = re.compile(r'(\S+)\s+([^"\s]\S*|".*")')


def read_lines(text: str, where: str) -> dict[str, Any] | None:
    """Return the fields in lines, with an object for each section; None for other texts. Raise InputError for a
    parameter that is set twice.

    >>> read_lines("top_k = 3  # few\\n[model]\\nTOP_P = 0.9", "")
    {'top_k': 3, 'model': {'TOP_P': 0.9}}
    """
    import tomllib

    try:
        found: dict[str, Any] | None = tomllib.loads(text)
    except ValueError:
        found = shown_by_ollama(text, where) or _of_ini(text, where)
        parts = [found or {}, *(part for part in (found or {}).values() if isinstance(part, dict))]
        parts += [value for part in parts for value in part.values() if isinstance(value, dict)]
        if not any(map(_has_settings, parts)):
            return None
    # A .env file may have other variables, such as TEMP, the directory.
    return found and {name: value for name, value in found.items() if not _is_other_variable(name, value)}


def _has_settings(fields: dict[str, Any]) -> bool:
    """Whether one of the fields sets a parameter, or is a command with settings, as ExecStart in a unit of systemd."""
    variables = variables_of(fields)
    pairs = fields.items()
    return any(_sets_parameter(name, value) or mentions_settings(name, value, variables) for name, value in pairs)


def _sets_parameter(name: str, value: Any) -> bool:
    """Whether a field sets a parameter, perhaps to a text, which is an error."""
    is_text = canonical(name) in PARAMETERS and isinstance(value, str) and not _is_other_variable(name, value)
    return is_text or sets_number(name, value)


def _is_other_variable(name: str, value: Any) -> bool:
    is_text = isinstance(value, str) and not sets_number(name, value)
    return is_text and (name == "TEMP" or (name.isupper() and canonical(name) in PARAMETERS and not value))


def shown_by_ollama(text: str, where: str) -> dict[str, Any] | None:
    """Return the parameters in lines of a name and a value, as Ollama shows those of a model; None for other texts."""
    lines = [_SHOWN.fullmatch(line.strip()) for line in text.strip().splitlines()]
    pairs = [(line[1], line[2].strip('"')) for line in lines if line]
    return unique((pair for pair in pairs if pair[0] != "stop"), where) if pairs and all(lines) else None


def _of_ini(text: str, where: str) -> dict[str, Any] | None:
    import configparser

    if len(text) > _MAX_CHARACTERS or max(map(len, text.splitlines())) > _MAX_LINE:
        return None
    parser = configparser.RawConfigParser(
        delimiters=("=",), inline_comment_prefixes=("#", ";"), empty_lines_in_values=False, default_section=""
    )
    # Units of systemd repeat names, which a number after the delimiter distinguishes: no name contains a delimiter.
    numbers = count()
    parser.optionxform = lambda name: f"{name}={next(numbers)}"  # type: ignore[assignment, method-assign]
    # Without indentation, no line continues the value of the previous one.
    lines = re.sub(r"(?m)^[ \t]*(?:export[ \t]+)?", "", re.sub(r"(?<=[ \t])\\\r?\n", " ", text))
    try:
        parser.read_string(f"[{_TOP}]\n{lines}")
    except configparser.DuplicateSectionError as error:
        raise InputError(f"{where}: there are two sections [{error.section}]; remove one of them") from None
    except configparser.Error:
        return None
    sections = {name: _section(parser.items(name), where) for name in parser.sections()}
    return sections.pop(_TOP) | sections


def _section(lines: Iterable[tuple[str, str]], where: str) -> dict[str, Any]:
    """Return the fields in the lines of a section. Raise InputError if a setting has two values.

    A unit of systemd may repeat other fields: their values add up, and an empty value removes those before it.
    """
    settings: list[tuple[str, str]] = []
    others: dict[str, str] = {}
    for key, text in lines:
        name = key.rpartition("=")[0]
        is_quoted = text[:1] in ("'", '"') and text.endswith(text[0]) and text.count(text[0]) == 2
        value = text[1:-1] if is_quoted and not is_environment(name) else text
        if is_setting(canonical(name)):
            settings.append((name, value))
        else:
            others[name] = f"{others[name]}\n{value}" if value and others.get(name) else value
    fields = unique(settings, where) | others
    return {name: environment(value) if is_environment(name) else value for name, value in fields.items()}
