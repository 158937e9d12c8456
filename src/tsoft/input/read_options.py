"""The options that every reader takes."""

from collections.abc import Callable
from dataclasses import dataclass

from tsoft.errors import InputError
from tsoft.input.fields import FieldError
from tsoft.input.labels import Labels
from tsoft.input.quantity import QUANTITIES


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source.

    `source` is its name in messages. `quantity` is the kind of its numbers, None if the source specifies it or they are
    logits. A `delimiter` makes it strict CSV or TSV. `key` names one of several arrays. `targets` requests the true
    classes of the rows, if the source has them. `note` is called with each note to the user. With
    `refuses_label`, a table with only a column label and a column of numbers is an error.
    """

    source: str
    quantity: str | None = None
    labels: Labels | None = None
    delimiter: str | None = None
    key: str | None = None
    targets: bool = False
    note: Callable[[str], None] = lambda _: None
    refuses_label: bool = False

    def class_labels(self, labels: tuple[str, ...] | None, classes: int, where: str) -> tuple[str, ...] | None:
        """Return the labels of the classes: those in the source, or those of the options.

        Raise InputError, located at `where`, if both have labels, or if the number of the options' labels differs.
        """
        if self.labels is None:
            return labels
        if labels:
            raise InputError(f"{where}: the input already names the classes; remove --labels")
        try:
            return self.labels.matching(classes)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None

    def field_error(self, line: int, error: FieldError) -> InputError:
        """Return an error in a line that was split into fields."""
        return self.error(line, error.explained(QUANTITIES[self.quantity or "logit"].mask_fix), error.field)

    def error(self, line: int, problem: str, field: int | None = None) -> InputError:
        """Return an error in a line of the source, and in a field of it; both count from 1."""
        where = f"{self.source}:{line}"
        return InputError(f"{where}: {problem}" if field is None else f"{where}: field {field}: {problem}")
