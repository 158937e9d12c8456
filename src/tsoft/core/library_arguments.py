"""Checks of the arguments of library functions. The errors name the argument."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsoft.core.sums import Array


def is_masked(values: Any) -> bool:
    """Return whether values, which may be a list of arrays, are a masked array. np.asarray would drop the mask."""
    if isinstance(values, (list, tuple)):
        # A list that starts with a number has no arrays. Looking at each number would take longer than np.asarray.
        return bool(values) and not isinstance(values[0], (float, int)) and any(map(is_masked, values))
    return hasattr(values, "filled")


def plain_array(name: str, values: ArrayLike) -> Array:
    """Return an argument as an array. Raise TypeError for a masked array.

    >>> plain_array("targets", np.ma.masked_array([1, 2], [True, False]))
    Traceback (most recent call last):
    TypeError: targets must not be a masked array
    """
    if is_masked(values):
        raise TypeError(f"{name} must not be a masked array")
    return np.asarray(values)


def real_array(name: str, values: ArrayLike) -> Array:
    """Return an argument as an array of float64. Raise TypeError if it does not contain real numbers."""
    array = plain_array(name, values)
    if array.dtype.kind == "O" and all(isinstance(value, Real) for value in array.flat):
        # Integers beyond 64 bits and fractions.
        return array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got an array of {array.dtype}")
    return array.astype(np.float64)


def are_whole(array: Array) -> bool:
    """Return whether an array contains only whole numbers, of any type.

    >>> are_whole(np.array([1.0, 2.0])), are_whole(np.array([1.0, np.inf])), are_whole(np.array([True]))
    (True, False, False)
    """
    if array.dtype.kind == "f":
        return bool((np.isfinite(array) & (np.trunc(array) == array)).all())
    return array.dtype.kind in "iu"


def require_number(name: str, value: object) -> None:
    """Raise TypeError if an argument is not a number."""
    if not isinstance(np.asarray(value)[()], Real):
        raise TypeError(f"{name} must be a number, got {value!r}")


def require_index(name: str, value: object) -> None:
    """Raise TypeError if an argument is not an integer."""
    if not isinstance(np.asarray(value)[()], Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
