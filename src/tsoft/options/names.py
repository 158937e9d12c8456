"""Lists of names as the value of an option."""

import re


def split_names(texts: list[str] | None) -> list[str]:
    """Return the names in the values of an option that can be repeated.

    >>> split_names(["cosine,linear", "constant"])
    ['cosine', 'linear', 'constant']
    """
    return [name for text in texts or () for name in re.split(r"[\s,;]+", text.strip())]
