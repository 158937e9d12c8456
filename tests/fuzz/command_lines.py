"""Random command lines for every command, from the options that the Typer app has."""

import functools
import json
import os
import random
import shlex
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import inputs
import tool
from outcomes import Outcome, problem_of

# These options reach the network, start an app, load a model or use many processes.
EXCLUDED = {"--endpoint", "--remote-model", "--model", "--chat", "--threads", "--timeout", "--help"}
EXCLUDED |= {"--requests", "--jobs", "--yes"}
# These commands start an app.
APPS = {"explore", "learn"}
# Each of these options fits few inputs or excludes other options. A friendly run draws none of them.
NARROW = {
    "--format",
    "--labels",
    "--input-format",
    "--max-line",
    "--key",
    "--columns",
    "--id-column",
    "--energies",
    "--probs",
    "--logprobs",
    "--applied-tau",
    "--listed-only",
    "--vocab-size",
    "--target-column",
    "--targets-key",
    "--student-key",
    "--draft-key",
    "--test",
    "--test-key",
    "--test-targets",
    "--test-targets-key",
    "--choices",
    "--acc-norm",
    "--save",
    "--calibration",
    "--l2",
    "--folds",
    "--alpha",
    "--top-logprobs",
    "--dynatemp-exponent",
    "--xtc-threshold",
    "--smoothing-curve",
    "--soft-cap",
    "--units",
    "--degeneracy",
    "--chosen",
    "--draws",
    "--counts",
    "--per-position",
    "--level",
    "--tolerance",
    "--prompt",
    "--ngram",
    "--top-prob",
    "--entropy",
    "--perplexity",
    "--margin",
    "--prob",
}
# These options have an effect on tables only.
DISPLAY = {"--show", "--rows", "--sort", "--chart", "--heatmap"}
HOSTILE = [
    "",
    "0",
    "-0.0",
    "-1",
    "nan",
    "inf",
    "-inf",
    "1e308",
    "5e-324",
    "1e400",
    "²",
    "٣",
    "99999999999999999999",
    "50%",
]
HOSTILE += [
    "-",
    "@nofile",
    "1:0:1",
    "0:1:0",
    "a=b",
    "\x1b[31m",
    "é",
    "\udcff",
    ",",
    "x" * 5000,
    "{",
    "[1,",
    "#0",
    "1,2",
]
# Stands for the file with the settings of a product.
PRODUCT = "settings of a product"
OUTPUTS = [f"out.{ending}" for ending in ("csv", "json", "jsonl", "tsv", "svg", "html", "npy", "npz", "parquet")]
# Values that are valid more often than not, by the last name of the option.
VALUES = {
    "--temperature": ["0.5", "1", "0.5,1,2", "0", "inf", "0.1:2:0.5", "1e-300"],
    "--labels": ["a,b,c", "@labels.txt", "a,,a"],
    "--columns": ["c0,c1", "0,1"],
    "--id-column": ["id", "c0"],
    "--key": ["logits", "0"],
    "--degeneracy": ["1,2,1", "2"],
    "--logit-bias": ["c0=1", "#0=-2", "c1=-inf"],
    "--samplers": ["top_k;temperature", "temperature", "top_p,min_p"],
    "--like": ["vllm", "llama.cpp", "transformers", "all"],
    "--settings": ["settings.json", PRODUCT],
    "--history": ["history.txt"],
    "--prob": ["c0=0.5", "#0=0.9"],
    "--targets": ["targets.txt"],
    "--draws": ["draws.json", "targets.txt"],
    "--top-k": ["1", "2", "50"],
    "--test": ["input"],
    "--choices": ["A,B", "c0,c1,c2", "A"],
    "--save": ["out.calibration", "-"],
    "--calibration": ["calibration.json", "settings.json"],
    "--method": ["vector", "temperature"],
    "--l2": ["1", "0.01", "1e-300", "0"],
    "--folds": ["2", "5"],
    "--test-targets": ["targets.txt"],
    "--student": ["input"],
    "--target-column": ["c0", "target"],
    "--targets-key": ["targets"],
    "--student-key": ["logits"],
    "--draft-key": ["logits"],
    "--test-key": ["logits"],
    "--test-targets-key": ["targets"],
    "--schedule": ["linear", "geometric", "exponential"],
    "--ngram": ["text.txt"],
    "--prompt": ["the", "a cat"],
    "--stop": [".", "the"],
    "-n": ["1", "10", "3"],
    "-k": ["1", "1,2", "3"],
    "-o": [*OUTPUTS, "-"],
    "--show": ["2", "5"],
    "--rows": ["2", "5"],
    "--steps": ["3", "20"],
    "--runs": ["1", "5"],
    "--beams": ["1", "3"],
    "--max-tokens": ["1", "5"],
    "--bins": ["5", "15"],
    "--resamples": ["5", "0"],
    "--vocab-size": ["100", "7"],
}
# Numbers so large that a run with them takes longer than its limit, not because of a defect.
SLOW = {"--runs", "--steps", "--resamples", "-n", "--max-tokens", "--bins", "--beams", "--temperature"}
SETTINGS = b'{"temperature": 0.7, "top_p": 0.9, "top_k": 2, "repetition_penalty": 1.2, "dry_multiplier": 0.8}'
TEXT = b"the cat sat on the mat. a dog sat on the cat. the mat is a mat.\n"


