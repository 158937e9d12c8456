"""Settings in a text: JSON, `name=value` between commas, or the options of a command."""

import os
import re
import shlex
from collections.abc import Iterable
from typing import Any

from tsoft.errors import InputError
from tsoft.input.settings.field_values import unique
from tsoft.input.settings.sampling_fields import canonical, is_setting, names, sets_number

# The fields with such a text: commands, vLLM's override of generation_config.json, KoboldCpp's defaults, and the
# arguments of lm-evaluation-harness. Any other text may mention settings.
_TEXT_FIELDS = names("command cmd args entrypoint override_generation_config gendefaults gen_kwargs")
# The limit of such a text. Longer ones are prompts or answers.
_MAX_CHARACTERS = 1 << 14
_OPTION = re.compile(r"-[^\d\W]|--\w")


def is_text_field(name: str) -> bool:
    """Whether a field may have settings in a text, or a command."""
    return canonical(name) in _TEXT_FIELDS


def settings_in(value: Any, where: str) -> Any:
    """Return the settings in a text, or in an array of the words of a command, as an object; None if it has none. The
    settings of a command are in objects with the names of its program and of other words before the first option. Raise
    InputError if the text has two values for a setting.

    >>> settings_in('{"temperature": 0.5}', ""), settings_in("top_k=3,temperature=0.5", "")
    ({'temperature': 0.5}, {'top_k': '3', 'temperature': '0.5'})
    >>> settings_in("bin/llama-server -m 'my model' --temp 0.6 --top-k=3 --no-mmap", "")
    {'llama-server': {'m': 'my model', 'temp': '0.6', 'top-k': '3', 'no-mmap': True}}
    """
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return _of_command(value, where)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_CHARACTERS:
        return None
    found = _of_json(value, where) or _of_pairs(value, where)
    return _of_command(_words(value), where) if found is None and "--" in value else found


def mentions_settings(value: Any) -> bool:
    """Whether a text, or an array of words, has settings, perhaps with two values for one of them."""
    try:
        return settings_in(value, "") is not None
    except InputError:
        return True


def _of_pairs(text: str, where: str) -> dict[str, Any] | None:
    """Return the settings in `name=value` between commas, in one line."""
    pairs = [part.partition("=") for part in text.strip().split(",")]
    is_list = all(separator and re.fullmatch(r"\s*[\w.-]+\s*", name) for name, separator, _ in pairs)
    if "\n" in text.strip() or not is_list:
        return None
    return _with_numbers(_object([(name.strip(), value.strip()) for name, _, value in pairs], where))


def _object(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    """Return pairs as an object. Raise InputError if a setting has two values; other fields may be repeated."""
    return dict(pairs) | unique((pair for pair in pairs if is_setting(canonical(pair[0]))), where)


def _with_numbers(fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fields if one of them is a sampling parameter with a number."""
    return fields if any(sets_number(name, value) for name, value in fields.items()) else None


def _of_json(text: str, where: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    import json

    import orjson

    try:
        # json accepts strings that are not Unicode, and orjson repeated names.
        orjson.loads(text)
        value = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, where))
    except (ValueError, RecursionError):
        return None
    return _with_numbers(value)


def _words(text: str) -> list[str]:
    """Return the words of a command in one or several lines; nothing if a quotation mark is missing."""
    try:
        return shlex.split(text.replace("\\\n", " "), comments=True)
    except ValueError:
        return []


def _of_command(words: Iterable[str], where: str) -> dict[str, Any] | None:
    """Return the options of a command, each with its value, or True. After the first option, other words are values of
    options: a sentence that names an option is no command."""
    program: list[str] = []
    options: list[tuple[str, Any]] = []
    for word in words:
        name, separator, value = word.partition("=")
        if _OPTION.match(word):
            options.append((name.lstrip("-"), value if separator else True))
        elif options and options[-1][1] is True:
            options[-1] = (options[-1][0], word)
        elif options:
            return None
        else:
            program.append(os.path.basename(word))
    found = _object([(name, _value(name, value, where)) for name, value in options], where)
    if _with_numbers(found) is None and not any(isinstance(value, dict) for value in found.values()):
        return None
    for word in reversed(program):
        found = {word: found}
    return found


def _value(name: str, value: Any, where: str) -> Any:
    """Return the value of an option: an object if it is JSON, or the command of `sh -c`."""
    if name == "c":
        return settings_in(value, where) or value
    return _of_json(value, where) or value if isinstance(value, str) else value
