"""The chains of engines, with their default settings from --defaults."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tsoft.errors import UsageError, joined
from tsoft.notes import note
from tsoft.sampling.chain import Chain, chain_of, is_on
from tsoft.sampling.engine import Engine
from tsoft.sampling.sampler_table import SAMPLERS, TAU, Sampler

if TYPE_CHECKING:
    from tsoft.options.token_names import TokenNames

OPTION = "--defaults"


@dataclass(frozen=True)
class EngineDefaults:
    """The `values` of parameters that each engine adds, by its name, to those that the user has set."""

    values: Mapping[str, Mapping[str, float]]
    applies: bool

    @classmethod
    def of(cls, engines: list[Engine], applies: bool, names: Collection[str]) -> "EngineDefaults":
        """Return the defaults of the engines for parameters other than those `names`; nothing unless they apply.

        Raise UsageError without an engine.
        """
        if applies and not engines:
            raise UsageError(f"{OPTION} has no effect without --like; add --like ENGINE")
        added = {
            engine.name: {name: value for name, value in engine.api.defaults if applies and name not in names}
            for engine in engines
        }
        return cls(added, applies)

    @property
    def on(self) -> list[Sampler]:
        """The samplers that the defaults of any engine switch on."""
        return [
            sampler for sampler in SAMPLERS.values() if any(_is_added(sampler, added) for added in self.values.values())
        ]

    def names(self, engine: Engine) -> list[str]:
        """Return the names of the samplers that the defaults of an engine switch on, none if it is not compared."""
        added = self.values.get(engine.name, {})
        return [sampler.name for sampler in SAMPLERS.values() if _is_added(sampler, added)]

    @property
    def taus(self) -> list[str] | None:
        """The temperature of the engines, None if the defaults do not apply. Raise UsageError if it differs."""
        taus = {name: added[TAU.name] for name, added in self.values.items() if TAU.name in added}
        if len(set(taus.values())) > 1:
            words = [f"{tau:g} in {name}" for name, tau in taus.items()]
            raise UsageError(f"{OPTION}: the default temperature is {joined(words)}; pass --tau, or one engine")
        return [repr(tau) for tau in taus.values()][:1] or None

    def without_history(self, fix: str) -> "EngineDefaults":
        """Return the defaults without those that need the tokens before the distribution, and print notes on these."""
        needing = [parameter.name for sampler in self.on if sampler.needs_history for parameter in sampler.parameters]
        for engine, added in self.values.items():
            if names := [f"{name} {value:g}" for name, value in added.items() if name in needing]:
                reason = "since the tokens before the distribution are unknown"
                note(f"tsoft ignores the default {joined(names)} of {engine}, {reason}; {fix}")
        remaining = {
            engine: {name: value for name, value in added.items() if name not in needing}
            for engine, added in self.values.items()
        }
        return replace(self, values=remaining)

    def note(self, chains: Iterable[Chain | None]) -> None:
        """Print which defaults apply in the chains of the engines, and where they come from."""
        engines: dict[tuple[str, str], list[str]] = {}
        for chain in chains if self.applies else ():
            if chain and chain.engine:
                effect = self._effect(chain.engine, {step.sampler.name for step in chain.steps})
                engines.setdefault((effect, chain.engine.api.defaults_note), []).append(chain.engine.name)
        for (effect, source), names in engines.items():
            verb = "sets" if len(names) == 1 else "set"
            note(f"by default, {joined(names)} {verb} {effect}{'; ' if source else ''}{source}")

    def _effect(self, engine: Engine, applied: Collection[str]) -> str:
        """Return in words which defaults of an engine apply with the `applied` samplers."""
        used = {
            parameter.name for sampler in engine.samplers for parameter in sampler.parameters if sampler.name in applied
        }
        words = [
            f"{'temperature' if name == TAU.name else name} {value:g}"
            for name, value in self.values[engine.name].items()
            if name in used
        ]
        return ", ".join(words) or "nothing else"


def _is_added(sampler: Sampler, added: Mapping[str, float]) -> bool:
    return not sampler.is_bias and not sampler.is_temperature and is_on(sampler, added)


def engine_chain(
    engine: Engine | None,
    order: tuple[Sampler, ...] | None,
    on: list[Sampler],
    values: Mapping[str, float],
    defaults: EngineDefaults,
) -> Chain:
    """Return the chain by the rules of an engine, with its defaults if they apply, or by tsoft's if `engine` is None.

    Print notes on what the engine does not apply, and on what tsoft does not compute.
    """
    if engine is None:
        return chain_of(None, order, on, values)
    added = defaults.names(engine)
    active = [sampler for sampler in SAMPLERS.values() if sampler in on or sampler.name in added]
    chain = chain_of(engine, order, active, {**defaults.values[engine.name], **values})
    applied = {step.sampler.name for step in chain.steps}
    ignored = [sampler.name for sampler in on if engine.omits(sampler.name, applied) and is_on(sampler, values)]
    parameters = {parameter.name for step in chain.steps for parameter in step.sampler.parameters}
    ignored += [
        parameter.name
        for sampler in on
        for parameter in sampler.parameters
        if sampler.name in applied and engine.has(parameter.name) and parameter.name not in parameters
        if values.get(parameter.name, parameter.off) != parameter.off
    ]
    if ignored:
        note(f"{engine.name} does not apply {joined(ignored)} with {joined(list(engine.condition(applied)))}")
    names = set().union(*(step.names for step in chain.steps))
    for caveat in engine.caveats:
        if caveat.max_log_prob is None and names.issuperset(caveat.names):
            note(caveat.message(engine.name))
    return chain


def note_prompt(chains: Iterable[Chain | None], text: "TokenNames | None", prompt_tokens: int | None) -> None:
    """Print a note on each engine with a penalty that spares the prompt, if the tokens of --history all count as
    generated because the user did not say how many `prompt_tokens` there are."""
    if text is None or not text.names or prompt_tokens is not None:
        return
    for chain in chains:
        if chain is None or chain.engine is None:
            continue
        settings = [(step.sampler, *setting) for step in chain.steps for setting in step.settings]
        names = [
            parameter.name
            for sampler, parameter, value in settings
            if parameter.name in sampler.output_only and value != parameter.off
        ]
        if names:
            effect = f"{chain.engine.name} does not apply {joined(names)} to the prompt"
            fix = "pass --prompt-tokens with the length of the prompt, or 0"
            note(f"{effect}, but all {len(text.names)} tokens of {text.source} count as generated; {fix}")
