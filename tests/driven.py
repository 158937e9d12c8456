"""Drive the explorer with keys and the mouse, without a terminal."""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TextIO

import pytest
from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.geometry import Region
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets._toast import Toast

from tsoft import cli
from tsoft.charts import curves
from tsoft.charts.curves import Chart
from tsoft.charts.view import Screen
from tsoft.core.softmax import Array
from tsoft.explorer import curve_chart, curve_thread, model_requests, terminal
from tsoft.explorer.app import Explorer
from tsoft.explorer.curve_chart import CurveChart
from tsoft.explorer.curve_thread import CurvesComputed

Size = tuple[int, int]
Position = tuple[int, int]


class Page:
    """The explorer as its user sees it. Each method waits until the explorer has handled the input, unless it says
    otherwise.
    """

    def __init__(self, pilot: Pilot[None]):
        assert isinstance(pilot.app, Explorer)
        self.app, self.pilot = pilot.app, pilot
        # The screen since the last event, if a test has read it.
        self._strips: list[Strip] | None = None
        # Whether the test has read the screen or a part of it.
        self.is_read = False

    @property
    def _is_busy(self) -> bool:
        """Whether the app or a widget handles a message, or a message is waiting to be handled."""
        queues: list[Any] = [pump._message_queue for pump in [self.app, *self.app._registry] if pump._running]
        # The event has a waiter when the app or the widget waits for its next message.
        return any(queue.values or not queue.ready_event._waiters for queue in queues)

    async def _handled(self) -> None:
        """Wait until every message is handled and every model has answered."""
        # A message may lead to others a few rounds of the event loop later.
        idle_rounds = 0
        while idle_rounds < 10:
            await asyncio.sleep(0)
            models = [thread for thread in threading.enumerate() if thread.name == model_requests.MODEL_THREAD]
            for thread in models:
                await asyncio.to_thread(thread.join)
            idle_rounds = 0 if models or self._is_busy else idle_rounds + 1

    async def settled(self) -> None:
        """Wait for all messages, all curves, all answers of a model, and the repainted screen."""
        self._strips = None
        running = True
        while running or self._is_busy:
            await self._handled()
            workers = [worker for worker in self.app.workers if not worker.is_finished]
            running = bool(workers)
            # A worker raises an error when a newer one replaces it.
            await asyncio.gather(*(worker.wait() for worker in workers), return_exceptions=True)
            if not running and self.app.is_running:
                # Textual does the same at the next frame.
                self.app.screen._on_timer_update()
                running = any(not worker.is_finished for worker in self.app.workers)

    async def press(self, *keys: str) -> None:
        """Press keys, each when the messages of the previous key are handled.

        Textual's `Pilot.press` waits after each key until the CPU is idle, which takes longer.
        """
        for name in keys:
            self.app.post_message(events.Key(name, name if len(name) == 1 else None))
            await self._handled()
        await self.settled()

    async def rush(self, *keys: str) -> None:
        """Press keys without a pause, and wait only until the app and its screen have received them all."""
        self._strips = None
        for name in keys:
            self.app.post_message(events.Key(name, name if len(name) == 1 else None))
        await self._received(self.app)
        if self.app.is_running and self.app.failure is None:
            await self._received(self.app.screen)

    async def _received(self, receiver: MessagePump) -> None:
        """Wait until the app or the screen has received the messages so far."""
        received = asyncio.Event()
        receiver.call_later(received.set)
        while not received.is_set() and self.app.failure is None and self.app.is_running:
            await asyncio.sleep(0.001)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true, which a thread makes true."""
        self._strips = None
        while not condition():
            await asyncio.sleep(0.001)
            self._strips = None

    async def paste(self, text: str) -> None:
        """Paste a text, which is faster than typing it."""
        self.app.post_message(events.Paste(text))
        await self.settled()

    async def click(self, x: int, y: int) -> None:
        await self.drag((x, y))

    async def drag(self, start: Position, *path: Position) -> None:
        """Press the mouse button, move the mouse along a path, and release the button."""
        await self._point(events.MouseDown, start)
        for position in path:
            await self._point(events.MouseMove, position)
        await self._point(events.MouseUp, [start, *path][-1])

    async def hover(self, x: int, y: int) -> None:
        await self._point(events.MouseMove, (x, y))

    async def wheel(self, x: int, y: int, *, up: bool, shift: bool = False) -> None:
        await self._point(events.MouseScrollUp if up else events.MouseScrollDown, (x, y), shift=shift)

    async def _point(self, kind: type[events.MouseEvent], position: Position, *, shift: bool = False) -> None:
        x, y = position
        self.app.post_message(kind(None, x, y, 0, 0, 1, shift, False, False, screen_x=x, screen_y=y))
        await self.settled()

    async def resize(self, width: int, height: int) -> None:
        await self.pilot.resize_terminal(width, height)
        await self.settled()

    def lines(self, widget: str | None = None) -> list[str]:
        """Return the lines of the screen or of a widget."""
        self.is_read = True
        if widget in (None, "#curve", "#measures"):
            show_wanted()
        if not widget:
            return [strip.text for strip in self.strips()]
        return self._lines(self.app.screen.query_one(widget, Widget).region)

    @property
    def notices(self) -> str:
        """The notifications on the screen, each as one line, without their border."""
        toasts = (self._lines(toast.region) for toast in self.app.screen.query(Toast))
        return "\n".join(" ".join(" ".join(line.strip("▌ ") for line in lines).split()) for lines in toasts)

    def _lines(self, region: Region) -> list[str]:
        part = region.intersection(self.app.screen.region)
        if self._strips is None and part != self.app.screen.region:
            return self._part(part)
        return [strip.crop(part.x, part.right).text for strip in self.strips()[part.y : part.bottom]]

    def strips(self) -> list[Strip]:
        """Render the screen, with the screens behind it. The screen changes only while the test waits."""
        if self._strips is None:
            show_wanted()
            visible_screen_stack.set(self.app._background_screens)
            self._strips = self.app.screen._compositor.render_strips()
        return self._strips

    def _part(self, part: Region) -> list[str]:
        """Render the widgets in a part of the screen, which takes less time."""
        visible_screen_stack.set(self.app._background_screens)
        compositor = self.app.screen._compositor
        widgets = {widget: place for widget, place in compositor.visible_widgets.items() if part.overlaps(place[0])}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compositor, "_cuts", compositor.cuts)
            patch.setattr(compositor, "_visible_widgets", widgets)
            chops = compositor._render_chops(part, range(part.y, part.bottom).__contains__)[part.y : part.bottom]
        return ["".join(chop.text for x, chop in line.items() if part.x <= x < part.right) for line in chops]

    def text(self, widget: str | None = None) -> str:
        return "\n".join(line.rstrip() for line in self.lines(widget))

    def find(self, text: str, widget: str | None = None) -> Position:
        """Return the column and line of the first occurrence of a text on the screen."""
        region = self.app.screen.query_one(widget, Widget).region if widget else self.app.screen.region
        for y, line in enumerate(self.lines(widget)):
            if text in line:
                return region.x + cell_len(line[: line.index(text)]), region.y + y
        raise AssertionError(f"{text!r} is not in\n{self.text(widget)}")

    def style(self, x: int, y: int) -> Style:
        """Return the style of a character on the screen."""
        strip = self.strips()[y].crop(x, x + 1)
        return next(iter(strip)).style or Style()

    def option(self, name: str) -> str | None:
        """Return the value of an option in the command line that the explorer shows."""
        import shlex

        words = shlex.split(self.app.command_line)
        return words[words.index(name) + 1] if name in words else None

    @property
    def tau(self) -> float:
        return float(self.option("--tau") or "nan")


Drive = Callable[[Page], Awaitable[None]]

parse_rules = Stylesheet._parse_rules


def parse_rules_once(sheet: Stylesheet, *arguments: Any, **keywords: Any) -> list[RuleSet]:
    """Parse a style sheet, or return the rules of an earlier explorer: the parser takes a tenth of each start."""
    key = (tuple(sorted(sheet._variables.items())), arguments, tuple(sorted(keywords.items())))
    if key not in RULES:
        RULES[key] = parse_rules(sheet, *arguments, **keywords)
    return RULES[key]


RULES: dict[Hashable, list[RuleSet]] = {}

apply = Stylesheet.apply


class Styles(dict[Any, Any]):
    """The styles that Textual has found, which all explorers share: finding them takes a quarter of each start.

    Textual has such a cache for each update, whose keys begin with the parent of a node. These keys begin with what a
    rule may match in the parent and in its ancestors.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self._shared(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(self._shared(key), value)

    def _shared(self, key: Any) -> Hashable:
        path = key[0].css_path_nodes if key[0] else ()
        return (*[(n._css_type_name, n._id, n.classes, n._pseudo_classes_cache_key) for n in path], key[1:])


def apply_once(sheet: Any, node: DOMNode, *, animate: bool = False, cache: object = None) -> None:
    """Apply a style sheet to a node, with the styles for the same rules and colors."""
    if getattr(sheet, "shared", None) is None or sheet.shared[0] is not sheet.rules_map:
        key = (node.app.no_color, *map(id, sheet.rules))
        sheet.shared = sheet.rules_map, STYLES.setdefault(key, Styles())
    apply(sheet, node, animate=animate, cache=sheet.shared[1])


STYLES: dict[Hashable, Styles] = {}

draw_curves = curves.curve_chart


def draw_curves_once(names: list[str], taus: Array, probs: Array, screen: Screen, **keywords: Any) -> Chart:
    """Draw the chart of some curves, or return that of an earlier explorer: plotext takes a tenth of the time."""
    key = (tuple(names), probs.tobytes(), screen, tuple(keywords.items()))
    if key not in CHARTS:
        CHARTS[key] = draw_curves(names, taus, probs, screen, **keywords)
    return CHARTS[key]


CHARTS: dict[Hashable, Chart] = {}

# What shows the latest curves, and what draws their chart. Both take as long as all the rest after a key, so they run
# when a test reads the screen, and not in a thread.
WANTED: dict[str, Callable[[], object]] = {}


def show_wanted() -> None:
    """Show the curves and their chart, if they have changed."""
    for name in ("curves", "chart"):
        WANTED.pop(name, lambda: None)()


def compute_when_read(explorer: Any, row: Any, compute: Callable[[Any], Any]) -> None:
    WANTED["curves"] = lambda: explorer.on_curves_computed(CurvesComputed(row, compute(lambda: False)))


def draw_when_read(chart: CurveChart, *arguments: Any) -> None:
    WANTED["chart"] = lambda: chart._show_drawn(curve_chart.draw_chart(*arguments))


render_update = Compositor.render_update


def render_when_read(compositor: Compositor, full: bool = False, **keywords: Any) -> object:
    """Render nothing when the screen changes, because without a terminal Textual would throw it away. A test that
    reads the screen, and an export of it, render it then."""
    if full:
        return render_update(compositor, full, **keywords)
    compositor._dirty_regions.clear()
    return None


def explore(drive: Drive, *arguments: str, **keywords: Any) -> int:
    """Run `tsoft explore` in this process on a screen of this size, let `drive` use it, and return the exit code."""
    return driven(drive, "explore", *arguments, **keywords)


def driven(
    drive: Drive, *arguments: str, size: Size = (100, 30), has_threads: bool = False, stdin: TextIO | None = None
) -> int:
    """Run a command that opens the explorer, as `explore` does. If it opens several apps, `drive` uses each.

    With `has_threads`, threads compute the curves and draw them after each change, as without the test.
    """

    def run(explorer: Explorer, *_: Any, **__: Any) -> None:
        async def run_and_drive() -> None:
            async with explorer.run_test(size=size, notifications=True) as pilot:
                page = Page(pilot)
                await page.settled()
                await drive(page)
                if explorer.is_running and explorer.failure is None and not page.is_read:
                    # Each test at least renders the screen at its end, without the curves.
                    WANTED.clear()
                    page.lines()

        asyncio.run(asyncio.wait_for(run_and_drive(), 60))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "check", lambda *_: None)
        patch.setattr(terminal, "read_keys", lambda: None)
        patch.setattr(Explorer, "run", run)
        patch.setattr(Stylesheet, "_parse_rules", parse_rules_once)
        patch.setattr(Stylesheet, "apply", apply_once)
        # As fast as the hash of any object, which it equals.
        patch.setattr(RuleSet, "__hash__", object.__hash__)
        patch.setattr(curve_chart, "curve_chart", draw_curves_once)
        patch.setattr(Compositor, "render_update", render_when_read)
        WANTED.clear()
        if not has_threads:
            patch.setattr(curve_thread, "compute_in_thread", compute_when_read)
            patch.setattr(CurveChart, "_draw", draw_when_read)
        # The tests wait for the curves after each key, so the explorer draws them without a delay.
        patch.setattr(curve_thread, "CURVE_DELAY", 0)
        patch.setattr(sys, "stdin", stdin)
        # A failed assertion raises, and is not reported as an internal error.
        patch.setenv("TSOFT_TRACEBACK", "1")
        return cli.run(list(arguments))
