"""Responses of LLM servers with log-probabilities: a row for each generated token.

The formats of the servers are recognised by their fields; a token of any becomes a `_GeneratedToken`. They are
documented in:

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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeGuard

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.errors import InputError, UsageError
from tsoft.input.labels import token_label
from tsoft.input.quantity import QUANTITIES, SLACK
from tsoft.input.read_options import ReadOptions

# The log-probability that OpenAI writes for a very unlikely token, in place of its own.
UNKNOWN = -9999.0
# A token that is a part of a character, as OpenAI and llama.cpp write it where they give no bytes.
_BYTES = re.compile(r"bytes?: ?((?:\\x[0-9a-fA-F]{2})+)")

_CHAT = '"logprobs": true, "top_logprobs": 20'
_COMPLETION = '"logprobs": 5'
_RESPONSE = '"include": ["message.output_text.logprobs"], "top_logprobs": 20'
_LLAMA = '"n_probs": 20'
_GEMINI = '"generationConfig": {"responseLogprobs": true, "logprobs": 20}'

Object = dict[str, Any]


def is_response(value: object) -> bool:
    """Whether a JSON value is a server's response, which may be an error, and not numbers with labels.

    >>> is_response({"choices": []}), is_response({"error": "no such model"}), is_response({"error": 2})
    (True, True, False)
    """
    return isinstance(value, dict) and (_logprobs_request(value) is not None or _error_message(value) is not None)


def blocks(value: object, options: ReadOptions, where: str, first_row: int) -> Iterator[Block]:
    """A block of one row for each token of a response, or of a list of responses. `where` is its location in
    messages. Raises InputError for a response that is an error, that has no log-probabilities, or that has numbers
    that are no log-probabilities."""
    reader = ResponseReader(options, first_row)
    yield from reader.blocks(Location(where), value)
    reader.finish(Location(where))


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """The blocks of a source: a response, an array or lines of responses, or a saved stream. Each token is read as
    soon as it has arrived."""
    reader = ResponseReader(options, 0)
    for number, data, streamed in _json_texts(stream, options):
        location = Location(options.source if number == 1 else f"{options.source}:{number}")
        yield from reader.blocks(location, parsed_json(data, options, number), streamed=streamed)
    reader.finish(Location(options.source))


@dataclass(frozen=True)
class Location:
    """Where something stands in a source, for messages."""

    source: str
    parts: tuple[str, ...] = ()

    def at(self, *parts: str) -> "Location":
        """A location inside this one."""
        return Location(self.source, self.parts + parts)

    def error(self, problem: str) -> InputError:
        """An error at this location.

        >>> str(Location("FILE").at("choice 0").at("token 2", "logprob").error("it is missing"))
        'FILE: choice 0, token 2, logprob: it is missing'
        """
        parts = f"{', '.join(self.parts)}: " if self.parts else ""
        return InputError(f"{self.source}: {parts}{problem}")


# From bytes to JSON values


def _json_texts(stream: BinaryIO, options: ReadOptions) -> Iterator[tuple[int, bytes, bool]]:
    """The JSON texts of a source, one per line or one that spans all lines. Each comes with the number of its first
    line, and whether it is a `data:` line of a stream."""
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
            raise options.error(number, "not a line of a stream, which begins with data:")
        elif text and (text[:1], text[-1:]) in ((b"{", b"}"), (b"[", b"]")):
            # It ends with the bracket that closes its first, so that it does not span lines.
            yield number, text, False
        elif text:
            rest = stream.read()
            yield number, text + b"\n" + rest if rest else text, False
            return


def parsed_json(data: bytes, options: ReadOptions, line: int) -> Any:
    """The JSON value of a text that begins on that line. Raises InputError for anything else, except NaN and the
    infinities that Python and JavaScript write."""
    import orjson

    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        problem, error_line = error.msg, error.lineno
    is_deep = "depth" in problem or "recursion" in problem.lower()
    if not is_deep and (b"Infinity" in data or b"NaN" in data):
        try:
            return json.loads(data)
        except json.JSONDecodeError as error:
            problem, error_line = error.msg, error.lineno
        except RecursionError:
            is_deep = True
        except ValueError:
            problem = "a number that is too long"
    problem = "it is nested too deep" if is_deep else f"not JSON: {problem}"
    raise options.error(line + error_line - 1, problem)


# From JSON values to tokens


@dataclass(frozen=True)
class _ApiToken:
    """A token in a response: its label, its id where it has one, and its log-probability, None if that is not
    known."""

    label: str
    id: int | None
    logprob: float | None

    def is_same(self, other: "_ApiToken") -> bool:
        return self.label == other.label if None in (self.id, other.id) else self.id == other.id


@dataclass(frozen=True)
class _GeneratedToken:
    """A generated token and its alternatives, which may include it. `tempered` says that samplers have changed the
    probabilities."""

    location: Location
    token: _ApiToken
    alternatives: list[_ApiToken]
    tempered: bool = False


@dataclass(frozen=True)
class _GeneratedText:
    """One of the texts of a response: its number, whether it is one of `several`, and its tokens, None if they
    have no log-probabilities."""

    number: int
    several: bool
    tokens: Iterable[_GeneratedToken] | None


def _logprobs_request(value: Object) -> str | None:
    """The fields of a request to which the server answers with log-probabilities; None for what is no response."""
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
    # Ollama's, and those that tsoft writes, whose text may have no token; plain numbers are a row.
    listed = value.get("logprobs")
    is_text = listed == [] and isinstance(value.get("text"), str)
    if (isinstance(listed, list) and (is_text or any(isinstance(entry, dict) for entry in listed))) or (
        "model" in value and isinstance(answer, str | dict)
    ):
        return _CHAT
    return None


def _error_message(value: Object) -> str | None:
    """The message of a response that is an error; None for any other."""
    error = value.get("error")
    if error is None and (value.get("object") == "error" or value.get("type") == "error"):
        error = value
    if error is None and isinstance(value.get("detail"), str | list):
        error = value["detail"]
    if isinstance(error, dict):
        error = next((error[key] for key in ("message", "code", "type") if error.get(key)), error)
        return _short(error)
    if isinstance(error, list):
        return "; ".join(_short(e.get("msg", e) if isinstance(e, dict) else e) for e in error[:9])
    return error if isinstance(error, str) else None


def _short(error: object) -> str:
    """A message; a value that is no text is shortened, however deep it is nested."""
    return error if isinstance(error, str) else reprlib.repr(error)


class ResponseReader:
    """Reads the responses of a source one after the other. It counts the rows, the complete responses and the texts,
    and remembers whether there are several choices and the request that asks for log-probabilities."""

    def __init__(self, options: ReadOptions, first_row: int):
        if options.labels:
            raise UsageError("--labels: a response has its own labels, its tokens")
        if options.quantity not in (None, "logprob"):
            raise UsageError("a response says itself what its numbers are; leave out --energies and --probs")
        self.first_row = self.row = first_row
        self.several = False
        self.request: str | None = None
        self.responses = 0
        self.texts: dict[tuple[str, ...], int] = {}

    def blocks(self, location: Location, value: object, *, streamed: bool = False) -> Iterator[Block]:
        """The blocks of a response, or of an array of them."""
        for response in value if isinstance(value, list) else [value]:
            yield from self._response(location, response, streamed)

    def finish(self, location: Location) -> None:
        """Raises InputError if there was no token."""
        if self.row == self.first_row:
            raise (
                self._without_logprobs(location) if self.request else location.error("no response: the input is empty")
            )

    def _response(self, location: Location, response: object, streamed: bool) -> Iterator[Block]:
        if not isinstance(response, dict):
            raise location.error("not a server's response, which is an object")
        message = _error_message(response)
        if message is not None:
            raise location.error(f"the server answered with an error: {message[:500]}")
        request = _logprobs_request(response)
        if request is None:
            raise location.error("not a response of a known server: it has no choices, output or logprobs")
        self.request = request
        inner = response.get("response")
        if isinstance(inner, dict):
            # An event about the whole response; the last one repeats the tokens of all chunks.
            if response.get("type") == "response.failed":
                problem = _error_message(inner) or "the response failed"
                raise location.error(f"the server answered with an error: {problem}")
            if response.get("type") in ("response.completed", "response.incomplete") and self.row == self.first_row:
                yield from self._response(location, inner, streamed)
            return
        chunk = streamed or _is_chunk(response)
        for choice in _generated_texts(response, location):
            if choice.tokens is None and not chunk:
                raise self._without_logprobs(location if not choice.several else location.at(f"choice {choice.number}"))
            self.several |= choice.several
            # The chunks of a stream share an id.
            key = (self.responses, _first_value(response, "id", "responseId") if chunk else None, choice.number)
            text = self.texts.setdefault(tuple(map(str, key)), len(self.texts))
            for generated in choice.tokens or ():
                yield self._block(generated, choice.number, text, response.get("vocab_size"))
        self.responses += not chunk or response.get("done") is True

    def _without_logprobs(self, location: Location) -> InputError:
        return location.error(f"this response has no log-probabilities: ask the server for them with {self.request}")

    def _block(self, generated: _GeneratedToken, choice: int, text: int, classes: object) -> Block:
        tokens, index = _with_generated(generated)
        logprobs = np.array([np.nan if token.logprob is None else token.logprob for token in tokens])
        logits = np.where(np.isnan(logprobs), -np.inf, logprobs)
        if not np.isfinite(logits.max()):
            raise generated.location.error("no alternative has a probability that is known and not 0")
        cap = _unlisted_cap(logprobs, index, len(generated.alternatives))
        partial = PartialDistribution(logprobs, index, cap, choice, self.several, text, generated.tempered)
        if _is_index(classes):
            # Responses that tsoft writes state the size of the vocabulary, which rounded numbers may contradict.
            with_classes = replace(partial, classes=classes)
            partial = with_classes if len(tokens) <= classes and with_classes.is_consistent else partial
        labels = tuple(token.label for token in tokens)
        block = Block(logits[np.newaxis], labels, self.row, Origin("logprob", labels_vary=True), partial=partial)
        self.row += 1
        return block


def _with_generated(generated: _GeneratedToken) -> tuple[list[_ApiToken], int]:
    """The alternatives, with the generated token last where it is none of them, and the token's index."""
    indices = [i for i, token in enumerate(generated.alternatives) if token.is_same(generated.token)]
    equal = [i for i in indices if generated.alternatives[i].logprob == generated.token.logprob]
    if indices:
        return generated.alternatives, (equal or indices)[0]
    return [*generated.alternatives, generated.token], len(generated.alternatives)


