"""`tsoft score`: texts under n-gram models, fake models and fake servers."""

import csv
import io
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figure_charts import drawn
from labeled import once
from markov import Markov
from serving import Reply, Request, Served, serving
from tool import TESTS, here
from tsoft.core.block import Block
from tsoft.core.fit import fit_rows
from tsoft.core.labeled_rows import LabeledRows
from tsoft.core.softmax import Array, log_softmax
from tsoft.errors import UsageError
from tsoft.features.score.reading import InputText, Scorer, ScoreSettings
from tsoft.features.score.scored_text import ScoredText
from tsoft.features.score.spans import least_probable
from tsoft.features.score.tau_curve import CURVE_TAUS, TauCurve, best_tau, token_costs
from tsoft.features.score.windows import WindowSizes
from tsoft.models.ngram import Ngram
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.options import logits
from tsoft.options.input import LogitsOptions

BARN = TESTS / "data/barn.txt"
MODEL = ("--ngram", str(BARN))
STORY = "In the evening the cat sat under the old barn, and the owl said nothing."
UNSCORED = "tsoft: note: the first token of a text is not scored, because nothing precedes it; pass --prompt TEXT\n"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("story.txt").write_text(STORY + "\n")


def out(*arguments: str, stdin: str | None = None, **changes: str) -> str:
    """Run `tsoft`, check that it prints at most the note on the first token, and return its stdout."""
    done = here(*arguments, stdin=stdin, **changes)
    assert done.returncode == 0
    assert done.stderr in ("", UNSCORED)
    return done.stdout


def scored(*arguments: str, text: str = STORY) -> dict[str, Any]:
    [record] = json.loads(out("score", *MODEL, "-f", "json", *arguments, stdin=text))
    return dict(record)


def rows(seed: int, count: int = 200, classes: int = 50, scale: float = 3.0) -> tuple[Array, Array]:
    """Return random logits, and classes that were drawn from them."""
    generator = np.random.default_rng(seed)
    z = scale * generator.normal(size=(count, classes))
    gumbel = generator.gumbel(size=z.shape)
    return z, (z + gumbel).argmax(1)


def curve_of(z: Array, targets: Array) -> TauCurve:
    columns = zip(*(token_costs(row, int(target)) for row, target in zip(z, targets, strict=True)), strict=True)
    return TauCurve(*map(np.array, columns))


# Totals


def test_totals_of_a_model_whose_probabilities_are_known() -> None:
    """The probabilities of this model are computed by hand in models.kneser_ney: p(b | a) = p(c | a) = 3/8. After b,
    p(a) = 1/2 + 1/2 · 1/2."""
    Path("abac.txt").write_text("abac")
    arguments = ("--ngram", "abac.txt", "--by", "char", "--order", "2", "-f", "json")
    [record] = json.loads(out("score", *arguments, stdin="abac"))
    probs = [3 / 8, 3 / 4, 3 / 8]
    assert [token["logprob"] for token in record["logprobs"]] == pytest.approx([math.log(p) for p in probs])
    assert [token["rank"] for token in record["logprobs"]] == [1, 1, 1]
    # After a, the probabilities are 1/4, 3/8 and 3/8; after b, they are 3/4, 1/8 and 1/8.
    entropy = -math.log(1 / 4) / 4 - 3 / 4 * math.log(3 / 8)
    assert record["logprobs"][0]["entropy"] == pytest.approx(entropy)
    logprob = math.log(math.prod(probs))
    assert record["tokens"] == record["byte_count"] == 3
    assert record["logprob"] == pytest.approx(logprob)
    assert record["sequence_perplexity"] == pytest.approx(math.exp(-logprob / 3))
    assert record["bits_per_byte"] == pytest.approx(-logprob / math.log(2) / 3)
    assert (record["unscored"], record["text"]) == ("a", "bac")


def test_tokens_are_those_of_the_model_one_after_the_other() -> None:
    """The second path asks the model for the token after each beginning of the text."""
    record = scored("--top-logprobs", "3")
    model = Ngram.of_file(str(BARN), "word", None)
    text = model.prompt(STORY)
    for i, token in enumerate(record["logprobs"], 1):
        [following] = model.next([text[:i]])
        row = following.block.logits[0]
        assert token["token"] == model.label(text[i])
        assert token["logprob"] == pytest.approx(row[text[i]], abs=1e-12)
        assert token["rank"] == 1 + int((row > row[text[i]]).sum())
        assert token["entropy"] == pytest.approx(-(np.exp(row) * row).sum(), abs=1e-12)
        assert [entry["id"] for entry in token["top_logprobs"]] == [index for index, _ in following.best(3)]
    assert len(record["logprobs"]) == len(text) - 1


