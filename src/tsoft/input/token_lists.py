"""The shapes of the token lists in responses, whatever the product: from JSON to drawn tokens.

A token list describes the tokens at successive positions. Its shape is one of:

- objects, each with a token, its number and perhaps its alternatives: OpenAI's chat completions and their like,
  llama.cpp, Ollama, MLX LM, mistral.rs, Text Generation Inference, LoRAX, AI21, watsonx;
- lists side by side in one object, of drawn tokens, numbers and alternatives: OpenAI's legacy completions and their
  like, Together, Gemini (chosenCandidates and topCandidates), Text Generation Inference (tokens and top_tokens),
  SGLang (output_token_logprobs and output_top_logprobs, whose tokens are [logprob, id, text]);
- lists of alternatives alone: text-generation-webui, the program llm, LlamaIndex, and scripts, which may give them any
  name, so that they may also be drawn tokens;
- maps {id: {logprob, decoded_token}}: vLLM's engine and its prompt_logprobs; with the ids of the drawn tokens next to
  them, also maps {id: logprob}: LMDeploy, early vLLM;
- pieces of text with several numbers each: Cohere.

Names are accepted in snake case and in camel case. The formats are documented in:

- platform.openai.com/docs/api-reference: chat completions, legacy completions, the Responses API;
- ai.google.dev/api/generate-content, "LogprobsResult"; docs.cohere.com/reference/chat; docs.ollama.com/api;
- docs.vllm.ai, "OpenAI-Compatible Server"; docs.sglang.ai, "Native APIs";
- github.com: ggml-org/llama.cpp, tools/server/README.md; huggingface/text-generation-inference, router/src/lib.rs;
  oobabooga/text-generation-webui, modules/api/completions.py; ml-explore/mlx-lm, mlx_lm/server.py;
  run-llama/llama_index, llama_index/llms/openai/utils.py, from_openai_token_logprobs.
"""

import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tsoft.input.api_tokens import UNKNOWN, ApiToken, DrawnToken, bytes_of, label_of, log_of_prob, logprob_of
from tsoft.input.json_values import Location, Object, as_list, as_object, is_index
from tsoft.input.quantity import ARRAY_QUANTITIES
from tsoft.input.token_groups import positions_in
from tsoft.input.token_ids import drawn_ids, is_text_piece, numbers_name, tops_beside
from tsoft.input.token_shapes import (
    ALTERNATIVES,
    FLAT,
    INNER_TOKENS,
    NUMBER_LISTS,
    NUMBERS,
    PAIRS,
    TEXTS,
    alternatives_name,
    are_alternatives,
    are_maps_of_prompt,
    are_number_maps,
    are_paired,
    are_positions_of_listed_tokens,
    are_tokens,
    field,
    has_tokens_of_one_position,
    is_absent,
    is_id_map,
    is_numbered_piece,
    is_text_map,
    is_token,
    is_whole_listed_token,
    may_be_alternatives,
    may_be_map_of_alternatives,
    may_be_tokens,
    names_alternatives,
    names_drawn_tokens,
    number_in,
    present,
    spelling_of,
    spellings,
)

_FIRST_KEY = "the response does not mark the drawn token; tsoft takes the first one of each position, as vLLM lists it"
_FILLED_KEY = (
    "the response does not mark the drawn token; tsoft takes the first one of each position, but the program that "
    "wrote nulls into the maps may have changed their order; add the ids of the drawn tokens as token_ids"
)
_WITHOUT_NUMBER = (
    "some tokens have no log-probability, so tsoft treats it as unknown; if a Go program, which leaves out 0, wrote"
    " the file, add the 0"
)
_ECHO = "the first token has no log-probability, so it gets no row; the list may start with the prompt"
_TEXT = "tsoft reads the log-probabilities as those of successive tokens; for one distribution, call the tokens labels"
_FIRST_OF_TOP = "each token is the first of its alternatives, as MLX LM lists them, and may not be the drawn one"
_ONE_POSITION = (
    "tsoft reads each list of tokens as the alternatives of one token, and takes the most probable one as drawn"
)
_IF_TEXT = '; if a list has the tokens of a text, write it as {"content": […]}'
_SUCCESSIVE = (
    "tsoft reads the list as the tokens of a text; if they are the alternatives of one token, write "
    '{"output_top_logprobs": [[…]]}'
)
_ONCE = "the list of tokens has each token once; tsoft takes the alternatives that make up the text as the drawn tokens"
_SPELLED = "the text in {!r} shows which tokens were drawn"
_TRIMMED = "several alternatives are the text in {!r} except for whitespace; tsoft takes the most probable of them"
_MOST_PROBABLE = "the response does not contain the drawn token; tsoft takes the most probable one"


