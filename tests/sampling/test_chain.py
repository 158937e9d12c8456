"""The sampler options of `compute` and `sweep`: results against plain numpy, output on a terminal, and messages."""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases import each_case
from tool import TESTS, environment, here, out
from tsoft import cli
from tsoft.errors import joined
from tsoft.sampling.engines import DEFAULT_ENGINES, ENGINES
from tsoft.sampling.sampler_table import SAMPLERS

posix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")

Vector = np.ndarray[Any, np.dtype[np.float64]]
Capture = pytest.CaptureFixture[str]

DATA = TESTS / "data"
Z = np.array([3.0, 2.6, 1.5, 1.1, 0.2, -1.0])
TYPED = [str(z) for z in Z]
E31 = "\x1b[31m"
HOSTILE = [f"[red]a{E31}=2", "[/INST]=1.5", "日本=1", "x" * 60 + "=0.5", "\u202eab=0"]


def called(capfd: Capture, *arguments: str) -> tuple[int, str, str]:
    """Run tsoft in this process, and return its exit code, stdout and stderr."""
    status = cli.run(list(arguments))
    captured = capfd.readouterr()
    assert "internal error" not in captured.err
    return status, captured.out, captured.err


def printed(capfd: Capture, *arguments: str) -> str:
    """Return the stdout of a run without an error or a note."""
    status, text, messages = called(capfd, *arguments)
    assert (status, messages) == (0, "")
    return text


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def rows(text: str) -> list[list[float]]:
    return [[float(field) for field in line.split("\t")] for line in text.splitlines()]


def kept(probs: Any) -> set[int]:
    return set(np.flatnonzero(np.asarray(probs) > 0).tolist())


# Independent versions of the samplers, from their papers: the classes of a distribution that they keep.


def softmax(z: Any) -> Vector:
    exp = np.exp(np.asarray(z, float) - np.max(z))
    return np.asarray(exp / exp.sum())


def entropy(p: Vector) -> float:
    return float(-(p * np.log(p)).sum())


def at_least(p: Vector, threshold: float) -> set[int]:
    return set(np.flatnonzero(p >= threshold).tolist())


def top(p: Vector, count: int) -> set[int]:
    return set(np.argsort(-p)[:count].tolist())


def nucleus(p: Vector, mass: float) -> set[int]:
    return top(p, 1 + int((np.sort(p)[::-1].cumsum() < mass).sum()))


def typical(p: Vector, mass: float) -> set[int]:
    order = np.argsort(abs(-np.log(p) - entropy(p)))
    return set(order[: 1 + int((p[order].cumsum() < mass).sum())].tolist())


def eta(p: Vector, epsilon: float) -> set[int]:
    return at_least(p, min(epsilon, epsilon**0.5 * np.exp(-entropy(p))))


def top_h(p: Vector, alpha: float) -> set[int]:
    falling = np.sort(p)[::-1]
    return top(p, max(1, int(((-falling * np.log(falling)).cumsum() <= alpha * entropy(p)).sum())))


def tail_free(p: Vector, share: float) -> set[int]:
    bends = abs(np.diff(np.sort(p)[::-1], 2))
    return top(p, 1 + int((bends.cumsum() / bends.sum() <= share).sum()))


def top_n_sigma(p: Vector, n: float) -> set[int]:
    return set(np.flatnonzero(np.log(p) >= np.log(p).max() - n * np.log(p).std()).tolist())


def exclude_top(p: Vector, threshold: float) -> set[int]:
    above = at_least(p, threshold)
    least = min(above, key=lambda i: float(p[i]))
    return set(range(len(p))) - above | {least}


def restricted(p: Vector, classes: set[int]) -> Vector:
    """Return the distribution restricted to these classes."""
    remaining = np.where([i in classes for i in range(len(p))], p, 0)
    return np.asarray(remaining / remaining.sum())


TRUNCATIONS: dict[str, tuple[float | None, Callable[[Vector], set[int]]]] = {
    "--top-k": (3, lambda p: top(p, 3)),
    "--top-p": (0.8, lambda p: nucleus(p, 0.8)),
    "--min-p": (0.3, lambda p: at_least(p, 0.3 * p.max())),
    "--typical-p": (0.6, lambda p: typical(p, 0.6)),
    "--top-n-sigma": (1.2, lambda p: top_n_sigma(p, 1.2)),
    "--top-h": (0.6, lambda p: top_h(p, 0.6)),
    "--epsilon-cutoff": (0.08, lambda p: at_least(p, 0.08)),
    "--eta-cutoff": (0.3, lambda p: eta(p, 0.3)),
    "--tfs": (0.7, lambda p: tail_free(p, 0.7)),
    "--top-a": (0.7, lambda p: at_least(p, 0.7 * p.max() ** 2)),
    "--xtc-probability": (1, lambda p: exclude_top(p, 0.1)),
    "--p-less": (None, lambda p: at_least(p, (p**2).sum())),
}


# The effect of each sampler


@pytest.mark.parametrize("option", TRUNCATIONS)
def test_a_truncation_at_every_temperature(capfd: Capture, option: str) -> None:
    value, rule = TRUNCATIONS[option]
    taus = [0.7, 1.5, 3.0]
    distributions = [softmax(Z / tau) for tau in taus]
    expected = [restricted(p, rule(p)) for p in distributions]
    assert 0 < min(map(np.count_nonzero, expected)) < len(Z)
    typed = (*TYPED, option, *([] if value is None else [str(value)]), "--tau", "0.7,1.5,3")
    np.testing.assert_allclose(rows(printed(capfd, "compute", *typed)), expected, rtol=1e-12)
    swept = rows(printed(capfd, "sweep", *typed))
    assert [row[0] for row in swept] == taus
    np.testing.assert_allclose([row[1:] for row in swept], expected, rtol=1e-12)


def test_every_truncation_sampler_has_a_test() -> None:
    others = {"logit_bias", "smoothing", "temperature", "soft_cap", "edt", "adaptive_temperature"}
    depending_on_text = {"penalties", "dry", "mirostat", "adaptive_p"}
    truncating = [sampler for sampler in SAMPLERS.values() if sampler.name not in others | depending_on_text]
    options = {sampler.parameters[0].option for sampler in truncating}
    assert set(TRUNCATIONS) == options


def test_smoothing(capfd: Capture) -> None:
    smooth = Z.max() - 0.4 * (Z.max() - Z) ** 2
    [row] = rows(printed(capfd, "compute", *TYPED, "--smoothing-factor", "0.4", "--tau", "1.5"))
    np.testing.assert_allclose(row, softmax(smooth / 1.5), rtol=1e-12)


@pytest.mark.parametrize("exponent", [None, 2.0])
def test_dynamic_temperature(capfd: Capture, exponent: float | None) -> None:
    """The temperature is from 1.5 - 0.6 to 1.5 + 0.6, and depends on the entropy at temperature 1."""
    share = entropy(softmax(Z)) / np.log(len(Z))
    tau = 0.9 + 1.2 * share ** (exponent or 1)
    more = () if exponent is None else ("--dynatemp-exponent", str(exponent))
    [row] = rows(printed(capfd, "compute", *TYPED, "--dynatemp-range", "0.6", *more, "--tau", "1.5"))
    np.testing.assert_allclose(row, softmax(Z / tau), rtol=1e-12)


def test_xtc_gives_a_mixture_of_two_distributions(capfd: Capture) -> None:
    p = softmax(Z / 1.5)
    expected = 0.75 * p + 0.25 * restricted(p, exclude_top(p, 0.2))
    assert len(exclude_top(p, 0.2)) < len(exclude_top(p, 0.3)) == len(Z)
    [row] = rows(
        printed(capfd, "compute", *TYPED, "--xtc-probability", "0.25", "--xtc-threshold", "0.2", "--tau", "1.5")
    )
    np.testing.assert_allclose(row, expected, rtol=1e-12)


def test_the_default_order_is_that_of_transformers() -> None:
    """The order is that of transformers, and each sampler works on the classes that the previous one keeps."""
    p = softmax(Z / 2)
    p = restricted(p, top(p, 4))
    p = restricted(p, nucleus(p, 0.85))
    expected = restricted(p, at_least(p, 0.6 * p.max()))
    assert len(kept(expected)) == 2
    printed = out("compute", "--tau", "2", "--min-p", "0.6", "--top-p=.85", "--top-k", "4", stdin=" ".join(TYPED))
    np.testing.assert_allclose(rows(printed), [expected], rtol=1e-12)


def test_each_row_is_truncated_independently(capfd: Capture, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (40, 12))
    path = tmp_path / "z.txt"
    path.write_text("\n".join(" ".join(map(repr, row)) for row in z.tolist()))
    actual = rows(printed(capfd, "compute", "-i", str(path), "--top-p", "0.9", "--tau", "0.5,1.5"))
    expected = [restricted(p, nucleus(p, 0.9)) for row in z for p in (softmax(row / 0.5), softmax(row / 1.5))]
    np.testing.assert_allclose(actual, expected, rtol=1e-11)


