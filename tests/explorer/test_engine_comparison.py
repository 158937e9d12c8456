"""Two engines with the same settings: the first difference, the command that compares them, and the screen."""

import json
import re
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from driven import Page, explore
from explorer.states import ROW, Z, states
from explorer.test_sampler_state import shown
from tool import TESTS
from tsoft import cli
from tsoft.core.block import Block
from tsoft.explorer.command_line import command_line
from tsoft.explorer.engine_comparison import EngineComparison, comparison_obstacle, missing_samplers
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.head_words import engine_notes
from tsoft.explorer.sampler_state import LogitBiases, SamplerState
from tsoft.explorer.snapshot import Snapshot
from tsoft.sampling.engines import ENGINES, Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU
from tsoft.sampling.step import AllRemovedError

VLLM, LLAMA, EXLLAMA = ENGINES["vllm"], ENGINES["llama.cpp"], ENGINES["exllamav2"]
# At τ = 0.5, the probabilities are as their squares: 0.6849, 0.2466, 0.0616, 0.0068.
PROBS = (0.5, 0.3, 0.15, 0.05)
LABELED = [f"{label}={np.log(prob)}" for label, prob in zip(("was", "is", "had", "a"), PROBS, strict=True)]
RESPONSE = ("-i", str(TESTS / "data" / "llama-server.json"))


def samplers(tau: float, **values: float) -> SamplerState:
    state = SamplerState.from_chain(None, tau)
    for name, value in values.items():
        parameter = SAMPLERS[name].parameters[0]
        state = (state if state.setting(parameter) else state.toggled(parameter)).with_value(parameter, value)
    return state


def compare(
    state: SamplerState, first: Engine, second: Engine, logits: Sequence[float], biases: LogitBiases = ()
) -> EngineComparison:
    row = ExplorerRows([Block(np.array([logits]))]).row(0, biases)
    engines = (state.with_engine(engine) for engine in (first, second))
    return EngineComparison(*(Snapshot(row, state.tau, state.chain(biases)) for state in engines))


def test_the_first_difference_has_the_step_that_removes_the_class() -> None:
    # vLLM: 0.4 · 0.6849 is above 0.2466. llama.cpp: 0.4 · 0.5 is between 0.3 and 0.15.
    for engines, by_first in (((VLLM, LLAMA), True), ((LLAMA, VLLM), False)):
        comparison = compare(samplers(0.5, min_p=0.4), *engines, np.log(PROBS).tolist())
        difference = comparison.difference
        assert difference
        assert (difference.index, str(difference.step), difference.by_first) == (1, "min_p 0.4", by_first)
        # llama.cpp keeps 0.3 and 0.5, whose squares are 9 and 25.
        expected = [0, 9 / 34] if by_first else [9 / 34, 0]
        assert difference.probs == pytest.approx(expected)
        assert comparison.total_variation == pytest.approx(9 / 34)
        assert comparison.words == "min_p 0.4 removes '#1' in vllm, llama.cpp keeps it"


def test_the_first_difference_is_the_most_probable_class_if_both_engines_keep_the_same() -> None:
    # vLLM raises the temperature to 0.01.
    comparison = compare(samplers(0.005), LLAMA, VLLM, [-1.0, -0.99, -50.0])
    difference = comparison.difference
    assert difference
    assert (difference.index, difference.step) == (1, None)
    assert difference.probs == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1))])
    assert comparison.words == "'#1' has 0.8808 in llama.cpp, 0.7311 in vllm"


def test_the_first_difference_is_the_most_probable_class_and_not_at_the_earliest_step() -> None:
    # llama.cpp: top-k removes the last class, then min-p the third one, since e^-2 is below 0.2. vLLM keeps both: its
    # top-k keeps the tie, and min-p follows the temperature, at which e^-1 is above 0.2.
    comparison = compare(samplers(2.0, top_k=3, min_p=0.2), LLAMA, VLLM, [2.0, 1.5, 0.0, 0.0])
    difference = comparison.difference
    assert difference
    assert (difference.index, str(difference.step), difference.by_first) == (2, "min_p 0.2", True)


