"""The blocks of logits that the options select."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.probability_rows import DECIMALS, are_one_hot, count_percentages, count_probabilities
from tsoft.core.softmax import Array, log_sum_exp
from tsoft.errors import UsageError, exclusive, joined
from tsoft.notes import note
from tsoft.options.input import ListedOptions, LogitsOptions
from tsoft.options.input_files import in_sequence, listed_files
from tsoft.options.response_notes import apply_options
from tsoft.options.temperatures import pieces

if TYPE_CHECKING:
    from tsoft.input.labels import Labels
    from tsoft.input.read_options import ArrayKey, ReadOptions, TargetSource

# Probabilities sum to 1 within this. To find probabilities among logits, tsoft looks at this number of rows.
_SUM_TOLERANCE, _COMPARED = 1e-3, 100
# In fewer rows, logits with one decimal may sum to nearly 1 by chance, and whole numbers to nearly 100.
_MANY_ROWS = 10
_KEY_ERROR = "{option} selects an array of a file with several, such as an .npz, but {place} is {kind}; remove {option}"


def blocks(
    options: LogitsOptions,
    taus: list[str] | None,
    *,
    bounds: ListedOptions | None = None,
    ragged: bool = False,
    targets: "TargetSource | None" = None,
    labels: "Labels | None" = None,
    note: Callable[[str], None] = note,
    unknown_rows: bool = False,
    key_option: str = "--id-column",
    key: "ArrayKey | None" = None,
) -> Iterator[Block]:
    """Return the blocks of typed logits, of a file, or of stdin.

    taus: the values of --tau, one of which may read stdin. bounds: None for a command without these options.
    ragged: whether rows of a block may differ in length. targets: how to read the true classes of the rows, if they are
    to be read, too. labels: the labels of --labels if they are parsed already, since a pipe can be read only once.
    note: prints a note to the user. unknown_rows: whether to return the rows of an API response without any known
    probability. key_option: the option that names the column of the keys, for messages. key: which of several arrays to
    read if another option than --key names it.
    """
    read = read_blocks(options, taus, targets=targets, labels=labels, note=note, key_option=key_option, key=key)
    if not ragged:
        read = (part for block in read for part in block.split_by_width())
    return checked(read, options, bounds, has_targets=targets is not None, note=note, unknown_rows=unknown_rows)


def read_blocks(
    options: LogitsOptions,
    taus: list[str] | None,
    *,
    targets: "TargetSource | None" = None,
    labels: "Labels | None" = None,
    note: Callable[[str], None] = note,
    key_option: str = "--id-column",
    key: "ArrayKey | None" = None,
) -> Iterator[Block]:
    """Return the blocks as they are read: those of an API response without the options for one. The parameters are
    those of `blocks`."""
    quantity = _quantity(options)
    labels = labels or parsed_labels(options.labels)
    if options.logits:
        from tsoft.input.arguments import typed_block

        if options.inputs is not None:
            raise UsageError(typed_and_read(options.logits))
        if options.key is not None:
            raise UsageError(_KEY_ERROR.format(option="--key", place="the input", kind="typed"))
        for option, value in {
            "--input-format": options.input_format,
            "--max-line": options.max_line,
            "--columns": options.columns,
            "--id-column": options.id_column,
            "--target-column": targets and targets.column,
            "--targets-key": targets and targets.key.name,
        }.items():
            if value is not None:
                raise UsageError(f"{option} has no effect on logits that are arguments; remove {option}")
        read: Iterator[Block] = iter([typed_block(options.logits, quantity or "logit", labels, targets)])
    else:
        from tsoft.input.class_order import in_first_order
        from tsoft.input.read_options import MAX_LINE, ArrayKey, ColumnOptions, ReadOptions

        columns = ColumnOptions(_column_names(options.columns), options.id_column, key_option)
        max_line = options.max_line or MAX_LINE
        key = key or ArrayKey(options.key)
        reading = ReadOptions("", quantity, labels, None, key, targets, _once(note), columns, max_line)
        read = in_sequence(_files(options, taus), lambda file: _read(file, options.input_format, reading))
        # An index in a file of targets, which was read before, may refer to any of the orders.
        if targets is None or targets.count is None:
            read = in_first_order(read, reading.note)
    return read


def typed_and_read(arguments: list[str]) -> str:
    """Return the message for logits that are arguments in addition to --input."""
    if (file := next(filter(os.path.isfile, arguments), None)) is not None:
        return f"unexpected argument {file}; if the shell expanded a pattern, quote it, as in -i 'logits/*.npy'"
    return exclusive("logits as arguments", "--input")


def checked(
    read: Iterator[Block],
    options: LogitsOptions,
    bounds: ListedOptions | None,
    *,
    has_targets: bool,
    note: Callable[[str], None],
    unknown_rows: bool,
) -> Iterator[Block]:
    """Return the blocks with the options for an API response. Print notes on these, and on numbers that may be
    probabilities. The parameters are those of `blocks`."""
    read = apply_options(read, options, bounds, unknown_rows=unknown_rows, note=note)
    if not has_targets:
        read = noting_probabilities(read, note)
    return _check_sums(read, note)


def _once(note: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that prints each note only once, since readers repeat it for each block."""
    printed: set[str] = set()

    def print_new(message: str) -> None:
        if message not in printed:
            printed.add(message)
            note(message)

    return print_new


