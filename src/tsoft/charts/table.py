"""A row's distributions as a table with bars, the measures under them."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, log

import numpy as np
from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tsoft.charts.style import number_text, prob_text, tau_colors, tau_text
from tsoft.charts.view import Screen, View
from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.sampling.boltzmann import BoltzmannDistributions
from tsoft.sampling.distributions import Distributions, ranked, unit
from tsoft.sampling.explanation import removed_by

# The columns that a temperature's numbers and bar take: the numbers, a blank and a bar.
PROB_WIDTH, SHORTEST_BAR, LONGEST_BAR = 7, 7, 34
GAP = 2
# What marks the class that a server drew.
DRAWN = "› "
EIGHTHS = " ▏▎▍▌▋▊▉"


def draw(results: Sequence[Distributions], row: int, view: View) -> str:
    """The table of a block's row, as one chain leaves it or several beside each other. Columns that do
    not fit go on in a further table. No number is cut: where the screen is too narrow, the bars go,
    then the labels, then the lines get wider."""
    order, rest = view.chosen(*ranked(results, row))
    labels, logits = _heads(results[0], row, order, len(rest))
    columns = [
        column
        for result, styles in zip(results, column_styles(results), strict=True)
        for t, style in enumerate(styles)
        for column in _columns(result, t, row, (order, rest), view, style)
    ]
    least = max(column.width for column in columns)
    left = 1 + GAP + max(map(len, logits)) + GAP
    longest = max(len("perplexity"), *(cell_len(label) for label in labels))
    room = view.screen.width - left - least - GAP
    head = max(len("perplexity"), min(longest, view.screen.width // 3, room))
    room = view.screen.width - left - head
    numbers = max(len(number) for column in columns for number in column.numbers)
    fits = min(len(columns), max(1, room // (max(least, numbers + 1 + SHORTEST_BAR) + GAP)))
    width = max(least, min(numbers + 1 + LONGEST_BAR, room // fits - GAP))
    tables = [_table(labels, logits, head, columns[i : i + fits], width) for i in range(0, len(columns), fits)]
    return "\n".join(rendered(table, view.screen, left + head + fits * (width + GAP)) for table in tables)


def _heads(result: Distributions, row: int, order: Array, more: int) -> tuple[list[str], list[str]]:
    """The classes, and a line for so many more; and a head and under it their logits, or what energies
    were. Of a server's response a ? stands for what is not known, and what was drawn has a mark where that
    is asked for."""
    block, given = result.block, result.block.partial
    names = block.names
    labels = [visible(names[i]) + _times(result, i) for i in order] + [f"… {more} more"] * bool(more)
    sign, head = (-1, "energy") if block.quantity == "energy" else (1, "logit")
    logits = [head] + [number_text(sign * z) for z in block.logits[row, order]] + [""] * bool(more)
    if given:
        for place in np.flatnonzero(given.unknown[order]).tolist():
            logits[1 + place] = "?"
    if given and result.chosen:
        marks = [DRAWN if i == given.index else " " * len(DRAWN) for i in order] + [" " * len(DRAWN)] * bool(more)
        labels = [mark + label for mark, label in zip(marks, labels, strict=True)]
    return labels, logits


def _times(result: Distributions, i: int) -> str:
    """How many states a level has, where that is not one."""
    ensemble = result.block.ensemble
    count = 1 if ensemble is None or ensemble.degeneracy is None else int(ensemble.degeneracy[i])
    return f" ×{count}" if count > 1 else ""


@dataclass(frozen=True)
class _Column:
    """What a table says of one temperature: for each class and the rest its number and its bar's
    share, the measures, and of energies the thermodynamics."""

    header: str
    numbers: list[str]
    shares: list[float]
    # The sampler that removed a class, where one did; its number is then what it would have been.
    removed: list[str | None]
    measures: dict[str, str]
    color: int
    thermodynamics: dict[str, str] = field(default_factory=dict)

    @property
    def width(self) -> int:
        under = [*self.measures.values(), *self.thermodynamics.values()]
        return max(map(len, [" " + self.header, *self.numbers, *under]))

    def cells(self, width: int) -> list[Text]:
        return [self._cell(i, width - len(number) - 1) for i, number in enumerate(self.numbers)]

    def _cell(self, i: int, room: int) -> Text:
        """A number and its bar; of what is removed, dimmed, and in the place of the bar what removed it."""
        sampler = self.removed[i]
        if sampler is not None:
            return Text(f"{self.numbers[i]} {shortened(sampler, room)}", "dim")
        return Text.assemble(self.numbers[i], " ", (bar(self.shares[i], room), f"color({self.color})"))


def column_styles(results: Sequence[Distributions]) -> list[list[tuple[str, int]]]:
    """What heads each column, and its colour: the temperature, or of several engines the engine."""
    if len(results) == 1:
        taus = results[0].taus.tolist()
        unit = results[0].block.ensemble.units[1] if results[0].block.ensemble else ""
        return [list(zip((tau_text(tau, unit) for tau in taus), tau_colors(taus), strict=True))]
    names = [str(result.engine) for result in results]
    if len(results[0].taus) == 1:
        colors = tau_colors(range(len(names)))
        return [[(name, color)] for name, color in zip(names, colors, strict=True)]
    return [
        [(f"{name} {head.replace(' ', '')}", color) for head, color in column_styles([result])[0]]
        for name, result in zip(names, results, strict=True)
    ]


def _columns(
    result: Distributions, t: int, row: int, classes: tuple[Array, Array], view: View, style: tuple[str, int]
) -> list[_Column]:
    """What a temperature takes: a column, and of a server's response one more for the bounds."""
    column = _column(result, t, row, classes, view, style)
    if result.block.partial is None:
        return [column]
    column = replace(column, header=f"{style[0]} listed")
    return [column] if result.bounds is None else [column, _bounds_column(result, t, classes, view, style)]