def test_means_of_a_sweep_average_the_truncated_distributions(capfd: Capture, tmp_path: Path) -> None:
    z = np.array([[3.0, 1.0, 0.5], [0.0, 0.4, -2.0]])
    path = tmp_path / "z.txt"
    path.write_text("\n".join(" ".join(map(str, row)) for row in z))
    [record] = records(
        printed(capfd, "sweep", "-i", str(path), "--top-k", "2", "--mean", "--tau", "1.5", "-f", "jsonl")
    )
    pairs = [softmax(np.sort(row)[1:] / 1.5) for row in z]
    assert record["entropy"] == pytest.approx(np.mean([entropy(p) for p in pairs]), rel=1e-12)
    assert record["top_prob_sd"] == pytest.approx(np.std([p.max() for p in pairs]), rel=1e-12)


def test_logarithms(capfd: Capture) -> None:
    [record] = records(printed(capfd, "compute", "2", "1", "0", "--top-k", "2", "--log", "-f", "jsonl"))
    assert record["log_probs"][:2] == pytest.approx(np.log(softmax([2.0, 1.0])), rel=1e-14)
    assert record["log_probs"][2] == "-inf"


# Their order


@pytest.mark.parametrize(
    "order",
    [
        "top_p;top_k;typ_p;temperature",
        "top_p,top_k,typ_p,temperature",
        " top_p  top_k typ_p temperature ",
        "--top-p;--top-k;--typical-p;--tau",
        "top-p; Top-K; typical, TEMP",
    ],
)
def test_samplers_list_the_order(capfd: Capture, order: str) -> None:
    parameters = ("--top-k", "4", "--top-p", "0.9", "--typical-p", "0.7", "--tau", "2")
    [record] = records(printed(capfd, "compute", *TYPED, *parameters, "--samplers", order, "-f", "jsonl"))
    assert record["samplers"] == ["top_p 0.9", "top_k 4", "typ_p 0.7", "temperature 2"]
    p = softmax(Z)
    p = restricted(p, nucleus(p, 0.9))
    p = restricted(p, top(p, 4))
    remaining = sorted(kept(p))
    expected = {remaining[i] for i in typical(p[remaining], 0.7)}
    np.testing.assert_allclose(record["probs"], restricted(softmax(Z / 2), expected), rtol=1e-12)
    assert record["kept"] == len(expected)


def test_every_name_of_a_sampler_is_known(capfd: Capture) -> None:
    """Each run has another name of every sampler."""
    names = [(sampler.name, *sampler.aliases, sampler.parameters[0].option) for sampler in SAMPLERS.values()]
    for chosen in range(max(map(len, names))):
        listed = ";".join(each[min(chosen, len(each) - 1)] for each in names)
        [record] = records(printed(capfd, "compute", "1", "--samplers", listed, "-f", "jsonl"))
        assert record["samplers"] == ["temperature 1"]


def test_the_order_changes_the_kept_classes(capfd: Capture, tmp_path: Path) -> None:
    """At τ = 1.5, top-p keeps far fewer classes before the temperature than after it."""
    z = -1.3 * np.log(np.arange(1, 2001))
    before, after = len(nucleus(softmax(z), 0.9)), len(nucleus(softmax(z / 1.5), 0.9))
    assert 2 * before < after
    path = tmp_path / "z.txt"
    path.write_text(" ".join(map(repr, z.tolist())))
    typed = ("compute", "-i", str(path), "--tau", "1.5", "--top-p", "0.9", "-f", "jsonl")
    counts = [records(printed(capfd, *typed, *more))[0]["kept"] for more in ((), ("--samplers", "top_p;temperature"))]
    assert counts == [after, before]


def test_a_chain_without_temperature(capfd: Capture) -> None:
    [row] = rows(printed(capfd, "compute", *TYPED, "--top-k", "2", "--samplers", "top_k"))
    p = softmax(Z)
    np.testing.assert_allclose(row, restricted(p, top(p, 2)), rtol=1e-12)


def test_a_sampler_that_is_off_is_not_a_step(capfd: Capture) -> None:
    numbers = [k for s in SAMPLERS.values() for k in s.parameters[:1] if k.off is not None and not k.is_flag]
    off = [(k.option, f"{k.off:g}") for k in numbers]
    assert len(off) >= 9
    assert printed(capfd, "compute", *TYPED, *(word for pair in off for word in pair)) == printed(
        capfd, "compute", *TYPED
    )


# Engines

# The number of classes that top-p keeps, by the rule of each engine.
TOP_P = [
    ((0.5, 0.3, 0.2), 0.6, {"transformers": 2, "vllm": 2, "mlx-lm": 2, "sglang": 2, "exllamav2": 1}),
    ((0.5, 0.3, 0.2), 0.5, {"transformers": 1, "vllm": 1, "mlx-lm": 1, "sglang": 1, "sglang@pytorch": 2}),
    (
        (0.25, 0.25, 0.25, 0.25),
        0.5,
        {"transformers": 2, "vllm": 4, "vllm@pytorch": 2, "vllm@triton": 2, "sglang": 4, "sglang@pytorch": 3}
        | {"mlx-lm": 4, "mlx-lm@0.32.0": 2},
    ),
]


@pytest.mark.parametrize(("probs", "p", "counts"), TOP_P)
def test_engines_side_by_side(capfd: Capture, probs: tuple[float, ...], p: float, counts: dict[str, int]) -> None:
    typed = ("compute", "--probs", *map(str, probs), "--top-p", str(p), "--like", ",".join(counts))
    by_engine = {name: restricted(np.array(probs), set(range(count))) for name, count in counts.items()}
    status, text, messages = called(capfd, *typed, "-f", "jsonl")
    assert status == 0
    assert all("ties with it" in line or "float32 rounding" in line for line in messages.splitlines())
    actual = {record["engine"]: record for record in records(text)}
    assert {name: record["kept"] for name, record in actual.items()} == counts
    for name, record in actual.items():
        np.testing.assert_allclose(record["probs"], by_engine[name], rtol=1e-12, atol=0)
        distances = {other: abs(by_engine[name] - by_engine[other]).sum() / 2 for other in by_engine if other != name}
        assert record["total_variation"] == pytest.approx(distances, rel=1e-12, abs=1e-15)
    assert rows(called(capfd, *typed)[1]) == [record["probs"] for record in actual.values()]
    header, *lines = csv.reader(io.StringIO(called(capfd, *typed, "-f", "csv")[1]))
    assert header == ["row", "tau", "engine", *map(str, range(len(probs)))]
    assert [(line[:3], [float(field) for field in line[3:]]) for line in lines] == [
        (["0", "1.0", name], record["probs"]) for name, record in actual.items()
    ]


def test_a_single_engine_uses_its_order(capfd: Capture) -> None:
    typed = ("compute", *TYPED, "--tau", "1.5", "--top-k", "5", "--top-p", "0.8", "--min-p", "0.1", "-f", "jsonl")
    orders = {}
    for name in ENGINES:
        status, text, _ = called(capfd, *typed, "--like", name)
        [record] = records(text)
        assert status == 0
        orders[name] = [step.split()[0] for step in record["samplers"]]
        assert (record["engine"], "total_variation" in record) == (name, False)
    # SGLang's PyTorch path applies the three samplers together.
    sglang = orders.pop("sglang@pytorch")
    assert (sglang[0], sorted(sglang[1:])) == ("temperature", ["min_p", "top_k", "top_p"])
    expected = {
        "transformers": ["temperature", "top_k", "top_p", "min_p"],
        "llama.cpp": ["top_k", "top_p", "min_p", "temperature"],
        "vllm": ["temperature", "min_p", "top_k", "top_p"],
        "sglang": ["temperature", "top_k", "top_p", "min_p"],
        "mlx-lm": ["top_p", "min_p", "top_k", "temperature"],
        "exllamav2": ["temperature", "top_k", "top_p", "min_p"],
        "exllamav3": ["temperature", "min_p", "top_k", "top_p"],
        "tabbyapi": ["temperature", "top_k", "top_p", "min_p"],
        "ollama": ["top_k", "top_p", "min_p", "temperature"],
        "ollama@mlx": ["top_k", "temperature", "top_p", "min_p"],
        "koboldcpp": ["top_3000", "top_k", "top_p", "min_p", "temperature"],
        "text-generation-webui": ["temperature", "top_k", "top_p", "min_p"],
    }
    assert orders == {name: expected.get(name, expected[name.partition("@")[0]]) for name in orders}


