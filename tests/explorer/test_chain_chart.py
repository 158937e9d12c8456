"""The chart of the chain: the classes and the probability that each step cuts."""

import numpy as np
import pytest
from rich.cells import cell_len

from driven import Page, explore
from explorer.test_screens import HOSTILE
from tool import TESTS
from tsoft.core.block import Block
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.snapshot import Snapshot
from tsoft.explorer.step_effects import StepEffect, has_samplers, step_effects
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.sampler_table import SAMPLERS

# τ = 0.5 squares the probabilities: 0.6849, 0.2466, 0.0616, 0.0068.
FOUR = [f"{label}={np.log(prob)}" for label, prob in zip("ABCD", (0.5, 0.3, 0.15, 0.05), strict=True)]


def chain(*names: str, **values: float) -> Chain:
    return chain_of(None, tuple(SAMPLERS[name] for name in names), [SAMPLERS[name] for name in names], values)


def effects(logits: np.ndarray, steps: Chain) -> list[StepEffect]:
    return step_effects(Snapshot(ExplorerRows([Block(logits[np.newaxis])]).row(0), 1.0, steps))


def test_the_effects_of_the_steps() -> None:
    with np.errstate(divide="ignore"):
        logits = np.log([0.5, 0.0, 0.25, 0.125, 0.125])
    steps = chain("top_k", "min_p", "xtc", top_k=3, min_p=0.4, xtc_probability=0.5, xtc_threshold=0.1)
    # The masked class is not cut. top_k leaves 4/7, 2/7 and 1/7; 0.4 · 4/7 is above 1/7. The rest has 2/3 and 1/3, and
    # xtc removes the first of them in half of the cases.
    assert [(effect.kept, effect.cut) for effect in effects(logits, steps)] == [(3, 1), (2, 1), (2, 0)]
    assert [effect.cut_prob for effect in effects(logits, steps)] == pytest.approx([1 / 8, 1 / 7, 1 / 3])


def test_the_effects_on_a_wide_row() -> None:
    logits = np.random.default_rng(1).standard_normal(9000) * 3
    probs = np.sort(np.exp(logits) / np.exp(logits).sum())[::-1]
    steps = chain("top_k", "top_p", "min_p", top_k=500, top_p=0.7, min_p=0.05)
    shown = effects(logits, steps)
    expected = []
    for count in [effect.kept for effect in shown]:
        expected.append(probs[count:].sum() / probs.sum())
        probs = probs[:count]
    assert shown[0].kept == 500
    assert [effect.cut_prob for effect in shown] == pytest.approx(expected)
    assert [effect.cut for effect in shown] == [8500, 500 - shown[1].kept, shown[1].kept - shown[2].kept]
    assert shown[2].kept < shown[1].kept < 500


def test_the_temperature_alone_is_no_sampler() -> None:
    row = ExplorerRows([Block(np.array([[1.0, 0.0]]))]).row(0)
    for engine in (None, ENGINES["vllm"]):
        temperature = chain_of(engine, None, [SAMPLERS["temperature"]], {})
        assert not has_samplers(Snapshot(row, 0.5, temperature))
    assert has_samplers(Snapshot(row, 0.5, chain("top_k", top_k=1)))
    # At τ = 0, vLLM decodes greedily.
    assert has_samplers(Snapshot(row, 0.0, chain_of(ENGINES["vllm"], None, [SAMPLERS["temperature"]], {})))


def rows(page: Page) -> list[list[str]]:
    """Return the words of the lines of the chart, without the bars."""
    if not page.app.query_one("#chain").display or not page.app.query_one("#chain").region:
        return []
    lines = [line.strip("│ ") for line in page.lines("#chain")[1:-1]]
    return [line.rstrip("█▉▊▋▌▍▎▏ ").split() for line in lines]


def test_the_chart_changes_with_the_samplers() -> None:
    async def drive(page: Page) -> None:
        assert rows(page) == []
        await page.press("down", "down", "down", "space", "enter", "0", ".", "4", "enter")
        assert rows(page)[1:] == [["temperature", "0.5", "4", "0"], ["min_p", "0.4", "1", "3", "0.3151"]]
        # The bar of 0.3151 ends after 79 % of the scale.
        *_, bar = page.lines("#chain")[3].strip("│ ").split()
        assert page.lines("#chain")[1].endswith("0.4│")
        width = len(page.lines("#chain")[3]) - page.lines("#chain")[3].index(bar) - 1
        assert len(bar) == np.ceil(width * 0.3151 / 0.4)
        # Before the temperature, min_p keeps B: 0.3 is above 0.4 · 0.5. The classes below are 0.15 + 0.05.
        await page.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
        assert rows(page)[1:] == [["min_p", "0.4", "2", "2", "0.2000"], ["temperature", "0.5", "2", "0"]]
        await page.resize(100, 40)
        assert rows(page) == []
        await page.resize(120, 30)
        assert rows(page) == []
        await page.resize(160, 50)
        assert len(rows(page)) == 3
        await page.press("down", "down", "space")
        assert [row[0] for row in rows(page)] == ["step", "min_p", "temperature", "top_k"]
        await page.press("u", "u", "u", "u", "u", "u")
        assert rows(page) == []

    assert explore(drive, *FOUR, "--tau", "0.5", size=(120, 40)) == 0


def test_the_chart_has_a_part_for_each_engine() -> None:
    async def drive(page: Page) -> None:
        lines = rows(page)
        assert [line[0] for line in lines] == ["vllm", "temperature", "min_p", "llama.cpp", "min_p", "temperature"]
        assert [line[2:4] for line in lines if line[0] == "min_p"] == [["1", "3"], ["2", "2"]]
        await page.resize(120, 38)
        await page.press("down", "down", "space", "down", "space")
        assert "more lines; e shows all steps" in page.text("#chain")
        assert len(rows(page)) < 10

    assert explore(drive, *FOUR, "--tau", "0.5", "--min-p", "0.4", "--like", "vllm,llama.cpp", size=(120, 40)) == 0


def test_the_chart_of_a_response_has_ranges() -> None:
    async def drive(page: Page) -> None:
        await page.press("n", "n", "n")
        words = [" ".join(line) for line in rows(page)]
        # The response lists 12 tokens. Whether the fourth one is within top-p 0.9 depends on the others.
        assert words[1:] == ["temperature 0.8 12 0 may remain", "top_k 4 4 8 removed", "top_p 0.9 3-4 0-1 removed"]

    arguments = ("-i", str(TESTS / "data" / "llama-server.json"), "--tau", "0.8", "--top-k", "4", "--top-p", "0.9")
    assert explore(drive, *arguments, "--like", "exllamav2", size=(120, 40)) == 0


def test_a_long_chain_fits() -> None:
    options = ("--top-k", "5", "--typical-p", "0.9", "--xtc-probability", "0.5", "--xtc-threshold", "0.000001")

    async def drive(page: Page) -> None:
        assert max(map(cell_len, page.lines())) <= 120
        assert "xtc 0.5" in page.text("#chain")

    assert explore(drive, *HOSTILE, *options, size=(120, 40)) == 0
