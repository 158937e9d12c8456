"""What one record says about a problem at a temperature: how many answers are correct, the answers, or an entropy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tsoft.errors import InputError, joined, shortened
from tsoft.features.choose.token_entropies import text_entropy
from tsoft.input.api_tokens import number_of
from tsoft.input.fields import is_number, number
from tsoft.input.json_values import Location, Object, described
from tsoft.input.named_records import NamedRecord
from tsoft.input.token_shapes import field, spelling_of

# The names of the fields, the usual one first.
PROBLEM = ("problem", "task_id", "problem_id", "doc_id")
TAU = ("tau", "temperature")
N, CORRECT = ("n", "num_samples"), ("correct", "passed", "num_correct")
ANSWER, ANSWERS, TARGET = "answer", "answers", "target"
ENTROPY, TOKENS = "entropy", "logprobs"
_NAMES = {*PROBLEM, *TAU, *N, *CORRECT, ANSWER, ANSWERS, TARGET, ENTROPY}
# The fields of a text of `tsoft generate`.
_TEXT_PROBLEM = "prompt"
MAX_ANSWERS = 1_000_000
_NO_TARGET = "missing; write the right answer as target"
# The entropy of a token from e**1000 others, in nats.
_MAX_ENTROPY = 1000
# Records without a problem belong to one.
ONE_PROBLEM = ""


@dataclass(frozen=True)
class Vote:
    """An answer as a text, None for a response without an answer, and whether it is correct."""

    answer: str | None
    is_correct: bool


@dataclass(frozen=True)
class Outcome:
    """The number of answers, and of the correct ones. `votes` are the answers if they are known.

    With `is_whole`, the record has all answers to the problem at the temperature. pass@k is known only from `least_k`.
    """

    n: int
    correct: int
    votes: tuple[Vote, ...] | None = None
    is_whole: bool = True
    least_k: int = 1


@dataclass(frozen=True)
class ProblemRecord:
    """What a record says about a problem at a temperature.

    `identity` is what must not differ between the records of a problem, such as its right answers. `entropy` is a lower
    and an upper bound on the mean entropy of the tokens of a text.
    """

    problem: str
    tau: float
    location: Location
    outcome: Outcome | None = None
    entropy: tuple[float, float] | None = None
    identity: str | frozenset[str] | None = None


def problem_record(
    record: NamedRecord, tau: float | None, note_ignored: Callable[[Sequence[str]], None]
) -> ProblemRecord | None:
    """Return what a record says; None for a text without tokens, and for a greedy text or that of a beam search.

    tau: the temperature of the file, if the user types it. note_ignored: called with the names of unused fields. Raise
    InputError.
    """
    location = record.location
    # Tables may have a header such as Problem,Tau,Correct.
    values = {
        name.lower() if name.lower() in _NAMES - record.values.keys() else name: v for name, v in record.values.items()
    }
    is_text, strategy = isinstance(values.get(TOKENS), list), values.get("strategy")
    if is_text and field(values, *TAU) is None and strategy not in (None, "sample"):
        note_ignored([f"strategy {strategy}"])
        return None
    tau = record_tau(field(values, *TAU), tau, location)
    if is_text:
        prompt = text_of(field(values, *PROBLEM, _TEXT_PROBLEM))
        entropy = text_entropy(values, tau, location) if 0 < tau < float("inf") else (0.0, 0.0)
        if entropy is None:
            note_ignored(["texts without tokens"])
            return None
        return ProblemRecord(prompt or ONE_PROBLEM, tau, location, entropy=entropy)
    used = [spelling_of(values, *names) for names in (PROBLEM, TAU)]
    outcome, names = _outcome(values, location)
    entropy = _entropy(values, location)
    if outcome is None and entropy is None:
        expected = "expected the fields n and correct, answer and target, or entropy"
        raise location.error(f"{expected}; got {joined([shortened(repr(name)) for name in values][:8])}")
    note_ignored([name for name in values if name not in (*used, *names, ENTROPY)])
    problem = text_of(field(values, *PROBLEM))
    if problem is None and outcome is not None:
        raise location.at("problem").error(
            "missing; name the problem, so that temperatures are compared on the same ones"
        )
    identity = _right_answers(values[TARGET]) if TARGET in names else None
    return ProblemRecord(problem or ONE_PROBLEM, tau, location, outcome, entropy, identity)


def record_tau(value: Any, file_tau: float | None, location: Location) -> float:
    """Return the temperature of a record: its own, or that of its file. Raise InputError if both differ."""
    number = number_of(value if value != "" else None, location.at("tau"))
    if number is None:
        if file_tau is None:
            raise location.at("tau").error(
                "no temperature; add it to each record, or pass one per file, as in --tau 0.2,0.8"
            )
        return file_tau
    if not number >= 0:
        raise location.at("tau").error(f"{number:g} is not a temperature; write a number from 0 to inf")
    if file_tau is not None and number != file_tau:
        raise location.at("tau").error(f"{number:g}, but --tau gives {file_tau:g} for this file; remove --tau")
    return number + 0.0


def _outcome(values: Object, location: Location) -> tuple[Outcome | None, list[str]]:
    """Return the outcome of a record, None if it has only an entropy, and the names of the fields that it uses."""
    n, correct = (field(values, *names) for names in (N, CORRECT))
    answers = values.get(ANSWERS)
    if ANSWER in values or answers is not None:
        name = ANSWER if ANSWER in values else ANSWERS
        if name == ANSWER and answers is not None:
            raise location.error("both answer and answers; write only one of them")
        given = [values[ANSWER]] if name == ANSWER else _list(answers, location.at(ANSWERS))
        if values.get(TARGET) not in (None, ""):
            return judged(given, values[TARGET], location.at(TARGET), is_whole=name == ANSWERS), [name, TARGET]
        if name == ANSWERS or correct is None:
            raise location.at(TARGET).error(_NO_TARGET)
        vote = Vote(text_of(values[ANSWER]), _flag(correct, location))
        return Outcome(1, vote.is_correct, (vote,), is_whole=False), [name, _name(values, CORRECT)]
    if correct is None:
        return None, []
    if n is None:
        # One line per answer.
        return Outcome(1, _flag(correct, location), is_whole=False), [_name(values, CORRECT)]
    total = _count(n, location.at("n"), MAX_ANSWERS)
    if total == 0:
        raise location.at("n").error("0 answers; remove the record")
    right = _count(correct, location.at("correct"), total)
    return Outcome(total, right), [_name(values, N), _name(values, CORRECT)]


def judged(answers: Sequence[Any], target: Any, location: Location, *, is_whole: bool) -> Outcome:
    """Return the outcome of answers, which are correct if they equal the target, or one of several.

    Texts are compared without the blanks around them; 72, "72" and 72.0 are equal. Raise InputError for a target
    without a text, which no answer equals.
    """
    targets = _right_answers(target)
    if not targets:
        raise location.error(_NO_TARGET)
    votes = tuple(Vote(text, text in targets) for text in map(text_of, answers))
    return Outcome(len(votes), sum(vote.is_correct for vote in votes), votes, is_whole)


def _right_answers(target: Any) -> frozenset[str]:
    """Return the texts of a target, which is a right answer or a list of several."""
    texts = map(text_of, target if isinstance(target, list) else [target])
    return frozenset(text for text in texts if text is not None)


def text_of(value: Any) -> str | None:
    """Return a value as text, without the blanks around it; None if nothing remains.

    >>> text_of(" 72 "), text_of(72.0), text_of(True), text_of("")
    ('72', '72', 'true', None)
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value % 1 == 0:
        return f"{value:.0f}"
    return None if value is None else str(value).strip() or None


