"""A sample as a table: what was expected of each class and what came, with bars for both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tsoft.charts.chain import orders
from tsoft.charts.style import number_text, prob_text, tau_colors, tau_text
from tsoft.charts.table import GAP, LONGEST_BAR, SHORTEST_BAR, bar, rendered
from tsoft.charts.view import View
from tsoft.core.block import class_names
from tsoft.core.chi_square import goodness_of_fit
from tsoft.core.softmax import Array
from tsoft.errors import visible
from tsoft.features.sample.samples import Sample, samples
from tsoft.sampling.distributions import Distributions, descending_order

SUMMARY = ("draws", "seed", "chi-square", "p-value")


def draw(results: Sequence[Distributions], size: int, seed: int, view: View) -> Iterator[str]:
    """A table for each sample of a row: of each chain at each temperature."""
    before = ""
    for result in results:
        if result.chain:
            yield before + orders([result], view)
            before = "\n"
        for sample, color in zip(samples(result, size, seed), tau_colors(result.taus.tolist()), strict=True):
            yield (
                before
                + tau_text(sample.tau)
                + "\n\n"
                + _drawn(sample, descending_order(result.block.logits[0], sample.probs), view, color)
            )
            before = "\n"


@dataclass(frozen=True)
class _Column:
    """For each class and the rest a number, and its share of the draws."""

    header: str
    numbers: list[str]
    shares: list[float]

    @property
    def width(self) -> int:
        """What the numbers take."""
        return max(map(len, [self.header, *self.numbers]))

    def cells(self, room: int, color: int) -> list[Text]:
        """Each number, and a bar where there is room for one."""
        numbers = (number.rjust(self.width) for number in self.numbers)
        if room < SHORTEST_BAR:
            return [Text(number) for number in numbers]
        bars = (bar(share, room) for share in self.shares)
        return [
            Text.assemble(number, " ", (drawn, f"color({color})")) for number, drawn in zip(numbers, bars, strict=True)
        ]


def _drawn(sample: Sample, order: Array, view: View, color: int) -> str:
    """The table and under it the test. Where the screen is too narrow, the bars go, then the labels,
    then the lines get wider: no number is cut."""
    every = class_names(sample.labels, len(order), quoted=sample.tokens)
    order, rest = view.chosen(order)
    labels = [visible(every[i]) for i in order] + [f"… {len(rest)} more"] * bool(len(rest))
    expected, counts = (
        [*of[order].tolist(), *[of[rest].sum().item()] * bool(len(rest))] for of in (sample.expected, sample.counts)
    )
    columns = [
        _Column("expected", [_expected_text(value, view.digits) for value in expected], _shares(expected, sample.size)),
        _Column("drawn", [str(count) for count in counts], _shares(counts, sample.size)),
    ]
    room = view.screen.width - 1 - GAP - sum(column.width + GAP for column in columns)
    wanted = max(map(cell_len, [*SUMMARY, *labels]))
    head = max(len("class"), min(wanted, view.screen.width // 3, room))
    # Both bars are of one scale.
    bars = min(LONGEST_BAR, (room - head) // len(columns) - 1)
    more = bars + 1 if bars >= SHORTEST_BAR else 0
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    table.add_column("class", width=head, no_wrap=True, overflow="ellipsis")
    for column in columns:
        table.add_column(column.header.rjust(column.width), width=column.width + more, no_wrap=True)
    for label, *numbers in zip(labels, *(column.cells(bars, color) for column in columns), strict=True):
        table.add_row(Text(label), *numbers)
    width = 1 + head + GAP + sum(column.width + more + GAP for column in columns)
    return rendered(table, view.screen, width) + "\n" + _summary(sample, view, head)


def _shares(values: Sequence[float], size: int) -> list[float]:
    return [value / size for value in values]


def _expected_text(value: float, digits: int | None) -> str:
    """An expected count in few characters, its size always to be told.

    >>> [_expected_text(value, None) for value in (0.0, 0.00004, 574.52, 5745217.2, 5.7452e17)]
    ['0', '4.0e-05', '574.5', '5745217', '5.7452e+17']
    """
    if digits is not None:
        return f"{value:.{digits}g}"
    if 0 < value < 0.05:
        return f"{value:.1e}"
    if value >= 1e15:
        return number_text(value)
    return f"{value:.0f}" if value == 0 or value >= 1e6 else f"{value:.1f}"


def _summary(sample: Sample, view: View, head: int) -> str:
    """How many draws, of which seed, and how well they agree with what was expected."""
    fit = goodness_of_fit(sample.counts, sample.probs)
    texts = (
        str(sample.size),
        str(sample.seed),
        "–" if fit is None else f"{number_text(fit.statistic)}, {fit.degrees} degree{'s' * (fit.degrees != 1)}",
        "–" if fit is None else prob_text(fit.p_value, view.digits),
    )
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0), show_header=False)
    head = max(head, *map(len, SUMMARY))
    table.add_column(width=head, no_wrap=True)
    table.add_column(no_wrap=True)
    for name, text in zip(SUMMARY, texts, strict=True):
        table.add_row(Text(name, "dim"), Text(text))
    return rendered(table, view.screen, 1 + head + GAP + max(map(len, texts)) + GAP)
