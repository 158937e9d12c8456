"""The table of samplers: their functions, their parameters, and their default order.

The options on the command line, the default order, the names in an explanation and the range checks of the
Python functions come from this table. Every command reads it for its options, so it does not import numpy: a
row names its function by its path within `tsoft.sampling`, and a chain imports the function when it applies it.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import Any

from tsoft.frozen import frozen


@frozen(eq=False)
class SamplerParameter:
    """A parameter of a sampler, from `low` to `high`, and its option on the command line. The value `off` has no
    effect. With `exclusive_low`, `low` itself is not allowed; with `whole`, the value is an integer. The option of a
    flag takes no value: the parameter only switches its sampler on (1) or off (0). With `needs_raw_logits`, the effect
    changes with a constant that is added to all logits, so it is refused where that constant is unknown."""

    name: str
    metavar: str
    help: str
    low: float
    high: float
    off: float | None = None
    exclusive_low: bool = False
    whole: bool = False
    needs_raw_logits: bool = False
    is_flag: bool = False

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def range(self) -> str:
        """The allowed values, in words."""
        kind = "a whole number" if self.whole else "a number" if self.high < inf else "a finite number"
        if self.low == -inf:
            return kind
        if self.exclusive_low:
            return f"{kind} above {self.low:g}" + (f", at most {self.high:g}" if self.high < inf else "")
        return f"{kind} " + (f"from {self.low:g} to {self.high:g}" if self.high < inf else f"of at least {self.low:g}")

    def allows(self, value: float) -> bool:
        if value == self.off:
            return True
        above_low = value > self.low if self.exclusive_low else value >= self.low
        return above_low and value <= self.high and abs(value) < inf and (not self.whole or value == int(value))


@frozen(eq=False)
class Sampler:
    """A row of the table.

    The first of the `parameters` turns the sampler on, or each of the first few, by the number of `switches`; the
    others have their value `off` unless set. With `at_random`, the first is the probability with which the sampler is
    applied, and is not passed to the function; nor is a flag. The `name` is llama.cpp's if llama.cpp has the sampler;
    the first parameter's name and the `aliases` are accepted, too. `path` names the function within `tsoft.sampling`:
    a function in a module of cutoffs returns a `Cutoff`, any other returns logits.

    A sampler that `shifts_logits` subtracts the highest logit, after which the constant in the logits is unknown;
    `unshifted` is the temperature without this, whose function is at `unshifted_path`. With `needs_history`, the first
    argument after the logits is a `History`. `state`, if any, names a function in `states` that changes the last
    parameter after each draw, and `initial_state` one that returns its value before a draw, from the values of the
    first parameter and of the last. With `counts_masked`, the result depends on the number of masked classes.
    `output_only` are the names of the parameters that penalize only generated tokens, not those of the prompt.
    """

    name: str
    path: str
    parameters: tuple[SamplerParameter, ...]
    at_random: bool = False
    aliases: tuple[str, ...] = ()
    switches: int = 1
    needs_history: bool = False
    state: str | None = None
    initial_state: str | None = None
    shifts_logits: bool = False
    counts_masked: bool = False
    output_only: tuple[str, ...] = ()
    unshifted_path: str = ""

    @property
    def switch_parameters(self) -> tuple[SamplerParameter, ...]:
        """The parameters of which each turns the sampler on."""
        return self.parameters[: self.switches]

    def needed_by(self, companion: SamplerParameter) -> tuple[SamplerParameter, ...]:
        """Return the parameters of which one must be set for `companion` to have an effect; empty if the temperature is
        enough."""
        if self.parameters[0] is not TAU:
            return self.switch_parameters
        # The range of the dynamic temperature turns the exponent on.
        return self.parameters[1 : self.parameters.index(companion)]

    @property
    def can_remove(self) -> bool:
        """Whether the sampler may remove classes: by a cutoff, by a bias of -inf, or at temperature 0."""
        return not self.needs_history

    @property
    def is_temperature(self) -> bool:
        return self.parameters[:1] == (TAU,)

    @property
    def unshifted(self) -> "Sampler":
        """The temperature with the function that keeps the constant in the logits, if a later sampler needs it."""
        return replace(self, path=self.unshifted_path, shifts_logits=False)

    @property
    def is_bias(self) -> bool:
        return self.parameters[:1] == (BIAS,)

    @property
    def uses_indices(self) -> bool:
        """Whether the sampler refers to classes by their indices."""
        return self.needs_history or self.is_bias

    @property
    def state_parameter(self) -> SamplerParameter | None:
        """The parameter that changes after each draw; None without a state."""
        return self.parameters[-1] if self.state else None

    def initial(self, first: float, state: float | None) -> float:
        """Return the state before a token, if the first parameter has the value `first`. The state None stands for the
        one before the first token."""
        function: Callable[[float, float | None], float] = _imported(f"states.{self.initial_state}")
        return function(first, state)

    @property
    def has_cutoff(self) -> bool:
        """Whether the function returns a `Cutoff`."""
        return self.path.partition(".")[0].endswith("cutoffs")

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function from logits and the parameters' values to a `Cutoff` or to logits."""
        return _imported(self.path)

    @cached_property
    def next_state(self) -> Callable[..., Any] | None:
        """The function that returns the last parameter's value after a draw; None without a state."""
        return None if self.state is None else _imported(f"states.{self.state}")


