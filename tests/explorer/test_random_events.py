"""Random keys, pastes, mouse events and sizes: the explorer does not fail. The fuzzer sends many more of them."""

import random
from pathlib import Path

import pytest

from random_events import run_events


@pytest.mark.parametrize("arguments", [(), ("cat=2", "dog=1", "\x1b[31m日本=0.5", "=-inf", "--top-p", "0.9")])
def test_random_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_events(random.Random(20), 80, "explore", "--seed", "1", *arguments) in (0, 130)
