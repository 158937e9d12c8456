"""The token lists in a document: where they are, and which answer each belongs to.

A document is one JSON value: a response, a piece of a stream, or any object that contains them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tsoft.input.json_values import Location, Object, is_index
from tsoft.input.token_lists import (
    COVERED,
    TokenList,
    array_tokens,
    field,
    is_token_list,
    object_tokens,
    record_tokens,
)

# Arrays whose elements are parts of one answer. The elements of any other array are different answers.
_PARTS = ("output", "content", "parts")
# The arrays of a response's answers.
_ANSWERS = ("choices", "candidates")
# Names that say nothing about a location.
_QUIET = ("logprobs", "logprobs_result", "logprobsResult", "content", "completion_probabilities", "message")
# Lists of the prompt's tokens.
_PROMPTS = ("prompt_logprobs", "input_token_logprobs", "prefill", "prefill_token_logprobs")
# Copies of tokens that are elsewhere, and of other answers: the events of an Inspect log.
_COPIES = ("events", "attachments")
# Deeper values are not searched.
_DEEPEST = 40
# Lists of tokens within the object `logprobs`. Those that were generated first come first.
_THOUGHTS = ("reasoning", "thinking", "thought")


@dataclass(frozen=True)
class Answer:
    """An answer in a document: the path of its object, its number, and whether it is one of several. `objects` are its
    object and those that contain it, the innermost first."""

    path: tuple[str | int, ...]
    number: int
    is_several: bool
    objects: tuple[Object, ...]


@dataclass(frozen=True)
class FoundList:
    """A token list in a document: the answer that it belongs to, its own name, and whether its tokens are those of the
    prompt."""

    answer: Answer
    name: str
    list: TokenList
    is_prompt: bool = False

    def is_copy_of(self, other: "FoundList") -> bool:
        """Return whether two lists of an answer are equal."""
        return (self.answer.path, self.name) == (other.answer.path, other.name) and self.list.value == other.list.value


@dataclass(frozen=True)
class _Place:
    """A place in a document: its path, the answer it is in, its location, and, if known, the text and the ids of the
    tokens that it contains."""

    path: tuple[str | int, ...]
    answer: Answer
    location: Location
    text: str | None = None
    ids: object = None

    @property
    def name(self) -> str:
        """The name of the innermost field."""
        return next((key for key in reversed(self.path) if isinstance(key, str)), "")

    def must_have_tokens(self, values: list[Any]) -> bool:
        """Return whether an array in this place is a list of tokens, even if its elements are wrong."""
        if self.path[-2:] in (("logprobs", "content"), ("logprobs", "refusal")):
            return bool(values)
        is_inside = "logprobs" in self.path[-2:] or self.name == "completion_probabilities"
        return is_inside and any(isinstance(value, dict) for value in values)

    def inside(self, key: str, ids: object, text: str | None) -> "_Place":
        location = self.location if key in _QUIET else self.location.at(key)
        return _Place((*self.path, key), self.answer, location, text, ids)

    def found(self, tokens: TokenList) -> FoundList:
        return FoundList(self.answer, self.name, tokens, any(key in _PROMPTS for key in self.path))


def found_lists(document: object, location: Location) -> Iterator[FoundList]:
    """Yield the token lists of a document, in the order in which their tokens were generated. A list that an answer
    contains twice is yielded once."""
    answer = outer_answer(document) if isinstance(document, dict) else Answer((), 0, False, ())
    read: list[FoundList] = []
    for found in _lists(document, _Place((), answer, location)):
        if not any(other.is_copy_of(found) for other in read):
            read.append(found)
            yield found


def outer_answer(document: Object) -> Answer:
    """Return the answer of a document outside its arrays of answers."""
    # llama.cpp numbers the answers to several prompts.
    index = document.get("index") if "completion_probabilities" in document else 0
    number = index if is_index(index) else 0
    return Answer((), number, number > 0, (document,))


def answers(document: Object) -> list[Answer]:
    """Return the answers of a document: the elements of its array of choices or candidates."""
    name = next((name for name in _ANSWERS if isinstance(document.get(name), list)), None)
    if name is None:
        return []
    root = _Place((name,), outer_answer(document), Location(""))
    return [place.answer for _, place in _elements(document[name], root)]


def _lists(value: object, place: _Place) -> Iterator[FoundList]:
    if len(place.path) > _DEEPEST:
        return
    if isinstance(value, list):
        yield from _lists_in_array(value, place)
    elif isinstance(value, dict):
        yield from _lists_in_object(value, place)


def _lists_in_array(values: list[Any], place: _Place) -> Iterator[FoundList]:
    tokens = array_tokens(values, place.location, place.name, place.ids)
    if tokens is None and place.must_have_tokens(values):
        # If these tokens are wrong, the error names the first wrong one.
        tokens = object_tokens(values, place.location)
    if tokens:
        yield place.found(tokens)
        return
    for element, inner in _elements(values, place):
        yield from _lists(element, inner)


def _elements(values: list[Any], place: _Place) -> Iterator[tuple[object, _Place]]:
    """Yield the elements of an array that are objects or arrays, each at its place: in an answer of its own, unless the
    array contains parts of one answer."""
    for i, value in enumerate(values):
        if not isinstance(value, dict | list):
            continue
        path = (*place.path, i)
        number = value["index"] if isinstance(value, dict) and is_index(value.get("index")) else i
        answer = place.answer
        if place.name not in _PARTS:
            # The best answer of Text Generation Inference is not in the list of the others.
            number += place.name == "best_of_sequences"
            objects = (value, *answer.objects) if isinstance(value, dict) else answer.objects
            answer = Answer(path, number, len(values) > 1 or number > 0, objects)
        element = f"choice {number}" if place.name in _ANSWERS else f"{place.name}[{i}]"
        yield value, _Place(path, answer, place.location.outside(place.name).at(element), place.text)


def _lists_in_object(record: Object, place: _Place) -> Iterator[FoundList]:
    text = _text_of(record) or place.text
    # KoboldCpp writes the same tokens as a list and as lists side by side.
    has_list = is_token_list(record.get("content"))
    own = {} if has_list else record_tokens(record, place.location, text)
    for name, tokens in own.items():
        yield place.inside(name, None, text).found(tokens) if name else place.found(tokens)
    covered = COVERED if own or has_list else ()
    names = [name for name, value in record.items() if isinstance(value, dict | list) and name not in _COPIES]
    for name in sorted(names, key=lambda name: not any(word in name for word in _THOUGHTS)):
        if name not in covered:
            ids = field(record, "prompt_token_ids" if name in _PROMPTS else "token_ids")
            yield from _lists(record[name], place.inside(name, ids, text))


def _text_of(record: Object) -> str | None:
    """Return the text of an answer."""
    message = record.get("message")
    texts = (record.get("text"), message.get("content") if isinstance(message, dict) else None)
    return next((text for text in texts if isinstance(text, str)), None)
