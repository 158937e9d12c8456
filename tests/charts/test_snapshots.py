"""`tsoft compute` on a terminal: whole screens, kept as text. Run as a script, this writes them anew."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tool import TESTS, environment, forked, in_terminal, on_terminal, out

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")

DATA = TESTS / "data"
SNAPSHOTS = TESTS / "snapshots"
HOSTILE = (
    r"""printf '日本 2\n"" 1.5\n%060d 1\n\033[31m[red] 0.5\n[/INST] 0.25\n\342\200\256x\\ny 0\n' 0 | tsoft compute"""
)
SCREENS = {
    "one": "tsoft compute 2 1 0.5 0.1 --tau 0.5",
    "limits": "tsoft compute cat=2 dog=1 bird=0.5 fish=-inf --tau 0,0.5,1,2,inf",
    "hostile": f"{HOSTILE} --tau 0.5,1",
    "rows": "seq 1 40 | paste -d' ' - - - - | tsoft compute --rows 2 --bits --sort --no-chart",
    "sweep": "tsoft sweep cat=2 dog=1 bird=0.5 fish=-inf",
    "sweep-many": f"{HOSTILE.replace('compute', 'sweep')} --scale linear --from 0 --measure log-sum-exp --bits",
    "heatmap": "seq 1 30 | paste -sd' ' - | tsoft sweep --heatmap --tau 0,0.5,1,2,4,8,inf --measure perplexity",
    "mean": "printf '2 1\n0 5\n1 1\n' | tsoft sweep --mean --measure top-prob",
    "solve": "tsoft solve cat=2 dog=1 bird=0 fish=0 --prob dog=0.26",
    "sample": "tsoft sample cat=2 dog=1 bird=0.5 fish=-inf --tau 0,1 --seed 1",
    "sample-many": f"{HOSTILE.replace('compute', 'sample')} -n 1e12 --sort --show 4 --tau 0.5 --seed 1",
    "energies": "tsoft compute J=0=0 J=1=4 J=2=12 --energies --degeneracy 1,3,5 --units cm-1 --tau 0,5,inf --no-chart",
    "energies-sweep": "tsoft sweep low=0 high=1 --energies --measure heat-capacity --units kJ/mol --from 10 --to 1000",
    "energies-mean": "printf '0 1\n0 2\n' | tsoft sweep --energies --mean --measure mean-energy --units eV -t 3e3,9e3",
    "anneal": "tsoft anneal --schedule all",
    "bandit": "tsoft bandit 1 0.9 0.5 -0.5 --schedule exponential,linear --steps 300 --runs 100 --seed 1",
    "distill": f"tsoft distill -i {DATA}/teacher.csv --student {DATA}/student.csv --targets {DATA}/targets.txt",
    "distill-mean": f"tsoft distill -i {DATA}/teacher.csv --mean --tau 1,2,3,5,8",
    "response": f"tsoft compute -i {DATA}/llama-server-post-sampling.json --rows 4 --tau 0.5,2 --chosen 2>/dev/null",
    "calibrate": f"tsoft calibrate -i {DATA}/digits-val.npz --test {DATA}/digits-test.npz --bins 8",
    "calibrate-few": "printf 'a,b,c,target\\n5,1,0,b\\n2,1,0,a\\n3,2,0,a\\n' | tsoft calibrate --digits 3 2>/dev/null",
    "next": f"tsoft next 'In the evening the' --ngram {DATA}/barn.txt --tau 0.5,2 --show 5",
    # A terminal that cannot draw again shows what others have at the end.
    "generate": f"TERM=dumb tsoft generate 'The cat\\n\033[31m' --ngram {DATA}/barn.txt --tau 0.2,1,5 --greedy --beams 3"  # noqa: E501
    " -n 2 --max-tokens 15 --seed 1",
    "vocabulary": "seq 1 500 | paste -sd' ' - | tsoft compute --tau 20,50 --show 4 --log",
}


def screen(name: str, width: int) -> str:
    # One width of each is really started: every command, table and chart, so that a break of the start or of what
    # it imports is seen. The other widths differ from it in nothing that is of the start.
    environ = environment(NO_COLOR="1") if width == 80 else forked(NO_COLOR="1")
    return on_terminal(SCREENS[name], width, environ)


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("name", SCREENS)
def test_screens(name: str, width: int) -> None:
    assert screen(name, width) == (SNAPSHOTS / f"{name}-{width}.txt").read_text("utf-8")


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("name", SCREENS)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    """Of what is kept, which is what is on the screen."""
    from rich.cells import cell_len

    kept = (SNAPSHOTS / f"{name}-{width}.txt").read_text("utf-8")
    assert max(map(cell_len, kept.splitlines())) <= width


def test_colours_are_of_the_foreground_and_neither_black_nor_white() -> None:
    shown = in_terminal(SCREENS["hostile"])
    codes = set(re.findall(r"\x1b\[([\d;]*)m", shown))
    assert codes
    assert not re.search(r"\x1b(?!\[[\d;]*m)", shown)
    for code in codes:
        assert code in ("0", "1", "2") or re.fullmatch(r"38;5;\d+", code)
        assert code not in ("38;5;0", "38;5;7", "38;5;8", "38;5;15", "38;5;16", "38;5;231")


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_are_none(changes: Any) -> None:
    plain = in_terminal(SCREENS["hostile"], **changes)
    assert "\x1b" not in plain
    coloured = in_terminal(SCREENS["one"])
    stripped = re.sub(r" *(\x1b\[[\d;]*m *)+$", "", coloured, flags=re.MULTILINE)
    assert re.sub(r"\x1b\[[\d;]*m", "", stripped) == in_terminal(SCREENS["one"], **changes)


def test_a_table_in_a_pipe() -> None:
    """Without a terminal it has 80 columns and no colours, unless the environment says so."""
    piped = out("compute", "2", "1", "0.5", "0.1", "--tau", "0.5", "--format", "table")
    assert piped == (SNAPSHOTS / "one-80.txt").read_text("utf-8")
    narrow = out("compute", "2", "1", "0.5", "0.1", "--tau", "0.5", "--format", "table", COLUMNS="40")
    assert narrow == (SNAPSHOTS / "one-40.txt").read_text("utf-8")
    assert "\x1b[38;5;" in out("compute", "2", "1", "--format", "table", FORCE_COLOR="1")


def test_what_a_terminal_cannot_write_is_replaced() -> None:
    assert "τ" not in in_terminal("tsoft compute 2 1", PYTHONIOENCODING="ascii", NO_COLOR="1")


def test_charts_are_chosen() -> None:
    assert "┴" not in in_terminal("tsoft compute 2 1 --tau 1,2 --no-chart", NO_COLOR="1")
    assert "┴" in in_terminal("tsoft compute 2 1 --chart", NO_COLOR="1")


def test_the_table_is_on_the_screen_before_the_chart_is_begun(tmp_path: Path) -> None:
    """A plotext that cannot be imported leaves the table standing."""
    import pexpect

    (tmp_path / "plotext.py").write_text("raise KeyboardInterrupt")
    environ = environment(PYTHONPATH=str(tmp_path), NO_COLOR="1")
    output, status = pexpect.run(
        "tsoft compute 2 1 --tau 1,2", withexitstatus=True, env=environ, dimensions=(50, 80), encoding="utf-8"
    )
    assert status == 130
    assert "margin" in output
    assert "Traceback" not in output


if __name__ == "__main__":
    os.makedirs(SNAPSHOTS, exist_ok=True)
    for name in SCREENS:
        for width in (40, 80, 160):
            (SNAPSHOTS / f"{name}-{width}.txt").write_text(screen(name, width), "utf-8")
