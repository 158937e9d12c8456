"""Numbers as the values of options, by the same rule as in arguments and files."""

import copy
from functools import partial
from typing import Any


def number(text: str) -> float:
    """Parse a number, as `tsoft.input.fields` does. Raise ValueError.

    >>> number("1e-3")
    0.001
    """
    from tsoft.input import fields

    return fields.number(text)


def whole_number(text: str) -> int:
    """Parse a whole number, exactly. Raise ValueError.

    >>> whole_number("1e3"), whole_number("9007199254740993")
    (1000, 9007199254740993)
    """
    from decimal import Decimal

    if text.strip().removeprefix("-").isdigit() and text.isascii():
        return int(text)
    # The number is checked first, since a huge exponent would take all memory, and Decimal reads underscores.
    if not abs(number(text)) < float("inf") or (value := Decimal(text.strip())) != value.to_integral_value():
        raise ValueError(text)
    return int(value)


def share(text: str) -> float:
    """Parse a number, or a percentage from 0 to 100. Raise ValueError.

    >>> share("0.73"), share("73%"), share("7.3 %")
    (0.73, 0.73, 0.073)
    """
    stripped = text.rstrip()
    if not stripped.endswith("%"):
        return number(text)
    from decimal import Decimal

    if not 0 <= number(stripped[:-1]) <= 100:
        raise ValueError(text)
    # Shift the decimal point, because a division would round a second time.
    return float(Decimal(stripped[:-1].strip()).scaleb(-2))


def percentage_hint(value: float) -> str:
    """Return a hint at the share that a number above 1 may mean; empty for a number that is no percentage.

    >>> percentage_hint(73), percentage_hint(101)
    ('; for 73 %, pass 0.73', '')
    """
    return f"; for {value:g} %, pass {value / 100:g}" if 2 <= value <= 100 else ""


def range_in_words(low: float, high: float | None) -> str:
    """Return the range of a number in words.

    >>> range_in_words(1, 17), range_in_words(0.1, None)
    ('1 to 17', 'at least 0.1')
    """
    return f"at least {low:.15g}" if high is None else f"{low:.15g} to {high:.15g}"


def read_strictly(parameter: Any) -> None:
    """Let an option read its numbers by the rule of this module, not by that of Python's int and float, and show its
    range in words."""
    parse = {"int": whole_number, "float": number}.get(parameter.type.name.removesuffix(" range"))
    if parse is None:
        return

    def parsed(value: Any) -> Any:
        if not isinstance(value, str):
            return value  # a default
        result = parse(value)
        # NaN would pass the comparisons with the ends of a range.
        if result != result and parameter.type.name.endswith("range"):
            raise ValueError(value)
        return result

    # Typer shares one type between all options without a range, so change a copy.
    parameter.type = copy.copy(parameter.type)
    parameter.type._number_class = parsed
    if (low := getattr(parameter.type, "min", None)) is not None:
        parameter.type._describe_range = partial(range_in_words, low, parameter.type.max)
