"""Reading an LLM engine's sampling settings: a model's JSON file, a request to a server, or the response."""

import contextlib
import dataclasses
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from tsoft.errors import InputError, joined, shortened
from tsoft.input.json_problems import json_problem
from tsoft.input.utf8 import decode_text


@dataclass(frozen=True)
class Settings:
    """The settings in a file, without parameters that are off. Their ranges are not checked."""

    source: str
    # The kind of file, in words for a note.
    kind: str
    # None if the file does not determine the engine.
    engine: str | None
    # The parameters and their numbers, in the file's order, then the engine's defaults.
    values: tuple[tuple[str, float], ...]
    # Each token's id or text, and the bias added to its logit; -inf bans the token.
    biases: tuple[tuple[int | str, float], ...]
    # llama.cpp's samplers in the file's order, without those that need more than the logits.
    samplers: tuple[str, ...] | None
    # Sentences about settings that tsoft cannot apply, or that the engine would not apply.
    unused: tuple[str, ...]
    # Sentences about defaults that the engine would apply.
    hidden: tuple[str, ...]
    # The parameters that the sentences in `hidden` describe.
    defaults: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    # Each parameter and the field that sets it.
    fields: tuple[tuple[str, str], ...] = dataclasses.field(default=(), compare=False)

    def name(self, parameter: str) -> str:
        """Return the file's name for a parameter."""
        return dict(self.fields).get(parameter, "temperature" if parameter == "tau" else parameter)


# The fields whose parameter has another name.
_RENAMED = {"temperature": "tau", "typ_p": "typical_p", "tfs_z": "tfs"}
_FIELDS = (
    "temperature dynatemp_range dynatemp_exponent smoothing_factor top_n_sigma top_h top_k top_p min_p typical_p typ_p "
    "epsilon_cutoff eta_cutoff tfs_z tfs top_a xtc_probability xtc_threshold"
)
# The fields of a file and the parameter that each sets.
_PARAMETERS = {field: _RENAMED.get(field, field) for field in _FIELDS.split()}
# Parameters that are off at 0 or below, each with the parameter that has no effect without it.
_OFF_AT_ZERO: dict[str, str | None] = {
    "top_k": None,
    "top_n_sigma": None,
    "top_a": None,
    "smoothing_factor": None,
    "epsilon_cutoff": None,
    "eta_cutoff": None,
    "dynatemp_range": "dynatemp_exponent",
    "xtc_probability": "xtc_threshold",
}
# The numbers at which parameters have no effect, so no sentence needs to mention them.
_NEUTRAL = {"tau": 1.0, "top_p": 1.0, "typical_p": 1.0, "tfs": 1.0, "min_p": 0.0}


def _names(text: str) -> frozenset[str]:
    """Return the names in a text, separated by blanks."""
    return frozenset(text.split())


@dataclass(frozen=True)
class _FileKind:
    """A kind of file. `parameters` are the parameters of its engine. `defaults` are the numbers that the engine applies
    if the file does not set them; `unless` completes a sentence about them with an exception."""

    title: str
    engine: str | None = None
    parameters: frozenset[str] = frozenset(_PARAMETERS.values())
    defaults: Mapping[str, float] = dataclasses.field(default_factory=dict)
    unless: str = ""


# llama.cpp's samplers, each with its letter and parameters. Only versions before 2025 have tfs_z.
_SAMPLERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("penalties", "e", ()),
    ("dry", "d", ()),
    ("infill", "i", ()),
    ("adaptive_p", "a", ()),
    ("top_n_sigma", "s", ("top_n_sigma",)),
    ("top_k", "k", ("top_k",)),
    ("tfs_z", "f", ("tfs",)),
    ("typ_p", "y", ("typical_p",)),
    ("top_p", "p", ("top_p",)),
    ("min_p", "m", ("min_p",)),
    ("xtc", "x", ("xtc_probability", "xtc_threshold")),
    ("temperature", "t", ("tau", "dynatemp_range", "dynatemp_exponent")),
)
_SAMPLER_PARAMETERS = {name: parameters for name, _, parameters in _SAMPLERS}
_SAMPLER_LETTERS = {letter: name for name, letter, _ in _SAMPLERS}
# Other names that some of its versions accept; - may replace _ in each.
_SAMPLER_NAMES = {"nucleus": "top_p", "typical": "typ_p", "typical_p": "typ_p", "typ": "typ_p", "temp": "temperature"}

