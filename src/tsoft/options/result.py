"""The result of a command."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tsoft.output.records import Recorded

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas
    from tsoft.output.text_page import TextPage


class Result(Recorded):
    """The result of a command, to be written as records, shown on a terminal or drawn as a figure."""

    @abstractmethod
    def render(self, view: "View") -> Iterator[str]:
        """Yield the text for a terminal, in parts."""

    @abstractmethod
    def draw(self, page: "Canvas", view: "View") -> None:
        """Draw the figure: what `render` shows."""

    def page(self, view: "View") -> "TextPage":
        """Return the page of a result that consists of texts."""
        raise NotImplementedError
