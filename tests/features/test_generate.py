"""`tsoft next` and `tsoft generate`, on a model of a small text."""

import csv
import io
import json
import math
import re
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases import each_case
from markov import Markov
from tool import TESTS, TSOFT, environment, here, out, started
from tsoft.features.generate.interrupts import Interrupts
from tsoft.features.generate.strategies import PromptedModel
from tsoft.input.fields import unescape
from tsoft.options.plan import make_plan
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions

DATA = TESTS / "data"
BARN = str(DATA / "barn.txt")
PROMPT = "In the evening the cat"
MODEL = ("--ngram", BARN)
# A limit so high that generation takes longer than any test waits.
LONG = ("--max-tokens", "100000000")

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and pseudo-terminals are POSIX's")


def records(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out("generate", PROMPT, *MODEL, "-f", "jsonl", *arguments).splitlines()]


# tsoft next


def test_next_in_a_pipe_has_tokens() -> None:
    """The piped record contains the same distribution as the table."""
    record = json.loads(out("next", PROMPT, *MODEL))
    assert record["prompt"] == PROMPT
    assert len(record["labels"]) == len(record["logits"]) == len(set(record["labels"]))
    assert sum(map(math.exp, record["logits"])) == pytest.approx(1, abs=1e-9)
    best = max(zip(record["logits"], record["labels"], strict=True))
    [shown] = out("compute", "-f", "csv", "--long", "--show", "1", stdin=json.dumps(record)).splitlines()[1:]
    assert shown.split(",")[3] == best[1]
    assert float(shown.split(",")[4]) == pytest.approx(math.exp(best[0]), rel=1e-12)


@pytest.mark.parametrize("name", ["json", "jsonl", "npz", "csv"])
def test_output_of_next_is_read_back(name: str, tmp_path: Path) -> None:
    file = str(tmp_path / f"next.{name}")
    assert out("next", PROMPT, *MODEL, "-o", file) == ""
    record = json.loads(out("compute", "-i", file, "-f", "json", "--with-logits"))[0]
    expected = json.loads(out("next", PROMPT, *MODEL))
    assert dict(zip(record["labels"], record["logits"], strict=True)) == dict(
        zip(expected["labels"], expected["logits"], strict=True)
    )


