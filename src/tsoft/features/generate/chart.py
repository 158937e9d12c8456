"""Texts side by side, each token in the colour of its probability, and a table of statistics below."""

import sys
import time
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from math import exp, log

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tsoft.charts.style import likely_color, number_text, tau_colors, tau_text, wrapped
from tsoft.charts.table import GAP, new_table, rendered, text_tables
from tsoft.charts.view import View
from tsoft.errors import shortened, visible
from tsoft.features.generate.diversity import Summary, summary
from tsoft.models.decoding import BEAM, GREEDY, SAMPLE, GeneratedText, Strategy

# The least width of a column of text, if there is more than one.
MIN_WIDTH = 16
# The lines of a table around its texts, with the blank one below.
TABLE_LINES = 3
# The least time between two redraws, in seconds.
FRAME = 0.05
# The probabilities in the legend of colours.
LEGEND = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)

Piece = Callable[[int], bytes]


def draw(prompt: str, strategies: Sequence[Strategy], piece: Piece, view: View, seed: int | None) -> Iterator[str]:
    """The texts of each strategy, side by side, and a table of their statistics. Columns that do not fit follow in
    another table."""
    yield rendered_text(Text(printable(prompt), "dim"), view) + "\n"
    yield from (table + "\n" for table in _tables(strategies, piece, view))
    if view.screen.color:
        yield rendered_text(legend(), view) + "\n"
    yield text_tables(_statistics(strategies, view, seed), view.screen)
    if comparison := _comparison(strategies):
        yield "\n" + wrapped(comparison, view.screen.width)


def headings(strategies: Sequence[Strategy]) -> list[tuple[str, int]]:
    """The heading of each strategy, and its colour."""
    colors = iter(tau_colors([strategy.tau for strategy in strategies if strategy.tau is not None]))
    return [(_heading(strategy), 244 if strategy.tau is None else next(colors)) for strategy in strategies]


def _heading(strategy: Strategy) -> str:
    if strategy.tau is None:
        return strategy.name
    tau = tau_text(strategy.tau)
    return f"{strategy.engine} {tau.replace(' ', '')}" if strategy.engine else tau


def rendered_text(text: Text, view: View) -> str:
    table = Table.grid()
    table.add_column(overflow="fold")
    table.add_row(text)
    return rendered(table, view.screen, 0)


