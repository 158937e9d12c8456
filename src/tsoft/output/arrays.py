"""Writing arrays of distributions as NumPy's .npy and .npz, as Parquet, and as safetensors."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from tsoft.core.cores import available_cores, busy_cores
from tsoft.core.softmax import Array
from tsoft.output.distribution_array import DistributionArray
from tsoft.output.file import OutputStream
from tsoft.output.records import WRITE_BYTES
from tsoft.output.row_keys import ID
from tsoft.output.sink import Sink
from tsoft.output.text_arrays import key_arrays, text_arrays
from tsoft.sampling.distributions import Distributions

# For pieces of fewer bytes, a thread that writes them costs more time than it saves.
LARGE = 1 << 20
# Keeping more bytes than this in memory is worth a note.
NOTE_BYTES = 1 << 24


def write(format: str, array: DistributionArray, out: OutputStream) -> None:
    """Write an array in one of the formats of arrays."""
    first = next(array.results, None)
    if first is None:
        return
    is_large = out.is_file and first.block.logits.nbytes >= LARGE
    write_pieces = _write_behind if is_large and available_cores() > 1 else _write
    if format == "npy" and out.is_file and first.block.origin.axes is None:
        # The number of rows is known at the end, when the header is overwritten.
        out(array.header(first, (0,)))
        sizes: list[int] = []
        write_pieces((_counted(piece, sizes) for piece in array.pieces(first)), out)
        out.overwrite_start(array.header(first, (array.rows(first, sum(sizes)),)))
        return
    # The threads that read and write arrays need a core. If all cores computed, they would wait for each other.
    with busy_cores(1 if write_pieces is _write_behind and first.block.origin.axes is not None else 0):
        write_pieces(_pieces(format, first, array), out)


def _counted(piece: Array, sizes: list[int]) -> memoryview:
    """Return the bytes of a piece, and add its number of numbers to a list."""
    sizes.append(piece.size)
    return _bytes(piece)


def _write(pieces: Iterable[bytes | memoryview], out: OutputStream) -> None:
    for piece in pieces:
        _write_piece(piece, out)


def _write_piece(piece: bytes | memoryview, out: OutputStream) -> None:
    for start in range(0, len(piece), WRITE_BYTES):
        out(piece[start : start + WRITE_BYTES])


def _write_behind(pieces: Iterable[bytes | memoryview], out: OutputStream) -> None:
    """Write each piece in a thread while the next one is computed. Only a file is sure to take a piece soon: a thread
    that writes to a pipe might keep this process alive."""
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        writing: Future[None] | None = None
        for piece in pieces:
            if writing is not None:
                writing.result()
            writing = pool.submit(_write_piece, piece, out)
        if writing is not None:
            writing.result()


def _pieces(format: str, first: Distributions, array: DistributionArray) -> Iterable[bytes | memoryview]:
    if format == "parquet":
        from tsoft.output import parquet_file

        return parquet_file.pieces(first, array)
    if format == "safetensors":
        from tsoft.output import safetensors_file

        return safetensors_file.pieces(first, array)
    return _npz(first, array) if format == "npz" else _npy(first, array)


def logits_file(format: str, row: Array, labels: tuple[str, ...]) -> bytes:
    """Return the bytes of a file of one row of logits, (n,), with the labels of the classes unless it is an .npy."""
    if format == "parquet":
        from tsoft.output import parquet_file

        return parquet_file.logits_file(row, labels)
    if format == "safetensors":
        from tsoft.output import safetensors_file

        return safetensors_file.arrays_file({"logits": row}, labels)
    return _npy_bytes(row) if format == "npy" else _npz_bytes({"logits": row, **text_arrays("labels", labels)})


def _npy(first: Distributions, array: DistributionArray) -> Iterator[bytes | memoryview]:
    """Yield an .npy in C order, in pieces. Its header is first and contains the number of rows. If that number is not
    known, all rows are kept in memory first."""
    axes, pieces = first.block.origin.axes, array.pieces(first)
    if axes is not None:
        yield array.header(first, axes)
        yield from map(_bytes, pieces)
        return
    copies = list(_copies(pieces, array.note))
    yield array.header(first, (array.rows(first, sum(piece.size for piece in copies)),))
    yield from map(_bytes, copies)


def _copies(pieces: Iterable[Array], note: Callable[[str], None]) -> Iterator[Array]:
    """Yield copies of the pieces, so that their blocks can be freed, with a note if the copies are large."""
    size = 0
    for piece in pieces:
        if size <= NOTE_BYTES < size + piece.nbytes:
            note("the number of rows is not known, so tsoft keeps the whole array in memory; -o FILE.npy avoids this")
        size += piece.nbytes
        yield np.array(piece)


def _bytes(array: Array) -> memoryview:
    """Return the bytes of an array in C order, without a copy if it already is in C order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _npz(first: Distributions, array: DistributionArray) -> Iterator[bytes]:
    """Yield an .npz of the array, the temperatures and the labels, uncompressed since numbers hardly compress."""
    sink = Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        with archive.open(zipfile.ZipInfo(f"{array.name(first)}.npy"), "w", force_zip64=True) as member:
            for piece in _npy(first, array):
                member.write(piece)
                yield from sink.take()
        others = {"taus": np.asarray(array.taus)}
        if first.block.labels is not None:
            others |= text_arrays("labels", first.block.labels)
        if array.keys:
            others |= key_arrays(ID, array.keys)
        for name, other in others.items():
            _add(archive, name, other)
    yield from sink.take()


def _npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """Return an .npz of arrays by their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            _add(archive, name, array)
    return buffer.getvalue()


def _npy_bytes(array: Array) -> bytes:
    """Return an .npy of an array."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), _npy_bytes(array))