@pytest.mark.parametrize("name", ["tsv", "npy"])
def test_next_as_numbers_alone(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"next.{name}"
    out("next", PROMPT, *MODEL, "-o", str(file))
    numbers = np.load(file) if name == "npy" else np.loadtxt(file)
    assert numbers.tolist() == json.loads(out("next", PROMPT, *MODEL))["logits"]


def test_table_of_next_has_temperatures_and_samplers() -> None:
    shown = out("next", PROMPT, *MODEL, "-f", "table", "--tau", "0.5,2", "--top-k", "3", "--show", "2")
    assert "τ = 0.5" in shown
    assert "top_k 3" in shown
    direct = out(
        "compute", "--tau", "0.5,2", "--top-k", "3", "--show", "2", "-f", "table", stdin=out("next", PROMPT, *MODEL)
    )
    assert shown == direct


@each_case(
    ("arguments", "message"),
    [
        (("next", "x", *MODEL, "--tau", "0.5"), "in jsonl, next writes the raw logits"),
        (("next", "x", *MODEL, "--top-k", "5", "-f", "npz"), "in npz, next writes the raw logits"),
        (("next", "x", *MODEL, "--like", "vllm"), "in jsonl, next writes the raw logits"),
        (("next", "x", *MODEL, "--bits"), "in jsonl, next writes the raw logits"),
        (("next", "x", *MODEL, "--long"), "unknown option --long"),
        (("next", "x", *MODEL, "-f", "table", "--tau", "-1"), "--tau: '-1' is not a temperature"),
        (("generate", "x", *MODEL, "--length-penalty", "1"), "--length-penalty has no effect without --beams"),
        (("generate", "x", *MODEL, "--stop", ""), "--stop: the text is empty"),
        (("generate", "x", "y", *MODEL), 'the prompt must be one argument; put it in quotes: "x y"'),
        (("generate", "x", *MODEL, "--greedy", "-n", "2"), "-n has no effect on --greedy; pass --tau"),
        (
            ("generate", "x", *MODEL, "--greedy", "--beams", "2", "-n", "3", "--seed", "2"),
            "-n and --seed have no effect on --greedy and --beams; pass --tau to sample texts, too",
        ),
        (("generate", "x", *MODEL, "--beams", "0"), "--beams: "),
        (("generate", "x", *MODEL, "-n", "0"), "-n: "),
        (("generate", "x", *MODEL, "-f", "npy"), "--format: unknown value 'npy'; "),
        (("generate", "x", *MODEL, "--model", "y.gguf"), "--model and --ngram are mutually exclusive; pass only one"),
        (
            ("generate", "x", *MODEL, "--remote-model", "y"),
            "--remote-model has no effect without --endpoint; remove --remote-model",
        ),
        (("generate", "x", *MODEL, "--threads", "2"), "--threads has no effect without --model; remove --threads"),
        (("next", "x", *MODEL, "--top-logprobs", "3"), "--top-logprobs has no effect without --endpoint; remove"),
        (("next", "x", *MODEL, "--rows", "2"), "unknown option --rows"),
        (("generate", "x", *MODEL, "--chat"), "--chat needs a chat model, and an n-gram model is not one"),
        (
            ("generate", "x", "--order", "2", "--endpoint", "http://localhost"),
            "--order has no effect without --ngram; remove --order",
        ),
        (("generate", "x", *MODEL, "--logit-bias", "zebra=2"), "zebra"),
        (("generate", "x", "--ngram", "-"), "an empty text"),
        (("generate", "--ngram", "-"), "--ngram - reads stdin; pass the prompt as an argument"),
        (("generate", *MODEL, "--tau", "-"), "--tau - reads stdin; pass the prompt as an argument"),
        (
            ("next", "x", "--ngram", "-", "--tau", "-", "-f", "table"),
            "only one of --tau - and --ngram - can read stdin",
        ),
        (("next", "\udcff", *MODEL), r"the argument: '\xff' is not UTF-8 text"),
        (("generate", "x", *MODEL, "--stop", "\udcff"), r"--stop: '\xff' is not UTF-8 text"),
        (("generate", "x", *MODEL, "-f", "csv", "--top-h", "2"), "--top-h"),
    ],
)
def test_wrong_usage_is_reported(arguments: tuple[str, ...], message: str) -> None:
    done = here(*arguments)
    assert message in done.stderr
    assert done.returncode == (1 if message == "an empty text" else 2)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_missing_file() -> None:
    done = here("generate", "x", "--ngram", "nowhere.txt")
    assert (done.returncode, done.stderr) == (1, "tsoft: error: nowhere.txt: No such file or directory\n")


# tsoft generate


def test_generate_in_a_pipe_writes_one_text_per_line() -> None:
    lines = out("generate", PROMPT, *MODEL, "--tau", "0.2,2", "-n", "3", "--seed", "1").splitlines()
    assert len(lines) == 6
    texts = records("--tau", "0.2,2", "-n", "3", "--seed", "1")
    assert [unescape(line) for line in lines] == [record["text"] for record in texts]
    assert [record["tau"] for record in texts] == [0.2] * 3 + [2.0] * 3
    assert [record["continuation"] for record in texts] == [0, 1, 2] * 2


def test_piped_prompt_and_option_equal_the_argument() -> None:
    arguments = ("generate", *MODEL, "--seed", "3")
    typed = out(*arguments, PROMPT)
    assert out(*arguments, stdin=PROMPT + "\n") == out(*arguments, "-", stdin=PROMPT + "\r\n") == typed
    for command in ("generate", "next"):
        model = (*MODEL, *(("--seed", "1", "--max-tokens", "5") if command == "generate" else ()))
        typed = out(command, PROMPT, *model)
        assert out(command, "--prompt", PROMPT, *model) == typed
        assert out(command, "--prompt", "-", *model, stdin=f"{PROMPT}\n") == typed


def test_seed_determines_a_text() -> None:
    """The text does not depend on other texts, nor on their number."""
    alone = records("--tau", "1", "--seed", "5")[0]
    many = records("--tau", "0.5,1", "--seed", "5", "-n", "2", "--greedy", "--beams", "2", "--max-tokens", "50")
    again = next(record for record in many if record["strategy"] == "sample" and record["tau"] == 1)
    assert alone == again
    assert records("--tau", "1", "--seed", "6")[0]["text"] != alone["text"]


def test_tau_0_is_greedy() -> None:
    cold, hot, greedy = records("--tau", "0 50", "--greedy", "--seed", "1")
    for record in (cold, greedy):
        # Among tied tokens, τ = 0 draws any, and greedy takes the first.
        assert all(step["logprob"] == step["top_logprobs"][0]["logprob"] for step in record["logprobs"])
    assert all(step["token"] == step["top_logprobs"][0]["token"] for step in greedy["logprobs"])
    assert cold["logprob"] > hot["logprob"]
    assert cold["sequence_perplexity"] < hot["sequence_perplexity"]
    assert cold["distinct_1"] < hot["distinct_1"]


def test_each_step_agrees_with_next() -> None:
    """The probabilities of each step follow from the logits of `tsoft next` after the text so far."""
    [record] = records("--tau", "0.7", "--top-k", "4", "--seed", "2", "--max-tokens", "6", "--top-logprobs", "3")
    text = PROMPT
    for step in record["logprobs"]:
        output = out("next", text, *MODEL)
        record_ = json.loads(output)
        logprobs = dict(zip(record_["labels"], record_["logits"], strict=True))
        assert step["logprob"] == pytest.approx(logprobs[step["token"]], abs=1e-12)
        best = sorted(logprobs, key=lambda label: -logprobs[label])[:3]
        assert [one["logprob"] for one in step["top_logprobs"]] == pytest.approx([logprobs[label] for label in best])
        truncated = json.loads(out("compute", "--tau", "0.7", "--top-k", "4", "-f", "json", stdin=output))[0]
        prob = dict(zip(truncated["labels"], truncated["probs"], strict=True))[step["token"]]
        assert step["chosen_prob"] == pytest.approx(prob, rel=1e-12)
        text += step["token"]
    assert text == PROMPT + record["text"]
    logprobs_ = [step["logprob"] for step in record["logprobs"]]
    assert record["logprob"] == pytest.approx(sum(logprobs_))
    assert record["mean_logprob"] == pytest.approx(sum(logprobs_) / 6)
    assert record["sequence_perplexity"] == pytest.approx(math.exp(-sum(logprobs_) / 6))


def test_json_is_read_back_as_a_response(tmp_path: Path) -> None:
    """Each token is a row. The record has the size of the vocabulary, so the rows have bounds."""
    file = str(tmp_path / "texts.json")
    out("generate", PROMPT, *MODEL, "--tau", "0.5,1", "--seed", "1", "--max-tokens", "5", "-o", file)
    written = json.loads(Path(file).read_text("utf-8"))
    done = here("compute", "-i", file, "--chosen", "-f", "jsonl")
    token_rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert "--vocab-size" not in done.stderr
    assert [row["token"] for row in token_rows] == [step["token"] for text in written for step in text["logprobs"]]
    for last, text in ((token_rows[4], written[0]), (token_rows[9], written[1])):
        assert last["text_logprob_low"] == pytest.approx(text["logprob"], abs=1e-4)
        assert last["sequence_perplexity_high"] == pytest.approx(text["sequence_perplexity"], rel=1e-4)


def test_csv_has_the_statistics() -> None:
    arguments = ("--tau", "0.5", "--greedy", "--beams", "3", "--length-penalty", "1", "--seed", "1")
    rows = list(csv.DictReader(io.StringIO(out("generate", PROMPT, *MODEL, "-f", "csv", *arguments))))
    texts = records(*arguments)
    assert [row["strategy"] for row in rows] == ["sample", "greedy", "beam 3", "beam 3", "beam 3"]
    for row, record in zip(rows, texts, strict=True):
        assert unescape(row["text"]) == record["text"]
        assert float(row["logprob"]) == record["logprob"]
    scores = [record["score"] for record in texts[2:]]
    assert scores == sorted(scores, reverse=True)
    assert scores == pytest.approx([record["mean_logprob"] for record in texts[2:]])


def test_only_requested_strategies_run() -> None:
    assert [record["strategy"] for record in records("--greedy")] == ["greedy"]
    assert [record["strategy"] for record in records("--beams", "2")] == ["beam 2"] * 2
    assert [record["strategy"] for record in records("--greedy", "--top-k", "2")] == ["sample", "greedy"]
    engines = records("--like", "llama.cpp,vllm", "--top-k", "5", "--tau", "0.5,1", "--max-tokens", "2")
    assert [(record["engine"], record["tau"]) for record in engines] == [
        ("llama.cpp", 0.5), ("llama.cpp", 1.0), ("vllm", 0.5), ("vllm", 1.0)
    ]  # fmt: skip


def test_line_of_a_beam_search_is_its_best_text() -> None:
    lines = out("generate", PROMPT, *MODEL, "--greedy", "--beams", "3", "--max-tokens", "9").splitlines()
    texts = records("--greedy", "--beams", "3", "--max-tokens", "9")
    assert [unescape(line) for line in lines] == [texts[0]["text"], texts[1]["text"]]


def test_text_without_tokens() -> None:
    arguments = ("generate", PROMPT, *MODEL, "--tau", "0.2,1", "--seed", "1", "--max-tokens", "3", "--stop", ".")
    written = out(*arguments, "-f", "json")
    empty, other = json.loads(written)
    assert (empty["tokens"], empty["logprobs"], empty["finish"]) == (0, [], "stop")
    assert (empty["mean_logprob"], empty["sequence_perplexity"], empty["distinct_1"]) == (None, None, None)
    tokens = [json.loads(line)["token"] for line in here("compute", "-f", "jsonl", stdin=written).stdout.splitlines()]
    assert tokens == [step["token"] for step in other["logprobs"]] != []
    done = here("compute", stdin=json.dumps([empty]))
    assert done.returncode == 1
    assert "no log-probabilities" in done.stderr
    assert "inf" not in out(*arguments, "-f", "table")


def test_table_has_means_over_texts() -> None:
    arguments = ("--tau", "1", "-n", "3", "--seed", "4", "--stop", ".")
    texts = records(*arguments)
    shown = out("generate", PROMPT, *MODEL, *arguments, "-f", "table")
    lines = [re.split(" {2,}", line.strip()) for line in shown.splitlines()]
    rows = {name: values for name, *values in lines}
    counts = [record["tokens"] for record in texts]
    assert rows["texts"] == ["3"]
    assert float(rows["tokens"][0]) == pytest.approx(sum(counts) / 3, rel=1e-4)
    assert float(rows["log-probability"][0]) == pytest.approx(sum(text["logprob"] for text in texts) / 3, rel=1e-4)
    mean = sum(text["logprob"] for text in texts) / sum(counts)
    assert float(rows["per token"][0]) == pytest.approx(mean, rel=1e-4)
    assert float(rows["sequence perplexity"][0]) == pytest.approx(math.exp(-mean), rel=1e-4)
    # A text that stops immediately has no tokens to compare.
    ratios = [text["distinct_1"] for text in texts if text["distinct_1"] is not None]
    assert float(rows["distinct-1"][0]) == pytest.approx(sum(ratios) / len(ratios), rel=1e-4)


def test_stop_text_is_cut_off() -> None:
    [whole] = records("--tau", "1", "--seed", "1")
    [cut] = records("--tau", "1", "--seed", "1", "--stop", "zebra", "--stop", ".")
    assert cut["text"] == whole["text"].split(".")[0]
    assert (cut["finish"], whole["finish"]) == ("stop", "length")
    [line] = records("--tau", "1", "--seed", "1", "--stop", r"\n", "--max-tokens", "400")
    assert "\n" not in line["text"]
    assert line["finish"] == "stop"


def test_bias_forbids_a_token() -> None:
    [plain] = records("--tau", "0", "--max-tokens", "1")
    [without] = records("--tau", "0", "--max-tokens", "1", "--logit-bias", f"{plain['text']}=-inf")
    assert without["text"] == plain["logprobs"][0]["top_logprobs"][1]["token"]


def test_escape_sequences_in_a_text_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "hostile.txt"
    file.write_text("a \x1b[31mred\x1b[0m [bold]b[/bold] \x07 a \x1b]0;x\x07 日本 " * 30, "utf-8")
    for by in ("word", "char"):
        shown = out("generate", "a", "--ngram", str(file), "--by", by, "--tau", "1,3", "--seed", "1", "-f", "table")
        assert "\x1b" not in shown
        assert "\\x1b[31mred" in shown or by == "char"


def looping(stop: str) -> tuple[str, ...]:
    """Return arguments that sample a text that soon reaches a stop, and a greedy one that never does."""
    return ("generate", PROMPT, *MODEL, "--tau", "2", "--greedy", "--seed", "1", "--stop", stop, "-f", "jsonl", *LONG)


@posix
def test_ctrl_c_keeps_the_texts_so_far(tmp_path: Path) -> None:
    with started(*looping("fox")) as process:
        assert process.stdout
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=50)
    assert process.returncode == 130
    assert (first["strategy"], first["finish"]) == ("sample", "stop")
    [greedy] = map(json.loads, output.splitlines())
    assert (greedy["strategy"], greedy["finish"]) == ("greedy", "interrupted")
    assert greedy["tokens"] == len(greedy["logprobs"]) > 0
    assert errors == b""


