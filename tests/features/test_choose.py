"""`tsoft choose`: pass@k and majority votes against an enumeration of all subsets and scipy, the bootstrap against a
simulation, the turning point against its formula, and the command with its formats."""

import csv
import io
import itertools
import json
import math
import random
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import tsoft
from cases import each_case
from figure_charts import drawn
from tool import TESTS, here, here_on_terminal
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.features.choose.pass_at_k import SUBSETS, sampled_majority_at_k
from tsoft.features.choose.token_entropies import entropy_bounds
from tsoft.features.choose.turning_point import turning_point_within

BARN = str(TESTS / "data/barn.txt")


# pass@k


@pytest.mark.parametrize("n", [1, 4, 7])
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_answer(n: int) -> None:
    for correct, k in itertools.product(range(n + 1), range(1, n + 1)):
        subsets = list(itertools.combinations([True] * correct + [False] * (n - correct), k))
        assert tsoft.pass_at_k(n, correct, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-15)


@pytest.mark.parametrize(
    ("n", "correct", "k"),
    [(200, 1, 1), (200, 199, 1), (200, 3, 100), (10_000, 1, 3), (10_000, 7000, 2), (10**6, 2, 5), (60, 30, 31)],
)
def test_pass_at_k_keeps_the_relative_accuracy_of_exact_fractions(n: int, correct: int, k: int) -> None:
    """The formula of human-eval, 1 - prod(1 - k / i) for i from n - correct + 1 to n, in exact fractions."""
    product = Fraction(1)
    for i in range(n - correct + 1, n + 1):
        product *= 1 - Fraction(k, i)
        if not product:
            break
    expected = 1 - product
    assert tsoft.pass_at_k(n, correct, k) == pytest.approx(float(expected), rel=1e-13)
    assert tsoft.pass_at_k(n, correct, k) == pytest.approx(stats.hypergeom.sf(0, n, correct, k), rel=1e-8)


def test_pass_at_k_is_unbiased() -> None:
    """The mean over all numbers of correct answers, weighted by their binomial probability, is 1 - (1 - p)^k."""
    n, p, k = 12, 0.3, 5
    correct = np.arange(n + 1)
    mean = stats.binom.pmf(correct, n, p) @ tsoft.pass_at_k(n, correct, k)
    assert mean == pytest.approx(1 - (1 - p) ** k, rel=1e-12)


def test_pass_at_k_broadcasts_and_refuses_numbers_out_of_range() -> None:
    assert tsoft.pass_at_k([[4], [6]], [1, 2, 3], 2).shape == (2, 3)
    assert math.copysign(1.0, tsoft.pass_at_k(5, 0, 2)) == 1.0
    for numbers, message in (
        ((3, 4, 1), "correct must be from 0 to n"),
        ((3, -1, 1), "correct must be from 0 to n"),
        ((3, 1, 4), "k must be from 1 to n"),
        ((3, 1, 0), "k must be from 1 to n"),
        ((3, 0.5, 1), "correct must be whole numbers"),
        ((3, math.nan, 1), "correct must be whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            tsoft.pass_at_k(*numbers)


# The majority vote


def enumerated_majority(counts: list[int], target: int, k: int, blank: int) -> float:
    """Return the mean over all subsets of 1 / (the number of tied answers) where the target is one of these."""
    answers = [i for i, count in enumerate(counts) for _ in range(count)] + [None] * blank
    total = Fraction(0)
    for subset in itertools.combinations(answers, k):
        votes = Counter(answer for answer in subset if answer is not None)
        tied = [answer for answer, count in votes.items() if count == max(votes.values())]
        total += Fraction(int(target in tied), max(1, len(tied)))
    return float(total / math.comb(len(answers), k))


def test_the_majority_vote_is_the_mean_over_all_subsets() -> None:
    generator = random.Random(1)
    for _ in range(25):
        counts = [generator.randint(0, 4) for _ in range(generator.randint(1, 4))]
        blank = generator.randint(0, 2)
        n, target = sum(counts) + blank, generator.randrange(len(counts))
        for k in range(1, n + 1):
            expected = enumerated_majority(counts, target, k, blank)
            found = tsoft.majority_at_k(counts, target, k, blank=blank)
            assert found == pytest.approx(expected, abs=1e-13), (counts, target, k, blank)


def test_the_majority_votes_of_all_answers_share_one_win() -> None:
    counts = [30, 25, 25, 9, 1, 1, 1]
    for k in (1, 2, 17, 64, 91, 92):
        shares = [tsoft.majority_at_k(counts, i, k) for i in range(len(counts))]
        assert sum(shares) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("k", [10, 50])
def test_random_subsets_agree_with_the_exact_majority_vote(k: int) -> None:
    """Within five standard errors."""
    counts, blank = [40, 35, 20, 5], 10
    exact = tsoft.majority_at_k(counts, 1, k, blank=blank)
    sampled = sampled_majority_at_k(np.array([*counts, blank]), 1, k, np.random.default_rng(1))
    assert sampled == pytest.approx(exact, abs=5 * math.sqrt(exact * (1 - exact) / SUBSETS))


def test_the_majority_vote_refuses_what_it_cannot_compute() -> None:
    assert tsoft.majority_at_k([3, 1], None, 2) == 0.0
    for arguments, message in (
        (([2, 1], 2, 1), "target must be an index of counts"),
        (([2, 1], 0, 4), "k must be from 1 to the number of answers"),
        (([2, -1], 0, 1), "counts and blank must be at least 0"),
        (([900, 200], 0, 10), "too many answers for the exact computation"),
    ):
        with pytest.raises(ValueError, match=message):
            tsoft.majority_at_k(*arguments)


# The bootstrap

K, N, TAUS = 5, 20, np.array([0.2, 0.6, 1.0])


def simulated(problems: int, generator: np.random.Generator) -> Array:
    """Return pass@k, (2, problems), of answers to problems that are harder at the second temperature."""
    abilities = generator.beta(0.5, 1.0, problems)
    correct = generator.binomial(N, np.stack([abilities, abilities * 0.8]))
    return tsoft.pass_at_k(N, correct, K)


def test_intervals_contain_the_true_mean_and_the_true_difference() -> None:
    """In 95 % of cases, within four standard errors of so many experiments."""
    abilities = (np.arange(20_000) + 0.5) / 20_000
    abilities = stats.beta(0.5, 1.0).ppf(abilities)
    means = [(1 - (1 - abilities * factor) ** K).mean() for factor in (1.0, 0.8)]
    experiments, hits = 120, np.zeros(2)
    for seed in range(experiments):
        values = simulated(80, np.random.default_rng(seed))
        choice = tsoft.best_temperature(TAUS[:2], values, resamples=100, rng=seed)
        sign = 1 if choice.best == 0 else -1
        hits += (
            choice.low[0] <= means[0] <= choice.high[0],
            (choice.difference[1] <= sign * (means[0] - means[1]) <= choice.difference[2]),
        )
    assert (hits / experiments) == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / experiments))


