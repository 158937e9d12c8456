"""The order of the samplers in a file, in the notation of each program."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tsoft.errors import InputError, joined
from tsoft.input.settings.field_values import boolean, shown, type_of
from tsoft.input.settings.file_kinds import LLAMA_CPP_COMMAND, LLAMA_CPP_REQUEST, FileKind
from tsoft.input.settings.sampling_fields import (
    DYNAMIC_SWITCHES,
    GGUF_ORDER,
    NOVEL_AI_ORDER,
    ORDER_FIELDS,
    PENALTIES_OFF,
    SEQUENCE_FIELDS,
    names,
)
from tsoft.input.settings.settings_search import Place
from tsoft.sampling.sampler_table import SAMPLERS

# Samplers that tsoft does not have, by the names in the files.
_NOT_AVAILABLE = names("infill encoder_repetition_penalty no_repeat_ngram penalty_alpha cfg top_g math1")
# llama.cpp's samplers by their letters.
_LETTERS = {
    "e": "penalties",
    "d": "dry",
    "i": "infill",
    "a": "adaptive_p",
    "s": "top_n_sigma",
    "k": "top_k",
    "y": "typ_p",
    "p": "top_p",
    "m": "min_p",
    "x": "xtc",
    "t": "temperature",
}
# llama.cpp's names of samplers, as in its common_sampler_types_from_names: also without the _ in each.
_LLAMA_CPP_NAMES = {
    **{name.replace("_", separator): name for name in _LETTERS.values() for separator in ("_", "")},
    "nucleus": "top_p",
    "temp": "temperature",
    "typ": "typ_p",
}
# The names of all programs, and of older versions of llama.cpp. - may replace _ in each.
_NAMES = {
    **{name: name for name in (*SAMPLERS, *PENALTIES_OFF, *_NOT_AVAILABLE)},
    **_LLAMA_CPP_NAMES,
    "typical": "typ_p",
    "typical_p": "typ_p",
    "tfs_z": "tfs",
    "quadratic_sampling": "smoothing",
    "dynamic_temperature": "temperature",
    "nsigma": "top_n_sigma",
    "top_nsigma": "top_n_sigma",
    "rep_pen": "repetition_penalty",
    "repeat_penalty": "repetition_penalty",
}
# KoboldAI's samplers by their numbers. KoboldCpp applies min-p after top-p, DRY first, and XTC and adaptive-p last.
_NUMBERS: dict[int, tuple[str, ...]] = {
    0: ("top_k",),
    1: ("top_a",),
    2: ("top_p", "min_p"),
    3: ("tfs",),
    4: ("typ_p",),
    5: ("temperature", "smoothing", "top_n_sigma"),
    6: ("penalties",),
}
# NovelAI's samplers by their numbers, as in SillyTavern's nai-settings.js and the Python package novelai-api.
_NOVEL_AI_NUMBERS = {
    0: "temperature",
    1: "top_k",
    2: "top_p",
    3: "tfs",
    4: "top_a",
    5: "typ_p",
    6: "cfg",
    7: "top_g",
    8: "mirostat",
    9: "math1",
    10: "min_p",
}
# The samplers of text-generation-webui, in tsoft's order. The penalties are three of them.
_STEPS = (*PENALTIES_OFF, *(name for name in SAMPLERS if name not in ("logit_bias", "penalties")))
_FIRST_NUMBERED = ("dry",)
_LAST_NUMBERED = ("xtc", "adaptive_p")


@dataclass(frozen=True)
class SamplerOrder:
    """Samplers in the order that a field lists, including those that tsoft does not have; None if the file lists no
    order. `unknown` are the names of samplers that do not exist, and `unlisted` the samplers that apply although the
    field does not list them. `sentence`, if any, says that tsoft applies the samplers in another order."""

    field: str = ""
    samplers: tuple[str, ...] | None = None
    unknown: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    sentence: str = ""

    @property
    def applicable(self) -> tuple[str, ...] | None:
        """The samplers that tsoft has."""
        return None if self.samplers is None else tuple(name for name in self.samplers if name in SAMPLERS)


def order_of(kind: FileKind, place: Place, active: Collection[str]) -> tuple[SamplerOrder, list[str]]:
    """Return the order that applies, and sentences about it and about fields with other orders. `active` are the
    samplers and the parameters that have an effect.

    If the kind of file does not determine the field that counts, and the fields do not agree, no order applies.
    """
    read = [_samplers(kind, place), *(reader(place) for reader in _READERS)]
    orders = [_in_steps(order, active) for order in read]
    # Only llama.cpp applies no sampler if its list is empty. SillyTavern has empty lists for other programs.
    orders = [order for order in orders if order.samplers or (order.samplers == () and order.field == kind.rules.order)]
    chosen = next(
        (order for order in orders if order.field == kind.rules.order), orders[0] if orders else SamplerOrder()
    )
    others = [order.field for order in orders if order is not chosen]
    if others and chosen.field == kind.rules.order:
        verb = "are" if len(others) > 1 else "is"
        sentences = [f"{joined(others)} {verb} not applied, since {kind.program} uses {chosen.field}"]
    elif len({tuple(name for name in order.applicable or () if name in active) for order in orders}) > 1:
        fields = joined([order.field for order in orders])
        problem = "disagree on the order of the samplers, and the file does not show which of them counts"
        return SamplerOrder(), [f"{fields} {problem}; pass --samplers with the order"]
    else:
        sentences = []
    sentences += [chosen.sentence] if chosen.sentence else []
    samplers = [name for name in chosen.samplers or () if name in active]
    if repeated := sorted({name for name in samplers if samplers.count(name) > 1}):
        problem = f"{chosen.field} lists {joined(repeated)} more than once"
        raise InputError(f"{place.where}: {problem}, which tsoft cannot apply; list each sampler once")
    if chosen.field == NOVEL_AI_ORDER and "penalties" in active:
        sentences.append("order does not list the penalties, which tsoft applies first")
    if unlisted := [name for name in chosen.unlisted if name in active and chosen.field in ORDER_FIELDS]:
        problem = (
            f"{chosen.field} does not list {joined(unlisted)}; text-generation-webui applies unlisted samplers first"
        )
        sentences.append(f"{problem}, and some of its versions last")
    return chosen, sentences


def _in_steps(order: SamplerOrder, active: Collection[str]) -> SamplerOrder:
    """Return the order with one step for the penalties, which some programs list one by one. It is where the first of
    those that have an effect is."""
    samplers = order.samplers or ()
    penalties = [name for name in samplers if name in PENALTIES_OFF]
    if not penalties:
        return order
    found = [name for name in samplers if name in active]
    effective = [name for name in found if name in PENALTIES_OFF]
    first = samplers.index((effective or penalties)[0])
    merged = [
        "penalties" if i == first else name
        for i, name in enumerate(samplers)
        if i == first or name not in PENALTIES_OFF
    ]
    start = found.index(effective[0]) if effective else 0
    is_together = found[start : start + len(effective)] == effective
    if is_together and "repetition_penalty" not in effective[1:]:
        return replace(order, samplers=tuple(merged))
    step = f"tsoft applies {joined(list(dict.fromkeys(effective)))} in one step, the repetition penalty first"
    sentence = f"{step}, where {order.field} lists {effective[0]}"
    return replace(order, samplers=tuple(merged), sentence=sentence)


def _listed(place: Place, field: str, value: Any) -> list[Any] | None:
    """Return the names in a field, which is a list, or a text with one name per line or between semicolons."""
    if isinstance(value, str):
        separator = next((separator for separator in "\n;" if separator in value), ",")
        return [name.strip() for name in value.split(separator) if name.strip()]
    if value is not None and not isinstance(value, list):
        problem = "expected an array of names or a string of letters" if field == "samplers" else "expected an array"
        raise InputError(f"{place.where}: {field}: {problem}, got {type_of(value)}")
    return value


def _named(place: Place, field: str, value: Iterable[Any], known: Mapping[str, str] = _NAMES) -> SamplerOrder:
    samplers, unknown = [], []
    for name in value:
        if not isinstance(name, str):
            raise InputError(f"{place.where}: {field}: expected an array of names or a string of letters, got an array")
        if sampler := known.get(name.replace("-", "_").lower()):
            samplers.append(sampler)
        else:
            unknown.append(shown(name))
    return SamplerOrder(field, tuple(samplers), tuple(dict.fromkeys(unknown)))


def _samplers(kind: FileKind, place: Place) -> SamplerOrder:
    """Return the order of llama.cpp's samplers: an array of names, names between semicolons, or letters. A command has
    letters in a field of their own."""
    value = place.get("samplers")
    sequences = [name for field in SEQUENCE_FIELDS for name in place.named(field)]
    if len(sequences) + (value is not None) > 1:
        raise InputError(f"{place.where}: {joined(['samplers', *sequences])} set the order; keep one of them")
    if sequences:
        return _lettered(str(place.fields[sequences[0]]))
    if isinstance(value, str) and ";" not in value and kind is not LLAMA_CPP_COMMAND:
        letters = value.strip()
        if letters and (not letters.isalpha() or letters.lower() in _NAMES):
            problem = f"expected one letter per sampler, got {type_of(value)}; write names as an array"
            raise InputError(f"{place.where}: samplers: {problem}")
        return _lettered(letters)
    listed = _listed(place, "samplers", value)
    # A response has the names of the server's version.
    known = _LLAMA_CPP_NAMES if kind in (LLAMA_CPP_COMMAND, LLAMA_CPP_REQUEST) else _NAMES
    return SamplerOrder() if listed is None else _with_adaptive_p_last(_named(place, "samplers", listed, known))


def _lettered(letters: str) -> SamplerOrder:
    samplers = tuple(_LETTERS[letter] for letter in letters if letter in _LETTERS)
    unknown = dict.fromkeys(shown(letter) for letter in letters if letter not in _LETTERS)
    return _with_adaptive_p_last(SamplerOrder("samplers", samplers, tuple(unknown)))


def _with_adaptive_p_last(order: SamplerOrder) -> SamplerOrder:
    """Return an order of llama.cpp as it applies it."""
    return replace(order, samplers=tuple(sorted(order.samplers or (), key=lambda name: name == "adaptive_p")))


def _sequence(place: Place) -> SamplerOrder:
    """Return the order in GGUF metadata, with llama.cpp's names."""
    listed = _listed(place, GGUF_ORDER, place.fields.get(GGUF_ORDER))
    if listed is None:
        return SamplerOrder()
    return _with_adaptive_p_last(_named(place, GGUF_ORDER, listed, _LLAMA_CPP_NAMES))


