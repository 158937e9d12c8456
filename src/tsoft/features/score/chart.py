"""Scored texts on a terminal: their tokens in colors, tables of their totals, and the perplexity over τ."""

from collections.abc import Iterator, Sequence
from math import exp, inf, isnan

import numpy as np
from rich.text import Text

from tsoft.charts.colored_text import color_legend, colored_tokens, rendered_text
from tsoft.charts.curves import chart_text, curve_chart
from tsoft.charts.style import number_text, prob_text, tau_text, wrapped
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.features.score.scored_text import ScoredText
from tsoft.features.score.tau_curve import CURVE_TAUS, RANGE, BestTau
from tsoft.models.token_texts import decoded_pieces

# The most tokens of a text, and the most spans, that a terminal shows.
MAX_TOKENS, MAX_SPANS = 2000, 10
# The scale of a chart extends to this multiple of the lowest perplexity of each text.
_SHOWN_FACTOR = 3.0
_EXPLANATIONS = {
    "log-probability": "log-probability: of all tokens, in nats",
    "sequence perplexity": "sequence perplexity: exp(−log-probability per token), low for a probable text",
    "bits per byte": "bits per byte: −log₂ probability / UTF-8 bytes; comparable between models with different tokens",
    "best τ": "best τ: the temperature with the lowest sequence perplexity",
    "95 % interval": "95 % interval: of the best τ",
    "impossible": "impossible: tokens of probability 0 under the model, which the other lines leave out",
    "excess": "excess: the number of nats by which the surprise, −ln of the probability, exceeds that of the same"
    " number of average tokens. Each listed span has a larger excess than any span inside or around it.",
}


def draw_texts(texts: Sequence[ScoredText], tau_count: int, view: View, *, spans: bool, chart: bool) -> Iterator[str]:
    """Yield the tokens of a single text in colors, the totals, the least probable spans and the curve over τ."""
    if len(texts) == 1:
        yield _colored(texts[0], view) + "\n"
        if view.screen.color:
            yield rendered_text(color_legend(), view) + "\n"
    yield _totals(texts, tau_count, view)
    for text in texts if spans else ():
        yield "\n" + _spans(text, view, named=len(texts) > 1)
    if chart and (curves := _curves(texts, view)):
        yield "\n" + curves


def _colored(text: ScoredText, view: View) -> str:
    """Return the first tokens in the colors of their probabilities at the first temperature, and what is not shown."""
    shown = text.pieces[:MAX_TOKENS]
    parts = decoded_pieces(shown, is_complete=True)
    probs = [exp(logprob) for logprob in text.measurements.logprobs[: len(shown), 0].tolist()]
    first = Text(visible(text.first or ""), "dim")
    result = rendered_text(first.append_text(colored_tokens(zip(parts, probs, strict=True))), view)
    rest = len(text.pieces) - len(shown)
    return result + (f"… {rest} more token{'s' * (rest != 1)}; html and json have all\n" if rest else "")


def _totals(texts: Sequence[ScoredText], tau_count: int, view: View) -> str:
    """Return the totals: a line per text and temperature or, for a single text, a column per temperature, with the best
    one below."""
    columns = [_measures(text, k, view) for text in texts for k in range(tau_count)]
    if len(texts) > 1:
        for column, (text, k) in zip(columns, _places(texts, tau_count), strict=True):
            column |= {} if text.best is None or k else _best(text.best, view)
    names = list(dict.fromkeys(name for column in columns for name, value in column.items() if value))
    view.legend.add_lines(*(_EXPLANATIONS[name] for name in names if name in _EXPLANATIONS))
    if len(texts) > 1:
        lines = [["", *(["τ"] if tau_count > 1 else []), *names]]
        for column, (text, k) in zip(columns, _places(texts, tau_count), strict=True):
            tau = [_bare_tau(text, k)] if tau_count > 1 else []
            lines.append([visible(text.name), *tau, *(column.get(name, "") for name in names)])
        return text_tables(lines, view.screen)
    lines = [["", *(tau_text(float(texts[0].taus[k])) for k in range(tau_count))]]
    table = text_tables([*lines, *([name, *(column[name] for column in columns)] for name in names)], view.screen)
    return table + (_best_line(texts[0].best, view) if texts[0].best is not None else "")


def _places(texts: Sequence[ScoredText], tau_count: int) -> list[tuple[ScoredText, int]]:
    """Return each text with the index of each temperature."""
    return [(text, k) for text in texts for k in range(tau_count)]


def _bare_tau(text: ScoredText, k: int) -> str:
    return tau_text(float(text.taus[k])).removeprefix("τ = ")


