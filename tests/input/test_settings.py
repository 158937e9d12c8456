"""Reading sampling settings from the files of engines, servers and clients."""

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from random_json import random_value
from tool import TESTS
from tsoft.errors import InputError
from tsoft.input.settings.settings import Settings, SettingsSource
from tsoft.input.settings.settings_reader import read, readings

# The responses of a real llama-server, which may be missing.
SHARED = TESTS.parents[1] / "shared/data/llm"

# A generation_config.json of transformers, as chat models have it.
CHAT_MODEL = {
    "bos_token_id": 128000,
    "do_sample": True,
    "eos_token_id": [128001, 128008, 128009],
    "temperature": 0.6,
    "top_p": 0.9,
    "transformers_version": "4.45.0.dev0",
}
# The settings that llama-server reports: GET /props in tools/server/README.md, to_json in server-task.cpp.
LLAMA_CPP_SETTINGS: dict[str, Any] = {
    "n_predict": -1,
    "seed": 4294967295,
    "temperature": 0.800000011920929,
    "dynatemp_range": 0.0,
    "dynatemp_exponent": 1.0,
    "top_k": 40,
    "top_p": 0.949999988079071,
    "min_p": 0.05000000074505806,
    "top_n_sigma": -1.0,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.10000000149011612,
    "typical_p": 1.0,
    "repeat_last_n": 64,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "dry_penalty_last_n": 64,
    "dry_sequence_breakers": ["\n", ":", '"', "*"],
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.10000000149011612,
    "stop": [],
    "max_tokens": -1,
    "n_keep": 0,
    "n_discard": 0,
    "ignore_eos": False,
    "stream": True,
    "logit_bias": [],
    "n_probs": 0,
    "min_keep": 0,
    "grammar": "",
    "samplers": ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
    "speculative.n_max": 16,
    "timings_per_token": False,
    "lora": [],
}
LLAMA_CPP_CHAIN = ("penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature")
MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]
SERVER = ", unless the server was started with other defaults, which its /props shows"


@pytest.fixture
def read_json(tmp_path: Path) -> Any:
    def from_json(value: Any) -> Settings:
        (tmp_path / "settings.json").write_text(json.dumps(value, indent=1))
        return read(str(tmp_path / "settings.json"))

    return from_json


def error(path: Path, content: str | bytes | None = None) -> str:
    """Return the message of the error in a file, without the file's name."""
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        read(str(path))
    assert str(caught.value).startswith(str(path))
    return str(caught.value)[len(str(path)) :]


def test_generation_config(read_json: Any, tmp_path: Path) -> None:
    got = read_json(CHAT_MODEL)
    assert got == Settings(
        SettingsSource(str(tmp_path / "settings.json"), "transformers' generation_config.json", "transformers"),
        values=(("tau", 0.6), ("top_p", 0.9), ("top_k", 50.0)),
        fields=(("tau", "temperature"), ("top_p", "top_p")),
        defaults=("top_k",),
        hidden=("transformers applies top_k 50, which the file does not set",),
    )


def test_generation_config_that_sets_top_k_hides_nothing(read_json: Any) -> None:
    got = read_json({**CHAT_MODEL, "top_k": 20})
    assert (got.values[-1], got.hidden) == (("top_k", 20.0), ())
    # generation/utils.py: 0 is off. It is not None, so the default does not replace it.
    got = read_json({**CHAT_MODEL, "top_k": 0})
    assert (got.values, got.hidden) == ((("tau", 0.6), ("top_p", 0.9)), ())
    # GenerationConfig.update(defaults_only=True) replaces None.
    assert read_json({**CHAT_MODEL, "top_k": None}) == read_json(CHAT_MODEL)


@pytest.mark.parametrize("do_sample", [{"do_sample": False}, {"do_sample": None}, {}])
def test_generation_config_without_do_sample_is_greedy(read_json: Any, do_sample: dict[str, Any]) -> None:
    model = {field: value for field, value in CHAT_MODEL.items() if field != "do_sample"}
    greedy = "do_sample is not true, so transformers takes the most probable token"
    # generation/utils.py: the repetition penalty is a processor of logits, which greedy decoding has, too.
    got = read_json({**model, **do_sample, "repetition_penalty": 1.1, "presence_penalty": 0.5})
    assert (got.values, got.hidden) == ((("tau", 0.0), ("repetition_penalty", 1.1)), ())
    assert got.unused == (
        f"{greedy} and ignores temperature 0.6 and top_p 0.9",
        "transformers does not know presence_penalty 0.5",
    )
    got = read_json({"eos_token_id": 2, "transformers_version": "5.23.0", "temperature": 1.0, **do_sample})
    assert (got.values, got.unused) == ((("tau", 0.0),), (greedy,))


def test_a_generation_config_bans_tokens(read_json: Any) -> None:
    got = read_json({**CHAT_MODEL, "suppress_tokens": [1, 7, -1], "begin_suppress_tokens": [220], "num_beams": 4})
    assert got.biases == ((1, -math.inf), (7, -math.inf))
    assert [sentence.split()[0] for sentence in got.unused] == ["num_beams", "begin_suppress_tokens"]


def test_vllm_takes_more_fields_from_a_generation_config_than_sglang(tmp_path: Path) -> None:
    """get_diff_sampling_param in vllm/config/model.py, get_default_sampling_params in sglang's model_config.py."""
    model = {**CHAT_MODEL, "do_sample": False, "frequency_penalty": 0.5, "presence_penalty": 1.5, "typical_p": 0.5}
    (tmp_path / "generation_config.json").write_text(json.dumps(model))
    got = readings(str(tmp_path / "generation_config.json"), ["vllm", "sglang"])
    plain, penalties = {"tau": 0.6, "top_p": 0.9}, {"frequency_penalty": 0.5, "presence_penalty": 1.5}
    assert (dict(got["vllm"].values), dict(got["sglang"].values)) == ({**plain, **penalties}, plain)
    assert got["vllm"].unused == ("vllm does not take do_sample and typical_p from this file",)


