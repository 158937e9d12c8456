"""Two responses of simulated servers in several formats: what their log-probabilities are, where they differ, and how
the result is written."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from scipy.special import log_softmax

from figure_charts import texts
from tool import TESTS, here
from tsoft.charts.view import Screen, View
from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.features.audit.findings import Verdict
from tsoft.features.audit.pair_result import PairResult, audit_pair
from tsoft.options import logits
from tsoft.options.input import LogitsOptions
from tsoft.options.result import Result
from tsoft.output import records
from tsoft.output.number_format import NumberFormat

WORDS = [f" w{i}" for i in range(120)]
LOGITS = np.random.default_rng(20).normal(size=(5, len(WORDS))) * 3
INF = math.inf

# A position: the drawn token and the log-probabilities of all tokens.
Position = tuple[int, Array]


def blocks(file: Path) -> Iterator[Block]:
    return logits.read_blocks(LogitsOptions(inputs=[str(file)]), None)


def written(result: Result, format: str) -> str:
    return "".join(str(piece) for piece in records.write(result, format, NumberFormat(None)))


def listed(logprobs: Array, count: int) -> list[int]:
    return [int(i) for i in np.argsort(-logprobs)[:count] if logprobs[i] > -INF]


# Formats


def chat(positions: list[Position], count: int) -> Any:
    """OpenAI's chat: five decimals or more, the drawn token only if it is among the most probable."""
    content = [
        {
            "token": WORDS[drawn],
            "logprob": round(float(logprobs[drawn]), 6),
            "top_logprobs": [
                {"token": WORDS[i], "logprob": round(float(logprobs[i]), 6)} for i in listed(logprobs, count)
            ],
        }
        for drawn, logprobs in positions
    ]
    return {"choices": [{"index": 0, "message": {"content": ""}, "logprobs": {"content": content}}]}


def completions(positions: list[Position], count: int) -> Any:
    """OpenAI's completions: an object for each position, to which the drawn token is added."""
    tops = [
        {WORDS[i]: round(float(logprobs[i]), 4) for i in dict.fromkeys([*listed(logprobs, count), drawn])}
        for drawn, logprobs in positions
    ]
    drawn = [WORDS[drawn] for drawn, _ in positions]
    numbers = [top[word] for top, word in zip(tops, drawn, strict=True)]
    logprobs = {"tokens": drawn, "token_logprobs": numbers, "top_logprobs": tops}
    return {"object": "text_completion", "choices": [{"index": 0, "text": "", "logprobs": logprobs}]}


def vllm(positions: list[Position], count: int) -> Any:
    """vLLM's chat: a probability of 0 is -9999."""
    return chat([(drawn, np.maximum(logprobs, -9999.0)) for drawn, logprobs in positions], count)


def llama_cpp(positions: list[Position], count: int) -> Any:
    """llama.cpp's server, with the probabilities after the samplers in float32."""
    tokens = [
        {
            "id": drawn,
            "token": WORDS[drawn],
            "prob": float(np.float32(np.exp(logprobs[drawn]))),
            "top_probs": [
                {"id": i, "token": WORDS[i], "prob": float(np.float32(np.exp(logprobs[i])))}
                for i in listed(logprobs, count)
            ],
        }
        for drawn, logprobs in positions
    ]
    return {"index": 0, "content": "", "tokens": [], "stop": True, "completion_probabilities": tokens}


FORMATS = (chat, completions, vllm, llama_cpp)
Format = Callable[[list[Position], int], Any]


def top_k(logprobs: Array, k: int) -> Array:
    """Return the log-probabilities after top-k."""
    return log_softmax(np.where(logprobs >= np.sort(logprobs)[-k], logprobs, -INF))  # type: ignore[no-any-return]


def pair(
    path: Path,
    first: tuple[Format, list[Array]],
    second: tuple[Format, list[Array]],
    taus: tuple[float, float] = (0.5, 1.0),
    count: int = 8,
) -> PairResult:
    """Return the audit of two responses that draw the same tokens, which are the most probable ones."""
    for name, (format, rows) in zip("ab", (first, second), strict=True):
        positions = [(int(np.argmax(z)), row) for z, row in zip(LOGITS, rows, strict=True)]
        (path / f"{name}.json").write_text(json.dumps(format(positions, count)))
    return audit_pair(blocks(path / "a.json"), blocks(path / "b.json"), taus)


