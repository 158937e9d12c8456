"""The page that --help prints.

It looks as if Typer had printed it, but does without rich, whose import and layout would take longer than all the rest.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from typer.core import TyperArgument, TyperGroup, TyperOption

from tsoft.options.styled_text import Styled

_NARROWEST, _DEFAULT_WIDTH = 40, 80
# The styles, as codes of the terminal.
_BOLD, _DIM, _YELLOW = "1", "2", "33"
_OPTION, _SWITCH, _TYPE = "1;36", "1;32", "1;33"
_NEGATIVE_OPTION, _NEGATIVE_SWITCH, _REQUIRED, _REQUIRED_WORD = "1;35", "1;31", "31", "2;31"
# The style of the group in each pattern.
_SWITCHES, _OPTIONS = r"(?:^|\W)(-\w+)(?![a-zA-Z0-9])", r"(?:^|\W)(--[\w-]+)(?![a-zA-Z0-9])"
_IN_TEXT = {_SWITCHES: _SWITCH, _OPTIONS: _OPTION, r"(<[^>]+>)": _TYPE, r"(Usage: )": _YELLOW}
_IN_NEGATIVES = {_SWITCHES: _NEGATIVE_SWITCH, _OPTIONS: _NEGATIVE_OPTION}
_IN_TYPES = {r"^([\[<])": _DIM, r"(\|)": _DIM, r"([\]>])(?:\.\.\.)?$": _DIM}


def print_help(command: Any, context: Any) -> None:
    """Print the help of a command or of the group of all commands."""
    width, color = _screen()
    sys.stdout.write(help_page(command, context, width, color=color))
    sys.stdout.flush()


def _screen() -> tuple[int, bool]:
    """Return the width of stdout, and whether it shows colors."""
    environ = os.environ
    forced = environ.get("FORCE_COLOR")
    is_dumb = environ.get("TERM", "").lower() in ("dumb", "unknown")
    color = (bool(forced) if forced is not None else sys.stdout.isatty()) and not is_dumb
    return _width(is_dumb), color and not environ.get("NO_COLOR")


def _width(is_dumb: bool) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    # In a pipe to a pager, stdin is still the terminal.
    for descriptor in () if is_dumb else (0, 1, 2):
        try:
            return os.get_terminal_size(descriptor).columns or _DEFAULT_WIDTH
        except OSError:
            continue
    return _DEFAULT_WIDTH


def help_page(command: Any, context: Any, width: int, *, color: bool) -> str:
    """Return the help of a command, or of a group with its commands, in `width` columns, 40 or more."""
    page = _Page(max(width, _NARROWEST), color)
    page.add_paragraphs([Styled(command.get_usage(context), _BOLD, _IN_TEXT, fold=True)])
    page.add_paragraphs(_description(command))
    for title, parameters in _panels(command.get_params(context)):
        page.add_panel(title, _option_table(parameters, context, page.inner_width))
    for title, commands in _command_groups(command):
        longest = max(len(listed.name) for listed in command.commands.values())
        rows = [[Styled(listed.name, _OPTION), Styled(listed.short_help, "", _IN_TEXT)] for listed in commands]
        page.add_panel(title, _HelpTable(rows, [longest + 1, page.inner_width - longest - 1]))
    return page.text


class _HelpTable:
    """Rows of cells, and the widths of the columns, with a blank on each inner side of a cell."""

    def __init__(self, rows: Sequence[Sequence[Styled]], widths: Sequence[int]):
        self._rows, self._widths = rows, widths

    def lines(self, color: bool) -> list[str]:
        return [line for row in self._rows for line in self._lines_of(row, color)]

    def _lines_of(self, row: Sequence[Styled], color: bool) -> list[str]:
        last = len(row) - 1
        columns = []
        for i, (cell, width) in enumerate(zip(row, self._widths, strict=True)):
            left, right = " " * (i > 0), " " * (i < last)
            lines = cell.lines(width - len(left + right), color=color)
            columns.append(([f"{left}{line}{right}" for line in lines], width))
        height = max(len(lines) for lines, _ in columns)
        filled = [lines + [" " * width] * (height - len(lines)) for lines, width in columns]
        return ["".join(parts) for parts in zip(*filled, strict=True)]


class _Page:
    """The lines of a page."""

    def __init__(self, width: int, color: bool):
        self._width, self._color = width, color
        self._lines = [" " * width]
        self.inner_width = width - 4

    @property
    def text(self) -> str:
        return "\n".join([*self._lines, ""])

    def add_paragraphs(self, paragraphs: Sequence[Styled]) -> None:
        lines = [f" {line} " for text in paragraphs for line in text.lines(self._width - 2, color=self._color)]
        self._lines += [*lines, " " * self._width]

    def add_panel(self, title: str, table: _HelpTable) -> None:
        top = f"╭─ {title} {'─' * (self._width - len(title) - 5)}╮"
        bottom = f"╰{'─' * (self._width - 2)}╯"
        side = self._dim("│")
        lines = [f"{side} {line} {side}" for line in table.lines(self._color)]
        self._lines += [self._dim(top), *lines, self._dim(bottom)]

    def _dim(self, text: str) -> str:
        return f"\x1b[{_DIM}m{text}\x1b[0m" if self._color else text


def _description(command: Any) -> list[Styled]:
    """Return the first paragraph of a command's help as one line, and the others with their line breaks, dimmed."""
    first, _, rest = (command.help or "").partition("\n\n")
    texts = [Styled(first.replace("\n", " ").strip(), "", _IN_TEXT, fold=True)]
    return [*texts, Styled(""), Styled(rest.rstrip(), _DIM, _IN_TEXT, fold=True)] if rest else texts


