"""Items as they come, with a progress bar on stderr once they take longer than a moment."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

# What takes longer, in seconds, is work to watch.
MOMENT = 1.0


def watched(
    items: Iterable[T],
    describe: Callable[[T, float], tuple[str, int]],
    total: Callable[[T], int | None] = lambda _: None,
) -> Iterator[T]:
    """The same items. `describe` gets the item that was just used and the seconds since the start, and returns what the
    bar shows: a text, and how much is done, of `total` if that is known."""
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
    """A bar on stderr until it is stopped; only a text if there is no total."""
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
        redirect_stderr=False,
        # A terminal that cannot move its cursor would keep it.
        disable=not console.is_interactive,
    )
    bar.add_task("", total=total)
    bar.start()
    return bar


def rows(count: int, seconds: float) -> str:
    """How many rows are done, and how fast they went.

    >>> rows(30_000, 1.5)
    '30,000 rows, 20,000 a second'
    """
    return f"{count:,} rows, {count / seconds:,.0f} a second"