def _entropy(values: Object, location: Location) -> tuple[float, float] | None:
    """Return the entropy of a record, or the mean of those of its tokens, as both of its bounds; None without one."""
    value = values.get(ENTROPY)
    if value is None or value == "":
        return None
    each = value if isinstance(value, list) else [value]
    numbers = [number_of(entropy, location.at(ENTROPY)) for entropy in each]
    known = [number for number in numbers if number is not None and 0 <= number <= _MAX_ENTROPY]
    if len(known) < len(numbers) or not known:
        raise location.at(ENTROPY).error(f"expected one or more numbers from 0 to {_MAX_ENTROPY}, in nats")
    mean = sum(known) / len(known)
    return mean, mean


def _name(values: Object, names: tuple[str, ...]) -> str:
    return str(spelling_of(values, *names))


def _list(value: Any, location: Location) -> list[Any]:
    """Return a list, which is JSON in a table."""
    if isinstance(value, str):
        import orjson

        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise location.error("expected a JSON array; or write one line per answer, in a column answer") from None
    if not isinstance(value, list) or not value:
        raise location.error(f"expected an array of answers, got {'an empty one' if value == [] else described(value)}")
    return value


def _flag(value: Any, location: Location) -> bool:
    """Return whether one answer is correct: a boolean, 0 or 1. pandas writes 1.0 in a column with empty fields."""
    text = str(text_of(value)).lower()
    flags = {"true": True, "false": False, 1.0: True, 0.0: False}
    flag = flags.get(number(text) if is_number(text) else text)
    if flag is None:
        problem = f"expected true, false, 1 or 0 without a field n, got {described(value)}"
        raise location.at("correct").error(f"{problem}; if it is the sum of several answers, write their number as n")
    return flag


def _count(value: Any, location: Location, most: int) -> int:
    number = number_of(value, location)
    if number is None or not (0 <= number <= most and number % 1 == 0):
        raise _range_error(value, location, most)
    return int(number)


def _range_error(value: Any, location: Location, most: int) -> InputError:
    return location.error(f"expected a whole number from 0 to {most}, got {described(value)}")
