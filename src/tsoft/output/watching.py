"""Items as they come, with a progress bar on stderr once they take longer than a moment."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tsoft.output.progress import ProgressBar

T = TypeVar("T")

# What takes longer, in seconds, is work to watch.
MOMENT = 1.0


def watched(
    items: Iterable[T],
    describe: Callable[[T, float], tuple[str, int]],
    total: Callable[[T], int | None] = lambda _: None,
) -> Iterator[T]:
    """The same items. `describe` is given the item that was just used and the seconds since the start, and says what
    the bar shows: a text, and how much is done, of `total` where that is known."""
    bar: ProgressBar | None = None
    start = time.monotonic()
    try:
        for item in items:
            yield item
            seconds = time.monotonic() - start
            if seconds > MOMENT:
                from tsoft.output import progress

                bar = bar or progress.ProgressBar(total(item))
                bar.show(*describe(item, seconds), total(item))
    finally:
        if bar:
            bar.stop()


def rows(count: int, seconds: float) -> str:
    """How many rows are done, and how fast they went.

    >>> rows(30_000, 1.5)
    '30,000 rows, 20,000 a second'
    """
    return f"{count:,} rows, {count / seconds:,.0f} a second"
