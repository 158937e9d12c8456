"""Sampling settings as the programs write them: one file per program in tests/data/settings."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tool import TESTS, here
from tsoft.errors import InputError
from tsoft.input.settings.settings import Settings
from tsoft.input.settings.settings_reader import read

FILES = TESTS / "data" / "settings"
LOGITS = np.array([2, 1, 0.5, 0.1])
TEXT = "is not applied, since it depends on the text so far"
UNKNOWN = "is not applied, since tsoft does not know this field"
CONSTRAINED = "is not applied, since the tokens that it bans depend on the text so far"
OLLAMA = "Ollama applies top_p 0.9, which the file does not set, unless the model"


def softmax(z: npt.ArrayLike) -> npt.NDArray[np.float64]:
    p = np.exp(np.asarray(z, float) - np.max(z))
    return np.asarray(p / p.sum())


def probabilities(file: Path, *options: str) -> tuple[list[float], str]:
    """Return the probabilities that the program prints with a settings file, and its notes."""
    done = here("compute", *map(str, LOGITS), "--settings", str(file), *options)
    assert done.returncode == 0, done.stderr
    return [float(p) for p in done.stdout.split()], done.stderr.replace(f"{file}", "FILE")


def product(name: str) -> Settings:
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    return read(str(FILES / name))


# The kind, engine, path, numbers, and the sentences about what is not applied.
PRODUCTS: dict[str, tuple[str, str | None, str, dict[str, float], list[str]]] = {
    "silly-tavern.json": (
        "a SillyTavern preset",
        None,
        "",
        {
            "tau": 1,
            "top_p": 0.95,
            "tfs": 1,
            "epsilon_cutoff": 3e-4,
            "typical_p": 1,
            "min_p": 0.2,
            "dynatemp_exponent": 0.8,
            "dynatemp_range": 0.5,
        },
        [
            "min_temp 0.5 and max_temp 1.5 are temperature 1 with dynatemp_range 0.5",
            "temp 0.9 is not applied, since min_temp and max_temp replace it",
            "epsilon_cutoff 3 is 0.0003, since SillyTavern counts it in units of 0.0001",
            f"rep_pen 1.05 (with rep_pen_range 2048, rep_pen_decay 0) {TEXT}",
            f"presence_pen 0.1 {TEXT}",
        ],
    ),
    "kobold-cpp.json": (
        "KoboldAI settings",
        None,
        "",
        {
            "tau": 1.5,
            "smoothing_factor": 0.3,
            "top_p": 0.8,
            "min_p": 0.05,
            "top_k": 3,
            "typical_p": 1,
            "tfs": 1,
        },
        [f"rep_pen 1.07 (with rep_pen_range 360, rep_pen_slope 0.7) {TEXT}"],
    ),
    "text-generation-webui.yaml": (
        "text-generation-webui settings",
        None,
        "",
        {"top_p": 0.85, "eta_cutoff": 6e-4, "tau": 0.8, "dynatemp_range": 0.4},
        [
            "dynatemp_low 0.4 and dynatemp_high 1.2 are temperature 0.8 with dynatemp_range 0.4",
            "eta_cutoff 6 is 0.0006, since text-generation-webui counts it in units of 0.0001",
            f"repetition_penalty 1.15 (with repetition_penalty_range 512) {TEXT}",
        ],
    ),
    "lm-studio.json": (
        "an LM Studio preset",
        None,
        "operation.fields",
        {"tau": 0.6, "top_k": 3, "top_p": 1, "min_p": 0.15},
        [f"repeatPenalty 1.1 {TEXT}"],
    ),
    "ollama.Modelfile": (
        "an Ollama Modelfile",
        "llama.cpp",
        "PARAMETER",
        {"tau": 0.5, "top_k": 3, "top_p": 0.9},
        [f"repeat_penalty 1.2 {TEXT}"],
    ),
    "ollama-chat.json": (
        "an Ollama request",
        "llama.cpp",
        "options",
        {"tau": 0.5, "top_k": 3, "top_p": 0.9},
        [f"format {CONSTRAINED}"],
    ),
    "text-generation-inference.json": (
        "a Text Generation Inference request",
        None,
        "parameters",
        {"tau": 0.5, "top_k": 3, "typical_p": 0.95},
        [
            "Text Generation Inference samples although do_sample is not true, because of temperature 0.5, top_k 3 and "
            "typical_p 0.95",
            f"repetition_penalty 1.03 {TEXT}",
            f"watermark {TEXT}",
        ],
    ),
    "sglang.json": (
        "an SGLang request",
        "sglang",
        "sampling_params",
        {"tau": 0.5, "top_k": 3},
        [f"frequency_penalty 0.5 {TEXT}", f"regex {CONSTRAINED}"],
    ),
    "gemini.json": (
        "Gemini's generationConfig",
        None,
        "generationConfig",
        {"tau": 0.5, "top_k": 3, "top_p": 0.9},
        [f"presencePenalty 0.4 {TEXT}", f"responseMimeType {CONSTRAINED}"],
    ),
    "vllm.log": (
        "vLLM's sampling parameters",
        "vllm",
        "SamplingParams",
        {"tau": 0.5, "top_p": 1, "top_k": 3, "min_p": 0},
        [
            f"repetition_penalty 1.1 {TEXT}",
            "ignore_eos is not applied, since tsoft does not know which tokens end a text",
        ],
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_settings_of_a_product(name: str) -> None:
    kind, engine, path, values, unused = PRODUCTS[name]
    got = product(name)
    assert (got.origin.kind, got.origin.engine, got.origin.path) == (kind, engine, path)
    assert dict(got.values) == pytest.approx(values)
    assert list(got.unused) == unused
    assert [sentence.startswith(OLLAMA) for sentence in got.hidden] == [True] * name.startswith("ollama")


def test_every_fixture_has_a_row() -> None:
    assert {path.name for path in FILES.iterdir()} == PRODUCTS.keys()


def test_kobold_applies_its_numbered_samplers_in_order() -> None:
    """gpttype_adapter.cpp: smoothing follows the division by the temperature, and min-p follows top-p."""
    got, notes = probabilities(FILES / "kobold-cpp.json")
    z = LOGITS / 1.5
    z = z.max() - 0.3 * (z.max() - z) ** 2
    # The two most probable classes have 71.7 % after top-k, so top-p 0.8 keeps three.
    assert got == pytest.approx([*softmax(z[:3]), 0])
    assert "the engine is unknown, so the samplers follow the file's order and tsoft's rules" in notes
    got, notes = probabilities(FILES / "kobold-cpp.json", "--samplers", "top_k;top_p;min_p;temperature;smoothing")
    # top-p comes before the temperature now, and the first two of three classes have 86.0 %.
    assert got == pytest.approx([*softmax(z[:2]), 0, 0])
    assert "so the samplers follow the order of --samplers and tsoft's rules" in notes


@pytest.mark.parametrize(
    ("mark", "program"),
    [
        ({"truncation_length": 2048}, "text-generation-webui"),
        ({"sampler_order": [6, 0, 1, 3, 4, 2, 5]}, "KoboldCpp"),
        ({"rep_pen_decay": 0, "encoder_rep_pen": 1}, "SillyTavern"),
    ],
)
def test_smoothing_with_a_curve(read_json: Any, mark: dict[str, Any], program: str) -> None:
    fields = {"temperature": 1, "smoothing_factor": 0.3, "smoothing_curve": 2.5, **mark}
    got = read_json(fields)
    assert program.lower() in got.origin.kind.lower().replace("koboldai", "koboldcpp")
    assert dict(got.values) == {"tau": 1, "smoothing_factor": 0.3, "smoothing_curve": 2.5}
    assert not [sentence for sentence in got.unused if "smoothing" in sentence]
    # The curve has no effect without the factor.
    assert dict(read_json({**fields, "smoothing_factor": 0}).values) == {"tau": 1}


def test_silly_tavern_applies_a_dynamic_temperature_last() -> None:
    got, _ = probabilities(FILES / "silly-tavern.json")
    # min_p 0.2 removes the last class at temperature 1. The temperature depends on the entropy of the rest.
    p = softmax(LOGITS[:3])
    share = -(p * np.log(p)).sum() / math.log(3)
    assert got == pytest.approx([*softmax(LOGITS[:3] / (0.5 + share**0.8)), 0])


def test_text_generation_webui_applies_its_priority() -> None:
    pytest.importorskip("yaml")
    got, _ = probabilities(FILES / "text-generation-webui.yaml")
    # top_p 0.85 removes the last class: the first two have 78.6 %.
    p = softmax(LOGITS[:3])
    share = -(p * np.log(p)).sum() / math.log(3)
    assert got == pytest.approx([*softmax(LOGITS[:3] / (0.4 + 0.8 * share)), 0])


def test_the_path_and_the_names_of_the_file_are_noted() -> None:
    got, notes = probabilities(FILES / "gemini.json")
    assert got == pytest.approx([*softmax(LOGITS[:2] / 0.5), 0, 0])
    first, *_ = notes.splitlines()
    kind = "Gemini's generationConfig"
    assert first == f"tsoft: note: FILE, {kind}, sets temperature 0.5, topK 3, topP 0.9 in generationConfig"
    assert "no defaults are added; pass --like ENGINE if you know it" in notes
    # With an engine on the command line, it is known.
    assert "the engine is unknown" not in probabilities(FILES / "gemini.json", "--like", "transformers")[1]


@pytest.fixture
def read_json(tmp_path: Path) -> Any:
    def from_json(value: Any) -> Settings:
        (tmp_path / "settings.json").write_text(json.dumps(value))
        return read(str(tmp_path / "settings.json"))

    return from_json


def failure(read_json: Any, value: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_json(value)
    return str(caught.value).partition("settings.json: ")[2]


# Kinds


def test_the_kind_is_named_for_a_generation_config_only(read_json: Any, tmp_path: Path) -> None:
    """do_sample and num_beams are in the presets of other programs, too."""
    fields = {"do_sample": True, "num_beams": 1, "temperature": 0.5}
    assert read_json(fields).origin.kind == "settings"
    # The name of the file tells, too.
    (tmp_path / "generation_config.json").write_text(json.dumps(fields))
    got = read(str(tmp_path / "generation_config.json"))
    assert (got.origin.engine, got.defaults) == ("transformers", ("top_k",))


@pytest.mark.parametrize(
    ("fields", "engine"),
    [
        ({"sampling_params": {"temperature": 0.5, "max_tokens": 5}}, None),
        ({"sampling_params": {"temperature": 0.5, "max_new_tokens": 5}}, "sglang"),
        ({"sampling_params": {"temperature": 0.5, "allowed_token_ids": None}}, "vllm"),
        ({"temperature": 0.5, "num_ctx": 4096}, "llama.cpp"),
        ({"pad_token_id": 0, "sampling": {"temperature": 0.5}}, None),
        ({"eos_token_id": None, "do_sample": True, "temperature": 0.5}, "transformers"),
        ({"body": {"model": "m", "messages": [], "temperature": 0.5, "n_predict": 5}}, "llama.cpp"),
        ({"top_k": 5, "num_return_sequences": 1}, None),
        ({"topK": 5, "topP": 0.5, "maxOutputTokens": 7}, None),
        (
            {"temp": 5, "rep_pen": 1.1, "smoothing_curve": 1, "mirostat_mode": 0, "include_stop_str_in_output": True},
            None,
        ),
    ],
)
def test_the_engine_is_known_from_its_own_fields_only(read_json: Any, fields: Any, engine: str | None) -> None:
    assert read_json(fields).origin.engine == engine


def test_text_generation_inference_is_greedy_without_samplers(read_json: Any) -> None:
    """server/text_generation_server/utils/tokens.py: it samples with do_sample, or if a sampler has an effect."""
    assert read_json({"inputs": "x", "parameters": {"top_p": 1, "temperature": 1.0}}).values == (("tau", 0.0),)
    assert read_json({"inputs": "x", "parameters": {"top_p": 1, "do_sample": True}}).values == (("top_p", 1.0),)


@pytest.mark.parametrize("value", [False, "false", "False", 0, "no"])
def test_do_sample_false_is_greedy(read_json: Any, value: Any) -> None:
    got = read_json({"temperature": 0.7, "top_k": 5, "do_sample": value, "temperature_last": True})
    assert (got.values, got.samplers) == ((("tau", 0.0),), None)
    problem = "so the program takes the most probable token and ignores temperature 0.7 and top_k 5"
    assert got.unused == (f"do_sample is not true, {problem}",)
    assert read_json({"temperature": 0.7, "top_k": 5}).values == (("tau", 0.7), ("top_k", 5.0))


# The search


def test_settings_are_found_at_any_depth(read_json: Any) -> None:
    deep: Any = {"temperature": 0.5}
    for _ in range(900):
        deep = [deep]
    assert read_json({"a": deep}).values == (("tau", 0.5),)
    got = read_json({"presets": [{"name": "x", "config": {"topK": 3}}], "version": 2})
    assert (got.values, got.origin.path) == ((("top_k", 3.0),), "presets.0.config")
    with pytest.raises(InputError, match=r"presets\.0\.top_p: expected a number|presets\.0: top_p: expected a number"):
        read_json({"presets": [{"top_p": "high"}]})


def test_a_field_that_lm_studio_sets_twice(read_json: Any) -> None:
    fields = [{"key": "llm.prediction.temperature", "value": value} for value in (0.5, 0.6)]
    problem = "operation.fields: 'llm.prediction.temperature' is set twice, to 0.5 and 0.6; remove one of them"
    assert failure(read_json, {"operation": {"fields": fields}}) == problem


def test_several_objects_with_settings_are_an_error(read_json: Any) -> None:
    presets = {"presets": [{"temp": 1}, {"temp": 2}], "default": {"top_k": 5}}
    problem = "several objects have sampling settings: default, presets.0, presets.1"
    assert failure(read_json, presets).startswith(problem)


@pytest.mark.parametrize("field", ["messages", "tools", "inputs", "contents", "schema"])
def test_texts_and_schemas_are_not_searched(read_json: Any, field: str) -> None:
    schema = {"temperature": 20, "properties": {"top_k": 3}}
    assert read_json({field: [schema], "options": {"top_p": 0.5, "model": 1}}).values[0] == ("top_p", 0.5)
    # A description in place of a number.
    assert read_json({"x": {"temperature": {"type": "number"}}, "top_p": 0.5}).values == (("top_p", 0.5),)


def test_settings_in_other_objects_are_named(read_json: Any) -> None:
    got = read_json({"logit_bias": {"5": 1}, "penalties": {"repeat_penalty": 1.3}, "config": {"top_k": 3}})
    assert got.biases == ()
    assert got.unused == (
        "logit_bias is not applied, since it is not in config",
        f"penalties: repeat_penalty 1.3 {TEXT}",
    )


# Fields


def test_numbers_may_be_strings_and_names_may_be_in_camel_case(read_json: Any) -> None:
    got = read_json({"Temperature": "0.7", "topP": " .9 ", "top-k": "20", "minP": None, "typicalP": "9e-1"})
    assert got.values == (("tau", 0.7), ("top_p", 0.9), ("top_k", 20.0), ("typical_p", 0.9))
    assert dict(got.fields) == {"tau": "Temperature", "top_p": "topP", "top_k": "top-k", "typical_p": "typicalP"}


ALIASES = {
    "tau": ("temperature", "temp", "Temperature", "TEMP"),
    "top_k": ("top_k", "topK", "TopK", "topKSampling"),
    "top_p": ("top_p", "topP", "top-p", "topPSampling"),
    "min_p": ("min_p", "minP", "min_p_sampling"),
    "typical_p": ("typical_p", "typical", "typ_p", "typicalP", "locallyTypicalSampling"),
    "tfs": ("tfs", "tfs_z", "tailFreeSampling"),
    "top_n_sigma": ("top_n_sigma", "nsigma", "topNSigma"),
    "top_a": ("top_a", "topA"),
}


@st.composite
def rewritten(draw: st.DrawFn) -> tuple[dict[str, float], Any]:
    """Return numbers of parameters, and a document that sets them, with any names and notation at any place."""
    numbers = draw(st.dictionaries(st.sampled_from([*ALIASES]), st.sampled_from([0.25, 0.5, 3.0, 7.0]), min_size=1))
    document: Any = {
        draw(st.sampled_from(ALIASES[parameter])): draw(st.sampled_from([number, str(number), f" {number:e}"]))
        for parameter, number in numbers.items()
    }
    for name in draw(st.lists(st.sampled_from(["a", "config", "options", "sampling_params"]), max_size=4)):
        document = draw(st.sampled_from([{name: document}, {"x": 1, name: [document], "y": None}]))
    return numbers, document


@settings(derandomize=True, deadline=None, database=None, max_examples=100)
@given(rewritten())
def test_names_notation_and_place_do_not_change_the_numbers(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[dict[str, float], Any]
) -> None:
    numbers, document = case
    path = tmp_path_factory.getbasetemp() / "rewritten.json"
    path.write_text(json.dumps(document))
    assert dict(read(str(path)).values) == numbers


def test_false_switches_a_sampler_off(read_json: Any) -> None:
    """LM Studio's client writes false for a sampler without a check mark."""
    got = read_json({"temperature": 0.5, "topPSampling": False, "top_k": False, "repeatPenalty": False})
    assert (got.values, got.unused) == ((("tau", 0.5), ("top_p", 1.0)), ())


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("penalty_of_words", 2, f"penalty_of_words 2 {UNKNOWN}"),
        (
            "tempreture",
            2,
            f"tempreture 2 {UNKNOWN}; did you mean temperature?",
        ),
        ("top_q", "a", f"top_q {UNKNOWN}; did you mean top_p?"),
        ("samplers_priorities", ["dry"], f"samplers_priorities {UNKNOWN}"),
        ("decoding", "Greedy", f"decoding {UNKNOWN}"),
        ("sampling", False, f"sampling false {UNKNOWN}"),
        ("banned_strings", ["a"], f"banned_strings {TEXT}"),
        ("ban_eos_token", "true", "ban_eos_token is not applied, since tsoft does not know which tokens end a text"),
        ("mirostat", True, f"mirostat {TEXT}"),
        ("adaptive_target", 0.4, f"adaptive_target 0.4 {TEXT}"),
    ],
)
def test_fields_that_are_not_used_are_named(read_json: Any, field: str, value: Any, sentence: str) -> None:
    [got] = read_json({"temperature": 0.5, field: value}).unused
    assert got in (sentence, sentence.replace("top_p?", "top_k?"))


