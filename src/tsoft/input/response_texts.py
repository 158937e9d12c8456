"""Which token lists of successive documents make one text.

The pieces of a stream have the same id and the same number of the answer, until the answer is finished. Any other
document is a whole response.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tsoft.input.api_tokens import UNKNOWN, DrawnToken
from tsoft.input.json_values import Location, Object, is_index
from tsoft.input.response_lists import Answer, AnswerId
from tsoft.input.spelling import Spelling, choice_of, written_text
from tsoft.input.token_groups import answer_key
from tsoft.input.token_shapes import field, is_token, spelling_of

# Objects in an answer that contain why it finished.
_DETAILS = ("details", "meta_info", "delta", "response_metadata")
# Fields with the reason why an answer finished; null while it is not finished. Protocol Buffers write the name or the
# number, 0, of the first value: FINISH_REASON_UNSPECIFIED of Gemini, REASON_INVALID of xAI.
_REASONS = ("finish_reason", "stop_reason")
_UNFINISHED = (None, "", "null", "not_finished", 0)
_UNFINISHED_NAMES = ("_UNSPECIFIED", "_INVALID")
# Different tokens often have the same number if they are this certain.
_CERTAIN = -1e-3
# Fields with the kind of an event: the Responses API, LangChain.
_EVENT = ("type", "event")
# Fields that say whether an answer is finished: Ollama, llama.cpp.
_FLAGS = ("done", "stop")


@dataclass
class Text:
    """A text that has begun: its number, its spelling, the event that it begins with, what identifies its answer, the
    fingerprints of its tokens, the paths of its lists in an answer with their innermost names, and how many lists it
    has so far. `is_repeated` is true if a piece has begun with all tokens so far."""

    number: int
    spelling: Spelling
    event: str = ""
    answer_id: AnswerId | None = None
    fingerprints: list[int] = dataclasses.field(default_factory=list)
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    count: int = 0
    is_repeated: bool = False

    def add(self, token: DrawnToken) -> None:
        """Add a token at the end."""
        self.fingerprints.append(fingerprint(token))

    def repeated(self, tokens: list[DrawnToken], answer: Answer, *, may_end: bool) -> int:
        """Return how many tokens at the start of a piece repeat those of the text so far: all tokens of the text, or 0.

        New tokens may be equal by chance, so the number of a token, the server's number of tokens, or the message of
        the piece must show the repetition. A piece that only repeats the text is the last one of a text whose pieces
        repeat tokens, or of one that may end so (`may_end`). Others with the same tokens continue the text.
        """
        count = len(self.fingerprints)
        if len(tokens) < count or [*map(fingerprint, tokens[:count])] != self.fingerprints:
            return 0
        counts = (record.get("completion_tokens", 0) for record in _records(answer))
        expected = next((number for number in counts if is_index(number) and number), 0)
        is_whole = len(tokens) >= expected
        is_said = (expected > 0 and is_whole) or (has_message(answer) and _make_up_text(tokens, answer))
        is_shown = is_said or any(map(is_distinctive, tokens[:count]))
        if len(tokens) > count:
            self.is_repeated = self.is_repeated or is_shown
            return count if is_shown else 0
        is_last = may_end and is_whole and is_finished(answer) is True
        return count if is_last or (self.is_repeated and is_shown) else 0


def fingerprint(token: DrawnToken) -> int:
    """Return a number that is the same for equal tokens with equal alternatives."""
    tokens = (token.token, *token.alternatives)
    # Python gives -1 and -2 the same hash.
    numbers = (1.0 if token.number is None else -token.number for token in tokens)
    return hash((tuple(token.label for token in tokens), tuple(numbers)))


def is_distinctive(token: DrawnToken) -> bool:
    """Return whether a number of the token is unlikely to recur by chance."""
    return any(UNKNOWN < each.logprob < _CERTAIN for each in (token.token, *token.alternatives))


def _make_up_text(tokens: list[DrawnToken], answer: Answer) -> bool:
    """Return whether the tokens of a piece make up its own text."""
    choice = choice_of(answer)
    return choice is not None and "".join(drawn.token.label for drawn in tokens) == written_text(choice)


def event_of(answer: Answer) -> str:
    """Return the kind of event that the document with an answer is; empty for any other document."""
    document = answer.objects[-1] if answer.objects else {}
    return next((name for key in _EVENT if isinstance(name := document.get(key), str)), "")


class Texts:
    """The texts of a source, numbered in the order in which they begin, of which some are not finished yet. `ended` is
    called with each text that is finished."""

    def __init__(self, ended: Callable[[Text], None]) -> None:
        self._ended = ended
        self._unfinished: dict[tuple[Any, ...], Text] = {}
        self._count = 0
        self._ids: set[tuple[str, ...]] = set()

    def text_of(self, answer: Answer, location: Location, *, is_prompt: bool) -> Text:
        """Return the text of an answer's tokens: the unfinished one of an earlier piece, or a new one, which begins in
        this location."""
        place = _place(answer)
        key = (place, is_prompt)
        if key not in self._unfinished:
            self._unfinished[key] = Text(self._count, Spelling(location), event_of(answer), answer.id)
            self._count += 1
        ids, *_ = place
        self._ids.add(ids)
        self._unfinished[key].count += 1
        return self._unfinished[key]

    @property
    def are_unfinished(self) -> bool:
        """Whether there are unfinished texts."""
        return bool(self._unfinished)

    @property
    def are_single_pieces(self) -> bool:
        """Whether there are several unfinished texts in the same place, each with one piece and another id."""
        places = {place[1:] for place, _ in self._unfinished}
        are_single = all(text.count == 1 for text in self._unfinished.values())
        return len(places) == 1 and len(self._unfinished) > 1 and are_single

    def continues(self, answer: Answer) -> bool:
        """Return whether an answer without tokens continues an earlier one: it has the same ids, or it is in the same
        place as an unfinished text."""
        ids = _ids(answer)
        return ids in self._ids if ids else self.has_begun(answer)

    def has_begun(self, answer: Answer) -> bool:
        """Return whether an earlier piece has begun the text of an answer's generated tokens, which is unfinished."""
        return (_place(answer), False) in self._unfinished

    def skip(self, answer: Answer) -> None:
        """Note that a piece of an answer has no tokens, but perhaps a text."""
        text = self._unfinished.get((_place(answer), False))
        if text and written_text(answer.objects[0]):
            text.spelling.is_comparable = False

    def finish(self, answer: Answer) -> None:
        """Finish the texts of an answer."""
        for is_prompt in (False, True):
            text = self._unfinished.pop((_place(answer), is_prompt), None)
            if text:
                self._ended(text)

    def finish_all(self) -> None:
        """Finish all texts."""
        for text in self._unfinished.values():
            self._ended(text)
        self._unfinished.clear()


