"""Writes the shell completions that Typer generates, mended, to completions/.

python tests/update_completions.py
"""

import os
import subprocess
import sys
from pathlib import Path

COMPLETIONS = Path(__file__).parent.parent / "completions"

# The file of each shell that Typer knows. The names are those that zsh and fish look for.
FILES = {"bash": "tsoft.bash", "zsh": "_tsoft", "fish": "tsoft.fish", "powershell": "tsoft.ps1"}

# What Typer's scripts do wrong, and what is right instead.
MENDED = {
    "bash": [
        # Bash makes three words of --format=json, and Typer wants two; and what follows the cursor is not completed.
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
        # Only what comes after the = is completed. Typer doubles apostrophes, which zsh undoes with rc_quotes.
        ("  eval", "  setopt local_options rc_quotes\n  compset -P '--*='\n  eval"),
        # At the first TAB zsh loads the file and takes it for the function.
        (
            "compdef _tsoft_completion tsoft",
            "compdef _tsoft_completion tsoft\n\n"
            'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  _tsoft_completion "$@"\nfi',
        ),
    ],
    "fish": [
        # Fish completes the whole of --format=json.
        (
            ' tsoft)" --condition',
            " tsoft | string replace -r -- '^' (commandline -ct | string match -r '^(?:--[^=]+=)?'))\" --condition",
        ),
    ],
    "powershell": [
        # TAB is the user's to bind.
        ("Import-Module PSReadLine\nSet-PSReadLineKeyHandler -Chord Tab -Function MenuComplete\n", ""),
        # PowerShell replaces the whole of --format=json.
        (
            "    tsoft |",
            "    $joined = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }\n    tsoft |",
        ),
        ("            $command, $command,", "            ($joined + $command), $command,"),
    ],
}


def generated(shell: str) -> str:
    """The completion script of a shell."""
    environment = {**os.environ, "_TSOFT_COMPLETE": f"source_{shell}"}
    command = [sys.executable, "-m", "tsoft"]
    script = subprocess.run(command, env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
    for wrong, right in MENDED[shell]:
        if script.count(wrong) != 1:
            raise ValueError(f"Typer's script for {shell} is not as it was: {wrong!r} is there {script.count(wrong)}×")
        script = script.replace(wrong, right)
    # Zsh wants #compdef in the first line, where Typer has none.
    return script.strip() + "\n"


def main() -> None:
    for shell, name in FILES.items():
        (COMPLETIONS / name).write_text(generated(shell), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
