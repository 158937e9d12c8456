"""Texts as one self-contained HTML page: each token has a color, and a tooltip on hover and on keyboard focus.

The page has no script and needs no other file. Texts of a model are not trusted: the page shows all of them as text.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tsoft.output.page_style import style_sheet

# The number of tokens that are written at once.
_BATCH = 500
_HINT = (
    "Point at a token to see its probability, its rank and its alternatives.\n"
    "Click it to keep and scroll them.\n"
    "Tab and Shift+Tab move from token to token."
)
# A line break has a visible sign, which is not part of the text.
_LINE_BREAK = "<i></i>\n"


@dataclass(frozen=True)
class PageAlternative:
    """A token that was possible at a position, with its probability as text."""

    name: str
    prob: str
    is_drawn: bool = False


@dataclass(frozen=True)
class PageToken:
    """A token of a text: the `text` that it adds, and what its tooltip shows: its `name`, `details` such as its
    probability and its rank, and its `alternatives` under a `heading`. `heat` is the index of its color; a
    token with None has no color."""

    text: str
    name: str
    heat: int | None
    details: tuple[str, ...]
    heading: str
    alternatives: tuple[PageAlternative, ...]

    @property
    def tooltip(self) -> str:
        """The lines of the tooltip.

        >>> alternatives = (PageAlternative("'a'", "0.75"), PageAlternative("'b'", "0.2", is_drawn=True))
        >>> print(PageToken("b", "'b'", 2, ("rank 2",), "alternatives", alternatives).tooltip)
        'b'
        rank 2
        <BLANKLINE>
        alternatives
          0.75 'a'
        › 0.2  'b'
        """
        width = max((len(alternative.prob) for alternative in self.alternatives), default=0)
        lines = [
            f"{'›' if alternative.is_drawn else ' '} {alternative.prob:<{width}} {alternative.name}"
            for alternative in self.alternatives
        ]
        return "\n".join([self.name, *self.details, *(["", self.heading] if lines else []), *lines])


@dataclass(frozen=True)
class PageText:
    """A text under a `title`, empty for none, with `summary` lines such as its log-probability."""

    title: str
    summary: tuple[str, ...]
    tokens: Sequence[PageToken]


@dataclass(frozen=True)
class TextPage:
    """A page of texts under a `title`, with `facts` about all of them, such as the model, by their names.

    `colors` are those of the heats, in the 256-color table of a terminal; the tokens of the last one are underlined,
    too. `legend` are the heats of some probabilities.
    """

    title: str
    facts: dict[str, str]
    texts: Iterable[PageText]
    colors: Sequence[int]
    legend: dict[str, int]


def page_html(page: TextPage) -> Iterator[str]:
    """Yield the HTML of a page, in pieces."""
    yield _head(page)
    yield f"<main>\n<h1>{escape(page.title)}</h1>\n"
    yield from (f'<p class="fact">{escape(name)}: <b>{escape(fact)}</b></p>\n' for name, fact in page.facts.items())
    marks = " ".join(f'<span class="h{heat}">{escape(prob)}</span>' for prob, heat in page.legend.items())
    yield f'<p class="fact">token probability: {marks}</p>\n'
    for text in page.texts:
        yield from _section(text)
    yield f"</main>\n<aside>{_HINT}</aside>\n</body>\n</html>\n"


def _head(page: TextPage) -> str:
    style = style_sheet(page.colors)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(page.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    )


def _section(text: PageText) -> Iterator[str]:
    yield "<section>\n" + (f"<h2>{escape(text.title)}</h2>\n" if text.title else "")
    yield from (f'<p class="fact">{escape(line)}</p>\n' for line in text.summary)
    # The language and the direction of the text are its own, not those of the page.
    yield '<p class="text" lang="" dir="auto">'
    for start in range(0, len(text.tokens), _BATCH):
        yield "".join(map(_token, text.tokens[start : start + _BATCH]))
    yield "</p>\n</section>\n"


def _token(token: PageToken) -> str:
    text = escape(token.text).replace("\n", _LINE_BREAK)
    color = "" if token.heat is None else f"h{token.heat}"
    return f'<span tabindex="0" class="{color}" data-t="{_attribute(token.tooltip)}">{text}</span>'


def _attribute(text: str) -> str:
    """Return a text escaped for an attribute in double quotes, where the quotes of the names may remain."""
    return escape(text, quote=False).replace('"', "&quot;")
