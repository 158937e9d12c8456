"""Lists of names as the value of an option, and errors for unknown names."""

import difflib
import re
from collections.abc import Iterable


def split_names(texts: list[str] | None) -> list[str]:
    """Return the names in the values of an option that can be repeated.

    >>> split_names(["cosine,linear", "constant"])
    ['cosine', 'linear', 'constant']
    """
    return [name for text in texts or () for name in re.split(r"[\s,;]+", text.strip())]


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar of the names; None if no name is similar."""
    by_lower_case = {choice.lower(): choice for choice in names}
    matches = difflib.get_close_matches(name.lower(), by_lower_case, 1)
    return by_lower_case[matches[0]] if matches else None


def unknown(kind: str, name: str, choices: Iterable[str], aliases: Iterable[str] = ()) -> str:
    """Return the message for a name that is not one of the choices. It suggests the most similar choice or alias.

    >>> unknown("schedule", "cosin", ["linear", "cosine"])
    "unknown schedule 'cosin'; did you mean 'cosine'? choose from linear, cosine"
    >>> unknown("schedule", "steps", ["linear", "cosine"])
    "unknown schedule 'steps'; choose from linear, cosine"
    """
    choices = list(choices)
    suggestion = nearest(name, [*choices, *aliases])
    hint = f"did you mean {suggestion!r}? " if suggestion else ""
    return f"unknown {kind} {name!r}; {hint}choose from {', '.join(choices)}"
