"""Opening Parquet and Arrow files with pyarrow, one batch of rows at a time."""

import contextlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from tsoft.core.block import Block
from tsoft.core.cores import available_cores
from tsoft.errors import InputError, shortened
from tsoft.input.read_options import ReadOptions
from tsoft.input.streams import seekable
from tsoft.input.targets import Targets
from tsoft.input.utf8 import kind_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tsoft.input.arrow_table import ArrowSource

# The approximate size of a batch in bytes. Each column takes some time per batch, so a batch of many columns is larger:
# it has about this many bytes per column, up to a limit.
BATCH, PER_COLUMN, LARGEST_BATCH = 1 << 24, 1 << 13, 1 << 26
# The number of bytes of each column to read at once from a Parquet file.
BUFFER = 1 << 16
_PARQUET, _ARROW = "a Parquet file", "an Arrow file"
_FILE, _OLD_FILE = b"ARROW1", b"FEA1"
# The last bytes of an Arrow stream, unless it ends when it is closed.
_END = b"\xff\xff\xff\xff\0\0\0\0"


def read_parquet(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a Parquet file. Raise InputError."""
    with _errors(_PARQUET, options.source):
        from tsoft.input import arrow_table

        yield from arrow_table.read(parquet(stream, options), options)


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of an Arrow file (also called Feather) or an Arrow stream. Raise InputError."""
    with _errors(_ARROW, options.source):
        from tsoft.input import arrow_table

        yield from arrow_table.read(arrow(stream, options), options)


@contextlib.contextmanager
def _errors(kind: str, source: str) -> Iterator[None]:
    """Turn an error of pyarrow inside the context, or its absence, into an InputError."""
    try:
        import pyarrow as pa

        pa.set_cpu_count(available_cores())
    except ImportError:
        problem = f"this is {kind}, which needs pyarrow; run pip install 'tsoft[parquet]'"
        raise InputError(f"{source}: {problem}") from None
    try:
        yield
    except (pa.ArrowException, OSError, MemoryError, OverflowError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = shortened(str(error).strip().split("\n")[0].rstrip("."), 100) or "it would need too much memory"
        raise InputError(f"{source}: pyarrow cannot read this as {kind}: {reason}") from None


def parquet(stream: BinaryIO, options: ReadOptions) -> "ArrowSource":
    """Open a Parquet file."""
    import pyarrow.parquet as pq

    from tsoft.input.arrow_table import ArrowSource

    file = seekable(stream, options.source, "a piped Parquet file", options.note)
    _check_start(file, (b"PAR1", b"PARE"), _PARQUET, options.source)
    # Without pre_buffer, pyarrow reads a row group, which may be the whole file, in parts.
    table = pq.ParquetFile(_native(file), pre_buffer=False, buffer_size=BUFFER)
    batches = table.iter_batches(batch_size=_rows_at_once(table))
    return ArrowSource(table.schema_arrow, batches, table.metadata.num_rows)


def _native(file: BinaryIO) -> "BinaryIO | pa.NativeFile":
    """Return a file that pyarrow reads without Python, if the file has a path."""
    import pyarrow as pa

    path = getattr(file, "name", None)
    return pa.OSFile(path) if isinstance(path, str) and file.tell() == 0 else file


def _rows_at_once(table: "pq.ParquetFile") -> int:
    """Return the number of rows to read at once. Types such as lists have no size, so a row shows how long it is."""
    types = table.schema_arrow.types
    try:
        size = min(max(BATCH, PER_COLUMN * len(types)), LARGEST_BATCH)
        return int(max(1, 8 * size // sum(type.bit_width for type in types)))
    except ValueError:
        first = next(table.iter_batches(batch_size=1), None)
        return 1 if first is None else _batch_rows(first)


def _batch_rows(batch: "pa.RecordBatch") -> int:
    """Return the number of rows to read at once, from the size of those in a batch."""
    return int(max(1, BATCH * batch.num_rows // max(1, batch.nbytes)))


def arrow(stream: BinaryIO, options: ReadOptions) -> "ArrowSource":
    """Open an Arrow file or stream."""
    import pyarrow as pa

    from tsoft.input.arrow_table import ArrowSource

    head = stream.peek()[:8] if hasattr(stream, "peek") else b""
    if head.startswith((_FILE, _OLD_FILE)) or stream.seekable():
        file = seekable(stream, options.source, "a piped Arrow file", options.note)
        _check_start(file, (_FILE, _OLD_FILE, b"\xff\xff\xff\xff"), _ARROW, options.source)
        head = file.read(8)
        file.seek(-len(head), 1)
        if head.startswith(_OLD_FILE):
            import pyarrow.feather

            table = pyarrow.feather.read_table(file)
            return ArrowSource(table.schema, _pieces(iter(table.to_batches())), table.num_rows)
        if head.startswith(_FILE):
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            return ArrowSource(reader.schema, _pieces(batches), None)
        stream = file
    watched = _Watched(stream)
    # pyarrow would call `read` of a raw stream, which cannot report an error inside `readinto` without a warning.
    stream_reader = pa.ipc.open_stream(io.BufferedReader(watched))
    return ArrowSource(stream_reader.schema, _noting_cut(_pieces(iter(stream_reader)), watched, options), None)


class _Watched(io.RawIOBase):
    """A stream that remembers the last bytes that were read."""

    def __init__(self, stream: BinaryIO):
        self._stream, self.last = stream, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        buffer[: len(data)] = data
        self.last = (self.last + data)[-len(_END) :]
        return len(data)


def _noting_cut(
    batches: "Iterator[pa.RecordBatch]", stream: _Watched, options: ReadOptions
) -> "Iterator[pa.RecordBatch]":
    """Yield the batches of a stream, with a note if it may be cut off between two of them."""
    yield from batches
    if stream.last != _END:
        options.note(f"{options.source}: the Arrow stream has no end marker, so rows may be missing at its end")


def _pieces(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    """Yield the rows in batches of a limited size. pyarrow trusts the offsets in a file, unless they are checked."""
    for batch in batches:
        batch.validate(full=True)
        rows = _batch_rows(batch)
        for first in range(0, batch.num_rows, rows):
            yield batch.slice(first, rows)


def _check_start(file: BinaryIO, starts: tuple[bytes, ...], kind: str, source: str) -> None:
    """Raise InputError if the file does not start as a file of this kind does."""
    position = file.tell()
    head = file.read(256)
    file.seek(position)
    if not head:
        raise InputError(f"{source}: no logits: the input is empty")
    if not head.startswith(starts):
        other = kind_of(head)
        raise InputError(f"{source}: {f'this is {other}' if other else f'not {kind}'}")


def read_targets(stream: BinaryIO, format: str, options: ReadOptions) -> Targets:
    """Return the true classes in a column of a file. Raise InputError if it has none."""
    kind, opened = (_PARQUET, parquet) if format == "parquet" else (_ARROW, arrow)
    with _errors(kind, options.source):
        from tsoft.input import arrow_table

        return arrow_table.read_targets(opened(stream, options), options)


def read_rows(stream: BinaryIO, format: str, options: ReadOptions) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file as Python's values by the names of the columns. Raise InputError."""
    kind, opened = (_PARQUET, parquet) if format == "parquet" else (_ARROW, arrow)
    with _errors(kind, options.source):
        for batch in opened(stream, options).batches:
            yield from batch.to_pylist()
