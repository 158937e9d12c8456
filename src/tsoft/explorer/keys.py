"""The keys, their actions, and their descriptions."""

from collections.abc import Sequence

# A key, or several, the action, and its description.
KeyBinding = tuple[str, str, str]

# In the order in which they are shown.
KEYS: tuple[KeyBinding, ...] = (
    ("left", "turn(-1)", "turn the knob down"),
    ("right", "turn(1)", "turn the knob up"),
    ("shift+left", "turn(-1,True)", "down, coarse"),
    ("shift+right", "turn(1,True)", "up, coarse"),
    ("tab", "next(1)", "the next knob, and then the distribution"),
    ("shift+tab", "next(-1)", "the knob before"),
    ("up", "up(-1)", "the knob, or the class, above"),
    ("down", "up(1)", "the knob, or the class, below"),
    ("enter", "type", "type a value"),
    ("0", "tau(0)", "freeze: τ = 0"),
    ("1", "tau(1)", "room temperature: τ = 1"),
    ("8", "boil", "boil: τ = ∞"),
    ("space", "switch", "the sampler on or off"),
    ("left_square_bracket", "move(-1)", "earlier in the chain"),
    ("right_square_bracket", "move(1)", "later in the chain"),
    ("a", "add", "any sampler, on or off"),
    ("l", "like", "an engine's rules"),
    ("e", "explain", "the chain step by step"),
    ("s", "draw(1)", "draw one"),
    ("S,shift+s", "draw(100)", "draw a hundred"),
    ("r", "clear", "clear the draws"),
    ("slash", "find", "find classes by their labels"),
    ("escape", "show_all", "all classes again"),
    ("o", "order", "most probable first, or as given"),
    ("pageup", "page(-1)", "classes further up"),
    ("pagedown", "page(1)", "classes further down"),
    ("home", "end(0)", "the first class"),
    ("end", "end(-1)", "the last class"),
    ("n,full_stop", "row(1)", "the next row"),
    ("p,comma", "row(-1)", "the row before"),
    ("N,shift+n", "row(10)", "ten rows on"),
    ("P,shift+p", "row(-10)", "ten rows back"),
    ("c", "copy", "copy the command line that shows the same"),
    ("x", "export", "export what is seen"),
    ("question_mark", "help", "these keys"),
    ("q", "quit", "quit"),
    ("ctrl+z", "suspend_process", "to the shell, until fg"),
    ("ctrl+c", "interrupt", "quit at once, with exit code 130"),
)

# The line at the bottom, the most needed keys first.
KEY_HINTS = "? keys  q quit  ←→ turn  Tab next  0 1 8 τ  Space on/off  a add  l like  e explain  s draw  c copy  / find"

# The keys of a text that a model continues, if they are others or do something else.
_LIVE: tuple[KeyBinding, ...] = (
    ("s", "go_on(1)", "draw the next token: the text goes on"),
    ("S,shift+s", "go_on(10)", "ten tokens, until another key"),
    ("backspace", "take_back", "take the last token back"),
    ("enter", "type", "type a value; on a class: go on with that token"),
    ("n,full_stop", "row(1)", "the next token's distribution"),
    ("p,comma", "row(-1)", "the one before: s and Enter cut the text there"),
    ("N,shift+n", "row(10)", "ten tokens on"),
    ("P,shift+p", "row(-10)", "ten tokens back"),
    ("d", "draw(1)", "draw one, only to count it"),
    ("D,shift+d", "draw(100)", "draw a hundred, only to count them"),
)
# The keys that continue the text come first.
LIVE_KEYS: tuple[KeyBinding, ...] = (*_LIVE, *(key for key in KEYS if key[0] not in {name for name, *_ in _LIVE}))
LIVE_KEY_HINTS = (
    "? keys  q quit  s draw  S ten  ⌫ back  n p walk  Tab Enter choose  ←→ turn  0 1 8 τ  Space on/off  c copy  / find"
)


def key_help(keys: Sequence[KeyBinding] = KEYS) -> str:
    """The keys with their descriptions, one per line."""
    return "\n".join(f"{key_name(key.split(',')[0]):>11}  {description}" for key, _, description in keys)


def key_name(key: str) -> str:
    """A key's name on a keyboard.

    >>> key_name("shift+left"), key_name("q")
    ('Shift ←', 'q')
    """
    names = {
        "left": "←", "right": "→", "up": "↑", "down": "↓", "shift+left": "Shift ←", "shift+right": "Shift →",
        "slash": "/", "question_mark": "?", "pageup": "PgUp", "pagedown": "PgDn", "left_square_bracket": "[",
        "right_square_bracket": "]", "shift+tab": "Shift Tab", "tab": "Tab", "enter": "Enter", "space": "Space",
        "home": "Home", "end": "End", "ctrl+c": "Ctrl-C", "ctrl+z": "Ctrl-Z", "escape": "Esc",
        "backspace": "Backspace",
    }  # fmt: skip
    return names.get(key, key)
