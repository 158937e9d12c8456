"""JSON: in, a document or lines of it; out, an array of records."""

import itertools
from collections.abc import Iterator
from typing import BinaryIO

from tsoft.core.block import Block
from tsoft.errors import InputError
from tsoft.input import json_lines
from tsoft.input.reading import Reading


def read(stream: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The rows of a document, or, where the first line is whole by itself, of each line as it arrives."""
    from tsoft.input import json_values

    batches = json_values.lines(stream, reading)
    for batch in batches:
        said = next((i for i, (_, line) in enumerate(batch) if line.strip()), None)
        if said is None:
            continue
        try:
            first = list(json_lines.found(batch[said : said + 1], reading))
        except InputError as error:
            if not json_values.may_go_on(batch[said][1]):
                # A label in brackets, and more.
                hint = "; --input-format text takes it for text" if "after document" in str(error) else ""
                raise InputError(f"{error}{hint}") from None
            rest = b"\n".join(line for lines in itertools.chain([batch], batches) for _, line in lines)
            first = [json_values.Value(reading.source, json_values.parsed(rest, reading, batch[0][0]))]
            further: Iterator[Iterator[json_values.Value]] = iter(())
        else:
            further = (json_lines.found(lines, reading) for lines in itertools.chain([batch[said + 1 :]], batches))
        yield from json_values.blocks(itertools.chain([first], further), reading)
        return
    raise InputError(f"{reading.source}: no logits: the input is empty")