def test_generation_config_with_parameters_that_transformers_lacks(read_json: Any) -> None:
    got = read_json({**CHAT_MODEL, "top_a": 0.2, "xtc_probability": 0.5, "xtc_threshold": 0.1})
    assert got.values == read_json(CHAT_MODEL).values
    assert got.unused == ("transformers does not know top_a 0.2, xtc_probability 0.5 and xtc_threshold 0.1",)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"top_k": 20},
        {"top_k": 0},
        {"top_k": None, "top_p": 1.0},
        {"min_p": 0.05, "top_h": 0.4, "typical_p": 0.9},
        {"epsilon_cutoff": 3e-4, "eta_cutoff": 0.0},
        {"epsilon_cutoff": 0.0, "eta_cutoff": 2e-3, "temperature": 1.0},
        {"do_sample": False},
        {"do_sample": None, "top_k": 5},
    ],
)
def test_transformers_reads_the_same_settings(read_json: Any, tmp_path: Path, changes: dict[str, Any]) -> None:
    """transformers reads the same numbers from the file. Its module of the samplers is slow to import, so the values
    that switch a sampler off are those of GenerationMixin._get_logits_processor."""
    configuration = pytest.importorskip("transformers.generation.configuration_utils")
    model = {**CHAT_MODEL, **changes}
    (tmp_path / "generation_config.json").write_text(json.dumps(model))
    config = configuration.GenerationConfig.from_pretrained(tmp_path)
    # As in GenerationMixin._prepare_generation_config.
    config.update(**config._get_default_generation_params(), defaults_only=True)
    off = {"temperature": 1.0, "top_h": None, "top_k": 0, "top_p": 1.0, "min_p": None, "typical_p": 1.0}
    off |= {"epsilon_cutoff": 0.0, "eta_cutoff": 0.0}
    applied = {field: getattr(config, field) for field in off}
    applied = {field: value for field, value in applied.items() if value not in (None, off[field])}
    values = dict(read_json(model).values)
    values["temperature"] = values.pop("tau")
    if config.do_sample:
        assert {field: value for field, value in values.items() if value != off[field]} == applied
    else:
        assert values == {"temperature": 0.0}


def test_llama_cpp_response(read_json: Any) -> None:
    body = {"content": " blue", "tokens_predicted": 1, "prompt": "The sky is", "model": "m"}
    got = read_json({**body, "generation_settings": LLAMA_CPP_SETTINGS})
    assert (got.origin.kind, got.origin.engine) == ("a llama.cpp response", "llama.cpp")
    assert dict(got.values) == {
        "tau": 0.800000011920929,
        "top_k": 40.0,
        "top_p": 0.949999988079071,
        "min_p": 0.05000000074505806,
        "typical_p": 1.0,
    }
    assert (got.samplers, got.biases, got.unused, got.hidden) == (LLAMA_CPP_CHAIN, (), (), ())
    assert got.origin.path == "generation_settings"
    # The object alone, and inside /props.
    assert read_json(LLAMA_CPP_SETTINGS).values == got.values
    props = read_json({"default_generation_settings": {"id": 0, "n_ctx": 1024, "params": LLAMA_CPP_SETTINGS}})
    assert (props.origin.kind, props.values, props.hidden) == ("llama.cpp's /props", got.values, ())
    assert read_json({"default_generation_settings": LLAMA_CPP_SETTINGS}).values == props.values


def test_real_llama_cpp_responses_without_settings() -> None:
    for name in ("llama-server.json", "llama-server-post-sampling.json"):
        if not (SHARED / name).exists():
            pytest.skip("no recorded responses here")
        if "generation_settings" in json.loads((SHARED / name).read_text()):
            assert read(str(SHARED / name)).origin.kind == "a llama.cpp response"
        else:
            assert error(SHARED / name) == ": a response without generation_settings; pass the request instead"


def test_the_settings_of_recorded_llama_cpp_chains(read_json: Any) -> None:
    """The requests and orders that a real llama-server reported."""
    if not (SHARED / "llama-cpp-chain.json").exists():
        pytest.skip("no recorded chains here")
    for chain in json.loads((SHARED / "llama-cpp-chain.json").read_text()):
        got = read_json({"prompt": "x", **chain["params"], "samplers": chain["order"]})
        assert got.origin.engine == "llama.cpp"
        assert got.samplers == tuple(chain["order"])
        given = {"tau" if field == "temperature" else field: chain["params"][field] for field in chain["params"]}
        given = {
            parameter: value
            for parameter, value in given.items()
            if parameter != "samplers" and (parameter, value) != ("top_k", 0)
        }
        assert dict(got.values) == given


def test_llama_cpp_request(read_json: Any) -> None:
    got = read_json({"prompt": "The sky is", "n_predict": 16, "temperature": 0.5, "top_k": 0})
    assert (got.origin.kind, got.origin.engine, got.samplers) == ("a llama.cpp request", "llama.cpp", None)
    # common/common.h: top_k 40, top_p 0.95, min_p 0.05, temp 0.8. A top_k of 0 is off, not missing.
    assert got.values == (("tau", 0.5), ("top_p", 0.95), ("min_p", 0.05))
    assert got.hidden == (f"llama.cpp applies top_p 0.95 and min_p 0.05, which the file does not set{SERVER}",)
    # The server treats null as absent.
    assert read_json({"prompt": "", "n_predict": 1, "temperature": None}).values == (
        ("tau", 0.8),
        ("top_k", 40.0),
        ("top_p", 0.95),
        ("min_p", 0.05),
    )


