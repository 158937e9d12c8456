"""The keys of the rows, which an input may have: a column or field in the output."""

from collections.abc import Mapping

from tsoft.core.block import Block
from tsoft.output.records import Column, In

ID = "id"


def id_column(block: Block, repeats: int = 1, shown: In = In.ALL) -> list[Column]:
    """Return the column of the keys, each repeated for `repeats` records; no column if the rows have no keys."""
    if block.keys is None:
        return []
    return [Column(ID, [key for key in block.keys for _ in range(repeats)], shown)]


def id_field(block: Block, row: int) -> Mapping[str, str | int]:
    """Return the field with the key of a row, which counts from the first row of the block; no field without keys."""
    return {} if block.keys is None else {ID: block.keys[row]}
