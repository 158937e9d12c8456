"""Texts side by side, each token in the color of its probability, with a table of statistics below."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from math import exp, log

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tsoft.charts.colored_text import color_legend, colored_tokens, rendered_text
from tsoft.charts.legend import explanations
from tsoft.charts.style import number_text, tau_colors, tau_text, wrapped
from tsoft.charts.table import GAP, new_table, rendered, text_tables
from tsoft.charts.view import View
from tsoft.errors import shortened, visible, visible_lines
from tsoft.features.generate.diversity import Summary, summary
from tsoft.models.decoding import BEAM, GREEDY, SAMPLE, Strategy
from tsoft.models.generated_text import END, FAILED, INTERRUPTED, LENGTH, STOP, GeneratedText
from tsoft.models.token_texts import Piece, token_texts

# The minimum width of a column if the texts have several columns.
MIN_WIDTH = 16
# The number of lines of a table in addition to its texts, including the blank line below.
TABLE_LINES = 3
# The minimum time between two redraws, in seconds.
FRAME = 0.05


def draw(prompt: str, strategies: Sequence[Strategy], piece: Piece, view: View, seed: int | None) -> Iterator[str]:
    """Draw the texts of each strategy side by side, and a table of their statistics.

    Columns that do not fit are in another table below.
    """
    yield rendered_text(Text(visible_lines(prompt), "dim"), view) + "\n"
    yield from (table + "\n" for table in _tables(strategies, piece, view))
    if view.screen.color:
        yield rendered_text(color_legend(), view) + "\n"
    yield text_tables(_statistics(strategies, view, seed), view.screen) + "\n"
    yield explanations(_explanations(strategies), view.screen.width, color=view.screen.color)
    if comparison := _comparison(strategies):
        yield "\n" + wrapped(comparison, view.screen.width)


def headings(strategies: Sequence[Strategy]) -> list[tuple[str, int]]:
    """Return the heading of each strategy, and its color."""
    colors = iter(tau_colors([strategy.tau for strategy in strategies if strategy.tau is not None]))
    return [(heading(strategy), 244 if strategy.tau is None else next(colors)) for strategy in strategies]


def heading(strategy: Strategy) -> str:
    if strategy.tau is None:
        return strategy.name
    tau = tau_text(strategy.tau)
    return f"{strategy.engine} {tau.replace(' ', '')}" if strategy.engine else tau


def _tables(strategies: Sequence[Strategy], piece: Piece, view: View, height: int | None = None) -> list[str]:
    """Return tables of the texts, with as many strategies side by side as fit.

    On a screen of `height` lines, they show only the ends of the texts.
    """
    columns = headings(strategies)
    row_count = max(len(strategy.best) for strategy in strategies)
    numbers = [str(n) for n in range(row_count)] if row_count > 1 else []
    room = view.screen.width - 1 - (len(numbers[-1]) + GAP if numbers else 0)
    per_table = min(len(strategies), max(1, room // (MIN_WIDTH + GAP)))
    width, table_count = room // per_table - GAP, -(-len(strategies) // per_table)
    lines = None if height is None else max(1, (height // table_count - TABLE_LINES) // row_count)
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
    """Return a text, or only its last `lines`."""
    if lines is None:
        return colored(text, piece)
    # Wrap only the end of a long text. The end starts at the same token for a while, so that the lines do not jump.
    window = lines * width
    first = max(0, len(text.generated) // window - 1) * window
    end = colored(text, piece, first)
    return Text("\n").join(end.wrap(Console(width=width), width, overflow="fold")[-lines:])


def colored(text: GeneratedText, piece: Piece, first: int = 0) -> Text:
    """Return a text from its `first` token on, each token in the color of the probability with which it was chosen.

    A character of several tokens has the color of the last one.
    """
    probs = [token.prob for token in text.generated[first:]]
    return colored_tokens(zip(token_texts(text, piece, first), probs, strict=True))


STATISTICS: dict[str, Callable[[Summary], float]] = {
    "tokens": lambda summary: summary.tokens,
    "log-probability": lambda summary: summary.logprob,
    "  per token": lambda summary: summary.mean_logprob,
    "sequence perplexity": lambda summary: summary.sequence_perplexity,
    "distinct-1": lambda summary: summary.distinct_1,
    "distinct-2": lambda summary: summary.distinct_2,
    "repeated 4-grams": lambda summary: summary.repeated_4,
}


# Explanations of the rows of the statistics.
EXPLANATIONS = {
    "log-probability": "under the model at τ = 1 without samplers, in nats",
    "sequence perplexity": "exp(−log-probability per token), low for a likely text",
    "distinct-1, distinct-2": "the share of distinct tokens, and of distinct pairs",
    "repeated 4-grams": "the share of runs of 4 tokens that occurred before",
}
FINISH_EXPLANATIONS = {
    END: "the model ends the text",
    STOP: "--stop",
    LENGTH: "token limit",
    INTERRUPTED: "Ctrl-C",
    FAILED: "the model fails",
}


def _explanations(strategies: Sequence[Strategy]) -> Iterator[str]:
    """Yield an explanation of each row of the statistics."""
    yield from (f"{name}: {explanation}" for name, explanation in EXPLANATIONS.items())
    finishes = {text.finish for strategy in strategies for text in strategy.best}
    reasons = [f"{finish} = {reason}" for finish, reason in FINISH_EXPLANATIONS.items() if finish in finishes]
    if reasons:
        yield f"finish: {', '.join(reasons)}"


def _statistics(strategies: Sequence[Strategy], view: View, seed: int | None) -> list[list[str]]:
    """Return the statistics of the texts, with one column per strategy."""
    summaries = [summary(strategy.best) for strategy in strategies]

    def text(value: float) -> str:
        if value != value:
            return "–"
        return number_text(value) if view.digits is None else f"{value:.{view.digits}g}"

    rows = [
        [name, *(text(statistic(text_summary)) for text_summary in summaries)] for name, statistic in STATISTICS.items()
    ]
    has_several = any(len(strategy.best) > 1 for strategy in strategies)
    if has_several:
        rows.insert(0, ["texts", *(str(len(strategy.best)) for strategy in strategies)])
    rows.append(["finish", *(_finishes(strategy.best) for strategy in strategies)])
    if seed is not None:
        rows.append(["seed", *(str(seed) if strategy.kind == SAMPLE else "" for strategy in strategies)])
    return [["mean per text" if has_several else "", *(heading for heading, _ in headings(strategies))], *rows]


def _finishes(texts: Sequence[GeneratedText]) -> str:
    """Return why the texts end, with the number of texts per reason if the reasons differ."""
    counts = Counter(text.finish or "" for text in texts)
    return (
        next(iter(counts)) if len(counts) == 1 else ", ".join(f"{count} {finish}" for finish, count in counts.items())
    )


def _comparison(strategies: Sequence[Strategy]) -> str | None:
    """Return a sentence that compares the best text of the beam search with the greedy one, if both exist."""
    texts = {strategy.kind: strategy.best[0] for strategy in strategies if strategy.kind in (GREEDY, BEAM)}
    if len(texts) < 2:
        return None
    beam, greedy = texts[BEAM], texts[GREEDY]
    if beam.all_tokens == greedy.all_tokens:
        return "The beam search finds the same text as the greedy search."
    gain = beam.logprob - greedy.logprob
    counts = len(beam.generated), len(greedy.generated)
    lengths = f" ({counts[0]} tokens versus {counts[1]})" if counts[0] != counts[1] else ""
    if gain < 0:
        return f"The greedy text beats the beam search's by {number_text(-gain)} nats of log-probability{lengths}."
    times = f" and is {exp(gain):.3g} times as probable" if gain < log(1e9) and not lengths else ""
    return (
        f"The beam search's text beats the greedy one by {number_text(gain)} nats of log-probability{times}{lengths}."
    )


def can_redraw() -> bool:
    """Return whether stdout is a terminal that can be redrawn."""
    return sys.stdout is not None and sys.stdout.isatty() and Console().is_interactive


@contextmanager
def live_table(prompt: str, strategies: Sequence[Strategy], piece: Piece, view: View) -> Iterator[Callable[[], None]]:
    """Show the last lines of the texts on a terminal while the texts grow.

    Yield a function that redraws them, unless the last redraw was less than `FRAME` ago.
    """
    console = Console(highlight=False, markup=False, emoji=False, legacy_windows=False)
    last_drawn = 0.0

    def redraw() -> None:
        nonlocal last_drawn
        now = time.monotonic()
        if now - last_drawn < FRAME:
            return
        last_drawn = now
        # The prompt, the blank line below it, and the line of the cursor.
        height = console.height - 3
        # The terminal may have been resized.
        screen = replace(view.screen, width=max(MIN_WIDTH, console.width))
        tables = _tables(strategies, piece, replace(view, screen=screen), height)
        lines = [Text.from_ansi(line, no_wrap=True) for line in "\n".join(tables).split("\n")]
        heading = Text(shortened(visible(prompt), screen.width - 1), "dim")
        live.update(Group(heading, "", *lines[-max(1, height) :]), refresh=True)

    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        yield redraw
