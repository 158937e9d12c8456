"""The audit of a live server, with simulated servers whose samplers are hidden, ignored or refused."""

import contextlib
import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving import Reply, Request, Served, serving
from tool import here
from tsoft.core.softmax import Array
from tsoft.errors import InputError, UsageError
from tsoft.features.audit.findings import Finding, Verdict
from tsoft.features.audit.requested import Requested
from tsoft.features.audit.server.first_tokens import FirstToken, first_token
from tsoft.features.audit.server.listed_rows import ListedRows
from tsoft.features.audit.server.live_audit import probe_server
from tsoft.features.audit.server.probe_file import is_probes, probes_json, read_probes
from tsoft.features.audit.server.probe_options import ProbeOptions
from tsoft.features.audit.server.probe_plan import probe_budget
from tsoft.features.audit.server.probes import Purpose, ServerProbes
from tsoft.features.audit.server.prompts import COMPLETION_PROMPTS
from tsoft.features.audit.server.request_settings import RequestSettings, requested_settings
from tsoft.features.audit.server.server_findings import ServerAudit, probed_evidence
from tsoft.models import http

KEY = "sk-test-3141592653589793"
WORDS = [f" w{i}" for i in range(60)]
CONFIRMED, CONTRADICTED, INCONCLUSIVE, NOTED = Verdict
PROMPTS = ["One", "Two", "Three"]
# Few draws are fast, and enough for this relative error of the temperature. Some tests need next to none.
TOLERANCE = 0.8
FEW = {"requests": 10}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the key and the proxies from the environment, and do not wait between retries."""
    for name in ("openai_api_key", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(http, "BACKOFF", 0.0)


@dataclass
class Simulated:
    """A server with a random distribution for each prompt.

    `hidden` replaces fields of the requests, and `ignored` fields have no effect. A request with a `refused` field is
    an error. Log-probabilities come `after` none, the temperature, the cutoffs, or both. It lists at most `most`
    tokens, or refuses to list more if it `refuses_more`. A request may have `choices` choices; None ignores `n`, and
    `same_choices` are copies. `moves` is added to the logit of one token in every other request.
    """

    hidden: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    most: int = 1000
    refuses_more: bool = False
    choices: int | None = 4
    same_choices: bool = False
    fixed_seed: int | None = None
    keyed: bool = False
    noise: float = 0.0
    moves: float = 0.0
    words: list[str] = field(default_factory=lambda: WORDS)
    dies_after: int | None = None
    count: int = 0

    def reply(self, request: Request) -> Reply:
        with lock:
            self.count += 1
            count = self.count
        if self.dies_after is not None and count > self.dies_after:
            return Reply(ends_at_once=True)
        for name in self.refused:
            if name in request.body:
                return refusal(f"Unrecognized request argument: {name}; your key is {KEY}")
        body = {name: value for name, value in request.body.items() if name not in self.ignored} | self.hidden
        size = body.get("top_logprobs", body.get("logprobs", 0)) or 0
        if size > self.most and self.refuses_more:
            return refusal(f"logprobs must be at most {self.most}")
        number = body.get("n", 1)
        if self.choices is not None and number > self.choices:
            return refusal(f"n must be at most {self.choices}")
        seed = self.fixed_seed if self.fixed_seed is not None else body.get("seed", 1_000_000 + count)
        rng = np.random.default_rng(seed)
        is_chat = "messages" in body
        prompt = body["messages"][0]["content"] if is_chat else body["prompt"]
        logits = self.logits(prompt, body, count)
        probs = sampled(logits, body, ("temperature", "cutoffs"))
        shown = sampled(logits, body, self.after)
        drawn = [int(rng.choice(len(probs), p=probs)) for _ in range(1 if self.choices is None else number)]
        drawn = drawn[:1] * len(drawn) if self.same_choices else drawn
        listed = min(size, self.most)
        return Reply({"choices": [self.choice(i, token, shown, listed, is_chat) for i, token in enumerate(drawn)]})

    def logits(self, prompt: str, body: dict[str, Any], count: int) -> Array:
        logits: Array = np.random.default_rng(list(prompt.encode())).normal(0, 2.5, len(self.words))
        if self.noise:
            logits += np.random.default_rng(count).uniform(-self.noise, self.noise, len(logits))
        logits[0] += self.moves * (count % 2)
        for token, bias in body.get("logit_bias", {}).items():
            # The vocabulary is smaller than that of a model.
            logits[int(token) // 1000] += bias
        return logits

    def choice(self, index: int, token: int, shown: Array, size: int, is_chat: bool) -> dict[str, Any]:
        with np.errstate(divide="ignore"):
            logprobs = np.log(shown)
        best = [int(i) for i in (-shown).argsort(kind="stable")[:size] if shown[i] > 0]
        text = self.words[token]
        choice: dict[str, Any] = {"index": index, "finish_reason": "length"}
        choice |= {"message": {"content": text.strip()}} if is_chat else {"text": text}
        numbers = {i: max(float(logprobs[i]), -9999.0) for i in [*best, token]}
        if self.keyed and size:
            top = {self.words[i]: numbers[i] for i in [*best, token]}
            return choice | {"logprobs": {"tokens": [text], "token_logprobs": [numbers[token]], "top_logprobs": [top]}}
        if size:
            tops = [{"token": self.words[i], "id": i, "logprob": numbers[i]} for i in best]
            entry = {"token": text, "id": token, "logprob": numbers[token], "top_logprobs": tops}
            choice["logprobs"] = {"content": [entry]}
        return choice


lock = threading.Lock()


def sampled(logits: Array, body: dict[str, Any], steps: tuple[str, ...]) -> Array:
    """Return the probabilities after some steps of the samplers."""
    tau = body.get("temperature", 1.0) if "temperature" in steps else 1.0
    if tau == 0:
        return np.where(np.arange(len(logits)) == logits.argmax(), 1.0, 0.0)
    weights = np.exp((logits - logits.max()) / tau)
    probs: Array = weights / weights.sum()
    if "cutoffs" in steps:
        order = (-probs).argsort(kind="stable")
        kept = np.ones(len(probs), bool)
        if 0 < body.get("top_k", 0) < len(probs):
            kept[order[int(body["top_k"]) :]] = False
        before = np.cumsum(probs[order]) - probs[order]
        kept[order[before >= body.get("top_p", 1.0)]] = False
        kept &= probs >= body.get("min_p", 0.0) * probs.max()
        probs = np.where(kept, probs, 0.0)
        probs = probs / probs.sum()
    return probs


def refusal(message: str) -> Reply:
    return Reply({"error": {"message": message}}, status=400)


def wanted(**values: float) -> Requested:
    """Return the settings that the user asks for: a temperature, 1 by default, and cutoffs."""
    order = ("temperature", *(name for name in ("top_k", "top_p", "min_p") if name in values))
    return requested_settings(RequestSettings({"temperature": 1.0} | values, order), "")


@contextlib.contextmanager
def in_memory(server: Simulated) -> Iterator[Served]:
    """Reply without HTTP, which takes most of the time of an audit."""

    def request(self: http.Server, path: str, body: bytes | None = None, **_: Any) -> http.HttpResponse:
        reply = server.reply(Request("POST", path, {}, json.loads(body or b"null")))
        return http.HttpResponse(self.url(path), reply.status, json.dumps(reply.body).encode())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http.Server, "request", request)
        yield Served("http://127.0.0.1:8080/v1")


def probed(
    server: Simulated,
    is_clear: Callable[[ServerProbes], bool] = lambda _: False,
    *,
    chat: bool = False,
    over_http: bool = False,
    **requested: Any,
) -> ServerProbes:
    """Return the probes of a simulated server, with the settings that the user requested."""
    # One request at a time, so that the same seeds give the same draws.
    options = {"requests": 80, "jobs": 1, "yes": True, "chat": chat, "prompt": PROMPTS} | requested.pop("options", {})
    with serving(server.reply) if over_http else in_memory(server) as served:
        return probe_server(ProbeOptions(endpoint=served.url, **options), wanted(**requested), requested, 1, is_clear)


def audited(server: Simulated, **requested: Any) -> dict[str, Finding]:
    """Return the findings on a simulated server, by name."""
    return findings_of(probed(server, **requested))


def findings_of(probes: ServerProbes, level: float = 0.01) -> dict[str, Finding]:
    report = ServerAudit(probes, requested_settings(probes.settings, ""), level, TOLERANCE).report
    assert len({finding.name for finding in report.findings}) == len(report.findings)
    return {finding.name: finding for finding in report.findings}


def tau_of(finding: Finding) -> float:
    """Return the temperature in "0.7 (0.65 to 0.76)"."""
    return float(finding.found.split()[0])


def contains(finding: Finding, tau: float) -> bool:
    """Return whether a temperature is in the interval of the finding, which does not contradict it."""
    assert finding.low is not None
    assert finding.high is not None
    return finding.verdict != CONTRADICTED and finding.low < tau < finding.high


def verdicts(found: dict[str, Finding]) -> dict[str, Verdict]:
    return {name: finding.verdict for name, finding in found.items()}


@pytest.mark.parametrize("chat", [False, True])
def test_honest_server(chat: bool, capsys: pytest.CaptureFixture[str]) -> None:
    found = audited(Simulated(), chat=chat, over_http=chat, temperature=0.8)
    names = ["logprobs", "logprobs_kind", "noise", "temperature_0", "tau", "top_k", "top_p", "min_p"]
    names += ["other_cutoffs", "fit"]
    names += ["seed", "logit_bias", "min_p_support", "top_k_support"]
    assert list(found) == names
    decided = {"temperature_0": CONFIRMED, "tau": CONFIRMED, "fit": CONFIRMED}
    # Some hundreds of draws more would decide.
    assert found.pop("other_cutoffs").verdict in (CONFIRMED, INCONCLUSIVE)
    assert verdicts(found) == dict.fromkeys(found, NOTED) | decided
    assert (found["logprobs"].requested, found["logprobs"].found) == ("up to 1000 tokens", "60 tokens")
    assert found["logprobs_kind"].found == "raw"
    assert found["seed"].found == "applied: 6 of 6 seeds"
    assert found["logit_bias"].found == found["min_p_support"].found == found["top_k_support"].found == "applied"
    assert "tsoft: note: the audit sends up to " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (("temperature",), "tempered"),
        (("cutoffs",), "truncated"),
        (("temperature", "cutoffs"), "tempered and truncated"),
    ],
)
def test_kind_of_logprobs(after: tuple[str, ...], kind: str) -> None:
    """Whatever the kind, the draws at 0.6 come from the log-probabilities at 1."""
    found = audited(Simulated(after=after), temperature=0.6, top_p=0.9, options={"requests": 120})
    assert found["logprobs_kind"].found == kind
    assert found["tau"].verdict == CONFIRMED
    assert tau_of(found["tau"]) == pytest.approx(0.6, rel=0.25)


def test_noise_of_a_server() -> None:
    found = audited(Simulated(noise=0.01), options=FEW)
    assert found["logprobs_kind"].found == "raw"
    # Two logits differ by at most 0.02, and so do the logarithms of the sums.
    assert 0.01 < float(found["noise"].found.removeprefix("± ")) < 0.04
    assert found["temperature_0"].verdict == CONFIRMED


def test_hidden_temperature() -> None:
    found = audited(Simulated(hidden={"temperature": 1.4}), temperature=0.7)
    assert found["temperature_0"].verdict == found["tau"].verdict == CONTRADICTED
    assert tau_of(found["tau"]) == pytest.approx(1.4, rel=0.25)


def test_logprobs_after_a_fixed_temperature_prove_nothing() -> None:
    """The draws agree with log-probabilities at the same temperature, whatever it is."""
    found = audited(Simulated(hidden={"temperature": 1.4}, after=("temperature",)))
    assert found["temperature_0"].verdict == CONTRADICTED
    assert found["tau"].verdict == INCONCLUSIVE
    assert "do not change with the temperature" in found["tau"].reason


def test_temperature_0_that_is_not_greedy() -> None:
    class Warm(Simulated):
        def reply(self, request: Request) -> Reply:
            if request.body["temperature"] == 0:
                request.body["temperature"] = 1.0
            return super().reply(request)

    found = audited(Warm(), temperature=0.6)
    assert (found["temperature_0"].verdict, found["tau"].verdict) == (CONTRADICTED, CONFIRMED)


def test_temperature_0_of_a_model_that_is_certain() -> None:
    """Draws at any temperature would be the most probable token."""

    class Certain(Simulated):
        def logits(self, prompt: str, body: dict[str, Any], count: int) -> Array:
            logits = super().logits(prompt, body, count)
            logits[3] += 40
            return logits

    found = audited(Certain(), options=FEW)
    assert found["temperature_0"].verdict == INCONCLUSIVE
    assert found["seed"].found.startswith("unknown")
    assert found["min_p_support"].found == found["top_k_support"].found == "unknown"


@pytest.mark.parametrize(("text", "finish"), [(None, "length"), ("", "content_filter"), ("", None)])
def test_answers_without_a_list_or_a_text_are_no_other_tokens(text: str | None, finish: str | None) -> None:
    """A text alone is compared with the list of its prompt, and an empty answer does not count."""

    class Sparse(Simulated):
        def choice(self, index: int, token: int, shown: Array, size: int, is_chat: bool) -> dict[str, Any]:
            choice = super().choice(index, token, shown, size, is_chat)
            if self.count % 4 == 0:
                choice |= {"logprobs": None, "finish_reason": finish} | ({} if text is None else {"text": text})
            return choice

    found = audited(Sparse(), top_k=20, min_p=0.01, options={"requests": 40})
    assert CONTRADICTED not in verdicts(found).values()
    assert found["seed"].found.startswith("applied")
    assert found["top_k_support"].found == found["min_p_support"].found == "applied"
    assert ("empty_answers" in found) == ("unknown" in found["temperature_0"].found) == (text is not None)


def test_empty_answers_leave_a_requested_cutoff_open() -> None:
    class Filtered(Simulated):
        def reply(self, request: Request) -> Reply:
            reply = super().reply(request)
            if {"top_k", "seed"} & request.body.keys() or request.body["temperature"] == 0:
                empty = {"text": "", "finish_reason": "content_filter"}
                return Reply({"choices": [empty | {"index": 0}]})
            return reply

    found = audited(Filtered(), top_k=20, options=FEW)
    assert CONTRADICTED not in verdicts(found).values()
    assert (found["temperature_0"].found, found["temperature_0"].verdict) == ("unknown", INCONCLUSIVE)
    assert "seed" not in found


def test_ignored_cutoff_at_temperature_1() -> None:
    """Among unlisted tokens of an unlimited number, any share of the probability would be possible above 1."""
    found = audited(Simulated(ignored=("top_p",)), top_p=0.5)
    assert found["top_p"].verdict == CONTRADICTED
    assert "draws are outside it" in found["top_p"].reason
    assert found["tau"].verdict == CONFIRMED


def test_server_without_logprobs() -> None:
    found = audited(Simulated(most=0), options=FEW)
    assert (found["logprobs"].found, found["logprobs"].verdict) == ("none", INCONCLUSIVE)
    assert (found["temperature_0"].found, found["temperature_0"].verdict) == ("always the same token", INCONCLUSIVE)
    assert found["seed"].found == "applied: 6 of 6 seeds"
    assert found["top_k_support"].found == "applied"
    assert "tau" not in found


@pytest.mark.parametrize("refuses_more", [False, True])
def test_server_with_few_logprobs(refuses_more: bool) -> None:
    found = audited(Simulated(most=5, refuses_more=refuses_more), options={"requests": 40})
    assert found["logprobs"].found == "5 tokens"
    assert found["logprobs_kind"].found == "raw"
    assert contains(found["tau"], 1.0)


def test_reason_of_an_unknown_kind_is_what_was_found() -> None:
    class Hollow(Simulated):
        def choice(self, index: int, token: int, shown: Array, size: int, is_chat: bool) -> dict[str, Any]:
            choice = super().choice(index, token, shown, size, is_chat)
            for entry in choice.get("logprobs", {}).get("content", []):
                entry["top_logprobs"] = entry["top_logprobs"] if self.count % 2 else []
            return choice

    for server, reason in ((Hollow(), "too few tokens"), (Simulated(noise=1.0), "equal requests differ by ± ")):
        finding = audited(server, options=FEW)["logprobs_kind"]
        assert (finding.found, finding.reason[: len(reason)]) == ("unknown", reason)


def test_server_with_one_logprob() -> None:
    assert audited(Simulated(most=1), options=FEW)["logprobs"].found == "1 token"


@pytest.mark.parametrize(("noise", "found"), [(2.0, ("unknown", "not reproducible")), (0.0, ("ignored",))])
def test_noise_does_not_show_that_a_seed_is_ignored(noise: float, found: tuple[str, ...]) -> None:
    class Unseeded(Simulated):
        def reply(self, request: Request) -> Reply:
            if not self.noise:
                request.body.pop("seed", None)
            return super().reply(request)

    seed = audited(Unseeded(noise=noise), options=FEW)["seed"]
    assert seed.found.split(":")[0] in found
    assert (seed.reason == "") == (noise == 0)


def test_server_that_refuses_logprobs_without_an_answer() -> None:
    """mlx-lm closes the connection if a request asks for more than 11."""

    class Closing(Simulated):
        def reply(self, request: Request) -> Reply:
            if request.body.get("logprobs", 0) > 11:
                raise http.UnansweredError("the server closed the connection")
            return super().reply(request)

    assert audited(Closing(), options=FEW)["logprobs"].found == "5 tokens"


def test_reasoning_with_log_probabilities_is_the_answer() -> None:
    """DeepSeek writes the lists of a reasoning next to an empty one."""
    logprobs = {"content": None, "reasoning_content": [TOPS[0] | {"top_logprobs": TOPS}]}
    message = {"content": "", "reasoning_content": " a"}
    token = first_token({"message": message, "logprobs": logprobs, "finish_reason": "length"}, "URL")
    assert (token.label, token.size) == (" a", 5)


def test_error_in_a_response_ends_the_audit() -> None:
    with (
        pytest.raises(InputError, match="the server returned an error: idle timeout"),
        serving(Reply({"choices": [{"error": {"message": "idle timeout"}, "message": {"content": ""}}]})) as served,
    ):
        probe_server(ProbeOptions(endpoint=served.url, yes=True), wanted(), {}, 1, lambda _: False)


def test_server_that_refuses_logprobs() -> None:
    found = audited(Simulated(refused=("logprobs",)), options=FEW)
    assert found["logprobs"].found == "none"


@pytest.mark.parametrize(("choices", "number"), [(8, 8), (4, 4), (None, 1)])
def test_choices_per_request(choices: int | None, number: int) -> None:
    probes = probed(Simulated(choices=choices), options={"requests": 16})
    draws = [probe for probe in probes.probes if probe.purpose == Purpose.DRAW]
    assert {len(probe.tokens) for probe in draws} == {number}
    assert {probe.request.get("n", 1) for probe in draws} == {number}
    assert len(draws) * number == 16
    # The prompts take turns.
    assert [probe.prompt for probe in draws] == [i % 3 for i in range(len(draws))]
    seeds = [probe.request["seed"] for probe in probes.probes if "seed" in probe.request]
    assert Counter(Counter(seeds).values()).keys() == {1, 2}


def test_copied_choices_are_not_requested() -> None:
    probes = probed(Simulated(same_choices=True), options=FEW)
    assert {len(draw.tokens) for draw in probes.answered(Purpose.DRAW)} == {1}


def test_dependent_choices() -> None:
    """Choices that are copies only in the draws count once."""

    class Copying(Simulated):
        def reply(self, request: Request) -> Reply:
            self.same_choices = request.body["temperature"] == 1
            return super().reply(request)

    found = audited(Copying())
    assert found["choices"].found == "dependent"
    assert found["choices"].p_value is not None
    assert found["choices"].p_value <= 0.001
    assert contains(found["tau"], 1.0)


def test_fixed_seed() -> None:
    found = audited(Simulated(fixed_seed=5), options={"requests": 60})
    assert (found["draws"].found, found["draws"].verdict) == ("the same each time", CONTRADICTED)
    assert found["seed"].found.startswith("unknown")
    assert "tau" not in found


def test_ignored_fields() -> None:
    found = audited(Simulated(ignored=("seed", "logit_bias", "min_p", "top_k")), min_p=0.05, options=FEW)
    assert found["seed"].found.startswith("ignored")
    assert found["logit_bias"].found == "ignored"
    assert found["min_p_support"].found.startswith("ignored")
    assert (found["min_p_support"].verdict, found["top_k_support"].verdict) == (CONTRADICTED, NOTED)


def test_refused_fields() -> None:
    """A refused setting is contradicted if the user requested it; the other settings are audited all the same."""
    probes = probed(Simulated(refused=("seed", "logit_bias", "min_p", "top_k")), top_k=40, top_p=0.95, options=FEW)
    found = findings_of(probes)
    assert (found["top_k_support"].verdict, found["min_p_support"].verdict) == (CONTRADICTED, NOTED)
    # The draws do not test the refused cutoff.
    assert (found["top_k"].verdict, found["top_p"].requested) == (NOTED, "0.95")
    assert {found[name].found for name in ("seed", "logit_bias", "min_p_support")} == {"refused"}
    assert "Unrecognized request argument: top_k" in found["top_k_support"].reason
    for draw in probes.answered(Purpose.DRAW):
        assert draw.request["top_p"] == 0.95
        assert not {"top_k", "seed"} & draw.request.keys()


def test_settings_that_switch_a_cutoff_off_are_sent() -> None:
    """Without them, a request would have the defaults of the server."""
    probes = probed(Simulated(), top_k=0, top_p=1.0, temperature=0.5, options={"requests": 5})
    for draw in probes.answered(Purpose.DRAW):
        assert {name: draw.request[name] for name in ("top_k", "top_p", "temperature")} == {
            "top_k": 0,
            "top_p": 1,
            "temperature": 0.5,
        }


def test_refused_setting_without_a_probe_of_its_own() -> None:
    found = audited(Simulated(refused=("top_p",)), top_p=0.9, options=FEW)
    assert (found["top_p_support"].requested, found["top_p_support"].found) == ("0.9", "refused")
    assert found["top_p_support"].verdict == CONTRADICTED


def test_refused_temperature_0_and_2() -> None:
    class Narrow(Simulated):
        def reply(self, request: Request) -> Reply:
            if not 0 < request.body["temperature"] <= 1:
                return refusal("temperature must be above 0 and at most 1")
            return super().reply(request)

    found = audited(Narrow(), options=FEW)
    assert (found["temperature_0"].found, found["temperature_0"].verdict) == ("refused", NOTED)
    assert found["logprobs_kind"].found == "raw"
    assert found["seed"].found == "applied: 6 of 6 seeds"
    assert found["top_k_support"].found == "applied"


def test_hidden_cutoff_in_the_logprobs() -> None:
    found = audited(Simulated(hidden={"top_k": 9}, after=("cutoffs",)))
    assert (found["logprobs_kind"].found, found["logprobs_kind"].verdict) == ("truncated", CONTRADICTED)
    assert "9 tokens" in found["logprobs_kind"].reason
    assert found["other_cutoffs"].verdict == INCONCLUSIVE
    assert "has already cut the log-probabilities" in found["other_cutoffs"].reason


def test_default_cutoff_in_the_logprobs_is_switched_off() -> None:
    class Default(Simulated):
        def reply(self, request: Request) -> Reply:
            request.body.setdefault("top_k", 9)
            return super().reply(request)

    found = audited(Default(after=("cutoffs",)), options=FEW)
    assert found["logprobs"].found == "60 tokens"
    assert found["logprobs_kind"].verdict == NOTED


def test_distribution_that_changes_between_requests() -> None:
    """The draws from another distribution do not count."""
    found = audited(Simulated(moves=10.0), options={"requests": 40})
    assert found["distribution"].verdict == NOTED
    assert "tsoft uses only the draws from the listed distributions" in found["distribution"].reason
    assert contains(found["tau"], 1.0)


def test_distribution_of_which_only_the_drawn_token_changes() -> None:
    """No other number shows from which distribution a draw comes."""
    found = audited(Simulated(moves=4.0, words=[f" w{i}" for i in range(200)]))
    assert found["tau"].verdict == found["fit"].verdict == INCONCLUSIVE
    assert "the log-probabilities of the draws differ by up to" in found["tau"].reason


@pytest.mark.parametrize(("difference", "is_kept"), [(1.0, False), (8.0, True)])
def test_tokens_with_the_same_text(difference: float, is_kept: bool) -> None:
    """A list keyed by text has the less probable one of two tokens, unless the other one was drawn. The label is a
    class, of the more probable token, if the other one is hardly ever drawn."""

    class Twins(Simulated):
        def logits(self, prompt: str, body: dict[str, Any], count: int) -> Array:
            logits = super().logits(prompt, body, count)
            logits[3] = logits.max() - 0.5
            logits[7] = logits[3] - difference
            return logits

    words = [" twin" if i in (3, 7) else word for i, word in enumerate(WORDS)]
    probes = probed(Twins(keyed=True, words=words), options={"requests": 100})
    evidence = probed_evidence(probes.answered(Purpose.DRAW), ListedRows(probes))
    assert evidence.noise < 0.02
    for row in evidence.rows:
        assert row.block.labels
        assert (" twin" in row.block.labels) == is_kept
        gaps = dict(zip(row.block.labels, (row.logits.max() - row.logits).tolist(), strict=True))
        assert gaps.get(" twin") == (pytest.approx(0.5, abs=1e-3) if is_kept else None)


def test_twins_among_the_most_probable_tokens_are_no_other_distribution() -> None:
    """A short list has the more probable one of two tokens with the same text, and a long list the other one."""

    class Twins(Simulated):
        def logits(self, prompt: str, body: dict[str, Any], count: int) -> Array:
            logits = super().logits(prompt, body, count)
            logits[3] = logits.max() - 0.5
            logits[7] = logits[3] - 8
            return logits

    words = [" twin" if i in (3, 7) else word for i, word in enumerate(WORDS)]
    found = audited(Twins(keyed=True, words=words))
    assert "distribution" not in found
    assert contains(found["tau"], 1.0)


class Undrawn(Simulated):
    """A server that lists only the most probable tokens, and marks the first of them in place of the drawn one."""

    def choice(self, index: int, token: int, shown: Array, size: int, is_chat: bool) -> dict[str, Any]:
        top = int(shown.argmax())
        text = super().choice(index, token, shown, 0, is_chat)
        if self.words[token].startswith("<0x"):
            text["message"]["content"] = "\ufffd"
        return super().choice(index, top, shown, size, is_chat) | text


def test_drawn_token_is_that_of_the_text() -> None:
    """text-generation-webui, and mlx-lm, whose answers lack the blank at their start. A text does not show which part
    of a character was drawn."""
    probes = probed(
        Undrawn(words=[f"<0x{i + 128:X}>" if i % 9 == 0 else word for i, word in enumerate(WORDS)]), chat=True
    )
    found = findings_of(probes)
    assert CONTRADICTED not in verdicts(found).values()
    rows = ListedRows(probes).rows.values()
    assert rows
    assert not any(label.startswith("<0x") for row in rows for label in row.labels or ())


TOPS = [
    {"token": name, "logprob": number}
    for name, number in ((" a", -0.5), ("b", -1.5), ("</s>", -2.0), ("\n", -3), ("<0xE2>", -4))
]


@pytest.mark.parametrize(
    ("text", "finish", "label", "is_text"),
    [
        (" a", "length", " a", False),
        ("a", "length", " a", False),
        ("b", "length", "b", False),
        ("\n", "length", "\n", False),
        ("", "stop", "</s>", False),
        # The list lacks the drawn token.
        ("c", "length", "c", True),
        # The only listed part of a character.
        ("\ufffd", "length", "<0xE2>", False),
        # A part of a character, or of a reasoning.
        ("", "length", " a", False),
        (None, "length", " a", False),
    ],
)
def test_text_shows_the_drawn_token(text: str | None, finish: str, label: str, is_text: bool) -> None:
    logprobs = {"content": [TOPS[0] | {"top_logprobs": TOPS}]}
    for answer in ({"text": text}, {"message": {"content": text}}):
        token = first_token({"logprobs": logprobs, "finish_reason": finish} | answer, "URL")
        assert (token.label, token.is_text) == (label, is_text)
        assert math.isnan(token.gap) == is_text
        assert token.size == 5


def test_label_of_a_text_in_another_list() -> None:
    """The text of an answer may lack its blank."""
    token = FirstToken("a", is_text=True)
    assert [token.label_in(labels) for labels in ([" a", "b"], [" a", "a"], [" a", "a "], ["b"])] == [
        " a",
        "a",
        "a",
        "a",
    ]
    assert FirstToken("a").label_in([" a"]) == "a"


def test_choices_of_other_distributions() -> None:
    """A server may compute the choices of one request apart."""

    class Apart(Simulated):
        def choice(self, index: int, token: int, shown: Array, size: int, is_chat: bool) -> dict[str, Any]:
            others = np.roll(shown, 1) if index % 2 else shown
            return super().choice(index, token, others, size, is_chat)

    found = audited(Apart())
    assert found["distribution"].found == "another in 40 of 80"
    assert contains(found["tau"], 1.0)


def test_stages_stop_when_the_answer_is_clear() -> None:
    looks: list[int] = []

    def is_clear(probes: ServerProbes) -> bool:
        looks.append(sum(len(draw.tokens) for draw in probes.answered(Purpose.DRAW)))
        return len(looks) == 2

    probes = probed(Simulated(), is_clear, options={"requests": 40})
    assert looks == [12, 20]
    assert probes.looks == 3


def test_looks_share_the_level() -> None:
    """The level of a run with three looks has the effect of a third of it in a run with one look."""
    probes = probed(Simulated(hidden={"temperature": 1.3}), options={"requests": 60})
    once = replace(probes, looks=1)
    assert probes.looks == 3
    assert findings_of(probes, 0.03) == findings_of(once, 0.01)


def test_interrupted_audit_reports_what_is_known() -> None:
    def interrupt(_: ServerProbes) -> bool:
        raise KeyboardInterrupt

    probes = probed(Simulated(), interrupt, options={"requests": 40})
    found = findings_of(probes)
    assert probes.ended == "interrupted"
    assert (found["run"].found, found["run"].verdict) == ("incomplete", INCONCLUSIVE)
    assert contains(found["tau"], 1.0)


def test_server_that_dies_midway() -> None:
    probes = probed(Simulated(dies_after=60, choices=None), over_http=True)
    assert "the server closed the connection" in probes.ended
    found = findings_of(probes)
    assert found["run"].reason == probes.ended
    assert found["temperature_0"].verdict == CONFIRMED
    with pytest.raises(InputError, match="the server closed the connection"):
        probed(Simulated(dies_after=0), over_http=True)


def test_key_is_neither_shown_nor_stored(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    probes = probed(Simulated(refused=("top_k",)), top_k=3, options=FEW)
    assert "your key is ***" in findings_of(probes)["top_k_support"].reason
    assert KEY not in json.dumps(probes_json(probes)) + capsys.readouterr().err
    # A token may have the key as its text.
    probes = probed(Simulated(words=[KEY, *WORDS[1:]]), options={"requests": 4})
    text = json.dumps(probes_json(probes))
    assert KEY not in text
    assert "***" in text


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply({"choices": []}), "no choices"),
        (Reply([1]), "no choices"),
        (Reply(b"<html>"), "not JSON"),
        (Reply({"choices": [{"text": "a", "logprobs": {"content": [{"token": 0.5}]}}]}), "expected a string"),
        (Reply({"choices": [{"text": "a", "logprobs": {"content": [{"token": "a", "logprob": 7}]}}]}), "7"),
        (Reply({"error": {"message": "no such model"}}, status=404), "no such model"),
        (Reply({"error": {"message": "pay"}}, status=401), "set OPENAI_API_KEY"),
        (Reply({"error": {"message": "prompt is bad"}}, status=400), "prompt is bad"),
    ],
)
def test_answers_that_end_the_audit(reply: Reply, problem: str) -> None:
    with serving(reply) as served, pytest.raises(InputError, match=problem) as caught:
        probe_server(ProbeOptions(endpoint=served.url, yes=True), wanted(), {}, 1, lambda _: False)
    assert str(caught.value).startswith(served.url.removesuffix("/v1"))


def test_hostile_texts() -> None:
    words = ["\x1b[31m", "[bold]x[/bold]", "", "\ufffd", "\u202eevil", "\n", *WORDS[6:]]
    probes = probed(Simulated(words=words), options={"requests": 40})
    found = findings_of(probes)
    assert contains(found["tau"], 1.0)
    assert findings_of(read_probes(json.loads(json.dumps(probes_json(probes))), "p.json")) == found


# Consent


def test_without_a_terminal_the_audit_needs_yes(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Simulated().reply) as served:
        with pytest.raises(UsageError, match=r"the audit sends up to \d+ requests to 127.0.0.1.*pass --yes to agree"):
            probe_server(ProbeOptions(endpoint=served.url), wanted(), {}, 1, lambda _: False)
        assert served.requests == []


def test_budget_is_an_upper_bound() -> None:
    for server in (Simulated(), Simulated(choices=None), Simulated(most=5, refuses_more=True, refused=("top_k",))):
        probes = probed(server, options={"requests": 9}, top_k=3)
        budget = probe_budget(probes.prompts, 9, 2, chat=False)
        assert len(probes.probes) <= budget.requests
        # The choices of the last draws may exceed the number of draws.
        assert sum(len(probe.tokens) for probe in probes.probes) <= budget.generated


def test_prompts() -> None:
    # Without log-probabilities, there are no draws.
    server = Simulated(most=0)
    assert probed(server, options={"prompt": None}).prompts == COMPLETION_PROMPTS
    probes = probed(server, options={"prompt": ["One", "Two", "One"]})
    assert probes.prompts == ("One", "Two")
    assert {probe.request["prompt"] for probe in probes.probes} == {"One", "Two"}
    with pytest.raises(UsageError, match="the prompt is empty"):
        probed(server, options={"prompt": [""]})


# The probes file


def test_file_gives_the_same_findings() -> None:
    probes = probed(
        Simulated(after=("temperature", "cutoffs"), refused=("min_p",)),
        temperature=0.7,
        min_p=0.1,
        options={"requests": 40},
    )
    text = json.dumps(probes_json(probes), allow_nan=False)
    value = json.loads(text)
    assert is_probes(value)
    assert value["tsoft_audit"] == 1
    assert findings_of(read_probes(value, "p.json")) == findings_of(probes)


def test_without_a_request_the_file_of_a_server_is_only_noted() -> None:
    probes = replace(probed(Simulated(hidden={"top_k": 5})), settings=RequestSettings({}))
    report = ServerAudit(probes, requested_settings(probes.settings, "")).report
    found = verdicts({finding.name: finding for finding in report.findings})
    assert (report.verdict, found["temperature_0"], found["fit"]) == (NOTED, CONFIRMED, CONFIRMED)
    assert "other_cutoffs" not in found


PROBE = {
    "purpose": "list",
    "prompt": 0,
    "request": {"temperature": 1},
    "answer": {"status": 200, "error": "", "choices": [{"text": "a"}]},
}
FILE = {
    "tsoft_audit": 1,
    "server": "host",
    "model": "",
    "chat": False,
    "prompts": ["A"],
    "settings": {"temperature": 1},
    "samplers": ["temperature"],
    "engine": "",
    "looks": 3,
    "ended": "",
    "probes": [PROBE],
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"tsoft_audit": 2}, "p.json: tsoft_audit: expected 1, the version of this tsoft, got 2"),
        ({"prompts": [1]}, "p.json: prompt 0: expected a text, got 1"),
        ({"probes": []}, "p.json: the file has no probes; audit the server again"),
        ({"probes": None}, "p.json: probes: missing; expected an array"),
        ({"settings": {"temperature": math.nan}}, "p.json: settings, temperature: expected a number, got NaN"),
        ({"looks": 0}, "p.json: looks: expected a whole number above 0, got 0"),
        ({"probes": [PROBE | {"prompt": 1}]}, "p.json: probe 0, prompt: expected the index of one of 1 prompts, got 1"),
        ({"probes": [PROBE | {"purpose": "x"}]}, 'p.json: probe 0, purpose: unknown purpose "x"'),
        ({"probes": [PROBE | {"answer": 1}]}, "p.json: probe 0, answer: expected an object, got 1"),
        (
            {"probes": [PROBE | {"answer": {"status": 200, "error": "", "choices": []}}]},
            "p.json: probe 0, answer: the response has no choices",
        ),
    ],
)
def test_bad_files(change: dict[str, Any], problem: str) -> None:
    assert read_probes(FILE, "p.json").prompts == ("A",)
    with pytest.raises(InputError) as caught:
        read_probes(FILE | change, "p.json")
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("top_n_sigma", "cannot test top_n_sigma: that needs every logit"),
        ("xtc_probability", "cannot test xtc: it tests cutoffs that keep the most probable classes"),
    ],
)
def test_samplers_that_an_audit_of_a_server_cannot_test(tmp_path: Path, name: str, problem: str) -> None:
    sampler = {"top_n_sigma": "top_n_sigma", "xtc_probability": "xtc"}[name]
    changed = {"settings": {"temperature": 1, name: 0.5}, "samplers": ["temperature", sampler]}
    (tmp_path / "p.json").write_text(json.dumps(FILE | changed))
    done = here("audit", "-i", f"{tmp_path}/p.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert problem in done.stderr
    # It is refused before any request.
    with serving(Reply(status=500)) as served:
        option = f"--{name.replace('_', '-')}"
        done = here("audit", "--endpoint", served.url, option, "0.5", "--yes")
        assert (done.returncode, done.stdout, served.requests) == (2, "", [])
    assert problem in done.stderr
