"""The kinds of settings files, and the fields that identify them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf

from tsoft.input.settings.sampling_fields import (
    APPLIED,
    CONTEXT_SIZES,
    GGUF_ORDER,
    NOVEL_AI_ORDER,
    PARAMETERS,
    names,
)
from tsoft.input.settings.settings_search import Place

# The fields of programs that have one name for each parameter.
_PENALTIES = names("repetition_penalty presence_penalty frequency_penalty")
_LLAMA_CPP_FIELDS = names(
    "temperature dynatemp_range dynatemp_exponent top_n_sigma top_k top_p min_p typical_p xtc_probability "
    "xtc_threshold repeat_penalty presence_penalty frequency_penalty repeat_last_n dry_multiplier dry_base "
    "dry_allowed_length dry_penalty_last_n mirostat_tau mirostat_eta adaptive_target adaptive_decay samplers logit_bias"
)
_LLAMA_CPP_OPTIONS = _LLAMA_CPP_FIELDS | names(
    "temp typical top_nsigma dynatemp_exp mirostat_ent mirostat_lr sampler_seq sampling_seq"
)
_GGUF_FIELDS = names(
    "temp top_k top_p min_p xtc_probability xtc_threshold penalty_repeat penalty_last_n mirostat_tau mirostat_eta "
    "suppress_tokens"
)
_OLLAMA_FIELDS = names(
    "temperature top_k top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty repeat_last_n"
)
_TRANSFORMERS_FIELDS = names(
    "temperature top_h top_k top_p min_p typical_p epsilon_cutoff eta_cutoff repetition_penalty suppress_tokens"
)
_VLLM_FIELDS = names("temperature top_k top_p min_p logit_bias") | _PENALTIES
_MLX_LM_FIELDS = (
    names("temperature top_k top_p min_p xtc_probability xtc_threshold repetition_context_size logit_bias") | _PENALTIES
)
# The fields that two servers take from the model's generation_config.json.
_SGLANG_DEFAULTS = names("repetition_penalty temperature top_k top_p min_p")
VLLM_DEFAULTS = _SGLANG_DEFAULTS | names("presence_penalty frequency_penalty")
# The parameters that older versions of a program have.
_FORMER_PARAMETERS = {"llama.cpp": names("tfs"), "Ollama": names("tfs mirostat_tau mirostat_eta")}
_LLAMA_CPP_DEFAULTS = {
    "tau": 0.8,
    "top_k": 40.0,
    "top_p": 0.95,
    "min_p": 0.05,
    "dynatemp_exponent": 1.0,
    "xtc_threshold": 0.1,
    "penalty_last_n": 64.0,
    # In older versions, the whole context.
    "dry_penalty_last_n": 64.0,
}
# set_limits in llama.cpp's server-schema.cpp, and the limits of the options of its commands.
_OPTION_LIMITS = {"tau": (0.0, inf), "dry_base": (1.0, inf)}
_LLAMA_CPP_LIMITS = {
    **_OPTION_LIMITS,
    **dict.fromkeys(("top_p", "min_p", "xtc_probability", "xtc_threshold"), (0.0, 1.0)),
    **dict.fromkeys(("typical_p", "adaptive_target"), (-inf, 1.0)),
}
# The numbers that replace those beyond a limit, if that is not the limit itself: llama.cpp's default.
REPLACEMENTS: Mapping[str, float] = {"dry_base": 1.75}
_SERVER = ", unless the server was started with other defaults, which its /props shows"


@dataclass(frozen=True)
class ProgramRules:
    """What the program of a kind of file does. `fields` are those with parameters, orders and biases that it reads, as
    `canonical` writes them; by default, the fields of all programs. `defaults` are the numbers that it applies if the
    file does not set them; `unless` completes a sentence about them with an exception. `order` is the field with the
    order of its samplers. `mirostat_keeps` are the samplers that remain with mirostat; if it is empty, all of them.
    `cutoff_unit` is the unit of its epsilon_cutoff and eta_cutoff. `percents` are the parameters that it counts in
    hundredths. `not_sent` is the number of a parameter that it leaves to the server. `zeros` are numbers that 0 stands
    for. `limits` are the lowest and the highest number of parameters, which it takes for numbers beyond them."""

    fields: frozenset[str] = APPLIED
    defaults: Mapping[str, float] = field(default_factory=dict)
    unless: str = ""
    order: str = ""
    mirostat_keeps: tuple[str, ...] = ()
    reads_do_sample: bool = True
    cutoff_unit: float = 1.0
    percents: frozenset[str] = frozenset()
    not_sent: float | None = None
    zeros: Mapping[str, float] = field(default_factory=lambda: {"adaptive_target": -1.0})
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters that the fields set."""
        return frozenset(PARAMETERS[name] for name in self.fields if name in PARAMETERS)


