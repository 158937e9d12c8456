"""The numbers of the sampling parameters in an object of settings."""

from dataclasses import dataclass, replace

from tsoft.errors import InputError, joined
from tsoft.input.settings.field_values import boolean, number
from tsoft.input.settings.file_kinds import COHERE, FileKind
from tsoft.input.settings.file_numbers import Numbers
from tsoft.input.settings.sampling_fields import (
    APPLIED,
    COHERE_PARAMETERS,
    DYNAMIC_RANGES,
    DYNAMIC_SWITCHES,
    PARAMETER_NAMES,
    PARAMETERS,
    canonical,
    without_prefix,
)
from tsoft.input.settings.settings_search import Place
from tsoft.input.settings.text_numbers import with_text_samplers
from tsoft.sampling.sampler_table import SAMPLERS, TAU

# The number at which each parameter is off.
_OFF = {parameter.name: parameter.off or 0.0 for sampler in SAMPLERS.values() for parameter in sampler.parameters}
# The least epsilon_cutoff or eta_cutoff that may be in text-generation-webui's unit, as 0.0001.
_LARGE_CUTOFF = 0.01
# No known program has a temperature as high as this.
_HIGH_TEMPERATURE = 10


def numbers_of(kind: FileKind, place: Place) -> Numbers:
    """Return the numbers of the parameters. Raise InputError if fields contradict each other."""
    plain = _plain(kind, place)
    # Only programs that know every field have a switch for such a range.
    dynamic = _dynamic(place, plain) if kind.rules.fields >= APPLIED else _without_ranges(kind, place, plain)
    numbers = _scaled(kind, dynamic)
    return with_text_samplers(kind, place, numbers)


def _plain(kind: FileKind, place: Place) -> Numbers:
    """Return the numbers of the parameters. Raise InputError if two fields set a parameter to different numbers."""
    values: dict[str, float] = {}
    fields: dict[str, str] = {}
    sentences: list[str] = []
    parameters = PARAMETERS | COHERE_PARAMETERS if kind is COHERE else PARAMETERS
    for name, value in place.fields.items():
        parameter = parameters.get(canonical(name))
        if parameter is None:
            continue
        # LM Studio writes false for a sampler that is off.
        is_off = value is False and parameter != TAU.name
        result = _OFF[parameter] if is_off else number(value, f"{place.where}: {name}")
        if result == kind.rules.not_sent:
            sentences.append(f"{kind.program} does not send {name}, since it is {result:g}")
            continue
        if parameter in values and values[parameter] != result:
            both = f"{fields[parameter]} {values[parameter]:g} and {name} {result:g}"
            raise InputError(f"{place.where}: {both} set the same parameter; remove one of them")
        values.setdefault(parameter, result)
        fields.setdefault(parameter, without_prefix(name))
    return _from_percents(kind, Numbers(values, fields, tuple(sentences)))


def _from_percents(kind: FileKind, numbers: Numbers) -> Numbers:
    """Return the numbers with the parameters that the program counts in hundredths divided by 100. A temperature in
    another unit may also come from a program that tsoft does not know."""
    values = dict(numbers.values)
    sentences = list(numbers.sentences)
    for parameter, value in numbers.values.items():
        name = numbers.fields[parameter]
        if parameter in kind.rules.percents and value != 0:
            values[parameter] = value / 100
            sentences.append(f"{kind.program} stores {name} in hundredths, so {value:g} means {value / 100:g}")
        elif parameter == TAU.name and value >= _HIGH_TEMPERATURE and kind.engine is None:
            sentences.append(f"{name} {value:g} is very high; if it is in hundredths, pass --tau {value / 100:g}")
    return replace(numbers, values=values, sentences=tuple(sentences))


@dataclass(frozen=True)
class _TemperatureRange:
    """The lowest and the highest temperature, and their fields."""

    fields: tuple[str, str]
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.fields[0]} {self.lowest:g} and {self.fields[1]} {self.highest:g}"


def _ranges(place: Place) -> list[_TemperatureRange]:
    """Return the ranges of a dynamic temperature, whether it is switched on or not."""
    return [
        _TemperatureRange(fields, *(number(place.get(field), f"{place.where}: {field}") for field in fields))
        for fields in DYNAMIC_RANGES
        if all(place.get(field) is not None for field in fields)
    ]


