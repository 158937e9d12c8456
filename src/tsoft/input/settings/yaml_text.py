"""Reading YAML, which may have several documents."""

import re
from typing import Any

from tsoft.errors import InputError
from tsoft.input.settings.field_values import unique

# A line of YAML that is not indented.
_LINE = re.compile(r"---|\.\.\.$|- |[\w.\"'-]+[ \t]*:([ \t]|$)")
# YAML before a text, as in a .prompty file.
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\r?\n(.*?\n)---[ \t]*(\r?\n|$)", re.DOTALL)
# The tag of the key <<, whose value is a mapping with more keys, or a list of such mappings.
_MERGE = "tag:yaml.org,2002:merge"


def is_yaml(text: str) -> bool:
    """Whether all lines of a text that are not indented are lines of YAML."""
    outer = [line for line in text.splitlines() if line.strip() and line[0] not in " \t#"]
    return all(map(_LINE.match, outer))


def front_matter(text: str) -> str | None:
    """Return the YAML between two lines of --- at the start of a text; None for other texts."""
    match = _FRONT_MATTER.match(text)
    return text[: match.end(1)] if match and is_yaml(match[1]) else None


def read_yaml(text: str, name: str) -> Any:
    """Return the document in a text, or an array of several. Raise InputError if it is not YAML."""
    try:
        import yaml
    except ImportError:
        problem = "this looks like YAML, which tsoft reads with PyYAML"
        raise InputError(f"{name}: {problem}; run pip install 'tsoft[yaml]', or save the settings as JSON") from None

    # A safe loader makes no objects of other classes.
    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
            own: list[tuple[Any, Any]] = []
            merged: list[dict[str, Any]] = []
            for key_node, value_node in node.value:
                key, value = self.construct_object(key_node, True), self.construct_object(value_node, True)
                if key_node.tag == _MERGE:
                    merged += _mappings(value)
                else:
                    own.append((key, value))
            # The keys of a mapping override those that it merges. Of several merged mappings, the first counts.
            inherited = {key: value for part in reversed(merged) for key, value in part.items()}
            return inherited | unique(own, f"{name}:{node.start_mark.line + 1}")

    Loader.add_constructor("tag:yaml.org,2002:map", Loader.construct_mapping)
    # PyYAML gives the plain texts << and = tags of their own.
    for tag in (_MERGE, "tag:yaml.org,2002:value"):
        Loader.add_constructor(tag, Loader.construct_yaml_str)
    try:
        documents = list(yaml.load_all(text, Loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = text.count("\n", 0, getattr(error, "position", 0)) if mark is None else mark.line
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "wrong syntax"
        raise InputError(f"{name}:{line + 1}: not YAML: {problem}") from None
    except (ValueError, TypeError, OverflowError) as error:  # such as a date that does not exist
        raise InputError(f"{name}: not YAML: {error}") from None
    # Kubernetes' manifests may end with a line of ---.
    found = [document for document in documents if document is not None]
    return found if len(found) > 1 else found[0] if found else None


def _mappings(value: Any) -> list[dict[str, Any]]:
    """Return the mappings in the value of <<: one, or a list. Raise TypeError for other values."""
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in found):
        raise TypeError("expected a mapping or a list of mappings after <<")
    return found
