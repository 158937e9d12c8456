"""The table of engines: a row for each path through the code of each engine.

A sampler whose rule differs from tsoft's has its function in `engine_cutoffs`, `engine_samplers` or
`engine_penalties`. An engine's default for a parameter that modifies a sampler is the `off` of its own copy of the
parameter. The module imports no numpy, because completion reads it.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from math import inf, log

from tsoft.sampling.engine import Caveat, Engine, EngineApi, EngineSource, Limit, LowTemperature, Variant
from tsoft.sampling.sampler_table import SAMPLERS, Sampler, SamplerParameter

__all__ = ["DEFAULT_ENGINES", "ENGINES", "Engine", "paths_of"]


def _sampler(name: str, path: str | None = None, *parameters: str, **off: float) -> Sampler:
    """Return a sampler of the table with the function at `path`, with the parameters of these names only, and with
    other values for parameters that are not set.

    Without names, it has all parameters, but the temperature is not dynamic.
    """
    sampler = SAMPLERS[name]
    names = parameters or (["tau"] if name == "temperature" else [one.name for one in sampler.parameters])
    kept = {one.name: _with_off(one, off) for one in sampler.parameters}
    switches = sum(one.name in names for one in sampler.switch_parameters)
    return replace(
        sampler,
        path=path or sampler.path,
        # The path of tsoft's rule would be wrong for another one.
        unshifted_path="" if path else sampler.unshifted_path,
        parameters=tuple(kept[one] for one in names),
        switches=max(switches, 1),
    )


def _temperature_or_top(*parameters: str) -> Sampler:
    """Return the temperature that keeps only the first of the most probable classes at 0."""
    sampler = _sampler("temperature", "engine_samplers.temperature_or_top", *parameters)
    return replace(sampler, unshifted_path="engine_samplers.unshifted_temperature_or_top")


def _with_off(parameter: SamplerParameter, off: Mapping[str, float]) -> SamplerParameter:
    return replace(parameter, off=off[parameter.name]) if parameter.name in off else parameter


def _samplers(*samplers: "str | Sampler") -> tuple[Sampler, ...]:
    """Return samplers, of which a name stands for that of tsoft."""
    return tuple(_sampler(sampler) if isinstance(sampler, str) else sampler for sampler in samplers)


def _singly(names: str) -> tuple[tuple[str, ...], ...]:
    """Return a group for each name."""
    return tuple((name,) for name in names.split())


# How tsoft's rules were compared with the code of an engine.
_RUN = "checked against the code"
_READ = "checked against a transcription only"

_ALL_PENALTIES = ("repetition_penalty", "presence_penalty", "frequency_penalty")
_DYNAMIC = ("tau", "dynatemp_range", "dynatemp_exponent")

_TRANSFORMERS = Engine(
    "transformers",
    EngineSource("transformers 5.24.0", "2026", "generation/logits_process.py", _RUN),
    _samplers(
        "logit_bias",
        _sampler("penalties", "engine_penalties.repetition_only", "repetition_penalty"),
        "temperature",
        "top_h",
        _sampler("top_k", "engine_cutoffs.top_k_and_ties"),
        "top_p",
        "min_p",
        _sampler("typ_p", "engine_cutoffs.typical_and_ties"),
        _sampler("epsilon_cutoff", "engine_cutoffs.epsilon_cutoff_below_1"),
        _sampler("eta_cutoff", "engine_cutoffs.eta_cutoff_below_1"),
    ),
    LowTemperature(0.0, "refuses temperature 0; tsoft shows its greedy decoding (do_sample=False), without samplers"),
    EngineApi(
        "none; generate() returns raw logits and processed scores on request",
        (("tau", 1.0), ("top_k", 50.0)),
        "without do_sample=True, decoding is greedy; the model's generation_config.json can override this",
    ),
)

_LLAMA_PENALTIES = _sampler("penalties", penalty_last_n=64.0)
_COUNTS_MASKED = "a masked class counts, too; tsoft ignores it"
# The engine multiplies the probability 0 by the logarithm of 0. Numbers up to 2^-150 are 0 in float32.
_UNDEFINED_TYPICAL = Caveat(
    ("typ_p",),
    "a class with a probability of 0 in float32 makes the result undefined; tsoft ignores it",
    log(2.0**-150),
)
_LLAMA_MASKING = ("logit_bias", "top_n_sigma")
_LLAMA_CPP = Engine(
    "llama.cpp",
    EngineSource("llama.cpp 0c1e57098", "2026", "src/llama-sampler.cpp; its server's order", _RUN),
    _samplers(
        "logit_bias",
        _LLAMA_PENALTIES,
        _sampler("dry", dry_penalty_last_n=64.0),
        "top_n_sigma",
        "top_k",
        _sampler("typ_p", "engine_cutoffs.typical_exceeding"),
        _sampler("top_p", "engine_cutoffs.top_p_from_above"),
        _sampler("min_p", "engine_cutoffs.min_p_of_logits"),
        "xtc",
        _temperature_or_top(*_DYNAMIC),
        "mirostat",
        "adaptive_p",
    ),
    LowTemperature(),
    EngineApi(
        "from before the samplers; with post_sampling_probs, from after them",
        (("tau", 0.8), ("top_k", 40.0), ("top_p", 0.95), ("min_p", 0.05)),
        "a GGUF model can override this (general.sampling), which --settings MODEL.gguf reads",
    ),
    (
        Variant(
            ("mirostat",),
            _samplers("logit_bias", _temperature_or_top(), "mirostat"),
        ),
    ),
    movable=_singly("penalties dry top_n_sigma top_k typ_p top_p min_p xtc temperature"),
    caveats=(
        _UNDEFINED_TYPICAL,
        Caveat(("dynatemp_range",), _COUNTS_MASKED, -inf),
    ),
    masking=_LLAMA_MASKING,
)

_OLLAMA_DEFAULTS = (("tau", 0.8), ("top_k", 40.0), ("top_p", 0.9))
_OLLAMA_NOTE = "the Modelfile can override this; its OpenAI endpoint has temperature 1 and top_p 1"
_OLLAMA_GGUF = Engine(
    "ollama@gguf",
    EngineSource(
        "Ollama fb30760",
        "2026-08",
        "llm/llama_server.go, api/types.go",
        "as llama.cpp",
        path="GGUF models, by llama.cpp's server",
    ),
    _samplers(
        _LLAMA_PENALTIES,
        "top_k",
        _sampler("typ_p", "engine_cutoffs.typical_exceeding"),
        _sampler("top_p", "engine_cutoffs.top_p_from_above"),
        _sampler("min_p", "engine_cutoffs.min_p_of_logits"),
        _temperature_or_top(),
    ),
    LowTemperature(),
    EngineApi("from before the samplers", _OLLAMA_DEFAULTS, _OLLAMA_NOTE),
    caveats=(_UNDEFINED_TYPICAL,),
)

_OLLAMA_MLX = Engine(
    "ollama@mlx",
    EngineSource("Ollama fb30760", "2026-08", "x/mlxrunner/sample/sample.go", _READ, path="models of the MLX runner"),
    _samplers(_LLAMA_PENALTIES, "top_k", "temperature", _sampler("top_p", "engine_cutoffs.top_p_or_all"), "min_p"),
    LowTemperature(0.0, "decodes greedily at temperature 0, without samplers"),
    EngineApi("from before the samplers", _OLLAMA_DEFAULTS, _OLLAMA_NOTE),
)


_VLLM_PENALTIES = replace(
    _sampler("penalties", "engine_penalties.output_only_after_repetition", *_ALL_PENALTIES),
    output_only=("presence_penalty", "frequency_penalty"),
)


def _vllm(path: str, source: EngineSource, *samplers: "str | Sampler") -> Engine:
    """Return the row of a path of vLLM, which has these `samplers` after the temperature."""
    return Engine(
        f"vllm@{path}",
        source,
        _samplers(
            "logit_bias",
            _VLLM_PENALTIES,
            "temperature",
            *samplers,
        ),
        # sampling_params.py raises the temperature before it tests for greedy decoding.
        LowTemperature(0.0, "decodes greedily at temperature 0, without samplers", min_tau=0.01),
        EngineApi(
            "from before the samplers, unless --logprobs-mode says otherwise",
            (("tau", 1.0),),
            "the model's generation_config.json can override this",
            # sampling_params.py: _verify_args.
            (
                Limit("tau", 0.0, 2.0),
                Limit("top_p", 0.0, 1.0, exclusive_low=True),
                Limit("presence_penalty", -2.0, 2.0),
                Limit("frequency_penalty", -2.0, 2.0),
            ),
            bias_range=(-100.0, 100.0),
        ),
    )


_VLLM = (
    _vllm(
        "flashinfer",
        EngineSource(
            "vLLM 0.33.0",
            "2026",
            "v1/sample/ops/topk_topp_sampler.py, FlashInfer 0.7.2",
            _READ,
            path="the default with CUDA, without a seed and without processed logprobs",
        ),
        _sampler("min_p", "engine_cutoffs.min_p_of_logits"),
        _sampler("top_k", "engine_cutoffs.top_k_and_ties"),
        _sampler("top_p", "engine_cutoffs.top_p_and_ties"),
    ),
    _vllm(
        "triton",
        EngineSource(
            "vLLM 0.33.0",
            "2026",
            "v1/sample/ops/topk_topp_triton.py",
            f"{_RUN}, not on a GPU",
            path="GPUs with Triton, without FlashInfer; of classes that tie, its kernels may keep others, or more",
        ),
        _sampler("min_p", "engine_cutoffs.min_p_of_logits"),
        "top_k",
        "top_p",
    ),
    _vllm(
        "pytorch",
        EngineSource(
            "vLLM 0.33.0",
            "2026",
            "v1/sample/ops/topk_topp_sampler.py",
            _RUN,
            path="CPUs, or without Triton",
        ),
        "min_p",
        _sampler("top_k", "engine_cutoffs.top_k_and_ties"),
        "top_p",
    ),
)


_SGLANG_PENALTIES = replace(
    _sampler("penalties", "engine_penalties.output_only_before_repetition", *_ALL_PENALTIES),
    output_only=_ALL_PENALTIES,
)


def _sglang(path: str, source: EngineSource, *samplers: "str | Sampler", variants: tuple[Variant, ...] = ()) -> Engine:
    """Return the row of a path of SGLang, which has these `samplers` after the temperature."""
    return Engine(
        f"sglang@{path}",
        source,
        _samplers(_SGLANG_PENALTIES, "logit_bias", "temperature", *samplers),
        LowTemperature(1e-6, "replaces a temperature below 1e-06 with temperature 1 and top_k 1"),
        EngineApi(
            "after the temperature, before the samplers; from before both if all requests of a batch are greedy",
            (("tau", 1.0),),
            "the model's generation_config.json can override this",
            # sampling_params.py: verify.
            (
                Limit("tau", 0.0, sys.float_info.max),
                Limit("top_p", 0.0, 1.0, exclusive_low=True),
                Limit("repetition_penalty", 0.0, 2.0, exclusive_low=True),
                Limit("presence_penalty", -2.0, 2.0),
                Limit("frequency_penalty", -2.0, 2.0),
            ),
        ),
        variants,
    )


_SGLANG = (
    _sglang(
        "flashinfer",
        EngineSource(
            "SGLang 0.5.23",
            "2026",
            "srt/layers/sampler.py, FlashInfer 0.7.2",
            _READ,
            path="the default where FlashInfer is available",
        ),
        # The kernel tests both conditions on the same probabilities: top-p does not renormalize them after top-k.
        _sampler("top_p", "engine_cutoffs.top_p_and_ties"),
        _sampler("top_k", "engine_cutoffs.top_k_and_ties_above_1"),
        "min_p",
        variants=(
            Variant(
                ("min_p",),
                _samplers(
                    _SGLANG_PENALTIES,
                    "logit_bias",
                    "temperature",
                    _sampler("top_k", "engine_cutoffs.top_k_and_ties_above_1"),
                    _sampler("top_p", "engine_cutoffs.top_p_and_ties"),
                    "min_p",
                ),
            ),
        ),
    ),
    _sglang(
        "pytorch",
        EngineSource(
            "SGLang 0.5.23",
            "2026",
            "srt/layers/sampler.py",
            _RUN,
            path="deterministic inference, or without FlashInfer",
        ),
        # All three use the same sorted probabilities: top-p does not renormalize them after top-k.
        _sampler("top_p", "engine_cutoffs.top_p_and_equal"),
        "top_k",
        "min_p",
    ),
)


_SPARES_LINE_BREAKS = "it spares line breaks and special tokens, which tsoft does not compute"


def _mlx_lm(version: str, source: EngineSource, top_p: str) -> Engine:
    """Return the row of a version of mlx-lm, of which `top_p` is the path of the function."""
    return Engine(
        f"mlx-lm@{version}",
        source,
        _samplers(
            "logit_bias",
            _sampler("penalties", "engine_penalties.whole_text_at_0", penalty_last_n=20.0),
            _sampler("top_p", top_p),
            _sampler("min_p", "engine_cutoffs.min_p_of_logits"),
            _sampler("xtc", "engine_cutoffs.xtc_above"),
            "top_k",
            "temperature",
        ),
        LowTemperature(0.0, "decodes greedily at temperature 0, without samplers"),
        EngineApi(
            "after the penalties and biases, before the samplers",
            (("tau", 0.0),),
            # apply_xtc.
            limits=(Limit("xtc_threshold", 0.0, 0.5),),
        ),
        caveats=(Caveat(("xtc",), _SPARES_LINE_BREAKS),),
    )


_MLX_LM = (
    _mlx_lm(
        "0.32.2",
        EngineSource("mlx-lm 0.32.2", "2026", "mlx_lm/sample_utils.py", _RUN),
        "engine_cutoffs.top_p_and_ties_or_all",
    ),
    _mlx_lm(
        "0.32.0",
        EngineSource(
            "mlx-lm d78bf58 (0.32.0)",
            "2026-08",
            "mlx_lm/sample_utils.py",
            _RUN,
            path="versions before 0.32.1; before 0.32.0, the default xtc_threshold is 0",
        ),
        "engine_cutoffs.top_p_unguarded",
    ),
)

_MAY_KEEP_ONE_MORE = "its loop may keep one class too many, which tsoft does not compute"


def _exllamav2_samplers(top_p: str) -> tuple[Sampler, ...]:
    """Return ExLlamaV2's samplers with the function at the path `top_p`."""
    return _samplers(
        "penalties",
        "logit_bias",
        _sampler("smoothing", None, "smoothing_factor"),
        "temperature",
        "top_k",
        _sampler("top_p", top_p),
        "top_a",
        _sampler("min_p", "engine_cutoffs.min_p_below_1"),
        _sampler("tfs", "engine_cutoffs.tail_free_exllamav2"),
        _sampler("typ_p", "engine_cutoffs.typical_exllamav2"),
        "mirostat",
        "xtc",
    )


