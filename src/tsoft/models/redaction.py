"""Removing secrets, such as an API key, from texts that a server sent.

Some servers repeat the key in their errors, in any spelling of JSON, HTML or a URL.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html.entities import html5


def redacted(text: str, secrets: Sequence[str]) -> str:
    """Return a text without the secrets. Redact before shortening a text: a part of a secret would not be recognized.

    >>> redacted("wrong key: a&amp;b", ["a&b"])
    'wrong key: ***'
    """
    for secret in secrets:
        if _may_contain(text, secret):
            text = _spellings(secret).sub("***", text)
    return text


def _may_contain(text: str, secret: str) -> bool:
    """Return whether a text may contain a secret in any spelling.

    It does not if it lacks the plain secret, with or without backslashes, and every number and name of the secret's
    characters. Python finds this out much faster than the spellings themselves, whose search Ctrl-C cannot interrupt.
    """
    if secret.replace("\\", "") in text.replace("\\", ""):
        return True
    return any(start in text for start in "&\\%") and _codes(secret).search(text) is not None


@functools.cache
def _codes(secret: str) -> re.Pattern[str]:
    """Return a pattern of the numbers and names of a secret's characters. Since it starts with a set, a search skips
    the characters that are not in it."""
    codes = list(map(_CharacterCodes, set(secret)))
    in_html = "|".join(code.in_html for code in codes)
    in_json, in_url = ("|".join({getattr(code, name)[0] for code in codes}) for name in ("units", "octets"))
    return re.compile(rf"[&\\%](?:{in_html}|u0026(?:{in_html})|u(?i:{in_json})|(?i:{in_url}))")


@functools.cache
def _spellings(secret: str) -> re.Pattern[str]:
    """Return a pattern of all spellings of a secret."""
    return re.compile("".join(map(_spelling_pattern, secret)))


@dataclass(frozen=True)
class _CharacterCodes:
    """The numbers and names that spell a character."""

    character: str

    @property
    def units(self) -> list[str]:
        """Its UTF-16 units in hexadecimal digits, as in JSON."""
        digits = self.character.encode("utf-16-be").hex()
        return [digits[i : i + 4] for i in range(0, len(digits), 4)]

    @property
    def octets(self) -> list[str]:
        """Its UTF-8 bytes in hexadecimal digits, as in a URL."""
        return [f"{byte:02x}" for byte in self.character.encode()]

    @property
    def in_html(self) -> str:
        """A pattern of its numbers and names in HTML, after the &."""
        code = ord(self.character)
        names = [name for name, character in html5.items() if character == self.character and name.endswith(";")]
        return "|".join([f"#0{{0,8}}{code};", f"#[xX]0{{0,8}}(?i:{code:x});", *names])


def _spelling_pattern(character: str) -> str:
    r"""Return a pattern of the spellings of a character.

    These are the character with or without backslashes before it, its number in JSON, HTML or a URL, and its name in
    HTML. Repetitions are bounded, so that the search takes linear time.

    >>> pattern = _spelling_pattern("&")
    >>> all(re.fullmatch(pattern, text) for text in ["&", r"\&", r"\u0026", "&#38;", "&#x26;", "&amp;", "%26"])
    True
    """
    codes = _CharacterCodes(character)
    in_html = rf"(?:&|\\{{1,8}}u0026)(?:{codes.in_html})"
    in_json = "".join(rf"\\{{1,8}}u(?i:{unit})" for unit in codes.units)
    in_url = "".join(f"%(?i:{octet})" for octet in codes.octets)
    return rf"(?:{in_html}|{in_json}|{in_url}|\\{{0,8}}{re.escape(character)})"
