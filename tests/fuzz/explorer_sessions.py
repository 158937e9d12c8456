"""Sessions of the explorer: random events on random logits, an API response, several rows, or a text of a model."""

import random
import traceback
from pathlib import Path

import inputs
from outcomes import Outcome
from random_events import run_events
from tool import TESTS, redirected

EVENTS = 100


def run(rng: random.Random) -> Outcome:
    """Run one session in the current folder, which is empty."""
    name, arguments = rng.choice(
        [
            ("examples", []),
            ("numbers", ["--", *(repr(number) for number in inputs.rows(rng)[0])]),
            ("labels", ["cat=2", "dog=1", "日本=0.5", "=0", "a=-inf"]),
            ("file", _file(rng)),
            ("response", ["-i", str(TESTS / "data" / rng.choice(["llama-server.json", "openai-chat.json"]))]),
            ("model", _model(rng)),
        ]
    )
    options = rng.choice(
        [[], ["--bits"], ["--top-p", "0.9"], ["--like", "llama.cpp", "--min-p", "0.1"], ["--tau", "0"]]
    )
    words = ["--seed", "1", *options, *arguments]
    try:
        with open("printed", "wb") as file, redirected(1, file.fileno()), redirected(2, file.fileno()):
            status = run_events(rng, EVENTS, *words)
    except Exception as error:
        place = " < ".join(
            f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__))
        )
        return Outcome(
            name, "exception", f"{type(error).__name__}: {error} in {place[:400]}\n    tsoft explore {words}"
        )
    problem = "" if status in (0, 1, 2, 130) else f"exit code {status}: tsoft explore {words}"
    return Outcome(name, status, problem)


def _file(rng: random.Random) -> list[str]:
    ending, data = inputs.valid(rng)
    Path(f"input{ending}").write_bytes(data)
    return ["-i", f"input{ending}"]


def _model(rng: random.Random) -> list[str]:
    Path("text.txt").write_text("the cat sat on the mat. a dog sat on the cat. the mat is a mat.\n" * 2)
    return ["--ngram", "text.txt", "--prompt", rng.choice(["the", "a cat", "xyz"])]
