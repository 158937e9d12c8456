"""A model on a server with OpenAI's API.

tsoft requests one token after each text, with the log-probabilities of its most probable alternatives. Only these
listed alternatives are known.

tsoft uses two requests of platform.openai.com/docs/api-reference: `POST /completions` continues a text, and `POST
/chat/completions` answers a message. Requests contain only OpenAI's fields, because OpenAI rejects others, with the
exception of two fields that mark a partial answer. OpenAI cannot continue a partial answer; vLLM, SGLang and llama.cpp
(its pull request 23012) need the two fields; and Ollama continues without them if the model's template allows it. A
template may also strip the blanks at the end of a partial answer.

Servers report the end of a text in different ways:

- llama.cpp and vLLM list the probability of the end token among the others. vLLM writes its name, and an empty text for
  a part of a character; llama.cpp writes an empty text for every control token. `server_tokens` distinguishes these.
- llama-cpp-python and Ollama return no token and no probability if they sample the end token, and OpenAI may do the
  same. With another seed, they may sample another token and then list all probabilities, so tsoft repeats the request.
  tsoft also repeats it if llama.cpp samples a part of a character, for which it lists no probability.

llama-cpp-python returns an empty text for a part of a character, too, which looks like the end, unless it was drawn. It
also closes a partial answer and begins another one, so its chat is right for the first token only. Only its token count
shows this.

Each request contains the whole text, and the server splits the text into tokens again. The result may differ from the
sampled tokens: two line breaks may become one token.

Responses are an input format: `input.api_responses` reads them.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.errors import InputError, UsageError
from tsoft.input import api_responses
from tsoft.input.read_options import ReadOptions
from tsoft.models.daemon_threads import in_daemon_threads
from tsoft.models.echoed_text import NO_ECHO, Echo, EchoedToken, EchoError, TokenPlace, agree, echo_of, listed_names
from tsoft.models.http import MAX_CONNECTIONS, Server, UnansweredError
from tsoft.models.model import encoded_prompt
from tsoft.models.response_choice import ResponseChoice, first_choice
from tsoft.models.server_errors import CANNOT_CONTINUE, ServerErrors, parsed_json, value_at
from tsoft.models.server_tokens import ONLY_IDS, ServerNames, ServerToken, are_in_byte_alphabet, ids_in, of_reasoning
from tsoft.models.token_limit import TokenLimit
from tsoft.models.tokens import NextDistribution, Tokens

# The maximum number of cached responses, for going back in the explorer and for texts with the same beginning.
CACHE_SIZE = 4096
# The maximum number of requests to a server that samples the end of a text and lists no probabilities with it.
ATTEMPTS = 4
# If the probability of the end were lower, as many samples would all be the end in less than 5 % of cases.
_ALWAYS_ENDS = (
    f"the server ended the text {ATTEMPTS} times and listed no probabilities, so tsoft takes the end as certain;"
    f" its probability is at least {0.05 ** (1 / ATTEMPTS):.2g} (95 % confidence)"
)
# Above this log-probability of a token, a server may have no alternatives to list.
_NEARLY_SURE = -1e-3
# A server may split a text into a few more tokens than it sampled. A template adds more than that between two answers.
_EXTRA_TOKENS = 2
# A shorter key is no secret, such as the "none" of a local server, and may be a part of the text.
_MIN_SECRET = 8
# The number of tokens at the end of a text that `echoed` compares with another request.
_CHECKED = 3


@dataclass(frozen=True)
class _Request:
    """The body of a request, as JSON. In a chat, also the prompt and the number of tokens of the answer so far."""

    body: str
    prompt: str = field(default="", compare=False)
    answer_tokens: int = field(default=0, compare=False)


@dataclass(frozen=True, eq=False)
class _Response:
    """The first token of a response, with its alternatives. `prompt_tokens` is the number of tokens before it; None if
    the server does not count them. `caveat` is a note to the user; empty if there is nothing to note."""

    block: Block
    choice: ResponseChoice
    prompt_tokens: int | None = None
    caveat: str = ""


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
        self._tokens: list[ServerToken] = []
        self._token_numbers: dict[ServerToken, int] = {}
        self._cache: dict[_Request, NextDistribution] = {}
        self._prompt_lengths: dict[str, int] = {}
        self._names = ServerNames()
        self._limit = TokenLimit()

    def prompt(self, text: str) -> Tokens:
        """Return the text as one token. Raise UsageError if it is empty or not Unicode."""
        if not text:
            raise UsageError("the prompt is empty; pass a text that the server can continue")
        return (self._token_number(ServerToken(text, encoded_prompt(text))),)

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token adds to a text. Raise InputError if the server did not return them."""
        found = self._tokens[token]
        if found.problem:
            raise InputError(f"{self._server.url(self._path)}: {found.problem} (token {found.label!r})")
        return found.piece

    def label(self, token: int) -> str:
        """Return the name of a token on the server."""
        return self._tokens[token].label

    def ends(self, token: int) -> bool:
        """Return whether a token ends a text."""
        return self._tokens[token].ends

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """Return the server's distributions of its most probable alternatives after the texts."""
        requests = [self._request(text) for text in texts]
        distinct = dict.fromkeys(requests)
        missing = [request for request in distinct if request not in self._cache]
        # Move the responses of this call to the end of the cache, so that the oldest ones are removed.
        distributions = {request: self._cache.pop(request) for request in distinct if request in self._cache}
        responses = in_daemon_threads(self._requested, missing, MAX_CONNECTIONS)
        distributions |= zip(missing, map(self._distribution, responses), strict=True)
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
        try:
            names = listed_names(answer, whole)
            if ids_in(names, answer):
                raise EchoError(ONLY_IDS)
            self._names.is_in_bytes |= are_in_byte_alphabet(names)
            echo = echo_of(self._names.texts(names), value_at(answer, "usage"), prompt, text)
        except EchoError as error:
            raise InputError(f"{response.url}: {error}") from None
        read = list(api_responses.blocks(answer, ReadOptions(response.url), response.url, 0))
        # The reader skips a first token without a distribution.
        blocks: list[Block | None] = [*[None] * (len(names) - len(read)), *read]
        encoded = whole.encode()
        tokens = [
            self._echoed_token(name, block, place, encoded)
            for name, block, place in zip(names[echo.first :], blocks[echo.first :], echo.places, strict=False)
        ]
        if any(token.distribution is None for token in tokens[1:]):
            raise InputError(f"{response.url}: {NO_ECHO}")
        self._check_echo(response.url, tokens, echo, encoded)
        return tokens

    def _echoed_token(self, name: str, block: Block | None, place: TokenPlace, text: bytes) -> EchoedToken:
        """Return a token of a text, with the server's number of the drawn token."""
        [label] = self._names.labels([name])
        token = self._token_number(ServerToken(label, text[place.start : place.stop]))
        if block is None:
            return EchoedToken(token, place.start)
        assert block.partial
        index, block = block.partial.index, self._named(block)
        numbers = np.array([self._token_number(self._names.token(label)) for label in block.labels or ()])
        numbers[index] = token
        return EchoedToken(token, place.start, NextDistribution(block, numbers), index)

    def _check_echo(self, where: str, tokens: Sequence[EchoedToken], echo: Echo, text: bytes) -> None:
        """Raise InputError if the distributions in an echo are not those before their tokens.

        llama-cpp-python shifts them by one token for a model that begins a text without a token of its own. So compare
        the last ones with requests for the token after the text before it. If the server splits that text into another
        number of tokens, the comparison proves nothing.
        """
        boundaries = [
            (echo.first + i + echo.unlisted, token.distribution.block, text[: token.start].decode())
            for i, (token, place) in enumerate(zip(tokens, echo.places, strict=True))
            if token.distribution and place.start and place.is_certain and text[place.start] & 0xC0 != 0x80
        ][-_CHECKED:]
        checks = [self._request(self.prompt(before)) for _, _, before in boundaries]
        responses = in_daemon_threads(self._requested, checks, MAX_CONNECTIONS)
        compared = [
            agree(listed, self._named(response.block))
            for (count, listed, _), response in zip(boundaries, responses, strict=True)
            if response.prompt_tokens in (None, count)
        ]
        if not all(compared):
            problem = "the log-probabilities of the prompt are not those of its tokens, but of other positions"
            raise InputError(f"{where}: {problem}; score with --model FILE.gguf, or with another server")
        if boundaries and not compared:
            raise InputError(f"{where}: the server splits each part of the text into other tokens than the text itself")

    def close(self) -> None:
        """Close the connections to the server."""
        self._server.close()

    def _token_number(self, token: ServerToken) -> int:
        if token not in self._token_numbers:
            self._token_numbers[token] = len(self._tokens)
            self._tokens.append(token)
        return self._token_numbers[token]

    def _named(self, block: Block) -> Block:
        """Return a block with the texts of its tokens as labels."""
        return replace(block, labels=self._names.labels(block.labels or ()))

    def _distribution(self, response: _Response) -> NextDistribution:
        """Return the distribution over the labels of the tokens, each with its number."""
        merged = _merge_labels(self._named(response.block))
        drawn = None if merged.partial is None else merged.partial.index
        tokens = [
            self._names.token(label, response.choice if i == drawn else None)
            for i, label in enumerate(merged.labels or ())
        ]
        if field := response.choice.reasoning:
            tokens = [of_reasoning(token, field) for token in tokens]
        return NextDistribution(
            merged, np.array(list(map(self._token_number, tokens))), response.caveat or self._names.caveat
        )

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

    def _requested(self, request: _Request) -> _Response:
        """Return the first token of a response, after as many requests as necessary."""
        for attempt in range(ATTEMPTS):
            fields = json.loads(request.body) | ({"seed": attempt} if attempt else {})
            try:
                response = self._limit.request(self._server, self._path, fields)
            except UnansweredError as error:
                raise self._errors.unanswered(error) from None
            if not 200 <= response.status < 300:
                raise self._errors.refusal(response)
            answer = parsed_json(response.url, self._server.redacted(response.body, min_length=_MIN_SECRET))
            try:
                block = self._first_token(response.url, answer)
            except InputError:
                # Read it again without any key, which the error may contain.
                answer = parsed_json(response.url, self._server.redacted(response.body))
                block = self._first_token(response.url, answer)
            choice = first_choice(answer) or ResponseChoice({})
            if block is not None:
                assert block.partial
                assert block.labels
                self._names.learn(block.labels, block.partial.index, choice, answer)
                self._check_continues(request, response.url, answer)
                count = value_at(answer, "usage", "prompt_tokens")
                return _Response(block, choice, count if type(count) is int else None)
        if choice.is_end:
            certain = PartialDistribution(np.zeros(1), 0, np.inf)
            block = Block(np.zeros((1, 1)), ("",), 0, Origin("logprob", labels_vary=True), partial=certain)
            return _Response(block, choice, caveat=_ALWAYS_ENDS)
        problem = f"{ATTEMPTS} responses had no token, no log-probability, and no end of the text"
        hint = (
            "; the model may begin with a reasoning that the server hides" if choice.finish_reason == "length" else ""
        )
        raise InputError(f"{response.url}: {problem} (finish_reason: {choice.finish_reason}){hint}")

    def _first_token(self, where: str, value: Any) -> Block | None:
        """Return the first token of a response; None if the response has no token, as at the end of a text."""
        if problem := self._errors.problem(value):
            raise InputError(f"{where}: {problem}")
        if isinstance(value, dict) and value.get("choices") == []:
            raise InputError(f"{where}: the response has no choices")
        choice = first_choice(value)
        if choice and not choice.has_tokens:
            if choice.silence:
                raise InputError(f"{where}: {choice.silence}")
            # A part of a character does not count as text.
            if not choice.text.replace("\ufffd", ""):
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
