"""The first line: the words about the row and its comparisons, or why there is no distribution."""

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

from tsoft.explorer.head_words import head_words
from tsoft.explorer.keys import explanation
from tsoft.explorer.session import Session


class HeadLine(Static):
    """The line. It begins with the `title`, which is the name of the command."""

    def __init__(self, title: str):
        super().__init__(id="head")
        self._title = title

    def show(self, session: Session, position: Sequence[str]) -> None:
        """Show a session. The words for the `position` are about its row, and may contain a long name."""
        words = " · ".join(head_words(session, position))
        problem = session.problem or session.bias_problem
        # A problem is never cut off: it may take several lines.
        self.set_class(bool(problem), "-wrong")
        text = Text.assemble((self._title, "bold"), "  ", (words, "color(244)"))
        self.update(Text(problem, "bold color(160)") if problem else text, layout=bool(problem))
        self.tooltip = "\n".join(f"{name}: {explanation(name)}" for name in session.distances) or None
