"""The words of the first line: the row, the biases without a class, the mark and the engines."""

from collections.abc import Sequence

import numpy as np

from tsoft.charts.style import prob_text
from tsoft.errors import shortened
from tsoft.explorer.comparison import Comparison
from tsoft.explorer.engine_comparison import EngineComparison, missing_samplers
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.session import Session
from tsoft.explorer.snapshot import Snapshot
from tsoft.sampling.distributions import measure_unit
from tsoft.sampling.sampler_table import BIAS


def head_words(session: Session, position: Sequence[str]) -> list[str]:
    """Return all words. The first word of the `position` is the number of the row, if there are several."""
    state, comparison, bits = session.state, session.comparison, session.input.bits
    return [
        *position[:1],
        # After the number of the row, because the name of a model may be long.
        *bias_words(session.missing_biases),
        *engine_words(state, session.engine_comparison, session.engine_problem),
        *([mark_words(comparison, bits)] if comparison else []),
        *position[1:],
        *row_words(session.row, state.edit(session.row.number), session.snapshot),
        *engine_notes(state),
    ]


def row_words(row: ExplorerRow, edit: RowEdit, snapshot: Snapshot | None) -> list[str]:
    """Return the number of classes, whether the row is edited, and how much of it a response lists."""
    words = [f"{row.classes} class{'es' * (row.classes != 1)}"]
    words += ["edited"] * (edit != RowEdit())
    if row.block.partial:
        mass = np.floor(min(row.block.partial.mass, 1.0) * 1e4) / 1e2
        words.append(f"lists {mass:.4g} % of the probability at τ = {row.block.partial.tau:g}")
        if snapshot and snapshot.is_exact:
            words.append("exact: every class that remains is listed")
    return words


def mark_words(comparison: Comparison, bits: bool) -> str:
    """Return the distances from the mark."""
    if not comparison.is_possible:
        return "the mark has other classes" if comparison.present.is_exact else "cannot be compared with the mark"
    unit, name = measure_unit("entropy", bits), "bits" if bits else "nats"
    divergence = prob_text(comparison.divergence / unit).replace("inf", "∞")
    return f"mark: TV {prob_text(comparison.total_variation)}, KL {divergence} {name}"


def engine_words(state: ExplorerState, comparison: EngineComparison | None, problem: str) -> list[str]:
    """Return how the second engine differs from the first, and what it lacks.

    Without a comparison, the `problem` says why there is no distribution of the second engine.
    """
    samplers = state.compared_samplers
    if samplers is None or samplers.engine is None:
        return []
    words = [f"{samplers.engine.name}: {problem}"] if problem else []
    if comparison:
        words.append(comparison.words)
    words += missing_samplers(samplers)
    if comparison and comparison.is_exact:
        words.append(f"TV {prob_text(comparison.total_variation)}")
    return words


def bias_words(missing: Sequence[str]) -> list[str]:
    """Return which biases have no effect, because the row lacks the `missing` classes.

    >>> bias_words(["a", "b"]), bias_words([])
    (["no class for the logit_bias of 'a', 'b'"], [])
    """
    names = ", ".join(shortened(repr(name), 20) for name in missing[:3]) + ", …" * (len(missing) > 3)
    return [f"no class for the logit_bias of {names}"] if missing else []


def engine_notes(state: ExplorerState) -> list[str]:
    """Return what the engines do differently at a temperature near 0, and which values they refuse."""
    notes = []
    for samplers in filter(None, (state.samplers, state.compared_samplers)):
        if engine := samplers.engine:
            values = [
                (parameter.name, setting.value(parameter))
                for setting in samplers.effective
                for parameter in setting.visible_parameters
                if parameter is not BIAS
            ]
            messages = [engine.low_tau_message(samplers.tau), *(engine.refusal(name, value) for name, value in values)]
            notes += [f"{engine.name} {message}" for message in messages if message]
    return notes
