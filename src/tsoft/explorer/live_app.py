"""The explorer of a language model: draw or choose the next token, and watch the distribution after it."""

import contextlib
import threading
from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tsoft.core.draw import draws
from tsoft.errors import TsoftError, visible
from tsoft.explorer.app import Explorer, ExplorerInput
from tsoft.explorer.command_line import piped_command_line
from tsoft.explorer.keys import LIVE_KEY_HINTS, LIVE_KEYS, KeyBinding
from tsoft.explorer.live_strip import LiveStrip
from tsoft.explorer.live_text import MAX_TOKENS, LiveText
from tsoft.explorer.row_strip import RowStrip
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.snapshot import Snapshot
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.sampling.step import AllRemovedError

# The most draws that wait for the model.
MAX_WAITING = 10
# The head says that the model works if it takes longer than this many seconds.
NOTICE_DELAY = 0.05
# At the end the model has this many seconds to finish, which a local one does.
CLOSE_TIMEOUT = 0.25
# The name of the threads that wait for the model.
MODEL_THREAD = "tsoft model"


class LiveExplorer(Explorer):
    """The app. A draw may have to wait until the model has given the distribution that it is from. It keeps the
    samplers' state at which its key was pressed, so that keys that are typed fast keep their order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, description, priority=True) for key, action, description in LIVE_KEYS
    ]
    keys: ClassVar[tuple[KeyBinding, ...]] = LIVE_KEYS
    key_hints: ClassVar[str] = LIVE_KEY_HINTS
    draw_hint: ClassVar[str] = "d counts one, D a hundred"

    @dataclass
    class ModelAnswered(Message):
        """The model has given the distribution after some tokens, or raised an error."""

        tokens: Tokens
        answer: NextDistribution | Exception

    def __init__(self, explorer_input: ExplorerInput, live: LiveText):
        self._live = live
        self._waiting: deque[SamplerState] = deque()
        # Whether several draws follow one key.
        self._draws_several = False
        # The tokens whose distribution the model has yet to give.
        self._requested: Tokens | None = None
        self._model_lock = threading.Lock()
        # The text does not depend on the draws that are only counted.
        [self._generator] = explorer_input.generator.spawn(1)
        super().__init__(explorer_input)

    @property
    def tokens(self) -> Tokens:
        """The whole text's tokens."""
        return self._live.tokens

    # What the widgets show.

    def _row_strip(self) -> RowStrip:
        return LiveStrip(self._live)

    def _update_strip(self) -> None:
        self.query_one(LiveStrip).show_text(self._row.number)

    def _position_words(self) -> list[str]:
        number, length = self._row.number, len(self._live.written)
        words = [f"token {number + 1}" + f" of {length}" * (number < length)]
        if self._live.is_waiting:
            words.append("working" + f", {len(self._waiting)} more to draw" * bool(self._waiting))
        if self._live.has_ended:
            words.append("the text has ended")
        return [*words, self._live.model.name]

    def _update_text(self) -> None:
        self._update_head()
        self._update_strip()

    # Draws and the model's answers.

    def action_go_on(self, count: int) -> None:
        """Draws `count` tokens, one after the other. If they are several, another key stops them."""
        if self._live.has_ended and self._is_last_row:
            self.notify("The text has ended: Backspace takes its end back, p goes to what was before.")
            return
        self._draws_several = count > 1
        if self._draws_several:
            self._waiting.clear()
        room = MAX_WAITING - len(self._waiting)
        if not room:
            self.bell()
        self._waiting.extend([self.state] * min(count, room))
        self._draw_waiting()

    @property
    def _is_last_row(self) -> bool:
        return self._row.number == len(self._live.rows) - 1

    def _draw_waiting(self) -> None:
        """Draws the next token that waits, if its distribution is known."""
        if not self._waiting or (self._live.is_waiting and self._is_last_row):
            self._update_head()
            return
        state = self._waiting.popleft()
        snapshot = self.snapshot if state is self.state else self._snapshot_at(state)
        if snapshot is None:
            # The head says that a sampler removes every class.
            self._waiting.clear()
            return
        [index] = next(draws(snapshot.probs, 1, self._generator))
        self._choose(int(index), float(snapshot.probs[index]))

    def _snapshot_at(self, state: SamplerState) -> Snapshot | None:
        try:
            return Snapshot(self._row, state.tau, state.chain(self._row.biases))
        except AllRemovedError:
            return None

    def _choose(self, index: int, prob: float) -> None:
        """Continues the text, up to the current row, with one of the row's classes."""
        if self._row.number >= MAX_TOKENS:
            self._waiting.clear()
            self.notify(f"The explorer keeps {MAX_TOKENS} tokens of a text; Backspace takes the last one back.")
            return
        self._live.choose(self._row.number, index, prob)
        self._requested = None
        if self._live.has_ended:
            self._waiting.clear()
            self._update_text()
        else:
            self._request(self._live.tokens)
            self.set_timer(NOTICE_DELAY, self._show_waiting)

    def _show_waiting(self) -> None:
        """Shows that the model works. It usually answers before a user could read that."""
        if self._live.is_waiting:
            self._update_text()

    def _request(self, tokens: Tokens) -> None:
        """Has the model give the distribution after some tokens, in a thread that does not delay the end of the
        program: a server may take long. The model gets one request at a time, and none that is out of date."""
        self._requested = tokens

        def run() -> None:
            with self._model_lock:
                if self._requested is not tokens:
                    return
                answer: NextDistribution | Exception
                try:
                    [answer] = self._live.model.next([tokens])
                except Exception as error:
                    answer = error
            # The app may have ended.
            with contextlib.suppress(RuntimeError):
                self.post_message(self.ModelAnswered(tokens, answer))

        threading.Thread(target=run, name=MODEL_THREAD, daemon=True).start()

    def on_live_explorer_model_answered(self, message: "LiveExplorer.ModelAnswered") -> None:
        if self._requested is not message.tokens:
            return
        self._requested = None
        if isinstance(message.answer, NextDistribution):
            follows = self._is_last_row
            self._live.add_next(message.answer)
            if follows:
                self._show_row(len(self._live.written))
            self._draw_waiting()
            return
        self._waiting.clear()
        self._live.remove_last()
        self._update_text()
        if not isinstance(message.answer, TsoftError):
            raise message.answer
        self.notify(visible(str(message.answer)), title="no next token", severity="error", markup=False)

    def action_take_back(self) -> None:
        """Takes the latest request back: a draw that waits, or the last token."""
        if self._waiting:
            self._waiting.pop()
            self._update_head()
            return
        if not self._live.written:
            self.notify("There is no token to take back: this is the prompt.")
            return
        self._requested = None
        self._live.remove_last()
        last = len(self._live.rows) - 1
        if self._row.number != last:
            self._show_row(last)
        self._update_text()

    def action_type(self) -> None:
        """Types a value; on a class, continues the text with it."""
        if not self._table.has_focus:
            super().action_type()
            return
        index = self._table.current
        if index is not None and self.snapshot:
            self._waiting.clear()
            self._choose(index, float(self.snapshot.probs[index]))

    def _go(self, number: int) -> None:
        # The draws that wait are not for another row.
        self._waiting.clear()
        super()._go(number)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and self._draws_several:
            self._draws_several = False
            self._waiting.clear()
            self._update_head()
        await super().on_event(event)

    # The command line.

    @property
    def command_line(self) -> str:
        """The command with which `tsoft compute` shows the same, with the logits that `tsoft next` prints."""
        text = self._live.text(self._row.number)
        return piped_command_line(self.state, self._row, self._input.arguments or (), text, bits=self._input.bits)

    def action_copy(self) -> None:
        if self._live.is_answer and self._row.number:
            self.notify("An answer under way is no prompt that could be typed: x exports what is seen.")
            return
        super().action_copy()

    def release(self) -> None:
        """Closes the model, unless it still works on a request."""
        self._requested = None
        if self._model_lock.acquire(timeout=CLOSE_TIMEOUT):
            self._live.model.close()
