"""What is wrong with a text that is not JSON."""

import re

from tsoft.errors import InputError

TOO_DEEP = "the JSON is nested too deep"
SURROGATE = "a string has a lone surrogate, such as \\ud800, which is not a character; remove it"
# The escapes in JSON: a pair of surrogates, a lone one, or any other.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F])|.)", re.DOTALL)


# A dictionary, or a list of them, as Python prints it.
_PRINTED = re.compile(rb"\s*\[?\s*\{\s*(?:'[^'\n]*'|\d+)\s*:")
# An object in a dictionary that Python printed.
_OBJECT = re.compile(rb":\s*[A-Za-z_]\w*\(")
_ARRAY = re.compile(rb":\s*(?:tensor|array)\(")
# A vector that R printed.
_R_VECTOR = re.compile(rb"\s*\[1\][ \t]+[-+.\d]")
# The end of a document and the start of the next one.
_NEXT = re.compile(rb"[}\]]\s*[{\[]")


class JsonError(InputError):
    """A text that is not JSON. With `has_rest`, it is a document and more text. With `has_fix`, the message says what
    to do."""

    def __init__(self, message: str, *, has_rest: bool = False, has_fix: bool = False):
        super().__init__(message)
        self.has_rest, self.has_fix = has_rest, has_fix


def json_fix(data: bytes) -> str:
    """Return the fix for a text that is not JSON, to be added to its problem; empty if it is unknown.

    >>> json_fix(b"[{'a': 1}]")
    '; this is a dictionary that Python printed; print it with json.dumps'
    """
    if _R_VECTOR.match(data):
        return "; this is a vector that R printed; print it with cat(format(x, digits = 17))"
    if not _PRINTED.match(data):
        return ""
    default = "lambda array: array.tolist()" if _ARRAY.search(data) else "vars" if _OBJECT.search(data) else ""
    dumps = f"json.dumps(…, default={default})" if default else "json.dumps"
    return f"; this is a dictionary that Python printed; print it with {dumps}"


def documents_fix(data: bytes, *, has_rest: bool) -> str:
    """Return the fix for several documents that are not on lines of their own, to be added to the problem with their
    text; empty for any other text.

    >>> documents_fix(b'{"a": 1}{"a": 2}', has_rest=True)
    '; write each document on one line: jq -c .'
    """
    are_several = has_rest and _NEXT.search(data)
    # The first line of an indented document is not one of JSON Lines.
    are_documents = are_several or data.strip() in (b"{", b"[")
    return "; write each document on one line: jq -c ." if are_documents else ""


def names_rest(message: str) -> bool:
    """Return whether a JSON parser's message is that more text follows a document: that of orjson, or of Python."""
    return "after document" in message or "Extra data" in message


def json_problem(message: str) -> str:
    """Return the problem for the message of a JSON parser.

    >>> json_problem("unexpected end of data"), json_problem("Recursion limit reached")
    ('not JSON: unexpected end of data', 'the JSON is nested too deep')
    """
    if "is infinity" in message:
        return "a number is too large; the largest number is 1.8e308"
    if "depth" in message or "recursion" in message.lower():
        return TOO_DEEP
    if "surrogate" in message:
        return SURROGATE
    return f"not JSON: {message}"


def lone_surrogate(data: bytes) -> int | None:
    r"""Return the position of the first escape of a lone surrogate in JSON; None if there is no such escape.

    Python's parser accepts these escapes, which are not characters, so no output could contain them.

    >>> lone_surrogate(rb'["\ud83d\ude00", "\\ud800"]'), lone_surrogate(rb'["\ude00"]')
    (None, 2)
    """
    return next((match.start() for match in _ESCAPES.finditer(data) if match["lone"]), None)
