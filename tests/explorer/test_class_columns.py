"""The columns of the table of the classes."""

import pytest

from tsoft.explorer.class_columns import MARK, PROB, ClassColumns


@pytest.mark.parametrize("highest_count", [None, 51, 12_345_678])
@pytest.mark.parametrize("bars", [1, 2])
def test_no_column_is_cut_at_any_width(bars: int, highest_count: int | None) -> None:
    before = 0
    for width in range(MARK, 200):
        columns = ClassColumns.fitting(width, 9, last_rank=3_000_000, highest_count=highest_count, bars=bars)
        assert columns.before_bars + columns.bars * (PROB + columns.bar) + columns.count <= width
        # A blank precedes the longest number.
        assert columns.rank in (0, len(" 3000000"))
        assert columns.count in (0, max(7, len(f" {highest_count}")))
        # A wider table has the same probabilities, or more.
        assert before <= columns.bars <= bars
        before = columns.bars
    assert before == bars
    assert bool(columns.count) is (highest_count is not None)
