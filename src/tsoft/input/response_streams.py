"""Streams whose pieces are in an array of a document, such as a log."""

from dataclasses import dataclass
from typing import Any

from tsoft.input.json_values import Object, is_index
from tsoft.input.response_lists import ANSWERS, FoundList, Path
from tsoft.input.response_texts import is_piece
from tsoft.input.token_shapes import field

# Fields of pieces that are documents.
_DOCUMENT_MARKS = (*ANSWERS, "id", "type", "object")
# Fields that the pieces of a stream have, and other objects of an unfinished answer do not.
_PIECE_MARKS = (*ANSWERS, "delta", "done", "stop")


@dataclass(frozen=True)
class Stream:
    """An array of pieces in a document: its path, the pieces, and the objects that contain it, the innermost first."""

    path: Path
    pieces: list[Object]
    objects: tuple[Object, ...]

    def contains(self, found: FoundList) -> bool:
        """Return whether a list of tokens is in one of the pieces."""
        return found.path[: len(self.path)] == self.path


def streams_in(document: Object, lists: list[FoundList]) -> list[Stream]:
    """Return the streams in a document that has these lists of tokens."""
    paths: dict[Path, None] = {}
    for found in lists:
        path = found.answer.path
        ends = [i for i in range(1, len(path)) if isinstance(path[i], int) and path[i - 1] not in ANSWERS]
        if ends and path[: ends[-1]] not in paths and is_piece(found.answer):
            paths[path[: ends[-1]]] = None
    streams = (_stream(document, path) for path in paths)
    return [stream for stream in streams if all(map(_has_mark, stream.pieces)) and not _is_one_piece(stream)]


def _has_mark(piece: object) -> bool:
    return isinstance(piece, dict) and not piece.keys().isdisjoint(_PIECE_MARKS)


def _is_one_piece(stream: Stream) -> bool:
    """Return whether an array is that of the answers in one piece of a stream, and not of its pieces: the object around
    it has an id, and each element another number. Protocol Buffers leave out the number 0."""
    numbers = [piece.get("index", 0) for piece in stream.pieces]
    if not all(map(is_index, numbers)) or len(set(numbers)) < len(numbers):
        return False
    are_answers = all(piece.keys().isdisjoint(_DOCUMENT_MARKS) for piece in stream.pieces)
    return are_answers and isinstance(field(stream.objects[0], "id"), str)


def _stream(document: Object, path: Path) -> Stream:
    value: Any = document
    objects: tuple[Object, ...] = ()
    for key in path:
        objects = (value, *objects) if isinstance(value, dict) else objects
        value = value[key]
    return Stream(path, value, objects)
