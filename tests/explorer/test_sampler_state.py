"""The explorer's sampler state: it needs no screen, and `tsoft compute` with its options has the same effect."""

import json
import subprocess
import sys
import tempfile
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cases import each_case
from explorer.states import PARAMETERS, ROW, Z, many, states, values
from tool import environment
from tsoft import cli
from tsoft.explorer.sampler_state import SamplerState, exact_text
from tsoft.explorer.slider_ranges import slider_range
from tsoft.explorer.snapshot import Snapshot
from tsoft.sampling.chain import Chain
from tsoft.sampling.engines import ENGINES, Engine
from tsoft.sampling.history import History
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, SamplerParameter
from tsoft.sampling.step import ChainError

# The tokens before the distribution, which repeat.
TOKENS = [4, 0, 1, 2, 0, 1]


def test_the_state_is_imported_without_textual() -> None:
    code = "import sys\n"
    for module in ("sampler_state", "snapshot", "explorer_rows", "draw_counts", "live_text"):
        code += f"import tsoft.explorer.{module}\n"
    code += "sys.exit(any(name in sys.modules for name in ('textual', 'rich', 'typer')))"
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True, timeout=60)


def chain_steps(chain: Chain | None) -> Any:
    return chain and (chain.engine, [(step.sampler, step.values) for step in chain.steps])


def effect(state: SamplerState) -> Any:
    return state.tau, chain_steps(state.chain())


def computed(state: SamplerState) -> tuple[int, list[float] | None]:
    """Return the exit code of `tsoft compute` with the options of a state, and the probabilities that it writes."""
    with tempfile.TemporaryDirectory() as folder:
        file, history = Path(folder) / "out.json", Path(folder) / "history.txt"
        history.write_text("".join(f"{token}\n" for token in TOKENS))
        tokens = ["--history", str(history)] if state.needs_history else []
        status = cli.run(["compute", *map(str, Z), *state.options, *tokens, "-o", str(file)])
        return status, json.loads(file.read_bytes())[0]["probs"] if file.exists() else None


def shown(state: SamplerState) -> tuple[int, list[float] | None]:
    """Return the same for a snapshot."""
    try:
        chain = state.chain()
        return 0, Snapshot(ROW, state.tau, chain and chain.with_history(History(np.array(TOKENS)))).probs.tolist()
    except ChainError:
        return 1, None


@many
@given(states(has_history=True))
def test_tsoft_compute_with_the_options_has_the_same_probabilities(state: SamplerState) -> None:
    assert computed(state) == shown(state)


def every_sampler(*, first_only: bool = True) -> SamplerState:
    """Return all samplers, switched on at their initial values."""
    state = SamplerState.from_chain(None, 0.7)
    for sampler in SAMPLERS.values():
        for parameter in sampler.parameters[: 1 if first_only else None]:
            if parameter not in (TAU, BIAS):
                known = state if state.setting(parameter) else state.toggled(parameter)
                state = known.with_value(parameter, slider_range(parameter).initial)
    return state


@pytest.mark.parametrize("engine", [None, *ENGINES.values()], ids=lambda engine: engine.name if engine else "tsoft")
def test_every_engine_takes_every_sampler_that_it_has(engine: Engine | None) -> None:
    state = every_sampler().with_engine(engine)
    assert [setting.sampler.name for setting in state.settings if setting.on] == [
        setting.sampler.name for setting in state.settings
    ]
    assert [setting.sampler.name for setting in state.effective] == [
        sampler.name
        for sampler in (engine.samplers if engine else SAMPLERS.values())
        if sampler.parameters and not sampler.is_bias
    ]
    assert computed(state) == shown(state)
    # The order can be changed if the engine allows it.
    first = SAMPLERS[engine.movable[0][0]] if engine and engine.movable else state.effective[0].sampler
    moved = state.moved(first.parameters[0], 99)
    assert state.is_reorderable is (engine is None or engine.reorders)
    assert (moved == state) is not state.is_reorderable
    assert ("--samplers" in moved.options) is state.is_reorderable


