"""The shell completions in real shells: the effect of TAB on a line that is typed at a terminal."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tool
from tsoft.sampling.engines import ENGINES
from update_completions import COMPLETIONS, FILES, corrected

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminal for the shells", allow_module_level=True)

import pexpect

NAMES = ("logits.txt", "my file.txt", "table.txt")
FORMATS = {"table", "tsv", "csv", "json", "jsonl", "npy", "npz", "parquet", "safetensors"}
OUTPUT_FORMATS = FORMATS | {"svg", "png", "pdf", "html"}
TIMEOUT = 20

PROMPT = "READY> "
CURSOR_LEFT = "\x02"
INSERT_ALL = "\x0f"  # Ctrl-O inserts all completions
ARGUMENTS = re.compile(r"\n((?:<[^<>\r\n]*>)+)END")

# The shells do not read the settings of the user.
COMMANDS = {"bash": ["bash", "--norc", "--noprofile"], "zsh": ["zsh", "-f"], "fish": ["fish", "--no-config"]}

# In each shell, `tsoft` is a function that prints its arguments, so that the tests can enter a completed line and read
# it back. The shells load the scripts as they do for a user: zsh and fish search for them by name.
PRINT_ARGUMENTS = """tsoft() { printf '<%s>' "$@"; echo END; }"""
SETUPS = {
    "bash": [
        "bind 'set enable-bracketed-paste off'",
        r"bind '\C-o: insert-completions'",
        PRINT_ARGUMENTS,
        ". $DIR/tsoft.bash",
    ],
    "zsh": [
        "unsetopt prompt_sp",
        "fpath=($DIR $fpath)",
        "autoload -Uz compinit",
        "compinit -u",
        "zle -C every complete-word _generic",
        "bindkey '^O' every",
        "zstyle ':completion:every::::' completer _all_matches _complete",
        "zstyle ':completion:every:*' insert true",
        PRINT_ARGUMENTS,
    ],
    "fish": [
        f"function fish_prompt; echo -n '{PROMPT}'; end",
        "set -p fish_complete_path $DIR",
        "function tsoft; printf '<%s>' $argv; echo END; end",
        # Fish has no key that inserts all completions, but a command that prints them with their descriptions.
        r"function every; printf '<%s>' (complete -C $argv | string replace -r '\t.*' ''); echo END; end",
    ],
}


def environment(home: Path) -> dict[str, str]:
    """Return an environment with the tsoft under test first on the PATH, and no other variables of the user."""
    return {
        "PATH": tool.forked()["PATH"],
        "HOME": str(home),
        "DIR": str(COMPLETIONS),
        "INPUTRC": os.devnull,
        "LC_ALL": "C.UTF-8",
        "PS1": PROMPT,
        "TERM": "dumb",
    }


class Terminal:
    """A shell on a pseudo-terminal, in a folder with the files NAMES."""

    def __init__(self, shell: str, home: Path) -> None:
        self.shell = shell
        folder = home / "folder"
        folder.mkdir()
        for name in NAMES:
            (folder / name).touch()
        command, *arguments = COMMANDS[shell]
        self.child = pexpect.spawn(
            command,
            arguments,
            env=environment(home),
            cwd=str(folder),
            encoding="utf-8",
            timeout=TIMEOUT,
            dimensions=(50, 300),  # no line wraps
        )
        self.child.delaybeforesend = None
        for line in (*SETUPS[shell], "echo set''up"):
            self.child.send(f"{line}\r")
        self.child.expect_exact("setup")
        self.child.expect_exact(PROMPT)

    def entered(self, keys: str) -> list[str]:
        """Enter a line, and return the arguments that `tsoft` or `every` prints."""
        self.child.send(f"{keys}\r")
        self.child.expect(ARGUMENTS)
        arguments: str = self.child.match[1]
        self.child.expect_exact(PROMPT)
        return arguments[1:-1].split("><")

    def completed(self, line: str) -> list[str]:
        """Return the arguments of tsoft after TAB at the end of a line."""
        return self.entered(f"tsoft {line}\t")

    def completions(self, line: str) -> set[str]:
        """Return all completions of the last word of a line."""
        if self.shell == "fish":
            return set(self.entered(f"every 'tsoft {line}'"))
        return set(self.entered(f"tsoft {line}{INSERT_ALL}")[line.count(" ") :])

    def close(self) -> None:
        self.child.close(force=True)


@pytest.fixture(scope="module", params=COMMANDS)
def terminal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    shell: str = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    opened = Terminal(shell, tmp_path_factory.mktemp(shell))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("compu", ["compute"]),
        # The word is between two blanks.
        (f" -h{CURSOR_LEFT * 3}compu", ["compute", "-h"]),
        ("compute --ta", ["compute", "--tau"]),
        # The completion is not the file table.txt.
        ("compute --format ta", ["compute", "--format", "table"]),
        ("compute --format=ta", ["compute", "--format=table"]),
        ("compute -f ta", ["compute", "-f", "table"]),
        ("compute --input-format=te", ["compute", "--input-format=text"]),
        ("compute --format=csv --di", ["compute", "--format=csv", "--digits"]),
        ("compute -i lo", ["compute", "-i", "logits.txt"]),
        ("compute --input=lo", ["compute", "--input=logits.txt"]),
        ("compute -i my", ["compute", "-i", "my file.txt"]),
        ("compute -i 'my file.txt' --di", ["compute", "-i", "my file.txt", "--digits"]),
        ("compute -1 -inf a=-.5 --di", ["compute", "-1", "-inf", "a=-.5", "--digits"]),
        ("""compute --labels "it's a",b --di""", ["compute", "--labels", "it's a,b", "--digits"]),
    ],
)
def test_tab_completes_the_word(terminal: Terminal, line: str, arguments: list[str]) -> None:
    assert terminal.completed(line) == arguments


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        (
            "",
            {
                "audit",
                "compare",
                "compute",
                "sweep",
                "solve",
                "sample",
                "explore",
                "learn",
                "next",
                "generate",
                "score",
                "choose",
                "calibrate",
                "distill",
                "anneal",
                "bandit",
                "help",
            },
        ),
        ("s", {"sweep", "solve", "sample", "score"}),
        ("sweep --sc", {"--scale"}),
        ("compute --format ", OUTPUT_FORMATS),
        ("compute --format=", OUTPUT_FORMATS),
        ("compute -1 -inf --format ", OUTPUT_FORMATS),
        ("compute -i ", set(NAMES)),
        ("calibrate -i x --targets ", set(NAMES)),
    ],
)
def test_all_completions_of_a_word(terminal: Terminal, line: str, completions: set[str]) -> None:
    words = terminal.completions(line)
    assert {word.removeprefix("--format=") for word in words} == completions


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="pwsh is not installed")
@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("tsoft c", {"compute", "calibrate"}),
        ("tsoft compute -1 -inf --ta", {"--tau"}),
        ("tsoft compute --format ", OUTPUT_FORMATS),
        ("tsoft compute --format=j", {"--format=json", "--format=jsonl"}),
    ],
)
def test_completions_in_powershell(line: str, completions: set[str], tmp_path: Path) -> None:
    ask = f". $Env:DIR/tsoft.ps1; (TabExpansion2 '{line}' {len(line)}).CompletionMatches.CompletionText"
    command = ["pwsh", "-NoProfile", "-NonInteractive", "-Command", ask]
    output = subprocess.check_output(command, env=environment(tmp_path), cwd=tmp_path, text=True, timeout=TIMEOUT)
    assert set(output.splitlines()) == completions


def variables(shell: str, line: str) -> dict[str, str]:
    """Return the variables that the script of a shell sets to request the completions of a line."""
    return {
        "_TSOFT_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": line.split(" ")[-1],
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }


# The format of the completions for each shell that shows descriptions.
DESCRIBED = {"fish": r"(.+)\t(.+)", "powershell": r"(.+?):::(.+)", "zsh": r'(?:.*\()?"(.+?)":"(.+)"\)*\'?'}


COMPLETED = {
    "learn 1": {"1", "10", "11", "12", "13"},
    "solve --p": {"--perplexity", "--prob", "--probs"},
    "compute --lo": {"--log", "--logit-bias", "--logprobs", "--long"},
    "anneal --schedule l": {"linear", "logarithmic"},
    "compute --units ": {"eV", "kJ/mol", "kcal/mol", "cm-1", "K"},
    "compute --input-format ": FORMATS - {"table"} | {"text", "response", "printed", "torch", "arrow", "kld"},
    "calibrate --t": {
        "--target-column",
        "--targets",
        "--targets-key",
        "--test",
        "--test-key",
        "--test-targets",
        "--test-targets-key",
        "--theme",
        "--title",
    },
    # These commands follow the rules of a single engine.
    "audit --like a": set(),
    "compare --like a": set(),
    "compare --like k": {"koboldcpp"},
    "compute --like ": {*ENGINES, "all"},
    "compute --like ll": {"llama.cpp"},
    "bandit 1 -0.5 --rewards ": {"gaussian", "bernoulli"},
}
# The request for the script of a shell.
SOURCE = "source"
DESCRIBED_LINES = ["", "compute --", "calibrate --", "help "]

# A process that handles many requests, with the same imports as a process for each. It prints what the program prints,
# and the modules that the first requests import.
REQUESTS = """
import contextlib, io, json, os, sys
from tsoft import cli
printed = []
first, others = json.load(sys.stdin)
for variables in first + others:
    if variables is others[0]:
        modules = [name for name, module in sys.modules.items() if module]
    os.environ.update(variables)
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.suppress(SystemExit):
        cli.run([])
    printed.append(output.getvalue())
