"""The formats of settings files: JSON, YAML, a Modelfile of Ollama, a Dockerfile, text printed by Python, lines, a
command, and GGUF.

A file of each format becomes a document: dicts, lists, strings, numbers, booleans and None.
"""

import contextlib
import re
from typing import Any

from tsoft.errors import InputError, without_surrogates
from tsoft.input import gguf
from tsoft.input.json_problems import SURROGATE, TOO_DEEP, json_problem
from tsoft.input.limits import read_limited
from tsoft.input.settings.dockerfile import is_dockerfile, read_dockerfile
from tsoft.input.settings.field_values import unique
from tsoft.input.settings.modelfile import is_modelfile, read_modelfile
from tsoft.input.settings.printed_python import has_sampling_params, read_dict, read_sampling_params, read_vllm_defaults
from tsoft.input.settings.settings_lines import read_lines
from tsoft.input.settings.texts import settings_in, settings_of_command
from tsoft.input.settings.yaml_text import front_matter, is_yaml, read_yaml
from tsoft.input.unpacked import unpacked
from tsoft.input.utf8 import decode_text, kind_of

# The limit of a file in a text format. A saved response may be large.
MAX_BYTES = 1 << 26
# The start of the names of sampling settings in GGUF metadata, and the key of the tokens that llama.cpp always bans.
GGUF_PREFIX = "general.sampling."
_GGUF_SUPPRESSED = "tokenizer.ggml.suppress_tokens"
# The first statement of a program, such as one in Python.
_PYTHON = re.compile(r"(\s|#.*\n)*(from[ \t]+[\w.]+[ \t]+import\b|import[ \t]+\w)")
# The start of what `ollama show` prints.
_OLLAMA_SHOW = re.compile(r"\s*Model\n\s+architecture\s")
_JSON_FIX = 'write the settings as JSON, such as {"temperature": 0.7}'


def load(name: str) -> Any:
    """Return the document in a file. Raise InputError if the file cannot be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w") as file:
    ...     print("FROM llama3\\nPARAMETER temperature 0.6", file=file, flush=True)
    ...     load(file.name)
    {'FROM': 'llama3', 'PARAMETER': {'temperature': '0.6'}}
    """
    try:
        with open(name, "rb") as packed:
            file = unpacked(packed, name)
            head = file.read(1 << 12)
            if head.startswith(gguf.MAGIC):
                return _gguf(name)
            # Do not read a large file of another kind as a whole.
            if kind := kind_of(head):
                raise InputError(f"{name}: this is {kind}")
            content = head + read_limited(file, MAX_BYTES, name, "settings file")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None
    text = decode_text(content, name)
    if not text.strip():
        raise InputError(f"{name}: no settings: the input is empty")
    try:
        document = _parsed(text, name)
        if _has_surrogate(document):
            raise InputError(f"{name}: {SURROGATE}")
        return document
    except (RecursionError, MemoryError):
        raise InputError(f"{name}:1: {TOO_DEEP}") from None


def _has_surrogate(value: Any) -> bool:
    """Return whether a string in the document is not Unicode. YAML and Python allow the escape of a lone surrogate."""
    waiting, seen = [value], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            # The aliases of YAML may repeat a part many times.
            if id(value) not in seen:
                seen.add(id(value))
                waiting += [*value.keys(), *value.values()] if isinstance(value, dict) else value
        elif isinstance(value, str) and without_surrogates(value) != value:
            return True
    return False


def _gguf(name: str) -> dict[str, Any]:
    metadata = gguf.read_metadata(name, (GGUF_PREFIX, _GGUF_SUPPRESSED))
    if not metadata:
        raise InputError(f"{name}: no sampling settings: the GGUF metadata has no fields that start with {GGUF_PREFIX}")
    return metadata


def _parsed(text: str, name: str) -> Any:
    # transformers prints the name of the class before the JSON.
    if printed_config := re.match(r"\s*GenerationConfig\s+(?=\{)", text):
        return {"GenerationConfig": _json(text[printed_config.end() :], name)}
    if text.lstrip()[0] in "{[":
        # Python prints dicts with single quotes, which JSON lacks.
        printed = read_dict(text, name) if "'" in text and not _is_json(text) else None
        sections = read_lines(text, name) if text.lstrip()[0] == "[" and not _is_json(text) else None
        found = printed if sections is None else sections
        return _json(text, name) if found is None else found
    if is_dockerfile(text):
        return read_dockerfile(text)
    if is_modelfile(text):
        return read_modelfile(text, name)
    if has_sampling_params(text):
        return read_sampling_params(text, name)
    if _PYTHON.match(text):
        raise InputError(f"{name}: this is a program, not settings; {_JSON_FIX}")
    if _OLLAMA_SHOW.match(text):
        raise InputError(
            f"{name}: this is the output of ollama show MODEL; pass that of ollama show --parameters MODEL"
        )
    if is_yaml(text):
        return read_yaml(text, name)
    if before_text := front_matter(text):
        return read_yaml(before_text, name)
    readers = (read_vllm_defaults, _printed_call, settings_in, read_lines, settings_of_command)
    found = next((document for reader in readers if (document := reader(text, name)) is not None), None)
    if found is not None:
        return found
    try:
        return _json(text, name)
    except InputError as error:
        command = ", or as a command with its options, such as llama-server --temp 0.7" if "--" in text else ""
        raise InputError(f"{error}; {_JSON_FIX}{command}") from None


def _printed_call(text: str, name: str) -> Any:
    """Return the arguments in a text such as GenerationConfig(top_k=3), as Python prints it, perhaps assigned to a
    name; None for other texts."""
    call = re.match(r"\s*(?:[^\W\d][\w.]*\s*=\s*)?(?=[^\W\d][\w.]*\(\s*[^\W\d]\w*\s*=)", text)
    return read_dict(text[call.end() :], name) if call else None


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
        if (lines := _json_lines(text)) is not None:
            return [_json(line, name) for line in lines]
        with contextlib.suppress(orjson.JSONDecodeError):
            if error.lineno > 1:
                orjson.loads(text.split("\n", 1)[0])
                problem = "more than one JSON value; save one of them as a separate file"
                raise InputError(f"{name}:{error.lineno}: {problem}") from None
        fix = "; remove the comments, which JSON lacks" if text[error.pos : error.pos + 2] in ("//", "/*") else ""
        raise InputError(f"{name}:{error.lineno}: {json_problem(error.msg)}{fix}") from None
    # orjson keeps only the last value of a key.
    return json.loads(text, object_pairs_hook=lambda pairs: unique(pairs, name))


def _json_lines(text: str) -> list[str] | None:
    """Return the lines of a text with several JSON values, each in one line; None for other texts."""
    lines = [line for line in text.split("\n") if line.strip()]
    return lines if len(lines) > 1 and all(map(_is_json, lines)) else None