def _tables(strategies: Sequence[Strategy], piece: Piece, view: View, height: int | None = None) -> list[str]:
    """Tables of the texts, with a column per strategy as far as there is room; on a screen of `height` lines, the
    ends of the texts."""
    columns = headings(strategies)
    most = max(len(strategy.best) for strategy in strategies)
    numbers = [str(n) for n in range(most)] if most > 1 else []
    room = view.screen.width - 1 - (len(numbers[-1]) + GAP if numbers else 0)
    per_table = min(len(strategies), max(1, room // (MIN_WIDTH + GAP)))
    width, table_count = room // per_table - GAP, -(-len(strategies) // per_table)
    lines = None if height is None else max(1, (height // table_count - TABLE_LINES) // most)
    tables = []
    for i in range(0, len(strategies), per_table):
        table = new_table()
        if numbers:
            table.add_column("", justify="right", style="dim")
        for heading, color in columns[i : i + per_table]:
            table.add_column(Text(heading, f"color({color})"), width=width, overflow="fold")
        cells = [
            [_cell(text, piece, width, lines) for text in strategy.best] for strategy in strategies[i : i + per_table]
        ]
        for n, row in enumerate(zip_longest(*cells, fillvalue=Text())):
            table.add_row(*numbers[n : n + 1], *row, end_section=lines is None)
        tables.append(rendered(table, view.screen, 0))
    return tables


def _cell(text: GeneratedText, piece: Piece, width: int, lines: int | None) -> Text:
    """A text, or only its last `lines`."""
    if lines is None:
        return colored(text, piece)
    # Wrap only the end of a long text. Its start stays the same for some tokens, so that the lines do not jump.
    window = lines * width
    first = max(0, len(text.generated) // window - 1) * window
    end = colored(text, piece, first)
    return Text("\n").join(end.wrap(Console(width=width), width, overflow="fold")[-lines:])


def printable(text: str) -> str:
    """The text with control characters escaped, except line breaks."""
    return "\n".join(visible(line) for line in text.split("\n"))


def colored(text: GeneratedText, piece: Piece, first: int = 0) -> Text:
    """A text from its `first` token on, each token in the colour of the probability with which it was chosen. A
    character of several tokens has the colour of the last."""
    decoder = getincrementaldecoder("utf-8")("replace")
    result = Text(overflow="fold")
    start = sum(len(piece(token.token)) for token in text.generated[:first])
    for token in text.generated[first:]:
        stop = start + len(piece(token.token))
        result.append(printable(decoder.decode(text.data[start:stop])), f"color({likely_color(token.prob)})")
        start = stop
    if text.finish is not None:
        # A part of a character that nothing completes any more.
        result.append(decoder.decode(b"", True))
    return result


def legend() -> Text:
    """The colours and their probabilities."""
    result = Text.assemble(("the probability of a token:", "dim"))
    for prob in LEGEND:
        result.append(f" ██ {prob:g}", f"color({likely_color(prob)})")
    return result


STATISTICS: dict[str, Callable[[Summary], float]] = {
    "tokens": lambda summary: summary.tokens,
    "log-probability": lambda summary: summary.logprob,
    "mean log-probability": lambda summary: summary.mean_logprob,
    "sequence perplexity": lambda summary: summary.sequence_perplexity,
    "distinct-1": lambda summary: summary.distinct_1,
    "distinct-2": lambda summary: summary.distinct_2,
    "repeated 4-grams": lambda summary: summary.repeated_4,
}


def _statistics(strategies: Sequence[Strategy], view: View, seed: int | None) -> list[list[str]]:
    """The statistics of the texts, with a column per strategy."""
    summaries = [summary(strategy.best) for strategy in strategies]

    def text(value: float) -> str:
        if value != value:
            return "–"
        return number_text(value) if view.digits is None else f"{value:.{view.digits}g}"

    rows = [[name, *(text(statistic(one)) for one in summaries)] for name, statistic in STATISTICS.items()]
    several = any(len(strategy.best) > 1 for strategy in strategies)
    if several:
        rows.insert(0, ["texts", *(str(len(strategy.best)) for strategy in strategies)])
    rows.append(["ends by", *(_endings(strategy.best) for strategy in strategies)])
    if seed is not None:
        rows.append(["seed", *(str(seed) if strategy.kind == SAMPLE else "" for strategy in strategies)])
    return [["at τ = 1" + ", a text's mean" * several, *(heading for heading, _ in headings(strategies))], *rows]


def _endings(texts: Sequence[GeneratedText]) -> str:
    """Why the texts end, with the number of each reason if there are several."""
    counts = Counter(text.finish or "" for text in texts)
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _comparison(strategies: Sequence[Strategy]) -> str | None:
    """A sentence that compares the best text of the beam search with the greedy one, if there are both."""
    texts = {strategy.kind: strategy.best[0] for strategy in strategies if strategy.kind in (GREEDY, BEAM)}
    if len(texts) < 2:
        return None
    beam, greedy = texts[BEAM], texts[GREEDY]
    if beam.all_tokens == greedy.all_tokens:
        return "The beam finds the greedy text."
    gain = beam.logprob - greedy.logprob
    counts = len(beam.generated), len(greedy.generated)
    lengths = f" ({counts[0]} tokens against {counts[1]})" if counts[0] != counts[1] else ""
    if gain < 0:
        return f"The greedy text beats the beam's by {number_text(-gain)} nats{lengths}."
    times = f", {exp(gain):.3g} times as probable" if gain < log(1e9) and not lengths else ""
    return f"The beam's text beats the greedy one by {number_text(gain)} nats{times}{lengths}."


def can_redraw() -> bool:
    """Whether stdout is a terminal that can be redrawn."""
    return sys.stdout is not None and sys.stdout.isatty() and Console().is_interactive


@contextmanager
def live_table(prompt: str, strategies: Sequence[Strategy], piece: Piece, view: View) -> Iterator[Callable[[], None]]:
    """The texts on a terminal while they grow: the last lines of each, as many as fit. Yields a function that redraws
    them, unless that was less than `FRAME` ago."""
    console = Console(highlight=False, markup=False, emoji=False, legacy_windows=False)
    last_drawn = 0.0

    def redraw() -> None:
        nonlocal last_drawn
        now = time.monotonic()
        if now - last_drawn < FRAME:
            return
        last_drawn = now
        # The prompt takes a line, with a blank one below, and the cursor stands below all.
        height = console.height - 3
        # The terminal may have been resized.
        screen = replace(view.screen, width=max(MIN_WIDTH, console.width))
        tables = _tables(strategies, piece, replace(view, screen=screen), height)
        lines = [Text.from_ansi(line, no_wrap=True) for line in "\n".join(tables).split("\n")]
        heading = Text(shortened(visible(prompt), screen.width - 1), "dim")
        live.update(Group(heading, "", *lines[-max(1, height) :]), refresh=True)

    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        yield redraw
