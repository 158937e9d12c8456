"""The classes of a row that are shown, and the width of the screen."""

import numpy as np
import pytest

from tsoft.charts.view import MAX_WIDTH, Screen, View

SCREEN = Screen(80, False)
RANKING = np.array([3, 1, 4, 0, 2, 5])


def split(view: View, kept: list[int] | None = None) -> tuple[list[int], list[int]]:
    mask = None if kept is None else np.isin(np.arange(len(RANKING)), kept)
    selection = view.select(RANKING, mask)
    return selection.shown.tolist(), selection.rest.tolist()


def test_all_classes_are_in_the_order_of_the_input_or_sorted() -> None:
    assert split(View(SCREEN, show=6)) == ([0, 1, 2, 3, 4, 5], [])
    assert split(View(SCREEN, show=6, sort=True)) == (RANKING.tolist(), [])


def test_the_most_probable_classes_are_shown() -> None:
    assert split(View(SCREEN, show=2)) == ([3, 1], [4, 0, 2, 5])


def test_kept_classes_are_shown_with_the_removed_ones_between_them() -> None:
    assert split(View(SCREEN, show=2), kept=[3, 4]) == ([3, 1, 4], [0, 2, 5])
    # If fewer classes are kept than shown, removed classes follow.
    assert split(View(SCREEN, show=2), kept=[3]) == ([3, 1], [4, 0, 2, 5])


def test_at_most_twice_as_many_classes_are_shown() -> None:
    assert split(View(SCREEN, show=2), kept=[3, 5]) == ([3, 1, 4, 0], [2, 5])


@pytest.mark.parametrize(("columns", "width"), [("5", 20), ("100", 100), ("99999", MAX_WIDTH)])
def test_the_width_is_limited(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Screen.of_stdout().width == width


def test_a_selection_shows_the_rest_as_one() -> None:
    selection = View(SCREEN, show=2).select(RANKING)
    assert selection.labels(["a", "b", "c", "\n", "e", "f"]) == ["\\n", "b", "… 4 more"]
    assert selection.values(np.arange(12).reshape(2, 6)).tolist() == [[3, 1, 11], [9, 7, 35]]
    everything = View(SCREEN, show=6).select(RANKING)
    assert everything.labels("abcdef") == list("abcdef")
    assert everything.values(np.arange(6)).tolist() == [0, 1, 2, 3, 4, 5]
