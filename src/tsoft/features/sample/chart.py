"""A sample as a table: the expected and the actual count of each class, with bars for both."""

from collections.abc import Callable, Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from tsoft.charts.chain_report import sampler_order
from tsoft.charts.distribution_table import LONGEST_BAR, SHORTEST_BAR
from tsoft.charts.style import number_text, prob_text, tau_colors, tau_text
from tsoft.charts.table import GAP, BarCell, new_table, rendered
from tsoft.charts.view import View
from tsoft.core.block import class_names
from tsoft.core.chi_square import goodness_of_fit
from tsoft.core.softmax import Array
from tsoft.features.sample.samples import Sample
from tsoft.sampling.distributions import Distributions, descending_order

_SUMMARY = ("draws", "seed", "chi-square", "p-value")


def draw(
    results: Sequence[Distributions], sampled: Callable[[Distributions], Iterator[Sample]], view: View
) -> Iterator[str]:
    """Yield a table for each sample of a row: for each chain, at each temperature. `sampled` returns the samples."""
    separator = ""
    for result in results:
        if result.chain:
            yield separator + sampler_order([result], view)
            separator = "\n"
        for sample, color in zip(sampled(result), tau_colors(result.taus.tolist()), strict=True):
            order = descending_order(result.block.logits[0], sample.probs)
            yield f"{separator}{tau_text(sample.tau)}\n\n{_table(sample, order, view, color)}"
            separator = "\n"


def _table(sample: Sample, order: Array, view: View, color: int) -> str:
    """Return the table and, below it, the test. On a narrow screen the bars are omitted first, then the labels are
    shortened, then the lines become wider than the screen; numbers are never shortened."""
    names = class_names(sample.labels, len(order), quoted=sample.tokens)
    selection = view.select(order)
    labels = selection.labels(names)
    view.legend.add("expected", "count", *["more"] * bool(len(selection.rest)))
    expected, counts = (selection.values(values).tolist() for values in (sample.expected, sample.counts))
    expected_texts = [_expected_text(value, view.digits) for value in expected]
    columns = {
        "expected": _cells("expected", expected_texts, expected, sample.size),
        "count": _cells("count", list(map(str, counts)), counts, sample.size),
    }
    # A column's numbers and its header have the same width.
    numbers_width = sum(len(cells[0].number) + GAP for cells in columns.values())
    room = view.screen.width - 1 - GAP - numbers_width
    longest = max(map(cell_len, [*_SUMMARY, *labels]))
    label_width = max(len("class"), min(longest, view.screen.width // 3, room))
    # Both bars have the same scale.
    bar_width = min(LONGEST_BAR, (room - label_width) // len(columns) - 1)
    added = bar_width + 1 if bar_width >= SHORTEST_BAR else 0
    table = new_table()
    table.add_column("class", width=label_width, no_wrap=True, overflow="ellipsis")
    for header, cells in columns.items():
        width = len(cells[0].number)
        table.add_column(header.rjust(width), width=width + added, no_wrap=True)
    for label, *row in zip(labels, *columns.values(), strict=True):
        table.add_row(Text(label), *(cell.text(len(cell.number) + added, color) for cell in row))
    width = 1 + label_width + GAP + numbers_width + added * len(columns)
    return rendered(table, view.screen, width) + "\n" + _summary(sample, view, label_width)


def _cells(header: str, numbers: list[str], values: list[float], size: int) -> list[BarCell]:
    """Return a column of numbers, with bars for the values' shares of the draws."""
    width = max(map(len, [header, *numbers]))
    return [BarCell(number.rjust(width), value / size) for number, value in zip(numbers, values, strict=True)]


def _expected_text(value: float, digits: int | None) -> str:
    """Return an expected count as a short text that always shows its magnitude.

    >>> [_expected_text(value, None) for value in (0.0, 0.00004, 574.52, 5745217.2, 5.7452e17)]
    ['0', '4.0e-05', '574.5', '5745217', '5.7452e+17']
    """
    if digits is not None or value >= 1e15:
        return number_text(value, digits)
    if 0 < value < 0.05:
        return f"{value:.1e}"
    return f"{value:.0f}" if value == 0 or value >= 1e6 else f"{value:.1f}"


def _summary(sample: Sample, view: View, label_width: int) -> str:
    """Return the number of draws, their seed, and the test of the drawn counts against the expected ones."""
    fit = goodness_of_fit(sample.counts, sample.probs)
    view.legend.add(*_SUMMARY[1:], *["untested"] * (fit is None))
    texts = (
        str(sample.size),
        str(sample.seed),
        "–" if fit is None else f"{number_text(fit.statistic)}, {fit.degrees} df",
        "–" if fit is None else prob_text(fit.p_value, view.digits),
    )
    table = new_table(show_header=False)
    label_width = max(label_width, *map(len, _SUMMARY))
    table.add_column(width=label_width, no_wrap=True)
    table.add_column(no_wrap=True)
    for name, text in zip(_SUMMARY, texts, strict=True):
        table.add_row(Text(name, "dim"), Text(text))
    return rendered(table, view.screen, 1 + label_width + GAP + max(map(len, texts)) + GAP)
