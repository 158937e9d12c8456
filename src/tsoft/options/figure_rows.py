"""The rows of charts that a figure has room for, the charts side by side in them, and their headings."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from tsoft.core.block import Block
from tsoft.errors import shortened, visible
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_room import CHART_LINES, FIGURE_LINES, LINE, title_height

T = TypeVar("T")

# No figure is high enough for more rows than these.
MOST_ROWS = 100
# The widths of the narrowest charts of bars and of curves with names, in font sizes.
NARROWEST_BARS, NARROWEST_CURVES = 7.5, 11
# The height of a chart of curves if there is room, and at least, in lines of text.
HEIGHT, LEAST_HEIGHT = 7.0, 4.5


def first_of(batches: Iterable[tuple[int, Callable[[int], T]]], count: int, note: Callable[[str], None]) -> list[T]:
    """Return the first rows of batches, each a number of rows and a function that returns one of them by its index.
    `note` is called with the number of the other rows."""
    rows: list[T] = []
    total, most = 0, min(count, MOST_ROWS)
    for size, row in batches:
        total += size
        rows += [row(index) for index in range(min(size, most - len(rows)))]
    if total > count:
        note(f"the figure shows {most} of {total} rows; --rows N shows more")
    elif total > most:
        note(f"a figure shows at most {most} rows; the input has {total}")
    return rows


def fitting_rows(page: Canvas, rows: Sequence[T], lines: float, least: float) -> Sequence[T]:
    """Return the rows that fit into a figure, after it has grown for all of them. The chart of a row is `lines` lines
    of text high if there is room for it, and at least `least`."""
    page.grow(len(rows) * (lines + CHART_LINES) + FIGURE_LINES)
    height = page.figure.get_figheight() * 72 / (LINE * page.theme.font_size) - title_height(page.figure)
    count = max(1, int((height - FIGURE_LINES) / (least + CHART_LINES)))
    if count < len(rows):
        page.note(f"the figure has room for {count} of {len(rows)} rows of charts; a larger --size shows more")
    return rows[:count]


def fitting_columns(page: Canvas, count: int, narrowest: float = NARROWEST_BARS, hint: str = "") -> int:
    """Return how many of `count` charts, each at least `narrowest` font sizes wide, fit side by side, at least one."""
    columns = max(1, min(count, int(page.figure.get_figwidth() * 72 / (narrowest * page.theme.font_size))))
    if columns < count:
        page.note(f"the figure has room for {columns} of {count} charts side by side; a wider --size shows more{hint}")
    return columns


def heading(block: Block) -> str:
    """Return the heading of a row: its number and, if it has one, its key."""
    key = "" if block.keys is None else f": {visible(shortened(str(block.keys[0])))}"
    return f"row {block.first_row}{key}"
