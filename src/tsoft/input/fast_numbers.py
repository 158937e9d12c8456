"""Parsing and writing many numbers at once, without a Python loop over them.

orjson does the work: separators become JSON's commas, or the reverse. It reads to the nearest float and writes the
shortest text that reads back exactly. Anything except plain numbers is the job of slower code, which works line by line
and locates errors.
"""

import re
from typing import NamedTuple

import numpy as np

from tsoft.core.softmax import Array

# For less text or fewer numbers, importing orjson does not pay off.
MIN_BYTES, MIN_NUMBERS = 1 << 11, 1 << 8
# From this number on, some versions of orjson write 1e16 and others 1e+16.
LARGE = 1e16

_DIGITS = b"0123456789+-.eE"
# The letters of inf, nan and infinity, which Python reads as well.
_LETTERS = b"infatyINFATY"
_BLANKS = bytes.maketrans(b"\t", b" ")
_COMMAS = bytes.maketrans(b" \t\n;", b",,,,")
_LINES_AS_COMMAS = bytes.maketrans(b"\n;", b",,")
_MINUS_ZERO = re.compile(rb"-0(?![0-9.eE])")


class NumberLines(NamedTuple):
    """The numbers of all lines, (n,), and the count of numbers in each line, (lines,)."""

    values: Array
    widths: Array


def parse(data: bytes) -> NumberLines | None:
    """Parse lines of numbers. Return None for any other text, a blank line, or a number in an unusual notation.

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
    # JSON ignores a blank next to a comma; between two numbers it is an error.
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
    # A newline is a separator, too, so its position among the separators is the count of numbers before it.
    return NumberLines(values, np.diff(newlines + 1, prepend=0, append=len(values)))


def _single_blanks(data: bytes) -> bytes:
    """Return lines with one blank between two fields and no surrounding blanks."""
    data = data.translate(_BLANKS)
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")


def _json(text: bytes) -> Array | None:
    """Parse numbers separated by commas. Return None if JSON does not allow them, or if -0 occurs, which orjson reads
    as the integer 0."""
    import orjson

    # To look for a single letter is ten times faster.
    masked = b"i" in text and b"-inf" in text
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
    """Parse the same text with Python's rules. Return None for a number so large that it would become an infinity."""
    try:
        values = np.array(list(map(float, text.split(b","))))
    except ValueError:
        return None
    return values if text.lower().count(b"inf") == np.isinf(values).sum() else None


def lines(values: Array, widths: Array | None = None, digits: int | None = None) -> bytes | None:
    """Write one line per row, with tabs between numbers.

    `widths`, (rows,), is the count of numbers in each row; `digits` rounds to that many significant digits. Return None
    for few numbers, and for numbers that orjson writes differently.

    >>> lines(np.full((2, 128), 0.5))[:8]
    b'0.5\\t0.5\\t'
    """
    kept = values if widths is None else values[np.arange(values.shape[1]) < widths[:, np.newaxis]]
    if digits is not None:
        lengths = [values.shape[1]] * len(values) if widths is None else widths.tolist()
        return _rounded(kept.ravel(), lengths, digits)
    if not _fits(kept):
        return None
    text = np.frombuffer(_dump(kept.reshape(-1)), np.uint8)[1:]
    is_comma = text == ord(",")
    ends = slice(values.shape[1] - 1, None, values.shape[1]) if widths is None else np.cumsum(widths)[:-1] - 1
    row_ends = np.flatnonzero(is_comma)[ends]
    # Arithmetic on the array of the commas needs no further copy of the text.
    result = is_comma.view(np.uint8)
    result *= ord(",") ^ ord("\t")
    result ^= text
    result[row_ends] = result[-1] = ord("\n")
    return bytes(result.data)


def _rounded(values: Array, lengths: list[int], digits: int) -> bytes:
    """Write all lines with one format string, which Python fills in at once."""
    forms = {length: "\t".join([f"%.{digits}g"] * length) + "\n" for length in set(lengths)}
    return ("".join([forms[length] for length in lengths]) % tuple(values.tolist())).encode()


def texts(values: Array) -> list[str] | None:
    """Return the text of each number of a row; None as for `lines`."""
    return _dump(values)[1:-1].decode().split(",") if _fits(values) else None


def _fits(values: Array) -> bool:
    """Return whether there are enough numbers, and orjson writes them all as Python does."""
    # With a NaN the maximum is NaN, which is not less than LARGE.
    if values.size < MIN_NUMBERS or not values.max() < LARGE:
        return False
    return bool(values.min() > -LARGE or not ((values <= -LARGE) & ~np.isneginf(values)).any())


def _dump(values: Array) -> bytes:
    import orjson

    text: bytes = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    # JSON has no infinities, and `_fits` excludes +inf. To look for a single letter is ten times faster.
    return text.replace(b"null", b"-inf") if b"u" in text else text


def narrow_texts(values: Array) -> list[str]:
    """Return the text of each float32 of a row, which is shorter than the text of the same float64."""
    result = _dump(values)[1:-1].decode().split(",")
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        result[i] = str(values[i])
    return result


def text(value: float) -> str:
    """Return the shortest text that reads back exactly, in orjson's notation.

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
