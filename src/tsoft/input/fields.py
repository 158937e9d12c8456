r"""Splitting a line of text into fields (numbers and labels), and joining fields into a line.

Blanks, commas or semicolons separate fields; a run of blanks is one separator. A label that contains a separator is
quoted, as in a CSV file. Characters that would break a line or a column are escaped.
"""

import math
import re

from tsoft.errors import shortened

_QUOTED = r'"[^"]*"'
_HASH = re.compile(rf"{_QUOTED}|(?:^|(?<=[\s,;]))#")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"}
_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()}
# A field between blanks that may be a number with a decimal comma, or with commas between its thousands. In a header of
# pandas, such as Unnamed: 0,1, the comma separates two names.
_COMMA_NUMBER = r"(?<!\S)(?<!Unnamed: )[-+]?(?:\d+,\d+|\d{1,3}(?:,\d{3})+\.\d*)(?:[eE][-+]?\d+)?(?!\S)"
# The = of label = number, or a part in quotes.
_SPACED_EQUALS = re.compile(rf"{_QUOTED}|(?<=[^\s,;])[ \t]*=[ \t]*(?=[-+]?(?:\.?\d|inf))", re.IGNORECASE)
# A number with a decimal comma after a semicolon or a tab. A pattern as a text, such as this one, is compiled when it
# is used, which most runs do not need.
_DECIMAL_COMMA = r"[;\t]\s*[-+]?\d+,\d+\s*(?:[;\t]|$)"
# What programs write for a missing number, in lower case, and the errors of spreadsheets.
_ERRORS = ("#n/a", "#na", "#null!", "#num!", "#value!", "#div/0!", "#ref!", "#name?")
MISSING = ("none", "null", "na", "n/a", *_ERRORS)
# The same, but also punctuation and parts of texts, which may be names in a header.
_MARKS = ("missing", ".", "--", "\\n", "-\N{INFINITY}", "-1.#inf", "-1.#ind", "1.#qnan")
_ERROR = rf"(?i:{'|'.join(map(re.escape, _ERRORS))})(?![^\s,;])"
# The minus sign of word processors and papers, which is not the ASCII hyphen.
_MINUS = "\N{MINUS SIGN}"


class FieldError(ValueError):
    """A problem with a field, which counts from 1, or with the whole line if `field` is None. `is_missing` is true if
    the field has no number, so that the fix may be to mask the class."""

    def __init__(self, problem: str, field: int | None = None, *, is_missing: bool = False):
        super().__init__(problem)
        self.problem, self.field, self.is_missing = problem, field, is_missing

    def explained(self, mask_fix: str) -> str:
        """Return the problem, with how to mask a class if that may be the fix."""
        return f"{self.problem}; {mask_fix}" if self.is_missing else self.problem


def without_quoted(text: str) -> str:
    """Return a text without its parts in quotes.

    >>> without_quoted('"a, b";c')
    ';c'
    """
    return re.sub(_QUOTED, "", text)


def without_comment(line: str) -> str:
    """Return `line` up to a comment: a # that starts a field outside quotes, or follows a number and a blank.

    >>> without_comment('2 1 # warm'), without_comment("2,1 # warm")
    ('2 1 ', '2,1 ')
    >>> without_comment('"#1",C#'), without_comment("Class #1,2"), without_comment("#N/A,2")
    ('"#1",C#', 'Class #1,2', '#N/A,2')
    """
    for match in _HASH.finditer(line) if "#" in line else ():
        if match[0] == "#" and _starts_comment(line, match.start()):
            return line[: match.start()]
    return line


def _starts_comment(line: str, position: int) -> bool:
    """Return whether the # at a position starts a comment. If commas, semicolons or tabs separate the fields, it may
    also be part of a label, such as `Class #1`."""
    if re.compile(_ERROR).match(line, position):
        return False
    *before, field = re.split("[,;\t]", without_quoted(line[:position]))
    are_numbers = [is_number(word) or is_pair(word) for word in field.split()]
    if all(are_numbers) if before else not are_numbers or are_numbers[-1]:
        return True
    # A space follows the # of most comments, and a comma in prose.
    rest = line[position:]
    are_separated = bool(before) or re.search("[,;\t]", rest) is not None
    return not (are_separated and re.match(r"#(?! )|#[^,;\t]*[,;\t](?! )", rest))


def number(text: str) -> float:
    """Parse a number, written as in Python or C. Raise ValueError, also for a finite number too large for float64."""
    value = float(text)
    if "_" in text or not text.isascii() or (math.isinf(value) and _is_too_large(text)):
        raise ValueError(text)
    return value


def _is_too_large(text: str) -> bool:
    """Return whether `text` is a finite number that float64 would turn into an infinity."""
    try:
        return "n" not in text.lower() and math.isinf(float(text))
    except ValueError:
        return False


def is_number(text: str) -> bool:
    """Return whether `number` can parse `text`."""
    try:
        number(text)
    except ValueError:
        return False
    return True


