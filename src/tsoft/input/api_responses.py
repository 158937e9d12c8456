"""Reading the responses of LLM servers with log-probabilities: one row per generated token.

tsoft recognizes each server's format by its fields. A token of any format becomes a `DrawnToken`. The formats are
documented in:

- OpenAI's chat completions, legacy completions and Responses API: platform.openai.com/docs/api-reference; vLLM
  (docs.vllm.ai, "OpenAI-Compatible Server") and llama.cpp's server offer the same format;
- llama.cpp's native completion: github.com/ggml-org/llama.cpp, tools/server/README.md, "POST /completion";
- Ollama: docs.ollama.com/api; Gemini: ai.google.dev/api/generate-content, "LogprobsResult".
"""

import itertools
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from tsoft.core.block import Block
from tsoft.errors import InputError, UsageError
from tsoft.input.api_tokens import ApiToken, DrawnToken, bytes_of, label_of, log_of_prob, logprob_of
from tsoft.input.json_values import (
    Location,
    Object,
    as_list,
    as_object,
    described,
    first_value,
    is_index,
    parsed_json,
)
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions
from tsoft.input.token_blocks import listed_tokens, token_block

_UNKNOWN_RESPONSE = (
    "unknown response: no choices, output, candidates or logprobs; tsoft help api-responses lists the formats"
)

_CHAT = '"logprobs": true, "top_logprobs": 20'
_COMPLETION = '"logprobs": 5'
_RESPONSE = '"include": ["message.output_text.logprobs"], "top_logprobs": 20'
_LLAMA = '"n_probs": 20'
_GEMINI = '"generationConfig": {"responseLogprobs": true, "logprobs": 20}'


def is_response(value: object) -> bool:
    """Return whether a JSON value is a server's response (or its error), and not {label: number}.

    >>> is_response({"choices": []}), is_response({"error": "no such model"}), is_response({"error": 2})
    (True, True, False)
    """
    return isinstance(value, dict) and (_logprobs_request(value) is not None or _error_message(value) is not None)


# Fields inside a response, whose values are objects or lists of them.
_INNER_FIELDS = (
    *("logprobs", "content", "refusal", "top_logprobs", "tokens", "token_logprobs", "top_probs"),
    *("logprobsResult", "logprobs_result", "chosenCandidates", "chosen_candidates"),
)


def response_part_problem(value: Object) -> str | None:
    """Return the problem with an object that is only part of a server's response; None for any other object.

    >>> response_part_problem({"logprobs": {"content": []}})
    "'logprobs' is an object, as inside a server's response; pass the whole response"
    """
    part = next((name for name in _INNER_FIELDS if isinstance(value.get(name), dict | list)), None)
    if part is None and isinstance(value.get("token"), str):
        part = "token"
    if part is None:
        return None
    return f"{part!r} is {described(value[part])}, as inside a server's response; pass the whole response"


def blocks(value: object, options: ReadOptions, where: str, first_row: int) -> Iterator[Block]:
    """Yield one block of one row per token of a response, or of a list of responses.

    `where` is the value's location in messages. Raise InputError if a response is an error, has no log-probabilities,
    or has numbers out of range.
    """
    reader = ResponseReader(options, first_row)
    yield from reader.blocks(Location(where), value)
    reader.finish(Location(where))


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a source: a response, an array or lines of responses, or a saved stream. Each token is read
    as soon as it arrives."""
    reader = ResponseReader(options, 0)
    for number, data, streamed in _json_texts(stream, options):
        location = Location(options.source if number == 1 else f"{options.source}:{number}")
        yield from reader.blocks(location, parsed_json(data, options, number), streamed=streamed)
    reader.finish(Location(options.source))


# From bytes to JSON values


def _json_texts(stream: BinaryIO, options: ReadOptions) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the JSON texts of a source, one per line or one that spans all lines.

    Each text is yielded with the number of its first line, and whether it is a `data:` line of a stream.
    """
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
            raise options.error(number, "expected a line of a stream, which starts with data:")
        elif text and (text[:1], text[-1:]) in ((b"{", b"}"), (b"[", b"]")):
            # The last bracket closes the first one, so the text does not span lines.
            yield number, text, False
        elif text:
            rest = stream.read()
            yield number, text + b"\n" + rest if rest else text, False
            return


