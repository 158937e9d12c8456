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
    shape: tuple[int, int],
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
        np.testing.assert_allclose(our_result[:4], their_result[:4], rtol=1e-4)
        return call(our_call), call(their_call)

    task = f"{name} of {shape[0]} × {shape[1]} {np.dtype(dtype)}"
    repeat = 7 if np.prod(shape) > 1e7 else 30
    return Pair(task, against, prepare, budget, against.split(".")[0], repeat, min)


WIDE, NARROW = (512, 131072), (100_000, 10)
SOFTMAX = "scipy.special.softmax(x / tau)"
PAIRS: Sequence[Pair] = (
    kernel("softmax", WIDE, np.float32, SOFTMAX, scipy_softmax, budget=0.5),
    kernel("softmax", WIDE, np.float32, "torch.softmax(x / tau), all cores", torch_softmax, budget=0.6),
    kernel("softmax", NARROW, np.float64, SOFTMAX, scipy_softmax, budget=0.5),
    kernel("log_softmax", WIDE, np.float32, "scipy.special.log_softmax(x / tau)", scipy_log_softmax),
    kernel("entropy", NARROW, np.float64, "scipy.special.entr(softmax(x / tau)).sum(-1)", scipy_entropy),
)
