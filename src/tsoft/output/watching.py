"""A progress bar on stderr for work that takes longer than a moment."""

import time
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

# The bar appears after this many seconds.
MOMENT = 1.0


def watched(
    items: Iterable[T],
    describe: Callable[[T, float], tuple[str, int]],
    total: Callable[[T], int | None] = lambda _: None,
) -> Generator[T]:
    """Yield the same items, with a progress bar.

    `describe` is called with the item that was just processed and the seconds since the start. It returns the bar's
    text and the amount of work done, out of `total` if that is known.
    """
    bar: Progress | None = None
    start = time.monotonic()
    try:
        for item in items:
            yield item
            seconds = time.monotonic() - start
            if seconds > MOMENT:
                bar = bar or _progress_bar(total(item))
                text, done = describe(item, seconds)
                bar.update(bar.task_ids[0], description=text, completed=done, total=total(item))
    finally:
        if bar:
            bar.stop()


def _progress_bar(total: int | None) -> "Progress":
    """Start a bar on stderr, which shows only a text if there is no total."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    share = () if total is None else (BarColumn(), TextColumn("{task.percentage:3.0f}%"), TimeRemainingColumn())
    bar = Progress(
        TextColumn("{task.description}"),
        *share,
        console=console,
        transient=True,
        redirect_stdout=False,
        # Notes and errors appear above the bar.
        redirect_stderr=True,
        # A terminal that cannot move its cursor could not erase the bar.
        disable=not console.is_interactive,
    )
    bar.add_task("", total=total)
    bar.start()
    return bar


def rows(count: int, seconds: float) -> str:
    """Return the number of rows done, and their speed, in words.

    >>> rows(30_000, 1.5)
    '30,000 rows, 20,000 per second'
    """
    return f"{count:,} rows, {count / seconds:,.0f} per second"
