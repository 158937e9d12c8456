"""Reading the command of a Dockerfile."""

import json
import re
import shlex
from typing import Any

from tsoft.input.settings.variables import environment

_START = re.compile(r"(?:\s|#.*\n|ARG[ \t].*\n)*FROM[ \t]")
# Commands of a Modelfile, whose texts may contain a Dockerfile.
_OF_MODELFILE = re.compile(r"(?mi)^[ \t]*(PARAMETER|SYSTEM|TEMPLATE|MESSAGE|ADAPTER|LICENSE)[ \t]")
_INSTRUCTION = re.compile(r"(?m)^[ \t]*(FROM|CMD|ENTRYPOINT|ENV)[ \t]+(.+)")


def is_dockerfile(text: str) -> bool:
    """Whether a text starts with an image, and has a command or variables, unlike a Modelfile."""
    others = {match[1] for match in _INSTRUCTION.finditer(text)} - {"FROM"}
    return bool(_START.match(text) and others and not _OF_MODELFILE.search(text))


def read_dockerfile(text: str) -> dict[str, Any]:
    """Return the image, the command and the variables of the last stage, under the names of Docker Compose.

    >>> read_dockerfile('FROM x\\nENTRYPOINT ["llama-server"]\\nCMD ["--temp", "0.7"]')
    {'image': 'x', 'command': ['llama-server', '--temp', '0.7']}
    """
    fields: dict[str, Any] = {}
    for name, rest in _INSTRUCTION.findall(re.sub(r"\\\r?\n", " ", text)):
        if name == "FROM":
            fields = {"image": rest.split()[0]}
        elif name == "ENV":
            variables = environment(re.sub(r"^(\w+)[ \t]+(.*)", lambda pair: f"{pair[1]}={shlex.quote(pair[2])}", rest))
            fields.setdefault("environment", {}).update(variables if isinstance(variables, dict) else {})
        else:
            fields[name] = _command(rest.strip())
    entrypoint, command = fields.pop("ENTRYPOINT", []), fields.pop("CMD", [])
    is_list = isinstance(entrypoint, list) and isinstance(command, list)
    return {**fields, "command": [*entrypoint, *command] if is_list else entrypoint or command}


def _command(text: str) -> list[str] | str:
    """Return the words in a JSON array or a text for a shell; the text, if a quotation mark is not closed."""
    try:
        return list(map(str, json.loads(text))) if text.startswith("[") else shlex.split(text)
    except ValueError:
        return text
