"""Two responses as tables: where they differ, and what their log-probabilities are."""

from collections.abc import Sequence
from math import isnan

from tsoft.charts.style import number_text, wrapped
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.errors import shortened
from tsoft.features.audit.findings import Verdict
from tsoft.features.audit.pair_kind import LogprobsForm, LogprobsKind
from tsoft.features.audit.pair_positions import PairPosition

_TOKEN_WIDTH = 16
_EXPLANATIONS = (
    "difference: the largest difference of a token's log-probability, B minus A",
    "slope: the differences between tokens in B over those in A; 1 if raw, τ of A / τ of B if tempered",
)
_FIT = (
    "a to b: an interval that contains the slope, except once in a million",
    "residual: the largest deviation of a log-probability from the line with this slope",
)


def draw_positions(positions: Sequence[PairPosition], shown: int, view: View) -> str:
    """Return a table of the first positions, and the number of the others."""
    texts = len({position.text for position in positions}) > 1
    header = [*["text"] * texts, "position", "drawn in A", "in B", "difference", "token", "slope", "common"]
    lines = [[*[str(each.text)] * texts, *_cells(each, view)] for each in positions[:shown]]
    view.legend.add_lines(*_EXPLANATIONS)
    table = text_tables([header, *lines], view.screen, right=("difference", "slope", "common"))
    more = len(positions) - shown
    if more > 0:
        table += f"\n… {more} more position{'s' * (more != 1)} (--rows N shows more)\n"
    return table


def _cells(position: PairPosition, view: View) -> list[str]:
    token = position.difference_token
    return [
        str(position.position),
        *(_token_text(drawn) for drawn in position.drawn),
        _difference_text(position.difference, view),
        "–" if token is None else _token_text(token),
        number_text(position.slope, view.digits),
        str(len(position.labels)),
    ]


def _token_text(token: str) -> str:
    """Return a token in quotes, which show its blanks."""
    return repr(shortened(token, _TOKEN_WIDTH))


def _difference_text(value: float, view: View) -> str:
    if isnan(value):
        return "–"
    return f"{'+' if value > 0 else ''}{number_text(value, view.digits or 3)}"


def draw_verdict(kind: LogprobsKind, verdict: Verdict, taus: tuple[float, float], view: View) -> str:
    """Return what the log-probabilities are, the numbers that show it, and the reason."""
    lines = [["logprobs", _form_text(kind)], ["τ", f"{taus[0]:g} in A, {taus[1]:g} in B"]]
    fit = kind.fit
    if fit is not None:
        low, high = (number_text(end, view.digits) for end in (fit.low, fit.high))
        lines += [
            ["slope", f"{number_text(fit.slope, view.digits)} ({low} to {high})"],
            ["slope if tempered", number_text(kind.expected, view.digits)],
            ["residual", number_text(fit.residual, view.digits or 2)],
            ["numbers", f"{fit.numbers} in {fit.positions} position{'s' * (fit.positions != 1)}"],
        ]
        if fit.outliers:
            lines.append(["outliers", f"{fit.outliers}, which deviate by more than the noise"])
        view.legend.add_lines(*_FIT)
    lines.append(["verdict", str(verdict)])
    return text_tables(lines, view.screen) + "\n" + wrapped(kind.reason, view.screen.width)


def _form_text(kind: LogprobsKind) -> str:
    """Return the form; of truncated numbers with whether they are tempered, too."""
    if kind.form != LogprobsForm.TRUNCATED:
        return str(kind.form)
    return {True: "tempered and truncated", False: "truncated, not tempered", None: "truncated"}[kind.is_tempered]