def test_a_prompt_is_given_and_not_scored() -> None:
    before, text = "In the evening the cat", " sat under the old barn."
    record = scored("--prompt", before, text=text)
    whole = scored(text=before + text)
    assert record["logprobs"][0]["token"] == " sat"
    count = len(record["logprobs"])
    assert record["logprobs"] == whole["logprobs"][-count:]
    assert (record["prompt"], record["byte_count"]) == (before, len(text))
    assert "unscored" not in record


def test_temperatures_temper_the_distributions() -> None:
    record = scored("--tau", "0.5,2,0,inf")
    model = Ngram.of_file(str(BARN), "word", None)
    text = model.prompt(STORY)
    z = np.array([model.next([text[:i]])[0].block.logits[0] for i in range(1, len(text))])
    for totals, tau in zip(record["at_taus"], (0.5, 2.0), strict=False):
        expected = sum(log_softmax(row, tau)[token] for row, token in zip(z, text[1:], strict=True))
        assert totals["logprob"] == pytest.approx(float(expected), abs=1e-9)
    assert [totals["tau"] for totals in record["at_taus"]] == [0.5, 2.0, 0.0, "inf"]
    assert record["at_taus"][2]["sequence_perplexity"] == "inf"
    assert record["at_taus"][3]["sequence_perplexity"] == pytest.approx(model.vocab_size)
    # Other commands apply their temperature to the tokens in json.
    assert record["logprobs"] == scored()["logprobs"]


def test_a_token_of_probability_0_is_not_in_the_totals() -> None:
    with_unknown = STORY.replace("old", "ancient")
    done = here("score", *MODEL, "-f", "json", stdin=with_unknown)
    [record] = json.loads(done.stdout)
    left_out = "1 of 16 tokens has probability 0 under the model, such as ' ancient'; the totals leave it out"
    assert f"stdin: {left_out}\n" in done.stderr
    unknown = [token for token in record["logprobs"] if token["logprob"] == "-inf"]
    assert [token["token"] for token in unknown] == [" ancient"]
    known = [token["logprob"] for token in record["logprobs"] if token["logprob"] != "-inf"]
    assert record["impossible"] == 1
    assert record["tokens"] == len(known) == 15
    assert record["byte_count"] == len(with_unknown) - len("In") - len(" ancient")
    assert record["logprob"] == pytest.approx(sum(known))
    assert here("score", *MODEL, "--fail-above", "1e9", stdin=with_unknown).returncode == 3


@pytest.mark.parametrize(
    ("text", "count", "tokens"), [(" zebra", 1, "the only token has"), (" zebra xen", 2, "all 2 tokens have")]
)
def test_a_text_of_unknown_tokens_alone_has_no_totals(text: str, count: int, tokens: str) -> None:
    typed = ("score", *MODEL, "--prompt", "the")
    done = here(*typed, "-f", "csv", stdin=text)
    assert f"stdin: {tokens} probability 0 under the model, so the totals are unknown\n" in done.stderr
    [record] = csv.DictReader(io.StringIO(done.stdout))
    assert (record["tokens"], record["impossible"]) == ("0", str(count))
    totals = ("logprob", "mean_logprob", "sequence_perplexity", "bits_per_byte")
    assert [record[name] for name in totals] == ["nan"] * 4
    [record] = json.loads(here(*typed, "-f", "json", stdin=text).stdout)
    assert [record[name] for name in totals] == [None] * 4
    assert re.search(r"log-probability +–\n", here(*typed, "-f", "table", stdin=text).stdout)


