"""Modules that are imported at their first use: a TAB and `--help` read the table of samplers, which
works on arrays, and do not wait for numpy."""

import importlib
from types import ModuleType
from typing import Any


class Lazy(ModuleType):
    """A module by its name, imported when the first of its names is asked for."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        # Kept, so that it is asked for once.
        setattr(self, name, value)
        return value
