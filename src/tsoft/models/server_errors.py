"""Errors of a server with OpenAI's API: its own messages, with hints on the options that help."""

import contextlib
import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tsoft.errors import InputError, shortened
from tsoft.input import api_responses
from tsoft.input.read_options import ReadOptions
from tsoft.input.response_kinds import error_message, is_response
from tsoft.models.http import HttpResponse, Server, UnansweredError

CANNOT_CONTINUE = "this server cannot continue a partial answer; remove --chat"
# Error messages of a server with several models, or without a model of the requested name.
_NEEDS_MODEL = re.compile(
    "model.{0,80}(require|missing|exist|found|provide|specif|must)|(require|missing|provide|specif|must).{0,80}model"
)
# Error messages about a limit, and about a key.
_LIMIT = re.compile("at most|max|too (large|many|high)|less|greater|between|exceed|range|<=|up to|limit")
_KEY = re.compile("key|credential|authenticat|authoriz|token")
_NO_LOGPROBS = "tsoft needs log-probabilities; use a model or a server that returns them"
# mlx-lm lists at most 11 tokens.
_FEW = 10
# Limits on how much of a server's message to show.
_MAX_NAMES = 5
_MAX_ERROR_BYTES = 1 << 16
_MAX_SHOWN = 60
_MAX_MESSAGE = 500
# How many seconds an error waits for the names of the server's models.
_HINT_SECONDS = 3.0


@dataclass(frozen=True)
class ServerErrors:
    """The errors of requests for `alternatives` tokens to a model on a server. `has_key` is whether the requests have a
    key."""

    server: Server
    model: str | None
    chat: bool
    alternatives: int
    has_key: bool

    def refusal(self, response: HttpResponse) -> InputError:
        """Return an error with the server's message and hints."""
        body = self._body(response)
        message = _error_message(f"{response.url}: {_status(response)}", body)
        return InputError("; ".join([message, *self._hints(response, body.lower())]))

    def unanswered(self, error: UnansweredError) -> InputError:
        """Return the error of a server that closes the connection, with hints."""
        options = ["--chat"] * (not self.chat) + [f"--top-logprobs {_FEW}"] * (self.alternatives > _FEW)
        hint = f"; pass {' and '.join(options)}" if options else ""
        return InputError(f"{error}, as mlx-lm does if it rejects a field{hint}")

    def message(self, response: HttpResponse) -> str:
        """Return the server's message without hints, for a refusal that was to be expected."""
        return _error_message(_status(response), self._body(response))

    def problem(self, answer: Any) -> str | None:
        """Return the message of a response, or of its first choice, that is an error; None for any other response."""
        places = [answer, value_at(answer, "choices", 0)]
        failed = next((place for place in places if isinstance(place, dict) and error_message(place)), None)
        if failed is None:
            return None
        # OpenRouter writes the message of the model's provider there.
        reasons = [error_message(failed), value_at(failed, "error", "metadata", "raw")]
        message = ": ".join(str(reason)[:_MAX_MESSAGE] for reason in reasons if reason)
        hints = self._hints_on_request(400, message.lower())
        return "; ".join([f"the server returned an error: {message}", *hints])

    def _body(self, response: HttpResponse) -> str:
        # Only the start of a longer text would be shown.
        return self.server.redacted(response.body[:_MAX_ERROR_BYTES])

    def _hints(self, response: HttpResponse, message: str) -> Iterator[str]:
        status = response.status
        if status == 403 and "logprob" in message:
            yield _NO_LOGPROBS
        elif status in (401, 403) and not self.has_key:
            yield "set OPENAI_API_KEY to your key for this server"
        elif status == 401 or (status == 403 and _KEY.search(message)):
            yield "this server rejects the key in OPENAI_API_KEY"
        elif status == 429:
            retry = "" if response.retry_after is None else f", and the server asks to wait {response.retry_after:g} s"
            yield f"too many requests, or the quota is used up{retry}"
        elif status in (400, 404, 405, 422, 500, 501):
            yield from self._hints_on_request(status, message)

    def _hints_on_request(self, status: int, message: str) -> Iterator[str]:
        if "logprob" in message:
            fewer = f"tsoft requests {self.alternatives} alternatives; pass --top-logprobs N to request fewer"
            yield fewer if _LIMIT.search(message) else _NO_LOGPROBS
        elif not self.chat and ("chat model" in message or "chat/completions" in message):
            yield "pass --chat for a chat model"
        elif self.chat and ("chat template" in message or "chat model" in message or "support chat" in message):
            yield "remove --chat for a model that is not a chat model"
        elif self.chat and ("continue_final_message" in message or "prefill" in message):
            yield CANNOT_CONTINUE
        elif self.model is None and _NEEDS_MODEL.search(message):
            yield f"pass --remote-model NAME to select a model{self._models()}"
        elif status == 404 or "exist" in message or "not found" in message:
            if not self.server.path.endswith("/v1"):
                yield "--endpoint is the URL before /completions, which usually ends in /v1"
            if self.model is not None:
                yield f"check --remote-model {self.model}{self._models()}"

    def _models(self) -> str:
        """Return the names of the server's models as the end of a message, if the server lists them."""
        try:
            response = self.server.request("/models", retries=0, within=_HINT_SECONDS)
            listed = parsed_json(response.url, self.server.redacted(response.body))["data"]
            names = [str(entry["id"])[:_MAX_SHOWN] for entry in listed]
        except (InputError, LookupError, TypeError):
            return ""
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        return f"; the server has {', '.join(names[:_MAX_NAMES])}{more}" if names else ""


def _status(response: HttpResponse) -> str:
    return f"HTTP {response.status} {http.client.responses.get(response.status, '')}".rstrip()


def parsed_json(where: str, body: bytes | str) -> Any:
    if not body.strip():
        raise InputError(f"{where}: the response is empty")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: the response is not JSON; it starts with {_quoted_start(body)}") from None


def _quoted_start(body: bytes | str) -> str:
    start = body[: 9 * _MAX_SHOWN]
    text = " ".join((start if isinstance(start, str) else start.decode(errors="replace")).split())
    return repr(shortened(text, _MAX_SHOWN))


def value_at(value: Any, *path: str | int) -> Any:
    """Return the value at a path of names and indices in a JSON value; None if the path does not exist."""
    with contextlib.suppress(LookupError, TypeError):
        for key in path:
            value = value[key]
        return value
    return None


def _error_message(place: str, body: str) -> str:
    """Return the error message in a response."""
    try:
        value = parsed_json(place, body)
        if is_response(value):
            next(api_responses.blocks(value, ReadOptions(place), place, 0), None)
    except InputError as error:
        return str(error)
    return f"{place}: the server responded {_quoted_start(body)}"
