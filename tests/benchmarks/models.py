"""Generation of text, compared with llama.cpp itself on the same threads."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pairs import PYTHON, Measure, Pair, call, process

from tsoft.core.draw import generator
from tsoft.models.decoding import SequenceDecoder, run_decoders, token_sampler
from tsoft.models.generated_text import GeneratedText, TextLimits

TAU, STEPS, TEXTS, LONG = 0.7, 64, 4, 500
PROMPT = "Once upon a time, there was a"
FIRST_TOKEN = """
from tsoft.models.llama import Llama
model = Llama(None, chat=False, threads=None)
model.next([model.prompt("The capital of France is")])
"""
# The budget for the first token of the default model, in ms.
FIRST_TOKEN_BUDGET = 2000.0


@cache
def model() -> Any:
    from tsoft.models.llama import Llama

    return Llama(None, chat=False, threads=None)


def generation(count: int) -> Callable[[], object]:
    """Return a function that generates `count` texts in parallel, as `tsoft generate` does."""

    def generate() -> list[SequenceDecoder]:
        # The starts differ in their last token, so that they are different texts.
        starts = [GeneratedText((*model().prompt(PROMPT), 260 + i)) for i in range(count)]
        limits = TextLimits(model().piece, lambda _: False, STEPS)
        decoders = [
            SequenceDecoder(start, token_sampler(TAU, lambda *_: None, generator(1, i, 2)), limits)
            for i, start in enumerate(starts)
        ]
        for _ in run_decoders(model().next, decoders):
            pass
        return decoders

    return generate


class LlamaCpp:
    """The generation of the first of these texts with llama.cpp's `llama_decode` and sampler chain."""

    def __init__(self) -> None:
        from tsoft.models.llama import _llama_cpp

        self.c: Any = _llama_cpp()
        params = self.c.llama_context_default_params()
        params.n_ctx, params.no_perf = 2048, True
        params.n_threads = params.n_threads_batch = model()._threads
        self.context = self.c.llama_init_from_model(model()._weights.model, params)
        self.chain = self.c.llama_sampler_chain_init(self.c.llama_sampler_chain_default_params())
        self.c.llama_sampler_chain_add(self.chain, self.c.llama_sampler_init_temp(TAU))
        self.c.llama_sampler_chain_add(self.chain, self.c.llama_sampler_init_dist(1))

    def __call__(self) -> None:
        c = self.c
        c.llama_memory_clear(c.llama_get_memory(self.context), False)
        prompt = (*model().prompt(PROMPT), 260)
        tokens = (c.llama_token * len(prompt))(*prompt)
        drawn = (c.llama_token * 1)()
        assert c.llama_decode(self.context, c.llama_batch_get_one(tokens, len(prompt))) == 0
        for i in range(STEPS):
            drawn[0] = c.llama_sampler_sample(self.chain, self.context, -1)
            if i + 1 < STEPS:
                assert c.llama_decode(self.context, c.llama_batch_get_one(drawn, 1)) == 0


def single(_: Path) -> tuple[Measure, Measure]:
    theirs = LlamaCpp()
    # Both warm up: they load what they need only once, and fill the processor's caches.
    generation(1)()
    theirs()
    return call(generation(1)), call(theirs)


def parallel(_: Path) -> tuple[Measure, Measure]:
    def one_by_one() -> None:
        for _ in range(TEXTS):
            generation(1)()

    generation(TEXTS)()
    return call(generation(TEXTS)), call(one_by_one)


def shared_start(_: Path) -> tuple[Measure, Measure]:
    """Compare texts that share their first tokens with one text. Each call has new tokens, which are not cached."""
    rng = np.random.default_rng(1)

    def next_tokens(count: int) -> Callable[[], object]:
        def request() -> object:
            start = tuple(rng.integers(300, 40000, LONG).tolist())
            return model().next([(*start, 260 + i) for i in range(count)])

        return request

    return call(next_tokens(TEXTS)), call(next_tokens(1))


def first_token(_: Path) -> tuple[Measure, Measure]:
    ours = process([PYTHON, "-c", FIRST_TOKEN])
    ours()
    return ours, lambda: FIRST_TOKEN_BUDGET


PAIRS: Sequence[Pair] = (
    Pair(
        f"{STEPS} tokens drawn from the default model", "llama.cpp's decode and samplers", single, 1.1, "llama_cpp", 9
    ),
    Pair(f"{TEXTS} texts of {STEPS} tokens at once", "one after the other", parallel, 1.0, "llama_cpp", 3),
    Pair(
        f"next token of {TEXTS} texts that share {LONG} tokens",
        "next token of one text",
        shared_start,
        1.2,
        "llama_cpp",
        5,
    ),
    Pair("first token, including loading", f"{FIRST_TOKEN_BUDGET:g} ms", first_token, 1.0, "llama_cpp", 7),
)
