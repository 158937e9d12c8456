"""Write the shell completions to completions/: Typer's scripts, with corrections.

python tests/update_completions.py
"""

import subprocess
import sys
from pathlib import Path

from tool import environment

COMPLETIONS = Path(__file__).parent.parent / "completions"

# The file for each shell that Typer supports. zsh and fish search for files with these names.
FILES = {"bash": "tsoft.bash", "zsh": "_tsoft", "fish": "tsoft.fish", "powershell": "tsoft.ps1"}

# Pairs of a wrong part of Typer's scripts and its correction.
CORRECTIONS = {
    "bash": [
        # Bash splits --format=json into three words, but Typer expects two. Words after the cursor are ignored.
        (
            "    COMPREPLY=(",
            '    local words=("${COMP_WORDS[@]:0:COMP_CWORD}")\n'
            '    [[ ${COMP_WORDS[COMP_CWORD-1]} == "=" ]] && unset "words[COMP_CWORD-1]"\n'
            '    words+=("$2")\n'
            "    COMPREPLY=(",
        ),
        ('"${COMP_WORDS[*]}"', '"${words[*]}"'),
        ("COMP_CWORD=$COMP_CWORD", "COMP_CWORD=$((${#words[@]} - 1))"),
    ],
    "zsh": [
        # Complete only the part after the =. Typer doubles apostrophes; with rc_quotes, zsh makes them single again.
        ("  eval", "  setopt local_options rc_quotes\n  compset -P '--*='\n  eval"),
        # At the first TAB, zsh loads the file and runs it as the completion function.
        (
            "compdef _tsoft_completion tsoft",
            "compdef _tsoft_completion tsoft\n\n"
            'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  _tsoft_completion "$@"\nfi',
        ),
    ],
    "fish": [
        # Fish replaces the whole word --format=json, so each proposal needs the part up to the =.
        (
            ' tsoft)" --condition',
            " tsoft | string replace -r -- '^' (commandline -ct | string match -r '^(?:--[^=]+=)?'))\" --condition",
        ),
    ],
    "powershell": [
        # The script must not change what TAB does in the user's shell.
        ("Import-Module PSReadLine\nSet-PSReadLineKeyHandler -Chord Tab -Function MenuComplete\n", ""),
        # PowerShell replaces the whole word --format=json, too.
        (
            "    tsoft |",
            "    $joined = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }\n    tsoft |",
        ),
        ("            $command, $command,", "            ($joined + $command), $command,"),
    ],
}


def generated(shell: str) -> str:
    """Return the completion script for a shell."""
    environ = environment(_TSOFT_COMPLETE=f"source_{shell}")
    command = [sys.executable, "-m", "tsoft"]
    return corrected(
        shell, subprocess.run(command, env=environ, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
    )


def corrected(shell: str, script: str) -> str:
    """Return Typer's script for a shell with the corrections."""
    for wrong, right in CORRECTIONS[shell]:
        if script.count(wrong) != 1:
            raise ValueError(
                f"Typer's {shell} script has changed: expected {wrong!r} once, got {script.count(wrong)} times"
            )
        script = script.replace(wrong, right)
    # zsh needs #compdef in the first line, but Typer's script begins with an empty line.
    return script.strip() + "\n"


def main() -> None:
    for shell, name in FILES.items():
        (COMPLETIONS / name).write_text(generated(shell), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