@pytest.mark.parametrize("options", [[], ["--per-token"]])
def test_an_infinite_temperature_has_the_same_symbol_in_every_table(options: list[str], tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(STORY)
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    shown = here("score", *files, *MODEL, "--tau", "1,inf", "-f", "table", "--no-chart", *options).stdout
    assert re.search(r" ∞ ", shown)
    assert not re.search(r"\binf\b", shown)


# The curve over τ


@pytest.mark.parametrize(("seed", "scale"), [(1, 3.0), (2, 1.0), (3, 6.0)])
def test_best_tau_is_that_of_the_exact_fit(seed: int, scale: float) -> None:
    z, targets = rows(seed, scale=scale)
    exact = fit_rows(once(LabeledRows(z, targets))).tau
    assert best_tau(curve_of(z, targets)).tau == pytest.approx(exact, rel=1e-5)


def test_curve_is_the_perplexity_at_each_temperature() -> None:
    z, targets = rows(4)
    costs = [-log_softmax(z, tau)[np.arange(len(z)), targets].mean() for tau in CURVE_TAUS.tolist()]
    assert curve_of(z, targets).perplexities == pytest.approx(np.exp(costs), rel=1e-5)


def test_best_tau_of_tempered_draws() -> None:
    """Tokens that were drawn at τ = 0.5 fit τ = 0.5, within the interval."""
    generator = np.random.default_rng(5)
    z = 3 * generator.normal(size=(1500, 50))
    best = best_tau(curve_of(z, (z / 0.5 + generator.gumbel(size=z.shape)).argmax(1)))
    assert best.low < 0.5 < best.high
    assert 0 < best.high - best.low < 0.15


def test_best_tau_of_a_generated_text() -> None:
    """The best τ of a text that was generated at a temperature is that temperature, within the interval."""
    model = ("--by", "char", "--order", "4")
    options = ("--tau", "1.5", "--max-tokens", "400", "--seed", "3", "-f", "jsonl")
    text = json.loads(out("generate", "The", *MODEL, *model, *options))["text"]
    record = scored(*model, "--prompt", "The", text=text)
    assert record["best_tau_low"] < 1.5 < record["best_tau_high"]
    assert record["best_tau_high"] - record["best_tau_low"] < 0.4


def test_best_tau_at_a_limit_or_beyond_the_curve() -> None:
    z, _ = rows(6)
    highest = best_tau(curve_of(z, z.argmax(1)))
    assert (highest.tau, highest.reason is None) == (0.0, False)
    lowest = best_tau(curve_of(z, z.argmin(1)))
    assert (lowest.tau, lowest.reason is None) == (math.inf, False)
    _, targets = rows(8, scale=0.3)
    flat = 20.0 * rows(8, scale=0.3)[0]
    beyond = best_tau(curve_of(flat, targets))
    assert math.isnan(beyond.tau)
    assert "τ = 4" in str(beyond.reason)
    assert (lowest.low, lowest.high, beyond.low, beyond.high) == (4, math.inf, 4, math.inf)
    assert highest.low == 0


@pytest.mark.parametrize(("repeats", "is_from_blocks"), [(64, False), (8, True)])
def test_ends_of_the_interval_are_1_96_standard_deviations_of_the_slope_away(
    repeats: int, is_from_blocks: bool
) -> None:
    """The variance is that of the model or, if it is larger, that of circular blocks. It is 0 in the blocks of a single
    repeated token, and large in those of several ones."""
    z, targets = (values.repeat(repeats, axis=0) for values in rows(4, count=64 // repeats))
    best = best_tau(curve_of(z, targets))
    assert best.block_length == 4
    for end, sign in ((best.low, 1), (best.high, -1)):
        probs = np.exp(log_softmax(z, end))
        means = (probs * z).sum(1)
        slopes = means - z[np.arange(64), targets]
        blocks = [sum(slopes[(start + i) % 64] - slopes.mean() for i in range(4)) for start in range(64)]
        variances = (probs * z**2).sum() - (means**2).sum(), sum(block**2 for block in blocks) / 4
        assert (variances[1] > variances[0]) == is_from_blocks
        assert slopes.sum() == pytest.approx(sign * 1.959964 * np.sqrt(max(variances)), rel=1e-3)


def test_interval_contains_the_temperature_of_short_texts() -> None:
    """Of the intervals of texts that were drawn at τ = 1, about 95 % or more contain it."""
    generator = np.random.default_rng(1)
    z = 3 * generator.normal(size=(40, 6, 20))
    targets = (z + generator.gumbel(size=z.shape)).argmax(-1)
    intervals = [best_tau(curve_of(*text)) for text in zip(z, targets, strict=True)]
    assert sum(best.low <= 1 <= best.high for best in intervals) >= 36


# Windows


class Reader(Markov):
    """A model whose logits depend on all tokens that it reads. It reads at most 12."""

    context_length = 12

    def prompted(self, prompt: str | None, text: str) -> tuple[Tokens, Tokens]:
        given, read = (tuple(int(word, 16) for word in (part or "").split()) for part in (prompt, text))
        return given, read

    def row(self, text: Tokens) -> Array:
        assert len(text) <= 12
        return 2 * np.random.default_rng(text).normal(size=(1, 13))

    def after_each(self, text: Tokens, first: int) -> Iterator[NextDistribution]:
        return (NextDistribution(Block(self.row(text[:end]), self.labels)) for end in range(first, len(text) + 1))


def read(text: str, prompt: str | None = None, **sizes: int | None) -> ScoredText:
    settings = ScoreSettings(np.array([1.0]), 0, WindowSizes(**sizes), has_curve=True)
    return Scorer(Reader(), prompt, settings).scored(InputText("a text", text), lambda steps, _: steps)


TEXT = " ".join(f"{3 * i % 13:x}" for i in range(40))


@pytest.mark.parametrize(
    ("prompt", "window", "stride"), [(None, 10, 3), (None, None, None), ("1 2", 8, 1), ("1 2", 12, 10), (None, 2, 1)]
)
def test_each_token_is_scored_once_in_a_window(prompt: str | None, window: int | None, stride: int | None) -> None:
    """The second path chooses, for each token, the first window that reads all tokens before it."""
    model = Reader()
    given, text = model.prompted(prompt, TEXT)
    room, step = (window or 12) - len(given), stride or (window or 12) // 2
    expected = []
    for place in range(0 if prompt else 1, len(text)):
        start = next(start for start in itertools.count(0, step) if start + room >= place)
        context = given + text[start:place]
        assert len(context) >= min(place + len(given), (window or 12) - step)
        expected.append(log_softmax(model.row(context)[0])[text[place]])
    result = read(TEXT, prompt, window=window, stride=stride)
    assert [token.logprob for token in result.tokens] == pytest.approx(expected, abs=1e-12)


def test_a_note_on_windows_names_their_context(capsys: pytest.CaptureFixture[str]) -> None:
    read(TEXT, window=10, stride=3)
    message = (
        "a text: the text has 40 tokens, more than a window of 10; the model reads it in 11 windows, and each token"
    )
    assert f"{message} after the first window has at least 8 tokens of context" in capsys.readouterr().err
    read(" ".join(TEXT.split()[:11]))
    assert "window" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("prompt", "sizes", "message"),
    [
        (None, {"window": 13}, "--window 13: the model accepts at most 12 tokens"),
        ("1 2 3 4", {"window": 4}, "a window of 4 tokens has no room for a text after the prompt, which has 4"),
        ("1 2 3 4", {"window": 8, "stride": 5}, "--stride 5: a window has room for only 4 tokens"),
    ],
)
def test_windows_that_do_not_fit(prompt: str | None, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        read(TEXT, prompt, **sizes)


# The least probable spans


def maximal(values: list[float], start: int = 0) -> list[tuple[int, int]]:
    """Return the maximal spans by their definition: that with the largest sum, then those on both sides of it."""
    ranges = itertools.combinations(range(len(values) + 1), 2)
    best = max(ranges, key=lambda ends: sum(values[slice(*ends)]), default=(0, 0))
    if sum(values[slice(*best)]) <= 0:
        return []
    before, after = maximal(values[: best[0]], start), maximal(values[best[1] :], start + best[1])
    return [*before, (start + best[0], start + best[1]), *after]


@given(st.integers(0, 10**6), st.integers(1, 14))
def test_spans_are_the_maximal_spans(seed: int, count: int) -> None:
    surprises = np.random.default_rng(seed).exponential(size=count).tolist()
    mean = sum(surprises) / count
    spans = least_probable(surprises, mean)
    assert sorted((span.start, span.stop) for span in spans) == maximal([value - mean for value in surprises])
    for span in spans:
        assert span.excess == pytest.approx(sum(surprises[span.start : span.stop]) - mean * (span.stop - span.start))
    assert [span.excess for span in spans] == sorted((span.excess for span in spans), reverse=True)


def test_spans_find_words_in_a_wrong_order() -> None:
    record = scored(
        "--spans", text="The owl said nothing, for it was every day. day every was it for. The owl said nothing."
    )
    assert record["spans"][0]["text"] in " day every was it for."
    assert record["spans"][0]["excess"] > 10
    span = record["spans"][0]
    tokens = record["logprobs"][span["first_row"] : span["last_row"] + 1]
    assert "".join(token["token"] for token in tokens) == span["text"]
    assert "spans" not in scored()


# Formats


def test_a_pipe_has_the_perplexity_alone() -> None:
    record = scored("--tau", "1,2")
    perplexity, other = (totals["sequence_perplexity"] for totals in record["at_taus"])
    assert out("score", "story.txt", *MODEL) == f"{perplexity!r}\n"
    assert out("score", *MODEL, "--tau", "1,2", stdin=STORY) == f"1.0\t{perplexity!r}\n2.0\t{other!r}\n"


def test_several_files_are_compared() -> None:
    Path("other.txt").write_text("the cat sat on nobody")
    lines = out("score", "story.txt", "other.txt", *MODEL).splitlines()
    assert [line.split("\t")[0] for line in lines] == ["story.txt", "other.txt"]
    assert lines[0].split("\t")[1] == repr(scored()["sequence_perplexity"])
    records = [json.loads(line) for line in out("score", "story.txt", "other.txt", *MODEL, "-f", "jsonl").splitlines()]
    assert [record["file"] for record in records] == ["story.txt", "other.txt"]
    table = out("score", "story.txt", "other.txt", *MODEL, "-f", "table", COLUMNS="120")
    assert re.search(r"story\.txt +16 +70 ", table)
    assert "a story.txt" in table


def test_per_token_has_a_line_for_each_token() -> None:
    done = out("score", "story.txt", *MODEL, "--per-token", "--tau", "1,2", "-f", "csv")
    lines = list(csv.DictReader(io.StringIO(done)))
    record = scored("--tau", "1,2")
    first = lines[::2]
    assert [line["token"] for line in first] == [token["token"] for token in record["logprobs"]]
    assert [float(line["logprob"]) for line in first] == [token["logprob"] for token in record["logprobs"]]
    assert [int(line["rank"]) for line in first] == [token["rank"] for token in record["logprobs"]]
    assert sum(float(line["logprob"]) for line in lines[1::2]) == pytest.approx(record["at_taus"][1]["logprob"])
    table = out("score", "story.txt", *MODEL, "--per-token", "-f", "table")
    assert re.search(r"' evening' +0\.\d+ +-\d", table)


def test_json_is_read_as_a_response() -> None:
    """`compute --chosen` finds the same tokens, ranks and totals, and every command reads the same rows."""
    assert out("score", "story.txt", *MODEL, "--spans", "-o", "scores.json") == ""
    [record] = json.loads(Path("scores.json").read_text())
    done = here("compute", "-i", "scores.json", "--chosen", "-f", "json")
    rows = json.loads(done.stdout)
    assert [row["token"] for row in rows] == [token["token"] for token in record["logprobs"]]
    ranks = [token["rank"] for token in record["logprobs"]]
    assert [row["rank"] for row in rows] == [rank if rank <= 20 else ">20" for rank in ranks]
    assert rows[-1]["text_logprob_low"] == rows[-1]["text_logprob_high"] == pytest.approx(record["logprob"])
    blocks = list(logits.blocks(LogitsOptions(inputs=["scores.json"]), None, unknown_rows=True))
    assert len(blocks) == record["tokens"]
    assert {block.partial.classes for block in blocks if block.partial} == {record["vocab_size"]}


def test_page_has_each_token_in_its_color() -> None:
    assert out("score", "story.txt", *MODEL, "--spans", "--title", "<T>", "-o", "page.html") == ""
    page = Path("page.html").read_text()
    record = scored("--spans")
    spans = re.findall(r'<span tabindex="0" class="(h?\d?)" data-t="([^"]*)">([^<]*)</span>', page)
    assert "".join(text for *_, text in spans) == STORY
    assert spans[0][:2] == ("", "'In'\nnot scored")
    assert f"rank {record['logprobs'][0]['rank']}" in spans[1][1]
    assert "&lt;T&gt;" in page
    assert "improbable: " in page


def test_figure_marks_the_best_tau() -> None:
    pytest.importorskip("matplotlib")
    drawing = drawn("score", "story.txt", *MODEL, "-o", "x.svg", "-o", "x.json")
    [record] = json.loads(Path("x.json").read_text())
    [chart] = drawing.charts
    [curve] = chart.curves
    assert f"lowest at τ = {record['best_tau']:.4g}, 95 % interval" in " ".join(drawing.texts)
    taus, perplexities = record["curve"]["tau"], record["curve"]["sequence_perplexity"]
    np.testing.assert_allclose(curve, np.column_stack([taus, perplexities]), rtol=1e-9)
    shown = np.exp(np.interp(0, np.log(taus), np.log(perplexities)))
    assert shown == pytest.approx(record["sequence_perplexity"], rel=1e-4)


def test_labels_are_not_trusted() -> None:
    Path("model.txt").write_text("the \x1b[31mred\x1b[0m [bold]cat the \x1b[31mred")
    for arguments in ((), ("--per-token",), ("--spans",)):
        shown = out("score", "--ngram", "model.txt", "-f", "table", *arguments, stdin="the \x1b[31mred [bold]cat")
        assert "\x1b" not in shown
        assert "[bold]" in shown or "bold" in shown


# Exit codes and errors


def test_fail_above_exits_with_3() -> None:
    perplexity = scored()["sequence_perplexity"]
    above, below = (f"{perplexity * factor}" for factor in (1.01, 0.99))
    done = here("score", *MODEL, "--fail-above", above, stdin=STORY)
    assert (done.returncode, done.stderr) == (0, UNSCORED)
    done = here("score", *MODEL, "--fail-above", below, stdin=STORY)
    assert (done.returncode, done.stdout) == (3, f"{perplexity!r}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--chat",), "--chat needs the user message"),
        (("--prompt", ""), "--prompt: the text is empty; remove --prompt"),
        (("--window", "100"), "--window has no effect with 3-grams of"),
        (("--stride", "1"), "--stride has no effect with 3-grams of"),
        (("--per-token", "--spans", "-f", "table"), "--per-token and --spans are mutually exclusive"),
        (("--per-token", "-f", "json"), "--per-token has no effect on json; use --format table, tsv or csv"),
        (("--per-token", "-o", "a.csv", "-o", "a.svg"), "--per-token has no effect on svg"),
        (("--spans", "-f", "csv"), "--spans has no effect on csv"),
        (("--top-logprobs", "3"), "--top-logprobs has no effect on tsv; use --format json, jsonl or html"),
        (("--fail-above", "2", "--tau", "1,2"), "--fail-above compares one perplexity, and --tau has 2"),
        (("--fail-above", "0.5"), "--fail-above"),
        (("--tau", "-1"), "'-1' is not a temperature"),
        (("--tau", "-"), "only one of the text and --tau - can read stdin"),
        (("--ngram", "-"), "only one of the text and --ngram - can read stdin"),
        (("-", "-"), "FILE lists stdin twice"),
        (("",), "FILE needs a file name"),
        (("-f", "npy"), "--format: unknown value 'npy'"),
    ],
)
def test_wrong_usage_is_reported(arguments: tuple[str, ...], message: str) -> None:
    done = here("score", *MODEL, *arguments, stdin=STORY)
    assert message in done.stderr
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "stdin: the text is empty; there is nothing to score"),
        (b"\n", "stdin: the text is empty"),
        (b"word\n", "stdin: the text has only one token, which nothing precedes; pass --prompt TEXT"),
        (b"ok\nna\xefve\n", "stdin:2: not UTF-8 text (byte 0xef)"),
        (b"\x89PNG\r\n\x1a\n", "stdin: this is an image"),
    ],
)
def test_wrong_texts_are_reported(data: bytes, message: str) -> None:
    done = here("score", *MODEL, stdin=data)
    assert message in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere.txt", "No such file or directory"),
        ("It was late.", "no such file; to score a text, pipe it to tsoft score"),
    ],
)
def test_a_missing_file_is_reported(name: str, problem: str) -> None:
    done = here("score", "story.txt", name, *MODEL)
    assert (done.returncode, done.stderr) == (1, f"tsoft: error: {name}: {problem}\n")


