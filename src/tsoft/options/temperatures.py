"""The option --tau, and the temperatures that it lists."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsoft.errors import InputError, UsageError

if TYPE_CHECKING:
    from tsoft.core.softmax import Array


def tau_option(default: str) -> Any:
    """Return the option --tau, with this default in its help."""
    return typer.Option(
        "--tau",
        "-t",
        "--temperature",
        metavar="τ,…",
        show_default=default,
        help="Temperatures from 0 (argmax) to inf (uniform), such as 0.7 or 0.5,1,2; - reads them from stdin."
        " Can be repeated.",
    )


@dataclass(frozen=True, eq=False, repr=False)
class TemperatureOptions:
    tau: Annotated[list[str] | None, tau_option("1")] = None


def pieces(taus: list[str] | None) -> list[str]:
    """Return the texts between the commas, semicolons and blanks in the values of --tau."""
    return [piece for text in (taus or ["1"]) for piece in re.split(r"\s*[,;]\s*|\s+", text.strip())]


def parsed_temperatures(taus: list[str] | None) -> "Array":
    """Return the temperatures that were typed, with those on stdin in the place of a `-`: (k,)."""
    import numpy as np

    if pieces(taus).count("-") > 1:
        raise UsageError("only one --tau - can read stdin; remove the others")
    values: list[float] = []
    for piece in pieces(taus):
        values += _piped() if piece == "-" else [_temperature(piece)]
    return np.array(values)


def _temperature(text: str) -> float:
    from tsoft.input.fields import number

    try:
        value = number(text.replace("∞", "inf"))
    except ValueError:
        value = float("nan")
    if not value >= 0:
        raise UsageError(f"--tau: {text!r} is not a temperature; pass a number from 0 to inf")
    return value + 0.0


def _piped() -> list[float]:
    """Return the temperatures on stdin."""
    from tsoft.input import fields
    from tsoft.input.source import STDIN, open_input
    from tsoft.input.utf8 import decode_text

    values: list[float] = []
    with open_input("-") as stream:
        lines = decode_text(stream.read(), STDIN).splitlines()
    for number, line in enumerate(lines, 1):
        try:
            for field, text in enumerate(fields.split(fields.without_comment(line)), 1):
                try:
                    values.append(_temperature(text))
                except UsageError as error:
                    raise fields.FieldError(str(error).removeprefix("--tau: "), field) from None
        except fields.FieldError as error:
            where = f"{STDIN}:{number}" + (f": field {error.field}" if error.field else "")
            raise InputError(f"{where}: {error.explained('write a temperature from 0 to inf')}") from None
    if not values:
        raise InputError(f"{STDIN}: no temperatures: the input is empty")
    return values
