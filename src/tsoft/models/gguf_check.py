"""Checks of a GGUF file before llama.cpp loads it.

llama.cpp does not check every number in a file: some wrong ones abort the process, and others make it read beyond the
end of an array. This module refuses those that the header shows. `models.trial` finds most of the others.
"""

from math import isfinite, isnan
from typing import Any

from tsoft.errors import InputError, shortened
from tsoft.input.gguf import STRING, GgufArray, GgufHeader, read_header

_TOKENS = "tokenizer.ggml.tokens"
# Arrays with a number per token. llama.cpp reads them up to the number of tokens.
_PER_TOKEN = ("tokenizer.ggml.scores", "tokenizer.ggml.token_type")
_EMBEDDINGS = "token_embd.weight"
_MAX_INT32 = (1 << 31) - 1


def check_model(name: str) -> None:
    """Raise InputError if the header of a file is not that of a language model."""
    header = read_header(name)
    problem = _problem(header)
    if problem:
        raise InputError(f"{name}: the model cannot be loaded: {problem}; the file is damaged, or not a language model")


def _problem(header: GgufHeader) -> str | None:
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        return "its header does not name an architecture"
    prefix = architecture + "."
    settings = {key.removeprefix(prefix): value for key, value in header.metadata.items() if key.startswith(prefix)}
    return (
        _setting_problem(settings) or _head_problem(settings) or _vocabulary_problem(header) or _tensor_problem(header)
    )


def _setting_problem(settings: dict[str, Any]) -> str | None:
    for key in ("block_count", "embedding_length", "context_length"):
        if not (type(settings.get(key)) is int and 0 < settings[key] <= _MAX_INT32):
            return f"{key} is {settings[key]!r:.60}" if key in settings else f"its header has no {key}"
    for key, value in settings.items():
        if isinstance(value, float) and (isnan(value) or ("epsilon" in key and not (isfinite(value) and value >= 0))):
            return f"{key} is {value}"
    return None


def _head_problem(settings: dict[str, Any]) -> str | None:
    # Layers may have different numbers; a layer without attention has 0.
    heads, groups = settings.get("attention.head_count", 0), settings.get("attention.head_count_kv", 0)
    for key, value in (("attention.head_count", heads), ("attention.head_count_kv", groups)):
        counts = value.numbers if isinstance(value, GgufArray) else (value,)
        if not counts or not all(type(count) is int and 0 <= count <= settings["embedding_length"] for count in counts):
            return f"{key} is {counts!r:.60}" if isinstance(value, GgufArray) else f"{key} is {value!r:.60}"
    if type(heads) is type(groups) is int and groups and heads % groups:
        return f"attention.head_count_kv is {groups}, which does not divide attention.head_count, {heads}"
    return None


def _vocabulary_problem(header: GgufHeader) -> str | None:
    tokens = header.metadata.get(_TOKENS)
    if not isinstance(tokens, GgufArray) or tokens.kind != STRING or not tokens.length:
        return "it has no vocabulary"
    for key in _PER_TOKEN:
        values = header.metadata.get(key)
        if values is not None and not (isinstance(values, GgufArray) and values.length == tokens.length):
            return f"{key} does not have a number for each of the {tokens.length} tokens"
    for tensor in header.tensors:
        if tensor.name == _EMBEDDINGS and tensor.shape[1:2] != (tokens.length,):
            return f"the tensor {_EMBEDDINGS} has the shape {tensor.shape}, but there are {tokens.length} tokens"
    return None


def _tensor_problem(header: GgufHeader) -> str | None:
    alignment = header.metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment < 1 or alignment & (alignment - 1):
        return f"general.alignment is {alignment!r:.60}, which is not a power of two"
    for tensor in header.tensors:
        if tensor.offset % alignment or tensor.offset >= header.data_size:
            return f"the tensor {shortened(tensor.name)!r} is at byte {tensor.offset} of {header.data_size}"
    return None
