"""Writing arrays of distributions as NumPy's .npy and .npz."""

import io
import itertools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.output.distribution_records import Content
from tsoft.output.file import OutputStream
from tsoft.output.row_keys import ID
from tsoft.sampling.distributions import Distributions

# Keeping more bytes than this in memory is worth a note.
NOTE_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class DistributionArray:
    """Distributions as one array of probabilities or, according to `content`, their logarithms.

    Its axes are those of the rows, the temperatures `taus` if there are several, and the classes. `note` is called with
    each note to the user. `keys` are those of the rows that `pieces` has yielded, if the rows have keys.
    """

    results: Iterator[Distributions]
    taus: Array
    content: Content
    note: Callable[[str], None]
    keys: list[str | int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "log_probs" if self.content.log else "probs"

    def pieces(self, first: Distributions) -> Iterator[Array]:
        """Yield the array in pieces, (rows, temperatures, classes), starting with the first result. Raise InputError
        if a result has other classes."""
        classes = first.block.labels, first.block.logits.shape[1]
        for result in itertools.chain([first], self.results):
            if (result.block.labels, result.block.logits.shape[1]) != classes:
                problem = f"{result.block.location}: the classes differ from those of the first row"
                raise InputError(f"{problem}; use --format jsonl")
            self.keys.extend(result.block.keys or ())
            yield self.content.cells(result).swapaxes(0, 1)

    def header(self, first: Distributions, axes: tuple[int, ...]) -> bytes:
        """Return the header of an .npy, with room for any number of rows."""
        taus = () if len(self.taus) == 1 else (len(self.taus),)
        buffer = io.BytesIO()
        header = {
            "descr": np.lib.format.dtype_to_descr(self.content.cells(first).dtype),
            "fortran_order": False,
            "shape": (*axes, *taus, first.block.logits.shape[1]),
        }
        np.lib.format.write_array_header_1_0(buffer, header)
        return buffer.getvalue()

    def rows(self, first: Distributions, numbers: int) -> int:
        """Return the number of rows that `numbers` numbers fill."""
        return int(numbers // (len(self.taus) * first.block.logits.shape[1]))


def write(format: str, array: DistributionArray, out: OutputStream) -> None:
    """Write an array as npy or npz."""
    first = next(array.results, None)
    if first is None:
        return
    if format == "npz":
        pieces: Iterable[bytes | memoryview] = _npz(first, array)
    else:
        pieces = _npy(first, array, out if out.is_file else None)
    for piece in pieces:
        out(piece)


def _npy(first: Distributions, array: DistributionArray, file: OutputStream | None) -> Iterator[bytes | memoryview]:
    """Yield an .npy in C order, in pieces.

    Its header is first and contains the number of rows. If that number is not known, the header of a file is
    overwritten at the end; for any other output, all rows are kept in memory first.
    """
    axes, pieces = first.block.origin.axes, array.pieces(first)
    if axes is not None:
        yield array.header(first, axes)
        yield from map(_bytes, pieces)
    elif file is not None:
        yield array.header(first, (0,))
        numbers = 0
        for piece in pieces:
            yield _bytes(piece)
            numbers += piece.size
        file.overwrite_start(array.header(first, (array.rows(first, numbers),)))
    else:
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


class _Sink(io.RawIOBase):
    """Collects what a zip file's writer writes, so that a generator can yield it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        return len(data)

    def take(self) -> list[bytes]:
        """Return the pieces since the last call."""
        pieces, self.pieces = self.pieces, []
        return pieces


def _npz(first: Distributions, array: DistributionArray) -> Iterator[bytes]:
    """Yield an .npz of the array, the temperatures and the labels, uncompressed since numbers hardly compress."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        with archive.open(zipfile.ZipInfo(f"{array.name}.npy"), "w", force_zip64=True) as member:
            for piece in _npy(first, array, None):
                member.write(piece)
                yield from sink.take()
        _add(archive, "taus", np.asarray(array.taus))
        if first.block.labels is not None:
            _add(archive, "labels", np.array(first.block.labels))
        if array.keys:
            _add(archive, ID, np.array(array.keys))
    yield from sink.take()


def npz(arrays: Mapping[str, Array]) -> bytes:
    """Return an .npz of arrays by their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            _add(archive, name, array)
    return buffer.getvalue()


def npy(array: Array) -> bytes:
    """Return an .npy of an array."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy(array))
