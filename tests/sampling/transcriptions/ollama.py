"""Ollama fb30760 (ollama/ollama): GGUF models through llama.cpp's server, others through the MLX runner.

llm/llama_server.go sends temperature, top_k, top_p, min_p, typical_p and the penalties, with the defaults of
api/types.go; x/mlxrunner/sample/sample.go is the MLX runner's sampler.
"""

import numpy as np

from sampling.transcriptions.common import (
    FLOAT,
    History,
    Row,
    Settings,
    counts,
    descending,
    greedy,
    normalized,
    require,
    running_sum,
    softmax,
)
from sampling.transcriptions.llama_cpp import llama_cpp

DEFAULTS = Settings(temperature=0.8, top_k=40, top_p=0.9, typical_p=1.0, min_p=0.0)
PENALTIES = "repetition_penalty presence_penalty frequency_penalty penalty_last_n"


def ollama_gguf(logits: Row, settings: Settings, history: History) -> Row:
    """A GGUF model: llama.cpp's server with its default chain, and only the parameters that Ollama passes on."""
    require(settings, "Ollama", f"temperature top_k top_p min_p typical_p {PENALTIES}")
    return llama_cpp(logits, settings, history)


def ollama_mlx(logits: Row, settings: Settings, history: History) -> Row:
    """The MLX runner: penalties, exactly k classes, temperature and softmax over them, top-p, min-p."""
    require(settings, "Ollama's MLX runner", f"temperature top_k top_p min_p {PENALTIES}")
    z = penalized(logits, settings, history)
    tau = 1 if settings.temperature is None else settings.temperature
    if tau <= 0:
        return greedy(z)
    ids = np.arange(len(z))
    if settings.top_k is not None and 0 < settings.top_k < len(z):
        ids = np.sort(descending(z)[: settings.top_k])
    p = softmax(z[ids] / FLOAT(tau))
    if settings.top_p is not None and 0 < settings.top_p < 1:
        p = top_p(p, settings.top_p)
    if settings.min_p is not None and 0 < settings.min_p <= 1:
        p = np.where(p < p.max() * FLOAT(settings.min_p), FLOAT(0), p)
    out = np.zeros(len(z), FLOAT)
    out[ids] = normalized(p)
    return out


def penalized(logits: Row, settings: Settings, history: History) -> Row:
    """Over the last 64 tokens: z < 0 times r, else times 1/r; minus presence; minus frequency for each occurrence."""
    z = np.array(logits, FLOAT)
    r = FLOAT(settings.repetition_penalty if (settings.repetition_penalty or 0) > 0 else 1)
    window = history.last(64 if settings.penalty_last_n is None else settings.penalty_last_n)
    for token, count in counts(window).items():
        z[token] *= r if z[token] < 0 else FLOAT(FLOAT(1) / r)
        z[token] -= FLOAT(settings.presence_penalty or 0)
        for _ in range(count):
            z[token] -= FLOAT(settings.frequency_penalty or 0)
    return z


def top_p(p: Row, limit: float) -> Row:
    """Sorted, keeps a class if the cumulative sum minus its probability is less than p."""
    order = descending(p)
    before = (running_sum(p[order]) - p[order]).astype(FLOAT)
    out = np.zeros(len(p), FLOAT)
    out[order] = np.where(before < FLOAT(limit), p[order], FLOAT(0))
    return out
