"""Text for terminals whose encoding lacks some characters: look-alikes for tsoft's shapes, escapes for labels."""

import errno
import functools
import io
import re
import sys

_BOXES = {
    **dict.fromkeys("─━╌╍┄┅═⎯", "-"),
    **dict.fromkeys("│┃║╎", "|"),
    **dict.fromkeys("└┌┐┘┬┴┼├┤╭╮╰╯┏┓┗┛┡┩╇", "+"),
    "┊": "!",
}
_BLOCKS = {
    **dict.fromkeys("█▌▋▊▉▆▇", "#"),
    **dict.fromkeys("▏▎▍", ":"),
    **dict.fromkeys("▁▂▃", "_"),
    **dict.fromkeys("▄▅", "o"),
    "▒": "%",
    "░": ":",
}
_SIGNS = {
    **dict(zip("αβγθμπσΣτ", ("alpha", "beta", "gamma", "theta", "mu", "pi", "sigma", "Sum", "tau"), strict=True)),
    **dict(zip("←→↑↓", ("<-", "->", "^", "v"), strict=True)),
    **dict(zip("≤≥≈≠∞√−±×·", ("<=", ">=", "~", "!=", "inf", "sqrt", "-", "+-", "x", "*"), strict=True)),
    **dict(zip("…–—‖›‹•●○", ("...", "-", "--", "||", ">", "<", "*", "*", "o"), strict=True)),
    **dict(zip("¼÷▸▾✓łĠ⊙", ("1/4", "/", ">", "v", "*", "l", "G", "*"), strict=True)),
    **dict(zip("‘’“”₀₁₂\N{NO-BREAK SPACE}", "''\"\"012 ", strict=True)),
}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
# A power, another character that an encoding may lack, or blanks between two columns.
_PARTS = r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+|[^\x00-\x7f]|  +"


def encodable(text: str, encoding: str) -> str:
    r"""Return the text with only characters that the encoding has.

    A replacement that is longer than its character takes blanks from the gap after it, so that columns stay aligned.

    >>> print(encodable("τ = 1   █▌ 中", "ascii"))
    tau = 1 ## \u4e2d
    """
    if _can_encode(text, encoding):
        return text
    return "".join(_encodable_line(line, encoding) for line in text.splitlines(keepends=True))


def encoded(text: str, encoding: str) -> bytes:
    """Return the text in the encoding, with replacements only for characters that the encoding lacks."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return encodable(text, encoding).encode(encoding)


def lacks_tau(encoding: str) -> bool:
    """Return whether τ is longer in this encoding."""
    return not _can_encode("τ", encoding)


def _encodable_line(line: str, encoding: str) -> str:
    surplus = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal surplus
        part = match[0]
        if part.startswith(" "):
            shorter = part[min(surplus, len(part) - 1) :]
            surplus -= len(part) - len(shorter)
            return shorter
        new = _look_alike(part, encoding)
        if new != part:
            from rich.cells import cell_len

            surplus += max(0, len(new) - cell_len(part))
        return new

    return line if _can_encode(line, encoding) else re.sub(_PARTS, replacement, line)


@functools.cache
def _look_alike(part: str, encoding: str) -> str:
    """Return a character or a power, or a look-alike or an escape if the encoding lacks it."""
    if _can_encode(part, encoding):
        return part
    power = part.translate(_SUPERSCRIPTS)
    if power.isascii():
        return f"^{power}"
    if 0x2800 <= ord(part) < 0x2900:
        return _curve_shape(ord(part) - 0x2800)
    known = _BOXES.get(part) or _BLOCKS.get(part) or _SIGNS.get(part)
    return known or part.encode("ascii", "backslashreplace").decode()


def _curve_shape(dots: int) -> str:
    """Return the look-alike of a braille character with these dots, the lowest bit for dot 1, by their heights."""
    rows = [row for row, mask in enumerate((0x09, 0x12, 0x24, 0xC0)) if dots & mask]
    if not rows:
        return " "
    if len(rows) > 2:
        return "|"
    return "'-_."[{(0,): 0, (0, 1): 0, (3,): 2, (2, 3): 3}.get(tuple(rows), 1)]


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


class EncodableStream(io.TextIOWrapper):
    """A standard stream that writes only characters that its encoding has."""

    def write(self, text: str) -> int:
        return super().write(encodable(text, self.encoding))


class ClosedOutput(io.TextIOBase):
    """A stdout that was closed before the program started, for which Python has None. Writing to it is an error."""

    encoding = "utf-8"
    errors = "strict"
    closed = True

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "closed")

    def flush(self) -> None:
        pass


def adapt_standard_streams() -> None:
    """Let stdout and stderr write look-alikes for the characters that their encodings lack. Let a closed stdout be one
    that fails; Typer would print nothing, without an error."""
    sys.stdout = sys.stdout or ClosedOutput()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        # UTF-8 lacks only the lone surrogates of names that are no text.
        stream.reconfigure(errors="backslashreplace")
        if lacks_tau(stream.encoding):
            adapted = EncodableStream(
                stream.buffer,
                stream.encoding,
                "backslashreplace",
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, adapted)
