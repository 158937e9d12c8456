"""The transcriptions of the engines' sampling rules, on cases computed by hand."""

from math import e, exp, log

import numpy as np
import pytest

from cases import each_case
from sampling.transcriptions import (
    flashinfer,
    llama_cpp,
    papers,
    sglang,
)
from sampling.transcriptions.common import History, Row, Settings, fill, kept, quadratic, softmax
from sampling.transcriptions.paths import PATHS

EMPTY = History()


def logits(*probabilities: float) -> Row:
    """The logarithms of probabilities."""
    return np.log(np.array(probabilities, np.float32))


def run(name: str, probabilities: tuple[float, ...], **settings: float | None) -> Row:
    """A path's result for a distribution."""
    return PATHS[name](logits(*probabilities), Settings(**settings), EMPTY)  # type: ignore[arg-type]


def sets(probabilities: tuple[float, ...], names: str, **settings: float | None) -> list[list[int]]:
    """What each of several paths keeps."""
    return [kept(run(name, probabilities, **settings)) for name in names.split()]


@pytest.mark.parametrize(
    ("probabilities", "top_p", "ascending", "flashinfer_set", "sglang_set", "exllamav2_set"),
    [
        ((0.5, 0.3, 0.2), 0.6, [0, 1], [0, 1], [0, 1], [0]),
        ((0.5, 0.3, 0.2), 0.5, [0], [0], [0, 1], [0]),
        ((0.25, 0.25, 0.25, 0.25), 0.5, [2, 3], [0, 1, 2, 3], [0, 1, 2], [2, 3]),
    ],
)
def test_top_p_keeps_in_float32(
    probabilities: tuple[float, ...],
    top_p: float,
    ascending: list[int],
    flashinfer_set: list[int],
    sglang_set: list[int],
    exllamav2_set: list[int],
) -> None:
    p = np.array(probabilities, np.float32)
    for found in sets(probabilities, "transformers vllm_pytorch mlx_lm_d78bf58 text_generation_webui", top_p=top_p):
        assert found == ascending
    for found in sets(probabilities, "vllm_flashinfer sglang_flashinfer mlx_lm_0_32_2", top_p=top_p):
        assert found == flashinfer_set
    assert kept(sglang.filtered(p, Settings(top_p=top_p))) == sglang_set
    assert kept(run("exllamav2", probabilities, top_p=top_p)) == exllamav2_set


def test_llama_cpp_and_others_keep_the_class_that_crosses_top_p() -> None:
    names = "llama_cpp ollama_gguf ollama_mlx koboldcpp tabbyapi exllamav3_1_6_5 vllm_triton vllm_triton_rule"
    assert sets((0.5, 0.3, 0.2), names, top_p=0.6) == [[0, 1]] * 8
    assert kept(run("exllamav3_1_4_1", (0.5, 0.3, 0.2), top_p=0.6)) == [0]
    assert sets((0.5, 0.3, 0.2), names, top_p=0.5) == [[0]] * 8


def test_koboldcpp_tail_free_keeps_one_class_less() -> None:
    # Both second differences are 0.05, so that the first reaches half of their sum, and the second all of it.
    found = sets((0.5, 0.3, 0.15, 0.05), "exllamav2 text_generation_webui koboldcpp", tfs=0.7)
    assert found == [[0, 1], [0, 1], [0]]


def test_exllamav2_top_p_keeps_a_later_class_that_fits() -> None:
    assert kept(run("exllamav2", (0.5, 0.35, 0.15), top_p=0.7)) == [0, 2]


def test_exllamav2_min_p_takes_in_what_comes_after_the_candidates() -> None:
    # Top-k leaves 0.5, 0.4 as 5/9, 4/9 in front of what the third place had before, which is the first of them.
    found = run("exllamav2", (0.1, 0.4, 0.5), top_k=2, min_p=0.5)
    assert found == pytest.approx([0, 4 / 9 / 1.5, (5 / 9 + 0.5) / 1.5])
    assert kept(run("exllamav2", (0.5, 0.3, 0.15, 0.05), top_k=3, min_p=0.01)) == [0, 1, 2, 3]


def test_exllamav3_weighs_ties_at_the_crossing() -> None:
    assert run("exllamav3_1_6_5", (0.4, 0.2, 0.2, 0.2), top_p=0.7) == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6])
    assert kept(run("exllamav3_1_4_1", (0.4, 0.2, 0.2, 0.2), top_p=0.7)) == [0]


