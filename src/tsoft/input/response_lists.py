"""The token lists in a document: where they are, and which answer each belongs to.

A document is one JSON value: a response, a piece of a stream, or any object that contains them.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tsoft.input.api_tokens import ApiToken
from tsoft.input.class_lookup import numbers_in
from tsoft.input.json_values import Location, Object, is_index
from tsoft.input.response_kinds import REQUESTED, blocked_prompt, error_message
from tsoft.input.token_groups import alternatives_in, answers_in
from tsoft.input.token_ids import answers_of_batch, drawn_ids, may_be_positions, separate_ids
from tsoft.input.token_lists import (
    COVERED,
    MAPS,
    TokenList,
    are_token_lists,
    array_tokens,
    have_texts,
    is_token_list,
    make_up_text,
    maps_of_flat,
    name_of_tops,
    object_tokens,
    record_tokens,
    separate_lists,
)
from tsoft.input.token_shapes import (
    NUMBERS,
    PAIRS,
    alternatives_name,
    are_alternatives,
    field,
    other_text,
    spelling_of,
    spellings,
)

# A place in a document: names of fields and indices of arrays, from the outside in.
Path = tuple[str | int, ...]

# Arrays whose elements are parts of one answer if these name their kinds, as in the Responses API. The elements of any
# other array are different answers.
_PARTS = ("output", "content", "parts")
_KINDS = ("type", "kind", "part_kind")
# The arrays of a response's answers.
ANSWERS = ("choices", "candidates")
# What the names of questions and of their numbers have, and those of fields in responses do not.
_QUESTION = re.compile(r"[^\w.$-]|\d$")
# Names that say nothing about a location.
_QUIET = spellings("logprobs", "logprobs_result", "content", "completion_probabilities", "message")
# The fields of an answer with an object that contains the list of its tokens.
_LOGPROBS = spellings("logprobs", "logprobs_result")
# Lists of the prompt's tokens.
_PROMPTS = spellings(
    *("prompt", "prompt_logprobs", "input_tokens", "input_token_logprobs", "prefill", "prefill_token_logprobs")
)
# Lists of objects that are tokens if some have numbers: HELM, watsonx, and Gemini without alternatives.
_TOKENS = spellings("tokens", "generated_tokens", "input_tokens", "chosen_candidates")
# The fields that are searched only if there are no tokens elsewhere, in objects with the other field: the events of a
# sample in an Inspect log repeat its answers (inspect_ai/log/_log.py, EvalSample).
_COPIES = ("events", "attachments")
_SAMPLE = "epoch"
# The text so far in each event of a stream, next to its new tokens: openai-python, lib/streaming/chat/_events.py.
_SO_FAR = "snapshot"
# Fields next to the id that LangChain gives to a response.
_METADATA = spellings("response_metadata")
# Fields of a choice, or of its pieces, with other tokens than those of its text: Fireworks writes its tokens a second
# time, and FastDeploy those of the draft model, entrypoints/openai/protocol.py.
_SIDE_FIELDS = spellings("raw_output", "draft_logprobs")
# Deeper values are not searched.
_DEEPEST = 40
# Words in the names of fields with a reasoning. Its tokens come first, since they were generated first.
THOUGHTS = ("reasoning", "thinking", "thought")


@dataclass(frozen=True)
class AnswerId:
    """The id that a server gives to a response, the number of an answer in it, when the server created it, None if
    unknown, the names of the fields that contain the answer, and the parent of a trace's step, empty if unknown."""

    response: str
    number: int
    created: object
    names: tuple[str, ...]
    parent: str

    @property
    def key(self) -> tuple[str, int]:
        """The id and the number."""
        return self.response, self.number

    def may_be(self, other: "AnswerId") -> bool:
        """Return whether two answers may be copies. Some servers give each response the same id."""
        return self.key == other.key and (None in (self.created, other.created) or self.created == other.created)

    def is_elsewhere(self, other: "AnswerId") -> bool:
        """Return whether two answers are in different fields, or in steps of a trace with different parents. Those in
        the same field of two records may be runs of one request, to which some servers give the same id."""
        return self.names != other.names or self.parent != other.parent


