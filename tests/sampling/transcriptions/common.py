"""What the transcriptions of the engines' sampling rules share: the request, the history, and float32 arithmetic.

Each module transcribes one engine from its own source, in scalar loops where that is clearer, so that tests can hold
tsoft's chains against something that does not share their code. A path is a function

    path(logits, settings, history) -> probabilities

with the probabilities in float32, one for each class, 0 for a class that the path removes. Arithmetic is float32
unless the source computes in double. Sums run in the order that the source fixes; where a kernel leaves it open, they
run in index order, so a cumulative sum within a rounding of its threshold decides nothing.

`check.py` compares transformers, mlx-lm and llama.cpp with their transcriptions. Those of SGLang's and vLLM's PyTorch
paths, vLLM's Triton kernels, ExLlamaV2, ExLlamaV3's single steps and text-generation-webui were compared with the
engines' code as well, each on at least 800 random cases. FlashInfer, ExLlamaV3's fused kernel, KoboldCpp and Ollama's
MLX runner were read and not run.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

FLOAT = np.float32
Row = NDArray[np.float32]
Ids = NDArray[np.intp]


@dataclass(frozen=True)
class Settings:
    """The sampling parameters of a request. None means that the request does not set the parameter.

    A path leaves out the step of a parameter that is None; it does not assume the engine's default for it. `fill` adds
    the defaults where an engine has some (`DEFAULTS` in its module). A parameter that only refines another, such as
    `dry_base`, has the engine's default in the path itself.
    """

    temperature: float | None = None
    temperature_last: bool | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    top_a: float | None = None
    tfs: float | None = None
    top_n_sigma: float | None = None
    top_h: float | None = None
    epsilon_cutoff: float | None = None
    eta_cutoff: float | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    smoothing_factor: float | None = None
    smoothing_curve: float | None = None
    dynatemp_range: float | None = None
    dynatemp_exponent: float | None = None
    dynatemp_low: float | None = None
    dynatemp_high: float | None = None
    repetition_penalty: float | None = None
    repetition_slope: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    penalty_last_n: int | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_breakers: tuple[tuple[int, ...], ...] | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    mirostat_mu: float | None = None
    adaptive_target: float | None = None
    adaptive_decay: float | None = None
    adaptive_mean: float | None = None
    logit_bias: dict[int, float] | None = None


@dataclass(frozen=True)
class History:
    """The token ids so far, those of the prompt first."""

    tokens: tuple[int, ...] = ()
    prompt_length: int = 0

    @property
    def generated(self) -> tuple[int, ...]:
        """The tokens after the prompt."""
        return self.tokens[self.prompt_length :]

    def last(self, count: int) -> tuple[int, ...]:
        """The last `count` tokens; all of them if `count` is negative."""
        return self.tokens if count < 0 else self.tokens[max(len(self.tokens) - count, 0) :]


Path = Callable[[Row, Settings, History], Row]


def fill(settings: Settings, defaults: Settings) -> Settings:
    """The settings of a request to an engine that has defaults for the parameters which the request leaves out."""
    missing = {f.name: getattr(defaults, f.name) for f in fields(settings) if getattr(settings, f.name) is None}
    return replace(settings, **missing)


def require(settings: Settings, engine: str, supported: str) -> None:
    """Raise NotImplementedError if the request sets a parameter that is not among the names in `supported`."""
    for field in fields(settings):
        if getattr(settings, field.name) is not None and field.name not in supported.split():
            raise NotImplementedError(f"{engine} has no {field.name}")


def kept(probabilities: Row) -> list[int]:
    """The classes with a probability above 0."""
    return [int(i) for i in np.flatnonzero(probabilities > 0)]


def softmax(logits: Row) -> Row:
    """exp(z − max) divided by its sum, in float32; a masked class (−inf) gets 0."""
    logits = np.asarray(logits, FLOAT)
    weights = np.exp(logits - logits.max())
    return normalized(weights)


def total(values: Row) -> np.float32:
    """The sum in float32, term by term."""
    return FLOAT(running_sum(values)[-1])


def running_sum(values: Row) -> Row:
    """The cumulative sum in float32, term by term."""
    return np.cumsum(np.asarray(values, FLOAT), dtype=FLOAT)


def normalized(weights: Row) -> Row:
    """The weights divided by their sum."""
    return np.divide(np.asarray(weights, FLOAT), total(weights), dtype=FLOAT)


def one_hot(size: int, index: int) -> Row:
    """Probability 1 for one class."""
    probabilities = np.zeros(size, FLOAT)
    probabilities[index] = 1
    return probabilities


def greedy(logits: Row) -> Row:
    """Probability 1 for the first class with the largest logit."""
    return one_hot(len(logits), int(np.argmax(logits)))


def descending(values: Row) -> Ids:
    """Indices from the largest value to the smallest, tied values in index order."""
    return np.argsort(-np.asarray(values, FLOAT), kind="stable")


def ascending(values: Row) -> Ids:
    """Indices from the smallest value to the largest, tied values in index order."""
    return np.argsort(np.asarray(values, FLOAT), kind="stable")


def masked(logits: Row, removed: NDArray[np.bool_]) -> Row:
    """The logits with −inf for the classes that are removed."""
    return np.where(removed, FLOAT(-np.inf), logits).astype(FLOAT)


def biased(logits: Row, bias: dict[int, float] | None) -> Row:
    """The logits with a number added to some of them."""
    out = np.array(logits, FLOAT)
    for token, value in (bias or {}).items():
        out[token] += FLOAT(value)
    return out


def counts(tokens: tuple[int, ...]) -> dict[int, int]:
    """How often each token occurs."""
    found: dict[int, int] = {}
    for token in tokens:
        found[token] = found.get(token, 0) + 1
    return found


def quadratic(logits: Row, factor: float, curve: float) -> Row:
    """Smoothing: max − F·(3 − c)/2·d² + F·(c − 1)/2·d³ with d = z − max, masked classes unchanged."""
    top = FLOAT(logits.max())
    out = np.array(logits, FLOAT)
    square, cube = FLOAT((3 - curve) / 2), FLOAT((curve - 1) / 2)
    for i, logit in enumerate(out):
        if logit != -np.inf:
            d = FLOAT(logit - top)
            out[i] = -(square * FLOAT(factor) * d * d) + cube * FLOAT(factor) * d * d * d + top
    return out


def entropy(probabilities: Row) -> np.float32:
    """The entropy in nats, in float32, term by term."""
    result = FLOAT(0)
    for p in probabilities:
        if p > 0:
            result = FLOAT(result - p * np.log(p))
    return result


def adaptive_target(target: float, mean: float | None) -> float:
    """Adaptive-p's target for this draw: 2t − the decaying mean of what was drawn, within [0, 1]."""
    wanted = min(max(target, 0.0), 1.0)
    return min(max(2 * wanted - (target if mean is None else mean), 0.0), 1.0)


def adaptive_logits(probabilities: Row, target: float) -> Row:
    """Adaptive-p's new logits: 5 − 10·d²/(1 + d) with d = |p − target| / 0.3."""
    distance = np.abs((probabilities - FLOAT(target)) * FLOAT(1 / FLOAT(0.3)))
    return np.asarray(FLOAT(5) - FLOAT(10) * distance * distance / (FLOAT(1) + distance), FLOAT)


def mixture(without: Row, with_xtc: Row, probability: float) -> Row:
    """The distribution of a draw before which XTC removes the top choices with the given probability."""
    return ((1 - probability) * without.astype(float) + probability * with_xtc.astype(float)).astype(FLOAT)
