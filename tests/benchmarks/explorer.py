"""The time from a key to the repainted screen of the explorer.

The app draws on a fake terminal that records the times of all writes. After each key, the benchmark waits until the
repaint must be complete; the last write is its end. Textual repaints at most 60 times per second. The measured time
includes the wait for the next repaint, because the user waits for it, too.
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
TAU_KEYS, COUNT = ("right", "left", "right", "left", "shift+right", "shift+left"), 48
# Each repaint takes less than this, in seconds.
WAIT = 0.25
# The budgets in ms: for a key that moves a slider, and for a key that draws a token.
SLIDER_BUDGET, DRAW_BUDGET = 50.0, 60.0
SAMPLERS = (("top_k", 40.0), ("top_p", 0.9), ("min_p", 0.05))

SamplerParameters = tuple[tuple[str, float], ...]


# From the number of classes and the samplers to the times of the keys, in ms.
Times = Callable[[int, SamplerParameters], list[float]]


@cache
def tau_times(classes: int, parameters: SamplerParameters) -> list[float]:
    """Return the times in ms of keys that change τ, with these samplers on."""
    return asyncio.run(_tau_times(classes, parameters))


async def _tau_times(classes: int, parameters: SamplerParameters) -> list[float]:
    from tsoft.explorer.app import Explorer, ExplorerInput
    from tsoft.explorer.explorer_rows import ExplorerRows

    logits = np.random.default_rng(1).standard_normal((1, classes)) * 4
    app = Explorer(ExplorerInput(ExplorerRows([Block(logits)]), _state(parameters)))
    return await _key_times(app, TAU_KEYS)


def _state(parameters: SamplerParameters) -> "SamplerState":
    from tsoft.explorer.sampler_state import SamplerState
    from tsoft.sampling.sampler_table import SAMPLERS

    state = SamplerState.from_chain(None, 1.0)
    for name, value in parameters:
        state = state.with_value(SAMPLERS[name].parameters[0], value)
    return state


@cache
def draw_times(classes: int, parameters: SamplerParameters) -> list[float]:
    """Return the times in ms of keys that draw a token and append it, with a model that takes no time."""
    return asyncio.run(_draw_times(classes, parameters))


async def _draw_times(classes: int, parameters: SamplerParameters) -> list[float]:
    from tsoft.explorer import app
    from tsoft.explorer.app import ExplorerInput
    from tsoft.explorer.live_app import LiveExplorer
    from tsoft.explorer.live_text import LiveText

    # The next key comes before the curves over τ are drawn, so that they do not count.
    app.CURVE_DELAY = 2 * WAIT
    live = LiveText(Table(classes), "a prompt")
    return await _key_times(LiveExplorer(ExplorerInput(live.rows, _state(parameters)), live), ("s",))


class Table:
    """A model that looks up its logits in a table."""

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


async def _key_times(app: "Explorer", keys: Sequence[str]) -> list[float]:
    """Press these keys in turn, COUNT keys in all, and return their times in ms."""
    from textual import events
    from textual.drivers.headless_driver import HeadlessDriver

    write_times: list[float] = []

    class RecordingDriver(HeadlessDriver):
        # The app does not draw if its driver is headless.
        is_headless = False

        def write(self, data: str) -> None:
            write_times.append(time.perf_counter())

    app.driver_class = RecordingDriver
    key_times = []
    async with app.run_test(headless=False, size=(100, 30)) as pilot:
        # Before the first key, wait for the curves over τ.
        await pilot.pause(WAIT)
        while any(not worker.is_finished for worker in app.workers):
            await pilot.pause(WAIT)
        for i in range(COUNT):
            start = time.perf_counter()
            app.post_message(events.Key(keys[i % len(keys)], None))
            await asyncio.sleep(WAIT)
            assert write_times[-1] > start
            key_times.append((write_times[-1] - start) * 1000)
    return key_times


def quantile(times: Times, classes: int, parameters: SamplerParameters, q: float) -> Measure:
    """Return a measure of the q-quantile of the times."""
    return lambda: float(np.quantile(times(classes, parameters), q))


def against_few(task: str, times: Times, classes: int, parameters: SamplerParameters, q: float) -> Pair:
    """Compare the times for many classes with those for few."""
    measures = quantile(times, classes, parameters, q), quantile(times, FEW, parameters, q)
    return Pair(task, f"the same with {FEW} classes", lambda _: measures, None, "textual", 1)


def against_budget(task: str, times: Times, classes: int, parameters: SamplerParameters, budget: float) -> Pair:
    """Compare the median time with its budget."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        return quantile(times, classes, parameters, 0.5), lambda: budget

    return Pair(task, f"{budget:g} ms", prepare, 1.0, "textual", 1)


def pairs(task: str, times: Times, classes: int, parameters: SamplerParameters, budget: float) -> list[Pair]:
    return [
        against_budget(f"{task}, median", times, classes, parameters, budget),
        against_few(f"{task}, median", times, classes, parameters, 0.5),
        against_few(f"{task}, 95th percentile", times, classes, parameters, 0.95),
    ]


PAIRS: Sequence[Pair] = (
    *pairs(f"explorer: change τ, {CLASSES} classes", tau_times, CLASSES, (), SLIDER_BUDGET),
    *pairs("the same with top-k, top-p and min-p", tau_times, CLASSES, SAMPLERS, SLIDER_BUDGET),
    *pairs(f"explorer: draw a token, {VOCABULARY} classes", draw_times, VOCABULARY, (), DRAW_BUDGET),
    *pairs("the same with top-k, top-p and min-p", draw_times, VOCABULARY, SAMPLERS, DRAW_BUDGET),
)
