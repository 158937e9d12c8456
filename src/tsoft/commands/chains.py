"""From the samplers' options, and a file of settings, to the chains that a block goes through."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from tsoft.commands.classes import named_number
from tsoft.commands.names import listed, nearest, one_of
from tsoft.commands.notes import note
from tsoft.commands.options import Knobs, Rules
from tsoft.commands.plan import Bias, Plan
from tsoft.core.doubts import Doubt, doubts
from tsoft.core.engines import ENGINES, Engine, chain_of
from tsoft.core.samplers import BIAS, SAMPLERS, TAU, Knob, NothingLeftError, Sampler
from tsoft.errors import InputError, TsoftError, UsageError

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.chain import Chain
    from tsoft.core.temperature import Array
    from tsoft.formats.settings import Settings

NAMES = {name: s for s in SAMPLERS.values() for name in (s.name, s.knobs[0].name, *s.aliases)}
KNOBS = {knob.name: knob for sampler in SAMPLERS.values() for knob in sampler.knobs}
# llama.cpp's, which look at the text so far.
NEED_TEXT = ("penalties", "dry", "infill")

Error = Callable[[str], TsoftError]


def say(plan: Plan, block: "Block", taus: "Array", said: set[str]) -> None:
    """Notes which classes a block lacks that have a bias; what a chain's engine does otherwise at
    a temperature; and where a class stays or goes by rounding or by a tie. Of each engine it is the first
    of either kind, which `said` remembers."""
    lacking = [bias.name for bias in plan.biases if bias.index(block) is None]
    if lacking and "biases" not in said:
        said.add("biases")
        names = ", ".join(map(repr, lacking[:5])) + ", …" * (len(lacking) > 5)
        note(f"row {block.first_row}: no class is called {names}, to which a logit_bias is given")
    for chain in plan.of(block):
        if chain is None or chain.engine is None:
            continue
        for tau in taus.tolist():
            _say_of(chain.engine, tau, said)
            _say_doubt(chain, chain.engine.name, block, tau, said)


def _say_of(engine: Engine, tau: float, said: set[str]) -> None:
    """What the engine does of its own at a temperature near 0."""
    sentence = engine.when_cold(tau)
    if sentence and sentence not in said:
        said.add(sentence)
        note(f"{engine.name} {sentence}")


def _say_doubt(chain: "Chain", engine: str, block: "Block", tau: float, said: set[str]) -> None:
    if engine in said:
        return
    # Where nothing is left, the distribution itself is an error.
    with contextlib.suppress(NothingLeftError):
        if found := doubts(chain, block.logits, tau):
            said.add(engine)
            note(_doubted(found[0], block, engine, tau))


def _doubted(doubt: Doubt, block: "Block", engine: str, tau: float) -> str:
    name = block.names[doubt.index] if block.given else repr(block.names[doubt.index])
    where = f"row {block.rows[doubt.row]}, τ = {tau:g}: {doubt.step} of {engine}"
    if doubt.ties:
        return f"{where} removes {name}, which ties with a class that stays: which of them does is up to its sort"
    return f"{where} decides {name} otherwise in float32: it is {doubt.slack:.2g} from the threshold"


def planned(rules: Rules, knobs: Knobs, taus: list[str] | None) -> Plan:
    """What was typed, and under it what the file of settings says."""
    settings = _settings(rules.settings)
    typed = {name: value for name, value in vars(knobs).items() if value is not None and name != BIAS.name}
    for name, value in typed.items():
        _check(KNOBS[name], value, KNOBS[name].option, UsageError)
    values = dict(settings.values if settings else ()) | typed
    _check_companions(typed, values)
    biases = _biases(knobs, settings)
    like = [name.lower() for name in listed(rules.like)]
    engines = _engines(like)
    by_hand = set(typed) | ({TAU.name} if taus else set())
    if settings:
        # A sweep's grid overrules a file's temperature as well.
        _say(settings, by_hand | ({TAU.name} if taus is not None else set()), engines)
    on = [s for s in SAMPLERS.values() if s.knobs[0] is TAU or (s.knobs[0] is BIAS and biases) or _is_on(s, values)]
    order = _order(rules.samplers, settings, on, by_hand, values)
    in_file = None if order is not None and SAMPLERS["temperature"] not in order else values.pop(TAU.name, None)
    taus = taus if taus is not None or in_file is None else [repr(in_file)]
    engines = _able(engines, order, values, "all" in like)
    return Plan(taus, tuple(chain_of(engine, order, on, values) for engine in engines or (None,)), biases)


def _settings(file: str | None) -> "Settings | None":
    if file is None:
        return None
    if not file:
        raise UsageError("--settings needs a file's name")
    from tsoft.formats import settings

    found = settings.read(file)
    for name, value in found.values:
        _check(KNOBS[name], value, f"{file}: {found.name(name)}", InputError)
    return found


def _check(knob: Knob, value: float, where: str, error: Error) -> None:
    if not knob.allows(value):
        raise error(f"{where}: {value:g} is not {knob.range}")


def _is_on(sampler: Sampler, values: dict[str, float]) -> bool:
    first = sampler.knobs[0]
    return values.get(first.name, first.off) != first.off


def _check_companions(typed: dict[str, float], values: dict[str, float]) -> None:
    """A knob that sets how another one works is of no use without it."""
    for sampler in SAMPLERS.values():
        for first, second in zip(sampler.knobs, sampler.knobs[1:], strict=False):
            if second.name in typed and first is not TAU and first.name not in values:
                raise UsageError(f"{second.option} says how {first.option} works, which is not given")


def _biases(knobs: Knobs, settings: "Settings | None") -> tuple[Bias, ...]:
    """What is typed, after what the file of settings has of classes that are not typed."""
    typed = [Bias(*named_number(text, BIAS.option, "LABEL=B")) for text in knobs.logit_bias or ()]
    for bias in typed:
        if not bias.value < float("inf"):
            raise UsageError(f"{BIAS.option}: {bias.value:g} for {bias.name!r} is not a number, or -inf")
    names = {bias.name for bias in typed}
    filed = [
        Bias(f"#{who}" if isinstance(who, int) else who, value, in_file=True)
        for who, value in (settings.biases if settings else ())
    ]
    return (*(bias for bias in filed if bias.name not in names), *typed)


def _engines(names: list[str]) -> list[Engine]:
    """The engines by their names, each once."""
    for name in names:
        if name not in ENGINES and name != "all":
            raise UsageError(f"--like: no engine is called {name!r}{nearest(name, ENGINES)}; {one_of(ENGINES)}, or all")
    return list(ENGINES.values()) if "all" in names else [ENGINES[name] for name in dict.fromkeys(names)]


def _order(
    asked: str | None, settings: "Settings | None", on: list[Sampler], typed: set[str], values: dict[str, float]
) -> tuple[Sampler, ...] | None:
    """The samplers as they were listed, None where they were not. What is typed has to be among them."""
    if asked is not None:
        order = _parsed([name for name in listed([asked]) if name], "--samplers", UsageError)
        if not order:
            raise UsageError(f"--samplers: no sampler is listed; {one_of(SAMPLERS)}")
        lister = "--samplers"
    elif settings and settings.samplers is not None:
        order = _parsed(list(dict.fromkeys(settings.samplers)), f"{settings.source}: samplers", InputError)
        lister = settings.source
    else:
        return None
    for sampler in on:
        first = sampler.knobs[0]
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
            raise error(f"{where}: no sampler is called {text!r}{nearest(name, NAMES)}; {one_of(SAMPLERS)}")
        if NAMES[name] in order:
            raise error(f"{where}: {name} is listed twice")
        order.append(NAMES[name])
    return tuple(order)


def _able(
    engines: list[Engine], asked: tuple[Sampler, ...] | None, values: dict[str, float], may_lack: bool
) -> list[Engine]:
    """The engines that can do what was asked. One that was named has to; the others are left out, which
    is said."""
    lacking = {engine.name: _lack(engine, asked, values) for engine in engines}
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


def _lack(engine: Engine, asked: tuple[Sampler, ...] | None, values: dict[str, float]) -> str | None:
    """What of the order and of the knobs an engine does not have."""
    if asked is not None and not engine.reorders:
        return f"a fixed order; --samplers is for {', '.join(e.name for e in ENGINES.values() if e.reorders)}"
    on = [KNOBS[name] for name, value in values.items() if value != KNOBS[name].off]
    lacking = [knob.option for knob in on if not engine.has(knob.name)]
    return f"no {' and no '.join(lacking)}" if lacking else None


def _say(settings: "Settings", typed: set[str], engines: list[Engine]) -> None:
    """What the file gives that was not typed, what its engine would do besides, and what is left out."""
    given = [f"{settings.name(name)} {value:g}" for name, value in settings.values if name not in typed]
    count = len(settings.biases)
    given += [f"logit_bias of {count} class{'es' * (count != 1)}"] * bool(count)
    note(f"{settings.source}, {settings.kind}, gives {', '.join(given) or 'no sampler that is not typed'}")
    hidden = settings.hidden if not settings.defaults or not typed.issuperset(settings.defaults) else ()
    for sentence in (*hidden, *settings.unused):
        note(f"{settings.source}: {sentence}")
    if settings.engine and not engines:
        order = "the file's order" if settings.samplers is not None else "tsoft's own order"
        note(f"these are {order} and tsoft's own rules; --like {settings.engine} takes those of the file's engine")
