"""Columns that tsoft reads as logits, although their names suggest results, degeneracies, or another quantity."""

from collections.abc import Sequence

from tsoft.input import fields
from tsoft.input.columns import FURTHER_TARGET_NAMES
from tsoft.input.quantity import quantity_in

# Columns that programs write next to logits.
_RESULTS = {
    *("pred", "preds", "prediction", "predicted", "y_pred", "correct", "loss", "nll", "accuracy"),
    *("labels", "targets", "y_true", "true_label", "true_class", "gt", "gold", "ground_truth", "truth", "answer"),
    *("split", "fold", "weight", "sample_weight", "batch", "epoch", "step", "seed", "timestamp"),
    *("date", "datetime", "time", "year", "temperature", "weights", "sum", "total", "argmax", "entropy"),
    *("lr", "learning_rate", "reward", "td_error", "epsilon", "advantage", "episode_reward", "episode_return"),
    *("episode", "iteration", "global_step", "_step", "_runtime", "_timestamp", "wall time", "wall_time"),
}
# Results that may also be the only numbers of a row from which its distribution follows.
_SCORES = {
    *("confidence", "conf", "score", "margin", "max_prob"),
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
    lower = [name.strip().lower() for name in names]
    found = {i for i, name in enumerate(lower) if name in _RESULTS or _may_be_target(i, lower, first)}
    scores = {i for i, name in enumerate(lower) if name in _SCORES}
    # In a table of scores and results, the scores are the logits.
    if len(found) + len(scores) < len(names) or not found:
        found |= scores
    if found:
        found |= {i for i, name in enumerate(lower) if name in _VAGUE}
    return sorted(found)


def _may_be_target(index: int, lower: Sequence[str], first: Sequence[str]) -> bool:
    """Return whether a column may contain targets that the command does not read: an integer among fractions."""
    return lower[index] in FURTHER_TARGET_NAMES and _is_whole(first[index]) and not all(map(_is_whole, first))


def degeneracy_columns(names: Sequence[str], first: Sequence[str], quantity: str | None) -> list[int]:
    """Return the columns next to energies whose names are those of degeneracies.

    >>> degeneracy_columns(["E", "g"], ["0.5", "3"], "energy"), degeneracy_columns(["energy", "g"], ["1", "0.3"], None)
    ([1], [])
    """
    if len(names) == 1 or (quantity != "energy" and "energy" not in map(quantity_in, names)):
        return []
    lower = [name.strip().lower() for name in names]
    letters = {i for i, name in enumerate(lower) if name in _LETTERS and _is_half_integer(first[i])}
    return [i for i, name in enumerate(lower) if name in _DEGENERACIES or i in letters]


def may_include_results(names: Sequence[str], first: Sequence[str]) -> bool:
    """Return whether some columns may not be logits, because they have names of results, or whole numbers beside
    fractions in the first row, as counts and times do.

    >>> may_include_results(["cat", "dog", "row"], ["0.8", "0.2", "3"]), may_include_results(["cat", "dog"], ["2", "1"])
    (True, False)
    """
    are_whole = {*map(_is_whole, first)}
    return len(are_whole) > 1 or not {name.strip().lower() for name in names}.isdisjoint(_RESULTS | _SCORES)


def _is_whole(text: str) -> bool:
    return fields.is_number(text) and fields.number(text) % 1 == 0


def _is_half_integer(text: str) -> bool:
    """Return whether a text is a multiple of 1/2, as J is."""
    return fields.is_number(text) and fields.number(text) * 2 % 1 == 0
