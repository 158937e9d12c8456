"""Numbers as the values of options, by the same rule as in arguments and files."""

from typing import Any


def number(text: str) -> float:
    """Parse a number, as `tsoft.input.fields` does. Raise ValueError, also for NaN.

    >>> number("1e-3")
    0.001
    """
    from tsoft.input import fields

    value = fields.number(text)
    if value != value:
        raise ValueError(text)
    return value


def whole_number(text: str) -> int:
    """Parse a whole number, exactly. Raise ValueError.

    >>> whole_number("1e3"), whole_number("9007199254740993")
    (1000, 9007199254740993)
    """
    from decimal import Decimal

    if text.strip().removeprefix("-").isdigit() and text.isascii():
        return int(text)
    # Infinities, and exponents that would take all memory, are no whole numbers.
    value = Decimal(text) if abs(number(text)) < float("inf") else Decimal("0.5")
    if value != value.to_integral_value():
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


def read_strictly(parameter: Any) -> None:
    """Let an option read its numbers by the rule of this module, not by that of Python's int and float."""
    parsers = {"int": whole_number, "float": number}
    kind = parameter.type
    parser = parsers.get(kind.name.split(" ")[0])
    if parser is None:
        return
    # Typer shares one type between all options without a range, so change a copy.
    import copy

    parameter.type = copy.copy(kind)
    # Defaults are numbers already.
    parameter.type._number_class = lambda value: parser(value) if isinstance(value, str) else value