_EXLLAMAV2 = Engine(
    "exllamav2",
    EngineSource("ExLlamaV2 da07fac", "2025-12", "exllamav2_ext/ext_sampling.cpp", _RUN),
    _exllamav2_samplers("engine_samplers.top_p_fitting"),
    LowTemperature(0.01, "replaces a temperature below 0.01 with temperature 1 and top_k 1"),
    EngineApi("after the samplers", (("repetition_penalty", 1.025), ("tau", 0.8), ("top_k", 50.0), ("top_p", 0.8))),
    # top_k sorts the classes.
    variants=(Variant(("top_k",), _exllamav2_samplers("engine_samplers.top_p_fitting_descending")),),
    caveats=(
        Caveat(("min_p",), _MAY_KEEP_ONE_MORE),
        Caveat(("top_a",), _MAY_KEEP_ONE_MORE),
        Caveat(("xtc",), _SPARES_LINE_BREAKS),
        # sampling.cpp, xtc_cpu: temp_probs[i + 1] and i != min_prob.
        Caveat(("xtc",), "it compares the probability of the next class in its list; tsoft computes the intended rule"),
    ),
)


# The kernel's min-p compares logits, and its cutoffs keep ties; the single steps do neither.
_EXLLAMAV3_ADAPTIVE = _sampler("adaptive_p", "engine_samplers.adaptive_p_from_1e_8", adaptive_target=1.0)
_EXLLAMAV3_PENALTIES = _sampler("penalties")


