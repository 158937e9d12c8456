"""The explorer on a language model: draw the next token, or choose it, and watch what comes after."""

import contextlib
import threading
from collections import deque
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tsoft.core.draw import draws
from tsoft.errors import TsoftError, visible
from tsoft.explorer.app import Explorer, Start
from tsoft.explorer.command_line import piped_line
from tsoft.explorer.keys import LIVE, LIVE_SHORT, Key
from tsoft.explorer.live import MOST, Live
from tsoft.explorer.live_strip import LiveStrip
from tsoft.explorer.sampler_state import Board
from tsoft.explorer.snapshot import Seen, seen
from tsoft.explorer.strip import RowStrip
from tsoft.models.tokens import NextDistribution, Tokens

# So many draws wait for their turn.
WAITING = 10
# So long, in seconds, an answer may take without a word.
SOON = 0.05
# So long a model may go on at the end: one on this machine is done by then.
PATIENCE = 0.25
# The thread in which a model is asked.
THREAD = "tsoft model"


class LiveExplorer(Explorer):
    """The app. Draws may have to wait until the model has said what they are drawn from. Each is the board at
    which it was asked for, so that keys which are typed fast keep their order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, description, priority=True) for key, action, description in LIVE
    ]
    keys: ClassVar[tuple[Key, ...]] = LIVE
    short: ClassVar[str] = LIVE_SHORT
    hint: ClassVar[str] = "d counts one, D a hundred"

    class Answered(Message):
        """The model has said what comes after a text, or why it does not."""

        def __init__(self, text: Tokens, found: NextDistribution | Exception):
            super().__init__()
            self.text, self.found = text, found

    def __init__(self, start: Start, live: Live):
        self._live = live
        self._draws: deque[Board] = deque()
        self._runs = False
        # The text that is asked for.
        self._asked: Tokens | None = None
        self._asking = threading.Lock()
        # What is counted does not change what the text becomes.
        [self._coin] = start.generator.spawn(1)
        super().__init__(start)

    # What is seen.

    def _row_strip(self) -> RowStrip:
        return LiveStrip(self._live)

    def _strip(self) -> None:
        self.query_one(LiveStrip).follow(self._row.number)

    def _place(self) -> list[str]:
        number, length = self._row.number, len(self._live.steps)
        words = [f"token {number + 1}" + f" of {length}" * (number < length)]
        if self._live.waits:
            words.append("working" + f", {len(self._draws)} more to draw" * bool(self._draws))
        if self._live.ended:
            words.append("the text has ended")
        return [*words, self._live.model.name]

    # The text.

    def action_go_on(self, count: int) -> None:
        """Draws so many tokens, one after the other; several until another key."""
        if self._live.ended and self._is_last:
            self.notify("The text has ended: Backspace takes its end back, p goes to what was before.")
            return
        self._runs = count > 1
        if self._runs:
            self._draws.clear()
        room = WAITING - len(self._draws)
        if not room:
            self.bell()
        self._draws.extend([self._board] * min(count, room))
        self._go_on()

    @property
    def _is_last(self) -> bool:
        return self._row.number == len(self._live.rows) - 1

    def _go_on(self) -> None:
        """Draws what is to be drawn next, as soon as that is known."""
        if not self._draws or (self._live.waits and self._is_last):
            self._say_head()
            return
        board = self._draws.popleft()
        found = self._seen if board is self._board else seen(self._row, board.tau, board.chain(self._row.biases))
        if not isinstance(found, Seen):
            # The head says why nothing is left.
            self._draws.clear()
            return
        [index] = next(draws(found.probs, 1, self._coin))
        self._choose(int(index), float(found.probs[index]))

    def _choose(self, index: int, prob: float) -> None:
        """Goes on from the present row with one of its classes."""
        if self._row.number >= MOST:
            self._draws.clear()
            self.notify(f"The explorer keeps {MOST} tokens of a text; Backspace takes the last one back.")
            return
        self._live.choose(self._row.number, index, prob)
        self._asked = None
        if self._live.ended:
            self._draws.clear()
            self._say_text()
        else:
            self._ask(self._live.tokens)
            self.set_timer(SOON, self._say_waiting)

    def _say_waiting(self) -> None:
        """Most answers are there before it could be read that they are waited for."""
        if self._live.waits:
            self._say_text()

    def _say_text(self) -> None:
        self._say_head()
        self._strip()

    def _ask(self, text: Tokens) -> None:
        """Asks the model in a thread that nobody waits for at the end: a server may take long. It is asked for one
        text at a time, and for none that is no longer wanted."""
        self._asked = text

        def ask() -> None:
            with self._asking:
                if self._asked is not text:
                    return
                found: NextDistribution | Exception
                try:
                    [found] = self._live.model.next([text])
                except Exception as error:
                    found = error
            # The app may be gone.
            with contextlib.suppress(RuntimeError):
                self.post_message(self.Answered(text, found))

        threading.Thread(target=ask, name=THREAD, daemon=True).start()

    def on_live_explorer_answered(self, message: "LiveExplorer.Answered") -> None:
        if self._asked is not message.text:
            return
        self._asked = None
        if isinstance(message.found, NextDistribution):
            follows = self._is_last
            self._live.answer(message.found)
            if follows:
                self._open(len(self._live.steps))
            self._go_on()
            return
        self._draws.clear()
        self._live.take_back()
        self._say_text()
        if not isinstance(message.found, TsoftError):
            raise message.found
        self.notify(visible(str(message.found)), title="no next token", severity="error", markup=False)

    def action_take_back(self) -> None:
        """Takes back what was asked for last: a draw that waits, or the last token."""
        if self._draws:
            self._draws.pop()
            self._say_head()
            return
        if not self._live.steps:
            self.notify("There is no token to take back: this is the prompt.")
            return
        self._asked = None
        self._live.take_back()
        last = len(self._live.rows) - 1
        if self._row.number != last:
            self._open(last)
        self._say_text()

    def action_type(self) -> None:
        """Types a value; on a class, goes on with it."""
        if not self._distribution.has_focus:
            super().action_type()
            return
        index = self._distribution.chosen
        if index is not None and self._seen:
            self._draws.clear()
            self._choose(index, float(self._seen.probs[index]))

    def _go(self, number: int) -> None:
        # What waits is not for another row.
        self._draws.clear()
        super()._go(number)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and self._runs:
            self._runs = False
            self._draws.clear()
            self._say_head()
        await super().on_event(event)

    # What is copied.

    @property
    def command_line(self) -> str:
        """What makes `tsoft compute` show the same, of what `tsoft next` prints."""
        text = self._live.text(self._row.number)
        return piped_line(self._board, self._row, self._start.typed or (), text, bits=self._start.bits)

    def action_copy(self) -> None:
        if self._live.answers and self._row.number:
            self.notify("An answer under way is no prompt that could be typed: x exports what is seen.")
            return
        super().action_copy()

    # The end.

    def release(self) -> None:
        """Closes the model, if it is not at work on what nobody waits for any more."""
        self._asked = None
        if self._asking.acquire(timeout=PATIENCE):
            self._live.model.close()
