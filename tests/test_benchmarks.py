"""The report of the benchmarks: the exit code of --check, and the section of the manual. No test measures time."""

import os
import subprocess
import sys
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
    from pairs import Pair
    from report import row_of

    pair = Pair(task, "theirs", lambda _: (lambda: 20 * ratio, lambda: 20.0), budget, needs, repeat=1)
    return row_of(pair, None)


def test_the_command_in_the_manual_starts_in_a_plain_environment() -> None:
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(FOLDER), "--only", "no such row"], env=plain, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Budgets: 0 kept, 0 exceeded, 0 not checked" in done.stdout


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
        "Budgets: 1 kept, 1 exceeded, 1 not checked",
        "exceeded: slow against theirs",
        "not checked: unmeasured against theirs (not installed: no_such_module)",
    ]


def test_check_is_inconclusive_if_a_row_with_a_budget_was_not_measured() -> None:
    from report import verdict

    rows = [row("fast", 1.0), row("informs", 2, None, needs="no_such_module")]
    assert verdict(rows) == ("Budgets: 1 kept, 0 exceeded, 0 not checked", 0)
    assert verdict([*rows, row("unmeasured", 0.5, needs="no_such_module")])[1] == 4


def test_check_fails_after_an_error_which_does_not_stop_the_other_rows() -> None:
    from pairs import Pair
    from report import row_of, verdict

    def measure() -> float:
        raise RuntimeError("busy")

    text, status = verdict([row_of(Pair("broken", "theirs", lambda _: (measure, measure), 1.0), None), row("fast", 1)])
    assert status == 1
    assert "not checked: broken against theirs (failed: RuntimeError busy)" in text


def test_the_section_of_the_manual_has_a_line_per_measured_budget() -> None:
    from report import manual_page

    rows = [row("tsoft a", 0.5), row("b", 100), row("informs", 2, None), row("c", 1, needs="no_such_module")]
    page = manual_page("# speed\n\n## Measurements\n\nold\n\n## Memory\n\nkept\n", rows, "a machine, 2 cores")
    assert "old" not in page
    assert page.endswith("\n\n## Memory\n\nkept\n")
    assert "The machine: a machine, 2 cores." in page.replace("\n", " ")
    assert [line for line in page.splitlines() if line.startswith("| ")][2:] == [
        "| `tsoft a` | theirs | 1 | 0.50 (10 ms against 20 ms) |",
        "| b | theirs | 1 | 100.00 (2 s against 20 ms), over |",
    ]
