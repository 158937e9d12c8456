"""How each engine samples: its order, and its rules where they are not those of the table.

An engine is a row of ENGINES: its samplers in their order, and what it does at temperature 0. Where a
rule differs there is a function of its own here; the source and its version stand in the row.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log
from typing import TYPE_CHECKING, Any

from tsoft.core.samplers import (
    BIAS,
    SAMPLERS,
    TAU,
    Bend,
    Limit,
    Sampler,
    first_to,
    nearest_entropy,
    nth,
    temperature,
    top_k,
    truncation,
    typical,
)
from tsoft.lazy import Lazy

if TYPE_CHECKING:
    import numpy as np

    from tsoft.core import temperature as core
    from tsoft.core.chain import Chain, Step
    from tsoft.core.temperature import Array
else:
    np = Lazy("numpy")
    core = Lazy("tsoft.core.temperature")


@dataclass(frozen=True)
class Engine:
    """How an engine samples. `samplers` are in its order, with its rules; `source` is where they stand,
    with a version. Temperature 0, and what is under `greedy_below`, it takes for greedy decoding, as
    `at_zero` says; None where its temperature sampler itself does so. What is under `coldest` besides it
    raises to that. With `reorders` the order is for its user to choose."""

    name: str
    source: str
    samplers: tuple[Sampler, ...]
    greedy_below: float | None
    at_zero: str = ""
    coldest: float = 0.0
    reorders: bool = False

    def is_greedy(self, tau: float) -> bool:
        return self.greedy_below is not None and (tau == 0 or tau < self.greedy_below)

    def has(self, knob: str) -> bool:
        return any(knob == its.name for sampler in self.samplers for its in sampler.knobs)

    def when_cold(self, tau: float) -> str | None:
        """What it does of its own at a temperature near 0, None where that is nothing."""
        if self.is_greedy(tau):
            return self.at_zero
        return f"raises a temperature under {self.coldest:g} to it" if tau < self.coldest else None

    def greedy_steps(self, steps: "tuple[Step, ...]") -> "tuple[Step, ...]":
        """What is left of a chain's steps where decoding is greedy: the biases, and then the top class."""
        from tsoft.core.chain import Step

        return (*(step for step in steps if step.sampler.knobs[0] is BIAS), Step(GREEDY, ()))


@truncation()
def greedy(z: "Array") -> Limit:
    """Keeps the most probable class, of those that tie the first."""
    return top_k.limit(z, 1)


@truncation()
def top_k_and_ties(z: "Array", k: float) -> Limit:
    """Keeps those as probable as the k-th too: transformers and vLLM mask what is below its logit."""
    return replace(top_k.limit(z, k), count=None)


@truncation()
def top_p_from_above(z: "Array", p: float) -> Limit:
    """llama.cpp's sum runs from the most probable class on, up to the first at which it is p or more. The
    sum by which it divides is rounded term by term as well, which in float32 is seen."""
    falling = -np.sort(-z, axis=-1)
    terms = np.exp(falling - falling[..., :1])
    sums = (terms / terms.cumsum(-1)[..., -1:]).cumsum(-1)
    count = np.minimum((sums < p).sum(-1, keepdims=True) + 1, z.shape[-1])
    return Limit(z, nth(falling, count), count, compared=sums, bound=p)


@truncation()
def top_p_and_equal(z: "Array", p: float) -> Limit:
    """SGLang drops a class where the sum of those above it is over p: at equality one more stays."""
    falling = -np.sort(-z, axis=-1)
    probs = core.softmax(falling)
    above = probs.cumsum(-1) - probs
    count = np.maximum((above <= p).sum(-1, keepdims=True), 1)
    return Limit(z, nth(falling, count), count, compared=above, bound=p)


@truncation()
def top_p_unguarded(z: "Array", p: float) -> Limit:
    """mlx-lm keeps what has a sum from below of over 1 - p, which may be nothing; 0 is off."""
    if p == 0:
        return Limit(z, z.min(-1, keepdims=True))
    rising = np.sort(z, axis=-1)
    sums = core.softmax(rising).cumsum(-1)
    count = (sums > 1 - p).sum(-1, keepdims=True)
    least = np.where(count > 0, nth(rising[..., ::-1], np.maximum(count, 1)), inf)
    return Limit(z, least, count, compared=sums, bound=1 - p)


