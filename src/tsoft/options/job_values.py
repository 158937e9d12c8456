"""The values of options that are sent to jobs."""

import os
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from tsoft.errors import UsageError

T = TypeVar("T")


def absolute_names(value: T) -> T:
    """Return the value of an option, or a bundle of options, with absolute names of files: the processes of a cluster
    run in other folders.

    >>> absolute_names(["no such file", "-"])
    ['no such file', '-']
    """
    result: Any = value
    if is_dataclass(value) and not isinstance(value, type):
        result = replace(value, **{field.name: absolute_names(getattr(value, field.name)) for field in fields(value)})
    elif isinstance(value, list):
        result = [absolute_names(item) for item in value]
    elif isinstance(value, str):
        mark = "@" * value.startswith("@")
        name = value[len(mark) :]
        result = mark + os.path.abspath(name) if os.path.exists(name) else value
    return result  # type: ignore[no-any-return]


def require_no_stdin(value: Any, option: str = "") -> None:
    """Raise UsageError if an option in a bundle of options, or in bundles of these, reads stdin, which jobs cannot."""
    if is_dataclass(value):
        for field in fields(value):
            require_no_stdin(getattr(value, field.name), field.name)
    elif value in ("-", "@-") or (isinstance(value, list) and "-" in value):
        name = {"inputs": "input", "typed_taus": "tau"}.get(option, option).replace("_", "-")
        raise UsageError(f"--{name}: jobs cannot read stdin; pass a file")
