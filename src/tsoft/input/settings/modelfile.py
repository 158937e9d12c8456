"""Reading the parameters of a Modelfile of Ollama."""

import re
from typing import Any

from tsoft.errors import InputError, shortened
from tsoft.input.settings.field_values import unique

# The object of a Modelfile's PARAMETER lines.
PARAMETERS = "PARAMETER"
_COMMANDS = (
    *("ADAPTER", "DRAFT", "FROM", "LICENSE", "MESSAGE", "PARAMETER"),
    *("PARSER", "RENDERER", "REQUIRES", "SYSTEM", "TEMPLATE"),
)
# The first line that is not a comment or empty, unless it is an import of Python.
_START = re.compile(rf"(?i)(\s|#.*\n)*({'|'.join(_COMMANDS)})[ \t]+(?!\S+[ \t]+import\b)\S")


def is_modelfile(text: str) -> bool:
    """Whether the first line that is not a comment or empty is a command of a Modelfile."""
    return bool(_START.match(text))


def read_modelfile(text: str, name: str) -> dict[str, Any]:
    """Return the model and the parameters of a Modelfile. Other commands may have texts of several lines."""
    parameters: list[tuple[str, str]] = []
    model = ""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        command, _, rest = line.strip().replace("\t", " ").partition(" ")
        rest = rest.strip()
        if not command or command.startswith("#"):
            continue
        if command.upper() not in _COMMANDS:
            problem = f"{shortened(command)!r} is not a command of a Modelfile"
            raise InputError(f"{name}:{number}: {problem}; expected a line such as PARAMETER temperature 0.7")
        if command.upper() == "PARAMETER":
            parameter, _, value = rest.partition(" ")
            if not value:
                raise InputError(f"{name}:{number}: expected PARAMETER NAME VALUE, got {shortened(line.strip())!r}")
            parameters.append((parameter, value.strip().strip('"')))
        elif command.upper() == "FROM":
            model = rest
        elif rest.count('"""') == 1 and not any('"""' in line for _, line in lines):
            raise InputError(f'{name}:{number}: the text after {command} has no closing """')
    # A text may have several ends.
    applied = [pair for pair in parameters if pair[0] != "stop"]
    return {"FROM": model, PARAMETERS: unique(applied, name)}
