"""`tsoft audit`: draws from files, made with numpy, against the settings that were requested."""

import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from cases import each_case
from tool import here, here_on_terminal

ROWS, CLASSES = 4, 300


def logits() -> Any:
    return np.random.default_rng(7).normal(0, 2.5, (ROWS, CLASSES))


def drawn(probs: Any, count: int, seed: int = 1) -> Any:
    random = np.random.default_rng(seed)
    return np.array([random.choice(probs.shape[1], count, p=row) for row in probs])


def top_k(z: Any, k: int) -> Any:
    return np.where(z >= np.sort(z, axis=1)[:, -k, np.newaxis], z, -np.inf)


def top_p(z: Any, tau: float, p: float) -> Any:
    probs = softmax(z / tau, axis=1)
    order = np.argsort(-probs, axis=1)
    before = np.take_along_axis(probs, order, 1).cumsum(1) - np.take_along_axis(probs, order, 1)
    kept = np.zeros(z.shape, bool)
    np.put_along_axis(kept, order, before < p, axis=1)
    return np.where(kept, z, -np.inf)


@pytest.fixture
def audited(tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """A function that audits draws with some options, and returns the exit code and the JSON object."""

    def run(probs: Any, *options: str, count: int = 150) -> tuple[int, dict[str, Any]]:
        np.save(tmp_path / "z.npy", logits())
        np.save(tmp_path / "draws.npy", drawn(probs, count))
        done = here("audit", "-i", f"{tmp_path}/z.npy", "--draws", f"{tmp_path}/draws.npy", *options, "-f", "json")
        assert not done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)[0]

    return run


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {finding["finding"]: finding["verdict"] for finding in report["findings"]}


def finding(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in report["findings"] if each["finding"] == name)


Audited = Callable[..., tuple[int, dict[str, Any]]]

# What is requested, and what is found


def test_a_server_that_applies_the_requested_settings_is_confirmed(audited: Audited) -> None:
    code, report = audited(softmax(top_k(logits(), 20) / 0.7, axis=1), "--tau", "0.7", "--top-k", "20")
    found = finding(report, "top_k")
    assert (code, report["verdict"]) == (0, "confirmed")
    assert set(verdicts(report).values()) == {"confirmed", "noted"}
    assert report["tau_low"] < 0.7 < report["tau_high"]
    assert found["low"] <= 20 <= found["high"] < 30


def test_another_temperature_is_contradicted(audited: Audited) -> None:
    code, report = audited(softmax(logits(), axis=1), "--tau", "0.7")
    assert code == 3
    assert finding(report, "tau")["p_value"] < 1e-6
    assert report["tau_low"] < 1 < report["tau_high"]
    assert verdicts(report)["other_cutoffs"] == "confirmed"


def test_a_hidden_cutoff_is_found_and_does_not_change_the_temperature(audited: Audited) -> None:
    code, report = audited(softmax(top_k(logits(), 10) / 1.4, axis=1), "--tau", "1.4")
    assert (code, verdicts(report)["other_cutoffs"]) == (3, "contradicted")
    assert finding(report, "top_k")["low"] <= 10 <= finding(report, "top_k")["high"]
    assert report["tau_low"] < 1.4 < report["tau_high"]


@pytest.mark.parametrize(
    ("options", "name"),
    [(["--top-k", "5"], "top_k"), (["--top-p", "0.5"], "top_p"), (["--min-p", "0.3"], "min_p")],
)
def test_a_cutoff_that_is_not_applied_is_contradicted(audited: Audited, options: list[str], name: str) -> None:
    code, report = audited(softmax(logits(), axis=1), "--tau", "1", *options)
    assert (code, verdicts(report)[name]) == (3, "contradicted")
    assert verdicts(report)["tau"] != "contradicted"


@pytest.mark.parametrize("engine", ["llama.cpp", "vllm"])
def test_ranges_of_cutoffs_that_change_each_other_contain_the_requested_values(audited: Audited, engine: str) -> None:
    # Among the 20 most probable classes, a top-p of 0.8 removes more than it does alone.
    kept = top_p(top_k(logits(), 20), 1, 0.8)
    options = ("--tau", "1", "--top-k", "20", "--top-p", "0.8", "--like", engine)
    _, report = audited(softmax(kept, axis=1), *options, count=400)
    for name, value in (("top_k", 20), ("top_p", 0.8)):
        found = finding(report, name)
        assert found["verdict"] != "contradicted"
        assert found["low"] <= value <= (found["high"] or math.inf), name


