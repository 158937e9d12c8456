"""The style sheet of a page of texts, which follows the reader's preference for light or dark."""

from collections.abc import Sequence
from dataclasses import dataclass

Rgb = tuple[int, int, int]

# The levels of red, green and blue in the 256-color table of a terminal.
_LEVELS = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True)
class Scheme:
    """The colors of the background (`paper`), of text (`ink`), of secondary text (`muted`) and of lines (`line`).

    The background of a token is a mix of the paper and this `share` of the token's color. The share is so small that
    the contrast to the text is at least 7, the highest level (AAA) of WCAG 2.2.
    """

    paper: Rgb
    ink: Rgb
    muted: Rgb
    line: Rgb
    share: float

    def tint(self, color: int) -> Rgb:
        """Return the background of a token with this color of the 256-color table."""
        pairs = zip(self.paper, rgb(color), strict=True)
        red, green, blue = (round(paper + self.share * (hue - paper)) for paper, hue in pairs)
        return red, green, blue


LIGHT = Scheme((255, 255, 255), (20, 22, 26), (85, 91, 100), (200, 204, 210), 0.42)
DARK = Scheme((22, 24, 29), (245, 246, 248), (165, 171, 180), (70, 75, 84), 0.42)


def rgb(color: int) -> Rgb:
    """Return a color from 16 to 231 of the 256-color table.

    >>> rgb(33), rgb(160)
    ((0, 135, 255), (215, 0, 0))
    """
    return _LEVELS[(color - 16) // 36], _LEVELS[(color - 16) // 6 % 6], _LEVELS[(color - 16) % 6]


def style_sheet(colors: Sequence[int]) -> str:
    """Return the style sheet, with a class for each color: `h0`, `h1`, …; the last one underlines its text, too."""
    dark = f"@media (prefers-color-scheme: dark) {{\n{_scheme(DARK, colors)}}}\n"
    return f"\n{_scheme(LIGHT, colors)}{dark}{_LAYOUT}.h{len(colors) - 1} {{ text-decoration: underline 2px }}\n"


def _scheme(scheme: Scheme, colors: Sequence[int]) -> str:
    names = {"paper": scheme.paper, "ink": scheme.ink, "muted": scheme.muted, "line": scheme.line}
    variables = "; ".join(f"--{name}: {_hex(color)}" for name, color in names.items())
    tints = "".join(f".h{heat} {{ background: {_hex(scheme.tint(color))} }}\n" for heat, color in enumerate(colors))
    return f":root {{ {variables} }}\n{tints}"


def _hex(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


# The tooltip has a fixed place, beside the text or below it, so that it never covers the tokens around its token, and
# the edge of the window never cuts it off: in a low window its text is smaller, so that 20 alternatives fit.
_LAYOUT = """\
:root { color-scheme: light dark }
body { margin: 0; padding: 1.5rem 25rem 4rem 1.5rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.7 system-ui, sans-serif }
main { max-width: 48rem; margin: 0 auto }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .6rem; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin: 0 }
section { margin-top: 1.5rem; border-top: 1px solid var(--line); padding-top: 1rem }
.fact { margin: 0; color: var(--muted); font-size: .875rem; white-space: pre-wrap; overflow-wrap: anywhere }
.fact b { color: var(--ink); font-weight: normal }
.fact span { color: var(--ink); padding: 0 .4em }
.text { margin: .6rem 0 0; white-space: break-spaces; overflow-wrap: anywhere }
.text span { box-shadow: inset -1px 0 var(--paper) }
.text span:hover, .text span:focus { outline: 2px solid var(--ink) }
.text span:empty::before { content: "·" }
.text i::before { content: "\\21b5"; font-style: normal; opacity: .75 }
aside, .text span:hover::after, .text span:focus::after { position: fixed; box-sizing: border-box; inset: 0 0 0 auto;
  width: 23.5rem; padding: 1.5rem 1rem; overflow: auto; border-left: 1px solid var(--line); background: var(--paper);
  color: var(--ink); font: clamp(.625rem, 2.1vh, .8125rem)/1.5 ui-monospace, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; direction: ltr; text-align: left }
.text span:focus::after { content: attr(data-t); z-index: 1 }
.text span:hover::after { content: attr(data-t); z-index: 2 }
aside { color: var(--muted) }
@media (max-width: 60rem) {
  body { padding: 1rem 1rem min(32rem, 66vh) }
  aside, .text span:hover::after, .text span:focus::after { inset: auto 0 0; width: auto; height: min(30rem, 62vh);
    padding: .6rem 1rem; border: 0; border-top: 1px solid var(--line);
    font-size: clamp(.5625rem, 1.48vh, .75rem); line-height: 1.35; columns: 20rem; column-fill: auto }
  aside { height: auto }
  :root { scroll-padding-bottom: min(31rem, 64vh) }
}
@media print { body { padding: 0 } aside { display: none } span { print-color-adjust: exact } }
"""
