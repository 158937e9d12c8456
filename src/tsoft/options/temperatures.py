"""The option --tau, and the temperatures that it lists."""

import itertools
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsoft.errors import InputError, UsageError, joined
from tsoft.options.bundle import bundle

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
        help="Temperatures from 0 (argmax) to inf (uniform): a list such as 0.5,1,2, or a range START:STOP:STEP such as"
        " 0.1:2:0.1, which must end at STOP; - reads them from stdin. Can be repeated.",
    )


@bundle
class TemperatureOptions:
    tau: Annotated[list[str] | None, tau_option("1")] = None


# A list of millions of temperatures.
_MAX_PIPED_BYTES = 1 << 26
# The unit kelvin at the end of a temperature, which may be in a list or a range.
_KELVIN = re.compile(r"(?<=\d|\.)\s*K(?=$|[\s,;:])")


def in_kelvin(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a command's options. If they include the unit of energies, τ is in kelvin, so its values
    lose the unit K."""
    if values.get("units") is None or not values.get("tau"):
        return values
    return values | {"tau": [_KELVIN.sub("", text) for text in values["tau"]]}


def note_logits_after_tau(arguments: list[str], logits: list[str] | None) -> None:
    """Print a note if some of the logits follow a value of --tau, since they may be meant as further temperatures.

    If all logits follow it, as in `compute --tau 0.5 2 1`, they are not.
    """
    from tsoft.input.fields import is_number

    for place, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option not in ("-t", "--tau", "--temperature"):
            continue
        first = place + 1 if equals else place + 2
        value = value if equals else "".join(arguments[place + 1 : first])
        numbers = [*itertools.takewhile(is_number, arguments[first:])]
        # A negative number is no temperature.
        if 0 < len(numbers) < len(logits or ()) and min(map(float, numbers)) >= 0:
            from tsoft.notes import note

            fix = f"for several temperatures, write {option} {','.join([value.rstrip(','), *numbers])}"
            note(f"{logits_after(f'{option} {value}', numbers)}; {fix}")


def logits_after(option: str, numbers: list[str]) -> str:
    """Return the statement that the numbers after an option are logits.

    >>> logits_after("--draws", ["10", "5"])
    '10 and 5 after --draws are logits'
    """
    return f"{joined(numbers)} after {option} {'are logits' if len(numbers) > 1 else 'is a logit'}"


def pieces(taus: list[str] | None) -> list[str]:
    """Return the texts between the commas, semicolons and blanks in the values of --tau."""
    return [piece for text in (taus or ["1"]) for piece in _split(text)]


def _split(text: str) -> list[str]:
    # The blank in 300 K separates nothing.
    return re.split(r"\s*[,;]\s*|\s+", _KELVIN.sub("K", text.strip()))


def parsed_temperatures(taus: list[str] | None) -> "Array":
    """Return the temperatures that were typed, with those on stdin in the place of a `-`: (k,)."""
    import numpy as np

    from tsoft.options.ranges import MAX_TEMPERATURES

    if pieces(taus).count("-") > 1:
        raise UsageError("only one --tau - can read stdin; remove the others")
    _note_decimal_comma(taus)
    values: list[float] = []
    for text in taus or ["1"]:
        for piece in _split(text):
            if not piece:
                raise UsageError(f"--tau: {_missing(text)}")
            values += _piped() if piece == "-" else _temperatures(piece)
    if len(values) > MAX_TEMPERATURES:
        raise UsageError(f"--tau: more than {MAX_TEMPERATURES} temperatures; use a larger step")
    return np.array(values)


def _missing(text: str) -> str:
    """Return the problem with a list in which a temperature is missing."""
    if not re.search("[,;]", text):
        return "no temperature; pass a number from 0 to inf"
    if text.rstrip()[-1] in ",;":
        return f"no temperature after the comma of {text!r}; write a list without spaces, such as 0.5,1,2"
    return f"no temperature between the commas of {text!r}; remove the extra comma"


def _note_decimal_comma(taus: list[str] | None) -> None:
    """Print a note if a value of --tau seems to contain decimal commas, as 0,5 and 0,1:2:0,1 do."""
    texts = [text.strip() for text in taus or ()]
    if any("." in text for text in texts):
        return
    text = next(filter(re.compile(r"(?:^|[:;\s])0,\d+(?:$|[:;\s])").search, texts), None)
    if text is None:
        return
    from tsoft.errors import joined
    from tsoft.notes import note

    items = [item for item in _split(text) if item]
    note(f"--tau {text} is a list of {joined(items)}; for decimal numbers, write {text.replace(',', '.')}")


def _temperatures(text: str) -> list[float]:
    """Return the temperature, or those of a range."""
    if ":" not in text:
        return [_temperature(text)]
    from tsoft.options.ranges import parsed_range

    return parsed_range(text, _temperature)


def _temperature(text: str) -> float:
    from tsoft.input.fields import number

    if _KELVIN.search(text):
        fix = (
            f"add --energies and --units, such as --units kJ/mol (compute and sweep), or write {_KELVIN.sub('', text)}"
        )
        raise UsageError(f"--tau: {text!r} has a unit, which needs energies with a unit; {fix}")
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
    from tsoft.input.limits import read_limited
    from tsoft.input.source import STDIN, open_input
    from tsoft.input.utf8 import decode_text

    values: list[float] = []
    counts: list[int] = []
    with open_input("-") as stream:
        data = read_limited(stream, _MAX_PIPED_BYTES, STDIN, "list of temperatures")
    lines = decode_text(data, STDIN).splitlines()
    for number, line in enumerate(lines, 1):
        try:
            texts = fields.split(fields.without_comment(line))
            counts += [len(texts)] if texts else []
            for field, text in enumerate(texts, 1):
                if _KELVIN.search(text):
                    raise fields.FieldError(f"{text!r} has a unit; write the number alone", field)
                try:
                    values += _temperatures(text)
                except UsageError as error:
                    raise fields.FieldError(str(error).removeprefix("--tau: "), field) from None
        except fields.FieldError as error:
            where = f"{STDIN}:{number}" + (f": field {error.field}" if error.field else "")
            raise InputError(f"{where}: {error.explained('write a temperature from 0 to inf')}") from None
    if not values:
        raise InputError(f"{STDIN}: no temperatures: the input is empty")
    if len(counts) > 1 and min(counts) > 1:
        from tsoft.notes import note

        note(f"{STDIN}: each line has several numbers; tsoft reads all as temperatures (cut -f 1 selects a column)")
    return values
