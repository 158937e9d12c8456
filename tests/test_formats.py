"""The table of formats, and the names that the command line offers."""

from typing import get_args

import pytest

from tsoft.commands.options import InputFormat, OutputFormat
from tsoft.formats import FORMATS, INPUTS, OUTPUTS, Format, by_name


def test_every_format_is_offered() -> None:
    """The options name the formats a second time, so that --help need not import them."""
    assert get_args(InputFormat) == INPUTS
    assert get_args(OutputFormat) == ("table", *OUTPUTS)


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS.keys())
def test_every_format_has_its_ways(format: Format) -> None:
    assert format.reads or format.writes
    assert format.reads is None or callable(format.reader())
    assert format.writes is None or callable(format.writer())


def test_a_name_tells_the_format() -> None:
    assert by_name("a.b/LOGITS.CSV") == FORMATS["csv"]
    assert by_name("jsonl") is None
    endings = [ending for format in FORMATS.values() for ending in format.endings]
    assert len(endings) == len(set(endings))
