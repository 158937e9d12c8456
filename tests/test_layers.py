"""The layers of the package: imports point down only, and never in a circle."""

import ast
import functools
import re
from collections import defaultdict
from pathlib import Path

import tsoft

ROOT = Path(tsoft.__file__).parent
# From the bottom up. Layers on the same line do not import each other.
LAYERS = (
    ("errors", "frozen"),
    ("notes",),
    ("core",),
    ("sampling",),
    ("input",),
    ("charts", "figures", "output", "models"),
    ("options",),
    ("explorer",),
    ("features",),
    # The library's figures, and the command line.
    ("plot", "cli"),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# Packages that these layers must not import, because the layers know no file, no terminal and no option.
FORBIDDEN = {
    "core": {"typer", "rich", "plotext", "textual", "orjson"},
    "sampling": {"typer", "rich", "plotext", "textual"},
}


def module(path: Path) -> str:
    """Return the name of a file's module within tsoft; empty for tsoft itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module(path): path for path in sorted(ROOT.rglob("*.py"))}


# Parsing only these lines takes a tenth of the time of parsing the files.
IMPORT = re.compile(r"^ *((?:from [\w.]+ )?import (?:\([^)]*\)|.*))", re.MULTILINE)
CLASS = re.compile(r"^ *class ([A-Z_]\w*)[(:]", re.MULTILINE)


@functools.cache
def nodes(path: Path) -> list[ast.stmt]:
    """Return the import statements of a file."""
    return ast.parse("\n".join(IMPORT.findall(path.read_text(encoding="utf-8")))).body


def imports(path: Path) -> set[str]:
    """Return the names, within tsoft, of the modules that a file imports anywhere, including for type checking."""
    names = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tsoft":
            base = node.module.removeprefix("tsoft").removeprefix(".")
            for alias in node.names:
                name = f"{base}.{alias.name}".removeprefix(".")
                names.add(name if name in MODULES else base)
        elif isinstance(node, ast.Import):
            names |= {alias.name.removeprefix("tsoft.") for alias in node.names if alias.name.startswith("tsoft.")}
    return names - {""}


def packages(path: Path) -> set[str]:
    """Return the names of the top-level packages that a file imports."""
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def wrong_imports(name: str) -> list[str]:
    """Return the imports of a module that do not point down, and those of forbidden packages."""
    layer, wrong = name.split(".")[0], []
    for imported in imports(MODULES[name]):
        target = imported.split(".")[0]
        if target != layer:
            wrong += [imported] if LEVEL[target] >= LEVEL[layer] else []
        elif layer == "features":
            feature, other = (part.split(".")[1:2] for part in (name, imported))
            wrong += [imported] if feature != other else []
    return wrong + sorted(packages(MODULES[name]) & FORBIDDEN.get(layer, set()))


def test_imports_point_down() -> None:
    """No feature imports another one, and some layers import only some packages."""
    assert {name: wrong for name in MODULES if name and (wrong := wrong_imports(name))} == {}


def test_imports_have_no_cycle() -> None:
    graph = {name: imports(path) & MODULES.keys() - {name} for name, path in MODULES.items() if name}
    order: list[str] = []
    state: dict[str, int] = defaultdict(int)

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert state[name] != 1, " → ".join((*path[path.index(name) :], name))
        if state[name] == 0:
            state[name] = 1
            for imported in sorted(graph.get(name, ())):
                visit(imported, (*path, name))
            state[name] = 2
            order.append(name)

    for name in graph:
        visit(name, ())
    assert len(order) >= len(graph)


def test_every_module_belongs_to_a_layer() -> None:
    assert {name.split(".")[0] for name in MODULES if name} == LEVEL.keys()


def test_modules_and_classes_have_unique_names() -> None:
    """Only the modules that most features have, such as command.py, share a name."""
    modules: dict[str, list[str]] = defaultdict(list)
    classes: dict[str, list[str]] = defaultdict(list)
    for name, path in MODULES.items():
        stem = name.split(".")[-1]
        if name and not (name.startswith("features.") and stem in ("command", "result", "chart", "figure")):
            modules[stem].append(name)
        for class_name in CLASS.findall(path.read_text(encoding="utf-8")):
            classes[class_name].append(name)
    shared = {stem: names for stem, names in modules.items() if len(names) > 1 and not is_package(names)}
    assert shared == {}
    assert {name: modules for name, modules in classes.items() if len(modules) > 1} == {}


def is_package(names: list[str]) -> bool:
    """Return whether one is a feature's folder and the other a module of its subject, such as core/solve.py."""
    return len(names) == 2 and any(MODULES[name].name == "__init__.py" for name in names)