def test_exllamav3_step_by_step_keeps_the_lowest_ids() -> None:
    # With min-p, TabbyAPI's order is not that of the fused kernel.
    assert kept(run("tabbyapi", (0.4, 0.2, 0.2, 0.2), top_k=2)) == [0, 1, 2, 3]
    assert kept(run("tabbyapi", (0.4, 0.2, 0.2, 0.2), top_k=2, min_p=0.1)) == [0, 1]


def test_triton_kernels_may_keep_other_classes_of_a_tie() -> None:
    assert sets((0.25,) * 4, "vllm_triton vllm_triton_rule", top_p=0.5) == [[0, 1, 2, 3], [0, 1]]
    assert sets((0.25,) * 4, "vllm_triton vllm_triton_rule", top_k=2) == [[0, 1, 2, 3], [0, 1]]
    assert sets((0.4, 0.3, 0.15, 0.15), "vllm_triton vllm_triton_rule", top_k=3) == [[0, 1], [0, 1, 2]]
    assert sets((0.3, 0.2, 0.2, 0.2, 0.1), "vllm_triton vllm_triton_rule", top_k=2) == [[0, 1], [0, 1]]


def test_sglang_does_not_renormalize_between_top_k_and_top_p() -> None:
    names = "vllm_flashinfer vllm_pytorch sglang_flashinfer sglang_pytorch"
    assert sets((0.4, 0.3, 0.2, 0.1), names, top_k=2, top_p=0.5) == [[0], [0], [0, 1], [0, 1]]
    assert kept(run("sglang_flashinfer", (0.4, 0.3, 0.2, 0.1), top_k=2, top_p=0.5, min_p=0.01)) == [0]
    assert kept(flashinfer.joint(np.array([0.4, 0.2, 0.2, 0.2], np.float32), 2, 0.9)) == [0, 1, 2, 3]


def test_engines_are_greedy_at_0_and_some_just_above() -> None:
    p = (0.4, 0.4, 0.2)
    names = "llama_cpp koboldcpp vllm_pytorch sglang_pytorch mlx_lm_0_32_2 exllamav2 exllamav3_1_6_5 ollama_mlx"
    assert sets(p, names, temperature=0) == [[0]] * 8
    assert sets(p, "vllm_pytorch sglang_pytorch exllamav2", temperature=5e-7) == [[0, 1, 2], [0], [0]]
    assert sets(p, "sglang_pytorch exllamav2", temperature=0.009) == [[0, 1, 2], [0]]
    assert run("vllm_pytorch", (0.6, 0.4), temperature=0.001) == pytest.approx(softmax(logits(0.6, 0.4) * 100))
    with pytest.raises(ValueError, match="temperature 0"):
        run("transformers", p, temperature=0)


@each_case("name", PATHS)
def test_a_setting_that_an_engine_lacks_is_refused(name: str) -> None:
    lacking = "top_h" if name != "transformers" else "top_a"
    with pytest.raises(NotImplementedError, match=lacking):
        PATHS[name](logits(0.5, 0.5), Settings(**{lacking: 0.5}), EMPTY)  # type: ignore[arg-type]


def test_fill_adds_defaults_where_the_request_sets_nothing() -> None:
    assert fill(Settings(top_k=5), llama_cpp.DEFAULTS) == Settings(temperature=0.8, top_k=5, top_p=0.95, min_p=0.05)


Z = np.array([2, 0.5, -2, 1], np.float32)
# Token 0 twice in the prompt, then tokens 2, 2 and 1.
TALK = History((0, 0, 2, 2, 1), 2)


@each_case(
    ("name", "expected"),
    [
        # Repetition penalty 2, presence 0.5, frequency 0.25.
        ("llama_cpp", [1 - 1, 0.25 - 0.75, -4 - 1, 1]),
        ("mlx_lm_0_32_2", [1 - 1, 0.25 - 0.75, -4 - 1, 1]),
        ("exllamav2", [1 - 1, 0.25 - 0.75, -4 - 1, 1]),
        ("exllamav3_1_6_5", [1 - 1, 0.25 - 0.75, -4 - 1, 1]),
        ("tabbyapi", [1 - 1, 0.25 - 0.75, -4 - 1, 1]),
        ("ollama_mlx", [1 - 1, 0.25 - 0.75, -4 - 1, 1]),
        ("text_generation_webui", [1 - 1, 0.25 - 0.75, -4 - 1, 1]),
        ("vllm_pytorch", [1, 0.25 - 0.75, -4 - 1, 1]),
        # Additive penalties first, so that 0.5 becomes −0.25, and is multiplied.
        ("sglang_pytorch", [2, (0.5 - 0.75) * 2, (-2 - 1) * 2, 1]),
    ],
)
def test_penalties_cover_the_text_or_the_output_alone(name: str, expected: list[float]) -> None:
    settings = Settings(repetition_penalty=2, presence_penalty=0.5, frequency_penalty=0.25)
    assert PATHS[name](Z, settings, TALK) == pytest.approx(softmax(np.array(expected)), rel=1e-5)