def test_other_fields_are_not_named(read_json: Any) -> None:
    others = {
        "seed": 7,
        "stop": ["x"],
        "template": "chatml",
        "max_tokens": 5,
        "name": "mine",
        "top_logprobs": 5,
        "n": 2,
        "sampler_seed": -1,
        "rep_pen": 1,
        "rep_pen_range": 360,
        "mirostat": 0,
        "mirostat_tau": 5,
        "format": "a",
        "top_x": [],
        "penalty_y": "",
        "dry_base": 1.75,
        "skew": 0.0,
        "num_beams": "1",
    }
    assert read_json({"temperature": 0.5, **others}).unused == ()


def test_the_range_of_a_dynamic_temperature(read_json: Any) -> None:
    on = {"dynamic_temperature": True, "temperature": 1, "top_p": 0.5}
    limits = {"dynatemp_low": 0.5, "dynatemp_high": "2.5"}
    got = dict(read_json({**on, **limits, "dynatemp_exponent": 2}).values)
    assert got == {"tau": 1.5, "top_p": 0.5, "dynatemp_exponent": 2, "dynatemp_range": 1}
    # The same range in the words of two programs, as SillyTavern sends them.
    both = {"temperature": 1.5, "dynatemp_range": 1, "min_temp": 0.5, "max_temp": 2.5}
    assert dict(read_json({**on, **limits, **both}).values)["dynatemp_range"] == 1
    assert "set different ranges" in failure(read_json, {**on, **limits, "dynatemp_range": 0.3})
    assert "set different ranges" in failure(read_json, {**on, **limits, "min_temp": 0, "max_temp": 2})
    assert "are not a range of temperatures" in failure(read_json, {**on, "min_temp": 2, "max_temp": 1})
    assert "the lowest and the highest temperature are missing" in failure(read_json, on)
    assert "dynatemp and dynamic_temperature differ" in failure(read_json, {**on, **limits, "dynatemp": False})
    # llama.cpp's field needs no switch.
    assert read_json({"temperature": 1, "dynatemp_range": 0.5}).unused == ()
    off = read_json({"dynatemp": False, "temp": 1, "dynatemp_range": 0.5, "dynatemp_exponent": 2, **limits})
    assert off.values == (("tau", 1.0),)
    assert off.unused == ("dynatemp_range 0.5 is not applied, since dynatemp is false",)
    assert read_json({"temp": 1, **limits}).unused == (
        "dynatemp_low 0.5 and dynatemp_high 2.5 are not applied, since the file does not switch them on",
    )


