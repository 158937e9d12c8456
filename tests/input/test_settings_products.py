"""Sampling settings as the programs write them: one file per program in tests/data/settings."""

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cases import each_case
from tool import TESTS, here
from tsoft.errors import InputError
from tsoft.input.settings.settings import Settings
from tsoft.input.settings.settings_reader import read

FILES = TESTS / "data" / "settings"
LOGITS = np.array([2, 1, 0.5, 0.1])
TEXT = "is not applied, since it depends on the text so far"
ALIKE = "is not applied, since tsoft penalizes all tokens of the range alike"
TYPED = "is not applied, since tsoft takes it only as an option"
UNKNOWN = "is not applied, since tsoft does not know this field"
CONSTRAINED = "is not applied, since the tokens that it bans depend on the text so far"
OLLAMA = "Ollama applies top_p 0.9"


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
        "SillyTavern settings",
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
            "repetition_penalty": 1.05,
            "penalty_last_n": 2048,
            "presence_penalty": 0.1,
        },
        [
            "min_temp 0.5 and max_temp 1.5 are temperature 1 with dynatemp_range 0.5",
            "temp 0.9 is not applied, since min_temp and max_temp replace it",
            "epsilon_cutoff 3 is 0.0003, since SillyTavern counts it in units of 0.0001",
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
            "repetition_penalty": 1.07,
            "penalty_last_n": 360,
        },
        [f"rep_pen_slope 0.7 {ALIKE}"],
    ),
    "text-generation-webui.yaml": (
        "text-generation-webui settings",
        None,
        "",
        {
            "top_p": 0.85,
            "eta_cutoff": 6e-4,
            "tau": 0.8,
            "dynatemp_range": 0.4,
            "repetition_penalty": 1.15,
            "penalty_last_n": 512,
        },
        [
            "dynatemp_low 0.4 and dynatemp_high 1.2 are temperature 0.8 with dynatemp_range 0.4",
            "eta_cutoff 6 is 0.0006, since text-generation-webui counts it in units of 0.0001",
        ],
    ),
    "lm-studio.json": (
        "an LM Studio preset",
        None,
        "operation.fields",
        {"tau": 0.6, "top_k": 3, "top_p": 1, "min_p": 0.15, "repetition_penalty": 1.1},
        [],
    ),
    "ollama.Modelfile": (
        "an Ollama Modelfile",
        "ollama",
        "PARAMETER",
        {"tau": 0.5, "top_k": 3, "top_p": 0.9, "repetition_penalty": 1.2, "penalty_last_n": 64},
        [],
    ),
    "ollama-chat.json": (
        "an Ollama request",
        "ollama",
        "options",
        {"tau": 0.5, "top_k": 3, "top_p": 0.9},
        [f"format {CONSTRAINED}"],
    ),
    "text-generation-inference.json": (
        "a Text Generation Inference request",
        None,
        "parameters",
        {"tau": 0.5, "top_k": 3, "typical_p": 0.95, "repetition_penalty": 1.03},
        [
            "Text Generation Inference samples although do_sample is not true, because of temperature 0.5, top_k 3 and "
            "typical_p 0.95",
            f"watermark {TEXT}",
        ],
    ),
    "sglang.json": (
        "an SGLang request",
        "sglang",
        "sampling_params",
        {"tau": 0.5, "top_k": 3, "frequency_penalty": 0.5},
        [f"regex {CONSTRAINED}"],
    ),
    "gemini.json": (
        "Gemini's generationConfig",
        None,
        "generationConfig",
        {"tau": 0.5, "top_k": 3, "top_p": 0.9, "presence_penalty": 0.4},
        [f"responseMimeType {CONSTRAINED}"],
    ),
    "vllm.log": (
        "vLLM's sampling parameters",
        "vllm",
        "SamplingParams",
        {"tau": 0.5, "top_p": 1, "top_k": 3, "min_p": 0, "repetition_penalty": 1.1},
        [
            "ignore_eos is not applied, since tsoft does not know which tokens end a text",
        ],
    ),
}


@each_case("name", PRODUCTS)
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


