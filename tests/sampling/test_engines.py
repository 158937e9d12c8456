"""The rules of the engines against results of their code, and the steps of chains against brute force."""

import json
from math import fsum, inf, log
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tsoft
from cases import each_case
from tool import TESTS
from tsoft.core.block import Block
from tsoft.sampling import apply_chains, mixture
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.chain import Chain
from tsoft.sampling.cutoffs import Cutoff
from tsoft.sampling.engines import ENGINES, Engine
from tsoft.sampling.explanation import Stage, explain, removed_by
from tsoft.sampling.first_difference import first_difference
from tsoft.sampling.float32_check import fragile_decisions
from tsoft.sampling.mixture import apply_step
from tsoft.sampling.sampler_table import SAMPLERS, Sampler
from tsoft.sampling.step import AllRemovedError, Step

# If they exist: the logits of a real model for four prompts, and the answers of its llama.cpp server.
LOGITS = TESTS.parents[1] / "shared/data/llm/next-token-logits.npy"
ANSWERS = LOGITS.with_name("llama-cpp-chain.json")
SHORT = TESTS / "data" / "llama-cpp-chain.json"

Row = list[float]
MASK = st.just(-inf)
TIED = st.lists(st.one_of(st.integers(-4, 4).map(float), MASK), min_size=2, max_size=12).filter(lambda z: max(z) > -inf)
PLAIN = st.lists(st.integers(-60, 60).map(lambda tenth: tenth / 10), min_size=2, max_size=12, unique=True)


def rule(engine: str, name: str) -> Sampler:
    return next(sampler for sampler in ENGINES[engine].samplers if sampler.name == name)


def built(engine: str | None, order: list[str], **values: float) -> Chain:
    """Return a chain of the samplers that are on, in this order, by the rules of the engine or of tsoft."""
    rules = {s.name: s for s in ENGINES[engine].samplers} if engine else SAMPLERS
    steps = []
    for sampler in (rules[name] for name in order if rules[name].parameters):
        first, *others = sampler.parameters
        others_values = [values.get(parameter.name, parameter.off) for parameter in others]
        if sampler.name == "temperature":
            steps.append(Step(sampler, tuple(others_values)))
        elif values.get(first.name, first.off) != first.off:
            steps.append(Step(sampler, (values[first.name], *others_values)))
    return Chain(tuple(steps), ENGINES[engine] if engine else None)


def result(chain: Chain, z: Any, tau: float = 1.0) -> Any:
    return chain.logits(np.atleast_2d(z), np.array([tau]))[0, 0]


def applied(sampler: Sampler, z: Any, *values: float) -> Any:
    """Return the logits after a sampler, computed in their dtype as an engine does."""
    chance = (1.0,) * sampler.at_random
    return apply_step(Step(sampler, (*chance, *values)), np.asarray(z))


def kept(z: Any) -> list[int]:
    return [int(i) for i in np.flatnonzero(z > -inf)]


# Values that switch a sampler off.


@each_case(
    ("engine", "name", "off", "on"),
    [
        ("transformers", "epsilon_cutoff", 1.0, 0.999),
        ("transformers", "eta_cutoff", 1.0, 0.999),
        ("text-generation-webui", "epsilon_cutoff", 1.0, 0.999),
        ("text-generation-webui", "eta_cutoff", 1.0, 0.999),
        ("exllamav2", "min_p", 1.0, 0.999),
        ("exllamav2", "tfs", 0.0, 0.001),
        ("exllamav2", "top_p", 0.0, 0.001),
    ],
)
def test_a_value_at_the_end_of_its_range_switches_a_sampler_off(engine: str, name: str, off: float, on: float) -> None:
    z = np.array([[2.0, 1.0, 0.0, -1.5]])
    assert kept(applied(rule(engine, name), z, off)[0]) == [0, 1, 2, 3]
    assert kept(applied(rule(engine, name), z, on)[0]) == [0]


# llama.cpp, against the answers of its server.


def answered(case: dict[str, Any], z: Any) -> tuple[Any, dict[int, float]]:
    """Return the logits after the chain of a case, and the probabilities that the server returned."""
    params = {k: v for k, v in case["params"].items() if k != "samplers"}
    tau = params.pop("temperature")
    order = [name for name in case["order"] if name not in ("penalties", "dry")]
    logits = result(built("llama.cpp", order, **params), z, tau)
    return logits, {int(index): prob for index, prob in case["probs"].items()}


@pytest.mark.skipif(not ANSWERS.exists(), reason="a real server's answers are not here")
def test_llama_cpp_server_agrees() -> None:
    cases, real = json.loads(ANSWERS.read_bytes()), np.load(LOGITS)
    other = 0
    for case in cases:
        logits, expected = answered(case, real[case["row"]])
        stay = {*kept(logits)}
        # The server sums 49152 classes in float32, so a cumulative threshold may be a class or two away.
        loose = case["params"]["top_p"] < 1 and not case["params"]["top_k"]
        assert stay == {*expected} or (loose and len(stay ^ {*expected}) <= 2), case["params"]
        other += stay != {*expected}
        probs = tsoft.softmax(logits)
        tolerance = 1e-6 if stay == {*expected} else 1e-4
        assert max(abs(probs[index] - prob) for index, prob in expected.items()) <= tolerance, case["params"]
    assert len(cases) == 40
    assert other <= 2


def short_cases() -> list[Any]:
    cases: list[Any] = json.loads(SHORT.read_bytes())["cases"]
    return cases


@each_case("number", range(len(short_cases())))
def test_llama_cpp_server_agrees_on_the_most_probable_classes(number: int) -> None:
    """The classes after the first few hundred are merged into one, which does not change the samplers."""
    case = short_cases()[number]
    row = json.loads(SHORT.read_bytes())["rows"][str(case["row"])]
    z = np.array(row["logits"] + [row["tail"]["logit"]] * row["tail"]["classes"])
    logits, expected = answered(case, z)
    assert kept(logits) == sorted(expected)
    probs = tsoft.softmax(logits)
    for index, prob in expected.items():
        assert probs[index] == pytest.approx(prob, abs=1e-6)


# The classes that each engine keeps, from a run of its code or of a transcription.

