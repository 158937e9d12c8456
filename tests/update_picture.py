"""Write the pictures in .github: explore.svg and, if tsoft[llm] is installed, generate.svg.

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
from tsoft.explorer.app import Explorer
from tsoft.explorer.examples import examples
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.sampler_state import SamplerState

PICTURES = Path(__file__).parent.parent / ".github"
# The keys before the screenshot: the second example, a higher temperature, top-p on, and 300 draws.
KEYS = ["n", "shift+right", "tab", "tab", "space", "S", "S", "S"]
GENERATE = ["generate", "Once upon a time", "--tau", "0.2,0.7,1,1.5", "--seed", "2", "--max-tokens", "45"]
WIDTH = 110


async def explore_picture() -> str:
    """Return a screenshot of the explorer as SVG."""
    app = Explorer(
        ExplorerInput(examples(), ExplorerState(SamplerState.from_chain(None, 1.0)), generator=np.random.default_rng(1))
    )
    async with app.run_test(size=(100, 32)) as pilot:
        await pilot.press(*KEYS)
        # The second worker draws the curves.
        for _ in range(2):
            await app.workers.wait_for_complete()
            await pilot.pause()
        return app.export_screenshot(title="tsoft explore")


def generate_picture() -> str:
    """Return what `tsoft generate` prints on a terminal as SVG."""
    environ = environment(COLUMNS=str(WIDTH), FORCE_COLOR="1")
    command = [TSOFT, *GENERATE, "--format", "table"]
    output = subprocess.run(command, capture_output=True, env=environ, check=True).stdout.decode()
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="256")
    console.print(Text.from_ansi(output))
    return console.export_svg(title='tsoft generate "Once upon a time" --tau 0.2,0.7,1,1.5', unique_id="generate")


if __name__ == "__main__":
    (PICTURES / "explore.svg").write_text(asyncio.run(explore_picture()), "utf-8")
    if importlib.util.find_spec("llama_cpp"):
        (PICTURES / "generate.svg").write_text(generate_picture(), "utf-8")
