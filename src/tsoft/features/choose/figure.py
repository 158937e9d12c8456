"""The figures of `tsoft choose`: the estimates over τ with their intervals, or the entropy over τ."""

from collections.abc import Sequence

import numpy as np

from tsoft.features.choose.chart import shown_places
from tsoft.features.choose.measured_choices import MeasuredChoices
from tsoft.features.choose.trials import Trials
from tsoft.features.choose.turning_point import TurningPoint, turning_text
from tsoft.figures.axes import TauScale
from tsoft.figures.canvas import Canvas
from tsoft.figures.class_charts import draw_curves
from tsoft.figures.overlays import draw_band
from tsoft.figures.text_lines import title_lines
from tsoft.options.figure_taus import drawn_places


def draw_choices(page: Canvas, measured: Sequence[MeasuredChoices], trials: Trials) -> None:
    """Draw a chart for each measure: a curve with a band for each k, and a point at its best temperature."""
    places = drawn_places(trials.taus, page.note, log=False)
    taus = trials.taus[places]
    charts = page.figure.subplots(1, len(measured), squeeze=False)[0]
    for axes, each in zip(charts, measured, strict=True):
        shown = shown_places(each)
        choices = [each.choices[i] for i in shown]
        if len(choices) < len(each.choices):
            page.note(f"the figure shows {len(choices)} of {len(each.choices)} curves")
        for i, choice in enumerate(choices):
            draw_band(axes, taus, choice.low[places], choice.high[places], page.theme, color=i)
            if np.isfinite(choice.tau):
                style = {"color": page.theme.color(i), "zorder": 3, "clip_on": False}
                axes.plot([choice.tau], [choice.estimates[choice.best]], "o", **style)
        values = np.stack([choice.estimates[places] for choice in choices])
        names = [f"k = {each.ks[i]}" for i in shown]
        draw_curves(axes, names, TauScale(taus, log=False), values, page.theme, quantity=each.name)
        axes.set_ylim(0, 1)
        count = len(trials.problems)
        band = ", 95 % intervals" * bool(np.isfinite(choices[0].low).all())
        axes.set_title(title_lines(axes, f"{count} problem{'s' * (count != 1)}{band}"))


def draw_turning_point(page: Canvas, point: TurningPoint, problems: int) -> None:
    """Draw the logarithm of the mean entropy over τ, with its bounds, and a point at the turning point."""
    axes = page.figure.subplots()
    low, high = np.log(point.entropies)
    if (low < high).any():
        draw_band(axes, point.taus, low, high, page.theme)
    scale, middle = TauScale(point.taus, log=False), (low + high) / 2
    draw_curves(axes, ["entropy"], scale, middle[np.newaxis], page.theme, quantity="ln(entropy in nats)")
    if point.tau is not None:
        place = int((point.taus == point.tau).argmax())
        axes.plot([point.tau], [middle[place]], "o", color=page.theme.color(1), zorder=3)
    text = f"{problems} problem{'s' * (problems != 1)}: {turning_text(point)}"
    axes.set_title(title_lines(axes, text))
