"""Terminals whose encoding lacks τ, bars and other shapes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tsoft
from tool import TSOFT, environment, on_terminal
from tsoft.output.encodings import encodable

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
# The characters of examples of labels, of names in references, and of the explorer, which always draws in UTF-8.
NOT_DRAWN = set("日本語天气｜öéúćč⌫°€中")


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


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def on_ascii(command: str, encoding: str = "ascii", **changes: str) -> str:
    """Return the output of a shell command with real processes on a terminal in ASCII, or in another encoding."""
    return on_terminal(command, 80, environment(NO_COLOR="1", PYTHONIOENCODING=encoding, **changes))


@posix
@pytest.mark.parametrize("program", [[TSOFT], [sys.executable, "-X", "utf8=0", "-m", "tsoft"]])
def test_text_and_file_names_in_the_c_locale(program: list[str], tmp_path: Path) -> None:
    """The same bytes arrive and leave as in a UTF-8 locale, even if Python's UTF-8 mode was turned off."""
    environ = environment(**C_LOCALE)

    def run(*arguments: str, stdin: str = "") -> bytes:
        done = subprocess.run(
            [*program, *arguments], input=stdin.encode(), capture_output=True, env=environ, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    (tmp_path / "ü.txt").write_text("é=1 中=1\n", "utf-8")
    run("compute", "-i", f"{tmp_path}/ü.txt", "-o", f"{tmp_path}/ö.csv")
    assert (tmp_path / "ö.csv").read_text("utf-8") == "row,tau,é,中\n0,1.0,0.5,0.5\n"
    shown = run("compute", "é=1", "--history", "-", "--presence-penalty", "1", "-f", "table", stdin="é\n").decode()
    assert {"τ", "é"} <= set(shown)
    done = subprocess.run([*program, "compute", "-i", "ß"], capture_output=True, env=environ, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (1, "tsoft: error: ß: No such file or directory\n")


@posix
def test_tables_and_bars_in_ascii() -> None:
    text = on_ascii("tsoft compute cat=2 中=1 --tau 0.5,1 --digits 3", **C_LOCALE)
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
    text = on_ascii("tsoft solve 2 1 0 --top-prob 70% && tsoft help temperature && tsoft", "ascii")
    assert text.isascii()
    assert "?" not in text
    assert text.startswith("top-prob 0.7: tau = ")
    assert re.search(r"^  1\+a+ +!$", text, re.MULTILINE)
    assert "softmax(z / tau)_i = exp(z_i / tau) / Sum_j exp(z_j / tau)" in text
    assert "softmax(z / tau): tau -> 0 is argmax" in text


@posix
def test_notes_and_errors_in_ascii() -> None:
    command = "tsoft compute 2 1 --tau 中 || tsoft compute 2 1 --samplers 'top_k;…' || tsoft compute 0 1 --tau 0,5"
    text = on_ascii(command, "ascii")
    assert text.isascii()
    assert "tsoft: error: --tau: '\\u4e2d' is not a temperature" in text
    assert "unknown sampler '...'" in text
    assert "tsoft: note: --tau 0,5 is a list of 0 and 5" in text


@posix
def test_help_in_the_windows_encoding() -> None:
    """The test reads UTF-8, so it replaces what cp1252 has beyond ASCII."""
    text = on_ascii("tsoft compute --help | iconv -f cp1252 -t utf-8", "cp1252")
    assert "τ" not in text
    assert "-t, --tau, --temperature tau,…" in text
