"""Labels and keys as arrays of NumPy, which read back as exactly the same values."""

from collections.abc import Sequence

import numpy as np

from tsoft.core.softmax import Array
from tsoft.input.npz import ENDS, UTF8

# An array of strings has the width of the longest for each. One of more bytes than this is stored as UTF-8.
MOST_BYTES = 1 << 28


def text_arrays(name: str, texts: Sequence[str]) -> dict[str, Array]:
    """Return one array of strings or, if they need too much memory or end in NUL, which NumPy removes, two arrays: the
    bytes of all of them in UTF-8, and the ends of each.

    >>> text_arrays("labels", ["cat", "dog"])
    {'labels': array(['cat', 'dog'], dtype='<U3')}
    >>> text_arrays("labels", ["a\\0", "é"])
    {'labels_utf8': array([ 97,   0, 195, 169], dtype=uint8), 'labels_ends': array([2, 4])}
    """
    width = max(map(len, texts), default=0) * np.dtype("U1").itemsize
    if width * len(texts) <= MOST_BYTES and not any(text.endswith("\0") for text in texts):
        return {name: np.array(texts, np.str_)}
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {name + UTF8: np.frombuffer(b"".join(encoded), np.uint8), name + ENDS: ends}


def are_integers(keys: Sequence[str | int]) -> bool:
    """Return whether all keys are integers of 64 bits. Otherwise, files of arrays contain them as texts.

    >>> are_integers([5, 7]), are_integers([5, "a"]), are_integers([2**63])
    (True, False, False)
    """
    return all(isinstance(key, int) and -(2**63) <= key < 2**63 for key in keys)


def key_arrays(name: str, keys: Sequence[str | int]) -> dict[str, Array]:
    """Return the arrays of the keys: of integers if all are, else of texts."""
    return {name: np.array(keys, np.int64)} if are_integers(keys) else text_arrays(name, [str(key) for key in keys])