@dataclass(frozen=True)
class Answer:
    """An answer in a document: the path of its object, its number, and whether it is one of several. `objects` are its
    object and those that contain it, the innermost first."""

    path: Path
    number: int
    is_several: bool
    objects: tuple[Object, ...]

    @property
    def outer_paths(self) -> list[Path]:
        """The answer's path, and those of the objects and arrays that contain it."""
        return [self.path[:count] for count in range(len(self.path) + 1)]

    @property
    def response(self) -> Object | None:
        """The innermost object that contains the answer and has the id of a response; None without one."""
        return next((record for record in self.objects if _is_response(record)), None)

    @property
    def id(self) -> AnswerId | None:
        """What identifies the answer; None if its response has no id."""
        record = self.response
        if record is None:
            return None
        names = tuple(key for key in self.path if isinstance(key, str))
        parents = (value for each in self.objects for key, value in each.items() if key.lower().startswith("parent"))
        parent = next((value for value in parents if isinstance(value, str)), "")
        return AnswerId(field(record, "id", "response_id"), self.number, record.get("created"), names, parent)


@dataclass(frozen=True)
class FoundList:
    """A token list in a document: its path, the answer that it belongs to, whether its tokens are those of the prompt,
    and whether it is not an array, but one object with the tokens of one position or piece."""

    path: Path
    answer: Answer
    list: TokenList
    is_prompt: bool = False
    is_alone: bool = False

    @property
    def name(self) -> str:
        """The name of the innermost field; empty for the document itself."""
        return _innermost(self.path)

    @property
    def is_guess(self) -> bool:
        """Whether the list is an object {text: number} whose name does not show that it has alternatives."""
        value = self.list.value
        return isinstance(value, dict) and isinstance(value.get(self.name), dict) and self.name not in MAPS

    @property
    def side_field(self) -> str | None:
        """The field next to an answer's list that has the tokens, such as those before the server parsed the answer."""
        return next((key for key in self.path if key in _SIDE_FIELDS and isinstance(key, str)), None)

    @property
    def is_thought(self) -> bool:
        """Whether the tokens are those of a reasoning that has a list."""
        inner = self.path[len(self.answer.path) :]
        return any(isinstance(key, str) and any(word in key for word in THOUGHTS) for key in inner)


def _is_response(record: Object) -> bool:
    """Return whether an object has the id of a response. Other objects have those of questions and the like, whose
    choices may be texts."""
    name, kind = field(record, "id", "response_id"), str(record.get("object"))
    answers = [answer for key in ANSWERS if isinstance(record.get(key), list) for answer in record[key]]
    is_named = kind == "response" or "completion" in kind or any(key in record for key in _METADATA)
    return isinstance(name, str) and name != "" and (is_named or any(isinstance(each, dict) for each in answers))


def _innermost(path: Path) -> str:
    return next((key for key in reversed(path) if isinstance(key, str)), "")


def _is_of_tokens(name: str) -> bool:
    """Return whether a name is that of a list of tokens."""
    return any(word in name.lower() for word in ("token", "prob", "content", "candidate"))


@dataclass(frozen=True)
class _Place:
    """A place in a document: its path, the answer it is in, its location, and, if known, the text and the ids of the
    tokens that it contains."""

    path: Path
    answer: Answer
    location: Location
    text: str | None = None
    ids: object = None

    @property
    def name(self) -> str:
        """The name of the innermost field."""
        return _innermost(self.path)

    @property
    def is_prompt(self) -> bool:
        return any(key in _PROMPTS for key in self.path)

    def must_have_tokens(self, values: list[Any]) -> bool:
        """Return whether an array in this place is a list of tokens, even if its elements are wrong."""
        if self.path[-2:] in (("logprobs", "content"), ("logprobs", "refusal")):
            return bool(values)
        is_inside = "logprobs" in self.path[-2:] or self.name == "completion_probabilities"
        has_numbers = self.name in _TOKENS and any(isinstance(v, dict) and spelling_of(v, *NUMBERS) for v in values)
        return has_numbers or (is_inside and any(isinstance(value, dict) for value in values))

    def has_answers(self, values: list[Any]) -> bool:
        """Return whether the objects of an array in this place are answers of one token with other texts, such as a
        question, and not the tokens of one answer."""
        if not self.path or not values or self.path[-1] in _QUIET or other_text(values[0]) is None:
            return False
        return not _is_of_tokens(self.name) and all(map(other_text, values))

    def field(self, name: str, record: Object) -> "_Place":
        """Return the place of a field of an object in this place."""
        location = self.location if name in _QUIET else self.location.at(name)
        ids = field(record, "prompt_token_ids") if name in _PROMPTS else drawn_ids(record)
        text = _text_of(record) or self.text
        return _Place((*self.path, name), self.answer, location, text, ids)

    def element(self, i: int, value: object, number: int, count: int) -> "_Place":
        """Return the place of an element of an array in this place: in an answer of its own, with this number, unless
        the array contains parts of one answer."""
        path = (*self.path, i)
        answer = self.answer
        if self.name not in _PARTS or (isinstance(value, dict) and not any(kind in value for kind in _KINDS)):
            # The best answer of Text Generation Inference is not in the list of the others.
            number += self.name == "best_of_sequences"
            answer = Answer(path, number, count > 1 or number > 0, answer.objects)
        name = f"choice {number}" if self.name in ANSWERS else f"{self.name}[{i}]"
        return _Place(path, answer, self.location.outside(self.name).at(name), self.text)


