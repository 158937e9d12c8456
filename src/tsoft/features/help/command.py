"""`tsoft help`: the manual."""

import sys
from typing import Annotated

import typer

from tsoft.options.bundle import bundle
from tsoft.options.command import bundled


def _pages(incomplete: str) -> list[tuple[str, str]]:
    from tsoft.features.help.pages import pages

    return [(page.name, page.summary) for page in pages() if page.name.startswith(incomplete)]


@bundle
class PageArgument:
    page: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PAGE]",
            show_default=False,
            autocompletion=_pages,
            help="A command or a topic. Without it, tsoft lists all pages.",
        ),
    ] = None


@bundled
def help(page: PageArgument) -> None:
    """Read the manual: a page for each command and topic.

    On a terminal, formats the page. In a pipe, prints its Markdown.

    Examples:
      tsoft help
      tsoft help samplers
      tsoft help compute | less
    """
    from tsoft.features.help.pages import page_text
    from tsoft.output.file import open_output

    text = page_text("-".join(page.page or ["help"]))
    encoding = "utf-8"
    if sys.stdout is not None and sys.stdout.isatty():
        from tsoft.features.help.terminal_markdown import rendered

        text, encoding = rendered(text), sys.stdout.encoding
    with open_output(None, encoding) as out:
        out(text)
