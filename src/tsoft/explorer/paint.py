"""The colors, bars and lines that the widgets share."""

from collections.abc import Iterable
from math import inf, log10

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tsoft.charts.style import COLD_TO_HOT, likely_color, prob_text
from tsoft.charts.table import bar

PLAIN = Style()
BOLD = Style(bold=True)
GRAY = Style(color="color(244)")
REMOVED = Style(dim=True, strike=True)


def color(number: int) -> Style:
    return Style(color=f"color({number})")


def tau_style(tau: float) -> Style:
    """Return the color of a temperature, from 0.1 and below to 10 and above."""
    position = 0.0 if tau <= 0.1 else 1.0 if tau == inf else min((log10(tau) + 1) / 2, 1.0)
    return color(COLD_TO_HOT[round(position * (len(COLD_TO_HOT) - 1))])


def prob_style(prob: float) -> Style:
    return color(likely_color(prob))


def interval_bar(low: float, high: float, width: int, style: Style) -> list[Segment]:
    """Return a bar up to `low` of the width, with a lighter end up to `high`. The segments fill the width.

    >>> [segment.text for segment in interval_bar(0.25, 0.5, 8, PLAIN)]
    ['██', '▒▒', '    ']
    """
    certain, possible = (round(min(share, 1.0) * width) for share in (low, high))
    texts = "█" * certain, "▒" * (possible - certain), " " * (width - possible)
    return [Segment(text, text_style) for text, text_style in zip(texts, (style, style, PLAIN), strict=True) if text]


def bars(share: float, reference: float, width: int, style: Style) -> list[Segment]:
    """Return a bar for `share` of the width in front of a bar for `reference`.

    If the reference is longer, its end is gray. If it is shorter, a line marks its end. The segments fill the width.
    """
    front = bar(min(share, 1.0), width)
    reference_width = round(min(reference, 1.0) * width)
    if len(front) <= reference_width:
        return [
            Segment(front, style),
            Segment("░" * (reference_width - len(front)), GRAY),
            Segment(" " * (width - reference_width), PLAIN),
        ]
    mark = [Segment("▏", GRAY + Style(bgcolor=style.color))] if 0 < reference_width < len(front) - 1 else []
    return [
        Segment(front[:reference_width], style),
        *mark,
        Segment(front[reference_width + len(mark) :], style),
        Segment(" " * (width - len(front)), PLAIN),
    ]


def strip(segments: Iterable[Segment], width: int) -> Strip:
    """Return a line of exactly this width."""
    return Strip(segments).adjust_cell_length(width, PLAIN)


def short_number(value: float) -> str:
    """Return a number as text of about five characters.

    >>> short_number(0.82816), short_number(3.0678), short_number(49152.0), short_number(4.2e-7)
    ('0.828', '3.068', '49152', '4e-07')
    """
    if value != value:
        return "-"
    if value == 0 or 0.0005 <= value < 999.5:
        digits = 3 if value < 9.9995 else 2 if value < 99.995 else 1
        return "0" if value == 0 else f"{value:.{digits}f}"
    return f"{value:.0f}" if 1 <= value < 99999.5 else f"{value:.0e}"


def prob_cell(prob: float) -> str:
    """Return a probability as text for a column of seven characters.

    >>> prob_cell(0.82816), prob_cell(3.72e-44), prob_cell(4.94e-322)
    (' 0.8282', '3.7e-44', ' 5e-322')
    """
    text = prob_text(prob)
    return (text if len(text) <= 7 else f"{prob:.0e}").rjust(7)


def ending(text: str, width: int) -> str:
    """Return the end of a text in at most `width` columns, with an ellipsis at the cut.

    >>> ending("of France is Paris", 9), ending("Paris", 5)
    ('…is Paris', 'Paris')
    """
    if cell_len(text) <= width:
        return text
    end = text[max(0, len(text) - max(0, width - 1)) :] if width > 1 else ""
    while cell_len(end) > width - 1 and end:
        end = end[1:]
    return "…" + end
