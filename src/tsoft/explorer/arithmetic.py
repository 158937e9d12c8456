"""The arithmetic of one class's probability, with real numbers, as in a worked example."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, inf

import numpy as np

from tsoft.charts.style import number_text, prob_text, tau_text, wrapped
from tsoft.core.softmax import Array
from tsoft.explorer.snapshot import Snapshot

# The sum lists the terms of at most this many classes, and otherwise this many of the largest.
MAX_TERMS, LARGEST_TERMS = 6, 3
# The numbers have four decimals, or more if a reader's calculator would otherwise print another digit.
MIN_DIGITS, MAX_DIGITS = 4, 9
# The width of the column of a line's name.
_NAME = 9
_ROUNDED = "The printed numbers are rounded; tsoft computes with all digits."


@dataclass(frozen=True, eq=False)
class ClassArithmetic:
    """The numbers from a class's logit to its probability at a finite temperature above 0.

    `terms` are the exponentials of the unmasked classes, the largest first. `prob` is the probability, computed by the
    softmax of tsoft.
    """

    logit: float
    maximum: float
    tau: float
    terms: Array
    prob: float
    energy: bool = False

    @property
    def gap(self) -> float:
        return self.logit - self.maximum

    @property
    def scaled(self) -> float:
        return float(np.float64(self.gap) / self.tau)

    def lines(self) -> list[str]:
        """Return the lines, with as many digits as a reader needs to compute each number from the line before."""
        options = (self._lines(digits) for digits in range(MIN_DIGITS, MAX_DIGITS + 1))
        fitting = next((lines for lines, agrees in options if agrees), None)
        return fitting or [*self._lines(MIN_DIGITS)[0], _ROUNDED]

    def _lines(self, digits: int) -> tuple[list[str], bool]:
        """Return the lines with this many decimals, and whether each number follows from the printed ones."""
        logit, maximum = (number_text(value, digits + 1) for value in (self.logit, self.maximum))
        gap, scaled, term, total = (
            rounded(value, digits) for value in (self.gap, self.scaled, exp(self.scaled), float(self.terms.sum()))
        )
        tau, prob = f"{self.tau:.{2 * digits - 2}g}", prob_text(self.prob)
        terms = [rounded(value, digits) for value in self.terms[:MAX_TERMS].tolist()]
        is_whole = len(self.terms) <= MAX_TERMS
        agrees = (
            rounded(float(logit) - float(maximum), digits) == gap
            and rounded(float(np.float64(gap) / float(tau)), digits) == scaled
            and rounded(exp(float(scaled)), digits) == term
            and (not is_whole or rounded(sum(map(float, terms)), digits) == total)
            and prob_text(float(term) / float(total)) == prob
        )
        listed = " + ".join(terms if is_whole else [*terms[:LARGEST_TERMS], "…"])
        count = "" if is_whole else f", {len(self.terms)} terms"
        return [
            *(
                [_line("E", rounded(-self.logit, digits)), _line("z = -E", logit)]
                if self.energy
                else [_line("z", logit)]
            ),
            _line("z - max", f"{logit} - {_operand(maximum)} = {gap}"),
            _line("/ kT" if self.energy else "/ τ", f"{gap} / {tau} = {scaled}"),
            _line("exp", f"exp({scaled}) = {term}"),
            _line("Σ exp", f"{listed} = {total}{count}" if len(terms) > 1 else total),
            _line("p", f"{term} / {total} = {prob}"),
        ], agrees


def arithmetic(snapshot: Snapshot, index: int, width: int) -> str:
    """Return the arithmetic of a class's probability without samplers, in lines of at most `width` columns."""
    tau = "kT" if _is_energy(snapshot) else "τ"
    title = f"{snapshot.row.name(index)} at {tau_text(snapshot.tau).replace('τ', tau)}"
    title += ", without samplers" * (snapshot.chain is not None)
    return wrapped(title, width) + "\n" + "".join(wrapped(line, width) for line in _explained(snapshot, index))