def test_cutoffs_in_units_of_a_ten_thousandth(read_json: Any) -> None:
    """text-generation-webui multiplies both by 1e-4."""
    assert read_json({"eta_cutoff": 10.42}).values == (("eta_cutoff", pytest.approx(1.042e-3)),)
    assert read_json({"eta_cutoff": 2e-3}).unused == ()
    got = read_json({"epsilon_cutoff": 0.5})
    assert (got.values, len(got.unused)) == ((("epsilon_cutoff", 0.5),), 1)
    webui = read_json({"epsilon_cutoff": 0.5, "dynamic_temperature": False})
    assert webui.values == (("epsilon_cutoff", pytest.approx(5e-5)),)
    # transformers has probabilities; a larger number is an error for the caller.
    assert ("eta_cutoff", 3.0) in read_json({"eta_cutoff": 3, "do_sample": True, "eos_token_id": 2}).values


def test_parameters_that_ollama_shows(read_json: Any) -> None:
    """ollama.com/blog: POST /api/show answers with the parameters as text."""
    text = 'temperature                    0.5\nstop                           "<|a|>"\nstop "<|b|>"\ntop_k 3'
    got = read_json({"modelfile": "FROM x", "parameters": text, "template": "{{ .Prompt }}"})
    assert (dict(got.values), got.origin.path) == ({"tau": 0.5, "top_k": 3, "top_p": 0.9}, "parameters")
    assert failure(read_json, {"parameters": "top_k 3\ntop_k 4"}).startswith("parameters: 'top_k' is set twice")
    assert failure(read_json, {"parameters": "none"}).startswith("no sampling settings")


