"""The table of formats, and the names that the command line offers."""

import io
from random import Random
from typing import get_args

import numpy as np

from cases import each_case
from tsoft.errors import InputError
from tsoft.input import delimited
from tsoft.input.formats import FORMATS, Format, by_name
from tsoft.input.read_options import ReadOptions
from tsoft.options.input import InputFormat
from tsoft.options.output import ARRAY_FORMATS, FIGURE_FORMATS, TEXT_FORMATS, OutputFormat


def test_every_format_is_offered() -> None:
    """The options repeat the names of the formats, so that --help does not import them."""
    assert get_args(InputFormat) == tuple(FORMATS)
    assert get_args(OutputFormat) == ("table", *TEXT_FORMATS, *ARRAY_FORMATS, *FIGURE_FORMATS, "html")
    assert {*TEXT_FORMATS, *ARRAY_FORMATS} <= FORMATS.keys()


@each_case("format", FORMATS.values())
def test_every_format_has_a_reader(format: Format) -> None:
    assert callable(format.reader())


def test_a_name_determines_the_format() -> None:
    assert by_name("a.b/LOGITS.CSV") == FORMATS["csv"]
    assert by_name("jsonl") is None
    endings = [ending for format in FORMATS.values() for ending in format.endings]
    assert len(endings) == len(set(endings))


WORDS = """1 -2.5 .5 1e400 -inf inf nan 1_0 −1 cat a=1 = label logit prob row tau index entropy #1 # " "a,b" \t"""
TOKENS = [*WORDS.split(), "\0", "\r", " ", "  ", "\t", ",", ";", "\n", "\n", "\r\n", "\ufeff"]


def test_every_text_is_read_or_refused() -> None:
    """Any input results in rows that have a softmax, or in one message."""
    random = Random(1)
    for _ in range(300):
        text = "".join(random.choices(TOKENS, k=random.randint(0, 30))).encode()
        data = random.choice([text, text, random.randbytes(random.randint(0, 60))])
        quantity, delimiter = random.choice([None, "prob", "energy"]), random.choice([None, ",", "\t"])
        options = ReadOptions("f", quantity, delimiter=delimiter)
        try:
            blocks = list(delimited.read(io.BufferedReader(io.BytesIO(data)), options))
        except InputError:
            continue
        for block in blocks:
            assert block.labels is None or len(block.labels) == block.logits.shape[1]
            assert np.isfinite(block.logits.max(1)).all()
