"""Answers that repeat the tokens of an earlier one: the last event of a stream, and logs, which contain a response in
the request and in the step that made it."""

import itertools
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tsoft.input.api_tokens import DrawnToken
from tsoft.input.response_lists import AnswerId, FoundList
from tsoft.input.response_texts import Text, event_of, fingerprint, is_distinctive, is_piece

# The number of finished answers that are remembered.
_MAX_REMEMBERED = 1000
# The last words in the names of events that may repeat others. Other names may be those of models or experiments.
_REPEATING = re.compile(r"(^|[._-])(chunk|delta|stream|end|done|complete|completed|finish|finished|message|event)$")


@dataclass(frozen=True)
class _Ended:
    """An answer that has ended: what identifies it, the hash of its tokens, and whether it was a stream."""

    id: AnswerId
    tokens_hash: int
    is_stream: bool


class Copies:
    """The answers that were read and may be repeated. `note` is called with each kind of copy and its note."""

    def __init__(self, note: Callable[[str, str], None]) -> None:
        self._note = note
        self._last: Text | None = None
        # The answers that have ended; None if answers with the same id differ.
        self._ended: OrderedDict[tuple[str, int], _Ended | None] = OrderedDict()
        # The events that repeat the tokens of others.
        self._events: set[str] = set()

    def set_last(self, text: Text) -> None:
        """Record that a text has new tokens."""
        self._last = text

    def end(self, text: Text) -> None:
        """Add a text that has ended."""
        if text.answer_id is None:
            return
        key, tokens_hash = text.answer_id.key, hash(tuple(text.fingerprints))
        other = self._ended.get(key)
        is_different = key in self._ended and (other is None or other.tokens_hash != tokens_hash)
        self._ended[key] = None if is_different else _Ended(text.answer_id, tokens_hash, text.spelling.is_part)
        if len(self._ended) > _MAX_REMEMBERED:
            self._ended.popitem(last=False)

    def without(self, lists: list[FoundList], *, streamed: bool) -> list[FoundList]:
        """Return the lists of a document without those of answers that repeat others."""
        answers = [[*group] for _, group in itertools.groupby(lists, key=lambda found: found.answer.path)]
        different = _different(answers) if len(answers) > 1 else set()
        kept: list[list[FoundList]] = []
        ids: dict[tuple[str, int], list[AnswerId]] = {}
        for answer in answers:
            id = answer[0].answer.id if len(answers) > 1 else None
            others = [] if id is None or id.key in different else ids.setdefault(id.key, [])
            same = [other for other in others if id and id.may_be(other)]
            is_copy = id is not None and bool(same) and self._is_copy(id, any(map(id.is_elsewhere, same)))
            if not is_copy and not self._has_ended(answer, streamed) and not self._is_in_event(answer):
                kept.append(answer)
                if id is not None and id not in others:
                    others.append(id)
        return [found for answer in kept for found in answer]

    def _has_ended(self, lists: list[FoundList], streamed: bool) -> bool:
        """Return whether an answer repeats one that has ended, which stands elsewhere or was a stream."""
        answer = lists[0].answer
        id = answer.id if self._ended and not streamed and not is_piece(answer) else None
        ended = self._ended.get(id.key) if id else None
        if id is None or ended is None or not id.may_be(ended.id):
            return False
        is_equal = hash(tuple(map(fingerprint, _tokens(lists)))) == ended.tokens_hash
        return is_equal and self._is_copy(id, ended.is_stream or id.is_elsewhere(ended.id))

    def _is_in_event(self, lists: list[FoundList]) -> bool:
        """Return whether an event repeats the last tokens of a stream of other events."""
        event, id, last = event_of(lists[0].answer), lists[0].answer.id, self._last
        if last is None or not last.spelling.is_part or "" in (event, last.event) or event == last.event:
            return False
        are_pieces = event.endswith("delta") and last.event.endswith("delta")
        if (
            are_pieces
            or not _REPEATING.search(event)
            or (id and last.answer_id and id.response != last.answer_id.response)
        ):
            return False
        tokens = _tokens(lists)
        if last.fingerprints[-len(tokens) :] != [*map(fingerprint, tokens)]:
            return False
        if event not in self._events and not any(map(is_distinctive, tokens)):
            return False
        self._events.add(event)
        self._note("events", f"tsoft skips the tokens of {event!r}, which repeat those of {last.event!r}")
        return True

    def _is_copy(self, id: AnswerId, is_copy: bool) -> bool:
        """Print a note on answers with the same id and equal tokens, of which one may be a copy, and return whether it
        is."""
        problem = f"tsoft reads the answers with the id {id.response!r} and equal tokens as"
        if is_copy:
            self._note("ids of copies", f"{problem} one answer; if they are different answers, remove the ids")
        else:
            self._note("equal ids", f"{problem} different answers; if they are copies, remove all but one")
        return is_copy


def _tokens(lists: list[FoundList]) -> list[DrawnToken]:
    return [token for found in lists for token in found.list.tokens()]


def _different(answers: list[list[FoundList]]) -> set[tuple[str, int]]:
    """Return the keys that answers with different tokens share in a document."""
    first: dict[tuple[str, int], list[object]] = {}
    different = set()
    for lists in answers:
        id, values = lists[0].answer.id, [found.list.value for found in lists]
        if id is not None and first.setdefault(id.key, values) != values:
            different.add(id.key)
    return different
