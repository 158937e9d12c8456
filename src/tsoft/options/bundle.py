"""Bundles: classes of options that commands share."""

import dataclasses
from typing import Any, NoReturn, TypeVar, dataclass_transform

from tsoft.frozen import as_dataclass, equal_fields

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def bundle(cls: type[T]) -> type[T]:
    """Return a class of options as a dataclass whose objects cannot be changed and are created by keywords.

    `dataclass(frozen=True)` would compile methods for each class from generated source code, which took a tenth of the
    time of a short run.

    >>> from dataclasses import fields
    >>> @bundle
    ... class Size:
    ...     width: int = 80
    ...     height: int = 25
    >>> [field.name for field in fields(Size)], Size(width=40).height
    (['width', 'height'], 25)
    >>> Size(width=80) == Size()
    True
    >>> Size(depth=1)
    Traceback (most recent call last):
        ...
    TypeError: Size has no field depth
    """
    for name in ("__init__", "__setattr__", "__delattr__"):
        setattr(cls, name, vars(_Methods)[name])
    cls.__eq__ = equal_fields  # type: ignore[method-assign]
    return as_dataclass(cls, init=False)


class _Methods:
    """The methods that all bundles share."""

    def __init__(self, **values: Any) -> None:
        defaults = {field.name: field.default for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        complete = defaults | values
        if unknown := complete.keys() - defaults.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        if missing := [name for name, value in complete.items() if value is dataclasses.MISSING]:
            raise TypeError(f"{type(self).__name__} needs {', '.join(missing)}")
        vars(self).update(complete)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
