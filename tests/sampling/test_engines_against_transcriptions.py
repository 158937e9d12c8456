"""Every path of every engine against a transcription of its source, which shares no code with tsoft.

The settings are random. Where a decision of the chain depends on rounding, an engine may decide otherwise, so such
cases may differ; where it keeps some of the classes that tie, their number must agree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from sampling.transcriptions.common import History as Tokens
from sampling.transcriptions.common import Settings
from sampling.transcriptions.paths import PATHS
from tsoft.core.softmax import softmax
from tsoft.sampling.chain import Chain, chain_of, is_on
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.explanation import step_cutoff
from tsoft.sampling.float32_check import fragile_decisions
from tsoft.sampling.history import History
from tsoft.sampling.mixture import Mixture
from tsoft.sampling.sampler_table import SAMPLERS

CASES = 5
# Exact ties and equality are decided alike in float32. Other decisions as close as this may not be.
ROUNDING = 3e-6

PENALTIES = "repetition_penalty presence_penalty frequency_penalty"
DRY = "dry_multiplier dry_base dry_allowed_length dry_breakers"
XTC = "xtc_probability xtc_threshold"
ADAPTIVE = "adaptive_target adaptive_mean"
MIROSTAT = "mirostat_tau mirostat_mu"
LLAMA = (
    f"temperature {PENALTIES} penalty_last_n {DRY} dry_penalty_last_n logit_bias top_n_sigma top_k typical_p top_p"
    f" min_p {XTC} dynatemp_range dynatemp_exponent"
)
VLLM = f"temperature {PENALTIES} logit_bias top_k top_p min_p"
MLX = f"temperature {PENALTIES} penalty_last_n logit_bias top_k top_p min_p {XTC}"
EXLLAMAV3 = f"temperature {PENALTIES} penalty_last_n logit_bias min_p top_k top_p"
KOBOLD = f"repetition_penalty presence_penalty penalty_last_n {DRY} dry_penalty_last_n logit_bias temperature"
KOBOLD_CHAIN = f"{KOBOLD} top_k top_a tfs typical_p top_p min_p top_n_sigma dynatemp_range"
SMOOTHING = "smoothing_factor smoothing_curve"
WEBUI = (
    f"temperature {PENALTIES} penalty_last_n {DRY} logit_bias top_n_sigma {SMOOTHING} top_k top_p typical_p"
    " epsilon_cutoff eta_cutoff tfs top_a min_p"
)


@dataclass(frozen=True)
class Pair:
    """An engine of tsoft, its transcription, and the parameters to compare them with; those in `always` are always
    set."""

    engine: str
    path: str
    parameters: str
    always: str = ""

    def __str__(self) -> str:
        return f"{self.engine} with {self.always}" if self.always else self.engine


PAIRS = [
    Pair(
        "transformers",
        "transformers",
        "temperature repetition_penalty logit_bias top_h top_k top_p min_p typical_p epsilon_cutoff eta_cutoff",
    ),
    Pair("llama.cpp", "llama_cpp", LLAMA),
    Pair("llama.cpp", "llama_cpp", f"{LLAMA} {ADAPTIVE}", "adaptive_target"),
    Pair("llama.cpp", "llama_cpp_mirostat_v2", f"temperature logit_bias {MIROSTAT}", "mirostat_tau"),
    Pair("vllm", "vllm_flashinfer", VLLM),
    Pair("vllm@pytorch", "vllm_pytorch", VLLM),
    Pair("vllm@triton", "vllm_triton_rule", VLLM),
    Pair("sglang", "sglang_flashinfer", VLLM, "min_p"),
    Pair("sglang", "sglang_flashinfer", VLLM.replace("min_p", "")),
    Pair("sglang@pytorch", "sglang_pytorch", VLLM),
    Pair("mlx-lm", "mlx_lm_0_32_2", MLX),
    Pair("mlx-lm@0.32.0", "mlx_lm_d78bf58", MLX),
    # Of min-p, top-a and XTC, the transcription has the errors that tsoft's notes name.
    Pair(
        "exllamav2",
        "exllamav2",
        f"temperature {PENALTIES} penalty_last_n logit_bias smoothing_factor top_k top_p tfs typical_p",
    ),
    Pair("exllamav2", "exllamav2", f"temperature top_k {MIROSTAT}", "mirostat_tau"),
    Pair("exllamav3", "exllamav3_1_6_5", f"{EXLLAMAV3} {DRY} dry_penalty_last_n"),
    Pair("exllamav3", "exllamav3_1_6_5", f"{EXLLAMAV3} {ADAPTIVE}", "adaptive_target"),
    Pair("exllamav3@1.4.1", "exllamav3_1_4_1", EXLLAMAV3),
    Pair("exllamav3@1.4.1", "exllamav3_1_4_1", f"{EXLLAMAV3} {ADAPTIVE}", "adaptive_target"),
    Pair("tabbyapi", "tabbyapi", EXLLAMAV3),
    Pair("tabbyapi", "tabbyapi", f"{EXLLAMAV3} {XTC}", "xtc_probability"),
    Pair("tabbyapi", "tabbyapi", EXLLAMAV3, "top_k min_p"),
    Pair("tabbyapi", "tabbyapi", EXLLAMAV3, "top_p min_p"),
    Pair("tabbyapi", "tabbyapi", f"{EXLLAMAV3} {XTC} {ADAPTIVE}", "adaptive_target"),
    Pair("ollama", "ollama_gguf", f"temperature top_k top_p min_p typical_p {PENALTIES} penalty_last_n"),
    Pair("ollama@mlx", "ollama_mlx", f"temperature top_k top_p min_p {PENALTIES} penalty_last_n"),
    Pair("koboldcpp", "koboldcpp", f"{KOBOLD_CHAIN} {SMOOTHING} {XTC}"),
    Pair("koboldcpp", "koboldcpp", f"{KOBOLD_CHAIN} {SMOOTHING} {ADAPTIVE}", "adaptive_target"),
    Pair("koboldcpp", "koboldcpp", f"{KOBOLD_CHAIN} {XTC} {ADAPTIVE}", "adaptive_target xtc_probability"),
    Pair("koboldcpp", "koboldcpp_mirostat_v2", f"{KOBOLD} {SMOOTHING} {MIROSTAT}", "mirostat_tau"),
    Pair("text-generation-webui", "text_generation_webui", f"{WEBUI} {XTC}"),
    Pair("text-generation-webui", "text_generation_webui", f"{WEBUI} {ADAPTIVE}", "adaptive_target"),
    Pair("text-generation-webui", "text_generation_webui", f"{WEBUI} {MIROSTAT}", "mirostat_tau"),
]
# Parameters that have no effect without another one.
COMPANIONS = {
    "penalty_last_n": ("repetition_penalty", "presence_penalty", "frequency_penalty", "dry_multiplier"),
    "dynatemp_exponent": ("dynatemp_range",),
    "smoothing_curve": ("smoothing_factor",),
    "xtc_threshold": ("xtc_probability",),
    "mirostat_mu": ("mirostat_tau",),
    "adaptive_mean": ("adaptive_target",),
}
# These are not varied by themselves.
NOT_ALONE = ("dry_", "xtc_", "mirostat_", "adaptive_", "smoothing_curve", "dynatemp_exponent", "logit_bias")
ALONE = ("dry_multiplier", "xtc_probability")
TOP_P_0_IS_OFF = ("mlx-lm", "mlx-lm@0.32.0", "exllamav2", "ollama@mlx")
# 0 tokens are all tokens there, or one token.
LAST_0_IS_SPECIAL = ("exllamav3", "koboldcpp", "mlx-lm", "mlx-lm@0.32.0", "text-generation-webui")
DYNAMIC = ("dynatemp_range", "dynatemp_exponent")
# Masked classes are candidates, which typical-p, the dynamic temperature and adaptive-p count.
COUNTS_MASKED = ("llama.cpp", "ollama", "koboldcpp")
REFUSES_0 = ("transformers", "text-generation-webui")
BREAKERS_OF_ONE_TOKEN = ("exllamav3", "text-generation-webui")


def choices(rng: Generator, size: int, engine: str) -> dict[str, Callable[[], Any]]:
    """Return how to choose each parameter for a row of `size` classes."""

    def one_of(*values: float) -> Callable[[], float]:
        return lambda: values[rng.integers(len(values))]

    def tokens(most: int) -> tuple[int, ...]:
        return tuple(rng.integers(size, size=int(rng.integers(1, most + 1))).tolist())

    longest = 1 if engine.startswith(BREAKERS_OF_ONE_TOKEN) else 3
    return {
        "temperature": one_of(0.3, 0.7, 1.0, 1.3, 2.0, 0.0),
        "top_k": one_of(*range(1, size)),
        "top_p": one_of(0.25, 0.5, 0.75, 0.9, *[0.0] * (engine in TOP_P_0_IS_OFF)),
        "min_p": one_of(0.01, 0.1, 0.5),
        "typical_p": one_of(0.25, 0.5, 0.75),
        "top_h": one_of(0.2, 0.5, 0.9),
        "epsilon_cutoff": one_of(0.01, 0.1),
        "eta_cutoff": one_of(0.01, 0.1),
        "top_n_sigma": one_of(0.5, 1.0, 2.0),
        "top_a": one_of(0.1, 0.5),
        "tfs": one_of(0.3, 0.7, 0.95),
        "smoothing_factor": one_of(0.2, 1.5),
        "smoothing_curve": one_of(0.5, 1.5, 2.0),
        "xtc_threshold": one_of(0.05, 0.1, 0.3),
        "xtc_probability": one_of(0.25, 1.0),
        "dynatemp_range": one_of(0.2, 0.5),
        "dynatemp_exponent": one_of(0.5, 2.0),
        "repetition_penalty": one_of(0.8, 1.1, 1.5),
        "presence_penalty": one_of(-0.5, 0.3, 1.0),
        "frequency_penalty": one_of(-0.1, 0.1, 0.5),
        "penalty_last_n": one_of(1, 5, 30, *[0] * (engine in LAST_0_IS_SPECIAL)),
        "dry_multiplier": one_of(0.3, 0.8),
        "dry_base": one_of(1.0, 1.75, 2.0),
        "dry_allowed_length": one_of(0, 1, 2, 3, 4),
        "dry_penalty_last_n": one_of(3, 20, 200, *[0] * (engine in LAST_0_IS_SPECIAL)),
        "dry_breakers": lambda: tuple(tokens(longest) for _ in range(2)),
        "mirostat_tau": one_of(1.0, 3.0),
        "mirostat_mu": one_of(-1.0, 1.0, 2.0, 4.0),
        "adaptive_target": one_of(0.0, 0.2, 0.6),
        "adaptive_mean": one_of(0.1, 0.7),
        "logit_bias": lambda: dict(zip(rng.permutation(size)[:3].tolist(), (-2.0, 1.0, 3.0), strict=True)),
    }


def random_settings(rng: Generator, size: int, pair: Pair, share: float, main: str = "") -> Settings:
    """Return random values of the `main` parameter and of a share of the others."""
    names = pair.parameters.split()
    chosen = {name: choice() for name, choice in choices(rng, size, pair.engine).items() if name in names}
    required = {*pair.always.split(), main}
    chosen = {name: value for name, value in chosen.items() if name in required or rng.random() < share}
    if main == "temperature":
        chosen["temperature"] = 0.0
    return Settings(**consistent(chosen, pair.engine))


def consistent(chosen: dict[str, Any], engine: str) -> dict[str, Any]:
    """Return parameters without those that have no effect, or for which the engine's result is not defined."""
    for name, needed in COMPANIONS.items():
        if name in chosen and not any(one in chosen for one in needed):
            del chosen[name]
    if "dry_multiplier" not in chosen:
        chosen = {name: value for name, value in chosen.items() if not name.startswith("dry")}
    if engine == "llama.cpp" and "top_n_sigma" in chosen:
        # The engine's result is undefined, or depends on the removed classes, as tsoft's notes say.
        chosen = {name: value for name, value in chosen.items() if name not in ("typical_p", *DYNAMIC)}
    divides_by_0 = engine == "tabbyapi" and "adaptive_target" in chosen
    if "dynatemp_range" in chosen or engine in REFUSES_0 or divides_by_0:
        chosen["temperature"] = chosen.get("temperature") or 1.0
    return chosen


