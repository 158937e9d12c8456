"""Markdown on a terminal."""

import re
from collections.abc import Iterator
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown, MarkdownElement
from rich.text import Text
from rich.theme import Theme

# Longer lines are tiring to read.
_MAX_WIDTH = 100
_STYLES = {"markdown.code": "cyan", "markdown.h1": "bold", "markdown.h2": "bold", "markdown.h3": "bold"}
# A fenced or an indented block of code, which begins after an empty line.
_CODE = re.compile(r"^```[a-z]*\n(.*?)^```\n|(?<=\n\n)((?:(?:    [^\n]*)?\n)*    [^\n]*\n)", re.MULTILINE | re.DOTALL)
_IMAGE = re.compile(r"^!\[.*\]\(.*\)\n+", re.MULTILINE)
_LINK_TO_PAGE = re.compile(r"\[([^]]+)\]\([\w-]+\.md(?:#[\w-]+)?\)")


class _LeftHeading(Heading):
    """A heading at the left margin. rich centers headings."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _PageMarkdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "heading_open": _LeftHeading}


def rendered(text: str) -> str:
    """Return a page, formatted for the terminal on stdout."""
    console = Console(theme=Theme(_STYLES), highlight=False)
    console.width = min(console.width, _MAX_WIDTH)
    with console.capture() as capture:
        for part in _parts(_LINK_TO_PAGE.sub(r"**\1**", _IMAGE.sub("", text))):
            console.print(part, soft_wrap=isinstance(part, Text), end="\n")
    lines = (line.rstrip() for line in capture.get().split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def _parts(text: str) -> Iterator[Markdown | Text]:
    """Yield the prose and the code of a page. Lines of code are not wrapped, so that charts stay whole."""
    start = 0
    for code in _CODE.finditer(text):
        yield _PageMarkdown(text[start : code.start()], hyperlinks=False)
        yield _code(code[1] or code[2])
        start = code.end()
    yield _PageMarkdown(text[start:], hyperlinks=False)


def _code(code: str) -> Text:
    """Return code with its commands in bold."""
    text = Text("\n" + code)
    text.highlight_regex(r"(?m)^(?:\$|>>>|\.\.\.) .*$", "bold")
    return text