def failure(read_json: Any, value: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_json(value)
    return str(caught.value).partition("settings.json: ")[2]


# Kinds


@pytest.mark.parametrize(
    ("server", "fields", "expected", "notes"),
    [
        # top-a at 0.5 · 0.575² keeps two classes in each. The temperature comes last, or with the smoothing.
        ("koboldcpp", {"sampler_order": [6, 0, 1, 3, 4, 2, 5]}, softmax([2 / 1.5, 2 / 1.5 - 0.3 * (1 / 1.5) ** 2]), []),
        ("ooba", {"temperature_last": True, "smoothing_factor": 0}, softmax([2 / 1.5, 1 / 1.5]), []),
        ("tabby", {"temperature_last": True, "smoothing_factor": 0}, softmax([2 / 1.5, 1 / 1.5]), []),
        ("llamacpp", {}, softmax(LOGITS / 1.5), ["llama.cpp does not know"]),
        ("ollama", {}, softmax(LOGITS / 1.5), ["Ollama does not know", "SillyTavern may not send all of these"]),
        ("vllm", {}, softmax(LOGITS / 1.5), ["vllm does not know", "SillyTavern may not send all of these settings"]),
    ],
)
def test_a_request_of_silly_tavern_is_for_one_server(
    tmp_path: Path, server: str, fields: dict[str, Any], expected: list[float], notes: list[str]
) -> None:
    """createTextGenGenerationData in textgen-settings.js adds llama.cpp's and Ollama's fields for other servers."""
    body = {"prompt": "x", "api_type": server, "api_server": "http://127.0.0.1:5000/", "temperature": 1.5, "top_a": 0.5}
    body |= {"n_predict": 9, "num_predict": 9, "num_ctx": 8192, "repeat_penalty": 1, "repeat_last_n": 0, "rep_pen": 1}
    body |= {"smoothing_factor": 0.3, "smoothing_curve": 1}
    (tmp_path / "request.json").write_text(json.dumps({**body, **fields}))
    got, printed = probabilities(tmp_path / "request.json", "--top-k", "4", "--top-p", "1")
    assert got == pytest.approx([*expected, *[0] * (4 - len(expected))])
    assert [sentence for sentence in notes if sentence not in printed] == []
    assert ("may not send" in printed) == (server in ("ollama", "vllm"))


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
        ({"temperature": 0.5, "num_ctx": 4096}, "ollama"),
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


def ollama(**options: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": "x", "options": {"temperature": 0.7, "top_k": 0, "top_p": 1, **options}}


@pytest.mark.parametrize(
    ("fields", "values", "unused"),
    [
        # Options in Ollama's api/types.go. Older versions have mirostat and tail-free sampling.
        (ollama(mirostat=2, mirostat_tau=1), {}, ["Ollama does not know mirostat 2, unlike its older versions"]),
        (ollama(mirostat=0, tfs_z=0.3), {}, ["Ollama does not know tfs 0.3, unlike its older versions"]),
        (
            ollama(xtc_probability=1, xtc_threshold=0.2, dynatemp_range=0.3, dry_multiplier=0),
            {},
            ["Ollama does not know xtc_probability 1, xtc_threshold 0.2 and dynatemp_range 0.3"],
        ),
        (ollama(samplers=["top_k"]), {}, ["Ollama does not know samplers"]),
        (ollama(logit_bias={"0": -100}), {}, ["Ollama does not know logit_bias"]),
        (ollama(repetition_penalty=1.3), {}, ["Ollama does not know repetition_penalty 1.3"]),
        (ollama(rep_pen=1, min_p=0.1), {"min_p": 0.1}, []),
        # A client that has a name for each program.
        (ollama(typical=0.3, typical_p=0.3), {"typical_p": 0.3}, []),
        (ollama(typical=0.4, typical_p=0.3), {"typical_p": 0.3}, ["Ollama does not know typical 0.4"]),
        # llama.cpp's server-schema.cpp.
        (
            {"n_predict": 1, "temp": 0.1, "temperature": 0.7, "top_k": 0, "top_p": 1, "min_p": 0, "topp": 0.5},
            {"min_p": 0},
            ["llama.cpp does not know temp 0.1 and topp 0.5"],
        ),
        # GenerateParameters in Text Generation Inference's router/src/lib.rs.
        (
            {
                "inputs": "x",
                "parameters": {"temperature": 0.7, "top_p": 1, "do_sample": True, "min_p": 0.5, "logit_bias": {"1": 1}},
            },
            {},
            ["Text Generation Inference does not know logit_bias", "Text Generation Inference does not know min_p 0.5"],
        ),
    ],
)
def test_fields_that_a_program_does_not_know_are_not_applied(
    read_json: Any, fields: dict[str, Any], values: dict[str, float], unused: list[str]
) -> None:
    got = read_json(fields)
    assert dict(got.values) == {"tau": 0.7, "top_p": 1, **values}
    assert (got.samplers, got.biases, list(got.unused)) == (None, (), unused)


def test_numbers_that_llama_cpp_moves_between_its_limits(read_json: Any) -> None:
    """set_limits in tools/server/server-schema.cpp; dry_base below 1 is the server's default."""
    fields = {"top_p": 1.5, "min_p": -1, "xtc_probability": 3, "temperature": -1, "dry_base": 0.5, "dry_multiplier": 1}
    fields |= {"typical_p": 2}
    got = read_json({"n_predict": 1, "top_k": 0, "xtc_threshold": 0.1, "dry_penalty_last_n": 9, **fields})
    limited = {"top_p": 1, "min_p": 0, "xtc_probability": 1, "tau": 0, "dry_base": 1.75, "typical_p": 1}
    assert dict(got.values) == {"xtc_threshold": 0.1, "dry_penalty_last_n": 9, "dry_multiplier": 1, **limited}
    assert sorted(got.unused) == [
        "dry_base 0.5 is taken as 1.75, as llama.cpp does",
        "min_p -1 is taken as 0, as llama.cpp does",
        "temperature -1 is taken as 0, as llama.cpp does",
        "top_p 1.5 is taken as 1, as llama.cpp does",
        "typical_p 2 is taken as 1, as llama.cpp does",
        "xtc_probability 3 is taken as 1, as llama.cpp does",
    ]


def test_text_generation_inference_is_greedy_without_samplers(read_json: Any) -> None:
    """server/text_generation_server/utils/tokens.py: it samples with do_sample, or if a sampler has an effect."""
    greedy = "do_sample is not true, so Text Generation Inference takes the most probable token and ignores min_p 0.5"
    got = read_json({"inputs": "x", "parameters": {"min_p": 0.5}})
    assert (got.values, got.unused) == ((("tau", 0.0),), (greedy,))
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
    problem = "several objects have sampling settings: default (top_k 5), presets.0 (temp 1), presets.1 (temp 2)"
    assert failure(read_json, presets).startswith(problem)


@pytest.mark.parametrize("field", ["messages", "tools", "inputs", "contents", "schema"])
def test_texts_and_schemas_are_not_searched(read_json: Any, field: str) -> None:
    schema = {"temperature": 20, "properties": {"top_k": 3}}
    assert read_json({field: [schema], "options": {"top_p": 0.5, "model": 1}}).values[0] == ("top_p", 0.5)
    # A description in place of a number.
    assert read_json({"x": {"temperature": {"type": "number"}}, "top_p": 0.5}).values == (("top_p", 0.5),)


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        # Replicate and RunPod.
        ({"version": "v", "input": {"prompt": "x", "temperature": 0.5, "top_k": 2}}, "input"),
        ({"input": {"prompt": "x", "sampling_params": {"temperature": 0.5, "top_k": 2}}}, "input.sampling_params"),
        # Alibaba's DashScope has the text alone there.
        ({"input": {"messages": [{"top_p": 1}]}, "parameters": {"temperature": 0.5, "top_k": 2}}, "parameters"),
        # Triton, in the notation of KServe.
        (
            {
                "inputs": [
                    {"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": ["x"]},
                    {"name": "temperature", "shape": [1, 1], "datatype": "FP32", "data": [[0.5]]},
                    {"name": "top_k", "shape": [1], "datatype": "INT32", "data": [2]},
                ]
            },
            "inputs",
        ),
    ],
)
def test_settings_next_to_the_text(tmp_path: Path, request_: Any, path: str) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(request_))
    got, notes = probabilities(tmp_path / "settings.json")
    assert got == pytest.approx([*softmax(LOGITS[:2] / 0.5), 0, 0])
    assert f"sets temperature 0.5, top_k 2 in {path}\n" in notes