def random_logits(rng: Generator, engine: str) -> Any:
    """Return 3 to 40 float32 logits: half of the rows have ties, some have masked classes."""
    z = rng.normal(size=int(rng.integers(3, 41))) * rng.choice([0.5, 1, 3])
    z = np.asarray(np.round(z * 2) / 2 if rng.random() < 0.5 else z, np.float32)
    if rng.random() < 0.15 and engine not in COUNTS_MASKED:
        z[1 + rng.permutation(len(z) - 1)[:2]] = -np.inf
    return z


def random_tokens(rng: Generator, size: int) -> Tokens:
    """Return up to 90 tokens, with repetitions."""
    piece = rng.integers(size, size=int(rng.integers(1, 9))).tolist()
    tokens = rng.integers(size, size=int(rng.integers(0, 20))).tolist() + piece * int(rng.integers(0, 10))
    return Tokens(tuple(tokens), int(rng.integers(len(tokens) + 1)))


def history_of(tokens: Tokens, breakers: tuple[tuple[int, ...], ...]) -> History:
    """Return tsoft's history of these tokens."""
    breaks = [
        max((len(one) - 1 for one in breakers if tokens.tokens[i : i + len(one)] == one), default=-1)
        for i in range(len(tokens.tokens))
    ]
    is_breaker = [(token,) in breakers for token in tokens.tokens]
    found = np.array(breaks, np.int64), np.array(is_breaker, bool)
    return History(np.array(tokens.tokens, np.int64), tokens.prompt_length, *found)


