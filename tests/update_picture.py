"""Writes the README's pictures to .github: explore.svg, and where tsoft[llm] is installed generate.svg.

python tests/update_picture.py
"""

import asyncio
import importlib.util
import io
import subprocess
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from tool import TSOFT, environment
from tsoft.explorer.app import Explorer, Start
from tsoft.explorer.examples import examples
from tsoft.explorer.sampler_state import Board

PICTURES = Path(__file__).parent.parent / ".github"
# What is typed before it is taken: a peaked next token, hotter, without the tail that top-p cuts; 300 draws.
TYPED = ["n", "shift+right", "tab", "tab", "space", "S", "S", "S"]
GENERATE = ["generate", "Once upon a time", "--tau", "0.2,0.7,1,1.5", "--seed", "2", "--max-tokens", "45"]
WIDTH = 110


async def explored() -> str:
    """The screen, as the explorer exports it."""
    app = Explorer(Start(examples(), Board.of(None, 1.0), generator=np.random.default_rng(1)))
    async with app.run_test(size=(100, 32)) as pilot:
        await pilot.press(*TYPED)
        # The curves are those of the second worker.
        for _ in range(2):
            await app.workers.wait_for_complete()
            await pilot.pause()
        return app.export_screenshot(title="tsoft explore")


def generated() -> str:
    """What is on the screen at the end."""
    environ = environment(COLUMNS=str(WIDTH), FORCE_COLOR="1")
    command = [TSOFT, *GENERATE, "--format", "table"]
    shown = subprocess.run(command, capture_output=True, env=environ, check=True).stdout.decode()
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="256")
    console.print(Text.from_ansi(shown))
    return console.export_svg(title='tsoft generate "Once upon a time" --tau 0.2,0.7,1,1.5', unique_id="generate")


if __name__ == "__main__":
    (PICTURES / "explore.svg").write_text(asyncio.run(explored()), "utf-8")
    if importlib.util.find_spec("llama_cpp"):
        (PICTURES / "generate.svg").write_text(generated(), "utf-8")
