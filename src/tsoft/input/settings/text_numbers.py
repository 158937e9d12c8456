"""The numbers of the samplers that depend on the text: penalties, DRY, mirostat and adaptive-p."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf

from tsoft.errors import InputError, joined
from tsoft.input.settings.field_values import boolean, number, number_or_none, shown
from tsoft.input.settings.file_kinds import (
    BARE,
    MLX_LM,
    NOVEL_AI,
    REQUEST,
    SILLY_TAVERN,
    TEXT_GENERATION_WEBUI,
    FileKind,
)
from tsoft.input.settings.file_numbers import Numbers, limited
from tsoft.input.settings.sampling_fields import (
    CONTEXT_SIZES,
    DECAYS,
    MIROSTAT_FIELDS,
    NEWLINE_SWITCHES,
    PARAMETERS,
    PENALTIES_OFF,
    SLOPES,
    TOKENS_ALIKE,
    canonical,
)
from tsoft.input.settings.settings_search import Place

_DRY = ("dry_base", "dry_allowed_length", "dry_penalty_last_n")
# The parameters that have no effect unless one of others is on.
_COMPANIONS: dict[tuple[str, ...], tuple[str, ...]] = {
    tuple(PENALTIES_OFF): ("penalty_last_n",),
    ("dry_multiplier",): _DRY,
    ("adaptive_target",): ("adaptive_decay",),
}
_SWITCHES = frozenset(name for switches in _COMPANIONS for name in switches)
_ALL_COMPANIONS = frozenset(name for names in _COMPANIONS.values() for name in names) | {"mirostat_tau", "mirostat_eta"}
# Fields of which 0 stands for all tokens: in text-generation-webui, ExLlamaV2 and mlx-lm.
_ALL_AT_ZERO = ("repetition_penalty_range", "dry_range", *CONTEXT_SIZES.values())
# Fields whose 0 stands for no token in every program.
_NONE_AT_ZERO = ("repeat_last_n", "penalty_last_n")
# Mirostat's target in llama.cpp, KoboldCpp and text-generation-webui.
_DEFAULT_TARGET = 5.0
# The highest decay of adaptive-p. llama.cpp and text-generation-webui lower others to it.
_MAX_DECAY = 0.99


def with_text_samplers(kind: FileKind, place: Place, numbers: Numbers) -> Numbers:
    """Return the numbers without the parameters that have no effect, and with the ranges of tokens in words of tsoft:
    inf for all tokens. Raise InputError for a number that means nothing."""
    zeros = kind.rules.zeros
    numbers = _with_shared_range(kind, numbers)
    values = {name: zeros.get(name, 0.0) if value == 0 else value for name, value in numbers.values.items()}
    effective = _without_idle(values)
    idle = {
        name: _converted(kind, numbers, name, values[name]) for name in _ALL_COMPANIONS & (values.keys() - effective)
    }
    numbers = limited(kind, replace(numbers, values=effective, idle=idle))
    numbers = _with_decay(_with_mirostat(kind, place, numbers))
    numbers = _with_ranges(kind, _with_context_size(kind, place, numbers))
    return replace(numbers, about_text=(*numbers.about_text, *_slopes(kind, place, numbers)))


def _is_on(parameter: str, value: float) -> bool:
    return value >= 0 if parameter == "adaptive_target" else value != PENALTIES_OFF.get(parameter, 0.0)


def _without_idle(values: Mapping[str, float]) -> dict[str, float]:
    """Return the numbers without penalties and other samplers that are off, and without their companions.

    A companion whose sampler the file does not set stays: the command line may set the sampler.

    >>> _without_idle({"repetition_penalty": 1.0, "presence_penalty": 0.5, "dry_multiplier": 0, "dry_base": 1.5})
    {'presence_penalty': 0.5}
    """
    idle: set[str] = set()
    for switches, companions in _COMPANIONS.items():
        off = {name for name in switches if name in values and not _is_on(name, values[name])}
        idle |= off
        if off and not any(name in values and name not in off for name in switches):
            idle |= set(companions)
    return {name: value for name, value in values.items() if name not in idle}


def lone_companions(values: Mapping[str, float]) -> set[str]:
    """Return the parameters that have no effect, since the file does not set the sampler that they belong to.

    >>> sorted(lone_companions({"dry_base": 1.5, "penalty_last_n": 64, "presence_penalty": 0.5}))
    ['dry_base']
    """
    lone: set[str] = set()
    for switches, companions in _COMPANIONS.items():
        if not any(name in values for name in switches):
            lone |= {name for name in companions if name in values}
    return lone


def has_effect(field: str, value: object) -> bool:
    """Whether a field, as `canonical` writes it, has an effect alone. Fields of other samplers always have one.

    >>> has_effect("repeat_penalty", 1.1), has_effect("repeat_penalty", 1), has_effect("repeat_last_n", 64)
    (True, False, False)
    """
    parameter = PARAMETERS.get(field, "")
    result = number_or_none(value)
    if field in MIROSTAT_FIELDS:
        return value is True or result is None or result > 0
    if parameter in _SWITCHES:
        return result is None or _is_on(parameter, result)
    return parameter not in _ALL_COMPANIONS


# Mirostat and adaptive-p


def mirostat_version(place: Place) -> int:
    """Return the version of mirostat that a file switches on; 0 for none. Raise InputError for others."""
    names = [name for field in MIROSTAT_FIELDS for name in place.named(field)]
    versions = {name: _version(place, name) for name in names}
    if len(set(versions.values())) > 1:
        raise InputError(f"{place.where}: {joined(names)} differ; remove one of them")
    return versions[names[0]] if names else 0


def _version(place: Place, name: str) -> int:
    value = place.fields[name]
    # ExLlamaV2 has only version 2, and true for it.
    if isinstance(value, bool):
        return 2 if value else 0
    version = max(0.0, number(value, f"{place.where}: {name}"))
    if version not in (0, 1, 2):
        raise InputError(f"{place.where}: {name}: expected 0, 1 or 2, got {version:g}")
    return int(version)


def _with_mirostat(kind: FileKind, place: Place, numbers: Numbers) -> Numbers:
    """Return the numbers with those of mirostat if its version is 2, which tsoft has; without them otherwise."""
    version = mirostat_version(place)
    values = dict(numbers.values)
    is_known = "mirostat_tau" in kind.rules.parameters
    if version != 2 or not is_known:
        for name in ("mirostat_tau", "mirostat_eta"):
            values.pop(name, None)
    if version == 0 or (version == 2 and "mirostat_tau" in values):
        return replace(numbers, values=values)
    field = next(name for field in MIROSTAT_FIELDS for name in place.named(field))
    if not is_known:
        sentence = f"{kind.program} does not know {field} {version}{kind.unlike_older('mirostat_tau')}"
    elif version == 1:
        sentence = f"{field} 1 is not applied, since tsoft has only version 2 of mirostat"
    else:
        values["mirostat_tau"] = _DEFAULT_TARGET
        usual = "as in llama.cpp, KoboldCpp and text-generation-webui"
        sentence = f"mirostat_tau is {_DEFAULT_TARGET:g}, {usual}, since the file does not set it"
    return replace(numbers, values=values, about_text=(*numbers.about_text, sentence))


def _with_decay(numbers: Numbers) -> Numbers:
    """Return the numbers with a decay of adaptive-p that is not too high."""
    decay = numbers.values.get("adaptive_decay", 0.0)
    if not _MAX_DECAY < decay <= 1:
        return numbers
    sentence = f"{numbers.fields['adaptive_decay']} {decay:g} is lowered to {_MAX_DECAY}, as llama.cpp does"
    values = {**numbers.values, "adaptive_decay": _MAX_DECAY}
    return replace(numbers, values=values, about_text=(*numbers.about_text, sentence))


# Ranges of tokens


def _with_context_size(kind: FileKind, place: Place, numbers: Numbers) -> Numbers:
    """Return the numbers with the range of tokens that mlx-lm sets for each penalty. Raise InputError if the ranges
    differ."""
    if kind is not MLX_LM:
        return numbers
    usual = kind.rules.defaults["penalty_last_n"]
    values = {name: value for name, value in numbers.values.items() if name != "penalty_last_n"}
    fields = [field for penalty, field in CONTEXT_SIZES.items() if penalty in values]
    found = [place.get(field) for field in fields]
    sizes = [
        usual if size is None else number(size, f"{place.where}: {field}")
        for field, size in zip(fields, found, strict=True)
    ]
    if len(set(sizes)) > 1:
        differing = joined([f"{field} {size:g}" for field, size in zip(fields, sizes, strict=True)])
        problem = f"{differing} differ, but tsoft considers the same tokens for all penalties"
        raise InputError(f"{place.where}: {problem}; set them to the same number")
    if all(size is None for size in found):
        return replace(numbers, values=values)
    named = {**numbers.fields, "penalty_last_n": fields[0]}
    return replace(numbers, values={**values, "penalty_last_n": sizes[0]}, fields=named)


def _with_shared_range(kind: FileKind, numbers: Numbers) -> Numbers:
    """Return the numbers with text-generation-webui's range of tokens, which is that of the penalties and of DRY."""
    values, fields = numbers.values, numbers.fields
    if kind is not TEXT_GENERATION_WEBUI or not values.keys() >= {"penalty_last_n", "dry_multiplier"}:
        return numbers
    return replace(
        numbers,
        values={**values, "dry_penalty_last_n": values.get("dry_penalty_last_n", values["penalty_last_n"])},
        fields={"dry_penalty_last_n": fields["penalty_last_n"], **fields},
    )


