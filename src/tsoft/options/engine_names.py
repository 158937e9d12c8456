"""The engines that `--like` names, and whether they have the samplers that the user sets."""

from tsoft.errors import UsageError, joined, unknown
from tsoft.notes import note
from tsoft.options.engine_chains import EngineDefaults
from tsoft.options.sampler_options import PARAMETERS
from tsoft.sampling.engines import DEFAULT_ENGINES, ENGINES, Engine, paths_of
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, Sampler


def engines_by_name(names: list[str]) -> list[Engine]:
    """Return the engines with these names, each once. Raise UsageError for an unknown name."""
    for name in names:
        family, _, path = name.partition("@")
        if path and family in DEFAULT_ENGINES and name not in ENGINES:
            paths = paths_of(family)
            problem = f"{family} has no path {path!r}" if paths else f"{family} has only one path"
            raise UsageError(f"--like: {problem}; pass {' or '.join(paths or [family])}")
        if name not in ENGINES and name != "all":
            raise UsageError(f"--like: {unknown('engine', name, [*DEFAULT_ENGINES, 'all'], ENGINES)}")
    return [*DEFAULT_ENGINES.values()] if "all" in names else [ENGINES[name] for name in dict.fromkeys(names)]


def supporting_engines(
    engines: list[Engine],
    order: tuple[Sampler, ...] | None,
    on: list[Sampler],
    values: dict[str, float],
    defaults: EngineDefaults,
    *,
    allows_omission: bool,
) -> list[Engine]:
    """Return the engines that have all parameters, and the order of the samplers that are `on`, or that their defaults
    switch on.

    Other engines are omitted with a note if the option allows this, as with --like all; otherwise raise UsageError.
    """
    obstacles = {engine.name: _obstacle(engine, order, on, values, defaults) for engine in ENGINES.values()}
    others = [name for name in DEFAULT_ENGINES if obstacles[name] is None]
    obstacles = {engine.name: obstacles[engine.name] for engine in engines}
    for obstacle in dict.fromkeys(obstacles.values()):
        if obstacle is None:
            continue
        names = [name for name in obstacles if obstacles[name] == obstacle]
        if not allows_omission:
            # Not --like all, since some commands apply only one engine or two.
            fix = f"; choose from {', '.join(others)}" if others else ""
            raise UsageError(f"--like {names[0]}: this engine has {obstacle}{fix}")
        verb, clause = ("is", "it has") if len(names) == 1 else ("are", "they have")
        note(f"{joined(names)} {verb} omitted, because {clause} {obstacle}")
    supporting = [engine for engine in engines if not obstacles[engine.name]]
    if engines and not supporting:
        raise UsageError("--like all: no engine has all of these options; remove one of them")
    return supporting


def _obstacle(
    engine: Engine,
    order: tuple[Sampler, ...] | None,
    on: list[Sampler],
    values: dict[str, float],
    defaults: EngineDefaults,
) -> str | None:
    """Return why an engine cannot apply the order and the parameters, as words that follow "has"; None if it can."""
    if order is not None and not engine.reorders:
        return "a fixed sampler order"
    active = {*(sampler.name for sampler in on), *defaults.names(engine)}
    own = {sampler.name for sampler in engine.samplers}
    # The place of a sampler that is off, or that the engine lacks, does not matter.
    names = [sampler.name for sampler in order or () if sampler.name in active & own]
    if order is not None and engine.ordered(names) != names:
        return f"only the order {';'.join(engine.ordered(names))} for these samplers"
    switched = [PARAMETERS[name] for name, value in values.items() if value != PARAMETERS[name].off]
    switched += [BIAS] * (SAMPLERS[BIAS.name] in on)
    missing = [parameter.option for parameter in switched if not engine.has(parameter.name)]
    # The engine may have a sampler whose rule tsoft does not have.
    return f"no {' and no '.join(missing)} in tsoft" if missing else None
