"""The options that every reader takes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError, shortened
from tsoft.input.class_lookup import ordered_pair
from tsoft.input.fields import FieldError
from tsoft.input.labels import Labels
from tsoft.input.quantity import QUANTITIES, Quantity, both_classes, to_logits

# The longest line of a text, in MB. A line without an end would fill the memory.
MAX_LINE = 256
# A JSON document, which is often one line of many rows, may be this many times as long.
_LINES_PER_DOCUMENT = 4


@dataclass(frozen=True)
class ColumnOptions:
    """The columns of a table that the user names: those of the `logits`, in this order, and the `key` of the rows, with
    the option that names it, `key_option`."""

    logits: tuple[str, ...] | None = None
    key: str | None = None
    key_option: str = "--id-column"


@dataclass(frozen=True)
class ArrayKey:
    """Selects one of several arrays. `name` is the value of `option`. Without it, the reader tries `shared`, the name
    that the user gave for the first file. `others` are arrays of the same file that the command also reads, so no note
    calls them ignored."""

    name: str | None = None
    option: str = "--key"
    shared: str | None = None
    others: tuple[str | None, ...] = ()

    def among(self, names: Collection[str]) -> "ArrayKey":
        """Return the key for a file with arrays of these names."""
        return replace(self, name=self.shared) if self.name is None and self.shared in names else self


def key_pair(
    first: ArrayKey, second: ArrayKey, *, same_file: bool, targets: tuple[str | None, ...] = ()
) -> tuple[ArrayKey, ArrayKey]:
    """Return the keys of two inputs of a command. The name in `first` is shared by `second`. If both are the
    `same_file`, the command also reads the array of the other input, and those called `targets`."""
    others = (first.name, second.name, *targets) if same_file else ()
    return replace(first, others=others), replace(second, shared=first.name, others=others)


@dataclass(frozen=True)
class TargetSource:
    """How to read the true classes of the rows.

    `column` is the column of a table, or the field of a JSON object; `key` is the array of an .npz file. Rows with the
    target `ignored` are left out. If the targets are in a `separate` file, readers skip those next to the logits.
    `count` is the number of targets, if it is known before the logits are read. With `per_character`, the
    log-likelihood of each answer of an evaluation is divided by the number of its characters. `answer_field` is the
    field of an object around a response that names the right answer. `binary_labels` are the labels of a binary
    classifier, if they are known before the logits are read.
    """

    column: str | None = None
    key: ArrayKey = ArrayKey(option="--targets-key")
    ignored: int | None = None
    separate: bool = False
    count: int | None = None
    per_character: bool = False
    answer_field: str = "target"
    binary_labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source.

    `source` is its name in messages. `quantity` is the kind of its numbers, None if the source specifies it or they are
    logits. A `delimiter` makes it strict CSV or TSV. `key` is one of several arrays. `targets` requests the true
    classes of the rows, if the source has them. `note` is called with each note to the user. `max_line` is the longest
    line of a text, in MB.
    """

    source: str
    quantity: str | None = None
    labels: Labels | None = None
    delimiter: str | None = None
    key: ArrayKey = ArrayKey()
    targets: TargetSource | None = None
    note: Callable[[str], None] = lambda _: None
    columns: ColumnOptions = ColumnOptions()
    max_line: int = MAX_LINE

    @property
    def longest_line(self) -> int:
        """The bytes of the longest line of a text."""
        return self.max_line << 20

    @property
    def longest_document(self) -> int:
        """The bytes of the longest JSON document."""
        return _LINES_PER_DOCUMENT * self.longest_line

    @property
    def longer_lines(self) -> str:
        """The option that doubles these limits, for messages."""
        return f"--max-line {2 * self.max_line}"

    @property
    def reads_targets(self) -> bool:
        """Whether to read the true classes next to the logits."""
        return self.targets is not None and not self.targets.separate

    def next_to_targets(self, count: int | None = None) -> "ReadOptions":
        """Return the options for logits next to true classes, `count` of them if this is known. There, one number per
        row is a binary classifier, also for a command that does not use the classes."""
        targets = self.targets or TargetSource(separate=True)
        return replace(self, targets=targets if count is None else replace(targets, count=count))

    def of_single_scores(self, column: str) -> "ReadOptions":
        """Return the options for a column of one number per row without targets, whose name may be that of a class."""
        if self.labels or self.targets is None or self.targets.binary_labels is None:
            return self
        return replace(self, labels=Labels(ordered_pair(self.targets.binary_labels, column)))

    def reads_column(self, size: int) -> bool:
        """Return whether `size` numbers are one score for each of `size` rows: there are as many targets, and --labels
        does not name `size` classes (unless two)."""
        is_row = size != 2 and self.labels is not None and len(self.labels.names) == size
        return self.targets is not None and self.targets.count == size > 1 and not is_row

    @property
    def names_columns(self) -> bool:
        """Whether the user names columns, which only a table with a header has."""
        return self.columns.logits is not None or bool(self.named_columns)

    @property
    def named_columns(self) -> tuple[str, ...]:
        """The columns that the user names."""
        others = self.columns.key, self.targets.column if self.targets else None
        return (*(self.columns.logits or ()), *(name for name in others if name is not None))

    @property
    def column_options(self) -> str:
        """The options that name columns, for messages."""
        return f"--columns, {self.columns.key_option} and --target-column"

    def logits(
        self, values: Array, quantity: Quantity, labels: tuple[str, ...] | None, where: str
    ) -> tuple[Array, tuple[str, ...] | None]:
        """Return numbers of a quantity, (rows, n), as logits, and the labels of the classes.

        If targets are requested, one number per row is the second of two classes: a binary classifier. `labels` are
        those in the source. Raise LogitsError for a number out of range, and InputError, located at `where`, for labels
        that do not fit.
        """
        if self.targets is None or values.shape[1] != 1:
            logits = to_logits(values, quantity)
            return logits, self.class_labels(labels, logits.shape[1], where)
        logits = to_logits(both_classes(values, quantity), quantity)
        labels = self.class_labels(labels if labels and len(labels) == 2 else None, 2, where)
        self.note(f"{self.source}: {binary_note(quantity, labels)}")
        return logits, labels

    def for_width(self, width: int, first_width: int) -> "ReadOptions":
        """Return the options for rows of `width` numbers, if the first row has `first_width`. A row of one number after
        longer rows is not that of a binary classifier. Raise LogitsError for a longer row of one."""
        if self.targets is None or width == first_width:
            return self
        if first_width == 1:
            raise LogitsError(f"expected one number, as in the first row, got {width}", 0)
        return replace(self, targets=None)

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


def binary_note(quantity: Quantity, labels: tuple[str, ...] | None) -> str:
    """Return a note that one number per row is read as a binary classifier.

    >>> binary_note(QUANTITIES["logit"], ("neg", "pos"))
    "one number per row, so tsoft reads a binary classifier: z is the logit of class 'pos', and 0 that of 'neg'"
    """
    first, second = ("#0", "#1") if labels is None else (repr(shortened(label)) for label in labels)
    if quantity.name in ("prob", "logprob"):
        reading = f"each is the {quantity.noun.split(maxsplit=1)[1]} of class {second}, and the rest is that of {first}"
    else:
        reading = f"z is the {quantity.noun.split(maxsplit=1)[1]} of class {second}, and 0 that of {first}"
    return f"one number per row, so tsoft reads a binary classifier: {reading}"