def test_several_numbers_in_a_tensor(read_json: Any) -> None:
    tensor = {"name": "temperature", "data": [[0.5], [0.7]]}
    assert failure(read_json, {"inputs": [tensor]}) == "inputs: temperature: expected a number, got an array"


@pytest.mark.parametrize(
    ("request_", "kind", "values"),
    [
        ({"prompt": "x", "model": "m", "options": {"num_ctx": 9}}, "an Ollama request", (0.8, 40, 0.9)),
        ({"inputs": "x", "parameters": {"max_new_tokens": 9}}, "a Text Generation Inference request", (0,)),
        ({"input": {"prompt": "x"}}, "a request", ()),
    ],
)
def test_a_request_without_settings_has_the_defaults_of_its_server(
    read_json: Any, request_: Any, kind: str, values: tuple[float, ...]
) -> None:
    got = read_json(request_)
    assert (got.origin.kind, tuple(value for _, value in got.values)) == (kind, values)


def test_a_file_without_settings_that_apply_is_noted(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"prompt": "x", "temperature": 0.5, "top_k": 0}')
    first = probabilities(tmp_path / "settings.json", "--tau", "2")[1].splitlines()[0]
    assert first == "tsoft: note: FILE, a request, has only settings that the command line overrides"
    (tmp_path / "settings.json").write_text('{"prompt": "x", "top_k": 0}')
    first = probabilities(tmp_path / "settings.json", "--tau", "2")[1].splitlines()[0]
    assert first == "tsoft: note: FILE, a request, has no settings that apply"


def test_settings_in_other_objects_are_named(read_json: Any) -> None:
    neutral = {"presence_penalty": 0, "mirostat": 0, "mirostat_tau": 5, "repeat_last_n": 64, "dry_multiplier": 0}
    penalties = {"repeat_penalty": 1.3, "mirostat_mode": 2, **neutral}
    got = read_json({"logit_bias": {"5": 1}, "penalties": penalties, "config": {"top_k": 3}})
    assert got.biases == ()
    assert got.unused == (
        "logit_bias is not applied, since it is not in config",
        "penalties: repeat_penalty 1.3 is not applied, since it is not in config",
        "penalties: mirostat_mode 2 is not applied, since it is not in config",
    )
    assert read_json({"penalties": {"repeat_penalty": 1.3}}).values == (("repetition_penalty", 1.3),)


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


