"""A server with OpenAI's API as a model: it is asked for one token after each text, with the log-probabilities
of its most probable alternatives, and what it answers is what is known.

Of platform.openai.com/docs/api-reference these are asked: `POST /completions` goes on with a text, and
`POST /chat/completions` answers a message. Only fields that OpenAI knows are sent, since it refuses others, but
for two that say that an answer has begun, which it cannot go on with: vLLM, SGLang and llama.cpp (its pull request
23012) want to be told, and Ollama goes on without, where the model's template lets it. A template may also take away
the blanks at the end of what has begun.

How servers say that a text ends here:

- llama.cpp and vLLM give the sign's probability among the others. vLLM writes its name, llama.cpp nothing, as of
  any sign for the model alone;
- llama-cpp-python and Ollama give no token and no probability where it is drawn, as OpenAI may. Asked with
  another seed they may draw another token, and then give the probabilities of all. The same is done where llama.cpp
  draws a part of a character, for which it gives none.

llama-cpp-python writes nothing for a part of a character, too, so that this looks like the end there; and it
closes an answer that has begun and begins another, so that its chat is good for the first token alone. It does not
say so; its count of tokens does.

Each text is sent whole, and a server makes tokens of it anew, which may be others than those that were drawn: of two
line breaks, one.

A response is a format: the one reader of them, formats.responses, reads these, and so models know formats here.
"""

import json
import os
import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.errors import InputError, UsageError, shortened
from tsoft.input import api_responses
from tsoft.input.read_options import ReadOptions
from tsoft.models.http import AT_ONCE, Answer, Server
from tsoft.models.tokens import Next, Tokens

