"""The names and the shapes of the values in responses that describe tokens.

Names are accepted in snake case and in camel case.
"""

import contextlib
import functools
import math
import re
from decimal import Decimal
from typing import Any

from tsoft.input.json_values import Object, is_index

# The names of a token's text, of its log-probability, and of its alternatives. A text under one of the names after the
# first three may be longer than a token, unless the object has other fields of tokens.
TEXTS = ("token", "tok_str", "decoded_token", "text", "content", "str")
_TOKEN_TEXTS, _TOKEN_FIELDS = TEXTS[:3], ("id", "token_id", "special", "bytes")
NUMBERS = ("logprob", "log_probability", "log_prob", "likelihood", "raw_logprob")
ALTERNATIVES = (
    *("top_logprobs", "top_probs", "probs", "top_tokens", "top_candidates", "top_log_probs"),
    # LoRAX.
    "alternative_tokens",
)
# Words in other names of lists of alternatives, such as top_k_logprobs or logprobs_top8, and in those of drawn tokens.
_TOP = re.compile(r"(?:^|_)top(?=_|\d|k(?:_|\d|$)|log|prob|tok|$)|alternative|candidate")
_DRAWN = re.compile(r"chosen|drawn|sampled|selected")
_TEXT = re.compile(
    r"(?:tokens|content|refusal)$|prompt|input|prefill|completion_prob|token_likelihood|reasoning|thinking|thought"
)
# The names of the number of a position.
POSITIONS = ("position", "pos", "step", "token_index", "token_position")
# The names of a number or a text that tells the tokens of one answer from those of others, such as reply_index.
_ANSWER_NUMBER = re.compile(
    r"(?:answer|case|choice|completion|conversation|doc(?:ument)?|example|prompt|question|reply|request|response|run|"
    r"sample|sentence|trial|turn)(_(?:id|idx|index|no|num|number))?|(?:message|seq(?:uence)?)(_(?:id|idx|index))"
)
# Fields with texts that do not tell a token from those of another answer.
PLAIN_TEXTS = {
    *(*TEXTS, *_TOKEN_FIELDS, *NUMBERS, "prob", "type", "kind", "object", "event", "model", "role"),
    *("chosen", "drawn", "sampled", "selected"),
}
# The names of a token's id. mistral.rs uses that of the text.
_IDS = ("id", "token_id", "token")
# Objects that contain the drawn token next to its alternatives.
INNER_TOKENS = ("token", "generated_token")
# The names of a list of drawn tokens, and of the list of their alternatives, in one object.
PAIRS = (
    ("chosen_candidates", "top_candidates"),
    ("tokens", "top_tokens"),
    ("tokens", "top_logprobs"),
    ("output_token_logprobs", "output_top_logprobs"),
    ("input_token_logprobs", "input_top_logprobs"),
    # SGLang before 0.3.
    ("decode_token_logprobs", "decode_top_logprobs"),
    ("prefill_token_logprobs", "prefill_top_logprobs"),
)
# The positions' starts in vLLM's lists of all alternatives side by side: vllm/logprobs.py, FlatLogprobs.
FLAT = "start_indices"
# The names of the numbers of drawn tokens in a list next to the tokens.
NUMBER_LISTS = ("token_logprobs", "logprobs", "log_probs")
# The probabilities of a list of alternatives may exceed 1 by this much, since they are rounded.
_EXCESS = 1e-3
# What probabilities of hand-rounded logarithms may sum to.
_MOST_ROUNDED = 1.1
# Deeper values are not searched.
_DEEPEST = 40


# The names without underscores and in lower case, which some clients write with capitals.
_PLAIN_NAMES = {
    name.replace("_", ""): name
    for names in (TEXTS, NUMBERS, ALTERNATIVES, *PAIRS, ("id", "token_id", "index", "candidates", "choices", "message"))
    for name in names
}


