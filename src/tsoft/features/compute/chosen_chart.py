"""Tables of the likelihood, at each temperature, of the texts that a server drew."""

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
    """Yield a table for each text, of its log-probability and its sequence perplexity: their bounds among all classes,
    if known, and their exact values among the listed classes."""
    numbers = dict.fromkeys(key.text for key in texts.last_tokens)
    if numbers:
        view.legend.add(*_MEASURES, "listed")
    for number in numbers:
        last_tokens = [(key, chosen) for key, chosen in texts.last_tokens.items() if key.text == number]
        tokens = last_tokens[0][1].tokens
        header = f"text{f' {number}' * (len(numbers) > 1)}, {tokens} token{'s' * (tokens != 1)}"
        columns = [
            [_header(key, t), *_cells(chosen, t, view)] for key, chosen in last_tokens for t in range(len(key.taus))
        ]
        names = [header, *(label for name in _MEASURES for label in (name, "  listed"))]
        rows = [row for row in zip(names, *columns, strict=True) if any(row[1:])]
        yield text_tables(rows, view.screen)


def _header(key: TextKey, t: int) -> str:
    tau = tau_text(key.taus[t])
    return f"{key.engine} {tau.replace(' ', '')}" if key.engine else tau


def _cells(chosen: ChosenToken, t: int, view: View) -> Iterator[str]:
    """Yield, for each measure, its bounds and its value among the listed tokens. If one token's probability is unknown,
    so is the measure."""
    for measure in _MEASURES.values():
        likelihood = measure(chosen)
        listed = _text(likelihood.listed[t], view)
        if not listed:
            view.legend.add("unknown")
            yield from ("?", "")
            continue
        low, high = _text(likelihood.low[t], view), _text(likelihood.high[t], view)
        yield low if low == high else f"{low} … {high}"
        yield listed


def _text(value: float, view: View) -> str:
    return "" if value != value else number_text(value, view.digits)
