"""The tasks of the lessons: what they measure on the screen, and when they are met."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import inf, nan, prod

import numpy as np

from tsoft.core.softmax import Array, log_softmax, softmax
from tsoft.core.thermodynamics import thermodynamics
from tsoft.errors import counted
from tsoft.explorer.engine_comparison import EngineComparison
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.snapshot import CURVE_TAUS, Snapshot
from tsoft.features.learn.lesson import LessonView, Task, reach
from tsoft.features.learn.starts import CUPS, classified_digits, next_tokens
from tsoft.sampling.engines import ENGINES

# Changes that a task does not allow.


def other_than_tau(view: LessonView) -> str:
    """Object to every change that matters but that of τ."""
    has_samplers = view.snapshot.chain is not None
    return "only τ may change here; u undoes a change" if view.state.edits or has_samplers else ""


def other_than_logits(view: LessonView) -> str:
    return "only the logits may change here; u undoes a change" if view.tau != 1 or view.snapshot.chain else ""


def other_than_draws(view: LessonView) -> str:
    is_same = view.state.picture == view.start.picture
    return "" if is_same else "only the draws count here; u undoes a change, and r clears the draws"


def other_than_order(view: LessonView) -> str:
    """Object to every change but that of the samplers' order."""
    is_same = _without_order(view.state.samplers) == _without_order(view.start.samplers)
    return "" if is_same and not view.state.edits else "only the order may change here; u undoes a change"


def other_than_engine(view: LessonView) -> str:
    """Object to every change but that of the engine, which sets the order of the samplers."""
    now, start = (replace(_without_order(state.samplers), engine=None) for state in (view.state, view.start))
    return "" if now == start and not view.state.edits else "only the engine may change here; u undoes a change"


def _without_order(samplers: SamplerState) -> SamplerState:
    return replace(samplers, settings=tuple(sorted(samplers.settings, key=lambda setting: setting.sampler.name)))


def _percent(share: float, decimals: int = 0) -> str:
    return f"{100 * share:.{decimals}f} %"


# Quantities of one distribution.


def _b_to_c(view: LessonView) -> str:
    _, b, c, *_ = view.probs
    return f"{b / c:.2f}" if c else "∞"


def _top_percent(view: LessonView) -> str:
    return _percent(view.probs.max())


def _sharing(view: LessonView) -> str:
    return str(np.count_nonzero(view.probs))


def _entropy(view: LessonView) -> str:
    return f"{view.snapshot.measures[0]:.3f}"


def _perplexity(view: LessonView) -> str:
    return f"{view.snapshot.measures[1]:.2f}"


def _percent_of(index: int) -> Callable[[LessonView], str]:
    return lambda view: _percent(view.probs[index])


def at_tau(tau: float, name: str) -> Callable[[LessonView], str]:
    return lambda view: "" if view.tau == tau else f"set τ to {name} first"


# Two levels.


def _heat_capacity(view: LessonView) -> str:
    return f"{_heat_capacities(view, view.tau):.3f}"


def _heat_capacities(view: LessonView, taus: float | Array) -> Array:
    return thermodynamics(-view.snapshot.row.logits, taus).heat_capacity


# Draws.

MIN_DRAWS, MAX_DIFFERENCE = 1000, 0.01


def _largest_difference(view: LessonView) -> float:
    """Return the largest difference between a class's share of the draws and its expected share."""
    return float(np.abs(view.counts.counts - view.counts.expected).max()) / max(view.counts.total, 1)


def _draws(view: LessonView) -> str:
    total = view.counts.total
    return f"{counted(total, 'draw')}, largest error {_percent(_largest_difference(view), 2)}" if total else "no draw"


def _draws_agree(view: LessonView) -> bool:
    return view.counts.total >= MIN_DRAWS and _largest_difference(view) <= MAX_DIFFERENCE


# Samplers and engines.

MAX_KEPT = 9


def _kept(view: LessonView) -> int:
    return int(view.snapshot.kept.sum())


@cache
def first_removed_token() -> int:
    """Return the index of the most probable token that vLLM keeps and llama.cpp removes."""
    start = next_tokens().input
    row, samplers = start.rows.row(0), start.state.samplers
    vllm, llama_cpp = (samplers.with_engine(ENGINES[name]) for name in ("vllm", "llama.cpp"))
    snapshots = (Snapshot(row, engine.tau, engine.chain()) for engine in (vllm, llama_cpp))
    difference = EngineComparison(*snapshots).difference
    assert difference
    return difference.index


