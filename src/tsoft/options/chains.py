"""The chains that the samplers' options and a file of settings ask for."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tsoft.errors import InputError, TsoftError, UsageError
from tsoft.notes import note
from tsoft.options.biases import Bias
from tsoft.options.class_names import named_number
from tsoft.options.names import did_you_mean, one_of, split_names
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.sampling.chain import Chain, chain_of
from tsoft.sampling.engines import ENGINES, Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

if TYPE_CHECKING:
    from tsoft.input.settings import Settings

NAMES = {name: s for s in SAMPLERS.values() for name in (s.name, s.parameters[0].name, *s.aliases)}
PARAMETERS = {parameter.name: parameter for sampler in SAMPLERS.values() for parameter in sampler.parameters}
# llama.cpp's samplers that look at the text so far.
NEED_TEXT = ("penalties", "dry", "infill")

Error = Callable[[str], TsoftError]


def planned(
    samplers: SamplerOptions, parameters: ParameterOptions, taus: list[str] | None
) -> "tuple[list[str] | None, tuple[Chain | None, ...], tuple[Bias, ...]]":
    """The temperatures, the chains and the biases of what was typed and, where nothing was, of the file of settings."""
    settings = _settings(samplers.settings)
    typed = {name: value for name, value in vars(parameters).items() if value is not None and name != BIAS.name}
    for name, value in typed.items():
        _check(PARAMETERS[name], value, PARAMETERS[name].option, UsageError)
    values = dict(settings.values if settings else ()) | typed
    _check_companions(typed, values)
    biases = _biases(parameters, settings)
    like = [name.lower() for name in split_names(samplers.like)]
    engines = _engines(like)
    by_hand = set(typed) | ({TAU.name} if taus else set())
    if settings:
        # A sweep's grid overrules a file's temperature as well.
        _note_settings(settings, by_hand | ({TAU.name} if taus is not None else set()), engines)
    on = [
        s
        for s in SAMPLERS.values()
        if s.parameters[0] is TAU or (s.parameters[0] is BIAS and biases) or _is_on(s, values)
    ]
    order = _order(samplers.samplers, settings, on, by_hand, values)
    in_file = None if order is not None and SAMPLERS["temperature"] not in order else values.pop(TAU.name, None)
    taus = taus if taus is not None or in_file is None else [repr(in_file)]
    engines = _able(engines, order, values, "all" in like)
    return taus, tuple(chain_of(engine, order, on, values) for engine in engines or (None,)), biases


def _settings(file: str | None) -> "Settings | None":
    if file is None:
        return None
    if not file:
        raise UsageError("--settings needs a file's name")
    from tsoft.input import settings

    read = settings.read(file)
    for name, value in read.values:
        _check(PARAMETERS[name], value, f"{file}: {read.name(name)}", InputError)
    return read


def _check(parameter: SamplerParameter, value: float, where: str, error: Error) -> None:
    if not parameter.allows(value):
        raise error(f"{where}: {value:g} is not {parameter.range}")


def _is_on(sampler: Sampler, values: dict[str, float]) -> bool:
    first = sampler.parameters[0]
    return values.get(first.name, first.off) != first.off


def _check_companions(typed: dict[str, float], values: dict[str, float]) -> None:
    """Raises UsageError for a parameter that says how another one works, where that is not set."""
    for sampler in SAMPLERS.values():
        for first, second in zip(sampler.parameters, sampler.parameters[1:], strict=False):
            if second.name in typed and first is not TAU and first.name not in values:
                raise UsageError(f"{second.option} says how {first.option} works, which is not given")


def _biases(parameters: ParameterOptions, settings: "Settings | None") -> tuple[Bias, ...]:
    """The biases that are typed, after those that the file of settings has of other classes."""
    typed = [Bias(*named_number(text, BIAS.option, "LABEL=B")) for text in parameters.logit_bias or ()]
    for bias in typed:
        if not bias.value < float("inf"):
            raise UsageError(f"{BIAS.option}: {bias.value:g} for {bias.name!r} is not a number, or -inf")
    names = {bias.name for bias in typed}
    in_file = [
        Bias(f"#{name}" if isinstance(name, int) else name, value, in_file=True)
        for name, value in (settings.biases if settings else ())
    ]
    return (*(bias for bias in in_file if bias.name not in names), *typed)


def _engines(names: list[str]) -> list[Engine]:
    """The engines by their names, each once."""
    for name in names:
        if name not in ENGINES and name != "all":
            raise UsageError(
                f"--like: no engine is called {name!r}{did_you_mean(name, ENGINES)}; {one_of(ENGINES)}, or all"
            )
    return list(ENGINES.values()) if "all" in names else [ENGINES[name] for name in dict.fromkeys(names)]


def _order(
    requested: str | None, settings: "Settings | None", on: list[Sampler], typed: set[str], values: dict[str, float]
) -> tuple[Sampler, ...] | None:
    """The samplers in the order that is listed; None where none is. What is typed must be among them."""
    if requested is not None:
        order = _parsed([name for name in split_names([requested]) if name], "--samplers", UsageError)
        if not order:
            raise UsageError(f"--samplers: no sampler is listed; {one_of(SAMPLERS)}")
        lister = "--samplers"
    elif settings and settings.samplers is not None:
        order = _parsed(list(dict.fromkeys(settings.samplers)), f"{settings.source}: samplers", InputError)
        lister = settings.source
    else:
        return None
    for sampler in on:
        first = sampler.parameters[0]
        if sampler in order or first is BIAS:
            continue
        if first.name in typed:
            raise UsageError(f"{first.option} is given, but {lister} lists no {sampler.name}")
        if settings and first.name in values:
            note(f"{lister} lists no {sampler.name}: {settings.name(first.name)} of {settings.source} is not applied")
    return order


def _parsed(names: list[str], where: str, error: Error) -> tuple[Sampler, ...]:
    order: list[Sampler] = []
    for text in names:
        name = text.removeprefix("--").replace("-", "_").lower()
        if name in NEED_TEXT:
            raise error(f"{where}: {name} needs the text so far, which logits do not have")
        if name not in NAMES:
            raise error(f"{where}: no sampler is called {text!r}{did_you_mean(name, NAMES)}; {one_of(SAMPLERS)}")
        if NAMES[name] in order:
            raise error(f"{where}: {name} is listed twice")
        order.append(NAMES[name])
    return tuple(order)


def _able(
    engines: list[Engine], order: tuple[Sampler, ...] | None, values: dict[str, float], may_lack: bool
) -> list[Engine]:
    """The engines that have the order and all parameters. One that was named must; of all engines the others are
    left out, with a note."""
    lacking = {engine.name: _lack(engine, order, values) for engine in engines}
    reasons = {lack: [name for name, reason in lacking.items() if reason == lack] for lack in lacking.values() if lack}
    for lack, names in reasons.items():
        if not may_lack:
            raise UsageError(f"{names[0]} has {lack}")
        is_, has = ("is", "it has") if len(names) == 1 else ("are", "they have")
        note(f"{', '.join(names)} {is_} left out: {has} {lack}")
    able = [engine for engine in engines if not lacking[engine.name]]
    if engines and not able:
        raise UsageError("no engine has all of that")
    return able


def _lack(engine: Engine, order: tuple[Sampler, ...] | None, values: dict[str, float]) -> str | None:
    """What of the order and the parameters an engine lacks, in words."""
    if order is not None and not engine.reorders:
        return f"a fixed order; --samplers is for {', '.join(e.name for e in ENGINES.values() if e.reorders)}"
    on = [PARAMETERS[name] for name, value in values.items() if value != PARAMETERS[name].off]
    lacking = [parameter.option for parameter in on if not engine.has(parameter.name)]
    return f"no {' and no '.join(lacking)}" if lacking else None


def _note_settings(settings: "Settings", typed: set[str], engines: list[Engine]) -> None:
    """Notes what the file sets that is not typed, what its engine would do itself, and what is not used."""
    parts = [f"{settings.name(name)} {value:g}" for name, value in settings.values if name not in typed]
    count = len(settings.biases)
    parts += [f"logit_bias of {count} class{'es' * (count != 1)}"] * bool(count)
    note(f"{settings.source}, {settings.kind}, gives {', '.join(parts) or 'no sampler that is not typed'}")
    hidden = settings.hidden if not settings.defaults or not typed.issuperset(settings.defaults) else ()
    for sentence in (*hidden, *settings.unused):
        note(f"{settings.source}: {sentence}")
    if settings.engine and not engines:
        order = "the file's order" if settings.samplers is not None else "tsoft's own order"
        note(f"these are {order} and tsoft's own rules; --like {settings.engine} takes those of the file's engine")
