"""A server with OpenAI's API as a model. It is asked for one token after each text, with the log-probabilities of its
most probable alternatives; what it lists is what is known.

Two requests of platform.openai.com/docs/api-reference are used: `POST /completions` continues a text, and `POST
/chat/completions` answers a message. Only fields of OpenAI's are sent, since it refuses others, except two that mark a
partial answer, which it cannot continue: vLLM, SGLang and llama.cpp (its pull request 23012) need them, and Ollama
continues without them if the model's template allows it. A template may also strip the blanks at the end of a partial
answer.

Servers report the end of a text in different ways:

- llama.cpp and vLLM list the probability of the end token among the others. vLLM writes its name; llama.cpp writes an
  empty text, as for every control token.
- llama-cpp-python and Ollama return no token and no probability if the end token is drawn, and OpenAI may, too. With
  another seed they may draw another token and then list all probabilities, so they are asked again. The same is done if
  llama.cpp draws a part of a character, for which it lists no probability.

llama-cpp-python returns an empty text for a part of a character, too, which looks like the end. It also closes a
partial answer and begins another one, so its chat is right for the first token only. Only its token count shows that.

Each text is sent whole, and the server splits it into tokens again, perhaps into others than those that were drawn: two
line breaks may become one token.

Responses are an input format: `input.api_responses` reads them.
"""

import contextlib
import http.client
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.errors import InputError, UsageError, shortened
from tsoft.input import api_responses
from tsoft.input.read_options import ReadOptions
from tsoft.models.http import HttpResponse, Server, in_threads
from tsoft.models.model import encoded_prompt
from tsoft.models.tokens import NextDistribution, Tokens

