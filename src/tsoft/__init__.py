"""tsoft: softmax temperature, exactly.

    softmax(z / tau)_i = exp(z_i / tau) / sum_j exp(z_j / tau)

A temperature tau below 1 makes a distribution sharper; a temperature above 1 makes it flatter. All functions
take NumPy arrays of logits, (..., n), and work along the last axis. A list of temperatures adds a leading axis.

>>> import tsoft
>>> tsoft.softmax([2, 1, 0.5, 0.1], tau=0.5).round(4)
array([0.8282, 0.1121, 0.0412, 0.0185])

Distributions
    softmax          probabilities at a temperature
    log_softmax      their logarithms
    log_sum_exp      the logarithm of the partition function
    sample           random draws
    sample_counts    the number of draws of each class

Measures
    entropy          the entropy, in nats
    perplexity       the effective number of classes, exp(entropy)
    top              the index of the most probable class
    top_prob         the probability of the most probable class
    margin           the highest minus the second-highest probability
    varentropy       the variance of the surprise -log(p)

Temperatures
    solve            the temperature at which a measure reaches a target
    fit_temperature  the temperature that calibrates a classifier
    estimate_temperature  at which temperature classes were drawn
    audit_draws           whether draws match the requested temperature and cutoffs
    Calibration      a calibration that `tsoft calibrate --save` wrote
    reliability      how well calibrated a classifier is
    confidence_measures  how well calibrated confidences are, such as those that a model states
    temperature_difference  whether the temperatures of groups of rows differ
    soft_targets     a teacher's soft targets, and a student's loss on them
    thermodynamics   the thermodynamics of energy levels

Two models
    compare          how far two distributions differ, and the acceptance rates of speculative decoding
    tokens_per_step  the expected tokens per step of speculative decoding

Several answers to a problem
    pass_at_k        the probability that one of k answers is correct
    majority_at_k    the probability that the majority of k answers is correct
    best_temperature  the temperature with the best results
    turning_point    the turning point of the entropy over temperature (TURN)

Samplers: logits in, logits out
    temperature      divide by a temperature
    logit_bias       add a number to some logits
    smoothing        bend the logits (quadratic and cubic sampling)
    soft_cap         squeeze the logits between two limits
    edt              divide by a temperature that falls with the entropy
    adaptive_temperature  multiply by a polynomial of the entropy
    top_k            keep the k most probable classes
    top_p            keep the most probable classes that together have the probability p
    min_p            keep classes at least p times as probable as the top one
    p_less           keep classes above the sum of the squared probabilities
    typical          keep classes with a surprise near the entropy
    top_n_sigma      keep logits at most n standard deviations below the top
    top_h            keep the most probable classes up to a share of the entropy
    top_a            keep classes above a share of the squared top probability
    epsilon_cutoff   keep classes with a probability of at least epsilon
    eta_cutoff       the same with a threshold that falls as the entropy rises
    tail_free        remove the flat tail of the sorted probabilities
    xtc              remove all top choices but the least probable

Samplers that depend on the tokens before
    penalties        the repetition, presence and frequency penalties
    dry              penalize the tokens that would extend a repeated sequence
    mirostat         remove classes with a surprise above a limit that follows the drawn tokens
    adaptive_p       prefer classes with a probability near a target

Figures
    plot             functions that draw with matplotlib: help(tsoft.plot) lists them

Errors
    LogitsError      a row has no softmax: a ValueError with the row and the class
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsoft import plot
    from tsoft.core.draw import sample, sample_counts
    from tsoft.core.draw_temperature import estimate_temperature
    from tsoft.core.group_difference import temperature_difference
    from tsoft.core.measures import entropy, margin, perplexity, top, top_prob, varentropy
    from tsoft.core.softmax import LogitsError, log_softmax, log_sum_exp, softmax
    from tsoft.core.solve import solve
    from tsoft.core.temperature_scaling import fit_temperature
    from tsoft.core.thermodynamics import thermodynamics
    from tsoft.features.audit.audited_draws import audit_draws
    from tsoft.features.calibrate.confidence_measures import confidence_measures
    from tsoft.features.calibrate.reliability import reliability
    from tsoft.features.choose.pass_at_k import majority_at_k, pass_at_k
    from tsoft.features.choose.temperature_choice import best_temperature
    from tsoft.features.choose.turning_point import turning_point
    from tsoft.features.compare.model_comparison import compare, tokens_per_step
    from tsoft.features.distill.soft_targets import soft_targets
    from tsoft.input.calibration_file import Calibration
    from tsoft.sampling.samplers import (
        adaptive_temperature,
        edt,
        epsilon_cutoff,
        eta_cutoff,
        logit_bias,
        min_p,
        p_less,
        smoothing,
        soft_cap,
        tail_free,
        temperature,
        top_a,
        top_h,
        top_k,
        top_n_sigma,
        top_p,
        typical,
        xtc,
    )
    from tsoft.sampling.text_samplers import adaptive_p, dry, mirostat, penalties

__all__ = [
    "Calibration",
    "LogitsError",
    "adaptive_p",
    "adaptive_temperature",
    "audit_draws",
    "best_temperature",
    "compare",
    "confidence_measures",
    "dry",
    "edt",
    "entropy",
    "epsilon_cutoff",
    "estimate_temperature",
    "eta_cutoff",
    "fit_temperature",
    "log_softmax",
    "log_sum_exp",
    "logit_bias",
    "majority_at_k",
    "margin",
    "min_p",
    "mirostat",
    "p_less",
    "pass_at_k",
    "penalties",
    "perplexity",
    "plot",
    "reliability",
    "sample",
    "sample_counts",
    "smoothing",
    "soft_cap",
    "soft_targets",
    "softmax",
    "solve",
    "tail_free",
    "temperature",
    "temperature_difference",
    "thermodynamics",
    "tokens_per_step",
    "top",
    "top_a",
    "top_h",
    "top_k",
    "top_n_sigma",
    "top_p",
    "top_prob",
    "turning_point",
    "typical",
    "varentropy",
    "xtc",
]

# The modules of the names that are not samplers.
_MODULES = {
    "core.draw": ("sample", "sample_counts"),
    "core.draw_temperature": ("estimate_temperature",),
    "core.group_difference": ("temperature_difference",),
    "core.measures": ("entropy", "margin", "perplexity", "top", "top_prob", "varentropy"),
    "core.softmax": ("LogitsError", "log_softmax", "log_sum_exp", "softmax"),
    "core.solve": ("solve",),
    "core.temperature_scaling": ("fit_temperature",),
    "core.thermodynamics": ("thermodynamics",),
    "features.audit.audited_draws": ("audit_draws",),
    "features.calibrate.confidence_measures": ("confidence_measures",),
    "features.calibrate.reliability": ("reliability",),
    "features.choose.pass_at_k": ("majority_at_k", "pass_at_k"),
    "features.choose.temperature_choice": ("best_temperature",),
    "features.choose.turning_point": ("turning_point",),
    "features.compare.model_comparison": ("compare", "tokens_per_step"),
    "features.distill.soft_targets": ("soft_targets",),
    "input.calibration_file": ("Calibration",),
    "sampling.text_samplers": ("adaptive_p", "dry", "mirostat", "penalties"),
}


# The command line imports this package for its version and its help, so numpy waits for its first use.
def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tsoft")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "plot":
        return import_module("tsoft.plot")
    module = next((module for module, names in _MODULES.items() if name in names), "sampling.samplers")
    value = globals()[name] = getattr(import_module(f"tsoft.{module}"), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