def test_engines_appear_in_the_order_of_the_option(capfd: Capture) -> None:
    def engines(*like: str) -> list[str]:
        return [record["engine"] for record in records(printed(capfd, "compute", "2", "1", *like, "-f", "jsonl"))]

    assert engines("--like", "all") == list(DEFAULT_ENGINES)
    assert engines("--like", "vllm,llama.cpp") == ["vllm", "llama.cpp"]
    assert engines("--like", "vllm;sglang", "--like", "mlx-lm vllm") == ["vllm", "sglang", "mlx-lm"]


def test_engines_follow_each_other_row_by_row(capfd: Capture, tmp_path: Path) -> None:
    path = tmp_path / "z.txt"
    path.write_text("2 1\n0 5\n")
    text = printed(capfd, "compute", "-i", str(path), "--like", "vllm,sglang", "--tau", "1,2", "-f", "csv")
    keys = [line.split(",")[:3] for line in text.splitlines()[1:]]
    assert keys == [[row, tau, name] for row in "01" for name in ("vllm", "sglang") for tau in ("1.0", "2.0")]


def test_samplers_set_the_order_of_engines_without_a_fixed_one(capfd: Capture) -> None:
    typed = ("compute", *TYPED, "--top-k", "3", "--tau", "2", "--samplers", "temperature;top_k", "-f", "jsonl")
    [record] = records(printed(capfd, *typed, "--like", "llama.cpp"))
    assert record["samplers"] == ["temperature 2", "top_k 3"]
    status, text, messages = called(capfd, *typed, "--like", "all")
    have = ["llama.cpp", "koboldcpp", "text-generation-webui"]
    assert (status, [record["engine"] for record in records(text)]) == (0, have)
    others = joined([name for name in DEFAULT_ENGINES if name not in have])
    assert messages.startswith(f"tsoft: note: {others} are omitted, because they have a fixed sampler order")


@pytest.mark.parametrize(
    ("engine", "typed", "order"),
    [
        # common/sampling.cpp: biases are first, and adaptive-p is last.
        ("llama.cpp", "temperature;adaptive_p;top_k", "temperature;top_k;adaptive_p"),
        ("llama.cpp", "top_k;logit_bias;temperature", "logit_bias;top_k;temperature"),
        ("llama.cpp", "mirostat;temperature", "temperature;mirostat"),
        # gpttype_adapter.cpp: users order seven groups; min-p is part of top-p, and top-n-sigma of the temperature.
        ("koboldcpp", "xtc;temperature", "temperature;xtc"),
        ("koboldcpp", "top_p;temperature;min_p;top_n_sigma;top_k", "top_p;min_p;temperature;top_n_sigma;top_k"),
    ],
)
def test_an_order_that_users_of_an_engine_cannot_choose_is_an_error(
    capfd: Capture, engine: str, typed: str, order: str
) -> None:
    switches = {"adaptive_p": ["--adaptive-target", "0.5"], "logit_bias": ["--logit-bias", "#0=1"]}
    switches |= {"mirostat": ["--mirostat-tau", "3"], "xtc": ["--xtc-probability", "1"], "temperature": []}
    values = {"top_k": "3", "top_p": "0.9", "min_p": "0.1", "top_n_sigma": "1"}
    switches |= {name: [f"--{name}".replace("_", "-"), value] for name, value in values.items()}
    on = [word for name in typed.split(";") for word in switches[name]]
    status, text, messages = called(capfd, "compute", *TYPED, *on, "--samplers", typed, "--like", engine)
    assert (status, text) == (2, "")
    assert f"--like {engine}: this engine has only the order {order} for these samplers" in messages
    assert called(capfd, "compute", *TYPED, *on, "--samplers", order, "--like", engine)[0] == 0


@pytest.mark.parametrize("engine", ["llama.cpp", "koboldcpp", "text-generation-webui"])
def test_the_places_of_samplers_that_are_off_or_missing_do_not_matter(capfd: Capture, engine: str) -> None:
    typed = ("compute", *TYPED, "--top-k", "3", "--like", engine, "-f", "jsonl")
    order = "xtc;edt;top_p;top_k;temperature;adaptive_p;min_p;logit_bias;top_h"
    [record] = records(printed(capfd, *typed, "--samplers", order))
    assert [step for step in record["samplers"] if step != "top_3000"] == ["top_k 3", "temperature 1"]


def test_an_order_is_compared_with_the_samplers_that_defaults_switch_on(capfd: Capture) -> None:
    """KoboldCpp applies min-p after top-p, which its defaults switch on."""
    typed = ("compute", *TYPED, "--min-p", "0.1", "--samplers", "min_p;top_p;temperature", "--like", "koboldcpp")
    assert called(capfd, *typed)[0] == 0
    status, _, messages = called(capfd, *typed, "--defaults")
    assert status == 2
    assert "this engine has only the order top_p;min_p;temperature for these samplers" in messages


WEBUI_PRIORITY = (
    "repetition_penalty temperature dynamic_temperature quadratic_sampling top_k top_p min_p xtc no_repeat_ngram"
)


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({"sampler_priority": WEBUI_PRIORITY.split()}, ["temperature 0.5", "top_k 2", "min_p 0.3"]),
        ({"sampler_priority": ["min_p", "top_k", "temperature"]}, ["min_p 0.3", "top_k 2", "temperature 0.5"]),
        ({"temperature_last": True}, ["top_k 2", "min_p 0.3", "temperature 0.5"]),
    ],
)
def test_an_order_of_text_generation_webui_applies_by_its_rules(
    capfd: Capture, tmp_path: Path, fields: dict[str, Any], steps: list[str]
) -> None:
    path = tmp_path / "preset.yaml"
    path.write_text(json.dumps({"temperature": 0.5, "min_p": 0.3, "top_k": 2, **fields}))
    typed = ("--settings", str(path), "--like", "text-generation-webui", "-f", "jsonl")
    status, text, messages = called(capfd, "compute", *TYPED, *typed)
    assert (status, [record["samplers"] for record in records(text)]) == (0, [steps]), messages


@pytest.mark.parametrize("engine", ["llama.cpp", "koboldcpp"])
def test_mirostat_of_engines_has_the_plain_temperature(capfd: Capture, engine: str) -> None:
    """common/sampling.cpp and gpttype_adapter.cpp: the dynamic temperature is part of the other order."""
    typed = ("compute", *TYPED, "--tau", "2", "--mirostat-tau", "3", "--like", engine)
    status, text, messages = called(capfd, *typed, "--dynatemp-range", "0.9")
    assert (status, text) == (0, printed(capfd, *typed))
    assert messages == f"tsoft: note: {engine} does not apply dynatemp_range with mirostat\n"


def test_all_omits_engines_without_the_sampler(capfd: Capture) -> None:
    status, text, messages = called(capfd, "compute", *TYPED, "--typical-p", "0.5", "--like", "all", "-f", "jsonl")
    # The engines that have it.
    have = ["transformers", "llama.cpp", "exllamav2", "ollama", "koboldcpp", "text-generation-webui"]
    assert (status, [record["engine"] for record in records(text)]) == (0, have)
    others = joined([name for name in DEFAULT_ENGINES if name not in have])
    assert messages == f"tsoft: note: {others} are omitted, because they have no --typical-p in tsoft\n"


@pytest.mark.parametrize("form", ["tsv", "jsonl", "table"])
@pytest.mark.parametrize("command", ["compute", "sweep"])
def test_samplers_that_no_engine_has_together_are_an_error(capfd: Capture, command: str, form: str) -> None:
    """Only transformers has top-h, and only ExLlamaV2 has top-a."""
    typed = ("2", "1", "--top-h", "0.5", "--top-a", "0.5", "--like", "all", "-f", form, "--tau", "1")
    status, text, messages = called(capfd, command, *typed)
    assert (status, text) == (2, "")
    assert "tsoft: error: " in messages


@pytest.mark.parametrize(
    ("engine", "tau", "greedy"),
    [
        ("transformers", "0", True),
        ("transformers", "1e-9", False),
        ("llama.cpp", "0", False),
        ("vllm", "0", True),
        ("vllm", "0.000009", False),
        ("sglang", "0.0000009", True),
        ("sglang", "0.000001", False),
        ("mlx-lm", "0", True),
        ("mlx-lm", "1e-300", False),
        ("exllamav2", "0.0099", True),
        ("exllamav2", "0.01", False),
    ],
)
def test_temperatures_near_0(capfd: Capture, engine: str, tau: str, greedy: bool) -> None:
    """A note reports greedy decoding, which uses no sampler."""
    typed = ("compute", "5", "5", "4", "1", "--top-p", "0.9", "--like", engine, "--tau", tau, "-f", "jsonl")
    status, text, messages = called(capfd, *typed)
    [record] = records(text)
    assert status == 0
    assert (record["samplers"] == ["greedy"]) == greedy
    greedily = ("greed", "argmax", "top_k 1")
    assert (
        any(f"tsoft: note: {engine} " in line and any(w in line for w in greedily) for line in messages.splitlines())
        == greedy
    )
    if greedy or engine == "llama.cpp":
        assert record["probs"] == [1, 0, 0, 0]
    elif engine != "exllamav2":
        assert record["probs"] == [0.5, 0.5, 0, 0]