_LLAMA_CPP_PARAMETERS = frozenset(parameter for parameters in _SAMPLER_PARAMETERS.values() for parameter in parameters)
_VLLM_PARAMETERS = _names("tau top_k top_p min_p")

_GENERATION_CONFIG = _FileKind(
    "transformers' generation_config.json",
    "transformers",
    _names("tau top_h top_k top_p min_p typical_p epsilon_cutoff eta_cutoff"),
    {"top_k": 50.0},
)
_LLAMA_CPP_REQUEST = _FileKind(
    "a llama.cpp request",
    "llama.cpp",
    _LLAMA_CPP_PARAMETERS,
    {"tau": 0.8, "top_k": 40.0, "top_p": 0.95, "min_p": 0.05, "dynatemp_exponent": 1.0, "xtc_threshold": 0.1},
    ", unless the server was started with other defaults, which its /props shows",
)
_LLAMA_CPP_RESPONSE = _FileKind("a llama.cpp response", "llama.cpp", _LLAMA_CPP_PARAMETERS)
_LLAMA_CPP_PROPS = _FileKind("llama.cpp's /props", "llama.cpp", _LLAMA_CPP_PARAMETERS)
_OPENAI_REQUEST = _FileKind("an OpenAI request")
_VLLM_REQUEST = _FileKind("a vLLM request", "vllm", _VLLM_PARAMETERS)
_BARE = _FileKind("settings")
_REQUESTS = (_LLAMA_CPP_REQUEST, _VLLM_REQUEST, _OPENAI_REQUEST)

# Fields that only one engine's files have.
_GENERATION_CONFIG_FIELDS = _names(
    "transformers_version do_sample num_beams bos_token_id eos_token_id pad_token_id decoder_start_token_id "
    "_from_model_config"
)
_PROMPT_FIELDS = _names("prompt messages input")
_LLAMA_CPP_FIELDS = _names(
    "samplers n_predict n_probs n_keep n_indent id_slot cache_prompt min_keep post_sampling_probs t_max_predict_ms "
    "return_tokens penalize_nl"
)
# Fields that identify a request to llama.cpp; without a prompt, other programs use them, too.
_LLAMA_CPP_SAMPLING_FIELDS = _names(
    "repeat_penalty repeat_last_n mirostat mirostat_tau mirostat_eta grammar json_schema dynatemp_range "
    "dynatemp_exponent typical_p typ_p top_n_sigma tfs_z xtc_probability xtc_threshold dry_multiplier dry_base "
    "dry_allowed_length dry_penalty_last_n adaptive_target"
)
_VLLM_FIELDS = _names(
    "repetition_penalty bad_words allowed_token_ids stop_token_ids structured_outputs guided_json guided_regex "
    "guided_choice guided_grammar min_tokens prompt_logprobs use_beam_search skip_special_tokens "
    "include_stop_str_in_output spaces_between_special_tokens truncate_prompt_tokens"
)
# Files without settings, by a field that identifies them: what they are, and the fix.
_REFUSED = {
    "choices": "a response without sampling settings; pass the request instead",
    "tokens_predicted": "a response without generation_settings; pass the request instead",
    "options": "an Ollama request; save the object in its options as a separate file and pass that",
    "architectures": "a model's config.json has no sampling settings; pass its generation_config.json instead",
}

