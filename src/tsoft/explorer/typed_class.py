"""A logit, or a class, that the user types."""

from math import inf

from tsoft.errors import shortened, visible
from tsoft.explorer.explorer_rows import ExplorerRow


class EntryError(Exception):
    """The typed text has no meaning. The message explains why."""


def typed_logit(text: str, row: ExplorerRow) -> float:
    """Return the logit of a number that the user typed, which is an energy in a row of energies.

    Raise EntryError for a text that is not a number, and for a number that is not a logit.
    """
    from tsoft.input import fields

    try:
        number = fields.number(text.strip().replace("−", "-").replace("∞", "inf")) + 0.0
    except ValueError:
        number = float("nan")
    logit = -number + 0.0 if row.quantity == "energy" else number
    if not logit < inf:
        typed = shortened(visible(text.strip()), 12)
        raise EntryError(f"{typed} is neither a number nor {row.mask}" if typed else f"type a number, or {row.mask}")
    return logit


def typed_class(text: str, row: ExplorerRow) -> tuple[str, float]:
    """Return the label and the logit of LABEL=NUMBER, or of NUMBER without a label.

    Raise EntryError for a text without a logit.
    """
    label, _, number = text.rpartition("=")
    if any("\ud800" <= character <= "\udfff" for character in label):
        raise EntryError("the label is not valid text")
    logit = typed_logit(number, row)
    if logit == -inf:
        raise EntryError("a new class needs a number; - masks it later")
    return label.strip(), logit
