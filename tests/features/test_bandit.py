"""`tsoft bandit`: exploration against a plain loop, exact expectations and closed forms."""

import csv
import functools
import io
import itertools
import json
import math
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import each_case
from progress import progress_screen
from tool import here, here_on_terminal, in_terminal, out
from tsoft.core.schedules import TemperatureSchedule
from tsoft.core.softmax import Array
from tsoft.features.bandit import command, simulation
from tsoft.features.bandit.simulation import (
    BanditStep,
    Rewards,
    RunAverages,
    bernoulli,
    draw_arms,
    gaussian,
    history,
    play,
)

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
INF = float("inf")
# A z-test at this bound fails by chance once in 15 000 times; its seed is fixed.
Z = 4.0


def explored(
    means: list[float], taus: list[float], runs: int, rewards: Rewards = bernoulli, seed: int = 1
) -> tuple[list[BanditStep], RunAverages]:
    steps = list(play(np.array(means), np.array(taus), runs, rewards, np.random.default_rng(seed)))
    return steps, history(steps, np.array(means))


def policy(estimates: list[float], tau: float) -> list[float]:
    """Return the softmax of a few numbers, computed one by one."""
    highest = max(estimates)
    if tau == 0:
        weights = [float(q == highest) for q in estimates]
    elif tau == INF:
        weights = [1.0] * len(estimates)
    else:
        weights = [math.exp((q - highest) / tau) for q in estimates]
    return [weight / math.fsum(weights) for weight in weights]


def one_run(means: list[float], taus: list[float], uniform: list[float], reward: list[float], kind: str) -> list[int]:
    """Return the arms that a single run pulls, computed in a loop from its random numbers."""
    totals, pulls, arms = [0.0] * len(means), [0] * len(means), []
    for tau, u, r in zip(taus, uniform, reward, strict=True):
        estimates = [total / count if count else 0.0 for total, count in zip(totals, pulls, strict=True)]
        arm = sum(total <= u for total in itertools.accumulate(policy(estimates, tau)))
        arms.append(arm)
        totals[arm] += means[arm] + r if kind == "gaussian" else float(r < means[arm])
        pulls[arm] += 1
    return arms


