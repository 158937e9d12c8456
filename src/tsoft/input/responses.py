"""Responses of LLM servers with log-probabilities, in: a row for each token that was generated.

Each server has a shape of its own. The shapes are told apart by what they hold, and each token
becomes the same `_Draw`. The documents they are written in:

- OpenAI's chat completions, legacy completions and Responses API: platform.openai.com/docs/api-reference,
  and so vLLM (docs.vllm.ai, "OpenAI-Compatible Server") and llama.cpp's server in that role;
- llama.cpp's own completion: github.com/ggml-org/llama.cpp, tools/server/README.md, "POST /completion";
- Ollama: docs.ollama.com/api; Gemini: ai.google.dev/api/generate-content, "LogprobsResult".
"""

import itertools
import json
import math
import re
import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeGuard

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.errors import InputError, UsageError
from tsoft.input.labels import token_label
from tsoft.input.quantity import QUANTITIES, SLACK
from tsoft.input.reading import Reading

# What OpenAI writes for a token that is too unlikely to have a log-probability of its own.
UNKNOWN = -9999.0
# How OpenAI and llama.cpp write a token that is a part of a character, where they give no bytes.
_BYTES = re.compile(r"bytes?: ?((?:\\x[0-9a-fA-F]{2})+)")

_CHAT = '"logprobs": true, "top_logprobs": 20'
_COMPLETION = '"logprobs": 5'
_RESPONSE = '"include": ["message.output_text.logprobs"], "top_logprobs": 20'
_LLAMA = '"n_probs": 20'
_GEMINI = '"generationConfig": {"responseLogprobs": true, "logprobs": 20}'

Object = dict[str, Any]


def is_response(value: object) -> bool:
    """Whether a JSON value is what a server answers, an error among it, and not numbers with labels.

    >>> is_response({"choices": []}), is_response({"error": "no such model"}), is_response({"error": 2})
    (True, True, False)
    """
    return isinstance(value, dict) and (_kind(value) is not None or _complaint(value) is not None)


def blocks(value: object, reading: Reading, where: str, first_row: int) -> Iterator[Block]:
    """A block of one row for each token of a response, or of a list of them. `where` is its place in
    messages. Raises InputError for a response that is an error, that has no log-probabilities, or that
    has numbers which are none."""
    source = Source(reading, first_row)
    yield from source.blocks(Place(where), value)
    source.finish(Place(where))


