"""Arrays of distributions as NumPy's .npy and .npz."""

import io
import itertools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.output.distribution_records import Content
from tsoft.output.file import OutputStream
from tsoft.sampling.distributions import Distributions

# Holding more bytes than this in memory is worth a note.
MUCH = 1 << 24


@dataclass(frozen=True, eq=False)
class DistributionArray:
    """Distributions as one array, with the axes of the rows, one of the temperatures `taus` if there are several, and
    one of the classes. It holds probabilities or their logarithms, according to the `content`. `note` is called with
    messages to the user."""

    results: Iterator[Distributions]
    taus: Array
    content: Content
    note: Callable[[str], None]

    @property
    def name(self) -> str:
        return "log_probs" if self.content.log else "probs"

    def pieces(self, first: Distributions) -> Iterator[Array]:
        """The pieces, (rows, temperatures, classes), the first result's before the others'. Raises InputError
        where the classes are not those of the first."""
        classes = first.block.labels, first.block.logits.shape[1]
        for result in itertools.chain([first], self.results):
            if (result.block.labels, result.block.logits.shape[1]) != classes:
                problem = f"{result.block.location}: its classes are not those of the first row"
                raise InputError(f"{problem}; --format jsonl takes rows that differ")
            yield self.content.cells(result).swapaxes(0, 1)

    def header(self, first: Distributions, axes: tuple[int, ...]) -> bytes:
        """The header of an .npy, which leaves room for the number of rows."""
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
        """The number of rows that have this many numbers."""
        return int(numbers // (len(self.taus) * first.block.logits.shape[1]))


def write(format: str, array: DistributionArray, out: OutputStream) -> None:
    """Writes an array as npy or npz."""
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
    """An .npy in C order. Its header comes first and needs the number of rows. If the input does not give it, a file's
    header is overwritten at the end, and for any other output the rows are held in memory until then."""
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
        held = list(_held(pieces, array.note))
        yield array.header(first, (array.rows(first, sum(piece.size for piece in held)),))
        yield from map(_bytes, held)


def _held(pieces: Iterable[Array], note: Callable[[str], None]) -> Iterator[Array]:
    """Copies of the pieces, which do not keep their blocks, with a note where they are large together."""
    size = 0
    for piece in pieces:
        if size <= MUCH < size + piece.nbytes:
            note("how many rows come is not known, so the array is held in memory; -o FILE.npy is written at once")
        size += piece.nbytes
        yield np.array(piece)


def _bytes(array: Array) -> memoryview:
    """The memory of an array, or of its copy in C order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


class _Sink(io.RawIOBase):
    """Takes what a zip file's writer writes, for a generator to pass on."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        return len(data)

    def take(self) -> list[bytes]:
        pieces, self.pieces = self.pieces, []
        return pieces


def _npz(first: Distributions, array: DistributionArray) -> Iterator[bytes]:
    """The array, the temperatures and the labels, stored: numbers hardly compress."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        with archive.open(zipfile.ZipInfo(f"{array.name}.npy"), "w", force_zip64=True) as member:
            for piece in _npy(first, array, None):
                member.write(piece)
                yield from sink.take()
        _add(archive, "taus", np.asarray(array.taus))
        if first.block.labels is not None:
            _add(archive, "labels", np.array(first.block.labels))
    yield from sink.take()


def npz(arrays: Mapping[str, Array]) -> bytes:
    """An .npz of arrays by their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            _add(archive, name, array)
    return buffer.getvalue()


def npy(array: Array) -> bytes:
    """An .npy."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy(array))