def test_transformers_penalizes_each_token_once() -> None:
    found = PATHS["transformers"](Z, Settings(repetition_penalty=2), TALK)
    assert found == pytest.approx(softmax(np.array([1, 0.25, -4, 1])), rel=1e-5)


def test_koboldcpp_penalizes_the_older_half_by_the_slope() -> None:
    settings = Settings(repetition_penalty=2, repetition_slope=0.5, presence_penalty=0.5, penalty_last_n=4)
    found = PATHS["koboldcpp"](Z, settings, TALK)
    # The window is 0, 2 | 2, 1: token 0 has 1.5, tokens 1 and 2 have 2.
    assert found == pytest.approx(softmax(np.array([2 / 1.5 - 0.5, 0.25 - 0.5, -4 - 0.5, 1])), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "window"), [("llama_cpp", 64), ("ollama_mlx", 64), ("mlx_lm_0_32_2", 20), ("koboldcpp", 320)]
)
def test_penalties_reach_back_by_the_default_number_of_tokens(name: str, window: int) -> None:
    settings = Settings(presence_penalty=1)
    inside, outside = History((0,) + (1,) * (window - 1)), History((0,) + (1,) * window)
    assert PATHS[name](Z, settings, inside) == pytest.approx(softmax(Z - np.array([1, 1, 0, 0])), rel=1e-5)
    assert PATHS[name](Z, settings, outside) == pytest.approx(softmax(Z - np.array([0, 1, 0, 0])), rel=1e-5)


# a b c c b c y a b c, the example in llama.cpp's source: a c would continue 3 tokens, a y 2, a b 1.
A, B, C, Y = range(4)
REPEATED = History((A, B, C, C, B, C, Y, A, B, C))
ZERO = np.zeros(4, np.float32)


@pytest.mark.parametrize(
    ("breakers", "charges"),
    [
        ((), {"llama_cpp": (0, 0, 2, 1), "koboldcpp": (0, 0, 2, 1), "text_generation_webui": (0, 0, 2, 1)}),
        # y limits matches to the 3 tokens after it, and is exempt in llama.cpp, but not in KoboldCpp.
        (((Y,),), {"llama_cpp": (0, 0, 2, 0), "koboldcpp": (0, 0, 2, 1), "text_generation_webui": (0, 0, 2, 0)}),
        # The limit is 2, which KoboldCpp does not accept. In text-generation-webui, a match ends before the breaker.
        (((A,),), {"llama_cpp": (0, 0, 1, 1), "koboldcpp": (0, 0, 0, 0), "text_generation_webui": (0, 0, 1, 1)}),
        # After a breaker, there is nothing to continue.
        (((C,),), {"llama_cpp": (0, 0, 0, 0), "koboldcpp": (0, 0, 0, 0), "text_generation_webui": (0, 0, 0, 0)}),
    ],
)
def test_dry_ends_a_match_at_a_breaker(
    breakers: tuple[tuple[int, ...], ...], charges: dict[str, tuple[int, ...]]
) -> None:
    settings = Settings(dry_multiplier=1, dry_base=2, dry_allowed_length=2, dry_breakers=breakers)
    for name, charge in charges.items():
        assert PATHS[name](ZERO, settings, REPEATED) == pytest.approx(softmax(-np.array(charge))), name
    assert PATHS["exllamav3_1_6_5"](ZERO, settings, REPEATED) == pytest.approx(softmax(-np.array(charges["llama_cpp"])))


def test_dry_ends_a_match_after_a_breaker_of_several_tokens() -> None:
    settings = Settings(dry_multiplier=1, dry_base=2, dry_allowed_length=2, dry_breakers=((Y, A),))
    # The breaker begins 3 tokens before the last one and has one more token, so a match is limited to 2.
    assert PATHS["llama_cpp"](ZERO, settings, REPEATED) == pytest.approx(softmax(-np.array([0, 0, 1, 1])))


def test_dry_exponent_is_clamped() -> None:
    # 88.72 / ln 2 rounds to 128, for which the power is too large.
    assert llama_cpp.dry_penalty(1, 2, 1000) == np.inf
    assert llama_cpp.dry_penalty(1, 10, 1000) == np.float32(1e38)
    assert llama_cpp.dry_penalty(3, 1, 1000) == 3


