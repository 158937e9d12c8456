"""How things look, in one place for tables and charts: colours, and numbers as short texts."""

import re
from collections.abc import Sequence
from itertools import zip_longest
from math import ceil, log10

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tsoft.core.softmax import Array

_COLORS = re.compile(r"\x1b\[[\d;]*m")
# Colours of the 256-colour table, cold to hot, each with a contrast of at least 2.8 to black and to
# white.
COLD_TO_HOT = (33, 36, 34, 100, 172, 202, 160, 127)
# The probability whose colour is the hottest.
LEAST = 1e-3
# The order in which they are taken as there are more temperatures: the most different first, no red
# beside a green of its lightness.
_TAKEN = (0, 6, 4, 1, 2, 5, 3, 7)


def tau_colors(taus: Sequence[float]) -> list[int]:
    """A colour for each temperature, cold to hot as they rise, over again after the eighth.

    >>> tau_colors([1, 2, 0.5])
    [172, 160, 33]
    """
    chosen = sorted(_TAKEN[: len(taus)])
    ranks = {tau: rank for rank, tau in enumerate(sorted(set(taus)))}
    return [COLD_TO_HOT[chosen[ranks[tau] % len(chosen)]] for tau in taus]


def likely_color(prob: float) -> int:
    """The colour of a probability: the surer, the colder, and by its logarithm, since of a text's tokens most
    are sure and the others are not equally unlikely.

    >>> likely_color(1.0), likely_color(0.1), likely_color(0.001), likely_color(0.0)
    (33, 34, 127, 127)
    """
    last = len(COLD_TO_HOT) - 1
    return COLD_TO_HOT[round(min(log10(max(prob, LEAST)) / log10(LEAST), 1) * last) if prob < 1 else 0]


def tau_text(tau: float, unit: str = "") -> str:
    """A temperature as a person writes it.

    >>> tau_text(0.5), tau_text(float("inf")), tau_text(300, "K")
    ('τ = 0.5', 'τ = ∞', 'τ = 300 K')
    """
    return f"τ = {'∞' if tau == float('inf') else format(tau, '.6g')} {unit}".rstrip()


def prob_text(prob: float, digits: int | None = None) -> str:
    """A probability in few characters, its size always to be told.

    >>> prob_text(0.82816), prob_text(3.72e-44), prob_text(0.0)
    ('0.8282', '3.7e-44', '0')
    """
    if digits is not None:
        return f"{prob:.{digits}g}"
    if prob == 0:
        return "0"
    return f"{prob:.4f}" if prob >= 0.00095 else f"{prob:.1e}"


def number_text(value: float) -> str:
    """A number in few characters."""
    return format(float(value), ".5g")


def evenly_spaced(count: int, most: int = 5) -> Array:
    """Indices of at most so many out of `count`, evenly from the first to the last.

    >>> evenly_spaced(100), evenly_spaced(2)
    (array([ 0, 25, 50, 74, 99]), array([0, 1]))
    """
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))


def scale_top(highest: float) -> float:
    """Where the scale ends: the lowest of 1, 0.4, 0.2, 0.1, 0.04, ... that is not exceeded. Each
    has quarters that are short to write."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** max(min(ceil(log10(highest)), 0), -300)
    return next((power * part for part in (0.2, 0.4) if highest <= power * part), power)


def beside(texts: Sequence[str], width: int) -> str:
    """Texts side by side, each but the last so many columns wide. Their lines may have colours.

    >>> print(beside(["a\\nbc\\n", "d\\n"], 4), end="")
    a   d
    bc
    """
    lines = zip_longest(*(text.splitlines() for text in texts), fillvalue="")
    padded = ("".join(line + " " * (width - cell_len(_COLORS.sub("", line))) for line in row) for row in lines)
    return "".join(line.rstrip() + "\n" for line in padded)


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most `width` columns, those after the first set in.

    >>> wrapped("top_k 40 removes it", 14)
    'top_k 40\\n  removes it\\n'
    """
    lines = Text(text).wrap(Console(width=width), max(10, width - 2))
    return "".join("  " * (i > 0) + line.plain.rstrip() + "\n" for i, line in enumerate(lines))
