"""Pages of texts in a browser: escaping, hover, keyboard focus, windows of all sizes, and colors."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import CHROMIUM, Browser, started_browser
from output.test_text_page import ELEMENTS, HOSTILE, contrast, response
from tool import here
from tsoft.errors import visible_lines

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

# A response with tokens of all colors and 25 alternatives.
PROBS = [0.9, 0.3, 0.1, 0.05, 0.03, 0.01, 0.003, 1e-4]
NAMES = [f" alternative{i}" for i in range(25)]
# A point without a token or a tooltip.
CORNER = (5, 5)
TOKENS = (*HOSTILE, "x" * 300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Browser]:
    with started_browser(folder / "profile") as browser:
        yield browser


@pytest.fixture
def browser(running: Browser) -> Browser:
    """A large window without a mouse over the text."""
    running.resize(1200, 800)
    running.prefer("light")
    running.point(*CORNER)
    return running


@pytest.fixture(scope="module")
def hostile(folder: Path) -> Path:
    return written(folder / "hostile.html", response(TOKENS))


@pytest.fixture(scope="module")
def colorful(folder: Path) -> Path:
    content = []
    for prob in PROBS:
        rest = [{"token": name, "logprob": math.log((1 - prob) / 2 ** (i + 2))} for i, name in enumerate(NAMES)]
        chosen = {"token": "a\n", "logprob": math.log(prob)}
        content.append({**chosen, "top_logprobs": [chosen, *rest]})
    return written(folder / "colorful.html", json.dumps({"choices": [{"logprobs": {"content": content}}]}))


def written(file: Path, stdin: str) -> Path:
    done = here("compute", "-o", str(file), stdin=stdin)
    assert done.returncode == 0, done.stderr
    return file


def tooltip(browser: Browser, number: int) -> str | None:
    """Return what the tooltip of a token shows, None without one."""
    content = browser.value(f"getComputedStyle(document.querySelectorAll('[data-t]')[{number}], '::after').content")
    if content == "none":
        return None
    # The escapes of a text in CSS: that of a line break, and those of quotes and backslashes.
    return re.sub(r"\\(a |.)", lambda escape: "\n" if escape[1] == "a " else escape[1], str(content)[1:-1])


def text(browser: Browser, number: int) -> str:
    return str(browser.value(f"document.querySelectorAll('[data-t]')[{number}].dataset.t"))


def middle(browser: Browser, number: int) -> list[float]:
    """Return the middle of a token in the window."""
    box = f"document.querySelectorAll('[data-t]')[{number}].getBoundingClientRect()"
    return list(browser.value(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({box})"))


def test_hostile_tokens_are_text(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    assert set(browser.value("[...document.querySelectorAll('*')].map((element) => element.localName)")) <= ELEMENTS
    shown = browser.value("[...document.querySelectorAll('[data-t]')].map((token) => token.textContent)")
    assert shown == list(map(visible_lines, TOKENS))


def test_tab_moves_from_tooltip_to_tooltip(browser: Browser, colorful: Path) -> None:
    browser.open(colorful)
    assert tooltip(browser, 0) is None
    browser.tab()
    assert tooltip(browser, 0) == text(browser, 0)
    browser.tab()
    assert (tooltip(browser, 0), tooltip(browser, 1)) == (None, text(browser, 1))
    browser.tab(back=True)
    assert (tooltip(browser, 0), tooltip(browser, 1)) == (text(browser, 0), None)


def test_the_tooltip_under_the_mouse_covers_that_of_the_focus(browser: Browser, colorful: Path) -> None:
    browser.open(colorful)
    browser.tab()
    browser.point(*middle(browser, 3))
    assert tooltip(browser, 3) == text(browser, 3)
    layers = [
        int(browser.value(f"getComputedStyle(document.querySelectorAll('[data-t]')[{i}], '::after').zIndex"))
        for i in (0, 3)
    ]
    assert layers[0] < layers[1]
    browser.point(*CORNER)
    assert (tooltip(browser, 3), tooltip(browser, 0)) == (None, text(browser, 0))


# The hint has the style of a tooltip. What a pseudo-element contains cannot be measured.
ROOM = """(() => {
  const token = document.activeElement, hint = document.querySelector("aside");
  hint.textContent = token.dataset.t;
  hint.style.height = getComputedStyle(token, "::after").height;
  const box = hint.getBoundingClientRect(), place = token.getBoundingClientRect();
  return {
    left: box.left, right: innerWidth - box.right, top: box.top, bottom: innerHeight - box.bottom,
    across: hint.clientWidth - hint.scrollWidth, down: hint.clientHeight - hint.scrollHeight,
    beside: Math.max(box.top - place.bottom, box.left - place.right),
  };
})()"""


@pytest.mark.parametrize("size", [(1200, 500), (800, 400), (360, 640)])
def test_a_tooltip_of_20_alternatives_is_whole_and_beside_its_token(
    size: tuple[int, int], browser: Browser, colorful: Path
) -> None:
    browser.resize(*size)
    browser.open(colorful)
    for _ in PROBS:
        browser.tab()
        assert browser.value("document.activeElement.dataset.t.split('\\n').length") >= 26
        room = browser.value(ROOM)
        assert min(room.values()) >= 0, room


@pytest.mark.parametrize("size", [(1200, 800), (400, 800)])
def test_the_page_is_not_wider_than_its_window(size: tuple[int, int], browser: Browser, hostile: Path) -> None:
    browser.resize(*size)
    browser.open(hostile)
    assert browser.value("document.documentElement.scrollWidth") <= size[0]


STYLES = """[...document.querySelectorAll("[data-t], .fact, h1, aside")].map((element) => {
  const style = getComputedStyle(element);
  return [style.color, style.backgroundColor];
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_the_preferred_scheme(scheme: str, browser: Browser, colorful: Path) -> None:
    browser.prefer(scheme)
    browser.open(colorful)
    paper = rgb(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert (sum(paper) > 600) == (scheme == "light")
    styles = browser.value(STYLES)
    tints = {background for _, background in styles}
    assert len(tints) >= len(PROBS)
    for color, background in styles:
        # Without a color, the paper shows.
        behind = paper if background == "rgba(0, 0, 0, 0)" else rgb(background)
        assert contrast(rgb(color), behind) >= 4.5


def rgb(color: str) -> Any:
    return tuple(map(int, re.findall(r"\d+", color)[:3]))
