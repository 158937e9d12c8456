"""Ranges of temperatures: START:STOP:STEP, with both ends included."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tsoft.errors import UsageError

if TYPE_CHECKING:
    from decimal import Decimal

MAX_TEMPERATURES = 1_000_000
# Enough digits for the sum of any two float64 numbers, so that no value of a range is rounded before the last step.
_DIGITS = 700


def parsed_range(text: str, parse: Callable[[str], float]) -> list[float]:
    """Return the temperatures of a range, each the float nearest to its decimal number. `parse` reads one temperature.

    Raise UsageError, also if the steps do not end at the stop.

    >>> parsed_range("0.1:0.4:0.1", float), parsed_range("2:1:-0.5", float)
    ([0.1, 0.2, 0.3, 0.4], [2.0, 1.5, 1.0])
    """
    from decimal import Context, Decimal, localcontext  # takes a millisecond, which most runs need not pay

    option = f"--tau {text}"
    ends = text.split(":")
    if len(ends) != 3 or not all(ends):
        start_text, stop_text = (typed or default for typed, default in zip([*ends, ""], ("0.1", "2"), strict=False))
        example = f"{start_text}:{stop_text}:0.1"
        raise UsageError(f"{option}: a range has three numbers, START:STOP:STEP; write, for example, {example}")
    sign = ends[2].startswith("-")
    numbers = [parse(end) for end in (ends[0], ends[1], ends[2].removeprefix("-"))]
    if float("inf") in numbers:
        raise UsageError(f"{option}: the numbers of a range must be finite; list inf separately: --tau 0.5:2:0.5,inf")
    with localcontext(Context(prec=_DIGITS)):
        # The shortest decimal number of a float is the one that was typed, so 0.1 stays 0.1.
        start, stop, size = (Decimal(repr(number)) for number in numbers)
        step = -size if sign else size
        if not step or (stop - start) * step < 0:
            fix = f"write {ends[0]}:{ends[1]}:{'' if sign else '-'}{ends[2].removeprefix('-')}" if step else ""
            problem = "the step leads away from the stop" if step else "the step is 0"
            raise UsageError(f"{option}: {problem}" + (f"; {fix}" if fix else "; write a step above 0"))
        count = (stop - start) / step
        if count >= MAX_TEMPERATURES:
            raise UsageError(f"{option}: more than {MAX_TEMPERATURES} temperatures; use a larger step")
        last = start + int(count) * step
        if last != stop:
            fix = f"write {ends[0]}:{_text(last)}:{ends[2]} or {ends[0]}:{_text(last + step)}:{ends[2]}"
            raise UsageError(f"{option}: the steps do not end at {ends[1]}; {fix}")
        return [float(start + k * step) for k in range(int(count) + 1)]


def _text(number: "Decimal") -> str:
    return repr(float(number)).removesuffix(".0")