def _with_ranges(kind: FileKind, numbers: Numbers) -> Numbers:
    """Return the numbers with inf for a range of all tokens, and without samplers whose range is empty."""
    values = dict(numbers.values)
    sentences = []
    for switches, companions in _COMPANIONS.items():
        last_n = companions[-1]
        if not last_n.endswith("_last_n") or last_n not in values:
            continue
        field, value = numbers.fields[last_n], values[last_n]
        values[last_n] = _converted(kind, numbers, last_n, value)
        is_llama_cpp = kind.engine in ("llama.cpp", "ollama")
        if value == -1 and is_llama_cpp and any(name in values for name in switches):
            sentences.append(
                f"{field} -1 is taken as all tokens, as in older versions of llama.cpp; newer ones refuse it"
            )
        if value != 0:
            continue
        takes_all = values[last_n] == inf
        if not takes_all and any(name in values for name in switches):
            values = {name: value for name, value in values.items() if name not in (*switches, *companions)}
        is_ambiguous = kind in (BARE, NOVEL_AI, REQUEST, SILLY_TAVERN) and canonical(field) not in _NONE_AT_ZERO
        if is_ambiguous and any(name in numbers.values for name in switches):
            taken, other = ("all tokens", "no token") if takes_all else ("no token", "all tokens")
            sentences.append(f"{field} 0 is taken as {taken}; some programs take it as {other}")
    return replace(numbers, values=values, about_text=(*numbers.about_text, *sentences))


