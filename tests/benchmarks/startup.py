"""How long a whole process takes that does nearly nothing: what is imported.

Only a quiet machine tells: a bare `import numpy` starts OpenBLAS's threads, which takes half as
long again where another program keeps a core busy; tsoft starts none.
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
    arguments: str, against: str, *, what: str = "", budget: float | None = None, env: dict[str, str] | None = None
) -> Pair:
    """A call of tsoft against a line of Python."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        ours = process([TSOFT, *arguments.split()], {**os.environ, **(env or {})})
        theirs = process([PYTHON, "-c", against])
        # The first run reads from the disk and may compile; it does not count.
        ours(), theirs()
        return ours, theirs

    needs = against.split()[1].split(".")[0]
    return Pair(what or f"tsoft {arguments}", against, prepare, budget, needs)


PAIRS: Sequence[Pair] = (
    # The aim is 1.3.
    start(COMPUTE, NUMPY, budget=1.5),
    start(COMPUTE, SCIPY, budget=0.6),
    start("--help", NUMPY),
    start("compute --help", NUMPY),
    start(f"{COMPUTE} -f table", NUMPY),
    start("", NUMPY, what="tsoft compute --f<TAB>", env=TAB),
)
