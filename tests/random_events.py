"""Random keys, pastes, mouse events and sizes for the explorer, and what is true after each of them."""

import asyncio
import os
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from textual import events
from textual.events import Event
from textual.keys import _character_to_key

from driven import Page, Size, driven
from explorer_checks import Shown, check, check_command, check_history, check_same, shown
from tsoft.explorer import export
from tsoft.explorer.keys import KEYS, LIVE_KEYS
from tsoft.explorer.saved_state import UnsavableError

_NAMES = [name for keys, *_ in (*KEYS, *LIVE_KEYS) for name in keys.split(",")]
# Keys of fields and of Textual itself. Keys that end the explorer are in `_LAST`.
_NAMES += ["backspace", "delete", "ctrl+a", "ctrl+w", "ctrl+k", "ctrl+u", "ctrl+v", "ctrl+p", "ctrl+l", "ctrl+@"]
# Keys of `tsoft learn`.
_NAMES += ["f1", "f2", "shift+f2", "f3", "f14"]
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
    if kind < 0.15:
        return [key(name) for name in _walk(rng)]
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


# Keys for the engines, the tree, the kept texts, the classes and others, each after the key that opens them.
_WALKS = {
    "l": ["down", "down", "up", "end", "space", "space", "enter", "enter", "escape"],
    "t": ["right", "right", "right", "down", "down", "up", "left", "end", "home", "pagedown", "k", "b", "enter", "t"],
    "b": ["down", "enter", "backspace", "b", "escape"],
    "k": ["backspace", "p", "s", "k", "b"],
    "shift+tab": ["down", "minus", "minus", "up", "enter", "i", "i", "m", "u", "o", "pagedown", "end", "plus"],
    "S": ["p", "n", "k", "d", "t", "m", "0", "8", "1", "backspace"],
    "e": ["down", "pagedown", "e"],
    "a": ["down", "down", "pagedown", "end", "enter"],
}


def _walk(rng: random.Random) -> list[str]:
    """Return a key that opens something, and some of the keys for it."""
    opened = rng.choice(list(_WALKS))
    return [opened, *rng.choices(_WALKS[opened], k=rng.randint(1, 10))]


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
            if rng.random() < COMMANDS and page.app.is_running and not page.app.failure:
                check_command(page.app)
    await page.settled()
    check(page)
    await check_history(page)


# The share of the checks that run the copied command, which takes longest.
COMMANDS = 0.02
# The name of the state that a session saves at its end.
SAVED = "saved.tsoft"


def run_events(rng: random.Random, count: int, *arguments: str, size: Size = (100, 30)) -> int:
    """Run a command that opens the explorer with events, in the current folder, and return the exit code.

    At the end, its state is saved, and opened again. Files stay in the folder.
    """
    drawn = random_events(rng, count)
    saved: list[Shown] = []

    async def drive(page: Page) -> None:
        playing = asyncio.ensure_future(play(page, rng, drawn))
        # An app that has failed or ended handles nothing more, so waiting for it would take until the time limit.
        while not playing.done() and page.app.is_running and page.app.failure is None:
            await asyncio.sleep(0.005)
        if not playing.done():
            playing.cancel()
            assert page.app.failure or getattr(page.app, "wanted", None), "the app ended without a key that ends it"
            return
        playing.result()
        if page.app.is_running and not page.app.failure:
            saved[:] = [shown(page.app)] if _save(page) else []
            page.app.post_message(key(rng.choice(_LAST)))

    async def reopen(page: Page) -> None:
        check(page)
        check_same(saved[0], shown(page.app))
        page.app.post_message(key("q"))

    write = export.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "write", lambda name, *what: write(os.path.basename(name) or ".svg", *what))
        patch.setattr(sys.stdout, "isatty", lambda: True)
        status = driven(drive, *arguments, size=size, has_threads=True)
        if saved:
            assert driven(reopen, "explore", SAVED, size=size, has_threads=True) == 0
    return status


def _save(page: Page) -> bool:
    """Save the state, and return whether that was possible."""
    try:
        text = page.app.session.saved_state().text()
    except UnsavableError:
        return False
    Path(SAVED).write_text(text, "utf-8")
    return True
