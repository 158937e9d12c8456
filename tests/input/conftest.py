"""Fixtures of the tests of input."""

import json
from pathlib import Path
from typing import Any

import pytest

from tsoft.input.settings.settings import Settings
from tsoft.input.settings.settings_reader import read


@pytest.fixture
def read_json(tmp_path: Path) -> Any:
    """Return a function that reads the settings in a JSON value."""

    def from_json(value: Any) -> Settings:
        (tmp_path / "settings.json").write_text(json.dumps(value))
        return read(str(tmp_path / "settings.json"))

    return from_json