def _exllamav3(version: str, source: EngineSource, dry: tuple[Sampler, ...], top_p: str, single_top_p: str) -> Engine:
    """Return the row of a version of ExLlamaV3, of which `top_p` and `single_top_p` are the paths of the functions in
    its fused kernel and as a single step."""
    start = _samplers("logit_bias", _EXLLAMAV3_PENALTIES, *dry, "temperature")
    return Engine(
        f"exllamav3@{version}",
        source,
        _samplers(
            *start,
            _sampler("min_p", "engine_cutoffs.min_p_of_logits"),
            _sampler("top_k", "engine_cutoffs.top_k_and_ties_above_1"),
            _sampler("top_p", top_p),
            _EXLLAMAV3_ADAPTIVE,
        ),
        LowTemperature(0.0, "decodes greedily at temperature 0, without samplers"),
        EngineApi(
            "from before the penalties and samplers",
            (("tau", 1.0),),
            "this is ComboSampler's default; a job without a sampler applies min_p 0.08, then temperature 0.8, an order"
            " that tsoft lacks",
            breakers=tuple('.,!?<>[](){}\n\t"'),
        ),
        (
            Variant(
                ("adaptive_p",),
                _samplers(*start, "min_p", "top_k", _sampler("top_p", single_top_p), _EXLLAMAV3_ADAPTIVE),
            ),
        ),
    )


