"""Which JSON values are responses of LLM servers, what a request must contain to return log-probabilities, and the
errors of servers."""

import contextlib
import json
import math
import re
import reprlib
from collections.abc import Iterator
from typing import Any

from tsoft.input.columns import TARGET_NAMES
from tsoft.input.eval_samples import is_eval_sample
from tsoft.input.json_values import INFINITIES, Location, Object, json_path
from tsoft.input.quantity import ARRAY_QUANTITIES
from tsoft.input.token_ids import is_name_of_ids
from tsoft.input.token_lists import is_token_list, record_tokens
from tsoft.input.token_shapes import (
    TEXTS,
    are_alternatives,
    are_at_most_certain,
    field,
    is_numbers,
    may_be_map_of_alternatives,
    may_be_tokens,
    spelling_of,
    spellings,
)

_CHAT = '"logprobs": true, "top_logprobs": 20'
_COMPLETION = '"logprobs": 5'
_RESPONSE = '"include": ["message.output_text.logprobs"], "top_logprobs": 20'
_LLAMA = '"n_probs": 20'
_GEMINI = '"generationConfig": {"responseLogprobs": true, "logprobs": 20}'
_COHERE = '"logprobs": true'
_TGI = '"details": true, "top_n_tokens": 5'
_SGLANG = '"return_logprob": true, "top_logprobs_num": 20'
# The starts of the events of OpenAI's transcriptions and of its Realtime API: pieces of a text, then the text.
TRANSCRIPTIONS = {
    "transcript.text.": "include[]=logprobs",
    "conversation.item.input_audio_transcription.": '"include": ["item.input_audio_transcription.logprobs"]',
}
_EVENTS = ("response.", *TRANSCRIPTIONS)

# Fields with log-probabilities.
_NUMBER_MARKS = spellings(
    *("logprob", "logprobs", "top_logprobs", "token_logprobs", "prompt_logprobs", "top_probs", "top_tokens"),
    *("completion_probabilities", "logprobs_result", "output_token_logprobs", "input_token_logprobs"),
    *("token_likelihoods", "output_log_probs", "log_probs"),
)
# Arrays and objects under other names are log-probabilities, too: TopLogProbabilities of OpenAI's .NET, but no ids.
_LOGPROB = re.compile("log_?prob(?!.*ids)", re.IGNORECASE)
# Fields with the log-probabilities of tokens that the request names, which say nothing about the others: SGLang.
REQUESTED = ("output_token_ids_logprobs", "input_token_ids_logprobs")
# Fields that only responses have.
_MARKS = (*_NUMBER_MARKS, *REQUESTED, "choices", "candidates", "meta_info")
# Names in responses whose values are all numbers or texts.
_PLAIN_MARKS = {
    *(*_MARKS, *TEXTS, "error", "detail", "object", "type", "model", "response", "message"),
    *("generated_text", "custom_id", "doc_id"),
}
# Names in the messages of a chat: who wrote one, the writers other than a model, and what it contains. OpenAI,
# LangChain (langchain_core/messages/base.py, message_to_dict), Pydantic AI (pydantic_ai/messages.py, ModelMessage).
_WRITERS = ("role", "type", "kind")
_PEOPLE = ("user", "human", "request", "system", "developer", "tool", "function")
_CONTENTS = ("content", "data", "parts", "blocks")
# The finish reasons of answers whose text was removed: those of OpenAI, and of Gemini, which proxies may pass on.
_REMOVED = re.compile(r"content[_-]?filter|safety|recitation|blocklist|prohibited_content", re.IGNORECASE)
# The fields with the names of the classes, or with a true class. So many numbers of a row are added up.
_CLASSES = ("labels", "classes", "targets", *TARGET_NAMES)
_MOST_SUMMED = 1000
# Fields with what a person wrote.
_PROMPTS = ("messages", "prompt", "input", "question")
# Texts in the place of an object, by their starts, and what they are.
_TEXTS = {
    re.compile(r"data: ?\{"): (
        "the text of a stream in a string; write the stream into a file, such as with "
        """jq -r '.. | strings | select(startswith("data:"))'"""
    ),
    re.compile(r"@\{"): "an object that PowerShell cut off; pass -Depth 20 to ConvertTo-Json",
    # Such as Logprob(logprob=-0.5, rank=1), perhaps in a list or in a dictionary with ids.
    re.compile(r"[\[{(]*(?:\d+: )?[A-Z]\w*\((?=\w+=).*(?i:log_?prob)", re.DOTALL): (
        "an object that Python printed; write it as JSON: json.dumps(…, default=vars)"
    ),
}
# The start of a text that may be an object: one of these, or JSON.
_OBJECT = re.compile("|".join([r"[\[{]", *(f"(?s:{start.pattern})" for start in _TEXTS)]))
# The names of a token's probability.
_PROBS = ("prob", "probability", "p")
# The names of a response that scripts write.
_RESPONSES = ("result", "output", "completion")
# The fields of an error that is the whole response, such as that of Amazon's gateway, Cohere and Mistral.
_ERROR_FIELDS = {"message", "code", "status", "statusCode", "id", "request_id", "requestId"}
_TOKENS_FIX = "; add their texts as tokens, or their ids as token_ids"
# Deeper values are not searched. A response of an API without log-probabilities is at most this deep in a line of a
# batch, which has a result with a message.
_DEEPEST, _DEEPEST_API = 40, 2


