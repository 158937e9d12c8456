"""Notes on a settings file: what tsoft takes from it, what it ignores, and whose rules the samplers follow."""

from math import inf
from typing import TYPE_CHECKING

from tsoft.errors import joined
from tsoft.notes import note
from tsoft.sampling.sampler_table import Sampler

if TYPE_CHECKING:
    from tsoft.input.settings.settings import Settings


def _in_words(settings: "Settings", names: list[str]) -> list[str]:
    """Return some parameters of the file with their numbers, by the file's names. Two may have the same field."""
    values = dict(settings.values)
    numbers = {name: "all" if values[name] == inf else f"{values[name]:g}" for name in names}
    return list(dict.fromkeys(f"{settings.name(name)} {number}" for name, number in numbers.items()))


def note_settings(settings: "Settings", typed: set[str], ignored: list[Sampler], *, has_breakers: bool) -> None:
    """Print notes on the settings that tsoft takes from the file, and on those that it cannot apply. The samplers in
    `ignored` are not applied. With `has_breakers`, the file's sequence breakers are."""
    # The sentences in `hidden` describe the defaults.
    omitted = {*typed, *settings.defaults, *(parameter.name for sampler in ignored for parameter in sampler.parameters)}
    parts = _in_words(settings, [name for name, _ in settings.values if name not in omitted])
    if has_breakers and settings.breakers is not None:
        from tsoft.input.settings.field_values import shown

        parts.append(f"dry_sequence_breakers {shown(list(settings.breakers))}")
    count = len(settings.biases)
    parts += [f"logit_bias of {count} class{'es' * (count != 1)}"] * bool(count)
    origin = settings.origin
    is_overridden = any(name in typed for name, _ in settings.values)
    none = "has only settings that the command line overrides" if is_overridden else "has no settings that apply"
    effect = f"sets {', '.join(parts)}" if parts else none
    place = f" in {origin.path}" if origin.path else ""
    note(f"{origin.file}, {origin.kind}, {effect}{place}")
    hidden = settings.hidden if not settings.defaults or not typed.issuperset(settings.defaults) else ()
    for sentence in (*hidden, *settings.unused):
        note(f"{origin.file}: {sentence}")


def note_rules(settings: "Settings", *, has_order: bool) -> None:
    """Print a note on the order and the rules of the samplers, if --like names no engine. With `has_order`, the order
    is that of --samplers."""
    origin = settings.origin
    order = "the file's order" if settings.samplers is not None else "the default order (that of transformers)"
    order = "the order of --samplers" if has_order else order
    if origin.engine:
        engine = f"--like {origin.engine}"
        note(f"the samplers follow {order} and tsoft's rules; pass {engine} for the rules of the file's engine")
    else:
        rules = f"the samplers follow {order} and tsoft's rules, and no defaults are added"
        note(f"{origin.file}: the engine is unknown, so {rules}; pass --like ENGINE if you know it")


def note_ignored(settings: "Settings", ignored: list[Sampler], fix: str) -> None:
    """Print a note on the settings in the file that need the tokens before the distribution."""
    parameters = {parameter.name for sampler in ignored for parameter in sampler.parameters}
    fields = _in_words(settings, [name for name, _ in settings.values if name in parameters - {*settings.defaults}])
    problem = f"tsoft ignores {joined(fields)}, since the tokens before the distribution are unknown"
    note(f"{settings.origin.file}: {problem}; {fix}")