def test_the_biases_have_an_effect_on_what_is_most_probable(capfd: pytest.CaptureFixture[str]) -> None:
    # With its bias, the third class is more probable than the second one. vLLM removes both: e^-1.8 is below 0.3.
    state = samplers(0.5, min_p=0.3).toggled(BIAS)
    difference = compare(state, VLLM, LLAMA, [2.0, 1.0, 0.9], ((2, 0.2),)).difference
    assert difference
    assert (difference.index, difference.by_first) == (2, True)
    options = ["--logit-bias", "#2=0.2", "--min-p", "0.3", "--tau", "0.5", "--like", "vllm,llama.cpp"]
    assert cli.run(["compute", "2", "1", "0.9", *options, "-f", "table"]) == 0
    assert "llama.cpp first differs from vllm at '#2'" in capfd.readouterr().out


def test_engines_without_a_difference() -> None:
    comparison = compare(samplers(0.7, top_k=2), LLAMA, VLLM, [2.0, 1.0, 0.0])
    assert comparison.difference is None
    assert comparison.words == "llama.cpp and vllm give the same distribution"


@given(states(), st.sampled_from([*ENGINES.values()]), st.sampled_from([*ENGINES.values()]))
def test_tsoft_compute_compares_the_same_distributions(state: SamplerState, first: Engine, second: Engine) -> None:
    state = state.with_engine(first)
    assume(first is not second and not comparison_obstacle(state, second))
    line = command_line(state, ROW, list(map(str, Z.tolist())), second)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "out.json"
        status = cli.run([*shlex.split(line)[1:], "-o", str(file)])
        records = json.loads(file.read_bytes()) if file.exists() else []
    expected = [shown(state.with_engine(engine)) for engine in (first, second)]
    assert status == max(code for code, _ in expected)
    assert status or [(0, record["probs"]) for record in records] == expected


def test_what_a_command_cannot_compare() -> None:
    state = samplers(1.0, typ_p=0.5)
    assert missing_samplers(state.with_engine(VLLM)) == ["vllm has no typical_p"]
    assert comparison_obstacle(state.with_engine(LLAMA), VLLM) == "vllm has no typical_p"
    assert comparison_obstacle(state.with_engine(VLLM), LLAMA) == "vllm has no typical_p"
    # Two engines without it are compared without it.
    assert comparison_obstacle(state.with_engine(VLLM), ENGINES["sglang"]) == ""
    moved = samplers(1.0, top_p=0.5).with_engine(LLAMA).moved(SAMPLERS["top_p"].parameters[0], 9)
    assert comparison_obstacle(moved, VLLM) == "you changed the order of the samplers, and vllm keeps its default order"
    # SGLang itself changes the order with min-p.
    chain = samplers(1.0, top_k=2, top_p=0.6, min_p=0.3).with_engine(ENGINES["sglang"]).chain()
    assert comparison_obstacle(SamplerState.from_chain(chain, 1.0), LLAMA) == ""
    assert comparison_obstacle(moved.with_engine(VLLM), LLAMA) == ""


def test_only_an_engine_is_compared_with_another_one() -> None:
    state = ExplorerState(samplers(1.0))
    assert state.like(VLLM, LLAMA).compared is LLAMA
    assert state.like(VLLM, LLAMA).compared_samplers == state.samplers.with_engine(LLAMA)
    assert state.like(VLLM, VLLM).compared is None
    assert state.like(None, VLLM).compared is None


# The screen.


def table(page: Page) -> dict[str, list[str]]:
    """Return the probabilities of each class as text, one per engine; removed ones have brackets."""
    lines = [line.strip("│")[2:] for line in page.lines("#distribution") if line.startswith("│")]
    probs = {line.split()[0]: re.findall(r"\(?\d\.\d{4}\)?", line) for line in lines[1:] if line.strip()}
    # A line without probabilities has only a part of a bar or of the legend.
    return {name: texts for name, texts in probs.items() if texts}


def struck(page: Page) -> list[str]:
    """Return the names that are struck through."""
    strips = page.strips()
    return [segment.text for strip in strips for segment in strip if segment.style and segment.style.strike]