def _refuse_mixture(line: str) -> None:
    """Raise FieldError if a line has both commas and semicolons, or commas between digits and tabs, since decimal
    commas would be misread."""
    if "," in line and ";" in line:
        raise FieldError(
            "commas and semicolons in one line; separate fields with only one of them, and write 1.5 instead of 1,5"
        )
    if "\t" in line and re.search(r"\d,\d", line):
        raise FieldError(
            "commas and tabs in one line; separate fields with only one of them, and write 1.5 instead of 1,5"
        )


def _refuse_decimal_comma(line: str) -> None:
    """Raise FieldError for a number between blanks that may have a decimal comma."""
    if re.search(_COMMA_NUMBER, line):
        problem = "commas and spaces in one line; separate fields with only one of them"
        raise FieldError(f"{problem}, and write 1.5 instead of 1,5")


def count_start(texts: list[str]) -> int | None:
    """Return 0 or 1 if texts are the numbers that count from it; None for other texts.

    >>> count_start(["0", "1"]), count_start(["1", "2", "3"]), count_start(["1", "3"])
    (0, 1, None)
    """
    return next((start for start in (0, 1) if texts == [str(i + start) for i in range(len(texts))]), None)


def looks_like_number(text: str) -> bool:
    """Return whether `text` is a number, or too similar to one to be meant as a label."""
    try:
        float(text.replace(_MINUS, "-"))
    except ValueError:
        return False
    return True


def split(line: str) -> list[str]:
    """Split a line of numbers into fields. Raise FieldError.

    >>> split("2, 1  0.5,0.1")
    ['2', '1', '0.5', '0.1']
    """
    if "," not in line and ";" not in line:
        return line.split()
    _refuse_mixture(line)
    parts = [part.split() for part in line.replace(";", ",").split(",")]
    if any(len(part) > 1 for part in parts):
        _refuse_decimal_comma(line)
    if not all(parts):
        before = parts[: parts.index([])]
        raise FieldError("empty", 1 + sum(map(len, before)), is_missing=True)
    return [field for part in parts for field in part]


def numbers(fields: list[str]) -> list[float]:
    """Parse fields as numbers. Raise FieldError for the first field that is not a number.

    >>> numbers(["2", "-inf", "1e-3"])
    [2.0, -inf, 0.001]
    """
    try:
        return [number(field) for field in fields]
    except ValueError:
        index = next(i for i, field in enumerate(fields) if not is_number(field))
        raise _without_label(fields) or number_error(fields[index], index + 1) from None


def _without_label(fields: list[str]) -> FieldError | None:
    """Return the error for the first field without a label next to others that are label=number; None if there is no
    such field."""
    index = next((i for i, field in enumerate(fields) if "=" not in field), None)
    if index is None or not any(map(is_pair, fields)):
        return None
    shown = shortened(fields[index])
    if is_number(fields[index]):
        return FieldError(f"{shown!r} has no label; label all numbers or none", index + 1)
    return FieldError(f"{shown!r} has no number; write {shown}=NUMBER", index + 1)


def number_error(text: str, field: int, hint: str = "") -> FieldError:
    """Return the error for a field that is not a number. `hint` is added to its problem."""
    if not text:
        return FieldError("empty", field, is_missing=True)
    return FieldError(not_a_number(text) + hint, field, is_missing=text.lower() in (*MISSING, *_MARKS))


def not_a_number(text: str) -> str:
    """Return the problem with a text that is not a number, with a fix if the cause is likely."""
    shown = shortened(text)
    if _is_too_large(text):
        return f"{shown!r} is too large; the largest number is 1.8e308"
    return f"{shown!r} is not a number{meant_number(text.replace(_MINUS, '-'), text)}"


def meant_number(fixed: str, typed: str) -> str:
    """Return a hint at the numbers that a text may mean, with a decimal comma or with commas between the thousands.

    >>> meant_number("1,5", "1,5"), meant_number("1,000", "1,000")
    ('; did you mean 1.5?', '; did you mean 1.000 or 1000?')
    """
    readings = [fixed.replace(",", ".")]
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?", fixed):
        readings.append(fixed.replace(",", ""))
    numbers = [reading for reading in readings if reading != typed and is_number(reading)]
    return f"; did you mean {' or '.join(numbers)}?" if numbers else ""


def wrong_field_count(count: int, header: int) -> str:
    """Return the problem with a line of `count` fields under a header of `header` fields."""
    return f"expected {header} field{'s' * (header != 1)}, as in the header, got {count}"


def is_pair(text: str) -> bool:
    """Return whether `text` is label=number.

    >>> is_pair("a=b=1"), is_pair("a=")
    (True, False)
    """
    _, equals, value = text.rpartition("=")
    return bool(equals) and is_number(value)