def test_names_notation_and_place_do_not_change_the_numbers(read_json: Any) -> None:
    random = Random(1)
    for _ in range(60):
        parameters = random.sample([*ALIASES], random.randint(1, len(ALIASES)))
        numbers = {parameter: random.choice([0.25, 0.5, 3.0, 7.0]) for parameter in parameters}
        document: Any = {
            random.choice(ALIASES[parameter]): random.choice([number, str(number), f" {number:e}"])
            for parameter, number in numbers.items()
        }
        for name in random.choices(["a", "config", "options", "sampling_params"], k=random.randint(0, 4)):
            document = random.choice([{name: document}, {"x": 1, name: [document], "y": None}])
        assert dict(read_json(document).values) == numbers


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
        ("mirostat", 1, "mirostat 1 is not applied, since tsoft has only version 2 of mirostat"),
        ("dry_max_ngram", 20, f"dry_max_ngram 20 {UNKNOWN}"),
        # The parameters of tsoft's samplers that no program has in its files.
        ("p_less", True, f"p_less true {TYPED}; pass --p-less"),
        ("edtTheta", 2, f"edtTheta 2 {TYPED}; pass --edt-theta"),
        ("soft_cap", 30, f"soft_cap 30 {TYPED}; pass --soft-cap"),
        ("mirostat_mu", 3, f"mirostat_mu 3 {TYPED}; pass --mirostat-mu"),
        ("json_schema", {}, f"json_schema {CONSTRAINED}"),
    ],
)
def test_fields_that_are_not_used_are_named(read_json: Any, field: str, value: Any, sentence: str) -> None:
    [got] = read_json({"temperature": 0.5, field: value}).unused
    assert got in (sentence, sentence.replace("top_p?", "top_k?"))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        # Megatron, TensorRT-LLM and ExLlamaV2.
        ({"topP": 0.0}, "topP 0 keeps only the most probable class; in some programs, 0 is off"),
        ({"tfs": 0}, "tfs 0 keeps only the most probable class; in some programs, 0 is off"),
        # text-generation-webui and OpenRouter.
        ({"preset": "mine"}, 'preset "mine" is not applied, since tsoft does not know the server\'s presets'),
        (
            {"model": "m", "options": {"seed": 1}},
            "the request has options; Ollama's native API reads only these, so it would ignore the other settings; "
            "tsoft applies them",
        ),
        ({"best_of": 4}, "best_of 4 is not applied, since it searches for whole texts"),
        ({"alpha_presence": 0.5}, f"alpha_presence 0.5 {TEXT}"),
    ],
)
def test_fields_that_a_server_may_read_in_another_way(read_json: Any, fields: dict[str, Any], sentence: str) -> None:
    assert read_json({"prompt": "x", "temperature": 0.5, **fields}).unused == (sentence,)


def test_a_preset_of_a_client_is_not_named(read_json: Any) -> None:
    assert read_json({"preset": "mine", "temperature": 0.5}).unused == ()
    assert read_json({"do_sample": False, "top_p": 0}).unused == (
        "do_sample is not true, so the program takes the most probable token and ignores top_p 0",
    )


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
        "p_less": False,
        "post_sampling_probs": True,
        # Gemini's safety settings, and other texts and objects whose names are similar to those of settings.
        "safety": [{"threshold": "BLOCK_NONE"}],
        "types": ["a"],
        "weather": {"temperature": {"type": "air", "value": 21, "unit": "C"}},
        "gpu": {"temperature": {"value": 61, "at": 3}},
    }
    assert read_json({"temperature": 0.5, **others}).unused == ()
    # textgen-settings.js: {} is no schema. All presets have these fields.
    preset = {"temp": 0.5, "rep_pen_decay": 0, "rep_pen_size": 0}
    assert read_json({**preset, "json_schema": {}}).unused == ()
    assert read_json({**preset, "json_schema": {"type": "object"}}).unused == (f"json_schema {CONSTRAINED}",)


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
    # llama.cpp, which runs with cache_prompt, and vLLM have no such range.
    for program, fields in (("llama.cpp", {"cache_prompt": True}), ("vllm", {"guided_regex": "a"})):
        found = read_json({**on, **limits, **fields, "prompt": "x"})
        assert dict(found.values)["tau"] == 1
        problem = f"dynatemp_low 0.5 and dynatemp_high 2.5 are not applied, since {program} has no such range"
        assert problem in found.unused
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


def test_a_preset_of_risu_ai_is_in_hundredths(read_json: Any) -> None:
    """src/ts/process/request/request.ts divides by 100, and does not send -1000."""
    preset = {"temperature": 100, "top_p": 0.95, "frequencyPenalty": 30, "PresensePenalty": -1000, "bias": []}
    got = read_json(preset)
    assert (got.origin.kind, dict(got.values)) == (
        "a RisuAI preset",
        {"tau": 1, "top_p": 0.95, "frequency_penalty": 0.3},
    )
    assert got.unused == (
        "RisuAI does not send PresensePenalty, since it is -1000",
        "RisuAI stores temperature in hundredths, so 100 means 1",
        "RisuAI stores frequencyPenalty in hundredths, so 30 means 0.3",
    )
    assert dict(read_json({"temperature": -1000, "top_k": 3, "formatingOrder": []}).values) == {"top_k": 3}


@pytest.mark.parametrize(("temperature", "is_noted"), [(9.9, False), (10, True), (70, True)])
def test_a_temperature_that_may_be_a_percentage_is_noted(read_json: Any, temperature: float, is_noted: bool) -> None:
    sentence = f"temp {temperature:g} is very high; if it is in hundredths, pass --tau {temperature / 100:g}"
    assert read_json({"temp": temperature}).unused == (sentence,) * is_noted
    assert read_json({"temperature": temperature, "n_predict": 1}).unused == ()


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


KOBOLD_5_3 = ("dry", "temperature", "smoothing", "top_n_sigma", "tfs", "xtc", "adaptive_p")


