"""What the explorer shows at the start of each lesson."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.resources import files

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array
from tsoft.errors import TsoftError
from tsoft.explorer.examples import DIGITS
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.live_text import LiveText
from tsoft.explorer.sampler_state import TEMPERATURE, SamplerSetting, SamplerState
from tsoft.features.learn.lesson import LessonStart
from tsoft.features.learn.table_model import TableModel
from tsoft.models.model import Model
from tsoft.models.ngram import Ngram
from tsoft.options.models import ModelOptions, open_model
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.sampler_table import SAMPLERS, TAU

DATA = files("tsoft.features.learn").joinpath("data")

LETTERS = {"A": 2.0, "B": 1.0, "C": 0.5, "D": 0.1}
ANIMALS = {"cat": 2.0, "dog": 1.6, "fox": 0.7, "owl": 0.1, "hen": -0.5}
LEVELS = {"ground": 0.0, "excited": -1.0}
# The first word of the greedy text is not that of the most probable text.
CUPS = {
    "": {" hot": 0.45, " tea": 0.35, " coffee": 0.2},
    " hot": {" chocolate": 0.4, " water": 0.35, " milk": 0.25},
    " tea": {" with": 0.8, " and": 0.2},
    " coffee": {" with": 0.5, " and": 0.5},
    " with": {" milk": 0.9, " lemon": 0.1},
    " and": {" milk": 0.5, " cake": 0.5},
}
CUPS_PROMPT = "A cup of"
STORY_PROMPT = "The old"


def only_temperature(tau: float) -> ExplorerState:
    return ExplorerState(SamplerState((SamplerSetting.default(TEMPERATURE),)).with_value(TAU, tau))


def typed(logits: Mapping[str, float]) -> LessonStart:
    """Return a start with one row, whose classes stay in this order, and no sampler but the temperature."""
    block = Block(np.array([list(logits.values())]), tuple(logits), origin=Origin(labels_vary=True))
    return LessonStart(ExplorerInput(ExplorerRows([block]), replace(only_temperature(1.0), input_order=True)))


def levels() -> LessonStart:
    return typed(LEVELS)


def digit() -> LessonStart:
    return typed(DIGITS)


def next_tokens() -> LessonStart:
    """Return the 1000 most probable next tokens after "The capital of France is": logits of SmolLM2-135M-Instruct
    relative to the highest. A temperature of 1.5 comes before top-p 0.9.
    """
    data = json.loads(DATA.joinpath("tokens.json").read_text("utf-8"))
    labels, logits = zip(*data["tokens"], strict=True)
    samplers = SamplerState.from_chain(None, 1.5)
    for name, value in data["samplers"].items():
        samplers = samplers.with_value(SAMPLERS[name].parameters[0], value)
    return LessonStart(ExplorerInput(ExplorerRows([Block(np.array([logits]), labels)]), ExplorerState(samplers)))


def vllm_tokens() -> LessonStart:
    """Return `next_tokens` by the rules of vLLM."""
    start = next_tokens().input
    return LessonStart(replace(start, state=start.state.like(ENGINES["vllm"])))


def story() -> LessonStart:
    """Return the installed language model, or else one of a short story, which continues a prompt."""
    if model := installed_model():
        return continued(model, STORY_PROMPT, 1.5, arguments=())
    text = DATA.joinpath("barn.txt").read_text("utf-8")
    return continued(Ngram(text, "word", None, "a short story"), STORY_PROMPT, 1.5)


def installed_model() -> Model | None:
    """Return the language model of the extra `llm`, if it is installed and works."""
    with suppress(TsoftError):
        return open_model(ModelOptions())
    return None


def cups() -> LessonStart:
    return continued(TableModel("a table of ten words", CUPS), CUPS_PROMPT, 1.0)


def continued(model: Model, prompt: str, tau: float, arguments: tuple[str, ...] | None = None) -> LessonStart:
    """Return a start with a model that continues a prompt. The command-line `arguments`, if any, open the model."""
    live = LiveText(model, prompt)
    return LessonStart(ExplorerInput(live.rows, only_temperature(tau), arguments=arguments), live)


@cache
def classified_digits() -> tuple[Array, Array]:
    """Return the logits of a small network for 674 images of scikit-learn's digits, (674, 10), and the digits that the
    images show, (674,).
    """
    with DATA.joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["logits"].astype(np.float64), arrays["labels"]


def classifier() -> LessonStart:
    logits, _ = classified_digits()
    block = Block(logits, tuple(map(str, range(logits.shape[1]))))
    return LessonStart(ExplorerInput(ExplorerRows([block]), only_temperature(1.0)))