def _unlisted_cap(logprobs: Array, index: int, listed: int) -> float:
    """The log-probability that no unlisted class exceeds: the least in the list, without the generated token. Servers
    may add that token to their list (vLLM puts it first, and completions make the list longer by one), so that it
    bounds nothing where it is the least; where it is not the least, leaving it out changes nothing."""
    top = np.delete(logprobs[:listed], index if index < listed else [])
    top = top[~np.isnan(top)]
    return float(top.min()) if len(top) else np.inf


def _is_chunk(response: Object) -> bool:
    """Whether a response is a chunk of a stream, which may have no token."""
    return str(response.get("object")).endswith(".chunk") or "done" in response or "usageMetadata" in response


def _generated_texts(response: Object, location: Location) -> Iterator[_GeneratedText]:
    """The texts of a response of any kind."""
    if isinstance(response.get("choices"), list):
        yield from _numbered_texts(response["choices"], location, _choice_tokens)
    elif isinstance(response.get("output"), list):
        yield from _output_text(response["output"], location)
    elif response.get("type") == "response.output_text.delta":
        yield _GeneratedText(0, False, _token_list(response, "logprobs", location))
    elif str(response.get("type")).startswith("response."):
        return
    elif isinstance(response.get("candidates"), list):
        yield from _numbered_texts(response["candidates"], location, _candidate_tokens)
    elif "completion_probabilities" in response:
        number = response["index"] if _is_index(response.get("index")) else 0
        tokens = _token_list(response, "completion_probabilities", location.at(f"choice {number}"))
        yield _GeneratedText(number, number > 0, tokens)
    else:
        yield _GeneratedText(0, False, _token_list(response, "logprobs", location))