@pytest.mark.parametrize(
    ("fields", "samplers"),
    [
        # gpttype_adapter.cpp: DRY is always first.
        ({"sampler_order": [6, 0, 2]}, ("dry", "penalties", "top_k", "top_p", "min_p", "xtc", "adaptive_p")),
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
    assert got.samplers[-3:] == ("top_p", "mirostat", "temperature")
    assert "top_k" in got.samplers[:-3]
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
    assert got.samplers == ("dry", "temperature", "smoothing", "top_n_sigma", "top_k", "xtc", "adaptive_p")
    assert got.unused == ("samplers is not applied, since KoboldCpp uses sampler_order",)


# An order of NovelAI's presets.
NOVEL_AI = [{"id": "temperature", "enabled": True}, {"id": "top_k", "enabled": False}, {"id": "top_p", "enabled": True}]


def test_novel_ai_applies_the_samplers_that_its_order_switches_on(tmp_path: Path) -> None:
    preset = {"textGenerationSettingsVersion": 3, "temperature": 1.35, "top_k": 2, "top_p": 0.75, "order": NOVEL_AI}
    (tmp_path / "nai.preset").write_text(json.dumps({"presetVersion": 3, "parameters": preset}))
    got, notes = probabilities(tmp_path / "nai.preset")
    # After the temperature, the first two have 72 %, so top-p 0.75 keeps three.
    assert got == pytest.approx([*softmax(LOGITS[:3] / 1.35), 0])
    assert "NovelAI does not apply top_k 2, since order switches on only other samplers" in notes
    # Before the temperature, they have 79 %.
    (tmp_path / "nai.preset").write_text(json.dumps({"parameters": {**preset, "order": NOVEL_AI[::-1]}}))
    assert probabilities(tmp_path / "nai.preset")[0] == pytest.approx([*softmax(LOGITS[:2] / 1.35), 0, 0])


@pytest.mark.parametrize(
    ("order", "samplers"),
    [
        # SillyTavern, public/scripts/nai-settings.js: numbers of the samplers that are on.
        ([1, 5, 0, 2, 3, 4], ("top_k", "typ_p", "temperature", "top_p", "tfs", "top_a")),
        ([0, 10], ("temperature", "min_p")),
        (NOVEL_AI, ("temperature", "top_p")),
        (["typical_p", "tfs"], ("typ_p", "tfs")),
        ([], ()),
    ],
)
def test_orders_of_novel_ai(read_json: Any, order: Any, samplers: tuple[str, ...]) -> None:
    got = read_json({"temperature": 0.5, "tail_free_sampling": 0.9, "order": order})
    assert (got.origin.kind, got.samplers) == ("NovelAI settings", ("penalties", *samplers))


@pytest.mark.parametrize("element", [11, -1, True, None, 1.5, {"id": "top_k"}])
def test_wrong_orders_of_novel_ai(read_json: Any, element: Any) -> None:
    problem = "order: expected numbers from 0 to 10, or objects with id and enabled, got "
    assert failure(read_json, {"temperature": 1, "order": [element]}).startswith(problem)


def test_samplers_of_novel_ai_that_tsoft_does_not_have(read_json: Any) -> None:
    unified = {"math1_temp": 0.9, "math1_quad": 0.3, "math1_quad_entropy_scale": 0}
    fields = {**unified, "mirostat_tau": 4, "mirostat_lr": 0.2, "top_g": 3, "phrase_rep_pen": "aggressive"}
    got = read_json({"temperature": 0.5, "order": [0, 8, 9, 7], "repetition_penalty": 1.1, **fields})
    assert dict(got.values) == {"tau": 0.5, "repetition_penalty": 1.1}
    missing = "is not applied, since tsoft does not have it"
    assert got.unused == (
        "order does not list the penalties, which tsoft applies first",
        "mirostat_tau 4 is not applied, since tsoft does not know NovelAI's mirostat",
        f"math1_temp 0.9 {missing}",
        f"math1_quad 0.3 {missing}",
        f"top_g 3 {missing}",
        f"phrase_rep_pen {TEXT}",
    )
    # Samplers that are off.
    got = read_json({"temperature": 0.5, "order": [0], **fields, "phrase_rep_pen": "off"})
    assert (got.values, got.unused) == ((("tau", 0.5),), ())


@pytest.mark.parametrize("text", [{"messages": []}, {"message": "x"}, {"prompt": "x"}])
def test_k_and_p_of_cohere(tmp_path: Path, text: dict[str, Any]) -> None:
    """docs.cohere.com/reference/chat: k is top-k, 0 is off, and p acts after k."""
    (tmp_path / "settings.json").write_text(json.dumps({**text, "temperature": 0.5, "k": 3, "p": 0.9}))
    got, notes = probabilities(tmp_path / "settings.json")
    # Of three classes, the first two have 95.8 %.
    assert got == pytest.approx([*softmax(LOGITS[:2] / 0.5), 0, 0])
    assert "FILE, a Cohere request, sets temperature 0.5, k 3, p 0.9" in notes
    (tmp_path / "settings.json").write_text(json.dumps({**text, "k": 0, "p": 0.5}))
    assert read(str(tmp_path / "settings.json")).values == (("top_p", 0.5),)


def test_k_of_an_unknown_program_is_named(read_json: Any) -> None:
    got = read_json({"temperature": 0.5, "k": 3, "p": "x", "retriever": {"k": 4}})
    assert (got.values, got.unused) == ((("tau", 0.5),), (f"k 3 {UNKNOWN}; did you mean top_k?",))


AGNAI = {"kind": "gen-setting", "temp": 2, "topP": 0.86, "topK": 0, "minP": 0, "typicalP": 1}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # top-p 0.86 keeps three of .57 .21 .13 .09 before the temperature, and all of .40 .24 .19 .16 after it.
        ({"service": "kobold", "order": [6, 0, 1, 3, 4, 2, 5]}, 3),
        ({"service": "kobold", "order": "6,0,1,3,4,topP,temp", "disabledSamplers": ""}, 3),
        ({"service": "kobold", "order": [6, 0, 1, 3, 4, 5, 2], "disabledSamplers": []}, 4),
        # Agnai removes one sampler, but adds several again.
        ({"service": "kobold", "order": [6, 0, 1, 3, 4, 2, 5], "disabledSamplers": [2]}, 4),
        ({"service": "kobold", "order": [2, 5], "disabledSamplers": [2]}, 4),
        ({"service": "novel", "order": [2, 0]}, 3),
        ({"service": "novel", "order": "0,topP"}, 4),
        ({"service": "novel", "order": [2, 0], "disabledSamplers": "topP"}, 4),
        # Agnai sends no order to other servers, and in tsoft's order, the temperature comes first.
        ({"service": "kobold", "thirdPartyFormat": "tabby", "order": [2, 5]}, 4),
        ({"service": "ooba", "order": [2, 5]}, 4),
        # Another program.
        ({"service": {"name": "kobold"}, "order": "2,5"}, 4),
    ],
)
def test_the_order_of_agnai_depends_on_the_service(tmp_path: Path, fields: dict[str, Any], expected: int) -> None:
    (tmp_path / "preset.json").write_text(json.dumps({**AGNAI, **fields}))
    got, _ = probabilities(tmp_path / "preset.json")
    assert got == pytest.approx([*softmax(LOGITS[:expected] / 2), *[0] * (4 - expected)])


