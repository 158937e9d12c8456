"""Tables of texts and of bars."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tsoft.charts.view import Screen
from tsoft.errors import shortened

# The columns between two columns of a table.
GAP = 2
_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(share: float, width: int) -> str:
    """A bar that is `share` of `width` columns long, to an eighth.

    >>> bar(0.5, 5)
    '██▌'
    """
    eighths = round(share * max(0, width) * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


class BarCell(NamedTuple):
    """A number and a bar, which takes a share of the room beside it. A `remover`, the sampler that removed a class, is
    shown in place of the bar, and both are dimmed."""

    number: str
    share: float = 0.0
    remover: str | None = None

    def text(self, width: int, color: int) -> Text:
        room = width - len(self.number) - 1
        if self.remover is not None:
            return Text(f"{self.number} {shortened(self.remover, room)}", "dim")
        cell = Text(self.number)
        return cell.append(" ").append(bar(self.share, room), f"color({color})") if room > 0 else cell


def new_table(*, show_header: bool = True) -> Table:
    """A table in the style of all."""
    return Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0), show_header=show_header)


def text_tables(rows: Sequence[Sequence[str]], screen: Screen, right: Sequence[str] = ()) -> str:
    """A table of texts. The first row is the header; the columns whose headers are in `right` are aligned
    there. Columns that do not fit continue in another table, beside the first column again."""
    columns = list(zip(*rows, strict=True))
    first, *others = [max(map(cell_len, column)) for column in columns]
    first = max(1, min(first, 2 * screen.width // 5, screen.width - 1 - 2 * GAP - max(others, default=0)))
    tables, start = [], 1
    while start < len(columns):
        used, stop = 1 + first + GAP, start
        while stop < len(columns) and (stop == start or used + others[stop - 1] <= screen.width):
            used += others[stop - 1] + GAP
            stop += 1
        table = new_table()
        table.add_column(rows[0][0], width=first, no_wrap=True)
        for header, width in zip(rows[0][start:stop], others[start - 1 : stop - 1], strict=True):
            table.add_column(Text(header), width=width, no_wrap=True, justify="right" if header in right else "left")
        for row in rows[1:]:
            table.add_row(Text(shortened(row[0], first)), *map(Text, row[start:stop]))
        tables.append(rendered(table, screen, used))
        start = stop
    return "\n".join(tables)


def rendered(table: Table, screen: Screen, width: int) -> str:
    """The table as text, at least `width` columns wide, without blanks at the ends of its lines."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=max(screen.width, width),
        color_system="256" if screen.color else None,
        force_terminal=screen.color,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().split("\n")).strip("\n") + "\n"