THREE, FOUR = [0.5, 0.3, 0.2], [0.25] * 4
FIVE = [0.4, 0.3, 0.15, 0.1, 0.05]
TRANSFORMERS, LLAMA, EXLLAMA = "transformers", "llama.cpp", "exllamav2"
VLLM, SGLANG, MLX = "vllm@pytorch", "sglang@pytorch", "mlx-lm@0.32.0"

# A number instead of classes: the sort of the engine decides which of the tied classes it keeps.
KEPT: list[tuple[str, str, Row, float, list[int] | int]] = [
    # transformers 5.23.0 with torch 2.13, run
    (TRANSFORMERS, "top_p", THREE, 0.6, [0, 1]),
    (TRANSFORMERS, "top_p", THREE, 0.5, [0]),
    (TRANSFORMERS, "top_p", FOUR, 0.5, 2),
    (TRANSFORMERS, "top_p", THREE, 0.0, [0]),
    (TRANSFORMERS, "top_k", FOUR, 1, [0, 1, 2, 3]),
    (TRANSFORMERS, "top_k", [0.4, 0.2, 0.2, 0.2], 2, [0, 1, 2, 3]),
    (TRANSFORMERS, "typ_p", FOUR, 0.5, [0, 1, 2, 3]),
    (TRANSFORMERS, "min_p", [0.3, 0.3, 0.2, 0.2], 1.0, [0, 1]),
    (TRANSFORMERS, "epsilon_cutoff", [0.4, 0.4, 0.2], 0.9, [0, 1]),
    # llama.cpp e19fb5f, src/llama-sampling.cpp, transcribed and checked with a server's answers
    (LLAMA, "top_p", THREE, 0.6, [0, 1]),
    (LLAMA, "top_p", THREE, 0.5, [0]),
    (LLAMA, "top_p", FOUR, 0.5, 2),
    (LLAMA, "top_p", THREE, 0.0, [0]),
    (LLAMA, "typ_p", FOUR, 0.5, 3),
    (LLAMA, "typ_p", FOUR, 0.4, 2),
    (LLAMA, "min_p", [0.3, 0.3, 0.2, 0.2], 1.0, [0, 1]),
    (LLAMA, "top_k", FOUR, 2, 2),
    # vLLM V1 @ 01fa3fe, v1/sample/ops/topk_topp_sampler.py, apply_top_k_top_p, transcribed and run
    (VLLM, "top_p", THREE, 0.6, [0, 1]),
    (VLLM, "top_p", THREE, 0.5, [0]),
    (VLLM, "top_p", FOUR, 0.5, 2),
    (VLLM, "top_k", [0.4, 0.2, 0.2, 0.2], 2, [0, 1, 2, 3]),
    # SGLang 0.5.23, srt/layers/sampler.py, top_k_top_p_min_p_sampling_from_probs_torch, run
    (SGLANG, "top_p", THREE, 0.6, [0, 1]),
    (SGLANG, "top_p", THREE, 0.5, [0, 1]),
    (SGLANG, "top_p", FOUR, 0.5, 3),
    (SGLANG, "top_k", FOUR, 2, 2),
    # mlx-lm d78bf58, mlx_lm/sample_utils.py, transcribed and run; the part that is the same in 0.32.2, run
    (MLX, "top_p", THREE, 0.6, [0, 1]),
    (MLX, "top_p", THREE, 0.5, [0]),
    (MLX, "top_p", FOUR, 0.5, 2),
    (MLX, "top_p", THREE, 0.0, [0, 1, 2]),
    (MLX, "min_p", THREE, 0.5999, [0, 1]),
    (MLX, "min_p", THREE, 0.61, [0]),
    (MLX, "min_p", [0.3, 0.3, 0.2, 0.2], 1.0, [0, 1]),
    (MLX, "top_k", [0.1] * 10, 3, [0, 1, 2]),
    (MLX, "xtc", THREE, 0.2, [1, 2]),
    (MLX, "xtc", THREE, 0.3, [0, 1, 2]),
    (MLX, "xtc", [0.3, 0.3, 0.2, 0.2], 0.25, [0, 1, 2, 3]),
    (MLX, "xtc", [0.4, 0.2, 0.2, 0.2], 0.15, [1, 2, 3]),
    # ExLlamaV2 0.3.2, exllamav2_ext/cpp/sampling.cpp, compiled and run
    (EXLLAMA, "top_p", THREE, 0.6, [0]),
    (EXLLAMA, "top_p", THREE, 0.5, [0]),
    (EXLLAMA, "top_p", FOUR, 0.5, [2, 3]),
    (EXLLAMA, "top_p", [0.4, 0.35, 0.15, 0.1], 0.6, [0, 2]),
    (EXLLAMA, "top_p", [0.1, 0.15, 0.35, 0.4], 0.6, [3]),
    (EXLLAMA, "typ_p", FIVE, 0.2, [1]),
    (EXLLAMA, "typ_p", FIVE, 0.5, [1]),
    (EXLLAMA, "typ_p", FIVE, 0.8, [0, 1]),
    # Run at .95, which the sum of the four reaches in float32 but not in float64.
    (EXLLAMA, "typ_p", FIVE, 0.949, [0, 1, 2]),
    # By its formula, .6 + ln .6 is nearer to the mean of p + ln p than .2 + ln .2 is. ln .6 alone would be farther.
    (EXLLAMA, "typ_p", [0.6, 0.2, 0.15, 0.05], 0.7, [0]),
    (EXLLAMA, "tfs", FIVE, 0.05, [0]),
    (EXLLAMA, "tfs", FIVE, 0.3, [0]),
    (EXLLAMA, "tfs", FIVE, 0.5, [0, 1]),
    (EXLLAMA, "tfs", FIVE, 0.75, [0, 1]),
    (EXLLAMA, "tfs", FIVE, 0.99, [0, 1]),
    (EXLLAMA, "tfs", FOUR, 0.5, 3),
    # It removes nothing from two classes.
    (EXLLAMA, "tfs", [0.7, 0.3], 0.5, [0, 1]),
    (EXLLAMA, "xtc", FOUR, 0.25, 1),
    (EXLLAMA, "xtc", THREE, 0.6, [0, 1, 2]),
]