def _sampler_order(place: Place) -> SamplerOrder:
    """Return the order of KoboldAI's samplers, which are numbers, or names."""
    value = _listed(place, "sampler_order", place.get("sampler_order"))
    # KoboldCpp has its default order in place of an empty one.
    if not value:
        return SamplerOrder()
    if all(isinstance(name, str) and not name.strip().isdecimal() for name in value):
        return _named(place, "sampler_order", value)
    samplers: list[str] = []
    for number in value:
        digits = number.strip() if isinstance(number, str) else number
        index = int(digits) if isinstance(digits, str) and digits.isdecimal() else digits
        if type(index) is not int or index not in _NUMBERS:
            raise InputError(f"{place.where}: sampler_order: expected numbers from 0 to 6, got {shown(number)}")
        samplers += _NUMBERS[index]
    return SamplerOrder("sampler_order", (*_FIRST_NUMBERED, *samplers, *_LAST_NUMBERED))


def _sampler_priority(place: Place) -> SamplerOrder:
    """Return text-generation-webui's order. It applies samplers that are not listed first, and temperature_last moves
    the temperature to the end."""
    value = _listed(place, "sampler_priority", place.get("sampler_priority"))
    where = f"{place.where}: temperature_last"
    last = place.get("temperature_last") is not None and boolean(place.get("temperature_last"), where)
    if not value and not last:
        return SamplerOrder()
    switched = any(
        place.get(switch) is not None and boolean(place.get(switch), place.where) for switch in DYNAMIC_SWITCHES
    )
    # One of these two has no effect, and its place does not matter.
    other = "temperature" if switched and "dynamic_temperature" in (value or ()) else "dynamic_temperature"
    order = _named(place, "sampler_priority", [name for name in value or () if name != other])
    listed = order.samplers or ()
    unlisted = tuple(name for name in _STEPS if name not in listed)
    samplers = (*unlisted, *listed)
    if last:
        final = ("temperature", "smoothing")
        samplers = (*(name for name in samplers if name not in final), *final)
    field = "sampler_priority" if value else "temperature_last"
    return replace(order, field=field, samplers=samplers, unlisted=unlisted)