def with_tight_pairs(line: str) -> str:
    """Return a line without the blanks around each = between a label and a number, outside quotes.

    >>> with_tight_pairs('cat = 2, "dog = 1" = .5, x = y')
    'cat=2, "dog = 1"=.5, x = y'
    """
    if not any(blank in line for blank in (" =", "= ", "\t=", "=\t")):
        return line
    return _SPACED_EQUALS.sub(lambda match: "=" if match[0].strip(" \t") == "=" else match[0], line)


def split_pairs(fields: list[str]) -> tuple[tuple[str, ...], list[float]] | None:
    """Split fields that are all `label=number`, each at its last `=`, into labels and numbers.

    Return None if some field has no `=`. Raise FieldError if no number follows the `=`.

    >>> split_pairs(["cat=2", "a=b=1"])
    (('cat', 'a=b'), [2.0, 1.0])
    """
    if not all("=" in field for field in fields):
        return None
    pairs = [field.rsplit("=", 1) for field in fields]
    for i, (label, value) in enumerate(pairs, 1):
        if not value:
            raise FieldError(f"no number after {shortened(label)}=", i, is_missing=True)
    return tuple(label for label, _ in pairs), numbers([value for _, value in pairs])


def split_labels(line: str, delimiter: str | None = None) -> list[str]:
    """Split a line that contains labels into fields. In quotes, separators and blanks are part of a label.

    Without a `delimiter`, `found_delimiter` finds the separator.

    >>> split_labels('New York, "a,b"')
    ['New York', 'a,b']
    >>> split_labels("cat  dog")
    ['cat', 'dog']
    """
    line = line.strip("\r\n ")
    unquoted = without_quoted(line)
    if delimiter is None:
        _refuse_mixture(unquoted)
        if " " in unquoted.strip():
            _refuse_decimal_comma(unquoted)
        delimiter = found_delimiter(line)
    elif delimiter == "," and (wrong := re.search(_DECIMAL_COMMA, unquoted)):
        text = shortened(wrong[0].strip(" ;\t"))
        problem = f"{text!r} may be a number with a decimal comma; write 1.5 instead of 1,5"
        raise FieldError(f"{problem}, or the field in quotes")
    if '"' not in line:
        return [unescape(field.strip()) for field in (line.split(delimiter) or [""])]
    separator = delimiter or r"\s+"
    field = re.compile(rf'[ ]*(?:"((?:[^"]|"")*)"[ ]*|((?:(?!{separator}).)*))({separator}|$)')
    fields: list[str] = []
    position = 0
    while match := field.match(line, position):
        quoted, unquoted, end = match.groups()
        is_open = quoted is None and unquoted.startswith('"') and line.count('"', position) == 1
        if is_open and delimiter in (",", ";"):
            problem = f"{shortened(unquoted)!r} has no closing quote in this line"
            raise FieldError(f"{problem}; join the lines of the field, or write a quote as two", len(fields) + 1)
        fields.append(unescape(unquoted.strip() if quoted is None else quoted.replace('""', '"')))
        if not end:
            break
        position = match.end()
    return fields


def found_delimiter(line: str) -> str | None:
    """Return the delimiter of a line that contains labels; None for blanks.

    It is the first of comma, semicolon and tab that the line has. But with tabs, a comma or semicolon is part of a
    label, unless blanks next to it are the only tabs.

    >>> found_delimiter("cat,dog"), found_delimiter("cat, dog\\tbird"), found_delimiter("cat,\\tdog")
    (',', '\\t', ',')
    """
    unquoted = without_quoted(line.strip())
    if "\t" in re.sub(r"\s*[,;]\s*", ",", unquoted):
        return "\t"
    return next((delimiter for delimiter in ",;\t" if delimiter in unquoted), None)


def join_labels(fields: list[str], delimiter: str) -> str:
    """Join fields into a line, which `split_labels` splits again.

    >>> join_labels(["row", " the", "a,b"], ",")
    'row," the","a,b"'
    """
    texts = [quote(field) for field in fields]
    # A tab at either end of a line would be stripped as a blank.
    ends = (0, len(texts) - 1) if delimiter == "\t" else ()
    return delimiter.join('""' if i in ends and not text else text for i, text in enumerate(texts))


def quote(field: str) -> str:
    """Escape a field, and quote it if a reader would otherwise split it, strip it or take it for a comment.

    >>> quote("cat"), quote("a,b")
    ('cat', '"a,b"')
    """
    field = escape(field)
    if field == field.strip() and not any(c in field for c in ',;"#'):
        return field
    return '"' + field.replace('"', '""') + '"'


def escape(label: str) -> str:
    r"""Escape the characters of a label that would break a line or a column.

    >>> escape("a\tb\\")
    'a\\tb\\\\'
    """
    return re.sub(r"[\\\t\n\r\0]", lambda match: _ESCAPES[match[0]], label)


def unescape(text: str) -> str:
    """Return a label without the escapes of `escape`."""
    if "\\" not in text:
        return text
    return re.sub(r"\\[\\tnr0]", lambda match: _CHARACTERS[match[0]], text)
