"""A row, and Hypothesis strategies for the values of sampler parameters and for the explorer's sampler states."""

from math import inf

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tsoft.core.block import Block
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.slider_ranges import slider_range
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, SamplerParameter

PARAMETERS = [parameter for sampler in SAMPLERS.values() for parameter in sampler.parameters if parameter is not BIAS]
Z = np.array([3.0, 2.6, 1.5, 1.5, 0.2, -1.0, -np.inf])
ROW = ExplorerRows([Block(Z[np.newaxis])]).row(0)

many = settings(max_examples=30)


def allowed(parameter: SamplerParameter, value: float) -> bool:
    return value >= 0 if parameter is TAU else parameter.allows(value)


@st.composite
def values(draw: st.DrawFn, parameter: SamplerParameter) -> float:
    """Return allowed values, including some far outside of the slider's range."""
    if parameter.whole:
        number = st.integers(int(parameter.low), 10**9)
        return float(draw(number if parameter.off is None else number | st.just(parameter.off)))
    low, high = max(parameter.low, -1e300), min(parameter.high, 1e300)
    ends = [parameter.high] if parameter is TAU or parameter.high < inf else []
    value = draw(st.floats(low, high, exclude_min=parameter.exclusive_low) | st.sampled_from([high, *ends]))
    slider = slider_range(parameter)
    return draw(st.sampled_from([value, slider.low, slider.high])) if allowed(parameter, slider.low) else value


@st.composite
def states(draw: st.DrawFn, *, has_history: bool = False) -> SamplerState:
    """Return states that a user can reach, with the samplers that need a history if there is one."""
    state = SamplerState.from_chain(None, draw(st.sampled_from([0.0, 0.3, 1.0, 2.5, inf, 1e-320, 1e300])))
    samplers = [sampler for sampler in SAMPLERS.values() if has_history or not sampler.needs_history]
    parameters = [parameter for sampler in samplers for parameter in sampler.parameters if parameter is not BIAS]
    for _ in range(draw(st.integers(0, 8))):
        parameter = draw(st.sampled_from(parameters))
        action = draw(st.sampled_from(["toggle", "value", "value", "move", "engine"]))
        if action == "toggle":
            state = state.toggled(parameter if state.setting(parameter) else first_parameter(parameter))
        elif action == "value" and state.setting(parameter):
            state = state.with_value(parameter, draw(values(parameter)))
        elif action == "move":
            moved = draw(st.sampled_from(state.settings)).sampler.parameters[0]
            state = state.moved(moved, draw(st.integers(-3, 3)))
        elif action == "engine":
            state = state.with_engine(draw(st.sampled_from([None, *ENGINES.values()])))
    return state


def first_parameter(parameter: SamplerParameter) -> SamplerParameter:
    """Return the first parameter of a parameter's sampler."""
    return next(sampler.parameters[0] for sampler in SAMPLERS.values() if parameter in sampler.parameters)
