"""The requests of an audit to a server with OpenAI's API.

What two servers do, as these requests show (with SmolLM2):

- llama.cpp of October 2026 lists any number of tokens, with log-probabilities before its samplers, also in chats. A
  request that sets no cutoff has top_k 40, top_p 0.95 and min_p 0.05. It refuses `n` above the number of its slots, and
  gives the choices of a request different seeds. A prompt in its cache may have another distribution than a new one:
  on a processor with AMX, the log-probability of the most probable token changed by up to 2.5.
- llama-cpp-python 0.3.36 lists any number of tokens, before its samplers, but keyed by text: of 1000 tokens, 978 had
  different texts. Its defaults are the same cutoffs. It ignores `n`.
- Both apply seed, logit_bias, min_p and top_k.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tsoft.errors import InputError
from tsoft.features.audit.server.probes import REFUSALS, Probe, ProbeAnswer, Purpose
from tsoft.input.json_values import Object
from tsoft.models.daemon_threads import as_completed
from tsoft.models.http import Server
from tsoft.models.server_errors import ServerErrors, parsed_json
from tsoft.models.token_limit import TokenLimit

# A shorter key is no secret, such as the "none" of a local server, and may be a part of the text.
_MIN_SECRET = 8
# The fields of a choice that the findings use.
_CHOICE_FIELDS = ("index", "text", "logprobs", "finish_reason")


@dataclass(frozen=True, eq=False)
class PlannedProbe:
    """A probe to send: the index of its prompt, and the fields of the request that are not the same in all probes."""

    purpose: Purpose
    prompt: int
    fields: Object


class ProbeClient:
    """A client that sends probes, at most `jobs` at a time. It reads the key from OPENAI_API_KEY.

    Raise UsageError for an invalid URL or key.
    """

    def __init__(self, url: str, model: str | None, *, chat: bool, timeout: float, jobs: int):
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        self._server = Server(url, key, timeout, connections=jobs)
        self._model, self.chat, self._jobs = model, chat, jobs
        self._has_key = bool(key)
        self._limit = TokenLimit()
        self._path = "/chat/completions" if chat else "/completions"

    @property
    def host(self) -> str:
        """The host name of the server, for messages and the probes file."""
        return self._server.host

    def alternatives(self, count: int) -> Object:
        """Return the fields that request the log-probabilities of this number of tokens."""
        return {"logprobs": True, "top_logprobs": count} if self.chat else {"logprobs": count}

    def send(self, prompts: Sequence[str], planned: Sequence[PlannedProbe]) -> Iterator[tuple[int, Probe]]:
        """Yield the index of each planned probe, and the probe with its answer, as they arrive.

        A refusal is an answer. Raise InputError for any other failure.
        """
        return as_completed(lambda probe: self._sent(prompts[probe.prompt], probe), planned, self._jobs)

    def refusal(self, probe: Probe) -> InputError:
        """Return the error for a refusal that leaves nothing to audit, with hints."""
        return InputError(f"{self._server.url(self._path)}: {probe.answer.error}")

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _sent(self, prompt: str, planned: PlannedProbe) -> Probe:
        body = self._body(prompt, planned.fields)
        response = self._limit.request(self._server, self._path, body)
        body = self._limit.named(body)
        errors = ServerErrors(
            self._server, self._model, chat=self.chat, alternatives=_count(planned.fields), has_key=self._has_key
        )
        if response.status in REFUSALS:
            answer = ProbeAnswer(response.status, error=errors.message(response))
            return Probe(planned.purpose, planned.prompt, body, answer, response.url)
        if not 200 <= response.status < 300:
            raise errors.refusal(response)
        if problem := errors.problem(parsed_json(response.url, self._server.redacted(response.body))):
            raise InputError(f"{response.url}: {problem}")
        text = self._server.redacted(response.body, min_length=_MIN_SECRET)
        choices = _choices(parsed_json(response.url, text), response.url)
        probe = Probe(planned.purpose, planned.prompt, body, ProbeAnswer(response.status, tuple(choices)), response.url)
        # A response that cannot be read is an error here, rather than when the findings are made.
        assert probe.tokens
        return probe

    def _body(self, prompt: str, fields: Object) -> Object:
        text = {"messages": [{"role": "user", "content": prompt}]} if self.chat else {"prompt": prompt}
        model = {} if self._model is None else {"model": self._model}
        return model | text | {"max_tokens": 1, "stream": False} | fields


def _count(fields: Object) -> int:
    """Return the number of log-probabilities that a request asks for."""
    return int(fields.get("top_logprobs", fields.get("logprobs", 0)) or 0)


def _choices(value: Any, where: str) -> list[Object]:
    """Return what the findings use of the choices of a response."""
    listed = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not listed or not all(isinstance(choice, dict) for choice in listed):
        raise InputError(f"{where}: the response has no choices; --endpoint needs a server with OpenAI's API")
    return [_reduced(choice) for choice in listed]


def _reduced(choice: Object) -> Object:
    kept = {name: choice[name] for name in _CHOICE_FIELDS if name in choice}
    message = choice.get("message")
    if not isinstance(message, dict):
        return kept
    others = {name: value for name, value in message.items() if value and name != "role"}
    return kept | {"message": {"content": None} | others}
