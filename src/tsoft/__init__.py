"""tsoft: what softmax temperature does to a distribution, exactly.

import tsoft

tsoft.softmax([2, 1, 0.5, 0.1], tau=0.5)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsoft.core.measures import entropy, margin, perplexity, top, top_prob
    from tsoft.core.softmax import LogitsError, log_softmax, log_sum_exp, softmax
    from tsoft.sampling.samplers import (
        epsilon_cutoff,
        eta_cutoff,
        logit_bias,
        min_p,
        smoothing,
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

__all__ = [
    "LogitsError",
    "entropy",
    "epsilon_cutoff",
    "eta_cutoff",
    "log_softmax",
    "log_sum_exp",
    "logit_bias",
    "margin",
    "min_p",
    "perplexity",
    "smoothing",
    "softmax",
    "tail_free",
    "temperature",
    "top",
    "top_a",
    "top_h",
    "top_k",
    "top_n_sigma",
    "top_p",
    "top_prob",
    "typical",
    "xtc",
]


# The command line imports this package for its version and its help: numpy waits for its first use.
def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tsoft")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tsoft.core import measures, softmax
    from tsoft.sampling import samplers

    return next(getattr(home, name) for home in (samplers, measures, softmax) if hasattr(home, name))


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