# Fields with a right answer, or with the texts to choose from, which may be tokens that were not drawn.
_OTHER_TEXT = re.compile(
    "target|label|gold|truth|true|correct|right|expect|reference|answer|class|prompt|question|input|choice|option",
    re.IGNORECASE,
)
# Fields with log-probabilities under other names, such as first_token_logprobs, and means or sums over several tokens.
_LOGPROBS = re.compile("log_?probs?(?!.*ids)", re.IGNORECASE)
_SUMMARY = re.compile("mean|average|avg|sum|total|prompt|input", re.IGNORECASE)
# The known names of an object with the alternatives of one token.
MAPS = spellings("top_logprobs", *NUMBER_LISTS)
# Fields with an answer, which may be one token. Another field may have the same text as one of the alternatives.
_ANSWER_TEXT = re.compile(
    "output|completion|generat|response|content|pred|(?<!con)text|chosen|drawn|sampled|selected", re.IGNORECASE
)


def _nothing() -> None:
    """Return no note."""


@dataclass(frozen=True)
class TokenList:
    """A list of tokens. `tokens` reads them as far as requested, and `guess` returns a note on an assumption about
    them, if there is one. `value` is the JSON value that contains them. `is_undrawn` is true if it has only their
    alternatives. `as_text` is the other reading of a list that may be the tokens of a text."""

    value: object
    tokens: Callable[[], Iterator[DrawnToken]]
    guess: Callable[[], str | None] = _nothing
    is_undrawn: bool = False
    as_text: "TokenList | None" = None


# The fields with tokens that `record_tokens` reads.
COVERED = spellings(*itertools.chain(*PAIRS), *ALTERNATIVES, *INNER_TOKENS, "top_logprobs_ids")


def is_token_list(value: object) -> bool:
    """Return whether a value is a list of tokens of a known shape."""
    return isinstance(value, list) and array_tokens(value, Location("")) is not None


def are_token_lists(values: list[Any]) -> bool:
    """Return whether values are several lists of tokens."""
    return len(values) > 1 and all(map(is_token_list, values))


def separate_lists(lists: list[Any], name: str) -> str:
    """Return the note on lists of tokens that tsoft reads as different answers. `name` is their field."""
    fix = "if they are parts of one answer, join them to one array"
    return f"tsoft reads the {len(lists)} lists of tokens in {name} as {len(lists)} answers; {fix}"


def array_tokens(
    values: list[Any],
    location: Location,
    name: str = "",
    *,
    ids: object = None,
    text: str | None = None,
    record: Object | None = None,
) -> TokenList | None:
    """Return the tokens of an array; None if it is not a token list of a known shape.

    name: the field of the array. ids: the ids of the drawn tokens, and text: the text that they make up, if known.
    record: the object with the array, which may have the text under another name.
    """
    entries = [value for value in values if value and not is_absent(value)] if may_be_tokens(values) else []
    if not entries:
        return None
    if are_alternatives(entries):
        return _plain_list(values, location, name, ids, text, record)
    if all(isinstance(entry, list) and are_alternatives(entry) for entry in entries):
        return _plain_lists(values, location, name, ids, text, record)
    if all(map(is_text_piece, entries)):
        return TokenList(values, lambda: _pieces(values, location))
    if all(map(is_id_map, entries)) or are_number_maps(values, ids) or (ids is None and are_maps_of_prompt(values)):
        return _id_maps(values, ids, location)
    if all(map(is_whole_listed_token, entries)):
        return _listed_tokens(values, location, name)
    if not name and are_positions_of_listed_tokens(entries) and any(len(tokens) > 1 for tokens in entries):
        return _without_drawn(values, values, text, location, record)
    if all(isinstance(entry, dict) and entry.keys() == {"logprobs_by_token"} for entry in entries):
        # Llama Stack, llama_stack/apis/inference/inference.py, TokenLogProbs.
        return _without_drawn(
            values, [value and value["logprobs_by_token"] for value in values], text, location, record
        )
    are_maps = all(isinstance(entry, dict) and is_text_map(entry) for entry in entries)
    if name in NUMBER_LISTS and are_maps:
        return _without_drawn(values, values, text, location, record)
    if are_tokens(values):
        return object_tokens(values, location)
    if positions := positions_in(values):
        drawn = "".join(position.text for position in positions) or text
        return _without_drawn(values, [position.alternatives for position in positions], drawn, location, record)
    return None


def _listed_tokens(values: list[Any], location: Location, name: str) -> TokenList:
    """Return the tokens of SGLang's list of [logprob, id, text]. Without a name, these may be one token's
    alternatives."""

    def tokens() -> Iterator[DrawnToken]:
        for i, value in enumerate(values):
            inner = location.at(f"token {i}")
            yield DrawnToken(inner, ApiToken("", None) if value is None else api_token(value, inner), [])

    guess = _SUCCESSIVE if not name and len(values) > 1 and are_positions_of_listed_tokens([values]) else None
    return TokenList(values, tokens, lambda: guess)


