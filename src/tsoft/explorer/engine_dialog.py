"""The dialog that selects an engine, and a second one to compare it with."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tsoft.explorer.dialogs import Dialog, NameList, name_line
from tsoft.sampling.engines import DEFAULT_ENGINES, ENGINES, Engine, paths_of

# The name of tsoft's rules in the list.
_NO_ENGINE = "tsoft"
_NAME = max(map(len, ENGINES)) + 2
# Each engine, which stands for its default path, and then its other paths.
_LISTED = [listed for name in DEFAULT_ENGINES for listed in (name, *paths_of(name)[1:])]

# The engine to follow, None for tsoft's rules, and the engine to compare with it, if any.
SelectedEngines = tuple[Engine | None, Engine | None]


class EngineDialog(Dialog[SelectedEngines]):
    """The list of the engines. Enter selects the one to follow, Space marks another one to compare with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "close", "close", show=False),
        Binding("space", "mark", "mark", show=False),
    ]
    hint = "type a name, Enter follows, Space compares, Esc cancels"

    def __init__(self, followed: Engine | None, compared: Engine | None):
        self._compared = compared
        shown = [*_LISTED, *(one.name for one in (followed, compared) if one and one.name not in _LISTED)]
        self._names = list(dict.fromkeys(shown))
        self._list = NameList(
            *(Option(self._line(name), name) for name in (_NO_ENGINE, *self._names)), id="box", compact=True
        )
        self._list.highlighted = 0 if followed is None else 1 + self._names.index(followed.name)
        super().__init__("sample like an engine, or compare two (●)", self._list)

    def _line(self, name: str) -> Table:
        engine = ENGINES.get(name)
        mark = "● " if engine and engine is self._compared else "  "
        source = str(engine.source) if engine else "no engine: samplers in any order"
        return name_line(Text.assemble(mark, (name.ljust(_NAME), "bold")), source)

    def action_mark(self) -> None:
        """Mark the highlighted engine, or remove its mark. tsoft's rules are not marked."""
        option = self._list.highlighted_option
        engine = ENGINES.get(str(option.id)) if option else None
        if engine is None:
            self.app.bell()
            return
        self._compared = None if engine is self._compared else engine
        for name in self._names:
            self._list.replace_option_prompt(name, self._line(name))

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.end((ENGINES.get(str(message.option.id)), self._compared))
