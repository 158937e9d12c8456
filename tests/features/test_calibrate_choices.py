"""`tsoft calibrate` on answers of language models: samples of evaluations, and responses with --choices."""

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

import tsoft
from cases import each_case
from tool import here
from tsoft.features.calibrate.choice_bounds import BOUNDED, measure_bounds, tau_bounds

TOKENS = ("A", " A", "B", " B", "C", "(A", "The")
CHOICES = ("A", "A", "B", "B", "C", "A", None)


def calibrated(stdin: str, *arguments: str, code: int = 0) -> tuple[str, str]:
    done = here("calibrate", *arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def lines(*documents: Any) -> str:
    return "".join(json.dumps(document) + "\n" for document in documents)


def best_tau(z: Any, targets: Any) -> float:
    """Return the temperature with the least NLL, where the mean logit equals that of the targets."""
    known = np.where(np.isneginf(z), 0.0, z)

    def slope(log_tau: float) -> float:
        probs = softmax(z / math.exp(log_tau), axis=1)
        return float((probs * known).sum() - known[np.arange(len(z)), targets].sum())

    return math.exp(brentq(slope, -5, 8, xtol=1e-14))


# Samples of lm-evaluation-harness


def sample(numbers: Any, target: int) -> dict[str, Any]:
    """Return a sample whose answers have 1, 2, 3, ... characters: lm_eval/loggers/evaluation_tracker.py."""
    arguments = {f"gen_args_{i}": {"arg_0": "Q:", "arg_1": " " + "x" * (i + 1)} for i in range(len(numbers))}
    responses = [[[str(number), "False"]] for number in numbers]
    return {"doc_id": 0, "doc": {}, "target": str(target), "arguments": arguments, "resps": responses}


SAMPLES = [([-1.0, -2.5, -4], 0), ([-3.0, -2], 0), ([-2.0, -1, -5, -3], 1), ([-2.0, -2.5], 1), ([-1.0, -3, -2.2], 0)]
SAMPLE_LINES = lines(*(sample(*each) for each in SAMPLES))


def padded(*, per_character: bool = False) -> Any:
    z = np.full((len(SAMPLES), 4), -np.inf)
    for line, (numbers, _) in zip(z, SAMPLES, strict=True):
        line[: len(numbers)] = np.array(numbers) / (np.arange(1, len(numbers) + 1) if per_character else 1)
    return z


def test_questions_may_have_different_numbers_of_answers() -> None:
    stdout, stderr = calibrated(SAMPLE_LINES)
    assert float(stdout) == pytest.approx(best_tau(padded(), [target for _, target in SAMPLES]), rel=1e-9)
    assert "the classes are the answers to each question, so τ calibrates the choice between them; it is no" in stderr
    assert "the questions have 2 to 4 answers; tsoft masks the classes without one" in stderr


def test_acc_norm_divides_by_characters() -> None:
    """As `acc_norm` in lm_eval/api/task.py: the log-likelihood divided by the length of the answer."""
    stdout, _ = calibrated(SAMPLE_LINES, "--acc-norm", "-f", "json")
    [result] = json.loads(stdout)
    z, targets = padded(per_character=True), np.array([target for _, target in SAMPLES])
    assert result["tau"] == pytest.approx(best_tau(z, targets), rel=1e-9)
    assert result["reports"][0]["accuracy"] == pytest.approx((z.argmax(1) == targets).mean())


def test_an_accuracy_between_0_and_1_is_an_error() -> None:
    """truthfulqa_mc2: lm_eval/tasks/truthfulqa/utils.py, process_results_mc2. Its target is always 0."""
    samples = lines(*(sample([-1, -2, -3], 0) | {"acc": accuracy} for accuracy in (1, 0.75)))
    assert ":2: acc: the accuracy 0.75 is neither 0 nor 1" in calibrated(samples, code=1)[1]


def test_acc_norm_needs_the_answers() -> None:
    without = lines({**sample([-1, -2], 0), "arguments": []})
    assert "arguments: the texts of the answers are missing" in calibrated(without, "--acc-norm", code=1)[1]
    table = calibrated("a,b,target\n1,2,a\n", "--acc-norm", code=2)[1]
    assert "--acc-norm has no effect without samples of lm-evaluation-harness" in table


# Responses that answer with one of a few tokens


def response(logprobs: Any, drawn: int, target: str | None = None) -> dict[str, Any]:
    listed = [{"token": TOKENS[i], "logprob": number} for i, number in enumerate(logprobs) if number is not None]
    token = {"token": TOKENS[drawn], "logprob": logprobs[drawn], "top_logprobs": listed}
    answer = {"choices": [{"finish_reason": "stop", "logprobs": {"content": [token]}}]}
    return answer if target is None else {"target": target, "response": answer}


def responses(seed: int, rows: int, listed: int = len(TOKENS)) -> tuple[Any, Any, list[dict[str, Any]]]:
    """Return the log-probabilities of the tokens, the right choices, and the responses with the most probable ones."""
    random = np.random.default_rng(seed)
    logprobs = log_softmax(random.normal(0, 2, (rows, len(TOKENS))), axis=1)
    targets = (merged(logprobs) / 1.5 + random.gumbel(size=(rows, 3))).argmax(1)
    documents = []
    for row, target in zip(logprobs, targets, strict=True):
        top = np.argsort(-row)[:listed]
        drawn = next(i for i in top if CHOICES[i] is not None)
        shown = [float(number) if i in top else None for i, number in enumerate(row)]
        documents.append(response(shown, int(drawn), "ABC"[target]))
    return logprobs, targets, documents


def merged(logprobs: Any) -> Any:
    """Return the logarithms of the probabilities of the choices."""
    probs = np.exp(logprobs)
    return np.log(np.stack([sum(probs[:, i] for i, c in enumerate(CHOICES) if c == choice) for choice in "ABC"], 1))


def test_spellings_of_a_choice_are_merged_before_the_temperature() -> None:
    logprobs, targets, documents = responses(1, 60)
    stdout, stderr = calibrated(lines(*documents), "--choices", "A,B,C", "-f", "json", "--resamples", "20")
    [result] = json.loads(stdout)
    tau = best_tau(merged(logprobs), targets)
    assert result["tau"] == pytest.approx(tau, rel=1e-6)
    # All tokens are listed, so only their rounding is unknown.
    assert result["tau_min"] <= tau <= result["tau_max"] == pytest.approx(result["tau_min"], rel=1e-4)
    expected = tsoft.reliability(merged(logprobs), targets, tau, resamples=0)
    for name in BOUNDED:
        value = {measure.name: measure.value for measure in expected.measurements}[name]
        low, high = (result["reports"][1][f"{name}_{end}"] for end in ("low", "high"))
        assert low - 1e-12 <= value <= high + 1e-12
    assert "choice 'A' has the probabilities of ' A', '(A', 'A' together" in stderr
    assert "so τ calibrates the choice between them; it is no temperature at which to sample text" in stderr


def test_unlisted_tokens_are_bounded() -> None:
    """The bounds contain the fit and the measures of the whole distribution, which the response does not list."""
    logprobs, targets, documents = responses(2, 60, listed=5)
    kept = [i for i, each in enumerate(documents) if has_target(each)]
    stdout, stderr = calibrated(
        lines(*(documents[i] for i in kept)), "--choices", "A,B,C", "-f", "json", "--resamples", "20"
    )
    [result] = json.loads(stdout)
    z = merged(logprobs[kept])
    assert result["tau_min"] < best_tau(z, targets[kept]) < result["tau_max"]
    assert result["tau_min"] < result["tau"] < result["tau_max"]
    for report in result["reports"]:
        expected = tsoft.reliability(z, targets[kept], report["tau"], resamples=0)
        for measure in expected.measurements:
            if measure.name in BOUNDED:
                assert report[f"{measure.name}_low"] <= measure.value <= report[f"{measure.name}_high"], measure.name
    assert "whatever the others are, the best τ is from" in stderr
    one, note = calibrated(lines(*(documents[i] for i in kept)), "--choices", "A,B,C")
    assert float(one) == result["tau"]
    assert "the best τ is from" in note


def has_target(document: dict[str, Any]) -> bool:
    [token] = document["response"]["choices"][0]["logprobs"]["content"]
    return any(CHOICES[TOKENS.index(each["token"])] == document["target"] for each in token["top_logprobs"])


def test_listed_only_has_all_measures() -> None:
    logprobs, targets, documents = responses(3, 50, listed=6)
    kept = [i for i, each in enumerate(documents) if has_target(each)]
    arguments = ("--choices", "A,B,C", "--listed-only", "-f", "json", "--measures", "all", "--resamples", "0")
    [result] = json.loads(calibrated(lines(*(documents[i] for i in kept)), *arguments)[0])
    listed = np.where(np.argsort(np.argsort(-logprobs, 1), 1) < 6, logprobs, -np.inf)[kept]
    with np.errstate(divide="ignore"):
        expected = best_tau(merged(listed), targets[kept])
    assert result["tau"] == pytest.approx(expected, rel=1e-6)
    assert "smooth_ece" in result["reports"][0]


@pytest.mark.parametrize("seed", range(3))
def test_bounds_contain_random_distributions(seed: int) -> None:
    """Random shares of the unlisted probability, against scipy's fit."""
    random = np.random.default_rng(seed)
    low = np.log(random.dirichlet(np.ones(4), 30) * 0.9)
    low[random.random(low.shape) < 0.2] = -np.inf
    targets = np.array([random.choice(np.flatnonzero(np.isfinite(row))) for row in low])
    rest = 1 - np.exp(low).sum(1)
    high = np.logaddexp(low, np.log(rest)[:, np.newaxis])
    bounds, measures = tau_bounds(low, high, targets), measure_bounds(low, high, targets, 0.8, 10)
    for _ in range(20):
        shares = random.dirichlet(np.full(5, 0.3), 30)[:, :4] * rest[:, np.newaxis]
        with np.errstate(divide="ignore"):
            z = np.log(np.exp(low) + shares)
        listed = np.where(np.isneginf(z), -1e3, z)
        assert bounds.low <= best_tau(listed, targets) <= bounds.high
        report = tsoft.reliability(z, targets, 0.8, bins=10, resamples=0)
        values = {measure.name: measure.value for measure in report.measurements}
        assert all(each.low <= values[name] <= each.high for name, each in measures.items())


def test_targets_from_a_file_and_test_rows(tmp_path: Path) -> None:
    _, targets, documents = responses(4, 40)
    bare = lines(*(document["response"] for document in documents))
    (tmp_path / "targets.txt").write_text("".join(f"{'ABC'[target]}\n" for target in targets))
    (tmp_path / "test.jsonl").write_text(lines(*documents[:7]))
    files = ("--targets", str(tmp_path / "targets.txt"), "--test", str(tmp_path / "test.jsonl"))
    stdout, _ = calibrated(bare, "--choices", "A,B,C", *files, "-f", "csv", "--resamples", "0")
    assert [line.split(",")[0::2][:2] for line in stdout.splitlines()[1:]] == [["fit", "40"]] * 2 + [["test", "7"]] * 2
    assert float(calibrated(lines(*documents), "--choices", "A,B,C")[0]) == float(stdout.splitlines()[2].split(",")[1])
    (tmp_path / "targets.txt").write_text("A\n")
    error = calibrated(bare, "--choices", "A,B,C", *files[:2], code=1)[1]
    assert "1 target, but 40 texts; expected one target per text" in error


def test_another_field_names_the_right_answer() -> None:
    _, _, documents = responses(9, 30)
    expected = calibrated(lines(*documents), "--choices", "A,B,C")[0]
    renamed = [{"gold": each["target"], "target": "E", "response": each["response"]} for each in documents]
    assert calibrated(lines(*renamed), "--choices", "A,B,C", "--target-column", "gold")[0] == expected


def test_a_text_whose_target_is_ignored_is_left_out() -> None:
    _, _, documents = responses(5, 10)
    ignored = documents[3] | {"target": -100}
    stdout, stderr = calibrated(lines(*documents, ignored), "--choices", "A,B,C", "--ignore-index", "-100")
    assert stdout == calibrated(lines(*documents), "--choices", "A,B,C")[0]
    assert "-100" in stderr


def test_texts_without_a_choice_are_left_out() -> None:
    _, _, documents = responses(5, 10)
    other = response([-3.0, None, -2.0, None, None, None, -0.2], 6, "A")
    stdout, stderr = calibrated(lines(other, *documents), "--choices", "A,B,C")
    assert stdout == calibrated(lines(*documents), "--choices", "A,B,C")[0]
    assert "1 of 11 texts has no token that is one of the choices; tsoft leaves them out" in stderr


def test_an_inspect_log_has_its_targets(tmp_path: Path) -> None:
    _, _, documents = responses(6, 20)
    with zipfile.ZipFile(tmp_path / "log.eval", "w") as archive:
        for i, document in enumerate(documents):
            fields = {"id": i, "target": [document["target"]], "output": document["response"]}
            archive.writestr(f"samples/{i}_epoch_1.json", json.dumps(fields))
    stdout, _ = calibrated("", str(tmp_path / "log.eval"), "--choices", "A,B,C")
    assert stdout == calibrated(lines(*documents), "--choices", "A,B,C")[0]


def test_the_answer_may_come_after_other_tokens() -> None:
    """The first token that was drawn and is a choice is the answer."""
    _, _, documents = responses(7, 12)
    expected = calibrated(lines(*documents), "--choices", "A,B,C")[0]
    for document in documents:
        content = document["response"]["choices"][0]["logprobs"]["content"]
        start = {"token": "The", "logprob": -0.1, "top_logprobs": [{"token": "The", "logprob": -0.1}]}
        content[:] = [start, *content, start]
    assert calibrated(lines(*documents), "--choices", "A,B,C")[0] == expected


def test_a_table_shows_bounds() -> None:
    stdout, _ = calibrated(
        lines(*filter(has_target, responses(8, 60, listed=5)[2])),
        *("--choices", "A,B,C", "-f", "table", "--resamples", "20"),
    )
    assert "among the listed tokens; from" in stdout
    assert "low–high: bounds, because the response lists only part of the tokens" in stdout


ANSWERED = response([-0.5, None, -1.5, None, None, None, None], 0, "A")


@each_case(
    ("documents", "arguments", "code", "problem"),
    [
        ([ANSWERED], (), 1, "pass --choices A,B if the answer is one of a few tokens; tsoft audit --chosen estimates"),
        ([ANSWERED], ("--choices", "A"), 2, "--choices: expected two or more answers"),
        ([ANSWERED], ("--choices", "A,(A"), 2, "'A' and '(A' have the same spellings"),
        ([ANSWERED], ("--choices", "X,Y"), 1, "no token is one of the choices X, Y; check --choices"),
        ([ANSWERED], ("--choices", "A,B", "--measures", "mce"), 2, "there are no bounds on mce; choose from nll"),
        (
            [ANSWERED],
            ("--choices", "A,B", "-o", "a.svg"),
            2,
            "the measures are bounds, which cannot be drawn; add --listed-only",
        ),
        ([ANSWERED], ("--choices", "A,B", "--by", "a"), 2, "--by has no effect with --choices"),
        ([ANSWERED], ("--listed-only",), 2, "--listed-only has no effect without --choices"),
        ([ANSWERED["response"]], ("--choices", "A,B"), 1, "text 0 has no field 'target' with a label or an index;"),
        (
            [ANSWERED | {"target": {}}],
            ("--choices", "A,B"),
            1,
            "text 0 has no field 'target' with a label or an index;",
        ),
        ([ANSWERED | {"target": -1}], ("--choices", "A,B"), 1, "target of text 0: unknown class '-1'"),
        ([ANSWERED | {"target": "E"}], ("--choices", "A,B"), 1, "target of text 0: unknown class 'E'"),
        ([ANSWERED | {"target": "C"}], ("--choices", "A,B,C"), 1, "does not list the right choice of 1 of 1 texts"),
        ([{"logits": [1, 2], "target": 0}], ("--choices", "A,B"), 2, "--choices works only with an API response"),
    ],
)
def test_what_choices_cannot_be(documents: Any, arguments: tuple[str, ...], code: int, problem: str) -> None:
    assert problem in calibrated(lines(*documents), *arguments, code=code)[1]