@dataclass(frozen=True)
class FileKind:
    """A kind of file. The title is in words for a note; `program` applies the settings. `engine` is its name for
    --like, if tsoft has its rules. Each of the `marks` identifies the kind: one of `Place.marks`, or several joined
    with +. A `condition` that holds identifies it, too. `readers` are other engines that read such files, with the
    fields that each takes."""

    title: str
    marks: tuple[str, ...] = ()
    program: str = ""
    engine: str | None = None
    rules: ProgramRules = field(default_factory=ProgramRules)
    readers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    condition: Callable[[Place], bool] = lambda _: False

    def matches(self, found: frozenset[str]) -> bool:
        return any(found.issuperset(mark.split("+")) for mark in self.marks)

    def unlike_older(self, parameter: str) -> str:
        """Return the end of a sentence about a parameter that the program does not know."""
        return ", unlike its older versions" if parameter in _FORMER_PARAMETERS.get(self.program, ()) else ""

    def read_by(self, engine: str) -> "FileKind":
        """Return the kind as one of the `readers` reads it: with no defaults, and without do_sample."""
        rules = ProgramRules(self.readers[engine], reads_do_sample=False)
        return replace(self, program=engine, engine=engine, rules=rules)


def _marks(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _fields_of(parameters: str) -> frozenset[str]:
    """Return all fields that set one of the parameters, with those for orders and biases."""
    others = names(parameters)
    return frozenset(name for name in APPLIED if PARAMETERS.get(name, name) in others or name not in PARAMETERS)


def _llama_cpp(
    title: str,
    marks: str,
    defaults: Mapping[str, float] | None = None,
    unless: str = "",
    *,
    fields: frozenset[str] = _LLAMA_CPP_FIELDS,
    limits: Mapping[str, tuple[float, float]] = _LLAMA_CPP_LIMITS,
    order: str = "samplers",
) -> FileKind:
    """Return a kind of file for llama.cpp."""
    rules = ProgramRules(
        fields, defaults or {}, unless, order, ("temperature",), reads_do_sample=False, zeros={}, limits=limits
    )
    return FileKind(title, _marks(marks), "llama.cpp", "llama.cpp", rules)


def _ollama(title: str, marks: str, exception: str) -> FileKind:
    """Return a kind of file for Ollama. Its settings are those of `Options` in api/types.go."""
    defaults = {"tau": 0.8, "top_k": 40.0, "top_p": 0.9, "penalty_last_n": 64.0}
    rules = ProgramRules(
        _OLLAMA_FIELDS, defaults, f", unless {exception}", reads_do_sample=False, zeros={}, limits=_LLAMA_CPP_LIMITS
    )
    return FileKind(title, _marks(marks), "Ollama", "ollama", rules)


GENERATION_CONFIG = FileKind(
    "transformers' generation_config.json",
    _marks(
        "generation_config.json GenerationConfig GenerationConfig/ transformers_version _from_model_config "
        "decoder_start_token_id bos_token_id eos_token_id pad_token_id"
    ),
    "transformers",
    "transformers",
    ProgramRules(_TRANSFORMERS_FIELDS, {"top_k": 50.0}),
    # vLLM's ModelConfig.get_diff_sampling_param and SGLang's ModelConfig.get_default_sampling_params.
    {"vllm": VLLM_DEFAULTS, "sglang": _SGLANG_DEFAULTS},
)


def _is_in_ollama_request(place: Place) -> bool:
    """Whether an object is in the options of a request. In n8n and other clients, options are those of any server, in
    camel case or next to objects."""
    if "options" not in place.path or any(re.search("[a-z][A-Z]", name) for name in place.names):
        return False
    objects = {name for name in ("model", "prompt", "messages") if f"{name}{{}}" in place.around}
    texts = (place.around & {"prompt", "messages"}) - objects
    return bool(texts) or ("model" in place.around and "type" not in place.around and not objects)


def _has_temperature_last(place: Place) -> bool:
    """Whether an object has these fields of SillyTavern. Agnai's presets also have the name of a service."""
    return place.names >= {"temp", "temperature_last"} and "service" not in place.names


OLLAMA_REQUEST = replace(
    _ollama("an Ollama request", "num_ctx num_predict keep_alive", "the model's Modelfile sets other defaults"),
    condition=_is_in_ollama_request,
)
TGI_REQUEST = FileKind(
    "a Text Generation Inference request",
    _marks("parameters/+../inputs decoder_input_details top_n_tokens"),
    "Text Generation Inference",
    # GenerateParameters in router/src/lib.rs.
    rules=ProgramRules(names("temperature top_k top_p typical_p repetition_penalty frequency_penalty")),
)
VLLM = FileKind(
    "vLLM's sampling parameters",
    _marks(
        "structured_outputs guided_json guided_regex guided_choice guided_grammar allowed_token_ids bad_words "
        "vllm_xargs thinking_token_budget logprob_token_ids flat_logprobs SamplingParams/+extra_args "
        "override-generation-config/ override_generation_config/"
    ),
    "vllm",
    "vllm",
    ProgramRules(_VLLM_FIELDS, reads_do_sample=False),
)
SILLY_TAVERN = FileKind(
    "SillyTavern settings",
    _marks(
        "temp+nsigma encoder_rep_pen freq_pen presence_pen rep_pen_decay dynatemp+min_temp temp+sampler_priority "
        "temp+samplers openai_max_context"
    ),
    "SillyTavern",
    rules=ProgramRules(cutoff_unit=1e-4),
    condition=_has_temperature_last,
)
TEXT_GENERATION_WEBUI = FileKind(
    "text-generation-webui settings",
    _marks(
        "dynamic_temperature dynatemp_low dynatemp_high sampler_priority encoder_repetition_penalty custom_token_bans "
        "truncation_length"
    ),
    "text-generation-webui",
    rules=ProgramRules(order="sampler_priority", cutoff_unit=1e-4),
)
RISU_AI = FileKind(
    "a RisuAI preset",
    _marks("PresensePenalty formatingOrder promptPreprocess"),
    "RisuAI",
    # applyParameters in src/ts/process/request/request.ts.
    rules=ProgramRules(percents=names("tau presence_penalty frequency_penalty"), not_sent=-1000.0),
)
MLX_LM = FileKind(
    "an mlx-lm request",
    _marks(" ".join(CONTEXT_SIZES.values())),
    "mlx-lm",
    "mlx-lm",
    ProgramRules(
        _MLX_LM_FIELDS,
        {"tau": 0.0, "penalty_last_n": 20.0},
        ", unless the server was started with other defaults",
        reads_do_sample=False,
        zeros={"repetition_penalty": 1.0, "top_p": 1.0},
    ),
)
MLC = FileKind(
    "MLC's mlc-chat-config.json",
    _marks("mlc-chat-config.json conv_template+quantization context_window_size+quantization"),
    "MLC",
    # It has the ids of special tokens from transformers' file, but always samples.
    rules=ProgramRules(names("temperature top_p") | _PENALTIES, reads_do_sample=False),
)
NOVEL_AI = FileKind(
    "NovelAI settings",
    _marks("order[] phrase_rep_pen math1_quad textGenerationSettingsVersion"),
    "NovelAI",
    rules=ProgramRules(
        _fields_of(
            "tau top_k top_p min_p typical_p tfs top_a penalty_last_n repetition_penalty presence_penalty "
            "frequency_penalty"
        ),
        order=NOVEL_AI_ORDER,
    ),
)
COHERE = FileKind("a Cohere request", _marks("k+message p+message k+messages p+messages k+prompt p+prompt"), "Cohere")
REQUEST = FileKind("a request", _marks("prompt messages input inputs"))
KOBOLD = FileKind(
    "KoboldAI settings",
    _marks("sampler_order rep_pen_slope max_context_length rep_pen+typical gendefaults/"),
    "KoboldCpp",
    rules=ProgramRules(
        _fields_of(
            "tau dynatemp_range dynatemp_exponent smoothing_factor smoothing_curve top_n_sigma top_k top_p min_p "
            "typical_p tfs top_a xtc_probability xtc_threshold repetition_penalty presence_penalty penalty_last_n "
            "dry_multiplier dry_base dry_allowed_length dry_penalty_last_n mirostat_tau mirostat_eta adaptive_target "
            "adaptive_decay"
        ),
        order="sampler_order",
        mirostat_keeps=("dry", "penalties", "temperature", "smoothing"),
        reads_do_sample=False,
        zeros={"adaptive_target": -1.0, "dry_penalty_last_n": inf},
        limits={"tau": (0.0, inf), "penalty_last_n": (1.0, inf)},
    ),
)
LLAMA_CPP_REQUEST = _llama_cpp(
    "a llama.cpp request",
    "samplers n_predict n_probs n_keep n_indent id_slot cache_prompt min_keep post_sampling_probs t_max_predict_ms "
    "return_tokens",
    _LLAMA_CPP_DEFAULTS,
    _SERVER,
)
LLAMA_CPP_COMMAND = _llama_cpp(
    "a command of llama.cpp",
    "llama-server/ llama-cli/ llama-completion/",
    _LLAMA_CPP_DEFAULTS,
    "; the model or a request may set other values",
    fields=_LLAMA_CPP_OPTIONS,
    limits=_OPTION_LIMITS,
)
# The first kind that matches counts.
_KINDS = (
    LLAMA_CPP_COMMAND,
    replace(LLAMA_CPP_COMMAND, title="environment variables of llama.cpp", marks=("LLAMA_ARG_",)),
    _llama_cpp(
        "a GGUF model",
        "general.sampling. tokenizer.ggml.",
        _LLAMA_CPP_DEFAULTS,
        _SERVER,
        fields=_GGUF_FIELDS,
        # llama.cpp does not refuse a range of -1 tokens in a model.
        limits={"tau": (0.0, inf), "penalty_last_n": (0.0, inf)},
        order=GGUF_ORDER,
    ),
    _llama_cpp("llama.cpp's /props", "default_generation_settings/"),
    _llama_cpp("a llama.cpp response", "generation_settings/ n_discard"),
    FileKind(
        "an LM Studio preset",
        _marks("llm.prediction. inference_params/ topKSampling topPSampling minPSampling"),
        "LM Studio",
    ),
    MLC,
    NOVEL_AI,
    FileKind(
        "LMDeploy's GenerationConfig",
        _marks("random_seed+stop_words"),
        "LMDeploy",
        rules=ProgramRules(names("temperature top_k top_p min_p repetition_penalty")),
    ),
    GENERATION_CONFIG,
    _ollama("an Ollama Modelfile", "PARAMETER/+../FROM", "the model or its own Modelfile sets other defaults"),
    OLLAMA_REQUEST,
    _ollama("an Ollama model", "parameters/+../modelfile", "the model sets other defaults"),
    FileKind(
        "Gemini's generationConfig",
        _marks(
            "generationConfig/ generation_config/+../contents candidateCount responseMimeType candidate_count "
            "response_mime_type safetySettings"
        ),
        "Gemini",
    ),
    TGI_REQUEST,
    FileKind(
        "an SGLang request",
        _marks(
            "sampling_params/+../text sampling_params/+../input_ids sampling_params/+max_new_tokens "
            "SamplingParams/+max_new_tokens no_stop_trim sampling_seed stop_regex "
            "sampling_params/+custom_params custom_params+messages custom_params+prompt custom_params+text"
        ),
        "sglang",
        "sglang",
        ProgramRules(_VLLM_FIELDS, reads_do_sample=False),
    ),
    VLLM,
    RISU_AI,
    MLX_LM,
    SILLY_TAVERN,
    KOBOLD,
    LLAMA_CPP_REQUEST,
    TEXT_GENERATION_WEBUI,
    COHERE,
    REQUEST,
)
BARE = FileKind("settings")
# SillyTavern's requests have the fields of all servers. api_type names the server that receives them.
_SILLY_TAVERN_REQUEST = frozenset(("api_type", "api_server"))
_SILLY_TAVERN_SERVERS = {
    "koboldcpp": KOBOLD,
    "llamacpp": LLAMA_CPP_REQUEST,
    "mancer": REQUEST,
    "ollama": OLLAMA_REQUEST,
    "ooba": TEXT_GENERATION_WEBUI,
    "vllm": VLLM,
}
# The servers to which SillyTavern sends only some of the fields, as src/constants.js lists them.
_SILLY_TAVERN_FILTERS = names("featherless generic infermaticai ollama openrouter togetherai vllm")
# Files without settings, by a field that identifies them: what they are, and the fix.
NO_SETTINGS = {
    "choices": "a response without sampling settings; pass the request instead",
    "tokens_predicted": "a response without generation_settings; pass the request instead",
    "architectures": "a model's config.json has no sampling settings; pass its generation_config.json instead",
}


def kind_of(place: Place) -> FileKind:
    """Return the kind of file whose settings are at a place."""
    import os

    if place.fields.keys() >= _SILLY_TAVERN_REQUEST:
        return _SILLY_TAVERN_SERVERS.get(str(place.fields["api_type"]), SILLY_TAVERN)
    found = place.marks | {os.path.basename(place.file)}
    return next((kind for kind in _KINDS if kind.matches(found) or kind.condition(place)), BARE)


def filtered_by(place: Place) -> str:
    """Return the server to which SillyTavern sends only some of the fields of its request; empty for other files."""
    server = str(place.fields["api_type"]) if place.fields.keys() >= _SILLY_TAVERN_REQUEST else ""
    return server if server in _SILLY_TAVERN_FILTERS else ""