def test_the_order_of_an_engine_decides_which_draws_contradict(audited: Audited) -> None:
    # llama.cpp applies top-p before the temperature, transformers after it, which keeps fewer classes below 1.
    probs = softmax(top_p(logits(), 1, 0.9) / 0.5, axis=1)
    options = ("--tau", "0.5", "--top-p", "0.9")
    _, as_transformers = audited(probs, *options, count=600)
    _, as_llama = audited(probs, *options, "--like", "llama.cpp", count=600)
    assert verdicts(as_transformers)["top_p"] == "contradicted"
    assert verdicts(as_llama)["top_p"] != "contradicted"


def test_a_cutoff_is_not_contradicted_by_another_temperature(audited: Audited) -> None:
    """Half of the draws are at 0.4: all are inside top-p 0.9 at 1, as requested, but not at the estimate."""
    z = top_p(logits(), 1.0, 0.9)
    code, report = audited((softmax(z, axis=1) + softmax(z / 0.4, axis=1)) / 2, "--tau", "1", "--top-p", "0.9")
    assert (code, verdicts(report)["tau"], verdicts(report)["top_p"]) == (3, "contradicted", "inconclusive")
    assert finding(report, "top_p")["reason"].endswith(", but not at the requested one")


def test_too_few_draws_are_inconclusive_and_more_would_decide(audited: Audited) -> None:
    code, report = audited(softmax(logits() / 0.7, axis=1), "--tau", "0.7", count=10)
    needed = finding(report, "tau")["draws_needed"]
    assert (code, verdicts(report)["tau"]) == (4, "inconclusive")
    code, report = audited(softmax(logits() / 0.7, axis=1), "--tau", "0.7", count=math.ceil(needed / ROWS))
    assert verdicts(report)["tau"] == "confirmed"


def test_without_a_request_there_is_nothing_to_confirm(audited: Audited) -> None:
    code, report = audited(softmax(top_k(logits(), 10) / 1.4, axis=1))
    assert (code, report["verdict"], verdicts(report)["fit"]) == (0, "noted", "confirmed")
    assert "other_cutoffs" not in verdicts(report)
    assert finding(report, "top_k")["low"] == 10
    # JSON tells 10 from 10.0.
    assert type(finding(report, "top_k")["low"]) is int


@pytest.mark.parametrize("option", ["--top-p=1", "--top-k=0"])
def test_a_value_that_switches_a_cutoff_off_requests_no_cutoff(audited: Audited, option: str) -> None:
    code, report = audited(softmax(top_k(logits(), 10) / 1.4, axis=1), option)
    assert (code, report["verdict"], verdicts(report)["other_cutoffs"]) == (3, "contradicted", "contradicted")


def test_temperature_0_must_draw_the_most_probable_class(audited: Audited) -> None:
    greedy = (logits() == logits().max(1, keepdims=True)).astype(float)
    code, report = audited(greedy, "--tau", "0", count=30)
    assert (code, verdicts(report)["tau"]) == (0, "confirmed")
    assert (report["tau"], report["tau_low"]) == (0, 0)
    code, report = audited(softmax(logits() / 0.5, axis=1), "--tau", "0", count=30)
    assert (code, verdicts(report)["tau"]) == (3, "contradicted")


def test_one_class_that_is_always_drawn_contradicts_the_settings_together(audited: Audited) -> None:
    # A top-k of 1 and a temperature near 0 look the same, and both contradict a temperature of 1 without cutoffs.
    greedy = (logits() == logits().max(1, keepdims=True)).astype(float)
    code, report = audited(greedy, "--tau", "1", count=30)
    assert (code, verdicts(report)["tau"], verdicts(report)["together"]) == (3, "inconclusive", "contradicted")
    assert (report["tau"], report["tau_low"]) == (0, 0)
    probs = softmax(logits() / report["tau_high"], axis=1).max(1)
    assert (probs**30).prod() == pytest.approx(0.025)


def test_probabilities_of_no_temperature_do_not_fit(audited: Audited) -> None:
    mixed = 0.5 * softmax(logits() / 0.2, axis=1) + 0.5 / CLASSES
    code, report = audited(mixed, count=400)
    assert (code, verdicts(report)["fit"]) == (3, "contradicted")


