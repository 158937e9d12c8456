"""Scored texts on a terminal: their tokens in colors, tables of their totals, and the perplexity over τ."""

from collections.abc import Iterator, Sequence
from math import exp, isnan

import numpy as np
from rich.text import Text

from tsoft.charts.colored_text import color_legend, colored_tokens, rendered_text
from tsoft.charts.curves import chart_text, curve_chart
from tsoft.charts.style import number_text, prob_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.features.score.scored_text import ScoredText
from tsoft.features.score.tau_curve import CURVE_TAUS, BestTau
from tsoft.models.token_texts import decoded_pieces

# The most tokens of a text, and the most stretches, that a terminal shows.
MAX_TOKENS, MAX_SPANS = 2000, 10
# The scale of a chart extends to this multiple of the lowest perplexity of each text.
_SHOWN_FACTOR = 3.0
_EXPLANATIONS = {
    "log-probability": "log-probability: of all tokens, in nats",
    "sequence perplexity": "sequence perplexity: exp(−log-probability per token), low for a probable text",
    "bits per byte": "bits per byte: −log₂ probability / UTF-8 bytes; comparable between models with other tokens",
    "best τ": "best τ: the temperature with the lowest sequence perplexity",
    "interval": "95 % interval: of the best τ, over resamples of blocks of neighboring tokens",
    "impossible": "impossible: tokens of probability 0 under the model, which the other lines leave out",
    "excess": "excess: by how many nats the surprise, −ln of the probability, exceeds that of as many average tokens;"
    " no longer or shorter stretch has a larger one",
}


def draw_texts(texts: Sequence[ScoredText], tau_count: int, view: View, *, spans: bool, chart: bool) -> Iterator[str]:
    """Yield the tokens of a single text in colors, the totals, the least probable stretches and the curve over τ."""
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
    """Return the totals: a line per text, or for a single one a column per temperature."""
    columns = [_measures(text, k, view) for text in texts for k in range(tau_count)]
    names = [name for name in columns[0] if any(column[name] for column in columns)]
    view.legend.add_lines(*(line for name, line in _EXPLANATIONS.items() if name in names))
    if "best τ" in names and any(text.best is not None and text.best.resamples for text in texts):
        view.legend.add_lines(_EXPLANATIONS["interval"])
    if len(texts) == 1:
        rows = [["", *(tau_text(float(texts[0].taus[k])) for k in range(tau_count))]]
        return text_tables([*rows, *([name, *(column[name] for column in columns)] for name in names)], view.screen)
    header = ["", *(["τ"] if tau_count > 1 else []), *(name.strip() for name in names)]
    places = [(text, k) for text in texts for k in range(tau_count)]
    lines = [
        [visible(text.name), *([f"{text.taus[k]:g}"] if tau_count > 1 else []), *(column[name] for name in names)]
        for (text, k), column in zip(places, columns, strict=True)
    ]
    return text_tables([header, *lines], view.screen)


def _measures(text: ScoredText, k: int, view: View) -> dict[str, str]:
    """Return the texts of the totals at a temperature. The best temperature is beside the first one."""
    totals, best = text.totals(k), text.best if k == 0 else None
    impossible = int(text.impossible.sum())
    return {
        "tokens": str(totals.tokens),
        "impossible": str(impossible) if impossible else "",
        "bytes": str(totals.size),
        "log-probability": number_text(totals.logprob, view.digits),
        "sequence perplexity": number_text(totals.sequence_perplexity, view.digits),
        "bits per byte": number_text(totals.bits_per_byte, view.digits),
        "best τ": "" if best is None else best_text(best, view),
        "  95 % interval": "" if best is None else interval_text(best, view),
    }


def best_text(best: BestTau, view: View) -> str:
    """Return the best temperature as text; a comparison if it is beyond the curve."""
    if not isnan(best.tau):
        return "∞" if best.tau == float("inf") else number_text(best.tau, view.digits or 4)
    return "< 0.25" if best.reason and "lower" in best.reason else "> 4"


def interval_text(best: BestTau, view: View) -> str:
    """Return the interval as text; empty if there is none. An end that is beyond the curve is a comparison."""
    if isnan(best.low):
        return ""
    low = "< 0.25" if best.low == 0 else number_text(best.low, view.digits or 4) if best.low < 4 else "> 4"
    high = "> 4" if best.high == float("inf") else number_text(best.high, view.digits or 4) if best.high else "< 0.25"
    return f"{low} to {high}"


def _spans(text: ScoredText, view: View, *, named: bool) -> str:
    """Return a table of the least probable stretches."""
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
    return text_tables([[f"{heading}least probable", "row", "excess"], *lines], view.screen) + more


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
        *([f"{text.taus[k]:g}"] if tau_count > 1 else []),
        prob_text(exp(logprob), view.digits),
        number_text(logprob, view.digits),
        str(text.tokens[i].rank),
        number_text(float(text.measurements.entropies[i, k]), view.digits),
    ]