def _dynamic(place: Place, numbers: Numbers) -> Numbers:
    """Return the numbers with the center and the range of a dynamic temperature that is switched on."""
    names = [name for switch in DYNAMIC_SWITCHES for name in place.named(switch)]
    states = {name: boolean(place.fields[name], f"{place.where}: {name}") for name in names}
    if len(set(states.values())) > 1:
        raise InputError(f"{place.where}: {joined(names)} differ; remove one of them")
    ranges = _ranges(place)
    if not states:
        reason = "are not applied, since the file does not switch them on"
        sentences = [f"{limits} {reason}" for limits in ranges if limits.lowest != limits.highest]
        return replace(numbers, sentences=(*numbers.sentences, *sentences))
    if not states[names[0]]:
        return _without_range(names[0], numbers)
    if not ranges and "dynatemp_range" in numbers.values:
        return numbers
    if not ranges:
        problem = f"{names[0]} is true, but the lowest and the highest temperature are missing"
        raise InputError(f"{place.where}: {problem}; add min_temp and max_temp")
    if any((limits.lowest, limits.highest) != (ranges[0].lowest, ranges[0].highest) for limits in ranges):
        raise InputError(f"{place.where}: {ranges[0]}, and {ranges[1]}, set different ranges; remove one of them")
    return _with_range(place, numbers, ranges[0])


def _without_ranges(kind: FileKind, place: Place, numbers: Numbers) -> Numbers:
    """Return the numbers with a sentence about each range that a program does not know. A request to any of several
    programs also has the center and the range of a dynamic temperature."""
    width = numbers.values.get("dynatemp_range", 0.0)
    sentences = [
        f"{limits} are not applied, since {kind.program} has no such range"
        for limits in _ranges(place)
        if limits.lowest != limits.highest and (limits.highest - limits.lowest) / 2 != width
    ]
    return replace(numbers, sentences=(*numbers.sentences, *sentences))


def _without_range(switch: str, numbers: Numbers) -> Numbers:
    dropped = ("dynatemp_range", "dynatemp_exponent")
    values = {name: value for name, value in numbers.values.items() if name not in dropped}
    width = numbers.values.get("dynatemp_range", 0.0)
    sentence = f"dynatemp_range {width:g} is not applied, since {switch} is false"
    return replace(numbers, values=values, sentences=(*numbers.sentences, *[sentence] * (width > 0)))


def _with_range(place: Place, numbers: Numbers, limits: _TemperatureRange) -> Numbers:
    if not 0 <= limits.lowest <= limits.highest:
        problem = f"{limits} are not a range of temperatures"
        raise InputError(f"{place.where}: {problem}; expected 0 or more, the lowest first")
    tau, width = (limits.lowest + limits.highest) / 2, (limits.highest - limits.lowest) / 2
    # A client may have rounded the center and the range.
    if abs(numbers.values.get("dynatemp_range", width) - width) > 1e-6:
        both = f"{limits}, and dynatemp_range {numbers.values['dynatemp_range']:g}"
        raise InputError(f"{place.where}: {both}, set different ranges; remove one of them")
    sentences = [f"{limits} are temperature {tau:g} with dynatemp_range {width:g}"]
    replaced = numbers.values.get(TAU.name, tau)
    if abs(replaced - tau) > 1e-6:
        sentences.append(
            f"{numbers.fields[TAU.name]} {replaced:g} is not applied, since {joined(limits.fields)} replace it"
        )
    values = {**numbers.values, TAU.name: tau, "dynatemp_range": width}
    fields = {**numbers.fields, TAU.name: "temperature", "dynatemp_range": "dynatemp_range"}
    return replace(numbers, values=values, fields=fields, sentences=(*numbers.sentences, *sentences))


def _scaled(kind: FileKind, numbers: Numbers) -> Numbers:
    """Return the numbers with cutoffs as probabilities. Some programs count them in units of 0.0001."""
    values = dict(numbers.values)
    sentences = list(numbers.sentences)
    for parameter in ("epsilon_cutoff", "eta_cutoff"):
        value = values.get(parameter, 0.0)
        unit = 1e-4 if value > 1 and kind.rules.parameters == frozenset(PARAMETER_NAMES) else kind.rules.cutoff_unit
        if unit != 1 and value > 0:
            values[parameter] = value * unit
            owner = kind.program if kind.rules.cutoff_unit != 1 else "a program such as text-generation-webui"
            sentences.append(f"{parameter} {value:g} is {value * unit:g}, since {owner} counts it in units of 0.0001")
        elif value >= _LARGE_CUTOFF and kind.engine is None:
            sentences.append(f"{parameter} {value:g} is taken as a probability, not in units of 0.0001")
    return replace(numbers, values=values, sentences=tuple(sentences))
