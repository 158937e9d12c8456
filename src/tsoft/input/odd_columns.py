"""Columns that tsoft reads as logits, although their names suggest results, degeneracies, or another quantity."""

import re
from collections.abc import Sequence

from tsoft.input import fields
from tsoft.input.columns import FURTHER_TARGET_NAMES
from tsoft.input.quantity import quantity_in

# Columns of true and predicted classes. Names are compared by their words.
_CLASSES = {
    *("pred", "preds", "prediction", "predictions", "predicted", "y_pred", "pred_label", "pred_class", "argmax"),
    *("predicted_label", "predicted_class", "labels", "targets", "y_true", "true_label", "true_class", "gt"),
    *("gt_label", "gold", "gold_label", "ground_truth", "truth", "actual", "actual_label", "actual_class"),
    *("expected", "observed", "outcome", "answer"),
}
# Columns that programs write next to logits.
_RESULTS = _CLASSES | {
    *("correct", "loss", "nll", "accuracy", "split", "fold", "weight", "sample_weight", "batch", "epoch", "step"),
    *("seed", "timestamp", "date", "datetime", "time", "year", "temperature", "weights", "sum", "total", "entropy"),
    *("lr", "learning_rate", "reward", "td_error", "epsilon", "advantage", "episode_reward", "episode_return"),
    *("episode", "iteration", "global_step", "runtime", "wall_time"),
}
# Results that may also be the only numbers of a row from which its distribution follows.
_SCORES = {
    *("confidence", "conf", "confidence_score", "score", "margin", "max_prob", "pred_prob"),
    *("prob", "proba", "probability", "logprob", "log_prob"),
}
# Results if there are others. Classes often have such names.
_VAGUE = {"value", "return"}
# Next to energies, the degeneracies of the levels. Those of a single letter may be energies, too.
_DEGENERACIES, _LETTERS = {"degeneracy", "degeneracies", "multiplicity", "weight"}, {"g", "j"}


def result_columns(names: Sequence[str], first: Sequence[str]) -> list[int]:
    """Return the columns of logits whose names are those of results, from their names and the texts of the first row.

    >>> result_columns(["cat", "dog", "pred"], ["2", "1", "0"]), result_columns(["score", "y_true"], ["2", "1"])
    ([2], [1])
    """
    if len(names) == 1:
        return []
    words = [*map(_words, names)]
    found = {i for i, name in enumerate(words) if name in _RESULTS or _may_be_target(i, words, first)}
    scores = {i for i, name in enumerate(words) if name in _SCORES}
    # In a table of scores and results, the scores are the logits.
    if len(found) + len(scores) < len(names) or not found:
        found |= scores
    if found:
        found |= {i for i, name in enumerate(words) if name in _VAGUE}
    return sorted(found)


def classes_beside_scores(names: Sequence[str], first: Sequence[str], targets: int) -> list[int]:
    """Return the columns of true and predicted classes in a table without logits: its other columns are scores of the
    prediction, and results. Return none unless these and the `targets`, how many columns were read as true classes, are
    at least two.

    >>> classes_beside_scores(["True Label", "PredictedLabel", "confidence"], ["2", "9", "0.5"], 0)
    [0, 1]
    >>> classes_beside_scores(["cat", "actual", "pred"], ["2", "0", "1"], 0)
    []
    """
    words = [*map(_words, names)]
    classes = [i for i, name in enumerate(words) if name in _CLASSES and _is_whole(first[i])]
    others = {*words} - _RESULTS
    are_scores = bool(others) and others <= _SCORES
    return classes if are_scores and classes and len(classes) + targets > 1 else []


def _words(name: str) -> str:
    """Return the words in the name of a column, in lower case, with underscores between them.

    >>> [_words(name) for name in ("True Label", "true-label", "TrueLabel", "_true.label")]
    ['true_label', 'true_label', 'true_label', 'true_label']
    """
    return re.sub(r"[\s_.-]+|(?<=[a-z])(?=[A-Z])", "_", name).strip("_").lower()


def _may_be_target(index: int, words: Sequence[str], first: Sequence[str]) -> bool:
    """Return whether a column may contain targets that the command does not read: an integer among fractions."""
    return words[index] in FURTHER_TARGET_NAMES and _is_whole(first[index]) and not all(map(_is_whole, first))


def degeneracy_columns(names: Sequence[str], first: Sequence[str], quantity: str | None) -> list[int]:
    """Return the columns next to energies whose names are those of degeneracies.

    >>> degeneracy_columns(["E", "g"], ["0.5", "3"], "energy"), degeneracy_columns(["energy", "g"], ["1", "0.3"], None)
    ([1], [])
    """
    if len(names) == 1 or (quantity != "energy" and "energy" not in map(quantity_in, names)):
        return []
    words = [*map(_words, names)]
    letters = {i for i, name in enumerate(words) if name in _LETTERS and _is_half_integer(first[i])}
    return [i for i, name in enumerate(words) if name in _DEGENERACIES or i in letters]


def may_include_results(names: Sequence[str], first: Sequence[str]) -> bool:
    """Return whether some columns may not be logits, because they have names of results, or whole numbers beside
    fractions in the first row, as counts and times do.

    >>> may_include_results(["cat", "dog", "row"], ["0.8", "0.2", "3"]), may_include_results(["cat", "dog"], ["2", "1"])
    (True, False)
    """
    are_whole = {*map(_is_whole, first)}
    return len(are_whole) > 1 or not {*map(_words, names)}.isdisjoint(_RESULTS | _SCORES)


def _is_whole(text: str) -> bool:
    return fields.is_number(text) and fields.number(text) % 1 == 0


def _is_half_integer(text: str) -> bool:
    """Return whether a text is a multiple of 1/2, as J is."""
    return fields.is_number(text) and fields.number(text) * 2 % 1 == 0
