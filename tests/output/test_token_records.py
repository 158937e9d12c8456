"""Commands on an API response with samplers: exact probabilities where the list decides them, and bounds elsewhere."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tool import TESTS, here

DATA = TESTS / "data"
CHAT = str(DATA / "openai-chat.json")
# The first token's alternatives, the most probable first.
FIRST = json.loads((DATA / "openai-chat.json").read_bytes())["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
P = [math.exp(alternative["logprob"]) for alternative in FIRST]
COLUMNS = (
    "row,tau,token,rank,prob,prob_low,prob_high,prob_listed,exact,"
    "entropy,perplexity,top_prob,margin,varentropy,log_sum_exp,entropy_listed,perplexity_listed"
)


def printed(*arguments: str) -> str:
    done = here(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed("compute", "-i", CHAT, "-f", "csv", *arguments))))


def first_record(*arguments: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(printed("compute", "-i", CHAT, "-f", "jsonl", *arguments).splitlines()[0])
    return record


@pytest.mark.parametrize(
    "options", [[], ["--top-k", "3"], ["--tau", "0.5,2", "--top-p", "0.9"], ["--vocab-size", "1000"]]
)
def test_the_columns_never_vary(options: list[str]) -> None:
    assert printed("compute", "-i", CHAT, "-f", "csv", *options).splitlines()[0] == COLUMNS


def test_an_exact_token_has_the_probability_of_the_whole_distribution() -> None:
    """At the temperature of the server, top-p 0.5 keeps the first four: 0.185 + 0.089 + 0.078 < 0.4 <= 0.455."""
    assert sum(P[:4]) < 0.41 < sum(P[:5])
    row = lines("--top-p", "0.41")[0]
    assert (row["token"], row["rank"], row["exact"]) == ("The", "1", "true")
    assert float(row["prob"]) == pytest.approx(P[0] / sum(P[:5]), rel=1e-6)
    assert row["prob"] == row["prob_low"] == row["prob_high"] == row["prob_listed"]
    entropy = -sum(p / sum(P[:5]) * math.log(p / sum(P[:5])) for p in P[:5])
    assert float(row["entropy"]) == pytest.approx(entropy, rel=1e-6)


def test_a_token_with_bounds_has_no_probability_and_no_measures() -> None:
    row = lines("--tau", "1.5", "--top-p", "0.9")[0]
    assert [row[name] for name in ("exact", "prob", "entropy", "margin")] == ["false", "", "", ""]
    assert float(row["prob_low"]) <= float(row["prob_high"])
    assert float(row["entropy_listed"]) > 0


def test_long_has_a_line_per_alternative() -> None:
    rows = [row for row in lines("--long", "--top-k", "2") if row["row"] == "0"]
    assert [row["token"] for row in rows] == [alternative["token"] for alternative in FIRST]
    assert [row["rank"] for row in rows] == [str(i + 1) for i in range(len(FIRST))]
    assert [float(row["prob"]) for row in rows[:3]] == pytest.approx([P[0] / (P[0] + P[1]), P[1] / (P[0] + P[1]), 0])
    assert [row["chosen"] for row in rows].count("true") == 1


def test_json_states_whether_the_result_is_exact() -> None:
    exact, bounded = first_record("--top-k", "2"), first_record("--tau", "2", "--top-p", "0.9")
    assert (exact["exact"], exact["kept"], exact["undecided"]) == (True, 2, 0)
    assert exact["probs"] == exact["probs_low"] == exact["probs_high"]
    assert (bounded["exact"], bounded["probs"], bounded["entropy"]) == (False, None, None)


def test_steps_count_undecided_tokens() -> None:
    steps = first_record("--tau", "0.7", "--top-p", "0.6", "--explain")["steps"]
    assert [step["sampler"] for step in steps] == ["temperature", "top_p"]
    assert [(step["kept"], step["undecided"], step["unlisted_may_remain"]) for step in steps] == [
        (20, 0, True),
        (3, 1, False),
    ]


def test_engines_differ_only_where_both_are_known() -> None:
    """transformers and vLLM keep ties with the twentieth token, so unlisted tokens may remain; mlx-lm keeps exactly
    twenty."""
    done = [first_record("--top-k", "20", "--like", name) for name in ("transformers", "mlx-lm")]
    assert [record["exact"] for record in done] == [False, True]
    table = printed(
        "compute", "-i", CHAT, "--rows", "1", "--top-k", "20", "--like", "transformers,mlx-lm", "-f", "table"
    )
    assert "?: unknown, because the response does not determine both distributions" in " ".join(table.split())


def test_sample_draws_only_from_exact_distributions() -> None:
    assert set(printed("sample", "-i", CHAT, "--top-k", "1", "-n", "5", "--seed", "1").splitlines()[:5]) == {"The"}
    done = here("sample", "-i", CHAT, "--top-p", "0.9", "--tau", "2")
    assert (done.returncode, done.stdout) == (2, "")
    assert "row 0, τ = 2: the distribution depends on tokens that the response does not list" in done.stderr
    assert len(printed("sample", "-i", CHAT, "--listed-only", "--seed", "1").splitlines()) == 8


def test_listed_only_takes_the_listed_tokens_for_the_whole_distribution() -> None:
    record = first_record("--listed-only", "--typical-p", "0.5", "--tau", "1")
    assert record["exact"] is True
    assert first_record("--listed-only")["probs"] == pytest.approx([p / sum(P) for p in P])
    done = here("compute", "2", "1", "--listed-only")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--listed-only works only with an API response" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["sweep", "--mean"], ["sweep", "--measure", "entropy"], ["solve", "--entropy", "1"]]
)
def test_a_number_that_needs_the_whole_distribution_is_an_error(arguments: list[str]) -> None:
    done = here(*arguments, "-i", CHAT, "-f", "tsv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pass --listed-only" in done.stderr
    assert here(*arguments, "-i", CHAT, "-f", "tsv", "--listed-only").returncode == 0


def test_a_requested_measure_has_one_column_although_tokens_have_different_alternatives() -> None:
    text = printed("sweep", "-i", CHAT, "--tau", "1", "--top-k", "2", "--measure", "top-prob", "-f", "csv")
    assert text.splitlines()[0] == "row,tau,top_prob"
    assert float(text.splitlines()[1].split(",")[-1]) == pytest.approx(P[0] / (P[0] + P[1]))


def test_a_sampler_that_needs_every_logit_names_the_reason() -> None:
    done = here("compute", "-i", CHAT, "--typical-p", "0.5")
    assert (done.returncode, done.stdout) == (2, "")
    assert "row 0: typ_p 0.5 needs every logit, but the response lists only some of them; remove" in done.stderr


def test_a_bias_needs_a_listed_token() -> None:
    done = here("compute", "-i", CHAT, "--logit-bias", "The=1")
    assert done.returncode == 2
    assert "row 1: the response does not list 'The', so a bias cannot be added; remove the bias" in done.stderr
    first = {"token": "The", "logprob": FIRST[0]["logprob"], "top_logprobs": FIRST}
    response = json.dumps({"choices": [{"index": 0, "logprobs": {"content": [first]}}]})
    record = json.loads(here("compute", "-f", "jsonl", "--logit-bias", "The=1", "--top-k", "2", stdin=response).stdout)
    assert record["probs"][0] == pytest.approx(math.e * P[0] / (math.e * P[0] + P[1]))


def test_tsv_has_a_note_that_it_contains_listed_tokens_alone() -> None:
    inexact, exact = here("compute", "-i", CHAT), here("compute", "-i", CHAT, "--top-k", "3")
    assert "note: tsv contains the probabilities among the listed tokens alone" in inexact.stderr
    assert "tsv contains" not in exact.stderr


def test_an_array_of_listed_tokens_alone_says_so(tmp_path: Path) -> None:
    first = {"token": "The", "logprob": FIRST[0]["logprob"], "top_logprobs": FIRST}
    response = json.dumps({"choices": [{"index": 0, "logprobs": {"content": [first]}}]})
    for options, name in (([], "probs_listed"), (["--log"], "log_probs_listed"), (["--top-k", "2"], "probs")):
        path = tmp_path / "x.npz"
        assert here("compute", *options, "-o", str(path), stdin=response).returncode == 0
        with np.load(path) as archive:
            assert name in archive.files
