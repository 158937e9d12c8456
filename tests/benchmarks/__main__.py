"""Measure how fast tsoft is, as ratios to what users would run without it."""

import argparse
import sys
from pathlib import Path

import arrays
import bandits
import calibration
import chains
import distillation
import draws
import kernels
import ngrams
import startup
import sweeps
import text
from machine import machine
from report import Columns, manual_page, row_of, verdict

import explorer
import models

MODULES = (
    startup, kernels, chains, sweeps, draws, bandits, distillation, calibration, text, arrays, explorer, ngrams, models
)  # fmt: skip
PAIRS = tuple(pair for module in MODULES for pair in module.PAIRS)
# The page of the manual with the rows that have a budget.
PAGE = Path(__file__).parents[2] / "src/tsoft/docs/speed.md"


def main() -> int:
    options = _options()
    pairs = [pair for pair in PAIRS if options.only in f"{pair.task} against {pair.against}"]
    if options.manual:
        pairs = [pair for pair in pairs if pair.budget is not None]
    # The load of the machine matters before the benchmarks add to it.
    columns, where = Columns(PAIRS), machine()
    print(f"{where}\n\n{columns.header}")
    rows = []
    for pair in pairs:
        rows.append(row_of(pair, options.repeat))
        print(columns.line(rows[-1]), flush=True)
    summary, status = verdict(rows)
    print(f"\n{summary}")
    if options.manual:
        PAGE.write_text(manual_page(PAGE.read_text("utf-8"), rows, where), "utf-8")
    return status if options.check else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", default="", help="measure only the rows that contain NAME")
    parser.add_argument("--repeat", metavar="N", type=int, help="measure each row N times")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if a ratio is over its budget, or after an error; otherwise with 4 if a row with a budget was"
        " not measured because the other program is not installed",
    )
    parser.add_argument(
        "--manual",
        action="store_true",
        help="measure the rows with a budget, and write them to src/tsoft/docs/speed.md",
    )
    options = parser.parse_args()
    if options.manual and options.only:
        parser.error("--manual writes all rows; remove --only")
    return options


if __name__ == "__main__":
    sys.exit(main())
