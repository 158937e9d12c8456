"""The command that shows the same distribution as the explorer, for the user to copy."""

from dataclasses import replace

from tsoft.explorer.command_line import command_line, edit_biases
from tsoft.explorer.engine_comparison import comparison_obstacle
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.session import Session

# A command without input options lists the logits of at most this many classes.
MAX_LISTED = 256
# The way out if no command can show a row.
EXPORT_NUMBERS = "Press x to export the numbers."


class RowCommand:
    """The command for the row of a session, at its present state."""

    def __init__(self, session: Session):
        self._session = session

    @property
    def line(self) -> str:
        """The `tsoft compute` command that shows the same distribution; empty if no command can show a long row."""
        session, source, row = self._session, self._session.input, self._session.row
        arguments = None if self._lists_logits else source.arguments
        if arguments is None and row.classes > MAX_LISTED:
            return ""
        if self._is_edited and arguments is not None:
            biases = edit_biases(session.unedited_block.logits[0], row)
            if biases is None or not session.samplers.biases_come_first:
                return ""
            row = replace(row, biases=biases)
        history = source.history.arguments_for(session.samplers) if source.history else ()
        compared = session.state.compared
        return command_line(session.samplers, row, arguments, compared, history=history, bits=source.bits)

    @property
    def obstacle(self) -> str:
        """Why no command shows the same distribution; empty if one does."""
        session, history = self._session, self._session.input.history
        compared = session.state.compared
        if compared and (obstacle := comparison_obstacle(session.samplers, compared)):
            return f"No command can compare these two engines, because {obstacle}. Press l to follow one engine."
        if session.samplers.needs_history and (history is None or history.arguments is None):
            hint = f" {EXPORT_NUMBERS}" if session.snapshot else ""
            return f"No command can pass the tokens before the row to the penalties and DRY.{hint}"
        if not self.line:
            return "No command can show this row. Press x to save the state as a .tsoft file, or the numbers."
        return ""

    @property
    def reads_stdin(self) -> bool:
        """Whether the command needs the same input in a pipe."""
        return self._session.input.reads_stdin and not self._lists_logits

    @property
    def _is_edited(self) -> bool:
        return self._session.state.edit(self._session.row.number) != RowEdit()

    @property
    def _lists_logits(self) -> bool:
        """Whether the command lists the logits of the row, although the input has arguments."""
        row, source = self._session.row, self._session.input
        if source.reads_stdin:
            return row.block.partial is None and row.classes <= MAX_LISTED
        return row.is_short and (self._is_edited or len(source.rows) > 1)
