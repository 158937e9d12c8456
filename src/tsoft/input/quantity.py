"""The quantities that an input can contain (logits, probabilities, …), and how each becomes logits."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from tsoft.core.softmax import Array, LogitsError
from tsoft.frozen import frozen

# A server's float32 probability may exceed 1 by about this much.
SLACK = 1e-6
# A row of percentages sums to 100, unless it has only the most probable classes or was rounded.
_LEAST_PERCENT, _MOST_PERCENT = 20.0, 105.0


@frozen
class Quantity:
    """A quantity. `noun`, `plural` and `range` describe it in messages, and `option` declares it. `mask` is the number
    of a class with probability 0. `invalid` marks numbers out of range, and `to_logits` converts numbers to logits."""

    name: str
    noun: str
    plural: str
    range: str
    option: str | None
    mask: str
    invalid: Callable[[Array], Array]
    to_logits: Callable[[Array], Array]

    def problem(self, number: str) -> str:
        """Return the problem with a number out of range."""
        return f"{number} is not {self.noun}; {self.plural} are {self.range}"

    @property
    def mask_fix(self) -> str:
        """How to mask a class, for messages."""
        return f"write {self.mask} to mask a class"


def _same(logits: Array) -> Array:
    return logits


def _log(probs: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(probs)


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity(
            "logit",
            "a logit",
            "logits",
            "finite, or -inf for a masked class",
            None,
            "-inf",
            lambda v: ~(v < np.inf),
            _same,
        ),
        Quantity(
            "logprob",
            "a log-probability",
            "log-probabilities",
            "at most 0",
            "--logprobs",
            "-inf",
            lambda v: ~(v <= SLACK),
            _same,
        ),
        Quantity(
            "prob",
            "a probability",
            "probabilities",
            "from 0 to 1",
            "--probs",
            "0",
            lambda v: ~((v >= 0) & (v <= 1 + SLACK)),
            _log,
        ),
        Quantity(
            "energy",
            "an energy",
            "energies",
            "finite, or inf for a masked class",
            "--energies",
            "inf",
            lambda v: ~(v > -np.inf),
            lambda v: -v,
        ),
    )
}


# The names of arrays and of fields of JSON by which one of several is chosen, in the order of precedence. Probabilities
# may have underflowed to 0 where their logarithms are exact.
ARRAY_QUANTITIES = {
    "logits": "logit",
    **dict.fromkeys(("log_probs", "logprobs", "log_probabilities"), "logprob"),
    **dict.fromkeys(("probs", "probabilities"), "prob"),
    "log_probs_listed": "logprob",
    "probs_listed": "prob",
    "energies": "energy",
}
# These names state the quantity, too, but of several arrays, such a one often has only one number per row.
_STATED_QUANTITIES = ARRAY_QUANTITIES | {
    "logit": "logit",
    **dict.fromkeys(("log_prob", "logprob", "log_probability"), "logprob"),
    **dict.fromkeys(("prob", "probability"), "prob"),
    "energy": "energy",
}
# The only column of numbers with such a name has negative log-probabilities. Next to logits, it is a result.
NEGATIVE_LOGPROBS = {"nll", "loss", "surprisal", "neg_log_likelihood", "negative_log_likelihood"}
# The words in the name of a column that call its numbers something, such as prob_cat and cat_logit.
_WORDS = {
    "logprob": r"log[\s_.-]?(?:prob(?:s|a|ability|abilities)?|softmax)",
    "prob": r"prob(?:s|a|ability|abilities)?|softmax",
    "energy": r"energy|energies",
    "logit": r"logits?",
}
# A pattern as a text is compiled when it is used, which most runs do not need.
_WORD = (
    r"(?i)(?<![^\W_])(?:(neg(?:ative)?|minus)[\s_.-]?)?"
    rf"(?:{'|'.join(f'(?P<{name}>{words})' for name, words in _WORDS.items())})(?![^\W\d_])"
)
# What the negative numbers of a quantity are.
_NEGATIVE = {"logit": "energy", "logprob": "energy", "energy": "logit", "prob": "prob"}
_PERCENT = r"(?i)%|(?<![^\W_])(?:percent|pct)"


def quantity_in(name: str) -> str | None:
    """Return the quantity that the name of a column contains; None if it contains none.

    >>> quantity_in("cat_logit"), quantity_in("LogProbability:Class=a"), quantity_in("probs0"), quantity_in("problem")
    ('logit', 'logprob', 'prob', None)
    >>> quantity_in("neg_energy"), quantity_in("negative log probability")
    ('logit', 'energy')
    """
    match = re.search(_WORD, name)
    return _quantity_of(match) if match else None


def _quantity_of(match: re.Match[str]) -> str:
    quantity = str(match.lastgroup)
    return _NEGATIVE[quantity] if match[1] else quantity


def stated_quantity(name: str) -> str | None:
    """Return the quantity that the name of a single column, array or field states; None for any other name, even if it
    contains one.

    >>> stated_quantity("Energy"), stated_quantity("log probs"), stated_quantity("energy_kJ_mol")
    ('energy', 'logprob', None)
    """
    return _STATED_QUANTITIES.get(re.sub(r"[\s.-]", "_", name.strip().lower()))


def suggested_quantity(name: str) -> str | None:
    """Return the quantity other than logits that a name contains, if tsoft reads its numbers as logits.

    >>> suggested_quantity("energy_kJ_mol"), suggested_quantity("prob_logits"), suggested_quantity("prob")
    ('energy', None, None)
    """
    has_logits = any(_quantity_of(match) == "logit" for match in re.finditer(_WORD, name))
    return None if has_logits or stated_quantity(name) else quantity_in(name)


def array_name(quantity: str) -> str:
    """Return the preferred name of an array of a quantity.

    >>> array_name("logprob")
    'log_probs'
    """
    return next(name for name, stated in ARRAY_QUANTITIES.items() if stated == quantity)


def suggestion(numbers: str, quantity: str, names: Sequence[str]) -> str:
    """Return a note that the names of numbers suggest another quantity than logits, as which tsoft reads them.

    >>> suggestion("'p'", "prob", ["p (%)"])
    "tsoft reads 'p' as logits, but the name suggests probabilities; if they are, divide them by 100 and pass --probs"
    """
    other, suggest = QUANTITIES[quantity], "the name suggests" if len(names) == 1 else "the names suggest"
    plural = other.plural
    if quantity == "energy" and all(map(_is_negative_logprob, names)):
        plural = "negative log-probabilities"
    fix = "divide them by 100 and " * (quantity == "prob" and all(re.search(_PERCENT, name) for name in names))
    return f"tsoft reads {numbers} as logits, but {suggest} {plural}; if they are, {fix}pass {other.option}"


def _is_negative_logprob(name: str) -> bool:
    match = re.search(_WORD, name)
    return name.strip().lower() in NEGATIVE_LOGPROBS or (match is not None and match.lastgroup == "logprob")


def _is_word_of_a_class(name: str) -> bool:
    """Return whether only blanks separate the quantity in a name from another word, as in the name of a class.

    >>> [_is_word_of_a_class(name) for name in ("solar energy", "energy drink", "cat (logit)", "log prob", "cat")]
    [True, True, False, False, False]
    """
    match = re.search(_WORD, name)
    if match is None:
        return False
    before, after = name[: match.start()], name[match.end() :]
    return re.search(r"\w\s+\Z", before) is not None or re.match(r"\s+\w", after) is not None


def quantities_in(names: Sequence[str]) -> list[str | None]:
    """Return the quantity that each of the names of columns contains. Energy next to another word is part of a class,
    as in `solar energy`, unless all names contain it.

    >>> quantities_in(["solar energy", "coal"]), quantities_in(["cat energy", "dog energy"])
    ([None, None], ['energy', 'energy'])
    >>> quantities_in(["cat logit", "dog logit", "max prob"])
    ['logit', 'logit', 'prob']
    """
    quantities = [quantity_in(name) for name in names]
    if len(set(quantities)) == 1:
        return quantities
    pairs = zip(names, quantities, strict=True)
    return [None if each == "energy" and _is_word_of_a_class(name) else each for name, each in pairs]


def contradiction(source: str, quantity: str, requested: str) -> str:
    """Return the problem with a source of numbers of one quantity if the options request another."""
    option = QUANTITIES[requested].option
    fix = f"; remove {option}" if option else ""
    return f"{source} contains {QUANTITIES[quantity].plural}, not {QUANTITIES[requested].plural}{fix}"


def to_logits(values: Array, quantity: Quantity) -> Array:
    """Convert numbers of a quantity, (rows, n), to logits.

    Raise LogitsError for the first number out of the quantity's range, and for a row in which every class is masked.

    >>> to_logits(np.array([[1.0, 0.5]]), QUANTITIES["energy"])
    array([[-1. , -0.5]])
    """
    if quantity.to_logits is _same:
        # Such numbers have no lower limit, so they are all valid if the highest ones are. NaN counts as the highest.
        highest = values.max(axis=1)
        if np.isfinite(highest).all() and not quantity.invalid(highest).any():
            return values
    invalid = quantity.invalid(values)
    if invalid.any():
        row, column = (int(i) for i in np.unravel_index(invalid.argmax(), invalid.shape))
        value = float(values[row, column])
        if np.isnan(value):
            raise LogitsError(f"NaN is not {quantity.noun}; {quantity.mask_fix}", row, column)
        number = "+inf" if value == np.inf else repr(value).removesuffix(".0")
        are_percentages = values[row].min() >= 0 and _LEAST_PERCENT < values[row].sum() <= _MOST_PERCENT
        is_percentage = quantity.name == "prob" and 1 < value <= 100 and are_percentages
        fix = "; divide percentages by 100" if is_percentage else ""
        raise LogitsError(f"{quantity.problem(number)}{fix}", row, column)
    logits = quantity.to_logits(values)
    masked = np.isneginf(logits.max(axis=1))
    if masked.any():
        unmasked = (
            "a probability above 0" if quantity.name == "prob" else f"a finite {quantity.noun.split(maxsplit=1)[1]}"
        )
        problem = f"every class is masked ({quantity.mask}); at least one needs {unmasked}"
        raise LogitsError(problem, int(masked.argmax()))
    return logits


def both_classes(values: Array, quantity: Quantity) -> Array:
    """Return the numbers of both classes of a binary classifier, (rows, 2), from those of its second class, (rows, 1).

    >>> both_classes(np.array([[2.0], [-1.0]]), QUANTITIES["logit"]).tolist()
    [[0.0, 2.0], [0.0, -1.0]]
    >>> both_classes(np.array([[0.75]]), QUANTITIES["prob"]).tolist()
    [[0.25, 0.75]]
    """
    try:
        to_logits(values, quantity)
    except LogitsError as error:
        # A masked second class is certainly the first class.
        if error.column is not None:
            raise
    if quantity.name == "prob":
        return np.concatenate([np.maximum(1 - values, 0), values], axis=1)
    if quantity.name == "logprob":
        with np.errstate(divide="ignore"):
            return np.concatenate([np.log(-np.expm1(np.minimum(values, 0))), values], axis=1)
    return np.concatenate([np.zeros_like(values), values], axis=1)
