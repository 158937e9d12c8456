"""`each_case` runs every case, and an error shows which case failed."""

from pathlib import Path

import pytest

from cases import each_case

CALLS: list[tuple[int, str, bool]] = []


@each_case(("number", "text"), [(1, "a"), (2, "b")])
@each_case("flag", [True, False])
def test_every_case_is_called_with_the_fixtures(number: int, text: str, flag: bool, tmp_path: Path) -> None:
    assert tmp_path.is_dir()
    CALLS.append((number, text, flag))


def test_the_calls_are_all_combinations() -> None:
    CALLS.clear()
    test_every_case_is_called_with_the_fixtures(tmp_path=Path())
    assert CALLS == [(1, "a", True), (1, "a", False), (2, "b", True), (2, "b", False)]


def test_an_error_shows_the_case_and_ends_the_test() -> None:
    @each_case("number", [1, 2, 3])
    def fails(number: int) -> None:
        CALLS.append((number, "", False))
        assert number != 2

    CALLS.clear()
    with pytest.raises(AssertionError) as caught:
        fails()
    assert caught.value.__notes__ == ["The case is {'number': 2}."]
    assert [number for number, *_ in CALLS] == [1, 2]


def test_a_test_without_cases_is_an_error() -> None:
    with pytest.raises(AssertionError):
        each_case("number", [])
