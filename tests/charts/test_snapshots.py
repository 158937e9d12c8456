"""Whole screens and charts, stored as text. Run as a script with PYTHONPATH=tests, this module rewrites them."""

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from pictures import PICTURES
from tool import TESTS, environment, here_on_terminal, in_terminal, on_terminal, out

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")

DATA = TESTS / "data"
SNAPSHOTS = TESTS / "snapshots"


@dataclass(frozen=True)
class Case:
    """A command, its input, and the widths at which its layout differs."""

    arguments: str
    widths: tuple[int, ...] = (40, 80, 160)
    stdin: str | None = None
    notes: bool = True
    term: str = "xterm-256color"

    def screen(self, width: int, **changes: str) -> str:
        """Return the output on a terminal, run in this process."""
        words = shlex.split(self.arguments)
        changes = {"TERM": self.term, **changes}
        return here_on_terminal(*words, stdin=self.stdin, width=width, notes=self.notes, **changes)

    def command(self) -> str:
        """Return the command as a line for a shell."""
        pipe = "" if self.stdin is None else f"printf %s {shlex.quote(self.stdin)} | "
        return f"{pipe}tsoft {self.arguments}{'' if self.notes else ' 2>/dev/null'}"


HOSTILE = f'日本 2\n"" 1.5\n{0:060} 1\n\033[31m[red] 0.5\n[/INST] 0.25\n\u202ex\\ny 0\n'
LABELED = "compute the=4.2 a=3.9 Paris=3.5 one=2.2 '[UNK]'=1.0 of=0.1"


def numbers(count: int, columns: int) -> str:
    """Return the whole numbers from 1 to `count`, in rows of `columns`."""
    return "".join(" ".join(map(str, range(i, i + columns))) + "\n" for i in range(1, count + 1, columns))