def _selects_removed_token(view: LessonView) -> bool:
    """Return whether the token is selected while llama.cpp is followed, or compared with another engine."""
    shows_llama_cpp = ENGINES["llama.cpp"] in (view.state.samplers.engine, view.state.compared)
    return shows_llama_cpp and view.current == first_removed_token()


def _selected(view: LessonView) -> str:
    row = view.snapshot.row
    return "no token" if view.current is None else f'token {row.ranks[view.current]}, "{row.name(view.current)}"'


# Texts.

TOKENS, MAX_SEQUENCE_PERPLEXITY = 10, 2.0


def _sequence_perplexity(view: LessonView) -> float:
    """Return the sequence perplexity at the current temperature; NaN while it is being computed."""
    return float(view.likelihood.perplexity(len(view.written)).high[0]) if view.likelihood else nan


def _text(view: LessonView) -> str:
    count = len(view.written)
    if not count:
        return "no token"
    perplexity = f"{_sequence_perplexity(view):.2f}" if view.likelihood else "…"
    return f"{counted(count, 'token')}, sequence perplexity {perplexity}"


def _is_sure_text(view: LessonView) -> bool:
    return len(view.written) == TOKENS and _sequence_perplexity(view) < MAX_SEQUENCE_PERPLEXITY


def text_prob(view: LessonView) -> float:
    """Return the probability at τ = 1 of the tokens that were added to CUPS_PROMPT."""
    tokens = ["", *(token.text for token in view.written)]
    return prod(CUPS[before][token] for before, token in pairwise(tokens) if before in CUPS)


@cache
def greedy_prob() -> float:
    """Return the probability of the greedy text."""
    token, prob = "", 1.0
    while token in CUPS:
        token, p = max(CUPS[token].items(), key=lambda item: item[1])
        prob *= p
    return prob


def _is_complete(view: LessonView) -> bool:
    """Return whether only the end can follow."""
    return bool(view.written) and view.written[-1].text not in CUPS


def _whole_text(view: LessonView) -> str:
    return f"p = {text_prob(view):.3g}{', complete' * _is_complete(view)}" if view.written else "no token"


def _beats_greedy(view: LessonView) -> bool:
    return _is_complete(view) and text_prob(view) > greedy_prob()


# The classifier.


@cache
def nll(tau: float) -> float:
    """Return the mean of -ln p of the true classes."""
    logits, targets = classified_digits()
    return float(-log_softmax(logits, tau)[np.arange(len(targets)), targets].mean())


@cache
def mean_top_prob(tau: float) -> float:
    return float(softmax(classified_digits()[0], tau).max(axis=-1).mean())


def _confidence(view: LessonView) -> str:
    return f"NLL = {nll(view.tau):.4f}, mean top probability {_percent(mean_top_prob(view.tau), 1)}"


# To two digits, from `tsoft.fit_temperature`.
BEST_TAU = "1.3"

TASKS = {
    1: reach("2.00", _b_to_c, "p(B) ÷ p(C)", other_than_logits),
    2: reach("73 %", _top_percent, "top-prob", other_than_tau),
    3: reach("2", _sharing, "classes that share", at_tau(0, "0")),
    4: reach("1.099", _entropy, "entropy", at_tau(inf, "∞")),
    5: reach("3.00", _perplexity, "perplexity", other_than_tau),
    6: replace(
        reach("0.439", _heat_capacity, "heat capacity", other_than_tau),
        curve=lambda view: _heat_capacities(view, CURVE_TAUS),
    ),
    7: Task(_draws, "1000 or more, within 1.00 %", _draws_agree, other_than_draws),
    8: Task(
        lambda view: counted(_kept(view), "token"),
        "9 or fewer",
        lambda view: _kept(view) <= MAX_KEPT,
        other_than_order,
    ),
    9: Task(
        lambda view: f"selected: {_selected(view)}",
        "the first removed token",
        _selects_removed_token,
        other_than_engine,
    ),
    10: Task(_text, "10 tokens, under 2", _is_sure_text, other_than_tau),
    11: Task(_whole_text, "complete, more than 0.18", _beats_greedy),
    12: reach("25 %", _percent_of(3), "p(3)", other_than_tau),
    13: Task(
        _confidence,
        "the lowest NLL",
        lambda view: f"{view.tau:.2g}" == BEST_TAU,
        other_than_tau,
    ),
}
