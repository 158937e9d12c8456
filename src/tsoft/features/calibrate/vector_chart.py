"""Vector scaling on the terminal: whether it is better than one temperature, its measures, weights and biases."""

from collections.abc import Iterator

import numpy as np

from tsoft.charts.style import number_text, prob_text, tau_text, wrapped
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.block import class_names
from tsoft.errors import shortened, visible
from tsoft.features.calibrate.chart import measure_legend, measure_table
from tsoft.features.calibrate.vector_calibration import VectorCalibration

# The table lists the weights and biases of at most this many classes.
_CLASSES = 20


def draw(calibration: VectorCalibration, view: View) -> Iterator[str]:
    """Yield the parts: what held-out rows show, the measures, and the weights and biases."""
    names = {"none": "τ = 1", "temperature": "one τ", "vector": "vector"}
    columns = [(f"{each.data} {names[each.method]}", each.report) for each in calibration.measured]
    yield wrapped(_headline(calibration), view.screen.width) + "\n" + measure_table(columns, view)
    yield "\n" + _parameters(calibration, view)
    folds = calibration.settings.folds
    view.legend.add_lines(
        *measure_legend(calibration.measured[0].report),
        f"held out: the rows of the fit, in {folds} folds, each calibrated by fits to the others",
    )
    if calibration.measured[-1].data == "test":
        view.legend.add_lines("test: the rows of --test, calibrated by the fits to all other rows")


def _headline(calibration: VectorCalibration) -> str:
    """Return sentences on whether vector scaling is better than one temperature, and on the accuracy."""
    difference = calibration.difference
    _, before, after = (each.report for each in calibration.measured[:3])
    accuracy = f"{prob_text(before.accuracy)} with one τ, {prob_text(after.accuracy)} with vector scaling"
    return (
        f"On held-out rows, {difference.verdict}: the NLL of one τ ({tau_text(calibration.fit.tau)}) minus that of"
        f" vector scaling is {difference.text}. Vector scaling can change predictions. Accuracy: {accuracy}."
    )


def _parameters(calibration: VectorCalibration, view: View) -> str:
    """Return the table of the weights and biases. Of many classes, it has those furthest from one temperature."""
    scaling, tau = calibration.scaling, calibration.fit.tau
    names = class_names(calibration.labels, len(scaling.weights))
    distance = (scaling.weights * tau - 1) ** 2 + scaling.biases**2
    shown = np.sort(np.argsort(-distance, kind="stable")[:_CLASSES]).tolist()
    rows = [["class", "weight", "bias"]]
    rows += [
        [
            shortened(visible(names[i])),
            number_text(float(scaling.weights[i]), view.digits),
            number_text(float(scaling.biases[i]), view.digits),
        ]
        for i in shown
    ]
    table = text_tables(rows, view.screen, right=rows[0][1:])
    rest = len(names) - len(shown)
    if rest:
        view.legend.add_lines(f"… {rest} more: classes nearer to one τ; json has all")
        table += f" … {rest} more\n"
    view.legend.add_lines(
        f"weight, bias: the calibrated logits are weight · logit + bias; one τ has {1 / tau:.4g} and 0"
    )
    return table