def test_llama_cpp_defaults_that_depend_on_another_field(read_json: Any) -> None:
    """The server's threshold and exponent apply if the request needs them."""
    plain = {"prompt": "", "n_predict": 1, "temperature": 1, "top_k": 5, "top_p": 1, "min_p": 0}
    got = read_json({**plain, "xtc_probability": 0.5, "dynatemp_range": 0.25})
    assert got.values[-4:] == (
        ("xtc_probability", 0.5),
        ("dynatemp_range", 0.25),
        ("dynatemp_exponent", 1.0),
        ("xtc_threshold", 0.1),
    )
    off = read_json({**plain, "xtc_probability": 0, "dynatemp_range": 0.0})
    assert off.values == read_json(plain).values
    assert off.values == (("tau", 1.0), ("top_k", 5.0), ("top_p", 1.0), ("min_p", 0.0))
    assert off.hidden == ()


def test_a_temperature_below_0_is_greedy_in_llama_cpp(read_json: Any) -> None:
    assert dict(read_json({"prompt": "", "cache_prompt": True, "temperature": -1}).values)["tau"] == 0
    # vLLM refuses it; so does the caller.
    assert dict(read_json({"messages": [], "temperature": -1, "guided_regex": "a"}).values)["tau"] == -1


@pytest.mark.parametrize(
    ("samplers", "names"),
    [
        (["temperature", "top_k", "top_p", "min_p"], ("temperature", "top_k", "top_p", "min_p")),
        # common/sampling.cpp: one letter each.
        ("edskypmxt", LLAMA_CPP_CHAIN),
        # common_sampler_types_from_names: each name also with - or without a separator, and three others.
        (["top-k", "nucleus", "typ", "temp", "topnsigma"], ("top_k", "top_p", "typ_p", "temperature", "top_n_sigma")),
        (["topk", "TopP", "minp", "typp"], ("top_k", "top_p", "min_p", "typ_p")),
        ("typ-p;topk", ("typ_p", "top_k")),
        ([], ()),
        ("", ()),
    ],
)
def test_samplers(read_json: Any, samplers: Any, names: tuple[str, ...]) -> None:
    got = read_json({"prompt": "", "samplers": samplers})
    assert (got.samplers, got.unused) == (names, ())


def test_samplers_that_the_file_does_not_list_are_not_applied(read_json: Any) -> None:
    """tools/server/README.md, samplers: a sampler that is not in the list is not applied."""
    body = {"prompt": "", "temperature": 0.7, "top_k": 40, "top_p": 0.9, "min_p": 0.05, "typical_p": 1.0}
    got = read_json({**body, "samplers": ["top_p"]})
    assert (got.values, got.hidden) == ((("top_p", 0.9),), ())
    omitted = "temperature 0.7, top_k 40 and min_p 0.05"
    assert got.unused == (f"llama.cpp does not apply {omitted}, since it applies only the file's samplers",)
    got = read_json({**body, "samplers": ["top_p", "soft-max", "x", "x"]})
    assert got.unused[0] == 'llama.cpp has no sampler called "soft-max" or "x", so it skips the name'


def test_names_of_an_older_llama_cpp_in_its_response(read_json: Any) -> None:
    settings = {**LLAMA_CPP_SETTINGS, "samplers": ["top_k", "typical_p", "temperature"], "top_p": 1, "min_p": 0}
    got = read_json({"generation_settings": settings})
    assert (got.samplers, got.unused) == (("top_k", "typ_p", "temperature"), ())


@pytest.mark.parametrize(
    ("samplers", "unknown"),
    [
        # Names of older versions and of other programs.
        (["typical", "top_k", "tfs_z"], '"typical" or "tfs_z"'),
        (["TYPICAL-P", "k", "top_k"], '"TYPICAL-P" or "k"'),
        # common_sampler_types_from_chars.
        ("fkKz", '"f" or "K" or "z"'),
    ],
)
def test_names_that_llama_cpp_does_not_know(read_json: Any, samplers: Any, unknown: str) -> None:
    got = read_json({"prompt": "", "top_k": 3, "samplers": samplers})
    assert (got.values, got.samplers) == ((("top_k", 3.0),), ("top_k",))
    assert got.unused == (f"llama.cpp has no sampler called {unknown}, so it skips the name",)


def test_llama_cpp_with_parameters_that_it_lacks(read_json: Any) -> None:
    got = read_json({"prompt": "", "n_predict": 1, "top_a": 0.2, "smoothing_factor": 0})
    assert "top_a" not in dict(got.values)
    assert got.unused == ("llama.cpp does not know top_a 0.2",)


