"""The README's examples are what the program prints. Run as a script, this writes them anew."""

import contextlib
import doctest
import re
import shlex
import sys
from pathlib import Path

import pytest

from tool import here, in_terminal

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the examples are a shell's")


def printed(block: str) -> str:
    """The block's commands, each with what it prints on a terminal of 80 columns."""
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{output(command.removeprefix('$ '))}" for command in commands)


def output(command: str) -> str:
    """What a line for a shell prints; in this process, which is quicker, if it is one run of tsoft."""
    single = command.removesuffix(" | cat")
    if single != command and single.startswith("tsoft ") and not re.search(r"[|&<>$*`\\]", single):
        with contextlib.chdir(ROOT):
            done = here(*shlex.split(single)[1:])
        # Which notes come before which results is the terminal's matter.
        if not done.stderr:
            return done.stdout
    return in_terminal(command, NO_COLOR="1", TERM="dumb", cwd=str(ROOT))


def rounded(text: str) -> str:
    """The text with its long numbers cut: their last digits are the machine's exp, not ours."""
    return re.sub(r"\d\.\d{11,}(e-?\d+)?", lambda match: f"{float(match[0]):.12g}", text)


def test_there_are_examples() -> None:
    assert len(BLOCK.findall(README.read_text("utf-8"))) > 5


@pytest.mark.parametrize("block", BLOCK.findall(README.read_text("utf-8")))
def test_commands(block: str) -> None:
    assert rounded(printed(block)) == rounded(block)


def test_python() -> None:
    ran = doctest.testfile(str(README), module_relative=False, encoding="utf-8")
    assert ran.attempted > 0
    assert ran.failed == 0


if __name__ == "__main__":
    README.write_text(BLOCK.sub(lambda match: printed(match[0]), README.read_text("utf-8")), "utf-8")
