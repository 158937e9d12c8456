"""Samples of lm-evaluation-harness: rows of the log-likelihoods of the answers to a question.

Source: github.com/EleutherAI/lm-evaluation-harness, lm_eval/loggers/evaluation_tracker.py, save_results_samples.
"""

from dataclasses import dataclass, replace

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.input.api_tokens import number_of
from tsoft.input.json_values import Location, Object, as_list, is_index
from tsoft.input.quantity import QUANTITIES, to_logits
from tsoft.input.read_options import ReadOptions


def is_eval_sample(value: object) -> bool:
    """Return whether a JSON value is a sample."""
    return isinstance(value, dict) and "doc_id" in value and isinstance(value.get("resps"), list)


@dataclass(frozen=True)
class _Answers:
    """The log-likelihoods of the answers to a question, and their texts if the sample has them. With `in_contexts`,
    the answers are the contexts of one continuation, which is then the target."""

    numbers: list[float]
    texts: tuple[str, ...] | None
    in_contexts: bool = False


class SampleReader:
    """Reads samples as blocks of one row, and prints each note only once."""

    def __init__(self, options: ReadOptions):
        self._options, self._targets = options, options.targets if options.reads_targets else None
        self._noted: set[str] = set()

    def block(self, sample: Object, location: Location, row: int) -> Block:
        """Return the block of a sample: the log-likelihood of each answer.

        If targets are to be read, the block has the index of the right answer instead of the answers as labels, which
        differ from question to question. Raise InputError if the sample has no log-likelihoods, or if its right answer
        is unknown.
        """
        answers = self._answers(sample, location)
        try:
            logits = to_logits(np.array([answers.numbers], np.float64), QUANTITIES["logprob"])
        except LogitsError as error:
            raise location.at("resps").error(error.problem) from None
        origin = Origin("logprob", labels_vary=True, source=location.source)
        if self._targets is None:
            return Block(logits, answers.texts, row, origin)
        if self._targets.per_character:
            logits = logits / _lengths(answers, location)
        # Over the answers, these are no log-probabilities, whose exponentials sum to 1.
        origin = replace(origin, quantity="logit", target=str(sample.get("target")))
        return Block(logits, None, row, origin, targets=np.array([self._target(sample, answers, location)]))

    def _answers(self, sample: Object, location: Location) -> _Answers:
        """Return the answers, which are the second argument of each request, or the first if the second is always the
        same. For `acc_mutual_info`, each answer has a further request without the question, which is not used."""
        responses = sample["resps"]
        numbers = [_log_likelihood(response, location.at(f"resps[{i}]")) for i, response in enumerate(responses)]
        requests = _requests(sample, len(numbers))
        if not requests:
            return _Answers(numbers, None)
        contexts, texts = zip(*requests, strict=True)
        half = len(numbers) // 2
        if texts[:half] == texts[half:] and all(contexts[:half]) and not any(contexts[half:]):
            self._note(
                "tsoft does not use the log-likelihoods of the answers without the question (acc_mutual_info)", location
            )
            return _Answers(numbers[:half], texts[:half])
        if len(set(texts)) == 1 < len(set(contexts)):
            return _Answers(numbers, contexts, in_contexts=True)
        return _Answers(numbers, texts)

    def _target(self, sample: Object, answers: _Answers, location: Location) -> int:
        """Return the index of the right answer: the target is the index, or its text. Where this is ambiguous, the
        accuracy that the harness computed decides."""
        target, classes = sample.get("target"), len(answers.numbers)
        possible = [*range(classes)] if answers.in_contexts else _indices(target, answers)
        if not possible:
            raise location.at("target").error(
                f"{target!r} is neither the index nor the text of one of {classes} answers"
            )
        accuracy, best = sample.get("acc"), int(np.argmax(answers.numbers))
        if isinstance(accuracy, int | float) and accuracy not in (0, 1):
            # The probability of all right answers, such as in truthfulqa_mc2 (lm_eval/tasks/truthfulqa/utils.py).
            problem = f"the accuracy {accuracy:.4g} is neither 0 nor 1, so the question may have several right answers"
            raise location.at("acc").error(f"{problem}; use a task with one right answer, such as truthfulqa_mc1")
        if accuracy in (0, 1):
            agreeing = [i for i in possible if (i == best) == bool(accuracy)]
            if not agreeing:
                self._note("the target and acc of a sample contradict each other", location)
            possible = agreeing or possible
        if len(possible) > 1 and answers.in_contexts:
            problem = f"the answers are contexts, and the sample does not state which of the {classes} is right"
            raise location.at("target").error(problem)
        if len(possible) > 1:
            problem = "a target may be the index or the text of an answer, and tsoft takes it as the index"
            self._note(problem, location)
        return possible[0]

    def _note(self, text: str, location: Location) -> None:
        """Print a note with the location of the first sample that it is about."""
        if text not in self._noted:
            self._noted.add(text)
            self._options.note(f"{location.place}: {text}")


def _log_likelihood(response: object, location: Location) -> float:
    """Return the number of an answer, which is [[log-likelihood, is greedy]]. Samples have strings as numbers."""
    first = as_list(response, location)[0] if response else None
    if not isinstance(first, list) or len(first) != 2:
        raise location.error("the sample has no log-likelihoods of answers, as those of multiple-choice tasks do")
    number = number_of(first[0], location)
    if number is None:
        raise location.error("missing; expected a number")
    return number


def _requests(sample: Object, count: int) -> list[tuple[str, str]] | None:
    """Return the context and the continuation of each request; None if the sample does not have them."""
    arguments = sample.get("arguments")
    requests = list(arguments.values()) if isinstance(arguments, dict) else arguments
    if not isinstance(requests, list) or len(requests) != count:
        return None
    pairs = [list(request.values()) if isinstance(request, dict) else request for request in requests]
    if not all(isinstance(pair, list) and [*map(type, pair[:2])] == [str, str] for pair in pairs):
        return None
    return [(pair[0].strip(), pair[1].strip()) for pair in pairs]


def _lengths(answers: _Answers, location: Location) -> Array:
    """Return the number of characters of each answer, by which `acc_norm` divides (lm_eval/api/task.py)."""
    if answers.texts is None or answers.in_contexts or not all(answers.texts):
        raise location.at("arguments").error("the texts of the answers are missing, and --acc-norm needs their lengths")
    return np.array([len(text) for text in answers.texts], np.float64)


def _indices(target: object, answers: _Answers) -> list[int]:
    """Return the indices that a target may name. The harness takes digits as an index, unless they are the field of a
    data set with texts (`doc_to_target`)."""
    text = target.strip() if isinstance(target, str) else None
    index = int(text) if text and text.isdecimal() else target
    indices = [index] if is_index(index) and index < len(answers.numbers) else []
    if answers.texts and text in answers.texts:
        indices.append(answers.texts.index(text))
    return [*dict.fromkeys(indices)]