class Search:
    """A search for the token lists of a document. `lists` are in the order in which their tokens were generated. A list
    that an answer contains twice is there once. `answers` are the elements of arrays of choices or candidates, and
    `answered` are the paths of answers with a list, and `empty` those of answers whose list of tokens is empty.
    `copies` are the names of fields with equal lists, which may be different answers; empty without such fields.
    `guess` is a note on lists that may be parts of one answer. `outer` are the objects that contain the document.
    `requested` are the names of fields with the log-probabilities of tokens that the request names."""

    def __init__(self, document: object, location: Location, outer: tuple[Object, ...] = ()):
        self.answers: list[Answer] = []
        self.empty: set[Path] = set()
        self.requested: list[str] = []
        self.guess: str | None = None
        self.outer = _outer_answer(document)
        self._found: list[FoundList] = []
        self._copies: list[tuple[object, _Place]] = []
        self._search(document, _Place((), replace(self.outer, objects=outer), location))
        while self._copies and not self._found:
            self._search(*self._copies.pop(0))
        self._found = [found for found in self._found if not found.is_guess] or self._found
        self._groups, self.copies = _groups_of_answers(self._found)
        self.lists = _without_copies([*_separated(self._found, self._groups)], self._groups)
        self.answered = {found.answer.path for found in [*self._found, *self.lists]}

    def unanswered(self, document: object) -> dict[str, object]:
        """Return the fields of the document next to answers that have no list and may be failed requests: their names
        and values."""
        return dict(_unanswered(document, self._found, self._groups))

    def _search(self, value: object, place: _Place) -> None:
        if len(place.path) > _DEEPEST:
            return
        if isinstance(value, dict) and (maps := maps_of_flat(value)) is not None:
            value = maps
        if isinstance(value, list):
            self._search_array(value, place)
        elif isinstance(value, dict) and (answers := answers_of_batch(value)) is not None:
            if may_be_positions(value):
                self.guess = separate_ids(len(answers))
            for i, answer in enumerate(answers):
                self._search(answer, place.element(i, answer, i, len(answers)))
        elif isinstance(value, dict):
            objects = (value, *place.answer.objects)
            self._search_object(value, replace(place, answer=replace(place.answer, objects=objects)))

    def _search_array(self, values: list[Any], place: _Place) -> None:
        if answers := answers_in(values):
            for i, answer in enumerate(answers):
                self._search(answer, place.element(i, answer, i, len(answers)))
            return
        tokens, record = None, next(iter(place.answer.objects), None)
        if positions := alternatives_in(values):
            tokens = array_tokens(positions, place.location, ids=place.ids, text=place.text, record=record)
        if tokens is None and not place.has_answers(values):
            tokens = array_tokens(values, place.location, place.name, ids=place.ids, text=place.text, record=record)
        if tokens is None and place.must_have_tokens(values):
            # If these tokens are wrong, the error names the first wrong one.
            tokens = object_tokens(values, place.location)
        if tokens is None and values and isinstance(values[0], list) and _is_of_tokens(place.name):
            tokens = self._joined(values, place) if are_token_lists(values) else None
        if tokens:
            self._found.append(FoundList(place.path, place.answer, tokens, place.is_prompt))
            return
        for (i, value), number in zip(enumerate(values), _numbers(values), strict=True):
            if isinstance(value, list | dict):
                self._search(value, place.element(i, value, number, len(values)))

    def _joined(self, lists: list[list[Any]], place: _Place) -> TokenList | None:
        """Return the tokens of lists that are parts of one answer, as the AI SDK writes those of the Responses API;
        None for the lists of several answers. A text, texts or the id of a response decide; else it is a guess."""
        record, tokens = place.answer.objects[0], [*itertools.chain(*lists)]
        if isinstance(field(record, "response_id"), str) or make_up_text(tokens, place.text, record):
            return array_tokens(tokens, place.location, "content")
        if not have_texts(lists, record):
            self.guess = separate_lists(lists, place.name)
        return None

    def _search_object(self, record: Object, place: _Place) -> None:
        if place.path[-2:-1] and place.path[-2] in ANSWERS:
            self.answers.append(place.answer)
        if any(record.get(name) == [] for name in ANSWERS) or blocked_prompt(record):
            # The answers are missing in this object, not in those around it.
            self.outer = place.answer
        if _is_empty(record, place):
            self.empty.add(place.answer.path)
        # KoboldCpp writes the same tokens as a list, with alternatives, and as lists side by side.
        has_list = is_token_list(record.get("content")) and not are_alternatives(record["content"])
        own = {} if has_list else record_tokens(record, place.location, _text_of(record) or place.text, place.ids)
        for name, tokens in own.items():
            inner = place.field(name, record) if name else place
            self._found.append(FoundList(inner.path, inner.answer, tokens, inner.is_prompt, is_alone=not name))
        covered = COVERED if own or has_list else _paired_names(record)
        covered |= {*own, name_of_tops(record)} if own else set()
        # Those of one token may have another name.
        alternatives = alternatives_name(record) if "" in own else None
        names = [name for name, value in record.items() if value and isinstance(value, dict | list)]
        for name in sorted(names, key=lambda name: not any(word in name for word in THOUGHTS)):
            if name in REQUESTED:
                self.requested += [name] * any(record[name])
            elif (name in _COPIES and _SAMPLE in record) or (name == _SO_FAR and isinstance(record.get("type"), str)):
                self._copies.append((record[name], place.field(name, record)))
            elif name not in covered and name != alternatives:
                self._search(record[name], place.field(name, record))


