"""Settings in a text: JSON, `name=value` between commas, or the options of a command."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tsoft.errors import InputError
from tsoft.input.settings.field_values import unique
from tsoft.input.settings.llama_cpp_options import fields_of, is_option, is_variable, variables_in, with_variables
from tsoft.input.settings.sampling_fields import canonical, is_setting, names, sets_number
from tsoft.input.settings.shell import commands_in
from tsoft.input.settings.variables import expanded, is_unexpanded, set_by
from tsoft.input.settings.yaml_text import is_yaml, read_yaml

# Words in the names of fields with a command, or with `name=value` between commas, and of fields with JSON or YAML,
# such as override_generation_config of vLLM. Any other text may mention settings, as may the arguments of a tool.
_COMMAND_WORDS = names("command cmd args entrypoint exec flags gendefaults kwargs")
_DATA_WORDS = names("config configuration params parameters settings options defaults")
# Words in the names of fields with a request in JSON, and the fields of which it has at least one. Texts for people may
# have such names, too.
_REQUEST_WORDS, _REQUEST_FIELDS = (
    names("body payload request"),
    names("messages prompt input inputs input_text contents"),
)
_TOOL_WORDS = names("tool tools function functions")
# The options of curl with the body of a request.
_CURL_DATA = names("d data data_raw data_binary json")
# The limit of such a text. Longer ones are prompts or answers.
_MAX_CHARACTERS = 1 << 14
_OPTION = re.compile(r"-[^\d\W]|--\w")
# The first word of a command, in which a sentence would have no such character, and the names without one.
_PROGRAM = re.compile(
    r"\$.+|(?=.*[-_./\d])[a-z0-9_./~$][\w./~$-]*\w|[\w.:/-]+\.exe|vllm|sglang|lmdeploy|aphrodite|ollama|koboldcpp|serve|"
    r"python|sh|bash|exec|env|sudo|nohup|uv|uvx|srun|docker|podman|curl"
)
# The field of a command with the `unexpanded` words that may be options.
UNEXPANDED = "$"
# The programs of llama.cpp, and the name of its image with the server.
_LLAMA_CPP = frozenset(("llama-server", "llama-cli", "llama-completion"))
_IMAGE = re.compile(r"llama\.cpp:server[\w.-]*")


def settings_of(name: str, value: Any, where: str, variables: Mapping[str, str] | None = None) -> Any:
    """Return the settings in the text or the command of a field, as `settings_in` does; None if it has none, or if the
    name of the field does not show that it may have some. The variables are those of the object with the field.

    >>> settings_of("sampling_params", '{"top_k": 3}', ""), settings_of("prompt", '{"top_k": 3}', "")
    ({'top_k': 3}, None)
    """
    words = _words(name)
    if words & _TOOL_WORDS:
        return None
    if words & _COMMAND_WORDS:
        return settings_in(value, where, variables)
    if not isinstance(value, str) or len(value) > _MAX_CHARACTERS:
        return None
    if words & _DATA_WORDS:
        return _of_json(value, where) or _of_yaml(value, where)
    found = _of_json(value, where) if words & _REQUEST_WORDS else None
    return found if isinstance(found, dict) and not _REQUEST_FIELDS.isdisjoint(map(canonical, found)) else None


def takes_variables(name: str) -> bool:
    """Whether a field has the name of one with a command, which is read with the variables of its object."""
    words = _words(name)
    return bool(words & _COMMAND_WORDS) and not words & _TOOL_WORDS


def _words(name: str) -> set[str]:
    return set(re.split(r"[._]", canonical(name)))


def settings_in(value: Any, where: str, variables: Mapping[str, str] | None = None) -> Any:
    """Return the settings in a text, or in an array with a text or the words of a command, as an object; None if it
    has none. The settings of a command are in objects with the names of its program and of other words before the first
    option. If several commands have settings, return an array. A command of llama.cpp has the variables, and those set
    before it in a script. Raise InputError if a text has two values for a setting.

    >>> settings_in('{"temperature": 0.5}', ""), settings_in("top_k=3,temperature=0.5", "")
    ({'temperature': 0.5}, {'top_k': '3', 'temperature': '0.5'})
    >>> settings_in("bin/llama-server -m 'my model' --temp 0.6 --top-k=3 --no-mmap > log &", "")
    {'llama-server': {'m': 'my model', 'temp': '0.6', 'top-k': '3', 'no-mmap': True}}
    """
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return settings_in(value[0], where, variables) if len(value) == 1 else _of_script([value], where, variables)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_CHARACTERS:
        return None
    if found := _of_json(value, where) or _of_pairs(value, where):
        return found
    commands = [words for words in commands_in(value) if set_by(words) is not None or _is_command(words)]
    return _of_script(commands, where, variables)


def settings_of_command(text: str, where: str) -> dict[str, Any] | None:
    """Return the settings in a command of any program, as `settings_in` does; None for other texts. Unlike a sentence,
    a command also has an option that is not a setting, such as a model."""
    commands = list(filter(None, commands_in(text.strip())))
    program, options, others = _parts(commands[0]) if len(commands) == 1 else ([], [], [])
    has_others = any(not is_setting(canonical(name)) for name, _ in options)
    is_command = program and re.fullmatch(r"[a-z]\w*", program[0]) and has_others and not others
    return _of_command(commands[0], where) if is_command else None


def mentions_settings(name: str, value: Any, variables: Mapping[str, str] | None = None) -> bool:
    """Whether the text or the command of a field has settings, perhaps with two values for one of them."""
    try:
        return settings_of(name, value, "", variables) is not None
    except InputError:
        return True


def _of_pairs(text: str, where: str) -> dict[str, Any] | None:
    """Return the settings in `name=value` between commas, in one line."""
    pairs = [part.partition("=") for part in text.strip().split(",")]
    is_list = all(separator and re.fullmatch(r"\s*[\w.-]+\s*", name) for name, separator, _ in pairs)
    if "\n" in text.strip() or not is_list or not all(_is_complete(value) for _, _, value in pairs):
        return None
    return _with_numbers(_object([(name.strip(), value.strip()) for name, _, value in pairs], where))


def _is_complete(value: str) -> bool:
    """Return whether a value is no part of a call, an array or a text in quotes that has commas, nor another pair."""
    are_closed = all(value.count(first) == value.count(last) for first, last in ("()", "[]", "{}"))
    return "=" not in value and are_closed and all(value.count(mark) % 2 == 0 for mark in "'\"")


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
    return value if _has_numbers(value) else None


def _of_yaml(text: str, where: str) -> dict[str, Any] | None:
    """Return the settings in several lines of YAML."""
    # YAML has escapes of lone surrogates.
    if "\n" not in text.strip() or not is_yaml(text) or re.search(r"(?i)\\u", text):
        return None
    try:
        value = read_yaml(text, where)
    except (InputError, RecursionError):
        return None
    return value if isinstance(value, dict) and _has_numbers(value) else None


def _has_numbers(fields: dict[str, Any]) -> bool:
    """Whether one of the fields, or of those in objects with settings, is a sampling parameter with a number."""
    waiting: list[dict[str, Any]] = [fields]
    # YAML may have the same object in several places.
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if _with_numbers(part) is not None:
            return True
        seen.add(id(part))
        inner = [value for name, value in part.items() if isinstance(value, dict) and _words(name) & _DATA_WORDS]
        waiting += [value for value in inner if id(value) not in seen]
    return False


def _of_script(commands: list[list[str]], where: str, variables: Mapping[str, str] | None) -> Any:
    """Return the settings of commands. The variables, and those that a command sets for the later ones, are for the
    commands of llama.cpp. Without such a command, they are for each command with settings, such as a wrapper."""
    found: list[tuple[list[str], dict[str, str]]] = []
    assigned = dict(variables or {})
    for words in commands:
        if (assignments := set_by(words)) is not None:
            assigned |= assignments
        else:
            words = [part for word in words for part in expanded(word, assigned)]
            found.append((words, {name: value for name, value in assigned.items() if is_option(name)}))
    has_llama_cpp = any(_runs_llama_cpp(words) for words, _ in found)
    settings = []
    for words, options in found:
        takes = _runs_llama_cpp(words) if has_llama_cpp else _of_command(words, where) is not None
        if command := _of_command(words, where, options if takes else None):
            settings.append(command)
    return settings if len(settings) > 1 else settings[0] if settings else None


def _runs_llama_cpp(words: list[str]) -> bool:
    return any(_program(word).startswith("llama") for word in _parts(words)[0])


def _parts(words: Iterable[str]) -> tuple[list[str], list[tuple[str, Any]], list[str]]:
    """Return the words of a command before its options; the options, each with its value, or True; and other words. Of
    a command that runs llama.cpp, such as sudo, only the words before its first option count."""
    program: list[str] = []
    options: list[tuple[str, Any]] = []
    others: list[str] = []
    runs_llama_cpp = False
    for word in words:
        name, separator, value = word.partition("=")
        if not runs_llama_cpp and _program(word) in _LLAMA_CPP:
            runs_llama_cpp = True
            program, options, others = [*program, word], [], []
        elif _OPTION.match(word):
            options.append((name.lstrip("-"), value if separator else True))
        elif options and options[-1][1] is True:
            options[-1] = (options[-1][0], word)
        else:
            # Other programs have models and the like before their options.
            may_be_options = (runs_llama_cpp or not program) and is_unexpanded(word)
            (others if options or may_be_options else program).append(word)
    return program, options, others


def _is_command(words: list[str]) -> bool:
    """Whether words start with a program, unlike a sentence that names an option, or are only options."""
    program, _, others = _parts(words)
    program = [word for word in program if not re.match(r"\w+=", word)]
    return bool(_PROGRAM.fullmatch(program[0])) if program else all(map(is_unexpanded, others))


def _of_command(words: list[str], where: str, exported: Mapping[str, str] | None = None) -> dict[str, Any] | None:
    """Return the settings of a command, also those in llama.cpp variables that are `exported` or set by its words."""
    program, options, rest = _parts(word for word in words if not is_variable(word))
    with_value, fields = fields_of(options, where)
    variables = {**(exported or {}), **variables_in(words)}
    pairs = [(name, _value(name, value, where, variables)) for name, value in _with_objects(with_value, where)]
    found = {**_object(pairs, where), **fields}
    # A command in the script of `sh -c` has the variables itself.
    if not any(_is_script(name) and isinstance(value, dict | list) for name, value in pairs):
        found = with_variables(variables, found)
    if _with_numbers(found) is None and not any(isinstance(value, dict | list) for value in found.values()):
        return None
    # Among the words of curl, there is the address.
    if (unexpanded := list(filter(is_unexpanded, rest))) and program[:1] != ["curl"]:
        found[UNEXPANDED] = unexpanded
    for word in reversed(program):
        found = {_program(word): found}
    return found


def _program(word: str) -> str:
    """Return the name of a program; for llama.cpp's image of a server, that of the server."""
    name = os.path.basename(word).removesuffix(".exe")
    return "llama-server" if _IMAGE.fullmatch(name) else name