def test_the_penalties_and_dry_of_llama_cpp(read_json: Any) -> None:
    body = {"prompt": "", "n_probs": 1, "temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0}
    plain = (("tau", 1.0), ("top_p", 1.0), ("min_p", 0.0))
    penalties = {"repeat_penalty": 1.1, "presence_penalty": 0, "frequency_penalty": -0.5, "repeat_last_n": 32}
    got = read_json({**body, **penalties, "dry_multiplier": 0.8, "dry_penalty_last_n": -1})
    applied = (("repetition_penalty", 1.1), ("frequency_penalty", -0.5), ("penalty_last_n", 32.0))
    dry = (("dry_multiplier", 0.8), ("dry_penalty_last_n", math.inf))
    # common/arg.cpp and server-schema.cpp refuse -1.
    older = "-1 is taken as all tokens, as in older versions of llama.cpp; newer ones refuse it"
    assert (got.values, got.unused) == ((*plain, *applied, *dry), (f"dry_penalty_last_n {older}",))
    # common/common.h: the server considers 64 tokens by default.
    got = read_json({**body, "repeat_penalty": 1.1})
    assert dict(got.values)["penalty_last_n"] == 64
    assert got.hidden == (f"llama.cpp applies penalty_last_n 64, which the file does not set{SERVER}",)
    got = read_json({**body, "dry_multiplier": 0.8})
    assert got.values == (*plain, ("dry_multiplier", 0.8), ("dry_penalty_last_n", 64.0))
    got = read_json({**body, "repeat_penalty": 1.1, "repeat_last_n": -1})
    assert got.values == (*plain, ("repetition_penalty", 1.1), ("penalty_last_n", math.inf))
    assert (got.hidden, got.unused) == ((), (f"repeat_last_n {older}",))
    # A range of 0 tokens, and penalties without effect.
    off = {**penalties, "repeat_last_n": 0, "dry_multiplier": 0.8, "dry_penalty_last_n": 0}
    assert (read_json({**body, **off}).values, read_json({**body, **off}).unused) == (plain, ())
    neutral = {"repeat_penalty": 1, "presence_penalty": 0, "repeat_last_n": 64, "dry_multiplier": 0, "dry_base": 0}
    assert (read_json({**body, **neutral}).values, read_json({**body, **neutral}).unused) == (plain, ())
    got = read_json({**body, "repeat_penalty": 1.1, "dry_multiplier": 0.8, "samplers": ["penalties", "temperature"]})
    assert got.samplers == ("penalties", "temperature")
    assert got.unused == ("llama.cpp does not apply dry_multiplier 0.8, since it applies only the file's samplers",)


def test_mirostat_replaces_the_chain(read_json: Any) -> None:
    """common/sampling.cpp: with mirostat, the chain is the plain temperature and mirostat."""
    tau, mirostat = ("tau", 0.800000011920929), (("mirostat_tau", 5.0), ("mirostat_eta", 0.10000000149011612))
    got = read_json({**LLAMA_CPP_SETTINGS, "mirostat": 2, "repeat_penalty": 1.2})
    assert (got.values, got.samplers) == ((tau, *mirostat), ("temperature", "mirostat"))
    ignored = "llama.cpp does not apply top_k 40, top_p 0.95, min_p 0.05"
    penalties = "repeat_last_n 64 and repeat_penalty 1.2"
    assert got.unused == (f"{ignored}, {penalties}, since mirostat 2 replaces the other samplers",)
    got = read_json({**LLAMA_CPP_SETTINGS, "mirostat": 1})
    assert (got.values, got.samplers) == ((tau,), ("temperature",))
    assert got.unused == (
        "mirostat 1 is not applied, since tsoft has only version 2 of mirostat",
        f"{ignored.replace(', min_p', ' and min_p')}, since mirostat 1 replaces the other samplers",
    )
    got = read_json({"prompt": "", "n_probs": 1, "temperature": 1, "mirostat": 2})
    assert (got.values, got.hidden) == ((("tau", 1.0), ("mirostat_tau", 5.0)), ())
    usual = "as in llama.cpp, KoboldCpp and text-generation-webui"
    assert got.unused == (f"mirostat_tau is 5, {usual}, since the file does not set it",)


def test_adaptive_p_applies_last_if_llama_cpp_lists_it(read_json: Any) -> None:
    """common/sampling.cpp: adaptive-p is the last sampler, wherever the list has it."""
    adaptive = {"adaptive_target": 0.4, "adaptive_decay": 1}
    got = read_json({"prompt": "", "temperature": 1, "samplers": ["adaptive_p", "temperature"], **adaptive})
    assert got.samplers == ("temperature", "adaptive_p")
    assert got.values == (("tau", 1.0), ("adaptive_target", 0.4), ("adaptive_decay", 0.99))
    assert got.unused == ("adaptive_decay 1 is lowered to 0.99, as llama.cpp does",)
    got = read_json({"prompt": "", "n_probs": 1, "adaptive_target": 0})
    assert "adaptive_target" not in dict(got.values)
    assert got.unused == (
        "llama.cpp does not apply adaptive_target 0, since its default order does not list adaptive_p",
    )
    # In text-generation-webui, 0 is off. llama.cpp has negative numbers for this.
    assert read_json({"temperature": 1, "adaptive_target": 0, "adaptive_decay": 0.9}).values == (("tau", 1.0),)
    assert read_json({"temperature": 1, "adaptive_target": 0.4}).values == (("tau", 1.0), ("adaptive_target", 0.4))


@pytest.mark.parametrize(
    ("breakers", "texts"),
    [
        (["\n", ":"], ("\n", ":")),
        # text-generation-webui and SillyTavern.
        ('"\\n", ":", "\\""', ("\n", ":", '"')),
        (' ["\\n"]', ("\n",)),
        ([], ()),
        ("", ()),
        (["", "none"], ("none",)),
        (None, None),
    ],
)
def test_sequence_breakers(read_json: Any, breakers: Any, texts: Any) -> None:
    # The command line may set the multiplier.
    for others in ({"dry_multiplier": 0.8}, {"temperature": 1}, {"temperature": 1, "dry_multiplier": 0}):
        assert read_json({**others, "dry_sequence_breakers": breakers}).breakers == texts


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"grammar": 'root ::= "yes" | "no"'},
            "grammar is not applied, since the tokens that it bans depend",
        ),
        ({"json_schema": {}}, "json_schema is not applied, since the tokens that it bans depend"),
        ({"ignore_eos": True}, "ignore_eos is not applied, since tsoft does not know which tokens end a text"),
        ({"min_keep": 3}, "min_keep 3 is not applied, since tsoft does not have it"),
        (
            {"samplers": ["infill", "adaptive_p"]},
            "the sampler infill is not applied, since tsoft does not",
        ),
        ({"grammar": "", "ignore_eos": False, "min_keep": 1, "n_probs": 10, "seed": 1, "stop": ["x"]}, None),
        # common/common.h: below 0, adaptive_p is off.
        ({"samplers": ["adaptive_p"], "adaptive_target": -1}, None),
    ],
)
def test_settings_that_tsoft_cannot_apply(read_json: Any, fields: dict[str, Any], why: str | None) -> None:
    got = read_json({"prompt": "", **fields})
    assert len(got.unused) == (why is not None)
    assert why is None or got.unused[0].startswith(why)


