"""A language model's tokens: what tsoft takes for them beside llama.cpp itself, on the same threads."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pairs import PYTHON, Measure, Pair, call, process

from tsoft.core.draw import generator
from tsoft.models.decoding import GeneratedText, SequenceDecoder, TextLimits, run_decoders, token_sampler

TAU, STEPS, TEXTS, LONG = 0.7, 64, 4, 500
PROMPT = "Once upon a time, there was a"
FIRST = """
from tsoft.models.llama import Llama
model = Llama(None, chat=False, threads=None)
model.next([model.prompt("The capital of France is")])
"""
# What the first token of the default model may take, in ms.
BUDGET = 2000.0


@cache
def model() -> Any:
    from tsoft.models.llama import Llama

    return Llama(None, chat=False, threads=None)


def written(count: int) -> Callable[[], object]:
    """Draws so many texts as `tsoft generate` does, a token of all of them at once."""

    def write() -> list[SequenceDecoder]:
        # Begun unlike, so that they are not one.
        starts = [GeneratedText((*model().prompt(PROMPT), 260 + i)) for i in range(count)]
        limits = TextLimits(model().piece, lambda _: False, STEPS)
        decoders = [
            SequenceDecoder(start, token_sampler(TAU, lambda _: None, generator(1, i, 2)), limits)
            for i, start in enumerate(starts)
        ]
        for _ in run_decoders(model().next, decoders):
            pass
        return decoders

    return write


class Own:
    """The same by llama.cpp's own decode and its own chain of samplers."""

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
        one = (c.llama_token * 1)()
        assert c.llama_decode(self.context, c.llama_batch_get_one(tokens, len(prompt))) == 0
        for i in range(STEPS):
            one[0] = c.llama_sampler_sample(self.chain, self.context, -1)
            if i + 1 < STEPS:
                assert c.llama_decode(self.context, c.llama_batch_get_one(one, 1)) == 0


def own(_: Path) -> tuple[Measure, Measure]:
    # What is made before the first call is made once, and the processor's caches are warm.
    theirs = Own()
    written(1)()
    theirs()
    return call(written(1)), call(theirs)


def together(_: Path) -> tuple[Measure, Measure]:
    def one_by_one() -> None:
        for _ in range(TEXTS):
            written(1)()

    written(TEXTS)()
    return call(written(TEXTS)), call(one_by_one)


def shared(_: Path) -> tuple[Measure, Measure]:
    """Each time another beginning, which is not there yet."""
    rng = np.random.default_rng(1)

    def asked(count: int) -> Callable[[], object]:
        def ask() -> object:
            begun = tuple(rng.integers(300, 40000, LONG).tolist())
            return model().next([(*begun, 260 + i) for i in range(count)])

        return ask

    return call(asked(TEXTS)), call(asked(1))


def first(_: Path) -> tuple[Measure, Measure]:
    ours = process([PYTHON, "-c", FIRST])
    ours()
    return ours, lambda: BUDGET


PAIRS: Sequence[Pair] = (
    # As many tokens a second, but for 10 %.
    Pair(f"{STEPS} tokens drawn of a model", "llama.cpp's decode and samplers", own, 1.1, "llama_cpp", 9),
    Pair(f"{TEXTS} texts of {STEPS} at once", "one after the other", together, 1.0, "llama_cpp", 3),
    Pair(f"{TEXTS} texts after {LONG} tokens", "one text", shared, 1.2, "llama_cpp", 5),
    Pair("the default model's first token", f"{BUDGET:g} ms", first, 1.0, "llama_cpp", 7),
)
