"""Many numbers at once, from text and to text, without a loop over them in Python.

orjson does the work: separators become JSON's commas, or the reverse. It reads to the nearest float and writes the
shortest text that reads back. Anything but plain numbers is left to the slower code that goes line by line and finds
errors.
"""

import re
from typing import NamedTuple

import numpy as np

from tsoft.core.softmax import Array

# Shorter text, and fewer numbers, are not worth the import of orjson.
FEW_BYTES, FEW = 1 << 11, 1 << 8
# From here on one version of orjson writes 1e16 and another 1e+16.
LARGE = 1e16

_DIGITS = b"0123456789+-.eE"
# Python reads these too: inf, nan and infinity.
_LETTERS = b"infatyINFATY"
_BLANKS = bytes.maketrans(b"\t", b" ")
_COMMAS = bytes.maketrans(b" \t\n;", b",,,,")
_LINES_AS_COMMAS = bytes.maketrans(b"\n;", b",,")
_MINUS_ZERO = re.compile(rb"-0(?![0-9.eE])")
_ROWS = bytes.maketrans(b",]", b"\t\n")


class NumberLines(NamedTuple):
    """The numbers of all lines, (n,), and how many each line has, (lines,)."""

    values: Array
    widths: Array


def parse(data: bytes) -> NumberLines | None:
    """The numbers of lines; None if there is anything else, a blank line, or a number written in an unusual way.

    >>> parse(b"1 2\\n3 -inf 5")
    NumberLines(values=array([  1.,   2.,   3., -inf,   5.]), widths=array([2, 3]))
    >>> parse(b"1,,2")
    """
    if b"\r" in data:
        data = data.removesuffix(b"\r").replace(b"\r\n", b"\n")
    delimiter = b"," if b"," in data else b";" if b";" in data else b" "
    if (delimiter == b"," and b";" in data) or b"\r" in data:
        return None
    separators = data.translate(None, _DIGITS + _LETTERS)
    if separators.translate(None, b" \t\n" + delimiter):
        return None
    # Beside commas JSON ignores a blank, except between two numbers, where it is an error.
    to_commas = _COMMAS if delimiter == b" " else _LINES_AS_COMMAS
    values = _json(data.translate(to_commas))
    if values is None:
        data = _single_blanks(data)
        separators = data.translate(None, _DIGITS + _LETTERS)
        text = data.translate(to_commas)
        if (values := _json(text)) is None and (values := _floats(text)) is None:
            return None
    if delimiter != b" ":
        separators = separators.translate(None, b" \t")
    newlines = np.flatnonzero(np.frombuffer(separators, np.uint8) == ord("\n"))
    # A newline is a separator too, so that its place among them counts the numbers before it.
    return NumberLines(values, np.diff(newlines + 1, prepend=0, append=len(values)))


def _single_blanks(data: bytes) -> bytes:
    """Lines with one blank between two fields and none around them."""
    data = data.translate(_BLANKS)
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")


def _json(text: bytes) -> Array | None:
    """Numbers with commas between them; None if JSON does not allow them. Nor is -0 parsed, which is the
    integer 0 in JSON."""
    import orjson

    masked = b"-inf" in text
    try:
        numbers = orjson.loads(b"[" + (text.replace(b"-inf", b"null") if masked else text) + b"]")
    except orjson.JSONDecodeError:
        return None
    if not numbers:
        return None
    if masked:
        # numpy converts None to NaN, which JSON does not have.
        values = np.array(numbers, np.float64)
        values[np.isnan(values)] = -np.inf
    else:
        values = np.fromiter(numbers, np.float64, len(numbers))
    return None if not values.all() and _MINUS_ZERO.search(text) else values


def _floats(text: bytes) -> Array | None:
    """The same by Python's rules; None for a number beyond the largest, which would become an infinity."""
    try:
        values = np.array(list(map(float, text.split(b","))))
    except ValueError:
        return None
    return values if text.lower().count(b"inf") == np.isinf(values).sum() else None


def lines(values: Array, widths: Array | None = None, digits: int | None = None) -> bytes | None:
    """A line per row, with tabs between its numbers; None for few numbers, and for those that orjson writes in another
    way. `widths`, (rows,), is how many numbers each row has; `digits` rounds to that many significant digits.

    >>> lines(np.full((2, 128), 0.5))[:8]
    b'0.5\\t0.5\\t'
    """
    kept = values if widths is None else values[np.arange(values.shape[1]) < widths[:, np.newaxis]]
    if digits is not None:
        lengths = [values.shape[1]] * len(values) if widths is None else widths.tolist()
        return _rounded(kept.ravel(), lengths, digits)
    if not _fits(kept):
        return None
    text = np.frombuffer(bytearray(_dump(kept)), np.uint8)
    if widths is not None:
        text[np.flatnonzero(text == ord(","))[np.cumsum(widths)[:-1] - 1]] = ord("]")
        return text.tobytes().translate(_ROWS, b"[")
    # `],[` separates two rows: its first character becomes a newline, the others are deleted.
    text[np.flatnonzero(text[:-2] == ord("]")) + 1] = ord("[")
    return text[:-1].tobytes().translate(_ROWS, b"[")


def _rounded(values: Array, lengths: list[int], digits: int) -> bytes:
    """All lines as one format, which Python fills in at once."""
    forms = {length: "\t".join([f"%.{digits}g"] * length) + "\n" for length in set(lengths)}
    return ("".join([forms[length] for length in lengths]) % tuple(values.tolist())).encode()


def texts(values: Array) -> list[str] | None:
    """The text of each number of a row; None as for `lines`."""
    return _dump(values)[1:-1].decode().split(",") if _fits(values) else None


def _fits(values: Array) -> bool:
    # NaN is no less than anything.
    if values.size < FEW or not values.max() < LARGE:
        return False
    return bool(values.min() > -LARGE or not ((values <= -LARGE) & ~np.isneginf(values)).any())


def _dump(values: Array) -> bytes:
    import orjson

    text: bytes = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    # JSON has no infinities, and of the two only -inf gets here.
    return text.replace(b"null", b"-inf") if b"null" in text else text


def narrow_texts(values: Array) -> list[str]:
    """The text of each float32 of a row, which is shorter than that of the same float64."""
    result = _dump(values)[1:-1].decode().split(",")
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        result[i] = str(values[i])
    return result


def text(value: float) -> str:
    """The shortest text that reads back, spelled as orjson does.

    >>> text(0.5), text(1.5e-7), text(-3e-5)
    ('0.5', '1.5e-7', '-0.00003')
    """
    spelled = repr(value)
    if "e-0" not in spelled:
        return spelled
    digits, _, power = spelled.partition("e-0")
    if power != "5":
        return f"{digits}e-{power}"
    return digits[: digits.startswith("-")] + "0.0000" + digits.lstrip("-").replace(".", "")
