"""Measure how fast tsoft is, as ratios to what users would run without it."""

import argparse
import sys

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
from pairs import Pair, Result, measured

import explorer
import models

MODULES = (
    startup, kernels, chains, sweeps, draws, bandits, distillation, calibration, text, arrays, explorer, ngrams, models
)  # fmt: skip
PAIRS = tuple(pair for module in MODULES for pair in module.PAIRS)


def main() -> int:
    options = _options()
    pairs = [pair for pair in PAIRS if options.only in f"{pair.task} against {pair.against}"]
    widths = [max(len(pair.task) for pair in PAIRS), max(len(pair.against) for pair in PAIRS)]
    print(machine() + "\n")
    print(_line(["task", "tsoft", "compared with", "time", "ratio", "budget", ""], widths))
    over = 0
    for pair in pairs:
        result = measured(pair, options.repeat)
        print(_line(_cells(pair, result), widths), flush=True)
        over += result is not None and result.over
    return 1 if options.check and over else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", default="", help="measure only the rows that contain NAME")
    parser.add_argument("--repeat", metavar="N", type=int, help="measure each row N times")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a ratio is over its budget")
    return parser.parse_args()


def _cells(pair: Pair, result: Result | None) -> list[str]:
    budget = "–" if pair.budget is None else f"{pair.budget:g}"
    if result is None:
        return [pair.task, "", pair.against, "", "", budget, "not installed"]
    ours, theirs = (f"{value:.1f} {pair.unit}" for value in (result.ours, result.theirs))
    verdict = "" if result.budget is None else "OVER" if result.over else "ok"
    return [pair.task, ours, pair.against, theirs, f"{result.ratio:.2f}", budget, verdict]


def _line(cells: list[str], widths: list[int]) -> str:
    task, ours, against, theirs, ratio, budget, verdict = cells
    line = f"{task:<{widths[0]}} {ours:>11}  {against:<{widths[1]}} {theirs:>11} {ratio:>6} {budget:>6}  {verdict}"
    return line.rstrip()


if __name__ == "__main__":
    sys.exit(main())
