"""The errors that tsoft reports, and how their texts are made printable."""


class TsoftError(Exception):
    """An error that ends the program with a message of one line and an exit code."""

    exit_code = 1


class InputError(TsoftError):
    """Invalid input. The message is `WHERE: problem; fix`."""


class OutputError(TsoftError):
    """A failure to write the result."""


class ReaderGoneError(TsoftError):
    """A pipe that its reader has closed. The program ends without a message, as `head` expects."""

    exit_code = 141


class UsageError(TsoftError):
    """An invalid command line."""

    exit_code = 2


def visible(text: str) -> str:
    r"""Return the text with an escape for each character that a terminal would interpret or not show.

    >>> visible("\x1b[31mred\n")
    '\\x1b[31mred\\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, width: int = 40) -> str:
    """Return the text, cut to at most `width` columns of a terminal. An ellipsis marks the cut.

    >>> shortened("temperature", 8), shortened("日本語", 5)
    ('tempera…', '日本…')
    """
    if text.isascii() or not text.isprintable():
        head = text if len(text) <= width else text[: max(0, width - 1)]
    else:
        from rich.cells import cell_len, set_cell_size  # slow to import; few texts need it

        head = text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1))
    if head == text:
        return text
    return head.rstrip() + "…" if width > 0 else ""