# The ends of sentences that start with a field.
_DEPENDS_ON_TEXT = "is not applied, since it depends on the text so far"
_DEPENDS_ON_POSITION = "is not applied, since it depends on the position in the text"
_CONSTRAINS_TEXT = "is not applied, since the tokens that it bans depend on the text so far"
_BANS_END = "is not applied, since tsoft does not know which tokens end a text"
_SEARCHES = "is not applied, since it searches for whole texts"
_NOT_AVAILABLE = "is not applied, since tsoft does not have it"
# Fields, the number at which they have no effect, and why tsoft cannot apply them.
_UNUSED_NUMBERS = tuple(
    (field, neutral, reason)
    for fields, neutral, reason in (
        ("repeat_penalty repetition_penalty encoder_repetition_penalty", 1, _DEPENDS_ON_TEXT),
        (
            "presence_penalty frequency_penalty dry_multiplier no_repeat_ngram_size encoder_no_repeat_ngram_size "
            "mirostat mirostat_mode penalty_alpha",
            0,
            _DEPENDS_ON_TEXT,
        ),
        ("min_length min_new_tokens min_tokens", 0, _DEPENDS_ON_POSITION),
        ("num_beams", 1, _SEARCHES),
        ("guidance_scale", 1, "is not applied, since it needs the logits of a second prompt"),
        ("smoothing_curve", 1, _NOT_AVAILABLE),
    )
    for field in fields.split()
)
# Fields, why tsoft cannot apply them, and the values at which they have no effect, other than false and empty ones.
_UNUSED = tuple(
    (field, reason, neutrals)
    for fields, reason, neutrals in (
        ("grammar json_schema", _CONSTRAINS_TEXT, ()),
        ("response_format", _CONSTRAINS_TEXT, ({"type": "text"},)),
        ("tool_choice", _CONSTRAINS_TEXT, ("none", "auto")),
        ("structured_outputs guided_json guided_regex guided_choice guided_grammar", _CONSTRAINS_TEXT, ()),
        ("constraints force_words_ids", _CONSTRAINS_TEXT, ()),
        ("bad_words bad_words_ids sequence_bias", _DEPENDS_ON_TEXT, ()),
        ("allowed_token_ids", "is not applied; set the logits of all other tokens to -inf instead", ()),
        ("begin_suppress_tokens forced_bos_token_id forced_eos_token_id", _DEPENDS_ON_POSITION, ()),
        ("exponential_decay_length_penalty", _DEPENDS_ON_POSITION, ()),
        ("ignore_eos", _BANS_END, ()),
        ("use_beam_search", _SEARCHES, ()),
        ("watermarking_config", _DEPENDS_ON_TEXT, ()),
        ("dola_layers", "is not applied, since it needs the logits of other layers", ()),
        ("temperature_last", "is not applied; tsoft uses the engine's order of samplers", ()),
    )
    for field in fields.split()
)
_KNOWN_FIELDS = {*_PARAMETERS, "logit_bias", "suppress_tokens", "samplers", "min_keep"}
_KNOWN_FIELDS.update(field for field, *_ in (*_UNUSED_NUMBERS, *_UNUSED))


@dataclass(frozen=True)
class _SettingsFile:
    """A JSON object without its null fields, which every engine treats as absent."""

    name: str
    fields: Mapping[str, Any]

    def number(self, field: str) -> float | None:
        """Return the number in a field; None if the field is absent. Raise InputError."""
        value = self.fields.get(field)
        return None if value is None else _number(value, f"{self.name}: {field}")

    def parameter_fields(self) -> dict[str, str]:
        """Return each parameter that the file sets, and the field that sets it."""
        fields: dict[str, str] = {}
        for field in self.fields:
            if field in _PARAMETERS:
                fields.setdefault(_PARAMETERS[field], field)
        return fields

    def parameters(self) -> dict[str, float]:
        """Return the parameters that the file sets, including those that are off. If two fields set the same parameter,
        the first one counts."""
        numbers = {
            field: _number(self.fields[field], f"{self.name}: {field}") for field in self.fields if field in _PARAMETERS
        }
        return {parameter: numbers[field] for parameter, field in self.parameter_fields().items()}