def record_tokens(record: Object, location: Location, text: str | None, ids: object = None) -> dict[str, TokenList]:
    """Return the token lists that an object itself makes up, by name; empty if it has none. COVERED are their fields.

    text: the text that the tokens make up, and ids: the ids that an outer object has for them, if known.
    """
    if is_text_piece(record):
        # Other names, such as completion_ids, say that the tokens are those of a text.
        guess = _TEXT if field(record, "token_ids") and not isinstance(record.get("text"), str) else None
        return {"": TokenList(record, lambda: _piece_tokens(record, location), lambda: guess)}
    if is_id_map(record):
        return {"": _id_maps([record], None, location)}
    if is_token(record):
        return {"": TokenList(record, lambda: iter([_drawn_token(record, location)]))}
    if is_numbered_piece(record):
        return {"": TokenList(record, lambda: iter([_drawn_token(_of_piece(record), location)]))}
    return _side_by_side(record, location, text, ids)


def _of_piece(record: Object) -> Object:
    """Return the token of a piece of a stream that has one number."""
    delta = record["delta"]
    return {"token": delta["content"], "id": delta.get("token_id"), "logprob": record["logprobs"]}


# Objects


def object_tokens(values: list[Any], location: Location) -> TokenList:
    """Return the tokens of a list of objects."""

    def tokens() -> Iterator[DrawnToken]:
        for i, value in enumerate(values):
            yield _drawn_token(value, location.at(_token_name(i, value)))

    return TokenList(values, tokens, lambda: _FIRST_OF_TOP if all(map(_is_first_of_top, values)) else None)


def _is_first_of_top(entry: object) -> bool:
    """Return whether an object is a copy of its first alternative, as MLX LM writes it. Others write bytes, too."""
    if not isinstance(entry, dict) or entry.keys() != {"id", "token", "logprob", "top_logprobs"}:
        return False
    tops = entry["top_logprobs"]
    return isinstance(tops, list) and tops[:1] == [{name: entry[name] for name in ("id", "token", "logprob")}]


def _drawn_token(value: object, location: Location) -> DrawnToken:
    """Return a token and its alternatives. The number's name distinguishes log-probabilities from probabilities after
    the samplers."""
    entry = {} if value is None else as_object(value, location)
    if not entry:
        # MLX LM writes {} for a token without alternatives. A null says as little about its token.
        return DrawnToken(location, ApiToken("", None), [])
    inner = field(entry, *INNER_TOKENS)
    inner = inner if isinstance(inner, dict) else entry
    if "probs" in entry and "token" not in entry:
        # llama.cpp before 2025 does not write a number for the drawn token.
        token = ApiToken(label_of(entry.get("content"), None, location.at("content")), None)
    else:
        token = api_token(inner, location)
    name = alternatives_name(entry)
    alternatives, keyed_by_text = _alternatives(entry[name], location.at(name)) if name else ([], False)
    tempered = name in ("top_probs", "probs") or spelling_of(inner, *NUMBERS, "prob") == "prob"
    return DrawnToken(location, token, alternatives, tempered, keyed_by_text)


def api_token(value: object, location: Location) -> ApiToken:
    """Return the token in an object or in a list [logprob, id, text]."""
    if isinstance(value, list):
        return _listed_token(value, location)
    entry = as_object(value, location)
    name = spelling_of(entry, *NUMBERS, "prob")
    number = entry.get(name) if name else None
    convert = log_of_prob if name == "prob" else logprob_of
    logprob = convert(number, location.at(name or "logprob"))
    token_id = field(entry, "id", "token_id")
    text_name = spelling_of(entry, *TEXTS) or "token"
    text, data = entry.get(text_name), entry.get("bytes")
    if is_index(text) and isinstance(data, str | None):
        # mistral.rs writes an alternative's id as the token, and its text as the bytes.
        token_id, text, data = text, data, None
    if text is None and is_index(token_id):
        text = f"#{token_id}"
    data = bytes_of(data, text, location.at(text_name, "bytes"))
    return ApiToken(label_of(text, data, location.at(text_name)), logprob, token_id, data)


def _listed_token(value: list[Any], location: Location) -> ApiToken:
    """Return SGLang's token [logprob, id, text], whose text may be null or missing."""
    if not 2 <= len(value) <= 3 or not is_index(value[1]):
        raise location.error("expected [logprob, id, text]")
    logprob = logprob_of(value[0], location)
    text = value[2] if len(value) == 3 else None
    return ApiToken(f"#{value[1]}" if text is None else label_of(text, None, location), logprob, value[1])


def _alternatives(value: object, location: Location, *, by_id: bool = False) -> tuple[list[ApiToken], bool]:
    """Return the alternatives of a token, and whether they are the names of an object. With `by_id`, the names are
    ids."""
    if value is None:
        return [], False
    if isinstance(value, dict) and isinstance(value.get("candidates"), list):
        return _alternatives(value["candidates"], location)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and is_text_map(value[0]):
        # What the program llm saves.
        value = value[0]
    if isinstance(value, list):
        return [api_token(v, _at_index(location, i)) for i, v in enumerate(value)], False
    entry = as_object(value, location)
    if by_id or is_id_map(entry):
        return [_mapped_token(key, token, location) for key, token in present(entry).items()], False
    return [_keyed_token(key, number, location) for key, number in entry.items()], True


