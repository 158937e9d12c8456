"""How a source is read: what every reader gets."""

from collections.abc import Callable
from dataclasses import dataclass

from tsoft.errors import InputError
from tsoft.input.labels import Labels


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source. `source` is its name in messages. `quantity` is what its numbers are, None if the
    source itself says so. A `delimiter` makes it strict CSV or TSV. `key` names one of several arrays. `targets`
    says whether to read the rows' true classes where the source has them. `note` gets messages for the user that
    are no errors."""

    source: str
    quantity: str | None = None
    labels: Labels | None = None
    delimiter: str | None = None
    key: str | None = None
    targets: bool = False
    note: Callable[[str], None] = lambda _: None

    def class_labels(self, labels: tuple[str, ...] | None, classes: int, where: str) -> tuple[str, ...] | None:
        """The names of that many classes: the `labels` in the source, or those of the options. Raises InputError, which
        says `where`, if there are both, or the options name another number of classes."""
        if self.labels is None:
            return labels
        if labels:
            raise InputError(f"{where}: the classes are named here; leave out --labels")
        try:
            return self.labels.matching(classes)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None

    def error(self, line: int, problem: str, field: int | None = None) -> InputError:
        """An error in a line of the source, and in one of its fields; both count from 1."""
        where = f"{self.source}:{line}"
        return InputError(f"{where}: {problem}" if field is None else f"{where}: field {field}: {problem}")
