"""Writes the README's picture of the explorer to .github/explore.svg.

python tests/update_picture.py
"""

import asyncio
from pathlib import Path

import numpy as np

from tsoft.explorer.app import Explorer, Start
from tsoft.explorer.board import Board
from tsoft.explorer.examples import examples

PICTURE = Path(__file__).parent.parent / ".github" / "explore.svg"
# What is typed before it is taken: a peaked next token, hotter, without the tail that top-p cuts; 300 draws.
TYPED = ["n", "shift+right", "tab", "tab", "space", "S", "S", "S"]


async def picture() -> str:
    """The screen, as the explorer exports it."""
    app = Explorer(Start(examples(), Board.of(None, 1.0), generator=np.random.default_rng(1)))
    async with app.run_test(size=(100, 32)) as pilot:
        await pilot.press(*TYPED)
        # The curves are those of the second worker.
        for _ in range(2):
            await app.workers.wait_for_complete()
            await pilot.pause()
        return app.export_screenshot(title="tsoft explore")


if __name__ == "__main__":
    PICTURE.write_text(asyncio.run(picture()), "utf-8")
