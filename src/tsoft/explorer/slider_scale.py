"""The positions of a sampler parameter's values on its slider, and the steps that keys take."""

from dataclasses import dataclass
from math import ceil, floor, inf, log10

from tsoft.explorer.slider_ranges import SliderRange, slider_range
from tsoft.sampling.sampler_table import TAU, SamplerParameter

# The value ∞ of a number of tokens, as shown and typed.
ALL = "all"
# A value counts as a multiple of a step if it is this close, as a fraction of the step.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class SliderScale:
    """The scale of a parameter's slider.

    If the lowest allowed value is finite and outside the range, it is the first position of the slider. The last one is
    ∞ for the temperature, and for a parameter that has no effect at ∞.
    """

    parameter: SamplerParameter

    @property
    def _range(self) -> SliderRange:
        return slider_range(self.parameter)

    @property
    def is_log(self) -> bool:
        return self._range.is_log

    @property
    def first(self) -> float:
        """The value at the left end."""
        if not self.parameter.exclusive_low and self.parameter.low > -inf:
            return float(self.parameter.low)
        return self._range.low if self._range.low or not self.parameter.exclusive_low else self._step

    @property
    def last(self) -> float:
        """The value at the right end."""
        return inf if self.parameter is TAU or self.parameter.off == inf else self._range.high

    @property
    def _step(self) -> float:
        """The step of a linear scale: a hundredth of the range, rounded up to 1, 2 or 5 units of a digit."""
        hundredth = (self._range.high - self._range.low) / 100
        power = 10.0 ** floor(log10(hundredth) + _TOLERANCE)
        digit = next(digit for digit in (1, 2, 5, 10) if digit * power >= hundredth * (1 - _TOLERANCE))
        return float(f"{digit * power:.12g}")

    def fraction(self, value: float) -> float:
        """Return the position of a value, from 0 at the left end to 1 at the right end.

        >>> [SliderScale(TAU).fraction(tau) for tau in (0, 0.1, 1, inf)]
        [0.0, 0.25, 0.5, 1.0]
        """
        low, high = self._range.low, self._range.high
        if value <= low:
            return 0.0
        if value >= high:
            return 1.0
        if self.is_log:
            return (log10(value) - log10(low)) / (log10(high) - log10(low))
        return (value - low) / (high - low)

    def value_at(self, fraction: float) -> float:
        """Return the value at a position, rounded to two digits or to a step.

        >>> [SliderScale(TAU).value_at(fraction) for fraction in (0, 0.1, 0.5, 1)]
        [0.0, 0.025, 1.0, inf]
        """
        low, high = self._range.low, self._range.high
        if fraction <= 0:
            return self.first
        if fraction >= 1:
            return self.last
        if self.is_log:
            value = 10 ** (log10(low) + fraction * (log10(high) - log10(low)))
            return float(f"{round(value) if self.parameter.whole else value:.2g}")
        steps = round((low + fraction * (high - low)) / self._step)
        return min(max(float(f"{steps * self._step:.12g}"), low, self.first), high)

    def stepped(self, value: float, by: int, *, coarse: bool = False) -> float:
        """Return the value `by` steps to the right, or to the left if `by` is negative.

        On a logarithmic scale, a step is one unit of the second digit, and a coarse step one unit of the first digit.

        >>> tau = SliderScale(TAU)
        >>> tau.stepped(1, 1), tau.stepped(1, -1), tau.stepped(0.7, 1, coarse=True), tau.stepped(100, 1)
        (1.1, 0.99, 0.8, inf)
        """
        for _ in range(abs(by)):
            value = self._next(value, up=by > 0, coarse=coarse)
        return value

    def _next(self, value: float, *, up: bool, coarse: bool) -> float:
        low, high = self._range.low, self._range.high
        lowest = max(low, self.first)
        # A typed value may be outside the slider's range.
        if up and (value < low or value >= high):
            return low if value < low else max(value, self.last)
        if not up and (value <= lowest or value > high):
            return high if value > high else min(value, self.first)
        step = self._step_at(value, up=up) * (10 if coarse else 1)
        if self.parameter.whole:
            step = max(step, 1.0)
        steps = value / step
        value = (floor(steps + _TOLERANCE) + 1 if up else ceil(steps - _TOLERANCE) - 1) * step
        # Twelve digits hide the rounding error of the multiplication.
        return min(max(float(f"{value:.12g}"), lowest), high)

    def _step_at(self, value: float, *, up: bool) -> float:
        if not self.is_log:
            return self._step
        decade = log10(value)
        return float(10.0 ** ((floor(decade + _TOLERANCE) if up else ceil(decade - _TOLERANCE) - 1) - 1))


def value_text(value: float, parameter: SamplerParameter = TAU) -> str:
    """Return a parameter's value as shown.

    >>> value_text(inf), value_text(40.0), value_text(0.123456789)
    ('∞', '40', '0.12346')
    """
    infinity = "∞" if parameter is TAU else ALL
    return infinity if value == inf else f"{value:.5g}"