_EXLLAMAV3_FILES = "generator/sampler/custom.py, presets.py; ComboSampler"
_EXLLAMAV3 = (
    _exllamav3(
        "1.6.5",
        EngineSource("ExLlamaV3 1.6.5", "2026", _EXLLAMAV3_FILES, f"single steps {_RUN}; the kernel {_READ}"),
        (_sampler("dry", "engine_penalties.dry_whole_text_at_0"),),
        "engine_samplers.top_p_sharing",
        "cutoffs.top_p",
    ),
    _exllamav3(
        "1.4.1",
        EngineSource(
            "ExLlamaV3 4f8ad01",
            "2026-08",
            _EXLLAMAV3_FILES,
            f"single steps {_RUN}; the kernel {_READ}",
            path="version 1.4.1",
        ),
        (),
        "engine_cutoffs.top_p_below",
        "engine_cutoffs.top_p_within",
    ),
)


_TABBY_START = ("logit_bias", _EXLLAMAV3_PENALTIES, "temperature")
_TABBY_ADAPTIVE = _samplers(
    *_TABBY_START,
    "top_k",
    "top_p",
    "min_p",
    _sampler("xtc"),
    _EXLLAMAV3_ADAPTIVE,
)
_TABBYAPI = Engine(
    "tabbyapi",
    EngineSource("TabbyAPI e632af4", "2026-08", "backends/exllamav3/sampler.py; on ExLlamaV3 1.6.5", "as ExLlamaV3"),
    # A stack without min-p, or with min-p alone, runs in ExLlamaV3's kernel.
    _samplers(
        *_TABBY_START,
        _sampler("top_k", "engine_cutoffs.top_k_and_ties_above_1"),
        _sampler("top_p", "engine_samplers.top_p_sharing"),
        _sampler("min_p", "engine_cutoffs.min_p_of_logits"),
        "xtc",
        _EXLLAMAV3_ADAPTIVE,
    ),
    LowTemperature(0.0, "decodes greedily at temperature 0, without samplers"),
    EngineApi(
        "from before the penalties and samplers",
        (("tau", 1.0),),
        "a sampler preset can override this",
        # common/sampling.py: BaseSamplerRequest.
        (
            Limit("tau", 0.0, 10.0),
            Limit("presence_penalty", 0.0, inf),
            Limit("frequency_penalty", 0.0, inf),
        ),
    ),
    (
        Variant(
            ("adaptive_p",),
            tuple(
                replace(sampler, path="engine_samplers.xtc_averaged", at_random=False)
                if sampler.name == "xtc"
                else sampler
                for sampler in _TABBY_ADAPTIVE
            ),
        ),
        *(Variant(condition, _TABBY_ADAPTIVE) for condition in (("xtc",), ("min_p", "top_k"), ("min_p", "top_p"))),
    ),
    caveats=(
        Caveat(("xtc",), _SPARES_LINE_BREAKS),
        Caveat(("adaptive_p",), "temperature 0 is a division by 0; tsoft decodes greedily"),
    ),
)


