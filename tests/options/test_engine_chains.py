"""Paths of engines, their default settings, and notes on what they do not apply or tsoft does not compute."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tsoft import cli
from tsoft.options.sampler_options import PARAMETERS
from tsoft.sampling.engines import DEFAULT_ENGINES, ENGINES, paths_of

KIND = "transformers' generation_config.json"
Run = Callable[..., tuple[int, Any, list[str]]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run compute on four classes. Return the status, the records, and the lines of messages."""

    def compute(*typed: str) -> tuple[int, Any, list[str]]:
        status = cli.run(["compute", "a=2", "b=1", "c=0.5", "d=0.1", "-f", "jsonl", *typed])
        out, err = capfd.readouterr()
        return status, [json.loads(line) for line in out.splitlines()], err.splitlines()

    return compute


def test_the_name_of_an_engine_stands_for_its_first_path() -> None:
    for name, engine in DEFAULT_ENGINES.items():
        paths = paths_of(name)
        assert all(ENGINES[path].family == name for path in paths)
        assert not paths or ENGINES[paths[0]].samplers == engine.samplers
    assert {*ENGINES} == {*DEFAULT_ENGINES, *(path for name in DEFAULT_ENGINES for path in paths_of(name))}


def test_each_row_has_a_source_with_a_version_and_a_date() -> None:
    for engine in ENGINES.values():
        source = engine.source
        assert all((source.version, source.date, source.files, source.check, engine.api.logprobs))


def test_the_defaults_of_an_engine_are_values_that_it_has_and_allows() -> None:
    for engine in ENGINES.values():
        for name, value in engine.api.defaults:
            assert engine.has(name)
            assert PARAMETERS[name].allows(value)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ("vllm@cuda", "vllm has no path 'cuda'; pass vllm@flashinfer or vllm@triton or vllm@pytorch"),
        ("mlx-lm@1", "mlx-lm has no path '1'; pass mlx-lm@0.32.2 or mlx-lm@0.32.0"),
        ("llama.cpp@server", "llama.cpp has only one path; pass llama.cpp"),
        ("wllm@pytorch", "unknown engine 'wllm@pytorch'; did you mean 'vllm@pytorch'?"),
    ],
)
def test_an_unknown_path_lists_the_paths(run: Run, like: str, message: str) -> None:
    status, _, lines = run("--like", like)
    assert status == 2
    assert lines[0].startswith(f"tsoft: error: --like: {message}")


def test_records_have_the_full_names_of_paths(run: Run) -> None:
    status, records, _ = run("--top-k", "2", "--like", "vllm@pytorch,VLLM,vllm@pytorch,mlx-lm@0.32.0")
    assert status == 0
    assert [record["engine"] for record in records] == ["vllm@pytorch", "vllm", "mlx-lm@0.32.0"]


def test_defaults_add_what_no_option_sets(run: Run) -> None:
    _, [record], [line] = run("--like", "llama.cpp", "--defaults", "--top-p", "0.5")
    assert record["tau"] == 0.8
    assert record["samplers"] == ["top_k 40", "top_p 0.5", "min_p 0.05", "temperature 0.8"]
    assert line.startswith(
        "tsoft: note: by default, llama.cpp sets temperature 0.8, top_k 40, min_p 0.05; a GGUF model"
    )
    _, [record], [line] = run("--like", "llama.cpp", "--defaults", "--tau", "1", "--top-k", "0", "--min-p", "0")
    assert record["samplers"] == ["top_p 0.95", "temperature 1"]
    assert line.startswith("tsoft: note: by default, llama.cpp sets top_p 0.95; a GGUF model")


