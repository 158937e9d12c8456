"""Settings of the whole suite."""

import gc

import pytest
from hypothesis import settings

# A worker holds thousands of tests and, of each explorer that it has opened, a graph of cycles. Searched as often as
# Python does by default, these take a third of the time of the explorer's tests.
gc.set_threshold(20_000, 50, 50)

# Every run has the same examples, so that a failure is a change's and not chance.
settings.register_profile("suite", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Exempts the tests themselves, which last as long as the process, from later searches for cycles."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of arrays so small that a few rows are several."""
    monkeypatch.setattr("tsoft.input.npy.BLOCK", 100)
    monkeypatch.setattr("tsoft.sampling.apply_chains.PIECE", 16)
