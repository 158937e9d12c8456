"""The scale of a sampler parameter's slider."""

from math import inf, log10

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cases import each_case
from explorer.states import PARAMETERS, allowed, many, values
from tsoft.explorer.slider_ranges import slider_range
from tsoft.explorer.slider_scale import SliderScale, value_text
from tsoft.sampling.sampler_table import TAU, SamplerParameter

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def kind(parameter: SamplerParameter) -> tuple[object, ...]:
    """Return what a scale depends on."""
    scale = slider_range(parameter)
    limits = parameter.whole, parameter.exclusive_low, parameter.low, parameter.high, parameter.off == inf
    return scale.low, scale.high, scale.is_log, *limits


# One parameter of each kind.
EACH = list({kind(each): each for each in reversed(PARAMETERS) if not each.is_flag}.values())


@many
@given(st.sampled_from(EACH), st.data())
def test_a_step_leads_to_an_allowed_value_on_its_side(parameter: SamplerParameter, data: st.DataObject) -> None:
    value, coarse = data.draw(values(parameter)), data.draw(st.booleans())
    up, down = (SliderScale(parameter).stepped(value, by, coarse=coarse) for by in (1, -1))
    assert allowed(parameter, up)
    assert allowed(parameter, down)
    assert down <= value <= up


@each_case("parameter", EACH)
@each_case("coarse", [False, True])
def test_steps_lead_from_end_to_end_and_back_over_the_same_values(parameter: SamplerParameter, coarse: bool) -> None:
    scale = SliderScale(parameter)
    up = [scale.first]
    while up[-1] != scale.last:
        up.append(scale.stepped(up[-1], 1, coarse=coarse))
        assert len(up) < 1000
    down = [scale.last]
    while down[-1] != scale.first:
        down.append(scale.stepped(down[-1], -1, coarse=coarse))
        assert len(down) < 1000
    assert up == down[::-1] == sorted(set(up))
    assert all(allowed(parameter, value) for value in up)
    assert scale.stepped(scale.last, 1, coarse=coarse) == scale.last
    assert scale.stepped(scale.first, -1, coarse=coarse) == scale.first


@many
@given(st.sampled_from(EACH), st.data())
def test_steps_up_and_down_again_restore_the_value(parameter: SamplerParameter, data: st.DataObject) -> None:
    scale, by = SliderScale(parameter), data.draw(st.integers(1, 20))
    value = scale.stepped(slider_range(parameter).initial, data.draw(st.integers(-60, 60)))
    higher = scale.stepped(value, by)
    assume(higher != scale.last)
    assert scale.stepped(higher, -by) == value


@many
@given(st.sampled_from(EACH), st.data())
def test_positions_and_values_have_the_same_order(parameter: SamplerParameter, data: st.DataObject) -> None:
    scale = SliderScale(parameter)
    low, high = sorted(data.draw(st.tuples(*[st.floats(0, 1)] * 2)))
    assert scale.value_at(low) <= scale.value_at(high)
    assert allowed(parameter, scale.value_at(low))
    first, second = sorted([data.draw(values(parameter)), data.draw(values(parameter))])
    assert 0 <= scale.fraction(first) <= scale.fraction(second) <= 1


@many
@given(st.sampled_from(EACH), st.floats(0.001, 0.999))
def test_a_position_has_the_nearest_value_of_few_digits(parameter: SamplerParameter, fraction: float) -> None:
    """Computed again from the ends of the range. Whole numbers are rounded twice."""
    low, high = slider_range(parameter).low, slider_range(parameter).high
    value = SliderScale(parameter).value_at(fraction)
    is_log = slider_range(parameter).is_log
    if is_log:
        exact = low ** (1 - fraction) * high**fraction
        unit = max(10 ** (np.floor(log10(exact) + 1e-12) - 1), 1.0 if parameter.whole else 0.0)
    else:
        # A hundredth of the range, rounded up to a step that divides 1 or 10.
        exact, unit = low + fraction * (high - low), min(u for u in STEPS if u >= (high - low) / 100 - 1e-9)
        assert value / unit == pytest.approx(round(value / unit))
    if parameter.exclusive_low and value == SliderScale(parameter).first:
        return
    assert abs(value - exact) <= unit * (0.55 if parameter.whole else 0.5 + 1e-9)
    assert value == pytest.approx(float(f"{value:.{2 if is_log and not parameter.whole else 4}g}"), rel=1e-11)


def test_the_ends_of_the_temperature_s_slider_are_the_limits() -> None:
    tau = SliderScale(TAU)
    assert (tau.value_at(0), tau.value_at(1), tau.fraction(0), tau.fraction(inf)) == (0, inf, 0, 1)
    assert (tau.stepped(0, 1), tau.stepped(inf, -1)) == (0.01, 100)
    assert (tau.stepped(0, 1, coarse=True), tau.stepped(inf, -1, coarse=True)) == (0.01, 100)
    assert (tau.stepped(1e-320, 1), tau.stepped(1e300, -1)) == (0.01, 100)
    assert (tau.stepped(1e-320, -1), tau.stepped(1e300, 1)) == (0, inf)


@given(st.floats(0, inf, allow_nan=False))
def test_a_shown_value_is_close_to_the_value(value: float) -> None:
    assert value > 1e308 or value < 1e-308 or float(value_text(value)) == pytest.approx(value, rel=5e-5)
