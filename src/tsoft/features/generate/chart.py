"""Texts side by side, each token in the colour of its probability, and under them what they cost."""

import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from math import exp, log
from types import TracebackType

from rich.box import SIMPLE
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tsoft.charts.style import cut, likely_color, number_text, tau_colors, tau_text, wrapped
from tsoft.charts.table import GAP, rendered, text_tables
from tsoft.charts.view import View
from tsoft.errors import visible
from tsoft.features.generate.diversity import Summary, summary
from tsoft.models.decoding import BEAM, GREEDY, SAMPLE, GeneratedText, Strategy

# A column of text is not narrower, where there is another way.
NARROWEST = 16
# The lines of a table around its texts, with the blank one under it.
AROUND = 3
# So long, in seconds, a screen stays before it is drawn again.
FRAME = 0.05
# What the colours are shown for.
LEGEND = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)

Piece = Callable[[int], bytes]


def draw(prompt: str, ways: Sequence[Strategy], piece: Piece, view: View, seed: int | None) -> Iterator[str]:
    """The texts of each way, and a table of what they cost. Columns that do not fit go on in a further
    table."""
    heads = headed(ways)
    yield rendered_text(Text(written(prompt), "dim"), view) + "\n"
    yield from (table + "\n" for table in _tables(ways, piece, view))
    if view.screen.color:
        yield rendered_text(legend(), view) + "\n"
    yield text_tables(_summaries(ways, [head for head, _ in heads], view, seed), view.screen)
    if compared := _compared(ways):
        yield "\n" + wrapped(compared, view.screen.width)


def headed(ways: Sequence[Strategy]) -> list[tuple[str, int]]:
    """What heads each way's texts, and its colour."""
    taus = [way.tau for way in ways if way.tau is not None]
    colors = iter(tau_colors(taus))
    found = []
    for way in ways:
        if way.tau is None:
            found.append((f"beam {way.width}" if way.kind == BEAM else way.kind, 244))
        else:
            tau = tau_text(way.tau)
            found.append((f"{way.engine} {tau.replace(' ', '')}" if way.engine else tau, next(colors)))
    return found


def rendered_text(text: Text, view: View) -> str:
    table = Table.grid()
    table.add_column(overflow="fold")
    table.add_row(text)
    return rendered(table, view.screen, 0)