def test_the_level_and_the_tolerance_decide(audited: Audited) -> None:
    probs = softmax(logits() / 0.7, axis=1)
    _, strict = audited(probs, "--tau", "0.75", "--tolerance", "0.01", "--level", "1e-9")
    _, loose = audited(probs, "--tau", "0.75", "--tolerance", "0.3")
    assert (verdicts(strict)["tau"], verdicts(loose)["tau"]) == ("inconclusive", "confirmed")


# The forms of draws


def as_csv(draws: Any) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([["row", "tau", "index"], *((r, 1, i) for r, row in enumerate(draws) for i in row)])
    return stream.getvalue()


def as_records(draws: Any) -> str:
    return "".join(json.dumps({"row": r, "draws": row.tolist()}) + "\n" for r, row in enumerate(draws))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("table.csv", as_csv),
        ("draws.json", lambda draws: json.dumps(draws.tolist())),
        ("draws.jsonl", as_records),
    ],
)
def test_draws_of_several_rows_have_several_forms(tmp_path: Path, name: str, text: Callable[[Any], str]) -> None:
    np.save(tmp_path / "z.npy", logits())
    draws = drawn(softmax(logits(), axis=1), 40)
    np.save(tmp_path / "draws.npy", draws)
    (tmp_path / name).write_text(text(draws))
    array, other = (
        here("audit", "-i", f"{tmp_path}/z.npy", "--draws", f"{tmp_path}/{file}", "-f", "json")
        for file in ("draws.npy", name)
    )
    assert array.returncode == 0, array.stderr
    assert other.stdout == array.stdout


def test_draws_are_labels_indices_and_counts() -> None:
    labels = ["audit", "cat=2", "dog=1", "a\tb=0", "#2=-1"]
    names = ["cat"] * 60 + ["dog"] * 20 + ["a\\tb"] * 8 + ["#3"] * 2
    done = here(*labels, "--draws", "-", "-f", "json", stdin="\n".join(names))
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)[0]["rows"][0]
    assert dict(zip(row["labels"], row["counts"], strict=True)) == {"cat": 60, "dog": 20, "a\tb": 8, "#2": 2}
    counts = "cat\t60\ndog\t20\na\\tb\t8\n#3\t2\n"
    counted = here(*labels, "--draws", "-", "--counts", "-f", "json", stdin=counts)
    assert json.loads(counted.stdout)[0]["rows"][0]["counts"] == row["counts"]


def test_what_sample_writes_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", logits())
    sample = ("sample", "-i", f"{tmp_path}/z.npy", "--tau", "0.8", "-n", "100", "--seed", "5", "-f")
    results = []
    for form in (["csv"], ["json", "--draws"], ["jsonl", "--draws"]):
        text = here(*sample, *form).stdout
        (tmp_path / "draws").write_text(text)
        done = here("audit", "-i", f"{tmp_path}/z.npy", "--draws", f"{tmp_path}/draws", "-f", "json")
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout)[0])
    assert results[0] == results[1] == results[2]
    assert results[0]["tau_low"] < 0.8 < results[0]["tau_high"]


@pytest.mark.parametrize("form", [["csv"], ["csv", "--draws"], ["json"], ["jsonl"]])
def test_what_sample_writes_of_unusual_labels_is_read(form: list[str], tmp_path: Path) -> None:
    labels = ["a", "a", "", "\x1b[31m", "a\tb", 'a"b,\nc', "back\\slash"]
    (tmp_path / "z.json").write_text(json.dumps({"logits": [0] * 7, "labels": labels}))
    draws = here("sample", "-i", f"{tmp_path}/z.json", "-n", "700", "--seed", "1", "-f", *form).stdout
    done = here("audit", "-i", f"{tmp_path}/z.json", "--draws", "-", "-f", "json", stdin=draws)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(json.loads(done.stdout)[0]["rows"][0]["counts"]) == 700


# Responses


