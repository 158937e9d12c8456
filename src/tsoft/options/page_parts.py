"""The parts that all pages of texts share: the colors with their legend, the names of tokens, and probabilities."""

from collections.abc import Iterable, Mapping

from tsoft.charts.distribution_table import probability_text, range_text
from tsoft.charts.style import COLD_TO_HOT, LEGEND_PROBS, heat
from tsoft.charts.view import View
from tsoft.errors import visible
from tsoft.output.text_page import PageText, TextPage


def new_page(title: str, facts: Mapping[str, str], texts: Iterable[PageText]) -> TextPage:
    """Return a page whose tokens have the colors of a terminal. `facts` may have control characters."""
    legend = {f"{prob:g}": heat(prob) for prob in LEGEND_PROBS[:-1]}
    legend[f"{LEGEND_PROBS[-1]:g} or less"] = heat(LEGEND_PROBS[-1])
    return TextPage(title, {name: visible(fact) for name, fact in facts.items()}, texts, COLD_TO_HOT, legend)


def token_name(label: str) -> str:
    r"""Return the name of a token, in quotes, which show its blanks.

    >>> print(token_name(" cat\n"))
    ' cat\n'
    """
    return visible(repr(label))


def bounds_text(low: float, high: float, view: View) -> str:
    """Return a probability with these bounds; ? if it is unknown.

    >>> from tsoft.charts.view import Screen
    >>> view = View(Screen(80, False))
    >>> bounds_text(0.25, 0.25, view), bounds_text(0.25, 0.5, view), bounds_text(0.0, 0.5, view)
    ('0.2500', '0.2500–0.5000', '≤ 0.5000')
    """
    return f"≤ {probability_text(high, view)}" if low == 0 < high else range_text(low, high, view)