def chain_for(engine: str, settings: Settings, tokens: Tokens) -> Chain:
    """Return tsoft's chain for the settings."""
    values = {name: value for name, value in vars(settings).items() if value is not None}
    biases = tuple((values.pop("logit_bias", None) or {}).items())
    breakers = values.pop("dry_breakers", ())
    active = [one for one in SAMPLERS.values() if (bool(biases) if one.is_bias else is_on(one, values))]
    chain = chain_of(ENGINES[engine], None, active, values)
    return chain.biased(biases).with_history(history_of(tokens, breakers))


@np.errstate(invalid="ignore")
def depends_on_rounding(chain: Chain, z: Any, tau: float) -> bool:
    """Return whether a step decides by a difference that float32 may not resolve, or by a probability that is 0 in
    float32, whose logarithm makes the entropy of llama.cpp undefined."""
    mixture = Mixture(z[np.newaxis])
    for step in chain.at(tau):
        for logits in mixture.full_logits:
            if step.sampler.name == "typ_p" and logits.max() - logits[logits > -np.inf].min() > 80:
                return True
            if cutoff := step_cutoff(step, logits):
                compared = cutoff.score if cutoff.compared is None else cutoff.compared
                gaps = abs(compared - (cutoff.threshold if cutoff.bound is None else cutoff.bound))
                if ((gaps > 0) & (gaps < ROUNDING)).any():
                    return True
        mixture = mixture.apply(step)
    return False