def _at_index(location: Location, i: int) -> Location:
    *parts, last = location.parts
    return Location(location.source, (*parts, f"{last}[{i}]"))


def _keyed_token(text: str, number: object, location: Location) -> ApiToken:
    *parts, last = location.parts
    inner = Location(location.source, (*parts, f"{last}[{text!r}]"))
    return ApiToken(label_of(text, None, inner), logprob_of(number, inner))


# Lists side by side


def _side_by_side(record: Object, location: Location, text: str | None, ids: object) -> dict[str, TokenList]:
    pairs: dict[str, TokenList] = {}
    for drawn_name, top_name in PAIRS:
        if top_name == "top_logprobs":
            top_name = name_of_tops(record)
        drawn, tops = field(record, drawn_name), field(record, top_name)
        if are_paired(drawn, tops):
            pairs[drawn_name] = _paired(record, drawn, tops, spelling_of(record, top_name) or top_name, location)
    pairs = pairs or _paired_with_tops(record, location)
    if pairs:
        return pairs
    tokens, tops = field(record, "tokens"), field(record, name_of_tops(record))
    if isinstance(tokens, list) and not any(isinstance(token, dict | list) for token in tokens):
        numbers = numbers_name(record) or "token_logprobs"
        if (spelled := _spelled(record, tokens, tops, text, location)) is not None:
            return {"top_logprobs": spelled}
        if field(record, numbers) is not None or isinstance(tops, list):
            return {"tokens": _legacy_list(record, tokens, numbers, location)}
    if (drawn := _drawn_beside(record, ids)) is not None:
        return {"tokens": _legacy_list(record, drawn, numbers_name(record), location)}
    if (named := tops_beside(record)) is not None:
        return {named[0]: _without_drawn(record, named[1], text, location, record)}
    if (name := _name_of_map(record)) is not None:
        return {name: _one_position(record, name, drawn_ids(record) or ids, text, location)}
    return {}


def name_of_tops(record: Object) -> str:
    """Return the name of a list with the alternatives of each token beside other lists, such as top_5_logprobs."""
    if field(record, "top_logprobs") is not None:
        return "top_logprobs"
    lists = ((name, value) for name, value in record.items() if isinstance(value, list) and names_alternatives(name))
    return next((name for name, value in lists if any(map(has_tokens_of_one_position, value))), "top_logprobs")


def _paired_with_tops(record: Object, location: Location) -> dict[str, TokenList]:
    """Return the only list of drawn tokens, whatever its name, that is as long as a list of alternatives beside it."""
    top_name = name_of_tops(record)
    tops = field(record, top_name)
    if not isinstance(tops, list) or not any(map(has_tokens_of_one_position, tops)):
        return {}
    lists = {name: value for name, value in record.items() if not names_alternatives(name) and are_alternatives(value)}
    names = [name for name, value in lists.items() if len(value) == len(tops)]
    if len(names) != 1:
        return {}
    spelling = spelling_of(record, top_name) or top_name
    return {name: _paired(record, lists[name], tops, spelling, location) for name in names}


def _name_of_map(record: Object) -> str | None:
    """Return the name of the object {text: number} with the alternatives of one token; None without one. Under an
    unknown name, it must be the only such object with several alternatives."""
    maps = [name for name, value in record.items() if _LOGPROBS.search(name) and may_be_map_of_alternatives(value)]
    known = [name for name in maps if name in MAPS]
    others = [name for name in maps if len(record[name]) > 1 and not _SUMMARY.search(name)]
    return known[0] if known else others[0] if len(others) == 1 else None


def _one_position(record: Object, name: str, ids: object, text: str | None, location: Location) -> TokenList:
    """Return the token whose alternatives are in an object under this name. Of several ids, it has the first one."""
    tops, first = record[name], ids[:1] if isinstance(ids, list) else []
    has_id = are_number_maps([tops], first)
    found = _id_maps([tops], first, location) if has_id else _without_drawn(record, [tops], text, location, record)
    is_first = isinstance(ids, list) and len(ids) > 1 and has_id and "first" not in name
    problem = f"tsoft reads {name!r} as the alternatives of {'the first' if is_first else 'one'} token"
    notes = [problem] if is_first or name not in MAPS else []
    return replace(found, value=record, guess=lambda: "; ".join(filter(None, [*notes, found.guess()])) or None)