def is_response(value: object) -> bool:
    """Return whether a JSON value is a server's response, a part of one with log-probabilities, or its error, and not
    rows of numbers.

    >>> is_response({"choices": []}), is_response({"error": "no such model"}), is_response({"error": 2})
    (True, True, False)
    >>> is_response([{"token": "a", "logprob": -1}]), is_response({"logprobs": [-1, -2]})
    (True, False)
    """
    if isinstance(value, list):
        inner = value[0] if value and isinstance(value[0], list) else []
        return any(map(is_token_list, (value, inner))) or (bool(inner) and _is_response_object(inner[0]))
    if not isinstance(value, dict) or _is_plain(value):
        return False
    if is_batched(value) or is_eval_sample(value) or failure(value) is not None or has_null_response(value):
        return True
    if logprobs_request(value) is not None or error_message(value) is not None:
        return True
    if _is_row(value):
        return False
    if api_without_logprobs(value) is not None or text_problem(value) is not None:
        return True
    if record_tokens(value, Location(""), None) or mark_in(value) is not None:
        return True
    probs = value.get("probs")
    if isinstance(probs, list) and may_be_tokens(probs) and are_alternatives(probs):
        return True
    return event_in(value) is not None or with_parsed_texts(value) is not value


def _is_plain(record: Object) -> bool:
    """Return whether an object contains only numbers, or only numbers and texts under names that responses do not have.
    This is quick, since files have many rows."""
    types = set(map(type, record.values()))
    if types <= {int, float}:
        return True
    if not types <= {int, float, str} or not record.keys().isdisjoint(_PLAIN_MARKS):
        return False
    return not any(type(value) is str and _OBJECT.match(value) for value in record.values())


def event_in(value: Object, depth: int = 0) -> Object | None:
    """Return the event of the Responses API or of a transcription that an object is or contains, such as the line of a
    log; None without one.

    >>> event_in({"time": 1, "event": {"type": "response.created"}})
    {'type': 'response.created'}
    """
    if str(value.get("type")).startswith(_EVENTS):
        return value
    for inner in value.values():
        if isinstance(inner, dict) and depth < _DEEPEST:
            event = event_in(inner, depth + 1)
            if event is not None:
                return event
    return None


def is_batched(value: Object) -> bool:
    """Return whether an object is a line of a batch's output, which contains a response or an error."""
    return isinstance(value.get("custom_id"), str) and ("response" in value or "error" in value)


