"""The command that shows the same distribution of a text's next token as the explorer, for the user to copy."""

from tsoft.explorer.command_line import piped_command_line
from tsoft.explorer.live_text import LiveText
from tsoft.explorer.row_command import EXPORT_NUMBERS, RowCommand
from tsoft.explorer.session import Session


class TextCommand(RowCommand):
    """The command for the text up to the row of a session."""

    def __init__(self, session: Session, live: LiveText):
        super().__init__(session)
        self._live = live

    @property
    def line(self) -> str:
        """The `tsoft compute` command that shows the same distribution, from the logits that `tsoft next` prints.

        If no arguments open the model, the command lists the logits.
        """
        session, model = self._session, self._session.input.arguments
        if model is None:
            return super().line
        text, compared = self._live.text(session.row.number), session.state.compared
        return piped_command_line(session.row_samplers, session.row, model, text, compared, bits=session.input.bits)

    @property
    def obstacle(self) -> str:
        session = self._session
        if self._live.is_answer and session.row.number:
            return "No command can continue a chat answer; press x to export the distribution."
        if session.samplers.has_state and session.snapshot is None:
            return "The state of the samplers is unknown here, so no command can show this row."
        states = [session.samplers.with_states(snapshot.chain) for snapshot in session.snapshots]
        if any(other != states[0] for other in states[1:]):
            return f"No command can pass two engines different states of a sampler. {EXPORT_NUMBERS}"
        return super().obstacle