def test_temp_last_of_agnai(read_json: Any) -> None:
    """srv/adapter/payloads.ts sends it as temperature_last."""
    got = read_json({"service": "ooba", "temp": 1.5, "minP": 0.1, "tempLast": True})
    assert (got.origin.kind, got.unused, (got.samplers or ())[-2:]) == ("settings", (), ("temperature", "smoothing"))


@pytest.mark.parametrize(("element", "expected"), [("0.5", "0.5"), ("1e400", "Infinity")])
def test_an_order_of_agnai_with_another_number(read_json: Any, element: str, expected: str) -> None:
    problem = failure(read_json, {**AGNAI, "service": "kobold", "order": f"{element},2"})
    assert problem == f"sampler_order: expected numbers from 0 to 6, got {expected}"


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
    """gpttype_adapter.cpp: DRY, the penalties, the temperature and the smoothing stay."""
    fields = {"rep_pen": 1.1, "rep_pen_slope": 1, "temperature": 0.5, "top_k": 3, "smoothing_factor": 0.1}
    got = read_json({**fields, "dry_multiplier": 0.8, "mirostat": 2, "mirostat_tau": 3})
    kept = {"tau": 0.5, "smoothing_factor": 0.1, "repetition_penalty": 1.1, "dry_multiplier": 0.8}
    assert dict(got.values) == {**kept, "mirostat_tau": 3}
    assert got.samplers == ("dry", "penalties", "temperature", "smoothing", "mirostat")
    assert got.unused == ("KoboldCpp does not apply top_k 3, since mirostat 2 replaces the other samplers",)


# Samplers that depend on the text


def test_mirostat_of_a_program_that_keeps_its_samplers(read_json: Any) -> None:
    """text-generation-webui's sampler_hijack.py has mirostat among the other samplers. So has tsoft for an unknown
    program, which it says."""
    fields = {"temperature": 1, "top_k": 3, "mirostat_mode": 2, "mirostat_tau": 4, "mirostat_eta": 0.2}
    values = (("tau", 1.0), ("top_k", 3.0), ("mirostat_tau", 4.0), ("mirostat_eta", 0.2))
    got = read_json({**fields, "dynamic_temperature": False})
    assert (got.values, got.unused) == (values, ())
    got = read_json(fields)
    other = "llama.cpp applies no other sampler but the temperature with it"
    assert (got.values, got.unused) == (
        values,
        (f"tsoft applies mirostat 2 together with the other samplers; {other}",),
    )
    # ExLlamaV2 has only version 2.
    assert read_json({"mirostat": True, "mirostat_tau": 4}).values == (("mirostat_tau", 4.0),)
    assert read_json({"mirostat": False, "mirostat_tau": 4, "top_k": 3}).values == (("top_k", 3.0),)


def test_mirostat_of_lm_studio(read_json: Any) -> None:
    mirostat = {"version": 2, "learningRate": 0.2, "targetEntropy": 4}
    field = {"key": "llm.prediction.llama.mirostatSampling", "value": mirostat}
    got = read_json({"operation": {"fields": [field, {"key": "llm.prediction.temperature", "value": 1}]}})
    assert (got.values, got.unused) == ((("mirostat_tau", 4.0), ("mirostat_eta", 0.2), ("tau", 1.0)), ())


def test_mirostat_of_kobold_ai_lite(read_json: Any) -> None:
    fields = {"temperature": 0.5, "typ_s": 0.8, "tfs_s": 0.9, "sampler_order": [6, 0, 1, 3, 4, 2, 5]}
    mirostat = {"miro_type": 2, "miro_tau": 4, "miro_eta": 0.2}
    got = read_json({"savedsettings": {**fields, **mirostat}})
    assert dict(got.values) == {"tau": 0.5, "mirostat_tau": 4, "mirostat_eta": 0.2}
    ignored = "KoboldCpp does not apply typical_p 0.8 and tfs 0.9, since mirostat 2 replaces the other samplers"
    assert got.unused == (ignored,)
    got = read_json({"savedsettings": {**fields, **mirostat, "miro_type": 0}})
    assert (dict(got.values), got.unused) == ({"tau": 0.5, "typical_p": 0.8, "tfs": 0.9}, ())