@each_case("parameter", PARAMETERS)
def test_every_parameter_has_a_slider_once_it_is_on(parameter: SamplerParameter) -> None:
    state = every_sampler(first_only=False)
    assert parameter in state.visible_parameters
    assert state.with_value(parameter, slider_range(parameter).high).value(parameter) == slider_range(parameter).high


def test_the_switches_are_those_of_the_samplers_that_the_engine_has() -> None:
    state = SamplerState.from_chain(None, 1.0)
    names = [parameter.name for parameter in state.switches]
    switches = [switch.name for sampler in SAMPLERS.values() for switch in sampler.switch_parameters]
    assert set(names) == {*switches, "dynatemp_range"} - {"tau", "logit_bias"}
    assert names.index("dynatemp_range") == names.index("top_n_sigma") - 1
    for engine in ENGINES.values():
        parameters = state.with_engine(engine).switches
        assert [parameter.name for parameter in parameters] == [name for name in names if engine.has(name)]


@given(states())
def test_a_chain_s_state_has_the_same_chain(state: SamplerState) -> None:
    assert effect(SamplerState.from_chain(state.chain(), state.tau)) == effect(state)


@given(states(), st.sampled_from([sampler.parameters[0] for sampler in SAMPLERS.values()]))
def test_a_sampler_that_is_toggled_twice_has_the_same_effect(state: SamplerState, parameter: SamplerParameter) -> None:
    assume(parameter is not BIAS)
    once = state.toggled(parameter)
    assert effect(once.toggled(parameter)) == effect(state)
    if parameter is TAU:
        assert once == state
    elif state.supports(parameter):
        assert effect(once) != effect(state)


def test_each_penalty_is_a_switch_and_keeps_the_others() -> None:
    repetition, presence, _, last_n = SAMPLERS["penalties"].parameters
    off = SamplerState.from_chain(None, 1.0)
    state = off.toggled(presence)
    assert state.options[2:] == ["--presence-penalty", "0.5", "--penalty-last-n", "inf"]
    state = state.with_value(repetition, 1.3).with_value(last_n, 64.0)
    assert state.options[2:] == ["--repetition-penalty", "1.3", "--presence-penalty", "0.5", "--penalty-last-n", "64"]
    state = state.toggled(presence)
    assert state.options[2:] == ["--repetition-penalty", "1.3", "--penalty-last-n", "64"]
    assert last_n in state.visible_parameters
    # The only switch, and the parameter that modifies it, switch the sampler off and on again with its values.
    for parameter in (repetition, last_n):
        switched_off = state.toggled(parameter)
        assert (switched_off.chain(), switched_off.effective) == (None, off.effective)
        assert last_n not in switched_off.visible_parameters
        assert switched_off.toggled(parameter) == state


def test_all_parameters_of_a_sampler_that_is_on_have_sliders() -> None:
    base = SAMPLERS["dry"].parameters[1]
    state = SamplerState.from_chain(None, 1.0).toggled(SAMPLERS["dry"].parameters[0])
    # The base has no effect at its default, and the parameters after it do not depend on it.
    assert not state.effective[0].has_effect(base)
    assert set(SAMPLERS["dry"].parameters) <= set(state.visible_parameters)


def test_a_state_that_is_not_set_is_that_before_the_first_token() -> None:
    target, _, mu = SAMPLERS["mirostat"].parameters
    state = SamplerState.from_chain(None, 1.0).toggled(target).with_value(target, 3.0)
    assert state.value(mu) == 6
    assert "--mirostat-mu" not in state.options
    assert state.with_value(mu, 4.0).with_value(target, 1.0).value(mu) == 4
    assert state.with_value(mu, 4.0).with_value(mu, None) == state


