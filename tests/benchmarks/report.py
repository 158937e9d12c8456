"""The results of the benchmarks: lines for a terminal, a section of the manual, and the exit code."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from pairs import Pair, Result, measured

# The command that writes the section.
COMMAND = "python tests/benchmarks --manual"
HEADING = "## Measurements\n"
_SECTION = re.compile(rf"(?<=^{HEADING}).*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_MS_PER_SECOND = 1000
OVER_BUDGET, NOT_CHECKED = 1, 4


@dataclass(frozen=True)
class Row:
    """A pair and its result; None if the other program is not installed, or after an error, which `failure` names."""

    pair: Pair
    result: Result | None
    failure: str = ""

    @property
    def problem(self) -> str:
        """Why there is no result."""
        return f"failed: {self.failure}" if self.failure else f"not installed: {self.pair.missing}"


@dataclass(frozen=True)
class Columns:
    """The lines of a table, aligned for the names of all pairs."""

    pairs: Sequence[Pair]

    @property
    def header(self) -> str:
        return self._line(["task", "tsoft", "compared with", "time", "ratio", "budget", ""])

    def line(self, row: Row) -> str:
        pair, result = row.pair, row.result
        budget = "–" if pair.budget is None else f"{pair.budget:g}"
        if result is None:
            return self._line([pair.task, "", pair.against, "", "", budget, row.problem])
        ours, theirs = (f"{value:.1f} {pair.unit}" for value in (result.ours, result.theirs))
        verdict = "" if result.budget is None else "OVER" if result.over else "ok"
        return self._line([pair.task, ours, pair.against, theirs, f"{result.ratio:.2f}", budget, verdict])

    def _line(self, cells: Sequence[str]) -> str:
        task, ours, against, theirs, ratio, budget, verdict = cells
        task_width, against_width = (max(map(len, names)) for names in zip(*map(_names, self.pairs), strict=True))
        line = f"{task:<{task_width}} {ours:>11}  {against:<{against_width}} {theirs:>11} {ratio:>6} {budget:>6}"
        return f"{line}  {verdict}".rstrip()


def _names(pair: Pair) -> tuple[str, str]:
    return pair.task, pair.against


def row_of(pair: Pair, repeat: int | None) -> Row:
    """Measure a pair. An error, as on a machine that is too busy for the explorer, does not stop the other rows."""
    try:
        return Row(pair, measured(pair, repeat))
    except Exception as error:
        return Row(pair, None, f"{type(error).__name__} {error}".strip())


def verdict(rows: Sequence[Row]) -> tuple[str, int]:
    """Return a summary of the rows with a budget, and the exit code of --check.

    The code is 1 if a ratio is over its budget, or if a measurement failed. Otherwise it is 4 if a row was not measured
    because the other program is not installed: no budget is known to be exceeded, but not all are known to be kept.
    tsoft's commands exit with 4, too, when the answer is inconclusive.
    """
    limited = [row for row in rows if row.pair.budget is not None]
    over = [row for row in limited if row.result is not None and row.result.over]
    unmeasured = [row for row in limited if row.result is None]
    kept = len(limited) - len(over) - len(unmeasured)
    lines = [f"Budgets: {kept} kept, {len(over)} exceeded, {len(unmeasured)} not checked"]
    lines += [f"exceeded: {row.pair.task} against {row.pair.against}" for row in over]
    lines += [f"not checked: {row.pair.task} against {row.pair.against} ({row.problem})" for row in unmeasured]
    is_over = over or any(row.failure for row in unmeasured)
    return "\n".join(lines), OVER_BUDGET if is_over else NOT_CHECKED if unmeasured else 0


def manual_page(page: str, rows: Sequence[Row], machine: str) -> str:
    """Return the page of the manual with the measured rows that have a budget in its section "Measurements", and the
    machine."""
    if not _SECTION.search(page):
        raise ValueError(f"the page has no section {HEADING.strip()!r}")
    return _SECTION.sub(lambda _: f"\n{_section(rows, machine)}\n", page)


def _section(rows: Sequence[Row], machine: str) -> str:
    lines = [_markdown(row) for row in rows if row.pair.budget is not None and (row.result or row.failure)]
    introduction = (
        f"`{COMMAND}` measured these ratios and wrote this section. The machine: {machine}. A ratio is tsoft's time"
        " divided by the other time, both from the same run; below 1, tsoft is faster."
    )
    return "\n".join(
        [
            textwrap.fill(introduction, 100, break_long_words=False, break_on_hyphens=False) + "\n",
            "| what | against | at most | measured |",
            "| --- | --- | --- | --- |",
            *lines,
            "",
        ]
    )


def _markdown(row: Row) -> str:
    pair, result = row.pair, row.result
    cell = row.problem
    if result is not None:
        ours, theirs = (_amount(value, pair.unit) for value in (result.ours, result.theirs))
        cell = f"{result.ratio:.2f} ({ours} against {theirs}){', over' * result.over}"
    return f"| {_code(pair.task)} | {_code(pair.against)} | {pair.budget:g} | {cell} |"


def _code(name: str) -> str:
    """Return a name for the manual, where a command line or a line of Python is code."""
    return f"`{name}`" if name.startswith(("tsoft ", "import ", "from ")) else name


def _amount(value: float, unit: str) -> str:
    """Return an amount with three digits, such as 61.2 ms or 1.46 s.

    >>> _amount(61.23, "ms"), _amount(1456, "ms"), _amount(280.4, "MB"), _amount(0.0123, "ms")
    ('61.2 ms', '1.46 s', '280 MB', '0.0123 ms')
    """
    if unit == "ms" and value >= _MS_PER_SECOND:
        value, unit = value / _MS_PER_SECOND, "s"
    return f"{float(f'{value:.3g}'):g} {unit}"
