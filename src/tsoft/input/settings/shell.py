"""The commands in a script of a Unix shell, PowerShell or Windows."""

import re
import shlex

# A token of a shell. Comments and redirections have no effect on the options.
_WORD = r"""(?:[^\s;&|<>()"'\\$]|\$(?:\([^()'"\\]*\))?|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+"""
_REDIRECTION = rf"(?:&|\d*)[<>]+[&|]?[ \t]*(?!-){_WORD}"
_TOKEN = re.compile(rf"[ \t\r]+|\#.*|{_REDIRECTION}|(?P<end>[\n;&|()]+)|(?P<word>{_WORD})")


def commands_in(text: str) -> list[list[str]]:
    r"""Return the words of each command in a script; nothing if a quotation mark or a bracket is not closed.

    >>> commands_in("cd m && bin/x -m 'my model' \\\n  --temp 0.6  # few")
    [['cd', 'm'], ['bin/x', '-m', 'my model', '--temp', '0.6']]
    """
    text = re.sub(r"[^\s\"']+\.exe\b", lambda program: program[0].replace("\\", "/"), text)
    # In a script of PowerShell or Windows, a line ends with another character.
    text = re.sub(r"(?<= )[`^]\r?\n|\\\r?\n", " ", text)
    commands: list[list[str]] = [[]]
    position, end = 0, ""
    while token := _TOKEN.match(text, position):
        position = token.end()
        end += token["end"] or ""
        if word := token["word"]:
            # In YAML, a command may have options in several lines.
            if end.strip() or (end and not word.startswith("-")):
                commands.append([])
            commands[-1].append(" ".join(shlex.split(word)))
            end = ""
    return commands if position == len(text) else []
