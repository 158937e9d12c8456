"""Random keys, pastes, mouse events and sizes for the explorer, and what is true after each of them."""

import asyncio
import contextlib
import os
import random
import re
from collections.abc import Iterable, Iterator
from math import isclose

import numpy as np
import pytest
from textual import events
from textual.events import Event
from textual.keys import _character_to_key

from driven import Page, explore
from tsoft.explorer import export
from tsoft.explorer.keys import KEYS, LIVE_KEYS
from tsoft.explorer.saved_state import UnsavableError, read_state

_NAMES = [name for keys, *_ in (*KEYS, *LIVE_KEYS) for name in keys.split(",")]
# Keys of fields and of Textual itself. Keys that end the explorer are in `_LAST`.
_NAMES += ["backspace", "delete", "ctrl+a", "ctrl+w", "ctrl+k", "ctrl+u", "ctrl+v", "f1", "ctrl+p", "ctrl+l", "ctrl+@"]
_LAST = ["q", "ctrl+c", "ctrl+q"]
_KEYS = [name for name in _NAMES if name not in _LAST]
_CHARACTERS = {name: character for character in map(chr, range(32, 127)) if (name := _character_to_key(character))}
_TEXTS = [
    "0.5",
    "-1",
    "inf",
    "-inf",
    "nan",
    "1e400",
    "",
    " ",
    "cat",
    "cat=2",
    "cat 20%",
    "#1=3",
    "#0 0.5",
    "top-prob 73%",
]
_TEXTS += [
    "entropy 0.5",
    "margin 200%",
    "a\nb\tc",
    "\x1b[31m",
    "日本語",
    "é\u0301\u200d",
    "[red]",
    "²",
    "x" * 300,
    "\x00",
]
_TEXTS += ["state.tsoft", "out.csv", "out.svg", ".tsoft", "out.json"]


def random_events(rng: random.Random, count: int) -> Iterator[Event]:
    """Draw events, of which some follow each other as in the dialogs: a key, a text, and Enter."""
    drawn = 0
    while drawn < count:
        for event in _few(rng):
            yield event
            drawn += 1


def _few(rng: random.Random) -> list[Event]:
    kind = rng.random()
    if kind < 0.6:
        return [key(rng.choice(_KEYS))] * rng.choice([1, 1, 1, 2, 5])
    if kind < 0.75:
        # A field or a dialog, a text, and what ends it.
        opened = rng.choice(["equals_sign", "slash", "x", "plus", "enter", "a", "l", "e", "question_mark"])
        erased = [key("ctrl+u")] * rng.randint(0, 1)
        text = rng.choice(_TEXTS)
        typed = [events.Paste(text)] if rng.random() < 0.7 else [_typed(character) for character in text[:20]]
        return [key(opened), *erased, *typed, key(rng.choice(["enter", "enter", "escape"]))]
    if kind < 0.8:
        return [events.Paste(rng.choice(_TEXTS))]
    if kind < 0.97:
        return _pointed(rng)
    return [_Resize(rng.choice([0, 1, 5, 20, 60, 89, 100, 200]), rng.choice([0, 1, 3, 10, 24, 30, 60]))]


class _Resize(Event):
    """A size of the terminal, which the pilot sets."""

    def __init__(self, width: int, height: int):
        super().__init__()
        self.width, self.height = width, height


def key(name: str) -> events.Key:
    return events.Key(name, _CHARACTERS.get(name))


def _typed(character: str) -> events.Key:
    return events.Key(_character_to_key(character), character)


def _pointed(rng: random.Random) -> list[Event]:
    """Return a click, a drag or a turn of the wheel, which may be outside of the screen."""
    places = [(rng.randint(-1, 105), rng.randint(-1, 32)) for _ in range(rng.randint(1, 4))]
    kinds = [events.MouseDown, *[events.MouseMove] * (len(places) - 1), events.MouseUp]
    if rng.random() < 0.3:
        kinds = [rng.choice([events.MouseScrollUp, events.MouseScrollDown, events.MouseMove])]
    shift, button = rng.random() < 0.2, rng.choice([1, 1, 1, 2, 3])
    return [
        kind(None, x, y, 0, 0, button, shift, False, False, screen_x=x, screen_y=y)
        for kind, (x, y) in zip(kinds, [*places, places[-1]], strict=False)
    ]


async def play(page: Page, rng: random.Random, drawn: Iterable[Event]) -> None:
    """Send the events, several at once, and check the explorer whenever it has handled them."""
    remaining = 0
    for event in drawn:
        if not page.app.is_running or page.app.failure:
            return
        if isinstance(event, _Resize):
            await page.pilot.resize_terminal(event.width, event.height)
        else:
            page.app.post_message(event)
        remaining = remaining - 1 if remaining else rng.choice([0, 1, 2, 10])
        if not remaining:
            await page.settled()
            check(page)
    await page.settled()
    check(page)
    await _check_history(page)


def check(page: Page) -> None:
    """Check the distribution, the text of the screen, and the state as a file."""
    app = page.app
    if app.failure or not app.is_running:
        return
    if app.snapshot and app.snapshot.is_exact:
        probs = app.snapshot.probs
        # Each probability is rounded in the precision of the logits.
        tolerance = len(probs) * np.finfo(probs.dtype).eps
        assert isclose(probs.sum(dtype=float), 1, rel_tol=tolerance), probs
        assert (probs >= 0).all(), probs
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", page.text()), page.text()
    assert app.command_line is not None
    with contextlib.suppress(UnsavableError):
        saved = app._saved_state()
        assert read_state(saved.text().encode(), "state").state == app.state


async def _check_history(page: Page) -> None:
    """Undo all changes, redo them, and check that the state is the same as before."""
    app = page.app
    while app.is_running and not app.failure and len(app.screen_stack) > 1:
        await page.press("escape")
    await page.press("escape")
    if not app.is_running or app.failure:
        return
    before, changes = app.state, len(app._history.past)
    await page.press(*["u"] * min(changes, 20))
    await page.press(*["U"] * min(changes, 20))
    assert app.state == before, (before, app.state)


def run_events(rng: random.Random, count: int, *arguments: str) -> int:
    """Run the explorer with events, in the current folder, and return the exit code. Files stay in this folder."""

    async def drive(page: Page) -> None:
        playing = asyncio.ensure_future(play(page, rng, random_events(rng, count)))
        # An app that has failed or ended handles nothing more, so waiting for it would take until the time limit.
        while not playing.done() and page.app.is_running and page.app.failure is None:
            await asyncio.sleep(0.005)
        if not playing.done():
            playing.cancel()
            return
        playing.result()
        if page.app.is_running and not page.app.failure:
            page.app.post_message(key(rng.choice(_LAST)))

    write = export.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "write", lambda name, exports: write(os.path.basename(name) or ".svg", exports))
        return explore(drive, *arguments)
