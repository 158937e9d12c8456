r"""Escapes for the characters that a terminal obeys instead of printing.

They are DEL, the C0 controls but tab and newline, the C1 controls, the line and paragraph separators, and the controls
of bidirectional text, which reorder a line.
"""

import re

from tsoft.errors import visible

_CONTROLS = "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"


def escaped_json(data: bytes) -> str:
    r"""Return a text of JSON with its control characters as escapes of JSON, so that it reads back the same.

    >>> print(escaped_json('"é\x9b\u202e"'.encode()))
    "é\u009b\u202e"
    """
    # Other writers of JSON escape the C0 controls, and few texts have another one.
    if data.isascii() and b"\x7f" not in data:
        return data.decode()
    return re.sub(_CONTROLS, lambda match: f"\\u{ord(match[0]):04x}", data.decode())


def printable(text: str) -> str:
    r"""Return lines with their control characters as escapes, as tables show them.

    >>> printable("\x1b]0;title,2\n")
    '\\x1b]0;title,2\n'
    """
    return re.sub(_CONTROLS, lambda match: visible(match[0]), text)