def test_the_interval_of_the_difference_is_that_of_paired_problems() -> None:
    """A paired t-interval of many problems, which is narrower than that of separate ones."""
    values = simulated(2000, np.random.default_rng(3))
    choice = tsoft.best_temperature(TAUS[:2], values, resamples=1000, rng=0)
    first, second = values
    paired = stats.ttest_rel(first, second).confidence_interval()
    assert choice.difference == pytest.approx(((first - second).mean(), paired.low, paired.high), abs=2e-3)
    assert choice.is_clear
    alone = stats.ttest_1samp(first, 0).confidence_interval()
    assert (choice.low[0], choice.high[0]) == pytest.approx((alone.low, alone.high), abs=2e-3)


def test_equal_temperatures_share_the_wins_and_the_lowest_is_the_best() -> None:
    values = np.tile(np.random.default_rng(1).random(30), (3, 1))
    choice = tsoft.best_temperature(TAUS, values, resamples=100, rng=0)
    assert (choice.tau, choice.next_tau, choice.is_clear) == (0.2, 0.6, False)
    assert choice.win_shares == pytest.approx([1 / 3] * 3)


def test_one_problem_has_no_interval() -> None:
    choice = tsoft.best_temperature(TAUS, [[0.1], [0.5], [0.2]], resamples=100, rng=0)
    assert (choice.tau, choice.is_clear) == (0.6, None)
    assert np.isnan(choice.low).all()


# The turning point


def expected_turning_point(taus: list[float], logs: list[float]) -> float:
    """Return the lowest inner temperature with a positive second derivative; the slopes are those of parabolas through
    three neighbors (or of lines, at the ends), as in numpy.gradient, written out."""

    def slopes(values: list[float]) -> list[float]:
        lines = [(values[i + 1] - values[i]) / (taus[i + 1] - taus[i]) for i in range(len(taus) - 1)]
        inner = []
        for i in range(1, len(taus) - 1):
            before, after = taus[i] - taus[i - 1], taus[i + 1] - taus[i]
            inner.append((after * lines[i - 1] + before * lines[i]) / (before + after))
        return [lines[0], *inner, lines[-1]]

    second = slopes(slopes(logs))
    return next((taus[i] for i in range(1, len(taus) - 1) if second[i] > 0), math.inf)


def test_the_turning_point_is_the_first_convex_temperature() -> None:
    generator = random.Random(2)
    for _ in range(200):
        taus = sorted(generator.sample([i / 10 for i in range(1, 20)], generator.randint(3, 9)))
        logs = [generator.gauss(0, 1) for _ in taus]
        point = tsoft.turning_point(taus, np.exp(logs))
        assert point.first == point.last == expected_turning_point(taus, logs)


def test_the_turning_point_of_a_cubic_is_its_inflection() -> None:
    taus = np.arange(1, 16) / 10
    point = tsoft.turning_point(taus, np.exp((taus - 0.75) ** 3))
    # The first temperature of the grid above 0.75.
    assert point.tau == 0.8
    assert tsoft.turning_point(taus, np.exp(-((taus - 2) ** 2))).tau is None
    # Rounding bends a straight line both ways.
    assert tsoft.turning_point(taus, np.exp(3 * taus)).tau is None
    assert tsoft.turning_point(taus, np.full(len(taus), 0.3)).tau is None


