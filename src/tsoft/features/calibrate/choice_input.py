"""Responses of a language model that answers with one of a few tokens: one row of choices per text."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.errors import InputError, UsageError, shortened
from tsoft.features.calibrate.choice_spellings import Choices
from tsoft.features.calibrate.evaluated_answers import NOT_SAMPLING
from tsoft.features.calibrate.labeled_file import LabeledFile, LabeledSource
from tsoft.features.calibrate.labeled_input import LabeledInput
from tsoft.input.class_lookup import IGNORED, TargetLookup
from tsoft.input.read_options import ArrayKey, TargetSource
from tsoft.input.targets import Targets
from tsoft.input.targets_file import read as read_targets
from tsoft.options import logits
from tsoft.options.input import ListedOptions, LogitsOptions, SourceOptions

# A note shows at most this many spellings of a choice.
_SHOWN = 6


@dataclass(frozen=True, eq=False)
class ChoiceRows:
    """The rows of texts that answer with one of the choices.

    `low` and `high`, (rows, choices), are bounds on the logarithm of each choice's probability: `low` is that of its
    listed spellings together, -inf if there is none, and unlisted ones can add no more than all unlisted tokens have.
    `targets`, (rows,), are the indices of the right choices.
    """

    low: Array
    high: Array
    targets: Array


@dataclass(frozen=True, eq=False)
class _Answer:
    """The token of a text that is its answer. `tokens` are the listed spellings of the choices, and `target` is the
    right answer that the input names."""

    low: Array
    high: Array
    tokens: tuple[str, ...]
    target: str | None


class ChoiceInput(LabeledInput):
    """The rows of choices of an API response. After the first pass, `choice_rows` has their bounds."""

    def __init__(
        self,
        source: SourceOptions,
        targets_file: str | None,
        option: str,
        choices: Choices,
        targets: TargetSource,
        listed: ListedOptions,
        key: ArrayKey,
    ):
        self._choices, self._listed = choices, listed
        super().__init__(source, targets_file, option, None, targets, key=key)
        if len(self.sources) > 1:
            raise UsageError(f"--choices reads one file, but {self.name} has {len(self.sources)}; join them to one")

    def _opened(self, source: LabeledSource) -> LabeledFile:
        return ChoiceFile(source, self._choices, self._listed)

    @property
    def choice_rows(self) -> ChoiceRows | None:
        assert isinstance(self._first_file, ChoiceFile)
        return self._first_file.choice_rows


class ChoiceFile(LabeledFile):
    """A file of API responses. After a pass, `choice_rows` has the bounds of its rows."""

    def __init__(self, source: LabeledSource, choices: Choices, listed: ListedOptions):
        super().__init__(replace(source, targets_file=None))
        self._choices, self._listed = choices, listed
        self._answer_field = source.targets.column or "target"
        file = source.targets_file
        self._targets_of_texts = None if file is None else read_targets(file, source.targets)
        self.choice_rows: ChoiceRows | None = None

    def _blocks(self, note: Callable[[str], None]) -> Iterator[Block]:
        """Yield one block of the choices of all texts, with the listed spellings alone."""
        targets, options = TargetSource(answer_field=self._answer_field), LogitsOptions(**vars(self._source.logits))
        key = self._source.array_key
        blocks = logits.blocks(options, None, bounds=self._listed, targets=targets, note=note, key=key)
        texts = _answers(blocks, self._choices)
        if not any(texts.values()):
            names = ", ".join(self._choices.labels)
            raise InputError(f"{self.name}: no token is one of the choices {names}; check --choices")
        self._note_choices(list(texts.values()), note)
        indices = self._indices_of(list(texts.values()))
        kept = [(answer, target) for answer, target in zip(texts.values(), indices, strict=True) if answer is not None]
        rows = ChoiceRows(
            np.array([answer.low for answer, _ in kept]),
            np.array([answer.high for answer, _ in kept]),
            np.array([target for _, target in kept]),
        )
        self._require_listed(rows, [number for number, answer in texts.items() if answer is not None])
        left = rows.targets != IGNORED
        self.choice_rows = ChoiceRows(rows.low[left], rows.high[left], rows.targets[left])
        yield Block(rows.low, self._choices.labels, origin=Origin("logprob", source=self.name), targets=rows.targets)

    def _note_choices(self, texts: "list[_Answer | None]", note: Callable[[str], None]) -> None:
        note(f"{self.name}: the classes are the choices, {NOT_SAMPLING}")
        tokens = sorted({token for answer in texts if answer for token in answer.tokens})
        for index, label in enumerate(self._choices.labels):
            spellings = [token for token in tokens if self._choices.index(token) == index]
            if len(spellings) > 1:
                shown = ", ".join(map(repr, spellings[:_SHOWN])) + ", …" * (len(spellings) > _SHOWN)
                note(f"{self.name}: choice {label!r} has the probabilities of {shown} together")
        without = sum(answer is None for answer in texts)
        if without:
            answers = "has no token that is" if without == 1 else "have no token that is"
            note(f"{self.name}: {without} of {len(texts)} texts {answers} one of the choices; tsoft leaves them out")

    def _indices_of(self, texts: "list[_Answer | None]") -> Array:
        """Return the index of the right choice of each text, IGNORED for a text without an answer."""
        if self._targets_of_texts is not None:
            return _file_indices(self._targets_of_texts, self._choices, len(texts))
        ignored = self._target_options.ignored
        lookup = TargetLookup(self._choices.labels, len(self._choices.labels), ignored)
        indices = np.full(len(texts), IGNORED)
        for number, answer in enumerate(texts):
            if answer is None:
                continue
            if answer.target is None:
                fix = f"add it to the object of each response, or pass --target-column FIELD or {self._option} FILE"
                problem = f"text {number} has no field {shortened(self._answer_field)!r} with a label or an index"
                raise InputError(f"{self.name}: {problem}; {fix}")
            try:
                spelled = self._choices.index(answer.target)
                indices[number] = lookup.index(answer.target) if spelled is None else spelled
            except ValueError as error:
                raise InputError(f"{self.name}: target of text {number}: {error}") from None
        return indices

    def _require_listed(self, rows: ChoiceRows, numbers: list[int]) -> None:
        """Raise InputError if the probability of a right choice may be 0, so that its NLL has no bound."""
        places = np.arange(len(rows.targets)), rows.targets
        missing = np.flatnonzero(np.isneginf(rows.low[places]) & (rows.targets != IGNORED))
        if len(missing):
            label = shortened(self._choices.labels[rows.targets[missing[0]]])
            texts = f"{len(missing)} of {len(rows.targets)} texts (first: text {numbers[missing[0]]}, {label!r})"
            problem = f"the response does not list the right choice of {texts}, so the NLL has no bound"
            raise InputError(f"{self.name}: {problem}; request more alternatives, or remove these texts")


def _answers(blocks: Iterable[Block], choices: Choices) -> "dict[int, _Answer | None]":
    """Return the answer of each text: its first token that was drawn and is one of the choices."""
    texts: dict[int, _Answer | None] = {}
    for block in blocks:
        if block.partial is None:
            raise UsageError("--choices works only with an API response, and the input is not one; remove --choices")
        assert block.labels is not None
        drawn = block.labels[block.partial.index]
        if texts.setdefault(block.partial.text, None) is None and choices.index(drawn) is not None:
            bounds = _log_bounds(block.partial, block.labels, choices)
            tokens = tuple(label for label in block.labels if choices.index(label) is not None)
            texts[block.partial.text] = _Answer(*bounds, tokens, block.origin.target)
    return texts


def _log_bounds(partial: PartialDistribution, labels: tuple[str, ...], choices: Choices) -> tuple[Array, Array]:
    """Return bounds on the logarithm of the probability of each choice: (choices,) each."""
    low = np.full(len(choices.labels), -np.inf)
    for label, logprob in zip(labels, partial.logprobs.tolist(), strict=True):
        # A probability that the server does not return is part of the unlisted rest.
        index = choices.index(label) if logprob == logprob else None
        if index is not None:
            low[index] = np.logaddexp(low[index], logprob)
    with np.errstate(divide="ignore"):
        unlisted = -np.inf if partial.unlisted == 0 else np.log(partial.max_unlisted_mass)
    return low, np.logaddexp(low, unlisted)


def _file_indices(targets: Targets, choices: Choices, texts: int) -> Array:
    """Return the indices of the choices that a file names, one per text."""
    if len(targets) != texts:
        noun = f"{len(targets)} target{'s' * (len(targets) != 1)}, but {texts} text{'s' * (texts != 1)}"
        raise InputError(f"{targets.source}: {noun}; expected one target per text")
    lookup = targets.lookup(choices.labels, len(choices.labels))
    values = [value if isinstance(value, str) else str(value) for value in chain(targets.values)]
    spelled = [choices.index(value) for value in values]
    if all(index is not None for index in spelled):
        return np.array(spelled)
    return targets.indices(lookup)