# Servers


def echo(request: Request, begins: str = "", shift: int = 0) -> Reply:
    """Return the completion of a server that echoes, in the format of vLLM and llama-cpp-python: a token is a word with
    the blank before it, and its distribution depends on the last character of the text before it.

    A server that `begins` each text with a token lists it, too. One with a `shift` lists the distributions of later
    positions.
    """
    prompt = request.body["prompt"]
    words = [begins] * bool(begins) + re.findall(r"\s?\S+|\s", prompt)
    tokens = [*words, " end"]
    before = ["".join(tokens[:i]) for i in range(len(tokens))] if request.body.get("echo") else [prompt]
    tokens = tokens if request.body.get("echo") else [" end"]
    tops = [listed(text) for text in before]
    tops = [*tops[shift:], *tops[:shift]]
    numbers = [top.get(token, -9.5) for top, token in zip(tops, tokens, strict=True)]
    tops = [top | {token: number} for top, token, number in zip(tops, tokens, numbers, strict=True)]
    if request.body.get("echo"):
        numbers, tops = [None, *numbers[1:]], [None, *tops[1:]]  # type: ignore[list-item]
    lists = {"tokens": tokens, "token_logprobs": numbers, "top_logprobs": tops}
    text = prompt + " end" if request.body.get("echo") else " end"
    choice = {"index": 0, "text": text, "logprobs": lists, "finish_reason": "length"}
    return Reply({"object": "text_completion", "choices": [choice], "usage": {"prompt_tokens": len(words)}})