def top_p_what_fits(z: Any, p: float) -> "Array":
    """exllamav2 goes through the classes in their order and holds those whose sum is at most p: when one
    more is too much, the least probable go. So the class that crosses p is dropped, and a later, less
    probable one may fit. Classes under 1e-6 are not looked at; one stays in any case."""
    z = core.as_logits(z)
    rows = z.reshape(-1, z.shape[-1])
    out = np.full_like(rows, -inf)
    for row, probs, result in zip(rows, core.softmax(rows), out, strict=True):
        held = _what_fits(probs, p)
        result[held] = row[held]
    return np.asarray(out.reshape(z.shape))


def _what_fits(probs: "Array", p: float) -> list[int]:
    held: list[tuple[float, int]] = []
    total = probs.dtype.type(0)
    # After top-k the classes come with the most probable first, which finds the same.
    for index in np.flatnonzero(probs >= 1e-6).tolist():
        prob = probs[index]
        if held and total > p and prob < held[0][0]:
            continue
        heapq.heappush(held, (prob, index))
        total += prob
        while total > p and len(held) > 1:
            total -= heapq.heappop(held)[0]
    return [index for _, index in held]


@truncation()
def min_p_of_logits(z: "Array", p: float) -> Limit:
    """llama.cpp and mlx-lm compare logits with max z + ln p."""
    return Limit(z, z.max(-1, keepdims=True) + log(p))


@truncation()
def typical_and_ties(z: "Array", mass: float) -> Limit:
    """transformers keeps what is as near the entropy as the class that crosses the mass."""
    return replace(typical.limit(z, mass), count=None)


@truncation()
def typical_over(z: "Array", mass: float) -> Limit:
    """llama.cpp goes on where the sum is just the mass: it has to be over it."""
    return nearest_entropy(z, mass, lambda sums: (sums <= mass).sum(-1, keepdims=True) + 1)


@truncation()
def tail_free_exllamav2(z: "Array", share: float) -> Limit:
    """exllamav2 does not look at classes under 1e-8, and drops the last of three or more in any case."""
    if (z > -inf).sum(-1).max() < 3:
        return Limit(z, z.min(-1, keepdims=True))
    bend = Bend.of(np.where(core.softmax(z) >= 1e-8, z, -inf), share)
    return bend.limit(np.maximum(np.where(bend.whole > 0, 1 + bend.within, bend.left - 1), 1))


@truncation()
def typical_exllamav2(z: "Array", mass: float) -> Limit:
    """exllamav2 drops the class that crosses the mass, and in the place of ln p it has p + ln(p + 1e-10);
    classes under 1e-8 are not looked at."""
    probs = core.softmax(z)
    seen = probs >= 1e-8
    terms = probs + np.log(probs + 1e-10)
    middle = np.where(seen, probs * terms, 0).sum(-1, keepdims=True)
    score = np.where(seen, -abs(terms - middle), -inf)
    return first_to(mass, score, probs, lambda sums: (sums < mass).sum(-1, keepdims=True))


@truncation()
def xtc_over(z: "Array", threshold: float) -> Limit:
    """mlx-lm's top choices are over the threshold, and of these all stay that tie with the least."""
    probs = core.softmax(z)
    least = np.where(probs > threshold, z, inf).min(-1, keepdims=True)
    return Limit(np.where(z > -inf, -z, -inf), -least, of="-logit", compared=probs, bound=threshold)


def temperature_or_top(z: Any, tau: float, dynatemp_range: float = 0.0, exponent: float = 1.0) -> "Array":
    """llama.cpp masks all but the first of the most probable at temperature 0, inside the chain."""
    scaled = temperature(z, tau, dynatemp_range, exponent)
    return greedy(scaled) if tau == 0 and not dynatemp_range else scaled


GREEDY = Sampler("greedy", greedy, ())