@pytest.mark.parametrize(
    "logit_bias",
    [
        [[15043, 1.0], [2, False], [" the", -0.5]],
        {"15043": 1.0, "2": False, " the": -0.5},
        # server-task.cpp, format_logit_bias; its JSON has null for an infinity.
        [{"token": 15043, "bias": 1.0}, {"token": 2, "bias": None}, {"token": " the", "bias": -0.5}],
        [[15043, 1.0], [2, False], [3, None], [" the", -0.5]],
    ],
)
def test_biases(read_json: Any, logit_bias: Any) -> None:
    got = read_json({"prompt": "", "logit_bias": logit_bias})
    assert got.biases == ((15043, 1.0), (2, -math.inf), (" the", -0.5))


def test_keys_that_are_not_ids(read_json: Any) -> None:
    long = "9" * 5000
    biases = {"007": 1, "-1": 1, "²": 1, "": 1, long: 1}
    assert [token for token, _ in read_json({"logit_bias": biases}).biases] == [7, "-1", "²", "", long]


def test_mlc_samples_although_its_config_has_the_ids_of_transformers(read_json: Any) -> None:
    """mlc_llm/protocol/mlc_chat_config.py: the ids are from generation_config.json, and the engine does not use them.
    Its cpp/serve/config.cc has no do_sample and no top_k."""
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": [2]}
    config = {"model_type": "llama", "quantization": "q4f16_1", "context_window_size": 4096, "conv_template": {}}
    got = read_json({**config, **ids, "temperature": 0.5, "top_p": 0.9, "repetition_penalty": 1.0, "top_k": 2})
    assert (got.origin.kind, got.origin.engine) == ("MLC's mlc-chat-config.json", None)
    assert got.values == (("tau", 0.5), ("top_p", 0.9))
    assert (got.unused, got.hidden) == (("MLC does not know top_k 2",), ())


def test_openai_request(read_json: Any) -> None:
    chat = {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 5, "logprobs": True, "top_logprobs": 20}
    got = read_json({**chat, "temperature": 0.2, "top_p": 0.1, "logit_bias": {"50256": -100}})
    assert (got.origin.kind, got.origin.engine) == ("a request", None)
    assert (got.values, got.biases) == ((("tau", 0.2), ("top_p", 0.1)), ((50256, -100.0),))
    assert (got.samplers, got.unused, got.hidden) == (None, (), ())
    # OpenAI's defaults are neutral: temperature 1, top_p 1.
    assert read_json(chat).values == ()
    penalties = {"frequency_penalty": 0.5, "presence_penalty": -0.5}
    got = read_json({"model": "davinci-002", "prompt": "x", "temperature": 1, **penalties})
    assert got.values == (("tau", 1.0), ("frequency_penalty", 0.5), ("presence_penalty", -0.5))
    assert (got.origin.kind, got.unused) == ("a request", ())
    got = read_json({**chat, "response_format": {"type": "json_object"}, "tool_choice": "required"})
    assert [sentence.split()[0] for sentence in got.unused] == ["response_format", "tool_choice"]
    assert read_json({**chat, "response_format": {"type": "text"}, "tool_choice": "auto"}).unused == ()


def test_vllm_request(read_json: Any) -> None:
    chat = {"model": "Qwen/Qwen3-8B", "messages": MESSAGES, "presence_penalty": 0, "frequency_penalty": 0}
    parameters = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0}
    got = read_json({**chat, **parameters, "repetition_penalty": 1.05, "bad_words": ["x"], "allowed_token_ids": []})
    assert (got.origin.kind, got.origin.engine) == ("vLLM's sampling parameters", "vllm")
    plain = (("tau", 0.7), ("top_p", 0.8), ("top_k", 20.0), ("min_p", 0.0))
    assert got.values == (*plain, ("repetition_penalty", 1.05))
    assert [sentence.split()[0] for sentence in got.unused] == ["bad_words"]
    assert got.hidden == ()
    # vllm/sampling_params.py: 0 and -1 are off.
    assert read_json({**chat, **parameters, "top_k": -1}).values == (("tau", 0.7), ("top_p", 0.8), ("min_p", 0.0))
    # Its server ignores unknown fields.
    others = {"guided_choice": ["a"], "mirostat": 2, "mirostat_tau": 3, "dry_multiplier": 1}
    got = read_json({**chat, "top_a": 0.2, **others, "do_sample": False})
    assert got.unused[:3] == (
        "vllm does not know do_sample",
        "vllm does not know mirostat 2",
        "vllm does not know top_a 0.2 and dry_multiplier 1",
    )


def test_vllm_takes_missing_settings_from_the_model(read_json: Any) -> None:
    got = read_json({"model": "m", "prompt": "x", "top_k": 5, "top_p": 0.9, "bad_words": []})
    model = "from the model's generation_config.json if it sets them, unless it runs with --generation-config vllm"
    assert (got.values, got.hidden) == (
        (("top_k", 5.0), ("top_p", 0.9)),
        (f"vLLM takes temperature, min_p, repetition_penalty, presence_penalty and frequency_penalty {model}",),
    )


@pytest.mark.parametrize(
    ("command", "takes_others"),
    [
        ("vllm serve x --override-generation-config '{\"top_k\": 5}'", True),
        ("vllm serve --model x --override-generation-config.top_k 5", True),
        # "If set to "vllm", no generation config is loaded": vllm/config/model.py.
        ("vllm serve --model x --generation-config vllm --override-generation-config.top_k 5", False),
        ('{"model": "x", "generation-config": "vllm", "override-generation-config": {"top_k": 5}}', False),
    ],
)
def test_a_command_of_vllm_takes_missing_settings_from_the_model(
    tmp_path: Path, command: str, takes_others: bool
) -> None:
    (tmp_path / "settings").write_text(command)
    got = read(str(tmp_path / "settings"))
    assert (dict(got.values), bool(got.hidden)) == ({"top_k": 5}, takes_others)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("nvext", {"temperature": 0.5, "nvext": {"top_k": 3}}),
        ("model_kwargs", {"temperature": 0.5, "model_kwargs": {"extra_body": {"top_k": 3}}}),
        ("", {"inferenceConfig": {"temperature": 0.5}, "additionalModelRequestFields": {"top_k": 3}}),
        (
            "",
            {"inferenceConfig": {"temperature": 0.5}, "additionalModelRequestFields": {"inferenceConfig": {"topK": 3}}},
        ),
    ],
)
def test_objects_that_a_program_merges_into_the_body(read_json: Any, name: str, fields: dict[str, Any]) -> None:
    got = read_json({"messages": [], **fields})
    assert (got.values, got.origin.path, got.unused) == ((("tau", 0.5), ("top_k", 3.0)), "", ())
    if name:
        with pytest.raises(InputError, match=f"temperature and {name}.temperature differ; remove one of them"):
            read_json({**fields, name: {"temperature": 0.7}})