def response(tau: float, tokens: int, listed: int = 20, *, is_raw: bool = True) -> dict[str, Any]:
    """Return a response whose tokens are drawn at a temperature, with the log-probabilities of some of them."""
    random = np.random.default_rng(3)
    content = []
    for _ in range(tokens):
        z = random.normal(0, 2, 60)
        index = int(random.choice(60, p=softmax(z / tau)))
        logprobs = log_softmax(z if is_raw else z / tau)
        top = [{"token": f"t{i}", "logprob": float(logprobs[i])} for i in np.argsort(-logprobs)[:listed]]
        content.append({"token": f"t{index}", "logprob": float(logprobs[index]), "top_logprobs": top})
    message = {"role": "assistant", "content": "text"}
    return {"choices": [{"index": 0, "message": message, "logprobs": {"content": content}}]}


def audited_response(value: dict[str, Any], *options: str) -> dict[str, Any]:
    done = here("audit", "--chosen", *options, "-f", "json", stdin=json.dumps(value))
    report: dict[str, Any] = json.loads(done.stdout)[0]
    return report


def test_the_drawn_tokens_of_a_response_show_their_temperature() -> None:
    report = audited_response(response(0.6, 100), "--tau", "0.6", "--tolerance", "0.6")
    assert verdicts(report)["tau"] == "confirmed"
    assert report["tau_low"] < 0.6 < report["tau_high"]


def test_log_probabilities_after_the_temperature_are_no_contradiction() -> None:
    value, options = response(0.6, 60, is_raw=False), ("--tau", "0.6", "--tolerance", "0.6")
    unknown, known = audited_response(value, *options), audited_response(value, *options, "--applied-tau", "0.6")
    assert verdicts(unknown)["tau"] == "inconclusive"
    assert "after the temperature" in finding(unknown, "tau")["reason"]
    assert verdicts(known)["tau"] == "confirmed"


def test_a_short_list_does_not_bias_the_estimate() -> None:
    # With three alternatives, many drawn tokens are listed only because they were drawn.
    report = audited_response(response(1.2, 100, listed=3), "--tau", "1.2")
    assert float(report["tau_low"]) < 1.2 < float(report["tau_high"])
    assert verdicts(report)["tau"] != "contradicted"


# The display


def test_a_terminal_shows_what_was_requested_and_found(tmp_path: Path) -> None:
    (tmp_path / "draws").write_text("cat\n" * 2800 + "dog\n" * 1030 + "\x1b[31mred\n" * 380)
    screen = here_on_terminal("audit", "cat=2", "dog=1", "\x1b[31mred=0", "--draws", f"{tmp_path}/draws", "--tau", "1")
    assert "requested" in screen
    assert "verdict: " in screen
    assert "\\x1b[31mred" in screen


def test_the_reason_of_a_verdict_shows_control_characters_as_escapes() -> None:
    draws = "dog\t30\ncat\t12\n\x1b]0;x\x07\t9\n"
    labels = ("dog=2", "cat=1", "\x1b]0;x\x07=0.5")
    done = here("audit", *labels, "--draws", "-", "--counts", "--tau", "1", "--top-k", "2", "-f", "table", stdin=draws)
    assert done.returncode == 3
    assert "such as \\x1b]0;x\\x07 in row 0" in done.stdout
    assert "\x1b" not in done.stdout


# Errors


def complaint(*arguments: str, stdin: str = "", code: int = 1) -> str:
    done = here("audit", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr.splitlines()[-1].removeprefix("tsoft: error: ")


@each_case(
    ("stdin", "options", "message"),
    [
        ("cow\n", [], "stdin:1: unknown class 'cow'; choose from cat, dog"),
        ("cat\nmouse\n", [], "stdin:2: unknown class 'mouse'"),
        ("cat\t3\n", [], "stdin:1: a line has two fields"),
        ("cat\n", ["--counts"], "stdin:1: expected a class, a tab and a count, got 'cat'; remove --counts"),
        ("cat,270\n", ["--counts"], "a tab and a count, got 'cat,270'; write a tab in place of the comma"),
        ("cat\tx\n", ["--counts"], "stdin:1: expected a whole number, got 'x'"),
        ("cat\t0\n", ["--counts"], "stdin: all counts are 0"),
        ("", [], "stdin: no draws"),
        ("row,label\n7,cat\n", [], "stdin:2: there is no row 7; the rows are 0 to 0"),
        ("tau,label\n1,cat\n2,dog\n", [], "stdin:3: the draws have several temperatures"),
        ("[1.5]", [], "stdin: element 0: expected a label or an index"),
        ('[{"row": 0}]', [], "stdin: element 0: expected draws or counts"),
        ("cat\t" + "9" * 5000, ["--counts"], "stdin:1: 99999"),
        ("row,label\n" + "9" * 5000 + ",cat\n", [], "is too large; write at most 18 digits"),
        ("row,label\n0," + "x" * 200000 + "\n", [], "stdin:2: not a table: field larger than field limit"),
        ("row,label,label\n0,dog,cat\n", [], "stdin:1: two columns have the same name"),
        ('[{"tau": [1], "draws": ["cat"]}]', [], "stdin: element 0, tau: expected one per record, got an array"),
        ("#-1\n", [], "stdin:1: unknown class '#-1'; use a label, or an index from #0 to #1"),
        # Draws from other rows.
        ("row,index,label\n0,0,cow\n", [], "stdin:2: class #0 is 'cat' in the logits, but 'cow' here"),
        ('[{"counts": [1, 2], "labels": ["cow", "dog"]}]', [], "class #0 is 'cat' in the logits, but 'cow' here"),
        ('[{"counts": [1, 2, 3]}]', [], "stdin: element 0: expected a count for each of the 2 classes of row 0, got 3"),
        ('[{"counts": [1]}]', [], "stdin: element 0: expected a count for each of the 2 classes of row 0, got 1"),
    ],
)
def test_bad_draws(stdin: str, options: list[str], message: str) -> None:
    assert message in complaint("cat=2", "dog=1", "--draws", "-", *options, stdin=stdin)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (1, 0)])
