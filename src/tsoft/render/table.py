"""A row's distributions as a table with bars, the measures under them."""

import io
from dataclasses import dataclass
from math import inf, log

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tsoft.core.block import Distributions, class_names
from tsoft.core.temperature import Array
from tsoft.errors import visible
from tsoft.render.style import number_text, prob_text, tau_colors, tau_text
from tsoft.render.view import Screen, View

# The columns that a temperature's numbers and bar take, at least and at most.
NARROWEST, WIDEST = 15, 42
PROB_WIDTH = 7
GAP = 2
EIGHTHS = " ▏▎▍▌▋▊▉"


def draw(result: Distributions, row: int, view: View) -> str:
    """The table of a block's row. Temperatures that do not fit go on in a further table."""
    order, rest = view.chosen(result.block.logits[row])
    every = class_names(result.block.labels, result.block.logits.shape[1])
    labels = [visible(every[i]) for i in order] + ([f"… {len(rest)} more"] if len(rest) else [])
    logits = [number_text(z) for z in result.block.logits[row, order]] + [""] * bool(len(rest))
    head = min(max(10, *(Text(label).cell_len for label in labels)), max(10, view.screen.width // 3))
    left = 1 + head + GAP + max(5, *map(len, logits))
    room = view.screen.width - left - 1
    count = len(result.taus)
    fits = min(count, max(1, room // (GAP + NARROWEST)))
    width = min(WIDEST, room // fits - GAP)
    colors = tau_colors(result.taus.tolist())
    columns = [_Column(result, t, row, order, rest, view, width, colors[t]) for t in range(count)]
    tables = [_table(labels, logits, head, columns[i : i + fits]) for i in range(0, count, fits)]
    return "\n".join(_text(table, view.screen) for table in tables)


@dataclass(frozen=True, eq=False)
class _Column:
    """What a table says of one temperature."""

    result: Distributions
    t: int
    row: int
    order: Array
    rest: Array
    view: View
    width: int
    color: int

    def header(self) -> str:
        return tau_text(float(self.result.taus[self.t]))

    def probs(self) -> list[Text]:
        """A cell for each class shown, and one for the rest."""
        probs = self.result.probs[self.t, self.row]
        shown = probs[self.order].tolist()
        return [self._cell(prob) for prob in shown + [float(probs[self.rest].sum())] * bool(len(self.rest))]

    def measures(self) -> list[str]:
        at = self.t, self.row
        unit = (np.log(2), "bits") if self.view.bits else (1.0, "nats")
        margin = self.result.margin[at]
        return [
            f"{self._text(self.result.entropy[at] / unit[0])} {unit[1]}",
            self._text(self.result.perplexity[at]),
            "–" if np.isnan(margin) else self._text(margin),
        ]

    def _text(self, value: float) -> str:
        return prob_text(float(value), self.view.digits).rjust(PROB_WIDTH)

    def _cell(self, prob: float) -> Text:
        number = self._text(prob) if not self.view.log else format(log(prob) if prob else -inf, ".4g").rjust(PROB_WIDTH)
        return Text.assemble(number, " ", (bar(prob, self.width - len(number) - 1), f"color({self.color})"))


def bar(share: float, width: int) -> str:
    """A bar that is `share` of `width` columns long, to an eighth.

    >>> bar(0.5, 5)
    '██▌'
    """
    eighths = round(share * max(0, width) * 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def _table(labels: list[str], logits: list[str], head: int, columns: list[_Column]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    table.add_column("class", width=head, no_wrap=True, overflow="ellipsis")
    table.add_column("logit", width=max(5, *map(len, logits)), justify="right", no_wrap=True)
    for column in columns:
        table.add_column(" " + column.header(), width=column.width, no_wrap=True)
    for label, logit, *cells in zip(labels, logits, *(c.probs() for c in columns), strict=True):
        table.add_row(Text(label), Text(logit, "dim"), *cells)
    table.add_section()
    measures = zip(("entropy", "perplexity", "margin"), *(c.measures() for c in columns), strict=True)
    for name, *texts in measures:
        table.add_row(Text(name, "dim"), "", *map(Text, texts))
    return table


def _text(table: Table, screen: Screen) -> str:
    """The table as text without blanks at the ends of its lines."""
    file = io.StringIO()
    colors = "256" if screen.color else None
    console = Console(
        file=file,
        width=screen.width,
        color_system=colors,  # type: ignore[arg-type]
        force_terminal=screen.color,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().split("\n")).strip("\n") + "\n"