def test_fields_that_differ_are_named_with_their_objects(read_json: Any) -> None:
    fields = {"temperature": 0.5, "extra_body": {"top_k": 3}, "nvext": {"top_k": 4}}
    with pytest.raises(InputError, match=r"extra_body\.top_k and nvext\.top_k differ; remove one of them"):
        read_json(fields)


def test_custom_params_are_merged_only_in_params(read_json: Any) -> None:
    """Open WebUI's backend/open_webui/utils/payload.py, and SGLang's sampling_params.py."""
    fields = {"temperature": 0.5, "custom_params": {"top_k": "3"}}
    assert read_json({"params": fields}).values == (("tau", 0.5), ("top_k", 3.0))
    assert read_json({"text": "x", "sampling_params": {"temperature": 0.5, "custom_params": {"a": 1}}}).values == (
        ("tau", 0.5),
    )
    with pytest.raises(InputError, match="several objects have sampling settings: sampling_params "):
        read_json({"text": "x", "sampling_params": fields})


def test_an_object_without_settings_is_named(read_json: Any) -> None:
    """AI21 has objects for penalties, of which scale 0 is off."""
    request = {"prompt": "x", "temperature": 0.5, "presencePenalty": {"scale": 0, "applyToNumbers": True}}
    assert read_json({**request, "countPenalty": {"scale": 0}}).unused == ()
    got = read_json({**request, "countPenalty": {"scale": 0.5, "applyToNumbers": False}})
    assert got.unused == ("countPenalty is not applied, since tsoft does not know this field",)
    # An object around other settings is none itself.
    got = read_json({**request, "sampling": {"min_length": 3}, "sampler": {"x": {"stop": 1}}, "sampler_x": {}})
    sentence = "sampling: min_length 3 is not applied, since it depends on the position in the text"
    assert got.unused == (sentence,)


def test_a_greedy_decoding_method(read_json: Any) -> None:
    """The parameters of watsonx.ai."""
    parameters = {"decoding_method": "greedy", "temperature": 0.7, "top_k": 50, "repetition_penalty": 1.1}
    got = read_json({"input": "x", "parameters": parameters})
    assert got.values == (("tau", 0.0), ("repetition_penalty", 1.1))
    greedy = "decoding_method is greedy, so the program takes the most probable token"
    assert got.unused == (f"{greedy} and ignores temperature 0.7 and top_k 50",)
    got = read_json({"input": "x", "parameters": {**parameters, "decoding_method": "sample"}})
    assert (dict(got.values)["tau"], got.unused) == (0.7, ())


def test_extra_body_is_merged_into_the_body(read_json: Any) -> None:
    chat = {"model": "m", "messages": MESSAGES, "temperature": 0.7}
    inside = read_json({**chat, "extra_body": {"top_k": 20, "guided_regex": "a+"}})
    assert inside == read_json({**chat, "top_k": 20, "guided_regex": "a+"})
    assert inside.origin.engine == "vllm"
    assert read_json({**chat, "extra_body": {}}).values == (("tau", 0.7),)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        # Several programs have these fields.
        ({"prompt": "x", "temperature": 0.5}, "a request"),
        ({"prompt": "x", "model": "m", "typical_p": 0.9}, "a request"),
        ({"messages": [], "model": "m", "top_k": 5, "mirostat": 0}, "a request"),
        ({"messages": [], "model": "m", "top_k": 5, "min_p": 0.1}, "a request"),
        ({"prompt": "x", "repetition_penalty": 1.0}, "a request"),
        ({"top_k": 5, "repeat_penalty": 1.1}, "settings"),
        ({"temperature": 1, "repetition_penalty": 1.1}, "settings"),
        ({"do_sample": True, "num_beams": 1, "temperature": 1}, "settings"),
        # Only one has these.
        ({"messages": [], "model": "m", "samplers": []}, "a llama.cpp request"),
        ({"top_k": 5, "samplers": "k"}, "a llama.cpp request"),
        ({"prompt": "x", "cache_prompt": True, "top_k": 5}, "a llama.cpp request"),
        ({"do_sample": True, "eos_token_id": 2, "top_k": 5}, "transformers' generation_config.json"),
    ],
)
def test_kinds(read_json: Any, fields: dict[str, Any], kind: str) -> None:
    got = read_json(fields)
    assert (got.origin.kind, got.origin.engine is None) == (kind, kind in ("a request", "settings"))