def test_an_array_without_draws(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "draws.npy", np.zeros(shape, int))
    assert "draws.npy: no draws; write one label" in complaint("2", "1", "0", "--draws", f"{tmp_path}/draws.npy")


@pytest.mark.parametrize("stdin", ["[1, 0]", "row,index\n0,1\n", '{"counts": [1, 2]}'])
def test_counts_has_no_effect_on_records(stdin: str) -> None:
    message = complaint("cat=2", "dog=1", "--draws", "-", "--counts", stdin=stdin, code=2)
    assert "--counts has no effect on draws in " in message


@each_case(
    ("arguments", "message"),
    [
        (["cat=2", "dog=1"], "no draws; pass --draws FILE"),
        (["cat=2", "dog=1", "--counts"], "--counts has no effect without --draws"),
        (["cat=2", "--draws", "-", "--chosen"], "--draws and --chosen are mutually exclusive"),
        (["--draws", "-", "-i", "-"], "--draws - and the logits both read stdin"),
        (["1", "2", "--draws", "-", "--tau", "1,2"], "an audit tests one temperature"),
        (["1", "2", "--draws", "-", "--level", "0"], "--level: expected a number between 0 and 1"),
        (["1", "2", "--draws", "-", "--tolerance", "nan"], "--tolerance"),
        (["1", "2", "--draws", "-", "--xtc-probability", "0.5"], "an audit cannot test xtc"),
        (["1", "2", "--draws", "-", "--top-k", "2", "--like", "all"], "an audit tests one engine"),
    ],
)
def test_bad_usage(arguments: list[str], message: str) -> None:
    assert message in complaint(*arguments, stdin="#0\n", code=2)


def test_a_masked_class_cannot_be_drawn() -> None:
    assert "is masked, so it cannot be drawn" in complaint("a=1", "b=-inf", "--draws", "-", stdin="b\n")


def test_rows_without_a_row_in_the_draws_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", logits())
    text = complaint("-i", f"{tmp_path}/z.npy", "--draws", "-", stdin="1\n" * 7)
    assert "7 draws without a row for 4 rows" in text
    done = here("audit", "-i", f"{tmp_path}/z.npy", "--draws", "-", stdin="1\n" * ROWS)
    assert "tsoft takes them for one draw of each of the 4 rows" in done.stderr


def test_expected_counts_show_all_digits_before_the_point(tmp_path: Path) -> None:
    (tmp_path / "z.txt").write_text("2 0\n")
    (tmp_path / "draws.txt").write_text("0\n" * 1800 + "1\n" * 200)
    files = ("-i", str(tmp_path / "z.txt"), "--draws", str(tmp_path / "draws.txt"))
    shown = here("audit", *files, "--tau", "1", "-f", "table").stdout
    expected = 2000 * softmax([2, 0])
    assert re.search(rf"#0 +1800 +{expected[0]:.0f}\n", shown)
    assert re.search(rf"#1 +200 +{expected[1]:.0f}\n", shown)