def _converted(kind: FileKind, numbers: Numbers, parameter: str, value: float) -> float:
    """Return a number that goes with a sampler; inf for a range of all tokens."""
    is_range = parameter.endswith("_last_n")
    takes_all = value == 0 and canonical(numbers.fields[parameter]) in _ALL_AT_ZERO
    return inf if is_range and (takes_all or (value == -1 and kind is not MLX_LM)) else value


def _slopes(kind: FileKind, place: Place, numbers: Numbers) -> Iterator[str]:
    """Yield sentences about fields that lower the penalties of older tokens or of line breaks."""
    values = numbers.values
    for field in SLOPES if "repetition_penalty" in values else ():
        for name in place.named(field):
            slope = number(place.fields[name], f"{place.where}: {name}")
            # KoboldCpp takes a slope outside 0 to 1 as 1.
            if 0 < slope < 1 or (slope not in (0, 1) and kind.program != "KoboldCpp"):
                yield f"{name} {slope:g} {TOKENS_ALIKE}"
    for field in DECAYS if any(name in values for name in PENALTIES_OFF) else ():
        for name in place.named(field):
            if decay := number(place.fields[name], f"{place.where}: {name}"):
                yield f"{name} {decay:g} {TOKENS_ALIKE}"
    for field in NEWLINE_SWITCHES if any(name in values for name in PENALTIES_OFF) else ():
        for name in place.named(field):
            if not boolean(place.fields[name], f"{place.where}: {name}"):
                yield f"{name} {shown(place.fields[name])} is not applied, since tsoft penalizes line breaks, too"