@each_case(("engine", "name", "probs", "value", "expected"), KEPT)
def test_an_engine_keeps_these_classes(
    engine: str, name: str, probs: Row, value: float, expected: list[int] | int
) -> None:
    for dtype in (np.float64, np.float32):
        actual = kept(applied(rule(engine, name), np.log(probs).astype(dtype), value))
        assert (len(actual) if isinstance(expected, int) else actual) == expected, dtype


def test_top_p_of_sglang_uses_all_classes_and_of_vllm_those_of_top_k() -> None:
    """.4 .3 .2 .1 with top_k 2 and top_p .5, from a run as above."""
    z = np.log([0.4, 0.3, 0.2, 0.1])
    for engine, expected in {SGLANG: [0, 1], VLLM: [0]}.items():
        order = [sampler.name for sampler in ENGINES[engine].samplers if sampler.name != "logit_bias"]
        assert kept(result(built(engine, order, top_k=2, top_p=0.5), z)) == expected


def test_temperature_before_or_after_top_p_changes_the_kept_classes() -> None:
    """At temperature 2, .5 .3 .2 become .41 .32 .26. top_p .6 keeps two classes in both orders. top_p .5 keeps one more
    after the temperature than before it.
    """
    for engine, expected in {TRANSFORMERS: [0, 1], VLLM: [0, 1], SGLANG: [0, 1], LLAMA: [0], MLX: [0]}.items():
        order = [sampler.name for sampler in ENGINES[engine].samplers if sampler.name != "logit_bias"]
        logits = result(built(engine, order, top_p=0.45), np.log(THREE), 2.0)
        assert kept(logits) == expected, engine
        weights = np.sqrt(THREE)[: len(expected)]
        np.testing.assert_allclose(tsoft.softmax(logits)[: len(expected)], weights / weights.sum(), rtol=1e-14)