def _koboldcpp_samplers(*end: "str | Sampler") -> tuple[Sampler, ...]:
    """Return KoboldCpp's samplers before those at the `end`."""
    return _samplers(
        "logit_bias",
        _sampler("dry", "engine_penalties.dry_koboldcpp", dry_penalty_last_n=320.0),
        Sampler("top_3000", "engine_cutoffs.top_3000", ()),
        _sampler(
            "penalties",
            "engine_penalties.presence_and_repetition",
            "repetition_penalty",
            "presence_penalty",
            "penalty_last_n",
            penalty_last_n=320.0,
        ),
        *end,
    )


_KOBOLDCPP_CHAIN = (
    "top_k",
    "top_a",
    _sampler("tfs", "engine_cutoffs.tail_free_koboldcpp"),
    _sampler("typ_p", "engine_cutoffs.typical_exceeding"),
    _sampler("top_p", "engine_cutoffs.top_p_from_above"),
    _sampler("min_p", "engine_cutoffs.min_p_of_logits"),
)
_KOBOLDCPP_TEMPERATURE = (_temperature_or_top(*_DYNAMIC), "smoothing")
_KOBOLDCPP_MIROSTAT = (_temperature_or_top(), "smoothing", "mirostat")
_KOBOLDCPP_XTC = _sampler("xtc", xtc_threshold=0.2)
_KOBOLDCPP_ADAPTIVE = _sampler("adaptive_p", adaptive_target=0.0)
_KOBOLDCPP = Engine(
    "koboldcpp",
    EngineSource("KoboldCpp", "2026, commit not recorded", "gpttype_adapter.cpp", _READ),
    _koboldcpp_samplers(
        *_KOBOLDCPP_CHAIN, *_KOBOLDCPP_TEMPERATURE, "top_n_sigma", _KOBOLDCPP_XTC, "mirostat", _KOBOLDCPP_ADAPTIVE
    ),
    LowTemperature(),
    EngineApi(
        "after the samplers; a probability below 0.0001 is shown as 0.0001",
        (("tau", 0.75), ("top_k", 100.0), ("top_p", 0.92)),
        breakers=(),
        bias_range=(-100.0, 100.0),
    ),
    (
        Variant(("mirostat",), _koboldcpp_samplers(*_KOBOLDCPP_MIROSTAT)),
        Variant(
            ("adaptive_p", "xtc"),
            _koboldcpp_samplers(
                *_KOBOLDCPP_CHAIN,
                *_KOBOLDCPP_TEMPERATURE,
                "top_n_sigma",
                replace(_KOBOLDCPP_XTC, path="engine_samplers.xtc_lowering"),
                _KOBOLDCPP_ADAPTIVE,
            ),
        ),
    ),
    movable=(
        *_singly("penalties top_k top_a tfs typ_p"),
        ("top_p", "min_p"),
        ("temperature", "smoothing", "top_n_sigma"),
    ),
    caveats=(
        Caveat(
            ("adaptive_p",), "and with neither min-p nor top-p, it applies min-p 0.002, which tsoft does not compute"
        ),
        *(Caveat((name,), _COUNTS_MASKED, -inf) for name in ("dynatemp_range", "adaptive_p")),
        # gpttype_generate fills last_n_tokens with 0.
        Caveat(
            ("penalties",),
            "it also penalizes token 0 while the text is shorter than penalty_last_n, which tsoft does not compute",
        ),
    ),
    masking=_LLAMA_MASKING,
)


