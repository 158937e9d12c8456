"""Which token lists of successive documents make one text.

The pieces of a stream have the same id and the same number of the answer, until the answer is finished. The innermost
id decides, whatever objects contain it; without one, the question in these objects. Any other document is a whole
response.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tsoft.input.api_tokens import UNKNOWN, DrawnToken
from tsoft.input.json_values import Location, Object, is_index
from tsoft.input.response_kinds import blocked_prompt
from tsoft.input.response_lists import ANSWERS, Answer, AnswerId, Path
from tsoft.input.spelling import Spelling, choice_of, written_text
from tsoft.input.token_groups import answer_key
from tsoft.input.token_shapes import PLAIN_TEXTS, is_token, spelling_of

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
# The fields of a response's id. Gemini's pieces without one have the time of the request.
_IDS = ("id", "response_id", "request_id")
_TIME = "create_time"
# The names of times, which are different in each event of a log.
_TIMES = re.compile(r"time|date|(^|_)(ts|at)$", re.IGNORECASE)
# The names of a question that is not a text, and of its number.
_QUESTIONS = ("messages", "contents", "prompt", "input", "request")
_NUMBER = re.compile(r"(^|_)(id|idx|index)$")
# Fields that the pieces of a stream have, and other objects of an unfinished answer do not.
PIECE_MARKS = (*ANSWERS, "delta", "done", "stop")

# The names and the values of the fields that the pieces of a text share.
Identity = tuple[tuple[str, object], ...]


@dataclass
class Text:
    """A text that has begun: its number, its spelling, the event that it begins with, what identifies its answer, the
    fingerprints of its tokens, the paths of its lists in an answer with their innermost names, and how many lists it
    has so far. `is_repeated` is true if a piece has begun with all tokens so far, and `is_known` if a piece has the
    mark of a stream."""

    number: int
    spelling: Spelling
    event: str = ""
    answer_id: AnswerId | None = None
    fingerprints: list[int] = dataclasses.field(default_factory=list)
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    count: int = 0
    is_repeated: bool = False
    is_known: bool = False

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
        counts = (record.get("completion_tokens", 0) for record in _with_details(answer.objects))
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
        self._unfinished: dict[_TextPlace, Text] = {}
        self._count = 0
        self._identities: set[Identity] = set()

    def text_of(self, answer: Answer, location: Location, *, is_prompt: bool) -> Text:
        """Return the text of an answer's tokens: the unfinished one of an earlier piece, or a new one, which begins in
        this location."""
        place = self._place(answer, is_prompt=is_prompt)
        if place not in self._unfinished:
            self._unfinished[place] = Text(self._count, Spelling(location), event_of(answer), answer.id)
            self._count += 1
        self._identities.add(place.identity)
        self._unfinished[place].count += 1
        return self._unfinished[place]

    @property
    def are_unfinished(self) -> bool:
        """Whether there are unfinished texts."""
        return bool(self._unfinished)

    @property
    def has_guessed(self) -> bool:
        """Whether an unfinished text has several pieces, and nothing shows that they are those of one answer."""
        texts = self._unfinished.items()
        return any(text.count > 1 and not text.is_known and not place.identity for place, text in texts)

    @property
    def differing_field(self) -> str | None:
        """The field that differs in several unfinished texts in the same place, each with one piece; None if there are
        no such texts."""
        places = [*self._unfinished]
        if len({replace(place, identity=()) for place in places}) != 1 or len(places) < 2:
            return None
        if any(text.count > 1 for text in self._unfinished.values()):
            return None
        first, second, *_ = (place.identity for place in places)
        return next(item[0] for item in (*first, *second) if (item in first) != (item in second))

    def continues(self, answer: Answer) -> bool:
        """Return whether an answer without tokens continues an earlier one: it has the same id, or it is in the same
        place as an unfinished text."""
        return _identity(answer) in self._identities if _id(answer.objects) else self.has_begun(answer)

    def has_begun(self, answer: Answer) -> bool:
        """Return whether an earlier piece has begun the text of an answer's generated tokens, which is unfinished."""
        return self._place(answer) in self._unfinished

    def skip(self, answer: Answer) -> None:
        """Note that a piece of an answer has no tokens, but perhaps a text."""
        text = self._unfinished.get(self._place(answer))
        if text and written_text(answer.objects[0]):
            text.spelling.is_comparable = False

    def finish(self, answer: Answer) -> None:
        """Finish the texts of an answer."""
        for is_prompt in (False, True):
            text = self._unfinished.pop(self._place(answer, is_prompt=is_prompt), None)
            if text:
                self._ended(text)

    def finish_unnamed(self) -> None:
        """Finish the texts without an id."""
        for place in [place for place in self._unfinished if not place.identity]:
            self._ended(self._unfinished.pop(place))

    def finish_all(self) -> None:
        """Finish all texts."""
        for text in self._unfinished.values():
            self._ended(text)
        self._unfinished.clear()

    def _place(self, answer: Answer, *, is_prompt: bool = False) -> "_TextPlace":
        """Return the place of an answer's text. Pieces with an id may be in different objects."""
        document = answer.objects[-1] if answer.objects else {}
        group = answer_key(document) if is_token(document) else ()
        place = _TextPlace(_identity(answer), (), answer.number, group, is_prompt)
        if has_id(answer) and (place in self._unfinished or is_piece(answer)):
            return place
        return replace(place, path=answer.path[:-1])