CASES = {
    "one": Case("compute 2 1 0.5 0.1 --tau 0.5", (80,)),
    "limits": Case("compute cat=2 dog=1 bird=0.5 fish=-inf --tau 0,0.5,1,2,inf"),
    "hostile": Case("compute --tau 0.5,1", (40, 80), HOSTILE),
    "rows": Case("compute --rows 2 --bits --sort --no-chart", (80,), numbers(40, 4)),
    "vocabulary": Case("compute --tau 20,50 --show 4 --log", (80,), numbers(500, 500)),
    "response": Case(f"compute -i {DATA}/llama-server-post-sampling.json --rows 4 --tau 0.5,2 --chosen", notes=False),
    "chain-explain": Case(f"{LABELED} --tau 1.5 --top-k 5 --top-p 0.8 --min-p 0.2 --explain", (80,)),
    "chain-explain-taus": Case(f"{LABELED} --tau 1,1.5 --top-k 5 --top-p 0.8 --min-p 0.2 --explain --no-chart", (160,)),
    "chain-like": Case(f"{LABELED} --tau 1.5 --top-p 0.9 --min-p 0.12 --like transformers,llama.cpp,vllm", (80,)),
    "sweep": Case("sweep cat=2 dog=1 bird=0.5 fish=-inf"),
    "sweep-many": Case("sweep --scale linear --from 0 --measure log-sum-exp --bits", stdin=HOSTILE),
    "heatmap": Case("sweep --heatmap --tau 0,0.5,1,2,4,8,inf --measure perplexity", stdin=numbers(30, 30)),
    "mean": Case("sweep --mean --measure top-prob", stdin="2 1\n0 5\n1 1\n"),
    "solve": Case("solve cat=2 dog=1 bird=0 fish=0 --prob dog=0.26", (40, 80)),
    "sample": Case("sample cat=2 dog=1 bird=0.5 fish=-inf --tau 0 -t 1 --seed 1", (80,)),
    "sample-many": Case("sample -n 1e12 --sort --show 4 --tau 0.5 --seed 1", (40, 80), HOSTILE),
    "energies": Case(
        "compute J=0=0 J=1=4 J=2=12 --energies --degeneracy 1,3,5 --units cm-1 --tau 0,5,inf --no-chart", (40, 80)
    ),
    "energies-sweep": Case("sweep low=0 high=1 --energies --measure heat-capacity --units kJ/mol --from 10 --to 1000"),
    "energies-mean": Case(
        "sweep --energies --mean --measure mean-energy --units eV -t 3e3,9e3", (40, 80), "0 1\n0 2\n"
    ),
    "anneal": Case("anneal --schedule all", (40, 80)),
    "bandit": Case("bandit 1 0.9 0.5 -0.5 --schedule exponential,linear --steps 300 --runs 100 --seed 1", (40, 80)),
    "distill": Case(f"distill -i {DATA}/teacher.csv --student {DATA}/student.csv --targets {DATA}/targets.txt"),
    "distill-mean": Case(f"distill -i {DATA}/teacher.csv --mean --tau 1,2,3,5,8"),
    "calibrate": Case(
        f"calibrate -i {DATA}/digits-val.npz --test {DATA}/digits-test.npz --bins 8 --resamples 50", (40, 80)
    ),
    "calibrate-groups": Case(
        f"calibrate -i {DATA}/groups.csv --target-column target --by source --measures nll,auroc --resamples 50",
        (40, 80),
    ),
    "calibrate-choices": Case(f"calibrate -i {DATA}/answers.jsonl --choices A,B,C,D", (40,), notes=False),
    "calibrate-vector": Case(
        f"calibrate -i {DATA}/digits-val.npz --method vector --measures nll,accuracy --resamples 50", (40,), notes=False
    ),
    "calibrate-few": Case("calibrate --digits 3", (40, 80), "a,b,c,target\n5,1,0,b\n2,1,0,a\n3,2,0,a\n", notes=False),
    "audit": Case(
        f"audit -i {DATA}/france.tsv --draws {DATA}/draws.csv --tau 1.4 --top-k 40 --like llama.cpp --show 5", (40, 80)
    ),
    "choose": Case(f"choose {DATA}/sums.jsonl --k 1,16", (40, 80)),
    "next": Case(f"next 'In the evening the' --ngram {DATA}/barn.txt --tau 0.5,2 --show 5", (40, 80)),
    # A terminal that cannot redraw shows only the final screen.
    "generate": Case(
        f"generate 'The cat\\n\033[31m' --ngram {DATA}/barn.txt --tau 0.2,1,5 --greedy --beams 3"
        " -n 2 --max-tokens 15 --seed 1",
        term="dumb",
    ),
    "score": Case(
        f"score --ngram {DATA}/barn.txt --tau 0.5,1 --spans",
        (40, 80),
        "In the evening the cat sat by the river. River the \033[31mcat the by sat.",
        notes=False,
    ),
}
# The other commands are started in test_imports.py.
STARTED = ("sweep", "solve", "next")
SCREENS = [(name, width) for name, case in CASES.items() for width in case.widths]


def kept(name: str) -> str:
    return (SNAPSHOTS / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize(("name", "width"), SCREENS)
def test_screens(name: str, width: int) -> None:
    screen = CASES[name].screen(width, NO_COLOR="1")
    assert screen == kept(f"{name}-{width}")
    assert max(map(cell_len, screen.splitlines())) <= width


def test_commands_in_a_new_process() -> None:
    """Only a new process shows errors at the start or in its imports."""
    code = (
        "import shlex, sys; from tsoft import cli; sys.exit(any([cli.run(shlex.split(run)) for run in sys.argv[1:]]))"
    )
    command = shlex.join([sys.executable, "-c", code, *(CASES[name].arguments for name in STARTED)])
    output = on_terminal(command, 80, environment(NO_COLOR="1", TERM="xterm-256color"))
    assert output == "".join(kept(f"{name}-80") for name in STARTED)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name: str) -> None:
    assert PICTURES[name]() == kept(name)


