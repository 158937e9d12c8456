"""The keys with their actions and descriptions, and the text of the help screen."""

from collections.abc import Sequence
from itertools import chain

from rich.text import Text

# A key, or several separated by commas, the action, and its description.
KeyBinding = tuple[str, str, str]
# A heading and its keys.
KeyGroup = tuple[str, tuple[KeyBinding, ...]]

KEY_GROUPS: tuple[KeyGroup, ...] = (
    (
        "Sliders",
        (
            ("left", "turn(-1)", "lower the current slider"),
            ("right", "turn(1)", "raise the current slider"),
            ("shift+left", "turn(-1,True)", "lower it in coarse steps"),
            ("shift+right", "turn(1,True)", "raise it in coarse steps"),
            ("tab", "next(1)", "next slider, then the distribution"),
            ("shift+tab", "next(-1)", "previous slider"),
            ("up", "up(-1)", "slider or class above"),
            ("down", "up(1)", "slider or class below"),
            ("enter", "type", "type a value for the slider or the class"),
            ("0", "tau(0)", "τ = 0: only the top class"),
            ("1", "tau(1)", "τ = 1: the original distribution"),
            ("8", "tau_infinity", "τ = ∞: all classes equally likely"),
            ("equals_sign", "target", "find τ for a target: top-prob 73%"),
        ),
    ),
    (
        "Samplers",
        (
            ("space", "switch", "switch the sampler on or off"),
            ("left_square_bracket", "move(-1)", "apply the sampler earlier"),
            ("right_square_bracket", "move(1)", "apply the sampler later"),
            ("a", "add", "switch a sampler on or off, from a list"),
            ("l", "like", "follow an engine, or compare two"),
            ("e", "explain", "show the arithmetic, then the samplers"),
        ),
    ),
    (
        "Draws",
        (
            ("s", "draw(1)", "draw one class at random"),
            ("S,shift+s", "draw(100)", "draw 100 classes"),
            ("r", "clear", "clear the draws"),
        ),
    ),
    (
        "Classes",
        (
            ("slash", "find", "find classes by label"),
            ("escape", "show_all", "show all classes again"),
            ("o", "order", "sort by probability, or in input order"),
            ("plus", "new_class", "add a class"),
            ("minus", "mask", "mask the current class, or restore it"),
            ("pageup", "page(-1)", "one page of classes up"),
            ("pagedown", "page(1)", "one page of classes down"),
            ("home", "end(0)", "first class"),
            ("end", "end(-1)", "last class"),
        ),
    ),
    (
        "Rows",
        (
            ("n,full_stop", "row(1)", "next row"),
            ("p,comma", "row(-1)", "previous row"),
            ("N,shift+n", "row(10)", "ten rows forward"),
            ("P,shift+p", "row(-10)", "ten rows back"),
        ),
    ),
    (
        "Changes",
        (
            ("u", "undo", "undo the last change"),
            ("U,shift+u", "redo", "redo the change undone last"),
            ("m", "mark", "mark this to compare; again: no mark"),
        ),
    ),
    (
        "Program",
        (
            ("i", "describe", "explain the next measure or mark below"),
            ("c", "copy", "copy a command that shows the same"),
            ("x", "export", "export numbers, a picture, or the state"),
            ("question_mark", "help", "show this help"),
            ("q", "quit", "quit"),
            ("ctrl+z", "suspend_process", "suspend; fg in the shell resumes"),
            ("ctrl+c", "interrupt", "quit with exit code 130"),
        ),
    ),
)
KEYS: tuple[KeyBinding, ...] = tuple(chain.from_iterable(keys for _, keys in KEY_GROUPS))

# The hints in the line at the bottom, the most important ones first.
KEY_HINTS = (
    "? help", "q quit", "←→ change", "Tab next", "0 1 8 set τ", "e explain", "s draw", "i measures", "= target",
    "u undo", "Space on/off", "a samplers", "l engine", "m mark", "+ - edit", "c copy", "x save", "/ find",
)  # fmt: skip
# The hint that comes third with several rows.
ROWS_HINT = "n p rows"

# With a language model, some keys continue the text and others do something else.
_TEXT_KEYS: tuple[KeyBinding, ...] = (
    ("s", "continue(1)", "draw the next token and add it"),
    ("S,shift+s", "continue(10)", "add ten tokens; any key stops"),
    ("backspace", "take_back", "remove the last token"),
    ("enter", "type", "on a class: add it; else type a value"),
    ("n,full_stop", "row(1)", "next token"),
    ("p,comma", "row(-1)", "previous token; s, Enter continue there"),
    ("N,shift+n", "row(10)", "ten tokens forward"),
    ("P,shift+p", "row(-10)", "ten tokens back"),
    ("d", "draw(1)", "draw a token without adding it"),
    ("D,shift+d", "draw(100)", "draw 100 tokens without adding them"),
    ("t", "tree", "open a tree of probable continuations"),
    ("k", "keep", "keep the text, to come back to it"),
    ("b", "kept", "go to one of the kept texts"),
)


def _without_text_keys(group: KeyGroup) -> KeyGroup:
    heading, keys = group
    replaced = {key for key, *_ in _TEXT_KEYS}
    return heading, tuple(binding for binding in keys if binding[0] not in replaced)


# The keys that continue the text come first.
LIVE_KEY_GROUPS: tuple[KeyGroup, ...] = (
    ("Text", _TEXT_KEYS),
    *(group for group in map(_without_text_keys, KEY_GROUPS) if group[1]),
)
LIVE_KEYS: tuple[KeyBinding, ...] = tuple(chain.from_iterable(keys for _, keys in LIVE_KEY_GROUPS))
LIVE_KEY_HINTS = (
    "? help", "q quit", "s add token", "S add ten", "⌫ remove", "n p move", "t tree",
    "Tab Enter choose", "k keep", "b kept", "←→ change", "0 1 8 set τ", "Space on/off", "c copy", "/ find",
)  # fmt: skip