def _panels(parameters: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Return the title and the parameters of each panel: first the arguments, then the options."""
    panels = []
    for kind, default in ((TyperArgument, "Arguments"), (TyperOption, "Options")):
        members: dict[str, list[Any]] = {default: []}
        for parameter in parameters:
            if isinstance(parameter, kind) and not parameter.hidden:
                members.setdefault(parameter.rich_help_panel or default, []).append(parameter)
        panels += [(title, listed) for title, listed in members.items() if listed]
    return panels


def _command_groups(command: Any) -> list[tuple[str, list[Any]]]:
    """Return the title and the commands of each panel, if the command is a group."""
    panels: dict[str, list[Any]] = {}
    listed: Any
    for listed in command.commands.values() if isinstance(command, TyperGroup) else ():
        panels.setdefault(listed.rich_help_panel, []).append(listed)
    return list(panels.items())


def _option_table(parameters: Sequence[Any], context: Any, width: int) -> _HelpTable:
    """Return the table of a panel: the names of the parameters, the kinds of their values, and their help."""
    rows = [_name_cells(parameter, context) for parameter in parameters]
    if any(parameter.required for parameter in parameters):
        marks = [Styled("*" if parameter.required else "", _REQUIRED) for parameter in parameters]
        rows = [[mark, *row] for mark, row in zip(marks, rows, strict=True)]
    # Each cell has a blank on its inner sides. The help would take the whole line.
    natural = [max(cell.length for cell in column) + 1 + (i > 0) for i, column in enumerate(zip(*rows, strict=True))]
    widths = _narrowed([*natural, width], width)
    helps = [_help_cell(parameter, context, widths[-1] - 1) for parameter in parameters]
    return _HelpTable([[*row, text] for row, text in zip(rows, helps, strict=True)], widths)


def _name_cells(parameter: Any, context: Any) -> list[Styled]:
    """Return the long and the short names, those that turn it off, and the kind of the value."""
    is_argument = isinstance(parameter, TyperArgument)
    value = parameter.type.get_metavar(param=parameter, ctx=context) if is_argument else parameter.make_metavar(context)
    if is_argument and value is None:
        value = f"<{parameter.type.name}>"
    kind = "" if "bool" in value.lower() else value
    if not is_argument and hasattr(parameter.type, "_describe_range"):
        kind += f" [{parameter.type._describe_range()}]"
    names = [_metavar(parameter)] if is_argument else parameter.opts
    cells = []
    for written, patterns in ((names, _IN_TEXT), (parameter.secondary_opts, _IN_NEGATIVES)):
        long = [name for name in written if "--" in name]
        short = [name for name in written if "--" not in name]
        cells += [Styled(",".join(long), "", patterns), Styled(",".join(short), "", patterns)]
    return [*cells, Styled(kind, _TYPE, _IN_TYPES, fold=True)]


def _metavar(argument: Any) -> str:
    metavar: str = argument.metavar or argument.name
    return metavar


def _help_cell(parameter: Any, context: Any, width: int) -> Styled:
    """Return the help of a parameter, and its default."""
    text = parameter.help or ""
    shown = parameter.show_default
    if isinstance(shown, str):
        return _joined([(text, ""), (f"[default: {shown}]", _DIM)], " ")
    notes = []
    default = parameter._extract_default_help_str(ctx=context) if shown else None
    value = parameter._get_default_string(ctx=context, show_default_is_str=False, default_value=default)
    if value:
        notes.append((f"[default: {value}]", _DIM))
    if parameter.required:
        notes.append(("[required]", _REQUIRED_WORD))
    # Typer puts these behind the help if all are on one line, and otherwise below.
    line = " ".join([text, *(note for note, _ in notes)])
    return _joined([(text, ""), *notes], " " if len(line) <= width else "\n")


def _joined(texts: Sequence[tuple[str, str]], separator: str) -> Styled:
    parts, joined = [], ""
    for text, style in texts:
        joined += separator * bool(joined)
        parts.append((len(joined), len(joined) + len(text), style))
        joined += text
    return Styled(joined, "", _IN_TEXT, tuple(parts))


def _narrowed(widths: list[int], total: int) -> list[int]:
    """Reduce the widest columns until all columns fit, as rich does."""
    while (excess := sum(widths) - total) > 0:
        widest = max(widths)
        second = max((width for width in widths if width != widest), default=0)
        wide = widths.count(widest)
        reducible, narrower = excess, []
        for width in widths:
            cut = 0
            if width == widest:
                cut, wide = min(excess, widest - second, round(reducible / wide)), wide - 1
            reducible -= cut
            narrower.append(width - cut)
        widths = narrower
    return widths
