"""The chains that the sampler options and a settings file describe."""

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tsoft.errors import InputError, TsoftError, UsageError, joined, unknown
from tsoft.notes import note
from tsoft.options.biases import Bias
from tsoft.options.class_names import named_number
from tsoft.options.engine_chains import EngineDefaults, engine_chain, note_prompt
from tsoft.options.engine_names import engines_by_name, supporting_engines
from tsoft.options.history_options import TextSource
from tsoft.options.names import split_names
from tsoft.options.numbers import percentage_hint
from tsoft.options.sampler_options import PARAMETERS, ParameterOptions, SamplerOptions
from tsoft.options.settings_notes import note_ignored, note_rules, note_settings
from tsoft.sampling.chain import Chain, is_on
from tsoft.sampling.engine import Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

if TYPE_CHECKING:
    from tsoft.input.settings.settings import Settings
    from tsoft.options.token_names import TokenNames

SAMPLERS_BY_NAME = {
    name: sampler
    for sampler in SAMPLERS.values()
    for name in (sampler.name, sampler.parameters[0].name, *sampler.aliases)
}
# The samplers of llama.cpp that tsoft lacks.
LACKING = ("infill",)

Error = Callable[[str], TsoftError]


def planned(
    samplers: SamplerOptions, parameters: ParameterOptions, taus: list[str] | None, text: TextSource | None
) -> "tuple[list[str] | None, tuple[Chain | None, ...], tuple[Bias, ...], tuple[bytes, ...], TokenNames | None]":
    """Return the fields of the `Plan`, in their order. Typed options override the settings file."""
    typed = {name: float(value) for name, value in vars(parameters).items() if value is not None and name != BIAS.name}
    for name, value in typed.items():
        _check(PARAMETERS[name], value, PARAMETERS[name].option, UsageError)
    like = [name.lower() for name in split_names(samplers.like)]
    engines = engines_by_name(like)
    # An empty list stands for a sweep's grid, which overrides the file's temperature, too.
    overridden = set(typed) | ({TAU.name} if taus is not None else set())
    settings = _settings(samplers.settings, typed, engines, overridden)
    values = dict(settings.values if settings else ()) | typed
    _check_companions(typed, values)
    biases = _biases(parameters, settings)
    typed_names = set(typed) | ({TAU.name} if taus else set())
    on = _on(values, has_biases=bool(biases))
    defaults = EngineDefaults.of(engines, samplers.defaults, {*values, *([TAU.name] if taus is not None else [])})
    breakers = _breakers(samplers.dry_sequence_breaker, on, settings, engines)
    history = text.read(breakers) if text else None
    ignored = _need_history(on, typed_names, text.fix) if text and history is None else []
    on = [sampler for sampler in on if sampler not in ignored]
    values = {name: values[name] for name in values if not any(PARAMETERS[name] in one.parameters for one in ignored)}
    if text and history is None:
        defaults = defaults.without_history(text.fix)
    elif text and not any(sampler.needs_history for sampler in (*on, *defaults.on)):
        text.refuse()
    if settings:
        has_breakers = SAMPLERS["dry"] in on and samplers.dry_sequence_breaker is None
        note_settings(settings, overridden, ignored, has_breakers=has_breakers)
        if ignored and text:
            note_ignored(settings, ignored, text.fix)
        if not engines:
            note_rules(settings, has_order=samplers.samplers is not None)
    order = _order(samplers.samplers, settings, on, typed_names, values)
    tau_in_file = None if order is not None and SAMPLERS["temperature"] not in order else values.pop(TAU.name, None)
    if taus is None:
        taus = defaults.taus if tau_in_file is None else [repr(tau_in_file)]
    engines = supporting_engines(engines, order, on, values, defaults, allows_omission="all" in like)
    chains = tuple(engine_chain(engine, order, on, values, defaults) for engine in engines or (None,))
    defaults.note(chains)
    if text:
        note_prompt(chains, history, text.options.prompt_tokens)
    return taus, chains, biases, breakers, history


