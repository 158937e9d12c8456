"""What a command found."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tsoft.output.records import Recorded

if TYPE_CHECKING:
    from tsoft.charts.view import View


class Result(Recorded):
    """What a command found, to be written as records or drawn on a terminal."""

    @abstractmethod
    def render(self, view: "View") -> Iterator[str]:
        """What a terminal shows, in parts that can be printed as they come."""