def test_a_check_box_of_lm_studio(read_json: Any) -> None:
    def checked(box: Any) -> Any:
        fields = [{"key": "llm.prediction.topKSampling", "value": {"checked": box, "value": 3}, "id": 1}]
        return {"operation": {"fields": fields}}

    assert read_json(checked(True)).values == (("top_k", 3.0),)
    assert read_json(checked(False)).values == ()
    assert "expected a number, got an object" in failure(read_json, checked("yes"))


# Orders


KOBOLD_5_3 = ("temperature", "smoothing", "top_n_sigma", "tfs", "xtc")


@pytest.mark.parametrize(
    ("fields", "samplers"),
    [
        ({"sampler_order": [6, 0, 2]}, ("top_k", "top_p", "min_p", "xtc")),
        ({"sampler_order": ["5", "3"]}, KOBOLD_5_3),
        ({"sampler_order": ["typical", "temp"]}, ("typ_p", "temperature")),
        # KoboldCpp has its default order then.
        ({"sampler_order": []}, None),
        # SillyTavern has empty lists for other programs.
        ({"temp": 0.5, "samplers": [], "sampler_priority": [], "sampler_order": [5, 3]}, KOBOLD_5_3),
        # Lists that agree.
        ({"temp": 0.5, "samplers": ["tfs_z", "temp"], "sampler_order": [3, 5]}, ("tfs", "temperature")),
        ({"samplers": "top_k;temperature"}, ("top_k", "temperature")),
        ({"samplers": "kt"}, ("top_k", "temperature")),
        # A sampler without effect may be there twice.
        ({"samplers": "ktpp", "top_p": 1}, ("top_k", "temperature", "top_p", "top_p")),
    ],
)
def test_orders(read_json: Any, fields: dict[str, Any], samplers: Any) -> None:
    assert read_json({"temperature": 0.5, "tfs": 0.5, **fields}).samplers == samplers