def read(name: str) -> Settings:
    """Read the settings in a file.

    The file is a generation_config.json of transformers, a request to llama.cpp, OpenAI or vLLM, a llama.cpp response
    with its generation_settings, or a JSON object of parameters. Raise InputError if the file cannot be read, is of
    another kind, or has a field of the wrong type.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    ...     print('{"do_sample": true, "temperature": 0.6, "transformers_version": "5.23.0"}', file=file, flush=True)
    ...     settings = read(file.name)
    >>> settings.values
    (('tau', 0.6), ('top_k', 50.0))
    >>> settings.hidden
    ('transformers applies top_k 50, which the file does not set',)
    """
    value = _load(name)
    if not isinstance(value, dict):
        raise InputError(f"{name}: expected an object of settings, got {_type_of(value)}")
    kind, file = _recognized(_file(name, value))
    if kind is _GENERATION_CONFIG:
        return _generation_config(file)
    if kind.engine == "llama.cpp":
        return _llama_cpp(kind, file)
    settings = _settings(kind, file)
    return replace(settings, hidden=_model_defaults(file)) if kind is _VLLM_REQUEST else settings


def _load(name: str) -> Any:
    """Return the JSON value in a file. Raise InputError."""
    import orjson

    try:
        with open(name, "rb") as file:
            text = decode_text(file.read(), name)
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None
    if not text.strip():
        raise InputError(f"{name}: no settings: the input is empty")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        with contextlib.suppress(orjson.JSONDecodeError):
            if error.lineno > 1:
                orjson.loads(text.split("\n", 1)[0])
                raise InputError(f"{name}:{error.lineno}: more than one JSON value; expected one object") from None
        raise InputError(f"{name}:{error.lineno}: {json_problem(error.msg)}") from None


def _file(name: str, fields: Mapping[str, Any]) -> _SettingsFile:
    return _SettingsFile(name, {field: value for field, value in fields.items() if value is not None})


def _nested(file: _SettingsFile, field: str) -> _SettingsFile:
    """Return the object in a field as a settings file."""
    value = file.fields[field]
    if not isinstance(value, dict):
        raise InputError(f"{file.name}: {field}: expected an object, got {_type_of(value)}")
    return _file(file.name, value)


def _recognized(file: _SettingsFile) -> tuple[_FileKind, _SettingsFile]:
    """Return the kind of the file, and the object in it that has the settings."""
    if "generation_settings" in file.fields:
        kind, file = _LLAMA_CPP_RESPONSE, _nested(file, "generation_settings")
    elif "default_generation_settings" in file.fields:
        kind, file = _LLAMA_CPP_PROPS, _nested(file, "default_generation_settings")
        # Older versions have the settings themselves here.
        file = _nested(file, "params") if "params" in file.fields else file
    else:
        if "extra_body" in file.fields:
            # OpenAI's Python client merges this object into the body.
            file = _file(file.name, {**file.fields, **_nested(file, "extra_body").fields})
        kind = _file_kind(file)
    if kind not in _REQUESTS and kind is not _GENERATION_CONFIG and _KNOWN_FIELDS.isdisjoint(file.fields):
        raise InputError(
            f"{file.name}: no sampling settings; expected fields such as temperature, top_k, top_p, min_p or logit_bias"
        )
    return kind, file


def _file_kind(file: _SettingsFile) -> _FileKind:
    """Return the kind of file, by its fields. Raise InputError if it has no settings."""
    fields = file.fields.keys()
    refused = next((field for field in _REFUSED if field in fields), None)
    if refused and _PARAMETERS.keys().isdisjoint(fields):
        raise InputError(f"{file.name}: {_REFUSED[refused]}")
    if not _PROMPT_FIELDS.isdisjoint(fields):
        return _request_kind(file)
    if not _GENERATION_CONFIG_FIELDS.isdisjoint(fields):
        return _GENERATION_CONFIG
    # No request has this field, so these are the generation_settings of a response.
    if "n_discard" in fields:
        return _LLAMA_CPP_RESPONSE
    return _BARE if _LLAMA_CPP_FIELDS.isdisjoint(fields) else _LLAMA_CPP_REQUEST


