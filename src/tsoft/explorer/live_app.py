"""The explorer of a language model: draw or choose the next token, and watch the distribution after it."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from tsoft.charts.style import tau_text
from tsoft.core.draw import draws
from tsoft.core.sequence_likelihood import Likelihood
from tsoft.errors import TsoftError
from tsoft.explorer.app import CANNOT_DRAW, Explorer
from tsoft.explorer.continuation_tree import NextTokens
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_state import ChangeHistory
from tsoft.explorer.kept_dialog import KeptDialog, keep
from tsoft.explorer.keys import LIVE_KEY_GROUPS, LIVE_KEY_HINTS, LIVE_KEYS, KeyGroup
from tsoft.explorer.likelihood_line import LikelihoodLine
from tsoft.explorer.live_strip import LiveStrip
from tsoft.explorer.live_text import MAX_TOKENS, LiveText, WrittenText
from tsoft.explorer.model_requests import Answer, ModelRequests
from tsoft.explorer.row_strip import RowStrip
from tsoft.explorer.sampled_text import SampledText
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.text_command import TextCommand
from tsoft.explorer.text_words import text_words
from tsoft.explorer.tree_screen import TreeScreen, TreeStart
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.sampling.history import DEFAULT_BREAKERS

# The maximum number of draws that wait for the model.
MAX_WAITING = 10
# The notice if no token can follow.
TEXT_HAS_ENDED = "The text has ended. Backspace removes the end; p goes back."
# After this many seconds without an answer, the head shows that the model is working.
NOTICE_DELAY = 0.05


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
        answer: Answer

    def __init__(self, explorer_input: ExplorerInput, live: LiveText, breakers: Sequence[bytes] = DEFAULT_BREAKERS):
        self._live = live
        self._sampled_text = SampledText(explorer_input, live, breakers)
        self._waiting: deque[SamplerState] = deque()
        # Whether one key press has requested several draws.
        self._draws_several = False
        # The tokens after which the model has not returned the distribution yet.
        self._requested: Tokens | None = None
        self._requests = ModelRequests(live.model)
        # With a generator for the text alone, the draws that add no token do not change the text.
        [self._generator] = explorer_input.generator.spawn(1)
        self._likelihood_line = LikelihoodLine()
        super().__init__(explorer_input)

    def compose(self) -> ComposeResult:
        for widget in super().compose():
            yield widget
            if widget is self._strip:
                yield self._likelihood_line

    @property
    def live(self) -> LiveText:
        return self._live

    @property
    def tokens(self) -> Tokens:
        """The tokens of the whole text."""
        return self._live.tokens

    # The parts that depend on the text.

    def _sampled_rows(self, explorer_input: ExplorerInput) -> SampledText:
        return self._sampled_text

    def _row_command(self) -> TextCommand:
        return TextCommand(self.session, self._live)

    def _row_strip(self) -> RowStrip:
        return LiveStrip(self._live)

    # Updates of the widgets.

    def _update_strip(self) -> None:
        self.query_one(LiveStrip).show_text(self.session.row.number)
        self._update_likelihood()

    def _position_words(self) -> list[str]:
        return text_words(self._live, self.session, len(self._waiting))

    def _update_text(self) -> None:
        self._update_head()
        self._update_strip()
        self.after_update()

    # The likelihood of the text.

    @property
    def likelihood(self) -> Likelihood | None:
        """The likelihood of the tokens after the prompt, at the current temperature after the current samplers.

        `low[0]` and `high[0]` are bounds on its logarithm. They are equal if it is known. None while a thread computes
        it.
        """
        return self._likelihood_line.likelihood(self._live.continuation)

    def on_likelihood_line_computed(self) -> None:
        self.after_update()

    def _update_likelihood(self) -> None:
        texts, samplers = (self._live.continuation, *self._live.kept), self.samplers
        self._likelihood_line.show(
            texts, samplers, self._settings_words, self._sampled_text.chains(samplers).distributions
        )

    @property
    def _settings_words(self) -> str:
        """The temperature, and whether samplers are on."""
        has_samplers = self.samplers.chain(self.session.row.biases) is not None
        return f"at {tau_text(self.samplers.tau)}" + ", samplers on" * has_samplers

    # The tree of continuations, and the kept texts.

    def action_tree(self) -> None:
        """Open the tree of the continuations of the text up to the current row."""
        if self._live.has_ended and self._is_last_row:
            self.notify(TEXT_HAS_ENDED)
            return
        # The waiting draws would change the text under the tree.
        self._waiting.clear()
        self._update_head()
        follows = self._live.is_waiting and self._is_last_row
        count = len(self._live.written) if follows else self.session.row.number
        chains = self._sampled_text.chains(self.samplers)

        def next_tokens(text: WrittenText) -> NextTokens:
            return NextTokens(text.nexts[-1], chains.distributions(text, len(text.tokens)))

        start = TreeStart(self._live.continuation.first(count), self._settings_words, next_tokens)
        self.push_screen(TreeScreen(start, self._live, self._requests), self._show_written)

    def _show_written(self, text: WrittenText | None) -> None:
        """Replace the tokens after the prompt."""
        if text is None:
            return
        if len(text.tokens) > MAX_TOKENS:
            self._notify_too_long()
            return
        self._waiting.clear()
        self._requested = None
        same = self._live.continuation.common_tokens(text)
        self._live.show(text)
        self.session.drop_marks_from(same + 1)
        self._show(self.session.move_to(min(len(text.tokens), len(self._live.rows) - 1)))
        if self._live.is_waiting:
            self._request_next()

    def action_keep(self) -> None:
        """Keep the text."""
        self._keep(self._live.continuation)

    def on_tree_screen_branch_kept(self, message: TreeScreen.BranchKept) -> None:
        self._keep(message.text)

    def _keep(self, text: WrittenText) -> None:
        self.notify(keep(self._live, text))
        self._update_likelihood()

    def action_kept(self) -> None:
        """Let the user select one of the kept texts."""
        self._list_kept(self._show_written)

    def on_tree_screen_kept_requested(self) -> None:
        screen = self.screen
        if isinstance(screen, TreeScreen):
            # The selected text closes the tree.
            self._list_kept(lambda text: None if text is None else screen.end(text))

    def _list_kept(self, select: Callable[[WrittenText | None], None]) -> None:
        if not self._live.kept:
            self.notify("There are no kept texts; k keeps the text.")
            return
        dialog = KeptDialog(self._live, self._likelihood_line.likelihood, self._settings_words, self.size.width)
        self.push_screen(dialog, lambda name: select(None if name is None else dialog.texts[name]))

    def on_kept_dialog_text_dropped(self) -> None:
        self._update_likelihood()

    # Draws and the model's answers.

    def action_continue(self, count: int) -> None:
        """Draw `count` tokens, one after the other. Another key stops several draws."""
        if self._live.has_ended and self._is_last_row:
            self.notify(TEXT_HAS_ENDED)
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
        return self.session.row.number == len(self._live.rows) - 1

    def _draw_waiting(self) -> None:
        """Make the next waiting draw if its distribution is known."""
        if not self._waiting or (self._live.is_waiting and self._is_last_row):
            self._update_head()
            return
        samplers, session = self._waiting.popleft(), self.session
        is_shown = samplers is session.samplers
        snapshot, problem = (
            (session.snapshot, session.problem) if is_shown else self._sampled_text.snapshot(session.row, samplers)
        )
        if snapshot is None:
            self._waiting.clear()
            self._notify_problem(problem)
            return
        if not snapshot.can_draw:
            self._waiting.clear()
            self.notify(CANNOT_DRAW)
            return
        [index] = next(draws(snapshot.probs, 1, self._generator))
        self._choose(int(index), float(snapshot.probs[index]))

    def _notify_too_long(self) -> None:
        self.notify(f"The explorer adds at most {MAX_TOKENS} tokens; Backspace removes the last one.")

    def _choose(self, index: int, prob: float) -> None:
        """Continue the text after the current row with one of the row's classes."""
        if self.session.row.number >= MAX_TOKENS:
            self._waiting.clear()
            self._notify_too_long()
            return
        self._live.choose(self.session.row.number, index, prob)
        self._drop_lost_marks()
        self._requested = None
        if self._live.has_ended:
            self._waiting.clear()
            self._update_text()
        else:
            self._request_next()

    def _show_waiting(self) -> None:
        """Show that the model is working. Usually it answers too soon for the user to read that."""
        if self._live.is_waiting:
            self._update_text()

    def _request_next(self) -> None:
        """Request the distribution after the text from the model. This makes earlier requests outdated."""
        tokens = self._requested = self._live.tokens
        self._requests.request(
            tokens,
            lambda: self._requested is tokens,
            lambda answer: self.post_message(self.ModelAnswered(tokens, answer)),
        )
        self.set_timer(NOTICE_DELAY, self._show_waiting)

    def on_live_explorer_model_answered(self, message: "LiveExplorer.ModelAnswered") -> None:
        if self._requested is not message.tokens:
            return
        self._requested = None
        if isinstance(message.answer, NextDistribution):
            if message.answer.caveat:
                self.notify_literally(message.answer.caveat, severity="warning")
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
        self.notify_literally(str(message.answer), title="the model returned no next token", severity="error")

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
        if self.session.row.number != last:
            self._set_number(last)
        else:
            self._update_text()

    def action_type(self) -> None:
        """Continue the text with the current class if the table has the focus; otherwise type a value."""
        if not self._view.table.has_focus:
            super().action_type()
            return
        index, snapshot = self._view.table.current, self.session.snapshot
        if index is not None and snapshot:
            self._waiting.clear()
            self._choose(index, float(snapshot.probs[index]))

    def _go(self, number: int) -> None:
        # The waiting draws are meant for the row before.
        self._waiting.clear()
        super()._go(number)

    def _set_number(self, number: int) -> None:
        """Show a row. The user undoes changes of the text with Backspace, so the history does not contain them."""
        if number != self.state.number:
            self._show(self.session.move_to(number))

    def _drop_lost_marks(self) -> None:
        """Drop the marks of rows that the text no longer has."""
        self.session.drop_marks_from(len(self._live.rows))

    def _show_history(self, history: ChangeHistory) -> None:
        super()._show_history(history.replaced(replace(history.present, number=self.state.number)))

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and self._draws_several:
            self._draws_several = False
            self._waiting.clear()
            self._update_head()
        await super().on_event(event)

    def release(self) -> None:
        """Close the model, unless it is still working on a request."""
        self._requests.close()
