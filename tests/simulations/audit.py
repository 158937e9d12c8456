"""Simulate servers, and measure how often the audit of their draws is right.

    python tests/simulations/audit.py --runs 1000 --seed 1

prints a line per cell: a server, what was requested of it, and the form of the evidence. Its columns are the share of
runs in which the 95 % interval covers the true temperature, the share in which a setting is contradicted although the
server applies it, and the share in which what it does wrong is found. Exits with 1 if a share exceeds its
limit by more than chance explains.
"""

import argparse
import fnmatch
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

# The folder of the modules that the tests share.
sys.path.insert(0, str(Path(__file__).parents[1]))

from simulated_servers import CELLS, FORMS, Cell, SimulatedServer
from tsoft.features.audit.audit import LEVEL, Audit

# The limits: the coverage of a cell whose draws are informative, that of all cells together, and the share of runs with
# a false contradiction.
LEAST_COVERAGE, POOLED_COVERAGE = 0.93, (0.94, 0.96)
# A cell is informative if the ends of most intervals are within this factor of each other.
_INFORMATIVE = 4.0
# The limits of a cell fail if chance explains the result with a smaller probability than this.
_CHANCE = 1e-4
_DRAWS = (50, 100, 200, 400, 1000)


@dataclass
class Tally:
    """The counts of the runs of a cell. `runs` are those with draws that carry information."""

    cell: Cell
    runs: int = 0
    covered: int = 0
    below: int = 0
    wide: int = 0
    reports: int = 0
    false: int = 0
    found: int = 0
    names: str = ""

    def add(self, audit: Audit, *, has_report: bool) -> None:
        if audit.draws.informative:
            interval, true = audit.interval, self.cell.true_tau
            self.runs += 1
            self.covered += interval.low <= true <= interval.high
            self.below += interval.high < true
            self.wide += interval.high > _INFORMATIVE * interval.low
        if has_report:
            report = audit.report
            false = self.cell.false_contradictions(report)
            self.reports += 1
            self.false += bool(false)
            self.found += self.cell.is_found(report)
            self.names = " + ".join(sorted({*self.names.split(" + "), *false} - {""}))

    @property
    def is_informative(self) -> bool:
        return self.wide < self.runs / 2

    @property
    def problems(self) -> list[str]:
        """The limits that the cell exceeds."""
        problems = []
        if self.is_informative and _is_below(self.covered, self.runs, LEAST_COVERAGE):
            problems.append("COVERAGE")
        if self.reports and _is_below(self.reports - self.false, self.reports, 1 - LEVEL):
            problems.append("FALSE")
        return problems

    @property
    def columns(self) -> list[str]:
        power = f"{self.found / self.reports:.3f}" if self.reports and self.cell.true_findings else ""
        return [
            self.cell.name,
            "informative" if self.is_informative else "wide",
            str(self.runs),
            f"{self.covered / max(1, self.runs):.4f}",
            str(self.below),
            str(self.runs - self.covered - self.below),
            str(self.reports),
            str(self.false),
            self.names,
            power,
            " ".join(self.problems),
        ]


def _is_below(successes: int, runs: int, share: float) -> bool:
    """Return whether chance does not explain that a share is this low."""
    return bool(binomtest(successes, runs, share, alternative="less").pvalue < _CHANCE)


def _tally(cell: Cell, runs: int, reports: int, seed: int) -> Tally:
    tally = Tally(cell)
    # Each cell has its draws, whichever other cells there are.
    random = np.random.default_rng([seed, *cell.name.encode()])
    for run in range(runs):
        tally.add(cell.audit(random), has_report=run < reports)
    return tally


def _print_cells(cells: Sequence[Cell], options: argparse.Namespace) -> int:
    print("cell", "width", "runs", "coverage", "low", "high", "reports", "false", "findings", "power", "", sep="\t")
    tallies = []
    for cell in cells:
        tallies.append(_tally(cell, options.runs, options.reports, options.seed))
        print(*tallies[-1].columns, sep="\t", flush=True)
    informative = [tally for tally in tallies if tally.is_informative]
    runs, covered = (sum(getattr(tally, name) for tally in informative) for name in ("runs", "covered"))
    reports, false = (sum(getattr(tally, name) for tally in tallies) for name in ("reports", "false"))
    print(f"# coverage of {len(informative)} informative cells: {covered} of {runs}, {covered / max(1, runs):.4f}")
    print(f"# runs with a false contradiction: {false} of {reports}, {false / max(1, reports):.4f}")
    is_over = any(tally.problems for tally in tallies)
    low, high = POOLED_COVERAGE
    is_over |= runs > 0 and (_is_below(covered, runs, low) or _is_below(runs - covered, runs, 1 - high))
    return int(is_over)


def _power_cells() -> list[Cell]:
    """Return the cells of the table of power: what is hidden or ignored."""
    form = FORMS[0]

    def cell(case: str, tau: float, cutoffs: dict[str, float], requested: dict[str, float], finding: str) -> Cell:
        server = SimulatedServer("transformers", tau, cutoffs)
        return Cell(case, server, 1.0, requested, form, (finding,), classes=1000)

    return [
        cell("temperature 0.8 instead of 1", 0.8, {}, {}, "tau"),
        cell("temperature 0.5 instead of 1", 0.5, {}, {}, "tau"),
        cell("temperature 1.2 instead of 1", 1.2, {}, {}, "tau"),
        cell("hidden top-k 40", 1.0, {"top_k": 40}, {}, "other_cutoffs"),
        cell("hidden top-p 0.95", 1.0, {"top_p": 0.95}, {}, "other_cutoffs"),
        cell("hidden top-p 0.8", 1.0, {"top_p": 0.8}, {}, "other_cutoffs"),
        cell("hidden min-p 0.05", 1.0, {"min_p": 0.05}, {}, "other_cutoffs"),
        cell("ignored top-k 40", 1.0, {}, {"top_k": 40}, "top_k"),
        cell("ignored top-p 0.95", 1.0, {}, {"top_p": 0.95}, "top_p"),
        cell("ignored min-p 0.05", 1.0, {}, {"min_p": 0.05}, "min_p"),
    ]


def _print_power(options: argparse.Namespace) -> int:
    print("| server |", " | ".join(f"{draws} draws" for draws in _DRAWS), "|")
    print("| --- |", " | ".join("---:" for _ in _DRAWS), "|")
    for cell in _power_cells():
        shares = []
        for draws in _DRAWS:
            tally = _tally(cell.with_draws(draws), options.runs, options.runs, options.seed)
            shares.append(f"{100 * tally.found / tally.reports:.0f} %")
        print("|", cell.case, "|", " | ".join(shares), "|", flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="runs per cell")
    parser.add_argument(
        "--reports", type=int, help="runs per cell that have all findings, which are slow; default: all"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cells", default="*", metavar="PATTERN", help="only the cells whose name matches")
    parser.add_argument("--power-table", action="store_true", help="print only the table of power, in Markdown")
    options = parser.parse_args()
    options.reports = options.runs if options.reports is None else options.reports
    return options


def main() -> int:
    options = _options()
    if options.power_table:
        return _print_power(options)
    return _print_cells([cell for cell in CELLS if fnmatch.fnmatchcase(cell.name, options.cells)], options)


if __name__ == "__main__":
    sys.exit(main())