# The most responses in the cache, which serves the explorer's way back and texts that share their beginnings.
CACHE_SIZE = 4096
# The most requests to a server that generates the end of a text and lists no probabilities with it.
ATTEMPTS = 4
# The names of tokens that end a text in the models that llama.cpp knows (src/llama-vocab.cpp). llama.cpp itself writes
# an empty text.
ENDS = {"", "</s>", "<eos>", "[EOS]", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>"}
ENDS |= {"<|eom_id|>", "<end_of_turn>", "<turn|>", "<EOT>", "[EOT]", "<|EOT|>", "<|eot|>", "<|return|>", "<|call|>"}
ENDS |= {"<end_of_utterance>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>"}
_BYTES = re.compile("(?:<0x[0-9A-F]{2}>)+")
# Error messages of a server that has several models, or no model of that name.
_NEEDS_MODEL = re.compile(
    "model.{0,80}(require|missing|exist|found|provide|specif|must)|(require|missing|provide|specif|must).{0,80}model"
)
# The log-probability of a token without alternatives that are worth listing.
_NEARLY_SURE = -1e-3
# A text may be split into a few more tokens than were drawn, but fewer than a template puts between two answers.
_EXTRA_TOKENS = 2
_CANNOT_CONTINUE = "this server cannot go on with an answer that has begun; leave out --chat"
# How much of a server's message is shown.
_MAX_NAMES = 5
_MAX_SHOWN = 60
# How long an error waits for the names of the server's models.
_HINT_SECONDS = 3.0


@dataclass(frozen=True)
class _ServerToken:
    """A token of a server: its name, the bytes that it adds to a text, and whether it ends the text."""

    label: str
    piece: bytes
    ends: bool


@dataclass(frozen=True)
class _Request:
    """The body of a request, as JSON; in a chat also the prompt and the number of tokens of the answer so far."""

    body: str
    prompt: str = field(default="", compare=False)
    answer_tokens: int = field(default=0, compare=False)


class Endpoint:
    """A model on a server. The key is read from OPENAI_API_KEY. A text whose last token is a part of a character
    cannot be sent as it is: the part is sent as U+FFFD.

    >>> Endpoint("http://localhost:8080/v1", None, chat=False, alternatives=20, timeout=60).name
    'localhost:8080'
    """

    vocab_size: int | None = None
    context_length: int | None = None

    def __init__(self, url: str, model: str | None, *, chat: bool, alternatives: int, timeout: float):
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        self._has_key = bool(key)
        self._server = Server(url, key, timeout)
        self._model, self._chat, self._alternatives = model, chat, alternatives
        self._path = "/chat/completions" if chat else "/completions"
        self.name = model or self._server.host
        self._tokens: list[_ServerToken] = []
        self._token_numbers: dict[_ServerToken, int] = {}
        self._cache: dict[_Request, NextDistribution] = {}
        self._prompt_lengths: dict[str, int] = {}

    def prompt(self, text: str) -> Tokens:
        """The text as one token. Raises UsageError if it is empty or not Unicode."""
        if not text:
            raise UsageError("the prompt is empty: a server goes on from a text")
        return (self._token_number(_ServerToken(text, encoded_prompt(text), ends=False)),)

    def piece(self, token: int) -> bytes:
        """The bytes that a token adds to a text."""
        return self._tokens[token].piece

    def label(self, token: int) -> str:
        """The name of a token on the server."""
        return self._tokens[token].label

    def ends(self, token: int) -> bool:
        """Whether a token ends a text: it has the name of a token that does, or no name."""
        return self._tokens[token].ends

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """The distributions of the server after the texts, of its most probable alternatives."""
        requests = [self._request(text) for text in texts]
        different = dict.fromkeys(requests)
        new = [request for request in different if request not in self._cache]
        # The responses of this call go to the end of the cache, so that the oldest are removed.
        distributions = {request: self._cache.pop(request) for request in different if request in self._cache}
        distributions |= zip(new, map(self._distribution, in_threads(self._requested, new)), strict=True)
        self._cache |= distributions
        for request in list(self._cache)[:-CACHE_SIZE]:
            del self._cache[request]
        return [distributions[request] for request in requests]

    def close(self) -> None:
        """Close the connections to the server."""
        self._server.close()

    def _token_number(self, token: _ServerToken) -> int:
        if token not in self._token_numbers:
            self._token_numbers[token] = len(self._tokens)
            self._tokens.append(token)
        return self._token_numbers[token]

    def _distribution(self, block: Block) -> NextDistribution:
        merged = _merge_labels(block)
        return NextDistribution(
            merged, np.array([self._token_number(_server_token(label)) for label in merged.labels or ()])
        )

    def _request(self, text: Tokens) -> _Request:
        """The request for the token after a text."""
        pieces = [self.piece(token) for token in text]
        fields: dict[str, Any] = {} if self._model is None else {"model": self._model}
        fields |= {"max_tokens": 1, "temperature": 1, "stream": False}
        if not self._chat:
            whole = b"".join(pieces).decode(errors="replace")
            return _Request(json.dumps(fields | {"prompt": whole, "logprobs": self._alternatives}))
        prompt, response = pieces[0].decode(), b"".join(pieces[1:]).decode(errors="replace")
        messages = [{"role": "user", "content": prompt}]
        fields |= {"messages": messages, "logprobs": True, "top_logprobs": self._alternatives}
        if response:
            messages.append({"role": "assistant", "content": response})
            fields |= {"continue_final_message": True, "add_generation_prompt": False}
        return _Request(json.dumps(fields), prompt, len(pieces) - 1)

    def _requested(self, request: _Request) -> Block:
        """The block of the next token, from as many requests as it takes."""
        for attempt in range(ATTEMPTS):
            body = request.body if attempt == 0 else json.dumps(json.loads(request.body) | {"seed": attempt})
            response = self._server.request(self._path, body.encode())
            if not 200 <= response.status < 300:
                raise self._refusal(response)
            try:
                block = self._first_token(response.url, response.body)
            except InputError:
                # Read it again without the key, which this error may repeat.
                block = self._first_token(response.url, self._server.redacted(response.body))
            if block is not None:
                self._check_continues(request, response)
                return block
        if _value_at(json.loads(response.body), "choices", 0, "finish_reason") == "stop":
            # The server generates the end each time, and lists no probabilities with it.
            certain = PartialDistribution(np.zeros(1), 0, np.inf)
            return Block(np.zeros((1, 1)), ("",), 0, Origin("logprob", labels_vary=True), partial=certain)
        raise InputError(f"{response.url}: no token and no log-probability in {ATTEMPTS} answers, and no end")

    def _first_token(self, where: str, body: bytes | str) -> Block | None:
        """The first token of a response; None if it has none, as at the end of a text."""
        value = _parsed_json(where, body)
        choice = _value_at(value, "choices", 0)
        has_tokens = any(_value_at(choice, "logprobs", key) for key in ("tokens", "content", "refusal"))
        if isinstance(choice, dict) and choice and not has_tokens:
            text = _value_at(choice, "message", "content") or _value_at(choice, "text") or ""
            # A part of a character is no text.
            if not str(text).replace("\ufffd", ""):
                return None
            chat = "" if self._chat else "; with --chat it may, as Ollama does"
            raise InputError(f"{where}: the server gives no log-probabilities, for which it was asked{chat}")
        block = next(api_responses.blocks(value, ReadOptions(where), where, 0))
        if self._alternatives > 1 and block.logits.shape == (1, 1) and block.logits[0, 0] < _NEARLY_SURE:
            raise InputError(f"{where}: the server gives the token that it drew alone, and none of the alternatives")
        return block

    def _check_continues(self, request: _Request, response: HttpResponse) -> None:
        """Raises InputError if the server does not continue an answer but begins another one. Then its count of
        prompt tokens is larger than the tokens so far, by those of its template."""
        length = _value_at(json.loads(response.body), "usage", "prompt_tokens")
        if not request.prompt or not isinstance(length, int) or length <= 0:
            return
        if request.answer_tokens == 0:
            self._prompt_lengths[request.prompt] = length
        if length - self._prompt_lengths.get(request.prompt, length) > request.answer_tokens + _EXTRA_TOKENS:
            raise InputError(f"{response.url}: {_CANNOT_CONTINUE}")

    def _refusal(self, response: HttpResponse) -> InputError:
        """The error message of the server, with hints."""
        body = self._server.redacted(response.body)
        status = f"HTTP {response.status} {http.client.responses.get(response.status, '')}".rstrip()
        message = _error_message(f"{response.url}: {status}", body)
        return InputError("; ".join([message, *self._hints(response, body.lower())]))

    def _hints(self, response: HttpResponse, message: str) -> Iterator[str]:
        status = response.status
        if status in (401, 403):
            known = "set, but this server does not take it" if self._has_key else "not set"
            yield f"OPENAI_API_KEY is {known}"
        elif status == 429:
            retry = "" if response.retry_after is None else f", and the server asks to wait {response.retry_after:g} s"
            yield f"too many requests, or a quota that is used up{retry}"
        elif status in (400, 404, 405, 422, 500, 501):
            yield from self._hints_on_request(status, message)

    def _hints_on_request(self, status: int, message: str) -> Iterator[str]:
        if "logprob" in message:
            yield f"--top-logprobs asks for {self._alternatives} alternatives"
        elif not self._chat and ("chat model" in message or "chat/completions" in message):
            yield "--chat asks a model that was made to answer"
        elif self._chat and ("chat template" in message or "chat model" in message or "support chat" in message):
            yield "leave out --chat for a model that was not made to answer"
        elif self._chat and ("continue_final_message" in message or "prefill" in message):
            yield _CANNOT_CONTINUE
        elif self._model is None and _NEEDS_MODEL.search(message):
            yield f"--remote-model NAME says which{self._models()}"
        elif status == 404 or "exist" in message or "not found" in message:
            if not self._server.path.endswith("/v1"):
                yield "--endpoint is the URL that /completions comes after, which mostly ends in /v1"
            if self._model is not None:
                yield f"--remote-model {self._model}{self._models()}"

    def _models(self) -> str:
        """The names of the server's models as the end of a message, if it lists them."""
        try:
            response = self._server.request("/models", retries=0, within=_HINT_SECONDS)
            listed = _parsed_json(response.url, self._server.redacted(response.body))["data"]
            names = [str(entry["id"])[:_MAX_SHOWN] for entry in listed]
        except (InputError, LookupError, TypeError):
            return ""
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        return f"; the server has {', '.join(names[:_MAX_NAMES])}{more}" if names else ""


def _server_token(label: str) -> _ServerToken:
    r"""The token of a name in a server's list.

    >>> _server_token(" Paris"), _server_token("<0xE2><0x80>").piece, _server_token("</s>").piece
    (_ServerToken(label=' Paris', piece=b' Paris', ends=False), b'\xe2\x80', b'')
    """
    if label in ENDS:
        return _ServerToken(label, b"", ends=True)
    piece = bytes.fromhex(re.sub("[<>]|0x", "", label)) if _BYTES.fullmatch(label) else label.encode()
    return _ServerToken(label, piece, ends=False)


def _merge_labels(block: Block) -> Block:
    """The block with all tokens of a label merged into one, with the sum of their probabilities. A server may list a
    token several times, and several that have no text."""
    partial, labels = block.partial, block.labels
    if partial is None or labels is None:
        return block
    places = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    indices = np.array([places[label] for label in labels])
    known = ~partial.unknown
    logits = np.full(len(places), -np.inf)
    np.logaddexp.at(logits, indices[known], partial.logprobs[known])
    logprobs = np.where(np.isin(np.arange(len(places)), indices[known]), logits, np.nan)
    # The number of unlisted tokens stays the same.
    fewer = int(known.sum() - (~np.isnan(logprobs)).sum())
    classes = None if partial.classes is None else partial.classes - fewer
    merged = replace(partial, logprobs=logprobs, index=int(indices[partial.index]), classes=classes)
    return replace(block, logits=logits[np.newaxis], labels=tuple(places), partial=merged)


def _parsed_json(where: str, body: bytes | str) -> Any:
    if not body.strip():
        raise InputError(f"{where}: the answer is empty")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: the answer is not JSON: it begins {_quoted_start(body)}") from None


def _quoted_start(body: bytes | str) -> str:
    begins = body[: 9 * _MAX_SHOWN]
    text = " ".join((begins if isinstance(begins, str) else begins.decode(errors="replace")).split())
    return repr(shortened(text, _MAX_SHOWN))


def _value_at(value: Any, *path: str | int) -> Any:
    """The value at a path of names and indices in a JSON value; None if there is none."""
    with contextlib.suppress(LookupError, TypeError):
        for key in path:
            value = value[key]
        return value
    return None


def _error_message(place: str, body: str) -> str:
    """The error message in a response."""
    try:
        value = _parsed_json(place, body)
        if api_responses.is_response(value):
            next(api_responses.blocks(value, ReadOptions(place), place, 0), None)
    except InputError as error:
        return str(error)
    return f"{place}: the server answered {_quoted_start(body)}"
