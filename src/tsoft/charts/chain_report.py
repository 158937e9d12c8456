"""A chain of samplers in words and tables: its order, its steps, and the differences between several chains."""

from collections.abc import Iterator, Sequence

import numpy as np

from tsoft.charts.style import number_text, prob_text, tau_text, wrapped
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.measures import total_variation
from tsoft.core.softmax import Array
from tsoft.errors import joined, shortened, visible
from tsoft.sampling.distributions import Distributions, measure_unit
from tsoft.sampling.explanation import Stage
from tsoft.sampling.first_difference import first_difference
from tsoft.sampling.partial_distributions import PartialDistributions
from tsoft.sampling.partial_explanation import PartialStage
from tsoft.sampling.sampler_table import BIAS
from tsoft.sampling.samplers import logit_bias

_STEP_COLUMNS = ("step", "kept", "cut", "entropy", "top", "keeps")
_PARTIAL_STEP_COLUMNS = ("step", "kept", "undecided", "unlisted", "removes")
# At most this many tokens that a step removes are named.
_MAX_NAMED = 3


def sampler_order(results: Sequence[Distributions], view: View) -> str:
    """Return each chain's samplers in order, in lines that fit."""
    texts = ""
    for result in results:
        assert result.chain
        taus = result.taus.tolist()
        # With a single temperature, the temperature step shows its value.
        steps = result.chain.at(taus[0]) if len(taus) == 1 else result.chain.steps
        samplers = " → ".join(map(str, steps)) or "none"
        texts += wrapped(f"{result.engine or 'samplers'}: {samplers}", view.screen.width)
    return texts


def step_tables(results: Sequence[Distributions], view: View) -> Iterator[str]:
    """Yield a table of the steps of each chain at each temperature."""
    for result in results:
        for t, tau in enumerate(result.taus.tolist()):
            header = " ".join([result.engine or "", tau_text(tau) if len(result.taus) > 1 else ""]).strip()
            if isinstance(result, PartialDistributions):
                table = _partial_steps(result, t, view)
            else:
                table = _steps(result, t, view)
            yield (header + "\n" if header else "") + table


def _steps(result: Distributions, t: int, view: View) -> str:
    """Return the table of the steps at a temperature."""
    stages = result.stages(t, 0)
    view.legend.add(*_STEP_COLUMNS[1:], *["H"] * any("H" in (stage.keeps or "") for stage in stages))
    at_random = (step.sampler.name for step in (stage.step for stage in stages) if step.sampler.at_random)
    view.legend.add_lines(*(f"{name}: applied at random, so what it cuts is an average" for name in at_random))
    rows = [_step_row(stage, result.block.names, view) for stage in stages]
    return text_tables([_STEP_COLUMNS, *rows], view.screen, right=_STEP_COLUMNS[1:4])


def _partial_steps(result: PartialDistributions, t: int, view: View) -> str:
    """Return the table of the steps on a partial distribution at a temperature."""
    view.legend.add("kept", *(f"{name} tokens" for name in _PARTIAL_STEP_COLUMNS[2:]))
    rows = [_partial_step_row(stage, result.block.names) for stage in result.stages(t, 0)]
    return text_tables([_PARTIAL_STEP_COLUMNS, *rows], view.screen, right=_PARTIAL_STEP_COLUMNS[1:3])


def _partial_step_row(stage: PartialStage, names: Sequence[str]) -> tuple[str, ...]:
    removed = [shortened(visible(names[i]), 16) for i in stage.removed[:_MAX_NAMED].tolist()]
    more = len(stage.removed) - len(removed)
    return (
        str(stage.step),
        str(int((stage.kept & ~stage.undecided).sum())),
        str(int(stage.undecided.sum()) or ""),
        "may remain" if stage.may_have_unlisted else "removed",
        ", ".join(removed) + f" and {more} others" * (more > 0),
    )


