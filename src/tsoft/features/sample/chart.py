"""A sample as a table: the expected and the drawn counts of each class, with bars for both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from tsoft.charts.chain_report import sampler_order
from tsoft.charts.distribution_table import LONGEST_BAR, SHORTEST_BAR
from tsoft.charts.style import number_text, prob_text, tau_colors, tau_text
from tsoft.charts.table import GAP, bar, new_table, rendered
from tsoft.charts.view import View
from tsoft.core.block import class_names
from tsoft.core.chi_square import goodness_of_fit
from tsoft.core.softmax import Array
from tsoft.features.sample.samples import Sample, samples
from tsoft.sampling.distributions import Distributions, descending_order

_SUMMARY = ("draws", "seed", "chi-square", "p-value")


def draw(results: Sequence[Distributions], size: int, seed: int, view: View) -> Iterator[str]:
    """A table for each sample of a row: after each chain, at each temperature."""
    separator = ""
    for result in results:
        if result.chain:
            yield separator + sampler_order([result], view)
            separator = "\n"
        for sample, color in zip(samples(result, size, seed), tau_colors(result.taus.tolist()), strict=True):
            order = descending_order(result.block.logits[0], sample.probs)
            yield f"{separator}{tau_text(sample.tau)}\n\n{_table(sample, order, view, color)}"
            separator = "\n"


@dataclass(frozen=True)
class _CountColumn:
    """For each class and the rest a number, and its share of the draws."""

    header: str
    numbers: list[str]
    shares: list[float]

    @property
    def width(self) -> int:
        """The columns of the widest number."""
        return max(map(len, [self.header, *self.numbers]))

    def cells(self, room: int, color: int) -> list[Text]:
        """Each number, and a bar if there is room for one."""
        numbers = (number.rjust(self.width) for number in self.numbers)
        if room < SHORTEST_BAR:
            return [Text(number) for number in numbers]
        bars = ((bar(share, room), f"color({color})") for share in self.shares)
        return [Text.assemble(number, " ", styled_bar) for number, styled_bar in zip(numbers, bars, strict=True)]


def _table(sample: Sample, order: Array, view: View, color: int) -> str:
    """The table, and the test under it. Where the screen is too narrow, the bars are left out, then the labels
    are shortened, then the lines get wider than the screen: no number is shortened."""
    names = class_names(sample.labels, len(order), quoted=sample.tokens)
    selection = view.select(order)
    labels = selection.labels(names)
    expected, counts = (selection.values(values).tolist() for values in (sample.expected, sample.counts))
    texts = {"expected": [_expected_text(value, view.digits) for value in expected], "drawn": list(map(str, counts))}
    columns = [
        _CountColumn(header, numbers, [value / sample.size for value in values])
        for (header, numbers), values in zip(texts.items(), (expected, counts), strict=True)
    ]
    room = view.screen.width - 1 - GAP - sum(column.width + GAP for column in columns)
    longest = max(map(cell_len, [*_SUMMARY, *labels]))
    label_width = max(len("class"), min(longest, view.screen.width // 3, room))
    # Both bars have the same scale.
    bars = min(LONGEST_BAR, (room - label_width) // len(columns) - 1)
    added = bars + 1 if bars >= SHORTEST_BAR else 0
    table = new_table()
    table.add_column("class", width=label_width, no_wrap=True, overflow="ellipsis")
    for column in columns:
        table.add_column(column.header.rjust(column.width), width=column.width + added, no_wrap=True)
    for label, *cells in zip(labels, *(column.cells(bars, color) for column in columns), strict=True):
        table.add_row(Text(label), *cells)
    width = 1 + label_width + GAP + sum(column.width + added + GAP for column in columns)
    return rendered(table, view.screen, width) + "\n" + _summary(sample, view, label_width)


def _expected_text(value: float, digits: int | None) -> str:
    """An expected count in few characters that always show its magnitude.

    >>> [_expected_text(value, None) for value in (0.0, 0.00004, 574.52, 5745217.2, 5.7452e17)]
    ['0', '4.0e-05', '574.5', '5745217', '5.7452e+17']
    """
    if digits is not None or value >= 1e15:
        return number_text(value, digits)
    if 0 < value < 0.05:
        return f"{value:.1e}"
    return f"{value:.0f}" if value == 0 or value >= 1e6 else f"{value:.1f}"


def _summary(sample: Sample, view: View, label_width: int) -> str:
    """The number of draws, their seed, and how well they agree with what is expected."""
    fit = goodness_of_fit(sample.counts, sample.probs)
    texts = (
        str(sample.size),
        str(sample.seed),
        "–" if fit is None else f"{number_text(fit.statistic)}, {fit.degrees} degree{'s' * (fit.degrees != 1)}",
        "–" if fit is None else prob_text(fit.p_value, view.digits),
    )
    table = new_table(show_header=False)
    label_width = max(label_width, *map(len, _SUMMARY))
    table.add_column(width=label_width, no_wrap=True)
    table.add_column(no_wrap=True)
    for name, text in zip(_SUMMARY, texts, strict=True):
        table.add_row(Text(name, "dim"), Text(text))
    return rendered(table, view.screen, 1 + label_width + GAP + max(map(len, texts)) + GAP)
