"""The true classes of rows, in, from a file of their own: an array, or a text with one a line."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input import npy
from tsoft.input.class_lookup import ClassLookup, TargetIndexError
from tsoft.input.columns import TARGET


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as they were read, one a row: numbers or texts. For messages there are the `source`, where it has
    lines the first one's, and the number of the first row. Those of an array have its `shape`."""

    found: Array | list[str]
    source: str
    line: int | None = None
    first: int = 0
    shape: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.found)

    def check(self, rows: int) -> None:
        """Raises InputError where there are not as many as rows."""
        if len(self) != rows:
            raise InputError(f"{self.source}: {len(self)} targets, but the logits have {rows} row{'s' * (rows != 1)}")

    def check_shape(self, axes: tuple[int, ...] | None) -> None:
        """Raises InputError for an array of another shape than the rows', which may be in several `axes`."""
        own, rows = (tuple(size for size in of or () if size != 1) for of in (self.shape, axes))
        if len(own) > 1 and own != rows:
            shape = " × ".join(map(str, self.shape or ()))
            raise InputError(f"{self.source}: an array of {shape}, where there is one target a row")

    def indices(self, naming: ClassLookup) -> Array:
        """(rows,). Numbers are indices, unless some class's label is a number: then they name labels, as they do
        in a text. Raises InputError for the first that is none."""
        try:
            if isinstance(self.found, np.ndarray) and naming.by_index:
                return naming.indices(self.found)
            return self._named(naming)
        except TargetIndexError as error:
            where = f": row {self.first + error.place}" if self.line is None else f":{self.line + error.place}"
            raise InputError(f"{self.source}{where}: {error.problem}") from None

    def of(self, block: Block) -> Array:
        """The indices of the classes of a block's rows: (rows,). Raises InputError where there are fewer."""
        first, stop = block.rows.start, block.rows.stop
        if first == 0:
            self.check_shape(block.axes)
        if stop > len(self):
            raise InputError(f"{self.source}: {len(self)} targets, but there are more rows")
        line = None if self.line is None else self.line + first
        own = Targets(self.found[first:stop], self.source, line, first)
        return own.indices(ClassLookup(block.labels, block.logits.shape[1]))

    def _named(self, naming: ClassLookup) -> Array:
        indices = np.empty(len(self), np.int64)
        known: dict[str, int] = {}
        for place, value in enumerate(self.found):
            text = value if isinstance(value, str) else _text(value.item())
            try:
                indices[place] = known[text] if text in known else known.setdefault(text, naming.index(text))
            except ValueError as error:
                raise TargetIndexError(str(error), place) from None
        return indices


def _text(value: float) -> str:
    """A number as a label that is one is written.

    >>> _text(3), _text(3.0), _text(0.5)
    ('3', '3', '0.5')
    """
    return f"{value:.0f}" if value % 1 == 0 else str(value)


def wrong(dtype: np.dtype[Any]) -> str | None:
    """What is wrong with a type, unless it is of numbers or of texts."""
    return None if npy.texts(dtype) is None else npy.real(dtype)


def array(header: npy.Header, data: bytes, source: str) -> Targets:
    """The targets of an array, one a row. Raises InputError for more, as a one-hot array has."""
    size = math.prod(header.shape) * header.dtype.itemsize
    if len(data) != size:
        header.check(len(data), source)
    found = np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
    if found.ndim == 2 and found.shape[1] > 1 and found.dtype.kind in "biuf" and _is_one_hot(found):
        shape = " × ".join(map(str, found.shape))
        raise InputError(f"{source}: an array of {shape}, which looks one-hot; one index a row is its argmax(1)")
    values: Array | list[str] = found.reshape(-1)
    try:
        if found.dtype.kind == "b":
            values = found.reshape(-1).astype(np.int64)
        elif found.dtype.kind in "SU":
            values = [text.decode() if isinstance(text, bytes) else text for text in found.reshape(-1).tolist()]
        return Targets(values, source, shape=header.shape)
    except UnicodeDecodeError:
        raise InputError(f"{source}: the targets are not UTF-8 text") from None


def _is_one_hot(found: Array) -> bool:
    return bool(((found == 0) | (found == 1)).all() and (found.sum(1) == 1).all())


def _lines(data: bytes, source: str) -> Targets:
    try:
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{source}: the targets are not UTF-8 text") from None
    lines = [_unquoted(line.strip()) for line in lines]
    headed = lines[0] == TARGET
    if not any(lines[headed:]):
        raise InputError(f"{source}: no targets: the input is empty")
    return Targets(lines[headed:], source, 1 + headed)


def _unquoted(line: str) -> str:
    """A line without the quotes around it, in which a quote is doubled.

    >>> _unquoted('"the ""best"" cat"'), _unquoted('a "cat"')
    ('the "best" cat', 'a "cat"')
    """
    inside = line[1:-1].replace('""', "")
    is_quoted = len(line) > 1 and line[0] == line[-1] == '"' and '"' not in inside
    return line[1:-1].replace('""', '"') if is_quoted else line