# From JSON values to tokens


@dataclass(frozen=True)
class _GeneratedText:
    """One text of a response: its number, whether there are `several` texts, and its tokens, None if these have no
    log-probabilities."""

    number: int
    several: bool
    tokens: Iterable[DrawnToken] | None


def _logprobs_request(value: Object) -> str | None:
    """Return the fields of a request that make the server return log-probabilities; None if this is no response."""
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
    # Ollama's responses, and those that tsoft writes, whose text may be empty. A list of numbers is a row, not a
    # response.
    logprobs = value.get("logprobs")
    is_text = logprobs == [] and isinstance(value.get("text"), str)
    if (isinstance(logprobs, list) and (is_text or any(isinstance(entry, dict) for entry in logprobs))) or (
        "model" in value and isinstance(answer, str | dict)
    ):
        return _CHAT
    return None


def _error_message(value: Object) -> str | None:
    """Return the message of a response that is an error; None for any other response."""
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
    """Return a message as it is, and any other value as shortened text."""
    return error if isinstance(error, str) else reprlib.repr(error)


class ResponseReader:
    """Reads the responses of a source in sequence. It counts the rows, the complete responses and the texts, and keeps
    whether there are several choices, and the request that makes the server return log-probabilities."""

    def __init__(self, options: ReadOptions, first_row: int):
        if options.labels:
            raise UsageError("--labels has no effect on an API response, whose classes are its tokens; remove --labels")
        if options.quantity not in (None, "logprob"):
            option = QUANTITIES[options.quantity].option or "the quantity"
            raise UsageError(f"{option} has no effect on an API response, which names its numbers; remove {option}")
        self.first_row = self.row = first_row
        self.several = False
        self.request: str | None = None
        self.responses = 0
        self.texts: dict[tuple[str, ...], int] = {}
        self._note, self._noted = options.note, set[str]()

    def blocks(self, location: Location, value: object, *, streamed: bool = False) -> Iterator[Block]:
        """Yield the blocks of a response, or of an array of responses."""
        for response in value if isinstance(value, list) else [value]:
            yield from self._response(location, response, streamed)

    def finish(self, location: Location) -> None:
        """Raise InputError if there was no token."""
        if self.row == self.first_row:
            raise (
                self._without_logprobs(location) if self.request else location.error("no response: the input is empty")
            )

    def _response(self, location: Location, response: object, streamed: bool) -> Iterator[Block]:
        if not isinstance(response, dict):
            raise location.error(f"expected a server's response (an object), got {described(response)}")
        message = _error_message(response)
        if message is not None:
            raise location.error(f"the server returned an error: {message[:500]}")
        request = _logprobs_request(response)
        if request is None:
            problem = response_part_problem(response) or _UNKNOWN_RESPONSE
            raise location.error(problem)
        self.request = request
        inner = response.get("response")
        if isinstance(inner, dict):
            # An event about the whole response. The last event repeats the tokens of all chunks.
            if response.get("type") == "response.failed":
                problem = _error_message(inner) or "the response failed"
                raise location.error(f"the server returned an error: {problem}")
            if response.get("type") in ("response.completed", "response.incomplete") and self.row == self.first_row:
                yield from self._response(location, inner, streamed)
            return
        chunk = streamed or _is_chunk(response)
        for choice in _generated_texts(response, location):
            if choice.tokens is None and not chunk:
                raise self._without_logprobs(location if not choice.several else location.at(f"choice {choice.number}"))
            self.several |= choice.several
            # The chunks of a stream share an id.
            key = (self.responses, first_value(response, "id", "responseId") if chunk else None, choice.number)
            text = self.texts.setdefault(tuple(map(str, key)), len(self.texts))
            for generated in choice.tokens or ():
                yield self._block(generated, choice.number, text, response.get("vocab_size"))
        self.responses += not chunk or response.get("done") is True

    def _without_logprobs(self, location: Location) -> InputError:
        return location.error(f"the response has no log-probabilities; add {self.request} to the request")

    def _block(self, drawn: DrawnToken, choice: int, text: int, classes: object) -> Block:
        """Return the block of a token, the next row. Print each kind of note on contradictions once."""
        listed = listed_tokens(drawn)
        for kind, problem in listed.notes.items():
            if kind not in self._noted:
                self._noted.add(kind)
                self._note(drawn.location.message(problem))
        block = token_block(drawn, listed, self.row)
        assert block.partial
        partial = replace(block.partial, choice=choice, has_choices=self.several, text=text)
        if is_index(classes):
            # Responses that tsoft writes have the vocabulary's size, which rounded numbers may contradict.
            with_classes = replace(partial, classes=classes)
            partial = with_classes if len(listed.tokens) <= classes and with_classes.is_consistent else partial
        self.row += 1
        return replace(block, partial=partial)