def _on(values: Mapping[str, float], *, has_biases: bool) -> list[Sampler]:
    """Return the samplers that some values of the parameters switch on."""
    return [sampler for sampler in SAMPLERS.values() if (has_biases if sampler.is_bias else is_on(sampler, values))]


def _breakers(
    typed: list[str] | None, on: list[Sampler], settings: "Settings | None", engines: list[Engine]
) -> tuple[bytes, ...]:
    """Return the sequence breakers of DRY. Typed ones override those of the settings file, and these the default of the
    engines, which must agree."""
    from tsoft.input.fields import unescape
    from tsoft.sampling.history import SEQUENCE_BREAKERS

    if typed is not None and SAMPLERS["dry"] not in on:
        raise UsageError("--dry-sequence-breaker has no effect without --dry-multiplier; add --dry-multiplier")
    if typed and typed != ["none"] and not {"", "none"}.isdisjoint(typed):
        raise UsageError("--dry-sequence-breaker: pass a non-empty text, or only the word none")
    in_file = settings.breakers if settings else None
    if typed:
        breakers = () if typed == ["none"] else tuple(map(unescape, typed))
    elif in_file is not None:
        breakers = in_file
    else:
        defaults = {engine.api.breakers: engine.name for engine in engines if engine.has("dry_multiplier")}
        if len(defaults) > 1 and SAMPLERS["dry"] in on:
            names = joined(list(defaults.values()))
            raise UsageError(f"{names} have different default sequence breakers; pass --dry-sequence-breaker")
        breakers = next(iter(defaults), SEQUENCE_BREAKERS)
    return tuple(breaker.encode(errors="replace") for breaker in breakers)


def _need_history(on: list[Sampler], typed: set[str], fix: str) -> list[Sampler]:
    """Return the samplers that need the tokens before the distribution, which the user has not passed.

    Raise UsageError for one that was typed.
    """
    found = [sampler for sampler in on if sampler.needs_history]
    for parameter in (parameter for sampler in found for parameter in sampler.parameters):
        if parameter.name in typed:
            raise UsageError(f"{parameter.option} depends on the tokens before the distribution; {fix}")
    return found


def _settings(
    file: str | None, typed: dict[str, float], engines: list[Engine], overridden: Container[str]
) -> "Settings | None":
    """Return the settings in a file. Those that are idle without a typed option apply with it. Raise UsageError if the
    engines read the file in different ways, apart from the `overridden` parameters."""
    if file is None:
        return None
    if not file:
        raise UsageError("--settings needs a file name")
    from tsoft.input.settings.settings_reader import readings

    found = readings(file, dict.fromkeys(engine.family for engine in engines) or [""])
    (engine, settings), *others = found.items()
    for other, reading in others:
        if _remaining(reading, overridden) != _remaining(settings, overridden):
            problem = f"{engine} and {other} take different settings from this file"
            raise UsageError(f"{file}: {problem}; pass --like with one of them")
    switched = {companion for name in typed for companion in _companions(name)}
    idle = [(name, value) for name, value in settings.idle if name in switched]
    settings = replace(settings, values=(*settings.values, *idle))
    for name, value in settings.values:
        _check(PARAMETERS[name], value, f"{settings.origin.where}: {settings.name(name)}", InputError)
    return settings


def _remaining(settings: "Settings", overridden: Container[str]) -> tuple[object, ...]:
    """Return what the settings in a file change: the parameters that no option overrides, the biases and the order."""
    values = {name: value for name, value in settings.values if name not in overridden}
    return values, settings.biases, settings.samplers


def _companions(name: str) -> list[str]:
    """Return the parameters that apply if a parameter switches their sampler on."""
    sampler = next(sampler for sampler in SAMPLERS.values() if PARAMETERS[name] in sampler.parameters)
    is_switch = PARAMETERS[name] in sampler.switch_parameters
    return [parameter.name for parameter in sampler.parameters[sampler.switches :]] if is_switch else []


