"""Whether the drawn tokens of a choice make up its text.

They may differ for good reasons: servers trim the text, cut off stop strings and leave out special tokens and
reasoning, and a token may be written in the alphabet of its vocabulary, which has other signs for blanks and for all
characters outside ASCII. So only the printable characters of ASCII are compared, and the tokens may be a part of the
text, or continue after it.
"""

import itertools
import re
from dataclasses import dataclass, field

from tsoft.errors import shortened
from tsoft.input.json_values import Location, Object
from tsoft.input.response_lists import Answer

# A special token, or bytes that are part of a character.
_SPECIAL = re.compile(r"(?:<[^<>]+>)+|\[/?[A-Z_]+\]")
# The label of a token whose text is unknown.
_ID = re.compile(r"(?:#|token_id:)\d+")
_NOT_COMPARED = re.compile(r"\\x[0-9a-fA-F]{2}|[^!-~]")
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

    def add(self, answer: Answer, labels: list[str]) -> None:
        """Add a list of tokens. Several lists of one choice have the same text."""
        self.labels += labels
        is_choice = answer.path[-2:-1] == ("choices",)
        choice = next((record for record in answer.objects if "logprobs" in record), None) if is_choice else None
        if choice is None or _message(choice).keys() - {"role", "content"}:
            self.is_comparable = False
        elif choice is not self._choice:
            self._choice = choice
            self.text += written_text(choice)

    def problem(self) -> str | None:
        """Return how the tokens contradict the text; None if they do not, or are not comparable."""
        text = _NOT_COMPARED.sub("", self.text)
        if not self.is_comparable or not text or any(map(_ID.fullmatch, self.labels)):
            return None
        # The answer may start after a special token, such as the end of the reasoning.
        parts = [""]
        for label in self.labels:
            if _SPECIAL.fullmatch(label.strip()) and label.strip() not in self.text:
                parts.append("")
            else:
                parts[-1] += label
        parts = [_NOT_COMPARED.sub("", part) for part in parts]
        spelled = "".join(parts)
        starts = itertools.accumulate(map(len, parts), initial=0)
        is_inside = text in spelled if self.is_part else any(spelled.startswith(text, start) for start in starts)
        if is_inside or spelled in text:
            return None
        tokens = "".join(self.labels)
        pairs = enumerate(zip(tokens, self.text, strict=False))
        start = max(0, next((i for i, (a, b) in pairs if a != b), 0) - _CONTEXT)
        tokens, text = ("…" * (start > 0) + shortened(whole[start:]) for whole in (tokens, self.text))
        return f"the tokens make up {tokens!r}, but the answer has the text {text!r}; a token may be wrong or repeated"


def written_text(choice: Object) -> str:
    """Return the text of a choice, or of a piece of it; empty if it has no text."""
    text = choice.get("text", _message(choice).get("content"))
    return text if isinstance(text, str) else ""


def _message(choice: Object) -> Object:
    """Return the fields with a value in the message of a choice, or in a piece of the message."""
    message = choice.get("message", choice.get("delta"))
    return {name: value for name, value in message.items() if value} if isinstance(message, dict) else {}
