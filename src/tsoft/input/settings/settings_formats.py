"""The formats of settings files: JSON, YAML, a Modelfile of Ollama, text printed by Python, and GGUF.

A file of each format becomes a document: dicts, lists, strings, numbers, booleans and None.
"""

import ast
import contextlib
import re
import warnings
from collections.abc import Hashable, Iterable
from typing import Any

from tsoft.errors import InputError, shortened
from tsoft.input import gguf
from tsoft.input.json_problems import TOO_DEEP, json_problem
from tsoft.input.settings.field_values import shown
from tsoft.input.utf8 import decode_text, kind_of

# The start of the names of sampling settings in GGUF metadata.
GGUF_PREFIX = "general.sampling."
# The object of a Modelfile's PARAMETER lines.
MODELFILE_PARAMETERS = "PARAMETER"
_MODELFILE_COMMANDS = (
    *("ADAPTER", "DRAFT", "FROM", "LICENSE", "MESSAGE", "PARAMETER"),
    *("PARSER", "RENDERER", "REQUIRES", "SYSTEM", "TEMPLATE"),
)
# The first line that is not a comment or empty.
_MODELFILE = re.compile(rf"(?i)(\s|#.*\n)*({'|'.join(_MODELFILE_COMMANDS)})[ \t]+\S")
# A line of YAML that is not indented.
_YAML = re.compile(r"---|\.\.\.$|- |[\w.\"'-]+[ \t]*:([ \t]|$)")
_PRINTED = re.compile(r"\bSamplingParams(?=\()")


def load(name: str) -> Any:
    """Return the document in a file. Raise InputError if the file cannot be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w") as file:
    ...     print("FROM llama3\\nPARAMETER temperature 0.6", file=file, flush=True)
    ...     load(file.name)
    {'FROM': 'llama3', 'PARAMETER': {'temperature': '0.6'}}
    """
    try:
        with open(name, "rb") as file:
            head = file.read(1 << 12)
            if head.startswith(gguf.MAGIC):
                return _gguf(name)
            # Do not read a large file of another kind as a whole.
            if kind := kind_of(head):
                raise InputError(f"{name}: this is {kind}")
            content = head + file.read()
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None
    text = decode_text(content, name)
    if not text.strip():
        raise InputError(f"{name}: no settings: the input is empty")
    try:
        return _parsed(text, name)
    except (RecursionError, MemoryError):
        raise InputError(f"{name}:1: {TOO_DEEP}") from None


def _gguf(name: str) -> dict[str, Any]:
    metadata = gguf.read_metadata(name, GGUF_PREFIX)
    if not metadata:
        raise InputError(f"{name}: no sampling settings: the GGUF metadata has no fields that start with {GGUF_PREFIX}")
    return metadata


def _parsed(text: str, name: str) -> Any:
    if text.lstrip()[0] in "{[":
        # Python prints dicts with single quotes, which JSON lacks.
        printed = _python(text, name) if "'" in text and not _is_json(text) else None
        return _json(text, name) if printed is None else printed
    if _MODELFILE.match(text):
        return _modelfile(text, name)
    if _PRINTED.search(text):
        return _sampling_params(text, name)
    outer = [line for line in text.splitlines() if line.strip() and line[0] not in " \t#"]
    return _yaml(text, name) if all(map(_YAML.match, outer)) else _json(text, name)


def _unique(pairs: Iterable[tuple[Hashable, Any]], where: str) -> dict[str, Any]:
    """Return a dict of the pairs. Raise InputError if a key has two different values."""
    result: dict[str, Any] = {}
    for key, value in pairs:
        name = key if isinstance(key, str) else str(key)
        if name in result and repr(result[name]) != repr(value):
            both = f"{shown(result[name])} and {shown(value)}"
            raise InputError(f"{where}: {shortened(name)!r} is set twice, to {both}; remove one of them")
        result[name] = value
    return result


# JSON


def _is_json(text: str) -> bool:
    import orjson

    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _json(text: str, name: str) -> Any:
    import json

    import orjson

    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        with contextlib.suppress(orjson.JSONDecodeError):
            if error.lineno > 1:
                orjson.loads(text.split("\n", 1)[0])
                raise InputError(f"{name}:{error.lineno}: more than one JSON value; expected one object") from None
        raise InputError(f"{name}:{error.lineno}: {json_problem(error.msg)}") from None
    # orjson keeps only the last value of a key.
    return json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, name))


