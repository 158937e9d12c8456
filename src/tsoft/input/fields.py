r"""The fields of a line of text, as numbers and labels, and back.

Blanks (a run is one separator), commas or semicolons separate fields. A label that holds any of these is quoted, as
in a CSV file. Characters that would break a line or a column are escaped.
"""

import math
import re

from tsoft.errors import shortened

_COMMENT = re.compile(r'"[^"]*"|(?:^|(?<=[\s,;]))#.*')
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"}
_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()}
# A minus sign, as word processors and papers write it.
_MINUS = "\N{MINUS SIGN}"


class FieldError(ValueError):
    """What is wrong with a field, which counts from 1; with the whole line, where `field` is None."""

    def __init__(self, problem: str, field: int | None = None):
        super().__init__(problem)
        self.problem, self.field = problem, field


def without_comment(line: str) -> str:
    """`line` up to a # that starts a field, outside quotes.

    >>> without_comment('2 1 # warm')
    '2 1 '
    >>> without_comment('"#1",C#')
    '"#1",C#'
    """
    if "#" not in line:
        return line
    return _COMMENT.sub(lambda match: "" if match[0].startswith("#") else match[0], line)


def number(text: str) -> float:
    """The number that `text` writes, as in Python and C. Raises ValueError, also for one that is too large for a
    float."""
    value = float(text)
    if "_" in text or not text.isascii() or (math.isinf(value) and _is_too_large(text)):
        raise ValueError(text)
    return value


def _is_too_large(text: str) -> bool:
    """Whether it is a finite number that becomes an infinity."""
    try:
        return "n" not in text.lower() and math.isinf(float(text))
    except ValueError:
        return False


def is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def _refuse_mixture(line: str) -> None:
    """Raises FieldError for commas and semicolons in one line: decimal commas, or two kinds of rows, would be
    misread."""
    if "," in line and ";" in line:
        raise FieldError("commas and semicolons in one line; part fields by one of them, and write 1.5, not 1,5")


def looks_like_number(text: str) -> bool:
    """Whether `text` is a number, or so close to one that it is not meant as a label."""
    try:
        float(text.replace(_MINUS, "-"))
    except ValueError:
        return False
    return True


def split(line: str) -> list[str]:
    """The fields of a line of numbers.

    >>> split("2, 1  0.5,0.1")
    ['2', '1', '0.5', '0.1']
    """
    if "," not in line and ";" not in line:
        return line.split()
    _refuse_mixture(line)
    parts = [part.split() for part in line.replace(";", ",").split(",")]
    if not all(parts):
        before = parts[: parts.index([])]
        raise FieldError("empty; a masked class is -inf", 1 + sum(map(len, before)))
    return [field for part in parts for field in part]


def numbers(fields: list[str]) -> list[float]:
    """The fields as numbers. Raises FieldError for the first that is not one.

    >>> numbers(["2", "-inf", "1e-3"])
    [2.0, -inf, 0.001]
    """
    try:
        return [number(field) for field in fields]
    except ValueError:
        index = next(i for i, field in enumerate(fields) if not is_number(field))
        raise FieldError(not_a_number(fields[index]), index + 1) from None


def not_a_number(text: str) -> str:
    """The message for a text that is not a number, with a hint at the likely cause."""
    shown = shortened(text)
    if _is_too_large(text):
        return f"{shown!r} is beyond the largest number, 1.8e308"
    fixed = text.replace(_MINUS, "-").replace(",", ".")
    hint = f"; did you mean {fixed}?" if fixed != text and is_number(fixed) else ""
    return f"{shown!r} is not a number{hint}"


def wrong_field_count(count: int, header: int) -> str:
    """The message for a line that has `count` fields under a header that has others."""
    return f"the header has {header} field{'s' * (header != 1)}, this line {count}"


def is_pair(text: str) -> bool:
    """Whether `text` is label=number.

    >>> is_pair("a=b=1"), is_pair("a=")
    (True, False)
    """
    _, equals, value = text.rpartition("=")
    return bool(equals) and is_number(value)


def split_pairs(fields: list[str]) -> tuple[tuple[str, ...], list[float]] | None:
    """The labels and numbers of fields that are all `label=number`, split at the last `=`; None if some field
    has no `=`. Raises FieldError if no number follows it.

    >>> split_pairs(["cat=2", "a=b=1"])
    (('cat', 'a=b'), [2.0, 1.0])
    """
    if not all("=" in field for field in fields):
        return None
    pairs = [field.rsplit("=", 1) for field in fields]
    return tuple(label for label, _ in pairs), numbers([value for _, value in pairs])


def split_labels(line: str, delimiter: str | None = None) -> list[str]:
    """The fields of a line that holds labels; in quotes, separators and blanks belong to a label. Without a
    `delimiter`, fields are separated by the first of comma, semicolon and tab that the line has, else by blanks.

    >>> split_labels('New York, "a,b"')
    ['New York', 'a,b']
    >>> split_labels("cat  dog")
    ['cat', 'dog']
    """
    line = line.strip("\r\n ")
    if delimiter is None:
        unquoted = re.sub(r'"[^"]*"', "", line)
        _refuse_mixture(unquoted)
        delimiter = next((d for d in ",;\t" if d in unquoted), None)
    if '"' not in line:
        return [unescape(field.strip()) for field in (line.split(delimiter) or [""])]
    separator = delimiter or r"\s+"
    field = re.compile(rf'[ ]*(?:"((?:[^"]|"")*)"[ ]*|((?:(?!{separator}).)*))({separator}|$)')
    fields, position = [], 0
    while match := field.match(line, position):
        quoted, unquoted, end = match.groups()
        fields.append(unescape(unquoted.strip() if quoted is None else quoted.replace('""', '"')))
        if not end:
            break
        position = match.end()
    return fields


def join_labels(fields: list[str], delimiter: str) -> str:
    """The line that `split_labels` splits into these fields.

    >>> join_labels(["row", " the", "a,b"], ",")
    'row," the","a,b"'
    """
    texts = [quote(field) for field in fields]
    # At either end of a line a tab would be a blank around it.
    ends = (0, len(texts) - 1) if delimiter == "\t" else ()
    return delimiter.join('""' if i in ends and not text else text for i, text in enumerate(texts))


def quote(field: str) -> str:
    """The field escaped, and in quotes where a reader would otherwise split it, strip it or treat it as a comment.

    >>> quote("cat"), quote("a,b")
    ('cat', '"a,b"')
    """
    field = escape(field)
    if field == field.strip() and not any(c in field for c in ',;"#'):
        return field
    return '"' + field.replace('"', '""') + '"'


def escape(label: str) -> str:
    r"""A label with the characters escaped that would break a line or a column.

    >>> escape("a\tb\\")
    'a\\tb\\\\'
    """
    return re.sub(r"[\\\t\n\r\0]", lambda match: _ESCAPES[match[0]], label)


def unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(r"\\[\\tnr0]", lambda match: _CHARACTERS[match[0]], text)
