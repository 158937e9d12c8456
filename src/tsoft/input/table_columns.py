"""What the columns of a table are: logits, the key of the rows, and their true classes.

The names of the columns and the first row decide, so that a table can be read as it arrives. The readers raise an error
if a later row contradicts the decision.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property

from tsoft.errors import InputError, joined, nearest, shortened, unknown
from tsoft.input import fields
from tsoft.input.column_fixes import selection
from tsoft.input.column_groups import as_one_group, class_groups
from tsoft.input.columns import FURTHER_TARGET_NAMES, ID, KEY_COLUMNS, TARGET_NAMES
from tsoft.input.odd_columns import classes_beside_scores, degeneracy_columns, result_columns
from tsoft.input.quantity import (
    NEGATIVE_LOGPROBS,
    QUANTITIES,
    contradiction,
    quantities_in,
    stated_quantity,
    suggestion,
)
from tsoft.input.read_options import ReadOptions

ROW, TAU = KEY_COLUMNS[:2]
# Columns that programs write to identify the rows, such as id, Unnamed: 0, sample_id and ImageId.
_KEY_NAME = re.compile(
    r"(?i:(?:.*[\s_-])?(?:(?:q|u|gu|uu|row)?id|idx|index|row[\s_.-]?names?)|unnamed: ?\d+(?:\.\d+)*)|.*[a-z]I[dD]"
)
# Columns that number the classes, the true ones or predictions, and not the rows.
_TRUE_CLASS = re.compile(r"label|class|target|truth|true|gt|gold|y", re.IGNORECASE)
_CLASS_NUMBER = re.compile(
    rf"(?:{_TRUE_CLASS.pattern}|token|pred(?:icted|iction)?)[\s_.-]?(?:id|idx|index)", re.IGNORECASE
)
# Columns that are keys whatever they contain: the number of a row, and an index of pandas in a Parquet file.
_SURE_KEY_NAME = re.compile(rf"{ROW}|__index_level_\d+__")
# The levels of an index that pandas turned into columns. Classes may have such names, too.
_LEVEL_NAME = re.compile(r"level_\d+")
_NUMBERED = re.compile(r"(.*?\D)[\s_.-]*\d+")
# A note lists this many columns. An error lists at most MAX_CHOICES, and suggests one of at most MAX_COMPARED.
MAX_LISTED, MAX_CHOICES, MAX_COMPARED = 8, 20, 1000


def is_key_name(name: str) -> bool:
    """Return whether a column of this name may identify the rows.

    >>> is_key_name("Id"), is_key_name("image_id"), is_key_name("ImageID"), is_key_name("squid")
    (True, True, True, False)
    """
    return _is_sure_key_name(name) or _KEY_NAME.fullmatch(name) is not None


def is_class_number(name: str) -> bool:
    """Return whether a column of this name numbers classes, although it may have the name of a key.

    >>> is_class_number("label_id"), is_class_number("classIdx"), is_class_number("image_id")
    (True, True, False)
    """
    return _CLASS_NUMBER.fullmatch(name.strip()) is not None


def is_true_class_number(name: str) -> bool:
    """Return whether a column of this name numbers the true classes.

    >>> is_true_class_number("label_id"), is_true_class_number("token_id")
    (True, False)
    """
    return is_class_number(name) and _TRUE_CLASS.match(name.strip()) is not None


def _is_sure_key_name(name: str) -> bool:
    return _SURE_KEY_NAME.fullmatch(name.strip().lower()) is not None


def is_target_name(name: str, options: ReadOptions) -> bool:
    """Return whether a column of this name may contain the true classes."""
    return name.lower() in TARGET_NAMES or (options.targets is not None and name.lower() in FURTHER_TARGET_NAMES)


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table by their indices: the `logits`, the `key` if there is one, and the `target` if the true
    classes are to be read. The key `counts` if it consists of consecutive integers. `unused_targets` are further
    columns of classes. `doubtful` are the names of logits that may be something else, as a note says."""

    names: tuple[str, ...]
    logits: tuple[int, ...]
    key: int | None = None
    counts: bool = False
    target: int | None = None
    unused_targets: tuple[int, ...] = ()
    doubtful: frozenset[str] = frozenset()

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the classes; None for their indices, which tsoft writes for classes without labels."""
        labels = tuple(self.names[i] for i in self.logits)
        return None if labels == tuple(map(str, range(len(labels)))) else labels


def whole_number(text: str) -> int | None:
    """Return the integer that a text stands for; None for any other text, and for one with leading zeros.

    >>> whole_number("3"), whole_number("3.0"), whole_number("3.5"), whole_number("03")
    (3, 3, None, None)
    """
    if not fields.is_number(text) or re.match(r"[+-]?0\d", text):
        return None
    value = fields.number(text)
    return int(value) if value % 1 == 0 and abs(value) < 2**53 else None


def decide(names: Sequence[str], first: Sequence[str], options: ReadOptions, written: Sequence[int]) -> TableColumns:
    """Return the columns of a table, from their names and the texts of the first row, and print a note that names each
    guess.

    `written` are the columns that tsoft writes next to the classes. Raise ColumnError for a name that no column has, or
    if the columns are ambiguous.
    """
    return _Decision(tuple(names), tuple(first), options, written).result()


def with_named_classes(names: Sequence[str], first: Sequence[str], options: ReadOptions) -> ReadOptions:
    """Return the options with a column of texts as the key, with a note, if the only other column has numbers, and its
    name states what they are: the texts then name the classes."""
    if options.names_columns or options.targets is not None or len(names) != len(first) or len(names) != 2:
        return options
    texts = [name for name, text in zip(names, first, strict=True) if text and not fields.looks_like_number(text)]
    numbers = [name for name, text in zip(names, first, strict=True) if fields.is_number(text)]
    is_known = not texts or is_key_name(texts[0].strip()) or is_target_name(texts[0].strip(), options)
    if is_known or not numbers or stated_quantity(numbers[0]) is None:
        return options
    options.note(f"{options.source}: tsoft reads {shortened(texts[0])!r} as the names of the classes")
    return replace(options, columns=replace(options.columns, key=texts[0]))


def with_stated_quantity(name: str, options: ReadOptions) -> ReadOptions:
    """Return the options for a single column of numbers, whose name may state what the numbers are.

    Raise ColumnError if the options state something else.
    """
    quantity = stated_quantity(name)
    if quantity and options.quantity not in (None, quantity):
        raise ColumnError(contradiction(f"the column {name!r}", quantity, options.quantity or "logit"))
    return replace(options, quantity=quantity or options.quantity)


class ColumnError(InputError):
    """A problem with the columns of a table. Readers add the location."""


@dataclass
class _Decision:
    """The columns that are decided so far, and the notes about them."""

    names: tuple[str, ...]
    first: tuple[str, ...]
    options: ReadOptions
    written: Sequence[int]
    notes: list[str] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)

    def result(self) -> TableColumns:
        listed, key, target = self._named_columns()
        others = set(range(len(self.names))) - {*(listed or ()), *self.written, key, target}
        keys = self._keys(others)
        targets = self._targets(others - set(keys), target)
        rest = sorted(others - set(keys) - set(targets))
        is_vector = len(rest) == 1 and not targets and self.options.targets is None
        classes = [] if is_vector else [i for i in keys if is_class_number(self.names[i])]
        found_key = self._best_key([i for i in keys if i not in classes]) if key is None else key
        if key is None and found_key is not None and not self._value(found_key) and not self.is_written:
            problem = f"{self._quoted([found_key])} is empty in the first row"
            fix = f"if that row is part of the header, join the two; else pass --id-column {self.names[found_key]!r}"
            raise ColumnError(f"{problem}; {fix}")
        found_target = target
        if target is None and self.options.reads_targets:
            found_target = next(iter([*targets, *(i for i in classes if is_true_class_number(self.names[i]))]), None)
        unused = [i for i in targets if i != found_target]
        skipped = [i for i in [*self.written, *keys] if i not in (found_key, found_target, *(listed or ()))]
        guessed_key, guessed_target = found_key if key is None else None, found_target if target is None else None
        self._note(guessed_key, guessed_target, unused, skipped if listed is None else skipped + rest)
        if listed is None:
            self._check_logits(rest, targets)
        elif not self.is_written and not self._states_quantity(listed):
            self._note_other_quantity(listed)
        for note in self.notes:
            self.options.note(f"{self.options.source}: {note}")
        counts = guessed_key is not None and not self.is_written and self._counts(guessed_key)
        logits = tuple(rest if listed is None else listed)
        return TableColumns(
            self.names, logits, found_key, counts, found_target, tuple(unused), frozenset(self.doubtful)
        )

    def _named_columns(self) -> tuple[list[int] | None, int | None, int | None]:
        """Return the columns that the options name: the logits, the key and the target. Raise ColumnError."""
        options = self.options
        listed = None if options.columns.logits is None else self._listed(options.columns.logits)
        key_option = options.columns.key_option
        key = self._named(key_option, options.columns.key)
        target = self._named("--target-column", options.targets.column if options.targets else None)
        if key is not None and key == target:
            raise ColumnError(f"{key_option} and --target-column both name {self.names[key]!r}; they need two columns")
        for option, index in ((key_option, key), ("--target-column", target)):
            if index is not None and index in (listed or ()):
                raise ColumnError(f"--columns and {option} both name {self.names[index]!r}; remove it from one of them")
        return listed, key, target

    @property
    def is_written(self) -> bool:
        """Whether tsoft wrote the table, which then has row and tau. Its other columns are classes."""
        return {ROW, TAU} <= {self.names[i] for i in self.written}

    def _keys(self, others: set[int]) -> list[int]:
        """Return the columns that identify the rows, with a note on those that only have the name of a key."""
        if self.is_written:
            return [1] if self.names[:3] == (ROW, ID, TAU) and 1 in others else []
        named = {i for i in others if is_key_name(self.names[i].strip()) or (i == 0 and not self._lower(i))}
        levels = {i for i in others if _LEVEL_NAME.fullmatch(self._lower(i))}
        classes = [i for i in others - named - levels if not is_target_name(self._lower(i), self.options)]
        named |= levels if len(levels) <= len(classes) else set()
        return [i for i in sorted(named) if self._may_be_key(i)]

    def _lower(self, index: int) -> str:
        return self.names[index].strip().lower()

    def _named(self, option: str, name: str | None) -> int | None:
        """Return the column that an option names."""
        if name is None:
            return None
        columns = self._columns.get(name, [])
        if not columns:
            raise ColumnError(f"{option}: {self._unknown(name)}")
        if len(columns) > 1:
            raise ColumnError(f"{option}: {len(columns)} columns are called {shortened(name)!r}; rename one")
        return columns[0]

    @cached_property
    def _columns(self) -> dict[str, list[int]]:
        """The columns of each name."""
        columns: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            columns.setdefault(name, []).append(i)
        return columns

    def _unknown(self, name: str) -> str:
        """Return the message for a name that no column has."""
        if len(self.names) <= MAX_CHOICES:
            return unknown("column", shortened(name), map(shortened, self.names))
        suggestion = nearest(name, self.names[:MAX_COMPARED])
        hint = f"; did you mean {shortened(suggestion)!r}?" if suggestion else ""
        return f"unknown column {shortened(name)!r}{hint or f'; the header names {len(self.names)} columns'}"

    def _listed(self, names: Sequence[str]) -> list[int]:
        """Return the columns that --columns lists, in its order. Patterns such as logit_* list several."""
        names = [match for name in names for match in self._matching(name)]
        repeated = next((name for name, count in Counter(names).items() if count > 1), None)
        if repeated is not None:
            raise ColumnError(f"--columns lists {shortened(repeated)!r} twice; remove one")
        return [index for name in names if (index := self._named("--columns", name)) is not None]

    def _matching(self, name: str) -> list[str]:
        is_pattern = name not in self._columns and any(character in name for character in "*?[")
        return [other for other in self._columns if is_pattern and fnmatchcase(other, name)] or [name]

    def _value(self, index: int) -> str:
        return self.first[index] if index < len(self.first) else ""

    def _counts(self, index: int) -> bool:
        return not _is_sure_key_name(self.names[index]) and whole_number(self._value(index)) is not None

    def _may_be_key(self, index: int) -> bool:
        """Return whether a column with the name of a key counts or contains text, with a note if it does not."""
        text = self._value(index)
        if _is_sure_key_name(self.names[index]) or not _is_decimal(text):
            return True
        self._note_logit(index, "is not a count")
        return False

    def _note_logit(self, index: int, reason: str) -> None:
        name, text = self.names[index], shortened(self._value(index))
        if self.options.columns.logits is None:
            self.doubtful.add(name)
            reading = f"tsoft reads {shortened(name)!r} as {self._kind([index])}, because {text} {reason}"
            self.notes.append(f"{reading}; pass --columns to list the logits")

    def _best_key(self, keys: Sequence[int]) -> int | None:
        """Return the column to use as the key: preferably one with a name, and not the number of the row."""

        def rank(index: int) -> int:
            name = self._lower(index)
            return 2 if name == ROW else 1 if not name or name.startswith("unnamed") else 0

        return min(keys, key=rank, default=None)

    def _targets(self, others: set[int], target: int | None) -> list[int]:
        """Return the columns that contain classes, in the order of precedence, without the chosen target."""
        options, candidates = self.options, []
        for name in (*TARGET_NAMES, *FURTHER_TARGET_NAMES):
            same = [i for i in sorted(others) if self._lower(i) == name and is_target_name(name, options)]
            if self.is_written and not (options.targets is not None and name == TARGET_NAMES[0]):
                continue
            fitting = [i for i in same if not self._is_fraction(i)]
            if len(fitting) > 1:
                problem = f"{len(fitting)} columns are called {name!r}"
                raise ColumnError(f"{problem}; rename one, or list the columns of the logits with --columns")
            for i in same:
                if i not in fitting:
                    self._note_logit(i, "is not a class")
            candidates += fitting
        has_targets = target is not None or (options.targets is not None and options.targets.separate)
        # Next to a single column of scores, a second logit is unlikely, unless the targets name the columns.
        first = candidates[0] if target is None and candidates else target
        may_be_logits = len(others) - len(candidates) > 1 or self._names_a_column(first)
        for position, i in enumerate(candidates):
            is_further = self._lower(i) in FURTHER_TARGET_NAMES
            if is_further and may_be_logits and (has_targets or position > 0) and fields.is_number(self._value(i)):
                if options.columns.logits is not None:
                    continue
                problem = f"ambiguous: the column {self.names[i]!r} may contain classes or logits"
                raise ColumnError(f"{problem}; list the columns of the logits with --columns")
        return candidates

    def _names_a_column(self, target: int | None) -> bool:
        """Return whether the first true class of a column of targets is a text that is the name of a column."""
        text = "" if target is None else self._value(target)
        return text in self.names and text != "" and not fields.is_number(text)

    def _is_fraction(self, index: int) -> bool:
        """Return whether the first value of a column is a number that cannot be a class."""
        text = self._value(index)
        labels = self.options.labels.names if self.options.labels else self.names
        return fields.is_number(text) and whole_number(text) is None and not text.isdigit() and text not in labels

    def _note(self, key: int | None, target: int | None, unused: Sequence[int], skipped: Sequence[int]) -> None:
        """Add a note that names the columns that are not logits."""
        parts = []
        if key is not None:
            parts.append(f"{self._quoted([key])} as the row ids")
        if target is not None:
            parts.append(f"{self._quoted([target])} as the true classes")
        reading = f"reads {joined(parts)}" if parts else ""
        ignored = [f"{self._quoted(unused)} (true classes)"] if unused else []
        if skipped:
            ignored.append(self._quoted(skipped))
        ignoring = f"ignores {joined(ignored)}" if ignored else ""
        if reading or ignoring:
            text = f"tsoft {' and '.join(filter(None, [reading, ignoring]))}"
            fix = "" if self.options.columns.logits else "; pass --columns to list the logits instead"
            self.notes.insert(0, text + fix)

    def _check_logits(self, logits: Sequence[int], targets: Sequence[int]) -> None:
        """Raise ColumnError if columns of logits are ambiguous. Add notes on doubtful ones."""
        numbers = [i for i in logits if fields.is_number(self._value(i))]
        names, first = [self.names[i] for i in numbers], [self._value(i) for i in numbers]
        degeneracies = [numbers[i] for i in degeneracy_columns(names, first, self.options.quantity)]
        results = [numbers[i] for i in result_columns(names, first) if numbers[i] not in degeneracies]
        if not self.is_written:
            self._check_groups([i for i in logits if i not in results])
            self._check_quantities(logits)
            self._check_labels(targets, logits)
            self._check_scores(numbers, targets)
        self._note_odd_columns(numbers, results, degeneracies)

    def _check_quantities(self, logits: Sequence[int]) -> None:
        """Raise ColumnError if the names of some columns call them logits, and those of others probabilities or the
        like."""
        columns: dict[str, list[int]] = {}
        for i, quantity in zip(logits, quantities_in([self.names[i] for i in logits]), strict=True):
            if quantity is not None:
                columns.setdefault(quantity, []).append(i)
        if len(columns) > 1:
            kinds = joined([QUANTITIES[quantity].plural for quantity in columns])
            chosen = columns.get("logit", next(iter(columns.values())))
            fix = selection(self.names, as_one_group([self.names[i] for i in chosen]), chosen)
            if "token" in map(self._lower, range(len(self.names))):
                fix += "; if the lines are the tokens of a text, save the table as JSON Lines"
            raise ColumnError(f"ambiguous: the columns are {kinds}; list the columns of one kind with {fix}")

    def _check_labels(self, targets: Sequence[int], logits: Sequence[int]) -> None:
        """Raise ColumnError for a column `label` next to `logit` or the like, and further columns that are not those of
        the long form: each line may be a class or a row."""
        numbers = [i for i in logits if self._lower(i) in QUANTITIES]
        labels = [i for i in targets if self._lower(i) == "label"]
        others = [i for i in logits if i not in numbers]
        if numbers and labels and others:
            problem = f"ambiguous: each line may be one class, since {self._quoted(labels + numbers)} exist, or a row"
            other = self._quoted(others)
            fix = f"if it is a class, remove {other}, or pass --id-column if that identifies the distribution"
            raise ColumnError(f"{problem}; {fix}; if it is a row, list the columns of the logits with --columns")

    def _check_scores(self, numbers: Sequence[int], targets: Sequence[int]) -> None:
        """Raise ColumnError for a table of true and predicted classes with the score of the prediction."""
        names, first = [self.names[i] for i in numbers], [self._value(i) for i in numbers]
        if classes := [numbers[i] for i in classes_beside_scores(names, first, len(targets))]:
            labels, others = sorted([*targets, *classes]), [i for i in numbers if i not in classes]
            are_none = "is no distribution" if len(others) == 1 else "are no distribution"
            problem = f"no logits: {self._quoted(labels)} are labels, and {self._quoted(others)} {are_none}"
            fix = "write one column per class, or list the columns of the logits with --columns"
            raise ColumnError(f"{problem}; {fix}")

    def _check_groups(self, logits: Sequence[int]) -> None:
        """Raise ColumnError if the columns are several quantities of the same classes, such as logit_cat and prob_cat,
        or if some are one-hot. Add a note on other groups with the same classes, such as those of two models."""
        found = [] if self._note_second_header(logits) else class_groups([self.names[i] for i in logits])
        if not found:
            return
        groups = [(group, [logits[i] for i in group.columns]) for group in found]
        one_hot = [columns for _, columns in groups if self._is_one_hot(columns)]
        others = [columns for _, columns in groups if not self._is_one_hot(columns)]
        have_fractions = any(whole_number(self._value(i)) is None for i in itertools.chain(*others))
        are_all = sum(len(columns) for _, columns in groups) == len(logits)
        are_targets = [group.is_of_targets for group, columns in groups if columns in one_hot]
        if one_hot and others and ((have_fractions and are_all) or any(are_targets)):
            targets, classes = (self._quoted([*itertools.chain(*each)]) for each in (one_hot, others))
            problem = f"ambiguous: {targets} look like one-hot targets of {classes}"
            fix = "list the columns of the logits with --columns, and write the targets in one column"
            raise ColumnError(f"{problem}; {fix}")
        kinds = [group.quantity for group, _ in groups]
        first = kinds.index(next((kind for kind in ("logit", *kinds) if kind in kinds and kind), None))
        group, columns = groups.pop(first)
        rest = [i for _, columns in groups for i in columns]
        are_alike = all(len(group.columns) == len(columns) for group, _ in groups)
        likeness = "have the same classes as" if are_alike else "are numbered like"
        problem = f"{self._quoted(columns)} {likeness} {self._quoted(rest)}"
        fix = selection(self.names, group, columns)
        if len(set(kinds)) > 1:
            raise ColumnError(f"ambiguous: {problem}; list the columns of one kind with {fix}")
        self.notes.append(f"{problem}, but tsoft reads all as one distribution; to read the first ones, pass {fix}")

    def _note_second_header(self, logits: Sequence[int]) -> bool:
        """Add a note, and return True, if the first row may be part of the header: it tells columns of the same name
        apart."""
        names, values = [self.names[i] for i in logits], [self._value(i) for i in logits]
        repeat = min(Counter(names).values(), default=1) > 1
        differ = len({*zip(names, values, strict=True)}) == len(names)
        if repeat and differ and all(map(str.isdecimal, values)):
            fix = "if it is a second line of the header, join the two lines"
            self.notes.append(f"some columns have the same name, and the first row has only whole numbers; {fix}")
            return True
        return False

    def _is_one_hot(self, columns: Iterable[int]) -> bool:
        """Return whether the first row has a 1 in one of the columns, and 0 in the others."""
        *zeros, one = sorted(self._value(i).removesuffix(".0") for i in columns)
        return one == "1" and set(zeros) == {"0"}

    def _note_odd_columns(self, logits: Sequence[int], results: Sequence[int], degeneracies: Sequence[int]) -> None:
        """Add notes on columns of logits that do not look like it: they have the name of a result, of degeneracies, or
        of another quantity, or a name unlike those of the numbered columns next to them, such as logit_0 and logit_1.
        """
        plain = [i for i in logits if i not in (*results, *degeneracies)]
        self._note_doubtful(results)
        self._note_doubtful(degeneracies, fix=self._degeneracy_fix(degeneracies, plain))
        if not self._states_quantity(logits):
            self._note_other_quantity(plain or logits)
        stems = {i: match[1].lower() for i in logits if (match := _NUMBERED.fullmatch(self.names[i]))}
        counts = Counter(stems.values())
        common = [i for i in stems if counts[stems[i]] > 1]
        odd = sorted(set(plain) - set(common))
        if len({stems[i] for i in common}) == 1 and len(odd) < len(common):
            self._note_doubtful(odd, f", like {self._quoted(common[:2])}")

    def _degeneracy_fix(self, degeneracies: Sequence[int], others: Sequence[int]) -> str:
        """Return what to do about columns of degeneracies, next to other columns, which are energies."""
        names = [self.names[i] for i in others]
        listing = selection(self.names, as_one_group(names), others) if others else "--columns"
        condition = "it holds" if len(degeneracies) == 1 else "they hold"
        return f"if {condition} degeneracies, pass {listing} and list them with --degeneracy"

    def _note_doubtful(
        self, columns: Sequence[int], reason: str = "", fix: str = "pass --columns if that is wrong"
    ) -> None:
        """Add a note on columns that are read as logits, perhaps wrongly."""
        if columns:
            self.doubtful.update(self.names[i] for i in columns)
            self.notes.append(f"tsoft reads {self._quoted(columns)} as {self._kind(columns)}{reason}; {fix}")

    def _states_quantity(self, logits: Sequence[int]) -> bool:
        """Return whether there is a single column of numbers, whose name states what they are."""
        return len(logits) == 1 and stated_quantity(self.names[logits[0]]) is not None

    def _note_other_quantity(self, logits: Sequence[int]) -> None:
        """Add a note if the names of several columns, or of the only one, call the numbers something else than
        logits."""
        if self.options.quantity is not None:
            return
        named = dict(zip(logits, quantities_in([self.names[i] for i in logits]), strict=True))
        quantity, count = next(iter(Counter(named.values()).most_common(1)), (None, 0))
        is_only = len(logits) == 1
        if is_only and self._lower(logits[0]) in NEGATIVE_LOGPROBS:
            quantity = "energy"
        if quantity in (None, "logit") or not (count > 1 or is_only):
            return
        columns = [i for i in logits if is_only or named[i] == quantity]
        self.notes.append(suggestion(self._quoted(columns), quantity, [self.names[i] for i in columns]))

    def _kind(self, columns: Sequence[int]) -> str:
        """Return how tsoft reads the numbers of columns."""
        quantity = QUANTITIES[self.options.quantity or "logit"]
        return quantity.noun if len(columns) == 1 else quantity.plural

    def _quoted(self, indices: Sequence[int]) -> str:
        shown = [self.names[i] for i in indices[:MAX_LISTED]]
        names = [repr(shortened(name)) if name else "the unnamed column" for name in shown]
        if len(indices) > MAX_LISTED:
            return f"{', '.join(names)} and {len(indices) - MAX_LISTED} more"
        return joined(names)


def _is_decimal(text: str) -> bool:
    """Return whether a text is a number that cannot be a count."""
    if not fields.is_number(text) or text.isdigit():
        return False
    value = whole_number(text)
    return value is None or value < 0
