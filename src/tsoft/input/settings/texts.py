"""Settings in a text: JSON, `name=value` between commas, or the options of a command."""

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from tsoft.errors import InputError
from tsoft.input.settings.field_values import unique
from tsoft.input.settings.llama_cpp_options import fields_of, is_variable, sets_variables, with_variables
from tsoft.input.settings.sampling_fields import canonical, is_setting, names, sets_number

# The fields with such a text: commands, vLLM's override of generation_config.json, KoboldCpp's defaults, and the
# arguments of lm-evaluation-harness. Any other text may mention settings.
_TEXT_FIELDS = names("command cmd args entrypoint override_generation_config gendefaults gen_kwargs")
# The limit of such a text. Longer ones are prompts or answers.
_MAX_CHARACTERS = 1 << 14
_OPTION = re.compile(r"-[^\d\W]|--\w")
# A token of a shell. Comments and redirections have no effect on the options.
_WORD = r"""(?:[^\s;&|<>()"'\\$]|\$(?:\([^()'"\\]*\))?|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+"""
_REDIRECTION = rf"(?:&|\d*)[<>]+[&|]?[ \t]*(?!-){_WORD}"
_TOKEN = re.compile(rf"[ \t\r]+|\#.*|{_REDIRECTION}|(?P<end>[\n;&|()]+)|(?P<word>{_WORD})")
# The first word of a command, in which a sentence would have no such character, and the names without one.
_PROGRAM = re.compile(
    r"\$.+|(?=.*[-_./\d])[a-z0-9_./~$][\w./~$-]*\w|vllm|sglang|lmdeploy|aphrodite|ollama|koboldcpp|serve|"
    r"python|sh|bash|exec|env|sudo|nohup|uv|uvx|srun|docker|podman"
)


def is_text_field(name: str) -> bool:
    """Whether a field may have settings in a text, or a command."""
    return canonical(name) in _TEXT_FIELDS


def settings_in(value: Any, where: str) -> Any:
    """Return the settings in a text, or in an array of the words of a command, as an object; None if it has none. The
    settings of a command are in objects with the names of its program and of other words before the first option. If
    several commands have settings, return an array. Raise InputError if a text has two values for a setting.

    >>> settings_in('{"temperature": 0.5}', ""), settings_in("top_k=3,temperature=0.5", "")
    ({'temperature': 0.5}, {'top_k': '3', 'temperature': '0.5'})
    >>> settings_in("bin/llama-server -m 'my model' --temp 0.6 --top-k=3 --no-mmap > log &", "")
    {'llama-server': {'m': 'my model', 'temp': '0.6', 'top-k': '3', 'no-mmap': True}}
    """
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return _of_command(value, where)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_CHARACTERS:
        return None
    if found := _of_json(value, where) or _of_pairs(value, where):
        return found
    commands = [_of_command(words, where) for words in _with_exported(_commands(value)) if _is_command(words)]
    commands = [command for command in commands if command]
    return commands if len(commands) > 1 else commands[0] if commands else None


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


def _commands(text: str) -> list[list[str]]:
    """Return the words of each command in a script; nothing if a quotation mark or a bracket is not closed."""
    text = re.sub(r"\\\r?\n", " ", text)
    commands: list[list[str]] = [[]]
    position, end = 0, ""
    while token := _TOKEN.match(text, position):
        position = token.end()
        end += token["end"] or ""
        if word := token["word"]:
            # In YAML, a command may have options in several lines.
            if end.strip() or (end and not word.startswith("-")):
                commands.append([])
            commands[-1].append(" ".join(shlex.split(word)))
            end = ""
    return commands if position == len(text) else []


def _with_exported(commands: list[list[str]]) -> Iterator[list[str]]:
    """Yield the commands that do not only set variables, those of llama.cpp with the variables set before them."""
    exported: list[str] = []
    for words in commands:
        if sets_variables(words):
            exported += words
        else:
            is_llama_cpp = any(os.path.basename(word).startswith("llama") for word in _parts(words)[0])
            yield [*filter(is_variable, exported), *words] if is_llama_cpp else words


def _parts(words: Iterable[str]) -> tuple[list[str], list[tuple[str, Any]], list[str]]:
    """Return the words of a command before its options; the options, each with its value, or True; and other words."""
    program: list[str] = []
    options: list[tuple[str, Any]] = []
    others: list[str] = []
    for word in words:
        name, separator, value = word.partition("=")
        if _OPTION.match(word):
            options.append((name.lstrip("-"), value if separator else True))
        elif options and options[-1][1] is True:
            options[-1] = (options[-1][0], word)
        else:
            (others if options else program).append(word)
    return program, options, others


def _is_command(words: list[str]) -> bool:
    """Whether words start with a program, unlike a sentence that names an option, or are only options."""
    program, _, others = _parts(words)
    program = [word for word in program if not re.match(r"\w+=", word)]
    return bool(_PROGRAM.fullmatch(program[0])) if program else not others


def _of_command(words: list[str], where: str) -> dict[str, Any] | None:
    program, options, _ = _parts(word for word in words if not is_variable(word))
    others, fields = fields_of(options, where)
    pairs = [(name, _value(name, value, where)) for name, value in others]
    found = with_variables(words, {**_object(pairs, where), **fields})
    if _with_numbers(found) is None and not any(isinstance(value, dict | list) for value in found.values()):
        return None
    for word in reversed(program):
        found = {os.path.basename(word): found}
    return found


def _value(name: str, value: Any, where: str) -> Any:
    """Return the value of an option: an object or an array if it is a text with settings, or the script of `sh -c`."""
    has_text = is_text_field(name) or re.fullmatch(r"[a-z]?c", name)
    return settings_in(value, where) or value if has_text else value