# What the marks on the screen and the measures mean.
LEGEND: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Mouse",
        (
            ("click", "choose a class, row, token, or τ"),
            ("drag", "move a slider, or τ in the chart"),
            ("wheel", "move a slider; Shift: coarse steps"),
        ),
    ),
    (
        "Marks",
        (
            ("›", "the current slider or class"),
            ("●", "class: color of its curve; slider: on"),
            ("○", "slider: off"),
            ("█", "distribution: the probability now"),
            ("░ ▏", "its bar at τ = 1 without samplers,"),
            ("", "or after m, in the marked distribution"),
            ("█ ░ ▏", "draws: the count; the expected count"),
            ("count", "distribution: the count of the draws"),
            ("●", "list of engines: the second one"),
            ("(0.1)", "p of a removed class without samplers;"),
            ("", "beside it, the sampler that removed it"),
            ("█▒ ≤", "API response: lower and upper bound"),
            ("*", "a measure of the listed classes alone"),
            ("?", "no probability in the API response"),
            ("│ ┊", "chart: the current τ; τ = 1"),
            ("▁▄█", "a measure over τ from 0.01 to 100"),
            ("color", "a row's or token's probability"),
        ),
    ),
    (
        "Chain, on a wide screen",
        (
            ("kept", "the number of classes after the step"),
            ("cut", "the number that the step removes"),
            ("p cut", "their total p before the step"),
            ("3-4", "API response: the possible numbers"),
            ("unlisted", "API response: the other tokens"),
        ),
    ),
    (
        "Measures",
        (
            ("entropy", "uncertainty; 0 if one class is certain"),
            ("perplexity", "effective number of classes"),
            ("top", "highest probability, and its class"),
            ("margin", "highest minus second probability"),
            ("removed", "total p of the removed classes"),
            ("TV", "half the sum of |p - q|, from 0 to 1:"),
            ("", "p now, q marked; total variation;"),
            ("", "two engines: p in the first, q in the other"),
            ("KL", "sum of p ln(p / q) in nats or bits, from"),
            ("", "0 to ∞: p now, q marked"),
            ("text", "p: product of its tokens' p, as set now;"),
            ("", "sequence perplexity: exp(-ln p / tokens)"),
        ),
    ),
)
# The columns of a key or a mark in the help.
_KEY_WIDTH = 10


def help_text(groups: Sequence[KeyGroup], words: str) -> Text:
    """Return the text of the help screen: the keys, the marks and the measures, one per line.

    With `words`, it has only the entries that contain them, in upper or lower case, and the groups with that heading.
    """
    key_lines = [
        (heading, tuple((key_names(key), description) for key, _, description in keys)) for heading, keys in groups
    ]
    text = Text()
    for heading, all_lines in (*key_lines, *LEGEND):
        lines = all_lines if words.casefold() in heading.casefold() else _matching(all_lines, words)
        if not lines:
            continue
        text.append(heading + "\n", "bold")
        text.append("".join(f"{name:>{_KEY_WIDTH}}  {description}\n" for name, description in lines))
    text.rstrip()
    return text


def _matching(lines: Sequence[tuple[str, str]], words: str) -> list[tuple[str, str]]:
    """Return the lines of the entries that contain some words."""
    folded = words.casefold()
    return [line for entry in _entries(lines) if folded in " ".join(map(" ".join, entry)).casefold() for line in entry]


def _entries(lines: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return the lines of each entry. A line without a name continues the entry before it."""
    entries: list[list[tuple[str, str]]] = []
    for name, description in lines:
        if name:
            entries.append([])
        entries[-1].append((name, description))
    return entries


def explanation(name: str) -> str:
    """Return the explanation of a mark or a measure; empty for another name.

    >>> explanation("margin"), explanation("KL")
    ('highest minus second probability', 'sum of p ln(p / q) in nats or bits, from 0 to ∞: p now, q marked')
    """
    lines = [line for _, group in LEGEND for line in group]
    entries = next((entry for entry in _entries(lines) if entry[0][0] == name), [])
    return " ".join(description for _, description in entries)


_KEY_NAMES = {
    "left": "←", "right": "→", "up": "↑", "down": "↓", "pageup": "PgUp", "pagedown": "PgDn", "escape": "Esc",
    "plus": "+", "minus": "-", "equals_sign": "=", "slash": "/", "question_mark": "?", "full_stop": ".", "comma": ",",
    "left_square_bracket": "[", "right_square_bracket": "]",
}  # fmt: skip


def key_names(keys: str) -> str:
    """Return the names of keys on a keyboard.

    >>> key_names("shift+left"), key_names("n,full_stop"), key_names("S,shift+s")
    ('Shift ←', 'n or .', 'S')
    >>> key_names("f1"), key_names("shift+f2"), key_names("backspace"), key_names("ctrl+c")
    ('F1', 'Shift F2', 'Backspace', 'Ctrl-C')
    """
    return " or ".join(dict.fromkeys(map(_key_name, keys.split(","))))


def _key_name(key: str) -> str:
    *modifiers, base = key.split("+")
    is_character = len(base) == 1
    name = _KEY_NAMES.get(base, base if is_character else base.capitalize())
    if modifiers == ["ctrl"]:
        return f"Ctrl-{name.upper()}"
    if modifiers == ["shift"]:
        # Terminals report a capital letter in one of two ways.
        return name.upper() if is_character else f"Shift {name}"
    return name
