"""JSON, a value a line: in, any that has rows; out, a record for each row and temperature."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from tsoft.core.block import Block
from tsoft.input.reading import Reading

if TYPE_CHECKING:
    from tsoft.input import json_values


def read(stream: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The rows of each line, as it arrives."""
    from tsoft.input import json_values

    yield from json_values.blocks((found(batch, reading) for batch in json_values.lines(stream, reading)), reading)


def found(batch: "Iterable[json_values.Line]", reading: Reading) -> "Iterator[json_values.Value]":
    """The values of lines that are not blank."""
    from tsoft.input import json_values

    for number, line in batch:
        if line.strip():
            yield json_values.Value(f"{reading.source}:{number}", json_values.parsed(line, reading, number))
