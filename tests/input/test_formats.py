"""The table of formats, and the names that the command line offers."""

import io
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsoft.errors import InputError
from tsoft.input import delimited
from tsoft.input.formats import FORMATS, Format, by_name
from tsoft.input.read_options import ReadOptions
from tsoft.options.input import InputFormat
from tsoft.options.output import ARRAY_FORMATS, FIGURE_FORMATS, TEXT_FORMATS, OutputFormat


def test_every_format_is_offered() -> None:
    """The options repeat the names of the formats, so that --help does not import them."""
    assert get_args(InputFormat) == tuple(FORMATS)
    assert get_args(OutputFormat) == ("table", *TEXT_FORMATS, *FIGURE_FORMATS, *ARRAY_FORMATS, "html")
    assert {*TEXT_FORMATS, *ARRAY_FORMATS} <= FORMATS.keys()


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS.keys())
def test_every_format_has_a_reader(format: Format) -> None:
    assert callable(format.reader())


def test_a_name_determines_the_format() -> None:
    assert by_name("a.b/LOGITS.CSV") == FORMATS["csv"]
    assert by_name("jsonl") is None
    endings = [ending for format in FORMATS.values() for ending in format.endings]
    assert len(endings) == len(set(endings))


WORDS = """1 -2.5 .5 1e400 -inf inf nan 1_0 −1 cat a=1 = label logit prob row tau index entropy #1 # " "a,b" \t"""
TOKENS = st.sampled_from([*WORDS.split(), "\0", "\r", " ", "  ", "\t", ",", ";", "\n", "\n", "\r\n", "\ufeff"])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(TOKENS, max_size=30).map(lambda tokens: "".join(tokens).encode()) | st.binary(max_size=60),
    st.sampled_from([None, ",", "\t"]),
    st.sampled_from([None, "prob", "energy"]),
)
def test_every_text_is_read_or_refused(data: bytes, delimiter: str | None, quantity: str | None) -> None:
    """Any input results in rows that have a softmax, or in one message."""
    try:
        blocks = list(
            delimited.read(io.BufferedReader(io.BytesIO(data)), ReadOptions("f", quantity, delimiter=delimiter))
        )
    except InputError:
        return
    for block in blocks:
        assert block.labels is None or len(block.labels) == block.logits.shape[1]
        assert np.isfinite(block.logits.max(1)).all()