def listed(text: str) -> dict[str, float]:
    """Return the most probable tokens after a text."""
    share = (ord(text[-1]) % 7 + 2) / 20 if text else 0.1
    return {f" after{text[-1:]}": math.log(share), " sat": math.log(0.25), " cat": math.log(0.3 - share / 3)}


SERVED = "the cat sat on the mat"


def served_scores(served: Served, *arguments: str, text: str = SERVED) -> tuple[dict[str, Any], str]:
    done = here("score", "--endpoint", served.url, "-f", "json", *arguments, stdin=text)
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)
    return record, done.stderr


@pytest.mark.parametrize("begins", ["", "<s>"])
def test_a_server_echoes_the_text(begins: str) -> None:
    with serving(lambda request: echo(request, begins)) as served:
        record, notes = served_scores(served, "--top-logprobs", "3")
    assert served.posts[0].body == {
        "prompt": SERVED, "max_tokens": 1, "temperature": 1, "stream": False, "echo": True, "logprobs": 3,
    }  # fmt: skip
    tokens = [(token["token"], token["logprob"]) for token in record["logprobs"]]
    expected = [listed(before).get(token, -9.5) for before, token in [("the", " cat"), ("cat", " sat"), ("sat", " on")]]
    assert tokens[:3] == list(zip([" cat", " sat", " on"], expected, strict=True))
    assert len(tokens) == 5
    assert (record["unscored"], record["byte_count"]) == ("the", len(" cat sat on the mat"))
    assert record["logprob"] == pytest.approx(sum(number for _, number in tokens))
    assert [token["rank"] for token in record["logprobs"]][2] == ">3"
    assert "best_tau" not in record
    assert notes.endswith("the server lists only some tokens, so the entropies and the curve over τ are unknown\n")


