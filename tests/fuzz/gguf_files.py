"""GGUF files with a damaged header, as settings and as models."""

import importlib.util
import random
import struct
import subprocess
from pathlib import Path

import tool
from gguf_headers import mutated_header
from outcomes import Outcome, problem_of
from tiny_model import tiny_model
from tsoft.errors import InputError
from tsoft.models.gguf_check import check_model

# The types float32 and int32, each before its value.
SETTINGS: dict[str, bytes | None] = {
    "general.sampling.temp": struct.pack("<If", 6, 0.7),
    "general.sampling.top_p": struct.pack("<If", 6, 0.9),
    "general.sampling.top_k": struct.pack("<Ii", 5, 2),
    "general.sampling.penalty_repeat": struct.pack("<If", 6, 1.5),
    "general.sampling.penalty_last_n": struct.pack("<Ii", 5, -1),
    "general.sampling.mirostat": struct.pack("<Ii", 5, 0),
    "general.sampling.mirostat_tau": struct.pack("<If", 6, 5),
}
FILE = "model.gguf"
HAS_LLAMA = importlib.util.find_spec("llama_cpp") is not None


def run(rng: random.Random) -> Outcome:
    """Read one file in the current folder, which is empty."""
    Path(FILE).write_bytes(mutated_header(rng, tiny_model(SETTINGS)))
    as_settings = ["compute", "2", "1", "0.5", "--settings", FILE, "-f", "json"]
    done = tool.here_in_bytes(*as_settings)
    if problem := problem_of(done, as_settings):
        return Outcome("settings", done.returncode, problem)
    if not HAS_LLAMA:
        return _checked()
    # In another process, since llama.cpp may end it.
    as_model = ["next", "a", "--model", FILE, "--threads", "1"]
    ended = tool.run(*as_model)
    outputs = ended.stdout.encode(), ended.stderr.encode()
    in_bytes = subprocess.CompletedProcess(as_model, ended.returncode, *outputs)
    return Outcome("model", ended.returncode, problem_of(in_bytes, as_model))


def _checked() -> Outcome:
    """Check the header as a model, which is all that tsoft itself does with it."""
    try:
        check_model(FILE)
    except InputError:
        return Outcome("header", 1)
    return Outcome("header", 0)
