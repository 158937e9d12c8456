"""The errors that tsoft reports to its user, and helpers for the text of messages."""

from collections.abc import Iterable, Sequence


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


def visible_lines(text: str) -> str:
    r"""Return `text` with the same escapes, except that line breaks remain.

    >>> visible_lines("a\tb\nc")
    'a\\tb\nc'
    """
    return "\n".join(map(visible, text.split("\n")))


def without_surrogates(text: str) -> str:
    r"""Return `text` with an escape for each lone surrogate, such as those of a file name that is not UTF-8.

    >>> without_surrogates("caf\udce9")
    'caf\\udce9'
    """
    return text.encode(errors="backslashreplace").decode()


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


def joined(words: Sequence[str], conjunction: str = "and") -> str:
    """Return words as a list with commas and a final "and", or another conjunction.

    >>> joined(["a", "b", "c"]), joined(["a", "b"], "or")
    ('a, b and c', 'a or b')
    """
    return f" {conjunction} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def listed(words: Sequence[str], most: int) -> str:
    """Return words as `joined` does, or only the first ones and the number of the others.

    >>> listed(["a", "b", "c"], 3), listed(["a", "b", "c"], 2)
    ('a, b and c', 'a, b and 1 more')
    """
    return joined(words if len(words) <= most else [", ".join(words[:most]), f"{len(words) - most} more"])


def exclusive(*names: str, reason: str = "") -> str:
    """Return the message for options or arguments of which only one may be passed.

    >>> exclusive("--key", "--columns", reason="both select the logits")
    '--key and --columns are mutually exclusive, since both select the logits; pass only one'
    """
    return f"{joined(names)} are mutually exclusive{reason and f', since {reason}'}; pass only one"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, which has an s unless the number is 1.

    >>> counted(1, "draw"), counted(2, "draw")
    ('1 draw', '2 draws')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def nearest(name: str, names: Iterable[str], similarity: float = 0.6) -> str | None:
    """Return the most similar of the names; None if no name has at least this similarity, from 0 to 1."""
    import difflib  # imported here because only errors need it

    by_lower_case = {choice.lower(): choice for choice in names}
    matches = difflib.get_close_matches(name.lower(), by_lower_case, 1, similarity)
    return by_lower_case[matches[0]] if matches else None


def unknown(kind: str, name: str, choices: Iterable[str], aliases: Iterable[str] = ()) -> str:
    """Return the message for a name that is not one of the choices. It suggests the most similar choice or alias.

    >>> unknown("schedule", "cosin", ["linear", "cosine"])
    "unknown schedule 'cosin'; did you mean 'cosine'? choose from linear, cosine"
    >>> unknown("class", "cow", [" cat", "dog"])
    "unknown class 'cow'; choose from ' cat', dog"
    """
    choices = list(choices)
    suggestion = nearest(name, [*choices, *aliases])
    hint = f"did you mean {suggestion!r}? " if suggestion else ""
    shown = [repr(choice) if any(c in choice for c in " ,;'") else choice for choice in choices]
    return f"unknown {kind} {name!r}; {hint}choose from {', '.join(shown)}"
