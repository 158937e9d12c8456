"""The time from a key to the repainted screen of the explorer.

The app draws on a fake terminal that records the times of all writes. After each key, the benchmark waits until the
repaint must be complete; the last write is its end. Textual repaints at most 60 times per second. The measured time
includes the wait for the next repaint, because the user waits for it, too.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pairs import Measure, Pair

from tsoft.core.block import Block
from tsoft.models.tokens import NextDistribution, Tokens

if TYPE_CHECKING:
    from tsoft.explorer.app import Explorer
    from tsoft.explorer.explorer_state import ExplorerState

CLASSES, VOCABULARY, FEW = 131072, 49152, 4
TAU_KEYS, COUNT = ("right", "left", "right", "left", "shift+right", "shift+left"), 48
# Each repaint takes less than this, in seconds.
WAIT = 0.25
# The budgets in ms: for the median and the 95th percentile of a key, and for a key that draws a token.
FRAME_BUDGET, FRAME_BUDGET_95, DRAW_BUDGET = 33.0, 50.0, 60.0
SAMPLERS = (("top_k", 40.0), ("top_p", 0.9), ("min_p", 0.05))

SamplerParameters = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Scenario:
    """The samplers that are on, the keys that prepare the screen, and the keys to measure."""

    parameters: SamplerParameters = ()
    preparation: tuple[str, ...] = ()
    keys: tuple[str, ...] = TAU_KEYS


# From the number of classes and the scenario to the times of the keys, in ms.
Times = Callable[[int, Scenario], list[float]]


@cache
def key_times(classes: int, scenario: Scenario) -> list[float]:
    """Return the times in ms of the keys of a scenario, in a row of random logits."""
    return asyncio.run(_row_times(classes, scenario))


async def _row_times(classes: int, scenario: Scenario) -> list[float]:
    from tsoft.explorer.app import Explorer
    from tsoft.explorer.explorer_input import ExplorerInput
    from tsoft.explorer.explorer_rows import ExplorerRows

    logits = np.random.default_rng(1).standard_normal((1, classes)) * 4
    app = Explorer(ExplorerInput(ExplorerRows([Block(logits)]), _state(scenario.parameters)))
    return await _key_times(app, scenario)


def _state(parameters: SamplerParameters) -> "ExplorerState":
    from tsoft.explorer.explorer_state import ExplorerState
    from tsoft.explorer.sampler_state import SamplerState
    from tsoft.sampling.sampler_table import SAMPLERS

    samplers = SamplerState.from_chain(None, 1.0)
    for name, value in parameters:
        samplers = samplers.with_value(SAMPLERS[name].parameters[0], value)
    return ExplorerState(samplers)


@cache
def token_times(classes: int, scenario: Scenario) -> list[float]:
    """Return the times in ms of keys that draw a token and append it, with a model that takes no time."""
    return asyncio.run(_token_times(classes, scenario))


async def _token_times(classes: int, scenario: Scenario) -> list[float]:
    from tsoft.explorer import curve_thread
    from tsoft.explorer.explorer_input import ExplorerInput
    from tsoft.explorer.live_app import LiveExplorer
    from tsoft.explorer.live_text import LiveText

    # The next key comes before the curves over τ are drawn, so that they do not count.
    curve_thread.CURVE_DELAY = 2 * WAIT
    live = LiveText(Table(classes), "a prompt")
    return await _key_times(LiveExplorer(ExplorerInput(live.rows, _state(scenario.parameters)), live), scenario)


class Table:
    """A model that looks up its logits in a table."""

    name: str = "a table"
    context_length: int | None = None
    has_prompt_tokens = True

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


async def _key_times(app: "Explorer", scenario: Scenario) -> list[float]:
    """Prepare the screen, press the keys in turn, COUNT keys in all, and return their times in ms."""
    from textual import events
    from textual.drivers.headless_driver import HeadlessDriver

    write_times: list[float] = []

    class RecordingDriver(HeadlessDriver):
        # The app does not draw if its driver is headless.
        is_headless = False

        def write(self, data: str) -> None:
            write_times.append(time.perf_counter())

    app.driver_class = RecordingDriver
    times = []
    # The program sets the same threshold.
    gc.set_threshold(100_000)
    async with app.run_test(headless=False, size=(100, 30)) as pilot:
        for key in scenario.preparation:
            app.post_message(events.Key(key, None))
        # Before the first key, wait for the curves over τ.
        await pilot.pause(WAIT)
        while any(not worker.is_finished for worker in app.workers):
            await pilot.pause(WAIT)
        for i in range(COUNT):
            start = time.perf_counter()
            app.post_message(events.Key(scenario.keys[i % len(scenario.keys)], None))
            await asyncio.sleep(WAIT)
            if write_times[-1] < start:
                raise RuntimeError(f"no repaint within {WAIT:g} s; the machine is too busy")
            times.append((write_times[-1] - start) * 1000)
    return times


def quantile(times: Times, classes: int, scenario: Scenario, q: float) -> Measure:
    """Return a measure of the q-quantile of the times."""
    return lambda: float(np.quantile(times(classes, scenario), q))


def against_few(task: str, times: Times, classes: int, scenario: Scenario, q: float) -> Pair:
    """Compare the times for many classes with those for few."""
    measures = quantile(times, classes, scenario, q), quantile(times, FEW, scenario, q)
    return Pair(task, f"the same with {FEW} classes", lambda _: measures, None, "textual", 1)


def against_budget(task: str, times: Times, classes: int, scenario: Scenario, q: float, budget: float) -> Pair:
    """Compare a quantile of the times with its budget."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        return quantile(times, classes, scenario, q), lambda: budget

    return Pair(task, f"{budget:g} ms", prepare, 1.0, "textual", 1)


def frame_pairs(task: str, scenario: Scenario) -> list[Pair]:
    median, slow = f"explorer: {task}, median", f"explorer: {task}, 95th percentile"
    return [
        against_budget(median, key_times, CLASSES, scenario, 0.5, FRAME_BUDGET),
        against_budget(slow, key_times, CLASSES, scenario, 0.95, FRAME_BUDGET_95),
        against_few(median, key_times, CLASSES, scenario, 0.5),
    ]


def token_pairs(task: str, scenario: Scenario) -> list[Pair]:
    median, slow = f"explorer: {task}, median", f"explorer: {task}, 95th percentile"
    return [
        against_budget(median, token_times, VOCABULARY, scenario, 0.5, DRAW_BUDGET),
        against_few(median, token_times, VOCABULARY, scenario, 0.5),
        against_few(slow, token_times, VOCABULARY, scenario, 0.95),
    ]


DRAW = ("s",)
PAIRS: Sequence[Pair] = (
    *frame_pairs(f"change τ, {CLASSES} classes", Scenario()),
    *frame_pairs("τ with top-k, top-p and min-p", Scenario(SAMPLERS)),
    *frame_pairs("τ with a mark", Scenario(preparation=("m",))),
    *frame_pairs("τ with 100 draws", Scenario(preparation=("S",))),
    *frame_pairs("τ with samplers, a mark and draws", Scenario(SAMPLERS, ("m", "S"))),
    *frame_pairs("draw 100 classes", Scenario(keys=("S",))),
    *token_pairs(f"draw a token, {VOCABULARY} classes", Scenario(keys=DRAW)),
    *token_pairs("token with top-k, top-p and min-p", Scenario(SAMPLERS, keys=DRAW)),
)