# YAML


def _yaml(text: str, name: str) -> Any:
    try:
        import yaml
    except ImportError:
        problem = "this looks like YAML, which tsoft reads with PyYAML"
        raise InputError(f"{name}: {problem}; run pip install 'tsoft[yaml]', or save the settings as JSON") from None

    # A safe loader makes no objects of other classes.
    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
            self.flatten_mapping(node)
            pairs = (
                (self.construct_object(key, True), self.construct_object(value, True)) for key, value in node.value
            )
            return _unique(pairs, f"{name}:{node.start_mark.line + 1}")

    Loader.add_constructor("tag:yaml.org,2002:map", Loader.construct_mapping)
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = text.count("\n", 0, getattr(error, "position", 0)) if mark is None else mark.line
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "wrong syntax"
        raise InputError(f"{name}:{line + 1}: not YAML: {problem}") from None
    except (ValueError, TypeError, OverflowError) as error:  # such as a date that does not exist
        raise InputError(f"{name}: not YAML: {error}") from None


# Ollama's Modelfile


def _modelfile(text: str, name: str) -> dict[str, Any]:
    """Return the model and the parameters of a Modelfile. Other commands may have texts of several lines."""
    parameters: list[tuple[str, str]] = []
    model = ""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        command, _, rest = line.strip().replace("\t", " ").partition(" ")
        rest = rest.strip()
        if not command or command.startswith("#"):
            continue
        if command.upper() not in _MODELFILE_COMMANDS:
            problem = f"{shortened(command)!r} is not a command of a Modelfile"
            raise InputError(f"{name}:{number}: {problem}; expected a line such as PARAMETER temperature 0.7")
        if command.upper() == "PARAMETER":
            parameter, _, value = rest.partition(" ")
            if not value:
                raise InputError(f"{name}:{number}: expected PARAMETER NAME VALUE, got {shortened(line.strip())!r}")
            parameters.append((parameter, value.strip().strip('"')))
        elif command.upper() == "FROM":
            model = rest
        elif rest.count('"""') == 1 and not any('"""' in line for _, line in lines):
            raise InputError(f'{name}:{number}: the text after {command} has no closing """')
    # A text may have several ends.
    applied = [pair for pair in parameters if pair[0] != "stop"]
    return {"FROM": model, MODELFILE_PARAMETERS: _unique(applied, name)}


# Text printed by Python


def _sampling_params(text: str, name: str) -> Any:
    """Return the arguments of the SamplingParams in a text, such as a log of vLLM."""
    starts = [match.end() for match in _PRINTED.finditer(text)]
    found = [_python(text[start - len("SamplingParams") : _closing(text, start)], name) for start in starts]
    for start, arguments in zip(starts, found, strict=True):
        line = text.count("\n", 0, start) + 1
        if not isinstance(arguments, dict):
            raise InputError(f"{name}:{line}: expected SamplingParams(NAME=VALUE, …), as Python prints it")
        if repr(arguments) != repr(found[0]):
            problem = f"{len(found)} SamplingParams with different values"
            raise InputError(f"{name}:{line}: {problem}; save one of them as a separate file")
    return {"SamplingParams": found[0]}


def _closing(text: str, start: int) -> int:
    """Return the end of the parenthesis that opens at `start`; the end of the text if it does not close."""
    depth = 0
    for match in re.finditer(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[()]""", text[start:], re.DOTALL):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return start + match.end()
    return len(text)


def _python(text: str, name: str) -> Any:
    """Return the value of a dict or of the keyword arguments that Python printed; None if the text is neither."""
    # Enumerations are printed in angle brackets.
    text = re.sub(r"=<[^<>]*>", "=None", text.strip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return _python_value(node, name) if isinstance(node, ast.Dict | ast.Call) else None


def _python_value(node: ast.expr, name: str) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)):
            return -value
        case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
            return [_python_value(element, name) for element in elements]
        case ast.Dict(keys, values):
            names = [
                ast.unparse(key) if key and not isinstance(key, ast.Constant) else key and key.value for key in keys
            ]
            return _unique(zip(names, (_python_value(value, name) for value in values), strict=True), name)
        case ast.Call(args=[], keywords=arguments):
            return _unique(((argument.arg, _python_value(argument.value, name)) for argument in arguments), name)
    return ast.unparse(node)