def _paired_names(record: Object) -> set[str]:
    """Return the names of the fields with the alternatives of tokens in another field, which are not answers."""
    pairs = (tops for drawn, tops in PAIRS if field(record, drawn) is not None)
    return {name for tops in pairs if (name := spelling_of(record, tops)) is not None}


@dataclass(frozen=True)
class _SamePlace:
    """What fields of one object have in common: the path of the object, that of their lists inside them, whether the
    fields are parts of one answer, and whether they are a reasoning."""

    path: Path
    inner: Path
    are_parts: bool
    are_thoughts: bool


def _groups_of_answers(lists: list[FoundList]) -> tuple[set[Path], list[str]]:
    """Return the paths of the objects whose fields are different answers, such as {question: response}, and the names
    of fields that may be copies or equal answers.

    The fields of such an object contain lists in the same place, and differ in their tokens or their ids. Without a
    difference, they may be copies. The fields of one choice are one answer, and so are lists, unless their names are
    those of questions.
    """
    same_place: dict[_SamePlace, dict[str, list[object]]] = defaultdict(lambda: defaultdict(list))
    for found in lists:
        ids = [field(record, "id", "response_id") for record in found.answer.objects]
        for i, key in enumerate(found.path):
            inner = tuple(key for key in found.path[i + 1 :] if isinstance(key, str))
            if isinstance(key, str) and not found.is_prompt:
                is_part = not inner and not found.is_alone and not _QUESTION.search(key)
                if not is_part or not _is_of_tokens(key):
                    place = _SamePlace(found.path[:i], inner, is_part, found.is_thought)
                    same_place[place][key].append((found.list.value, ids))
            elif isinstance(key, int) and i and found.path[i - 1] in ANSWERS:
                break
    groups: set[Path] = set()
    copies: list[tuple[Path, list[str]]] = []
    for place, fields in same_place.items():
        first, *others = fields.values()
        if not place.are_parts and any(other != first for other in others):
            groups.add(place.path)
        elif others and (equal := _with_equal_values(fields)):
            copies.append((place.path, equal))
    return groups, next((names for path, names in copies if path not in groups), [])


