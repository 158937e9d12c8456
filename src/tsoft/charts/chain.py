"""A chain of samplers in words and tables: its order, its steps, and where two of them part."""

from collections.abc import Iterator, Sequence

import numpy as np

from tsoft.charts.style import number_text, prob_text, tau_text, wrapped
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.measures import total_variation
from tsoft.errors import shortened, visible
from tsoft.sampling.distributions import Distributions, unit
from tsoft.sampling.explanation import Stage
from tsoft.sampling.first_difference import first_difference


def orders(results: Sequence[Distributions], view: View) -> str:
    """Each chain's samplers in their order, in lines that fit."""
    texts = ""
    for result in results:
        assert result.chain
        whose = f"{result.engine}: " if result.engine else "samplers: "
        text = whose + (" → ".join(_step_texts(result)) or "none")
        texts += wrapped(text, view.screen.width)
    return texts


def _step_texts(result: Distributions) -> list[str]:
    """The steps, the temperature's with its number where there is one."""
    assert result.chain
    taus = result.taus.tolist()
    steps = [str(step) for step in result.chain.at(taus[0])]
    return steps if len(taus) == 1 else [str(step) for step in result.chain.steps]


def explanations(results: Sequence[Distributions], view: View) -> Iterator[str]:
    """A table of the steps for each chain at each temperature."""
    for result in results:
        for t, tau in enumerate(result.taus.tolist()):
            head = " ".join([result.engine or "", tau_text(tau) if len(result.taus) > 1 else ""]).strip()
            yield (head + "\n" if head else "") + _steps(result.stages(t, 0), result, view)


HEADS = ("step", "kept", "cut", "entropy", "top", "keeps")


def _steps(stages: Sequence[Stage], result: Distributions, view: View) -> str:
    """What each step leaves and cuts."""
    names = result.block.names
    return text_tables([HEADS, *(_step_row(stage, names, view) for stage in stages)], view.screen, right=HEADS[1:4])


def _step_row(stage: Stage, names: list[str], view: View) -> tuple[str, ...]:
    threshold = "" if stage.threshold is None else number_text(stage.threshold)
    return (
        str(stage.step),
        str(int(stage.kept.sum())),
        prob_text(stage.cut, view.digits) if stage.cut else "",
        prob_text(stage.entropy / unit("entropy", view.bits), view.digits),
        shortened(visible(names[stage.top]), 16),
        (stage.keeps or "").replace("threshold", threshold),
    )


def comparison(results: Sequence[Distributions], view: View) -> str:
    """The total variation between each two chains, and in words where the others part from the first."""
    parts = []
    for t, tau in enumerate(results[0].taus.tolist()):
        head = f" at {tau_text(tau)}" if len(results[0].taus) > 1 else ""
        sentences = "".join(_sentence(results[0], other, t, view) for other in results[1:])
        parts.append(f"total variation{head}\n{_distances(results, t, view)}\n{sentences}")
    return "\n".join(parts)


def _distances(results: Sequence[Distributions], t: int, view: View) -> str:
    names = [str(result.engine) for result in results]
    rows = [["", *names[:-1]]]
    for i, result in enumerate(results[1:], 1):
        others = (total_variation(result.probs[t, 0], other.probs[t, 0]) for other in results[:i])
        texts = [prob_text(float(other), view.digits) for other in others]
        rows.append([names[i], *texts, *[""] * (len(names) - 1 - i)])
    return text_tables(rows, view.screen)


def _sentence(first: Distributions, other: Distributions, t: int, view: View) -> str:
    """Where another engine parts from the first, in words."""
    stages = first.stages(t, 0), other.stages(t, 0)
    z = first.block.logits[0]
    found = first_difference(*stages, z)
    if found is None:
        same = np.allclose(first.probs[t, 0], other.probs[t, 0], rtol=1e-9, atol=0)
        words = f"leaves the same as {first.engine}"
        if not same:
            words = f"keeps the same classes as {first.engine}, with other probabilities"
    else:
        remover, keeper = (first, other) if found.by_first else (other, first)
        name = first.block.names[found.index]
        steps = stages[0 if found.by_first else 1]
        step = f"{steps[found.step].step} (step {found.step + 1} of {len(steps)})"
        shown = shortened(visible(name), 24)
        shown = shown if first.block.partial else f"'{shown}'"
        words = f"differs first at {shown}: {remover.engine} removes it by {step}, {keeper.engine} keeps it"
    return wrapped(f"{other.engine} {words}.", view.screen.width)
