"""The mathematics: arrays in, arrays out. Knows no file and no terminal."""

from tsoft.core.measures import entropy, margin, perplexity, top, top_prob
from tsoft.core.temperature import LogitsError, log_softmax, log_sum_exp, softmax

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