def test_bare_settings(read_json: Any) -> None:
    got = read_json({"temperature": 0.7, "top_k": 40, "note": "mine"})
    assert (got.origin.kind, got.origin.engine) == ("settings", None)
    assert (got.values, got.unused, got.hidden) == ((("tau", 0.7), ("top_k", 40.0)), (), ())
    every = {"smoothing_factor": 0.3, "top_a": 0.2, "tfs": 0.9, "typ_p": 0.8, "eta_cutoff": 0.001, "top_h": 0.5}
    assert dict(read_json(every).values) == {"typical_p" if f == "typ_p" else f: v for f, v in every.items()}
    # A threshold alone is kept, since the command line may set the probability.
    assert read_json({"xtc_threshold": 0.2}).values == (("xtc_threshold", 0.2),)
    # The options check the ranges, not the reader.
    assert read_json({"top_p": 1.5, "min_p": -1}).values == (("top_p", 1.5), ("min_p", -1.0))
    # The same number under two names.
    assert read_json({"tfs_z": 0.9, "tfs": "0.9"}).values == (("tfs", 0.9),)
    # The command line may set the sampler that these belong to.
    assert read_json({"dry_base": 2, "repeat_last_n": 8}).values == (("dry_base", 2.0), ("penalty_last_n", 8.0))
    # Of two notations of the same number, -1 and 0 for all tokens included, one is enough.
    same = {"rep_pen": 1.5, "repetition_penalty": 1.5, "rep_pen_range": 0, "repetition_penalty_range": 0}
    assert read_json(same).values == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"top_p": "90%"}, 'top_p: expected a number, got the string "90%"'),
        ({"top_p": "nan"}, 'top_p: expected a number, got the string "nan"'),
        ({"top_p": "1e999"}, "top_p: expected a finite number, got inf"),
        ({"temp": 0.7, "temperature": 0.8}, "temp 0.7 and temperature 0.8 set the same parameter; remove one of them"),
        ({"nsigma": 1, "top_n_sigma": "2"}, "nsigma 1 and top_n_sigma 2 set the same parameter; remove one of them"),
        ({"do_sample": False, "doSample": True, "top_k": 1}, "do_sample and doSample differ; remove one of them"),
        ({"temperature": False}, "temperature: expected a number, got the boolean false"),
        ({"top_k": True}, "top_k: expected a number, got the boolean true"),
        ({"temperature": [0.5, 1]}, "temperature: expected a number, got an array"),
        ({"temperature": {}}, "temperature: expected a number, got an object"),
        ({"prompt": "", "repeat_penalty": "a" * 99}, f'repeat_penalty: expected a number, got the string "{"a" * 38}…'),
        ({"repeat_penalty": [1.1]}, "repeat_penalty: expected a number, got an array"),
        ({"repeat_last_n": "all", "rep_pen": 2}, 'repeat_last_n: expected a number, got the string "all"'),
        ({"frequency_penalty": "nan"}, 'frequency_penalty: expected a number, got the string "nan"'),
        ({"frequency_penalty": "1e999"}, "frequency_penalty: expected a finite number, got inf"),
        ({"mirostat": 3}, "mirostat: expected 0, 1 or 2, got 3"),
        ({"mirostat": 1.5}, "mirostat: expected 0, 1 or 2, got 1.5"),
        ({"mirostat_mode": []}, "mirostat_mode: expected a number, got an array"),
        ({"mirostat": 2, "mirostat_mode": 0}, "mirostat and mirostat_mode differ; remove one of them"),
        ({"rep_pen": 2, "rep_pen_slope": "x"}, 'rep_pen_slope: expected a number, got the string "x"'),
        ({"rep_pen": 2, "penalize_nl": 3}, "penalize_nl: expected true or false, got the number 3"),
        ({"rep_pen": 2, "repeat_penalty": 3}, "rep_pen 2 and repeat_penalty 3 set the same parameter; remove one"),
        (
            {"dry_multiplier": 1, "dry_sequence_breakers": 5},
            "dry_sequence_breakers: expected an array of texts, got the",
        ),
        (
            {"dry_multiplier": 1, "dry_sequence_breakers": "[a"},
            "dry_sequence_breakers: expected an array of texts, got",
        ),
        (
            {"dry_multiplier": 1, "dry_sequence_breakers": ["a", 5]},
            "dry_sequence_breakers: expected an array of texts, got the number 5 in it",
        ),
        ({"do_sample": 2}, "do_sample: expected true or false, got the number 2"),
        ({"do_sample": "maybe"}, 'do_sample: expected true or false, got the string "maybe"'),
        ({"samplers": ["top_k", 1]}, "samplers: expected an array of names or a string of letters"),
        ({"samplers": {}}, "samplers: expected an array of names or a string of letters"),
        (
            {"logit_bias": 5},
            "logit_bias: expected an array of [token, bias] or an object {token: bias}, got",
        ),
        ({"logit_bias": {"5": True}}, "logit_bias: expected a number, got the boolean true"),
        ({"logit_bias": [[5]]}, "logit_bias: expected [token, bias], got an array"),
        ({"logit_bias": ["ab"]}, 'logit_bias: expected [token, bias], got the string "ab"'),
        ({"logit_bias": [[5.5, 1]]}, "logit_bias: expected a token's id or text, got the number 5.5"),
        ({"logit_bias": [[-5, 1]]}, "logit_bias: expected a token's id or text, got the number -5"),
        ({"logit_bias": [[None, 1]]}, "logit_bias: expected a token's id or text, got null"),
        ({"do_sample": True, "suppress_tokens": ["a"]}, 'suppress_tokens: expected a token\'s id, got the string "a"'),
        ({"generation_settings": []}, "no sampling settings; expected fields such as temperature"),
        ({"model": "m", "messages": [], "extra_body": 3}, "extra_body: expected an object, got the number 3"),
        (
            {"temperature": 0.7, "extra_body": {"temperature": 0.2}},
            "temperature and extra_body.temperature differ; remove one of them",
        ),
        ([[1], "temperature"], "expected an object of settings, got an array"),
        (
            [{"temperature": 1}, {"temperature": 2}],
            "several objects have sampling settings: 0 (temperature 1), 1 (temperature 2); save one of them",
        ),
        (0.7, "expected an object of settings, got the number 0.7"),
        (None, "expected an object of settings, got null"),
        ({"choices": [], "model": "m"}, "a response without sampling settings; pass the request instead"),
        (
            {"temperature": 1, "options": {"temperature": 0.5}},
            "several objects have sampling settings: the outermost one (temperature 1), options (temperature 0.5)",
        ),
        (
            {"architectures": [], "transformers_version": ""},
            "a model's config.json has no sampling settings",
        ),
        ({}, "no sampling settings; expected fields such as temperature"),
        ({"temperature": None}, "no sampling settings; expected fields such as temperature"),
        ({"temperature": ""}, "no sampling settings; expected fields such as temperature"),
        ({"default_generation_settings": {"n_ctx": 1}}, "no sampling settings; expected fields such as temperature"),
        (
            {"modelTemperature": 0.5, "a": [{"llm.top-p": "0.9", "name": "top"}]},
            "no sampling settings; tsoft does not know modelTemperature and llm.top-p; expected fields such as",
        ),
    ],
)
def test_errors_in_a_field(tmp_path: Path, fields: Any, message: str) -> None:
    assert error(tmp_path / "f.json", json.dumps(fields)).startswith(f": {message}")