def _webui_samplers(*end: "str | Sampler") -> tuple[Sampler, ...]:
    """Return the samplers of text-generation-webui before those at the `end`."""
    dry = _sampler("dry", "engine_penalties.dry_up_to_50", "dry_multiplier", "dry_base", "dry_allowed_length")
    last_n = replace(SAMPLERS["penalties"].parameters[-1], off=1024.0)
    return _samplers(
        "logit_bias",
        _sampler("penalties", "engine_penalties.whole_text_at_0", penalty_last_n=1024.0),
        # DRY has the range of the penalties.
        replace(dry, parameters=(*dry.parameters, last_n)),
        replace(_sampler("top_n_sigma", "engine_cutoffs.top_n_sigma_of_sample"), counts_masked=True),
        "temperature",
        "smoothing",
        _sampler("top_k", "engine_cutoffs.top_k_and_ties"),
        "top_p",
        _sampler("typ_p", "engine_cutoffs.typical_and_ties"),
        _sampler("epsilon_cutoff", "engine_cutoffs.epsilon_cutoff_below_1"),
        _sampler("eta_cutoff", "engine_cutoffs.eta_cutoff_below_1"),
        replace(_sampler("tfs", "engine_cutoffs.tail_free_always"), counts_masked=True),
        "top_a",
        "min_p",
        *end,
    )