def _novel_ai_order(place: Place) -> SamplerOrder:
    """Return the samplers that NovelAI's order switches on, after the penalties, which it does not list."""
    value = place.get(NOVEL_AI_ORDER)
    if not isinstance(value, list):
        return SamplerOrder()
    order = _named(place, NOVEL_AI_ORDER, filter(None, (_novel_ai_sampler(place, element) for element in value)))
    return replace(order, samplers=("penalties", *(order.samplers or ())))


def _novel_ai_sampler(place: Place, element: Any) -> str:
    """Return the name of a sampler in NovelAI's order; empty if it is switched off."""
    where = f"{place.where}: {NOVEL_AI_ORDER}"
    match element:
        case {"id": str() as name, "enabled": is_enabled}:
            return name if boolean(is_enabled, f"{where}: enabled") else ""
        case str():
            return element
    if type(element) is int and element in _NOVEL_AI_NUMBERS:
        return _NOVEL_AI_NUMBERS[element]
    raise InputError(f"{where}: expected numbers from 0 to 10, or objects with id and enabled, got {shown(element)}")


# The readers of the other fields with an order.
_READERS: tuple[Callable[[Place], SamplerOrder], ...] = (
    _sequence,
    _sampler_order,
    _sampler_priority,
    _novel_ai_order,
)