def test_the_priority_lists_the_last_samplers(read_json: Any) -> None:
    fields = {"temperature": 0.5, "top_k": 3, "top_p": 0.5}
    got = read_json({**fields, "sampler_priority": ["top_p", "mirostat", "temperature"]})
    assert got.samplers
    assert got.samplers[-2:] == ("top_p", "temperature")
    assert "top_k" in got.samplers[:-2]
    [sentence] = got.unused
    assert sentence.startswith("sampler_priority does not list top_k; text-generation-webui applies unlisted samplers")
    last = read_json({**fields, "sampler_priority": "temperature\ntop_k\ntop_p", "temperature_last": True})
    assert last.samplers
    assert [name for name in last.samplers if name in ("temperature", "top_k", "top_p")] == [
        "top_k",
        "top_p",
        "temperature",
    ]


def test_orders_that_disagree_are_not_applied(read_json: Any) -> None:
    preset = {"temp": 0.5, "top_k": 3, "samplers": ["temperature", "top_k"], "sampler_order": [5, 0]}
    assert read_json(preset).samplers == ("temperature", "top_k")
    got = read_json({**preset, "temperature_last": True})
    assert got.samplers is None
    [sentence] = got.unused
    assert sentence.startswith("samplers, sampler_order and temperature_last disagree on the order of the samplers")
    assert sentence.endswith("; pass --samplers with the order")
    # KoboldCpp has one field for the order.
    got = read_json(
        {"max_context_length": 1, "top_k": 3, "temperature": 0.5, "sampler_order": [5, 0], "samplers": "kt"}
    )
    assert got.samplers == ("temperature", "smoothing", "top_n_sigma", "top_k", "xtc")
    assert got.unused == ("samplers is not applied, since KoboldCpp uses sampler_order",)


