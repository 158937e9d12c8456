"""Bundles: classes of options that commands share."""

from typing import TypeVar, dataclass_transform

from tsoft.frozen import frozen

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def bundle(cls: type[T]) -> type[T]:
    """Return a class of options as a frozen dataclass. The type checker requires keywords for its fields.

    >>> from dataclasses import fields
    >>> @bundle
    ... class Size:
    ...     width: int = 80
    ...     height: int = 25
    >>> [field.name for field in fields(Size)], Size(width=40).height
    (['width', 'height'], 25)
    >>> Size(depth=1)
    Traceback (most recent call last):
        ...
    TypeError: Size has no field depth
    """
    return frozen(cls)