def test_a_sampler_that_is_on_without_an_effect_is_toggled_on() -> None:
    top_p = SAMPLERS["top_p"].parameters[0]
    state = SamplerState.from_chain(None, 1.0).with_value(top_p, 1.0)
    assert state.chain() is None
    toggled = state.toggled(top_p)
    assert toggled.value(top_p) == slider_range(top_p).initial
    assert toggled.chain()
    # Its value stays when it is off.
    assert toggled.toggled(top_p).chain() is None
    assert toggled.toggled(top_p).value(top_p) == slider_range(top_p).initial


def test_a_parameter_that_modifies_another_is_toggled_with_it() -> None:
    chance, threshold = SAMPLERS["xtc"].parameters
    state = SamplerState.from_chain(None, 1.0).toggled(threshold)
    assert [setting.sampler.name for setting in state.effective] == ["temperature", "xtc"]
    assert (
        state.toggled(threshold).effective
        == state.toggled(chance).effective
        == SamplerState.from_chain(None, 1.0).effective
    )


@given(states(), st.data())
def test_a_new_value_leaves_the_other_parameters(state: SamplerState, data: st.DataObject) -> None:
    parameter = data.draw(st.sampled_from([each for each in PARAMETERS if state.setting(each)]))
    value = data.draw(values(parameter))
    changed = state.with_value(parameter, value)
    setting = changed.setting(parameter)
    assert setting
    assert setting.on
    assert changed.value(parameter) == value
    others = [other for other in PARAMETERS if other is not parameter and state.setting(other)]
    assert [changed.value(other) for other in others] == [state.value(other) for other in others]
    assert [setting.sampler for setting in changed.settings] == [setting.sampler for setting in state.settings]


@given(states(), st.data())
def test_a_sampler_is_moved_if_the_order_is_free(state: SamplerState, data: st.DataObject) -> None:
    last = len(state.settings) - 1
    start, end = data.draw(st.integers(0, last)), data.draw(st.integers(0, last))
    parameter = state.settings[start].sampler.parameters[0]
    moved = state.moved(parameter, end - start)
    if state.engine:
        names = [setting.sampler.name for setting in moved.settings]
        assert moved == state if not state.engine.reorders else state.engine.ordered(names) == names
        return
    assert moved.settings[end] == state.settings[start]
    assert moved.moved(parameter, start - end) == state
    assert state.moved(parameter, 99).settings[-1] == state.settings[start]
    assert state.moved(parameter, last + 1).settings[-1] == state.settings[start]
    assert state.moved(parameter, -99).settings[0] == state.settings[start]
    assert state.moved(parameter, -start - 1).settings[0] == state.settings[start]


@given(states(), st.sampled_from([None, *ENGINES.values()]))
def test_an_engine_brings_its_rules_and_its_order(state: SamplerState, engine: Any) -> None:
    changed = state.with_engine(engine)
    assert sorted(changed.settings, key=str) == sorted(state.settings, key=str)
    assert changed.with_engine(engine) == changed
    names = [step.sampler.name for step in (changed.chain() or Chain(())).steps]
    order = [sampler.name for sampler in engine.samplers] if engine else list(SAMPLERS)
    assert engine is state.engine or names == [name for name in order if name in names]
    assert engine is None or chain_steps(changed.chain())[0] is engine


def test_the_biases_are_a_switch_and_the_chain_takes_them() -> None:
    state = SamplerState.from_chain(None, 1.0).toggled(BIAS)
    chain = state.chain(((0, -5.0),))
    assert chain
    assert chain.steps[0].values == (((0, -5.0),),)
    assert state.toggled(BIAS).chain(((0, -5.0),)) is None
    assert SamplerState.from_chain(chain, 1.0).chain(((0, -5.0),)) == chain


@given(st.floats(0, inf, allow_nan=False))
def test_an_option_s_number_reads_back_exactly(value: float) -> None:
    assert float(exact_text(value)) == value
