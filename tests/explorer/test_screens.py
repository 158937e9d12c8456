"""The explorer's whole screen as text. Run as a script, this file rewrites the snapshots.

The layout changes at 90 columns, and at 24 and 28 lines. From 120 columns and 38 lines, the screen also has the chart
of the chain while samplers are on.
"""

import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from driven import screen
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


CASES = [
    *((name, size) for name in SCREENS for size in ("60", "100")),
    *(("draws", size) for size in ("80", "low")),
    ("examples", "160"),
    ("engines", "120"),
]


def shown(name: str, size: str) -> str:
    arguments, keys = SCREENS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "open_model", lambda _: Markov())
        return screen(arguments, keys, SIZES[size])


def snapshot_file(name: str, size: str) -> Path:
    return SNAPSHOTS / f"explore-{name}-{size}.txt"


@pytest.mark.parametrize(("name", "size"), CASES)
def test_screens(name: str, size: str) -> None:
    text = shown(name, size)
    assert text == snapshot_file(name, size).read_text("utf-8")
    width, height = SIZES[size]
    lines = text.split("\n")
    assert len(lines) == height + 1
    assert max(map(cell_len, lines)) <= width


if __name__ == "__main__":
    for name, size in CASES:
        snapshot_file(name, size).write_text(shown(name, size), "utf-8")
    sys.exit()
