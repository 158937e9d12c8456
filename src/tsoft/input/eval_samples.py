"""Samples of lm-evaluation-harness: rows of the log-likelihoods of the answers to a question.

Source: github.com/EleutherAI/lm-evaluation-harness, lm_eval/loggers/evaluation_tracker.py, save_results_samples.
"""

from dataclasses import replace

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.input.api_tokens import number_of
from tsoft.input.json_values import Location, Object, as_list, is_index
from tsoft.input.quantity import QUANTITIES, to_logits
from tsoft.input.read_options import TargetSource


def is_eval_sample(value: object) -> bool:
    """Return whether a JSON value is a sample."""
    return isinstance(value, dict) and "doc_id" in value and isinstance(value.get("resps"), list)


def sample_block(sample: Object, location: Location, row: int, targets: TargetSource | None) -> Block:
    """Return the block of one row: the log-likelihood of each answer.

    targets: how to read the right answer, if it is to be read. The block then has its index instead of the answers as
    labels, which differ from question to question. Raise InputError if the sample has no log-likelihoods.
    """
    responses = sample["resps"]
    numbers = [_log_likelihood(response, location.at(f"resps[{i}]")) for i, response in enumerate(responses)]
    try:
        logits = to_logits(np.array([numbers], np.float64), QUANTITIES["logprob"])
    except LogitsError as error:
        raise location.at("resps").error(error.problem) from None
    origin = Origin("logprob", labels_vary=True, source=location.source)
    if targets is None:
        return Block(logits, _labels(sample, len(numbers)), row, origin)
    if targets.per_character:
        logits = logits / _lengths(sample, len(numbers), location)
    # Over the answers, these are no log-probabilities, whose exponentials sum to 1.
    origin = replace(origin, quantity="logit", target=str(sample.get("target")))
    return Block(logits, None, row, origin, targets=_target(sample, len(numbers), location))


def _log_likelihood(response: object, location: Location) -> float:
    """Return the number of an answer, which is [[log-likelihood, is greedy]]. Samples have strings as numbers."""
    first = as_list(response, location)[0] if response else None
    if not isinstance(first, list) or len(first) != 2:
        raise location.error("the sample has no log-likelihoods of answers, as those of multiple-choice tasks do")
    number = number_of(first[0], location)
    if number is None:
        raise location.error("missing; expected a number")
    return number


def _labels(sample: Object, classes: int) -> tuple[str, ...] | None:
    """Return the answers, which are the second argument of each request."""
    arguments = sample.get("arguments")
    requests = list(arguments.values()) if isinstance(arguments, dict) else arguments
    if not isinstance(requests, list) or len(requests) != classes:
        return None
    pairs = [list(request.values()) if isinstance(request, dict) else request for request in requests]
    if not all(isinstance(pair, list) and len(pair) > 1 and isinstance(pair[1], str) for pair in pairs):
        return None
    return tuple(pair[1].strip() for pair in pairs)


def _lengths(sample: Object, classes: int, location: Location) -> Array:
    """Return the number of characters of each answer, by which `acc_norm` divides (lm_eval/api/task.py)."""
    labels = _labels(sample, classes)
    if labels is None or not all(labels):
        raise location.at("arguments").error("the texts of the answers are missing, and --acc-norm needs their lengths")
    return np.array([len(label) for label in labels], np.float64)


def _target(sample: Object, classes: int, location: Location) -> Array:
    """Return the index of the right answer: the target is the index, or its text."""
    target = sample.get("target")
    index = int(target) if isinstance(target, str) and target.strip().isdecimal() else target
    labels = _labels(sample, classes)
    if labels and isinstance(target, str) and target.strip() in labels:
        index = labels.index(target.strip())
    if not is_index(index) or index >= classes:
        raise location.at("target").error(f"{target!r} is neither the index nor the text of one of {classes} answers")
    return np.array([index])