def test_a_tie_that_the_sort_of_an_engine_decides_is_noted_once(capfd: Capture, tmp_path: Path) -> None:
    path = tmp_path / "z.txt"
    path.write_text("3 1 0\n2 1 1\n1 1 0\n")
    typed = ("compute", "-i", str(path), "--top-k", "2", "--like")
    status, text, messages = called(capfd, *typed, "llama.cpp")
    assert (status, [kept(row) for row in rows(text)]) == (0, [{0, 1}, {0, 1}, {0, 1}])
    assert [line for line in messages.splitlines() if "ties" in line] == messages.splitlines()
    assert re.fullmatch(r"tsoft: note: row 1, τ = 1: top_k 2 of llama\.cpp removes '#2' but keeps .*\n", messages)
    # vLLM keeps all classes that tie with the k-th, so its sort decides nothing.
    assert [kept(row) for row in rows(printed(capfd, *typed, "vllm"))] == [{0, 1}, {0, 1, 2}, {0, 1}]


def test_a_decision_that_differs_in_float32_is_noted(capfd: Capture) -> None:
    """A class is below the threshold of min-p by less than the rounding of float32."""
    for step in range(1, 50):
        z = np.array([0, np.log(0.1) - step * 1e-9, -1])
        p, rounded = softmax(z), np.exp(z.astype(np.float32)) / np.exp(z.astype(np.float32)).sum(dtype=np.float32)
        if p[1] < 0.1 * p[0] and rounded[1] >= np.float32(0.1) * rounded[0]:
            break
    else:
        pytest.fail("no such class")
    typed = ("compute", *map(repr, z.tolist()), "--min-p", "0.1", "--like", "vllm")
    status, text, messages = called(capfd, *typed)
    assert (status, kept(rows(text)[0])) == (0, {0, 2})
    assert re.match(
        r"tsoft: note: row 0, τ = 1: '#1' is so close to the threshold of min_p 0\.1 that float32 rounding in vllm may",
        messages,
    )
    assert printed(capfd, "compute", "0", "-2.4", "-1", "--min-p", "0.1", "--like", "vllm")


# Reading the output back


@pytest.mark.parametrize("form", [("-f", "csv"), ("-f", "csv", "--long"), ("-f", "tsv", "--long")])
@pytest.mark.parametrize("command", ["compute", "sweep"])
def test_output_of_engines_is_read_back(capfd: Capture, tmp_path: Path, command: str, form: tuple[str, ...]) -> None:
    """The key columns and the measures are not classes, but a class may be named engine."""
    path = tmp_path / "written.txt"
    typed = ("cat=2", "engine=1.5", "a,b=1", "--top-p", "0.8", "--tau", "1,2", "--like", "llama.cpp,exllamav2")
    text = printed(capfd, command, *typed, *form)
    assert text.startswith(("row,tau,engine,", "row\ttau\tengine\t"))
    path.write_text(text)
    status, again, _ = called(capfd, "compute", "-i", str(path), "--probs", "-f", "jsonl")
    expected = records(printed(capfd, command, *typed, "-f", "jsonl"))
    assert (status, len(expected)) == (0, 4)
    for record, original in zip(records(again), expected, strict=True):
        assert record["labels"] == original["labels"] == ["cat", "engine", "a,b"]
        np.testing.assert_allclose(record["probs"], original["probs"], rtol=1e-14)


@pytest.mark.parametrize(
    ("header", "line", "classes"),
    [
        ("engine,x", "1,1", ["engine", "x"]),
        ("row,engine,x", "1,1,1", ["engine", "x"]),
        ("row,tau,x,engine", "1,1,1,1", ["x", "engine"]),
        ("row,tau,engine,x", "1,1,vllm,1", ["x"]),
        ("row,tau,engine,x", "1,1,1,1", ["engine", "x"]),
        ("tau,row,engine,x", "1,1,1,1", ["engine", "x"]),
    ],
)
def test_engine_is_a_key_only_in_the_third_column(
    capfd: Capture, tmp_path: Path, header: str, line: str, classes: list[str]
) -> None:
    """It is a key only if the column contains names, because a class may be named engine, too."""
    path = tmp_path / "logits.csv"
    path.write_text(f"{header}\n{line}\n")
    [record] = records(called(capfd, "compute", "-i", str(path), "-f", "jsonl")[1])
    assert record["labels"] == classes


# Settings

CONFIG = {"do_sample": True, "temperature": 0.6, "transformers_version": "5.23.0"}
LONG = -0.05 * np.arange(60)


def saved(folder: Path, settings: object) -> str:
    path = folder / "settings.json"
    path.write_text(json.dumps(settings))
    return str(path)


def test_an_implicit_top_k_is_applied_and_noted(capfd: Capture, tmp_path: Path) -> None:
    file = saved(tmp_path, CONFIG)
    typed = ("compute", *map(repr, LONG.tolist()), "--settings", file)
    status, text, messages = called(capfd, *typed)
    p = softmax(LONG / 0.6)
    np.testing.assert_allclose(rows(text), [restricted(p, top(p, 50))], rtol=1e-12)
    assert status == 0
    assert f"{file}: transformers applies top_k 50, which the file does not set" in messages
    assert "sets temperature 0.6\n" in messages
    assert all(line.startswith("tsoft: note: ") for line in messages.splitlines())
    for more, expected in (
        (("--top-k", "3"), restricted(p, top(p, 3))),
        (("--top-k", "0"), p),
        (("--tau", "2"), restricted(softmax(LONG / 2), top(p, 50))),
        (("--min-p", "0.9"), restricted(p, at_least(p, 0.9 * p.max()))),
    ):
        status, text, messages = called(capfd, *typed, *more)
        np.testing.assert_allclose(rows(text), [expected], rtol=1e-12)
        # The note lists only options that come from the file.
        gives = messages.splitlines()[0]
        assert gives.startswith(f"tsoft: note: {file}, transformers' generation_config.json, ")
        name = {"--tau": "temperature", "--top-k": "top_k", "--min-p": "min_p"}[more[0]]
        assert f"{name} " not in gives
        assert ("transformers applies top_k 50" in messages) == (name != "top_k")


def test_greedy_settings(capfd: Capture, tmp_path: Path) -> None:
    file = saved(tmp_path, CONFIG | {"do_sample": False, "top_p": 0.9})
    status, text, messages = called(capfd, "compute", "2", "1", "--settings", file)
    assert (status, rows(text)) == (0, [[1, 0]])
    assert "do_sample is not true, so transformers takes the most probable token" in messages


GENERATION_SETTINGS = {
    "temperature": 1.5,
    "top_k": 4,
    "top_p": 1.0,
    "min_p": 0.25,
    "n_discard": 0,
    "repeat_penalty": 1.0,
    "samplers": ["penalties", "min_p", "top_k", "temperature"],
}
ENGINE_SETTINGS: dict[str, tuple[object, str, list[str]]] = {
    "llama.cpp request": (
        {"prompt": "a", "n_predict": 1, "temperature": 1.5, "top_k": 4, "top_p": 1.0, "min_p": 0.25},
        "llama.cpp",
        ["top_k 4", "min_p 0.25", "temperature 1.5"],
    ),
    "llama.cpp response": (
        {"content": "a", "tokens_predicted": 1, "generation_settings": GENERATION_SETTINGS},
        "llama.cpp",
        ["min_p 0.25", "top_k 4", "temperature 1.5"],
    ),
    "OpenAI": (
        {"model": "m", "messages": [], "temperature": 1.5, "top_p": 0.8},
        "transformers",
        ["temperature 1.5", "top_p 0.8"],
    ),
    "vLLM": (
        {"model": "m", "messages": [], "temperature": 1.5, "top_k": 4, "min_p": 0.25},
        "vllm",
        ["temperature 1.5", "min_p 0.25", "top_k 4"],
    ),
}


@pytest.mark.parametrize("kind", ENGINE_SETTINGS)
def test_settings_with_their_engine(capfd: Capture, tmp_path: Path, kind: str) -> None:
    settings, engine, steps = ENGINE_SETTINGS[kind]
    file = saved(tmp_path, settings)
    typed = ("compute", *TYPED, "--settings", file, "--like", engine, "-f", "jsonl")
    status, text, messages = called(capfd, *typed)
    [record] = records(text)
    assert status == 0
    assert [step for step in record["samplers"] if not step.startswith("top_p 1")] == steps
    assert all(line.startswith(f"tsoft: note: {file}") for line in messages.splitlines())
    for step in steps:
        name, value = step.split()
        assert f"{name} {value}" in messages or (name == "temperature" and f"tau {value}" in messages)