def _paired(record: Object, drawn: list[Any], tops: object, top_name: str, location: Location) -> TokenList:
    """Return the tokens of a list of drawn tokens and a list of alternatives."""
    top_list = as_list([] if tops is None else tops, location.at(top_name))
    by_id = are_number_maps(top_list, [_id_of(entry) for entry in drawn])

    def tokens() -> Iterator[DrawnToken]:
        if top_list and len(top_list) != len(drawn):
            counts = f"expected one entry per token, {len(drawn)} in all, got {len(top_list)}"
            raise location.at(top_name).error(counts)
        for i, (value, top) in enumerate(itertools.zip_longest(drawn, top_list)):
            inner = location.at(_token_name(i, value))
            alternatives, keyed_by_text = _alternatives(top, inner.at(top_name), by_id=by_id)
            token = ApiToken("", None) if value is None else api_token(value, inner)
            yield DrawnToken(inner, token, alternatives, keyed_by_text=keyed_by_text)

    has_gaps = any(isinstance(entry, dict) and spelling_of(entry, *NUMBERS) is None for entry in drawn)
    return TokenList(record, tokens, lambda: _WITHOUT_NUMBER if has_gaps else None)


def _id_of(entry: object) -> object:
    """Return the id of a token in an object or in SGLang's list [logprob, id, text]."""
    if isinstance(entry, dict):
        return field(entry, "id", "token_id")
    return entry[1] if isinstance(entry, list) and len(entry) > 1 else None


def _spelled(record: Object, tokens: list[Any], tops: object, text: str | None, location: Location) -> TokenList | None:
    """Return the tokens of a text, if only one choice of alternatives makes it up, from lists that have each token
    once, as TabbyAPI writes them (endpoints/OAI/utils/completion.py); None for other lists."""
    if not isinstance(tops, list) or len(tops) <= len(tokens) or not all(map(has_tokens_of_one_position, tops)):
        return None
    spelled = _without_drawn(record, tops, text, location)
    return replace(spelled, guess=lambda: _ONCE) if spelled.guess() is None else None


def _drawn_beside(record: Object, ids: object) -> list[Any] | None:
    """Return the ids of the drawn tokens in an object whose numbers, or whose alternatives with ids, are next to them;
    nulls if only the numbers show which alternatives were drawn; None for any other object.

    ids: those in an outer object.
    """
    known, name, named = drawn_ids(record) or ids, numbers_name(record), tops_beside(record)
    tops = named[1] if named else []
    if FLAT in record:
        return None
    if isinstance(known, list) and all(map(is_index, known)):
        return known if name or are_number_maps(tops, known) or any(map(_has_id, tops)) else None
    if name is None or not tops or len(tops) != len(record[name]):
        return None
    listed = [[token for token in map(_token_of_number, _numbers_of(top)) if token] for top in tops]
    numbers = map(_token_of_number, record[name])
    are_listed = [number and _same_number(number.number, top) for number, top in zip(numbers, listed, strict=True)]
    return [None] * len(tops) if all(are_listed) else None


def _has_id(top: object) -> bool:
    """Return whether an alternative of one position has an id."""
    return is_id_map(top) or any(is_index(_id_of(entry)) for entry in _entries(top))


def _numbers_of(top: object) -> list[Any]:
    """Return the numbers of the alternatives of one position as they are written."""
    if isinstance(top, dict) and not isinstance(top.get("candidates"), list):
        return [value.get("logprob") if isinstance(value, dict) else value for value in top.values()]
    return [number_in(entry) if isinstance(entry, dict) else next(iter(entry or []), None) for entry in _entries(top)]


def _entries(top: Any) -> list[Any]:
    """Return the alternatives of one position that are in an array."""
    entries = top.get("candidates") if isinstance(top, dict) else top
    return entries if isinstance(entries, list) else []


def _token_of_number(number: object) -> ApiToken | None:
    return ApiToken("", number) if isinstance(number, int | float) else None


def _same_number(number: float | None, tokens: list[ApiToken]) -> ApiToken | None:
    """Return the first token with a number, except for rounding; None without one."""
    if number is None or number <= UNKNOWN:
        return None
    same = (token for token in tokens if token.number is not None and token.agrees(ApiToken("", number)))
    return next(same, None)


def _legacy_list(record: Object, tokens: list[Any], numbers: str | None, location: Location) -> TokenList:
    values = field(record, numbers) if numbers else None
    is_echoed = isinstance(values, list) and len(values) > 1 and values[0] is None and values[1] is not None
    may_be_row = numbers in ARRAY_QUANTITIES and tops_beside(record) is None
    guess = _ECHO if is_echoed else _TEXT if may_be_row else None
    return TokenList(record, lambda: _legacy_tokens(record, tokens, numbers, location), lambda: guess)


