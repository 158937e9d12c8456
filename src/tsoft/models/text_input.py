"""Reading the text of a model or a prompt, up to a limit: stdin and devices may not end."""

from tsoft.errors import InputError
from tsoft.input.source import STDIN, open_input


def read_limited(file: str, limit: int, kind: str) -> bytes:
    """Return the bytes of a file, or of stdin for `-`. Raise InputError for more than `limit` bytes, a multiple of
    2**20, which `kind` names: a text, or a prompt."""
    with open_input(file) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        name = STDIN if file == "-" else file
        raise InputError(f"{name}: the {kind} is larger than {limit >> 20} MB; pass a shorter one")
    return data