@dataclass(frozen=True)
class Case:
    """The arguments of a run, and the bytes on its stdin and in each of its files."""

    arguments: list[str]
    stdin: bytes
    files: dict[str, bytes]


def run(rng: random.Random) -> Outcome:
    """Run one command in this process and in the current folder, which is empty."""
    case = draw(rng, parameters())
    for name, data in case.files.items():
        Path(name).write_bytes(data)
    before = set(os.listdir())
    done = tool.here_in_bytes(*case.arguments, stdin=case.stdin)
    problem = problem_of(done, case.arguments)
    created = set(os.listdir()) - before
    outputs = {word for word in case.arguments if word.startswith("out.")}
    if not problem and created - outputs:
        problem = f"unexpected files: {sorted(created - outputs)}"
    # The second file of a run may fail after the first one is written.
    if not problem and done.returncode in (1, 2) and created and len(outputs) < 2:
        problem = f"a file of a run with exit code {done.returncode}: {sorted(created)}"
    if problem:
        problem += f"\n    tsoft {shlex.join(case.arguments)[:1000]}\n    stdin {case.stdin[:300]!r}"
    return Outcome(case.arguments[0], done.returncode, problem)


@functools.cache
def parameters() -> dict[str, list[Any]]:
    """Return the parameters of each command that starts no app."""
    from tsoft import cli

    return {name: cli.command(name).params for name in cli.COMMANDS if name not in APPS}


def draw(rng: random.Random, parameters: dict[str, list[Any]]) -> Case:
    """Return a case for one of the commands, whose parameters these are.

    In most cases the input, the options and the values fit the command. In the others nothing is sure to.
    """
    command = rng.choice(list(parameters))
    is_friendly = rng.random() < 0.7
    block = inputs.rows(rng, (rng.randint(4, 30), rng.randint(2, 4)) if command == "calibrate" else None)
    is_partial = rng.random() < (0 if is_friendly and command in ("calibrate", "distill") else 0.15)
    ending, data = inputs.response(rng) if is_partial else inputs.valid(rng, block)
    if not is_friendly and rng.random() < 0.6:
        data = inputs.mutated(rng, data)
    files = _files(rng, block)
    if not is_friendly and rng.random() < 0.2:
        name = rng.choice(list(files))
        files[name] = inputs.mutated(rng, files[name])
    files["input"] = data
    arguments, stdin = _input(rng, command, block, f"data{ending}", files)
    excluded = set(EXCLUDED)
    if is_friendly and any("--format" in option.opts for option in parameters[command]):
        # More options have an effect on these than on tsv, the default in a pipe, and for `next` on a table alone.
        format = rng.choice(["table", "table", *["json", "jsonl", None] * (command != "next")])
        # Several files may have different formats.
        files_written = rng.sample(OUTPUTS, rng.randint(1, 3)) if format is None else []
        arguments += ["-f", format] if format else [word for file in files_written for word in ("-o", file)]
        excluded |= NARROW | (DISPLAY if format != "table" else set()) | ({"-o"} if files_written else set())
    options = [option for option in parameters[command] if _is_drawn(option, excluded)]
    for option in rng.sample(options, min(len(options), rng.choice([0, 1, 1, 2, 2, 3, 6]))):
        arguments += _option(rng, option, is_friendly)
    if PRODUCT in arguments:
        name, files[name] = inputs.settings(rng)
        arguments = [name if word == PRODUCT else word for word in arguments]
    return Case([command, *arguments], stdin, files)