def _request_kind(file: _SettingsFile) -> _FileKind:
    """Return the kind of a request. One with parameters that llama.cpp and vLLM lack is for neither of them, unless
    another field identifies the engine."""
    fields, parameters = file.fields.keys(), file.parameters().keys()
    if not _LLAMA_CPP_FIELDS.isdisjoint(fields):
        return _LLAMA_CPP_REQUEST
    if parameters <= _VLLM_PARAMETERS and not _VLLM_FIELDS.isdisjoint(fields):
        return _VLLM_REQUEST
    # OpenAI requires a model's name; llama.cpp's server has only one model.
    is_completion = "prompt" in fields and "model" not in fields
    if parameters <= _LLAMA_CPP_PARAMETERS and (is_completion or not _LLAMA_CPP_SAMPLING_FIELDS.isdisjoint(fields)):
        return _LLAMA_CPP_REQUEST
    return _VLLM_REQUEST if parameters <= _VLLM_PARAMETERS and parameters & {"top_k", "min_p"} else _OPENAI_REQUEST


def _generation_config(file: _SettingsFile) -> Settings:
    """Return the settings of a generation_config.json, which are greedy unless it sets do_sample."""
    kind = _GENERATION_CONFIG
    sampling = file.fields.get("do_sample", False)
    if not isinstance(sampling, bool):
        raise InputError(f"{file.name}: do_sample: expected true or false, got {_type_of(sampling)}")
    settings = _settings(kind, file)
    if sampling:
        return settings
    ignored = _described(_effective(file.parameters()))
    greedy = "do_sample is not true, so transformers takes the most probable token"
    sentence = f"{greedy} and ignores {ignored}" if ignored else greedy
    unused = (sentence, *_unused_fields(file))
    return replace(settings, values=(("tau", 0.0),), unused=unused, hidden=())


def _model_defaults(file: _SettingsFile) -> tuple[str, ...]:
    """Return a sentence about the settings that vLLM takes from the model because the request does not set them."""
    missing = [field for field in ("temperature", "top_k", "top_p", "min_p") if field not in file.fields]
    if not missing:
        return ()
    return (f"vLLM takes {joined(missing)} from the model's generation_config.json if it sets them",)


def _llama_cpp(kind: _FileKind, file: _SettingsFile) -> Settings:
    """Return the settings of a llama.cpp request, response or /props."""
    samplers, unknown = _samplers(file)
    # llama.cpp takes a negative temperature as greedy.
    if file.parameters().get("tau", 0.0) < 0:
        file = _SettingsFile(file.name, {**file.fields, "temperature": 0.0})
    applied = _LLAMA_CPP_PARAMETERS
    if samplers is not None:
        applied = frozenset(parameter for sampler in samplers for parameter in _SAMPLER_PARAMETERS[sampler])
    reason = "it applies only the file's samplers"
    if mirostat := file.number("mirostat"):
        # With mirostat, llama.cpp applies the plain temperature first and no other sampler.
        samplers, applied = ("temperature",), frozenset(("tau",))
        reason = f"mirostat {mirostat:g} replaces the other samplers"
    settings = _settings(kind, file, applied, reason, _idle_penalties(file, samplers))
    unused = (*unknown, *_unused_samplers(file, samplers), *settings.unused)
    if samplers is not None:
        samplers = tuple(sampler for sampler in samplers if _SAMPLER_PARAMETERS[sampler])
    return replace(settings, samplers=samplers, unused=unused)


def _samplers(file: _SettingsFile) -> tuple[tuple[str, ...] | None, list[str]]:
    """Return llama.cpp's samplers in the file's order, and a sentence about names that llama.cpp would skip."""
    value = file.fields.get("samplers")
    if value is None:
        return None, []
    if isinstance(value, str):
        names = [(letter, _SAMPLER_LETTERS.get(letter, "")) for letter in value]
    elif isinstance(value, list) and all(isinstance(name, str) for name in value):
        names = [(name, _SAMPLER_NAMES.get(canonical := name.replace("-", "_"), canonical)) for name in value]
    else:
        problem = "expected an array of names or a string of letters"
        raise InputError(f"{file.name}: samplers: {problem}, got {_type_of(value)}")
    unknown = [_shown(name) for name, sampler in names if sampler not in _SAMPLER_PARAMETERS]
    sentence = f"llama.cpp has no sampler called {' or '.join(dict.fromkeys(unknown))}, so it skips the name"
    samplers = tuple(sampler for _, sampler in names if sampler in _SAMPLER_PARAMETERS)
    return samplers, [sentence] if unknown else []


