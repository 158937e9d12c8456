"""Colors, short texts for numbers, and line breaks, for tables and charts."""

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from math import ceil, isnan, log10

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tsoft.core.softmax import Array

_COLOR_CODES = re.compile(r"\x1b\[[\d;]*m")
# Colors of the 256-color table, from cold to hot. Each has a contrast of at least 2.8 to black and to white.
COLD_TO_HOT = (33, 36, 34, 100, 172, 202, 160, 127)
# n temperatures use the first n of these. The most different colors come first; no red is next to an equally
# light green.
_COLOR_ORDER = (0, 6, 4, 1, 2, 5, 3, 7)
# The probabilities in a legend of the colors of tokens.
LEGEND_PROBS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
# Probabilities up to this one have the hottest color.
_HOTTEST_PROB = 1e-3


def tau_colors(taus: Sequence[float]) -> list[int]:
    """Return a color for each temperature, from cold to hot, repeated after the eighth.

    >>> tau_colors([1, 2, 0.5])
    [172, 160, 33]
    """
    palette = sorted(_COLOR_ORDER[: len(taus)])
    ranks = {tau: rank for rank, tau in enumerate(sorted(set(taus)))}
    return [COLD_TO_HOT[palette[ranks[tau] % len(palette)]] for tau in taus]


def heat(prob: float) -> int:
    """Return the place of a token's probability in `COLD_TO_HOT`: cold if likely, hot if unlikely. The scale is
    logarithmic, since most tokens of a text are nearly certain and the others differ by orders of magnitude.

    >>> heat(1.0), heat(0.1), heat(0.001), heat(0.0)
    (0, 2, 7, 7)
    """
    last = len(COLD_TO_HOT) - 1
    return round(min(log10(max(prob, _HOTTEST_PROB)) / log10(_HOTTEST_PROB), 1) * last) if prob < 1 else 0


def likely_color(prob: float) -> int:
    """Return the color of a token's probability.

    >>> likely_color(1.0), likely_color(0.1), likely_color(0.001), likely_color(0.0)
    (33, 34, 127, 127)
    """
    return COLD_TO_HOT[heat(prob)]


def colored(text: str, color: int | None) -> str:
    """Return the text with the escape codes of a color of the 256-color table, or unchanged for None."""
    return text if color is None else f"\x1b[38;5;{color}m{text}\x1b[0m"


def tau_text(tau: float, unit: str = "") -> str:
    """Return a temperature as text.

    >>> tau_text(0.5), tau_text(float("inf")), tau_text(300, "K")
    ('τ = 0.5', 'τ = ∞', 'τ = 300 K')
    """
    return f"τ = {'∞' if tau == float('inf') else format(tau, '.6g')} {unit}".rstrip()


def short_tau_text(tau: float) -> str:
    """Return a temperature as text with at most four digits, for a title.

    >>> short_tau_text(0.651741), short_tau_text(float("inf"))
    ('τ = 0.6517', 'τ = ∞')
    """
    return tau_text(float(f"{tau:.4g}"))


def prob_text(prob: float, digits: int | None = None) -> str:
    """Return a probability as a short text that always shows its magnitude, or with `digits` significant
    digits; a dash for NaN.

    >>> prob_text(0.82816), prob_text(3.72e-44), prob_text(0.0), prob_text(float("nan"))
    ('0.8282', '3.7e-44', '0', '–')
    """
    if digits is not None or isnan(prob):
        return number_text(prob, digits)
    if prob == 0:
        return "0"
    return f"{prob:.4f}" if prob >= 0.00095 else f"{prob:.1e}"


def number_text(value: float, digits: int | None = None) -> str:
    """Return a number with `digits` significant digits, five by default; a dash for NaN.

    >>> number_text(2 / 3), number_text(2 / 3, 2), number_text(float("nan"), 2)
    ('0.66667', '0.67', '–')
    """
    return "–" if isnan(value) else f"{float(value):.{digits or 5}g}"


def percent_text(share: float, decimals: int, digits: int | None = None) -> str:
    """Return a share as a percentage with a number of decimals, or with `digits` for a share from 10 to 100 %. It has
    more if it would otherwise look like 0 or 100 %; a dash for NaN.

    >>> percent_text(1 / 3, 1), percent_text(0.9998, 1), percent_text(1.0, 1), percent_text(1 / 3, 1, 5)
    ('33.3 %', '99.98 %', '100.0 %', '33.333 %')
    """
    if isnan(share):
        return "–"
    least = decimals if digits is None else max(0, digits - 2)
    texts = (f"{100 * share:.{count}f}" for count in range(least, 16))
    shown = next((text for text in texts if share in (0, 1) or 0 < float(text) < 100), f"{100 * share:g}")
    return f"{shown} %"


def evenly_spaced(count: int, max_count: int = 5) -> Array:
    """Return up to `max_count` of the indices below `count`, evenly spaced from the first to the last.

    >>> evenly_spaced(100), evenly_spaced(2)
    (array([ 0, 25, 50, 74, 99]), array([0, 1]))
    """
    return np.unique(np.linspace(0, count - 1, min(max_count, count)).round().astype(int))


def scale_top(highest: float) -> float:
    """Return the end of a scale of probabilities: the lowest of 1, 0.4, 0.2, 0.1, 0.04, ... that is at least
    `highest`. The quarters of each have few digits."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** max(min(ceil(log10(highest)), 0), -300)
    return next((power * part for part in (0.2, 0.4) if highest <= power * part), power)


def trimmed(line: str) -> str:
    """Return the line without the blanks at its end, even if the code that ends a color follows them."""
    return re.sub(r" +(\x1b\[0m)?$", r"\1", line)


def flowed(labels: Iterable[str], width: int) -> list[str]:
    """Return the labels in lines of at most `width` columns, with three blanks between labels. They may have colors.

    >>> flowed(["a one", "b two", "c three"], 13)
    ['a one   b two', 'c three']
    """
    lines: list[str] = []
    used = 0
    for label in labels:
        columns = _columns(label)
        if lines and used + 3 + columns <= width:
            lines[-1] += "   " + label
            used += 3 + columns
        else:
            lines.append(label)
            used = columns
    return lines


def side_by_side(texts: Sequence[str], width: int) -> str:
    """Return the texts side by side, each except the last in `width` columns. Their lines may have colors.

    >>> print(side_by_side(["a\\nbc\\n", "d\\n"], 4), end="")
    a   d
    bc
    """
    lines = zip_longest(*(text.splitlines() for text in texts), fillvalue="")
    padded = ("".join(line + " " * (width - _columns(line)) for line in row) for row in lines)
    return "".join(line.rstrip() + "\n" for line in padded)


def _columns(line: str) -> int:
    """Return the width of a line on the screen, without its color codes."""
    return cell_len(_COLOR_CODES.sub("", line))


def wrapped(text: str, width: int) -> str:
    """Return the text in lines of at most `width` columns, all but the first indented.

    >>> wrapped("top_k 40 removes it", 14)
    'top_k 40\\n  removes it\\n'
    """
    lines = Text(text).wrap(Console(width=width), max(10, width - 2))
    return "".join("  " * (i > 0) + line.plain.rstrip() + "\n" for i, line in enumerate(lines))