def tempered(tau: float) -> list[Array]:
    return [log_softmax(z / tau) for z in LOGITS]


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", [chat, completions])
def test_the_kind_is_found_in_each_format(first: Format, second: Format, tmp_path: Path) -> None:
    raw = pair(tmp_path, (first, tempered(1.0)), (second, tempered(1.0)))
    assert (raw.finding.found, raw.verdict, raw.exit_code) == ("raw", Verdict.NOTED, 0)
    scaled = pair(tmp_path, (first, tempered(0.5)), (second, tempered(1.0)))
    assert (scaled.finding.found, scaled.verdict, scaled.exit_code) == ("tempered", Verdict.CONFIRMED, 0)
    assert scaled.kind.fit
    assert scaled.kind.fit.slope == pytest.approx(0.5, abs=1e-3)
    cut = pair(tmp_path, (first, tempered(1.0)), (second, [top_k(row, 5) for row in tempered(1.0)]))
    assert (cut.finding.found, cut.kind.is_tempered, cut.exit_code) == ("truncated", False, 0)
    both = pair(tmp_path, (first, tempered(0.5)), (second, [top_k(row, 5) for row in tempered(1.0)]))
    assert (both.finding.found, both.kind.is_tempered, both.verdict) == ("truncated", True, Verdict.CONFIRMED)


def test_a_server_with_another_temperature_is_contradicted(tmp_path: Path) -> None:
    """It applies 0.9 where 0.5 was requested."""
    result = pair(tmp_path, (chat, tempered(0.9)), (chat, tempered(1.0)))
    assert (result.verdict, result.exit_code) == (Verdict.CONTRADICTED, 3)
    assert result.finding.requested == "τ = 0.5 in A, 1 in B"
    assert "slope 0.9, but the temperatures give 0.5" in result.finding.reason


def test_equal_temperatures_are_inconclusive(tmp_path: Path) -> None:
    result = pair(tmp_path, (chat, tempered(1.0)), (chat, tempered(1.0)), taus=(0.7, 0.7))
    assert (result.verdict, result.exit_code) == (Verdict.INCONCLUSIVE, 4)
    assert "the temperatures are equal" in result.kind.reason


def test_responses_of_real_servers_are_equal_to_themselves() -> None:
    for file in ("openai-chat.json", "openai-completions.json", "llama-server.json"):
        result = audit_pair(blocks(TESTS / "data" / file), blocks(TESTS / "data" / file), (0.5, 1.0))
        assert result.finding.found == "raw", file
        assert all(position.difference == 0 for position in result.positions)


def test_responses_to_different_prompts_are_unknown() -> None:
    first, second = TESTS / "data/openai-chat.json", TESTS / "data/llama-server.json"
    result = audit_pair(blocks(first), blocks(second), (0.5, 1.0))
    assert (result.finding.found, result.exit_code) == ("unknown", 4)


# Positions


def test_positions_after_different_tokens_are_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [[0, 1, 2, 3, 4], [0, 1, 7, 3, 4]]
    for name, tau, drawn in zip("ab", (0.5, 1.0), rows, strict=True):
        positions = list(zip(drawn, tempered(tau), strict=True))
        (tmp_path / name).write_text(json.dumps(completions(positions, 8)))
    result = audit_pair(blocks(tmp_path / "a"), blocks(tmp_path / "b"), (0.5, 1.0))
    note = "row 2: the texts differ after 2 tokens: A and B drew ' w2' and ' w7'; tsoft leaves out the 2 tokens after"
    assert note in capfd.readouterr().err
    assert [each.drawn[0] != each.drawn[1] for each in result.positions] == [False, False, True]
    found = json.loads(written(result.by_position, "json"))
    assert [(each["row"], each["drawn_a"], each["drawn_b"]) for each in found] == [
        (0, " w0", " w0"),
        (1, " w1", " w1"),
        (2, " w2", " w7"),
    ]
    for each, a, b in zip(found, tempered(0.5), tempered(1.0), strict=False):
        change: Array = b - a
        drawn = [WORDS.index(each[name]) for name in ("drawn_a", "drawn_b")]
        common = {*listed(a, 8), drawn[0]} & {*listed(b, 8), drawn[1]}
        assert each["token"] == WORDS[max(common, key=lambda i: abs(change[i]))]
        assert each["difference"] == pytest.approx(change[WORDS.index(each["token"])], abs=1e-4)
        assert each["slope"] == pytest.approx(0.5, abs=1e-3)
        assert each["common"] == len(common)


