"""The texts that a server drew: how likely each would have been at every temperature."""

from collections.abc import Callable, Iterator

from tsoft.charts.style import number_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.sequence_likelihood import ChosenToken, Likelihood
from tsoft.features.compute.texts import Key, Texts

MEASURES: dict[str, Callable[[ChosenToken], Likelihood]] = {
    "log-probability": lambda chosen: chosen.text,
    "sequence perplexity": lambda chosen: chosen.text.perplexity(chosen.tokens),
}


def draw(texts: Texts, view: View) -> Iterator[str]:
    """A table a text, of its log-probability and its sequence perplexity: bounded over all classes, where that
    can be, and exact among the listed."""
    numbers = dict.fromkeys(key.text for key in texts.found)
    for number in numbers:
        found = [(key, chosen) for key, chosen in texts.found.items() if key.text == number]
        tokens = found[0][1].tokens
        head = f"text{f' {number}' * (len(numbers) > 1)}, {tokens} token{'s' * (tokens != 1)}"
        columns = [[_head(key, t), *_cells(chosen, t, view)] for key, chosen in found for t in range(len(key.taus))]
        names = [head, *(name + of for name in MEASURES for of in ("", ", listed"))]
        rows = [row for row in zip(names, *columns, strict=True) if any(row[1:])]
        yield text_tables(rows, view.screen)


def _head(key: Key, t: int) -> str:
    tau = tau_text(key.taus[t])
    return f"{key.engine} {tau.replace(' ', '')}" if key.engine else tau


def _cells(chosen: ChosenToken, t: int, view: View) -> Iterator[str]:
    """Each measure, nothing where no bounds are known, and what it is among the listed."""
    for measure in MEASURES.values():
        found = measure(chosen)
        ends = _text(found.low[t], view), _text(found.high[t], view)
        yield ends[0] if ends[0] == ends[1] else " … ".join(ends)
        yield _text(found.listed[t], view) or "?"


def _text(value: float, view: View) -> str:
    if value != value:
        return ""
    return number_text(value) if view.digits is None else f"{value:.{view.digits}g}"