@posix
def test_closed_pipe_is_not_an_error() -> None:
    with started(*looping("fox")) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.stderr
        errors = process.stderr.read()
        assert process.wait(50) in (130, 141)
    assert errors == b""


@posix
def test_terminal_shows_growing_texts_and_keeps_them() -> None:
    """Frames overwrite each other, and the complete result remains, also after Ctrl-C."""
    import pexpect
    import pyte

    command = ["generate", PROMPT, *MODEL, "--tau", "0.2,1", "--greedy", "--seed", "1", *LONG]
    child = pexpect.spawn(TSOFT, command, env=environment(NO_COLOR="1"), dimensions=(40, 100), timeout=50)
    for _ in range(3):
        child.expect("τ = 0.2".encode())
    child.sendintr()
    rest = child.read().decode()
    child.close()
    assert child.exitstatus == 130
    assert "Traceback" not in rest
    terminal = pyte.Screen(100, 40)
    pyte.Stream(terminal).feed(rest)
    shown = "\n".join(line.rstrip() for line in terminal.display).strip()
    assert ["finish", *["interrupted"] * 3] in [line.split() for line in shown.splitlines()]
    assert "\x1b[?25h" in rest, "the cursor is visible again"


@posix
def test_text_longer_than_the_screen_shows_its_end() -> None:
    """While a text grows, its last lines are shown below the prompt and the headings."""
    import pexpect
    import pyte

    command = ["generate", PROMPT, *MODEL, "--greedy", *LONG]
    child = pexpect.spawn(TSOFT, command, env=environment(NO_COLOR="1"), dimensions=(12, 40), timeout=50)
    terminal = pyte.Screen(40, 12)
    stream = pyte.ByteStream(terminal)
    frames: set[str] = set()
    # The text repeats itself, with a period that is not a multiple of the line length.
    for _ in range(1000):
        stream.feed(child.read_nonblocking(1 << 16, 30))
        lines = [line.rstrip() for line in terminal.display]
        if lines[0] == PROMPT and lines[2] == " greedy" and lines[9]:
            frames.add("\n".join(lines[4:]))
        if len(frames) == 5:
            break
    child.sendintr()
    child.read()
    child.close()
    assert child.exitstatus == 130
    assert len(frames) == 5