def _with_equal_values(fields: dict[str, list[object]]) -> list[str]:
    """Return the names of the first fields with the same value; empty if all values differ."""
    names = defaultdict[str, list[str]](list)
    for name, value in fields.items():
        names[repr(value)].append(name)
    return next((same for same in names.values() if len(same) > 1), [])


def _unanswered(document: object, lists: list[FoundList], groups: set[Path]) -> Iterator[tuple[str, object]]:
    """Yield the name and the value of each field that may be a failed request: its name differs from that of an answer
    next to it only in a number, it contains an error, or it is null or a text in an object of answers."""
    answers = defaultdict[Path, set[str]](set)
    for found in lists:
        for i, key in enumerate(found.path):
            if isinstance(key, str):
                answers[found.path[:i]].add(key)
    for path, names in answers.items():
        record = _value_at(document, path)
        if not isinstance(record, dict):
            # An answer of a batch whose ids and numbers are in lists of lists.
            continue
        # If the answers differ only in a number, two of them show which one.
        are_alike = len(names) == 1 or numbers_in([*names]) is not None
        alike = [*names][:2] if are_alike else None
        for name, value in record.items():
            if name in names:
                continue
            is_numbered = alike is not None and numbers_in([*alike, name]) is not None
            is_empty = path in groups and name != "error" and (value is None or isinstance(value, str))
            is_error = isinstance(value, dict) and error_message(value) is not None
            if is_numbered or is_empty or is_error:
                yield name, value


def _value_at(value: Any, path: Path) -> Any:
    """Return the value in a place of a document; None if there is none."""
    for key in path:
        if not isinstance(value, list if isinstance(key, int) else dict):
            return None
        value = value[key]  # type: ignore[index]
    return value


def _separated(lists: list[FoundList], groups: set[Path]) -> Iterator[FoundList]:
    """Yield the lists with their answers: a field of an object of answers is an answer."""
    numbers = defaultdict[Path, dict[str | int, int]](dict)
    for found in lists:
        count = max((i for i in range(len(found.path)) if found.path[:i] in groups), default=-1) + 1
        if count > len(found.answer.path):
            same_group = numbers[found.path[: count - 1]]
            number = same_group.setdefault(found.path[count - 1], len(same_group))
            answer = replace(found.answer, path=found.path[:count], number=number, is_several=True)
            yield replace(found, answer=answer)
        else:
            yield found


def _without_copies(lists: list[FoundList], groups: set[Path]) -> list[FoundList]:
    """Return the lists without copies, which have the tokens of another list of the same answer, or of the only answer
    in an object. Of the two, the one with more alternatives stays, such as that of LMDeploy's chat, not its
    `output_token_logprobs`; else that of the inner answer, not llama.cpp's `__verbose`."""
    places = {found.path: _places_of(found, groups) for found in lists}
    indices = defaultdict[Path, set[object]](set)
    for path, positions in places.items():
        for i in positions:
            indices[path[:i]].add(path[i])
    kept = defaultdict[Path, dict[Path, FoundList]](dict)
    for found in sorted(lists, key=lambda found: len(places[found.path])):
        path, positions = found.path, places[found.path]
        place = tuple(path[i] for i in positions)
        others = [*kept[place].values()]
        while positions and _is_in_answers(path, positions[-1]) and len(indices[path[: positions[-1]]]) == 1:
            positions = positions[:-1]
            inside = path[: positions[-1] + 1] if positions else ()
            outer = kept[tuple(path[i] for i in positions)].values()
            others += [other for other in outer if other.path[: len(inside)] == inside]
        other = next((other for other in others if _have_same_tokens(found, other)), None)
        if other is None or _rank(found, place) > _rank(other, places[other.path]):
            kept[place][path] = found
            if other:
                del kept[tuple(other.path[i] for i in places[other.path])][other.path]
    remaining = {path for each in kept.values() for path in each}
    return [found for found in lists if found.path in remaining]


