"""The report of the benchmarks: the exit code of --check, and the section of the manual. No test measures time."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from report import Row

FOLDER = Path(__file__).parent / "benchmarks"


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests import the modules of the benchmarks."""
    monkeypatch.syspath_prepend(str(FOLDER))


def row(task: str, ratio: float, budget: float | None = 1.0, needs: str | None = None) -> "Row":
    from pairs import Pair, measured
    from report import Row

    pair = Pair(task, "theirs", lambda _: (lambda: 20 * ratio, lambda: 20.0), budget, needs, repeat=1)
    return Row(pair, measured(pair))


def test_check_fails_for_a_ratio_over_its_budget() -> None:
    from report import verdict

    rows = [
        row("fast", 0.9),
        row("slow", 1.1),
        row("unlimited", 9, None),
        row("unmeasured", 0.5, needs="no_such_module"),
    ]
    text, status = verdict(rows)
    assert status == 1
    assert text.splitlines() == [
        "3 budgets: 1 kept, 1 exceeded, 1 not checked",
        "exceeded: slow against theirs",
        "not checked: unmeasured against theirs: no no_such_module",
    ]


def test_check_is_inconclusive_if_a_row_with_a_budget_was_not_measured() -> None:
    from report import verdict

    rows = [row("fast", 1.0), row("informs", 2, None, needs="no_such_module")]
    assert verdict(rows) == ("1 budgets: 1 kept, 0 exceeded, 0 not checked", 0)
    assert verdict([*rows, row("unmeasured", 0.5, needs="no_such_module")])[1] == 4


def test_the_section_of_the_manual_has_a_line_per_budget() -> None:
    from report import manual_page

    rows = [row("tsoft a", 0.5), row("b", 100), row("informs", 2, None), row("c", 1, needs="no_such_module")]
    page = manual_page("# speed\n\n## Figures\n\nold\n\n## Memory\n\nkept\n", rows, "a machine, 2 cores")
    assert "old" not in page
    assert page.endswith("\n\n## Memory\n\nkept\n")
    assert "The machine: a machine, 2 cores." in page.replace("\n", " ")
    assert [line for line in page.splitlines() if line.startswith("| ")][2:] == [
        "| `tsoft a` | theirs | 1 | 0.50 (10 ms to 20 ms) |",
        "| b | theirs | 1 | 100.00 (2 s to 20 ms), over |",
        "| c | theirs | 1 | not measured: no no_such_module |",
    ]