def test_mlx_lm_may_remove_every_class() -> None:
    """In float32, 1 - 1e-8 is 1, which no sum exceeds. 1e-6 keeps the first class. Both are from a run as above."""
    single = np.log(THREE).astype(np.float32)
    assert kept(applied(rule(MLX, "top_p"), single, 1e-8)) == []
    assert kept(applied(rule(MLX, "top_p"), single, 1e-6)) == [0]
    # If 1 - p rounds to 1, no class remains, in float64 either.
    chain = built(MLX, ["top_p"], top_p=1e-17)
    z = np.log([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    with pytest.raises(AllRemovedError, match=r"row 0: top_p 1e-17 of mlx-lm@0\.32\.0 removes every class"):
        chain.logits(z, np.array([1.0]))
    with pytest.raises(AllRemovedError, match="row 7: "):
        chain.logits(z, np.array([1.0]), first_row=7)


@pytest.mark.parametrize("wide", [2, 4096])
def test_the_error_of_an_empty_row_names_the_row(wide: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "WIDE_ROW", wide)
    banned = (Step(SAMPLERS["logit_bias"], (((0, -inf), (2, -inf)),)), Step(SAMPLERS["temperature"], (0.0, 1.0)))
    z = np.zeros((6, 3))
    z[4, 1] = -inf
    [piece] = distribution_pieces(Block(z[:4], first_row=10), np.array([1.0]), [Chain(banned)])
    assert piece.kept.tolist() == [[[False, True, False]] * 4]
    with pytest.raises(AllRemovedError) as caught:
        Chain(banned).logits(z, np.array([0.5, 1.0]), first_row=10)
    assert caught.value.row == 14


VALUES = {
    "top_k": 3,
    "top_p": 0.8,
    "min_p": 0.1,
    "typical_p": 0.7,
    "epsilon_cutoff": 0.05,
    "eta_cutoff": 0.1,
    "tfs": 0.9,
    "top_a": 0.2,
    "top_h": 0.6,
    "top_n_sigma": 1.0,
    "smoothing_factor": 0.3,
    "xtc_threshold": 0.1,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_samples_rows_independently(engine: str) -> None:
    z = np.random.default_rng(1).normal(0, 2, (9, 6))
    z[::3, 2:] = -inf
    z[1::3, 3:] = -inf
    for sampler in ENGINES[engine].samplers:
        first = sampler.parameters[0].name if sampler.parameters else ""
        if first in VALUES or first == "xtc_probability":
            chain = built(engine, [sampler.name], xtc_probability=0.5, **VALUES)
            alone = np.concatenate([chain.logits(row[np.newaxis], np.array([0.7, 1.0])) for row in z], axis=1)
            np.testing.assert_array_equal(chain.logits(z, np.array([0.7, 1.0])), alone, err_msg=sampler.name)


# Transcriptions


def sglang(probs: Any, top_k: int, top_p: float, min_p: float) -> Any:
    """Return the remaining probabilities, sorted.

    Source: SGLang 0.5.23, srt/layers/sampler.py, top_k_top_p_min_p_sampling_from_probs_torch, up to its draw.
    """
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    probs = torch.from_numpy(probs)
    top_ks, top_ps, min_ps = (torch.full((len(probs),), value) for value in (top_k, top_p, min_p))
    probs_sort, _ = probs.sort(dim=-1, descending=True)
    probs_sum = torch.cumsum(probs_sort, dim=-1)
    probs_sort[torch.arange(0, probs_sort.shape[-1]).view(1, -1) >= top_ks.view(-1, 1)] = 0.0
    probs_sort[(probs_sum - probs_sort) > top_ps.double().view(-1, 1)] = 0.0
    min_p_thresholds = probs_sort[:, 0] * min_ps
    probs_sort[probs_sort < min_p_thresholds.view(-1, 1)] = 0.0
    return (probs_sort / probs_sort.sum(-1, keepdim=True)).numpy()


def vllm(logits: Any, k: int, p: float) -> Any:
    """Source: vLLM @ 01fa3fe, v1/sample/ops/topk_topp_sampler.py, the PyTorch path of apply_top_k_top_p."""
    torch = pytest.importorskip("torch")
    logits = torch.from_numpy(logits.copy())
    ks, ps = torch.full((len(logits),), k), torch.full((len(logits),), p, dtype=torch.float64)
    logits_sort, logits_idx = logits.sort(dim=-1, descending=False)
    top_k_mask = logits_sort.size(1) - ks.to(torch.long)
    top_k_mask = logits_sort.gather(1, top_k_mask.unsqueeze(dim=1))
    top_k_mask = logits_sort < top_k_mask
    logits_sort.masked_fill_(top_k_mask, -inf)
    probs_sort = logits_sort.softmax(dim=-1)
    probs_sum = torch.cumsum(probs_sort, dim=-1, out=probs_sort)
    top_p_mask = probs_sum <= 1 - ps.unsqueeze(dim=1)
    top_p_mask[:, -1] = False
    logits_sort.masked_fill_(top_p_mask, -inf)
    return logits_sort.scatter(dim=-1, index=logits_idx, src=logits_sort).numpy()


def random_rows() -> list[Any]:
    rng = np.random.default_rng(4)
    return [rng.normal(0, 2, (40, n)) for n in (2, 5, 40)] + [rng.integers(-2, 3, (40, 12)).astype(float)]


@pytest.mark.oracle
@pytest.mark.parametrize("tau", [0.6, 1.0, 1.7])
def test_the_code_of_sglang_agrees(tau: float) -> None:
    for z in random_rows():
        for k, p, least in [(1000, 0.619, 0.0), (3, 0.843, 0.0), (4, 0.951, 0.171), (2, 0.337, 0.532)]:
            chain = built(
                SGLANG, ["temperature", "top_p", "top_k", "min_p"], top_k=min(k, z.shape[1]), top_p=p, min_p=least
            )
            actual = tsoft.softmax(chain.logits(z, np.array([tau]))[0])
            expected = sglang(tsoft.softmax(z, tau), k, p, least)
            np.testing.assert_allclose(-np.sort(-actual), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.oracle
@pytest.mark.parametrize("tau", [0.6, 1.0, 1.7])
def test_the_code_of_vllm_agrees(tau: float) -> None:
    for z in random_rows():
        for k, p in [(2, 0.619), (2, 0.911), (1, 0.5)]:
            chain = built(VLLM, ["temperature", "min_p", "top_k", "top_p"], top_k=k, top_p=p)
            actual, expected = chain.logits(z, np.array([tau]))[0], vllm(z / tau, k, p)
            np.testing.assert_allclose(
                np.sort(tsoft.softmax(actual)), np.sort(tsoft.softmax(expected)), rtol=1e-12, atol=1e-15
            )
            distinct = [len({*row}) == len(row) for row in z.tolist()]
            np.testing.assert_array_equal((actual > -inf)[distinct], (expected > -inf)[distinct])


@given(st.one_of(PLAIN, TIED), st.floats(0.01, 0.99))
def test_the_masks_of_mlx_lm_agree(row: Row, value: float) -> None:
    """Its two lines for top_p and for xtc, in numpy."""
    z = np.array(row)
    probs = tsoft.softmax(z)
    order = np.argsort(z)
    sums = np.cumsum(probs[order])
    assume(abs(sums - (1 - value)).min() > 1e-9)
    assert kept(applied(rule(MLX, "xtc"), z, value)) == kept(
        np.where(probs > np.where(probs > value, probs, inf).min(), -inf, z)
    )
    expected = [int(i) for i in order[sums > 1 - value]]
    actual = kept(applied(rule(MLX, "top_p"), z, value))
    assert sorted(row[i] for i in actual) == sorted(row[i] for i in expected)


@given(st.one_of(PLAIN, TIED), st.floats(0.01, 0.99))
def test_the_loops_of_exllamav2_agree(row: Row, value: float) -> None:
    """top_p keeps classes whose sum is at most p, with the top class if it fits. typical adds classes while their sum
    is below the mass.
    """
    probs = tsoft.softmax(row).tolist()
    held = kept(applied(rule(EXLLAMA, "top_p"), row, value))
    assert len(held) == 1 or fsum(probs[i] for i in held) <= value + 1e-12
    # It keeps the most probable class if its probability is at most p, and the last of the tied top classes otherwise.
    assert max(probs) in [probs[i] for i in held] or max(probs) > value - 1e-12

    terms = {i: p + log(p + 1e-10) for i, p in enumerate(probs) if p >= 1e-8}
    middle = fsum(probs[i] * term for i, term in terms.items())
    order = sorted(terms, key=lambda i: abs(terms[i] - middle))
    far = [abs(terms[i] - middle) for i in order]
    sums = [fsum(probs[i] for i in order[: j + 1]) for j in range(len(order))]
    assume(min(abs(s - value) for s in sums) > 1e-9)
    number = max(1, sum(s < value for s in sums))
    assume(number == len(far) or far[number] - far[number - 1] > 1e-9)
    assert kept(applied(rule(EXLLAMA, "typ_p"), row, value)) == sorted(order[:number])


# Temperatures at and near 0.


@pytest.mark.parametrize(
    ("engine", "greedy", "samples"),
    [
        # GenerationConfig(do_sample=False); temperature has to be a strictly positive float
        (TRANSFORMERS, [0.0], [5e-324, 1e-6, 0.1]),
        # its temperature sampler masks only at 0
        (LLAMA, [], [0.0, 5e-324, 1e-6, 0.1]),
        # _SAMPLING_EPS = 1e-5 in v1/sample/sampler.py
        (VLLM, [0.0], [1e-5, 0.005, 0.1]),
        # _SAMPLING_EPS = 1e-6 in srt/sampling/sampling_params.py
        (SGLANG, [0.0, 9.9e-7], [1e-6, 1e-5, 0.1]),
        # make_sampler: temp == 0
        (MLX, [0.0], [5e-324, 1e-6, 0.1]),
        # ext_sampling.cpp: temperature < 0.01
        (EXLLAMA, [0.0, 1e-6, 0.0099], [0.01, 0.1]),
    ],
)
def test_temperatures_at_which_an_engine_is_greedy(engine: str, greedy: Row, samples: Row) -> None:
    record = ENGINES[engine]
    assert [record.is_greedy(tau) for tau in greedy] == [True] * len(greedy)
    assert [record.is_greedy(tau) for tau in samples] == [False] * len(samples)
    assert bool(record.low_tau.message) == bool(greedy)


def every_step(engine: Engine) -> Chain:
    """Return a chain of all samplers of the engine, each switched on."""
    values = {"top_k": 3, "xtc_probability": 0.5, "xtc_threshold": 0.05, "smoothing_factor": 0.3, "top_n_sigma": 1.0}
    order = [sampler.name for sampler in engine.samplers if not sampler.uses_indices]
    parameter_names = {parameter.name for sampler in engine.samplers for parameter in sampler.parameters}
    others = dict.fromkeys(parameter_names - {*values, "tau", "dynatemp_range", "dynatemp_exponent", "logit_bias"}, 0.9)
    return built(
        engine.name, order, **others | {name: value for name, value in values.items() if name in parameter_names}
    )


@each_case("engine", [name for name in ENGINES if ENGINES[name].is_greedy(0.0)])
def test_greedy_decoding_takes_the_first_of_the_top_classes(engine: str) -> None:
    """The other samplers have no effect; the biases come first."""
    chain = every_step(ENGINES[engine])
    tied = np.array([1.0, 3.0, 0.0, 3.0, 2.9])
    assert kept(result(chain, tied, 0.0)) == [1]
    biases = Step(SAMPLERS["logit_bias"], (((2, 9.0), (1, -inf)),))
    assert kept(result(Chain((biases, *chain.steps), chain.engine), tied, 0.0)) == [2]
    assert [str(step) for step in chain.at(0.0)] == ["greedy"]


def test_llama_cpp_at_temperature_0_is_a_step_of_the_chain() -> None:
    chain = built(LLAMA, ["xtc", "temperature"], xtc_probability=0.5, xtc_threshold=0.2)
    # With probability 1/2, XTC excludes .5, and .3 is the top.
    np.testing.assert_allclose(tsoft.softmax(result(chain, np.log(THREE), 0.0)), [0.5, 0.0, 0.5], atol=1e-15)
    assert kept(result(built(LLAMA, ["temperature"]), [1.0, 3.0, 3.0], 0.0)) == [1]
    # With a range, the temperature is not 0 but from 0 to the range.
    dynamic = built(LLAMA, ["temperature"], dynatemp_range=1.0)
    assert tsoft.softmax(result(dynamic, [1.0, 1.0, 1.0], 0.0)) == pytest.approx([1 / 3] * 3)


def test_vllm_raises_a_low_temperature() -> None:
    """Source: v1, sampling_params.py, __post_init__: a temperature between 0 and 0.01 becomes 0.01."""
    z = [0.0, -0.01]
    chain = built(VLLM, ["temperature"])
    for tau in (0.001, 0.005, 0.01):
        np.testing.assert_allclose(tsoft.softmax(result(chain, z, tau)), tsoft.softmax(z, 0.01), rtol=1e-15)
    assert kept(result(chain, z, 0.0)) == [0]
    assert [bool(ENGINES[VLLM].low_tau_message(tau)) for tau in (0.0, 0.005, 0.01)] == [True, True, False]


# Fragile decisions.


@pytest.mark.oracle
def test_float32_keeps_other_classes_at_a_threshold() -> None:
    """Where exact sums reach top_p, the rounding of float32 decides, and with it how many of ten equal classes the
    warper of transformers keeps.
    """
    process = pytest.importorskip("transformers.generation.logits_process")
    torch = pytest.importorskip("torch")
    z = np.zeros((1, 10))
    others = []
    for tenths in range(1, 10):
        p = tenths / 10
        count = int((process.TopPLogitsWarper(p)(None, torch.from_numpy(z.astype(np.float32))) > -inf).sum())
        chain = built(TRANSFORMERS, ["top_p"], top_p=p)
        assert len(kept(result(chain, z))) == tenths
        [decision] = fragile_decisions(chain, z, 1.0)
        assert (decision.row, str(decision.step), decision.is_tie) == (0, f"top_p {p}", False)
        others += [tenths] * (count != tenths)
    assert others


def test_fragile_decisions_are_those_that_float32_changes() -> None:
    """Compare with rows and parameters for which the samplers keep other classes in float32."""
    rng = np.random.default_rng(5)
    z = rng.integers(-1, 2, (400, 9)).astype(float)
    for p in (0.25, 0.5, 0.9):
        for engine in (LLAMA, SGLANG):
            sampler = rule(engine, "top_p")
            cutoff = sampler.function(z, p)
            assert isinstance(cutoff, Cutoff)
            exact, single = cutoff.apply(z), applied(sampler, z.astype(np.float32), p)
            differ = {int(row) for row in np.flatnonzero(((exact > -inf) != (single > -inf)).any(-1))}
            ties = {int(row) for row in np.flatnonzero(cutoff.splits_tie)}
            decisions = list(fragile_decisions(built(engine, ["top_p"], top_p=p), z, 1.0))
            resized = {int(row) for row in np.flatnonzero((exact > -inf).sum(-1) != (single > -inf).sum(-1))}
            assert {decision.row for decision in decisions if decision.is_tie} == ties - resized
            assert {decision.row for decision in decisions if not decision.is_tie} == differ - (ties - resized)
            for decision in decisions:
                if decision.is_tie:
                    row = z[decision.row]
                    # The class is removed, and a tied class is kept.
                    is_kept = exact[decision.row] > -inf
                    assert not is_kept[decision.index]
                    assert is_kept[np.equal(row, row[decision.index])].any()


@each_case(
    ("engine", "probs", "values", "index"),
    [
        # The sum of the first classes is P, in exact numbers.
        ("transformers", [0.15, 0.6, 0.25], {"top_p": 0.85}, 0),
        ("llama.cpp", [0.15, 0.6, 0.25], {"top_p": 0.85}, 0),
        ("sglang@pytorch", [0.15, 0.6, 0.25], {"top_p": 0.85}, 0),
        ("exllamav2", [0.45, 0.3, 0.15, 0.1], {"top_p": 0.75}, 1),
        ("exllamav3", [0.3, 0.3, 0.3, 0.1], {"top_p": 0.9}, 3),
        # The probability of a class is the threshold.
        ("transformers", [0.5, 0.35, 0.15], {"epsilon_cutoff": 0.15}, 2),
        ("vllm@pytorch", [0.5, 0.45, 0.05], {"min_p": 0.1}, 2),
        ("llama.cpp", [0.45, 0.35, 0.2], {"xtc_probability": 0.5, "xtc_threshold": 0.35}, 0),
        ("text-generation-webui", [0.5, 0.3, 0.2], {"top_a": 0.8}, 2),
        # The least probable class completes the whole entropy.
        ("transformers", [0.6, 0.3, 0.1], {"top_h": 1.0}, 2),
        # The surprises are equally far from the entropy, up to the square of their difference.
        ("transformers", [0.5 + 2e-6, 0.5 - 2e-6], {"typical_p": 0.2}, 1),
        # Of .25 and .5, the first is nearest, and the sum of both .25 is P.
        ("llama.cpp", [0.25, 0.25, 0.5], {"typical_p": 0.5}, 2),
    ],
)
def test_numbers_that_only_rounding_separates_are_a_fragile_decision(
    engine: str, probs: Row, values: dict[str, float], index: int
) -> None:
    [name] = [sampler.name for sampler in SAMPLERS.values() if sampler.parameters[0].name in values]
    # In ascending order, the sums of some engines have other errors.
    for order in (np.arange(len(probs)), np.argsort(probs)):
        z = np.log([probs])[:, order]
        [decision] = fragile_decisions(built(engine, [name], **values), z, 1.0)
        assert (str(decision.step).split()[0], order[decision.index], decision.is_tie) == (name, index, False)
    if name != "typ_p":
        beside = {name: value - 0.01 for name, value in values.items()}
        assert not fragile_decisions(built(engine, [name], **beside), np.log([probs]), 1.0)


@each_case("engine", [*ENGINES])
def test_each_temperature_keeps_the_constant_if_a_later_sampler_needs_it(engine: str) -> None:
    z = np.array([3.0, 3.0, 1.0, -inf])
    rules = (ENGINES[engine].samplers, *(variant.samplers for variant in ENGINES[engine].variants))
    for sampler in [each for samplers in rules for each in samplers if each.is_temperature]:
        assert sampler.unshifted.function(z, 0.5).tolist() == [6, 6, 2, -inf]
        # At 0, some engines keep only the first of the classes that tie.
        for tau in (0.0, 0.5):
            shifted, unshifted = sampler.function(z, tau), sampler.unshifted.function(z, tau)
            np.testing.assert_array_equal(tsoft.softmax(unshifted), tsoft.softmax(shifted))


def test_the_distance_that_float32_decides_grows_with_the_logits() -> None:
    """Near 20000, neighbouring float32 numbers differ by about 0.002. The threshold of 20000 - n sigma is 0 for the
    square root of 1.5, and 0.003 or 20 for lower n."""
    z = np.array([[20000.0, 0.0, -20000.0]])
    for share, is_fragile in ((1.5e-7, True), (1e-3, False)):
        chain = built(LLAMA, ["top_n_sigma"], top_n_sigma=1.5**0.5 * (1 - share))
        assert [decision.index for decision in fragile_decisions(chain, z, 1.0)] == [1] * is_fragile


@each_case("engine", [*ENGINES])
def test_decisions_between_distant_numbers_are_not_fragile(engine: str) -> None:
    rng = np.random.default_rng(8)
    values = {"top_k": 9, "top_p": 0.9, "typical_p": 0.9, "min_p": 0.05, "top_n_sigma": 1.9, "tfs": 0.9}
    values |= {"xtc_probability": 0.5, "xtc_threshold": 0.1, "epsilon_cutoff": 0.01, "eta_cutoff": 0.01}
    names = [sampler.name for sampler in ENGINES[engine].samplers if not sampler.needs_history and not sampler.is_bias]
    chain = built(engine, names, **values)
    assert not fragile_decisions(chain, rng.normal(0, 3, (20, 60)), 0.8)


def test_the_rounding_of_float64_does_not_decide_which_classes_fit() -> None:
    """.6 + .3 and .4 + .3 are .9 and .7, though not in floating-point numbers."""
    for probs, p in (([0.6, 0.3, 0.1], 0.9), ([0.4, 0.3, 0.2, 0.1], 0.7), ([0.6, 0.2, 0.15, 0.05], 0.8)):
        for values in ({}, {"top_k": 9}):
            chain = built("exllamav2", ["top_k", "top_p"], top_p=p, **values)
            assert kept(result(chain, np.log(probs))) == [0, 1]
    # These are one class more than fits.
    assert kept(result(built("exllamav2", ["top_p"], top_p=0.6999999), np.log([0.4, 0.3, 0.2, 0.1]))) == [0, 2]


def test_a_row_has_at_most_one_fragile_decision() -> None:
    z = np.random.default_rng(5).normal(0, 2, (20, 1, 9))
    rounding = 0
    for row in z:
        # The sum of four classes is a little less than p, but not in float32.
        p = float(np.sort(tsoft.softmax(row))[0, :-5:-1].sum()) + 1e-10
        top_p, min_p = Step(rule(LLAMA, "top_p"), (p,)), Step(SAMPLERS["min_p"], (1e-3,))
        decisions = fragile_decisions(Chain((top_p, min_p, top_p)), row, 1.0)
        assert len(decisions) <= 1
        rounding += sum(decision.step is top_p and not decision.is_tie for decision in decisions)
    assert rounding > 0


def test_a_tie_at_the_threshold_is_a_fragile_decision() -> None:
    z = np.array([[0.0, 1.0, 1.0, 1.0], [3.0, 2.0, 1.0, 0.0]])
    [decision] = fragile_decisions(built(LLAMA, ["top_k", "temperature"], top_k=2), z, 0.7)
    assert (decision.row, decision.index, str(decision.step), decision.is_tie) == (0, 3, "top_k 2", True)
    # top_p .75 of ten equal classes keeps eight, also in float32. At .8, rounding decides whether it keeps nine.
    for p, is_tie in ((0.75, True), (0.8, False)):
        [decision] = fragile_decisions(built(LLAMA, ["top_p"], top_p=p), np.zeros((1, 10)), 1.0)
        assert (decision.index, decision.is_tie) == (8, is_tie)
    # ExLlamaV2 keeps the last two of four equal classes.
    [decision] = fragile_decisions(built("exllamav2", ["top_p"], top_p=0.6), np.zeros((1, 4)), 1.0)
    assert (decision.index, decision.is_tie) == (0, True)
    # If all tied classes are kept, no decision is fragile.
    assert not list(fragile_decisions(built(TRANSFORMERS, ["top_k", "temperature"], top_k=2), z, 0.7))
    assert not list(fragile_decisions(built(LLAMA, ["top_k", "temperature"], top_k=3), z, 0.7))


def test_a_row_that_is_empty_only_in_float32_is_a_fragile_decision() -> None:
    z = np.log([[0.2, 0.5, 0.3]])
    chain = built(MLX, ["top_p", "temperature"], top_p=1e-8)
    assert kept(result(chain, z)) == [1]
    [decision] = fragile_decisions(chain, z, 1.0)
    assert (decision.row, decision.index, str(decision.step), decision.is_tie) == (0, 1, "top_p 1e-08", False)


# Chains.

SETTINGS = st.fixed_dictionaries(
    {
        "top_k": st.integers(1, 9),
        "top_p": st.floats(0.2, 0.98),
        "min_p": st.floats(0.01, 0.5),
        "typical_p": st.floats(0.3, 0.98),
        "xtc_probability": st.sampled_from([0.0, 0.25, 1.0]),
        "xtc_threshold": st.floats(0.01, 0.5),
    }
)
ORDERS = st.permutations(["top_k", "top_p", "min_p", "typ_p", "xtc", "temperature"]).flatmap(
    lambda order: st.integers(1, len(order)).map(lambda n: order[:n])
)


@given(st.lists(PLAIN, min_size=1, max_size=3), ORDERS, SETTINGS)
def test_temperatures_and_rows_are_independent(rows: list[Row], order: list[str], values: dict[str, Any]) -> None:
    n = min(map(len, rows))
    z, taus = np.array([row[:n] for row in rows]), np.array([0.0, 0.5, inf])
    for engine in (None, VLLM, LLAMA):
        available = {sampler.name for sampler in ENGINES[engine].samplers} if engine else SAMPLERS
        chain = built(engine, [name for name in order if name in available] or ["temperature"], **values)
        if not chain.steps:
            continue
        together = chain.logits(z, taus)
        assert together.dtype == np.float64
        for t, tau in enumerate(taus):
            np.testing.assert_array_equal(together[t], chain.logits(z, np.array([tau]))[0])
            for r, row in enumerate(z):
                np.testing.assert_array_equal(together[t, r], result(chain, row, float(tau)))


def test_results_do_not_depend_on_the_size_of_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(3).normal(0, 2, (7, 30))
    taus = np.array([0.5, 1.0, 2.0])
    chain = built(LLAMA, ["top_k", "top_p", "xtc", "temperature"], top_k=20, top_p=0.9, xtc_probability=0.5)
    [whole] = distribution_pieces(Block(z), taus, [chain])
    # A piece has one row at a few temperatures, and the last piece has fewer temperatures.
    monkeypatch.setattr(apply_chains, "PIECE_SIZE", 60)
    parts = [piece.probs[:, 0] for piece in distribution_pieces(Block(z), taus, [chain])]
    assert [len(part) for part in parts] == [2, 1] * 7
    np.testing.assert_array_equal(np.concatenate(parts).reshape(7, 3, 30).swapaxes(0, 1), whole.probs)
    monkeypatch.setattr(apply_chains, "PIECE_SIZE", 200)
    pieces = list(distribution_pieces(Block(z), taus, [chain]))
    assert len(pieces) == 4
    np.testing.assert_array_equal(np.concatenate([piece.probs for piece in pieces], axis=1), whole.probs)
    np.testing.assert_array_equal(whole.probs, tsoft.softmax(chain.logits(z, taus)))
    np.testing.assert_array_equal(whole.kept, whole.probs > 0)
    beside = next(iter(distribution_pieces(Block(z), taus[:1], [chain, None])))
    np.testing.assert_array_equal(beside.compared_with[0].probs, whole.probs[:1, :1])
    np.testing.assert_array_equal(beside.compared_with[1].probs, tsoft.softmax(z[:1], taus[:1]))


@pytest.mark.parametrize("engine", [None, *ENGINES])
def test_classes_that_are_removed_early_change_nothing(engine: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later samplers get a wide row without the classes that earlier ones removed."""
    z = np.random.default_rng(6).normal(0, 2, (5, 40))
    rules = [rule for rule in (ENGINES[engine].samplers if engine else SAMPLERS.values()) if not rule.needs_history]
    names = [sampler.name for sampler in rules]
    names.sort(key=lambda name: (name != "logit_bias", name != "top_k"))
    sampler_values = {
        parameter.name: 0.8
        for sampler in rules
        for parameter in sampler.parameters
        if parameter.name not in ("tau", "logit_bias")
    }
    sampler_values |= {"top_k": 9, "min_p": 0.01, "xtc_probability": 0.5, "xtc_threshold": 0.1, "top_n_sigma": 2.0}
    sampler_values |= {"epsilon_cutoff": 0.001, "eta_cutoff": 0.001, "top_a": 0.01}
    chain = built(engine, [name for name in names if name != "logit_bias"], **sampler_values)
    biases = Step(SAMPLERS["logit_bias"], (((3, 4.0), (5, -inf)),))
    taus = np.array([0.7, 1.3])
    for steps in ((biases, *chain.steps), (*chain.steps[:2], biases, *chain.steps[2:])):
        both = []
        for wide in (4096, 3):
            monkeypatch.setattr(mixture, "WIDE_ROW", wide)
            both.append(Chain(steps, chain.engine).logits(z, taus))
        np.testing.assert_array_equal(both[0] > -inf, both[1] > -inf)
        np.testing.assert_allclose(tsoft.softmax(both[0]), tsoft.softmax(both[1]), rtol=1e-12)
        stages = [stage.kept.tolist() for stage in explain(Chain(steps).at(0.7), z[0])]
        monkeypatch.setattr(mixture, "WIDE_ROW", 4096)
        assert stages == [stage.kept.tolist() for stage in explain(Chain(steps).at(0.7), z[0])]


def shares(z: Any) -> Row:
    """Return the probabilities, with an exact sum."""
    terms = np.exp(np.asarray(z) - np.max(z)).tolist()
    return [term / fsum(terms) for term in terms]


@given(st.one_of(PLAIN, TIED), ORDERS, SETTINGS, st.sampled_from([0.5, 1.0, 2.0]))
def test_the_explanation_by_brute_force(row: Row, order: list[str], values: dict[str, Any], tau: float) -> None:
    """Apply each step to every branch that XTC creates."""
    chain = built(None, order, **values)
    assume(chain.steps)
    stages = explain(chain.at(tau), np.array(row))
    assert [str(stage.step) for stage in stages] == [str(step) for step in chain.at(tau)]
    branches = [(1.0, np.array(row))]
    mixture = shares(row)
    removing_step = dict.fromkeys(range(len(row)), -1)
    for number, (stage, step) in enumerate(zip(stages, chain.at(tau), strict=True)):
        chance = step.values[0] if step.sampler.at_random else 1.0
        after, cut = [], 0.0
        for weight, z in branches:
            logits = apply_step(step, z)
            cut += weight * chance * fsum(p for p, x in zip(shares(z), logits, strict=True) if x == -inf)
            after += [(weight * (1 - chance), z)] * (chance < 1) + [(weight * chance, logits)]
        branches, before = after, mixture
        mixture = [fsum(w * p for w, p in zip([w for w, _ in branches], ps, strict=True)) for ps in by_class(branches)]
        removed = [i for i in range(len(row)) if before[i] > 0 and mixture[i] == 0]
        assert kept(np.log(mixture, where=np.array(mixture) > 0, out=np.full(len(row), -inf))) == kept(
            np.where(stage.kept, 0, -inf)
        )
        assert {*stage.removed.tolist()} == {*removed}
        assert all(before[i] >= before[j] - 1e-12 for i, j in zip(stage.removed, stage.removed[1:], strict=False))
        assert stage.cut == pytest.approx(cut, abs=1e-12)
        assert stage.entropy == pytest.approx(-fsum(p * log(p) for p in mixture if p), abs=1e-11)
        assert mixture[stage.top] == pytest.approx(max(mixture), rel=1e-11)
        removing_step |= dict.fromkeys(removed, number)
    assert removed_by(stages, len(row)).tolist() == [removing_step[i] for i in range(len(row))]
    # The masks of the input do not count as removed by a step.
    assert all(removing_step[i] == -1 for i, x in enumerate(row) if x == -inf)


def by_class(branches: list[tuple[float, Any]]) -> list[tuple[float, ...]]:
    return list(zip(*(shares(z) for _, z in branches), strict=True))


def threshold(name: str, probs: Row, **values: float) -> float:
    """Return the threshold of a chain with a single step."""
    order = list(values)
    [stage] = explain(built(None, [name], **{parameter: values[parameter] for parameter in order}).steps, np.log(probs))
    assert stage.threshold is not None
    assert stage.keeps
    return stage.threshold


def test_thresholds_of_steps() -> None:
    """The threshold is the least probability of a kept class. For top-k it is the last kept probability, for XTC the
    largest, and for typical sampling the largest distance from the entropy.
    """
    entropy = -fsum(p * log(p) for p in FIVE)
    expected = [
        (threshold("min_p", FIVE, min_p=0.3), 0.12),
        (threshold("epsilon_cutoff", FIVE, epsilon_cutoff=0.12), 0.12),
        (threshold("top_a", FIVE, top_a=0.5), 0.08),
        (threshold("top_k", FIVE, top_k=2), 0.3),
        (threshold("top_p", FIVE, top_p=0.72), 0.15),
        (threshold("xtc", FIVE, xtc_probability=1.0, xtc_threshold=0.12), 0.15),
        # -ln .3 is .2 below the entropy, and -ln .15 is .5 above it.
        (threshold("typ_p", FIVE, typical_p=0.2), abs(-log(0.3) - entropy)),
    ]
    for actual, number in expected:
        assert actual == pytest.approx(number, rel=1e-12)
    z = [2.0, 1.0, 0.0, -5.0]
    [stage] = explain([Step(SAMPLERS["top_n_sigma"], (1.0,))], np.array(z))
    assert stage.threshold == pytest.approx(np.exp(2 - np.std(z)) / np.exp(z).sum(), rel=1e-12)
    assert explain([Step(SAMPLERS["temperature"], (0.5, 0.0, 1.0))], np.array(z))[0].threshold is None


def test_the_most_probable_of_several_classes_is_the_first_difference() -> None:
    z = np.array([0.0, 3.0, 1.0, 2.0])
    one, three = (explain(built(None, ["top_k"], top_k=k).steps, z) for k in (1, 3))
    difference = first_difference(three, one, z)
    assert difference is not None
    assert (difference.index, difference.by_first, difference.step) == (3, False, 0)
    assert first_difference(three, three, z) is None


@given(st.one_of(PLAIN, TIED), ORDERS, ORDERS, SETTINGS, SETTINGS)
def test_the_first_difference_between_two_chains(
    row: Row, order: list[str], other_order: list[str], first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Among the classes that only one chain keeps, it is the most probable one."""
    z = np.array(row)
    chained = [built(None, order, **first), built(None, other_order, **second)]
    assume(all(chain.steps for chain in chained))
    explanations: list[list[Stage]] = [explain(chain.at(1.0), z) for chain in chained]
    removals = []
    for index_of_chain in (0, 1):
        for number, stage in enumerate(explanations[index_of_chain]):
            removals += [
                (-row[i], i, number, index_of_chain == 0)
                for i in range(len(row))
                if not stage.kept[i]
                and (number == 0 or explanations[index_of_chain][number - 1].kept[i])
                and row[i] > -inf
                and explanations[1 - index_of_chain][-1].kept[i]
            ]
    difference = first_difference(explanations[0], explanations[1], z)
    if not removals:
        assert difference is None
    else:
        assert difference is not None
        _, index, step, by_first = min(removals)
        assert (difference.step, difference.index, difference.by_first) == (step, index, by_first)
    again = first_difference(explanations[1], explanations[0], z)
    assert (again is None) == (difference is None)
