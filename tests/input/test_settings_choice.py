"""Which of several objects in a file of settings applies."""

import re
from typing import Any

import pytest

from tsoft.errors import InputError


def api(**fields: Any) -> dict[str, Any]:
    """Return a request to Ollama's API: GenerateRequest in api/types.go has settings in options alone."""
    return {"model": "m", "prompt": "x", "options": {"num_ctx": 9}, **fields}


@pytest.mark.parametrize(
    ("request_body", "tau", "ignored"),
    [
        (api(temperature=0.3), 0.8, ["temperature 0.3 is not applied, since it is not in options"]),
        (
            {"messages": [], "keep_alive": 0, "temperature": 0.3, "options": {"temperature": 0.9}},
            0.9,
            ["temperature 0.3 is not applied, since it is not in options"],
        ),
        (
            {"request": api(top_p=0.5)},
            0.8,
            ["request: top_p 0.5 is not applied, since it is not in request.options"],
        ),
        (
            {"model": "m", "messages": [], "temperature": 0.3, "options": {"temperature": 0.6}},
            0.6,
            ["temperature 0.3 is not applied, since it is not in options"],
        ),
        # Another client may send it, as LiteLLM does.
        (
            {"messages": [], "temperature": 0.3, "num_ctx": 9},
            0.3,
            ["Ollama's native API reads only options, so it would ignore these settings; tsoft applies them"],
        ),
        ({"temperature": 0.3, "num_ctx": 9}, 0.3, []),
    ],
)
def test_ollama_reads_options_only(read_json: Any, request_body: Any, tau: float, ignored: list[str]) -> None:
    got = read_json(request_body)
    assert (got.origin.engine, dict(got.values)["tau"], list(got.unused)) == ("ollama", tau, ignored)


@pytest.mark.parametrize(
    "request_body",
    [
        # Nodes of n8n.
        {"type": "lmChatOpenAi", "parameters": {"model": "m", "options": {"temperature": 0.3}}},
        {"parameters": {"model": {"value": "m"}, "options": {"temperature": 0.3}}},
        {"parameters": {"model": "m", "prompt": {"messages": []}, "options": {"temperature": 0.3}}},
        {"parameters": {"messages": {"values": []}, "options": {"temperature": 0.3}}},
        {"model": "m", "prompt": "x", "options": {"temperature": 0.3, "maxTokens": 9}},
    ],
)
def test_options_of_other_programs_have_no_defaults_of_ollama(read_json: Any, request_body: Any) -> None:
    got = read_json(request_body)
    assert (got.origin.engine, dict(got.values)) == (None, {"tau": 0.3})


@pytest.mark.parametrize(
    ("document", "path", "others"),
    [
        # A log of Inspect, the slots of llama.cpp, and a request with its response.
        ({"eval": {"config": {"temperature": 0.3}}, "plan": {"temperature": 0.3}}, "plan", "eval.config"),
        ([{"params": {"temperature": 0.3, "min_p": 0.1}}] * 2, "0.params", "1.params"),
        ({"a": {"temperature": 0.3}, "b": {"temperature": 0.3, "top_p": 1, "id": "r"}}, "a", "b"),
        ([{"temperature": 0.3, "id": i} for i in range(9)], "0", "1, 2, 3, 4, 5, …"),
        # Commands.
        ({"a": {"cmd": "bin/x --temp 0.3"}, "b": {"cmd": ["x", "--temp", "0.3"]}}, "a.cmd.x", "b.cmd.x"),
    ],
)
def test_objects_with_the_same_settings_are_one(read_json: Any, document: Any, path: str, others: str) -> None:
    got = read_json(document)
    assert (got.origin.path, dict(got.values)["tau"]) == (path, 0.3)
    assert got.unused == (f"the same settings are also in {others}",)


@pytest.mark.parametrize(
    "document",
    [
        {"a": {"temperature": 0.3}, "b": {"temperature": 0.3, "top_p": 0.9}},
        {"a": {"temperature": 0.3}, "b": {"temperature": 0.3, "do_sample": False}},
        [{"message": "x", "temperature": 0.3, "k": k} for k in (2, 3)],
        [{"temperature": 0.3, "dry_multiplier": 0.8, "dry_sequence_breakers": [text]} for text in "ab"],
        # llama.cpp has top_k 40 if the request does not set it.
        [{"temperature": 0.3, "n_predict": 1}, {"temperature": 0.3, "n_predict": 1, "top_p": 1}],
        # Another program has the same number with another meaning.
        {"a": {"temperature": 90}, "b": {"temperature": 90, "formatingOrder": []}, "main_api": "other"},
    ],
)
def test_objects_with_different_settings_are_an_error(read_json: Any, document: Any) -> None:
    with pytest.raises(InputError, match="several objects have sampling settings: "):
        read_json(document)


def test_the_error_of_several_objects_shows_the_settings_that_differ(read_json: Any) -> None:
    common = {"top_k": 3, "seed": 7}
    first = {"temperature": "0.3", **common, "logit_bias": {"5": 1}, "min_p": 0.1, "xtc_threshold": 0.1}
    shown = 'a (temperature 0.3, logit_bias {"5": 1}, min_p 0.1, …), b.c (top_a 0.2); save one of them'
    with pytest.raises(InputError, match=re.escape(shown)):
        read_json({"a": first, "b": {"c": {**common, "top_a": 0.2}}})


@pytest.mark.parametrize(
    ("main_api", "tau"), [("textgenerationwebui", 0.4), ("novel", 0.5), ("koboldhorde", 0.6), ("openai", 0.7)]
)
def test_the_main_api_of_silly_tavern_selects_its_settings(read_json: Any, main_api: str, tau: float) -> None:
    """getSettings in public/script.js."""
    settings = {
        "textgenerationwebui_settings": {"temp": 0.4},
        "nai_settings": {"temperature": 0.5},
        "kai_settings": {"temp": 0.6},
        "oai_settings": {"temp_openai": 0.7},
    }
    assert dict(read_json({"main_api": main_api, **settings}).values)["tau"] == tau


@pytest.mark.parametrize("others", [{}, {"oai_settings": {"openai_model": "m"}}, {"nai_settings": {"temperature": 2}}])
def test_a_main_api_without_settings_is_an_error(read_json: Any, others: dict[str, Any]) -> None:
    fields = {"main_api": "openai", "textgenerationwebui_settings": {"temp": 0.4}, **others}
    with pytest.raises(InputError, match="main_api is 'openai', but oai_settings has no sampling settings"):
        read_json(fields)


def test_the_settings_next_to_the_main_api_apply(read_json: Any) -> None:
    """Older versions of SillyTavern have no object for them."""
    assert dict(read_json({"main_api": "kobold", "temp": 0.4}).values) == {"tau": 0.4}


def test_the_outermost_object_of_a_preset_of_risu_ai_applies(read_json: Any) -> None:
    """Only some servers have the settings in ooba and ainconfig."""
    preset = {"temperature": 70, "promptPreprocess": False, "ooba": {"top_p": 0.5, "temperature": 0.9}}
    assert dict(read_json(preset).values) == {"tau": 0.7}
