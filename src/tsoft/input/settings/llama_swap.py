"""The macros of llama-swap, which stand for parts of a model's command."""

from collections.abc import Mapping
from typing import Any

# The limit of a command. A macro may repeat another one many times.
_MAX_CHARACTERS = 1 << 16


def with_macros(document: Any) -> Any:
    """Return a configuration of llama-swap without macros, and with their values in the fields of its models; other
    documents as they are.

    >>> with_macros({"macros": {"k": 3}, "models": {"x": {"cmd": "llama-server --top-k ${k}"}}})
    {'models': {'x': {'cmd': 'llama-server --top-k 3'}}}
    """
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, dict):
        return document
    common = _macros(document)
    models = {name: _with_values(item, common) if isinstance(item, dict) else item for name, item in models.items()}
    return {name: models if name == "models" else value for name, value in document.items() if name != "macros"}


def _macros(fields: Mapping[str, Any]) -> dict[str, Any]:
    macros = fields.get("macros")
    return macros if isinstance(macros, dict) else {}


def _with_values(model: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model with the values of macros. Those of the model replace those of the file."""
    macros = {**common, **_macros(model)}
    fields = {name: value for name, value in model.items() if name != "macros"}
    return {name: _expanded(value, macros) if isinstance(value, str) else value for name, value in fields.items()}


def _expanded(text: str, macros: Mapping[str, Any]) -> str:
    # A macro may have the names of those before it.
    for name, value in reversed(list(macros.items())):
        old, new = f"${{{name}}}", str(value)
        if len(text) + text.count(old) * len(new) <= _MAX_CHARACTERS:
            text = text.replace(old, new)
    return text
