"""The examples in the docstrings of tsoft are right."""

import doctest
import functools
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import tsoft

ROOT = Path(tsoft.__file__).parent
EXAMPLE = re.compile(r"^ *>>> ", re.MULTILINE)
# The modules with examples, for each package. For `--doctest-modules`, pytest would search the docstrings of all
# modules of tsoft and of the tests, and each docstring would be a test.
MODULES: dict[str, list[str]] = {}
for path in sorted(ROOT.rglob("*.py")):
    if EXAMPLE.search(path.read_text("utf-8")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        MODULES.setdefault(parts[1], []).append(".".join(parts).removesuffix(".__init__"))


class Finder(doctest.DocTestFinder):
    """Before Python 3.13, doctest does not find the examples of cached properties."""

    def _from_module(self, module: Any, object: Any) -> bool:
        defined = object.func if isinstance(object, functools.cached_property) else object
        return bool(super()._from_module(module, defined))  # type: ignore[misc]


@pytest.mark.parametrize("package", MODULES)
def test_the_examples_are_right(package: str) -> None:
    for name in MODULES[package]:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            # Modules of formats import the packages of their extras, which may not be installed.
            if error.name and not error.name.startswith("tsoft"):
                continue
            raise
        runner = doctest.DocTestRunner()
        for examples in Finder().find(module):
            runner.run(examples)
        assert runner.tries > 0, name
        assert runner.failures == 0, f"{name}; stdout has the failures"