def _place(answer: Answer) -> tuple[tuple[str, ...], tuple[str | int, ...], int, tuple[Any, ...]]:
    """Return the ids and the place of an answer, and the number of a line's token, which the pieces of its text
    share."""
    document = answer.objects[-1] if answer.objects else {}
    return _ids(answer), answer.path[:-1], answer.number, answer_key(document) if is_token(document) else ()


def _ids(answer: Answer) -> tuple[str, ...]:
    """Return the ids of the objects that contain an answer."""
    values = (field(record, "id", "response_id", "request_id") for record in _records(answer))
    return tuple(value for value in values if isinstance(value, str) and value)


def is_finished(answer: Answer) -> bool | None:
    """Return whether an answer is finished; None if its document does not show it."""
    for record in _records(answer):
        for name in _REASONS:
            spelling = spelling_of(record, name)
            if spelling is not None:
                reason = record[spelling]
                return reason not in _UNFINISHED and not str(reason).endswith(_UNFINISHED_NAMES)
        for name in _FLAGS:
            if isinstance(record.get(name), bool):
                return bool(record[name])
        if "generated_text" in record and isinstance(record.get("token"), dict):
            return record["generated_text"] is not None
    # Gemini leaves out the reason in the pieces of a stream.
    return False if any("candidates" in record for record in answer.objects) else None


def _records(answer: Answer) -> Iterator[Object]:
    for record in answer.objects:
        yield record
        yield from (record[name] for name in _DETAILS if isinstance(record.get(name), dict))


def is_piece(answer: Answer) -> bool:
    """Return whether an answer is a piece of a stream."""
    if any(str(record.get("object")).endswith(".chunk") or "delta" in record for record in answer.objects):
        return True
    # langchain_core/messages/ai.py, AIMessageChunk; openai-python, LogprobsContentDeltaEvent.
    if any(str(record.get("type")).endswith(("MessageChunk", ".delta")) for record in answer.objects):
        return True
    # Azure's pieces about the content filter of the prompt have no kind and no choices.
    if any(record.get("object") == "" and record.get("choices") == [] for record in answer.objects):
        return True
    # DashScope's pieces have the message so far.
    if any(record.get("finish_reason") == "null" for record in answer.objects):
        return True
    return is_finished(answer) is False and not has_message(answer)


def has_message(answer: Answer) -> bool:
    """Return whether an answer has a whole message; the messages in Ollama's pieces are new."""
    return any("message" in record and "done" not in record for record in answer.objects)