def _unused_samplers(file: _SettingsFile, samplers: tuple[str, ...] | None) -> Iterator[str]:
    """Yield sentences about samplers that need more than the logits."""
    if "infill" in (samplers or ()):
        yield f"the sampler infill {_BANS_END}"
    target = file.number("adaptive_target")
    if "adaptive_p" in (samplers or ()) and target is not None and target >= 0:
        yield f"adaptive_target {target:g} {_DEPENDS_ON_TEXT}"
    if (least := file.number("min_keep")) and least > 1:
        yield f"min_keep {least:g} {_NOT_AVAILABLE}"


def _idle_penalties(file: _SettingsFile, samplers: tuple[str, ...] | None) -> frozenset[str]:
    """Return the fields of the penalties that llama.cpp would not apply, whatever their number."""
    idle: frozenset[str] = frozenset()
    if file.number("repeat_last_n") == 0 or (samplers is not None and "penalties" not in samplers):
        idle |= {"repeat_penalty", "presence_penalty", "frequency_penalty"}
    if file.number("dry_penalty_last_n") == 0 or (samplers is not None and "dry" not in samplers):
        idle |= {"dry_multiplier"}
    return idle


def _settings(
    kind: _FileKind,
    file: _SettingsFile,
    applied: frozenset[str] | None = None,
    reason: str = "",
    idle: frozenset[str] = frozenset(),
) -> Settings:
    """Return the settings of a file.

    The engine applies the parameters in `applied`, by default all of its parameters; `reason` is why it does not apply
    the others. The fields in `idle` have no effect.
    """
    parameters = file.parameters()
    applied = kind.parameters if applied is None else applied
    defaults = {name: value for name, value in kind.defaults.items() if name in applied and name not in parameters}
    values = _without_off({**_only(parameters, applied), **defaults})
    # A default has no effect if the parameter that needs it is off.
    for parameter, partner in _OFF_AT_ZERO.items():
        if partner in defaults and parameter not in values:
            values.pop(partner, None)
    hidden = _described(_only(values, defaults))
    effective = _effective(parameters)
    unknown = _described(_only(effective, effective.keys() - applied - kind.parameters))
    ignored = _described(_only(effective, kind.parameters - applied))
    unused = [f"{kind.engine} does not know {unknown}"] if unknown else []
    unused += [f"llama.cpp does not apply {ignored}, since {reason}"] if ignored else []
    return Settings(
        source=file.name,
        kind=kind.title,
        engine=kind.engine,
        values=tuple(values.items()),
        biases=tuple(_biases(file)),
        samplers=None,
        unused=(*unused, *_unused_fields(file, idle)),
        hidden=(f"{kind.engine} applies {hidden}, which the file does not set{kind.unless}",) if hidden else (),
        defaults=tuple(parameter for parameter in values if parameter in defaults),
        fields=tuple(file.parameter_fields().items()),
    )


def _only(parameters: Mapping[str, float], names: Container[str]) -> dict[str, float]:
    return {parameter: value for parameter, value in parameters.items() if parameter in names}


def _without_off(parameters: Mapping[str, float]) -> dict[str, float]:
    """Return the parameters without those that are off.

    >>> _without_off({"tau": 0.8, "top_k": -1, "min_p": 0, "xtc_probability": 0, "xtc_threshold": 0.1})
    {'tau': 0.8, 'min_p': 0}
    """
    off = {parameter for parameter in parameters if parameter in _OFF_AT_ZERO and parameters[parameter] <= 0}
    off |= {partner for parameter in off if (partner := _OFF_AT_ZERO[parameter])}
    return _only(parameters, parameters.keys() - off)