def _legacy_tokens(record: Object, names: list[Any], numbers: str | None, location: Location) -> Iterator[DrawnToken]:
    """Yield the tokens of legacy completions, which have a list of tokens, one of numbers and one of alternatives. The
    first token of an echoed prompt has no number.

    names: the texts of the tokens, or their ids, as MLX LM and others write them; null if only the numbers show which
    alternatives were drawn.
    """
    unknown: list[Any] = [None] * len(names)
    top_name, tops = tops_beside(record) or (name_of_tops(record), field(record, name_of_tops(record)))
    lists = {numbers or "": field(record, numbers) if numbers else unknown, top_name: tops}
    for name, values in lists.items():
        values = as_list(unknown if values is None else values, location.at(name))
        if len(values) != len(names) and (values or name == numbers):
            counts = f"expected one entry per token, {len(names)} in all, got {len(values)}"
            raise location.at(name).error(counts)
        lists[name] = values or unknown
    ids = names if any(map(is_index, names)) else drawn_ids(record)
    ids = ids if isinstance(ids, list) and len(ids) == len(names) else unknown
    have_ids_as_keys = are_number_maps(lists[top_name], ids)
    for i, (name, token_id, number, top) in enumerate(zip(names, ids, *lists.values(), strict=True)):
        inner = location.at(_token_name(i, name))
        label = f"#{name}" if is_index(name) else "" if name is None else label_of(name, None, inner.at("tokens"))
        token = ApiToken(label, logprob_of(number, inner.at(numbers or "")), token_id)
        alternatives, keyed_by_text = _alternatives(top, inner.at(top_name), by_id=have_ids_as_keys)
        if i == 0 and all(token.number is None for token in (token, *alternatives)):
            continue
        yield DrawnToken(inner, _with_text(token, alternatives), alternatives, keyed_by_text=keyed_by_text)


def _with_text(token: ApiToken, alternatives: list[ApiToken]) -> ApiToken:
    """Return a drawn token with the text of the alternative with the same id or, if the alternatives have no ids, with
    the same number."""
    if token.label not in ("", f"#{token.id}"):
        return token
    same = next((other for other in alternatives if other.id is not None and other.id == token.id), None)
    same = same or _same_number(token.number, [other for other in alternatives if other.id is None or token.id is None])
    return token if same is None else replace(token, label=same.label, data=same.data)


def _plain_list(
    values: list[Any], location: Location, name: str, ids: object, text: str | None, record: Object | None
) -> TokenList:
    """Return the tokens of a list whose tokens have no alternatives: those of a text, or the alternatives of one token.
    The name of the field, the numbers, ids or a text decide; else it is a guess."""
    as_text = object_tokens(values, location)
    if not names_alternatives(name):
        # Only successive tokens may have gaps.
        is_text = names_drawn_tokens(name) or len(values) < 2 or not all(values)
        if is_text or not may_be_alternatives(values) or make_up_text(values, text, record):
            return as_text
    if names_alternatives(name) or _spell([values], ids, text, record):
        return _without_drawn(values, [values], text, location, record, ids=ids)
    return replace(_without_drawn(values, [values], text, location, record, doubt=_IF_TEXT), as_text=as_text)


def _plain_lists(
    lists: list[Any], location: Location, name: str, ids: object, text: str | None, record: Object | None
) -> TokenList | None:
    """Return the tokens of lists whose tokens have no alternatives, if each list may be the alternatives of one token;
    None if the lists are answers or parts of one."""
    present = [*filter(None, lists)]
    if not names_alternatives(name) and not all(map(may_be_alternatives, present)):
        return None
    if names_alternatives(name) or _spell(lists, ids, text, record):
        return _without_drawn(lists, lists, text, location, record, ids=ids)
    tokens = [*itertools.chain(*present)]
    is_response = record is not None and isinstance(field(record, "response_id"), str)
    if is_response or have_texts(lists, record) or make_up_text(tokens, text, record) or len(tokens) == len(present):
        return None
    return _without_drawn(lists, lists, text, location, record, doubt=_IF_TEXT)


def have_texts(lists: list[Any], record: Object | None) -> bool:
    """Return whether an object has as many texts, or lists of tokens under another name, as lists."""
    others = [value for value in (record or {}).values() if isinstance(value, list) and value is not lists]
    return any(len(other) == len(lists) and all(isinstance(v, str | list) for v in other) for other in others)


