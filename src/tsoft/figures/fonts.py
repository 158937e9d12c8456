"""The fonts for the characters of a figure."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

# The font that comes with matplotlib.
DEFAULT = "DejaVu Sans"
# A message names at most this many characters.
_NAMED = 5


@dataclass(frozen=True)
class Families:
    """The `names` of the fonts that together have the characters of a text, except the `missing` ones."""

    names: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def missing_names(self) -> str:
        """The first missing characters, for a message."""
        shown = " ".join(f"{character} (U+{ord(character):04X})" for character in self.missing[:_NAMED])
        more = len(self.missing) - _NAMED
        return shown + (f" and {more} more characters" if more > 0 else "")


def set_fonts(figure: Any, note: Callable[[str], None]) -> None:
    """Use fonts that have the characters of the figure. `note` is called with those that no font has."""
    from matplotlib.text import Text

    # This creates the labels of the ticks.
    figure.draw_without_rendering()
    texts = figure.findobj(Text)
    found = families("".join(text.get_text() for text in texts))
    if found.missing:
        note(f"no font on this system has {found.missing_names}; the figure shows boxes instead")
    if found.names == (DEFAULT,):
        # The layout is final: computing it again would take as long as drawing.
        # With "none" in place of None, matplotlib would draw the figure twice to save it.
        figure.set_layout_engine(None)
        return
    # A viewer of an SVG may lack all of these fonts.
    names = (*found.names, "sans-serif")
    for text in texts:
        text.set_fontfamily(names)
    for axes in figure.get_axes():
        axes.tick_params(labelfontfamily=names)


def families(text: str) -> Families:
    """Return the fonts for a text: matplotlib's own, and as few others of the system as have what it lacks."""
    needed = {character for character in text if character.isprintable() and not character.isspace()}
    names, missing = [DEFAULT], needed - _characters(DEFAULT)
    if missing:
        _add_new_fonts()
    system = _names() if missing else []
    while missing:
        best = max(system, key=lambda name: len(_characters(name) & missing), default=DEFAULT)
        if not (found := _characters(best) & missing):
            break
        names.append(best)
        missing -= found
    return Families(tuple(names), tuple(sorted(missing)))


def _add_new_fonts() -> None:
    """Make matplotlib use the fonts that were installed after it stored its list of fonts, which it never renews."""
    from matplotlib.font_manager import findSystemFonts

    known = {entry.fname for entry in _manager().ttflist}
    for path in sorted(set(findSystemFonts()) - known):
        # For a file that is not a font, matplotlib raises one of several errors.
        with suppress(Exception):
            _manager().addfont(path)


def _names() -> list[str]:
    """Return the names of the system's fonts, in alphabetical order."""
    return sorted({entry.name for entry in _manager().ttflist})


@cache
def _characters(name: str) -> set[str]:
    """Return the characters of a font; no character if it cannot be read."""
    from matplotlib.font_manager import FontProperties, get_font

    try:
        path = _manager().findfont(FontProperties(family=name), fallback_to_default=False)
        return set(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return set()


def _manager() -> Any:
    from matplotlib import font_manager

    return font_manager.fontManager