@pytest.mark.parametrize(
    ("prompt", "first", "note"), [("so", " the", ""), ("so ", " the", "the token ' the' spans the end of the prompt")]
)
def test_a_server_gets_the_prompt_before_the_text(prompt: str, first: str, note: str) -> None:
    text = " the cat" if prompt == "so" else "the cat"
    with serving(lambda request: echo(request, "<s>")) as served:
        record, notes = served_scores(served, "--prompt", prompt, text=text)
    assert [token["token"] for token in record["logprobs"]] == [first, " cat"]
    # A token that spans the end of the prompt counts with all its bytes.
    assert record["byte_count"] == len(" the cat")
    assert note in notes


def renamed(rename: Callable[[str], str], request: Request) -> Reply:
    """Return an echo with other names. The list of alternatives is an object, in which the last one of equal names
    counts, and its numbers are those of the fixture."""
    choice = echo(request, "<s>").body["choices"][0]
    lists = choice["logprobs"]
    tops = [top and {rename(name): number for name, number in top.items()} for top in lists["top_logprobs"]]
    lists |= {
        "tokens": ["<s>", *map(rename, lists["tokens"][1:])],
        "top_logprobs": tops,
        "text_offset": [-1] * len(tops),
    }
    return Reply({"choices": [choice], "usage": echo(request, "<s>").body["usage"]})


