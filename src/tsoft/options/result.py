"""The result of a command."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tsoft.output.records import Recorded

if TYPE_CHECKING:
    from tsoft.charts.view import View


class Result(Recorded):
    """The result of a command, to be written as records or drawn on a terminal."""

    @abstractmethod
    def render(self, view: "View") -> Iterator[str]:
        """Yield the text for a terminal, in parts."""