# What is kept of answers: the explorer goes back, and continuations share their beginnings.
KEPT = 4096
# How often a server is asked that drew the end and gives no probabilities with it.
DRAWS = 4
# Names of signs that end a text, as the models have them that llama.cpp knows (src/llama-vocab.cpp), and its own
# name for any: none.
ENDS = {"", "</s>", "<eos>", "[EOS]", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>"}
ENDS |= {"<|eom_id|>", "<end_of_turn>", "<turn|>", "<EOT>", "[EOT]", "<|EOT|>", "<|eot|>", "<|return|>", "<|call|>"}
ENDS |= {"<end_of_utterance>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>"}
_BYTES = re.compile("(?:<0x[0-9A-F]{2}>)+")
# How a server says that it has several models, or none of that name.
_MODEL_IS_ASKED_FOR = re.compile(
    "model.{0,80}(require|missing|exist|found|provide|specif|must)|(require|missing|provide|specif|must).{0,80}model"
)
# A token beside which there is none worth listing.
_NEARLY_SURE = -1e-3
# A drawn text may be split into some more tokens than were drawn, fewer than the signs between two answers.
_SPLIT = 2
_DOES_NOT_GO_ON = "this server cannot go on with an answer that has begun; leave out --chat"
# How much of what servers say is shown.
_NAMES = 5
_SHOWN = 60
# How long an error waits for the names of the server's models.
_HINT_SECONDS = 3.0


@dataclass(frozen=True)
class _Token:
    """A token, what it adds to a text, and whether it ends it."""

    label: str
    piece: bytes
    ends: bool


@dataclass(frozen=True)
class _Question:
    """What is asked, as JSON; and of a chat the prompt, and how many tokens of its answer there are."""

    body: str
    prompt: str = field(default="", compare=False)
    begun: int = field(default=0, compare=False)


class Endpoint:
    """A server's model. The key is OPENAI_API_KEY's. A text that ends within a character, as of a token that is
    a part of one, cannot be sent as it is: the part is sent as U+FFFD.

    >>> Endpoint("http://localhost:8080/v1", None, chat=False, alternatives=20, timeout=60).name
    'localhost:8080'
    """

    size: int | None = None
    longest: int | None = None

    def __init__(self, url: str, model: str | None, *, chat: bool, alternatives: int, timeout: float):
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        self._has_key = bool(key)
        self._server = Server(url, key, timeout)
        self._model, self._chat, self._alternatives = model, chat, alternatives
        self._path = "/chat/completions" if chat else "/completions"
        self.name = model or self._server.host
        self._tokens: list[_Token] = []
        self._numbers: dict[_Token, int] = {}
        self._answers: dict[_Question, Next] = {}
        self._lengths: dict[str, int] = {}

    def prompt(self, text: str) -> Tokens:
        """The text as one token. Raises UsageError where it is empty, or no text."""
        if not text:
            raise UsageError("the prompt is empty: a server goes on from a text")
        try:
            return (self._number(_Token(text, text.encode(), ends=False)),)
        except UnicodeEncodeError:
            raise UsageError("the prompt is not UTF-8 text") from None

    def piece(self, token: int) -> bytes:
        """What a token adds to a text."""
        return self._tokens[token].piece

    def label(self, token: int) -> str:
        """What the server calls a token."""
        return self._tokens[token].label

    def ends(self, token: int) -> bool:
        """Whether a token ends a text: it has the name of a sign that does, or adds nothing."""
        return self._tokens[token].ends

    def next(self, texts: Sequence[Tokens]) -> list[Next]:
        """What the server gives of the token after each of the texts."""
        questions = [self._question(text) for text in texts]
        asked = dict.fromkeys(questions)
        new = [question for question in asked if question not in self._answers]
        found = dict(zip(new, map(self._numbered, _each(self._asked, new)), strict=True))
        answers = {question: self._answers.pop(question) for question in asked if question in self._answers} | found
        # Those of late come last, so that the first are forgotten.
        self._answers |= answers
        for question in list(self._answers)[:-KEPT]:
            del self._answers[question]
        return [answers[question] for question in questions]

    def close(self) -> None:
        """Ends the connections to the server."""
        self._server.close()

    def _number(self, token: _Token) -> int:
        if token not in self._numbers:
            self._numbers[token] = len(self._tokens)
            self._tokens.append(token)
        return self._numbers[token]

    def _numbered(self, block: Block) -> Next:
        merged = _merged(block)
        return Next(merged, np.array([self._number(_token(label)) for label in merged.labels or ()]))

    def _question(self, text: Tokens) -> _Question:
        """What is asked of the token after a text."""
        pieces = [self.piece(token) for token in text]
        asked: dict[str, Any] = {} if self._model is None else {"model": self._model}
        asked |= {"max_tokens": 1, "temperature": 1, "stream": False}
        if not self._chat:
            whole = b"".join(pieces).decode(errors="replace")
            return _Question(json.dumps(asked | {"prompt": whole, "logprobs": self._alternatives}))
        prompt, answer = pieces[0].decode(), b"".join(pieces[1:]).decode(errors="replace")
        messages = [{"role": "user", "content": prompt}]
        asked |= {"messages": messages, "logprobs": True, "top_logprobs": self._alternatives}
        if answer:
            messages.append({"role": "assistant", "content": answer})
            asked |= {"continue_final_message": True, "add_generation_prompt": False}
        return _Question(json.dumps(asked), prompt, len(pieces) - 1)

    def _asked(self, question: _Question) -> Block:
        """What the server gives of the token that comes next."""
        for draw in range(DRAWS):
            body = question.body if draw == 0 else json.dumps(json.loads(question.body) | {"seed": draw})
            answer = self._server.ask(self._path, body.encode())
            if not 200 <= answer.status < 300:
                raise self._refusal(answer)
            try:
                block = self._block(answer.where, answer.body)
            except InputError:
                # The same of what has no key in it, which this error may repeat.
                block = self._block(answer.where, self._server.scrubbed(answer.body))
            if block is not None:
                self._check_goes_on(question, answer)
                return block
        if _choice(json.loads(answer.body)).get("finish_reason") == "stop":
            return _end()
        raise InputError(f"{answer.where}: no token and no log-probability in {DRAWS} answers, and no end")

    def _block(self, where: str, body: bytes | str) -> Block | None:
        """The first token of an answer; None where it has none, as of a text that ends."""
        value = _value(where, body)
        choice = _choice(value)
        if choice and not _has_tokens(choice):
            if not _text(choice):
                return None
            chat = "" if self._chat else "; with --chat it may, as Ollama does"
            raise InputError(f"{where}: the server gives no log-probabilities, for which it was asked{chat}")
        block = next(api_responses.blocks(value, ReadOptions(where), where, 0))
        if self._alternatives > 1 and block.logits.shape == (1, 1) and block.logits[0, 0] < _NEARLY_SURE:
            raise InputError(f"{where}: the server gives the token that it drew alone, and none of the alternatives")
        return block

    def _check_goes_on(self, question: _Question, answer: Answer) -> None:
        """Raises InputError where the server closes an answer that has begun and begins another, as its count of
        tokens tells: signs of its template have come between, besides what was drawn."""
        length = _length(json.loads(answer.body))
        if length is None or not question.prompt:
            return
        if question.begun == 0:
            self._lengths[question.prompt] = length
        if length - self._lengths.get(question.prompt, length) > question.begun + _SPLIT:
            raise InputError(f"{answer.where}: {_DOES_NOT_GO_ON}")

    def _refusal(self, answer: Answer) -> InputError:
        """What the server said, and what may help."""
        body = self._server.scrubbed(answer.body)
        said = _said(f"{answer.where}: {_status(answer.status)}", body)
        return InputError("; ".join([said, *self._hints(answer, body.lower())]))

    def _hints(self, answer: Answer, said: str) -> Iterator[str]:
        status = answer.status
        if status in (401, 403):
            known = "set, but this server does not take it" if self._has_key else "not set"
            yield f"OPENAI_API_KEY is {known}"
        elif status == 429:
            asked = "" if answer.wait is None else f", and the server asks to wait {answer.wait:g} s"
            yield f"too many requests, or a quota that is used up{asked}"
        elif status in (400, 404, 405, 422, 500, 501):
            yield from self._hints_on_what_was_asked(status, said)

    def _hints_on_what_was_asked(self, status: int, said: str) -> Iterator[str]:
        if "logprob" in said:
            yield f"--top-logprobs asks for {self._alternatives} alternatives"
        elif not self._chat and ("chat model" in said or "chat/completions" in said):
            yield "--chat asks a model that was made to answer"
        elif self._chat and ("chat template" in said or "chat model" in said or "support chat" in said):
            yield "leave out --chat for a model that was not made to answer"
        elif self._chat and ("continue_final_message" in said or "prefill" in said):
            yield _DOES_NOT_GO_ON
        elif self._model is None and _MODEL_IS_ASKED_FOR.search(said):
            yield f"--remote-model NAME says which{self._models()}"
        elif status == 404 or "exist" in said or "not found" in said:
            if not self._server.path.endswith("/v1"):
                yield "--endpoint is the URL that /completions comes after, which mostly ends in /v1"
            if self._model is not None:
                yield f"--remote-model {self._model}{self._models()}"

    def _models(self) -> str:
        """The names of the server's models, for a message, as far as it gives them."""
        try:
            answer = self._server.ask("/models", retries=0, within=_HINT_SECONDS)
            listed = _value(answer.where, self._server.scrubbed(answer.body))["data"]
            names = [str(entry["id"])[:_SHOWN] for entry in listed]
        except (InputError, LookupError, TypeError):
            return ""
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        return f"; the server has {', '.join(names[:_NAMES])}{more}" if names else ""


def _each(ask: Callable[[_Question], Block], questions: Sequence[_Question]) -> list[Block]:
    """The answers to all, some asked at a time. No thread outlives the program, nor is one waited for where another
    has failed, or the user ends it all."""
    waiting, answers = queue.SimpleQueue[int](), queue.SimpleQueue[tuple[int, Block | Exception]]()
    for i in range(len(questions)):
        waiting.put(i)

    def work() -> None:
        while True:
            try:
                i = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                answers.put((i, ask(questions[i])))
            except Exception as error:
                answers.put((i, error))
                return

    for _ in range(min(AT_ONCE, len(questions))):
        threading.Thread(target=work, daemon=True).start()
    found: dict[int, Block] = {}
    while len(found) < len(questions):
        i, answer = answers.get()
        if isinstance(answer, Exception):
            raise answer
        found[i] = answer
    return [found[i] for i in range(len(questions))]


def _token(label: str) -> _Token:
    r"""A token of a server's list, by what it is called there.

    >>> _token(" Paris"), _token("<0xE2><0x80>").piece, _token("</s>").piece
    (_Token(label=' Paris', piece=b' Paris', ends=False), b'\xe2\x80', b'')
    """
    if label in ENDS:
        return _Token(label, b"", ends=True)
    piece = bytes.fromhex(re.sub("[<>]|0x", "", label)) if _BYTES.fullmatch(label) else label.encode()
    return _Token(label, piece, ends=False)


def _merged(block: Block) -> Block:
    """The same, with the tokens of one label as one, which has the probability of all. A server may list a token
    several times, and several that have no text of their own."""
    given, labels = block.partial, block.labels
    if given is None or labels is None:
        return block
    places = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    indices = np.array([places[label] for label in labels])
    known = ~given.unknown
    logits = np.full(len(places), -np.inf)
    np.logaddexp.at(logits, indices[known], given.logprobs[known])
    logprobs = np.where(np.isin(np.arange(len(places)), indices[known]), logits, np.nan)
    # As many as before are missing.
    fewer = int(known.sum() - (~np.isnan(logprobs)).sum())
    classes = None if given.classes is None else given.classes - fewer
    merged = replace(given, logprobs=logprobs, index=int(indices[given.index]), classes=classes)
    return replace(block, logits=logits[np.newaxis], labels=tuple(places), partial=merged)


def _end() -> Block:
    """The end of a text for sure, as far as a server says that draws it again and again."""
    return Block(np.zeros((1, 1)), ("",), 0, True, "logprob", partial=PartialDistribution(np.zeros(1), 0, np.inf))


def _value(where: str, body: bytes | str) -> Any:
    if not body.strip():
        raise InputError(f"{where}: the answer is empty")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: the answer is not JSON: it begins {_beginning(body)}") from None


def _beginning(body: bytes | str) -> str:
    begins = body[: 9 * _SHOWN]
    text = " ".join((begins if isinstance(begins, str) else begins.decode(errors="replace")).split())
    return repr(shortened(text, _SHOWN))


def _choice(value: object) -> dict[str, Any]:
    """What a response of OpenAI's kind holds of the one text; empty where there is none."""
    choices = value.get("choices") if isinstance(value, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _has_tokens(choice: dict[str, Any]) -> bool:
    logprobs = choice.get("logprobs")
    return isinstance(logprobs, dict) and any(logprobs.get(key) for key in ("tokens", "content", "refusal"))


def _text(choice: dict[str, Any]) -> str:
    """The text that was generated, without parts of characters."""
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else choice.get("text")
    return str(text or "").replace("\ufffd", "")


def _length(value: object) -> int | None:
    """How many tokens the server says that the prompt has."""
    usage = value.get("usage") if isinstance(value, dict) else None
    length = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return length if isinstance(length, int) and length > 0 else None


def _said(place: str, body: str) -> str:
    """What a server says is wrong."""
    try:
        value = _value(place, body)
        if api_responses.is_response(value):
            next(api_responses.blocks(value, ReadOptions(place), place, 0), None)
    except InputError as error:
        return str(error)
    return f"{place}: the server answered {_beginning(body)}"


def _status(status: int) -> str:
    """A status of HTTP.

    >>> _status(404), _status(599)
    ('HTTP 404 Not Found', 'HTTP 599')
    """
    return f"HTTP {status} {HTTPStatus(status).phrase}" if status in list(HTTPStatus) else f"HTTP {status}"
