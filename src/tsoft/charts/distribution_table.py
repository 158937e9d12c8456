"""A row's distributions as a table with bars, with the measures below."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf, log
from typing import NamedTuple, cast

import numpy as np
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tsoft.charts.style import number_text, prob_text, tau_colors, tau_text
from tsoft.charts.table import GAP, BarCell, new_table, rendered
from tsoft.charts.view import ClassSelection, View
from tsoft.errors import shortened
from tsoft.sampling.boltzmann import BoltzmannDistributions
from tsoft.sampling.distributions import Distributions, measure_unit, ranked_classes
from tsoft.sampling.explanation import removed_by
from tsoft.sampling.partial_distributions import PartialDistributions

# The widths of a probability and of its bar.
PROB_WIDTH, SHORTEST_BAR, LONGEST_BAR = 7, 7, 34
# The mark of the token that a server drew.
CHOSEN_MARK = "› "
# The mark of a token of which it is not known whether the samplers keep it.
UNDECIDED_MARK = "*"


class ColumnStyle(NamedTuple):
    """The header and the color of a column."""

    header: str
    color: int


def draw(results: Sequence[Distributions], view: View) -> str:
    """Return the table of a block of one row, with the results of several chains side by side. Columns that do not
    fit continue in another table. On a narrow screen the bars are omitted first, then the labels are shortened,
    then the lines become wider than the screen; numbers are never shortened."""
    selection = view.select(*ranked_classes(results))
    labels, logits = _labels(results[0], selection), _logits(results[0], selection)
    columns = [
        column
        for result, styles in zip(results, column_styles(results), strict=True)
        for t, style in enumerate(styles)
        for column in _columns(result, t, selection, view, style)
    ]
    view.legend.add(*_legend_keys(results[0], selection, columns), *["logarithms"] * view.log)
    left = 1 + GAP + max(map(len, logits)) + GAP
    header_width = view.screen.width - left - len("perplexity") - GAP - 1
    columns = [replace(column, header=_narrowed(column.header, header_width)) for column in columns]
    widest = max(column.width for column in columns)
    longest = max(len("perplexity"), *(cell_len(label) for label in labels))
    room = view.screen.width - left - widest - GAP
    label_width = max(len("perplexity"), min(longest, view.screen.width // 3, room))
    room = view.screen.width - left - label_width
    numbers = max(column.number_width for column in columns)
    fits = min(len(columns), max(1, room // (max(widest, numbers + 1 + SHORTEST_BAR) + GAP)))
    width = max(widest, min(numbers + 1 + LONGEST_BAR, room // fits - GAP))
    tables = [_table(labels, logits, label_width, columns[i : i + fits], width) for i in range(0, len(columns), fits)]
    return "\n".join(rendered(table, view.screen, left + label_width + fits * (width + GAP)) for table in tables)


def column_styles(results: Sequence[Distributions]) -> list[list[ColumnStyle]]:
    """Return the style of each temperature's column, for each result. With several results the headers name the
    engines."""
    if len(results) == 1:
        taus = results[0].taus.tolist()
        tau_unit = results[0].block.ensemble.units[1] if results[0].block.ensemble else ""
        return [list(map(ColumnStyle, (tau_text(tau, tau_unit) for tau in taus), tau_colors(taus)))]
    names = [str(result.engine) for result in results]
    if len(results[0].taus) == 1:
        return [[style] for style in map(ColumnStyle, names, tau_colors(range(len(names))))]
    return [
        [ColumnStyle(f"{name} {header.replace(' ', '')}", color) for header, color in column_styles([result])[0]]
        for name, result in zip(names, results, strict=True)
    ]


def _labels(result: Distributions, selection: ClassSelection) -> list[str]:
    """Return the classes' names, and a label for the rest. A mark shows the drawn token, if there is one."""
    names, ensemble, partial = result.block.names, result.block.ensemble, result.block.partial
    labels = selection.labels(names)
    if ensemble and ensemble.degeneracy is not None:
        for i, count in enumerate(ensemble.degeneracy[selection.shown].astype(int).tolist()):
            labels[i] += f" ×{count}" if count > 1 else ""
    if partial and result.chosen_token:
        chosen = selection.shown.tolist().index(partial.index) if partial.index in selection.shown else None
        labels = [(CHOSEN_MARK if i == chosen else " " * len(CHOSEN_MARK)) + label for i, label in enumerate(labels)]
    return labels


