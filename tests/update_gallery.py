"""Draw the figures of the manual's page `figures` again: python tests/update_gallery.py"""

import contextlib
import re
import shlex
from pathlib import Path

from tool import here

ROOT = Path(__file__).parents[1]
PAGE, FOLDER = ROOT / "src/tsoft/docs/figures.md", ROOT / ".github/figures"


def commands() -> dict[str, list[str]]:
    """Return the arguments of each command on the page, without its output, by the name of the figure."""
    lines = re.findall(r"^    tsoft (.*) -o (\S+\.svg)$", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: shlex.split(line) for line, name in lines}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with contextlib.chdir(ROOT):
        for name, arguments in commands().items():
            done = here(*arguments, "-o", str(FOLDER / name))
            assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    main()
