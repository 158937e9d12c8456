"""The explorer of a language model: draw or choose the next token, and watch the distribution after it."""

import contextlib
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tsoft.core.draw import draws
from tsoft.errors import TsoftError, visible
from tsoft.explorer.app import CANNOT_DRAW, Explorer, ExplorerInput
from tsoft.explorer.command_line import piped_command_line
from tsoft.explorer.explorer_state import ChangeHistory
from tsoft.explorer.keys import LIVE_KEY_GROUPS, LIVE_KEY_HINTS, LIVE_KEYS, KeyGroup
from tsoft.explorer.live_strip import LiveStrip
from tsoft.explorer.live_text import MAX_TOKENS, LiveText
from tsoft.explorer.row_strip import RowStrip
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.snapshot import Snapshot
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.sampling.step import ChainError

# The maximum number of draws that wait for the model.
MAX_WAITING = 10
# After this many seconds without an answer, the head shows that the model is working.
NOTICE_DELAY = 0.05
# Seconds that the model has to finish at the end. A local model does.
CLOSE_TIMEOUT = 0.25
# The name of the threads that wait for the model.
MODEL_THREAD = "tsoft model"


class LiveExplorer(Explorer):
    """The app.

    A draw may have to wait until the model has returned the distribution. It keeps the samplers' state at its key
    press, so that quickly typed keys take effect in order.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, description, priority=True) for key, action, description in LIVE_KEYS
    ]
    key_groups: ClassVar[tuple[KeyGroup, ...]] = LIVE_KEY_GROUPS
    key_hints: ClassVar[tuple[str, ...]] = LIVE_KEY_HINTS
    draw_hint: ClassVar[str] = "d draws one, D draws 100"

    @dataclass
    class ModelAnswered(Message):
        """The model has returned the distribution after some tokens, or raised an error."""

        tokens: Tokens
        answer: NextDistribution | Exception

    def __init__(self, explorer_input: ExplorerInput, live: LiveText):
        self._live = live
        self._waiting: deque[SamplerState] = deque()
        # Whether one key press has requested several draws.
        self._draws_several = False
        # The tokens after which the model has not returned the distribution yet.
        self._requested: Tokens | None = None
        self._model_lock = threading.Lock()
        # With a generator for the text alone, the draws that add no token do not change the text.
        [self._generator] = explorer_input.generator.spawn(1)
        super().__init__(explorer_input)

    @property
    def live(self) -> LiveText:
        return self._live

    @property
    def tokens(self) -> Tokens:
        """The tokens of the whole text."""
        return self._live.tokens

    # Updates of the widgets.

    def _row_strip(self) -> RowStrip:
        return LiveStrip(self._live)

    def _update_strip(self) -> None:
        self.query_one(LiveStrip).show_text(self._row.number)

    def _position_words(self) -> list[str]:
        number, length = self._row.number, len(self._live.written)
        words = [f"token {number + 1}" + f" of {length}" * (number < length)]
        if self._live.is_waiting:
            waiting = len(self._waiting)
            words.append("model working" + f", {waiting} draw{'s' * (waiting > 1)} waiting" * bool(waiting))
        if self._live.has_ended:
            words.append("the text has ended")
        return [*words, self._live.model.name]

    def _update_text(self) -> None:
        self._update_head()
        self._update_strip()
        self.after_update()

    # Draws and the model's answers.

    def action_continue(self, count: int) -> None:
        """Draw `count` tokens, one after the other. Another key stops several draws."""
        if self._live.has_ended and self._is_last_row:
            self.notify("The text has ended. Backspace removes the end; p goes back.")
            return
        self._draws_several = count > 1
        if self._draws_several:
            self._waiting.clear()
        room = MAX_WAITING - len(self._waiting)
        if not room:
            self.bell()
        self._waiting.extend([self.samplers] * min(count, room))
        self._draw_waiting()

    @property
    def _is_last_row(self) -> bool:
        return self._row.number == len(self._live.rows) - 1

    def _draw_waiting(self) -> None:
        """Make the next waiting draw if its distribution is known."""
        if not self._waiting or (self._live.is_waiting and self._is_last_row):
            self._update_head()
            return
        samplers = self._waiting.popleft()
        snapshot = self.snapshot if samplers is self.samplers else self._snapshot_at(samplers)
        if snapshot is None:
            # A sampler removes every class, which the head reports.
            self._waiting.clear()
            return
        if not snapshot.can_draw:
            self._waiting.clear()
            self.notify(CANNOT_DRAW)
            return
        [index] = next(draws(snapshot.probs, 1, self._generator))
        self._choose(int(index), float(snapshot.probs[index]))

    def _snapshot_at(self, samplers: SamplerState) -> Snapshot | None:
        try:
            return Snapshot(self._row, samplers.tau, samplers.chain(self._row.biases))
        except ChainError:
            return None

    def _choose(self, index: int, prob: float) -> None:
        """Continue the text after the current row with one of the row's classes."""
        if self._row.number >= MAX_TOKENS:
            self._waiting.clear()
            self.notify(f"The explorer adds at most {MAX_TOKENS} tokens; Backspace removes the last one.")
            return
        self._live.choose(self._row.number, index, prob)
        self._drop_lost_marks()
        self._requested = None
        if self._live.has_ended:
            self._waiting.clear()
            self._update_text()
        else:
            self._request(self._live.tokens)
            self.set_timer(NOTICE_DELAY, self._show_waiting)

    def _show_waiting(self) -> None:
        """Show that the model is working. Usually it answers too soon for the user to read that."""
        if self._live.is_waiting:
            self._update_text()

    def _request(self, tokens: Tokens) -> None:
        """Request the distribution after some tokens from the model, in a thread.

        The thread is a daemon, because a server may take long and must not delay the end of the program. The model
        receives one request at a time. Outdated requests are skipped.
        """
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
                self._set_number(len(self._live.written))
            self._draw_waiting()
            return
        self._waiting.clear()
        self._live.remove_last()
        self._update_text()
        if not isinstance(message.answer, TsoftError):
            raise message.answer
        self.notify(
            visible(str(message.answer)), title="the model returned no next token", severity="error", markup=False
        )

    def action_take_back(self) -> None:
        """Undo the latest request: a waiting draw, or else the last token."""
        if self._waiting:
            self._waiting.pop()
            self._update_head()
            return
        if not self._live.written:
            self.notify("No token to remove: the prompt is the whole text.")
            return
        self._requested = None
        self._live.remove_last()
        self._drop_lost_marks()
        last = len(self._live.rows) - 1
        if self._row.number != last:
            self._set_number(last)
        self._update_text()

    def action_type(self) -> None:
        """Continue the text with the current class if the table has the focus; otherwise type a value."""
        if not self._table.has_focus:
            super().action_type()
            return
        index = self._table.current
        if index is not None and self.snapshot:
            self._waiting.clear()
            self._choose(index, float(self.snapshot.probs[index]))

    @property
    def edit_refusal(self) -> str:
        return "The model computes these logits, so tsoft does not edit them. Enter on a class adds it to the text."

    def _go(self, number: int) -> None:
        # The waiting draws are meant for the row before.
        self._waiting.clear()
        super()._go(number)

    def _set_number(self, number: int) -> None:
        """Show a row. The user undoes changes of the text with Backspace, so the history does not contain them."""
        if number != self.state.number:
            self._history = self._history.replaced(replace(self.state, number=number))
            self._show_row()

    def _drop_lost_marks(self) -> None:
        """Drop the marks of rows that the text no longer has."""
        self._history = self._history.without_marks_from(len(self._live.rows))

    def _show_history(self, history: ChangeHistory) -> None:
        super()._show_history(history.replaced(replace(history.present, number=self.state.number)))

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and self._draws_several:
            self._draws_several = False
            self._waiting.clear()
            self._update_head()
        await super().on_event(event)

    @property
    def command_line(self) -> str:
        """The `tsoft compute` command that shows the same distribution, from the logits that `tsoft next` prints."""
        text = self._live.text(self._row.number)
        model, compared = self._input.arguments or (), self.state.compared
        return piped_command_line(self.samplers, self._row, model, text, compared, bits=self._input.bits)

    def action_copy(self) -> None:
        if self._live.is_answer and self._row.number:
            self.notify("No command can continue a chat answer; press x to export the distribution.")
            return
        super().action_copy()

    def release(self) -> None:
        """Close the model, unless it is still working on a request."""
        self._requested = None
        if self._model_lock.acquire(timeout=CLOSE_TIMEOUT):
            self._live.model.close()