def _logits(result: Distributions, selection: ClassSelection) -> list[str]:
    """Return a header and the logits or energies, with ? for those that a response does not contain."""
    block, shown = result.block, selection.shown
    sign, header = (-1, "energy") if block.origin.quantity == "energy" else (1, "logit")
    unknown = block.partial.unknown[shown] if block.partial else np.zeros(len(shown), bool)
    values = zip(block.logits[0, shown], unknown, strict=True)
    texts = ["?" if is_unknown else number_text(sign * value) for value, is_unknown in values]
    return [header, *texts, *[""] * bool(len(selection.rest))]


@dataclass(frozen=True)
class _TableColumn:
    """A temperature's column: cells for each class and the rest, the measures, and the thermodynamics of energies."""

    header: str
    color: int
    cells: list[BarCell]
    measures: dict[str, str]
    thermodynamics: dict[str, str] = field(default_factory=dict)

    @property
    def number_width(self) -> int:
        return max(len(cell.number) for cell in self.cells)

    @property
    def width(self) -> int:
        texts = [" " + self.header, *self.measures.values(), *self.thermodynamics.values()]
        return max(self.number_width, *map(len, texts))


def probability_header(result: Distributions, t: int, style: ColumnStyle) -> str:
    """Return the header of a temperature's probabilities. Of a response, they are exact, or only those among the listed
    tokens."""
    if result.block.partial is None:
        return style.header
    return f"{style.header} {'exact' if result.exact[t] else 'listed'}"


def _narrowed(header: str, width: int) -> str:
    """Return a header that is too wide with a shorter first word, the name of an engine."""
    name, gap, rest = header.partition(" ")
    return header if len(header) <= width else shortened(name, max(width - len(gap + rest), 8)) + gap + rest


def _columns(
    result: Distributions, t: int, selection: ClassSelection, view: View, style: ColumnStyle
) -> list[_TableColumn]:
    """Return a temperature's column, and a second column for the bounds of a partial distribution."""
    column = _probability_column(result, t, selection, view, style)
    column = replace(column, header=probability_header(result, t, style))
    return [column] if result.exact[t] else [column, _bounds_column(result, t, selection, view, style)]


def _bounds_column(
    result: Distributions, t: int, selection: ClassSelection, view: View, style: ColumnStyle
) -> _TableColumn:
    """Return the column of the bounds on each probability among all classes. All classes share the normalizer, so
    the bounds of the rest are sums, too."""
    low, high = (np.minimum(selection.values(bound[t, 0]), 1.0).tolist() for bound in result.bounds)
    undecided = [*result.undecided[t, 0][selection.shown].tolist(), *[False] * bool(len(selection.rest))]
    cells = [
        BarCell(range_text(lowest, highest, view) + UNDECIDED_MARK * is_undecided)
        for lowest, highest, is_undecided in zip(low, high, undecided, strict=True)
    ]
    measures = {}
    if result.chosen_token:
        token = result.chosen_token.token.probs()
        measures["chosen"] = range_text(token.low[t], token.high[t], view)
    return _TableColumn(f"{style.header} low–high", style.color, cells, measures)