@pytest.mark.parametrize("kind", ["gaussian", "bernoulli"])
@given(
    means=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    taus=st.lists(st.sampled_from([0.02, 0.1, 0.5, 1, 3, INF]), min_size=1, max_size=40),
    runs=st.integers(1, 8),
    seed=st.integers(0, 2**64 - 1),
)
def test_each_run_agrees_with_a_plain_loop(
    kind: str, means: list[float], taus: list[float], runs: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    rewards = generator.standard_normal if kind == "gaussian" else generator.random
    numbers = np.array([[generator.random(runs), rewards(runs)] for _ in taus])
    steps, _ = explored(means, taus, runs, gaussian(1.0) if kind == "gaussian" else bernoulli, seed)
    for r in range(runs):
        uniform, reward = numbers[:, :, r].T.tolist()
        assert [step.arms[r] for step in steps] == one_run(means, taus, uniform, reward, kind)


def test_greedy_runs_agree_with_a_plain_loop() -> None:
    """Sums and means of these rewards are exact, so both computations have the same ties."""
    means, taus = [0.0, 1.0, 1.0, 0.0], [0.0] * 30
    generator = np.random.default_rng(3)
    numbers = np.array([[generator.random(50), generator.random(50)] for _ in taus])
    steps, _ = explored(means, taus, 50, seed=3)
    for r in range(50):
        uniform, reward = numbers[:, :, r].T.tolist()
        assert [step.arms[r] for step in steps] == one_run(means, taus, uniform, reward, "bernoulli")


def test_the_regret_at_infinity_is_that_of_random_pulls() -> None:
    """The pulls are independent and uniform, so the regret has a known mean and a known variance."""
    means, steps, runs = [1.0, 0.9, 0.5, -2.0], 100, 2000
    _, observed = explored(means, [INF] * steps, runs, gaussian(1.0))
    gaps = [1.0 - mean for mean in means]
    mean, variance = np.mean(gaps), np.var(gaps)
    k = np.arange(1, steps + 1)
    errors = np.sqrt(k * variance / runs)
    assert abs(observed.regret[-1] - steps * mean) < Z * errors[-1]
    # The reported standard error is an estimate from the runs.
    assert observed.regret_se == pytest.approx(errors, rel=Z / math.sqrt(runs) * 1.5)
    assert observed.probs == pytest.approx(np.full((steps, 4), 0.25))
    share = observed.best_share.mean()
    assert abs(share - 0.25) < Z * math.sqrt(0.25 * 0.75 / (steps * runs))


def exact_fixed(means: list[float], taus: list[float]) -> tuple[Array, Array]:
    """Return the expected regret up to each step, and the probabilities of the arms at each step, for constant rewards.

    The state of a run is then the set of arms that it has tried.
    """
    states = {frozenset[int](): 1.0}
    probs, regret = [], [0.0]
    for tau in taus:
        following: dict[frozenset[int], float] = {}
        by_arm = [0.0] * len(means)
        for tried, weight in states.items():
            for arm, p in enumerate(policy([mean if i in tried else 0.0 for i, mean in enumerate(means)], tau)):
                by_arm[arm] += weight * p
                following[tried | {arm}] = following.get(tried | {arm}, 0.0) + weight * p
        states = following
        probs.append(by_arm)
        regret.append(regret[-1] + sum(p * (max(means) - mean) for p, mean in zip(by_arm, means, strict=True)))
    return np.array(regret[1:]), np.array(probs)


@pytest.mark.parametrize(
    ("means", "taus"),
    [
        ([1.0, 0.5, -0.5], [0.0] * 12),
        ([1.0, 0.5, -0.5], [0.3] * 12),
        ([-1.0, -0.5, -2.0, -0.5], [2.0, 1.5, 1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.0]),
        ([0.2, 0.2], [1.0] * 5),
    ],
)
def test_constant_rewards_agree_with_exact_expectations(means: list[float], taus: list[float]) -> None:
    runs = 8000
    _, observed = explored(means, taus, runs, gaussian(0.0))
    regret, probs = exact_fixed(means, taus)
    spread = max(means) - min(means)
    assert (abs(observed.regret - regret) <= Z * np.maximum(observed.regret_se, 1e-12)).all()
    assert abs(observed.probs - probs).max() <= Z * 0.5 / math.sqrt(runs)
    assert observed.regret[-1] <= len(taus) * spread


def exact_bernoulli(means: tuple[float, float], taus: list[float]) -> list[float]:
    """Return the probability of the first of two arms at each step, over all histories."""
    states = {(0, 0, 0, 0): 1.0}
    first = []
    for tau in taus:
        following: dict[tuple[int, int, int, int], float] = {}
        first_prob = 0.0
        for (n0, w0, n1, w1), weight in states.items():
            p0, p1 = policy([w0 / n0 if n0 else 0.0, w1 / n1 if n1 else 0.0], tau)
            first_prob += weight * p0
            for state, p in (
                ((n0 + 1, w0 + 1, n1, w1), p0 * means[0]),
                ((n0 + 1, w0, n1, w1), p0 * (1 - means[0])),
                ((n0, w0, n1 + 1, w1 + 1), p1 * means[1]),
                ((n0, w0, n1 + 1, w1), p1 * (1 - means[1])),
            ):
                following[state] = following.get(state, 0.0) + weight * p
        states = following
        first.append(first_prob)
    return first


@pytest.mark.parametrize("tau", [0.0, 0.1, 1.0])
def test_bernoulli_rewards_agree_with_exact_expectations(tau: float) -> None:
    runs, taus = 8000, [tau] * 25
    _, observed = explored([0.8, 0.3], taus, runs)
    exact = exact_bernoulli((0.8, 0.3), taus)
    assert abs(observed.probs[:, 0] - exact).max() <= Z * 0.5 / math.sqrt(runs)
    assert abs(observed.best_share - exact).max() <= (Z + 1) * 0.5 / math.sqrt(runs)
    expected = 0.5 * (1 - np.array(exact)).cumsum()
    assert (abs(observed.regret - expected) <= Z * observed.regret_se).all()


def test_gaussian_rewards_have_the_standard_deviation() -> None:
    """With two arms of mean 0, the probability at the second step is a function of the first reward."""
    runs, sd, tau = 50_000, 3.0, 1.5
    steps, _ = explored([0.0, 0.0], [tau, tau], runs, gaussian(sd))
    drawn_probs = steps[1].probs[np.arange(runs), steps[0].arms]
    first = np.log(drawn_probs / (1 - drawn_probs)) * tau
    assert abs(first.mean()) < Z * sd / math.sqrt(runs)
    assert first.std() == pytest.approx(sd, rel=Z / math.sqrt(2 * runs))


@given(
    weights=st.lists(st.sampled_from([0.0, 1e-300, 0.1, 0.3, 1.0]), min_size=1, max_size=8).filter(any),
    u=st.sampled_from([0.0, 5e-324, 0.25, 0.5, 1 - 2**-53]) | st.floats(0, 1, exclude_max=True),
)
def test_no_arm_of_probability_zero_is_drawn(weights: list[float], u: float) -> None:
    probs = np.array([weights]) / sum(weights)
    [arm] = draw_arms(probs, np.array([u])).tolist()
    assert probs[0, arm] > 0


def test_a_history_contains_the_means_over_the_runs() -> None:
    means = [0.5, 0.9, 0.9]
    steps, summary = explored(means, [1.0, 0.5, 0.1, 0.0], 7, gaussian(1.0))
    assert summary.runs == 7
    assert summary.taus.tolist() == [1.0, 0.5, 0.1, 0.0]
    # Both of the best arms count.
    assert summary.best_share.tolist() == [sum(arm > 0 for arm in step.arms.tolist()) / 7 for step in steps]
    missed = [sum(0.9 - means[step.arms[r]] for step in steps) for r in range(7)]
    assert summary.regret[-1] == pytest.approx(np.mean(missed))
    assert summary.regret_se[-1] == pytest.approx(np.std(missed) / math.sqrt(6))
    assert summary.probs == pytest.approx(np.array([step.probs.mean(0) for step in steps]))


def test_a_single_run_has_no_standard_error() -> None:
    _, summary = explored([1.0, 0.0], [1.0] * 3, 1)
    assert np.isnan(summary.regret_se).all()


def test_every_schedule_uses_the_same_random_numbers() -> None:
    typed = ("bandit", "1", "0.9", "0.5", "--seed", "5", "--runs", "20", "--steps", "30")
    both = out(*typed, "--schedule", "linear,constant").splitlines()
    alone = out(*typed, "--schedule", "constant").splitlines()
    assert both[30:] == alone
    hot = [line.split("\t")[3:] for line in out(*typed, "--from", "2", "--to", "2").splitlines()]
    options = ("--from", "2", "--schedule", "constant")
    assert [line.split("\t")[3:] for line in out(*typed, *options).splitlines()] == hot


def test_one_line_per_schedule_and_step() -> None:
    typed = ("bandit", "a,b=1.0", "c=-0.5", "--steps", "3", "--runs", "4", "--seed", "2", "--schedule", "linear,cosine")
    lines = [line.split("\t") for line in out(*typed).splitlines()]
    assert [line[:3] for line in lines] == [
        [name, str(k), tau] for name in ("linear", "cosine") for k, tau in enumerate(["5.0", "2.55", "0.1"])
    ]
    steps = list(play(np.array([1, -0.5]), np.array([5, 2.55, 0.1]), 4, gaussian(1.0), np.random.default_rng(2)))
    summary = history(steps, np.array([1, -0.5]))
    columns = [summary.regret, summary.regret_se, summary.best_share, *summary.probs.T]
    assert [[float(field) for field in line[3:]] for line in lines[:3]] == np.array(columns).T.tolist()
    header, *rows = csv.reader(io.StringIO(out(*typed, "-f", "csv")))
    assert header == ["schedule", "step", "tau", "regret", "regret_se", "best_share", "a,b", "c"]
    assert rows == lines
    records = json.loads(out(*typed, "-f", "json"))
    assert [json.loads(line) for line in out(*typed, "-f", "jsonl").splitlines()] == records
    assert records[4] == {
        "schedule": "cosine", "step": 1, "tau": 2.55, "labels": ["a,b", "c"],
        "probs": [float(p) for p in lines[4][6:]], "regret": float(lines[4][3]), "regret_se": float(lines[4][4]),
        "best_share": float(lines[4][5]), "runs": 4, "seed": 2,
    }  # fmt: skip


def test_infinite_temperatures_and_undefined_errors() -> None:
    typed = (
        "bandit",
        "1",
        "0",
        "--steps",
        "1",
        "--runs",
        "1",
        "--seed",
        "1",
        "--schedule",
        "constant",
        "--from",
        "inf",
    )
    assert out(*typed).split("\t")[2:5:2] == ["inf", "nan"]
    [record] = json.loads(out(*typed, "-f", "json"))
    assert (record["tau"], record["regret_se"], record["labels"]) == ("inf", None, None)
    greedy = out(
        "bandit", "1", "0.5", "--sd", "0", "--from", "0", "--schedule", "constant", "--steps", "9", "--seed", "1"
    )
    # With constant rewards, a greedy run always pulls the first arm that it tried.
    assert [float(p) for p in greedy.splitlines()[-1].split("\t")[6:]] == pytest.approx([0.5, 0.5], abs=0.1)
    assert float(greedy.splitlines()[-1].split("\t")[5]) == float(greedy.splitlines()[0].split("\t")[5])


def test_a_note_has_the_seed_that_repeats_the_result() -> None:
    typed = ("bandit", "0.9", "0.5", "--rewards", "bernoulli", "--runs", "10", "--steps", "20")
    first, second = here(*typed), here(*typed)
    assert first.stdout != second.stdout
    assert first.stderr.startswith("tsoft: note: --seed ")
    seed = first.stderr.split()[3]
    assert out(*typed, "--seed", seed) == first.stdout


@each_case(
    ("typed", "message"),
    [
        ([], "no arms; pass the mean reward of each arm"),
        (["1", "x"], "argument 2: 'x' is not a number"),
        (["a=1", "2"], "argument 2: '2' has no label; label all numbers or none"),
        (["1", "inf"], "argument 2: inf is not a mean of gaussian rewards; pass a number from -1e+100 to 1e+100"),
        (["-inf", "1"], "argument 1: -inf is not a mean of gaussian rewards"),
        (["nan"], "argument 1: nan is not a mean of gaussian rewards"),
        (
            ["0.5", "1.5", "--rewards", "bernoulli"],
            "argument 2: 1.5 is not a mean of bernoulli rewards; pass a number from 0 to 1",
        ),
        (
            ["-0.1", "--rewards", "bernoulli"],
            "argument 1: -0.1 is not a mean of bernoulli rewards; pass a number from 0 to 1",
        ),
        (["0.5", "--rewards", "bernoulli", "--sd", "1"], "--sd has no effect on bernoulli rewards; remove --sd or"),
        (["0.5", "--rewards", "poisson"], "--rewards: "),
        (["0.5", "--sd", "-1"], "--sd: -1 is not a standard deviation; pass a number from 0 to 1e+100"),
        (["0.5", "--sd", "nan"], "--sd: nan is not a standard deviation"),
        (["0.5", "--steps", "0"], "--steps: "),
        (["0.5", "--runs", "0"], "--runs: "),
        (["0.5", "--seed", str(2**64)], f"--seed: expected a whole number from 0 to {2**64 - 1}, got {2**64}"),
        (["0.5", "--to", "0", "--schedule", "exponential"], "--to 0: exponential needs a finite temperature above 0"),
        (["0.5", "--to", "1", "--schedule", "constant"], "--to has no effect on --schedule constant; remove --to"),
        (["0.5", "--schedule", "hot"], "--schedule: unknown schedule 'hot'"),
        (["0.5", "-f", "npz"], "--format: unknown value 'npz'; "),
    ],
)
def test_errors_in_the_options(typed: list[str], message: str) -> None:
    done = here("bandit", *typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


def test_arms_at_the_ends_of_the_range() -> None:
    printed = out("bandit", "1e100", "-1e100", "--sd", "1e100", "--steps", "50", "--runs", "5", "--seed", "1")
    assert all(math.isfinite(float(field)) for line in printed.splitlines() for field in line.split("\t")[1:])
    assert out("bandit", "1", "--steps", "2", "--runs", "2", "--seed", "1").splitlines() == [
        "cosine\t0\t5.0\t0.0\t0.0\t1.0\t1.0",
        "cosine\t1\t0.1\t0.0\t0.0\t1.0\t1.0",
    ]


@posix
def test_a_terminal_shows_the_charts_and_the_table() -> None:
    options = "--schedule linear,constant --steps 50 --runs 20 --seed 1"
    typed = f"tsoft bandit '\x1b[31m=1' b=0.5 {options}"
    shown = in_terminal(typed, NO_COLOR="1")
    assert "\x1b" not in shown
    lines = shown.splitlines()
    assert any(
        line.split() == ["arm", "probabilities,", "linear", "arm", "probabilities,", "constant"] for line in lines
    )
    assert "20 runs of 50 steps, seed 1" in lines
    assert lines[-1] == "best-arm share, last step: the share of runs that pull it in the last step"
    piped = [line.split("\t") for line in out("bandit", "1", "0.5", *options.split()).splitlines()]
    [row] = [line.split() for line in lines if line.startswith(" regret  ")]
    assert [float(field) for field in row[1:]] == pytest.approx([float(line[3]) for line in piped[49::50]], rel=1e-4)
    assert "└" not in in_terminal(typed + " --no-chart", NO_COLOR="1")


@posix
@pytest.mark.parametrize("width", [40, 237])
def test_many_schedules_and_arms_fit_any_width(width: int) -> None:
    short = here_on_terminal("bandit", "1", "--steps", "1", "--runs", "1", "--seed", "1", width=width, NO_COLOR="1")
    options = ("--schedule", "all", "--steps", "20", "--runs", "3", "--seed", "1")
    shown = short + here_on_terminal("bandit", *"0000000001", *options, width=width, NO_COLOR="1")
    assert max(map(len, shown.splitlines())) <= width
    assert "3 more" in shown


@pytest.mark.parametrize("seconds", [2, 0])
def test_progress_is_shown_for_long_runs(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    screen = progress_screen(monkeypatch, seconds)
    steps = list(play(np.ones(2), np.ones(6), 1, bernoulli, np.random.default_rng(1)))
    blocks = command.watched_steps(
        iter([iter(steps[:3]), iter(steps[3:])]), TemperatureSchedule("cosine", np.ones(3)), 2
    )
    assert [list(block) for block in blocks] == [steps[:3], steps[3:]]
    assert ("cosine" in screen.getvalue()) == ("100%" in screen.getvalue()) == (seconds > 0)
    assert (screen.getvalue() == "") == (seconds == 0)
    assert seconds == 0 or screen.getvalue().endswith("\x1b[2K")


def test_blocks_of_runs_are_averaged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 runs in blocks of 12, 12 and 6, whose averages numpy computes from all runs at once."""
    monkeypatch.setattr(simulation, "BLOCK_SIZE", 50)
    means, taus = np.array([0.5, 1.0, 0.0, 1.0]), np.linspace(1, 0.1, 20)
    blocks = list(simulation.run_blocks(30, 4, 7))
    assert [block.runs for block in blocks] == [12, 12, 6]
    steps = [list(play(means, taus, block.runs, gaussian(1.0), block.generator)) for block in blocks]
    got = functools.reduce(simulation.combined, (history(each, means) for each in steps))
    regret = np.array([np.concatenate([block[k].regret for block in steps]) for k in range(20)])
    arms = np.array([np.concatenate([block[k].arms for block in steps]) for k in range(20)])
    probs = [np.concatenate([block[k].probs for block in steps]).mean(0) for k in range(20)]
    assert got.runs == 30
    np.testing.assert_allclose(got.regret, regret.mean(1), rtol=1e-13)
    np.testing.assert_allclose(got.regret_se, regret.std(1, ddof=1) / np.sqrt(30), rtol=1e-12)
    np.testing.assert_allclose(got.best_share, np.isin(arms, (1, 3)).mean(1), rtol=1e-13)
    np.testing.assert_allclose(got.probs, probs, rtol=1e-13)
    # The blocks have different random numbers, and the first one those of the seed.
    assert len({block[3].regret.tobytes()[:96] for block in steps[:2]}) == 2
    alone = list(play(means, taus, 12, gaussian(1.0), np.random.default_rng(7)))
    assert (alone[-1].regret == steps[0][-1].regret).all()


def test_a_result_has_a_maximum_size() -> None:
    done = here("bandit", *["1"] * 200, "--steps", "1000000")
    assert done.returncode == 2
    assert "--steps 1000000 with 200 arms is too much; pass at most --steps 671088" in done.stderr