def read(stream: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The blocks of a source: a response, an array or lines of them, or a stream saved as it came, each
    token as soon as it is there."""
    source = Source(reading, 0)
    for number, data, streamed in _texts(stream, reading):
        place = Place(reading.source if number == 1 else f"{reading.source}:{number}")
        yield from source.blocks(place, _value(data, reading, number), streamed=streamed)
    source.finish(Place(reading.source))


@dataclass(frozen=True)
class Place:
    """Where something stands in a source, for messages."""

    source: str
    parts: tuple[str, ...] = ()

    def at(self, *parts: str) -> "Place":
        """A place in this one."""
        return Place(self.source, self.parts + parts)

    def error(self, problem: str) -> InputError:
        """What is wrong here.

        >>> str(Place("FILE").at("choice 0").at("token 2", "logprob").error("it is missing"))
        'FILE: choice 0, token 2, logprob: it is missing'
        """
        inside = f"{', '.join(self.parts)}: " if self.parts else ""
        return InputError(f"{self.source}: {inside}{problem}")


# From bytes to JSON values


def _texts(stream: BinaryIO, reading: Reading) -> Iterator[tuple[int, bytes, bool]]:
    """The JSON texts of a source, each with the number of its first line, and whether it is of a stream's
    `data:` lines: one text that spans lines, or one a line."""
    streamed = False
    for number, line in enumerate(stream, 1):
        text = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
        field, colon, data = text.partition(b":")
        if colon and field in (b"data", b"event", b"id", b"retry", b""):
            streamed = True
            if field == b"data" and data.strip() == b"[DONE]":
                return
            if field == b"data" and data.strip():
                yield number, data, True
        elif text and streamed:
            raise reading.error(number, "not a line of a stream, which begins with data:")
        elif text and _is_whole(text):
            yield number, text, False
        elif text:
            rest = stream.read()
            yield number, text + b"\n" + rest if rest else text, False
            return


def _is_whole(line: bytes) -> bool:
    """Whether a line is a JSON value, and not the beginning of one that spans lines: it ends as it begins."""
    return (line[:1], line[-1:]) in ((b"{", b"}"), (b"[", b"]"))


def _value(data: bytes, reading: Reading, line: int) -> object:
    """The JSON value of a text that begins on that line. NaN and Infinity are taken, to be refused or not
    where they stand."""
    import orjson

    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if b"NaN" in data or b"Infinity" in data:
            try:
                return json.loads(data)
            except (ValueError, RecursionError):
                pass
        raise reading.error(line + error.lineno - 1, f"not JSON: {error.msg}") from None


# From JSON values to tokens


@dataclass(frozen=True)
class _Token:
    """A token as its server has it: what it is shown as, its id where it has one, and its log-probability,
    None where that is not known."""

    label: str
    id: int | None
    logprob: float | None

    def is_same(self, other: "_Token") -> bool:
        return self.label == other.label if None in (self.id, other.id) else self.id == other.id


@dataclass(frozen=True)
class _Draw:
    """A token that was drawn, and its alternatives, it among them or not. Samplers may have `tempered`
    their probabilities."""

    place: Place
    token: _Token
    alternatives: list[_Token]
    tempered: bool = False


@dataclass(frozen=True)
class _Choice:
    """One of the texts of a response: its number, one of `several`, and its tokens, None where they have no
    log-probabilities."""

    number: int
    several: bool
    draws: Iterable[_Draw] | None


def _kind(value: Object) -> str | None:
    """What to ask for of the server that gives such a response; None where it is no response."""
    kind = value.get("object")
    if isinstance(value.get("choices"), list):
        legacy = kind == "text_completion" or any(isinstance(c, dict) and "text" in c for c in value["choices"])
        return _COMPLETION if legacy else _CHAT
    if isinstance(value.get("output"), list) and kind in ("response", None):
        return _RESPONSE
    if str(value.get("type")).startswith("response."):
        return _RESPONSE
    if isinstance(value.get("completion_probabilities"), list) or (
        isinstance(value.get("content"), str) and "stop" in value
    ):
        return _LLAMA
    if isinstance(value.get("candidates"), list) or isinstance(value.get("usageMetadata"), dict):
        return _GEMINI
    answer = value.get("response", value.get("message"))
    # Ollama's, and tsoft's own, whose text may have no token; numbers alone are a row of them.
    listed = value.get("logprobs")
    is_text = listed == [] and isinstance(value.get("text"), str)
    if (isinstance(listed, list) and (is_text or any(isinstance(entry, dict) for entry in listed))) or (
        "model" in value and isinstance(answer, str | dict)
    ):
        return _CHAT
    return None


def _complaint(value: Object) -> str | None:
    """What a server says is wrong, where the response is an error."""
    error = value.get("error")
    if error is None and (value.get("object") == "error" or value.get("type") == "error"):
        error = value
    if error is None and isinstance(value.get("detail"), str | list):
        error = value["detail"]
    if isinstance(error, dict):
        error = next((error[key] for key in ("message", "code", "type") if error.get(key)), error)
        return _brief(error)
    if isinstance(error, list):
        return "; ".join(_brief(e.get("msg", e) if isinstance(e, dict) else e) for e in error[:9])
    return error if isinstance(error, str) else None


def _brief(error: object) -> str:
    """What a server said, however deep it is."""
    return error if isinstance(error, str) else reprlib.repr(error)


class Source:
    """The responses of a source, one after the other, and what is remembered from one to the next: the
    rows, the texts that have begun, whether there are several choices, and what to ask the server for."""

    def __init__(self, reading: Reading, first_row: int):
        if reading.labels:
            raise UsageError("--labels: a response has its own labels, its tokens")
        if reading.quantity not in (None, "logprob"):
            raise UsageError("a response says itself what its numbers are; leave out --energies and --probs")
        self.first_row = self.row = first_row
        self.several = False
        self.asked: str | None = None
        self.whole = 0
        self.texts: dict[tuple[str, ...], int] = {}

    def blocks(self, place: Place, value: object, *, streamed: bool = False) -> Iterator[Block]:
        """The blocks of a response, or of an array of them."""
        for response in value if isinstance(value, list) else [value]:
            yield from self._response(place, response, streamed)

    def finish(self, place: Place) -> None:
        """Raises InputError where no token has come."""
        if self.row == self.first_row:
            raise self._silent(place) if self.asked else place.error("no response: the input is empty")

    def _response(self, place: Place, response: object, streamed: bool) -> Iterator[Block]:
        if not isinstance(response, dict):
            raise place.error("not a server's response, which is an object")
        complaint = _complaint(response)
        if complaint is not None:
            raise place.error(f"the server answered with an error: {complaint[:500]}")
        asked = _kind(response)
        if asked is None:
            raise place.error("not a response of a known server: it has no choices, output or logprobs")
        self.asked = asked
        inner = response.get("response")
        if isinstance(inner, dict):
            # An event about the whole response, which at the end holds again what came in pieces.
            if response.get("type") == "response.failed":
                raise place.error(f"the server answered with an error: {_complaint(inner) or 'the response failed'}")
            if response.get("type") in ("response.completed", "response.incomplete") and self.row == self.first_row:
                yield from self._response(place, inner, streamed)
            return
        part = streamed or _is_part(response)
        for choice in _choices(response, place):
            if choice.draws is None and not part:
                raise self._silent(place if not choice.several else place.at(f"choice {choice.number}"))
            self.several |= choice.several
            # The pieces of a stream have an id in common.
            key = (self.whole, _either(response, "id", "responseId") if part else None, choice.number)
            text = self.texts.setdefault(tuple(map(str, key)), len(self.texts))
            for draw in choice.draws or ():
                yield self._block(draw, choice.number, text, response.get("vocab_size"))
        self.whole += not part or response.get("done") is True

    def _silent(self, place: Place) -> InputError:
        return place.error(f"this response has no log-probabilities: ask the server for them with {self.asked}")

    def _block(self, draw: _Draw, choice: int, text: int, classes: object) -> Block:
        tokens, index = _with_drawn(draw)
        logprobs = np.array([np.nan if token.logprob is None else token.logprob for token in tokens])
        logits = np.where(np.isnan(logprobs), -np.inf, logprobs)
        if not np.isfinite(logits.max()):
            raise draw.place.error("no alternative has a probability that is known and not 0")
        cap = _cap(logprobs, index, len(draw.alternatives))
        given = PartialDistribution(logprobs, index, cap, choice, self.several, text, draw.tempered)
        if _is_index(classes):
            # What tsoft wrote says how many tokens its model has; rounded numbers may not fit that.
            told = replace(given, classes=classes)
            given = told if len(tokens) <= classes and told.holds else given
        labels = tuple(token.label for token in tokens)
        block = Block(logits[np.newaxis], labels, self.row, True, "logprob", partial=given)
        self.row += 1
        return block


def _with_drawn(draw: _Draw) -> tuple[list[_Token], int]:
    """The alternatives, the drawn token after them where it is not one, and its index."""
    found = [i for i, token in enumerate(draw.alternatives) if token.is_same(draw.token)]
    equal = [i for i in found if draw.alternatives[i].logprob == draw.token.logprob]
    if found:
        return draw.alternatives, (equal or found)[0]
    return [*draw.alternatives, draw.token], len(draw.alternatives)


def _cap(logprobs: Array, index: int, listed: int) -> float:
    """What no missing class exceeds: the least of the list. Servers may add the drawn token to their list
    (vLLM puts it first, and completions make the list longer by one), so that it says nothing of the others
    where it is below them all; where it is above one, it does not matter."""
    top = np.delete(logprobs[:listed], index if index < listed else [])
    top = top[~np.isnan(top)]
    return float(top.min()) if len(top) else np.inf


def _is_part(response: Object) -> bool:
    """Whether it is a piece of a stream, which may have no token."""
    return str(response.get("object")).endswith(".chunk") or "done" in response or "usageMetadata" in response


def _choices(response: Object, place: Place) -> Iterator[_Choice]:
    """The texts of a response of any kind."""
    if isinstance(response.get("choices"), list):
        yield from _openai_choices(response["choices"], place)
    elif isinstance(response.get("output"), list):
        yield from _output(response["output"], place)
    elif response.get("type") == "response.output_text.delta":
        yield _Choice(0, False, _listed(response, "logprobs", place))
    elif str(response.get("type")).startswith("response."):
        return
    elif isinstance(response.get("candidates"), list):
        yield from _candidates(response["candidates"], place)
    elif "completion_probabilities" in response:
        number = response["index"] if _is_index(response.get("index")) else 0
        yield _Choice(number, number > 0, _listed(response, "completion_probabilities", place.at(f"choice {number}")))
    else:
        yield _Choice(0, False, _listed(response, "logprobs", place))


def _openai_choices(choices: list[Any], place: Place) -> Iterator[_Choice]:
    """Chat and legacy completions, which differ in what their logprobs hold."""
    for i, choice in enumerate(choices):
        number = choice["index"] if isinstance(choice, dict) and _is_index(choice.get("index")) else i
        inside = place.at(f"choice {number}")
        logprobs = _object(choice, inside).get("logprobs")
        draws: Iterable[_Draw] | None = None
        if logprobs is not None:
            _object(logprobs, inside.at("logprobs"))
            if logprobs.get("tokens") is not None:
                draws = _legacy(logprobs, inside)
            else:
                lists = [_listed(logprobs, key, inside) for key in ("content", "refusal")]
                draws = None if lists == [None, None] else itertools.chain(*(part or () for part in lists))
        yield _Choice(number, len(choices) > 1 or number > 0, draws)


def _output(output: list[Any], place: Place) -> Iterator[_Choice]:
    """The Responses API's: the texts of its messages are parts of one."""
    found: list[Iterator[_Draw]] = []
    for i, item in enumerate(output):
        parts = _object(item, place.at(f"output[{i}]")).get("content")
        for j, part in enumerate(parts if isinstance(parts, list) else ()):
            inside = place.at(f"output[{i}]", f"content[{j}]")
            draws = _listed(_object(part, inside), "logprobs", inside)
            # An empty list is how this API says that it was not asked.
            found += [draws] if draws and part["logprobs"] else []
    yield _Choice(0, False, itertools.chain(*found) if found else None)


def _candidates(candidates: list[Any], place: Place) -> Iterator[_Choice]:
    """Gemini's, as its API and as its Python library write them."""
    for i, candidate in enumerate(candidates):
        number = candidate["index"] if isinstance(candidate, dict) and _is_index(candidate.get("index")) else i
        inside = place.at(f"choice {number}")
        result = _either(_object(candidate, inside), "logprobsResult", "logprobs_result")
        draws = None if result is None else _gemini(_object(result, inside.at("logprobsResult")), inside)
        yield _Choice(number, len(candidates) > 1 or number > 0, draws)


def _gemini(result: Object, place: Place) -> Iterator[_Draw]:
    chosen = _list(_either(result, "chosenCandidates", "chosen_candidates") or [], place.at("chosenCandidates"))
    tops = _list(_either(result, "topCandidates", "top_candidates") or [], place.at("topCandidates"))
    for i, drawn in enumerate(chosen):
        inside = place.at(f"token {i}")
        top = _object(tops[i], inside.at("topCandidates")).get("candidates") if i < len(tops) else None
        alternatives = [
            _token(entry, inside.at(f"topCandidates[{j}]"), "logProbability")
            for j, entry in enumerate(_list(top or [], inside.at("topCandidates")))
        ]
        yield _Draw(inside, _token(drawn, inside, "logProbability"), alternatives)


def _legacy(logprobs: Object, place: Place) -> Iterator[_Draw]:
    """The lists of legacy completions, side by side: tokens, numbers and maps. The first token of a prompt
    that is echoed has no number."""
    names = _list(logprobs["tokens"], place.at("tokens"))
    numbers = _list(logprobs.get("token_logprobs"), place.at("token_logprobs"))
    tops = _list(logprobs.get("top_logprobs") or [None] * len(names), place.at("top_logprobs"))
    for part, name in ((numbers, "token_logprobs"), (tops, "top_logprobs")):
        if len(part) != len(names):
            raise place.at(name).error(f"{len(part)} of them for {len(names)} tokens")
    for i, (name, number, top) in enumerate(zip(names, numbers, tops, strict=True)):
        inside = place.at(_token_name(i, name))
        if number is None and top is None:
            continue
        drawn = _Token(_label(name, None, inside.at("tokens")), None, _logprob(number, inside.at("token_logprobs")))
        alternatives = [
            _Token(_label(key, None, inside), None, _logprob(value, inside.at(f"top_logprobs[{key!r}]")))
            for key, value in _object(top or {}, inside.at("top_logprobs")).items()
        ]
        yield _Draw(inside, drawn, alternatives)


def _listed(holder: Object, key: str, place: Place) -> Iterator[_Draw] | None:
    """The tokens of a list of objects, as most servers have them; None where there is no list."""
    if holder.get(key) is None:
        return None
    entries = _list(holder[key], place.at(key))
    return (_entry(entry, place.at(_token_name(i, entry))) for i, entry in enumerate(entries))


def _entry(value: object, place: Place) -> _Draw:
    """One of a list: a token with its number, and the alternatives with theirs under a name that tells
    log-probabilities from probabilities after sampling."""
    entry = _object(value, place)
    if "probs" in entry and "token" not in entry:
        return _former(entry, place)
    tempered = "top_probs" in entry or "prob" in entry
    name, number = ("top_probs", "prob") if tempered else ("top_logprobs", "logprob")
    alternatives = [
        _token(alternative, place.at(f"{name}[{i}]"), number)
        for i, alternative in enumerate(_list(entry.get(name) or [], place.at(name)))
    ]
    return _Draw(place, _token(entry, place, number), alternatives, tempered)


def _former(entry: Object, place: Place) -> _Draw:
    """As llama.cpp's server was before 2025: the drawn token has no number of its own."""
    alternatives = [
        _token(alternative, place.at(f"probs[{i}]"), "prob", "tok_str")
        for i, alternative in enumerate(_list(entry["probs"], place.at("probs")))
    ]
    return _Draw(place, _Token(_label(entry.get("content"), None, place.at("content")), None, None), alternatives, True)


def _token(value: object, place: Place, number: str, name: str = "token") -> _Token:
    """A token of an object that has its `name`, its `number`, and maybe its bytes and its id."""
    entry = _object(value, place)
    key = number if number in entry else re.sub("[A-Z]", lambda match: "_" + match[0].lower(), number)
    inside = place.at(number)
    logprob = _log_of_prob(entry.get(key), inside) if number == "prob" else _logprob(entry.get(key), inside)
    label = _label(entry.get(name), entry.get("bytes"), place.at(name))
    return _Token(label, _either(entry, "id", "tokenId", "token_id"), logprob)


def _logprob(value: object, place: Place) -> float | None:
    """A log-probability, None where the server says that it has none."""
    number = _number(value, place)
    if number == UNKNOWN:
        return None
    if not number <= SLACK:
        raise place.error(f"{_shown(number)} is not {QUANTITIES['logprob'].noun}")
    return number


def _log_of_prob(value: object, place: Place) -> float:
    number = _number(value, place)
    if not 0 <= number <= 1 + SLACK:
        raise place.error(f"{_shown(number)} is not {QUANTITIES['prob'].noun}")
    return math.log(number) if number else -math.inf


def _shown(number: float) -> str:
    return "NaN" if math.isnan(number) else f"{number:.6g}"


def _number(value: object, place: Place) -> float:
    if value is None:
        raise place.error("it is missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise place.error("not a number")
    try:
        return float(value)
    except OverflowError:
        raise place.error("beyond the largest number, 1.8e308") from None


def _label(token: object, byte_list: object, place: Place) -> str:
    r"""What a token is called: its text, or where it is a part of a character, which no text can be, its
    bytes, as <0xE2><0x80>.

    >>> _label(" Paris", None, Place("")), _label("bytes:\\xe2\\x80", None, Place(""))
    (' Paris', '<0xE2><0x80>')
    """
    if not isinstance(token, str):
        raise place.error("it is missing" if token is None else "not a string")
    escaped = _BYTES.fullmatch(token)
    if byte_list is not None:
        if not isinstance(byte_list, list) or not all(_is_index(byte) and byte < 256 for byte in byte_list):
            raise place.at("bytes").error("not a list of numbers from 0 to 255")
        data = bytes(byte_list)
    else:
        data = bytes.fromhex(escaped[1].replace("\\x", "")) if escaped else b""
    try:
        text = data.decode()
        return text if escaped and data else token.encode(errors="replace").decode()
    except UnicodeDecodeError:
        return token_label(data)


def _token_name(i: int, entry: object) -> str:
    """How messages name a token: by its number and, where it has one, its text."""
    token = entry.get("token") if isinstance(entry, dict) else entry
    return f"token {i} ({token[:40]!r})" if isinstance(token, str) else f"token {i}"


def _object(value: object, place: Place) -> Object:
    if not isinstance(value, dict):
        raise place.error("not an object")
    return value


def _list(value: object, place: Place) -> list[Any]:
    if not isinstance(value, list):
        raise place.error("it is missing" if value is None else "not a list")
    return value


def _is_index(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _either(entry: Object, *names: str) -> Any:
    """The first of these that an object has; None where it has none."""
    return next((entry[name] for name in names if entry.get(name) is not None), None)
