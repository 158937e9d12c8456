"""The words of the first line: the row, the mark and the engines."""

import numpy as np

from tsoft.charts.style import prob_text
from tsoft.explorer.comparison import Comparison
from tsoft.explorer.engine_comparison import EngineComparison, missing_samplers
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.snapshot import Snapshot
from tsoft.sampling.distributions import measure_unit


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


def low_tau_words(state: ExplorerState) -> list[str]:
    """Return what the engines do differently at a temperature near 0."""
    engines = [engine for engine in (state.samplers.engine, state.compared) if engine]
    messages = ((engine.name, engine.low_tau_message(state.samplers.tau)) for engine in engines)
    return [f"{name} {message}" for name, message in messages if message]