def _numbered_texts(
    choices: list[Any],
    location: Location,
    tokens: Callable[[Object, Location], Iterable[_GeneratedToken] | None],
) -> Iterator[_GeneratedText]:
    """The texts of a list of choices, each of which has these tokens."""
    for i, choice in enumerate(choices):
        number = choice["index"] if isinstance(choice, dict) and _is_index(choice.get("index")) else i
        inner = location.at(f"choice {number}")
        yield _GeneratedText(number, len(choices) > 1 or number > 0, tokens(_as_object(choice, inner), inner))


def _choice_tokens(choice: Object, location: Location) -> Iterable[_GeneratedToken] | None:
    """The tokens of a chat or legacy completion, which differ in their logprobs."""
    if choice.get("logprobs") is None:
        return None
    logprobs = _as_object(choice["logprobs"], location.at("logprobs"))
    if logprobs.get("tokens") is not None:
        return _legacy_tokens(logprobs, location)
    lists = [_token_list(logprobs, key, location) for key in ("content", "refusal")]
    return None if lists == [None, None] else itertools.chain(*(tokens or () for tokens in lists))


def _output_text(output: list[Any], location: Location) -> Iterator[_GeneratedText]:
    """The text of the Responses API: the parts of its messages, one after the other."""
    token_lists: list[Iterator[_GeneratedToken]] = []
    for i, item in enumerate(output):
        parts = _as_object(item, location.at(f"output[{i}]")).get("content")
        for j, part in enumerate(parts if isinstance(parts, list) else ()):
            inner = location.at(f"output[{i}]", f"content[{j}]")
            tokens = _token_list(_as_object(part, inner), "logprobs", inner)
            # Where a request does not ask for log-probabilities, this API returns an empty list.
            token_lists += [tokens] if tokens and part["logprobs"] else []
    yield _GeneratedText(0, False, itertools.chain(*token_lists) if token_lists else None)