def test_biases_by_id_and_options_that_override_them(capfd: Capture, tmp_path: Path) -> None:
    settings = {"model": "m", "messages": [], "logit_bias": {"0": -100, "2": 1.5}}
    typed = ("compute", "a=2", "b=1", "c=0", "--settings", saved(tmp_path, settings))
    for more, z in (
        ((), [-98, 1, 1.5]),
        (("--logit-bias", "#0=1"), [3, 1, 1.5]),
        (("--logit-bias", "a=1"), [3, 1, 1.5]),
        (("--logit-bias", "b=2"), [-98, 3, 1.5]),
    ):
        status, text, _ = called(capfd, *typed, *more)
        assert status == 0
        np.testing.assert_allclose(rows(text), [softmax(z)], rtol=1e-12)


def test_a_bias_of_an_unknown_token_is_ignored_with_a_note(capfd: Capture, tmp_path: Path) -> None:
    file = saved(tmp_path, {"logit_bias": {"7": 1, "0": 1, " the": 2}})
    status, text, messages = called(capfd, "compute", "2", "1", "--settings", file)
    np.testing.assert_allclose(rows(text), [softmax([3, 1])], rtol=1e-12)
    assert status == 0
    assert re.search("ignores the logit_bias of .*#7", messages)
    assert re.search("ignores the logit_bias of .* the", messages)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_p": 1.5}, "top_p: expected a number from 0 to 1, got 1.5"),
        ({"temperature": -1}, "temperature: expected a finite number of at least 0, got -1"),
        ({"min_p": "a"}, 'min_p: expected a number, got the string "a"'),
        ({"typ_p": 1.5}, "typ_p: expected a number above 0, at most 1, got 1.5"),
        ({"top_k": 2.5}, "top_k: expected a whole number of at least 0, got 2.5"),
        ([1], "expected an object of settings, got an array"),
        ({"color": 1}, "no sampling settings"),
    ],
)
def test_errors_in_settings(capfd: Capture, tmp_path: Path, settings: object, message: str) -> None:
    file = saved(tmp_path, settings)
    status, text, messages = called(capfd, "compute", "2", "1", "--settings", file)
    assert (status, text) == (1, "")
    assert f"tsoft: error: {file}: {message}" in messages


def test_settings_outside_the_order_are_not_applied(capfd: Capture, tmp_path: Path) -> None:
    """A note reports this. The same option on the command line is an error."""
    file = saved(tmp_path, CONFIG | {"top_p": 0.5})
    typed = ("compute", *TYPED, "--settings", file, "-f", "jsonl", "--samplers")
    status, text, messages = called(capfd, *typed, "top_p")
    assert status == 0, messages
    assert records(text)[0]["samplers"] == ["top_p 0.5"]
    assert "top_k" in messages


def test_settings_of_llama_cpp_with_an_order(capfd: Capture, tmp_path: Path) -> None:
    file = saved(tmp_path, GENERATION_SETTINGS | {"samplers": ["top_k", "temperature"]})
    status, text, messages = called(capfd, "compute", *TYPED, "--settings", file, "-f", "jsonl")
    assert (status, records(text)[0]["samplers"]) == (0, ["top_k 4", "temperature 1.5"])
    assert "min_p 0.25" in messages


# Biases


@pytest.mark.parametrize(
    ("typed", "z"),
    [
        (["a=1.5"], [3.5, 1, 0]),
        (["#1=-inf"], [2, -np.inf, 0]),
        (["a=-1", "c=2e0"], [1, 1, 2]),
        (["#0=-inf", "#2=-inf"], [-np.inf, 1, -np.inf]),
    ],
)
def test_biases(capfd: Capture, typed: list[str], z: list[float]) -> None:
    options = [word for text in typed for word in ("--logit-bias", text)]
    [record] = records(printed(capfd, "compute", "a=2", "b=1", "c=0", *options, "--tau", "1.5", "-f", "jsonl"))
    np.testing.assert_allclose(record["probs"], softmax(np.array(z) / 1.5), rtol=1e-12)
    assert [step.split()[0] for step in record["samplers"]] == ["logit_bias", "temperature"]
    # The bias is first in every chain.
    listed = ("--samplers", "top_k;temperature", "--top-k", "1")
    [row] = rows(printed(capfd, "compute", "a=2", "b=1", "c=0", *options, *listed))
    assert kept(row) == {int(np.argmax(z))}


@pytest.mark.parametrize(
    "typed",
    [
        ("1e308", "1", "--logit-bias", "#0=1e308"),
        ("1e308", "-1e308", "--like", "llama.cpp"),
        ("100", "1", "--top-n-sigma", "1e300", "--top-p", "0.5", "--like", "llama.cpp"),
        ("9", "-inf", "--dynatemp-range", "1e308", "--dynatemp-exponent", "1e308", "--tau", "1e308"),
    ],
)
def test_logits_near_the_largest_float(capfd: Capture, typed: tuple[str, ...]) -> None:
    """Nothing overflows, neither in float64 nor in the float32 of the engines."""
    assert printed(capfd, "compute", *typed) == "1.0\t0.0\n"


def test_show_lists_the_most_probable_classes_after_the_chain(capfd: Capture) -> None:
    """The order differs from that of the logits: a bias raises the last class, and XTC removes the first."""
    typed = ("compute", "3", "2", "1", "0", "--logit-bias", "#3=2.5", "--xtc-probability", "1", "--show", "2")
    assert exclude_top(softmax([3, 2, 1, 2.5]), 0.1) == {1, 2}
    long = [line.split(",") for line in printed(capfd, *typed, "-f", "csv", "--long").splitlines()[1:]]
    assert [line[2] for line in long] == ["1", "2"]
    assert {"#1", "#2"} <= set(table(printed(capfd, *typed, "-f", "table"), "class"))
    biased = printed(capfd, "compute", "3", "2", "1", "0", "--logit-bias", "#3=2.5", "-f", "csv", "--long")
    assert [line.split(",")[2] for line in biased.splitlines()[1:]] == ["0", "3", "1", "2"]


NEW = """
import json
import sys
from tsoft.sampling import cutoffs
from tsoft.sampling.cutoffs import Cutoff
from tsoft.sampling.sampler_table import SAMPLERS, Sampler, SamplerParameter

def odd_one(z, least):
    return Cutoff(z, z.min(-1, keepdims=True) * 0 + least)

cutoffs.odd_one = odd_one
parameter = SamplerParameter("odd_one", "Z", "Logits of at least Z.", 0, 9)
SAMPLERS["odd_one"] = Sampler("odd_one", "cutoffs.odd_one", (parameter,))
from tsoft.cli import run
for arguments in json.loads(sys.argv[1]):
    run(arguments)
    print("END", flush=True)
"""


def test_a_new_sampler_is_a_function_and_a_row() -> None:
    """The option, help, errors, order, explanation and record of the sampler come from the table."""
    typed = ["compute", "2", "1", "0", "--odd-one", "0.75", "--samplers", "odd_one;temperature", "-f", "json"]
    runs = [
        ["compute", "--help"],
        ["compute", "1", "--odd-one", "10"],
        [*typed, "--explain", "--tau", "0.5"],
        ["sample", "5", "1", "--odd-one", "2", "--samplers", "odd_one", "-n", "3"],
    ]
    command = [sys.executable, "-c", NEW, json.dumps(runs)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(COLUMNS="100"), timeout=60)
    text, error, explained, drawn, _ = done.stdout.split("END\n")
    assert "--odd-one" in text
    assert error == ""
    assert "--odd-one: expected a number from 0 to 9, got 10" in done.stderr
    [record] = json.loads(explained)
    assert record["samplers"] == ["odd_one 0.75", "temperature 0.5"]
    assert record["removed_by"] == [None, None, 0]
    assert drawn == "0\n0\n0\n"


# Errors in the options