def _without_drawn(
    value: object,
    tops: list[Any],
    text: str | None,
    location: Location,
    record: Object | None = None,
    *,
    ids: object = None,
    doubt: str = "",
) -> TokenList:
    """Return the tokens of alternatives alone. The drawn ones are those with these ids, or those that make up the text,
    if only one choice of alternatives does, or another text of the record.

    doubt: what to add to the note if nothing shows the drawn tokens, and the alternatives may be those of a text.
    """

    @functools.cache
    def lists() -> list[tuple[list[ApiToken], bool]]:
        return [_alternatives(top, location.at(f"token {i}", "top_logprobs")) for i, top in enumerate(tops)]

    @functools.cache
    def spelled() -> list[int] | None:
        indices = _indices_of_ids([[token.id for token in alternatives] for alternatives, _ in lists()], ids)
        if indices is not None:
            return indices
        labels = [[token.label for token in alternatives] for alternatives, _ in lists()]
        return None if text is None else _spelling(labels, text)

    @functools.cache
    def beside() -> tuple[str, list[int]] | None:
        labels = [[token.label for token in alternatives] for alternatives, _ in lists()]
        for name, other in _texts_beside(record or {}, len(tops)):
            if len(tops) > 1 or not other.strip():
                indices, note = _spelling(labels, other), _SPELLED
            else:
                # Scripts trim the text of one token.
                same = [i for i, label in enumerate(labels[0]) if label.strip() == other.strip()]
                indices = [same[_most_probable([lists()[0][0][i] for i in same])]] if same else None
                note = _SPELLED if len(same) == 1 else _TRIMMED
            if indices is not None:
                return note.format(name), indices
        return None

    def guess() -> str | None:
        if spelled() is not None:
            return None
        if (found := beside()) is not None:
            return found[0]
        return _ONE_POSITION + doubt if doubt or tops[0] is value else _MOST_PROBABLE

    def tokens() -> Iterator[DrawnToken]:
        indices = spelled() or (beside() or ("", None))[1]
        for i, (alternatives, keyed_by_text) in enumerate(lists()):
            index = _most_probable(alternatives) if indices is None else indices[i]
            token = alternatives[index] if alternatives else ApiToken("", None)
            tempered = _are_probabilities(tops[i])
            yield DrawnToken(location.at(f"token {i}"), token, alternatives, tempered, keyed_by_text)

    return TokenList(value, tokens, guess, is_undrawn=True)


def _indices_of_ids(lists: list[list[Any]], ids: object) -> list[int] | None:
    """Return the indices of the ids in lists of ids, one per list; None if a list does not have its one."""
    if not isinstance(ids, list) or len(ids) != len(lists):
        return None
    pairs = [*zip(lists, ids, strict=True)]
    return (
        [entries.index(token_id) for entries, token_id in pairs] if all(i in entries for entries, i in pairs) else None
    )


def _are_probabilities(tops: object) -> bool:
    """Return whether alternatives have probabilities, which are those after the samplers."""
    entries = tops if isinstance(tops, list) else []
    return any(isinstance(e, dict) and "prob" in e and field(e, *NUMBERS) is None for e in entries)


def _texts_beside(record: Object, count: int) -> Iterator[tuple[str, str]]:
    """Yield the names and the texts in an object that the tokens of an answer may make up: strings, and arrays of as
    many of them, such as Aleph Alpha's (aleph_alpha_client/completion.py, CompletionResult). One token does so by
    chance, so its field must have the name of an answer."""
    for name, value in record.items():
        if _OTHER_TEXT.search(name) or (count == 1 and not _ANSWER_TEXT.search(name)):
            continue
        if isinstance(value, list) and len(value) == count and all(isinstance(token, str) for token in value):
            yield name, "".join(value)
        elif isinstance(value, str):
            yield name, value


def _spell(lists: list[Any], ids: object, text: str | None, record: Object | None) -> bool:
    """Return whether one token of each list makes up a text, or has one of the ids."""
    tokens = [[entry for entry in entries or [] if entry] for entries in lists]
    if _indices_of_ids([[field(token, "id", "token_id") for token in each] for each in tokens], ids) is not None:
        return True
    labels = [[*map(_text_of, each)] for each in tokens]
    texts = [text, *(other for _, other in _texts_beside(record or {}, len(lists)))]
    return any(_spelling(labels, text) is not None for text in texts if text is not None)


def make_up_text(tokens: list[Any], text: str | None, record: Object | None) -> bool:
    """Return whether successive tokens make up a text, except for whitespace at its ends, or its start."""
    joined = "".join(map(_text_of, filter(None, tokens)))
    texts = [text, *(other for _, other in _texts_beside(record or {}, len(tokens)))]
    return any(text.startswith(joined) or text.strip() == joined.strip() for text in texts if text and joined)


def _text_of(entry: Any) -> str:
    """Return the text of a token in an object, or in SGLang's list [logprob, id, text]."""
    return str(field(entry, *TEXTS)) if isinstance(entry, dict) else str(entry[2] or "")


def _most_probable(tokens: list[ApiToken]) -> int:
    """Return the index of the most probable token; 0 if no probability is known."""
    known = [i for i, token in enumerate(tokens) if not math.isnan(token.logprob)]
    return max(known, key=lambda i: tokens[i].logprob, default=0)