@dataclass(frozen=True)
class _TextPlace:
    """What the pieces of a text share: what identifies the answer, the path of the array that contains it, its number,
    what a row of a table of tokens says about its text, and whether the tokens are those of the prompt."""

    identity: Identity
    path: Path
    number: int
    group: tuple[Any, ...]
    is_prompt: bool


def has_id(answer: Answer) -> bool:
    """Return whether the response with an answer has an id."""
    return _id(_response_records(answer)) is not None


def _response_records(answer: Answer) -> list[Object]:
    """Return the objects of an answer up to its response, the innermost object with answers or with a mark."""
    for marks in (ANSWERS, PIECE_MARKS):
        for i, record in enumerate(answer.objects):
            if not record.keys().isdisjoint(marks):
                return [*answer.objects[: i + 1]]
    return [*answer.objects]


def _id(records: Iterable[Object]) -> tuple[str, str] | None:
    """Return the name and the value of the innermost id; None without one."""
    for record in _with_details(records):
        for name in filter(None, (spelling_of(record, id) for id in _IDS)):
            if isinstance(record[name], str) and record[name]:
                return name, record[name]
    return None


def _identity(answer: Answer) -> Identity:
    """Return what identifies an answer: the id of its response; else the innermost id, the time of the request, and the
    questions and the numbers in the objects around the response."""
    inside = _response_records(answer)
    id = _id(inside)
    if id:
        return (id,)
    id = _id(answer.objects)
    times = ((name, record[name]) for record in inside if (name := spelling_of(record, _TIME)) is not None)
    fields = (item for record in answer.objects[len(inside) :] for item in record.items())
    questions = ((name, repr(value)) for name, value in fields if _is_question(name, value))
    return (*filter(None, [id]), *times, *questions)


def _is_question(name: str, value: object) -> bool:
    """Return whether a field of an object around a response may tell it from those to other questions."""
    if isinstance(value, str):
        return bool(value) and name not in PLAIN_TEXTS and name not in PIECE_MARKS and not _TIMES.search(name)
    return (bool(value) and name in _QUESTIONS) or (is_index(value) and bool(_NUMBER.search(name)))


def is_finished(answer: Answer) -> bool | None:
    """Return whether an answer is finished; None if its document does not show it."""
    for record in _with_details(answer.objects):
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
    has_answers = any("candidates" in record and not blocked_prompt(record) for record in answer.objects)
    return False if has_answers else None


def _with_details(records: Iterable[Object]) -> Iterator[Object]:
    for record in records:
        yield record
        yield from (record[name] for name in _DETAILS if isinstance(record.get(name), dict))


def is_piece(answer: Answer) -> bool:
    """Return whether an answer is a piece of a stream: it has the mark of one, or is unfinished and has no message."""
    return has_mark(answer) or (is_finished(answer) is False and not has_message(answer))


def has_mark(answer: Answer) -> bool:
    """Return whether an answer has the mark of a piece, and is not only unfinished."""
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
    has_flag = any(record.get(name) is False for record in answer.objects for name in _FLAGS)
    return has_flag and is_finished(answer) is False and not has_message(answer)


def has_message(answer: Answer) -> bool:
    """Return whether an answer has a whole message; the messages in Ollama's pieces are new."""
    return any("message" in record and "done" not in record for record in answer.objects)