def _explained(snapshot: Snapshot, index: int) -> Iterator[str]:
    if snapshot.row.block.partial is not None:
        yield from _partial_lines(snapshot, index)
        return
    z = np.asarray(snapshot.row.block.logits[0], np.float64)
    tau = snapshot.tau
    maximum = float(z.max())
    count, masked = int((z > -inf).sum()), int((z == -inf).sum())
    # A subtraction may overflow.
    with np.errstate(all="ignore"):
        gaps = z - maximum
    if z[index] == -inf:
        yield _line("z", "-∞: the class is masked")
        yield _line("exp", "exp(-∞) = 0")
        yield _line("p", "0, at every temperature")
        return
    if tau == 0:
        yield from _cold_lines(float(z[index]), maximum, int((gaps == 0).sum()))
    elif tau == inf:
        yield from _hot_lines(float(z[index]), maximum, count)
    else:
        with np.errstate(all="ignore"):
            terms = np.sort(np.exp(gaps[z > -inf] / tau))[::-1]
        prob = float(snapshot.tempered_probs[index])
        lines = ClassArithmetic(float(z[index]), maximum, tau, terms, prob, _is_energy(snapshot)).lines()
        yield from (line.replace("inf", "∞") for line in lines)
    if masked:
        yield f"Masked classes add 0 to the sum ({masked} here)." if tau > 0 else "Masked classes have p = 0."


def _cold_lines(logit: float, maximum: float, ties: int) -> Iterator[str]:
    """Yield the limit of the arithmetic for τ → 0."""
    gap = rounded(logit - maximum, MIN_DIGITS)
    yield _line("z", number_text(logit))
    yield _line("z - max", f"{number_text(logit)} - {_operand(number_text(maximum))} = {gap}".replace("inf", "∞"))
    yield _line("/ τ", "0 for the highest logit, whatever τ is" if logit == maximum else f"{gap} / τ → -∞ as τ → 0")
    yield _line("exp", "exp(0) = 1" if logit == maximum else "exp(-∞) = 0")
    yield _line("Σ exp", f"{ties}: one for each class with the highest logit" if ties > 1 else "1: the top class alone")
    yield _line("p", f"1 / {ties} = {prob_text(1 / ties)}" if logit == maximum else f"0 / {ties} = 0")


def _hot_lines(logit: float, maximum: float, count: int) -> Iterator[str]:
    """Yield the limit of the arithmetic for τ → ∞."""
    gap = rounded(logit - maximum, MIN_DIGITS)
    yield _line("z", number_text(logit))
    yield _line("z - max", f"{number_text(logit)} - {_operand(number_text(maximum))} = {gap}".replace("inf", "∞"))
    yield _line("/ τ", f"{gap} / τ → 0 as τ → ∞".replace("inf", "∞") if gap != "0" else "0, whatever τ is")
    yield _line("exp", "exp(0) = 1")
    yield _line("Σ exp", f"{count}: one for each class that is not masked")
    yield _line("p", f"1 / {count} = {prob_text(1 / count)}")


def _partial_lines(snapshot: Snapshot, index: int) -> Iterator[str]:
    """Yield what an API response determines about a class."""
    partial = snapshot.row.block.partial
    assert partial
    if snapshot.row.is_unknown(index):
        yield "The response has no log-probability for this token."
        return
    logprob = float(partial.logprobs[index])
    value = rounded(logprob, MIN_DIGITS + 2)
    yield _line("ln p", f"{value}, from the response, at τ = {partial.tau:g}".replace("inf", "∞"))
    yield _line("p", f"exp({value}) = {prob_text(exp(logprob))} at τ = {partial.tau:g}".replace("inf", "∞"))
    distributions = snapshot.distributions.without_chain if snapshot.chain else snapshot.distributions
    low, high = (prob_text(float(bound[0, 0, index])) for bound in distributions.bounds)
    if low == high:
        yield _line(f"at {tau_text(snapshot.tau)}", f"p = {low}")
    else:
        yield _line(f"at {tau_text(snapshot.tau)}", f"p is from {low} to {high}")
        yield "The response lists only some tokens. The sum over all of them is unknown, and so is p."


def _line(name: str, text: str) -> str:
    return f"{name.ljust(_NAME)}  {text}"


def _operand(number: str) -> str:
    return f"({number})" if number.startswith("-") else number


def _is_energy(snapshot: Snapshot) -> bool:
    return snapshot.row.block.origin.quantity == "energy"


def rounded(value: float, digits: int) -> str:
    """Return a number with up to this many decimals. Very small and very large numbers have an exponent.

    >>> rounded(0.1353352832, 4), rounded(-2.0, 4), rounded(3.72e-44, 4), rounded(-1e308, 4)
    ('0.1353', '-2', '3.7e-44', '-1e+308')
    """
    if value == 0:
        return "0"
    if abs(value) < 0.95 * 10.0 ** (1 - digits):
        return f"{value:.{digits - 3}e}"
    if abs(value) >= 1e6:
        return f"{value:.{digits + 2}g}"
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")
