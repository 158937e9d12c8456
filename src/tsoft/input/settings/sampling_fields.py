"""The table of fields: the sampling parameters that they set, and those that tsoft cannot apply."""

import re
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any

from tsoft.input.settings.field_values import number_or_none

# The objects with fields of LM Studio, GGUF metadata and OpenTelemetry are flat, with these prefixes. Of llama.cpp's
# environment variables, those in common/arg.cpp are settings of samplers.
PREFIX = re.compile(
    r"(llm\.prediction\.)(?:llama\.|mlx\.)?|(general\.sampling\.)|(gen_ai\.request\.)|"
    r"(tokenizer\.ggml\.)(?=suppress_tokens$)|"
    r"(LLAMA_ARG_)(?=(?:TEMPERATURE|TOP_[KP]|MIN_P|(?:REPEAT|PRESENCE|FREQUENCY)_PENALTY)$)"
)


def without_prefix(field: str) -> str:
    """Return the name of a field without a prefix.

    >>> without_prefix("llm.prediction.topKSampling")
    'topKSampling'
    """
    match = PREFIX.match(field)
    return field[match.end() :] if match else field


@lru_cache(maxsize=1000)
def canonical(field: str) -> str:
    """Return the name of a field without a prefix, in lower case and with underscores between its words.

    >>> canonical("topK"), canonical("llm.prediction.minPSampling"), canonical("general.sampling.temp")
    ('top_k', 'min_p_sampling', 'temp')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", without_prefix(field))
    return words.replace("-", "_").replace(" ", "_").lower()


def names(text: str) -> frozenset[str]:
    """Return the names in a text, separated by blanks."""
    return frozenset(text.split())


# Each parameter that needs only the logits, and its names, as `canonical` writes them. Those that end in openai are in
# the oai_settings of SillyTavern's settings.json.
_LOGIT_PARAMETERS = {
    "tau": "temperature temp temp_openai",
    "dynatemp_range": "dynatemp_range",
    "dynatemp_exponent": "dynatemp_exponent dynatemp_exp",
    "smoothing_factor": "smoothing_factor",
    "smoothing_curve": "smoothing_curve",
    "top_n_sigma": "top_n_sigma nsigma top_nsigma",
    "top_h": "top_h",
    "top_k": "top_k topk top_k_sampling top_k_openai",
    "top_p": "top_p topp top_p_sampling top_p_openai",
    "min_p": "min_p minp min_p_sampling min_p_openai",
    "typical_p": "typical_p typ_p typ_s typical locally_typical_sampling",
    "epsilon_cutoff": "epsilon_cutoff",
    "eta_cutoff": "eta_cutoff",
    "tfs": "tfs tfs_z tfs_s tail_free_sampling",
    "top_a": "top_a top_a_openai",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
}
# Each parameter of the samplers that depend on the text, and its names.
_TEXT_PARAMETERS = {
    "repetition_penalty": "repetition_penalty repeat_penalty penalty_repeat rep_pen token_repetition_penalty "
    "repetition_penalty_openai",
    "presence_penalty": "presence_penalty presence_pen presense_penalty penalty_present repetition_penalty_presence "
    "token_presence_penalty pres_pen_openai",
    "frequency_penalty": "frequency_penalty freq_pen penalty_freq repetition_penalty_frequency token_frequency_penalty "
    "freq_pen_openai",
    "penalty_last_n": "penalty_last_n repeat_last_n rep_pen_range repetition_penalty_range repetition_range "
    "penalty_range token_repetition_range repetition_context_size",
    "dry_multiplier": "dry_multiplier",
    "dry_base": "dry_base",
    "dry_allowed_length": "dry_allowed_length",
    "dry_penalty_last_n": "dry_penalty_last_n dry_range",
    "mirostat_tau": "mirostat_tau mirostat_ent miro_tau",
    "mirostat_eta": "mirostat_eta mirostat_lr miro_eta",
    "adaptive_target": "adaptive_target",
    "adaptive_decay": "adaptive_decay",
}
PARAMETER_NAMES = _LOGIT_PARAMETERS | _TEXT_PARAMETERS
# Cohere's names, which mean something else in other files.
COHERE_PARAMETERS = {"k": "top_k", "p": "top_p"}
# The parameter that each field sets.
PARAMETERS = {field: parameter for parameter, fields in PARAMETER_NAMES.items() for field in fields.split()}
# The fields of the parameters that need only the logits: an object with one of them has settings.
LOGIT_FIELDS = names(" ".join(_LOGIT_PARAMETERS.values()))
# The numbers of penalties that have no effect. The other parameters that depend on the text go with one of these, with
# the adaptive target, or with the version of mirostat.
PENALTIES_OFF = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
# Fields with the version of mirostat; 0 is none.
MIROSTAT_FIELDS = ("mirostat", "mirostat_mode", "mirostat_sampling", "miro_type")
BREAKER_FIELD = "dry_sequence_breakers"
# Fields of mlx-lm with the number of tokens that a penalty considers.
CONTEXT_SIZES = {
    "repetition_penalty": "repetition_context_size",
    "presence_penalty": "presence_context_size",
    "frequency_penalty": "frequency_context_size",
}
# Fields that change what a penalty does to older tokens, or to line breaks.
SLOPES = ("rep_pen_slope", "repetition_penalty_slope")
DECAYS = ("rep_pen_decay", "repetition_decay", "token_repetition_decay")
NEWLINE_SWITCHES = ("penalize_nl", "penalize_newline")
# Parameters that are off at 0 or below, each with the parameter that has no effect without it.
OFF_AT_ZERO: dict[str, str | None] = {
    "top_k": None,
    "top_n_sigma": None,
    "top_a": None,
    "smoothing_factor": "smoothing_curve",
    "epsilon_cutoff": None,
    "eta_cutoff": None,
    "dynatemp_range": "dynatemp_exponent",
    "xtc_probability": "xtc_threshold",
}
# The numbers at which the other parameters have no effect, so no sentence needs to mention them.
NEUTRAL = {
    "tau": 1.0,
    "top_p": 1.0,
    "typical_p": 1.0,
    "tfs": 1.0,
    "min_p": 0.0,
    "penalty_last_n": inf,
    "dry_penalty_last_n": inf,
}

# Fields that switch a dynamic temperature on, and its lowest and highest temperature.
DYNAMIC_SWITCHES = ("dynatemp", "dynamic_temperature")
DYNAMIC_RANGES = (("min_temp", "max_temp"), ("dynatemp_low", "dynatemp_high"))
# The field of GGUF metadata with the order of the samplers.
GGUF_ORDER = "general.sampling.sequence"
# NovelAI's field with the samplers that are switched on, in order. In other objects, it means something else.
NOVEL_AI_ORDER = "order"
# The fields of two samplers of NovelAI that tsoft does not have, without the temperature of the first.
NOVEL_AI_SAMPLERS = {"math1": ("math1_temp", "math1_quad", "math1_quad_entropy_scale"), "top_g": ("top_g",)}
# Fields whose readers are in other modules.
BIAS_FIELDS = names("logit_bias suppress_tokens")
# Options of llama.cpp's commands with the order in letters.
SEQUENCE_FIELDS = ("sampler_seq", "sampling_seq")
ORDER_FIELDS = names("samplers sampler_order sampler_priority").union(SEQUENCE_FIELDS)
# The fields that set a parameter, the order of the samplers, or biases.
APPLIED = frozenset(PARAMETERS) | ORDER_FIELDS | BIAS_FIELDS
_SWITCHES = {
    *("do_sample", "decoding_method", "temperature_last", "min_keep"),
    *DYNAMIC_SWITCHES,
    *sum(DYNAMIC_RANGES, ()),
    *MIROSTAT_FIELDS,
}
# Fields that have no effect without another one.
_COMPANIONS_OF_TEXT = {BREAKER_FIELD, *CONTEXT_SIZES.values(), *SLOPES, *DECAYS, *NEWLINE_SWITCHES}

# The ends of sentences that start with a field.
DEPENDS_ON_TEXT = "is not applied, since it depends on the text so far"
BANS_END = "is not applied, since tsoft does not know which tokens end a text"
NOT_AVAILABLE = "is not applied, since tsoft does not have it"
TOKENS_ALIKE = "is not applied, since tsoft penalizes all tokens of the range alike"
_DEPENDS_ON_POSITION = "is not applied, since it depends on the position in the text"
_CONSTRAINS_TEXT = "is not applied, since the tokens that it bans depend on the text so far"
_BANS_TOKENS = "is not applied; set the logits of these tokens to -inf instead"
_SEARCHES = "is not applied, since it searches for whole texts"


@dataclass(frozen=True)
class UnusedFields:
    """Fields that tsoft cannot apply, and the reason, as the end of a sentence. A field has no effect if its value is
    neutral. The companions have no effect without one of the fields. If `texts` are listed, other texts have no effect
    either."""

    fields: tuple[str, ...]
    neutrals: tuple[Any, ...]
    reason: str
    companions: frozenset[str] = frozenset()
    texts: tuple[str, ...] | None = None

    def is_neutral(self, value: Any) -> bool:
        """Whether a value has no effect: a neutral one, false, an empty text or an empty array."""
        if self.texts is not None and isinstance(value, str):
            return value not in self.texts
        # {} and 0 do have an effect in general: an empty schema requires JSON, and 0 may be a token.
        return value is False or any(
            type(value) is type(neutral) and value == neutral for neutral in ("", [], *self.neutrals)
        )


def _unused(
    fields: str, neutrals: tuple[Any, ...], reason: str, companions: str = "", texts: tuple[str, ...] | None = None
) -> UnusedFields:
    return UnusedFields(tuple(fields.split()), neutrals, reason, names(companions), texts)


UNUSED = (
    _unused("encoder_repetition_penalty encoder_rep_pen", (1.0,), DEPENDS_ON_TEXT),
    _unused("no_repeat_ngram_size encoder_no_repeat_ngram_size penalty_alpha", (0.0,), DEPENDS_ON_TEXT),
    # RWKV's penalties.
    _unused("alpha_frequency alpha_presence", (0.0,), DEPENDS_ON_TEXT),
    _unused("min_length min_new_tokens min_tokens", (0.0,), _DEPENDS_ON_POSITION),
    _unused(
        "num_beams beam_width", (1.0,), _SEARCHES, "length_penalty early_stopping num_beam_groups diversity_penalty"
    ),
    _unused("use_beam_search", (), _SEARCHES),
    _unused("best_of", (0.0, 1.0), _SEARCHES),
    _unused("guidance_scale cfg_scale", (1.0,), "is not applied, since it needs the logits of a second prompt"),
    _unused("skew", (0.0,), NOT_AVAILABLE),
    _unused("math1_temp", (1.0,), NOT_AVAILABLE),
    _unused("math1_quad math1_quad_entropy_scale top_g", (0.0,), NOT_AVAILABLE),
    _unused("phrase_rep_pen", ("off",), DEPENDS_ON_TEXT),
    _unused("rep_pen_size", (0.0,), DEPENDS_ON_TEXT),
    _unused("repetition_penalty_whitelist repetition_penalty_default_whitelist", (), TOKENS_ALIKE),
    _unused("logits_processors logits_processor custom_logit_processor", (), NOT_AVAILABLE),
    _unused(
        "grammar grammar_file grammar_string json_schema json_schema_file ebnf regex structural_tag",
        (),
        _CONSTRAINS_TEXT,
    ),
    # Ollama's format. In other files, the field names the format of a prompt.
    _unused("format", (), _CONSTRAINS_TEXT, texts=("json",)),
    _unused("response_format", ({"type": "text"},), _CONSTRAINS_TEXT),
    _unused("response_schema response_json_schema", (), _CONSTRAINS_TEXT),
    _unused("response_mime_type", ("text/plain",), _CONSTRAINS_TEXT),
    _unused("structured", ({"type": "none"},), _CONSTRAINS_TEXT),
    _unused("tool_choice", ("none", "auto"), _CONSTRAINS_TEXT),
    _unused(
        "structured_outputs guided_json guided_regex guided_choice guided_grammar guided_decoding", (), _CONSTRAINS_TEXT
    ),
    _unused("constraints force_words_ids", (), _CONSTRAINS_TEXT),
    _unused("bad_words bad_words_ids sequence_bias banned_strings use_default_badwordsids", (), DEPENDS_ON_TEXT),
    _unused("banned_tokens custom_token_bans global_banned_tokens", (), _BANS_TOKENS),
    _unused("allowed_token_ids", (), "is not applied; set the logits of all other tokens to -inf instead"),
    _unused("begin_suppress_tokens forced_bos_token_id forced_eos_token_id", (), _DEPENDS_ON_POSITION),
    _unused("exponential_decay_length_penalty", (), _DEPENDS_ON_POSITION),
    _unused("ignore_eos ignore_eos_token ban_eos_token", (), BANS_END),
    _unused("watermark watermarking_config", (), DEPENDS_ON_TEXT),
    _unused("dola_layers", (), "is not applied, since it needs the logits of other layers"),
)
_UNUSED_FIELDS = {field for row in UNUSED for field in row.fields}
_COMPANIONS = frozenset(_COMPANIONS_OF_TEXT).union(*(row.companions for row in UNUSED))
# Fields with similar names that do not change the distribution.
_NO_SAMPLING = names(
    "top_logprobs top_logprobs_num top_n_tokens sampler_seed sampling_seed output_logits return_logits logits_all "
    "num_logits_to_keep logits_to_keep logits send_banned_tokens sampler_full_determinism post_sampling_probs"
)
# Values that choose how tokens are drawn.
_METHODS = names("greedy greedy_search argmax beam beam_search sample multinomial contrastive")
_SAMPLING_WORDS = re.compile(
    r"(^|[_.])(temp(erature)?|top|typical|minp|min_p|max_p|penalt(y|ies)|pen|sampl\w*|mirostat|dry|xtc|tfs|n?sigma|cutoff|"
    r"bias(es)?|ban(s|ned)?|smooth\w*|entropy|dyna\w*|greedy|beams?|repeat|repetition|nucleus|quadratic|cfg|guidance|"
    r"logits?|tail|epsilon|eta|adaptive)([_.]|$)"
)


def is_setting(field: str) -> bool:
    """Whether a field, as `canonical` writes it, changes the distribution, or says how.

    >>> is_setting("temp"), is_setting("rep_pen"), is_setting("rep_pen_slope")
    (True, True, False)
    """
    return field in APPLIED or field in _SWITCHES or field in _UNUSED_FIELDS


def may_be_setting(field: str, value: Any) -> bool:
    """Whether a field, as `canonical` writes it, is a setting, has an effect with another one, or resembles one.

    >>> may_be_setting("rep_pen_slope", 1), may_be_setting("penalty_of_words", 1), may_be_setting("stop", "x")
    (True, True, False)
    """
    known = is_setting(field) or field in _COMPANIONS or field in COHERE_PARAMETERS
    return known or resembles_setting(field, value)


def sets_number(name: str, value: Any) -> bool:
    """Whether a field, under any of its names, sets a parameter to a number, which may be written as a string.

    >>> sets_number("TOP_P", "0.9"), sets_number("temp", "/tmp"), sets_number("port", 5)
    (True, False, False)
    """
    field = canonical(name)
    return (field in PARAMETERS or field in MIROSTAT_FIELDS) and number_or_none(value) is not None


def resembles_setting(field: str, value: Any) -> bool:
    """Whether an unknown field, as `canonical` writes it, has the name of a sampling setting, perhaps with a typo, or
    the value of one.

    >>> resembles_setting("penalty_of_words", 1), resembles_setting("tempreture", 1), resembles_setting("stop", "x")
    (True, True, False)
    """
    if is_setting(field) or field in _COMPANIONS or field in _NO_SAMPLING:
        return False
    if (isinstance(value, str) and value.lower() in _METHODS) or _SAMPLING_WORDS.search(field):
        return True
    # A typo has a number, unlike a name such as threshold.
    return number_or_none(value) is not None and similar_parameter(field) is not None


def similar_parameter(field: str) -> str | None:
    """Return the most similar name of a parameter; None if no name is similar."""
    import difflib

    matches = difflib.get_close_matches(field, PARAMETERS, 1, 0.8)
    return matches[0] if matches else None