def test_tokens_with_the_same_text_are_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Their log-probabilities would be those of other tokens."""
    answers = [chat([(0, row) for row in tempered(tau)], 8) for tau in (0.5, 1.0)]
    for answer, order in zip(answers, ((3, 4), (4, 3)), strict=True):
        for token in answer["choices"][0]["logprobs"]["content"]:
            for i in order:
                token["top_logprobs"][i]["token"] = " twice"
    for name, answer in zip("ab", answers, strict=True):
        (tmp_path / name).write_text(json.dumps(answer))
    result = audit_pair(blocks(tmp_path / "a"), blocks(tmp_path / "b"), (0.5, 1.0))
    assert result.finding.found == "tempered"
    assert not any(" twice" in position.labels for position in result.positions)
    assert "row 0: several tokens have the text ' twice'; tsoft leaves such tokens out" in capfd.readouterr().err


def test_an_input_that_is_no_response_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "logits.txt").write_text("1 2 3\n")
    (tmp_path / "a.json").write_text(json.dumps(chat([(0, tempered(1.0)[0])], 3)))
    with pytest.raises(InputError, match=r"logits.txt:1: B has logits, not the log-probabilities of an API response"):
        audit_pair(blocks(tmp_path / "a.json"), blocks(tmp_path / "logits.txt"), (0.5, 1.0))
    (tmp_path / "b.jsonl").write_text((tmp_path / "a.json").read_text() + "\n" + (tmp_path / "a.json").read_text())
    with pytest.raises(InputError, match="the numbers of texts differ: A has 1 and B has 2"):
        audit_pair(blocks(tmp_path / "a.json"), blocks(tmp_path / "b.jsonl"), (0.5, 1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--applied-tau", "2"), "--applied-tau has no effect on two responses; pass the temperatures with --tau"),
        (("--tau", "1"), "--tau: 3 temperatures for two responses"),
    ],
)
def test_options_that_two_responses_do_not_have(options: tuple[str, ...], message: str) -> None:
    done = here("audit", "a.json", "b.json", "--tau", "0.5,1", *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_response_is_not_compared_with_itself() -> None:
    done = here("audit", "a.json", "./a.json", "--tau", "0.5,1")
    assert (done.returncode, done.stderr) == (2, "tsoft: error: ./a.json is repeated; pass two responses\n")


# Output


@pytest.fixture
def cut(tmp_path: Path) -> PairResult:
    return pair(tmp_path, (chat, tempered(0.5)), (chat, [top_k(row, 5) for row in tempered(1.0)]))


def test_records(cut: PairResult) -> None:
    tsv = written(cut, "tsv").split("\n")[0].split("\t")
    assert tsv[:2] == ["truncated", "confirmed"]
    assert [float(number) for number in tsv[2:]] == pytest.approx([0.5, 0.5], abs=1e-4)
    header, line = written(cut, "csv").splitlines()
    assert header.split(",")[:5] == ["logprobs", "verdict", "tempered", "tau_a", "tau_b"]
    assert line.startswith("truncated,confirmed,yes,0.5,1")
    (found,) = json.loads(written(cut, "json"))
    assert json.loads(written(cut, "jsonl")) == found
    assert (found["tempered"], found["removed_a"], found["compared"]) == (True, 0, 5)
    assert found["removed_b"] > 0
    assert found["slope_low"] <= found["slope"] <= found["slope_high"]
    assert found["positions"] == json.loads(written(cut.by_position, "json"))
    lines = written(cut.by_position, "csv").splitlines()
    assert (len(lines), lines[0].split(",")[0]) == (6, "row")


def test_records_without_a_slope_have_no_number(tmp_path: Path) -> None:
    result = pair(tmp_path, (chat, tempered(1.0)), (chat, tempered(1.0)), count=1)
    (found,) = json.loads(written(result, "json"))
    assert (found["logprobs"], found["slope"], found["tempered"]) == ("unknown", None, None)
    assert found["positions"][0]["slope"] is None
    assert written(result, "tsv") == "unknown\tinconclusive\t\t0.5\n"


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_table_fits_the_screen(cut: PairResult, width: int) -> None:
    view = View(Screen(width, color=False))
    text = "".join(cut.render(view)) + view.draw_legend()
    assert max(map(cell_len, text.splitlines())) <= width
    flat = " ".join(text.split())
    assert "tempered and truncated" in flat
    assert "a sampler removed tokens" in flat
    assert "residual: the largest deviation" in flat


def test_a_table_shows_the_first_positions_and_untrusted_texts_as_text(tmp_path: Path) -> None:
    answers = [chat([(0, row) for row in tempered(tau)], 8) for tau in (0.5, 1.0)]
    for name, answer in zip("ab", answers, strict=True):
        for token in answer["choices"][0]["logprobs"]["content"]:
            token["token"] = "[red]\x1b[31m\n"
        (tmp_path / name).write_text(json.dumps(answer))
    result = audit_pair(blocks(tmp_path / "a"), blocks(tmp_path / "b"), (0.5, 1.0), shown=2)
    text = "".join(result.render(View(Screen(120, color=False))))
    assert sum(line.lstrip()[:1].isdigit() for line in text.split("logprobs")[0].splitlines()) == 2
    assert "… 3 more positions (--rows N shows more)" in text
    assert "'[red]\\x1b[31m\\n'" in text
    assert "\x1b" not in text


def test_a_figure_shows_both_lines(cut: PairResult) -> None:
    from tsoft.figures.canvas import Paper, canvas

    with canvas(Paper()) as page:
        cut.draw(page, View(Screen(80, color=False)))
        shown = " ".join(texts(page.figure))
    for text in ("log-probabilities: truncated, slope 0.5", "raw: slope 1", "tempered: slope 0.5"):
        assert text in shown
