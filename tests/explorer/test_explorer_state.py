"""The history of the explorer's state."""

from dataclasses import replace

import pytest

from tsoft.explorer import explorer_state
from tsoft.explorer.explorer_state import ChangeHistory, ExplorerState
from tsoft.explorer.sampler_state import SamplerState

STATE = ExplorerState(SamplerState.from_chain(None, 1.0))


def history(*changes: tuple[int, str | None]) -> ChangeHistory:
    """Return a history of row numbers, each with the run of its change."""
    result = ChangeHistory(STATE)
    for number, run in changes:
        result = result.changed(replace(STATE, number=number), run)
    return result


def undone_numbers(changes: ChangeHistory) -> list[int]:
    numbers = []
    while changes.past:
        changes = changes.undone()
        numbers.append(changes.present.number)
    return numbers


def test_a_run_of_changes_is_undone_at_once() -> None:
    assert undone_numbers(history((1, None), (2, None))) == [1, 0]
    assert undone_numbers(history((1, "a"), (2, "a"), (3, "a"))) == [0]
    assert undone_numbers(history((1, "a"), (2, "b"), (3, "a"))) == [2, 1, 0]
    assert undone_numbers(history((1, "a")).run_ended().changed(replace(STATE, number=2), "a")) == [1, 0]
    # After an undo, the same run is a new change.
    assert undone_numbers(history((1, "a"), (2, "b")).undone().changed(replace(STATE, number=3), "a")) == [1, 0]


def test_a_change_drops_the_undone_changes() -> None:
    undone = history((1, None), (2, None)).undone()
    assert undone.redone().present.number == 2
    assert undone.changed(replace(STATE, number=5)).future == ()
    # The same state is not a change.
    assert undone.changed(undone.present) is undone
    assert ChangeHistory(STATE).undone() == ChangeHistory(STATE).redone() == ChangeHistory(STATE)


def test_the_number_of_changes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer_state, "MAX_CHANGES", 3)
    assert undone_numbers(history(*((number, None) for number in range(1, 9)))) == [7, 6, 5]