def _candidate_tokens(candidate: Object, location: Location) -> Iterator[_GeneratedToken] | None:
    """The tokens of Gemini, in the spelling of its API or of its Python library."""
    result = _first_value(candidate, "logprobsResult", "logprobs_result")
    return None if result is None else _gemini_tokens(_as_object(result, location.at("logprobsResult")), location)


def _gemini_tokens(result: Object, location: Location) -> Iterator[_GeneratedToken]:
    chosen = _first_value(result, "chosenCandidates", "chosen_candidates") or []
    chosen = _as_list(chosen, location.at("chosenCandidates"))
    tops = _as_list(_first_value(result, "topCandidates", "top_candidates") or [], location.at("topCandidates"))
    for i, token in enumerate(chosen):
        inner = location.at(f"token {i}")
        top = _as_object(tops[i], inner.at("topCandidates")).get("candidates") if i < len(tops) else None
        alternatives = _alternatives(top or [], inner, "topCandidates", "logProbability")
        yield _GeneratedToken(inner, _api_token(token, inner, "logProbability"), alternatives)


def _legacy_tokens(logprobs: Object, location: Location) -> Iterator[_GeneratedToken]:
    """The tokens of legacy completions, which have a list each for tokens, numbers and alternatives. The first token
    of an echoed prompt has no number."""
    names = _as_list(logprobs["tokens"], location.at("tokens"))
    numbers = _as_list(logprobs.get("token_logprobs"), location.at("token_logprobs"))
    tops = _as_list(logprobs.get("top_logprobs") or [None] * len(names), location.at("top_logprobs"))
    for values, name in ((numbers, "token_logprobs"), (tops, "top_logprobs")):
        if len(values) != len(names):
            raise location.at(name).error(f"{len(values)} of them for {len(names)} tokens")
    for i, (name, number, top) in enumerate(zip(names, numbers, tops, strict=True)):
        inner = location.at(_token_name(i, name))
        if number is None and top is None:
            continue
        token = _ApiToken(_label(name, None, inner.at("tokens")), None, _logprob(number, inner.at("token_logprobs")))
        alternatives = [
            _ApiToken(_label(key, None, inner), None, _logprob(value, inner.at(f"top_logprobs[{key!r}]")))
            for key, value in _as_object(top or {}, inner.at("top_logprobs")).items()
        ]
        yield _GeneratedToken(inner, token, alternatives)


def _token_list(entry: Object, key: str, location: Location) -> Iterator[_GeneratedToken] | None:
    """The tokens of a list of objects, as most servers have them; None if there is no list."""
    if entry.get(key) is None:
        return None
    entries = _as_list(entry[key], location.at(key))
    return (_generated_token(entry, location.at(_token_name(i, entry))) for i, entry in enumerate(entries))


def _generated_token(value: object, location: Location) -> _GeneratedToken:
    """A token of a list, with its number, and its alternatives with theirs. The names of the numbers distinguish
    log-probabilities from probabilities after sampling."""
    entry = _as_object(value, location)
    if "probs" in entry and "token" not in entry:
        return _old_llama_cpp_token(entry, location)
    tempered = "top_probs" in entry or "prob" in entry
    name, number = ("top_probs", "prob") if tempered else ("top_logprobs", "logprob")
    alternatives = _alternatives(entry.get(name) or [], location, name, number)
    return _GeneratedToken(location, _api_token(entry, location, number), alternatives, tempered)


