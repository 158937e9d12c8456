"""Edits of a copy of the row, as the user types them: a logit, a new class, or a mask."""

from collections.abc import Callable
from math import inf

from tsoft.explorer.class_table import ClassTable
from tsoft.explorer.entry import Entry
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.session import Session, SessionApp
from tsoft.explorer.typed_class import EntryError, typed_class, typed_logit


class RowEditor:
    """Edits the row: the current class of the table, or a class that the user types into the entry."""

    def __init__(self, session: Session, app: SessionApp, table: ClassTable, entry: Entry):
        self._session, self._app, self._table, self._entry = session, app, table, entry

    @property
    def _current_edit(self) -> RowEdit:
        return self._session.state.edit(self._session.row.number)

    def _is_editable(self) -> bool:
        """Return whether the row can be edited. Show why not."""
        refusal = self._session.sampled_rows.edit_refusal(self._session.row)
        if refusal:
            self._app.notify(refusal)
        return not refusal

    def type_logit(self) -> None:
        """Let the user type a logit for the current class."""
        index, row = self._table.current, self._session.row
        if index is None or not self._is_editable():
            return
        hint = f"{row.quantity} of {row.name(index)}: a number, or {row.mask} to mask it"
        self._entry.request(hint, lambda text: self._edit(text, row.number, self._with_logit(index)))

    def _with_logit(self, index: int) -> Callable[[str], RowEdit]:
        def with_logit(text: str) -> RowEdit:
            logit = typed_logit(text, self._session.row)
            edit = self._current_edit
            return edit.with_mask(index, True) if logit == -inf else edit.with_logit(index, logit)

        return with_logit

    def type_class(self) -> None:
        """Let the user type a new class."""
        row = self._session.row
        if self._is_editable():
            hint = f"new class: LABEL={row.quantity.upper()}"
            self._entry.request(hint, lambda text: self._edit(text, row.number, self._with_class))

    def _with_class(self, text: str) -> RowEdit:
        return self._current_edit.with_class(*typed_class(text, self._session.row))

    def toggle_mask(self) -> None:
        """Mask the current class, or restore it."""
        index = self._table.current
        if index is None or not self._is_editable():
            return
        edit = self._current_edit
        if index not in edit.masked and self._session.row.block.logits[0, index] == -inf:
            self._app.notify("The input masks this class. Enter types a logit for it.")
            return
        if problem := self._try_edit(edit.with_mask(index, index not in edit.masked)):
            self._app.notify(problem)

    def _edit(self, text: str, number: int, parse: Callable[[str], RowEdit]) -> str:
        """Edit the row as the user typed it, and return a problem, or an empty string."""
        if number != self._session.row.number:
            return "another row is shown now; press Esc"
        try:
            return self._try_edit(parse(text))
        except EntryError as error:
            return str(error)

    def _try_edit(self, edit: RowEdit) -> str:
        """Edit the row unless that masks every class, and return a problem, or an empty string."""
        if not (edit.applied(self._session.unedited_block).logits > -inf).any():
            return "one class at least must not be masked"
        count = self._session.row.classes
        self._app.change(self._session.state.with_edit(edit))
        if self._session.row.classes > count:
            self._table.choose(count)
        return ""
