"""The legend: lines that explain the measures and marks of an output, once, at its end."""

from collections.abc import Iterable

from tsoft.charts.style import wrapped

# The measures of a distillation. {main} is the class that is not one of the others.
DISTILLATION = {
    "rest-prob": "the probability of all classes except the {main}",
    "rest-entropy": "the entropy of the distribution over these classes, in nats",
    "information": "rest-prob × (the highest possible rest-entropy − rest-entropy)",
    "kl": "KL(teacher‖student) of the probabilities at τ, in nats",
    "kl-tau2": "τ² times KL, the loss on the soft targets",
    "gradient": "the norm of the gradient of KL with respect to the student's logits",
    "gradient-tau2": "τ² times the gradient",
    "cross-entropy": "−ln of the student's probability of the target at τ = 1",
    "loss": "α·cross-entropy + (1 − α)·τ²·KL, with {alpha}",
}
# One line for each measure and mark, in the order in which a legend lists them.
LINES = {
    "line at 1": "┊: τ = 1",
    "shades": "shades: the probability at each τ, on the scale below the map; blank is 0",
    "more": "more: the classes that are not shown, added up",
    "logarithms": "ln p: with --log, the number beside each bar; the bar shows p",
    "listed": "listed: the probability among the listed tokens alone",
    "bounds": "low–high: bounds on the probability among all tokens of the vocabulary",
    "exact": "exact: the probability among all tokens; every token that remains is listed",
    "undecided": "*: it is not known whether the samplers keep this token",
    "drawn token": "›: the token that the server drew",
    "unknown": "?: a number that the response does not contain",
    "degeneracy": "×: the number of states with this energy",
    "removed class": "(p) NAME: removed by sampler NAME; p: its probability with temperature only",
    "removed token": "(–) NAME: removed by sampler NAME",
    "kept": "kept: the number of classes that remain",
    "removed": "removed: the total probability of the removed classes, with temperature only",
    "entropy": "entropy: uncertainty; 0 for one certain class, highest for equal probabilities",
    "perplexity": "perplexity: exp of the entropy in nats, the effective number of classes",
    "perplexity of states": "perplexity: exp of the entropy in nats, the effective number of states",
    "top-prob": "top-prob: the highest probability",
    "margin": "margin: the highest probability minus the second highest",
    "varentropy": "varentropy: variance of −ln p; 0 for one certain class or equal probabilities",
    "single class": "–: undefined for a single class",
    "log-sum-exp": "log-sum-exp: ln Σ exp(z/τ), the logarithm of the denominator of softmax",
    "chosen": "chosen: the probability of the token that the server drew",
    "rank": "rank: the rank of that token by probability; 1 is the most probable",
    "rank above": "rank >N: at least N tokens are more probable",
    "log-probability": "log-probability: ln of the probability of the text; a … b: lower, upper bound",
    "sequence perplexity": "sequence perplexity: exp(−log-probability / tokens); low for a likely text",
    "log Z": "log Z: the natural logarithm of the partition function, Z = Σ exp(−E/kT)",
    "log-z": "log-z: the natural logarithm of the partition function, Z = Σ exp(−E/kT)",
    "F": "F: the free energy, −kT log Z",
    "free-energy": "free-energy: the free energy, −kT log Z",
    "U": "U: the mean energy, Σ p E",
    "mean-energy": "mean-energy: Σ p E, the mean of the energies",
    "S/k": "S/k: the entropy of the states, in nats",
    "C/k": "C/k: the heat capacity dU/dT, in units of k",
    "heat-capacity": "heat-capacity: dU/dT, in units of k; U is the mean energy",
    **{
        name: f"{name}: {explanation.format(main='target (or the top class)', alpha='the α of --alpha')}"
        for name, explanation in DISTILLATION.items()
    },
    "deviation": "±: the standard deviation (sd) over the rows",
    "cut": "cut: the probability that the step removes",
    "top": "top: the most probable class after the step",
    "keeps": "keeps: the condition for a class to stay; p: its probability before the step",
    "undecided tokens": "undecided: the number of listed tokens that the step may have removed",
    "unlisted tokens": "unlisted: whether the unlisted tokens are certainly all removed",
    "removes tokens": "removes: the listed tokens that the step certainly removes",
    "H": "H: the entropy before the step, in nats",
    "unknown distance": "?: unknown, because the response does not determine both distributions",
    "total variation": "total variation: half of Σ |p − q|; 0 if equal, 1 if they share no class",
    "expected": "expected: the expected count, the probability times the number of draws",
    "count": "count: the number of draws of the class in this sample",
    "seed": "seed: pass it as --seed, with the same outputs, to reproduce these counts",
    "chi-square": "chi-square: Σ (count − expected)² / expected; df: its degrees of freedom",
    "p-value": "p-value: the probability of such a deviation, or a larger one, by chance",
    "untested": "–: no test, because of too few draws or only one probable class",
}


class Legend:
    """The measures and marks that an output has shown so far: by their keys in LINES, and lines of a feature."""

    def __init__(self) -> None:
        self._shown: set[str] = set()
        self._lines: dict[str, None] = {}

    def add(self, *keys: str) -> None:
        self._shown.update(keys)

    def add_lines(self, *lines: str) -> None:
        """Add lines of a feature, which follow those of LINES, each once."""
        self._lines.update(dict.fromkeys(lines))

    def draw(self, width: int, *, color: bool) -> str:
        """Return the lines for everything shown, after a blank line; an empty text if nothing was shown."""
        lines = [*(line for key, line in LINES.items() if key in self._shown), *self._lines]
        return "\n" + explanations(lines, width, color=color) if lines else ""


def explanations(lines: Iterable[str], width: int, *, color: bool) -> str:
    """Return the lines in at most `width` columns, dim on a screen with colors.

    >>> print(explanations(["margin: the first minus the second"], 24, color=False), end="")
    margin: the first
      minus the second
    """
    text = "".join(wrapped(line, width) for line in lines)
    return "".join(f"\x1b[2m{line}\x1b[0m\n" for line in text.splitlines()) if color else text
