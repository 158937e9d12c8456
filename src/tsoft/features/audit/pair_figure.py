"""The figure of two responses: the log-probabilities of B over those of A, and the lines of raw and of tempered
numbers."""

from collections.abc import Sequence

import numpy as np

from tsoft.charts.style import evenly_spaced, number_text
from tsoft.errors import UsageError
from tsoft.features.audit.pair_kind import LogprobsKind
from tsoft.features.audit.pair_positions import PairPosition
from tsoft.figures.axes import set_quantity
from tsoft.figures.canvas import Canvas
from tsoft.figures.text_lines import label, title_lines

# A figure with more points would be slow to show.
MAX_POINTS = 5000


def draw(page: Canvas, kind: LogprobsKind, positions: Sequence[PairPosition]) -> None:
    """Draw a point for each token that both list. The median of its position is the origin, so that a constant of the
    position does not matter."""
    finite = [position.pair.finite for position in positions if position.pair.is_finite.any()]
    if not finite:
        raise UsageError("the figure needs tokens that both responses list; use --format table")
    first, second = (np.concatenate([side[i] - np.median(side[i]) for side in finite]) for i in range(2))
    places = evenly_spaced(len(first), MAX_POINTS)
    if len(places) < len(first):
        page.note(f"the figure shows {len(places)} of {len(first)} numbers")
    axes = page.figure.subplots()
    ends = np.array([first.min(), first.max()])
    for i, (name, slope) in enumerate((("raw", 1.0), ("tempered", kind.expected))):
        line = f"{name}: slope {number_text(slope)}"
        axes.plot(ends, slope * ends, color=page.theme.color(i + 1), linestyle=("--", ":")[i], label=line)
    axes.plot(first[places], second[places], ".", color=page.theme.color(0), label="tokens")
    axes.set_xlabel(label(axes, "ln p in A, minus the median"))
    set_quantity(axes, "ln p in B, minus the median")
    axes.legend(loc="best")
    fitted = "" if kind.fit is None else f", slope {number_text(kind.fit.slope)}"
    axes.set_title(title_lines(axes, f"log-probabilities: {kind.form}{fitted}"))
