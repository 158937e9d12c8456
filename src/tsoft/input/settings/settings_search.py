"""The search for the object with the sampling settings in a document."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tsoft.errors import InputError, joined
from tsoft.input.settings.agnai import with_agnai_order
from tsoft.input.settings.field_values import type_of, unique
from tsoft.input.settings.llama_cpp_options import is_option
from tsoft.input.settings.llama_swap import with_macros
from tsoft.input.settings.sampling_fields import (
    BIAS_FIELDS,
    LOGIT_FIELDS,
    PARAMETERS,
    PREFIX,
    canonical,
    names,
    sets_number,
    without_prefix,
)
from tsoft.input.settings.settings_lines import shown_by_ollama
from tsoft.input.settings.texts import program_of_image, settings_of, takes_variables
from tsoft.input.settings.variables import environment, is_environment, variables_of

# Objects in these fields are texts, or describe them. They have no settings, whatever the names of their fields.
_TEXTS = names(
    "messages prompt prompts content contents text tools functions properties schema json_schema response_format "
    "response_schema metadata choices tokens logprobs"
)
# Fields with the text, or with an object of the text and the settings, as in requests to Replicate and RunPod.
_INPUTS = names("input inputs")

# Objects whose fields the program merges into the object around them: OpenAI's Python client, LangChain, NVIDIA's
# servers, and the Converse API of Amazon Bedrock. In the params of Open WebUI, custom_params is another one; SGLang
# passes an object with this name to a logits processor.
_MERGED = names("extra_body model_kwargs nvext inferenceConfig additionalModelRequestFields")


@dataclass(frozen=True)
class Place:
    """An object in a document without its null fields, which every engine treats as absent. `path` has the names of
    the fields that lead to it. `names` are those of its fields, with the null ones, and `around` those of the fields
    of the objects that contain it, also with {} if the field is an object. `is_environment` is whether it has the
    variables of a command with settings, which are read with the command."""

    file: str
    path: tuple[str, ...]
    fields: Mapping[str, Any]
    names: frozenset[str]
    around: frozenset[str] = frozenset()
    is_environment: bool = False

    @property
    def where(self) -> str:
        """The file and the path, for the start of a message about a field."""
        return f"{self.file}: {'.'.join(self.path)}" if self.path else self.file

    def named(self, field: str) -> list[str]:
        """Return the names under which the object has a field, which is as `canonical` writes it."""
        return [name for name in self.fields if canonical(name) == field]

    def get(self, field: str) -> Any:
        """Return the value of a field, which is as `canonical` writes it; None if the field is absent. Raise InputError
        if the object has it under two names with different values."""
        found = self.named(field)
        if any(self.fields[name] != self.fields[found[0]] for name in found):
            raise InputError(f"{self.where}: {joined(found)} differ; remove one of them")
        return self.fields[found[0]] if found else None

    @property
    def marks(self) -> frozenset[str]:
        """The names that may identify the kind of file: `names`, also without prefixes, and the prefixes; the names of
        arrays, as in "order[]"; the names on the path, as in "options/"; and those around the object, as in
        "../model"."""
        found = {*self.names, *map(without_prefix, self.names)}
        found.update(match[match.lastindex or 0] for match in map(PREFIX.match, self.names) if match)
        found.update(f"{name}[]" for name, value in self.fields.items() if isinstance(value, list))
        found.update(f"{name}/" for name in self.path)
        found.update(f"../{name}" for name in self.around)
        return frozenset(found)

    @property
    def sets_parameters(self) -> bool:
        # In a deeper object, an object in place of a number describes a parameter.
        return not self.is_environment and any(
            (canonical(name) in LOGIT_FIELDS or canonical(name) == "do_sample")
            and not (self.path and isinstance(value, dict))
            for name, value in self.fields.items()
        )


def places(file: str, document: Any) -> list[Place]:
    """Return the objects of a document that may have settings, outermost first. Raise InputError if it is neither an
    object nor an array with an object."""
    has_object = isinstance(document, list) and any(isinstance(item, dict) for item in document)
    if not isinstance(document, dict) and not has_object:
        raise InputError(f"{file}: expected an object of settings, got {type_of(document)}")
    found = _places(file, (), with_macros(document), frozenset())
    read_with_commands = {path: names for place in found for path, names in _variables_of_commands(place).items()}
    found = [replace(place, is_environment=place.path in read_with_commands) for place in found]
    # A text has settings only if no object has any, except that the variables of a container and the command of another
    # one count alike.
    having = [place for place in found if _has_parameters(place)]
    if not all(map(_is_environment, having)):
        return found
    commanded = {place.path for place in found if _commands(place)}
    if any(commanded <= {place.path[:-1]} for place in having):
        return found
    found = [_without(place, read_with_commands.get(place.path, frozenset())) for place in found]
    return found + [inner for place in found for inner in _places_in_texts(place)]


def _variables_of_commands(place: Place) -> dict[tuple[str, ...], frozenset[str]]:
    """Return the paths of the objects with variables next to a command with settings, and the names of the variables
    that the command reads."""
    variables = variables_of(place.fields)
    commands = _commands(place) if variables else []
    if not commands:
        return {}
    read = frozenset(re.findall(r"[$%({](\w+)", str(commands))).union(filter(is_option, variables))
    return {(*place.path, name): read for name in place.fields if is_environment(name)}


def _commands(place: Place) -> list[Any]:
    """Return the commands with settings in the fields of a place, which may be in its variables."""
    variables = variables_of(place.fields)
    commands = [(name, value) for name, value in place.fields.items() if takes_variables(name)]
    return [value for name, value in commands if settings_of(name, value, place.file, variables)]


def _is_environment(place: Place) -> bool:
    return bool(place.path) and is_environment(place.path[-1])


def _without(place: Place, names: frozenset[str]) -> Place:
    return replace(place, fields={name: value for name, value in place.fields.items() if name not in names})


def _places(file: str, path: tuple[str, ...], document: Any, around: frozenset[str]) -> list[Place]:
    """Return the objects in a part of a document, outermost first."""
    found: list[Place] = []
    waiting = deque[tuple[tuple[str, ...], Any, frozenset[str]]]([(path, document, around)])
    # YAML may have the same object in several places, or in itself.
    seen: set[int] = set()
    while waiting:
        path, value, around = waiting.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            fields = _fields(file, path, value)
            found.append(Place(file, path, fields, frozenset(value.keys() | fields.keys()), around))
            objects = (f"{name}{{}}" for name, item in fields.items() if isinstance(item, dict))
            around |= fields.keys() | set(objects)
            inside = [((*path, name), item) for name, item in fields.items() if _may_have_settings(name, item)]
        elif (pairs := _pairs(file, path, value)) is not None:
            found.append(Place(file, path, pairs, frozenset(pairs), around))
            inside = []
        else:
            inside = [((*path, str(i)), item) for i, item in enumerate(value)]
        waiting += [(where, item, around) for where, item in inside if isinstance(item, dict | list)]
    return found


def _has_parameters(place: Place) -> bool:
    has_others = not (PARAMETERS.keys() | BIAS_FIELDS).isdisjoint(map(canonical, place.fields))
    return place.sets_parameters or (has_others and not place.is_environment)


def _places_in_texts(place: Place) -> list[Place]:
    """Return the objects in the texts and commands of a place."""
    around = place.around | place.names
    image = next((value for name, value in place.fields.items() if canonical(name) == "image"), None)
    program, variables = program_of_image(image), variables_of(place.fields)
    found: list[Place] = []
    for name, value in place.fields.items():
        if name not in _TEXTS | _INPUTS and (settings := settings_of(name, value, place.file, variables)):
            # Without a program of its own, a command has the options of the one in the image.
            has_options = program and isinstance(settings, dict) and any(map(sets_number, settings, settings.values()))
            path = (*place.path, name, program) if program and has_options else (*place.path, name)
            found += _places(place.file, path, settings, around)
    return found


def _may_have_settings(name: str, value: Any) -> bool:
    """Return whether the value of a field, if it is an object or an array, may have settings."""
    return isinstance(value, dict) or _has_tensors(value) if name in _INPUTS else name not in _TEXTS


def _has_tensors(value: Any) -> bool:
    """Return whether a value is an array of tensors, each with `name` and `data`, as in a request to Triton."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and item.keys() >= {"name", "data"} for item in value)
    )


