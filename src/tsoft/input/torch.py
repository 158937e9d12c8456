"""Reading PyTorch files, if torch is installed: a tensor, or a dictionary, list or tuple of tensors.

torch loads them with `weights_only=True`, which runs no code in the file.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, shortened
from tsoft.input import npy
from tsoft.input.named_arrays import open_memory, read_arrays
from tsoft.input.read_options import ReadOptions
from tsoft.input.streams import seekable

# The name of an array in a file of a single tensor.
TENSOR = "tensor"
_FIX = "save the array with numpy.save('logits.npy', tensor.float().numpy())"


@dataclass(frozen=True)
class TorchFile:
    """The arrays and the lists of strings of a PyTorch file, by their names."""

    arrays: dict[str, Array]
    texts: dict[str, list[str]]

    @property
    def names(self) -> list[str]:
        return [*self.arrays, *self.texts]

    def open(
        self, name: str, source: str, check: npy.DtypeCheck | None = None
    ) -> AbstractContextManager[tuple[npy.NpyHeader, BinaryIO]]:
        return open_memory(self.arrays[name], source, check)


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of one of the tensors, with the file's labels. Raise InputError."""
    yield from read_arrays(opened(stream, options), options)


def opened(stream: BinaryIO, options: ReadOptions) -> TorchFile:
    """Return the tensors in a stream. Raise InputError if torch is not installed, or does not load the file."""
    source = options.source
    try:
        import torch
    except ImportError:
        problem = f"this is a PyTorch file, which needs torch; run pip install torch, or {_FIX}"
        raise InputError(f"{source}: {problem}") from None
    file = seekable(stream, source, "a piped PyTorch file", options.note)
    try:
        contents = dict(_contents(torch.load(file, map_location="cpu", weights_only=True), TENSOR, torch))
    except Exception as error:  # torch raises exceptions of many types, for a damaged file or a sparse tensor.
        reason = _reason(str(error))
        raise InputError(f"{source}: torch does not load this file: {reason}; {_FIX}") from None
    if not contents:
        raise InputError(f"{source}: the PyTorch file has no tensors; {_FIX}")
    texts = {name: content for name, content in contents.items() if isinstance(content, list)}
    return TorchFile({name: array for name, array in contents.items() if not isinstance(array, list)}, texts)


def _reason(message: str) -> str:
    """Return why torch does not load a file: the class that it refuses, or the first line of its message."""
    if refused := re.search(r"Unsupported global: GLOBAL (\S+)", message):
        return f"it contains {shortened(refused[1], 100)}, which is not a tensor"
    return shortened(re.sub(r"\x1b\[[\d;]*m", "", message).strip().split("\n")[0], 100)


def _contents(content: Any, name: str, torch: Any) -> Iterator[tuple[str, Array | list[str]]]:
    """Yield the arrays and lists of strings in the content of a file. Those of nested dictionaries have names such as
    `outputs.logits`, and those of lists and tuples numbers from 0."""
    if isinstance(content, torch.Tensor):
        yield name, _array(content, torch)
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _contents(value, f"{key}" if name == TENSOR else f"{name}.{key}", torch)
    elif isinstance(content, list) and content and all(isinstance(text, str) for text in content):
        yield name, content
    elif isinstance(content, list | tuple):
        yield from _contents(dict(enumerate(content)), name, torch)


def _array(tensor: Any, torch: Any) -> Array:
    tensor = tensor.detach()
    # numpy has no bfloat16, and no numbers of 8 bits or fewer with a fraction; float32 contains all of them.
    if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()
    return np.asarray(tensor.numpy())
