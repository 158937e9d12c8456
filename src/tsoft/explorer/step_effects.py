"""The effect of each step of a chain in numbers: the classes that it keeps and cuts, and their probability."""

from dataclasses import dataclass

from tsoft.explorer.sampler_state import short_name
from tsoft.explorer.snapshot import Snapshot
from tsoft.sampling.explanation import Stage
from tsoft.sampling.partial_explanation import PartialStage
from tsoft.sampling.sampler_table import TAU
from tsoft.sampling.step import Step


@dataclass(frozen=True)
class StepEffect:
    """The effect of a step: the numbers of the classes that it keeps and cuts, and the total probability of the classes
    that it cuts, before the step.

    For an API response, the numbers count the listed classes, `undecided` counts those that may or may not be kept, and
    the probability `cut_prob` is None. `may_keep_unlisted` is None without a response.
    """

    name: str
    kept: int
    cut: int
    cut_prob: float | None = None
    undecided: int = 0
    may_keep_unlisted: bool | None = None


def step_effects(snapshot: Snapshot) -> list[StepEffect]:
    """Return the effect of each step, in the order of the chain. A step that is applied at random cuts its share of
    the probability, and keeps the classes.

    >>> import numpy as np
    >>> from tsoft.core.block import Block
    >>> from tsoft.explorer.explorer_rows import ExplorerRows
    >>> from tsoft.sampling.chain import chain_of
    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> row = ExplorerRows([Block(np.log([[0.5, 0.25, 0.125, 0.125]]))]).row(0)
    >>> chain = chain_of(None, None, [SAMPLERS["top_k"]], {"top_k": 2})
    >>> [effect] = step_effects(Snapshot(row, 1.0, chain))
    >>> effect.name, effect.kept, effect.cut, round(effect.cut_prob, 9)
    ('top_k 2', 2, 2, 0.25)
    """
    effects: list[StepEffect] = []
    for stage in snapshot.stages:
        effects.append(_partial_effect(stage) if isinstance(stage, PartialStage) else _effect(stage))
    return effects


def _effect(stage: Stage) -> StepEffect:
    before, kept = stage.before.kept_count, stage.after.kept_count
    # A step that cuts nothing needs no sum over all classes.
    cut_prob = stage.cut if kept < before or stage.step.sampler.at_random else 0.0
    return StepEffect(_name(stage.step), kept, before - kept, cut_prob)


def _partial_effect(stage: PartialStage) -> StepEffect:
    undecided = int(stage.undecided.sum())
    kept, cut = int(stage.kept.sum()) - undecided, int(stage.is_removed.sum())
    return StepEffect(_name(stage.step), kept, cut, None, undecided, stage.may_have_unlisted)


def _name(step: Step) -> str:
    """Return a step as a text with short names of the parameters, because the chart is narrow.

    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> _name(Step(SAMPLERS["mirostat"], (5.0, 0.1, 4.125))), _name(Step(SAMPLERS["penalties"], (1.2, 0.0, 0.0, 64)))
    ('mirostat 5 mu 4.125', 'penalties repetition 1.2 last_n 64')
    """
    name, *words = str(step).split(" ")
    return " ".join([name, *(short_name(step.sampler, word) for word in words)])


def has_samplers(snapshot: Snapshot) -> bool:
    """Return whether the chain has a step that is not the temperature."""
    chain = snapshot.chain
    return chain is not None and any(step.sampler.parameters[:1] != (TAU,) for step in chain.at(snapshot.tau))
