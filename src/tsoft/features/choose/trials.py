"""All answers to the problems at each temperature, from the records of one or more files."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import InputError, joined, shortened
from tsoft.features.choose.eval_repeats import eval_record, filter_of
from tsoft.features.choose.pass_at_k import is_exact, majority_at_k, pass_at_k, sampled_majority_at_k
from tsoft.features.choose.problem_record import Outcome, ProblemRecord, Vote, problem_record
from tsoft.input.eval_samples import is_eval_sample
from tsoft.input.json_values import Location
from tsoft.input.named_records import NamedRecord

T = TypeVar("T")

# The number of names in a note.
_NAMED = 5


@dataclass
class ProblemAnswers:
    """The answers to a problem at a temperature: their number, the correct ones, and the votes if they are known."""

    location: Location
    n: int = 0
    correct: int = 0
    votes: Counter[Vote] | None = field(default_factory=Counter)
    least_k: int = 1
    is_whole: bool = False

    def add(self, outcome: Outcome, record: ProblemRecord) -> None:
        """Add the answers of a record. Raise InputError if another record had all answers."""
        if self.n and (self.is_whole or outcome.is_whole):
            tau = f"{record.tau:g}"
            problem = f"problem {shortened(repr(record.problem))} at τ = {tau} is already in {self.location.source}"
            raise record.location.error(f"{problem}; write all answers into one record, or one per line")
        self.n += outcome.n
        self.correct += outcome.correct
        self.is_whole, self.least_k = outcome.is_whole, outcome.least_k
        if outcome.votes is None:
            self.votes = None
        elif self.votes is not None:
            self.votes.update(outcome.votes)
            # The same answer cannot be both right and wrong.
            both = next((vote for vote in outcome.votes if Vote(vote.answer, not vote.is_correct) in self.votes), None)
            if both is not None and both.answer is not None:
                raise record.location.error(f"the answer {shortened(repr(both.answer))} is both correct and wrong here")


class TrialReader:
    """Collects records. `filter_name` selects one of the filters of lm-evaluation-harness."""

    def __init__(self, filter_name: str | None, note: Callable[[str], None]) -> None:
        self._typed_filter, self._first_filter, self._note = filter_name, filter_name, note
        self._identities: dict[str, tuple[str | frozenset[str], Location]] = {}
        self._ignored: set[str] = set()
        self.has_samples = False
        self.answers: dict[tuple[float, str], ProblemAnswers] = {}
        self.entropies: dict[tuple[float, str], list[tuple[float, float]]] = {}

    def add(self, records: Iterable[NamedRecord], tau: float | None) -> None:
        """Add the records of a file, whose temperature is `tau` if the user types it. Raise InputError."""
        for record in records:
            read = self._read(record, tau)
            if read is None:
                continue
            self._check_identity(read)
            key = read.tau, read.problem
            if read.outcome is not None:
                self.answers.setdefault(key, ProblemAnswers(read.location)).add(read.outcome, read)
            if read.entropy is not None:
                self.entropies.setdefault(key, []).append(read.entropy)

    def _read(self, record: NamedRecord, tau: float | None) -> ProblemRecord | None:
        if not is_eval_sample(record.values):
            return problem_record(record, tau, lambda names: self._note_ignored(names, record.location))
        self.has_samples = True
        name = filter_of(record.values)
        if self._typed_filter is not None and name != self._typed_filter:
            return None
        self._first_filter = self._first_filter or name
        if name != self._first_filter:
            names = joined([repr(shortened(each)) for each in (self._first_filter, name)])
            raise record.location.error(f"the samples have several filters, such as {names}; pass --filter NAME")
        return eval_record(record.values, record.location, tau)

    def _note_ignored(self, names: Sequence[str], location: Location) -> None:
        new = [name for name in names if name not in self._ignored]
        if new:
            self._ignored.update(new)
            more = f" and {len(new) - _NAMED} more" * (len(new) > _NAMED)
            self._note(
                location.message(f"tsoft ignores {joined([shortened(repr(name)) for name in new[:_NAMED]])}{more}")
            )

    def _check_identity(self, record: ProblemRecord) -> None:
        """Raise InputError if another record of the same problem has another target or document."""
        if record.identity is None:
            return
        identity, location = self._identities.setdefault(record.problem, (record.identity, record.location))
        if identity != record.identity:
            problem = f"problem {shortened(repr(record.problem))} has another target or document in {location.source}"
            raise record.location.error(f"{problem}; give different problems different names")


def paired(
    cells: dict[tuple[float, str], T], note: Callable[[str], None]
) -> tuple[list[float], list[str], list[list[T]]]:
    """Return the temperatures, ascending, the problems that have each of them, and what `cells` has for them, by
    temperature. Print a note on the problems that lack a temperature. Raise InputError if none remains."""
    taus = sorted({tau for tau, _ in cells})
    problems = list(dict.fromkeys(problem for _, problem in cells))
    complete = [problem for problem in problems if all((tau, problem) in cells for tau in taus)]
    missing = [problem for problem in problems if problem not in set(complete)]
    if not complete:
        counts = Counter(tau for tau, _ in cells)
        listed = joined([f"{counts[tau]} at τ = {tau:g}" for tau in taus[:_NAMED]])
        raise InputError(f"no problem has answers at every temperature ({listed}); use the same problems at each")
    if missing:
        shown = ", ".join(shortened(repr(problem), 20) for problem in missing[:_NAMED]) + ", …" * (
            len(missing) > _NAMED
        )
        note(f"{len(missing)} of {len(problems)} problems lack some temperature and are left out: {shown}")
    return taus, complete, [[cells[tau, problem] for problem in complete] for tau in taus]


@dataclass(frozen=True, eq=False)
class Trials:
    """The answers to each problem at each temperature, in rows by temperature. The number of answers and of correct
    ones are (t, problems)."""

    taus: Array
    problems: list[str]
    answers: list[list[ProblemAnswers]]
    n: Array
    correct: Array

    @property
    def has_votes(self) -> bool:
        """Whether the answers are known, so that they can vote."""
        return all(each.votes is not None for row in self.answers for each in row)

    @property
    def least_k(self) -> int:
        """The lowest k for which pass@k is known."""
        return max(each.least_k for row in self.answers for each in row)

    def pass_values(self, ks: Sequence[int]) -> Array:
        """Return pass@k of each problem: (k, t, problems)."""
        return np.stack([pass_at_k(self.n, self.correct, k) for k in ks])

    def majority_values(self, ks: Sequence[int], seed: int) -> tuple[Array, int]:
        """Return the probability of a correct majority for each problem, (k, t, problems), and for how many of the
        problems and temperatures it is estimated from random subsets."""
        generator, values = np.random.default_rng(seed), np.empty((len(ks), *self.n.shape))
        sampled = 0
        for i, k in enumerate(ks):
            for t, row in enumerate(self.answers):
                for p, answers in enumerate(row):
                    exact = is_exact(answers.n, k)
                    sampled += not exact
                    values[i, t, p] = _majority(answers, k, None if exact else generator)
        return values, sampled


def _majority(answers: ProblemAnswers, k: int, generator: np.random.Generator | None) -> float:
    """Return the probability that one of the correct answers wins the vote."""
    assert answers.votes is not None
    named = [vote for vote in answers.votes if vote.answer is not None]
    counts = [answers.votes[vote] for vote in named]
    blank = answers.n - sum(counts)
    right = [i for i, vote in enumerate(named) if vote.is_correct]
    if generator is None:
        return min(1.0, sum(majority_at_k(counts, i, k, blank=blank) for i in right))
    with_blank = np.array([*counts, blank])
    return min(1.0, sum(sampled_majority_at_k(with_blank, i, k, generator) for i in right))


def trials(cells: dict[tuple[float, str], ProblemAnswers], note: Callable[[str], None]) -> Trials:
    """Return the answers to the problems that have each temperature."""
    taus, problems, answers = paired(cells, note)
    n, correct = (np.array([[getattr(each, name) for each in row] for row in answers]) for name in ("n", "correct"))
    if not correct.any() and any(each.votes for row in answers for each in row):
        note("no answer is correct; tsoft compares answers with their targets as texts, such as '72' with '72'")
    return Trials(np.array(taus), problems, answers, n, correct)
