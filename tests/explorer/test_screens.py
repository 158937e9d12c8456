"""The explorer's whole screen as text. Run as a script, this file rewrites the snapshots.

The layout changes at 90 columns, and at 24 and 28 lines. From 120 columns and 38 lines, the screen also has the chart
of the chain while samplers are on.
"""

import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from driven import Page, explore
from markov import Markov
from tool import TESTS
from tsoft.options import models

DATA = TESTS / "data"
SNAPSHOTS = TESTS / "snapshots"
SIZES = {"60": (60, 20), "80": (80, 24), "100": (100, 30), "120": (120, 40), "160": (160, 50), "low": (100, 20)}
HOSTILE = ["[red]a=2", "\x1b[31mx=1.5", "日本語=1", "\u202eab=0.5", "=0", "x" * 60 + "=-1"]
FRANCE = str(DATA / "llama-server.json")
# The arguments and the keys.
SCREENS: dict[str, tuple[list[str], list[str]]] = {
    "examples": ([], ["n"]),
    "chain": (
        ["cat=2", "dog=1", "bird=0.5", "fish=-inf", "--top-p", "0.8", "--top-k", "3", "--bits"],
        ["down", "right"],
    ),
    "draws": (["cat=2", "dog=1", "bird=0.5", "fish=0.1", "--tau", "2", "--seed", "1"], ["S", "s"]),
    "response": (["-i", FRANCE, "--tau", "0.8"], ["n", "n", "n"]),
    "hostile": (HOSTILE, ["tab", "tab", "tab", "tab", "down", "down"]),
    "live": (["--prompt", "The capital of France is", "--tau", "0.8", "--seed", "4"], ["S", "p", "p", "p"]),
    "engines": (
        ["was=2", "is=1", "had=0.5", "a=0.1", "--tau", "0.5", "--min-p", "0.3", "--like", "vllm,llama.cpp"],
        ["tab", "tab", "tab", "tab", "down"],
    ),
    "explained": (["2", "1", "0.5", "0.1", "--top-k", "3", "--min-p", "0.2"], ["e"]),
    "help": (["cat=2", "dog=1"], ["question_mark"]),
}


# The sizes of one explorer, which does not lay out the screen behind a dialog again.
SIZES_OF = {name: [["60", "100"]] for name in SCREENS} | {
    "draws": [["60", "80", "low", "100"]],
    "examples": [["60", "100", "160"]],
    "engines": [["60", "100", "120"]],
    "explained": [["60"], ["100"]],
}
CASES = [(name, sizes) for name, explorers in SIZES_OF.items() for sizes in explorers]


def shown(name: str, sizes: list[str]) -> dict[str, str]:
    """Return the screen in each size. The keys are pressed in the first one."""
    arguments, keys = SCREENS[name]
    screens: dict[str, str] = {}

    async def drive(page: Page) -> None:
        await page.press(*keys)
        for size in sizes:
            await page.resize(*SIZES[size])
            screens[size] = page.text() + "\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "open_model", lambda _: Markov())
        assert explore(drive, *arguments, size=SIZES[sizes[0]]) == 0
    return screens


def snapshot_file(name: str, size: str) -> Path:
    return SNAPSHOTS / f"explore-{name}-{size}.txt"


@pytest.mark.parametrize(("name", "sizes"), CASES)
def test_screens(name: str, sizes: list[str]) -> None:
    for size, text in shown(name, sizes).items():
        assert text == snapshot_file(name, size).read_text("utf-8")
        width, height = SIZES[size]
        lines = text.split("\n")
        assert len(lines) == height + 1
        assert max(map(cell_len, lines)) <= width


if __name__ == "__main__":
    for name, sizes in CASES:
        for size, text in shown(name, sizes).items():
            snapshot_file(name, size).write_text(text, "utf-8")
    sys.exit()
