"""The texts that a server drew: how likely each would have been at every temperature."""

from collections.abc import Callable, Iterator

from tsoft.charts.style import number_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.sequence_likelihood import ChosenToken, Likelihood
from tsoft.features.compute.text_likelihoods import TextKey, TextLikelihoods

_MEASURES: dict[str, Callable[[ChosenToken], Likelihood]] = {
    "log-probability": lambda chosen: chosen.text,
    "sequence perplexity": lambda chosen: chosen.text.perplexity(chosen.tokens),
}


def draw(texts: TextLikelihoods, view: View) -> Iterator[str]:
    """A table for each text, of its log-probability and its sequence perplexity: bounds over all classes if there
    are any, and the exact values among the listed ones."""
    numbers = dict.fromkeys(key.text for key in texts.last_tokens)
    for number in numbers:
        last_tokens = [(key, chosen) for key, chosen in texts.last_tokens.items() if key.text == number]
        tokens = last_tokens[0][1].tokens
        header = f"text{f' {number}' * (len(numbers) > 1)}, {tokens} token{'s' * (tokens != 1)}"
        columns = [
            [_header(key, t), *_cells(chosen, t, view)] for key, chosen in last_tokens for t in range(len(key.taus))
        ]
        names = [header, *(name + suffix for name in _MEASURES for suffix in ("", ", listed"))]
        rows = [row for row in zip(names, *columns, strict=True) if any(row[1:])]
        yield text_tables(rows, view.screen)


def _header(key: TextKey, t: int) -> str:
    tau = tau_text(key.taus[t])
    return f"{key.engine} {tau.replace(' ', '')}" if key.engine else tau


def _cells(chosen: ChosenToken, t: int, view: View) -> Iterator[str]:
    """For each measure its bounds, empty if there are none, and its value among the listed tokens."""
    for measure in _MEASURES.values():
        likelihood = measure(chosen)
        low, high = _text(likelihood.low[t], view), _text(likelihood.high[t], view)
        yield low if low == high else f"{low} … {high}"
        yield _text(likelihood.listed[t], view) or "?"


def _text(value: float, view: View) -> str:
    return "" if value != value else number_text(value, view.digits)
