"""The range of the slider of each sampler parameter, and its initial value."""

from dataclasses import dataclass
from math import inf

from tsoft.sampling.sampler_table import SamplerParameter


@dataclass(frozen=True)
class SliderRange:
    """A slider from `low` to `high`.

    The scale is logarithmic if `low` is above 0. A parameter that is switched on starts at `initial`.
    """

    low: float = 0.0
    high: float = 1.0
    initial: float = 1.0


# Keys are parameter names.
SLIDER_RANGES = {
    "tau": SliderRange(0.01, 100),
    "soft_cap": SliderRange(1, 1000, initial=30),
    "smoothing_factor": SliderRange(0.01, 10, initial=0.2),
    "smoothing_curve": SliderRange(0.1, 10),
    "edt_theta": SliderRange(0.01, 10, initial=0.1),
    "dynatemp_range": SliderRange(0.01, 10, initial=0.5),
    "dynatemp_exponent": SliderRange(0.1, 10),
    "top_n_sigma": SliderRange(0.1, 10),
    "top_h": SliderRange(initial=0.4),
    "top_k": SliderRange(1, 1000, initial=40),
    "top_p": SliderRange(initial=0.9),
    "min_p": SliderRange(initial=0.05),
    "typical_p": SliderRange(initial=0.9),
    "epsilon_cutoff": SliderRange(1e-6, 1, initial=3e-4),
    "eta_cutoff": SliderRange(1e-6, 1, initial=3e-4),
    "tfs": SliderRange(initial=0.95),
    "top_a": SliderRange(initial=0.2),
    "xtc_probability": SliderRange(initial=0.5),
    "xtc_threshold": SliderRange(initial=0.1),
}
# The samplers that have sliders from the start.
COMMON_SAMPLERS = ("temperature", "top_k", "top_p", "min_p")


def slider_range(parameter: SamplerParameter) -> SliderRange:
    """Return the range of a parameter's slider.

    For a parameter that is not in the table, the range is all allowed values, or 0 to 1 if these have no upper limit.
    """
    fallback = SliderRange(parameter.low, parameter.high) if parameter.high < inf else SliderRange()
    return SLIDER_RANGES.get(parameter.name, fallback)
