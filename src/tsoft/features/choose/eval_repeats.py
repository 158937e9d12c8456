"""Samples of lm-evaluation-harness with repeats: several generated answers to a question.

`resps` has one list of responses per request, `filtered_resps` what a filter made of each list. Most filters keep only
the first response or the majority; a filter that keeps all gives the answers. A task that computes pass@k, such as
humaneval_64, gives the number of correct responses instead.

Source: github.com/EleutherAI/lm-evaluation-harness, lm_eval/evaluator.py, lm_eval/loggers/evaluation_tracker.py,
lm_eval/tasks/humaneval, and lm_eval/filters/extraction.py for "[invalid]".
"""

import re
from typing import Any

import numpy as np

from tsoft.errors import shortened
from tsoft.features.choose.pass_at_k import pass_at_k
from tsoft.features.choose.problem_record import Outcome, ProblemRecord, judged, record_tau, text_of
from tsoft.input.json_values import Location, Object, as_list

# What the filter regex writes if a response has no answer.
INVALID = "[invalid]"
# The answer of a GSM8K target follows this mark.
_GSM8K = "####"


def filter_of(values: Object) -> str:
    """Return the name of the filter of a sample."""
    return text_of(values.get("filter")) or "none"


def eval_record(values: Object, location: Location, file_tau: float | None) -> ProblemRecord:
    """Return what a sample says. Raise InputError if it does not contain all answers or the number of correct ones."""
    requests = values["resps"]
    responses = as_list(requests[0] if requests else None, location.at("resps[0]"))
    if len(requests) != 1 or not responses or not all(isinstance(each, str) for each in responses):
        problem = "the sample has log-likelihoods, not generated answers"
        raise location.at("resps").error(f"{problem}; choose reads tasks of the type generate_until")
    tau = _tau(values, file_tau, location)
    outcome = _scored(values, len(responses), location) or _answered(values, len(responses), location)
    identity = text_of(values.get("doc_hash")) or text_of(values.get("target"))
    return ProblemRecord(str(values["doc_id"]), tau, location, outcome, identity=identity)


def _tau(values: Object, file_tau: float | None, location: Location) -> float:
    """Return the temperature in the arguments of the request."""
    arguments = values.get("arguments")
    request = next(iter(arguments.values()), None) if isinstance(arguments, dict) else None
    settings = request.get("arg_1") if isinstance(request, dict) else None
    settings = settings if isinstance(settings, dict) else {}
    tau = settings.get("temperature")
    if settings.get("do_sample") is not False:
        return record_tau(tau, file_tau, location)
    if file_tau is None and tau is not None and tau != 0:
        problem = f"the request has do_sample = false, and the temperature {tau}, which not all models apply"
        raise location.at("arguments").error(f"{problem}; pass --tau")
    return 0.0 if file_tau is None else file_tau


def _scored(values: Object, n: int, location: Location) -> Outcome | None:
    """Return the outcome from the lowest pass@k of a sample; None if it has none."""
    scores = {int(match[1]): values[name] for name in values if (match := re.fullmatch(r"pass@(\d{1,9})", name))}
    known = [k for k in scores if 1 <= k <= n]
    if not known:
        return None
    k, counts = min(known), np.arange(n + 1)
    gaps = abs(pass_at_k(n, counts, k) - _number(scores[k], location.at(f"pass@{k}")))
    # Above n - k correct ones, pass@k is 1 for this k and for all higher ones.
    correct = int(gaps.argmin())
    # NaN is no estimate, either.
    if not gaps[correct] <= 1e-9:
        problem = f"{scores[k]} is no estimate from {n} responses"
        raise location.at(f"pass@{k}").error(f"{problem}; write problem, tau, n and correct instead")
    return Outcome(n, correct, least_k=k)


def _number(value: Any, location: Location) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise location.error("expected a number")
    return float(value)


def _answered(values: Object, n: int, location: Location) -> Outcome:
    """Return the outcome from the answers that a filter kept, compared with the target."""
    kept = as_list(values.get("filtered_resps"), location.at("filtered_resps"))
    answers = kept[0] if kept and isinstance(kept[0], list) else kept
    if len(answers) != n:
        name = shortened(filter_of(values))
        problem = f"the filter {name!r} keeps {len(answers)} of {n} responses"
        raise location.at("filtered_resps").error(
            f"{problem}; add a filter without take_first and majority_vote to the task, or write problem, tau, answer"
            " and target"
        )
    target = text_of(values.get("target"))
    if target is None:
        raise location.at("target").error("missing; expected the right answer")
    target = target.rpartition(_GSM8K)[2]
    return judged(
        [None if answer == INVALID else answer for answer in answers], target, location.at("target"), is_whole=True
    )
