"""Reading the file that llama.cpp's `llama-perplexity` writes with `--kl-divergence-base`, also called
`--save-all-logits`, and compares with another model with `--kl-divergence`.

The layout is that of tools/perplexity/perplexity.cpp in llama.cpp, as of 2026. The file starts with `_logits_`, and the
integers n_ctx, n_vocab and n_chunk of 32 bits; then come the n_chunk * n_ctx tokens of the text. Each chunk has
n_ctx - 1 - n_ctx // 2 rows, of the tokens in its second half. A row has two float32, a scale and a minimum, and one
integer of 16 bits per class: the log-probability is scale * integer + minimum. A log-probability more than 16 below the
highest is stored as the minimum.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError
from tsoft.input.quantity import QUANTITIES, contradiction
from tsoft.input.read_options import ReadOptions
from tsoft.input.utf8 import kind_of

MAGIC = b"_logits_"
# The approximate size of a block in bytes.
BLOCK = 1 << 22
# More tokens and classes than these would need too much memory, and no text and no vocabulary has them.
MOST_TOKENS, MOST_CLASSES = 1 << 26, 1 << 24
FLOOR, LARGEST_CODE = 16.0, 65535


@dataclass(frozen=True)
class Header:
    """The size of a chunk in tokens, and the numbers of classes and of chunks."""

    context: int
    classes: int
    chunks: int

    @property
    def chunk_rows(self) -> int:
        """The number of rows per chunk."""
        return self.context - 1 - self.context // 2

    @property
    def rows(self) -> int:
        return self.chunks * self.chunk_rows

    @property
    def row_type(self) -> np.dtype[np.void]:
        """A row. With an odd number of classes, it ends with an unused integer."""
        codes = 2 * ((self.classes + 1) // 2)
        return np.dtype([("scale", "<f4"), ("minimum", "<f4"), ("codes", "<u2", codes)])

    def next_tokens(self, tokens: Array) -> Array:
        """Return the token that follows each row, (rows,), from those of the chunks."""
        return np.ascontiguousarray(tokens.reshape(self.chunks, self.context)[:, -self.chunk_rows :]).reshape(-1)


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a file. The tokens of the text are the true classes. Raise InputError."""
    source = options.source
    if options.quantity not in (None, "logprob"):
        raise InputError(f"{source}: {contradiction('the file', 'logprob', options.quantity or '')}")
    header = _read_header(stream, source)
    tokens = np.frombuffer(_read(stream, 4 * header.chunks * header.context, source), "<i4")
    targets = header.next_tokens(tokens)
    if not ((targets >= 0) & (targets < header.classes)).all():
        raise InputError(f"{source}: a token is not one of the {header.classes} classes; the file is damaged")
    labels = options.class_labels(None, header.classes, source)
    step = max(1, BLOCK // header.row_type.itemsize)
    for first in range(0, header.rows, step):
        count = min(step, header.rows - first)
        rows = np.frombuffer(_read(stream, count * header.row_type.itemsize, source, header, first), header.row_type)
        logprobs = _logprobs(rows, header.classes)
        _note_floor(rows, header.classes, options)
        try:
            logits, _ = ReadOptions(source).logits(logprobs, QUANTITIES["logprob"], None, source)
        except LogitsError as error:
            raise InputError(f"{source}: row {first + error.row}: {error.problem}") from None
        part = targets[first : first + count].astype(np.int64) if options.reads_targets else None
        yield Block(logits, labels, first, Origin("logprob", (header.rows,)), targets=part)
    if stream.read(1):
        raise InputError(f"{source}: more bytes than the header declares")


def _read_header(stream: BinaryIO, source: str) -> Header:
    start = stream.read(len(MAGIC) + 12)
    if not start:
        raise InputError(f"{source}: no logits: the input is empty")
    if not start.startswith(MAGIC[: len(start)]):
        kind = kind_of(start + stream.read(256))
        raise InputError(f"{source}: {f'this is {kind}' if kind else 'not a file of logits of llama.cpp'}")
    if len(start) < len(MAGIC) + 12:
        raise InputError(f"{source}: cut off inside the header")
    header = Header(*struct.unpack("<3i", start[len(MAGIC) :]))
    is_valid = header.context >= 3 and 1 <= header.classes <= MOST_CLASSES and header.chunks >= 1
    if not is_valid or header.chunks * header.context > MOST_TOKENS:
        problem = f"n_ctx = {header.context}, n_vocab = {header.classes}, n_chunk = {header.chunks}"
        raise InputError(f"{source}: invalid header: {problem}; the file is damaged")
    return header


def _read(stream: BinaryIO, size: int, source: str, header: Header | None = None, first: int = 0) -> bytes:
    """Read that many bytes: tokens, or rows from the row `first` on. Raise InputError if there are fewer."""
    data = stream.read(size)
    if len(data) < size:
        rows = (
            ""
            if header is None
            else f": {header.rows} rows, but the file has {first + len(data) // header.row_type.itemsize}"
        )
        raise InputError(f"{source}: cut off: the header declares more{rows}")
    return data


def _logprobs(rows: Array, classes: int) -> Array:
    """Return the log-probabilities of rows, (rows, n), as llama.cpp computes them, but never above 0."""
    # A damaged file may have any scale.
    with np.errstate(all="ignore"):
        values = rows["codes"][:, :classes] * rows["scale"][:, np.newaxis] + rows["minimum"][:, np.newaxis]
    return np.asarray(np.minimum(values, np.float32(0)))


def _note_floor(rows: Array, classes: int, options: ReadOptions) -> None:
    """Print a note if some classes have the lowest log-probability that the file can contain."""
    is_cut = rows["scale"].astype(np.float64) * LARGEST_CODE > FLOOR * (1 - 1e-5)
    counts = np.where(is_cut, (rows["codes"][:, :classes] == 0).sum(1), 0)
    if counts.any():
        options.note(
            f"{options.source}: llama.cpp stores log-probabilities in 16 bits, and none more than {FLOOR:.0f} below the"
            " highest; for classes at this floor, it is an upper bound, not a value, so tsoft gives them too much"
            " probability, above all at τ > 1"
        )