def _places_of(found: FoundList, groups: set[Path]) -> list[int]:
    """Return the positions in a path of the elements of arrays, and of the fields of groups, that contain the list."""
    return [i for i, key in enumerate(found.path) if isinstance(key, int) or found.path[:i] in groups]


def _is_in_answers(path: Path, position: int) -> bool:
    """Return whether an element of a path is one of the array of answers in a response."""
    return position > 0 and isinstance(path[position], int) and path[position - 1] in ANSWERS


def _have_same_tokens(found: FoundList, other: FoundList) -> bool:
    """Return whether two lists have the same tokens: a list of alternatives alone, as LlamaIndex writes it beside the
    server's response, has the same alternatives, and a list of ids the same numbers."""
    if found.name == other.name and found.list.value == other.list.value:
        return True
    if (
        found.is_prompt
        or other.is_prompt
        or found.is_thought != other.is_thought
        or found.side_field != other.side_field
    ):
        return False
    alternatives, others = _alternatives(found), _alternatives(other)
    if (found.list.is_undrawn or other.list.is_undrawn) and alternatives and others:
        return alternatives == others
    pairs = itertools.zip_longest(found.list.tokens(), other.list.tokens())
    return all(a and b and a.token.number == b.token.number and _may_be_same(a.token, b.token) for a, b in pairs)


def _may_be_same(token: ApiToken, other: ApiToken) -> bool:
    """Return whether two tokens have the same label, or only one of them has a text."""
    are_ids = [token.label == f"#{token.id}" for token in (token, other)]
    return token.label == other.label or any(are_ids) > all(are_ids)


def _rank(found: FoundList, place: Sequence[object]) -> tuple[int, bool, int]:
    """Return the number of a list's alternatives, whether it has the drawn tokens, and the depth of its place."""
    count = sum(len(drawn.alternatives) for drawn in found.list.tokens())
    return count, not found.list.is_undrawn, len(place)


def _alternatives(found: FoundList) -> list[list[tuple[str, float | None]]]:
    """Return the labels and the numbers of the alternatives of each token that has some."""
    tokens = [drawn.alternatives for drawn in found.list.tokens()]
    return [[(token.label, token.number) for token in alternatives] for alternatives in tokens if alternatives]


def _is_empty(record: Object, place: _Place) -> bool:
    """Return whether an object has an empty list of tokens, as a text without tokens does."""
    if place.name in _LOGPROBS:
        return any(field(record, name) == [] for name in ("content", "refusal", "tokens", "chosen_candidates"))
    # What tsoft writes. The Responses API has an empty list if the request does not include log-probabilities.
    return record.get("logprobs") == [] and isinstance(record.get("text"), str) and "type" not in record


def _numbers(values: list[Any]) -> Iterable[int]:
    """Return the numbers of the answers in an array: their fields `index`, unless these are missing or equal."""
    numbers = [value["index"] for value in values if isinstance(value, dict) and is_index(value.get("index"))]
    return numbers if len(set(numbers)) == len(values) else range(len(values))


def _outer_answer(document: object) -> Answer:
    """Return the answer of a document outside its arrays of answers."""
    # llama.cpp numbers the answers to several prompts.
    if not isinstance(document, dict):
        return Answer((), 0, False, ())
    index = document.get("index") if "completion_probabilities" in document else 0
    number = index if is_index(index) else 0
    return Answer((), number, number > 0, (document,))


def _text_of(record: Object) -> str | None:
    """Return the text of an answer."""
    messages = (_text_of_message(field(record, name)) for name in ("message", "completion_message"))
    texts = (record.get("text"), record.get("generation"), *messages)
    return next((text for text in texts if isinstance(text, str)), None)


def _text_of_message(message: object) -> str | None:
    """Return the text of a message, which LlamaIndex writes as blocks; None without one."""
    if not isinstance(message, dict):
        return None
    content, blocks = message.get("content"), message.get("blocks")
    if isinstance(content, str) or not isinstance(blocks, list):
        return content if isinstance(content, str) else None
    texts = [block.get("text") for block in blocks if isinstance(block, dict)]
    return "".join(text for text in texts if isinstance(text, str)) or None