@pytest.mark.parametrize(
    "rename",
    [
        # SGLang, and vLLM before July 2026.
        str.strip,
        # vLLM 0.7.3.
        lambda name: name.replace(" ", "Ġ").replace("日", "æĹ¥"),
        # A character outside ASCII in the parts of vLLM, of SGLang, and as a whole.
        lambda name: name.replace(" 日", ""),
        lambda name: name.replace("日", "\ufffd"),
        str,
    ],
)
def test_names_that_are_not_the_texts_of_tokens(rename: Callable[[str], str]) -> None:
    text = "the cat sat 日 on the mat"
    with serving(lambda request: renamed(rename, request)) as served:
        record, _ = served_scores(served, text=text)
    words = re.findall(r"\s?\S+", text)
    before = ["".join(words[:i]) for i in range(1, len(words))]
    expected = sum(listed(text).get(word, -9.5) for text, word in zip(before, words[1:], strict=True))
    assert record["logprob"] == pytest.approx(expected)
    assert (record["tokens"], record["byte_count"]) == (6, len(" cat sat 日 on the mat".encode()))
    assert record["text"] == text.removeprefix("the")
    assert record["unscored"] == "the"


def test_a_scored_token_has_the_number_of_the_server() -> None:
    """Another token with the same name is an alternative, so the list has another number with this name."""

    def reply(request: Request) -> Reply:
        answer = echo(request)
        if request.body.get("echo"):
            answer.body["choices"][0]["logprobs"]["top_logprobs"][3][" on"] = -0.5
        return answer

    with serving(reply) as served:
        record, _ = served_scores(served)
    token = record["logprobs"][2]
    assert (token["token"], token["logprob"]) == (" on", -9.5)
    assert sorted(top["logprob"] for top in token["top_logprobs"] if top["token"] == " on") == [-9.5, -0.5]


