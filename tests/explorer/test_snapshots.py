"""The explorer's whole screen as text, at three sizes. Run as a script, this writes the screens anew."""

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
SIZES = [(60, 20), (100, 30), (160, 50)]
HOSTILE = ["[red]a=2", "\x1b[31mx=1.5", "日本語=1", "\u202eab=0.5", "=0", "x" * 60 + "=-1"]
FRANCE = str(DATA / "llama-server.json")
# The arguments, and the keys that are pressed.
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
    "explained": (["2", "1", "0.5", "0.1", "--top-k", "3", "--min-p", "0.2"], ["e"]),
}


def shown(name: str, size: tuple[int, int]) -> str:
    arguments, keys = SCREENS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "open_model", lambda _: Markov())
        return screen(arguments, keys, size)


def kept(name: str, size: tuple[int, int]) -> Path:
    return SNAPSHOTS / f"explore-{name}-{size[0]}.txt"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCREENS)
def test_screens(name: str, size: tuple[int, int]) -> None:
    assert shown(name, size) == kept(name, size).read_text("utf-8")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_no_larger_than_the_terminal(name: str, size: tuple[int, int]) -> None:
    """Of what is kept, which is what is on the screen."""
    lines = kept(name, size).read_text("utf-8").split("\n")
    assert len(lines) == size[1] + 1
    assert max(map(cell_len, lines)) <= size[0]


if __name__ == "__main__":
    for name in SCREENS:
        for size in SIZES:
            kept(name, size).write_text(shown(name, size), "utf-8")
    sys.exit()
