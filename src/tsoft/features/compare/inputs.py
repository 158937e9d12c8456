"""The inputs of `tsoft compare`: reading both files with the options that apply to each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from itertools import chain

from tsoft.core.block import Block
from tsoft.errors import InputError, UsageError
from tsoft.features.compare.classes import NAMES, Pair
from tsoft.features.compare.pairing import pairs
from tsoft.input.formats import has_arrays
from tsoft.input.labels import Labels
from tsoft.input.read_options import ArrayKey, TargetSource, key_pair
from tsoft.notes import note
from tsoft.options import logits
from tsoft.options.input import (
    BoundsOptions,
    ListedOptions,
    LogitsOptions,
    ReadingOptions,
    ServerOptions,
    TargetFieldOptions,
)
from tsoft.options.input_files import place_of


@dataclass(frozen=True)
class DraftReading:
    """How to read the second file: the array to read, and whether a note says that its logits are those of the first
    one."""

    key: str | None
    notes_copies: bool


@dataclass(frozen=True, eq=False)
class PairReading:
    """The options for reading the rows of two files in pairs."""

    reading: ReadingOptions
    server: ServerOptions
    bounds: BoundsOptions
    fields: TargetFieldOptions
    draft: DraftReading
    all_positions: bool

    def pairs(self, files: tuple[str, str]) -> Iterator[Pair]:
        """Return the rows of both files in pairs.

        Raise UsageError for an option without effect on these inputs, and InputError if their rows or classes differ.
        """
        reading, bounds, fields = self.reading, self.bounds, self.fields
        # --labels applies to an input that does not name its classes.
        values = {field.name: getattr(reading, field.name) for field in dataclass_fields(reading)} | {"labels": None}
        options = LogitsOptions(**values, applied_tau=self.server.applied_tau)
        labels = logits.parsed_labels(reading.labels)
        targets = TargetSource(fields.target_column, ArrayKey(fields.targets_key, "--targets-key"), fields.ignore_index)
        # Named targets may be in A's file only.
        is_named = fields.target_column is not None or fields.targets_key is not None
        sources = targets, TargetSource(ignored=fields.ignore_index, separate=is_named)
        inputs = [
            _Input(replace(options, inputs=[file]), source, key, name)
            for file, source, key, name in zip(files, sources, self._keys(files), NAMES, strict=True)
        ]
        _check_responses(inputs, self.server, bounds, all_positions=self.all_positions)
        # The other input of a single response has every class, so that no size of the vocabulary is needed.
        are_both = all(each.first.partial is not None for each in inputs)
        listed = bounds if are_both else ListedOptions(listed_only=bounds.listed_only)
        first, second = (each.blocks(listed, labels) for each in inputs)
        if labels is not None and all(each.first.labels is not None for each in inputs):
            raise UsageError("--labels has no effect, because both inputs name their classes; remove --labels")
        fix = "; --draft-key selects another array of B" if has_arrays(files[1]) else ""
        copy_note = f"{files[1]}: A and B have the same logits in every row{fix}" if self.draft.notes_copies else None
        return pairs(first, second, files[1], all_positions=self.all_positions, copy_note=copy_note)

    def _keys(self, files: tuple[str, str]) -> tuple[ArrayKey, ArrayKey]:
        """Return the arrays of both files."""
        same_file = place_of(files[0]) == place_of(files[1])
        return key_pair(ArrayKey(self.reading.key), ArrayKey(self.draft.key, "--draft-key"), same_file=same_file)


class _Input:
    """One of both inputs, whose `first` block has been read."""

    def __init__(self, options: LogitsOptions, targets: TargetSource, key: ArrayKey, name: str) -> None:
        self.options, self.note = options, lambda message: note(f"{name}: {message}")
        read = logits.read_blocks(options, None, targets=targets, note=self.note, key=key)
        self.first = next(read)
        self._rest = read

    def blocks(self, bounds: ListedOptions, labels: Labels | None) -> Iterator[Block]:
        """Return all blocks, with the options for an API response if it is one."""
        is_response = self.first.partial is not None
        options = self.options if is_response else replace(self.options, applied_tau=None)
        parts = (part for block in chain([self.first], self._rest) for part in block.split_by_width())
        checked = logits.checked(
            parts, options, bounds if is_response else None, has_targets=True, note=self.note, unknown_rows=True
        )
        noted = logits.noting_probabilities(checked, self.note)
        return noted if labels is None else (_labeled(block, labels) for block in noted)


def _labeled(block: Block, labels: Labels) -> Block:
    """Return the block with these labels if it has none. Raise InputError if their number differs."""
    if block.labels is not None:
        return block
    try:
        return replace(block, labels=labels.matching(block.logits.shape[1]))
    except ValueError as error:
        raise InputError(f"{block.location}: {error}") from None


def _check_responses(
    inputs: list[_Input], server: ServerOptions, bounds: BoundsOptions, *, all_positions: bool
) -> None:
    """Raise UsageError for an option that needs an API response if no input is one."""
    responses = sum(each.first.partial is not None for each in inputs)
    for option, is_typed in {
        "--applied-tau": server.applied_tau is not None,
        "--vocab-size": bounds.vocab_size is not None,
        "--listed-only": bounds.listed_only,
        "--all-positions": all_positions,
    }.items():
        if is_typed and not responses:
            raise UsageError(f"{option} works only with an API response, and no input is one; remove {option}")
    if all_positions and responses == 1:
        raise UsageError("--all-positions works only with two API responses; remove --all-positions")
    if bounds.vocab_size is not None and responses == 1:
        raise UsageError("--vocab-size has no effect, because one input has every class; remove --vocab-size")
