"""What tsoft says to its user when it cannot go on. Each message is one line, `visible`."""


class TsoftError(Exception):
    exit_code = 1


class InputError(TsoftError):
    """What was read is wrong: `WHERE: what is wrong, and what would be right`."""


class OutputError(TsoftError):
    """The result cannot be written."""


class ReaderGoneError(TsoftError):
    """Whoever read the result has closed the pipe: nothing is said, as `head` expects."""

    exit_code = 141


class UsageError(TsoftError):
    """What was typed is wrong."""

    exit_code = 2


def visible(text: str) -> str:
    r"""`text` with every character that a terminal would act on, or not show, as an escape.

    >>> visible("\x1b[31mred\n")
    '\\x1b[31mred\\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, width: int = 40) -> str:
    """`text` in at most `width` columns of a terminal, with an ellipsis in place of an end that does not fit.

    >>> shortened("temperature", 8), shortened("日本語", 5)
    ('tempera…', '日本…')
    """
    if text.isascii() or not text.isprintable():
        head = text if len(text) <= width else text[: max(0, width - 1)]
    else:
        from rich.cells import cell_len, set_cell_size  # here, since few texts need it

        head = text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1))
    if head == text:
        return text
    return head.rstrip() + "…" if width > 0 else ""
