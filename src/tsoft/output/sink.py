"""A file that collects the pieces that a library writes, so that a generator can yield them."""

import io


class Sink(io.RawIOBase):
    """Collects what a zip file's writer writes, so that a generator can yield it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def take(self) -> list[bytes]:
        """Return the pieces since the last call."""
        pieces, self.pieces = self.pieces, []
        return pieces
