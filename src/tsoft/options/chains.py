"""The chains that the sampler options and a settings file describe."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from tsoft.errors import InputError, TsoftError, UsageError, joined, unknown
from tsoft.notes import note
from tsoft.options.biases import Bias
from tsoft.options.class_names import named_number
from tsoft.options.names import split_names
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import ENGINES, Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

if TYPE_CHECKING:
    from tsoft.input.settings.settings import Settings

SAMPLERS_BY_NAME = {
    name: sampler
    for sampler in SAMPLERS.values()
    for name in (sampler.name, sampler.parameters[0].name, *sampler.aliases)
}
PARAMETERS = {parameter.name: parameter for sampler in SAMPLERS.values() for parameter in sampler.parameters}
# llama.cpp's samplers that depend on the preceding text.
NEED_TEXT = ("penalties", "dry", "infill")

Error = Callable[[str], TsoftError]


def planned(
    samplers: SamplerOptions, parameters: ParameterOptions, taus: list[str] | None
) -> "tuple[list[str] | None, tuple[Chain | None, ...], tuple[Bias, ...]]":
    """Return the temperatures, the chains and the biases. Typed options override the settings file."""
    settings = _settings(samplers.settings)
    typed = {name: float(value) for name, value in vars(parameters).items() if value is not None and name != BIAS.name}
    for name, value in typed.items():
        _check(PARAMETERS[name], value, PARAMETERS[name].option, UsageError)
    values = dict(settings.values if settings else ()) | typed
    _check_companions(typed, values)
    biases = _biases(parameters, settings)
    like = [name.lower() for name in split_names(samplers.like)]
    engines = _engines(like)
    typed_names = set(typed) | ({TAU.name} if taus else set())
    if settings:
        # An empty list stands for a sweep's grid, which overrides the file's temperature, too.
        _note_settings(settings, typed_names | ({TAU.name} if taus is not None else set()))
        if not engines:
            _note_rules(settings, has_order=samplers.samplers is not None)
    on = [
        sampler
        for sampler in SAMPLERS.values()
        if sampler.parameters[0] is TAU or (sampler.parameters[0] is BIAS and biases) or _is_on(sampler, values)
    ]
    order = _order(samplers.samplers, settings, on, typed_names, values)
    tau_in_file = None if order is not None and SAMPLERS["temperature"] not in order else values.pop(TAU.name, None)
    taus = taus if taus is not None or tau_in_file is None else [repr(tau_in_file)]
    engines = _supporting_engines(engines, order, values, allows_omission="all" in like)
    return taus, tuple(chain_of(engine, order, on, values) for engine in engines or (None,)), biases


def _settings(file: str | None) -> "Settings | None":
    if file is None:
        return None
    if not file:
        raise UsageError("--settings needs a file name")
    from tsoft.input.settings.settings_reader import read

    settings = read(file)
    for name, value in settings.values:
        _check(PARAMETERS[name], value, f"{settings.origin.where}: {settings.name(name)}", InputError)
    return settings


def _check(parameter: SamplerParameter, value: float, where: str, error: Error) -> None:
    if not parameter.allows(value):
        raise error(f"{where}: expected {parameter.range}, got {value:.15g}")


def _is_on(sampler: Sampler, values: dict[str, float]) -> bool:
    first = sampler.parameters[0]
    return values.get(first.name, first.off) != first.off


def _check_companions(typed: dict[str, float], values: dict[str, float]) -> None:
    """Raise UsageError for a parameter that modifies a sampler whose first parameter is missing."""
    for sampler in SAMPLERS.values():
        for first, second in zip(sampler.parameters, sampler.parameters[1:], strict=False):
            if second.name in typed and first is not TAU and first.name not in values:
                raise UsageError(f"{second.option} has no effect without {first.option}; add {first.option}")


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


def _engines(names: list[str]) -> list[Engine]:
    """Return the engines with these names, each once."""
    for name in names:
        if name not in ENGINES and name != "all":
            raise UsageError(f"--like: {unknown('engine', name, [*ENGINES, 'all'])}")
    return list(ENGINES.values()) if "all" in names else [ENGINES[name] for name in dict.fromkeys(names)]


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
        first = sampler.parameters[0]
        if sampler in order or first is BIAS:
            continue
        if first.name in typed:
            fix = f"add {sampler.name} to --samplers" if requested else f"pass --samplers with {sampler.name}"
            raise UsageError(f"{first.option} has no effect, because {source} does not list {sampler.name}; {fix}")
        if settings and first.name in values:
            ignored = f"{settings.name(first.name)} of {source}"
            note(f"tsoft ignores {ignored}, because {source} does not list {sampler.name}")
    return order


def _parsed(names: list[str], where: str, error: Error) -> tuple[Sampler, ...]:
    order: list[Sampler] = []
    for text in names:
        name = text.removeprefix("--").replace("-", "_").lower()
        if name in NEED_TEXT:
            raise error(f"{where}: {name} depends on the preceding text, which tsoft does not use; remove {name}")
        if name not in SAMPLERS_BY_NAME:
            raise error(f"{where}: {unknown('sampler', name, SAMPLERS, SAMPLERS_BY_NAME)}")
        if SAMPLERS_BY_NAME[name] in order:
            raise error(f"{where}: {name} is listed twice; list it once")
        order.append(SAMPLERS_BY_NAME[name])
    return tuple(order)


def _supporting_engines(
    engines: list[Engine], order: tuple[Sampler, ...] | None, values: dict[str, float], *, allows_omission: bool
) -> list[Engine]:
    """Return the engines that have the order and all parameters.

    Other engines are omitted with a note if the option allows this, as with --like all; otherwise raise UsageError.
    """
    obstacles = {engine.name: _obstacle(engine, order, values) for engine in ENGINES.values()}
    others = [name for name, obstacle in obstacles.items() if obstacle is None]
    obstacles = {engine.name: obstacles[engine.name] for engine in engines}
    for obstacle in dict.fromkeys(obstacles.values()):
        if obstacle is None:
            continue
        names = [name for name in obstacles if obstacles[name] == obstacle]
        if not allows_omission:
            fix = f"; use --like {' or '.join(others)}" if others else ""
            raise UsageError(f"--like {names[0]}: this engine has {obstacle}{fix}")
        verb, clause = ("is", "it has") if len(names) == 1 else ("are", "they have")
        note(f"{joined(names)} {verb} omitted, because {clause} {obstacle}")
    supporting = [engine for engine in engines if not obstacles[engine.name]]
    if engines and not supporting:
        raise UsageError("--like all: no engine has all of these options; remove one of them")
    return supporting


def _obstacle(engine: Engine, order: tuple[Sampler, ...] | None, values: dict[str, float]) -> str | None:
    """Return why an engine cannot apply the order and the parameters, as words that follow "has"; None if it can."""
    if order is not None and not engine.reorders:
        return "a fixed sampler order"
    on = [PARAMETERS[name] for name, value in values.items() if value != PARAMETERS[name].off]
    missing = [parameter.option for parameter in on if not engine.has(parameter.name)]
    return f"no {' and no '.join(missing)}" if missing else None


def _note_settings(settings: "Settings", typed: set[str]) -> None:
    """Print notes on the settings that tsoft takes from the file, and on those that it ignores."""
    # The sentences in `hidden` describe the defaults.
    omitted = {*typed, *settings.defaults}
    parts = [f"{settings.name(name)} {value:g}" for name, value in settings.values if name not in omitted]
    count = len(settings.biases)
    parts += [f"logit_bias of {count} class{'es' * (count != 1)}"] * bool(count)
    origin = settings.origin
    effect = f"sets {', '.join(parts)}" if parts else "sets nothing that the command line does not set"
    place = f" in {origin.path}" if origin.path else ""
    note(f"{origin.file}, {origin.kind}, {effect}{place}")
    hidden = settings.hidden if not settings.defaults or not typed.issuperset(settings.defaults) else ()
    for sentence in (*hidden, *settings.unused):
        note(f"{origin.file}: {sentence}")


def _note_rules(settings: "Settings", *, has_order: bool) -> None:
    """Print a note on the order and the rules of the samplers, if --like names no engine. With `has_order`, the order
    is that of --samplers."""
    origin = settings.origin
    order = "the file's order" if settings.samplers is not None else "tsoft's order"
    order = "the order of --samplers" if has_order else order
    if origin.engine:
        engine = f"--like {origin.engine}"
        note(f"the samplers follow {order} and tsoft's rules; pass {engine} for the rules of the file's engine")
    else:
        rules = f"the samplers follow {order} and tsoft's rules, and no defaults are added"
        note(f"{origin.file}: the engine is unknown, so {rules}; pass --like ENGINE if you know it")
