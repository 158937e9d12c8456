"""The themes of figures: their colors, fonts and lines."""

from dataclasses import dataclass
from typing import Any

# Six colors that differ in lightness, so that they also differ in gray, and with color blindness: from the schemes of
# Paul Tol (2021), "Colour schemes", SRON/EPS/TN/09-002. The first ones differ the most.
_ON_LIGHT = ("#332288", "#CC6677", "#117733", "#44AA99", "#882255", "#999933")
_ON_DARK = ("#88CCEE", "#CC6677", "#DDCC77", "#44AA99", "#FFFFFF", "#AA4499")
# Curves beyond the number of colors differ in their dashes.
DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Theme:
    """The colors of the background, of text and lines (`foreground`), of secondary lines (`muted`), and of curves
    (`colors`, in their order); and the size of the text in points."""

    background: str
    foreground: str
    muted: str
    colors: tuple[str, ...]
    font_size: float = 10

    def color(self, i: int) -> str:
        """The color of curve i."""
        return self.colors[i % len(self.colors)]

    def dash(self, i: int) -> str:
        """The line style of curve i."""
        return DASHES[i // len(self.colors) % len(DASHES)]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of matplotlib. SVG and PDF keep text as text, and the same figure has the same bytes."""
        return {
            "figure.facecolor": self.background,
            "savefig.facecolor": self.background,
            "axes.facecolor": self.background,
            "axes.edgecolor": self.muted,
            "axes.labelcolor": self.foreground,
            "axes.titlecolor": self.foreground,
            "axes.titlelocation": "left",
            "axes.titlesize": self.font_size,
            "axes.labelsize": self.font_size,
            "axes.linewidth": 0.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "grid.color": self.muted,
            "grid.alpha": 0.25,
            "grid.linewidth": 0.6,
            "text.color": self.foreground,
            "text.parse_math": False,
            "xtick.color": self.muted,
            "ytick.color": self.muted,
            "xtick.labelcolor": self.foreground,
            "ytick.labelcolor": self.foreground,
            "xtick.labelsize": self.font_size - 1,
            "ytick.labelsize": self.font_size - 1,
            "lines.linewidth": 1.8,
            "font.size": self.font_size,
            "legend.frameon": False,
            "legend.fontsize": self.font_size - 1,
            "figure.titlesize": self.font_size + 2,
            "figure.titleweight": "bold",
            # With set_layout_engine(None), a figure has no layout, whatever the user's settings are.
            "figure.autolayout": False,
            "figure.constrained_layout.use": False,
            "svg.fonttype": "none",
            "svg.hashsalt": "tsoft",
            "pdf.fonttype": 42,
            "path.simplify": True,
        }


THEMES = {
    "light": Theme("#FFFFFF", "#222222", "#777777", _ON_LIGHT),
    "dark": Theme("#1B1E24", "#EEEEEE", "#9AA0A8", _ON_DARK),
    # Black on white, and small, for a column of a paper.
    "paper": Theme("#FFFFFF", "#000000", "#555555", _ON_LIGHT, font_size=8),
}
