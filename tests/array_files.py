"""Helpers: arrays as .npy and .npz files, read by tsoft from a file or a pipe."""

import contextlib
import io
import itertools
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pytest

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input.formats import FORMATS
from tsoft.input.read_options import ReadOptions

SHAPES = ((4,), (7, 4), (1, 4), (7, 1), (2, 3, 4), (2, 1, 3, 2))


class Pipe(io.RawIOBase):
    """A stream that cannot seek and returns a few bytes per read."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        return self.data.readinto(into[:1000])


@contextlib.contextmanager
def opened(data: bytes, piped: bool) -> Iterator[BinaryIO]:
    if piped:
        yield io.BufferedReader(Pipe(data))
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file


def read(data: bytes, format: str = "npy", *, piped: bool = False, **reading: Any) -> list[Block]:
    with opened(data, piped) as stream:
        return list(FORMATS[format].reader()(stream, ReadOptions("f", **reading)))


def rows(blocks: list[Block]) -> Array:
    """Return the rows of consecutive blocks."""
    firsts = [0, *itertools.accumulate(len(block.logits) for block in blocks)]
    assert [block.first_row for block in blocks] == firsts[:-1]
    return np.concatenate([block.logits for block in blocks])


def complaint(data: bytes, format: str = "npy", *, piped: bool = False, **reading: Any) -> str:
    """Return the message of the error that an input raises before its first block."""
    with pytest.raises(InputError) as caught, opened(data, piped) as stream:
        next(FORMATS[format].reader()(stream, ReadOptions("f", **reading)))
    return str(caught.value).removeprefix("f: ")


def saved(array: Array, version: tuple[int, int] | None = None) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version, allow_pickle=True)
    return buffer.getvalue()


def zipped(pack: bool = False, **arrays: Array) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if pack else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def numbers(shape: tuple[int, ...], dtype: str = "f8", order: Any = "C", seed: int = 0) -> Array:
    normal = np.random.default_rng(seed).standard_normal(shape) * 5
    return np.asarray(abs(normal) if np.dtype(dtype).kind == "u" else normal).astype(dtype, order=order)