def test_every_snapshot_belongs_to_a_test() -> None:
    names = {f"{name}-{width}" for name, width in SCREENS} | set(PICTURES)
    assert {path.stem for path in SNAPSHOTS.iterdir() if not path.stem.startswith("explore-")} == names


def test_colors_are_foreground_colors_except_black_and_white() -> None:
    shown = CASES["hostile"].screen(80)
    codes = set(re.findall(r"\x1b\[([\d;]*)m", shown))
    assert codes
    assert not re.search(r"\x1b(?!\[[\d;]*m)", shown)
    for code in codes:
        assert code in ("0", "1", "2") or re.fullmatch(r"38;5;\d+", code)
        assert code not in ("38;5;0", "38;5;7", "38;5;8", "38;5;15", "38;5;16", "38;5;231")


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_output_without_colors_has_no_escape_codes(changes: Any) -> None:
    assert "\x1b" not in CASES["hostile"].screen(80, **changes)
    colored = CASES["one"].screen(80)
    assert "\x1b" in colored
    stripped = re.sub(r" *(\x1b\[[\d;]*m *)+$", "", colored, flags=re.MULTILINE)
    assert re.sub(r"\x1b\[[\d;]*m", "", stripped) == CASES["one"].screen(80, **changes)


def test_a_table_in_a_pipe() -> None:
    """Without a terminal the table has 80 columns and no colors, unless the environment changes that."""
    assert out(*shlex.split(CASES["one"].arguments), "--format", "table") == kept("one-80")
    assert out(*shlex.split(CASES["limits"].arguments), "--format", "table", COLUMNS="40") == kept("limits-40")
    assert "\x1b[38;5;" in out("compute", "2", "1", "--format", "table", FORCE_COLOR="1")


def test_a_table_in_a_file_has_colors_only_if_forced(tmp_path: Path) -> None:
    file = tmp_path / "table"
    words = ["compute", "2", "1", "--format", "table"]
    assert "\x1b[38;5;" in here_on_terminal(*words)
    here_on_terminal(*words, "-o", str(file))
    assert file.read_text() == out(*words)
    here_on_terminal(*words, "-o", str(file), FORCE_COLOR="1")
    assert "\x1b[38;5;" in file.read_text()
    assert "\x1b[38;5;" in here_on_terminal(*words, "-o", "-")


def test_characters_that_a_terminal_cannot_encode_are_replaced() -> None:
    assert "τ" not in in_terminal("tsoft compute 2 1", PYTHONIOENCODING="ascii", NO_COLOR="1")


def test_chart_and_no_chart() -> None:
    assert "┴" not in here_on_terminal("compute", "2", "1", "--tau", "1,2", "--no-chart", NO_COLOR="1")
    assert "┴" in here_on_terminal("compute", "2", "1", "--chart", NO_COLOR="1")


def test_the_table_is_printed_before_the_chart(tmp_path: Path) -> None:
    """If plotext cannot be imported, the table is still printed."""
    import pexpect

    (tmp_path / "plotext.py").write_text("raise KeyboardInterrupt")
    environ = environment(PYTHONPATH=str(tmp_path), NO_COLOR="1")
    output, status = pexpect.run(
        "tsoft compute 2 1 --tau 1,2", withexitstatus=True, env=environ, dimensions=(50, 80), encoding="utf-8"
    )
    assert status == 130
    assert "margin" in output
    assert "Traceback" not in output


def write_all() -> None:
    for path in SNAPSHOTS.iterdir():
        if not path.stem.startswith("explore-"):
            path.unlink()
    texts = {f"{name}-{width}": CASES[name].screen(width, NO_COLOR="1") for name, width in SCREENS}
    texts |= {name: picture() for name, picture in PICTURES.items()}
    for name, text in texts.items():
        (SNAPSHOTS / f"{name}.txt").write_text(text, "utf-8")


if __name__ == "__main__":
    write_all()