def test_the_range_of_text_generation_webui_is_that_of_dry_too(read_json: Any) -> None:
    fields = {"dynamic_temperature": False, "dry_multiplier": 0.8, "repetition_penalty": 1.0}
    got = read_json({**fields, "repetition_penalty_range": 512})
    assert dict(got.values) == {"dry_multiplier": 0.8, "dry_penalty_last_n": 512}
    assert got.name("dry_penalty_last_n") == "repetition_penalty_range"
    # sampler_hijack.py: 0 is the whole text, also for the penalties.
    got = read_json({**fields, "frequency_penalty": 0.5, "repetition_penalty_range": 0})
    ranges = {"penalty_last_n": math.inf, "dry_penalty_last_n": math.inf}
    assert (dict(got.values), got.unused) == ({"dry_multiplier": 0.8, "frequency_penalty": 0.5, **ranges}, ())


@pytest.mark.parametrize(
    ("fields", "values", "unused"),
    [
        # ExLlamaV2 and TabbyAPI.
        (
            {"token_repetition_penalty": 1.2, "token_repetition_range": -1, "token_repetition_decay": 9},
            {"repetition_penalty": 1.2, "penalty_last_n": math.inf},
            [f"token_repetition_decay 9 {ALIKE}"],
        ),
        ({"token_presence_penalty": 1, "penalty_range": 9}, {"presence_penalty": 1, "penalty_last_n": 9}, []),
        ({"dry_multiplier": 1, "dry_range": 7}, {"dry_multiplier": 1, "dry_penalty_last_n": 7}, []),
        # Some programs have 0 for no token, others for all of them.
        (
            {"rep_pen": 2, "rep_pen_range": 0},
            {},
            ["rep_pen_range 0 is taken as no token; some programs take it as all"],
        ),
        (
            {"rep_pen": 2, "repetition_penalty_range": 0},
            {"repetition_penalty": 2, "penalty_last_n": math.inf},
            ["repetition_penalty_range 0 is taken as all tokens; some programs take it as no token"],
        ),
        ({"rep_pen": 1, "rep_pen_range": 0, "rep_pen_slope": 0.5, "penalize_nl": False}, {}, []),
        ({"repeat_penalty": 2, "repeat_last_n": 0}, {}, []),
        # The same number under two names.
        (
            {"rep_pen": 2, "repetition_penalty": "2.0", "repeat_last_n": 9},
            {"repetition_penalty": 2, "penalty_last_n": 9},
            [],
        ),
        # KoboldCpp.
        (
            {"max_context_length": 9, "dry_multiplier": 1, "dry_penalty_last_n": 0, "frequency_penalty": 0.5},
            {"dry_multiplier": 1, "dry_penalty_last_n": math.inf},
            ["KoboldCpp does not know frequency_penalty 0.5"],
        ),
        ({"max_context_length": 9, "rep_pen": 2, "rep_pen_slope": 3}, {"repetition_penalty": 2}, []),
        # gpttype_adapter.cpp: a range below 1 is 1.
        *(
            (
                {"max_context_length": 9, "rep_pen": 2, "rep_pen_range": n},
                {"repetition_penalty": 2, "penalty_last_n": 1},
                [f"rep_pen_range {n} is taken as 1, as KoboldCpp does"],
            )
            for n in (0, -1)
        ),
        # Before 2025, llama.cpp and Ollama could exempt line breaks.
        (
            {"num_ctx": 9, "repeat_penalty": 1.5, "penalize_newline": False},
            {"repetition_penalty": 1.5, "penalty_last_n": 64},
            ["penalize_newline false is not applied, since tsoft penalizes line breaks, too"],
        ),
        # mlx-lm's server.py: 20 tokens by default, and 0 is the whole text.
        (
            {"frequency_context_size": 30, "repetition_penalty": 0.0, "frequency_penalty": 1},
            {"frequency_penalty": 1, "penalty_last_n": 30},
            [],
        ),
        (
            {"repetition_context_size": 0, "repetition_penalty": 2},
            {"repetition_penalty": 2, "penalty_last_n": math.inf},
            [],
        ),
        (
            {"presence_context_size": 5, "repetition_penalty": 2},
            {"repetition_penalty": 2, "penalty_last_n": 20},
            [],
        ),
        ({"presence_context_size": 5, "repetition_penalty": 0, "presence_penalty": 0}, {}, []),
        # sample_utils.py: top_p 0 is off.
        ({"presence_context_size": 5, "top_p": 0}, {"top_p": 1}, []),
    ],
)
def test_penalties_and_dry(read_json: Any, fields: Any, values: dict[str, float], unused: list[str]) -> None:
    got = read_json({"temperature": 0.5, "top_k": 3, "top_p": 0.9, **fields})
    assert dict(got.values) == {"tau": 0.5, "top_k": 3, "top_p": 0.9, **values}
    assert len(got.unused) == len(unused)
    assert all(sentence.startswith(start) for sentence, start in zip(got.unused, unused, strict=True))


def test_context_sizes_that_differ(read_json: Any) -> None:
    fields = {"repetition_penalty": 2, "presence_penalty": 1, "presence_context_size": 5}
    problem = "repetition_context_size 20 and presence_context_size 5 differ"
    assert failure(read_json, fields).startswith(problem)
    assert read_json({**fields, "repetition_context_size": 5}).origin.engine == "mlx-lm"