def _column_names(text: str | None) -> tuple[str, ...] | None:
    """Return the columns that --columns lists."""
    if text is None:
        return None
    from tsoft.input.fields import split_labels

    names = tuple(split_labels(text, ","))
    if names == ("",):
        raise UsageError("--columns: empty; list the columns of the logits, such as cat,dog")
    return names


def parsed_labels(text: str | None) -> "Labels | None":
    """Return the labels that --labels lists; None without --labels."""
    if text is None:
        return None
    from tsoft.input.labels import parse

    return parse(text)


def _quantity(options: LogitsOptions) -> str | None:
    """Return the kind of the numbers; None for logits, or for the kind that the input names."""
    chosen = {"energy": options.energies, "prob": options.probs, "logprob": options.logprobs}
    names = [name for name, is_chosen in chosen.items() if is_chosen]
    if len(names) > 1:
        raise UsageError(exclusive("--energies", "--probs", "--logprobs"))
    return names[0] if names else None


def _files(options: LogitsOptions, taus: list[str] | None) -> list[str]:
    """Return the files to read; - for stdin."""
    if options.has_stdin and "-" in pieces(taus):
        raise UsageError("--tau - reads stdin; pass the logits as arguments or with -i FILE")
    if options.inputs is None and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no logits; pass them as arguments (tsoft compute 2 1 0.5 0.1), in a pipe, or with -i FILE")
    return listed_files(options.inputs or ["-"])


def _column_error(options: "ReadOptions", place: str, format: str) -> UsageError:
    """Return the error for the options that name columns, of an input whose format has no columns."""
    named = {
        "--columns": options.columns.logits,
        options.columns.key_option: options.columns.key,
        "--target-column": options.targets and options.targets.column,
    }
    typed = [option for option, value in named.items() if value is not None]
    select = "selects" if len(typed) == 1 else "select"
    problem = f"{joined(typed)} {select} columns by name, but {place} ({format}) has no column names"
    return UsageError(f"{problem}; remove {joined(typed)}")


def _read(file: str, input_format: str | None, options: "ReadOptions") -> Iterator[Block]:
    from tsoft.input.counting_columns import note_counting_columns
    from tsoft.input.first_rows import checking_first_rows
    from tsoft.input.formats import FORMATS, detect
    from tsoft.input.read_options import MAX_LINE
    from tsoft.input.repeated_keys import noting_repeated_keys
    from tsoft.input.source import STDIN, open_input
    from tsoft.input.summary_columns import note_summary_columns
    from tsoft.input.whole_columns import note_whole_columns

    with open_input(file) as stream:
        format, stream = (FORMATS[input_format], stream) if input_format else detect(stream, file)
        place = "the input" if file == "-" else file
        if options.key.name is not None and not format.keys:
            raise UsageError(_KEY_ERROR.format(option=options.key.option, place=place, kind=format.name))
        if options.names_columns and not format.columns:
            raise _column_error(options, place, format.name)
        if options.max_line != MAX_LINE and not format.lines:
            raise UsageError(f"--max-line has no effect on {place}, which is {format.name}; remove --max-line")
        source = STDIN if file == "-" else file
        is_noted = False
        reading = replace(options, source=source, delimiter=format.delimiter)
        read = format.reader()(stream, reading)
        checks = (note_counting_columns, note_whole_columns, note_summary_columns)
        for block in noting_repeated_keys(checking_first_rows(read, reading, checks), reading):
            if block.logits.shape[1] == 1 and block.partial is None and not is_noted:
                is_noted = True
                options.note(
                    f"{source}: row {block.first_row} has one class, whose probability is 1 at every temperature"
                )
            yield block


def noting_probabilities(blocks: Iterator[Block], note: Callable[[str], None] = note) -> Iterator[Block]:
    """Yield the blocks. Print a note if the first rows are logits that look like probabilities."""
    for block in blocks:
        is_first = block.first_row == 0 and block.origin.quantity == "logit" and not block.partial
        if is_first and (problem := _likely_quantity(block.logits[:_COMPARED])):
            note(f"{block.part(0, 1).location}: the logits are {problem}")
        yield block


def _likely_quantity(logits: Array) -> str | None:
    """Return why all rows look like probabilities or percentages, and the fix; None for other rows."""
    is_long = len(logits) >= _MANY_ROWS
    if are_one_hot(logits) or logits.shape[1] == 1:
        return None
    if count_probabilities(logits, DECIMALS if is_long else DECIMALS[1:]) == len(logits):
        return "from 0 to 1 and sum to 1; if they are probabilities, pass --probs"
    if count_percentages(logits, DECIMALS if is_long else ()) == len(logits):
        return "from 0 to 100 and sum to 100; if they are percentages, divide them by 100 and pass --probs"
    return None


def _check_sums(blocks: Iterator[Block], note: Callable[[str], None]) -> Iterator[Block]:
    """Yield the blocks. Print a note for the first row whose probabilities do not sum to 1."""
    is_noted = False
    for block in blocks:
        if block.origin.quantity in ("prob", "logprob") and not (is_noted or block.partial):
            sums = np.exp(log_sum_exp(block.logits))
            is_off = abs(sums - 1) > _SUM_TOLERANCE
            if is_off.any():
                is_noted, row = True, int(is_off.argmax())
                problem = f"row {block.rows[row]}: the probabilities sum to {sums[row]:.4g}, not 1"
                note(f"{problem}; tsoft divides them by their sum")
        yield block
