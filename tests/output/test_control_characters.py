"""What a terminal shows of a hostile label, for each command and format: nothing that the terminal would obey."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tool import here, here_on_terminal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

# It sets the title of a terminal, its color with C1, and the direction of the text, and breaks lines and columns.
HOSTILE = "a\x1b]0;t\x07\x9b31m\u202eb\x7fc\u2066\rd\u2028\n\te"
ESCAPED = r"a\x1b]0;t\x07\x9b31m\u202eb\x7fc\u2066\rd\u2028\n\te"
OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# The colors of tables and charts, and the movements of the cursor of `generate`.
DRAWN = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]|\r(?!d)")


def rows(*logits: tuple[Any, Any], **fields: Any) -> list[dict[str, Any]]:
    return [{**fields, HOSTILE: first, "x": second} for first, second in logits]


TOKEN = {"token": HOSTILE, "logprob": -0.1, "top_logprobs": [{"token": "x", "logprob": -3}]}
FILES: dict[str, Any] = {
    "rows.json": rows((2, 1)),
    "keyed.json": rows((2, 1), id=HOSTILE),
    "response.json": {"choices": [{"logprobs": {"content": [TOKEN]}}]},
    "teacher.json": rows((2, 1), (0, 1)),
    "student.json": rows((1, 1.5), (0, 2)),
    "targets.json": rows((2, 1), (2, 1), (0, 1), target=HOSTILE) + rows((2, 1), (0, 1), target="x"),
    "text.txt": "a \x1b]0;t\x07 \x9b31m \u202eb \x7f \u2066c\u2028 " * 9,
}
ALL = ("table", "tsv", "csv", "json")
# The formats of each command in which a label can appear.
COMMANDS = {
    "compute -i rows.json": ALL,
    "compute -i rows.json --long": ("tsv", "csv"),
    "compute -i keyed.json": ALL,
    "compute -i response.json --long": ("tsv", "csv"),
    "compute -i rows.json --top-k 1 --explain": ("table", "jsonl"),
    "sweep -i rows.json --tau 0.5,1": ALL,
    "sweep -i keyed.json --tau 0.5,1 --long": ("tsv", "csv"),
    "solve -i keyed.json --entropy 0.5": ALL,
    "sample -i rows.json -n 9 --seed 1": ALL,
    "sample -i rows.json -n 9 --seed 1 --counts": ("tsv", "csv"),
    "distill -i teacher.json --student student.json": ALL,
    "calibrate -i targets.json --seed 1 --resamples 2": ("table", "csv", "json"),
    "next --ngram text.txt a": ("table", "jsonl"),
    "generate --ngram text.txt --max-tokens 9 --seed 1 a": ALL,
    "bandit HOSTILE=1 x=0 --steps 2 --runs 2 --seed 1": ALL,
}


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder contains the files of the commands."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, "utf-8", newline="")


def arguments(command: str) -> list[str]:
    return [word.replace("HOSTILE", HOSTILE) for word in command.split()]


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_obeys_no_label(command: str) -> None:
    for format in COMMANDS[command]:
        shown = here_on_terminal(*arguments(command), "-f", format, width=160, notes=False)
        assert not OBEYED.search(DRAWN.sub("", shown)), format


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize(
    ("command", "format"),
    [
        ("compute -i keyed.json", "csv"),
        ("compute -i rows.json --long", "tsv"),
        ("solve -i keyed.json --entropy 0.5", "csv"),
        ("sample -i rows.json -n 9 --seed 1", "tsv"),
        ("sample -i rows.json -n 9 --seed 1 --counts", "tsv"),
        ("distill -i teacher.json --student student.json", "csv"),
    ],
)
def test_a_terminal_shows_the_escapes_and_a_pipe_and_a_file_have_the_label(command: str, format: str) -> None:
    words = [*arguments(command), "-f", format]
    # In files of lines, only these characters have escapes.
    written = HOSTILE.replace("\r", r"\r").replace("\n", r"\n").replace("\t", r"\t")
    in_pipe = here(*words).stdout
    assert here(*words, "-o", "file").returncode == 0
    assert Path("file").read_text("utf-8") == in_pipe
    assert written in in_pipe
    shown = here_on_terminal(*words, notes=False)
    assert shown == in_pipe.replace(written, ESCAPED), "only labels change"


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_another_name_of_the_terminal_has_the_same_escapes(name: str) -> None:
    assert ESCAPED in here_on_terminal("compute", "-i", "rows.json", "-f", "csv", "-o", name)


@pytest.mark.usefixtures("_files")
def test_notes_and_errors_show_the_escapes() -> None:
    Path(f"{HOSTILE}.json").write_text(json.dumps(rows((2, 1), id="k")), "utf-8")
    note = here("compute", "-i", f"{HOSTILE}.json").stderr
    assert note.startswith(f"tsoft: note: {ESCAPED}.json: ")
    missing = here("compute", "-i", HOSTILE).stderr
    assert missing == f"tsoft: error: {ESCAPED}: No such file or directory\n"
    unknown = here("solve", "-i", "rows.json", "--prob", f"{HOSTILE}q=0.5").stderr
    assert unknown.startswith(f"tsoft: error: --prob: unknown class '{ESCAPED}q'; did you mean '{ESCAPED}'?")
    option = here("compute", "1", "2", f"--{HOSTILE}").stderr
    assert option.startswith(f"tsoft: error: unknown option --{ESCAPED}\n")
    for message in (note, missing, unknown, option):
        assert not OBEYED.search(message)
