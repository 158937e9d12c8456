"""Names that an option lists: parting them, and what is said of one that does not exist."""

import difflib
import re
from collections.abc import Iterable


def listed(texts: list[str] | None) -> list[str]:
    """The names that an option was given, which may be given again.

    >>> listed(["cosine,linear", "constant"])
    ['cosine', 'linear', 'constant']
    """
    return [name for text in texts or () for name in re.split(r"[\s,;]+", text.strip())]


def nearest(name: str, names: Iterable[str]) -> str:
    """Which of the names may have been meant, if one is close.

    >>> nearest("cosin", ["linear", "cosine"])
    ' (did you mean cosine?)'
    """
    found = difflib.get_close_matches(name, list(names), 1)
    return f" (did you mean {found[0]}?)" if found else ""


def one_of(names: Iterable[str]) -> str:
    return "it is one of " + ", ".join(names)
