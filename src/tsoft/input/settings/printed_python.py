"""Reading dicts and SamplingParams in text that Python printed."""

import ast
import re
import warnings
from collections.abc import Hashable
from typing import Any

from tsoft.errors import InputError
from tsoft.input.settings.field_values import unique

_PRINTED = re.compile(r"\bSamplingParams(?=\()")
# A line that vLLM logs at its start, with the settings of the model's generation_config.json.
_VLLM_DEFAULTS = re.compile(r"(?i)default (?:vLLM )?sampling parameters have been overridden by .*(\{'.*\})")


def has_sampling_params(text: str) -> bool:
    """Whether a text, such as a log of vLLM, has SamplingParams with arguments."""
    return bool(_PRINTED.search(text))


def read_sampling_params(text: str, name: str) -> Any:
    """Return the arguments of the SamplingParams in a text, such as a log of vLLM."""
    starts = [match.end() for match in _PRINTED.finditer(text)]
    found = [read_dict(text[start - len("SamplingParams") : _closing(text, start)], name) for start in starts]
    for start, arguments in zip(starts, found, strict=True):
        line = text.count("\n", 0, start) + 1
        if not isinstance(arguments, dict):
            raise InputError(f"{name}:{line}: expected SamplingParams(NAME=VALUE, …), as Python prints it")
        if repr(arguments) != repr(found[0]):
            problem = f"{len(found)} SamplingParams with different values"
            raise InputError(f"{name}:{line}: {problem}; save one of them as a separate file")
    return {"SamplingParams": found[0]}


def read_vllm_defaults(text: str, name: str) -> Any:
    """Return the settings in the line of vLLM's log that has its defaults; None for other texts. Raise InputError if
    several lines differ, as after another start."""
    found = [(match, read_dict(match[1], name)) for match in _VLLM_DEFAULTS.finditer(text)]
    for match, settings in found:
        if settings != found[0][1]:
            line = text.count("\n", 0, match.start()) + 1
            problem = "the defaults differ from those of an earlier line"
            raise InputError(f"{name}:{line}: {problem}; save the part of one start as a separate file")
    return {"override_generation_config": found[0][1]} if found else None


def _closing(text: str, start: int) -> int:
    """Return the end of the parenthesis that opens at `start`; the end of the text if it does not close."""
    depth = 0
    for match in re.finditer(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[()]""", text[start:], re.DOTALL):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return start + match.end()
    return len(text)


def read_dict(text: str, name: str) -> Any:
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
            pairs = zip(map(_key, keys), (_python_value(value, name) for value in values), strict=True)
            return unique(pairs, name)
        case ast.Call(args=[], keywords=arguments):
            return unique(((argument.arg, _python_value(argument.value, name)) for argument in arguments), name)
    return ast.unparse(node)


def _key(key: ast.expr | None) -> Hashable:
    """Return the key of a printed dict; None for a dict that is unpacked."""
    if isinstance(key, ast.Constant):
        return key.value
    return None if key is None else ast.unparse(key)