def _is_chunk(response: Object) -> bool:
    """Return whether a response is a chunk of a stream, which may have no token."""
    return str(response.get("object")).endswith(".chunk") or "done" in response or "usageMetadata" in response


def _generated_texts(response: Object, location: Location) -> Iterator[_GeneratedText]:
    """Yield the texts of a response in any format."""
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
        number = response["index"] if is_index(response.get("index")) else 0
        tokens = _token_list(response, "completion_probabilities", location.at(f"choice {number}"))
        yield _GeneratedText(number, number > 0, tokens)
    else:
        yield _GeneratedText(0, False, _token_list(response, "logprobs", location))


def _numbered_texts(
    choices: list[Any],
    location: Location,
    tokens: Callable[[Object, Location], Iterable[DrawnToken] | None],
) -> Iterator[_GeneratedText]:
    """Yield the texts of a list of choices. `tokens` returns the tokens of a choice."""
    for i, choice in enumerate(choices):
        number = choice["index"] if isinstance(choice, dict) and is_index(choice.get("index")) else i
        inner = location.at(f"choice {number}")
        yield _GeneratedText(number, len(choices) > 1 or number > 0, tokens(as_object(choice, inner), inner))


def _choice_tokens(choice: Object, location: Location) -> Iterable[DrawnToken] | None:
    """Return the tokens of a choice of a chat or legacy completion, whose logprobs have different formats."""
    if choice.get("logprobs") is None:
        return None
    logprobs = as_object(choice["logprobs"], location.at("logprobs"))
    if logprobs.get("tokens") is not None:
        return _legacy_tokens(logprobs, location)
    lists = [_token_list(logprobs, key, location) for key in ("content", "refusal")]
    return None if lists == [None, None] else itertools.chain(*(tokens or () for tokens in lists))


def _output_text(output: list[Any], location: Location) -> Iterator[_GeneratedText]:
    """Yield the text of the Responses API, which is the parts of its messages in sequence."""
    token_lists: list[Iterator[DrawnToken]] = []
    for i, item in enumerate(output):
        parts = as_object(item, location.at(f"output[{i}]")).get("content")
        for j, part in enumerate(parts if isinstance(parts, list) else ()):
            inner = location.at(f"output[{i}]", f"content[{j}]")
            tokens = _token_list(as_object(part, inner), "logprobs", inner)
            # This API returns an empty list if the request does not include log-probabilities.
            token_lists += [tokens] if tokens and part["logprobs"] else []
    yield _GeneratedText(0, False, itertools.chain(*token_lists) if token_lists else None)


def _candidate_tokens(candidate: Object, location: Location) -> Iterator[DrawnToken] | None:
    """Return the tokens of a Gemini candidate, in the spelling of its API or its Python library."""
    result = first_value(candidate, "logprobsResult", "logprobs_result")
    return None if result is None else _gemini_tokens(as_object(result, location.at("logprobsResult")), location)


def _gemini_tokens(result: Object, location: Location) -> Iterator[DrawnToken]:
    chosen = first_value(result, "chosenCandidates", "chosen_candidates") or []
    chosen = as_list(chosen, location.at("chosenCandidates"))
    tops = as_list(first_value(result, "topCandidates", "top_candidates") or [], location.at("topCandidates"))
    for i, token in enumerate(chosen):
        inner = location.at(f"token {i}")
        top = as_object(tops[i], inner.at("topCandidates")).get("candidates") if i < len(tops) else None
        alternatives = _alternatives(top or [], inner, "topCandidates", "logProbability")
        yield DrawnToken(inner, _api_token(token, inner, "logProbability"), alternatives)


