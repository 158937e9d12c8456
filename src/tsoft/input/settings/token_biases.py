"""The biases of tokens in a file."""

from collections.abc import Iterator
from math import inf
from typing import Any

from tsoft.errors import InputError
from tsoft.input.settings.field_values import number, type_of
from tsoft.input.settings.settings_search import Place


def biases(place: Place) -> Iterator[tuple[int | str, float]]:
    """Yield each token's id or text and its bias. Raise InputError."""
    where = f"{place.where}: logit_bias"
    value = place.get("logit_bias")
    if isinstance(value, dict):
        pairs = [(_token_key(text), bias) for text, bias in value.items()]
    elif isinstance(value, list):
        pairs = [_bias_pair(where, entry) for entry in value]
    elif value is None:
        pairs = []
    else:
        problem = "expected an array of [token, bias] or an object {token: bias}"
        raise InputError(f"{where}: {problem}, got {type_of(value)}")
    for token, bias in pairs:
        if bias is not None:
            # In llama.cpp, false bans a token.
            yield token, -inf if bias is False else number(bias, where)
    for i in _suppressed_tokens(place):
        yield i, -inf


def _token_key(text: str) -> int | str:
    """Return a key of an object as a token's id if it is a whole number, else as text, as OpenAI and llama.cpp do."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


def _bias_pair(where: str, entry: Any) -> tuple[int | str, Any]:
    """Return the token and bias of an array's element. Raise InputError."""
    match entry:
        case [token, bias]:
            pass
        case {"token": token, "bias": bias}:
            # The form of a llama.cpp response, which has null for -inf.
            bias = False if bias is None else bias
        case _:
            raise InputError(f"{where}: expected [token, bias], got {type_of(entry)}")
    if isinstance(token, str) or (type(token) is int and token >= 0):
        return token, bias
    raise InputError(f"{where}: expected a token's id or text, got {type_of(token)}")


def _suppressed_tokens(place: Place) -> list[int]:
    """Return the ids of the tokens that transformers or llama.cpp bans at every step. They ignore negative ids."""
    ids = place.get("suppress_tokens") or []
    where = f"{place.where}: suppress_tokens"
    if not isinstance(ids, list):
        raise InputError(f"{where}: expected an array of token ids, got {type_of(ids)}")
    for i in ids:
        if type(i) is not int:
            raise InputError(f"{where}: expected a token's id, got {type_of(i)}")
    return [i for i in ids if i >= 0]