json.dump([printed, modules], sys.stdout)
"""


Requested = tuple[dict[tuple[str, str], str], set[str]]


@pytest.fixture(scope="module")
def requested() -> Requested:
    """What the program prints for the script of a shell and a line, and which modules the options of compute import in
    all shells."""
    requests = [(shell, "compute --") for shell in FILES]
    requests += [("bash", line) for line in COMPLETED]
    requests += [(shell, line) for shell in DESCRIBED for line in DESCRIBED_LINES]
    requests += [(shell, SOURCE) for shell in FILES]
    asked = [variables(shell, f"tsoft {line}") for shell, line in requests]
    for (shell, line), each in zip(requests, asked, strict=True):
        if line == SOURCE:
            each["_TSOFT_COMPLETE"] = f"source_{shell}"
    data = json.dumps([asked[: len(FILES)], asked[len(FILES) :]])
    command = [sys.executable, "-c", REQUESTS]
    done = subprocess.run(command, input=data, capture_output=True, env=tool.environment(), encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    printed, modules = json.loads(done.stdout)
    return dict(zip(requests, printed, strict=True)), set(modules)


@pytest.mark.parametrize("shell", FILES)
def test_files_are_up_to_date(shell: str, requested: Requested) -> None:
    written = (COMPLETIONS / FILES[shell]).read_bytes().decode()
    script = corrected(shell, requested[0][shell, SOURCE])
    assert written == script, "stale: run python tests/update_completions.py"


@pytest.mark.parametrize("line", COMPLETED)
def test_the_program_completes_the_word(line: str, requested: Requested) -> None:
    """The shells need not ask for these, because their scripts do not depend on the command and the option."""
    assert set(requested[0]["bash", line].split()) == COMPLETED[line]


@pytest.mark.parametrize("shell", DESCRIBED)
@pytest.mark.parametrize("line", DESCRIBED_LINES)
def test_each_completion_has_a_description(shell: str, line: str, requested: Requested) -> None:
    rows = requested[0][shell, line].splitlines()
    described = [re.fullmatch(DESCRIBED[shell], row) for row in rows]
    assert len(described) > 5
    assert all(match and match[2].endswith(".") and "..." not in match[2] for match in described), rows


def test_tab_imports_no_slow_package(requested: Requested) -> None:
    printed, modules = requested
    assert all("--tau" in printed[shell, "compute --"] for shell in FILES)
    assert "tsoft.features.compute.command" in modules
    assert not modules & {"numpy", "orjson", "plotext", "rich"}
