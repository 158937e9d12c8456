"""The table of formats, and the names that the command line offers."""

import io
from random import Random
from typing import get_args

import numpy as np
import pytest

from cases import each_case
from tsoft.errors import InputError
from tsoft.input import delimited
from tsoft.input.formats import FORMATS, Format, by_name, detect
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


def test_many_blanks_after_a_comment_are_text() -> None:
    # A pattern that can divide them in several ways would never end.
    assert detect(io.BytesIO(b"# header\n" + b" " * 200 + b"2 1\n"), "-")[0] == FORMATS["text"]


@each_case("name", ["a.json", "a.JSONL", "a.ndjson.gz"])
def test_the_content_of_a_json_file_may_be_a_stream_or_no_json(name: str) -> None:
    """Such as what curl has saved."""
    contents = {
        b'data: {"a": 1}\n\n': "response",
        b": ping\n\nevent: x\ndata: {}\n": "response",
        b'{"data:": [1]}': None,
    }
    for content, expected in contents.items():
        format, stream = detect(io.BytesIO(content), name)
        assert format.name == (expected or ("json" if name == "a.json" else "jsonl"))
        assert stream.read() == content
    with pytest.raises(InputError, match=f"^{name}: this is JSON inside another text"):
        detect(io.BytesIO(b'HTTP/1.1 200 OK\r\n\r\n{"logprobs": {"content": []}}'), name)
    with pytest.raises(InputError, match="a dictionary that Python printed"):
        detect(io.BytesIO(b"{'a': 1.0}"), name)
    # The prompt_logprobs of vLLM and the output_token_logprobs of SGLang.
    for printed in (b"[None, {15: -7.5}]", b"[(-0.25, 5, ' a'), (-1.5, 7, None)]"):
        with pytest.raises(InputError, match="a list that Python printed; print it with json"):
            detect(io.BytesIO(printed), name)


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
