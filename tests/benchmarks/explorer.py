"""How long the explorer takes from a key to the repainted screen.

The app draws for a terminal that only notes when it was written to. After each key it is left alone for a
while: what was written last ends the key's repaint. Textual draws at most sixty times a second, and waits
for its turn: that is in the time, as it is in its user's.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pairs import Measure, Pair

from tsoft.core.block import Block
from tsoft.models.tokens import NextDistribution, Tokens

if TYPE_CHECKING:
    from tsoft.explorer.app import Explorer
    from tsoft.explorer.sampler_state import SamplerState

CLASSES, VOCABULARY, FEW = 131072, 49152, 4
TURNED, KEYS = ("right", "left", "right", "left", "shift+right", "shift+left"), 48
# No key's repaint takes as long, in seconds.
ALONE = 0.25
# What a key may take, in ms: one that turns a knob, and one that draws a token.
BUDGET, DRAWING_BUDGET = 50.0, 60.0
SAMPLERS = (("top_k", 40.0), ("top_p", 0.9), ("min_p", 0.05))

SamplerParameters = tuple[tuple[str, float], ...]


# The times of keys in ms, of so many classes.
Times = Callable[[int, SamplerParameters], list[float]]


@cache
def turning(classes: int, parameters: SamplerParameters) -> list[float]:
    """The times in ms of keys that turn τ, with these samplers on."""
    return asyncio.run(_turning(classes, parameters))


async def _turning(classes: int, parameters: SamplerParameters) -> list[float]:
    from tsoft.explorer.app import Explorer, ExplorerInput
    from tsoft.explorer.explorer_rows import ExplorerRows

    logits = np.random.default_rng(1).standard_normal((1, classes)) * 4
    app = Explorer(ExplorerInput(ExplorerRows([Block(logits)]), _state(parameters)))
    return await _pressed(app, TURNED)


def _state(parameters: SamplerParameters) -> "SamplerState":
    from tsoft.explorer.sampler_state import SamplerState
    from tsoft.sampling.sampler_table import SAMPLERS

    state = SamplerState.from_chain(None, 1.0)
    for name, value in parameters:
        state = state.with_value(SAMPLERS[name].parameters[0], value)
    return state


@cache
def drawing(classes: int, parameters: SamplerParameters) -> list[float]:
    """The times in ms of keys that draw a token of so many and move on, with a model that takes no time."""
    return asyncio.run(_drawing(classes, parameters))


async def _drawing(classes: int, parameters: SamplerParameters) -> list[float]:
    from tsoft.explorer import app
    from tsoft.explorer.app import ExplorerInput
    from tsoft.explorer.live_app import LiveExplorer
    from tsoft.explorer.live_text import LiveText

    # What is worked out over all temperatures would be drawn later, where the next key did not come before.
    app.CURVE_DELAY = 2 * ALONE
    live = LiveText(Table(classes), "a prompt")
    return await _pressed(LiveExplorer(ExplorerInput(live.rows, _state(parameters)), live), ("s",))


class Table:
    """A model that looks its answers up."""

    name: str = "a table"
    context_length: int | None = None

    def __init__(self, classes: int):
        self.vocab_size: int | None = classes
        self._labels = tuple(f" t{i}" for i in range(classes))
        self._logits = (np.random.default_rng(1).standard_normal((8, classes)) * 4).astype(np.float32)

    def prompt(self, text: str) -> Tokens:
        return (0,)

    def piece(self, token: int) -> bytes:
        return self.label(token).encode()

    def label(self, token: int) -> str:
        return self._labels[token]

    def ends(self, token: int) -> bool:
        return False

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        return [NextDistribution(Block(self._logits[len(text) % 8][np.newaxis], self._labels)) for text in texts]

    def close(self) -> None:
        pass


async def _pressed(app: "Explorer", keys: Sequence[str]) -> list[float]:
    """The times in ms of these keys, one after the other and over again."""
    from textual import events
    from textual.drivers.headless_driver import HeadlessDriver

    written: list[float] = []

    class Noting(HeadlessDriver):
        # For one that is headless the app would not draw.
        is_headless = False

        def write(self, data: str) -> None:
            written.append(time.perf_counter())

    app.driver_class = Noting
    found = []
    async with app.run_test(headless=False, size=(100, 30)) as pilot:
        # What is worked out over all temperatures is there before the first key.
        await pilot.pause(ALONE)
        while any(not worker.is_finished for worker in app.workers):
            await pilot.pause(ALONE)
        for i in range(KEYS):
            start = time.perf_counter()
            app.post_message(events.Key(keys[i % len(keys)], None))
            await asyncio.sleep(ALONE)
            assert written[-1] > start
            found.append((written[-1] - start) * 1000)
    return found


def key(times: Times, classes: int, parameters: SamplerParameters, share: float) -> Measure:
    """The time that this share of the keys stays under."""
    return lambda: float(np.quantile(times(classes, parameters), share))


def beside(what: str, times: Times, classes: int, parameters: SamplerParameters, share: float) -> Pair:
    """Many classes beside few."""
    measures = key(times, classes, parameters, share), key(times, FEW, parameters, share)
    return Pair(what, f"the same of {FEW} classes", lambda _: measures, None, "textual", 1)


def limited(what: str, times: Times, classes: int, parameters: SamplerParameters, budget: float) -> Pair:
    """The middle of many keys beside what it may be."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        return key(times, classes, parameters, 0.5), lambda: budget

    return Pair(what, f"{budget:g} ms", prepare, 1.0, "textual", 1)


def pairs(what: str, times: Times, classes: int, parameters: SamplerParameters, budget: float) -> list[Pair]:
    return [
        limited(f"{what}, median", times, classes, parameters, budget),
        beside(f"{what}, median", times, classes, parameters, 0.5),
        beside(f"{what}, 95 %", times, classes, parameters, 0.95),
    ]


PAIRS: Sequence[Pair] = (
    *pairs(f"explore: a key turns τ of {CLASSES}", turning, CLASSES, (), BUDGET),
    *pairs("the same with top-k, top-p and min-p", turning, CLASSES, SAMPLERS, BUDGET),
    *pairs(f"explore: a key draws one of {VOCABULARY} tokens", drawing, VOCABULARY, (), DRAWING_BUDGET),
    *pairs("the same with top-k, top-p and min-p", drawing, VOCABULARY, SAMPLERS, DRAWING_BUDGET),
)
