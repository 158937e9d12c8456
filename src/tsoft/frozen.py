"""Data classes that a short run can afford."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(cls: type[T], /) -> type[T]: ...


@overload
def frozen(*, eq: bool = True) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True)
def frozen(cls: Any = None, /, *, eq: bool = True) -> Any:
    """Return a class as a dataclass whose objects must not be changed, as the type checker verifies.

    `dataclass(frozen=True)` would compile up to six methods for each class from generated source code, which took a
    fifteenth of the time of a short run. With `eq=False`, objects are compared by identity.

    >>> @frozen
    ... class Size:
    ...     width: int
    ...     height: int = 25
    >>> Size(80) == Size(80, 25), len({Size(80), Size(80)}), dataclasses.replace(Size(80), height=1).height
    (True, 1, 1)
    """
    if cls is None:
        return frozen if eq else as_dataclass
    cls.__eq__, cls.__hash__ = equal_fields, _hash
    return as_dataclass(cls)


def as_dataclass(cls: type[T], *, init: bool = True) -> type[T]:
    """Return a class as a dataclass without any methods, except `__init__` unless `init` is false."""
    # Without a docstring, dataclass would compute one from the signature.
    cls.__doc__ = cls.__doc__ or cls.__name__
    return dataclasses.dataclass(init=init, repr=False, eq=False, match_args=False)(cls)


def equal_fields(self: Any, other: object) -> bool:
    """Return whether two objects have the same class and equal fields."""
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _values(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, field.name) for field in dataclasses.fields(record))
