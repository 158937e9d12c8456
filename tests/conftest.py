"""Settings of the whole suite."""

import gc

import pytest

# A worker holds some thousand tests and, of every explorer that it has opened, a graph of cycles. Searched as often as
# Python does by default, they take a sixth of the suite's time.
gc.set_threshold(20_000, 50, 50)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leaves the tests themselves out of every later search: they last as long as the process."""
    gc.collect()
    gc.freeze()