def _fields(file: str, path: tuple[str, ...], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an object that are not null, with those of the objects that its program merges into it."""
    merging = _MERGED | {"custom_params"} if path[-1:] == ("params",) else _MERGED
    body: dict[str, Any] = {}
    paths: dict[str, str] = {}
    waiting = deque([("", value)])
    while waiting:
        prefix, part = waiting.popleft()
        fields = {name: _read(file, name, item) for name, item in part.items()}
        merged = {name: item for name, item in fields.items() if name in merging and isinstance(item, dict)}
        waiting += [(f"{prefix}{name}.", item) for name, item in merged.items()]
        pairs = [pair for name, item in fields.items() if name not in merged for pair in _expanded(name, item)]
        for name, item in unique(pairs, file).items():
            if name in body and body[name] != item:
                raise InputError(f"{file}: {paths[name]} and {prefix}{name} differ; remove one of them")
            body[name] = item
            paths.setdefault(name, f"{prefix}{name}")
    return with_agnai_order(body)


def _read(file: str, name: str, value: Any) -> Any:
    """Return the value of a field; an object, if it is a list of environment variables, or a text in which Ollama shows
    the parameters of a model."""
    if name == "extra_body" and value is not None and not isinstance(value, dict):
        raise InputError(f"{file}: extra_body: expected an object, got {type_of(value)}")
    if is_environment(name):
        return environment(value)
    if name == "parameters" and isinstance(value, str) and (lines := shown_by_ollama(value, f"{file}: parameters")):
        return lines
    return value


def _pairs(file: str, path: tuple[str, ...], value: list[Any]) -> dict[str, Any] | None:
    """Return the fields in a list of tensors, or of objects with `key` and `value`, as LM Studio writes them; None for
    other lists."""
    if _has_tensors(value):
        pairs = [pair for item in value for pair in _expanded(str(item["name"]), _element(item["data"]))]
    elif value and all(isinstance(item, dict) and item.keys() >= {"key", "value"} for item in value):
        pairs = [pair for item in value for pair in _expanded(str(item["key"]), item["value"])]
    else:
        return None
    return unique(pairs, f"{file}: {'.'.join(path)}")


def _element(data: Any) -> Any:
    """Return the element of an array of any dimension with one element; other values as they are."""
    while isinstance(data, list) and len(data) == 1:
        [data] = data
    return data


def _expanded(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return a field with its value; nothing for null, or for an empty text in place of a number, as clients write
    fields that are not set.

    LM Studio has objects in place of some numbers. One with a check box becomes its number, or false if the box is not
    checked; that of mirostat becomes three fields.

    A sampler override of TabbyAPI becomes its value.

    >>> _expanded("temperature", {"override": 1.5, "force": False})
    [('temperature', 1.5)]
    >>> _expanded("mirostatSampling", {"version": 2, "targetEntropy": 5, "learningRate": 0.1})
    [('mirostatSampling', 2), ('mirostat_tau', 5), ('mirostat_eta', 0.1)]
    """
    if isinstance(value, dict) and value.keys() == {"checked", "value"} and isinstance(value["checked"], bool):
        value = value["value"] if value["checked"] else False
    # TabbyAPI's sampler overrides: the values of fields that a request does not set, or of all requests.
    if isinstance(value, dict) and "override" in value and value.keys() <= {"override", "force", "additive"}:
        value = value["override"]
    # The config.yaml of Weights & Biases describes each setting, and Langflow gives its type. A temperature with a unit
    # is not a setting.
    is_described = isinstance(value, dict) and not value.keys().isdisjoint(("desc", "type")) and "unit" not in value
    if is_described and sets_number(name, value.get("value")):
        value = value["value"]
    # A penalty of AI21.
    if isinstance(value, dict) and value.get("scale") == 0 and "penalty" in canonical(name):
        return []
    if isinstance(value, dict) and value.keys() >= {"version", "targetEntropy"}:
        fields = ((name, "version"), ("mirostat_tau", "targetEntropy"), ("mirostat_eta", "learningRate"))
        return [(field, value[key]) for field, key in fields if value.get(key) is not None]
    is_absent = value is None or (value == "" and canonical(name) in PARAMETERS)
    return [] if is_absent else [(name, value)]
