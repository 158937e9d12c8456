"""The result of an audit of two responses: what their log-probabilities are, and where they differ."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from tsoft.core.block import Block
from tsoft.features.audit.findings import Finding, Verdict
from tsoft.features.audit.pair_kind import LogprobsForm, LogprobsKind, logprobs_kind
from tsoft.features.audit.pair_positions import PairPosition, pair_positions
from tsoft.features.audit.result import EXIT_CODES
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas

# The only columns in tsv.
_BARE = ("logprobs", "verdict", "slope", "expected_slope")


@dataclass(frozen=True, eq=False)
class PairResult(Result):
    """What two responses at the requested temperatures `taus` show. A table shows `shown` positions."""

    kind: LogprobsKind
    positions: Sequence[PairPosition]
    taus: tuple[float, float]
    shown: int = 20

    @property
    def finding(self) -> Finding:
        """The finding on the kind of the log-probabilities."""
        requested = f"τ = {self.taus[0]:g} in A, {self.taus[1]:g} in B"
        return Finding("logprobs", requested, str(self.kind.form), self.verdict, reason=self.kind.reason)

    @property
    def verdict(self) -> Verdict:
        """Whether tempered numbers agree with the temperatures. What other numbers are is only noted, because they do
        not show the temperature."""
        if self.kind.form == LogprobsForm.UNKNOWN:
            return Verdict.INCONCLUSIVE
        if self.kind.contradicts:
            return Verdict.CONTRADICTED
        return Verdict.CONFIRMED if self.kind.is_tempered else Verdict.NOTED

    @property
    def exit_code(self) -> int:
        """0 if the kind is known, 3 if the numbers contradict the temperatures, 4 if the kind is unknown."""
        return EXIT_CODES[self.verdict]

    @property
    def by_position(self) -> "PositionsResult":
        """The same result with one record per position in every format except a table."""
        return PositionsResult(self)

    def records(self) -> Iterator[Records]:
        """Yield one record."""
        fields = self._fields()
        # Text formats have no null, and no true or false.
        fields["tempered"] = {True: "yes", False: "no", None: ""}[self.kind.is_tempered]
        columns = [Column(name, [value], In.ALL if name in _BARE else In.CSV) for name, value in fields.items()]
        yield Records(columns)

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        """Yield one object, with the positions."""
        yield [self._fields() | {"positions": [position_fields(position) for position in self.positions]}]

    def _fields(self) -> dict[str, Any]:
        kind, fit = self.kind, self.kind.fit
        return {
            "logprobs": str(kind.form),
            "verdict": str(self.verdict),
            "tempered": kind.is_tempered,
            "tau_a": self.taus[0],
            "tau_b": self.taus[1],
            "slope": fit and fit.slope,
            "slope_low": fit and fit.low,
            "slope_high": fit and fit.high,
            "expected_slope": kind.expected,
            "residual": fit and fit.residual,
            "shift": fit and kind.removal.shift,
            "removed_a": fit and kind.removal.classes[0],
            "removed_b": fit and kind.removal.classes[1],
            "numbers": fit.numbers if fit else 0,
            "outliers": fit.outliers if fit else 0,
            "compared": len(self.positions),
            "reason": kind.reason,
        }

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.audit.pair_chart import draw_positions, draw_verdict

        if self.positions:
            yield draw_positions(self.positions, self.shown, view) + "\n"
        yield draw_verdict(self.kind, self.verdict, self.taus, view)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.audit.pair_figure import draw

        draw(page, self.kind, self.positions)


@dataclass(frozen=True, eq=False)
class PositionsResult(Result):
    """The positions of two responses, one record each. A table and a figure are those of the `pair`."""

    pair: PairResult

    def records(self) -> Iterator[Records]:
        rows = [position_fields(position) for position in self.pair.positions]
        if rows:
            yield Records([Column(name, [row[name] for row in rows]) for name in rows[0]])

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        yield map(position_fields, self.pair.positions)

    def render(self, view: "View") -> Iterator[str]:
        return self.pair.render(view)

    def draw(self, page: "Canvas", view: "View") -> None:
        self.pair.draw(page, view)


def position_fields(position: PairPosition) -> dict[str, Any]:
    """Return the fields of a position; None for a number that does not exist."""
    numbers = {"difference": position.difference, "slope": position.slope}
    known = {name: None if isnan(value) else value for name, value in numbers.items()}
    return {
        "row": position.row,
        "text": position.text,
        "position": position.position,
        "drawn_a": position.drawn[0],
        "drawn_b": position.drawn[1],
        "difference": known["difference"],
        "token": position.difference_token,
        "slope": known["slope"],
        "common": len(position.labels),
        "only_a": len(position.pair.first_only),
        "only_b": len(position.pair.second_only),
    }


def audit_pair(
    first: Iterable[Block], second: Iterable[Block], taus: tuple[float, float], *, shown: int = 20
) -> PairResult:
    """Return what the blocks of two responses to one prompt at the requested temperatures `taus` show.

    shown: the number of positions in a table. Raise InputError if an input is not an API response, or if the numbers of
    texts differ.
    """
    positions = pair_positions(first, second)
    kind = logprobs_kind([position.pair for position in positions], taus)
    return PairResult(kind, positions, taus, shown)
