"""Random command lines for every command, from the options that the Typer app has."""

import functools
import os
import random
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import inputs
import tool
from outcomes import Outcome, problem_of

# These options reach the network, start an app, load a model or use many processes.
EXCLUDED = {"--endpoint", "--remote-model", "--model", "--chat", "--threads", "--timeout", "--help"}
COMMANDS = (
    "compute",
    "sweep",
    "solve",
    "sample",
    "next",
    "generate",
    "calibrate",
    "distill",
    "anneal",
    "bandit",
    "help",
)
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
    "--settings": ["settings.json"],
    "--prob": ["c0=0.5", "#0=0.9"],
    "--targets": ["targets.txt", "0,1,0"],
    "--test": ["input"],
    "--test-targets": ["targets.txt"],
    "--student": ["input"],
    "--target-column": ["c0", "target"],
    "--targets-key": ["targets"],
    "--schedule": ["linear", "geometric", "exponential"],
    "--ngram": ["text.txt"],
    "--prompt": ["the", "a cat"],
    "--stop": [".", "the"],
    "-n": ["1", "10", "3"],
    "-o": ["out.csv", "out.json", "out.jsonl", "out.npy", "out.npz", "out.tsv", "-"],
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
FILES = {
    "labels.txt": b"a\nb\nc\n",
    "targets.txt": b"0\n1\n0\n",
    "settings.json": b'{"temperature": 0.7, "top_p": 0.9, "top_k": 2}',
    "text.txt": b"the cat sat on the mat. a dog sat on the cat. the mat is a mat.\n",
}


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
    if not problem and done.returncode in (1, 2) and created:
        problem = f"a file of a run with exit code {done.returncode}: {sorted(created)}"
    if problem:
        problem += f"\n    tsoft {shlex.join(case.arguments)[:1000]}\n    stdin {case.stdin[:300]!r}"
    return Outcome(case.arguments[0], done.returncode, problem)


@functools.cache
def parameters() -> dict[str, list[Any]]:
    """Return the parameters of each command."""
    from tsoft.cli import Commands

    commands = Commands()
    return {name: commands.get(name).params for name in COMMANDS}


def draw(rng: random.Random, parameters: dict[str, list[Any]]) -> Case:
    """Return a case for one of the commands, whose parameters these are."""
    command = rng.choice(list(parameters))
    ending, data = inputs.valid(rng)
    files = dict(FILES)
    if rng.random() < 0.3:
        data = inputs.mutated(rng, data)
    if rng.random() < 0.1:
        name = rng.choice(list(FILES))
        files[name] = inputs.mutated(rng, files[name])
    files["input"] = data
    arguments, stdin = _input(rng, command, f"data{ending}", data, files)
    options = [parameter for parameter in parameters[command] if _is_drawn(parameter)]
    for option in rng.sample(options, min(len(options), rng.choice([0, 1, 1, 2, 2, 3, 6]))):
        arguments += _option(rng, option)
    return Case([command, *arguments], stdin, files)


def _input(
    rng: random.Random, command: str, name: str, data: bytes, files: dict[str, bytes]
) -> tuple[list[str], bytes]:
    """Return the arguments that a command needs to run at all, and its stdin."""
    if command in ("next", "generate"):
        return ["the", "--ngram", "text.txt"], b""
    if command == "bandit":
        return ["1", "0.5", "0.2", "--runs", "5", "--steps", "20"], b""
    if command == "calibrate" and rng.random() < 0.7:
        # An outlier in half of the inputs; targets that fit the classes.
        outlier = [f"{inputs.number(rng)!r},0,0,1"] * rng.randint(0, 1)
        lines = [f"{rng.gauss(0, 2)!r},{rng.gauss(0, 2)!r},0.5,{rng.randrange(3)}" for _ in range(rng.randint(1, 30))]
        return [], "\n".join(["a,b,c,target", *lines, *outlier, ""]).encode()
    if command == "help":
        return rng.choice([[], ["compute"], ["sweep"], [rng.choice(HOSTILE)]]), b""
    if command == "anneal":
        return ["--steps", "5"], b""
    needed = {
        "solve": [rng.choice(["--top-prob=0.8", "--entropy=0.3", "--perplexity=1.5", "--margin=0.2"])],
        "calibrate": ["--targets", "targets.txt"],
        "distill": ["--student", "input"],
    }.get(command, [])
    kind = rng.random()
    if kind < 0.3 and command != "calibrate":
        return [*(repr(value) for value in inputs.rows(rng)[0]), *needed], b""
    if kind < 0.6:
        files[name] = data
        return ["-i", name, *needed], b""
    return needed, data


def _is_drawn(parameter: Any) -> bool:
    return parameter.param_type_name == "option" and EXCLUDED.isdisjoint(parameter.opts) and parameter.opts[-1] != "-i"


def _option(rng: random.Random, option: Any) -> list[str]:
    name = option.opts[-1]
    if option.is_flag:
        return [name]
    if name not in SLOW and name != "-o" and rng.random() < 0.15:
        return [name, rng.choice(HOSTILE)]
    if name in VALUES:
        return [name, rng.choice(VALUES[name])]
    if choices := getattr(option.type, "choices", None):
        return [name, str(getattr(rng.choice(list(choices)), "value", rng.choice([str(choice) for choice in choices])))]
    if "int" in getattr(option.type, "name", ""):
        return [name, str(rng.randint(0, 9))]
    return [name, repr(round(rng.random(), 3))]