def _check(parameter: SamplerParameter, value: float, where: str, error: Error) -> None:
    if not parameter.allows(value):
        hint = percentage_hint(value) if parameter.metavar == "P" else ""
        raise error(f"{where}: expected {parameter.range}, got {value:.15g}{hint}")


def _check_companions(typed: dict[str, float], values: dict[str, float]) -> None:
    """Raise UsageError for a parameter that has no effect without another one."""
    for sampler in SAMPLERS.values():
        for companion in sampler.parameters[sampler.switches :]:
            needed = sampler.needed_by(companion)
            if companion.name in typed and needed and not any(first.name in values for first in needed):
                options = " or ".join(first.option for first in needed)
                raise UsageError(f"{companion.option} has no effect without {options}; add {options}")


def _biases(parameters: ParameterOptions, settings: "Settings | None") -> tuple[Bias, ...]:
    """Return the typed biases, after those in the settings file for other classes."""
    typed = [Bias(*named_number(text, BIAS.option, "cat=1.5")) for text in parameters.logit_bias or ()]
    for bias in typed:
        if not bias.value < float("inf"):
            problem = f"the bias of {bias.name!r} is {bias.value:g}"
            raise UsageError(f"{BIAS.option}: {problem}; pass a finite number, or -inf to ban the class")
    names = {bias.name for bias in typed}
    repeated = next((name for name, count in Counter(bias.name for bias in typed).items() if count > 1), None)
    if repeated is not None:
        raise UsageError(f"{BIAS.option}: {repeated!r} has several biases; pass one")
    in_file = [
        Bias(f"#{name}" if isinstance(name, int) else name, value, in_file=True)
        for name, value in (settings.biases if settings else ())
    ]
    return (*(bias for bias in in_file if bias.name not in names), *typed)


def _order(
    requested: str | None, settings: "Settings | None", on: list[Sampler], typed: set[str], values: dict[str, float]
) -> tuple[Sampler, ...] | None:
    """Return the samplers in the order that --samplers or the file lists; None for the default order.

    Raise UsageError if a typed sampler is not in the list.
    """
    if requested is not None:
        order = _parsed([name for name in split_names([requested]) if name], "--samplers", UsageError)
        if not order:
            raise UsageError(f"--samplers: the list is empty; choose from {', '.join(SAMPLERS)}")
        source = "--samplers"
    elif settings and settings.samplers is not None:
        order = _parsed(list(dict.fromkeys(settings.samplers)), f"{settings.origin.where}: samplers", InputError)
        source = settings.origin.file
    else:
        return None
    for sampler in on:
        for switch in sampler.switch_parameters if sampler not in order and sampler.parameters[0] is not BIAS else ():
            if switch.name in typed:
                fix = f"add {sampler.name} to --samplers" if requested else f"pass --samplers with {sampler.name}"
                raise UsageError(f"{switch.option} has no effect, because {source} does not list {sampler.name}; {fix}")
            if settings and switch.name in values:
                ignored = f"{settings.name(switch.name)} of {source}"
                note(f"tsoft ignores {ignored}, because {source} does not list {sampler.name}")
    return order


def _parsed(names: list[str], where: str, error: Error) -> tuple[Sampler, ...]:
    order: list[Sampler] = []
    for text in names:
        name = text.removeprefix("--").replace("-", "_").lower()
        if name in LACKING:
            raise error(f"{where}: tsoft does not have llama.cpp's sampler {name}; remove {name}")
        if name not in SAMPLERS_BY_NAME:
            raise error(f"{where}: {unknown('sampler', name, SAMPLERS, SAMPLERS_BY_NAME)}")
        if SAMPLERS_BY_NAME[name] in order:
            raise error(f"{where}: {name} is listed twice; list it once")
        order.append(SAMPLERS_BY_NAME[name])
    return tuple(order)