def with_plain_names(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with the names of tokens in snake case, which Go and C# write with capitals; the value itself
    if it has no such name.

    >>> with_plain_names({"Token": "a", "LogProbability": -1}), with_plain_names({"Text": -1, "Token": -2})
    ({'token': 'a', 'log_probability': -1}, {'Text': -1, 'Token': -2})
    """
    if depth > _DEEPEST or not isinstance(value, dict | list):
        return value
    items = [*value.items()] if isinstance(value, dict) else [*enumerate(value)]
    # The names in an object of numbers are tokens.
    are_names = isinstance(value, dict) and not is_text_map(value)
    new = [(_plain_name(key) if are_names else key, with_plain_names(inner, depth + 1)) for key, inner in items]
    if all(name == key and inner is old for (name, inner), (key, old) in zip(new, items, strict=True)):
        return value
    return dict(new) if isinstance(value, dict) else [inner for _, inner in new]


def _plain_name(name: Any) -> Any:
    return _PLAIN_NAMES.get(name.replace("_", "").lower(), name) if name[:1].isupper() else name


def field(entry: Object, *names: str) -> Any:
    """Return the value of the first of these fields that is present and not null, in snake case or camel case.

    >>> field({"topLogprobs": [1]}, "probs", "top_logprobs")
    [1]
    """
    for name in names:
        value = entry.get(name)
        if value is None and "_" in name:
            value = entry.get(_camel(name))
        if value is not None:
            return value
    return None


def spelling_of(entry: Object, *names: str) -> str | None:
    """Return which of these fields an object has, as it is spelled."""
    for name in names:
        if name in entry:
            return name
        if "_" in name and _camel(name) in entry:
            return _camel(name)
    return None


def spellings(*names: str) -> frozenset[str]:
    """Return names in snake case and in camel case."""
    return frozenset(names) | frozenset(map(_camel, names))


@functools.cache
def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


@functools.cache
def _snake(name: str) -> str:
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def names_alternatives(name: str) -> bool:
    """Return whether a name is that of alternatives, by its words.

    >>> [names_alternatives(name) for name in ("topLogprobs", "logprobs_top8", "chosen_candidates", "topics")]
    [True, True, False, False]
    """
    plain = _snake(name)
    return plain in ALTERNATIVES or (_TOP.search(plain) is not None and not _DRAWN.search(plain))


def names_drawn_tokens(name: str) -> bool:
    """Return whether a name is that of the tokens of a text, by its words.

    >>> [names_drawn_tokens(name) for name in ("content", "generatedTokens", "top_tokens", "logprobs")]
    [True, True, False, False]
    """
    plain = _snake(name)
    return not names_alternatives(name) and (_TEXT.search(plain) or _DRAWN.search(plain)) is not None


def names_answer(name: str, value: object) -> bool:
    """Return whether a field of a token has the number or the id of an answer.

    >>> names_answer("questionId", "q1"), names_answer("sample", 0), names_answer("question", "Why?")
    (True, True, False)
    """
    match = _ANSWER_NUMBER.fullmatch(_snake(name))
    return match is not None and (is_index(value) or (match.lastindex is not None and isinstance(value, str)))


def are_tokens(value: object) -> bool:
    """Return whether a value is a list of objects with tokens.

    >>> are_tokens([{"token": "a", "logprob": -1}, None]), are_tokens([{"a": -1}])
    (True, False)
    """
    return isinstance(value, list) and any(map(is_token, value)) and all(not v or is_token(v) for v in value)


def is_token(value: object) -> bool:
    """Return whether a value is an object with a token, and its number or its alternatives."""
    if not isinstance(value, dict):
        return False
    inner = field(value, *INNER_TOKENS)
    if isinstance(inner, dict):
        return is_token(inner)
    if not isinstance(field(value, *TEXTS), str):
        return False
    ids = field(value, "token_ids")
    if isinstance(ids, list) and len(ids) > 1:
        # The text is that of several tokens.
        return False
    if _has_alternatives(value):
        return True
    if spelling_of(value, *NUMBERS, "prob") is None:
        return False
    if spelling_of(value, *_TOKEN_TEXTS) is not None:
        return True
    # Cohere's generations have an id and a mean next to their tokens.
    return spelling_of(value, *_TOKEN_FIELDS) is not None and not any(map(are_tokens, value.values()))


def number_in(entry: Object) -> Any:
    """Return the log-probability of a token, or the logarithm of its probability; None without a number."""
    number, prob = field(entry, *NUMBERS), entry.get("prob")
    if number is None and isinstance(prob, int | float) and prob >= 0:
        return math.log(prob) if prob else -math.inf
    if isinstance(number, str):
        with contextlib.suppress(ValueError):
            return float(number)
    return number


def other_text(entry: object) -> str | None:
    """Return the first field of an object with a text that no token has, such as a question; None without one."""
    if not isinstance(entry, dict):
        return None
    texts = (name for name, value in entry.items() if isinstance(value, str) and value and name not in PLAIN_TEXTS)
    return next((name for name in texts if not names_answer(name, entry[name])), None)


def alternatives_name(entry: Object) -> str | None:
    """Return the name of the field with the alternatives of a token, as it is spelled; None if there is none. Under an
    unknown name, they are a list of tokens, or an object of numbers with the token's text, in a token with a number.

    >>> alternatives_name({"token": "a", "logprob": -0.5, "others": [{"token": "b", "logprob": -1.5}]})
    'others'
    """
    for name in ALTERNATIVES:
        spelling = spelling_of(entry, name)
        if spelling is not None and entry[spelling] is not None:
            return spelling
    if not _is_numbered(entry):
        return None
    text = field(entry, *_TOKEN_TEXTS)
    return next((name for name, value in entry.items() if _may_have_alternatives(value, text)), None)


def _is_numbered(entry: Object) -> bool:
    """Return whether an object has the text of a token and its number."""
    return spelling_of(entry, *_TOKEN_TEXTS) is not None and spelling_of(entry, *NUMBERS, "prob") is not None


def _may_have_alternatives(value: object, text: object) -> bool:
    """Return whether a field of a token contains tokens, or numbers by text, of which one is that of the token."""
    if isinstance(value, dict):
        return isinstance(text, str) and text in value and is_text_map(value)
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and _is_numbered(value[0])


def _has_alternatives(entry: Object) -> bool:
    """Return whether an object has a list of alternatives, and not the probabilities of classes or the alternatives of
    several tokens."""
    name = alternatives_name(entry)
    tops = entry.get(name or "")
    if isinstance(tops, dict):
        return name not in ("probs", "top_probs")
    if not isinstance(tops, list):
        return False
    first = tops[0] if tops else {}
    if isinstance(first, dict):
        return len(tops) < 2 or not (is_text_map(first) or is_id_map(first))
    return isinstance(first, list) and not any(isinstance(value, dict | list) for value in first)


def is_id_map(value: object) -> bool:
    """Return whether a value is {id: {logprob, …}}, some of which may be null.

    >>> is_id_map({"6": {"logprob": -1.5}, "7": None}), is_id_map({"6": None})
    (True, False)
    """
    return (
        isinstance(value, dict)
        and all(_is_null(token) or (isinstance(token, dict) and "logprob" in token) for token in value.values())
        and not is_absent(value)
        and all(map(str.isdecimal, value))
    )


def present(tokens: Object) -> Object:
    """Return a map of objects without the keys whose value is null, or an object of nulls: Arrow writes the keys of all
    maps in a column into each of them. In a map of numbers, a null may be -inf.

    >>> present({"6": {"logprob": -1.5}, "7": None}), present({"6": -1.5, "7": None})
    ({'6': {'logprob': -1.5}}, {'6': -1.5, '7': None})
    """
    if not any(isinstance(value, dict) for value in tokens.values()):
        return tokens
    return {key: value for key, value in tokens.items() if not _is_null(value)}


def is_absent(value: object) -> bool:
    """Return whether a value is null, or a map without any token."""
    return value is None or (isinstance(value, dict) and all(map(_is_null, value.values())))


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, dict) and all(inner is None for inner in value.values()))


def are_number_maps(values: list[Any], ids: object) -> bool:
    """Return whether values are maps {id: number}, some of which contain the drawn token with its id.

    Without its id, a name such as "7" may be the text of a token.

    >>> are_number_maps([{"6": -1.5, "7": -0.5}], [6]), are_number_maps([{"6": -1.5, "7": -0.5}], [22])
    (True, False)
    """
    if not isinstance(ids, list) or len(ids) != len(values):
        return False
    maps = [(token_id, value) for token_id, value in zip(ids, values, strict=True) if value]
    are_maps = all(
        isinstance(value, dict) and is_text_map(value) and all(map(str.isdecimal, value)) for _, value in maps
    )
    return are_maps and any(value.get(str(token_id)) is not None for token_id, value in maps)


def is_numbered_piece(value: Object) -> bool:
    """Return whether an object is a piece of a stream whose log-probability is one number: Together,
    together-python, types/chat_completions.py, ChatCompletionChoicesChunk."""
    delta, number = value.get("delta"), value.get("logprobs")
    has_text = isinstance(delta, dict) and isinstance(delta.get("content"), str)
    return has_text and isinstance(number, int | float) and not isinstance(number, bool)


def is_numbers(value: object) -> bool:
    """Return whether a value is an array of numbers, some of which may be null."""
    return isinstance(value, list) and all(v is None or isinstance(v, int | float) for v in value)


def may_be_tokens(values: list[Any]) -> bool:
    """Return whether an array is not one of numbers or strings. Its first element decides, since rows are long."""
    return bool(values) and not isinstance(values[0], int | float | str)


def are_alternatives(entries: Any) -> bool:
    """Return whether a value is a list of tokens that have no alternatives themselves."""
    return are_tokens(entries) and not any(alternatives_name(entry) for entry in entries if entry)


def are_at_most_certain(numbers: list[Any]) -> bool:
    """Return whether numbers may be the log-probabilities of different tokens at one position, except for rounding.

    >>> are_at_most_certain([-1.5, -0.5]), are_at_most_certain([-0.5, -0.5])
    (True, False)
    >>> are_at_most_certain([-1.4, -0.3, -4]), are_at_most_certain([-1.4000, -0.3001, -4])
    (True, False)
    """
    if not all(isinstance(number, int | float) and number < _EXCESS for number in numbers):
        return False
    total = sum(map(math.exp, numbers))
    return total < 1 + _EXCESS or (total < _MOST_ROUNDED and total < math.exp(_rounding(numbers)))


def _rounding(numbers: list[float]) -> float:
    """Return by how much rounding may have changed numbers: half a unit of the last decimal that any of them has."""
    exponents = (Decimal(str(number)).as_tuple().exponent for number in numbers if math.isfinite(number))
    return 0.5 * 10.0 ** min((exponent for exponent in exponents if isinstance(exponent, int)), default=0)


def may_be_alternatives(entries: object) -> bool:
    """Return whether a value is a list of tokens that may be the alternatives of one position, in any order: no token
    is there twice, their probabilities sum to at most 1, and their ranks and their positions do not contradict it."""
    if not isinstance(entries, list) or not are_alternatives(entries):
        return False
    tokens = [entry for entry in entries if entry]
    texts = {repr((field(entry, *TEXTS), field(entry, *_IDS))) for entry in tokens}
    ranks = [rank for entry in tokens if is_index(rank := entry.get("rank"))]
    positions = {position for entry in tokens if is_index(position := field(entry, *POSITIONS))}
    are_different = len(texts) == len(tokens) and len({*ranks}) == len(ranks) and len(positions) < 2
    return are_different and are_at_most_certain([number_in(entry) for entry in tokens])


def may_be_positions(lists: list[Any]) -> bool:
    """Return whether values are lists of tokens that may be the alternatives of successive positions, and not all have
    only one token."""
    present = [entries for entries in lists if entries]
    return all(map(may_be_alternatives, present)) and any(len(entries) > 1 for entries in present)


def are_paired(drawn: object, tops: object) -> bool:
    """Return whether a value is a list of drawn tokens whose alternatives are in another list, if there are any. Some
    tokens may have no number: Go leaves out a log-probability of 0.

    >>> are_paired([{"token": "a"}, {"token": "b", "logprob": -1}], [])
    True
    """
    if not isinstance(drawn, list) or not drawn:
        return False
    if all(isinstance(entry, list) for entry in drawn):
        return all(2 <= len(entry) <= 3 and is_index(entry[1]) for entry in drawn)
    if not isinstance(tops, list | dict) or not all(isinstance(entry, dict | None) for entry in drawn):
        return False
    return any(spelling_of(entry or {}, *NUMBERS) for entry in drawn) or any(map(has_tokens_of_one_position, tops))


def has_tokens_of_one_position(value: object) -> bool:
    """Return whether a value contains the alternatives of one token, some of which may have no number."""
    if isinstance(value, dict) and isinstance(value.get("candidates"), list):
        value = value["candidates"]
    if isinstance(value, list):
        are_objects = any(map(is_token, value)) and all(not entry or isinstance(entry, dict) for entry in value)
        return are_objects or (bool(value) and all(map(is_listed_token, value)))
    return isinstance(value, dict) and (is_id_map(value) or is_text_map(value))


def is_listed_token(value: object) -> bool:
    """Return whether a value is SGLang's token [log-probability, id, text], whose text may be null or missing.

    >>> is_listed_token([-0.5, 7, None]), is_listed_token([0.5, 7])
    (True, False)
    """
    if not isinstance(value, list) or not 2 <= len(value) <= 3 or not is_index(value[1]):
        return False
    number = value[0]
    is_number = number is None or (isinstance(number, int | float) and number < _EXCESS)
    return is_number and all(text is None or isinstance(text, str) for text in value[2:])


def is_whole_listed_token(value: object) -> bool:
    """Return whether a value is SGLang's token with a text, which may be null, and so no row of numbers."""
    return is_listed_token(value) and isinstance(value, list) and len(value) == 3


def are_positions_of_listed_tokens(lists: list[Any]) -> bool:
    """Return whether lists of SGLang's tokens may be the alternatives of successive tokens, and not answers: no list
    has a token twice, or sums to more than 1."""
    if not all(isinstance(entries, list) and all(map(is_whole_listed_token, entries)) for entries in lists):
        return False
    are_different = all(len({token_id for _, token_id, _ in entries}) == len(entries) for entries in lists)
    return are_different and all(are_at_most_certain([number for number, *_ in entries]) for entries in lists)


def are_maps_of_prompt(values: list[Any]) -> bool:
    """Return whether values are the maps {id: number} of a prompt, whose first token has none: vLLM before 0.4.

    >>> are_maps_of_prompt([None, {"5": -0.5}]), are_maps_of_prompt([{"5": -0.5}])
    (True, False)
    """
    if len(values) < 2 or values[0] is not None:
        return False
    return all(may_be_map_of_alternatives(value) and all(map(str.isdecimal, value)) for value in values[1:])


def may_be_map_of_alternatives(value: object) -> bool:
    """Return whether a value is {text: number} with the numbers of one position.

    >>> may_be_map_of_alternatives({"a": -0.5, "b": -1.5}), may_be_map_of_alternatives({"a": -0.25, "b": -0.5})
    (True, False)
    """
    numbers = [*value.values()] if isinstance(value, dict) and is_text_map(value) else []
    known = [number for number in numbers if number is not None]
    return bool(known) and are_at_most_certain(known)


def is_text_map(entry: Object) -> bool:
    """Return whether an object is {text: number}, and not a token that has an id but no text.

    >>> is_text_map({"id": -0.5, "logprob": -1.5}), is_text_map({"id": 7, "logprob": -1.5})
    (True, False)
    """
    is_token_without_text = spelling_of(entry, *NUMBERS) is not None and is_index(field(entry, *_IDS))
    return not is_token_without_text and all(
        value is None or isinstance(value, int | float) for value in entry.values()
    )