def _bounds_column(
    result: Distributions, t: int, classes: tuple[Array, Array], view: View, style: tuple[str, int]
) -> _Column:
    """The least and the most that each probability can be of all classes. They have one sum in common, so
    that those of the rest are sums too."""
    assert result.bounds
    shown, rest = classes
    ends = [bound[t, 0] for bound in result.bounds]
    pairs = list(zip(*(end[shown].tolist() + [float(end[rest].sum())] * bool(len(rest)) for end in ends), strict=True))
    numbers = [range_text(low, high, view) for low, high in pairs]
    measures = {}
    if result.chosen:
        token = result.chosen.token.probs()
        measures["drawn"] = range_text(token.low[t], token.high[t], view)
    return _Column(f"{style[0]} low–high", numbers, [0.0] * len(pairs), [None] * len(pairs), measures, style[1])


def range_text(low: float, high: float, view: View) -> str:
    """Where a probability lies; ? where nothing is known of it.

    >>> range_text(0.25, 0.5, View(Screen(80, False))), range_text(0.25, 0.25, View(Screen(80, False)))
    ('0.2500–0.5000', '0.2500')
    """
    if np.isnan(low):
        return "?"
    ends = [prob_text(end, view.digits) if not view.log else log_text(end, view) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else (" … " if view.log else "–").join(ends)


def log_text(prob: float, view: View) -> str:
    return format(log(prob) if prob else -inf, f".{view.digits or 4}g")


def _column(
    result: Distributions, t: int, row: int, classes: tuple[Array, Array], view: View, style: tuple[str, int]
) -> _Column:
    """A column for a row, of the `classes` that are shown and those that are not."""
    shown, rest = classes
    probs = result.probs[t, row]
    shares = probs[shown].tolist() + [float(probs[rest].sum())] * bool(len(rest))

    def text(value: float) -> str:
        return prob_text(float(value), view.digits).rjust(PROB_WIDTH)

    def logarithm(share: float) -> str:
        return log_text(share, view).rjust(PROB_WIDTH)

    number = logarithm if view.log else text
    removed = [*_removed(result, t, row, shown), *[None] * bool(len(rest))]
    alone = result.without_chain.probs[t, row][shown] if any(removed) else probs[shown]
    numbers = [
        number(share) if sampler is None else f"({number(alone[i]).strip()})".rjust(PROB_WIDTH)
        for i, (share, sampler) in enumerate(zip(shares, removed, strict=True))
    ]
    if result.block.partial is not None:
        unknown = result.block.partial.unknown[shown].tolist()
        numbers[: len(unknown)] = [
            "?".rjust(PROB_WIDTH) if hidden else number for hidden, number in zip(unknown, numbers, strict=False)
        ]
    measures = _measures(result, t, row, view, text)
    if result.chosen and result.block.partial:
        given, likely = result.block.partial, float(result.chosen.token.probs().listed[t])
        measures["drawn"] = "?".rjust(PROB_WIDTH) if np.isnan(likely) else number(likely)
        measures["rank"] = str(given.rank or f">{given.above}").rjust(PROB_WIDTH)
    return _Column(style[0], numbers, shares, removed, measures, style[1], _thermodynamics(result, t, row, view))


def _removed(result: Distributions, t: int, row: int, shown: Array) -> list[str | None]:
    """The sampler that removed each class, None for those that are left or were never there."""
    if result.chain is None or result.kept[t, row][shown].all():
        return [None] * len(shown)
    stages = result.stages(t, row)
    steps = removed_by(stages, len(result.block.logits[row]))[shown].tolist()
    return [None if step < 0 else stages[step].step.sampler.name for step in steps]


def _measures(result: Distributions, t: int, row: int, view: View, text: Callable[[float], str]) -> dict[str, str]:
    """What stands under a column; with a chain also how many classes it leaves, and what of the mass at
    the temperature the others had."""
    entropy, margin = result.entropy[t, row], result.margin[t, row]
    measures = {
        "entropy": f"{text(entropy / unit('entropy', view.bits))} {'bits' if view.bits else 'nats'}",
        "perplexity": text(result.perplexity[t, row]),
        "margin": "–".rjust(PROB_WIDTH) if np.isnan(margin) else text(margin),
    }
    if result.chain is None:
        return measures
    kept = result.kept[t, row]
    cut_mass = float(result.without_chain.probs[t, row][~kept].sum())
    return {"kept": f"{kept.sum():{PROB_WIDTH}}", "removed": text(cut_mass), **measures}


def _thermodynamics(result: Distributions, t: int, row: int, view: View) -> dict[str, str]:
    """What stands under the measures of energies, which have an ensemble."""
    if not isinstance(result, BoltzmannDistributions):
        return {}

    unit, _ = result.ensemble.units
    found = [
        ("log Z", result.log_z, ""),
        ("F", result.free_energy, unit),
        ("U", result.mean_energy, unit),
        ("S/k", result.entropy, ""),
        ("C/k", result.heat_capacity, ""),
    ]
    values = [float(values[t, row]) for _, values, _ in found]
    texts = [number_text(value) if view.digits is None else f"{value:.{view.digits}g}" for value in values]
    width = max(PROB_WIDTH, *map(len, texts))
    return {name: f"{text.rjust(width)} {unit}".rstrip() for (name, _, unit), text in zip(found, texts, strict=True)}


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
    table.add_column(logits[0], width=max(map(len, logits)), justify="right", no_wrap=True)
    for column in columns:
        table.add_column(" " + column.header, width=width, no_wrap=True)
    for label, logit, *cells in zip(labels, logits[1:], *(c.cells(width) for c in columns), strict=True):
        table.add_row(Text(label), Text(logit, "dim"), *cells)
    table.add_section()
    # Columns of bounds have few measures, or none.
    most = max(columns, key=lambda column: len(column.measures))
    for name in most.measures:
        table.add_row(Text(name, "dim"), "", *(Text(column.measures.get(name, "")) for column in columns))
    table.add_section()
    for name in columns[0].thermodynamics:
        table.add_row(Text(name, "dim"), "", *(Text(column.thermodynamics[name]) for column in columns))
    return table


def text_tables(rows: Sequence[Sequence[str]], screen: Screen, right: Sequence[str] = ()) -> str:
    """A table of texts, of which the first row are the columns' heads; those in `right` end at the
    right. Columns that do not fit go on in a further table, beside the first column."""
    columns = list(zip(*rows, strict=True))
    first, *others = [max(map(cell_len, column)) for column in columns]
    first = max(1, min(first, 2 * screen.width // 5, screen.width - 1 - 2 * GAP - max(others, default=0)))
    tables, start = [], 1
    while start < len(columns):
        used, stop = 1 + first + GAP, start
        while stop < len(columns) and (stop == start or used + others[stop - 1] <= screen.width):
            used += others[stop - 1] + GAP
            stop += 1
        table = Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0))
        table.add_column(rows[0][0], width=first, no_wrap=True)
        for head, width in zip(rows[0][start:stop], others[start - 1 : stop - 1], strict=True):
            table.add_column(Text(head), width=width, no_wrap=True, justify="right" if head in right else "left")
        for row in rows[1:]:
            table.add_row(Text(shortened(row[0], first)), *map(Text, row[start:stop]))
        tables.append(rendered(table, screen, used))
        start = stop
    return "\n".join(tables)


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
