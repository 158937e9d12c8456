"""A chain of samplers on one row with a large vocabulary."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from machine import cores
from pairs import Measure, Pair, call

from tsoft.sampling.chain import Chain
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.step import Step

CLASSES = 131072
PARAMETERS = {"top_k": 40, "top_p": 0.9, "min_p": 0.05}


def warpers(_: Path) -> tuple[Measure, Measure]:
    """Compare tsoft's chain with transformers' warpers, by transformers' rules.

    tsoft computes in float64; transformers computes in float32, as it always does.
    """
    torch = import_module("torch")
    torch.set_num_threads(cores())
    process = import_module("transformers.generation.logits_process")
    row = np.random.default_rng(1).standard_normal((1, CLASSES)).astype(np.float32) * 4
    rules = {sampler.name: sampler for sampler in ENGINES["transformers"].samplers}
    chain = Chain(tuple(Step(rules[name], (value,)) for name, value in PARAMETERS.items()))
    theirs = [
        process.TopKLogitsWarper(PARAMETERS["top_k"]),
        process.TopPLogitsWarper(PARAMETERS["top_p"]),
        process.MinPLogitsWarper(PARAMETERS["min_p"]),
    ]

    def our_call() -> object:
        return chain.logits(row, np.array([1.0]))

    def their_call() -> object:
        scores = torch.from_numpy(row)
        for warper in theirs:
            scores = warper(None, scores)
        return scores

    kept = np.isfinite(np.asarray(our_call())[0])
    np.testing.assert_array_equal(kept, np.isfinite(np.asarray(their_call())))
    return call(our_call), call(their_call)


PAIRS: Sequence[Pair] = (
    Pair(f"top-k, top-p, min-p on 1 × {CLASSES}", "transformers' warpers", warpers, 0.5, "transformers", 30, min),
)