def _files(rng: random.Random, block: list[list[float]]) -> dict[str, bytes]:
    """Return the files that options name, which fit these logits."""
    return {
        "labels.txt": "".join(f"c{i}\n" for i in range(len(block[0]))).encode(),
        "targets.txt": "".join(f"{target}\n" for target in inputs.targets(rng, block)).encode(),
        "student.json": _student(rng, len(block), len(block[0])),
        "draws.json": _draws(rng, block),
        "settings.json": SETTINGS,
        "calibration.json": _calibration(rng, len(block[0])),
        "history.txt": b"#0\n#1\n#0\n",
        "text.txt": TEXT,
        "story.txt": inputs.mutated(rng, TEXT) if rng.random() < 0.5 else TEXT[10:],
    }


def _draws(rng: random.Random, block: list[list[float]]) -> bytes:
    """Return draws of classes that are not masked."""
    unmasked = [[i for i, z in enumerate(row) if z > -inf] or [0] for row in block]
    return json.dumps([rng.choices(classes, k=rng.choice([0, 1, 5, 40])) for classes in unmasked]).encode()


def _calibration(rng: random.Random, classes: int) -> bytes:
    """Return a saved calibration of these classes."""
    fields = {"format": "tsoft calibration", "version": 1, "classes": classes, "labels": None, "quantity": "logit"}
    numbers = {name: [rng.gauss(0, 1) for _ in range(classes)] for name in ("weights", "biases")}
    kind = {"method": "temperature", "tau": rng.choice([0.5, 1e-300, 1e300])}
    return json.dumps(fields | (kind if rng.random() < 0.5 else {"method": "vector", **numbers})).encode()


def _answers(rng: random.Random) -> bytes:
    """Return responses that answer with A or B, each with the right answer."""
    lines = []
    for _ in range(rng.randint(1, 12)):
        numbers = {token: -rng.expovariate(rng.choice([0.1, 1, 10])) - 0.7 for token in ("A", " B", "B.", "no")}
        listed = [{"token": token, "logprob": number} for token, number in numbers.items() if rng.random() < 0.9]
        drawn: dict[str, Any] = {**(rng.choice(listed) if listed else {"token": "A"}), "top_logprobs": listed}
        fields = {"target": rng.choice(["A", "B", "B", 0, 9]) if rng.random() < 0.1 else rng.choice("AB")}
        lines.append(json.dumps(fields | {"choices": [{"logprobs": {"content": [drawn]}}]}) + "\n")
    return "".join(lines).encode()


def _samples(rng: random.Random) -> bytes:
    """Return samples of lm-evaluation-harness."""
    lines = []
    for row in range(rng.randint(1, 12)):
        answers = rng.choice([2, 3, 3, 4])
        arguments = [["Q:", " " + "x" * rng.randint(1, 4)] for _ in range(answers)]
        responses = [[[repr(-rng.expovariate(0.1)), "False"]] for _ in range(answers)]
        fields = {"doc_id": row, "target": rng.randrange(answers), "arguments": arguments, "resps": responses}
        lines.append(json.dumps(fields) + "\n")
    return "".join(lines).encode()


