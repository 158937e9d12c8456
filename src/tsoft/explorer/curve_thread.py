"""The thread that computes the curves of a row over all temperatures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.app import App
from textual.message import Message
from textual.worker import get_current_worker

from tsoft.errors import UsageError
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.session import Session
from tsoft.explorer.snapshot import TemperatureCurves, temperature_curves, unknown_curves
from tsoft.sampling.step import ChainError

# Seconds to wait before computing the curves: the next key may change them again.
CURVE_DELAY = 0.06

# Returns curves, or None if the function that it takes says that they are canceled.
Compute = Callable[[Callable[[], bool]], TemperatureCurves | None]


@dataclass
class CurvesComputed(Message):
    """The curves of a row have been computed."""

    row: ExplorerRow
    curves: TemperatureCurves


def start_curves(app: App[None], session: Session, indices: Sequence[int]) -> None:
    """Compute the curves of the session's row for the classes at `indices`, in place of those that are being computed.

    The app receives them as CurvesComputed.
    """
    row, snapshot = session.row, session.snapshot
    try:
        chain = snapshot.chain if snapshot else session.sampled_rows.row_chain(row, session.samplers)
    except (ChainError, UsageError):
        # The chain is unknown at every temperature.
        compute_in_thread(app, row, lambda _: unknown_curves(indices))
        return
    compute_in_thread(app, row, lambda is_canceled: temperature_curves(row, chain, indices, is_canceled))


def compute_in_thread(app: App[None], row: ExplorerRow, compute: Compute) -> None:
    def run() -> None:
        worker = get_current_worker()
        time.sleep(CURVE_DELAY)
        curves = compute(lambda: worker.is_cancelled)
        if curves is not None:
            app.post_message(CurvesComputed(row, curves))

    app.run_worker(run, group="curves", exclusive=True, thread=True)
