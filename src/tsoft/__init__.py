"""tsoft: what softmax temperature does to a distribution, exactly.

import tsoft

tsoft.softmax([2, 1, 0.5, 0.1], tau=0.5)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsoft.core import (
        LogitsError,
        entropy,
        log_softmax,
        log_sum_exp,
        margin,
        perplexity,
        softmax,
        top,
        top_prob,
    )

__all__ = [
    "LogitsError",
    "entropy",
    "log_softmax",
    "log_sum_exp",
    "margin",
    "perplexity",
    "softmax",
    "top",
    "top_prob",
]


# The command line imports this package for its version and its help: numpy waits for its first use.
def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tsoft")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tsoft import core

    return getattr(core, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