def test_penalties_that_a_list_has_one_by_one(read_json: Any) -> None:
    """text-generation-webui has a step for each penalty; tsoft has one for all of them."""
    fields = {"temperature": 0.5, "top_p": 0.5, "repetition_penalty": 1.5, "presence_penalty": 1}
    own = ["repetition_penalty", "presence_penalty", "frequency_penalty"]
    got = read_json({**fields, "sampler_priority": ["temperature", *own, "top_p"]})
    assert (got.samplers or ())[-3:] == ("temperature", "penalties", "top_p")
    assert got.unused == ()
    # Top-k has no effect, so its place does not matter. The frequency penalty has none, either.
    got = read_json(
        {**fields, "sampler_priority": ["frequency_penalty", "temperature", own[0], "top_k", own[1], "top_p"]}
    )
    assert (got.samplers or ())[-4:] == ("temperature", "penalties", "top_k", "top_p")
    assert got.unused == ()
    step = "tsoft applies {} in one step, the repetition penalty first, where sampler_priority lists {}"
    for listed in ((own[0], "temperature", own[1], "top_p"), (own[1], own[0], "temperature", "top_p")):
        got = read_json({**fields, "sampler_priority": listed})
        assert (got.samplers or ())[-3:] == ("penalties", "temperature", "top_p")
        both = [name for name in listed if name in own]
        assert got.unused == (step.format(" and ".join(both), both[0]),)


def test_greedy_decoding_keeps_the_penalties(read_json: Any) -> None:
    penalties = {"repetition_penalty": 1.5, "repetition_decay": 3, "dry_multiplier": 1, "dry_sequence_breakers": ["a"]}
    got = read_json({"do_sample": False, "top_k": 3, "temperature": 0.5, "mirostat": 2, "mirostat_tau": 3, **penalties})
    assert dict(got.values) == {"tau": 0, "repetition_penalty": 1.5, "dry_multiplier": 1}
    assert got.breakers == ("a",)
    assert got.unused == (
        "do_sample is not true, so the program takes the most probable token and ignores top_k 3, temperature 0.5 and"
        " mirostat_tau 3",
        f"repetition_decay 3 {ALIKE}",
    )
    # Text Generation Inference samples if a sampler has an effect; a penalty is none.
    got = read_json({"inputs": "x", "parameters": {"repetition_penalty": 1.5}})
    assert got.values == (("tau", 0.0), ("repetition_penalty", 1.5))


# Each field with numbers that have no effect in any program, and others.
SAMPLING_FIELDS: dict[str, tuple[list[Any], list[Any]]] = {
    "repeat_penalty": ([1], [0.9, 1.2]),
    "presence_penalty": ([0], [-1, 0.5]),
    "frequencyPenalty": ([0.0], [0.5]),
    "repeat_last_n": ([64, -1], []),
    "dry_multiplier": ([0], [0.8]),
    "dry_base": ([1.75], []),
    "dry_sequence_breakers": ([["a"], '"a"'], []),
    "mirostat": ([0, False], [1, 2]),
    "mirostat_tau": ([5], []),
    "adaptive_target": ([-1], [0.4]),
    "adaptive_decay": ([0.9], []),
    "encoder_repetition_penalty": ([1], [1.2]),
    "no_repeat_ngram_size": ([0], [3]),
    "penalty_alpha": ([0], [0.6]),
}
# A file of each of several programs.
MARKS: list[dict[str, Any]] = [
    *({}, {"prompt": "x"}, {"n_predict": 1}, {"samplers": ["temperature"]}, {"samplers": "edkt"}, {"num_ctx": 9}),
    *({"guided_regex": "a"}, {"no_stop_trim": True}, {"eos_token_id": 2, "do_sample": True}, {"max_context_length": 9}),
    *(
        {"eos_token_id": 2},
        {"presence_context_size": 20},
        {"sampler_order": [6, 5]},
        {"temp": 1, "temperature_last": False},
    ),
    *({"dynamic_temperature": False}, {"sampler_priority": ["temperature", "dry"]}, {"candidateCount": 1}),
]


@pytest.mark.parametrize("marks", MARKS)
def test_every_field_is_applied_or_named_or_has_no_effect(tmp_path: Path, marks: dict[str, Any]) -> None:
    idle = {field: values[0] for field, (values, _) in SAMPLING_FIELDS.items()}
    effective = [(field, value) for field, (_, values) in SAMPLING_FIELDS.items() for value in values]
    cases = [
        dict(effective),
        dict(effective[::-1]),
        {**dict(effective), "mirostat": 0},
        {**idle, **dict(effective[:1])},
    ]
    cases += [] if marks else [dict([pair]) for pair in effective]
    for fields in cases:
        (tmp_path / "settings.json").write_text(json.dumps({"temperature": 1, **marks, **fields}))
        got = read(str(tmp_path / "settings.json"))
        applied = {got.name(parameter) for parameter, _ in got.values}
        applied |= {"mirostat"} if "mirostat_tau" in applied else set()
        for pair in fields.items():
            is_named = any(pair[0] in sentence for sentence in got.unused)
            assert is_named or pair[0] in applied or pair not in effective, (fields, got)


@pytest.mark.parametrize("field", [field for field, (_, effective) in SAMPLING_FIELDS.items() if effective])
def test_a_field_without_effect_is_not_named(read_json: Any, field: str) -> None:
    for value in SAMPLING_FIELDS[field][0]:
        got = read_json({"temperature": 1, field: value})
        assert (got.values, got.unused) == ((("tau", 1.0),), ())