@pytest.mark.parametrize("order", [{"sampler_order": [5, 0, 5]}, {"samplers": "tkt"}])
def test_a_sampler_that_is_listed_twice(read_json: Any, order: dict[str, Any]) -> None:
    """llama.cpp and KoboldCpp apply it twice."""
    problem = "lists temperature more than once, which tsoft cannot apply; list each sampler once"
    assert problem in failure(read_json, {"temperature": 0.5, **order})


@pytest.mark.parametrize("text", ["temp", "top_k", "Temperature", "top_k temperature", "k, t"])
def test_samplers_in_a_string_are_letters(read_json: Any, text: str) -> None:
    """llama.cpp's server reads the string "temp" as temperature, penalties, min_p and top_p."""
    problem = f'samplers: expected one letter per sampler, got the string "{text}"; write names as an array'
    assert failure(read_json, {"temperature": 0.5, "samplers": text}) == problem


@pytest.mark.parametrize("value", [[7], [True], ["5", "x"], {"a": 1}, [1.5], 3])
def test_wrong_orders(read_json: Any, value: Any) -> None:
    assert failure(read_json, {"temp": 1, "sampler_order": value}).startswith("sampler_order: expected ")


def test_mirostat_replaces_the_samplers_of_kobold(read_json: Any) -> None:
    got = read_json(
        {"rep_pen": 1.1, "rep_pen_slope": 1, "temperature": 0.5, "top_k": 3, "smoothing_factor": 0.1, "mirostat": 2}
    )
    assert dict(got.values) == {"tau": 0.5, "smoothing_factor": 0.1}
    assert got.unused[0] == "KoboldCpp does not apply top_k 3, since mirostat 2 replaces the other samplers"
    assert [sentence.split()[0] for sentence in got.unused[1:]] == ["rep_pen", "mirostat"]
