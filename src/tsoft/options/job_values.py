"""The values of options that are sent to jobs."""

import os
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from tsoft.errors import UsageError
from tsoft.options.command import names_file

T = TypeVar("T")


def absolute(value: Any) -> Any:
    """Return the value of an option that names files, or @ and a file, with absolute names.

    >>> absolute(["no such file", "-"])
    ['no such file', '-']
    """
    if isinstance(value, list | tuple):
        return type(value)(absolute(item) for item in value)
    if value is None:
        return None
    mark = "@" * value.startswith("@")
    name = value[len(mark) :]
    return mark + os.path.abspath(name) if os.path.exists(name) else value


def absolute_names(options: T) -> T:
    """Return a bundle of options, or bundles of these, with absolute names of files: the processes of a cluster have
    another current folder."""
    values = {}
    for field in fields(options):  # type: ignore[arg-type]
        value = getattr(options, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            values[field.name] = absolute_names(value)
        elif hasattr(field.type, "__metadata__") and names_file(field):
            values[field.name] = absolute(value)
    return replace(options, **values)  # type: ignore[type-var]


def require_no_stdin(value: Any, option: str = "") -> None:
    """Raise UsageError if an option in a bundle of options, or in bundles of these, reads stdin, which jobs cannot."""
    if is_dataclass(value):
        for field in fields(value):
            require_no_stdin(getattr(value, field.name), field.name)
    elif value in ("-", "@-") or (isinstance(value, list) and "-" in value):
        name = {"inputs": "input", "typed_taus": "tau"}.get(option, option).replace("_", "-")
        raise UsageError(f"--{name}: jobs cannot read stdin; pass a file")
