"""How long the explorer takes from a key to the repainted screen.

The app draws for a terminal that only notes when it was written to. After each key it is left alone for a
while: what was written last ends the key's repaint. Textual draws at most sixty times a second, and waits
for its turn: that is in the time, as it is in its user's.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from pairs import Measure, Pair

CLASSES, FEW = 131072, 4
TURNED, KEYS = ("right", "left", "right", "left", "shift+right", "shift+left"), 48
# No key's repaint takes as long, in seconds.
ALONE = 0.25
# What a key may take, in ms.
BUDGET = 50.0
SAMPLERS = (("top_k", 40.0), ("top_p", 0.9), ("min_p", 0.05))

Knobs = tuple[tuple[str, float], ...]


@cache
def times(classes: int, knobs: Knobs) -> list[float]:
    """The times in ms of keys that turn τ, with these samplers on."""
    return asyncio.run(_times(classes, knobs))


async def _times(classes: int, knobs: Knobs) -> list[float]:
    from textual import events
    from textual.drivers.headless_driver import HeadlessDriver

    from tsoft.core.block import Block
    from tsoft.core.samplers import SAMPLERS
    from tsoft.explorer.app import Explorer, Start
    from tsoft.explorer.board import Board
    from tsoft.explorer.rows import Rows

    written: list[float] = []

    class Noting(HeadlessDriver):
        # For one that is headless the app would not draw.
        is_headless = False

        def write(self, data: str) -> None:
            written.append(time.perf_counter())

    board = Board.of(None, 1.0)
    for name, value in knobs:
        board = board.turned(SAMPLERS[name].knobs[0], value)
    logits = np.random.default_rng(1).standard_normal((1, classes)) * 4
    app = Explorer(Start(Rows([Block(logits)]), board))
    app.driver_class = Noting
    found = []
    async with app.run_test(headless=False, size=(100, 30)) as pilot:
        # What is worked out over all temperatures is there before the first key.
        await pilot.pause(ALONE)
        while any(not worker.is_finished for worker in app.workers):
            await pilot.pause(ALONE)
        for i in range(KEYS):
            start = time.perf_counter()
            app.post_message(events.Key(TURNED[i % len(TURNED)], None))
            await asyncio.sleep(ALONE)
            assert written[-1] > start
            found.append((written[-1] - start) * 1000)
    return found


def key(classes: int, knobs: Knobs, share: float) -> Measure:
    """The time that this share of the keys stays under."""
    return lambda: float(np.quantile(times(classes, knobs), share))


def beside(what: str, knobs: Knobs, share: float) -> Pair:
    """Many classes beside few."""
    measures = key(CLASSES, knobs, share), key(FEW, knobs, share)
    return Pair(what, f"the same of {FEW} classes", lambda _: measures, None, "textual", 1)


def limited(what: str, knobs: Knobs) -> Pair:
    """The middle of many keys beside what it may be."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        return key(CLASSES, knobs, 0.5), lambda: BUDGET

    return Pair(what, f"{BUDGET:g} ms", prepare, 1.0, "textual", 1)


def pairs(what: str, knobs: Knobs) -> list[Pair]:
    return [
        limited(f"{what}, median", knobs),
        beside(f"{what}, median", knobs, 0.5),
        beside(f"{what}, 95 %", knobs, 0.95),
    ]


PAIRS: Sequence[Pair] = (
    *pairs(f"explore: a key turns τ of {CLASSES}", ()),
    *pairs("the same with top-k, top-p and min-p", SAMPLERS),
)
