"""Sessions of the explorer: random events on random logits, an API response, several rows, a text of a model, or a
lesson.
"""

import contextlib
import json
import random
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import inputs
from markov import Markov, Remote
from outcomes import Outcome
from random_events import run_events
from tool import redirected
from tsoft.features.learn import course, starts
from tsoft.options import models

EVENTS = 100
_OPTIONS = [
    [],
    [],
    ["--bits"],
    ["--top-p", "0.9"],
    ["--tau", "0"],
    ["--tau", "1e-300"],
    ["--like", "llama.cpp", "--min-p", "0.1"],
    ["--like", "llama.cpp,vllm", "--top-p", "0.9", "--min-p", "0.05", "--tau", "2"],
    ["--like", "vllm,transformers", "--top-k", "3", "--tau", "0.001"],
    ["--like", "exllamav2,mlx-lm", "--top-p", "0.5", "--xtc-probability", "0.5"],
]


def run(rng: random.Random) -> Outcome:
    """Run one session in the current folder, which is empty."""
    name = rng.choice(list(_KINDS))
    words = _KINDS[name](rng)
    options = [] if name == "lesson" else rng.choice(_OPTIONS)
    if name not in ("lesson", "model", "partial model", "whole model") and rng.random() < 0.1:
        options = [*options, "--logit-bias", f"#0={inputs.number(rng)!r}"]
    command = [words[0], "--seed", "1", *options, *words[1:]]
    size = rng.choice([(80, 24), (100, 30), (rng.randint(1, 200), rng.randint(1, 60))])
    try:
        with (
            open("printed", "wb") as file,
            redirected(1, file.fileno()),
            redirected(2, file.fileno()),
            _fakes(name),
        ):
            status = run_events(rng, EVENTS, *command, size=size)
    except Exception as error:
        place = " < ".join(
            f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__))
        )
        problem = f"{type(error).__name__}: {str(error)[:1500]} in {place[:400]}\n    tsoft {command} at {size}"
        return Outcome(name, "exception", problem)
    problem = "" if status in (0, 1, 2, 130) else f"exit code {status}: tsoft {command}"
    return Outcome(name, status, problem)


@contextlib.contextmanager
def _fakes(name: str) -> Iterator[None]:
    """Keep the progress of the lessons in this folder, and replace the models that take long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "progress_file", lambda: Path("learn.json").absolute())
        patch.setattr(starts, "installed_model", lambda: None)
        if name == "partial model":
            patch.setattr(models, "open_model", lambda _: Remote())
        if name == "whole model":
            patch.setattr(models, "open_model", lambda _: Markov())
        yield


def _file(rng: random.Random) -> list[str]:
    ending, data = inputs.valid(rng)
    Path(f"input{ending}").write_bytes(data)
    return ["-i", f"input{ending}"]


def _many(rng: random.Random) -> list[str]:
    """Return an array of up to 5000 classes, with labels that may be hostile, as logits or energies."""
    count = rng.choice([1, 2, 33, 100, 257, rng.randint(1, 5000)])
    generator = np.random.default_rng(rng.getrandbits(32))
    logits = generator.normal(scale=rng.choice([0.01, 3, 30]), size=(rng.randint(1, 3), count))
    np.save("logits.npy", logits.astype(rng.choice([np.float32, np.float64])))
    words = ["-i", "logits.npy"]
    if rng.random() < 0.5:
        Path("labels.json").write_text(json.dumps(inputs.labels(rng, count)))
        words += ["--labels", "@labels.json"]
    return [*words, *rng.choice([[], [], ["--energies"]])]


def _response(rng: random.Random) -> list[str]:
    ending, data = inputs.response(rng)
    Path(f"response{ending}").write_bytes(data)
    return ["-i", f"response{ending}", *rng.choice([[], [], ["--vocab-size", "1000"]])]


def _model(rng: random.Random) -> list[str]:
    Path("text.txt").write_text("the cat sat on the mat. a dog sat on the cat. the mat is a mat.\n" * 2)
    return ["--ngram", "text.txt", "--prompt", rng.choice(["the", "a cat", "xyz"])]


_KINDS: dict[str, Callable[[random.Random], list[str]]] = {
    "examples": lambda _: ["explore"],
    "numbers": lambda rng: ["explore", "--", *(repr(number) for number in inputs.rows(rng)[0])],
    "energies": lambda rng: ["explore", "--energies", "--", *(repr(rng.gauss(0, 2)) for _ in range(5))],
    "labels": lambda _: ["explore", "cat=2", "dog=1", "日本=0.5", "=0", "a=-inf"],
    "file": lambda rng: ["explore", *_file(rng)],
    "many": lambda rng: ["explore", *_many(rng)],
    "response": lambda rng: ["explore", *_response(rng)],
    "model": lambda rng: ["explore", *_model(rng)],
    "model again": lambda rng: ["explore", *_model(rng)],
    "whole model": lambda _: ["explore", "--prompt", "The"],
    "partial model": lambda _: ["explore", "--prompt", "The"],
    "lesson": lambda rng: ["learn", str(rng.randint(1, 13))],
}
