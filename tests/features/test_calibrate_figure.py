"""The figure of `calibrate`: its charts are compared with the JSON of the same run, and its texts with its canvas."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases import each_case
from figure_charts import drawn, texts
from labeled import DATA, digits

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex
from matplotlib.text import Text

from tsoft.core.fit import TemperatureFit
from tsoft.core.interval import Interval
from tsoft.core.labeled_rows import RowSummary
from tsoft.features.calibrate.calibration import FittedCalibration, MeasuredRows
from tsoft.features.calibrate.nll_curve import CHART_POINTS, FIGURE_POINTS, curve_taus
from tsoft.features.calibrate.reliability import reliability
from tsoft.features.calibrate.result import CalibrateResult
from tsoft.figures.canvas import Paper, canvas
from tsoft.figures.figure_theme import THEMES

VAL, TEST = str(DATA / "digits-val.npz"), str(DATA / "digits-test.npz")
BAR, OVER, UNDER = (color.lower() for color in THEMES["light"].colors[:3])
COUNT = THEMES["light"].muted.lower()


def boxes(chart: Any, color: str) -> Any:
    """Return the boxes of a color, in the order in which they were drawn: left, right, bottom and top of each."""
    found = [box.get_bbox() for box in chart.patches if to_hex(box.get_facecolor()) == color]
    return np.array([(box.xmin, box.xmax, box.ymin, box.ymax) for box in found]).reshape(-1, 4)


def test_bars_gaps_counts_and_titles_are_those_of_the_json(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    typed = ("-i", VAL, "--test", TEST, "--bins", "10", "--resamples", "20")
    drawing = drawn("calibrate", *typed, "-o", str(file), "-o", str(tmp_path / "a.svg"))
    [record] = json.loads(file.read_bytes())
    *panels, curve = drawing.figure.axes
    assert len(panels) == 2 * len(record["reports"]) == 8
    shown = drawing.texts
    for report, diagram, counts in zip(record["reports"], panels[::2], panels[1::2], strict=True):
        assert f"{report['data']}, τ = {report['tau']:.4g}: NLL {report['nll']:.3g}" in texts(diagram)
        assert f"ECE {report['ece']:.3f}, by chance {report['ece_chance_mean']:.3f}" in texts(diagram)
        filled = [b for b in report["bins"] if b["rows"]]
        ends = [(b["low"], b["high"], 0, b["accuracy"]) for b in filled]
        np.testing.assert_allclose(boxes(diagram, BAR), ends, rtol=1e-9, atol=1e-12)
        for color, sign in ((OVER, 1), (UNDER, -1)):
            gaps = [b for b in filled if sign * (b["confidence"] - b["accuracy"]) > 0]
            ends = [(b["low"], b["high"], *sorted((b["accuracy"], b["confidence"]))) for b in gaps]
            np.testing.assert_allclose(boxes(diagram, color), np.reshape(ends, (-1, 4)), rtol=1e-9, atol=1e-12)
        rows = [b["rows"] for b in report["bins"]]
        np.testing.assert_array_equal(boxes(counts, COUNT)[:, 3], rows)
        largest = max(b["rows"] for r in record["reports"] if r["data"] == report["data"] for b in r["bins"])
        assert counts.get_ylim() == (0, largest)
        assert str(largest) in shown
    assert {f"fitted τ = {record['tau']:.4g}", f"95 %: {record['tau_low']:.4g} to {record['tau_high']:.4g}"} <= set(
        texts(curve)
    )
    assert "fit: the rows that τ was fitted to, so the measures are optimistic" in shown
    legend = ["accuracy", "its 95 % interval (Wilson)", "overconfident", "underconfident", "calibrated", "rows per bin"]
    assert shown[-8:] == [*legend, "fitted τ", "its 95 % interval"]


def result(tests: int, tau: float, interval: Interval | None = None, resamples: int = 10) -> CalibrateResult:
    """Return a calibration of the digits with numbers that are as long as possible."""
    rows = digits("val")
    before, after = (reliability(rows.logits, rows.targets, t, resamples=resamples, rng=0) for t in (1.0, tau))
    measured = [MeasuredRows(data, before, after) for data in ("fit", "test")[: 1 + tests]]
    taus = np.geomspace(0.3, 5, 9)
    fit = TemperatureFit(tau, None, "a reason" if tau in (0, np.inf) else None)
    return CalibrateResult(FittedCalibration(fit, interval, 0, measured, taus, 1e4 * np.log(taus) ** 2), "svg")


@pytest.mark.parametrize(
    ("size", "theme", "tests"),
    [((6.4, 4.0), "light", 1), ((3.3, 2.4), "paper", 0)],
)
def test_texts_are_inside_the_figure_and_do_not_overlap(size: tuple[float, float], theme: str, tests: int) -> None:
    with canvas(Paper(size, 100, theme, "A title")) as page:
        result(tests, 1.2345678, Interval(1.2345678, 1.3456789, "sandwich")).draw(page, None)  # type: ignore[arg-type]
        page.figure.draw_without_rendering()
        shown = [text for text in page.figure.findobj(Text) if text.get_text() and text.get_visible()]
        extents = {text: text.get_window_extent() for text in shown if is_drawn(text)}
        assert len(extents) > 20
        for text, extent in extents.items():
            assert min(extent.x0, extent.y0) >= -1, text
            assert extent.x1 <= 100 * size[0] + 1, text
            assert extent.y1 <= 100 * size[1] + 1, text
        for (one, box), (other, other_box) in itertools.combinations(extents.items(), 2):
            width = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
            height = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
            assert min(width, height) < 1.5, (one, other)


def is_drawn(text: Text) -> bool:
    """Return whether a text is drawn: a label of a tick is not if its axes hide it, or if it is outside of them."""
    ticks: list[tuple[Any, Any]] = [
        (tick, axis)
        for axes in text.figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.majorTicks, *axis.minorTicks)
    ]
    for tick, axis in ticks:
        if text in (tick.label1, tick.label2):
            return bool(tick in axis._update_ticks())
    return True


def test_a_fit_at_a_limit_without_simulations_has_no_minimum_and_no_ece_by_chance() -> None:
    with canvas(Paper()) as page:
        result(0, np.inf, resamples=0).draw(page, None)  # type: ignore[arg-type]
        shown = [line for text in page.figure.findobj(Text) for line in text.get_text().splitlines()]
    assert "fitted τ = ∞" in shown
    assert any(text.startswith("fit, τ = ∞: NLL ") for text in shown)
    assert "fitted τ" not in shown
    assert sum(text.startswith("ECE ") for text in shown) == 2
    assert not any("chance" in text for text in shown)


@pytest.mark.parametrize(("size", "rows"), [("3.3x2.4", ["test"]), ("3.3x4", ["fit", "test"])])
def test_a_small_figure_notes_what_it_has_no_room_for(size: str, rows: list[str]) -> None:
    options = ("--size", size, "--theme", "paper", "--resamples", "5", "-f", "svg")
    drawing = drawn("calibrate", "-i", VAL, "--test", TEST, *options)
    shown = drawing.texts
    assert len(drawing.charts) == 4 * len(rows)
    for data in ("fit", "test"):
        assert any(text.startswith(f"{data}, τ = 1: NLL ") for text in shown) == (data in rows)
    assert any(text.startswith("fit: the rows that τ was fitted to") for text in shown) == ("fit" in rows)
    assert "no room for the NLL over τ; a wider --size shows it" in drawing.stderr
    assert ("no room for the rows of the fit; a higher --size shows them" in drawing.stderr) == ("fit" not in rows)


@each_case("tau", [5e-324, 1e-308, 1.0, 7.1e307, 1.79e308])
@each_case("points", [CHART_POINTS, FIGURE_POINTS])
def test_the_curve_is_finite_around_any_fit(tau: float, points: int) -> None:
    """No power overflows, which would be a warning."""
    taus = curve_taus(tau, RowSummary(2, np.ones(2), 1.0, 1.0, 1.0, 1.0, 0, 0, False), points)
    assert len(taus) == points + 1
    assert (taus > 0).all()
    assert np.isfinite(taus).all()
    assert taus[-1] >= tau
    assert (np.diff(taus[:-1]) >= 0).all()
