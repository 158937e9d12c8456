"""A model on a server with OpenAI's API.

tsoft requests one token after each text, with the log-probabilities of its most probable alternatives. Only these
listed alternatives are known.

tsoft uses two requests of platform.openai.com/docs/api-reference: `POST /completions` continues a text, and `POST
/chat/completions` answers a message. Requests contain only OpenAI's fields, because OpenAI rejects others, with the
exception of two fields that mark a partial answer. OpenAI cannot continue a partial answer; vLLM, SGLang and llama.cpp
(its pull request 23012) need the two fields; and Ollama continues without them if the model's template allows it. A
template may also strip the blanks at the end of a partial answer.

Servers report the end of a text in different ways:

- llama.cpp and vLLM list the probability of the end token among the others. vLLM writes its name; llama.cpp writes an
  empty text, as for every control token.
- llama-cpp-python and Ollama return no token and no probability if they sample the end token, and OpenAI may do the
  same. With another seed, they may sample another token and then list all probabilities, so tsoft repeats the request.
  tsoft also repeats it if llama.cpp samples a part of a character, for which it lists no probability.

llama-cpp-python returns an empty text for a part of a character, too, which looks like the end. It also closes a
partial answer and begins another one, so its chat is right for the first token only. Only its token count shows this.

Each request contains the whole text, and the server splits the text into tokens again. The result may differ from the
sampled tokens: two line breaks may become one token.

Responses are an input format: `input.api_responses` reads them.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.errors import InputError, UsageError
from tsoft.input import api_responses
from tsoft.input.read_options import ReadOptions
from tsoft.models.echoed_text import EchoedToken, agree, echo_in
from tsoft.models.http import Server, in_threads
from tsoft.models.model import encoded_prompt
from tsoft.models.server_errors import CANNOT_CONTINUE, ServerErrors, parsed_json, value_at
from tsoft.models.tokens import NextDistribution, Tokens

# The maximum number of cached responses, for going back in the explorer and for texts with the same beginning.
CACHE_SIZE = 4096
# The maximum number of requests to a server that samples the end of a text and lists no probabilities with it.
ATTEMPTS = 4
# The names of end tokens in the models that llama.cpp supports (src/llama-vocab.cpp). llama.cpp itself writes an
# empty text.
ENDS = {"", "</s>", "<eos>", "[EOS]", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>"}
ENDS |= {"<|eom_id|>", "<end_of_turn>", "<turn|>", "<EOT>", "[EOT]", "<|EOT|>", "<|eot|>", "<|return|>", "<|call|>"}
ENDS |= {"<end_of_utterance>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>"}
_BYTES = re.compile("(?:<0x[0-9A-F]{2}>)+")
# Names in place of the texts of tokens: vLLM's, and what tsoft writes if a response has only ids.
_VLLM_ID, _ID = re.compile(r"token_id:\d+"), re.compile(r"#\d+")
_ONLY_IDS = (
    "the server returns the ids of tokens without their texts, so tsoft cannot continue the text;"
    " start vLLM without --return-tokens-as-token-ids, or use mlx-lm 0.29 or later"
)
# Above this log-probability of a token, a server may have no alternatives to list.
_NEARLY_SURE = -1e-3
# A server may split a text into a few more tokens than it sampled. A template adds more than that between two answers.
_EXTRA_TOKENS = 2
# A shorter key is no secret, such as the "none" of a local server, and may be a part of the text.
_MIN_SECRET = 8
_NO_ECHO = "the server does not return the log-probabilities of a prompt (echo with logprobs), as vLLM does"
# The number of tokens at the end of a text that `echoed` compares with another request.
_CHECKED = 3


@dataclass(frozen=True)
class _ServerToken:
    """A token of a server: its name, the bytes that it adds to a text, None if they are unknown, and whether it ends
    the text."""

    label: str
    piece: bytes | None
    ends: bool


@dataclass(frozen=True)
class _Request:
    """The body of a request, as JSON. In a chat, also the prompt and the number of tokens of the answer so far."""

    body: str
    prompt: str = field(default="", compare=False)
    answer_tokens: int = field(default=0, compare=False)


class Endpoint:
    """A model on a server.

    The key is read from OPENAI_API_KEY. A text whose last token is a part of a character cannot be sent unchanged: the
    part is sent as U+FFFD.

    >>> Endpoint("http://localhost:8080/v1", None, chat=False, alternatives=20, timeout=60).name
    'localhost:8080'
    """

    vocab_size: int | None = None
    context_length: int | None = None
    # A server does not return the tokens of a prompt.
    has_prompt_tokens = False

    def __init__(self, url: str, model: str | None, *, chat: bool, alternatives: int, timeout: float):
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        self._server = Server(url, key, timeout)
        self._model, self._chat, self._alternatives = model, chat, alternatives
        self._path = "/chat/completions" if chat else "/completions"
        self.name = model or self._server.host
        self._errors = ServerErrors(self._server, model, chat=chat, alternatives=alternatives, has_key=bool(key))
        self._tokens: list[_ServerToken] = []
        self._token_numbers: dict[_ServerToken, int] = {}
        self._cache: dict[_Request, NextDistribution] = {}
        self._prompt_lengths: dict[str, int] = {}
        # The names that are ids.
        self._ids: set[str] = set()

    def prompt(self, text: str) -> Tokens:
        """Return the text as one token. Raise UsageError if it is empty or not Unicode."""
        if not text:
            raise UsageError("the prompt is empty; pass a text that the server can continue")
        return (self._token_number(_ServerToken(text, encoded_prompt(text), ends=False)),)

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token adds to a text. Raise InputError if the server returned only the token's id."""
        piece = self._tokens[token].piece
        if piece is None:
            raise InputError(f"{self._server.url(self._path)}: {_ONLY_IDS}")
        return piece

    def label(self, token: int) -> str:
        """Return the name of a token on the server."""
        return self._tokens[token].label

    def ends(self, token: int) -> bool:
        """Return whether a token ends a text: its name is that of an end token, or empty."""
        return self._tokens[token].ends

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """Return the server's distributions of its most probable alternatives after the texts."""
        requests = [self._request(text) for text in texts]
        distinct = dict.fromkeys(requests)
        missing = [request for request in distinct if request not in self._cache]
        # Move the responses of this call to the end of the cache, so that the oldest ones are removed.
        distributions = {request: self._cache.pop(request) for request in distinct if request in self._cache}
        distributions |= zip(missing, map(self._distribution, in_threads(self._requested, missing)), strict=True)
        self._cache |= distributions
        for request in list(self._cache)[:-CACHE_SIZE]:
            del self._cache[request]
        return [distributions[request] for request in requests]

    def echoed(self, prompt: str, text: str) -> list[EchoedToken]:
        """Return the tokens of a text after a prompt, in which each has the server's distribution before it.

        A token that spans the end of the prompt belongs to the text. Without a prompt, nothing precedes the first
        token, so its distribution means nothing. Raise InputError if the server does not return the log-probabilities
        of a prompt.
        """
        whole = prompt + text
        encoded_prompt(whole)
        fields: dict[str, Any] = {} if self._model is None else {"model": self._model}
        fields |= {"prompt": whole, "max_tokens": 1, "temperature": 1, "stream": False, "echo": True}
        response = self._server.request(self._path, json.dumps(fields | {"logprobs": self._alternatives}).encode())
        if not 200 <= response.status < 300:
            raise self._errors.refusal(response)
        answer = parsed_json(response.url, self._server.redacted(response.body, min_length=_MIN_SECRET))
        echo = echo_in(answer, whole)
        if echo is None:
            raise InputError(f"{response.url}: {_NO_ECHO}")
        if _ids_in(echo.tokens, answer):
            raise InputError(f"{response.url}: {_ONLY_IDS}")
        read = list(api_responses.blocks(answer, ReadOptions(response.url), response.url, 0))
        # The reader skips a first token without a distribution.
        blocks: list[Block | None] = [*[None] * (len(echo.tokens) - len(read)), *read]
        starts = echo.starts(whole)
        ends = [*starts[1:], len(whole)]
        tokens = [
            self._echoed_token(echo.tokens[i], block, start)
            for i, (block, start, end) in enumerate(zip(blocks, starts, ends, strict=False))
            if start >= 0 and end > len(prompt)
        ]
        if not tokens or any(token.distribution is None for token in tokens[1:]):
            raise InputError(f"{response.url}: {_NO_ECHO}")
        self._check_echo(response.url, tokens, whole)
        return tokens

    def _echoed_token(self, label: str, block: Block | None, start: int) -> EchoedToken:
        if block is None:
            return EchoedToken(self._token_number(_server_token(label)), start)
        distribution = self._distribution(block)
        assert distribution.block.partial
        index = distribution.block.partial.index
        return EchoedToken(distribution.token(index), start, distribution, index)

    def _check_echo(self, where: str, tokens: Sequence[EchoedToken], text: str) -> None:
        """Raise InputError if the distributions in an echo are not those before their tokens.

        llama-cpp-python shifts them by one token for a model that begins a text without a token of its own. So compare
        the last ones with requests for the token after the text before it, which the server may split differently.
        """
        checked = [(token.start, token.distribution) for token in tokens if token.start > 0 and token.distribution]
        requested = self.next([self.prompt(text[:start]) for start, _ in checked[-_CHECKED:]])
        if checked and not any(map(agree, (listed for _, listed in checked[-_CHECKED:]), requested)):
            problem = "the log-probabilities of the prompt are not those of its tokens, but of other positions"
            raise InputError(f"{where}: {problem}; score with --model FILE.gguf, or with another server")

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
        tokens = [
            _ServerToken(label, None, ends=False) if label in self._ids else _server_token(label)
            for label in merged.labels or ()
        ]
        return NextDistribution(merged, np.array(list(map(self._token_number, tokens))))

    def _request(self, text: Tokens) -> _Request:
        """Return the request for the token after a text."""
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
        """Return the block of the next token, after as many requests as necessary."""
        for attempt in range(ATTEMPTS):
            body = request.body if attempt == 0 else json.dumps(json.loads(request.body) | {"seed": attempt})
            response = self._server.request(self._path, body.encode())
            if not 200 <= response.status < 300:
                raise self._errors.refusal(response)
            answer = parsed_json(response.url, self._server.redacted(response.body, min_length=_MIN_SECRET))
            try:
                block = self._first_token(response.url, answer)
            except InputError:
                # Read it again without any key, which the error may contain.
                answer = parsed_json(response.url, self._server.redacted(response.body))
                block = self._first_token(response.url, answer)
            if block is not None:
                self._ids |= _ids_in(block.labels or (), answer)
                self._check_continues(request, response.url, answer)
                return block
        if value_at(answer, "choices", 0, "finish_reason") == "stop":
            # The server samples the end each time, and lists no probabilities with it.
            certain = PartialDistribution(np.zeros(1), 0, np.inf)
            return Block(np.zeros((1, 1)), ("",), 0, Origin("logprob", labels_vary=True), partial=certain)
        raise InputError(
            f"{response.url}: {ATTEMPTS} responses had no token, no log-probability, and no end of the text"
        )

    def _first_token(self, where: str, value: Any) -> Block | None:
        """Return the first token of a response; None if the response has no token, as at the end of a text."""
        choice = value_at(value, "choices", 0)
        if isinstance(value, dict) and value.get("choices") == []:
            raise InputError(f"{where}: the response has no choices")
        lists = ("tokens", "content", "refusal", "top_logprobs")
        has_tokens = any(value_at(choice, "logprobs", key) for key in lists)
        if isinstance(choice, dict) and choice and not has_tokens:
            text = value_at(choice, "message", "content") or value_at(choice, "text") or ""
            # A part of a character does not count as text.
            if not str(text).replace("\ufffd", ""):
                return None
            chat = "" if self._chat else "; with --chat, some servers (such as Ollama) do"
            raise InputError(f"{where}: the server did not return the requested log-probabilities{chat}")
        block = next(api_responses.blocks(value, ReadOptions(where), where, 0))
        if block.partial and block.partial.unknown.all():
            raise InputError(f"{where}: the server returned a token without any known log-probability")
        if self._alternatives > 1 and block.logits.shape == (1, 1) and block.logits[0, 0] < _NEARLY_SURE:
            raise InputError(f"{where}: the server returned only the sampled token, without alternatives")
        return block

    def _check_continues(self, request: _Request, where: str, answer: Any) -> None:
        """Raise InputError if the server begins another answer instead of continuing the partial one.

        If it does, its count of prompt tokens exceeds the tokens so far by those of its template.
        """
        length = value_at(answer, "usage", "prompt_tokens")
        if not request.prompt or not isinstance(length, int) or length <= 0:
            return
        if request.answer_tokens == 0:
            self._prompt_lengths[request.prompt] = length
        if length - self._prompt_lengths.get(request.prompt, length) > request.answer_tokens + _EXTRA_TOKENS:
            raise InputError(f"{where}: {CANNOT_CONTINUE}")


