"""A chain of samplers on one row with a large vocabulary."""

import ctypes
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from machine import cores
from pairs import Measure, Pair, call

from tsoft.core.softmax import Array
from tsoft.models.llama import default_file
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.history import History
from tsoft.sampling.sampler_table import SAMPLERS
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


HISTORY = 1000
TEXT_PARAMETERS = PARAMETERS | {
    "repetition_penalty": 1.1,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.1,
    "penalty_last_n": HISTORY,
    "dry_multiplier": 0.8,
    "dry_penalty_last_n": HISTORY,
}
TAU = 0.8


def text_samplers(_: Path) -> tuple[Measure, Measure]:
    """Compare a chain that depends on the text with llama.cpp's samplers, by llama.cpp's rules.

    Both get the logits as an array. llama.cpp copies them to its candidates, as its server does for each token.
    """
    llama = import_module("llama_cpp")
    row = np.random.default_rng(1).standard_normal((1, CLASSES)).astype(np.float32) * 4
    # Repeated sequences, for DRY.
    tokens = np.resize(np.random.default_rng(2).integers(0, 40_000, 300), HISTORY)
    names = ("penalties", "dry", *PARAMETERS, "temperature")
    chain = chain_of(ENGINES["llama.cpp"], None, [SAMPLERS[name] for name in names], TEXT_PARAMETERS)
    candidates = np.zeros(CLASSES, [("id", np.int32), ("logit", np.float32), ("p", np.float32)])
    pointer = candidates.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))
    theirs = _llama_chain(llama, tokens.tolist())

    def our_call() -> Array:
        return chain.with_history(History(tokens)).logits(row, np.array([TAU]))

    def their_call() -> int:
        candidates["id"], candidates["logit"] = np.arange(CLASSES), row[0]
        array = llama.llama_token_data_array(pointer, CLASSES, -1, False)
        llama.llama_sampler_apply(theirs, ctypes.byref(array))
        return int(array.size)

    kept = np.flatnonzero(np.isfinite(our_call()[0, 0]))
    size = their_call()
    np.testing.assert_array_equal(kept, np.sort(candidates["id"][:size]))
    return call(our_call), call(their_call)


def _llama_chain(llama: Any, tokens: Sequence[int]) -> Any:
    """Return llama.cpp's chain of samplers after these tokens."""
    model = llama.llama_model_load_from_file(default_file().encode(), llama.llama_model_default_params())
    vocabulary, values = llama.llama_model_get_vocab(model), TEXT_PARAMETERS
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for sampler in (
        llama.llama_sampler_init_penalties(CLASSES, HISTORY, 1.1, 0.1, 0.1),
        llama.llama_sampler_init_dry(vocabulary, values["dry_multiplier"], 1.75, 2, HISTORY, None, 0),
        llama.llama_sampler_init_top_k(values["top_k"]),
        llama.llama_sampler_init_top_p(values["top_p"], 1),
        llama.llama_sampler_init_min_p(values["min_p"], 1),
        llama.llama_sampler_init_temp(TAU),
    ):
        llama.llama_sampler_chain_add(chain, sampler)
    for token in tokens:
        llama.llama_sampler_accept(chain, token)
    return chain


PAIRS: Sequence[Pair] = (
    Pair(f"top-k, top-p, min-p on 1 × {CLASSES}", "transformers' warpers", warpers, 0.3, "transformers", 30, min),
    Pair(
        f"penalties, DRY, top-k, top-p, min-p and temperature on 1 × {CLASSES} after {HISTORY} tokens",
        "llama.cpp's samplers",
        text_samplers,
        2.0,
        "llama_cpp",
        30,
        min,
    ),
)