def has_hidden_ties(chain: Chain, z: Any) -> bool:
    """Return whether XTC may keep some of the classes that tie, in a function that is not a cutoff."""
    averages_xtc = any(step.sampler.name == "xtc" and not step.sampler.has_cutoff for step in chain.steps)
    return averages_xtc and len(np.unique(z)) < len(z)


def agrees(pair: Pair, settings: Settings, logits: Any, tokens: Tokens) -> bool:
    """Compare an engine with its transcription. Return False if they differ where rounding decides."""
    chain = chain_for(pair.engine, settings, tokens)
    z, tau = logits.astype(float), 1.0 if settings.temperature is None else settings.temperature
    # The logarithm of a probability that is 0 in float32 is undefined.
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = PATHS[pair.path](logits, settings, tokens)
    actual = softmax(chain.logits(z[np.newaxis], np.array([tau]))[0, 0])
    close: dict[str, Any] = {"rtol": 1e-4, "atol": 2e-5}
    if np.allclose(actual, expected, **close):
        return True
    # These take longer than the engine.
    decisions = fragile_decisions(chain, z[np.newaxis], tau)
    if any(not decision.is_tie for decision in decisions) or depends_on_rounding(chain, z, tau):
        return False
    if decisions or has_hidden_ties(chain, z):
        # The engine's sort decides which of the classes that tie stay.
        expected, actual = np.sort(expected), np.sort(actual)
    message = f"{settings}, {tokens}, {logits.tolist()}, {[str(step) for step in chain.at(tau)]}"
    np.testing.assert_allclose(actual, expected, err_msg=message, **close)
    return True


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_random_settings_have_the_same_effect_in_an_engine_and_its_transcription(pair: Pair) -> None:
    rng = np.random.default_rng(PAIRS.index(pair))
    compared = 0
    for _ in range(CASES):
        logits = random_logits(rng, pair.engine)
        tokens = random_tokens(rng, len(logits))
        compared += agrees(pair, random_settings(rng, len(logits), pair, 0.4), logits, tokens)
    assert compared > CASES / 2


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_each_sampler_has_the_same_effect_in_an_engine_and_its_transcription(pair: Pair) -> None:
    """Few samplers are on, and many classes tie."""
    rng = np.random.default_rng(PAIRS.index(pair))
    compared = 0
    names = pair.parameters.split()
    for main in (name for name in names if name in ALONE or not name.startswith(NOT_ALONE)):
        for logits in few_logits(rng):
            # Equal logits have equal sums in all arithmetic, unless penalties change them.
            share = 0.15 * (logits.max() > logits.min())
            tokens = random_tokens(rng, len(logits))
            compared += agrees(pair, random_settings(rng, len(logits), pair, share, main), logits, tokens)
    assert compared > 3


def few_logits(rng: Generator) -> list[Any]:
    """Return equal logits, some that tie, some that do not, and some that are far apart."""
    size = int(rng.integers(5, 9))
    rows = np.zeros(8), rng.integers(-1, 1, size), rng.normal(size=size), rng.normal(size=size) * 10
    return [np.asarray(row, np.float32) for row in rows]