def _effective(parameters: Mapping[str, float]) -> dict[str, float]:
    """Return the parameters that have an effect."""
    return {
        parameter: value for parameter, value in _without_off(parameters).items() if _NEUTRAL.get(parameter) != value
    }


def _unused_fields(file: _SettingsFile, idle: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield sentences about fields that tsoft cannot apply, without those that have no effect."""
    for field, neutral, reason in _UNUSED_NUMBERS:
        value = file.number(field)
        if value is not None and value != neutral and field not in idle:
            yield f"{field} {value:g} {reason}"
    for field, reason, neutrals in _UNUSED:
        value = file.fields.get(field)
        # {} and 0 do have an effect: an empty schema requires JSON, and 0 may be a token.
        if value is not None and value is not False and value not in ("", [], *neutrals):
            yield f"{field} {reason}"


def _biases(file: _SettingsFile) -> Iterator[tuple[int | str, float]]:
    """Yield each token's id or text and its bias. Raise InputError."""
    where = f"{file.name}: logit_bias"
    value = file.fields.get("logit_bias")
    if isinstance(value, dict):
        pairs = [(_token_key(text), bias) for text, bias in value.items()]
    elif isinstance(value, list):
        pairs = [_bias_pair(where, entry) for entry in value]
    elif value is None:
        pairs = []
    else:
        problem = "expected an array of [token, bias] or an object {token: bias}"
        raise InputError(f"{where}: {problem}, got {_type_of(value)}")
    for token, bias in pairs:
        if bias is not None:
            # In llama.cpp, false bans a token.
            yield token, -inf if bias is False else _number(bias, where)
    for i in _suppressed_tokens(file):
        yield i, -inf


def _token_key(text: str) -> int | str:
    """Return a key of an object as a token's id if it is a whole number, else as text, as OpenAI and llama.cpp do."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


def _bias_pair(where: str, entry: Any) -> tuple[int | str, Any]:
    """Return the token and bias of an array's element. Raise InputError."""
    match entry:
        case [token, bias]:
            pass
        case {"token": token, "bias": bias}:
            # The form of a llama.cpp response, which has null for -inf.
            bias = False if bias is None else bias
        case _:
            raise InputError(f"{where}: expected [token, bias], got {_type_of(entry)}")
    if isinstance(token, str) or (type(token) is int and token >= 0):
        return token, bias
    raise InputError(f"{where}: expected a token's id or text, got {_type_of(token)}")


def _suppressed_tokens(file: _SettingsFile) -> list[int]:
    """Return the ids of the tokens that transformers bans at every step. It ignores negative ids."""
    ids = file.fields.get("suppress_tokens", [])
    where = f"{file.name}: suppress_tokens"
    if not isinstance(ids, list):
        raise InputError(f"{where}: expected an array of token ids, got {_type_of(ids)}")
    for i in ids:
        if type(i) is not int:
            raise InputError(f"{where}: expected a token's id, got {_type_of(i)}")
    return [i for i in ids if i >= 0]


def _number(value: object, where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise InputError(f"{where}: expected a number, got {_type_of(value)}")


def _type_of(value: object) -> str:
    """Return a JSON value with its type, in words for a message.

    >>> _type_of("0.9"), _type_of([0.9])
    ('the string "0.9"', 'an array')
    """
    if value is None or isinstance(value, list | dict):
        return "null" if value is None else "an array" if isinstance(value, list) else "an object"
    name = "string" if isinstance(value, str) else "boolean" if isinstance(value, bool) else "number"
    return f"the {name} {_shown(value)}"


def _shown(value: object) -> str:
    """Return a string, number or boolean as JSON, shortened if it is long."""
    import orjson

    return shortened(orjson.dumps(value).decode())


def _described(parameters: Mapping[str, float]) -> str:
    """Return parameters and their numbers as a list in words.

    >>> _described({"tau": 0.8, "top_k": 40, "min_p": 0.05})
    'temperature 0.8, top_k 40 and min_p 0.05'
    """
    return joined(
        [f"{'temperature' if parameter == 'tau' else parameter} {value:g}" for parameter, value in parameters.items()]
    )