WRONG: dict[str, tuple[list[str], str]] = {
    "over the range": (["--top-p", "1.5"], "--top-p: expected a number from 0 to 1, got 1.5"),
    "under the range": (["--top-k", "-1"], "--top-k: expected a whole number of at least 0, got -1"),
    "a part of a class": (["--top-k", "2.5"], "--top-k: expected a whole number of at least 0, got 2.5"),
    "NaN": (["--min-p", "nan"], "--min-p: expected a number from 0 to 1, got nan"),
    "infinity": (["--dynatemp-range", "inf"], "--dynatemp-range: expected a finite number of at least 0, got inf"),
    "an end that is open": (["--top-h", "0"], "--top-h: expected a number above 0, at most 1, got 0"),
    "no number": (["--top-k", "many"], "--top-k: expected a "),
    "a sampler": (["--samplers", "top_kk"], "--samplers: unknown sampler 'top_kk'; did you mean 'top_k'? choose from "),
    "a sampler twice": (["--samplers", "typ_p;typical"], "--samplers: typical is listed twice"),
    "penalties": (
        ["--samplers", "penalties", "--presence-penalty", "1"],
        "--presence-penalty depends on the tokens before the distribution; pass --history FILE",
    ),
    "dry": (
        ["--samplers", "top_k,dry", "--dry-multiplier", "1"],
        "--dry-multiplier depends on the tokens before the distribution; pass --history FILE",
    ),
    "infill": (["--samplers", "INFILL"], "--samplers: tsoft does not have llama.cpp's sampler infill; remove infill"),
    "no samplers": (["--samplers", " "], "--samplers: the list is empty; choose from soft_cap, "),
    "a knob not listed": (
        ["--samplers", "top_p", "--top-k", "2"],
        "--top-k has no effect, because --samplers does not list top_k",
    ),
    "τ not listed": (
        ["--samplers", "top_k", "--tau", "2"],
        "--tau has no effect, because --samplers does not list temperature",
    ),
    "a companion alone": (["--xtc-threshold", "0.2"], "--xtc-threshold has no effect without --xtc-probability"),
    "another alone": (["--dynatemp-exponent", "2"], "--dynatemp-exponent has no effect without --dynatemp-range"),
    "an engine": (["--like", "vlm"], "--like: unknown engine 'vlm'; did you mean 'vllm'? choose from transform"),
    "no engine": (["--like", ""], "--like: "),
    "a knob it lacks": (["--like", "vllm", "--tfs", "0.5"], "--like vllm: this engine has no --tfs"),
    "a curve it lacks": (
        ["--like", "exllamav2", "--smoothing-factor", "0.5", "--smoothing-curve", "2"],
        "--like exllamav2: this engine has no --smoothing-curve",
    ),
    "a curve alone": (["--smoothing-curve", "2"], "--smoothing-curve has no effect without --smoothing-factor"),
    "no cap": (["--soft-cap", "0"], "--soft-cap: expected a finite number above 0, got 0"),
    "knobs one lacks": (["--like", "all,vllm", "--tfs", "2"], "--tfs: expected a number from 0 to 1, got 2"),
    "a fixed order": (
        ["--like", "vllm", "--samplers", "temperature"],
        "--like vllm: this engine has a fixed sampler order; choose from llama.cpp, koboldcpp",
    ),
    "no settings": (["--settings", ""], "--settings"),
    "steps in csv": (
        ["--explain", "-f", "csv", "--top-k", "1"],
        "--explain has no effect on csv; use --format table, json or jsonl",
    ),
    "a bias of no class": (["--logit-bias", "d=1"], "--logit-bias: unknown class 'd'; choose from a, b"),
    "an index of no class": (["--logit-bias", "#4=1"], "--logit-bias: unknown class '#4'"),
    "a bias of two": (["--logit-bias", "b=1"], "--logit-bias: 2 classes have the label 'b'; choose one by its index: "),
    "a bias without a number": (["--logit-bias", "a"], "--logit-bias: expected LABEL=NUMBER, such as cat=1.5, got 'a'"),
    "a bias of NaN": (
        ["--logit-bias", "a=nan"],
        "--logit-bias: the bias of 'a' is nan; pass a finite number, or -inf to ban the class",
    ),
    "a bias of +inf": (
        ["--logit-bias", "a=inf"],
        "--logit-bias: the bias of 'a' is inf; pass a finite number, or -inf to ban the class",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_in_the_options(capfd: Capture, name: str) -> None:
    typed, message = WRONG[name]
    status, text, messages = called(capfd, "compute", "a=2", "b=1", "b=0.5", "c=0", *typed)
    assert (status, text) == (2, "")
    assert messages.startswith(f"tsoft: error: {message}")


# Samplers of raw logits

OF_PROBABILITIES = "needs the raw logits, but probabilities determine them only up to a constant; remove soft_cap, or"
OF_LOGPROBS = OF_PROBABILITIES.replace("probabilities", "log-probabilities")
OF_RESPONSE = OF_PROBABILITIES.replace("probabilities", "the probabilities of an API response")


@each_case(
    ("typed", "stdin", "reason"),
    [
        (["--probs", "0.5", "0.5"], "", OF_PROBABILITIES),
        (["--logprobs"], "-0.69 -0.69", OF_LOGPROBS),
        ([], "label,prob\na,0.5\nb,0.5\n", OF_PROBABILITIES),
        ([], '{"labels": ["a", "b"], "probs": [0.5, 0.5]}', OF_PROBABILITIES),
        ([], '{"log_probs": [-0.69, -0.69]}', OF_LOGPROBS),
        (["-i", str(DATA / "openai-chat.json")], "", OF_RESPONSE),
        # Not even the whole vocabulary determines the constant.
        (["-i", str(DATA / "openai-chat.json"), "--listed-only", "--top-k", "1"], "", OF_RESPONSE),
    ],
)
@each_case("command", ["compute", "sweep", "sample"])
def test_a_soft_cap_is_refused_without_raw_logits(command: str, typed: list[str], stdin: str, reason: str) -> None:
    done = here(command, *typed, "--soft-cap", "30", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"soft_cap 30 {reason}" in done.stderr


def test_a_note_says_that_logits_look_like_log_probabilities_if_a_sampler_needs_the_raw_ones(capfd: Capture) -> None:
    def noted(*typed: str) -> bool:
        return "if they are log-probabilities, the result is wrong" in called(capfd, "compute", *typed)[2]

    # ln 0.7 and ln 0.3, and without the class of 0.3 but with one of 0.25.
    assert noted("-0.3567", "-1.204", "--soft-cap", "30")
    assert noted("-0.3567", "-1.3863", "--soft-cap", "30")
    assert not noted("-0.3567", "-1.204", "--top-k", "1")
    # The sum is 1.07, then 0.5.
    assert not noted("-0.3567", "-1", "--soft-cap", "30")
    assert not noted("-1", "-2", "--soft-cap", "30")
    assert not noted("-0.3567", "-1.204", "0.1", "--soft-cap", "30")
    assert not noted("0", "-inf", "--soft-cap", "30")


def test_a_soft_cap_is_refused_for_a_model_of_log_probabilities(capfd: Capture) -> None:
    typed = ("generate", "the", "--ngram", str(DATA / "barn.txt"), "--soft-cap", "30", "-n", "2")
    status, text, messages = called(capfd, *typed)
    assert (status, text) == (2, "")
    assert f"soft_cap 30 {OF_LOGPROBS}" in messages


def test_a_soft_cap_is_refused_after_a_step_that_shifts_the_logits(capfd: Capture) -> None:
    for shift, switch in (("edt", ("--edt-theta", "1")), ("adaptive_temperature", ("--adaptive-temperature",))):
        order = f"top_k;{shift};soft_cap;temperature"
        typed = ("compute", *TYPED, "--soft-cap", "2", "--top-k", "3", "--samplers", order, *switch)
        status, _, messages = called(capfd, *typed)
        assert status == 2
        assert f"soft_cap 2 needs the raw logits, but {shift}, which precedes it, subtracts the" in messages
        assert f"list soft_cap before {shift} in the order of the samplers" in messages
    # These keep the logits as they are.
    order = "top_k;smoothing;soft_cap;temperature"
    typed = ("--soft-cap", "2", "--top-k", "3", "--smoothing-factor", "0.5", "--samplers", order)
    [row] = rows(printed(capfd, "compute", *TYPED, *typed))
    smooth = [max(Z) - 0.5 * (max(Z) - z) ** 2 for z in Z[:3]]
    np.testing.assert_allclose(row[:3], softmax([2 * np.tanh(z / 2) for z in smooth]), rtol=1e-12)


@pytest.mark.parametrize("engine", [None, "llama.cpp", "koboldcpp", "text-generation-webui"])
@pytest.mark.parametrize("tau", [0.5, 3.0, 1e-310])
@pytest.mark.parametrize("z", [[2.0, 1.0, 0.5], [-0.5, -1.0, -3.0], [1.0, 0.0, -2.0], [0.0, -1e-300, -1e300]])
def test_a_penalty_after_the_temperature_changes_raw_quotients(
    capfd: Capture, tmp_path: Path, engine: str | None, tau: float, z: list[float]
) -> None:
    """llama_sampler_temp_impl, KoboldCpp's sample_temperature and TemperatureLogitsWarper divide, and subtract nothing.
    Longer floating-point numbers do not overflow at the lowest temperature."""
    path = tmp_path / "text.txt"
    path.write_text("#0\n")
    scaled = np.array(z, np.longdouble) / np.longdouble(tau)
    scaled[0] = scaled[0] / 2 if scaled[0] > 0 else scaled[0] * 2
    expected = np.exp(scaled - scaled.max())
    typed = ("--tau", repr(tau), "--repetition-penalty", "2", "--history", str(path))
    like = ("--like", engine) if engine else ()
    status, text, _ = called(capfd, "compute", *map(repr, z), *typed, "--samplers", "temperature;penalties", *like)
    assert status == 0
    np.testing.assert_allclose(rows(text)[0], (expected / expected.sum()).astype(float), rtol=1e-12, atol=1e-300)


def test_a_soft_cap_after_a_dynamic_temperature_changes_raw_quotients(capfd: Capture) -> None:
    p = softmax(Z)
    tau = 0.5 + 1.0 * (-p @ np.log(p) / np.log(len(Z))) ** 2
    typed = ("--soft-cap", "2", "--dynatemp-range", "0.5", "--dynatemp-exponent", "2")
    [row] = rows(printed(capfd, "compute", *TYPED, *typed, "--samplers", "temperature;soft_cap"))
    np.testing.assert_allclose(row, softmax(2 * np.tanh(Z / tau / 2)), rtol=1e-12)


def test_a_penalty_separates_the_classes_that_tie_at_temperature_0(capfd: Capture, tmp_path: Path) -> None:
    """As the temperature approaches 0, the quotients of positive logits become infinitely far from their halves."""
    path = tmp_path / "text.txt"
    path.write_text("#1\n")
    typed = ("--tau", "0,inf", "--repetition-penalty", "2", "--history", str(path))
    text = printed(capfd, "compute", "3", "3", "1", *typed, "--samplers", "temperature;penalties")
    np.testing.assert_allclose(rows(text), [[1.0, 0.0, 0.0], [1 / 3] * 3], rtol=1e-12)
    assert rows(printed(capfd, "compute", "0", "0", *typed, "--samplers", "temperature;penalties")) == [[0.5, 0.5]] * 2


def test_a_soft_cap_of_logits_and_of_energies(capfd: Capture) -> None:
    expected = softmax(2 * np.tanh(Z / 2) / 0.7)
    [row] = rows(printed(capfd, "compute", *TYPED, "--soft-cap", "2", "--tau", "0.7"))
    np.testing.assert_allclose(row, expected, rtol=1e-12)
    energies = [str(-z) for z in Z]
    [row] = rows(printed(capfd, "compute", "--energies", *energies, "--soft-cap", "2", "--tau", "0.7"))
    np.testing.assert_allclose(row, expected, rtol=1e-12)


def test_a_soft_cap_precedes_the_biases(capfd: Capture) -> None:
    [row] = rows(printed(capfd, "compute", "3", "1", "--soft-cap", "2", "--logit-bias", "#1=5"))
    np.testing.assert_allclose(row, softmax([2 * np.tanh(1.5), 2 * np.tanh(0.5) + 5]), rtol=1e-12)


# Temperatures that depend on the entropy


def test_edt_and_the_adaptive_temperature_multiply_with_tau(capfd: Capture) -> None:
    """The entropy is that at temperature 1; the adaptive temperature follows EDT, so it sees the entropy after it."""
    theta, taus = 0.4, [0.5, 1.0, 2.0]
    factor = 0.8 ** (theta / entropy(softmax(Z)))
    typed = ("compute", *TYPED, "--edt-theta", str(theta), "--tau", "0.5,1,2")
    expected = [softmax(Z / (factor * tau)) for tau in taus]
    np.testing.assert_allclose(rows(printed(capfd, *typed)), expected, rtol=1e-12)
    beta = float(np.polyval([-0.037, 0.481, -2.3, 4.917, -1.791], entropy(softmax(Z / factor))))
    assert beta > 1.1
    expected = [softmax(Z * beta / (factor * tau)) for tau in taus]
    np.testing.assert_allclose(rows(printed(capfd, *typed, "--adaptive-temperature")), expected, rtol=1e-12)


def test_a_sampler_without_a_number_is_named_alone(capfd: Capture) -> None:
    [record] = records(printed(capfd, "compute", *TYPED, "--p-less", "--explain", "-f", "jsonl"))
    assert record["samplers"] == ["temperature 1", "p_less"]
    assert record["steps"][1]["parameters"] == {"p_less": True}
    p = softmax(Z)
    assert record["steps"][1]["threshold"] == pytest.approx((p**2).sum(), rel=1e-12)


def test_smoothing_with_a_curve(capfd: Capture) -> None:
    d = Z.max() - Z
    smooth = -0.4 * d**2 * ((3 - 2.5) + (2.5 - 1) * d) / 2
    typed = ("--smoothing-factor", "0.4", "--smoothing-curve", "2.5", "--tau", "1.5")
    [row] = rows(printed(capfd, "compute", *TYPED, *typed))
    np.testing.assert_allclose(row, softmax(smooth / 1.5), rtol=1e-12)


@pytest.mark.parametrize("form", ["tsv", "csv", "jsonl", "table"])
@pytest.mark.parametrize(
    ("typed", "step"),
    [
        (["--like", "mlx-lm@0.32.0", "--top-p", "1e-20"], "top_p 1e-20"),
        (["--logit-bias", "#0=-inf", "--logit-bias", "#1=-inf"], "logit_bias"),
    ],
)
def test_a_step_that_removes_every_class_is_an_error(capfd: Capture, form: str, typed: list[str], step: str) -> None:
    status, text, messages = called(capfd, "compute", "2", "1", *typed, "-f", form)
    assert (status, text) == (2, "")
    assert re.search(rf"^tsoft: error: .*row 0: .*{re.escape(step)}", messages, re.MULTILINE)


@pytest.mark.parametrize("like", [(), ("--like", "llama.cpp")])
def test_the_error_names_the_row_without_classes(capfd: Capture, tmp_path: Path, like: tuple[str, ...]) -> None:
    path = tmp_path / "z.txt"
    path.write_text("a=1 b=1\na=2\n")
    status, text, messages = called(capfd, "compute", "-i", str(path), "--logit-bias", "a=-inf", *like)
    assert (status, text) == (2, "0.0\t1.0\n")
    assert re.search("tsoft: error: .*row 1: ", messages)


def test_a_sweep_needs_the_temperature(capfd: Capture) -> None:
    for form in ("tsv", "table"):
        status, text, messages = called(capfd, "sweep", "2", "1", "--samplers", "top_k", "--top-k", "1", "-f", form)
        assert (status, text) == (2, "")
        assert messages.startswith("tsoft: error: the samplers include no temperature")
    status, _, messages = called(capfd, "sweep", "2", "1", "--mean", "--like", "all", "--tau", "1")
    assert (status, messages) == (2, "tsoft: error: --like: sweep --mean takes only one engine; pass one\n")


# Step by step


def test_steps_in_json(capfd: Capture) -> None:
    typed = ("--tau", "2", "--top-k", "5", "--top-p", "0.8", "--min-p", "0.6", "--explain", "-f", "jsonl")
    labels = [f"{name}={z}" for name, z in zip("abcdef", Z, strict=True)]
    [record] = records(printed(capfd, "compute", *labels, *typed))
    stages = [softmax(Z / 2)]
    stages.append(restricted(stages[-1], top(stages[-1], 5)))
    stages.append(restricted(stages[-1], nucleus(stages[-1], 0.8)))
    stages.append(restricted(stages[-1], at_least(stages[-1], 0.6 * stages[-1].max())))
    before = [stages[0], *stages[:-1]]
    steps = record["steps"]
    assert [step["sampler"] for step in steps] == ["temperature", "top_k", "top_p", "min_p"]
    assert steps[0]["parameters"]["tau"] == 2
    assert [next(iter(step["parameters"].values())) for step in steps] == [2, 5, 0.8, 0.6]
    assert [step["kept"] for step in steps] == [len(kept(p)) for p in stages]
    assert len({len(kept(p)) for p in stages}) == 4
    cuts = [p[q == 0].sum() for p, q in zip(before, stages, strict=True)]
    assert [step["cut"] for step in steps] == pytest.approx(cuts, rel=1e-12)
    assert [step["entropy"] for step in steps] == pytest.approx([entropy(p[p > 0]) for p in stages], rel=1e-12)
    assert {step["top"] for step in steps} == {"a"}
    # For top-k and top-p, the threshold is the smallest kept probability; for min-p, a share of the top probability.
    assert steps[0]["threshold"] is None
    least = [before[i][stages[i] > 0].min() for i in (1, 2)]
    thresholds = [*least, 0.6 * before[3].max()]
    assert [step["threshold"] for step in steps[1:]] == pytest.approx(thresholds, rel=1e-12)
    removed_by = [next((i for i, p in enumerate(stages) if p[c] == 0), None) for c in range(len(Z))]
    assert record["removed_by"] == removed_by
    assert [i is None for i in removed_by] == [prob > 0 for prob in record["probs"]]


def test_steps_in_json_with_a_state_and_without_a_limit(capfd: Capture, tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a\n")
    options = ("--presence-penalty", "1", "--history", str(tmp_path / "history"), "--mirostat-tau", "1")
    [record] = records(printed(capfd, "compute", "a=2", "b=1", *options, "--explain", "-f", "jsonl"))
    penalties, _, mirostat = (step["parameters"] for step in record["steps"])
    # Infinities are strings in JSON. The state is unknown before the first draw.
    assert penalties["penalty_last_n"] == "inf"
    assert mirostat["mirostat_mu"] is None


def test_steps_in_bits(capfd: Capture) -> None:
    [record] = records(printed(capfd, "compute", "0", "0", "0", "--top-k", "2", "--explain", "--bits", "-f", "jsonl"))
    assert [step["entropy"] for step in record["steps"]] == pytest.approx([np.log2(3), 1])


@pytest.mark.parametrize("more", [(), ("--samplers", "min_p"), ("--samplers", "min_p", "--like", "llama.cpp")])
@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_nothing_to_explain(capfd: Capture, form: str, more: tuple[str, ...]) -> None:
    text = printed(capfd, "compute", "2", "1", "--explain", "-f", form, *more)
    if form == "jsonl":
        [record] = records(text)
        np.testing.assert_allclose(record["probs"], softmax([2, 1]), rtol=1e-12)
        assert not any(record.get("removed_by", ()))
    else:
        assert "0.7311" in text


def table(text: str, head: str) -> dict[str, list[str]]:
    """Return the lines of the table whose first column has this header, by their first word."""
    lines = text.split(f"\n {head} ", 1)[1].split("\n\n")[0].splitlines()[2:]
    return {line.split()[0]: line.split() for line in lines}


def test_steps_in_a_table(capfd: Capture) -> None:
    text = printed(capfd, "compute", *TYPED, "--top-k", "4", "--top-p", "0.6", "--explain", "-f", "table")
    p = softmax(Z)
    q = restricted(p, top(p, 4))
    steps = table(text, "step")
    assert list(steps) == ["temperature", "top_k", "top_p"]
    least = min(q[i] for i in nucleus(q, 0.6))
    assert steps["top_p"][2:4] == ["2", f"{1 - sum(q[i] for i in nucleus(q, 0.6)):.4f}"]
    assert steps["top_p"][-3:] == ["p", "≥", f"{least:.5g}"]
    assert steps["top_k"][2:4] == ["4", f"{p[4:].sum():.4f}"]


# On a terminal


def test_a_removed_class_shows_its_probability_without_the_chain(capfd: Capture) -> None:
    text = printed(capfd, "compute", *TYPED, "--tau", "1.5", "--top-k", "4", "--min-p", "0.5", "-f", "table")
    p = softmax(Z / 1.5)
    q = restricted(p, top(p, 4))
    remaining = at_least(q, 0.5 * q.max())
    assert remaining == {0, 1}
    assert text.startswith("samplers: temperature 1.5 → top_k 4 → min_p 0.5\n")
    classes = table(text, "class")
    r = restricted(p, remaining)
    for i in remaining:
        assert classes[f"#{i}"][2] == f"{r[i]:.4f}"
        assert classes[f"#{i}"][3].startswith("█")
    for i, by in {2: "min_p", 3: "min_p", 4: "top_k", 5: "top_k"}.items():
        assert classes[f"#{i}"][2:] == [f"({p[i]:.4f})", by]
    measures = dict(re.findall(r"^ (kept|removed) +(\S+)$", text, re.MULTILINE))
    assert measures == {"kept": "2", "removed": f"{1 - p[0] - p[1]:.4f}"}


def test_a_masked_class_is_not_shown_as_removed(capfd: Capture) -> None:
    classes = table(printed(capfd, "compute", "2", "1", "-inf", "--top-k", "1", "-f", "table"), "class")
    assert classes["#2"] == ["#2", "-inf", "0"]
    assert classes["#1"][2] == "(0.2689)"


def test_removed_classes_are_dim(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ("compute", "2", "1", "--top-k", "1", "-f", "table")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    colored = printed(capfd, *typed)
    assert re.search(r"\x1b\[2m\(0\.2689\) top_k", colored)
    assert not re.search(r"\x1b\[2m *1\.0000", colored)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = printed(capfd, *typed)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[\d;]*m", "", colored).split() == plain.split()


@pytest.mark.parametrize(("command", "width"), [("compute", 40), ("sweep", 80)])
def test_hostile_labels_on_any_screen(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    """With many engines and temperatures, no line is wider than the screen, and no label controls the terminal."""
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    typed = (command, *HOSTILE, "--top-p", "0.7", "--like", "all", "--tau", "0.5,1.5", "-f", "table", "--no-chart")
    more = ("--explain", "--logit-bias", f"{HOSTILE[0].split('=')[0]}=-0.7") if command == "compute" else ()
    engines = [name for name, engine in DEFAULT_ENGINES.items() if engine.has("logit_bias") or not more]
    _, text, _ = called(capfd, *typed, *more)
    assert not re.search("[\x1b\u202e]", text)
    assert "[red]a\\x1" in text
    assert "[/INST]" in text
    assert all(name in text for name in engines)
    assert max(map(cell_len, text.splitlines())) <= width
    assert text.endswith("\n")


def test_the_first_class_on_which_engines_differ(capfd: Capture) -> None:
    """One engine keeps the class and another does not. The line names the engine and the step that removes it."""
    typed = ("compute", "--probs", "a=0.5", "[b]\x1b=0.3", "c=0.2", "--top-p", "0.6", "-f", "table", "--tau", "1,2")
    text = printed(capfd, *typed, "--like", "transformers,exllamav2,vllm,sglang")
    words = " ".join(text.split())
    # At τ = 2 the probabilities are 0.415, 0.322 and 0.263.
    tempered = np.sqrt([0.5, 0.3, 0.2]) / np.sqrt([0.5, 0.3, 0.2]).sum()
    assert len(nucleus(tempered, 0.6)) == 2
    sentence = (
        "exllamav2 first differs from transformers at '[b]\\x1b':"
        " exllamav2 removes it with top_p 0.6 (step 2 of 2); transformers keeps it."
    )
    assert words.count(sentence) == 2
    assert words.count("vllm and sglang give the same distribution as transformers.") == 2
    distances = [0.3 / 0.8, tempered[1] / tempered[:2].sum()]
    for tau, distance in zip(("1", "2"), distances, strict=True):
        part = words.split(f"total variation at τ = {tau} ")[1]
        assert f"exllamav2 {distance:.4f} vllm 0 {distance:.4f}" in part


# Help and completions


def test_help_lists_every_sampler_option(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    for command in ("compute", "sweep"):
        section = printed(capfd, command, "--help").split("\nSamplers:\n")[1].split("\n\n")[0]
        panel = re.sub(r"\s+", " ", section)
        options = [k.option for s in SAMPLERS.values() for k in s.parameters if k.name != "tau"]
        assert re.findall(r"^  (--[\w-]+) ", section, re.MULTILINE)[: len(options)] == options
        assert all(k.help.split()[0] in panel for s in SAMPLERS.values() for k in s.parameters if k.name != "tau")
        assert {"--samplers", "--like", "--settings"} <= set(panel.split())
    assert "--explain" not in panel


@pytest.mark.parametrize("command", [["sample"], ["sweep"], ["sweep", "--mean"]])
@pytest.mark.parametrize("form", ["table", "tsv"])
def test_a_chain_that_removes_every_class_is_an_error_before_drawing(
    capfd: Capture, command: list[str], form: str
) -> None:
    typed = [*command, "2", "1", "-f", form, "--logit-bias", "#0=-inf", "--logit-bias", "#1=-inf"]
    status, text, messages = called(capfd, *typed)
    assert (status, text) == (2, "")
    assert messages == "tsoft: error: row 0: logit_bias of 2 classes removes every class; use a less strict setting\n"


def test_all_in_capitals_omits_engines_too(capfd: Capture) -> None:
    status, text, messages = called(capfd, "compute", "2", "1", "--top-a", "0.1", "--like", "ALL", "-f", "jsonl")
    have = ["exllamav2", "koboldcpp", "text-generation-webui"]
    assert (status, [record["engine"] for record in records(text)]) == (0, have)
    assert "are omitted, because they have no --top-a" in messages


def test_unsupported_samplers_of_a_file_are_omitted_from_its_order(capfd: Capture, tmp_path: Path) -> None:
    """tsoft omits samplers that need the text, so the order may be empty."""
    path = tmp_path / "settings.json"
    path.write_text('{"samplers": ["dry", "penalties"], "temperature": 0.5, "top_k": 1, "prompt": "x"}')
    status, text, _ = called(capfd, "compute", "2", "1", "--settings", str(path), "-f", "jsonl", "--like", "llama.cpp")
    [record] = records(text)
    assert (status, record["samplers"], record["kept"]) == (0, [], 2)
    assert called(capfd, "compute", "2", "1", "--settings", str(path), "--like", "vllm")[0] == 2
