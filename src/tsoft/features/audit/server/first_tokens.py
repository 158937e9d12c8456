"""The first token of a choice in a server's response, with its log-probabilities if there are any."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.input import api_responses
from tsoft.input.api_tokens import REPLACEMENT
from tsoft.input.json_values import Object
from tsoft.input.read_options import ReadOptions
from tsoft.models.response_choice import ResponseChoice
from tsoft.models.server_errors import value_at
from tsoft.models.server_tokens import are_in_byte_alphabet, from_byte_alphabet, is_control_name, is_partial

# If the log-probabilities of two tokens differ by this much, one of 400 draws of either is of the less probable one, at
# temperature 1.
_DOMINANT = 6.0


@dataclass(frozen=True, eq=False)
class FirstToken:
    """A drawn token: its label, and the distribution that the server lists with it; None if it lists none.

    Without a list, or if the list lacks the drawn token, the label is the text of the choice: empty if the server drew
    the end of the text. `is_text` is then true, and such a text may lack blanks. `is_marked` is false if the list marks
    another token as drawn. `is_known` is false if the answer does not show what was drawn: it has neither a list nor a
    text, and does not end, as with a content filter. If the list is keyed by text, it has room for only one of several
    tokens with the same text. Servers let the drawn token take
    precedence, and else the least probable one.
    """

    label: str
    block: Block | None = None
    is_keyed: bool = False
    is_text: bool = False
    is_marked: bool = True
    is_known: bool = True

    def label_in(self, labels: Collection[str]) -> str:
        """Return which of some labels is that of the drawn token; its own label if none is."""
        if not self.is_text or self.label in labels:
            return self.label
        same = [label for label in labels if label.strip() == self.label.strip()]
        return same[0] if len(same) == 1 else self.label

    @property
    def size(self) -> int:
        """The number of listed tokens."""
        return 0 if self.block is None else self.block.logits.shape[1]

    @cached_property
    def logprobs(self) -> dict[str, float]:
        """The log-probability of each label: that of the most probable token if several have the label."""
        if self.block is None or self.block.labels is None or self.block.partial is None:
            return {}
        pairs = sorted(zip(self.block.partial.logprobs.tolist(), self.block.labels, strict=True))
        return {label: logprob for logprob, label in pairs if logprob == logprob}

    @cached_property
    def comparable(self) -> dict[str, float]:
        """The log-probabilities that do not depend on which token was drawn."""
        return {label: number for label, number in self.logprobs.items() if not self.is_keyed or label != self.label}

    @property
    def top(self) -> float:
        """The log-probability of the most probable token; NaN without a list."""
        return max(self.logprobs.values(), default=np.nan)

    @property
    def gap(self) -> float:
        """How far the drawn token is below the most probable one; NaN if the list lacks it."""
        if self.is_text or self.block is None or self.block.partial is None:
            return np.nan
        return self.top - float(self.block.partial.logprobs[self.block.partial.index])

    @property
    def is_cut(self) -> bool:
        """Whether the list shows that a sampler has removed tokens: it has tokens of probability 0, or it is complete
        although its least probable token is not rare."""
        if self.block is None or self.block.partial is None:
            return False
        return self.block.partial.is_truncated or any(np.isneginf(self.block.partial.logprobs))


def first_token(choice: Object, place: str) -> FirstToken:
    """Return the first token of a choice. Raise InputError if its log-probabilities cannot be read.

    >>> logprobs = {"tokens": [" a"], "token_logprobs": [-0.5], "top_logprobs": [{" a": -0.5, " b": -1.5}]}
    >>> first_token({"text": " a", "logprobs": logprobs}, "URL").logprobs
    {' b': -1.5, ' a': -0.5}
    >>> first_token({"message": {"content": "Hi"}}, "URL").label
    'Hi'
    """
    read = ResponseChoice(choice)
    if not read.has_tokens:
        return FirstToken(read.text, is_text=True, is_known=bool(read.text) or read.is_end)
    block = next(api_responses.blocks({"choices": [choice]}, ReadOptions(place), place, 0))
    assert block.partial
    assert block.labels
    labels = block.labels
    if are_in_byte_alphabet(labels):
        labels = tuple(map(from_byte_alphabet, labels))
    index = _drawn(labels, block.partial, read)
    partial = replace(block.partial, index=-1 if index is None else index)
    known = None if partial.unknown.all() else replace(block, labels=labels, partial=partial)
    is_keyed = isinstance(value_at(choice, "logprobs", "top_logprobs", 0), dict)
    label = read.text if index is None else labels[index]
    return FirstToken(label, known, is_keyed, index is None, is_marked=index == block.partial.index)


def _drawn(labels: Sequence[str], partial: PartialDistribution, choice: ResponseChoice) -> int | None:
    """Return the index of the drawn token, whose text is that of the choice; None if the list lacks it.

    Some servers list only the most probable tokens, in place of the drawn one: mlx-lm, and text-generation-webui with
    some models. A text may lack blanks and parts of a character, so only the characters of ASCII are compared. An empty
    text that does not end says nothing: the token may be a part of a character, or belong to a reasoning. If several
    tokens fit, it is taken to be the most probable one.
    """
    text = choice.text
    if choice.is_end:
        fitting = [i for i, label in enumerate(labels) if not label or is_control_name(label)]
    elif text:
        fitting = [i for i, label in enumerate(labels) if _compared(label) == _compared(text)]
    else:
        return partial.index
    if partial.index in fitting:
        return partial.index
    if not choice.is_end and not _compared(text):
        fitting = [i for i in fitting if labels[i] == text or (REPLACEMENT in text and is_partial(labels[i]))]
    same = [i for i in fitting if labels[i] == text]
    return max(same or fitting, key=lambda i: partial.logprobs[i], default=None)


def _compared(text: str) -> str:
    return "" if is_partial(text) else "".join(character for character in text if "!" <= character <= "~")


def known_row(block: Block, drawn: Mapping[str, float], *, with_parts: bool = True) -> Block | None:
    """Return the block with one class for each label, the most probable one of its tokens, and without the labels
    whose draws may be of another token. None if no label remains.

    A draw shows only the label. That is enough if the other tokens with this label are much less probable. They cannot
    become one class, since its probability at a temperature would not be that of a softmax.

    `drawn` are other log-probabilities of some labels, which draws have shown. `with_parts` is whether the draws show
    which part of a character they are.
    """
    partial, labels = block.partial, block.labels
    assert partial
    assert labels
    numbers = defaultdict[str, list[float]](list)
    for label, number in [*zip(labels, partial.logprobs.tolist(), strict=True), *drawn.items()]:
        if number > -np.inf:
            numbers[label].append(number)
    best = {label: max(values) for label, values in numbers.items()}
    # The least probable token may be listed only because it was drawn. Its rank is then unknown.
    drawn_label = labels[partial.index] if partial.index >= 0 else None
    last = drawn_label if best and best.get(drawn_label or "") == min(best.values()) else None
    kept = [
        label
        for label, values in numbers.items()
        if _has_dominant(values) and _is_recognizable(label, with_parts) and (label != last or len(numbers) == 1)
    ]
    if not kept:
        return None
    removed = [best[label] for label in best if label not in kept]
    # The removed tokens now are unlisted ones.
    cap = max([partial.cap, *removed])
    logprobs = np.array([best[label] for label in kept])
    return replace(
        block,
        logits=logprobs[np.newaxis],
        labels=tuple(kept),
        partial=replace(partial, logprobs=logprobs, index=0, cap=cap),
    )


def _is_recognizable(label: str, with_parts: bool) -> bool:
    return REPLACEMENT not in label and (with_parts or not is_partial(label))


def _has_dominant(numbers: list[float]) -> bool:
    """Return whether the highest of some log-probabilities is that of a much more probable token than the others."""
    ordered = sorted(numbers, reverse=True)
    return len(ordered) == 1 or ordered[0] - ordered[1] >= _DOMINANT