def _server_token(label: str) -> _ServerToken:
    r"""Return the token of a name in a server's list.

    >>> _server_token(" Paris"), _server_token("<0xE2><0x80>").piece, _server_token("</s>").piece
    (_ServerToken(label=' Paris', piece=b' Paris', ends=False), b'\xe2\x80', b'')
    """
    if label in ENDS:
        return _ServerToken(label, b"", ends=True)
    piece = bytes.fromhex(re.sub("[<>]|0x", "", label)) if _BYTES.fullmatch(label) else label.encode()
    return _ServerToken(label, piece, ends=False)


def _ids_in(labels: Sequence[str], answer: Any) -> set[str]:
    """Return the names of tokens that are ids. "#5" may also be the text of a token, which is then in the answer.

    >>> _ids_in(["token_id:5"], {}), _ids_in(["#5"], {"tokens": [5]}), _ids_in(["#5"], {"tokens": ["#5"]})
    ({'token_id:5'}, {'#5'}, set())
    """
    ids = set(filter(_VLLM_ID.fullmatch, labels))
    if others := set(filter(_ID.fullmatch, labels)):
        body = json.dumps(answer)
        ids |= {label for label in others if f'"{label}"' not in body}
    return ids


def _merge_labels(block: Block) -> Block:
    """Return the block with all tokens of the same label merged into one, with the sum of their probabilities.

    A server may list a token several times, and several tokens that have no text.
    """
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
    merged_count = int(known.sum() - (~np.isnan(logprobs)).sum())
    classes = None if partial.classes is None else partial.classes - merged_count
    merged = replace(partial, logprobs=logprobs, index=int(indices[partial.index]), classes=classes)
    return replace(block, logits=logits[np.newaxis], labels=tuple(places), partial=merged)
