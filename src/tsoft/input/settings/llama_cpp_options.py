"""The options of llama.cpp's commands that can be repeated or have a second name, and its environment variables."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tsoft.input.fields import unescape
from tsoft.input.settings.field_values import unique
from tsoft.input.settings.sampling_fields import BREAKER_FIELD, PARAMETERS, canonical

# The value of --logit-bias: a token's id, a sign and a number.
_BIAS = re.compile(r"\s*(\d+)\s*([+-])\s*(.+)")
# An environment variable, also as an option of Docker.
_VARIABLE = re.compile(r"(?:--env=|-e)?(LLAMA_ARG_\w+)=(.*)", re.DOTALL)


def fields_of(options: Iterable[tuple[str, Any]], where: str) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    r"""Return the options that have one value each, and fields with the values of the others. Raise InputError if a
    token has two biases.

    >>> fields_of([("temp", "0.5"), ("l", "3-1"), ("dry-sequence-breaker", "a"), ("dry-sequence-breaker", "\\n")], "")
    ([('temp', '0.5')], {'logit_bias': {'3': '-1'}, 'dry_sequence_breakers': ['a', '\n']})
    """
    others: list[tuple[str, Any]] = []
    biases: list[tuple[str, str]] = []
    breakers: list[str] | None = None
    for name, value in options:
        if name in ("l", "logit-bias") and (bias := _BIAS.fullmatch(str(value))):
            biases.append((bias[1], bias[2] + bias[3]))
        elif name == "dry-sequence-breaker":
            breakers = [] if value == "none" else [*(breakers or ()), unescape(str(value))]
        elif name == "jf" or (name == "j" and str(value).lstrip().startswith("{")):
            others.append(("json-schema-file" if name == "jf" else "json-schema", value))
        else:
            others.append((name, value))
    fields: dict[str, Any] = {}
    if biases:
        fields["logit_bias"] = unique(biases, f"{where}: logit_bias")
    return others, fields if breakers is None else {**fields, BREAKER_FIELD: breakers}


def is_option(variable: str) -> bool:
    """Whether an environment variable is one of llama.cpp's options."""
    return variable.startswith("LLAMA_ARG_")


def is_variable(word: str) -> bool:
    """Whether a word of a command sets an environment variable of llama.cpp."""
    return bool(_VARIABLE.fullmatch(word))


def variables_in(words: Iterable[str]) -> dict[str, str]:
    """Return the environment variables of llama.cpp that words of a command set.

    >>> variables_in(["LLAMA_ARG_TOP_K=2", "-eLLAMA_ARG_TOP_P=0.9", "A=1"])
    {'LLAMA_ARG_TOP_K': '2', 'LLAMA_ARG_TOP_P': '0.9'}
    """
    return {match[1]: match[2] for match in map(_VARIABLE.fullmatch, words) if match}


def with_variables(variables: Mapping[str, str], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a command with the parameters of its environment variables, which options override.

    >>> with_variables({"LLAMA_ARG_TOP_K": "2", "LLAMA_ARG_TOP_P": "0.9"}, {"top-k": "3"})
    {'LLAMA_ARG_TOP_P': '0.9', 'top-k': '3'}
    """
    overridden = {PARAMETERS.get(canonical(name)) for name in fields}
    found = {
        name: value for name, value in variables.items() if PARAMETERS.get(canonical(name)) not in (None, *overridden)
    }
    return {**found, **fields}
