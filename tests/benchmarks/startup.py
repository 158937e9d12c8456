"""The time of a whole process that computes almost nothing: its imports.

The ratios are right only on an idle machine. `import numpy` starts the threads of OpenBLAS, which takes 50 % longer if
another program keeps a core busy; tsoft starts no threads.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pairs import PYTHON, TSOFT, Measure, Pair, process

NUMPY = "import numpy"
SCIPY = "from scipy.special import softmax"
COMPUTE = "compute 2 1 0.5 0.1 --tau 0.5"
TAB = {"_TSOFT_COMPLETE": "complete_bash", "COMP_WORDS": "tsoft compute --f", "COMP_CWORD": "2"}


def start(
    arguments: str, against: str, *, task: str = "", budget: float | None = None, env: dict[str, str] | None = None
) -> Pair:
    """Compare a run of tsoft with a line of Python."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        ours = process([TSOFT, *arguments.split()], {**os.environ, **(env or {})})
        theirs = process([PYTHON, "-c", against])
        # The first run does not count: it reads from the disk, and may compile.
        ours(), theirs()
        return ours, theirs

    needs = against.split()[1].split(".")[0]
    return Pair(task or f"tsoft {arguments}", against, prepare, budget, needs)


PAIRS: Sequence[Pair] = (
    # The target is 1.4.
    start(COMPUTE, NUMPY, budget=1.5),
    start(COMPUTE, SCIPY, budget=0.6),
    start("--help", NUMPY),
    start("compute --help", NUMPY),
    start(f"{COMPUTE} -f table", NUMPY),
    start("", NUMPY, task="tsoft compute --f<TAB>", env=TAB),
)