def _old_llama_cpp_token(entry: Object, location: Location) -> _GeneratedToken:
    """A token in the format of llama.cpp's server before 2025, in which the generated token has no number."""
    alternatives = _alternatives(entry["probs"], location, "probs", "prob", "tok_str")
    label = _label(entry.get("content"), None, location.at("content"))
    return _GeneratedToken(location, _ApiToken(label, None, None), alternatives, tempered=True)


def _alternatives(values: object, location: Location, name: str, number: str, label: str = "token") -> list[_ApiToken]:
    """The tokens in a list called `name`, whose objects have a `number` and a `label`."""
    entries = _as_list(values, location.at(name))
    return [_api_token(entry, location.at(f"{name}[{i}]"), number, label) for i, entry in enumerate(entries)]


def _api_token(value: object, location: Location, number: str, name: str = "token") -> _ApiToken:
    """The token in an object: its label under `name`, its number under `number`, and maybe its bytes and its id."""
    entry = _as_object(value, location)
    key = number if number in entry else re.sub("[A-Z]", lambda match: "_" + match[0].lower(), number)
    inner = location.at(number)
    logprob = _log_of_prob(entry.get(key), inner) if number == "prob" else _logprob(entry.get(key), inner)
    label = _label(entry.get(name), entry.get("bytes"), location.at(name))
    return _ApiToken(label, _first_value(entry, "id", "tokenId", "token_id"), logprob)


def _logprob(value: object, location: Location) -> float | None:
    """A log-probability; None if the server states that it is not known."""
    number = _number(value, location)
    if number == UNKNOWN:
        return None
    if not number <= SLACK:
        raise location.error(f"{_shown(number)} is not {QUANTITIES['logprob'].noun}")
    return number


def _log_of_prob(value: object, location: Location) -> float:
    number = _number(value, location)
    if not 0 <= number <= 1 + SLACK:
        raise location.error(f"{_shown(number)} is not {QUANTITIES['prob'].noun}")
    return math.log(number) if number else -math.inf


def _shown(number: float) -> str:
    return "NaN" if math.isnan(number) else f"{number:.6g}"


def _number(value: object, location: Location) -> float:
    if value is None:
        raise location.error("it is missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise location.error("not a number")
    try:
        return float(value)
    except OverflowError:
        raise location.error("beyond the largest number, 1.8e308") from None


def _label(token: object, byte_list: object, location: Location) -> str:
    r"""The label of a token: its text or, where it is a part of a character and so no text, its bytes.

    >>> _label(" Paris", None, Location("")), _label("bytes:\\xe2\\x80", None, Location(""))
    (' Paris', '<0xE2><0x80>')
    """
    if not isinstance(token, str):
        raise location.error("it is missing" if token is None else "not a string")
    escaped = _BYTES.fullmatch(token)
    if byte_list is not None:
        if not isinstance(byte_list, list) or not all(_is_index(byte) and byte < 256 for byte in byte_list):
            raise location.at("bytes").error("not a list of numbers from 0 to 255")
        data = bytes(byte_list)
    else:
        data = bytes.fromhex(escaped[1].replace("\\x", "")) if escaped else b""
    try:
        text = data.decode()
        return text if escaped and data else token.encode(errors="replace").decode()
    except UnicodeDecodeError:
        return token_label(data)


def _token_name(i: int, entry: object) -> str:
    """A token's name in messages: its number and, where it has one, its text."""
    token = entry.get("token") if isinstance(entry, dict) else entry
    return f"token {i} ({token[:40]!r})" if isinstance(token, str) else f"token {i}"


def _as_object(value: object, location: Location) -> Object:
    if not isinstance(value, dict):
        raise location.error("not an object")
    return value


def _as_list(value: object, location: Location) -> list[Any]:
    if not isinstance(value, list):
        raise location.error("it is missing" if value is None else "not a list")
    return value


def _is_index(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _first_value(entry: Object, *names: str) -> Any:
    """The value of the first of these names that an object has; None if it has none of them."""
    return next((entry[name] for name in names if entry.get(name) is not None), None)