def _step_row(stage: Stage, names: Sequence[str], view: View) -> tuple[str, ...]:
    """Return the cells of a step."""
    threshold = "" if stage.threshold is None else number_text(stage.threshold)
    return (
        str(stage.step),
        str(int(stage.kept.sum())),
        prob_text(stage.cut, view.digits) if stage.cut else "",
        prob_text(stage.entropy / measure_unit("entropy", view.bits), view.digits),
        shortened(visible(names[stage.top]), 16),
        (stage.keeps or "").replace("threshold", threshold),
    )


def comparison(results: Sequence[Distributions], view: View) -> str:
    """Return the total variation between each two chains, and a sentence on where each differs from the first."""
    view.legend.add("total variation")
    parts = []
    for t, tau in enumerate(results[0].taus.tolist()):
        header = f" at {tau_text(tau)}" if len(results[0].taus) > 1 else ""
        parts.append(f"total variation{header}\n{_distances(results, t, view)}\n{_differences(results, t, view)}")
    return "\n".join(parts)


def _differences(results: Sequence[Distributions], t: int, view: View) -> str:
    """Return sentences on where the other engines' chains differ from the first, one for those that differ alike."""
    engines: dict[tuple[str, str, str], list[str]] = {}
    for other in results[1:]:
        engines.setdefault(_difference(results[0], other, t), []).append(str(other.engine))
    sentences = [
        f"{joined(names)} {singular if len(names) == 1 else plural} {rest}."
        for (singular, plural, rest), names in engines.items()
    ]
    return "".join(wrapped(sentence, view.screen.width) for sentence in sentences)


def _distances(results: Sequence[Distributions], t: int, view: View) -> str:
    """Return the lower triangle of the matrix of total variations."""
    names = [str(result.engine) for result in results]
    rows = [["", *names[:-1]]]
    for i, result in enumerate(results[1:], 1):
        texts = [_distance(result, other, t, view) for other in results[:i]]
        rows.append([names[i], *texts, *[""] * (len(names) - 1 - i)])
    return text_tables(rows, view.screen)


def _distance(first: Distributions, second: Distributions, t: int, view: View) -> str:
    """Return the total variation; ? if a distribution is not known exactly."""
    if not (first.exact[t] and second.exact[t]):
        view.legend.add("unknown distance")
        return "?"
    return prob_text(float(total_variation(first.probs[t, 0], second.probs[t, 0])), view.digits)


def _biased_logits(result: Distributions) -> Array:
    """Return the logits of the first row, (n,), after the biases of the chain."""
    logits = result.block.logits[0]
    steps = result.chain.steps if result.chain else ()
    biases = next((step.values[0] for step in steps if step.sampler.parameters[:1] == (BIAS,)), ())
    return logit_bias(logits, biases) if biases else logits


def _difference(first: Distributions, other: Distributions, t: int) -> tuple[str, str, str]:
    """Return how another engine's chain differs from the first: the verb in the singular and in the plural, and the
    rest of the sentence."""
    stages = first.stages(t, 0), other.stages(t, 0)
    undecided = first.undecided[t, 0] | other.undecided[t, 0]
    difference = first_difference(*stages, _biased_logits(first), undecided)
    if difference is None:
        if not (first.exact[t] and other.exact[t]):
            rest = f"the same tokens as {first.engine}, as far as the response decides it"
            return "may keep", "may keep", rest
        if np.allclose(first.probs[t, 0], other.probs[t, 0], rtol=1e-9, atol=0):
            return "gives", "give", f"the same distribution as {first.engine}"
        return "keeps", "keep", f"the same classes as {first.engine}, with other probabilities"
    remover, keeper = (first, other) if difference.by_first else (other, first)
    steps = stages[0 if difference.by_first else 1]
    step = f"{steps[difference.step].step} (step {difference.step + 1} of {len(steps)})"
    label = shortened(visible(first.block.names[difference.index]), 24)
    # The labels of a response already have quotes.
    label = label if first.block.partial else f"'{label}'"
    outcome = f"{remover.engine} removes it with {step}; {keeper.engine} keeps it"
    return "first differs", "first differ", f"from {first.engine} at {label}: {outcome}"