def failure(value: Object) -> str | None:
    """Return the message of a failed request in the output of a batch; None for any other object.

    The Gemini API writes the request's key and an error; Vertex AI writes the request, its status and no response. A
    script may write an error as the response to a text.
    """
    if isinstance(value.get("key"), str) and isinstance(value.get("error"), dict) and not value.get("response"):
        return error_message(value)
    response = value.get("response")
    # An event of a stream has a type.
    if isinstance(response, dict) and "type" not in value and _has_text(value):
        message = error_message(response)
        if message is not None:
            return message
    status = value.get("status")
    is_failed = isinstance(value.get("request"), dict) and value.get("response", 0) in ({}, None)
    return status if is_failed and isinstance(status, str) and status else None


def has_null_response(value: Object) -> bool:
    """Return whether an object is a request, with a text that identifies it, whose response is null.

    >>> has_null_response({"custom_id": "b", "result": None}), has_null_response({"id": "b", "result": None, "x": 0.5})
    (True, False)
    """
    is_null = "response" in value and value["response"] is None
    if not is_null and any(value.get(name, "") is None for name in _RESPONSES):
        # A number, but for an index, may be that of a class.
        is_null = not any(isinstance(other, float | list | dict) for other in value.values())
    return is_null and _has_text(value) and mark_in(value) is None


def without_numbers(value: Object) -> str | None:
    """Return the problem with an object whose fields with log-probabilities are all null or empty, as a script may
    write a failed request; None for any other object.

    >>> without_numbers({"question": "b", "logprobs": None})
    'no log-probabilities in logprobs (null)'
    """
    marks = [*_marks(value, _NUMBER_MARKS, "", 0)]
    if not marks or any(inner not in (None, [], {}) for _, inner in marks):
        return None
    path, inner = marks[0]
    return f"no log-probabilities in {path} ({'null' if inner is None else 'empty'})"


def is_message(value: Object) -> bool:
    """Return whether an object is a message of a chat, and not a row, which has numbers.

    >>> is_message({"role": "user", "content": "Yes?"}), is_message({"type": "user", "content": 2})
    (True, False)
    """
    value = _without_constructor(value)
    has_names = any(isinstance(value.get(name), str) for name in _WRITERS) and any(name in value for name in _CONTENTS)
    has_number = any(isinstance(field, int | float) and not isinstance(field, bool) for field in value.values())
    return has_names and not has_number and value.keys().isdisjoint(ARRAY_QUANTITIES)


def is_generated(message: Object) -> bool:
    """Return whether a model may have written a message, and its content is not empty."""
    message = _without_constructor(message)
    return message.get("content") != "" and not any(message.get(name) in _PEOPLE for name in _WRITERS)


def _without_constructor(message: Object) -> Object:
    """Return the fields of a message that LangChain's dumpd wrote: langchain_core/load/serializable.py."""
    fields = message.get("kwargs")
    return fields if "lc" in message and isinstance(fields, dict) else message


def removed_text(answer: Object, response: Object | None = None) -> str | None:
    """Return the problem with an answer whose text was removed, such as by a content filter, so that no request makes
    the server return its log-probabilities; None for any other answer. `response` is the object that contains it.

    >>> removed_text({"message": {"content": None}, "finish_reason": "content_filter"})
    'the answer has no text (finish_reason: content_filter)'
    """
    if problem := blocked_prompt(answer):
        return problem
    name = spelling_of(answer, "finish_reason")
    reason = answer.get(name) if name else None
    is_candidate = response is not None and "candidates" in response
    if is_candidate and reason and _is_empty_candidate(answer):
        is_removed = True
    else:
        is_removed = isinstance(reason, str) and bool(_REMOVED.match(reason)) and _is_without_text(answer)
    return f"the answer has no text ({name}: {reason})" if is_removed else None


def blocked_prompt(response: Object) -> str | None:
    """Return the problem with a response of Gemini without candidates, because the server blocked the prompt; None for
    any other response."""
    feedback = field(response, "prompt_feedback")
    name = spelling_of(feedback, "block_reason") if isinstance(feedback, dict) else None
    if name is None or not feedback[name] or response.get("candidates"):
        return None
    return f"the server blocked the prompt ({name}: {feedback[name]})"


