"""The errors that tsoft reports to its user, and helpers to show text in messages."""


class TsoftError(Exception):
    """An error of the user's data, command or machine. `exit_code` is the program's exit code."""

    exit_code = 1


class InputError(TsoftError):
    """An error in the input. The message has the form `WHERE: problem; fix`."""


class OutputError(TsoftError):
    """A failure to write the result."""


class ReaderGoneError(TsoftError):
    """A pipe that the reader of the result has closed. tsoft prints no message, as `head` expects."""

    exit_code = 141


class UsageError(TsoftError):
    """An error in the command line."""

    exit_code = 2


def visible(text: str) -> str:
    r"""Return `text` with an escape for each character that a terminal does not print.

    >>> visible("\x1b[31mred\n")
    '\\x1b[31mred\\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, width: int = 40) -> str:
    """Return `text` cut to at most `width` columns of a terminal, with an ellipsis at the cut.

    >>> shortened("temperature", 8), shortened("日本語", 5)
    ('tempera…', '日本…')
    """
    if text.isascii() or not text.isprintable():
        head = text if len(text) <= width else text[: max(0, width - 1)]
    else:
        from rich.cells import cell_len, set_cell_size  # slow to import, and few texts need it

        head = text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1))
    if head == text:
        return text
    return head.rstrip() + "…" if width > 0 else ""