def test_selecting_two_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def drive(page: Page) -> None:
        await page.press("l", "down", "down", "space")
        assert "● llama.cpp" in page.text("#box")
        await page.press("down", "enter")
        assert page.text("#head").startswith(
            "tsoft explore  min_p 0.4 removes 'is' in vllm, llama.cpp keeps it · TV 0.2647 · 4 classes"
        )
        assert re.search(r"class +vllm +1 +llama\.cpp +1", page.text("#distribution"))
        # The squares of 5 and 3 are as 25 and 9.
        assert table(page) == {
            "was": ["1.0000", "0.7353"],
            "is": ["(0.2466)", "0.2647"],
            "had": ["(0.0616)", "(0.0616)"],
            "a": ["(0.0068)"] * 2,
        }
        assert struck(page) == ["had", "a"]
        assert "like vllm and llama.cpp" in page.text("#parameters")
        await page.press("e")
        assert "llama.cpp first differs from vllm at 'is'" in page.text("#box")
        await page.press("escape", "c")
        words = shlex.split(page.app.copied[0])
        assert cli.run([*words[1:], "-o", "compared.json"]) == 0
        await page.press("x", "enter")
        exported, compared = (json.loads(Path(name).read_text()) for name in ("tsoft.json", "compared.json"))
        assert [record["engine"] for record in exported] == ["vllm", "llama.cpp"]
        assert [record["probs"] for record in exported] == [record["probs"] for record in compared]
        # At τ = 1, the order makes no difference.
        await page.press("1")
        assert "vllm and llama.cpp give the same distribution" in page.text("#head")
        await page.press("u", "u")
        assert page.app.state.compared is None
        assert "vllm" not in page.text("#head")
        await page.press("U", "l", "up", "enter")
        assert (page.option("--like"), page.app.state.compared) == ("llama.cpp", None)

    assert explore(drive, *LABELED, "--min-p", "0.4", "--tau", "0.5", size=(120, 40)) == 0


def test_an_engine_that_lacks_a_sampler() -> None:
    async def drive(page: Page) -> None:
        await page.press("l", "down", "space", "up", "enter")
        assert "vllm has no typical_p" in page.text("#head")
        assert "vllm has no typical_p. The" in page.notices
        await page.press("c")
        assert "No command can compare these" in page.notices
        assert page.app.copied == []

    assert explore(drive, *LABELED, "--typical-p", "0.6", "--like", "llama.cpp", size=(120, 40)) == 0


def test_the_head_has_the_values_that_an_engine_refuses() -> None:
    """The rules are those of vLLM: τ is at most 2. llama.cpp accepts every τ."""
    state = ExplorerState(samplers(3.0, min_p=0.1).with_engine(LLAMA))
    assert engine_notes(state) == []
    expected = ["vllm would reject temperature 3 (its range: 0 to 2); tsoft applies it"]
    assert engine_notes(replace(state, compared=VLLM)) == expected
    # A sampler that is off has no value.
    off = state.samplers.with_engine(VLLM).with_value(TAU, 2.0).toggled(SAMPLERS["min_p"].parameters[0])
    assert engine_notes(ExplorerState(off)) == []


def test_an_engine_that_removes_every_class() -> None:
    rows = ExplorerRows([Block(np.array([[3.0, 2.6, 1.5]] * 2))])
    chain = samplers(1.0, top_p=1e-17).with_engine(ENGINES["mlx-lm@0.32.0"]).chain()
    with pytest.raises(AllRemovedError, match=r"^row 1: top_p 1e-17 of mlx-lm@0\.32\.0 removes every class$"):
        Snapshot(rows.row(1), 1.0, chain)

    async def drive(page: Page) -> None:
        assert "mlx-lm@0.32.0: row 0: top_p 1e-17 of mlx-lm@0.32.0 removes every class" in page.text("#head")
        assert table(page)["A"] == ["1.0000"]
        await page.press("l", *["down"] * 6, "space", *["up"] * 6, "enter")
        assert (page.option("--like"), page.app.state.compared) == ("vllm", None)

    assert explore(drive, "A=3", "B=2.6", "--top-p", "1e-17", "--like", "vllm,mlx-lm@0.32.0") == 0


def test_a_response_is_compared_as_far_as_it_decides() -> None:
    async def drive(page: Page) -> None:
        assert "exllamav2 and llama.cpp may keep the same tokens" in page.text("#head")
        assert re.search("≤.* ≤", page.text("#distribution"))

    arguments = (*RESPONSE, "--tau", "0.8", "--top-p", "0.9", "--like", "exllamav2,llama.cpp")
    assert explore(drive, *arguments, size=(120, 40)) == 0