def _is_without_text(choice: Object) -> bool:
    """Return whether a choice has an empty text, and nothing else that has tokens: a call of a tool, audio, a reasoning
    or a refusal."""
    message = choice.get("message")
    record, name = (message, "content") if isinstance(message, dict) else (choice, "text")
    others = [key for key, value in record.items() if value and key != "role"] if record is message else []
    return name in record and not record[name] and not others


def _is_empty_candidate(candidate: Object) -> bool:
    """Return whether a candidate of Gemini has no part, whatever the reason why it finished: ai.google.dev,
    "FinishReason"."""
    content = candidate.get("content")
    return content is None or (isinstance(content, dict) and not content.get("parts"))


def _has_text(record: Object) -> bool:
    return any(isinstance(value, str) for value in record.values())


def _is_response_object(value: object) -> bool:
    return isinstance(value, dict) and is_response(value)


def _is_row(record: Object) -> bool:
    """Return whether an object has an array of numbers, or of arrays of them, under the name of a quantity, which are
    not the log-probabilities of the tokens of a text."""
    has_tokens = any(isinstance(field(record, name), list) for name in ("tokens", "token_ids"))
    return not has_tokens and any(_has_row(record, name) for name in ARRAY_QUANTITIES)


def _has_row(record: Object, name: str) -> bool:
    """Return whether a field has a row of numbers, the first of which may be masked."""
    value = record.get(name)
    if isinstance(value, list) and _first_numbers(value):
        return not _are_of_text(record, name)
    if ARRAY_QUANTITIES[name] == "logprob":
        numbers = value.items() if isinstance(value, dict) else ()
        return may_be_map_of_alternatives({k: INFINITIES.get(v, v) if isinstance(v, str) else v for k, v in numbers})
    first = next(iter(value.values()), "") if isinstance(value, dict) else _first(value)
    return value not in ({}, [], None) and (first is None or (isinstance(first, str) and first in INFINITIES))


def _are_of_text(record: Object, name: str) -> bool:
    """Return whether an array of log-probabilities is that of a text's tokens: it has no labels and no true class, but
    an array of as many tokens beside it; or it has another array or a text, and is not a distribution, since the
    probabilities sum to more than 1."""
    if ARRAY_QUANTITIES[name] != "logprob" or not record.keys().isdisjoint(_CLASSES):
        return False
    others = [key for key, value in record.items() if isinstance(value, str | list) and key != name]
    # The first numbers suffice, and a row may have a whole vocabulary.
    first = _first_numbers(record[name])[:_MOST_SUMMED] if others else []
    numbers = [number for number in first if number is not None]
    are_small = all(isinstance(number, int | float) and number < 1 for number in numbers)
    if are_small and len(numbers) > 1 and math.isclose(sum(map(math.exp, numbers)), 1, abs_tol=1e-3):
        return False
    if any(("token" in key or is_name_of_ids(key)) and len(record[key]) == len(record[name]) for key in others):
        return True
    return are_small and not are_at_most_certain(numbers)


def _first_numbers(array: list[Any]) -> list[Any]:
    """Return the first array of numbers in an array, which may be the array itself; empty if there is none."""
    while array and isinstance(array[0], list):
        [array] = array[:1]
    return array if array and isinstance(array[0], int | float) else []


def _first(value: object) -> object:
    """Return the first value in nested arrays, "" if there is none."""
    while isinstance(value, list):
        value = value[0] if value else ""
    return value


def mark_in(value: Object) -> str | None:
    """Return the path of the first field that only responses have; None if there is no such field.

    >>> mark_in({"a": [{}, {"logprob": -1}]}), mark_in({"choices": [{}]})
    ('a[1].logprob', 'choices')
    """
    return next((path for path, _ in _marks(value, _MARKS, "", 0)), None)