def _legacy_tokens(logprobs: Object, location: Location) -> Iterator[DrawnToken]:
    """Yield the tokens of legacy completions, which have a list of tokens, one of numbers and one of alternatives. The
    first token of an echoed prompt has no number."""
    names = as_list(logprobs["tokens"], location.at("tokens"))
    numbers = as_list(logprobs.get("token_logprobs"), location.at("token_logprobs"))
    tops = as_list(logprobs.get("top_logprobs") or [None] * len(names), location.at("top_logprobs"))
    for values, name in ((numbers, "token_logprobs"), (tops, "top_logprobs")):
        if len(values) != len(names):
            raise location.at(name).error(f"expected one entry per token, {len(names)} in all, got {len(values)}")
    for i, (name, number, top) in enumerate(zip(names, numbers, tops, strict=True)):
        inner = location.at(_token_name(i, name))
        if i == 0 and number is None and top is None:
            continue
        token = _keyed_token(name, number, inner.at("tokens"), inner.at("token_logprobs"))
        alternatives = [
            _keyed_token(key, value, inner, inner.at(f"top_logprobs[{key!r}]"))
            for key, value in as_object(top or {}, inner.at("top_logprobs")).items()
        ]
        yield DrawnToken(inner, token, alternatives, keyed_by_text=True)


def _keyed_token(text: object, number: object, text_location: Location, number_location: Location) -> ApiToken:
    """Return a token that consists of a text and a number."""
    return ApiToken(label_of(text, None, text_location), logprob_of(number, number_location))


def _token_list(entry: Object, key: str, location: Location) -> Iterator[DrawnToken] | None:
    """Return the tokens of a list of objects, the format of most servers; None if there is no list."""
    if entry.get(key) is None:
        return None
    entries = as_list(entry[key], location.at(key))
    return (_generated_token(entry, location.at(_token_name(i, entry))) for i, entry in enumerate(entries))


def _generated_token(value: object, location: Location) -> DrawnToken:
    """Return a token and its alternatives, each with its number. The number's name distinguishes log-probabilities from
    probabilities after the samplers."""
    entry = as_object(value, location)
    if "probs" in entry and "token" not in entry:
        return _old_llama_cpp_token(entry, location)
    tempered = "top_probs" in entry or "prob" in entry
    name, number = ("top_probs", "prob") if tempered else ("top_logprobs", "logprob")
    alternatives = _alternatives(entry.get(name) or [], location, name, number)
    return DrawnToken(location, _api_token(entry, location, number), alternatives, tempered)


def _old_llama_cpp_token(entry: Object, location: Location) -> DrawnToken:
    """Return a token in the format of llama.cpp's server before 2025, where the generated token has no number."""
    alternatives = _alternatives(entry["probs"], location, "probs", "prob", "tok_str")
    label = label_of(entry.get("content"), None, location.at("content"))
    return DrawnToken(location, ApiToken(label, None), alternatives, tempered=True)


def _alternatives(values: object, location: Location, name: str, number: str, label: str = "token") -> list[ApiToken]:
    """Return the tokens in the list `name`. The fields `number` and `label` of its objects have number and label."""
    entries = as_list(values, location.at(name))
    return [_api_token(entry, location.at(f"{name}[{i}]"), number, label) for i, entry in enumerate(entries)]


def _api_token(value: object, location: Location, number: str, name: str = "token") -> ApiToken:
    """Return the token in an object: its label under `name`, its number under `number`, and its bytes and id if any."""
    entry = as_object(value, location)
    key = number if number in entry else re.sub("[A-Z]", lambda match: "_" + match[0].lower(), number)
    inner = location.at(number)
    logprob = log_of_prob(entry.get(key), inner) if number == "prob" else logprob_of(entry.get(key), inner)
    text = location.at(name)
    data = bytes_of(entry.get("bytes"), text.at("bytes"))
    label = label_of(entry.get(name), data, text)
    return ApiToken(label, logprob, first_value(entry, "id", "tokenId", "token_id"), data)


def _token_name(i: int, entry: object) -> str:
    """Return a token's name for messages: its number and its text, if it has one."""
    token = entry.get("token") if isinstance(entry, dict) else entry
    return f"token {i} ({token[:40]!r})" if isinstance(token, str) else f"token {i}"