def _student(rng: random.Random, height: int, width: int) -> bytes:
    return json.dumps(inputs.rows(rng, (height, width))).replace("-Infinity", '"-inf"').encode()


def _input(
    rng: random.Random, command: str, block: list[list[float]], name: str, files: dict[str, bytes]
) -> tuple[list[str], bytes]:
    """Return the arguments that a command needs to run at all, and its stdin."""
    kind = rng.random()
    needed = {
        "next": ["the", "--ngram", "text.txt"],
        "generate": ["the", "--ngram", "text.txt"],
        "score": ["--ngram", "text.txt", *rng.choice([["story.txt"], ["story.txt", "text.txt"], ["text.txt"]])],
        "bandit": ["1", "0.5", "0.2", "--runs", "5", "--steps", "20"],
        "help": rng.choice([[], ["compute"], ["sweep"], [rng.choice(HOSTILE)]]),
        "anneal": ["--steps", "5"],
        "audit": rng.choice([["--draws", "draws.json"], ["--draws", "draws.json"], ["--chosen"], ["--draws", "-"]]),
        "solve": [rng.choice(["--top-prob=0.8", "--entropy=0.3", "--perplexity=1.5", "--margin=0.2"])],
        "calibrate": ["--targets", "targets.txt", *["--test", "input", "--test-targets", "targets.txt"] * (kind < 0.6)],
        "distill": ["--student", "student.json", *["--targets", "targets.txt", "--alpha", "0.3"] * (kind < 0.4)],
    }.get(command, [])
    if command in ("next", "generate", "score", "bandit", "help", "anneal"):
        return needed, b""
    if command == "choose":
        records = inputs.problem_records(rng)
        files["results"] = records if kind < 0.8 else inputs.mutated(rng, records)
        return (["results"], b"") if kind < 0.4 else ([], files["results"])
    if command == "calibrate" and kind < 0.4:
        # An outlier in half of the inputs.
        outlier = [f"{inputs.number(rng)!r},0,0,1"] * rng.randint(0, 1)
        table = [[rng.gauss(0, 2), rng.gauss(0, 2), 0.5] for _ in range(rng.randint(1, 30))]
        lines = [f"{a!r},{b!r},{c},{i}" for (a, b, c), i in zip(table, inputs.targets(rng, table), strict=True)]
        files["input"] = "\n".join(["a,b,c,target", *lines, *outlier, ""]).encode()
        return ["--test", "input"] * rng.randint(0, 1), files["input"]
    if command == "calibrate" and kind > 0.85:
        files["input"] = _answers(rng) if kind > 0.92 else _samples(rng)
        return ["-i", "input"] + ["--choices", "A,B"] * (kind > 0.92), b""
    if kind < 0.2:
        files["student.json"] = _student(rng, 1, len(block[0]))
        return [*map(repr, block[0]), *needed], b""
    if kind < 0.6:
        files[name] = files["input"]
        return ["-i", name, *needed], b""
    return needed, files["input"]


def _is_drawn(parameter: Any, excluded: set[str]) -> bool:
    return parameter.param_type_name == "option" and excluded.isdisjoint(parameter.opts) and "-i" not in parameter.opts


def _option(rng: random.Random, option: Any, is_friendly: bool) -> list[str]:
    name = option.opts[-1]
    if option.is_flag:
        return [rng.choice([*option.opts, *option.secondary_opts])]
    if not is_friendly and name not in SLOW and name != "-o" and rng.random() < 0.3:
        return [name, rng.choice(HOSTILE)]
    if name in VALUES:
        return [name, rng.choice(VALUES[name])]
    if choices := getattr(option.type, "choices", None):
        return [name, str(getattr(rng.choice(list(choices)), "value", rng.choice([str(choice) for choice in choices])))]
    if "int" in getattr(option.type, "name", ""):
        return [name, str(rng.randint(is_friendly, 9))]
    return [name, repr(round(rng.random(), 3))]