def numbers_problem(value: object, outer: str = "") -> str | None:
    """Return the problem with the first field with log-probabilities, inside the path `outer`, which are in no known
    format; None if there is no such field.

    >>> numbers_problem({"choices": [{"logprobs": {"odd": [-1]}}]}), numbers_problem({"choices": [{"logprobs": None}]})
    ('choices[0].logprobs: log-probabilities in an unknown format', None)
    """
    marks = _marks(value, _NUMBER_MARKS, outer, 0)
    path, numbers = next(
        ((path, inner) for path, inner in marks if _has_number(inner) and not _is_setting(inner)), (None, None)
    )
    are_numbers = isinstance(numbers, list) and is_numbers(_first_numbers(numbers) or numbers)
    problem = f"without the tokens that they belong to{_TOKENS_FIX}" if are_numbers else "in an unknown format"
    return None if path is None else f"{path}: log-probabilities {problem}"


def prompt_numbers(value: object) -> str | None:
    """Return the path of the first field with log-probabilities whose name is that of a prompt's; None without one.

    >>> prompt_numbers({"logprobs": [-1], "prompt_logprobs": [None, -1]}), prompt_numbers({"prompt_logprobs": None})
    ('prompt_logprobs', None)
    """
    marks = _marks(value, _NUMBER_MARKS, "", 0)
    return next((path for path, inner in marks if "prompt" in path.rpartition(".")[2] and _has_number(inner)), None)


def probabilities_problem(value: object, path: tuple[str | int, ...] = ()) -> str | None:
    """Return the problem with the first list of tokens with probabilities in a value; None without one.

    >>> probabilities_problem({"steps": [{"token": "a", "prob": 0.5}]})
    'steps[0].prob: the probability of a token; write its logarithm as logprob'
    """
    if isinstance(value, dict) and isinstance(value.get("token"), str):
        name = next((name for name in _PROBS if isinstance(value.get(name), float)), None)
        if name is not None:
            return f"{json_path((*path, name))}: the probability of a token; write its logarithm as logprob"
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    if len(path) > _DEEPEST:
        return None
    problems = (probabilities_problem(inner, (*path, key)) for key, inner in items)
    return next((problem for problem in problems if problem is not None), None)


def request_problem(value: Object) -> str | None:
    """Return the problem with an object that has the settings of a request in the place of log-probabilities, such as
    in a log; None for any other object.

    >>> request_problem({"body": {"messages": [], "logprobs": True}})
    'no log-probabilities, only the setting body.logprobs of a request'
    """
    if logprobs_request(value) is not None:
        return None
    path = next((path for path, inner in _marks(value, _NUMBER_MARKS, "", 0) if _is_setting(inner)), None)
    return None if path is None else f"no log-probabilities, only the setting {path} of a request"


def text_problem(value: object, path: tuple[str | int, ...] = ()) -> str | None:
    """Return the problem with the first string that is the text of a stream, or of an object that PowerShell cut off,
    and the fix; None if there is no such string.

    >>> text_problem({"choices": [{"logprobs": "@{content=System.Object[]}"}]})
    'choices[0].logprobs: an object that PowerShell cut off; pass -Depth 20 to ConvertTo-Json'
    """
    if isinstance(value, str):
        problem = next((problem for start, problem in _TEXTS.items() if start.match(value)), None)
        if problem is None and value.lstrip("[").startswith("(") and _LOGPROB.search(json_path(path[-1:])):
            problem = "tuples that Python printed; write them as JSON: json.dumps(…)"
        return None if problem is None else f"{json_path(path)}: {problem}"
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if len(path) > _DEEPEST:
        return None
    problems = (text_problem(inner, (*path, key)) for key, inner in items)
    return next((problem for problem in problems if problem is not None), None)


def with_parsed_texts(value: Any, depth: int = 0) -> Any:
    """Return a value with the strings replaced that are JSON with log-probabilities, such as those in the traces of
    MLflow and Phoenix, except in a prompt; the value itself if it has no such string."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value) if value.startswith(("{", "[")) and _LOGPROB.search(value) else value
    if depth < _DEEPEST and isinstance(value, dict | list):
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        parsed = [(key, inner if key in _PROMPTS else with_parsed_texts(inner, depth + 1)) for key, inner in items]
        if any(new is not old for (_, new), (_, old) in zip(parsed, items, strict=True)):
            return dict(parsed) if isinstance(value, dict) else [new for _, new in parsed]
    return value


def _is_setting(value: object) -> bool:
    """Return whether a value under the name of log-probabilities is a request's setting: a flag or a count."""
    return isinstance(value, int) and value >= 0


