"""The samplers that depend on the text: penalties, DRY, mirostat and adaptive-p, against the definitions."""

import itertools
import json
from collections import Counter
from math import inf, log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import tsoft
from cases import each_case
from tool import here
from tsoft.sampling.chain import Chain
from tsoft.sampling.explanation import explain
from tsoft.sampling.history import History, sequence_breaks
from tsoft.sampling.penalties import dry
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.step import Step

TOKENS = st.lists(st.integers(0, 3), max_size=30)
LOGITS = np.array([2.0, -1.5, 0.0, 0.7, -inf])


def printed(*arguments: str, stdin: str | None = None) -> list[float]:
    """Return the probabilities that tsoft prints in a pipe."""
    done = here("compute", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return [float(field) for field in done.stdout.split()]


def softmax(z: Any) -> Any:
    powers = np.exp(np.asarray(z) - np.max(z))
    return powers / powers.sum()


# Penalties


def penalized(z: float, count: int, repetition: float, presence: float, frequency: float) -> float:
    """The definition for one token that occurs `count` times."""
    if count == 0:
        return z
    z = z * repetition if z < 0 else z / repetition
    return z - presence - count * frequency


@given(TOKENS, st.floats(0.1, 5), st.floats(-2, 2), st.floats(-2, 2), st.integers(0, 40))
def test_penalties_follow_the_definition_token_by_token(
    tokens: list[int], repetition: float, presence: float, frequency: float, last_n: int
) -> None:
    counts = Counter(tokens[max(0, len(tokens) - last_n) :])
    expected = [penalized(z, counts[i], repetition, presence, frequency) for i, z in enumerate(LOGITS.tolist())]
    result = tsoft.penalties(LOGITS, np.array(tokens, int), repetition, presence, frequency, last_n)
    assert_allclose(result, expected, rtol=1e-12)


def test_penalties_do_not_overflow() -> None:
    z = np.array([1e308, -1e308, 0.0])
    result = tsoft.penalties(z, [0, 1], repetition=1e-3, frequency=-1e308)
    assert np.isfinite(result).all()
    assert result.argmax() == 0


@each_case(
    ("arguments", "error"),
    [
        (([0.5],), ValueError),
        (([[1]],), ValueError),
        (([4],), IndexError),
        (([-1],), IndexError),
        (([0], 0.0), ValueError),
        (([0], 1.0, float("nan")), ValueError),
        (([0], 1.0, 0.0, 0.0, 2.5), ValueError),
    ],
)
def test_bad_arguments_of_penalties(arguments: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        tsoft.penalties([1.0, 2.0, 3.0], *arguments)


# DRY


@pytest.mark.parametrize(
    ("breakers", "error", "message"),
    [
        ([0.5], ValueError, "breakers must be a list of whole numbers"),
        ([3], IndexError, "breakers must be classes, from 0 to 2"),
    ],
)
def test_an_error_names_the_breakers_of_dry(breakers: list[float], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tsoft.dry([1.0, 2.0, 3.0], [0, 1], 0.8, breakers=breakers)


def dry_penalties(tokens: list[int], multiplier: float, base: float, allowed: int, limit: int) -> dict[int, float]:
    """The definition, by trying each earlier position and each length."""
    longest: dict[int, int] = {}
    for end in range(1, len(tokens)):
        length = 0
        while length < min(end, limit) and tokens[end - 1 - length] == tokens[len(tokens) - 1 - length]:
            length += 1
        if length >= allowed and len(tokens) > allowed and limit >= allowed:
            longest[tokens[end]] = max(longest.get(tokens[end], 0), length)
    return {token: multiplier * base ** (length - allowed) for token, length in longest.items()}


@given(TOKENS, st.integers(0, 4), st.integers(0, 40), st.sets(st.integers(0, 3), max_size=1))
def test_dry_follows_the_definition(tokens: list[int], allowed: int, last_n: int, breakers: set[int]) -> None:
    window = tokens[max(0, len(tokens) - last_n) :]
    places = [i for i, token in enumerate(reversed(window)) if token in breakers]
    penalties = dry_penalties(window, 0.8, 1.5, allowed, min(places, default=len(window)))
    expected = [-penalties.get(i, 0.0) * (i not in breakers) for i in range(4)]
    result = tsoft.dry(np.zeros(4), np.array(tokens, int), 0.8, 1.5, allowed, last_n, sorted(breakers))
    assert_allclose(result, expected, rtol=1e-12)


def test_dry_is_bounded_and_fast_for_a_long_repetition() -> None:
    """The penalty stays within float32, as in llama.cpp. A quadratic search would take minutes."""
    result = tsoft.dry(np.zeros(3), np.zeros(200_000, int), multiplier=1.0, base=2.0)
    assert result[0] == -(2.0**127)
    assert_array_equal(result[1:], 0)


@pytest.mark.parametrize(
    ("pieces", "breakers", "breaks", "alone"),
    [
        ([b"a", b"x:y", b"b"], [b":"], [-1, 0, -1], [False, True, False]),
        ([b"a\r", b"\n", b"b"], [b"\r\n"], [1, -1, -1], [False, False, False]),
        ([b"a\r", b"\nb"], [b"\r\n"], [-1, -1], [False, False]),
        ([b"ab", b"c", b"d", b"c"], [b"bcd", b"b"], [2, -1, -1, -1], [True, False, False, False]),
        ([b"", b"b"], [b"b"], [-1, 0], [False, True]),
        ([], [b"b"], [], []),
    ],
)
def test_sequence_breaks(pieces: list[bytes], breakers: list[bytes], breaks: list[int], alone: list[bool]) -> None:
    found, is_breaker = sequence_breaks(pieces, breakers)
    assert found.tolist() == breaks
    assert is_breaker.tolist() == alone


def test_a_breaker_of_several_tokens_counts_only_when_it_is_complete() -> None:
    """The sequence after the breaker has two tokens; the breaker's second token is not in the text yet at its end."""
    tokens = np.array([0, 1, 5, 6, 0, 1])
    breaks, alone = sequence_breaks([b"a", b"b", b"<", b">", b"a", b"b"], [b"<>"])
    assert dry(np.zeros(7), History(tokens, 0, breaks, alone), 1.0, 1.5, 2).tolist() == [0, 0, 0, 0, 0, -1, 0][:7]
    longer = np.append(tokens, 5)
    breaks, alone = sequence_breaks([b"a", b"b", b"<", b">", b"a", b"b", b"<"], [b"<>"])
    assert breaks.tolist()[-1] == -1
    assert dry(np.zeros(7), History(longer, 0, breaks, alone), 1.0, 1.5, 2)[6] == -1.5


# The samplers with a state


def test_mirostat_keeps_classes_up_to_its_limit_and_at_least_one() -> None:
    probs = np.array([0.5, 0.25, 0.125, 0.125])
    for mu, kept in ((3.1, 4), (2.9, 2), (2.1, 2), (1.5, 1), (-5.0, 1), (-5000.0, 1), (5000.0, 4)):
        assert (tsoft.mirostat(np.log2(probs) * np.log(2), mu) > -inf).sum() == kept
    # Of two classes at the top, the first remains.
    assert_array_equal(tsoft.mirostat([1.0, 1.0], 0.5) > -inf, [True, False])


# A text without structure, so that each token has the same distribution before the samplers.
CORPUS = "a a a a b b c c d e f g h . "


def generated(folder: Path, *options: str) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the tokens that a model of CORPUS generates, as in json, and the probabilities of all tokens without
    samplers."""
    (folder / "corpus").write_text(CORPUS)
    model = ("a", "--ngram", str(folder / "corpus"), "--order", "1")
    done = here("generate", *model, "--seed", "3", "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    [text] = json.loads(done.stdout)
    listed = json.loads(here("next", *model).stdout)
    probs = dict(zip(listed["labels"], softmax(listed["logits"]).tolist(), strict=True))
    return text["logprobs"], probs


def test_mirostat_carries_its_limit_from_token_to_token(tmp_path: Path) -> None:
    target, eta = 2.0, 0.2
    tokens, probs = generated(tmp_path, "--mirostat-tau", "2", "--mirostat-eta", "0.2", "--max-tokens", "150")
    mu, surprises = 2 * target, []
    for drawn in tokens:
        token, prob = drawn["token"], drawn["chosen_prob"]
        assert drawn["mirostat_mu"] == pytest.approx(mu, rel=1e-9)
        top = max(probs, key=lambda name: probs[name])
        kept = {name: p for name, p in probs.items() if -log2(p) <= mu} or {top: probs[top]}
        assert prob == pytest.approx(kept[token] / sum(kept.values()), rel=1e-9)
        surprises.append(-log2(prob))
        mu -= eta * (surprises[-1] - target)
    # The purpose of mirostat. The sum of the changes of mu is bounded, so the mean is close to the target.
    assert np.mean(surprises) == pytest.approx(target, abs=0.1)


def test_adaptive_p_carries_its_mean_from_token_to_token(tmp_path: Path) -> None:
    """The state is the weighted sum and the sum of the weights, as in llama.cpp."""
    target, decay = 0.1, 0.8
    options = ("--adaptive-target", "0.1", "--adaptive-decay", "0.8")
    tokens, probs = generated(tmp_path, *options, "--max-tokens", "100")
    total, weight = target / (1 - decay), 1 / (1 - decay)
    for drawn in tokens:
        token, prob = drawn["token"], drawn["chosen_prob"]
        assert drawn["adaptive_mean"] == pytest.approx(total / weight, rel=1e-9)
        preferred = min(max(2 * target - total / weight, 0.0), 1.0)
        distances = {name: abs((p - preferred) / 0.3) for name, p in probs.items()}
        weights = {name: np.exp(5 - 10 * d * d / (1 + d)) for name, d in distances.items()}
        assert prob == pytest.approx(weights[token] / sum(weights.values()), rel=1e-9)
        total, weight = probs[token] + decay * total, 1 + decay * weight


@pytest.mark.parametrize(
    ("options", "function"),
    [
        (("--mirostat-tau", "1", "--mirostat-mu", "1.5"), lambda z: tsoft.mirostat(z, 1.5)),
        (("--mirostat-tau", "1"), lambda z: tsoft.mirostat(z, 2.0)),
        (("--adaptive-target", "0.3", "--adaptive-mean", "0.5"), lambda z: tsoft.adaptive_p(z, 0.3, 0.5)),
        (("--adaptive-target", "0.3"), lambda z: tsoft.adaptive_p(z, 0.3)),
    ],
)
def test_compute_reads_the_state_of_a_sampler_from_an_option(options: tuple[str, ...], function: Any) -> None:
    z = np.array([2.0, 1.0, 0.5, 0.1])
    assert_allclose(printed("2", "1", "0.5", "0.1", *options), softmax(function(z)), rtol=1e-12)


def test_a_token_that_a_sampler_removes_leaves_its_state() -> None:
    """As in llama.cpp, where a token that the sampler did not draw changes nothing."""
    mirostat, adaptive = SAMPLERS["mirostat"], SAMPLERS["adaptive_p"]
    chain = Chain((Step(mirostat, (1.0, 0.5, 1.5)), Step(adaptive, (0.5, 0.5, 0.25))))
    stages = explain(chain.steps, np.log([0.8, 0.2]))
    assert chain.after_draw(stages, 1).states == (1.5, 0.25)
    assert chain.after_draw(stages, 0).states == (2.0, 0.625)


# The history


@pytest.mark.parametrize("form", [["a", "c", "c"], ["#0", "#2", "c"]])
def test_a_history_names_tokens_by_label_or_index(form: list[str], tmp_path: Path) -> None:
    (tmp_path / "history").write_text("\n".join(form))
    result = printed("a=2", "b=1", "c=-1", "--history", str(tmp_path / "history"), "--repetition-penalty", "2")
    assert_allclose(result, softmax([1, 1, -2]), rtol=1e-12)


def test_a_history_without_labels_has_indices(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("0\n#2\n2\n")
    options = ("--history", str(tmp_path / "history"), "--frequency-penalty", "0.5", "--presence-penalty", "1")
    assert_allclose(printed("2", "1", "0", *options), softmax([0.5, 1, -2]), rtol=1e-12)
    assert_allclose(printed("2", "1", "0", *options, "--penalty-last-n", "1"), softmax([2, 1, -1.5]), rtol=1e-12)


def test_tokens_that_a_list_of_logits_lacks_are_named(tmp_path: Path) -> None:
    """They have no logit to penalize, but are part of the last tokens and of repeated sequences."""
    (tmp_path / "history").write_text("a\nC#\nb\nC#\n")
    options = ("--history", str(tmp_path / "history"), "--format", "tsv")
    done = here("compute", "a=2", "b=1", "c=0", *options, "--presence-penalty", "1", "--penalty-last-n", "3")
    assert done.stderr.endswith(
        "history: these tokens are not among the classes, so no penalty applies to them: 'C#'\n"
    )
    assert_allclose([float(x) for x in done.stdout.split()], softmax([2, 0, 0]), rtol=1e-12)
    done = here("compute", "a=2", "b=1", "c=0", *options, "--dry-multiplier", "1", "--dry-allowed-length", "1")
    assert_allclose([float(x) for x in done.stdout.split()], softmax([2, 0, 0]), rtol=1e-12)


def test_a_label_of_several_classes_with_an_index_is_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a#2\n")
    options = ("--history", str(tmp_path / "history"), "--presence-penalty", "1")
    assert_allclose(printed("2", "1", "0", "--labels", "a,b,a", *options), softmax([2, 1, -1]), rtol=1e-12)


def test_history_on_stdin_with_a_line_break_as_a_token() -> None:
    options = ("--history", "-", "--presence-penalty", "1")
    labels = json.dumps(["a", "\n", "1"])
    result = printed("2", "1", "0", "--labels", labels, *options, stdin="\\n\n1\n")
    assert_allclose(result, softmax([2, 0, -1]), rtol=1e-12)


def test_sequence_breakers_of_the_history(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a\nb\nc\n:\na\nb\n")
    options = ("--history", str(tmp_path / "history"), "--dry-multiplier", "1", "--dry-allowed-length", "2")
    typed = ("a=0", "b=0", "c=0", ":=0")
    assert_allclose(printed(*typed, *options), softmax([0, 0, -1, 0]), rtol=1e-12)
    assert_allclose(printed(*typed, *options, "--dry-sequence-breaker", "b"), softmax([0, 0, 0, 0]), rtol=1e-12)
    # With one more token before each "a b", only a breaker keeps the repetition at two tokens.
    (tmp_path / "history").write_text(":\na\nb\nc\n:\na\nb\n")
    assert_allclose(printed(*typed, *options), softmax([0, 0, -1, 0]), rtol=1e-12)
    assert_allclose(printed(*typed, *options, "--dry-sequence-breaker", "none"), softmax([0, 0, -1.75, 0]), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "engine", "penalty"),
    [
        # koboldcpp.py has no breakers unless a request sets them.
        ("a : b a :", "koboldcpp", 1),
        ("a : b a :", "llama.cpp", 0),
        # generator/sampler/custom.py: dry_default_sequence_breaker_tokens.
        ("a : b a :", "exllamav3", 1),
        ("a . b a .", "exllamav3", 0),
    ],
)
def test_engines_have_different_sequence_breakers(text: str, engine: str, penalty: float, tmp_path: Path) -> None:
    (tmp_path / "history").write_text("\n".join(text.split()))
    options = ("--history", str(tmp_path / "history"), "--dry-multiplier", "1", "--like", engine)
    assert_allclose(printed("a=0", ":=0", "b=0", ".=0", *options), softmax([0, 0, -penalty, 0]), rtol=1e-6)


def test_engines_with_different_sequence_breakers_need_the_option(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a\nb\n")
    options = ("--history", str(tmp_path / "history"), "--dry-multiplier", "1", "--like", "llama.cpp,koboldcpp")
    done = here("compute", "a=0", "b=0", *options)
    problem = "llama.cpp and koboldcpp have different default sequence breakers; pass --dry-sequence-breaker"
    assert (done.returncode, done.stderr) == (2, f"tsoft: error: {problem}\n")
    assert here("compute", "a=0", "b=0", *options, "--dry-sequence-breaker", ":").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--repetition-penalty", "1.1"], "--repetition-penalty depends on the tokens before the distribution"),
        (["--presence-penalty", "1"], "--presence-penalty depends on the tokens before the distribution"),
        (["--history", "FILE"], "--history has no effect without a sampler that depends on it"),
        (["--history", "FILE", "--top-k", "2"], "--history has no effect without a sampler that depends on it"),
        (["--prompt-tokens", "1", "--presence-penalty", "1"], "--prompt-tokens has no effect without --history"),
        (["--history", "FILE", "--presence-penalty", "1", "--prompt-tokens", "9"], "--prompt-tokens 9: "),
        (["--history", "missing", "--presence-penalty", "1"], "missing: No such file"),
        (["--history", "", "--presence-penalty", "1"], "--history needs a file name"),
        (["--history", "-", "--presence-penalty", "1", "--tau", "-"], "both read stdin"),
        (
            ["--history", "FILE", "--presence-penalty", "1", "--labels", "x,y,z"],
            "history:1: unknown class 'a'; choose from x, y, z; --history has one token per line",
        ),
        (["--history", "FILE", "--presence-penalty", "1", "--labels", "c,c,a"], "2 classes have the label 'c'"),
        (["--history", "FILE", "--presence-penalty", "nan"], "--presence-penalty: expected a finite number, got nan"),
        (["--history", "FILE", "--repetition-penalty", "0"], "--repetition-penalty: expected a finite number above 0"),
        (["--history", "FILE", "--penalty-last-n", "2"], "has no effect without --repetition-penalty"),
        (
            ["--history", "FILE", "--dry-multiplier", "1", "--dry-sequence-breaker", ""],
            "--dry-sequence-breaker: pass a non-empty text, or only the word none",
        ),
        (["--dry-sequence-breaker", "x"], "--dry-sequence-breaker has no effect without --dry-multiplier"),
        (["--mirostat-mu", "2"], "--mirostat-mu has no effect without --mirostat-tau"),
        (["--adaptive-target", "0.2", "--adaptive-decay", "1"], "--adaptive-decay: expected a number from 0 to 0.99"),
        (
            [
                "--history",
                "FILE",
                "--repetition-penalty",
                "2",
                "--edt-theta",
                "1",
                "--samplers",
                "edt;penalties;temperature",
            ],
            "list penalties before edt",
        ),
    ],
)
def test_bad_options(arguments: list[str], problem: str, tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a\nc\n")
    words = [str(tmp_path / "history") if word == "FILE" else word for word in arguments]
    typed = ["2", "1", "0", "--labels", "a,b,c"] if "--labels" not in words else ["2", "1", "0"]
    done = here("compute", *typed, *words)
    assert done.returncode in (1, 2)
    assert problem in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["compute", "sweep", "sample"])
def test_the_same_text_before_several_rows_is_noted(command: str, tmp_path: Path) -> None:
    """Rows may be the positions of one text, each with its own text before it."""
    (tmp_path / "history").write_text("#1\n")
    options = ("--history", str(tmp_path / "history"), "--presence-penalty", "1", "--tau", "1")
    note = f"tsoft: note: tsoft takes the tokens of {tmp_path / 'history'} for the text before each row\n"
    for rows, expected in (("2 1\n", ""), ("2 1\n0 1\n3 2\n", note)):
        done = here(command, *options, stdin=rows)
        assert (done.returncode, done.stderr) == (0, expected)


def test_an_empty_history_is_noted() -> None:
    done = here("compute", "2", "1", "--history", "-", "--presence-penalty", "1")
    assert done.returncode == 0
    assert done.stderr == "tsoft: note: stdin has no tokens, so the samplers that depend on them change nothing\n"
    assert [float(p) for p in done.stdout.split()] == pytest.approx(softmax([2, 1]))


# API responses


def response(*top: tuple[str, float]) -> str:
    listed = [{"token": token, "logprob": float(np.log(p))} for token, p in top]
    content = [{"token": listed[0]["token"], "logprob": listed[0]["logprob"], "top_logprobs": listed}]
    return json.dumps({"choices": [{"logprobs": {"content": content}, "message": {"content": "x"}}]})


def test_additive_penalties_on_a_response_of_known_size(tmp_path: Path) -> None:
    """The probabilities of the listed tokens are exact, because the rest of the vocabulary keeps its probability."""
    (tmp_path / "history").write_text("b\n")
    options = ("--history", str(tmp_path / "history"), "--presence-penalty", "1", "--format", "json")
    done = here("compute", *options, stdin=response(("a", 0.5), ("b", 0.3)))
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)
    weights = np.array([0.5, 0.3 / np.e, 0.2])
    low, high = record["probs_low"], record["probs_high"]
    for place, expected in enumerate((weights / weights.sum()).tolist()[:2]):
        assert low[place] <= expected <= high[place]
        assert high[place] - low[place] < 1e-3


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--repetition-penalty", "1.1"), "repetition_penalty 1.1 needs the raw logits, but "),
        (("--presence-penalty", "1", "--frequency-penalty", "1"), "changes a token that the response does not list"),
    ],
)
def test_a_response_that_does_not_determine_a_penalty_is_an_error(
    options: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    (tmp_path / "history").write_text("z\n")
    done = here("compute", "--history", str(tmp_path / "history"), *options, stdin=response(("a", 0.5), ("b", 0.3)))
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr


# Texts


def test_generate_penalizes_the_prompt_and_the_text(tmp_path: Path) -> None:
    (tmp_path / "corpus").write_text(CORPUS)
    model = ("--ngram", str(tmp_path / "corpus"), "--order", "1")
    options = ("--presence-penalty", "0.3", "--frequency-penalty", "0.4", "--penalty-last-n", "3")
    done = here("generate", "a b", *model, *options, "--seed", "5", "--max-tokens", "30", "--format", "json")
    [text] = json.loads(done.stdout)
    listed = json.loads(here("next", "a b", *model).stdout)
    labels, logits = listed["labels"], listed["logits"]
    prompt = ["a", " b"] if " b" in labels else ["a", "b"]
    tokens = [token["token"] for token in text["logprobs"]]
    for i, token in enumerate(text["logprobs"]):
        window = [*prompt, *tokens[:i]][-3:]
        z = [penalized(logit, window.count(label), 1.0, 0.3, 0.4) for label, logit in zip(labels, logits, strict=True)]
        assert token["chosen_prob"] == pytest.approx(float(softmax(z)[labels.index(token["token"])]), rel=1e-9)
    assert len(set(itertools.pairwise(tokens))) > 5
    assert inf > text["sequence_perplexity"] > 1