def _imported(path: str) -> Callable[..., Any]:
    module, name = path.split(".")
    function: Callable[..., Any] = getattr(importlib.import_module(f"tsoft.sampling.{module}"), name)
    return function


_P = SamplerParameter


def _flag(name: str, help: str) -> SamplerParameter:
    """Return the parameter of a sampler that has no number to set."""
    return SamplerParameter(name, "", help, 0, 1, 0, whole=True, is_flag=True)


TAU = _P("tau", "τ", "The temperature, which divides the logits: below 1 sharper, above 1 flatter.", 0, inf)
BIAS = _P(
    "logit_bias",
    "LABEL=B",
    "Add B to the logit of a class, such as cat=1.5 or #2=-1; -inf bans the class. Can be repeated.",
    -inf,
    inf,
)

# The default order is that of transformers. Samplers that transformers lacks are where other engines have them.
SAMPLERS = {
    sampler.name: sampler
    for sampler in (
        # A model has its cap in its last layer, before any sampler.
        Sampler(
            "soft_cap",
            "samplers.soft_cap",
            (
                _P(
                    "soft_cap",
                    "C",
                    "Soft cap: replace each logit by C·tanh(logit / C), which is between -C and C.",
                    0,
                    inf,
                    exclusive_low=True,
                    needs_raw_logits=True,
                ),
            ),
        ),
        Sampler("logit_bias", "samplers.logit_bias", (BIAS,)),
        Sampler(
            "penalties",
            "penalties.penalties",
            (
                _P(
                    "repetition_penalty",
                    "R",
                    "Divide the positive logits of the tokens in the text by R, and multiply the negative ones by R.",
                    0,
                    inf,
                    1,
                    exclusive_low=True,
                    needs_raw_logits=True,
                ),
                _P(
                    "presence_penalty",
                    "A",
                    "Subtract A from the logit of each token in the text.",
                    -inf,
                    inf,
                    0,
                ),
                _P(
                    "frequency_penalty",
                    "A",
                    "Subtract A from the logit of a token each time that it occurs in the text.",
                    -inf,
                    inf,
                    0,
                ),
                _P(
                    "penalty_last_n",
                    "N",
                    "With a penalty: consider only the last N tokens of the text.",
                    0,
                    inf,
                    inf,
                    whole=True,
                ),
            ),
            switches=3,
            needs_history=True,
        ),
        Sampler(
            "dry",
            "penalties.dry",
            (
                _P(
                    "dry_multiplier",
                    "M",
                    "DRY: subtract M·base^(length - allowed length) from the logit of each token that would extend a"
                    " repeated sequence of that length.",
                    0,
                    inf,
                    0,
                ),
                _P("dry_base", "B", "With --dry-multiplier: the base.", 1, inf, 1.75),
                _P(
                    "dry_allowed_length",
                    "L",
                    "With --dry-multiplier: the shortest repeated sequence whose extension is penalized.",
                    0,
                    inf,
                    2,
                    whole=True,
                ),
                _P(
                    "dry_penalty_last_n",
                    "N",
                    "With --dry-multiplier: consider only the last N tokens of the text.",
                    0,
                    inf,
                    inf,
                    whole=True,
                ),
            ),
            needs_history=True,
        ),
        Sampler(
            "smoothing",
            "samplers.smoothing",
            (
                _P(
                    "smoothing_factor",
                    "F",
                    "Quadratic smoothing: replace each logit by max - F·(max - logit)².",
                    0,
                    inf,
                    0,
                ),
                _P(
                    "smoothing_curve",
                    "X",
                    "With --smoothing-factor: replace each logit by max - F·d²·((3 - X) + (X - 1)·d) / 2, with"
                    " d = max - logit.",
                    0,
                    inf,
                    1,
                ),
            ),
        ),
        Sampler(
            "edt",
            "samplers.edt",
            (
                _P(
                    "edt_theta",
                    "θ",
                    "EDT: multiply the temperature by 0.8^(θ / entropy), which is lowest where the entropy is low.",
                    0,
                    inf,
                    0,
                ),
            ),
            shifts_logits=True,
        ),
        Sampler(
            "adaptive_temperature",
            "samplers.adaptive_temperature",
            (
                _flag(
                    "adaptive_temperature",
                    "Adaptive temperature: sharpen a distribution of medium entropy, by a polynomial of the entropy.",
                ),
            ),
            shifts_logits=True,
        ),
        Sampler(
            "temperature",
            "samplers.temperature",
            (
                TAU,
                _P(
                    "dynatemp_range",
                    "R",
                    "Dynamic temperature: τ - R if one class is certain, rising to τ + R if all are equally likely.",
                    0,
                    inf,
                    0,
                ),
                _P(
                    "dynatemp_exponent",
                    "X",
                    "With --dynatemp-range: the temperature rises with (entropy / ln n)^X.",
                    0,
                    inf,
                    1,
                ),
            ),
            aliases=("temp",),
            shifts_logits=True,
            unshifted_path="samplers.unshifted_temperature",
        ),
        Sampler(
            "top_n_sigma",
            "cutoffs.top_n_sigma",
            (
                _P(
                    "top_n_sigma",
                    "N",
                    "Keep classes whose logit is at most N standard deviations below the highest.",
                    0,
                    inf,
                    exclusive_low=True,
                ),
            ),
        ),
        Sampler(
            "top_h",
            "cutoffs.top_h",
            (
                _P(
                    "top_h",
                    "A",
                    "Keep the most probable classes that together contribute at most the share A of the entropy.",
                    0,
                    1,
                    exclusive_low=True,
                ),
            ),
        ),
        Sampler(
            "top_k",
            "cutoffs.top_k",
            (_P("top_k", "K", "Keep the K most probable classes; 0 keeps all.", 0, inf, 0, whole=True),),
        ),
        Sampler(
            "top_p",
            "cutoffs.top_p",
            (_P("top_p", "P", "Keep the most probable classes, just enough for a total probability of P.", 0, 1, 1),),
        ),
        Sampler(
            "min_p",
            "cutoffs.min_p",
            (_P("min_p", "P", "Keep classes that are at least P times as probable as the top one.", 0, 1, 0),),
        ),
        Sampler(
            "p_less",
            "cutoffs.p_less",
            (_flag("p_less", "Keep classes with a probability of at least the sum of all squared probabilities."),),
        ),
        Sampler(
            "typ_p",
            "cutoffs.typical",
            (
                _P(
                    "typical_p",
                    "P",
                    "Keep classes whose -ln p is nearest to the entropy, just enough for a total probability of P.",
                    0,
                    1,
                    1,
                    exclusive_low=True,
                ),
            ),
            aliases=("typical",),
        ),
        Sampler(
            "epsilon_cutoff",
            "cutoffs.epsilon_cutoff",
            (_P("epsilon_cutoff", "E", "Keep classes with a probability of at least E.", 0, 1, 0),),
        ),
        Sampler(
            "eta_cutoff",
            "cutoffs.eta_cutoff",
            (
                _P(
                    "eta_cutoff",
                    "E",
                    "Keep classes with a probability of at least E or √E·exp(-entropy), whichever is lower.",
                    0,
                    1,
                    0,
                ),
            ),
        ),
        Sampler(
            "tfs",
            "cutoffs.tail_free",
            (
                _P(
                    "tfs",
                    "Z",
                    "Tail-free: keep the most probable classes, up to the share Z of the curvature of the sorted"
                    " probabilities.",
                    0,
                    1,
                    1,
                ),
            ),
            aliases=("tfs_z", "tail_free"),
        ),
        Sampler(
            "top_a",
            "cutoffs.top_a",
            (
                _P(
                    "top_a",
                    "A",
                    "Keep classes with a probability of at least A times the square of the top probability.",
                    0,
                    1,
                    0,
                ),
            ),
        ),
        Sampler(
            "xtc",
            "cutoffs.xtc",
            (
                _P(
                    "xtc_probability",
                    "P",
                    "XTC: with probability P, remove all top choices except the least probable one. tsoft averages both"
                    " cases.",
                    0,
                    1,
                    0,
                ),
                _P(
                    "xtc_threshold",
                    "T",
                    "With --xtc-probability: a top choice has a probability of at least T.",
                    0,
                    1,
                    0.1,
                ),
            ),
            at_random=True,
        ),
        Sampler(
            "mirostat",
            "cutoffs.mirostat",
            (
                _P(
                    "mirostat_tau",
                    "S",
                    "Mirostat 2: keep classes whose surprise, in bits, is at most a limit μ that follows the drawn"
                    " tokens, so that their mean surprise is S.",
                    0,
                    inf,
                    exclusive_low=True,
                ),
                _P("mirostat_eta", "E", "With --mirostat-tau: the rate at which μ changes.", 0, 1, 0.1),
                _P(
                    "mirostat_mu",
                    "U",
                    "With --mirostat-tau: the limit μ; the default, 2·S, is its value before the first token.",
                    -inf,
                    inf,
                ),
            ),
            state="mirostat",
            initial_state="initial_mu",
        ),
        Sampler(
            "adaptive_p",
            "adaptive.adaptive_p",
            (
                _P(
                    "adaptive_target",
                    "P",
                    "Adaptive-p: prefer classes with a probability near P; a mean of the drawn probabilities below P"
                    " raises the preferred one, and a mean above P lowers it.",
                    0,
                    1,
                ),
                _P(
                    "adaptive_decay",
                    "D",
                    "With --adaptive-target: the weight of the earlier tokens in the mean, from 0 to 0.99.",
                    0,
                    0.99,
                    0.9,
                ),
                _P(
                    "adaptive_mean",
                    "P",
                    "With --adaptive-target: the mean of the drawn probabilities; the default, the target, is its value"
                    " before the first token.",
                    0,
                    1,
                ),
            ),
            state="adaptive_p",
            initial_state="initial_mean",
        ),
    )
}
