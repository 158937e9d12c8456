"""Tables of texts, and bars in their cells."""

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
    """Return a bar whose length is `share` of `width` columns, to an eighth of a column.

    >>> bar(0.5, 5)
    '██▌'
    """
    eighths = round(share * max(0, width) * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


class BarCell(NamedTuple):
    """A number, and a bar that fills a share of the room beside it. If a sampler removed the class, its name, the
    `remover`, replaces the bar, and the cell is dim."""

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
    """Return an empty table in the common style."""
    return Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0), show_header=show_header)


def text_tables(rows: Sequence[Sequence[str]], screen: Screen, right: Sequence[str] = (), together: int = 1) -> str:
    """Return a table of texts. The first row is the header; columns whose headers are in `right` are right-aligned.
    On a narrow screen the first column is wrapped, and columns that do not fit continue in another table, which
    repeats the first column. Each `together` columns after the first one stay in one table."""
    columns = list(zip(*rows, strict=True))
    first, *others = [max(map(cell_len, column)) for column in columns]
    first = max(1, min(first, 2 * screen.width // 5, screen.width - 1 - 2 * GAP - max(others, default=0)))
    tables, start = [], 1
    while start < len(columns):
        table_width, stop = 1 + first + GAP, start
        while stop < len(columns):
            added = sum(width + GAP for width in others[stop - 1 : stop - 1 + together])
            if stop > start and table_width + added - GAP > screen.width:
                break
            table_width += added
            stop += together
        table = new_table()
        table.add_column(Text(shortened(rows[0][0], first)), width=first)
        for header, width in zip(rows[0][start:stop], others[start - 1 : stop - 1], strict=True):
            table.add_column(Text(header), width=width, no_wrap=True, justify="right" if header in right else "left")
        for row in rows[1:]:
            table.add_row(Text(row[0]), *map(Text, row[start:stop]))
        tables.append(rendered(table, screen, table_width))
        start = stop
    return "\n".join(tables)


def rendered(table: Table, screen: Screen, width: int) -> str:
    """Return the table as text, with room for `width` columns, without blanks at the ends of lines."""
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
