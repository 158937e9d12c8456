"""Texts whose tokens have the colors of their probabilities."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from tsoft.charts.style import LEGEND_PROBS, likely_color
from tsoft.charts.table import rendered
from tsoft.charts.view import View


def colored_tokens(tokens: Iterable[tuple[str, float]]) -> Text:
    """Return the texts of tokens in a row, each in the color of its probability."""
    result = Text(overflow="fold")
    for text, prob in tokens:
        result.append(text, f"color({likely_color(prob)})")
    return result


def color_legend() -> Text:
    """Return the legend of the colors."""
    result = Text.assemble(("token probability:", "dim"))
    for prob in LEGEND_PROBS:
        result.append(f" ██ {prob:g}", f"color({likely_color(prob)})")
    return result


def rendered_text(text: Text, view: View) -> str:
    """Return a text in lines that fit the screen."""
    table = Table.grid()
    table.add_column(overflow="fold")
    table.add_row(text)
    return rendered(table, view.screen, 0)