@pytest.mark.parametrize(
    ("end", "more_tokens", "problem"),
    [
        # One position of three, all of them, and texts that the server splits into more tokens than in the echo.
        (" on", 0, "are not those of its tokens, but of other positions"),
        ("", 0, "are not those of its tokens, but of other positions"),
        ("", 1, "the server splits each part of the text into other tokens than the text itself"),
        (" on", 1, ""),
    ],
)
def test_requests_for_positions_that_differ(end: str, more_tokens: int, problem: str) -> None:
    def reply(request: Request) -> Reply:
        answer = echo(request)
        if not request.body.get("echo") and request.body["prompt"].endswith(end):
            answer.body["choices"][0]["logprobs"]["top_logprobs"][0][" sat"] = -0.1
            answer.body["usage"]["prompt_tokens"] += more_tokens
        return answer

    with serving(reply) as served:
        done = here("score", "--endpoint", served.url, stdin=SERVED)
    assert (done.returncode, problem in done.stderr) == (int(problem != ""), True)


def test_bytes_are_those_of_the_scored_tokens() -> None:
    """An n-gram model reads every line break as a line feed."""
    sizes = [
        json.loads(here("score", *MODEL, "-f", "json", stdin=text).stdout)[0]["byte_count"]
        for text in ("The owl was\r\n in the barn.\r\n", "The owl was\n in the barn.\n")
    ]
    # The model does not know " was", which has probability 0.
    assert sizes == [len(" owl\n in the barn.")] * 2


def test_a_server_that_lists_other_positions_is_refused() -> None:
    """llama-cpp-python shifts the lists of a prompt by one token for a model that adds no token to it."""
    with serving(lambda request: echo(request, shift=1)) as served:
        done = here("score", "--endpoint", served.url, stdin=SERVED)
    assert done.returncode == 1
    assert "the log-probabilities of the prompt are not those of its tokens, but of other positions" in done.stderr


def test_a_server_that_returns_ids_is_refused() -> None:
    """vLLM with --return-tokens-as-token-ids: the offsets of the tokens are not those of their texts."""

    def with_ids(request: Request) -> Reply:
        choice = echo(request).body["choices"][0]
        ids = [f"token_id:{i}" for i in range(len(choice["logprobs"]["tokens"]))]
        return Reply({"choices": [choice | {"logprobs": choice["logprobs"] | {"tokens": ids}}]})

    with serving(with_ids) as served:
        done = here("score", "--endpoint", served.url, stdin=SERVED)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the server returns the ids of tokens without their texts" in done.stderr


def without_echo(request: Request) -> Reply:
    return echo(replace(request, body=request.body | {"echo": False}))


def without_lists(request: Request) -> Reply:
    choice = {"index": 0, "text": request.body["prompt"] + " end", "logprobs": None, "finish_reason": "length"}
    return Reply({"object": "text_completion", "choices": [choice]})


@pytest.mark.parametrize("reply", [without_echo, without_lists, lambda _: Reply({"choices": []}), lambda _: Reply([])])
def test_a_server_without_echo_is_refused(reply: Any) -> None:
    with serving(reply) as served:
        done = here("score", "--endpoint", served.url, stdin=SERVED)
    assert (done.returncode, done.stdout) == (1, "")
    message = "/completions: the server does not return the log-probabilities of a prompt (echo with logprobs), as vLLM"
    assert message in done.stderr


def test_a_server_that_rejects_the_request_is_quoted() -> None:
    with serving(Reply({"error": {"message": "echo is not supported"}}, 400)) as served:
        done = here("score", "--endpoint", served.url, stdin=SERVED)
    assert done.returncode == 1
    assert "HTTP 400 Bad Request: the server returned an error: echo is not supported" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tau", "0.5"), "--tau: a server lists only some tokens, so only bounds are known at other temperatures"),
        (("--chat", "--prompt", "x"), "--chat has no effect with --endpoint"),
        (("--window", "9"), "--window has no effect with --endpoint, because the server reads"),
        (("-o", "x.svg"), "a figure shows the perplexity over τ, which a server does not return"),
    ],
)
def test_wrong_usage_with_a_server(arguments: tuple[str, ...], message: str) -> None:
    done = here("score", "--endpoint", "http://localhost:1/v1", *arguments, stdin=SERVED)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
