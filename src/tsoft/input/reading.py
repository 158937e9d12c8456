"""How sources are read: what every reader is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsoft.errors import InputError

if TYPE_CHECKING:
    from tsoft.input.labels import Labels


@dataclass(frozen=True)
class Reading:
    """How a source is to be read. `source` is its name in messages; `quantity` is what its numbers
    are, None where it is for the source to say; a `delimiter` makes it strict CSV or TSV; `key` names
    an array of several; `targets` asks for those that come with the rows; `note` tells the user something that
    is no error."""

    source: str
    quantity: str | None = None
    labels: "Labels | None" = None
    delimiter: str | None = None
    key: str | None = None
    targets: bool = False
    note: Callable[[str], None] = lambda _: None

    def error(self, line: int, problem: str, field: int | None = None) -> InputError:
        where = f"{self.source}:{line}"
        return InputError(f"{where}: {problem}" if field is None else f"{where}: field {field}: {problem}")