def test_errors_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    assert error(path) == ": No such file or directory"
    assert error(tmp_path) == ": Is a directory"
    assert error(path, b'{"a\xff": 1}') == ":1: not UTF-8 text (byte 0xff); convert it to UTF-8"
    assert error(path, '{\n"top_k": 40,\n"top_p" 1}').startswith(":3: ")
    assert error(path, '{"top_k": 1e999}') == ":1: a number is too large; the largest number is 1.8e308"
    assert error(path, "[" * 100_000).startswith(":1: ")
    assert error(path, "") == ": no settings: the input is empty"
    assert error(path, "main: build = 4000\nsampler chain: top-k -> temp\n").startswith(":1: ")
    assert (
        error(path, '{"top_k": 1}\n{\n"top_k": 1}\n')
        == ":2: more than one JSON value; save one of them as a separate file"
    )
    assert error(path, '{"top_k": 1}\n{"top_k": 2}\n').startswith(
        ": several objects have sampling settings: 0 (top_k 1)"
    )
    for comment in ("// few", "/* few */"):
        assert error(path, f'{{"top_k": 1, {comment}\n"top_p": 1}}').endswith("; remove the comments, which JSON lacks")


def test_equal_requests_in_json_lines_are_one(tmp_path: Path) -> None:
    lines = (json.dumps({"id": i, "body": {"messages": [{"content": "It's"}], "top_k": 3}}) for i in range(2))
    (tmp_path / "batch.jsonl").write_text("\n\n".join(lines))
    got = read(str(tmp_path / "batch.jsonl"))
    assert (dict(got.values), got.unused) == ({"top_k": 3}, ("the same settings are also in 1.body",))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_settings_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "f").write_text("temperature 0.5\ntop_k 3\n", encoding=encoding)
    assert dict(read(str(tmp_path / "f")).values) == {"tau": 0.5, "top_k": 3}


def test_a_byte_order_mark_and_crlf_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_bytes(b'\xef\xbb\xbf{\r\n"top_k": 5\r\n}\r\n')
    assert read(str(tmp_path / "f.json")).values == (("top_k", 5.0),)


NAMES = """
    temperature top_k top_p min_p typ_p typical_p xtc_probability xtc_threshold dynatemp_range tfs_z top_a samplers
    logit_bias suppress_tokens mirostat repeat_penalty repeat_last_n grammar do_sample transformers_version prompt
    messages model n_predict n_discard generation_settings default_generation_settings params extra_body choices
    options min_keep response_format adaptive_target num_beams token bias temp nsigma sampler_order sampler_priority
    temperature_last dynatemp min_temp max_temp dynatemp_low parameters inputs rep_pen key value checked epsilon_cutoff
    presence_penalty rep_pen_range rep_pen_slope dry_multiplier dry_base dry_penalty_last_n dry_sequence_breakers
    mirostat_mode mirostat_tau mirostat_eta adaptive_decay repetition_context_size penalize_nl version targetEntropy
"""
LEAVES = [None, True, False, 0, 1, -1, 0.5, 40, -0.0, 1e300, 2**63, 2**64, -(2**63), "", "top_k", "edkt", "penalties"]
LEAVES += ["\x1b[31m", "5", '"a", "b"', "é\0"]


def test_any_json_is_settings_or_an_input_error(tmp_path: Path) -> None:
    path, random, names = tmp_path / "any.json", Random(1), [*NAMES.split(), "", "é"]
    messages = 0
    for _ in range(200):
        value = random_value(random, LEAVES, names)
        # Mostly numbers, so that not every example fails at its first field.
        plausible = {
            name: random.choice([0, 1, 0.5, 40, -1, random_value(random, LEAVES, names, 2)])
            for name in random.sample(names, random.randint(1, 6))
        }
        path.write_text(json.dumps(random.choice([value, plausible, plausible])))
        try:
            got = read(str(path))
        except InputError:
            messages += 1
            continue
        assert all(
            isinstance(number, float) and abs(number) < math.inf for name, number in got.values if "last" not in name
        )
        assert len(dict(got.values)) == len(got.values)
        assert got.breakers is None or all(got.breakers)
        assert all(bias == bias and bias < math.inf for _, bias in got.biases)
        assert all(isinstance(text, str) and text for text in (*got.unused, *got.hidden, *(got.samplers or ())))
    assert 50 < messages < 150


def test_any_bytes_are_settings_or_an_input_error(tmp_path: Path) -> None:
    random = Random(1)
    for _ in range(40):
        (tmp_path / "bytes.json").write_bytes(random.randbytes(random.randint(0, 40)))
        with pytest.raises(InputError):
            read(str(tmp_path / "bytes.json"))


@pytest.mark.parametrize(
    ("field", "neutral"),
    [
        ("encoder_repetition_penalty", 1),
        *((field, 0) for field in ("encoder_no_repeat_ngram_size", "no_repeat_ngram_size", "penalty_alpha")),
        *((field, 0) for field in ("min_length", "min_new_tokens", "min_tokens")),
        ("guidance_scale", 1),
    ],
)
def test_a_number_that_cannot_be_applied_is_named_unless_it_is_neutral(
    read_json: Any, field: str, neutral: float
) -> None:
    others = {"temperature": 0.5, "smoothing_factor": 0.1}
    assert read_json({**others, field: neutral}).unused == ()
    [sentence] = read_json({**others, field: 3}).unused
    assert sentence.startswith(f"{field} 3 ")
