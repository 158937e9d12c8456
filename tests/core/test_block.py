"""Blocks: their parts, and the location of a row in its source."""

import numpy as np
import pytest

from tsoft.core.block import Block, Origin


@pytest.mark.parametrize(
    ("origin", "locations"),
    [
        (Origin(), ["row 7", "row 8", "row 9"]),
        # The source is the location of the first row only.
        (Origin(source="f.json: record 2"), ["f.json: record 2", "row 8", "row 9"]),
        (Origin(source="f.txt", lines=[3, 5, 6]), ["f.txt:3", "f.txt:5", "f.txt:6"]),
    ],
)
def test_a_part_has_the_location_of_its_first_row(origin: Origin, locations: list[str]) -> None:
    block = Block(np.zeros((3, 2)), first_row=7, origin=origin)
    assert [block.part(i, i + 1).location for i in range(3)] == locations
    assert block.part(1, 3).part(1, 2).location == locations[2]
    assert block.location == locations[0]


def test_a_part_has_its_rows_targets_and_widths() -> None:
    logits = np.array([[1.0, 2.0, -np.inf], [3.0, 4.0, -np.inf], [5.0, 6.0, 7.0]])
    block = Block(logits, first_row=2, widths=np.array([2, 2, 3]), targets=np.array([1, 0, 2]))
    first, second = block.split_by_width()
    assert (first.rows, second.rows) == (range(2, 4), range(4, 5))
    assert (first.logits.tolist(), second.logits.tolist()) == ([[1, 2], [3, 4]], [[5, 6, 7]])
    assert first.widths is second.widths is None
    assert (first.targets.tolist(), second.targets.tolist()) == ([1, 0], [2])  # type: ignore[union-attr]
    assert block.part(1, 3).widths.tolist() == [2, 3]  # type: ignore[union-attr]