def test_mirostat_2_keeps_classes_up_to_its_limit() -> None:
    p = (0.5, 0.25, 0.125, 0.125)
    for name in ("llama_cpp_mirostat_v2", "koboldcpp_mirostat_v2", "text_generation_webui"):
        assert run(name, p, mirostat_tau=3, mirostat_mu=2.5) == pytest.approx([2 / 3, 1 / 3, 0, 0])
        assert kept(run(name, p, mirostat_tau=3, mirostat_mu=0.5)) == [0]
        # Without a draw before, μ is twice the target.
        assert kept(run(name, p, mirostat_tau=1.2)) == [0, 1]
    assert llama_cpp.mirostat_update(2, 1.5, 0.1, 0.5) == pytest.approx(2 + 0.05)


def test_adaptive_p_moves_away_from_the_mean() -> None:
    for name in ("llama_cpp", "koboldcpp", "exllamav3_1_6_5", "tabbyapi", "text_generation_webui"):
        assert run(name, (0.8, 0.2), adaptive_target=0.5) == pytest.approx([0.5, 0.5]), name
        # The mean so far is 0.7, so the target is 0.3; the distances are 5/3 and 1/3.
        found = run(name, (0.8, 0.2), adaptive_target=0.5, adaptive_mean=0.7)
        assert log(found[1] / found[0]) == pytest.approx(250 / 9 / (8 / 3) - 10 / 9 / (4 / 3), rel=1e-4), name
    assert llama_cpp.adaptive_update(5, 10, 0.9, 0.4) == (0.4 + 4.5, 1 + 9)


def test_koboldcpp_adaptive_p_brings_back_what_xtc_lowers() -> None:
    settings = {"adaptive_target": 0.5, "xtc_probability": 1.0, "xtc_threshold": 0.2}
    assert kept(run("llama_cpp", (0.5, 0.3, 0.2), **settings)) == [2]
    assert kept(run("koboldcpp", (0.5, 0.3, 0.2), **settings)) == [0, 1, 2]


def test_xtc_gives_the_mixture_of_both_cases() -> None:
    names = "llama_cpp koboldcpp mlx_lm_0_32_2 tabbyapi text_generation_webui"
    for name in names.split():
        found = run(name, (0.5, 0.3, 0.2), xtc_probability=0.5, xtc_threshold=0.25)
        assert found == pytest.approx([0.25, 0.15 + 0.3, 0.1 + 0.2], rel=1e-5), name
    sorted_first = run("exllamav2", (0.5, 0.3, 0.15, 0.05), top_k=3, xtc_probability=1, xtc_threshold=0.25)
    assert kept(sorted_first) == [1, 2]


def test_a_smoothing_curve_above_3_lifts_classes_over_the_top() -> None:
    z = np.array([0, -0.25, -1], np.float32)
    assert quadratic(z, 1, 1) == pytest.approx([0, -0.0625, -1])
    assert quadratic(z, 1, 3) == pytest.approx([0, -1 / 64, -1])
    # For a curve over 3, a class near the top exceeds the old maximum.
    assert quadratic(z, 1, 5) == pytest.approx([0, 1 / 16 - 2 / 64, 1 - 2])


def test_p_less_and_edt_follow_their_papers() -> None:
    p = logits(0.5, 0.3, 0.2)
    assert kept(papers.p_less(p)) == [0]
    assert kept(papers.p_less_norm(p)) == [0, 1, 2]
    assert kept(papers.p_less(logits(0.5, 0.5))) == [0, 1]
    # With θ equal to the entropy, the temperature is 0.8.
    theta = -(0.9 * log(0.9) + 0.1 * log(0.1))
    found = papers.edt(logits(0.9, 0.1), 1, theta)
    assert found[0] / found[1] == pytest.approx(9 ** (1 / 0.8), rel=1e-4)
    assert papers.edt(np.array([0, -np.inf], np.float32), 1, 1) == pytest.approx([1, 0])
    assert papers.adaptive_temperature(logits(0.95, 0.05)) == pytest.approx([0.95, 0.05], rel=1e-5)


def test_adaptive_temperature_sharpens_a_high_entropy() -> None:
    z = np.array([1] + [0] * 9, np.float32)
    weights = np.array([e] + [1.0] * 9) / (e + 9)
    beta = np.polyval([-0.037, 0.481, -2.3, 4.917, -1.791], -(weights * np.log(weights)).sum())
    found = papers.adaptive_temperature(z)
    assert found[0] / found[1] == pytest.approx(exp(beta), rel=1e-4)
