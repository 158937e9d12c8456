"""The mathematical functions of the library, on arrays in memory."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from machine import cores
from numpy.typing import DTypeLike
from pairs import Measure, Pair, call

import tsoft

# As a Python float, so that `x / TAU` keeps float32.
TAU = 0.7

Function = Callable[[Any], Any]


def scipy_softmax() -> Function:
    softmax = import_module("scipy.special").softmax
    return lambda x: softmax(x / TAU, axis=-1)


def scipy_log_softmax() -> Function:
    log_softmax = import_module("scipy.special").log_softmax
    return lambda x: log_softmax(x / TAU, axis=-1)


def scipy_entropy() -> Function:
    special = import_module("scipy.special")
    return lambda x: special.entr(special.softmax(x / TAU, axis=-1)).sum(-1)


def torch_softmax() -> Function:
    torch = import_module("torch")
    torch.set_num_threads(cores())
    return lambda x: torch.softmax(torch.from_numpy(x) / TAU, -1)


def kernel(
    name: str,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    against: str,
    theirs: Callable[[], Function],
    *,
    budget: float | None = None,
) -> Pair:
    """Compare a function of tsoft at one temperature with the function that `theirs` returns."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        our_function, their_function = getattr(tsoft, name), theirs()
        logits = np.random.default_rng(1).standard_normal(shape).astype(dtype) * 4

        def our_call() -> Any:
            return our_function(logits, tau=TAU)

        def their_call() -> Any:
            return their_function(logits)

        # These calls also warm up both sides.
        our_result, their_result = our_call(), their_call()
        if str(our_result.dtype) not in str(their_result.dtype):
            raise TypeError(f"{name}: cannot compare {our_result.dtype} with {their_result.dtype}")
        np.testing.assert_allclose(np.atleast_1d(our_result)[:4], np.atleast_1d(their_result)[:4], rtol=1e-4)
        return call(repeated(our_call)), call(repeated(their_call))

    size = int(np.prod(shape))
    # The first call after a pause fills the processor's caches, which would take most of the time of a short function.
    calls = min(500, max(1, 400_000 // size))

    def repeated(function: Callable[[], Any]) -> Callable[[], None]:
        def calls_in_turn() -> None:
            for _ in range(calls):
                function()

        return calls_in_turn

    task = f"{name} of {' × '.join(map(str, shape))} {np.dtype(dtype)}" + f", {calls} times" * (calls > 1)
    repeat = 7 if size > 1e7 else 30
    return Pair(task, against, prepare, budget, against.split(".")[0], repeat, min)


WIDE, NARROW = (512, 131072), (100_000, 10)
SOFTMAX, LOG_SOFTMAX = "scipy.special.softmax(x / tau)", "scipy.special.log_softmax(x / tau)"
ENTROPY = "scipy.special.entr(softmax(x / tau)).sum(-1)"
PAIRS: Sequence[Pair] = (
    kernel("softmax", WIDE, np.float32, SOFTMAX, scipy_softmax, budget=0.45),
    kernel("softmax", WIDE, np.float32, "torch.softmax(x / tau), all cores", torch_softmax, budget=0.6),
    kernel("softmax", (50_000, 1000), np.float32, SOFTMAX, scipy_softmax, budget=0.45),
    kernel("softmax", NARROW, np.float64, SOFTMAX, scipy_softmax, budget=0.45),
    kernel("softmax", (131_072,), np.float32, SOFTMAX, scipy_softmax, budget=1.0),
    kernel("softmax", (131_072,), np.float64, SOFTMAX, scipy_softmax, budget=1.0),
    kernel("softmax", (1000, 50), np.float32, SOFTMAX, scipy_softmax, budget=1.0),
    kernel("softmax", (4, 100), np.float64, SOFTMAX, scipy_softmax, budget=1.0),
    kernel("softmax", (2, 4097), np.float64, SOFTMAX, scipy_softmax, budget=1.0),
    kernel("softmax", (1000,), np.float64, SOFTMAX, scipy_softmax, budget=1.0),
    kernel("softmax", (10,), np.float64, SOFTMAX, scipy_softmax, budget=1.0),
    kernel("softmax", (4,), np.float64, SOFTMAX, scipy_softmax, budget=1.5),
    kernel("log_softmax", WIDE, np.float32, LOG_SOFTMAX, scipy_log_softmax, budget=1.0),
    kernel("log_softmax", (10,), np.float64, LOG_SOFTMAX, scipy_log_softmax, budget=1.0),
    kernel("entropy", NARROW, np.float64, ENTROPY, scipy_entropy, budget=1.0),
    kernel("entropy", (10,), np.float64, ENTROPY, scipy_entropy, budget=1.0),
)