def _tables(ways: Sequence[Strategy], piece: Piece, view: View, height: int | None = None) -> list[str]:
    """The texts, as many ways side by side as there is room for; on a screen of that height their ends."""
    heads = headed(ways)
    most = max(len(way.best) for way in ways)
    numbers = [str(n) for n in range(most)] if most > 1 else []
    room = view.screen.width - 1 - (len(numbers[-1]) + GAP if numbers else 0)
    fits = min(len(ways), max(1, room // (NARROWEST + GAP)))
    width, tables = room // fits - GAP, -(-len(ways) // fits)
    lines = None if height is None else max(1, (height // tables - AROUND) // most)
    found = []
    for i in range(0, len(ways), fits):
        table = Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0))
        if numbers:
            table.add_column("", justify="right", style="dim")
        for head, color in heads[i : i + fits]:
            table.add_column(Text(head, f"color({color})"), width=width, overflow="fold")
        columns = [[_cell(text, piece, width, lines) for text in way.best] for way in ways[i : i + fits]]
        for n, cells in enumerate(zip_longest(*columns, fillvalue=Text())):
            table.add_row(*numbers[n : n + 1], *cells, end_section=lines is None)
        found.append(rendered(table, view.screen, 0))
    return found


def _cell(text: GeneratedText, piece: Piece, width: int, lines: int | None) -> Text:
    """A text, or so many of its last lines. Of a long one most is not looked at, but as much for some time, so
    that it does not jump with each token."""
    if lines is None:
        return colored(text, piece)
    window = lines * width
    first = max(0, len(text.generated) // window - 1) * window
    whole = colored(text, piece, first)
    return Text("\n").join(whole.wrap(Console(width=width), width, overflow="fold")[-lines:])


def written(text: str) -> str:
    """A text as a terminal may show it, in its lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def colored(text: GeneratedText, piece: Piece, first: int = 0) -> Text:
    """A text from its `first` token on, each in the colour of the probability that it was chosen with. A
    character of several tokens belongs to the last."""
    decoder = getincrementaldecoder("utf-8")("replace")
    result = Text(overflow="fold")
    start = sum(len(piece(step.token)) for step in text.generated[:first])
    for step in text.generated[first:]:
        stop = start + len(piece(step.token))
        result.append(written(decoder.decode(text.data[start:stop])), f"color({likely_color(step.prob)})")
        start = stop
    if text.finish is not None:
        # What is left of a character; before, the rest of it may come.
        result.append(decoder.decode(b"", True))
    return result


def legend() -> Text:
    """The colours and what they stand for."""
    result = Text.assemble(("the probability of a token:", "dim"))
    for prob in LEGEND:
        result.append(f" ██ {prob:g}", f"color({likely_color(prob)})")
    return result


ROWS: dict[str, Callable[[Summary], float]] = {
    "tokens": lambda found: found.tokens,
    "log-probability": lambda found: found.logprob,
    "mean log-probability": lambda found: found.mean_logprob,
    "sequence perplexity": lambda found: found.sequence_perplexity,
    "distinct-1": lambda found: found.distinct_1,
    "distinct-2": lambda found: found.distinct_2,
    "repeated 4-grams": lambda found: found.repeated_4,
}


def _summaries(ways: Sequence[Strategy], heads: Sequence[str], view: View, seed: int | None) -> list[list[str]]:
    """What the texts cost, a column a way."""
    found = [summary(way.best) for way in ways]

    def text(value: float) -> str:
        if value != value:
            return "–"
        return number_text(value) if view.digits is None else f"{value:.{view.digits}g}"

    rows = [[name, *(text(of(one)) for one in found)] for name, of in ROWS.items()]
    several = any(len(way.best) > 1 for way in ways)
    if several:
        rows.insert(0, ["texts", *(str(len(way.best)) for way in ways)])
    rows.append(["ends by", *(_endings(way.best) for way in ways)])
    if seed is not None:
        rows.append(["seed", *(str(seed) if way.kind == SAMPLE else "" for way in ways)])
    return [["at τ = 1" + ", a text's mean" * several, *heads], *rows]


def _endings(texts: Sequence[GeneratedText]) -> str:
    """Why texts end, and how many of each where they differ."""
    reasons = [text.finish or "" for text in texts]
    kinds = dict.fromkeys(reasons)
    return reasons[0] if len(kinds) == 1 else ", ".join(f"{reasons.count(kind)} {kind}" for kind in kinds)


def _compared(ways: Sequence[Strategy]) -> str | None:
    """By how much the best text of a beam beats the greedy one, where there are both."""
    of = {way.kind: way.best[0] for way in ways if way.kind in (GREEDY, BEAM)}
    if len(of) < 2:
        return None
    by = of[BEAM].logprob - of[GREEDY].logprob
    if of[BEAM].all_tokens == of[GREEDY].all_tokens:
        return "The beam finds the greedy text."
    counts = [len(of[kind].generated) for kind in (BEAM, GREEDY)]
    lengths = f" ({counts[0]} tokens against {counts[1]})" if counts[0] != counts[1] else ""
    if by < 0:
        return f"The greedy text beats the beam's by {number_text(-by)} nats{lengths}."
    times = f", {exp(by):.3g} times as probable" if by < log(1e9) and not lengths else ""
    return f"The beam's text beats the greedy one by {number_text(by)} nats{times}{lengths}."


def can_watch() -> bool:
    """Whether stdout is a terminal that can be drawn on again."""
    return sys.stdout is not None and sys.stdout.isatty() and Console().is_interactive


class Watching:
    """The texts on a terminal while they grow: as many of their last lines as it has."""

    def __init__(self, prompt: str, ways: Sequence[Strategy], piece: Piece, view: View):
        self._ways, self._piece, self._view = ways, piece, view
        self._prompt = visible(prompt)
        self._console = Console(highlight=False, markup=False, emoji=False, legacy_windows=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop")
        self._drawn = 0.0

    def __enter__(self) -> "Watching":
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def show(self) -> None:
        """The texts as they are now, if the last time was long enough ago."""
        now = time.monotonic()
        if now - self._drawn >= FRAME:
            self._drawn = now
            # The prompt takes a line, a blank one comes under it, and the cursor stands below all.
            height = self._console.height - 3
            # The screen may have another size than at the beginning.
            screen = replace(self._view.screen, width=max(NARROWEST, self._console.width))
            tables = _tables(self._ways, self._piece, replace(self._view, screen=screen), height)
            lines = [Text.from_ansi(line, no_wrap=True) for line in "\n".join(tables).split("\n")]
            head = Text(cut(self._prompt, screen.width - 1), "dim")
            self._live.update(Group(head, "", *lines[-max(1, height) :]), refresh=True)
