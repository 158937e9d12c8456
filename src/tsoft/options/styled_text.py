"""Text for a terminal: its line breaks, and its styles as the codes of the terminal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise


@dataclass(frozen=True, eq=False, repr=False)
class Styled:
    """A text and its styles, each a list of codes such as "1;36" for bold cyan.

    `style` is the style of the whole text. `parts` are the start, the end and the style of parts. `patterns` are
    regular expressions, each with one group, which gets a style. A later style overrides an earlier one. A word that
    is longer than a line continues on the next line with `fold`, and ends in … otherwise.
    """

    text: str
    style: str = ""
    patterns: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[tuple[int, int, str], ...] = ()
    fold: bool = False

    @property
    def length(self) -> int:
        """The length of the longest line before any break."""
        return max(map(len, self.text.split("\n")))

    def lines(self, width: int, *, color: bool) -> list[str]:
        """Return lines of `width` characters, broken between words. With `color`, they have the codes of the styles.

        >>> Styled("one two three", "1").lines(8, color=False)
        ['one two ', 'three   ']
        >>> Styled("one", "1").lines(4, color=True)
        ['\\x1b[1mone\\x1b[0m ']
        """
        broken = self._broken(width)
        return [(self._colored(start, line) if color else line) + " " * (width - len(line)) for start, line in broken]

    def _broken(self, width: int) -> list[tuple[int, str]]:
        """Return the place of each line in the text, and the line without blanks at its end."""
        lines, start = [], 0
        for paragraph in self.text.split("\n"):
            for first, last in pairwise([0, *_breaks(paragraph, width, self.fold), len(paragraph)]):
                line = paragraph[first:last].rstrip()
                lines.append((start + first, line if len(line) <= width else f"{line[: width - 1]}…"))
            start += len(paragraph) + 1
        return lines

    def _colored(self, start: int, line: str) -> str:
        """Return a line that begins at `start` in the text, with the codes of its styles."""
        parts = [(max(first - start, 0), min(last - start, len(line)), style) for first, last, style in self._styles]
        bounds = sorted({0, len(line), *(bound for part in parts if part[0] < part[1] for bound in part[:2])})
        pieces = []
        for first, last in pairwise(bounds):
            codes = ";".join(style for left, right, style in parts if left <= first and last <= right and style)
            pieces.append(f"\x1b[{codes}m{line[first:last]}\x1b[0m" if codes else line[first:last])
        return "".join(pieces)

    @cached_property
    def _styles(self) -> list[tuple[int, int, str]]:
        """The start, the end and the style of each part, from the first to apply to the last."""
        found = [
            (*match.span(1), style)
            for pattern, style in self.patterns.items()
            for match in re.finditer(pattern, self.text)
        ]
        return [(0, len(self.text), self.style), *self.parts, *found]


def _breaks(text: str, width: int, fold: bool) -> list[int]:
    """Return the places at which to break a line."""
    breaks: list[int] = []
    column = 0
    for match in re.finditer(r"\s*\S+\s*", text):
        start, end = match.span()
        length = len(match[0].rstrip())
        if length <= width - column:
            column += end - start
        elif length > width and fold:
            pieces = range(start, end, width)
            breaks += [piece for piece in pieces if piece]
            column = end - pieces[-1]
        else:
            breaks += [start] if start else []
            column = end - start
    return breaks
