"""The state of the explorer as a file: it reads back whole, and a damaged file is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import each_case
from explorer.states import states
from tsoft.core.block import Block, Origin
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.errors import InputError
from tsoft.explorer import saved_state
from tsoft.explorer.explorer_state import ExplorerState, Picture
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.saved_state import SavedState, UnsavableError, open_state, read_state
from tsoft.sampling import sampler_table as table
from tsoft.sampling.engines import ENGINES

BLOCKS = (
    Block(np.array([[2.0, 0.1, -inf]]), ("cat", "日本\x1b\x9b\u202e", ""), 0, keys=["a\x1b7"]),
    Block(np.array([[-1.0, -2.0]], np.float32), None, 1, Origin("energy")),
)
EDIT = RowEdit().with_logit(0, 1 / 3).with_class("new", -1e300).with_mask(1, True)
SAMPLERS = SamplerState.from_chain(None, 0.7)
STATE = ExplorerState(SAMPLERS, 1, True, "a'", ((0, EDIT),), Picture(0, EDIT, SAMPLERS))
SAVED = SavedState(BLOCKS, ("first", "second"), (((0, 1.5), (1, -inf)), ()), STATE, True)


@given(states(), st.booleans())
def test_a_state_reads_back(samplers: SamplerState, is_marked: bool) -> None:
    state = replace(STATE, samplers=samplers, mark=replace(STATE.picture, samplers=samplers) if is_marked else None)
    read = read_state(replace(SAVED, state=state).text().encode(), "f.tsoft")
    assert read.state == state
    assert (read.titles, read.biases, read.bits) == (SAVED.titles, SAVED.biases, True)
    for block, saved in zip(read.blocks, BLOCKS, strict=True):
        assert block.logits.tolist() == saved.logits.tolist()
        assert (block.labels, block.first_row, block.origin.quantity, block.keys) == (
            saved.labels,
            saved.first_row,
            saved.origin.quantity,
            saved.keys,
        )


@pytest.mark.parametrize("quantity", ["prob", "logprob"])
def test_probabilities_stay_without_raw_logits(quantity: str) -> None:
    blocks = (replace(BLOCKS[0], origin=Origin(quantity)), BLOCKS[1])
    read = read_state(replace(SAVED, blocks=blocks).text().encode(), "f.tsoft")
    assert [block.origin.quantity for block in read.blocks] == [quantity, "energy"]
    assert read.blocks[0].quantity_without_constant


def test_a_state_of_a_sampler_reads_back_set_or_not() -> None:
    target, _, mu = table.SAMPLERS["mirostat"].parameters
    unset = SAMPLERS.toggled(target)
    for samplers in (unset, unset.with_value(mu, 3.5)):
        state = replace(STATE, samplers=samplers)
        assert read_state(replace(SAVED, state=state).text().encode(), "f").state == state


def test_a_state_whose_samplers_depend_on_the_text_cannot_be_saved() -> None:
    samplers = SAMPLERS.toggled(table.SAMPLERS["dry"].parameters[0])
    for state in (replace(STATE, samplers=samplers), replace(STATE, mark=replace(STATE.picture, samplers=samplers))):
        with pytest.raises(UnsavableError, match="does not contain the tokens before the distribution"):
            replace(SAVED, state=state).text()
    # Without an effect, they are not saved, and nothing else is lost.
    off = samplers.toggled(table.SAMPLERS["dry"].parameters[0])
    assert read_state(replace(SAVED, state=replace(STATE, samplers=off)).text().encode(), "f").state == STATE


def test_two_engines_read_back() -> None:
    state = STATE.like(ENGINES["llama.cpp"], ENGINES["vllm"])
    read = read_state(replace(SAVED, state=state).text().encode(), "f.tsoft")
    assert read.state.compared is ENGINES["vllm"]
    assert read.state == state


def test_a_state_escapes_what_a_terminal_obeys() -> None:
    text = SAVED.text()
    assert not {*"\x1b\x9b\u202e"} & set(text)
    assert json.loads(text)["rows"][0]["labels"] == ["cat", "日本\x1b\x9b\u202e", ""]


def broken(change: Callable[[Any], None]) -> bytes:
    """Return the file after a change of its data."""
    data = json.loads(SAVED.text())
    change(data)
    return json.dumps(data).encode()


def put(value: object, *path: str | int) -> bytes:
    """Return the file with another value at a path."""

    def change(data: Any) -> None:
        *parents, last = path
        for part in parents:
            data = data[part]
        data[last] = value

    return broken(change)


def reverse_vllm(data: Any) -> None:
    """Let the samplers follow vLLM, in the opposite order."""
    samplers = data["state"]["samplers"]
    samplers.update(engine="vllm", settings=samplers["settings"][::-1])


SETTINGS = ("state", "samplers", "settings")


@each_case(
    ("data", "problem"),
    [
        (b"", "f: not valid JSON"),
        (b"\xff", "f: not UTF-8 text"),
        (b"[" * 100_000, "f: not a saved state: nested too deeply"),
        (b'{"format": NaN}', "f: not valid JSON: NaN is not JSON"),
        (b'{"format": 1, "format": 2}', "f: not valid JSON: an object repeats a name"),
        (b"[1, 2]", "f: not a saved state of tsoft explore"),
        (put(2, "version"), "f: saved by another version of tsoft"),
        (broken(lambda data: data.pop("rows")), "f: the field 'rows' is missing"),
        (put(1, "extra"), "f: unknown field 'extra'"),
        (put([], "rows"), "f: rows: expected one row at least"),
        (put(["a"], "titles"), "f: titles: expected one title per row"),
        (put(1.5, "rows", 0, "key"), "f: rows, item 0, key: expected a text or a whole number"),
        (put(True, "rows", 1, "key"), "f: rows, item 1, key: expected a text or a whole number"),
        (put("\ud800", "rows", 0, "labels", 1), "f: rows, item 0, labels, item 1: the text contains a lone surrogate"),
        (put(["a"], "rows", 0, "labels"), "f: rows, item 0, labels: expected an array of 3 values"),
        (put("inf", "rows", 0, "logits", 1), "f: rows, item 0, logits, item 1: a logit is a number or -inf"),
        (put(True, "rows", 0, "logits", 1), "f: rows, item 0, logits, item 1: expected a number"),
        (put(10**400, "rows", 0, "logits", 1), "f: rows, item 0, logits, item 1: the number is too large"),
        (put(["-inf"] * 3, "rows", 0, "logits"), "f: rows, item 0, logits: one class at least"),
        (put("odds", "rows", 0, "quantity"), "f: rows, item 0, quantity: expected one of logit, energy"),
        (put([[3, 1]], "rows", 0, "biases"), "f: rows, item 0, biases, item 0, item 0: expected a whole number from 0"),
        (put(2, "state", "row"), "f: state, row: expected a whole number from 0 to 1"),
        (put(1, "state", "input_order"), "f: state, input_order: expected true or false"),
        (put(None, "state", "filter"), "f: state, filter: expected a text"),
        (put([9], "state", "edits", 0, "edit", "masked"), "f: state, edits, item 0, edit, masked, item 0: expected a"),
        (put([0, 1, 3], "state", "edits", 0, "edit", "masked"), "f: state, edits, item 0, edit: one class at least"),
        (put([[1, 1], [0, 1]], "state", "edits", 0, "edit", "logits"), "f: state, edits, item 0, edit, logits: the"),
        (put("hot", *SETTINGS, 0, "sampler"), "f: state, samplers, settings, item 0, sampler: expected one of"),
        (put([], *SETTINGS), "f: state, samplers, settings: the temperature is missing"),
        (
            put(-1, *SETTINGS, 0, "values", "tau"),
            "f: state, samplers, settings, item 0, values, tau: expected a number",
        ),
        (put("x", "state", "mark", "samplers", "engine"), "f: state, mark, samplers, engine: expected one of"),
        (put("x", "state", "compared"), "f: state, compared: expected one of transformers,"),
        (put("vllm", "state", "compared"), "f: state, compared: only an engine is compared, with another one"),
        (broken(lambda data: data["state"].pop("compared")), "f: state: the field 'compared' is missing"),
        (broken(reverse_vllm), "f: state, samplers, settings: vllm has another order"),
    ],
)
def test_a_damaged_file_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(InputError) as error:
        read_state(data, "f")
    assert str(error.value).startswith(problem)


def test_some_states_cannot_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    response = Block(np.array([[-1.0, -2.0]]), ("a", "b"), partial=PartialDistribution(np.array([-1.0, -2.0]), 0, -2.0))
    with pytest.raises(UnsavableError, match="API response"):
        SavedState((response,), (), ((),), STATE).text()
    with pytest.raises(UnsavableError, match="not valid text"):
        replace(SAVED, titles=("\udc80", "")).text()
    monkeypatch.setattr(saved_state, "MAX_LOGITS", 4)
    with pytest.raises(UnsavableError, match="at most 4 logits"):
        SAVED.text()


def test_a_file_that_does_not_exist() -> None:
    with pytest.raises(InputError, match=r"nowhere\.tsoft: No such file"):
        open_state("nowhere.tsoft")


def test_a_file_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(saved_state, "MAX_BYTES", 1 << 20)
    file = tmp_path / "endless.tsoft"
    file.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(InputError, match=r"endless.tsoft: the saved state is larger than 1 MB"):
        open_state(str(file))
    with pytest.raises(UnsavableError, match="at most 1 MB"):
        replace(SAVED, titles=("x" * (1 << 20), "")).text()