def test_settings_override_defaults(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text('{"model": "m", "prompt": "x", "temperature": 0.5, "top_k": 2, "n_predict": 3}')
    _, [record], _ = run("--like", "llama.cpp", "--defaults", "--settings", str(path))
    assert record["tau"] == 0.5
    assert record["samplers"] == ["top_k 2", "top_p 0.95", "min_p 0.05", "temperature 0.5"]


@pytest.mark.parametrize("like", ["vllm", "sglang", "vllm@triton", "vllm,sglang"])
def test_a_generation_config_has_five_settings_for_servers(run: Run, tmp_path: Path, like: str) -> None:
    """vLLM's get_diff_sampling_param and SGLang's get_default_sampling_params: no do_sample, and no top_k 50."""
    path = tmp_path / "generation_config.json"
    fields = {"temperature": 0.7, "top_p": 0.9, "eos_token_id": 2}
    path.write_text(json.dumps(fields))
    status, [record, *_], lines = run("--like", like, "--settings", str(path))
    # exp(2/0.7) : exp(1/0.7) : exp(0.5/0.7); the first two have 82.5 %.
    assert record["probs"] == pytest.approx([0.7369, 0.1766, 0.0865, 0], abs=5e-5)
    assert (status, lines) == (0, [f"tsoft: note: {path}, {KIND}, sets temperature 0.7, top_p 0.9"])
    path.write_text(json.dumps({**fields, "do_sample": False, "typical_p": 0.2, "suppress_tokens": [0]}))
    _, [same, *_], [_, line] = run("--like", like, "--settings", str(path))
    assert same["probs"] == record["probs"]
    assert line.endswith(" does not take do_sample, typical_p and suppress_tokens from this file")


def test_engines_that_read_a_file_in_different_ways(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "generation_config.json"
    path.write_text('{"do_sample": true, "temperature": 0.7}')
    options = ("--like", "transformers,vllm", "--settings", str(path))
    status, _, [line] = run(*options)
    problem = "transformers and vllm take different settings from this file; pass --like with one of them"
    assert (status, line) == (2, f"tsoft: error: {path}: {problem}")
    # transformers adds top_k 50, which the option overrides.
    status, records, _ = run(*options, "--top-k", "3")
    assert (status, len(records)) == (0, 2)


def test_defaults_come_from_the_model_in_some_engines(run: Run) -> None:
    _, [record], [line] = run("--like", "vllm", "--defaults")
    assert (record["tau"], record["samplers"]) == (1.0, ["temperature 1"])
    expected = "by default, vllm sets temperature 1; the model's generation_config.json can override this"
    assert line == f"tsoft: note: {expected}"


def test_engines_with_the_same_defaults_share_a_note(run: Run) -> None:
    _, _, lines = run("--like", "vllm,koboldcpp,sglang", "--defaults", "--tau", "1")
    assert [line.removeprefix("tsoft: note: by default, ") for line in lines] == [
        "vllm and sglang set nothing else; the model's generation_config.json can override this",
        "koboldcpp sets top_k 100, top_p 0.92",
    ]


def test_defaults_of_several_engines_need_one_temperature(run: Run) -> None:
    status, records, [line] = run("--like", "llama.cpp,koboldcpp", "--defaults")
    assert (status, records) == (2, [])
    assert line.endswith("the default temperature is 0.8 in llama.cpp and 0.75 in koboldcpp; pass --tau, or one engine")
    status, records, _ = run("--like", "llama.cpp,koboldcpp", "--defaults", "--tau", "1")
    assert [record["samplers"][:2] for record in records] == [["top_k 40", "top_p 0.95"], ["top_3000", "top_k 100"]]


def test_defaults_without_an_engine_are_an_error(run: Run) -> None:
    status, _, [line] = run("--defaults")
    assert (status, line) == (2, "tsoft: error: --defaults has no effect without --like; add --like ENGINE")


def test_a_default_penalty_needs_the_history(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a\n")
    _, [record], lines = run("--like", "exllamav2", "--defaults")
    assert "penalties" not in " ".join(record["samplers"])
    assert lines[0].startswith("tsoft: note: tsoft ignores the default repetition_penalty 1.025 of exllamav2, since")
    _, [record], [line] = run("--like", "exllamav2", "--defaults", "--history", str(path))
    assert record["samplers"][0] == "penalties repetition_penalty 1.025"
    assert "sets repetition_penalty 1.025, temperature 0.8" in line


def test_a_note_says_that_a_history_counts_as_generated_if_the_prompt_matters(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a\nb\nb\n")
    typed = ("--history", str(path), "--repetition-penalty", "2", "--like", "llama.cpp,vllm,sglang")
    _, _, lines = run(*typed, "--presence-penalty", "1")
    vllm, sglang = (line.removeprefix("tsoft: note: ") for line in lines)
    assert vllm.startswith("vllm does not apply presence_penalty to the prompt, but all 3 tokens of ")
    assert sglang.startswith("sglang does not apply repetition_penalty and presence_penalty to the prompt, but all 3 ")
    # vLLM applies the repetition penalty to the whole text.
    assert [line.split()[2] for line in run(*typed)[2]] == ["sglang"]
    assert not run(*typed, "--presence-penalty", "1", "--prompt-tokens", "0")[2]
    path.write_text("")
    assert not [line for line in run(*typed)[2] if "count as generated" in line]


def test_a_note_names_the_samplers_that_an_engine_does_not_apply_together(run: Run) -> None:
    _, [record], [line] = run("--like", "llama.cpp", "--mirostat-tau", "3", "--top-k", "1", "--min-p", "0.9")
    assert record["samplers"] == ["temperature 1", "mirostat 3"]
    assert line == "tsoft: note: llama.cpp does not apply top_k and min_p with mirostat"


def test_a_note_names_what_tsoft_does_not_compute(run: Run, tmp_path: Path) -> None:
    _, _, lines = run("--like", "exllamav2", "--min-p", "0.1")
    assert [line for line in lines if line.startswith("tsoft: note: exllamav2: with min_p, ")]
    for engine in ("mlx-lm", "mlx-lm@0.32.0", "tabbyapi", "exllamav2", "text-generation-webui"):
        _, _, lines = run("--like", engine, "--xtc-probability", "1")
        assert [line for line in lines if f"{engine}: with xtc, it spares line breaks and " in line]
    # gpttype_generate starts with a window of zeros.
    path = tmp_path / "text.txt"
    path.write_text("b\n")
    _, _, lines = run("--like", "koboldcpp", "--repetition-penalty", "1.1", "--history", str(path))
    assert [line for line in lines if "koboldcpp: with penalties, it also penalizes token 0 while" in line]
    # XTC is certain, and averaged with its absence.
    assert run("--like", "tabbyapi", "--xtc-probability", "1", "--adaptive-target", "0.5")[0] == 0
    # sampling.cpp, xtc_cpu, compares the probability of the next candidate.
    assert (
        "with xtc, it compares the probability of the next class"
        in run("--like", "exllamav2", "--xtc-probability", "1")[2][1]
    )
    assert not [line for line in run("--like", "exllamav2", "--top-k", "2")[2] if "with" in line]


UNDEFINED = "with typ_p, a class with a probability of 0 in float32 makes the result undefined; tsoft ignores it"
COUNTS_MASKED = "with dynatemp_range, a masked class counts, too; tsoft ignores it"
SIGMA = ("--top-n-sigma", "1", "--typical-p", "0.6")


@pytest.mark.parametrize(
    ("engine", "options", "note"),
    [
        # llama-sampler.cpp, typical: entropy += -p * logf(p). The largest difference of logits here is 1.9.
        ("llama.cpp", ("--typical-p", "0.6"), None),
        ("llama.cpp", ("--typical-p", "0.6", "--logit-bias", "#3=-98"), None),
        ("llama.cpp", ("--typical-p", "0.6", "--logit-bias", "d=-103"), f"{UNDEFINED} (row 0, τ = 1: 'd')"),
        ("llama.cpp", ("--typical-p", "0.6", "--logit-bias", "d=-inf"), f"{UNDEFINED} (row 0, τ = 1: 'd')"),
        ("ollama@gguf", ("--typical-p", "0.6", "--tau", "0.01"), None),
        # top-n-sigma masks classes, which typical-p counts only if it follows, and top-k takes them away.
        ("llama.cpp", (*SIGMA, "--tau", "2"), f"{UNDEFINED} (row 0, τ = 2: 'b')"),
        ("llama.cpp", (*SIGMA, "--samplers", "typ_p;top_n_sigma;temperature"), None),
        (
            "llama.cpp",
            (*SIGMA, "--top-k", "3", "--samplers", "top_k;top_n_sigma;typ_p"),
            f"{UNDEFINED} (row 0, τ = 1: 'b')",
        ),
        ("llama.cpp", ("--typical-p", "0.6", "--logit-bias", "d=-inf", "--top-k", "2"), None),
        ("koboldcpp", ("--typical-p", "0.6", "--logit-bias", "d=-200"), None),
        # llama_sampler_temp_ext_impl divides by the logarithm of the number of candidates.
        ("llama.cpp", ("--dynatemp-range", "0.5"), None),
        ("llama.cpp", ("--dynatemp-range", "0.5", "--logit-bias", "d=-200"), None),
        ("llama.cpp", ("--dynatemp-range", "0.5", "--logit-bias", "d=-inf"), f"{COUNTS_MASKED} (row 0, τ = 1: 'd')"),
        ("llama.cpp", ("--dynatemp-range", "0.5", "--top-n-sigma", "1"), f"{COUNTS_MASKED} (row 0, τ = 1: 'b')"),
        # XTC takes a away, and leaves c and d, which are masked.
        (
            "llama.cpp",
            ("--dynatemp-range", "0.5", "--top-n-sigma", "2", "--xtc-probability", "1", "--xtc-threshold", "0.2"),
            f"{COUNTS_MASKED} (row 0, τ = 1: 'c')",
        ),
    ],
)
def test_a_note_says_which_class_an_engine_counts(
    engine: str, options: tuple[str, ...], note: str | None, run: Run
) -> None:
    _, _, lines = run("--like", engine, *options)
    assert [line for line in lines if " tsoft ignores it" in line] == [f"tsoft: note: {engine}: {note}"] * bool(note)


@pytest.mark.parametrize(
    ("engine", "options", "refused"),
    [
        ("vllm@pytorch", ["--tau", "2"], None),
        ("vllm@pytorch", ["--tau", "2.5"], "temperature 2.5 (its range: 0 to 2)"),
        ("vllm@pytorch", ["--tau", "inf"], "temperature inf (its range: 0 to 2)"),
        ("vllm@pytorch", ["--top-p", "0"], "top_p 0 (its range: above 0 and at most 1)"),
        ("vllm@pytorch", ["--top-p", "0.1"], None),
        # SamplingParams.verify
        ("sglang", ["--tau", "1e9"], None),
        ("sglang", ["--tau", "inf"], "temperature inf (its range: at least 0 and finite)"),
        ("sglang@pytorch", ["--top-p", "0"], "top_p 0 (its range: above 0 and at most 1)"),
        ("sglang", ["--repetition-penalty", "2.5"], "repetition_penalty 2.5 (its range: above 0 and at most 2)"),
        ("sglang", ["--frequency-penalty", "-3"], "frequency_penalty -3 (its range: -2 to 2)"),
        # BaseSamplerRequest
        ("tabbyapi", ["--tau", "11"], "temperature 11 (its range: 0 to 10)"),
        ("tabbyapi", ["--presence-penalty", "-1"], "presence_penalty -1 (its range: at least 0)"),
        ("tabbyapi", ["--presence-penalty", "3"], None),
        # apply_xtc
        (
            "mlx-lm",
            ["--xtc-probability", "1", "--xtc-threshold", "0.6"],
            "xtc_threshold 0.6 (its range: 0 to 0.5)",
        ),
    ],
)
def test_a_note_names_a_value_that_the_engine_refuses(
    engine: str, options: list[str], refused: str | None, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a\n")
    history = ["--history", str(path)] if "penalty" in options[0] else []
    _, _, lines = run("--like", engine, *options, *history)
    expected = [f"tsoft: note: {engine} would reject {refused}; tsoft applies it"] if refused else []
    assert [line for line in lines if "would reject" in line] == expected


@pytest.mark.parametrize(
    ("engine", "limited"), [("vllm", True), ("vllm@pytorch", True), ("koboldcpp", True), ("llama.cpp", False)]
)
def test_an_engine_limits_biases(engine: str, limited: bool, run: Run) -> None:
    """vLLM's SamplingParams.from_optional and KoboldCpp's generate: from -100 to 100. The classes have 2, 1, .5, .1."""
    biases = ("--logit-bias", "a=-500", "--logit-bias", "b=-inf", "--logit-bias", "c=-100", "--logit-bias", "d=-103")
    _, [record], lines = run("--like", engine, *biases)
    z = [-98, -99, -99.5, -99.9] if limited else [-498, -math.inf, -99.5, -102.9]
    weights = [math.exp(x + 99) for x in z]
    assert record["probs"] == pytest.approx([weight / sum(weights) for weight in weights], rel=1e-12)
    assert lines == [f"tsoft: note: {engine} clamps biases to the range -100 to 100; tsoft does, too"] * limited
    assert not run("--like", engine, "--logit-bias", "a=-100", "--logit-bias", "b=100")[2]


def test_the_notes_on_temperature_0_name_each_engine(run: Run) -> None:
    _, _, lines = run("--like", "vllm,mlx-lm", "--tau", "0")
    greedy = "decodes greedily at temperature 0, without samplers"
    assert lines == [f"tsoft: note: {engine} {greedy}" for engine in ("vllm", "mlx-lm")]


def test_an_engine_without_biases_refuses_them(run: Run) -> None:
    status, _, [line] = run("--like", "ollama", "--logit-bias", "a=1")
    assert status == 2
    assert line.startswith(
        "tsoft: error: --like ollama: this engine has no --logit-bias in tsoft; choose from transformers, "
    )
    # The hint names engines alone, since not all commands take --like all.
    names = line.rpartition("; choose from ")[2].split(", ")
    assert {*names} <= {*DEFAULT_ENGINES}


def test_min_p_changes_the_order_of_sglang(run: Run) -> None:
    """The classes have 0.57, 0.21, 0.13 and 0.09, so top-p .6 keeps two; after top-k 2, the first has 0.73."""
    typed = ("--top-k", "2", "--top-p", "0.6", "--like", "sglang")
    (_, [joint], _), (_, [chained], _) = run(*typed), run(*typed, "--min-p", "0.01")
    assert [step.split()[0] for step in joint["samplers"]] == ["temperature", "top_p", "top_k"]
    assert [step.split()[0] for step in chained["samplers"]] == ["temperature", "top_k", "top_p", "min_p"]
    assert [record["kept"] for record in (joint, chained)] == [2, 1]
