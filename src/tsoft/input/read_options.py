"""The options that every reader takes."""

from collections.abc import Callable
from dataclasses import dataclass

from tsoft.errors import InputError
from tsoft.input.labels import Labels


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source.

    `source` is its name in messages. `quantity` is the kind of its numbers, None if the source specifies it or they are
    logits. A `delimiter` makes it strict CSV or TSV. `key` names one of several arrays. `targets` requests the true
    classes of the rows, if the source has them. `note` is called with each note to the user.
    """

    source: str
    quantity: str | None = None
    labels: Labels | None = None
    delimiter: str | None = None
    key: str | None = None
    targets: bool = False
    note: Callable[[str], None] = lambda _: None

    def class_labels(self, labels: tuple[str, ...] | None, classes: int, where: str) -> tuple[str, ...] | None:
        """Return the labels of the classes: those in the source, or those of the options.

        Raises InputError, located at `where`, if both have labels, or if the number of the options' labels differs.
        """
        if self.labels is None:
            return labels
        if labels:
            raise InputError(f"{where}: the input already names the classes; leave out --labels")
        try:
            return self.labels.matching(classes)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None

    def error(self, line: int, problem: str, field: int | None = None) -> InputError:
        """Return an error in a line of the source, and in a field of it; both count from 1."""
        where = f"{self.source}:{line}"
        return InputError(f"{where}: {problem}" if field is None else f"{where}: field {field}: {problem}")
