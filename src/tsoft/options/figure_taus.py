"""The temperatures that the axis of a figure can show."""

from collections.abc import Callable

from tsoft.core.softmax import Array
from tsoft.errors import UsageError
from tsoft.figures.axes import drawable


def drawn_taus(taus: Array, note: Callable[[str], None], *, log: bool) -> Array:
    """Return the temperatures that the axis can show. `note` is called with the others. Raise UsageError if there is
    no temperature to show."""
    hidden = taus[~drawable(taus, log=log)].tolist()
    if len(hidden) == len(taus):
        raise UsageError("the figure's axis shows no τ = 0 and no τ = inf; pass another --tau, or use --format table")
    if hidden:
        note(f"the figure's axis does not show τ = {', '.join(f'{tau:g}' for tau in hidden)}")
    return taus[drawable(taus, log=log)]
