"""The figure of texts: what each text costs, as its −ln probability so far over its tokens."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from tsoft.charts.style import number_text
from tsoft.features.generate.chart import heading
from tsoft.features.generate.diversity import summary
from tsoft.figures.canvas import Canvas
from tsoft.figures.step_curves import Path, draw_paths, is_crowded
from tsoft.figures.text_lines import title_lines
from tsoft.models.decoding import Strategy


def draw(page: Canvas, strategies: Sequence[Strategy], seed: int | None) -> None:
    """Draw a curve for each text that a table shows, in the color of its strategy, whose name is at its end."""
    paths = [
        Path(_name(strategy), [_costs(token.logprob for token in text.generated) for text in strategy.best])
        for strategy in strategies
    ]
    tokens = "tokens" if seed is None else f"tokens, seed {seed}"
    axes = page.figure.subplots()
    draw_paths(axes, paths, page.theme, quantity="−ln probability so far (nats)", step_name=tokens)
    several = ", mean of several texts" if any(len(path.curves) > 1 for path in paths) else ""
    straight = " (straight line)" if is_crowded(paths) else ""
    axes.set_title(title_lines(axes, f"strategy: sequence perplexity{several}{straight}"))


def _name(strategy: Strategy) -> str:
    return f"{heading(strategy)}: {number_text(summary(strategy.best).sequence_perplexity, 3)}"


def _costs(logprobs: Iterable[float]) -> list[float]:
    """Return the cost of a text before its first token and after each token.

    >>> _costs([-1.0, -0.5])
    [0.0, 1.0, 1.5]
    """
    return list(accumulate((-logprob for logprob in logprobs), initial=0.0))
