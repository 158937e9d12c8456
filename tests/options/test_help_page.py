"""The pages of --help, compared with those that Typer and rich lay out from the same commands."""

import contextlib
import copy
import io
import os
import re
from typing import Any

import pytest
from rich.console import Console
from rich.style import Style
from rich.text import Text
from typer import rich_utils

from tool import here_on_terminal, out
from tsoft import cli
from tsoft.options.help_page import help_page

NAMES = ("", *cli.COMMANDS)
CODES = re.compile(r"\x1b\[[\d;]*m")


def opened(name: str) -> tuple[Any, Any]:
    """Return a command, or the group of all for an empty name, and its context."""
    command = cli.command(name) if name else cli.group()
    return command, command.make_context(f"tsoft {name}".strip(), [], resilient_parsing=True)


def typer_page(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the page that Typer prints on a terminal with colors. It would put a default in words in parentheses."""
    command, context = opened(name)
    command = copy.copy(command)
    command.params = [copy.copy(parameter) for parameter in command.params]
    for parameter in command.params:
        if isinstance(parameter.show_default, str):
            parameter.help = rf"{parameter.help} [dim]\[default: {parameter.show_default}][/dim]"
            parameter.show_default = False
    for setting, value in (("MAX_WIDTH", width), ("FORCE_TERMINAL", True), ("COLOR_SYSTEM", "standard")):
        monkeypatch.setattr(rich_utils, setting, value)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        rich_utils.rich_format_help(obj=command, ctx=context, markup_mode="rich")
    return output.getvalue()


def looks(page: str) -> list[list[tuple[str, Style]]]:
    """Return the characters of each line with their styles. A blank has no style, as it shows none."""
    console, lines = Console(color_system="standard"), []
    for line in page.split("\n"):
        text = Text.from_ansi(line)
        characters = enumerate(text.plain)
        lines.append([(c, Style() if c == " " else text.get_style_at_offset(console, i)) for i, c in characters])
    return lines


@pytest.mark.parametrize(
    ("name", "width"), [*((name, 80) for name in NAMES), ("", 40), ("compute", 40), ("anneal", 40), ("calibrate", 133)]
)
def test_the_page_is_that_of_typer(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", str(width))
    expected = typer_page(name, width, monkeypatch)
    colored = help_page(*opened(name), width, color=True)
    assert CODES.sub("", colored) == CODES.sub("", expected)
    assert looks(colored) == looks(expected)
    assert help_page(*opened(name), width, color=False) == CODES.sub("", colored)


@pytest.mark.parametrize(
    ("changes", "is_colored"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_a_pipe_shows_colors_only_if_forced(changes: dict[str, str], is_colored: bool) -> None:
    page = out("compute", "--help", **changes)
    assert (CODES.sub("", page) != page) == is_colored


def test_a_terminal_shows_colors_in_its_width() -> None:
    page = here_on_terminal("compute", "--help", width=61)
    assert CODES.search(page)
    assert {len(line) for line in CODES.sub("", page).splitlines()} == {61, 0}
    assert not CODES.search(here_on_terminal("compute", "--help", TERM="dumb"))
