"""The examples in the README and the manual equal the output of the program, and the tables of samplers and engines
equal those of the code. Run as a script, this module updates both.

python tests/test_docs.py [PAGE.md ...]
"""

import contextlib
import doctest
import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import generated_tables
from cases import each_case
from tool import here_in_bytes, in_terminal, look, status_on_terminal

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "src/tsoft/docs").glob("*.md"))]
BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
# A run of tsoft without shell syntax. Its notes may be discarded.
RUN = re.compile(r"tsoft ((?:[^|&<>$*`;]|;(?! ))+?)( 2>/dev/null)?")
LOOK: Any = {"NO_COLOR": "1", "TERM": "dumb"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the examples need a POSIX shell")


def read(page: Path) -> str:
    return page.read_text("utf-8")


def printed(block: str) -> str:
    """Return the commands of a block, each with its output on a terminal of 80 columns."""
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{output(command.removeprefix('$ '))}" for command in commands)


# Some pages have the same example.
@functools.cache
def output(command: str) -> str:
    """Return the output of a shell command on a terminal. Pipelines run in this process, which is faster."""
    pipeline, _, otherwise = command.partition(" || ")
    stages = [(stage, RUN.fullmatch(stage)) for stage in pipeline.split(" | ")]
    last = stages[-1][1]
    if any("tsoft" in stage and not run for stage, run in stages) or not any(run for _, run in stages):
        return in_terminal(command, cwd=str(ROOT), **LOOK)
    notes, data = "", b""
    with contextlib.chdir(ROOT), look(**LOOK):
        for stage, run in stages[:-1] if last else stages:
            if run:
                done = here_in_bytes(*shlex.split(run[1]), stdin=data)
            else:
                done = subprocess.run(["/bin/sh", "-c", stage], input=data, capture_output=True)
            data, notes = done.stdout, notes + ("" if run and run[2] else done.stderr.decode())
        if not last:
            return notes + data.decode()
        stdin = data if len(stages) > 1 else None
        status, text = status_on_terminal(*shlex.split(last[1]), stdin=stdin, notes=not last[2], **LOOK)
    assert status == 0 or otherwise
    return notes + text + (f"exit code {status}\n" if status and otherwise != "true" else "")


def rounded(text: str) -> str:
    """Return the text with its long numbers rounded, because their last digits depend on the exp of the machine."""
    return re.sub(r"\d\.\d{11,}(e-?\d+)?", lambda match: f"{float(match[0]):.12g}", text)


BLOCKS = [pytest.param(block, id=page.name) for page in PAGES for block in BLOCK.findall(read(page))]


@pytest.mark.parametrize("block", BLOCKS)
def test_output_of_commands(block: str) -> None:
    assert rounded(printed(block)) == rounded(block)


@pytest.mark.parametrize("page", [page for page in PAGES if ">>> " in read(page)], ids=lambda page: page.name)
def test_python_examples(page: Path) -> None:
    results = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert results.attempted > 0
    assert results.failed == 0


@each_case("page", PAGES)
def test_tables_equal_those_of_the_code(page: Path) -> None:
    assert generated_tables.updated(read(page)) == read(page)


@each_case("table", generated_tables.TABLES.values())
def test_a_page_has_each_table_of_the_code(table: str) -> None:
    assert any(table in read(page) for page in PAGES)


if __name__ == "__main__":
    for page in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        text = generated_tables.updated(read(page))
        page.write_text(BLOCK.sub(lambda match: printed(match[0]), text), "utf-8")