def _measures(text: ScoredText, k: int, view: View) -> dict[str, str]:
    """Return the texts of the totals at a temperature."""
    totals = text.totals(k)
    impossible = int(text.impossible.sum())
    return {
        "tokens": str(totals.tokens),
        "impossible": str(impossible) if impossible else "",
        "bytes": str(totals.size),
        "log-probability": number_text(totals.logprob, view.digits),
        "sequence perplexity": number_text(totals.sequence_perplexity, view.digits),
        "bits per byte": number_text(totals.bits_per_byte, view.digits),
    }


def _best(best: BestTau, view: View) -> dict[str, str]:
    return {"best τ": best_text(best, view), "95 % interval": interval_text(best, view)}


def _best_line(best: BestTau, view: View) -> str:
    """Return the best temperature with its interval, or the reason why the curve has none, below a blank line."""
    view.legend.add_lines(_EXPLANATIONS["best τ"])
    if best.reason is not None:
        return "\n" + wrapped(f"best τ {best_text(best, view)}: {best.reason}", view.screen.width)
    text = f"best τ {best_text(best, view)}, 95 % interval {interval_text(best, view)}"
    return "\n" + wrapped(text, view.screen.width)


def best_text(best: BestTau, view: View) -> str:
    """Return the best temperature as text; a comparison if it is beyond the curve."""
    if isnan(best.tau):
        return f"> {RANGE:g}" if best.reason and "upper" in best.reason else f"< {1 / RANGE:g}"
    return "∞" if best.tau == inf else number_text(best.tau, view.digits or 4)


def interval_text(best: BestTau, view: View) -> str:
    """Return the interval as text. An end that is beyond the curve is a comparison."""
    beyond = {0.0: f"< {1 / RANGE:g}", inf: f"> {RANGE:g}"}
    low, high = (beyond.get(end) or number_text(end, view.digits or 4) for end in (best.low, best.high))
    return f"{low} to {high}"


def _spans(text: ScoredText, view: View, *, named: bool) -> str:
    """Return a table of the least probable spans."""
    view.legend.add_lines(_EXPLANATIONS["excess"])
    heading = f"{visible(text.name)}: " if named else ""
    room = max(16, view.screen.width - 30)
    lines = [
        [
            shortened(visible(repr(b"".join(text.pieces[span.start : span.stop]).decode(errors="replace"))), room),
            f"{span.start}–{span.stop - 1}" if span.stop > span.start + 1 else str(span.start),
            number_text(span.excess, view.digits or 3),
        ]
        for span in text.spans[:MAX_SPANS]
    ]
    rest = len(text.spans) - MAX_SPANS
    more = f"… {rest} more; json has all\n" if rest > 0 else ""
    return text_tables([[f"{heading}least probable", "tokens", "excess"], *lines], view.screen) + more


def _curves(texts: Sequence[ScoredText], view: View) -> str:
    """Return the perplexity of each text over τ; empty if it is unknown for all."""
    known = [text for text in texts if text.measurements.curve is not None]
    if not known:
        return ""
    names = [visible(text.name) for text in known] if len(texts) > 1 else [""]
    values = perplexity_curves(known)
    limits = 0.0, highest_shown(values)
    title = "sequence perplexity"
    chart = curve_chart(names, CURVE_TAUS, values.T, view.screen, height=14, log=True, title=title, limits=limits)
    return chart_text(chart, view)


def perplexity_curves(texts: Sequence[ScoredText]) -> Array:
    """Return the perplexities of the texts that have a curve at CURVE_TAUS, (texts, taus)."""
    curves = [text.measurements.curve for text in texts]
    return np.stack([curve.perplexities for curve in curves if curve is not None])


def highest_shown(values: Array) -> float:
    """Return the end of the scale of perplexities. Away from the best τ, they are larger by orders of magnitude.

    >>> highest_shown(np.array([[900.0, 2.0, 3.0], [400.0, 5.0, 7.0]]))
    15.0
    """
    return float(min(values.max(), _SHOWN_FACTOR * values.min(1).max()))


def draw_tokens(texts: Sequence[ScoredText], tau_count: int, view: View) -> Iterator[str]:
    """Yield a table of the tokens of each text."""
    for text in texts:
        if len(texts) > 1:
            yield visible(text.name) + "\n"
        header = ["token", *(["τ"] if tau_count > 1 else []), "probability", "log-probability", "rank", "entropy"]
        lines = [_token_line(text, i, k, tau_count, view) for i in range(len(text.tokens)) for k in range(tau_count)]
        yield text_tables([header, *lines], view.screen)
    view.legend.add_lines("entropy: of the model's distribution before the token, in nats; the expected surprise")


def _token_line(text: ScoredText, i: int, k: int, tau_count: int, view: View) -> list[str]:
    logprob = float(text.measurements.logprobs[i, k])
    return [
        shortened(visible(repr(text.labels[i])), 24),
        *([_bare_tau(text, k)] if tau_count > 1 else []),
        prob_text(exp(logprob), view.digits),
        number_text(logprob, view.digits),
        str(text.tokens[i].rank),
        number_text(float(text.measurements.entropies[i, k]), view.digits),
    ]
