"""Texts in lines that fit above, below or beside a chart."""

import textwrap
from typing import Any

from tsoft.errors import shortened, visible
from tsoft.figures.chart_room import CHARACTER, SMALLEST, height_of, width_of

# A label has at most this many lines, and takes at most this share of the width of its chart.
LABEL_LINES, _LABEL_SHARE = 3, 0.35
# A label of this many characters, such as "… 9 more", is never shortened.
SHORTEST = 9
# A title has at most this many lines, takes at least this share of the width of its chart, and breaks only words that
# are longer than this.
_TITLE_LINES, _TITLE_SHARE, _SHORT_WORD = 4, 0.6, 12
# The width of the ticks and the quantity beside a chart, in font sizes.
MARGIN = 6.5
# The second place of a wide character. It is not in any text.
_SECOND = "\uffff"
# An equals sign at which a line does not break.
_JOINED = "\u00a0=\u00a0"


def wrapped(text: str, width: int, lines: int) -> str:
    """Return a text in at most this many lines of this width, shortened if necessary. A character of Chinese, Japanese
    or Korean is as wide as two others.

    >>> wrapped("a rather long label of a class", 12, 2), wrapped("日本日本日本", 6, 2)
    ('a rather\\nlong label…', '日本日\\n本日本')
    """
    parts = [part.replace(_SECOND, "") for part in textwrap.wrap(_spaced(text), width)] or [text]
    if len(parts) > lines:
        parts = [*parts[: lines - 1], shortened(" ".join(parts[lines - 1 :]), width)]
    return "\n".join(parts)


def _spaced(text: str) -> str:
    """Return a text in which each character has as many places as it has columns on a terminal."""
    if text.isascii():
        return text
    from rich.cells import cell_len

    return "".join(character + _SECOND * (cell_len(character) - 1) for character in text)


def label(axes: Any, text: str, lines: int = LABEL_LINES) -> str:
    """Return a label that leaves room for the chart, in a few lines and shortened if necessary, with control
    characters escaped."""
    room = width_of(axes) * _LABEL_SHARE
    width = max(SHORTEST, int(room / (CHARACTER * axes.xaxis.label.get_fontsize())))
    return wrapped(visible(text), width, lines)


def title_lines(axes: Any, text: str) -> str:
    """Return a title in lines that fit above the axes, with control characters escaped. No short word is broken."""
    room, font = width_of(axes), axes.title.get_fontsize()
    # A temperature stays on one line.
    text = visible(text).replace(" = ", _JOINED)
    longest = min(_SHORT_WORD, max(map(len, text.split(" "))))
    width = max(longest, int(max(room - MARGIN * font, room * _TITLE_SHARE) / (CHARACTER * font)))
    return wrapped(text, width, _TITLE_LINES).replace(_JOINED, " = ")


def quantity_lines(axes: Any, text: str) -> tuple[str, float]:
    """Return the name of a quantity in lines that fit beside a chart, and the size of its font."""
    font, text, height = axes.yaxis.label.get_fontsize(), visible(text), height_of(axes)
    longest = max(map(len, text.split()), default=1)
    size = font * min(1, max(SMALLEST, height / (CHARACTER * font * longest)))
    return wrapped(text, max(longest, int(height / (CHARACTER * font))), LABEL_LINES), size