def _spelling(labels: list[list[str]], text: str) -> list[int] | None:
    """Return the indices of the labels, one per list, that make up a text; None if there is not exactly one way.

    >>> _spelling([["a", "ab"], ["c", "bc"]], "ab"), _spelling([["a", "ab"], ["bc", "c"]], "abc")
    (None, None)
    >>> _spelling([["a", "ab"], ["b", "c"]], "abc")
    [1, 1]
    """
    # For each end of the labels so far: the indices of the only way to it, None if there are several.
    ways: dict[int, list[int] | None] = {0: []}
    for position in labels:
        longer: dict[int, list[int] | None] = {}
        for start, way in ways.items():
            for i, label in enumerate(position):
                if text.startswith(label, start):
                    end = start + len(label)
                    longer[end] = None if end in longer or way is None else [*way, i]
        ways = longer
    return ways.get(len(text))


# Maps and pieces


def _id_maps(values: list[Any], ids: object, location: Location) -> TokenList:
    """Return the tokens of a list of vLLM's maps {id: {logprob, rank, decoded_token}}, or of maps {id: logprob}. A
    prompt's first one is null.

    ids: the ids of the drawn tokens, if known.
    """
    known = ids if isinstance(ids, list) and len(ids) == len(values) else None

    def tokens() -> Iterator[DrawnToken]:
        for i, value in enumerate(values):
            if i == 0 and value != {} and is_absent(value):
                continue
            inner = location.at(f"token {i}")
            entry = present(as_object(value or {}, inner))
            alternatives = [_mapped_token(key, token, inner) for key, token in entry.items()]
            drawn_id = known[i] if known else None
            token = next((token for token in alternatives if token.id == drawn_id), None)
            if token is None:
                token = alternatives[0] if alternatives and known is None else ApiToken(f"#{drawn_id}", None, drawn_id)
            yield DrawnToken(inner, token, alternatives)

    def guess() -> str | None:
        maps = [present(value) for value in values if value]
        if known is not None or all(len(tokens) < 2 for tokens in maps):
            return None
        return _FIRST_KEY if maps == [value for value in values if value] else _FILLED_KEY

    return TokenList(values, tokens, guess)


def maps_of_flat(value: Object) -> list[Object | None] | None:
    """Return the maps {id: {logprob, decoded_token}} that vLLM's FlatLogprobs contain, one per token; None for any
    other object.

    >>> flat = {"start_indices": [0], "end_indices": [2], "token_ids": [5, 6], "logprobs": [-0.5, -1.5]}
    >>> maps_of_flat(flat)
    [{'5': {'logprob': -0.5, 'decoded_token': None}, '6': {'logprob': -1.5, 'decoded_token': None}}]
    """
    names = (FLAT, "end_indices", "token_ids", "logprobs")
    if FLAT not in value or not all(isinstance(value.get(name), list) for name in names):
        return None
    starts, ends, ids, numbers = (value[name] for name in names)
    texts = value.get("decoded_tokens") or [None] * len(ids)
    if len(starts) != len(ends) or not len(ids) == len(numbers) == len(texts) or not all(map(is_index, starts + ends)):
        return None
    entries = [
        (str(token_id), {"logprob": number, "decoded_token": text})
        for token_id, number, text in zip(ids, numbers, texts, strict=True)
    ]
    # The first token of a prompt has no alternatives.
    return [dict(entries[start:end]) or None for start, end in zip(starts, ends, strict=True)]


def _mapped_token(key: str, value: object, location: Location) -> ApiToken:
    """Return a token of a map: its id is the key."""
    inner = location.at(key)
    entry = value if isinstance(value, dict) else {"logprob": value}
    text = field(entry, "decoded_token")
    label = f"#{key}" if text is None else label_of(text, None, inner.at("decoded_token"))
    return ApiToken(label, logprob_of(entry.get("logprob"), inner.at("logprob")), int(key))


def _pieces(values: list[Any], location: Location) -> Iterator[DrawnToken]:
    for i, value in enumerate(values):
        yield from _piece_tokens(as_object(value, location.at(f"[{i}]")), location.at(f"piece {i}"))


def _piece_tokens(piece: Object, location: Location) -> Iterator[DrawnToken]:
    """Yield the tokens of a piece of text. The text of each of several tokens is unknown."""
    name = numbers_name(piece) or "logprobs"
    ids, numbers = as_list(drawn_ids(piece), location.at("token_ids")), as_list(piece.get(name), location.at(name))
    if len(ids) != len(numbers):
        raise location.at(name).error(f"expected one entry per token, {len(ids)} in all, got {len(numbers)}")
    for i, (token_id, number) in enumerate(zip(ids, numbers, strict=True)):
        inner = location.at(f"token {i}")
        is_whole = len(ids) == 1 and piece.get("text") is not None
        label = label_of(piece["text"], None, inner) if is_whole else f"#{token_id}"
        yield DrawnToken(inner, ApiToken(label, logprob_of(number, inner), token_id), [])


def _token_name(i: int, entry: object) -> str:
    """Return a token's name for messages: its number and its text, if it has one."""
    text = field(entry, *TEXTS) if isinstance(entry, dict) else entry
    return f"token {i} ({text[:40]!r})" if isinstance(text, str) else f"token {i}"
