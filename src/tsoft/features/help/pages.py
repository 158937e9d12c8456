"""The pages of the manual, which are the Markdown files in `tsoft/docs`."""

import re
from dataclasses import dataclass
from importlib.resources import files

from tsoft.errors import UsageError, nearest

_MOST_MENTIONS = 4


@dataclass(frozen=True)
class Page:
    """A page: its first line is a heading, and its second paragraph, one line, is the summary."""

    name: str
    text: str

    @property
    def summary(self) -> str:
        return self.text.split("\n", 3)[2]

    @property
    def is_command(self) -> bool:
        return self.text.startswith("# tsoft ")


def pages() -> list[Page]:
    """Return all pages, in alphabetical order."""
    paths = (path for path in files("tsoft").joinpath("docs").iterdir() if path.name.endswith(".md"))
    return sorted((Page(path.name[:-3], path.read_text("utf-8")) for path in paths), key=lambda page: page.name)


def contents() -> str:
    """Return the list of pages, as Markdown."""
    width = max(len(page.name) for page in pages())
    page_lists = (
        [f"{page.name:{width}}  {page.summary}" for page in pages() if page.is_command == is_command]
        for is_command in (True, False)
    )
    commands, topics = ("\n".join(lines) for lines in page_lists)
    return (
        f"# The manual of tsoft\n\n`tsoft help PAGE` prints a page.\n\n"
        f"## Commands\n\n```text\n{commands}\n```\n\n## Topics\n\n```text\n{topics}\n```\n"
    )


def page_text(name: str) -> str:
    """Return the text of a page; the list of pages for `help`. Raise UsageError if no page has this name."""
    texts = {page.name: page.text for page in pages()}
    word = name.lower().removesuffix(".md").removeprefix("tsoft-")
    if word == "help":
        return contents()
    if word in texts:
        return texts[word]
    if all(part in texts for part in word.split("-")):
        raise UsageError(f"help prints one page; pass one of {', '.join(word.split('-'))}")
    counts = {page: _count(word, text.lower()) for page, text in texts.items()}
    mentioning = sorted(filter(counts.get, counts), key=lambda page: -counts[page])[:_MOST_MENTIONS]
    hint = f"it occurs in {', '.join(mentioning)}; " if mentioning else ""
    suggestion = nearest(word, texts)
    # A word of the manual is no misspelled page, unless it is a part of the page's name.
    if suggestion and (word in suggestion or not mentioning):
        hint = f"did you mean {suggestion!r}? "
    raise UsageError(f"unknown page {name!r}; {hint}run 'tsoft help' to list the pages")


def _count(word: str, text: str) -> int:
    """Count the words of a text that begin with `word`, or are equal to it if it is shorter than four letters."""
    return len(re.findall(rf"(?<!\w){re.escape(word)}" + r"(?!\w)" * (len(word) < 4), text)) if word else 0
