"""A temporary file for the rows of a pipe that do not fit in memory."""

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from tsoft.core.labeled_rows import LabeledRows
from tsoft.errors import OutputError


class Spool:
    """Blocks of rows that can be read several times. Their file has no name, and the system removes it at exit."""

    def __init__(self) -> None:
        import tempfile

        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (it is open as long as the spool exists)
        self._arrays: list[tuple[tuple[int, ...], np.dtype[Any]]] = []
        weakref.finalize(self, self._file.close)

    def add(self, examples: LabeledRows) -> None:
        """Store a block. Raise OutputError if the disk is full."""
        try:
            for array in (examples.logits, examples.targets):
                self._file.write(np.ascontiguousarray(array).data)
                self._arrays.append((array.shape, array.dtype))
            self._file.flush()
        except OSError as error:
            problem = f"cannot write a temporary file for the piped rows: {error.strerror}"
            raise OutputError(f"{problem}; pass a file with -i FILE instead") from None

    def __iter__(self) -> Iterator[LabeledRows]:
        self._file.seek(0)
        arrays = (self._read(*kind) for kind in self._arrays)
        for logits in arrays:
            yield LabeledRows(logits, next(arrays))

    def _read(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        array = np.empty(shape, dtype)
        self._file.readinto(array.data)
        return array
