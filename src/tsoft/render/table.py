"""A row's distributions as a table with bars, the measures under them."""

import io
from dataclasses import dataclass
from math import inf, log

import numpy as np
from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tsoft.core.block import Distributions, class_names, unit
from tsoft.core.temperature import Array
from tsoft.errors import visible
from tsoft.render.style import number_text, prob_text, tau_colors, tau_text
from tsoft.render.view import Screen, View

# The columns that a temperature's numbers and bar take: the numbers, a blank and a bar.
PROB_WIDTH, SHORTEST_BAR, LONGEST_BAR = 7, 7, 34
GAP = 2
EIGHTHS = " ▏▎▍▌▋▊▉"


def draw(result: Distributions, row: int, view: View) -> str:
    """The table of a block's row. Temperatures that do not fit go on in a further table. No number
    is cut: where the screen is too narrow, the bars go, then the labels, then the lines get wider."""
    order, rest = view.chosen(result.block.logits[row])
    every = class_names(result.block.labels, result.block.logits.shape[1])
    labels = [visible(every[i]) for i in order] + [f"… {len(rest)} more"] * bool(len(rest))
    logits = [number_text(z) for z in result.block.logits[row, order]] + [""] * bool(len(rest))
    colors = tau_colors(result.taus.tolist())
    columns = [_column(result, t, row, (order, rest), view, color) for t, color in enumerate(colors)]
    least = max(column.width for column in columns)
    left = 1 + GAP + max(5, *map(len, logits)) + GAP
    longest = max(len("perplexity"), *(cell_len(label) for label in labels))
    room = view.screen.width - left - least - GAP
    head = max(len("perplexity"), min(longest, view.screen.width // 3, room))
    room = view.screen.width - left - head
    numbers = max(len(number) for column in columns for number in column.numbers)
    fits = min(len(columns), max(1, room // (max(least, numbers + 1 + SHORTEST_BAR) + GAP)))
    width = max(least, min(numbers + 1 + LONGEST_BAR, room // fits - GAP))
    tables = [_table(labels, logits, head, columns[i : i + fits], width) for i in range(0, len(columns), fits)]
    return "\n".join(rendered(table, view.screen, left + head + fits * (width + GAP)) for table in tables)


@dataclass(frozen=True)
class _Column:
    """What a table says of one temperature: for each class and the rest its number and its bar's
    share, and the measures."""

    header: str
    numbers: list[str]
    shares: list[float]
    measures: list[str]
    color: int

    @property
    def width(self) -> int:
        return max(map(len, [" " + self.header, *self.numbers, *self.measures]))

    def cells(self, width: int) -> list[Text]:
        style = f"color({self.color})"
        room = [width - len(number) - 1 for number in self.numbers]
        bars = map(bar, self.shares, room)
        return [Text.assemble(number, " ", (drawn, style)) for number, drawn in zip(self.numbers, bars, strict=True)]


def _column(result: Distributions, t: int, row: int, classes: tuple[Array, Array], view: View, color: int) -> _Column:
    """A temperature's column for a row, of the `classes` that are shown and those that are not."""
    shown, rest = classes
    probs = result.probs[t, row]
    shares = probs[shown].tolist() + [float(probs[rest].sum())] * bool(len(rest))

    def text(value: float) -> str:
        return prob_text(float(value), view.digits).rjust(PROB_WIDTH)

    def logarithm(share: float) -> str:
        return format(log(share) if share else -inf, f".{view.digits or 4}g").rjust(PROB_WIDTH)

    entropy, margin = result.entropy[t, row], result.margin[t, row]
    measures = [
        f"{text(entropy / unit('entropy', view.bits))} {'bits' if view.bits else 'nats'}",
        text(result.perplexity[t, row]),
        "–".rjust(PROB_WIDTH) if np.isnan(margin) else text(margin),
    ]
    numbers = [logarithm(share) if view.log else text(share) for share in shares]
    return _Column(tau_text(float(result.taus[t])), numbers, shares, measures, color)


def bar(share: float, width: int) -> str:
    """A bar that is `share` of `width` columns long, to an eighth.

    >>> bar(0.5, 5)
    '██▌'
    """
    eighths = round(share * max(0, width) * 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def _table(labels: list[str], logits: list[str], head: int, columns: list[_Column], width: int) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    table.add_column("class", width=head, no_wrap=True, overflow="ellipsis")
    table.add_column("logit", width=max(5, *map(len, logits)), justify="right", no_wrap=True)
    for column in columns:
        table.add_column(" " + column.header, width=width, no_wrap=True)
    for label, logit, *cells in zip(labels, logits, *(c.cells(width) for c in columns), strict=True):
        table.add_row(Text(label), Text(logit, "dim"), *cells)
    table.add_section()
    for name, *texts in zip(("entropy", "perplexity", "margin"), *(c.measures for c in columns), strict=True):
        table.add_row(Text(name, "dim"), "", *map(Text, texts))
    return table


def rendered(table: Table, screen: Screen, width: int) -> str:
    """The table as text of that width, without blanks at the ends of its lines."""
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