def program_of_image(image: Any) -> str | None:
    """Return the program that an image of a container runs; None if it is unknown.

    >>> program_of_image("ghcr.io/ggml-org/llama.cpp:server-cuda"), program_of_image("python:3")
    ('llama-server', None)
    """
    return _program(image) if isinstance(image, str) and _program(image) in _LLAMA_CPP else None


def _with_objects(options: list[tuple[str, Any]], where: str) -> list[tuple[str, Any]]:
    """Return the options, with an object for those with dots, as --override-generation-config.top_k of vLLM."""
    groups: dict[str, list[tuple[str, Any]]] = {}
    for name, value in options:
        option, _, field = name.partition(".")
        if field and _words(option) & _DATA_WORDS:
            groups.setdefault(option, []).append((field, value))
    objects = {option: _object(fields, where) for option, fields in groups.items()}
    found = {option: fields for option, fields in objects.items() if _with_numbers(fields)}
    others = [(name, value) for name, value in options if "." not in name or name.partition(".")[0] not in found]
    return [*others, *found.items()]


def _is_script(option: str) -> bool:
    return bool(re.fullmatch(r"[a-z]?c", option))


def _value(name: str, value: Any, where: str, variables: Mapping[str, str]) -> Any:
    """Return the value of an option: an object or an array if it is a text with settings, or the script of `sh -c`."""
    if _is_script(name):
        return settings_in(value, where, variables) or value
    is_data = isinstance(value, str) and canonical(name) in _CURL_DATA
    return (_of_json(value, where) if is_data else settings_of(name, value, where)) or value
