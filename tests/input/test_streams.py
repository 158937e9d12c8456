"""Streams of bytes: stdin that does not block, keeping a pipe in memory, and blanks at the start."""

import io
import itertools
import json
import os
import select
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from array_files import Pipe
from tool import here, in_turns
from tsoft.errors import InputError
from tsoft.input import lines, streams
from tsoft.input.formats import FORMATS, detect
from tsoft.input.read_options import ReadOptions
from tsoft.input.source import open_input
from tsoft.input.streams import Pieces, seekable, with_start

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def test_a_row_that_arrives_later_in_a_pipe_that_does_not_block() -> None:
    """The number 0.25 arrives in halves."""
    turns = [(b"0.5 0.5\n0.2", b"0.5\t0.5\n"), (b"5 0.75\n1 0", b"0.25\t0.75\n")]
    done = in_turns("compute", "--probs", "-f", "tsv", "--digits", "3", turns=turns, blocking=False)
    assert done == (0, b"1\t0\n")


def in_halves(read: Callable[[BinaryIO], bytes], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return what `read` returns from a stdin that does not block, and whose data arrive whenever a reader waits."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    halves = [b"12", b"34"]

    def arriving(*arguments: Any) -> Any:
        if halves:
            os.write(write_end, halves.pop(0))
        else:
            os.close(write_end)
        return select_(*arguments)

    select_ = select.select
    monkeypatch.setattr(select, "select", arriving)
    with open(read_end, encoding="ascii") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with open_input("-") as stream:
            return read(stream)


def readinto(stream: BinaryIO) -> bytes:
    buffer = bytearray(9)
    size = 0
    while more := stream.readinto(memoryview(buffer)[size:]):  # type: ignore[attr-defined]
        size += more
    return bytes(buffer[:size])


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: stream.read(),
        lambda stream: stream.read(9),
        lambda stream: stream.readline(),
        lambda stream: b"".join(iter(lambda: stream.read1(9), b"")),
        readinto,
    ],
)
def test_every_way_to_read_waits_for_data(read: Callable[[BinaryIO], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_halves(read, monkeypatch) == b"1234"


def test_files_are_still_seekable(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a file on stdin is not copied into memory."""
    with open(__file__, encoding="utf-8") as stdin, open_input(__file__) as file:
        monkeypatch.setattr(sys, "stdin", stdin)
        with open_input("-") as stream:
            assert stream.seekable()
            assert stream.seek(0, io.SEEK_END) == file.seek(0, io.SEEK_END) == os.path.getsize(__file__)
        assert not stdin.closed
        assert os.fstat(stdin.fileno())


def test_a_small_pipe_takes_little_memory() -> None:
    """tracemalloc counts the allocation of a buffer, even if nothing touches its pages."""
    notes: list[str] = []
    tracemalloc.start()
    try:
        copy = seekable(io.BufferedReader(Pipe(b"1234")), "f", "a piped .npz", notes.append)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert copy.read() == b"1234"
    assert not notes


def test_a_pipe_in_memory_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, data in ((1 << 21, bytes(3 << 20)), (4, b"12345")):
        monkeypatch.setattr(streams, "LONGEST_PIPED", limit)
        with pytest.raises(InputError, match=r"of a piped \.npz from a pipe; pass -i FILE"):
            seekable(io.BufferedReader(Pipe(data)), "f", "a piped .npz", print)
        assert seekable(io.BufferedReader(Pipe(data[:limit])), "f", "a piped .npz", print).read() == data[:limit]


BLANKS = [b" ", b"\n", b"\t", b"\r\n", b" \n"]


@pytest.mark.parametrize("blank", BLANKS)
def test_leading_blanks_are_looked_at_only_once(blank: bytes) -> None:
    size = 0

    def suffices(head: bytes) -> bool:
        nonlocal size
        size += len(head)
        return bool(head.strip())

    data = blank * ((4 << 20) // len(blank)) + b"1 2\n"
    head, stream = with_start(io.BufferedReader(io.BytesIO(data)), suffices)
    assert head.strip() == b"1 2"
    assert size < 3 * len(data)
    assert stream.read() == data


@pytest.mark.parametrize("text", ["[1, x]", "1 x"])
def test_lines_count_from_the_start_of_the_blanks(text: str) -> None:
    done = here("compute", stdin="\n" * 1_000_000 + text)
    assert done.stderr.startswith("tsoft: error: stdin:1000001: ")


class Endless(io.RawIOBase):
    """A stream that repeats a text."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = (self.text * (len(buffer) // len(self.text) + 1))[: len(buffer)]
        buffer[:] = data
        return len(data)


@pytest.mark.parametrize(
    "text", [b"\n", b" " * 50 + b"\n", b"#" * 99 + b"\n", b"  # one " * 99 + b"\n\n", "# é".encode() * 99 + b"\n"]
)
def test_blank_lines_and_comments_without_an_end_are_an_error(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (streams, lines):
        monkeypatch.setattr(module, "LONGEST_BLANK", 1 << 20)
    for name in ["", "f.txt", "f.json"][: None if text.isspace() else 2]:
        format, stream = detect(io.BufferedReader(Endless(text)), name)
        message = "^f: no numbers in the first 1 MB, only blank lines or comments; remove them$"
        with pytest.raises(InputError, match=message):
            next(format.reader()(stream, ReadOptions("f")))


@pytest.mark.parametrize(
    ("text", "end"),
    [(b"1", "2: the line is longer than 1 MB; write one row per line, or pass --max-line 2"), (b"1 2\n", "")],
)
def test_a_line_without_an_end_is_an_error(text: bytes, end: str) -> None:
    """Lines that end may go on forever."""
    stream = Pieces(itertools.chain([b"1 2\n"], itertools.repeat(text * 1000, 10_000 if end else 300)))
    blocks = FORMATS["text"].reader()(io.BufferedReader(stream), ReadOptions("f", max_line=1))
    if end:
        with pytest.raises(InputError, match=f"^f:{end}$"):
            list(blocks)
    else:
        assert sum(len(block.logits) for block in blocks) == 300_001


LONG_LINE = "f:{}: the line is longer than 4 MB; write one row per line, or pass --max-line 2"
LONG_DOCUMENT = "f: the JSON document is larger than 4 MB; write one row per line, use .npy, or pass --max-line 2"


@pytest.mark.parametrize(
    ("format", "text", "problem"),
    [
        ("json", b"[1,", LONG_LINE.format(1)),
        ("jsonl", b"[1,", LONG_LINE.format(1)),
        ("response", b"[1,", LONG_LINE.format(1)),
        ("response", b"data: x ", LONG_LINE.format(1)),
        ("json", b"[" + b"1," * 500 + b"\n", LONG_DOCUMENT),
        ("response", b"[" + b"1," * 500 + b"\n", LONG_DOCUMENT),
    ],
)
def test_a_document_without_an_end_is_an_error(format: str, text: bytes, problem: str) -> None:
    blocks = FORMATS[format].reader()(io.BufferedReader(Endless(text)), ReadOptions("f", max_line=1))
    with pytest.raises(InputError, match=f"^{problem}$"):
        next(blocks)


@pytest.mark.parametrize("text", [b"\n", b": keep-alive\n\n", b"event: ping\n", b"data:\n\n"])
def test_a_stream_without_data_and_without_an_end_is_an_error(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_BLANK", 1 << 16)
    piece = json.dumps({"choices": [{"text": "a", "logprobs": {"top_logprobs": [{"a": -0.5, "b": -1}]}}]}).encode()
    for start, count in ((b"", 0), (b"data: " + piece + b"\n", 1)):
        stream = io.BufferedReader(Pieces(itertools.chain([start], itertools.repeat(text * 100, 1100))))
        blocks = FORMATS["response"].reader()(stream, ReadOptions("f"))
        assert len(list(itertools.islice(blocks, count))) == count
        with pytest.raises(InputError, match=r"no numbers in the first \d MB, only blank lines or comments"):
            next(blocks)


def test_max_line_is_in_megabytes_and_needs_lines(tmp_path: Path) -> None:
    number = "0" * (1 << 20) + "1"
    done = here("compute", "--max-line", "1", stdin=f"2 {number}\n")
    assert done.stderr == f"tsoft: error: stdin:1: {LONG_LINE.format(1)[5:].replace('4 MB', '1 MB')}\n"
    assert here("compute", "--max-line", "2", stdin=f"2 {number}\n").returncode == 0
    np.save(tmp_path / "z.npy", [2.0, 1.0])
    for arguments, kind in (
        (("2", "1"), "logits that are arguments"),
        (
            ("-i", f"{tmp_path}/z.npy"),
            f"{tmp_path}/z.npy, which is npy",
        ),
    ):
        done = here("compute", *arguments, "--max-line", "2")
        message = f"tsoft: error: --max-line has no effect on {kind}; remove --max-line\n"
        assert (done.returncode, done.stderr) == (2, message)