def _rules(*names: str, **functions: Any) -> tuple[Sampler, ...]:
    """Those samplers of the table, after the biases, some with another function. Only llama.cpp's temperature
    may be dynamic."""
    return tuple(
        replace(
            SAMPLERS[name],
            function=functions.get(name, SAMPLERS[name].function),
            knobs=(TAU,) if name == "temperature" and name not in functions else SAMPLERS[name].knobs,
        )
        for name in ("logit_bias", *names)
    )


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "transformers",
            "transformers 5.23.0, generation/logits_process.py",
            _rules(
                *("temperature", "top_h", "top_k", "top_p", "min_p", "typ_p", "epsilon_cutoff", "eta_cutoff"),
                top_k=top_k_and_ties,
                typ_p=typical_and_ties,
            ),
            0.0,
            "refuses temperature 0: this is its greedy decoding (do_sample=False), without samplers",
        ),
        Engine(
            "llama.cpp",
            "llama.cpp e19fb5f, src/llama-sampling.cpp; its server's order",
            _rules(
                *("top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"),
                typ_p=typical_over,
                top_p=top_p_from_above,
                min_p=min_p_of_logits,
                temperature=temperature_or_top,
            ),
            None,
            reorders=True,
        ),
        Engine(
            "vllm",
            "vLLM V1, v1/sample/sampler.py, v1/sample/ops/topk_topp_sampler.py",
            _rules("temperature", "min_p", "top_k", "top_p", top_k=top_k_and_ties),
            1e-5,
            "decodes greedily at a temperature under 1e-05, without samplers",
            # sampling_params.py.
            coldest=0.01,
        ),
        Engine(
            "sglang",
            "SGLang 0.5.23, srt/layers/sampler.py, the PyTorch path",
            # All three look at the same sorted probabilities: top-p's sum is not of what top-k leaves.
            _rules("temperature", "top_p", "top_k", "min_p", top_p=top_p_and_equal),
            1e-6,
            "takes a temperature under 1e-06 for temperature 1 with top_k 1",
        ),
        Engine(
            "mlx-lm",
            "mlx-lm d78bf58, mlx_lm/sample_utils.py",
            _rules(
                *("top_p", "min_p", "xtc", "top_k", "temperature"),
                top_p=top_p_unguarded,
                min_p=min_p_of_logits,
                xtc=xtc_over,
            ),
            0.0,
            "takes temperature 0 for argmax, without samplers",
        ),
        Engine(
            "exllamav2",
            "exllamav2 da07fac, exllamav2_ext/ext_sampling.cpp",
            _rules(
                *("smoothing", "temperature", "top_k", "top_p", "top_a", "min_p", "tfs", "typ_p", "xtc"),
                top_p=top_p_what_fits,
                tfs=tail_free_exllamav2,
                typ_p=typical_exllamav2,
            ),
            0.01,
            "takes a temperature under 0.01 for temperature 1 with top_k 1",
        ),
    )
}


def chain_of(
    engine: Engine | None, order: tuple[Sampler, ...] | None, on: Sequence[Sampler], values: Mapping[str, float]
) -> "Chain":
    """The chain of the samplers that are `on`, by an engine's rules or by tsoft's own, where `order` is None
    in their order too; biases come first where no place is given to them. `values` are the knobs' by name, off
    where there is none: the biases and the temperature itself come later.

    >>> str(chain_of(None, None, [SAMPLERS["top_k"]], {"top_k": 40}).steps[0])
    'top_k 40'
    """
    from tsoft.core.chain import Chain, Step

    rules = {sampler.name: sampler for sampler in (engine.samplers if engine else SAMPLERS.values())}
    order = tuple(SAMPLERS[name] for name in rules) if order is None else order
    biased = [sampler for sampler in on if sampler.knobs[0] is BIAS and sampler not in order]
    names = {sampler.name for sampler in on}

    def step(sampler: Sampler) -> Step:
        knobs = [knob for knob in sampler.knobs if knob is not TAU and knob is not BIAS]
        return Step(sampler, tuple(values.get(knob.name, knob.off) for knob in knobs))

    steps = (step(rules[sampler.name]) for sampler in (*biased, *order) if sampler.name in names)
    return Chain(tuple(steps), engine)
