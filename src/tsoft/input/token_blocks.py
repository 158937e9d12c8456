"""From a drawn token and its alternatives to a block of one row.

Servers differ in what they do with the drawn token. OpenAI lists it only if it is among the most probable; vLLM puts it
first; completions add it to the end. So its number never bounds the unlisted tokens, unless another alternative is as
improbable.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.partial_distribution import LARGEST_VOCABULARY, PartialDistribution
from tsoft.core.softmax import Array
from tsoft.input.api_tokens import REPLACEMENT, ApiToken, DrawnToken, hides_bytes, number_text

# If less than this is missing from the sum of the probabilities, rounding may explain it.
_MISSING = 1e-3
# The kind of the note on alternatives that are those of another token.
FOREIGN = "foreign"


@dataclass(frozen=True, eq=False)
class ListedTokens:
    """The tokens that a response lists for one position: the alternatives and, at `index`, the drawn token.

    `cap` is a log-probability that no unlisted token exceeds, inf if unknown. `notes` are the kinds and the texts of
    notes on contradictions.
    """

    tokens: list[ApiToken]
    index: int
    cap: float
    notes: dict[str, str]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(token.label for token in self.tokens)

    @property
    def logprobs(self) -> Array:
        """The log-probabilities; NaN if unknown. All are unknown if no token has a probability above 0."""
        logprobs = _logprobs(self.tokens)
        return logprobs if (logprobs > -np.inf).any() else np.full(len(logprobs), np.nan)


def listed_tokens(drawn: DrawnToken, last: DrawnToken | None = None) -> ListedTokens:
    """Return the tokens that a response lists.

    The server's number for the drawn token takes precedence over that of an alternative. An alternative with the same
    text but another number is another token, unless its id or bytes are the same. If the alternatives are not those of
    this token, their probabilities are unknown. `last` is the token before in the same text.
    """
    token, notes = drawn.token, dict[str, str]()
    tokens = _without_repeated(drawn.alternatives)
    if len(tokens) < len(drawn.alternatives):
        notes["repeated"] = "the alternatives contain a token twice; tsoft counts it once"
        drawn = replace(drawn, alternatives=tokens)
    identities = [token.is_same(other) for other in tokens]
    candidates = [i for i, is_same in enumerate(identities) if is_same is not False]
    same = [i for i in candidates if identities[i]] or [i for i in candidates if token.agrees(tokens[i])]
    is_listed = any(token.agrees(tokens[i]) for i in same)
    if same:
        index = min(same, key=lambda i: _difference(token, tokens[i]))
        if not token.agrees(tokens[index]):
            numbers = f"{_text(token)}, and {_text(tokens[index])} among the alternatives"
            notes["contradiction"] = f"the response has two log-probabilities of the drawn token, {numbers}"
            notes["contradiction"] += "; tsoft uses the first"
        elif token.number is None and len({tokens[i].number for i in same}) > 1:
            notes["ambiguous"] = "several alternatives have the text of the drawn token; tsoft takes the first"
        if token.number is not None:
            tokens = [*tokens[:index], replace(tokens[index], number=token.number), *tokens[index + 1 :]]
    else:
        index, tokens = len(tokens), [*tokens, token]
        if candidates:
            numbers = f"{_text(token)}, and an alternative with the same text has {_text(tokens[candidates[0]])}"
            notes["same text"] = f"the drawn token has the log-probability {numbers}; tsoft treats them as two tokens"
    if not is_listed and (problem := _contradiction(drawn, tokens, index, last)):
        notes = {FOREIGN: f"{problem}; tsoft uses only the number of the drawn token"}
        tokens = [other if i == index else replace(other, number=None) for i, other in enumerate(tokens)]
        return ListedTokens(tokens, index, math.inf, notes)
    cap, problem = _unlisted_cap(drawn, tokens, index, explained=drawn.keyed_by_text and bool(candidates))
    if problem:
        notes["not the most probable"] = f"{problem}, so the alternatives cannot be the most probable tokens"
    return ListedTokens(tokens, index, cap, notes)


def _contradiction(drawn: DrawnToken, tokens: list[ApiToken], index: int, last: DrawnToken | None) -> str | None:
    """Return why the alternatives cannot be those of a drawn token that is not one of them; None if they can.

    SGLang writes those of the first token in a piece to each token of the piece: serving_chat.py, top_logprobs_idx.
    """
    if math.isnan(tokens[index].logprob):
        return None
    known = sum(not math.isnan(other.logprob) for other in drawn.alternatives)
    if known > 1 and last and drawn.alternatives == last.alternatives:
        return "the alternatives are those of the previous token, without the drawn token"
    alternatives, listed = (PartialDistribution(_logprobs(t), 0, math.inf) for t in (drawn.alternatives, tokens))
    # Above 1, only the rounding of the numbers remains as an unlisted probability.
    if alternatives.mass <= 1 + _MISSING < listed.mass - listed.max_unlisted_mass:
        return f"the probabilities of the drawn token and of the alternatives sum to {listed.mass:.4g}, more than 1"
    return None


def _without_repeated(tokens: list[ApiToken]) -> list[ApiToken]:
    """Return the tokens, the first of those with the same id, or with the same text, bytes and number. Tokens that may
    be parts of different characters, and those without a number, remain."""
    kept: dict[object, ApiToken] = {}
    for i, token in enumerate(tokens):
        is_unclear = hides_bytes(token.label) or math.isnan(token.logprob)
        same = i if is_unclear else (token.label, token.data, token.number)
        kept.setdefault(same if token.id is None else str(token.id), token)
    return [*kept.values()]


def _unlisted_cap(
    drawn: DrawnToken, tokens: list[ApiToken], index: int, *, explained: bool
) -> tuple[float, str | None]:
    """Return the log-probability that no unlisted token exceeds, and a contradiction that rules out a cap.

    If all alternatives are the most probable tokens, it is the lowest of them that allows the rest of the probability.
    The drawn token does not count, since the server may have added it. `explained` is true if the drawn token is not an
    alternative because an object has room for only one token of this text.
    """
    if _may_hide_tokens(drawn):
        return math.inf, None
    others = _logprobs([token for i, token in enumerate(drawn.alternatives) if i != index])
    others = others[~np.isnan(others)]
    if not len(others):
        return math.inf, None
    cap, drawn_logprob = float(others.min()), tokens[index].logprob
    if index == len(drawn.alternatives) and not explained and drawn_logprob > cap and not _is_close(drawn_logprob, cap):
        problem = f"the drawn token is not an alternative, but its log-probability {number_text(drawn_logprob)} exceeds"
        return math.inf, f"{problem} {number_text(cap)} of an alternative"
    listed = PartialDistribution(_logprobs(tokens), index, cap, classes=LARGEST_VOCABULARY)
    if cap > -math.log(LARGEST_VOCABULARY) or listed.is_consistent:
        return cap, None
    problem = f"an alternative has probability {math.exp(cap):.2g}, but the listed tokens have only {listed.mass:.4g}"
    possible = [logprob for logprob in others if replace(listed, cap=logprob).is_consistent]
    return float(min(possible, default=np.inf)), problem if listed.min_unlisted_mass > _MISSING else None


def _may_hide_tokens(drawn: DrawnToken) -> bool:
    """Return whether several of the most probable tokens may have the same text, of which the response has only one.

    SGLang makes its lists from an object keyed by text: serving_chat.py, _process_logprobs_tokens. Their bytes are
    those of the text.
    """
    if drawn.keyed_by_text:
        return any(hides_bytes(token.label) for token in drawn.alternatives)
    labels = [token.label for token in drawn.alternatives if REPLACEMENT in token.label and token.id is None]
    return 0 < len(labels) == len({*labels})


def _logprobs(tokens: list[ApiToken]) -> Array:
    return np.array([token.logprob for token in tokens])


def _difference(token: ApiToken, other: ApiToken) -> float:
    """Return the difference of two tokens' numbers; inf if one is unknown."""
    difference = abs(token.logprob - other.logprob)
    return math.inf if math.isnan(difference) else difference


def _is_close(logprob: float, other: float) -> bool:
    return ApiToken("", logprob).agrees(ApiToken("", other))


def _text(token: ApiToken) -> str:
    return "null" if token.number is None else number_text(token.number)


def token_block(drawn: DrawnToken, listed: ListedTokens, row: int) -> Block:
    """Return the block of one row that contains the listed tokens. If nothing is known of them, its logits mean
    nothing."""
    logprobs = listed.logprobs
    unknown = np.isnan(logprobs)
    logits = np.zeros(len(logprobs)) if unknown.all() else np.where(unknown, -np.inf, logprobs)
    # A drawn token that is no alternative follows them.
    is_listed = listed.index < len(drawn.alternatives)
    partial = PartialDistribution(logprobs, listed.index, listed.cap, is_sampled=drawn.tempered, is_listed=is_listed)
    return Block(logits[np.newaxis], listed.labels, row, Origin("logprob", labels_vary=True), partial=partial)
