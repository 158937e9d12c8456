"""The screen with the tree of the most probable continuations of a text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from tsoft.errors import TsoftError, visible
from tsoft.explorer.branch_list import BranchList
from tsoft.explorer.continuation_tree import BranchLine, ContinuationTree, NextTokens, Path, TreeLine
from tsoft.explorer.key_line import KeyLine
from tsoft.explorer.live_text import LiveText, WrittenText
from tsoft.explorer.model_requests import Answer, ModelRequests
from tsoft.explorer.paint import ending
from tsoft.explorer.token_likelihood import measures_line
from tsoft.models.tokens import NextDistribution
from tsoft.sampling.step import ChainError

_HINTS = ("Enter choose", "→ open", "← close", "k keep", "b kept", "Esc back", "q quit", "↑↓ PgUp PgDn move")


@dataclass(frozen=True)
class TreeStart:
    """What a tree starts from: the text at its root, and the settings on the screen, in words.

    `next_tokens` returns the tokens that can follow a text with these settings, from the last of its distributions. It
    raises a ChainError if samplers remove all of them, and a UsageError if a token that has a bias is missing.
    """

    text: WrittenText
    settings: str
    next_tokens: Callable[[WrittenText], NextTokens]


class TreeScreen(ModalScreen[WrittenText | None]):
    """The screen. Its result is the text with the chosen branch; None without a choice."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, show=False)
        for key, action in (
            ("up", "move(-1)"),
            ("down", "move(1)"),
            ("pageup", "page(-1)"),
            ("pagedown", "page(1)"),
            ("home", "end(0)"),
            ("end", "end(-1)"),
            ("right", "open"),
            ("left", "close"),
            ("enter", "choose"),
            ("k", "keep"),
            ("b", "kept"),
            ("escape,t", "back"),
            ("q", "quit"),
        )
    ]

    @dataclass
    class Answered(Message):
        """The model has returned the distribution after a branch, or raised an error."""

        path: Path
        ticket: object
        answer: Answer

    @dataclass
    class BranchKept(Message):
        """The user wants to keep the text with a branch."""

        text: WrittenText

    class KeptRequested(Message):
        """The user wants to go to a kept text."""

    def __init__(self, start: TreeStart, live: LiveText, requests: ModelRequests):
        super().__init__()
        self._start, self._live, self._requests = start, live, requests
        self._tree = ContinuationTree()
        # The open branches that wait for the model, each with an object that identifies its request.
        self._tickets: dict[Path, object] = {}
        self._position = 0
        self._has_ended = False
        # Why no token can follow the text.
        self._problem = ""
        self._text = Static(id="branch-text", markup=False)
        self._measures = Static(id="branch-measures", markup=False)
        self._list = BranchList(lambda token: visible(live.model.label(token)) or f"#{token}", self._can_open)

    def compose(self) -> ComposeResult:
        yield from (self._text, self._measures, self._list, KeyLine(_HINTS))

    def on_mount(self) -> None:
        text = self._start.text
        if len(text.nexts) > len(text.tokens):
            self._learn((), text.nexts[-1])
        else:
            self._request(())
        self._show()

    def on_resize(self) -> None:
        self._show_branch()

    def end(self, text: WrittenText | None) -> None:
        """Close the screen with a text, only once: keys may arrive after the one that closes it."""
        if not self._has_ended:
            self._has_ended = True
            self._tickets.clear()
            self.dismiss(text)

    # The tree, and the model's answers.

    def _can_open(self, token: int) -> bool:
        return not self._live.model.ends(token)

    def _request(self, path: Path) -> None:
        ticket = self._tickets[path] = object()
        tokens = (*self._live.all_tokens(self._start.text), *self._tree.tokens(path))
        self._requests.request(
            tokens,
            lambda: self._tickets.get(path) is ticket,
            lambda answer: self.post_message(self.Answered(path, ticket, answer)),
        )

    def on_tree_screen_answered(self, message: "TreeScreen.Answered") -> None:
        message.stop()
        if self._tickets.get(message.path) is not message.ticket:
            return
        del self._tickets[message.path]
        if isinstance(message.answer, NextDistribution):
            self._learn(message.path, message.answer)
        elif isinstance(message.answer, TsoftError):
            self._fail(message.path, str(message.answer), "the model returned no next token")
        else:
            raise message.answer
        self._show()

    def _learn(self, path: Path, next_: NextDistribution) -> None:
        current = self._line
        try:
            next_tokens = self._start.next_tokens(self._text_before(path, next_))
        except (TsoftError, ChainError) as error:
            self._fail(path, str(error), "no token can follow")
            return
        self._set_tree(self._tree.with_next(path, next_tokens), current)

    def _text_before(self, path: Path, next_: NextDistribution) -> WrittenText:
        """Return the text with a branch, and the distribution after it."""
        text = self._with_branch(path) if path else self._start.text
        return WrittenText(text.tokens, (*text.nexts[: len(text.tokens)], next_))

    def _fail(self, path: Path, problem: str, title: str) -> None:
        """Close a branch, and show why nothing follows it."""
        if not path:
            self._problem = f"{title}: {visible(problem)}"
        self._set_tree(self._tree.closed(path), self._line)
        self.notify(visible(problem), title=title, severity="error", markup=False)

    def _set_tree(self, tree: ContinuationTree, line: TreeLine | None) -> None:
        """Show another tree. The current line stays the current one."""
        self._tree = tree
        if line is not None:
            same = (i for i, other in enumerate(tree.lines) if (type(other), other.path) == (type(line), line.path))
            self._position = next(same, min(self._position, max(0, len(tree.lines) - 1)))

    # Updates of the widgets.

    @property
    def _line(self) -> TreeLine | None:
        """The current line; None while the tree is empty."""
        return self._tree.lines[self._position] if self._tree.lines else None

    def _show(self) -> None:
        self._list.show(self._tree, self._position)
        self._show_branch()

    def _show_branch(self) -> None:
        """Show the text of the current branch and its measures."""
        path = self._line.path if self._line else ()
        width = max(1, self.size.width)
        text = self._with_branch(path) if path else self._start.text
        self._text.update(ending(self._live.shown_text(text), width), layout=False)
        settings = self._start.settings
        self._measures.update(
            measures_line(f"branch {settings}:", self._tree.likelihood(path), len(path), width)
            if path
            else self._problem or f"next tokens {settings}",
            layout=False,
        )

    def _with_branch(self, path: Path) -> WrittenText:
        """Return the text with a branch after it. What follows the text must be known."""
        root, text = self._tree.known[()], self._start.text
        text = WrittenText(text.tokens, (*text.nexts[: len(text.tokens)], root.next_))
        return self._live.continued(text, self._tree.choices(path))

    # The keys.

    def action_move(self, by: int) -> None:
        self._position = min(max(self._position + by, 0), max(0, len(self._tree.lines) - 1))
        self._show()

    def action_page(self, by: int) -> None:
        self.action_move(by * self._list.page)

    def action_end(self, position: int) -> None:
        self._position = position % max(1, len(self._tree.lines))
        self._show()

    def action_open(self) -> None:
        """Open the current branch; list more tokens on such a line; go into an open branch."""
        line = self._line
        if line is None:
            return
        if not isinstance(line, BranchLine):
            self._set_tree(self._tree.with_more(line.path), None)
        elif not self._can_open(line.token.number):
            self.notify("The text ends here: no token can follow.")
        elif line.path in self._tree.open:
            self.action_move(0 if self._tree.is_waiting(line.path) else 1)
        else:
            self._set_tree(self._tree.opened(line.path), line)
            if self._tree.is_waiting(line.path):
                self._request(line.path)
        self._show()

    def action_close(self) -> None:
        """Close the current branch if it is open, and otherwise the branch before it."""
        line = self._line
        if line is None:
            return
        is_open = isinstance(line, BranchLine) and line.path in self._tree.open
        path = line.path if is_open or not isinstance(line, BranchLine) else line.path[:-1]
        if not path:
            return
        self._tickets.pop(path, None)
        parent = next(other for other in self._tree.lines if isinstance(other, BranchLine) and other.path == path)
        self._set_tree(self._tree.closed(path), parent)
        self._show()

    def _branch_text(self) -> WrittenText | None:
        """Return the text with the current branch; None on another line."""
        line = self._line
        if not isinstance(line, BranchLine):
            return None
        return self._with_branch(line.path)

    def action_choose(self) -> None:
        text = self._branch_text()
        if text is not None:
            self.end(text)
        else:
            self.action_open()

    def action_keep(self) -> None:
        text = self._branch_text()
        if text is not None:
            self.post_message(self.BranchKept(text))

    def action_kept(self) -> None:
        self.post_message(self.KeptRequested())

    def action_back(self) -> None:
        self.end(None)

    def action_quit(self) -> None:
        self.app.exit()

    def on_branch_list_line_clicked(self, message: BranchList.LineClicked) -> None:
        """Select a line, or open or close the one that is selected already."""
        message.stop()
        if message.position != self._position:
            self._position = message.position
            self._show()
            return
        line = self._line
        is_open = isinstance(line, BranchLine) and line.path in self._tree.open
        (self.action_close if is_open else self.action_open)()