def test_functions_refuse_arrays_that_do_not_fit() -> None:
    for call, message in (
        (lambda: tsoft.best_temperature([1, 2], [[0.5]]), "values must have the shape"),
        (lambda: tsoft.best_temperature([1], [[math.nan]]), "values must be finite"),
        (lambda: tsoft.best_temperature([1], [[1.0]], resamples=-1), "resamples must be a whole number"),
        (lambda: tsoft.best_temperature([1], [[1.0]], resamples=1.5), "resamples must be a whole number"),  # type: ignore[arg-type]
        (lambda: tsoft.best_temperature([1, np.nan], [[1.0], [1.0]]), "taus must be from 0 to inf"),
        (lambda: tsoft.turning_point([1, 2], [1, 2]), "taus must be at least 3 temperatures"),
        (lambda: tsoft.turning_point([1, 3, 2], [1, 2, 3]), "finite and ascending"),
        (lambda: tsoft.turning_point([1, 2, 3], [1, 0, 3]), "entropies must be finite and above 0"),
        (lambda: tsoft.turning_point([1, 2, 3], [1, 2]), "entropies must have the shape"),
        (lambda: tsoft.turning_point([5e-324, 1e-323, 1.5e-323], [1, 2, 3]), "the temperatures are too close together"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_bounds_on_the_entropies_bound_the_turning_point() -> None:
    generator = np.random.default_rng(4)
    taus = np.arange(2, 13) / 10
    for _ in range(50):
        logs = np.sort(generator.normal(size=len(taus)))
        errors = generator.uniform(0, 0.1, (2, len(taus)))
        bounds = np.exp([logs - errors[0], logs + errors[1]])[..., np.newaxis]
        point = turning_point_within(taus, bounds, 0, generator)
        assert point.first <= expected_turning_point(taus.tolist(), logs.tolist()) <= point.last


def test_the_turning_point_has_an_interval_over_problems() -> None:
    generator = np.random.default_rng(5)
    taus = np.arange(1, 16) / 10
    entropies = np.exp((taus - 0.75)[:, np.newaxis] ** 3 * 3 + generator.normal(0, 0.02, (15, 40)))
    point = tsoft.turning_point(taus, entropies, resamples=200, rng=0)
    assert point.tau is not None
    assert 0.1 < point.low <= point.tau <= point.high < 1.5
    assert {round(end, 1) for end in (point.low, point.high)} <= set(taus.round(1).tolist())


def test_entropies_of_hidden_distributions_are_within_the_bounds() -> None:
    generator = np.random.default_rng(2)
    for _ in range(200):
        size = int(generator.integers(2, 12))
        logits = generator.normal(size=size) * generator.choice([0.3, 1, 4])
        logprobs = np.sort(logits - np.logaddexp.reduce(logits))[::-1]
        listed, tau = int(generator.integers(1, size + 1)), float(generator.choice([0.2, 0.5, 1, 1.5, 3]))
        partial = PartialDistribution(logprobs[:listed], 0, float(logprobs[listed - 1]), classes=size)
        low, high = entropy_bounds(partial, tau)
        whole = stats.entropy(np.exp((logprobs - logprobs[0]) / tau))
        assert low - 1e-6 <= whole <= high + 1e-6
        assert listed < size or low == pytest.approx(high, abs=1e-12)


def test_the_bounds_on_the_entropy_are_those_of_the_extreme_distributions() -> None:
    """The unlisted half is at least five tokens of 0.1, the cap, and at most eight equal ones."""
    partial = PartialDistribution(np.log([0.4, 0.1]), 0, math.log(0.1), classes=10)
    expected = stats.entropy([0.4] + [0.1] * 6), stats.entropy([0.4, 0.1] + [0.5 / 8] * 8)
    assert entropy_bounds(partial, 1.0) == pytest.approx(expected, rel=1e-5)


# The command


def counts_csv(numbers: dict[float, list[tuple[int, int]]]) -> str:
    """Return records of (n, correct) for each problem by temperature."""
    lines = [f"p{i},{tau},{n},{correct}" for tau, row in numbers.items() for i, (n, correct) in enumerate(row)]
    return "\n".join(["problem,tau,n,correct", *lines, ""])


FEW = counts_csv({0.2: [(4, 4), (4, 0), (4, 0)], 0.8: [(4, 2), (4, 1), (4, 1)]})
QUIET = ["tsoft: note: the 95 % intervals are too narrow, because there are only 3 problems"]


def records(*arguments: str, stdin: str | None = None) -> list[dict[str, Any]]:
    done = here("choose", *arguments, "-f", "json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def complaint(*arguments: str, stdin: str = "", code: int = 1) -> str:
    done = here("choose", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr.splitlines()[-1].removeprefix("tsoft: error: ")


def test_a_pipe_gets_k_the_best_temperature_its_estimate_and_the_interval() -> None:
    done = here("choose", "--k", "1,4", stdin=FEW)
    assert done.stderr.splitlines()[:1] == QUIET
    rows = [[float(number) for number in line.split("\t")] for line in done.stdout.splitlines()]
    # At k = 1, both solve a third of the answers; at k = 4, the hot one solves all problems.
    assert [row[:3] for row in rows] == [[1, 0.2, pytest.approx(1 / 3)], [4, 0.8, 1.0]]
    assert 0 <= rows[0][3] < 1 / 3 < rows[0][4] <= 1


def test_csv_and_json_contain_the_same_choices() -> None:
    objects = records("--k", "1,2,4", stdin=FEW)
    rows = list(csv.DictReader(io.StringIO(here("choose", "--k", "1,2,4", "-f", "csv", stdin=FEW).stdout)))
    for row, fields in zip(rows, objects, strict=True):
        assert {name: str(fields[name]) for name in row} == row
        assert fields["estimates"][fields["taus"].index(fields["tau"])] == fields["estimate"]
        assert sum(fields["win_shares"]) == pytest.approx(1.0)
    assert objects[1]["estimates"] == pytest.approx([1 / 3, (5 / 6 + 1 / 2 + 1 / 2) / 3])


@pytest.mark.parametrize(("n", "ks"), [(1, [1]), (4, [1, 4]), (10, [1, 10]), (200, [1, 10, 100, 200])])
def test_the_default_ks_are_powers_of_10_and_the_smallest_n(n: int, ks: list[int]) -> None:
    text = counts_csv({0.2: [(n, 0), (n + 3, 1)], 0.8: [(n, 1), (n, 1)]})
    assert [row["k"] for row in records(stdin=text)] == ks


def test_a_k_above_the_answers_to_a_problem_is_refused() -> None:
    text = counts_csv({0.2: [(4, 0), (9, 1)], 0.8: [(9, 1), (9, 1)]})
    assert complaint("--k", "5", stdin=text, code=2) == (
        "--k 5: problem 'p0' at τ = 0.2 has only 4 answers; pass numbers up to 4"
    )
    assert "'0' is not a number of answers" in complaint("--k", "1,0", stdin=text, code=2)


def test_problems_without_some_temperature_are_left_out_with_a_note() -> None:
    text = FEW + "new,0.2,4,4\n"
    done = here("choose", "--k", "1", "-f", "csv", stdin=text)
    assert "tsoft: note: 1 of 4 problems lack some temperature and are left out: 'new'" in done.stderr
    assert done.stdout.splitlines()[1].endswith(",3")
    assert complaint(stdin="problem,tau,n,correct\na,0.5,3,2\nb,1,3,1\n") == (
        "no problem has answers at every temperature (1 at τ = 0.5 and 1 at τ = 1); use the same problems at each"
    )


ANSWERS: dict[float, dict[str, list[Any]]] = {
    0.5: {"a": ["72", 72, "7,2"], "b": ["", "3", "four\n#4"]},
    1.0: {"a": [" 72 ", "1", "2"], "b": ["3", "3", None]},
}
TARGETS = {"a": 72, "b": "3"}


def answer_lines() -> list[dict[str, Any]]:
    """Return one record per answer."""
    return [
        {"problem": problem, "tau": tau, "answer": answer, "target": TARGETS[problem]}
        for tau, problems in ANSWERS.items()
        for problem, answers in problems.items()
        for answer in answers
    ]


def test_answers_per_line_per_list_and_in_a_table_are_the_same(tmp_path: Path) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in answer_lines())
    lists = json.dumps(
        [
            {"problem": problem, "temperature": tau, "answers": answers, "target": TARGETS[problem]}
            for tau, problems in ANSWERS.items()
            for problem, answers in problems.items()
        ],
        indent=2,
    )
    table = io.StringIO()
    writer = csv.DictWriter(table, ["target", "tau", "answer", "problem"])
    writer.writeheader()
    writer.writerows(answer_lines())
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {name: [record[name] for record in answer_lines()] for name in ("problem", "tau")}
    columns |= {name: [str(record[name] or "") for record in answer_lines()] for name in ("answer", "target")}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    names = list(answer_lines()[0])
    split = json.dumps({"columns": names, "data": [list(record.values()) for record in answer_lines()]})
    expected = records(stdin=lines)
    assert records(stdin=split) == records(stdin=lists) == records(stdin=table.getvalue()) == expected
    titled = table.getvalue().replace("target,tau,answer,problem", "Target,TAU,Answer,Problem")
    assert records(stdin=titled) == expected
    assert records(str(tmp_path / "a.parquet")) == expected
    # Both measures for k = 1 and 3. a has 2 and 1 right answers of 3, b has 1 and 2.
    assert [(row["measure"], row["k"]) for row in expected] == list(itertools.product(("pass", "majority"), (1, 3)))
    assert expected[0]["estimates"] == pytest.approx([1 / 2, 1 / 2])
    # At 0.5, a's majority is right, and b's answers tie; at 1, a's three answers tie, and b's blank one has no vote.
    assert expected[3]["estimates"] == pytest.approx([(1 + 1 / 2) / 2, (1 / 3 + 1) / 2])


def test_blanks_may_precede_a_quoted_field() -> None:
    text = 'problem, tau, answer, target\na, 1, "x, y", "x, y"\n'
    assert records("--k", "1", stdin=text)[0]["estimate"] == 1


def test_answers_are_compared_as_texts_without_blanks() -> None:
    text = json.dumps({"problem": 1, "tau": 1, "answers": [72.0, 72, " 72\n", "72.0", "7 2"], "target": ["x", "72"]})
    assert records("--k", "1", stdin=text)[0]["estimate"] == 0.6


@pytest.mark.parametrize(
    ("target", "other", "are_equal"),
    [("x", ["x"], True), (["x", "y"], [" y", "x", "x"], True), (7, ["7.0", 7.0], False), (["x", "y"], ["x"], False)],
)
def test_targets_of_a_problem_are_compared_as_sets(target: Any, other: Any, are_equal: bool) -> None:
    text = jsonl(
        *({"problem": "a", "tau": t, "answers": ["x"], "target": each} for t, each in ((0.2, target), (1, other)))
    )
    if are_equal:
        assert [record["k"] for record in records("--measure", "pass", stdin=text)] == [1]
    else:
        assert "problem 'a' has another target or document" in complaint(stdin=text)


def test_a_line_per_answer_may_say_whether_it_is_correct() -> None:
    # pandas writes 1.0 in a column with empty fields.
    text = "task_id,tau,passed\n1,0,True\n1,0,false\n1,1,1\n1,1,1.0\n1,2,0.0\n1,2,0\n"
    [one, two] = records("--k", "1,2", stdin=text)
    assert (one["estimates"], two["estimates"]) == ([0.5, 1.0, 0.0], [1.0, 1.0, 0.0])
    # Two right spellings vote separately, and the winner is right.
    votes = "problem,tau,answer,correct\n1,0,1/2,1\n1,0,0.5,1\n1,0,3,0\n"
    assert records("--measure", "majority", "--k", "3", stdin=votes)[0]["estimate"] == pytest.approx(2 / 3)
    assert "the answer '3' is both correct and wrong here" in complaint(stdin=votes + "1,0,3,1\n")


def test_the_first_json_line_may_have_nan() -> None:
    line = '{"problem": 1, "tau": 1, "n": 4, "correct": 1}\n'
    first = line.replace("1}", '1, "score": NaN}').replace('"problem": 1', '"problem": 2')
    assert (
        here("choose", "--k", "1", stdin=first + line).stdout == here("choose", "--k", "1", stdin=line + first).stdout
    )
    assert "stdin:1: correct: expected" in complaint(stdin=first.replace('"correct": 1', '"correct": 5'))


def test_a_file_with_two_names_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(entropy_text([0.1, 0.2, 0.3]))
    other = f"{tmp_path}/x/../a.csv"
    assert complaint(str(path), other, code=2) == f"{other} is repeated; pass each file once"


def test_a_note_on_few_problems_needs_intervals() -> None:
    for resamples, notes in (("40", QUIET), ("0", [])):
        done = here("choose", "--k", "1", "--resamples", resamples, stdin=FEW)
        assert [line for line in done.stderr.splitlines() if "too narrow" in line] == notes


def test_a_single_problem_has_no_resamples() -> None:
    single = "problem,tau,n,correct\na,0.2,10,8\na,0.8,10,5\n"
    assert ", 10 answers to each; 0 resamples, seed 0" in here("choose", "-f", "table", stdin=single).stdout
    assert {record["resamples"] for record in json.loads(here("choose", "-f", "json", stdin=single).stdout)} == {0}


def test_temperatures_that_tie_except_for_rounding_have_no_difference() -> None:
    """The means of 1, 2 and 3 tenths, and of the reverse, differ in their last bit."""
    shares = np.array([[0.3, 0.2, 0.1], [0.1, 0.2, 0.3], [0.0, 0.1, 0.1]])
    assert shares[0].mean() != shares[1].mean()
    for order in itertools.permutations(range(3)):
        choice = tsoft.best_temperature([0.2, 0.4, 0.6], shares[list(order)], resamples=0)
        assert (choice.difference[0], choice.best) == (0, min(order.index(0), order.index(1)))
        assert choice.next == max(order.index(0), order.index(1))
    text = "problem,tau,n,correct\na,0.2,10,3\nb,0.2,10,2\nc,0.2,10,1\na,0.8,10,1\nb,0.8,10,2\nc,0.8,10,3\n"
    shown = here("choose", "--k", "1", "-f", "table", "--no-chart", "--digits", "3", stdin=text).stdout
    assert re.search(r"^ 1 +0\.8 +0 +-0\.\d+ to ", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "text", [FEW, "problem,tau,entropy\n" + "".join(f"{p},{t},1\n" for p in "ab" for t in (1, 2, 3))]
)
def test_few_resamples_are_named_in_a_note_if_there_are_intervals(text: str) -> None:
    few = "tsoft: note: --resamples {} is too few for a 95 % interval; pass at least 40"
    single = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(("p1", "p2", "b")))
    for stdin, resamples, is_noted in ((text, 1, True), (text, 39, True), (text, 40, False), (single, 1, False)):
        done = here("choose", "--resamples", str(resamples), stdin=stdin)
        assert (few.format(resamples) in done.stderr.splitlines()) == is_noted


def test_one_resample_is_singular() -> None:
    shown = here("choose", "-f", "table", "--no-chart", "--resamples", "1", stdin=FEW).stdout
    assert "3 problems, 2 temperatures, 4 answers to each; 1 resample, seed 0" in shown


def test_a_single_resample_is_not_mistaken_for_equal_estimates() -> None:
    text = "problem,tau,n,correct\n" + "".join(f"p{i},1,8,{i % 9}\n" for i in range(30))
    assert "has no width" not in here("choose", "--k", "1", "--resamples", "1", stdin=text).stderr


def test_files_have_the_temperatures_of_tau(tmp_path: Path) -> None:
    files = []
    for name, correct in (("cold", 3), ("hot", 1)):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"problem n correct\na 4 {correct}\nb 4 {correct}\n")
        files.append(str(path))
    [row] = records(*files, "--tau", "0.2,0.9", "--k", "1")
    assert (row["taus"], row["estimates"]) == ([0.2, 0.9], [0.75, 0.25])
    assert complaint(*files, "--tau", "0.2", code=2).startswith("--tau: 1 temperatures for 2 files; pass one per file")
    assert complaint(files[0]).endswith(
        "tau: no temperature; add it to each record, or pass one per file, as in --tau 0.2,0.8"
    )
    assert complaint("--tau", "0.5", stdin=FEW).startswith("stdin:2: tau: 0.2, but --tau gives 0.5 for this file")


@each_case(
    ("text", "message"),
    [
        ("problem,tau,n,correct\na,1,3,4\n", 'stdin:2: correct: expected a whole number from 0 to 3, got "4"'),
        ("problem,tau,n,correct\na,1,3\n", "stdin:2: expected 4 fields, as in the header, got 3"),
        ("problem,tau,n,correct\na,x,3,1\n", 'stdin:2: tau: expected a number, got "x"'),
        ("problem,tau,n,correct\na,1,0,0\n", "stdin:2: n: 0 answers; remove the record"),
        ("problem,tau,n,correct\na,1,2,1\na,1,2,1\n", "stdin:3: problem 'a' at τ = 1 is already in stdin:2"),
        ("problem,problem\n1,2\n", "stdin:1: two columns have the name 'problem'"),
        ("a 1 3 2\n", "stdin:1: the first line must name the columns"),
        ('problem,tau\n"a,1\n', "stdin:2: not a table: unexpected end of data"),
        ("tau,n,correct\n1,3,2\n", "stdin:2: problem: missing; name the problem"),
        ("problem,tau,x\na,1,2\n", "stdin:2: expected the fields n and correct, answer and target, or entropy"),
        ("problem,tau,answer\na,1,2\n", "stdin:2: target: missing; write the right answer as target"),
        (
            '{"problem":1,"tau":1,"correct":2}',
            "stdin:1: correct: expected true, false, 1 or 0 without a field n, got 2",
        ),
        (
            '{"problem":1,"tau":1,"answers":[],"target":1}',
            "stdin:1: answers: expected an array of answers, got an empty",
        ),
        # No answer equals a target without a text.
        ('{"problem":1,"tau":1,"answer":1,"target":[]}', "stdin:1: target: missing; write the right answer as target"),
        ('{"problem":1,"tau":1,"answer":1,"target":[null, ""]}', "stdin:1: target: missing"),
        ('{"problem":1,"tau":1,"answers":[1],"target":" "}', "stdin:1: target: missing"),
        ("tau,entropy\n1,1e308\n", "stdin:2: entropy: expected one or more numbers from 0 to 1000, in nats"),
        ("[1]", "stdin:1: row 0: expected an object, got 1"),
        ('{"problem":', "stdin:1: not JSON"),
        ("", "stdin: no records: the input is empty"),
        ("problem,tau,n,correct\n", "the input has no records"),
    ],
)
def test_wrong_records_are_named(text: str, message: str) -> None:
    assert message in complaint(stdin=text)


def test_notes_name_what_is_not_used() -> None:
    done = here("choose", stdin="problem,tau,n,correct,model,seed\n" + "a,1,2,1,m,0\nb,1,2,1,m,0\n")
    assert done.stderr.splitlines() == [
        "tsoft: note: stdin:2: tsoft ignores 'model' and 'seed'",
        "tsoft: note: all answers have τ = 1, so there is nothing to choose from; add other temperatures",
        "tsoft: note: the 95 % intervals are too narrow, because there are only 2 problems",
        "tsoft: note: the interval of pass@1,2 has no width, because all problems have the same estimate at the best τ;"
        " new problems may differ",
    ]
    wrong = here("choose", stdin="problem,tau,answer,target\na,1,2,1\n")
    assert "no answer is correct; tsoft compares answers with their targets as texts" in wrong.stderr


# lm-evaluation-harness


def sample(doc: int, tau: float, kept: list[Any], **changes: Any) -> dict[str, Any]:
    """Return a sample with four responses, as the harness writes it."""
    settings = {"until": ["Q:"], "do_sample": True, "temperature": tau}
    return {
        "doc_id": doc,
        "doc": {"question": "q"},
        "target": "So it is\n#### 7",
        "arguments": {"gen_args_0": {"arg_0": "Q", "arg_1": settings}},
        "resps": [["The answer is 7", "7", "8", "none"]],
        "filtered_resps": kept,
        "filter": "all",
        "metrics": ["exact_match"],
        "doc_hash": f"hash {doc}",
        **changes,
    }


def jsonl(*values: dict[str, Any]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_samples_of_the_harness_give_answers_and_temperatures() -> None:
    answers = {0.2: ["7", "7", "8", "[invalid]"], 0.8: ["8", "8", "7", "9"]}
    text = jsonl(*(sample(doc, tau, [kept]) for doc in (0, 1) for tau, kept in answers.items()))
    one, four, majority, most = records(stdin=text)
    assert (one["taus"], one["estimates"], four["estimates"]) == ([0.2, 0.8], [0.5, 0.25], [1.0, 1.0])
    assert (majority["estimates"], most["estimates"]) == ([0.5, 0.25], [1.0, 0.0])


def test_samples_of_the_harness_with_pass_at_k_give_the_number_of_correct_responses() -> None:
    """As those of humaneval_64, which has pass@2 and higher. Of n = 4, pass@2 is 1 from 3 correct ones."""
    values = [float(tsoft.pass_at_k(4, correct, 2)) for correct in (1, 3)]
    rows = [sample(doc, 0.5, [["a", "b", "c", "d"]], **{"pass@2": value}) for doc, value in enumerate(values)]
    found = records(stdin=jsonl(*rows))
    assert [(row["k"], row["estimate"]) for row in found] == [(2, pytest.approx(0.75)), (4, 1.0)]
    message = complaint("--k", "1", stdin=jsonl(*rows), code=2)
    assert message == "--k 1: the samples have pass@k only from k = 2; pass higher numbers"
    assert "pass@2: 0.6 is no estimate from 4 responses" in complaint(stdin=jsonl(rows[0] | {"pass@2": 0.6}))


def test_a_very_long_k_of_the_harness_is_no_estimate() -> None:
    rows = records(
        "--measure", "pass", "--k", "1", stdin=jsonl(sample(0, 0.5, [["7"] * 4], **{"pass@" + "9" * 5000: 1}))
    )
    assert rows[0]["estimate"] == 1.0


def test_the_filter_selects_samples_of_the_harness() -> None:
    rows = [sample(0, 0.5, ["7"], filter="first"), sample(0, 0.5, [["7", "8", "7", "7"]])]
    assert "has the filters" not in complaint(stdin=jsonl(*rows))
    several = jsonl(sample(0, 0.5, [["7"] * 4], filter="strict"), rows[1])
    assert "the samples have several filters, such as 'strict' and 'all'; pass --filter NAME" in complaint(
        stdin=several
    )
    assert records("--filter", "all", "--measure", "pass", "--k", "1", stdin=several)[0]["estimate"] == 0.75
    assert complaint("--filter", "x", stdin=several) == "no sample has the filter 'x'; pass another --filter"
    assert "--filter works only with samples" in complaint("--filter", "x", stdin=FEW, code=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filtered_resps": ["7"]}, "filtered_resps: the filter 'all' keeps 1 of 4 responses; add a filter without"),
        ({"resps": [[["-1.5", "True"]], [["-2", "False"]]]}, "resps: the sample has log-likelihoods"),
        ({"arguments": {"gen_args_0": {"arg_0": "Q", "arg_1": {}}}}, "tau: no temperature; add it to each record"),
        (
            {"arguments": {"gen_args_0": {"arg_1": {"do_sample": False, "temperature": 0.7}}}},
            "arguments: the request has do_sample = false, and the temperature 0.7, which not all models apply",
        ),
        ({"target": "so #### "}, "stdin:1: target: missing; write the right answer as target"),
        ({"pass@1": math.nan}, "pass@1: nan is no estimate from 4 responses"),
    ],
)
def test_samples_of_the_harness_that_do_not_suffice_are_refused(changes: dict[str, Any], message: str) -> None:
    assert message in complaint(stdin=jsonl(sample(0, 0.5, [["7", "7", "8", "9"]]) | changes))


def test_greedy_samples_of_the_harness_have_temperature_0() -> None:
    arguments = {"gen_args_0": {"arg_1": {"do_sample": False, "temperature": 0.0}}}
    text = jsonl(sample(0, 0.5, [["7"] * 4], arguments=arguments))
    assert records("--k", "1", "--measure", "pass", stdin=text)[0]["taus"] == [0.0]
    # Only the user knows what a model did with both settings.
    arguments["gen_args_0"]["arg_1"]["temperature"] = 0.7
    text = jsonl(sample(0, 0.5, [["7"] * 4], arguments=arguments))
    assert records("--k", "1", "--measure", "pass", "--tau", "0.7", stdin=text)[0]["taus"] == [0.7]


def test_different_documents_with_the_same_number_are_not_one_problem() -> None:
    text = jsonl(sample(0, 0.2, [["7"] * 4]), sample(0, 0.8, [["7"] * 4], doc_hash="other"))
    assert "problem '0' has another target or document in stdin:1" in complaint(stdin=text)


# Entropies


def entropy_text(entropies: list[float]) -> str:
    return "tau entropy\n" + "".join(f"{(i + 2) / 10} {entropy}\n" for i, entropy in enumerate(entropies))


def test_entropies_give_the_turning_point_and_its_exit_codes() -> None:
    done = here("choose", stdin=entropy_text([0.1, 0.2, 0.3, 0.4, 1.0, 2.0]))
    assert (done.returncode, done.stdout) == (0, "0.4\t0.5\t\t\n")
    concave = here("choose", "-f", "csv", stdin=entropy_text([0.1, 0.2, 0.3, 0.35]))
    assert concave.returncode == 3
    assert concave.stdout.splitlines()[1] == ",,,,inf,inf,1"
    assert concave.stderr == "tsoft: note: no turning point: ln(entropy) is concave up to τ = 0.5\n"
    assert complaint(stdin=entropy_text([0.1, 0.2])).startswith("a turning point needs at least 3 temperatures")
    close = complaint(stdin="tau entropy\n5e-324 1\n1e-323 2\n1.5e-323 3\n")
    assert close == "the temperatures are too close together; leave out some of them"
    assert "may be 0, which has no logarithm" in complaint(stdin=entropy_text([0, 0.1, 0.2]))
    assert "has no effect on the turning point" in complaint("--k", "1", stdin=entropy_text([1, 2, 3]), code=2)


def test_records_with_results_and_entropies_use_one_of_them() -> None:
    text = "problem,tau,n,correct,entropy\n" + "".join(f"a,{i},2,1,{i}\n" for i in (1, 2, 3))
    done = here("choose", "--k", "1", stdin=text)
    assert "the records have entropies, too; --measure entropy finds their turning point" in done.stderr
    assert here("choose", "--measure", "entropy", stdin=text).returncode == 3
    assert complaint("--measure", "entropy", stdin=FEW).startswith("no record has an entropy")
    assert complaint("--measure", "majority", stdin=FEW).startswith("a majority vote needs the answers")
    only = complaint("--measure", "pass", stdin=entropy_text([1, 2, 3]))
    assert only == "the records have only entropies; remove --measure pass"


def generated(*options: str) -> str:
    done = here(
        "generate", "The old", "--ngram", BARN, "--tau", "0.4:1.6:0.4", "-n", "3", "--max-tokens", "8", *options
    )
    assert done.returncode == 0
    return done.stdout


@pytest.mark.parametrize(("logprobs", "mass"), [(["-inf"], "0"), ([-0.1, -0.1], "1.81")])
def test_alternatives_that_are_no_distribution_are_refused(logprobs: list[Any], mass: str) -> None:
    tokens = [{"top_logprobs": [{"token": "a", "logprob": each} for each in logprobs]}]
    message = complaint(stdin=jsonl({"tau": 0.5, "vocab_size": 9, "logprobs": tokens}))
    expected = f"the probabilities of the alternatives sum to {mass}; correct them"
    assert message == f"stdin:1: token 0, top_logprobs: {expected}"


def test_the_lowest_log_probabilities_do_not_overflow() -> None:
    tokens = [{"top_logprobs": [{"token": "a", "logprob": 0.0}, {"token": "b", "logprob": -1e308}]}]
    done = here("choose", stdin=jsonl(*({"tau": tau, "vocab_size": 2, "logprobs": tokens} for tau in (0.1, 0.2, 0.3))))
    assert done.stderr == (
        "tsoft: error: the mean entropy at τ = 0.1 may be 0, which has no logarithm; leave out this τ\n"
    )


def test_generated_texts_have_entropies_within_bounds() -> None:
    """A list of all tokens gives the entropy, which is within the bounds of a shorter list."""
    options = ("--seed", "1", "-f", "json")
    whole, part = (generated(*options, "--top-logprobs", size) for size in ("5000", "5"))
    done = [here("choose", "-f", "json", stdin=text) for text in (whole, part)]
    greedy = here("choose", "-f", "json", stdin=generated(*options, "--top-logprobs", "5000", "--greedy"))
    assert (greedy.stdout, "tsoft ignores 'strategy greedy'" in greedy.stderr) == (done[0].stdout, True)
    exact, bounded = (json.loads(each.stdout)[0] for each in done)
    assert exact["entropies_low"] == pytest.approx(exact["entropies_high"], rel=1e-9)
    entropies: dict[float, list[float]] = {}
    for text in json.loads(whole):
        rows = [[each["logprob"] for each in token["top_logprobs"]] for token in text["logprobs"]]
        values = [stats.entropy(np.exp(np.array(row, float) / text["tau"])) for row in rows]
        entropies.setdefault(text["tau"], []).append(float(np.mean(values)))
    assert exact["entropies_low"] == pytest.approx([np.mean(entropies[tau]) for tau in exact["taus"]], rel=1e-9)
    for low, value, high in zip(
        bounded["entropies_low"], exact["entropies_low"], bounded["entropies_high"], strict=True
    ):
        assert low <= value <= high
    assert [each.returncode for each in done] == [3, 4]
    assert "the bounds leave it open" in done[1].stderr


# Tables and figures


def test_a_terminal_shows_tables_and_curves() -> None:
    text = counts_csv({0.2: [(4, 4), (4, 0)] * 12, 0.8: [(4, 2), (4, 1)] * 12})
    shown = here_on_terminal("choose", "--k", "1,4", stdin=text, NO_COLOR="1", notes=False)
    for line in ("k  best τ", "next τ", "pass@4", "24 problems, 2 temperatures, 4 answers to each", "k = 4"):
        assert line in shown
    assert "k = 4" not in here_on_terminal("choose", "--no-chart", stdin=text, notes=False)
    turning = here_on_terminal("choose", stdin=entropy_text([0.1, 0.2, 0.3, 0.4, 1.0, 2.0]), NO_COLOR="1")
    assert turning.startswith("turning point τ = 0.4 (best of n: 0.5)")


def test_a_figure_has_the_numbers_of_json(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    numbers, file = tmp_path / "x.json", ("-o", str(tmp_path / "x.svg"))
    text = FEW + "".join(f"p{i},1.0,4,{i}\n" for i in range(3))
    drawing = drawn("choose", *file, "-o", str(numbers), "--k", "1,2,4", stdin=text)
    [chart] = drawing.charts
    for row, curve in zip(json.loads(numbers.read_text()), chart.curves, strict=True):
        np.testing.assert_allclose(curve, np.column_stack([row["taus"], row["estimates"]]), rtol=1e-9)
    assert len(chart.bands) == 3
    assert {"k = 1", "k = 2", "k = 4", "3 problems, 95 % intervals"} <= set(drawing.texts)
    turning = drawn("choose", *file, stdin=entropy_text([0.1, 0.2, 0.3, 0.4, 1.0, 2.0]))
    assert "1 problem: turning point τ = 0.4 (best of n: 0.5)" in turning.texts


def test_texts_without_tokens_are_named_in_a_note() -> None:
    token = {"top_logprobs": [{"logprob": math.log(0.5)}] * 2}
    texts = [{"prompt": "a", "tau": tau, "vocab_size": 2, "logprobs": [token]} for tau in (0.5, 0.7, 0.9, 1.1)]
    done = here("choose", "-", stdin=json.dumps([*texts, {"prompt": "b", "tau": 0.5, "logprobs": []}]))
    assert "tsoft ignores 'texts without tokens'" in done.stderr
