"""Terminals whose encoding lacks τ, bars and other shapes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tsoft
from tool import TSOFT, environment, here_on_terminal, status_on_terminal
from tsoft.output.encodings import encodable

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
# The characters of examples of labels, of marks in responses, of names in references, and of the explorer, which always
# draws in UTF-8.
NOT_DRAWN = set("日本語天气｜◁▷öéúćč⌫°€中")


def test_each_character_of_tsoft_has_a_look_alike() -> None:
    root = Path(tsoft.__file__).parent
    files = [path for ending in ("*.py", "*.md") for path in root.rglob(ending)]
    used = {character for path in files for character in path.read_text("utf-8") if not character.isascii()}
    assert [c for c in sorted(used - NOT_DRAWN) if "\\" in encodable(c, "ascii")] == []
    assert not any("?" in encodable(c, "ascii") for c in used)


def test_columns_stay_aligned() -> None:
    lines = encodable("class   τ = 1   τ² in 10⁻⁵  ×\n中       █▌ ▏    0.5         x\n", "ascii").splitlines()
    assert lines == ["class   tau = 1 tau^2 in 10^-5 x", "\\u4e2d   ## :    0.5         x"]


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("latin-1", "tau² - x é ..."), ("cp1252", "tau² – x é …"), ("cp437", "τ² - x é ..."), ("utf-8", "τ² – x é …")],
)
def test_what_an_encoding_has_stays(encoding: str, expected: str) -> None:
    assert encodable("τ² – x é …", encoding) == expected


def test_curves_keep_their_heights() -> None:
    # Braille dots 1 and 4 are at the top of a cell, 7 and 8 at its bottom.
    assert encodable("⠉⠒⠤⣀⡇⠀", "ascii") == "'--_| "


@posix
def test_text_and_file_names_in_the_c_locale(tmp_path: Path) -> None:
    """The same bytes arrive and leave as in a UTF-8 locale, even if Python's UTF-8 mode was turned off."""
    (tmp_path / "ü.txt").write_text("é=1 中=1\n", "utf-8")
    (tmp_path / "ß.txt").touch()
    program = [sys.executable, "-X", "utf8=0", "-m", "tsoft", "compute"]
    environ = environment(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    def run(*command: str, stdin: str = "") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(command, input=stdin.encode(), capture_output=True, cwd=tmp_path, env=environ, timeout=60)

    done = run(*program, "-i", "ü.txt", "--history", "-", "--presence-penalty", "1", "-f", "table", stdin="é\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert {"τ", "é", "中"} <= set(done.stdout.decode())
    done = run(TSOFT, "compute", "-i", "ü.txt", "-i", "ß.txt", "-o", "ö/", "--keep-going")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("tsoft: error: ß.txt: no logits: the input is empty\n")
    assert (tmp_path / "ö/ü.tsv").read_text("utf-8") == "0.5\t0.5\n"


@posix
def test_tables_and_bars_in_ascii() -> None:
    command = "compute cat=2 中=1 --tau 0.5,1 --digits 3"
    text = here_on_terminal(*command.split(), encoding="ascii", NO_COLOR="1")
    assert text.isascii()
    assert "?" not in text
    assert max(map(len, text.splitlines())) <= 80
    lines = text.splitlines()
    assert lines[0] == " class       logit   tau = 0.5                   tau = 1"
    # As with blocks, 0.881 and 0.731 of 18 columns: 15.9 and 13.2. A colon is less than half a column.
    assert lines[2] == " cat             2    0.881 ################      0.731 #############:"
    assert lines[3] == " \\u4e2d          1    0.119 ##:                   0.269 #####"
    assert "      ## tau = 0.5 %% tau = 1" in lines
    assert "   0+-----------------------------------------------------------------------" in lines


@posix
def test_curves_and_pages_in_ascii() -> None:
    curve, page, welcome = (
        here_on_terminal(*command.split(), encoding="ascii", NO_COLOR="1")
        for command in ("solve 2 1 0 --top-prob 70%", "help temperature", "")
    )
    assert "?" not in curve + page + welcome
    assert curve.startswith("top-prob 0.7: tau = ")
    assert re.search(r"^  1\+a+ +!$", curve, re.MULTILINE)
    assert "softmax(z / tau)_i = exp(z_i / tau) / Sum_j exp(z_j / tau)" in page
    assert "softmax(z / tau): tau -> 0 is argmax" in welcome


@posix
def test_notes_and_errors_in_ascii() -> None:
    for arguments, message in {
        ("2", "1", "--tau", "中"): "tsoft: error: --tau: '\\u4e2d' is not a temperature",
        ("2", "1", "--samplers", "top_k;…"): "unknown sampler '...'",
        ("0", "1", "--tau", "0,5"): "tsoft: note: --tau 0,5 is a list of 0 and 5",
    }.items():
        assert message in status_on_terminal("compute", *arguments, encoding="ascii")[1]


@posix
def test_help_in_the_windows_encoding() -> None:
    text = here_on_terminal("compute", "--help", encoding="cp1252", NO_COLOR="1")
    assert "-t, --tau, --temperature tau,…" in text
