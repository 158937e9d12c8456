"""Settings and fixtures of the whole test suite."""

import gc
import os
import sys
import tempfile

import pytest

# Python may write bytecode, as in `tool.environment`. Otherwise, each run and worker would rewrite the assertions of
# all tests and of Hypothesis again, which takes most of the time before the first test. The workers get the
# environment.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

from hypothesis import settings  # noqa: E402

# A worker keeps thousands of tests in memory, and each explorer leaves reference cycles. With Python's default
# thresholds, the garbage collector would take a third of the time of the explorer's tests.
gc.set_threshold(20_000, 50, 50)

# `tsoft learn` must not read or change what the developer has done.
_STATE = tempfile.TemporaryDirectory(prefix="tsoft-state-")
os.environ["XDG_STATE_HOME"] = _STATE.name

# Hypothesis generates the same examples in each run, so that only a change of the code can cause a failure.
settings.register_profile("suite", derandomize=True, deadline=None, database=None, max_examples=15)
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Exempt the tests themselves, which live as long as the process, from garbage collection."""
    gc.freeze()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks so small that a few rows fill several."""
    monkeypatch.setattr("tsoft.input.npy.BLOCK", 100)
    monkeypatch.setattr("tsoft.sampling.apply_chains.PIECE_SIZE", 16)
