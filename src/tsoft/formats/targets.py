"""Targets, the true classes of rows: an .npy of integers, or text with an integer or a label a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.temperature import Array
from tsoft.errors import InputError
from tsoft.formats import npy, stream


@dataclass(frozen=True, eq=False)
class Targets:
    """Of each row its class's index, from 0, or its label. For messages there are the source, and where it
    has lines those of the rows."""

    source: str
    classes: Sequence[int | str]
    lines: Sequence[int] | None = None

    def of(self, block: Block) -> Array:
        """The indices of the classes of a block's rows: (rows,). Raises InputError for a class that the block
        does not have, and where there are fewer targets than rows."""
        if block.rows.stop > len(self.classes):
            raise InputError(f"{self.source}: {len(self.classes)} targets; there are more rows, a target is for each")
        named: dict[str, list[int]] = {}
        for i, label in enumerate(block.labels or ()):
            named.setdefault(label, []).append(i)
        return np.array([self._index(row, named, block.logits.shape[1]) for row in block.rows])

    def check(self, rows: int) -> None:
        """Raises InputError where there are more targets than rows."""
        if rows < len(self.classes):
            raise InputError(f"{self.source}: {len(self.classes)} targets for {rows} row{'s' * (rows != 1)}")

    def _index(self, row: int, named: dict[str, list[int]], classes: int) -> int:
        """The index of a row's target, of so many classes, some of which have labels."""
        target = self.classes[row]
        where = f"{self.source}: row {row}" if self.lines is None else f"{self.source}:{self.lines[row]}"
        found = named.get(str(target), []) if self.lines else []
        if len(found) > 1:
            raise InputError(f"{where}: {target!r} is the label of {len(found)} classes; targets may be indices")
        if found:
            return found[0]
        if isinstance(target, str) and not (target.isascii() and target.isdecimal() and len(target) < 19):
            raise InputError(f"{where}: {target!r} is no class's label, nor an index from 0")
        if not 0 <= int(target) < classes:
            raise InputError(f"{where}: there is no class {target}; there are {classes}, counted from 0")
        return int(target)


def read(name: str) -> Targets:
    """The targets of a file, or of stdin for `-`."""
    source = stream.STDIN if name == "-" else name
    with stream.reading(name) as bytes_:
        head, bytes_ = stream.with_head(bytes_)
        if head.startswith(npy.MAGIC):
            header = npy.read_header(bytes_, source, _whole)
            if header.rows > 1 and header.classes > 1:
                raise InputError(f"{source}: an array of shape {header.shape}; targets are one for each row")
            data = bytes_.read()
            header.check(len(data), source)
            return Targets(source, np.frombuffer(data, header.dtype).tolist())
        try:
            lines = bytes_.read().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise InputError(f"{source}: the targets are not UTF-8 text") from None
    said = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    if not said:
        raise InputError(f"{source}: no targets: the input is empty")
    return Targets(source, list(said.values()), list(said))


def _whole(dtype: np.dtype[Any]) -> str | None:
    """What is wrong with a type, unless it is of whole numbers."""
    return None if dtype.kind in "iu" else npy.real(dtype) or f"an array of {dtype}, not of whole numbers"
