r"""Whether the drawn tokens of a choice make up its text.

They may differ for good reasons: servers trim the text, cut off stop strings and leave out special tokens and
reasoning, and a token may be written in the alphabet of its vocabulary, which has other signs for blanks and for all
characters outside ASCII. So only the printable characters of ASCII are compared. The text may leave out parts between
marks, such as <think> and [INST], and the tokens may be a part of the text, or continue after it.
"""

import re
from dataclasses import dataclass, field

from tsoft.errors import shortened
from tsoft.input.json_values import Location, Object
from tsoft.input.response_lists import THOUGHTS, Answer, FoundList

# A special token, or the start or the end of a reasoning, which may be several tokens. ChatGLM starts with two.
_MARK = re.compile(r"(\[gMASK\]sop|<[^<>]*>|\[[^\[\]]*\])")
# Kimi's brackets of marks, outside ASCII.
_BRACKETS = str.maketrans("◁▷", "<>")
# The label of a token whose text is unknown.
_ID = re.compile(r"(?:#|token_id:)\d+")
# A byte, as a label or in a text.
_BYTE = re.compile(r"<0x([0-9a-fA-F]{2})>")
_NOT_COMPARED = re.compile(r"\\x[0-9a-fA-F]{2}|[^!-~]")
# Texts that need more comparisons than this are not compared.
_MOST = 10**6
# A message shows this many characters before the first difference.
_CONTEXT = 20


@dataclass
class Spelling:
    """The labels of the drawn tokens of a choice so far, its text so far, and the location of both. With `is_part`, the
    text may lack its beginning. They are comparable only if the response has both, and nothing else in its message.
    """

    location: Location
    labels: list[str] = field(default_factory=list)
    text: str = ""
    is_part: bool = False
    is_comparable: bool = True
    _choice: Object | None = None

    def add(self, found: FoundList, labels: list[str]) -> None:
        """Add a list of tokens. Several lists of one choice have the same text."""
        self.labels += labels
        choice = choice_of(found.answer)
        if choice is None or found.is_thought or _has_other_content(choice):
            self.is_comparable = False
        elif choice is not self._choice:
            self._choice = choice
            self.text += written_text(choice)

    def problem(self) -> str | None:
        """Return how the tokens contradict the text; None if they do not, or are not comparable."""
        text = _compared(self.text)
        if not self.is_comparable or not text or any(map(_ID.fullmatch, self.labels)):
            return None
        parts = _MARK.split(_compared("".join(self.labels)))
        # Every second part is a mark.
        absent = {mark for mark in set(parts[1::2]) if mark not in text}
        spelled = "".join(part for part in parts if part not in absent)
        if spelled in text or (self.is_part and text in spelled) or _are_selected(text, parts):
            return None
        tokens = "".join(self.labels)
        pairs = enumerate(zip(tokens, self.text, strict=False))
        start = max(0, next((i for i, (a, b) in pairs if a != b), 0) - _CONTEXT)
        tokens, text = ("…" * (start > 0) + shortened(whole[start:]) for whole in (tokens, self.text))
        return f"the tokens make up {tokens!r}, but the answer has the text {text!r}; a token may be wrong or repeated"


def _compared(text: str) -> str:
    """Return the characters of a text that are compared.

    >>> _compared("a <0x42>\\xe2 <0xE2><0x80>é")
    'aB'
    """
    return _NOT_COMPARED.sub("", _BYTE.sub(lambda byte: chr(int(byte[1], 16)), text).translate(_BRACKETS))


def _are_selected(text: str, parts: list[str]) -> bool:
    """Return whether a text consists of some of the parts in their order, the last of which may be cut off. Return true
    if this is not known after many comparisons.

    >>> _are_selected("so it", ["hm", "<a>", "so", "<b>", "x", "<b>", " its"]), _are_selected("it", ["iit"])
    (True, False)
    """
    # Where in the text the next part may start.
    starts, count = {0}, 0
    for part in parts:
        count += len(starts)
        if count > _MOST or any(len(text) - start <= len(part) and part.startswith(text[start:]) for start in starts):
            return True
        starts |= {start + len(part) for start in starts if text.startswith(part, start)}
    return False


def choice_of(answer: Answer) -> Object | None:
    """Return the choice that an answer is, with its log-probabilities; None for any other answer."""
    is_choice = answer.path[-2:-1] == ("choices",)
    return next((record for record in answer.objects if "logprobs" in record), None) if is_choice else None


def _has_other_content(choice: Object) -> bool:
    """Return whether a choice has a reasoning, or a message with more than a text."""
    has_thought = any(choice[name] and any(word in name for word in THOUGHTS) for name in choice)
    return has_thought or not _message(choice).keys() <= {"role", "content"}


def written_text(choice: Object) -> str:
    """Return the text of a choice, or of a piece of it; empty if it has no text."""
    text = choice.get("text", _message(choice).get("content"))
    return text if isinstance(text, str) else ""


def _message(choice: Object) -> Object:
    """Return the fields with a value in the message of a choice, or in a piece of the message."""
    message = choice.get("message", choice.get("delta"))
    return {name: value for name, value in message.items() if value} if isinstance(message, dict) else {}
