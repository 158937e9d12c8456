"""Lists of names that an option takes, and hints for a name that does not exist."""

import difflib
import re
from collections.abc import Iterable


def split_names(texts: list[str] | None) -> list[str]:
    """The names in the values of an option that may be repeated.

    >>> split_names(["cosine,linear", "constant"])
    ['cosine', 'linear', 'constant']
    """
    return [name for text in texts or () for name in re.split(r"[\s,;]+", text.strip())]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The name that may have been meant, if one is close.

    >>> did_you_mean("cosin", ["linear", "cosine"])
    ' (did you mean cosine?)'
    """
    matches = difflib.get_close_matches(name, list(names), 1)
    return f" (did you mean {matches[0]}?)" if matches else ""


def one_of(names: Iterable[str]) -> str:
    return "it is one of " + ", ".join(names)
