"""The temperature at which a partly listed distribution reaches a probability is inside the range."""

import json
import math

import numpy as np
import pytest

import tsoft
from tool import TESTS, here
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.partial_solve import top_prob_range

CHAT = str(TESTS / "data" / "openai-chat.json")


def test_the_solution_of_the_whole_distribution_is_inside_the_range() -> None:
    random = np.random.default_rng(7)
    widths = []
    for _ in range(20):
        logs = tsoft.log_softmax(random.normal(0, random.uniform(0.5, 3), int(random.integers(3, 40))))
        listed = (-logs).argsort()[: random.integers(1, len(logs))]
        partial = PartialDistribution(
            logs[listed], 0, float(logs[listed].min()), classes=len(logs) if random.random() < 0.7 else None
        )
        prob = random.uniform(1.01 / len(logs), 0.99)
        tau = float(tsoft.solve(logs, top_prob=prob).tau)
        found = top_prob_range(partial, 0, prob)
        assert found.low <= tau * (1 + 1e-9)
        assert tau <= found.high * (1 + 1e-9)
        widths.append(found.high / max(found.low, 1e-9))
    # Everything from 0 to inf would be right, too.
    assert np.median(widths) < 2


def test_the_ends_reach_the_probability() -> None:
    partial = PartialDistribution(np.log([0.5, 0.3]), 0, math.log(0.3), classes=4)
    found = top_prob_range(partial, 0, 0.6)
    low, high = np.exp(partial.log_bounds(np.array([found.low, found.high])))
    assert low[0, 0] == pytest.approx(0.6, rel=1e-9)
    assert high[1, 0] == pytest.approx(0.6, rel=1e-9)


def test_a_probability_out_of_reach_has_a_reason() -> None:
    partial = PartialDistribution(np.log([0.5, 0.3]), 0, math.log(0.3), classes=4)
    assert top_prob_range(partial, 0, 0.2).reason == "the top class's probability is at least 0.25"
    tied = PartialDistribution(np.log([0.4, 0.4]), 0, math.log(0.4), classes=4)
    assert str(top_prob_range(tied, 0, 0.9).reason).startswith("the top class's probability is at most 0.5")
    assert top_prob_range(partial, 0, 1.0).low == 0


def test_solve_prints_the_range() -> None:
    done = here("solve", "-i", CHAT, "--top-prob", "0.5", "-f", "csv")
    assert done.returncode == 0
    assert "row 0: τ is between two bounds" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "row,measure,target,tau_low,tau_high"
    low, high = map(float, lines[-8].split(",")[-2:])
    assert 0.5 < low < high < 0.7
    tsv = here("solve", "-i", CHAT, "--top-prob", "0.5").stdout.splitlines()[-8]
    assert list(map(float, tsv.split("\t")[-2:])) == [low, high]
    record = json.loads(here("solve", "-i", CHAT, "--prob", "The=0.5", "-f", "jsonl").stdout.splitlines()[0])
    assert (record["tau_low"], record["tau_high"]) == (low, high)


def test_solve_has_no_bounds_on_other_measures_and_tokens() -> None:
    for target in (["--entropy", "1"], ["--prob", "Paris=0.1"]):
        done = here("solve", "-i", CHAT, *target)
        assert (done.returncode, done.stdout) == (2, "")
        assert "pass --listed-only" in done.stderr