def test_table_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    arguments = ("generate", PROMPT, *MODEL, "--tau", "0.2,1", "--seed", "1", "-f", "table")
    shown = out(*arguments)
    assert out(*arguments, "-o", str(file)) == ""
    assert file.read_text("utf-8") == shown
    assert shown.startswith(PROMPT + "\n")


def test_table_compares_beam_with_greedy() -> None:
    arguments = ("generate", "The cat", *MODEL, "--greedy", "--beams", "4", "--max-tokens", "12")
    texts = [json.loads(line) for line in out(*arguments, "-f", "jsonl").splitlines()]
    assert [record["strategy"] for record in texts[:2]] == ["greedy", "beam 4"]
    by = texts[1]["logprob"] - texts[0]["logprob"]
    assert by > 1
    comparison = f"The beam search's text beats the greedy one by {by:.5g} nats of log-probability"
    assert comparison in out(*arguments, "-f", "table")


def test_ctrl_c_ends_the_current_or_the_next_call() -> None:
    with Interrupts().installed():
        pass
    interrupts, calls = Interrupts(), []
    with interrupts.installed():
        assert interrupts.call(lambda: 1) == 1
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.call(lambda: calls.append(1))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert not calls
    interrupts = Interrupts()
    with interrupts.installed(), pytest.raises(KeyboardInterrupt):
        interrupts.call(lambda: signal.raise_signal(signal.SIGINT))
    assert not calls


@pytest.mark.parametrize(("context_length", "expected"), [(None, 9), (20, 9), (9, 9), (5, 5), (1, 1)])
def test_text_is_limited_by_the_context(
    context_length: int | None, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The prompt has one token. The last token of a text need not be in the context."""
    model = Markov()
    model.context_length = context_length
    prompted = PromptedModel(model, "the", make_plan(SamplerOptions(), ParameterOptions(), None))
    assert prompted.limits(9, (), 0).max_tokens == expected
    assert (f"has room for only {expected} after the prompt" in capsys.readouterr().err) == (expected < 9)