_WEBUI_ADAPTIVE = _sampler("adaptive_p", adaptive_target=0.0)
_WEBUI = Engine(
    "text-generation-webui",
    EngineSource(
        "text-generation-webui 1dcde41",
        "2026-05",
        "modules/sampler_hijack.py, presets.py; the transformers loader",
        _RUN,
    ),
    _webui_samplers(_WEBUI_ADAPTIVE, "mirostat", "xtc"),
    LowTemperature(0.0, "refuses temperature 0; tsoft shows its greedy decoding (do_sample=False), without samplers"),
    EngineApi(
        "from before the samplers or from after them, by the request",
        (("tau", 1.0),),
        "a preset can override this",
    ),
    # adaptive_p and mirostat draw a token, which leaves nothing for the samplers after them.
    (Variant(("adaptive_p",), _webui_samplers(_WEBUI_ADAPTIVE)), Variant(("mirostat",), _webui_samplers("mirostat"))),
    movable=_singly(
        "penalties dry top_n_sigma temperature smoothing top_k top_p typ_p epsilon_cutoff eta_cutoff tfs top_a min_p "
        "adaptive_p mirostat xtc"
    ),
    caveats=(
        Caveat(("dry",), "it uses only the last token of a sequence breaker, which tsoft does not compute"),
        Caveat(("xtc",), "it spares line breaks and the end token, which tsoft does not compute"),
    ),
)

# The paths of each engine, the default first.
_PATHS = {
    "transformers": (_TRANSFORMERS,),
    "llama.cpp": (_LLAMA_CPP,),
    "vllm": _VLLM,
    "sglang": _SGLANG,
    "mlx-lm": _MLX_LM,
    "exllamav2": (_EXLLAMAV2,),
    "exllamav3": _EXLLAMAV3,
    "tabbyapi": (_TABBYAPI,),
    "ollama": (_OLLAMA_GGUF, _OLLAMA_MLX),
    "koboldcpp": (_KOBOLDCPP,),
    "text-generation-webui": (_WEBUI,),
}

# Each engine by its name, which stands for its default path.
DEFAULT_ENGINES = {name: replace(paths[0], name=name) for name, paths in _PATHS.items()}
# Each engine and each of several paths, such as vllm and vllm@pytorch.
ENGINES = {
    engine.name: engine
    for name, paths in _PATHS.items()
    for engine in (DEFAULT_ENGINES[name], *(paths if len(paths) > 1 else ()))
}


def paths_of(name: str) -> list[str]:
    """Return the names of an engine's paths, the default one first; empty if it has only one.

    >>> paths_of("mlx-lm"), paths_of("llama.cpp")
    (['mlx-lm@0.32.2', 'mlx-lm@0.32.0'], [])
    """
    paths = _PATHS[name]
    return [engine.name for engine in paths] if len(paths) > 1 else []
