"""Many numbers at once, from text and to text, without a loop over them in Python.

orjson does it: what parts the numbers is exchanged for JSON's commas, or the other way round. It reads
to the nearest float and writes the shortest text that reads back. What is not plain numbers is left to
the slow way, line by line, which also says what is wrong with it.
"""

import re

import numpy as np

from tsoft.core.softmax import Array

# Text shorter than this is not worth the import of orjson; nor are fewer numbers than this.
FEW_BYTES, FEW = 1 << 11, 1 << 8
# At most so many bytes become Python's floats at once: these take several times the room.
PIECE = 1 << 20
# From here on one version of orjson writes 1e16 and another 1e+16.
LARGE = 1e16

_DIGITS = b"0123456789+-.eE"
# Python reads these too: inf, nan and infinity.
_LETTERS = b"infatyINFATY"
_BLANKS = bytes.maketrans(b"\t", b" ")
_COMMAS = bytes.maketrans(b" \t\n;", b",,,,")
_LINES_AS_COMMAS = bytes.maketrans(b"\n;", b",,")
_WHOLE = re.compile(rb"-0(?![0-9.eE])")
_ROWS = bytes.maketrans(b",]", b"\t\n")


def parse(data: bytes) -> tuple[Array, Array] | None:
    """The numbers of lines, all in one row, and how many each line has; None where there is anything
    else, a blank line, or a number written in a way of its own.

    >>> parse(b"1 2\\n3 -inf 5")
    (array([  1.,   2.,   3., -inf,   5.]), array([2, 3]))
    >>> parse(b"1,,2")
    """
    if b"\r" in data:
        data = data.removesuffix(b"\r").replace(b"\r\n", b"\n")
    separator = b"," if b"," in data else b";" if b";" in data else b" "
    if (separator == b"," and b";" in data) or b"\r" in data:
        return None
    values, ends, count, start = [], [], 0, 0
    while start <= len(data):
        stop = _cut(data, start, separator)
        found = _piece(data[start:stop], separator)
        if found is None:
            return None
        numbers, breaks = found
        values.append(numbers)
        ends.append(breaks + count)
        count += len(numbers)
        if data[stop : stop + 1] == b"\n" or stop == len(data):
            ends.append(np.array([count]))
        start = stop + 1
    return np.concatenate(values), np.diff(np.concatenate(ends), prepend=0)


def _cut(data: bytes, start: int, separator: bytes) -> int:
    """Where a piece ends: at the last separator within its length, or where the next one is."""
    if len(data) - start <= PIECE:
        return len(data)
    kinds = (b"\n", separator, b"\t") if separator == b" " else (b"\n", separator)
    last = max(data.rfind(kind, start, start + PIECE) for kind in kinds)
    return last if last > start else len(data)


def _piece(data: bytes, separator: bytes) -> tuple[Array, Array] | None:
    """A piece's numbers, and after how many of them each line but the last ends."""
    separators = data.translate(None, _DIGITS + _LETTERS)
    if separators.translate(None, b" \t\n" + separator):
        return None
    # Beside commas a blank is nothing to JSON, and an error where it parts two numbers.
    commas = _COMMAS if separator == b" " else _LINES_AS_COMMAS
    numbers = _json(data.translate(commas))
    if numbers is None:
        data = _tidy(data)
        separators = data.translate(None, _DIGITS + _LETTERS)
        text = data.translate(commas)
        if (numbers := _json(text)) is None and (numbers := _floats(text)) is None:
            return None
    if separator != b" ":
        separators = separators.translate(None, b" \t")
    return numbers, np.flatnonzero(np.frombuffer(separators, np.uint8) == ord("\n")) + 1


def _tidy(data: bytes) -> bytes:
    """Lines with one blank between two fields and none around them."""
    data = data.translate(_BLANKS)
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")


def _json(text: bytes) -> Array | None:
    """Numbers with commas between them; None where JSON would not take them. As JSON's -0 is the whole
    number 0 it is not taken either."""
    import orjson

    masked = b"-inf" in text
    try:
        numbers = orjson.loads(b"[" + (text.replace(b"-inf", b"null") if masked else text) + b"]")
    except orjson.JSONDecodeError:
        return None
    if not numbers:
        return None
    if masked:
        # numpy takes None for NaN, of which JSON has none.
        values = np.array(numbers, np.float64)
        values[np.isnan(values)] = -np.inf
    else:
        values = np.fromiter(numbers, np.float64, len(numbers))
    return None if not values.all() and _WHOLE.search(text) else values


def _floats(text: bytes) -> Array | None:
    """The same as Python takes them; None for one beyond the largest, which would be an infinity
    without being called one."""
    try:
        values = np.array(list(map(float, text.split(b","))))
    except ValueError:
        return None
    return values if text.lower().count(b"inf") == np.isinf(values).sum() else None


def lines(values: Array, widths: Array | None = None, digits: int | None = None) -> bytes | None:
    """A line for each row, tabs between its numbers; None where the numbers are few, or hold what is
    written in another way. `widths` tells how many numbers of each row there are; `digits`, that so many
    are enough.

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
    # What parts two rows is `],[`: of these the first becomes a newline, the others go.
    text[np.flatnonzero(text[:-2] == ord("]")) + 1] = ord("[")
    return text[:-1].tobytes().translate(_ROWS, b"[")


def _rounded(values: Array, lengths: list[int], digits: int) -> bytes:
    """One format for all the lines, which Python fills in at once."""
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
    # JSON holds no infinity; of those only this one comes here.
    return text.replace(b"null", b"-inf") if b"null" in text else text


def narrow_texts(values: Array) -> list[str]:
    """The text of each float32 of a row: what is short for it is long for a float64."""
    import orjson

    found: list[str] = (
        orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode().split(",")
    )
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        found[i] = str(values[i])
    return found


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