def _has_number(value: object, depth: int = 0) -> bool:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return depth < _DEEPEST and any(_has_number(element, depth + 1) for element in inner)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _marks(
    value: object, marks: frozenset[str] | tuple[str, ...], path: str, depth: int
) -> Iterator[tuple[str, object]]:
    """Yield the path and the value of each field of these names."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list) and may_be_tokens(value):
        for i, element in enumerate(value):
            yield from _marks(element, marks, f"{path}[{i}]", depth + 1)
    elif isinstance(value, dict):
        for name, inner in value.items():
            place = f"{path}.{name}".removeprefix(".")
            is_mark = isinstance(inner, dict | list) and name not in REQUESTED and _LOGPROB.search(name)
            if name in marks or is_mark:
                yield place, inner
            elif isinstance(inner, dict | list):
                yield from _marks(inner, marks, place, depth + 1)


def logprobs_request(value: Object) -> str | None:
    """Return the fields of a request that make the server return log-probabilities; None if this is no response."""
    kind = value.get("object")
    choices = value.get("choices")
    if isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices):
        legacy = kind == "text_completion" or any("text" in choice for choice in choices)
        return _COMPLETION if legacy else _CHAT
    if isinstance(value.get("output"), list) and kind in ("response", None):
        return _RESPONSE
    if str(value.get("type")).startswith("response."):
        return _RESPONSE
    for start, request in TRANSCRIPTIONS.items():
        if str(value.get("type")).startswith(start):
            return request
    if isinstance(value.get("completion_probabilities"), list) or (
        isinstance(value.get("content"), str) and "stop" in value
    ):
        return _LLAMA
    if isinstance(value.get("candidates"), list) or isinstance(field(value, "usage_metadata"), dict):
        return _GEMINI
    if "generated_text" in value:
        return _TGI
    if isinstance(value.get("meta_info"), dict) or any(value.get(name) for name in REQUESTED):
        return _SGLANG
    if isinstance(value.get("type"), str) and isinstance(value.get("delta"), dict):
        return _COHERE
    answer = value.get("response", value.get("message"))
    # Ollama's responses, and those that tsoft writes, whose text may be empty. A list of numbers is a row, not a
    # response.
    logprobs = value.get("logprobs")
    is_text = logprobs == [] and isinstance(value.get("text"), str)
    if (isinstance(logprobs, list) and (is_text or any(isinstance(entry, dict) for entry in logprobs))) or (
        "model" in value and isinstance(answer, str | dict)
    ):
        return _CHAT
    return _CHAT if is_message(value) else None


def api_without_logprobs(value: Object, depth: int = 0) -> str | None:
    """Return the API with a response if no request makes it return log-probabilities; None for any other object. The
    response may be in a field, as in a batch or in a log.

    >>> api_without_logprobs({"type": "message", "content": [], "stop_reason": "end_turn"})
    "Anthropic's API"
    """
    if value.get("type") == "message" and "stop_reason" in value:
        return "Anthropic's API"
    if "stopReason" in value and isinstance(value.get("output"), dict):
        return "Bedrock's Converse API"
    inner = [each for each in value.values() if isinstance(each, dict)] if depth < _DEEPEST_API else []
    apis = (api_without_logprobs(each, depth + 1) for each in inner)
    return next((api for api in apis if api is not None), None)


def error_message(value: Object) -> str | None:
    """Return the message of a response that is an error; None for any other response."""
    error = value.get("error") or None
    if error is None and isinstance(value.get("message"), str) and value["message"] and value.keys() <= _ERROR_FIELDS:
        error = value
    if error is None and (value.get("object") == "error" or value.get("type") == "error"):
        error = value
    # A log may have a field with this name next to others.
    if error is None and len(value) == 1 and isinstance(value.get("detail"), str | list):
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
