"""The time of a whole process that computes almost nothing: its imports.

The ratios are right only on an idle machine. `import numpy` starts the threads of OpenBLAS, which takes 50 % longer if
another program keeps a core busy; tsoft starts no threads.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pairs import PYTHON, TSOFT, Measure, Pair, process

NUMPY, TYPER = "import numpy", "import typer"
SCIPY = "from scipy.special import softmax"
COMPUTE = "compute 2 1 0.5 0.1 --tau 0.5"
COMPUTE_BUDGET, HELP_BUDGET = 1.4, 2.0
USAGE_ERROR = 2


def start(
    arguments: str,
    against: str,
    *,
    task: str = "",
    budget: float | None = None,
    env: dict[str, str] | None = None,
    status: int = 0,
) -> Pair:
    """Compare a run of tsoft, which ends with `status`, with a line of Python."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        ours = process([TSOFT, *arguments.split()], {**os.environ, **(env or {})}, status=status)
        theirs = process([PYTHON, "-c", against])
        # The first run does not count: it reads from the disk, and may compile.
        ours(), theirs()
        return ours, theirs

    needs = against.split()[1].split(".")[0]
    return Pair(task or f"tsoft {arguments}", against, prepare, budget, needs)


def tab(line: str) -> Pair:
    """Compare the completion of the last word of a line with a line of Python."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    env = {"_TSOFT_COMPLETE": "complete_bash", **words}
    return start("", TYPER, task=f"{line}<TAB>", budget=HELP_BUDGET, env=env)


PAIRS: Sequence[Pair] = (
    start(COMPUTE, NUMPY, budget=COMPUTE_BUDGET),
    start(COMPUTE, SCIPY, budget=0.6),
    start(f"{COMPUTE} -f table", NUMPY),
    *(
        start(arguments, TYPER, budget=HELP_BUDGET)
        for arguments in ("--help", "compute --help", "audit --help", "--version")
    ),
    tab("tsoft "),
    tab("tsoft compute --f"),
    start("compute --tua 1", TYPER, budget=HELP_BUDGET, status=USAGE_ERROR),
)
