"""The true classes of rows, in, from a file of their own: an array, or a text with one a line."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.temperature import Array
from tsoft.errors import InputError
from tsoft.formats import FORMATS, by_content, by_name, npy, stream
from tsoft.formats.naming import Naming, TargetsError
from tsoft.formats.read import TARGET


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as they were read, one a row: numbers, which are indices, or texts. For messages there are the
    `source`, where it has lines the first one's, and the number of the first row."""

    found: Array | list[str]
    source: str
    line: int | None = None
    first: int = 0

    def __len__(self) -> int:
        return len(self.found)

    def check(self, rows: int) -> None:
        """Raises InputError where there are not as many as rows."""
        if len(self) != rows:
            raise InputError(f"{self.source}: {len(self)} targets, but the logits have {rows} row{'s' * (rows != 1)}")

    def indices(self, naming: Naming) -> Array:
        """(rows,). Raises InputError for the first that is none."""
        try:
            return naming.indices(self.found) if isinstance(self.found, np.ndarray) else self._named(naming)
        except TargetsError as error:
            where = f": row {self.first + error.place}" if self.line is None else f":{self.line + error.place}"
            raise InputError(f"{self.source}{where}: {error.problem}") from None

    def of(self, block: Block) -> Array:
        """The indices of the classes of a block's rows: (rows,). Raises InputError where there are fewer."""
        first, stop = block.rows.start, block.rows.stop
        if stop > len(self):
            raise InputError(f"{self.source}: {len(self)} targets, but there are more rows")
        line = None if self.line is None else self.line + first
        own = Targets(self.found[first:stop], self.source, line, first)
        return own.indices(Naming(block.labels, block.logits.shape[1]))

    def _named(self, naming: Naming) -> Array:
        indices = np.empty(len(self), np.int64)
        known: dict[str, int] = {}
        for place, text in enumerate(self.found):
            try:
                indices[place] = known[text] if text in known else known.setdefault(text, naming.index(text))
            except ValueError as error:
                raise TargetsError(str(error), place) from None
        return indices


def read(name: str) -> Targets:
    """The targets in a file: an .npy or .npz of numbers or texts, or a text with one a line, under a heading
    `target` or none. Raises InputError."""
    source = stream.STDIN if name == "-" else name
    with stream.reading(name) as bytes_:
        head, bytes_ = stream.with_head(bytes_)
        told = by_content(head) or by_name(name) or FORMATS["text"]
        if told.name == "npz":
            from tsoft.formats import npz

            return npz.read_targets(bytes_, source)
        if told.name == "npy":
            header = npy.read_header(bytes_, source, wrong)
            return array(header, bytes_.read(), source)
        return _lines(bytes_.read(), source)


def wrong(dtype: np.dtype[Any]) -> str | None:
    """What is wrong with a type, unless it is of numbers or of texts."""
    return None if npy.texts(dtype) is None else npy.real(dtype)


def array(header: npy.Header, data: bytes, source: str) -> Targets:
    """The targets of an array, one a row. Raises InputError for more, as a one-hot array has."""
    if len(data) != header.size:
        header.check(len(data), source)
    found = np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
    if found.ndim == 2 and found.shape[1] > 1 and found.dtype.kind in "biuf" and (found.sum(1) == 1).all():
        shape = " × ".join(map(str, found.shape))
        raise InputError(f"{source}: an array of {shape}, which looks one-hot; one index a row is its argmax(1)")
    found = found.reshape(-1)
    if found.dtype.kind in "biuf":
        return Targets(found.astype(np.int64) if found.dtype.kind == "b" else found, source)
    try:
        return Targets([text.decode() if isinstance(text, bytes) else text for text in found.tolist()], source)
    except UnicodeDecodeError:
        raise InputError(f"{source}: the targets are not UTF-8 text") from None


def _lines(data: bytes, source: str) -> Targets:
    try:
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{source}: the targets are not UTF-8 text") from None
    lines = [line.strip() for line in lines]
    headed = lines[0] == TARGET
    if not any(lines[headed:]):
        raise InputError(f"{source}: no targets: the input is empty")
    return Targets(lines[headed:], source, 1 + headed)