def range_text(low: float, high: float, view: View) -> str:
    """Return the range of a probability; ? if it is unknown.

    >>> from tsoft.charts.view import Screen
    >>> range_text(0.25, 0.5, View(Screen(80, False))), range_text(0.25, 0.25, View(Screen(80, False)))
    ('0.2500–0.5000', '0.2500')
    """
    if np.isnan(low):
        return "?"
    ends = [probability_text(end, view) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else (" … " if view.log else "–").join(ends)


def probability_text(prob: float, view: View) -> str:
    """Return a probability, or its logarithm, as text."""
    if not view.log:
        return prob_text(prob, view.digits)
    return f"{log(prob) if prob else -inf:.{view.digits or 4}g}"


def _probability_column(
    result: Distributions, t: int, selection: ClassSelection, view: View, style: ColumnStyle
) -> _TableColumn:
    """Return the column of the probabilities; a removed class has its probability without samplers in parentheses."""
    shares = selection.values(result.probs[t, 0]).tolist()
    removers = _removers(result, t, selection)
    numbers = [probability_text(share, view) for share in shares]
    if any(removers):
        without_chain = result.without_chain
        unfiltered = selection.values(without_chain.probs[t, 0]).tolist()
        # Without a chain, only the share of the listed tokens is known.
        is_known = result.block.partial is None or without_chain.exact[t]
        removed_numbers = [f"({probability_text(share, view) if is_known else '–'})" for share in unfiltered]
        numbers = [removed_numbers[i] if remover else numbers[i] for i, remover in enumerate(removers)]
    measures = _measures(result, t, view)
    partial = result.block.partial
    if partial is not None:
        if partial.unknown.all():
            measures = dict.fromkeys(measures, "?".rjust(PROB_WIDTH))
        if not result.exact[t]:
            for i in np.flatnonzero(partial.unknown[selection.shown]):
                numbers[i], shares[i] = "?", 0.0
        measures |= _chosen_measures(result, t, view)
    cells = [
        BarCell(number.rjust(PROB_WIDTH), share, remover)
        for number, share, remover in zip(numbers, shares, removers, strict=True)
    ]
    return _TableColumn(style.header, style.color, cells, measures, _thermodynamics(result, t, view))


def _removers(result: Distributions, t: int, selection: ClassSelection) -> list[str | None]:
    """Return the sampler that removed each shown class; None for kept classes, masked classes and the rest."""
    shown = selection.shown
    of_rest: list[str | None] = [None] * bool(len(selection.rest))
    if result.chain is None or result.kept[t, 0][shown].all():
        return [None] * len(shown) + of_rest
    stages = result.stages(t, 0)
    steps = removed_by(stages, len(result.block.logits[0]))[shown].tolist()
    return [None if step < 0 else stages[step].step.sampler.name for step in steps] + of_rest


def _measures(result: Distributions, t: int, view: View) -> dict[str, str]:
    """Return the measures below a column. With a chain they include the number of classes that it keeps, and the
    probability of the others at this temperature without the chain."""

    def text(value: float) -> str:
        return prob_text(float(value), view.digits).rjust(PROB_WIDTH)

    entropy, varentropy = (
        getattr(result, name)[t, 0] / measure_unit(name, view.bits) for name in ("entropy", "varentropy")
    )
    unit = "bits" if view.bits else "nats"
    measures = {
        "entropy": f"{text(entropy)} {unit}",
        "perplexity": text(result.perplexity[t, 0]),
        "margin": text(result.margin[t, 0]),
        "varentropy": f"{text(varentropy)} {unit}²",
    }
    if result.chain is None:
        return measures
    kept = result.kept[t, 0]
    if not result.without_chain.exact[t]:
        certain, possible = (kept & ~result.undecided[t, 0]).sum(), kept.sum()
        count = str(possible) if result.exact[t] else f"{certain}–{possible}" if certain < possible else f"≥ {possible}"
        return {"kept": count.rjust(PROB_WIDTH), **measures}
    removed = result.without_chain.probs[t, 0][~kept].sum()
    return {"kept": f"{kept.sum():{PROB_WIDTH}}", "removed": text(removed), **measures}


def _chosen_measures(result: Distributions, t: int, view: View) -> dict[str, str]:
    """Return the rank of the token that a server drew, and its probability among the listed tokens."""
    partial = result.block.partial
    if not (result.chosen_token and partial):
        return {}
    prob = float(result.chosen_token.token.probs().listed[t])
    texts = {
        "chosen": "?" if np.isnan(prob) else probability_text(prob, view),
        "rank": str(cast(PartialDistributions, result).rank(t, partial.index)),
    }
    return {name: text.rjust(PROB_WIDTH) for name, text in texts.items()}


def _thermodynamics(result: Distributions, t: int, view: View) -> dict[str, str]:
    """Return the thermodynamics of a distribution of energies, with their units."""
    if not isinstance(result, BoltzmannDistributions):
        return {}
    energy_unit, _ = result.ensemble.units
    quantities = {
        "log Z": result.log_z,
        "F": result.free_energy,
        "U": result.mean_energy,
        "S/k": result.entropy,
        "C/k": result.heat_capacity,
    }
    texts = {name: number_text(values[t, 0], view.digits) for name, values in quantities.items()}
    width = max(PROB_WIDTH, *map(len, texts.values()))
    units = {"F": energy_unit, "U": energy_unit}
    return {name: f"{text.rjust(width)} {units.get(name, '')}".rstrip() for name, text in texts.items()}


def _legend_keys(result: Distributions, selection: ClassSelection, columns: Sequence[_TableColumn]) -> set[str]:
    """Return the keys of the legend lines for what the table shows."""
    block = result.block
    partial, ensemble, shown = block.partial, block.ensemble, selection.shown
    keys = {name for column in columns for name in (*column.measures, *column.thermodynamics)}
    if ensemble and ensemble.degeneracy is not None:
        keys = {"perplexity of states" if key == "perplexity" else key for key in keys}
        if (ensemble.degeneracy[shown] > 1).any():
            keys.add("degeneracy")
    if partial:
        keys |= {"exact"} if result.exact.any() else set()
        keys |= {"listed", "bounds"} if not result.exact.all() else set()
        keys |= {"undecided"} if result.undecided[:, 0, shown].any() else set()
        if partial.unknown[shown].any():
            keys.add("unknown")
        if result.chosen_token and partial.index in shown:
            keys.add("drawn token")
        if any(column.measures.get("rank", "").lstrip().startswith(">") for column in columns):
            keys.add("rank above")
    if len(selection.rest):
        keys.add("more")
    if any(cell.remover for column in columns for cell in column.cells):
        keys.add("removed class" if result.without_chain.exact.all() else "removed token")
    if any("–" in column.measures.get("margin", "") for column in columns):
        keys.add("single class")
    return keys


def _table(
    labels: list[str], logits: list[str], label_width: int, columns: Sequence[_TableColumn], width: int
) -> Table:
    """Return the table: the classes, a section of measures, and a section of thermodynamics."""
    table = new_table()
    table.add_column("class", width=label_width, no_wrap=True, overflow="ellipsis")
    table.add_column(logits[0], width=max(map(len, logits)), justify="right", no_wrap=True)
    for column in columns:
        table.add_column(" " + column.header, width=width, no_wrap=True)
    for label, logit, *cells in zip(labels, logits[1:], *(column.cells for column in columns), strict=True):
        texts = (cell.text(width, column.color) for cell, column in zip(cells, columns, strict=True))
        table.add_row(Text(label), Text(logit, "dim"), *texts)
    # A column of bounds has at most one measure.
    names = max((column.measures for column in columns), key=len)
    for section in names, columns[0].thermodynamics:
        table.add_section()
        for name in section:
            values = ({**column.measures, **column.thermodynamics}.get(name, "") for column in columns)
            table.add_row(Text(name, "dim"), "", *map(Text, values))
    return table
