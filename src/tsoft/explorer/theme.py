"""The colors of the elements that Textual draws."""

from textual.theme import Theme

# The terminal's colors, and some that contrast with black and with white.
THEME = Theme(
    name="tsoft",
    ansi=True,
    primary="#0087ff",
    secondary="#00af87",
    warning="#d75f00",
    error="#d70000",
    success="#00af00",
    accent="#0087ff",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "border-blurred": "#808080",
        "screen-selection-background": "ansi_default",
        "screen-selection-foreground": "ansi_default",
        "input-selection-background": "#0087ff",
        "input-selection-foreground": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-background": "ansi_default",
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-text-style": "reverse",
        "input-cursor-background": "ansi_default",
        "input-cursor-foreground": "ansi_default",
        "input-cursor-text-style": "reverse",
    },
)
