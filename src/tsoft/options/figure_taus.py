"""The temperatures that the axis of a figure can show."""

from collections.abc import Callable

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import UsageError


def drawn_places(taus: Array, note: Callable[[str], None], *, log: bool) -> Array:
    """Return the indices, (k,), of the temperatures that an axis can show, in ascending order and each once: not inf
    and, on a logarithmic axis, not 0. `note` is called with the others. Raise UsageError if there is no temperature to
    show."""
    is_drawn = np.isfinite(taus) & ((taus > 0) | (not log))
    hidden = taus[~is_drawn].tolist()
    if len(hidden) == len(taus):
        raise UsageError("the figure's axis cannot show τ = 0 or τ = inf; pass another --tau, or use --format table")
    if hidden:
        note(f"the figure's axis does not show τ = {', '.join(f'{tau:g}' for tau in hidden)}")
    places = np.unique(taus, return_index=True)[1]
    return np.asarray(places[is_drawn[places]])
